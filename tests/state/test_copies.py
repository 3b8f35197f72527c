"""Files that hold the same rows: grown, cut off, compressed anew, given twice, overlapping. A row counts once."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.cli.main import main
from harvestdetect.corpus.block import Cutting, PreparedBlock
from harvestdetect.corpus.build import CorpusBuilder
from harvestdetect.corpus.copies import copies_of, counted_once, is_within, row_keys, rows_of
from harvestdetect.corpus.prepare import prepare
from harvestdetect.data import NO_TIME, Prompt, Prompts
from harvestdetect.dump.in_memory import batches_of
from harvestdetect.state import State

DAY = 86_400
START = 1_780_272_000
"""2026-06-01."""
NOW = START + 3 * DAY
WORDS = ("river", "stone", "lamp", "cloud", "garden", "engine", "paper", "violin", "copper", "window", "market")


def some_rows(count: int, *, seed: int = 0, timed: bool = True, day: int = 0) -> list[dict[str, Any]]:
    """Rows of people, each in words of its own."""
    rng = random.Random(seed)
    rows = [{"account": f"a{i % 7}", "prompt": f"{seed}, {i}: {' '.join(rng.sample(WORDS, 6))}?"} for i in range(count)]
    return [{**row, "timestamp": START + day * DAY + i * 60} for i, row in enumerate(rows)] if timed else rows


def pool_rows(count: int = 48) -> list[dict[str, Any]]:
    """Rows of a pool of sixteen accounts."""
    rng = random.Random(1)
    form = "Solve the following {} exam question step by step and grade your own reasoning from one to ten: {} and {}"
    return [
        {
            "account": f"pool-{i % 16}", "timestamp": START + rng.randrange(DAY),
            "prompt": form.format(rng.choice(WORDS), rng.choice(WORDS), rng.choice(WORDS)),
        }
        for i in range(count)
    ]  # fmt: skip


def lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def packed(data: bytes, *, level: int = 6, mtime: int = 0) -> bytes:
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=level, mtime=mtime) as file:
        file.write(data)
    return stream.getvalue()


def write(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


class Runs:
    """Runs into a state whose notes are kept."""

    def __init__(self, state: State, settings: Settings, folder: Path) -> None:
        self.state, self.settings, self.folder = state, settings, folder
        self.notes: list[str] = []

    def file(self, name: str, data: bytes) -> Path:
        return write(self.folder / name, data)

    def run(self, *files: Path, **more: Any) -> Any:
        self.notes = []
        return self.state.scan(files, settings=self.settings, now=NOW, notes=self.notes.append, **more)

    def names(self) -> list[str]:
        """The files of the window."""
        return sorted(Path(r["name"]).name for r in self.state._store.rows("SELECT name FROM files"))

    def shards(self) -> int:
        return len(list((self.state.folder / "read").glob("*")))


@pytest.fixture
def runs(state: State, settings: Settings, tmp_path: Path) -> Runs:
    return Runs(state, settings, tmp_path)


def counts(run: Any) -> tuple[int, int, int]:
    """Prompts and files of the window, and new prompts."""
    told = run.detection.counts
    assert told["new_rows"] == run.new_rows
    return told["prompts"], told["files"], run.new_rows


# ---------------------------------------------------------------- in a state


@pytest.mark.parametrize("timed", [True, False])
def test_a_file_that_grew_takes_the_place_of_what_it_was(runs: Runs, timed: bool) -> None:
    rows = some_rows(40, timed=timed)
    assert counts(runs.run(runs.file("today.jsonl", lines(rows[:20])))) == (20, 1, 20)
    grown = runs.run(runs.file("today.jsonl", lines(rows)))
    assert counts(grown) == (40, 1, 20 if timed else 40)
    (said,) = [n for n in runs.notes if "superseded" in n]
    assert said.count("today.jsonl") == 2
    assert runs.shards() == 1
    (left,) = runs.state.left_out()
    assert "superseded: all its prompts are in" in left
    again = runs.run(runs.file("half.jsonl", lines(rows[:20])))
    assert (again.new_files, again.known_files) == (0, 1), "what was superseded is known"
    assert counts(again) == (40, 1, 0)
    assert runs.state.verify() == []


def test_a_file_that_was_cut_off_is_completed(runs: Runs) -> None:
    rows = some_rows(300)
    whole = packed(lines(rows))
    cut = runs.run(runs.file("day.jsonl.gz", whole[: len(whole) // 2]))
    held = cut.detection.counts["prompts"]
    assert 0 < held < 300
    assert cut.detection.counts["rejects"] > 0
    run = runs.run(runs.file("day.jsonl.gz", whole))
    assert counts(run) == (300, 1, 300 - held)
    assert run.detection.counts["rejects"] == 0
    assert any("is superseded" in n for n in runs.notes)


def test_a_half_written_last_line_does_not_keep_a_file(runs: Runs) -> None:
    data = lines(some_rows(30))
    cut = runs.run(runs.file("day.jsonl", data[:-25]))
    assert (counts(cut), cut.detection.counts["rejects"]) == ((29, 1, 29), 1)
    assert counts(runs.run(runs.file("day.jsonl", data))) == (30, 1, 1)


def test_a_file_that_is_compressed_anew_is_a_copy(runs: Runs) -> None:
    data = lines(some_rows(30))
    runs.run(runs.file("day.jsonl.gz", packed(data)))
    for name, again in (
        ("anew.jsonl.gz", packed(data, level=1)), ("later.jsonl.gz", packed(data, mtime=7)), ("plain.jsonl", data),
        ("shuffled.jsonl", lines(some_rows(30)[::-1])), ("part.jsonl", lines(some_rows(30)[5:20])),
    ):  # fmt: skip
        run = runs.run(runs.file(name, again))
        assert counts(run) == (30, 1, 0)
        assert run.new_files == 0
        (said,) = [n for n in runs.notes if "is a copy" in n]
        assert name in said
        assert "day.jsonl.gz" in said
        assert runs.run(runs.folder / name).known_files == 1
    assert (runs.names(), runs.shards()) == (["day.jsonl.gz"], 1)
    assert len(runs.state.left_out()) == 5


def test_dumps_that_overlap_count_a_request_once(runs: Runs) -> None:
    rows = some_rows(50)
    assert counts(runs.run(runs.file("a.jsonl", lines(rows[:30])))) == (30, 1, 30)
    assert counts(runs.run(runs.file("b.jsonl", lines(rows[20:])))) == (50, 2, 20)
    assert any("10 prompts are in more than one file, and count once" in n for n in runs.notes)
    # rows that two files hold together, and neither alone
    assert counts(runs.run(runs.file("c.jsonl", lines(rows[10:40])))) == (50, 3, 0)
    # and a file with all of them
    assert counts(runs.run(runs.file("d.jsonl", lines(rows)))) == (50, 1, 0)
    assert runs.names() == ["d.jsonl"]


def test_files_of_one_run_are_compared_too(runs: Runs) -> None:
    rows = some_rows(40)
    files = [runs.file(f"{i}.jsonl", lines(part)) for i, part in enumerate((rows[:10], rows, rows[:25], rows[::-1]))]
    run = runs.run(*files)
    assert counts(run) == (40, 1, 40)
    assert run.new_files == 1
    assert runs.names() == ["1.jsonl"]


def test_rows_that_a_file_repeats_are_rows_of_it(runs: Runs) -> None:
    rows = some_rows(10)
    twice = [*rows, *rows[:4]]
    assert counts(runs.run(runs.file("a.jsonl", lines(twice)))) == (14, 1, 14)
    assert counts(runs.run(runs.file("b.jsonl", lines(rows)))) == (14, 1, 0)
    assert counts(runs.run(runs.file("c.jsonl", lines([*twice, *rows[:1]])))) == (15, 1, 1)


def test_what_has_no_rows_supersedes_nothing(runs: Runs) -> None:
    rows = some_rows(20)
    runs.run(runs.file("a.jsonl", lines(rows)))
    for name, data in (("a.jsonl", b""), ("bad.jsonl", b"{no json\n"), ("a.jsonl.gz", packed(lines(rows))[:12])):
        run = runs.run(runs.file(name, data))
        assert run.detection.counts["prompts"] == 20
        assert not any("superseded" in n or "copy" in n for n in runs.notes)
    assert "a.jsonl" in runs.names()
    # a file without rows that has some later is superseded by its name
    run = runs.run(runs.file("a.jsonl.gz", packed(lines(some_rows(20, seed=5)))))
    assert counts(run) == (40, 4, 20)
    assert any("a.jsonl.gz is superseded" in n for n in runs.notes)


def test_equal_texts_without_times_in_other_files_are_other_requests(runs: Runs) -> None:
    rows = some_rows(20, timed=False)
    runs.run(runs.file("a.jsonl", lines(rows)))
    run = runs.run(runs.file("b.jsonl", lines([*rows[10:], *some_rows(10, seed=3, timed=False)])))
    assert counts(run) == (40, 2, 20)
    first = [{**rows[0]}, *some_rows(10, seed=4, timed=False)]
    assert counts(runs.run(runs.file("c.jsonl", lines(first)))) == (51, 3, 11)


def test_a_file_whose_holder_is_gone_is_read_again(runs: Runs) -> None:
    rows = some_rows(30)
    runs.run(runs.file("a.jsonl", lines(rows[:20])))
    runs.run(runs.file("b.jsonl", lines(rows)))
    for shard in (runs.state.folder / "read").glob("*.shard"):
        shard.unlink()
    with runs.state._store.transaction() as connection:
        connection.execute("UPDATE files SET state = 'lost'")
    assert runs.run(runs.folder / "a.jsonl").new_files == 1


def test_a_damaged_file_vouches_for_nothing(runs: Runs) -> None:
    rows = some_rows(30)
    runs.run(runs.file("a.jsonl", lines(rows)))
    (shard,) = (runs.state.folder / "read").glob("*.shard")
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(bytes(data))
    run = runs.run(runs.file("b.jsonl.gz", packed(lines(rows))))
    assert run.new_files == 1
    assert run.detection.counts["prompts"] == 30


def test_what_left_the_window_with_its_holder_is_not_read_again(runs: Runs) -> None:
    rows = some_rows(30)
    small, large = runs.file("a.jsonl", lines(rows[:20])), runs.file("b.jsonl", lines(rows))
    runs.run(small, window="2d")
    runs.run(large, window="2d")
    later = runs.file("c.jsonl", lines(some_rows(10, seed=2, day=9)))
    runs.state.scan([later], settings=runs.settings, now=NOW + 8 * DAY, window="2d")
    run = runs.state.scan([small, large], settings=runs.settings, now=NOW + 8 * DAY, window="2d")
    assert (run.new_files, run.known_files) == (0, 2)
    run = runs.state.scan([small, large], settings=runs.settings, now=NOW + 8 * DAY, window="30d")
    assert counts(run) == (40, 2, 30), "both are read again when the window became longer, and one is superseded"


def test_a_run_that_stops_behind_a_superseded_file_loses_nothing(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is in the database before the shard of the old one goes."""
    rows = some_rows(30)
    runs.run(runs.file("a.jsonl", lines(rows[:20])))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("harvestdetect.state.ingest.remove_shards", stop)
        with pytest.raises(KeyboardInterrupt):
            runs.run(runs.file("b.jsonl", lines(rows)))
    assert (runs.names(), runs.shards()) == (["b.jsonl"], 2)
    assert counts(runs.run(runs.folder / "b.jsonl")) == (30, 1, 30), "no run has reported these rows yet"
    assert counts(runs.run(runs.folder / "b.jsonl")) == (30, 1, 0)
    runs.state.collect()
    assert runs.shards() == 1
    assert runs.state.verify() == []


