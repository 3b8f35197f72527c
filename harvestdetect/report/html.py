"""The report: one HTML file that needs no network, no script and nobody to explain it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from markupsafe import Markup

from harvestdetect.corpus.account_fields import FIELD_NAMES
from harvestdetect.data import TIERS, BenignExplanation, Detection, Evidence, Finding, Member, Template
from harvestdetect.evidence.measures import target_id
from harvestdetect.judge.members import shipped
from harvestdetect.judge.triage import CARRIES, URGENT, WATCH
from harvestdetect.report import svg
from harvestdetect.report.format import (
    active_days,
    count,
    day,
    expected_innocent,
    few,
    files_read,
    found_because,
    least_claimed,
    number,
    p_value,
    percent,
    period,
    plural,
    probability,
    prompts_read,
    rough,
    size,
    standing_line,
    tier_counts,
)
from harvestdetect.report.ledger import ONE_BIT, Shown, bits, shown_ledger
from harvestdetect.report.reading import reading_lines
from harvestdetect.util.escape import cut, html_text, json_text, visible

__all__ = ["html_report"]

_MAX_BYTES: Final = 3_000_000
"""Bytes of the page, about, beyond which fewer findings are shown in full."""
_TEXT: Final = 600
"""Characters of a prompt that are shown."""
_SAYS: Final = 0.05
"""Largest p-value of a measure that is not dimmed."""
_COLUMNS: Final = 24
"""Templates that a matrix shows."""
_BLOCK: Final = 30
"""Rows of a matrix; the next rows go into a matrix beside it."""

_NO_SPACE_BEFORE: Final = re.compile(r"[\s.,;:!?)\]}»”]|$")
"""Beginnings of texts that follow a slot without a space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """How much is shown, so that the file stays small enough to mail."""

    findings: int
    """Shown in full."""
    rows: int = 250
    """Of the table of findings."""
    members: int
    matrix: int
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


