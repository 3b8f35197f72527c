"""Nine ordinary campaigns of various sizes, to measure recall on a dump of innocent people."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Final

from benchmarks.scenarios import CENTRE, Scenario
from benchmarks.sources import WINDOW

__all__ = ["ordinary_campaigns"]

LEAST: Final = 20
"""Accounts of the smallest campaign."""
ROWS_PER_ACCOUNT: Final = 350
"""Rows of the dump for each account of the largest campaign."""
LARGEST: Final = 900
"""Most accounts of a campaign."""
SHARE: Final = 0.35
"""Most harvest and cover of all campaigns, as a share of the rows of the dump."""

_SHAPES: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("one-template", "one template", {"templates": 1}),
    ("five-templates", "five templates", {"templates": 5}),
    ("reworded", "one instruction, reworded in every prompt", {"templates": "reworded"}),
    ("no-template", "tasks of a distillation data set, without a template", {"templates": "none"}),
    ("instruction", "a fixed instruction behind other texts", {"templates": "instruction"}),
    ("system-prompt", "a fixed system prompt", {"templates": "instruction", "evasion": "system"}),
    ("human-tempo", "two templates, tempo and volumes of people", {"templates": 2, "tempo": "human", "load": "heavy"}),
    ("hand-over", "two pools of accounts, the second takes over", {"templates": 3, "pools": 2}),
    ("residential", "two templates from home addresses", {"templates": 2, "network": "residential"}),
)
"""Name, words and changes of each campaign."""


def ordinary_campaigns(rows: int, *, tasks: int, metadata: bool, rng: random.Random) -> tuple[Scenario, ...]:
    """Draws the campaigns of a dump.

    Args:
        rows: of the dump.
        tasks: how many harvest prompts without a template there are.
        metadata: whether the dump has more than account, time and prompt.
        rng: of every draw.
    """
    most = min(LARGEST, max(2 * LEAST, rows // ROWS_PER_ACCOUNT))
    found = []
    for name, what, changes in _SHAPES:
        accounts = round(LEAST * (most / LEAST) ** rng.random())
        each = rng.randint(3, 14)
        if name == "no-template":
            accounts = min(accounts, tasks // (2 * each))
        found.append(
            replace(
                CENTRE,
                name=name,
                what=what,
                levels={},
                accounts=accounts,
                each=each,
                share=rng.uniform(0.2, 0.9),
                days=rng.randint(10, WINDOW),
                metadata=metadata,
                **changes,
            )
        )
    scale = min(1.0, SHARE * rows / sum(s.harvest + s.cover for s in found))
    return tuple(replace(s, accounts=max(LEAST, round(s.accounts * scale))) for s in found)
