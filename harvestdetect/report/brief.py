"""The brief: one printed page for people who decide, without the evidence of each finding."""

from __future__ import annotations

from markupsafe import Markup

from harvestdetect.data import Detection
from harvestdetect.report.format import day
from harvestdetect.report.html import headline, standing, tiles
from harvestdetect.report.opening import Opening, opening
from harvestdetect.report.pages import page_policy, page_style, page_template

__all__ = ["brief_page"]


def brief_page(detection: Detection) -> str:
    """The answer of a scan on one page of A4, as self-contained as the report.

    It says what is new, names the five strongest findings, what to do, and how sure it is. It has titles, counts
    and days, and no account, address or whole text.

    Args:
        detection: the answer of a scan.
    """
    style = page_style("report.css", "brief.css")
    first = opening(detection)
    counts = detection.counts
    read = ""
    if "first_seen" in counts and "last_seen" in counts:
        read = f"{day(int(counts['first_seen']))} to {day(int(counts['last_seen']))}"
    page: str = page_template("brief.html.j2").render(
        style=Markup(style),
        csp=page_policy(style),
        headline=headline(detection),
        in_short=_in_short(detection, first),
        read=read,
        tiles=[one for one in tiles(detection) if not one[1].startswith("period")],
        first=first,
        others=sum(len(group.rows) for group in first.groups[4:]),
        standing=standing(detection),
        missing=counts.get("missing_files", 0),
        warnings=len(detection.warnings),
    )
    return page


def _in_short(detection: Detection, first: Opening) -> str:
    """The result in one or two sentences."""
    if not detection.findings:
        return "No group of accounts looks more like one operation than like innocent people."
    strong = [f for f in detection.findings if f.tier != "watch"]
    if not strong:
        return "Only weak findings, which may well be innocent groups. Nothing needs action today."
    accounts = {m.account for f in strong for m in f.members if m.recommended}
    targets = list(dict.fromkeys(t for f in strong for t in f.capability_targets[:1]))
    after = f" Most of all they ask for {', '.join(targets[:3])}." if targets else ""
    look = (
        "account looks like part of an operation that collects"
        if len(accounts) == 1
        else ("accounts look like parts of operations that collect")
    )
    return (
        f"{len(accounts):,} {look} answers of the model: those recommended for action in findings at urgent or review."
        f"{after}"
    )
