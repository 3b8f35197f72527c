"""Scans one dump again and again, each time only from one stage on.

The first scan records what every stage returned. A later scan takes the results of the stages before a given one from
the record and runs the rest as they are. All that depends on the shape of :mod:`harvestdetect.pipeline` is here:
:data:`STAGES` names its functions, and :func:`_state` what they leave in the run beside their result.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.constants import PACKAGE, SETTINGS, Constant
from harvestdetect import Settings, detect, pipeline, read_dumps
from harvestdetect.data import Detection
from harvestdetect.judge.attribute import Signature
from harvestdetect.judge.measure import Weighed

__all__ = ["STAGES", "Recorded", "stage_of"]

STAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "read": ("pipeline._read", "pipeline.parts_of"),
    "encode": ("pipeline._encode", "pipeline.prompt_vectors"),
    "attribute": ("pipeline.attribute",),
    "neighbors": ("pipeline._nearest",),
    "cluster": ("pipeline._cluster",),
    "assign": ("pipeline.verbatim_clusters", "pipeline.assign_prompts"),
    "templates": ("pipeline._described",),
    "campaigns": ("pipeline._campaigns",),
    "background": ("judge.measure._background_words",),
    "evidence": ("pipeline.background_of", "pipeline._weighed"),
    "judge": (),
}
"""The stages in their order, each with the functions that do its work, under the name by which they are called. What a
function returns depends only on the constants of its own stage and of earlier ones. The last stage always runs."""

_FIRST_USE: Final = {
    "corpus": "read",
    "cluster": "cluster",
    "cluster.assign": "assign",
    "template": "templates",
    "campaign": "campaigns",
    "evidence": "evidence",
    "judge": "evidence",
    "judge.attribute": "attribute",
    "judge.calibration": "judge",
    "judge.findings": "judge",
    "judge.measure.BACKGROUND_TEXTS": "background",
    "judge.measure.NEIGHBOURHOOD": "background",
    "judge.merge": "judge",
    "incremental": "read",
}
"""Room, module or constant -> the first stage that may use it. Imports go down the rooms, so no earlier stage does."""
_SETTING_STAGES: Final = {
    "segment_characters": "read",
    "max_windows": "read",
    "k": "neighbors",
    "min_samples": "cluster",
    "min_cluster_size": "cluster",
    "distance_floor": "cluster",
    "distance_cap": "cluster",
    "min_accounts": "read",
    "max_account_share": "cluster",
    "link_log_p": "campaigns",
    "low_share": "judge",
    "fdr": "judge",
}
_LEFT: Final = ("rejects", "files", "counts", "models", "told", "encode", "repeated", "batch_bytes")
"""What a stage leaves in the run beside its result."""


def stage_of(constant: Constant) -> str:
    """The first stage that may use a constant.

    Raises:
        KeyError: nothing is known of its room, or of the setting.
    """
    if constant.module == SETTINGS:
        return _SETTING_STAGES[constant.name]
    room = constant.module.split(".", 1)[0]
    return _FIRST_USE.get(str(constant)) or _FIRST_USE.get(constant.module) or _FIRST_USE[room]


class Recorded:
    """A dump with the record of its scan.

    Args:
        files: the dump.
        settings: of every scan.
    """

    def __init__(self, files: Sequence[Path], *, settings: Settings) -> None:
        self.files, self.settings = list(files), settings
        self._signatures: Sequence[Signature] = ()
        self._record: dict[tuple[str, int], tuple[Any, dict[str, Any]]] = {}
        self.candidates: list[Weighed] = []
        """What was measured on every candidate of the first scan, before any calibration."""
        with _patched(self._recording):
            self.detection = self._scan(settings)
        """The first scan."""

    def again(self, stage: str, changes: Mapping[str, Any] | None = None) -> Detection:
        """The scan from a stage on, with some settings changed."""
        with _patched(self._replaying(stage)):
            return self._scan(self.settings.replace(**(changes or {})))

    def recognise(self, signatures: Sequence[Signature]) -> None:
        """Has every later scan look for the senders of some templates of known campaigns."""
        self._signatures = signatures
        replaying = self._replaying("judge")

        def recording(name: str, function: Callable[..., Any], number: int, args: Any, kwargs: Any) -> Any:
            known = (name, number) in self._record
            return (replaying if known else self._recording)(name, function, number, args, kwargs)

        with _patched(recording):
            self._scan(self.settings)

    def _replaying(self, stage: str) -> Callable[..., Any]:
        """Takes what comes before a stage from the record."""
        order = list(STAGES)
        before = {name for one in order[: order.index(stage)] for name in STAGES[one]}

        def replaying(name: str, function: Callable[..., Any], number: int, args: Any, kwargs: Any) -> Any:
            if name not in before:
                return function(*args, **kwargs)
            result, left = self._record[name, number]
            _restore(args, kwargs, left)
            return result

        return replaying

    def _recording(self, name: str, function: Callable[..., Any], number: int, args: Any, kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        self._record[name, number] = result, _state(args, kwargs)
        return result

    def _scan(self, settings: Settings) -> Detection:
        candidates: list[Weighed] = []
        dumps = read_dumps(self.files, settings=settings)
        found = detect(dumps, settings=settings, signatures=self._signatures, candidates=candidates)
        self.candidates = self.candidates or candidates
        return found


@contextmanager
def _patched(instead: Callable[[str, Callable[..., Any], int, Any, Any], Any]) -> Iterator[None]:
    """The functions of :data:`STAGES` replaced by one that learns which was called, how often before, and with what."""
    names = [name for functions in STAGES.values() for name in functions]
    places = {name: name.rpartition(".")[::2] for name in names}
    known = {
        name: (holder := importlib.import_module(f"{PACKAGE}.{module}"), own, getattr(holder, own))
        for name, (module, own) in places.items()
    }
    calls = dict.fromkeys(names, 0)

    def stand_in(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            number = calls[name]
            calls[name] += 1
            return instead(name, known[name][2], number, args, kwargs)

        return call

    for name, (holder, own, _) in known.items():
        setattr(holder, own, stand_in(name))
    try:
        yield
    finally:
        for holder, own, function in known.values():
            setattr(holder, own, function)


def _run_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return next((value for value in (*args, *kwargs.values()) if isinstance(value, pipeline._Run)), None)


def _state(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What the run holds, copied."""
    run = _run_of(args, kwargs)
    return {} if run is None else {name: copy.copy(getattr(run, name)) for name in _LEFT}


def _restore(args: Sequence[Any], kwargs: Mapping[str, Any], left: Mapping[str, Any]) -> None:
    run = _run_of(args, kwargs)
    for name, value in left.items():
        setattr(run, name, copy.copy(value))
