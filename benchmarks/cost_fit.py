"""Curves of cost by size, fitted to a few measured scans, and what they say of larger ones.

A cost is ``a n^b``, ``a n + b n log n`` or ``a + b n`` of a size n: of the prompts, texts, accounts, clusters or
candidates. Which size and which form fit is decided on the largest scan: that pair is chosen which predicts it best
from the smaller ones. The curve is then fitted to all scans. A power below 1 is not chosen: it is a fixed cost that
wears off, and would promise too little for a scan that is a thousand times as large. Memory is always ``a + b n``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from benchmarks.cost_runs import Run, StageRun
from harvestdetect.util.arrays import Floats

__all__ = [
    "QUANTITIES",
    "SECONDS",
    "CostModel",
    "Curve",
    "curves",
    "fit_model",
    "line",
    "log_curve",
    "power_curve",
    "sizes_at",
]

Form: TypeAlias = Literal["a n^b", "a n + b n log n", "a + b n"]

Fit: TypeAlias = "Callable[[str, Sequence[float], Sequence[float]], Curve]"
"""Fits a curve to a size and its costs."""

QUANTITIES: Final[Mapping[str, Callable[[StageRun], float]]] = {
    "own": lambda stage: stage.own,
    "threaded": lambda stage: stage.threaded,
    "task seconds": lambda stage: stage.task_seconds,
    "moved": lambda stage: stage.moved,
    "shared": lambda stage: stage.shared,
    "peak": lambda stage: stage.peak,
}
"""What is fitted for each stage: seconds of the scan's process on one core, on all its cores, and of tasks; bytes of
arguments and results, bytes that each machine reads, and peak bytes of the scan's process."""
SECONDS: Final = ("own", "threaded", "task seconds")
"""Those of them that are processor seconds."""
DRIVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "read": ("prompts",),
    "templates": ("texts", "clusters"),
    "campaigns": ("prompts", "clusters"),
    "accounts": ("prompts", "accounts"),
    "evidence": ("prompts", "candidates"),
    "triage": ("prompts", "candidates"),
}
"""The sizes on which a stage may depend. Any other depends on the number of texts."""
LEAST_SECONDS: Final = 0.5
"""Seconds of the largest scan below which a cost is a line of the first size of its stage. A power that fits the noise
of a few tenths of a second would decide everything far beyond them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A cost by a size."""

    size: str
    form: Form
    a: float
    b: float
    error: float | None
    """Predicted over measured cost of the largest scan, minus 1, fitted without it; None with two scans or fewer, or
    without cost."""

    def at(self, sizes: Mapping[str, float]) -> float:
        """The cost of a scan of these sizes."""
        n = sizes[self.size]
        if n <= 0:
            return 0.0
        if self.form == "a n^b":
            return self.a * float(n**self.b)
        return self.a + self.b * n if self.form == "a + b n" else self.a * n + self.b * n * math.log(n)

    def __str__(self) -> str:
        name = self.size
        if not self.a and not self.b:
            return "0"
        if self.form == "a n^b":
            return f"{self.a:.2g} {name}^{self.b:.2f}"
        first, second = (name, f"{name} log {name}") if self.form == "a n + b n log n" else ("", name)
        parts = [f"{self.a:.2g} {first}".rstrip()] * bool(self.a) + [f"{self.b:.2g} {second}"] * bool(self.b)
        return " + ".join(parts)


def power_curve(size: str, n: Sequence[float], cost: Sequence[float]) -> Curve:
    """The curve ``a n^b`` with the least squares of logarithms; sizes and costs are above 0."""
    x, y = np.log(np.asarray(n, float)), np.log(np.asarray(cost, float))
    b = float(np.polyfit(x, y, 1)[0]) if len(set(x.tolist())) > 1 else 1.0
    return Curve(size=size, form="a n^b", a=float(np.exp(np.mean(y - b * x))), b=b, error=None)


def log_curve(size: str, n: Sequence[float], cost: Sequence[float]) -> Curve:
    """The curve ``a n + b n log n``, a and b at least 0, with the least squares of relative errors."""
    x = np.asarray(n, float)
    a, b = _weights(x, x * np.log(x), cost)
    return Curve(size=size, form="a n + b n log n", a=a, b=b, error=None)


