"""Scans one dump again and again, each time only from one stage on.

The first scan records what every stage returned. A later scan takes the results of the stages before a given one from
the record and runs the rest as they are. All that depends on the shape of :mod:`harvestdetect.stages` is in
:data:`STAGES`, which names its functions.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from benchmarks.constants import PACKAGE, SETTINGS, Constant
from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import Detection
from harvestdetect.judge.attribute import Signature

__all__ = ["STAGES", "Recorded", "stage_of"]

STAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "read": ("pipeline:PLAIN.read", "stages.forming:parts_by_prompt"),
    "encode": ("stages.comparing:embed", "stages.measuring:prompt_vectors"),
    "attribute": ("side_outputs:attribute",),
    "neighbors": ("pipeline:PLAIN.find_neighbors",),
    "cluster": ("pipeline:PLAIN.cluster",),
    "assign": ("stages.forming:verbatim_clusters", "stages.forming:assign_prompts"),
    "templates": ("pipeline:PLAIN.describe",),
    "campaigns": ("stages.forming:find_campaigns",),
    "accounts": ("stages.forming:with_accounts",),
    "background": ("evidence.comparison:_neighbourhood_words",),
    "evidence": ("stages.measuring:comparison_of", "pipeline:PLAIN.measure"),
    "judge": (),
}
"""The stages in their order, each with the functions that do its work: ``module:name`` as the caller knows them, or
``module:name.field`` of a frozen value there. What a function returns depends only on its arguments and on the
constants of its own stage and of earlier ones. The last stage always runs."""

_FIRST_USE: Final = {
    "util.amounts": "read",
    "util.amounts.NEARLY_ALL": "cluster",
    "util.amounts.SMALL_PART": "assign",
    "util.amounts.FEW": "accounts",
    "util.amounts.MIN_SAMPLE": "accounts",
    "util.amounts.GROUP": "campaigns",
    "util.amounts.SEVERAL": "attribute",
    "corpus": "read",
    "corpus.account_fields": "accounts",
    "cluster": "cluster",
    "cluster.assign": "assign",
    "template": "templates",
    "campaign": "campaigns",
    "accounts": "accounts",
    "evidence": "evidence",
    "evidence.comparison": "background",
    "judge": "evidence",
    "judge.attribute": "attribute",
    "judge.calibration": "judge",
    "judge.findings": "judge",
    "judge.resolve": "judge",
    "incremental": "read",
}
"""Package, module or constant -> the first stage that may use it. Imports go down the packages, so no earlier stage
does."""
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
    "fdr": "judge",
}


def stage_of(constant: Constant) -> str:
    """The first stage that may use a constant.

    Raises:
        KeyError: nothing is known of its package, or of the setting.
    """
    if constant.module == SETTINGS:
        return _SETTING_STAGES[constant.name]
    package = constant.module.split(".", 1)[0]
    return _FIRST_USE.get(str(constant)) or _FIRST_USE.get(constant.module) or _FIRST_USE[package]


class Recorded:
    """A dump with the record of its scan.

    Args:
        files: the dump.
        settings: of every scan.
    """

    def __init__(self, files: Sequence[Path], *, settings: Settings) -> None:
        self.files, self.settings = list(files), settings
        self._signatures: Sequence[Signature] = ()
        self._record: dict[tuple[str, int], Any] = {}
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
            return self._record[name, number] if name in before else function(*args, **kwargs)

        return replaying

    def _recording(self, name: str, function: Callable[..., Any], number: int, args: Any, kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        self._record[name, number] = result
        return result

    def _scan(self, settings: Settings) -> Detection:
        return detect(read_dumps(self.files, settings=settings), settings=settings, signatures=self._signatures)


@contextmanager
def _patched(instead: Callable[[str, Callable[..., Any], int, Any, Any], Any]) -> Iterator[None]:
    """The functions of :data:`STAGES` replaced by one that learns which was called, how often before, and with what."""
    calls: dict[str, int] = {}

    def stand_in(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            number = calls.get(name, 0)
            calls[name] = number + 1
            return instead(name, function, number, args, kwargs)

        return call

    undo: list[tuple[ModuleType, str, Any]] = []
    try:
        for name in (name for functions in STAGES.values() for name in functions):
            module, _, path = name.partition(":")
            own, _, field = path.partition(".")
            holder = importlib.import_module(f"{PACKAGE}.{module}")
            known = getattr(holder, own)
            undo.append((holder, own, known))
            if field:
                setattr(holder, own, replace(known, **{field: stand_in(name, getattr(known, field))}))
            else:
                setattr(holder, own, stand_in(name, known))
        yield
    finally:
        for holder, own, known in reversed(undo):
            setattr(holder, own, known)
