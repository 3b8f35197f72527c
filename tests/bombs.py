"""Small files that cost much: a corpus of bombs for the readers and all that comes behind them.

``python -m tests.bombs`` makes every bomb at its full size, scans it in a process of its own, and prints a table;
``--write`` puts the table into docs/limits.md, names of kinds choose among the bombs, and ``--keep`` goes on where
another run stopped. The corpus is the same on
every machine with the same versions of zlib and Arrow.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

ROOT: Final = Path(__file__).resolve().parents[1]
PEAK_MB: Final = 1_000
"""Most memory that a scan of any bomb may take, in 10^6 bytes."""
SECONDS: Final = 60
"""Longest time of a processor that a scan of any bomb may take: clocks on the wall also measure what else runs."""
_PATIENCE: Final = 900
"""Seconds on the clock after which a scan is ended."""
OUTCOMES: Final = (0, 1, 2, 4)
"""Exit codes with which a scan of a bomb may end."""

Make = Callable[[Path, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bomb:
    """One kind of file.

    Args:
        kind: its name.
        about: what it holds, in a few words.
        name: of the file.
        make: writes the file; gets its path and the size, 1.0 for all of it.
    """

    kind: str
    about: str
    name: str
    make: Make


def row(account: object, prompt: object, **more: object) -> bytes:
    """A row of JSON Lines."""
    return json.dumps({"user": account, "time": 1_760_000_000, "prompt": prompt, **more}).encode() + b"\n"


def plain_rows(count: int = 40) -> bytes:
    """Ordinary rows of as many accounts, so that a bomb goes through all stages of a scan."""
    return b"".join(
        row(f"user-{n}", f"Please explain in simple words how a {what} works and why it matters.")
        for n in range(count)
        for what in ("steam engine", "tax return")
    )


def members(*parts: tuple[bytes, int]) -> Iterator[bytes]:
    """Gzip members: each (content, how many times)."""
    for content, times in parts:
        packed = gzip.compress(content, 9, mtime=0)
        for _ in range(times):
            yield packed


def gzipped(*parts: tuple[bytes, int], path: Path) -> None:
    path.write_bytes(b"".join(members(*parts)))


def whole(count: float, size: float, least: int = 1) -> int:
    """A count at a size."""
    return max(least, round(count * size))


_BOMBS: list[Bomb] = []


def bomb(kind: str, about: str, name: str) -> Callable[[Make], Make]:
    """Enters a maker into the corpus."""

    def enter(make: Make) -> Make:
        _BOMBS.append(Bomb(kind=kind, about=about, name=name, make=make))
        return make

    return enter


def lines_of(kind: str, about: str, content: bytes, count: int, *, a_member: int = 1_000_000) -> None:
    """Enters gzip of one line repeated ``count`` times behind ordinary rows."""

    @bomb(kind, about, f"{kind}.jsonl.gz")
    def make(path: Path, size: float) -> None:
        times = whole(count, size)
        one = min(a_member, times)
        gzipped((plain_rows(), 1), (content * one, times // one), path=path)


# ---------------------------------------------------------------- lines

lines_of("blank-lines", "30 million line breaks", b"\n", 30_000_000)
lines_of("space-lines", "15 million lines with one space", b" \n", 15_000_000)
lines_of("empty-objects", "10 million empty objects", b"{}\n", 10_000_000)
lines_of("no-json", "15 million lines that are not JSON", b"x\n", 15_000_000)
lines_of("numbers", "15 million lines with a number", b"1\n", 15_000_000)
lines_of("no-account", "10 million prompts without an account", b'{"prompt":"x"}\n', 10_000_000)
lines_of("blank-between", "10 million pairs of a blank line and a line that is not JSON", b"\nx\n", 10_000_000)
lines_of("cut-escapes", "5 million lines cut off after half of a surrogate pair", b'{"user":"\\ud800\n', 5_000_000)
lines_of("equal-rows", "10 million identical rows", b'{"user":"a","prompt":"Hi, how are you?"}\n', 10_000_000)
lines_of("equal-long-rows", "40,000 identical rows of 100 KB", row("b", "dragon " * 14_000), 40_000, a_member=100)
lines_of("bad-utf8", "10 million lines of invalid UTF-8", b"\xff\xfe\n", 10_000_000)


@bomb("no-rows-at-all", "30 million line breaks and no row", "no-rows-at-all.jsonl.gz")
def _(path: Path, size: float) -> None:
    gzipped((b"\n" * 1_000_000, whole(30, size)), path=path)


@bomb("one-line", "one line of 4 GB", "one-line.jsonl.gz")
def _(path: Path, size: float) -> None:
    gzipped((plain_rows(), 1), (b"a" * 10_000_000, whole(400, size)), (b"\n", 1), path=path)


@bomb("million-keys", "20 rows with a million keys each", "million-keys.jsonl.gz")
def _(path: Path, size: float) -> None:
    keys = b",".join(b'"k%d":1' % n for n in range(whole(1_000_000, size)))
    gzipped((plain_rows(), 1), (b'{"user":"a","prompt":"What is this?",' + keys + b"}\n", 20), path=path)


@bomb("million-keys-first", "the same, without ordinary rows before them", "million-keys-first.jsonl.gz")
def _(path: Path, size: float) -> None:
    keys = b",".join(b'"k%d":1' % n for n in range(whole(1_000_000, size)))
    gzipped((b'{"user":"a","prompt":"What is this?",' + keys + b"}\n", 20), path=path)


@bomb("other-keys", "a million rows, each with different keys", "other-keys.jsonl.gz")
def _(path: Path, size: float) -> None:
    made = b"".join(b'{"k%d":1,"user":"u%d","prompt":"x y z"}\n' % (n, n % 97) for n in range(whole(1_000_000, size)))
    gzipped((made, 1), path=path)


@bomb("deep-json", "rows nested 5 million deep", "deep-json.jsonl.gz")
def _(path: Path, size: float) -> None:
    deep = whole(5_000_000, size)
    gzipped((plain_rows(), 1), (b'{"user":"a","prompt":' + b"[" * deep + b"]" * deep + b"}\n", 6), path=path)


@bomb("long-numbers", "accounts and times with 5 million digits", "long-numbers.jsonl.gz")
def _(path: Path, size: float) -> None:
    digits = b"9" * whole(5_000_000, size)
    one = b'{"user":' + digits + b',"time":' + digits + b',"prompt":"How do I bake bread?"}\n'
    gzipped((plain_rows(), 1), (one, 10), path=path)


@bomb("messages", "30 prompts with 300,000 messages each", "messages.jsonl.gz")
def _(path: Path, size: float) -> None:
    talk = [{"role": "user", "content": f"line {n % 7}"} for n in range(whole(300_000, size))]
    gzipped((plain_rows(), 1), (row("a", talk), 30), path=path)


@bomb("distinct-messages", "4 prompts with 300,000 different messages each", "distinct-messages.jsonl.gz")
def _(path: Path, size: float) -> None:
    talk = [{"role": "user", "content": f"line {n}"} for n in range(whole(300_000, size))]
    gzipped((plain_rows(), 1), (row("a", talk), 4), path=path)


@bomb("roles", "one prompt with 200,000 roles", "roles.jsonl.gz")
def _(path: Path, size: float) -> None:
    talk = [{"role": f"r{n}", "content": "hello there"} for n in range(whole(200_000, size))]
    gzipped((plain_rows(), 1), (row("a", talk), 4), path=path)


# ---------------------------------------------------------------- compression


@bomb("empty-members", "100,000 empty gzip members", "empty-members.jsonl.gz")
def _(path: Path, size: float) -> None:
    gzipped((plain_rows(), 1), (b"", whole(100_000, size)), (plain_rows(50), 1), path=path)


@bomb("gzip-in-gzip", "10 GB, compressed twice with gzip", "gzip-in-gzip.jsonl.gz")
def _(path: Path, size: float) -> None:
    inner = b"".join(members((b"a" * 10_000_000, whole(1_000, size))))
    gzipped((inner, 1), path=path)


@bomb("gzip-zeros", "4 GB of zero bytes, compressed with gzip", "gzip-zeros.jsonl.gz")
def _(path: Path, size: float) -> None:
    gzipped((plain_rows(), 1), (bytes(10_000_000), whole(400, size)), path=path)


def zstd(data: bytes, level: int = 19) -> bytes:
    return pa.Codec("zstd", compression_level=level).compress(data, asbytes=True)


def zstd_frame(blocks: Iterable[tuple[int, int, bytes]], window: int = 0x58) -> bytes:
    """A frame of blocks (type 0 raw, 1 one byte repeated; size; data) with a window byte and no size."""
    made = list(blocks)
    body = [
        ((size << 3) | (kind << 1) | (place == len(made) - 1)).to_bytes(3, "little") + data
        for place, (kind, size, data) in enumerate(made)
    ]
    return b"\x28\xb5\x2f\xfd\x00" + bytes([window]) + b"".join(body)


@bomb("zstd-skippable", "200,000 skippable zstd frames", "zstd-skippable.jsonl.zst")
def _(path: Path, size: float) -> None:
    skip = b"\x50\x2a\x4d\x18\0\0\0\0" * whole(200_000, size)
    path.write_bytes(skip + zstd(plain_rows()) + skip)


@bomb("zstd-empty-frames", "200,000 empty zstd frames", "zstd-empty-frames.jsonl.zst")
def _(path: Path, size: float) -> None:
    path.write_bytes(zstd(plain_rows()) + zstd(b"", 1) * whole(200_000, size) + zstd(plain_rows(50)))


@bomb("zstd-window", "a zstd frame that requests a window of 3.75 TB", "zstd-window.jsonl.zst")
def _(path: Path, size: float) -> None:
    rows = plain_rows()[:60_000]
    path.write_bytes(zstd_frame([(0, len(rows), rows)], window=0xFF))


@bomb("zstd-lines", "8 GB of line breaks in zstd blocks", "zstd-lines.jsonl.zst")
def _(path: Path, size: float) -> None:
    path.write_bytes(zstd(plain_rows()) + zstd_frame([(1, 131_072, b"\n")] * whole(64_000, size)))


@bomb("zstd-line", "one line of 8 GB in zstd blocks", "zstd-line.jsonl.zst")
def _(path: Path, size: float) -> None:
    path.write_bytes(zstd(plain_rows()) + zstd_frame([(1, 131_072, b"a")] * whole(64_000, size)))


@bomb("zstd-equal-rows", "50 million identical rows, compressed with zstd", "zstd-equal-rows.jsonl.zst")
def _(path: Path, size: float) -> None:
    one = zstd(row("a", "Tell me a story about a dragon.") * 500_000, 3)
    path.write_bytes(zstd(plain_rows()) + one * whole(100, size))


# ---------------------------------------------------------------- CSV

CSV_HEAD: Final = b"user,time,prompt\n" + b"".join(
    b"user-%d,1760000000,Please explain in simple words how a %s works.\n" % (n, what)
    for n in range(40)
    for what in (b"steam engine", b"tax return")
)


def csv_lines(kind: str, about: str, content: bytes, count: int, *, a_member: int = 1_000_000) -> None:
    """Enters gzip of some CSV repeated ``count`` times behind ordinary rows."""

    @bomb(kind, about, f"{kind}.csv.gz")
    def make(path: Path, size: float) -> None:
        times = whole(count, size)
        one = min(a_member, times)
        gzipped((CSV_HEAD, 1), (content * one, times // one), path=path)


csv_lines("csv-blank-lines", "30 million blank lines", b"\n", 30_000_000)
csv_lines("csv-space-lines", "15 million lines with one space", b" \n", 15_000_000)
csv_lines("csv-commas", "one line of 30 million commas", b",", 30_000_000)
csv_lines("csv-comma-lines", "15 million lines with one comma", b",\n", 15_000_000)
csv_lines("csv-no-account", "10 million rows without an account", b",,x\n", 10_000_000)
csv_lines("csv-quotes", "10 million lines with one unclosed quote", b'"\n', 10_000_000)
csv_lines("csv-open-quotes", "3 million records with an unclosed quote", b'a,1,"x\nb,"\n', 3_000_000)
csv_lines("csv-pairs", "30 million quotes in one field", b'""', 30_000_000)
csv_lines("csv-equal-rows", "30 million identical rows", b"a,1760000000,Tell me a story\n", 30_000_000)
csv_lines("csv-returns", "15 million carriage returns and line breaks", b"\r\n", 15_000_000)


@bomb("csv-many-columns", "a header with 3 million columns", "csv-many-columns.csv.gz")
def _(path: Path, size: float) -> None:
    extra = whole(3_000_000, size)
    head = b"user,time,prompt" + b"".join(b",c%d" % n for n in range(extra)) + b"\n"
    gzipped((head, 1), (b"a,1760000000,How do I bake bread?" + b"," * extra + b"\n", 20), path=path)


# ---------------------------------------------------------------- Parquet


def table(**columns: Any) -> pa.Table:
    return pa.table(columns)


def accounts(count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(
        pa.array([n % 50 for n in range(50)] * (count // 50 + 1), pa.int32())[:count],
        pa.array([f"user-{n}" for n in range(50)]),
    )


def always(value: str, count: int) -> pa.Array:
    """One value, ``count`` times, as a dictionary."""
    zeros = pa.Array.from_buffers(pa.int32(), count, [None, pa.py_buffer(bytes(4 * count))])
    return pa.DictionaryArray.from_arrays(zeros, pa.array([value]))


@bomb("parquet-equal", "20,000 identical prompts of 99 KB", "parquet-equal.parquet")
def _(path: Path, size: float) -> None:
    count = whole(20_000, size)
    pq.write_table(table(user=accounts(count), prompt=["dragon " * 14_000] * count), path)


@bomb("parquet-dictionary", "3 million rows with the same value of 100 KB: 300 GB", "parquet-dictionary.parquet")
def _(path: Path, size: float) -> None:
    count = whole(3_000_000, size)
    pq.write_table(table(user=accounts(count), prompt=always("dragon " * 14_000, count)), path)


@bomb("parquet-rows", "100 million identical rows", "parquet-rows.parquet")
def _(path: Path, size: float) -> None:
    count = whole(1_000_000, size)
    one = table(user=always("a", count), prompt=always("Tell me a story about a dragon.", count))
    with pq.ParquetWriter(path, one.schema) as writer:
        for _ in range(100):
            writer.write_table(one, row_group_size=count)


@bomb("parquet-nulls", "100 million rows of nulls", "parquet-nulls.parquet")
def _(path: Path, size: float) -> None:
    count = whole(1_000_000, size)
    one = table(user=pa.nulls(count, pa.string()), prompt=pa.nulls(count, pa.string()))
    with pq.ParquetWriter(path, one.schema) as writer:
        for _ in range(100):
            writer.write_table(one, row_group_size=count)


@bomb("parquet-row-groups", "50,000 row groups of two rows", "parquet-row-groups.parquet")
def _(path: Path, size: float) -> None:
    count = whole(100_000, size)
    rows = table(user=accounts(count), prompt=[f"What is the number {n}, and why?" for n in range(count)])
    pq.write_table(rows, path, row_group_size=2, write_statistics=False, store_schema=False)


@bomb("parquet-lists", "10 rows with 10 million empty messages each", "parquet-lists.parquet")
def _(path: Path, size: float) -> None:
    inner = whole(10_000_000, size)
    kind = pa.struct([("role", pa.string()), ("content", pa.string())])
    lists = pa.ListArray.from_arrays(pa.array([n * inner for n in range(11)], pa.int32()), pa.nulls(10 * inner, kind))
    pq.write_table(table(user=accounts(10), messages=lists), path)


@bomb("parquet-messages", "20,000 rows with ten identical messages of 99 KB", "parquet-messages.parquet")
def _(path: Path, size: float) -> None:
    count = whole(20_000, size)
    content = always("dragon " * 14_000, 10 * count)
    parts = pa.StructArray.from_arrays([always("user", 10 * count), content], ["role", "content"])
    lists = pa.ListArray.from_arrays(pa.array(range(0, 10 * count + 1, 10), pa.int32()), parts)
    pq.write_table(table(user=accounts(count), messages=lists), path)


@bomb("parquet-struct", "200,000 identical prompts of 99 KB in a struct", "parquet-struct.parquet")
def _(path: Path, size: float) -> None:
    count = whole(200_000, size)
    prompt = pa.StructArray.from_arrays([always("dragon " * 14_000, count)], ["content"])
    pq.write_table(table(user=accounts(count), prompt=prompt), path)


@bomb("parquet-pages", "4 GB of identical prompts in zstd pages", "parquet-pages.parquet")
def _(path: Path, size: float) -> None:
    one = table(user=accounts(1_000), prompt=["dragon " * 14_000] * 1_000)
    with pq.ParquetWriter(path, one.schema, use_dictionary=False, compression="zstd", write_statistics=False) as writer:
        for _ in range(whole(40, size)):
            writer.write_table(one)


@bomb("parquet-one-page", "one zstd page of 1 GB", "parquet-one-page.parquet")
def _(path: Path, size: float) -> None:
    one = table(user=accounts(100), prompt=["dragon " * whole(1_400_000, size)] * 100)
    pq.write_table(one, path, use_dictionary=False, compression="zstd", data_page_size=1 << 31, write_batch_size=1_000)


@bomb("parquet-one-value", "8 values of 120 MB", "parquet-one-value.parquet")
def _(path: Path, size: float) -> None:
    one = table(user=accounts(8), prompt=["dragon " * whole(17_000_000, size)] * 8)
    pq.write_table(one, path, compression="zstd", write_statistics=False)


@bomb("parquet-columns", "20,000 columns", "parquet-columns.parquet")
def _(path: Path, size: float) -> None:
    extra = {f"c{n}": pa.array([n] * 50) for n in range(whole(20_000, size))}
    rows = table(user=accounts(50), prompt=[f"What is {n}?" for n in range(50)], **extra)
    pq.write_table(rows, path, compression="zstd", write_statistics=False)


@bomb("parquet-deep", "columns nested 1,000 deep", "parquet-deep.parquet")
def _(path: Path, size: float) -> None:
    deep: pa.Array = pa.array([1] * 50)
    for _ in range(whole(1_000, size)):
        deep = pa.StructArray.from_arrays([deep], ["a"])
    pq.write_table(table(user=accounts(50), prompt=[f"What is {n}?" for n in range(50)], deep=deep), path)


def varint(number: int) -> bytes:
    """As Thrift's compact protocol writes a count."""
    number <<= 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@bomb("parquet-claims", "a footer that claims 10^12 rows", "parquet-claims.parquet")
