"""Calibrates p-values on a provider's own benign traffic.

The nulls inside a dump are made of accounts outside every candidate. How far *innocent candidates* depart from them is
a fact of the traffic: communities keep hours of their own, products have load balancers. A scan of traffic that is
known to be benign shows it, and the p-values of a later scan are ranked among those of its candidates (conformal
p-values: Vovk, Gammerman & Shafer 2005; for outliers Bates, Candès, Lei, Romano & Sesia 2023). A conformal p-value is
valid whatever the measure, as long as innocent candidates of the later scan are like those of the benign dump.

A candidate that a benign explanation caps at ``watch`` is no false alarm, however extreme its p-values are. So later
candidates are ranked among the others only (a category of its own, as in Mondrian conformal prediction, Vovk et al.
2005, chapter 4). The p-values of capped candidates are not valid in that sense, and need not be.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from harvestdetect.corpus.registry import load_registry
from harvestdetect.data import TIERS, Batch, BenignExplanation, Detection, Evidence, Family, Tier
from harvestdetect.errors import CalibrationError
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.judge.triage import Judgement, judge
from harvestdetect.settings import Settings
from harvestdetect.util.tails import chi2_quantile

__all__ = [
    "SAME_MEASURES",
    "Calibration",
    "CandidateLike",
    "FittedMeasure",
    "Half",
    "Rate",
    "calibrated",
    "calibrated_p",
    "check_calibration",
    "expected_findings",
    "fit_calibration",
    "fit_measure",
    "half_of",
    "summary",
]

SAME_MEASURES: Final = frozenset({"0.1.0", "0.2.0"})
"""Versions of this package with the same measures, so that one can use the calibration of another."""
MATTERS: Final = (
    "encoder",
    "segment_characters",
    "max_windows",
    "registry",
    "find_preambles",
    "k",
    "min_samples",
    "min_cluster_size",
    "distance_floor",
    "distance_cap",
    "selection",
    "min_accounts",
    "max_account_share",
    "link_log_p",
)
"""Settings that decide what becomes a candidate and how it is measured. A scan must have the same values.

The registry is represented by the digest of the entries in force, or by None if no registry is used: their words are
removed from the texts, so other entries leave other texts. An entry that expires changes the digest as well.
"""
LATER: Final = ("find_preambles",)
"""Settings of :data:`MATTERS` that calibrations of older versions lack. They fit any value, because they were made from
the same measures."""
TAIL: Final = 20
"""Smallest number of benign candidates that the tail of a measure is fitted to. If there are fewer, each missing one is
replaced by the expectation under the measure's own null distribution. Chosen."""
LEAST: Final = 1e-300
"""Smallest p-value; smaller ones count as this."""
PER: Final = 100_000
"""Number of prompts that rates are stated for."""
CONFIDENCE: Final = 0.95
"""Confidence level (0 to 1) of the one-sided interval of a rate."""


