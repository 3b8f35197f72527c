"""What a state knows, read again whenever another process or a reviewer changed it."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harvestdetect.state import (
    CampaignRun,
    Clearing,
    Day,
    Event,
    KnownCampaign,
    PastRun,
    Precision,
    State,
    Verdict,
    open_state,
)
from harvestdetect.state.store import DATABASE

__all__ = ["Known", "StateReader"]

_FRESH: Final = 30.0
"""Seconds after which a state is read again even if it did not change, because verdicts expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a state knows at one moment."""

    campaigns: Mapping[str, KnownCampaign]
    """By id, also those that were merged into another."""
    verdicts: Mapping[str, tuple[Verdict, ...]]
    """Campaign -> all verdicts on it, in the order in which they were given."""
    cleared: Mapping[str, Mapping[str, Clearing]]
    """Campaign -> account -> the clearing in force."""
    runs: tuple[PastRun, ...]
    """The newest first."""
    precision: tuple[Precision, ...]

    @property
    def last_run(self) -> PastRun | None:
        """The last run that finished."""
        return next((run for run in self.runs if run.finished is not None), None)


class StateReader:
    """Reads a state. Use it in one thread only.

    Args:
        folder: of the state.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state: State | None = None
        self._file: tuple[int, int] | None = None
        self._version = -1
        self._read_at = 0.0
        self._known: Known | None = None

    def close(self) -> None:
        """Closes the database."""
        if self._state is not None:
            self._state.close()
        self._state = self._known = None

    def state(self) -> State:
        """The state, open for reading. It is opened again if its database was replaced.

        Raises:
            StateError: there is none, or it cannot be used now.
        """
        file = _identity(self.folder / DATABASE)
        if self._state is None or file is None or file != self._file:
            self.close()
            self._state = open_state(self.folder)
            self._file, self._version = file, -1
        return self._state

    def known(self) -> Known:
        """What the state knows now.

        Raises:
            StateError: there is none, or it cannot be used now.
        """
        state = self.state()
        version = state.version()
        if self._known is None or version != self._version or time.monotonic() - self._read_at > _FRESH:
            self._known = _read(state)
            self._version, self._read_at = version, time.monotonic()
        return self._known

    def members(self, campaign: str) -> list[str]:
        """All accounts that were members of a campaign in any run."""
        return self.state().members(campaign)

    def templates(self, campaign: str) -> list[tuple[str | None, ...]]:
        """The templates of a campaign in any run: runs of fixed words, where None is a slot."""
        return self.state().templates(campaign)

    def days(self, campaign: str) -> list[Day]:
        """Harvest prompts of a campaign by day, over all runs."""
        return self.state().history(campaign)

    def events(self, campaign: str) -> list[Event]:
        """What happened to a campaign, the oldest first."""
        return self.state().events(campaign)

    def campaign_runs(self, campaign: str | None = None, *, run: int | None = None) -> list[CampaignRun]:
        """What runs found."""
        return self.state().campaign_runs(campaign, run=run)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        about = os.stat(file)
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _read(state: State) -> Known:
    with state.snapshot():
        verdicts: dict[str, list[Verdict]] = defaultdict(list)
        for one in state.verdicts():
            verdicts[one.campaign_id].append(one)
        return Known(
            campaigns={one.campaign_id: one for one in state.campaigns(everything=True)},
            verdicts={campaign: tuple(given) for campaign, given in verdicts.items()},
            cleared=state.cleared(),
            runs=tuple(state.runs()),
            precision=tuple(state.precision()),
        )
