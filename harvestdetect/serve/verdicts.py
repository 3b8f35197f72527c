"""Verdicts that two people may give at once: a verdict is stored only if the person saw the one before it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from harvestdetect.errors import LockedError
from harvestdetect.serve.audit import Audit
from harvestdetect.state import State, Verdict, open_state
from harvestdetect.state.verdicts import VerdictName

__all__ = ["Outcome", "clear_account", "give", "seen_of", "take_back"]

WAIT: Final = 5.0
"""Seconds to wait for another process that has the lock of the state."""
_PAUSE: Final = 0.05
"""Seconds between two attempts to take the lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a verdict, or of its undoing."""

    kind: Literal["stored", "conflict"]
    """``conflict``: somebody else was faster, and nothing was changed."""
    verdicts: tuple[Verdict, ...]
    """All verdicts on the campaign after it."""


def seen_of(verdicts: Sequence[Verdict]) -> str:
    """What a form says of the verdicts that its reader saw. It changes with every verdict and every undoing."""
    return f"{len(verdicts)}-{sum(one.undone is not None for one in verdicts)}"


def give(
    folder: Path,
    campaign: str,
    verdict: VerdictName,
    *,
    note: str,
    reviewer: str,
    expires: str | None,
    seen: str,
    audit: Audit,
) -> Outcome:
    """Gives a verdict on a campaign.

    Args:
        folder: of the state.
        campaign: its id.
        verdict: what it is.
        note: reason for the verdict.
        reviewer: name of the reviewer.
        expires: period until it expires; None for never.
        seen: :func:`seen_of` of the verdicts that the reviewer saw.
        audit: takes a line before the verdict is stored.

    Raises:
        LockedError: a scan has the state.
        OutputError: the audit log cannot be written.
        StateError: the state cannot be written.
        UsageError: the campaign is not known, was merged into another one, or the note is too long.
    """
    with _opened(folder) as state:
        before = state.verdicts(campaign)
        if seen_of(before) != seen:
            last = before[-1] if before else None
            same = last is not None and (last.verdict, last.note, last.reviewer) == (verdict, note, reviewer)
            repeated = same and last is not None and last.undone is None  # a form that was sent twice
            return Outcome(kind="stored" if repeated else "conflict", verdicts=tuple(before))
        audit.add(reviewer, "verdict", campaign=campaign, verdict=verdict, expires=expires or "never")
        try:
            state.review(campaign, verdict, note=note, reviewer=reviewer, expires=expires)
        except BaseException:
            audit.add(reviewer, "verdict failed", campaign=campaign)
            raise
        return Outcome(kind="stored", verdicts=tuple(state.verdicts(campaign)))


def take_back(folder: Path, campaign: str, *, reviewer: str, seen: str, audit: Audit) -> Outcome:
    """Undoes the last verdict on a campaign.

    Args:
        folder: of the state.
        campaign: its id.
        reviewer: name of the reviewer.
        seen: :func:`seen_of` of the verdicts that the reviewer saw.
        audit: takes a line before the verdict is undone.

    Raises:
        LockedError: a scan has the state.
        OutputError: the audit log cannot be written.
        StateError: the state cannot be written.
        UsageError: there is no verdict to undo.
    """
    with _opened(folder) as state:
        before = state.verdicts(campaign)
        if seen_of(before) != seen:
            return Outcome(kind="conflict", verdicts=tuple(before))
        audit.add(reviewer, "undo", campaign=campaign)
        try:
            state.undo(campaign, reviewer=reviewer)
        except BaseException:
            audit.add(reviewer, "undo failed", campaign=campaign)
            raise
        return Outcome(kind="stored", verdicts=tuple(state.verdicts(campaign)))


def clear_account(
    folder: Path, campaign: str, account: str, *, note: str, reviewer: str, back: bool, audit: Audit
) -> None:
    """Clears a member of a campaign, or takes that back.

    Args:
        folder: of the state.
        campaign: its id.
        account: its id. The audit log does not have it.
        note: reason.
        reviewer: name of the reviewer.
        back: whether to take it back.
        audit: takes a line before anything is stored.

    Raises:
        LockedError: a scan has the state.
        OutputError: the audit log cannot be written.
        StateError: the state cannot be written.
        UsageError: there is no such member, or somebody else did it meanwhile.
    """
    what = "unclear" if back else "clear"
    with _opened(folder) as state:
        audit.add(reviewer, what, campaign=campaign)
        try:
            if back:
                state.unclear(campaign, account, reviewer=reviewer)
            else:
                state.clear(campaign, account, note=note, reviewer=reviewer)
        except BaseException:
            audit.add(reviewer, f"{what} failed", campaign=campaign)
            raise


def _opened(folder: Path) -> State:
    """The state, with its lock. Another reviewer holds it for a moment, a scan for as long as it works."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            return open_state(folder, write=True, make=False)
        except LockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