class CandidateLike(Protocol):
    """What a calibration reads of a measured candidate."""

    @property
    def evidence(self) -> Sequence[Evidence]:
        """Its evidence, before any calibration."""

    @property
    def benign(self) -> Sequence[BenignExplanation]:
        """Its benign explanations, tested."""

    @property
    def templated(self) -> bool:
        """Whether it has a template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """The scan of half of the accounts of a benign dump."""

    candidates: Sequence[CandidateLike]
    prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedMeasure:
    """One measure over benign candidates, with the tail of ``-ln p`` beyond them."""

    p_values: tuple[float, ...]
    """Ascending, so the most extreme one is first."""
    threshold: float
    """Value of ``-ln p`` from which the tail is exponential."""
    above: float
    """Chance that ``-ln p`` lies above the threshold."""
    tail: int
    """Number of candidates that the tail was fitted to."""
    excess: float
    """Sum of how far these candidates lie above the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The p-values of innocent candidates in a benign dump."""

    measures: Mapping[str, FittedMeasure]
    """By id of the measure, as in ``Evidence.id``."""
    held_out: tuple[tuple[float, float, float], ...]
    """Candidates of each half, calibrated on the other half. For each tier of ``TIERS``, the smallest false-discovery
    rate at which the candidate reaches it or a higher one; infinite if it never does."""
    held_out_prompts: int
    """Number of prompts in both halves."""
    counts: Mapping[str, int]
    """Of the benign dump: ``prompts``, ``accounts``, ``candidates``, ``first_seen``, ``last_seen``, and
    ``calibrating``, the candidates that no benign explanation caps at ``watch``."""
    files: tuple[tuple[str, str], ...]
    """(name, SHA-256) of each file of the benign dump."""
    settings: Mapping[str, Any]
    """The settings named in :data:`MATTERS`."""
    models: Mapping[str, str]
    """View -> digest of the model."""
    versions: Mapping[str, str]
    created: str
    """ISO 8601."""
    sha256: str = field(default="", compare=False)
    """SHA-256 of the file that the calibration was read from; empty if it was not read from a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The rate of findings at a tier in the benign dump."""

    found: int
    """Held-out findings in the benign dump."""
    expected: float
    """Findings to expect in this scan if all its traffic is benign."""
    at_most: float
    """The same at the upper end of a one-sided 95 % Poisson interval (Garwood 1936)."""


# ---------------------------------------------------------------- p-values


def fit_measure(p_values: Iterable[float]) -> FittedMeasure:
    """The calibration of one measure.

    The tail is exponential in ``-ln p``, as that of :func:`harvestdetect.evidence.nulls.tail_p`: a straight line for a
    valid p-value, with mean excess 1; a flatter one where the measure's own null is too narrow. It is fitted to the
    outermost tenth, and at least :data:`TAIL` candidates. If there are no more than that, it is fitted to all of them,
    and each missing one counts as the measure's own null expects.

    Args:
        p_values: of benign candidates.
    """
    ordered = sorted(max(p, LEAST) for p in p_values)
    count = len(ordered)
    score = [-math.log(p) for p in ordered]
    tail = max(TAIL, _outermost(count))
    if count <= tail:
        return FittedMeasure(
            p_values=tuple(ordered), threshold=0.0, above=1.0, tail=tail, excess=sum(score) + (tail - count) * 1.0
        )
    threshold = score[tail]
    return FittedMeasure(
        p_values=tuple(ordered),
        threshold=threshold,
        above=(tail + 1) / (count + 1),
        tail=tail,
        excess=sum(score[:tail]) - tail * threshold,
    )


def calibrated_p(measure: FittedMeasure, p_value: float) -> tuple[float, bool]:
    """The calibrated p-value of a measure, and whether it is extrapolated beyond all benign candidates.

    ``(1 + k) / (n + 1)``, where k of the n benign candidates are at least as extreme. Beyond the most extreme one the
    tail goes on, with the exact chance that one more excess exceeds x when the scale is known only from the sum S of
    k excesses: ``(1 + x / S) ** -k``, which tends to ``exp(-x k / S)`` and is larger the less was seen. The result is
    never smaller than ``p_value``, unless many benign candidates show that one to be too large, and then not below
    ``1 / (n + 1)``. They are many if :data:`TAIL` are no more than the outermost tenth. It rises with ``p_value``.

    Args:
        measure: of benign candidates, at least one.
        p_value: of a candidate, by the measure's own null.
    """
    p_value = max(p_value, LEAST)
    count = len(measure.p_values)
    many = _outermost(count) >= TAIL
    extreme = bisect_right(measure.p_values, p_value)
    rank = (1 + extreme) / (count + 1)
    beyond = max(0.0, -math.log(p_value) - measure.threshold) / max(measure.excess, 1e-9)
    tail = measure.above * (1 + beyond) ** -measure.tail
    if count < TAIL:
        found = max(p_value, tail, rank if extreme else 0.0)
    elif extreme:
        found = rank if many else max(p_value, rank)
    else:
        found = max(p_value, min(rank, tail))
        found = min(found, rank) if many else found
    return found, found < 1 / (count + 1)


def _outermost(count: int) -> int:
    """The number of candidates in the outermost tenth."""
    return count // 10


def calibrated(calibration: Calibration, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence of one candidate with calibrated p-values; a measure that no benign candidate had stays as it is."""
    return _calibrated(calibration.measures, evidence)


