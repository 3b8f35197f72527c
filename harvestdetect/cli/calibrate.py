"""The command ``calibrate``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harvestdetect.cli.console import answer, note, quoted, shown
from harvestdetect.cli.dumps import check_read, open_dumps, progress_bar
from harvestdetect.cli.grouped_help import GroupedCommand
from harvestdetect.cli.options import FOLDER, scan_options, settings_of
from harvestdetect.cli.run import NAME
from harvestdetect.cli.scan import print_costs
from harvestdetect.errors import UsageError

if TYPE_CHECKING:
    from harvestdetect.calibration import Calibrated
    from harvestdetect.settings import Settings

__all__ = ["calibrate"]


@click.command(cls=GroupedCommand, short_help="Learn from benign traffic what innocent groups look like.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("--out", required=True, type=FOLDER, metavar="FILE", help="Calibration file to write.")
@scan_options
def calibrate(
    dumps: tuple[str, ...], out: Path, settings_file: str | None, quiet: bool, verbose: bool, **options: Any
) -> int:
    """Learn from a dump of benign traffic what innocent groups look like, for scan --calibration FILE.

    DUMP is as for scan. It must be traffic of the same kind that is known to be benign: a campaign in it would hide
    campaigns like it. The command scans it three times: as a whole, and each half of its accounts. Use the same
    settings as for the later scans.
    """
    from harvestdetect.judge.calibration import summary
    from harvestdetect.judge.calibration_file import save_calibration
    from harvestdetect.report.format import plural

    settings = settings_of(options, settings_file)
    names = _files(dumps, out)
    learned = _learned(names, settings, quiet=quiet)
    whole, calibration = learned.detection, learned.calibration
    save_calibration(calibration, out)

    high = sum(f.tier != "watch" for f in whole.findings)
    if high and not quiet:
        note(
            f"without calibration this dump has {plural(high, 'finding')} at urgent or review; scan it and check that "
            f"{'it is' if high == 1 else 'they are'} innocent, because the calibration will hide campaigns like "
            f"{'it' if high == 1 else 'them'}"
        )
    answer(
        f"{whole.counts['prompts']:,} prompts of {whole.counts['accounts']:,} accounts gave "
        f"{plural(learned.candidates, 'candidate')}. The calibration uses the "
        f"{calibration.counts['calibrating']:,} that no hard rule caps.\n\n"
        f"{shown(summary(calibration, fdr=settings.fdr), keep_lines=True)}\n\n"
        f"Next: {NAME} scan DUMP --calibration {quoted(out)} --out OUT\n"
    )
    if verbose:
        print_costs(whole)
    return 0


def _files(dumps: Sequence[str], out: Path) -> list[str]:
    """The files to read, without an earlier calibration file in their folder. Makes the folder of the new one.

    Raises:
        UsageError: the dumps cannot be read three times, or ``out`` is a folder.
    """
    from harvestdetect.dump import expand_sources

    names = [name for name in expand_sources(dumps) if name == "-" or os.path.realpath(name) != os.path.realpath(out)]
    if "-" in names:
        raise UsageError("calibrate reads the dumps three times, which standard input (-) does not allow; name files")
    if out.is_dir():
        raise UsageError(f"--out must be a file, but {out} is a folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    return names


def _learned(names: Sequence[str], settings: Settings, *, quiet: bool) -> Calibrated:
    """Makes the calibration.

    Raises:
        InputError: no prompt could be read.
        TooManyRejectsError: more rows were rejected than the settings allow.
    """
    from harvestdetect.calibration import calibrate as learn

    return learn(
        partial(open_dumps, names, settings, quiet=quiet),
        settings=settings,
        progress=partial(progress_bar, quiet=quiet),
        notes=None if quiet else note,
        check=partial(check_read, settings=settings),
    )
