"""The values of alerts: an alert on a campaign, a condition of the runs, and a channel with its destination."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from harvestdetect.data import Tier

__all__ = [
    "About",
    "Alert",
    "Channel",
    "Command",
    "Condition",
    "ConditionName",
    "Destination",
    "Kind",
    "NotifyOn",
    "PagerDuty",
    "Resolve",
    "RunInfo",
    "Settled",
    "Slack",
    "Syslog",
    "Webhook",
]

Kind: TypeAlias = Literal["new", "back", "changed", "standing", "resolved", "operations", "test"]
"""Kind of an alert. ``back``: the campaign was gone and sends again. ``standing``: nothing important changed.
``resolved``: the campaign is gone. ``operations``: about the runs themselves. ``test``: from ``harvestdetect alerts
test``."""
NotifyOn: TypeAlias = Literal["new", "changed", "all"]
"""Which campaigns a channel gets alerts on: only new ones, also changed ones, or all in every run."""
About: TypeAlias = Literal["campaigns", "operations"]
"""What a channel gets alerts about: campaigns, or the runs themselves."""
Resolve: TypeAlias = Literal["quiet", "verdict"]
"""When an incident of PagerDuty is resolved, see :class:`PagerDuty`."""
Settled: TypeAlias = Literal["harvest", "benign", "merged"]
"""Why a campaign needs no more attention: its verdict, or it was merged into another campaign."""
ConditionName: TypeAlias = Literal["run-failed", "window-incomplete", "alerts-given-up"]
"""Id of a condition of the runs."""
PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
"""Address of the Events API v2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One campaign after a run, and what changed since the run before.

    An attacker may have written any text in it, so each destination escapes texts in its own way. Only ``excerpt`` and
    ``title`` may have words of prompts.
    """

    campaign_id: str
    kind: Kind
    tier: Tier
    """The tier; the last one if the campaign is gone."""
    previous_tier: Tier | None = None
    probability: str | None = None
    """That it is a campaign, in words no surer than the evidence: ``over 99 %``. None if it is gone."""
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
    """What changed since the run before, a sentence each."""
    capability_targets: tuple[str, ...] = ()
    excerpt: str = ""
    """Words of the template. Only channels with ``include_text`` send them."""
    title: str = ""
    """Title of the finding, with words of its prompts. Only channels with ``include_text`` send it."""
    run: str
    """Number of the run in the state, as text."""
    run_started: int | None = None
    """Unix seconds at which the run started."""
    report: str | None = None
    """Address or path of the report."""
    settled: Settled | None = None
    """Why the campaign needs no more attention; None if it does."""
    settled_at: int | None = None
    """Unix seconds of the verdict; None without one."""
    over: bool = False
    """Whether the campaign was quiet in the run before too. Only incidents that wait for a verdict use such alerts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something about the runs that an engineer on call must know, or the end of it.

    Texts may have file names, which an attacker may have chosen, so each destination escapes texts in its own way.
    """

    name: ConditionName
    standing: bool
    """Whether the condition is true now. If not, channels that got an alert on it get one that it has ended."""
    summary: str
    """One sentence."""
    details: tuple[str, ...] = ()
    """A sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What an alert about a run says of the run."""

    run: str | None
    """Number of the run; None if it failed before it had one."""
    started: int
    """Unix seconds."""
    folder: str
    """Folder of the state."""
    report: str | None = None
    """Address of the report of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """An incoming webhook of Slack. Its address is a secret."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty:
    """An integration of PagerDuty with the Events API v2."""

    routing_key: str = field(repr=False)
    url: str = field(default=PAGERDUTY_URL, repr=False)
    resolve: Resolve = "verdict"
    """When an incident is resolved. ``quiet``: if its campaign is quiet or below the tier of the channel. ``verdict``:
    only when the campaign has a verdict or was merged into another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that accepts JSON."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    """Key that signs bodies; None sends them without a signature."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Syslog:
    """A syslog daemon."""

    address: str
    """``udp://host:514``, ``tcp://host:601``, or the path of a local socket."""
    facility: str = "local0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that reads an alert as JSON from its standard input."""

    command: tuple[str, ...] = field(repr=False)
    """The program and its arguments. No shell is involved."""


Destination: TypeAlias = Slack | PagerDuty | Webhook | Syslog | Command
"""Where alerts go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """An ``[[alerts]]`` table of the settings: a destination, and which alerts it gets."""

    name: str
    """Unique name, under which the state records what the channel got."""
    destination: Destination
    notify_on: NotifyOn = "changed"
    tier: Tier = "review"
    """The lowest tier of campaigns that the channel gets alerts on."""
    repeat: float | None = None
    """Seconds after which an alert on a campaign that is still there is repeated; None never repeats."""
    about: tuple[About, ...] = ("campaigns",)
    """What the channel gets alerts about."""
    digest_above: int | None = None
    """If one run has more alerts on campaigns than this, they become one message; None always sends one each."""
    include_text: bool = False
    """Whether alerts have the title of the finding and words of the template."""
    timeout: float = 10.0
    """Seconds to wait for an answer. An attempt ends after twice as many."""
    retries: int = 2
    """Number of further attempts in one run after a failure."""

    @property
    def type(self) -> str:
        """Type of the destination as in the settings file, such as ``slack``."""
        return self.destination.__class__.__name__.lower()
