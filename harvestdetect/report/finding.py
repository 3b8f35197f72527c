"""The section of one finding: what the page of a scan, or another program, shows of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from markupsafe import Markup

from harvestdetect.data import BenignExplanation, Detection, Evidence, Finding, Member, SharedValue, Template
from harvestdetect.evidence.measures import target_id
from harvestdetect.judge.members_file import recommended_from
from harvestdetect.report import svg
from harvestdetect.report.format import (
    UNTESTED,
    active_days,
    by_priority,
    count,
    least_claimed,
    number,
    percent,
    period,
    plural,
    probability,
    standing_line,
)
from harvestdetect.report.ledger import Shown, bits, found_line, shown_ledger
from harvestdetect.report.next_steps import next_steps
from harvestdetect.report.pages import page_template
from harvestdetect.util.escape import cut, html_text

__all__ = ["Limits", "RunFacts", "finding_section", "limits_of", "run_facts"]

_SAYS: Final = 0.05
"""Largest p-value of a measure that is not dimmed."""
_COLUMNS: Final = 24
"""Templates that a matrix shows."""
_SIGN_UPS: Final = "sign_up_cohort"
"""Id of the measure of pairs of accounts that were opened on one day."""
_ALSO: Final = 5
"""Other findings that are named for a shared value."""
_BLOCK: Final = 30
"""Rows of a matrix; the next rows go into a matrix beside it."""

_NO_SPACE_BEFORE: Final = re.compile(r"[\s.,;:!?)\]}»”]|$")
"""Beginnings of texts that follow a slot without a space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is shown, so that the file stays small enough to mail."""

    findings: int
    """Shown in full."""
    rows: int = 250
    """Of the table of findings."""
    members: int
    """Accounts of each kind; 0: the section leaves its list of accounts out."""
    matrix: int
    heat: int
    """Rows of the map of accounts by days."""
    templates: int
    exemplars: int = 3
    values: int = 8
    """Examples per slot."""
    slots: int = 10
    rejects: int = 25
    files: int = 100
    shared: int = 20
    """Shared values."""
    changes: int = 12
    preamble: int = 400
    """Characters of a preamble."""


def limits_of(findings: int) -> Limits:
    """How much a page of so many findings shows of each."""
    n = max(findings, 1)
    return Limits(
        findings=findings,
        members=max(30, min(200, 2_500 // n)),
        matrix=max(20, min(60, 1_500 // n)),
        heat=max(10, min(40, 600 // n)),
        templates=max(4, min(12, 240 // n)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the section of a finding says about its scan."""

    least: float = UNTESTED
    """The smallest probability that the scan may claim, see :func:`~harvestdetect.report.format.least_claimed`."""
    recommended_from: float = field(default_factory=lambda: recommended_from({}))
    """The membership from which a member is recommended for action."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Campaign id -> number of its section, of the findings that the page shows in full. Links go to them alone."""
    having: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    """Field and tag of a shared value -> ids of the findings whose members share it."""
    activity: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    """Campaign id -> account -> day (``YYYY-MM-DD``) -> prompts of the campaign; empty without times."""


def run_facts(detection: Detection, *, shown: int = 0) -> RunFacts:
    """What the sections of the findings of a scan say about it.

    Args:
        detection: the answer of a scan.
        shown: findings that the page shows in full.
    """
    having: dict[tuple[str, str], list[str]] = {}
    for f in detection.findings:
        for key in dict.fromkeys((s.field, s.tag) for s in f.shared_values if s.tag):
            having.setdefault(key, []).append(f.campaign_id)
    return RunFacts(
        least=least_claimed(detection.ledger),
        recommended_from=recommended_from(detection.ledger),
        places={f.campaign_id: i for i, f in enumerate(detection.findings[:shown], start=1)},
        having=having,
        activity=_activity(detection, shown),
    )


def _activity(detection: Detection, shown: int) -> dict[str, dict[str, dict[str, int]]]:
    """See :attr:`RunFacts.activity`; of the findings that are shown in full."""
    if detection.prompts is None or not shown or "timestamp" not in detection.prompts.column_names:
        return {}
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pa.array([f.campaign_id for f in detection.findings[:shown]], pa.string())
    table = detection.prompts.select(["account", "campaign_id", "timestamp"])
    table = table.filter(pc.and_(pc.is_in(table["campaign_id"], value_set=ids), pc.is_valid(table["timestamp"])))
    table = table.append_column("day", pc.strftime(table["timestamp"], "%Y-%m-%d"))
    found: dict[str, dict[str, dict[str, int]]] = {}
    for row in table.group_by(["campaign_id", "account", "day"]).aggregate([([], "count_all")]).to_pylist():
        found.setdefault(row["campaign_id"], {}).setdefault(row["account"], {})[row["day"]] = row["count_all"]
    return found


