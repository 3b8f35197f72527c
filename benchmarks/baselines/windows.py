"""A baseline by windows of traffic: maximum mean discrepancy (MMD)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.baselines.traffic import MIN_ACCOUNTS, Suspects, Traffic, vectors_of
from harvestdetect.corpus.normalize import normalize
from harvestdetect.errors import UsageError
from harvestdetect.neighbors.search import chord_distance
from harvestdetect.util.arrays import Floats, Floats32, Ints, ranges

__all__ = ["WindowRates", "mmd", "window_detection_rate"]

WINDOWS: Final = (1_500, 100)
"""Prompts per window: the published size, and one that a day's traffic of a small provider fills."""

FALSE_ALARMS: Final = 0.003
"""Share of ordinary windows above the limit."""

NULL_WINDOWS: Final = 2_000
"""Windows from which the limit is estimated."""

REFERENCE: Final = 10_000
"""Prompts that represent ordinary traffic."""

FEATURES: Final = 256
"""Random Fourier features of the kernel, cosine and sine in equal parts."""

WIDTH_TEXTS: Final = 1_000
"""Texts from whose distances the width of the kernel is estimated."""

WIDTH_PAIRS: Final = 200_000
"""Most pairs of them."""


def mmd(traffic: Traffic, seed: int) -> list[Suspects]:
    """Maximum mean discrepancy between windows of traffic and ordinary traffic, after arXiv 2606.05725.

    The original tests windows of all traffic against a benign history and names no accounts. Here accounts are sorted
    by their first prompts, and all prompts, account by account, are cut into windows of 1,500 and of 100. So accounts
    with enough prompts have windows of their own, and others share one with those that began at the same time.
    Consecutive flagged windows are a finding; its accounts are those with half of their prompts in it, at least ten. A
    dump has no clean history, so a random sample of the dump replaces it, campaigns included. The limit is the 99.7th
    percentile over windows cut in the same way from accounts in random order. Drawing single prompts instead would flag
    nearly every window, because each account keeps to its subjects. The kernel is RBF with the median distance, by
    random Fourier features (Rahimi and Recht 2007), on the wording view. The score is the mean discrepancy over its
    limit.
    """
    rng = np.random.default_rng(seed)
    feature = _features(vectors_of(traffic.texts, "wording"), rng)
    rows = len(traffic.text)
    reference = feature[traffic.text[rng.permutation(rows)[:REFERENCE]]].mean(axis=0, dtype=np.float64)
    total = np.bincount(traffic.account)
    begins = np.cumsum(total) - total
    order = np.lexsort((np.arange(len(total)), traffic.time[begins]))
    found = []
    for size in WINDOWS:
        if rows < 2 * size:
            continue
        rounds = -(-NULL_WINDOWS // (rows // size))
        null = np.concatenate(
            [
                _discrepancy(feature[traffic.text[_account_by_account(begins, total, rng.permutation(len(total)))]],
                             reference, size)
                for _ in range(rounds)
            ]
        )  # fmt: skip
        limit = float(np.quantile(null, 1 - FALSE_ALARMS, method="higher"))
        chosen = _account_by_account(begins, total, order)
        measured = _discrepancy(feature[traffic.text[chosen]], reference, size)
        flagged = np.flatnonzero(measured > limit)
        for run in np.split(flagged, np.flatnonzero(np.diff(flagged) > 1) + 1) if len(flagged) else ():
            inside = np.bincount(traffic.account[chosen[run[0] * size : (run[-1] + 1) * size]], minlength=len(total))
            members = np.flatnonzero(2 * inside >= total)
            if len(members) >= MIN_ACCOUNTS:
                found.append(Suspects(accounts=members, score=float(measured[run].mean()) / limit))
    return found


def _account_by_account(begins: Ints, total: Ints, order: Ints) -> Ints:
    """The positions of all prompts, with the accounts in the given order."""
    return ranges(begins[order], total[order])


def _features(vectors: Floats32, rng: np.random.Generator) -> Floats32:
    """Random Fourier features: float32[n, features]. Inner products approximate the RBF kernel of median width."""
    some = rng.permutation(len(vectors))[:WIDTH_TEXTS]
    a, b = np.triu_indices(len(some), 1)
    distance = chord_distance(np.einsum("ij,ij->i", vectors[some[a[:WIDTH_PAIRS]]], vectors[some[b[:WIDTH_PAIRS]]]))
    width = float(np.median(distance)) if len(distance) else 1.0
    directions = rng.standard_normal((vectors.shape[1], FEATURES // 2)).astype(np.float32) / np.float32(width or 1.0)
    angle = vectors @ directions
    return np.concatenate((np.cos(angle), np.sin(angle)), axis=1) * np.float32(np.sqrt(2.0 / FEATURES))


def _discrepancy(feature: Floats32, reference: Floats, size: int) -> Floats:
    """The squared discrepancy of each whole window of ``size`` rows."""
    windows = len(feature) // size
    means = feature[: windows * size].reshape(windows, size, -1).mean(axis=1, dtype=np.float64)
    squared: Floats = np.square(means - reference).sum(axis=1)
    return squared


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRates:
    """How often windows of traffic are flagged, by the original protocol."""

    window: int
    share: float
    """Share of the window that the attacker sent."""
    detected: float
    """Share of windows with attacker traffic that are flagged."""
    false_alarms: float
    """Share of windows without it that are flagged."""
    windows: int
    """The number of windows of each kind."""


def window_detection_rate(
    benign: Sequence[str],
    attack: Sequence[str],
    *,
    share: float,
    window: int = 1_500,
    windows: int = 400,
    seed: int = 0,
) -> WindowRates:
    """The protocol of arXiv 2606.05725: windows drawn at random, judged against a clean benign history.

    A third of the benign texts is the reference, windows drawn from another set the limit (their 99.7th percentile),
    and the last third is the benign traffic of the tested windows.

    Args:
        benign: prompts of ordinary traffic, at least three windows full.
        attack: prompts of the campaign; they are repeated where there are too few.
        share: the attacker's share of each attacked window.
        window: prompts per window.
        windows: the number of tested windows of each kind.
        seed: of all draws.

    Raises:
        UsageError: too few texts, or a share outside 0 to 1.
    """
    if not 0 <= share <= 1 or len(benign) < 3 * window or not attack:
        raise UsageError(f"needs a share from 0 to 1, {3 * window} benign texts and an attack")
    rng = np.random.default_rng(seed)
    plain, hostile = [normalize(text) for text in benign], [normalize(text) for text in attack]
    feature = _features(vectors_of((*plain, *hostile), "wording"), rng)
    known, calibration, fresh = np.array_split(rng.permutation(len(plain)), 3)
    foreign = np.arange(len(plain), len(feature))
    reference = feature[known].mean(axis=0, dtype=np.float64)
    attacked = round(share * window)

    def measured(pool: Ints, hostile: int, draws: int) -> Floats:
        kept = []
        for _ in range(draws):
            own = rng.choice(pool, window - hostile, replace=False)
            strange = rng.choice(foreign, hostile, replace=hostile > len(foreign))
            kept.append(_discrepancy(feature[np.concatenate((own, strange))], reference, window))
        return np.concatenate(kept)

    limit = float(np.quantile(measured(calibration, 0, NULL_WINDOWS), 1 - FALSE_ALARMS, method="higher"))
    return WindowRates(
        window=window,
        share=share,
        detected=float((measured(fresh, attacked, windows) > limit).mean()),
        false_alarms=float((measured(fresh, 0, windows) > limit).mean()),
        windows=windows,
    )
