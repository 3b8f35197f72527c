"""A state: what scheduled scans remember, so that a campaign keeps its id and nothing is told twice.

::

    from harvestdetect import Settings
    from harvestdetect.state import open_state

    with open_state("state", write=True) as state:
        run = state.scan(["dumps/2026-11-24.jsonl.gz"], settings=Settings(encoder="fast"), window="45d")
        for campaign in state.campaigns():
            print(campaign.campaign_id, campaign.status, campaign.tier, campaign.accounts)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harvestdetect.alerts import Channel, Delivery
from harvestdetect.context import Progress
from harvestdetect.data import Detection
from harvestdetect.dump import Dumps, read_dumps
from harvestdetect.ops.schedule import parse_period
from harvestdetect.settings import Settings
from harvestdetect.state.campaigns import Change, Day, KnownCampaign, history, known_campaigns
from harvestdetect.state.erase import Forgotten, forget
from harvestdetect.state.rebuild import Rebuilt, rebuild
from harvestdetect.state.run import Run, cutting_of, scan_into, shards_of
from harvestdetect.state.store import Store, check_utf8, open_store
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

__all__ = [
    "Change",
    "Day",
    "Delivery",
    "Event",
    "Forgotten",
    "Freed",
    "KnownCampaign",
    "Precision",
    "Rebuilt",
    "Run",
    "State",
    "Verdict",
    "open_state",
    "rebuild",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was noted of a campaign."""

    at: int
    """Unix seconds."""
    run: int | None
    campaign_id: str | None
    what: str
    """``new``, ``split``, ``merged``, ``tier``, ``status`` or ``verdict``."""
    detail: str


