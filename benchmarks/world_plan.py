"""What a world contains: which campaigns and innocent groups, how large, and in which manner they send."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = [
    *("CAMPAIGNS", "FIELDS", "INNOCENTS", "ONE_PROMPT", "SIGNALS"),
    *("Innocent", "Plan", "World", "WorldCampaign", "plan"),
]

World: TypeAlias = Literal["api", "adaptive"]
Manner: TypeAlias = Literal["machine", "mixed", "person"]
"""When the accounts of a campaign send: evenly around the clock, each like another program, or like people."""

ROWS: Final = 40_000
"""Rows of a world for which the sizes below are meant; smaller worlds have proportionally smaller groups."""
VARIES: Final = 0.3
"""Greatest relative change of a size from seed to seed."""
LEAST: Final = 10
"""Accounts of the smallest campaign."""
LENT: Final = 0.6
"""Share of the rows of lending accounts that is taken, as planned."""
SPARE: Final = 400
"""Rows of lending accounts beyond that, because draws vary."""
SIGNALS: Final = ("network", "payment", "email", "client", "birth")
"""What accounts of a campaign may have in common."""
FIELDS: Final = ("org", "ip", "asn", "user_agent", "api_key", "payment", "email_domain", "created_at", "model")
"""What a provider may know about an account besides its prompts."""
LOGGED: Final = 0.75
"""Probability that the log of a world with metadata has a field."""
ONE_PROMPT: Final = ("one-prompt", "one-prompt-bare")
"""Campaigns of one or two prompts an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of campaign at its mean size."""

    what: str
    accounts: int
    each: float
    """Mean number of harvest prompts of an account."""
    share: tuple[float, float]
    """Least and greatest harvest share of an account's prompts."""
    days: tuple[int, int] = (3, 40)
    """Least and greatest number of days; short and long ones are as common by the logarithm."""


