"""Names of roles, as programs write them, to the roles that a prompt has: system, user, assistant, tool, or another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from harvestdetect.dump.values.content import bare

__all__ = ["SAME", "TOOL", "langchain_role", "role_name", "role_of"]

TOOL: Final = "tool"
"""The role of what a tool returned. It is never part of a prompt."""
_ROLES: Final = {
    **dict.fromkeys(("user", "human", "customer", "prompter", "enduser", "client"), "user"),
    **dict.fromkeys(("system", "developer", "instructions", "preamble", "systemprompt"), "system"),
    **dict.fromkeys(("assistant", "gpt", "bot", "ai", "model", "chatbot", "llm", "chatgpt", "claude"), "assistant"),
    **dict.fromkeys(("gemini", "bard", "bing", "agent", "assistantmessage"), "assistant"),
    **dict.fromkeys(("toolcall", "functioncall", "tooluse", "thought", "reasoning"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "ipython", "toolresult", "toolresponse", "tooloutput"), TOOL),
    **dict.fromkeys(("functionresponse", "functionresult", "functioncalloutput", "mcp", "environment"), TOOL),
}
"""Names of roles, as :func:`bare` writes them."""
SAME: Final = frozenset(("user", "assistant", "system"))
"""Roles that are written as they are."""
_CLASSES: Final = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("ai", "assistant"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function"), TOOL),
}
"""LangChain's types of messages."""
_CLASS: Final = re.compile(r"(human|user|ai|system|developer|tool|function|assistant)message(?:chunk)?")
_LAST_WORD: Final = re.compile(r"[^_.:\s/]+$")
_LONGEST: Final = 40
"""Characters of a role that are kept."""


def role_name(value: Any) -> str:
    """A role, from its name. An unknown name is a role of its own, and no name is the user."""
    if not isinstance(value, str):
        return "user"
    if value in SAME:
        return value
    name = value.strip().lower()
    known = _ROLES.get(bare(name))
    if known is None and (last := _LAST_WORD.search(name[-60:])) is not None:  # ROLE_USER, Role.USER
        known = _ROLES.get(bare(last[0]))
    return known or name[:_LONGEST].strip() or "user"


def langchain_role(name: Any) -> str | None:
    """The role of a message whose type is ``human`` or ``HumanMessage``; None for another type."""
    if not isinstance(name, str) or len(name) > _LONGEST:
        return None
    name = bare(name)
    match = _CLASS.fullmatch(name)
    return _CLASSES.get(match[1] if match is not None else name)


def role_of(message: Mapping[str, Any]) -> str | None:
    """The role of a message; None if nothing in it says so."""
    for key in ("role", "from", "author", "sender", "speaker", "message_type", "messageType"):
        value = message.get(key)
        if isinstance(value, dict):
            value = value.get("role")
        if isinstance(value, str) and value:
            role = role_name(value)
            # The author of a message may be called by a name.
            return role if key in ("role", "from") or role in ("system", "assistant", TOOL) else "user"
    spoken = next((message[key] for key in ("is_user", "isUser", "isCreatedByUser") if key in message), None)
    if isinstance(spoken, bool):
        return "user" if spoken else "assistant"
    return langchain_role(message.get("type"))
