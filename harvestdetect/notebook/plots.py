"""Pictures as SVG: the timeline and the ledger of a finding, and the map of a scan.

A picture stands alone: it brings its colours, has its own light ground, and has neither script nor link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markupsafe import Markup

from harvestdetect.arguments import path_of
from harvestdetect.data import Detection, Finding
from harvestdetect.errors import OutputError, UsageError
from harvestdetect.report.ledger import Shown, bits, shown_ledger
from harvestdetect.report.map_svg import WIDTH as MAP_WIDTH
from harvestdetect.report.map_svg import map_parts
from harvestdetect.report.svg import AXIS, HEIGHT, Step, timeline_bars, waterfall
from harvestdetect.util.escape import cut, visible

__all__ = ["Plot", "plot_ledger", "plot_map", "plot_timeline"]

WIDTH: Final = 760
"""Width of a picture, in pixels."""
EDGE: Final = 12
"""Empty border of a picture, in pixels."""
LINE: Final = 20
"""Height of a line of text, in pixels."""
LABELS: Final = 400
"""Width of the labels of a ledger, in pixels."""
FIGURES: Final = 56
"""Width of the column of bits of a ledger, in pixels."""
CHARACTERS: Final = 56
"""Most characters of a label."""
ROWS: Final = 40
"""Most rows of a ledger in a picture."""
_STYLE: Final = Markup(
    ".hd-plot text{font:12px system-ui,'Liberation Sans',Arial,sans-serif;fill:#3d4148}"
    ".hd-plot .head{font-size:13px;font-weight:600;fill:#15181d}"
    ".hd-plot .ground{fill:#fff}.hd-plot .grid{stroke:#dcdfe4}.hd-plot .bar{fill:#2f6db3}"
    ".hd-plot .zero{stroke:#5b6068}.hd-plot .step rect{transform:translateY(-7px)}"
    ".hd-plot .step rect.row{transform:translateY(-4px)}"
    ".hd-plot .for{fill:#b5481d}.hd-plot .for.row{fill:#e09a7b}"
    ".hd-plot .m-rest{fill:none;stroke:#b3b7bd;stroke-width:3.2px;stroke-linecap:round}.hd-plot .m-other{fill:#6a7078}"
    ".hd-plot .m0{fill:#0067a5}.hd-plot .m1{fill:#c44e00}.hd-plot .m2{fill:#00805c}.hd-plot .m3{fill:#b0568f}"
    ".hd-plot .m4{fill:#8f6a00}.hd-plot .m5{fill:#2f8fc4}.hd-plot .m6{fill:#6b4fa3}.hd-plot .m7{fill:#2b2f36}"
    ".hd-plot .against{fill:#1f6f8b}.hd-plot .against.row{fill:#7fb5c7}"
)


@dataclass(frozen=True, slots=True, repr=False)
class Plot:
    """A picture that a notebook shows."""

    svg: str
    """An SVG document. It has no script, and all text in it is escaped."""

    def save(self, path: str | Path) -> Path:
        """Writes the picture into a file, and returns its path.

        Raises:
            OutputError: the file cannot be written, or its name ends as that of another format.
            UsageError: it is no path.
        """
        file = path_of(path, "path")
        if file.suffix.lower() not in (".svg", ""):
            raise OutputError(f"a plot is written as SVG: name {file.stem}.svg in place of {file.name}")
        try:
            file.write_text(self.svg + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {file}: {error.strerror or error}; name another file") from None
        return file

    def __repr__(self) -> str:
        return f"Plot: SVG of {len(self.svg):,} characters; save(path) writes it"

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return self.svg


def plot_timeline(finding: Finding) -> Plot:
    """The prompts of a finding by day.

    Raises:
        UsageError: the finding has no times.
    """
    if not finding.days:
        raise UsageError(f"{finding.campaign_id} has no timeline, because its prompts have no times")
    bars = timeline_bars(finding.days)
    left, top = EDGE + AXIS + 8, EDGE + LINE
    pieces = [
        _head(f"{finding.campaign_id}: {bars.caption[0].lower()}{bars.caption[1:]}"),
        Markup('<svg x="{}" y="{}" width="{}" height="{}">{}</svg>').format(EDGE, top, AXIS, HEIGHT, bars.axis),
        Markup('<svg x="{}" y="{}" width="{}" height="{}" overflow="visible">{}</svg>').format(
            left, top, WIDTH - left - EDGE, HEIGHT, bars.plot
        ),
    ]
    return _picture(pieces, height=top + HEIGHT + EDGE, label=bars.label)


def plot_ledger(finding: Finding) -> Plot:
    """What speaks for a campaign and against one, in bits: how the rows of the ledger add up to the score.

    Raises:
        UsageError: the finding has no ledger, as in results of older versions.
    """
    ledger = shown_ledger(
        finding.ledger, total=finding.score, evidence=finding.evidence, benign=finding.benign_explanations
    )
    if ledger is None:
        raise UsageError(f"{finding.campaign_id} has no ledger: it was found by an older version; scan again")
    rows = _rows(ledger)
    bars = waterfall([step for _, _, step in rows])
    pieces = [
        _head(f"{finding.campaign_id}: evidence in bits, left for an innocent group, right for a campaign"),
    ]
    for i, ((label, value, step), bar) in enumerate(zip(rows, bars, strict=True)):
        y = EDGE + LINE * (i + 1)
        name, left_out = cut(visible(label), CHARACTERS)
        kind = Markup(' class="head"') if step.whole else Markup("")
        pieces.append(
            Markup(
                '<text{} x="{}" y="{}">{}</text><svg x="{}" y="{}" width="{}" height="18">{}</svg>'
                '<text{} x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(
                kind, EDGE if step.whole else EDGE + 14, y + 14, name + ("…" if left_out else ""),
                LABELS, y, WIDTH - LABELS - FIGURES - EDGE, bar,
                kind, WIDTH - EDGE, y + 14, bits(value),
            )
        )  # fmt: skip
    label = f"Evidence on {finding.campaign_id}: {bits(ledger.total)} bits in all"
    return _picture(pieces, height=EDGE * 2 + LINE * (len(rows) + 1), label=label)


def plot_map(detection: Detection) -> Plot:
    """A sample of the prompts of a scan in the plane: prompts with similar wording lie close together.

    Raises:
        UsageError: the detection has no map.
    """
    if detection.map is None:
        raise UsageError("the detection has no map; scan again with make_map=True, the default")
    parts = map_parts(detection.map, detection.findings, prompts=int(detection.counts.get("prompts", 0)) or None)
    pieces = [parts.picture]
    for i, line in enumerate(parts.legend):
        name = "" if line.place is None else f"{visible(detection.findings[line.place].campaign_id)} "
        y = parts.height + LINE * i
        pieces.append(
            Markup('<svg x="{}" y="{}" width="14" height="14">{}</svg><text x="{}" y="{}">{}</text>').format(
                EDGE, y, line.sign, EDGE + 20, y + 12, name + line.text
            )
        )
    height = parts.height + LINE * len(parts.legend) + EDGE
    return _picture(pieces, height=height, label=parts.label, width=MAP_WIDTH)


def _rows(ledger: Shown) -> list[tuple[str, float, Step]]:
    """(label, bits, bar) of each line of the picture. Of a very long ledger, the lightest rows are one line."""
    every = sorted((abs(line.bits) for block in ledger.blocks for line in block.lines), reverse=True)
    least = every[ROWS] if len(every) > ROWS else 0.0
    at = ledger.prior
    rows = [("before any evidence", at, Step(before=0.0, after=at, whole=True))]
    for block in ledger.blocks:
        rows.append((block.family, block.bits, Step(before=at, after=at + block.bits, whole=True)))
        light = 0.0
        for line in block.lines:
            if abs(line.bits) <= least and least:
                light += line.bits
                continue
            rows.append((line.name, line.bits, Step(before=at, after=at + line.bits)))
            at += line.bits
        if light:
            rows.append(("other rows", light, Step(before=at, after=at + light)))
            at += light
    if ledger.rest:
        rows.append(("rows that say next to nothing", ledger.rest, Step(before=at, after=at + ledger.rest, whole=True)))
    rows.append(("total", ledger.total, Step(before=0.0, after=ledger.total, whole=True)))
    return rows


def _head(text: str) -> Markup:
    return Markup('<text class="head" x="{}" y="{}">{}</text>').format(EDGE, EDGE + 8, visible(text))


def _picture(pieces: Sequence[Markup], *, height: int, label: str, width: int = WIDTH) -> Plot:
    svg = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="hd-plot" width="{0}" height="{1}" viewBox="0 0 {0} {1}" '
        'role="img" aria-label="{2}"><style>{3}</style><rect class="ground" width="100%" height="100%"/>{4}</svg>'
    ).format(width, height, visible(label), _STYLE, Markup("").join(pieces))
    return Plot(str(svg))
