"""Pictures as inline SVG: no script, no style attribute, every text escaped.

Colours and fonts come from the classes in ``report.css``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from markupsafe import Markup

from harvestdetect.data import Member
from harvestdetect.report.format import count, plural
from harvestdetect.util.escape import shortened, visible

__all__ = ["AXIS", "HEIGHT", "SHADES", "Bars", "Step", "heat", "matrix", "timeline", "timeline_bars", "waterfall"]

_PLOT: Final = 112
"""Height of the bars, in pixels."""
_TOP: Final = 14
"""Room above the bars, in pixels."""
HEIGHT: Final = 152
"""Height of a timeline, in pixels."""
AXIS: Final = 52
"""Width of the axis of a timeline, in pixels."""
_MAX_BARS: Final = 180
"""Bars of a timeline, at most."""
_MAX_COLUMNS: Final = 60
"""Columns of a heat map of days, at most."""

SHADES: Final = ("1", "2–3", "4–9", "10–29", "30 or more")
"""What the five shades of the matrix stand for, in prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The pieces of a timeline."""

    axis: Markup
    """Numbers of prompts, in an area of :data:`AXIS` by :data:`HEIGHT` pixels."""
    plot: Markup
    """Bars and days, in an area of any width and :data:`HEIGHT` pixels: positions are in per cent of the width."""
    caption: str
    label: str
    """What the picture shows, for readers who do not see it."""


def timeline(days: Sequence[tuple[str, int]]) -> Markup:
    """Bars of prompts per day, as wide as the page; several days a bar where there are very many.

    Args:
        days: (``YYYY-MM-DD``, prompts) for each day from first to last; at least one.
    """
    bars = timeline_bars(days)
    return Markup(
        '<figure><figcaption>{}</figcaption><div class="chart">'
        '<svg class="axis" width="{}" height="{}" aria-hidden="true">{}</svg>'
        '<svg class="plot" width="100%" height="{}" role="img" aria-label="{}">{}</svg></div></figure>'
    ).format(bars.caption, AXIS, HEIGHT, bars.axis, HEIGHT, visible(bars.label), bars.plot)


def timeline_bars(days: Sequence[tuple[str, int]]) -> Bars:
    """The pieces of :func:`timeline`."""
    step = math.ceil(len(days) / _MAX_BARS)
    bars = [
        (days[i][0], days[min(i + step, len(days)) - 1][0], sum(n for _, n in days[i : i + step]))
        for i in range(0, len(days), step)
    ]
    top = _round_up(max(n for _, _, n in bars))
    axis, plot = [], []
    for value in dict.fromkeys((0, top // 2, top)):
        y = _y(value, top)
        axis.append(
            Markup('<text class="tick" x="100%" y="{:.0f}" text-anchor="end">{}</text>').format(y + 4, count(value))
        )
        plot.append(Markup('<line class="grid" x1="0" x2="100%" y1="{0:.0f}" y2="{0:.0f}"/>').format(y))
    slot = 100 / len(bars)
    bar = min(slot * 0.82, 6.0)
    for i, (first, last, n) in enumerate(bars):
        if not n:
            continue
        y = min(_y(n, top), _TOP + _PLOT - 1.5)
        plot.append(
            Markup(
                '<rect class="bar" x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}"><title>{}: {}</title></rect>'
            ).format(
                slot * i + (slot - bar) / 2,
                y,
                bar,
                _TOP + _PLOT - y,
                visible(first if first == last else f"{first} to {last}"),
                plural(n, "prompt"),
            )
        )
    for i in _ticks(len(bars)):
        anchor = "start" if i == 0 and len(bars) > 1 else "end" if i == len(bars) - 1 > 0 else "middle"
        x = {"start": 0.0, "end": 100.0, "middle": slot * (i + 0.5)}[anchor]
        plot.append(
            Markup('<text class="tick{}" x="{:.2f}%" y="{}" text-anchor="{}">{}</text>').format(
                " mid" if anchor == "middle" and len(bars) > 1 else "",
                x,
                HEIGHT - 6,
                anchor,
                visible(bars[i][0]),
            )
        )
    label = f"Prompts per day from {days[0][0]} to {days[-1][0]}, at most {max(n for _, _, n in bars):,} in a bar"
    caption = "Prompts per day" if step == 1 else f"Prompts per {step} days (one bar for each {step} days)"
    return Bars(axis=Markup("").join(axis), plot=Markup("").join(plot), caption=caption, label=label)


def matrix(members: Sequence[Member], templates: Sequence[str], *, names: Sequence[str]) -> Markup:
    """Accounts as rows, templates as columns, a darker cell where the account sent it more often.

    Args:
        members: rows, in the order shown.
        templates: template ids, one per column.
        names: short headings of the columns, as many.
    """
    row, cell, left, head = 18, 28, 190, 22
    end = left + cell * len(templates)
    height = head + row * len(members) + 2
    labels, cells = [], []
    for x, name in enumerate(names):
        cells.append(
            Markup('<text class="tick" x="{}" y="14" text-anchor="middle">{}</text>').format(
                left + cell * x + cell // 2, visible(name)
            )
        )
    cells.append(Markup('<text class="tick" x="{}" y="14">in campaign / all</text>').format(end + 10))
    for y, member in enumerate(members):
        top = head + row * y
        name = shortened(visible(member.account), 26)
        dim = "" if member.recommended else " apart"
        labels.append(Markup('<text class="who{}" x="0" y="{}">{}</text>').format(dim, top + 13, name))
        for x, template in enumerate(templates):
            n = member.templates.get(template, 0)
            if n:
                cells.append(
                    Markup(
                        '<rect class="c{}" x="{}" y="{}" width="26" height="16"><title>{}, {}: {}</title></rect>'
                    ).format(_shade(n), left + cell * x + 1, top + 1, name, visible(names[x]), plural(n, "prompt"))
                )
        cells.append(
            Markup('<text class="tick" x="{}" y="{}">{} / {}</text>').format(
                end + 10, top + 13, count(member.harvest_prompts), count(member.prompts)
            )
        )
    label = f"{plural(len(members), 'account')} by {plural(len(templates), 'template')}: who sent which how often"
    return Markup(
        '<svg class="matrix" width="{}" height="{}" role="img" aria-label="{}">'
        '<rect class="field" x="{}" y="{}" width="{}" height="{}"/>'
        '<svg width="{}" height="{}">{}</svg>{}</svg>'
    ).format(
        end + 130,
        height,
        label,
        left,
        head,
        end - left,
        row * len(members),
        left - 8,
        height,
        Markup("").join(labels),
        Markup("").join(cells),
    )


def heat(members: Sequence[Member], activity: Mapping[str, Mapping[str, int]]) -> Markup | None:
    """Accounts as rows, days as columns, a darker cell where the account sent more; several days a column where there
    are very many.

    Args:
        members: rows, in the order shown.
        activity: account -> day (``YYYY-MM-DD``) -> prompts.

    Returns:
        None where none of them has a day.
    """
    used = sorted({day for member in members for day in activity.get(member.account, ())})
    if not used:
        return None
    first, last = date.fromisoformat(used[0]), date.fromisoformat(used[-1])
    step = math.ceil(((last - first).days + 1) / _MAX_COLUMNS)
    columns = (last - first).days // step + 1
    row, cell, left, head = 14, 9, 190, 20
    height, width = head + row * len(members) + 2, left + cell * columns
    labels: list[Markup] = []
    paths: dict[int, list[str]] = {}
    for y, member in enumerate(members):
        name = shortened(visible(member.account), 26)
        dim = "" if member.recommended else " apart"
        labels.append(Markup('<text class="who{}" x="0" y="{}">{}</text>').format(dim, head + row * y + 11, name))
        sums = [0] * columns
        for day, prompts in activity.get(member.account, {}).items():
            sums[(date.fromisoformat(day) - first).days // step] += prompts
        for x, prompts in enumerate(sums):
            if prompts:
                place = f"M{left + cell * x} {head + row * y + 1}h{cell - 1}v{row - 2}h{1 - cell}z"
                paths.setdefault(_shade(prompts), []).append(place)
    drawn = [
        Markup('<path class="c{}" d="{}"/>').format(shade, "".join(places)) for shade, places in sorted(paths.items())
    ]
    ends = [(left, "start", first)]
    if columns > _MAX_COLUMNS // 4:
        ends.append((width, "end", first + timedelta(days=step * columns - 1)))
    ticks = [
        Markup('<text class="tick" x="{}" y="13" text-anchor="{}">{}</text>').format(x, anchor, min(day, last))
        for x, anchor, day in ends
    ]
    label = f"{plural(len(members), 'account')} by day from {first} to {last}: who sent how much when"
    return Markup(
        '<svg class="matrix" width="{}" height="{}" role="img" aria-label="{}"><rect class="field" x="{}" y="{}" '
        'width="{}" height="{}"/><svg width="{}" height="{}">{}</svg>{}</svg>'
    ).format(
        max(width + 2, left + 90), height, label, left, head, width - left, row * len(members), left - 8, height,
        Markup("").join(labels), Markup("").join([*ticks, *drawn]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a waterfall: where a sum was before it, and after it."""

    before: float
    after: float
    whole: bool = False
    """Whether it is a sum of other steps, drawn as a taller bar."""


