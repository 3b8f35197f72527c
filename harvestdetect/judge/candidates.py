"""Makes the record of each candidate, also of those that are no findings, for the output.

A record has the details that explain the judgement: the ledger, the neighbours and why they are not the same
candidate, and a few accounts that are no members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect.campaign.links import COPIED_RELIEF, RIGID_RELIEF, is_copied
from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.campaign.shared_accounts import (
    Overlaps,
    Pairs,
    blocks,
    by_chance,
    log_tail,
    overlaps_of,
    shared_pairs,
)
from harvestdetect.data import NO_TIME, Campaign, Candidate, Failed, Near, Outside, Prompts
from harvestdetect.judge.candidate_file import excerpt_of
from harvestdetect.judge.findings import FindingInputs, ledger_rows, ordered_ways, shown_evidence
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.members import Memberships
from harvestdetect.judge.triage import Judgement, steps
from harvestdetect.util.amounts import GROUP, SMALL_PART
from harvestdetect.util.arrays import Floats, Floats32, Ints, Ints32, unique

__all__ = ["LinkRules", "candidates_of", "missing_fields", "near_candidates", "outside_accounts"]

MOSTLY_MISSING: Final = 0.5
"""Share of prompts without a field above which the candidate counts as lacking it. It decides nothing. Chosen."""
MOST_OUTSIDE: Final = 20
"""Most non-members that a candidate names."""
MOST_NEAR: Final = 10
"""Most other candidates that a candidate names."""
CLOSE: Final = 0.7
"""Chord distance up to which two candidates are neighbours in wording. Chosen: 1 % of unrelated ones lie within 0.8."""
COMPARED: Final = 200
"""Number of other candidates, those that share the most accounts, whose overlap with a candidate is tested."""
OPTIONAL: Final = ("org", "ip", "asn", "user_agent", "api_key", "payment", "email_domain", "model")
"""Optional fields whose absence a candidate names, besides the timestamp and the creation."""


def candidates_of(
    campaigns: Sequence[Campaign],
    judgements: Sequence[Judgement],
    measured: Sequence[MeasuredCandidate],
    ids: Sequence[str],
    sent: FindingInputs,
    *,
    vectors: npt.NDArray[np.float32],
    rigid: Sequence[bool],
    link_log_p: float,
    memberships: Sequence[Memberships | None] | None = None,
) -> tuple[Candidate, ...]:
    """All candidates, with the details that explain their judgements.

    Many parameters because it shows all that is known of a candidate.

    Args:
        campaigns: the candidates.
        judgements: of each.
        measured: the measures of each.
        ids: of each, see :func:`campaign_ids`.
        sent: of the scan.
        vectors: float32[p, d], of every prompt.
        rigid: for each cluster, whether nobody fills its template by chance.
        link_log_p: see ``Settings.link_log_p``.
        memberships: of each, the evidence on its accounts; None where it is no finding.
    """
    prompts, volume = sent.prompts, sent.volume
    centre = vectors.mean(axis=0) if len(vectors) else 0.0
    means = np.array([vectors[c.prompts].mean(axis=0) - centre for c in campaigns], np.float32)
    near = near_candidates(
        ids, [c.accounts for c in campaigns], [c.harvest_prompts for c in campaigns], volume=volume,
        vectors=means if len(means) else None, rigid=[any(rigid[int(c)] for c in one.clusters) for one in campaigns],
        copied=[_has_copied(one, prompts) for one in campaigns],
        rules=LinkRules(
            log_p=link_log_p, rigid_log_p=link_log_p * RIGID_RELIEF, copied_relief=COPIED_RELIEF,
            min_shared=GROUP, min_overlap=SMALL_PART,
        ),
    )  # fmt: skip
    return tuple(
        _candidate(campaign, judgements[i], measured[i], ids[i], sent, near[i], memberships[i] if memberships else None)
        for i, campaign in enumerate(campaigns)
    )


def _candidate(
    campaign: Campaign,
    judgement: Judgement,
    measured: MeasuredCandidate,
    campaign_id: str,
    sent: FindingInputs,
    near: tuple[Near, ...],
    memberships: Memberships | None,
) -> Candidate:
    """One candidate; ``near`` are the others that share accounts or wording."""
    prompts, volume = sent.prompts, sent.volume
    largest = max((sent.templates[int(c)] for c in campaign.clusters), key=lambda t: (t.prompts, t.template_id))
    return Candidate(
        campaign_id=campaign_id,
        tier=judgement.tier,
        score=judgement.score,
        probability=judgement.probability,
        q_value=judgement.q_value,
        ledger=ledger_rows(judgement, measured),
        accounts=len(campaign.accounts),
        prompts=len(campaign.prompts),
        uncapped=judgement.uncapped,
        capped_by=judgement.capped_by if judgement.uncapped != judgement.tier else (),
        templated=measured.templated,
        templates=len(campaign.clusters),
        excerpt=excerpt_of(largest.words),
        family_results=judgement.family_results,
        evidence=shown_evidence(campaign, measured.evidence),
        benign_explanations=measured.benign,
        members=()
        if judgement.tier
        else outside_accounts(
            campaign.accounts,
            campaign.membership,
            campaign.harvest_prompts,
            volume=volume,
            names=prompts.accounts,
        ),
        outside=outside_accounts(
            campaign.outside,
            campaign.outside_membership,
            campaign.outside_hits,
            volume=volume,
            names=prompts.accounts,
            memberships=memberships,
        ),
        outside_count=len(campaign.outside),
        neighbors=near,
        steps=steps(judgement),
        missing=missing_fields(prompts, campaign),
        ways=ordered_ways(campaign.ways),
    )


def _has_copied(campaign: Campaign, prompts: Prompts) -> bool:
    """Whether a cluster of the campaign is mostly one text."""
    content = prompts.content[campaign.prompts]
    return any(is_copied(content[campaign.prompt_cluster == c]) for c in campaign.clusters)


def missing_fields(prompts: Prompts, campaign: Campaign) -> tuple[str, ...]:
    """The fields that more than :data:`MOSTLY_MISSING` of a campaign's prompts lack, ``timestamp`` first."""
    rows = campaign.prompts
    if not len(rows):
        return ()
    lacks = {
        "timestamp": prompts.time[rows] == NO_TIME,
        **{name: prompts.fields[name].code[rows] < 0 for name in OPTIONAL if name in prompts.fields},
        "created_at": prompts.created_at[rows] == NO_TIME,
    }
    return tuple(name for name, lack in lacks.items() if float(lack.mean()) > MOSTLY_MISSING)


