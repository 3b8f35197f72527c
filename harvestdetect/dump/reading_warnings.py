"""What looks suspicious in how dumps were read: a column that is no account, times that are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from harvestdetect.data import Reading, SourceFile

__all__ = ["dump_warnings", "layouts"]

ENOUGH: Final = 20
"""Prompts from which the numbers of a dump are suspicious. A smaller one may well have one account."""
ALMOST: Final = 0.95
"""Accounts per prompt from which the account looks like the id of a request or of a session."""
MOSTLY: Final = 0.5
"""Share of the prompts without a time from which the times are missed."""


def layouts(files: Sequence[SourceFile]) -> list[tuple[Reading, int]]:
    """The ways in which files were read, with the number of files read in each, the most frequent first.

    Files are read in one way if shape and columns are the same. A file without a readable row counts for none.
    """
    first: dict[tuple[object, ...], Reading] = {}
    count: Counter[tuple[object, ...]] = Counter()
    for file in files:
        if file.reading is not None and file.reading.columns:
            key = (file.reading.shape, tuple(sorted(file.reading.columns.items())))
            first.setdefault(key, file.reading)
            count[key] += 1
    return [(first[key], number) for key, number in count.most_common()]


def dump_warnings(files: Sequence[SourceFile], *, prompts: int, accounts: int, without_time: int) -> tuple[str, ...]:
    """What a user should check before he believes a scan. No sentence contains text of a prompt.

    Args:
        files: that were read.
        prompts: of all files.
        accounts: of all files.
        without_time: prompts without a time.
    """
    found = []
    if prompts >= ENOUGH and accounts == 1:
        found.append(
            "all prompts are of one account, so there is nothing to compare; name the column that tells senders apart "
            "with --map account=COLUMN"
        )
    elif prompts >= ENOUGH and accounts >= ALMOST * prompts:
        found.append(
            f"there are almost as many accounts ({accounts:,}) as prompts ({prompts:,}): the account may be the id of "
            "a request or of a session; name another column with --map account=COLUMN"
        )
    if prompts and without_time > MOSTLY * prompts:
        found.append(
            f"{without_time:,} of {prompts:,} prompts have no time, so no evidence comes from times; name the column "
            "with --map timestamp=COLUMN"
        )
    senders = {reading.columns["account"] for reading, _ in layouts(files) if "account" in reading.columns}
    if len(senders) > 1:
        names = ", ".join(sorted(senders)[:5])
        found.append(
            f"files have the account in different columns ({names}): one sender may count as several; name one column "
            "with --map account=COLUMN"
        )
    told = Counter(sentence for file in files if file.reading is not None for sentence in file.reading.warnings)
    for sentence, number in told.most_common():
        found.append(sentence if len(files) == 1 else f"{sentence} ({number} of {len(files)} files)")
    return tuple(found)
