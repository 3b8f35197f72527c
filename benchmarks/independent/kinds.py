"""What a design says of accounts: when they send, from where, and what the log says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Clock", "Fields", "Ids", "Infra", "Log", "Manner", "Unit"]

Unit: TypeAlias = str | tuple[str, ...]
"""One prompt, or the turns of a short conversation, each sent as a prompt of its own."""
Clock: TypeAlias = Literal[
    "people", "office", "steady", "schedule", "bursts", "service", "commits", "shifts", "weekend", "evening", "nightly"
]
"""When an account sends: see :mod:`benchmarks.independent.tempo`."""
Fields: TypeAlias = Literal["network", "billing", "all", "client", "none"]
"""What a log says of an account: its network and client, its card, both, its client alone, or nothing."""
Ids: TypeAlias = Literal["hex", "key", "number"]
"""What the ids of accounts look like: hexadecimal digits, a prefix with letters and digits, or a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """When the accounts of a group send."""

    clocks: tuple[Clock, ...] = ("steady",)
    """Each account has one of these."""
    first: float = 0.0
    """Day on which the first account starts."""
    last: float | None = None
    """Day on which the last account stops; None means the end of the dump."""
    stagger: float = 0.0
    """Days over which the accounts start."""
    starts: Literal["even", "growing"] = "even"
    """With *growing*, the number of accounts doubles four times between the first start and the last one."""
    span: float | None = None
    """Days for which an account sends, about; None means until the last day."""
    zones: tuple[int, ...] = ()
    """Hours by which the day of an account is moved; empty means any zone for people, and none for offices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Infra:
    """Networks, clients, sign-ups and cards of the accounts of a group."""

    network: Literal["mix", "home", "hosting", "pool", "proxies", "exits", "vpn", "mobile", "office"] = "mix"
    """A *pool* is a number of neighbouring addresses at hosting providers. With *proxies*, each request comes from
    another private address. *Exits* are private addresses of a proxy network; each account has some of them.
    *Mobile* addresses are shared by many customers of one provider."""
    addresses: int = 1
    """Addresses of a pool, of an office or of the exits."""
    client: Literal["mix", "few", "web", "rare"] = "mix"
    clients: int = 1
    """Clients among which accounts choose, if they are few."""
    signup: Literal["spread", "burst", "aged", "new", "instant"] = "spread"
    day: float = 3.0
    """Day around which the accounts of a burst signed up."""
    payment: Literal["own", "pool", "none"] = "own"
    cards: int = 1
    """Cards of a pool; one means that somebody pays for all."""
    owner: str = ""
    """Groups with the same owner share addresses, clients and cards, such as all accounts of a reseller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The dump of a design without its groups."""

    name: str
    days: int
    start: str
    """First day, as in ``2026-03-02``."""
    rows: int
    """Rows at full size."""
    id_length: int
    """Characters of an account id."""
    fields: Fields
    frameworks: float
    """Share of the background rows that developers send with the default prompts of frameworks."""
    applications: float
    """Share of the background rows of applications with prompts of their own; people send the rest."""
    ids: Ids = "hex"
