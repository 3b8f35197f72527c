"""Plots of the recall benchmark as SVG files, without scripts, for light and dark pages, with every text escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from benchmarks.results import OURS, JudgedGroup, Result, wilson
from benchmarks.scenarios import CENTRE, EVASIONS, GRID
from benchmarks.sources import WINDOW

__all__ = ["beside_plot", "days_plot", "grid_plot", "write_plots"]

STYLE: Final = """
svg{font:12px system-ui,sans-serif;background:#fff}
.t{fill:#1f2328}.s{fill:#59636e}.g{stroke:#d1d9e0}.w{stroke:#0a5bc4;stroke-width:1.5}.d{fill:#0a5bc4}
.o{fill:none;stroke:#bc4c00;stroke-width:1.5}.c{fill:#0a5bc4}.f{fill:none;stroke:#d1d9e0}.h{font-weight:600}
@media (prefers-color-scheme:dark){svg{background:#0d1117}.t{fill:#f0f6fc}.s{fill:#9198a1}.g,.f{stroke:#3d444d}
.w{stroke:#4c9aff}.d,.c{fill:#4c9aff}.o{stroke:#f0883e}}
"""
PANEL: Final = 370
"""Width of a small multiple, in pixels; its height depends on its levels."""
LABEL: Final = 190
"""Width of the labels at the left of a panel, in pixels."""
ROW: Final = 19
"""Height of a row, in pixels."""
COLUMNS: Final = 3
"""Panels side by side."""


def write_plots(results: Sequence[Result], folder: Path) -> list[Path]:
    """Writes the plots for which there are results; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in PLOTS.items():
        text = draw([r for r in results if not r.left_out])
        if text is not None:
            written.append(folder / f"{name}.svg")
            written[-1].write_text(text, encoding="utf-8")
    return written


def _svg(width: float, height: float, label: str, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}"><style>{STYLE}</style>'
        f"{''.join(body)}</svg>\n"
    )


def _text(x: float, y: float, text: str, *, kind: str = "t", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "g") -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _campaigns(results: Sequence[Result], scenario: str, *, part: str = "", detector: str = OURS) -> list[JudgedGroup]:
    return [
        g
        for r in results
        if r.detector == detector and not r.variant and (not part or r.part == part)
        for g in r.groups
        if g.kind == "campaign" and g.scenario == scenario
    ]


def grid_plot(results: Sequence[Result]) -> str | None:
    """Campaign recall by level of each factor, with 95 % Wilson intervals, beside account recall."""
    panels: list[tuple[str, list[tuple[str, list[JudgedGroup]]]]] = []
    for factor in CENTRE.levels:
        levels = [
            (level, found)
            for s in GRID
            for f, level in s.levels.items()
            if f == factor and (found := _campaigns(results, s.name, part="grid"))
        ]
        if len(levels) > 1:
            panels.append((factor, levels))
    if not panels:
        return None
    body = [
        _text(12, 20, "Campaigns found, with 95 % interval", kind="t h"),
        f'<circle class="d" cx="300" cy="16" r="4"/>{_text(310, 20, "campaigns", kind="s")}',
        f'<circle class="o" cx="392" cy="16" r="4"/>{_text(402, 20, "their accounts", kind="s")}',
    ]
    top = 34
    for first in range(0, len(panels), COLUMNS):
        side_by_side = panels[first : first + COLUMNS]
        for column, (factor, levels) in enumerate(side_by_side):
            body += _panel(PANEL * column, top, factor, levels)
        top += 56 + ROW * max(len(levels) for _, levels in side_by_side)
    return _svg(PANEL * min(COLUMNS, len(panels)), top, "Recall by level of each factor", body)


def _panel(left: float, top: float, factor: str, levels: Sequence[tuple[str, list[JudgedGroup]]]) -> list[str]:
    """Levels from top to bottom, recall from left to right."""
    zero, one = left + LABEL, left + PANEL - 24
    first, last = top + 24, top + 24 + ROW * len(levels)
    body = [_text(left + 12, top + 16, factor, kind="t h")]
    for share in (0.0, 0.5, 1.0):
        x = zero + (one - zero) * share
        body += [_line(x, first, x, last), _text(x, last + 14, f"{share:.1f}", kind="s", anchor="middle")]
    for i, (level, groups) in enumerate(levels):
        y = first + ROW * (i + 0.5)
        hits = sum(g.found for g in groups)
        at = [zero + (one - zero) * v for v in (hits / len(groups), *wilson(hits, len(groups)))]
        accounts = zero + (one - zero) * sum(g.covered / g.accounts for g in groups) / len(groups)
        title = escape(f"{factor} {level}: {hits} of {len(groups)} found")
        body += [
            _text(zero - 10, y + 4, level, kind="s", anchor="end"),
            f"<g><title>{title}</title>{_line(at[1], y, at[2], y, 'w')}"
            f'<circle class="d" cx="{at[0]:.1f}" cy="{y:.1f}" r="4"/>'
            f'<circle class="o" cx="{accounts:.1f}" cy="{y:.1f}" r="6"/></g>',
        ]
    return body


def beside_plot(results: Sequence[Result]) -> str | None:
    """Share of campaigns found by each detector, one row per scenario."""
    names = [OURS, *sorted({r.detector for r in results} - {OURS})]
    if len(names) == 1:
        return None
    label, cell, row, top = 210, 74, 20, 58
    body = [_text(12, 20, "Campaigns found by each detector on the same dumps", kind="t h")]
    body += [_text(label + cell * (i + 0.5), 46, name, kind="s", anchor="middle") for i, name in enumerate(names)]
    y = top
    for s in (*GRID, *EVASIONS):
        if not _campaigns(results, s.name):
            continue
        body.append(_text(12, y + 14, s.name))
        for i, name in enumerate(names):
            groups = _campaigns(results, s.name, detector=name)
            x = label + cell * i
            if groups:
                hits = sum(g.found for g in groups)
                body.append(
                    f'<rect class="c" x="{x + 2}" y="{y + 2}" width="{cell - 4}" height="{row - 4}" '
                    f'fill-opacity="{0.55 * hits / len(groups):.2f}"/>'
                )
                body.append(_text(x + cell / 2, y + 14, f"{hits}/{len(groups)}", anchor="middle"))
            body.append(f'<rect class="f" x="{x + 2}" y="{y + 2}" width="{cell - 4}" height="{row - 4}"/>')
        y += row
    return _svg(label + cell * len(names) + 12, y + 12, "Campaigns found by each detector", body)


def days_plot(results: Sequence[Result]) -> str | None:
    """Days until a campaign is found, one dot per seed."""
    own = [r for r in results if r.part == "days"]
    names = list(dict.fromkeys(g.scenario for r in own for g in r.groups if g.kind == "campaign"))
    if not names:
        return None
    label, wide, row, top = 170, 520, 24, 36
    bottom = top + row * len(names)
    body = [_text(12, 20, "Days from the first harvest prompt until the campaign is found", kind="t h")]
    for tick in range(0, WINDOW + 1, 5):
        x = label + wide * tick / WINDOW
        body += [_line(x, top, x, bottom), _text(x, bottom + 16, str(tick), kind="s", anchor="middle")]
    for i, name in enumerate(names):
        y = top + row * (i + 0.5)
        groups = _campaigns(own, name)
        body.append(_text(12, y + 4, name))
        for day in sorted(g.days for g in groups if g.days is not None):
            at = label + wide * min(day, WINDOW) / WINDOW
            body.append(f'<circle class="d" cx="{at:.1f}" cy="{y:.1f}" r="5" fill-opacity="0.6"/>')
        if missed := sum(g.days is None for g in groups):
            body.append(_text(label + wide + 10, y + 4, f"not found {missed} of {len(groups)}", kind="s"))
    return _svg(label + wide + 140, bottom + 28, "Days until a campaign is found", body)


PLOTS: Final[dict[str, Callable[[Sequence[Result]], str | None]]] = {
    "recall-grid": grid_plot,
    "recall-beside": beside_plot,
    "recall-days": days_plot,
}
"""The function that draws each file, by file name."""
