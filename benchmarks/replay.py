"""Scans one dump again and again, each time only from one stage on.

The first scan records what every stage returned. A later scan takes the results of the stages before a given one from
the record and runs the rest as they are. All that depends on the shape of :mod:`harvestdetect.pipeline` is here:
:data:`STAGES` names its functions, and :func:`_state` what they leave in the run beside their result.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.constants import SETTINGS, Constant
from harvestdetect import Settings, detect, pipeline, read_dumps
from harvestdetect.data import Detection
from harvestdetect.judge.attribute import Signature
from harvestdetect.judge.measure import Weighed

__all__ = ["STAGES", "Recorded", "stage_of"]

STAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "read": ("_read", "parts_of"),
    "encode": ("_encode", "prompt_vectors"),
    "neighbors": ("_nearest",),
    "cluster": ("_cluster",),
    "assign": ("verbatim_clusters", "assign_prompts"),
    "templates": ("_described",),
    "campaigns": ("_campaigns",),
    "evidence": ("background_of", "_weighed"),
    "judge": (),
}
"""The stages in their order, each with the functions of the pipeline that do its work. The last one always runs."""

_ROOM_STAGES: Final = {
    "corpus": "read",
    "cluster": "cluster",
    "cluster.assign": "assign",
    "template": "templates",
    "campaign": "campaigns",
    "evidence": "evidence",
    "judge": "evidence",
    "judge.attribute": "judge",
    "judge.calibration": "judge",
    "judge.findings": "judge",
    "judge.merge": "judge",
    "incremental": "read",
}
"""Room or module -> the first stage that may use its constants. Imports go down the rooms, so no earlier stage does."""
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
    return _ROOM_STAGES.get(constant.module) or _ROOM_STAGES[constant.module.split(".", 1)[0]]


class Recorded:
    """A dump with the record of its scan.

    Args:
        files: the dump.
        settings: of every scan.
        signatures: templates of known campaigns whose senders are looked for.
    """

    def __init__(self, files: Sequence[Path], *, settings: Settings, signatures: Sequence[Signature] = ()) -> None:
        self.files, self.settings, self.signatures = list(files), settings, signatures
        self._record: dict[tuple[str, int], tuple[Any, dict[str, Any]]] = {}
        self.candidates: list[Weighed] = []
        """What was measured on every candidate of the first scan, before any calibration."""
        with _patched(self._recording):
            self.detection = self._scan(settings)
        """The first scan."""

    def again(self, stage: str, changes: Mapping[str, Any] | None = None) -> Detection:
        """The scan from a stage on, with some settings changed."""
        order = list(STAGES)
        before = {name for one in order[: order.index(stage)] for name in STAGES[one]}

        def replaying(name: str, function: Callable[..., Any], number: int, args: Any, kwargs: Any) -> Any:
            if name not in before:
                return function(*args, **kwargs)
            result, left = self._record[name, number]
            _restore(args, kwargs, left)
            return result

        with _patched(replaying):
            return self._scan(self.settings.replace(**(changes or {})))

    def _recording(self, name: str, function: Callable[..., Any], number: int, args: Any, kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        self._record[name, number] = result, _state(args, kwargs)
        return result

    def _scan(self, settings: Settings) -> Detection:
        candidates: list[Weighed] = []
        dumps = read_dumps(self.files, settings=settings)
        found = detect(dumps, settings=settings, signatures=self.signatures, candidates=candidates)
        self.candidates = self.candidates or candidates
        return found


@contextmanager
def _patched(instead: Callable[[str, Callable[..., Any], int, Any, Any], Any]) -> Iterator[None]:
    """The functions of :data:`STAGES` replaced in the pipeline by one that is told which was called, how often before,
    and with what."""
    names = [name for functions in STAGES.values() for name in functions]
    known = {name: getattr(pipeline, name) for name in names}
    calls = dict.fromkeys(names, 0)

    def stand_in(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            number = calls[name]
            calls[name] += 1
            return instead(name, known[name], number, args, kwargs)

        return call

    for name in names:
        setattr(pipeline, name, stand_in(name))
    try:
        yield
    finally:
        for name, function in known.items():
            setattr(pipeline, name, function)


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
