"""A scan into a state: reads new files, drops files that left the window, and judges the whole window."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from harvestdetect.alerts import Channel, Delivery, Outbox, WaitingAlerts, report_link
from harvestdetect.context import Progress
from harvestdetect.corpus.shards import ShardFolder, Window
from harvestdetect.data import Detection
from harvestdetect.detection import detect
from harvestdetect.dump import Dumps
from harvestdetect.engines.choose import open_engine
from harvestdetect.errors import CacheError, StateError, UnreadableError, UsageError
from harvestdetect.report.format import plural
from harvestdetect.settings import Settings
from harvestdetect.signatures.matching import Shared
from harvestdetect.stages.reading import MAX_REJECTS_KEPT
from harvestdetect.state.campaign_alerts import alerts_of
from harvestdetect.state.clock import AHEAD_OF_NOW, check_clock, guard_of, time_of_adding
from harvestdetect.state.cutting import check_pseudonyms, shards_of
from harvestdetect.state.ingest import Ingested, Moment, ingest, kept_files, look_again, read_until
from harvestdetect.state.known_campaigns import signatures_of
from harvestdetect.state.operations_alerts import missing_files, no_failure, run_info, send_failure, send_given_up
from harvestdetect.state.preambles import keep_preambles, kept_preambles
from harvestdetect.state.prepared import (
    check_leaving,
    find_lost,
    lost_files,
    missing_sentence,
    recover_lost,
    remove_left,
)
from harvestdetect.state.reconcile import Change, Reconciled, reconcile
from harvestdetect.state.record_campaigns import record_campaigns
from harvestdetect.state.store import Store
from harvestdetect.state.unreported import mark_reported
from harvestdetect.store.models import remove_indexes
from harvestdetect.util.disk import SpareFolder

__all__ = ["Run", "RunOptions", "scan_into"]

MAX_ERROR: Final = 500
"""Longest error message that the database keeps of a failed run, in characters."""
_ATTEMPTS: Final = 3
"""Detections of one run: it starts again if a prepared file turns out to be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run a scan into a state."""

    window: int
    """Length of the window in seconds. It ends at the newest prompt."""
    now: int = field(default_factory=lambda: int(time.time()))
    """Unix seconds."""
    trust_clock: bool = False
    """Whether to believe the clock whatever the state and the prompts say."""
    baseline: bool = False
    """Whether to record campaigns without sending alerts on them; only for the first run of a state."""
    channels: Sequence[Channel] = ()
    """All configured channels."""
    progress: Progress | None = None
    """Opens progress bars."""
    notes: Callable[[str], None] | None = None
    """Takes sentences about decisions of the run."""
    write: Callable[[Detection], object] | None = None
    """Gets the detection before the state takes it. If it fails, the state does not change."""
    shared: Shared | None = None
    """Signatures of other providers that the window is compared with."""
    unsent: Callable[[str], object] | None = None
    """Takes a sentence about each alert on a failure that was not sent; None gives them to ``notes``."""
    confirms: bool = False
    """Whether the caller says with :meth:`harvestdetect.state.State.reported` that it has reported the run. Until
    then, the next run counts the same new files, rows and rejects again. False: a finished run is a reported one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run did."""

    number: int
    """Number of the run in the state, from 1."""
    detection: Detection
    """What was found, under the ids of the state."""
    changes: tuple[Change, ...]
    """One for each campaign that the state knows."""
    new_files: int
    """Files that were read for the first time."""
    known_files: int
    """Files that the state already had."""
    new_rows: int
    """Rows of new files that gave a prompt."""
    rejects: int
    """Rows of new files that were rejected."""
    cut_files: Mapping[str, str]
    """Name of each new file that is cut off or cannot be read -> why."""
    window_start: int | None
    """Unix seconds; None if no prompt has a time."""
    window_end: int | None
    """Unix seconds; None if no prompt has a time."""
    deliveries: tuple[Delivery, ...]
    """Alerts that were sent, kept or given up."""
    pending: int
    """Alerts that wait for a later run."""
    next_try: float | None
    """Unix seconds before which no run tries any of them; None if none waits."""
    baseline: int | None
    """Campaigns that were recorded without an alert; None without ``baseline``."""
    missing_files: tuple[str, ...] = ()
    """Names of lost files of the window; the findings are without them."""

    @property
    def window_complete(self) -> bool:
        """Whether no file of the window was lost."""
        return not self.missing_files


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A run that has begun: it has a number, and may read files."""

    store: Store
    shards: ShardFolder
    settings: Settings
    options: RunOptions
    number: int
    moment: Moment
    doubted: bool
    """Whether the clock is in doubt until the files have been read."""
    note: Callable[[str], None]
    """Takes sentences about decisions of the run, for the user and for ``run.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What a run read and found, recorded in the state."""

    read: Ingested
    found: Reconciled
    window: tuple[int | None, int | None]
    missing: tuple[str, ...]
    recorded: int
    """Campaigns that a baseline recorded without an alert."""


