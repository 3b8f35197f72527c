"""What the engineer on call is told about the runs themselves: a failure, an incomplete window, alerts given up.

Channels that ask for it (``about = ["operations"]``) are told when such a condition begins and when it has ended, in
between nothing: the state remembers it like an alert on a campaign. A run that fails undoes what it found and keeps
only this. Where the state itself cannot be used the message is sent at once, and nobody remembers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from harvestdetect.alerts import Channel, Condition, Delivery, Outbox, Sent, report_link, send_conditions
from harvestdetect.errors import HarvestdetectError, LockedError, was_interrupted
from harvestdetect.report.format import count, plural
from harvestdetect.settings import Settings
from harvestdetect.state.store import Store, open_store
from harvestdetect.util.escape import visible

__all__ = [
    "failure",
    "given_up",
    "is_failure",
    "missing_files",
    "no_failure",
    "tell_failure",
    "tell_given_up",
    "wants_operations",
]

_MOST_NAMED: Final = 10
_MOST_SAID: Final = 500


def wants_operations(channels: Iterable[Channel]) -> bool:
    """Whether any channel asks for what is said about the runs themselves."""
    return any("operations" in channel.about for channel in channels)


def is_failure(error: BaseException) -> bool:
    """Whether an engineer has to know: not of Ctrl-C, nor of a run that another one kept out."""
    return isinstance(error, Exception) and not isinstance(error, LockedError) and not was_interrupted(error)


def failure(error: BaseException) -> Condition:
    """A run failed with an error."""
    known = isinstance(error, HarvestdetectError | OSError)
    said = str(error) if known else f"internal error: {type(error).__name__}: {error}"
    said = said.encode("utf-8", "backslashreplace").decode()[:_MOST_SAID]
    kept = "Nothing is lost: the next run that works reads the same files."
    return Condition(name="run-failed", standing=True, summary=f"The scan failed: {said}", details=(kept,))


def no_failure(prompts: int) -> Condition:
    """A run did its work; one whose window holds no prompt at all did not."""
    if not prompts:
        return Condition(
            name="run-failed", standing=True, summary="The scan failed: no prompt could be read, the window is empty."
        )
    return Condition(name="run-failed", standing=False, summary="The last scan did its work.")


def missing_files(names: Sequence[str]) -> Condition:
    """Files of the window that are lost or damaged in the state; none ends the condition.

    Args:
        names: of the files, as they were scanned.
    """
    if not names:
        return Condition(name="window-incomplete", standing=False, summary="The window of the state is complete.")
    named = tuple(visible(name) for name in names[:_MOST_NAMED])
    more = (f"and {count(len(names) - _MOST_NAMED)} more",) if len(names) > _MOST_NAMED else ()
    return Condition(
        name="window-incomplete",
        standing=True,
        summary=f"The state has lost {plural(len(names), 'file')} of the window; the findings are without them. "
        "Scan the same files again to have them back.",
        details=(*named, *more),
    )


def given_up(deliveries: Iterable[Delivery]) -> Condition:
    """Alerts that a run gave up; none ends the condition."""
    lost = [d for d in deliveries if d.outcome == "given up"]
    if not lost:
        return Condition(name="alerts-given-up", standing=False, summary="The last scan gave up no alert.")
    details = [f"{d.channel}, {d.campaign_id}: {d.error}" for d in lost[:_MOST_NAMED]]
    return Condition(
        name="alerts-given-up",
        standing=True,
        summary=f"{plural(len(lost), 'alert')} could not be sent and {'was' if len(lost) == 1 else 'were'} given up.",
        details=tuple(details),
    )


def tell_given_up(
    store: Store,
    deliveries: Sequence[Delivery],
    channels: Sequence[Channel],
    *,
    number: int,
    now: int,
    settings: Settings,
) -> list[Delivery]:
    """Tells of alerts that the run just gave up, or that none was; what became of that.

    Args:
        store: with its lock, and no transaction open.
        deliveries: of the run.
        channels: all that are configured.
        number: of the run.
        now: Unix seconds at which it started.
        settings: for the address of the report.
    """
    if not wants_operations(channels):
        return []
    outbox = Outbox(store.connection)
    with store.transaction():
        outbox.enqueue_conditions(
            str(number), [given_up(deliveries)], channels, now, folder=str(store.folder.absolute()), number=number,
            report=report_link(settings.report_url, run=str(number), started=now),
        )  # fmt: skip
    return outbox.deliver(channels, now, about=("operations",))


def tell_failure(
    where: Store | str,
    error: BaseException,
    channels: Sequence[Channel],
    *,
    number: int | None,
    now: int,
    tell: Callable[[str], object],
) -> None:
    """Tells channels that ask for operations that a run failed; never raises.

    Args:
        where: the open state, or the folder of one that is not open.
        error: why it failed.
        channels: all that are configured.
        number: of the run; None where it failed before it had one.
        now: Unix seconds at which it started.
        tell: told what became of each message that was not sent, in a sentence.
    """
    if not wants_operations(channels) or not is_failure(error):
        return
    condition = failure(error)
    folder = where if isinstance(where, str) else str(where.folder.absolute())
    done: Sequence[Delivery | Sent]
    try:
        if isinstance(where, Store):
            done = _remembered(where, condition, channels, number, now)
        else:
            with open_store(Path(where), write=True) as store:
                done = _remembered(store, condition, channels, number, now)
    except Exception:  # whatever is wrong with the state must not keep the message back
        done = send_conditions([condition], channels, now=now, folder=folder)
    for one in done:
        if one.error is not None:
            tell(f"alert {one.channel}, operations: {getattr(one, 'outcome', 'not sent')}: {one.error}")


def _remembered(
    store: Store, condition: Condition, channels: Sequence[Channel], number: int | None, now: int
) -> list[Delivery]:
    outbox = Outbox(store.connection)
    run = f"failed-{now}" if number is None else str(number)
    with store.transaction():
        outbox.enqueue_conditions(run, [condition], channels, now, folder=str(store.folder.absolute()), number=number)
    return outbox.deliver(channels, now, about=("operations",))
