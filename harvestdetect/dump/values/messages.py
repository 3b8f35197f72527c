"""The messages of a prompt: roles and texts in order, from any shape in which programs write a request.

A prompt is a text, a list of messages, an object around them such as the body of a request, or one of these as JSON or
as Python prints it. Texts of the system have the role ``system``. What tools returned is left out in every shape. So
are pictures, sounds, files and base64. All are counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harvestdetect.dump.values.content import (
    LONG_RUN,
    SEARCHED,
    LeftOut,
    are_parts,
    bare,
    has_long_run,
    kind_of,
    leave_out,
    readable_base64,
    text_of,
    without_base64,
)
from harvestdetect.dump.values.envelopes import encrypted, is_envelope, sections_of
from harvestdetect.dump.values.literals import literal_in
from harvestdetect.dump.values.paths import decoded, nested, without_wrappers
from harvestdetect.dump.values.roles import SAME, TOOL, langchain_role, role_name, role_of
from harvestdetect.dump.values.templates import split_template

__all__ = [
    "MOST_MESSAGES",
    "ODD_FIRST",
    "ODD_LAST",
    "_HEAD",
    "Messages",
    "common_messages",
    "is_plain",
    "messages_of",
    "system_text",
]

MOST_MESSAGES: Final = 20_000
"""Number of messages of a prompt that are read: the first half and the last half of a longer list. The longest requests
that models accept have fewer."""
_DEEPEST: Final = 12
"""Levels of objects and lists around messages."""
_HEAD: Final = 64
"""Characters of a text that are looked at to see whether it is an object or a list."""
_NESTED: Final = 3
"""Lists around a list of messages or of token ids."""
_SHORTEST_CODE: Final = 40
"""Characters from which a text without a blank may be base64, encrypted or a data URL."""
_TOKEN_IDS: Final = 16
"""Numbers of a list, written as text, from which it is taken for token ids."""
_PLACEHOLDERS: Final = frozenset(("\\N", "redacted-by-litellm", "[REDACTED]", "<REDACTED>", "[Redacted]", "<redacted>"))
"""Texts that programs write in place of a prompt that is not there, or that was removed."""
_SPACES: Final = frozenset(chr(code) for code in range(0x3001) if chr(code).isspace())
"""White space."""
ODD_FIRST: Final = _SPACES | frozenset(("", *'[{(<"\ufeff'))
"""First characters of texts that may be more than a plain text, or that may be empty."""
ODD_LAST: Final = _SPACES | frozenset(":>")
"""Last characters of texts that may be in the markup of a chat template."""
_ENCRYPTED: Final = re.compile(
    r"\s*(?:-----BEGIN PGP MESSAGE-----|vault:v[0-9]+:|ENC\[[A-Z0-9_]+,"
    r"|[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]*+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{20,}+\.[A-Za-z0-9_-]{8,}+\s*\Z)"
)
"""The beginning of an encrypted text: PGP, Vault, SOPS, JWE."""
_ONE_URL: Final = re.compile(r"\s*data:[\w.+-]+/[\w.+-]+[\w.;=+-]*;base64,[A-Za-z0-9+/_=%\s-]*+\Z")

NO_TEXT: Final = "no message of the prompt has a text"
EMPTY: Final = "the prompt is empty"
TOKENS: Final = "the prompt is a list of token ids, not a text"
CIPHER: Final = "the prompt is encrypted"
ENCODED: Final = "the prompt is base64 that contains no text; it is encrypted or a file"
ONLY_TOOLS: Final = "the prompt has only what tools returned"
RESPONSE: Final = "the prompt is the response of a model, not a request"
UNKNOWN: Final = "the prompt is an object in which no message or text was found"


@dataclass(slots=True)
class Messages:
    """What was read of one prompt."""

    parts: list[tuple[str, str]] = field(default_factory=list)
    """(role, text) of each message that has a text, in order."""
    reason: str = ""
    """Why there are no parts; "" if there are some."""
    left_out: LeftOut = field(default_factory=dict)
    """Kind -> count of what was left out: ``tool output``, ``image``, ``audio``, ``video``, ``document``, ``base64``,
    ``message`` and others."""


def is_plain(text: str) -> bool:
    """Whether a text is certainly one plain text, with nothing to take out of it. A look at few of its characters."""
    return (
        text[:1] not in ODD_FIRST
        and text[-1:] not in ODD_LAST
        and (len(text) < _SHORTEST_CODE or " " in text)
        and (len(text) < SEARCHED or not has_long_run(text))
        and (len(text) > 20 or text not in _PLACEHOLDERS)
    )


def common_messages(value: list[Any]) -> list[tuple[str, str]] | None:
    """The same as :func:`messages_of`, for a list of messages of the common form with nothing to leave out.

    Returns:
        (role, text) of each message; None for any other list.
    """
    if len(value) > MOST_MESSAGES:
        return None
    parts = []
    for item in value:
        if type(item) is not dict or (len(item) != 2 and not _COMMON.issuperset(item)):
            return None
        role, text = item.get("role"), item.get("content")
        if type(text) is list and len(text) == 1 and type(part := text[0]) is dict and part.get("type") == "text":
            text = part.get("text")
        if type(role) is not str or type(text) is not str or role not in SAME or text[:1] in ODD_FIRST:
            return None
        if len(text) >= LONG_RUN and has_long_run(text):
            return None
        parts.append((role, text))
    return parts or None


def messages_of(value: Any) -> Messages:
    """The messages of a prompt.

    Args:
        value: a text, a list, or an object, as a dump has it. Nothing in it is changed.
    """
    found = Messages()
    if isinstance(value, str):
        found.reason = _read_text(value, found)
    elif value is None:
        found.reason = "no prompt"
    elif isinstance(value, list | dict | tuple):
        found.reason = _read_structure(value, found) if value else EMPTY
    else:
        found.reason = "the prompt is not a text or a list of messages"
    if found.parts:
        found.reason = ""
    return found


def system_text(value: Any) -> str:
    """The text of a column of its own for the system prompt; "" if it has none."""
    if isinstance(value, str) and value[:64].lstrip()[:1] in ("[", "{"):
        inside = decoded(value)
        value = value if inside is None else inside
    value = without_wrappers(value)
    if isinstance(value, list | dict):
        found = Messages()
        _Reader(found).item(value, 0, "system")
        return "\n".join(text for _, text in found.parts)
    text = text_of(value, {})
    return "" if text.isspace() else text


# ---------------------------------------------------------------- text


def _read_text(text: str, found: Messages) -> str:
    """Reads a prompt that is a text. Returns why there is nothing."""
    if not text or text.isspace():
        return EMPTY
    head = text[:_HEAD].lstrip("\ufeff \t\r\n")
    if head[:1] in ("{", "[", '"', "(", "a", "b") and (reason := _read_structured(text, head, found)) is not None:
        return reason
    if len(text) <= 20 and text.strip() in _PLACEHOLDERS:
        return f"{EMPTY}: {ascii(text.strip())[:40]}"
    if len(text) >= _SHORTEST_CODE and " " not in text.strip():
        if _ENCRYPTED.match(text):
            return CIPHER
        if _ONE_URL.match(text):
            leave_out(found.left_out, "image" if text.lstrip()[:11].lower() == "data:image/" else "base64")
            return NO_TEXT
        plain = readable_base64(text)
        if plain is not None:
            if not plain or plain.isspace():
                return ENCODED
            text = plain
            if plain[:1] in ("{", "[") and (reason := _read_structured(plain, plain[:_HEAD], found)) is not None:
                return reason
    turns = split_template(text)
    if turns is None:
        text = without_base64(text, found.left_out)
        if text and not text.isspace():
            found.parts.append(("user", text))
        return NO_TEXT
    reader = _Reader(found)
    for role, said in turns:
        reader.add(role_name(role), said)
    return reader.reason()


def _read_structured(text: str, head: str, found: Messages) -> str | None:
    """Reads a text that is an object or a list; None if it is a text like any other."""
    value = decoded(text)
    if value is None and (head[:1] in ("{", "[", "(") or head.startswith("array(")):
        value = literal_in(text)
    if value is None:
        return None
    if not value:
        return EMPTY
    value = without_wrappers(value)
    if isinstance(value, str):
        return _read_text(value, found)
    if not isinstance(value, list | dict) or not value:
        return None
    if isinstance(value, list):
        if _are_token_ids(value) and len(value) >= _TOKEN_IDS:
            return TOKENS
        if not _is_list_of_messages(value):
            return None
    elif not (is_envelope(value) or _is_message(value) or are_parts(value)):
        return None
    return _read_structure(value, found)


def _is_list_of_messages(value: Sequence[Any], depth: int = 0) -> bool:
    """Whether a list that was written as text is a list of messages, or of requests: nobody types such a list."""
    first = value[0]
    if isinstance(first, list) and first:
        return _are_turns(value) or (depth < _NESTED and _is_list_of_messages(first, depth + 1))
    if isinstance(first, str):
        return len(value) == 1
    if not all(isinstance(item, dict) and item for item in value):
        return False
    return are_parts(value) or all(_is_message(item) or is_envelope(item) or _is_typed(item) for item in value)


def _is_typed(item: Mapping[str, Any]) -> bool:
    name = item.get("type")
    return isinstance(name, str) and kind_of(bare(name)) is not None


def _are_token_ids(value: Sequence[Any], depth: int = 0) -> bool:
    """Whether a list consists of whole numbers, or of lists of them."""
    if isinstance(value[0], list):
        inner = depth < _NESTED
        return inner and all(isinstance(item, list) and item and _are_token_ids(item, depth + 1) for item in value)
    return all(type(item) is int for item in value)


# ---------------------------------------------------------------- lists and objects


def _read_structure(value: Any, found: Messages) -> str:
    """Reads a prompt that is a list or an object. Returns why there is nothing."""
    value = without_wrappers(value)
    if not isinstance(value, list | dict | tuple):
        inner = messages_of(value)
        found.parts, found.left_out = inner.parts, inner.left_out
        return inner.reason
    if not value:
        return EMPTY
    reader = _Reader(found)
    reader.item(value, 0, "user")
    return reader.reason()


_CONTENT: Final = ("content", "contents", "parts", "message", "value", "text", "mes", "body")
"""Names of the content of a message, by falling preference."""
_LISTS: Final = frozenset(("messages", "contents", "conversation", "conversations", "mapping", "history", "turns"))
"""Names of lists of messages, which no message has."""
_COMMON: Final = frozenset(("role", "content", "name", "id", "timestamp", "tool_calls", "refusal"))
"""Names of a message of the common form."""
_BESIDE: Final = ("attachments", "experimental_attachments", "images", "files", "audio", "videos")
"""Names of what a message has beside its content."""


def _is_message(value: Mapping[str, Any]) -> bool:
    """Whether an object is one message: it says who speaks, and it has a content."""
    if "kwargs" in value and "id" in value and "lc" in value:
        return True
    if langchain_role(value.get("type")) and isinstance(value.get("data"), dict):
        return True
    inside = value.get("message")
    if isinstance(inside, dict):
        return role_of(inside) is not None or role_of(value) is not None
    if any("." in key for key in value if isinstance(key, str)):
        return any(key in value for key in ("message.role", "message.content"))
    return role_of(value) is not None and any(key in value for key in _CONTENT)


class _Reader:
    """Collects the parts of one prompt.

    Args:
        found: what it fills.
    """

    def __init__(self, found: Messages) -> None:
        self._parts = found.parts
        self._left = found.left_out
        self._why = ""

    def reason(self) -> str:
        """Why there are no parts, if there are none."""
        if self._why:
            return self._why
        return ONLY_TOOLS if set(self._left) == {"tool output"} else NO_TEXT

    def add(self, role: str, text: str) -> None:
        """Adds a message that has a text."""
        if role == TOOL:
            leave_out(self._left, "tool output")
        elif text and not text.isspace():
            self._parts.append((role, text))

    def item(self, value: Any, depth: int, role: str) -> None:
        """Reads a value: a text, a message, a part of one, an object around messages, or a list of such values.

        Args:
            value: of the prompt.
            depth: levels around it.
            role: of a text that does not say who wrote it.
        """
        if isinstance(value, str):
            self._text(value, depth, role)
        elif isinstance(value, list | tuple):
            if value and depth < _DEEPEST:
                self._list(value, depth, role)
        elif isinstance(value, dict) and value and depth < _DEEPEST:
            if any("." in key for key in value if isinstance(key, str)):
                value = nested(value)
                if isinstance(value, list):
                    self._list(value, depth, role)
                    return
            self._object(value, depth, role)

    def _text(self, text: str, depth: int, role: str) -> None:
        if role == "user" and depth < _DEEPEST and not is_plain(text):
            inner = Messages()
            self._why = _read_text(text, inner) or self._why
            self._parts += inner.parts
            for kind, count in inner.left_out.items():
                leave_out(self._left, kind, count)
        else:
            self.add(role, text_of(text, self._left))

    def _list(self, value: Sequence[Any], depth: int, role: str) -> None:
        if _are_token_ids(value):
            self._why = TOKENS
            return
        if len(value) > MOST_MESSAGES:
            leave_out(self._left, "message", len(value) - MOST_MESSAGES)
            value = [*value[: MOST_MESSAGES // 2], *value[-(MOST_MESSAGES // 2) :]]
        if isinstance(value[0], list | tuple) and (turns := _pairs(value)) is not None:
            for speaker, text in turns:
                self.add(speaker, text_of(text, self._left))
            return
        if are_parts(value) and not any("role" in item for item in value):
            self.add(role, text_of(value, self._left))
            return
        for item in value:
            if not (type(item) is dict and self._common(item, role)):
                self.item(without_wrappers(item), depth + 1, role)

    def _common(self, item: dict[str, Any], role: str) -> bool:
        """Reads a message of the common form, ``{"role": ..., "content": ...}``. Returns False for other ones."""
        content = item.get("content")
        speaker = item.get("role")
        if content is None or type(speaker) is not str or role == "system" or not _COMMON.issuperset(item):
            return False
        if type(content) is str or type(content) is list:
            text = text_of(content, self._left)
        else:
            return False
        self.add(role_name(speaker), text)
        return True

    def _object(self, value: dict[str, Any], depth: int, role: str) -> None:
        if type(value.get("role")) is str and _LISTS.isdisjoint(value) and self._message(value, role):
            return  # the common case
        if encrypted(value):
            self._why = CIPHER
            return
        sections = sections_of(value)
        if not sections.strong and self._message(value, role):
            return
        if not sections.main and not sections.system and not sections.history:
            text = text_of([value], self._left)
            self.add(role, text)
            if not text and not self._left and not self._why:
                self._why = RESPONSE if sections.response else UNKNOWN
            return
        for system in sections.system:
            self.item(without_wrappers(system), depth + 1, "system")
        for earlier in sections.history:
            self.item(without_wrappers(earlier), depth + 1, "user")
        before = len(self._parts)
        for candidate in sections.main:
            self.item(without_wrappers(candidate), depth + 1, role)
            if len(self._parts) > before:
                break

    def _message(self, value: Mapping[str, Any], role: str) -> bool:
        """Reads one message, or one part with a type. Returns False if the object is neither."""
        speaker = role_of(value)
        inside = _inside(value)
        if inside is not None:
            speaker = role_of(inside) or speaker or _constructor(value)
            value = inside
        name = value.get("type")
        if isinstance(name, str) and langchain_role(name) is None and kind_of(bare(name)) is not None:
            self.add(speaker or role, text_of([value], self._left))
            return True
        if role == "system":
            speaker = role if speaker is not None else None
        if speaker == TOOL or (speaker is not None and _answers_a_call(value)):
            leave_out(self._left, "tool output")
            return True
        if speaker is None:
            if inside is None and not are_parts(value):
                return False
            self.add(role, text_of([value], self._left))
            return True
        if not any(key in value for key in (*_CONTENT, *_BESIDE)):
            return False
        for key in _CONTENT:
            content = value.get(key)
            if content is not None and (text := text_of(without_wrappers(content), self._left)):
                self.add(speaker, text)
                break
        for key in _BESIDE:
            if isinstance(more := value.get(key), list) and more:
                leave_out(self._left, {"images": "image", "videos": "video"}.get(key, "document"), len(more))
        return True


def _inside(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The message within an object that stands around it; None if the object stands around none."""
    if isinstance(inside := value.get("message"), dict):
        return inside
    if isinstance(inside := value.get("kwargs"), dict) and "lc" in value:
        return inside
    if isinstance(inside := value.get("data"), dict) and langchain_role(value.get("type")):
        return inside
    return None


