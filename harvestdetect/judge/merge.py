"""Candidates that turn out to be parts of one, and candidates that live on the accounts of surer ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from harvestdetect.campaign.form import joined, without
from harvestdetect.data import TIERS, Campaign
from harvestdetect.evidence.candidate import Reference, ScanData
from harvestdetect.evidence.joining import common_infrastructure, joining_evidence
from harvestdetect.judge.measure import (
    MeasuredCandidate,
    judgements_of,
    measure_candidates,
    with_larger_p_values,
)
from harvestdetect.judge.triage import ranked
from harvestdetect.settings import Settings

__all__ = ["join_parts", "without_surer"]

SHARED_MEMBERS: Final = 0.1
"""Share of a candidate's accounts in surer ones from which the others must speak for themselves."""
LINKED: Final = ("linked_templates", "linked_clusters")
"""Ids of the measures of templates that the same accounts sent."""


def join_parts(
    campaigns: list[Campaign],
    weighed: list[MeasuredCandidate],
    case: ScanData,
    background: Reference,
    *,
    settings: Settings,
) -> tuple[list[Campaign], list[MeasuredCandidate]]:
    """Candidates that hold the same infrastructure made one.

    Accounts that send one prompt each link no templates, and their networks look common outside each part because the
    other parts use them. Candidates with a tier are joined, except those that an innocent reading holds at ``watch``
    (the whole might lose that) and pairs that share :data:`SHARED_MEMBERS` of the smaller one's accounts (left to
    :func:`without_surer`). The whole must stand on its infrastructure and may not come below the surest of its parts.
    """
    from scipy.sparse import csgraph, csr_matrix

    judgements = judgements_of(weighed, fdr=settings.fdr)
    able = sorted(i for i in ranked(judgements) if judgements[i].cap != "watch")
    sets = [campaigns[i].accounts for i in able]
    links = np.zeros((len(able), len(able)), bool)
    common = []
    for pair in common_infrastructure(background.fields, sets, log_p=settings.link_log_p):
        a, b = sets[pair.first], sets[pair.second]
        if np.isin(a, b).sum() < SHARED_MEMBERS * min(len(a), len(b)):
            links[pair.first, pair.second] = True
            common.append(pair)
    if not common:
        return campaigns, weighed
    _, component = csgraph.connected_components(csr_matrix(links), directed=False)
    groups, wholes = [], []
    for c in np.flatnonzero(np.bincount(component) > 1).tolist():
        group = [able[i] for i in np.flatnonzero(component == c)]
        whole = joined([campaigns[i] for i in group], volume=background.sent.astype(np.int32))
        why = joining_evidence([campaigns[i].accounts for i in group], [x for x in common if component[x.first] == c])
        groups.append(group)
        wholes.append(replace(whole, joined_by=why))
    anew = [
        # that their accounts sent several templates is what the parts do not show
        replace(w, evidence=tuple(e for e in w.evidence if e.id not in LINKED))
        for w in measure_candidates(wholes, case, background, seed=settings.seed)
    ]
    parts = set(itertools.chain.from_iterable(groups))
    rest = [w for i, w in enumerate(weighed) if i not in parts]
    after = judgements_of([*rest, *anew], fdr=settings.fdr)[len(rest) :]
    better = [
        "infrastructure" in judgement.families
        and judgement.tier in TIERS[: 1 + min(TIERS.index(judgements[i].tier or "watch") for i in group)]
        for group, judgement in zip(groups, after, strict=True)
    ]
    gone = set(itertools.chain.from_iterable(itertools.compress(groups, better)))
    stay = [i not in gone for i in range(len(campaigns))]
    return (
        [*itertools.compress(campaigns, stay), *itertools.compress(wholes, better)],
        [*itertools.compress(weighed, stay), *itertools.compress(anew, better)],
    )


def without_surer(
    campaigns: Sequence[Campaign],
    weighed: Sequence[MeasuredCandidate],
    case: ScanData,
    background: Reference,
    *,
    settings: Settings,
) -> list[MeasuredCandidate]:
    """Candidates as they stand without the members of surer ones, where they share accounts.

    What else a campaign's accounts send falls into clusters too, and brings their sign-ups, networks and hours along.
    So of a candidate that would be for review and shares :data:`SHARED_MEMBERS` of its accounts with surer ones, the
    others are weighed alone; the larger p-value of each measure counts. Too few others for a campaign show nothing.
    """
    account = case.corpus.prompts.account
    judgements = judgements_of(weighed, fdr=settings.fdr)
    taken = np.zeros(len(case.corpus.prompts.accounts), bool)
    found, again = list(weighed), {}
    for i in ranked(judgements):
        if judgements[i].tier == "watch":
            break
        members = campaigns[i].accounts
        shared = taken[members]
        rest = len(members) - int(shared.sum())
        if shared.mean() >= SHARED_MEMBERS:
            if rest >= settings.min_accounts:
                again[i] = without(campaigns[i], members[shared], account=account)
            else:
                found[i] = with_larger_p_values(found[i], replace(found[i], evidence=()))
        taken[members] = True
    alone = measure_candidates(list(again.values()), case, background, seed=settings.seed)
    for i, held in zip(again, alone, strict=True):
        found[i] = with_larger_p_values(found[i], held)
    return found
