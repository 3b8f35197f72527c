"""Disks that are full, read-only or broken: a scan goes on without what only saves time, and says so once."""

from __future__ import annotations

import errno
import gc
import gzip
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harvestdetect import detect
from harvestdetect.cli.main import run_command
from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.prepare_parallel import ParallelPreparer
from harvestdetect.data import Detection
from harvestdetect.dump import read_dumps
from harvestdetect.embed import distill
from harvestdetect.embed import encoders as encode
from harvestdetect.embed.encoders import encode_texts, load_encoder, spare_cache
from harvestdetect.engines.engine import map_in_order
from harvestdetect.engines.processes import Processes
from harvestdetect.errors import CacheError, InputError, OutputError, ScratchError
from harvestdetect.report import write_outputs
from harvestdetect.report.files import accounts_csv, campaigns_jsonl, candidates_jsonl
from harvestdetect.settings import Settings
from harvestdetect.simulate import simulate
from harvestdetect.state import open_state
from harvestdetect.store import folder as cache_module
from harvestdetect.store.vectors import VectorCache
from harvestdetect.util.disk import SpareFolder, check_room, reason_of
from harvestdetect.util.scratch import ScratchFile
from harvestdetect.util.texts import write_texts
from harvestdetect.util.vectors import RowFile

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="files are told by /proc")
FULL = OSError(errno.ENOSPC, "No space left on device")
NOW = 1_783_000_000
"""After the last prompt of the simulated dump."""


@dataclass(frozen=True, slots=True)
class Made:
    """A dump in three files, and what a scan on good disks says of it."""

    files: tuple[Path, ...]
    answer: tuple[str, ...]


def answer_of(detection: Detection) -> tuple[str, ...]:
    return campaigns_jsonl(detection), accounts_csv(detection), candidates_jsonl(detection)


def scan(files: tuple[Path, ...], cache: Path, **changes: Any) -> Detection:
    settings = Settings(encoder="fast", workers=1, threads=1, cache=cache).replace(**changes)
    return detect(read_dumps(files, settings=settings), settings=settings)


def given_up(detection: Detection) -> list[str]:
    return [note for note in detection.notes if "going on without" in note or "not kept" in note]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Made:
    folder = tmp_path_factory.mktemp("made")
    simulation = simulate(folder, prompts=900, harvest_share=0.4, campaigns=2, seed=5)
    lines = b"".join(gzip.decompress(file.read_bytes()) for file in simulation.files).splitlines(keepends=True)
    files = tuple(folder / f"{i}.jsonl" for i in range(3))
    for i, file in enumerate(files):
        file.write_bytes(b"".join(lines[i::3]))
    found = scan(files, cache)
    assert found.findings
    return Made(files, answer_of(found))


def break_disk(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int, *, after: int = 0) -> Callable[[], int]:
    """Has writes below a folder fail from some call on: flushing, and writing by place. Returns how many failed."""
    failed, left = 0, after

    def broken(name: str) -> None:
        real = getattr(os, name)

        def call(handle: int, *arguments: Any) -> Any:
            nonlocal failed, left
            if os.readlink(f"/proc/self/fd/{handle}").startswith(str(folder)):
                left -= 1
                if left < 0:
                    failed += 1
                    raise OSError(number, os.strerror(number))
            return real(handle, *arguments)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "pwrite"):
        broken(name)
    return lambda: failed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts file systems in memory, of a size such as ``1m``."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            pytest.skip(f"no file system can be mounted: {error}")
        if done.returncode:
            pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:  # lazily: a process that is about to end may have a file open
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# ---------------------------------------------------------------- why, and whether there is room


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "permission denied"),
        (errno.ENOTDIR, "a part of the path is a file, not a folder"),
        (errno.EIO, "the disk fails (input/output error)"),
    ],
)
def test_the_reason_is_found_below_other_errors(number: int, said: str) -> None:
    error = OSError(number, "x")
    assert reason_of(error) == said

    def above() -> None:
        try:
            raise error
        except OSError:
            raise CacheError("cannot write") from None

    with pytest.raises(CacheError) as raised:
        above()
    assert reason_of(raised.value) == said


