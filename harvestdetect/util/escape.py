"""Makes text that attackers wrote safe for a terminal, a spreadsheet, JSON and HTML."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from markupsafe import Markup, escape

__all__ = ["INVISIBLE", "csv_cell", "csv_text", "cut", "html_text", "json_text", "shortened", "toml_text", "visible"]

_HIDDEN: Final = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # controls, without tab and newline
    "\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f"
    "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f"  # zero width, separators, bidi
    "\\u2800\\u3164\\ufe00-\\ufe0d\\ufeff\\uffa0\\ufff0-\\ufffb\\ufffe\\uffff"
    "\\ud800-\\udfff"  # lone surrogates
    "\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff"  # tags, variation selectors
)
INVISIBLE: Final = re.compile(f"[{_HIDDEN}]|(?<=[\\ufe0e\\ufe0f])[\\ufe0e\\ufe0f]")
"""Characters that a reader cannot see, or that change how other text is shown. Tab and newline are not among them, and
neither is the one variation selector that may follow an emoji."""

_LINE: Final = re.compile(f"[\\t\\n{_HIDDEN}]|(?<=[\\ufe0e\\ufe0f])[\\ufe0e\\ufe0f]")
_RUN: Final = re.compile(f"((?P<one>[{_HIDDEN}\\ufe0e\\ufe0f])(?P=one)*)")

_FORMULA: Final = re.compile(r"'*\s*[=+\-@\t\r＝＋－＠]")
_CELL_ESCAPED: Final = re.compile(f"[\\t\\n{_HIDDEN}]|\\\\(?=u[0-9a-f]{{4}}|U[0-9a-f]{{8}})")
_CELL_ESCAPE: Final = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")

_NOT_JSON: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)')


def visible(text: str, *, keep_lines: bool = False) -> str:
    """A text in which each invisible character and each control character is shown as ``⟨U+202E⟩``.

    Args:
        text: any text.
        keep_lines: keep tab and newline, and read CR LF as a newline.
    """
    pattern = _LINE
    if keep_lines:
        text, pattern = text.replace("\r\n", "\n"), INVISIBLE
    return pattern.sub(lambda m: f"⟨U+{ord(m[0]):04X}⟩", text)


def cut(text: str, limit: int) -> tuple[str, int]:
    """The first ``limit`` characters, and the number of characters that were cut off."""
    return (text, 0) if len(text) <= limit else (text[:limit], len(text) - limit)


def shortened(text: str, limit: int) -> str:
    """The first ``limit`` characters, with a mark after them if more were cut off."""
    kept, left_out = cut(text, limit)
    return kept + ("…" if left_out else "")


def html_text(text: str, limit: int | None = None) -> Markup:
    """Escaped text for the body of an HTML element. Invisible characters become small badges.

    A run of one invisible character is one badge with a count. For attributes use :func:`visible`.

    Args:
        text: any text.
        limit: most characters shown. A note says how many were left out.
    """
    left_out = 0
    if limit is not None:
        text, left_out = cut(text, limit)
    out = []
    position = 0
    text = text.replace("\r\n", "\n")
    for match in _RUN.finditer(text):
        run = match[0]
        if len(run) == 1 and not INVISIBLE.match(text, match.start()):
            continue  # one variation selector
        times = f" ×{len(run)}" if len(run) > 1 else ""
        out.append(escape(text[position : match.start()]))
        out.append(Markup('<b class="inv">U+{:04X}{}</b>').format(ord(run[0]), times))
        position = match.end()
    out.append(escape(text[position:]))
    if left_out:
        note = "… {:,} more character{}".format(left_out, "" if left_out == 1 else "s")
        out.append(Markup('<span class="cut">{}</span>').format(note))
    return Markup("").join(out)


def csv_cell(text: str) -> str:
    r"""A cell that no spreadsheet takes for a formula, on one line.

    A cell gets an apostrophe in front if it starts with ``=``, ``+``, ``-``, ``@`` (or their full-width forms), a tab
    or a carriage return, also after white space or apostrophes. Control and invisible characters become escapes such
    as ``\u0000`` or ``\U000e0041``; so does a backslash that would read as such an escape. :func:`csv_text` is the
    inverse.
    """
    mark = "'" if _FORMULA.match(text) else ""
    return mark + _CELL_ESCAPED.sub(lambda m: _escape_of(m[0]), text)


def csv_text(cell: str) -> str:
    """The inverse of :func:`csv_cell`."""
    text = _CELL_ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)), cell)
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def _escape_of(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def json_text(value: Any, *, infinity: str = "null", indent: int | None = None) -> str:
    r"""Valid JSON that is safe to print: control, bidirectional and other invisible characters are ``\u`` escapes.

    A lone surrogate becomes U+FFFD. Letters of other scripts stay readable.

    Args:
        value: dicts, lists and scalars. Any other object becomes its ``str``.
        infinity: how to write an infinite number; ``1e999`` is a JSON number that is read as infinity. NaN is always
            ``null``.
        indent: as for ``json.dumps``.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    if "Infinity" in text or "NaN" in text:
        numbers = {"Infinity": infinity, "-Infinity": infinity if infinity == "null" else "-" + infinity}
        text = _NOT_JSON.sub(lambda m: numbers.get(m[1], "null") if m[1] else m[0], text)
    if text.isascii() and "\x7f" not in text:
        return text  # the other controls of ASCII are escapes already
    return INVISIBLE.sub(_json_escape, text)


def toml_text(text: str) -> str:
    r"""A text as a basic string of TOML in quotes. Control and invisible characters are ``\u`` escapes.

    A lone surrogate becomes U+FFFD, because TOML cannot have one.
    """
    text = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{INVISIBLE.sub(lambda m: _toml_escape(m[0]), text)}"'


def _toml_escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xD800 <= code < 0xE000:
        return "\\ufffd"
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
