"""A damaged state: nothing in it is deleted, every command says so in a line, and the database can be made anew."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harvestdetect import Settings
from harvestdetect.alerts import Channel
from harvestdetect.alerts.values import Command
from harvestdetect.cli.main import run_command
from harvestdetect.corpus import shard_file
from harvestdetect.errors import (
    DamagedStateError,
    LockedError,
    SettingsError,
    StateError,
    UnreadableError,
)
from harvestdetect.state import State, open_state, rebuild
from harvestdetect.state.schema import APPLICATION
from harvestdetect.state.store import DATABASE

DAY = 86_400
START = (int(time.time()) // DAY - 3) * DAY
"""Midnight three days ago: the clock and the data agree."""
FLIPS = int(os.environ.get("HARVESTDETECT_FLIPS", "200"))
"""How many places of a database are damaged, one at a time."""
FLIPPED_SCANS = int(os.environ.get("HARVESTDETECT_FLIPPED_SCANS", "5"))
"""How many of them are followed by a scan."""
WORDS = (
    *("river", "stone", "lamp", "cloud", "garden", "engine", "paper", "violin", "copper", "window", "market"),
    *("shadow", "bridge", "candle", "forest"),
)


def write_day(file: Path, day: int) -> Path:
    """A day of forty people, and of a pool of twelve accounts that harvest."""
    rng = random.Random(day)
    rows = [
        {"account": f"person-{rng.randrange(40)}", "timestamp": START + day * DAY + i, "prompt": " ".join(
            rng.choices(WORDS, k=9)
        )}
        for i in range(60)
    ]  # fmt: skip
    rows += [
        {
            "account": f"pool-{i}", "timestamp": START + day * DAY + 1_000 + 60 * i + n,
            "prompt": f"Solve the following {rng.choice(WORDS)} exam question step by step and grade your own "
            f"reasoning from one to ten: {rng.choice(WORDS)} and {rng.choice(WORDS)}",
        }
        for i in range(12)
        for n in range(3)
    ]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def settings(cache: Path) -> Settings:
    return Settings(encoder="fast", workers=1, threads=1, cache=cache)


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("dumps")
    return [write_day(folder / f"day-{day}.jsonl", day) for day in range(3)]


@pytest.fixture(scope="module")
def original(dumps: list[Path], settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state of three runs with a campaign, a verdict, and alerts that wait."""
    folder = tmp_path_factory.mktemp("state") / "state"
    channel = Channel(name="nobody", destination=Command(command=("false",)), tier="watch", retries=0)
    with open_state(folder, write=True) as state:
        for dump in dumps:
            state.scan([dump], settings=settings, channels=[channel])
        campaign = state.campaigns()[0].campaign_id
        state.review(campaign, "harvest", note="as agreed", reviewer="ann")
        assert state.verify() == []
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return copied(original, tmp_path / "state")


def copied(original: Path, place: Path) -> Path:
    shutil.copytree(original, place)
    return place


def prepared(folder: Path) -> dict[str, bytes]:
    """Digests of the prepared files, wherever in the state they are."""
    found = [*(folder / "read").glob("*.shard"), *folder.glob("aside/*.shard")]
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path.read_bytes() for path in found}


def everything(folder: Path) -> dict[str, bytes]:
    """All files of a state but those that a reader may touch."""
    found = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if not p.name.endswith(("-shm", "lock"))}


def scan(folder: Path, out: Path, settings: Settings, *files: Path, more: tuple[str, ...] = ()) -> int:
    return run_command(
        [
            "scan", *map(str, files), "--state", str(folder), "--out", str(out), "--encoder", "fast", "--workers", "1",
            "--threads", "1", "--cache", str(settings.cache), "--quiet", *more,
        ]
    )  # fmt: skip


def findings(state: State) -> list[tuple[str, str, int, int]]:
    return [(c.campaign_id, c.tier, c.accounts, c.prompts) for c in state.campaigns()]


# ---------------------------------------------------------------- a database that cannot be trusted


def emptied(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"")


def removed(folder: Path) -> None:
    (folder / DATABASE).unlink()


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


# ---------------------------------------------------------------- rebuild