# ---------------------------------------------------------------- any sequence


def told_of(detection: Any) -> dict[str, Any]:
    findings = sorted(
        (f.tier, f.prompts, tuple(sorted((m.account, m.prompts, m.harvest_prompts) for m in f.members)))
        for f in detection.findings
    )
    return {n: detection.counts[n] for n in ("prompts", "accounts", "first_seen", "last_seen")} | {"findings": findings}


SEQUENCES = int(os.environ.get("HARVESTDETECT_SEQUENCES", "4"))
"""How many sequences of files are tried."""


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_any_sequence_of_a_days_file_is_one_scan_of_its_rows(seed: int, runs: Runs) -> None:
    """Grows, cuts, compresses anew and repeats a day's file; then one scan of the final rows says the same."""
    rng = random.Random(seed)
    rows = sorted([*some_rows(60, seed=seed), *pool_rows()], key=lambda row: row["timestamp"])
    rows += rng.sample(rows, 3)  # what a file repeats itself
    done = 0
    for step in range(rng.randrange(4, 8)):
        done = min(done + rng.randrange(0, 40), len(rows))
        data = lines(rows[:done])
        kind = rng.choice(["plain", "gzip", "cut", "cut gzip", "again", "part"])
        if kind == "cut":
            data = data[: rng.randrange(len(data) + 1)]
        elif kind == "part":
            data = lines(rows[rng.randrange(done + 1) : done])
        elif kind.endswith("gzip"):
            data = packed(data, level=rng.randrange(1, 10), mtime=step)
            data = data[: rng.randrange(20, len(data) + 1)] if kind == "cut gzip" else data
        name = rng.choice(["day.jsonl", "day.jsonl", f"day{step}.jsonl"]) + (".gz" if "gzip" in kind else "")
        if data:
            runs.run(runs.file(name, data))
    final = runs.file("whole.jsonl", lines(rows))
    run = runs.run(final)
    once = detect(read_dumps([final]), settings=runs.settings)
    assert told_of(run.detection) == told_of(once)
    assert run.detection.counts["prompts"] == len(rows)
    assert runs.state.verify() == []


