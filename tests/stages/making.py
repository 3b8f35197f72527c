"""Prompts of a small background."""

from __future__ import annotations

import random

from harvestdetect import Prompt

__all__ = ["T0", "people"]


T0 = 1_772_323_200


def people(count: int = 60, each: int = 4, *, seed: int = 0) -> list[Prompt]:
    """A small background: every account writes words of its own, at hours of its own."""
    rng = random.Random(seed)
    words = [
        "river",
        "engine",
        "poem",
        "tax",
        "vector",
        "bread",
        "orbit",
        "ledger",
        "violin",
        "glacier",
        "seed",
    ]
    found = []
    for a in range(count):
        own = rng.choices(words, k=3)
        for _ in range(each):
            text = " ".join(rng.choices(own + rng.choices(words, k=4), k=rng.randrange(4, 14)))
            found.append(Prompt(account=f"person {a}", prompt=text, time=T0 + rng.randrange(20 * 86_400)))
    return found
