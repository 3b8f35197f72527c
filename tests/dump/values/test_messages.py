"""The messages of prompts in the shapes that programs write, and values that no program writes."""

from __future__ import annotations

import base64
import json
import time
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.dump.values.literals import literal_in
from harvestdetect.dump.values.messages import common_messages, messages_of, system_text
from harvestdetect.dump.values.roles import role_name
from harvestdetect.dump.values.templates import split_template

T = "Explain the tides"
U = [("user", T)]
S = ("system", "Be kind")
OK = ("assistant", "ok")

SHAPES: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "openai": ([{"role": "system", "content": "Be kind"}, {"role": "user", "content": T}], [S, *U]),
    "env": (
        {
            "model": "m",
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": T}, {"type": "image_url", "image_url": {"url": "x"}}],
                }
            ],
            "system": [{"type": "text", "text": "Be kind"}],
        },
        [S, *U],
    ),
    "gemini": (
        {
            "contents": [
                {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, {"text": T}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
                {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"text": "no"}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f"}}]},
            ],
            "systemInstruction": {"role": "user", "parts": [{"text": "Be kind"}]},
        },
        [S, *U],
    ),
    "gemini1": ({"contents": {"parts": {"text": T}}}, U),
    "gemini2": ({"contents": T}, U),
    "otel": (
        [
            {"role": "user", "parts": [{"type": "text", "content": T}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "x", "arguments": {}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "no"}]},
            {"role": "user", "parts": [{"type": "tool_call_response", "response": "no"}]},
        ],
        U,
    ),
    "oi": (
        [{"message": {"role": "system", "content": "Be kind"}}, {"message": {"role": "user", "content": T}}],
        [S, *U],
    ),
    "oiflat": (
        [
            {"message.role": "system", "message.content": "Be kind"},
            {
                "message.role": "user",
                "message.contents": [
                    {"message_content.type": "text", "message_content.text": T},
                    {"message_content.type": "image", "message_content.image": "x"},
                ],
            },
        ],
        [S, *U],
    ),
    "oicontents": ([{"message": {"role": "user", "contents": [{"message_content": {"type": "text", "text": T}}]}}], U),
    "lc1": ([{"type": "system", "content": "Be kind"}, {"type": "human", "content": T}], [S, *U]),
    "lc2": ([{"type": "human", "data": {"content": T, "type": "human"}}], U),
    "lc3": (
        {
            "messages": [
                [
                    {
                        "lc": 1,
                        "type": "constructor",
                        "id": ["langchain", "schema", "messages", "SystemMessage"],
                        "kwargs": {"content": "Be kind"},
                    },
                    {
                        "lc": 1,
                        "type": "constructor",
                        "id": ["langchain", "schema", "messages", "HumanMessage"],
                        "kwargs": {"content": T, "type": "human"},
                    },
                ]
            ]
        },
        [S, *U],
    ),
    "lclist": ([[{"type": "human", "content": T}]], U),
    "sharegpt": (
        {
            "conversations": [
                {"from": "system", "value": "Be kind"},
                {"from": "human", "value": T},
                {"from": "gpt", "value": "ok"},
            ]
        },
        [S, *U, OK],
    ),
    "cohere": (
        {
            "message": T,
            "chat_history": [{"role": "USER", "message": "hi"}, {"role": "CHATBOT", "message": "hello"}],
            "preamble": "Be kind",
        },
        [S, ("user", "hi"), ("assistant", "hello"), *U],
    ),
    "vercel": (
        [
            {"id": "1", "role": "user", "parts": [{"type": "text", "text": T}, {"type": "file", "url": "x"}]},
            {"role": "assistant", "parts": [{"type": "tool-weather", "output": "no"}, {"type": "step-start"}]},
        ],
        U,
    ),
    "vercel5": (
        [
            {
                "role": "user",
                "content": T,
                "parts": [{"type": "text", "text": T}],
                "experimental_attachments": [{"url": "x"}],
            }
        ],
        U,
    ),
    "converse": (
        {
            "system": [{"text": "Be kind"}],
            "messages": [
                {"role": "user", "content": [{"text": T}]},
                {"role": "assistant", "content": [{"toolUse": {"name": "x"}}]},
                {"role": "user", "content": [{"toolResult": {"content": [{"text": "no"}]}}]},
            ],
        },
        [S, *U],
    ),
    "titan": ({"inputText": T, "textGenerationConfig": {"maxTokenCount": 5}}, U),
    "titanu": ({"inputText": f"User: {T}\nBot:"}, U),
    "llama3": (
        {
            "prompt": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind<|eot_id|>"
            f"<|start_header_id|>user<|end_header_id|>\n\n{T}<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n"
        },
        [S, *U],
    ),
    "chatml": (
        f"<|im_start|>system\nBe kind<|im_end|>\n<|im_start|>user\n{T}<|im_end|>\n<|im_start|>assistant\n",
        [S, *U],
    ),
    "mistral": (
        f"<s>[INST] <<SYS>>\nBe kind\n<</SYS>>\n\nhi [/INST] hello </s><s>[INST] {T} [/INST]",
        [S, ("user", "hi"), ("assistant", "hello"), *U],
    ),
    "gemma": (f"<bos><start_of_turn>user\n{T}<end_of_turn>\n<start_of_turn>model\n", U),
    "phi": (f"<|system|>\nBe kind<|end|>\n<|user|>\n{T}<|end|>\n<|assistant|>", [S, *U]),
    "zephyr": (f"<|user|>\n{T}</s>\n<|assistant|>\n", U),
    "harmony": (
        f"<|start|>system<|message|>Be kind<|end|><|start|>user<|message|>{T}<|end|><|start|>assistant",
        [S, *U],
    ),
    "deepseek": (f"<｜begin▁of▁sentence｜>Be kind<｜User｜>{T}<｜Assistant｜>", [S, *U]),
    "commandr": (
        f"<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be kind<|END_OF_TURN_TOKEN|>"
        f"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{T}<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        [S, *U],
    ),
    "claude2": (f"\n\nHuman: {T}\n\nAssistant:", U),
    "claude2s": (f"Be kind\n\nHuman: {T}\n\nAssistant:", [S, *U]),
    "vicuna": (f"Be kind USER: {T} ASSISTANT:", [S, *U]),
    "alpaca": (f"Be kind\n\n### Instruction:\n{T}\n\n### Response:", [S, *U]),
    "guanaco": (f"### Human: {T}\n### Assistant:", U),
    "folded": (f"Be kind\n\nUser: {T}\nAssistant:", [S, *U]),
    "responses": (
        {
            "model": "m",
            "instructions": "Be kind",
            "input": [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": T}, {"type": "input_image", "image_url": "d"}],
                },
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "no"}], "encrypted_content": "abc"},
                {"type": "function_call", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "1", "output": "no"},
            ],
        },
        [S, *U],
    ),
    "responses2": ({"model": "m", "instructions": "Be kind", "input": T}, [S, *U]),
    "batch": ({"custom_id": "a", "method": "POST", "body": {"messages": [{"role": "user", "content": T}]}}, U),
    "anthbatch": (
        {"custom_id": "a", "params": {"system": "Be kind", "messages": [{"role": "user", "content": T}]}},
        [S, *U],
    ),
    "thread": (
        {
            "assistant_id": "a",
            "instructions": "Be kind",
            "thread": {
                "messages": [
                    {
                        "object": "thread.message",
                        "role": "user",
                        "content": [{"type": "text", "text": {"value": T, "annotations": []}}],
                    }
                ]
            },
        },
        [S, *U],
    ),
    "owui": (
        {
            "history": {
                "messages": {
                    "a": {"id": "a", "parentId": None, "childrenIds": ["b", "c"], "role": "user", "content": T},
                    "b": {"id": "b", "parentId": "a", "role": "assistant", "content": "other"},
                    "c": {"id": "c", "parentId": "a", "role": "assistant", "content": "ok"},
                },
                "currentId": "c",
            }
        },
        [*U, OK],
    ),
    "chatgpt": (
        {
            "title": "x",
            "mapping": {
                "r": {"id": "r", "message": None, "parent": None, "children": ["a"]},
                "a": {
                    "id": "a",
                    "message": {
                        "author": {"role": "user"},
                        "content": {
                            "content_type": "multimodal_text",
                            "parts": [{"content_type": "image_asset_pointer"}, T],
                        },
                        "create_time": 1,
                    },
                    "parent": "r",
                },
            },
            "current_node": "a",
        },
        U,
    ),
    "mapping": (
        {
            "a": {
                "id": "a",
                "message": {
                    "author": {"role": "user"},
                    "content": {"content_type": "text", "parts": [T]},
                    "create_time": 1,
                },
                "parent": None,
            }
        },
        U,
    ),
    "claudeai": (
        [{"uuid": "1", "text": T, "sender": "human"}, {"text": "ok", "sender": "assistant"}],
        [*U, OK],
    ),
    "langfuse": (f'{{"args": [], "kwargs": {{"query": "{T}"}}}}', U),
    "langfuse2": (f'{{"args": ["{T}"], "kwargs": {{}}}}', U),
    "jsontext": (json.dumps({"messages": [{"role": "user", "content": T}], "model": "m"}), U),
    "twice": (json.dumps(json.dumps({"messages": [{"role": "user", "content": T}], "model": "m"})), U),
    "repr": (repr([{"role": "system", "content": "Be kind"}, {"role": "user", "content": T}]), [S, *U]),
    "nprepr": (
        f"[{{'content': '{T}', 'role': 'user'}}\n {{'content': 'ok', 'role': 'assistant'}}]",
        [*U, OK],
    ),
    "lcrepr": (f"[SystemMessage(content='Be kind'), HumanMessage(content='{T}', additional_kwargs={{}})]", [S, *U]),
    "cut": (
        json.dumps(
            {"model": "m", "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": T}]}
        )[:-4],
        [S, *U],
    ),
    "dynamo": ({"L": [{"M": {"role": {"S": "user"}, "content": {"S": T}}}]}, U),
    "pairs": ([["hi", "hello"], [T, None]], [("user", "hi"), ("assistant", "hello"), *U]),
    "tuples": ([["human", T]], U),
    "hf": ({"inputs": T, "parameters": {}}, U),
    "replicate": ({"input": {"prompt": T, "system_prompt": "Be kind", "temperature": 1}}, [S, *U]),
    "dify": ({"inputs": {"name": "bob"}, "query": T, "response_mode": "streaming"}, U),
    "vertexpalm": (
        {
            "instances": [
                {
                    "context": "Be kind",
                    "examples": [{"input": {"content": "x"}}],
                    "messages": [{"author": "alice", "content": T}],
                }
            ],
            "parameters": {},
        },
        [S, *U],
    ),
    "vertexi": ({"instances": [{"prompt": T}]}, U),
    "toolrole": (
        [
            {"role": "user", "content": T},
            {"role": "tool", "content": "no"},
            {"role": "function", "content": "no"},
            {"role": "user", "tool_call_id": "x", "content": "no"},
        ],
        U,
    ),
    "anthtool": (
        [
            {"role": "user", "content": [{"type": "text", "text": T}]},
            {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "no"}]}]},
            {
                "role": "user",
                "content": [
                    {"type": "mcp_tool_result", "content": "no"},
                    {"type": "web_search_tool_result", "content": "no"},
                ],
            },
        ],
        U,
    ),
    "thinking": (
        [{"role": "assistant", "content": [{"type": "thinking", "thinking": "no"}]}, {"role": "user", "content": T}],
        U,
    ),
    "claudecode": ({"type": "user", "message": {"role": "user", "content": T}, "uuid": "x"}, U),
    "xai": ([{"role": "ROLE_USER", "content": T}], U),
    "genai": (
        {
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": T}]}]),
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind"}]),
        },
        [S, *U],
    ),
    "traceloop": ({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": T, "gen_ai.request.model": "x"}, U),
    "alpacarow": ({"instruction": "Explain", "input": "the tides", "output": "no"}, [("user", "Explain\nthe tides")]),
    "dev": ([{"role": "developer", "content": "Be kind"}, {"role": "user", "content": T}], [S, *U]),
    "nullc": ([{"role": "assistant", "content": None}, {"role": "user", "content": T}], U),
    "dictc": ([{"role": "user", "content": {"type": "text", "text": T}}], U),
    "jsonc": ([{"role": "user", "content": json.dumps([{"type": "text", "text": T}])}], U),
    "ollama": ({"model": "m", "prompt": T, "system": "Be kind", "context": [1, 2, 3], "images": ["a"]}, [S, *U]),
    "userjson": ('{"topic": "tides", "style": "short"}', [("user", '{"topic": "tides", "style": "short"}')]),
    "userjson2": (
        '{"question": "what?", "choices": "a or b"}',
        [("user", '{"question": "what?", "choices": "a or b"}')],
    ),
    "userlist": ('["a", "b"]', [("user", '["a", "b"]')]),
    "strs": (["a", "b"], [("user", "a"), ("user", "b")]),
    "dataurl": ("look data:image/png;base64," + "Ab1/" * 300 + " here", [("user", "look  here")]),
    "b64in": ("decode " + "Ab1/" * 300 + " please", [("user", "decode  please")]),
}
"""Name -> (prompt, messages). The word "no" stands for what must not be read."""

TYPED = ("replicate", "dify", "traceloop", "alpacarow", "titanu", "hf")
"""Shapes that somebody could have typed, were they text."""


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_read(name: str) -> None:
    value, expected = SHAPES[name]
    before = deepcopy(value)
    found = messages_of(value)
    assert (found.parts, found.reason) == (expected, "")
    assert value == before


@pytest.mark.parametrize("name", [name for name, (value, _) in SHAPES.items() if isinstance(value, dict)])
@pytest.mark.parametrize("wrap", [json.dumps, lambda v: json.dumps(json.dumps(v)), repr, lambda v: {"body": v}])
def test_a_request_in_text_is_the_same(name: str, wrap: Any) -> None:
    value, expected = SHAPES[name]
    if name in TYPED:
        value = {**value, "model": "m"}  # what nobody types
    assert messages_of(wrap(value)).parts == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no prompt"),
        ("", "the prompt is empty"),
        (" \n\u3000", "the prompt is empty"),
        ([], "the prompt is empty"),
        ({}, "the prompt is empty"),
        ("{}", "the prompt is empty"),
        ("\\N", r"the prompt is empty: '\\N'"),
        ("redacted-by-litellm", "the prompt is empty: 'redacted-by-litellm'"),
        ([1, 2, 3], "the prompt is a list of token ids, not a text"),
        ({"prompt": [[1, 2], [3]]}, "the prompt is a list of token ids, not a text"),
        (json.dumps(list(range(30))), "the prompt is a list of token ids, not a text"),
        ({"type": "encrypted", "key": "a", "iv": "b", "data": "c2Vj"}, "the prompt is encrypted"),
        ({"data": "c2Vj", "iv": "b"}, "the prompt is encrypted"),
        ({"body": {"ciphertext": "x"}}, "the prompt is encrypted"),
        (json.dumps({"ct": "c2Vj", "iv": "b"}), "the prompt is encrypted"),
        ("vault:v1:" + "aB3/" * 20, "the prompt is encrypted"),
        (".".join(["eyJhbGciOi", "", "aB3_aB3_aB", "aB3_" * 20, "aB3_aB3_aB"]), "the prompt is encrypted"),
        (
            base64.b64encode(np.random.default_rng(1).bytes(90)).decode(),
            "the prompt is base64 that contains no text; it is encrypted or a file",
        ),
        (
            np.random.default_rng(1).bytes(90).hex(),
            "the prompt is base64 that contains no text; it is encrypted or a file",
        ),
        ("data:image/png;base64," + "aB3/" * 200, "no message of the prompt has a text"),
        (
            {"object": "chat.completion", "choices": [{"message": {}}]},
            "the prompt is the response of a model, not a request",
        ),
        ({"input": [{"type": "function_call_output", "output": "no"}]}, "the prompt has only what tools returned"),
        ([{"role": "tool", "content": "no"}], "the prompt has only what tools returned"),
        ({"model": "m", "messages": [{"role": "user", "content": None}]}, "no message of the prompt has a text"),
        ({"a": 1}, "the prompt is an object in which no message or text was found"),
        (5, "the prompt is not a text or a list of messages"),
    ],
)
def test_prompts_without_a_text_say_why(value: Any, reason: str) -> None:
    found = messages_of(value)
    assert (found.parts, found.reason) == ([], reason)


