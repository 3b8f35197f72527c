"""The dumps that a ledger is fitted on, and what a scan measured of their candidates.

Worlds of programs and of attackers who adapt, with and without metadata, such worlds without campaigns and with more
innocent groups, the scenarios of the recall benchmark with their look-alikes, real texts on real traces, simulated
dumps (their campaigns share infrastructure, as careless operators do), and innocent traffic of several kinds, one of
them also with campaigns among it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, get_args

from benchmarks import innocents
from benchmarks.planting import PlantedDump, plant, write
from benchmarks.real_dump import build
from benchmarks.real_texts import Half
from benchmarks.scenarios import Part, dumps
from benchmarks.sources import real_sources
from benchmarks.world_plan import World
from benchmarks.worlds import lay, scanned
from harvestdetect.simulate import simulate
from harvestdetect.simulate.evaluate import Planted, read_truth

__all__ = ["CAMPAIGNS", "SOURCES", "Measured", "measured", "names_of", "seeds_of"]

ROWS: Final = 40_000
"""Rows of a world, about."""
GROUND: Final = 30_000
"""Background rows of a dump of the recall benchmark."""
RECALL: Final[tuple[Part, ...]] = ("grid", "evasions", "look-alikes")
"""Parts of the recall benchmark."""
BARE: Final = "-bare"
"""Ends the name of a source whose dumps have account, time and text alone."""
CROWD: Final = "crowd"
"""Worlds without campaigns, and with more innocent groups. The dumps of both worlds are one source."""
CROWDED: Final = 3
"""Times as many innocent groups as in a world with campaigns."""
CAMPAIGNS: Final = "-campaigns"
"""Ends the name of a source of innocent traffic with campaigns among it."""
JOINED: Final = "joined" + CAMPAIGNS
"""People who share popular sentences by chance, with nine ordinary campaigns among them."""
PACKED: Final = (
    "grid-8",
    "grid-9",
    "grid-10",
    "grid-12",
    "evasions-1",
    "evasions-2",
    "evasions-3",
    "look-alikes",
    "look-alikes-metadata",
)
"""Dumps of the recall benchmark that hold many scenarios, or many look-alikes."""
SOURCES: Final = (
    "api",
    "adaptive",
    "api-bare",
    "adaptive-bare",
    CROWD,
    "recall",
    "real",
    "simulated",
    *get_args(innocents.Kind),
    JOINED,
)
"""Kinds of dumps. The bare ones have account, time and text alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a scan measured of a dump, and its truth."""

    name: str
    source: str
    rows: int
    candidates: Sequence[dict[str, Any]]
    """See :func:`benchmarks.world_scan.scan`."""
    truth: Sequence[Planted]


def seeds_of(source: str, seeds: int) -> int:
    """How many seeds of a source go with so many of each world: one is enough where it lays many dumps."""
    if source in get_args(World) or source == "real":
        part = 1.0
    elif source == JOINED or source in get_args(innocents.Kind):
        part = 1.5
    else:
        part = 6.0 if source == "recall" else 2.0
    return math.ceil(seeds / part)


def names_of(source: str, seed: int) -> list[str]:
    """The names of the dumps of a source and seed."""
    if source == "recall":
        return [f"recall-{name}-{seed}" for name in PACKED]
    if source == CROWD:
        return [f"{world}-{CROWD}-{seed}" for world in get_args(World)]
    return [f"{source}-{seed}"]


def measured(source: str, *, half: Half, seed: int, data: Path, work: Path) -> Iterator[Measured]:
    """The dumps of a source and seed, scanned; what lies in the folder is not scanned again.

    Args:
        source: one of :data:`SOURCES`.
        half: of the texts.
        seed: of every draw.
        data: the folder with the public texts.
        work: keeps dumps and scans.
    """
    for name in names_of(source, seed):
        folder = work / half / name
        if not (folder / "scan.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            rows = _laid(name, source, half=half, seed=seed, data=data, folder=folder)
            dump = folder / ("dump" if source == "simulated" else "prompts.jsonl.gz")
            scanned(dump, folder, encoder="fast")
            (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        scan = json.loads((folder / "scan.json").read_text(encoding="utf-8"))
        truth = read_truth(folder) if (folder / "truth.jsonl").stat().st_size else []
        rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
        yield Measured(name=name, source=source, rows=rows, candidates=scan["measured"], truth=truth)


def _laid(name: str, source: str, *, half: Half, seed: int, data: Path, folder: Path) -> int:
    """Writes a dump into its folder, and returns its rows."""
    if source == "real":
        return build(folder, data=data, half=half, seed=seed).rows
    if source == "simulated":
        return simulate(folder, prompts=GROUND, seed=seed, metadata=True).counts["prompts"]
    dump = _planted(name, source, half=half, seed=seed, data=data)
    write(dump, folder)
    return len(dump.rows)


def _planted(name: str, source: str, *, half: Half, seed: int, data: Path) -> PlantedDump:
    """Lays a dump of a source that plants its groups."""
    if source == "recall":
        return _recall(name, half=half, seed=seed, data=data)
    if source in get_args(innocents.Kind):
        kind = cast(innocents.Kind, source)
        return innocents.lay(kind, half=half, seed=seed, rows=ROWS, data=data, metadata=seed % 2 == 0)
    if source == JOINED:
        return innocents.lay(
            "joined", half=half, seed=seed + 1_000, rows=ROWS, data=data, metadata=seed % 2 == 0, campaigns=True
        )  # fmt: skip
    if source == CROWD:
        world = cast(World, name.split("-", 1)[0])
        # other draws than those of the world with campaigns; every second dump has account, time and text alone
        return lay(
            world, half=half, seed=seed + 1_000, rows=ROWS, data=data, metadata=seed % 2 == 0, crowd=CROWDED
        )  # fmt: skip
    world = cast(World, source.removesuffix(BARE))
    return lay(world, half=half, seed=seed, rows=ROWS, data=data, metadata=not source.endswith(BARE))


def _recall(name: str, *, half: Half, seed: int, data: Path) -> PlantedDump:
    wanted = name.removeprefix("recall-").rpartition("-")[0]
    dump = next(d for part in RECALL for d in dumps(part, rows=GROUND) if d.name == wanted)
    key = f"fit-{half}-{seed}-{wanted}"
    return plant(dump, real_sources(data, half=half, seed=key, rows=round(GROUND * dump.rows)), half=half, seed=key)
