"""What reading may cost: rejects beyond those listed, content that outgrows its file, Parquet of a few large values."""

from __future__ import annotations

import gzip
import io
import json
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect import Settings
from harvestdetect.corpus import segments
from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.normalize import MARKS, normalize
from harvestdetect.corpus.prepare import prepare
from harvestdetect.corpus.prepare_parallel import ParallelPreparer
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.data import PART, Batch, Prompt, Reject
from harvestdetect.dump import read_dumps
from harvestdetect.dump.formats import parquet as reader
from harvestdetect.dump.formats.pages import chunks_of, measured
from harvestdetect.dump.in_memory import batches_of
from harvestdetect.dump.storage import limits
from harvestdetect.dump.storage.limits import Budget, Expansion, ExpansionError, Rejects
from harvestdetect.dump.values import messages as messages_module

ROW = b'{"user":"a","prompt":"What is this?"}\n'


def read(file: Path, **options: Any) -> tuple[list[dict[str, Any]], list[Reject], list[Batch]]:
    batches = list(read_dumps([file], settings=Settings(**options)))
    rows = [row for batch in batches for row in batch.prompts.to_pylist()]
    return rows, [reject for batch in batches for reject in batch.rejects], batches


def unlisted(batches: list[Batch]) -> int:
    return sum(batch.unlisted for batch in batches)


def test_of_a_very_long_text_the_beginning_is_kept_and_the_whole_tells_it_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segments, "LONGEST", 400)
    filling = "This sentence stands between the two ends of it. " * 40
    first, last = "Say in your own words what this is about. ", "And explain each of the steps that you took."
    texts = [first + filling + last, first + filling + "b" + last, "A short text that nobody cuts at all."]
    block = next(batches_of(Prompt(account="a", time=1_800_000_000.0, prompt=text) for text in texts)).prompts
    found = prepare(block, Cutting())
    parts = np.flatnonzero(np.isin(found.kind, (PART,)))
    assert len(parts) == 3, "texts that begin alike are two"
    assert sorted(found.text_size[parts].tolist()) == [37, 400, 400]
    wanted = segments.digests([normalize(text).encode() for text in texts])
    assert {row.tobytes() for row in found.digest[parts]} == {row.tobytes() for row in wanted}
    sentences = segments.shareable(pa.array(texts, pa.large_string())).text
    assert {normalize(first), normalize(last)} <= set(sentences)


def test_the_ends_of_a_very_long_list_of_messages_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages_module, "MOST_MESSAGES", 6)
    file = tmp_path / "a.jsonl"
    talks = [[{"role": "user", "content": f"line {n}"} for n in range(count)] for count in (6, 9)]
    file.write_text("".join(json.dumps({"user": "a", "prompt": talk}) + "\n" for talk in talks))
    rows, rejects, _ = read(file)
    assert not rejects
    assert [row["parts"] for row in rows] == [
        [f"line {n}" for n in range(6)],
        [f"line {n}" for n in (0, 1, 2, 6, 7, 8)],
    ]


# ---------------------------------------------------------------- rejects


@pytest.mark.parametrize("line", [b"{}\n", b"x\n", b"[]\n", b'{"prompt":"x"}\n', b'{"user":"a"}\n', b"\xff\n"])
def test_rejects_beyond_those_listed_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    monkeypatch.setattr(Rejects.__init__, "__kwdefaults__", {"listed": 10})
    file = tmp_path / "a.jsonl"
    file.write_bytes(ROW + line * 25 + ROW + line)
    rows, rejects, batches = read(file)
    assert [row["line"] for row in rows] == [1, 27]
    assert [reject.line for reject in rejects] == list(range(2, 12))
    assert unlisted(batches) == 16
    assert batches[-1].files[0].rejects == 26


def test_rejects_of_csv_and_parquet_are_counted_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rejects.__init__, "__kwdefaults__", {"listed": 10})
    table = tmp_path / "a.csv"
    table.write_bytes(b"user,prompt\na,hello\n" + b",hello\n" * 15 + b"a,b,c\n" * 15 + b"a,hello\n")
    rows, rejects, batches = read(table)
    assert (len(rows), len(rejects), unlisted(batches)) == (2, 10, 20)
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"user": ["a", None] * 20, "prompt": ["hello"] * 40}), file)
    rows, rejects, batches = read(file)
    assert (len(rows), len(rejects), unlisted(batches)) == (20, 10, 10)