def _(path: Path, size: float) -> None:
    count = 1_234
    rows = table(user=accounts(count), prompt=[f"What is the number {n}?" for n in range(count)])
    pq.write_table(rows, path, compression="zstd")
    data = path.read_bytes()
    long = int.from_bytes(data[-8:-4], "little")
    head, footer = data[: -8 - long], data[-8 - long : -8]
    footer = footer.replace(b"\x16" + varint(count), b"\x16" + varint(10**12))
    path.write_bytes(head + footer + len(footer).to_bytes(4, "little") + b"PAR1")


@bomb("parquet-page-claims", "a page that claims 2 GB", "parquet-page-claims.parquet")
def _(path: Path, size: float) -> None:
    rows = table(user=accounts(500), prompt=[f"What is the number {n}?" for n in range(500)])
    pq.write_table(rows, path, compression="zstd", use_dictionary=False, write_statistics=False)
    data = bytearray(path.read_bytes())
    # A page header begins with its type, then its size as read and as stored, each a field of 32 bits.
    found = 0
    for match in list(re.finditer(rb"\x15[\x00\x04]\x15([\x80-\xff]{1,3}[\x00-\x7f])\x15", data)):
        start, stop = match.span(1)
        data[start:stop] = b"\xff" * (stop - start - 1) + b"\x7e"
        found += 1
    assert found
    path.write_bytes(data)


