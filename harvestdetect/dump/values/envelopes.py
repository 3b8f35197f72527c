"""Objects around messages: the bodies of requests, the inputs of traced functions, exported conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harvestdetect.dump.values.content import bare
from harvestdetect.dump.values.paths import decoded, nested

__all__ = ["Sections", "branch", "encrypted", "is_envelope", "sections_of"]

_SYSTEM: Final = (
    *("system", "systemprompt", "systemmessage", "systeminstruction", "systeminstructions", "instructions"),
    *("additionalinstructions", "preamble", "preprompt", "developermessage", "developerprompt"),
)
"""Names of system texts, as :func:`bare` writes them, in the order in which they stand in a prompt."""
_HISTORY: Final = (
    "chathistory",
    "conversationhistory",
    "messagehistory",
    "previousmessages",
    "pastmessages",
    "history",
)
"""Names of lists of earlier messages beside the new one."""
_LISTS: Final = (
    *("messages", "contents", "inputmessages", "chatmessages", "additionalmessages", "conversation"),
    *("conversations", "turns", "dialog", "dialogue", "textprompts", "items"),
)
"""Names of lists of messages."""
_TEXTS: Final = (
    *("input", "message", "usermessage", "userprompt", "userinput", "prompt", "prompts", "inputtext", "inputs"),
    *("question", "userquestion", "query", "userquery", "instruction", "text", "content", "parts", "texts", "value"),
    *("prompttext", "inputvalue", "messages", "contents", "conversation"),
)
"""Names of the text, or the messages, of a prompt."""
_WRAPPERS: Final = (
    *("body", "request", "requestbody", "requestpayload", "requestjson", "rawrequest", "fullrequest", "params"),
    *("payload", "data", "inputbodyjson", "chat", "thread", "kwargs", "args", "arguments", "instances", "requests"),
    *("item", "event", "record", "json", "jsonbody", "genai", "llm", "attributes", "proxyserverrequest"),
    *("texttoimageparams", "completionrequest", "chatcompletionrequest", "invocation", "span", "response.create"),
)
"""Names of objects around a request."""
_SYSTEM_ORDER, _HISTORY_ORDER, _LIST_ORDER, _TEXT_ORDER, _WRAPPER_ORDER = (
    {name: place for place, name in enumerate(names)} for names in (_SYSTEM, _HISTORY, _LISTS, _TEXTS, _WRAPPERS)
)
_BESIDE: Final = frozenset(
    (
        *("model", "modelid", "modelname", "temperature", "maxtokens", "maxcompletiontokens", "maxoutputtokens"),
        *("maxgenlen", "maxnewtokens", "maxtokenstosample", "topp", "topk", "stream", "stopsequences"),
        *("anthropicversion", "generationconfig", "textgenerationconfig", "inferenceconfig", "parameters", "tools"),
        *("toolchoice", "toolconfig", "responseformat", "seed", "logprobs", "frequencypenalty", "presencepenalty"),
        *("safetysettings", "previousresponseid", "customid", "chathistory", "conversationid", "threadid", "kwargs"),
        *(
            "promptcachekey",
            "assistantid",
            "samplingparams",
            "reasoningeffort",
            "logitbias",
            "numpredict",
            "keepalive",
            "callbacks",
        ),
    )
)
"""Names that stand beside the text of a request and that nobody types."""
_ANSWERS: Final = frozenset(("choices", "candidates", "completion", "generations", "output", "outputs", "answer"))
"""Names of what a model answered."""
_CIPHERS: Final = frozenset(("ciphertext", "encrypteddata", "encryptedcontent", "encryptedbody", "encryptedpayload"))
"""Names of encrypted texts."""
_MOST_NAMES: Final = 2_000
"""Names of an object that are looked at."""
_LAYERS: Final = 3
"""Objects around a request that are looked into."""
_PARENTS: Final = ("parent", "parentId", "parent_id", "parentMessageId", "parent_message_id")


@dataclass(slots=True)
class Sections:
    """What an object around messages contains."""

    system: list[Any] = field(default_factory=list)
    """System texts, in order."""
    history: list[Any] = field(default_factory=list)
    """Earlier messages."""
    main: list[Any] = field(default_factory=list)
    """What may be the prompt. The first that has a text is."""
    strong: bool = False
    """Whether it has a list of messages, so that it is certainly no message itself."""
    response: bool = False
    """Whether it has what a model answered."""


def _by_name(value: Mapping[str, Any]) -> dict[str, Any]:
    """The values by the :func:`bare` form of their names; null and empty values are left out."""
    found: dict[str, Any] = {}
    for number, (name, inside) in enumerate(value.items()):
        if number >= _MOST_NAMES:
            break
        if isinstance(name, str) and (inside or inside == 0) and inside is not False:
            found.setdefault(bare(name), inside)
    return found


def sections_of(value: Mapping[str, Any]) -> Sections:
    """What an object contains, by the names that programs use."""
    found = Sections()
    if _is_tree(value):
        found.main = [list(branch(value, None))]
        found.strong = True
        return found
    named = _by_name(value)
    lists = [part for name in _in_order(named, _LIST_ORDER) if _is_structure(part := named[name])]
    for name, beside in (("mapping", "currentnode"), ("history", "currentid"), ("messages", "currentid")):
        tree = named.get(name)
        current = named.get(beside)
        if isinstance(tree, dict) and name == "history" and isinstance(tree.get("messages"), dict):
            current, tree = tree.get("currentId", tree.get("current_id")), tree["messages"]
        if isinstance(tree, dict) and _is_tree(tree):
            lists = [*(part for part in lists if part is not tree), list(branch(tree, current))]
    found.strong = bool(lists)
    found.system = [named[name] for name in _in_order(named, _SYSTEM_ORDER)]
    if "examples" in named and "context" in named:  # PaLM
        found.system.append(named["context"])
    found.history = [named[name] for name in _in_order(named, _HISTORY_ORDER) if isinstance(named[name], list)]
    if {"pastuserinputs", "generatedresponses"} <= named.keys():
        found.history.append(_alternating(named["pastuserinputs"], named["generatedresponses"]))
    instruction, extra = named.get("instruction"), named.get("input")
    if isinstance(instruction, str) and isinstance(extra, str):  # Alpaca's two fields
        lists.append(f"{instruction}\n{extra}")
    texts = [named[name] for name in _in_order(named, _TEXT_ORDER)]
    wrapped = [part for name in _in_order(named, _WRAPPER_ORDER) if isinstance(part := named[name], dict | list | str)]
    found.main = [*lists, *texts, *wrapped]
    found.response = not _ANSWERS.isdisjoint(named)
    return found


def _in_order(named: Mapping[str, Any], order: Mapping[str, int]) -> list[str]:
    """The names of an object that have a place in an order, in this order."""
    names = [name for name in named if name in order]
    if len(names) > 1:
        names.sort(key=order.__getitem__)
    return names


def _is_structure(value: Any) -> bool:
    return isinstance(value, list) or (
        isinstance(value, dict | str) and (isinstance(value, dict) or decoded(value) is not None)
    )


def _alternating(asked: Any, answered: Any) -> list[Any]:
    """The messages of two lists: what was asked, and what was answered."""
    if not isinstance(asked, list) or not isinstance(answered, list):
        return []
    turns: list[Any] = []
    for number, text in enumerate(asked):
        turns.append({"role": "user", "content": text})
        turns += [{"role": "assistant", "content": answer} for answer in answered[number : number + 1]]
    return turns


def is_envelope(value: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether an object that was written as text is the body of a request or the like, not what somebody typed.

    It is if it has a list of messages, or options of a request beside a text, or if all its words stand under one name
    of a prompt, or if such an object is in it.

    Args:
        value: the object.
        depth: objects around it.
    """
    if any("." in key for key in value if isinstance(key, str)):
        inside = nested(value)
        return isinstance(inside, dict) and is_envelope(inside, depth + 1) if depth < _LAYERS else False
    if encrypted(value):
        return True
    found = sections_of(value)
    if found.strong:
        return True
    named = _by_name(value)
    names = named.keys()
    if not _BESIDE.isdisjoint(names) and (found.main or found.system or found.response):
        return True
    if "object" in names and found.response:
        return True
    inner = [named[name] for name in _WRAPPERS if isinstance(named.get(name), dict)] if depth < _LAYERS else []
    if any(is_envelope(part, depth + 1) for part in inner):
        return True
    if not found.main:
        return not names
    wordy = [name for name, inside in named.items() if isinstance(inside, str | list | dict)]
    return len(wordy) == 1 and wordy[0] in (*_TEXTS, *_WRAPPERS)


