"""Periods such as ``15m`` or ``7d``, as options and settings files give them."""

from __future__ import annotations

import re
from typing import Final

from harvestdetect.errors import UsageError

__all__ = ["DAY", "HOUR", "LONGEST", "MINUTE", "PERIOD_FORM", "WEEK", "parse_period"]

MINUTE: Final = 60
"""Seconds of a minute."""
HOUR: Final = 3_600
"""Seconds of an hour."""
DAY: Final = 86_400
"""Seconds of a day."""
WEEK: Final = 7 * DAY
"""Seconds of a week."""
LONGEST: Final = 3_650 * DAY
"""The longest period that is accepted, in seconds: ten years."""
PERIOD_FORM: Final = "a whole number above 0 and one of s, m, h, d, w, up to ten years, such as 15m, 12h, 1d or 1w"
"""How messages describe a period."""
_UNITS: Final = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}


def parse_period(text: str) -> int:
    """The seconds of a period such as ``15m``, ``12h``, ``1d`` or ``1w``.

    Args:
        text: a whole number and one of s, m, h, d, w.

    Raises:
        UsageError: it is something else, zero, or more than ten years.
    """
    match = re.fullmatch(r"\s*([0-9]{1,10})\s*([smhdw])\s*", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST:
        raise UsageError(f"a period must be {PERIOD_FORM}; got {text!r}")
    return seconds
