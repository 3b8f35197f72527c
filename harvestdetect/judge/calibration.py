"""Calibrates the ledger on a provider's own benign traffic.

How innocent candidates look is a fact of the traffic: communities keep hours of their own, products have load
balancers, some services have programs for customers. A scan of traffic that is known to be benign shows it. The
candidates of that scan then count as innocent in later scans, beside the reference that the ledger was fitted on: a
value that is common among them says less (:func:`harvestdetect.judge.ledger.post`). A calibration raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import pyarrow as pa

from harvestdetect.corpus.registry import load_registry
from harvestdetect.data import TIERS, Batch, Detection, Tier
from harvestdetect.errors import CalibrationError
from harvestdetect.judge.ledger import Ledger, values_of
from harvestdetect.judge.measure import CandidateLike, judgements_of
from harvestdetect.judge.triage import Judgement, tier_of_reach
from harvestdetect.settings import Settings
from harvestdetect.util.tails import chi2_quantile

__all__ = [
    "SAME_MEASURES",
    "Calibration",
    "Half",
    "Rate",
    "check_calibration",
    "expected_findings",
    "fit_calibration",
    "half_of",
    "summary",
]

SAME_MEASURES: Final = frozenset[str]()
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
DECIMALS: Final = 6
"""Decimals of the values of innocent candidates."""
PER: Final = 100_000
"""Number of prompts that rates are stated for."""
CONFIDENCE: Final = 0.95
"""Confidence level (0 to 1) of the one-sided interval of a rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """The scan of half of the accounts of a benign dump."""

    candidates: Sequence[CandidateLike]
    prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The innocent candidates of a benign dump."""

    innocents: tuple[Mapping[str, float], ...]
    """The values of each, by row of the ledger; without those that a hard rule caps."""
    held_out: tuple[tuple[float, float, float], ...]
    """Candidates of each half, judged beside those of the other half. For each tier of ``TIERS``, the smallest
    false-discovery rate at which the candidate reaches it or a higher one; infinite if it never does."""
    held_out_prompts: int
    """Number of prompts in both halves."""
    counts: Mapping[str, int]
    """Of the benign dump: ``prompts``, ``accounts``, ``candidates``, ``first_seen``, ``last_seen``, and
    ``calibrating``, the candidates that no hard rule caps."""
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
    ledger: Ledger,
    settings: Settings,
    created: str,
) -> Calibration:
    """The calibration that a benign dump gives.

    The innocent candidates are those of the whole dump, as a scan would see it. The rate of findings is measured
    two-fold: the candidates of each half of the accounts are judged beside those of the other half. A group whose
    accounts fall into both halves (one product's customers) is seen by both: it counts twice, and is calibrated on its
    like, so the rate is for traffic like that of the benign dump. A candidate of the whole dump may have too few
    accounts in a half to be one there.

    Args:
        detection: of the whole dump, without calibration.
        candidates: of the same scan, all of them.
        halves: the two scans of :func:`half_of`.
        ledger: the model.
        settings: of all three scans.
        created: when, ISO 8601.
    """
    fitted = [_innocents(half.candidates) for half in halves]
    reach: list[tuple[float, float, float]] = []
    for half, others in zip(halves, reversed(fitted), strict=True):
        judged = judgements_of(half.candidates, ledger=ledger, innocents=others, fdr=settings.fdr)
        reach.extend(map(_reach, judged))
    innocents = _innocents(candidates)
    return Calibration(
        innocents=innocents,
        held_out=tuple(sorted(reach)),
        held_out_prompts=sum(half.prompts for half in halves),
        counts={
            "candidates": len(candidates),
            "calibrating": len(innocents),
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


def _innocents(candidates: Sequence[CandidateLike]) -> tuple[dict[str, float], ...]:
    """The values of each candidate that no hard rule caps at the lowest tier, as precise as they are stored."""
    return tuple(
        {id_: round(value, DECIMALS) for id_, value in values_of(c.evidence, c.readings).items()}
        for c in candidates
        if all(e.caps != TIERS[-1] for e in c.benign)
    )


def _reach(judgement: Judgement) -> tuple[float, float, float]:
    top = TIERS.index(judgement.cap) if judgement.cap else 0
    urgent, review, watch = (
        judgement.reach[tier] if place >= top else float("inf") for place, tier in enumerate(TIERS)
    )
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
    tiers = [tier_of_reach(reach, fdr) for reach in calibration.held_out]
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
    count = calibration.counts.get("calibrating", 0)
    lines = [f"{count:,} innocent candidate{'' if count == 1 else 's'}", ""]
    for tier, rate in expected_findings(calibration, prompts=PER, fdr=fdr).items():
        lines.append(
            f"{tier}: {_rough(rate.expected)} findings per {PER:,} benign prompts (at most {_rough(rate.at_most)}; "
            f"{rate.found} in {calibration.held_out_prompts:,}, held out)"
        )
    return "\n".join(lines)


def _rough(value: float) -> str:
    """A number with two significant digits, such as 2,500."""
    return f"{float(f'{value:.2g}'):,.10g}"
