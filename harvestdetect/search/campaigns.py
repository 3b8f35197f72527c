"""Which campaigns prompts belong to: by the prompts of a scan, or by the accounts of a state."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from harvestdetect.errors import InputError
from harvestdetect.export.scan_folder import FINDINGS
from harvestdetect.report.read import json_lines
from harvestdetect.search.index import Index
from harvestdetect.state.store import Store, open_store
from harvestdetect.state.verdicts import standing_verdicts
from harvestdetect.util.arrays import Ints, Ints32

__all__ = ["Campaigns", "campaigns_of_scan", "campaigns_of_state"]

_LINE_BITS: Final = 40
"""Bits of the line in the key of a prompt, which is its file and its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """The campaigns of prompts."""

    ids: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    """Of each."""
    key: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    """int64[m], ascending: the accounts, or the files and lines, that belong to a campaign."""
    campaign: Ints32 = field(default_factory=lambda: np.empty(0, np.int32))
    """int32[m]: the campaign of each, an index into ``ids``."""
    by_account: bool = False

    def of(self, rows: Ints, index: Index) -> tuple[Ints, Ints32]:
        """The campaigns of some prompts.

        Args:
            rows: int64[q], prompts.
            index: of the window.

        Returns:
            pairs: a position in ``rows``, ascending, and a campaign, an index into ``ids``.
        """
        if self.by_account:
            wanted = np.asarray(index.account[rows], np.int64)
        else:
            wanted = _keys(np.asarray(index.file[rows]), np.asarray(index.line[rows]))
        first, last = np.searchsorted(self.key, wanted), np.searchsorted(self.key, wanted, side="right")
        count = last - first
        place = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
        return np.repeat(np.arange(len(rows)), count), self.campaign[place]


def campaigns_of_scan(out: Path, index: Index, *, state: Path | None = None) -> Campaigns:
    """The findings of a scan and their prompts.

    Args:
        out: folder of ``scan --out``.
        index: of the window of the scan.
        state: the state into which it scanned; None if there is none. Its verdicts count.

    Raises:
        InputError: a file of the folder is missing or malformed.
        StateError: the state cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tiers: dict[str, str] = {}
    for number, row in json_lines(out / FINDINGS):
        if not isinstance(row.get("campaign_id"), str) or not isinstance(row.get("tier"), str):
            raise InputError(f"{out / FINDINGS}, line {number}: no campaign_id and tier")
        tiers[row["campaign_id"]] = row["tier"]
    if state is not None:
        with open_store(state, write=False) as store, store.snapshot():
            tiers |= {one: tier for one, tier in _tiers(store).items() if one in tiers}
    try:
        table = pq.read_table(out / "prompts.parquet", columns=["file", "line", "campaign_id"], partitioning=None)
        names, lines = table["file"].to_pylist(), table["line"].to_numpy()
        ids = table["campaign_id"].to_pylist()
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise InputError(f"cannot read {out / 'prompts.parquet'}: {str(error).splitlines()[0]}; scan again") from None
    known = {name: number for number, name in enumerate(tiers)}
    place = {name: number for number, name in enumerate(index.files)}
    file = np.array([place.get(name, -1) for name in names], np.int64)
    campaign = np.array([known.get(one, -1) for one in ids], np.int64)
    there = (file >= 0) & (campaign >= 0)
    return _sorted(tiers, _keys(file[there], np.asarray(lines, np.int64)[there]), campaign[there], by_account=False)


def campaigns_of_state(folder: Path, index: Index) -> Campaigns:
    """The campaigns that a state knows, and their accounts.

    Raises:
        StateError: the state cannot be read.
    """
    with open_store(folder, write=False) as store, store.snapshot():
        tiers = _tiers(store)
        members = store.rows("SELECT campaign, account FROM members ORDER BY campaign, account")
    known = {name: number for number, name in enumerate(tiers)}
    pairs = [
        (place, known[row["campaign"]])
        for row in members
        if row["campaign"] in known and (place := index.accounts.place(row["account"])) is not None
    ]
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return _sorted(tiers, found[:, 0], found[:, 1], by_account=True)


def _tiers(store: Store) -> dict[str, str]:
    """The tier of each campaign of a state, after verdicts."""
    benign = {
        name for name, verdict in standing_verdicts(store, now=int(time.time())).items() if verdict.verdict == "benign"
    }
    rows = store.rows("SELECT campaign, tier FROM campaigns WHERE merged_into IS NULL ORDER BY campaign")
    return {row["campaign"]: "watch" if row["campaign"] in benign else row["tier"] for row in rows}


def _keys(file: Sequence[int] | Ints, line: Ints) -> Ints:
    return (np.asarray(file, np.int64) << _LINE_BITS) | np.asarray(line, np.int64)


def _sorted(tiers: Mapping[str, str], key: Ints, campaign: Ints, *, by_account: bool) -> Campaigns:
    order = np.lexsort((campaign, key))
    return Campaigns(
        ids=tuple(tiers), tiers=tuple(tiers.values()), key=key[order], campaign=campaign[order].astype(np.int32),
        by_account=by_account,
    )  # fmt: skip