@pytest.mark.parametrize(
    "text",
    [
        '{"topic": "tides", "style": "short"}',
        '{"question": "what?", "choices": "a or b"}',
        '["cats", "dogs"]',
        "[1, 2, 3]",
        "{'topic': 'tides'}",
        "[INST",
        "[draft] write me a poem",
        "{x} is a placeholder (see [1])",
        "Why does <|im_start|>user appear in my log?",
        "User: what is this? And Assistant: that?",
        "Write a dialogue.\nUser: hi\nAssistant: hello",
        "a" * 500,
        "What is in data:image/png;base64,AAAA",
        "none of them",
        "null",
        "None",
        "def f(x):",
        '"To be or not to be"',
    ],
)
def test_what_somebody_typed_stays_as_it_is(text: str) -> None:
    assert messages_of(text).parts == [("user", text)]


def test_what_is_left_out_is_counted() -> None:
    content = [
        {"type": "text", "text": T},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "input_image"},
        {"inlineData": {"mimeType": "audio/wav", "data": "x"}},
        {"file_data": {"mime_type": "application/pdf"}},
        {"type": "input_audio", "input_audio": {"data": "x"}},
        {"type": "document", "source": {"type": "text", "data": "no"}},
        {"type": "file", "file": {"file_data": "x"}},
        {"type": "video_url"},
        {"type": "tool_result", "content": "no"},
        {"toolResult": {"content": [{"text": "no"}]}},
        {"type": "tool_use", "input": {}},
        {"type": "thinking", "thinking": "no"},
        {"type": "something-new", "text": "no"},
    ]
    found = messages_of([{"role": "user", "content": content}])
    assert found.parts == U
    assert found.left_out == {
        "image": 2,
        "audio": 2,
        "document": 3,
        "video": 1,
        "tool output": 2,
        "other part": 1,
    }