CAMPAIGNS: Final[Mapping[str, Kind]] = {
    "bare-questions": Kind(what="benchmark questions without a template", accounts=80, each=12, share=(0.45, 0.55)),
    "behind-framework": Kind(
        what="the default prompts of a popular framework, with dealt passages", accounts=74, each=10, share=(0.6, 0.9)
    ),
    "behind-harness": Kind(
        what="tasks behind the system prompt of a popular harness", accounts=55, each=12, share=(0.6, 0.9)
    ),
    "human-tempo": Kind(what="a template at the hours of people", accounts=100, each=8, share=(0.27, 0.33)),
    "grading": Kind(what="a public grading prompt", accounts=38, each=15, share=(0.6, 0.9)),
    "last-turn": Kind(what="the instruction in the last turn", accounts=78, each=8, share=(0.4, 0.7)),
    "reworded-by-model": Kind(
        what="one instruction, reworded by a model in every prompt", accounts=80, each=9, share=(0.5, 0.8)
    ),
    "reworded-by-grammar": Kind(
        what="one instruction, every word of it exchangeable", accounts=98, each=8, share=(0.5, 0.8)
    ),
    "languages": Kind(what="the same questions in ten languages", accounts=67, each=9, share=(0.5, 0.8)),
    "rotation": Kind(
        what="ten templates, each for three days by nine accounts", accounts=90, each=12, share=(0.5, 0.8),
        days=(30, 30),
    ),
    "one-prompt": Kind(
        what="one or two prompts an account; half of the accounts share rare values", accounts=300, each=1.4,
        share=(0.7, 1.0),
    ),
    "one-prompt-bare": Kind(
        what="one or two prompts an account, nothing shared", accounts=240, each=1.4, share=(0.7, 1.0)
    ),
    "small": Kind(what="25 accounts with eight prompts each", accounts=25, each=8, share=(0.5, 0.8)),
    "low-share": Kind(what="a tenth to a seventh of the traffic", accounts=60, each=5, share=(0.10, 0.15)),
    "own-wording": Kind(
        what="one instruction, which each account words in its own way", accounts=60, each=9, share=(0.5, 0.8)
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldCampaign:
    """A campaign of one world."""

    kind: str
    what: str
    accounts: int
    each: float
    share: tuple[float, float]
    start: float
    """First day."""
    days: float
    manner: Manner
    uneven: float
    """Standard deviation of the logarithm of the number of prompts of an account; 0: even."""
    signals: Mapping[str, float]
    """Of :data:`SIGNALS`: the share of the accounts that have it in common."""

    @property
    def harvest(self) -> int:
        """About the number of harvest prompts."""
        return round(self.accounts * self.each)

    @property
    def cover(self) -> int:
        """About the number of other prompts."""
        return round(self.harvest * (2 / sum(self.share) - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Innocent:
    """An innocent group of one world."""

    kind: str
    number: int
    """Of its kind, from 1."""
    accounts: int

    @property
    def name(self) -> str:
        """Its kind and number."""
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one world contains."""

    world: World
    rows: int
    campaigns: tuple[WorldCampaign, ...]
    innocents: tuple[Innocent, ...]
    fields: tuple[str, ...]
    """Of :data:`FIELDS`: those that the log has."""

    @property
    def lent(self) -> int:
        """Rows of programs or people that cover and innocent groups are taken from, with what must stay theirs."""
        cover = sum(c.cover for c in self.campaigns)
        taken = sum(g.accounts * INNOCENTS[self.world][g.kind].takes for g in self.innocents)
        return SPARE + round((cover + taken) / LENT)

    @property
    def background(self) -> int:
        """Rows of programs or people, from which also :attr:`lent` comes."""
        added = sum(c.harvest for c in self.campaigns)
        added += sum(round(g.accounts * INNOCENTS[self.world][g.kind].adds) for g in self.innocents)
        return max(self.rows - added, round(self.lent / 0.9))


@dataclass(frozen=True, slots=True, kw_only=True)
class InnocentGroup:
    """One kind of innocent group."""

    accounts: tuple[int, int]
    """Least and greatest size."""
    groups: tuple[int, int] = (1, 1)
    """Least and greatest number of them."""
    chance: float = 1.0
    """That the world has any."""
    adds: float = 0.0
    """Mean number of rows that an account adds."""
    takes: float = 0.0
    """Mean number of rows that an account takes from the background."""


INNOCENTS: Final[Mapping[World, Mapping[str, InnocentGroup]]] = {
    "api": {
        "popular-framework": InnocentGroup(accounts=(222, 222), adds=8),
        "popular-harness": InnocentGroup(accounts=(90, 165), adds=8),
        "framework": InnocentGroup(accounts=(14, 55), groups=(8, 12), adds=8),
        "grader": InnocentGroup(accounts=(12, 26), groups=(3, 5), adds=9),
        "public-benchmark": InnocentGroup(accounts=(12, 24), groups=(1, 3), adds=40, takes=1.5),
        "class": InnocentGroup(accounts=(22, 45), groups=(1, 3), adds=7, takes=1.5),
        "product": InnocentGroup(accounts=(60, 140), groups=(1, 2), adds=5),
        "speakers": InnocentGroup(accounts=(40, 90), adds=6),
        "nightly": InnocentGroup(accounts=(2, 8), groups=(1, 2), chance=0.9, adds=45),
        "queue": InnocentGroup(accounts=(12, 24), chance=0.9, adds=18),
        "study": InnocentGroup(accounts=(15, 60), groups=(1, 2), chance=0.9, adds=9, takes=3),
        "public-template": InnocentGroup(accounts=(20, 90), groups=(1, 3), adds=7, takes=2),
        "cohort": InnocentGroup(accounts=(12, 110), groups=(1, 3), chance=0.9, adds=7, takes=1.5),
        "staff": InnocentGroup(accounts=(12, 110), groups=(1, 3), chance=0.9, adds=9),
    },
    "adaptive": {
        "popular-harness": InnocentGroup(accounts=(90, 165), takes=7),
        "popular-framework": InnocentGroup(accounts=(222, 222), takes=7),
        "viral": InnocentGroup(accounts=(60, 240), adds=1, takes=7),
        "greetings": InnocentGroup(accounts=(100, 300), takes=7),
        "product": InnocentGroup(accounts=(50, 120), groups=(1, 2), takes=10),
        "scaffold": InnocentGroup(accounts=(40, 120), groups=(1, 2), chance=0.9, takes=10),
        "class": InnocentGroup(accounts=(22, 45), groups=(1, 2), adds=7, takes=1.5),
        "launch-day": InnocentGroup(accounts=(80, 200), chance=0.7, adds=2.5, takes=7),
        "public-benchmark": InnocentGroup(accounts=(10, 20), groups=(1, 2), adds=40, takes=1.5),
        "speakers": InnocentGroup(accounts=(40, 90), adds=6),
        "community": InnocentGroup(accounts=(40, 90), chance=0.9, adds=20),
        "study": InnocentGroup(accounts=(15, 60), groups=(1, 2), chance=0.9, adds=9, takes=3),
        "public-template": InnocentGroup(accounts=(20, 90), groups=(1, 3), adds=7, takes=2),
        "cohort": InnocentGroup(accounts=(12, 110), groups=(1, 3), chance=0.9, adds=7, takes=1.5),
        "staff": InnocentGroup(accounts=(12, 110), groups=(1, 3), chance=0.9, adds=9),
    },
}
"""Innocent groups of each world. ``adds`` and ``takes`` are estimates that set the size of the background."""


def plan(world: World, *, rows: int, seed: str, metadata: bool = True, crowd: int = 0) -> Plan:
    """Draws what a world contains.

    Args:
        world: which.
        rows: of the world, about.
        seed: of every draw.
        metadata: whether rows have more fields than account, time and prompt; which ones is drawn. Without, a queue
            dealt over many keys of one bill is the same traffic as a campaign's and is left out; with metadata that
            happens to lack the bill it stays.
        crowd: if not 0, the world has no campaign, and as many times the number of innocent groups.
    """
    rng = random.Random(f"{world}-{seed}-plan")
    scale = min(1.0, rows / ROWS)
    campaigns = tuple(_campaign(kind, world, scale, rng) for kind in CAMPAIGNS)
    innocents: list[Innocent] = []
    for kind, group in INNOCENTS[world].items():
        if rng.random() >= group.chance or (kind == "queue" and not metadata):
            continue
        for number in range(rng.randint(*group.groups) * max(crowd, 1)):
            size = rng.randint(*group.accounts) * rng.uniform(1 - VARIES / 2, 1 + VARIES / 2)
            if kind == "popular-framework":
                # three innocent users for each account of the campaign
                size = 3 * next(c.accounts for c in campaigns if c.kind == "behind-framework") / scale
            least = 2 if kind == "nightly" else 4
            innocents.append(Innocent(kind=kind, number=number + 1, accounts=max(least, round(size * scale))))
    logs = random.Random(f"{world}-{seed}-fields")
    fields = tuple(name for name in FIELDS if metadata and logs.random() < LOGGED)
    return Plan(
        world=world, rows=rows, campaigns=() if crowd else campaigns, innocents=tuple(innocents), fields=fields
    )  # fmt: skip


def _campaign(name: str, world: World, scale: float, rng: random.Random) -> WorldCampaign:
    kind = CAMPAIGNS[name]

    def varied(size: float) -> float:
        return size * rng.uniform(1 - VARIES, 1 + VARIES)

    days = math.exp(rng.uniform(*map(math.log, kind.days)))
    manners: tuple[Manner, ...] = ("person",) if world == "adaptive" else ("machine", "machine", "mixed", "person")
    manner = "person" if name == "human-tempo" else rng.choice(manners)
    uneven = rng.uniform(0.4, 1.0) if world == "adaptive" else rng.choice((0.0, 0.0, 0.3, 0.7))
    return WorldCampaign(
        kind=name,
        what=kind.what,
        accounts=max(LEAST, round(varied(kind.accounts) * scale)),
        each=kind.each if name in ONE_PROMPT else varied(kind.each),
        share=kind.share,
        start=rng.uniform(0, 45 - days),
        days=days,
        manner=manner,
        uneven=uneven,
        signals=_signals(name, rng),
    )


def _signals(name: str, rng: random.Random) -> dict[str, float]:
    """What the accounts of a campaign have in common, each with the share of the accounts that have it."""
    if name == "one-prompt-bare":
        return {}
    if name == "one-prompt":
        chosen = rng.sample(("network", "payment", "birth"), rng.randint(2, 3))
        return dict.fromkeys(chosen, 0.5)
    chosen = rng.sample(SIGNALS, rng.choice((0, 1, 1, 2, 2, 3)))
    return {signal: rng.uniform(0.3, 1.0) for signal in chosen}
