"""Records in the shapes of real logs, and changes that are made to them, for :mod:`benchmarks.fuzz_readers`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

__all__ = ["SHAPES", "changed", "record"]

_WORDS: Final = (
    *("tides", "moon", "explain", "write", "a", "poem", "short", "please", "what", "why"),
    *("潮汐", "เรื่อง", "прилив", "é", "🌊", "[x]", "{y}", '"q"', "'r'", "a,b;", "c|d"),
)
_DEEP: Final = 400
"""Levels of a value that is nested deeply."""
_ODD: Final[tuple[Any, ...]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e300,
        2**63,
        "",
        " ",
        "\0",
        "\ufeff",
        "null",
        "NaN",
        "-",
        "\\N",
        "[",
        "{",
        "[[",
        '"',
    ),
    *(
        [],
        {},
        [[]],
        [None],
        [1, 2, 3],
        [[1, 2]],
        {"": ""},
        {"a.b": 1},
        "[]",
        "{}",
        "\u2028",
        "\r\n",
        "a\nb",
        "x" * 2_000,
    ),
    *("9001.0", "1.6E+18", "2026-06-01", "31/12/2026", "1780272016671", "=1+1", "data:image/png;base64,AAAA"),
    *(
        "<|im_start|>user\nhi<|im_end|>",
        "[INST] hi [/INST]",
        "User: hi\nAssistant:",
        "[{'role': 'user', 'content': 'x'}]",
    ),
    *(json.loads("[" * _DEEP + "1" + "]" * _DEEP), json.loads('{"a":' * _DEEP + "1" + "}" * _DEEP)),
    *({"role": "tool", "content": "x"}, {"type": "encrypted", "iv": "a", "data": "b"}, {"$date": 1}, {"S": "x"}),
)
"""Values that take the place of others."""


def _text(random: Random) -> str:
    return " ".join(random.choices(_WORDS, k=random.randint(1, 30)))


def _messages(random: Random) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = [{"role": "system", "content": "You are kind."}] if random.random() < 0.3 else []
    for _ in range(random.randint(1, 3)):
        turns.append({"role": "user", "content": _text(random)})
        if random.random() < 0.3:
            turns.append({"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]})
            turns.append({"role": "tool", "tool_call_id": "c", "content": _text(random)})
    return turns


def _who(random: Random) -> str:
    return f"u{random.randrange(5)}"


def _when(random: Random) -> float:
    return 1_780_272_016 + random.randrange(10**6)


def _iso(random: Random) -> str:
    return f"2026-06-{random.randint(1, 28):02}T{random.randrange(24):02}:00:16.671Z"


def _span(random: Random) -> dict[str, Any]:
    parts = [{"role": "user", "parts": [{"type": "text", "content": _text(random)}]}]
    values = {"gen_ai.input.messages": json.dumps(parts), "enduser.id": _who(random), "gen_ai.request.model": "m"}
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]
    return {"name": "chat m", "startTimeUnixNano": f"{int(_when(random))}000000000", "attributes": pairs}


def _otlp(random: Random) -> dict[str, Any]:
    spans = [_span(random) for _ in range(random.randint(1, 3))]
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}]}


def _chatgpt(random: Random) -> dict[str, Any]:
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [_text(random)]}}
    nodes = {"r": {"id": "r", "message": None, "parent": None}, "a": {"id": "a", "message": message, "parent": "r"}}
    return {"user_id": _who(random), "create_time": _when(random), "title": "x", "mapping": nodes, "current_node": "a"}


SHAPES: Final[Mapping[str, Callable[[Random], dict[str, Any]]]] = {
    "flat": lambda r: {"account": _who(r), "timestamp": _when(r), "prompt": _text(r)},
    "chat": lambda r: {"user_id": _who(r), "created_at": _iso(r), "messages": _messages(r), "model": "m"},
    "litellm": lambda r: {
        "request_id": _who(r) + _text(r)[:5],
        "call_type": "acompletion",
        "api_key": "k",
        "startTime": _iso(r),
        "user": _who(r),
        "model": "m",
        "messages": json.dumps(_messages(r)),
        "response": "{}",
        "metadata": "{}",
    },
    "langfuse": lambda r: {
        "id": _text(r)[:8],
        "type": "GENERATION",
        "start_time": _iso(r),
        "user_id": _who(r),
        "output": "{}",
        "input": json.dumps({"messages": _messages(r)}),
    },
    "batch": lambda r: {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "m", "user": _who(r), "messages": _messages(r)},
    },
    "bedrock": lambda r: {
        "schemaType": "ModelInvocationLog",
        "timestamp": _iso(r),
        "identity": {"arn": f"arn:aws:sts::1:x/{_who(r)}"},
        "input": {"inputBodyJson": {"anthropic_version": "b", "system": "be kind", "messages": _messages(r)}},
    },
    "gemini": lambda r: {
        "account": _who(r),
        "time": _iso(r),
        "request": {"contents": [{"role": "user", "parts": [{"text": _text(r)}, {"inlineData": {"data": "AA"}}]}]},
    },
    "otlp": _otlp,
    "dynamodb": lambda r: {"Item": {"user_id": {"S": _who(r)}, "ts": {"N": str(_when(r))}, "prompt": {"S": _text(r)}}},
    "mongo": lambda r: {"_id": {"$oid": "6" * 24}, "user": _who(r), "at": {"$date": _iso(r)}, "prompt": _text(r)},
    "elastic": lambda r: {"_index": "a", "_source": {"@timestamp": _iso(r), "user": _who(r), "prompt": _text(r)}},
    "responses": lambda r: {
        "account": _who(r),
        "timestamp": _when(r),
        "request": {
            "model": "m",
            "instructions": "x",
            "input": [{"type": "message", "role": "user", "content": _text(r)}],
        },
    },
    "sharegpt": lambda r: {"user": _who(r), "conversations": [{"from": "human", "value": _text(r)}]},
    "langchain": lambda r: {"user_id": _who(r), "inputs": {"messages": [[{"type": "human", "content": _text(r)}]]}},
    "chatgpt": _chatgpt,
}
"""Name of a shape -> makes one record of it."""


def record(shape: str, random: Random) -> dict[str, Any]:
    """One record of a shape."""
    return SHAPES[shape](random)


def changed(value: Any, random: Random, depth: int = 0) -> Any:
    """A copy of a record in which something is changed: a value, a name, its nesting, or its type."""
    if depth > 6 or random.random() < 0.25:
        return _other(value, random)
    if isinstance(value, dict) and value:
        name = random.choice(list(value))
        kind = random.randrange(8)
        if kind == 0:
            return {key: inside for key, inside in value.items() if key != name}
        if kind == 1:
            return {
                (key + random.choice((".", "_", " ", "é", "")) if key == name else key): v for key, v in value.items()
            }
        if kind == 2:
            return {**value, random.choice(("id", "user", "text", "a.b", "", "messages")): random.choice(_ODD)}
        return {key: changed(v, random, depth + 1) if key == name else v for key, v in value.items()}
    if isinstance(value, list) and value:
        place = random.randrange(len(value))
        return [changed(v, random, depth + 1) if number == place else v for number, v in enumerate(value)]
    return _other(value, random)


def _other(value: Any, random: Random) -> Any:
    kind = random.randrange(7)
    if kind == 0:
        return json.dumps(value)
    if kind == 1:
        return [value] * random.randrange(3)
    if kind == 2:
        return {random.choice(("value", "S", "stringValue", "$date", "v", "text", "body")): value}
    if kind == 3:
        return str(value)
    return random.choice(_ODD)
