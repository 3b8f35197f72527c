"""The audit log: who did what and when, one JSON object a line. Lines are added and never changed.

It has no text of a prompt and no account id. The note of a verdict stays in the state.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harvestdetect.errors import OutputError
from harvestdetect.report import AUDIT
from harvestdetect.report.format import iso_time, plural
from harvestdetect.util.disk import reason_of
from harvestdetect.util.escape import json_text
from harvestdetect.util.files import create_private, make_folder, shared_with_group

__all__ = ["Audit", "Entry"]

_TAIL: Final = 400_000
"""Bytes of the end of the file that the page shows at most."""
_MOST_ENTRIES: Final = 300
"""Entries that the page shows at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the audit log."""

    at: str
    """ISO 8601 in UTC."""
    who: str
    what: str
    """``start``, ``enter``, ``verdict``, ``undo``, ``search``, ``reveal`` or ``export``; ``verdict failed``, ``undo
    failed``."""
    campaign: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


class Audit:
    """Adds lines to the audit log, and reads the last ones.

    Args:
        folder: of the state or of the scan.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / AUDIT

    def add(self, who: str, what: str, *, campaign: str = "", **detail: Any) -> None:
        """Adds a line and waits until it is on the disk. The caller acts only after that.

        Args:
            who: name of the reviewer.
            what: see :class:`Entry`.
            campaign: id of the campaign that it is about.
            detail: plain values; no text of a prompt.

        Raises:
            OutputError: the line cannot be written.
        """
        entry: dict[str, Any] = {"at": iso_time(int(time.time())), "who": who, "what": what}
        entry |= {"campaign": campaign} if campaign else {}
        entry |= {"detail": detail} if detail else {}
        line = (json_text(entry) + "\n").encode("utf-8", "backslashreplace")
        try:
            self._append(line)
        except OSError as error:
            raise OutputError(
                f"the audit log {self.file} cannot be written, so nothing was done: {reason_of(error)}"
            ) from None

    def _append(self, line: bytes) -> None:
        folder = self.file.parent
        with ExitStack() as stack:
            if folder.exists() and folder.stat().st_mode & stat.S_IWGRP:
                stack.enter_context(shared_with_group(folder))
            make_folder(folder)
            create_private(self.file)
        handle = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":  # a process was killed within a line
                line = b"\n" + line
            while line:
                line = line[os.write(handle, line) :]
            os.fsync(handle)
        finally:
            os.close(handle)

    def last(self) -> tuple[list[Entry], str]:
        """The last entries, the newest first, and a sentence about what is not shown; empty if there is nothing."""
        try:
            with self.file.open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(size - _TAIL, 0))
                lines = stream.read(_TAIL).splitlines()
        except FileNotFoundError:
            return [], ""
        except OSError as error:
            return [], f"The audit log cannot be read: {reason_of(error)}."
        lines = lines[1:] if size > _TAIL else lines
        entries = [entry for line in reversed(lines) if (entry := _entry(line)) is not None]
        broken = sum(bool(line.strip()) for line in lines) - len(entries)
        said = [f"{plural(broken, 'line')} cannot be read."] if broken else []
        if size > _TAIL or len(entries) > _MOST_ENTRIES:
            said.append(f"Older entries are in {self.file.name}.")
        return entries[:_MOST_ENTRIES], " ".join(said)


def _entry(line: bytes) -> Entry | None:
    try:
        value = json.loads(line)
        return Entry(
            at=str(value["at"]), who=str(value["who"]), what=str(value["what"]),
            campaign=str(value.get("campaign", "")), detail=dict(value.get("detail", {})),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
