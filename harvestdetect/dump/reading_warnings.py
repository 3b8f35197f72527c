"""What looks suspicious in how dumps were read: a column that is no account, times that are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from harvestdetect.data import FileReading, SourceFile
from harvestdetect.dump.columns.choice import NO_TIMES
from harvestdetect.dump.columns.learnt import MANY_ACCOUNTS, ONE_ACCOUNT
from harvestdetect.dump.values.file_times import WITHOUT_TIME

__all__ = ["dump_warnings", "layouts"]

ENOUGH: Final = 20
"""Prompts from which the numbers of a dump are suspicious. A smaller one may well have one account."""
ALMOST: Final = 0.95
"""Accounts per prompt from which the account looks like the id of a request or of a session."""
MOSTLY: Final = 0.5
"""Share of the prompts without a time from which the times are missed."""
SHOWN: Final = 5
"""Columns that a sentence names."""


def layouts(files: Sequence[SourceFile]) -> list[tuple[FileReading, int]]:
    """The ways in which files were read, with the number of files read in each, the most frequent first.

    Files are read in one way if shape and columns are the same. A file without a readable row counts for none.
    """
    first: dict[tuple[object, ...], FileReading] = {}
    count: Counter[tuple[object, ...]] = Counter()
    for file in files:
        if file.reading is not None and file.reading.columns:
            key = (file.reading.shape, tuple(sorted(file.reading.columns.items())))
            first.setdefault(key, file.reading)
            count[key] += 1
    return [(first[key], number) for key, number in count.most_common()]


def dump_warnings(
    files: Sequence[SourceFile], *, prompts: int, accounts: int, without_time: int, times_wanted: bool = True
) -> tuple[str, ...]:
    """What a user should check before he believes a scan. No sentence contains text of a prompt.

    Args:
        files: that were read.
        prompts: of all files.
        accounts: of all files.
        without_time: prompts without a time.
        times_wanted: whether the user expects times: he did not say that there is no column for them.
    """
    found, said = [], []
    readings = [reading for reading, _ in layouts(files)]
    senders = sorted({reading.columns["account"] for reading in readings if "account" in reading.columns})
    column = f" ({senders[0]})" if len(senders) == 1 else ""
    if prompts >= ENOUGH and accounts == 1:
        said.append(ONE_ACCOUNT)
        found.append(
            f"all prompts are of one account{column}, so there is nothing to compare; name the column that tells "
            f"senders apart with --map account=COLUMN{_others(readings, 'account')}"
        )
    elif prompts >= ENOUGH and accounts >= ALMOST * prompts:
        said.append(MANY_ACCOUNTS)
        found.append(
            f"there are almost as many accounts ({accounts:,}) as prompts ({prompts:,}): the account{column} may be "
            "the id of a request or of a session; name another column with --map account=COLUMN"
            + _others(readings, "account")
        )
    if times_wanted and prompts and without_time > MOSTLY * prompts:
        if without_time == prompts or len(files) == 1:
            said.append(NO_TIMES)
        what = f"{without_time:,} of {prompts:,} prompts have no time, so little evidence comes from times"
        if without_time == prompts:
            what = "no prompt has a time, so no evidence comes from times"
        found.append(
            f"{what}; if a column has them, name it with --map timestamp=COLUMN{_others(readings, 'timestamp')}"
        )
    if len(senders) > 1:
        names = ", ".join(senders[:SHOWN]) + (", ..." if len(senders) > SHOWN else "")
        found.append(
            f"files have the account in different columns ({names}): one sender may count as several; name one column "
            "with --map account=COLUMN"
        )
    told = Counter(sentence for file in files if file.reading is not None for sentence in file.reading.warnings)
    for sentence, number in told.most_common():
        # The sentence of the only file about rows without a time repeats that of the dump.
        again = len(files) == 1 and NO_TIMES in said and sentence.endswith(WITHOUT_TIME)
        if not again and not sentence.startswith(tuple(said)):
            found.append(sentence if len(files) == 1 else f"{sentence} ({number} of {len(files)} files)")
    return tuple(found)


def _others(readings: Sequence[FileReading], field: str) -> str:
    """Which other columns could be a field, as the end of a sentence."""
    names = list(dict.fromkeys(name for reading in readings for name in reading.others.get(field, ())))[:SHOWN]
    return f" (it could be {' or '.join(names)})" if names else ""
