"""Dumps with as many clusters as real logs have, for the benchmark of speed: people join popular sentences by chance.

Accounts, times, metadata, campaigns and look-alikes are those of :func:`harvestdetect.simulate.simulate`. What people
write for themselves are random joins of one to four sentences, as in :mod:`benchmarks.innocent_joined`. The number of
sentences grows with the rows, and so does the number of clusters: 100,000 rows have about 2,000.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import innocent_stock as stock
from benchmarks.innocent_joined import Joined, joined_prompts
from benchmarks.laying import HARVEST, START, Laid, plan_of, read_laid, write_laid
from harvestdetect.simulate.people import Person, write
from harvestdetect.util.arrays import Ints

__all__ = ["ROWS_PER_SENTENCE", "joined_texts", "lay_rich", "simulated_sentences"]

ROWS_PER_SENTENCE: Final = 11
"""Rows of a dump for each sentence that its people choose from, as far as the sentences suffice."""

PROMPTS_IN_A_ROW: Final = 8.0
"""Mean number of prompts that are drawn by the habits of one person."""

SAME_PERSON: Final = 8
"""Texts of one simulated person from which sentences are taken."""

JOINED: Final = Joined(
    exponent=0.6,
    offset=10.0,
    counts=(0.5, 0.25, 0.15, 0.1),
    own_source=0.3,
    favourites=0.05,
    weights={},
    clocks={},
)
"""The middle of what :func:`benchmarks.innocent_joined.draw_joined` draws, with more prompts of one sentence. All
sources have the same weight, and times come from the simulation."""


def lay_rich(
    folder: Path,
    *,
    rows: int,
    seed: int,
    harvest: float = HARVEST,
    start: int = START,
    files: int | None = None,
    data: Path | None = None,
) -> Laid:
    """Writes ``dump/*.jsonl.gz``, ``truth.jsonl`` and ``laid.json``, unless the folder has a dump already.

    Args:
        folder: made when it does not exist.
        rows: of the dump, at least 100.
        seed: of every draw.
        harvest: share of the rows that campaigns send.
        start: first second, since 1970.
        files: the number of files; None means by the rows.
        data: folder with the public texts, whose tuning half gives the sentences; None takes those of the simulation.
    """
    known = read_laid(folder)
    if known is not None:
        return known
    begun = time.perf_counter()
    rng = random.Random(f"rich-{seed}")
    wanted = max(rows // ROWS_PER_SENTENCE, 1)
    if data is None:
        sentences = {"simulated": simulated_sentences(wanted, rng)}
    else:
        sentences = _some(stock.sentences(data, "tuning"), wanted, rng)
    texts = joined_texts(sentences, rows=rows, seed=seed)
    plan = plan_of(rows=rows, seed=seed, harvest=harvest, start=start, texts=texts)
    return write_laid(folder, plan, seed=seed, begun=begun, files=files, rewrite=False)


def joined_texts(sentences: dict[str, list[str]], *, rows: int, seed: int) -> list[str]:
    """The prompts that people write; those of one person follow one another.

    Args:
        sentences: by source.
        rows: prompts to draw.
        seed: of every draw.
    """
    rng = np.random.default_rng(seed)
    person: Ints = np.cumsum(rng.random(rows) < 1 / PROMPTS_IN_A_ROW)
    return joined_prompts(sentences, JOINED, person, rng)


def simulated_sentences(count: int, rng: random.Random) -> list[str]:
    """``count`` distinct sentences of simulated people, in the order of the alphabet."""
    found: set[str] = set()
    session = 0
    while len(found) < count:
        person = Person(rng)
        for position in range(SAME_PERSON):
            text = write(person, rng, session=session, position=position)
            assert isinstance(text, str), "a person without a chat sends plain text"
            found.update(stock.cut_sentences(text))
        session += 1
    return rng.sample(sorted(found), count)


def _some(sentences: dict[str, tuple[str, ...]], count: int, rng: random.Random) -> dict[str, list[str]]:
    """``count`` sentences, or all; every source keeps its share."""
    share = min(1.0, count / sum(map(len, sentences.values())))
    return {name: rng.sample(own, max(1, round(share * len(own)))) for name, own in sorted(sentences.items())}
