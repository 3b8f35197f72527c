"""The command ``inspect``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from harvestdetect.cli.console import aligned, answer, json_answer, shown
from harvestdetect.cli.dumps import working
from harvestdetect.cli.grouped_help import GroupedCommand
from harvestdetect.cli.options import output_option, quiet_option, reading_options, settings_of_reading
from harvestdetect.errors import InputError

if TYPE_CHECKING:
    from harvestdetect.data import FileReading, SourceFile
    from harvestdetect.dump.inspection import Inspection

__all__ = ["inspect"]

FILES_SHOWN = 10
"""Files that are described one by one."""
OTHERS_SHOWN = 4
"""Other columns that are named for a field."""
REASONS_SHOWN = 8
"""Reasons of rejects that are named."""
TABLES = ("database", "sqlite")
"""Formats that say already what the rows are in."""
LANGUAGES_SHOWN = 6
"""Languages that are named."""


@click.command(cls=GroupedCommand, short_help="Show how dumps are read, and what looks suspicious.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@output_option("text for people")
@reading_options
@click.option(
    "--rows", type=click.IntRange(min=1), default=50_000, show_default=True, metavar="N",
    help="Number of rows to read, over all files; at least 500 of a file, and of at most 100 files.",
)  # fmt: skip
@quiet_option()
@click.option("--verbose", "-v", is_flag=True, help="Print a traceback for internal errors.")
def inspect(dumps: tuple[str, ...], output: str, rows: int, quiet: bool, verbose: bool, **options: Any) -> int:
    """Read the beginning of each DUMP, and print how a scan would read it.

    For each file: its format, the column of each field, which other columns could be meant, and the format of the
    times. For all of them: prompts and accounts, why rows cannot be read, languages, two prompts (addresses, long
    numbers and keys replaced), and warnings about what looks suspicious. Nothing is written.

    If a column is wrong, name the right one with --map, here and in scan. If no prompt can be read, the exit code is 1.
    """
    from harvestdetect.dump.inspection import inspect_dumps

    settings = settings_of_reading(options)
    with working("reading", quiet=quiet):
        found = inspect_dumps(dumps, settings=settings, rows=rows)
    if output == "json":
        json_answer(_plain(found), utf8=True)
    else:
        answer("\n".join(_lines(found)) + "\n")
    return 0 if found.prompts else InputError.exit_code


def _plain(found: Inspection) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(found)


def _lines(found: Inspection) -> Iterator[str]:
    """The answer, line by line."""
    for file in found.files[:FILES_SHOWN]:
        yield from _file_lines(file)
        yield ""
    more = len(found.files) - FILES_SHOWN
    if more > 0:
        yield f"{_plural(more, 'more file was', 'more files were')} read"
    if found.unread:
        yield f"{_plural(found.unread, 'more file was', 'more files were')} not read"
    yield from _totals(found)
    if found.examples:
        yield "two prompts:" if len(found.examples) > 1 else "a prompt:"
        yield from (f"  {shown(text)}" for text in found.examples)
    yield from (f"note: {shown(sentence)}" for sentence in found.left_out)
    yield from (f"warning: {shown(sentence)}" for sentence in found.warnings)
    yield "To change a column, give --map FIELD=COLUMN to inspect, scan and calibrate; FIELD=none means no column."


def _file_lines(file: SourceFile) -> Iterator[str]:
    """How one file is read."""
    reading = file.reading
    if reading is None or not reading.columns:
        yield f"{shown(file.name)}: no column was recognised"
    else:
        container = "" if file.format in TABLES else reading.container
        what = [file.format, container, reading.encoding, f"read as {reading.shape}" if reading.shape else ""]
        yield f"{shown(file.name)}: {', '.join(shown(part) for part in what if part)}"
    if reading is not None and reading.columns:
        yield aligned([("", *row) for row in _column_rows(reading)]).rstrip("\n")
    yield f"  {_plural(file.rows, 'prompt')}, {_plural(file.rejects, 'reject')}" + _left_out(reading)


def _column_rows(reading: FileReading) -> Iterator[tuple[str, str, str]]:
    """Field, column, and what else is known of it."""
    for field, column in reading.columns.items():
        notes = []
        if field == "timestamp" and reading.times:
            notes.append(reading.times)
        others = reading.others.get(field, ())
        if others:
            more = ", ..." if len(others) > OTHERS_SHOWN else ""
            notes.append(f"could also be {', '.join(others[:OTHERS_SHOWN])}{more}")
        yield field, column, "; ".join(notes)


def _left_out(reading: FileReading | None) -> str:
    if reading is None:
        return ""
    parts = [f"{count:,} {kind}" for kind, count in reading.left_out.items()]
    if reading.untimed:
        parts.append(_plural(reading.untimed, "time that cannot be read", "times that cannot be read"))
    return f"; left out: {', '.join(parts)}" if parts else ""


def _totals(found: Inspection) -> Iterator[str]:
    """What all files have together."""
    part = "" if found.complete else " in the part that was read"
    if found.prompts:
        least, middle, most = found.prompts_per_account
        each = ""
        if found.accounts > 1:
            each = f", {least:,} per account"
            if least < most:
                each = f", {least:,} to {most:,} per account, median {middle:,}"
        yield f"{_plural(found.prompts, 'prompt')} of {_plural(found.accounts, 'account')}{part}{each}"
        yield from _times(found)
    else:
        yield f"no prompt could be read{part}, so a scan would fail"
    if found.rejects:
        yield "rejects:"
        for reason, count in list(found.rejects.items())[:REASONS_SHOWN]:
            where = found.first_rejects.get(reason)
            first = f" ({'first: ' if count > 1 else ''}{shown(where)})" if where else ""
            yield f"  {count:,}: {shown(reason)}{first}"
        if len(found.rejects) > REASONS_SHOWN:
            yield f"  and {_plural(len(found.rejects) - REASONS_SHOWN, 'more reason')}"
    if found.languages:
        named = [f"{language} ({share:.0%})" for language, share in found.languages[:LANGUAGES_SHOWN]]
        yield f"languages: {', '.join(named)}" + (", ..." if len(found.languages) > LANGUAGES_SHOWN else "")


def _times(found: Inspection) -> Iterator[str]:
    """The period of all prompts."""
    from harvestdetect.report.format import iso_time

    if found.first is None:
        yield "no prompt has a time"
        return
    without = f"; {_plural(found.without_time, 'prompt')} without a time" if found.without_time else ""
    yield f"from {iso_time(found.first)} to {iso_time(found.last)}{without}"


def _plural(count: int, noun: str, nouns: str | None = None) -> str:
    """As :func:`harvestdetect.report.format.plural`, imported only when it is needed."""
    from harvestdetect.report.format import plural

    return plural(count, noun, nouns)
