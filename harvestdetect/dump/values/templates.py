"""Chat templates: one text that contains a whole conversation in the markup of a model, to roles and texts.

A text is split only where the markup is unmistakable: if it begins with the tokens of a template, or if it ends with
the cue for the assistant's answer and has a line that begins the user's words.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["may_be_template", "split_template"]

_START: Final = re.compile(
    r"\s*(?:(?:<s>|<bos>|<\|begin_of_text\|>|<\|startoftext\|>|<\|endoftext\|>|<BOS_TOKEN>|\[gMASK\]|<sop>"
    r"|<\uff5cbegin\u2581of\u2581sentence\uff5c>)\s*)*"
)
"""Tokens before the first turn."""
_TURN: Final = re.compile(
    r"<\|im_start\|>[ ]?(?P<chatml>[\w.-]{1,40})[^\n<]{0,100}(?:\n|$)"
    r"|<\|im_(?P<kimi>user|system|assistant|tool)\|>[^<\n]{0,100}<\|im_middle\|>"
    r"|<\|(?:start_header_id|header_start)\|>(?P<llama>[^<\n]{1,40})<\|(?:end_header_id|header_end)\|>"
    r"|<\|start_of_role\|>(?P<granite>[^<\n]{1,40})<\|end_of_role\|>"
    r"|<start_of_turn>(?P<gemma>[\w.-]{1,40})[ ]*(?:\n|$)"
    r"|<\|start\|>(?P<harmony>[\w.]{1,60})[^<\n]{0,60}(?:<\|channel\|>[^<\n]{0,60})?"
    r"(?:<\|constrain\|>[^<\n]{0,60})?<\|message\|>"
    r"|<\|START_OF_TURN_TOKEN\|><\|(?P<command>USER|SYSTEM|CHATBOT)_TOKEN\|>"
    r"|<\|(?P<phi>user|system|assistant|observation|tool|developer)\|>"
    r"|<\uff5c(?P<deepseek>User|Assistant)\uff5c>"
)
"""The beginning of a turn; each group is a role."""
_END: Final = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|eot|end|end_of_text|endoftext|return|call|END_OF_TURN_TOKEN)\|>|<end_of_turn>|</s>"
    r"|<\uff5cend\u2581of\u2581sentence\uff5c>"
)
"""The end of a turn."""
_INST: Final = re.compile(
    r"\[(?P<open>INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS)\](?P<text>.*?)(?:\[/(?P=open)\]|\Z)", re.S
)
"""A turn of Mistral's and Llama 2's templates. What is between turns is the assistant's."""
_INST_ROLES: Final = {
    "INST": "user",
    "SYSTEM_PROMPT": "system",
    "AVAILABLE_TOOLS": "system",
    "TOOL_RESULTS": "tool",
    "TOOL_CALLS": "assistant",
}
_SYS: Final = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>", re.S)
"""The system text within the first turn of Llama 2."""
_ROLE_WORDS: Final = r"(?:system|human|user|assistant|ai|bot|chatbot|instruction|input|response|prompter)"
_CUE: Final = re.compile(
    r"(?:^|\n)[ \t]*(?:\#{1,4}[ \t]*|<\|)?(?:assistant|ai|bot|chatbot|response)(?:\|>)?[ \t]*:?[ \t]*$"
    r"|(?<=\s)ASSISTANT:$",
    re.I,
)
"""The cue for the assistant's answer, at the end of a text without the white space behind it."""
_LABEL: Final = re.compile(rf"(?:^|\n)[ \t]*(?:\#{{1,4}}[ \t]*)?({_ROLE_WORDS})[ \t]*:[ \t]*", re.I)
"""A line that begins somebody's words."""
_CAPITALS: Final = re.compile(r"(?:^|(?<=\s))(USER|ASSISTANT|SYSTEM|HUMAN):[ \t]*")
"""Somebody's words in Vicuna's template, which has no lines."""
_USERS: Final = ("human", "user", "instruction", "prompter")
_MOST_TURNS: Final = 20_000
"""Turns that are read, the last ones of a longer text."""

