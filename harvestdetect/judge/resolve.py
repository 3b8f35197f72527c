"""Judges candidates, in one place: divides, merges and orders them, and assigns tiers by one ledger.

1. A candidate keeps only the accounts outside a part of it that has more bits than the whole.
2. Candidates that share rare infrastructure are merged, if the whole is judged no lower than its best part.
3. A long chain over time is judged by its strongest part, if that ranks before the whole.
4. A candidate that shares a tenth of its accounts or more with stronger ones is measured again without these accounts,
   and keeps the weaker ledger.
5. All candidates are then judged together (:func:`harvestdetect.judge.triage.judge`).

All of them judge on the same :class:`Scale`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from harvestdetect.accounts.chains import is_chain, is_short_chain
from harvestdetect.accounts.overlaps import overlaps
from harvestdetect.campaign.form import joined, without
from harvestdetect.data import TIERS, Campaign
from harvestdetect.evidence.candidate import Comparison, ScanData
from harvestdetect.evidence.joining import Common, common_infrastructure, joining_evidence
from harvestdetect.judge.calibration import Calibration
from harvestdetect.judge.ledger import Ledger
from harvestdetect.judge.measure import MeasuredCandidate, judgements_of, measure_candidates, with_bits
from harvestdetect.judge.member_model import MemberModel
from harvestdetect.judge.triage import Judgement, ranked
from harvestdetect.settings import Settings
from harvestdetect.util.amounts import EXCEPTIONAL, MOST, NEARLY_ALL
from harvestdetect.util.arrays import Ints32, unique

__all__ = ["Judged", "Scale", "judge_candidates", "with_seeded"]

LINKED: Final = ("linked_templates", "linked_clusters")
"""Ids of the measures of clusters that are linked by accounts."""
FAR: Final = 0.1
"""Probability below which a candidate without a tier is far from being a finding. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How candidates are judged: by which models, against which known innocents, and at which rate."""

    fdr: float
    ledger: Ledger
    members: MemberModel
    """Decides who is a member of a finding, and parts candidates that hold two populations."""
    calibration: Calibration | None = None

    def judge(self, measured: Sequence[MeasuredCandidate]) -> list[Judgement]:
        """Judges all candidates together."""
        innocents = () if self.calibration is None else self.calibration.innocents
        return judgements_of(measured, ledger=self.ledger, innocents=innocents, fdr=self.fdr)

    def are_far(self, measured: Sequence[MeasuredCandidate]) -> list[bool]:
        """Which candidates are :data:`FAR` from being findings."""
        return [judgement.tier is None and judgement.probability < FAR for judgement in self.judge(measured)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """All candidates of a scan with the judgement on each."""

    campaigns: Sequence[Campaign]
    measured: Sequence[MeasuredCandidate]
    """The measures of each, with their bits."""
    judgements: Sequence[Judgement]


def judge_candidates(
    campaigns: Sequence[Campaign],
    measured: Sequence[MeasuredCandidate],
    scan: ScanData,
    comparison: Comparison,
    *,
    scale: Scale,
    settings: Settings,
) -> Judged:
    """Divides, merges and orders candidates, measures again those that overlap with stronger ones, and judges all.

    Args:
        campaigns: the candidates.
        measured: the measures of each.
        scan: the data of the scan.
        comparison: other accounts and texts.
        scale: how they are judged.
        settings: of the scan.
    """
    bench = _Bench(scan=scan, comparison=comparison, scale=scale, settings=settings)
    campaigns, measured = _divide(list(campaigns), list(measured), bench)
    campaigns, measured = _merge(campaigns, measured, bench)
    measured = _by_strongest_part(campaigns, measured, bench)
    measured = _subtract(campaigns, measured, bench)
    judgements = scale.judge(measured)
    return Judged(
        campaigns=campaigns,
        measured=[with_bits(m, j) for m, j in zip(measured, judgements, strict=True)],
        judgements=judgements,
    )


def with_seeded(
    judged: Judged,
    chosen: Sequence[Campaign],
    scan: ScanData,
    comparison: Comparison,
    *,
    scale: Scale,
    settings: Settings,
) -> Judged:
    """All candidates, with those that a person's choice gave.

    The others stay as they were judged: what a person chose must neither move the null of the dump nor take accounts
    away from a finding. A chosen candidate is measured and posted like the others, and nothing is taken away from it
    either. If a finding has the same accounts, the scan had found them without the choice, and that finding is marked
    instead.

    Args:
        judged: the other candidates.
        chosen: candidates with the way ``seed`` alone.
        scan: the data of the scan, with the clusters of these candidates.
        comparison: other accounts and texts.
        scale: how candidates are judged.
        settings: of the scan.
    """
    bench = _Bench(scan=scan, comparison=comparison, scale=scale, settings=settings)
    campaigns, added = list(judged.campaigns), []
    for one in chosen:
        same = [i for i in ranked(judged.judgements) if _are_same(judged.campaigns[i].accounts, one.accounts)]
        if same:
            campaigns[same[0]] = replace(judged.campaigns[same[0]], ways=(*judged.campaigns[same[0]].ways, *one.ways))
        else:
            added.append(one)
    measured = bench.measure(added)
    judgements = [scale.judge([*judged.measured, one])[-1] for one in measured]
    return Judged(
        campaigns=[*campaigns, *added],
        measured=[*judged.measured, *(with_bits(m, j) for m, j in zip(measured, judgements, strict=True))],
        judgements=[*judged.judgements, *judgements],
    )


def _are_same(accounts: Ints32, others: Ints32) -> bool:
    """Whether two candidates have nearly the same accounts."""
    both = len(np.intersect1d(accounts, others))
    return both >= NEARLY_ALL * (len(accounts) + len(others) - both)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What judging needs besides the candidates."""

    scan: ScanData
    comparison: Comparison
    scale: Scale
    settings: Settings

    def measure(self, campaigns: Sequence[Campaign]) -> list[MeasuredCandidate]:
        return measure_candidates(campaigns, self.scan, self.comparison, seed=self.settings.seed)


