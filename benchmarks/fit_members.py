"""Fits the model of members (:mod:`harvestdetect.judge.member_model`) to worlds, and writes its file.

    python -m benchmarks.fit_members --data DIR --seeds 200 201 202 --out harvestdetect/judge/members.json
        [--world api,adaptive] [--half tuning] [--rows 40000] [--designs a,b,c,d --design-seeds 0 1 2]

1. Worlds, and independent designs if they are named, are laid and scanned. A candidate that is mostly one campaign is
   a case.
2. Each reading gets a curve: the share of members at its value, made monotone (isotonic regression, pool adjacent
   violators), shrunk and clipped, as binary log odds.
3. The curves get weights of 0 or more by regularised logistic regression. Every case counts alike, and so do its
   members and its innocents.
4. The prior of the share of members, and a factor on all weights, are those of the least mean log loss of the
   posterior.
5. With each world left out in turn, the posteriors of its accounts are computed. The cut for recommendations is the
   lowest membership at which the precision of recommended accounts is :data:`WANTED`, or the highest one at which
   their recall is still :data:`KEPT` if that is lower. Both are means over kinds of campaign.

The figures of step 5 are printed and are in the file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from benchmarks.fitting import Penalty, pooled, weights_of
from benchmarks.independent.laying import DESIGNS
from benchmarks.member_cases import Case, cases_of_designs, laid_cases
from benchmarks.real_texts import Half
from benchmarks.world_plan import World
from benchmarks.world_sources import data_missing
from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS
from harvestdetect.judge.member_model import MOST_BITS, MemberCurve, MemberModel, mixture
from harvestdetect.judge.members_file import FORMAT, VERSION, model_digest, model_of
from harvestdetect.util.arrays import Floats
from harvestdetect.util.files import replacing

__all__ = ["chosen_cut", "figures", "fit", "held_out", "main", "save"]

BINS: Final = 24
"""Most points of a curve."""
SHRINK: Final = 6.0
"""Weight of a case's accounts that is added to each level of a curve at even odds: it needs data to say more."""
ENOUGH: Final = 5
"""Innocents of a case from which it counts fully; with fewer it says less about innocents."""
PURE: Final = 0.2
"""How much the members of a case without innocents count."""
PENALTY: Final = 0.002
"""Factor on the squares of the weights."""
MOST_WEIGHT: Final = 2.0
"""Largest weight of a reading."""
FACTORS: Final = (0.55, 0.75, 1.0)
"""Factors on all weights that are tried."""
SHARES: Final = (0.9, 0.95, 0.98)
"""Prior shares of members that are tried."""
STRENGTHS: Final = (2.0, 5.0, 10.0, 20.0)
"""Numbers of accounts that the prior counts for, that are tried."""
WANTED: Final = 0.98
"""Precision of recommended accounts in worlds that were left out, the mean over kinds of campaign, from which the cut
is taken."""
KEPT: Final = 0.95
"""Least recall of accounts in these worlds at a cut above 0.5, the mean over kinds of campaign."""


def _curve(name: str, values: Floats, member: Floats, innocent: Floats) -> MemberCurve:
    """The curve of a reading, with weight 1.

    Args:
        name: id of the reading.
        values: float64[n], finite.
        member: float64[n]: the weight of each account as a member, 0 for innocents.
        innocent: float64[n]: the same as an innocent.
    """
    if not member.sum() or not innocent.sum():
        return MemberCurve(id=name, weight=0.0, at=np.zeros(1), bits=np.zeros(1))
    size = min(member.sum(), innocent.sum())
    member, innocent = member * size / member.sum(), innocent * size / innocent.sum()
    both = member + innocent
    _, place = np.unique(values, return_inverse=True)
    share = np.cumsum(np.bincount(place, both)) / both.sum()
    edge = np.minimum((share * BINS).astype(np.int64), BINS - 1)
    _, level = np.unique(edge, return_inverse=True)
    level = level[place]
    total: Floats = np.asarray(np.bincount(level, both), np.float64)
    kept = total > 0
    at = (np.bincount(level, values * both) / np.where(kept, total, 1))[kept]
    good, total = np.bincount(level, member)[kept], total[kept]
    odds = pooled(good / total, total)
    flat = np.concatenate(([0], np.cumsum(np.diff(odds) != 0)))
    weight = np.bincount(flat, total)[flat]
    odds = (odds * weight + SHRINK / 2) / (weight + SHRINK)
    bits = np.maximum.accumulate(np.round(np.clip(np.log2(odds / (1 - odds)), -MOST_BITS, MOST_BITS), 3))
    at = np.round(at, 6)
    new = np.concatenate(([True], np.diff(at) > 0))
    return MemberCurve(id=name, weight=1.0, at=at[new], bits=bits[new])


