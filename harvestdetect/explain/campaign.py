"""Why a candidate got its tier, why its neighbours are not in it, and what would change that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.data import BenignExplanation, Candidate, Family, Near, Outside, Tier
from harvestdetect.explain.files import FoundCampaign, MemberRow, ScanFiles
from harvestdetect.explain.values import (
    CampaignExplanation,
    Change,
    FamilyView,
    NeighborView,
    Spread,
    TemplateView,
)
from harvestdetect.judge.candidate_file import excerpt_of
from harvestdetect.judge.caps import capped
from harvestdetect.judge.members_file import recommended_from
from harvestdetect.judge.triage import LEAST_CUT, doubt_of, tier_of
from harvestdetect.report.format import least_claimed, number, p_value, percent, plural, probability
from harvestdetect.report.ledger import bits

__all__ = ["cut_of", "explain_campaign", "least_of", "left_out", "named", "setting", "shortfall", "would_be"]

LOOSEST: Final = 0.5
"""Largest false-discovery rate at which a change is mentioned: beyond, innocence is the likelier. Chosen."""

_FIELDS: Final = {
    "timestamp": "times would let the family time be measured at all, and tell an event or a deadline",
    "org": "organisations would tell whether this is one class, team or customer",
    "ip": "addresses would show shared networks (family infrastructure)",
    "asn": "network numbers would show shared providers (family infrastructure)",
    "user_agent": "user agents would show a shared client (family infrastructure)",
    "api_key": "keys would show accounts that share one (family infrastructure)",
    "payment": "payment marks would show accounts that one payer pays for (family infrastructure)",
    "email_domain": "e-mail domains would show accounts made together (family infrastructure)",
    "created_at": "sign-up times would show accounts made together (family time)",
    "model": "model names would show a move to a new model on one day (family time)",
}
"""What a missing field would show."""


def explain_campaign(scan: ScanFiles, candidate: Candidate) -> CampaignExplanation:
    """Why a candidate got its tier, why its neighbours are not in it, and what would change that.

    Args:
        scan: the results that the candidate is in.
        candidate: to explain.
    """
    row = scan.found.get(candidate.campaign_id)
    members = scan.members.get(candidate.campaign_id, ())
    shares = np.array([m.harvest_share for m in members])
    if row is None and len(candidate.members) == candidate.accounts:
        shares = np.array([m.hits / max(m.volume, 1) for m in candidate.members])
    uncapped = candidate.uncapped or candidate.tier
    return CampaignExplanation(
        campaign_id=candidate.campaign_id,
        tier=candidate.tier,
        uncapped=uncapped,
        capped_by=candidate.capped_by or _binding(candidate, uncapped),
        score=candidate.score,
        probability=candidate.probability,
        least_probability=least_of(scan.run),
        ledger=candidate.ledger,
        q_value=candidate.q_value,
        expected_false=_expected_false(scan, candidate),
        expected_false_at_tier=_stated(scan.run, candidate.tier),
        title=row.title if row else "",
        summary=row.summary if row else "",
        ways=candidate.ways,
        accounts=candidate.accounts,
        prompts=candidate.prompts,
        families=_families(candidate),
        templates=_templates(row, candidate),
        benign_explanations=candidate.benign_explanations,
        harvest_share=_spread(shares),
        recommended=sum(m.recommended for m in members) if members else None,
        apart=_apart(members, candidate.tier, cut_of(scan.run)),
        outside=candidate.outside,
        outside_count=max(candidate.outside_count, len(candidate.outside)),
        neighbors=tuple(_neighbor(scan, candidate, near) for near in _near(scan, candidate)),
        changes=_changes(scan, candidate),
        missing=scan.missing,
    )


def _spread(values: Any) -> Spread | None:
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    least, lower, median, upper, most = (round(float(v), 4) for v in np.quantile(values, (0, 0.25, 0.5, 0.75, 1)))
    return Spread(least=least, lower=lower, median=median, upper=upper, most=most)


def setting(run: Mapping[str, Any], name: str) -> float | None:
    """A number among the settings of the scan; None where ``run.json`` does not have it."""
    settings = run.get("settings")
    value = settings.get(name) if isinstance(settings, dict) else None
    return float(value) if isinstance(value, int | float) else None


def least_of(run: Mapping[str, Any]) -> float:
    """The smallest probability that the scan may claim."""
    return least_claimed(_ledger_of(run))


def cut_of(run: Mapping[str, Any]) -> float:
    """The membership from which the scan recommends a member for action."""
    return recommended_from(_ledger_of(run))


def _ledger_of(run: Mapping[str, Any]) -> Mapping[str, Any]:
    ledger = run.get("ledger")
    return ledger if isinstance(ledger, dict) else {}


def _apart(members: Sequence[MemberRow], tier: Tier | None, cut: float) -> dict[str, int]:
    if tier not in ("urgent", "review"):
        return {}
    below = sum(not m.recommended and m.membership < cut for m in members)
    return {f"membership below {cut:g}": below} if below else {}


def _families(candidate: Candidate) -> tuple[FamilyView, ...]:
    results = {result.family: result for result in candidate.family_results}
    order = [r.family for r in candidate.family_results if r.stands] + [r.family for r in candidate.family_results]
    order += [e.family for e in candidate.evidence]
    found = []
    for family in dict.fromkeys(order):
        result = results.get(family)
        measures = (e for e in candidate.evidence if e.family == family)
        found.append(
            FamilyView(
                family=family,
                stands=result is not None and result.stands,
                bits=result.bits if result else math.nan,
                measures=tuple(sorted(measures, key=lambda e: e.p_value if e.p_value == e.p_value else 2.0)),
            )
        )
    return tuple(found)


def _templates(row: FoundCampaign | None, candidate: Candidate) -> tuple[TemplateView, ...]:
    if row is not None and row.templates:
        return tuple(
            TemplateView(template_id=t.template_id, prompts=t.prompts, accounts=t.accounts, excerpt=excerpt_of(t.words))
            for t in row.templates
        )
    if not candidate.excerpt:
        return ()
    return (
        TemplateView(template_id="", prompts=candidate.prompts, accounts=candidate.accounts, excerpt=candidate.excerpt),
    )


def _expected_false(scan: ScanFiles, candidate: Candidate) -> float | None:
    """False ones to expect among the findings at least as sure: their number times the q-value."""
    if candidate.tier is None or not candidate.q_value >= 0:
        return None
    sure = sum(c.tier is not None and c.q_value <= candidate.q_value for c in scan.candidates.values())
    return sure * candidate.q_value


def _stated(run: Mapping[str, Any], tier: Tier | None) -> float | None:
    stated = run.get("expected_false")
    value = stated.get(tier) if isinstance(stated, dict) and tier else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# ---------------------------------------------------------------- neighbours


def _near(scan: ScanFiles, candidate: Candidate) -> tuple[Near, ...]:
    """The neighbours that the scan kept; for an older scan the findings that share members."""
    if scan.complete:
        return candidate.neighbors
    own = {m.account for m in scan.members.get(candidate.campaign_id, ())}
    found = []
    for other, members in scan.members.items():
        shared = len(own & {m.account for m in members}) if other != candidate.campaign_id else 0
        if shared:
            found.append(
                Near(
                    campaign_id=other,
                    shared=shared,
                    expected=math.nan,
                    log_p=math.nan,
                    log_p_cut=math.nan,
                    overlap=shared / max(min(len(own), len(members)), 1),
                    overlap_cut=math.nan,
                    distance=None,
                    failed="unknown",
                )
            )
    return tuple(sorted(found, key=lambda n: (-n.shared, n.campaign_id)))


def _neighbor(scan: ScanFiles, candidate: Candidate, near: Near) -> NeighborView:
    other = scan.candidates.get(near.campaign_id)
    sentence = _why_apart(near)
    if near.distance is not None:
        sentence += f" Their wording is {near.distance:.2f} apart (0 is alike, 1.41 unrelated)."
    if other is not None and other.tier is None:
        sentence += f" By itself it is no finding: {shortfall(other, least=least_of(scan.run))}."
    return NeighborView(
        near=near,
        tier=other.tier if other else None,
        accounts=other.accounts if other else None,
        excerpt=other.excerpt if other else "",
        sentence=sentence,
    )


def _why_apart(near: Near) -> str:
    shared = f"{plural(near.shared, 'account')} in both"
    chance = f"{number(near.expected)} expected by chance"
    if near.failed == "unknown":
        return f"{shared}; this scan did not keep why the two were not linked."
    if near.failed == "shared":
        return (
            f"Not linked: {shared} ({chance}), too few to test." if near.shared else "Not linked: no account in both."
        )
    if near.failed == "chance":
        return f"Not linked: {shared}, {chance}; log p {near.log_p:.1f}, a link needs less than {near.log_p_cut:.1f}."
    if near.failed == "overlap":
        return (
            f"Not linked: {shared} are {percent(near.overlap)} of the smaller one, a link needs "
            f"{percent(near.overlap_cut)} (log p {near.log_p:.1f})."
        )
    return (
        f"{shared}, {chance} (log p {near.log_p:.1f}): more than chance, but no link between their texts remained, or "
        "accounts that use one of them only were separated."
    )


def left_out(account: Outside) -> str:
    """Why an account is no member whose prompts of the candidate alone would make it one; empty for any other account.

    Its membership is then that of these prompts: it was left out before its own evidence was weighed.
    """
    if account.membership < MIN_MEMBERSHIP:
        return ""
    few = "it sent only one of them, or " if account.hits == 1 else ""
    return f"these prompts alone would make it a member; it is none because {few}its other prompts are of another group"


def shortfall(candidate: Candidate, *, least: float) -> str:
    """Why a candidate is no finding, in a clause; ``least`` is the smallest probability that is claimed."""
    if candidate.probability != candidate.probability:
        return "its evidence was not enough"
    return f"its ledger makes it a campaign with a probability of {probability(candidate.probability, least=least)}"


# ---------------------------------------------------------------- what would change it


def _tier_of(
    candidate: Candidate, fdr: float, *, without: Family | None = None, unless: BenignExplanation | None = None
) -> Tier | None:
    """The tier without the rows of a family, or without those of an explanation, if no hard rule capped it."""
    left = tuple(f for f in candidate.family_results if f.family != without)
    gone = sum(f.bits for f in candidate.family_results if f.family == without)
    if unless is not None:
        gone += unless.bits or 0.0
    rows = {row.id: row.bits for row in candidate.ledger if row.family != without}
    doubt = doubt_of(rows, unless=None if unless is None else unless.id)
    return tier_of(candidate.score - gone, left, doubt=doubt, fdr=fdr)


def _capped(tier: Tier | None, explanations: Sequence[BenignExplanation]) -> Tier | None:
    """The tier under all hard rules."""
    for explanation in explanations:
        tier = capped(tier, explanation.caps)
    return tier


def _binding(candidate: Candidate, uncapped: Tier | None) -> tuple[str, ...]:
    """The explanations that cap the tier, where the scan did not name them."""
    if uncapped == candidate.tier:
        return ()
    return tuple(b.name for b in candidate.benign_explanations if b.caps and b.caps == candidate.tier)


def _changes(scan: ScanFiles, candidate: Candidate) -> tuple[Change, ...]:
    fdr = setting(scan.run, "fdr")
    ledger = fdr if candidate.ledger else None
    return (
        *([] if fdr is None else _by_rate(candidate, fdr)),
        *([] if ledger is None else _by_family(candidate, ledger)),
        *([] if ledger is None else _by_explanation(candidate, ledger)),
        *_by_rule(candidate),
        *(
            Change(kind="field", name=name, now=None, needed=None, tier=None, sentence=_lacks(name))
            for name in _missing(scan, candidate)
        ),
    )


def _lacks(name: str) -> str:
    return f"Most of its prompts lack {name}: {_FIELDS[name]}."


def _by_rate(candidate: Candidate, fdr: float) -> list[Change]:
    """The tier at other false-discovery rates, upwards from that of the scan and then downwards."""
    up, down = [], []
    for past, step in pairwise(candidate.steps):
        if fdr < step.fdr <= LOOSEST:
            up.append((f"of {p_value(step.fdr)} or more", step.fdr, step.tier))
        elif LEAST_CUT <= step.fdr <= fdr:
            down.append((f"below {p_value(step.fdr)}", step.fdr, past.tier))
    return [
        Change(
            kind="rate",
            name="fdr",
            now=fdr,
            needed=needed,
            tier=tier,
            sentence=f"At a false-discovery rate {at} (the scan used {fdr:g}) it would be {would_be(tier)}.",
        )
        for at, needed, tier in (*up, *reversed(down))
    ]


def _by_family(candidate: Candidate, fdr: float) -> list[Change]:
    """The tier without the evidence of each family."""
    found = []
    for result in candidate.family_results:
        tier = _capped(_tier_of(candidate, fdr, without=result.family), candidate.benign_explanations)
        if tier != candidate.tier:
            found.append(
                Change(
                    kind="family", name=result.family, now=result.bits, needed=None, tier=tier,
                    sentence=f"Without the {bits(result.bits)} bits of {result.family} it would be {would_be(tier)}.",
                )
            )  # fmt: skip
    return found


def _by_explanation(candidate: Candidate, fdr: float) -> list[Change]:
    """The tier without each benign explanation that speaks against a campaign."""
    found = []
    for explanation in candidate.benign_explanations:
        if explanation.bits is None or explanation.bits >= 0:
            continue
        tier = _capped(_tier_of(candidate, fdr, unless=explanation), candidate.benign_explanations)
        if tier != candidate.tier:
            found.append(
                Change(
                    kind="benign", name=explanation.name, now=explanation.statistic, needed=None, tier=tier,
                    sentence=f"Without this explanation ({bits(explanation.bits)} bits) it would be {would_be(tier)}: "
                    f"{explanation.name}. {explanation.sentence}",
                )
            )  # fmt: skip
    return found


def _by_rule(candidate: Candidate) -> list[Change]:
    """What the tier would be without a hard rule that caps it."""
    uncapped = candidate.uncapped
    found = []
    for rule in candidate.benign_explanations:
        if rule.caps and _capped(uncapped, (rule,)) != uncapped:
            tier = _capped(uncapped, [b for b in candidate.benign_explanations if b is not rule])
            found.append(
                Change(
                    kind="benign", name=rule.name, now=rule.statistic, needed=None, tier=tier,
                    sentence=f"Capped at {rule.caps} by: {rule.name}. {rule.sentence} Without it, it would be "
                    f"{would_be(tier)}.",
                )
            )  # fmt: skip
    return found


def _missing(scan: ScanFiles, candidate: Candidate) -> tuple[str, ...]:
    """Fields that most prompts lack; of an older scan only those that its findings show."""
    row = scan.found.get(candidate.campaign_id)
    if scan.complete or row is None:
        return tuple(name for name in candidate.missing if name in _FIELDS)
    return tuple(name for name, lacks in (("timestamp", not row.days), ("org", row.orgs is None)) if lacks)


def would_be(tier: Tier | None) -> str:
    """The tier after ``it would be``."""
    return f"at {tier}" if tier in ("review", "watch") else named(tier)


def named(tier: Tier | None) -> str:
    """The tier in words."""
    return tier or "no finding"
