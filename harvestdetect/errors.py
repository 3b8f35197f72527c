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
    │   └── UnreadableError      a file that was kept cannot be read now; nothing of it was changed
    ├── ScratchError             temporary files cannot be written: disk full, permission (exit 1)
    ├── NeedsMemoryError         the scan would need more memory than it may have (exit 1)
    ├── StateError               a state is missing, damaged, or of a newer version (exit 1)
    │   ├── DamagedStateError    its database is empty, missing, foreign or broken; nothing was changed
    │   └── ClockError           the clock cannot be right, by the state or by the prompts (exit 1)
    ├── TooManyRejectsError      more bad rows than ``--max-rejects`` allows (exit 4)
    ├── IncompleteWindowError    a file of the window was lost; the results are without it (exit 4)
    ├── ErasureError             an account is not erased completely yet; try again (exit 75)
    └── LockedError              another scan holds the lock (exit 75)

Each class carries the exit code the command line ends with. Messages say what is wrong, what was given
and what to do.
"""

from __future__ import annotations

__all__ = [
    "CacheError",
    "CalibrationError",
    "ClockError",
    "ColumnsError",
    "DamagedStateError",
    "EncoderError",
    "ErasureError",
    "HarvestdetectError",
    "IncompleteWindowError",
    "InputError",
    "LockedError",
    "NeedsMemoryError",
    "OutputError",
    "ScratchError",
    "SettingsError",
    "StateError",
    "TooManyRejectsError",
    "UnreadableError",
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


class UnreadableError(CacheError):
    """A file that was kept cannot be read now. Nothing of it was changed."""


class ScratchError(HarvestdetectError):
    """Temporary files cannot be written."""


class NeedsMemoryError(HarvestdetectError):
    """A scan would need more memory than it may have."""


class StateError(HarvestdetectError):
    """A state is missing, damaged, or of a newer version."""


class DamagedStateError(StateError):
    """The database of a state is empty, missing, foreign or broken. Nothing was changed."""


class ClockError(StateError):
    """The clock is before the last run of a state, or far from what the prompts say."""


class TooManyRejectsError(HarvestdetectError):
    """More bad rows than the settings allow."""

    exit_code = 4


class IncompleteWindowError(HarvestdetectError):
    """A file of the window was lost. The results were written without it."""

    exit_code = 4


class ErasureError(HarvestdetectError):
    """An account is not erased completely, or it cannot be proven; the message says what remains."""

    exit_code = 75


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
