"""States and work folders of version 0.1 are taken over: ``files/schema-2.tar.xz`` was written by it.

It holds three days of simulated prompts, the state into which these were scanned one by one, and the work folder of a
scan of the first day.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.errors import StateError
from harvestdetect.state import open_state, rebuild
from harvestdetect.state import schema as schema_module
from harvestdetect.state.schema import SCHEMA
from harvestdetect.state.store import DATABASE
from harvestdetect.store.folder import MANIFEST, ArtifactFolder

ARCHIVE = Path(__file__).parent / "files" / "schema-2.tar.xz"
CAMPAIGN = "c-1426fc985c"
START = 1_780_272_000
DAY = 86_400


@pytest.fixture
def older(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def settings(cache: Path) -> Settings:
    return Settings(encoder="fast", workers=1, threads=1, cache=cache)


def version(state: Path) -> int:
    with closing(sqlite3.connect(state / DATABASE)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def prepared(state: Path) -> dict[bytes, str]:
    """Content of each prepared file -> its name."""
    return {path.read_bytes(): path.name for path in (state / "read").glob("*.shard")}


def of_old_layout(folder: Path) -> list[Path]:
    names = [*folder.rglob("*.npy"), *folder.rglob("digests.json"), *folder.glob("vectors/*/*")]
    return [*names, *folder.glob("vectors/*.sqlite")]


def scan_all(older: Path, settings: Settings, notes: Callable[[str], object]) -> list[str]:
    """Scans the three days into the state again; the campaigns that it knows then."""
    files = [older / f"day-{day}.jsonl" for day in range(3)]
    with open_state(older / "state", write=True) as state:
        run = state.scan(files, settings=settings, now=START + 4 * DAY, trust_clock=True, notes=notes)
        assert (run.new_files, run.known_files, run.missing_files) == (0, 3, ())
        assert state.verify() == []
        return [campaign.campaign_id for campaign in state.campaigns()]


def test_a_state_of_schema_2_is_read(older: Path, settings: Settings) -> None:
    state, before = older / "state", prepared(older / "state")
    with pytest.raises(StateError, match="older version; harvestdetect state gc brings it up to date"):
        open_state(state)
    assert version(state) == 2, "a reader changes nothing"
    with open_state(state, write=True) as opened:
        assert [campaign.campaign_id for campaign in opened.campaigns()] == [CAMPAIGN]
        assert opened.verify() == []
    after = prepared(state)
    assert version(state) == SCHEMA
    assert after.keys() == before.keys(), "prepared files are renamed and not changed"
    assert not {*after.values()} & {*before.values()}
    told: list[str] = []
    assert scan_all(older, settings, told.append) == [CAMPAIGN]
    assert len([note for note in told if "was written by another version" in note]) == 1
    assert of_old_layout(state) == []
    assert not (state / "aside").exists()
    again: list[str] = []
    scan_all(older, settings, again.append)
    assert not [note for note in again if "another version" in note]


@pytest.mark.parametrize("after", range(4))
def test_a_migration_that_was_killed_is_finished_by_the_next(
    older: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    real, done = os.rename, 0

    def killed(source: Path, target: Path) -> None:
        nonlocal done
        if done == after:
            raise KeyboardInterrupt
        done += 1
        real(source, target)

    state, before = older / "state", prepared(older / "state")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        if after == 3:  # all are renamed, and the version is not written
            patch.setattr(schema_module, "flush_to_disk", lambda path: killed(path, path))
        with pytest.raises(KeyboardInterrupt):
            open_state(state, write=True)
    assert version(state) == 2
    assert prepared(state).keys() == before.keys()
    assert scan_all(older, settings, lambda note: None) == [CAMPAIGN]
    assert not (state / "aside").exists()


def test_a_disk_that_fails_in_a_migration_is_said(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(source: Path, target: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(StateError, match=r"cannot bring the state in .* up to date: Input/output error"):
            open_state(older / "state", write=True)
    open_state(older / "state", write=True).close()
    assert version(older / "state") == SCHEMA


def test_a_prepared_file_that_no_row_names_is_renamed_too(older: Path) -> None:
    state = older / "state"
    with closing(sqlite3.connect(state / DATABASE)) as connection, connection:
        connection.execute("DELETE FROM files WHERE name LIKE '%day-1%'")
    (damaged, *_) = sorted((state / "read").glob("*.shard"))
    copy = damaged.with_name("0" * 64 + ".shard")
    copy.write_bytes(damaged.read_bytes()[:-1])
    before = {path.name for path in (state / "read").iterdir()}
    with open_state(state, write=True) as opened:
        assert {path.name for path in (state / "read").iterdir()} & before == {copy.name}
        freed = opened.collect()
    assert len(freed.aside) == 2, "nothing is deleted: the file without a row, and the damaged one"


def test_a_state_of_schema_2_is_rebuilt(older: Path, settings: Settings) -> None:
    (older / "state" / DATABASE).unlink()
    rebuilt = rebuild(older / "state")
    assert (rebuilt.files, rebuilt.lost_files) == (3, ())
    assert len(scan_all(older, settings, lambda note: None)) == 1


def test_an_account_is_erased_from_a_state_of_schema_2(older: Path) -> None:
    with open_state(older / "state", write=True) as state:
        found = state.forget("pool-3", works=[older / "work"])
    assert (found.prompts, found.files, found.campaigns) == (9, 3, 1)
    for path in [*(older / "state").rglob("*"), *(older / "work").rglob("*")]:
        assert path.is_dir() or b"pool-3" not in path.read_bytes()


def test_a_work_folder_of_another_version_is_made_anew_with_one_note(older: Path, settings: Settings) -> None:
    files, work = [older / "day-0.jsonl"], older / "work"
    (work / "vectors" / "notes.txt").write_text("the user's own")
    before = {path.name for path in (work / "read").iterdir()}
    found = detect(read_dumps(files), settings=settings.replace(work=work))
    assert len([note for note in found.notes if "another version" in note]) == 1
    assert of_old_layout(work) == []
    assert not before & {path.name for path in (work / "read").iterdir()}
    assert (work / "vectors" / "notes.txt").exists()
    assert (work / MANIFEST).exists()
    again = detect(read_dumps(files), settings=settings.replace(work=work))
    assert not [note for note in again.notes if "another version" in note]
    assert len(ArtifactFolder(work, write=False).artifacts("neighbors")) == 1


def test_a_state_that_is_given_as_a_work_folder_keeps_its_prepared_files(older: Path, settings: Settings) -> None:
    state = older / "state"
    before = prepared(state)
    detect(read_dumps([older / "day-0.jsonl"]), settings=settings.replace(work=state))
    assert before.items() <= prepared(state).items()
    shutil.rmtree(state / "read")
