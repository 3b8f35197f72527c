"""The summary table on the terminal."""

from __future__ import annotations

import io
import math
import shutil
from typing import TYPE_CHECKING

from harvestdetect.data import Detection, Finding
from harvestdetect.report.format import (
    active_days,
    count,
    expected_innocent,
    files_read,
    least_claimed,
    period,
    plural,
    probability,
    prompts_read,
    standing_line,
    tier_counts,
)
from harvestdetect.report.reading import reading_lines, reject_line
from harvestdetect.util.escape import cut, shortened, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["summary_table"]

_STYLES = {"urgent": "bold red", "review": "yellow", "watch": "cyan"}
_HEADINGS = ("tier", "campaign", "probability", "accounts", "prompts", "days", "first – last", "carries weight")
_NUMBERS = {3, 4, 5}
_DROPPED = (7, 6, 5)
"""Columns that move below the row on a narrow terminal, in this order."""


_READING = 400
"""Most characters of a line that tells how files were read."""


def summary_table(detection: Detection, *, width: int | None, color: bool) -> str:
    """A table with an entry for each finding, totals, and how many findings of each tier may be innocent.

    An entry is a row of figures and, below it, the title and the summary, each on a line. The highest tier comes first.

    Args:
        detection: result of a scan.
        width: columns; None asks the terminal.
        color: whether to use ANSI colours. Without them the text has no escape sequences.

    Returns:
        Text that ends with a newline. Control characters and markup in ids and summaries are shown as text.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    buffer = io.StringIO()
    columns = max(40, width or shutil.get_terminal_size((100, 24)).columns)
    console = Console(
        file=buffer,
        width=columns,
        force_terminal=color,
        color_system="standard" if color else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    if not detection.findings:
        console.print(Text(_nothing(detection)))
        _print_reading(console, detection)
        return _without_blanks(buffer.getvalue(), color=color)

    least = least_claimed(detection.ledger)
    rows = [_cells(finding, least) for finding in detection.findings]
    widths = [max(Text(row[i]).cell_len for row in [_HEADINGS, *rows]) for i in range(len(_HEADINGS))]
    shown = list(range(len(_HEADINGS)))
    for dropped in _DROPPED:
        if sum(widths[i] + 2 for i in shown) - 2 <= columns:
            break
        shown.remove(dropped)
    console.print(_line(_HEADINGS, widths, shown, "dim"))
    for finding, row in zip(detection.findings, rows, strict=True):
        console.print(_line(row, widths, shown, _STYLES[finding.tier]))
        for below in _below(finding, row, shown):
            console.print(Padding(below, (0, 0, 0, widths[0] + 2)))
    console.print()
    console.print(Text(_totals(detection)))
    _print_reading(console, detection)
    for tier, found in tier_counts(detection).items():
        if innocent := expected_innocent(detection.expected_false.get(tier, math.nan), found):
            console.print(Text(f"{tier}: {plural(found, 'finding')}; {innocent}"))
    return _without_blanks(buffer.getvalue(), color=color)


def _print_reading(console: Console, detection: Detection) -> None:
    """Prints how the files were read, and why rows were rejected."""
    from rich.text import Text

    for line in [*reading_lines(detection.files), reject_line(detection.rejects)]:
        if line:
            console.print(Text(cut(visible(line), _READING)[0]))


def _without_blanks(text: str, *, color: bool) -> str:
    """A text without white space at the ends of lines; with colours it stays as it is."""
    return text if color else "".join(line.rstrip() + "\n" for line in text.splitlines())


def _below(finding: Finding, row: tuple[str, ...], shown: list[int]) -> list[Text]:
    """What stands below the row of a finding: its title, columns that did not fit, its standing and its summary."""
    from rich.text import Text

    lines = []
    moved = [_labelled(i, row[i]) for i in (5, 6, 7) if i not in shown and row[i] not in ("", "–")]
    if moved:
        lines.append(Text(" · ".join(moved), style="dim"))
    if finding.standing is not None:
        lines.append(Text(cut(visible(standing_line(finding.standing)), 400)[0], style="dim"))
    if finding.title:
        lines.insert(0, Text(cut(visible(finding.title), 400)[0], style="bold"))
    return [*lines, Text(shortened(visible(finding.summary), 400))]


def _cells(finding: Finding, least: float) -> tuple[str, ...]:
    """The cells of a finding; ``least`` is the smallest probability that is claimed."""
    days = active_days(finding)
    return (
        finding.tier,
        cut(visible(finding.campaign_id), 24)[0],
        probability(finding.probability, least=least),
        count(finding.accounts),
        count(finding.prompts),
        count(days) if days else "–",
        period(finding.first_seen, finding.last_seen),
        ", ".join(finding.families) or "–",
    )


def _labelled(column: int, cell: str) -> str:
    if column == 5:
        return f"{cell} day" if cell == "1" else f"{cell} days"
    return cell


def _line(cells: tuple[str, ...], widths: list[int], shown: list[int], style: str) -> object:
    from rich.text import Text

    line = Text(no_wrap=True, overflow="ellipsis")
    for i in shown:
        gap = " " * (widths[i] - Text(cells[i]).cell_len)
        line.append(gap if i in _NUMBERS else "")
        line.append(cells[i], style=style if i == 0 or style == "dim" else "")
        line.append(("" if i in _NUMBERS else gap) + "  ")
    line.rstrip()
    return line


def _totals(detection: Detection) -> str:
    tiers = ", ".join(f"{n:,} {tier}" for tier, n in tier_counts(detection).items())
    members = {member.account for finding in detection.findings for member in finding.members}
    advised = {m.account for finding in detection.findings for m in finding.members if m.recommended}
    parts = [
        f"{plural(len(detection.findings), 'finding')}: {tiers}",
        f"{plural(len(members), 'account')} in them, {len(advised):,} recommended for action",
        _read(detection),
    ]
    return " · ".join(parts)


def _read(detection: Detection) -> str:
    accounts = detection.counts.get("accounts")
    of = f" of {plural(int(accounts), 'account')}" if accounts is not None else ""
    files = plural(files_read(detection), "file")
    rejects = plural(int(detection.counts.get("rejects", len(detection.rejects))), "reject")
    if "new_rows" in detection.counts:  # of a scan into a state
        new = f"{plural(detection.counts['new_rows'], 'new prompt')} in {plural(detection.counts['new_files'], 'file')}"
        return f"in window: {plural(prompts_read(detection), 'prompt')}{of} in {files}; read {new}, {rejects}"
    return f"read {plural(prompts_read(detection), 'prompt')}{of} in {files}, {rejects}"


def _nothing(detection: Detection) -> str:
    least = detection.settings.get("min_accounts")
    needed = f"at least {least} accounts" if isinstance(least, int) else "several accounts"
    return f"No campaign found; {_read(detection)}. A finding needs {needed} that send the same template."
