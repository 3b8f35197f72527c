"""A scan into a state: what is new is read, what left the window goes, the whole window is judged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Final

from harvestdetect.alerts import Channel, Delivery, Outbox, report_link
from harvestdetect.context import Progress
from harvestdetect.corpus.registry import load_registry
from harvestdetect.corpus.segments import Cutting
from harvestdetect.corpus.shard_file import opened
from harvestdetect.corpus.shards import ShardFolder, Window
from harvestdetect.data import Detection
from harvestdetect.dump import Dumps
from harvestdetect.errors import CacheError, SettingsError, StateError, UnreadableError, UsageError
from harvestdetect.pipeline import detect
from harvestdetect.settings import Settings
from harvestdetect.stages import MAX_REJECTS_KEPT
from harvestdetect.state.alerting import alerts_of
from harvestdetect.state.campaigns import Change, Merged, merge, record, signatures_of
from harvestdetect.state.clock import AHEAD_OF_NOW, check_clock, guard_of, time_of_adding
from harvestdetect.state.ingest import Ingested, Moment, ingest, kept_files, look_again
from harvestdetect.state.operations import missing_files, no_failure, tell_failure, tell_given_up
from harvestdetect.state.prepared import (
    check_leaving,
    find_lost,
    lost_files,
    missing_sentence,
    recover_lost,
    remove_left,
)
from harvestdetect.state.rows import value_error
from harvestdetect.state.store import READ, Store, damaged, prepared_count
from harvestdetect.util.machine import processes

__all__ = ["CUTTING", "Run", "cutting_of", "scan_into", "shards_of"]

CUTTING: Final = ("segment_characters", "max_windows")
"""Settings that must be the same for all files of a state."""
MAX_ERROR: Final = 500
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run did."""

    number: int
    detection: Detection
    """Under the ids of the state."""
    changes: tuple[Change, ...]
    """Of every campaign that the state knows."""
    new_files: int
    known_files: int
    new_rows: int
    """Rows of new files that gave a prompt."""
    rejects: int
    """Rows of new files that gave none."""
    window_start: int | None
    """Unix seconds; None where no prompt has a time."""
    window_end: int | None
    deliveries: tuple[Delivery, ...]
    """Alerts that were sent, or failed."""
    pending: int
    """Alerts that wait for the next run."""
    baseline: int | None
    """Campaigns of which a channel would have been told but for ``baseline``; None where it was not asked for."""
    missing_files: tuple[str, ...] = ()
    """Names of the files of the window that were lost, so that the findings are without them."""

    @property
    def window_complete(self) -> bool:
        """Whether no file of the window was lost."""
        return not self.missing_files


