"""The table of benign explanations of a candidate, each tested by a statistic.

To add one, write a function ``(inputs) -> Assessed`` and add an :class:`Explanation` to :data:`EXPLANATIONS` that names
its rows of the ledger. How much a row speaks for it or against it is fitted, not written here. The registry
of known scaffolds is the one hard rule: it caps the tier. None of them depends on where somebody comes from or which
language they write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import BenignExplanation, Tier
from harvestdetect.evidence.shared_values import LARGEST
from harvestdetect.evidence.work_list import OwnSubjects

__all__ = ["EXPLANATIONS", "Assessed", "Explanation", "ExplanationInputs", "explained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationInputs:
    """The values of one candidate that readings and benign explanations are taken from."""

    copies: float
    """Share of prompts that repeat an earlier one."""
    texts: int
    """Number of different prompts."""
    follow_ups: bool
    """Whether these are the prompts that follow-ups follow, see :mod:`harvestdetect.evidence.follow_ups`."""
    counts: npt.NDArray[np.int32]
    """int32[a], prompts of each account in the candidate."""
    load_ratio: float
    """See :func:`harvestdetect.evidence.load.even_load_ratio`; from 1 on, the load is as uneven as that of independent
    users."""
    own_subjects: OwnSubjects | None
    """Whether accounts have subjects of their own; None if too few accounts sent several prompts."""
    templated: bool
    """Whether the accounts share a template rather than only a subject."""
    in_common: float
    """Share of its different prompts that an account has in common with another: those that both sent, over those of
    the one that sent fewer, over all pairs of accounts."""
    several: float | None
    """Share of the accounts that sent prompts of several clusters; None if no clusters are linked by accounts."""
    median_words: float
    """Words of the median prompt."""
    days: float | None
    """Days from first to last prompt, without the first and the last twentieth of them; None without times."""
    shares: Mapping[str, float]
    """See :func:`harvestdetect.evidence.shared_values.concentration`."""
    known_as: tuple[str, str] | None
    """Kind and id of the template's entry in the registry; None if it has none."""

    @property
    def each(self) -> float:
        """Average number of prompts per account."""
        return float(self.counts.mean())

    @property
    def busiest(self) -> float:
        """Share of the prompts that the :data:`~harvestdetect.evidence.shared_values.LARGEST` busiest accounts sent."""
        return float(np.sort(self.counts)[-LARGEST:].sum() / self.counts.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """The statistic of a benign explanation."""

    statistic: float | None
    sentence: str
    """The statistic in words, or which data is missing."""
    fits: bool = False
    """Whether a hard rule fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One benign explanation."""

    id: str
    """Stable, in snake case: the key of files and decisions."""
    label: str
    """What people read. No decision depends on it."""
    test: Callable[[ExplanationInputs], Assessed]
    """Takes its statistic. It must be pure."""
    rows: tuple[str, ...] = ()
    """The readings whose bits in the ledger speak for it or against it; none for a hard rule."""
    cap: Tier | None = None
    """The highest tier that a finding may reach while a hard rule fits."""


def explained(
    inputs: ExplanationInputs, *, explanations: Sequence[Explanation] | None = None
) -> tuple[BenignExplanation, ...]:
    """The benign explanations of a candidate. Those that are judged by the ledger are unknown until it is posted.

    Args:
        inputs: of one candidate.
        explanations: to test; None: :data:`EXPLANATIONS`.
    """
    found = []
    for explanation in EXPLANATIONS if explanations is None else explanations:
        tested = explanation.test(inputs)
        found.append(
            BenignExplanation(
                id=explanation.id,
                name=explanation.label,
                verdict="unknown" if explanation.rows else "fits" if tested.fits else "unlikely",
                statistic=tested.statistic,
                sentence=tested.sentence,
                caps=explanation.cap if tested.fits else None,
            )
        )
    return tuple(found)


# ---------------------------------------------------------------- the statistics


def _passed_on(inputs: ExplanationInputs) -> Assessed:
    which, sent = "prompts", f"{inputs.each:.1f}, {inputs.texts:,} different ones in all"
    if inputs.follow_ups:
        which = "prompts that these sentences follow"
        sent = f"{inputs.each:.1f} of these sentences after {inputs.texts:,} different prompts in all"
    return Assessed(
        statistic=inputs.copies,
        sentence=f"{inputs.copies:.0%} of the {which} repeat an earlier one word for word; an account sent {sent}.",
    )


def _shared_list(inputs: ExplanationInputs) -> Assessed:
    """A list that is dealt out is nearly disjoint, because a harvester learns nothing from the same prompt again."""
    return Assessed(
        statistic=inputs.in_common,
        sentence=f"Two accounts have {inputs.in_common:.0%} of their different prompts in common, word for word.",
    )


def _short_phrase(inputs: ExplanationInputs) -> Assessed:
    return Assessed(statistic=inputs.median_words, sentence=f"The median prompt has {inputs.median_words:.0f} words.")


def _known_template(inputs: ExplanationInputs) -> Assessed:
    known_as = inputs.known_as
    return Assessed(
        fits=known_as is not None,
        statistic=float(known_as is not None),
        sentence=(
            "The template is not in the registry."
            if known_as is None
            else f"The template is the {known_as[0]} {known_as[1]} of the registry."
        ),
    )


def _product(inputs: ExplanationInputs) -> Assessed:
    """Customers fill a product's template with data of their own."""
    own = inputs.own_subjects
    if own is None:
        return Assessed(
            statistic=None,
            sentence="Too few accounts sent several different prompts to tell whether they have subjects of their own.",
        )
    return Assessed(
        statistic=own.of_usual,
        sentence=f"An account's prompts are alike by {max(own.of_usual, 0.0):.0%} of what is usual within an account "
        f"({own.deviations:.1f} standard deviations of a shuffle).",
    )


def _community(inputs: ExplanationInputs) -> Assessed:
    """People with a common interest send uneven numbers of prompts."""
    shared = "a template" if inputs.templated else "a subject, no template"
    if inputs.templated and inputs.several is not None:
        shared = f"templates that {inputs.several:.0%} of the accounts sent more than one of"
    return Assessed(
        statistic=inputs.load_ratio,
        sentence=f"The prompts share {shared}; the load is {inputs.load_ratio:.2f} times as uneven as that of "
        "independent users.",
    )


def _few_accounts(inputs: ExplanationInputs) -> Assessed:
    return Assessed(
        statistic=inputs.busiest,
        sentence=f"The {LARGEST} busiest of {len(inputs.counts)} accounts sent {inputs.busiest:.0%} of the prompts.",
    )


def _one_organisation(inputs: ExplanationInputs) -> Assessed:
    org, network = inputs.shares.get("org"), inputs.shares.get("network")
    if org is not None:
        return Assessed(
            statistic=org,
            sentence=f"A few organisations, the largest {LARGEST} and those with teams, have {org:.0%} of the "
            "accounts.",
        )
    if network is not None:
        return Assessed(
            statistic=network,
            sentence=f"Organisations are not known; the largest network has {network:.0%} of the accounts.",
        )
    return Assessed(
        statistic=None,
        sentence="The dump does not say which organisation or network most of the accounts belong to.",
    )


def _event(inputs: ExplanationInputs) -> Assessed:
    if inputs.days is None:
        return Assessed(statistic=None, sentence="The prompts have no timestamps.")
    return Assessed(
        statistic=inputs.days,
        sentence=f"The prompts came within {inputs.days:.0f} days, {inputs.each:.1f} from each account.",
    )


# ---------------------------------------------------------------- the table

EXPLANATIONS: Final = (
    Explanation(
        id="passed_on", label="a text that people pass on (viral prompt, assignment)", test=_passed_on,
        rows=("copies", "passing_sentences"),
    ),
    Explanation(
        id="shared_list", label="one list that everybody works through (public benchmark, course)", test=_shared_list,
        rows=("in_common", "near_copies", "shared_items"),
    ),
    Explanation(id="short_phrase", label="a common short phrase (greeting, test)", test=_short_phrase, rows=("words",)),
    Explanation(
        id="known_template", label="a known scaffold or viral prompt", test=_known_template, cap="watch",
    ),
    Explanation(
        id="product", label="a product's fixed template behind many customers", test=_product,
        rows=("own_data",),
    ),
    Explanation(
        id="community", label="a community with a common interest", test=_community,
        rows=("load", "uneven_share", "not_thinned"),
    ),
    Explanation(
        id="few_accounts", label="a few heavy users (benchmark, regression, batch)", test=_few_accounts,
        rows=("few", "busiest"),
    ),
    Explanation(
        id="one_organisation", label="one organisation (class, team, batch)", test=_one_organisation,
        rows=("one_organisation", "one_network"),
    ),
    Explanation(id="event", label="an event or deadline", test=_event, rows=("days",)),
)  # fmt: skip
"""Every benign explanation, in the order in which they are listed."""
