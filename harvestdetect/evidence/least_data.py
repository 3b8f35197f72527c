"""How much data a measure needs, and how much of it may be exceptional or missing.

The null distributions are valid for any amount of data. With less than this, a measure could hardly be significant, and
a reading would be chance, and with it the benign explanations that are tested on the bits of readings.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MIN_COMPARED", "MIN_PROMPTS"]


MIN_COMPARED: Final = 20
"""Fewest other accounts to compare a candidate with, and fewest pairs of prompts by one account. Chosen."""
MIN_PROMPTS: Final = 40
"""Fewest prompts whose times are compared with those of drawn groups. Chosen."""