Turns = list[tuple[str, str]]
"""(role, text) of each turn, in order."""


def may_be_template(text: str) -> bool:
    """Whether a text can be split at all. False for nearly every plain text, after a look at its two ends."""
    head = text[:64].lstrip()[:1]
    return head in ("<", "[") or text[-32:].rstrip()[-1:] in (":", ">") or text[:8].lstrip().startswith("Human:")


def split_template(text: str) -> Turns | None:
    """The turns of a text in the markup of a chat template; None if it has none. Roles are as they are written.

    Parts that are empty are left out, such as the cue for the answer. A text in which only the assistant speaks is not
    split.
    """
    if not may_be_template(text):
        return None
    begin = _START.match(text)
    start = begin.end() if begin is not None else 0
    head = text[start : start + 2]
    found = None
    if head[:1] == "<" and (_TURN.match(text, start) or (start and _TURN.search(text, start))):
        found = _by_tokens(text, start)
    elif head[:1] == "[" and _INST.match(text, start):
        found = _by_inst(text, start)
    elif head[:1] != "<" and start and _TURN.search(text, start):
        found = _by_tokens(text, start)  # DeepSeek's system text has no token
    if found is None:
        found = _by_labels(text)
    if found is None:
        return None
    turns = [(role.strip().lower(), said) for role, said in found if said and not said.isspace()][-_MOST_TURNS:]
    return turns if any(role not in ("assistant", "ai", "bot", "model", "chatbot") for role, _ in turns) else None


def _by_tokens(text: str, start: int) -> Turns:
    turns: Turns = []
    beginnings = list(_TURN.finditer(text, start))
    before = text[start : beginnings[0].start()]
    if before.strip():
        turns.append(("system", before.strip()))
    stops = [match.start() for match in beginnings[1:]] + [len(text)]
    for match, stop in zip(beginnings, stops, strict=True):
        role = (match[match.lastgroup] if match.lastgroup else "").strip()
        said = text[match.end() : stop]
        end = _END.search(said)
        if end is not None:
            said = said[: end.start()]
        turns.append(("tool" if "." in role else role, said.strip()))
    return turns


def _by_inst(text: str, start: int) -> Turns:
    turns: Turns = []
    place = start
    for match in _INST.finditer(text, start):
        turns.append(("assistant", _END.sub("", text[place : match.start()]).replace("<s>", "").strip()))
        said = match["text"]
        system = _SYS.match(said)
        if system is not None:
            turns.append(("system", system[1].strip()))
            said = said[system.end() :]
        turns.append((_INST_ROLES[match["open"]], said.strip()))
        place = match.end()
    turns.append(("assistant", _END.sub("", text[place:]).strip()))
    return turns


def _by_labels(text: str) -> Turns | None:
    """The turns of a text whose lines are labelled with roles.

    It ends with the cue for the answer. ``Human:`` and ``Assistant:`` after empty lines need no cue at the end.
    """
    bottom = text.rstrip()
    pattern = _LABEL
    if not _CUE.search(bottom[-40:]) and not (bottom.startswith("Human:") and "\n\nAssistant:" in bottom):
        return None
    if bottom.endswith("ASSISTANT:") and not _LABEL.search(text):
        pattern = _CAPITALS
    labels = list(pattern.finditer(text))
    if not any(label[1].lower() in _USERS for label in labels):
        return None
    turns: Turns = [("system", text[: labels[0].start()].strip())]
    stops = [label.start() for label in labels[1:]] + [len(text)]
    for label, stop in zip(labels, stops, strict=True):
        role = label[1].lower()
        said = text[label.end() : stop].strip()
        if role == "input" and turns[-1][0] == "user":  # Alpaca's second field
            turns[-1] = ("user", f"{turns[-1][1]}\n{said}")
        else:
            role = "user" if role in (*_USERS, "input") else "assistant" if role != "system" else role
            turns.append((role, said))
    return turns
