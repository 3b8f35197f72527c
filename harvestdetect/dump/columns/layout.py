"""The layout of a row: which paths give which field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from harvestdetect.dump.columns.kinds import account_text, is_blank, is_placeholder
from harvestdetect.dump.values.paths import Path, explode, look_around

__all__ = ["Chain", "Layout", "Row", "first_account", "first_value", "is_there", "taken", "value_at"]

Chain: TypeAlias = tuple[Any, ...]
"""A row, followed by what encloses it, from the inside to the outside."""
Row: TypeAlias = dict[str, Any]
"""Field -> value of one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which paths give which field of a row."""

    shape: str = ""
    """Name of the profile; "" if the columns were found by name."""
    fields: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Field -> its paths by falling preference, in the row or in what encloses it. The first value counts."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Field -> its value where the row has none, from the path of the file."""
    cut: Mapping[str, str] = field(default_factory=dict)
    """Field -> text at which its value ends."""
    keep: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    """Path -> values, in lower case, of which a request has one."""
    drop: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    """Path -> values, in lower case, of rows that are no requests."""

    def why_not(self, find: Callable[[Path], Any]) -> str:
        """Why a row is no request; "" if it can be one. ``find`` returns the value at a path of the row."""
        for path, values in self.keep.items():
            value = find(path)
            if value is not None and str(value).lower() not in values:
                return "not a request: a record of another type"
        for path, values in self.drop.items():
            value = find(path)
            if isinstance(value, str) and value.lower() in values:
                return f"not a request: {path[-1]} is {value.lower()}"
        return ""

    def row(self, chain: Chain) -> Row | str:
        """The fields of a row, or why it is no request."""
        if (self.keep or self.drop) and (why := self.why_not(lambda path: look_around(chain, path))):
            return why
        found: Row = {}
        for name, paths in self.fields.items():
            if name == "account":
                value = first_account(value_at(chain, path) for path in paths)
            else:
                value = first_value(name, (value_at(chain, path) for path in paths))
            found[name] = taken(value, self.cut.get(name)) if name in self.cut else value
        for name, constant in self.constants.items():
            if found.get(name) is None:
                found[name] = constant
        return found


def value_at(chain: Chain, path: Path) -> Any:
    """The value at a path of a row, or of what encloses it. Of a path with ``[]``, the first value in the list."""
    if not any(name.endswith("[]") for name in path):
        return look_around(chain, path)
    for number, name in enumerate(path):
        if name.endswith("[]"):
            head, tail = path[: number + 1], path[number + 1 :]
            break
    for record in chain:
        for inner in explode(record, head):
            value = value_at(inner[:1], tail) if tail else inner[0]
            if value is not None:
                return value
    return None


def is_there(field_name: str, value: Any) -> bool:
    """Whether a value counts for a field, so that no further path is tried."""
    if value is None:
        return False
    if field_name in ("prompt", "system"):
        return not is_blank(value) and type(value) not in (int, float, bool)
    return not (type(value) is str and not value.strip())


def first_value(field_name: str, values: Iterable[Any]) -> Any:
    """The first value that counts for a field. If none does, the first that is not None, to show what is wrong."""
    odd: Any = None
    for value in values:
        if is_there(field_name, value):
            return value
        if odd is None:
            odd = value
    return odd


def first_account(values: Iterable[Any]) -> Any:
    """The first value that names an account. A placeholder such as ``anonymous`` counts only if there is no other, and
    so does a value that is no account at all."""
    placeholder: Any = None
    odd: Any = None
    for value in values:
        if value is None:
            continue
        text = account_text(value)
        if text is None:
            odd = value if odd is None else odd
        elif not is_placeholder(text):
            return value
        elif placeholder is None:
            placeholder = value
    return odd if placeholder is None else placeholder


def taken(value: Any, end: str | None) -> Any:
    """A text up to where ``end`` begins in it."""
    if isinstance(value, str) and end:
        place = value.find(end)
        return value[:place] if place > 0 else value
    return value