def test_base64_within_a_text_is_taken_out() -> None:
    run = "aB3/" * 250
    found = messages_of(f"{T} ![](data:image/png;base64,{run}) {run} {T}")
    assert found.parts == [("user", f"{T} ![]()  {T}")]
    assert found.left_out == {"image": 1, "base64": 1}
    lines = "\n".join(["aB3/" * 19] * 20)
    assert messages_of(f"{T}\n{lines}\n").left_out == {"base64": 1}
    word = "abcdefgh" * 300
    assert messages_of(f"{T} {word}").parts == [("user", f"{T} {word}")]


def test_base64_of_a_text_is_read() -> None:
    request = json.dumps({"model": "m", "messages": [{"role": "user", "content": T}]})
    assert messages_of(base64.b64encode(request.encode()).decode()).parts == U
    assert messages_of(base64.b64encode((T * 4).encode()).decode()).parts == [("user", T * 4)]


def test_base64_of_a_text_within_a_text_is_read() -> None:
    plain = "Wie viele Äpfel bleiben übrig? Begründe jeden Schritt. " * 8
    run = base64.b64encode(plain.encode()).decode()
    lines = "\n".join(run[start : start + 76] for start in range(0, len(run), 76))
    for encoded in (run, run.replace("+", "-").replace("/", "_"), lines):
        found = messages_of(f"Decode this and do what it asks: {encoded}")
        assert found.parts == [("user", f"Decode this and do what it asks: {plain}")]
        assert not found.left_out


