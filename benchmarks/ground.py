"""The ground that campaigns and look-alikes are planted on: real accounts, whose rows are used once each."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from benchmarks.identities import Identities, Identity
from benchmarks.real_texts import Half, Trace
from benchmarks.scenarios import Prompt
from benchmarks.sources import NotEnough, Sources

__all__ = ["INNOCENT", "LENDS", "Ground", "Hosts", "Row"]

LENDS: Final = 4
"""Most planted accounts that get rows of one real account."""

INNOCENT: Final = 0.25
"""Share of the background rows that must stay innocent."""


class Hosts:
    """The background accounts, from which rows are taken."""

    def __init__(self, accounts: Sequence[Trace], rng: random.Random) -> None:
        self._rng = rng
        self.traces = [list(trace) for trace in accounts]
        self.rows = sum(map(len, self.traces))
        self._all = self.rows
        self._lent = [0] * len(self.traces)
        self._order = sorted((len(trace), i) for i, trace in enumerate(self.traces))

    def take(self, need: int) -> Trace:
        """Takes ``need`` rows of as few accounts as possible; an account lends to at most :data:`LENDS`.

        Raises:
            NotEnough: too few rows would stay innocent.
        """
        found: Trace = []
        while need > 0:
            if self.rows - need < INNOCENT * self._all or not self._order:
                raise NotEnough(
                    f"{need:,} more rows of real accounts are needed, {self.rows:,} of {self._all:,} are left"
                )
            low = bisect_left(self._order, (math.ceil(need / 3), 0))
            high = bisect_left(self._order, (math.floor(need * 1.5) + 1, 0))
            if low == high:
                low, high = (low, min(low + 20, len(self._order))) if low < len(self._order) else (low - 1, low)
            size, i = self._order.pop(self._rng.randrange(low, high))
            trace = self.traces[i]
            given = min(need, size)
            start = self._rng.randrange(size - given + 1)
            found += trace[start : start + given]
            del trace[start : start + given]
            self._lent[i] += 1
            if trace and self._lent[i] < LENDS:
                insort(self._order, (len(trace), i))
            self.rows -= given
            need -= given
        return sorted(found, key=lambda row: (row[0], str(row[1])))

    def whole(self, low: int, high: int) -> Trace:
        """Takes all rows of an account with ``low`` to ``high`` rows that has lent none.

        Raises:
            NotEnough: there is none.
        """
        first = bisect_left(self._order, (low, 0))
        last = bisect_left(self._order, (high + 1, 0))
        if first == last or self.rows < INNOCENT * self._all:
            raise NotEnough(f"no real account with {low} to {high} rows is left")
        size, i = self._order.pop(self._rng.randrange(first, last))
        trace, self.traces[i] = self.traces[i], []
        self.rows -= size
        return trace

    def tempo(self) -> Trace:
        """The rows of a random account, for their times; they are not taken."""
        while True:
            trace = self._rng.choice(self.traces)
            if trace:
                return trace


class Row(NamedTuple):
    """A row of a dump."""

    time: int
    account: str
    prompt: Prompt
    model: str | None
    """None where it is the account's own model."""


@dataclass(slots=True, kw_only=True)
class Ground:
    """What dumps are planted on: the background, and all that has been planted so far."""

    sources: Sources
    half: Half
    rng: random.Random
    hosts: Hosts
    identities: Identities | None
    rows: list[Row] = field(default_factory=list)
    truth: list[dict[str, Any]] = field(default_factory=list)
    known: dict[str, Identity] = field(default_factory=dict)
    harvest: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    templates_used: list[frozenset[str]] = field(default_factory=list)
    instructions_used: list[str] = field(default_factory=list)

    def open(self, identity: Identity | None) -> str:
        """A new account."""
        name = f"acct_{self.rng.getrandbits(48):012x}"
        if self.identities is not None:
            self.known[name] = identity or self.identities.ordinary()
        return name

    def group(self, name: str, kind: str, what: str, accounts: Sequence[str]) -> None:
        """Writes a group into the truth."""
        self.truth.append({"name": name, "kind": kind, "what": what, "accounts": sorted(set(accounts))})

    def own(self, account: str, trace: Trace) -> None:
        """An account's own rows."""
        self.rows.extend(Row(time, account, text, None) for time, text in trace)
