"""The canonical form of a signature file, and strict reading of what may be hostile.

The canonical form is JSON as RFC 8785 has it for whole numbers and ASCII: keys sorted, no white space, every other
character escaped. Equal values have equal bytes, so a signature over these bytes covers the value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import msgspec

from harvestdetect.errors import SignatureError
from harvestdetect.signatures.values import FORMAT, VERSION, Content

__all__ = ["MOST_BYTES", "canonical", "content_of", "parsed", "plain_of"]

MOST_BYTES: Final = 16_000_000
"""Most bytes of a signature file. A thousand campaigns take about two million."""
MOST_DIGITS: Final = 15
"""Most digits of a whole number in a file: JSON numbers are exact up to there."""


def canonical(plain: Any) -> bytes:
    """The canonical bytes of plain values: dicts, lists, strings, whole numbers, true, false and null."""
    return json.dumps(plain, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def plain_of(content: Content) -> dict[str, Any]:
    """The plain values of what is signed."""
    plain: dict[str, Any] = msgspec.to_builtins(content)
    for campaign in plain["campaigns"]:
        for template in campaign["templates"]:
            for run in template["runs"]:
                if run["text"] is None:
                    del run["text"]
    return plain


def parsed(raw: bytes, *, name: str) -> dict[str, Any]:
    """The object in a file, read strictly.

    Args:
        raw: the bytes.
        name: of the file, for messages.

    Raises:
        SignatureError: it is too large, no JSON object in UTF-8, has a key twice, a fraction or a huge number, or is
            nested too deep.
    """
    if len(raw) > MOST_BYTES:
        raise SignatureError(f"{name} is no signature file: it has more than {MOST_BYTES:,} bytes")
    try:
        found = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_refused,
            parse_constant=_refused,
            parse_int=_whole,
        )
    except UnicodeDecodeError:
        raise SignatureError(f"{name} is no signature file: it is not UTF-8 text") from None
    except RecursionError:
        raise SignatureError(f"{name} is no signature file: it is nested too deep") from None
    except ValueError as error:
        raise SignatureError(f"{name} is no signature file: {_reason(error)}") from None
    if not isinstance(found, dict):
        raise SignatureError(f"{name} is no signature file: it is not a JSON object")
    return found


def content_of(plain: Any, *, name: str) -> Content:
    """What is signed, checked field by field.

    Raises:
        SignatureError: it is of another format or version, a field is missing or malformed, or there is a field that
            this version does not know.
    """
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise SignatureError(f"{name} is no signature file: format must be {FORMAT!r}; name a file that export wrote")
    version = plain.get("version")
    if version != VERSION or isinstance(version, bool):
        shown = ascii(version)[:40]
        raise SignatureError(
            f"{name} has version {shown} of the format, and this program reads version {VERSION}; "
            "ask the issuer for that version, or update harvestdetect"
        )
    try:
        content = msgspec.convert(plain, Content, strict=True)
    except (msgspec.ValidationError, RecursionError, UnicodeEncodeError) as error:
        raise SignatureError(f"{name} is malformed: {_ascii(error)}") from None
    if canonical(plain_of(content)) != canonical(plain):
        raise SignatureError(f"{name} has fields that version {VERSION} of the format does not have")
    return content


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    return int(digits)


def _refused(text: str) -> NoReturn:
    raise ValueError("a number is not whole")


def _reason(error: ValueError) -> str:
    """The reason without any text of the file."""
    return f"line {error.lineno} is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)


def _ascii(error: Exception) -> str:
    return ascii(str(error))[1:-1][:200]