def test_a_typed_list_of_parts_cannot_hide_its_text() -> None:
    hidden = json.dumps([{"type": "tool_result", "content": T}])
    assert messages_of([{"role": "user", "content": hidden}]).parts == [("user", hidden)]


def test_trees_give_the_current_branch_in_order() -> None:
    nodes = {
        "r": {"id": "r", "message": None, "parent": None},
        "c": {
            "message": {"author": {"role": "user"}, "content": {"parts": ["second"]}, "create_time": 5},
            "parent": "b",
        },
        "a": {
            "message": {"author": {"role": "user"}, "content": {"parts": ["first"]}, "create_time": 1},
            "parent": "r",
        },
        "b": {
            "message": {"author": {"role": "assistant"}, "content": {"parts": ["ok"]}, "create_time": 2},
            "parent": "a",
        },
        "x": {"message": {"author": {"role": "user"}, "content": {"parts": ["old"]}, "create_time": 3}, "parent": "b"},
    }
    first = [("user", "first"), OK]
    assert messages_of({"mapping": nodes, "current_node": "x"}).parts == [*first, ("user", "old")]
    assert messages_of({"mapping": nodes}).parts == [*first, ("user", "second")]
    assert messages_of(nodes).parts == [*first, ("user", "second")]
    circle = {n: {"role": "user", "content": n, "parentId": "b" if n == "a" else "a"} for n in "ab"}
    assert messages_of({"history": {"messages": circle, "currentId": "a"}}).parts == [("user", "b"), ("user", "a")]