def _weighted(cases: Sequence[Case]) -> tuple[Floats, Floats]:
    """The weight of each account of all cases as a member and as an innocent."""
    member, innocent = [], []
    for case in cases:
        others = ~case.planted & ~case.left_out
        counts = min(1.0, float(others.sum()) / ENOUGH)
        member.append(np.where(case.planted, max(counts, PURE) / max(case.planted.sum(), 1), 0.0))
        innocent.append(np.where(others, counts / max(others.sum(), 1), 0.0))
    return np.concatenate(member), np.concatenate(innocent)


def fit(cases: Sequence[Case]) -> MemberModel:
    """Fits curves, weights and prior; the cut is the least there can be.

    Args:
        cases: of several worlds.
    """
    readings = np.concatenate([case.readings for case in cases])
    planted = np.concatenate([case.planted for case in cases])
    member, innocent = _weighted(cases)
    curves = []
    for i, reading in enumerate(ACCOUNT_READINGS):
        known = np.isfinite(readings[:, i]) & (member + innocent > 0)
        curves.append(_curve(reading.id, readings[known, i], member[known], innocent[known]))
    bits = np.stack([curve.of(readings[:, i]) for i, curve in enumerate(curves)], axis=1)
    found = weights_of(
        bits, planted, member * innocent.sum() / member.sum() + innocent, start=0.5,
        bounds=[(0.0, MOST_WEIGHT)] * bits.shape[1], penalty=Penalty(squares=PENALTY), offset=(-8.0, 8.0),
    )  # fmt: skip
    sums = np.split(found[0] + bits @ found[1:], np.cumsum([len(case.planted) for case in cases])[:-1])
    tried = [
        (factor, (round(share * strength, 4), round((1 - share) * strength, 4)))
        for factor in FACTORS for share in SHARES for strength in STRENGTHS
    ]  # fmt: skip
    factor, prior = min(tried, key=lambda one: _log_loss(cases, [one[0] * total for total in sums], one[1]))
    return MemberModel(
        curves=tuple(replace(c, weight=round(float(w * factor), 3)) for c, w in zip(curves, found[1:], strict=True)),
        offset=round(float(found[0] * factor), 3),
        prior=prior,
        cut=MIN_MEMBERSHIP,
    )


def _log_loss(cases: Sequence[Case], bits: Sequence[Floats], prior: tuple[float, float]) -> float:
    """The mean log loss of the posterior: over the accounts of a case, then over cases.

    Args:
        cases: some.
        bits: of each case and account.
        prior: of the share of members.
    """
    losses = []
    for case, own in zip(cases, bits, strict=True):
        posterior = np.clip(mixture(own, prior), 1e-12, 1 - 1e-12)
        loss = -np.log(np.where(case.planted, posterior, 1 - posterior))
        losses.append(loss[~case.left_out].mean())
    return float(np.mean(losses))


def held_out(cases: Sequence[Case]) -> list[Floats]:
    """The posterior of the accounts of each case under a model that did not see its world."""
    found: list[Floats] = [np.empty(0)] * len(cases)
    for world in sorted({case.world for case in cases}):
        model = fit([case for case in cases if case.world != world])
        for i, case in enumerate(cases):
            if case.world == world:
                found[i] = model.posterior(model.bits(case.readings))
    return found


def figures(cases: Sequence[Case], posteriors: Sequence[Floats], cut: float) -> dict[str, float]:
    """What a cut gives in the cases at least half of whose accounts are of one campaign.

    Returns:
        ``precision`` and ``recall`` of accounts, the means over kinds of campaign, ``precision_before`` without a cut,
        and ``accounts_precision`` and ``accounts_recall`` over all accounts together.
    """
    sums: dict[str, Floats] = {}
    for case, posterior in zip(cases, posteriors, strict=True):
        if case.planted.mean() >= 0.5:
            guilty, kept = case.planted | case.left_out, posterior >= cut
            one = np.array([len(kept), guilty.sum(), kept.sum(), (guilty & kept).sum()], np.float64)
            name = f"{case.world.partition('-')[0]} {case.kind}"
            sums[name] = sums.get(name, np.zeros(4)) + one
    every = np.array(list(sums.values()))
    total = every.sum(axis=0)
    return {
        "precision_before": float((every[:, 1] / every[:, 0]).mean()),
        "precision": float((every[:, 3] / np.maximum(every[:, 2], 1)).mean()),
        "recall": float((every[:, 3] / np.maximum(every[:, 1], 1)).mean()),
        "accounts_precision": float(total[3] / total[2]),
        "accounts_recall": float(total[3] / total[1]),
    }