def test_the_reason_of_what_is_no_error_of_the_system() -> None:
    assert reason_of("words") == "words"
    assert reason_of(sqlite3.OperationalError("database or disk is full\nmore")) == "database or disk is full"
    assert reason_of(ValueError()) == "ValueError"
    assert "disk is full" in reason_of(OSError("25 requested and 10 written"))  # as numpy says it


def test_a_spare_folder_says_once_why_it_is_given_up(tmp_path: Path) -> None:
    notes: list[str] = []
    spare = SpareFolder(tmp_path, what="work folder", instead="nothing is kept", notes=notes.append)
    assert spare.writable
    spare.give_up(FULL)
    spare.give_up(OSError(errno.EIO, "x"))
    assert not spare.writable
    assert notes == [f"going on without the work folder {tmp_path}: the disk is full; nothing is kept"]


def test_room_is_looked_for_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path / "new" / "folder", 1_000_000)
    assert list((tmp_path / "new" / "folder").iterdir()) == []

    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        check_room(tmp_path, 1_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


# ---------------------------------------------------------------- temporary files


@LINUX
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_temporary_file_moves_off_a_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    notes: list[str] = []
    spare = SpareFolder(folder, what="work folder", instead="", notes=notes.append)
    rows = RowFile(3_000_000, 4, folder=spare)
    expected = np.zeros((3_000_000, 4), np.float16)
    failed = break_disk(monkeypatch, folder, errno.ENOSPC, after=after)
    for start in (2_999_990, 5, 1_500_000, 70_000, 0, 2_000_000):
        expected[start : start + 10] = rows_of(start)
        rows[start : start + 10] = rows_of(start)
    assert failed() == 1
    np.testing.assert_array_equal(rows[:], expected)
    assert len(notes) == 1
    later = ScratchFile(spare)
    later.write(0, memoryview(b"elsewhere"))
    assert (later.read(0, 9), failed()) == (b"elsewhere", 1)


def rows_of(start: int) -> np.ndarray[Any, np.dtype[np.float16]]:
    return np.random.default_rng(start).random((10, 4)).astype(np.float16)


def test_a_full_temporary_folder_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ScratchFile(tmp_path)

    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ScratchError, match=rf"in {tmp_path}: the disk is full; free some space there, or set TMPDIR"):
        file.write(0, memoryview(b"x"))
    with pytest.raises(ScratchError, match=r"a part of the path is a file|No such file"):
        ScratchFile(tmp_path / "none")


@LINUX
def test_a_scan_with_a_full_temporary_folder_ends_with_one_line(
    made: Made, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    break_disk(monkeypatch, temporary, errno.ENOSPC, after=3)
    options = ["--out", str(tmp_path / "out"), "--encoder", "fast", "--workers", "1", "--cache", str(cache)]
    assert run_command(["scan", *map(str, made.files), *options, "-q"]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"harvestdetect: cannot write a temporary file in {temporary}: the disk is full; free some space there, or set "
        "TMPDIR to a folder on another disk\n"
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_a_packed_parquet_file_that_cannot_be_spooled_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"account": ["a"], "prompt": ["b"]}), tmp_path / "a.parquet")
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))

    class Spool:
        """What is small waits in a buffer, and fails when that is written."""

        def __enter__(self) -> Spool:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, data: bytes) -> int:
            return len(data)

        def seek(self, place: int) -> int:
            raise FULL

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Spool())
    with pytest.raises(
        InputError, match=r"in the temporary folder .*: the disk is full; free some space there, or set"
    ):
        list(read_dumps([tmp_path / "a.parquet.gz"]))


# ---------------------------------------------------------------- the work folder


