"""Commands with wrong paths and ids: one line that says what is wrong, an exit code, and no traceback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harvestdetect.report import write_outputs
from tests.cli.support import Run
from tests.report.making import make_detection, make_finding
from tests.serve.running import with_prompts

GOOD = "out"
PLACES = ("missing", "a-file", "empty", "not-utf-8", "/dev/null", "folder.jsonl", "other-version", "cut-off", "")
COMMANDS = {
    "scan": ["scan", "{}", "--out", "made"],
    "scan settings": ["scan", "a-file", "--out", "made", "--settings", "{}"],
    "scan calibration": ["scan", "a-file", "--out", "made", "--calibration", "{}"],
    "scan registry": ["scan", "a-file", "--out", "made", "--registry", "{}"],
    "scan around": ["scan", "a-file", "--out", "made", "--around", "{}"],
    "scan pseudonyms": ["scan", "a-file", "--out", "made", "--pseudonyms", "{}"],
    "scan signatures": ["scan", "a-file", "--out", "made", "--signatures", "{}", "--trust", "{}"],
    "inspect": ["inspect", "{}"],
    "search": ["search", "{}", "some words"],
    "search work": ["search", GOOD, "some words", "--work", "{}"],
    "serve": ["serve", "{}", "--port", "0"],
    "serve state": ["serve", GOOD, "--port", "0", "--state", "{}"],
    "review": ["review", "{}", "--list"],
    "export": ["export", "{}", "--format", "ocsf"],
    "brief": ["brief", "{}"],
    "explain": ["explain", "{}", "c-1"],
    "evaluate": ["evaluate", "{}", "{}"],
    "evaluate truth": ["evaluate", GOOD, "{}"],
    "signatures show": ["signatures", "show", "{}"],
    "signatures verify": ["signatures", "verify", "{}", "--trust", "{}"],
    "signatures export": ["signatures", "export", "{}", "--key", "{}", "--out", "made", "--plain"],
    "campaigns": ["campaigns", "{}"],
}
READ = {
    ("scan", "other-version"), ("scan", "cut-off"), ("scan", "not-utf-8"), ("inspect", "other-version"),
    ("inspect", "cut-off"), ("inspect", "not-utf-8"), ("export", "other-version"), ("export", "cut-off"),
    ("explain", "cut-off"), ("explain", "other-version"), ("evaluate truth", "other-version"),
}  # fmt: skip
"""What may succeed: a folder of results has files that are read as dumps, and an export needs few of them."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a result, and with what is none."""
    folder = tmp_path_factory.mktemp("prepared")
    write_outputs(with_prompts(make_detection(make_finding("c-1"), make_finding("c-12"))), folder / GOOD)
    (folder / "a-file").write_text("hello\n", encoding="utf-8")
    (folder / "not-utf-8").write_bytes(b"\xff\xfe\x00bad\x80")
    (folder / "empty").mkdir()
    (folder / "folder.jsonl").mkdir()
    shutil.copytree(folder / GOOD, folder / "other-version")
    campaigns = folder / "other-version" / "campaigns.jsonl"
    campaigns.write_text(campaigns.read_text(encoding="utf-8").replace('"evidence"', '"proof"'), encoding="utf-8")
    shutil.copytree(folder / GOOD, folder / "cut-off")
    (folder / "cut-off" / "prompts.parquet").write_bytes(b"PAR1")
    (folder / "cut-off" / "accounts.csv").unlink()
    return folder


@pytest.fixture(autouse=True)
def _places(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_path_is_one_line_and_an_exit_code(run: Run, command: str, place: str) -> None:
    done = run(*(part.replace("{}", place) for part in COMMANDS[command]))
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    if (command, place) in READ:
        return
    assert done.code in (1, 2), done
    assert done.err.strip().isprintable() or "\n" in done.err.strip()
    if command == "inspect" and "no prompt could be read" in done.out:
        return
    said = [line for line in done.err.splitlines() if line.startswith("harvestdetect: ")]
    assert len(said) == 1 or "Usage: " in done.err, done.err


@pytest.mark.parametrize("place", ["missing", "a-file", "empty", "folder.jsonl", ""])
def test_a_drill_of_a_wrong_path_ends_before_it_plants(run: Run, place: str) -> None:
    done = run("drill", place, "--out", "made")
    assert done.code in (1, 2)
    assert done.error


def test_a_folder_of_another_version_says_to_scan_again(run: Run) -> None:
    for arguments in (("serve", "other-version", "--port", "0"), ("brief", "other-version")):
        error = run(*arguments).error
        assert "other-version is not the complete folder of a scan of this version (" in error
        assert error.endswith("); scan again")


def test_a_state_that_is_a_file_is_told(run: Run) -> None:
    done = run("scan", "a-file", "--out", "made", "--state", "a-file")
    assert done.code == 1
    assert done.error.endswith(
        "cannot use the folder a-file: a part of the path is a file, not a folder; name another one"
    )


@pytest.mark.parametrize("command", ["search", "serve", "export", "brief", "explain", "review"])
def test_a_pipe_in_place_of_a_folder_is_not_waited_for(run: Run, command: str) -> None:
    os.mkfifo("pipe")
    arguments = [part.replace("{}", "pipe") for part in COMMANDS[command]]
    assert run(*arguments).code in (1, 2)


@pytest.mark.parametrize("wanted", ["c-nothing", "c-", "\x1b[31mc-1", "", "*", "é", "c-1\u202e"])
def test_an_unknown_id_is_told_without_control_characters(run: Run, wanted: str) -> None:
    for arguments in (
        ("explain", GOOD, wanted),
        ("export", GOOD, "--format", "ocsf", "--campaign", wanted),
        ("signatures", "export", GOOD, "--key", "key", "--out", "made", "--plain", "--campaign", wanted),
    ):
        done = run(*arguments)
        assert done.code in (1, 2), (arguments, done)
        assert "Traceback" not in done.err
        assert "internal error" not in done.err
        assert "\x1b" not in done.err
        assert "\u202e" not in done.err
