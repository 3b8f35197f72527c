"""Traces of an account: mentions of its id in sentences, names, JSON and bytes, however it is written."""

from __future__ import annotations

import html
import json
import mmap
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from harvestdetect.util.escape import csv_cell, json_text, visible

__all__ = ["ERASED", "MIN_BYTES", "MIN_NAME", "Traces", "mapped", "strings"]

ERASED: Final = "[erased]"
"""Replaces an id."""
_STAND_INS: Final = (ERASED, "[removed]", "")
"""The first of these that does not contain the id is used."""
MIN_NAME: Final = 4
"""Characters of the shortest id that is looked for in names of files: shorter ones are parts of dates and numbers."""
MIN_BYTES: Final = 5
"""Bytes of the shortest form that is looked for in binary files: shorter ones occur in numbers by chance."""
_CONTEXT: Final = 24
"""Bytes on either side of a place by which it is recognised as part of a longer value."""
_SPILLS: Final = 400
"""Bytes from which SQLite may split a value between pages."""
_LEAST_CONTEXT: Final = 4
"""Bytes before or after a value that show where it comes from."""


class Traces:
    """Finds an id and removes it.

    An id counts as a mention only where it is no part of a longer word: ``user-1`` is not mentioned by ``user-12``. In
    names of files an underscore is no letter, so ``user-1_june.jsonl`` does mention it.

    Args:
        account: the id.
    """

    def __init__(self, account: str) -> None:
        self.account = account
        written = sorted(_spellings(account), key=lambda form: (-len(form), form)) if account else []
        found = "|".join(map(re.escape, written))
        self._said = re.compile(f"(?<![A-Za-z0-9_])(?:{found})(?![A-Za-z0-9_])") if written else None
        named = written if len(account) >= MIN_NAME else []
        self._named = re.compile(f"(?<![A-Za-z0-9])(?:{found})(?![A-Za-z0-9])") if named else None
        self.forms = tuple(sorted({form.encode() for form in written if len(form.encode()) >= MIN_BYTES}))
        """Byte strings that a file is searched for."""
        self.is_plain = account.isalpha() or account.isdigit()
        """An ordinary word or number: sentences of this package may contain it without meaning the account."""
        self._stand_in = next(text for text in _STAND_INS if not self.said(text) and not self.named(text))

    # ------------------------------------------------------------ text

    def said(self, text: str) -> bool:
        """Whether a sentence mentions it."""
        return self._said is not None and self._said.search(text) is not None

    def unsaid(self, text: str) -> str:
        """The sentence without it."""
        return self._without(self._said, text)

    def named(self, name: str) -> bool:
        """Whether the name of a file mentions it."""
        return self._named is not None and self._named.search(name) is not None

    def unnamed(self, name: str) -> str:
        """The name without it."""
        return self._without(self._named, name)

    def _without(self, pattern: re.Pattern[str] | None, text: str) -> str:
        while pattern is not None and pattern.search(text):  # what is left may come together as the id
            text = pattern.sub(self._stand_in, text)
        return text

    def unsaid_in(self, value: Any) -> Any:
        """A JSON value whose strings, not its keys, are without it."""
        if isinstance(value, str):
            return self.unnamed(self.unsaid(value))
        if isinstance(value, dict):
            return {key: self.unsaid_in(item) for key, item in value.items()}
        return [self.unsaid_in(item) for item in value] if isinstance(value, list) else value

    def said_in(self, value: Any) -> bool:
        """Whether a string of a JSON value mentions it; keys do not count."""
        return any(self.said(text) or self.named(text) for text in strings(value))

    # ------------------------------------------------------------ bytes

    def places(self, data: bytes | mmap.mmap) -> Iterator[tuple[int, int]]:
        """Where its forms occur in bytes: start and stop of each."""
        for form in self.forms:
            place = data.find(form)
            while place >= 0:
                yield place, place + len(form)
                place = data.find(form, place + 1)

    def unexplained(self, data: bytes | mmap.mmap, values: Iterable[bytes], *, page: int) -> int:
        """The number of places in a database that no remaining value explains.

        A place is explained by a different value that contains the form where the bytes around the place are those of
        the value. A value that is split between pages is recognised by one side.

        Args:
            data: the file.
            values: that are in the database, of those that contain a form.
            page: bytes of a page.
        """
        whole: set[tuple[bytes, bytes]] = set()
        spilled: set[tuple[bytes, bytes]] = set()
        for value in values:
            for start, stop in self.places(value):
                before, after = value[max(start - _CONTEXT, 0) : start], value[stop : stop + _CONTEXT]
                if not before and not after:
                    return 0  # the id is a word that the database uses itself
                (spilled if len(value) >= _SPILLS else whole).add((before, after))
        count = 0
        for start, stop in self.places(data):
            if any(_stands(data, start, stop, *sides) for sides in whole):
                continue
            count += not any(_stands_split(data, start, stop, *sides, page) for sides in spilled)
        return count


@contextmanager
def mapped(path: Path) -> Iterator[bytes | mmap.mmap]:
    """The bytes of a file, which are not all in memory at once.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        if not path.stat().st_size:
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def strings(value: Any) -> Iterator[str]:
    """All strings of a JSON value except its keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)


def _spellings(account: str) -> set[str]:
    """The ways in which this package writes an id."""
    plain = json.loads(json_text(account))
    written = {account, plain}
    for text in (account, plain):
        written |= {visible(text), json.dumps(text)[1:-1], json_text(text)[1:-1], ascii(text)[1:-1]}
        written |= {csv_cell(text), html.escape(text), html.escape(visible(text))}
    return {text for text in written if text}


def _stands(data: bytes | mmap.mmap, start: int, stop: int, before: bytes, after: bytes) -> bool:
    return data[max(start - len(before), 0) : start] == before and data[stop : stop + len(after)] == after


def _stands_split(data: bytes | mmap.mmap, start: int, stop: int, before: bytes, after: bytes, page: int) -> bool:
    """Whether the bytes on one side, as far as they lie on the page, are those of the value."""
    begin = start // page * page + 4  # an overflow page begins with the number of the next one
    own = before[-min(len(before), max(start - begin, 0)) :] if start > begin else b""
    if len(own) >= _LEAST_CONTEXT and data[start - len(own) : start] == own:
        return True
    end = (stop - 1) // page * page + page
    rest = after[: max(end - stop, 0)]
    return len(rest) >= _LEAST_CONTEXT and data[stop : stop + len(rest)] == rest
