"""Makes findings of judged campaigns."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect.data import (
    NO_TIME,
    PROMPT_COLUMNS,
    YEAR_10000,
    Campaign,
    Evidence,
    Finding,
    LedgerRow,
    Member,
    Prompts,
    Template,
    Way,
)
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.evidence.reading_sentences import reading_sentence
from harvestdetect.evidence.readings import READINGS
from harvestdetect.judge.ledger import row_of
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.members import Memberships
from harvestdetect.judge.triage import Judgement
from harvestdetect.util.arrays import ranges, unique
from harvestdetect.util.periods import DAY

__all__ = [
    "FindingInputs",
    "campaign_ids",
    "finding_of",
    "ledger_rows",
    "ordered_ways",
    "prompt_table",
    "shown_evidence",
]

LEAST_SHOWN: Final = 0.05
"""Bits from which a row of the ledger is shown."""
STANDS_OUT: Final = 0.01
"""p-value below which the summary mentions a measure. It decides nothing. Chosen."""
MOST_CLAUSES: Final = 3
"""Measures that the summary mentions at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingInputs:
    """What the accounts of a scan sent, for display in findings."""

    prompts: Prompts
    """The prompts of the corpus."""
    volume: npt.NDArray[np.int32]
    """int32[a], prompts of every account."""
    templates: Mapping[int, Template]
    """By cluster, the templates of all candidates."""


def finding_of(
    campaign: Campaign,
    judgement: Judgement,
    measured: MeasuredCandidate,
    sent: FindingInputs,
    *,
    campaign_id: str,
    changes: Sequence[str],
    memberships: Memberships,
) -> Finding:
    """The finding of a campaign.

    Args:
        campaign: judged.
        judgement: with a tier.
        measured: its measures, with the p-values that were judged.
        sent: of the scan.
        campaign_id: see :func:`campaign_ids`.
        changes: what would change the tier, in sentences.
        memberships: the evidence on its accounts.
    """
    if judgement.tier is None:
        raise ValueError("a candidate without a tier is no finding")
    prompts, evidence = sent.prompts, measured.evidence
    shown = _templates(campaign, sent)
    members = _members(campaign, judgement, sent, memberships)
    time = prompts.time[campaign.prompts]
    time = time[time != NO_TIME]
    days = _days(time)
    joined = campaign.joined_by is not None
    orgs = prompts.fields["org"].code[campaign.prompts]
    known = unique(orgs[orgs >= 0])
    return Finding(
        campaign_id=campaign_id,
        tier=judgement.tier,
        score=judgement.score,
        probability=judgement.probability,
        q_value=judgement.q_value,
        summary=_summary(campaign, shown, days, judgement, _clauses(evidence, judgement, joined=joined)),
        families=judgement.families,
        ledger=ledger_rows(judgement, measured),
        accounts=len(members),
        prompts=len(campaign.prompts),
        orgs=len(known) if len(known) else None,
        first_seen=int(time.min()) if len(time) else None,
        last_seen=int(time.max()) if len(time) else None,
        days=days,
        templates=tuple(shown),
        evidence=tuple(sorted(shown_evidence(campaign, evidence), key=lambda e: (e.family, e.p_value))),
        benign_explanations=measured.benign,
        capability_targets=measured.targets,
        members=members,
        shared_values=measured.shared_values,
        changes=tuple(changes),
        ways=ordered_ways(campaign.ways),
    )


def ledger_rows(judgement: Judgement, measured: MeasuredCandidate) -> tuple[LedgerRow, ...]:
    """The ledger of a candidate as it is shown: the prior, then the rows that say something, strongest first.

    A measure has one line, whichever of its rows the ledger has. The bits add up to the score, but for rows below
    :data:`LEAST_SHOWN`.

    Args:
        judgement: of the candidate.
        measured: the candidate.
    """
    tables = {e.id: (e.name, e.family) for e in measured.evidence} | {r.id: (r.label, r.family) for r in READINGS}
    bits: dict[str, float] = {}
    for id_, value in judgement.rows.items():
        bits[row_of(id_)] = bits.get(row_of(id_), 0.0) + value
    prior, readings = judgement.score - sum(judgement.rows.values()), measured.readings
    rows = [
        LedgerRow(
            id=id_, name=tables[id_][0], family=tables[id_][1], bits=round(value, 2),
            sentence=reading_sentence(id_, readings[id_]) if id_ in readings else "",
        )
        for id_, value in sorted(bits.items(), key=lambda row: (-abs(row[1]), row[0]))
        if abs(value) >= LEAST_SHOWN
    ]  # fmt: skip
    return (LedgerRow(id="prior", name="before any evidence", family=None, bits=round(prior, 2)), *rows)


