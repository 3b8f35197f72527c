"""Files that have a scheduler run a command again and again: systemd, cron, Kubernetes, Airflow.

A run is safe to start at any time: it ends with 75 where another one works on the same state, so no format needs a
lock of its own. What they make of an exit code (again: up to three times, after a pause)::

    code                         systemd               kubernetes            airflow
    0   done                     done                  done                  done
    3   done, with findings      done                  failed, not again     done
    4   done, look at the input  failed, not again     failed, not again     failed, tried again
    2   wrong usage              failed, not again     failed, not again     failed, tried again
    1   failed                   failed, tried again   failed, tried again   failed, tried again
    75  another run has it       failed, tried again   failed, tried again   failed, tried again

cron looks at none of them.

Secrets of alerts are in no file that is printed. A run gets them as environment variables: from an environment file
(systemd, cron, Airflow) or a Secret (Kubernetes).

Every value is quoted for the format it goes into. Where that cannot be done for all versions of a scheduler, and where
a character cannot be printed, it is refused.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from harvestdetect import __version__
from harvestdetect.errors import UsageError
from harvestdetect.ops.schedule.airflow import dag
from harvestdetect.ops.schedule.cron import crontab
from harvestdetect.ops.schedule.job import (
    DAY,
    HOUR,
    LONGEST,
    MINUTE,
    NAME,
    Job,
    SettingsFile,
    environment_file,
    folder,
    parse_period,
    printable,
    short_name,
)
from harvestdetect.ops.schedule.kubernetes import manifests
from harvestdetect.ops.schedule.systemd import service_and_timer

__all__ = ["FORMATS", "LONGEST", "SettingsFile", "parse_period", "units"]

_WRITERS: Final[dict[str, Callable[[Job], dict[str, str]]]] = {
    "systemd": service_and_timer,
    "cron": crontab,
    "kubernetes": manifests,
    "airflow": dag,
}
FORMATS: Final = tuple(_WRITERS)


def units(
    format: str,
    *,
    every: str,
    command: Sequence[str],
    writable: Mapping[str, str | os.PathLike[str]],
    readable: Mapping[str, str | os.PathLike[str]] | None = None,
    files: Mapping[str, str | os.PathLike[str]] | None = None,
    settings: SettingsFile | None = None,
    env_file: str | None = None,
    name: str = "harvestdetect",
    at: str = "03:17",
    user: str | None = None,
    group: str | None = None,
    image: str | None = None,
    memory_gb: float | None = None,
    timeout: str | None = None,
) -> dict[str, str]:
    """Files that make a scheduler run a command again and again: file name -> content.

    Args:
        format: one of :data:`FORMATS`.
        every: as :func:`parse_period` takes it, a minute or more. cron and Kubernetes know minutes that divide an hour,
            hours that divide a day, ``1d`` and ``1w`` (Mondays).
        command: program and arguments. They reach the program as they are: no shell takes globs or variables apart.
            systemd and cron need the full path of the program, and paths in the arguments should be full ones too.
        writable: what the command writes into: a short name -> full path of a folder. ``cache`` takes the vector cache.
            systemd leaves all else read-only; in Kubernetes it is mounted from the claim ``NAME-<short name>``.
        readable: what it reads, likewise; mounted read-only.
        files: single files that it reads: a short name -> full path. In Kubernetes they are mounted from the ConfigMap
            ``NAME-files``, key by key, so that nothing else in their folders is hidden.
        settings: the settings file that the command names; Kubernetes mounts it as a single file.
        env_file: full path of a file with lines ``NAME=value`` that the run gets as environment variables. None:
            ``/etc/NAME.env``; systemd reads it where it is there, cron and Airflow where the settings name variables or
            could not be read.
        name: of the job, small letters, digits and ``-``.
        at: time of day of a run, HH:MM: UTC, with cron the machine's. Shorter periods keep its minute.
        user: who runs it under systemd; None: the name.
        group: with systemd, the group of the run; what it writes is open to the group. None: to nobody else.
        image: of the container; None: ``harvestdetect:<version>``.
        memory_gb: what a run may take before it is killed, 10**9 bytes; None: no limit under systemd, 8 in Kubernetes.
            A scan reads this limit and ends before it starts to compare if it would need more.
        timeout: after which a run that hangs is stopped; None: the period, and at least 6 hours and at most 24.

    Raises:
        UsageError: the format cannot express the period or a value, or one is out of its range.
    """
    if format not in FORMATS:
        raise UsageError(f"the format of a schedule is one of {', '.join(FORMATS)}; got {format!r}")
    period = parse_period(every)
    if period < MINUTE:
        raise UsageError(f"the shortest period of a schedule is 1m; got {every!r}")
    time = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", at)
    if time is None:
        raise UsageError(f"the time of day is HH:MM, such as 03:17; got {at!r}")
    if not NAME.fullmatch(name) or len(name) > 52:
        raise UsageError(f"the name of a job is small letters, digits and - inside it, at most 52; got {name!r}")
    if not command or not command[0]:
        raise UsageError("there is no command to schedule")
    image = f"harvestdetect:{__version__}" if image is None else image
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", image):
        raise UsageError(f"the image is named as registry/name:tag; got {image!r}")
    if memory_gb is not None and not 1 <= memory_gb <= 1_000_000:
        raise UsageError(f"the memory of a run is 1 GB or more; got {memory_gb:g}")
    job = Job(
        command=tuple(printable(word, "the command") for word in command),
        every="".join(every.split()),
        period=period,
        hour=int(time[1]),
        minute=int(time[2]),
        writable={short_name(key): folder(path) for key, path in writable.items()},
        readable={short_name(key): folder(path) for key, path in (readable or {}).items()},
        files={short_name(key): folder(path, "files") for key, path in (files or {}).items()},
        settings=None if settings is None else dataclasses.replace(settings, path=folder(settings.path, "files")),
        env_file=None if env_file is None else environment_file(env_file),
        name=name,
        user=name if user is None else _account(user, "user"),
        group=None if group is None else _account(group, "group"),
        image=image,
        memory_gb=memory_gb,
        timeout=min(max(period, 6 * HOUR), DAY) if timeout is None else parse_period(timeout),
    )
    return _WRITERS[format](job)


def _account(name: str, what: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
        raise UsageError(f"the {what} is a name of letters, digits, _ . and -; got {name!r}")
    return name