@LINUX
@pytest.mark.parametrize(
    ("number", "after", "said"),
    [
        (errno.ENOSPC, 0, "the disk is full"),
        (errno.EDQUOT, 40, "the disk quota is used up"),
        (errno.EIO, 75, "the disk fails (input/output error)"),
    ],
)
@pytest.mark.usefixtures("loaded_once")
def test_a_work_folder_that_fails_is_noted_once_and_changes_nothing(
    made: Made, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, after: int, said: str
) -> None:
    """At once, while the first files are kept, and when all files were kept."""
    work = tmp_path / "work"
    failed = break_disk(monkeypatch, work, number, after=after)
    found = scan(made.files, cache, work=work)
    assert 1 <= failed() <= 3  # each file that is open fails once, and nothing is tried again
    assert answer_of(found) == made.answer
    instead = "nothing more is kept for the next scan, and temporary files go to TMPDIR"
    assert given_up(found) == [f"going on without the work folder {work}: {said}; {instead}"]
    assert not list(work.rglob("*.tmp"))
    monkeypatch.undo()
    again = scan(made.files, cache, work=work)
    assert (answer_of(again), given_up(again)) == (made.answer, [])


@pytest.mark.parametrize("name", ["", "read", "neighbors", "vectors"])
@pytest.mark.usefixtures("loaded_once")
def test_a_file_in_place_of_a_folder_is_noted_once(made: Made, cache: Path, tmp_path: Path, name: str) -> None:
    work = tmp_path / "work"
    if name:
        work.mkdir()
    (work / name).write_text("in the way")
    found = scan(made.files, cache, work=work)
    assert answer_of(found) == made.answer
    (note,) = given_up(found)
    assert note.startswith(f"going on without the work folder {work}: a part of the path is a file, not a folder;")


@pytest.mark.usefixtures("loaded_once")
def test_a_work_folder_on_a_disk_of_a_megabyte(made: Made, cache: Path, small_disk: Callable[[str], Path]) -> None:
    work = small_disk("1m")
    found = scan(made.files, cache, work=work)
    assert answer_of(found) == made.answer
    (note,) = given_up(found)
    assert note.startswith(f"going on without the work folder {work}: the disk is full;")
    assert not list(work.rglob("*.tmp"))


@LINUX
def test_a_scan_leaves_no_file_open(made: Made, cache: Path, tmp_path: Path) -> None:
    gc.collect()
    gc.disable()  # no file waits for it
    try:
        scan(made.files, cache, work=tmp_path)
        still = [
            os.readlink(f"/proc/self/fd/{name}")
            for name in os.listdir("/proc/self/fd")
            if name.isdigit() and os.path.lexists(f"/proc/self/fd/{name}")
        ]
    finally:
        gc.enable()
    assert [path for path in still if path.startswith(str(tmp_path))] == []


