"""Rejects of runs that did not finish or could not report, files that are cut off, and runs that end by SIGTERM."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import pytest

from harvestdetect.errors import OutputError
from harvestdetect.state import open_state
from tests.alerts.receiving import Receiver
from tests.cli.support import COMMAND
from tests.state.nights import Nights, webhook

BAD = "{\nno\n" * 20
"""Forty rows that are no JSON."""


def bad_day(nights: Nights, number: int) -> Path:
    file = nights.day(number)
    file.write_text(file.read_text() + BAD)
    return file


def listed(nights: Nights) -> list[str]:
    return [json.loads(line)["file"] for line in (nights.out / "rejects.jsonl").read_text().splitlines()]


def check_reported(nights: Nights, file: Path) -> None:
    """The run has ended with 4 and reports the forty rejects everywhere."""
    figures = nights.figures()
    assert (figures["last_run_rejected_rows"], figures["last_run_rows"]) == (40, 100)
    assert figures["last_run_exit_code"] == 4
    assert "40 of 100 rows were rejected" in nights.said
    assert listed(nights) == [str(file)] * 40
    counts = json.loads((nights.out / "run.json").read_text())["counts"]
    assert (counts["rejects"], counts["new_files"], counts["new_rows"]) == (40, 1, 60)


# ---------------------------------------------------------------- what no run has reported


@pytest.mark.parametrize("given_again", [True, False])
def test_the_next_run_reports_the_rejects_of_one_that_failed(nights: Nights, given_again: bool) -> None:
    file = bad_day(nights, 0)
    with patch("harvestdetect.report.write_outputs", side_effect=OutputError("cannot write: No space left on device")):
        assert nights.scan(file, "--max-rejects", "1%") == 1
    assert nights.figures()["last_run_exit_code"] == 1
    again = file if given_again else nights.day(1)
    code = nights.scan(again, "--max-rejects", "1%")
    assert code == 4
    if given_again:
        check_reported(nights, file)
        assert "the figures of this run include 1 file that earlier runs read and did not report" in nights.said
    else:
        assert nights.figures()["last_run_rejected_rows"] == 40
        assert listed(nights) == [str(file)] * 40
        assert "120 new prompts from 2 new files, 40 rejects" in nights.said
    assert nights.scan(file, "--max-rejects", "1%") == 0, "they are reported once"
    assert nights.figures()["last_run_rejected_rows"] == 0


def test_a_run_that_was_killed_and_one_whose_metrics_cannot_be_written_leave_their_rejects(nights: Nights) -> None:
    file = bad_day(nights, 0)
    with patch("harvestdetect.report.write_outputs", side_effect=SystemExit(137)), pytest.raises(SystemExit):
        nights.scan(file)
    nights.prom.unlink(missing_ok=True)
    nights.prom.mkdir()
    assert nights.scan(file) == 1, "finished, but its metrics cannot be written"
    nights.prom.rmdir()
    assert nights.scan(file, "--max-rejects", "1%") == 4
    check_reported(nights, file)
    assert nights.scan(file, "--max-rejects", "1%") == 0


def test_the_rejects_of_a_copy_are_listed_by_the_next_run(nights: Nights) -> None:
    whole = nights.day(0)
    assert nights.scan(whole) == 0
    copy = nights.folder / "copy.jsonl"
    copy.write_text("".join(whole.read_text().splitlines(keepends=True)[:30]) + BAD)
    with patch("harvestdetect.report.write_outputs", side_effect=OutputError("full")):
        assert nights.scan(copy) == 1
    assert nights.scan(whole, "--max-rejects", "1%") == 4, "the copy is not given"
    assert nights.figures()["last_run_rejected_rows"] == 40
    assert f"40 rejects of {copy} are counted and not listed" in nights.said
    longer = nights.folder / "longer.jsonl"
    longer.write_text(copy.read_text() + "{\n")
    with patch("harvestdetect.report.write_outputs", side_effect=OutputError("full")):
        assert nights.scan(longer) == 1
    assert nights.scan(longer, "--max-rejects", "1%") == 4
    assert listed(nights) == [str(longer)] * 41
    assert nights.scan(longer, "--max-rejects", "1%") == 0


def test_in_python_a_finished_run_is_a_reported_one_unless_it_is_to_be_confirmed(nights: Nights) -> None:
    from harvestdetect import Settings

    settings = Settings(encoder="fast", workers=1, threads=1, cache=nights.cache)
    file = bad_day(nights, 0)
    with open_state(nights.state, write=True) as state:
        assert state.scan([file], settings=settings, confirms=True).rejects == 40
        again = state.scan([file], settings=settings, confirms=True)
        assert (again.rejects, again.new_rows, again.new_files) == (40, 60, 1)
        state.reported()
        assert state.scan([file], settings=settings).rejects == 0


# ---------------------------------------------------------------- files that are cut off, and empty ones


@pytest.mark.parametrize("state", [True, False])
def test_a_file_that_is_cut_off_is_a_condition_of_its_own(nights: Nights, state: bool) -> None:
    packed = gzip.compress(nights.day(0).read_bytes())
    file = nights.folder / "night.jsonl.gz"
    file.write_bytes(packed[: len(packed) * 3 // 4])
    assert nights.scan(file, "--max-rejects", "50%", "--quiet", state=state) == 4
    assert "1 file could not be read to the end" in nights.said
    assert str(file) in nights.said
    assert nights.figures()["last_run_cut_files"] == 1
    assert nights.scan(nights.day(1), "--quiet", state=state) == 0
    assert nights.figures()["last_run_cut_files"] == 0


def test_without_a_limit_a_scan_without_a_state_warns_of_a_cut_file(nights: Nights) -> None:
    packed = gzip.compress(nights.day(0).read_bytes())
    file = nights.folder / "night.jsonl.gz"
    file.write_bytes(packed[: len(packed) * 3 // 4])
    assert nights.scan(file, "--quiet", state=False) == 0
    assert "warning: 1 file could not be read to the end" in nights.said


def test_an_empty_file_does_no_harm(nights: Nights) -> None:
    assert nights.scan(nights.day(0)) == 0
    empty = nights.folder / "empty.jsonl"
    empty.touch()
    assert nights.scan(empty, "--max-rejects", "1%", "--quiet") == 0
    assert nights.said == ""
    assert (nights.figures()["last_run_cut_files"], nights.figures()["last_run_rejected_rows"]) == (0, 1)


# ---------------------------------------------------------------- what the journal gets


def test_a_quiet_scan_prints_no_word_of_a_prompt(nights: Nights) -> None:
    assert nights.scan(nights.day(0, one=16), "--quiet") == 0
    assert nights.said == ""
    (line,) = nights.out_text.splitlines()
    assert line.startswith("findings: ")
    assert line.endswith(f"; {nights.out / 'report.html'}")
    assert "exam" not in line
    assert nights.scan(nights.day(1, one=16)) == 0
    assert "exam" in nights.out_text


def test_a_scan_ends_by_sigterm_with_a_message_and_metrics(
    environment: Mapping[str, str], nights: Nights, tmp_path: Path
) -> None:
    command = [*COMMAND, "scan", "-", "--out", tmp_path / "out", "--state", nights.state, "--metrics", nights.prom]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        process.stdin.write(b'{"account": "a", "prompt": "why"}\n')
        process.stdin.flush()
        end = time.monotonic() + 60
        while not (nights.state / "state.sqlite").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert b"harvestdetect: ended by SIGTERM" in err
    assert b"Traceback" not in err
    assert nights.figures()["last_run_exit_code"] == 143


# ---------------------------------------------------------------- alerts that wait


def test_an_alert_on_a_failure_that_waits_is_told_and_counted(nights: Nights, receiver: Receiver) -> None:
    nights.settings(webhook(receiver, "/ops", about=["operations"]))
    assert nights.scan(nights.day(0)) == 0
    receiver.answer(503)
    for dump in (nights.folder / "gone.jsonl", wrong_columns(nights)):
        assert nights.scan(dump, "--quiet") in (1, 2)
        assert "alert ops, operations: kept for a later run: 127.0.0.1: HTTP 503" in nights.said or dump.exists()
        assert nights.figures()["alerts_pending"] == 1


def wrong_columns(nights: Nights) -> Path:
    file = nights.folder / "columns.jsonl"
    file.write_text('{"a": 1}\n')
    return file


def test_a_run_says_how_many_alerts_wait_and_a_slow_one_sends_what_became_due(
    nights: Nights, receiver: Receiver
) -> None:
    nights.settings(webhook(receiver))
    receiver.answer(503)
    assert nights.scan(nights.day(0, one=16), "--quiet") == 0
    assert "alerts: 1 alert waits; the first run that starts after " in nights.said
    receiver.answer(200)
    before = len(receiver.requests)
    moments = iter([0.0, 120.0])  # the run takes two minutes
    with patch("harvestdetect.state.run.time.monotonic", side_effect=lambda: next(moments, 120.0)):
        assert nights.scan(nights.day(0, one=16), "--quiet") == 0
    assert len(receiver.requests) == before + 1
    assert nights.figures()["alerts_pending"] == 0


def test_alerts_that_wait_are_sent_by_hand(nights: Nights, receiver: Receiver) -> None:
    nights.settings(webhook(receiver))
    receiver.answer(503)
    assert nights.scan(nights.day(0, one=16), "--quiet") == 0
    send = ("alerts", "send", nights.state, "--settings", nights.folder / "settings.toml")
    receiver.answer(503)
    assert nights.run(*send) == 1
    assert nights.out_text.splitlines()[-1] == "1 alert waits."
    receiver.answer(200)
    assert nights.run(*send) == 0
    assert nights.out_text.splitlines()[-1] == "0 alerts wait."
    assert nights.run(*send) == 0
    assert len(receiver.requests) == 3


def test_a_wrong_option_sends_no_alert(nights: Nights, receiver: Receiver) -> None:
    nights.settings(webhook(receiver, "/ops", about=["operations"]))
    assert nights.scan(nights.day(0)) == 0
    around = nights.folder / "seeds.jsonl"
    around.write_text('{"account": "person-1"}\n')
    for more in (["--baseline"], ["--around", around]):
        assert nights.scan(nights.day(1), *more) == 2
    assert receiver.requests == []


# ---------------------------------------------------------------- a state that cannot be changed


def test_a_state_on_a_read_only_file_system_is_read(nights: Nights) -> None:
    assert nights.scan(nights.day(0, one=16)) == 0
    known = nights.known()
    there = sorted(path.name for path in nights.state.iterdir())
    real = os.statvfs

    def fixed(path: os.PathLike[str]) -> os.statvfs_result:
        values = list(real(path))
        values[8] |= os.ST_RDONLY
        return os.statvfs_result(values)

    with patch("os.statvfs", fixed):
        assert nights.known() == known
        assert nights.run("state", "verify", nights.state) == 0
        assert sorted(path.name for path in nights.state.iterdir()) == there
        (nights.state / "state.sqlite-wal").write_bytes(b"x")
        assert nights.run("campaigns", nights.state) == 1
        assert "state.sqlite-wal has changes that are not in state.sqlite yet" in nights.said
