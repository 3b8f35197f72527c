"""Figures of a run for Prometheus, as a file that node_exporter's textfile collector reads.

All are gauges: a run is a process of its own and counts nothing up. The file is replaced as a whole, so that a scrape
sees one run or the next. A run that failed says nothing about the state; what it does not know is kept from the file
that is there.
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
_PREFIX: Final = "harvestdetect_"
_MOST_BYTES: Final = 1_000_000
"""Of an earlier file; no more of it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetrics:
    """What a run did and what the state holds after it.

    Where None is allowed it means unknown: the figure of the earlier file stays, or 0 without one.

    Raises:
        ValueError: a figure is negative or no number, or a tier or status is unknown.
    """

    last_run: float
    """Unix seconds at which the run ended, well or not."""
    last_success: float | None = None
    """The same where it did its work (exit code 0, 3 or 4); None where it failed."""
    duration_seconds: float
    exit_code: int
    rows: int = 0
    """Read in this run, the rejected ones among them."""
    rejects: int = 0
    """Of them, not usable."""
    prompts_in_window: int | None = None
    accounts_in_window: int | None = None
    findings: Mapping[str, int] | None = None
    """By tier; tiers that are left out have 0."""
    campaigns: Mapping[str, int] | None = None
    """Known ones, by status; what is left out has 0."""
    alerts_failed: int | None = None
    """Given up by this run; none of them is pending."""
    alerts_pending: int | None = None
    """Kept for a later run; none of them has failed for good."""
    window_complete: int | None = None
    """1 where every file of the window was there, 0 where one was lost."""

    def __post_init__(self) -> None:
        """Check that every figure can be one."""
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
    name: str
    field: str
    help: str
    label: str = ""
    values: tuple[str, ...] = ("",)
    """Of the label."""
    unknown: int = 0
    """Written where the figure is not known."""


_GAUGES: Final = (
    _Gauge("last_success_timestamp_seconds", "last_success", "When a run last did its work, 0 if never."),
    _Gauge("last_run_timestamp_seconds", "last_run", "When the last run ended, well or not."),
    _Gauge("last_run_duration_seconds", "duration_seconds", "How long the last run took."),
    _Gauge(
        "last_run_exit_code", "exit_code", "Exit code of the last run: 0, 3 and 4 did their work, 75 was locked out."
    ),
    _Gauge("last_run_rows", "rows", "Rows that the last run read, rejected ones included."),
    _Gauge("last_run_rejected_rows", "rejects", "Rows that the last run read and could not use."),
    _Gauge("window_prompts", "prompts_in_window", "Prompts in the window of the state."),
    _Gauge("window_accounts", "accounts_in_window", "Accounts in the window of the state."),
    _Gauge("findings", "findings", "Findings of the last run that did its work, by tier.", "tier", TIERS),
    _Gauge("campaigns", "campaigns", "Campaigns that the state knows, by status.", "status", STATUSES),
    _Gauge("alerts_failed", "alerts_failed", "Alerts that the last run gave up."),
    _Gauge("alerts_pending", "alerts_pending", "Alerts that wait for a later run."),
    _Gauge(
        "window_complete",
        "window_complete",
        "0 where a file of the window was lost in the last run that did its work, else 1.",
        unknown=1,
    ),
)


def metrics_text(values: RunMetrics, *, labels: Mapping[str, str] | None = None) -> str:
    """The text exposition format of Prometheus. An unknown figure is 0; an unknown window counts as complete.

    Args:
        values: all series are there whatever they are.
        labels: put on every series, such as ``{"job_name": "nightly"}``: files in one folder must differ in one.

    Raises:
        UsageError: a label's name is not one, or is taken.
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
            f"a label is named by letters, digits and _, and not {', '.join(sorted(taken - {''}))}: {name!r}"
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
    """Replace the file of metrics as a whole, readable by all.

    Args:
        path: node_exporter reads only files that end with ``.prom``. Its folder must exist.
        values: what is None in them is taken from the file that is there, as far as that can be read.
        labels: as :func:`metrics_text` takes them.

    Raises:
        OutputError: the file cannot be written.
        UsageError: a label's name is not one, or is taken.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OutputError(f"cannot write the metrics {target}: it is there and not a file")
    text = metrics_text(_with_earlier(values, target), labels=labels)
    try:
        with replacing(target) as stream:
            stream.write(text.encode())
            os.fchmod(stream.fileno(), 0o644)
    except OSError as error:
        raise OutputError(f"cannot write the metrics {target}: {error.strerror or error}") from None


def read_metrics(path: str | os.PathLike[str]) -> dict[str, float]:
    """The gauges without labels of their own in a file of metrics, by name: ``{"last_run_exit_code": 0.0}``.

    Lines that are not of this package are passed over; a file that cannot be read gives none.
    """
    return {name: number for (name, value), number in _earlier(Path(path)).items() if not value}


def _with_earlier(values: RunMetrics, path: Path) -> RunMetrics:
    unknown = [gauge for gauge in _GAUGES if getattr(values, gauge.field) is None]
    if not unknown:
        return values
    earlier = _earlier(path)
    kept: dict[str, Any] = {}
    for gauge in unknown:
        found = {at: earlier[gauge.name, at] for at in gauge.values if (gauge.name, at) in earlier}
        if gauge.field == "last_success":
            # A clock that was wrong once must not hide for years that nothing succeeds.
            kept[gauge.field] = min(found.get("", 0.0), values.last_run)
        else:
            whole = {at: int(number) for at, number in found.items()}
            kept[gauge.field] = whole if gauge.label else whole.get("")
    return dataclasses.replace(values, **kept)


def _earlier(path: Path) -> dict[tuple[str, str], float]:
    """Figures by name and value of their own label; lines that are not of ours are passed over."""
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
