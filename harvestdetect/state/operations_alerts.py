"""Makes and sends the alerts on the runs themselves: a failure, an incomplete window, alerts given up.

Operations channels (``about = ["operations"]``) get an alert when such a condition begins and when it ends. The state
remembers them like alerts on campaigns. A run that fails records this and the files that it read, and none of its
findings. If the state itself cannot be used, the alert is sent at once and not remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from harvestdetect.alerts import Channel, Condition, Delivery, Outbox, RunInfo, Sent, report_link, send_conditions
from harvestdetect.errors import HarvestdetectError, LockedError, UsageError, was_interrupted
from harvestdetect.report.format import count, plural
from harvestdetect.settings import Settings
from harvestdetect.state.store import Store, open_store
from harvestdetect.util.escape import visible

__all__ = [
    "OUTCOMES",
    "failure",
    "given_up",
    "is_failure",
    "missing_files",
    "no_failure",
    "run_info",
    "send_failure",
    "send_given_up",
    "wants_operations",
]

OUTCOMES: Final = {"kept": "kept for a later run"}
"""Outcome of an alert -> what messages call it, where the two differ."""
_MOST_NAMED: Final = 10
"""Most files or alerts that a condition names."""
_MOST_CHARACTERS: Final = 500
"""Longest error message in a condition, in characters."""


def wants_operations(channels: Iterable[Channel]) -> bool:
    """Whether any channel gets alerts on the runs themselves."""
    return any("operations" in channel.about for channel in channels)


def is_failure(error: BaseException) -> bool:
    """Whether an error needs an alert. Ctrl-C, SIGTERM, a locked state and a wrong option do not."""
    wrong_option = type(error) is UsageError  # its subclasses are about settings, files and columns
    harmless = wrong_option or isinstance(error, LockedError) or was_interrupted(error)
    return isinstance(error, Exception) and not harmless


def failure(error: BaseException) -> Condition:
    """The condition that a run failed with an error."""
    known = isinstance(error, HarvestdetectError | OSError)
    message = str(error) if known else f"internal error: {type(error).__name__}: {error}"
    message = message.encode("utf-8", "backslashreplace").decode()[:_MOST_CHARACTERS]
    kept = "Nothing is lost: the next successful run reads the same files."
    return Condition(name="run-failed", standing=True, summary=f"The scan failed: {message}", details=(kept,))


def no_failure(prompts: int) -> Condition:
    """The condition ``run-failed`` after a run without an error. It persists if the window has no prompts."""
    if not prompts:
        return Condition(
            name="run-failed",
            standing=True,
            summary="The scan failed: no prompt could be read, and the window is empty.",
        )
    return Condition(name="run-failed", standing=False, summary="The last scan succeeded.")


def missing_files(names: Sequence[str]) -> Condition:
    """The condition that the state has lost files of the window. It has ended if there are none.

    Args:
        names: names of the files, as they were scanned.
    """
    if not names:
        return Condition(name="window-incomplete", standing=False, summary="The window of the state is complete.")
    named = tuple(visible(name) for name in names[:_MOST_NAMED])
    more = (f"and {count(len(names) - _MOST_NAMED)} more",) if len(names) > _MOST_NAMED else ()
    return Condition(
        name="window-incomplete",
        standing=True,
        summary=f"The state has lost {plural(len(names), 'file')} of the window, so the findings are incomplete. "
        "Scan the same files again to restore them.",
        details=(*named, *more),
    )


def given_up(deliveries: Iterable[Delivery]) -> Condition:
    """The condition that a run gave alerts up. It has ended if the run gave up none."""
    lost = [d for d in deliveries if d.outcome == "given up"]
    if not lost:
        return Condition(name="alerts-given-up", standing=False, summary="The last scan gave up no alerts.")
    details = [f"{d.channel}, {d.campaign_id}: {d.error}" for d in lost[:_MOST_NAMED]]
    return Condition(
        name="alerts-given-up",
        standing=True,
        summary=f"{plural(len(lost), 'alert')} could not be sent and {'was' if len(lost) == 1 else 'were'} given up.",
        details=tuple(details),
    )


def run_info(store: Store, number: int | None, now: int, settings: Settings | None = None) -> RunInfo:
    """What alerts say about a run.

    Args:
        store: the state.
        number: number of the run; None if it failed before it had one.
        now: Unix seconds at which the run started.
        settings: for the address of the report; None leaves it out.
    """
    link = None if settings is None else report_link(settings.report_url, run=str(number), started=now)
    run = None if number is None else str(number)
    return RunInfo(run=run, started=now, folder=str(store.folder.absolute()), report=link)


def send_given_up(
    store: Store,
    deliveries: Sequence[Delivery],
    channels: Sequence[Channel],
    *,
    number: int,
    now: int,
    settings: Settings,
) -> list[Delivery]:
    """Sends the alerts on whether the run gave alerts up.

    Args:
        store: open for writing, without an open transaction.
        deliveries: deliveries of the run.
        channels: all configured channels.
        number: number of the run.
        now: Unix seconds at which the run started.
        settings: for the address of the report.

    Returns:
        What became of these alerts.
    """
    if not wants_operations(channels):
        return []
    outbox = Outbox(store.connection)
    with store.transaction():
        outbox.enqueue_conditions(
            str(number), [given_up(deliveries)], channels, info=run_info(store, number, now, settings)
        )
    return outbox.deliver(channels, now, about=("operations",))


def send_failure(
    where: Store | str,
    error: BaseException,
    channels: Sequence[Channel],
    *,
    number: int | None,
    now: int,
    notes: Callable[[str], object],
    seconds: float = 0.0,
) -> int | None:
    """Sends the operations channels the alert that a run failed. It never raises.

    Args:
        where: the open state, or the folder of a state that is not open.
        error: why the run failed.
        channels: all configured channels.
        number: number of the run; None if it failed before it had one.
        now: Unix seconds at which the run started.
        notes: takes a sentence about each alert that was not sent.
        seconds: since the run started.

    Returns:
        The number of alerts that wait for a later run; None if no alert was due or the state cannot be used.
    """
    if not wants_operations(channels) or not is_failure(error):
        return None
    condition = failure(error)
    folder = where if isinstance(where, str) else str(where.folder.absolute())
    done: Sequence[Delivery | Sent]
    waiting = None
    try:
        if isinstance(where, Store):
            done, waiting = _send_remembered(where, condition, channels, number, now, seconds)
        else:
            with open_store(Path(where), write=True) as store:
                done, waiting = _send_remembered(store, condition, channels, number, now, seconds)
    except Exception:  # an unusable state must not stop the alert
        done = send_conditions([condition], channels, now=now, folder=folder)
    for one in done:
        if one.error is not None:
            outcome = getattr(one, "outcome", "not sent")
            notes(f"alert {one.channel}, operations: {OUTCOMES.get(outcome, outcome)}: {one.error}")
    return waiting


def _send_remembered(
    store: Store, condition: Condition, channels: Sequence[Channel], number: int | None, now: int, seconds: float
) -> tuple[list[Delivery], int]:
    outbox = Outbox(store.connection)
    run = f"failed-{now}" if number is None else str(number)
    with store.transaction():
        outbox.enqueue_conditions(run, [condition], channels, info=run_info(store, number, now))
    done = outbox.deliver(channels, now + seconds, about=("operations",))
    return done, outbox.pending()
