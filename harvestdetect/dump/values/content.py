"""The content of one message: which of its parts are text, and what is left out."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from harvestdetect.dump.values.paths import decoded, nested

__all__ = [
    "LONG_RUN",
    "SEARCHED",
    "LeftOut",
    "are_parts",
    "bare",
    "has_long_run",
    "kind_of",
    "leave_out",
    "readable_base64",
    "text_of",
    "without_base64",
]

LONG_RUN: Final = 400
"""Characters without a blank from which a text is searched for base64. The smallest pictures are longer."""
SEARCHED: Final = 1_000
"""Characters from which a prompt that is one plain text is searched for base64. Shorter ones cost no look."""
_LONGEST_NAME: Final = 60
"""Characters of a name that are compared."""
_DEEPEST: Final = 8
"""Levels of nested content that are read."""
_TEXT: Final = frozenset(("", "text", "inputtext", "outputtext", "plaintext", "multimodaltext", "markdown", "message"))
"""Types of parts that are text, as :func:`bare` writes them."""
_PLAIN_TYPES: Final = frozenset(("text", "input_text", "output_text"))
"""The common types of parts that are text."""
_TEXT_NAMES: Final = ("text", "content", "value", "parts", "transcript", "inputtext")
"""Names of the text of a part."""
_KINDS: Final = (
    (
        "",
        re.compile(
            r"reason|think|thought|refusal|approval|reference|citation|source(?:url|document)|^stepstart|^cache"
        ),
    ),
    (
        "tool output",
        re.compile(
            r"(?:result|output|response|outputs|results|responses)$|^(?:tool|dynamictool|observation|mcp|function$)"
            r"|^tether|^searchresult"
        ),
    ),
    ("", re.compile(r"call$|calls$|use$|executablecode$")),
    ("image", re.compile(r"image|img|photo|screenshot|picture")),
    ("audio", re.compile(r"audio|speech|voice")),
    ("video", re.compile(r"video")),
    ("document", re.compile(r"document|file|pdf|attachment|upload|inlinedata|blob|uri$")),
)
"""(kind, names) of types of parts that are no text, as :func:`bare` writes them. The first that fits counts. Kind ""
is what a model said or asked for, which is not counted as left out."""
_CALLS: Final = re.compile(r"^(?:tool|function|customtool|servertool|mcptool|mcpapproval)(?:call|calls|use|request)$")
"""Types of parts in which a model calls a tool."""
_MEDIA: Final = ("image", "audio", "video")
_DATA_URL: Final = re.compile(r"data:([A-Za-z0-9.+-]{1,40})/[A-Za-z0-9.+;=_-]{1,100};base64,[A-Za-z0-9+/_=%-]*+")
"""A file in a text. The group is the first half of its media type."""
_RUN: Final = re.compile(
    r"(?<![A-Za-z0-9+/_=-])(?:[A-Za-z0-9+/_-]{400,}+={0,2}|(?:[A-Za-z0-9+/]{60,76}\r?\n){5,}+[A-Za-z0-9+/]*+={0,2})"
)
"""Base64 in a text, in one line or in lines of the same length. Each character begins at most one attempt."""
_MIXED: Final = re.compile(r"(?=[^a-z]*+[a-z])(?=[^A-Z]*+[A-Z])(?=[^0-9]*+[0-9])")
"""A text with small and capital letters and digits: base64 has them all, a long word or number has not."""

LeftOut = dict[str, int]
"""Kind -> count of what was left out of prompts."""


def bare(name: str) -> str:
    """A name in small letters, without ``_`` and ``-``. ``toolResult`` and ``tool-result`` are one name."""
    return _bare(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME])


@lru_cache(maxsize=4096)
def _bare(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def leave_out(left: LeftOut, kind: str, count: int = 1) -> None:
    """Counts what was left out. Kind "" is not counted."""
    if kind and count:
        left[kind] = left.get(kind, 0) + count


def kind_of(name: str) -> str | None:
    """The kind of what has a type or a name, as :func:`bare` writes it; None if it may be text."""
    if name in _TEXT:
        return None
    if _CALLS.match(name):
        return ""
    return next((kind for kind, names in _KINDS if names.search(name)), None)


def has_long_run(text: str) -> bool:
    """Whether a text has a run of :data:`LONG_RUN` characters without a blank. Looks at few of the characters."""
    start, last = 0, len(text) - LONG_RUN
    while start <= last:
        blank = text.rfind(" ", start, start + LONG_RUN)
        if blank < 0:
            return True
        start = blank + 1
    return False


def without_base64(text: str, left: LeftOut) -> str:
    """A text without the files and the long base64 in it, which are counted. Base64 of a text becomes this text.

    Otherwise requests that differ in their base64 alone would look like copies of one text.
    """
    if len(text) < LONG_RUN or not has_long_run(text):
        return text

    def file(match: re.Match[str]) -> str:
        kind = match[1].lower()
        leave_out(left, kind if kind in _MEDIA else "base64")
        return ""

    def run(match: re.Match[str]) -> str:
        if not _MIXED.match(match[0][:LONG_RUN]):
            return match[0]
        plain = readable_base64("".join(match[0].split()))
        if plain:
            return plain
        leave_out(left, "base64")
        return ""

    return _RUN.sub(run, _DATA_URL.sub(file, text))


_ENCODED: Final = re.compile(r"\s*([A-Za-z0-9+/_-]{40,}+={0,2})\s*", re.ASCII)
"""A text that is one run of base64, of at least 30 bytes."""
_HEX: Final = re.compile(r"\s*(?:[0-9a-f]{2}){48,}+\s*|\s*(?:[0-9A-F]{2}){48,}+\s*", re.ASCII)
"""A text that is at least 48 bytes in hex digits."""
_VARIED: Final = 10
"""Different characters that encoded bytes have at least."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