def test_system_columns() -> None:
    assert system_text("Be kind") == "Be kind"
    assert system_text([{"type": "text", "text": "Be"}, {"text": "kind"}]) == "Be\nkind"
    assert system_text(json.dumps([{"type": "text", "content": "Be kind"}])) == "Be kind"
    assert system_text({"parts": [{"text": "Be kind"}]}) == "Be kind"
    assert system_text({"role": "user", "parts": [{"text": "Be kind"}]}) == "Be kind"
    nothing: Any
    for nothing in (None, "", " ", [], {}, 3, [None], [{"type": "image"}]):
        assert system_text(nothing) == ""


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[
            ("ROLE_USER", "user"),
            ("Role.USER", "user"),
            ("Human", "user"),
            ("developer", "system"),
            (" GPT ", "assistant"),
        ],
        *[("CHATBOT", "assistant"), ("MESSAGE_ROLE_TOOL", "tool"), ("ipython", "tool"), ("critic", "critic")],
        *[("", "user"), (None, "user"), (3, "user"), ("x" * 99, "x" * 40)],
    ],
)
def test_roles(name: Any, role: str) -> None:
    assert role_name(name) == role


def test_python_and_numpy_lists() -> None:
    messages = [
        {"role": "user", "content": 'it\'s "q"\n \\ é 😀'},
        {"role": "assistant", "content": None, "n": [1, -2.5, True]},
    ]
    assert literal_in(repr(messages)) == messages
    assert literal_in(str(np.array(messages, object))) == messages
    assert literal_in(repr(np.array(messages, object))) == messages
    written = "[HumanMessage(content='hi', additional_kwargs={}), AIMessage(content='ok')]"
    assert messages_of(written).parts == [("user", "hi"), OK]
    stamped = "[{'content': 'hi', 'at': datetime.datetime(2023, 4, 9, 0, tzinfo=<UTC>), 'role': 'user'}]"
    assert messages_of(stamped).parts == [("user", "hi")]


