"""What the values of each column do over a sample of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final

from harvestdetect.dump.columns.kinds import account_text, is_placeholder, prompt_kind
from harvestdetect.dump.columns.layout import Chain, value_at
from harvestdetect.dump.columns.names import Match, matches, plain
from harvestdetect.dump.values.paths import Path, leaves
from harvestdetect.dump.values.rows import to_text

__all__ = ["DEEPEST", "Column", "RowSample", "distinct"]

DEEPEST: Final = 9
"""Most names of a path that is searched for a recognised name."""
_WRITTEN: Final = frozenset(
    ("prompt", "userprompt", "prompttext", "question", "query", "usermessage", "userinput", "text", "inputtext")
)
"""Plain names of columns whose text the sender wrote. JSON in it names no columns."""
_MOST_PATHS: Final = 3_000
"""Most distinct paths of a sample that are looked at. A record can have names that nobody else has."""


@dataclass(slots=True)
class Column:
    """The values at one path over a sample."""

    path: Path
    depth: int = 0
    """Levels by which what holds it encloses the row."""
    rows: list[int] = field(default_factory=list)
    """Numbers of the rows that have it, ascending."""
    values: list[Any] = field(default_factory=list)
    """Their values."""

    def usable(self, name: str) -> list[tuple[int, Any]]:
        """(row, value) of the values that a field accepts."""
        pairs = zip(self.rows, self.values, strict=True)
        if name == "prompt":
            return [(row, value) for row, value in pairs if prompt_kind(value)]
        if name == "system":
            return [(row, value) for row, value in pairs if isinstance(value, str | list | dict) and value]
        if name == "timestamp":
            return [(row, value) for row, value in pairs if _may_be_time(value)]
        kinds = (float,) if name == "account" else (float, bool)
        return [(row, value) for row, value in pairs if to_text(value) is not None or type(value) in kinds]


def _may_be_time(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, dict):
        return "seconds" in value or "nanos" in value
    return isinstance(value, int | float | date) and not isinstance(value, bool)  # a datetime is a date


class RowSample:
    """Rows over which columns are chosen.

    Args:
        chains: the rows, each followed by what encloses it.
        inside: names, in what encloses a row, of what leads to the row.
    """

    def __init__(self, chains: Sequence[Chain], inside: frozenset[str] = frozenset()) -> None:
        self.chains = chains
        self._inside = inside
        self._asked: dict[Path, Column] = {}
        self.columns: dict[Path, Column] = {}
        self.paths: dict[Path, None] = {}
        """All paths, in the order in which they were found."""
        for number, chain in enumerate(chains):
            for level, record in enumerate(chain):
                if not level or isinstance(record, dict):
                    self._add(number, level, record)

    def __len__(self) -> int:
        return len(self.chains)

    def _add(self, number: int, level: int, record: Any) -> None:
        """Adds the values of a row, or of what encloses it (``level`` above 0)."""
        below: Path = ()
        for path, value in leaves(record, DEEPEST):
            if level and path[0] in self._inside:
                continue
            if below and path[: len(below)] == below and len(path) > len(below):
                continue  # the sender wrote it
            if isinstance(value, str) and plain(path[-1]) in _WRITTEN:
                below = path
            if path not in self.paths:
                if len(self.paths) >= _MOST_PATHS:
                    continue
                self.paths[path] = None
            if not matches(path):
                continue
            column = self.columns.get(path)
            if column is None:
                column = self.columns[path] = Column(path, level)
            if not column.rows or column.rows[-1] != number:
                column.rows.append(number)
                column.values.append(value)

    def at(self, path: Path) -> Column:
        """The column at any path."""
        column = self.columns.get(path) or self._asked.get(path)
        if column is None:
            column = self._asked[path] = Column(path)
            for number, chain in enumerate(self.chains):
                value = value_at(chain, path)
                if value is not None:
                    column.rows.append(number)
                    column.values.append(value)
        return column

    @cached_property
    def _named(self) -> dict[str, list[tuple[Match, Column]]]:
        found: dict[str, list[tuple[Match, Column]]] = {}
        for path, column in self.columns.items():
            for match in matches(path):
                found.setdefault(match.field, []).append((match, column))
        for pairs in found.values():
            pairs.sort(key=lambda pair: (pair[0].depth + pair[1].depth, pair[0].rank))
        return found

    def named(self, name: str) -> list[tuple[Match, Column]]:
        """The columns with a recognised name of a field, by falling preference of their names."""
        return self._named.get(name, [])

    def part(self, rows: Iterable[int]) -> RowSample:
        """The same for some of the rows."""
        return RowSample([self.chains[row] for row in rows], self._inside)


def distinct(values: Iterable[Any]) -> Counter[str]:
    """How often each account, or other identifier, occurs. Placeholders do not count."""
    found: Counter[str] = Counter()
    for value in values:
        text = account_text(value)
        if text is not None and not is_placeholder(text):
            found[text] += 1
    return found
