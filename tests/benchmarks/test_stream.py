"""The stream benchmark at toy size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import stream
from benchmarks.stream import SCENARIOS, Scenario, lay, main

pytestmark = pytest.mark.usefixtures("loaded_once")


def scaled(*, accounts: float = 1, each: float = 1) -> tuple[Scenario, ...]:
    """The scenarios with a share of the accounts, each with a share of the prompts."""
    return tuple(
        replace(
            one,
            waves=tuple(
                replace(wave, accounts=int(wave.accounts * accounts), each=wave.each * each) for wave in one.waves
            ),
        )
        for one in SCENARIOS
    )


LARGE = scaled(each=0.5)
"""Half the prompts of an account: enough for a window of eight days."""
SMALL = scaled(accounts=0.5, each=0.5)
"""The same of half the accounts: enough for a window of sixteen days, too few for one of eight."""


def test_days_hold_their_own_prompts(tmp_path: Path) -> None:
    files = lay(tmp_path, days=20, rows=60, seed=1)
    assert len(files) == 20
    names = [json.loads(line)["name"] for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    for scenario in SCENARIOS:
        assert all(f"{scenario.name}/{i}" in names for i in range(len(scenario.waves)))


@pytest.mark.parametrize(
    ("options", "carried", "scenarios"),
    [(("--window", "8d"), False, LARGE), (("--window", "16d", "--carry"), True, SMALL)],
    ids=("options0-False", "options1-True"),
)
def test_campaigns_keep_their_ids(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    carried: bool,
    scenarios: tuple[Scenario, ...],
) -> None:
    monkeypatch.setattr(stream, "SCENARIOS", scenarios)
    page = tmp_path / "page.md"
    page.write_text("<!-- stream -->\n<!-- /stream -->\n")
    work = [*("--work", str(tmp_path / "work")), *("--docs", str(page)), *("--json", str(tmp_path / "found.json"))]
    assert main(["--days", "20", "--rows", "40", *options, "--cache", str(cache), *work]) == 0
    assert "second pool starts" in capsys.readouterr().out
    assert "hands over" in page.read_text()
    found = json.loads((tmp_path / "found.json").read_text())
    assert any(run["carried"] for run in found["runs"]) == carried
    *others, rotates = sorted(found["scenarios"], key=lambda one: one["name"] == "rotates")
    # every day brings another template and other accounts here, so each day's may be a finding of its own
    assert rotates["found"] is not None
    assert rotates["ids"] >= 1
    for one in others:
        # a campaign of one day may leave a second finding of a part of its accounts
        assert 1 <= one["ids"] <= (2 if one["name"] == "brief" else 1), one
        # a campaign that is at watch on its first days is told when it rises, as changed
        assert one["alerts"].get("new", 0) <= one["ids"], one
        assert one["alerts"].get("new", 0) + one["alerts"].get("changed", 0) >= 1, one
        if one["second_started"] is not None:
            assert one["second_reported"] - one["second_started"] <= 1, one
    assert found["compared"]["least_jaccard"] >= 0.95
