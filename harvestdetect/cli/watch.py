"""The command ``watch``."""

from __future__ import annotations

import shlex

import click

from harvestdetect.cli.console import note
from harvestdetect.cli.run import run
from harvestdetect.errors import UsageError
from harvestdetect.util.periods import parse_period

__all__ = ["watch"]


@click.command(
    short_help="Scan at regular intervals, for containers.",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="DUMP...")
@click.option("--every", default="15m", show_default=True, metavar="PERIOD", help="Interval between starts of runs.")
@click.pass_context
def watch(ctx: click.Context, arguments: tuple[str, ...], every: str) -> int:
    """Scan DUMP into a state at once, then at regular intervals until SIGTERM. Options of scan may follow.

    The first SIGTERM lets the current run end; the second interrupts it. A run that fails is repeated earlier than the
    interval says.
    """
    from harvestdetect.ops.watch import stop_on_signals
    from harvestdetect.ops.watch import watch as loop

    if not any(a == "--state" or a.startswith("--state=") for a in arguments):
        raise UsageError("watch needs --state, because without a state every run would report everything as new")
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    seconds = parse_period(every)
    note(f"every {every}: harvestdetect scan {shlex.join(arguments)}")
    with stop_on_signals() as stop:
        return loop(lambda: run(group, ["scan", *arguments]), every=seconds, stop=stop, notes=note)
