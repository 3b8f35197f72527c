"""Detections and findings as HTML for a notebook: small tables without scripts, styles or links.

Every text is escaped, and characters that cannot be seen are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from harvestdetect.data import Detection, Finding
from harvestdetect.notebook.tables import template_text
from harvestdetect.notebook.texts import headline
from harvestdetect.report.format import active_days, chance, count, period, plural
from harvestdetect.report.ledger import bits
from harvestdetect.util.escape import html_text

__all__ = ["detection_html", "finding_html"]

ROWS: Final = 20
"""Findings in the table of a detection."""
CHARACTERS: Final = 300
"""Most characters of a summary, of an id and of a row of the ledger."""
TEMPLATES: Final = 3
"""Templates of a finding that are shown."""
WORDS: Final = 800
"""Most characters of a template."""
LEDGER_ROWS: Final = 6
"""Rows of a ledger that are shown, the heaviest."""
WARNINGS: Final = 3
"""Warnings of a detection that are shown."""

_HEADINGS: Final = (
    "tier",
    "campaign",
    "probability",
    "accounts",
    "prompts",
    "days",
    "first – last",
    "what it asks for",
)


def detection_html(detection: Detection) -> str:
    """The strongest findings of a detection as a table, below one line about the scan."""
    pieces = [Markup("<p><strong>{}</strong></p>").format(headline(detection))]
    pieces += [Markup("<p>Warning: {}</p>").format(_text(warning)) for warning in detection.warnings[:WARNINGS]]
    if detection.findings:
        pieces.append(_table(_HEADINGS, (_row(finding, detection.ledger) for finding in detection.findings[:ROWS])))
    if (more := len(detection.findings) - ROWS) > 0:
        pieces.append(Markup("<p>{} more; <code>findings_table()</code> has all.</p>").format(count(more)))
    return _whole(pieces)


def finding_html(finding: Finding) -> str:
    """A finding as tables: its figures, its largest templates and the heaviest rows of its ledger."""
    pieces = [
        _table(_HEADINGS, [_row(finding)]),
        Markup('<p dir="auto">{}</p>').format(_text(finding.summary)),
    ]
    templates = sorted(finding.templates, key=lambda template: -template.prompts)
    for template in templates[:TEMPLATES]:
        sent = f"{plural(template.accounts, 'account')}, {plural(template.prompts, 'prompt')}"
        text = html_text(template_text(template), WORDS)
        pieces.append(Markup('<p>Template ({}): <span dir="auto">{}</span></p>').format(sent, text))
    if (more := len(templates) - TEMPLATES) > 0:
        pieces.append(Markup("<p>{} more.</p>").format(plural(more, "template")))
    if finding.ledger:
        rows = sorted((row for row in finding.ledger if row.family is not None), key=lambda row: -abs(row.bits))
        said = {evidence.id: evidence.sentence for evidence in finding.evidence}
        cells = [(bits(row.bits), row.name, row.sentence or said.get(row.id, "")) for row in rows[:LEDGER_ROWS]]
        pieces.append(_table(("bits", "row of the ledger", "what was seen"), cells))
    return _whole(pieces)


def _row(finding: Finding, ledger: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The cells of a finding."""
    days = active_days(finding)
    return (
        finding.tier,
        finding.campaign_id,
        chance(finding, ledger),
        count(finding.accounts),
        count(finding.prompts),
        count(days) if days else "–",
        period(finding.first_seen, finding.last_seen),
        finding.title or finding.summary,
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    head = Markup("").join(Markup("<th>{}</th>").format(heading) for heading in headings)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup('<td dir="auto">{}</td>').format(_text(cell)) for cell in row)
        )
        for row in rows
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)


def _text(text: str) -> Markup:
    return html_text(text, CHARACTERS)


def _whole(pieces: Iterable[Markup]) -> str:
    return str(Markup("<div>{}</div>").format(Markup("").join(pieces)))
