"""A scan into a state: runs it, reports it, and reports a failure before the run began."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvestdetect.cli.console import tell
from harvestdetect.errors import HarvestdetectError, TooManyRejectsError
from harvestdetect.util.periods import parse_period

if TYPE_CHECKING:
    from harvestdetect.data import Detection
    from harvestdetect.dump import Dumps
    from harvestdetect.settings import Settings
    from harvestdetect.signatures import Shared
    from harvestdetect.state import Run

__all__ = ["ScanResult", "StateScan", "check_window", "report_early_failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What a scan found, with or without a state."""

    detection: Detection
    missing_files: tuple[str, ...] = ()
    """Names of files in the window that the state has lost."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Fields of :class:`harvestdetect.ops.metrics.RunMetrics` that the detection does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateScan:
    """A scan into a state, as the options of the command ask for it."""

    folder: Path
    window: str
    """A period such as ``45d``."""
    trust_clock: bool
    baseline: bool
    group: bool | None
    settings_file: str | None
    begins: Callable[[], object]
    """Called when the state is open; from then on the run itself reports its failure."""

    def run(
        self, dumps: Dumps, *, settings: Settings, progress: Any, notes: Callable[[str], None],
        write: Callable[[Detection], object], shared: Shared | None = None,
    ) -> ScanResult:  # fmt: skip
        """Scans dumps into the state, sends the alerts, and notes what was done.

        Args:
            dumps: what to read.
            settings: of the scan.
            progress: opens progress bars.
            notes: takes sentences for the user.
            write: writes the results.
            shared: signatures of other providers.
        """
        from harvestdetect.alerts import load_channels
        from harvestdetect.state import open_state

        seconds = parse_period(self.window)
        channels = load_channels(self.settings_file) if self.settings_file is not None else ()
        with open_state(self.folder, write=True, group=self.group) as state:
            self.begins()
            run = state.scan(
                dumps, settings=settings, window=seconds, trust_clock=self.trust_clock, progress=progress, notes=notes,
                channels=channels, write=write, baseline=self.baseline, shared=shared,
            )  # fmt: skip
            statuses = Counter(c.status for c in state.campaigns())
        for sentence in _summary(run):
            notes(sentence)
        if self.baseline and not channels:
            notes("baseline: no alert channel is configured; a channel added later gets an alert for every campaign")
        for delivery in run.deliveries:
            if delivery.error is not None:
                outcome = "given up" if delivery.outcome == "given up" else "kept for a later run"
                tell(f"alert {delivery.channel}, {delivery.campaign_id}: {outcome}: {delivery.error}")
        figures = {
            "campaigns": dict(statuses),
            "alerts_failed": sum(d.outcome == "given up" for d in run.deliveries),
            "alerts_pending": run.pending,
            "window_complete": int(run.window_complete),
        }
        return ScanResult(detection=run.detection, missing_files=run.missing_files, figures=figures)


def check_window(missing: tuple[str, ...], rejects: int, rows: int, allowed: float | None) -> None:
    """Checks that no file of the window was lost. If one was, too many rejects are reported as well.

    Args:
        missing: names of the lost files.
        rejects: number of rejected rows.
        rows: number of rows that were read.
        allowed: ``Settings.max_rejects``.

    Raises:
        IncompleteWindowError: the results were written without the lost files.
    """
    if not missing:
        return
    from harvestdetect.dump import check_rejects
    from harvestdetect.errors import IncompleteWindowError
    from harvestdetect.state.prepared import missing_sentence

    try:
        check_rejects(rejects, rows, allowed)
    except TooManyRejectsError as error:
        tell(f"harvestdetect: {error}")
    raise IncompleteWindowError(f"the results were written, but {missing_sentence(missing)}")


@contextlib.contextmanager
def report_early_failure(folder: Path | None, settings_file: str | None) -> Generator[Callable[[], object]]:
    """Alerts the operations channels if a run into a state fails before it began.

    Args:
        folder: of the state; without one nothing is reported.
        settings_file: has the alert channels; without one nothing is reported.

    Yields:
        A function to call when the run begins. From then on :func:`harvestdetect.state.run.scan_into` reports failures.
    """
    begun: list[bool] = []
    started = int(time.time())
    try:
        yield lambda: begun.append(True)
    except Exception as error:
        if folder is not None and settings_file is not None and not begun:
            from harvestdetect.alerts import load_channels
            from harvestdetect.state.operations_alerts import send_failure

            with contextlib.suppress(HarvestdetectError):
                channels = load_channels(settings_file)
                where = str(folder.absolute())
                send_failure(where, error, channels, number=None, now=started, notes=tell)
        raise


def _summary(run: Run) -> list[str]:
    """What a run did, a sentence each."""
    from harvestdetect.report.format import iso_time, plural

    start, end = iso_time(run.window_start) or "the beginning", iso_time(run.window_end) or "the end"
    rejected = f", {plural(run.rejects, 'reject')}" if run.rejects else ""
    read = f"{plural(run.new_rows, 'new prompt')} from {plural(run.new_files, 'new file')}"
    lines = [f"run {run.number}: read {read}{rejected}; window from {start} to {end}"]
    by_status = Counter(c.status for c in run.changes if c.status != c.previous_status)
    if by_status:
        lines.append("campaigns: " + ", ".join(f"{count} now {status}" for status, count in sorted(by_status.items())))
    if run.baseline is not None:
        lines.append(f"baseline: recorded {plural(run.baseline, 'campaign')} without sending alerts")
    if run.deliveries or run.pending:
        outcomes = Counter(d.outcome for d in run.deliveries)
        lines.append(
            f"alerts: {outcomes['sent']:,} sent, {outcomes['given up']:,} given up, "
            f"{run.pending:,} kept for a later run"
        )
    members = {m.account for f in run.detection.findings for m in f.members}
    if others := {a.account for a in run.detection.attributed} - members:
        lines.append(
            f"{plural(len(others), 'account')} outside the findings filled templates of known campaigns; "
            "see attributed.csv"
        )
    return lines
