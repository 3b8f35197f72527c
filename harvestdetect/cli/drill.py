"""The command ``drill``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harvestdetect.cli.console import answer, note, shown, tell
from harvestdetect.cli.dumps import check_read, open_dumps, progress_bar, without_results
from harvestdetect.cli.grouped_help import GroupedCommand
from harvestdetect.cli.options import FOLDER, output_option, parse_max_rejects, scan_options, settings_of
from harvestdetect.errors import UsageError

if TYPE_CHECKING:
    from harvestdetect.drill import Drill
    from harvestdetect.settings import Settings

__all__ = ["drill"]

FACTORS: Final = ("accounts", "prompts", "share", "rewording", "tempo", "infrastructure")
"""Options that fix a factor, by the names of the factors."""
PER_SCAN: Final = 12
"""Default of ``--per-scan``."""


def _parse_share(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Reads ``--share``: a share (``0.2``) or a percentage (``20%``)."""
    if value is None:
        return None
    text = value.strip()
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = 0.0
    if not 0.001 <= number <= 1:
        raise click.BadParameter(f"{value!r} is not a share from 0.001 to 1 (0.2) or a percentage (20%)", ctx, param)
    return number


@click.command(cls=GroupedCommand, short_help="Plant campaigns in memory to see which a scan would find.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("--out", type=FOLDER, metavar="DIR", help="Folder for drill.html and drill.json.  [default: write none]")
@output_option("a table with the blind spots")
@click.option(
    "--trials", type=click.IntRange(1, 10_000), metavar="N",
    help="Number of campaigns to plant.  [default: four for each level of each factor, and a quarter as many random "
    "combinations]",
)  # fmt: skip
@click.option(
    "--per-scan", type=click.IntRange(1, 1_000), default=PER_SCAN, show_default=True, metavar="K",
    help="Most campaigns that are planted in one scan.",
)  # fmt: skip
@click.option(
    "--accounts", type=click.IntRange(2, 100_000), metavar="N",
    help="Plant only campaigns of this many accounts.  [default: 10, 25, 60 and 200]",
)  # fmt: skip
@click.option(
    "--prompts", type=click.IntRange(1, 10_000), metavar="N",
    help="Plant only campaigns with this many prompts per account.  [default: 1, 3, 10 and 30]",
)  # fmt: skip
@click.option(
    "--share", metavar="SHARE", callback=_parse_share,
    help="Plant only campaigns with this share of their accounts' prompts, such as 0.2 or 20%.  "
    "[default: 100, 50, 20 and 5 %]",
)  # fmt: skip
@click.option(
    "--rewording", type=click.Choice(["one-template", "templates", "reworded", "no-template"]),
    help="Plant only campaigns that write in this way.  [default: all]",
)  # fmt: skip
@click.option(
    "--tempo", type=click.Choice(["machine", "human"]),
    help="Plant only campaigns that send around the clock (machine), or at the times of day of accounts of the dump "
    "(human).  [default: both]",
)  # fmt: skip
@click.option(
    "--infrastructure", type=click.Choice(["none", "shared"]),
    help="Plant only campaigns whose accounts share no values, or a few addresses.  [default: both]",
)  # fmt: skip
@click.option(
    "--calibration", type=FOLDER, metavar="FILE",
    help="File that calibrate wrote, as for scan.  [default: none]",
)  # fmt: skip
@click.option(
    "--max-rejects", metavar="N", callback=parse_max_rejects,
    help="Rejected rows to allow, as a count (20), a share (0.01) or a percentage (1%). With more, the drill ends with "
    "exit code 4.  [default: any number]",
)  # fmt: skip
@scan_options
def drill(
    dumps: tuple[str, ...],
    out: Path | None,
    output: str,
    trials: int | None,
    per_scan: int,
    settings_file: str | None,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Plant campaigns into a copy of your own traffic in memory, and see which of them a scan would have found.

    DUMP is as for scan. The dump is scanned as it is, and then with planted campaigns: about eight times if it has
    100,000 prompts of 12,000 accounts, more often if it has fewer accounts. Most campaigns differ from a centre in one
    factor (accounts, prompts per account, share of the accounts' traffic, rewording, tempo, infrastructure), the others
    are random combinations. No planted prompt is kept on a disk. The table has the share found at each level with its
    95 % interval; blind spots are said in words.

    \b
    DIR gets  drill.html  the result, to read
              drill.json  the same and every trial, for programs

    \b
    Exit codes  0 done   1 failed   2 wrong usage   4 more rejects than --max-rejects allows
                130 interrupted
    \f
    Many parameters because there is one for each option.
    """
    fixed = {name: value for name in FACTORS if (value := options.pop(name)) is not None}
    settings = settings_of(options, settings_file)
    if settings.workers is None:
        settings = settings.replace(workers=0)
    names = _files(dumps, out, quiet=quiet)
    if out is not None:
        from harvestdetect.report import check_writable

        check_writable(out)
    result = _drilled(names, settings, trials=trials, per_scan=per_scan, fixed=fixed, quiet=quiet)
    _print(result, out, output)
    if verbose:
        tell(f"{result.seconds:.1f} s, {result.scans + 1} scans")
    return 0


def _files(dumps: Sequence[str], out: Path | None, *, quiet: bool) -> list[str]:
    """The files to read, without the results of an earlier drill or scan in OUT.

    Raises:
        UsageError: the dumps cannot be read several times, or no file is left.
    """
    from harvestdetect.drill.files import DRILL_NAMES
    from harvestdetect.dump import expand_sources

    names = expand_sources(dumps)
    if "-" in names:
        raise UsageError("drill reads the dumps several times, which standard input (-) does not allow; name files")
    if out is None:
        return names
    own = {os.path.realpath(out / name) for name in DRILL_NAMES}
    kept = [name for name in names if "://" in name or os.path.realpath(name) not in own]
    if not kept:
        raise UsageError(f"the only files to read are results of an earlier drill in {out}; name the dumps instead")
    return without_results(kept, out, (lambda sentence: None) if quiet else note)


def _drilled(
    names: Sequence[str],
    settings: Settings,
    *,
    trials: int | None,
    per_scan: int,
    fixed: dict[str, Any],
    quiet: bool,
) -> Drill:
    """Runs the drill.

    Raises:
        InputError: no prompt could be read, or no campaign can be planted.
        TooManyRejectsError: more rows were rejected than the settings allow.
    """
    from harvestdetect.drill import drill as run_drill

    return run_drill(
        partial(open_dumps, names, settings, quiet=quiet),
        settings=settings,
        trials=trials,
        per_scan=per_scan,
        fixed=fixed,
        progress=partial(progress_bar, quiet=quiet),
        notes=None if quiet else note,
        check=partial(check_read, settings=settings),
    )


def _print(result: Drill, out: Path | None, output: str) -> None:
    """Writes the files and prints the result."""
    from harvestdetect.drill.files import write_drill
    from harvestdetect.drill.table import drill_json, drill_table

    if out is not None:
        write_drill(result, out)
    if output == "json":
        answer(drill_json(result), utf8=True)
        return
    text = drill_table(result)
    if out is not None:
        text += f"\n{shown(str(out / 'drill.html'))}\n"
    answer(text)
