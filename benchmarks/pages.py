"""Sections of Markdown pages that benchmarks replace, and a description of the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ran_on", "write_section"]


def write_section(file: Path, name: str, text: str) -> None:
    """Puts a section between its markers in a Markdown file.

    Raises:
        SystemExit: the file lacks the markers.
    """
    start, stop = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = file.read_text(encoding="utf-8")
    if start not in old or stop not in old:
        raise SystemExit(f"{file} lacks the markers {start} and {stop}")
    head, rest = old.split(start, 1)
    file.write_text(f"{head}{start}\n{text}{stop}{rest.split(stop, 1)[1]}", encoding="utf-8")


def ran_on(versions: Mapping[str, str]) -> str:
    """The machine and the versions of packages, in words."""
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{os.cpu_count()} cores ({platform.machine()}), {named}"