def scan_into(
    store: Store,
    dumps: Dumps,
    *,
    settings: Settings,
    window: int,
    now: int | None = None,
    trust_clock: bool = False,
    progress: Progress | None = None,
    notes: Callable[[str], None] | None = None,
    channels: Sequence[Channel] = (),
    write: Callable[[Detection], object] | None = None,
    baseline: bool = False,
) -> Run:
    """Scans dumps into a state.

    What is read is kept at once; what is found is kept in one step at the end, and alerts with it. A run that is
    stopped loses nothing and is simply done again.

    Args:
        store: with its lock.
        dumps: the newest files; those that the state has are passed over.
        settings: ``work`` is the state's folder, whatever it says.
        window: seconds before the newest prompt that are judged.
        now: Unix seconds; None: the clock's.
        trust_clock: believe it, whatever the state and the prompts say.
        progress: opens progress bars.
        notes: told what was decided on the way.
        channels: where alerts go.
        write: gets the detection before the state takes it; if it fails, the state does not change.
        baseline: what is found is known from now on and no alert is sent of it; for the first run of a state.

    Raises:
        UsageError: ``baseline``, and a run has been finished before.
        SettingsError: the state was made with other settings of :data:`CUTTING`.
        ClockError: the clock is before the last run, or far from the prompts; see :mod:`harvestdetect.state.clock`.
        StateError: the state cannot be read or written.
    """
    if not store.writable:
        raise StateError("the state was opened for reading only")
    moment = int(time.time()) if now is None else now
    told: list[str] = []

    def note(sentence: str) -> None:
        told.append(sentence)
        if notes is not None:
            notes(sentence)

    try:
        begun = _begun(store, settings, window=window, now=moment, trust_clock=trust_clock, baseline=baseline)
    except Exception as error:
        tell_failure(store, error, channels, number=None, now=moment, tell=note)
        raise
    shards, when, doubted, number = begun.shards, begun.when, begun.doubted, begun.number
    try:
        recover_lost(store, shards, note)
        read = ingest(
            dumps, store, shards, workers=processes(settings.workers), moment=when, at_most=MAX_REJECTS_KEPT, tell=note
        )  # fmt: skip
        if doubted:
            look_again(store, shards, moment)
        start = _since(store, window)
        end = None if start is None else start + window
        _leave(store, shards, start, moment - window, moment)
        detection, lost = _judged(store, shards, start, settings, progress, note, moment)
        if lost & read.known_digests:  # files that were given and passed over: they are read now
            read.add(
                ingest(
                    dumps, store, shards, workers=processes(settings.workers), moment=replace(when, since=start),
                    at_most=MAX_REJECTS_KEPT, tell=lambda sentence: None,
                )
            )  # fmt: skip
            detection, _ = _judged(store, shards, start, settings, progress, note, moment)
        missing = lost_files(store)
        detection = _with_reading(detection, read, told, missing)
        merged = merge(store, detection, now=moment)
        if write is not None:
            write(merged.detection)
        known = _keep(store, merged, number, moment, (start, end), channels, settings, missing, baseline=baseline)
    except BaseException as error:
        with suppress(StateError), store.transaction() as connection:
            # A name of a file in it need not be UTF-8.
            said = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()[:MAX_ERROR]
            connection.execute("UPDATE runs SET error = ? WHERE run = ?", (said, number))
        tell_failure(store, error, channels, number=number, now=moment, tell=note)
        raise
    deliveries, pending = _delivered(store, channels, number, moment, settings)
    return Run(
        number=number, detection=merged.detection, changes=merged.changes, new_files=len(read.new),
        known_files=len(read.known), new_rows=read.rows, rejects=read.reject_count, window_start=start,
        window_end=end, deliveries=deliveries, pending=pending, baseline=known if baseline else None,
        missing_files=missing,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A run that may read files."""

    shards: ShardFolder
    when: Moment
    doubted: bool
    """Whether the clock is doubted until the files were read."""
    number: int


def _begun(store: Store, settings: Settings, *, window: int, now: int, trust_clock: bool, baseline: bool) -> _Begun:
    """Checks what can be checked before anything is read, and notes the run in the state."""
    if baseline and store.rows("SELECT 1 FROM runs WHERE finished IS NOT NULL LIMIT 1"):
        raise UsageError(
            f"a baseline is for the first run, and {store.folder} has finished runs: what they found was sent, or will "
            "be; leave --baseline out"
        )
    if not trust_clock:
        check_clock(store, now)
    shards = shards_of(store, settings)
    guard = None if trust_clock else guard_of(store, now=now, window=window)
    doubted = guard is not None and guard.jumped
    if not doubted:
        look_again(store, shards, now)
    when = Moment(now=now, window=window, since=_since(store, window), added=time_of_adding(store, now), guard=guard)
    with store.transaction() as connection:
        connection.execute("UPDATE runs SET error = 'stopped' WHERE finished IS NULL AND error IS NULL")
        number = connection.execute(
            "INSERT INTO runs (started, settings) VALUES (?, ?)", (now, json.dumps(settings.to_dict(), default=str))
        ).lastrowid
    assert number is not None
    return _Begun(shards=shards, when=when, doubted=doubted, number=number)


def shards_of(store: Store, settings: Settings) -> ShardFolder:
    """The files of a state, as they were prepared.

    Raises:
        SettingsError: they were cut otherwise than the settings say.
    """
    wanted = {name: getattr(settings, name) for name in CUTTING}
    held = cutting_of(store)
    if held is None and store.writable:
        with store.transaction() as connection:
            connection.execute("INSERT INTO meta VALUES ('cutting', ?)", (json.dumps(wanted),))
    elif held is not None and held != wanted:
        if (said := _cut(store)) and said != tuple(held.values()):
            raise damaged(store.folder, "meta.cutting is not what the prepared files were cut with")
        made = ", ".join(f"{name} = {value}" for name, value in held.items())
        raise SettingsError(f"the state in {store.folder} was made with {made}; use these, or start a new state")
    registry = load_registry(settings.registry) if settings.use_registry else None
    cutting = Cutting(registry=registry, **wanted)
    return ShardFolder(store.folder / READ, settings=settings, cutting=cutting, lasting=True, change=store.writable)


def cutting_of(store: Store) -> dict[str, int] | None:
    """The settings of :data:`CUTTING` that the files of a state were prepared with; None where it has none yet.

    Raises:
        DamagedStateError: what the database says of them is not what was written.
    """
    raw = store.meta("cutting")
    if raw is None:
        if prepared_count(store.folder):
            raise damaged(store.folder, "the database does not say how the prepared files were cut")
        return None
    if value_error(raw, dict[str, int]) is None:
        values = json.loads(raw)
        if values.keys() == set(CUTTING):
            found = {name: int(values[name]) for name in CUTTING}
            with suppress(SettingsError):
                Settings(use_registry=False, **found)  # type: ignore[arg-type]
                return found
    raise damaged(store.folder, "meta.cutting is not what was written")


def _cut(store: Store) -> tuple[int, int] | None:
    """What a prepared file says of how it was cut; None where none says it."""
    for path in sorted((store.folder / READ).glob("*.shard")):
        with suppress(OSError, ValueError, KeyError, TypeError), closing(opened(path)) as shard:
            return shard.cut
    return None


def _since(store: Store, window: int) -> int | None:
    """The beginning of the window; None where no prompt has a time."""
    last = store.rows("SELECT max(last_time) AS last FROM files")[0]["last"]
    return None if last is None else last - window


def _leave(store: Store, shards: ShardFolder, since: int | None, added: int, now: int) -> None:
    """Files of which nothing is in the window any more go; those without times when they were added before it.

    A file with times that the clock does not allow stays while these may turn out to be right: until they are before
    the window, or the file was there for the length of a window.
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
    for row in rows:
        remove_left(store, shards, row["name"], row["sha256"])


def _judged(
    store: Store,
    shards: ShardFolder,
    since: int | None,
    settings: Settings,
    progress: Progress | None,
    note: Callable[[str], None],
    now: int,
) -> tuple[Detection, set[str]]:
    """The detection of the window, and the SHA-256 of files that turned out to be lost; it is without these."""
    # An end that is ahead of the clock is that of a run whose clock was wrong.
    end = store.rows(
        "SELECT max(window_end) AS until FROM runs WHERE finished IS NOT NULL AND window_end <= ?", now + AHEAD_OF_NOW
    )[0]["until"]
    lost: set[str] = set()
    for attempt in range(_ATTEMPTS):
        window = Window(shards=shards, files=tuple(kept_files(store)), since=since)
        try:
            found = detect(
                window, settings=settings.replace(work=store.folder), progress=progress, notes=note,
                signatures=signatures_of(store, now=now), new_since=end,
            )  # fmt: skip
        except UnreadableError:
            raise
        except CacheError:
            more = find_lost(store, shards, note)
            if not more or attempt + 1 == _ATTEMPTS:
                raise
            lost |= more
        else:
            return found, lost
    raise AssertionError


def _with_reading(
    detection: Detection, read: Ingested, told: Sequence[str], missing: tuple[str, ...] = ()
) -> Detection:
    """The detection with what was rejected in this run rather than in all files of the window, and what is missing."""
    first = [missing_sentence(missing)] if missing else []
    notes = (*first, *[n for n in told if n not in detection.notes], *detection.notes)
    counts = {
        **detection.counts, "rejects": read.reject_count, "new_files": len(read.new), "new_rows": read.rows,
        "read_rows": read.read_rows, "missing_files": len(missing),
    }  # fmt: skip
    return replace(detection, rejects=tuple(read.rejects), counts=counts, notes=notes)


def _keep(
    store: Store,
    merged: Merged,
    number: int,
    now: int,
    window: tuple[int | None, int | None],
    channels: Sequence[Channel],
    settings: Settings,
    missing: tuple[str, ...],
    *,
    baseline: bool,
) -> int:
    """All that a run found, at once: a reader sees the state before it or after it.

    Returns:
        How many campaigns are known from now on without an alert.
    """
    with store.transaction() as connection:
        record(store, merged, run=number, now=now)
        connection.execute(
            "UPDATE runs SET finished = ?, window_start = ?, window_end = ?, counts = ?, window_complete = ?"
            " WHERE run = ?",
            (now, *window, json.dumps(dict(merged.detection.counts)), not missing, number),
        )
        if not channels:
            return 0
        outbox = Outbox(connection)
        outbox.enqueue_conditions(
            str(number), [no_failure(merged.detection.counts["prompts"]), missing_files(missing)], channels, now,
            folder=str(store.folder.absolute()), number=number,
            report=report_link(settings.report_url, run=str(number), started=now),
        )  # fmt: skip
        alerts = alerts_of(store, merged, run=number, now=now, report_url=settings.report_url)
        if baseline:
            return outbox.enqueue_baseline(alerts, channels, now)
        outbox.enqueue(number, alerts, channels, now=now)
    return 0


def _delivered(
    store: Store, channels: Sequence[Channel], number: int, now: int, settings: Settings
) -> tuple[tuple[Delivery, ...], int]:
    """Sends what is due: what became of it, and how many alerts wait for the next run."""
    if not channels:
        return (), 0
    report = report_link(settings.report_url, run=str(number), started=now)
    with store.guarded() as connection:
        outbox = Outbox(connection)
        done = outbox.deliver(channels, now=now, report=report)
        done += tell_given_up(store, done, channels, number=number, now=now, settings=settings)
        return tuple(done), outbox.pending()
