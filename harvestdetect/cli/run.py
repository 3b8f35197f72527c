"""Runs a command and turns every error into one line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Generator
from types import FrameType
from typing import Final

import click

from harvestdetect.cli.console import drop, tell
from harvestdetect.errors import HarvestdetectError, was_interrupted

__all__ = ["EXIT_INTERRUPTED", "EXIT_TERMINATED", "NAME", "Terminated", "exit_code_of", "run", "terminable"]

NAME: Final = "harvestdetect"
"""Name of the program in messages."""
EXIT_INTERRUPTED: Final = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as in shells."""
EXIT_TERMINATED: Final = 143
"""Exit code of a scan that SIGTERM ended: 128 and the number of SIGTERM."""


class Terminated(KeyboardInterrupt):
    """SIGTERM ends the command like Ctrl-C, with an exit code of its own."""


@contextlib.contextmanager
def terminable() -> Generator[None, None, None]:
    """Raises :class:`Terminated` at the first SIGTERM, so that the command removes its files and says what happened.

    Further ones are ignored. Nothing changes if the process has a handler of its own, or outside of the main thread.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def exit_code_of(error: BaseException) -> int:
    """The exit code of a command that ends with an error."""
    if was_interrupted(error):
        return EXIT_TERMINATED if _was_terminated(error) else EXIT_INTERRUPTED
    code = getattr(error, "exit_code", 1)
    return code if isinstance(code, int) else 1


def _was_terminated(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, Terminated):
            return True
        error = error.__cause__ or error.__context__
    return False


def run(group: click.Group, arguments: list[str]) -> int:
    """Runs a command of a group and returns its exit code. Every error becomes one line on standard error."""
    verbose = any(a == "--verbose" or (a.startswith("-v") and not a.strip("-vq")) for a in arguments)
    try:
        with group.make_context(NAME, arguments) as context:
            code = group.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        drop(sys.stdout)
        return 1
    except (KeyboardInterrupt, click.Abort) as error:
        return _interrupted(error)
    except Exception as error:
        if was_interrupted(error):
            return _interrupted(error)
        if isinstance(error, HarvestdetectError):
            tell(f"{NAME}: {error}")
            return error.exit_code
        if isinstance(error, MemoryError):
            tell(f"{NAME}: out of memory; scan fewer rows at a time, or use --encoder fast")
            return 1
        if isinstance(error, OSError):
            tell(f"{NAME}: {_os_error_message(error)}")
            return 1
        if type(error).__module__ == "sqlite3":  # errors that no module turns into a message of its own
            tell(f"{NAME}: cannot use a database of the cache or the state: {error}; check whether its disk is full")
            return 1
        if verbose:
            tell("".join(traceback.format_exception(error)).rstrip(), keep_lines=True)
        again = "" if verbose else "; run the command again with -v for the traceback"
        tell(f"{NAME}: internal error: {type(error).__name__}: {error}{again}")
        return 1


def _interrupted(error: BaseException) -> int:
    terminated = _was_terminated(error)
    tell(f"{NAME}: {'ended by SIGTERM' if terminated else 'interrupted'}")
    return EXIT_TERMINATED if terminated else EXIT_INTERRUPTED


def _os_error_message(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    where = f"{os.fspath(error.filename)!s}: " if isinstance(error.filename, str | os.PathLike) else ""
    if error.errno == errno.ENOSPC and not where:
        reason += "; free some space, or set TMPDIR and --cache to folders on another disk"
    return where + reason
