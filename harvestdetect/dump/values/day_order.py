"""Whether the dates of a column have the day first or the month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from harvestdetect.dump.values.time_texts import Order, local_time, numeric_date, plain_text

__all__ = ["is_day_first"]

_CLEARLY: Final = 5
"""Times by which one order of day and month must fit worse than the other."""


def is_day_first(texts: Sequence[str], order: Order) -> tuple[bool, tuple[str, ...]]:
    """Whether dates such as ``1/2/2026`` have the day first, and what the user should know about it.

    A number above 12 decides. If there is none, the order in which the times ascend does, or the one in which they lie
    closer together. After that a clock of twelve hours, and days without a leading zero, make the month first.
    """
    dates = [
        (text, numbers)
        for text in map(plain_text, texts)
        if text[:1].isdigit() and (numbers := numeric_date(text)) and not numbers[2].endswith(".")
    ]
    if not dates:
        return False, ()
    day, month = any(a > 12 for _, (a, _, _) in dates), any(b > 12 for _, (_, b, _) in dates)
    if day != month:
        return day, ()
    if day:
        return False, ("some dates have the day first and some the month; where both are possible, the month is first",)
    disorder, spans = [], []
    for first in (False, True):
        times = [
            found.utc for text, _ in dates if (found := local_time(text, replace(order, day_first=first))) is not None
        ]
        steps = [sum(b < a for a, b in pairwise(times)), sum(b > a for a, b in pairwise(times))]
        disorder.append(min(steps))  # the newest may come first
        spans.append(max(times) - min(times) if times else 0)
    for worse in (disorder, spans):
        if _CLEARLY * min(worse) < max(worse):
            return worse[1] < worse[0], ()
    marks = Counter(mark for _, (_, _, mark) in dates).most_common(1)[0][0]
    guess = "a" not in marks and ("0" in marks or marks.endswith("-"))
    shown = "day/month/year" if guess else "month/day/year"
    return guess, (f"the dates could have the day or the month first; {shown} is assumed",)
