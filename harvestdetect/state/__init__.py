"""A state: the memory of scheduled scans, so that campaigns keep their ids and alerts are not repeated.

::

    from harvestdetect import Settings
    from harvestdetect.state import open_state

    with open_state("state", write=True) as state:
        run = state.scan(["dumps/2026-11-24.jsonl.gz"], settings=Settings(encoder="fast"), window="45d")
        for campaign in state.campaigns():
            print(campaign.campaign_id, campaign.status, campaign.tier, campaign.accounts)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final

from harvestdetect.alerts import Channel, Delivery, Outbox, WaitingAlerts
from harvestdetect.context import Progress
from harvestdetect.data import Detection
from harvestdetect.dump import Dumps, read_dumps
from harvestdetect.settings import Settings
from harvestdetect.signatures.matching import Shared
from harvestdetect.state.clearing import Clearing, clear, standing_clearings, unclear
from harvestdetect.state.cutting import cutting_of, shards_of
from harvestdetect.state.erase import Forgotten, forget
from harvestdetect.state.known_campaigns import Day, KnownCampaign, history, known_campaigns
from harvestdetect.state.past_runs import CampaignRun, PastRun, campaign_runs, past_runs
from harvestdetect.state.queue import Waiting, waiting
from harvestdetect.state.rebuild import Rebuilt, rebuild
from harvestdetect.state.reconcile import Change
from harvestdetect.state.run import Run, RunOptions, scan_into
from harvestdetect.state.store import Store, check_utf8, open_store
from harvestdetect.state.unreported import mark_reported
from harvestdetect.state.upkeep import Freed, collect, left_out, verify
from harvestdetect.state.verdicts import (
    Precision,
    Verdict,
    VerdictName,
    precision,
    review,
    undo,
    verdicts,
)
from harvestdetect.util.ids import named_campaign
from harvestdetect.util.periods import parse_period

__all__ = [
    "CampaignRun",
    "Change",
    "Clearing",
    "Day",
    "Delivery",
    "Event",
    "Forgotten",
    "Freed",
    "KnownCampaign",
    "PastRun",
    "Precision",
    "Rebuilt",
    "Run",
    "State",
    "Verdict",
    "Waiting",
    "open_state",
    "rebuild",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a campaign."""

    at: int
    """Unix seconds."""
    run: int | None
    """Number of the run; None for a verdict."""
    campaign_id: str | None
    what: str
    """``new``, ``split`` (off from another campaign), ``split off`` (another one from it), ``merged`` (into another
    one), ``merged in`` (another one into it), ``tier``, ``status``, ``verdict``, ``cleared`` (an account) or ``cleared
    no more``."""
    detail: str
    """The other campaign, the old and the new value, or the verdict and its reviewer."""


_OTHER_SIDE: Final = {"merged": "merged in", "split": "split off"}
"""Event of a campaign -> the name of the same event for the campaign in its ``detail``."""


