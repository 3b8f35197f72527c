"""What the texts say about themselves: rigid wording, density, fillings against copies.

Wording alone never makes more than a finding to watch: people repeat templates for innocent reasons.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import Evidence
from harvestdetect.evidence.nulls import tail_p

__all__ = ["DECIDING", "copies_share", "text_evidence"]

Floats = npt.NDArray[np.float64]

DECIDING: Final = ("rigid wording", "shared wording")
"""The measures on which the family stands; the others describe."""
PASSED_ON: Final = 0.5
"""A text that is passed on is copied in at least this share of the prompts."""


def copies_share(contents: npt.NDArray[np.int32]) -> float:
    """The share of prompts that repeat an earlier one word for word (after normalisation)."""
    return 1.0 - len(np.unique(contents)) / len(contents) if len(contents) else 0.0


def text_evidence(
    *,
    fixed_words: int,
    rigidity: float,
    shared_words: float,
    background_fixed: Floats,
    background_shared: Floats,
    distances: Floats,
    background_distances: Floats,
    contents: npt.NDArray[np.int32],
) -> list[Evidence]:
    """The text measures of a campaign.

    Args:
        fixed_words: of its most rigid template.
        rigidity: fixed share of that template.
        shared_words: words that its texts keep of their medoid, on average.
        background_fixed: float64[b], fixed words of neighbourhoods outside every candidate.
        background_shared: float64[b], shared words of the same.
        distances: float64[s], chord distance of its segments to their neighbours from other accounts.
        background_distances: float64[b], the same outside every candidate.
        contents: int32[q], content ids of its prompts.
    """
    from scipy.stats import binom

    found = [
        Evidence(
            name="rigid wording",
            family="text",
            value=float(fixed_words),
            null="neighbourhoods of other texts",
            expected=_mean(background_fixed),
            p_value=tail_p(float(fixed_words), background_fixed) if len(background_fixed) else 1.0,
            sentence=(
                f"{fixed_words} words stand in the same order in these prompts ({rigidity:.0%} of a prompt of usual "
                f"length); in neighbourhoods of other texts {_mean(background_fixed):.1f} do."
            ),
        )
    ]
    found.append(
        Evidence(
            name="shared wording",
            family="text",
            value=shared_words,
            null="neighbourhoods of other texts",
            expected=_mean(background_shared),
            p_value=tail_p(shared_words, background_shared) if len(background_shared) else 1.0,
            sentence=(
                f"One of these prompts keeps {shared_words:.1f} longer words of another in their order; in "
                f"neighbourhoods of other texts {_mean(background_shared):.1f}."
            ),
        )
    )
    if len(distances) and len(background_distances):
        value = float(np.median(distances))
        found.append(
            Evidence(
                name="density",
                family="text",
                value=value,
                null="other texts and their neighbours",
                expected=float(np.median(background_distances)),
                p_value=(1 + int((background_distances <= value).sum())) / (len(background_distances) + 1),
                sentence=(
                    f"The nearest texts of other accounts lie at a distance of {value:.2f}; elsewhere at "
                    f"{float(np.median(background_distances)):.2f}."
                ),
            )
        )
    distinct = len(np.unique(contents))
    copies = len(contents) - distinct
    found.append(
        Evidence(
            name="fillings, not copies",
            family="text",
            value=distinct / len(contents),
            null="a text that is passed on: half of the prompts or more are copies",
            expected=1 - PASSED_ON,
            p_value=float(binom.cdf(copies, len(contents), PASSED_ON)),
            sentence=f"{distinct} of {len(contents)} prompts are different; a text that is passed on repeats itself.",
        )
    )
    return found


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0
