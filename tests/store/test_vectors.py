"""The vector cache: what is found, what is trusted, what survives a kill, what a full disk does."""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.errors import CacheError
from harvestdetect.store import folder as folder_module
from harvestdetect.store.folder import MANIFEST
from harvestdetect.store.vectors import VectorCache

WIDTH = 8
MODEL = "ab" * 32


def digests_of(numbers: list[int] | range) -> npt.NDArray[np.void]:
    """Digests whose order, leading and trailing zero bytes are hard on careless comparisons."""
    raw = b"".join(int(n).to_bytes(8, "big") + bytes(8) for n in numbers)
    return np.frombuffer(raw, dtype="V16")


def vectors_of(numbers: list[int] | range) -> npt.NDArray[np.float16]:
    rows = np.asarray(list(numbers), dtype=np.int64)[:, None]
    return ((rows * 31 + np.arange(WIDTH)) % 997).astype(np.float16)


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "vectors").rglob("*.parquet"))


def test_empty_cache_finds_nothing(tmp_path: Path) -> None:
    found, vectors = VectorCache(tmp_path, MODEL).get(digests_of(range(3)))
    assert found.tolist() == [False] * 3
    assert vectors.shape[0] == 0
    found, vectors = VectorCache(tmp_path, MODEL).get(digests_of([]))
    assert found.shape == (0,)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_get_returns_what_was_put(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("cache")
    puts = data.draw(st.lists(st.lists(st.integers(0, 300), max_size=20), max_size=4))
    wanted = data.draw(st.lists(st.integers(0, 300), max_size=40))
    writer = VectorCache(folder, MODEL)
    reader = VectorCache(folder, MODEL)
    reader.get(digests_of([1]))
    for numbers in puts:
        writer.put(digests_of(numbers), vectors_of(numbers).reshape(len(numbers), WIDTH))
    there = {n for numbers in puts for n in numbers}
    for cache in (writer, reader, VectorCache(folder, MODEL)):
        found, vectors = cache.get(digests_of(wanted))
        assert found.tolist() == [n in there for n in wanted]
        assert cache.contains(digests_of(wanted)).tolist() == found.tolist()
        hits = [n for n in wanted if n in there]
        if hits:
            assert vectors.dtype == np.float16
            np.testing.assert_array_equal(vectors, vectors_of(hits))


@settings(max_examples=30, deadline=None)
@given(
    puts=st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=12), max_size=4), keep=st.sets(st.integers(0, 60))
)
def test_a_thinned_cache_has_what_was_to_stay_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, puts: list[list[int]], keep: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = VectorCache(folder, MODEL)
    for numbers in puts:
        cache.put(digests_of(numbers), vectors_of(numbers))
    there = [number for numbers in puts for number in numbers]
    assert cache.thin(digests_of(sorted(keep))) == sum(number not in keep for number in there)
    for held in (cache, VectorCache(folder, MODEL)):
        found, vectors = held.get(digests_of(range(61)))
        stay = sorted(set(there) & keep)
        assert np.flatnonzero(found).tolist() == stay
        assert (vectors == vectors_of(stay)).all() if stay else not len(vectors)
    assert len(shards(folder)) == sum(bool(set(numbers) & keep) for numbers in puts)
    assert cache.thin(digests_of(sorted(keep))) == 0


def test_models_do_not_share_vectors(tmp_path: Path) -> None:
    VectorCache(tmp_path, MODEL).put(digests_of([1]), vectors_of([1]))
    assert not VectorCache(tmp_path, "cd" * 32).get(digests_of([1]))[0].any()


def test_put_refuses_what_is_no_vector(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, MODEL)
    with pytest.raises(ValueError, match="finite"):
        cache.put(digests_of([1]), np.full((1, WIDTH), np.nan, dtype=np.float16))
    with pytest.raises(ValueError, match=r"float16\[2, d\]"):
        cache.put(digests_of([1, 2]), vectors_of([1]))
    assert shards(tmp_path) == []


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "empty"])
def test_damaged_shard_is_dropped_and_told(tmp_path: Path, damage: str) -> None:
    cache = VectorCache(tmp_path, MODEL)
    cache.put(digests_of(range(500)), vectors_of(range(500)))
    victim = shards(tmp_path)[0]
    cache.put(digests_of(range(500, 600)), vectors_of(range(500, 600)))
    content = bytearray(victim.read_bytes())
    if damage == "gone":
        victim.unlink()
    else:
        if damage == "flip":
            content[-4_000] ^= 0x40  # among the vectors, which make up the second half of the file
        victim.write_bytes({"flip": bytes(content), "cut": bytes(content[:-200]), "empty": b""}[damage])
    notes: list[str] = []
    fresh = VectorCache(tmp_path, MODEL, notes=notes.append)
    found, vectors = fresh.get(digests_of(range(600)))
    assert found.tolist() == [False] * 500 + [True] * 100
    np.testing.assert_array_equal(vectors, vectors_of(range(500, 600)))
    assert len(notes) == 1
    assert victim.name.partition(".")[0] in notes[0]
    assert not victim.exists()
    fresh.put(digests_of(range(500)), vectors_of(range(500)))
    found, vectors = fresh.get(digests_of(range(600)))
    assert found.all()
    np.testing.assert_array_equal(vectors, vectors_of(range(600)))
    assert len(notes) == 1


