"""What a drill needs to know about a dump: who sent how much and when, and a sample of rows."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa

from harvestdetect.data import FIELDS, NO_TIME, Batch
from harvestdetect.util.arrays import Ints

__all__ = ["Sampled", "Survey"]

SAMPLE: Final = 4_000
"""Rows of the sample, from which values of fields and payloads are drawn."""
SAMPLED_CHARACTERS: Final = 1_500
"""Characters of a sampled text. A longer text is no payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One row of the sample."""

    account: str
    time: int
    """Unix seconds, or ``NO_TIME``."""
    text: str
    """The last part of the prompt; empty if it is long."""
    fields: Mapping[str, str | int | None]
    """Value of each of :data:`~harvestdetect.data.FIELDS`."""


@dataclass(slots=True)
class Survey:
    """Collects from the batches of a scan; nothing in it depends on the order of rows."""

    _code: dict[str, int] = field(default_factory=dict)
    _codes: list[Ints] = field(default_factory=list)
    _times: list[Ints] = field(default_factory=list)
    _heap: list[tuple[int, str, Sampled]] = field(default_factory=list)
    """Minus the digest of a row, and its fields; the root has the largest digest."""
    _kept: set[tuple[int, str]] = field(default_factory=set)
    _present: set[str] = field(default_factory=set)
    accounts: list[str] = field(default_factory=list)
    """Ids of all accounts, sorted; empty before :meth:`finish`."""
    volume: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """int64[n]: rows of each account."""
    start: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    """int64[n + 1]: where the times of each account begin in ``time``."""
    time: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """int64[m]: known times by account, ascending, Unix seconds."""
    sample: list[Sampled] = field(default_factory=list)
    """At most :data:`SAMPLE` rows, sorted."""
    shares: Mapping[str, Counter[str | int]] = field(default_factory=dict)
    """Field -> value -> number of accounts of the sample that have it."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.volume.sum())

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last time; None without times."""
        return (int(self.time.min()), int(self.time.max())) if len(self.time) else None

    @property
    def fields(self) -> frozenset[str]:
        """The fields that have values."""
        return frozenset(self._present)

    def times_of(self, account: int) -> Ints:
        """The known times of an account, by its position; ascending."""
        return self.time[self.start[account] : self.start[account + 1]]

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Passes batches on and notes what is in them."""
        for batch in batches:
            if batch.prompts.num_rows:
                self._add(batch.prompts)
            yield batch

    def _add(self, block: pa.RecordBatch) -> None:
        account = block.column("account").dictionary_encode()
        names = account.dictionary.to_pylist()
        codes = np.array([self._code.setdefault(name, len(self._code)) for name in names], np.int64)
        self._codes.append(codes[account.indices.to_numpy()])
        times = block.column("time").to_numpy()
        self._times.append(times.astype(np.int64))
        for name in FIELDS:
            if name not in self._present:
                column = block.column(name)
                empty = column.null_count == len(column)
                if name == "created_at":
                    empty = not bool((column.to_numpy() != NO_TIME).any())
                if not empty:
                    self._present.add(name)
        senders = account.indices.to_numpy()
        for row, parts in enumerate(block.column("parts")):
            text = parts[-1].as_py() if len(parts) else ""
            self._offer(block, row, names[senders[row]], int(times[row]), text)

    def _offer(self, block: pa.RecordBatch, row: int, account: str, time: int, text: str) -> None:
        """Keeps a row if its digest is among the smallest, so that the sample does not depend on the order."""
        told = f"{account}\0{time}\0{text}".encode("utf-8", "surrogatepass")
        rank = -int.from_bytes(blake2b(told, digest_size=8).digest(), "big")
        if len(self._heap) >= SAMPLE and rank < self._heap[0][0]:
            return
        values = {name: block.column(name)[row].as_py() for name in FIELDS}
        key = (rank, repr(values))
        if key in self._kept:
            return
        sampled = Sampled(
            account=account, time=time, text=text if len(text) <= SAMPLED_CHARACTERS else "", fields=values
        )
        self._kept.add(key)
        heapq.heappush(self._heap, (*key, sampled))
        if len(self._heap) > SAMPLE:
            self._kept.discard(heapq.heappop(self._heap)[:2])

    def finish(self) -> None:
        """Sorts what was collected."""
        self.accounts = sorted(self._code)
        place = np.zeros(max(len(self._code), 1), np.int64)
        for position, name in enumerate(self.accounts):
            place[self._code[name]] = position
        code = place[np.concatenate(self._codes)] if self._codes else np.zeros(0, np.int64)
        time = np.concatenate(self._times) if self._times else np.zeros(0, np.int64)
        self.volume = np.bincount(code, minlength=len(self.accounts)).astype(np.int64)
        known = time != NO_TIME
        code, time = code[known], time[known]
        order = np.lexsort((time, code))
        self.time = time[order]
        self.start = np.searchsorted(code[order], np.arange(len(self.accounts) + 1)).astype(np.int64)
        self.sample = [item[2] for item in sorted(self._heap, key=lambda item: item[:2])]
        shares: dict[str, Counter[str | int]] = {name: Counter() for name in FIELDS}
        for name in FIELDS:
            pairs = {(row.account, row.fields[name]) for row in self.sample}
            shares[name].update(value for _, value in pairs if value is not None and value != NO_TIME)
        self.shares = shares
        self._codes.clear()
        self._times.clear()
        self._heap.clear()
        self._kept.clear()
        self._code.clear()
