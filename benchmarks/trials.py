"""One trial of the sensitivity study: a constant is moved, a dump scanned from its stage on, the findings compared."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from benchmarks.constants import SETTINGS, Constant
from benchmarks.moving import MOVES, cannot_move, moved, moved_value, value_of
from benchmarks.replay import Recorded, stage_of
from benchmarks.trial_dumps import BENIGN, TrialDump, make, split_by_time
from harvestdetect import Settings, detect, read_dumps
from harvestdetect.context import open_context
from harvestdetect.data import TIERS, Detection, Tier
from harvestdetect.judge.attribute import Signature
from harvestdetect.judge.calibration import Half, fit_calibration, half_of
from harvestdetect.judge.calibration_file import save_calibration
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.pipeline import Scan, run_scan
from harvestdetect.report.files import campaigns_jsonl, candidates_jsonl
from harvestdetect.simulate.evaluate import Planted, evaluate, found_of

__all__ = ["LEAST", "Bench", "Change", "Level", "Metrics", "Trial", "outcome_of", "tried_on"]

Level: TypeAlias = Literal["nothing", "numbers", "findings"]
"""What a move changes: nothing at all; scores, p-values or memberships; which accounts are found, or recommended, or at
which tier."""

SENTENCES: Final = frozenset({"sentence", "summary", "changes", "null", "failed"})
"""Keys of findings and candidates that only put into words what other keys hold."""
SIGNATURES: Final = 4
"""Known templates whose senders are looked for in a dump: each takes a second."""
LEAST: Final = Constant("incremental.folder", "LEAST_TEXTS", "texts")
"""Texts from which clusters are carried on: lowered, so that a small dump shows what that changes."""
_CARRIED: Final = ("incremental", "judge.resolve.FAR")
"""Package, module or constant that only a later scan of most of the same texts uses."""
_CALIBRATED: Final = ("judge.calibration",)
"""The same for scans with a calibration."""


def tried_on(constant: Constant, dump: TrialDump) -> bool:
    """Whether a constant is tried on a dump: those of later scans and of calibrations on the dumps made for them."""
    names = (constant.module.split(".", 1)[0], constant.module, str(constant))
    if any(name in _CALIBRATED for name in names):
        return dump.kind == "calibrated"
    if any(name in _CARRIED for name in names):
        return dump.kind == "carried"
    return dump.kind == "scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What a scan of a labelled dump gave. A ratio is None where its denominator is zero."""

    campaigns: int
    campaigns_found: int
    account_recall: float | None
    account_precision: float | None
    recommended_precision: float | None
    alarms: int
    """False findings at urgent or review."""
    alarms_urgent: int
    findings: Mapping[Tier, int]
    recommended: int
    """Accounts recommended for action, in findings of any tier."""
    attributed: int
    """Accounts recognised by the templates of known campaigns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one move of a constant changed on one dump."""

    value: Any
    level: Level
    metrics: Metrics | None
    """None where the scan failed."""
    findings: int = 0
    """Findings (accounts and tier) that are new or gone."""
    accounts: int = 0
    """Accounts whose strongest tier changed."""
    recommended: int = 0
    """Accounts that are recommended for action now and were not, or the other way round."""
    error: str = ""
    """Why the scan with this value failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A constant on a dump."""

    constant: str
    dump: str
    value: Any
    base: Metrics
    moves: Mapping[str, Change]
    """By the name of the move; a move that is not possible is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is compared of two scans."""

    metrics: Metrics
    findings: Counter[tuple[Tier, frozenset[str]]]
    tiers: Mapping[str, Tier]
    """Account -> its strongest tier."""
    recommended: frozenset[str]
    numbers: str
    """All findings and candidates without their sentences, and the accounts recognised."""


def outcome_of(detection: Detection, truth: list[Planted]) -> Outcome:
    """What is compared of a scan."""
    found = found_of(detection)
    scores = evaluate(found, truth)
    tiers: dict[str, Tier] = {}
    for one in sorted(found, key=lambda f: -TIERS.index(f.tier)):
        tiers.update(dict.fromkeys(one.accounts, one.tier))
    rows = [*campaigns_jsonl(detection).splitlines(), *candidates_jsonl(detection).splitlines()]
    recommended = frozenset[str]().union(*(f.recommended for f in found))
    attributed = sorted((a.campaign_id, a.account, a.prompts) for a in detection.attributed)
    return Outcome(
        metrics=Metrics(
            campaigns=scores.campaigns,
            campaigns_found=scores.campaigns_found,
            account_recall=scores.account_recall,
            account_precision=scores.account_precision,
            recommended_precision=scores.recommended_precision,
            alarms=scores.alarms,
            alarms_urgent=scores.alarms_urgent,
            findings={tier: sum(f.tier == tier for f in found) for tier in TIERS},
            recommended=len(recommended),
            attributed=len(attributed),
        ),
        findings=Counter((f.tier, f.accounts) for f in found),
        tiers=tiers,
        recommended=recommended,
        numbers=repr(([_wordless(json.loads(row)) for row in rows], attributed)),
    )


def _wordless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _wordless(inner) for key, inner in value.items() if key not in SENTENCES}
    return [_wordless(inner) for inner in value] if isinstance(value, list) else value