def shown_evidence(campaign: Campaign, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The judged evidence, and the evidence for joining the campaign's parts."""
    return (*evidence, campaign.joined_by) if campaign.joined_by else tuple(evidence)


def _templates(campaign: Campaign, sent: FindingInputs) -> list[Template]:
    """The templates of a campaign with the counts of its own prompts, the largest first."""
    counted = (
        _counted(sent.templates[int(c)], campaign.prompts[campaign.prompt_cluster == c], sent.prompts)
        for c in campaign.clusters
    )
    return sorted(counted, key=lambda t: (-t.prompts, t.template_id))


def _counted(template: Template, own: npt.NDArray[np.int32], prompts: Prompts) -> Template:
    """A template with the counts of one campaign's prompts."""
    return replace(
        template,
        segments=len(unique(prompts.content[own])),
        prompts=len(own),
        accounts=len(unique(prompts.account[own])),
    )


def campaign_ids(campaigns: Sequence[Campaign], templates: Mapping[int, Template], accounts: pa.Array) -> list[str]:
    """An id for each candidate, from its templates; candidates with the same templates also include their accounts.

    Args:
        campaigns: all candidates of a scan.
        templates: by cluster.
        accounts: ids of all accounts.
    """
    ids = [
        f"c-{_digest([*_unusual(campaign.ways), *sorted(templates[int(c)].signature for c in campaign.clusters)])}"
        for campaign in campaigns
    ]
    count = Counter(ids)
    return [
        f"c-{_digest([name, *sorted(accounts.take(pa.array(campaign.accounts)).to_pylist())])}"
        if count[name] > 1
        else name
        for name, campaign in zip(ids, campaigns, strict=True)
    ]


def ordered_ways(ways: Sequence[Way]) -> tuple[Way, ...]:
    """The ways in the order of :data:`~harvestdetect.data.Way`, each once."""
    return tuple(way for way in get_args(Way) if way in ways)


def _unusual(ways: Sequence[Way]) -> Sequence[Way]:
    """The first way in which a candidate was found, unless its texts gave it."""
    return ordered_ways(ways)[:1] if "texts" not in ways else ()


def _digest(lines: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()


def _members(
    campaign: Campaign, judgement: Judgement, sent: FindingInputs, memberships: Memberships
) -> tuple[Member, ...]:
    prompts, volume, templates = sent.prompts, sent.volume, sent.templates
    account = prompts.account[campaign.prompts]
    found = []
    for position, number in enumerate(campaign.accounts):
        mine = slice(*np.searchsorted(account, (number, number + 1)))
        time = prompts.time[campaign.prompts[mine]]
        time = time[time != NO_TIME]
        by_template = Counter(templates[int(c)].template_id for c in campaign.prompt_cluster[mine])
        share, sure = float(campaign.harvest_share[position]), float(campaign.membership[position])
        hits, total = int(campaign.harvest_prompts[position]), int(volume[number])
        reasons = [f"{hits} of its {total} prompts ({share:.0%}) fit {len(by_template)} of the campaign's templates"]
        if sure < memberships.cut:
            reasons.append(f"its membership of {sure:.2f} is below {memberships.cut:g}")
        for against in (True, False):
            reasons += memberships.clauses(int(number), against=against)
        action = judgement.tier in ("urgent", "review") and sure >= memberships.cut
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


def _clauses(evidence: Sequence[Evidence], judgement: Judgement, *, joined: bool) -> list[str]:
    """The clauses of the summary: the significant measures in the families that pass, by ascending p-value.

    In a joined campaign infrastructure comes first, because the parts were joined by it.
    """
    clauses = {m.id: m.clause for m in MEASURES if m.clause}
    strongest = sorted(
        (e for e in evidence if e.family in judgement.families and e.id in clauses),
        key=lambda e: (joined and e.family != "infrastructure", e.p_value),
    )
    return list(dict.fromkeys(clauses[e.id] for e in strongest if e.p_value < STANDS_OUT))[:MOST_CLAUSES]


def _summary(
    campaign: Campaign,
    templates: Sequence[Template],
    days: Sequence[tuple[str, int]],
    judgement: Judgement,
    clauses: Sequence[str],
) -> str:
    """The summary, one sentence: what was sent, then what is unusual about it."""
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
    if clauses:
        line += "; " + (", ".join(clauses[:-1]) + " and " + clauses[-1] if len(clauses) > 1 else clauses[0])
    elif not set(judgement.families) - {"text"}:
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
    """``file, line, account, campaign_id, template_id, membership, timestamp`` of every prompt in a campaign.

    The rows are sorted by file and line. Those that repeat a request are included. ``timestamp`` is in UTC, and
    null without a time from 1970 to 9999.

    Args:
        found: the findings and their campaigns.
        prompts: of the corpus.
        templates: by cluster.
        request: int32[p]: the number of the request of each row.
        files: names of the files read.
    """
    parts = []
    order = np.argsort(request, kind="stable")
    ascending = request[order]
    names = pa.array([*files, ""], pa.string())  # the last: a file without a name
    for finding, campaign in found:
        number = request[campaign.prompts]
        start = np.searchsorted(ascending, number)
        times = np.searchsorted(ascending, number, side="right") - start
        rows = order[ranges(start, times)]
        cluster = np.repeat(campaign.prompt_cluster, times)
        used, which = np.unique(cluster, return_inverse=True)
        shown = pa.array([templates[int(c)].template_id for c in used], pa.string())
        file = prompts.file[rows]
        sure = campaign.membership[np.searchsorted(campaign.accounts, prompts.account[rows])]
        time = prompts.time[rows]
        timed = (time >= 0) & (time < YEAR_10000)
        parts.append(
            pa.table(
                {
                    "file": names.take(pa.array(np.where((file >= 0) & (file < len(files)), file, len(files)))),
                    "line": pa.array(prompts.line[rows], pa.int64()),
                    "account": prompts.accounts.take(pa.array(prompts.account[rows])),
                    "campaign_id": pa.repeat(finding.campaign_id, len(rows)),
                    "template_id": shown.take(pa.array(which)),
                    "membership": pa.array(np.round(sure, 4), pa.float64()),
                    "timestamp": pa.array(np.where(timed, time, 0) * 1_000, pa.timestamp("ms", "UTC"), mask=~timed),
                }
            )
        )
    if not parts:
        return PROMPT_COLUMNS.empty_table()
    return pa.concat_tables(parts).sort_by([("file", "ascending"), ("line", "ascending"), ("campaign_id", "ascending")])
