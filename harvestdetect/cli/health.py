"""The command ``health``."""

from __future__ import annotations

from pathlib import Path

import click

from harvestdetect.cli.console import answer, shown
from harvestdetect.cli.options import FOLDER
from harvestdetect.util.periods import parse_period

__all__ = ["health"]


@click.command(short_help="Check that scheduled scans still work.")
@click.option(
    "--metrics",
    type=FOLDER,
    required=True,
    envvar="HARVESTDETECT_HEALTH_METRICS",
    metavar="FILE",
    help="File that scan --metrics writes.  [default: $HARVESTDETECT_HEALTH_METRICS]",
)
@click.option(
    "--max-age", default="36h", show_default=True, envvar="HARVESTDETECT_HEALTH_MAX_AGE", metavar="PERIOD",
    help="Longest time since the end of the last successful run.",
)  # fmt: skip
def health(metrics: Path, max_age: str) -> int:
    """Print when the last successful run (exit code 0, 3 or 4) ended.

    Exit code 1: that is too long ago, no run has succeeded yet, or a clock is wrong.

    Use it as the health check of a container, as a probe, or by hand.
    """
    from harvestdetect.ops.health import check_health

    found = check_health(metrics, max_age=parse_period(max_age))
    answer(f"{'healthy' if found.healthy else 'unhealthy'}: {shown(found.sentence)}\n")
    return 0 if found.healthy else 1
