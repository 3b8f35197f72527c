"""The command ``explain``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from harvestdetect.cli.console import answer, colored
from harvestdetect.cli.dumps import working
from harvestdetect.cli.options import FOLDER, output_option, quiet_option
from harvestdetect.errors import UsageError

__all__ = ["explain"]


@click.command(short_help="Explain the judgement on a campaign or an account.")
@click.argument("out", type=FOLDER, metavar="OUT")
@click.argument("target", metavar="CAMPAIGN|ACCOUNT")
@click.option("--account", is_flag=True, help="Take the second argument as an account, even if a campaign has this id.")
@click.option(
    "--texts", is_flag=True,
    help="Also print some of the prompts, read again from the dumps, which must be where the scan read them. "
    "Addresses, long numbers and keys are replaced by their kind.",
)  # fmt: skip
@click.option("--unredacted", is_flag=True, help="With --texts: print the texts as they are.")
@click.option(
    "--as-registry-entry", is_flag=True,
    help="Print the templates of the campaign as a registry of known scaffolds instead, to review and to use with scan "
    "--registry.",
)  # fmt: skip
@output_option("sentences")
@quiet_option()
def explain(
    out: Path, target: str, account: bool, texts: bool, unredacted: bool, as_registry_entry: bool, output: str,
    quiet: bool,
) -> int:  # fmt: skip
    """Explain why a campaign or an account was judged as it was, and what would change the judgement.

    OUT is the folder that a scan wrote. CAMPAIGN is a campaign id or the beginning of one, if only one campaign has
    it; ACCOUNT is an account id. For a campaign, the explanation has the evidence by family, the accounts and
    candidates near it that were left out, and what would raise or lower its tier. For an account, it has every campaign
    that the account is in or near, and what would change whether it is recommended for action.

    The command reads only the files of the scan, and with --texts the dumps. The output also names accounts that are
    not members: handle it with care.
    """
    from harvestdetect.explain import explain as explained
    from harvestdetect.explain import explanation_json, registry_entry, render

    if unredacted and not texts:
        raise UsageError("--unredacted needs --texts; add --texts, or leave --unredacted out")
    if as_registry_entry:
        if texts or account:
            raise UsageError("--as-registry-entry is for a campaign and excludes --texts and --account")
        answer(registry_entry(out, target, today=datetime.now(UTC).date()), utf8=True)
        return 0
    with working("reading", quiet=quiet):
        explanation = explained(out, target, account=account, texts=texts, redacted=not unredacted)
    if output == "json":
        answer(explanation_json(explanation), utf8=True)
    else:
        answer(render(explanation, width=None, color=colored()))
    return 0
