"""Plants scenarios into a background of real accounts (or of the package's own grammar) and keeps the truth.

Every background row is used once: what a planted account sends besides its harvest are rows of real accounts, taken out
of the background. Texts that fill a template were never in the background. Where the scenario says so, a planted
account keeps the times of a real one.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ground import Ground, Hosts
from benchmarks.identities import Identities, Identity
from benchmarks.planted_campaigns import plant_campaign
from benchmarks.planted_look_alikes import plant_look_alike
from benchmarks.real_texts import Half
from benchmarks.scenarios import Dump
from benchmarks.sources import WINDOW, Sources

__all__ = ["PlantedDump", "finish", "plant", "write"]


@dataclass(slots=True, kw_only=True)
class PlantedDump:
    """A dump in memory."""

    origin: str
    """Where the texts come from, in words."""
    rows: list[dict[str, Any]]
    """All rows, by time."""
    truth: list[dict[str, Any]]
    harvest: dict[str, int]
    """The number of harvest prompts of each campaign."""
    first: dict[str, int]
    """Time of the first harvest prompt of each campaign, seconds."""
    accounts: int
    background: int
    """Rows of accounts that were not planted."""


def plant(dump: Dump, sources: Sources, *, half: Half, seed: str) -> PlantedDump:
    """Plants the campaigns and look-alikes of a dump.

    Args:
        dump: what it contains.
        sources: the texts, with the background.
        half: the part of the texts that are written for the benchmark.
        seed: of every draw.

    Raises:
        NotEnough: the sources do not suffice.
    """
    rng = random.Random(f"{seed}-plant")
    launch = any(x.kind == "launch-day" for x in dump.look_alikes)
    ground = Ground(
        sources=sources, half=half, rng=rng, hosts=Hosts(sources.accounts, rng),
        identities=Identities(seed=seed, days=WINDOW, at_once=launch) if dump.metadata else None,
    )  # fmt: skip
    # look-alikes first: they need whole accounts
    for number, look in enumerate(dump.look_alikes):
        plant_look_alike(ground, look, number)
    total = sum(s.harvest for s in dump.scenarios)
    first = 0
    # what researchers ask is kept apart
    pool = sources.payloads[: len(sources.payloads) - 600]
    for scenario in dump.scenarios:
        size = max(40, len(pool) * scenario.harvest // max(1, total))
        plant_campaign(ground, scenario, pool[first : first + size] or pool[-size:])
        first += size
    return finish(ground)


def finish(ground: Ground, *, identity: Callable[[], Identity | None] = lambda: None) -> PlantedDump:
    """Opens an account for every background account that has rows left, and lays all rows in the order of time.

    Args:
        ground: with all that was planted.
        identity: makes the identity of a background account; None takes an ordinary one.
    """
    planted = {row.account for row in ground.rows}
    background = 0
    for trace in ground.hosts.traces:
        if trace:
            ground.own(ground.open(identity()), trace)
            background += len(trace)
    rows = []
    for time, account, prompt, model in sorted(ground.rows, key=lambda row: (row.time, row.account)):
        row: dict[str, Any] = {"account": account, "timestamp": time, "prompt": prompt}
        if ground.identities is not None:
            row |= ground.known[account].fields(time, ground.rng)
            if model:
                row["model"] = model
        rows.append(row)
    return PlantedDump(
        origin=ground.sources.origin,
        rows=rows,
        truth=ground.truth,
        harvest=ground.harvest,
        first=ground.first,
        accounts=len({row["account"] for row in rows} | planted),
        background=background,
    )


def write(laid: PlantedDump, folder: Path) -> Path:
    """Writes ``prompts.jsonl.gz`` and ``truth.jsonl``; returns the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prompts.jsonl.gz"
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=1) as stream:
        stream.writelines(json.dumps(row) + "\n" for row in laid.rows)
    with (folder / "truth.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(group) + "\n" for group in laid.truth)
    return file
