"""How innocent dumps differ from seed to seed: rare values that strangers share, newcomers, popular texts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from benchmarks.identities import Identities, Identity
from benchmarks.real_texts import START
from benchmarks.sources import WINDOW
from harvestdetect.util.periods import DAY

__all__ = ["Opener", "Variety", "draw_variety"]

MOST_SHARED: Final = 60
"""Most accounts that share one rare value."""
BURST: Final = 0.7
"""Standard deviation of the sign-up times of newcomers, in days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """The properties of one dump that its seed decides."""

    addresses: float
    """Share of the accounts behind an address that a few accounts have in common."""
    clients: float
    """Share of the accounts with a rare client."""
    near: float
    """Chance that those who share a rare value are of one circle, such as a channel, a project or a subject."""
    newcomers: float
    """Share of the accounts that signed up within a few days, as after an article on the service."""
    day: float
    """Day of the window around which they did."""
    launch: bool
    """Whether most accounts switch to a new model within a day."""
    popular: float
    """Chance that a sitting begins with a popular text, where texts are dealt to accounts."""
    exponent: float
    """Of the popularity: the text of rank n is sent n ** -exponent times as often as the first."""


def draw_variety(rng: random.Random) -> Variety:
    """Draws the properties of a dump."""
    return Variety(
        addresses=rng.choice((0.0, rng.uniform(0.01, 0.06), rng.uniform(0.06, 0.2))),
        clients=rng.choice((0.0, rng.uniform(0.01, 0.05), rng.uniform(0.05, 0.15))),
        near=rng.uniform(0.0, 0.8),
        newcomers=rng.choice((0.0, 0.0, rng.uniform(0.03, 0.25))),
        day=rng.uniform(-20, WINDOW - 5),
        launch=rng.random() < 0.3,
        popular=rng.choice((0.0, rng.uniform(0.0, 0.1), rng.uniform(0.1, 0.3))),
        exponent=rng.uniform(0.5, 1.1),
    )


@dataclass(slots=True)
class Opener:
    """Makes the identities of the accounts of a dump."""

    variety: Variety
    identities: Identities | None
    """None: the dump has no metadata."""
    rng: random.Random
    open_shares: dict[tuple[str, str], tuple[Identity, int]] = field(default_factory=dict)
    """What is shared and the circle -> whose value it is, and how many more accounts get it."""
    names: int = 0

    def identity(self, circle: str, *, program: bool = False, agents: tuple[str, ...] = ()) -> Identity | None:
        """The identity of one account; None without metadata.

        Args:
            circle: what the account belongs to; members of one circle share rare values more often.
            program: whether a program uses it.
            agents: its clients; drawn if there are none.
        """
        if self.identities is None:
            return None
        rng, variety = self.rng, self.variety
        created = None
        if rng.random() < variety.newcomers:
            created = START + int(min(variety.day + rng.gauss(0, BURST), WINDOW - 1) * DAY)
        found = self.identities.ordinary(agents=agents, created=created, program=program)
        if rng.random() < variety.addresses:
            other = self._shared("address", circle, found)
            found.asn, found.addresses = other.asn, other.addresses
        if not agents and rng.random() < variety.clients:
            found.agents = self._shared("client", circle, found).agents
        return found

    def _shared(self, what: str, circle: str, own: Identity) -> Identity:
        """Whose value an account takes over; its own, if it is the first of a group."""
        key = (what, circle if self.rng.random() < self.variety.near else "")
        other, left = self.open_shares.get(key, (own, 0))
        if left <= 0:
            other, left = own, min(MOST_SHARED, 2 + int(self.rng.lognormvariate(0.8, 0.9)))
            if what == "client":
                self.names += 1
                own.agents = (f"tool-{self.names}/{self.rng.randint(0, 3)}.{self.rng.randint(0, 20)}",)
        self.open_shares[key] = (other, left - 1)
        return other
