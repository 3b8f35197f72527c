"""The programs in ``examples/`` run, at small size, and do what they say."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults.server import Server

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
RUN_NOTEBOOK = """
import sys

import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""
"""A program that runs a notebook and writes it with its outputs."""


def run_program(path: str, *arguments: str) -> int:
    """What ``python PATH ARGUMENTS`` does, in a process that has imported the library already."""
    sys.argv[:] = [path, *arguments]
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    return 0


@pytest.fixture
def outside(environment: Mapping[str, str], tmp_path: Path, commands: Server) -> dict[str, str]:
    """An environment in which ``harvestdetect`` and ``python`` are this checkout and this Python."""
    programs = tmp_path / "bin"
    programs.mkdir()
    commands.write_program(programs / "harvestdetect")
    (programs / "python").write_text(
        f'#!/bin/sh\nexec "{programs}/harvestdetect" "@{__name__}:run_program" "$@"\n', encoding="utf-8"
    )
    (programs / "python").chmod(0o755)
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
    # findings at watch may follow
    campaign = r"(urgent|review) c-[0-9a-f]{10} with 40 accounts\n   40 accounts sent .+\n"
    assert re.fullmatch(campaign + r"(watch c-[0-9a-f]{10} with \d+ accounts\n   .+\n)*", said)


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
    said = told(outside, "python", EXAMPLES / "nightly.py", tmp_path / "made", "3000")
    weeks = re.split(r"(?m)^week-\d+\.jsonl - ", said)[1:]
    assert len(weeks) >= 4
    ids = [set(re.findall(r"c-[0-9a-f]{10}", week)) for week in weeks]
    assert set().union(*ids[:-1]) & ids[-1]  # the first week may be too short to find any
    assert " harvest\n" in weeks[-1]


def test_a_calibration_is_made_and_used(outside: dict[str, str], tmp_path: Path) -> None:
    told(outside, EXAMPLES / "calibrate.sh", tmp_path / "made", "2000")
    run = (tmp_path / "made" / "scan" / "run.json").read_text(encoding="utf-8")
    assert "calibration.json" in run


def test_the_notebook_runs_from_top_to_bottom(outside: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_NOTEBOOK, EXAMPLES / "notebook.ipynb", tmp_path / "done.ipynb"],
        env={
            **outside, "TMPDIR": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        },
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "done.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = [
        {kind: "".join(text) for output in cell["outputs"] for kind, text in output.get("data", {}).items()}
        for cell in cells
        if cell["cell_type"] == "code"
    ]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    said = "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")
    assert said.startswith("Detection: ")
    pages = [one["text/html"] for one in shown if "text/html" in one]
    assert sum("<svg" in page for page in pages) == 3
    assert sum("<table" in page for page in pages) >= 3
    assert any(one.get("text/plain", "").startswith("campaign recall") for one in shown)


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)


def test_every_example_is_run_here() -> None:
    names = {file.name for file in EXAMPLES.iterdir() if file.suffix in (".py", ".sh", ".ipynb")}
    assert names == set(re.findall(r'EXAMPLES / "([\w.]+)"', Path(__file__).read_text(encoding="utf-8")))
