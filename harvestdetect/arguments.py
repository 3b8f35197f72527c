"""Checks of what callers give to public functions. A message names the argument, what was given and what is wanted."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from harvestdetect.errors import UsageError

__all__ = ["check_function", "check_kinds", "is_table", "items_of", "named_values", "path_of", "shown", "wrong"]

_SHOWN: Final = 60
"""Most characters of a value in a message."""
_Class = TypeVar("_Class", bound=type)


def shown(value: object) -> str:
    """A value in few words, for a message: short texts and numbers themselves, of others the type.

    Characters that a terminal would act on are escaped.
    """
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str | bytes):
        text = ascii(value)
        kind = "the text " if isinstance(value, str) else "the bytes "
        return kind + (text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
    if isinstance(value, int | float):
        text = f"{value:g}" if isinstance(value, float) else "" if abs(value) >= 10**_SHOWN else str(value)
        return f"the number {text}" if text else "a number of many digits"
    if isinstance(value, type):
        return f"the class {ascii(value.__name__)[1:-1][:_SHOWN]}"
    name = ascii(type(value).__name__)[1:-1][:_SHOWN]
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def wrong(
    argument: str, wanted: str, given: object, advice: str = "", *, error: type[UsageError] = UsageError
) -> UsageError:
    """The error about an argument of the wrong kind.

    Args:
        argument: its name.
        wanted: what it must be.
        given: what it is.
        advice: what to do, if that is more than to give what is wanted.
        error: class of the error.
    """
    return error(f"{argument} must be {wanted}, got {shown(given)}" + (f"; {advice}" if advice else ""))


def path_of(value: object, argument: str, *, wanted: str = "a path") -> Path:
    """The path that a caller gave as a text or as a ``Path``.

    Args:
        value: what was given.
        argument: its name.
        wanted: what the path is, such as ``a folder``.

    Raises:
        UsageError: it is neither a text nor a path, is empty, or has a NUL character.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value or "\0" in value:
        raise wrong(argument, f"{wanted}, as a text or pathlib.Path", value)
    return Path(value)


def items_of(value: Any, argument: str, wanted: str, kinds: type | tuple[type, ...]) -> list[Any]:
    """The items of a list, or of another iterable, that a caller gave.

    Args:
        value: what was given.
        argument: its name.
        wanted: what it must be.
        kinds: types of the items.

    Raises:
        UsageError: it is no iterable, or is a text, a dict or a table, or an item has another type.
    """
    if isinstance(value, str | bytes | Mapping | type) or not isinstance(value, Iterable) or is_table(value):
        raise wrong(argument, wanted, value)
    items = list(value)
    for item in items:
        if not isinstance(item, kinds):
            raise wrong(argument, wanted, value, f"one of its items is {shown(item)}")
    return items


def is_table(value: object) -> bool:
    """Whether a value is a table that Arrow can read, such as one of pandas or polars."""
    return hasattr(value, "__arrow_c_stream__")


def check_function(value: object, argument: str, wanted: str) -> None:
    """Checks an optional function.

    Args:
        value: what was given; None is fine.
        argument: its name.
        wanted: what the function takes, such as ``a function that takes a sentence``.

    Raises:
        UsageError: it cannot be called.
    """
    if value is not None and not callable(value):
        raise wrong(argument, f"None or {wanted}", value)


def check_kinds(given: Iterable[tuple[str, object, type]]) -> None:
    """Checks the types of optional arguments.

    Args:
        given: name, value and type of each; None is fine.

    Raises:
        UsageError: a value has another type.
    """
    for argument, value, kind in given:
        if value is not None and not isinstance(value, kind):
            wanted = "Unix seconds, a whole number," if kind is int else kind.__name__
            raise wrong(argument, f"{wanted} or None", value)


def named_values(*, what: str, example: str, error: type[UsageError] = UsageError) -> Callable[[_Class], _Class]:
    """Decorates a dataclass: values that are unknown, missing or without a name give an error that says so.

    Args:
        what: one value in words, such as ``setting``.
        example: how an object is made, for messages.
        error: class of the error.
    """

    def decorated(cls: _Class) -> _Class:
        plain: Callable[..., None] = cls.__init__  # type: ignore[misc]

        @functools.wraps(plain)
        def checked(self: Any, *positional: Any, **values: Any) -> None:
            try:
                plain(self, *positional, **values)
            except TypeError:
                known = [name for name in plain.__annotations__ if name != "return"]
                if positional:
                    raise error(
                        f"{cls.__name__} takes each {what} by its name, got {shown(positional[0])} without one; write "
                        f"{example}"
                    ) from None
                if unknown := sorted(set(values) - set(known)):
                    names = ", ".join(known)
                    raise error(f"unknown {what} {ascii(unknown[0])[:_SHOWN]}; known: {names}") from None
                needed = [name for name in known if name not in values and name not in (plain.__kwdefaults__ or {})]
                if needed:
                    raise error(f"{cls.__name__} needs the {what} {needed[0]}; write {example}") from None
                raise

        cls.__init__ = checked  # type: ignore[misc]
        return cls

    return decorated
