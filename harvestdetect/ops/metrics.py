"""Metrics of a run for Prometheus, in a file for the textfile collector of node_exporter.

All metrics are gauges, because each run is a process of its own. The file is replaced as a whole, so that a scrape sees
one run or the next. A run that failed knows nothing about the state, so it keeps these figures from the earlier file.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from harvestdetect import __version__
from harvestdetect.data import TIERS, Status
from harvestdetect.errors import OutputError, UsageError
from harvestdetect.util.files import replacing

__all__ = ["STATUSES", "RunMetrics", "metrics_text", "read_metrics", "write_metrics"]

STATUSES: Final[tuple[str, ...]] = get_args(Status)
"""Statuses of campaigns."""
_PREFIX: Final = "harvestdetect_"
"""Start of the name of every metric."""
_MOST_BYTES: Final = 1_000_000
"""Most bytes that are read of an earlier file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetrics:
    """What a run did, and what the state has after it.

    None means unknown: the figure of the earlier file stays, or is 0 without one.

    Raises:
        ValueError: a figure is negative or no number, or a tier or status is unknown.
    """

    last_run: float
    """Unix seconds at which the run ended, successful or not."""
    last_success: float | None = None
    """The same if the run succeeded (exit code 0, 3 or 4); None if it failed."""
    duration_seconds: float
    exit_code: int
    rows: int | None = None
    """Rows that the run read, including rejects."""
    rejects: int | None = None
    """Rows that the run rejected."""
    cut_files: int | None = None
    """Files that are cut off or cannot be read."""
    newest_prompt: int | None = None
    """Unix seconds of the newest prompt in the window."""
    prompts_in_window: int | None = None
    """Prompts in the window."""
    accounts_in_window: int | None = None
    """Accounts in the window."""
    findings: Mapping[str, int] | None = None
    """Number of findings by tier; missing tiers count 0."""
    campaigns: Mapping[str, int] | None = None
    """Number of known campaigns by status; missing statuses count 0."""
    alerts_failed: int | None = None
    """Alerts that the run gave up."""
    alerts_pending: int | None = None
    """Alerts that wait for a later run."""
    window_complete: int | None = None
    """1 if every file of the window was there, 0 if one was lost."""

    def __post_init__(self) -> None:
        """Check the ranges of all figures."""
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            for number in value.values() if isinstance(value, Mapping) else (value,):
                if number is not None and not (math.isfinite(number) and number >= 0):
                    raise ValueError(f"{f.name} must be a number of at least 0, got {number!r}")
        for name, counts, known in (("tier", self.findings, TIERS), ("status", self.campaigns, STATUSES)):
            if unknown := sorted(set(counts or ()) - set(known)):
                raise ValueError(f"unknown {name} {unknown[0]!r}; known: {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class _Gauge:
    """A metric."""

    name: str
    """Name without the prefix."""
    field: str
    """Field of :class:`RunMetrics`."""
    help: str
    label: str = ""
    """Name of its own label, if it has one."""
    values: tuple[str, ...] = ("",)
    """Values of the label."""
    unknown: int = 0
    """Value to write for an unknown figure."""


_GAUGES: Final = (
    _Gauge("last_success_timestamp_seconds", "last_success", "When the last successful run ended, 0 if none did."),
    _Gauge("last_run_timestamp_seconds", "last_run", "When the last run ended, successful or not."),
    _Gauge("last_run_duration_seconds", "duration_seconds", "How long the last run took."),
    _Gauge(
        "last_run_exit_code",
        "exit_code",
        "Exit code of the last run: 0, 3 and 4 mean success, 75 that the state was in use.",
    ),
    _Gauge("last_run_rows", "rows", "Rows that the last run with a result read, including rejects."),
    _Gauge("last_run_rejected_rows", "rejects", "Rows that the last run with a result rejected."),
    _Gauge("last_run_cut_files", "cut_files", "Files that were cut off or unreadable in the last run with a result."),
    _Gauge(
        "newest_prompt_timestamp_seconds",
        "newest_prompt",
        "Time of the newest prompt in the window, 0 if none has one.",
    ),
    _Gauge("window_prompts", "prompts_in_window", "Prompts in the window of the state."),
    _Gauge("window_accounts", "accounts_in_window", "Accounts in the window of the state."),
    _Gauge("findings", "findings", "Findings of the last successful run, by tier.", "tier", TIERS),
    _Gauge("campaigns", "campaigns", "Campaigns that the state knows, by status.", "status", STATUSES),
    _Gauge("alerts_failed", "alerts_failed", "Alerts that the last run gave up."),
    _Gauge("alerts_pending", "alerts_pending", "Alerts that wait for a later run."),
    _Gauge(
        "window_complete",
        "window_complete",
        "0 if a file of the window was lost in the last successful run, else 1.",
        unknown=1,
    ),
)
"""All metrics but ``build_info``, in the order of the file."""


def metrics_text(values: RunMetrics, *, labels: Mapping[str, str] | None = None) -> str:
    """Metrics in the text format of Prometheus. An unknown figure is 0; an unknown window counts as complete.

    Args:
        values: the figures. The text always has all series.
        labels: labels for every series, such as ``{"job_name": "nightly"}``. Files in one folder must differ in one.

    Raises:
        UsageError: the name of a label is malformed or taken.
    """
    constant = [(_label_name(name), value) for name, value in (labels or {}).items()]
    return "".join(f"{line}\n" for line in _lines(values, constant))


def _lines(values: RunMetrics, constant: list[tuple[str, str]]) -> Iterator[str]:
    for gauge in _GAUGES:
        yield f"# HELP {_PREFIX}{gauge.name} {gauge.help}"
        yield f"# TYPE {_PREFIX}{gauge.name} gauge"
        value: Any = getattr(values, gauge.field)
        for at in gauge.values:
            own = [(gauge.label, at)] if gauge.label else []
            number = (value or {}).get(at, 0) if gauge.label else value
            yield f"{_PREFIX}{gauge.name}{_labels([*constant, *own])} {gauge.unknown if number is None else number}"
    yield f"# HELP {_PREFIX}build_info Version that wrote this file; always 1."
    yield f"# TYPE {_PREFIX}build_info gauge"
    yield f"{_PREFIX}build_info{_labels([*constant, ('version', __version__)])} 1"


def _label_name(name: str) -> str:
    taken = {gauge.label for gauge in _GAUGES} | {"version"}
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) or name.startswith("__") or name in taken:
        raise UsageError(
            f"the name of a label must be letters, digits and _, not {', '.join(sorted(taken - {''}))}; got {name!r}"
        )
    return name


