"""Sections of Markdown pages that benchmarks replace, and a description of the machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["publish", "ran_on", "write_section"]


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


def publish(text: str, page: Path | None, section: str, *, command: str, commit: str) -> None:
    """Prints the tables of a benchmark, and puts them into a section of a page under the command that printed them.

    Args:
        text: the tables.
        page: a Markdown file; None prints only.
        section: its name, see :func:`write_section`.
        command: as it may be printed, without folders.
        commit: of the code that was measured.
    """
    from harvestdetect.util.versions import versions

    sys.stdout.write(text)
    if page is not None:
        write_section(page, section, f"`{command}` on {ran_on(versions())}; commit {commit}.\n\n{text}")
