"""The examples that a ledger is fitted on: candidates of scanned dumps with their truth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from benchmarks import innocents
from benchmarks.fit_dumps import CAMPAIGNS, Measured
from harvestdetect.data import Evidence
from harvestdetect.judge.ledger import values_of

__all__ = ["INNOCENT", "PLANTED", "Example", "examples_of"]

PLANTED: Final = 0.5
"""Share of a candidate's accounts from one campaign from which the candidate is that campaign's."""
INNOCENT: Final = 0.25
"""Share of a candidate's accounts that belong to any campaigns below which the candidate is innocent. Candidates that
are neither innocent nor one campaign's are left out."""
PART: Final = 0.3
"""Share of a candidate's accounts from one look-alike from which it is that look-alike's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A candidate with its truth."""

    values: Mapping[str, float]
    accounts: frozenset[str]
    campaign: str | None
    """The campaign that has most of its accounts."""
    share: float
    """The share of its accounts that are of that campaign."""
    guilty: float
    """The share of its accounts that are of any campaign."""
    look_alike: str | None
    population: str | None
    """The kind of the look-alike, or of innocent traffic; None for other candidates."""
    native: bool
    """Whether the dump is innocent traffic in which nothing was planted."""
    dump: int
    weight: float
    """The same sum for each source, however many dumps it has."""

    @property
    def is_planted(self) -> bool:
        """Whether it is a campaign's."""
        return self.share >= PLANTED

    @property
    def is_innocent(self) -> bool:
        """Whether hardly any of its accounts is of a campaign."""
        return self.guilty < INNOCENT

    @property
    def is_clear(self) -> bool:
        """Whether it is a campaign's or innocent."""
        return self.is_planted or self.is_innocent


def examples_of(dumps: Sequence[Measured]) -> list[Example]:
    """The candidates of all dumps."""
    found = []
    of_source = Counter(d.source for d in dumps)
    for number, dump in enumerate(dumps):
        campaigns = [g for g in dump.truth if g.kind == "campaign"]
        others = [g for g in dump.truth if g.kind != "campaign"]
        planted = frozenset[str]().union(*(g.accounts for g in campaigns))
        for one in dump.candidates:
            accounts = frozenset(one["accounts"])
            most = max(campaigns, key=lambda g: len(accounts & g.accounts), default=None)
            like = max(others, key=lambda g: len(accounts & g.accounts), default=None)
            share = len(accounts & most.accounts) / len(accounts) if most else 0.0
            guilty = len(accounts & planted) / len(accounts)
            alike = like.name if like and len(accounts & like.accounts) >= PART * len(accounts) else None
            found.append(
                Example(
                    values=_values(one), accounts=accounts, campaign=most.name if most and share else None,
                    share=share, guilty=guilty, look_alike=alike, dump=number,
                    weight=len(dumps) / len(of_source) / of_source[dump.source],
                    population=_population(dump.source, alike) if guilty < INNOCENT else None,
                    native=dump.source in get_args(innocents.Kind),
                )
            )  # fmt: skip
    return found


def _population(source: str, look_alike: str | None) -> str | None:
    """The kind of an innocent candidate, if it has one."""
    if look_alike is not None:
        return re.split(r"[-_]?\d", look_alike)[0]
    kind = source.removesuffix(CAMPAIGNS)
    return kind if kind in get_args(innocents.Kind) else None


def _values(one: Mapping[str, Any]) -> dict[str, float]:
    evidence = [
        Evidence(
            id=id_, name="", family=e["family"], value=e["value"], null="", expected=e["expected"],
            p_value=e["p_value"], sentence="",
        )
        for id_, e in one["evidence"].items()
    ]  # fmt: skip
    return values_of(evidence, one["readings"])
