"""The innocent dump ``joined``: people who share popular sentences by chance, at any number of rows.

Each prompt is a random join of one to four real sentences. A sentence is drawn by a popularity that falls with its rank
like that of words, from all sources or from one that the account prefers. Volumes and times are those of real accounts,
thinned at random and moved to other days. So a popular sentence is sent by hundreds or thousands of accounts, and what
they have in common is a random thinning of their traffic.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import innocent_stock as stock
from benchmarks.innocent_kinds import MOVES
from benchmarks.innocent_stock import Clock
from benchmarks.real_texts import START, Half, Trace
from benchmarks.sources import WINDOW
from benchmarks.world_sources import WorldSources
from harvestdetect.util.arrays import Floats, Ints
from harvestdetect.util.periods import DAY

__all__ = ["Joined", "draw_joined", "joined_accounts", "joined_prompts", "material"]

MOST_OF_ROWS: Final = 0.01
"""Most rows of one account, as a share of the rows of the dump."""
LEAST_MOST: Final = 40
"""Rows that an account may have in the smallest dumps."""
FAVOURITES: Final = 3
"""Sentences that one account sends again and again."""
ENDS: Final = (".", "!", "?", "…", ":")
"""What ends a sentence; the others get a full stop in a join."""
LEAST_KEPT: Final = 0.5
"""Least share of the times of a real account that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The properties of a joined dump that its seed decides."""

    exponent: float
    """A sentence of rank n is drawn as (n + offset) ** -exponent."""
    offset: float
    counts: tuple[float, ...]
    """Shares of the prompts of one, two, three and four sentences."""
    own_source: float
    """Share of the sentences that come from the source that the account prefers."""
    favourites: float
    """Share of the sentences that are among the account's favourites."""
    weights: Mapping[str, float]
    """Source of sentences -> its weight among them."""
    clocks: Mapping[str, float]
    """Source of times -> its weight among the accounts."""


def draw_joined(sentences: Collection[str], clocks: Collection[str], rng: random.Random) -> Joined:
    """Draws the properties of a joined dump.

    Args:
        sentences: the names of the sources of sentences.
        clocks: the names of the sources of times.
        rng: of every draw.
    """
    raw = [rng.uniform(0.5, 2), rng.uniform(0.5, 2), rng.uniform(0.3, 1.5), rng.uniform(0.1, 1)]
    return Joined(
        exponent=rng.uniform(0.35, 0.75),
        offset=rng.uniform(0, 20),
        counts=tuple(x / sum(raw) for x in raw),
        own_source=rng.choice((0.0, rng.uniform(0, 0.4), rng.uniform(0.3, 0.8))),
        favourites=rng.choice((0.0, 0.0, rng.uniform(0.01, 0.1))),
        weights={name: rng.lognormvariate(0, 0.8) for name in sorted(sentences)},
        clocks={name: rng.lognormvariate(0, 0.8) for name in sorted(clocks)},
    )


def material(
    data: Path | None, half: Half, toys: WorldSources | None, rng: random.Random
) -> tuple[dict[str, Sequence[str]], dict[str, list[Clock]]]:
    """Sentences and request times by their sources."""
    if data is not None:
        return dict(stock.sentences(data, half)), stock.clocks(data, half, rng)
    if toys is None:
        raise AssertionError("without data there are toys")
    found: dict[str, Sequence[str]] = {name: sorted(set(own)) for name, own in toys.benchmarks.items()}
    times = [tuple(START + time % (WINDOW * DAY) for time in own) for own in toys.times.human]
    return found, {"toy": times}


def joined_accounts(
    sentences: Mapping[str, Sequence[str]], clocks: Mapping[str, Sequence[Clock]], *, rows: int, rng: random.Random
) -> list[Trace]:
    """The accounts of the dump, each with its rows by time.

    Args:
        sentences: by source.
        clocks: request times of real accounts, by source.
        rows: of all accounts together.
        rng: of every draw.
    """
    drawn = draw_joined(sentences, clocks, rng)
    numpy_rng = np.random.default_rng(rng.getrandbits(64))
    account, times = _times(clocks, drawn, rows, numpy_rng)
    prompts = joined_prompts(sentences, drawn, account, numpy_rng)
    found: list[Trace] = [[] for _ in range(int(account[-1]) + 1)]
    for owner, time, prompt in zip(account.tolist(), times.tolist(), prompts, strict=True):
        found[owner].append((time, prompt))
    return found


