"""What a scheduler is to run, checked: the values that every format takes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harvestdetect.errors import UsageError

__all__ = [
    "ATTEMPTS",
    "DAY",
    "HOUR",
    "LONGEST",
    "MINUTE",
    "NAME",
    "Job",
    "SettingsFile",
    "calendar",
    "environment_file",
    "folder",
    "full_path",
    "parse_period",
    "printable",
    "short_name",
    "sourced",
]

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
WEEK: Final = 7 * DAY
UNITS: Final = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
LONGEST: Final = 3_650 * DAY
ATTEMPTS: Final = 4
"""Of one run: the first and three more."""
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""The name of a job, and the short name of a folder."""


def parse_period(text: str) -> int:
    """Seconds of a period such as ``15m``, ``12h``, ``1d`` or ``1w``.

    Args:
        text: a whole number and one of s, m, h, d, w.

    Raises:
        UsageError: it is something else, zero, or more than ten years.
    """
    match = re.fullmatch(r"\s*([0-9]{1,10})\s*([smhdw])\s*", text)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST:
        allowed = "a whole number above 0 and one of s, m, h, d, w, up to ten years, such as 15m, 12h, 1d or 1w"
        raise UsageError(f"a period is {allowed}; got {text!r}")
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """The settings file that a scheduled scan is started with."""

    path: str
    """Full path, as the command names it."""
    text: str | None = None
    """Its content without secrets and comments, to put into a ConfigMap; None: not to be published, or not known."""
    secret: bool = False
    """Whether the file itself contains a secret, so that Kubernetes has to keep it in a Secret."""
    variables: tuple[str, ...] = ()
    """Environment variables that the file names (``url_env`` and the like) and that the run must get."""
    known: bool = False
    """Whether the file was read; otherwise it may name any variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is run; times in seconds. Values are checked, paths are full ones."""

    command: tuple[str, ...]
    every: str
    period: int
    hour: int
    minute: int
    writable: Mapping[str, str]
    readable: Mapping[str, str]
    files: Mapping[str, str]
    settings: SettingsFile | None
    env_file: str | None
    name: str
    user: str
    group: str | None
    image: str
    memory_gb: float | None
    timeout: int

    @property
    def pause(self) -> int:
        """Before a failed run is tried again."""
        return min(max(self.period // 10, 10), 10 * MINUTE)

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables that the run needs for its alerts."""
        return () if self.settings is None else self.settings.variables

    @property
    def secrets_file(self) -> str | None:
        """The environment file of a shell: the one asked for, or the usual place where alerts may need one."""
        needed = self.settings is not None and (bool(self.variables) or not self.settings.known)
        return self.env_file or (f"/etc/{self.name}.env" if needed else None)

    @property
    def moments(self) -> tuple[list[int] | None, list[int] | None, bool] | None:
        """Minutes, hours (None: all) and whether on Mondays only; None where a calendar cannot tell the period."""
        minutes, rest = divmod(self.period, MINUTE)
        if rest:
            return None
        if minutes < 60 and 60 % minutes == 0:
            every = sorted((self.minute + k) % 60 for k in range(0, 60, minutes))
            return None if minutes == 1 else every, None, False
        hours, rest = divmod(minutes, 60)
        if not rest and 0 < hours < 24 and 24 % hours == 0:
            every = sorted((self.hour + k) % 24 for k in range(0, 24, hours))
            return [self.minute], None if hours == 1 else every, False
        if self.period in (DAY, WEEK):
            return [self.minute], [self.hour], self.period == WEEK
        return None


def printable(text: str, what: str) -> str:
    """The text itself.

    Raises:
        UsageError: a character of it cannot be printed.
    """
    for character in text:
        if not character.isprintable():
            raise UsageError(f"{what} has a character that cannot be printed (U+{ord(character):04X}): {text!r}")
    return text


def short_name(name: str) -> str:
    """The short name of a folder or file itself.

    Raises:
        UsageError: it is not one.
    """
    if not NAME.fullmatch(name) or len(name) > 10:
        raise UsageError(f"the short name of a folder is at most 10 small letters and digits; got {name!r}")
    return name


def folder(path: str | os.PathLike[str], what: str = "folders") -> str:
    """A full path without doubled slashes and dots.

    Args:
        path: of a folder or a file.
        what: how messages call it.

    Raises:
        UsageError: it is not a full path below ``/``, or cannot be printed.
    """
    text = printable(os.fspath(path), "a folder")
    if not text.startswith("/") or ".." in text.split("/") or not text.strip("/"):
        raise UsageError(f"{what} of a schedule are full paths below /, without ..; got {text!r}")
    return os.path.normpath("/" + text.lstrip("/"))


def environment_file(path: str) -> str:
    """A full path that systemd, cron and a shell read alike.

    Raises:
        UsageError: it is not a full path, or one of them would take a character of it for something else.
    """
    text = folder(path, "files")
    if not re.fullmatch(r"[A-Za-z0-9_@+=,./-]+", text):
        raise UsageError(f"the path of an environment file is letters, digits and _ @ + = , . / -; got {path!r}")
    return text


def sourced(job: Job) -> str:
    """What a shell command begins with so that the program gets the variables of the environment file."""
    file = job.secrets_file
    return "" if file is None else f"if [ -r {file} ]; then set -a; . {file}; set +a; fi; "


def full_path(job: Job, format: str) -> None:
    """Check that the program is named by its full path.

    Raises:
        UsageError: it is not.
    """
    if not job.command[0].startswith("/"):
        example = f"/opt/harvestdetect/bin/{os.path.basename(job.command[0])}"
        raise UsageError(
            f"{format} does not look into your PATH: give the program's full path, such as {example}; "
            f"got {job.command[0]!r}"
        )


def calendar(job: Job, format: str) -> str:
    """The five fields of cron.

    Raises:
        UsageError: a calendar cannot express the period.
    """
    if job.moments is None:
        known = "1m to 6m, 10m, 12m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d and 1w"
        raise UsageError(
            f"{format} cannot run every {job.every}: it knows {known}; systemd and airflow know any period"
        )
    minutes, hours, monday = job.moments
    minute, hour = ("*" if values is None else ",".join(map(str, values)) for values in (minutes, hours))
    return f"{minute} {hour} * * {1 if monday else '*'}"
