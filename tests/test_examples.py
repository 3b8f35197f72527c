"""The programs in ``examples/`` run, at small size, and do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def outside(environment: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment in which ``harvestdetect`` and ``python`` are this checkout and this Python."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (("python", ""), ("harvestdetect", "-m harvestdetect ")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {command}"$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    return {**environment, "PATH": f"{programs}{os.pathsep}{environment['PATH']}"}


def told(environment: Mapping[str, str], *command: str | Path) -> str:
    """What a command prints on standard output; it succeeds."""
    done = subprocess.run(
        [str(word) for word in command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_prompts_in_memory_are_scanned(outside: dict[str, str]) -> None:
    said = told(outside, "python", EXAMPLES / "scan_in_memory.py")
    assert re.fullmatch(r"(urgent|review) c-[0-9a-f]{10} with 40 accounts\n   40 accounts sent .+\n", said)


def test_a_dump_is_scanned_and_its_findings_are_read(outside: dict[str, str], tmp_path: Path) -> None:
    told(outside, "harvestdetect", "simulate", "--out", tmp_path / "made", "--prompts", "2000")
    said = told(outside, "python", EXAMPLES / "scan_dump.py", tmp_path / "out", tmp_path / "made" / "dump")
    assert said.startswith("2000 prompts, 0 rows could not be read\n")
    assert re.search(r"^(urgent|review) c-[0-9a-f]{10} - .+\n    \w+ in \S+ line \d+$", said, re.MULTILINE)
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_dump_that_is_missing_is_an_error(outside: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["python", EXAMPLES / "scan_dump.py", tmp_path / "out", tmp_path / "missing.jsonl"],
        env=outside, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("scan_dump: ")
    assert "missing.jsonl" in done.stderr


def test_a_simulated_dump_is_scanned_and_scored(outside: dict[str, str], tmp_path: Path) -> None:
    said = told(outside, EXAMPLES / "simulate_and_evaluate.sh", tmp_path / "made", "2000")
    assert "recall" in said
    assert (tmp_path / "made" / "scan" / "campaigns.jsonl").read_text(encoding="utf-8")


def test_a_campaign_keeps_its_id_from_week_to_week(outside: dict[str, str], tmp_path: Path) -> None:
    said = told(outside, "python", EXAMPLES / "nightly.py", tmp_path / "made", "6000")
    weeks = re.split(r"(?m)^week-\d+\.jsonl - ", said)[1:]
    assert len(weeks) >= 4
    ids = [set(re.findall(r"c-[0-9a-f]{10}", week)) for week in weeks]
    assert ids[0] & ids[-1]
    assert " harvest\n" in weeks[-1]


def test_a_calibration_is_made_and_used(outside: dict[str, str], tmp_path: Path) -> None:
    told(outside, EXAMPLES / "calibrate.sh", tmp_path / "made", "2000")
    run = (tmp_path / "made" / "scan" / "run.json").read_text(encoding="utf-8")
    assert "calibration.json" in run


def test_every_example_is_run_here() -> None:
    names = {file.name for file in EXAMPLES.iterdir() if file.suffix in (".py", ".sh")}
    assert names == set(re.findall(r'EXAMPLES / "([\w.]+)"', Path(__file__).read_text(encoding="utf-8")))