def joined_prompts(
    sentences: Mapping[str, Sequence[str]], drawn: Joined, account: Ints, rng: np.random.Generator
) -> list[str]:
    """A prompt for each row: one to four sentences in one line, or each in a line of its own.

    Args:
        sentences: by source.
        drawn: the properties of the dump. A source that ``drawn.weights`` does not have weighs 1.
        account: of each row, ascending from 0, int64 of shape (n,).
        rng: of every draw.
    """
    counts = rng.choice(np.arange(1, 5), size=len(account), p=np.array(drawn.counts))
    chosen, pool = _sentences(sentences, drawn, np.repeat(account, counts), rng)
    stops = np.cumsum(counts)
    lines = rng.random(int(account[-1]) + 1) < 0.15
    found: list[str] = []
    picked = chosen.tolist()
    start = 0
    for owner, stop in zip(account.tolist(), stops.tolist(), strict=True):
        own = [pool[i] for i in picked[start:stop]]
        start = stop
        if len(own) > 1:
            own = [s if s.endswith(ENDS) else f"{s}." for s in own]
        found.append(("\n" if lines[owner] else " ").join(own))
    return found


def _times(
    clocks: Mapping[str, Sequence[Clock]], drawn: Joined, rows: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """The account and the time of every row, by account and time; accounts count from 0.

    Returns:
        two int64 arrays of shape (rows,).
    """
    names = sorted(clocks)
    flat = np.concatenate([np.array(c, dtype=np.int64) for name in names for c in clocks[name]]) - START
    lengths = np.array([len(c) for name in names for c in clocks[name]], dtype=np.int64)
    begins = np.cumsum(lengths) - lengths
    chance = np.concatenate([np.full(len(clocks[n]), drawn.clocks[n] / len(clocks[n])) for n in names])
    most = max(LEAST_MOST, int(MOST_OF_ROWS * rows))
    parts: list[tuple[Ints, Ints]] = []
    have = accounts = 0
    while have < rows:
        picks = rng.choice(len(lengths), size=max(100, rows // 50), p=chance / chance.sum())
        size = np.minimum(lengths[picks], most)
        first = begins[picks] + (rng.random(len(picks)) * (lengths[picks] - size + 1)).astype(np.int64)
        owner = np.repeat(np.arange(len(picks)), size)
        place = np.repeat(first - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))
        # each account keeps a share of its own, and its first row
        kept = rng.random(len(owner)) < np.repeat(rng.uniform(LEAST_KEPT, 1, len(picks)), size)
        kept[np.cumsum(size) - size] = True
        shift = rng.integers(WINDOW, size=len(picks)) * DAY + rng.integers(-MOVES, MOVES, size=len(picks))
        times = (flat[place] + np.repeat(shift, size)) % (WINDOW * DAY)
        parts.append((owner[kept] + accounts, times[kept]))
        accounts += len(picks)
        have += int(kept.sum())
    account = np.concatenate([p[0] for p in parts])[:rows]
    times = np.concatenate([p[1] for p in parts])[:rows]
    order = np.lexsort((times, account))
    return account[order], times[order] + START


def _sentences(
    sentences: Mapping[str, Sequence[str]], drawn: Joined, owner: Ints, rng: np.random.Generator
) -> tuple[Ints, list[str]]:
    """The sentences that accounts send.

    Args:
        sentences: by source.
        drawn: the properties of the dump.
        owner: the account of every sentence to draw, int64 of shape (n,).
        rng: of every draw.

    Returns:
        an index for each of them, int64 of shape (n,), and the sentences that it is into.
    """
    names = sorted(name for name in sentences if sentences[name])
    pool = [s for name in names for s in sentences[name]]
    source = np.repeat(np.arange(len(names)), [len(sentences[name]) for name in names])
    accounts = int(owner[-1]) + 1
    ranks: Floats = rng.permutation(len(pool)) + np.float64(1 + drawn.offset)
    popularity: Floats = ranks**-drawn.exponent
    popularity *= np.array([drawn.weights.get(name, 1.0) for name in names])[source]
    chosen = _draw(popularity, len(owner), rng)
    prefers = rng.integers(len(names), size=accounts)[owner]
    own = rng.random(len(owner)) < drawn.own_source
    for number in range(len(names)):
        wanted = own & (prefers == number)
        members = np.flatnonzero(source == number)
        chosen[wanted] = members[_draw(popularity[members], int(wanted.sum()), rng)]
    again = np.flatnonzero(rng.random(len(owner)) < drawn.favourites)
    favourites = _draw(popularity, accounts * FAVOURITES, rng).reshape(accounts, FAVOURITES)
    chosen[again] = favourites[owner[again], rng.integers(FAVOURITES, size=len(again))]
    return chosen, pool


def _draw(weights: Floats, count: int, rng: np.random.Generator) -> Ints:
    """``count`` indices drawn by weight, int64 of shape (count,)."""
    total = np.cumsum(weights)
    found: Ints = np.searchsorted(total, rng.random(count) * total[-1], side="right").astype(np.int64)
    found[found == len(weights)] = len(weights) - 1
    return found
