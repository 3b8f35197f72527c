"""The command ``brief``."""

from __future__ import annotations

from pathlib import Path

import click

from harvestdetect.cli.console import answer, shown
from harvestdetect.cli.options import FOLDER
from harvestdetect.errors import OutputError

__all__ = ["brief"]


@click.command(short_help="Write the result of a scan on one printed page.")
@click.argument("out", type=FOLDER, metavar="OUT")
@click.option("--to", "to", type=FOLDER, metavar="FILE", help="File to write.  [default: brief.html in OUT]")
def brief(out: Path, to: Path | None) -> int:
    """Write the result of a scan on one page, to print or to send.

    OUT is the folder that the scan wrote. The page says what is new, names the five strongest findings, and says what
    to do and how sure it is. It has titles and counts, and no account. FILE is replaced if it exists. scan --brief
    writes the page as well.
    """
    from harvestdetect.report import BRIEF, brief_page, detection_of_folder
    from harvestdetect.util.files import replacing

    file = to or out / BRIEF
    page = brief_page(detection_of_folder(out))
    try:
        with replacing(file) as stream:
            stream.write(page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror or error}") from None
    answer(f"Wrote {shown(str(file))}.\n")
    return 0
