"""Which files of a folder, a pattern or an archive are taken for dumps, by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

__all__ = ["LOOKED_FOR", "LeftOut", "kept_out", "looks_like_data", "needs_a_look"]

_KINDS: Final = (
    *("jsonl", "ndjson", "jsonlines", "json", "csv", "tsv", "tab", "psv", "txt", "log", "parquet", "pq", "arrow"),
    *("arrows", "feather", "ipc", "orc", "avro", "sqlite", "sqlite3", "db", "xlsx", "xls", "tar", "tgz", "tbz", "tbz2"),
    *("txz", "tzst", "zip", "7z"),
)
"""Suffixes of dumps and archives. Some of them are not read, and the user is told what to do."""
_PACKED: Final = ("gz", "gzip", "zst", "zstd", "bz2", "xz", "lz4", "zz")
_MARK: Final = r"(?:[.-]\d[\w:.+-]*?)?"
"""What the rotation of a log adds to a name: a number or a date."""
_SUFFIX: Final = re.compile(
    rf"\.(?:{'|'.join(_KINDS)}){_MARK}(?:\.(?:{'|'.join(_PACKED)}))?{_MARK}\Z|\.(?:{'|'.join(_PACKED)})\Z",
    re.IGNORECASE,
)
_PARTS: Final = re.compile(
    r"part-(?:[mr]-)?\d{3,}[\w-]*\Z|.*-\d{4}(?:-\d\d){5}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
)
"""Names without a suffix: parts of a Hadoop or Spark job, and objects that Firehose writes."""
_MARKERS: Final = ("_success", "_committed_", "_started_", "_metadata", "_common_metadata", "_delta_log")
"""Beginnings of the names of files that a job leaves beside its data."""
_NO_DATA: Final = ("thumbs.db", "desktop.ini", "manifest.json", "robots.txt", "requirements.txt")
_STARTS: Final = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*"|\[\s*\{)|\x1f\x8b|\x28\xb5\x2f\xfd|BZh[1-9]|\xfd7zXZ|PAR1|ARROW1|SQLite format 3'
)
_NAMED: Final = 3
"""Number of files of each kind that a note names."""
LOOKED_FOR: Final = (
    "*.jsonl, *.ndjson, *.json, *.csv, *.tsv, *.txt, *.log, *.parquet, *.arrow, *.sqlite, each also .gz, .zst, .bz2 or "
    ".xz, *.tar and *.zip"
)
"""What folders and patterns are searched for, in words."""


def kept_out(path: str) -> str:
    """Why a file that was found is not taken; "" if it is taken.

    Args:
        path: its path below the folder that is searched.
    """
    parts = path.replace("\\", "/").rstrip("/").split("/")
    base = parts[-1].lower()
    if any(part.startswith(".") and part not in (".", "..") for part in parts) or "__MACOSX" in parts:
        return "hidden file"
    if base.startswith(_MARKERS) or "_delta_log" in parts:
        return "mark of a job"
    if base in _NO_DATA:
        return "no dump"
    if _SUFFIX.search(base) or _PARTS.match(base) or _has_no_suffix(parts[-1]):
        return ""
    return f".{base.rsplit('.', 1)[-1][:20]} file" if "." in base else "file without a suffix"


def _has_no_suffix(name: str) -> bool:
    """Whether a name says nothing about what is in the file. Names in capitals, such as README, say that it is text."""
    base = name.rsplit("/", 1)[-1]
    return "." not in base and not base.isupper()


def needs_a_look(name: str) -> bool:
    """Whether only the content of a file that is not kept out can tell if it is a dump."""
    return _has_no_suffix(name) and _PARTS.match(name.rsplit("/", 1)[-1]) is None


def looks_like_data(head: bytes) -> bool:
    """Whether a file of unknown kind starts like a dump."""
    return _STARTS.match(head) is not None


class LeftOut:
    """Files that were found and not taken: how many of each kind, and some names."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._names: dict[str, list[str]] = {}

    def add(self, name: str, why: str) -> None:
        """Adds a file."""
        self.counts[why] += 1
        names = self._names.setdefault(why, [])
        if len(names) < _NAMED:
            names.append(name)

    def sentences(self) -> Iterator[str]:
        """One sentence for each kind, with the number of files and some names."""
        for why, count in sorted(self.counts.items()):
            names = [ascii(name)[1:-1] for name in self._names[why]]
            more = ", ..." if count > len(names) else ""
            yield f"left out, {why}: {count:,} ({', '.join(names)}{more})"