def waterfall(steps: Sequence[Step]) -> list[Markup]:
    """A bar for each step, all on one scale, with a line at zero. The bars have no text: the figures stand beside them.

    Args:
        steps: in any order.

    Returns:
        as many pictures, as wide as their cells.
    """
    ends = [0.0, *(end for step in steps for end in (step.before, step.after) if math.isfinite(end))]
    low, high = min(ends), max(ends)
    width = high - low or 1.0
    low, width = low - 0.02 * width, 1.04 * width

    def x(value: float) -> float:
        return 100 * (min(max(value, low), low + width) - low) / width

    bars = []
    for step in steps:
        left, right = sorted((x(step.before), x(step.after)))
        kind = "for" if step.after >= step.before else "against"
        bars.append(
            Markup(
                '<svg class="step" width="100%" height="18" aria-hidden="true">'
                '<line class="zero" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="100%"/>'
                '<rect class="{1}" x="{2:.2f}%" y="50%" width="{3:.2f}%" height="{4}"/></svg>'
            ).format(
                x(0.0), kind if step.whole else f"{kind} row", left, max(right - left, 0.4), 14 if step.whole else 8
            )
        )
    return bars


def _y(value: float, top: int) -> float:
    return _TOP + _PLOT * (1 - value / top)


def _round_up(value: int) -> int:
    """The next of 2, 4, 10, 20, 40, 60, 100, 200, ... so that its half is a whole number."""
    power = 1
    while True:
        for factor in (2, 4, 6, 8, 10):
            if value <= factor * power:
                return factor * power
        power *= 10


def _ticks(bars: int) -> list[int]:
    if bars <= 4:
        return [0, bars - 1] if bars > 1 else [0]
    return [0, round((bars - 1) / 3), round((bars - 1) * 2 / 3), bars - 1]


def _shade(n: int) -> int:
    return 1 if n < 2 else 2 if n < 4 else 3 if n < 10 else 4 if n < 30 else 5
