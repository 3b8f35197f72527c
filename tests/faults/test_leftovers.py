"""Temporary files of killed writers go with the next run; those of writers that live stay."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from harvestdetect import Settings
from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.errors import OutputError
from harvestdetect.ops.metrics import RunMetrics, write_metrics
from harvestdetect.report import OUTPUT_NAMES, check_writable
from harvestdetect.simulate import simulate
from harvestdetect.state import open_state
from harvestdetect.store.models import publish_folder
from harvestdetect.store.vectors import VectorCache
from harvestdetect.util import files as files_module
from harvestdetect.util.files import Unfinished, UnfinishedFolder, replacing, sweep

Kill = Callable[[], None]


@pytest.fixture
def writer(environment: Mapping[str, str]) -> Callable[[str, Path], Kill]:
    """Runs a program in a process of its own until it says that it writes; gives what kills it."""
    processes = []

    def start(program: str, folder: Path) -> Kill:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], env=dict(environment), stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "writes\n"

        def kill() -> None:
            process.send_signal(signal.SIGKILL)
            process.communicate()

        return kill

    return start


def here(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


ONE_FILE = (
    "import sys, time; from pathlib import Path; from harvestdetect.util.files import Unfinished\n"
    "file = Unfinished(Path(sys.argv[1]), 'run.json'); file.stream.write(b'x'); file.stream.flush()\n"
    "print('writes', flush=True); time.sleep(600)\n"
)
ONE_FOLDER = (
    "import sys, time; from pathlib import Path; from harvestdetect.util.files import UnfinishedFolder\n"
    "folder = UnfinishedFolder(Path(sys.argv[1], 'model')); (folder.path / 'a').write_text('x')\n"
    "print('writes', flush=True); time.sleep(600)\n"
)
ONE_SCAN = (
    "import sys, time; from pathlib import Path; from harvestdetect import report\n"
    "from harvestdetect.report import files; from harvestdetect.data import Detection\n"
    "def stuck(detection):\n"
    "    print('writes', flush=True); time.sleep(600)\n"
    "files.html_report = stuck\n"
    "report.write_outputs(Detection(findings=(), rejects=(), counts={}, settings={}, models={}, versions={},\n"
    "    files=(), stages=()), Path(sys.argv[1]))\n"
)


@pytest.mark.parametrize("program", [ONE_FILE, ONE_FOLDER])
def test_what_is_being_written_stays_until_its_writer_is_gone(
    writer: Callable[[str, Path], Kill], tmp_path: Path, program: str
) -> None:
    kill = writer(program, tmp_path)
    assert sweep(tmp_path) == 0
    assert len(here(tmp_path)) == 1
    kill()
    assert len(here(tmp_path)) == 1
    assert sweep(tmp_path) == 1
    assert here(tmp_path) == set()


def test_a_scan_that_was_killed_leaves_nothing_after_the_next(
    writer: Callable[[str, Path], Kill], tmp_path: Path
) -> None:
    kill = writer(ONE_SCAN, tmp_path)
    others = here(tmp_path)
    assert len(others) == len(OUTPUT_NAMES)
    check_writable(tmp_path)
    assert here(tmp_path) == others
    kill()
    own = [".x.tmp", "campaigns.jsonl.tmp", ".report.html.draft.tmp", ".notes.txt.12-0123abcd.tmp"]
    for name in own:
        (tmp_path / name).write_text("the user's own")
    (tmp_path / ".campaigns.jsonl.4711-0123abcd.tmp").write_text("as an earlier version named it")
    check_writable(tmp_path)
    assert here(tmp_path) == set(own)


def test_every_folder_is_swept_when_it_is_used(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("read", "vectors/m", "vectors/other", "models")}
    for place in places.values():
        (place / "half.tmp").mkdir(parents=True)
        (place / "half.tmp" / "a").touch()
        (place / "x.parquet.tmp").touch()
    ShardFolder(tmp_path / "read", settings=Settings(), cutting=Cutting())
    assert here(places["read"]) == set()
    VectorCache(tmp_path, "m")
    assert here(places["models"]) == here(places["vectors/other"]) == set()
    assert not [name for name in here(places["vectors/m"]) if name.endswith(".tmp")]
    (tmp_path / "models" / "half.tmp").mkdir()
    publish_folder(tmp_path / "models" / "made", lambda folder: (folder / "a").write_text("x") and None)
    assert here(places["models"]) == {"made"}


def test_single_files_are_swept_by_their_names(tmp_path: Path) -> None:
    names = [f".run.prom.{'0' * 16}.tmp", ".run.prom.12-01234567.tmp"]
    kept = f".other.prom.{'0' * 16}.tmp"
    for name in (*names, kept):
        (tmp_path / name).touch()
    write_metrics(tmp_path / "run.prom", RunMetrics(last_run=1.0, duration_seconds=1.0, exit_code=0))
    assert here(tmp_path) == {"run.prom", kept}
    dump = tmp_path / "trial" / "dump"
    dump.mkdir(parents=True)
    (dump / f".prompts-000.jsonl.gz.{'0' * 16}.tmp").touch()
    simulate(tmp_path / "trial", prompts=100, days=3)
    assert here(dump) == {"prompts-000.jsonl.gz"}


def test_under_the_lock_of_a_state_everything_temporary_is_left_over(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    open_state(folder, write=True).close()
    for place in ("", "read", "neighbors", "clusters/wording", "vectors/m", "models"):
        (folder / place / "half.tmp").mkdir(parents=True)
        (folder / place / "a.tmp").touch()
    open_state(folder).close()
    assert len(list(folder.rglob("*.tmp"))) == 12
    open_state(folder, write=True).close()
    assert not list(folder.rglob("*.tmp"))


def test_writers_and_sweepers_at_once_lose_nothing(tmp_path: Path) -> None:
    stop = threading.Event()

    def sweeping() -> None:
        while not stop.is_set():
            sweep(tmp_path)

    sweepers = [threading.Thread(target=sweeping) for _ in range(2)]
    for thread in sweepers:
        thread.start()
    try:
        for number in range(150):
            with Unfinished(tmp_path, "a") as file:
                file.stream.write(b"%d" % number)
                os.replace(file.path, tmp_path / f"{number}")  # without waiting for the disk
            with UnfinishedFolder(tmp_path / f"folder-{number}") as folder:
                (folder.path / "a").touch()
                folder.path.rename(tmp_path / f"folder-{number}")
    finally:
        stop.set()
        for thread in sweepers:
            thread.join()
    assert here(tmp_path) == {f"{kind}{n}" for kind in ("", "folder-") for n in range(150)}
    assert all((tmp_path / f"folder-{n}" / "a").exists() for n in range(150))


def test_without_locks_age_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with Unfinished(tmp_path, "a") as file:
        file.stream.write(b"x")
        assert sweep(tmp_path) == 0
        file.publish(tmp_path / "a")
    old = tmp_path / "old.tmp"
    old.touch()
    assert sweep(tmp_path) == 0
    long_ago = time.time() - files_module.UNLOCKABLE_SECONDS - 9
    os.utime(old, (long_ago, long_ago))
    assert sweep(tmp_path) == 1
    assert here(tmp_path) == {"a"}


def test_only_files_and_folders_are_swept(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tmp")
    (tmp_path / "kept").write_text("x")
    (tmp_path / "link.tmp").symlink_to(tmp_path / "kept")
    (tmp_path / "kept-folder").mkdir()
    (tmp_path / "link-to-folder.tmp").symlink_to(tmp_path / "kept-folder")
    assert sweep(tmp_path) == 0
    assert len(here(tmp_path)) == 5
    assert sweep(tmp_path / "none") == 0


def test_a_failed_write_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    with replacing(target) as stream:
        stream.write(b"one")
    with pytest.raises(TypeError), replacing(target) as stream:
        stream.write("no bytes")  # type: ignore[arg-type]
    assert (here(tmp_path), target.read_bytes()) == ({"a"}, b"one")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), replacing(target) as stream:
        stream.write(b"two")
    with pytest.raises(OutputError, match="the disk is full"):
        check_writable(tmp_path)
    assert (here(tmp_path), target.read_bytes()) == ({"a"}, b"one")


def test_a_cache_that_is_written_has_no_temporary_files(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, "m")
    digests = np.frombuffer(b"0123456789abcdef", "V16")
    cache.put(digests, np.ones((1, 4), np.float16))
    assert cache.contains(digests).all()
    assert not list(tmp_path.rglob("*.tmp"))
