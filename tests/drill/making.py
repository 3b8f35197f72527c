"""Small dumps for the tests of the drill."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from harvestdetect.data import Batch, Prompt
from harvestdetect.drill.survey import Survey
from harvestdetect.dump import batches_of

__all__ = ["DAYS", "START", "batches", "prompts", "surveyed"]

START = 1_772_323_200
"""2026-03-01T00:00:00Z"""
DAYS = 20
"""Length of the dumps, in days."""


def prompts(accounts: int, *, seed: int = 0, fields: bool = True, times: bool = True, most: int = 40) -> list[Prompt]:
    """Prompts of accounts of very different volumes, each at its own time of day."""
    random = Random(seed)
    found = []
    for number in range(accounts):
        volume = max(1, min(most, int(random.paretovariate(0.9))))
        hour = random.randrange(24)
        own = {"ip": f"10.{number % 50}.{number // 50}.7", "org": f"org-{number % 9}", "created_at": str(START)}
        for turn in range(volume):
            time = START + random.randrange(DAYS) * 86_400 + hour * 3_600 + random.randrange(3_600)
            found.append(
                Prompt(
                    account=f"acct-{number:05x}",
                    prompt=f"question {number}-{turn} about {random.choice(WORDS)} and {random.choice(WORDS)}",
                    time=time if times else None,
                    fields=own if fields else {},
                )
            )
    return found


WORDS = ("gardens", "tax law", "sorting", "Lisbon", "bread", "graphs", "violins", "rust", "tides", "poetry")
"""Subjects of the prompts."""


def batches(found: Sequence[Prompt], *, size: int = 500) -> list[Batch]:
    """The prompts in batches of some rows."""
    made = []
    for first in range(0, len(found), size):
        made += list(batches_of(found[first : first + size]))
    return made


def surveyed(made: Sequence[Batch]) -> Survey:
    """The survey of a dump."""
    survey = Survey()
    assert list(survey.watch(made)) == list(made)
    survey.finish()
    return survey
