"""What the texts say about themselves: rigid wording, density, fillings against copies.

Wording alone never lifts a finding above ``watch``: people repeat templates for innocent reasons.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.evidence.nulls import tail_p
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.amounts import MOST
from harvestdetect.util.arrays import Bools, Floats, Ints32, pairs, unique

__all__ = [
    "READ_CHARACTERS",
    "copies_share",
    "density",
    "fillings_not_copies",
    "in_common",
    "rigid_wording",
    "shared_wording",
    "slot_sweep",
]


DIGITS: Final = 5
"""Digits of a distance after the point that do not depend on rounding errors."""
READ_CHARACTERS: Final = 1_500
"""Characters of a text that its slots and its pairs are read from."""
FILLED: Final = 0.5
"""Share of the texts that must fill a gap between fixed words for it to be a slot. Chosen."""


def copies_share(contents: npt.NDArray[np.int32]) -> float:
    """The share of prompts that repeat an earlier one word for word (after normalisation)."""
    return 1.0 - len(unique(contents)) / len(contents) if len(contents) else 0.0


def in_common(account: Ints32, content: Ints32) -> float:
    """The share of its different prompts that an account has in common with another account, over all pairs.

    It is the number of prompts that both sent, over the number of the one that sent fewer; sums over pairs.

    Args:
        account: int32[q], of each prompt.
        content: int32[q], equal for equal prompts.
    """
    who, what = pairs(account, content)
    _, senders = np.unique(what, return_counts=True)
    sizes = np.sort(np.unique(who, return_counts=True)[1])
    possible = float((sizes * np.arange(len(sizes) - 1, -1, -1)).sum())
    return float((senders * (senders - 1) / 2).sum()) / max(possible, 1.0)


def rigid_wording(fixed_words: int, rigidity: float, background: Floats) -> Observation:
    """Whether the texts have more words in the same order than neighbourhoods of other texts.

    Args:
        fixed_words: of the candidate's most rigid template.
        rigidity: fixed share of that template.
        background: float64[b], fixed words of neighbourhoods outside every candidate.
    """
    usual = _mean(background)
    return Observation(
        value=float(fixed_words),
        null="neighbourhoods of other texts",
        expected=usual,
        p_value=tail_p(float(fixed_words), background) if len(background) else 1.0,
        sentence=(
            f"These prompts have {fixed_words} words in the same order ({rigidity:.0%} of a prompt of usual length); "
            f"neighbourhoods of other texts have {usual:.1f}."
        ),
    )


def shared_wording(shared_words: float, background: Floats) -> Observation:
    """Whether texts keep more words of one another than texts of other neighbourhoods do.

    Args:
        shared_words: words that the candidate's texts keep of their medoid, on average, less those they keep when read
            backwards.
        background: float64[b], the same of neighbourhoods outside every candidate.
    """
    usual = _mean(background)
    return Observation(
        value=shared_words,
        null="neighbourhoods of other texts",
        expected=usual,
        p_value=tail_p(shared_words, background) if len(background) else 1.0,
        sentence=(
            f"Two of these prompts have {max(shared_words, 0.0):.1f} more longer words in the same order than if one "
            f"of them were read backwards; two neighbouring other texts have {max(usual, 0.0):.1f} more."
        ),
    )


def density(distances: Floats, background: Floats) -> Observation | None:
    """Whether texts of other accounts are nearer than they are elsewhere.

    Args:
        distances: float64[s], chord distance of the candidate's segments to their neighbours from other accounts.
        background: float64[b], the same outside every candidate, ascending.

    Returns:
        None where either is empty.
    """
    if not len(distances) or not len(background):
        return None
    # The last bits of a distance depend on how many rows were compared at once.
    value = round(float(np.median(distances)), DIGITS)
    middle = len(background) // 2
    usual = float(background[[middle, -middle - 1]].mean())
    return Observation(
        value=value,
        null="other texts and their neighbours",
        expected=usual,
        p_value=(1 + int(np.searchsorted(background, value, side="right"))) / (len(background) + 1),
        sentence=f"The nearest texts of other accounts lie at a distance of {value:.2f}; elsewhere at {usual:.2f}.",
    )


def fillings_not_copies(contents: npt.NDArray[np.int32]) -> Observation:
    """Whether the prompts differ from one another, as copies of a text that people pass on do not.

    Args:
        contents: int32[q], content ids of the candidate's prompts.
    """
    from scipy.special import bdtr

    different = len(unique(contents))
    copies = len(contents) - different
    return Observation(
        value=different / len(contents),
        null=f"a text that is passed on: at least {MOST:.0%} of the prompts are copies",
        expected=1 - MOST,
        p_value=float(bdtr(copies, len(contents), MOST)),
        sentence=f"{different} of {len(contents)} prompts are different; a text that is passed on repeats itself.",
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


# ---------------------------------------------------------------- fillings of slots


def slot_sweep(
    texts: Sequence[Sequence[str]], alignments: Sequence[Sequence[tuple[int, int]]], *, copied: Bools
) -> Observation | None:
    """Whether the slots of a template are swept: a new filling nearly every time.

    Only the slots are compared, so that a rewording of the fixed words makes no filling new. The null is a text that
    people pass on: a filling repeats an earlier one in at least :data:`~harvestdetect.util.amounts.MOST` of
    the prompts (binomial, with a Bonferroni correction over the slots). The most varied slot decides. Only a sample is
    read, so a prompt that repeats any other one of the candidate, read or not, counts as a repetition too.

    Args:
        texts: tokens of a sample of prompts of one template.
        alignments: for each, pairs of positions (fixed token, token of the text), ascending.
        copied: bool[len(texts)], whether the whole prompt was sent before.

    Returns:
        None where no slot is filled by :data:`FILLED` of the texts.
    """
    from scipy.special import bdtr

    fillings: dict[int, dict[int, list[str]]] = {}
    for row, (text, aligned) in enumerate(zip(texts, alignments, strict=True)):
        for (i, j), (_, end) in itertools.pairwise(((-1, -1), *aligned, (0, len(text)))):
            if words := [token for token in text[j + 1 : end] if token[0].isalnum()]:
                fillings.setdefault(i + 1, {})[row] = words
    slots = [slot for slot in fillings.values() if len(slot) >= max(2.0, FILLED * len(texts))]
    if not slots:
        return None
    best, new, filled = float("inf"), 0, 0
    for slot in slots:
        seen: set[tuple[str, ...]] = set()
        again = 0
        for row, words in slot.items():
            filling = tuple(words)
            again += filling in seen or bool(copied[row])
            seen.add(filling)
        # the first filling of all cannot repeat another
        p_value = float(bdtr(min(again, len(slot) - 1), len(slot) - 1, MOST)) * len(slots)
        if p_value < best:
            best, new, filled = p_value, len(slot) - again, len(slot)
    return Observation(
        value=new / filled,
        null=f"fillings that are passed on: at least {MOST:.0%} of them repeat an earlier one",
        expected=1 - MOST,
        p_value=min(1.0, best),
        sentence=(
            f"{f'The most varied of {len(slots)} slots' if len(slots) > 1 else 'The slot'} of the largest template has "
            f"a new filling in {new} of {filled} prompts that were read; at least {MOST:.0%} of the fillings "
            "that people pass on are repetitions."
        ),
    )
