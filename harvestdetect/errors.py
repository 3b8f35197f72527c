"""The exceptions of this package.

::

    HarvestdetectError           every exception that this package raises on purpose
    ├── UsageError               a flag, a setting or a path is wrong (exit 2)
    │   ├── SettingsError        a setting is out of its range, or a settings file cannot be read
    │   ├── CalibrationError     a calibration cannot be read, or was made for another kind of scan
    │   └── ColumnsError         a dump lacks a required column; the message names the columns found
    ├── InputError               nothing usable could be read from the dumps (exit 1)
    │   └── SignatureError       a signature file or a key cannot be read or trusted
    ├── OutputError              OUT cannot be written: permission, disk full (exit 1)
    ├── EncoderError             a model cannot be found, loaded or trusted (exit 1)
    ├── CacheError               the vector cache cannot be used (exit 1)
    │   └── UnreadableError      a kept file cannot be read now; it was not changed
    ├── ScratchError             temporary files cannot be written: disk full, permission (exit 1)
    ├── EngineError              Ray is not installed or does not answer, or a machine lacks something (exit 1)
    ├── NeedsMemoryError         the scan needs more memory than it may use (exit 1)
    ├── StateError               a state is missing, damaged, or of a newer version (exit 1)
    │   ├── DamagedStateError    its database is empty, missing, foreign or broken; nothing was changed
    │   └── ClockError           the clock is wrong, according to the state or the prompts (exit 1)
    ├── TooManyRejectsError      more bad rows than ``--max-rejects`` allows (exit 4)
    ├── CutFilesError            a file could not be read to its end (exit 4)
    ├── IncompleteWindowError    a file of the window was lost and is missing in the results (exit 4)
    ├── ErasureError             an account is not completely erased yet; try again (exit 75)
    └── LockedError              another scan has the lock (exit 75)

Each class has the exit code with which the command line ends. A message says what is wrong, what was given and what to
do.
"""

from __future__ import annotations

__all__ = [
    "CacheError",
    "CalibrationError",
    "ClockError",
    "ColumnsError",
    "CutFilesError",
    "DamagedStateError",
    "EncoderError",
    "EngineError",
    "ErasureError",
    "HarvestdetectError",
    "IncompleteWindowError",
    "InputError",
    "LockedError",
    "NeedsMemoryError",
    "OutputError",
    "ScratchError",
    "SettingsError",
    "SignatureError",
    "StateError",
    "TooManyRejectsError",
    "UnreadableError",
    "UsageError",
    "was_interrupted",
]


class HarvestdetectError(Exception):
    """Base class of all exceptions that this package raises on purpose."""

    exit_code = 1
    """Exit code of the command line."""


class UsageError(HarvestdetectError):
    """A flag, a setting or a path is wrong."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is out of its range, or a settings file cannot be read."""


class CalibrationError(UsageError):
    """A calibration file cannot be read, or was made for another kind of scan."""


class ColumnsError(UsageError):
    """A dump lacks a required column."""


class InputError(HarvestdetectError):
    """Nothing usable could be read."""


class SignatureError(InputError):
    """A signature file or a key cannot be read, is malformed or expired, or is not of a trusted issuer."""


class OutputError(HarvestdetectError):
    """The results cannot be written."""


class EncoderError(HarvestdetectError):
    """A model cannot be found, loaded or trusted."""


class CacheError(HarvestdetectError):
    """The vector cache cannot be used."""


class UnreadableError(CacheError):
    """A kept file cannot be read now. It was not changed."""


class ScratchError(HarvestdetectError):
    """Temporary files cannot be written."""


class EngineError(HarvestdetectError):
    """Ray cannot be used: it is not installed, its address does not answer, or a machine cannot take part."""


class NeedsMemoryError(HarvestdetectError):
    """A scan needs more memory than it may use."""


class StateError(HarvestdetectError):
    """A state is missing, damaged, or of a newer version."""


class DamagedStateError(StateError):
    """The database of a state is empty, missing, foreign or broken. Nothing was changed."""


class ClockError(StateError):
    """The clock is before the last run of a state, or far from the times of the prompts."""


class TooManyRejectsError(HarvestdetectError):
    """More bad rows than the settings allow."""

    exit_code = 4


class CutFilesError(HarvestdetectError):
    """A file is cut off or cannot be read. The results were written without the rest of it."""

    exit_code = 4


class IncompleteWindowError(HarvestdetectError):
    """A file of the window was lost. It is missing in the results."""

    exit_code = 4


class ErasureError(HarvestdetectError):
    """An account is not completely erased, or that cannot be proven. The message says what remains."""

    exit_code = 75


class LockedError(HarvestdetectError):
    """Another scan has the lock."""

    exit_code = 75


def was_interrupted(error: BaseException | None) -> bool:
    """Whether an exception was raised while Ctrl-C was unwinding the stack."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