def readable_base64(text: str) -> str | None:
    """The text that a text of nothing but base64 stands for; "" if it stands for bytes that are no text.

    Returns:
        None if the text is not base64, such as a long word.
    """
    if _HEX.fullmatch(text) and len(set(text)) >= _VARIED:
        return ""
    match = _ENCODED.fullmatch(text)
    if match is None or not _MIXED.match(match[1][:LONG_RUN]):
        return None
    run = match[1].rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        found = base64.b64decode(run + "=" * (-len(run) % 4)).decode()
    except ValueError:
        return ""
    return "" if _CONTROL.search(found) else found


def text_of(content: Any, left: LeftOut, depth: int = 0) -> str:
    """The text of a message's content: a text, or the text parts of a list, one per line.

    Args:
        content: text, a part, or a list of them; anything else has no text.
        left: counts what is left out.
        depth: levels of content around it.
    """
    if isinstance(content, str):
        return _plain(content, left, depth)
    if isinstance(content, dict):
        return _of_part(content, left, depth)
    if not isinstance(content, list) or depth >= _DEEPEST:
        return ""
    texts = []
    for part in content:
        if type(part) is dict and (text := _plain_part(part)) is not None:
            texts.append(text if len(text) < LONG_RUN else without_base64(text, left))
            continue
        text = without_base64(part, left) if isinstance(part, str) else text_of(part, left, depth + 1)
        if text:
            texts.append(text)
    return "\n".join(texts)


def _plain_part(part: Mapping[str, Any]) -> str | None:
    """The text of a part of the common forms ``{"type": "text", "text": ...}`` and ``{"text": ...}``."""
    name, text = part.get("type"), part.get("text")
    if type(name) is str and name in _PLAIN_TYPES:
        text = part.get("content") if text is None else text
    elif len(part) != 1:
        return None
    return text if type(text) is str else None


def _plain(content: str, left: LeftOut, depth: int) -> str:
    """The text of a content that is one text. Text that is a list of parts in JSON is read as such."""
    inside = decoded(content) if content[:64].lstrip()[:1] in ("[", "{") and depth < _DEEPEST else None
    if inside is not None and are_parts(inside):
        inner: LeftOut = {}
        text = text_of(inside, inner, depth + 1)
        # Somebody may have typed what looks like a tool's output.
        if text:
            for kind, count in inner.items():
                leave_out(left, kind, count)
            return text
    return without_base64(content, left)


def are_parts(value: Any) -> bool:
    """Whether a value is a list of parts, each of a known type, of which one is text, or one such part."""
    parts = [value] if isinstance(value, dict) else value
    if not isinstance(parts, list) or not parts:
        return False
    names = [
        bare(part["type"]) if isinstance(part, dict) and isinstance(part.get("type"), str) else "" for part in parts
    ]
    known = all(name and (name in _TEXT or kind_of(name) is not None) for name in names)
    return known and any(name in _TEXT for name in names)


def _of_part(part: Mapping[str, Any], left: LeftOut, depth: int) -> str:
    if depth >= _DEEPEST:
        return ""
    if any("." in key for key in part if isinstance(key, str)):
        inside = nested(part)
        if not isinstance(inside, dict):
            return text_of(inside, left, depth + 1)
        part = inside
    name = next((v for k in ("type", "content_type", "kind") if isinstance(v := part.get(k), str)), "")
    kind = kind_of(bare(name))
    if kind is not None:
        spoken = part.get("transcript")
        if kind == "audio" and isinstance(spoken, str) and spoken:
            return spoken
        leave_out(left, _modality(part) if kind == "document" else kind)
        return ""
    if bare(name) not in _TEXT:
        leave_out(left, "other part")
        return ""
    if part.get("thought") is True:
        return ""
    names = {bare(key): key for key in part if isinstance(key, str)}
    for key in _TEXT_NAMES:
        if key in names and (text := text_of(part[names[key]], left, depth + 1)):
            return text
    for key in ("messagecontent", "guardcontent"):
        if key in names:
            return text_of(part[names[key]], left, depth + 1)
    kinds = [(key, kind) for key in names if key not in ("type", "contenttype", "kind") and (kind := kind_of(key))]
    for key, kind in kinds[:1]:
        inside = part[names[key]]
        leave_out(left, _modality(inside) if kind == "document" and isinstance(inside, dict) else kind)
    return ""


def _modality(part: Mapping[str, Any]) -> str:
    """What a file is, by its media type."""
    for key in ("mimeType", "mime_type", "media_type", "mediaType", "modality"):
        value = part.get(key)
        if isinstance(value, str) and (kind := value.split("/", 1)[0].lower()) in _MEDIA:
            return kind
    return "document"
