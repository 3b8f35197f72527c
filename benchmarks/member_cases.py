"""Accounts of candidates with their readings and whether they were planted: what the model of members is fitted to."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.independent.laying import DESIGNS
from benchmarks.independent.laying import lay as lay_design
from benchmarks.planting import PlantedDump, write
from benchmarks.real_texts import Half
from benchmarks.world_plan import World
from benchmarks.worlds import lay
from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import Campaign
from harvestdetect.evidence.account_data import AccountData, account_data_of
from harvestdetect.evidence.account_readings import account_readings
from harvestdetect.simulate.evaluate import Planted, read_truth
from harvestdetect.util.arrays import Bools, Floats

__all__ = ["Case", "cases_of", "cases_of_designs", "laid_cases"]

LEAST: Final = 0.4
"""Share of a candidate's accounts that must be of one campaign for the candidate to be a case. Below a half, the other
accounts decide what is usual; some such candidates are taken because their innocents are the most alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One candidate that is mostly one planted campaign."""

    world: str
    """World, half and seed."""
    kind: str
    """Of the campaign."""
    planted: Bools
    """bool[m]: the accounts of the campaign."""
    left_out: Bools
    """bool[m]: the accounts of other campaigns. They are neither members nor innocent."""
    readings: Floats
    """float64[m, r]."""


def laid_cases(
    worlds: Sequence[World], seeds: Sequence[int], *, half: Half, rows: int, data: Path | None
) -> list[Case]:
    """Lays and scans worlds, and returns their cases.

    Args:
        worlds: which.
        seeds: of each.
        half: of the texts.
        rows: of a world, about.
        data: the folder with the public texts; None takes those of the package's grammar.
    """
    found = []
    for seed in seeds:
        for world in worlds:
            laid = lay(world, half=half, seed=seed, rows=rows, data=data)
            found += _cases_in(laid, f"{world}-{half}-{seed}")
    return found


def cases_of_designs(
    designs: Sequence[str], seeds: Sequence[int], *, half: Half, rows: int, data: Path | None
) -> list[Case]:
    """Lays and scans independent designs, and returns their cases.

    Args:
        designs: names among those of :mod:`benchmarks.independent`.
        seeds: of each.
        half: of the texts.
        rows: see :func:`benchmarks.independent.laying.lay`.
        data: the folder with the public texts; None takes those of the package's grammar.
    """
    found = []
    for name in designs:
        for seed in seeds:
            laid = lay_design(DESIGNS[name], half=half, seed=seed, rows=rows, data=data)
            found += _cases_in(laid, f"{name}-{half}-{seed}")
    return found


def _cases_in(laid: PlantedDump, world: str) -> list[Case]:
    """The cases of a dump, which is written into a temporary folder and scanned."""
    with tempfile.TemporaryDirectory() as folder:
        dump = write(laid, Path(folder))
        return _scanned(dump, read_truth(folder), world)


class _EnoughError(Exception):
    """Ends a scan when the candidates and the data of the scan are known."""


def _scanned(dump: Path, truth: Sequence[Planted], world: str) -> list[Case]:
    """The cases of one dump. Two calls of a scan are observed, and the scan ends before candidates are measured."""
    forming: Any = importlib.import_module("harvestdetect.stages.forming")
    measuring: Any = importlib.import_module("harvestdetect.stages.measuring")
    known: dict[str, Any] = {}
    adding, referring = forming.with_accounts, measuring.comparison_of

    def observing(*values: Any, **named: Any) -> Any:
        known["found"] = adding(*values, **named)
        return known["found"]

    def ending(texts: Any, scan: Any, **named: Any) -> Any:
        known["scan"] = scan
        raise _EnoughError

    settings = Settings(encoder="fast", use_cache=False)
    forming.with_accounts, measuring.comparison_of = observing, ending
    try:
        detect(read_dumps([dump], settings=settings), settings=settings)
    except _EnoughError:
        pass
    finally:
        forming.with_accounts, measuring.comparison_of = adding, referring
    campaigns, _, kin = known["found"]
    ids = known["scan"].corpus.prompts.accounts.to_pylist()
    return cases_of(campaigns, account_data_of(known["scan"], kin), truth, ids=ids, world=world)


def cases_of(
    campaigns: Sequence[Campaign], data: AccountData, truth: Sequence[Planted], *, ids: Sequence[str], world: str
) -> list[Case]:
    """The candidates that are mostly one planted campaign.

    Args:
        campaigns: the candidates.
        data: of the scan.
        truth: the planted groups.
        ids: of all accounts.
        world: its name.
    """
    groups = [group for group in truth if group.kind == "campaign"]
    guilty = np.array([[one in group.accounts for group in groups] for one in ids]).reshape(len(ids), len(groups))
    found = []
    for campaign in campaigns:
        inside = guilty[campaign.accounts]
        shares = inside.mean(axis=0) if len(groups) else np.zeros(1)
        if shares.max() < LEAST:
            continue
        best = int(shares.argmax())
        found.append(
            Case(
                world=world,
                kind=groups[best].name,
                planted=inside[:, best],
                left_out=inside.any(axis=1) & ~inside[:, best],
                readings=account_readings(campaign, np.ones(len(campaign.accounts)), data),
            )
        )
    return found
