"""The map as inline SVG: a point for each prompt, findings by colour and by shape, no script and no style attribute.

Colours come from the classes in ``report.css``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from markupsafe import Markup

from harvestdetect.data import Finding
from harvestdetect.report.format import count, plural
from harvestdetect.util.escape import cut, shortened, visible

__all__ = ["COLORS", "WIDTH", "MapLine", "MapParts", "map_parts", "map_svg"]

WIDTH: Final = 960
"""Width of the map, in units of its own; it is drawn as wide as the page."""
EDGE: Final = 12
"""Empty border around the points, in the same units."""
LEAST_HEIGHT: Final = 240
"""Least height of the map, in the same units."""
MOST_HEIGHT: Final = 640
"""Largest height of the map, in the same units. A taller one is pressed together."""
COLORS: Final = 8
"""Number of colours. With the shapes, they tell 24 findings apart."""
NAMED: Final = 12
"""Most findings with a colour, a shape and a line in the legend. The others share one sign."""
TITLE: Final = 80
"""Most characters of a title in the legend."""
CHARACTERS: Final = 60
"""Most characters of an account in a tooltip."""

_SHAPES: Final = (
    "m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
    "m-3.3-3.3h6.6v6.6h-6.6z",
    "m0-4.3l4.2 7.4h-8.4z",
    "m0-4.6l4.6 4.6l-4.6 4.6l-4.6-4.6z",
    "m0 4.3l4.2-7.4h-8.4z",
    "m-1.4-4.4h2.8v3h3v2.8h-3v3h-2.8v-3h-3v-2.8h3z",
)
"""Circle, square, triangle, diamond, triangle on its tip, plus: each as a path around its centre."""
_OTHER: Final = "m-2.6-2.6h5.2v5.2h-5.2z"
"""Sign of the findings without one of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapLine:
    """A line of the legend of a map."""

    place: int | None
    """The finding, by its place among those of the map; None for several findings, and for the other prompts."""
    sign: Markup
    """The sign around the point (7, 7), with its class."""
    text: str
    """What it stands for, without the id of the finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapParts:
    """The pieces of a map."""

    picture: Markup
    """The points, in an area of :data:`WIDTH` by ``height``."""
    height: int
    label: str
    """What the picture shows, for readers who do not see it."""
    legend: tuple[MapLine, ...]


def map_svg(
    table: pa.Table,
    findings: Sequence[Finding],
    *,
    linked: int = 0,
    only: str | None = None,
    prompts: int | None = None,
) -> Markup:
    """The map of a scan as a figure with a legend, in the style of ``page_style()``.

    Args:
        table: see :data:`harvestdetect.data.MAP_COLUMNS`.
        findings: of the scan, strongest first. The first :data:`NAMED` have a colour and a shape of their own.
        linked: so many of the findings are on the same page, with the ids ``finding-1`` and so on.
        only: campaign id of the one finding that is shown among the traffic; None shows all.
        prompts: of the dump, for the legend; None leaves them out.
    """
    parts = map_parts(table, findings, only=only, prompts=prompts)
    shown = _shown(findings, only)
    items = []
    for line in parts.legend:
        name = Markup("")
        if line.place is not None:
            name = Markup("{} ").format(visible(shown[line.place].campaign_id))
            if line.place < linked:
                name = Markup('<a href="#finding-{}">{}</a> ').format(line.place + 1, name[:-1])
        items.append(
            Markup('<li><svg width="14" height="14" aria-hidden="true">{}</svg> {}{}</li>').format(
                line.sign, name, line.text
            )
        )
    return Markup(
        '<figure class="map"><svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        '<figcaption><ul class="map-key">{}</ul></figcaption></figure>'
    ).format(WIDTH, parts.height, parts.label, parts.picture, Markup("").join(items))


def map_parts(
    table: pa.Table, findings: Sequence[Finding], *, only: str | None = None, prompts: int | None = None
) -> MapParts:
    """The pieces of :func:`map_svg`, with the same arguments."""
    rows = table.to_pylist()
    shown = _shown(findings, only)
    named = {finding.campaign_id: place for place, finding in enumerate(shown[:NAMED])}
    reach = max((abs(row["y"]) for row in rows), default=0.0) or 1.0
    height = min(max(LEAST_HEIGHT, round((WIDTH - 2 * EDGE) * min(reach, 1.0)) + 2 * EDGE), MOST_HEIGHT)
    points: dict[int, list[Markup]] = defaultdict(list)
    rest: list[str] = []
    for row in rows:
        x = f"{WIDTH / 2 + (WIDTH / 2 - EDGE) * row['x']:.1f}"
        y = f"{height / 2 - (height / 2 - EDGE) * row['y'] / reach:.1f}"
        campaign = row["campaign_id"]
        if campaign is None or (only is not None and campaign != only):
            rest.append(f"M{x} {y}h0")
            continue
        sign = named.get(campaign, -1)
        points[sign].append(
            Markup('<path d="M{} {}{}"><title>{}</title></path>').format(x, y, _shape(sign), _tooltip(row))
        )
    groups = [Markup('<path class="m-rest" d="{}"/>').format("".join(rest))] if rest else []
    groups += [
        Markup('<g class="{}">{}</g>').format(_class(sign), Markup("").join(points[sign]))
        for sign in sorted(points, reverse=True)
    ]
    found = sum(map(len, points.values()))
    return MapParts(
        picture=Markup("").join(groups),
        height=height,
        label=f"Map of {plural(len(rows), 'prompt')}, {found:,} of them in {'the finding' if only else 'findings'}",
        legend=(*_of_findings(shown, rows), _of_the_rest(len(rest), prompts)),
    )


def _shown(findings: Sequence[Finding], only: str | None) -> list[Finding]:
    return [finding for finding in findings if only is None or finding.campaign_id == only]


def _of_findings(findings: Sequence[Finding], rows: Sequence[Mapping[str, Any]]) -> list[MapLine]:
    """A line for each finding with a sign of its own, and one for all others."""
    number = Counter(row["campaign_id"] for row in rows)
    lines = []
    for place, finding in enumerate(findings[:NAMED]):
        title, left_out = cut(visible(finding.title), TITLE)
        title += "… " if left_out else " " if title else ""
        of = f"{count(number[finding.campaign_id])} of {plural(finding.prompts, 'prompt')}"
        text = f"{title}({finding.tier}, {plural(finding.accounts, 'account')}: {of})"
        lines.append(MapLine(place=place, sign=_sign(place), text=text))
    if others := sum(number[finding.campaign_id] for finding in findings[NAMED:]):
        lines.append(MapLine(place=None, sign=_sign(-1), text=f"{plural(others, 'prompt')} of other findings"))
    return lines


def _of_the_rest(rest: int, prompts: int | None) -> MapLine:
    of = "" if prompts is None else f" of the {count(prompts)} of the dump"
    sign = Markup('<path class="m-rest" d="M7 7h0"/>')
    return MapLine(place=None, sign=sign, text=f"{plural(rest, 'other prompt')}, a sample{of}")


def _sign(sign: int) -> Markup:
    return Markup('<path class="{}" d="M7 7{}"/>').format(_class(sign), _shape(sign))


def _tooltip(row: Mapping[str, Any]) -> str:
    account = shortened(visible(row["account"]), CHARACTERS)
    return f"{visible(row['campaign_id'])}: account {account}"


def _class(sign: int) -> str:
    return "m-other" if sign < 0 else f"m{sign % COLORS}"


def _shape(sign: int) -> str:
    return _OTHER if sign < 0 else _SHAPES[sign % len(_SHAPES)]
