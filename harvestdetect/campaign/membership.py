"""How surely each account belongs to a campaign: a mixture model fitted by expectation-maximisation (EM).

An account sent k prompts of the campaign. If it is a member, k - 1 has a negative binomial distribution with a mean and
a variance of the campaign's own, from Poisson (an even load) to geometric (an uneven one). Otherwise it is a stray, and
k has a Poisson distribution with a mean in proportion to all prompts of the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.util.arrays import AnyInts, Bools, Floats, Ints32

__all__ = ["MIN_MEMBERSHIP", "membership"]


MIN_MEMBERSHIP: Final = 0.5
"""Membership (a probability) from which an account is a member. Chosen: more likely a member than a stray."""

STRAY_RATE: Final = 0.5
"""Factor on the fitted rate of strays. A cluster was chosen for accounts that return, so its strays are rarer than the
fit says. Chosen."""

MIN_STRAYS: Final = 0.1
"""Smallest number of strays that a corpus is expected to give a campaign: one in ten corpora. Chosen."""

ROUNDS: Final = 25
"""Most rounds of EM. After each, the campaigns that have converged are left out. Chosen, for speed."""

STEPS_PER_ROUND: Final = 8
"""EM steps in a round."""

CONVERGED: Final = 1e-6
"""A campaign has converged when no membership changes by as much in a step."""

INITIAL: Final = 0.99
"""Membership that EM starts from; presumed strays start from one less this. EM moves away from it, and half of it gives
the same members."""

MIN_MEAN: Final = 1e-3
"""Smallest fitted mean of a member's further prompts."""

SHAPES: Final = (1.0, 1e4)
"""Range of the shape of the negative binomial distribution: 1 is geometric, 10,000 is nearly Poisson."""

TINY: Final = 1e-9
"""Smallest weight, excess variance and prior probability; it keeps logarithms and quotients finite."""

MAX_LOG_ODDS: Final = 500.0
"""Largest logarithm of odds, so that exponentials stay finite."""


def membership(
    hits: Sequence[Ints32],
    volume: Sequence[Ints32],
    *,
    total_prompts: int,
    total_accounts: int,
    templates: Sequence[Ints32] | None = None,
) -> list[Floats]:
    """The membership of each account in each of several campaigns, fitted for each campaign by itself.

    EM starts from all accounts as members; where the median account that returns sent several of the templates, from
    those that did.

    Args:
        hits: for each campaign int32[a], the prompts of each account in it, at least 1; not empty.
        volume: for each campaign int32[a], all prompts of these accounts.
        total_prompts: of the corpus.
        total_accounts: of the corpus.
        templates: for each campaign int32[a], the number of its clusters that each account sent; None means one.

    Returns:
        for each campaign float64[a], 0 to 1.
    """
    posterior = [np.full(len(k), INITIAL) for k in hits]
    for i, several in enumerate(templates or ()):
        returning = hits[i] > 1
        if returning.any() and np.median(several[returning]) > 1:
            posterior[i][several < 2] = 1 - INITIAL
    moving = list(range(len(hits)))
    for _ in range(ROUNDS):
        if not moving:
            break
        size = np.array([len(hits[i]) for i in moving])
        start = np.concatenate(([0], np.cumsum(size)))[:-1]
        k, n, old = (np.concatenate([values[i] for i in moving]) for values in (hits, volume, posterior))
        mixtures = _Mixtures(start=start, campaign=np.repeat(np.arange(len(size)), size), accounts=total_accounts)
        rows, converged = mixtures.steps(k.astype(np.float64), n / total_prompts, old)
        for place, i in enumerate(moving):
            posterior[i] = rows[start[place] : start[place] + size[place]]
        moving = [i for place, i in enumerate(moving) if not converged[place]]
    return posterior


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mixtures:
    """The mixtures of c campaigns, whose accounts are a rows in all; see :func:`membership`."""

    start: AnyInts
    """int64[c]: where the rows of each campaign begin."""
    campaign: AnyInts
    """int64[a]: the campaign of each row."""
    accounts: int
    """Accounts of the corpus."""

    def _sum(self, values: Floats) -> Floats:
        """The sum of the values over the rows of each campaign: float64[c]."""
        return np.asarray(np.add.reduceat(values, self.start))

    def steps(self, k: Floats, n: Floats, posterior: Floats) -> tuple[Floats, Bools]:
        """Some EM steps. A campaign that has converged changes no more.

        Args:
            k: float64[a], prompts of each account in the campaign.
            n: float64[a], all its prompts as a share of the corpus.
            posterior: float64[a], membership so far: the posterior probability of each row.

        Returns:
            float64[a], membership; and bool[c], the campaigns that have converged.
        """
        from scipy.special import gammaln

        of, further, gamma, gamma_next = self.campaign, k - 1, gammaln(k), gammaln(k + 1)
        done = np.zeros(len(self.start), bool)
        for _ in range(STEPS_PER_ROUND):
            # maximisation: the parameters of each campaign
            weight = np.maximum(self._sum(posterior), TINY)
            mean = np.maximum(self._sum(posterior * further) / weight, MIN_MEAN)
            variance = self._sum(posterior * (further - mean[of]) ** 2) / weight
            shape = np.clip(mean**2 / np.maximum(variance - mean, TINY), *SHAPES)
            prior = np.clip(weight / self.accounts, TINY, 1 - TINY)
            rate = np.maximum(STRAY_RATE * self._sum((1 - posterior) * k), MIN_STRAYS)
            # expectation: the membership of each account
            log_member = (
                (np.log(prior) - gammaln(shape) + shape * np.log(shape / (shape + mean)))[of]
                + gammaln(further + shape[of])
                - gamma
                + further * np.log(mean / (shape + mean))[of]
            )
            strays = n * rate[of]
            log_stray = np.log(1 - prior)[of] + k * np.log(strays) - strays - gamma_next
            new = 1 / (1 + np.exp(np.clip(log_stray - log_member, -MAX_LOG_ODDS, MAX_LOG_ODDS)))
            # an account that sends more than the mean is no stray, however even the load of the others
            new = np.maximum(new, np.where(k > mean[of] + 1, posterior, 0.0))
            new = np.where(done[of], posterior, new)
            done |= np.maximum.reduceat(np.abs(new - posterior), self.start) < CONVERGED
            posterior = new
            if done.all():
                break
        return posterior, done