def scan_into(store: Store, dumps: Dumps, *, settings: Settings, options: RunOptions) -> Run:
    """Scans dumps into a state.

    The state keeps each file as soon as it is read. It takes the findings, and the alerts to send, in one step at the
    end. So a run that is stopped loses nothing, and the next run does its work.

    Args:
        store: open for writing.
        dumps: the newest files. Files that the state already has are skipped.
        settings: of the scan. ``work`` is ignored, because the folder of the state takes its place.
        options: how to run it.

    Raises:
        UsageError: ``baseline`` is set, but the state has a finished run.
        SettingsError: the state was made with other settings, see :mod:`harvestdetect.state.cutting`.
        ClockError: the clock is before the last run, or far from the prompts; see :mod:`harvestdetect.state.clock`.
        StateError: the state cannot be read or written.
    """
    if not store.writable:
        raise StateError("the state is open for reading only; open it with write=True")
    sentences: list[str] = []

    def note(sentence: str) -> None:
        sentences.append(sentence)
        if options.notes is not None:
            options.notes(sentence)

    _check_baseline(store, options)
    unsent, clock = options.unsent or note, time.monotonic()
    try:
        begun = _begin(store, settings, options, note)
    except Exception as error:
        send_failure(store, error, options.channels, number=None, now=options.now, notes=unsent)
        raise
    try:
        judged = _judge(begun, dumps, sentences)
    except BaseException as error:
        with suppress(StateError), store.transaction() as connection:
            # The message may have a file name, which need not be UTF-8.
            message = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()[:MAX_ERROR]
            connection.execute("UPDATE runs SET error = ? WHERE run = ?", (message, begun.number))
        seconds = time.monotonic() - clock
        send_failure(
            store, error, options.channels, number=begun.number, now=options.now, notes=unsent, seconds=seconds
        )
        raise
    deliveries, waiting = _deliver(begun, seconds=time.monotonic() - clock)
    read, (start, end) = judged.read, judged.window
    return Run(
        number=begun.number, detection=judged.found.detection, changes=judged.found.changes, new_files=len(read.new),
        known_files=len(read.known), new_rows=read.rows, rejects=read.reject_count,
        cut_files=read.whole.cut, window_start=start, window_end=end, deliveries=deliveries, pending=waiting.count,
        next_try=waiting.next_try,
        baseline=judged.recorded if options.baseline else None, missing_files=judged.missing,
    )  # fmt: skip


def _check_baseline(store: Store, options: RunOptions) -> None:
    """Refuses a baseline after the first run. This is a wrong option, about which no alert is sent."""
    if options.baseline and store.rows("SELECT 1 FROM runs WHERE finished IS NOT NULL LIMIT 1"):
        raise UsageError(
            f"--baseline is for the first run, but {store.folder} has finished runs, whose alerts were or will be "
            "sent; leave --baseline out"
        )


def _begin(store: Store, settings: Settings, options: RunOptions, note: Callable[[str], None]) -> _Begun:
    """Checks what can be checked before files are read, and records the run in the state."""
    now, window = options.now, options.window
    if not options.trust_clock:
        check_clock(store, now)
    check_pseudonyms(store, settings)
    shards = shards_of(store, settings)
    guard = None if options.trust_clock else guard_of(store, now=now, window=window)
    doubted = guard is not None and guard.jumped
    if not doubted:
        look_again(store, shards, now)
    moment = Moment(
        now=now, window=window, since=_window_start(store, window), added=time_of_adding(store, now), guard=guard
    )
    with store.transaction() as connection:
        connection.execute("UPDATE runs SET error = 'stopped' WHERE finished IS NULL AND error IS NULL")
        number = connection.execute(
            "INSERT INTO runs (started, settings) VALUES (?, ?)", (now, json.dumps(settings.to_dict(), default=str))
        ).lastrowid
    assert number is not None
    return _Begun(
        store=store, shards=shards, settings=settings, options=options, number=number, moment=moment, doubted=doubted,
        note=note,
    )  # fmt: skip