def _compared(value: Any, base: Outcome, new: Outcome) -> Change:
    findings = (base.findings - new.findings).total() + (new.findings - base.findings).total()
    accounts = sum(base.tiers.get(a) != new.tiers.get(a) for a in {*base.tiers, *new.tiers})
    recommended = len(base.recommended ^ new.recommended)
    attributed = base.metrics.attributed != new.metrics.attributed
    level: Level = "nothing" if base.numbers == new.numbers else "numbers"
    return Change(
        value=value,
        level="findings" if findings or accounts or recommended or attributed else level,
        metrics=new.metrics,
        findings=findings,
        accounts=accounts,
        recommended=recommended,
    )


class Bench:
    """A dump that constants are tried on, with the scan that they are compared with.

    Args:
        dump: which.
        folder: where dumps and results are kept.
        rows: rows to aim at.
        data: the public texts; None: the package's grammar.
        settings: of every scan, beside the dump's own.
    """

    def __init__(
        self, dump: TrialDump, folder: Path, *, rows: int, data: Path | None, settings: Mapping[str, Any]
    ) -> None:
        self.dump = dump
        self._settings = Settings(**{"encoder": "fast", "threads": 1, **dump.settings, **settings})
        self._folder = folder
        files, self._truth = make(dump, folder, rows=rows, data=data)
        self._files = files
        if dump.kind == "carried":
            self._files = split_by_time(files, folder / f"{dump.name}-{os.getpid()}")
            self._scan: Callable[[str, Mapping[str, Any]], Detection] = self._carried
            texts = detect(read_dumps(files), settings=self._settings).counts["segments"]
            # twice this is more than there are, and all is clustered anew
            self._least: int | None = round(0.75 * texts)
        else:
            self._least = None
            self._recorded = Recorded(files, settings=self._settings)
            self._recorded.recognise(_signatures(self._recorded.detection))
            self._scan = self._recorded.again
            if dump.kind == "calibrated":
                benign, _ = make(BENIGN, folder, rows=rows, data=data)
                self._benign = _Benign(benign, self._settings)
                self._scan = self._calibrated
        with self._least_set():
            self.base = outcome_of(self._scan("judge", {}), self._truth)

    def tried(self, constant: Constant, moves: Iterable[str] = tuple(MOVES)) -> Trial:
        """A constant, moved each way."""
        with self._least_set():
            value = self._value_of(constant)
            values = {move: moved_value(constant, value, move) for move in moves}
            changes = {move: self._changed(constant, new) for move, new in values.items() if new is not None}
        return Trial(constant=str(constant), dump=self.dump.name, value=value, base=self.base.metrics, moves=changes)

    def _value_of(self, constant: Constant) -> Any:
        if constant.module == SETTINGS:
            return getattr(self._settings, constant.name)
        return value_of(constant)

    def _changed(self, constant: Constant, value: Any) -> Change:
        if reason := cannot_move(constant):
            return Change(value=value, level="nothing", metrics=None, error=reason)
        changes = {constant.name: value} if constant.module == SETTINGS else {}
        try:
            with moved(constant, value), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _compared(value, self.base, outcome_of(self._scan(stage_of(constant), changes), self._truth))
        except Exception as error:
            # a value that the code cannot work with is a result of the study
            return Change(value=value, level="findings", metrics=None, error=f"{type(error).__name__}: {error}")

    @contextlib.contextmanager
    def _least_set(self) -> Iterator[None]:
        """Few texts are carried on from scan to scan only where the bound is lowered."""
        with contextlib.nullcontext() if self._least is None else moved(LEAST, self._least):
            yield

    def _carried(self, stage: str, changes: Mapping[str, Any]) -> Detection:
        """The scan of all rows after one of the first, with what that left; both whole."""
        with tempfile.TemporaryDirectory(dir=self._folder) as work:
            settings = self._settings.replace(work=Path(work), **changes)
            detect(read_dumps(self._files[:1], settings=settings), settings=settings)
            return detect(read_dumps(self._files, settings=settings), settings=settings)

    def _calibrated(self, stage: str, changes: Mapping[str, Any]) -> Detection:
        with tempfile.TemporaryDirectory(dir=self._folder) as work:
            file = Path(work) / "calibration.json"
            self._benign.calibrate(file)
            return self._recorded.again(stage, {**changes, "calibration": file})


def _signatures(detection: Detection) -> list[Signature]:
    """A few templates of what was found, as if they were those of known campaigns."""
    found = [
        Signature(campaign=finding.campaign_id, words=template.words)
        for finding in detection.findings
        for template in finding.templates[:1]
    ]
    return found[:SIGNATURES]


class _Benign:
    """The scans of a benign dump that a calibration is fitted to: as :func:`harvestdetect.calibration.calibrate` does,
    but fitted again for every trial."""

    def __init__(self, files: list[Path], settings: Settings) -> None:
        self._files, self._settings = files, settings
        self._whole = self._scanned(None)
        scans = [self._scanned(half) for half in (0, 1)]
        self._halves = [Half(candidates=scan.measured, prompts=scan.detection.counts["prompts"]) for scan in scans]

    def _scanned(self, half: int | None) -> Scan:
        dumps = read_dumps(self._files, settings=self._settings)
        return run_scan(dumps if half is None else half_of(dumps, half), open_context(self._settings))

    def calibrate(self, file: Path) -> None:
        """Writes the calibration."""
        made = fit_calibration(
            self._whole.detection,
            self._whole.measured,
            self._halves,
            settings=self._settings,
            ledger=shipped_ledger(),
            created=datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        )
        save_calibration(made, file)
