"""Finds the values that a user names, by themselves or by their tags."""

from __future__ import annotations

from harvestdetect.corpus.account_fields import masked
from harvestdetect.errors import InputError
from harvestdetect.search.index import Column, Index
from harvestdetect.search.tags import WORDS, digits_of, is_tag, matching
from harvestdetect.search.values import Value

__all__ = ["matching_values", "shown_value", "tag_of"]


def matching_values(index: Index, given: str) -> list[tuple[str, int]]:
    """The fields and positions of the values that a text names; none if there is no such value.

    Args:
        index: of the window.
        given: a value as it is in the dump, or the tag of one.

    Raises:
        InputError: several values have the tag.
    """
    tag = is_tag(given)
    if tag is not None and tag[0] in index.fields:
        name, digits = tag
        found = matching(index.fields[name].tag, digits)
        if len(found) > 1:
            known = [tag_of(name, index.fields[name], int(one)) for one in found[:3]]
            more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
            raise InputError(f"{len(found):,} values have the tag {given.strip()}: {', '.join(known)}{more}; give one")
        if len(found):
            return [(name, int(found[0]))]
    places = ((name, column.values.place(given)) for name, column in index.fields.items())
    return [(name, place) for name, place in places if place is not None]


def tag_of(name: str, column: Column, position: int) -> str:
    """The tag of a value."""
    return f"{WORDS[name]}#{digits_of(column.tag, position)}"


def shown_value(name: str, column: Column, position: int, *, accounts: int, prompts: int) -> Value:
    """A value with its tag, masked."""
    return Value(
        field=name, tag=tag_of(name, column, position), shown=masked(name, column.values[position]), accounts=accounts,
        prompts=prompts,
    )  # fmt: skip
