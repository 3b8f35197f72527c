"""A wrong clock: it is refused, and where it was trusted nothing is lost once the clock is right again."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from harvestdetect import Settings
from harvestdetect.cli.main import main
from harvestdetect.errors import ClockError, StateError, UsageError
from harvestdetect.state import State, open_state
from harvestdetect.state.clock import AHEAD_OF_NOW, DRIFT, FIRST_RELEASE, LEAST_JUMP, check_clock
from harvestdetect.state.store import DATABASE

DAY = 86_400
START = 1_780_272_000
"""2026-06-01."""
WRONG = 1_590_000_000
"""2020-05-20: before the project."""
WORDS = (
    "river",
    "stone",
    "lamp",
    "cloud",
    "garden",
    "engine",
    "paper",
    "violin",
    "copper",
    "window",
    "market",
    "shadow",
)
EACH = 12


def now(day: float) -> int:
    """The end of a day."""
    return int(START + (day + 1) * DAY)


def rows_of(day: int, *, timed: bool = True) -> list[dict[str, Any]]:
    """Rows of a day, 0 being 2026-06-01."""
    rng = random.Random(day)
    rows = []
    for i in range(EACH):
        row = {"account": f"a{i % 5}", "prompt": f"day {day}, {i}: {' '.join(rng.sample(WORDS, 6))}?"}
        rows.append({**row, "timestamp": START + day * DAY + i * 3_600} if timed else row)
    return rows


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


class Nights:
    """Scans a file a night."""

    def __init__(self, state: State, settings: Settings, folder: Path) -> None:
        self.state, self.settings, self.folder = state, settings, folder

    def file(self, day: int) -> Path:
        return write(self.folder / f"day{day}.jsonl", rows_of(day))

    def run(self, *files: Path, at: int, window: str = "5d", trust: bool = False) -> Any:
        return self.state.scan(files, settings=self.settings, window=window, now=at, trust_clock=trust)

    def night(self, day: int, **more: Any) -> Any:
        return self.run(self.file(day), **{"at": now(day), **more})


@pytest.fixture
def nights(state: State, settings: Settings, tmp_path: Path) -> Nights:
    return Nights(state, settings, tmp_path)


def everything(folder: Path) -> dict[str, bytes]:
    """The shards of a state, and its tables."""
    connection = sqlite3.connect(folder / DATABASE)
    try:
        tables = {f"table {n}": repr(connection.execute(f"SELECT * FROM {n}").fetchall()).encode() for n in TABLES}
    finally:
        connection.close()
    return tables | {p.name: p.read_bytes() for p in (folder / "read").glob("*")}


TABLES = ("files", "past_files", "runs", "meta", "events")


# ---------------------------------------------------------------- a clock that is refused


@pytest.mark.parametrize("at", [WRONG, 0, 1_700_000_000, now(1) - DAY])
def test_a_clock_before_the_last_run_is_an_error_and_nothing_changes(nights: Nights, at: int) -> None:
    nights.night(0)
    nights.night(1)
    before = everything(nights.state.folder)
    with pytest.raises(
        ClockError, match=r"^the clock says .*Z, but the last run of this state was at 2026-06-03T00"
    ) as e:
        nights.night(2, at=at)
    assert "--trust-clock" in str(e.value)
    assert isinstance(e.value, StateError)
    assert e.value.exit_code == 1
    assert everything(nights.state.folder) == before
    run = nights.night(2)
    assert run.detection.counts["prompts"] == 3 * EACH


def test_a_clock_that_drifts_is_none(nights: Nights) -> None:
    nights.night(0)
    nights.night(1)
    assert nights.night(2, at=now(1) - DRIFT).new_files == 1
    with pytest.raises(ClockError):
        nights.night(3, at=now(1) - 2 * DRIFT - 1)


@pytest.mark.parametrize("at", [0, WRONG, FIRST_RELEASE - 1])
def test_a_clock_before_the_project_is_an_error_in_a_new_state(nights: Nights, at: int) -> None:
    with pytest.raises(ClockError, match=r"before harvestdetect existed.*--trust-clock"):
        nights.night(0, at=at)
    assert nights.state.scan([nights.file(0)], settings=nights.settings, now=now(0)).new_rows == EACH


def test_a_clock_days_behind_the_prompts_is_an_error_in_a_new_state(nights: Nights) -> None:
    with pytest.raises(ClockError, match=r"^the clock says 2026-06-03.*12 of 12 new prompts are more than a day later"):
        nights.night(9, at=now(1))
    assert not list((nights.state.folder / "read").glob("*")), "nothing is left of what was read"
    run = nights.night(9)
    assert (run.new_files, run.detection.counts["prompts"]) == (1, EACH)


def test_one_file_of_wrong_times_among_others_is_no_wrong_clock(nights: Nights) -> None:
    odd = write(nights.folder / "odd.jsonl", [{**row, "timestamp": START + 4_000 * DAY} for row in rows_of(50)[:1]])
    run = nights.run(nights.file(0), odd, at=now(0))
    assert (run.new_files, run.new_rows) == (2, EACH + 1)
    assert run.window_end == START + (EACH - 1) * 3_600


def test_files_that_wait_for_the_clock_are_told_apart_by_their_bytes(nights: Nights) -> None:
    odd = write(nights.folder / "a.jsonl", [{**row, "timestamp": START + 4_000 * DAY} for row in rows_of(50)[:1]])
    copy = write(nights.folder / "z.jsonl", rows_of(0))
    run = nights.run(odd, nights.file(0), copy, at=now(0))
    assert (run.new_files, run.known_files, run.new_rows) == (2, 1, EACH + 1)
    assert nights.state.verify() == []
    assert run.detection.counts["prompts"] == EACH + 1


def test_a_clock_that_jumped_forward_is_an_error_and_nothing_changes(nights: Nights) -> None:
    bad = [*rows_of(3), {"account": "x", "prompt": "from the future", "timestamp": START + 3_000 * DAY}]
    for day in range(2):
        nights.night(day)
    odd = [*rows_of(2), {"account": "y", "prompt": "from the future too", "timestamp": START + 2_999 * DAY}]
    nights.run(write(nights.folder / "day2.jsonl", odd), at=now(2))
    before = everything(nights.state.folder)
    file = write(nights.folder / "day3.jsonl", bad)
    with pytest.raises(
        ClockError, match=r"^the clock says 2034.*last run was at 2026-06-04.*advanced only from.*--trust"
    ):
        nights.run(file, at=START + 3_000 * DAY)
    after = everything(nights.state.folder)
    assert {k: v for k, v in after.items() if k != "table runs"} == {
        k: v for k, v in before.items() if k != "table runs"
    }
    run = nights.run(file, at=now(3))
    assert run.new_rows == EACH + 1
    assert run.window_end == START + 3 * DAY + (EACH - 1) * 3_600


@pytest.mark.parametrize(
    ("first", "then", "days"),
    [
        (0, [1], 1),  # the next night
        (0, [28], 28),  # an outage of four weeks
        (0, [90], 90),  # a longer one: the prompts moved as the clock did
        (150, [-200, -199], 1),  # a backfill of old dumps
        (0, [], 25),  # nothing new for weeks
    ],
)
def test_what_is_no_jump(nights: Nights, first: int, then: list[int], days: int) -> None:
    nights.night(first)
    files = [nights.file(day) for day in then] or [nights.file(first)]
    run = nights.run(*files, at=now(first + days))
    assert run.new_files == len(then)


def test_dumps_of_other_months_are_no_wrong_clock(nights: Nights) -> None:
    assert nights.night(0, at=now(170)).new_files == 1
    assert nights.night(1, at=now(171)).new_files == 1
    assert nights.night(2, at=now(171 + 100)).new_files == 1, "after a pause that is shorter than the dumps are old"
    with pytest.raises(ClockError):
        nights.night(3, at=now(3_000))


def test_a_state_without_times_believes_a_year(nights: Nights) -> None:
    first, other = (write(nights.folder / f"{d}.jsonl", rows_of(d, timed=False)) for d in range(2))
    nights.run(first, at=now(0))
    with pytest.raises(ClockError, match="no prompt has a time"):
        nights.run(other, at=now(800))
    assert nights.run(other, at=now(200), window="300d").detection.counts["prompts"] == 2 * EACH


# ---------------------------------------------------------------- a clock that was trusted


def prompts_of(run: Any) -> int:
    return int(run.detection.counts["prompts"])


@pytest.mark.parametrize("wrong", [WRONG, START - 3 * DAY, 0])
def test_the_file_of_a_night_with_a_wrong_clock_comes_back_by_itself(nights: Nights, wrong: int) -> None:
    for day in range(3):
        nights.night(day)
    nights.night(3, at=wrong, trust=True)
    run = nights.night(4)
    assert prompts_of(run) == 5 * EACH
    assert run.window_end == START + 4 * DAY + (EACH - 1) * 3_600
    assert nights.state.left_out() == []
    assert nights.state.verify() == []
    assert nights.run(nights.file(3), at=now(4)).known_files == 1
    run = nights.night(9)
    assert prompts_of(run) == EACH + 1, "a prompt of day 4 is at the very beginning of the window"
    assert len(nights.state.left_out()) == 4, "and the file leaves the window as all files do"


def test_files_without_times_of_a_night_with_a_wrong_clock_stay_for_a_window(nights: Nights) -> None:
    nights.night(0)
    untimed = write(nights.folder / "untimed.jsonl", rows_of(1, timed=False))
    nights.run(untimed, at=WRONG, trust=True)
    assert prompts_of(nights.night(2)) == 3 * EACH
    assert prompts_of(nights.night(8)) == EACH, "the file without times has left"
    (said,) = [s for s in nights.state.left_out() if "untimed" in s]
    assert "no prompt of it had a time, and it was added on 2026-06-01T11" in said


def test_a_trusted_clock_that_was_ahead_moves_the_window_for_one_run_only(nights: Nights) -> None:
    bad = [*rows_of(3), {"account": "x", "prompt": "from the future", "timestamp": START + 3_000 * DAY}]
    for day in range(3):
        nights.night(day)
    file = write(nights.folder / "day3.jsonl", bad)
    run = nights.run(file, at=START + 3_000 * DAY, trust=True)
    assert run.window_end == START + 3_000 * DAY
    with pytest.raises(ClockError, match="last run of this state was at 2034"):
        nights.night(4)
    run = nights.night(4, trust=True)
    assert run.window_end == START + 4 * DAY + (EACH - 1) * 3_600
    # the other files left, are known to have left, and are read again
    assert len(nights.state.left_out()) == 3
    run = nights.run(*(nights.file(day) for day in range(3)), at=now(4))
    assert run.new_files == 3
    assert prompts_of(run) == 5 * EACH + 1
    assert nights.state.left_out() == []


def test_a_file_whose_times_were_ahead_is_read_again_when_they_have_come(nights: Nights) -> None:
    nights.night(0)
    ahead = write(nights.folder / "ahead.jsonl", rows_of(20))
    nights.run(ahead, at=now(0), trust=True)
    for day in range(1, 8):
        nights.night(day)
    assert [s for s in nights.state.left_out() if "later than the clock" in s], "it was there for a window"
    assert nights.run(ahead, at=now(8)).known_files == 1, "its times are still ahead"
    nights.night(18)
    run = nights.run(ahead, at=now(20))
    assert run.new_files == 1
    assert run.window_end == START + 20 * DAY + (EACH - 1) * 3_600


def test_some_rows_ahead_do_not_keep_a_file_in_the_window_for_ever(nights: Nights) -> None:
    odd = [*rows_of(0), {"account": "x", "prompt": "far ahead", "timestamp": START + 5_000 * DAY}]
    nights.run(write(nights.folder / "day0.jsonl", odd), at=now(0))
    for day in range(1, 8):
        run = nights.night(day)
    assert any("day0" in s for s in nights.state.left_out())
    assert run.detection.counts["last_seen"] < START + 8 * DAY


# ---------------------------------------------------------------- states in which it happened before


def as_schema_1(folder: Path) -> None:
    """Makes a state one that schema 1 wrote."""
    connection = sqlite3.connect(folder / DATABASE)
    for table, column in (
        ("files", "latest_time"), ("files", "state"), ("past_files", "name"), ("past_files", "added"),
        ("past_files", "latest_time"), ("past_files", "why"), ("past_files", "superseded_by"),
        ("runs", "window_complete"),
    ):  # fmt: skip
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("DROP TABLE clearings")
    connection.execute("DELETE FROM meta WHERE name = 'latest_times'")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def test_an_older_state_reads_a_dropped_file_again(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "old"
    with open_state(folder, write=True) as state:
        nights = Nights(state, settings, tmp_path)
        for day in range(3):
            nights.night(day)
        dropped = nights.file(1)
        connection = state._store.connection
        connection.execute(
            "INSERT INTO past_files (sha256, left_at) SELECT sha256, 0 FROM files WHERE name LIKE '%day1.jsonl'"
        )
        connection.execute("DELETE FROM files WHERE name LIKE '%day1.jsonl'")
        # and one of which no time was allowed is about to be dropped
        connection.execute(
            f"UPDATE files SET last_time = NULL, first_time = NULL, added = {WRONG} WHERE name LIKE '%day2.%'"
        )
    as_schema_1(folder)
    with open_state(folder, write=True) as state:
        nights = Nights(state, settings, tmp_path)
        assert state.left_out()[0].endswith("it is read again when a run is given it")
        run = nights.night(3)
        assert prompts_of(run) == 3 * EACH, "the file of day 2 stays"
        run = nights.run(dropped, at=now(3))
        assert (run.new_files, prompts_of(run)) == (1, 4 * EACH)
        assert nights.run(dropped, at=now(3)).known_files == 1
        assert state.left_out() == []


# ---------------------------------------------------------------- the commands


def command(tmp_path: Path, cache: Path, *more: str) -> int:
    base = ["scan", "--state", str(tmp_path / "state"), "--out", str(tmp_path / "out"), "--cache", str(cache)]
    with pytest.raises(SystemExit) as ended:
        main([*base, "--encoder", "fast", "--workers", "1", "--threads", "1", "--quiet", "--window", "5d", *more])
    return int(ended.value.code or 0)


def test_one_night_with_a_wrong_clock_by_the_commands(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(write(tmp_path / f"day{day}.jsonl", rows_of(day))) for day in (0, 1, 2, 7)]
    offset = 0
    real, start = time.time, time.time()
    monkeypatch.setattr(time, "time", lambda: real() - start + offset)

    def at(moment: int) -> None:
        nonlocal offset
        offset = moment

    at(now(0))
    assert command(tmp_path, cache, files[0]) == 0
    at(now(1) - 200_000_000)
    assert command(tmp_path, cache, files[1]) == 1
    said = capsys.readouterr().err
    assert "the clock says 2020-" in said
    assert "the last run of this state was at 2026-06-02" in said
    assert "--trust-clock" in said
    assert command(tmp_path, cache, files[1], "--trust-clock") == 0
    at(now(2))
    assert command(tmp_path, cache, files[2]) == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["counts"]["prompts"] == 3 * EACH
    at(now(7))
    assert command(tmp_path, cache, files[3]) == 0
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["state", "verify", str(tmp_path / "state")])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Nothing is wrong."
    assert lines[1].endswith("day0.jsonl left the window: its last prompt is of 2026-06-01T11:00:00Z")


def test_trust_clock_needs_a_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.jsonl", rows_of(0))
    with pytest.raises(SystemExit) as ended:
        main(["scan", str(file), "--out", str(tmp_path / "out"), "--trust-clock"])
    assert ended.value.code == UsageError.exit_code
    assert "--trust-clock needs --state; add --state DIR, or leave --trust-clock out" in capsys.readouterr().err


def test_the_bounds_are_in_order(state: State) -> None:
    check_clock(state._store, FIRST_RELEASE)
    assert DRIFT < AHEAD_OF_NOW < LEAST_JUMP