def _judge(run: _Begun, dumps: Dumps, sentences: Sequence[str]) -> _Judged:
    """Reads the dumps, judges the window, writes the results, and records them in the state.

    Args:
        run: the run.
        dumps: the newest files.
        sentences: what the run has noted, a list that grows.
    """
    store, shards, now, window = run.store, run.shards, run.options.now, run.options.window
    recover_lost(store, shards, run.note)
    dumps.go_on_from(partial(read_until, store))
    read = _ingest(run, dumps, run.moment, run.note, first=True)
    if run.doubted:
        look_again(store, shards, now)
    start = _window_start(store, window)
    _remove_left(store, shards, start, now - window, now)
    detection, lost = _detect(run, start)
    if lost & read.known_digests:  # lost files are among the dumps that were skipped: read them now
        read.add(_ingest(run, dumps, replace(run.moment, since=start), lambda sentence: None, first=False))
        detection, _ = _detect(run, start)
    missing = lost_files(store)
    found = reconcile(store, _with_reading(detection, read, sentences, missing), now=now)
    for sentence in found.notes:
        run.note(sentence)
    if run.options.write is not None:
        run.options.write(found.detection)
    bounds = (start, None if start is None else start + window)
    recorded = _record(run, found, bounds, missing)
    return _Judged(read=read, found=found, window=bounds, missing=missing, recorded=recorded)


# ---------------------------------------------------------------- files


def _ingest(run: _Begun, dumps: Dumps, moment: Moment, note: Callable[[str], None], *, first: bool) -> Ingested:
    folder = SpareFolder(run.store.folder, what="state")
    with closing(open_engine(run.settings, scratch=folder)) as engine:
        read = ingest(
            dumps, run.store, run.shards, engine=engine, moment=moment, at_most=MAX_REJECTS_KEPT, tell=note,
            first=first,
        )  # fmt: skip
    if read.earlier:
        note(
            f"the figures of this run include {plural(read.earlier, 'file')} that earlier runs read and did not report"
        )
    return read


def _window_start(store: Store, window: int) -> int | None:
    """Unix seconds at which the window starts; None if no prompt has a time."""
    last = store.rows("SELECT max(last_time) AS last FROM files")[0]["last"]
    return None if last is None else last - window


def _remove_left(store: Store, shards: ShardFolder, since: int | None, added: int, now: int) -> None:
    """Removes files without prompts in the window.

    A file without times leaves when it was added before the window. A file with times that are ahead of the clock may
    be right, so it stays until these times are before the window, or the file was there for the length of a window.

    Args:
        store: the state.
        shards: its prepared files.
        since: Unix seconds at which the window starts.
        added: Unix seconds before which a file without times must have been added to leave.
        now: Unix seconds.
    """
    rows = store.rows(
        "SELECT sha256, name FROM files WHERE max(coalesce(last_time, latest_time), coalesce(latest_time, last_time))"
        " < ? OR ((last_time IS NULL OR last_time < ?) AND added < ?)",
        since, since, added,
    )  # fmt: skip
    if not rows:
        return
    check_leaving(store, shards, [row["sha256"] for row in rows])
    with store.transaction() as connection:
        for row in rows:
            connection.execute(
                "INSERT OR REPLACE INTO past_files (sha256, name, last_time, latest_time, added, left_at)"
                " SELECT sha256, name, last_time, latest_time, added, ? FROM files WHERE sha256 = ?",
                (now, row["sha256"]),
            )
            connection.execute("DELETE FROM files WHERE sha256 = ?", (row["sha256"],))
    remove_indexes(store.folder)  # they have the texts of these files
    for row in rows:
        remove_left(store, shards, row["name"], row["sha256"])


# ---------------------------------------------------------------- detection


