"""What all candidates are compared with: other accounts and texts, and the infrastructure of all accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.corpus.by_prompt import first_rows
from harvestdetect.corpus.creation_times import account_times
from harvestdetect.data import NO_TIME, Campaign, Corpus
from harvestdetect.evidence.candidate import Comparison, ScanData
from harvestdetect.evidence.cohort import first_seen_of
from harvestdetect.evidence.intent import Ordinary, load_prototypes, margins
from harvestdetect.evidence.nulls import pool_of
from harvestdetect.evidence.sign_ups import creations_of
from harvestdetect.evidence.starts import active_days
from harvestdetect.template.alignment import common_words
from harvestdetect.template.tokens import token_texts
from harvestdetect.util.amounts import MOST
from harvestdetect.util.arrays import Floats, Ints, Ints32, unique

__all__ = ["comparison_of", "volumes_of"]


OTHER_TEXTS: Final = 1_000
"""Texts outside every candidate that are drawn, at most. Chosen."""
NEIGHBOURHOOD: Final = 12
"""Nearest texts of other accounts in the neighbourhood of such a text, at most. Chosen."""


def comparison_of(campaigns: Sequence[Campaign], scan: ScanData, *, seed: int) -> Comparison:
    """What candidates are compared with.

    Tempo and work are compared with accounts outside all candidates. Where most accounts are in candidates, those
    outside are not typical. In the log of an API they are the few people: compared with them, every group of programs
    would look active around the clock. There a candidate is compared with all accounts but its own. Sign-ups are
    compared with accounts outside all candidates in any case: who is first seen at the same time may be one of the same
    campaign.

    Args:
        campaigns: all candidates.
        scan: what they were found in.
        seed: of the sample of other texts.
    """
    prompts = scan.corpus.prompts
    taken = np.zeros(len(prompts.account), bool)
    inside = np.zeros(len(prompts.accounts), bool)
    for campaign in campaigns:
        taken[campaign.prompts] = True
        inside[campaign.accounts] = True
    first = first_rows(prompts)
    row = None if first.all() else np.flatnonzero(first).astype(np.int32)
    account = prompts.account if row is None else prompts.account[row]
    timed = first & (prompts.time != NO_TIME)
    timed_row = None if timed.sum() == len(account) else np.flatnonzero(timed).astype(np.int32)
    sent = np.bincount(account, minlength=len(inside))
    times = account_times(prompts)
    mixed = inside.mean() > MOST
    others = np.ones(len(inside), bool) if mixed else ~inside
    free = _free_segments(scan.corpus, taken)
    chosen = free[np.random.default_rng(seed).permutation(len(free))[:OTHER_TEXTS]]
    fixed, shared = _neighbourhood_words(chosen, scan)
    distances = scan.core[free]
    prototypes = load_prototypes(scan.encode)
    return Comparison(
        pool=pool_of(account, others, row=row, candidates=mixed),
        timed_pool=None
        if timed_row is None
        else pool_of(prompts.account[timed_row], others, row=timed_row, candidates=mixed),
        active=active_days(prompts.account[first], prompts.time[first], others, candidates=mixed),
        sent=sent,
        volumes=volumes_of(sent),
        users=np.array([len(unique(prompts.account[a.prompts])) for a in scan.assigned], np.int64),
        cluster_share=np.array([len(a.prompts) for a in scan.assigned], np.float64) / len(account),
        first_seen=first_seen_of(times.first, sent),
        creations=creations_of(times, ~inside),
        fields=scan.fields,
        prototypes=prototypes,
        ordinary=Ordinary(margins=margins(scan.corpus.display.take(chosen), prototypes), seed=seed),
        fixed=fixed,
        shared=shared,
        distances=np.sort(distances[np.isfinite(distances)]).astype(np.float64),
        period=_period(prompts.time[first]),
    )


def volumes_of(sent: Ints) -> tuple[Floats, Floats]:
    """See :attr:`~harvestdetect.evidence.candidate.Comparison.volumes`."""
    volume, accounts = np.unique(sent[sent > 0], return_counts=True)
    return volume.astype(np.float64), accounts.astype(np.float64)


def _period(time: Ints) -> tuple[float, float] | None:
    """See :attr:`~harvestdetect.evidence.candidate.Comparison.period`.

    Args:
        time: int64[.], seconds of every request, or NO_TIME.
    """
    known = time[time != NO_TIME]
    if not len(known):
        return None
    low, high = np.quantile(known, (0.01, 0.99))
    return float(low), float(high)


def _free_segments(corpus: Corpus, taken: npt.NDArray[np.bool_]) -> Ints32:
    """Segments without a prompt in any candidate."""
    inside = np.zeros(len(corpus.text), bool)
    inside[corpus.posting_segment[taken[corpus.posting_prompt]]] = True
    return np.flatnonzero(~inside).astype(np.int32)


def _neighbourhood_words(chosen: Ints32, scan: ScanData) -> tuple[Floats, Floats]:
    """Fixed and shared words of some texts with their nearest ones, one from each account."""
    corpus = scan.corpus
    sender = scan.postings.account[scan.postings.start[:-1]]
    tokens: dict[int, list[str]] = {}

    def words(segment: int) -> list[str]:
        if segment not in tokens:
            tokens[segment] = token_texts(corpus.display[segment])
        return tokens[segment]

    found = []
    for segment in chosen.tolist():
        near = [i for i in scan.neighbors.index[segment].tolist() if i >= 0]
        others = {int(sender[i]): i for i in reversed(near) if sender[i] != sender[segment]}
        nearest_first = sorted(others.values(), key=near.index)[:NEIGHBOURHOOD]
        found.append(common_words([words(segment), *map(words, nearest_first)]))
    values = np.array(found, np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]
