"""The benchmark scripts at toy size."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from benchmarks import neighbors, real_dump, real_text
from benchmarks.real_dump import build, data_missing
from harvestdetect.simulate.evaluate import read_truth

P = ParamSpec("P")
T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("HARVESTDETECT_DATA", ROOT.parent / "shared" / "data"))
needs_data = pytest.mark.skipif(
    bool(data_missing(DATA)), reason="the public texts of benchmarks/real_dump.py are absent"
)


def test_the_search_benchmark_prints_a_row_per_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert neighbors.main(["--prompts", "1500"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[-3:]] == ["exact", "cells", "inverted file"]
    assert float(lines[-2].split()[-1]) > 0.9


def test_the_benchmark_on_real_text_names_what_it_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert real_text.main(["--data", str(tmp_path)]) == 2
    assert "irc_accounts" in capsys.readouterr().err


@needs_data
@pytest.mark.shared_data
def test_the_two_parts_of_the_real_texts_share_no_template(tmp_path: Path) -> None:
    built = {half: build(tmp_path / half, data=DATA, half=half, seed=3) for half in ("tuning", "reporting")}
    assert built["reporting"].rows >= 150_000
    assert built["tuning"].rows >= 50_000
    truth = read_truth(tmp_path / "tuning")
    assert sum(group.kind == "campaign" for group in truth) == built["tuning"].campaigns == 11
    assert all(group.accounts for group in truth)


def every_third(make: Callable[P, list[T]]) -> Callable[P, list[T]]:
    """A function that makes a list, with a third of its results."""

    def fewer(*arguments: P.args, **named: P.kwargs) -> list[T]:
        return make(*arguments, **named)[::3]

    return fewer


@needs_data
@pytest.mark.shared_data
def test_the_real_text_table_replaces_its_section(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # all campaigns and look-alikes among a third of the other accounts
    for name in ("traces", "deal"):
        monkeypatch.setattr(real_dump, name, every_third(getattr(real_dump, name)))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- real-text-tuning-fast -->\nstale figures\n<!-- /real-text-tuning-fast -->\nafter\n")
    arguments = ["--data", str(DATA), "--half", "tuning", "--seeds", "1", "--first-seed", "0", "--docs", str(page)]
    assert real_text.main(arguments) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- real-text-tuning-fast -->\n`python -m benchmarks.real_text --half tuning")
    assert text.endswith("<!-- /real-text-tuning-fast -->\nafter\n")
    assert "stale figures" not in text
    assert "| look-alikes at urgent, all seeds | 0 |" in text
    assert "campaign recall" in capsys.readouterr().out
