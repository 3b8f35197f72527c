"""The map as inline SVG: a point for each prompt, findings by colour and by shape, no script and no style attribute.

Colours come from the classes in ``report.css``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from markupsafe import Markup

from harvestdetect.data import Finding
from harvestdetect.report.format import count, plural
from harvestdetect.util.escape import cut, visible

__all__ = ["COLORS", "map_svg"]

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


def map_svg(
    table: pa.Table,
    findings: Sequence[Finding],
    *,
    linked: int = 0,
    only: str | None = None,
    prompts: int | None = None,
) -> Markup:
    """The map of a scan as a figure with a legend.

    Args:
        table: see :data:`harvestdetect.data.MAP_COLUMNS`.
        findings: of the scan, strongest first. The first :data:`NAMED` have a colour and a shape of their own.
        linked: so many of the findings are on the same page, with the ids ``finding-1`` and so on.
        only: campaign id of the one finding that is shown among the traffic; None shows all.
        prompts: of the dump, for the legend; None leaves them out.
    """
    rows = table.to_pylist()
    shown = [f for f in findings if only is None or f.campaign_id == only]
    named = {finding.campaign_id: place for place, finding in enumerate(shown[:NAMED])}
    reach = max((abs(row["y"]) for row in rows), default=0.0) or 1.0
    height = min(max(LEAST_HEIGHT, round((WIDTH - 2 * EDGE) * min(reach, 1.0)) + 2 * EDGE), MOST_HEIGHT)
    points: dict[int, list[Markup]] = defaultdict(list)
    rest: list[str] = []
    number = Counter(row["campaign_id"] for row in rows)
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
    label = f"Map of {plural(len(rows), 'prompt')}, of which {sum(map(len, points.values())):,} are in findings"
    return Markup(
        '<figure class="map"><svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        '<figcaption><ul class="map-key">{}</ul></figcaption></figure>'
    ).format(WIDTH, height, label, Markup("").join(groups), _legend(shown, named, number, len(rest), linked, prompts))


def _legend(
    findings: Sequence[Finding],
    named: Mapping[str, int],
    number: Mapping[str | None, int],
    rest: int,
    linked: int,
    prompts: int | None,
) -> Markup:
    """The lines of the legend."""
    lines = []
    for place, finding in enumerate(findings[: len(named)]):
        name = Markup("{}").format(visible(finding.campaign_id))
        if place < linked:
            name = Markup('<a href="#finding-{}">{}</a>').format(place + 1, name)
        title, left_out = cut(visible(finding.title), TITLE)
        if title:
            name += Markup(" {}{}").format(title, "…" if left_out else "")
        text = f"{finding.tier}, {plural(finding.accounts, 'account')}: {count(number[finding.campaign_id])} of "
        lines.append((place, Markup("{} ({}{})").format(name, text, plural(finding.prompts, "prompt"))))
    others = sum(number[finding.campaign_id] for finding in findings[len(named) :])
    if others:
        lines.append((-1, Markup("{} of other findings").format(plural(others, "prompt"))))
    items = [
        Markup('<li><svg class="{}" width="14" height="14" aria-hidden="true"><path d="M7 7{}"/></svg> {}</li>').format(
            _class(sign), _shape(sign), text
        )
        for sign, text in lines
    ]
    of = "" if prompts is None else f" of the {count(prompts)} of the dump"
    items.append(
        Markup(
            '<li><svg class="m-rest" width="14" height="14" aria-hidden="true"><path d="M7 7h0"/></svg> {}{}</li>'
        ).format(f"{plural(rest, 'other prompt')}, a sample", of)
    )
    return Markup("").join(items)


def _tooltip(row: Mapping[str, Any]) -> str:
    account, left_out = cut(visible(row["account"]), CHARACTERS)
    return f"{visible(row['campaign_id'])}: account {account}{'…' if left_out else ''}"


def _class(sign: int) -> str:
    return "m-other" if sign < 0 else f"m{sign % COLORS}"


def _shape(sign: int) -> str:
    return _OTHER if sign < 0 else _SHAPES[sign % len(_SHAPES)]
