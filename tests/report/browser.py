"""A headless browser for the tests of pages."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["BROWSER", "printed_pages", "run_browser"]

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --disable-quic"
)


def run_browser(page: Path, *flags: str) -> bytes:
    """What the browser prints; the test is skipped where it does not answer."""
    assert BROWSER is not None
    command = [BROWSER, *_FLAGS.split(), f"--user-data-dir={page.parent / 'profile'}", *flags, page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the browser did not answer in time")
    if done.returncode:
        pytest.skip(f"the browser could not render: {done.stderr[-200:]!r}")
    return done.stdout


def printed_pages(page: Path) -> int:
    """The number of pages of a page that is printed as PDF."""
    file = page.with_suffix(".pdf")
    run_browser(page, "--no-pdf-header-footer", f"--print-to-pdf={file}")
    return len(re.findall(rb"/Type\s*/Page\b", file.read_bytes()))
