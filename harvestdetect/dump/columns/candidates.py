"""Columns that could be a field, and how they are ranked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from harvestdetect.data import NO_TIME
from harvestdetect.dump.columns.kinds import account_text, is_placeholder, prompt_kind
from harvestdetect.dump.columns.names import dotted, looks_like_name, matches
from harvestdetect.dump.columns.samples import Column, distinct
from harvestdetect.dump.values.paths import Path
from harvestdetect.dump.values.times import TimeReader

__all__ = [
    "ENOUGH",
    "OFTEN",
    "TIMED_COLUMNS",
    "TIMED_ROWS",
    "ColumnCandidate",
    "are_times",
    "candidate_of",
    "depth_of",
    "in_order",
    "is_body",
    "is_constant",
    "is_object",
    "name_in",
    "names_one",
    "paths_to_name",
    "shown",
    "time_tier",
]

OFTEN: Final = 0.5
"""Share of rows. A preferred name is chosen only if it has values in at least this share of the rows of the name that
has values most often. Otherwise a single row, whose content its sender controls, could decide what a column means."""
ENOUGH: Final = 20
"""Rows from which on it counts what values do. Fewer rows say nothing about them."""
_MOST_OTHERS: Final = 5
"""Most other columns of a field that are named to the user."""

TIMED_ROWS: Final = 50
"""Rows by which columns with times are found where no name of a column says which one has them."""
TIMED_COLUMNS: Final = 100
"""Columns that are looked at for it."""
_MOSTLY: Final = 0.8
"""Share of the values of such a column that must be times."""
_MILLISECONDS: Final = (10**12, 26 * 10**11)
"""Numbers that are taken for times there: milliseconds of the years 2001 to 2052. Others may well be ids."""


@dataclass(slots=True)
class ColumnCandidate:
    """A column that could be a field."""

    path: Path
    column: Column
    rows: list[int]
    """Rows of the sample with a value that the field accepts."""
    values: list[Any]
    order: int
    """Place by its name."""
    tier: float = 0.0
    """0 is good; a column with a higher tier is chosen only if there is no better one."""
    kind: int = 0
    """Class of an account."""
    client: bool = False
    """Whether the client writes it."""

    @property
    def share_distinct(self) -> float:
        """Distinct values per value."""
        return len(distinct(self.values)) / max(len(self.values), 1)


def candidate_of(path: Path, column: Column, pairs: Sequence[tuple[int, Any]], order: int) -> ColumnCandidate:
    """A candidate from the (row, value) pairs of a column that a field accepts."""
    return ColumnCandidate(path, column, [row for row, _ in pairs], [value for _, value in pairs], order)


def depth_of(one: ColumnCandidate) -> int:
    """Levels between the row and the recognised name in a path; 0 at the top of a row."""
    return min((match.depth for match in matches(one.path)), default=0) + one.column.depth


def in_order(candidates: Iterable[ColumnCandidate]) -> list[ColumnCandidate]:
    """By falling preference. A name that few rows have comes behind those that many have."""
    candidates = list(candidates)
    most: dict[float, int] = {}
    for one in candidates:
        most[one.tier] = max(most.get(one.tier, 0), len(one.rows))
    return sorted(candidates, key=lambda one: (one.tier, len(one.rows) < OFTEN * most[one.tier], one.order))


def paths_to_name(candidates: Sequence[ColumnCandidate]) -> tuple[Path, ...]:
    """The paths that messages name: the first few whose names look like names of columns."""
    paths = dict.fromkeys(one.path for one in candidates if looks_like_name(dotted(one.path)))
    return tuple(paths)[:_MOST_OTHERS]


def shown(path: Path) -> str:
    """The dotted name of a path for messages. What looks like no name may be text of a prompt, and is not shown."""
    name = dotted(path)
    return name if looks_like_name(name) else "a column whose name is not shown"


def is_constant(one: ColumnCandidate) -> bool:
    """Whether all values are equal."""
    first = one.values[0] if one.values else None
    return all(value == first for value in one.values)


def is_object(value: Any) -> bool:
    """Whether a value is an object, or text that begins like one in JSON."""
    return isinstance(value, dict) or (isinstance(value, str) and value[:64].lstrip()[:1] == "{")


def is_body(one: ColumnCandidate) -> bool:
    """Whether most values are bodies of requests."""
    kinds = [prompt_kind(value) for value in one.values]
    return kinds.count("request") + kinds.count("messages") > len(kinds) / 2


def name_in(value: Any) -> str | None:
    """The account that a value names; None for a placeholder or what is no account."""
    text = account_text(value)
    return None if text is None or is_placeholder(text) else text


def names_one(value: Any) -> bool:
    """Whether a value names an account."""
    return name_in(value) is not None


def are_times(values: Sequence[Any]) -> bool:
    """Whether the values of a column whose name says nothing are times."""
    likely = [value for value in values if _is_like_a_time(value)]
    if not likely or len(likely) < _MOSTLY * len(values):
        return False
    return sum(time != NO_TIME for time in TimeReader.of(likely, describe=False).seconds(likely)) >= _MOSTLY * len(
        values
    )


def _is_like_a_time(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip().isdigit() and any(map(str.isdigit, value[:40]))
    low, high = _MILLISECONDS
    return isinstance(value, date) or (type(value) is int and low <= value < high)


def time_tier(one: ColumnCandidate) -> float:
    """How doubtful it is that a column is the time of the prompt."""
    values = one.values[:200]
    good = sum(time != NO_TIME for time in TimeReader.of(values, describe=False).seconds(values))
    if good < OFTEN * len(values):
        return 1.0 if good or any(not isinstance(value, int | float) for value in values) else 3.0
    if len(values) >= ENOUGH and len({str(value) for value in values}) == 1:
        return 2.0
    return 0.0
