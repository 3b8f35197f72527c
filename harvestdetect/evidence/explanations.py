"""The table of benign explanations: innocent readings of a finding, each tested, with the statistic for and against.

To add one, write a predicate ``(inputs) -> Verdict`` and add an :class:`Explanation` to :data:`EXPLANATIONS`. An
explanation that fits caps the tier. None of them depends on where somebody comes from or which language they write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import BenignExplanation, Tier
from harvestdetect.evidence.work_list import OwnSubjects

__all__ = ["EXPLANATIONS", "Explanation", "ExplanationInputs", "Verdict", "explained"]

DEVIATIONS: Final = 5.0
"""Standard deviations of a shuffle from which accounts may have subjects of their own. Chosen."""
OF_USUAL: Final = 0.35
"""Share of the likeness within other accounts from which accounts may have subjects of their own. Chosen."""
MOSTLY: Final = 0.5
"""Share of that likeness from which strangers with subjects of their own are customers, however even their load.
Chosen."""
STRANGERS: Final = 0.05
"""Least p-value of shared infrastructure, where it is known, at which accounts are strangers. Chosen."""
UNEVEN: Final = 0.6
"""Least ratio of the load's variance to a geometric distribution's at which use is as uneven as people's. Chosen."""
INDEPENDENT: Final = 1.0
"""Least ratio of the load's variance to a geometric distribution's at which users look independent: a geometric
distribution has 1."""
AS_CHANCE: Final = 0.5
"""Least p-value of an even load at which it is no more even than chance makes it. Chosen."""
LOOSE: Final = 0.5
"""Share of the accounts that sent several of the linked templates, below which one interest may explain the links.
Chosen."""
MACHINE: Final = 1e-5
"""p-value of the sittings above which the accounts may still be people at a keyboard. Chosen."""
SITTING: Final = 0.2
"""Least share of other accounts' successive prompts within one sitting at which sittings reveal people at all.
Chosen."""
SHARED: Final = 1e-6
"""p-value of shared infrastructure above which accounts may still be strangers. Chosen."""
ONE: Final = 0.8
"""Least share of the accounts in a few organisations, or in one network, at which the group is theirs. Chosen."""
COPIED: Final = 0.5
"""Least share of copies among the prompts of a text that people pass on. Chosen."""
FEW_TEXTS: Final = 5
"""Different prompts up to which a harvester would learn little, however often they are sent. Chosen."""
NEARLY_ALL: Final = 0.9
"""Least share of copies at which :data:`FEW_TEXTS` different prompts are a text that people pass on. Chosen."""
FEW_EACH: Final = 2.5
"""Prompts of an account, on average, below which accounts sent few each. Chosen."""
SHORT: Final = 5
"""Words of a prompt of usual length below which it is a common short phrase. Chosen."""
EVENT_DAYS: Final = 7
"""Days within which prompts come where people answer an event or a deadline. Chosen."""
TOP_ACCOUNTS: Final = 3
"""The busiest accounts whose prompts are counted together. Chosen."""
TOP_SHARE: Final = 0.5
"""Least share of the prompts from the busiest accounts at which a few heavy users are the candidate. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationInputs:
    """What the benign explanations of one candidate are tested on."""

    copies: float
    """Share of prompts that repeat an earlier one."""
    texts: int
    """Different prompts."""
    counts: npt.NDArray[np.int32]
    """int32[a], prompts of each account in the candidate."""
    load_ratio: float
    """See :func:`harvestdetect.evidence.load.even_load_ratio`."""
    even_p: float | None
    """p-value of the measure ``even_load``; None where too few accounts sent several prompts."""
    own_subjects: OwnSubjects | None
    """None where too few accounts sent several prompts."""
    sittings_p: float | None
    """p-value of the measure ``no_sittings``; None where it was not taken."""
    usual_sittings: float
    """What chance gives for ``no_sittings``: the share of other accounts' successive prompts within one sitting."""
    infrastructure_p: float | None
    """Least p-value of the measures of infrastructure that decide; None where no field is known."""
    templated: bool
    """Whether the accounts share a template rather than only a subject."""
    several: float | None
    """Share of the accounts that sent several clusters; None where the clusters are not linked by accounts."""
    median_words: float
    """Words of the median prompt."""
    days: float | None
    """Days from first to last prompt, the outermost twentieths left out; None without times."""
    shares: Mapping[str, float]
    """See :func:`harvestdetect.evidence.shared_values.concentration`."""
    known_as: tuple[str, str] | None
    """Kind and id of the registry's entry that the template is, if it is one."""

    @property
    def each(self) -> float:
        """Prompts of an account, on average."""
        return float(self.counts.mean())

    @property
    def apart(self) -> bool:
        """Whether the accounts may be strangers to one another, by what is known of their infrastructure."""
        return self.infrastructure_p is None or self.infrastructure_p > SHARED

    @property
    def keyboard_p(self) -> float | None:
        """``sittings_p`` where other accounts work in sittings, so that it can tell people from machines."""
        return None if self.usual_sittings < SITTING else self.sittings_p


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a benign explanation came out."""

    fits: bool | None
    """None where too little is known."""
    statistic: float | None
    sentence: str
    """The statistic for and against, in words; or what is missing to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One benign explanation."""

    id: str
    """Stable, in snake case: the key of files and decisions."""
    label: str
    """What people read. No decision depends on it."""
    test: Callable[[ExplanationInputs], Verdict]
    """The predicate. It must be pure."""
    inputs: tuple[str, ...]
    """The fields of :class:`ExplanationInputs` that the predicate reads."""
    cap: Tier
    """The highest tier that a finding may reach while it fits."""
    lifted_by: Callable[[], str]
    """What would make it fit no more, in words with the thresholds in force."""
    source: str
    """Where the rule comes from."""


def explained(
    inputs: ExplanationInputs, *, explanations: Sequence[Explanation] | None = None
) -> tuple[BenignExplanation, ...]:
    """Tests every benign explanation.

    Args:
        inputs: of one candidate.
        explanations: to test; None: :data:`EXPLANATIONS`.
    """
    found = []
    for explanation in EXPLANATIONS if explanations is None else explanations:
        verdict = explanation.test(inputs)
        found.append(
            BenignExplanation(
                id=explanation.id,
                name=explanation.label,
                verdict="unknown" if verdict.fits is None else "fits" if verdict.fits else "unlikely",
                statistic=verdict.statistic,
                sentence=verdict.sentence,
                caps=explanation.cap if verdict.fits else None,
            )
        )
    return tuple(found)


# ---------------------------------------------------------------- the predicates


def _passed_on(inputs: ExplanationInputs) -> Verdict:
    """One text that everybody sends once, or several texts of which each sends as many as suits them, at a sitting.

    Or a handful of texts that are sent again and again: a harvester would ask for something new.
    """
    sittings = inputs.keyboard_p
    people = inputs.load_ratio >= INDEPENDENT and sittings is not None and sittings > MACHINE and inputs.apart
    handful = inputs.copies >= NEARLY_ALL and inputs.texts <= FEW_TEXTS
    fits = inputs.copies >= COPIED and (inputs.each < FEW_EACH or people or handful)
    return Verdict(
        fits=fits,
        statistic=inputs.copies,
        sentence=(
            f"{inputs.copies:.0%} of the prompts repeat an earlier one word for word; an account sent {inputs.each:.1f}"
            + (
                f", {inputs.texts} different ones in all."
                if handful
                else ", as unevenly as independent users and in sittings."
                if fits and inputs.each >= FEW_EACH
                else "."
            )
        ),
    )


def _short_phrase(inputs: ExplanationInputs) -> Verdict:
    return Verdict(
        fits=inputs.median_words < SHORT,
        statistic=inputs.median_words,
        sentence=f"A prompt of usual length has {inputs.median_words:.0f} words.",
    )


def _known_template(inputs: ExplanationInputs) -> Verdict:
    known_as = inputs.known_as
    return Verdict(
        fits=known_as is not None,
        statistic=float(known_as is not None),
        sentence=(
            "The template is no entry of the registry."
            if known_as is None
            else f"The template is the {known_as[0]} {known_as[1]} of the registry."
        ),
    )


def _product(inputs: ExplanationInputs) -> Verdict:
    """Customers fill a product's template with their own data, and work when people work.

    Or they share nothing of what is known of them, and have as much data of their own as anybody.
    """
    load = f"The load is {inputs.load_ratio:.2f} times as uneven as that of independent users"
    own = inputs.own_subjects
    if own is None:
        return Verdict(
            fits=None,
            statistic=inputs.load_ratio,
            sentence=f"{load}; too few accounts sent several prompts to tell whether they have subjects of their own.",
        )
    have_own = own.deviations >= DEVIATIONS and own.of_usual >= OF_USUAL
    infrastructure, sittings = inputs.infrastructure_p, inputs.keyboard_p
    strangers = infrastructure is not None and infrastructure > STRANGERS and own.of_usual >= MOSTLY
    people = strangers or inputs.load_ratio >= UNEVEN or (sittings is not None and sittings > MACHINE)
    return Verdict(
        fits=have_own and people and inputs.apart,
        statistic=own.of_usual,
        sentence=(
            f"{load}, and an account's fillings are alike by {max(own.of_usual, 0.0):.0%} of what is usual within an "
            f"account ({own.deviations:.1f} standard deviations of a shuffle)"
            + (", as with customers who have their own data." if have_own else "; customers have their own data.")
            + ("" if people else " But neither their sittings nor their load are those of people.")
            + ("" if inputs.apart else " But they share infrastructure, which customers of a product do not.")
        ),
    )


def _community(inputs: ExplanationInputs) -> Verdict:
    """People with a common interest have hours of their own, but each is as busy as suits them.

    Where few accounts send more than makes them members, the ratio says little; the test of an even load knows that,
    and decides. Of several ways to ask about the same thing some people use two; a harvester with several templates
    uses them all.
    """
    sittings, several, ratio = inputs.keyboard_p, inputs.several, inputs.load_ratio
    uneven = ratio >= INDEPENDENT or (inputs.even_p is not None and inputs.even_p >= AS_CHANCE)
    loose = several is not None and several < LOOSE and (sittings is None or sittings > MACHINE)
    shared = "a template" if inputs.templated else "a subject, no template"
    if inputs.templated and several is not None:
        shared = f"templates that {several:.0%} of the accounts sent more than one of"
    return Verdict(
        fits=(not inputs.templated or loose) and uneven and inputs.apart,
        statistic=ratio,
        sentence=(
            f"The prompts share {shared}; the load is {ratio:.2f} times as uneven as that of independent users"
            + (", no more even than so few prompts make it." if uneven and ratio < INDEPENDENT else ".")
            + ("" if inputs.apart else " But they share infrastructure.")
        ),
    )


def _few_accounts(inputs: ExplanationInputs) -> Verdict:
    counts = inputs.counts
    top = float(np.sort(counts)[-TOP_ACCOUNTS:].sum() / counts.sum())
    return Verdict(
        fits=top >= TOP_SHARE,
        statistic=top,
        sentence=f"The three busiest of {len(counts)} accounts sent {top:.0%} of the prompts.",
    )


def _one_organisation(inputs: ExplanationInputs) -> Verdict:
    """A proxy is one network too, but its users do not stop after a prompt or two."""
    org, network = inputs.shares.get("org"), inputs.shares.get("network")
    if org is not None:
        return Verdict(
            fits=org >= ONE,
            statistic=org,
            sentence=f"A few organisations, the largest three and those with teams, hold {org:.0%} of the accounts.",
        )
    if network is not None:
        return Verdict(
            fits=network >= ONE and inputs.each < FEW_EACH,
            statistic=network,
            sentence=(
                f"Organisations are not known; the largest network holds {network:.0%} of the accounts, which sent "
                f"{inputs.each:.1f} each."
            ),
        )
    return Verdict(
        fits=None,
        statistic=None,
        sentence="The dump does not say which organisation or network most of the accounts belong to.",
    )


def _event(inputs: ExplanationInputs) -> Verdict:
    if inputs.days is None:
        return Verdict(fits=None, statistic=None, sentence="The prompts carry no times.")
    return Verdict(
        fits=inputs.days <= EVENT_DAYS and inputs.each < FEW_EACH,
        statistic=inputs.days,
        sentence=f"The prompts came within {inputs.days:.0f} days, {inputs.each:.1f} from each account.",
    )


# ---------------------------------------------------------------- the table

_OWN: Final = "this project; thresholds chosen"
"""Source of a rule that is not taken from elsewhere."""

EXPLANATIONS: Final = (
    Explanation(
        id="passed_on",
        label="a text that people pass on (viral prompt, assignment)",
        test=_passed_on,
        inputs=(*("copies", "texts", "counts", "load_ratio", "sittings_p", "usual_sittings", "infrastructure_p"),),
        cap="watch",
        lifted_by=lambda: (
            f"fewer than {COPIED:.0%} copies, or at least {FEW_EACH:g} prompts from each account, more than "
            f"{FEW_TEXTS} different ones, with a load below {INDEPENDENT:g} or sittings that no person keeps "
            f"(p at most {MACHINE:g})"
        ),
        source=_OWN,
    ),
    Explanation(
        id="short_phrase",
        label="a common short phrase (greeting, test)",
        test=_short_phrase,
        inputs=("median_words",),
        cap="watch",
        lifted_by=lambda: f"prompts of {SHORT} words or more",
        source=_OWN,
    ),
    Explanation(
        id="known_template",
        label="a known scaffold or viral prompt",
        test=_known_template,
        inputs=("known_as",),
        cap="watch",
        lifted_by=lambda: "a template that is no entry of the registry",
        source="the registry of known scaffolds",
    ),
    Explanation(
        id="product",
        label="a product's fixed template behind many customers",
        test=_product,
        inputs=("load_ratio", "own_subjects", "sittings_p", "usual_sittings", "infrastructure_p"),
        cap="watch",
        lifted_by=lambda: (
            f"shared infrastructure (p at most {SHARED:g}), accounts less alike within themselves "
            f"(below {OF_USUAL:.0%} of what is usual), or a load below {UNEVEN:g} with sittings that no person keeps "
            f"(p at most {MACHINE:g})"
        ),
        source=_OWN,
    ),
    Explanation(
        id="community",
        label="a community with a common interest",
        test=_community,
        inputs=(*("load_ratio", "even_p", "sittings_p", "usual_sittings", "infrastructure_p", "templated", "several"),),
        cap="watch",
        lifted_by=lambda: (
            f"a shared template (of linked ones, several sent by {LOOSE:.0%} of the accounts or more), a load below "
            f"{INDEPENDENT:g} that is more even than chance makes it (p below {AS_CHANCE:g}), or shared "
            f"infrastructure (p at most {SHARED:g})"
        ),
        source=_OWN,
    ),
    Explanation(
        id="few_accounts",
        label="a few heavy users (benchmark, regression, batch)",
        test=_few_accounts,
        inputs=("counts",),
        cap="watch",
        lifted_by=lambda: "less than half of the prompts from the three busiest accounts",
        source=_OWN,
    ),
    Explanation(
        id="one_organisation",
        label="one organisation (class, team, batch)",
        test=_one_organisation,
        inputs=("shares", "counts"),
        cap="watch",
        lifted_by=lambda: f"less than {ONE:.0%} of the accounts in the largest organisations",
        source=_OWN,
    ),
    Explanation(
        id="event",
        label="an event or deadline",
        test=_event,
        inputs=("days", "counts"),
        cap="review",
        lifted_by=lambda: f"prompts over more than {EVENT_DAYS} days, or at least {FEW_EACH:g} from each account",
        source=_OWN,
    ),
)
"""Every benign explanation, in the order in which they are listed."""