def _constructor(value: Mapping[str, Any]) -> str | None:
    """The role of a message that LangChain serialised."""
    name = value.get("id")
    return langchain_role(name[-1]) if isinstance(name, list) and name else None


def _answers_a_call(value: Mapping[str, Any]) -> bool:
    """Whether a message is the output of a tool, whoever it says has written it."""
    return any(value.get(key) for key in ("tool_call_id", "toolCallId", "tool_use_id", "toolUseId"))


def _pairs(value: Sequence[Any]) -> list[tuple[str, Any]] | None:
    """(role, text) of ``[["human", "hi"], ...]`` or of ``[["hi", "hello"], ...]``; None for other lists."""
    for item in value:
        if not isinstance(item, list | tuple) or len(item) != 2 or not isinstance(item[0], str | None):
            return None
        if not isinstance(item[1], str | None):
            return None
    if _are_turns(value):
        return [(role_name(item[0]), item[1]) for item in value]
    return [turn for item in value for turn in (("user", item[0]), ("assistant", item[1]))]


def _are_turns(value: Sequence[Any]) -> bool:
    """Whether a list consists of pairs of a known role and a text."""
    return all(
        isinstance(item, list | tuple)
        and len(item) == 2
        and isinstance(item[0], str)
        and isinstance(item[1], str | None)
        and 0 < len(item[0]) < 20
        and role_name(item[0]) in (*SAME, TOOL)
        for item in value
    )
