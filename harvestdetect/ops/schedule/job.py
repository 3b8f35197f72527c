"""A checked job, and the parts that several schedulers share."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harvestdetect.errors import UsageError
from harvestdetect.util.periods import DAY, MINUTE, WEEK

__all__ = [
    "ATTEMPTS",
    "MAX_NAME",
    "NAME",
    "Job",
    "SettingsFile",
    "calendar",
    "environment_file",
    "folder",
    "full_path",
    "printable",
    "short_name",
    "sourced",
]

ATTEMPTS: Final = 4
"""Attempts at one run: the first and three retries."""
MAX_NAME: Final = 52
"""Longest name of a job, in characters: Kubernetes allows 52 for a CronJob."""
MAX_SHORT_NAME: Final = 10
"""Longest short name of a folder or file, in characters, so that ``NAME-<short name>`` stays a valid name."""
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""Form of the name of a job, and of the short name of a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """The settings file of a scheduled scan."""

    path: str
    """Full path, as in the command."""
    text: str | None = None
    """Content without secrets and comments, for a ConfigMap; None if it is unknown or must not be published."""
    secret: bool = False
    """Whether the file contains a secret, so that Kubernetes must keep it in a Secret."""
    variables: tuple[str, ...] = ()
    """Environment variables that the file names (``url_env`` and the like). The run needs them."""
    known: bool = False
    """Whether the file could be read. If not, it may name any variables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job with checked values. Times are in seconds, paths are full paths; see :class:`~.request.Schedule`."""

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
        """Seconds before a failed run is retried."""
        return min(max(self.period // 10, 10), 10 * MINUTE)

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables that the run needs for its alerts."""
        return () if self.settings is None else self.settings.variables

    @property
    def secrets_file(self) -> str | None:
        """The environment file that a shell reads: the given one, else ``/etc/NAME.env`` if the alerts may need it."""
        needed = self.settings is not None and (bool(self.variables) or not self.settings.known)
        return self.env_file or (f"/etc/{self.name}.env" if needed else None)

    @property
    def moments(self) -> tuple[list[int] | None, list[int] | None, bool] | None:
        """Minutes, hours (None means all) and whether only on Mondays; None if a calendar cannot express the period."""
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
    """Checks that a text can be printed, and returns it.

    Args:
        text: any text.
        what: what messages call it.

    Raises:
        UsageError: a character cannot be printed.
    """
    for character in text:
        if not character.isprintable():
            raise UsageError(f"{what} has a character that cannot be printed (U+{ord(character):04X}): {text!r}")
    return text


def short_name(name: str) -> str:
    """Checks the short name of a folder or file, and returns it.

    Raises:
        UsageError: the name has a wrong form or is too long.
    """
    if not NAME.fullmatch(name) or len(name) > MAX_SHORT_NAME:
        raise UsageError(
            f"the short name of a folder must be at most {MAX_SHORT_NAME} small letters and digits; got {name!r}"
        )
    return name


def folder(path: str | os.PathLike[str], what: str = "folders") -> str:
    """A full path without doubled slashes and dots.

    Args:
        path: path of a folder or a file.
        what: what messages call it.

    Raises:
        UsageError: it is not a full path below ``/``, or cannot be printed.
    """
    text = printable(os.fspath(path), "a folder")
    if not text.startswith("/") or ".." in text.split("/") or not text.strip("/"):
        raise UsageError(f"{what} of a schedule must be full paths below /, without ..; got {text!r}")
    return os.path.normpath("/" + text.lstrip("/"))


def environment_file(path: str) -> str:
    """A full path that systemd, cron and a shell read in the same way.

    Raises:
        UsageError: it is not a full path, or has a character that is special in one of them.
    """
    text = folder(path, "files")
    if not re.fullmatch(r"[A-Za-z0-9_@+=,./-]+", text):
        raise UsageError(f"the path of an environment file must be letters, digits and _ @ + = , . / -; got {path!r}")
    return text


def sourced(job: Job) -> str:
    """The start of a shell command that reads the environment file, if there is one to read."""
    file = job.secrets_file
    return "" if file is None else f"if [ -r {file} ]; then set -a; . {file}; set +a; fi; "


def full_path(job: Job, format: str) -> None:
    """Checks that the command has the full path of the program.

    Raises:
        UsageError: it has not.
    """
    if not job.command[0].startswith("/"):
        example = f"/opt/harvestdetect/bin/{os.path.basename(job.command[0])}"
        raise UsageError(
            f"{format} does not use your PATH: give the full path of the program, such as {example}; "
            f"got {job.command[0]!r}"
        )


def calendar(job: Job, format: str) -> str:
    """The period as the five fields of a crontab line.

    Raises:
        UsageError: a calendar cannot express the period.
    """
    if job.moments is None:
        known = "1m to 6m, 10m, 12m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d and 1w"
        raise UsageError(
            f"{format} cannot run a job every {job.every}, only every {known}; systemd and airflow take any period"
        )
    minutes, hours, monday = job.moments
    minute, hour = ("*" if values is None else ",".join(map(str, values)) for values in (minutes, hours))
    return f"{minute} {hour} * * {1 if monday else '*'}"
