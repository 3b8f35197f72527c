"""Decides which families of evidence pass, and which tier a candidate gets."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from harvestdetect.data import TIERS, BenignExplanation, Cut, Evidence, Family, FamilyResult, RateStep, Tier
from harvestdetect.evidence.nulls import DRAWS
from harvestdetect.evidence.observation import SUPPORTS
from harvestdetect.util.arrays import Floats
from harvestdetect.util.tails import adjusted_p, chi2_tail

__all__ = [
    "Cut",
    "Judgement",
    "changes",
    "expected_false",
    "family_p_values",
    "judge",
    "ranked",
    "steps",
    "tier_at",
    "tier_of",
    "what_if",
]


BEYOND_TEXT: Final[tuple[Family, ...]] = ("structure", "time", "infrastructure")
"""Families that can raise a finding above ``watch``."""
_FAMILIES: Final[tuple[Family, ...]] = ("text", *BEYOND_TEXT)
"""Families that are judged."""
P_FLOOR: Final = 1e-30
"""Smallest p-value of a measure: smaller ones count as this when a family is judged."""
ALONE: Final = 0.01
"""Fraction of the false-discovery rate at which a single family must pass without a template. Chosen."""
NEIGHBOURS: Final = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Multiples of the false-discovery rate at which :func:`what_if` counts the findings."""
LEAST_CUT: Final = 1e-6
"""Smallest false-discovery rate at which a change of tier is mentioned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The judgement on one candidate."""

    tier: Tier | None
    """None: no finding."""
    score: float
    q_value: float
    families: tuple[Family, ...]
    """The families that pass, the smallest adjusted p-value first."""
    standings: tuple[FamilyResult, ...] = ()
    """The result of every family that was measured and can decide."""
    templated: bool = True
    uncapped: Tier | None = None
    """The tier if no benign explanation fitted."""
    cap: Tier | None = None
    """The highest tier that the benign explanations allow; None: any."""
    capped_by: tuple[str, ...] = ()
    """Labels of the benign explanations that set ``cap``, even if the tier is below the cap anyway."""
    reach: Mapping[Tier, float] = field(default_factory=dict)
    """For each tier, the smallest false-discovery rate at which the candidate reaches it or a higher one, without caps.
    Infinite if it never does, 0 if it always does."""


def family_p_values(evidence: Sequence[Evidence], deciding: Mapping[Family, Collection[str]]) -> dict[Family, float]:
    """One p-value per family that was measured (Simes 1986, valid under positive dependence).

    Args:
        evidence: of one campaign.
        deciding: for each family, the ids of the measures that decide. In a family that is not listed, all decide.
    """
    by_family: dict[Family, list[float]] = {}
    for item in evidence:
        if item.id in deciding.get(item.family, (item.id,)):
            by_family.setdefault(item.family, []).append(max(item.p_value, P_FLOOR))
    found: dict[Family, float] = {}
    for family, values in by_family.items():
        ordered = np.sort(values)
        found[family] = float(min(1.0, (ordered * len(ordered) / np.arange(1, len(ordered) + 1)).min()))
    return found


def _agreed(evidence: Sequence[Evidence], family: Family) -> bool:
    """Whether at least two measures of a family are at :data:`SUPPORTS` or below, deciding or not.

    One of them decides where the result matters: there the family's p-value is at most :data:`ALONE`, which is below
    :data:`SUPPORTS`. It is never below the smallest p-value of the deciding measures, so one of these is small too.
    """
    return sum(e.family == family and e.p_value <= SUPPORTS for e in evidence) > 1


def judge(
    evidence: Sequence[Sequence[Evidence]],
    benign: Sequence[Sequence[BenignExplanation]],
    templated: Sequence[bool],
    *,
    deciding: Mapping[Family, Collection[str]],
    fdr: float,
) -> list[Judgement]:
    """Judges all candidates of a scan together.

    A family passes (``stands``) if its Simes p-value passes Benjamini-Hochberg over all candidates at ``fdr``, the text
    family at :data:`SUPPORTS`. The tiers need:

    * ``urgent``: two families beyond text.
    * ``review``: one family beyond text, and a template or the text family. Without both, the family must pass at
      :data:`ALONE` of the rate, and a second measure of it must agree with the deciding one.
    * ``watch``: the text family.

    A benign explanation that fits caps the tier. The q-value combines the families beyond text by Fisher's method and
    adjusts over candidates by Benjamini-Hochberg, so wording alone never makes it small.

    Args:
        evidence: of each candidate.
        benign: explanations of each candidate.
        templated: whether each candidate has a template rather than only a subject.
        deciding: see :func:`family_p_values`.
        fdr: false-discovery rate, per family.
    """
    count = len(evidence)
    if count == 0:
        return []
    families = [family_p_values(e, deciding) for e in evidence]
    standings = _standings(evidence, families, fdr=fdr)
    beyond_p = [[p for x, p in f.items() if x in BEYOND_TEXT] or [1.0] for f in families]
    combined = np.array([chi2_tail(-2 * np.log(p).sum(), 2 * len(p)) for p in beyond_p])
    q_values = adjusted_p(np.clip(combined, 1e-300, 1.0))
    found = []
    for i in range(count):
        reach = _reach(standings[i], templated=templated[i])
        caps = [(e.caps, e.name) for e in benign[i] if e.caps]
        cap = max((c for c, _ in caps), key=TIERS.index, default=None)
        uncapped = _best(reach, fdr)
        found.append(
            Judgement(
                tier=_capped(uncapped, cap),
                score=_score(beyond_p[i], families[i].get("text", 1.0)),
                q_value=float(q_values[i]),
                families=tuple(s.family for s in sorted(standings[i], key=lambda s: s.adjusted) if s.stands),
                standings=tuple(standings[i]),
                templated=templated[i],
                uncapped=uncapped,
                cap=cap,
                capped_by=tuple(name for c, name in caps if c == cap),
                reach=reach,
            )
        )
    return found


