"""The report: one HTML file that needs no network, no script and nobody to explain it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from markupsafe import Markup

from harvestdetect.arguments import wrong
from harvestdetect.data import TIERS, Detection
from harvestdetect.judge.triage import URGENT, WATCH
from harvestdetect.report.finding import Limits, finding_section, limits_of, run_facts
from harvestdetect.report.format import (
    count,
    day,
    expected_innocent,
    files_read,
    least_claimed,
    percent,
    plural,
    probability,
    prompts_read,
    size,
    tier_counts,
)
from harvestdetect.report.map_svg import map_svg
from harvestdetect.report.opening import opening
from harvestdetect.report.pages import page_policy, page_style, page_template
from harvestdetect.report.reading import reading_lines

__all__ = ["finding_section", "headline", "html_report", "page_style", "standing", "tiles"]

_MAX_BYTES: Final = 3_000_000
"""Bytes of the page, about, beyond which fewer findings are shown in full."""
_UNFOLDED: Final = 3
"""Findings whose main parts stand open."""


def html_report(detection: Detection) -> str:
    """The whole answer as one self-contained page under a strict Content-Security-Policy.

    It has no script, no link out and no style attribute. At most 50 findings are shown in full, fewer
    where the page would pass 3 MB; the page says what is left out, and which file has it.

    Args:
        detection: the answer of a scan.

    Raises:
        UsageError: it is of another type.
    """
    if not isinstance(detection, Detection):
        raise wrong("detection", "what detect returns", detection)
    shown = min(50, len(detection.findings))
    while True:
        page = _render(detection, limits_of(shown))
        if len(page) * 1.1 < _MAX_BYTES or shown <= 1:
            return page
        shown //= 2


def _render(detection: Detection, limits: Limits) -> str:
    style, least = page_style(), least_claimed(detection.ledger)
    run = run_facts(detection, shown=limits.findings)
    first = opening(detection)
    page: str = page_template("report.html.j2").render(
        style=Markup(style),
        csp=page_policy(style),
        d=detection,
        limits=limits,
        headline=headline(detection),
        tiles=tiles(detection),
        standing=standing(detection),
        tiers=TIERS,
        calibration=_calibration(detection),
        least=_setting(detection, "min_accounts"),
        fdr=_setting(detection, "fdr"),
        advised_from=f"{run.recommended_from:g}",
        rates=_rates(detection),
        tested=detection.ledger.get("held_out"),
        findings=[
            finding_section(f, run=run, number=i, unfolded=i <= _UNFOLDED, limits=limits)
            for i, f in enumerate(detection.findings[: limits.findings], start=1)
        ],
        first=first,
        rows=[
            (number, f, probability(f.probability, least=least))
            for number, f in enumerate(detection.findings[: limits.rows], start=1)
            if f.tier != "watch"
        ],
        groups=[
            (
                group.explanation,
                [
                    (row.number, row.finding, probability(row.finding.probability, least=least))
                    for row in group.rows
                    if row.number <= limits.rows
                ],
            )
            for group in first.groups
        ],
        rejects=Counter(r.reason for r in detection.rejects).most_common(),
        rejects_in_all=int(detection.counts.get("rejects", len(detection.rejects))),
        read_as=reading_lines(detection.files),
        peak=max((s.peak_memory_mb for s in detection.stages), default=0.0),
        seconds=sum(s.seconds for s in detection.stages),
        map=_map(detection, limits),
        old=bool(detection.findings) and not any(f.ledger for f in detection.findings),
    )
    return page


# ---------------------------------------------------------------- what the template is given


def _map(detection: Detection, limits: Limits) -> Markup | None:
    """The map; None without one, or without a finding to see on it."""
    if detection.map is None or not detection.findings or not detection.map.num_rows:
        return None
    return map_svg(
        detection.map,
        detection.findings,
        linked=limits.findings,
        prompts=int(detection.counts.get("prompts", 0)) or None,
    )


def headline(detection: Detection) -> str:
    """How many findings there are at each tier."""
    tiers = tier_counts(detection)
    if not tiers:
        return "No coordinated campaign was found"
    parts = [f"{n:,} {tier}" for tier, n in tiers.items()]
    return f"{plural(len(detection.findings), 'suspected campaign')}: {', '.join(parts)}"


def standing(detection: Detection) -> list[tuple[str, str, str]]:
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


def tiles(detection: Detection) -> list[tuple[str, str, str]]:
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
