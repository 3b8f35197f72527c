"""A database that cannot be trusted: nothing in its state is deleted, and every command says so in a line."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from harvestdetect import Settings
from harvestdetect.cli.main import run_command
from harvestdetect.errors import (
    DamagedStateError,
    StateError,
)
from harvestdetect.state import open_state, rebuild
from harvestdetect.state.schema import APPLICATION
from harvestdetect.state.store import DATABASE
from tests.state.damage.making import copied, emptied, everything, prepared, removed, scan, write_day


def garbled(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"not a database at all " * 400)


def foreign(folder: Path) -> None:
    (folder / DATABASE).unlink()
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
        connection.commit()


def without_tables(folder: Path) -> None:
    (folder / DATABASE).unlink()
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def of_another(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("PRAGMA application_id = 7")
        connection.commit()


def lost_table(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("DROP TABLE verdicts")
        connection.commit()


DAMAGES = (emptied, removed, garbled, foreign, without_tables, of_another, lost_table)


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_is_deleted_or_begun_in_a_damaged_state(
    damage: Callable[[Path], None],
    folder: Path,
    dumps: list[Path],
    settings: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(folder)
    before = everything(folder)
    state = str(folder)
    for command in (
        ["state", "gc", state],
        ["state", "verify", state],
        ["state", "forget", state, "pool-1"],
        ["campaigns", state],
        ["review", state],
        ["review", state, "c-0123456789", "--verdict", "benign"],
    ):
        capsys.readouterr()
        assert run_command(command) == 1, command
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert "is damaged" in said.err
        assert f"harvestdetect state rebuild {state}" in said.err
        assert everything(folder) == before, command
    assert scan(folder, tmp_path / "out", settings, dumps[0]) == 1
    assert "is damaged" in capsys.readouterr().err
    assert everything(folder) == before
    with pytest.raises(DamagedStateError):
        open_state(folder, write=True)


def test_a_log_without_its_database_is_no_new_state(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "log"
    empty.mkdir()
    (empty / f"{DATABASE}-wal").write_bytes(b"x" * 4_000)
    with pytest.raises(DamagedStateError, match="-wal is there without it"):
        open_state(empty, write=True)
    assert (empty / f"{DATABASE}-wal").stat().st_size == 4_000


def test_a_new_state_still_begins(tmp_path: Path) -> None:
    for name in ("none", "empty", "zero"):
        folder = tmp_path / name
        if name != "none":
            folder.mkdir()
        if name == "zero":
            (folder / DATABASE).write_bytes(b"")
            with pytest.raises(StateError, match="there is no state"):
                open_state(folder)
        with open_state(folder, write=True) as state:
            assert state.verify() == []
        with closing(sqlite3.connect(folder / DATABASE)) as connection:
            assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)


def test_an_older_database_of_ours_gets_its_id(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("PRAGMA application_id = 0")
        connection.commit()
    with open_state(folder) as state:
        assert state.verify() == []
    open_state(folder, write=True).close()
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)


def test_gc_moves_aside_what_an_older_database_does_not_name(
    folder: Path, dumps: list[Path], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = copied(folder, tmp_path / "older")
    more = write_day(tmp_path / "more.jsonl", 3)
    with open_state(folder, write=True) as state:
        state.scan([more], settings=settings)
    files = prepared(folder)
    assert len(files) == 4
    shutil.copyfile(older / DATABASE, folder / DATABASE)
    with closing(sqlite3.connect(folder / DATABASE)) as connection:  # its runs were long before the files beside it
        connection.execute("UPDATE runs SET started = started - 9000000, finished = finished - 9000000")
        connection.commit()
    with open_state(folder) as state:
        (said,) = state.verify()
        assert "does not name 1 prepared file" in said
        assert "more.jsonl" in said
    capsys.readouterr()
    assert run_command(["state", "gc", str(folder)]) == 0
    assert "Moved 1 prepared file that the database does not list to" in capsys.readouterr().out
    assert prepared(folder) == files
    assert len(list((folder / "aside").glob("*.unnamed-*.shard"))) == 1
    done = rebuild(folder)
    assert done.files == 4
    assert len(list((folder / "read").glob("*.shard"))) == 4


def test_gc_of_a_database_that_names_nothing_deletes_nothing(folder: Path) -> None:
    """As after a crash when an older version began a new database beside the files."""
    files = prepared(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("DELETE FROM files")
        connection.execute("DELETE FROM runs")
        connection.commit()
    with open_state(folder, write=True) as state:
        freed = state.collect()
    assert freed.files == 0
    assert len(freed.aside) == 3
    assert prepared(folder) == files


def test_gc_removes_what_left_the_window(folder: Path, dumps: list[Path], settings: Settings) -> None:
    """A run that was stopped between leaving a file out and removing what was read of it."""
    kept = {path: path.read_bytes() for path in (folder / "read").glob("*.shard")}
    with open_state(folder, write=True) as state:
        state.scan([dumps[2]], settings=settings, window="1d")
        left = [path for path in kept if not path.exists()]
        assert left
        for path in left:
            path.write_bytes(kept[path])
        freed = state.collect()
    assert (freed.files, freed.aside) == (len(left), ())
    assert not any(path.exists() for path in left)


def test_a_changed_time_pushes_no_file_out_of_the_window(folder: Path, settings: Settings, dumps: list[Path]) -> None:
    files = prepared(folder)
    whole = (folder / DATABASE).read_bytes()
    for change in (
        "last_time = last_time + 40000, latest_time = latest_time + 40000 WHERE name LIKE '%day-2%'",
        "last_time = 1000000000, latest_time = 1000000000 WHERE name LIKE '%day-1%'",
    ):
        (folder / DATABASE).write_bytes(whole)
        with closing(sqlite3.connect(folder / DATABASE)) as connection:
            connection.execute(f"UPDATE files SET {change}")
            connection.commit()
        with open_state(folder, write=True) as state, pytest.raises(DamagedStateError, match="last time"):
            state.scan([dumps[0]], settings=settings, window="1d")
        assert prepared(folder) == files


def test_a_damaged_index_hides_no_file(folder: Path, dumps: list[Path], settings: Settings) -> None:
    """A file that its index does not find would be taken for a new one whose rows another file has."""
    files = prepared(folder)
    digest = hashlib.sha256(dumps[0].read_bytes()).hexdigest().encode()
    content = (folder / DATABASE).read_bytes()
    places = [i for i in range(len(content)) if content.startswith(digest, i)]
    assert len(places) >= 2
    for place in places:
        changed = bytearray(content)
        changed[place + 5] ^= 1
        (folder / DATABASE).write_bytes(changed)
        with pytest.raises(DamagedStateError), open_state(folder, write=True) as state:
            state.scan([dumps[0]], settings=settings)
        assert prepared(folder) == files
