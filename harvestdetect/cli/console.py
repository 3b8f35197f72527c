"""Where the command line writes: the answer to standard output, all else to standard error, nothing unescaped."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from harvestdetect.errors import OutputError

__all__ = ["answer", "colored", "drop", "note", "quoted", "shown", "tell"]


def shown(text: str, *, keep_lines: bool = False) -> str:
    """A text with its control characters shown."""
    from harvestdetect.util.escape import visible

    return visible(text, keep_lines=keep_lines)


def quoted(path: Path) -> str:
    """A path as a shell takes it."""
    import shlex

    return shown(shlex.quote(str(path)))


def tell(text: str, *, keep_lines: bool = False) -> None:
    """A line on standard error."""
    with contextlib.suppress(OSError, ValueError):
        print(shown(text, keep_lines=keep_lines), file=sys.stderr, flush=True)


def note(sentence: str) -> None:
    """A note on standard error."""
    tell(f"note: {sentence}")


def answer(text: str, *, utf8: bool = False) -> None:
    """The answer, on standard output; a reader that goes away does not change the exit code."""
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


def drop(stream: Any) -> None:
    """Send what is still to be written nowhere, so that nothing is said about it when the process ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def colored() -> bool:
    """Whether standard output is a terminal that wants colours."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and sys.stdout is not None and sys.stdout.isatty()
