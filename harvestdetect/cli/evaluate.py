"""The command ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harvestdetect.cli.console import answer, json_answer
from harvestdetect.cli.options import FOLDER, TIERS, output_option

if TYPE_CHECKING:
    from harvestdetect.data import Tier

__all__ = ["evaluate"]


@click.command(short_help="Score a scan against the truth.")
@click.argument("out", type=FOLDER, metavar="OUT")
@click.argument("truth", type=FOLDER, metavar="TRUTH")
@click.option(
    "--tier", type=click.Choice(TIERS), default="review", show_default=True,
    help="Count findings at this tier or above.",
)  # fmt: skip
@output_option("a table")
def evaluate(out: Path, truth: Path, tier: Tier, output: str) -> int:
    """Score the results of a scan against the truth of a labelled dump.

    OUT is the folder that the scan wrote. TRUTH is the truth.jsonl of the dump: one group per line, with its name,
    kind (campaign or look-alike), what and accounts.
    """
    from harvestdetect.data import TIERS as tiers
    from harvestdetect.simulate.evaluate import evaluate as score
    from harvestdetect.simulate.evaluate import read_findings, read_truth, render

    scores = score(read_findings(out), read_truth(truth), tiers=tiers[: tiers.index(tier) + 1])
    if output == "json":
        json_answer(scores, utf8=True)
    else:
        answer(render(scores))
    return 0
