"""Calibration: scans a benign dump, whole and by halves, and keeps its innocent candidates."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from harvestdetect.arguments import check_function, shown
from harvestdetect.context import Progress, bars, open_context, silent
from harvestdetect.data import Batch, Detection, Prompt
from harvestdetect.dump import batches_of, given
from harvestdetect.dump.given import Given
from harvestdetect.dump.values.pseudonyms import Pseudonyms
from harvestdetect.errors import InputError, UsageError
from harvestdetect.judge.calibration import Calibration, Half, fit_calibration, half_of
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.pipeline import Scan, run_scan
from harvestdetect.settings import Settings, settings_of

__all__ = ["Calibrated", "calibrate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """A calibration and the scan of the whole dump that it was fitted to."""

    calibration: Calibration
    detection: Detection
    """The uncalibrated scan. Look at its findings: a campaign among them would hide other campaigns like it."""
    candidates: int
    """Number of candidates that were measured."""


def calibrate(
    read: Callable[[], AbstractContextManager[Iterable[Batch]]] | Given | Iterable[Prompt],
    *,
    settings: Settings | None = None,
    progress: Progress | bool | None = None,
    notes: Callable[[str], None] | None = None,
    check: Callable[[Detection], None] | None = None,
) -> Calibrated:
    """Learns from benign traffic what innocent candidates look like.

    The dump is scanned three times: as a whole, and by halves of its accounts, on which the rate of findings is
    measured. Every candidate is measured anew: of a work folder only prepared files, vectors and
    neighbours are used. A calibration file in the settings is ignored.

    Args:
        read: paths, a table, rows or prompts, as for :func:`harvestdetect.detect`, that can be read three times. Or a
            function that opens the dump as a context; it is called three times and must give the same prompts each
            time.
        settings: of the later scans; None takes the defaults.
        progress: as for :func:`harvestdetect.detect`.
        notes: receives the notes of the scan of the whole dump.
        check: called with the scan of the whole dump before the halves are scanned; it may raise.

    Raises:
        InputError: the dump has no prompts.
        UsageError: ``read`` is an iterator, which can be read only once, or an argument is of another type.
        CalibrationError, EncoderError, NeedsMemoryError, ScratchError, SettingsError: as
            :func:`harvestdetect.detect`.
    """
    for name, function in (("notes", notes), ("check", check)):
        check_function(function, name, "a function")
    settings = settings_of(settings).replace(calibration=None, make_map=False)
    opened = _opener(read, settings)

    def scanned(half: int | None) -> Scan:
        context = open_context(settings, progress=bars(progress), notes=notes if half is None else None)
        with opened() as batches:
            return run_scan(batches if half is None else half_of(batches, half), context, measure_all=True)

    halves = []
    with (bars(progress) or silent)("scans", 3) as advance:
        whole = scanned(None)
        if check is not None:
            check(whole.detection)
        if not whole.detection.counts["prompts"]:
            raise InputError("the dump has no prompts to learn from")
        for half in (0, 1):
            advance(1)
            scan = scanned(half)
            halves.append(Half(candidates=scan.measured, prompts=scan.detection.counts["prompts"]))
        advance(1)
    calibration = fit_calibration(
        whole.detection, whole.measured, halves, settings=settings, ledger=shipped_ledger(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    return Calibrated(calibration=calibration, detection=whole.detection, candidates=len(whole.measured))


def _entered(read: Callable[[], Any]) -> AbstractContextManager[Iterable[Batch]]:
    """What a function that opens the dump gives.

    Raises:
        UsageError: it is no context.
    """
    opened = read()
    if not isinstance(opened, AbstractContextManager):
        raise UsageError(
            "read must be a function that opens the dump as a context, such as lambda: closing(read_dumps(paths)); "
            f"it returned {shown(opened)}"
        )
    return opened


def _opener(source: Any, settings: Settings) -> Callable[[], AbstractContextManager[Iterable[Batch]]]:
    """What opens a source anew each time."""
    if callable(source) and not isinstance(source, type):
        return partial(_entered, source)
    if isinstance(source, Iterator):
        raise UsageError(
            "calibrate reads its source three times, and an iterator can be read once; give paths, a table or a list"
        )

    @contextmanager
    def opened() -> Generator[Iterable[Batch], None, None]:
        batches = given(source, settings)
        key = settings.pseudonyms
        try:
            yield batches_of(batches, pseudonyms=None if key is None else Pseudonyms.of_file(key))
        finally:
            close = getattr(batches, "close", None)
            if close is not None:
                close()

    return opened
