"""The command ``pseudonym``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from harvestdetect.cli.console import answer, note, quoted, shown
from harvestdetect.cli.options import FOLDER
from harvestdetect.errors import InputError, UsageError

__all__ = ["pseudonym"]

FIELDS = ("account", "org", "ip", "asn", "user_agent", "api_key", "payment", "email_domain", "session", "request")
"""The fields of ``dump.values.pseudonyms.FIELDS``, repeated here because that module imports pyarrow, which would slow
``--help`` down."""


@click.command(short_help="Find the pseudonym of an account.")
@click.argument("keyfile", type=FOLDER, metavar="KEYFILE")
@click.argument("ids", nargs=-1, metavar="ID...")
@click.option("--new", is_flag=True, help="Write a new random key into KEYFILE, which must not exist.")
@click.option("--field", type=click.Choice(FIELDS), default="account", show_default=True, help="What the IDs are.")
def pseudonym(keyfile: Path, ids: tuple[str, ...], new: bool, field: str) -> int:
    """Print the pseudonym of each ID, as scan --pseudonyms KEYFILE writes it.

    \b
    harvestdetect pseudonym key.txt --new            make a key; keep it secret
    harvestdetect scan DUMP --pseudonyms key.txt --out results
    harvestdetect pseudonym key.txt acct-4711        the pseudonym of an account
    harvestdetect pseudonym key.txt - < all-ids.txt  a table of all accounts

    With -, IDs are read from standard input, one per line. A line of the answer is the pseudonym, a tab, and the ID.
    A hash cannot be reversed. To find the account behind a pseudonym, print the pseudonyms of all IDs, and look it
    up.
    """
    from harvestdetect.dump.values.identifiers import spelling
    from harvestdetect.dump.values.pseudonyms import Pseudonyms, new_key

    if new:
        if ids:
            raise UsageError("--new makes a key and takes no ID; leave one of the two out")
        new_key(keyfile)
        answer(f"{shown(str(keyfile))}: a new key, which only you may read\n")
        return 0
    if not ids:
        raise UsageError("no ID was named; give IDs, - for standard input, or --new to make a key")
    names = Pseudonyms.of_file(keyfile)
    if keyfile.stat().st_mode & 0o077:
        note(f"other users can read {keyfile}; chmod 600 {quoted(keyfile)} keeps the key secret")
    for value in _values(ids):
        one = (spelling(value) or value) if field == "account" else value
        answer(f"{names.of(field, one)}\t{shown(value)}\n")
    return 0


def _values(ids: tuple[str, ...]) -> Iterator[str]:
    """The IDs, without white space around them."""
    for value in ids:
        lines = _input_lines() if value == "-" else iter([value])
        yield from (line.strip() for line in lines if line.strip())


def _input_lines() -> Iterator[str]:
    """Lines of standard input. Bytes that are not UTF-8 are kept, so that two IDs never become one."""
    if sys.stdin is None:
        raise InputError("standard input (-) is closed")
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", "surrogateescape")