class State:
    """An open state; its own context manager. See :func:`open_state`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def folder(self) -> Path:
        return self._store.folder

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes it, and gives the lock back."""
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
    ) -> Run:
        """Scans dumps into the state, see :func:`harvestdetect.state.run.scan_into`.

        Args:
            sources: files, globs or folders, or what :func:`harvestdetect.read_dumps` gave.
            settings: None takes the defaults.
            window: a period such as ``45d``, or seconds.
            now: Unix seconds; None: the clock's.
            trust_clock: believe it, whatever the state and the prompts say.
            progress: opens progress bars.
            notes: told what was decided on the way.
            channels: where alerts go.
            write: gets the detection before the state takes it.
            baseline: what the first run finds is known from then on, and no alert is sent of it.

        Raises:
            ClockError: the clock is before the last run, or far from the prompts.
        """
        settings = settings or Settings()
        seconds = parse_period(window) if isinstance(window, str) else window
        dumps = sources if isinstance(sources, Dumps) else read_dumps(list(sources), settings=settings)
        with closing(dumps):
            return scan_into(
                self._store, dumps, settings=settings, window=seconds, now=now, trust_clock=trust_clock,
                progress=progress, notes=notes, channels=channels, write=write, baseline=baseline,
            )  # fmt: skip

    # ------------------------------------------------------------ reading

    def snapshot(self) -> AbstractContextManager[None]:
        """What is read inside is of one moment: a run of another process is seen as a whole or not at all."""
        return self._store.snapshot()

    def campaigns(self, *, everything: bool = False, now: int | None = None) -> list[KnownCampaign]:
        """Its campaigns; ``everything``: also those that became part of another."""
        with self._store.snapshot():
            return known_campaigns(self._store, now=_moment(now), everything=everything)

    def named(self, campaign: str) -> str:
        """The id of a campaign, given by it or by the beginning of it that no other campaign has.

        Raises:
            UsageError: the state knows no such campaign, or several.
        """
        check_utf8(campaign=campaign)
        known = [row["campaign"] for row in self._store.rows("SELECT campaign FROM campaigns")]
        return named_campaign(campaign, known, where="the state", hint="harvestdetect campaigns lists them")

    def history(self, campaign: str) -> list[Day]:
        """Harvest prompts of a campaign by day."""
        return history(self._store, campaign)

    def members(self, campaign: str) -> list[str]:
        """All accounts that were told as a campaign's, in any run."""
        rows = self._store.rows("SELECT account FROM members WHERE campaign = ? ORDER BY account", campaign)
        return [row["account"] for row in rows]

    def events(self, campaign: str | None = None) -> list[Event]:
        """What was noted, the oldest first: of one campaign, or of all."""
        return [
            Event(at=row["at"], run=row["run"], campaign_id=row["campaign"], what=row["what"], detail=row["detail"])
            for row in self._store.rows("SELECT * FROM events ORDER BY event")
            if campaign in (None, row["campaign"])
        ]

    # ------------------------------------------------------------ verdicts

    def review(
        self, campaign: str, verdict: VerdictName, *, note: str = "", reviewer: str, expires: str | int | None = None,
        now: int | None = None,
    ) -> Verdict:  # fmt: skip
        """Says what a campaign is, see :func:`harvestdetect.state.verdicts.review`; ``expires``: period or seconds."""
        moment = _moment(now)
        seconds = parse_period(expires) if isinstance(expires, str) else expires
        until = None if seconds is None else moment + seconds
        return review(self._store, campaign, verdict, note=note, reviewer=reviewer, now=moment, expires=until)

    def undo(self, campaign: str, *, reviewer: str, now: int | None = None) -> Verdict:
        """Takes back the last verdict that stands on a campaign."""
        return undo(self._store, campaign, reviewer=reviewer, now=_moment(now))

    def verdicts(self, campaign: str | None = None) -> list[Verdict]:
        """All verdicts that were ever given."""
        return verdicts(self._store, campaign=campaign)

    def precision(self) -> list[Precision]:
        """How many findings of each tier were right, by the verdicts."""
        return precision(self._store)

    # ------------------------------------------------------------ upkeep

    def collect(self, *, settings: Settings | None = None) -> Freed:
        """Removes what no run will need."""
        return collect(self._store, shards_of(self._store, settings or self._made_with()))

    def verify(self, *, settings: Settings | None = None) -> list[str]:
        """What is wrong with it, a sentence each."""
        return verify(self._store, shards_of(self._store, settings or self._made_with()))

    def left_out(self) -> list[str]:
        """Which files it read that are not in the window, and why, a sentence each, the last to leave first."""
        return left_out(self._store)

    def forget(
        self,
        account: str,
        *,
        outs: Sequence[str | Path] = (),
        works: Sequence[str | Path] = (),
        settings: Settings | None = None,
    ) -> Forgotten:
        """Erases an account everywhere in it, and proves it; see :func:`harvestdetect.state.erase.forget`.

        Args:
            account: its id.
            outs: folders with results of scans, to erase it from them too.
            works: likewise work folders.
            settings: of the scans; None: as the state was made.

        Raises:
            ErasureError: something of it remains; doing it again does the rest.
            UsageError: the id is not UTF-8, or a folder has no results.
            CacheError, InputError, OutputError, StateError: something cannot be read or written.
        """
        shards = shards_of(self._store, settings or self._made_with())
        return forget(
            self._store, shards, account, outs=[Path(out) for out in outs], works=[Path(work) for work in works]
        )

    def _made_with(self) -> Settings:
        return Settings(use_registry=False, **(cutting_of(self._store) or {}))  # type: ignore[arg-type]


def open_state(folder: str | Path, *, write: bool = False, make: bool = True, group: bool | None = None) -> State:
    """Opens a state.

    Args:
        folder: of the state.
        write: take its lock, to scan, judge, or look after it.
        make: make a new one where there is none, if it is to be written.
        group: True shares it with the group of its files (modes 0660 and 0770), False takes that back, None leaves it
            as it was; at first only its user may read it. It is of use with ``write``.

    Raises:
        LockedError: another process has the lock.
        StateError: there is no state, or it is damaged, or of a newer version.
    """
    return State(open_store(Path(folder), write=write, make=make, group=group))


def _moment(now: int | None) -> int:
    return int(time.time()) if now is None else now
