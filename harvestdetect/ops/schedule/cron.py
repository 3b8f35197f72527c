"""A line for cron."""

from __future__ import annotations

import re
from typing import Final

from harvestdetect.errors import UsageError
from harvestdetect.ops.schedule.job import Job, calendar, full_path, sourced

__all__ = ["crontab"]

CRON_BYTES: Final = 998
"""Longer commands are refused, or cut, by the cron of Debian and others."""


def crontab(job: Job) -> dict[str, str]:
    """File name -> content: comments and the line.

    Raises:
        UsageError: cron cannot express the period, or the command is too long for it.
    """
    full_path(job, "cron")
    times = calendar(job, "cron")
    line = sourced(job) + " ".join(map(_word, job.command))
    if (size := len(line.encode())) > CRON_BYTES:
        raise UsageError(
            f"cron takes commands of {CRON_BYTES} bytes, and this one has {size:,}: name a folder instead of its "
            "files, or put options into a settings file (--settings)"
        )
    lines = [
        "# Add this to what `crontab -e` shows (`crontab FILE` replaces all that is there). In a file of /etc/cron.d",
        "# the user goes before the command, and the file's name has no dot.",
        "#",
        "# It needs no flock: a run ends with 75, having done nothing, while another one works on the same state.",
        "# Times are the machine's. A run missed while the machine is off is not made up for; the next one reads",
        "# what it left. What a run prints is mailed to the owner; with >/dev/null at the end only errors are.",
        *_about_secrets(job),
        f"{times} {line}",
    ]
    return {f"{job.name}.crontab": "\n".join(lines) + "\n"}


def _about_secrets(job: Job) -> list[str]:
    if job.secrets_file is None:
        return []
    names = f": {', '.join(job.variables)}" if job.variables else ""
    return [
        "#",
        f"# {job.secrets_file} contains the secrets of alerts{names}.",
        "# Lines NAME='value', read by a shell; owned by the user of the job, mode 0600.",
    ]


def _word(word: str) -> str:
    """A word for cron and then sh.

    cron takes an unescaped % for the end of the command, and some crons take one of two backslashes away: a % is
    written \\% outside quotes, which is right whether cron or sh takes the backslash, and no backslash stands before
    another.
    """
    if re.fullmatch(r"[A-Za-z0-9_@+=:,./-]+", word):
        return word
    special = {"'": '"\'"', "%": "\\%", "\\": "'\\'"}
    parts = re.findall(r"['%\\]|[^'%\\]+", word)
    return "".join(special.get(part) or f"'{part}'" for part in parts) or "''"
