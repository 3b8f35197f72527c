"""The benchmark of speed and scale, at toy size."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import laying, many_clusters, scale
from benchmarks.laying import Laid, lay
from benchmarks.many_clusters import joined_texts, lay_rich, simulated_sentences
from benchmarks.scale import Scanned, exponent, tables
from harvestdetect.simulate.evaluate import read_truth

ROWS = 3_000
STAGES = (
    *(
        "read",
        "encode wording",
        "cluster wording",
        "assign",
        "templates",
        "campaigns",
        "accounts",
        "evidence",
        "triage",
        "map",
    ),
    scale.REST,
)


def _rows(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "dump").iterdir())
    return [json.loads(line) for file in files for line in gzip.open(file, "rt", encoding="utf-8")]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Laid]:
    folder = tmp_path_factory.mktemp("laid")
    return folder, lay(folder, rows=ROWS, seed=3, harvest=0.05)


def test_a_dump_holds_what_is_said_of_it(laid: tuple[Path, Laid]) -> None:
    folder, held = laid
    rows = _rows(folder)
    texts = [p if isinstance(p, str) else "\n".join(m["content"] for m in p) for p in (r["prompt"] for r in rows)]
    assert held.rows == len(rows) == ROWS
    assert held.repeated == pytest.approx(1 - len(set(texts)) / ROWS, abs=1e-4)
    assert held.characters == pytest.approx(sum(map(len, texts)) / ROWS, abs=0.1)
    assert held.characters > 200
    assert len({r["account"] for r in rows}) == held.accounts
    kinds = [group.kind for group in read_truth(folder)]
    assert (kinds.count("campaign"), kinds.count("look-alike")) == (held.campaigns, held.look_alikes)
    assert held.campaigns >= 1


def test_rows_of_planted_accounts_stay_as_they_were_simulated(laid: tuple[Path, Laid], tmp_path: Path) -> None:
    folder, held = laid
    scale.simulate(tmp_path, prompts=ROWS, harvest_share=0.05, days=laying.DAYS, seed=3, campaigns=held.campaigns)
    planted = {account for group in read_truth(folder) for account in group.accounts}
    before, after = _rows(tmp_path), _rows(folder)
    changed = {b["account"] for b, a in zip(before, after, strict=True) if b != a}
    assert changed
    assert not changed & planted
    assert [{**b, "prompt": ""} for b in before] == [{**a, "prompt": ""} for a in after]


def test_the_same_arguments_lay_the_same_rows(laid: tuple[Path, Laid], tmp_path: Path) -> None:
    folder, _ = laid
    lay(tmp_path / "again", rows=ROWS, seed=3, harvest=0.05)
    lay(tmp_path / "other", rows=ROWS, seed=4, harvest=0.05)
    assert _rows(tmp_path / "again") == _rows(folder)
    assert _rows(tmp_path / "other") != _rows(folder)


def test_a_dump_that_is_there_is_used_again(laid: tuple[Path, Laid], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, held = laid
    monkeypatch.setattr(laying, "make_plan", None)
    assert lay(folder, rows=ROWS, seed=3, harvest=0.05) == held


def test_later_rows_come_later_from_others_in_one_file(laid: tuple[Path, Laid], tmp_path: Path) -> None:
    folder, _ = laid
    lay(tmp_path, rows=10_000, seed=4, harvest=0.05, start=laying.START + laying.DAYS * scale.DAY, files=1)
    before, later = _rows(folder), _rows(tmp_path)
    assert len(list((tmp_path / "dump").iterdir())) == 1
    assert max(r["timestamp"] for r in before) < min(r["timestamp"] for r in later)
    assert min(r["timestamp"] for r in before) >= "2026-06-01"
    assert not {r["account"] for r in before} & {r["account"] for r in later}


def test_a_rich_dump_joins_popular_sentences(tmp_path: Path) -> None:
    held = lay_rich(tmp_path / "rich", rows=ROWS, seed=3, harvest=0.05)
    rows = _rows(tmp_path / "rich")
    planted = {account for group in read_truth(tmp_path / "rich") for account in group.accounts}
    assert held.rows == len(rows) == ROWS
    assert held.campaigns >= 1
    assert planted < {r["account"] for r in rows}
    assert lay_rich(tmp_path / "rich", rows=10, seed=9) == held
    lay_rich(tmp_path / "again", rows=ROWS, seed=3, harvest=0.05)
    assert _rows(tmp_path / "again") == rows
    # a popular sentence is in the prompts of many accounts
    senders: dict[str, set[str]] = {}
    for r in rows:
        if isinstance(r["prompt"], str) and r["account"] not in planted:
            for sentence in many_clusters.stock.cut_sentences(r["prompt"]):
                senders.setdefault(sentence, set()).add(r["account"])
    assert sum(len(accounts) >= 5 for accounts in senders.values()) > 30


def test_the_prompts_of_a_person_follow_one_another_and_join_sentences() -> None:
    sentences = {"a": [f"Sentence {i} of the first source" for i in range(40)], "b": ["Only one more here!"]}
    texts = joined_texts(sentences, rows=5_000, seed=0)
    assert joined_texts(sentences, rows=5_000, seed=0) == texts
    known = {s if s.endswith("!") else f"{s}." for own in sentences.values() for s in own}
    several = [text for text in texts if text not in {s for own in sentences.values() for s in own}]
    assert 0.4 < len(several) / len(texts) < 0.6
    for text in several:
        parts = text.replace("\n", " ").replace(". ", ".|").replace("! ", "!|").split("|")
        assert 2 <= len(parts) <= 4
        assert set(parts) <= known


def test_sentences_are_distinct_and_as_many_as_are_wanted() -> None:
    found = simulated_sentences(500, random.Random(1))
    assert len(set(found)) == len(found) == 500
    assert simulated_sentences(500, random.Random(1)) == found
    some = many_clusters._some({"a": tuple(found), "b": tuple(found[:100])}, 60, random.Random(1))
    assert {name: len(own) for name, own in some.items()} == {"a": 50, "b": 10}
    assert all(set(own) < set(found) for own in some.values())


@given(
    size=st.integers(100, 10**7),
    times=st.integers(2, 100),
    cost=st.floats(1e-3, 1e5),
    power=st.floats(-1.0, 3.0),
)
def test_the_exponent_is_the_power_by_which_a_cost_grows(size: int, times: int, cost: float, power: float) -> None:
    found = exponent((size, cost), (size * times, cost * times**power))
    assert found == pytest.approx(power, abs=1e-6)


def test_nothing_is_said_of_the_growth_of_what_cost_nothing() -> None:
    assert exponent((100, 0.0), (200, 1.0)) is None
    assert exponent((100, 1.0), (100, 2.0)) is None


def _scanned(rows: int, stages: Mapping[str, tuple[float, float]]) -> Scanned:
    laid = Laid(
        rows=rows, accounts=rows // 8, campaigns=2, look_alikes=1, harvest=50, characters=260.0, repeated=0.4, bytes=1,
        seconds=0.1,
    )  # fmt: skip
    return Scanned(
        laid=laid, stages=stages, seconds=sum(took for took, _ in stages.values()), processor_seconds=1.5,
        peak_memory_mb=700.0, counts={}, versions={"numpy": "2"}, campaign_recall=0.5, account_recall=0.25,
        account_precision=None, alarms=3, alarms_urgent=1,
    )  # fmt: skip


def test_the_tables_show_growth_and_leave_out_what_is_unknown() -> None:
    scans = [
        _scanned(1_000, {"read": (1.0, 100.0), scale.REST: (1.0, 100.0)}),
        _scanned(2_000, {"read": (4.0, 200.0), "late": (1.0, 300.0), scale.REST: (2.0, 700.0)}),
    ]
    lines = tables(scans, command="python -m benchmarks.scale").splitlines()
    assert "| 1,000 | 125 | 260 | 0.40 | 2.0 | 1.5 | 500 | 700 | - | 2 | 0.500 | 0.250 | - | 3 (1) |" in lines
    assert "| read | 1.0 | 1,000 | 100 | - | 4.0 | 500 | 200 | 2.00 |" in lines
    assert "| late | 0.0 | - | 0 | - | 1.0 | 2,000 | 300 | - |" in lines
    assert lines[-1] == f"| {scale.REST} | 1.0 | 1,000 | 100 | - | 2.0 | 1,000 | 700 | 1.00 |"


def test_a_second_scan_is_told_as_a_share_of_the_first() -> None:
    first = _scanned(1_000, {"read": (8.0, 100.0), scale.REST: (2.0, 100.0)})
    second = _scanned(50, {"read": (1.0, 100.0), scale.REST: (1.0, 100.0)})
    text = tables([replace(first, again=second)], command="python -m benchmarks.scale")
    lines = text.splitlines()
    assert "| stage | 1,000: seconds | with 50 more: seconds | share |" in lines
    assert "| read | 8.0 | 1.0 | 0.12 |" in lines
    assert "| all | 10.0 | 2.0 | 0.20 |" in lines
    assert lines[-1].startswith("1,050 rows: campaign recall 0.500, account recall 0.250, precision -, ")
    assert text.startswith(tables([first], command="python -m benchmarks.scale"))


@pytest.mark.parametrize("share", ["0", "1.5", "some"])
def test_a_share_of_later_rows_is_checked(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        scale.main(["--again", share])
    assert "--again" in capsys.readouterr().err


def test_sizes_are_sorted_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        scale.main(["--rows", "20"])
    assert "at least 100 rows" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        scale.main(["--rows", "many"])


def test_a_failed_scan_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="exit code"):
        scale.run_scan(["nowhere.jsonl", "--out", "nowhere"])


def test_the_benchmark_replaces_its_section(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARVESTDETECT_CACHE", str(cache))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- scale-fast -->\nstale figures\n<!-- /scale-fast -->\nafter\n")
    kept = tmp_path / "kept.json"
    arguments = ["--rows", "500,300", "--harvest", "0.1", "--threads", "1", "--work", str(tmp_path / "work")]
    assert scale.main([*arguments, "--docs", str(page), "--json", str(kept)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- scale-fast -->\n`python -m benchmarks.scale --rows 300,500 --encoder fast")
    assert text.endswith("<!-- /scale-fast -->\nafter\n")
    assert "stale figures" not in text
    for stage in STAGES:
        assert f"\n| {stage} |" in text
    assert "\n| 500 | " in capsys.readouterr().out
    small, large = json.loads(kept.read_text())
    assert small["counts"]["prompts"] == 300
    assert large["counts"]["prompts"] == 500
    for held in (small, large):
        assert set(held["stages"]) == set(STAGES)
        assert sum(seconds for seconds, _ in held["stages"].values()) == pytest.approx(held["seconds"], abs=0.1)
        assert held["peak_memory_mb"] >= max(peak for _, peak in held["stages"].values())
    # no vector is kept for a later scan
    assert not list((tmp_path / "work").rglob("vectors"))


@pytest.mark.usefixtures("in_process")
def test_a_rich_dump_has_a_section_of_its_own(tmp_path: Path, warmed: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- scale-fast-rich -->\n<!-- /scale-fast-rich -->\n")
    arguments = ["--clusters", "rich", "--rows", "300", "--threads", "1", "--work", str(warmed), "--docs", str(page)]
    assert scale.main(arguments) == 0
    assert "`python -m benchmarks.scale --clusters rich --rows 300 --encoder fast" in page.read_text()
    assert (warmed / "rich-rows-300-seed-0-harvest-0.005" / "dump").is_dir()


@pytest.mark.usefixtures("in_process")
def test_a_second_scan_of_the_same_and_later_rows_keeps_its_work(
    tmp_path: Path, warmed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.json"
    stale = warmed / "rows-600-seed-0-harvest-0.1" / "keep" / "stale"
    stale.parent.mkdir(parents=True)
    stale.touch()
    arguments = ["--rows", "600", "--harvest", "0.1", "--threads", "1", "--work", str(warmed)]
    assert scale.main([*arguments, "--again", "0.5", "--json", str(kept)]) == 0
    (held,) = json.loads(kept.read_text())
    assert held["counts"]["prompts"] == 600
    assert held["again"]["counts"]["prompts"] == 900
    assert held["again"]["laid"]["rows"] == 300
    assert held["again"]["again"] is None
    told = capsys.readouterr().out
    assert "--threads 1 --again 0.5`" in told
    share = held["again"]["seconds"] / held["seconds"]
    assert f"| all | {held['seconds']:,.1f} | {held['again']['seconds']:,.1f} | {share:.2f} |" in told
    # the first scan starts afresh, the second takes it up
    assert not stale.exists()
    run = json.loads((stale.parents[1] / "out" / "run.json").read_text())
    assert run["settings"]["work"] == str(stale.parent)


@pytest.mark.usefixtures("in_process")
def test_later_rows_may_be_scanned_into_a_state_alone(tmp_path: Path, warmed: Path) -> None:
    kept, page = tmp_path / "kept.json", tmp_path / "page.md"
    page.write_text("<!-- scale-fast-state -->\n<!-- /scale-fast-state -->\n")
    arguments = ["--rows", "600", "--harvest", "0.1", "--threads", "1", "--work", str(warmed)]
    assert scale.main([*arguments, "--again", "0.5", "--state", "--json", str(kept), "--docs", str(page)]) == 0
    (held,) = json.loads(kept.read_text())
    assert held["counts"]["prompts"] == 600
    assert held["again"]["counts"]["prompts"] == 900
    assert held["again"]["counts"]["new_rows"] == 300
    assert "--again 0.5 --state`" in page.read_text()
