"""A scan into a state: runs it, reports it, and reports a failure before the run began."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harvestdetect.cli.console import tell
from harvestdetect.cli.metrics import MetricsFile
from harvestdetect.errors import HarvestdetectError, TooManyRejectsError
from harvestdetect.util.periods import parse_period

if TYPE_CHECKING:
    from harvestdetect.data import Detection
    from harvestdetect.dump import Dumps
    from harvestdetect.settings import Settings
    from harvestdetect.signatures import Shared
    from harvestdetect.state import Run, State

__all__ = ["ScanResult", "StateScan", "check_window", "cut_sentence", "report_early_failure"]

MAX_NAMED: Final = 5
"""Most files that are cut off or cannot be read that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What a scan found, with or without a state."""

    detection: Detection
    missing_files: tuple[str, ...] = ()
    """Names of files in the window that the state has lost."""
    cut_files: Mapping[str, str] = field(default_factory=dict)
    """Name of each file that was cut off or cannot be read -> why."""
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
    metrics: MetricsFile
    """Takes what is known of a run that fails, and says when a run was reported."""

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
        # It stays open until the metrics are written, because only then the run is reported.
        state = click.get_current_context().with_resource(open_state(self.folder, write=True, group=self.group))
        self.begins()
        try:
            run = state.scan(
                dumps, settings=settings, window=seconds, trust_clock=self.trust_clock, progress=progress, notes=notes,
                channels=channels, write=write, baseline=self.baseline, shared=shared, unsent=tell, confirms=True,
            )  # fmt: skip
        except Exception:
            self._note_waiting(state)
            raise
        self.metrics.then(state.reported)
        statuses = Counter(c.status for c in state.campaigns())
        for sentence in _summary(run):
            notes(sentence)
        if self.baseline and not channels:
            notes(
                "baseline: no alert channel is configured; a channel added later gets an alert for every campaign that "
                "has not gone quiet"
            )
        for delivery in run.deliveries:
            if delivery.error is not None:
                outcome = "given up" if delivery.outcome == "given up" else "kept for a later run"
                tell(f"alert {delivery.channel}, {delivery.campaign_id}: {outcome}: {delivery.error}")
        if run.pending:
            tell(_waiting_sentence(run.pending, run.next_try))
        figures = {
            "campaigns": dict(statuses),
            "alerts_failed": sum(d.outcome == "given up" for d in run.deliveries),
            "alerts_pending": run.pending,
            "window_complete": int(run.window_complete),
            "newest_prompt": run.window_end,
        }
        return ScanResult(
            detection=run.detection, missing_files=run.missing_files, cut_files=run.cut_files, figures=figures
        )

    def _note_waiting(self, state: State) -> None:
        """Says how many alerts wait after a run that failed, if any do."""
        with contextlib.suppress(HarvestdetectError):
            waiting = state.alerts_waiting()
            self.metrics.note(alerts_pending=waiting.count)
            if waiting.count:
                tell(_waiting_sentence(waiting.count, waiting.next_try))


def _waiting_sentence(count: int, next_try: float | None) -> str:
    from harvestdetect.report.format import iso_time, plural

    due = next_try is None or next_try <= time.time()
    run = "the next run" if due else f"the first run that starts after {iso_time(math.ceil(next_try or 0))}"
    return f"alerts: {plural(count, 'alert')} {'waits' if count == 1 else 'wait'}; {run} tries again"


def check_window(
    missing: tuple[str, ...], cut: Mapping[str, str], rejects: int, rows: int, allowed: float | None
) -> None:
    """Checks that no file of the window was lost. If one was, cut files and too many rejects are reported as well.

    Args:
        missing: names of the lost files.
        cut: name of each file that was cut off or cannot be read -> why.
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
    if cut:
        tell(f"harvestdetect: {cut_sentence(cut)}")
    raise IncompleteWindowError(f"the results were written, but {missing_sentence(missing)}")


def cut_sentence(cut: Mapping[str, str]) -> str:
    """The sentence about files that are cut off or cannot be read."""
    from harvestdetect.report.format import plural

    named = "; ".join(f"{name}: {reason}" for name, reason in list(cut.items())[:MAX_NAMED])
    more = f"; and {len(cut) - MAX_NAMED:,} more" if len(cut) > MAX_NAMED else ""
    return f"{plural(len(cut), 'file')} could not be read to the end ({named}{more}); write complete files again"


@contextlib.contextmanager
def report_early_failure(
    folder: Path | None, settings_file: str | None, metrics: MetricsFile
) -> Generator[Callable[[], object]]:
    """Alerts the operations channels if a run into a state fails before it began.

    Args:
        folder: of the state; without one nothing is reported.
        settings_file: has the alert channels; without one nothing is reported.
        metrics: takes the number of alerts that wait.

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
                waiting = send_failure(where, error, channels, number=None, now=started, notes=tell)
                if waiting is not None:
                    metrics.note(alerts_pending=waiting)
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
