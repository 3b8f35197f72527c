"""One family of exceptions.

::

    HarvestdetectError           anything this package raises on purpose
    ├── UsageError               what was asked for cannot be done: a flag, a setting, a path (exit 2)
    │   ├── SettingsError        a setting out of its range, or a settings file that cannot be read
    │   ├── CalibrationError     a calibration that cannot be read, or was made for another kind of scan
    │   └── ColumnsError         a dump lacks a needed column; names the columns found
    ├── InputError               nothing usable could be read from the dumps (exit 1)
    ├── OutputError              OUT cannot be written: permission, disk full (exit 1)
    ├── EncoderError             a model cannot be found, loaded or trusted (exit 1)
    ├── CacheError               the vector cache cannot be used (exit 1)
    ├── ScratchError             temporary files cannot be written: disk full, permission (exit 1)
    ├── NeedsMemoryError         the scan would need more memory than it may have (exit 1)
    ├── StateError               a state is missing, damaged, or of a newer version (exit 1)
    ├── TooManyRejectsError      more bad rows than ``--max-rejects`` allows (exit 4)
    └── LockedError              another scan holds the lock (exit 75)

Each class carries the exit code the command line ends with. Messages say what is wrong, what was given
and what to do.
"""

from __future__ import annotations

__all__ = [
    "CacheError",
    "CalibrationError",
    "ColumnsError",
    "EncoderError",
    "HarvestdetectError",
    "InputError",
    "LockedError",
    "NeedsMemoryError",
    "OutputError",
    "ScratchError",
    "SettingsError",
    "StateError",
    "TooManyRejectsError",
    "UsageError",
    "was_interrupted",
]


class HarvestdetectError(Exception):
    """The root of the family."""

    exit_code = 1


class UsageError(HarvestdetectError):
    """What was asked for cannot be done."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is out of its range, or a settings file cannot be read."""


class CalibrationError(UsageError):
    """A calibration file cannot be read, or was made for another kind of scan."""


class ColumnsError(UsageError):
    """A dump lacks a column that a scan needs."""


class InputError(HarvestdetectError):
    """Nothing usable could be read."""


class OutputError(HarvestdetectError):
    """The results cannot be written."""


class EncoderError(HarvestdetectError):
    """A model cannot be found, loaded or trusted."""


class CacheError(HarvestdetectError):
    """The vector cache cannot be used."""


class ScratchError(HarvestdetectError):
    """Temporary files cannot be written."""


class NeedsMemoryError(HarvestdetectError):
    """A scan would need more memory than it may have."""


class StateError(HarvestdetectError):
    """A state is missing, damaged, or of a newer version."""


class TooManyRejectsError(HarvestdetectError):
    """More bad rows than the settings allow."""

    exit_code = 4


class LockedError(HarvestdetectError):
    """Another scan holds the lock."""

    exit_code = 75


def was_interrupted(error: BaseException | None) -> bool:
    """Whether an error came up while Ctrl-C was unwinding the stack."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