# ---------------------------------------------------------------- without a state


def test_a_dump_given_twice_counts_once(tmp_path: Path, settings: Settings) -> None:
    rows = [*some_rows(60), *pool_rows()]
    first = write(tmp_path / "a.jsonl", lines(rows))
    once = detect(read_dumps([first]), settings=settings)
    copies = [write(tmp_path / "b.jsonl", lines(rows)), write(tmp_path / "c.jsonl.gz", packed(lines(rows)))]
    copies.append(write(tmp_path / "d.jsonl", lines(rows[:50])))
    twice = detect(read_dumps([first, *copies]), settings=settings)
    assert told_of(twice) == told_of(once)
    assert twice.counts["files"] == 4
    said = [n for n in twice.notes if "and count once" in n]
    assert [Path(n.split()[3]).name for n in said] == ["b.jsonl", "c.jsonl.gz", "d.jsonl"]
    assert all("a.jsonl" in n for n in said[:2])
    assert once.prompts is not None
    assert twice.prompts is not None
    assert twice.prompts.num_rows == 3 * once.prompts.num_rows, "all rows of a finding are listed, as before"


def test_a_dump_without_times_given_twice_counts_once(tmp_path: Path, settings: Settings) -> None:
    rows = [{k: v for k, v in row.items() if k != "timestamp"} for row in [*some_rows(60), *pool_rows()]]
    rows += rows[:5]
    first = write(tmp_path / "a.jsonl", lines(rows))
    once = detect(read_dumps([first]), settings=settings)
    twice = detect(read_dumps([first, write(tmp_path / "b.jsonl.gz", packed(lines(rows)))]), settings=settings)
    assert _untimed(twice) == _untimed(once)


