"""Writes the files of a drill."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harvestdetect.drill.page import drill_page
from harvestdetect.drill.result import Drill
from harvestdetect.drill.table import drill_json
from harvestdetect.errors import OutputError
from harvestdetect.report import check_writable
from harvestdetect.util.files import replacing

__all__ = ["DRILL_NAMES", "write_drill"]

DRILL_NAMES: Final = ("drill.json", "drill.html")
"""The files that a drill writes."""


def write_drill(drill: Drill, out: Path) -> list[Path]:
    """Writes :data:`DRILL_NAMES` into the folder ``out``, which is made if it is missing.

    Raises:
        OutputError: ``out`` is a file, may not be written, or its disk is full.
    """
    check_writable(out)
    contents = {"drill.json": drill_json(drill), "drill.html": drill_page(drill)}
    for name in DRILL_NAMES:
        try:
            with replacing(out / name) as stream:
                stream.write(contents[name].encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise OutputError(
                f"cannot write {out / name}: {error.strerror or error}; give --out another folder"
            ) from error
    return [out / name for name in DRILL_NAMES]
