"""Which accounts belong to some hot features: those that are linked there, and those that only write alike.

Half of a campaign may share nothing. So the share of a feature that belongs to the group is estimated from the linked
accounts alone: among members, some share is linked, the same in all features; among others, few are. Features in which
nobody is linked are those of another group, however alike the texts are. The odds of an account are those of its
prompts, of its links and of its number of prompts (naive Bayes).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from harvestdetect.accounts.hot_features import Use
from harvestdetect.accounts.profiles import SCALES
from harvestdetect.accounts.rare_links import Links
from harvestdetect.util.amounts import FEW, MIN_SAMPLE, NEARLY_ALL, SMALL_PART
from harvestdetect.util.arrays import Bools, Floats, Ints, run_starts

__all__ = ["GrownGroup", "GrowthInputs", "grow", "growth_inputs"]

ROUNDS: Final = 4
"""Rounds of estimation."""
WITNESSES: Final = len(SCALES)
"""Independent witnesses that the features of a prompt are together: cells of one scale say nearly the same."""
CLASSES: Final = 8
"""Classes of numbers of prompts, each twice as large as the one before."""
SURE: Final = 0.99
"""Largest share of a feature that belongs to a group."""
LEAST: Final = 1e-4
"""Smallest share of a feature that belongs to a group, and smallest share of all accounts in one: a logarithm of zero
has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthInputs:
    """Links, features and volumes of all accounts, shared by every call of :func:`grow`."""

    use: Use
    linked: Any
    """Sparse float64[a, a]: links."""
    degree: Floats
    """float64[a]: links of each account."""
    features: Any
    """Sparse [p, c], ones: features of the prompts that count as requests."""
    account: Ints
    """int64[p], ascending: the account of each of these prompts."""
    users: Ints
    """int64[c]: accounts of each feature."""
    size: Ints
    """int64[a]: class of the number of prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrownGroup:
    """A group and what made it."""

    accounts: Ints
    """int64[m], ascending."""
    prompts: Ints
    """int64[q], ascending: positions among the prompts that count as requests."""
    linked: int
    """Members that are linked."""
    excess: float
    """How many times the links that chance gives are between members, less 1, times the root of their number."""


def growth_inputs(use: Use, links: Links, features: Any, account: Ints) -> GrowthInputs:
    """The data of all accounts from which :func:`grow` computes.

    Args:
        use: of all accounts.
        links: between accounts.
        features: sparse [p, c], of the prompts that count as requests.
        account: int64[p], ascending.
    """
    linked = links.matrix()
    return GrowthInputs(
        use=use,
        linked=linked,
        degree=np.asarray(linked.sum(axis=1), np.float64).ravel(),
        features=features.tocsr(),
        account=account,
        users=np.bincount(use.has.indices, minlength=use.has.shape[1]),
        size=np.minimum(np.log2(np.maximum(use.sent, 1)).astype(np.int64), CLASSES - 1),
    )


def grow(inputs: GrowthInputs, hot: Ints) -> GrownGroup:
    """The accounts that belong to some hot features.

    Args:
        inputs: of all accounts.
        hot: the features.
    """
    use = inputs.use
    near = np.asarray(use.has[:, hot].sum(axis=1)).ravel() > 0
    belongs = near
    linked = near
    fitting = _Fitting(prompts=np.empty(0, np.int64), odds=np.empty(0), of_account=np.empty(0))
    anchor = before = near
    for turn in range(ROUNDS):
        linked = _is_linked(inputs, anchor)
        core = linked & belongs
        if turn == 0:
            anchor = core
        if not core.any() or (turn > 0 and np.array_equal(core, before)):
            break
        before = core
        among = np.asarray(use.has[core].sum(axis=0), np.float64).ravel()
        known = inputs.degree > 0
        chance = max(float((linked & known & ~near).sum() / max((known & ~near).sum(), 1)), 1e-3)
        rate = np.repeat(among[hot] / np.maximum(inputs.users[hot], 1), inputs.users[hot])
        usual = float(np.clip(np.quantile(rate, NEARLY_ALL), 2 * chance, 0.95))
        fitting = _fit(inputs, core, among, usual)
        odds = fitting.of_account + _by_size(inputs, core, near)[inputs.size]
        odds += np.where(known, np.where(linked, np.log(usual / chance), np.log((1 - usual) / (1 - chance))), 0.0)
        belongs = (odds >= 0) & _stands_out(fitting.of_account, ~near & ~linked & (use.sent > 0))
    return GrownGroup(
        accounts=np.flatnonzero(belongs),
        prompts=_prompts(inputs, fitting, belongs),
        linked=int((belongs & linked).sum()),
        excess=_excess(inputs, belongs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fitting:
    """How well texts fit a group, in log odds."""

    prompts: Ints
    """int64[k], ascending: the prompts that have a feature of the group; no other fits."""
    odds: Floats
    """float64[k]."""
    of_account: Floats
    """float64[a]: the mean over the part of an account's prompts that fits best."""


