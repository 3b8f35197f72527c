"""Whether accounts have data of their own: how alike the prompts of one account are, apart from what it repeats.

An account may put one instruction before all of its prompts. That makes them alike, and says nothing about where the
rest of them comes from: a campaign can give each of its accounts an instruction in other words. So the sentences that
an account repeats are left out before its prompts are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.corpus.by_prompt import in_sorted
from harvestdetect.corpus.normalize import sentences
from harvestdetect.evidence.candidate import CandidateData, MeasureContext, ScanData
from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.nulls import compared_prompts
from harvestdetect.util.amounts import MIN_SAMPLE, MOST, SEVERAL
from harvestdetect.util.arrays import Bools, Floats32, Ints, ranges, unit

__all__ = ["Compared", "compared_of", "nearest_excess", "repeated"]

READ: Final = 4_096
"""Characters of a part in which sentences are looked for."""
NEAREST: Final = 0.25
"""Share of the other accounts that are the nearest ones. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The t prompts of a candidate that are compared with one another, t at least 1."""

    rows: Ints
    """int64[t]: the prompts, by member."""
    member: Ints
    """int64[t], ascending from 0: the account of each."""
    cluster: Ints
    """int64[t]: the cluster of each."""
    vectors: Floats32
    """float32[t, d]: the vector of each, without the sentences that its account repeats."""


def compared_of(candidate: CandidateData, context: MeasureContext) -> Compared:
    """The prompts of a candidate that are compared: those that groups of other accounts are matched with, if any."""
    groups, campaign = candidate.groups, candidate.trimmed
    if groups is not None:
        rows, member = groups.own, groups.member
    else:
        rows, member = compared_prompts(campaign.prompts, context.scan.corpus.prompts.account)
    return Compared(
        rows=rows,
        member=member,
        cluster=campaign.prompt_cluster[np.searchsorted(campaign.prompts, rows)].astype(np.int64),
        vectors=_without_repeated(rows, member, context.scan),
    )


def _without_repeated(rows: Ints, member: Ints, scan: ScanData) -> Floats32:
    """The vectors of some prompts without the sentences that their account repeats, see :func:`repeated`.

    A prompt of which nothing would be left keeps its vector.
    """
    vectors = np.asarray(scan.vectors[rows], np.float32)
    several = np.flatnonzero((np.bincount(member) >= SEVERAL)[member])
    if not len(several):
        return vectors
    said = _said(rows[several], scan)
    gone = repeated(said.prompt, said.sentence, member[several])
    is_less = np.bincount(said.prompt[gone], minlength=len(several)) > 0
    is_less &= np.bincount(said.prompt[~gone], minlength=len(several)) > 0
    stays = np.flatnonzero(~gone & is_less[said.prompt])
    if not len(stays):
        return vectors
    _, first = np.unique(said.part[stays], return_index=True)
    texts = [" ".join(said.texts[i] for i in some) for some in np.split(said.sentence[stays], first[1:])]
    vectors[several[is_less]] = 0
    np.add.at(vectors, several[said.prompt[stays[first]]], scan.encode(texts) @ scan.projection)
    return vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """The s sentences of some prompts, prompt by prompt and part by part."""

    texts: list[str]
    """The different ones, normalised."""
    sentence: Ints
    """int64[s]: which of them each is."""
    prompt: Ints
    """int64[s], ascending: the position of its prompt."""
    part: Ints
    """int64[s], ascending: the position of its part among those of all prompts."""


def _said(rows: Ints, scan: ScanData) -> _Said:
    """The sentences of the whole parts of some prompts."""
    start = scan.parts.start[rows]
    size = scan.parts.start[rows + 1] - start
    segments, place = np.unique(scan.parts.segment[ranges(start, size)], return_inverse=True)
    number: dict[str, int] = {}
    each = [
        np.array([number.setdefault(one, len(number)) for one in sentences(text[:READ])], np.int64)
        for text in scan.corpus.display.take(segments.astype(np.int32))
    ]
    of_part = [each[i] for i in place.tolist()]
    count = np.array([len(one) for one in of_part], np.int64)
    return _Said(
        texts=list(number),
        sentence=np.concatenate(of_part) if of_part else np.empty(0, np.int64),
        prompt=np.repeat(np.repeat(np.arange(len(rows)), size), count),
        part=np.repeat(np.arange(len(count)), count),
    )


def repeated(prompt: Ints, sentence: Ints, member: Ints) -> Bools:
    """Which sentences stand in most prompts of their account, and in several: bool[s].

    Args:
        prompt: int64[s]: the prompt of each sentence.
        sentence: int64[s]: equal for equal sentences.
        member: int64[p]: the account of each prompt.
    """
    width = int(sentence.max(initial=0)) + 1
    once = np.unique(prompt * width + sentence)
    key, count = np.unique(member[once // width] * width + once % width, return_counts=True)
    least = np.maximum(MOST * np.bincount(member), SEVERAL)
    return in_sorted(member[prompt] * width + sentence, key[count >= least[key // width]])


def nearest_excess(vectors: Floats32, member: Ints, cluster: Ints) -> float | None:
    """How much more alike two prompts of one account are than prompts of it and of the accounts nearest to it, at most.

    Several lists may be dealt in one candidate. Then an account is like those of its own list, and more than others. So
    it is compared with the nearest accounts, which one half of its prompts chooses for the other half: the choice
    is not fitted to what is compared. One standard error is added, so that few accounts do not look dealt by chance.

    Args:
        vectors: float32[t, d].
        member: int64[t], ascending from 0: the account of each.
        cluster: int64[t]: the template of each. What a template has in common does not count.

    Returns:
        a difference of cosines, the mean over accounts of several prompts; None where they are fewer than
        :data:`~harvestdetect.util.amounts.MIN_SAMPLE`, or have fewer than
        :data:`~harvestdetect.evidence.least_data.MIN_COMPARED` pairs of prompts.
    """
    each = np.bincount(member)
    several = each >= SEVERAL
    count = int(several.sum())
    if count < MIN_SAMPLE or (each // 2 * (each - each // 2)).sum() < MIN_COMPARED:
        return None
    centred = unit(vectors)
    for one in np.unique(cluster).tolist():
        own = cluster == one
        centred[own] -= centred[own].mean(axis=0)
    centred = unit(centred)
    number = np.arange(len(member)) - (np.cumsum(each) - each)[member]
    halves = [_means(centred, member, number % 2 == side)[several] for side in (0, 1)]
    whole = _means(centred, member, np.ones(len(member), bool))[several]
    near = max(1, int(NEAREST * (count - 1)))
    differences = np.zeros(count)
    for chooses, counts in (halves, halves[::-1]):
        likeness = chooses @ whole.T
        np.fill_diagonal(likeness, -np.inf)
        nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :near]
        others = np.take_along_axis(counts @ whole.T, nearest, axis=1).mean(axis=1)
        differences += ((chooses * counts).sum(axis=1) - others) / 2
    return float(differences.mean() + differences.std() / np.sqrt(count))


def _means(vectors: Floats32, member: Ints, chosen: Bools) -> Floats32:
    """The mean of some vectors of each member: float32[m, d], 0 for a member without any."""
    found = np.zeros((int(member[-1]) + 1, vectors.shape[1]), np.float32)
    np.add.at(found, member[chosen], vectors[chosen])
    return np.asarray(found / np.maximum(np.bincount(member[chosen], minlength=len(found)), 1)[:, None], np.float32)
