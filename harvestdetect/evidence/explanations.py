"""The table of benign explanations: innocent reasons for a finding, each tested by a statistic.

To add one, write a predicate ``(inputs) -> Verdict`` and add an :class:`Explanation` to :data:`EXPLANATIONS`. An
explanation that fits caps the tier. None of them depends on where somebody comes from or which language they write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.campaign.links import COPIED_SHARE
from harvestdetect.data import BenignExplanation, Tier
from harvestdetect.evidence.observation import SUPPORTS
from harvestdetect.evidence.shared_values import LARGEST
from harvestdetect.evidence.work_list import OWN_SUBJECTS, OwnSubjects
from harvestdetect.template.description import TEMPLATE_WORDS

__all__ = ["EXPLANATIONS", "Explanation", "ExplanationInputs", "Verdict", "explained"]

OF_USUAL: Final = 0.5
"""Fraction of the usual value from which a value is not unusually low. Chosen. It is used for the similarity of prompts
within an account, compared with that within other accounts, and for the harvest share of a member, compared with the
median member's."""
MOST: Final = 0.5
"""Share of accounts or prompts from which they are most of a candidate. Chosen."""
NEARLY_ALL: Final = 0.8
"""Share of the accounts in a few organisations, or in one network, from which the group counts as theirs. Chosen."""
RULED_OUT: Final = 1e-6
"""p-value from which on down a measure rules an innocent explanation out: people at a keyboard (by their sittings), or
strangers (by their infrastructure). Chosen."""
SITTING: Final = 0.2
"""Share of other accounts' successive prompts within one sitting from which sittings can tell people from machines.
Chosen."""
SHARED_LIST: Final = 0.2
"""Share of their prompts that two accounts have in common from which they work through one list. Prompts that are dealt
k times over n accounts have about k / n in common. Chosen."""
FEW_TEXTS: Final = 5
"""Number of different prompts up to which a harvester would learn little, however often they are sent. Chosen."""
FEW_EACH: Final = 2.5
"""Average number of prompts per account below which accounts sent few each. Chosen."""
EVENT_DAYS: Final = 7
"""Longest time, in days, that prompts about an event or a deadline span. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationInputs:
    """The values of one candidate that benign explanations are tested on."""

    copies: float
    """Share of prompts that repeat an earlier one."""
    texts: int
    """Number of different prompts."""
    counts: npt.NDArray[np.int32]
    """int32[a], prompts of each account in the candidate."""
    load_ratio: float
    """See :func:`harvestdetect.evidence.load.even_load_ratio`; from 1 on, the load is as uneven as that of independent
    users."""
    ratio_beyond: float | None
    """The same for the prompts beyond those of strays: the value of the measure ``even_load`` over its expected value.
    None if too few accounts sent several prompts."""
    even_p: float | None
    """p-value of the measure ``even_load``; None likewise."""
    own_subjects: OwnSubjects | None
    """Whether accounts have subjects of their own; None if too few accounts sent several prompts."""
    sittings_p: float | None
    """p-value of the measure ``no_sittings``; None where it was not taken."""
    usual_sittings: float
    """The expected value of ``no_sittings``: the share of other accounts' successive prompts within one sitting."""
    infrastructure_p: float | None
    """Smallest p-value of the deciding measures of infrastructure; None if no field is known."""
    templated: bool
    """Whether the accounts share a template rather than only a subject."""
    in_common: float
    """Share of its different prompts that an account has in common with another: those that both sent, over those of
    the one that sent fewer, over all pairs of accounts."""
    opened_p: float | None
    """Smallest p-value of the measures of sign-ups; None where none was taken."""
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
    def apart(self) -> bool:
        """Whether the accounts may be strangers to one another, judged by their infrastructure."""
        return self.infrastructure_p is None or self.infrastructure_p > RULED_OUT

    @property
    def uneven(self) -> bool:
        """Whether the load is at least as uneven as that of independent users."""
        return self.load_ratio >= 1

    @property
    def at_keyboard(self) -> bool | None:
        """Whether the accounts may be people at a keyboard, judged by their sittings.

        None if the measure ``no_sittings`` was not taken, or if other accounts do not work in sittings either.
        """
        if self.sittings_p is None or self.usual_sittings < SITTING:
            return None
        return self.sittings_p > RULED_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of testing a benign explanation."""

    fits: bool | None
    """Whether it fits; None if there is too little data."""
    statistic: float | None
    sentence: str
    """The statistic in words, or which data is missing."""


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
    """What would make it no longer fit, in words, with the current thresholds."""
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
    """Fits a text that people copy: they send it once or twice, or as often as they like and in sittings.

    It also fits a handful of texts that are sent again and again, because a harvester would ask for something new, and
    an assignment: several texts, most of them copied, within a few days.
    """
    people = inputs.uneven and inputs.at_keyboard is True and inputs.apart
    handful = inputs.texts <= FEW_TEXTS
    assignment = inputs.days is not None and inputs.days <= EVENT_DAYS and inputs.apart
    fits = inputs.copies >= COPIED_SHARE and (inputs.each < FEW_EACH or people or handful or assignment)
    return Verdict(
        fits=fits,
        statistic=inputs.copies,
        sentence=(
            f"{inputs.copies:.0%} of the prompts repeat an earlier one word for word; an account sent {inputs.each:.1f}"
            + (
                f", {inputs.texts} different ones in all."
                if fits and handful
                else f", within {inputs.days:.0f} days."
                if fits and assignment
                else ", as unevenly as independent users and in sittings."
                if fits and inputs.each >= FEW_EACH
                else "."
            )
        ),
    )


def _short_phrase(inputs: ExplanationInputs) -> Verdict:
    """Fits prompts that are shorter than the shortest template."""
    return Verdict(
        fits=inputs.median_words < TEMPLATE_WORDS,
        statistic=inputs.median_words,
        sentence=f"The median prompt has {inputs.median_words:.0f} words.",
    )


def _known_template(inputs: ExplanationInputs) -> Verdict:
    known_as = inputs.known_as
    return Verdict(
        fits=known_as is not None,
        statistic=float(known_as is not None),
        sentence=(
            "The template is not in the registry."
            if known_as is None
            else f"The template is the {known_as[0]} {known_as[1]} of the registry."
        ),
    )


def _shared_list(inputs: ExplanationInputs) -> Verdict:
    """Fits accounts that each work through the same list: teams on a public benchmark, a course.

    A list that is dealt out is nearly disjoint, because a harvester learns nothing from the same prompt again. It does
    not fit accounts that share infrastructure or were opened together.
    """
    strangers = inputs.apart and (inputs.opened_p is None or inputs.opened_p > RULED_OUT)
    return Verdict(
        fits=inputs.in_common >= SHARED_LIST and strangers,
        statistic=inputs.in_common,
        sentence=f"Two accounts have {inputs.in_common:.0%} of their different prompts in common, word for word."
        + ("" if strangers else " But they share infrastructure or were opened together."),
    )


def _product(inputs: ExplanationInputs) -> Verdict:
    """Fits customers who fill a product's template with their own data and work as people do.

    It also fits customers with data of their own whose infrastructure is known and not shared.
    """
    load = f"The load is {inputs.load_ratio:.2f} times as uneven as that of independent users"
    own = inputs.own_subjects
    if own is None:
        return Verdict(
            fits=None,
            statistic=inputs.load_ratio,
            sentence=f"{load}; too few accounts sent several prompts to tell whether they have subjects of their own.",
        )
    have_own = own.deviations >= OWN_SUBJECTS and own.of_usual >= OF_USUAL
    strangers = inputs.infrastructure_p is not None and inputs.infrastructure_p > SUPPORTS
    as_chance = inputs.even_p is not None and inputs.even_p > SUPPORTS
    people = strangers or inputs.uneven or as_chance or inputs.at_keyboard is True
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
    """Fits people with a common interest: they may keep the same hours, but send uneven numbers of prompts.

    If most accounts sent only the prompts that make them members, the load ratio says little, and the same ratio of
    the prompts beyond those of strays decides. People may know two ways to ask the same; a harvester with several
    templates uses them all.
    """
    several, beyond = inputs.several, inputs.ratio_beyond
    uneven = inputs.uneven or (beyond is not None and beyond >= 1)
    loose = several is not None and several < MOST and inputs.at_keyboard is not False
    shared = "a template" if inputs.templated else "a subject, no template"
    if inputs.templated and several is not None:
        shared = f"templates that {several:.0%} of the accounts sent more than one of"
    return Verdict(
        fits=(not inputs.templated or loose) and uneven and inputs.apart,
        statistic=inputs.load_ratio,
        sentence=(
            f"The prompts share {shared}; the load is {inputs.load_ratio:.2f} times as uneven as that of independent "
            "users"
            + (", no more even than so few prompts make it." if uneven and not inputs.uneven else ".")
            + ("" if inputs.apart else " But they share infrastructure.")
        ),
    )


def _few_accounts(inputs: ExplanationInputs) -> Verdict:
    counts = inputs.counts
    top = float(np.sort(counts)[-LARGEST:].sum() / counts.sum())
    return Verdict(
        fits=top >= MOST,
        statistic=top,
        sentence=f"The {LARGEST} busiest of {len(counts)} accounts sent {top:.0%} of the prompts.",
    )


def _one_organisation(inputs: ExplanationInputs) -> Verdict:
    """Fits a group in few organisations or, if these are unknown, in one network with few prompts per account.

    A proxy is one network too, but its users do not stop after a prompt or two.
    """
    org, network = inputs.shares.get("org"), inputs.shares.get("network")
    if org is not None:
        return Verdict(
            fits=org >= NEARLY_ALL,
            statistic=org,
            sentence=(
                f"A few organisations, the largest {LARGEST} and those with teams, have {org:.0%} of the accounts."
            ),
        )
    if network is not None:
        return Verdict(
            fits=network >= NEARLY_ALL and inputs.each < FEW_EACH,
            statistic=network,
            sentence=(
                f"Organisations are not known; the largest network has {network:.0%} of the accounts, which sent "
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
        return Verdict(fits=None, statistic=None, sentence="The prompts have no timestamps.")
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
        inputs=(
            *("copies", "texts", "counts", "load_ratio", "sittings_p", "usual_sittings", "infrastructure_p", "days"),
        ),
        cap="watch",
        lifted_by=lambda: (
            f"fewer than {COPIED_SHARE:.0%} copies, or at least {FEW_EACH:g} prompts from each account, more than "
            f"{FEW_TEXTS} different ones over more than {EVENT_DAYS} days, with a load below 1 or sittings that no "
            f"person keeps (p at most {RULED_OUT:g})"
        ),
        source=_OWN,
    ),
    Explanation(
        id="shared_list",
        label="one list that everybody works through (public benchmark, course)",
        test=_shared_list,
        inputs=("in_common", "infrastructure_p", "opened_p"),
        cap="watch",
        lifted_by=lambda: (
            f"less than {SHARED_LIST:.0%} of two accounts' prompts in common, or shared infrastructure or sign-ups "
            f"(p at most {RULED_OUT:g})"
        ),
        source=_OWN,
    ),
    Explanation(
        id="short_phrase",
        label="a common short phrase (greeting, test)",
        test=_short_phrase,
        inputs=("median_words",),
        cap="watch",
        lifted_by=lambda: f"prompts of {TEMPLATE_WORDS} words or more",
        source=_OWN,
    ),
    Explanation(
        id="known_template",
        label="a known scaffold or viral prompt",
        test=_known_template,
        inputs=("known_as",),
        cap="watch",
        lifted_by=lambda: "a template that is not in the registry",
        source="the registry of known scaffolds",
    ),
    Explanation(
        id="product",
        label="a product's fixed template behind many customers",
        test=_product,
        inputs=("load_ratio", "even_p", "own_subjects", "sittings_p", "usual_sittings", "infrastructure_p"),
        cap="watch",
        lifted_by=lambda: (
            f"shared infrastructure (p at most {RULED_OUT:g}), accounts less alike within themselves "
            f"(below {OF_USUAL:.0%} of what is usual), or a load that is more even than chance makes it (below 1, p at "
            f"most {SUPPORTS:g}) with sittings that no person keeps (p at most {RULED_OUT:g})"
        ),
        source=_OWN,
    ),
    Explanation(
        id="community",
        label="a community with a common interest",
        test=_community,
        inputs=(
            *("load_ratio", "ratio_beyond", "sittings_p", "usual_sittings", "infrastructure_p", "templated", "several"),
        ),
        cap="watch",
        lifted_by=lambda: (
            f"a shared template (of linked ones, several sent by {MOST:.0%} of the accounts or more), a load below 1 "
            f"that is more even than so few prompts make it, or shared infrastructure (p at most {RULED_OUT:g})"
        ),
        source=_OWN,
    ),
    Explanation(
        id="few_accounts",
        label="a few heavy users (benchmark, regression, batch)",
        test=_few_accounts,
        inputs=("counts",),
        cap="watch",
        lifted_by=lambda: f"less than {MOST:.0%} of the prompts from the {LARGEST} busiest accounts",
        source=_OWN,
    ),
    Explanation(
        id="one_organisation",
        label="one organisation (class, team, batch)",
        test=_one_organisation,
        inputs=("shares", "counts"),
        cap="watch",
        lifted_by=lambda: f"less than {NEARLY_ALL:.0%} of the accounts in the largest organisations",
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