def line(size: str, n: Sequence[float], cost: Sequence[float]) -> Curve:
    """The line ``a + b n``, a and b at least 0, with the least squares of relative errors."""
    x = np.asarray(n, float)
    a, b = _weights(np.ones(len(x)), x, cost)
    return Curve(size=size, form="a + b n", a=a, b=b, error=None)


def _weights(first: Floats, second: Floats, cost: Sequence[float]) -> tuple[float, float]:
    """Weights of at least 0 with which two columns add up to a cost, by the least squares of relative errors."""
    from scipy.optimize import nnls

    y = np.asarray(cost, float)
    (a, b), _ = nnls(np.stack((first / y, second / y), axis=1), np.ones(len(y)))
    return float(a), float(b)


def curves(
    sizes: Sequence[Mapping[str, float]],
    cost: Sequence[float],
    names: Sequence[str],
    *,
    forms: Sequence[Fit] = (),
) -> list[Curve]:
    """The curves of a cost, the one that predicts the largest scan best first.

    Args:
        sizes: of each scan, in ascending order.
        cost: of each scan.
        names: the sizes that the cost may depend on, the likeliest first.
        forms: what fits a curve of each form that is tried, the likeliest first; none: all.
    """
    if not any(c > 0 for c in cost):
        return [Curve(size=names[0], form="a n^b", a=0.0, b=0.0, error=None)]
    y = [max(c, 1e-9) for c in cost]
    found = []
    for name in names:
        n = [max(float(one[name]), 2.0) for one in sizes]
        for fit in forms or (line, log_curve, power_curve):
            whole = fit(name, n, y)
            if whole.form == "a n^b" and whole.b < 1:
                continue
            error = fit(name, n[:-1], y[:-1]).at({name: n[-1]}) / y[-1] - 1 if len(n) > 2 else None
            found.append(Curve(size=name, form=whole.form, a=whole.a, b=whole.b, error=error))
    return sorted(found, key=lambda curve: abs(curve.error or 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Curves of all stages, and how the sizes of a scan grow with its prompts."""

    stages: Mapping[str, Mapping[str, Curve]]
    """Stage -> name of :data:`QUANTITIES` -> curve."""
    others: Mapping[str, Mapping[str, Sequence[Curve]]]
    """The same with the curves that were not chosen."""
    sizes: Mapping[str, Curve]
    """Name of a size -> curve by prompts."""
    largest: Run
    """The largest scan that was measured."""


def fit_model(runs: Sequence[Run]) -> CostModel:
    """Fits all curves.

    Args:
        runs: of at least two different numbers of prompts.

    Raises:
        ValueError: there are fewer.
    """
    ordered = sorted(runs, key=lambda run: run.sizes["prompts"])
    if len({run.sizes["prompts"] for run in ordered}) < 2:
        raise ValueError("a cost model needs scans of at least two sizes")
    largest = ordered[-1]
    sizes = [dict(run.sizes) for run in ordered]
    found: dict[str, dict[str, list[Curve]]] = {}
    for stage in largest.stages:
        measured = [(run.sizes, run.stages[stage]) for run in ordered if stage in run.stages]
        names = DRIVERS.get(stage, ("texts",))
        found[stage] = {}
        for quantity, of in QUANTITIES.items():
            cost = [float(of(one)) for _, one in measured]
            small = quantity in SECONDS and cost[-1] < LEAST_SECONDS
            found[stage][quantity] = curves(
                [size for size, _ in measured], cost, names[:1] if small else names,
                forms=(line,) if small or quantity == "peak" else (),
            )  # fmt: skip
    grown = {}
    for name in largest.sizes:
        prompts = [one["prompts"] for one in sizes]
        grown[name] = power_curve("prompts", prompts, [max(one[name], 1) for one in sizes])
    return CostModel(
        stages={stage: {name: every[0] for name, every in by.items()} for stage, by in found.items()},
        others={stage: {name: every[1:] for name, every in by.items()} for stage, by in found.items()},
        sizes=grown,
        largest=largest,
    )


def sizes_at(model: CostModel, prompts: float) -> dict[str, float]:
    """The sizes of a scan with this number of prompts."""
    return {
        name: prompts if name == "prompts" else curve.at({"prompts": prompts}) for name, curve in model.sizes.items()
    }
