"""Writes the metrics file of a scan, however the scan ends."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from harvestdetect.cli.console import tell
from harvestdetect.cli.grouped_help import GroupedCommand
from harvestdetect.cli.run import NAME, exit_code_of
from harvestdetect.errors import HarvestdetectError

if TYPE_CHECKING:
    from harvestdetect.data import Detection

__all__ = ["CommandWithMetrics", "MetricsFile"]


class MetricsFile:
    """Context manager that writes the metrics of a run when it ends, with or without an error.

    A metrics file that cannot be written does not change what the scan did. One line reports it, and a run that would
    have ended with 0 ends with 1.

    Args:
        file: where the metrics go; None writes nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.exit_code = 0
        """Exit code of the run; set it before the context ends."""
        self._start = time.time()
        self._figures: dict[str, Any] = {}
        self._then: list[Callable[[], object]] = []

    def done(self, detection: Detection, **figures: Any) -> None:
        """Takes the result of a run that completed.

        Args:
            detection: what the scan found.
            figures: further fields of :class:`harvestdetect.ops.metrics.RunMetrics`.
        """
        from harvestdetect.report.format import tier_counts

        counts = detection.counts
        self._figures |= {
            "rows": counts.get("read_rows", counts["prompts"]) + counts["rejects"],
            "rejects": counts["rejects"],
            "cut_files": counts.get("cut_files", 0),
            "newest_prompt": counts.get("last_seen"),
            "prompts_in_window": counts["prompts"],
            "accounts_in_window": counts["accounts"],
            "findings": tier_counts(detection),
            **figures,
        }

    def note(self, **figures: Any) -> None:
        """Takes figures of a run that may yet fail: fields of :class:`harvestdetect.ops.metrics.RunMetrics`."""
        self._figures.update(figures)

    def then(self, action: Callable[[], object]) -> None:
        """Calls a function when a run has ended with a result and its metrics are written."""
        self._then.append(action)

    def __enter__(self) -> MetricsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.exit_code
        if error is not None:
            code = exit_code_of(error)
        from harvestdetect.ops.watch import DONE

        written = self.write(code)
        if written and code in DONE:
            try:
                for action in self._then:
                    action()
            except HarvestdetectError as failure:
                tell(f"{NAME}: {failure}")
                written = False
        self.exit_code = code or (0 if written else 1)

    def write(self, exit_code: int) -> bool:
        """Writes the file if one is wanted. Returns False, after printing why, if it cannot be written."""
        if self.file is None:
            return True
        from harvestdetect.ops.metrics import RunMetrics, write_metrics
        from harvestdetect.ops.watch import DONE

        end = time.time()
        worked = exit_code in DONE and "rows" in self._figures
        try:
            values = RunMetrics(
                last_run=end, last_success=end if worked else None, duration_seconds=max(end - self._start, 0.0),
                exit_code=exit_code, **self._figures,
            )  # fmt: skip
            write_metrics(self.file, values)
        except (HarvestdetectError, OSError, ValueError) as error:
            tell(f"{NAME}: {error}")
            return False
        return True


class CommandWithMetrics(GroupedCommand):
    """A command with the option ``--metrics``, which writes metrics also if its arguments are wrong."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        given = list(args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if file := _last_value(given, "--metrics"):
                MetricsFile(Path(file)).write(error.exit_code)
            raise


def _last_value(arguments: Sequence[str], name: str) -> str | None:
    """The last value of an option, found without parsing, because the arguments may be wrong; None without one."""
    if "--" in arguments:
        arguments = arguments[: list(arguments).index("--")]
    found = [a.removeprefix(f"{name}=") for a in arguments if a.startswith(f"{name}=")]
    found += [b for a, b in itertools.pairwise(arguments) if a == name]
    return found[-1] if found else None
