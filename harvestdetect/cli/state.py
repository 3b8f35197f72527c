"""The commands ``state gc``, ``verify``, ``rebuild`` and ``forget``: maintenance of a state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harvestdetect.cli.console import answer, shown
from harvestdetect.cli.dumps import working
from harvestdetect.cli.options import FOLDER, quiet_option
from harvestdetect.errors import InputError

if TYPE_CHECKING:
    from harvestdetect.state import Forgotten

__all__ = ["state"]


@click.group(short_help="Maintain a state.")
def state() -> None:
    """Maintain a state: free disk space, check it, repair it, erase an account."""


@state.command(short_help="Remove what no later run needs.")
@click.argument("folder", type=FOLDER, metavar="STATE")
@quiet_option()
def gc(folder: Path, quiet: bool) -> int:
    """Remove files from the folder STATE that no later run needs, and compact its database."""
    from harvestdetect.report.format import plural
    from harvestdetect.state import open_state

    with working("cleaning up", quiet=quiet), open_state(folder, write=True, make=False) as opened:
        freed = opened.collect()
    answer(f"{plural(freed.files, 'file')} removed, {freed.bytes / 1e6:,.1f} MB freed.\n")
    if freed.aside:
        answer(
            f"Moved {plural(len(freed.aside), 'prepared file')} that the database does not list to "
            f"{shown(str(folder / 'aside'))}. They are left from a stopped run, or the database is an older copy; in "
            "that case run harvestdetect state rebuild to take them back. Delete the folder when you no longer need "
            "it.\n"
        )
    return 0


@state.command(short_help="Check a state for lost and damaged data.")
@click.argument("folder", type=FOLDER, metavar="STATE")
@quiet_option()
def verify(folder: Path, quiet: bool) -> int:
    """Read everything in the folder STATE and compare it with its digests. Exit code 1: something is wrong.

    The output also lists files that were read but are not in the window, with the reason. These are not errors.
    """
    from harvestdetect.state import open_state

    with working("checking", quiet=quiet), open_state(folder) as opened:
        wrong, left = opened.verify(), opened.left_out()
    answer("".join(f"{shown(sentence)}\n" for sentence in wrong) or "Nothing is wrong.\n")
    answer("".join(f"{shown(sentence)}\n" for sentence in left))
    return 1 if wrong else 0


@state.command(short_help="Rebuild a damaged database from the prepared files.")
@click.argument("folder", type=FOLDER, metavar="STATE")
@click.option(
    "--segment-characters", type=int, metavar="N",
    help="The setting segment_characters of the scans, if neither the prepared files nor the old database have "
    "it.  [default: that of scan]",
)  # fmt: skip
@click.option("--max-windows", type=int, metavar="N", help="The same for the setting max_windows.")
@quiet_option()
def rebuild(folder: Path, segment_characters: int | None, max_windows: int | None, quiet: bool) -> int:
    """Rebuild the database of the folder STATE from the prepared files and the readable parts of the old database.

    The old database and damaged files are moved to STATE/aside. The output lists what is lost.
    """
    from harvestdetect.state import rebuild as rebuild_state

    with working("rebuilding", quiet=quiet):
        done = rebuild_state(folder, segment_characters=segment_characters, max_windows=max_windows)
    answer("".join(f"{shown(sentence)}\n" for sentence in done.sentences))
    return 0


@state.command(short_help="Erase an account.")
@click.argument("folder", type=FOLDER, metavar="STATE")
@click.argument("account", metavar="ACCOUNT")
@click.option(
    "--out",
    "outs",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Erase the account from the results in this folder too. Repeat for more.",
)
@click.option(
    "--work", "works", type=FOLDER, multiple=True, metavar="DIR",
    help="Remove files with the account from this work folder too. Repeat for more.",
)  # fmt: skip
@quiet_option()
def forget(folder: Path, account: str, outs: tuple[Path, ...], works: tuple[Path, ...], quiet: bool) -> int:
    """Erase ACCOUNT everywhere in the folder STATE: its id, its prompts, and texts that no other account sent.

    The id is also replaced in file names, and words of templates that only this account sent are erased. Then the
    command searches everything again. Exit code 75: something is left, usually because another process is reading the
    state; the message says what, and the same command erases the rest. Exit code 1: no such account.
    """
    from harvestdetect.dump.values.identifiers import spelling
    from harvestdetect.state import open_state

    ids = dict.fromkeys((account, spelling(account) or account))  # as it is given, and as it is read from dumps
    with working("erasing", quiet=quiet), open_state(folder, write=True, make=False) as opened:
        found = [opened.forget(one, outs=outs, works=works) for one in ids]
    known = [gone for gone in found if gone.known]
    if not known:
        places = f"{folder} and the folders named" if outs or works else str(folder)
        raise InputError(f"no such account in {places}: {account!a}")
    for gone in known:
        answer(_erased(gone, outs))
    return 0


def _erased(gone: Forgotten, outs: Sequence[Path]) -> str:
    """What was erased of an account, in sentences."""
    from harvestdetect.report.format import plural

    text = (
        f"Erased {plural(gone.prompts, 'prompt')} in {plural(gone.files, 'file')}; "
        f"the account was a member of {plural(gone.campaigns, 'campaign')}. "
    )
    if gone.templates:
        text += f"Erased the words of {plural(gone.templates, 'template')} that no other account sent. "
    if gone.results:
        text += f"Rewrote or removed {plural(gone.results, 'file')} in folders of results and work folders. "
    for out in outs:
        if not (out / "report.html").exists():
            text += f"{shown(str(out))} has no report any more, because a file that it is made from is missing. "
    return f"{text}Nothing of the account is left. The next run computes vectors and neighbours again.\n"
