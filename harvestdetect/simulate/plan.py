"""What will happen in a simulated dump, before any text is written: accounts, events and who writes them.

A plan is a list of streams. A stream is a set of events (time, account, item, session) and the function that writes the
prompt of one event, so that a dump of any size is written row by row in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, TypeAlias

import numpy as np

from harvestdetect.simulate.grammar import Parts
from harvestdetect.simulate.people import GRAMMAR, Person, Text
from harvestdetect.simulate.traffic import Account, Events, Network, human_times
from harvestdetect.util.arrays import Bools, Floats, Ints
from harvestdetect.util.periods import DAY, HOUR

__all__ = [
    "Plan",
    "PlantedGroup",
    "World",
    "Writer",
    "launch_of",
    "people_stream",
    "people_weights",
    "person_of",
    "proxies_of",
    "unlike_template",
]


Writer: TypeAlias = Callable[[Account, int, int, Random], Text]
"""(account, item, session, random) -> prompt."""

TEMPLATE_DRAWS: Final = 50
"""Most times that a template is drawn anew because it is too much like an earlier one."""

MAX_ALIKE: Final = 0.5
"""Largest share of its fixed words that a template has in common with any other, where the draws allow it."""

SUBNET_DRAWS: Final = 256
"""Subnets that are tried for one that no other pool of accounts has."""


@dataclass(slots=True)
class PlantedGroup:
    """One planted campaign or look-alike."""

    name: str
    kind: Literal["campaign", "look-alike"]
    what: str
    accounts: list[int]


@dataclass(slots=True)
class Plan:
    """All that will happen."""

    network: Network
    streams: list[tuple[Writer, Events]] = field(default_factory=list)
    groups: list[PlantedGroup] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    sessions: int = 0

    def add(self, writer: Writer, time: Ints, account: Ints, item: Ints, session: Ints) -> None:
        """One more stream."""
        self.streams.append((writer, Events(time=time, account=account, item=item, session=session)))

    def new_sessions(self, count: int) -> int:
        """The first of some unused session numbers."""
        first = self.sessions
        self.sessions += count
        return first


@dataclass(slots=True)
class World:
    """The plan so far, and what every function that adds to it needs."""

    plan: Plan
    network: Network
    dice: np.random.Generator
    words: Random
    start: int
    end: int
    launch: int
    background: list[int] = field(default_factory=list)
    template_words: list[frozenset[str]] = field(default_factory=list)
    """The fixed words of each template so far."""

    def template(self, text: str, *, keep: Collection[str]) -> Parts:
        """A form with its choices made, in words of its own: independent groups do not write the same template."""
        return unlike_template(text, self.words, self.template_words, keep=keep)

    @property
    def span(self) -> int:
        """The length of the window, in seconds."""
        return self.end - self.start


def unlike_template(text: str, random: Random, known: list[frozenset[str]], *, keep: Collection[str]) -> Parts:
    """A form with its choices made so that it has few words in common with the templates before it.

    Args:
        text: the form, in slot notation.
        random: of the choices.
        known: the fixed words of each template so far; those of the new one are appended.
        keep: the slots that stay.
    """
    best, least = None, 2.0
    for _ in range(TEMPLATE_DRAWS):
        parts = GRAMMAR.freeze(text, random, keep=keep)
        words = frozenset(word for part in parts if isinstance(part, str) for word in part.split())
        alike = max((len(words & other) / max(len(words), len(other), 1) for other in known), default=0.0)
        if alike < least:
            best, least = (parts, words), alike
        if alike <= MAX_ALIKE:
            break
    assert best is not None
    known.append(best[1])
    return best[0]


def launch_of(start: int, end: int) -> int:
    """When a new model is released within a window; all in seconds since 1970."""
    return start + int(0.6 * (end - start)) // DAY * DAY + 9 * HOUR


def proxies_of(network: Network, dice: np.random.Generator, size: int) -> list[str]:
    """The addresses of a pool of ``size`` accounts: some of two subnets in each of its networks.

    While there are enough subnets, no other pool has the same: any analyst would take two campaigns with common
    addresses for one.
    """
    found = []
    for asn in network.hosters(int(dice.integers(2, 5))):
        for subnet in dice.integers(0, 256, 2).tolist():
            for _ in range(SUBNET_DRAWS):
                if network.rent(asn, subnet):
                    break
                subnet = int(dice.integers(0, 256))
            found += [network.address(asn, subnet) for _ in range(max(3, size // 8))]
    return found


def person_of(account: Account, random: Random) -> Person:
    """The person behind an account, drawn at the first prompt."""
    if account.person is None:
        account.person = Person(random, chat=account.chat)
    return account.person


def people_weights(dice: np.random.Generator, accounts: int) -> Floats:
    """How much each of some independent people sends, in proportion: float64[accounts], a Pareto law with a cap."""
    return np.asarray(np.minimum(dice.pareto(1.25, accounts) + 0.25, 60.0))


def people_stream(
    world: World,
    writer: Writer,
    accounts: Sequence[int],
    counts: Ints,
    *,
    flat: Bools | None = None,
    window: tuple[int, int] | None = None,
    mean_session: float = 4.0,
    items: int = 0,
) -> None:
    """Adds a stream of ``counts[i]`` prompts of ``accounts[i]``, in the rhythm of people.

    Args:
        world: the plan.
        writer: of the prompts.
        accounts: positions of the accounts.
        counts: int64[len(accounts)], the prompts of each.
        flat: bool[len(accounts)], accounts that ignore the hour of the day; None means none.
        window: first and last second; None means those of the dump.
        mean_session: mean number of prompts in a session.
        items: where positive, the item of an event is one of this many texts, in turn from a random one on; otherwise
            its position in the session.
    """
    known = [world.network.accounts[a] for a in accounts]
    sent = human_times(
        world.dice,
        counts=counts,
        created=np.array([a.created for a in known], dtype=np.int64),
        zones=np.array([a.zone for a in known], dtype=np.int64),
        window=window or (world.start, world.end),
        first_session=world.plan.sessions,
        flat=flat,
        mean_session=mean_session,
    )
    world.plan.new_sessions(int(sent.session[-1]) + 1 - world.plan.sessions if len(sent.session) else 0)
    item = sent.position
    if items:
        item = (np.arange(len(sent.time)) + int(world.dice.integers(items))) % items
    world.plan.add(writer, sent.time, np.asarray(accounts, dtype=np.int64)[sent.who], item, sent.session)
