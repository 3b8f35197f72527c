"""Reads of kept files. An error that may be temporary is retried, and does not count as damage.

A disk or a network file system can fail a read with EIO and return the same bytes a second later. So a failed read
does not show that a file is damaged. Only bytes that were read and do not match their digest do.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from harvestdetect.errors import UnreadableError

__all__ = ["WAITS", "is_read_error", "retried"]

WAITS: Final = (0.05, 0.2, 0.8)
"""Seconds to wait before each further attempt."""
_LASTING: Final = frozenset({errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL})
"""Errors that do not change with further attempts."""
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
"""Errors that say that there is no such file."""

T = TypeVar("T")


def is_read_error(error: BaseException) -> bool:
    """Whether an exception says that a file could not be read, not that it is absent or has wrong content.

    Arrow also raises OSError for a failed checksum, but without an error number.
    """
    return isinstance(error, OSError) and error.errno is not None and error.errno not in _ABSENT


def retried(read: Callable[[], T], path: str | os.PathLike[str]) -> T:
    """Calls a function that reads a file, and calls it again after each read error that may be temporary.

    Args:
        read: starts from the beginning in each call. Other exceptions than read errors are passed on.
        path: of the file, for the message.

    Raises:
        UnreadableError: the file could not be read in any attempt.
    """
    for wait in (*WAITS, None):
        try:
            return read()
        except OSError as error:
            if not is_read_error(error):
                raise
            if wait is None or error.errno in _LASTING:
                raise UnreadableError(
                    f"cannot read {Path(path)}: {error.strerror or error}; it was not changed, try again when the disk "
                    "answers"
                ) from None
        time.sleep(wait)
    raise AssertionError