def finding_section(
    finding: Finding,
    *,
    run: RunFacts,
    number: int = 1,
    unfolded: bool = True,
    limits: Limits | None = None,
) -> Markup:
    """One finding as an ``<article>`` with the id ``finding-NUMBER``, in the style of ``page_style()``.

    It has no script, no link out and no style attribute, and every text of a prompt in it is escaped.

    Args:
        finding: of a scan.
        run: about the scan.
        number: its place among the findings, from 1.
        unfolded: whether the main parts stand open.
        limits: how much is shown; without them, as much as on a page with one finding.
    """
    view = _view(finding, run=run, number=number, unfolded=unfolded, limits=limits or limits_of(1))
    section: Markup = page_template("finding.html.j2").module.section(view)
    return section


def _view(finding: Finding, *, run: RunFacts, number: int, unfolded: bool, limits: Limits) -> dict[str, Any]:
    """The values that the template of the section draws."""
    least = run.least
    chance = probability(finding.probability, least=least)
    ledger = shown_ledger(
        finding.ledger, total=finding.score, evidence=finding.evidence, benign=finding.benign_explanations
    )
    members = by_priority(finding.members)
    advised = [m for m in members if m.recommended]
    apart = [m for m in members if not m.recommended]
    active = sorted(finding.members, key=lambda m: (-m.harvest_prompts, m.account))[: limits.matrix]
    warm = sorted(active[: limits.heat], key=lambda m: (m.first_seen is None, m.first_seen or 0, m.account))
    evidence = _by_family(finding)
    columns = sorted(finding.templates, key=lambda t: -t.prompts)
    names = {t.template_id: f"T{i + 1}" for i, t in enumerate(columns)}
    shown = columns[:_COLUMNS]
    return {
        "f": finding,
        "number": number,
        "open": unfolded,
        "limits": limits,
        "advised_from": f"{run.recommended_from:g}",
        "facts": _facts(finding, advised, apart, least),
        "found": found_line(finding.ways, finding.ledger),
        "chance": chance,
        "peers": f"Of all that are at least as sure, {probability(finding.q_value, least=least)} are innocent.",
        "ledger": None if ledger is None else _waterfall(ledger),
        "inference": _inference(finding, chance),
        "innocent": _innocent(finding),
        "timeline": svg.timeline(finding.days) if finding.days else None,
        "matrix": [
            svg.matrix(
                active[i : i + _BLOCK],
                [t.template_id for t in shown],
                names=[names[t.template_id] for t in shown],
            )
            for i in range(0, len(active) if len(shown) > 1 else 0, _BLOCK)
        ],
        "heat": svg.heat(warm, run.activity.get(finding.campaign_id, {})),
        "heat_rows": len(warm),
        "matrix_rows": len(active),
        "matrix_columns": len(shown),
        "templates": [(names[t.template_id], t, _running(t), _slots(t)) for t in columns[: limits.templates]],
        "standing": standing_line(finding.standing) if finding.standing is not None else "",
        "targets": _targets(finding),
        "evidence": evidence,
        "measures": sum(len(measures) for _, _, measures in evidence)
        + sum(e is not None for _, e in _targets(finding)),
        "steps": [(step.text, step.command) for step in next_steps(finding)],
        "shared": [(s, _also(s, finding, run)) for s in finding.shared_values[: limits.shared]],
        "tagged": next((s.tag for s in finding.shared_values if s.tag), ""),
        "member_groups": [
            ("recommended", advised[: limits.members], len(advised)),
            ("apart", apart[: limits.members], len(apart)),
        ],
    }


def _also(shared: SharedValue, finding: Finding, run: RunFacts) -> list[tuple[int, str]]:
    """(number of its section or 0, id) of every other finding whose members share a value; at most :data:`_ALSO`."""
    others = run.having.get((shared.field, shared.tag), ()) if shared.tag else ()
    return [(run.places.get(one, 0), one) for one in others if one != finding.campaign_id][:_ALSO]


def _facts(f: Finding, advised: Sequence[Member], apart: Sequence[Member], least: float) -> list[tuple[str, str, str]]:
    """(label, figure, note) each; ``least`` is the smallest probability that is claimed."""
    facts = []
    if f.probability == f.probability:
        facts.append(("It is a campaign", probability(f.probability, least=least), f"{bits(f.score)} bits of evidence"))
    facts += [
        ("Accounts", count(f.accounts), f"{len(advised):,} recommended, {len(apart):,} listed apart"),
        (
            "Prompts",
            count(f.prompts),
            f"about {number(round(f.prompts / max(f.accounts, 1), 1))} per account",
        ),
    ]
    if f.orgs is not None:
        facts.append(("Organisations", count(f.orgs), ""))
    if f.first_seen is not None or f.last_seen is not None:
        active = f"active on {active_days(f):,} of {plural(len(f.days), 'day')}" if f.days else ""
        facts.append(("Seen", period(f.first_seen, f.last_seen), active))
    else:
        facts.append(("Seen", "unknown", "the dump gives no times"))
    together = next((e for e in f.evidence if e.id == _SIGN_UPS), None)
    if together is not None and together.value == together.value:
        facts.append(
            (
                "Signed up on one day",
                percent(together.value),
                f"of account pairs; normally {percent(together.expected)}",
            )
        )
    if f.probability != f.probability:
        facts.append(("Score", number(f.score), "for ranking; higher is stronger"))
    return facts


