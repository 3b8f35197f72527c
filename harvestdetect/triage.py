"""From measures to a judgement: which families stand, how high a finding may go, in what words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.data import TIERS, BenignExplanation, Evidence, Family, Tier

__all__ = ["Judgement", "family_p_values", "judge"]

BEYOND_TEXT: Final[tuple[Family, ...]] = ("structure", "time", "infrastructure")
"""Families that may lift a finding above ``watch``."""
_FAMILIES: Final[tuple[Family, ...]] = ("text", *BEYOND_TEXT)
P_FLOOR: Final = 1e-30
TEXT_FDR: Final = 0.05
"""Wording only qualifies what other families decide, so it may be less sure than they."""
ALONE: Final = 0.01
"""Without a template a single family must pass at this fraction of the false-discovery rate."""
TEXT_SCORE: Final = 3.0
"""Most that wording adds to a score."""
AGREES: Final = 0.01
"""p-value from which a second measure agrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What triage says of one candidate."""

    tier: Tier | None
    """None: no finding."""
    score: float
    q_value: float
    families: tuple[Family, ...]


def family_p_values(evidence: Sequence[Evidence], deciding: Mapping[str, Sequence[str]]) -> dict[Family, float]:
    """One p-value per family that was measured (Simes 1986, valid under positive dependence).

    Args:
        evidence: of one campaign.
        deciding: for some families the names of the measures that decide; all of the others do.
    """
    by_family: dict[Family, list[float]] = {}
    for item in evidence:
        if item.name in deciding.get(item.family, (item.name,)):
            by_family.setdefault(item.family, []).append(max(item.p_value, P_FLOOR))
    found: dict[Family, float] = {}
    for family, values in by_family.items():
        ordered = np.sort(values)
        found[family] = float(min(1.0, (ordered * len(ordered) / np.arange(1, len(ordered) + 1)).min()))
    return found


def _corroborated(evidence: Sequence[Evidence], family: Family) -> bool:
    """Whether a second measure of a family agrees with its first."""
    return sum(e.family == family and e.p_value <= AGREES for e in evidence) > 1


def judge(
    evidence: Sequence[Sequence[Evidence]],
    benign: Sequence[Sequence[BenignExplanation]],
    templated: Sequence[bool],
    *,
    deciding: Mapping[str, Sequence[str]],
    fdr: float,
) -> list[Judgement]:
    """Judges all candidates of a scan together.

    A family stands when its p-value passes Benjamini-Hochberg over all candidates at ``fdr`` (text at
    :data:`TEXT_FDR`). ``urgent`` takes two standing families beyond text. ``review`` takes one, on a template;
    without a template it must pass at :data:`ALONE` of the rate with two measures that agree. ``watch`` takes
    standing text alone. A benign explanation that fits caps the tier. The q-value is Benjamini-Hochberg over the
    evidence beyond wording (Fisher's combination), so wording alone never makes it small.

    Args:
        evidence: of each candidate.
        benign: explanations of each candidate.
        templated: whether each candidate has a template rather than only a subject.
        deciding: see :func:`family_p_values`.
        fdr: false-discovery rate, per family.
    """
    from scipy.stats import chi2, false_discovery_control

    count = len(evidence)
    if count == 0:
        return []
    families = [family_p_values(e, deciding) for e in evidence]
    standing: list[dict[Family, float]] = [{} for _ in range(count)]
    for family in _FAMILIES:
        adjusted = false_discovery_control([f.get(family, 1.0) for f in families])
        for place in np.flatnonzero(adjusted <= (TEXT_FDR if family == "text" else fdr)).tolist():
            standing[place][family] = float(adjusted[place])
    beyond_p = [[p for x, p in f.items() if x in BEYOND_TEXT] or [1.0] for f in families]
    combined = np.array([chi2.sf(-2 * np.log(p).sum(), 2 * len(p)) for p in beyond_p])
    q_values = false_discovery_control(np.clip(combined, 1e-300, 1.0))
    found = []
    for i in range(count):
        stands = standing[i]
        beyond = [x for x in BEYOND_TEXT if x in stands]
        tier: Tier | None = None
        if len(beyond) >= 2:
            tier = "urgent"
        elif beyond and (
            "text" in stands
            or templated[i]
            or any(stands[x] <= ALONE * fdr and _corroborated(evidence[i], x) for x in beyond)
        ):
            tier = "review"
        elif "text" in stands:
            tier = "watch"
        for explanation in benign[i]:
            if tier and explanation.caps and TIERS.index(explanation.caps) > TIERS.index(tier):
                tier = explanation.caps
        score = -np.log10(beyond_p[i]).sum() + min(-np.log10(families[i].get("text", 1.0)), TEXT_SCORE)
        found.append(
            Judgement(
                tier=tier,
                score=round(float(score), 4),
                q_value=float(q_values[i]),
                families=tuple(sorted(stands, key=lambda x: stands[x])),
            )
        )
    return found
