"""Files of a dump that were prepared before are taken as they are; what is not whole is made again."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harvestdetect.corpus.shards as shards_module
from harvestdetect.corpus import prepare_parallel as preparing
from harvestdetect.corpus.block import FIRST_LAYOUT, Cutting
from harvestdetect.corpus.build import CorpusBuilder
from harvestdetect.corpus.by_prompt import first_rows
from harvestdetect.corpus.registry import load_registry
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.data import Batch, Corpus, Reject, SourceFile
from harvestdetect.dump import read_dumps
from harvestdetect.engines.processes import Processes
from harvestdetect.errors import CacheError
from harvestdetect.settings import Settings

CUTTING = Cutting(segment_characters=40, registry=load_registry(today=date(2026, 11, 24)))


def write(path: Path, rows: range) -> Path:
    lines = [
        json.dumps(
            {"user_id": f"u{i % 5}", "prompt": f"Say hello to number {i}. " * (1 + i % 9), "ip": f"10.0.0.{i % 7}"}
        )
        for i in rows
    ]
    lines[3:3] = ["{broken", json.dumps({"user_id": "", "prompt": "x"})]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def folder(path: Path, cutting: Cutting = CUTTING, **values: Any) -> ShardFolder:
    return ShardFolder(path, settings=Settings().replace(**values), cutting=cutting)


def scan(
    files: list[Path], kept: ShardFolder | None, *, read: list[str] | None = None, workers: int = 1
) -> tuple[Corpus, list[Reject], list[SourceFile]]:
    """The corpus of some files, their rejects and the files; ``read`` gets the names of those that were read."""

    def batches(path: Path) -> Iterator[Batch]:
        if read is not None:
            read.append(path.name)
        yield from read_dumps([path], batch_rows=20)

    rejects: list[Reject] = []
    done: list[SourceFile] = []
    with CorpusBuilder(
        segment_characters=40, min_senders=2, registry=CUTTING.registry, shards=kept, engine=Processes(workers)
    ) as builder:
        for position, path in enumerate(files):
            for batch in builder.add_file(batches(path), file=position, name=str(path), sha256=sha256(path)):
                rejects += batch.rejects
                done += batch.files
        return builder.finish(), rejects, done


def told(corpus: Corpus) -> dict[str, Any]:
    prompts = corpus.prompts
    found = {f.name: getattr(corpus, f.name) for f in fields(corpus) if f.name != "prompts"}
    found |= {f.name: getattr(prompts, f.name) for f in fields(prompts)}
    found |= {f"{n} {part}": getattr(f, part) for n, f in found.pop("fields").items() for part in ("code", "values")}
    return {n: v.tobytes() if isinstance(v, np.ndarray) else v and list(v) for n, v in found.items()}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "a.jsonl.gz", range(50)), write(tmp_path / "b.jsonl.gz", range(30, 90))]


def test_a_second_scan_reads_nothing_and_finds_the_same(files: list[Path], tmp_path: Path) -> None:
    expected = scan(files, None)
    kept = tmp_path / "kept"
    for again in (["a.jsonl.gz", "b.jsonl.gz"], []):
        read: list[str] = []
        corpus, rejects, done = scan(files, folder(kept), read=read)
        assert read == again
        assert told(corpus) == told(expected[0])
        assert (rejects, done) == expected[1:]
    assert [(r.file, r.line) for r in rejects] == [(str(path), line) for path in files for line in (4, 5)]
    assert sorted(path.suffix for path in kept.iterdir()) == [".shard", ".shard"]


def test_a_file_may_stand_elsewhere_and_be_called_otherwise(files: list[Path], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    scan(files, folder(kept))
    moved = [write(tmp_path / "0.jsonl.gz", range(7)), files[1], files[0].rename(tmp_path / "z.jsonl.gz")]
    read: list[str] = []
    corpus, rejects, done = scan(moved, folder(kept), read=read)
    assert read == ["0.jsonl.gz"]
    assert (told(corpus), rejects, done) == (told(scan(moved, None)[0]), *scan(moved, None)[1:])
    assert [file.name for file in done] == list(map(str, moved))


def test_shards_are_the_same_whoever_prepares_them(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = told(scan(files, folder(tmp_path / "one"))[0])
    monkeypatch.setattr(preparing, "START_ROWS", 0)
    assert told(scan(files, folder(tmp_path / "two"), workers=2)[0]) == expected
    contents = [{path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("one", "two")]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 2


def test_what_is_not_whole_is_made_again(files: list[Path], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    scan(files[:1], folder(kept))
    (path,) = kept.iterdir()
    whole = path.read_bytes()
    expected = told(scan(files[:1], None)[0])
    places = [0, 20, len(whole) // 2, len(whole) - 45, len(whole) - 36, len(whole) - 1]
    broken = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]
    for content in [*broken, b"", whole[:30], whole[:-1], whole + b"x", whole[: len(whole) // 2]]:
        path.write_bytes(content)
        read: list[str] = []
        assert told(scan(files[:1], folder(kept), read=read)[0]) == expected
        assert read == ["a.jsonl.gz"]
        assert path.read_bytes() == whole


def test_everything_that_a_shard_depends_on_is_in_its_name(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    scan(files[:1], folder(kept))
    digest = sha256(files[0])
    others = [
        folder(kept, replace(CUTTING, segment_characters=41)),
        folder(kept, replace(CUTTING, max_windows=3)),
        folder(kept, replace(CUTTING, registry=None)),
        folder(kept, mapping={"prompt": "text"}),
        folder(kept, format="jsonl"),
        folder(kept, max_line_bytes=5_000),
    ]
    for other in others:
        assert other.open("a.jsonl.gz", digest) is None
    assert folder(kept).open("a.jsonl.gz", digest[::-1]) is None
    assert folder(kept).open("a.csv.gz", digest) is None
    for name in ("a.jsonl.gz", "/elsewhere/other.JSONL.gz"):
        held = folder(kept, seed=5).open(name, digest)
        assert held is not None
        held.close()
    monkeypatch.setattr(shards_module, "__version__", "0")
    assert folder(kept).open("a.jsonl.gz", digest) is None


def test_a_scan_that_breaks_off_leaves_no_shard(files: list[Path], tmp_path: Path) -> None:
    kept = folder(tmp_path / "kept")
    with CorpusBuilder(segment_characters=40, registry=CUTTING.registry, shards=kept) as builder:
        for _ in builder.add_file(read_dumps([files[0]]), file=0, name=str(files[0])):
            pass
        for _ in builder.add_file(read_dumps([files[1]], batch_rows=20), file=1, name=str(files[1])):
            break

        def failing() -> Iterator[Batch]:
            yield from read_dumps([files[1]], batch_rows=20)
            raise OSError("gone")

        with pytest.raises(OSError, match="gone"):
            for _ in builder.add_file(failing(), file=1, name=str(files[1])):
                pass
    assert [path.suffix for path in kept.folder.iterdir()] == [".shard"]
    read: list[str] = []
    scan(files, kept, read=read)
    assert read == ["b.jsonl.gz"]


def test_shards_that_are_cut_otherwise_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not cut as"):
        CorpusBuilder(segment_characters=41, registry=CUTTING.registry, shards=folder(tmp_path))


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheError, match="file"):
        folder(tmp_path / "file" / "kept")
    kept = folder(tmp_path / "kept")
    (tmp_path / "kept").rmdir()
    with pytest.raises(CacheError, match="kept"):
        kept.writer("a.jsonl")


def test_prepared_files_of_the_first_layout_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import harvestdetect.corpus.shard_file as shard_file

    files = [write(tmp_path / "one.jsonl.gz", range(60))]
    with monkeypatch.context() as before:
        before.setattr(shards_module, "MAGIC", shard_file.FIRST_MAGIC)
        before.setattr(shards_module, "LAYOUT", FIRST_LAYOUT)
        first, _, _ = scan(files, folder(tmp_path / "kept"))
    read: list[str] = []
    again, _, _ = scan(files, folder(tmp_path / "kept"), read=read)
    assert read == []
    assert told(again) == told(first)


def test_retries_and_conversations_across_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {
            "user_id": f"u{i % 4}",
            "timestamp": 1_780_000_000 + 1_000 * turn + again,
            "request_id": f"request-{i}-{turn}-{again * (i % 3)}",
            "messages": [
                {"role": "user", "content": f"Question {n} of talk {i}, in some words."} for n in range(turn + 1)
            ],
        }
        for i in range(8)
        for turn in range(4)
        for again in (0, 5, 70)
    ]
    lines = [json.dumps(row) + "\n" for row in rows]
    files = [tmp_path / f"{i}.jsonl" for i in range(3)]
    for i, path in enumerate(files):
        path.write_text("".join(lines[i::3]))
    whole, rejects, _ = scan(files, None)
    assert rejects == []
    assert whole.prompts.first is not None
    firsts = int(first_rows(whole.prompts).sum())
    # The retry after 70 seconds is another request where it has another id.
    assert firsts == 8 * 4 + 4 * sum(i % 3 > 0 for i in range(8))
    assert len(whole.posting_prompt) == len(rows), "each request has its new turn only"
    monkeypatch.setattr(preparing, "START_ROWS", 0)
    kept = tmp_path / "kept"
    for other in (
        scan(files, folder(kept))[0],
        scan(files, folder(kept), read=[])[0],
        scan(files, None, workers=2)[0],
    ):
        assert told(other) == told(whole)
