"""The command ``explain``."""

from __future__ import annotations

from pathlib import Path

import click

from harvestdetect.cli.console import answer, colored
from harvestdetect.cli.options import FOLDER, output_option

__all__ = ["explain"]


@click.command(short_help="Explain the judgement on a campaign or an account.")
@click.argument("out", type=FOLDER, metavar="OUT")
@click.argument("target", metavar="CAMPAIGN|ACCOUNT")
@click.option("--account", is_flag=True, help="Take the second argument as an account, even if a campaign has this id.")
@output_option("sentences")
def explain(out: Path, target: str, account: bool, output: str) -> int:
    """Explain why a campaign or an account was judged as it was, and what would change the judgement.

    OUT is the folder that a scan wrote. CAMPAIGN is a campaign id or the beginning of one, if only one campaign has
    it; ACCOUNT is an account id. For a campaign, the explanation has the evidence by family, the accounts and
    candidates near it that were left out, and what would raise or lower its tier. For an account, it has every campaign
    that the account is in or near, and what would change whether it is recommended for action.

    The command reads only the files of the scan. The output also names accounts that are not members: handle it with
    care.
    """
    from harvestdetect.explain import explain as explained
    from harvestdetect.explain import explanation_json, render

    explanation = explained(out, target, account=account)
    if output == "json":
        answer(explanation_json(explanation), utf8=True)
    else:
        answer(render(explanation, width=None, color=colored()))
    return 0
