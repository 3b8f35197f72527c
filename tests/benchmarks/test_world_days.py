"""A world in daily dumps at toy size."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.planting import PlantedDump
from benchmarks.world_days import cut, main
from benchmarks.world_plan import CAMPAIGNS
from benchmarks.worlds import lay
from harvestdetect.util.periods import DAY

pytestmark = pytest.mark.usefixtures("loaded_once")


@pytest.fixture(scope="module")
def laid() -> PlantedDump:
    return lay("adaptive", half="tuning", seed=4, rows=2_500, data=None)


def test_days_have_their_own_rows(laid: PlantedDump, tmp_path: Path) -> None:
    files, start = cut(laid, tmp_path / "days")
    rows = []
    for day, file in enumerate(files):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            own = [json.loads(line) for line in lines]
        assert all(start + day * DAY <= row["timestamp"] < start + (day + 1) * DAY for row in own)
        rows += own
    assert rows == laid.rows


def test_a_campaign_is_found_on_a_day_and_followed(
    laid: PlantedDump, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # all rows in three days are enough for a table
    start = min(row["timestamp"] for row in laid.rows) // DAY * DAY
    rows = [row | {"timestamp": start + (row["timestamp"] - start) // 15} for row in laid.rows]
    first = {name: start + (time - start) // 15 for name, time in laid.first.items()}
    monkeypatch.setattr("benchmarks.worlds.lay", lambda *_, **__: replace(laid, rows=rows, first=first))
    page = tmp_path / "page.md"
    page.write_text("<!-- world-days -->\n<!-- /world-days -->\n")
    where = [*("--work", str(tmp_path / "work")), *("--cache", str(cache)), *("--docs", str(page))]
    assert main(["--world", "adaptive", "--rows", "2500", "--window", "5d", *where]) == 0
    assert "commit" in page.read_text()
    table = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    rows_of = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in table[2:]}
    assert list(rows_of) == list(CAMPAIGNS)
    found = [row for row in rows_of.values() if row[2] == "1 of 1"]
    assert found
    for row in found:
        assert 0 < float(row[3]) <= 4
        assert int(row[4]) >= 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--world", "irc"], "--world knows api, adaptive"),
        (["--data", "nowhere"], "lacks"),
        (["--work", str(Path(__file__).parent)], "--work must be an empty or a new folder"),
    ],
)
def test_wrong_options_are_one_line(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(given)
    assert error.value.code == 2
    assert said in capsys.readouterr().err
