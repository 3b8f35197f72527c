"""How a file of delimited text is written: its delimiter, its quotes and escapes, and where its header is."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from harvestdetect.dump.columns.names import looks_like_name

__all__ = ["Dialect", "Parser", "dialect_of", "header_of"]

_DELIMITERS: Final = (",", "\t", ";", "|")
_LINES: Final = 400
"""Lines at the beginning of a file by which its dialect is recognised."""
_BYTES: Final = 1 << 19
"""Most bytes of these lines."""
_TRIES: Final = 60
"""Malformed records of the sample after which a dialect is given up."""
_PREAMBLE: Final = 30
"""Most records before the header."""
_MALFORMED_SHARE: Final = 0.1
"""Share of malformed records up to which quotes are believed to be quotes."""
_MORE: Final = 3
"""Records that a dialect without RFC 4180's quotes must read beyond those that are read with them."""
_SEP: Final = re.compile(r'"?sep=(.)"?\s*\Z', re.IGNORECASE)
"""The first line by which Excel is told the delimiter."""
_ESCAPED_QUOTE: Final = re.compile(r'(\\+)"')
_PAIR: Final = re.compile(r'\\(["\\])')
_LONE: Final = re.compile(r'(?<!\\)(?:\\\\)*+\\[^\\"]')
"""A backslash that is not doubled and stands before no quote."""
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "N": "\\N"}

Quoting = Literal["quotes", "single", "none", "escapes"]
"""Fields in quotes, in single quotes, as they are, or with the escapes of PostgreSQL's COPY."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a file of delimited text is written."""

    delimiter: str = ","
    separator: bytes = b"\n"
    """Of lines, one byte."""
    quoting: Quoting = "quotes"
    backslash: bool = False
    """Whether a backslash before a quote makes it a part of the field."""
    doubled: bool = False
    """Whether a backslash is written as two."""
    skipped: int = 0
    r"""Lines before the header, such as ``sep=;`` or a title."""
    columns: tuple[str, ...] = ()
    """Names in the header."""
    has_header: bool = True
    """Whether the header looks like one."""

    def rows(self, lines: Iterable[str]) -> Parser:
        """Parses lines, each with its end, as :func:`csv.reader` does in its strict mode."""
        return Parser(self, lines)


class Parser:
    """An iterator over the records of some lines; raises :class:`csv.Error` at a malformed one."""

    def __init__(self, dialect: Dialect, lines: Iterable[str]) -> None:
        self._copy = dialect.quoting == "escapes"
        self._delimiter = dialect.delimiter
        self._lines = iter(lines)
        self._count = 0
        if dialect.backslash:
            pattern, rewrite = (_PAIR, _unpaired) if dialect.doubled else (_ESCAPED_QUOTE, _doubled)
            lines = (pattern.sub(rewrite, line) if "\\" in line else line for line in lines)
        self._reader = csv.reader(
            lines,
            delimiter=dialect.delimiter,
            quotechar="'" if dialect.quoting == "single" else '"',
            quoting=csv.QUOTE_NONE if dialect.quoting == "none" else csv.QUOTE_MINIMAL,
            strict=True,
        )

    @property
    def line_num(self) -> int:
        """Number of lines that were taken."""
        return self._count if self._copy else self._reader.line_num

    def __iter__(self) -> Iterator[list[str]]:
        return self if self._copy else self._reader

    def __next__(self) -> list[str]:
        if not self._copy:
            return next(self._reader)
        line = next(self._lines).rstrip("\r\n")
        self._count += 1
        while (len(line) - len(line.rstrip("\\"))) % 2:
            more = next(self._lines, None)
            if more is None:
                raise csv.Error("unexpected end of data")
            self._count += 1
            line += "\n" + more.rstrip("\r\n")
        if line == "\\.":  # the end of the data
            return []
        fields = line.split(self._delimiter)
        return [_unescaped(field) if "\\" in field else field for field in fields] if "\\" in line else fields


def _doubled(found: re.Match[str]) -> str:
    """A quote with backslashes before it, as RFC 4180 writes it."""
    backslashes, odd = divmod(len(found[1]), 2)
    return "\\" * backslashes + ('""' if odd else '"')


def _unpaired(found: re.Match[str]) -> str:
    """A backslash and what is behind it, as RFC 4180 writes it."""
    return '""' if found[1] == '"' else "\\"


def _unescaped(field: str) -> str:
    """A field of COPY. ``\\N``, which is NULL, becomes an empty text."""
    if field == "\\N":
        return ""
    return _ESCAPE.sub(_character, field)