@pytest.mark.usefixtures("loaded_once")
def test_a_work_folder_that_became_read_only_is_still_read(
    made: Made, cache: Path, small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = small_disk("20m")
    scan(made.files, cache, work=work)
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.shard")}
    subprocess.run(["mount", "-o", "remount,ro", str(work)], check=True)
    monkeypatch.setattr("harvestdetect.corpus.prepare_parallel.prepare", lambda *_: pytest.fail("was read again"))
    found = scan(made.files, cache, work=work)
    assert answer_of(found) == made.answer
    (note,) = given_up(found)
    assert note.startswith(f"going on without the work folder {work}: ")
    assert "read-only" in note
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*.shard")} == before


def test_a_database_error_that_nobody_expected_is_no_internal_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("harvestdetect.dump.expand_sources", full)
    assert run_command(["scan", "a", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "cannot use a database of the cache or the state: database or disk is full; check whether" in said
    assert "its disk is full" in said
    assert "internal error" not in said


@pytest.mark.usefixtures("loaded_once")
def test_a_shard_that_breaks_off_is_read_again_from_where_it_broke(tmp_path: Path, made: Made) -> None:
    from harvestdetect.corpus.shards import ShardFolder

    settings, cutting = Settings(), Cutting(segment_characters=300, max_windows=4, registry=None)
    spare = SpareFolder(tmp_path, what="work folder", instead="")
    shards = ShardFolder(tmp_path / "read", settings=settings, cutting=cutting, spare=spare)

    def lines(broken: bool) -> list[int]:
        taken: list[int] = []
        with ParallelPreparer(cutting, lambda block, _: taken.extend(block.line.tolist()), shards=shards) as preparer:
            for file in read_dumps(made.files[:1], batch_rows=50).files():
                sha256 = file.sha256()
                assert sha256 is not None
                if broken:
                    held = shards.open(file.name, sha256)
                    assert held is not None
                    del held._blocks[3:]
                    held._blocks.append([10**6] * len(held._blocks[0]))
                    with pytest.MonkeyPatch.context() as patch:
                        patch.setattr(shards, "open", lambda *_, held=held: held)
                        list(preparer.add_file(file.batches, file=0, name=file.name, sha256=sha256))
                else:
                    list(preparer.add_file(file.batches, file=0, name=file.name, sha256=sha256))
            preparer.finish()
        return taken

    whole = lines(False)
    assert len(whole) == 300
    assert lines(True) == whole


# ---------------------------------------------------------------- the cache


def small_model() -> distill.StaticModel:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    return distill._model(np.ones((2, 4), np.float32), tokenizer.to_str())


def test_a_made_model_that_finds_no_room_is_said_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))

    def full(folder: Path, size: int) -> None:
        order.append("room")
        raise FULL

    def make(transformer: object) -> distill.StaticModel:
        order.append("made")
        return small_model()

    monkeypatch.setattr(distill, "check_room", full)
    monkeypatch.setattr(distill, "distill", make)
    spare = SpareFolder(tmp_path / "c", what="cache folder", instead="", notes=order.append)
    model = distill.static_model(tmp_path / "c" / "models", "5" * 64, lambda: None, notes=order.append, spare=spare)  # type: ignore[arg-type,return-value]
    assert model.digest == small_model().digest
    assert order == ["room", f"going on without the cache folder {tmp_path / 'c'}: the disk is full;", "made"]


@pytest.mark.parametrize("kind", ["safetensors", "tokenizers", "system"])
def test_a_made_model_that_cannot_be_written_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Each library has another exception for a full disk."""
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    said = "I/O error: No space left on device (os error 28)"
    error = {"safetensors": SafetensorError(said), "tokenizers": Exception(said), "system": FULL}[kind]

    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(SentenceTransformer, "save_pretrained", full)
    monkeypatch.setattr(distill, "distill", lambda transformer: small_model())
    notes: list[str] = []
    spare = SpareFolder(tmp_path, what="cache folder", instead="", notes=notes.append)
    model = distill.static_model(tmp_path / "models", "5" * 64, lambda: None, notes=notes.append, spare=spare)  # type: ignore[arg-type,return-value]
    assert model.digest == small_model().digest
    assert len(notes) == 1
    assert not spare.writable
    assert list((tmp_path / "models").iterdir()) == []


@pytest.fixture
def usual(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's cache folder has the made model."""
    load_encoder("wording", settings=Settings(cache=cache))
    (tmp_path / "xdg").mkdir()
    (tmp_path / "xdg" / "harvestdetect").symlink_to(cache.resolve())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.mark.usefixtures("usual")
def test_a_cache_on_a_disk_of_a_megabyte(
    made: Made, small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The made model does not fit; the one in the user's own folder saves making it."""
    monkeypatch.setattr(distill, "distill", None)
    folder = small_disk("1m")
    found = scan(made.files, folder)
    assert answer_of(found) == made.answer
    (note,) = given_up(found)
    assert note.startswith(f"going on without the cache folder {folder}: the disk is full; no vectors and models are")
    assert [path.name for path in folder.rglob("*")] == ["models"]


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize("kind", ["file", "no home"])
def test_a_cache_that_cannot_be_made(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(distill, "distill", lambda transformer: pytest.fail("was made"))
    if kind == "file":
        (tmp_path / "file").write_text("x")
        spare = spare_cache(Settings(cache=tmp_path / "file"))
    else:

        def unknown(folder: Path | None = None) -> Path:
            raise CacheError("no home folder is known")

        monkeypatch.setattr(encode, "cache_folder", unknown)
        spare = spare_cache(Settings())
        assert not spare.writable
    encoder = load_encoder("wording", settings=Settings(), spare=spare)
    assert not spare.writable
    assert encoder.encode(["a text"]).shape == (1, 256)


def test_no_home_folder_is_an_error_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(CacheError, match="no home folder is known; set HOME or XDG_CACHE_HOME, or name a cache folder"):
        cache_module.cache_folder()


class Toy:
    """Vectors of digests."""

    name, digest, dimensions = "toy", "ab" * 32, 4

    def encode(self, texts: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
        values = np.array([[len(t) + 1, sum(map(ord, t)), 1, 2] for t in texts], np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.mark.parametrize("said", ["database or disk is full", "attempt to write a readonly database", "disk I/O error"])
def test_a_manifest_that_cannot_be_written_leaves_nothing_and_ends_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    notes: list[str] = []
    spare = SpareFolder(tmp_path, what="cache folder", instead="", notes=notes.append)
    cache = VectorCache(tmp_path, Toy.digest, spare=spare)
    real = sqlite3.connect

    class Broken(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            if statement.startswith("INSERT"):
                raise sqlite3.OperationalError(said)
            return super().execute(statement, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, factory=Broken))
    monkeypatch.setattr(encode, "SHARD_ROWS", 64)
    names = [f"text {i}" for i in range(300)]
    digests = np.array([f"{i:016}".encode() for i in range(300)], "S16").view("V16")
    found = encode_texts(Toy(), digests, write_texts(names), cache=cache, batch_size=1)
    np.testing.assert_array_equal(found, encode_texts(Toy(), digests, write_texts(names)))
    assert notes == [f"going on without the cache folder {tmp_path}: {said};"]
    assert not list(tmp_path.rglob("*.parquet*"))


def test_a_vector_cache_on_a_small_disk_fails_in_the_middle(small_disk: Callable[[str], Path]) -> None:
    folder = small_disk("300k")
    notes: list[str] = []
    spare = SpareFolder(folder, what="cache folder", instead="", notes=notes.append)
    cache = VectorCache(folder, Toy.digest, spare=spare)
    digests = np.array([f"{i:016}".encode() for i in range(30_000)], "S16").view("V16")
    vectors = np.ones((1_000, 4), np.float16)
    done = 0
    try:
        for start in range(0, 30_000, 1_000):
            cache.put(digests[start : start + 1_000], vectors)
            done += 1_000
    except CacheError as error:
        spare.give_up(error)
    assert len(notes) == 1
    assert 0 < done < 30_000
    assert cache.contains(digests).sum() == done
    assert len(list(folder.rglob("*.parquet*"))) == done // 1_000


# ---------------------------------------------------------------- processes


@pytest.mark.usefixtures("loaded_once")
def test_no_room_for_the_queues_of_processes_means_one_process(monkeypatch: pytest.MonkeyPatch, made: Made) -> None:
    def full(*_: object, **__: object) -> None:
        raise FULL

    monkeypatch.setattr("harvestdetect.engines.processes.ProcessPoolExecutor", full)
    assert list(map_in_order(Processes(3), abs, [-1, 2])) == [1, 2]
    monkeypatch.setattr("harvestdetect.corpus.prepare_parallel.START_ROWS", 10)
    taken: list[int] = []
    cutting = Cutting(segment_characters=300, max_windows=4, registry=None)
    with ParallelPreparer(cutting, lambda block, _: taken.append(len(block.line)), engine=Processes(3)) as preparer:
        for batch in read_dumps(made.files, batch_rows=100):
            if batch.prompts.num_rows:
                preparer.add(batch.prompts)
        preparer.finish()
    assert sum(taken) == 900


# ---------------------------------------------------------------- the results, and a state


def test_results_on_a_full_disk_leave_those_of_before(
    made: Made, cache: Path, small_disk: Callable[[str], Path]
) -> None:
    out = small_disk("1m")
    found = scan(made.files, cache)
    write_outputs(found, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    free = os.statvfs(out)
    (out / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - 100_000))
    with pytest.raises(OutputError, match="the disk is full; free some space or give --out a folder on another disk"):
        write_outputs(found, out)
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "filler"}
    assert after == before


def known(state: Any) -> list[tuple[str, str, int]]:
    return [(c.campaign_id, c.status, c.accounts) for c in state.campaigns()]


@LINUX
@pytest.mark.usefixtures("loaded_once")
def test_a_state_that_cannot_keep_what_only_saves_time_goes_on(
    made: Made, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(encoder="fast", workers=1, threads=1, cache=cache)
    folder = tmp_path / "state"
    folder.mkdir()
    for name in ("vectors", "neighbors"):
        (folder / name).write_text("in the way")
    notes: list[str] = []
    with open_state(folder, write=True) as state:
        run = state.scan(made.files, settings=settings, now=NOW, notes=notes.append)
    assert run.detection.findings
    (note,) = [note for note in notes if "going on without" in note]
    assert note == (
        f"going on without the vectors and neighbours in the state {folder}: a part of the path is a file, not a "
        "folder; the next run makes them again"
    )


@LINUX
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.usefixtures("loaded_once")
def test_a_state_that_cannot_keep_what_it_reads_fails_and_stays_as_it_is(
    made: Made, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    settings = Settings(encoder="fast", workers=1, threads=1, cache=cache)
    folder = tmp_path / "state"
    with open_state(folder, write=True) as state:
        state.scan(made.files[:2], settings=settings, now=NOW)
        before = known(state)
        break_disk(monkeypatch, folder / "read", number)
        with pytest.raises(
            CacheError, match=f"cannot write to {folder}/read: .*; mend that and run it again: what was"
        ):
            state.scan(made.files, settings=settings, now=NOW + 60)
        monkeypatch.undo()
        assert known(state) == before
        assert state.verify() == []
        assert not list(folder.rglob("*.tmp"))
        after = state.scan(made.files, settings=settings, now=NOW + 120)
    assert after.new_files == 1
    with open_state(tmp_path / "fresh", write=True) as state:
        fresh = state.scan(made.files, settings=settings, now=NOW)
    assert {f.prompts for f in fresh.detection.findings} == {f.prompts for f in after.detection.findings}


# ---------------------------------------------------------------- everything at once, as a command


@LINUX
def test_a_limit_on_the_size_of_files_ends_no_scan_in_an_internal_error(
    made: Made, tmp_path: Path, environment: Mapping[str, str]
) -> None:
    """Temporary files and the work folder have the same limit, so the scan fails; it says why."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from harvestdetect.cli.main import main; main(sys.argv[1:])"
    )
    options = ["--out", str(tmp_path / "out"), "--encoder", "fast", "--workers", "1", "--work", str(tmp_path / "work")]
    done = subprocess.run(
        [sys.executable, "-c", code, "scan", *map(str, made.files), *options],
        env=environment, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 1
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: going on without")]
    assert len(notes) == 1
    assert "a file may not become larger (ulimit -f)" in notes[0]
    assert "harvestdetect: cannot write a temporary file in" in done.stderr
    assert "internal error" not in done.stderr