class State:
    """An open state, as :func:`open_state` gives it. It is a context manager that closes the state."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def folder(self) -> Path:
        """Folder of the state."""
        return self._store.folder

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the state and releases its lock."""
        self._store.close()

    # ------------------------------------------------------------ scanning

    def scan(
        self,
        sources: Iterable[str | Path] | Dumps,
        *,
        settings: Settings | None = None,
        window: str | int = "45d",
        now: int | None = None,
        trust_clock: bool = False,
        progress: Progress | None = None,
        notes: Callable[[str], None] | None = None,
        channels: Sequence[Channel] = (),
        write: Callable[[Detection], object] | None = None,
        baseline: bool = False,
        shared: Shared | None = None,
        unsent: Callable[[str], object] | None = None,
        confirms: bool = False,
    ) -> Run:
        """Scans dumps into the state, see :func:`harvestdetect.state.run.scan_into`.

        Many parameters because callers set a few of them by name.

        Args:
            sources: files, globs or folders, or the result of :func:`harvestdetect.read_dumps`.
            settings: None takes the defaults.
            window: length of the window, as a period such as ``45d`` or in seconds.
            now: Unix seconds; None takes those of the clock.
            trust_clock: whether to believe the clock whatever the state and the prompts say.
            progress: opens progress bars.
            notes: takes sentences about decisions of the run.
            channels: where alerts go.
            write: gets the detection before the state takes it.
            baseline: whether the first run records its campaigns without sending alerts on them.
            shared: signatures of other providers that the window is compared with.
            unsent: takes a sentence about each alert on a failure that was not sent; None gives them to ``notes``.
            confirms: whether the caller calls :meth:`reported` when it has reported the run. If it does not, the next
                run counts the same new files, rows and rejects again.

        Raises:
            ClockError: the clock is before the last run, or far from the prompts.
        """
        settings = settings or Settings()
        seconds = parse_period(window) if isinstance(window, str) else window
        dumps = sources if isinstance(sources, Dumps) else read_dumps(list(sources), settings=settings)
        with closing(dumps):
            options = RunOptions(
                window=seconds, now=_moment(now), trust_clock=trust_clock, baseline=baseline, channels=channels,
                progress=progress, notes=notes, write=write, shared=shared, unsent=unsent, confirms=confirms,
            )  # fmt: skip
            return scan_into(self._store, dumps, settings=settings, options=options)

    def reported(self) -> None:
        """Records that the result of the last run was reported, after :meth:`scan` with ``confirms``."""
        with self._store.transaction() as connection:
            mark_reported(connection)

    def send_alerts(
        self, channels: Sequence[Channel], *, report: str | None = None, now: int | None = None
    ) -> list[Delivery]:
        """Sends the alerts that wait, also those that were kept for a later time.

        Args:
            channels: all configured channels.
            report: address of a report, for digests.
            now: Unix seconds; None takes those of the clock.
        """
        with self._store.guarded() as connection:
            outbox = Outbox(connection)
            outbox.hurry(_moment(now))
            return outbox.deliver(channels, _moment(now), report=report)

    def alerts_waiting(self) -> WaitingAlerts:
        """The number of alerts that wait to be sent, and when the next of them may be tried."""
        with self._store.guarded() as connection:
            return Outbox(connection).waiting()

    # ------------------------------------------------------------ reading

    def snapshot(self) -> AbstractContextManager[None]:
        """A context in which all reads see the same moment: all changes of another run, or none."""
        return self._store.snapshot()

    def campaigns(self, *, everything: bool = False, now: int | None = None) -> list[KnownCampaign]:
        """The campaigns that the state knows.

        Args:
            everything: whether to include campaigns that were merged into another.
            now: Unix seconds, for verdicts that expire; None takes those of the clock.
        """
        with self._store.snapshot():
            return known_campaigns(self._store, now=_moment(now), everything=everything)

    def named(self, campaign: str) -> str:
        """The id of a campaign.

        Args:
            campaign: the id, or the beginning of one that no other campaign has.

        Raises:
            UsageError: no campaign has such an id, or several have.
        """
        check_utf8(campaign=campaign)
        known = [row["campaign"] for row in self._store.rows("SELECT campaign FROM campaigns")]
        return named_campaign(campaign, known, where="the state", hint="harvestdetect campaigns lists them")

    def history(self, campaign: str) -> list[Day]:
        """Harvest prompts of a campaign by day."""
        return history(self._store, campaign)

    def members(self, campaign: str) -> list[str]:
        """All accounts that were members of a campaign in any run."""
        rows = self._store.rows("SELECT account FROM members WHERE campaign = ? ORDER BY account", campaign)
        return [row["account"] for row in rows]

    def templates(self, campaign: str) -> list[tuple[str | None, ...]]:
        """The templates of a campaign in any run: runs of fixed words, where None is a slot."""
        rows = self._store.rows("SELECT words FROM signatures WHERE campaign = ? ORDER BY signature", campaign)
        return [tuple(json.loads(row["words"])) for row in rows]

    def events(self, campaign: str | None = None) -> list[Event]:
        """The events of one campaign, or of all, the oldest first.

        A split or merge is an event of the campaign that was split off or merged. Among the events of one campaign, it
        is there for the other side too.
        """
        found = []
        for row in self._store.rows("SELECT * FROM events ORDER BY event"):
            event = Event(
                at=row["at"], run=row["run"], campaign_id=row["campaign"], what=row["what"], detail=row["detail"]
            )
            if campaign in (None, event.campaign_id):
                found.append(event)
            elif event.what in _OTHER_SIDE and event.detail == campaign:
                what = _OTHER_SIDE[event.what]
                found.append(replace(event, campaign_id=campaign, what=what, detail=event.campaign_id or ""))
        return found

    def runs(self) -> list[PastRun]:
        """All runs, the newest first."""
        return past_runs(self._store)

    def campaign_runs(self, campaign: str | None = None, *, run: int | None = None) -> list[CampaignRun]:
        """What runs found, by run and campaign.

        Args:
            campaign: only this campaign.
            run: only this run.
        """
        return campaign_runs(self._store, campaign=campaign, run=run)

    def version(self) -> int:
        """A number that is another one after every change that another process makes. It counts for this object only.

        Raises:
            StateError: the database cannot be read now.
        """
        with self._store.guarded() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    # ------------------------------------------------------------ verdicts

    def queue(self, *, now: int | None = None) -> list[Waiting]:
        """The campaigns that wait for a verdict, see :func:`harvestdetect.state.queue.waiting`.

        Args:
            now: Unix seconds, for verdicts that expire; None takes those of the clock.
        """
        with self._store.snapshot():
            return waiting(self._store, now=_moment(now))

    def review(
        self, campaign: str, verdict: VerdictName, *, note: str = "", reviewer: str, expires: str | int | None = None,
        now: int | None = None,
    ) -> Verdict:  # fmt: skip
        """Gives a verdict on a campaign, see :func:`harvestdetect.state.verdicts.review`.

        Args:
            campaign: id of the campaign.
            verdict: what it is.
            note: reason for the verdict.
            reviewer: name of the reviewer.
            expires: time until the verdict expires, as a period or in seconds; None for never.
            now: Unix seconds; None takes those of the clock.
        """
        moment = _moment(now)
        seconds = parse_period(expires) if isinstance(expires, str) else expires
        until = None if seconds is None else moment + seconds
        return review(self._store, campaign, verdict, note=note, reviewer=reviewer, now=moment, expires=until)

    def undo(self, campaign: str, *, reviewer: str, now: int | None = None) -> Verdict:
        """Undoes the last verdict on a campaign."""
        return undo(self._store, campaign, reviewer=reviewer, now=_moment(now))

    def verdicts(self, campaign: str | None = None) -> list[Verdict]:
        """All verdicts on a campaign, or on all campaigns, including undone and expired ones."""
        return verdicts(self._store, campaign=campaign)

    def clear(self, campaign: str, account: str, *, note: str = "", reviewer: str, now: int | None = None) -> Clearing:
        """Clears a member of a campaign, see :func:`harvestdetect.state.clearing.clear`."""
        return clear(self._store, campaign, account, note=note, reviewer=reviewer, now=_moment(now))

    def unclear(self, campaign: str, account: str, *, reviewer: str, now: int | None = None) -> Clearing:
        """Takes back that an account was cleared."""
        return unclear(self._store, campaign, account, reviewer=reviewer, now=_moment(now))

    def cleared(self) -> Mapping[str, Mapping[str, Clearing]]:
        """Campaign -> account -> the clearing in force."""
        return standing_clearings(self._store)

    def precision(self) -> list[Precision]:
        """Verdicts on the findings of each tier, by kind."""
        return precision(self._store)

    # ------------------------------------------------------------ upkeep

    def collect(self, *, settings: Settings | None = None) -> Freed:
        """Removes files that no later run needs."""
        return collect(self._store, shards_of(self._store, settings or self._made_with()))

    def verify(self, *, settings: Settings | None = None) -> list[str]:
        """What is wrong with the state, a sentence each."""
        return verify(self._store, shards_of(self._store, settings or self._made_with()))

    def left_out(self) -> list[str]:
        """Files that were read and are not in the window, and why, a sentence each, the last to leave first."""
        return left_out(self._store)

    def forget(
        self,
        account: str,
        *,
        outs: Sequence[str | Path] = (),
        works: Sequence[str | Path] = (),
        settings: Settings | None = None,
    ) -> Forgotten:
        """Erases an account everywhere in the state, and checks that nothing is left.

        See :func:`harvestdetect.state.erase.forget`.

        Args:
            account: id of the account.
            outs: folders with results of scans, from which to erase it too.
            works: work folders, from which to erase it too.
            settings: of the scans; None takes those that the state records.

        Raises:
            ErasureError: something of it is left; calling again erases the rest.
            UsageError: the id is not UTF-8, or a folder has no results.
            CacheError, InputError, OutputError, StateError: something cannot be read or written.
        """
        shards = shards_of(self._store, settings or self._made_with())
        return forget(
            self._store, shards, account, outs=[Path(out) for out in outs], works=[Path(work) for work in works]
        )

    def _made_with(self) -> Settings:
        """Settings with which the prepared files can be read."""
        return Settings(use_registry=False, **(cutting_of(self._store) or {}))  # type: ignore[arg-type]


def open_state(folder: str | Path, *, write: bool = False, make: bool = True, group: bool | None = None) -> State:
    """Opens a state.

    Args:
        folder: folder of the state.
        write: whether to take its lock, for scans, verdicts and maintenance.
        make: whether to make a new state if there is none; only with ``write``.
        group: whether its group may read and write it (modes 0660 and 0770); None keeps its modes. Only the user may
            read a new state. It has an effect only with ``write``.

    Raises:
        LockedError: another process has the lock.
        StateError: there is no state, or it is damaged, or of a newer version.
    """
    return State(open_store(Path(folder), write=write, make=make, group=group))


def _moment(now: int | None) -> int:
    return int(time.time()) if now is None else now