def chosen_cut(cases: Sequence[Case], posteriors: Sequence[Floats]) -> float:
    """See the head of this module."""
    cut = MIN_MEMBERSHIP
    for percent in range(50, 100):
        found = figures(cases, posteriors, percent / 100)
        if found["recall"] < KEPT:
            break
        cut = percent / 100
        if found["precision"] >= WANTED:
            break
    return cut


def _table(model: MemberModel, cases: Sequence[Case], posteriors: Sequence[Floats], command: str) -> dict[str, Any]:
    """The table of the file."""
    table: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": command,
        "worlds": sorted({case.world for case in cases}),
        "cases": len(cases),
        "members": int(sum(case.planted.sum() for case in cases)),
        "innocents": int(sum((~case.planted & ~case.left_out).sum() for case in cases)),
        "held_out": {
            name: {key: round(value, 4) for key, value in figures(cases, posteriors, cut).items()}
            for name, cut in (("members", MIN_MEMBERSHIP), ("recommended", model.cut))
        },
        "offset": model.offset,
        "prior": list(model.prior),
        "cut": model.cut,
        "curves": [
            {"id": c.id, "weight": c.weight, "at": c.at.tolist(), "bits": c.bits.tolist()} for c in model.curves
        ],
    }
    table["digest"] = model_digest(table)
    return table


def _written(table: dict[str, Any]) -> str:
    """The file: one line for each entry, and for each curve."""
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in table.items() if name != "curves"]
    curves = ",\n".join(f"    {json.dumps(curve)}" for curve in table["curves"])
    return "{\n" + ",\n".join(lines) + f',\n  "curves": [\n{curves}\n  ]\n}}\n'


def save(cases: Sequence[Case], out: Path, command: str) -> dict[str, Any]:
    """Fits, writes the file and reads it again.

    Args:
        cases: of at least two worlds.
        out: the file.
        command: that made it.

    Returns:
        what the file holds.
    """
    cases = sorted(cases, key=lambda case: case.world)
    posteriors = held_out(cases)
    model = replace(fit(cases), cut=chosen_cut(cases, posteriors))
    table = _table(model, cases, posteriors, command)
    text = _written(table)
    model_of(text, name=str(out))
    with replacing(out, mode=0o644) as stream:
        stream.write(text.encode("ascii"))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_members", description="Fits the model of members.")
    parser.add_argument("--world", default="api,adaptive", help="api, adaptive or both, with a comma")
    parser.add_argument("--half", default="tuning", choices=get_args(Half))
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="of the worlds")
    parser.add_argument("--rows", type=int, default=40_000, help="about the number of rows of a world")
    parser.add_argument("--data", type=Path, help="folder with the public texts; the package's grammar without")
    parser.add_argument("--designs", default="", help=f"independent ones, among {', '.join(DESIGNS)}, with commas")
    parser.add_argument("--design-seeds", type=int, nargs="+", default=[0], help="of the designs")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    given = parser.parse_args(arguments)
    worlds = [name for name in given.world.split(",") if name]
    if unknown := [name for name in worlds if name not in get_args(World)]:
        parser.error(f"--world knows {', '.join(get_args(World))}, got {unknown[0]!r}")
    designs = [name for name in given.designs.split(",") if name]
    if unknown := [name for name in designs if name not in DESIGNS]:
        parser.error(f"--designs knows {', '.join(DESIGNS)}, got {unknown[0]!r}")
    if given.data is not None and (missing := data_missing(given.data)):
        parser.error(f"{given.data} lacks {', '.join(missing)} (.jsonl.gz)")
    design_seeds = sorted(set(given.design_seeds))
    if len(worlds) * len(set(given.seeds)) + len(designs) * len(design_seeds) < 2:
        parser.error("a world is left out to choose the cut, so two worlds or seeds are needed")
    seeds = sorted(set(given.seeds))
    cases = [
        *laid_cases(worlds, seeds, half=given.half, rows=given.rows, data=given.data),
        *cases_of_designs(designs, design_seeds, half=given.half, rows=given.rows, data=given.data),
    ]
    command = f"python -m benchmarks.fit_members --world {','.join(worlds)} --half {given.half} --rows {given.rows}"
    command += f" --seeds {' '.join(map(str, seeds))}" + " --data DIR" * (given.data is not None)
    if designs:
        command += f" --designs {','.join(designs)} --design-seeds {' '.join(map(str, design_seeds))}"
    table = save(cases, given.out, command)
    for name in ("cases", "members", "innocents", "held_out", "cut"):
        sys.stdout.write(f"{name}: {json.dumps(table[name])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