def _waterfall(ledger: Shown) -> dict[str, Any]:
    """A ledger with a bar for each step: the blocks with their rows, the prior, the rest, and the total."""
    steps, at = [svg.Step(before=0.0, after=ledger.prior, whole=True)], ledger.prior
    for block in ledger.blocks:
        steps.append(svg.Step(before=at, after=at + block.bits, whole=True))
        for line in block.lines:
            steps.append(svg.Step(before=at, after=at + line.bits))
            at += line.bits
    steps.append(svg.Step(before=at, after=at + ledger.rest, whole=True))
    steps.append(svg.Step(before=0.0, after=ledger.total, whole=True))
    bars = iter(svg.waterfall(steps))
    prior = next(bars)
    blocks = [(block, next(bars), [(line, next(bars)) for line in block.lines]) for block in ledger.blocks]
    return {
        "prior": (ledger.prior, prior),
        "blocks": blocks,
        "rest": (ledger.rest, next(bars)),
        "total": (ledger.total, next(bars)),
    }


def _inference(f: Finding, chance: str) -> str:
    beyond = [family for family in f.families if family != "text"]
    kinds = " and ".join(beyond) if len(beyond) < 3 else f"{', '.join(beyond[:-1])} and {beyond[-1]}"
    capped = [b for b in f.benign_explanations if b.verdict == "fits" and b.caps is not None]
    known = f.probability == f.probability
    text = f"Taken together, this is a campaign with a probability of {chance}. " if known else ""
    if f.tier == "urgent":
        text += (
            f"Independent kinds of evidence besides similar wording ({kinds}) point the same way: these "
            "accounts probably act together."
        )
    elif f.tier == "review":
        text += (
            f"Besides similar wording, {kinds} evidence carries weight by itself. "
            if beyond
            else "No single kind of evidence besides similar wording carries weight by itself. "
        ) + "That is worth a person's look, but it is not enough to treat the accounts as one operation."
    else:
        text += (
            "What there is may well come from an innocent group. Keep an eye on it; there is no ground for action yet."
        )
    if capped:
        reasons = ", ".join(b.name for b in capped)
        text += f" A hard rule fits ({reasons}), so the tier can be at most {capped[0].caps}."
    return text


def _innocent(f: Finding) -> list[tuple[str, list[BenignExplanation]]]:
    """(kind, explanations): those that fit, strongest first, and the others."""
    fits = [b for b in f.benign_explanations if b.verdict == "fits"]
    other = [b for b in f.benign_explanations if b.verdict != "fits"]
    return [("fit", sorted(fits, key=lambda b: b.bits or 0.0)), ("other", other)]


def _targets(f: Finding) -> list[tuple[str, Evidence | None]]:
    """Each capability target with the evidence for it."""
    intent = {e.id: e for e in f.evidence if e.family == "intent"}
    return [(target, intent.get(target_id(target))) for target in f.capability_targets]


def _by_family(f: Finding) -> list[tuple[str, bool, list[tuple[Evidence, bool]]]]:
    """Each family, whether it carries weight, and its measures, each with whether it differs from chance.

    Families that carry weight come first. The measures of the finding's targets are left out: the page shows them
    elsewhere.
    """
    of_targets = {e for _, e in _targets(f) if e is not None}
    order = [*f.families, *(e.family for e in f.evidence if e.family not in f.families)]
    groups = []
    for family in dict.fromkeys(order):
        measures = sorted(
            (e for e in f.evidence if e.family == family and e not in of_targets),
            key=lambda e: e.p_value if e.p_value == e.p_value else 2.0,
        )
        if measures:
            groups.append((str(family), family in f.families, [(e, e.p_value <= _SAYS) for e in measures]))
    return groups


def _running(template: Template) -> Markup:
    """The words of a template with each slot as a chip with its number and one value."""
    out: list[Markup] = []
    slot = 0
    room = 1_500
    for i, words in enumerate(template.words):
        if room <= 0:
            out.append(Markup('<span class="cut"> … and more; see campaigns.jsonl</span>'))
            break
        if words is None:
            values = template.slots[slot] if slot < len(template.slots) else ()
            example, left_out = cut(values[0] if values else "…", 28)
            out.append(
                Markup('<span class="slot"><b>{}</b> {}{}</span>').format(
                    slot + 1, html_text(example), "…" if left_out else ""
                )
            )
            slot += 1
            room -= 28
        else:
            out.append(html_text(words, room))
            room -= len(words)
        following = template.words[i + 1] if i + 1 < len(template.words) else ""
        if following is None or not _NO_SPACE_BEFORE.match(following):
            out.append(Markup(" "))
    return Markup("").join(out)


def _slots(template: Template) -> list[tuple[int, tuple[str, ...]]]:
    """(number, examples) of the slots that have examples."""
    return [(i + 1, values) for i, values in enumerate(template.slots) if values]
