"""The groups of a design: what its campaigns and innocent groups consist of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.independent.kinds import Clock, Infra, Log, Manner, Unit
from benchmarks.independent.scene import Scene

__all__ = ["Campaign", "Cover", "Deal", "Design", "Hands", "Innocent", "Pool", "Share", "Timed", "Wrap"]

Deal: TypeAlias = Callable[[Scene, int], list[Unit]]
"""Makes about as many units as asked for; fewer where the texts of the half do not suffice."""
Share: TypeAlias = Callable[[Scene, int], list[list[Unit]]]
"""Makes what each account of a group sends, given the number of accounts; where the texts do not suffice, for fewer."""
Timed: TypeAlias = Callable[[Scene, int], list[list[tuple[float, str]]]]
"""The same with the times of the prompts, in seconds from the start of the dump."""
Wrap: TypeAlias = Callable[[Scene], Callable[[str], str]]
"""Makes for one account what it puts around each of its prompts."""
Hands: TypeAlias = Callable[[Scene, Sequence[Unit], int], list[list[Unit]]]
"""Hands units to a number of accounts; each gets at least one."""
Cover: TypeAlias = Callable[[Scene, int], list[str]]
"""Makes as many other prompts of one account as asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Accounts of a campaign that work in one manner."""

    accounts: int
    prompts: int
    """Harvest units of all accounts together."""
    deal: Deal
    hands: Hands | None = None
    """How the units get to the accounts; None gives each unit to one account."""
    manner: Manner = field(default_factory=Manner)
    infra: Infra = field(default_factory=Infra)
    again: bool = False
    """Whether the accounts of the pools before send these units too, with the infrastructure that they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One campaign of a design."""

    name: str
    what: str
    pools: tuple[Pool, ...]
    uneven: float = 3.0
    """Shape of the gamma distribution of the prompts of an account; a large one makes accounts equal."""
    camouflage: float = 0.0
    """Harvest share of every account; 0 means that other prompts are sent by some accounts only."""
    cover: Cover | None = None
    """What the accounts send besides; None means what one person asks in a chat."""
    cover_clock: Clock = "people"
    """When they send it."""
    ahead: float = 3.0
    """Days by which the other prompts of an account without camouflage may begin before the harvest."""
    side: float | None = None
    """Share of the accounts with some prompts of another kind; None draws it."""
    repeats: float | None = None
    """Share of the units that are sent twice; None draws it."""
    wrap: Wrap | None = None
    joins: tuple[str, int] | None = None
    """A campaign planted before, and how many of its accounts work for this one too."""
    hard: bool = False
    """Whether its author calls it nearly undetectable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Innocent:
    """One innocent group of a design; it has either ``share`` or ``timed``."""

    name: str
    what: str
    accounts: int
    share: Share | None = None
    timed: Timed | None = None
    manner: Manner = field(default_factory=lambda: Manner(clocks=("people",)))
    side: float = 0.3
    """Share of the accounts that also chat about other things."""
    infra: Infra = field(default_factory=Infra)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One dump as its author described it."""

    log: Log
    campaigns: tuple[Campaign, ...]
    innocents: tuple[Innocent, ...]

    @property
    def name(self) -> str:
        """The name of the dump."""
        return self.log.name