def _limits(findings: int) -> _Limits:
    n = max(findings, 1)
    return _Limits(
        findings=findings,
        members=max(30, min(200, 2_500 // n)),
        matrix=max(20, min(60, 1_500 // n)),
        templates=max(4, min(12, 240 // n)),
    )


def html_report(detection: Detection) -> str:
    """The whole answer as one self-contained page under a strict Content-Security-Policy.

    It has no script, no link out and no style attribute. At most 50 findings are shown in full, fewer
    where the page would pass 3 MB; the page says what is left out, and which file has it.

    Args:
        detection: the answer of a scan.
    """
    shown = min(50, len(detection.findings))
    while True:
        page = _render(detection, _limits(shown))
        if len(page) * 1.1 < _MAX_BYTES or shown <= 1:
            return page
        shown //= 2


def _render(detection: Detection, limits: _Limits) -> str:
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    least = least_claimed(detection.ledger)
    page: str = _template().render(
        style=Markup(style),
        csp=(
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'none'; script-src 'none'; "
            "base-uri 'none'; form-action 'none'"
        ),
        d=detection,
        limits=limits,
        headline=_headline(detection),
        tiles=_tiles(detection),
        standing=_standing(detection),
        tiers=TIERS,
        calibration=_calibration(detection),
        least=_setting(detection, "min_accounts"),
        fdr=_setting(detection, "fdr"),
        advised_from=f"{shipped().cut:g}",
        rates=_rates(detection),
        one_bit=ONE_BIT,
        tested=detection.ledger.get("held_out"),
        findings=[_finding(f, limits, i, least) for i, f in enumerate(detection.findings[: limits.findings])],
        rows=detection.findings[: limits.rows],
        chances=[probability(f.probability, least=least) for f in detection.findings[: limits.rows]],
        rejects=Counter(r.reason for r in detection.rejects).most_common(),
        rejects_in_all=int(detection.counts.get("rejects", len(detection.rejects))),
        read_as=reading_lines(detection.files),
        peak=max((s.peak_memory_mb for s in detection.stages), default=0.0),
        seconds=sum(s.seconds for s in detection.stages),
        old=bool(detection.findings) and not any(f.ledger for f in detection.findings),
    )
    return page


# ---------------------------------------------------------------- what the template is given


def _headline(detection: Detection) -> str:
    tiers = tier_counts(detection)
    if not tiers:
        return "No coordinated campaign was found"
    parts = [f"{n:,} {tier}" for tier, n in tiers.items()]
    return f"{plural(len(detection.findings), 'suspected campaign')}: {', '.join(parts)}"


def _standing(detection: Detection) -> list[tuple[str, str, str]]:
    """(tier, findings, how many of them may be innocent) of each tier in use."""
    expected = detection.expected_false
    return [
        (tier, plural(n, "finding"), expected_innocent(expected[tier], n) if tier in expected else "")
        for tier, n in tier_counts(detection).items()
    ]


def _rates(detection: Detection) -> dict[str, str]:
    """Tier -> the largest probability of innocence that it takes; empty where the rate of the scan is not known."""
    fdr = _setting(detection, "fdr")
    times = {"urgent": URGENT, "review": 1.0, "watch": WATCH}
    return {} if fdr is None else {tier: percent(min(fdr * n, 1.0)) for tier, n in times.items()}


def _calibration(detection: Detection) -> dict[str, Any] | None:
    """What the page says of the calibration; None without one."""
    calibration = detection.calibration
    if not calibration:
        return None
    rates = calibration.get("expected_findings") or {}
    return {
        "file": str(calibration.get("file", "")),
        "digest": calibration.get("sha256"),
        "created": calibration.get("created"),
        "candidates": calibration.get("candidates"),
        "rates": [(tier, rates[tier]) for tier in TIERS if tier in rates],
    }


def _tiles(detection: Detection) -> list[tuple[str, str, str]]:
    """(figure, label, note) each."""
    counts = detection.counts
    members = {m.account for f in detection.findings for m in f.members}
    advised = {m.account for f in detection.findings for m in f.members if m.recommended}
    files = detection.files
    tiles = [(count(prompts_read(detection)), "prompts read", "")]
    if "accounts" in counts:
        tiles.append((count(int(counts["accounts"])), "accounts seen", ""))
    read = size(sum(f.bytes for f in files)) if files else ""
    tiles.append((count(files_read(detection)), "file" if files_read(detection) == 1 else "files", read))
    tiles.extend(_period_tile(detection))
    rejects = int(counts.get("rejects", len(detection.rejects)))
    tiles.append((count(rejects), "rows rejected", "could not be read" if rejects else "everything was read"))
    if detection.findings:
        tiles.append((count(len(members)), "accounts in findings", f"{len(advised):,} recommended for action"))
    return tiles


def _period_tile(detection: Detection) -> list[tuple[str, str, str]]:
    counts = detection.counts
    if "first_seen" in counts and "last_seen" in counts:
        first, last, label = int(counts["first_seen"]), int(counts["last_seen"]), "period of the dump"
    else:
        firsts = [f.first_seen for f in detection.findings if f.first_seen is not None]
        lasts = [f.last_seen for f in detection.findings if f.last_seen is not None]
        if not firsts or not lasts:
            return []
        first, last, label = min(firsts), max(lasts), "period of the findings"
    return [(day(first), label, "" if day(first) == day(last) else f"to {day(last)}")]


def _setting(detection: Detection, name: str) -> float | None:
    value = detection.settings.get(name)
    return value if isinstance(value, int | float) else None


def _finding(finding: Finding, limits: _Limits, position: int, least: float) -> dict[str, Any]:
    """What the page shows of a finding; ``least`` is the smallest probability that is claimed."""
    chance = probability(finding.probability, least=least)
    ledger = shown_ledger(
        finding.ledger, total=finding.score, evidence=finding.evidence, benign=finding.benign_explanations
    )
    advised = [m for m in finding.members if m.recommended]
    apart = [m for m in finding.members if not m.recommended]
    active = sorted(finding.members, key=lambda m: (-m.harvest_prompts, m.account))[: limits.matrix]
    columns = sorted(finding.templates, key=lambda t: -t.prompts)
    names = {t.template_id: f"T{i + 1}" for i, t in enumerate(columns)}
    shown = columns[:_COLUMNS]
    return {
        "f": finding,
        "open": position < 3,
        "facts": _facts(finding, advised, apart, least),
        "found": found_because(finding.ways),
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
            for i in range(0, len(active) if shown else 0, _BLOCK)
        ],
        "matrix_rows": len(active),
        "matrix_columns": len(shown),
        "templates": [(names[t.template_id], t, _running(t), _slots(t)) for t in columns[: limits.templates]],
        "standing": standing_line(finding.standing) if finding.standing is not None else "",
        "targets": _targets(finding),
        "evidence": _by_family(finding),
        "member_groups": [
            ("recommended", advised[: limits.members], len(advised)),
            ("apart", apart[: limits.members], len(apart)),
        ],
    }


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
            "accounts probably act together. Look at this one first."
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


# ---------------------------------------------------------------- jinja


def _finalize(value: Any) -> Any:
    """Whatever is printed is text without invisible characters, then escaped; Markup is left as it is."""
    if value is None:
        return ""
    return value if isinstance(value, Markup | int) else visible(str(value), keep_lines=True)


def _prompt(text: str) -> Markup:
    return html_text(text, _TEXT) if text.strip() else Markup('<span class="cut">(empty text)</span>')


def _join(values: Iterable[str]) -> str:
    return ", ".join(values)


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "n": count,
        "number": number,
        "p": p_value,
        "rough": rough,
        "bits": bits,
        "few": few,
        "field": lambda name: FIELD_NAMES.get(name, name),
        "percent": percent,
        "plural": plural,
        "day": day,
        "size": size,
        "prompt": _prompt,
        "short": html_text,
        "json": lambda value: json_text(value),
        "list": list,
        "comma": _join,
    }
    environment.globals |= {"period": period, "SHADES": svg.SHADES, "CARRIES": CARRIES}
    return environment.from_string(_resource("report.html.j2"))


@cache
def _style() -> str:
    return _resource("report.css")


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
