"""Prepared files that cannot be read, are damaged or are gone."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harvestdetect import Settings
from harvestdetect.cli.main import run_command
from harvestdetect.corpus import shard_file
from harvestdetect.errors import (
    UnreadableError,
)
from harvestdetect.state import open_state, rebuild
from tests.state.damage.making import beside_alerts, everything, prepared, scan, write_day

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


def test_arrays_of_a_shard_say_when_prompts_were_sent(original: Path) -> None:
    for path in (original / "read").glob("*.shard"):
        with closing(shard_file.opened(path)) as shard:
            times = np.concatenate(list(shard.times()))
            assert (times == np.concatenate([block.time for block in shard])).all()
            assert shard.cut == (300, 4)
            assert len(times) == 96
