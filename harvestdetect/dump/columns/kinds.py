"""What a value can be: an account, a prompt, nothing at all. By these a column is chosen, and a value in a row."""

from __future__ import annotations

import re
from typing import Any, Final

from harvestdetect.dump.values.paths import decoded, unwrap
from harvestdetect.dump.values.rows import to_text

__all__ = ["PLACEHOLDERS", "account_text", "is_blank", "is_blob", "is_placeholder", "is_short_name", "prompt_kind"]

PLACEHOLDERS: Final = frozenset(
    {
        *("anonymous", "anon", "unknown", "undefined", "none", "null", "nil", "nan", "n/a", "na", "-", "--", "(null)"),
        *(
            "<null>",
            "(none)",
            "default",
            "default_user_id",
            "default-user",
            "default_user",
            "guest",
            "not set",
            "(not set)",
        ),
        *("00000000-0000-0000-0000-000000000000", "\\n", "no user", "no_user", "nobody"),
    }
)
"""Accounts, in lower case, that programs write when they know none."""
_BLANK_TEXTS: Final = frozenset(("", "{}", "[]", "null", "none", "nan", '""', "-", "\\n", "<null>"))
"""Texts, in lower case, that stand for no prompt."""
_BLOB: Final = re.compile(r"[A-Za-z0-9+/_\-]{64,}={0,2}")
"""A long text without blanks in the alphabet of base64."""
_HEX: Final = re.compile(r"[0-9a-fA-F\-]+")
_SHORT: Final = 64
"""Characters of the longest text that can be the name of something rather than a prompt."""
_MESSAGE_NAMES: Final = frozenset(
    (
        *("content", "contents", "messages", "parts", "text", "prompt", "input", "inputs", "inputText", "instances"),
        *("role", "message", "kwargs", "query", "question", "texts", "value", "instructions", "system", "body"),
        *("chat_history", "conversation", "mapping", "author", "request", "arguments", "args", "prompts", "history"),
        *("dataframe_split", "dataframe_records", "conversations", "input_text", "kind", "type", "from"),
    )
)
"""Names of which a message, or a request, has one."""


def account_text(value: Any) -> str | None:
    """An account as text; None if it is missing or no text. A list of one value is that value."""
    if type(value) is str:
        return value.strip() or None
    return to_text(value)


def is_placeholder(account: str) -> bool:
    """Whether an account stands for unknown senders."""
    return account.lower() in PLACEHOLDERS


def is_blank(value: Any) -> bool:
    """Whether a value can be no prompt: it is missing, empty, or the text of an empty JSON value."""
    if type(value) is str:
        return (len(value) < 8 and value.strip().lower() in _BLANK_TEXTS) or value.isspace()
    if isinstance(value, dict | list):
        return not value
    return value is None


def prompt_kind(value: Any) -> str:
    """What a value is as a prompt: ``text``, ``messages``, ``request`` (an object), ``name`` (a short text without
    blanks), ``blob``, or "" if it can be none."""
    if is_blank(value) or isinstance(value, bool | int | float):
        return ""
    if isinstance(value, str):
        inside = decoded(value)
        if inside is None:
            return "blob" if is_blob(value) else "name" if is_short_name(value) else "text"
        value = inside
    if isinstance(value, dict):
        return "request" if _MESSAGE_NAMES & value.keys() else ""
    if isinstance(value, list):
        first = value[0] if value else None
        if isinstance(first, list) and first:
            first = first[0]
        if isinstance(first, dict):
            first = unwrap(first)
        if isinstance(first, dict):
            return "messages" if _MESSAGE_NAMES & {name.split(".")[-1] for name in first} else ""
        return "messages" if isinstance(first, str | int) else ""
    return ""


def is_blob(text: str) -> bool:
    """Whether a text looks encrypted or like base64."""
    return len(text) >= 64 and bool(_BLOB.fullmatch(text.strip())) and not _HEX.fullmatch(text.strip())


def is_short_name(text: str) -> bool:
    """Whether a text looks like the name of something, such as ``chat-default-v3``."""
    text = text.strip()
    return (
        len(text) <= _SHORT
        and text.isascii()
        and not any(map(str.isspace, text))
        and any(character in "-_./:0123456789" for character in text)
    )