@given(st.integers(2, 200))
def test_a_request_that_was_cut_off_is_no_text(kept: int) -> None:
    whole = json.dumps(
        {"model": "m", "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": T * 6}]}
    )
    for part in messages_of(whole[:kept]).parts if kept > 75 else ():
        assert "role" not in part[1]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([T, "user", "text"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *["role", "content", "messages", "parts", "text", "type", "message", "input", "prompt", "system"],
                    *["mapping", "history", "parent", "data", "iv", "kwargs", "lc", "id", "from", "value", "contents"],
                    *["message.content", "tool_call_id", "attributes", "key", "S", "L", "body", "name", "images"],
                ]
            ),
            inner,
            max_size=5,
        )
        | inner.map(lambda value: json.dumps(value, allow_nan=True))
        | inner.map(repr)
    ),
    max_leaves=25,
)


@given(JSON)
@settings(max_examples=150)
def test_any_value_gives_messages_or_a_reason(value: Any) -> None:
    before = repr(value)
    found = messages_of(value)
    assert bool(found.parts) != bool(found.reason)
    for role, text in found.parts:
        assert role
        assert role != "tool"
        assert text
        assert not text.isspace()
    assert all(kind and count > 0 for kind, count in found.left_out.items())
    assert isinstance(system_text(value), str)
    assert repr(value) == before


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), st.text(max_size=20)), min_size=1, max_size=6)
)
def test_order_and_text_of_messages_are_kept(turns: list[tuple[str, str]]) -> None:
    plain = [{"role": role, "content": text} for role, text in turns]
    parted = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in turns]
    expected = [(role, text) for role, text in turns if text and not text.isspace()]
    for value in (plain, parted, {"messages": plain}, json.dumps({"messages": parted})):
        assert messages_of(value).parts == expected
    if (common := common_messages(plain)) is not None:
        assert common == expected


