"""A schedule as a caller asks for it, and its checks."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harvestdetect import __version__
from harvestdetect.errors import UsageError
from harvestdetect.ops.schedule.job import (
    MAX_NAME,
    NAME,
    Job,
    SettingsFile,
    environment_file,
    folder,
    printable,
    short_name,
)
from harvestdetect.util.periods import DAY, HOUR, MINUTE, parse_period

__all__ = ["Schedule", "checked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A command that a scheduler is to run regularly."""

    every: str
    """The period, as :func:`harvestdetect.util.periods.parse_period` takes it, at least a minute. cron and Kubernetes
    can express minutes that divide an hour, hours that divide a day, ``1d`` and ``1w`` (Mondays)."""
    command: Sequence[str]
    """Program and arguments. They reach the program unchanged: no shell expands globs or variables. systemd and cron
    need the full path of the program, and paths in the arguments should be full paths too."""
    writable: Mapping[str, str | os.PathLike[str]]
    """Folders that the command writes into: short name -> full path. ``cache`` is the folder of the vector cache.
    systemd makes everything else read-only; Kubernetes mounts the claim ``NAME-<short name>``."""
    readable: Mapping[str, str | os.PathLike[str]] = field(default_factory=dict)
    """Folders that the command reads, in the same form; mounted read-only."""
    files: Mapping[str, str | os.PathLike[str]] = field(default_factory=dict)
    """Single files that the command reads: short name -> full path. Kubernetes mounts them one by one from the
    ConfigMap ``NAME-files``, so that the other files of their folders stay visible."""
    settings: SettingsFile | None = None
    """The settings file that the command names. Kubernetes mounts it as a single file."""
    env_file: str | None = None
    """Full path of a file with lines ``NAME=value``, which become environment variables of the run. None is
    ``/etc/NAME.env``: systemd reads it if it exists; cron and Airflow read it if the settings name variables or could
    not be read."""
    name: str = "harvestdetect"
    """Name of the job: small letters, digits and ``-``."""
    at: str = "03:17"
    """Time of day of a run, HH:MM, in UTC; for cron in the time zone of the machine. Periods below a day keep its
    minute."""
    user: str | None = None
    """User that runs the command under systemd; None is the name of the job."""
    group: str | None = None
    """Group of the run under systemd, which may read what the run writes. None lets only the user read it."""
    image: str | None = None
    """Container image; None is ``harvestdetect:<version>``."""
    memory_gb: float | None = None
    """Memory limit of a run, in units of 10**9 bytes. None is no limit under systemd and 8 in Kubernetes. A scan reads
    the limit and ends before the comparison starts if it would need more."""
    timeout: str | None = None
    """Period after which a run is stopped; None is ``every``, but at least 6 hours and at most 24."""


def checked(wanted: Schedule) -> Job:
    """The job of a schedule.

    Raises:
        UsageError: a value is out of its range or cannot be printed.
    """
    period = parse_period(wanted.every)
    if period < MINUTE:
        raise UsageError(f"the period of a schedule must be at least 1m; got {wanted.every!r}")
    time = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", wanted.at)
    if time is None:
        raise UsageError(f"the time of day must be HH:MM, such as 03:17; got {wanted.at!r}")
    if not NAME.fullmatch(wanted.name) or len(wanted.name) > MAX_NAME:
        raise UsageError(
            f"the name of a job must be small letters, digits and - inside it, at most {MAX_NAME} characters; "
            f"got {wanted.name!r}"
        )
    if not wanted.command or not wanted.command[0]:
        raise UsageError("there is no command to schedule")
    image = f"harvestdetect:{__version__}" if wanted.image is None else wanted.image
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", image):
        raise UsageError(f"the image must be registry/name:tag; got {image!r}")
    if wanted.memory_gb is not None and not 1 <= wanted.memory_gb <= 1_000_000:
        raise UsageError(f"the memory limit of a run must be at least 1 GB; got {wanted.memory_gb:g}")
    settings = wanted.settings
    return Job(
        command=tuple(printable(word, "the command") for word in wanted.command),
        every="".join(wanted.every.split()),
        period=period,
        hour=int(time[1]),
        minute=int(time[2]),
        writable={short_name(key): folder(path) for key, path in wanted.writable.items()},
        readable={short_name(key): folder(path) for key, path in wanted.readable.items()},
        files={short_name(key): folder(path, "files") for key, path in wanted.files.items()},
        settings=None if settings is None else dataclasses.replace(settings, path=folder(settings.path, "files")),
        env_file=None if wanted.env_file is None else environment_file(wanted.env_file),
        name=wanted.name,
        user=wanted.name if wanted.user is None else _account(wanted.user, "user"),
        group=None if wanted.group is None else _account(wanted.group, "group"),
        image=image,
        memory_gb=wanted.memory_gb,
        timeout=min(max(period, 6 * HOUR), DAY) if wanted.timeout is None else parse_period(wanted.timeout),
    )


def _account(name: str, what: str) -> str:
    """The name of a user or a group, checked."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
        raise UsageError(f"the {what} must be a name of letters, digits, _ . and -; got {name!r}")
    return name