def _calibrated(measures: Mapping[str, FittedMeasure], evidence: Sequence[Evidence]) -> list[Evidence]:
    found = []
    for item in evidence:
        measure = measures.get(item.id)
        if measure is not None:
            p_value, extrapolated = calibrated_p(measure, item.p_value)
            count = len(measure.p_values)
            null = f"{item.null}; calibrated on {count:,} benign candidate{'' if count == 1 else 's'}"
            item = replace(
                item, p_value=p_value, null=null + (", beyond them all: extrapolated" if extrapolated else "")
            )
        found.append(item)
    return found


# ---------------------------------------------------------------- fitting


def half_of(batches: Iterable[Batch], half: int) -> Iterator[Batch]:
    """The batches with the prompts of half of the accounts, by a digest of the account's id.

    Args:
        batches: of a dump.
        half: 0 or 1.
    """
    for batch in batches:
        account = batch.prompts.column("account").dictionary_encode()
        chosen = np.array(
            [
                blake2b(name.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] % 2 == half
                for name in account.dictionary.to_pylist()
            ],
            bool,
        )
        mask = chosen[account.indices.to_numpy()] if len(account) else np.zeros(0, bool)
        yield replace(batch, prompts=batch.prompts.filter(pa.array(mask)))


def fit_calibration(
    detection: Detection,
    candidates: Sequence[CandidateLike],
    halves: Sequence[Half],
    *,
    settings: Settings,
    deciding: Mapping[Family, Collection[str]],
    created: str,
) -> Calibration:
    """The calibration that a benign dump gives.

    The measures are fitted to the candidates of the whole dump, as a scan would see it. The rate of findings is
    measured two-fold: the candidates of each half of the accounts, calibrated on those of the other half, are judged.
    A group whose accounts fall into both halves (one product's customers) is seen by both: it counts twice, and is
    calibrated on its like, so the rate is for traffic like that of the benign dump. A candidate of the whole dump may
    have too few accounts in a half to be one there.

    Args:
        detection: of the whole dump, without calibration.
        candidates: of the same scan, all of them.
        halves: the two scans of :func:`half_of`.
        settings: of all three scans.
        deciding: see :func:`harvestdetect.judge.triage.family_p_values`.
        created: when, ISO 8601.
    """
    fitted = [_measures(half.candidates) for half in halves]
    reach: list[tuple[float, float, float]] = []
    for half, others in zip(halves, reversed(fitted), strict=True):
        judged = judge(
            [_calibrated(others, c.evidence) for c in half.candidates],
            [c.benign for c in half.candidates],
            [c.templated for c in half.candidates],
            deciding=deciding,
            fdr=settings.fdr,
        )
        reach.extend(_reach(j) for j in judged)
    return Calibration(
        measures=_measures(candidates),
        held_out=tuple(sorted(reach)),
        held_out_prompts=sum(half.prompts for half in halves),
        counts={
            "candidates": len(candidates),
            "calibrating": sum(map(_can_rise, candidates)),
            **{
                n: detection.counts[n]
                for n in ("prompts", "accounts", "first_seen", "last_seen")
                if n in detection.counts
            },
        },
        files=tuple(sorted((f.name, f.sha256) for f in detection.files)),
        settings=_settings(settings),
        models=dict(detection.models),
        versions=dict(detection.versions),
        created=created,
    )


def _can_rise(candidate: CandidateLike) -> bool:
    return all(e.caps != TIERS[-1] for e in candidate.benign)


def _measures(candidates: Sequence[CandidateLike]) -> dict[str, FittedMeasure]:
    p_values: dict[str, list[float]] = {}
    for candidate in filter(_can_rise, candidates):
        for item in candidate.evidence:
            p_values.setdefault(item.id, []).append(item.p_value)
    return {id_: fit_measure(p_values[id_]) for id_ in sorted(p_values)}


