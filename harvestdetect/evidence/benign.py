"""Innocent readings of a finding, each tested, with the statistic for and against.

An explanation that fits caps the tier. None of them asks where somebody comes from or which language they write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import BenignExplanation, Tier

__all__ = ["benign_explanations"]

DEVIATIONS: Final = 5.0
"""Standard deviations of a shuffle from which accounts are said to have subjects of their own..."""
OF_USUAL: Final = 0.35
"""...if they also reach this share of the likeness within other accounts."""
MOSTLY: Final = 0.5
"""Share of that likeness from which strangers with subjects of their own are customers, however even their load."""
STRANGERS: Final = 0.05
"""p-value of shared infrastructure, where it is known, from which accounts are strangers."""
UNEVEN: Final = 0.6
"""Load, as a share of a geometric distribution's variance, from which use is as uneven as people's."""
INDEPENDENT: Final = 1.0
"""Load from which users look independent of one another."""
AS_CHANCE: Final = 0.5
"""p-value of an even load from which it is no more even than chance makes it."""
LOOSE: Final = 0.5
"""Share of the accounts that sent several of the linked templates below which one interest may explain the links."""
MACHINE: Final = 1e-5
"""p-value of the sittings down to which the accounts may still be people at a keyboard."""
SITTING: Final = 0.2
"""Share of other accounts' successive prompts at one sitting from which sittings tell people at all."""
SHARED: Final = 1e-6
"""p-value of shared infrastructure down to which accounts may still be strangers."""
ONE: Final = 0.8
"""Share of the accounts in a few organisations, or one network, from which the group is theirs."""
COPIED: Final = 0.5
FEW_TEXTS: Final = 5
"""Different prompts up to which nothing much is learned from the answers, however often they are asked..."""
NEARLY_ALL: Final = 0.9
"""...where so many of the prompts are copies."""
FEW_EACH: Final = 2.5
SHORT: Final = 5
EVENT_DAYS: Final = 7


def benign_explanations(
    *,
    copies: float,
    texts: int,
    counts: npt.NDArray[np.int32],
    load_ratio: float,
    even_p: float | None,
    own_subjects: tuple[float, float] | None,
    sittings_p: float | None,
    usual_sittings: float,
    infrastructure_p: float | None,
    templated: bool,
    several: float | None,
    median_words: float,
    days: float | None,
    shares: Mapping[str, float],
    known_as: tuple[str, str] | None,
) -> tuple[BenignExplanation, ...]:
    """The explanations of one campaign.

    Args:
        copies: share of prompts that repeat an earlier one.
        texts: different prompts.
        counts: int32[a], prompts of each account in the campaign.
        load_ratio: see ``structure.even_load_ratio``.
        even_p: p-value of ``structure.even_load``; None where too few accounts sent several prompts.
        own_subjects: how alike an account's prompts are, in deviations of a shuffle and as a share of what is usual,
            see ``structure.OwnSubjects``; None where it could not be tested.
        sittings_p: p-value of ``time.SITTINGS``; None where it was not measured.
        usual_sittings: what chance gives there.
        infrastructure_p: least p-value of the deciding measures of infrastructure; None where no field is known.
        templated: whether they share a template rather than only a subject.
        several: share of the accounts that sent several of its clusters; None where these are not linked by accounts.
        median_words: of the texts.
        days: from first to last prompt, the outermost twentieths left out; None without times.
        shares: ``infrastructure.concentration``: the share of accounts in the largest ``network`` and ``asn``, and
            in a few of ``org``: the three largest, and up to nine with three accounts and more.
        known_as: kind and id of the entry of the registry that the template is, if it is one.
    """
    each = float(counts.mean())
    apart = infrastructure_p is None or infrastructure_p > SHARED
    if usual_sittings < SITTING:
        sittings_p = None
    return (
        _passed_on(copies, texts, each, load_ratio, sittings_p, apart),
        _common_phrase(median_words),
        _known(known_as),
        _product(load_ratio, own_subjects, sittings_p, infrastructure_p),
        _community(load_ratio, even_p, sittings_p, templated=templated, several=several, apart=apart),
        _few_accounts(counts),
        _one_organisation(shares, each),
        _event(days, each),
    )


def _tested(name: str, *, fits: bool, statistic: float, sentence: str, caps: Tier = "watch") -> BenignExplanation:
    """An explanation with a verdict, which caps the tier if it fits."""
    return BenignExplanation(
        name=name,
        verdict="fits" if fits else "unlikely",
        statistic=statistic,
        sentence=sentence,
        caps=caps if fits else None,
    )


def _passed_on(
    copies: float, texts: int, each: float, load_ratio: float, sittings_p: float | None, apart: bool
) -> BenignExplanation:
    """One text that everybody sends once, or several, of which each sends as many as suits them, at a sitting.

    Or a handful that are asked again and again: whoever harvests asks for something new.
    """
    people = load_ratio >= INDEPENDENT and sittings_p is not None and sittings_p > MACHINE and apart
    handful = copies >= NEARLY_ALL and texts <= FEW_TEXTS
    fits = copies >= COPIED and (each < FEW_EACH or people or handful)
    return _tested(
        "a text that people pass on (viral prompt, assignment)",
        fits=fits,
        statistic=copies,
        sentence=(
            f"{copies:.0%} of the prompts repeat an earlier one word for word; an account sent {each:.1f}"
            + (
                f", {texts} different ones in all."
                if handful
                else ", as unevenly as independent users and in sittings."
                if fits and each >= FEW_EACH
                else "."
            )
        ),
    )


