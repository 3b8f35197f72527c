"""Detections and findings in a few lines of plain text: what ``repr`` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harvestdetect.data import Detection, Finding
from harvestdetect.report.format import chance, files_read, period, plural, prompts_read, tier_counts
from harvestdetect.util.escape import shortened, visible

__all__ = ["detection_text", "finding_text", "headline"]

SHOWN: Final = 5
"""Findings in the text of a detection."""
CHARACTERS: Final = 120
"""Most characters of a title, a summary and an id."""


def detection_text(detection: Detection) -> str:
    """A detection in at most eight lines: what was found, in how much, and its strongest findings."""
    lines = [f"Detection: {headline(detection)}"]
    lines += [f"  {_line(finding, detection.ledger)}" for finding in detection.findings[:SHOWN]]
    if (more := len(detection.findings) - SHOWN) > 0:
        lines.append(f"  and {more:,} more; findings_table() has all")
    if detection.warnings:
        lines.append(f"  {plural(len(detection.warnings), 'warning')} about how the dump was read; see .warnings")
    return "\n".join(lines)


def finding_text(finding: Finding) -> str:
    """A finding in three lines."""
    said = [_cut(text) for text in (finding.title, finding.summary) if text]
    return "\n  ".join([f"Finding: {_line(finding)}", *said])


def headline(detection: Detection) -> str:
    """What was found and in how much, such as ``3 findings (1 urgent, 2 review) in 24,000 prompts of 900 accounts``."""
    tiers = ", ".join(f"{number:,} {tier}" for tier, number in tier_counts(detection).items())
    found = f"{plural(len(detection.findings), 'finding')} ({tiers})" if tiers else "no finding"
    read = plural(prompts_read(detection), "prompt")
    if (accounts := detection.counts.get("accounts")) is not None:
        read += f" of {plural(int(accounts), 'account')}"
    files, rejects = files_read(detection), int(detection.counts.get("rejects", len(detection.rejects)))
    read += f" in {plural(files, 'file')}" if files else ""
    return f"{found} in {read}" + (f", {plural(rejects, 'reject')}" if rejects else "")


def _line(finding: Finding, ledger: Mapping[str, Any] | None = None) -> str:
    """A finding in one line, with its title if the ledger of its detection is given."""
    parts = [
        finding.tier,
        _cut(finding.campaign_id),
        f"a campaign: {chance(finding, ledger)}",
        plural(finding.accounts, "account"),
        plural(finding.prompts, "prompt"),
    ]
    if finding.first_seen is not None or finding.last_seen is not None:
        parts.append(period(finding.first_seen, finding.last_seen))
    if ledger is not None and finding.title:
        return f"{', '.join(parts)}: {_cut(finding.title)}"
    return ", ".join(parts)


def _cut(text: str) -> str:
    return shortened(visible(text), CHARACTERS)
