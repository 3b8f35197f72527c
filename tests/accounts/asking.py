"""A dump in which a ring of accounts sends what other people send as well, but in a mixture that nobody else has."""

from __future__ import annotations

import random

from harvestdetect.data import Prompt

__all__ = ["RING", "prompts_of"]

START = 1_772_323_200
DAY = 86_400
RING = 50
"""Accounts of the ring."""
SUBJECTS = 120
OF_RING = 24
"""Subjects of the ring, each of which people have as well."""


def _vocabulary(rng: random.Random) -> list[list[str]]:
    middle = ("ad", "el", "om", "ur", "in", "at")
    end = ("an", "or", "ish", "ex", "ulo", "ern", "ick", "ane", "oth", "ury", "eld", "amp", "ost", "ing")
    words = [a + b + c for a in "bdfgklmnprstvz" for b in middle for c in end]
    rng.shuffle(words)
    return [words[8 * s : 8 * s + 8] for s in range(SUBJECTS)]


def prompts_of(*, people: int = 300, each: int = 12, seed: int = 0) -> list[Prompt]:
    """Accounts with three subjects of their own each, who send when they like, a few prompts at a sitting; and
    :data:`RING` accounts that go through all of the ring's subjects, day and night and as often as one another."""
    rng = random.Random(seed)
    words = _vocabulary(rng)
    found = []

    def ask(account: str, subject: int, time: int) -> None:
        some = rng.sample(words[subject], rng.randrange(4, 7)) + rng.sample(words[rng.randrange(SUBJECTS)], 2)
        rng.shuffle(some)
        found.append(Prompt(account=account, prompt=" ".join(some), time=time))

    for i in range(people):
        own = rng.sample(range(SUBJECTS), 3)
        for _ in range(1 + int(rng.expovariate(4 / each))):
            sitting = START + rng.randrange(30) * DAY + int(rng.gauss(14, 3) * 3_600)
            for number in range(rng.randrange(1, 7)):
                ask(f"person {i:04}", rng.choice(own), sitting + 90 * number + rng.randrange(60))
    for i in range(RING):
        for number, subject in enumerate(rng.sample(range(OF_RING), each)):
            ask(f"ring {i:04}", subject, START + (number * 30 * DAY) // each + rng.randrange(2 * DAY))
    return found
