"""Splits a cluster that mixes several templates into subclusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.cluster.assign import Assigned
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.template.clusters import ClusterSource, Described, described
from harvestdetect.template.description import SHARED_WORDS, Description, has_words, is_rigid
from harvestdetect.template.fillings import best_filled, segments_in_prompts
from harvestdetect.template.mixtures import MIXED_TEXTS, templates_within, word_vectors
from harvestdetect.util.amounts import EXCEPTIONAL
from harvestdetect.util.arrays import AnyInts, Bools, Ints, Ints16, pairs, unique, unit

__all__ = [
    "NO_SUBCLUSTER",
    "UNKNOWN_SUBCLUSTER",
    "Split",
    "Subcluster",
    "split",
    "split_as_before",
    "subcluster_of_segments",
]


NO_SUBCLUSTER: Final = -1
"""The number of a segment whose prompts are in no subcluster."""

UNKNOWN_SUBCLUSTER: Final = -2
"""The number of a segment that is in several subclusters, or that came after the cluster was split."""


class Subcluster(NamedTuple):
    """A cluster, or a part of the prompts of one, with its template."""

    item: Assigned
    described: Described


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The result of splitting a cluster; of one that stayed whole, the cluster itself is the only subcluster."""

    described: Sequence[Described]
    """The template of each subcluster."""
    subcluster: Ints16
    """int16[s]: the number of the subcluster of each of the cluster's segments; :data:`NO_SUBCLUSTER` or
    :data:`UNKNOWN_SUBCLUSTER` for some."""
    fills: Bools
    """bool[s]: whether the prompts with a segment are known to fill the template of their subcluster."""


# ---------------------------------------------------------------- new splits


def split(item: Assigned, source: ClusterSource) -> list[Subcluster]:
    """The subclusters of a cluster: itself where it is of one template, or of none.

    First templates side by side are separated, then templates that have only a clause in common.
    """
    whole = described(item, source)
    mixed = _side_by_side(item, whole.description, source)
    found: list[Subcluster] = []
    for part in mixed or [item]:
        one = described(part, source) if mixed else whole
        apart = _with_common_clause(part, one.description, source)
        found += [Subcluster(own, described(own, source)) for own in apart] or [Subcluster(part, one)]
    return found


def _side_by_side(item: Assigned, description: Description, source: ClusterSource) -> list[Assigned]:
    """The templates side by side in one cluster, each with the prompts that fill it, and the remaining prompts.

    Returns:
        subclusters that enough accounts sent, since a template of fewer is private; none where the cluster has no
        template inside.
    """
    # where two templates mix evenly, a text keeps half of the words of its own
    if is_rigid(description) or description.shared < SHARED_WORDS / 2:
        return []
    texts, segments = source.texts(item, MIXED_TEXTS)
    inside = templates_within(texts, unit(source.vectors[segments]))
    return _by_template(best_filled(inside, item, source), item, source) if inside else []


def _with_common_clause(item: Assigned, description: Description, source: ClusterSource) -> list[Assigned]:
    """The templates of a cluster that have no more than a clause in common, where each has accounts of its own.

    Each of them has as many words besides the clause as texts do not have in common by chance.

    Returns:
        as :func:`_side_by_side`; also none where accounts fill several of the templates.
    """
    account = source.accounts(item.prompts)
    if not has_words(description) or len(_returning(account)) < source.min_accounts:
        return []
    besides = len(description.kept) / description.rigidity - len(description.kept)
    if besides < SHARED_WORDS:  # a text of usual length has no words for a template besides the clause
        return []
    texts, _ = source.texts(item, MIXED_TEXTS)
    inside = templates_within(texts, word_vectors(texts), words=description.fixed + SHARED_WORDS)
    if len(inside) < 2:
        return []
    best = best_filled(inside, item, source)
    fills = best < len(inside)
    returning = _returning(account[fills])
    of_several = _returning(pairs(account[fills], best[fills])[0])
    loyal = len(returning) - len(of_several)
    if len(returning) < source.min_accounts or loyal < (1 - EXCEPTIONAL) * len(returning):
        return []
    return _by_template(best, item, source)


def _returning(account: AnyInts) -> AnyInts:
    """The accounts that occur more than once."""
    found, count = np.unique(account, return_counts=True)
    return found[count > 1]


def _by_template(best: Ints, item: Assigned, source: ClusterSource) -> list[Assigned]:
    """The prompts of a cluster with each number in ``best``, where enough accounts sent them."""
    parts = [item.prompts[best == number] for number in unique(best)]
    return [replace(item, prompts=prompts) for prompts in parts if source.enough_accounts(prompts)]


# ---------------------------------------------------------------- splits of an earlier scan


def subcluster_of_segments(item: Assigned, found: Sequence[Subcluster], segments: PromptSegments) -> Ints16:
    """The number of the subcluster of each of a cluster's segments, see :attr:`Split.subcluster`."""
    if len(found) == 1 and found[0].item is item:
        return np.zeros(len(item.cluster.segments), np.int16)
    label = np.full(len(item.prompts), NO_SUBCLUSTER, np.int16)
    for number, part in enumerate(found):
        label[np.searchsorted(item.prompts, part.item.prompts)] = number
    segment, prompt = segments_in_prompts(item, segments)
    return _unanimous(label[prompt], segment, len(item.cluster.segments))


def split_as_before(item: Assigned, before: Split, source: ClusterSource, segments: PromptSegments) -> list[Subcluster]:
    """The subclusters of a cluster that was split before, each with the prompts that it had, and new ones that fill it.

    A new prompt goes to the template that it fills best, else to a subcluster without a template, where there is one.
    A cluster with one subcluster may have been split too: the other subclusters had too few accounts.
    """
    if len(before.described) == 1 and not (before.subcluster == NO_SUBCLUSTER).any():
        return [Subcluster(item, before.described[0])]
    segment, prompt = segments_in_prompts(item, segments)
    best = _unanimous(before.subcluster[segment], prompt, len(item.prompts))
    new = best == UNKNOWN_SUBCLUSTER
    if new.any():
        with_words = [i for i, one in enumerate(before.described) if has_words(one.description)]
        without = [i for i in range(len(before.described)) if i not in with_words]
        numbers = np.array([*with_words, *(without[:1] or [NO_SUBCLUSTER])], np.int16)
        templates = [before.described[i].description for i in with_words]
        best[new] = numbers[best_filled(templates, replace(item, prompts=item.prompts[new]), source)]
    found = []
    for number, one in enumerate(before.described):
        prompts = item.prompts[best == number]
        if source.enough_accounts(prompts):
            found.append(Subcluster(replace(item, prompts=prompts), one))
    return found


def _unanimous(label: Ints16, group: Ints, count: int) -> Ints16:
    """The label that all members of each group have: int16[count].

    It is :data:`UNKNOWN_SUBCLUSTER` where the labels differ or there is none.

    Args:
        label: int16[r]; those that are :data:`UNKNOWN_SUBCLUSTER` are not counted.
        group: int64[r], the group of each label.
        count: the number of groups.
    """
    known = label != UNKNOWN_SUBCLUSTER
    low, high = np.full(count, np.iinfo(np.int16).max, np.int16), np.full(count, UNKNOWN_SUBCLUSTER, np.int16)
    np.minimum.at(low, group[known], label[known])
    np.maximum.at(high, group[known], label[known])
    return np.where(low == high, low, UNKNOWN_SUBCLUSTER).astype(np.int16)
