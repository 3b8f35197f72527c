"""Output of the command line: the answer on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harvestdetect.errors import OutputError

__all__ = ["aligned", "answer", "colored", "drop", "json_answer", "note", "quoted", "shown", "tell"]


def shown(text: str, *, keep_lines: bool = False) -> str:
    """A text in which control characters are replaced by visible ones."""
    from harvestdetect.util.escape import visible

    return visible(text, keep_lines=keep_lines)


def quoted(path: Path) -> str:
    """A path, quoted for a shell."""
    import shlex

    return shown(shlex.quote(str(path)))


def tell(text: str, *, keep_lines: bool = False) -> None:
    """Prints a line on standard error."""
    with contextlib.suppress(OSError, ValueError):
        print(shown(text, keep_lines=keep_lines), file=sys.stderr, flush=True)


def note(sentence: str) -> None:
    """Prints a note on standard error."""
    tell(f"note: {sentence}")


def answer(text: str, *, utf8: bool = False) -> None:
    """Prints the answer on standard output.

    A reader that closes the pipe early does not change the exit code.

    Args:
        text: with its last newline.
        utf8: whether to print UTF-8 whatever the encoding of standard output is.

    Raises:
        OutputError: standard output cannot be written.
    """
    stream = sys.stdout
    if stream is None:
        return
    with contextlib.suppress(AttributeError, ValueError):
        stream.reconfigure(errors="backslashreplace", **({"encoding": "utf-8"} if utf8 else {}))  # type: ignore[union-attr]
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        drop(stream)
    except OSError as error:
        drop(stream)
        raise OutputError(f"cannot write to standard output: {error.strerror or error}") from None


def json_answer(value: Any, *, utf8: bool = False) -> None:
    """Prints a value as JSON on standard output.

    Args:
        value: plain values or dataclasses.
        utf8: as for :func:`answer`.
    """
    import msgspec

    from harvestdetect.util.escape import json_text

    answer(json_text(msgspec.to_builtins(value), indent=2) + "\n", utf8=utf8)


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """A table of text with aligned columns, a line per row."""
    width = [max(len(shown(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(shown(cell).ljust(w) for cell, w in zip(row, width, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def drop(stream: Any) -> None:
    """Discards what the stream has not written yet, so that Python reports no error when the process ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def colored() -> bool:
    """Whether standard output is a terminal that shows colours."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and sys.stdout is not None and sys.stdout.isatty()
