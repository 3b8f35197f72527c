"""What a report opens with: what is new, what to look at first, and what to do."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from harvestdetect.data import TIERS, Detection, Finding, Status, Tier
from harvestdetect.report.format import least_claimed, period, plural, probability
from harvestdetect.report.next_steps import IN_SHORT, Step, best_explanation, next_steps

__all__ = ["NO_EXPLANATION", "ExplainedFindings", "News", "Opening", "Row", "Todo", "opening", "watch_groups"]

TOP: Final = 5
"""Findings that are shown first."""
NO_EXPLANATION: Final = "no benign explanation fits"
"""Name of the group of findings at watch that no benign explanation fits."""
_STATUS: Final = {
    "new": "found for the first time",
    "growing": "growing",
    "back": "back after a pause",
    "quiet": "gone quiet",
}
"""Status of a known campaign, in words."""
_VERDICT: Final = re.compile(r"judged it (harvest|benign|unsure) on (\d{4}-\d{2}-\d{2})")
"""What a verdict says, in the sentence of :class:`~harvestdetect.data.Standing`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One finding on the first page."""

    number: int
    """Its place among all findings, from 1."""
    finding: Finding
    title: str
    facts: str
    """How many accounts and prompts, since when, and how sure."""
    why: str
    """The kinds of evidence that carry weight."""
    status: str
    """What changed in this run; empty if nothing did, and without a state."""
    verdict: str
    """The verdict in force and its day, without name and note; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The findings of one status."""

    status: Status
    words: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedFindings:
    """Findings at watch with one benign explanation."""

    explanation: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What to do with the findings of a tier."""

    tier: Tier
    findings: int
    text: str
    step: Step
    """With the strongest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The first page."""

    news: tuple[News, ...]
    """Empty for a scan without a state, and if nothing changed."""
    top: tuple[Row, ...]
    """The strongest findings at urgent and review; at watch if there are no others."""
    todo: tuple[Todo, ...]
    groups: tuple[ExplainedFindings, ...]
    """The findings at watch, the largest group first."""
    judged: tuple[tuple[str, int], ...]
    """Verdicts in force and how many findings have each."""


def opening(detection: Detection) -> Opening:
    """What the report of a scan opens with.

    Args:
        detection: the answer of a scan.
    """
    least = least_claimed(detection.ledger)
    rows = [_row(f, number, least) for number, f in enumerate(detection.findings, start=1)]
    strong = [row for row in rows if row.finding.tier != "watch"]
    return Opening(
        news=tuple(
            News(status=status, words=_STATUS[status], rows=found)
            for status in get_args(Status)
            if (found := tuple(r for r in rows if _has_news(r.finding, status)))
        ),
        top=tuple((strong or rows)[:TOP]),
        todo=tuple(_todo(tier, of) for tier in TIERS if (of := [r for r in rows if r.finding.tier == tier])),
        groups=watch_groups(rows),
        judged=tuple(sorted(Counter(row.verdict.split()[1] for row in rows if row.verdict).items())),
    )


def watch_groups(rows: Sequence[Row]) -> tuple[ExplainedFindings, ...]:
    """The findings at watch, grouped by the benign explanation that fits each best; the largest group first."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.finding.tier == "watch":
            found[best_explanation(row.finding) or NO_EXPLANATION].append(row)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(ExplainedFindings(explanation=explanation, rows=tuple(group)) for explanation, group in ordered)


def _has_news(finding: Finding, status: Status) -> bool:
    """Whether this run gave a finding the status."""
    return finding.standing is not None and finding.standing.fresh and finding.standing.status == status


def _todo(tier: Tier, rows: Sequence[Row]) -> Todo:
    step = next(step for step in next_steps(rows[0].finding) if step.command)
    return Todo(tier=tier, findings=len(rows), text=IN_SHORT[tier], step=step)


def _row(finding: Finding, number: int, least: float) -> Row:
    facts = [plural(finding.accounts, "account"), plural(finding.prompts, "prompt")]
    if finding.first_seen is not None:
        facts.append(period(finding.first_seen, finding.last_seen))
    if finding.probability == finding.probability:
        facts.append(f"a campaign with a probability of {probability(finding.probability, least=least)}")
    standing = finding.standing
    return Row(
        number=number,
        finding=finding,
        title=finding.title or finding.summary,
        facts=", ".join(facts),
        why=", ".join(finding.families) or "none by itself",
        status=_STATUS[standing.status] if standing and standing.fresh else "",
        verdict=_verdict(standing.verdict) if standing else "",
    )


def _verdict(sentence: str) -> str:
    """A verdict without the name of the reviewer and the note, either of which may name an account."""
    found = _VERDICT.search(sentence)
    return "" if found is None else f"judged {found[1]} on {found[2]}"
