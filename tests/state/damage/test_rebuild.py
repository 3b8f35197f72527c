"""The database of a state is made anew from its prepared files."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harvestdetect import Settings
from harvestdetect.cli.main import run_command
from harvestdetect.corpus import shard_file
from harvestdetect.errors import (
    DamagedStateError,
    LockedError,
    SettingsError,
    StateError,
)
from harvestdetect.state import open_state, rebuild
from harvestdetect.state.store import DATABASE
from tests.state.damage.making import START, copied, emptied, everything, findings, prepared, removed


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