def _labels(labels: list[tuple[str, str]]) -> str:
    shown = []
    for name, value in labels:
        text = value.encode("utf-8", "backslashreplace").decode()
        text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        shown.append(f'{name}="{text}"')
    return "{" + ",".join(shown) + "}" if shown else ""


def write_metrics(path: str | os.PathLike[str], values: RunMetrics, *, labels: Mapping[str, str] | None = None) -> None:
    """Replaces the metrics file as a whole. Everybody may read it.

    Args:
        path: of the file. Its folder is made if it is missing, and everybody may read it. node_exporter reads
            only names that end with ``.prom``.
        values: the figures. Unknown ones are taken from the earlier file, if it can be read.
        labels: as for :func:`metrics_text`.

    Raises:
        OutputError: the file cannot be written.
        UsageError: the name of a label is malformed or taken.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OutputError(f"cannot write the metrics to {target}: it is not a file")
    text = metrics_text(_with_earlier(values, target), labels=labels)
    try:
        _make_folder(target.parent)
        with replacing(target) as stream:
            stream.write(text.encode())
            os.fchmod(stream.fileno(), 0o644)
    except OSError as error:
        raise OutputError(f"cannot write the metrics to {target}: {error.strerror or error}") from None


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it that are missing, for everybody to read, whatever the umask of the run is."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def read_metrics(path: str | os.PathLike[str]) -> dict[str, float]:
    """The gauges without labels of their own in a metrics file, by name: ``{"last_run_exit_code": 0.0}``.

    Lines of other programs are ignored. A file that cannot be read gives no gauges.
    """
    return {name: number for (name, value), number in _earlier(Path(path)).items() if not value}


def _with_earlier(values: RunMetrics, path: Path) -> RunMetrics:
    """The figures, with unknown ones from an earlier file."""
    unknown = [gauge for gauge in _GAUGES if getattr(values, gauge.field) is None]
    if not unknown:
        return values
    earlier = _earlier(path)
    kept: dict[str, Any] = {}
    for gauge in unknown:
        found = {at: earlier[gauge.name, at] for at in gauge.values if (gauge.name, at) in earlier}
        if gauge.field == "last_success":
            # A time in the future, from a wrong clock, would hide for years that no run succeeds.
            kept[gauge.field] = min(found.get("", 0.0), values.last_run)
        else:
            whole = {at: int(number) for at, number in found.items()}
            kept[gauge.field] = whole if gauge.label else whole.get("")
    return dataclasses.replace(values, **kept)


def _earlier(path: Path) -> dict[tuple[str, str], float]:
    """Figures of a metrics file, by name and by the value of their own label. Lines of other programs are ignored."""
    try:
        with open(path, "rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return {}
    gauges = {gauge.name: gauge for gauge in _GAUGES}
    found: dict[tuple[str, str], float] = {}
    for line in text.split("\n"):
        match = re.fullmatch(rf"{_PREFIX}(\w+)(?:\{{(.*)\}})? ([0-9.e+]{{1,40}})\r?", line)
        gauge = gauges.get(match[1]) if match else None
        if match is None or gauge is None:
            continue
        own = re.search(rf'(?:^|,){gauge.label}="([^"\\]*)"', match[2] or "") if gauge.label else None
        try:
            number = float(match[3])
        except ValueError:
            continue
        if math.isfinite(number):
            found[gauge.name, own[1] if own else ""] = number
    return found
