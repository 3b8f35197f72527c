"""The command ``simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harvestdetect.cli.console import answer, quoted
from harvestdetect.cli.dumps import working
from harvestdetect.cli.options import FOLDER, quiet_option
from harvestdetect.cli.run import NAME

__all__ = ["simulate"]


@click.command(short_help="Write a labelled dump to try a scan on.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--out", required=True, type=FOLDER, help="Folder for the dump and the truth.")
@click.option("--prompts", type=int, default=20_000, show_default=True, metavar="N", help="Rows of the dump.")
@click.option(
    "--harvest-share", type=float, default=0.1, show_default=True, metavar="SHARE",
    help="Share of the prompts that campaigns send to harvest, 0 to 0.9.",
)  # fmt: skip
@click.option("--days", type=int, default=30, show_default=True, metavar="N", help="Days that the dump covers.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Seed of all random numbers.")
@click.option(
    "--campaigns",
    type=int,
    metavar="N",
    help="Campaigns to plant.  [default: 8 at the default size, more with more prompts]",
)
@click.option(
    "--texts", multiple=True, metavar="FILE",
    help="Real texts for the background traffic instead of generated ones: JSON Lines with a text key, or one text "
    "per line, plain or .gz. Name more files after it, or repeat the option.",
)  # fmt: skip
@click.option("--no-metadata", is_flag=True, help="Write only account, timestamp and prompt.")
@click.option("--start", default="2026-06-01", show_default=True, metavar="DAY", help="First day of the dump.")
@quiet_option()
def simulate(
    files: tuple[str, ...], out: Path, texts: tuple[str, ...], no_metadata: bool, quiet: bool, **options: Any
) -> int:
    """Write a labelled dump to try a scan on: background traffic, campaigns and look-alikes.

    The dump goes to OUT/dump, and the members of every group to OUT/truth.jsonl. Accounts, networks and times are
    generated, and so are the texts without --texts. The same options write the same dump.
    """
    from harvestdetect.report.format import plural
    from harvestdetect.simulate import simulate as write

    with working("writing prompts", quiet=quiet):
        made = write(out, texts=(*texts, *files), metadata=not no_metadata, **options)
    n = made.counts
    dump, results = quoted(made.files[0].parent), quoted(out / "scan")
    answer(
        f"Wrote {n['prompts']:,} prompts of {n['accounts']:,} accounts to {dump} "
        f"({plural(len(made.files), 'file')}).\n"
        f"{plural(n['campaigns'], 'campaign')} with {n['campaign_accounts']:,} accounts sent "
        f"{n['harvest_prompts']:,} of the prompts; {plural(n['look_alikes'], 'group')} only "
        f"{'looks like a campaign' if n['look_alikes'] == 1 else 'look like campaigns'}.\n"
        f"The members of every group are in {quoted(made.truth)}.\n\n"
        f"Next: {NAME} scan {dump} --out {results}\n"
        f"Then: {NAME} evaluate {results} {quoted(made.truth)}\n"
    )
    return 0