def _common_phrase(median_words: float) -> BenignExplanation:
    fits = median_words < SHORT
    return _tested(
        "a common short phrase (greeting, test)",
        fits=fits,
        statistic=median_words,
        sentence=f"A prompt of usual length has {median_words:.0f} words.",
    )


def _known(known_as: tuple[str, str] | None) -> BenignExplanation:
    return _tested(
        "a known scaffold or viral prompt",
        fits=known_as is not None,
        statistic=float(known_as is not None),
        sentence=(
            "The template is no entry of the registry."
            if known_as is None
            else f"The template is the {known_as[0]} {known_as[1]} of the registry."
        ),
    )


def _product(
    load_ratio: float,
    own_subjects: tuple[float, float] | None,
    sittings_p: float | None,
    infrastructure_p: float | None,
) -> BenignExplanation:
    """Customers fill a product's template with their own data, and work when people work.

    Or they share nothing of what is known of them, and have as much data of their own as anybody.
    """
    name = "a product's fixed template behind many customers"
    load = f"The load is {load_ratio:.2f} times as uneven as that of independent users"
    if own_subjects is None:
        return BenignExplanation(
            name=name,
            verdict="unknown",
            statistic=load_ratio,
            sentence=f"{load}; too few accounts sent several prompts to tell whether they have subjects of their own.",
        )
    deviations, of_usual = own_subjects
    own = deviations >= DEVIATIONS and of_usual >= OF_USUAL
    apart = infrastructure_p is None or infrastructure_p > SHARED
    strangers = infrastructure_p is not None and infrastructure_p > STRANGERS and of_usual >= MOSTLY
    people = strangers or load_ratio >= UNEVEN or (sittings_p is not None and sittings_p > MACHINE)
    return _tested(
        name,
        fits=own and people and apart,
        statistic=of_usual,
        sentence=(
            f"{load}, and an account's fillings are alike by {max(of_usual, 0.0):.0%} of what is usual within an "
            f"account ({deviations:.1f} standard deviations of a shuffle)"
            + (", as with customers who have their own data." if own else "; customers have their own data.")
            + ("" if people else " But neither their sittings nor their load are those of people.")
            + ("" if apart else " But they share infrastructure, which customers of a product do not.")
        ),
    )


def _community(
    load_ratio: float,
    even_p: float | None,
    sittings_p: float | None,
    *,
    templated: bool,
    several: float | None,
    apart: bool,
) -> BenignExplanation:
    """People with a common interest have hours of their own, but each is as busy as suits them.

    Where few send more than makes them members the ratio says little, and the test, which knows that, decides. Of
    several ways to ask about the same thing some people use two: whoever harvests by several templates uses them all.
    """
    uneven = load_ratio >= INDEPENDENT or (even_p is not None and even_p >= AS_CHANCE)
    loose = several is not None and several < LOOSE and (sittings_p is None or sittings_p > MACHINE)
    fits = (not templated or loose) and uneven and apart
    shared = "a template" if templated else "a subject, no template"
    if templated and several is not None:
        shared = f"templates that {several:.0%} of the accounts sent more than one of"
    return _tested(
        "a community with a common interest",
        fits=fits,
        statistic=load_ratio,
        sentence=(
            f"The prompts share {shared}; the load is {load_ratio:.2f} times as uneven as that of independent users"
            + (", no more even than so few prompts make it." if uneven and load_ratio < INDEPENDENT else ".")
            + ("" if apart else " But they share infrastructure.")
        ),
    )


def _few_accounts(counts: npt.NDArray[np.int32]) -> BenignExplanation:
    top = float(np.sort(counts)[-3:].sum() / counts.sum())
    fits = top >= 0.5
    return _tested(
        "a few heavy users (benchmark, regression, batch)",
        fits=fits,
        statistic=top,
        sentence=f"The three busiest of {len(counts)} accounts sent {top:.0%} of the prompts.",
    )


def _one_organisation(shares: Mapping[str, float], each: float) -> BenignExplanation:
    name = "one organisation (class, team, batch)"
    org, network = shares.get("org"), shares.get("network")
    if org is not None:
        return _tested(
            name,
            fits=org >= ONE,
            statistic=org,
            sentence=f"A few organisations, the largest three and those with teams, hold {org:.0%} of the accounts.",
        )
    if network is not None:
        # a proxy is one network too, but does not stop at a prompt or two
        return _tested(
            name,
            fits=network >= ONE and each < FEW_EACH,
            statistic=network,
            sentence=(
                f"Organisations are not known; the largest network holds {network:.0%} of the accounts, which sent "
                f"{each:.1f} each."
            ),
        )
    return BenignExplanation(
        name=name,
        verdict="unknown",
        statistic=None,
        sentence="The dump does not say which organisation or network most of the accounts belong to.",
    )


def _event(days: float | None, each: float) -> BenignExplanation:
    name = "an event or deadline"
    if days is None:
        return BenignExplanation(name=name, verdict="unknown", statistic=None, sentence="The prompts carry no times.")
    fits = days <= EVENT_DAYS and each < FEW_EACH
    return _tested(
        name,
        fits=fits,
        statistic=days,
        sentence=f"The prompts came within {days:.0f} days, {each:.1f} from each account.",
        caps="review",
    )
