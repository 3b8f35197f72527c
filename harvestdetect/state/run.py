"""A scan into a state: what is new is read, what left the window goes, the whole window is judged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Final

from harvestdetect.alerts import Alert, Channel, Delivery, Kind, Outbox
from harvestdetect.data import Detection
from harvestdetect.dump import Dumps
from harvestdetect.errors import CacheError, SettingsError, StateError, UnreadableError
from harvestdetect.machine import processes
from harvestdetect.pipeline import MAX_REJECTS_KEPT, Progress, detect
from harvestdetect.registry import load_registry
from harvestdetect.segments import Cutting
from harvestdetect.settings import Settings
from harvestdetect.shards import ShardFolder, Window, opened
from harvestdetect.state.campaigns import Change, Merged, merge, record, signatures_of
from harvestdetect.state.clock import AHEAD_OF_NOW, check_clock, guard_of, time_of_adding
from harvestdetect.state.ingest import Ingested, Moment, ingest, kept_files, look_again
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
    window_start: int | None
    """Unix seconds; None where no prompt has a time."""
    window_end: int | None
    deliveries: tuple[Delivery, ...]
    """Alerts that were sent, or failed."""
    pending: int
    """Alerts that wait for the next run."""
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

    Raises:
        SettingsError: the state was made with other settings of :data:`CUTTING`.
        ClockError: the clock is before the last run, or far from the prompts; see :mod:`harvestdetect.state.clock`.
        StateError: the state cannot be read or written.
    """
    if not store.writable:
        raise StateError("the state was opened for reading only")
    moment = int(time.time()) if now is None else now
    if not trust_clock:
        check_clock(store, moment)
    told: list[str] = []

    def note(sentence: str) -> None:
        told.append(sentence)
        if notes is not None:
            notes(sentence)

    shards = shards_of(store, settings)
    guard = None if trust_clock else guard_of(store, now=moment, window=window)
    doubted = guard is not None and guard.jumped
    if not doubted:
        look_again(store, shards, moment)
    when = Moment(
        now=moment, window=window, since=_since(store, window), added=time_of_adding(store, moment), guard=guard
    )
    with store.transaction() as connection:
        connection.execute("UPDATE runs SET error = 'stopped' WHERE finished IS NULL AND error IS NULL")
        number = connection.execute(
            "INSERT INTO runs (started, settings) VALUES (?, ?)", (moment, json.dumps(settings.to_dict(), default=str))
        ).lastrowid
    assert number is not None
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
        _keep(store, merged, number, moment, (start, end), channels, complete=not missing)
    except BaseException as error:
        with suppress(StateError), store.transaction() as connection:
            # A name of a file in it need not be UTF-8.
            said = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()[:MAX_ERROR]
            connection.execute("UPDATE runs SET error = ? WHERE run = ?", (said, number))
        raise
    deliveries: tuple[Delivery, ...] = ()
    pending = 0
    if channels:
        with store.guarded() as connection:
            outbox = Outbox(connection)
            deliveries = tuple(outbox.deliver(channels, now=moment))
            pending = outbox.pending()
    return Run(
        number=number, detection=merged.detection, changes=merged.changes, new_files=len(read.new),
        known_files=len(read.known), new_rows=read.rows, window_start=start,
        window_end=end, deliveries=deliveries, pending=pending, missing_files=missing,
    )  # fmt: skip


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
        "missing_files": len(missing),
    }  # fmt: skip
    return replace(detection, rejects=tuple(read.rejects), counts=counts, notes=notes)


def _keep(
    store: Store,
    merged: Merged,
    number: int,
    now: int,
    window: tuple[int | None, int | None],
    channels: Sequence[Channel],
    *,
    complete: bool,
) -> None:
    """All that a run found, at once: a reader sees the state before it or after it."""
    with store.transaction() as connection:
        record(store, merged, run=number, now=now)
        connection.execute(
            "UPDATE runs SET finished = ?, window_start = ?, window_end = ?, counts = ?, window_complete = ?"
            " WHERE run = ?",
            (now, *window, json.dumps(dict(merged.detection.counts)), complete, number),
        )
        if channels:
            alerts = [_alert(change, number) for change in merged.changes if _is_told(change)]
            alerts += [_ended(old, new, number) for old, new in sorted(merged.merged.items())]
            Outbox(connection).enqueue(number, alerts, channels, now=now)


def _is_told(change: Change) -> bool:
    """Whether there is anything to say: not of what was quiet and stays so."""
    return change.status != "quiet" or change.previous_status not in ("quiet", None)


def _alert(change: Change, run: int) -> Alert:
    return Alert(
        campaign_id=change.campaign_id, kind=_kind(change), tier=change.tier, previous_tier=change.previous_tier,
        accounts=change.accounts, new_accounts=change.new_accounts, prompts=change.prompts,
        first_seen=change.first_seen, last_seen=change.last_seen, summary=change.summary, changes=_said(change),
        capability_targets=change.targets, excerpt=change.excerpt, run=str(run),
    )  # fmt: skip


def _ended(old: str, new: str, run: int) -> Alert:
    """What is told of a campaign that became part of another."""
    said = f"It became part of {new}."
    return Alert(
        campaign_id=old,
        kind="resolved",
        tier="watch",
        accounts=0,
        prompts=0,
        summary=said,
        changes=(said,),
        run=str(run),
    )


def _kind(change: Change) -> Kind:
    if change.suppressed or (change.status == "quiet" and change.previous_status is not None):
        return "resolved"
    if change.previous_status is None:
        return "new"
    if change.status == "back" and change.previous_status == "quiet":
        return "back"
    return "changed" if change.tier != change.previous_tier or change.grown else "standing"


def _said(change: Change) -> tuple[str, ...]:
    said = []
    if change.previous_tier is not None and change.tier != change.previous_tier:
        said.append(f"Its tier was {change.previous_tier} and is {change.tier}.")
    if change.previous_status is not None and change.new_accounts:
        said.append(f"Accounts that are new in it: {change.new_accounts:,}.")
    if change.status == "back":
        said.append("It had stopped, and sends again.")
    if change.suppressed:
        said.append("It was judged benign.")
    elif change.status == "quiet":
        said.append("It has sent nothing for days.")
    return tuple(said)
