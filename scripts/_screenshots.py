"""Makes the pictures of the documentation from a simulated dump, in a headless Chromium.

::

    python -m scripts._screenshots docs/images
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
"""Names of the browser on the path; the first that is there is used."""
WIDTH: Final = 1_200
"""Width of every picture in pixels."""
HEIGHT: Final = 900
"""Height of every picture in pixels."""
PROMPTS: Final = 20_000
"""Rows of the simulated dump, those of the tour."""
LARGEST: Final = 250_000
"""Size of the largest picture that may be committed, in bytes."""
PICTURES: Final = ("report", "queue", "finding")
"""Names of the pictures, without their ending."""


def browser() -> str:
    """The path of a Chromium.

    Raises:
        SystemExit: there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(f"screenshots: no browser; install one of {', '.join(BROWSERS)}")
    return found


def harvestdetect(*words: str | Path) -> list[str]:
    """A command line of this checkout."""
    return [sys.executable, "-m", "harvestdetect", *map(str, words)]


def scan_simulated(folder: Path, *, prompts: int = PROMPTS) -> tuple[Path, Path]:
    """Simulates a dump in a folder and scans it. Returns the folders of the results and of the state."""
    out, state = folder / "findings", folder / "state"
    for command in (
        harvestdetect("simulate", "--out", folder / "trial", "--prompts", str(prompts)),
        harvestdetect("scan", folder / "trial" / "dump", "--out", out, "--state", state, "--quiet"),
    ):
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return out, state


@contextmanager
def serving(out: Path, state: Path) -> Iterator[str]:
    """Serves a scan until the end of the context. Yields the address to enter."""
    command = harvestdetect("serve", out, "--state", state, "--port", "0", "--reviewer", "ann")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield next(word for line in server.stdout for word in line.split() if word.startswith("http"))
        finally:
            server.terminate()


def photograph(report: Path, address: str, to: Path) -> list[Path]:
    """Photographs the first page of a report, and the queue and the strongest finding of a server.

    Args:
        report: the file ``report.html``.
        address: printed by ``serve``; it works once.
        to: folder of the pictures, which is made.

    Returns:
        the pictures.
    """
    from playwright.sync_api import sync_playwright

    to.mkdir(parents=True, exist_ok=True)
    files = [to / f"{name}.png" for name in PICTURES]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox", "--disable-gpu"])
        context = opened.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(report.absolute().as_uri())
        _take(page, files[0])
        page.goto(address)
        page.wait_for_url("**/")
        _take(page, files[1])
        page.locator("tr[data-row] a").first.click()
        page.wait_for_load_state()
        _take(page, files[2])
        opened.close()
    return files


def _take(page: Any, file: Path) -> None:
    page.screenshot(path=file, animations="disabled", caret="hide")


def main(to: Path) -> None:
    """Makes all pictures in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        out, state = scan_simulated(Path(folder))
        with serving(out, state) as address:
            files = photograph(out / "report.html", address, to)
    for file in files:
        size = file.stat().st_size
        print(f"{file}: {size:,} bytes")
        if size > LARGEST:
            raise SystemExit(f"screenshots: {file} has more than {LARGEST:,} bytes; make {WIDTH} or {HEIGHT} smaller")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
