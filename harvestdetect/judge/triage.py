"""Turns the bits of a candidate's ledger into a tier, and says which other cuts would give which tier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from harvestdetect.data import TIERS, BenignExplanation, Cut, Family, FamilyResult, RateStep, Tier
from harvestdetect.evidence.explanations import EXPLANATIONS
from harvestdetect.judge.caps import capped
from harvestdetect.judge.ledger import Ledger, Posted, innocence
from harvestdetect.util.arrays import Floats

__all__ = [
    "CARRIES",
    "Cut",
    "Judgement",
    "bits_of_explanations",
    "changes",
    "doubt_of",
    "ends_finding",
    "expected_false",
    "fits",
    "judge",
    "q_values",
    "ranked",
    "steps",
    "tier_at",
    "tier_of",
    "tier_of_reach",
    "what_if",
]


BEYOND_TEXT: Final[tuple[Family, ...]] = ("structure", "time", "infrastructure")
"""Families that can raise a finding to ``urgent``."""
_FAMILIES: Final[tuple[Family, ...]] = ("text", *BEYOND_TEXT)
"""Families that are judged."""
CARRIES: Final = 1.0
"""Bits from which a family carries weight of its own: campaigns look like that twice as often. From as many bits
against a campaign on, a benign explanation fits. Chosen."""
URGENT: Final = 0.1
"""Fraction of the false-discovery rate that ``urgent`` takes. Chosen."""
WATCH: Final = 2.5
"""Multiple of the false-discovery rate up to which a candidate is at ``watch``. Chosen."""
NEIGHBOURS: Final = (0.1, 0.3, 1.0, 1.5, 2.0)
"""Multiples of the false-discovery rate at which :func:`what_if` counts the findings."""
LEAST_CUT: Final = 1e-6
"""Smallest false-discovery rate at which a change of tier is mentioned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The judgement on one candidate."""

    tier: Tier | None
    """None: no finding."""
    score: float
    """Bits of the ledger: the logarithm (base 2) of the odds that it is a campaign."""
    probability: float
    """That it is a campaign, by the ledger."""
    q_value: float
    """See :func:`q_values`."""
    families: tuple[Family, ...]
    """The families that carry weight, the strongest first."""
    rows: Mapping[str, float] = field(default_factory=dict)
    """Bits of each row of the ledger, see :class:`harvestdetect.judge.ledger.Posted`."""
    family_results: tuple[FamilyResult, ...] = ()
    """The sum of each family that has a row."""
    uncapped: Tier | None = None
    """The tier if no hard rule capped it."""
    cap: Tier | None = None
    """The highest tier that hard rules allow; None: any."""
    capped_by: tuple[str, ...] = ()
    """Labels of the rules that set ``cap``, even if the tier is below the cap anyway."""
    reach: Mapping[Tier, float] = field(default_factory=dict)
    """For each tier, the smallest false-discovery rate at which the candidate reaches it or a higher one, without caps.
    Infinite if it never does."""


def judge(
    posted: Sequence[Posted], benign: Sequence[Sequence[BenignExplanation]], *, ledger: Ledger, fdr: float
) -> list[Judgement]:
    """Judges all candidates of a scan.

    The probability that a candidate is innocent (its local false-discovery rate, Efron 2004) decides. The tiers need:

    * ``review``: at most ``fdr``.
    * ``urgent``: at most :data:`URGENT` of it, even if the bits of benign explanations that fit count twice; and two
      families beyond text with :data:`CARRIES` bits or more, so that no single kind of evidence is enough. Rows are
      added as if nothing caused several of them, but one office causes a common network, a common day of sign-up and a
      common list of work, and only one of these rows says so.
    * ``watch``: at most :data:`WATCH` times ``fdr``.

    A candidate for which no family carries weight is no finding, whatever the prior and the absence of evidence against
    it say. A hard rule (the registry of known scaffolds) caps the tier.

    Args:
        posted: the ledger of each candidate.
        benign: explanations of each candidate.
        ledger: the model, for the families of its rows.
        fdr: largest probability of innocence at ``review``.
    """
    q = q_values([p.total for p in posted])
    found = []
    for i, one in enumerate(posted):
        family_results = _family_results(one, ledger)
        reach = _reach(one.total, family_results, doubt=doubt_of(one.rows))
        caps = [(e.caps, e.name) for e in benign[i] if e.caps]
        cap = max((c for c, _ in caps), key=TIERS.index, default=None)
        uncapped = _best(reach, fdr)
        found.append(
            Judgement(
                tier=capped(uncapped, cap),
                score=round(one.total, 4),
                probability=one.probability,
                q_value=float(q[i]),
                families=tuple(s.family for s in sorted(family_results, key=lambda s: -s.bits) if s.stands),
                rows=one.rows,
                family_results=family_results,
                uncapped=uncapped,
                cap=cap,
                capped_by=tuple(name for c, name in caps if c == cap),
                reach=reach,
            )
        )
    return found


def q_values(totals: Sequence[float]) -> Floats:
    """The expected share of innocents among the candidates with at least as many bits: float64[n].

    It is the mean of their probabilities of innocence (Efron 2004).

    Args:
        totals: bits of each candidate.
    """
    if not totals:
        return np.empty(0)
    total = np.asarray(totals, np.float64)
    order = np.argsort(-total, kind="stable")
    mean = np.cumsum(innocence(total[order])) / np.arange(1, len(total) + 1)
    # equal candidates share the value of the last of them
    last = np.searchsorted(-total[order], -total[order], side="right") - 1
    found = np.empty(len(total))
    found[order] = mean[last]
    return found


def _family_results(posted: Posted, ledger: Ledger) -> tuple[FamilyResult, ...]:
    """The sum of each family that has a row."""
    bits: dict[str, float] = {}
    for id_, value in posted.rows.items():
        family = ledger.curves[id_].family
        bits[family] = bits.get(family, 0.0) + value
    return tuple(
        FamilyResult(family=family, bits=round(bits[family], 4), stands=bits[family] >= CARRIES)
        for family in _FAMILIES
        if family in bits
    )


def ranked(judgements: Sequence[Judgement]) -> list[int]:
    """Positions of the candidates with a tier, strongest first."""
    rows = [i for i, judgement in enumerate(judgements) if judgement.tier]
    return sorted(rows, key=lambda i: (TIERS.index(judgements[i].tier or "watch"), -judgements[i].score))


def bits_of_explanations(rows: Mapping[str, float]) -> Mapping[str, float]:
    """The bits of each benign explanation that has rows in a ledger, by its id.

    Args:
        rows: bits of each row of a candidate's ledger.
    """
    found = {e.id: [rows[id_] for id_ in e.rows if id_ in rows] for e in EXPLANATIONS}
    return {id_: round(sum(own), 2) for id_, own in found.items() if own}


def fits(bits: float | None) -> bool:
    """Whether a benign explanation with these bits fits; None: it has no row."""
    return bits is not None and bits <= -CARRIES


def doubt_of(rows: Mapping[str, float], *, unless: str | None = None) -> float:
    """What benign explanations that fit take from the bits a second time, for ``urgent``: 0 or less.

    Args:
        rows: bits of each row of a candidate's ledger.
        unless: id of an explanation that is left out.
    """
    return sum(bits for id_, bits in bits_of_explanations(rows).items() if id_ != unless and fits(bits))


def _reach(total: float, family_results: Sequence[FamilyResult], *, doubt: float) -> Mapping[Tier, float]:
    """See :attr:`Judgement.reach`: the rules of :func:`judge`, solved for the false-discovery rate."""
    if not any(s.stands for s in family_results):
        return dict.fromkeys(TIERS, math.inf)
    innocent, doubted = innocence(np.array([total, total + doubt])).tolist()
    two = sum(s.stands for s in family_results if s.family in BEYOND_TEXT) > 1
    return {"urgent": doubted / URGENT if two else math.inf, "review": innocent, "watch": innocent / WATCH}


def tier_of(total: float, family_results: Sequence[FamilyResult], *, doubt: float, fdr: float) -> Tier | None:
    """The tier that these bits give at a false-discovery rate, without caps, by the rules of :func:`judge`.

    Args:
        total: bits.
        family_results: of the families.
        doubt: see :func:`doubt_of`.
        fdr: the rate.
    """
    return _best(_reach(total, family_results, doubt=doubt), fdr)


def _best(reach: Mapping[Tier, float], fdr: float) -> Tier | None:
    return next((t for t in TIERS if reach.get(t, math.inf) <= fdr), None)


# ---------------------------------------------------------------- other cuts


def tier_at(judgement: Judgement, fdr: float) -> Tier | None:
    """The tier of a candidate at another false-discovery rate."""
    return capped(_best(judgement.reach, fdr), judgement.cap)


def steps(judgement: Judgement) -> tuple[RateStep, ...]:
    """The tier as a function of the false-discovery rate, with the candidates and the ledgers of this scan.

    A scan at another rate may also merge other candidates, or measure others again without the accounts that they
    share with stronger ones, because both depend on tiers.

    Returns:
        the steps by rising rate, the first at 0; each has another tier than the one before.
    """
    found: list[RateStep] = []
    for fdr in sorted({0.0, *(r for r in judgement.reach.values() if r <= 1)}):
        tier = tier_at(judgement, fdr)
        if not found or found[-1].tier != tier:
            found.append(RateStep(fdr=fdr, tier=tier))
    return tuple(found)


def changes(judgement: Judgement, *, fdr: float) -> tuple[str, ...]:
    """What would change the tier, one sentence each: other rates, explanations that count once, or no hard rule.

    Other rates are those of :func:`steps`, with the candidates and the ledgers of this scan. Stricter rates come first,
    each time from the nearest change to the farthest.
    """
    looser, stricter = [], []
    past = RateStep(fdr=0.0, tier=None)
    for step in steps(judgement):
        if step.fdr > fdr:
            looser.append(f"{_would_be(step.tier)} at a false-discovery rate of {step.fdr:.2g} or more.")
        elif step.fdr >= LEAST_CUT:
            stricter.append(f"{_would_be(past.tier)} at a false-discovery rate below {step.fdr:.2g}.")
        past = step
    found = [*reversed(stricter), *looser]
    if fdr < judgement.reach.get("urgent", math.inf) < math.inf and judgement.reach["review"] <= URGENT * fdr:
        taken = f"{-doubt_of(judgement.rows):.1f} bits that benign explanations take away"
        found.append(f"{_would_be('urgent')} if the {taken} counted once, not twice.")
    if judgement.uncapped != judgement.tier:
        found.append(f"{_would_be(judgement.uncapped)} if no hard rule capped it: {'; '.join(judgement.capped_by)}.")
    return tuple(found)


def ends_finding(change: str) -> bool:
    """Whether a sentence of :func:`changes` says that the candidate would be no finding."""
    return change.startswith(_would_be(None))


def _would_be(tier: Tier | None) -> str:
    """The beginning of a sentence about another tier."""
    named = {None: "no finding", "urgent": "urgent", "review": "at review", "watch": "at watch"}
    return f"It would be {named[tier]}"


def what_if(judgements: Sequence[Judgement], *, ledger: Ledger, fdr: float) -> tuple[Cut, ...]:
    """The findings of the scan at other false-discovery rates, ascending: :data:`NEIGHBOURS` times its own.

    The candidates and the ledgers are those of this scan, see :func:`steps`.
    """
    found = []
    for rate in sorted({min(1.0, fdr * times) for times in NEIGHBOURS}):
        tiers = [tier_at(j, rate) for j in judgements]
        found.append(
            Cut(
                fdr=rate,
                findings={t: tiers.count(t) for t in TIERS},
                expected_false=expected_false(judgements, ledger=ledger, fdr=rate),
            )
        )
    return tuple(found)


# ---------------------------------------------------------------- expected false findings


def tier_of_reach(reach: tuple[float, float, float], fdr: float) -> Tier | None:
    """The tier at a false-discovery rate, of the rates from which on each of ``TIERS`` is reached."""
    return next((tier for tier, rate in zip(TIERS, reach, strict=True) if rate <= fdr), None)


def expected_false(judgements: Sequence[Judgement], *, ledger: Ledger, fdr: float) -> dict[Tier, float]:
    """The number of innocent candidates to expect at each tier.

    By their ledgers so many of the scan's candidates are innocent. Of the innocent candidates that the ledger was
    tested on, none of which it was fitted on, such a share was at the tier. One more is counted than was seen.

    The probabilities of innocence of the findings at the tier add up to a second estimate. The test knows too few
    candidates at the tier to contradict the probability that a finding states, so the larger estimate counts.

    Args:
        judgements: of all candidates of a scan, those without a tier included.
        ledger: with its held-out innocent candidates.
        fdr: false-discovery rate of the cut.

    Returns:
        by tier; NaN where the ledger was not tested.
    """
    innocent = sum(1 - j.probability for j in judgements)
    seen = [tier_of_reach(reach, fdr) for reach in ledger.held_out]
    count = ledger.held_out_count
    if not count:
        return dict.fromkeys(TIERS, math.nan)
    stated = dict.fromkeys(TIERS, 0.0)
    for one in judgements:
        if tier := tier_at(one, fdr):
            stated[tier] += 1 - one.probability
    return {t: max(innocent * (seen.count(t) + 1) / (count + 1), stated[t]) for t in TIERS}