@given(st.text())
def test_no_text_is_lost(text: str) -> None:
    found = messages_of(text)
    if not found.parts:
        assert found.reason
    elif split_template(text) is None and text[:1] not in '[{("':
        assert found.parts == [("user", text)]


def test_hostile_values_take_bounded_time() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"messages": [deep]}
    lists: Any = [1]
    for _ in range(900):
        lists = [lists]
    nested = json.dumps({"messages": [{"role": "user", "content": "x"}]})
    for _ in range(12):
        nested = json.dumps({"body": nested})
    hostile = [
        deep,
        lists,
        "[" * 900 + "1" + "]" * 900,
        {"messages": [[lists]]},
        nested,
        [[[[]]]] * 10_000,
        [{"role": "user", "content": [{"type": "text", "text": "x"}] * 100_000}],
        [{"parent": "x"}] * 10_000,
        {f"k{n}": {"parent": "x", "role": "user"} for n in range(50_000)},
        {f"messages.{n}.role.a.b": n for n in range(50_000)},
        "<|im_start|>user\n" * 50_000,
        "[INST]" * 100_000,
        "<|user|>" * 100_000 + "Assistant:",
        "User: x\n" * 50_000 + "Assistant:",
        "USER: " * 100_000 + "ASSISTANT:",
        "[{'a': " * 100_000,
        "['" + "\\" * 1_000_000,
        "aB3/" * 500_000,
        ("aB3/" * 99 + "\n") * 5_000,
        "data:image/png;base64," * 50_000,
        " " * 1_000_000 + ":",
        "\n" * 1_000_000 + "Assistant:",
        "#" * 1_000_000 + ":",
        "Human:" + "\n\nAssistant" * 50_000,
        "[" * 1_000_000,
        '{"a":' * 300_000,
        "<" * 1_000_000,
        "(" * 1_000_000 + ":",
        ". " * 500_000 + ">",
    ]
    for value in hostile:
        start = time.process_time()
        messages_of(value)
        assert time.process_time() - start < 5, repr(value)[:60]
