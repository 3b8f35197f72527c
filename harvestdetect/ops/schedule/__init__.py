"""Files that make a scheduler run a command regularly: systemd, cron, Kubernetes, Airflow.

A run may start at any time: it ends with 75 if another run is using the same state, so no format needs a lock of its
own. This is what the schedulers make of an exit code. They retry up to three times, after a pause::

    code                         systemd               kubernetes            airflow
    0   done                     done                  done                  done
    3   done, with findings      done                  failed, no retry      done
    4   done, check the input    failed, no retry      failed, no retry      failed, retried
    2   wrong usage              failed, no retry      failed, no retry      failed, retried
    1   failed                   failed, retried       failed, retried       failed, retried
    75  state is in use          failed, retried       failed, retried       failed, retried

cron ignores exit codes.

No printed file has a secret of an alert channel. A run gets the secrets as environment variables: from an environment
file (systemd, cron, Airflow) or a Secret (Kubernetes).

Every value is quoted for its format. A value that cannot be quoted for all versions of a scheduler, and a character
that cannot be printed, raise an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harvestdetect.errors import UsageError
from harvestdetect.ops.schedule.airflow import dag
from harvestdetect.ops.schedule.cron import crontab
from harvestdetect.ops.schedule.job import Job, SettingsFile
from harvestdetect.ops.schedule.kubernetes import manifests
from harvestdetect.ops.schedule.request import Schedule, checked
from harvestdetect.ops.schedule.systemd import service_and_timer

__all__ = ["FORMATS", "Schedule", "SettingsFile", "units"]

_WRITERS: Final[dict[str, Callable[[Job], dict[str, str]]]] = {
    "systemd": service_and_timer,
    "cron": crontab,
    "kubernetes": manifests,
    "airflow": dag,
}
"""Scheduler -> function that writes its files."""
FORMATS: Final = tuple(_WRITERS)
"""Names of the schedulers."""


def units(format: str, wanted: Schedule) -> dict[str, str]:
    """Files that make a scheduler run a command regularly: file name -> content.

    Args:
        format: one of :data:`FORMATS`.
        wanted: what to run, and when.

    Raises:
        UsageError: the format cannot express the period or a value, or a value is out of its range.
    """
    if format not in FORMATS:
        raise UsageError(f"the format of a schedule must be one of {', '.join(FORMATS)}; got {format!r}")
    return _WRITERS[format](checked(wanted))
