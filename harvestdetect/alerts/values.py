"""What is told, and whom: an alert on one campaign, and a channel with its target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from harvestdetect.data import Tier

__all__ = [
    "CONDITIONS",
    "About",
    "Alert",
    "Channel",
    "Command",
    "Condition",
    "ConditionName",
    "Kind",
    "NotifyOn",
    "PagerDuty",
    "Resolve",
    "Settled",
    "Slack",
    "Syslog",
    "Target",
    "Webhook",
]

Kind: TypeAlias = Literal["new", "back", "changed", "standing", "resolved", "operations", "test"]
"""``back``: was gone, or known, and is here under new accounts. ``resolved``: is gone. ``operations``: about the runs
themselves. ``test``: sent by ``harvestdetect alerts test``."""
NotifyOn: TypeAlias = Literal["new", "changed", "all"]
About: TypeAlias = Literal["campaigns", "operations"]
Resolve: TypeAlias = Literal["quiet", "verdict"]
Settled: TypeAlias = Literal["harvest", "benign", "merged"]
ConditionName: TypeAlias = Literal["run-failed", "window-incomplete", "alerts-given-up"]
CONDITIONS: Final[tuple[ConditionName, ...]] = ("run-failed", "window-incomplete", "alerts-given-up")
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
    """Id of the run: its number in the state."""
    run_started: int | None = None
    """Unix seconds at which the run started."""
    report: str | None = None
    """URL or path of the report."""
    settled: Settled | None = None
    """Why nobody need look at the campaign any more: a verdict that stands, or it became part of another."""
    settled_at: int | None = None
    """Unix seconds of that verdict; None where the campaign became part of another."""
    over: bool = False
    """It was quiet in the run before too. Only an incident that waits for a verdict hears of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something about the runs themselves that an engineer on call must know, or that has ended.

    Texts may hold names of files, which an attacker may have written; each target gets them escaped in its own way.
    """

    name: ConditionName
    standing: bool
    """False: it has ended, and whoever was told of it is told so."""
    summary: str
    """One sentence."""
    details: tuple[str, ...] = ()
    """A sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """An incoming webhook; its address is a secret."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty:
    """An integration of the Events API v2."""

    routing_key: str = field(repr=False)
    url: str = field(default=PAGERDUTY_URL, repr=False)
    resolve: Resolve = "verdict"
    """``quiet``: an incident is resolved when its campaign is quiet or below the tier of the channel. ``verdict``: only
    when somebody judged the campaign, or it became part of another."""


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
    about: tuple[About, ...] = ("campaigns",)
    """What it hears of."""
    digest_above: int | None = None
    """More alerts on campaigns than this in one run become one message; None: each is a message of its own."""
    include_text: bool = False
    timeout: float = 10.0
    """Seconds to wait for an answer; an attempt is broken off after twice that."""
    retries: int = 2
    """Further attempts in one run."""

    @property
    def type(self) -> str:
        """As in the settings file: ``slack``, ``pagerduty``, ..."""
        return self.target.__class__.__name__.lower()