# ---------------------------------------------------------------- divide


def _divide(
    campaigns: list[Campaign], measured: list[MeasuredCandidate], bench: _Bench
) -> tuple[list[Campaign], list[MeasuredCandidate]]:
    """Takes the parts that say more by themselves out of their wholes.

    Two populations behind one template are one candidate of texts, and the part that is more like a campaign is another
    (:mod:`harvestdetect.judge.parting`). If the part has more bits than the whole, the whole mixes both populations. So
    the whole keeps only the other accounts, is measured again, and keeps the weaker of the two ledgers. It is left out
    if too few accounts for a campaign are left. It stays in one piece if it is at ``review`` or above, and neither it
    nor the other accounts alone have a lower tier than its best part: these are two pools of one campaign. A chain over
    time is never divided: its pieces differ from one another.
    """
    judgements = bench.scale.judge(measured)
    account = bench.scan.corpus.prompts.account
    rests: dict[int, Campaign | None] = {}
    best: dict[int, int] = {}
    for whole, parts in _parts(campaigns, len(account)).items():
        better = [i for i in parts if judgements[i].score > judgements[whole].score]
        if better and not is_chain(campaigns[whole]):
            accounts = unique(np.concatenate([campaigns[i].accounts for i in better]))
            rest = without(campaigns[whole], accounts, account=account)
            rests[whole] = rest if len(rest.accounts) >= bench.settings.min_accounts else None
            best[whole] = min(_place(judgements[i]) for i in better)
    divided = {i: rest for i, rest in rests.items() if rest is not None}
    alone = dict(zip(divided, bench.measure(list(divided.values())), strict=True))
    after = dict(zip(alone, bench.scale.judge([*alone.values(), *measured])[: len(alone)], strict=True))
    for i, one in after.items():
        if max(_place(one), _place(judgements[i])) <= min(best[i], TIERS.index("review")):
            del rests[i], divided[i]
    weaker = {i: alone[i] for i in divided if after[i].score < judgements[i].score}
    stay = [i for i in range(len(campaigns)) if rests.get(i, campaigns[i]) is not None]
    return [divided.get(i, campaigns[i]) for i in stay], [weaker.get(i, measured[i]) for i in stay]


def _place(judgement: Judgement) -> int:
    """The tier as a place in ``TIERS``, or their number if there is none."""
    return len(TIERS) if judgement.tier is None else TIERS.index(judgement.tier)


def _parts(campaigns: Sequence[Campaign], count: int) -> dict[int, list[int]]:
    """The parts of each candidate that has some: they have only prompts of it, and fewer accounts.

    Args:
        campaigns: the candidates.
        count: of all prompts.
    """
    sets = [campaign.prompts for campaign in campaigns]
    found: dict[int, list[int]] = {}
    for part, overlap in enumerate(overlaps(sets, sets, count=count)):
        for whole in overlap.places[overlap.shared == len(sets[part])].tolist():
            if len(campaigns[whole].accounts) > len(campaigns[part].accounts):
                found.setdefault(whole, []).append(part)
    return found


# ---------------------------------------------------------------- merge


