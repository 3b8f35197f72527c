"""Finds the list in a record whose elements are requests, or messages, if no column is the prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from harvestdetect.dump.columns.kinds import prompt_kind
from harvestdetect.dump.columns.names import matches, plain
from harvestdetect.dump.values.paths import Path, leaves

__all__ = ["list_of_rows"]

_RECORDS: Final = 50
"""Records that are looked at."""
_DEEPEST: Final = 6
"""Most names of a path into a list."""
_ROLES: Final = frozenset(("role", "from", "sender", "author", "speaker"))
"""Plain names that a message has, and a request has not."""


def list_of_rows(records: Sequence[Any]) -> tuple[Path, bool]:
    """The list that may be meant.

    Returns:
        Its path, empty if there is none, and whether its elements are messages.
    """
    requests: Counter[Path] = Counter()
    messages: set[Path] = set()
    for record in records[:_RECORDS]:
        seen: set[Path] = set()
        for path, value in leaves(record, _DEEPEST, lists=True):
            last = max((place for place, name in enumerate(path) if name.endswith("[]")), default=-1)
            inside = path[last + 1 :]
            if last < 0 or not inside:
                continue
            if plain(inside[-1]) in _ROLES and len(inside) == 1:
                messages.add(path[: last + 1])
            if any(match.field == "prompt" for match in matches(path)) and prompt_kind(value):
                seen.add(path[: last + 1])
        requests.update(seen)
    if not requests:
        return (), False
    (path, _), *_ = requests.most_common(1)
    return path, path in messages