def encrypted(value: Mapping[str, Any]) -> bool:
    """Whether an object is an encrypted body: a cipher text, or data beside an initialisation vector."""
    if len(value) > 16:
        return False
    if value.get("type") == "encrypted" or value.get("encrypted") is True:
        return True
    named = _by_name(value)
    texts = {name for name, inside in named.items() if isinstance(inside, str)}
    if not _CIPHERS.isdisjoint(texts):
        return "type" not in texts
    return not texts.isdisjoint(("iv", "nonce", "tag", "authtag")) and not texts.isdisjoint(
        ("data", "value", "payload", "body", "content", "ct", "text")
    )


# ---------------------------------------------------------------- trees


def _is_tree(value: Mapping[str, Any]) -> bool:
    """Whether an object is a map of messages that name their parents, as chat programs export conversations."""
    nodes = list(value.values())[:3]
    return bool(nodes) and all(
        isinstance(node, dict) and any(key in node for key in _PARENTS) and ("role" in node or "message" in node)
        for node in nodes
    )


def branch(nodes: Mapping[str, Any], current: Any) -> Iterator[Any]:
    """The messages of a tree from its root to a node, in order.

    Args:
        nodes: id -> node, which names its parent.
        current: id of the last node; the latest node if there is none.
    """
    place = current if isinstance(current, str) and current in nodes else _latest(nodes)
    path: list[Any] = []
    seen: set[str] = set()
    while isinstance(place, str) and place in nodes and place not in seen:
        seen.add(place)
        node = nodes[place]
        if not isinstance(node, dict):
            break
        path.append(node)
        place = next((parent for key in _PARENTS if (parent := node.get(key)) is not None), None)
    for node in reversed(path):
        if isinstance(node.get("message"), dict) or "role" in node:
            yield node


def _latest(nodes: Mapping[str, Any]) -> str | None:
    """The node with the latest time; the last one of those with the same time, or without any."""
    best: str | None = None
    latest = float("-inf")
    for name, node in nodes.items():
        if not isinstance(node, dict):
            continue
        message = node.get("message")
        times = [place.get(key) for place in (message, node) if isinstance(place, dict) for key in _TIMES]
        time = next((t for t in times if isinstance(t, int | float) and not isinstance(t, bool)), float("-inf"))
        if time >= latest:
            best, latest = name, time
    return best


_TIMES: Final = ("create_time", "timestamp", "createdAt", "created_at")
"""Names of the time of a node."""