def _score(beyond: Sequence[float], text: float) -> float:
    """The sum of the negative decimal logarithms of the p-values of the families.

    The text family adds at most that of the smallest p-value by rank, because a smaller one is extrapolated.
    """
    return round(float(-np.log10(beyond).sum() + min(-np.log10(text), np.log10(DRAWS + 1))), 4)


def _standings(
    evidence: Sequence[Sequence[Evidence]], families: Sequence[Mapping[Family, float]], *, fdr: float
) -> list[list[FamilyResult]]:
    """The results of the families of each candidate, adjusted over all candidates.

    Args:
        evidence: of each candidate.
        families: of each candidate, see :func:`family_p_values`.
        fdr: false-discovery rate of the families beyond text.
    """
    standings: list[list[FamilyResult]] = [[] for _ in evidence]
    for family in _FAMILIES:
        cut = SUPPORTS if family == "text" else fdr
        adjusted = adjusted_p([f.get(family, 1.0) for f in families]).tolist()
        for i, measured in enumerate(families):
            if family in measured:
                standings[i].append(
                    FamilyResult(
                        family=family,
                        p_value=measured[family],
                        adjusted=adjusted[i],
                        cut=cut,
                        stands=adjusted[i] <= cut,
                        agreed=_agreed(evidence[i], family),
                    )
                )
    return standings


def ranked(judgements: Sequence[Judgement]) -> list[int]:
    """Positions of the candidates with a tier, strongest first."""
    rows = [i for i, judgement in enumerate(judgements) if judgement.tier]
    return sorted(rows, key=lambda i: (TIERS.index(judgements[i].tier or "watch"), -judgements[i].score))


def _reach(standings: Sequence[FamilyResult], *, templated: bool) -> dict[Tier, float]:
    """See :attr:`Judgement.reach`: the rules of :func:`judge`, solved for the false-discovery rate."""
    text = any(s.stands for s in standings if s.family == "text")
    beyond = sorted((s for s in standings if s.family in BEYOND_TEXT), key=lambda s: s.adjusted)
    urgent = beyond[1].adjusted if len(beyond) > 1 else math.inf
    if templated or text:
        alone = [s.adjusted for s in beyond]
    else:
        alone = [s.adjusted / ALONE for s in beyond if s.agreed and s.adjusted <= ALONE]
    review = min([urgent, *alone])
    return {"urgent": urgent, "review": review, "watch": 0.0 if text else review}


def tier_of(standings: Sequence[FamilyResult], *, templated: bool, fdr: float) -> Tier | None:
    """The tier that these families give at a false-discovery rate, without caps, by the rules of :func:`judge`."""
    return _best(_reach(standings, templated=templated), fdr)


def _best(reach: Mapping[Tier, float], fdr: float) -> Tier | None:
    return next((t for t in TIERS if reach.get(t, math.inf) <= fdr), None)


def _capped(tier: Tier | None, cap: Tier | None) -> Tier | None:
    return max(tier, cap, key=TIERS.index) if tier and cap else tier


# ---------------------------------------------------------------- other cuts


def tier_at(judgement: Judgement, fdr: float) -> Tier | None:
    """The tier of a candidate at another false-discovery rate. The rate of the text family stays the same."""
    return _capped(_best(judgement.reach, fdr), judgement.cap)


