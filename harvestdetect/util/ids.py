"""The campaign that a user names by its id or the beginning of the id. All commands have the same rule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from harvestdetect.errors import UsageError

__all__ = ["LEAST_PREFIX", "named_campaign", "nearest", "some"]

LEAST_PREFIX: Final = 3
"""Fewest characters of the beginning of an id: ``c-`` and one more."""
_NAMED: Final = 5
"""Most ids that a message names."""
_COMPARED: Final = 64
"""Most characters of an id that are compared and shown."""


def named_campaign(given: str, known: Collection[str], *, where: str, hint: str = "") -> str:
    """The id that a text refers to.

    Args:
        given: an id, or the beginning of exactly one id, with at least three characters.
        known: all ids.
        where: what contains the ids, for messages, such as ``the state``.
        hint: what to do next, for messages.

    Raises:
        UsageError: no id or several ids match. The message names the nearest ids, or those that match.
    """
    if given in known:
        return given
    found = [one for one in known if one.startswith(given)] if len(given) >= LEAST_PREFIX else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{len(found):,} campaigns begin with {given!a}: {some(found)}; give more of the id")
    if len(given) < LEAST_PREFIX and any(one.startswith(given) for one in known):
        raise UsageError(f"{given!a} is too short for the beginning of a campaign id; give {LEAST_PREFIX} characters")
    near = nearest(given, known, at_least=0.0)
    said = f"; the nearest: {some(near)}" if near else ""
    raise UsageError(f"there is no campaign {given!a} in {where}{said}{f'; {hint}' if hint else ''}")


def some(ids: Sequence[str]) -> str:
    """The first ids in words, and the number of further ones."""
    shown = (i if len(i) <= _COMPARED else i[:_COMPARED] + "…" for i in ids[:_NAMED])
    return ", ".join(shown) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")


def nearest(given: str, names: Collection[str], *, at_least: float) -> list[str]:
    """The names most like a text, best first.

    Args:
        given: any text.
        names: the names to choose from; at most five are returned.
        at_least: least similarity, 0 to 1.
    """
    from difflib import get_close_matches

    short: dict[str, str] = {}
    for name in names:
        short.setdefault(name[:_COMPARED], name)
    return [short[s] for s in get_close_matches(given[:_COMPARED], list(short), _NAMED, at_least)]