def test_a_shard_keeps_the_count_of_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rejects.__init__, "__kwdefaults__", {"listed": 10})
    file = tmp_path / "a.jsonl"
    file.write_bytes(ROW + b"{}\n" * 25)
    cutting = Cutting()
    shards = ShardFolder(tmp_path / "shards", settings=Settings(), cutting=cutting)
    counts = []
    for _ in range(2):
        with ParallelPreparer(cutting, lambda *_: None, shards=shards) as preparer:
            for one in read_dumps([file]).files():
                batches = list(preparer.add_file(one.batches, file=0, name=one.name, sha256=one.sha256()))
            counts.append((sum(len(batch.rejects) for batch in batches), unlisted(batches)))
    assert counts == [(10, 15), (10, 15)]


def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    blank = b"\n" * 300_000 + b" \r\n" * 200_000 + b"\t \n"
    file = tmp_path / "a.jsonl"
    for head, tail in ((b"", b""), (b"", b"x\n"), (ROW, b"\n  ")):
        file.write_bytes(head + blank + ROW + blank + ROW + tail)
        rows, rejects, _ = read(file)
        lines = blank.count(b"\n")
        first = head.count(b"\n") + lines + 1
        assert [row["line"] for row in rows] == ([1] if head else []) + [first, first + lines + 1]
        data = file.read_bytes()
        for reject in rejects:
            assert reject.byte is not None
            assert data[reject.byte : reject.byte + 1] == b"x"
            assert reject.line == data[: reject.byte].count(b"\n") + 1
        assert len(rejects) == tail.count(b"x")


def test_blank_lines_in_a_quoted_field_of_csv_stay(tmp_path: Path) -> None:
    blank = b"\n" * 600_000
    file = tmp_path / "a.csv"
    file.write_bytes(b"user,prompt\n" + blank + b'a,"hello' + blank + b'you"\n' + blank + b"b,there\n")
    rows, rejects, _ = read(file)
    assert not rejects
    assert [row["line"] for row in rows] == [600_002, 1_800_003]
    assert rows[0]["parts"] == ["hello" + "\n" * 600_000 + "you"]


@pytest.mark.parametrize("content", [b"\n", b" \n", b"\r\n"])
@pytest.mark.parametrize("head", [ROW, b""])
def test_blank_lines_cost_little(tmp_path: Path, content: bytes, head: bytes) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(head, 1) + gzip.compress(content * 1_000_000, 9) * 5 + gzip.compress(ROW))
    start = time.process_time()
    rows, rejects, _ = read(file)
    assert not rejects
    assert rows[-1]["line"] == 5_000_001 + head.count(b"\n")
    assert time.process_time() - start < 3


# ---------------------------------------------------------------- content beside stored bytes


def test_a_budget_is_shared_by_the_files_of_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE", 1_000)
    budget = Budget(10)
    first, second = Expansion(budget, stored=lambda: 100), Expansion(budget, stored=lambda: 100)
    first.spend(1_600)
    second.spend(1_000)
    second.spend(400)
    with pytest.raises(ExpansionError, match=r"more than max_expansion = 10 times .* raise max_expansion to read on"):
        second.spend(1)
    assert (first.stopped, second.stopped) == (False, True)


def test_what_a_stream_stores_later_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE", 1_000)
    stored = 10
    budget = Budget(10)
    one = Expansion(budget, stored=lambda: stored)
    one.spend(1_000)
    assert budget.left == 100
    stored = 200
    one.spend(500)
    assert budget.left == 1_000


def test_a_bomb_of_rows_is_read_as_far_as_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE", 100_000_000)
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(ROW * 100_000, 9))
    rows, (reject,), batches = read(file, max_expansion=10)
    assert 40_000 <= len(rows) < 70_000
    assert batches[-1].files[0].rows == len(rows)
    assert batches[-1].cut
    assert reject.line is None
    assert "max_expansion = 10 times" in reject.reason
    assert f"{len(rows):,} rows were read" in reject.reason
    rows, rejects, batches = read(file, max_expansion=1_000_000)
    assert (len(rows), rejects, batches[-1].cut) == (100_000, [], False)


def test_a_plain_file_has_no_such_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE", 0)
    file = tmp_path / "a.jsonl"
    file.write_bytes(ROW * 1_000)
    assert len(read(file, max_expansion=1)[0]) == 1_000


