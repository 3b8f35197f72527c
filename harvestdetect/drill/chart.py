"""The share found by level, with intervals, as inline SVG: no script, no style attribute, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from harvestdetect.drill.result import BLIND, FACTOR_NAMES, Level, Rate, level_text
from harvestdetect.util.escape import visible

__all__ = ["chart"]

WIDTH: Final = 760
"""Width of the chart, in pixels."""
LEFT: Final = 230
"""Where the axis begins, in pixels."""
RIGHT: Final = 640
"""Where the axis ends, in pixels."""
ROW: Final = 24
"""Height of a level, in pixels."""
HEAD: Final = 26
"""Height of the name of a factor, in pixels."""
TOP: Final = 26
"""Height of the labels of the axis, in pixels."""
RADIUS: Final = 4.5
"""Radius of a mark, in pixels."""
APART: Final = 4
"""Distance of the two marks of a level from its middle line, in pixels."""


def chart(levels: Sequence[Level]) -> Markup:
    """A row for each level: the share found, and its interval.

    A filled mark is the share with all other factors at the centre, an open mark that in random combinations.
    """
    marks: list[Markup] = []
    y = TOP
    factor = ""
    for level in levels:
        if level.factor != factor:
            factor = level.factor
            y += HEAD
            marks.append(
                Markup('<text class="head" x="0" y="{}">{}</text>').format(y - 6, visible(FACTOR_NAMES[factor]))
            )
        middle = y + ROW // 2
        name = level_text(level.factor, level.value) + (" (centre)" if level.centre else "")
        blind = " blind" if level.alone.tried and level.alone.high < BLIND else ""
        marks.append(Markup('<text class="tick{}" x="14" y="{}">{}</text>').format(blind, middle + 4, visible(name)))
        both = bool(level.alone.tried and level.mixed.tried)
        marks += _mark(level.alone, middle - (APART if both else 0), name, mixed=False)
        marks += _mark(level.mixed, middle + (APART if both else 0), name, mixed=True)
        y += ROW
    height = y + 8
    axis = [
        Markup(
            '<line class="{0}" x1="{1:.1f}" x2="{1:.1f}" y1="{2}" y2="{3}"/>'
            '<text class="tick" x="{1:.1f}" y="16" text-anchor="middle">{4}</text>'
        ).format("half" if share == BLIND else "grid", _x(share), TOP, height, f"{share:.0%}".replace("%", " %"))
        for share in (0.0, 0.25, BLIND, 0.75, 1.0)
    ]
    return Markup(
        '<svg class="drill" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" '
        'aria-label="Share of planted campaigns found, by level, with 95 % intervals">{2}{3}</svg>'
    ).format(WIDTH, height, Markup("").join(axis), Markup("").join(marks))


def _mark(rate: Rate, y: int, name: str, *, mixed: bool) -> list[Markup]:
    """The interval and the mark of a rate; nothing without trials."""
    if not rate.tried:
        return []
    kind = " mixed" if mixed else ""
    told = f"{name}: {rate.found} of {rate.tried} found{' in combinations' if mixed else ''}"
    text = f"{rate.found} of {rate.tried}"
    return [
        Markup('<line class="whisker{}" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>').format(
            kind, _x(rate.low), _x(rate.high), y, y
        ),
        Markup('<circle class="dot{}" cx="{:.1f}" cy="{}" r="{}"><title>{}</title></circle>').format(
            kind, _x(rate.found / rate.tried), y, RADIUS, visible(told)
        ),
        Markup('<text class="tick" x="{}" y="{}">{}</text>').format(RIGHT + (66 if mixed else 14), y + 4, text),
    ]


def _x(share: float) -> float:
    return LEFT + share * (RIGHT - LEFT)
