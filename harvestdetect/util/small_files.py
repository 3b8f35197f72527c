"""Reads small files that a person names, and no more of them than they may have."""

from __future__ import annotations

import sys
from pathlib import Path

from harvestdetect.errors import HarvestdetectError
from harvestdetect.util.disk import reason_of

__all__ = ["small_bytes", "small_text"]


def small_bytes(file: Path | None, *, name: str, most: int, advice: str, error: type[HarvestdetectError]) -> bytes:
    """The bytes of a small file.

    Args:
        file: the file; None for standard input.
        name: what messages call it, such as ``the private key issuer.pem``.
        most: bytes that it may have. No more than one byte beyond is read.
        advice: what to do about a file that is too large.
        error: the exception to raise.

    Raises:
        HarvestdetectError: ``error``: the file cannot be read, or is too large.
    """
    try:
        if file is not None:
            with file.open("rb") as stream:
                raw = stream.read(most + 1)
        elif sys.stdin is None:
            raise error("standard input (-) is closed; name a file")
        else:
            raw = sys.stdin.buffer.read(most + 1)
    except OSError as failure:
        raise error(f"cannot read {name}: {reason_of(failure)}") from None
    if len(raw) > most:
        raise error(f"{name} has more than {most:,} bytes; {advice}")
    return raw


def small_text(raw: bytes, *, name: str, advice: str, error: type[HarvestdetectError]) -> str:
    """Bytes of :func:`small_bytes` as a text: UTF-8, with or without a byte order mark.

    Args:
        raw: the bytes.
        name: what messages call the file.
        advice: what to do about a file that is no text.
        error: the exception to raise.

    Raises:
        HarvestdetectError: ``error``: they are not UTF-8, or have NUL characters.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise error(f"{name} is not UTF-8 text; {advice}") from None
    if "\0" in text:
        raise error(f"{name} has NUL characters, so it is no text; {advice}")
    return text
