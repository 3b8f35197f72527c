"""Follow-ups: what the prompts of a candidate continue, where these are the same few sentences again and again.

A campaign may spread a request over a session: an item of its list, then "check again" and "now as a list". Its items
have no template, so the candidate consists of these sentences. They are short copies, as popular phrases are. What
tells a campaign from people who use the phrase is what the sentences follow: items that were dealt from one list, or
what each person was busy with. So a candidate of follow-ups is measured by the prompts that they follow.
"""

from __future__ import annotations

import numpy as np

from harvestdetect.data import NO_TIME, Campaign, Prompts
from harvestdetect.evidence.tempo import SESSION
from harvestdetect.util.amounts import MOST, NEARLY_ALL
from harvestdetect.util.arrays import Bools, Ints, Ints32, changes, pairs, ranges

__all__ = ["followed"]


def followed(campaign: Campaign, prompts: Prompts) -> Ints32 | None:
    """The prompts that those of a candidate follow.

    A cluster consists of repeated sentences if at least half of its prompts repeat an earlier one. A prompt of such a
    cluster follows the last prompt before it, in the same session, that is of no such cluster of the candidate.

    Args:
        campaign: the candidate.
        prompts: of the dump.

    Returns:
        int32[k], ascending: the prompts that repeated sentences follow, and the other prompts of the candidate. None
        unless most of its prompts are repeated sentences, and nearly all of these follow a prompt.
    """
    repeated = _repeated(campaign, prompts)
    if repeated.sum() < MOST * len(repeated):
        return None
    first, end = (np.searchsorted(prompts.account, campaign.accounts, side=side) for side in ("left", "right"))
    rows = ranges(first, end - first)
    place = np.minimum(np.searchsorted(campaign.prompts, rows), len(campaign.prompts) - 1)
    inside = campaign.prompts[place] == rows
    follow_up = inside & repeated[place]
    number = np.arange(len(rows))
    begins = np.maximum.accumulate(np.where(_begins_session(prompts.account[rows], prompts.time[rows]), number, 0))
    before = np.maximum.accumulate(np.where(follow_up, -1, number))
    follows = follow_up & (before >= begins)
    if follows.sum() < NEARLY_ALL * follow_up.sum():
        return None
    return np.unique(rows[np.concatenate((before[follows], number[inside & ~follow_up]))]).astype(np.int32)


def _repeated(campaign: Campaign, prompts: Prompts) -> Bools:
    """bool[q]: which prompts of a candidate are of clusters of repeated sentences."""
    cluster = np.searchsorted(campaign.clusters, campaign.prompt_cluster)
    different, _ = pairs(cluster, prompts.content[campaign.prompts])
    count = len(campaign.clusters)
    copied = 1 - np.bincount(different, minlength=count) / np.maximum(np.bincount(cluster, minlength=count), 1)
    return np.asarray(copied[cluster] >= MOST)


def _begins_session(account: Ints32, time: Ints) -> Bools:
    """bool[r]: which of r prompts, by account and time, begin a session; those without a time always do."""
    begins, known = changes(account), time != NO_TIME
    begins[1:] |= ~known[1:] | ~known[:-1] | (np.diff(time) >= SESSION)
    return begins
