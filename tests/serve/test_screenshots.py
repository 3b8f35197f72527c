"""The pictures of the documentation: a browser takes them from a report and a server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import _screenshots

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, _screenshots.BROWSERS)), reason="no chromium to take pictures in"
)


def test_pictures_are_taken_of_the_report_and_of_the_pages(folders: tuple[Path, Path], tmp_path: Path) -> None:
    out, state = folders
    with _screenshots.serving(out, state) as address:
        files = _screenshots.photograph(out / "report.html", address, tmp_path / "images")
    assert [file.stem for file in files] == list(_screenshots.PICTURES)
    contents = [file.read_bytes() for file in files]
    assert all(content.startswith(b"\x89PNG") for content in contents)
    assert len(set(contents)) == len(contents), "three different pages"
