"""The desk: what is served, kept in step with the folders, and the threads that work for the pages."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harvestdetect.errors import HarvestdetectError, InputError, StateError
from harvestdetect.serve.audit import Audit
from harvestdetect.serve.known import Known, StateReader
from harvestdetect.serve.queue import Item, items_of
from harvestdetect.serve.results import Keys, Results, read_results, stamp_of

__all__ = ["Desk", "Moment", "Places", "places_of"]

SECRET_BYTES: Final = 32
"""Random bytes behind the names of accounts in addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders that are served."""

    out: Path | None
    """With the results of a scan."""
    state: Path | None

    @property
    def kept(self) -> Path:
        """The folder of the audit log."""
        folder = self.state or self.out
        assert folder is not None
        return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What all parts of one page see."""

    results: Results | None
    known: Known | None
    items: Sequence[Item]
    """All of the queue, the strongest first."""
    by_key: Mapping[str, Item]
    """By the name of the campaign in addresses."""
    merged: Mapping[str, str]
    """Campaign that was merged -> the campaign that it was merged into."""
    accounts: Mapping[str, str]
    """Name of an account in addresses -> its id."""
    troubles: tuple[str, ...]
    """Why what is shown may be older than the folders, a sentence each."""

    @property
    def campaigns_of(self) -> Mapping[str, tuple[str, ...]]:
        """Account -> campaigns that it is a member of in the last scan."""
        return {} if self.results is None else self.results.campaigns_of


class Desk:
    """Keeps what is served in step with the folders.

    ``moment`` belongs to one thread, :attr:`reader`. New results are read in a thread of their own, so that pages go on
    showing the older ones, and say so. Verdicts are written in one thread, :attr:`writer`, one after the other.

    Args:
        places: the folders.
        read_only: whether nothing is written.
        title: what the pages call the folders.
    """

    def __init__(self, places: Places, *, read_only: bool = False, title: str = "") -> None:
        self.places = places
        self.read_only = read_only
        self.title = title
        self.audit = Audit(places.kept)
        self.keys = Keys(secrets.token_bytes(SECRET_BYTES))
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="verdicts")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="results")
        self._loading: Future[Results] | None = None
        self._results: Results | None = None
        self._failed: tuple[tuple[tuple[int, int], ...], str] | None = None
        self._accounts: dict[str, str] = {}
        self._state = None if places.state is None else StateReader(places.state)
        self._last: Moment | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Reads everything for the first time.

        Raises:
            InputError: the results of the scan cannot be read.
            StateError: the state cannot be read.
        """
        if self.places.out is not None:
            self._take(read_results(self.places.out))
        self.reader.submit(self.moment).result()

    def close(self) -> None:
        """Ends the threads."""
        if self._state is not None:
            self.reader.submit(self._state.close).result()
        for pool in (self.reader, self.writer, self._loader):
            pool.shutdown(wait=False, cancel_futures=True)

    @property
    def state(self) -> StateReader:
        """The state. Only for the thread :attr:`reader`.

        Raises:
            StateError: none is served.
        """
        if self._state is None:
            raise StateError("no state is served; start the server with --state to have verdicts and earlier runs")
        return self._state

    def account(self, account: str) -> str:
        """The name of an account in addresses."""
        key = self.keys.account(account)
        self._accounts.setdefault(key, account)
        return key

    def moment(self) -> Moment:
        """What is served now. Only for the thread :attr:`reader`.

        Raises:
            StateError: the state cannot be read, and was never read before.
        """
        troubles = self._keep_up()
        known, last = None, self._last
        if self._state is not None:
            try:
                known = self._state.known()
            except StateError as error:
                if last is None:
                    raise
                known = last.known
                troubles.append(f"The state cannot be read now; verdicts and runs may be older: {error}.")
        said = tuple(troubles)
        if last is not None and last.results is self._results and last.known is known and last.troubles == said:
            return last
        items = items_of(self._results, known)
        campaigns = {} if known is None else known.campaigns
        self._last = Moment(
            results=self._results, known=known, items=items,
            by_key={self.keys.campaign(item.campaign_id): item for item in items},
            merged={one.campaign_id: one.merged_into for one in campaigns.values() if one.merged_into is not None},
            accounts=self._accounts, troubles=said,
        )  # fmt: skip
        return self._last

    def _keep_up(self) -> list[str]:
        """Takes new results, or begins to read them; returns what a page has to say about it."""
        out = self.places.out
        if out is None:
            return []
        loading = self._loading
        if loading is not None and loading.done():
            self._loading = None
            try:
                self._take(loading.result())
            except HarvestdetectError as error:
                self._failed = (stamp_of(out), str(error))
        stamp = stamp_of(out)
        if self._results is not None and stamp == self._results.stamp:
            return []
        if self._failed is not None and self._failed[0] == stamp:
            return [f"There are newer results, but they cannot be read; these are the ones before: {self._failed[1]}."]
        if self._loading is None:
            self._loading = self._loader.submit(read_results, out)
        return ["A newer scan is being read. This page still shows the one before; reload it in a moment."]

    def _take(self, results: Results) -> None:
        self._results, self._failed = results, None
        for account in results.campaigns_of:
            self.account(account)


def places_of(folder: Path, state: Path | None) -> Places:
    """The folders behind the arguments of the command.

    Args:
        folder: the results of a scan, or a state, or both in one.
        state: the state of these results; None if there is none, or ``folder`` is one.

    Raises:
        InputError: the folder has neither results nor a state.
    """
    from harvestdetect.export.scan_folder import FINDINGS
    from harvestdetect.state.store import DATABASE

    out = folder if (folder / FINDINGS).is_file() else None
    own = folder if (folder / DATABASE).is_file() else None
    if out is None and own is None:
        what = "has neither" if folder.is_dir() else "is not a folder" if folder.exists() else "does not exist"
        raise InputError(
            f"nothing to show: {folder} {what}; give the folder that scan --out named (it has {FINDINGS}), or a state "
            f"(it has {DATABASE})"
        )
    return Places(out=out, state=state or own)
