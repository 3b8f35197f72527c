"""Puts a judged campaign into the words and numbers of a finding."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect.campaign.links import COPIED_RELIEF, MIN_OVERLAP, MIN_SHARED, RIGID_RELIEF, is_copied
from harvestdetect.data import (
    NO_TIME,
    BenignExplanation,
    Campaign,
    Candidate,
    Evidence,
    Finding,
    Member,
    Prompts,
    SharedValue,
    Template,
)
from harvestdetect.judge.candidates import excerpt_of, missing_fields, near_candidates, outside_accounts
from harvestdetect.judge.triage import Judgement, steps
from harvestdetect.util.arrays import ranges, unique

__all__ = ["campaign_ids", "candidates_of", "finding_of", "prompt_table"]

SURE: Final = 0.8
"""Membership from which an account may be recommended for action."""
DAY: Final = 86_400


def finding_of(
    campaign: Campaign,
    judgement: Judgement,
    *,
    campaign_id: str,
    prompts: Prompts,
    volume: npt.NDArray[np.int32],
    templates: Mapping[int, Template],
    evidence: Sequence[Evidence],
    benign: Sequence[BenignExplanation],
    targets: Sequence[str],
    shared_values: Sequence[SharedValue],
    changes: Sequence[str],
    low_share: float,
) -> Finding:
    """The finding of a campaign.

    Args:
        campaign: judged.
        judgement: with a tier.
        campaign_id: see :func:`campaign_ids`.
        prompts: of the corpus.
        volume: int32[a], prompts of every account.
        templates: by cluster, of all the campaign's clusters.
        evidence: of the campaign.
        benign: explanations tested.
        targets: names of its capability targets.
        shared_values: infrastructure that members share.
        changes: what would change the tier, in sentences.
        low_share: see ``Settings.low_share``.
    """
    if judgement.tier is None:
        raise ValueError("a candidate without a tier is no finding")
    shown = sorted(
        (
            _counted(templates[int(c)], campaign.prompts[campaign.prompt_cluster == c], prompts)
            for c in campaign.clusters
        ),
        key=lambda t: (-t.prompts, t.template_id),
    )
    members = _members(campaign, judgement, prompts, volume, templates, low_share)
    time = prompts.time[campaign.prompts]
    time = time[time != NO_TIME]
    days = _days(time)
    orgs = prompts.fields["org"].code[campaign.prompts]
    known = unique(orgs[orgs >= 0])
    return Finding(
        campaign_id=campaign_id,
        tier=judgement.tier,
        score=judgement.score,
        q_value=judgement.q_value,
        summary=_summary(campaign, shown, days, judgement, evidence),
        families=judgement.families,
        accounts=len(members),
        prompts=len(campaign.prompts),
        orgs=len(known) if len(known) else None,
        first_seen=int(time.min()) if len(time) else None,
        last_seen=int(time.max()) if len(time) else None,
        days=days,
        templates=tuple(shown),
        evidence=tuple(sorted(_shown(campaign, evidence), key=lambda e: (e.family, e.p_value))),
        benign_explanations=tuple(benign),
        capability_targets=tuple(targets),
        members=members,
        shared_values=tuple(shared_values),
        changes=tuple(changes),
    )


def candidates_of(
    campaigns: Sequence[Campaign],
    judgements: Sequence[Judgement],
    ids: Sequence[str],
    *,
    evidence: Sequence[Sequence[Evidence]],
    benign: Sequence[Sequence[BenignExplanation]],
    prompts: Prompts,
    volume: npt.NDArray[np.int32],
    vectors: npt.NDArray[np.float32],
    templates: Mapping[int, Template],
    rigid: Sequence[bool],
    link_log_p: float,
) -> tuple[Candidate, ...]:
    """All that was weighed, with what explains the judgement.

    Args:
        campaigns: the candidates.
        judgements: of each.
        ids: of each, see :func:`campaign_ids`.
        evidence: of each.
        benign: explanations of each.
        prompts: of the corpus.
        volume: int32[a], prompts of every account.
        vectors: float32[p, d], of every prompt.
        templates: by cluster.
        rigid: for each cluster, whether nobody fills its template by chance.
        link_log_p: see ``Settings.link_log_p``.
    """
    centre = vectors.mean(axis=0) if len(vectors) else 0.0
    means = np.array([vectors[c.prompts].mean(axis=0) - centre for c in campaigns], np.float32)
    near = near_candidates(
        ids, [c.accounts for c in campaigns], [c.harvest_prompts for c in campaigns], volume=volume,
        vectors=means if len(means) else None, rigid=[any(rigid[int(c)] for c in one.clusters) for one in campaigns],
        copied=[_has_copied(one, prompts) for one in campaigns], copied_relief=COPIED_RELIEF,
        log_p=link_log_p, rigid_log_p=link_log_p * RIGID_RELIEF, min_shared=MIN_SHARED, min_overlap=MIN_OVERLAP,
    )  # fmt: skip
    found = []
    for i, (campaign, judgement) in enumerate(zip(campaigns, judgements, strict=True)):
        largest = max((templates[int(c)] for c in campaign.clusters), key=lambda t: (t.prompts, t.template_id))
        found.append(
            Candidate(
                campaign_id=ids[i],
                tier=judgement.tier,
                score=judgement.score,
                q_value=judgement.q_value,
                accounts=len(campaign.accounts),
                prompts=len(campaign.prompts),
                uncapped=judgement.uncapped,
                capped_by=judgement.capped_by if judgement.uncapped != judgement.tier else (),
                templated=judgement.templated,
                templates=len(campaign.clusters),
                excerpt=excerpt_of(largest.words),
                families=judgement.standings,
                evidence=_shown(campaign, evidence[i]),
                benign_explanations=tuple(benign[i]),
                members=()
                if judgement.tier
                else outside_accounts(
                    campaign.accounts, campaign.membership, campaign.harvest_prompts, volume=volume,
                    names=prompts.accounts,
                ),
                outside=outside_accounts(
                    campaign.outside, campaign.outside_membership, campaign.outside_hits, volume=volume,
                    names=prompts.accounts,
                ),
                outside_count=len(campaign.outside),
                neighbors=near[i],
                steps=steps(judgement),
                missing=missing_fields(prompts, campaign),
            )
        )  # fmt: skip
    return tuple(found)


def _has_copied(campaign: Campaign, prompts: Prompts) -> bool:
    """Whether a cluster of the campaign is mostly one text."""
    content = prompts.content[campaign.prompts]
    return any(is_copied(content[campaign.prompt_cluster == c]) for c in campaign.clusters)


def _shown(campaign: Campaign, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """What was weighed, and what the campaign's parts have in common."""
    return (*evidence, campaign.joined_by) if campaign.joined_by else tuple(evidence)


