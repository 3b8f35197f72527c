"""Values as Python and numpy print them, and JSON whose end was cut off. Nothing is evaluated.

pandas writes lists of messages into CSV as ``[{'role': 'user', 'content': 'hi'}]``, without commas if they are numpy
arrays. Loggers cut long bodies, which leaves JSON without an end.
"""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["literal_in"]

_DEEPEST: Final = 40
"""Levels of lists and objects."""
_MOST_TOKENS: Final = 500_000
"""Tokens of a text that are read."""
_LONGEST: Final = 64_000_000
"""Characters of the longest text that is read."""
_MAY_BE: Final = re.compile(r"\s*(?:\w{1,40}\(\s*)?[\[({]\s*(?:[\[({\"'}\])]|[bu]['\"]|\w{1,40}\(|\Z)")
"""How such a text begins."""
_TOKEN: Final = re.compile(
    r"""[\s,]*+(?:
      (?P<open>[\[{(])
    | (?P<close>[\]})])
    | (?P<colon>:)
    | [bBuU]?(?:'(?P<single>(?:[^'\\]|\\.)*+)(?P<end1>'|\\?\Z)|"(?P<double>(?:[^"\\]|\\.)*+)(?P<end2>"|\\?\Z))
    | (?P<number>[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)
    | (?P<call>[A-Za-z_][\w.]{0,60}\()
    | (?P<name>[A-Za-z_][\w.]{0,60}(?:=(?!=))?)
    | (?P<other><[^<>\n]{0,60}>|\.\.\.|\Z)
    )""",
    re.X | re.S,
)
"""One token, with the white space and the commas before it. A text without its closing quote ends at the end."""
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.S)
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "a": "\a", "v": "\v", "\n": ""}
_CONSTANTS: Final = {"None": None, "null": None, "True": True, "true": True, "False": False, "false": False}
_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}


class _Open:
    """A list, object or call that has not ended."""

    __slots__ = ("close", "items", "key", "named", "values")

    def __init__(self, bracket: str, name: str = "") -> None:
        self.close = _CLOSING[bracket]
        self.items: list[Any] = []
        self.values: dict[str, Any] | None = {} if bracket == "{" or name else None
        self.key: str | None = None
        """The name whose value comes next."""
        self.named = name

    def add(self, value: Any) -> bool:
        """Adds a value. Returns False where there can be none."""
        if self.values is None or (self.named and self.key is None):
            self.items.append(value)
        elif self.key is not None:
            self.values.setdefault(self.key, value)
            self.key = None
        else:
            return False
        return True

    def value(self) -> Any:
        """What it stands for. A call stands for its first argument, or for an object of its named arguments."""
        if self.values is None:
            return self.items
        if not self.named:
            return self.values
        if self.items:
            return self.items[0]
        return {"type": self.named.rpartition(".")[2], **self.values}


def literal_in(text: str) -> Any:
    """The list or object in a text that Python printed, or in JSON without its end.

    Returns:
        A list or a dict; tuples, arrays and sets are lists. Objects of classes are dicts of their named arguments, with
        the name of the class as ``type``. None if the text is something else.
    """
    if len(text) > _LONGEST or not _MAY_BE.match(text):
        return None
    found = _read(text)
    return found if isinstance(found, list | dict) and found else None


def _read(text: str) -> Any:
    """See :func:`literal_in`; any value, or None."""
    stack: list[_Open] = []
    pending: str | None = None  # a text that a colon may follow
    place = 0
    root: Any = None
    for _ in range(_MOST_TOKENS):
        match = _TOKEN.match(text, place)
        if match is None:
            return None
        place = match.end()
        kind = match.lastgroup
        if pending is not None and kind != "colon":
            if not stack or not stack[-1].add(pending):
                # The end of a text that was cut off may lie within a name.
                return _closed(stack) if stack and kind == "other" and place == len(text) else None
            pending = None
        if kind == "colon":
            if pending is None or not stack or stack[-1].values is None or stack[-1].key is not None:
                return None
            stack[-1].key, pending = pending, None
        elif kind in ("open", "call"):
            bracket = match["open"] or "("
            if len(stack) >= _DEEPEST or (kind == "open" and stack and _is_misplaced(stack[-1])):
                return None
            stack.append(_Open(bracket, match["call"][:-1] if match["call"] else ""))
        elif kind == "close":
            if not stack or match["close"] != stack[-1].close or stack[-1].key is not None:
                return None
            root = stack.pop().value()
            if not stack:
                return root if not text[place:].strip() else None
            if not stack[-1].add(root):
                return None
        elif kind in ("end1", "end2"):
            pending = _unescaped(match["single"] if kind == "end1" else match["double"])
            if not stack:
                return None
        elif kind == "name" and match["name"].endswith("="):
            if not stack or not stack[-1].named:
                return None
            stack[-1].key = match["name"][:-1]
        elif kind == "other" and place == len(text) and not match["other"]:
            return _closed(stack)
        elif match["other"] == "...":
            continue
        elif not stack or not stack[-1].add(_scalar(match)):
            return None
    return None


def _is_misplaced(outer: _Open) -> bool:
    return outer.values is not None and not outer.named and outer.key is None


def _scalar(match: re.Match[str]) -> Any:
    number = match["number"]
    if number is None:
        return _CONSTANTS.get(match["name"] or "")
    try:
        return int(number) if number.lstrip("+-").isdigit() else float(number)
    except ValueError:  # thousands of digits
        return None


def _closed(stack: list[_Open]) -> Any:
    """What was read of a text that was cut off."""
    value: Any = None
    while stack:
        outer = stack.pop()
        if value is not None:
            outer.add(value)
        value = outer.value()
    return value


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text

    def plain(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code is None:
            return _SIMPLE.get(match[4], match[4])
        number = int(code, 16)
        return chr(number) if number < 0x110000 else "\ufffd"

    found = _ESCAPE.sub(plain, text)
    # JSON writes one character beyond the first plane as two surrogates.
    return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