def _detect(run: _Begun, since: int | None) -> tuple[Detection, set[str]]:
    """The detection of the window without files that turned out to be lost, and the SHA-256 of these."""
    store, now = run.store, run.options.now
    # The end of a window that is ahead of the clock is of a run whose clock was wrong.
    end = store.rows(
        "SELECT max(window_end) AS until FROM runs WHERE finished IS NOT NULL AND window_end <= ?", now + AHEAD_OF_NOW
    )[0]["until"]
    lost: set[str] = set()
    for attempt in range(_ATTEMPTS):
        window = Window(shards=run.shards, files=tuple(kept_files(store)), since=since, preambles=kept_preambles(store))
        try:
            found = detect(
                window, settings=run.settings.replace(work=store.folder), progress=run.options.progress,
                notes=run.note, signatures=signatures_of(store, now=now), new_since=end, shared=run.options.shared,
            )  # fmt: skip
        except UnreadableError:
            raise
        except CacheError:
            more = find_lost(store, run.shards, run.note)
            if not more or attempt + 1 == _ATTEMPTS:
                raise
            lost |= more
        else:
            return found, lost
    raise AssertionError


def _with_reading(
    detection: Detection, read: Ingested, sentences: Sequence[str], missing: tuple[str, ...]
) -> Detection:
    """The detection with the rejects of this run, in place of those of all files of the window, and with its notes."""
    first = [missing_sentence(missing)] if missing else []
    notes = (*first, *[s for s in sentences if s not in detection.notes], *detection.notes)
    of_window = {name: n for name, n in detection.counts.items() if name not in ("cut_files", "empty_files")}
    counts = {
        **of_window, **read.whole.counts(), "rejects": read.reject_count, "new_files": len(read.new),
        "new_rows": read.rows, "read_rows": read.read_rows, "missing_files": len(missing),
    }  # fmt: skip
    return replace(detection, rejects=tuple(read.rejects), counts=counts, notes=notes)


# ---------------------------------------------------------------- the end of a run


def _record(run: _Begun, found: Reconciled, window: tuple[int | None, int | None], missing: tuple[str, ...]) -> int:
    """Records what a run found in one transaction, so that a reader sees the state before it or after it.

    Args:
        run: the run.
        found: findings and changes.
        window: Unix seconds of its start and end.
        missing: names of the lost files of the window.

    Returns:
        The number of campaigns that a baseline recorded without an alert.
    """
    number, options = run.number, run.options
    with run.store.transaction() as connection:
        record_campaigns(run.store, found, run=number, now=options.now)
        counts = found.detection.counts
        if run.settings.find_preambles:
            keep_preambles(connection, found.detection.preambles)
        connection.execute(
            "UPDATE runs SET finished = ?, window_start = ?, window_end = ?, counts = ?, window_complete = ?"
            " WHERE run = ?",
            (options.now, *window, json.dumps(dict(counts)), not missing, number),
        )
        if not options.confirms:
            mark_reported(connection)
        if not options.channels:
            return 0
        outbox = Outbox(connection)
        conditions = [no_failure(counts["prompts"]), missing_files(missing)]
        info = run_info(run.store, number, options.now, run.settings)
        outbox.enqueue_conditions(str(number), conditions, options.channels, info=info)
        alerts = alerts_of(run.store, found, run=number, now=options.now, report_url=run.settings.report_url)
        if options.baseline:
            return outbox.enqueue_baseline(alerts, options.channels, options.now)
        outbox.enqueue(number, alerts, options.channels, now=options.now)
    return 0


def _deliver(run: _Begun, *, seconds: float) -> tuple[tuple[Delivery, ...], WaitingAlerts]:
    """Sends the alerts that are due; returns the result of each, and the alerts that wait for a later run.

    Args:
        run: that is recorded.
        seconds: since the run began. An alert is due by the time at which it is sent.
    """
    channels, number, now = run.options.channels, run.number, run.options.now
    if not channels:
        return (), WaitingAlerts()
    report = report_link(run.settings.report_url, run=str(number), started=now)
    with run.store.guarded() as connection:
        outbox = Outbox(connection)
        done = outbox.deliver(channels, now=now + seconds, report=report)
        done += send_given_up(run.store, done, channels, number=number, now=now, settings=run.settings)
        return tuple(done), outbox.waiting()
