"""The commands ``registry``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from harvestdetect.cli.console import answer, note, quoted
from harvestdetect.cli.dumps import check_read, open_dumps
from harvestdetect.cli.grouped_help import GroupedCommand
from harvestdetect.cli.options import FOLDER, preparing_options, settings_of
from harvestdetect.cli.run import NAME
from harvestdetect.errors import OutputError, UsageError

__all__ = ["registry"]


@click.group(short_help="Known scaffolds and the prompts of products.")
def registry() -> None:
    """Known scaffolds: the texts of products, which are removed from prompts before these are compared."""


@registry.command(cls=GroupedCommand, short_help="Find texts that many accounts always send.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option(
    "--out", type=FOLDER, metavar="FILE", help="File to write, which must not exist.  [default: standard output]"
)
@preparing_options
def suggest(
    dumps: tuple[str, ...], out: Path | None, settings_file: str | None, quiet: bool, verbose: bool, **options: Any
) -> int:
    """Find texts that many accounts always send, and write them as a registry (TOML) to review.

    DUMP is as for scan. Such a text is probably the system prompt of a product. A scan leaves it out by itself, but
    only if it finds it in that dump; an entry of a registry counts in every scan. Review the file before you use it
    with scan --registry FILE: a registered text is no evidence any more.
    """
    from harvestdetect.detection import estimated
    from harvestdetect.dump import expand_sources
    from harvestdetect.report.suggestions import suggested_registry

    settings = settings_of(options, settings_file).replace(find_preambles=True)
    if out is not None and out.exists():
        raise UsageError(f"--out must be a new file, but {out} exists; your reviewed entries may be in it")
    with open_dumps(expand_sources(dumps), settings, quiet=quiet) as opened:
        found = estimated(opened, settings=settings)
    check_read(found, settings)
    text = suggested_registry(found.preambles, found.counts, today=datetime.now(UTC).date())
    if out is None:
        answer(text, utf8=True)
    else:
        _write(text, out)
    if not quiet:
        count = len(found.preambles)
        what = "no text that many accounts always send was found"
        if count:
            what = f"{count:,} {'text' if count == 1 else 'texts'} found"
        them = "it" if count == 1 else "them"
        note(what if out is None or not count else f"{what}; review {them}, then: {NAME} scan --registry {quoted(out)}")
    return 0


def _write(text: str, out: Path) -> None:
    """Writes the file.

    Raises:
        OutputError: it cannot be written.
    """
    from harvestdetect.util.files import replacing

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}") from None