def test_a_state_is_rebuilt_from_its_files_alone(
    folder: Path, original: Path, dumps: list[Path], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_state(original) as state:
        expected = findings(state)
    emptied(folder)
    files = prepared(folder)
    assert run_command(["state", "rebuild", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "3 prepared files with 288 prompts" in said
    assert "Lost altogether: verdicts." in said
    assert "Lost altogether: known campaigns" in said
    assert "Moved aside: aside/database-" in said
    assert prepared(folder) == files
    with open_state(folder, write=True) as state:
        assert state.verify() == []
        run = state.scan([dumps[0]], settings=settings)
        assert (run.new_files, run.detection.counts["prompts"]) == (0, 288)
        assert findings(state) == expected
        assert run.window_complete


def test_what_the_old_database_still_says_is_taken_over(folder: Path, original: Path, dumps: list[Path]) -> None:
    """The page of ``files`` and some others are overwritten; verdicts and campaigns can be read."""
    with open_state(original) as state:
        expected, events, verdicts = state.campaigns(), state.events(), state.verdicts()
        members = state.members(expected[0].campaign_id)
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("VACUUM")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'files'").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (folder / DATABASE).open("r+b") as stream:
        stream.seek((root - 1) * size)
        stream.write(b"\xff" * size)
    with pytest.raises(DamagedStateError):
        open_state(folder, write=True)
    damaged = (folder / DATABASE).read_bytes()
    done = rebuild(folder)
    assert done.files == 3
    assert done.salvaged["verdicts"] == 1
    assert "files" in done.unreadable
    (aside,) = (folder / "aside").glob(f"database-*/{DATABASE}")
    assert aside.read_bytes() == damaged
    with open_state(folder) as state:
        assert state.campaigns() == expected
        assert state.members(expected[0].campaign_id) == members
        assert state.verdicts() == verdicts
        assert state.events() == events
        assert state.verify() == []


def test_what_is_in_the_log_of_the_database_is_taken_over(folder: Path, tmp_path: Path) -> None:
    """As a process leaves it that was killed: the last changes are in state.sqlite-wal alone."""
    with open_state(folder, write=True) as state:
        campaign = state.campaigns()[0].campaign_id
        state.review(campaign, "benign", note="said last", reviewer="bob")
        killed = copied(folder, tmp_path / "killed")
        expected = state.verdicts()
    assert (killed / f"{DATABASE}-wal").stat().st_size
    done = rebuild(killed)
    assert len([path for path in done.aside if path.endswith((DATABASE, "-wal"))]) == 2
    with open_state(killed) as state:
        assert state.verdicts() == expected
        assert [v.reviewer for v in expected] == ["ann", "bob"]


@pytest.mark.parametrize("change", ["DELETE FROM meta", "UPDATE meta SET value = replace(value, '300', '308')"])
def test_how_files_were_cut_is_not_guessed(
    change: str, folder: Path, dumps: list[Path], settings: Settings, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute(change)
        connection.commit()
    with open_state(folder, write=True) as state, pytest.raises(DamagedStateError, match="cut"):
        state.scan([dumps[0]], settings=settings)
    rebuild(folder)
    with open_state(folder, write=True) as state:
        assert state.scan([dumps[0]], settings=settings).window_complete


def test_a_damaged_file_is_not_replaced_by_a_copy_from_aside(folder: Path) -> None:
    victim = sorted((folder / "read").glob("*.shard"))[0]
    (folder / "aside").mkdir()
    shutil.copyfile(victim, folder / "aside" / victim.name)
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    files = prepared(folder)
    done = rebuild(folder)
    assert (done.files, done.lost_files) == (3, ())
    assert prepared(folder) == files
    assert victim.exists()


def test_rows_are_salvaged_around_a_page_that_cannot_be_read(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.executemany(
            "INSERT INTO events (at, what, detail) VALUES (?, 'status', ?)",
            [(START + i, "x" * 200) for i in range(900)],
        )
        connection.commit()
        before = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        connection.execute("VACUUM")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray((folder / DATABASE).read_bytes())
    pages = [
        n for n in range(len(content) // size) if content[n * size] == 13 and b"x" * 200 in content[n * size :][:size]
    ]
    for page in (pages[3], pages[20]):
        content[page * size : (page + 1) * size] = bytes(size)
    (folder / DATABASE).write_bytes(content)
    done = rebuild(folder)
    assert "events" in done.unreadable
    assert before - 60 < done.salvaged["events"] < before


def test_a_rebuild_that_was_interrupted_is_done_again(
    folder: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def stopped(path: Path, target: Path) -> Path:
        if path.name == "new.sqlite":
            raise OSError(errno.EIO, "Input/output error")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(StateError, match="Input/output error"):
        rebuild(folder)
    monkeypatch.undo()
    with pytest.raises(DamagedStateError):
        open_state(folder, write=True)
    done = rebuild(folder)
    assert any("was moved to aside" in note for note in done.notes)
    with open_state(folder) as state, open_state(original) as other:
        assert state.campaigns() == other.campaigns()
        assert state.verdicts() == other.verdicts()


def test_a_damaged_file_is_moved_aside_and_listed(folder: Path) -> None:
    emptied(folder)
    victim = sorted((folder / "read").glob("*.shard"))[0]
    content = victim.read_bytes()
    victim.write_bytes(content[:100] + b"\0\1\2" + content[103:])
    files = prepared(folder)
    done = rebuild(folder)
    assert done.files == 2
    assert any(f"aside/{victim.stem}.damaged-" in path for path in done.aside)
    assert prepared(folder) == files


def test_files_that_the_old_database_had_are_not_forgotten(folder: Path) -> None:
    sorted((folder / "read").glob("*.shard"))[0].unlink()
    done = rebuild(folder)
    assert (done.files, len(done.lost_files)) == (2, 1)
    with open_state(folder) as state:
        assert len(state.verify()) == 1


def test_how_files_were_cut_comes_back(
    original: Path, dumps: list[Path], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = settings.replace(segment_characters=200, max_windows=3)
    folder = tmp_path / "cut"
    with open_state(folder, write=True) as state:
        state.scan([dumps[0]], settings=other)
    plain = copied(folder, tmp_path / "plain")
    removed(folder)
    with pytest.raises(SettingsError, match="cut with max_windows = 3, not 5"):
        rebuild(folder, max_windows=5)
    assert rebuild(folder).notes == ("The old database is missing or empty",)
    with open_state(folder, write=True) as state:
        state.scan([dumps[1]], settings=other)
    # files of an older version do not say how they were cut
    monkeypatch.setattr(shard_file.Shard, "cut", property(lambda self: None, lambda self, value: None), raising=False)
    with closing(sqlite3.connect(plain / DATABASE)) as connection:
        connection.execute("DELETE FROM meta")
        connection.commit()
    assert rebuild(copied(plain, tmp_path / "settings")).notes == ()
    emptied(plain)
    assert any("segment_characters is taken to be the default" in n for n in rebuild(plain, max_windows=3).notes)
    emptied(plain)
    assert not any("default" in n for n in rebuild(plain, segment_characters=200, max_windows=3).notes)
    with open_state(plain, write=True) as state:
        state.scan([dumps[1]], settings=other)


def test_what_cannot_be_rebuilt_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="neither a database nor prepared files"):
        rebuild(tmp_path)
    assert list(tmp_path.iterdir()) == [folder]
    with open_state(folder, write=True), pytest.raises(LockedError):
        rebuild(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    before = everything(folder)
    with pytest.raises(StateError, match="newer version"):
        rebuild(folder)
    assert everything(folder) == before


# ---------------------------------------------------------------- errors that pass


class Failing:
    """``Path.open`` and reads of prepared files that fail some times, as a disk does that answers again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, *, at: str) -> None:
        self.left = times
        self.failed = 0
        real = Path.open

        class Stream(BufferedReader):
            def read(stream, *arguments: Any) -> bytes:
                self.fail("read")
                return super().read(*arguments)

            def readinto(stream, buffer: Any) -> int:
                self.fail("readinto")
                return super().readinto(buffer)

        def opened(path: Path, mode: str = "r", *arguments: Any, **more: Any) -> Any:
            stream = real(path, mode, *arguments, **more)
            if path.suffix != ".shard" or mode != "rb":
                return stream
            try:
                self.fail("open")
            except OSError:
                stream.close()
                raise
            return Stream(stream.detach())

        self.at = at
        monkeypatch.setattr(Path, "open", opened)
        monkeypatch.setattr("harvestdetect.util.retries.WAITS", (0.0, 0.0, 0.0))

    def fail(self, where: str) -> None:
        if where == self.at and self.left:
            self.left -= 1
            self.failed += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("at", ["open", "read", "readinto"])
def test_an_error_that_passes_costs_nothing(
    at: str, folder: Path, dumps: list[Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepared(folder)
    failing = Failing(monkeypatch, 2, at=at)
    with open_state(folder, write=True) as state:
        if at != "readinto":
            assert state.verify() == []
            failing.left = 2
        run = state.scan([dumps[0]], settings=settings)
        assert run.window_complete
        assert run.detection.counts["prompts"] == 288
    assert failing.failed >= 2
    assert prepared(folder) == before


@pytest.mark.parametrize("at", ["open", "read", "readinto"])
def test_an_error_that_stays_ends_the_run_and_changes_no_file(
    at: str, folder: Path, dumps: list[Path], settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    before = prepared(folder)
    with open_state(folder) as state:
        files = state._store.rows("SELECT * FROM files ORDER BY sha256")
    with monkeypatch.context() as patch:
        Failing(patch, 1_000_000, at=at)
        if at != "readinto":
            assert run_command(["state", "verify", str(folder)]) == 1
            said = capsys.readouterr().out
            assert said.count("cannot be checked: cannot read") == 3
            with open_state(folder, write=True) as state, pytest.raises(UnreadableError):
                state.forget("pool-1")
        assert scan(folder, tmp_path / "out", settings, dumps[0]) == 1
        said = capsys.readouterr().err
        assert "Input/output error; it was not changed" in said
        assert len(beside_alerts(said)) == 1
    assert prepared(folder) == before
    assert not (folder / "aside").exists()
    with open_state(folder) as state:
        assert [tuple(r) for r in state._store.rows("SELECT * FROM files ORDER BY sha256")] == [tuple(r) for r in files]
        assert state.verify() == []


def test_a_reader_changes_nothing(folder: Path) -> None:
    victim = sorted((folder / "read").glob("*.shard"))[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    unfinished = folder / "read" / "0.tmp"
    unfinished.write_bytes(b"x")
    os.utime(unfinished, (0, 0))
    before = everything(folder)
    with open_state(folder) as state:
        (said,) = state.verify()
        assert "is damaged; scan that file again" in said
    assert everything(folder) == before


# ---------------------------------------------------------------- files that were lost


@pytest.fixture(params=["gone", "damaged"])
def lost(request: pytest.FixtureRequest, folder: Path, dumps: list[Path]) -> Iterator[Path]:
    """The dump whose prepared file was lost."""
    with open_state(folder) as state:
        name, sha256 = next(
            (r["name"], r["sha256"])
            for r in state._store.rows("SELECT name, sha256 FROM files WHERE name LIKE '%day-1%'")
        )
        for path in (folder / "read").glob("*.shard"):
            with closing(shard_file.opened(path)) as shard:
                if shard.file.sha256 == sha256:
                    victim = path
    content = victim.read_bytes()
    if request.param == "gone":
        victim.unlink()
    else:
        victim.write_bytes(content[:-40] + bytes(40))
    assert name == str(dumps[1])
    return dumps[1]


def test_a_lost_file_is_said_by_every_run_until_it_is_read_again(
    lost: Path, folder: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, out, metrics = write_day(tmp_path / "day-3.jsonl", 3), tmp_path / "out", tmp_path / "run.prom"
    before = len(prepared(folder))
    for number in range(2):
        capsys.readouterr()
        assert scan(folder, out, settings, new, more=("--metrics", str(metrics))) == 4
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert said.startswith(
            "harvestdetect: the results were written, but the window is incomplete: 1 file of it is lost"
        )
        assert lost.name in said
        assert "scan it again" in said
        assert "harvestdetect_window_complete 0\n" in metrics.read_text()
        run = json.loads((out / "run.json").read_text())
        assert run["counts"]["prompts"] == 3 * 96
        assert run["counts"]["missing_files"] == 1
        report = (out / "report.html").read_text()
        assert "The window is incomplete." in report
        assert "the prepared file of 1 dump" in " ".join(report.split())
        assert any("the window is incomplete" in note for note in run["notes"]), number
        assert "the window is incomplete" in (out / "report.html").read_text()
    assert len(prepared(folder)) == before + 1, "the damaged one is kept aside"
    with open_state(folder) as state:
        assert [row["window_complete"] for row in state._store.rows("SELECT * FROM runs ORDER BY run")][-3:] == [
            1,
            0,
            0,
        ]
        (said,) = state.verify()
        assert lost.name in said
    assert scan(folder, out, settings, lost, more=("--metrics", str(metrics))) == 0
    assert capsys.readouterr().err == ""
    assert "harvestdetect_window_complete 1\n" in metrics.read_text()
    assert json.loads((out / "run.json").read_text())["counts"]["prompts"] == 4 * 96
    with open_state(folder) as state:
        assert state.verify() == []


def test_a_lost_file_that_is_given_is_read_at_once(lost: Path, folder: Path, settings: Settings) -> None:
    with open_state(folder, write=True) as state:
        run = state.scan([lost], settings=settings)
        assert (run.new_files, run.missing_files, run.window_complete) == (1, (), True)
        assert run.detection.counts["prompts"] == 3 * 96
        assert state.verify() == []


def test_a_lost_file_may_come_back_from_a_backup(original: Path, lost: Path, folder: Path, settings: Settings) -> None:
    with open_state(folder, write=True) as state:
        new = write_day(folder.parent / "day-3.jsonl", 3)
        assert state.scan([new], settings=settings).missing_files == (str(lost),)
        for path in (original / "read").glob("*.shard"):
            shutil.copyfile(path, folder / "read" / path.name)
        assert state.scan([new], settings=settings).window_complete


def test_many_lost_files_are_found_in_one_run(folder: Path, settings: Settings, tmp_path: Path) -> None:
    for path in (folder / "read").glob("*.shard"):
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    with open_state(folder, write=True) as state:
        run = state.scan([write_day(tmp_path / "day-3.jsonl", 3)], settings=settings)
        assert len(run.missing_files) == 3
        assert run.detection.counts["prompts"] == 96


def test_forgetting_leaves_nothing_aside(lost: Path, folder: Path) -> None:
    rebuild(folder)
    assert (folder / "aside").exists()
    with open_state(folder, write=True) as state:
        assert state.forget("pool-1").prompts == 2 * 3
    assert not [path for path in (folder / "aside").rglob("*") if path.is_file()]
    for path in folder.rglob("*"):
        assert not path.is_file() or b'pool-1"' not in path.read_bytes()


# ---------------------------------------------------------------- flipped bits


def flip(folder: Path, rng: random.Random) -> None:
    """Damages a few bits or bytes at one place, mostly where something is written."""
    content = bytearray((folder / DATABASE).read_bytes())
    place = rng.randrange(len(content))
    for _ in range(20):
        if content[place]:
            break
        place = rng.randrange(len(content))
    for i in range(rng.choice((1, 1, 1, 4))):
        at = min(place + i, len(content) - 1)
        content[at] = content[at] ^ (1 << rng.randrange(8)) if rng.random() < 0.7 else rng.randrange(256)
    (folder / DATABASE).write_bytes(content)


def test_flipped_bits_end_in_an_answer_or_one_line(
    original: Path, dumps: list[Path], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = copied(original, tmp_path / "base")
    for name in ("vectors", "neighbors", "clusters"):
        shutil.rmtree(base / name, ignore_errors=True)
    with open_state(base, write=True) as state:
        campaign = state.campaigns()[0].campaign_id
        state.collect()
    files, folder = prepared(base), tmp_path / "flipped"
    reading = [
        *(["campaigns", str(folder), "--all"], ["campaigns", str(folder), campaign, "--format", "json"]),
        *(["campaigns", str(folder), campaign], ["review", str(folder)], ["state", "verify", str(folder)]),
        ["state", "gc", str(folder)],
    ]
    answered = 0
    for seed in range(FLIPS):
        shutil.copytree(base, folder)
        flip(folder, random.Random(seed))
        for command in reading:
            code = run_command(command)
            said = capsys.readouterr()
            assert "internal error" not in said.err, (seed, command, said.err)
            assert code in (0, 1) or (code == 2 and "knows no campaign" in said.err), (seed, command, said)
            assert said.err.count("\n") == (0 if code == 0 or ("verify" in command and said.out) else 1), (
                seed,
                said.err,
            )
            answered += code == 0
        if seed < FLIPPED_SCANS:
            code = scan(folder, tmp_path / "out", settings, dumps[0])
            said = capsys.readouterr()
            assert "internal error" not in said.err, (seed, said.err)
            assert code in (0, 1, 4), (seed, said.err)
        assert prepared(folder).items() >= files.items(), seed
        shutil.rmtree(folder)
    assert answered > FLIPS


BAD_ROWS = (
    ("campaigns", "UPDATE campaigns SET finding = '{\"first_seen\": 1'"),
    ("campaigns", "UPDATE campaigns SET finding = replace(finding, 'last_seen\": 1', 'last_seen\": 9981')"),
    ("campaigns", "UPDATE campaigns SET status = 'gone'"),
    ("campaigns", "UPDATE campaigns SET detected = 1876543210987"),
    ("campaigns", "UPDATE campaigns SET finding = CAST(x'7b22ff22' AS TEXT)"),
    ("members", "UPDATE members SET account = CAST(x'ff80' AS TEXT) WHERE rowid = 3"),
    ("campaign_days", "UPDATE campaign_days SET prompts = -4"),
    ("campaign_days", "UPDATE campaign_days SET day = 'today' WHERE rowid = 1"),
    ("events", "UPDATE events SET at = 1876543210987"),
    ("verdicts", "UPDATE verdicts SET tier = 'high'"),
    ("verdicts", "UPDATE verdicts SET at = -1876543210987"),
    ("verdicts", "UPDATE verdicts SET note = CAST(x'c328' AS TEXT)"),
    ("files", "UPDATE files SET sha256 = upper(sha256)"),
    ("signatures", "UPDATE signatures SET words = '[1, 2]'"),
    ("runs", "UPDATE runs SET window_end = 1876543210987"),
    ("runs", "UPDATE runs SET counts = '[]'"),
    ("outbox", "UPDATE outbox SET body = '{}' WHERE body IS NOT NULL"),
    ("outbox", "UPDATE outbox SET created = 9e30"),
    ("outbox", "UPDATE outbox SET tier = 'x' WHERE body IS NOT NULL"),
    ("told", "INSERT INTO told VALUES ('nobody', 'c', 'new', 'x', '1', 9e30, 5, 0, NULL)"),
)


@pytest.mark.parametrize(("table", "change"), BAD_ROWS)
def test_every_read_checks_its_rows(table: str, change: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = prepared(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        assert connection.execute(change).rowcount
        connection.commit()
    assert run_command(["state", "verify", str(folder)]) == 1
    said = capsys.readouterr().out
    assert table in said or "not UTF-8" in said or "what is known of the campaign" in said
    campaign = "c-unknown"
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        (campaign,) = connection.execute("SELECT campaign FROM campaigns").fetchone()
    codes = [
        run_command(command)
        for command in (
            ["campaigns", str(folder)], ["campaigns", str(folder), campaign], ["review", str(folder)],
            ["state", "gc", str(folder)], ["state", "forget", str(folder), "pool-1"],
        )
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert "internal error" not in said
    assert set(codes) <= {0, 1}
    assert codes[3:] == [1, 1]
    if table in ("campaigns", "members", "campaign_days", "events", "verdicts"):
        assert 1 in codes[:3]
    assert said.count("is damaged") == codes.count(1) == said.count("\n")
    assert prepared(folder) == files


def test_what_a_query_adds_up_is_no_damage(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("UPDATE members SET attributed = 1")
        connection.commit()
    with open_state(folder) as state:
        assert state.campaigns()[0].attributed == state.campaigns()[0].accounts > 1


def beside_alerts(said: str) -> list[str]:
    """The lines of standard error without the one that says how many alerts wait."""
    return [line for line in said.splitlines() if not line.startswith("alerts: ")]


@pytest.mark.parametrize("change", [change for table, change in BAD_ROWS if table in ("outbox", "signatures", "files")])
def test_a_scan_says_that_a_row_is_damaged(
    change: str, folder: Path, dumps: list[Path], settings: Settings, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute(change)
        connection.execute("UPDATE outbox SET next_try = 0")
        connection.commit()
    alerts = tmp_path / "settings.toml"
    alerts.write_text('[[alerts]]\nname = "nobody"\ntype = "command"\ncommand = ["true"]\ntier = "watch"\n')
    code = scan(folder, tmp_path / "out", settings, dumps[0], more=("--settings", str(alerts)))
    said = capsys.readouterr().err
    assert code == 1
    (line,) = beside_alerts(said)
    assert "is damaged" in line


def test_arrays_of_a_shard_say_when_prompts_were_sent(original: Path) -> None:
    for path in (original / "read").glob("*.shard"):
        with closing(shard_file.opened(path)) as shard:
            times = np.concatenate(list(shard.times()))
            assert (times == np.concatenate([block.time for block in shard])).all()
            assert shard.cut == (300, 4)
            assert len(times) == 96
