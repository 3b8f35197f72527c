"""What a reading saw, in one sentence for an analyst. No decision depends on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from harvestdetect.evidence.readings import NEXT_TO_NONE
from harvestdetect.evidence.shared_values import LARGEST
from harvestdetect.util.amounts import FEW, MOST

__all__ = ["SENTENCES", "reading_sentence"]


NOTICEABLE: Final = 2.0
"""Standard deviations from which a difference is reported. Fewer are usual by chance."""


def _share(value: float) -> str:
    """A share of copies, from its logarithm (base 2), which is cut off at :data:`FEW`."""
    share = 2.0**value
    return f"{FEW:.0%} or less" if share <= FEW * 1.001 else f"{share:.0%}"


SENTENCES: Final[Mapping[str, Callable[[float], str]]] = {
    "copies": lambda x: f"{_share(x)} of the prompts repeat an earlier one word for word.",
    "in_common": lambda x: f"Two accounts have {_share(x)} of their different prompts in common, word for word.",
    "near_copies": lambda x: (
        f"Half of the prompts have one of another account at {max(2.0**x - NEXT_TO_NONE, 0.0):.0%} of the usual "
        "distance or nearer; 0% is a copy."
    ),
    "words": lambda x: f"The median prompt has {2.0**x - 1:.0f} words.",
    "passing_sentences": lambda x: (
        f"{x:.0%} of the prompts have a sentence that mostly other accounts send, besides what the group has in common."
    ),
    "template": lambda x: "The prompts share a template." if x else "The prompts share a subject, and no template.",
    "load": lambda x: (
        f"The load is {max(2.0**x - NEXT_TO_NONE, 0.0):.2f} times as uneven as that of independent users."
    ),
    "uneven_share": lambda x: (
        "Between the upper and the lower quarter of the accounts, the share of their traffic that belongs to the group "
        f"differs by {100 * x:.0f} percentage points. Accounts with few prompts are moved towards the average first."
    ),
    "own_data": lambda x: (
        f"Two prompts of one account are {_more(x)} than two of different accounts. This is the smallest of up "
        "to three comparisons: within each template, within each of its subjects, and without the words that an "
        "account uses in nearly all of its prompts."
    ),
    "shared_items": lambda x: (
        f"Two prompts of one account are less alike, by {x:.1f} standard deviations, than if they were dealt at "
        "random, as where each account works through the same items."
        if x >= NOTICEABLE
        else "Two prompts of one account are no less alike than if they were dealt at random."
    ),
    "few": lambda x: f"The {LARGEST} busiest accounts sent {x:.0%} of the prompts{' or less' if x <= MOST else ''}.",
    "busiest": lambda x: f"The {LARGEST} busiest accounts sent {2.0**x:.1f} times an even share of the prompts.",
    "not_thinned": lambda x: (
        f"In the number and the volume of its accounts, it is {x:.1f} doublings away from a random part of all "
        "traffic; a popular phrase is at 0."
    ),
    "days": lambda x: f"Nine tenths of the prompts came within {2.0**x:.0%} of the days of the dump.",
    "one_organisation": lambda x: (
        f"The accounts gather in a few organisations by {x:.0%}: 0% where each has its own, 100% where all are in the "
        f"largest {LARGEST} or in those with teams."
    ),
    "one_network": lambda x: (
        f"The accounts gather in one network by {x:.0%}: 0% where each has its own, 100% where all are in one."
    ),
}
"""For each reading, its sentence as a function of its value."""


def _more(cosine: float) -> str:
    return "no more alike" if cosine < 0.005 else f"more alike by a cosine of {cosine:.2f} at most"


def reading_sentence(id_: str, value: float) -> str:
    """What a reading saw; empty for a reading that has no sentence."""
    say = SENTENCES.get(id_)
    return "" if say is None else say(value)
