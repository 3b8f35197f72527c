"""Lays one dump of a design."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.independent.background import add_background
from benchmarks.independent.design_a import DESIGN_A
from benchmarks.independent.design_b import DESIGN_B
from benchmarks.independent.design_c import DESIGN_C
from benchmarks.independent.design_d import DESIGN_D
from benchmarks.independent.design_e import DESIGN_E
from benchmarks.independent.design_f import DESIGN_F
from benchmarks.independent.design_g import DESIGN_G
from benchmarks.independent.design_h import DESIGN_H
from benchmarks.independent.groups import Design
from benchmarks.independent.library import read_library
from benchmarks.independent.metadata import iso
from benchmarks.independent.planting import plant_campaign, plant_innocent
from benchmarks.independent.scene import open_scene
from benchmarks.independent.toy import toy_library
from benchmarks.planting import PlantedDump
from benchmarks.real_texts import Half

__all__ = ["DESIGNS", "HARD", "lay"]

DESIGNS: Final[Mapping[str, Design]] = {
    d.name: d for d in (DESIGN_A, DESIGN_B, DESIGN_C, DESIGN_D, DESIGN_E, DESIGN_F, DESIGN_G, DESIGN_H)
}
"""The designs by name."""
HARD: Final = frozenset(c.name for design in DESIGNS.values() for c in design.campaigns if c.hard)
"""Campaigns that their author calls nearly undetectable: bare or almost bare prompts, a few an account."""


def lay(design: Design, *, half: Half, seed: int, rows: int, data: Path | None) -> PlantedDump:
    """Lays one dump.

    Args:
        design: of the dump.
        half: of the texts.
        seed: of every draw.
        rows: :data:`benchmarks.independent.scene.FULL` for the sizes of the design; others are in proportion.
        data: the folder with the public texts; None takes those of the package's grammar.
    """
    library = toy_library(half) if data is None else read_library(data, half)
    scene = open_scene(design.log, library, half=half, seed=seed, rows=rows)
    truth: list[dict[str, Any]] = []
    harvest, first = {}, {}
    for campaign in design.campaigns:
        planted = plant_campaign(scene, campaign)
        harvest[campaign.name], first[campaign.name] = planted.rows, planted.first
        share = planted.rows / (planted.rows + planted.others)
        truth.append(
            {
                "name": campaign.name, "kind": "campaign", "what": campaign.what, "hard": campaign.hard,
                "prompts": planted.rows, "share": round(share, 4), "accounts": sorted(planted.accounts),
            }
        )  # fmt: skip
    for group in design.innocents:
        accounts = sorted(plant_innocent(scene, group).accounts)
        truth.append({"name": group.name, "kind": "look-alike", "what": group.what, "accounts": accounts})
    background = add_background(scene)
    ordered = sorted(scene.rows, key=lambda row: (row.time, row.account))
    begins: dict[str, float] = {}
    for row in ordered:
        begins.setdefault(row.account, row.time)
    return PlantedDump(
        origin=library.origin,
        rows=[
            {"account": row.account, "timestamp": iso(row.time), "prompt": row.prompt}
            | scene.directory.fields(row.account, first=begins[row.account])
            for row in ordered
        ],
        truth=truth,
        harvest=harvest,
        first=first,
        accounts=len(begins),
        background=background,
    )
