"""The search of the page: one thread that makes the index of a window, keeps it open and answers questions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from harvestdetect.errors import HarvestdetectError, InputError
from harvestdetect.export.scan_folder import FINDINGS
from harvestdetect.search import By, Found, is_current, is_made, open_search
from harvestdetect.state.store import DATABASE

if TYPE_CHECKING:
    from harvestdetect.search.opened import Search

__all__ = ["SHOWN", "Answered", "Asked", "CannotSearchError", "Kind", "Question", "Searcher"]

Kind: TypeAlias = Literal["text", "account", "value"]
"""What is asked: who else sends a text, what an account sends, or who shares a value."""
SHOWN: Final = 50
"""Most prompts, accounts and campaigns of an answer on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person asks."""

    kind: Kind
    text: str
    """The text, the id of the account, or the value or its tag."""
    by: By = "wording"
    """How texts are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answer to a question."""

    found: Found
    notes: tuple[str, ...]
    """What a reader should know, a sentence each."""
    is_there: Callable[[], bool]
    """Whether the index that gave the answer is still there. It is removed when an account is erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The last question of a session."""

    question: Question
    answer: Future[Answered]
    """Its exception says why there is no answer."""
    token: object = None
    """See :meth:`Searcher.ask`."""
    at: float = field(default_factory=time.monotonic)
    """When it was asked, on the monotonic clock."""
    revealed: bool = False
    """Whether the texts of the answer are shown."""


class CannotSearchError(HarvestdetectError):
    """The folder cannot be searched.

    Args:
        reason: why.
        command: for a shell, makes what is missing.
    """

    def __init__(self, reason: str, command: str) -> None:
        super().__init__(reason)
        self.command = command


class Searcher:
    """Answers questions one after the other, in a thread that ends with the process even within a question.

    An index that is not complete when the process ends is not there for the next one.

    Args:
        folder: of the scan, or a state.
        state: the state of the scan, which is searched if the scan does not say what is; None if there is none.
        work: the work folder, if it is not where the scan had it.
        read_only: whether no index may be made.
    """

    def __init__(self, folder: Path, *, state: Path | None, work: Path | None, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self._state = state if state != folder else None
        self._work = work
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._opened: Search | None = None
        self._said: tuple[str, ...] = ()
        self._token: object = None
        self._making: float | None = None

    @property
    def making(self) -> float | None:
        """When the index began to be made, on the monotonic clock; None if none is being made."""
        return self._making

    def ask(self, question: Question, *, token: object, top: int = SHOWN) -> Future[Answered]:
        """Begins to answer a question. Call it in one thread only.

        Args:
            question: what is asked.
            token: changes when the campaigns of the folder change; the search is then opened again.
            top: most prompts, accounts and campaigns of the answer.
        """
        future: Future[Answered] = Future()
        self._jobs.put((future, lambda: self._answer(question, token, top)))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work_off, name="search", daemon=True)
            self._thread.start()
        return future

    def close(self) -> None:
        """Ends the thread after the question that it works on."""
        self._jobs.put(None)

    def look(self) -> bool:
        """Whether the folder has an index.

        Raises:
            CannotSearchError: it cannot have one.
        """
        try:
            return is_made(self.folder, work=self._work_folder())
        except HarvestdetectError as error:
            raise CannotSearchError(str(error), self.command()) from None

    def command(self) -> str:
        """The command that makes what is missing, for a shell: the index, or a work folder with texts."""
        folder = quote(str(self.folder))
        try:
            work = self._work_folder()
            is_made(self.folder, work=work)
        except HarvestdetectError:
            is_state = (self.folder / DATABASE).is_file() and not (self.folder / FINDINGS).is_file()
            where = f"--out OUT --state {folder}" if is_state else f"--out {folder} --work WORK"
            return f"harvestdetect scan DUMP {where}"
        where = "" if work is None else f" --work {quote(str(work))}"
        return f"harvestdetect search {folder}{where} 'some words of a prompt'"

    # ------------------------------------------------------------ in the thread

    def _work_off(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                answer = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(answer)
        if self._opened is not None:
            self._opened.close()

    def _answer(self, question: Question, token: object, top: int) -> Answered:
        try:
            search = self._current(token)
        except HarvestdetectError as error:
            raise CannotSearchError(str(error), self.command()) from None
        if question.kind == "account":
            found = search.of_account(question.text, top=top)
        elif question.kind == "value":
            found = search.sharing(question.text, top=top)
        elif question.by == "meaning" and self.read_only:
            raise InputError("a search by meaning may make an index, and this server is read only; search by wording")
        else:
            found = search.nearest(question.text, top=top, by=question.by)
        return Answered(found=found, notes=(*self._said, *found.notes), is_there=search.is_there)

    def _current(self, token: object) -> Search:
        """The open search of the window as it is now."""
        if self._opened is not None and self._token == token and is_current(self._opened):
            return self._opened
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        work = self._work_folder()
        if not self.read_only and not is_made(self.folder, work=work):
            self._making = time.monotonic()
            try:
                open_search(self.folder, work=work).close()
            finally:
                self._making = None
        said: list[str] = []
        self._opened = open_search(self.folder, work=work, make=not self.read_only, notes=said.append)
        self._said, self._token = tuple(said), token
        return self._opened

    def _work_folder(self) -> Path | None:
        """The work folder to name: the one that was given, or the state if the scan does not say where it kept texts.

        Raises:
            HarvestdetectError: the folder cannot be searched.
        """
        if self._work is not None or self._state is None:
            return self._work
        try:
            is_made(self.folder)
        except HarvestdetectError:
            with suppress(HarvestdetectError):
                is_made(self.folder, work=self._state)
                return self._state
            raise
        return None
