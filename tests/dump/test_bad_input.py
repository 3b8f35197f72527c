"""Reading bad dumps: every row is a prompt or a counted reject with its place and reason."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect.dump import check_rejects, read_dumps
from harvestdetect.dump.formats.lines import LineRun, LongLine, line_runs
from harvestdetect.dump.values.identifiers import spelling
from harvestdetect.dump.values.paths import repair_surrogates
from harvestdetect.dump.values.rows import short
from harvestdetect.errors import ColumnsError, HarvestdetectError, InputError, TooManyRejectsError
from harvestdetect.settings import Settings
from tests.dump.bad_input import read, write

GOOD = b'{"account":"a","prompt":"fine"}'


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense", "malformed JSON"),
        (b'{"account":"a","prompt":"cut', "the line is cut off"),
        (b'{"account":"a","prompt":"x"}}', "malformed JSON"),
        (b'["a","x"]', "not a JSON object"),
        (b"12", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"account":"a","prompt":"\xff"}', "invalid UTF-8"),
        (b'{"account":"a","prompt":"\xed\xa0\x80"}', "invalid UTF-8"),
        (b'{"account":"a","prompt":NaN}', "malformed JSON"),
        (b'{"account":Infinity,"prompt":"x"}', "malformed JSON"),
        (b'{"account":"a","prompt":1e999}', "malformed JSON"),
        (b'{"account":"a","prompt":' + b"[" * 2000 + b"]" * 2000 + b"}", "nested too deeply"),
        (b'{"account":"a","prompt":"x","o":' + b'{"o":' * 2000 + b"1" + b"}" * 2001, "nested too deeply"),
        (b'{"prompt":"x"}', "no account"),
        (b'{"account":"","prompt":"x"}', "the account is empty"),
        (b'{"account":[1],"prompt":"x"}', "the account is not a text or a whole number: a list"),
        (b'{"account":"a"}', "no prompt"),
        (b'{"account":"a","prompt":null}', "no prompt"),
        (b'{"account":"a","prompt":""}', "the prompt is empty"),
        (b'{"account":"a","prompt":" \\n\\u00a0"}', "the prompt is empty"),
        (b'{"account":"a","prompt":[]}', "the prompt is empty"),
        (
            b'{"account":"a","prompt":[{"role":"user","content":null},3,null]}',
            "no message of the prompt has a text",
        ),
        (b'{"account":"a","prompt":12}', "the prompt is not a text or a list of messages: 12"),
    ],
)
def test_bad_json_lines(tmp_path: Path, line: bytes, reason: str) -> None:
    first = b'{"account":"a","prompt":"fine","timestamp":1750000000}'
    file = write(tmp_path, first + b"\r\n\n" + line + b"\n" + GOOD)
    rows, (reject,), _ = read(file)
    assert [row["line"] for row in rows] == [1, 4]
    assert (reject.file, reject.line, reject.byte) == (str(file), 3, len(first) + 3)
    assert reason in reject.reason
    assert reject.reason.isascii()
    assert len(reject.reason) < 200


@pytest.mark.parametrize("other", [b"1e999", b'"\xff"', b'{"b":[1e999]}'])
def test_a_value_that_nobody_reads_hides_no_column(tmp_path: Path, other: bytes) -> None:
    line = b'{"account":"a","z":' + other + b',"prompt":"fine"}\n'
    rows, rejects, _ = read(write(tmp_path, line * 3))
    assert [(row["account"], row["parts"]) for row in rows] == [("a", ["fine"])] * 3
    assert rejects == []


def test_truncated_last_line(tmp_path: Path) -> None:
    rows, (reject,), _ = read(write(tmp_path, GOOD + b"\n" + GOOD[:-3]))
    assert len(rows) == 1
    assert reject.line == 2
    assert "cut off" in reject.reason


def test_only_bad_lines_and_late_columns(tmp_path: Path) -> None:
    rows, rejects, _ = read(write(tmp_path, b"{bad\n" * 500))
    assert (len(rows), len(rejects)) == (0, 500)
    rows, rejects, _ = read(write(tmp_path, b"{bad\n" * 500 + GOOD))
    assert (len(rows), len(rejects)) == (1, 500)
    rows, rejects, _ = read(write(tmp_path, b'{"account":"a"}\n' * 50 + GOOD))
    assert (len(rows), len(rejects)) == (1, 50)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb"x\ud800y", "x\ufffdy"),
        (rb"x\uDFFFy", "x\ufffdy"),
        (rb"\ud83d\ude00", "\U0001f600"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\\ud800", r"\ud800"),
        (rb"\\\ud800", "\\\ufffd"),
        (rb"\ud800", "\ufffd"),
    ],
)
def test_lone_surrogates_are_repaired(tmp_path: Path, text: bytes, expected: str) -> None:
    line = b'{"account":"a","prompt":"' + text + b'"}'
    assert json.loads(repair_surrogates(line))["prompt"] == expected
    rows, rejects, _ = read(write(tmp_path, line + b"\n"))
    assert rejects == []
    assert rows[0]["parts"] == [expected]
    chat = json.dumps([{"role": "user", "content": "@"}]).replace("@", text.decode())
    rows, rejects, _ = read(write(tmp_path, f'account,prompt\na,"{chat.replace(chr(34), chr(34) * 2)}"\n'.encode()))
    assert rejects == []
    assert rows[0]["parts"] == [expected]


def test_duplicate_keys_and_null_characters(tmp_path: Path) -> None:
    rows, rejects, _ = read(write(tmp_path, b'{"account":"a","prompt":"x","prompt":"y\\u0000z"}'))
    assert rejects == []
    assert rows[0]["parts"] == ["y\0z"]


class Repeating(io.RawIOBase):
    """A stream far larger than what is held of it."""

    def __init__(self, head: bytes, middle: int, tail: bytes) -> None:
        self.pieces: Iterator[bytes] = iter([head, *[b"x" * 100_000] * (middle // 100_000), tail])

    def read(self, size: int = -1) -> bytes:
        return next(self.pieces, b"")


@pytest.mark.parametrize("header", [b"", b"account,prompt\n"])
def test_a_line_of_200_mb_is_one_reject_and_is_not_held(header: bytes) -> None:
    row = b"a,fine" if header else GOOD
    stream = Repeating(header + row + b"\n" + row[:-3], 200_000_000, b"\n" + row + b"\n")
    tracemalloc.start()
    batches = list(read_dumps(["-"], stdin=stream, settings=Settings(max_line_bytes=2_000_000)))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    assert sum(batch.prompts.num_rows for batch in batches) == 2
    (reject,) = [reject for batch in batches for reject in batch.rejects]
    start = 3 if header else 2
    assert (reject.line, reject.byte) == (start, len(header) + len(row) + 1)
    assert "longer than max_line_bytes = 2000000" in reject.reason
    assert batches[-1].prompts.column("line").to_pylist()[-1] == start + 1


def test_a_20_mb_line(tmp_path: Path) -> None:
    long = b'{"account":"a","prompt":"' + b"x" * 20_000_000 + b'"}'
    file = write(tmp_path, GOOD + b"\n" + long + b"\n" + GOOD + b"\n" + long)
    rows, rejects, _ = read(file)
    assert [row["line"] for row in rows] == [1, 3]
    assert [reject.line for reject in rejects] == [2, 4]
    rows, rejects, _ = read(file, settings=Settings(max_line_bytes=30_000_000))
    assert (len(rows), rejects) == (4, [])


@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b""))),
    st.integers(1, 7),
    st.integers(0, 20),
)
@hypothesis_settings(max_examples=100)
def test_lines_are_cut_alike_from_any_chunks(lines: list[bytes], size: int, limit: int) -> None:
    data = b"\n".join(lines)
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    found: dict[int, bytes | None] = {}
    for item in line_runs(chunks, limit=limit, bom=False):
        if isinstance(item, LongLine):
            assert item.offset == sum(len(line) + 1 for line in lines[: item.number - 1])
            found[item.number] = None
        else:
            assert isinstance(item, LineRun)
            assert item.offset == sum(len(line) + 1 for line in lines[: item.number - 1])
            found.update(enumerate(item.lines, item.number))
    expected = {i: line if len(line) <= limit else None for i, line in enumerate(lines, 1)}
    if expected and not lines[-1]:
        del expected[len(lines)]
    assert found == expected


# ---------------------------------------------------------------- whole files


@pytest.mark.parametrize("name", ["dump.jsonl", "dump.csv", "dump.parquet", "dump"])
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n \n", gzip.compress(b"", mtime=0), zstd(b"")])
def test_empty_file(tmp_path: Path, name: str, data: bytes) -> None:
    rows, (reject,), batches = read(write(tmp_path, data, name))
    assert rows == []
    assert (reject.line, reject.reason) == (None, "the file is empty")
    assert len(batches[-1].files) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"7z\xbc\xaf\x27\x1crest", "the file is a 7z archive; unpack it first"),
        (b"BZh91AY&SY", "the bzip2 stream is truncated before anything could be read"),
        (b"\xfd7zXZ\x00\x00", "the xz stream is truncated before anything could be read"),
        (b"PAR1 not really", "the Parquet file cannot be opened"),
        (b"ARROW1\0\0 not really", "the Arrow file cannot be read further"),
        (b"ORC not really", "the ORC file cannot be read further"),
        (b"Obj\x01 not really", "the file is an Avro file; convert it to Parquet or JSON Lines"),
        (gzip.compress(b"Rar!\x1a\x07", mtime=0), "the file is a RAR archive; unpack it first"),
        (b"\x02\x01\x05" * 99, "this is a binary file of an unknown kind"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, data: bytes, reason: str) -> None:
    rows, (reject,), _ = read(write(tmp_path, data))
    assert rows == []
    assert reject.line is None
    assert reason in reject.reason


def test_content_goes_before_the_name(tmp_path: Path) -> None:
    assert len(read(write(tmp_path, b"account,prompt\na,b\n", "x.jsonl"))[0]) == 1
    assert len(read(write(tmp_path, GOOD, "x.csv"))[0]) == 1
    assert len(read(write(tmp_path, GOOD, "x.parquet"))[0]) == 1
    rows, rejects, _ = read(write(tmp_path, b"garbage\n" + GOOD, "x.jsonl"))
    assert (len(rows), len(rejects)) == (1, 1)
    rows, rejects, _ = read(write(tmp_path, b"garbage\n" + GOOD, "x"))
    assert (len(rows), len(rejects)) == (1, 1)
    rows, rejects, _ = read(write(tmp_path, GOOD, "x"), settings=Settings(format="parquet"))
    assert (len(rows), len(rejects)) == (0, 1)


def big_lines() -> list[bytes]:
    numbers = random.Random(1)
    return [b'{"account":"a%d","prompt":"%032x"}' % (i, numbers.getrandbits(128)) for i in range(20_000)]


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
@pytest.mark.parametrize("share", [0.3, 0.999])
def test_truncated_streams_keep_what_was_read(tmp_path: Path, pack: Any, share: float) -> None:
    lines = big_lines()
    data = pack(b"\n".join(lines) + b"\n")
    cut = data[: int(len(data) * share)]
    rows, rejects, _ = read(write(tmp_path, cut))
    assert 0.2 * share < len(rows) / len(lines) < 1
    assert [row["account"] for row in rows] == [f"a{i}" for i in range(len(rows))]
    (reject,) = rejects
    assert reject.line is None
    assert f"stream is truncated after {len(cut):,} stored bytes, behind line {len(rows):,}" in reject.reason


@pytest.mark.parametrize("name", ["dump.jsonl.gz", "dump.csv.gz"])
def test_a_stream_that_breaks_at_once_is_not_called_empty(tmp_path: Path, name: str) -> None:
    data = gzip.compress(b"".join(big_lines()))
    rows, (reject,), _ = read(write(tmp_path, data[:30], name))
    assert (rows, reject.reason) == ([], "the gzip stream is truncated before anything could be read")
    rows, (reject,), _ = read(write(tmp_path, data[:12] + b"\xff" * 40, name))
    assert rows == []
    assert "the gzip stream is damaged" in reject.reason
    assert reject.reason.endswith(" before anything could be read")


def test_truncated_gzip_loses_no_row_that_is_there(tmp_path: Path) -> None:
    data = gzip.compress(b"\n".join(big_lines()) + b"\n")
    cut = data[: len(data) // 2]
    there = zlib.decompressobj(wbits=31).decompress(cut).count(b"\n")
    assert len(read(write(tmp_path, cut))[0]) == there


def test_damaged_streams(tmp_path: Path) -> None:
    text = b"\n".join(big_lines()) + b"\n"
    data = bytearray(gzip.compress(text))
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    rows, rejects, _ = read(write(tmp_path, bytes(data)))
    assert len(rows) > 1_000
    assert "damaged" in rejects[-1].reason
    rows, rejects, _ = read(write(tmp_path, gzip.compress(text) + b"garbage"))
    assert (len(rows), len(rejects)) == (20_000, 1)
    rows, rejects, _ = read(write(tmp_path, zstd(text) + b"garbage"))
    assert (len(rows), len(rejects)) == (20_000, 1)
    for stub in (b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd\x00\x00"):
        rows, rejects, _ = read(write(tmp_path, stub))
        assert (len(rows), len(rejects)) == (0, 1), stub


def test_truncated_compressed_csv_and_parquet(tmp_path: Path) -> None:
    text = b"account,prompt\n" + b"".join(b'a%d,"one\ntwo %d"\n' % (i, i * 7919) for i in range(20_000))
    data = gzip.compress(text)
    rows, rejects, _ = read(write(tmp_path, data[: len(data) // 2]))
    assert 2_000 < len(rows) < 20_000
    assert all(row["parts"] == [f"one\ntwo {i * 7919}"] for i, row in enumerate(rows))
    assert len(rejects) == 1
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"account": ["a"] * 1000, "prompt": ["b"] * 1000}), sink)
    rows, rejects, _ = read(write(tmp_path, gzip.compress(sink.getvalue().to_pybytes())[:-20]))
    assert (len(rows), len(rejects)) == (0, 1)


def test_a_file_that_cannot_be_read_further(tmp_path: Path) -> None:
    class Failing(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self.content = content

        def read(self, size: int = -1) -> bytes:
            if not self.content:
                raise OSError(5, "Input/output error")
            content, self.content = self.content, b""
            return content

    for content in ((GOOD + b"\n") * 10_000, gzip.compress(GOOD)[:-8], zstd(GOOD)[:-2]):
        with pytest.raises(InputError, match=r"cannot read - beyond byte .*Input/output error"):
            list(read_dumps(["-"], stdin=Failing(content)))  # type: ignore[arg-type]


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.jsonl"
    try:
        with open(name, "wb") as file:
            file.write(GOOD + b"\nbad\n")
    except OSError:
        pytest.skip("this file system takes no such names")
    batches = list(read_dumps([tmp_path]))
    assert batches[-1].files[0].name.endswith("\\udcff.jsonl")
    assert sum(batch.prompts.num_rows for batch in batches) == 1
    assert batches[0].rejects[0].file.encode()


# ---------------------------------------------------------------- CSV


def test_bad_csv_rows(tmp_path: Path) -> None:
    data = (
        b"\xef\xbb\xbfaccount,prompt\r\n"
        b"a,fine\r\n"
        b"short\r\n"
        b"a,long,row\r\n"
        b'a,"bad"quote\r\n'
        b"a,\xff\r\n"
        b'a,"two\nlines"\r\n'
        b",x\r\n"
        b"a,\r\n"
        b"\r\n"
        b'a,"never closed\r\n'
        b"a,fine\r\n"
        b'a,"fine too"\r\n'
        b"a,the end"
    )
    rows, rejects, _ = read(write(tmp_path, data, "dump.csv"))
    assert [(row["line"], row["parts"][0]) for row in rows] == [
        (2, "fine"),
        (7, "two\nlines"),
        (13, "fine"),
        (14, "fine too"),
        (15, "the end"),
    ]
    assert [(reject.line, reject.reason) for reject in rejects] == [
        (3, "2 columns expected, 1 found"),
        (4, "2 columns expected, 3 found"),
        (5, "a closing quote is not followed by a delimiter"),
        (6, "invalid UTF-8"),
        (12, "a closing quote is not followed by a delimiter"),
        (9, "the account is empty"),
        (10, "the prompt is empty"),
    ]
    for reject in rejects:
        assert reject.line is not None
        assert reject.byte == len(b"".join(data.splitlines(keepends=True)[: reject.line - 1]))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("place", [0, 1_000, 39_999])
def test_an_unclosed_quote_costs_one_line(tmp_path: Path, end: str, place: int) -> None:
    lines = [f"acc{i},some text number {i}" for i in range(40_000)]
    lines[place] = f'acc{place},"never closed'
    rows, (reject,), _ = read(write(tmp_path, end.join(["account,prompt", *lines, ""]).encode(), "dump.csv"))
    assert len(rows) == 39_999
    assert (reject.line, reject.reason) == (place + 2, "a quote is not closed")
    lines = [f"acc{i},some text number {i}" for i in range(40_000)]
    assert [row["line"] for row in rows] == [i + 2 for i in range(40_000) if i != place]


def test_many_unclosed_quotes_do_not_take_forever(tmp_path: Path) -> None:
    # Each line leaves a quote open, alone and behind any number of others.
    data = b"account,prompt\n" + b'x","\n' * 30_000
    started = time.monotonic()
    rows, rejects, _ = read(write(tmp_path, data, "dump.csv"), settings=Settings(max_line_bytes=100_000))
    assert time.monotonic() - started < 20
    assert (len(rows), len(rejects)) == (0, 30_000)


def test_long_csv_values(tmp_path: Path) -> None:
    long = "line\n" * 200_000  # above the default limit of the csv module, over several chunks
    rows, rejects, _ = read(write(tmp_path, f'account,prompt\na,"{long}"\nb,"{long}"\nc,x\n'.encode(), "dump.csv"))
    assert rejects == []
    assert [row["line"] for row in rows] == [2, 200_003, 400_004]
    assert rows[1]["parts"] == [long]


@pytest.mark.parametrize("lines", [1, 3, 200])
def test_a_csv_field_above_the_limit_holds_no_rows_of_others(tmp_path: Path, lines: int) -> None:
    pad = ("p" * (3_000 // lines) + "\n") * lines
    forged = "victim,forged\n" * 5
    data = f'account,prompt\na,fine\nattacker,"{pad}{forged}"\nb,"{forged}"\n'.encode()
    rows, (reject,), _ = read(write(tmp_path, data, "dump.csv"), settings=Settings(max_line_bytes=1_000))
    assert [row["account"] for row in rows] == ["a", "b"]
    assert (reject.line, reject.reason) == (3, "a field is longer than max_line_bytes = 1000")


def test_csv_header_only_and_header_without_rows_needed(tmp_path: Path) -> None:
    rows, rejects, batches = read(write(tmp_path, b"account,prompt", "dump.csv"))
    assert (rows, rejects) == ([], [])
    assert batches[-1].files[0].format == "csv"


# ---------------------------------------------------------------- limits and leftovers


def test_check_rejects() -> None:
    check_rejects(1_000, 0, None)
    check_rejects(0, 0, 0.0)
    check_rejects(5, 100, 5)
    check_rejects(1, 99, 0.01)
    with pytest.raises(TooManyRejectsError, match="6 of 106 rows were rejected, and --max-rejects allows 5"):
        check_rejects(6, 100, 5)
    with pytest.raises(
        TooManyRejectsError, match=r"2 of 101 rows were rejected \(1.98%\), and --max-rejects allows 1.00%"
    ):
        check_rejects(2, 99, 0.01)
    with pytest.raises(TooManyRejectsError):
        check_rejects(1, 1_000_000, 0)


def test_an_abandoned_reading_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spool))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"account": ["a"] * 1000, "prompt": ["b"] * 1000}), sink)
    batches = read_dumps([write(tmp_path, gzip.compress(sink.getvalue().to_pybytes()))], batch_rows=10)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert list(spool.iterdir()) == []


def test_reasons_are_short_and_escaped() -> None:
    assert short("\x1b[31m</script>" + "x" * 10**6).startswith("'\\x1b[31m</script>x")
    for value in ("\u4e2d" * 100, "\x1b" * 100, b"\xff" * 100, 10**50, ["x" * 100], {"a": 1}, 1.5, None):
        assert len(short(value)) <= 60
        assert short(value).isascii()


# ---------------------------------------------------------------- anything at all

FRAGMENTS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [
                b"\n",
                b"\r\n",
                GOOD,
                b'{"account":',
                b'"prompt":"x"}',
                b"\\ud800",
                b"{",
                b"}",
                b"[",
                b'"',
                b",",
                b"null",
            ]
        ),
    ),
    max_size=25,
).map(b"".join)


def test_blank_lines_around_a_single_column_are_no_rows(tmp_path: Path) -> None:
    folder = tmp_path / "u1"
    folder.mkdir()
    (folder / "x.csv").write_text("\n\nprompt\n\ndescribe a lamp\n\n\ndescribe a table\n\n")
    batches = list(read_dumps([folder / "x.csv"], settings=Settings(mapping={"account": "@path:{}/x.csv"})))
    assert [row["parts"] for batch in batches for row in batch.prompts.to_pylist()] == [
        ["describe a lamp"],
        ["describe a table"],
    ]
    assert not any(batch.rejects for batch in batches)
    with pytest.raises(ColumnsError, match="no column for the account"):
        list(read_dumps([write(tmp_path, b"\n\x01", "x.csv")]))


@given(FRAGMENTS, st.sampled_from(["x.jsonl", "x.csv", "x.parquet", "x"]), st.sampled_from(["", "gzip", "zstd"]))
@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_break_the_reader(tmp_path: Path, data: bytes, name: str, compression: str) -> None:
    stored = {"": data, "gzip": gzip.compress(data), "zstd": zstd(data)}[compression]
    message = ""
    try:
        batches = list(read_dumps([write(tmp_path, stored, name)]))
    except HarvestdetectError as error:
        message, batches = str(error), []
    assert message.isprintable()
    for batch in batches:
        batch.prompts.validate(full=True)
    # A file that only begins like a database or an archive is one reject, and no file that was read.
    files = [file for batch in batches for file in batch.files]
    assert sum(file.rows for file in files) == sum(batch.prompts.num_rows for batch in batches)
    assert message or files or any(batch.rejects for batch in batches)


@given(FRAGMENTS)
@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_line_is_a_row_or_a_reject(tmp_path: Path, tail: bytes) -> None:
    data = GOOD + b"\n" + tail
    rows, rejects, _ = read(write(tmp_path, data), batch_rows=3)
    numbered = {i for i, line in enumerate(data.split(b"\n"), 1) if line.strip()}
    # A line may have several objects.
    assert {row["line"] for row in rows} | {reject.line or 0 for reject in rejects} == numbered


CELLS = st.lists(st.lists(st.text('a",\n\r \u00e9', max_size=6), min_size=1, max_size=3), max_size=12)


@given(CELLS)
@hypothesis_settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_record_of_a_csv_is_a_row_or_a_reject(tmp_path: Path, records: list[list[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["account", "prompt"])
    records = [record for record in records if len(record) > 1 or record[0].strip()]
    writer.writerows(records)
    rows, rejects, _ = read(write(tmp_path, out.getvalue().encode(), "x.csv"), batch_rows=3)
    good = [r for r in records if len(r) >= 2 and not any(r[2:]) and spelling(r[0]) and r[1].strip()]
    assert [(row["account"], row["parts"][0]) for row in rows] == [(spelling(r[0]), r[1]) for r in good]
    assert len(rejects) == len(records) - len(good)
