"""What is told, and whom: an alert on one campaign, and a channel with its target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from harvestdetect.data import Tier

__all__ = ["Alert", "Channel", "Command", "Kind", "NotifyOn", "PagerDuty", "Slack", "Syslog", "Target", "Webhook"]

Kind: TypeAlias = Literal["new", "back", "changed", "standing", "resolved"]
"""``back``: was gone, or known, and is here under new accounts. ``resolved``: is gone."""
NotifyOn: TypeAlias = Literal["new", "changed", "all"]
PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The state of one campaign after a run, and what became of it since the one before.

    Every text may have been written by an attacker; each target gets it escaped in its own way. Only ``excerpt`` may
    hold words of prompts.
    """

    campaign_id: str
    kind: Kind
    tier: Tier
    """Of a resolved campaign: its last one."""
    previous_tier: Tier | None = None
    accounts: int
    new_accounts: int = 0
    prompts: int
    first_seen: int | None = None
    """Unix seconds."""
    last_seen: int | None = None
    """Unix seconds."""
    summary: str
    """One sentence."""
    changes: tuple[str, ...] = ()
    """What is otherwise than in the run before, a sentence each."""
    capability_targets: tuple[str, ...] = ()
    excerpt: str = ""
    """Words of the template; leaves only through channels with ``include_text``."""
    run: str
    """Id of the run."""
    report: str | None = None
    """URL or path of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """An incoming webhook; its address is a secret."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty:
    """An integration of the Events API v2."""

    routing_key: str = field(repr=False)
    url: str = field(default=PAGERDUTY_URL, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that takes JSON."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    """What bodies are signed with; None: they are not signed."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Syslog:
    """A syslog daemon."""

    address: str
    """``udp://host:514``, ``tcp://host:601``, or the path of a local socket."""
    facility: str = "local0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that reads one alert as JSON from its standard input."""

    command: tuple[str, ...] = field(repr=False)
    """The program and its arguments; no shell reads them."""


Target: TypeAlias = Slack | PagerDuty | Webhook | Syslog | Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where alerts go, and which."""

    name: str
    """Unique; under it is kept what the channel was told."""
    target: Target
    notify_on: NotifyOn = "changed"
    tier: Tier = "review"
    """The least tier that is told."""
    repeat: float | None = None
    """Seconds after which a campaign that still stands is told again; None: never."""
    include_text: bool = False
    timeout: float = 10.0
    """Seconds to wait for an answer; an attempt is broken off after twice that."""
    retries: int = 2
    """Further attempts in one run."""

    @property
    def type(self) -> str:
        """As in the settings file: ``slack``, ``pagerduty``, ..."""
        return self.target.__class__.__name__.lower()