def test_only_shards_in_the_manifest_are_trusted(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, MODEL)
    cache.put(digests_of([1]), vectors_of([1]))
    kept = shards(tmp_path)[0]
    orphan, other = kept.with_name("0" * 32 + ".0.parquet"), kept.with_name("of another program.parquet")
    unfinished = kept.with_name("2" * 32 + ".0.parquet.tmp")
    cache.put(digests_of([2]), vectors_of([2]))
    second = next(path for path in shards(tmp_path) if path != kept)
    for copy in (orphan, other, unfinished):
        copy.write_bytes(second.read_bytes())
    with sqlite3.connect(tmp_path / MANIFEST) as connection:
        connection.execute("DELETE FROM artifacts WHERE name = ?", (second.name.partition(".")[0],))
    connection.close()
    assert cache.get(digests_of([1, 2]))[0].tolist() == [True, False], "also without opening the folder again"
    assert VectorCache(tmp_path, MODEL).get(digests_of([1, 2]))[0].tolist() == [True, False]
    assert shards(tmp_path) == sorted([kept, other])
    assert not unfinished.exists()


def test_a_file_that_is_about_to_be_named_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its new name and its row in the manifest nobody else may look for files without a row."""
    waiting, seen = threading.Event(), threading.Event()
    real = folder_module.flush_to_disk

    def slow(place: Path) -> None:
        waiting.set()
        seen.wait(0.5)
        real(place)

    cache = VectorCache(tmp_path, MODEL)
    monkeypatch.setattr(folder_module, "flush_to_disk", slow)
    putting = threading.Thread(target=lambda: cache.put(digests_of([1]), vectors_of([1])))
    putting.start()
    assert waiting.wait(10)
    assert len(shards(tmp_path)) == 1
    other = VectorCache(tmp_path, MODEL)  # waits for the writer
    seen.set()
    putting.join()
    assert other.get(digests_of([1]))[0].all()


def test_unreadable_manifest_is_made_again(tmp_path: Path) -> None:
    VectorCache(tmp_path, MODEL).put(digests_of([1]), vectors_of([1]))
    manifest = next(tmp_path.rglob(MANIFEST))
    manifest.write_bytes(b"not a database at all, but long enough to be read as one" * 40)
    notes: list[str] = []
    cache = VectorCache(tmp_path, MODEL, notes=notes.append)
    assert "unreadable" in notes[0]
    assert cache.get(digests_of([1]))[0].all(), "shards whose checksums are right are taken into the new manifest"
    cache.put(digests_of([2]), vectors_of([2]))
    assert cache.get(digests_of([1, 2]))[0].all()


def test_full_disk_is_a_cache_error_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = VectorCache(tmp_path, MODEL)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match="No space left on device"):
        cache.put(digests_of([1]), vectors_of([1]))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [MANIFEST]
    assert not cache.get(digests_of([1]))[0].any()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(CacheError, match=r"cannot use the folder .*: a part of the path is a file, not a folder"):
        VectorCache(blocked, MODEL)


WRITER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.store.test_vectors import MODEL, VectorCache, digests_of, vectors_of
start, count = int(sys.argv[2]), int(sys.argv[3])
cache = VectorCache(Path(sys.argv[1]), MODEL)
print("ready", flush=True)
for put in range(count):
    numbers = range(start + put * 200, start + (put + 1) * 200)
    cache.put(digests_of(numbers), vectors_of(numbers))
    print(numbers[-1], flush=True)
"""


def writer(folder: Path, start: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(start), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kill_loses_and_trusts_nothing_unfinished(tmp_path: Path) -> None:
    chance = random.Random(0)
    for attempt in range(4):
        start = attempt * 1_000_000
        process = writer(tmp_path, start, 100_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.05, 0.4))
        process.kill()
        reported = process.stdout.read().split("\n")[:-1]
        process.wait()
        process.stdout.close()
        notes: list[str] = []
        cache = VectorCache(tmp_path, MODEL, notes=notes.append)
        numbers = range(start, int(reported[-1]) + 1 if reported else start)
        found, vectors = cache.get(digests_of(numbers))
        assert found.all()
        assert notes == []
        if len(numbers):
            np.testing.assert_array_equal(vectors, vectors_of(numbers))


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    processes = [writer(tmp_path, part * 1_000, 5) for part in range(3)]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    found, vectors = VectorCache(tmp_path, MODEL).get(digests_of(range(3_000)))
    assert found.all()
    np.testing.assert_array_equal(vectors, vectors_of(range(3_000)))
