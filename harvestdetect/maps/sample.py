"""The prompts of the map: some of each finding, and some of everything else.

A prompt is chosen by a key of its content. So the sample depends neither on the order of rows nor on their division
into files, and a dump with a few more rows has nearly the same sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments, first_rows
from harvestdetect.data import Corpus
from harvestdetect.util.arrays import AnyInts, Bools, Ints, Ints32, Words

__all__ = ["MOST_POINTS", "MapSample", "map_points", "sample_prompts"]

MOST_POINTS: Final = 4_000
"""Most prompts of a map. Placing them takes about two seconds."""
LEAST: Final = 200
"""Prompts of the map of the smallest dumps."""
PER: Final = 8
"""Prompts of a dump for each further prompt of its map."""
PER_FINDING: Final = 200
"""Most prompts of one finding. All findings together have at most half of the map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSample:
    """The n prompts of a map, sorted by a key of their content."""

    prompts: Ints32
    """int32[n]: positions in the corpus."""
    campaign: Ints32
    """int32[n]: the finding that a prompt belongs to, by its place among the findings; -1 for none."""


def map_points(prompts: int) -> int:
    """Most points of the map of a dump with so many prompts."""
    return min(MOST_POINTS, LEAST + prompts // PER)


def sample_prompts(corpus: Corpus, parts: PromptSegments, found: Mapping[str, Ints32]) -> MapSample:
    """Chooses the prompts of a map. Of prompts with equal content, one is chosen for each finding and one beside them.

    Args:
        corpus: of the scan.
        parts: the parts of every prompt.
        found: campaign id of each finding -> int32[q], its prompts, the strongest finding first.
    """
    key, usable = _keys(corpus, parts)
    campaign = np.full(len(key), -1, np.int32)
    for number, (_, prompts) in reversed(list(enumerate(found.items()))):
        campaign[prompts] = number
    points = map_points(len(key))
    chosen = [
        _lowest(np.flatnonzero((campaign == number) & usable), key, corpus, _quota(points, len(found)))
        for number in range(len(found))
    ]
    rest = points - sum(map(len, chosen))
    chosen.append(_lowest(np.flatnonzero((campaign < 0) & usable), key, corpus, rest))
    every = np.concatenate(chosen)
    ordered: Ints32 = every[np.lexsort((every, key[every]))].astype(np.int32)
    return MapSample(prompts=ordered, campaign=campaign[ordered])


def _quota(points: int, findings: int) -> int:
    """Most prompts of one finding."""
    return max(1, min(PER_FINDING, points // 2 // findings))


def _keys(corpus: Corpus, parts: PromptSegments) -> tuple[Words, Bools]:
    """A number for each prompt that looks random and depends on its content alone, and which prompts may be shown.

    Rows that repeat a request, and prompts without a part, are not shown.
    """
    words = np.ascontiguousarray(corpus.digest).view(np.uint64).reshape(-1, 2)[:, 0]
    size = np.diff(parts.start)
    key = np.zeros(len(size), np.uint64)
    there = size > 0
    if there.any():
        key[there] = np.add.reduceat(words[parts.segment], parts.start[:-1][there])
    return key, there & first_rows(corpus.prompts)


def _lowest(prompts: Ints, key: Words, corpus: Corpus, most: int) -> AnyInts:
    """The prompts with the lowest keys, one of each content, at most ``most``."""
    _, first = np.unique(corpus.prompts.content[prompts], return_index=True)
    distinct = prompts[first]
    return distinct[np.lexsort((distinct, key[distinct]))[: max(most, 0)]]
