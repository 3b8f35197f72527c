"""What a scan writes is for its user alone, unless it is shared with the group on purpose."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.cli.main import main
from harvestdetect.report import write_outputs
from harvestdetect.state import open_state
from harvestdetect.store.folder import MANIFEST
from harvestdetect.store.models import publish_folder
from harvestdetect.store.vectors import VectorCache
from harvestdetect.util.files import Unfinished, create_private, make_folder, set_modes, shared_with_group

START = 1_780_272_000
PRIVATE = {"files": {0o600}, "folders": {0o700}}
SHARED = {"files": {0o660}, "folders": {0o770}}


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, set[int]]:
    """Modes of the files and folders below a folder, itself included."""
    found: dict[str, set[int]] = {"files": set(), "folders": set()}
    for path in (folder, *folder.rglob("*")):
        found["folders" if path.is_dir() else "files"].add(stat.S_IMODE(path.stat().st_mode))
    return found


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    file = tmp_path / "day.jsonl"
    rows = [
        {"account": f"a{i % 9}", "timestamp": START + i, "prompt": f"what is thing {i} good for {i * 7}?"}
        for i in range(60)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def run_main(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


def scan(dump: Path, folder: Path, *more: str | Path) -> None:
    said = ["--encoder", "fast", "--no-cache", "--workers", "1", "--quiet", *more]
    assert run_main("scan", dump, "--out", folder / "a" / "out", "--state", folder / "state", *said) == 0


def test_a_scan_keeps_what_it_writes_to_itself(dump: Path, tmp_path: Path) -> None:
    with umask(0o002):
        scan(dump, tmp_path, "--metrics", tmp_path / "run.prom")
    for name in ("a", "state"):
        assert modes(tmp_path / name) == PRIVATE, name
    assert stat.S_IMODE((tmp_path / "run.prom").stat().st_mode) == 0o644


def test_so_do_the_functions(dump: Path, tmp_path: Path, cache: Path) -> None:
    seen: list[dict[str, set[int]]] = []
    settings = Settings(encoder="fast", workers=1, threads=1, cache=cache)
    with umask(0):
        detect(read_dumps([dump], settings=settings), settings=settings.replace(work=tmp_path / "b" / "work"))
        with open_state(tmp_path / "state", write=True) as state:
            state.scan(
                [dump],
                settings=settings,
                now=START + 90,
                write=lambda found: (write_outputs(found, tmp_path / "out"), seen.append(modes(tmp_path / "state"))),
            )
            assert (tmp_path / "state" / "state.sqlite-wal").exists()
            assert (tmp_path / "state" / "state.sqlite-shm").exists()
            assert modes(tmp_path / "state") == PRIVATE
    assert seen == [PRIVATE]
    assert modes(tmp_path / "b") == modes(tmp_path / "state") == modes(tmp_path / "out") == PRIVATE


def test_so_does_the_cache(tmp_path: Path) -> None:
    with umask(0o022):
        cache = VectorCache(tmp_path / "c", "m")
        cache.put(np.frombuffer(b"0123456789abcdef", "V16"), np.ones((1, 4), np.float16))
        publish_folder(tmp_path / "c" / "models" / "x", lambda folder: (folder / "a").write_text("x") and None)
        with sqlite3.connect(tmp_path / "c" / MANIFEST) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM artifacts")
            assert (tmp_path / "c" / f"{MANIFEST}-journal").exists()
            assert modes(tmp_path / "c") == PRIVATE
        connection.close()


def test_a_folder_that_is_there_keeps_its_mode(dump: Path, tmp_path: Path) -> None:
    for name in ("a", "a/out", "state"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    (tmp_path / "a" / "out" / "notes").touch(mode=0o644)
    scan(dump, tmp_path)
    for name in ("a", "a/out", "state"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o755
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "out").iterdir()}
    assert files.pop("notes") == 0o644
    assert set(files.values()) == {0o600}


def test_a_stricter_umask_stands(tmp_path: Path) -> None:
    with umask(0o277):
        create_private(tmp_path / "a")
        with Unfinished(tmp_path) as file:
            assert stat.S_IMODE(file.path.stat().st_mode) == 0o400
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o400


def test_group_shares_on_purpose_and_a_state_remembers_it(dump: Path, tmp_path: Path) -> None:
    with umask(0o077):
        scan(dump, tmp_path, "--group")
        assert modes(tmp_path / "a") == modes(tmp_path / "state") == SHARED
        scan(dump, tmp_path)
        assert modes(tmp_path / "state") == SHARED
        assert modes(tmp_path / "a" / "out")["files"] == {0o600}
        assert run_main("state", "gc", tmp_path / "state") == 0
        assert modes(tmp_path / "state") == SHARED
        scan(dump, tmp_path, "--no-group")
        assert modes(tmp_path / "state") == PRIVATE
    with shared_with_group(tmp_path / "x"):
        make_folder(tmp_path / "x" / "y")
        make_folder(tmp_path / "xy")
    assert modes(tmp_path / "x") == {"files": set(), "folders": {0o770}}
    assert modes(tmp_path / "xy") == {"files": set(), "folders": {0o700}}


def test_a_state_of_an_earlier_version_becomes_private(dump: Path, tmp_path: Path) -> None:
    scan(dump, tmp_path)
    folder = tmp_path / "state"
    with sqlite3.connect(folder / "state.sqlite") as connection:
        connection.execute("DELETE FROM meta WHERE name = 'shared_with_group'")
    connection.close()
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    open_state(folder).close()
    assert 0o644 in modes(folder)["files"]
    open_state(folder, write=True).close()
    assert modes(folder) == PRIVATE
    (folder / "lock").chmod(0o640)
    open_state(folder, write=True).close()
    assert 0o640 in modes(folder)["files"]  # what somebody chose since stays


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir(mode=0o755)
    (tmp_path / "other").touch(mode=0o644)
    (tmp_path / "own" / "link").symlink_to(tmp_path / "other")
    set_modes(tmp_path / "own")
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o644
