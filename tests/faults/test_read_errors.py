"""Errors of a disk that pass: what is kept between runs stays, whoever reads it, and only wrong bytes are damage."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import Neighbors
from harvestdetect.errors import CacheError, UnreadableError
from harvestdetect.state import open_state
from harvestdetect.store.models import is_whole, publish_folder
from harvestdetect.store.tables import Kept, keep_neighbors, kept_digests, kept_neighbors
from harvestdetect.store.vectors import VectorCache
from harvestdetect.util.retries import WAITS, retried

ERRORS = [errno.EIO, errno.EAGAIN, errno.ESTALE, errno.EMFILE, errno.ENOMEM]


def failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvestdetect.util.retries.WAITS", (0.0, 0.0, 0.0))


def write_dump(file: Path) -> None:
    rows = [{"account": f"a{i % 7}", "timestamp": 1_780_000_000 + i, "prompt": f"text {i}"} for i in range(60)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


class Fails:
    """A function that fails a number of times before it does its work."""

    def __init__(self, real: Callable[..., Any], times: int, error: Callable[[], Exception]) -> None:
        self.real, self.left, self.error = real, times, error

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        if self.left:
            self.left -= 1
            raise self.error()
        return self.real(*arguments, **more)


# ---------------------------------------------------------------- the rule


@pytest.mark.parametrize("code", ERRORS)
def test_a_read_is_tried_again(code: int) -> None:
    read = Fails(lambda: 7, len(WAITS), lambda: failure(code))
    assert retried(read, "file") == 7


@pytest.mark.parametrize("code", ERRORS)
def test_a_read_that_keeps_failing_is_an_error_of_its_own(code: int) -> None:
    read = Fails(lambda: 7, len(WAITS) + 1, lambda: failure(code))
    with pytest.raises(UnreadableError, match=r"cannot read some/file: .*; it was not changed"):
        retried(read, "some/file")
    assert issubclass(UnreadableError, CacheError)


def test_what_is_absent_is_no_read_error() -> None:
    for error in (FileNotFoundError(errno.ENOENT, "gone"), NotADirectoryError(errno.ENOTDIR, "no folder")):
        read = Fails(lambda: 7, 1, lambda error=error: error)  # type: ignore[misc]
        with pytest.raises(type(error)):
            retried(read, "file")


def test_a_refusal_is_not_tried_again() -> None:
    read = Fails(lambda: 7, 1, lambda: failure(errno.EACCES))
    with pytest.raises(UnreadableError, match="Permission denied"):
        retried(read, "file")


# ---------------------------------------------------------------- vectors


def filled(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    digests = np.arange(320, dtype=np.uint64).view("V16")
    vectors = np.arange(160 * 4, dtype=np.float16).reshape(160, 4) / 8
    VectorCache(folder, "m" * 32).put(digests, vectors)
    return digests, vectors


@pytest.mark.parametrize("times", [2, 1_000])
@pytest.mark.parametrize("at", ["index", "vectors"])
def test_vectors_that_cannot_be_read_now_stay(
    at: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests, vectors = filled(tmp_path)
    (shard,) = tmp_path.rglob("*.parquet")
    notes: list[str] = []
    cache = VectorCache(tmp_path, "m" * 32, notes=notes.append)
    if at == "vectors":
        assert cache.contains(digests).all()
    monkeypatch.setattr(pq, "ParquetFile", Fails(pq.ParquetFile, times, lambda: failure(errno.EIO)))
    found, got = cache.get(digests)
    if times == 2:
        assert found.all()
        assert not notes
    else:
        assert not found.any()
        assert "cannot be read now" in notes[0]
        cache.thin(np.sort(digests[:10].view("S16")).view("V16"))
    monkeypatch.undo()
    assert shard.exists()
    found, got = VectorCache(tmp_path, "m" * 32, notes=notes.append).get(digests)
    assert found.all()
    np.testing.assert_array_equal(got, vectors)


def test_an_emptied_manifest_costs_no_vectors(tmp_path: Path) -> None:
    digests, vectors = filled(tmp_path)
    (manifest,) = tmp_path.rglob("manifest.sqlite")
    (shard,) = tmp_path.rglob("*.parquet")
    strange = shard.with_name("0" * 32 + ".0.parquet")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    strange.write_bytes(content)
    for path in (shard, strange):
        os.utime(path, (0, 0))
    for path in manifest.parent.glob("manifest.sqlite*"):
        path.unlink()
    manifest.write_bytes(b"")
    found, got = VectorCache(tmp_path, "m" * 32).get(digests)
    assert found.all()
    np.testing.assert_array_equal(got, vectors)
    assert not strange.exists(), "an old one whose checksums are wrong goes, as before"


# ---------------------------------------------------------------- folders written once


def fail_reads(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    import harvestdetect.store.models as module

    monkeypatch.setattr(module, "file_digest", Fails(module.file_digest, times, lambda: failure(errno.EIO)))


def test_a_folder_that_cannot_be_read_now_is_not_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "made"
    publish_folder(folder, lambda inside: (inside / "a").write_text("1") and None)
    inode = folder.stat().st_ino
    with monkeypatch.context() as patch:
        fail_reads(patch, 2)
        assert is_whole(folder)
    with monkeypatch.context() as patch:
        fail_reads(patch, 1_000)
        with pytest.raises(UnreadableError):
            is_whole(folder)
    real = shutil.rmtree
    removed: list[Path] = []

    def noticed(path: Path, **more: Any) -> None:
        removed.append(Path(path))
        real(path, **more)

    with monkeypatch.context() as patch:
        import harvestdetect.store.models as module

        # the digests of the new content are right, the old content cannot be read
        reads = Fails(module.file_digest, 1_000, lambda: failure(errno.EIO))
        digest = module.file_digest
        patch.setattr(module, "file_digest", lambda path: reads(path) if path.parent == folder else digest(path))
        patch.setattr(module.shutil, "rmtree", noticed)
        with pytest.raises(CacheError):
            publish_folder(folder, lambda inside: (inside / "a").write_text("2") and None)
    assert folder not in removed
    assert folder.stat().st_ino == inode
    assert is_whole(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_neighbours_that_cannot_be_read_now_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(
        digest=np.arange(4, dtype=np.uint64).view("V16"),
        neighbors=Neighbors(index=np.zeros((2, 1), np.int32), distance=np.zeros((2, 1), np.float32)),
    )
    keep_neighbors(tmp_path, "k", kept)

    def fail_parquet(patch: pytest.MonkeyPatch, times: int) -> None:
        patch.setattr(pq, "ParquetFile", Fails(pq.ParquetFile, times, lambda: failure(errno.EIO)))

    with monkeypatch.context() as patch:
        fail_parquet(patch, 2)
        assert kept_neighbors(tmp_path, "k") is not None
    notes: list[str] = []
    with monkeypatch.context() as patch:
        fail_parquet(patch, 1_000)
        assert kept_neighbors(tmp_path, "k", notes=notes.append) is None
        assert "cannot read" in notes[0]
        with pytest.raises(UnreadableError):
            kept_digests(tmp_path)
    assert kept_neighbors(tmp_path, "k") is not None


# ---------------------------------------------------------------- a scan with a work folder


def test_a_work_folder_that_cannot_be_read_costs_only_time(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump, work = tmp_path / "dump.jsonl", tmp_path / "work"
    write_dump(dump)
    settings = Settings(encoder="fast", workers=1, threads=1, cache=cache, work=work)
    first = detect(read_dumps([dump]), settings=settings)
    (shard,) = (work / "read").glob("*.shard")
    content = shard.read_bytes()
    real = Path.open

    def opened(path: Path, mode: str = "r", *arguments: Any, **more: Any) -> Any:
        if path.suffix == ".shard":
            raise failure(errno.EIO)
        return real(path, mode, *arguments, **more)

    monkeypatch.setattr(Path, "open", opened)
    again = detect(read_dumps([dump]), settings=settings)
    monkeypatch.undo()
    assert again.counts == first.counts
    assert shard.read_bytes() == content


# ---------------------------------------------------------------- a real disk, as far as strace can play one


def can_inject(tmp_path: Path) -> bool:
    tool = shutil.which("strace")
    if tool is None:
        return False
    probe = [
        tool,
        "-f",
        "-o",
        os.devnull,
        "-e",
        "inject=getcwd:error=EIO",
        sys.executable,
        "-c",
        "import os; os.getcwd()",
    ]
    done = subprocess.run(probe, capture_output=True, cwd=tmp_path, check=False)
    return done.returncode == 1 and b"Input/output error" in done.stderr


@pytest.mark.parametrize(("when", "code"), [("1", 0), ("1+", 1)])
def test_verify_on_a_failing_disk_unlinks_nothing(
    when: str, code: int, tmp_path: Path, cache: Path, environment: Mapping[str, str]
) -> None:
    if not can_inject(tmp_path):
        pytest.skip("strace cannot inject errors here")
    folder, dump = tmp_path / "state", tmp_path / "dump.jsonl"
    write_dump(dump)
    with open_state(folder, write=True) as state:
        state.scan([dump], settings=Settings(encoder="fast", workers=1, threads=1, cache=cache))
    (shard,) = (folder / "read").glob("*.shard")
    content = shard.read_bytes()
    command = ["strace", "-f", "-o", os.devnull, "-P", str(shard), "-e", f"inject=read:error=EIO:when={when}"]
    command += [sys.executable, "-m", "harvestdetect", "state", "verify", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done
    assert ("cannot be checked" in done.stdout) == bool(code)
    assert shard.read_bytes() == content