def _counted(template: Template, own: npt.NDArray[np.int32], prompts: Prompts) -> Template:
    """A template with the counts of one campaign's prompts."""
    return replace(
        template,
        segments=len(unique(prompts.content[own])),
        prompts=len(own),
        accounts=len(unique(prompts.account[own])),
    )


def campaign_ids(campaigns: Sequence[Campaign], templates: Mapping[int, Template], accounts: pa.Array) -> list[str]:
    """An id for each candidate, by its templates; those of the same templates are told apart by their accounts.

    Args:
        campaigns: all candidates of a scan.
        templates: by cluster.
        accounts: ids of all accounts.
    """
    ids = [f"c-{_digest(sorted(templates[int(c)].signature for c in campaign.clusters))}" for campaign in campaigns]
    count = Counter(ids)
    return [
        f"c-{_digest([name, *sorted(accounts.take(pa.array(campaign.accounts)).to_pylist())])}"
        if count[name] > 1
        else name
        for name, campaign in zip(ids, campaigns, strict=True)
    ]


def _digest(lines: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()


def _members(
    campaign: Campaign,
    judgement: Judgement,
    prompts: Prompts,
    volume: npt.NDArray[np.int32],
    templates: Mapping[int, Template],
    low_share: float,
) -> tuple[Member, ...]:
    account = prompts.account[campaign.prompts]
    usual = float(np.median(campaign.harvest_share)) if len(campaign.accounts) else 0.0
    low = min(low_share, usual / 2)
    found = []
    for position, number in enumerate(campaign.accounts):
        mine = slice(*np.searchsorted(account, (number, number + 1)))
        time = prompts.time[campaign.prompts[mine]]
        time = time[time != NO_TIME]
        by_template = Counter(templates[int(c)].template_id for c in campaign.prompt_cluster[mine])
        share, sure = float(campaign.harvest_share[position]), float(campaign.membership[position])
        hits, total = int(campaign.harvest_prompts[position]), int(volume[number])
        reasons = [f"{hits} of its {total} prompts ({share:.0%}) fit {len(by_template)} of the campaign's templates"]
        if share < low:
            reasons.append("low harvest share: may be an innocent customer of a reseller")
        if hits < 2:
            reasons.append("a single prompt: may be chance")
        if sure < SURE:
            reasons.append(f"membership is uncertain ({sure:.2f})")
        action = judgement.tier in ("urgent", "review") and share >= low and sure >= SURE and hits >= 2
        found.append(
            Member(
                account=prompts.accounts[int(number)].as_py(),
                membership=round(sure, 4),
                harvest_share=round(share, 4),
                prompts=total,
                harvest_prompts=hits,
                first_seen=int(time.min()) if len(time) else None,
                last_seen=int(time.max()) if len(time) else None,
                recommended=action,
                reasons=tuple(reasons),
                templates=dict(sorted(by_template.items())),
            )
        )
    return tuple(sorted(found, key=lambda m: (-m.membership, m.account)))


def _days(time: npt.NDArray[np.int64]) -> tuple[tuple[str, int], ...]:
    if not len(time):
        return ()
    day = time // DAY
    counts = np.bincount(day - day.min())
    first = int(day.min())
    return tuple(
        (datetime.fromtimestamp((first + i) * DAY, UTC).strftime("%Y-%m-%d"), int(n)) for i, n in enumerate(counts)
    )


_STRONG: Final = {
    "even load": "the load is spread evenly over them",
    "one list of work": "their requests are dealt from one list",
    "linked templates": "they share several templates",
    "flat day": "they are active around the clock",
    "no sittings": "they do not work in sittings",
    "steady days": "the daily volume is steady",
    "common start": "they started together",
    "same hours": "they act in the same hours",
    "synchrony": "they act at the same times day after day",
    "hand-over": "one pool of them took over from another",
    "sign-up cohort": "they signed up together",
    "shared address": "they share addresses",
    "shared network": "they share networks",
    "shared API key": "they share keys",
    "shared means of payment": "they share means of payment",
    "shared e-mail domain": "they share an e-mail domain",
}


def _summary(
    campaign: Campaign,
    templates: Sequence[Template],
    days: Sequence[tuple[str, int]],
    judgement: Judgement,
    evidence: Sequence[Evidence],
) -> str:
    """One line in plain words: observation first, then what makes it stand out."""
    active = sum(1 for _, n in days if n)
    joined = campaign.joined_by is not None
    if len(templates) == 1:
        what = "one template"
    elif joined:
        other = sum(t.accounts for t in templates) == len(campaign.accounts)
        what = f"{len(templates)} templates{', each by other accounts,' if other else ''}"
    else:
        what = f"{len(templates)} linked templates"
    over = f" on {active} days" if active > 1 else ""
    who = f"{len(campaign.accounts)} accounts{' linked by infrastructure' if joined else ''}"
    line = f"{who} sent {len(campaign.prompts)} prompts of {what}{over}".rstrip(",")
    strongest = sorted(
        (e for e in evidence if e.family in judgement.families and e.name in _STRONG),
        # what the parts have in common is what makes them one
        key=lambda e: (joined and e.family != "infrastructure", e.p_value),
    )
    told = list(dict.fromkeys(_STRONG[e.name] for e in strongest if e.p_value < 0.01))[:3]
    if told:
        line += "; " + (", ".join(told[:-1]) + " and " + told[-1] if len(told) > 1 else told[0])
    elif judgement.tier == "watch":
        line += "; only the wording stands out"
    return line + "."


def prompt_table(
    found: Sequence[tuple[Finding, Campaign]],
    *,
    prompts: Prompts,
    templates: Mapping[int, Template],
    request: npt.NDArray[np.int32],
    files: Sequence[str],
) -> pa.Table:
    """``file, line, account, campaign_id, template_id, membership`` of every prompt in a campaign, by file and line.

    Rows that repeat a request are in it too: ``request`` numbers the requests, int32[p], ascending.
    """
    parts = []
    names = pa.array([*files, ""], pa.string())  # the last: a file without a name
    for finding, campaign in found:
        first = request[campaign.prompts]
        last = np.searchsorted(request, first, side="right")
        times = last - campaign.prompts
        rows = ranges(campaign.prompts, times)
        cluster = np.repeat(campaign.prompt_cluster, times)
        used, which = np.unique(cluster, return_inverse=True)
        shown = pa.array([templates[int(c)].template_id for c in used], pa.string())
        file = prompts.file[rows]
        sure = campaign.membership[np.searchsorted(campaign.accounts, prompts.account[rows])]
        parts.append(
            pa.table(
                {
                    "file": names.take(pa.array(np.where((file >= 0) & (file < len(files)), file, len(files)))),
                    "line": pa.array(prompts.line[rows], pa.int64()),
                    "account": prompts.accounts.take(pa.array(prompts.account[rows])),
                    "campaign_id": pa.repeat(finding.campaign_id, len(rows)),
                    "template_id": shown.take(pa.array(which)),
                    "membership": pa.array(np.round(sure, 4), pa.float64()),
                }
            )
        )
    if not parts:
        names = ("file", "account", "campaign_id", "template_id")
        schema = pa.schema([*((n, pa.string()) for n in names), ("line", pa.int64()), ("membership", pa.float64())])
        return schema.empty_table().select(["file", "line", "account", "campaign_id", "template_id", "membership"])
    return pa.concat_tables(parts).sort_by([("file", "ascending"), ("line", "ascending"), ("campaign_id", "ascending")])
