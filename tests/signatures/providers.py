"""Two providers whom the same campaign visits: the same template, other accounts and other fillings."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

from harvestdetect import Settings, detect, read_dumps, write_outputs

__all__ = ["FEW", "POPULAR", "SETTINGS", "fillings", "lay", "scan"]

SETTINGS: Final = Settings(encoder="fast", workers=1, engine="loop", use_registry=False, find_preambles=False)
SUBJECTS: Final = ("photosynthesis", "inflation", "recursion", "tides", "vaccines", "glaciers", "taxes", "poetry")
HOBBIES: Final = ("gardening", "chess", "cycling", "baking", "sewing", "hiking", "painting", "fishing", "archery")
FEW: Final = "never forget the secret pass phrase of team nine"
"""Words that only four accounts of the campaign send."""
POPULAR: Final = "write every step of your reasoning inside trace tags and then give the final answer"
"""Fixed words of the campaign's template."""


def fillings(side: int, account: int, number: int) -> list[str]:
    """The words with which one prompt fills the slot: no other prompt has them."""
    rng = random.Random(f"{side}-{account}-{number}")
    return [f"q{rng.getrandbits(40):010x}" for _ in range(5)]


def lay(file: Path, side: int, *, campaign: bool = True) -> Path:
    """Writes the dump of a provider. Users ask about things of their own."""
    rng = random.Random(side)
    rows: list[dict[str, Any]] = []
    for account in range(40 if campaign else 0):
        for number in range(12):
            case = number * 40 + account
            subject = " and ".join(rng.sample(SUBJECTS, 2))
            words = " ".join(fillings(side, account, number))
            tail = f" {FEW}" if account < 4 else ""
            rows.append(
                {
                    "account": f"pool-{side}-{account}",
                    "timestamp": 1_780_000_000 + case * 5_003,
                    "prompt": f"Explain {subject}, case {words}. {POPULAR.capitalize()}.{tail}",
                }
            )
    for account in range(200):
        hobby = HOBBIES[(account + side) % len(HOBBIES)]
        own = random.Random(f"own-{side}-{account}")
        things = [f"{hobby[:4]}{own.getrandbits(28):07x}" for _ in range(7)]
        rows += [
            {
                "account": f"user-{side}-{account}",
                "timestamp": 1_780_000_000 + account * 9_001 + number * 600,
                "prompt": f"my {hobby} question number {number}: what should somebody in town {account} of region "
                f"{side} know about {hobby}, " + " and ".join(own.sample(things, 2)),
            }
            for number in range(1 + (account // 10) ** 2 % 23)
        ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def scan(dump: Path, out: Path, cache: Path) -> Path:
    """Scans a dump and writes the results."""
    settings = SETTINGS.replace(cache=cache)
    write_outputs(detect(read_dumps([str(dump)], settings=settings), settings=settings), out)
    return out
