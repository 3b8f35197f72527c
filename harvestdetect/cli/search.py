"""The command ``search``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harvestdetect.cli.console import aligned, answer, json_answer, note, shown
from harvestdetect.cli.dumps import progress_bar
from harvestdetect.cli.options import FOLDER
from harvestdetect.errors import InputError, UsageError

if TYPE_CHECKING:
    from harvestdetect.search import Found

__all__ = ["search"]

MOST_BYTES: Final = 4_000_000
"""Most bytes of a file with a text to search for: a text has at most a million characters."""
_SHOWN: Final = 2_000
"""Most characters of a revealed text in the output for people."""


@click.command(short_help="Search the prompts of a scan for a text, an account or a shared value.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("text", required=False, metavar="[TEXT]")
@click.option("--file", "file", type=FOLDER, metavar="FILE", help="Take the text from this file; - is standard input.")
@click.option(
    "--account", metavar="ID", help="What does this account send, who else sends it, and which values does it share?"
)
@click.option(
    "--shares", metavar="VALUE",
    help="Who shares this address, network, card or other value? VALUE is as in the dump, a network such as "
    "203.0.113.0/24, or a tag such as card#a3f1.",
)  # fmt: skip
@click.option(
    "--by", type=click.Choice(["wording", "meaning", "exact"]), default="wording", show_default=True,
    help="How texts are compared. meaning needs a scan with --encoder full; exact finds the same text alone.",
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(1, 1_000), default=20, show_default=True, metavar="N",
    help="Most prompts, accounts and campaigns to list.",
)  # fmt: skip
@click.option(
    "--work", type=FOLDER, metavar="DIR", help="The work folder of the scan.  [default: where the scan had it]"
)
@click.option("--reveal", is_flag=True, help="Show whole texts.  [default: redacted, at most 300 characters]")
@click.option(
    "--format", "output", type=click.Choice(["text", "json", "seeds"]), default="text", show_default=True,
    help="What to print on standard output: tables, one JSON object, or seeds for scan --around: the text, or all "
    "accounts up to 1,000.",
)  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="Print no progress and no notes on standard error.")
def search(folder: Path, text: str | None, file: Path | None, output: str, **given: Any) -> int:
    """Search by example for the prompts nearest to TEXT and their senders.

    DIR is the folder of scan --out (the scan must have had --work or --state), a state, or the folder of --work. TEXT
    is a prompt or a part of one; - reads it from standard input, where other users of the machine do not see it.

    \b
    harvestdetect search OUT "Think step by step"      who else sends this?
    harvestdetect search OUT --account ID              what else does this account send?
    harvestdetect search OUT --shares card#a3f1        who shares this card?

    The first search of a window makes an index in the work folder or the state. The output names accounts that nothing
    is said against: handle it with care.
    """
    wanted = _wanted(text, file, given["account"], given["shares"])
    from harvestdetect.search import open_search
    from harvestdetect.search.seeding import MAX_SEEDS, seed_lines

    quiet = given["quiet"]
    notes = (lambda sentence: None) if quiet else note
    options = {"top": MAX_SEEDS if output == "seeds" else given["top"], "reveal": given["reveal"]}
    with open_search(folder, work=given["work"], progress=partial(progress_bar, quiet=quiet), notes=notes) as opened:
        if given["account"] is not None:
            found = opened.of_account(given["account"], **options)
        elif given["shares"] is not None:
            found = opened.sharing(given["shares"], **options)
        else:
            found = opened.nearest(wanted, by=given["by"], **options)
    if output == "json":
        json_answer(found, utf8=True)
    elif output == "seeds":
        answer(seed_lines(found, text=wanted, account=given["account"]), utf8=True)
    else:
        answer(_tables(found, named=given["account"] or given["shares"], by=given["by"]))
    return 0


def _wanted(text: str | None, file: Path | None, account: str | None, shares: str | None) -> str:
    """The text to search for; empty if an account or a value is asked for.

    Raises:
        UsageError: not exactly one question is asked.
        InputError: the text cannot be read.
    """
    asked = [name for name, one in (("TEXT", text), ("--file", file), ("--account", account), ("--shares", shares))
             if one is not None]  # fmt: skip
    if len(asked) != 1:
        what = "nothing is asked" if not asked else f"{' and '.join(asked)} are two questions"
        raise UsageError(f"{what}; give one of TEXT, --file, --account and --shares")
    if text is not None and text != "-":
        if text.encode("utf-8", "ignore").decode() != text:
            raise UsageError(f"the text must be UTF-8, got {text[:80]!a}")
        return text
    return _read(file or Path("-")) if text is not None or file is not None else ""


def _read(file: Path) -> str:
    """The text in a file, or in standard input.

    Raises:
        InputError: it cannot be read, is too long, or is no text.
    """
    from harvestdetect.util.small_files import small_bytes, small_text

    piped = str(file) == "-"
    name, advice = "standard input" if piped else str(file), "give the text of one prompt"
    raw = small_bytes(None if piped else file, name=name, most=MOST_BYTES, advice=advice, error=InputError)
    return small_text(raw, name=name, advice=advice, error=InputError)


# ---------------------------------------------------------------- tables


def _tables(found: Found, *, named: str | None, by: str) -> str:
    """The answer for people. ``named``: the account or value that was asked for; None for a text."""
    from harvestdetect.report.format import plural

    searched = found.searched
    prompts, accounts = plural(found.prompts, "prompt"), plural(found.account_count, "account")
    window = f"{searched.prompts:,} prompts of {searched.accounts:,} accounts in the window"
    if named is not None:
        head = f"{prompts} of {accounts}, of {window}"
    else:
        how = {"exact": "the same as the text", "wording": "near in wording", "meaning": "near in meaning"}[by]
        head = f"{prompts} of {accounts} {'is' if found.prompts == 1 else 'are'} {how}, of {window}"
    if searched.texts < searched.all_texts:
        head += f" ({searched.texts:,} of {searched.all_texts:,} texts have a vector of meaning)"
    pieces = [head + "\n", *(f"{shown(one)}\n" for one in found.notes)]
    if found.values:
        rows = [("value", "tag", "accounts", "prompts")]
        rows += [(one.shown, one.tag, f"{one.accounts:,}", f"{one.prompts:,}") for one in found.values]
        pieces += ["\n", aligned(rows)]
    if found.campaigns:
        table = [("campaign", "tier", "prompts", "accounts", "nearest")]
        table += [
            (one.campaign_id, one.tier, f"{one.prompts:,}", f"{one.accounts:,}", f"{one.similarity:.2f}")
            for one in found.campaigns
        ]
        pieces += ["\n", aligned([row[: 4 if named else 5] for row in table])]
    if found.accounts:
        pieces += ["\n", _account_table(found, compared=named is None)]
    if found.hits:
        pieces += ["\n", *_hit_lines(found, compared=named is None)]
    return "".join(pieces)


def _account_table(found: Found, *, compared: bool) -> str:
    rows: list[tuple[str, ...]] = [
        ("account", "prompts", "of all its", *(["nearest"] if compared else []), "campaigns")
    ]
    for one in found.accounts:
        nearest = ["exact" if one.exact else f"{one.similarity:.2f}"] if compared else []
        rows.append((one.account, f"{one.prompts:,}", f"{one.volume:,}", *nearest, " ".join(one.campaigns)))
    table = aligned(rows)
    left = found.account_count - len(found.accounts)
    return table + (f"and {left:,} more\n" if left > 0 else "")


def _hit_lines(found: Found, *, compared: bool) -> list[str]:
    """A paragraph for each prompt: how near it is, who sent it and where, and its text."""
    from harvestdetect.report.format import plural

    lines = []
    for one in found.hits:
        near = ("exact  " if one.exact else f"{one.similarity:.2f}  ") if compared else ""
        what = f"{near}{plural(one.prompts, 'prompt')} of {plural(one.accounts, 'account')}"
        campaigns = f"  {' '.join(one.campaigns)}" if one.campaigns else ""
        lines.append(shown(f"{what}{campaigns}  {one.file}:{one.line}") + "\n")
        text = one.text if len(one.text) <= _SHOWN else one.text[:_SHOWN] + "…"
        lines += [f"    {shown(line)}\n" for line in text.splitlines() if line.strip()]
        if one.passage:
            lines.append(f"    nearest passage: {shown(' '.join(one.passage[:_SHOWN].split()))}\n")
    return lines
