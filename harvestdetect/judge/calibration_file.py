"""The file of a calibration: canonical JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from harvestdetect.errors import CalibrationError, OutputError
from harvestdetect.judge.calibration import Calibration
from harvestdetect.judge.ledger_file import reaches_of
from harvestdetect.util.files import replacing

__all__ = ["VERSION", "load_calibration", "save_calibration"]

FORMAT: Final = "harvestdetect-calibration"
"""Value of ``format`` in the file."""
VERSION: Final = 4
"""Version of the file. Versions 1 and 2 had p-values of measures, which no longer decide; version 3 lacked the
number of accounts of the innocent candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """The file as it is decoded; see :class:`Calibration`."""

    innocents: tuple[dict[str, float], ...]
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
        "innocents": [dict(one) for one in calibration.innocents],
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
    if version in (1, 2) and not isinstance(version, bool):
        raise CalibrationError(
            f"the calibration {path} is of version {version}, whose p-values no longer decide; make it again with "
            "harvestdetect calibrate"
        )
    if version != VERSION or isinstance(version, bool):
        raise CalibrationError(
            f"the calibration {path} is of version {version!r}, this harvestdetect reads {VERSION}; make it again with "
            "harvestdetect calibrate"
        )
    try:
        stored = msgspec.convert(values, _Stored)
    except msgspec.ValidationError as error:
        raise CalibrationError(f"the calibration {path} is damaged: {error}") from None
    if stored.held_out_prompts < 0 or any(r is not None and r < 0 for reach in stored.held_out for r in reach):
        raise CalibrationError(f"the calibration {path} is damaged: a count or rate is negative")
    return Calibration(
        innocents=stored.innocents,
        held_out=reaches_of(stored.held_out),
        held_out_prompts=stored.held_out_prompts,
        counts=stored.counts,
        files=stored.files,
        settings=stored.settings,
        models=stored.models,
        versions=stored.versions,
        created=stored.created,
        sha256=sha256(data).hexdigest(),
    )