def outside_accounts(
    accounts: Ints32,
    membership: Floats,
    hits: Ints32,
    *,
    volume: Ints32,
    names: pa.Array,
    memberships: Memberships | None = None,
) -> tuple[Outside, ...]:
    """Describes the :data:`MOST_OUTSIDE` most certain of some accounts that sent a campaign's texts.

    Args:
        accounts: int32[b], numbers of the accounts to name.
        membership: float64[b], of each.
        hits: int32[b], prompts of each that fit.
        volume: int32[a], prompts of every account of the corpus.
        names: the ids of all accounts.
        memberships: the evidence on accounts of the candidate, some of which may be outside because of it.
    """
    order = np.lexsort((accounts, -hits, -membership))[:MOST_OUTSIDE]
    found = []
    for i in order.tolist():
        sure, fit, total = float(membership[i]), int(hits[i]), int(volume[accounts[i]])
        judged = memberships is not None and memberships.knows(int(accounts[i]))
        against = memberships.clauses(int(accounts[i]), against=True) if memberships is not None and judged else []
        found.append(
            Outside(
                account=names[int(accounts[i])].as_py(),
                membership=round(sure, 4),
                hits=fit,
                volume=total,
                why=_why(sure, fit, total, against),
            )
        )
    return tuple(found)


def _why(sure: float, fit: int, total: int, against: Sequence[str]) -> str:
    of = f"{fit:,} of its {total:,} prompts ({fit / max(total, 1):.0%})"
    if sure >= MIN_MEMBERSHIP:
        return f"{of} {'fits' if fit == 1 else 'fit'}"
    if against:
        return f"{of} {'fits' if fit == 1 else 'fit'}, but {', and '.join(against)}"
    if fit == 1:
        return f"1 of its {total:,} prompts fits; a single one may be chance"
    return f"{of} fit, which may be chance; members send more, or a larger share"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRules:
    """What links two candidates, as in ``campaign.links``."""

    log_p: float
    """Natural log of the corrected p-value below which an overlap is a link (``Settings.link_log_p``)."""
    rigid_log_p: float
    """The same between two candidates with rigid templates."""
    copied_relief: float
    """Factor on the overlap that volumes explain, for a candidate with a cluster that is mostly one text."""
    min_shared: int
    """Smallest number of accounts in common."""
    min_overlap: float
    """Smallest share of the smaller candidate's accounts in common."""


