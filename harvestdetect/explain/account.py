"""Which findings an account is in or near, and what would change that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.data import TIERS, Candidate, Outside
from harvestdetect.errors import UsageError
from harvestdetect.explain.campaign import cut_of, least_of, left_out, named, shortfall
from harvestdetect.explain.files import MemberRow, ScanFiles, prompts_of, prompts_seen
from harvestdetect.explain.values import AccountExplanation, Change, Place, TemplateView
from harvestdetect.judge.candidate_file import SEEN, excerpt_of
from harvestdetect.util.ids import nearest, some

__all__ = ["explain_account", "is_named"]

EXAMPLES: Final = 5
"""Prompts of an account that are named by file and line."""


def is_named(scan: ScanFiles, account: str) -> bool:
    """Whether the results name an account."""
    return any(m.account == account for members in scan.members.values() for m in members) or any(
        o.account == account for c in scan.candidates.values() for o in (*c.members, *c.outside)
    )


def explain_account(
    scan: ScanFiles, account: str, *, sent: Sequence[Mapping[str, Any]] | None = None
) -> AccountExplanation:
    """Which findings an account is in or near, and what would change that.

    Args:
        scan: the results.
        account: its id.
        sent: the rows of the account in ``prompts.parquet``; None reads them.

    Raises:
        UsageError: the dump does not have it.
    """
    missing = list(scan.missing)
    total, seen = prompts_seen(scan.out, account)
    places = [
        _as_member(candidate, member, cut_of(scan.run))
        for identity, candidate in scan.candidates.items()
        for member in scan.members.get(identity, ())
        if member.account == account
    ]
    inside = {place.campaign_id for place in places}
    for identity, candidate in scan.candidates.items():
        if identity in inside:
            continue
        least = least_of(scan.run)
        places += [_near_by(candidate, o, "candidate", least) for o in candidate.members if o.account == account]
        places += [_near_by(candidate, o, "outside", least) for o in candidate.outside if o.account == account]
    if any(place.role == "member" for place in places):
        places = _with_templates(scan, places, prompts_of(scan.out, account, missing) if sent is None else sent)
    near: list[str] = []
    if not places:
        names = {m.account for members in scan.members.values() for m in members}
        near = nearest(account, names, at_least=0.6)
        if seen is None:
            missing.append(f"{SEEN} cannot be read, so it is not known whether the dump has this account")
        if seen is False:
            said = f"; the nearest ids in the results: {some(near)}" if near else ""
            settings = scan.run.get("settings")
            if isinstance(settings, dict) and settings.get("pseudonyms"):
                said += "; this scan has pseudonyms: harvestdetect pseudonym KEYFILE ID prints that of an account"
            raise UsageError(f"the dump has no account {account!r}{said}")
    order = {"member": 0, "outside": 1, "candidate": 2}
    places.sort(key=lambda p: (order[p.role], TIERS.index(p.tier) if p.tier else len(TIERS), -p.membership))
    if total is None and places:
        total = places[0].prompts
    return AccountExplanation(
        account=account, prompts=total, places=tuple(places), nearest=tuple(near), missing=tuple(missing)
    )


def _as_member(candidate: Candidate, member: MemberRow, cut: float) -> Place:
    return Place(
        campaign_id=candidate.campaign_id,
        tier=candidate.tier,
        role="member",
        membership=member.membership,
        harvest_share=member.harvest_share,
        prompts=member.prompts,
        harvest_prompts=member.harvest_prompts,
        first_seen=member.first_seen,
        last_seen=member.last_seen,
        recommended=member.recommended,
        reasons=member.reasons,
        templates=(),
        examples=(),
        changes=_member_changes(candidate, member, cut),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Requirement:
    """What a member needs to be recommended."""

    name: str
    met: bool
    now: float | None = None
    needed: float | None = None
    sentence: str


def _member_changes(candidate: Candidate, member: MemberRow, cut: float) -> tuple[Change, ...]:
    """What makes a member recommended, or would; ``cut`` is the membership that it needs."""
    requirements = (
        _Requirement(
            name="tier",
            met=candidate.tier in ("urgent", "review"),
            sentence=f"its campaign must be at review or above; it is at {named(candidate.tier)}",
        ),
        _Requirement(
            name="membership",
            met=member.membership >= cut,
            now=member.membership,
            needed=cut,
            sentence=f"its membership must be at least {cut:g}; it is {member.membership:.2f}",
        ),
    )
    wanted = "To stay recommended" if member.recommended else "To be recommended"
    return tuple(
        Change(kind="account", name=r.name, now=r.now, needed=r.needed, tier=None, sentence=f"{wanted}, {r.sentence}.")
        for r in requirements
        if r.met == member.recommended
    )


def _near_by(candidate: Candidate, account: Outside, role: Literal["candidate", "outside"], least: float) -> Place:
    """The place of an account that is no member; ``least`` is the smallest probability that is claimed."""
    if role == "candidate":
        sentence = f"The candidate is no finding: {shortfall(candidate, least=least)}."
        name, now, needed = "candidate", None, None
    else:
        name, now, needed = "membership", account.membership, MIN_MEMBERSHIP
        sentence = f"It would be a member from a membership of {MIN_MEMBERSHIP:g} on; it is {account.membership:.2f}."
        if why := left_out(account):
            needed, sentence = None, f"{why[0].upper()}{why[1:]}."
    return Place(
        campaign_id=candidate.campaign_id,
        tier=candidate.tier,
        role=role,
        membership=account.membership,
        harvest_share=round(account.hits / max(account.volume, 1), 4),
        prompts=account.volume,
        harvest_prompts=account.hits,
        first_seen=None,
        last_seen=None,
        recommended=False,
        reasons=(account.why,),
        templates=(),
        examples=(),
        changes=(Change(kind="account", name=name, now=now, needed=needed, tier=None, sentence=sentence),),
    )


def _with_templates(scan: ScanFiles, places: Sequence[Place], sent: Sequence[Mapping[str, Any]]) -> list[Place]:
    """The places with the templates that the account sent, from its rows in ``prompts.parquet``."""
    found = []
    for place in places:
        rows = [row for row in sent if row["campaign_id"] == place.campaign_id]
        words = {t.template_id: t.words for t in scan.found[place.campaign_id].templates} if rows else {}
        by_template = Counter(str(row["template_id"]) for row in rows)
        found.append(
            replace(
                place,
                templates=tuple(
                    TemplateView(template_id=t, prompts=n, accounts=None, excerpt=excerpt_of(words.get(t, ())))
                    for t, n in sorted(by_template.items(), key=lambda item: (-item[1], item[0]))
                ),
                examples=tuple(f"{row['file']}:{row['line']}" for row in rows[:EXAMPLES]),
            )
        )
    return found
