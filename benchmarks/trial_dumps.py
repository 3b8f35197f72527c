"""The small labelled dumps on which constants are tried: campaigns, evasions and look-alikes of the tuning part.

With the public texts of :mod:`benchmarks.real_texts` most of them are real text; without, texts of the package's own
grammar, to try the benchmark out.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from benchmarks.planting import plant, write
from benchmarks.real_dump import build
from benchmarks.scenarios import EVASIONS, GRID, LOOK_ALIKES, Dump, LookAlike, Scenario
from benchmarks.sources import grammar_sources, real_sources
from benchmarks.world_plan import World
from benchmarks.worlds import lay
from harvestdetect.simulate import simulate
from harvestdetect.simulate.evaluate import Planted, read_truth

__all__ = ["BENIGN", "DUMPS", "TrialDump", "make", "split_by_time"]

Kind: TypeAlias = Literal["scan", "carried", "calibrated"]
"""How a dump is scanned: once, as the continuation of a scan of its first part, or with a calibration."""

SEED: Final = 31
"""Seed of all dumps."""
COVER: Final = 0.6
"""Greatest share of the real rows of a dump that become cover of what is planted."""
LATER: Final = 0.07
"""Share of the rows, the last ones, that come between two scans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDump:
    """One dump of the study."""

    name: str
    what: str
    make: Callable[[Path, int, Path | None], None]
    """Writes it into a folder, with about so many rows, from the public texts where there are any."""
    kind: Kind = "scan"
    settings: Mapping[str, Any] = field(default_factory=dict)


def make(dump: TrialDump, folder: Path, *, rows: int, data: Path | None) -> tuple[list[Path], list[Planted]]:
    """The files of a dump and its truth; it is laid where that has not been done yet.

    Args:
        dump: which.
        folder: where dumps are kept.
        rows: rows to aim at.
        data: the public texts; None: the package's grammar.

    Raises:
        NotEnough: the texts do not suffice for so many rows.
    """
    own = folder / dump.name
    if not (own / "truth.jsonl").is_file():
        dump.make(own, rows, data)
    return sorted(own.rglob("prompts*.gz")), read_truth(own) if (own / "truth.jsonl").stat().st_size else []


def split_by_time(files: list[Path], folder: Path) -> list[Path]:
    """The rows of a dump as two files, the last :data:`LATER` of them in the second."""
    rows = [row for file in files for row in _lines(file)]
    rows.sort(key=lambda line: json.loads(line)["timestamp"])
    cut = round((1 - LATER) * len(rows))
    found = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("first", rows[:cut]), ("later", rows[cut:])):
        found.append(folder / f"{name}.jsonl.gz")
        with gzip.open(found[-1], "wt", encoding="utf-8", compresslevel=1) as stream:
            stream.writelines(part)
    return found


def _lines(file: Path) -> list[str]:
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return list(stream)


# ---------------------------------------------------------------- how each is laid


def _simulated(seed: int, *, metadata: bool, campaigns: int | None = None) -> Callable[[Path, int, Path | None], None]:
    def lay_it(folder: Path, rows: int, data: Path | None) -> None:
        simulate(folder, prompts=rows, seed=seed, metadata=metadata, campaigns=campaigns)

    return lay_it


