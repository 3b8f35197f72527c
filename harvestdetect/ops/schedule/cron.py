"""Writes a crontab line."""

from __future__ import annotations

import re
from typing import Final

from harvestdetect.errors import UsageError
from harvestdetect.ops.schedule.job import Job, calendar, full_path, sourced

__all__ = ["crontab"]

CRON_BYTES: Final = 998
"""Longest command in bytes: the cron of Debian and others refuse or cut longer ones."""


def crontab(job: Job) -> dict[str, str]:
    """The crontab with comments: file name -> content.

    Raises:
        UsageError: cron cannot express the period, or the command is too long for it.
    """
    full_path(job, "cron")
    times = calendar(job, "cron")
    line = sourced(job) + " ".join(map(_word, job.command))
    if (size := len(line.encode())) > CRON_BYTES:
        raise UsageError(
            f"cron takes commands of at most {CRON_BYTES} bytes, but this one has {size:,}: name a folder instead of "
            "its files, or move options to a settings file (--settings)"
        )
    lines = [
        "# Add these lines with `crontab -e` (`crontab FILE` replaces all your lines). A file in /etc/cron.d needs the",
        "# user before the command and a name without a dot.",
        "#",
        "# No flock is needed: a run ends with 75, without doing anything, if another run is using the same state.",
        "# Times are in the time zone of the machine. A run missed while the machine is off does not take place; the",
        "# next one reads the same files. Output is mailed to the owner; add >/dev/null to get only errors.",
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
        f"# {job.secrets_file} has the secrets of the alert channels{names},",
        "# in lines NAME='value' that a shell reads. Owner is the user of the job, mode 0600.",
    ]


def _word(word: str) -> str:
    """A word, quoted for cron and then for sh.

    cron ends the command at an unescaped %, and some crons remove one of two backslashes. So a % is written as \\%
    outside quotes, which is right whether cron or sh removes the backslash, and no backslash precedes another.
    """
    if re.fullmatch(r"[A-Za-z0-9_@+=:,./-]+", word):
        return word
    special = {"'": '"\'"', "%": "\\%", "\\": "'\\'"}
    parts = re.findall(r"['%\\]|[^'%\\]+", word)
    return "".join(special.get(part) or f"'{part}'" for part in parts) or "''"