def steps(judgement: Judgement) -> tuple[RateStep, ...]:
    """The tier as a function of the false-discovery rate, exactly.

    Adjusted p-values do not depend on the rate, so no candidate has to be judged again.

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
    """What would change the tier, one sentence each: other false-discovery rates, or no benign explanation.

    Stricter rates come first, each time from the nearest change to the farthest.
    """
    looser, stricter = [], []
    past = RateStep(fdr=0.0, tier=None)
    for step in steps(judgement):
        if step.fdr > fdr:
            looser.append(f"It would be {_named(step.tier)} at a false-discovery rate of {step.fdr:.2g} or more.")
        elif step.fdr >= LEAST_CUT:
            stricter.append(f"It would be {_named(past.tier)} at a false-discovery rate below {step.fdr:.2g}.")
        past = step
    found = [*reversed(stricter), *looser]
    if judgement.uncapped != judgement.tier:
        found.append(
            f"It would be {_named(judgement.uncapped)} if no innocent reading fitted: {'; '.join(judgement.capped_by)}."
        )
    return tuple(found)


def _named(tier: Tier | None) -> str:
    return {None: "no finding", "urgent": "urgent", "review": "for review", "watch": "to watch"}[tier]


def what_if(judgements: Sequence[Judgement], *, fdr: float) -> tuple[Cut, ...]:
    """The findings of the scan at other false-discovery rates, ascending: :data:`NEIGHBOURS` times its own."""
    found = []
    for rate in sorted({min(1.0, fdr * times) for times in NEIGHBOURS}):
        tiers = [tier_at(j, rate) for j in judgements]
        found.append(
            Cut(
                fdr=rate,
                findings={t: tiers.count(t) for t in TIERS},
                expected_false=expected_false(judgements, fdr=rate),
            )
        )
    return tuple(found)


# ---------------------------------------------------------------- expected false findings


def expected_false(judgements: Sequence[Judgement], *, fdr: float) -> dict[Tier, float]:
    """An upper estimate of the number of findings at each tier that are due to chance.

    Each candidate is counted as innocent. The estimate is the sum of their chances to get a tier by the rules of
    :func:`judge`. The chance to pass the Benjamini-Hochberg procedure is that of :func:`_chance`:

    * ``review``: the sum over the families beyond text. Without a template, a family passes at :data:`ALONE` of the
      rate.
    * ``urgent``: if a family passes, it is taken to be real, and the sum is over the others (the partial-conjunction
      null of Benjamini & Heller 2008). If none passes, two must pass by chance: the sum of products over pairs.
    * ``watch``: the chance of the text family.
    * A capped candidate counts at its cap. Any other counts only at tiers that it has not passed.

    The sum of the q-values would be wrong. A q-value (Storey 2002) is an average over all findings that are at least as
    significant, so doubtful findings beside many clear ones have small q-values.

    The p-values must be valid, and independent between the families of a candidate and between candidates. Candidates
    that share accounts increase the variance, not the mean. The estimate depends on the cut, so it is no smaller if all
    findings are far beyond the cut: see :func:`what_if`.

    Args:
        judgements: of all candidates of a scan, those without a tier included.
        fdr: false-discovery rate of the cut.
    """
    count = len(judgements)
    if count == 0:
        return dict.fromkeys(TIERS, 0.0)
    by_family = [{s.family: s for s in j.standings} for j in judgements]
    sure = np.array([j.templated or any(s.family == "text" and s.stands for s in j.standings) for j in judgements])
    p_value = np.array([[f[x].p_value if x in f else np.nan for x in BEYOND_TEXT] for f in by_family])
    stands = np.array([[x in f and f[x].adjusted <= fdr for x in BEYOND_TEXT] for f in by_family])
    chance = np.column_stack([_chance(p, fdr) for p in p_value.T])
    alone = np.column_stack([_chance(p, ALONE * fdr) for p in p_value.T])
    wording = _chance(np.array([f["text"].p_value if "text" in f else np.nan for f in by_family]), SUPPORTS)
    total = chance.sum(axis=1)
    pairs = (total**2 - (chance**2).sum(axis=1)) / 2
    one_real = total - np.where(stands, chance, np.inf).min(axis=1)
    urgent = np.where(stands.any(axis=1), one_real, pairs)
    review = np.where(sure, total, alone.sum(axis=1) + pairs)

    place = {tier: i for i, tier in enumerate((*TIERS, None))}
    cap = np.array([place[j.cap or "urgent"] for j in judgements])
    tier = np.array([place[tier_at(j, fdr)] for j in judgements])
    at_cap = (urgent, review, review + wording)
    by_rule = (urgent, review, wording)
    return {
        name: float(
            np.minimum(at_cap[i], 1.0)[cap == i].sum() + np.minimum(by_rule[i], 1.0)[(cap < i) & (tier >= i)].sum()
        )
        for i, name in enumerate(TIERS)
    }


def _chance(p_value: Floats, fdr: float) -> Floats:
    """The chance of each candidate to pass the Benjamini-Hochberg procedure if it is innocent.

    Candidate i of m passes if its p-value is at most ``fdr * R / m``, where R candidates pass (Benjamini & Hochberg
    1995). If it is innocent, its p-value is uniform and independent of R', the number that would pass if its own
    p-value were 0. It passes exactly if its p-value is at most ``fdr * R' / m``, so that is its chance (leave-one-out,
    as Storey, Taylor & Siegmund 2004). R' is R for a candidate that passes, and about R + 1 for another.

    Args:
        p_value: float64[m], NaN where not measured.
        fdr: false-discovery rate.

    Returns:
        float64[m], 0 where not measured.
    """
    count = len(p_value)
    rank = np.arange(1, count + 1)
    ordered = np.sort(np.nan_to_num(p_value, nan=1.0))
    within = np.searchsorted(ordered, fdr * rank / count, side="right")
    passed = int(rank[within >= rank].max(initial=0))
    with_one_more = int(rank[within + 1 >= rank].max(initial=1))
    let_in = np.where(p_value <= fdr * passed / count, passed, with_one_more)
    return np.where(np.isnan(p_value), 0.0, fdr * let_in / count)