def test_a_file_that_was_cut_is_not_kept_in_a_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE", 100_000_000)
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(ROW * 100_000, 9))
    cutting, chosen = Cutting(), Settings(max_expansion=10)
    for in_state in (False, True):
        shards = ShardFolder(tmp_path / f"shards {in_state}", settings=chosen, cutting=cutting, in_state=in_state)
        with ParallelPreparer(cutting, lambda *_: None, shards=shards) as preparer:
            for one in read_dumps([file], settings=chosen).files():
                list(preparer.add_file(one.batches, file=0, name=one.name, sha256=one.sha256()))
        assert len(list((tmp_path / f"shards {in_state}").glob("*.shard"))) == in_state


# ---------------------------------------------------------------- Parquet


def repeated(value: str, count: int) -> pa.Array:
    zeros = pa.Array.from_buffers(pa.int32(), count, [None, pa.py_buffer(bytes(4 * count))])
    return pa.DictionaryArray.from_arrays(zeros, pa.array([value]))


def test_equal_long_prompts_come_in_small_blocks(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"user": ["a"] * 2_000, "prompt": repeated("dragon " * 14_000, 2_000)}), file)
    most = rows = 0
    for batch in read_dumps([file]):
        most = max(most, batch.prompts.column("parts").flatten().nbytes)
        rows += batch.prompts.num_rows
    assert rows == 2_000
    assert most < 20_000_000


@pytest.mark.parametrize("shape", ["text", "object", "messages"])
def test_rows_beyond_the_bound_are_counted_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    monkeypatch.setattr(limits, "FREE", 50_000_000)
    prompt: pa.Array = repeated("dragon " * 14_000, 5_000)
    if shape != "text":
        prompt = pa.StructArray.from_arrays([repeated("user", 5_000), prompt], ["role", "content"])
    if shape == "messages":
        prompt = pa.ListArray.from_arrays(pa.array(range(5_001), pa.int32()), prompt)
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"user": ["a"] * 5_000, "prompt": prompt}), file)
    rows, rejects, batches = read(file, max_expansion=10)
    assert 200 < len(rows) < 600
    assert len(rows) + len(rejects) + unlisted(batches) == 5_000
    assert [reject.line for reject in rejects] == list(range(len(rows) + 1, 5_001))
    assert "max_expansion = 10" in rejects[0].reason
    assert f"row {len(rows) + 1} and all behind it are not read" in rejects[0].reason


def test_small_row_groups_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.parquet"
    rows = {"user": [f"u{n}" for n in range(3_000)], "prompt": [f"What is {n}?" for n in range(3_000)]}
    pq.write_table(pa.table(rows), file, row_group_size=2)
    calls = []
    true_iter = pq.ParquetFile.iter_batches

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        calls.append(options["row_groups"])
        return true_iter(self, *args, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    found, rejects, _ = read(file)
    assert not rejects
    assert [(row["line"], row["parts"]) for row in found] == [(n + 1, [f"What is {n}?"]) for n in range(3_000)]
    assert len(calls) < 5


def test_a_damaged_group_among_small_ones_loses_its_rows_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    rows = {"user": [f"u{n}" for n in range(300)], "prompt": [f"What is {n}?" for n in range(300)]}
    pq.write_table(pa.table(rows), file, row_group_size=3, use_dictionary=False)
    column = pq.ParquetFile(file).metadata.row_group(50).column(1)
    data = bytearray(file.read_bytes())
    start, size = column.data_page_offset, column.total_compressed_size
    data[start : start + size] = b"\xff" * size
    file.write_bytes(data)
    found, rejects, _ = read(file)
    assert [row["line"] for row in found] == [*range(1, 151), *range(154, 301)]
    assert [reject.line for reject in rejects] == [151, 152, 153]
    assert "rows 151 to 153 cannot be read" in rejects[0].reason


def test_lists_of_very_many_values_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MOST_VALUES", 10_000)
    kind = pa.struct([("role", pa.string()), ("content", pa.string())])
    lists = pa.ListArray.from_arrays(pa.array([0, 50_000, 100_000], pa.int32()), pa.nulls(100_000, kind))
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"user": ["a", "b"], "messages": lists}), file)
    rows, rejects, _ = read(file)
    assert not rows
    assert [reject.line for reject in rejects] == [1, 2]
    assert "lists of 100,000 values in" in rejects[0].reason


def test_a_very_large_page_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MOST_PAGE", 1_000_000)
    file = tmp_path / "a.parquet"
    table = pa.table({"user": ["a"] * 300, "prompt": ["dragon " * 1_000] * 300})
    pq.write_table(table, file, use_dictionary=False, compression="zstd", data_page_size=1 << 30)
    rows, rejects, _ = read(file)
    assert (len(rows), len(rejects)) == (0, 300)
    assert "bytes as read, at most 1,000,000 are read" in rejects[0].reason


