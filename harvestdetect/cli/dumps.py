"""Opens the dumps that a command names, under a progress bar."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harvestdetect.errors import InputError, UsageError
from harvestdetect.util.own_process import OWN_PROCESS, leave_pandas_out

if TYPE_CHECKING:
    from harvestdetect.data import Detection
    from harvestdetect.dump import Dumps
    from harvestdetect.settings import Settings

__all__ = ["check_read", "no_prompt_message", "open_dumps", "progress_bar", "without_results", "working"]

MEGABYTE: Final = 1_000_000
"""Bytes of a megabyte, the unit of the progress bar."""


def without_results(names: list[str], out: Path, notes: Callable[[str], None]) -> list[str]:
    """The files to read, without the results that an earlier scan wrote into OUT.

    Raises:
        UsageError: no other file is left.
    """
    from harvestdetect.dump.storage.sources import Names
    from harvestdetect.report import AUDIT, BRIEF, OUTPUT_NAMES
    from harvestdetect.report.format import plural

    own = {os.path.realpath(out / name) for name in (*OUTPUT_NAMES, BRIEF, AUDIT)}
    kept = [name for name in names if name == "-" or "://" in name or os.path.realpath(name) not in own]
    if not kept:
        raise UsageError(f"the only files to read are results of an earlier scan in {out}; name the dumps instead")
    if len(kept) < len(names):
        notes(f"skipped {plural(len(names) - len(kept), 'file')} in {out} that an earlier scan wrote")
    return Names(kept, names.left_out) if isinstance(names, Names) else kept


@contextlib.contextmanager
def open_dumps(names: Sequence[str], settings: Settings, *, quiet: bool) -> Generator[Dumps, None, None]:
    """Opens dumps with ``read_dumps``. A bar in megabytes shows the progress if the size of every file is known."""
    from harvestdetect.dump import read_dumps
    from harvestdetect.dump.storage.sources import source_size

    if OWN_PROCESS.get():
        leave_pandas_out()
    sizes = [source_size(name) for name in names]
    known = [size for size in sizes if size is not None]
    shown = 0
    with progress_bar("reading (MB)", -(-sum(known) // MEGABYTE), quiet=quiet or len(known) < len(sizes)) as advance:

        def passed(done: int, total: int | None) -> None:
            nonlocal shown
            now = -(-done // MEGABYTE) if done == total else done // MEGABYTE
            if now > shown:
                advance(now - shown)
                shown = now

        with closing(read_dumps(names, settings=settings, progress=passed)) as dumps:
            yield dumps


def working(what: str, *, quiet: bool) -> AbstractContextManager[Callable[[int], None]]:
    """Shows that something is going on whose length is not known; ``what`` is a word or two."""
    return progress_bar(what, 0, quiet=quiet)


def progress_bar(what: str, total: int, *, quiet: bool) -> AbstractContextManager[Callable[[int], None]]:
    """As :func:`harvestdetect.util.progress.progress_bar`, imported only when it is needed."""
    from harvestdetect.util.progress import progress_bar as bar

    return bar(what, total, quiet=quiet)


def no_prompt_message(detection: Detection, rejects: int) -> str:
    """The error message for dumps without a usable prompt.

    Args:
        detection: result of the scan.
        rejects: number of rejected rows.
    """
    from harvestdetect.report.format import plural

    if not detection.rejects:
        return "no prompt could be read: the dumps have no rows"
    first = detection.rejects[0]
    line = "" if first.line is None else f", line {first.line:,}"
    return f"no prompt could be read, {plural(rejects, 'reject')}; the first: {first.file}{line}: {first.reason}"


def check_read(detection: Detection, settings: Settings) -> None:
    """Checks that prompts could be read, and that no more rows were rejected than the settings allow.

    Args:
        detection: result of the scan.
        settings: of the scan.

    Raises:
        InputError: no prompt could be read.
        TooManyRejectsError: too many rows were rejected.
    """
    from harvestdetect.dump import check_rejects

    rejects, prompts = detection.counts["rejects"], detection.counts["prompts"]
    if not prompts:
        raise InputError(no_prompt_message(detection, rejects))
    check_rejects(rejects, prompts, settings.max_rejects)