def _laid(
    name: str, scenarios: tuple[Scenario, ...], look_alikes: tuple[LookAlike, ...] = (), *, metadata: bool = False
) -> Callable[[Path, int, Path | None], None]:
    def lay_it(folder: Path, rows: int, data: Path | None) -> None:
        seed = f"constants-{name}-{SEED}"
        # what is planted comes on top of the real rows that it takes as cover
        cover = sum(s.cover for s in scenarios)
        background = max(rows - sum(s.harvest for s in scenarios), rows // 2, round(cover / COVER))
        if data is None:
            sources = grammar_sources(seed=seed, rows=background)
        else:
            sources = real_sources(data, half="tuning", seed=seed, rows=background)
        dump = Dump(name=name, part="grid", scenarios=scenarios, look_alikes=look_alikes, metadata=metadata)
        write(plant(dump, sources, half="tuning", seed=seed), folder)

    return lay_it


def _thinned(folder: Path, rows: int, data: Path | None) -> None:
    """The real dump of :mod:`benchmarks.real_text`, its innocent accounts thinned out to about so many rows."""
    if data is None:
        _simulated(SEED + 4, metadata=True)(folder, rows, data)
        return
    whole = folder / "whole"
    build(whole, data=data, half="tuning", seed=SEED)
    planted = frozenset[str]().union(*(g.accounts for g in read_truth(whole)))
    lines = _lines(whole / "prompts.jsonl.gz")
    owner = [json.loads(line)["account"] for line in lines]
    kept = set(planted)
    left = rows - sum(account in planted for account in owner)
    size: dict[str, int] = {}
    for account in owner:
        size[account] = size.get(account, 0) + 1
    others = sorted(set(owner) - planted)
    random.Random(SEED).shuffle(others)
    for account in others:
        if (left := left - size[account]) < 0:
            break
        kept.add(account)
    with gzip.open(folder / "prompts.jsonl.gz", "wt", encoding="utf-8", compresslevel=1) as stream:
        stream.writelines(line for line, account in zip(lines, owner, strict=True) if account in kept)
    (whole / "truth.jsonl").replace(folder / "truth.jsonl")
    (whole / "prompts.jsonl.gz").unlink()
    whole.rmdir()


def _world(world: World) -> Callable[[Path, int, Path | None], None]:
    def lay_it(folder: Path, rows: int, data: Path | None) -> None:
        write(lay(world, half="tuning", seed=SEED, rows=rows, data=data), folder)

    return lay_it


def _grid(*names: str) -> tuple[Scenario, ...]:
    return tuple(s for s in GRID if s.name in names)


_SMALL: Final = LOOK_ALIKES[::2]
_METADATA: Final = tuple(s for s in GRID if s.metadata)
_EVASIONS: Final = tuple(s for s in EVASIONS if not s.metadata)

BENIGN: Final = TrialDump(
    name="benign",
    what="simulated traffic without campaigns, to calibrate on",
    make=_simulated(SEED + 3, metadata=False, campaigns=0),
)
DUMPS: Final[tuple[TrialDump, ...]] = (
    TrialDump(
        name="simulated",
        what="simulated, with metadata, wording and part of the meaning view",
        make=_simulated(SEED, metadata=True),
        settings={"encoder": "auto", "auto_budget_seconds": 15.0},
    ),
    TrialDump(name="simulated-bare", what="simulated, no metadata", make=_simulated(SEED + 1, metadata=False)),
    TrialDump(name="real", what="eleven campaigns and nine look-alikes in real traffic", make=_thinned),
    TrialDump(
        name="campaigns",
        what="campaigns that are hard to see: few accounts, few prompts, low shares, reworded, no template",
        make=_laid(
            "campaigns",
            _grid("accounts-20", "each-1", "each-3", "share-20", "reworded", "no-template", "hand-over",
                  "shared-accounts", "load-heavy", "tempo-human", "languages-4"),
        ),
    ),
    TrialDump(
        name="campaigns-metadata",
        what="campaigns and look-alikes with metadata",
        make=_laid("campaigns-metadata", _METADATA, _SMALL[:3], metadata=True),
    ),
    TrialDump(name="evasions", what="evasions of the text", make=_laid("evasions", _EVASIONS[:6])),
    TrialDump(
        name="evasions-2",
        what="evasions by invisible characters, encoding, tempo, single prompts and short-lived accounts",
        make=_laid("evasions-2", _EVASIONS[6:]),
    ),
    TrialDump(
        name="look-alikes",
        what="legitimate traffic that looks coordinated",
        make=_laid("look-alikes", (), tuple(x for x in LOOK_ALIKES if not x.needs_org and x.accounts <= 120)),
    ),
    TrialDump(
        name="look-alikes-metadata",
        what="legitimate traffic that looks coordinated, with metadata",
        make=_laid("look-alikes-metadata", (), _SMALL, metadata=True),
    ),
    TrialDump(
        name="api",
        what="a world in which most accounts are programs, with metadata",
        make=_world("api"),
    ),
    TrialDump(
        name="adaptive",
        what="a world in which campaigns copy the people around them, with metadata",
        make=_world("adaptive"),
    ),
    TrialDump(
        name="carried",
        what="simulated, scanned again after new rows came",
        make=_simulated(SEED + 2, metadata=True),
        kind="carried",
    ),
    TrialDump(
        name="calibrated",
        what="simulated, judged by a calibration on benign traffic",
        make=_simulated(SEED + 1, metadata=False),
        kind="calibrated",
    ),
)  # fmt: skip
"""The dumps of the study."""
