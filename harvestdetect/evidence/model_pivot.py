"""Whether the accounts moved to another model together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from harvestdetect.evidence import nulls
from harvestdetect.evidence.coordination import GRID, GRIDS
from harvestdetect.evidence.nulls import steps
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.timed_prompts import TimedPrompts, compared, least_draws
from harvestdetect.util.amounts import EXCEPTIONAL, MIN_SAMPLE
from harvestdetect.util.arrays import Bools, Floats, Ints, Ints32, run_starts

__all__ = ["model_pivot"]


PIVOT_BEFORE: Final = 2
"""Prompts to other models that an account sends before it can move to a new one. Chosen."""
PIVOT_MODELS: Final = 8
"""Number of models, the most used of the candidate, that are tried as the new one. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moves:
    """How many accounts moved to one model within a day, beyond the drawn groups."""

    beyond: Floats
    """float64[g]: the largest share of each group, less the mean of the drawn groups on that day; row 0 is the
    candidate."""
    moment: int
    """When the candidate's day begins, in seconds."""
    usual: float
    """The mean share of the drawn groups on that day."""


def model_pivot(timed: TimedPrompts | None, model: Ints32) -> Observation | None:
    """Whether many accounts moved to one model within a day, beyond the groups drawn.

    Each group is compared with all of them, so the groups of earlier steps are compared again at each step.

    Args:
        timed: of the candidate; None where too little is known of its times.
        model: int32[p], the model that every prompt of the dump went to, -1 where unknown.

    Returns:
        None where more than :data:`~harvestdetect.util.amounts.EXCEPTIONAL` of the prompts name no model, too
        few accounts sent several prompts, or too few groups have times.
    """
    if timed is None or (model[timed.groups.own[timed.compared]] < 0).mean() > EXCEPTIONAL:
        return None
    groups, times = timed.groups, [timed.own]
    models = [model[groups.own[timed.compared]][None]]
    found = None
    for low, high in steps(groups.draws):
        times.append(timed.drawn(low, high))
        models.append(model[groups.some(low, high)[timed.usable(low, high)][:, timed.compared]])
        if sum(map(len, times)) <= least_draws():
            continue
        moves = _moves(np.concatenate(times), np.concatenate(models), timed.member)
        if moves is None:
            return None
        found = _observed(moves)
        if int((moves.beyond[1:] >= moves.beyond[0]).sum()) >= nulls.SETTLED:
            break
    return found


def _observed(moves: _Moves) -> Observation:
    share = float(moves.beyond[0])
    day = datetime.fromtimestamp(moves.moment, UTC).strftime("%Y-%m-%d %H:%M")
    return compared(
        share,
        moves.beyond[1:],
        small=False,
        sentence=(
            f"In the 24 hours from {day} UTC {share + moves.usual:.0%} of the accounts went over to one model; "
            f"{moves.usual:.0%} of other accounts did at that time."
        ),
        against="groups of other accounts, each compared with all of them on the same day",
    )


def _moves(times: Ints, models: Ints32, member: Ints) -> _Moves | None:
    """The moves of the candidate (row 0) and of the drawn groups; None where too few accounts could show one.

    Accounts are counted, not prompts: a sitting in one model is one choice.

    Args:
        times: int64[g, t].
        models: int32[g, t], -1 where unknown.
        member: int64[t], ascending from 0.
    """
    start = run_starts(member)
    known = models >= 0
    total = np.add.reduceat(known.astype(np.int64), start, axis=1)
    if (total[0] >= MIN_SAMPLE).sum() < MIN_SAMPLE:
        return None
    g, accounts = total.shape
    step = times // GRID - int(times.min()) // GRID
    bins = int(step.max()) + 1

    def before(which: Bools) -> Ints:
        """How many of an account's prompts come before each: int64[g, t]."""
        up_to = which.cumsum(axis=1) - which
        return np.asarray(up_to - up_to[:, start][:, member])

    seen = before(known)
    used, count = np.unique(models[0][known[0]], return_counts=True)
    best = np.full(g, -np.inf)
    at, usual = 0, 0.0
    for code in used[np.argsort(-count, kind="stable")[:PIVOT_MODELS]].tolist():
        uses = models == code
        after = np.add.reduceat(uses.astype(np.int64), start, axis=1)[:, member]
        moves = uses & (before(uses) == 0) & (seen >= PIVOT_BEFORE) & (2 * after >= total[:, member] - seen)
        row, place = np.nonzero(moves)
        counts = np.bincount(row * bins + step[row, place], minlength=g * bins).reshape(g, bins)
        up_to = np.concatenate((np.zeros((g, 1), np.int64), counts.cumsum(axis=1)), axis=1)
        border = np.arange(bins)
        share = (up_to[:, np.minimum(border + GRIDS, bins)] - up_to[:, border]) / accounts
        mean = share[1:].mean(axis=0)
        beyond = share - mean
        where = int(beyond[0].argmax())
        if beyond[0, where] > best[0]:
            at, usual = where, float(mean[where])
        best = np.maximum(best, beyond.max(axis=1))
    return _Moves(beyond=best, moment=(at + int(times.min()) // GRID) * GRID, usual=usual)