def _merge(
    campaigns: list[Campaign], measured: list[MeasuredCandidate], bench: _Bench
) -> tuple[list[Campaign], list[MeasuredCandidate]]:
    """Merges candidates that share rare infrastructure.

    Accounts that send one prompt each link no templates, and their networks look common outside each part because the
    other parts use them. Only candidates with a tier are merged, except two kinds: candidates that a hard rule caps at
    ``watch``, because the whole might escape it; and pairs that share more than exceptions of the smaller one's
    accounts, which :func:`_subtract` handles. The infrastructure of the whole must pass, and its tier may not be
    lower than that of its best part.
    """
    judgements = bench.scale.judge(measured)
    eligible = sorted(i for i in ranked(judgements) if judgements[i].cap != "watch")
    groups, wholes = _groups(campaigns, eligible, bench)
    if not groups:
        return campaigns, measured
    measured_wholes = [
        # The parts do not show that their accounts sent several templates.
        replace(one, evidence=tuple(e for e in one.evidence if e.id not in LINKED))
        for one in bench.measure(wholes)
    ]
    in_groups = set(itertools.chain.from_iterable(groups))
    rest = [one for i, one in enumerate(measured) if i not in in_groups]
    after = bench.scale.judge([*rest, *measured_wholes])[len(rest) :]
    merged = [
        "infrastructure" in judgement.families
        and judgement.tier in TIERS[: 1 + min(TIERS.index(judgements[i].tier or "watch") for i in group)]
        for group, judgement in zip(groups, after, strict=True)
    ]
    gone = set(itertools.chain.from_iterable(itertools.compress(groups, merged)))
    stay = [i not in gone for i in range(len(campaigns))]
    return (
        [*itertools.compress(campaigns, stay), *itertools.compress(wholes, merged)],
        [*itertools.compress(measured, stay), *itertools.compress(measured_wholes, merged)],
    )


def _groups(
    campaigns: Sequence[Campaign], eligible: Sequence[int], bench: _Bench
) -> tuple[list[list[int]], list[Campaign]]:
    """Groups of candidates that share rare infrastructure, by position, and each group as one candidate."""
    from scipy.sparse import csgraph, csr_matrix

    sets = [campaigns[i].accounts for i in eligible]
    linked = np.zeros((len(eligible), len(eligible)), bool)
    common: list[Common] = []
    for pair in common_infrastructure(bench.comparison.fields, sets, log_p=bench.settings.link_log_p):
        a, b = sets[pair.first], sets[pair.second]
        if np.isin(a, b).sum() < EXCEPTIONAL * min(len(a), len(b)):
            linked[pair.first, pair.second] = True
            common.append(pair)
    if not common:
        return [], []
    _, component = csgraph.connected_components(csr_matrix(linked), directed=False)
    groups, wholes = [], []
    for c in np.flatnonzero(np.bincount(component) > 1).tolist():
        group = [eligible[i] for i in np.flatnonzero(component == c).tolist()]
        whole = joined([campaigns[i] for i in group], volume=bench.comparison.sent.astype(np.int32))
        why = joining_evidence([campaigns[i].accounts for i in group], [x for x in common if component[x.first] == c])
        groups.append(group)
        wholes.append(replace(whole, joined_by=why))
    return groups, wholes


# ---------------------------------------------------------------- chains


def _by_strongest_part(
    campaigns: Sequence[Campaign], measured: Sequence[MeasuredCandidate], bench: _Bench
) -> list[MeasuredCandidate]:
    """Gives each long chain the evidence of the strongest candidate that lies mostly inside it, if that ranks first.

    The measures compare the accounts of a candidate with one another: when they begin, what they send, where they come
    from. The generations of a chain differ in all of this, because the operator replaces the accounts and the
    templates. So the whole looks more innocent than each of its parts. That the parts belong together was tested when
    they were linked, and is not measured again. A short chain may be several campaigns, so it is judged as a whole.
    """
    found = list(measured)
    long_chains = [i for i, one in enumerate(campaigns) if is_chain(one) and not is_short_chain(one)]
    if not long_chains:
        return found
    rank = {i: place for place, i in enumerate(ranked(bench.scale.judge(measured)))}
    sets = [one.prompts for one in campaigns]
    inside = overlaps([sets[i] for i in long_chains], sets, count=len(bench.scan.corpus.prompts.account))
    for i, overlap in zip(long_chains, inside, strict=True):
        parts = [
            j
            for j, shared in zip(overlap.places.tolist(), overlap.shared.tolist(), strict=True)
            if j in rank and j not in long_chains and shared >= NEARLY_ALL * len(sets[j])
        ]
        best = min(parts, key=lambda j: rank[j], default=i)
        if best in rank and rank[best] < rank.get(i, len(campaigns)):
            found[i] = _with_evidence_of(measured[i], measured[best])
    return found


def _with_evidence_of(chain: MeasuredCandidate, part: MeasuredCandidate) -> MeasuredCandidate:
    """A chain with the evidence of a part of it, and sentences that say so."""

    def sentence(text: str) -> str:
        return f"In the strongest part of this chain: {text}"

    return replace(
        chain,
        evidence=tuple(replace(e, sentence=sentence(e.sentence)) for e in part.evidence),
        benign=tuple(replace(b, sentence=sentence(b.sentence)) for b in part.benign),
        readings=part.readings,
    )