def _reach(judgement: Judgement) -> tuple[float, float, float]:
    top = TIERS.index(judgement.cap) if judgement.cap else 0
    urgent, review, watch = (judgement.reach[tier] if place >= top else math.inf for place, tier in enumerate(TIERS))
    return urgent, review, watch


def _settings(settings: Settings) -> dict[str, Any]:
    values = settings.to_dict()
    values["registry"] = load_registry(settings.registry).digest if settings.use_registry else None
    return {name: values[name] for name in MATTERS}


# ---------------------------------------------------------------- using


def check_calibration(
    calibration: Calibration, *, settings: Settings, version: str, models: Mapping[str, str] | None = None
) -> None:
    """Checks that a scan is of the kind that the calibration was made for.

    Args:
        calibration: to be used.
        settings: of the scan.
        version: of this package; one of another version is refused unless both are in :data:`SAME_MEASURES`.
        models: view -> digest, once they are known; None leaves them out.

    Raises:
        CalibrationError: it is not; the message names the first difference and both values.
        SettingsError: ``settings.registry`` cannot be read.
    """
    made = calibration.versions.get("harvestdetect")
    if made != version and not {made, version} <= SAME_MEASURES:
        raise CalibrationError(
            f"the calibration was made by harvestdetect {made}, this is {version}; its measures may differ, make "
            "it again"
        )
    for name, value in _settings(settings).items():
        if name not in calibration.settings and name in LATER:
            continue
        if calibration.settings.get(name) != value:
            raise CalibrationError(
                f"the calibration was made with {name} = {calibration.settings.get(name)!r}, this scan has {value!r}; "
                f"make it again, or scan with the same {name}"
            )
    for view, digest in sorted((models or {}).items()):
        if calibration.models.get(view, digest) != digest:
            raise CalibrationError(
                f"the calibration was made with another model for the {view} view; make it again, or scan with that "
                "model"
            )


def expected_findings(calibration: Calibration, *, prompts: int, fdr: float) -> dict[Tier, Rate]:
    """How many findings to expect at each tier if all traffic of the scan is benign, by the rate of the benign dump.

    Args:
        calibration: with candidates that were held out.
        prompts: of the scan.
        fdr: false-discovery rate of the scan; the rate is that at the same cut.

    Returns:
        empty where the benign dump had no prompts.
    """
    if not calibration.held_out_prompts:
        return {}
    tiers = [next((t for t, r in zip(TIERS, reach, strict=True) if r <= fdr), None) for reach in calibration.held_out]
    times = prompts / calibration.held_out_prompts
    return {
        tier: Rate(
            found=(found := tiers.count(tier)),
            expected=found * times,
            at_most=chi2_quantile(CONFIDENCE, 2 * (found + 1)) / 2 * times,
        )
        for tier in TIERS
    }


def summary(calibration: Calibration, *, fdr: float) -> str:
    """The calibration in a few lines for a terminal; it shows no names from the dump."""
    lines = []
    if (count := calibration.counts.get("calibrating", 0)) < TAIL:
        lines += [f"{count} candidates are few: p-values still depend mostly on the scanned dump.", ""]
    labels = {measure.id: measure.label for measure in MEASURES}
    rows = {labels.get(id_, id_): measure for id_, measure in calibration.measures.items()}
    width = max([len("measure"), *map(len, rows)])
    if rows:
        lines.append(f"{'measure':{width}}  candidates  least p  median p")
    for label, measure in rows.items():
        ordered = measure.p_values
        lines.append(f"{label:{width}}  {len(ordered):>10,}  {ordered[0]:>7.1g}  {ordered[len(ordered) // 2]:>8.2g}")
    if calibration.measures:
        lines.append("")
    for tier, rate in expected_findings(calibration, prompts=PER, fdr=fdr).items():
        lines.append(
            f"{tier}: {_rough(rate.expected)} findings per {PER:,} benign prompts (at most {_rough(rate.at_most)}; "
            f"{rate.found} in {calibration.held_out_prompts:,}, held out)"
        )
    return "\n".join(lines)


def _rough(value: float) -> str:
    """A number with two significant digits, such as 2,500."""
    return f"{float(f'{value:.2g}'):,.10g}"