def _character(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    return _ESCAPES.get(code, code)


@dataclass(frozen=True, slots=True)
class _Score:
    """How a dialect fits a sample."""

    good: int
    """Records with as many fields as most, and more than one."""
    bad: int
    """Other records, and lines that are malformed."""
    width: int
    """Fields of most records."""
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """First records, each with the number of lines before it."""


def dialect_of(head: bytes, *, whole: bool = False) -> Dialect:
    """The dialect of a file.

    RFC 4180 with the delimiter of the first line is taken unless another dialect reads more of the sample.

    Args:
        head: the beginning of the file in UTF-8.
        whole: whether that is all of it. Otherwise its last line may be cut off.
    """
    # The limit applies to the whole process and is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), _BYTES))
    separator = b"\r" if b"\n" not in head and b"\r" in head else b"\n"
    head = head.removeprefix(b"\xef\xbb\xbf")
    raw = head[:_BYTES].split(separator)
    if len(raw) > 1 and (len(head) > _BYTES or not whole):
        raw.pop()
    end = separator.decode()
    lines = [line.decode("utf-8", "surrogateescape") + end for line in raw[:_LINES]]
    blank = next((place for place, line in enumerate(lines) if line.strip()), len(lines))
    told = _SEP.match(lines[blank]) if blank < len(lines) else None
    skipped = blank + 1 if told else 0
    delimiters = [told[1]] if told else list(_DELIMITERS)
    first = _first_delimiter(lines[skipped:], delimiters)
    plain = Dialect(delimiter=first, separator=separator)
    best = _score(plain, lines[skipped:])
    dialect = plain
    if best.bad or best.width < 2:
        dialect, best = _better(plain, best, lines[skipped:], delimiters)
    return _with_header(replace(dialect, skipped=skipped), best)


def _first_delimiter(lines: Sequence[str], delimiters: Sequence[str]) -> str:
    first = next((line for line in lines if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", first)
    return max(delimiters, key=outside.count)


def _score(dialect: Dialect, lines: Sequence[str]) -> _Score:
    """Parses a sample in a dialect."""
    rows: list[tuple[int, tuple[str, ...]]] = []
    start = malformed = 0
    while start < len(lines) and malformed < _TRIES:
        parser = dialect.rows(lines[start:])
        first = start
        try:
            for row in parser:
                if row and (len(row) > 1 or row[0].strip()):
                    rows.append((start, tuple(row)))
                start = first + parser.line_num
            break
        except csv.Error as error:
            if "end of data" in str(error) and len(lines) >= _LINES and start > len(lines) // 2:
                break  # the sample ends within the record
            malformed += 1
            start += 1
    widths = Counter(len(row) for _, row in rows)
    width = max(widths, key=lambda one: (widths[one], one), default=0)
    good = widths[width] if width > 1 else 0
    return _Score(good, len(rows) - good + malformed, width, tuple(rows[: _PREAMBLE + 1]))


def _better(plain: Dialect, best: _Score, lines: Sequence[str], delimiters: Sequence[str]) -> tuple[Dialect, _Score]:
    """The dialect that reads most of a sample which ``plain`` does not read well, and how it fits."""
    dialect = plain
    fits = best.width > 1 and bool(best.rows) and best.width in (len(best.rows[0][1]), _width(best.rows[0][1]))
    few = fits and best.bad <= _MALFORMED_SHARE * best.good
    text = "".join(lines)
    others: list[Dialect] = []
    enough = best.good + (_MORE if fits else 0)
    for delimiter in delimiters:
        base = replace(plain, delimiter=delimiter)
        if not few:
            others.append(base)
        if '\\"' in text:
            others.append(replace(base, backslash=True, doubled=_LONE.search(text) is None))
        if not few and not _has_quotes(text, delimiter, '"'):
            others.append(replace(base, quoting="escapes" if _has_escapes(text, delimiter) else "none"))
            if "'" in text and _has_quotes(text, delimiter, "'"):
                others.append(replace(base, quoting="single"))
    for other in others:
        score = _score(other, lines)
        # Damaged records do not make another dialect better: it must read more of the records that are there.
        if other.quoting != "quotes" and score.good < enough:
            continue
        if score.width > 1 and (score.good - score.bad, score.width) > (best.good - best.bad, best.width):
            dialect, best = other, score
    if dialect.quoting == "quotes" and dialect.delimiter == "\t" and '"' not in text and _has_escapes(text, "\t"):
        dialect = replace(dialect, quoting="escapes")
        best = _score(dialect, lines)
    return dialect, best


def _has_quotes(text: str, delimiter: str, quote: str) -> bool:
    """Whether most fields that begin with a quote end with one."""
    edge = re.escape(delimiter)
    inside = rf"[^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+"
    rest, closed = re.subn(rf"(?:^|(?<={edge})){quote}{inside}{quote}(?={edge}|\s*$)", "", text, flags=re.MULTILINE)
    return closed > 0 and closed >= len(re.findall(rf"(?:^|(?<={edge})){quote}", rest, re.MULTILINE))


def _has_escapes(text: str, delimiter: str) -> bool:
    r"""Whether fields have the escapes of COPY: a NULL, or backslashes that stand before nothing else."""
    if delimiter != "\t":
        return False
    if re.search(r"(?:^|\t)\\N(?=\t|\r?$)", text, re.MULTILINE):
        return True
    return "\\\\" in text and re.search(r"(?<!\\)(?:\\\\)*+\\[^\\bfnrtvNx0-7]", text) is None


def _with_header(dialect: Dialect, score: _Score) -> Dialect:
    """The dialect with the header that the first records of a sample show."""
    rows = list(score.rows)
    if not rows:
        return dialect
    start, first = rows[0]
    header = header_of(first)
    if score.good > 1 and score.width not in (len(first), _width(first)):
        # A title, comments or a summary may stand before the header.
        for place, row in rows[1:_PREAMBLE]:
            if score.width in (len(row), _width(row)):
                if _is_header(header_of(row)) and (len(header) == 1 or not _is_header(header)):
                    start, header = place, header_of(row)
                break
    return replace(dialect, skipped=dialect.skipped + start, columns=tuple(header), has_header=_is_header(header))


def _width(row: Sequence[str]) -> int:
    """Fields of a record without empty ones at its end."""
    width = len(row)
    while width > 1 and not row[width - 1].strip():
        width -= 1
    return width


def header_of(row: Sequence[str]) -> list[str]:
    """The names in a header, without the mark of a comment."""
    names = [name.strip() for name in row]
    if names[0].startswith("#") and len(names) > 1:
        names[0] = names[0].lstrip("# ")
    return names


def _is_header(names: Sequence[str]) -> bool:
    named = [name for name in names if name]
    return bool(named) and all(map(looks_like_name, named))
