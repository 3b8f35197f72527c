"""How much is most, nearly all, an exception or enough: shares and numbers that mean the same in every package.

A threshold of its own needs a reason of its own. Where there is none, a package takes one of these.
"""

from __future__ import annotations

from typing import Final

__all__ = ["EXCEPTIONAL", "FEW", "GROUP", "MIN_SAMPLE", "MOST", "NEARLY_ALL", "SEVERAL", "SMALL_PART"]

MOST: Final = 0.5
"""Share from which some are most of all. Two sets with so much of their union in common are copies. Chosen."""
NEARLY_ALL: Final = 0.8
"""Share from which some are nearly all. Two sets with so much of their union in common are the same, and a set with so
much of a larger one is not a part of it but the whole. Chosen."""
SMALL_PART: Final = 0.2
"""Share from which a part is too large for a coincidence: of the accounts of the smaller of two groups, of the texts
around a text, of the prompts of an account. Chosen."""
EXCEPTIONAL: Final = 0.1
"""Share up to which accounts, prompts, days or texts may be exceptions: they are left out or may lack a value, and what
only they show is no evidence. Chosen."""
FEW: Final = 0.05
"""Share up to which accounts or prompts are few of all: so few may stop, begin or repeat another by chance, an
organisation has no more of all accounts, and an account is linked to a group if no more of the others have as many
links or texts that fit as well. Chosen."""
MIN_SAMPLE: Final = 5
"""Fewest accounts, prompts or days from which a statistic is computed; and the number of usual ones that are added to a
small sample, so that few say little. Chosen."""
GROUP: Final = 3
"""Fewest accounts with something in common that are a group: two are a coincidence. Chosen."""
SEVERAL: Final = 2
"""Prompts of one account, or days between them, from which it did something again: once may be chance. Chosen."""