def test_a_parquet_row_above_the_line_limit_is_a_reject(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"user": list("abcd"), "prompt": ["x", "y" * 5_000, "y" * 5_000, "z"]}), file)
    rows, rejects, _ = read(file, max_line_bytes=4_000)
    assert [row["line"] for row in rows] == [1, 4]
    assert [(r.line, r.reason) for r in rejects] == [
        (line, "the row is longer than max_line_bytes = 4000") for line in (2, 3)
    ]


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_any_batches_give_the_rows_of_the_table(draw: st.DataObject) -> None:
    texts = draw.draw(st.lists(st.sampled_from(["a", "b" * 300, "c" * 3_000, None, "d e"]), min_size=1, max_size=200))
    kind = draw.draw(st.sampled_from(["plain", "dictionary", "messages", "large"]))
    column: Any = pa.array(texts, pa.string())
    if kind == "dictionary":
        column = column.dictionary_encode()
    elif kind == "large":
        column = column.cast(pa.large_string())
    elif kind == "messages":
        column = pa.array([None if t is None else [{"role": "user", "content": t}] * 2 for t in texts])
    sink = io.BytesIO()
    group = draw.draw(st.integers(1, 50))
    pq.write_table(pa.table({"user": ["u"] * len(texts), "prompt": column}), sink, row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "BLOCK_BYTES", draw.draw(st.sampled_from([500, 5_000, 10**7])))
        patch.setattr(reader, "_SHORT_ENTRY", draw.draw(st.sampled_from([0, 10**5])))
        batches = list(read_dumps(["-"], stdin=io.BytesIO(sink.getvalue()), batch_rows=draw.draw(st.integers(1, 70))))
    found = {row["line"]: row["parts"] for batch in batches for row in batch.prompts.to_pylist()}
    lost = [reject.line for batch in batches for reject in batch.rejects]
    wanted = {n: [t] * (2 if kind == "messages" else 1) for n, t in enumerate(texts, 1) if t is not None}
    assert found == wanted
    assert lost == [n for n, t in enumerate(texts, 1) if t is None]


def test_the_headers_of_pages_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    texts = [f"text {n % 5} " + "x" * (n % 5) * 100 for n in range(1_000)]
    for codec in ("none", "snappy", "gzip", "zstd", "brotli", "lz4"):
        for version in ("1.0", "2.0"):
            pq.write_table(
                pa.table({"a": list(range(1_000)), "b": texts}), file, compression=codec, data_page_version=version
            )
            with file.open("rb") as stream:
                ((numbers, column),) = chunks_of(stream, most=10**6) or ()
                assert (numbers.path, column.path, column.binary) == (("a",), ("b",), True)
                found = measured(stream, column)
            assert (found.values, found.plain, found.longest) == (1_000, 0, 407)
            assert 0 < found.page < 10_000


# ---------------------------------------------------------------- normal forms


@pytest.mark.parametrize("letter", ["\ufdfa", "\u0390", "\u1e9e", "½", "\u3300"])
def test_a_form_is_bounded_by_its_text(letter: str) -> None:
    for count in (1, 10, 5_000, 100_000):
        text = letter * count
        form = normalize(text)
        assert len(form.encode()) <= 2 * len(text.encode()) + 64
        if letter != "\ufdfa":
            assert len(form) >= count


def test_long_runs_of_marks_are_cut_alike_wherever_they_stand() -> None:
    marks = "\u0301\u0323" * 40
    short = normalize("a" + marks)
    assert len(unicodedata.normalize("NFD", short)) == 1 + MARKS
    assert normalize("e" * 9_000 + " a" + marks + " b") == "e" * 9_000 + " " + short + " b"
    start = time.process_time()
    normalize("a" + "\u0301\u0323" * 1_000_000)
    assert time.process_time() - start < 5


@given(st.text(st.sampled_from("aé \u0301\u0323\u1100\u1161\u11a8\u09c7\u09be中ﬁ\u200b\x01\n"), max_size=300))
def test_pieces_do_not_change_the_form(text: str) -> None:
    from harvestdetect.corpus import normalize as module

    whole = normalize(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", 280)
        assert module.normalize(text * 4) == normalize(text * 4)
    assert module.normalize(text) == whole