# ---------------------------------------------------------------- texts


def prompts_of(kind: str, about: str, text: Callable[[int], str], count: int, characters: int) -> None:
    """Enters gzip of ``count`` prompts, of an account each, of about so many characters; their ends differ."""

    @bomb(kind, about, f"{kind}.jsonl.gz")
    def make(path: Path, size: float) -> None:
        body = text(whole(characters, size))
        rows = b"".join(
            json.dumps(
                {"user": f"user-{n}", "time": 1_760_000_000 + n, "prompt": body + f" {n}"}, ensure_ascii=False
            ).encode()
            + b"\n"
            for n in range(count)
        )
        gzipped((plain_rows(), 1), (rows, 1), path=path)


prompts_of(
    "growing-letters", "U+FDFA, 18 characters when normalised: 3 prompts of 15 MB", "\ufdfa".__mul__, 3, 5_000_000
)
prompts_of("growing-case", "letters that grow under case folding", "\u0390".__mul__, 6, 7_000_000)
prompts_of("marks", "a letter with 7 million combining marks", lambda n: "a" + "\u0301\u0323" * (n // 2), 4, 7_000_000)
prompts_of(
    "marks-words",
    "letters with 100 combining marks each",
    lambda n: ("e" + "\u0323\u0301" * 50) * (n // 100),
    4,
    7_000_000,
)
prompts_of(
    "hangul",
    "Hangul letters that normalisation composes into syllables",
    lambda n: "\u1100\u1161\u11a8" * (n // 3),
    6,
    5_000_000,
)
prompts_of("invisible", "5 million zero-width characters", lambda n: "a\u200b\u200d\ufeff" * (n // 4), 6, 5_000_000)
prompts_of("controls", "15 million control characters", lambda n: "\x01" * (n // 6), 6, 15_000_000)
prompts_of("emoji", "3 million emoji", lambda n: "\U0001f469\u200d\U0001f4bb" * (n // 3), 6, 3_000_000)
prompts_of(
    "sentences",
    "40 prompts of 15 MB of short sentences",
    lambda n: "Is it so, or is it not so? " * (n // 27),
    40,
    15_000_000,
)
prompts_of(
    "distinct-sentences", "8 prompts of 8 MB of different sentences",
    lambda n: " ".join(f"This is the sentence {i}." for i in range(n // 27)), 8, 8_000_000,
)  # fmt: skip
prompts_of("stops", "15 MB of full stops", lambda n: "." * n, 6, 15_000_000)
prompts_of("paragraphs", "15 MB of lines of one letter", lambda n: "a\n" * (n // 3), 6, 15_000_000)
prompts_of("labels", "15 MB of labels", lambda n: "".join(f"l{i % 999}: x\n" for i in range(n // 9)), 6, 15_000_000)
prompts_of(
    "wide-sentences", "Chinese sentences", lambda n: "\u4f60\u597d\u5417\u4e16\u754c\u3002" * (n // 6), 6, 5_000_000
)
prompts_of("one-word", "one word of 15 MB", "x".__mul__, 12, 15_000_000)
prompts_of("words", "15 MB of one-letter words", lambda n: "a b " * (n // 4), 12, 15_000_000)
prompts_of("blanks", "15 MB of spaces", " ".__mul__, 12, 15_000_000)
prompts_of("addresses", "5 MB of colons and digits", lambda n: "1:" * (n // 2), 12, 5_000_000)
prompts_of("at-signs", "5 MB of unfinished mail addresses", lambda n: "a.a@a-" * (n // 6), 12, 5_000_000)
prompts_of("tokens", "5 MB of token prefixes", lambda n: "eyJ-" * (n // 4), 12, 5_000_000)
prompts_of("long-digits", "5 MB of digits", "1 ".__mul__, 12, 2_500_000)
prompts_of(
    "scaffold", "a known scaffold 10,000 times", lambda n: "You are a helpful assistant. " * (n // 29), 12, 3_000_000
)
prompts_of("json-in-text", "brackets that open a list", lambda n: "[" * n, 6, 5_000_000)


@bomb("long-ids", "100,000 accounts and models with 1,000 characters", "long-ids.jsonl.gz")
def _(path: Path, size: float) -> None:
    made = b"".join(
        row(f"{n:06}" + "u" * 990, "How do I bake bread?", model=f"{n:06}" + "m" * 900, ip="1" * 900, org="o" * 900)
        for n in range(whole(100_000, size))
    )
    gzipped((made, 1), path=path)


@bomb("long-fields", "models, addresses and clients of 5 MB", "long-fields.jsonl.gz")
def _(path: Path, size: float) -> None:
    long = whole(5_000_000, size)
    made = b"".join(
        row(f"user-{n}", "How do I bake bread?", model=f"m{n}" * (long // 4), user_agent="ua" * (long // 2))
        for n in range(40)
    )
    gzipped((made, 1), path=path)


@bomb("templates", "40 prompts of 1 MB that fill one template", "templates.jsonl.gz")
def _(path: Path, size: float) -> None:
    words = " ".join(f"word{n}" for n in range(whole(125_000, size)))
    made = b"".join(row(f"user-{n}", f"Subject {n}: {words} and so on for {n * 7919}") for n in range(40))
    gzipped((made, 1), path=path)


BOMBS: Final = tuple(_BOMBS)
assert len({one.kind for one in BOMBS}) == len(BOMBS)


# ---------------------------------------------------------------- scanning them


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a scan of one bomb, or of a folder of them, came to."""

    code: int | None
    """Exit code; None or below 0 where it was ended."""
    seconds: float
    cpu: float
    """Seconds of processors."""
    peak_mb: float
    answer: str
    """Standard output."""
    errors: str

    def fault(self) -> str:
        """What is wrong with it; "" where nothing is."""
        if self.code is None:
            return f"ended after {self.seconds:.0f} s at {self.peak_mb:,.0f} MB"
        if self.code not in OUTCOMES or "Traceback" in self.errors or "internal error" in self.errors:
            return f"exit code {self.code}: {self.errors[-600:]}"
        if self.peak_mb > PEAK_MB or self.cpu > SECONDS:
            return f"{self.cpu:.0f} s, {self.peak_mb:,.0f} MB"
        return ""


_MEASURE: Final = """
import json, resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]),) * 2)
code = subprocess.call(sys.argv[3:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    json.dump([code, used.ru_maxrss, used.ru_utime + used.ru_stime], file)
"""
"""A small process between this one and the scan: a process begins with the peak of the one that started it."""


def scan(*files: Path, out: Path, environment: dict[str, str] | None = None, more: Iterable[str] = ()) -> Outcome:
    """Scans files in a process of its own and measures it; one far beyond its bounds is ended."""
    command = [
        *(sys.executable, "-m", "harvestdetect", "scan", *map(str, files), "--out", str(out)),
        *("--encoder", "fast", "--workers", "1", "--quiet", *more),
    ]
    start = time.monotonic()
    with (
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as errors,
        tempfile.NamedTemporaryFile() as measures,
    ):
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _MEASURE, measures.name, str(2 * SECONDS), *command],
            stdout=answer, stderr=errors, cwd=ROOT, env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(_PATIENCE)
            code, peak, cpu = json.loads(measures.read())
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code, peak, cpu = None, 0, 0.0
        answer.seek(0)
        errors.seek(0)
        return Outcome(
            code=code,
            seconds=time.monotonic() - start,
            cpu=cpu,
            peak_mb=peak * (1 if sys.platform == "darwin" else 1_024) / 1e6,
            answer=answer.read().decode("utf-8", "replace"),
            errors=errors.read().decode("utf-8", "replace"),
        )


def decoded_size(path: Path) -> int | None:
    """Bytes of a file when it is decompressed, for the table; of Parquet what its columns come to, None elsewhere."""
    if path.suffix == ".gz":
        total = 0
        data = path.read_bytes()
        while data:
            member = zlib.decompressobj(wbits=31)
            piece = data
            while not member.eof:
                total += len(member.decompress(piece, 1 << 24))
                piece = member.unconsumed_tail
            data = member.unused_data
        return total
    return None


def markdown(results: list[dict[str, Any]]) -> str:
    """The table for the docs."""
    from benchmarks.pages import ran_on

    versions = {name: metadata.version(name) for name in ("numpy", "pyarrow", "msgspec")}
    commits = sorted({str(one["commit"]) for one in results})
    lines = [
        f"{ran_on({'Python': platform.python_version(), **versions})}; commit {', '.join(commits)}.",
        "",
        "| kind | content | stored bytes | unpacked MB | CPU s | peak MB | exit code | prompts | rejects |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in results:
        decoded = f"{one['decoded'] / 1e6:,.0f}" if one["decoded"] is not None else ""
        lines.append(
            f"| `{one['kind']}` | {one['about']} | {one['stored']:,} | {decoded} | {one['cpu']:.1f} | "
            f"{one['peak_mb']:,.0f} | {one['code']} | {one['came'].replace(' and ', ' | ')} |"
        )
    return "\n".join(lines) + "\n"


def came_to(found: Outcome) -> str:
    """What was read and rejected, from the answer or the error."""
    text = found.answer + found.errors
    match = re.search(r"read ([\d,]+) prompts?.*?([\d,]+) rejects?", text, re.DOTALL)
    if match:
        return f"{match[1]} and {match[2]}"
    match = re.search(r"([\d,]+) rejects?", text)
    return f"0 and {match[1]}" if match else "0 and 0"


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="kinds of bombs, as regular expressions; none: all")
    parser.add_argument("--size", type=float, default=1.0, help="1.0: full size")
    parser.add_argument("--keep", type=Path, help="make the bombs here and keep them, with what came of each")
    parser.add_argument("--write", action="store_true", help="write the table of all that was kept into docs/limits.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for one in BOMBS:
            if options.kinds and not any(re.fullmatch(kind, one.kind) for kind in options.kinds):
                continue
            path = folder / one.name
            if not path.exists():
                one.make(path, options.size)
            found = scan(path, out=Path(scratch) / "out")
            told = {
                "kind": one.kind,
                "about": one.about,
                "stored": path.stat().st_size,
                "cpu": found.cpu,
                "peak_mb": found.peak_mb,
                "code": found.code,
                "came": came_to(found),
                "commit": commit(),
                "decoded": decoded_size(path),
            }
            if not found.fault():
                (folder / f"{one.kind}.json").write_text(json.dumps(told))
            print(
                f"{'BAD' if found.fault() else 'ok '} {one.kind:20} {told['stored']:>10,} B {found.seconds:6.1f} s "
                f"{found.cpu:6.1f} s CPU {found.peak_mb:6,.0f} MB rc {found.code} {told['came']} {found.fault()[:300]}",
                flush=True,
            )
        if options.write:
            from benchmarks.pages import write_section

            kept = [folder / f"{one.kind}.json" for one in BOMBS]
            results = [json.loads(file.read_text()) for file in kept if file.exists()]
            write_section(ROOT / "docs" / "limits.md", "bombs", markdown(results))


if __name__ == "__main__":
    main()
