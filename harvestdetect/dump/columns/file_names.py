"""Values in the path of a file: the account of ``account=u1/part-0.jsonl``, or of a file that is named after it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from harvestdetect.errors import ColumnsError

__all__ = ["PATTERN", "check_pattern", "in_path", "partitions"]

PATTERN: Final = "@path:"
"""What a pattern begins with where ``--map`` expects a column."""
_PIECE: Final = re.compile(r"\{\w*\}|\*\*|\*")
"""What a pattern has besides literal text."""
_MOST_PIECES: Final = 20
"""Most pieces of a pattern that are not literal text."""
_LONGEST: Final = 4_096
"""Characters of the longest path or pattern."""
_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
"""What Hive writes for a missing value."""


def check_pattern(field: str, pattern: str) -> None:
    """Checks a pattern for :func:`in_path`.

    Raises:
        ColumnsError: it has no ``{}``, or more than one, or it is too long.
    """
    pieces = _PIECE.findall(pattern)
    slots = sum(piece.startswith("{") for piece in pieces)
    if slots != 1:
        raise ColumnsError(
            f"--map {field}={PATTERN}{pattern} needs one {{}} where the {field} stands, got {slots}; for logs/u1.jsonl "
            f"write {PATTERN}logs/{{}}.jsonl"
        )
    if len(pieces) > _MOST_PIECES or len(pattern) > _LONGEST:
        raise ColumnsError(
            f"--map {field}={PATTERN}...: the pattern has more than {_MOST_PIECES} pieces or is too long"
        )


def in_path(pattern: str, path: str) -> str | None:
    """The part of a path for which ``{}`` stands in a pattern; None if the path does not match.

    ``*`` and ``{}`` stand for any characters but ``/``, and ``**`` for any characters. The pattern describes the end of
    the path, from the start of a name on: ``{}/*.jsonl`` is the name of the folder. Literal text is searched from the
    left, each piece behind the one before, so the time is linear in the length of the path.
    """
    path = path.replace("\\", "/")[-_LONGEST:]
    starts = [0, *(i + 1 for i, character in enumerate(path) if character == "/")]
    depth = pattern.count("/")
    if "**" not in pattern:
        starts = starts[-depth - 1 :][:1] if len(starts) > depth else []
    for start in starts:
        found = _match(pattern, path[start:])
        if found is not None:
            return unquote(found).strip() or None
    return None


def _match(pattern: str, path: str) -> str | None:
    literals = _PIECE.split(pattern)
    pieces = _PIECE.findall(pattern)
    if not path.startswith(literals[0]):
        return None
    place, found = len(literals[0]), None
    for number, (piece, literal) in enumerate(zip(pieces, literals[1:], strict=True)):
        last = number == len(pieces) - 1
        if last and (not path.endswith(literal) or len(path) - len(literal) < place):
            return None
        # `{}` needs a character; so do two pieces side by side.
        begin = place + 1 if piece.startswith("{") else place
        stop = len(path) - len(literal) if last else path.find(literal, begin)
        if stop < begin or (piece != "**" and "/" in path[place:stop]):
            return None
        if piece.startswith("{"):
            found = path[place:stop]
        place = stop + len(literal)
    return found


def partitions(path: str) -> Mapping[str, str]:
    """Name -> value of the folders of a path that are called ``name=value``, as Hive and Spark write them."""
    found = {}
    for part in path.replace("\\", "/")[-_LONGEST:].split("/")[:-1]:
        name, equals, value = part.partition("=")
        value = unquote(value).strip()
        if equals and name and value and value != _NULL:
            found[unquote(name)] = value
    return found