def _is_linked(inputs: GrowthInputs, group: Bools) -> Bools:
    """Which accounts have more links to those of a group than chance explains (Poisson tail)."""
    from scipy.special import gammainc

    links = inputs.linked @ group.astype(np.float64)
    usual = inputs.degree * float(inputs.degree[group].sum()) / max(float(inputs.degree.sum()), 1.0)
    return np.asarray((links > 0) & (gammainc(np.maximum(links, 1), usual) < FEW))


def _fit(inputs: GrowthInputs, core: Bools, among: Floats, usual: float) -> _Fitting:
    """How well prompts and accounts fit the features of linked accounts, each without its own part in them."""
    count = len(core)
    prior = max(float(core.sum()) / usual / count, LEAST)
    before = _log_odds(prior)

    def gain(number: Floats, users: Floats) -> Floats:
        found = (number + MIN_SAMPLE * prior * usual) / (users + MIN_SAMPLE) / usual
        return np.asarray(_log_odds(np.clip(found, LEAST, SURE)) - before, np.float64)

    users = inputs.users.astype(np.float64)
    good = (among > 1) & (gain(among, users) > 1)
    prompts = np.flatnonzero(inputs.features @ good.astype(np.float32))
    account = inputs.account[prompts]
    # an account that is linked itself is one user less of each of its features
    own = inputs.features @ gain(among - 1, users - 1)
    gains = np.where(core[account], own[prompts], (inputs.features @ gain(among, users - 1))[prompts])
    size = np.diff(inputs.features.indptr)[prompts]
    odds = before + WITNESSES * gains / np.maximum(size, 1)
    # an account is judged by its best fifth (SMALL_PART); prompts that have no feature of the group are all alike
    order = np.lexsort((-odds, account))
    first = run_starts(account)
    rank = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    wanted = np.ceil(SMALL_PART * inputs.use.sent)
    taken = order[rank < wanted[account[order]]]
    total = np.bincount(account[taken], odds[taken], count)
    missing = np.maximum(wanted - np.bincount(account[taken], minlength=count), 0)
    of_account = (total + missing * (before - WITNESSES)) / np.maximum(wanted, 1)
    return _Fitting(prompts=prompts, odds=odds, of_account=np.where(inputs.use.sent > 0, of_account, -np.inf))


def _excess(inputs: GrowthInputs, member: Bools) -> float:
    """See :attr:`GrownGroup.excess`: the mean over accounts, in standard errors up to a factor."""
    inside = member.astype(np.float64)
    ends = float(inputs.degree @ inside)
    usual = ends * ends / max(float(inputs.degree.sum()), 1.0)
    found = float(inside @ (inputs.linked @ inside))
    return (found / max(usual, 1e-3) - 1) * math.sqrt(member.sum())


def _by_size(inputs: GrowthInputs, core: Bools, near: Bools) -> Floats:
    """For each class of numbers of prompts, how much more common it is among linked members: log odds."""
    inside = np.bincount(inputs.size[core], minlength=CLASSES) + 1.0
    outside = np.bincount(inputs.size[~near], minlength=CLASSES) + 1.0
    return np.asarray(np.log(inside / inside.sum()) - np.log(outside / outside.sum()), np.float64)


def _stands_out(odds: Floats, others: Bools) -> Bools:
    """Which accounts have texts that fit better than those of nearly all others."""
    usual = odds[others]
    place = math.ceil((1 - FEW) * len(usual)) - 1
    return np.asarray(odds > np.partition(usual, place)[place]) if place >= 0 else np.ones(len(odds), bool)


def _prompts(inputs: GrowthInputs, fitting: _Fitting, member: Bools) -> Ints:
    """The prompts of members that fit; of a member without one, the prompt that fits best."""
    account = inputs.account[fitting.prompts]
    best = np.full(len(member), -np.inf)
    np.maximum.at(best, account, fitting.odds)
    kept = member[account] & (fitting.odds >= np.minimum(best[account], 0.0))
    return np.asarray(fitting.prompts[kept])


def _log_odds(share: Any) -> Any:
    return np.log(share / (1 - share))