# ---------------------------------------------------------------- subtract


def _come_late(
    accounts: Sequence[Ints32], tiers: Sequence[int], short_chains: Sequence[bool], by_values: Sequence[bool]
) -> list[bool]:
    """Which candidates come after others that say as much about the same accounts.

    They are those with nearly all of their accounts in a larger one whose tier is as high, or higher.

    Two kinds may be several campaigns: short chains, and candidates that only infrastructure gave. Instead, one of them
    comes late if most of its accounts are in other candidates, taken together. For a short chain, all candidates at
    ``review`` or above count, and at ``watch`` if it is there itself. For the other kind, those that rank before it do.
    Candidates of these two kinds do not count.

    Args:
        accounts: int32[a] each, the candidate that says most first.
        tiers: of each, as a place in ``TIERS``.
        short_chains: whether each is a short chain, see :func:`harvestdetect.accounts.chains.is_short_chain`.
        by_values: whether only infrastructure gave it.
    """
    everyone = range(len(accounts))

    def finds(j: int, i: int) -> bool:
        if short_chains[j] or by_values[j]:
            return False
        return j < i if by_values[i] else tiers[j] <= max(tiers[i], TIERS.index("review"))

    def is_found_without(i: int) -> bool:
        others = [accounts[j] for j in everyone if finds(j, i)]
        return bool(others) and bool(np.isin(accounts[i], np.concatenate(others)).mean() >= MOST)

    def is_inside(i: int, j: int) -> bool:
        own, other = accounts[i], accounts[j]
        larger = len(other) > len(own) and tiers[j] <= tiers[i]
        return larger and len(np.intersect1d(own, other)) >= NEARLY_ALL * len(own)

    late = [(short_chains[i] or by_values[i]) and is_found_without(i) for i in everyone]
    return [late[i] or any(is_inside(i, j) for j in everyone if not late[j]) for i in everyone]


def _subtract(
    campaigns: Sequence[Campaign], measured: Sequence[MeasuredCandidate], bench: _Bench
) -> list[MeasuredCandidate]:
    """Measures candidates without the accounts that they share with stronger ones, see :func:`_subtract_once`.

    Bits are relative to the other candidates. When some of them keep no evidence, another may get a tier that it did
    not have before, such as one more piece of a chain. So this goes on until no candidate gets a tier for the first
    time.
    """
    found, seen = list(measured), set[int]()
    while True:
        judgements = bench.scale.judge(found)
        order = ranked(judgements)
        if seen.issuperset(order):
            return found
        seen.update(order)
        found = _subtract_once(campaigns, found, judgements, bench)


def _subtract_once(
    campaigns: Sequence[Campaign],
    measured: Sequence[MeasuredCandidate],
    judgements: Sequence[Judgement],
    bench: _Bench,
) -> list[MeasuredCandidate]:
    """Measures the candidates that have a tier without the accounts that they share with stronger ones.

    The other texts of a campaign's accounts form clusters too, which inherit the campaign's sign-ups, networks and
    hours. So a candidate with a tier that shares more than exceptions of its accounts with stronger
    ones is measured again on the rest, and keeps the weaker ledger of both. If the rest is too small for a campaign,
    the candidate keeps no evidence.

    A piece of a candidate comes after the whole if its tier is no higher: a group of accounts that is another
    population was parted from the candidate before. A candidate that only infrastructure gave may hold several
    campaigns of one operator, so it comes after its pieces if these say more and have most of its accounts. A chain of
    few generations comes after its pieces if most of its accounts are found without it, even at a lower tier.
    """
    account = bench.scan.corpus.prompts.account
    taken = np.zeros(len(bench.scan.corpus.prompts.accounts), bool)
    found, again = list(measured), {}
    order = ranked(judgements)
    behind = _come_late(
        [campaigns[i].accounts for i in order],
        [TIERS.index(judgements[i].tier or "watch") for i in order],
        [is_short_chain(campaigns[i]) for i in order],
        [campaigns[i].ways == ("infrastructure",) for i in order],
    )
    late = set(itertools.compress(order, behind))
    for i in sorted(order, key=lambda i: (judgements[i].tier == "watch", i in late)):
        members = campaigns[i].accounts
        shared = taken[members]
        rest = len(members) - int(shared.sum())
        if shared.mean() >= EXCEPTIONAL:
            if rest >= bench.settings.min_accounts:
                again[i] = without(campaigns[i], members[shared], account=account)
            else:
                found[i] = replace(found[i], evidence=(), readings={})
        taken[members] = True
    alone = bench.measure(list(again.values()))
    for place, (i, judgement) in enumerate(zip(again, bench.scale.judge([*alone, *found])[: len(alone)], strict=True)):
        if judgement.score < judgements[i].score:
            found[i] = alone[place]
    return found
