"""The file of a calibration: canonical JSON, keyed by the ids of measures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from harvestdetect.errors import CalibrationError, OutputError
from harvestdetect.evidence.legacy import MEASURE_IDS
from harvestdetect.judge.calibration import Calibration, fit_measure
from harvestdetect.util.files import replacing

__all__ = ["VERSION", "load_calibration", "save_calibration"]

FORMAT: Final = "harvestdetect-calibration"
"""Value of ``format`` in the file."""
VERSION: Final = 2
"""Version of the file that is written. In version 1, which is still read, measures are keyed by name instead of id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """The file as it is decoded; see :class:`Calibration`."""

    measures: dict[str, tuple[float, ...]]
    held_out: tuple[tuple[float | None, float | None, float | None], ...]
    held_out_prompts: int
    counts: dict[str, int]
    files: tuple[tuple[str, str], ...]
    settings: dict[str, str | int | float | bool | None]
    models: dict[str, str]
    versions: dict[str, str]
    created: str


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Writes the file: canonical JSON, so that equal calibrations are equal bytes; a failure leaves what stood there.

    Raises:
        OutputError: it cannot be written.
    """
    values = {
        "format": FORMAT,
        "version": VERSION,
        "measures": {id_: list(measure.p_values) for id_, measure in calibration.measures.items()},
        "held_out": [[r if math.isfinite(r) else None for r in reach] for reach in calibration.held_out],
        "held_out_prompts": calibration.held_out_prompts,
        "counts": dict(calibration.counts),
        "files": [list(file) for file in calibration.files],
        "settings": dict(calibration.settings),
        "models": dict(calibration.models),
        "versions": dict(calibration.versions),
        "created": calibration.created,
    }
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"
    try:
        with replacing(path, mode=0o666) as stream:
            stream.write(text.encode("ascii"))
    except OSError as error:
        raise OutputError(f"cannot write the calibration {path}: {error.strerror or error}") from None


def load_calibration(path: Path) -> Calibration:
    """Reads a file of :func:`save_calibration`.

    Raises:
        CalibrationError: it cannot be read, is no calibration, is of an unknown version, or is inconsistent.
    """
    import msgspec

    try:
        data = path.read_bytes()
        values = msgspec.json.decode(data)
    except OSError as error:
        raise CalibrationError(f"cannot read the calibration {path}: {error.strerror or error}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CalibrationError(f"the calibration {path} is not valid JSON: {error}") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise CalibrationError(f"{path} is no calibration; make one with harvestdetect calibrate")
    version = values.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version not in (1, VERSION):
        raise CalibrationError(
            f"the calibration {path} is of version {version!r}, this harvestdetect reads 1 and {VERSION}; make it "
            "again with harvestdetect calibrate"
        )
    try:
        stored = msgspec.convert(values, _Stored)
    except msgspec.ValidationError as error:
        raise CalibrationError(f"the calibration {path} is damaged: {error}") from None
    for name, p_values in stored.measures.items():
        if not p_values or list(p_values) != sorted(p_values) or not 0 < p_values[0] <= p_values[-1] <= 1:
            raise CalibrationError(
                f"the calibration {path} is damaged: the p-values of {name!r} must be in (0, 1] and ascend"
            )
    measures = _keyed_by_id(stored.measures, path) if version == 1 else stored.measures
    if stored.held_out_prompts < 0 or any(r is not None and r < 0 for reach in stored.held_out for r in reach):
        raise CalibrationError(f"the calibration {path} is damaged: a count or rate is negative")
    return Calibration(
        measures={id_: fit_measure(measures[id_]) for id_ in sorted(measures)},
        held_out=tuple((_rate(urgent), _rate(review), _rate(watch)) for urgent, review, watch in stored.held_out),
        held_out_prompts=stored.held_out_prompts,
        counts=stored.counts,
        files=stored.files,
        settings=stored.settings,
        models=stored.models,
        versions=stored.versions,
        created=stored.created,
        sha256=sha256(data).hexdigest(),
    )


def _keyed_by_id(measures: Mapping[str, tuple[float, ...]], path: Path) -> dict[str, tuple[float, ...]]:
    """The measures of a file of version 1, which are keyed by name, keyed by id.

    Raises:
        CalibrationError: no measure had that name.
    """
    unknown = sorted(set(measures) - set(MEASURE_IDS))
    if unknown:
        raise CalibrationError(f"the calibration {path} is damaged: no measure is named {unknown[0]!r}")
    return {MEASURE_IDS[name]: p_values for name, p_values in measures.items()}


def _rate(value: float | None) -> float:
    return math.inf if value is None else value