def _untimed(detection: Any) -> Any:
    members = [
        (f.tier, f.prompts, tuple(sorted((m.account, m.prompts) for m in f.members))) for f in detection.findings
    ]
    return detection.counts["prompts"], detection.counts["accounts"], members


def test_the_command_says_what_counts(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = some_rows(25)
    write(tmp_path / "a.jsonl", lines(rows))
    write(tmp_path / "b.jsonl.gz", packed(lines(rows)))
    with pytest.raises(SystemExit) as ended:
        main([
            "scan", str(tmp_path), "--out", str(tmp_path / "out"), "--cache", str(cache), "--encoder", "fast",
            "--workers", "1", "--threads", "1", "--metrics", str(tmp_path / "m.prom"),
        ])  # fmt: skip
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert "read 25 prompts of 7 accounts in 2 files" in " ".join(said.out.split())
    assert "b.jsonl.gz are in" in said.err
    assert json.loads((tmp_path / "out" / "run.json").read_text())["counts"]["prompts"] == 25
    assert "\nharvestdetect_last_run_rows 25\n" in (tmp_path / "m.prom").read_text()


# ---------------------------------------------------------------- the parts


def prepared(prompts: Sequence[Prompt]) -> PreparedBlock:
    (batch,) = batches_of(prompts)
    return prepare(batch.prompts, Cutting())


def prompt(account: int, text: int, at: int | None) -> Prompt:
    return Prompt(account=f"a{account}", prompt=f"text {text} of it", time=at)


ROW = st.tuples(st.integers(0, 2), st.integers(0, 2), st.one_of(st.none(), st.integers(0, 2)))
FILES = st.lists(st.lists(ROW, min_size=1, max_size=6), min_size=1, max_size=4)


def expected(files: Sequence[Sequence[tuple[int, int, int | None]]]) -> int:
    most: Counter[Any] = Counter()
    for file in files:
        most |= Counter(row for row in file if row[2] is not None)
    return sum(most.values())


@given(files=FILES)
@given_settings(max_examples=60, deadline=None)
def test_keys_tell_rows_apart(files: list[list[tuple[int, int, int | None]]]) -> None:
    held = [rows_of([row_keys(prepared([prompt(*row) for row in file]))]) for file in files]
    untimed = sum(row[2] is None for file in files for row in file)
    assert counted_once(held) == expected(files) + untimed
    for file, rows in zip(files, held, strict=True):
        for other, others in zip(files, held, strict=True):
            lines_ = [Counter((*r, i if r[2] is None else 0) for i, r in enumerate(one)) for one in (file, other)]
            assert is_within(rows, others) == (lines_[0] <= lines_[1])


def corpus_prompts(files: Sequence[Sequence[tuple[int, int, int | None]]]) -> Prompts:
    with CorpusBuilder(min_senders=10) as builder:
        for number, file in enumerate(files):
            (batch,) = batches_of([prompt(*row) for row in file])
            column = batch.prompts.schema.get_field_index("file")
            numbers = pa.array(np.full(len(file), number, np.int32))
            builder.add(batch.prompts.set_column(column, batch.prompts.schema.field(column), numbers))
        return builder.finish().prompts


@given(files=FILES)
@given_settings(max_examples=100, deadline=None)
def test_a_corpus_counts_what_its_files_hold_together(files: list[list[tuple[int, int, int | None]]]) -> None:
    prompts = corpus_prompts(files)
    copies = copies_of(prompts)
    lines_ = [Counter((*r, i if r[2] is None else 0) for i, r in enumerate(one)) for one in files]
    within = {
        i
        for i, one in enumerate(lines_)
        for j, other in enumerate(lines_)
        if i != j and one <= other and (one != other or j < i)
    }
    assert set(copies.within) == within
    assert all(lines_[i] <= lines_[j] for i, j in copies.within.items())
    untimed = sum(row[2] is None for i, file in enumerate(files) if i not in within for row in file)
    assert len(prompts.account) - copies.repeated == expected(files) + untimed
    if copies.copied is not None:
        assert np.all(prompts.time[copies.copied] == NO_TIME)
        assert not copies.copied[0]
        same = (prompts.account[1:] == prompts.account[:-1]) & (prompts.content[1:] == prompts.content[:-1])
        assert np.all(same[copies.copied[1:]]), "a copy follows what it is a copy of"