def near_candidates(
    ids: Sequence[str],
    accounts: Sequence[Ints32],
    hits: Sequence[Ints32],
    *,
    volume: Ints32,
    vectors: Floats32 | None,
    rigid: Sequence[bool],
    copied: Sequence[bool],
    rules: LinkRules,
) -> list[tuple[Near, ...]]:
    """For each candidate at most :data:`MOST_NEAR` others that share accounts or wording, and the test they failed.

    The figures are those of ``campaign.links.link_clusters``, for whole candidates: the overlap that the accounts'
    volumes explain, and its Poisson tail, times the number of pairs. It names candidates that share more accounts than
    that, the least likely overlap first, and candidates whose wording is within :data:`CLOSE`, the closest first.

    Args:
        ids: of c candidates.
        accounts: for each the members, int32 ascending.
        hits: beside each member its prompts in the candidate.
        volume: int32[a], prompts of every account.
        vectors: float32[c, d], mean vector of each candidate's prompts, less the mean of all prompts (otherwise
            subjects that many share would make all alike); None: wording is not compared.
        rigid: for each whether it has a template that nobody fills by chance.
        copied: for each whether it has a cluster that is mostly one text.
        rules: what links two candidates.
    """
    count = len(ids)
    if count < 2:
        return [()] * count
    overlaps = overlaps_of(accounts, hits, volume)
    unit = None if vectors is None else _unit(vectors)
    same = np.asarray(copied, bool)
    found: list[list[Near]] = [[] for _ in ids]
    for block in blocks(overlaps):
        compared, distance = _compared(overlaps, block, unit)
        expected = by_chance(overlaps, compared)
        expected *= np.where(same[compared.first] | same[compared.second], rules.copied_relief, 1.0)
        tail = np.where(compared.shared > 0, log_tail(overlaps, compared.shared, expected), 0.0)
        overlap = compared.shared / np.maximum(
            np.minimum(overlaps.size[compared.first], overlaps.size[compared.second]), 1
        )
        for i in _nearest(compared, expected, tail, distance):
            x, y, n = int(compared.first[i]), int(compared.second[i]), int(compared.shared[i])
            cut = rules.rigid_log_p if rigid[x] and rigid[y] else rules.log_p
            found[x].append(
                Near(
                    campaign_id=ids[y],
                    shared=n,
                    expected=round(float(expected[i]), 4),
                    log_p=round(min(float(tail[i]), 0.0), 4),
                    log_p_cut=cut,
                    overlap=round(float(overlap[i]), 4),
                    overlap_cut=rules.min_overlap,
                    distance=None if unit is None else round(float(distance[i]), 4),
                    failed=_failed(n, float(tail[i]), float(overlap[i]), cut, rules),
                )
            )  # fmt: skip
    return [tuple(row) for row in found]


def _failed(shared: int, log_p: float, overlap: float, cut: float, rules: LinkRules) -> Failed:
    """The first test of a link that two candidates fail."""
    if shared < rules.min_shared:
        return "shared"
    if log_p >= cut:
        return "chance"
    return "overlap" if overlap < rules.min_overlap else "none"


def _compared(overlaps: Overlaps, block: slice, unit: Floats32 | None) -> tuple[Pairs, Floats32]:
    """The pairs to compare of some candidates, sorted by both, and the distance in wording of each pair.

    They are the :data:`COMPARED` that share the most accounts, and the closest in wording.
    """
    count = len(overlaps.sent)
    shared = shared_pairs(overlaps, block)
    known = shared.first * count + shared.second
    keys = known[_places(shared.first, -shared.shared, shared.second) < COMPARED]
    apart = None
    if unit is not None:
        apart = np.sqrt(np.maximum(2 - 2 * (unit[block] @ unit.T), 0))
        row, other = np.nonzero(apart <= CLOSE)
        # the candidate itself is among them
        closest = _places(row, apart[row, other], other) < MOST_NEAR + 1
        row, other = row[closest] + block.start, other[closest]
        keys = unique(np.concatenate((keys, (row * count + other)[row != other])))
    first, second = keys // count, keys % count
    at = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
    share = known[at] == keys if len(known) else np.zeros(len(keys), bool)
    values = np.zeros((3, len(keys)), np.int64)
    values[:, share] = np.array([shared.shared, shared.inside, shared.back])[:, at[share]]
    distance = np.full(len(keys), np.inf, np.float32) if apart is None else apart[first - block.start, second]
    return Pairs(first=first, second=second, shared=values[0], inside=values[1], back=values[2]), distance


def _nearest(compared: Pairs, expected: Floats, tail: Floats, distance: Floats32) -> Ints:
    """Positions of at most :data:`MOST_NEAR` pairs of each candidate, in the order in which they are named.

    Half of the places are kept for those close in wording, as far as there are such.
    """
    first, second = compared.first, compared.second
    many = np.flatnonzero(compared.shared > expected)
    close = np.flatnonzero(distance <= CLOSE)
    by_accounts = _places(first[many], tail[many], distance[many], second[many])
    by_wording = _places(first[close], distance[close], second[close])
    kept = np.minimum(np.bincount(first[close], minlength=int(first.max(initial=-1)) + 1), MOST_NEAR // 2)
    late = len(first)
    turn = np.full(late, 3 * late)
    turn[many] = np.where(by_accounts < MOST_NEAR - kept[first[many]], by_accounts, 2 * late + by_accounts)
    turn[close] = np.minimum(turn[close], late + by_wording)
    named = np.flatnonzero(turn < 3 * late)
    named = named[_places(first[named], turn[named]) < MOST_NEAR]
    return named[np.lexsort((turn[named], first[named]))]


def _places(group: Ints, *keys: npt.NDArray[Any]) -> Ints:
    """The place of each item among those of its group, from 0, by some keys, the first one first."""
    order = np.lexsort((*keys[::-1], group))
    ordered = group[order]
    places = np.empty(len(group), np.int64)
    places[order] = np.arange(len(group)) - np.searchsorted(ordered, ordered)
    return places


def _unit(vectors: Floats32) -> Floats32:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0), np.float32)
