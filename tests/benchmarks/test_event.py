"""The benchmark of the reference event, at toy size."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import event, scale
from benchmarks.event import CAMPAIGN, TEMPLATES, Judged, judge, lay, plan_event, tables
from benchmarks.laying import DAYS, START, Laid
from benchmarks.scale import Scanned
from harvestdetect.simulate.evaluate import read_truth
from harvestdetect.simulate.groups import make_plan
from harvestdetect.util.periods import DAY

ACCOUNTS, EACH, BENIGN = 60, 20, 2_000
END = START + DAYS * DAY


def _rows(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "dump").iterdir())
    return [json.loads(line) for file in files for line in gzip.open(file, "rt", encoding="utf-8")]


def _members(folder: Path) -> frozenset[str]:
    (group,) = [g for g in read_truth(folder) if g.kind == "campaign"]
    assert group.name == CAMPAIGN
    return group.accounts


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Laid]:
    folder = tmp_path_factory.mktemp("event")
    return folder, lay(folder, accounts=ACCOUNTS, rows_per_account=EACH, benign=BENIGN, seed=3)


# ---------------------------------------------------------------- the dump


def test_the_event_is_laid_into_the_benign_rows(laid: tuple[Path, Laid]) -> None:
    folder, held = laid
    rows = _rows(folder)
    members = _members(folder)
    of_members = [row for row in rows if row["account"] in members]
    assert held.rows == len(rows)
    assert held.harvest == ACCOUNTS * EACH
    assert held.campaigns == 1
    assert held.look_alikes == len(read_truth(folder)) - 1 > 0
    assert len(rows) - len(of_members) == BENIGN
    assert len({row["account"] for row in of_members}) == len(members) == ACCOUNTS
    # the cover comes on top
    assert 0 < len(of_members) - held.harvest < 0.2 * held.harvest
    stamps = [row["timestamp"] for row in rows]
    assert stamps == sorted(stamps)
    assert stamps[0] >= "2026-06-01T00:00:00Z"
    assert stamps[-1] < "2026-07-16T00:00:00Z"
    assert all(row["created_at"] <= row["timestamp"] for row in rows)


def test_pools_begin_after_one_another_on_infrastructure_of_their_own(laid: tuple[Path, Laid]) -> None:
    folder, _ = laid
    members = _members(folder)
    rows = [row for row in _rows(folder) if row["account"] in members]
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["account"], row["timestamp"][:10])
    assert min(first.values()) <= "2026-06-02"
    assert len(set(first.values())) >= event.FEWEST_LINES
    holders: dict[str, set[str]] = {}
    for row in rows:
        holders.setdefault(row["ip"], set()).add(row["account"])
    sharing = sum(len(accounts) > 1 for accounts in holders.values())
    assert sharing > 0.5 * len(holders)
    assert max(map(len, holders.values())) < ACCOUNTS / event.FEWEST_LINES
    sent = Counter(row["account"] for row in rows)
    assert max(sent.values()) > 2 * min(sent.values())


def test_benign_rows_are_those_of_the_benchmark_of_scale(laid: tuple[Path, Laid]) -> None:
    folder, held = laid
    members = _members(folder)
    texts = [row["prompt"] for row in _rows(folder) if row["account"] not in members]
    plain = [text for text in texts if isinstance(text, str)]
    # repeated and pasted, not as the simulation alone writes
    assert 1 - len(set(plain)) / len(plain) > 0.25
    assert sum(map(len, plain)) / len(plain) > 200
    assert held.repeated > 0.1


def test_the_same_arguments_lay_the_same_rows(laid: tuple[Path, Laid], tmp_path: Path) -> None:
    folder, _ = laid
    lay(tmp_path / "again", accounts=ACCOUNTS, rows_per_account=EACH, benign=BENIGN, seed=3)
    lay(tmp_path / "other", accounts=ACCOUNTS, rows_per_account=EACH, benign=BENIGN, seed=4)
    dumps = [sorted((f / "dump").iterdir()) for f in (folder, tmp_path / "again", tmp_path / "other")]
    one, two, other = ([file.read_bytes() for file in files] for files in dumps)
    assert one == two
    assert one != other


def test_a_dump_that_is_there_is_used_again(laid: tuple[Path, Laid], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, held = laid
    monkeypatch.setattr(event, "make_plan", None)
    assert lay(folder, accounts=ACCOUNTS, rows_per_account=EACH, benign=BENIGN, seed=3) == held


def test_the_campaign_writes_by_many_templates_of_several_targets() -> None:
    assert 12 <= len(TEMPLATES) <= 20
    assert len({form.target for form in TEMPLATES}) >= 5
    plan = make_plan(prompts=300, harvest_share=0.0, campaigns=0, seed=1, start=START, end=END)
    writer = event._harvest_writer(Random(5))
    account = plan.network.accounts[0]
    account.chat = False
    random = Random(6)
    written = [writer(account, item, 0, random) for item in range(400)]
    systems = [text for text in written if not isinstance(text, str)]
    assert len({text[0]["content"] for text in systems}) == 1
    assert {message["role"] for text in systems for message in text} == {"system", "user"}
    texts = [text for text in written if isinstance(text, str)]
    assert len(set(texts)) > 0.9 * len(texts)
    assert not any("{" in text and "}" in text and "x_" in text for text in texts)
    account.chat = True
    assert all(isinstance(writer(account, item, 0, random), list) for item in range(20))


@settings(max_examples=25, deadline=None)
@given(accounts=st.integers(10, 400), each=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_every_account_harvests_within_the_window_after_it_was_opened(accounts: int, each: int, seed: int) -> None:
    plan = make_plan(prompts=300, harvest_share=0.0, campaigns=0, seed=seed, start=START, end=END)
    before, streams = len(plan.network.accounts), len(plan.streams)
    plan_event(plan, accounts=accounts, rows=accounts * each, seed=seed, start=START, end=END)
    (_, harvest), (_, cover) = plan.streams[streams:]
    assert len(harvest) == accounts * each
    group = plan.groups[-1]
    assert sorted(group.accounts) == list(range(before, before + accounts))
    assert set(harvest.account.tolist()) == set(group.accounts) >= set(cover.account.tolist())
    assert sorted(harvest.item.tolist()) == list(range(accounts * each))
    for events in (harvest, cover):
        created = [plan.network.accounts[a].created for a in events.account.tolist()]
        assert all(c <= t for c, t in zip(created, events.time.tolist(), strict=True))
        assert all(START <= t < END for t in events.time.tolist())
    assert plan.counts["harvest_prompts"] == len(harvest)
    assert plan.counts["cover_prompts"] == len(cover)
    # no session of one stream is in another
    sessions = [set(events.session.tolist()) for _, events in plan.streams]
    assert sum(map(len, sessions)) == len(set().union(*sessions))


# ---------------------------------------------------------------- what was found


def _scanned(rows: int = 1_000) -> Scanned:
    laid = Laid(
        rows=rows, accounts=70, campaigns=1, look_alikes=1, harvest=400, characters=312.4, repeated=0.31, bytes=1,
        seconds=0.1,
    )  # fmt: skip
    return Scanned(
        laid=laid, stages={"read": (2.0, 90.0), scale.REST: (0.5, 100.0)}, seconds=2.5, processor_seconds=3.5,
        peak_memory_mb=100.0, counts={}, versions={"numpy": "2"}, campaign_recall=1.0, account_recall=0.9,
        account_precision=0.9, alarms=1, alarms_urgent=0,
    )  # fmt: skip


def _write_out(folder: Path, findings: list[tuple[str, str, list[str]]]) -> None:
    planted = [f"a{i}" for i in range(10)]
    lines = [
        {"name": CAMPAIGN, "kind": "campaign", "what": "", "accounts": planted},
        {"name": "class", "kind": "look-alike", "what": "", "accounts": ["b0", "b1", "b2"]},
    ]
    (folder / "truth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = folder / "out"
    out.mkdir()
    days = {"first_seen": "2026-06-02T01:00:00Z", "last_seen": "2026-07-09T01:00:00Z"}
    (out / "campaigns.jsonl").write_text(
        "".join(
            json.dumps({"campaign_id": name, "tier": tier, "score": 1.0, **days}) + "\n" for name, tier, _ in findings
        )
    )
    cells = "".join(f"{a},{name},true\n" for name, _, accounts in findings for a in accounts)
    (out / "accounts.csv").write_text("account,campaign_id,recommended\n" + cells)


def test_a_campaign_in_pieces_is_told_from_one_that_is_whole(tmp_path: Path) -> None:
    pieces = [
        ("c-1", "urgent", [*(f"a{i}" for i in range(6)), "x"]),
        ("c-2", "review", ["a6", "a7"]),
        ("c-3", "watch", ["a8", "a9"]),
        ("c-4", "review", ["b0", "b1", "b2"]),
    ]
    _write_out(tmp_path, pieces)
    found = judge(tmp_path, _scanned())
    assert found.findings == 2
    assert found.largest_share == pytest.approx(0.6)
    assert found.largest_precision == pytest.approx(6 / 7)
    assert (found.tier, found.first, found.last) == ("urgent", "2026-06-02T01:00:00Z", "2026-07-09T01:00:00Z")
    assert found.account_recall == pytest.approx(0.8)
    assert found.account_precision == pytest.approx(8 / 12)
    assert (found.alarms, found.alarms_urgent) == (1, 0)


def test_a_campaign_that_is_only_watched_is_not_found(tmp_path: Path) -> None:
    _write_out(tmp_path, [("c-1", "watch", [f"a{i}" for i in range(10)])])
    found = judge(tmp_path, _scanned())
    assert (found.findings, found.largest_share, found.account_recall) == (0, 0.0, 0.0)
    assert found.largest_precision is found.tier is found.first is found.account_precision is None
    assert "| 0 | 0.000 | - | - | - | - | 0.000 | - | 0 (0) |" in tables(found, command="x").splitlines()


def test_the_tables_show_the_dump_the_campaign_and_the_stages() -> None:
    found = Judged(
        scanned=_scanned(), findings=1, largest_share=0.96, largest_precision=0.995, tier="urgent",
        first="2026-06-02T01:00:00Z", last="2026-07-09T01:00:00Z", account_recall=0.97, account_precision=0.99,
        alarms=2, alarms_urgent=0,
    )  # fmt: skip
    lines = tables(found, command="python -m benchmarks.event").splitlines()
    assert lines[0].startswith("`python -m benchmarks.event`, ")
    assert "| 1,000 | 400 | 70 | 312 | 0.31 | 2.5 | 3.5 | 400 | 100 |" in lines
    assert "| 1 | 0.960 | 0.995 | urgent | 2026-06-02 | 2026-07-09 | 0.970 | 0.990 | 2 (0) |" in lines
    assert "| read | 2.0 | 500 | 90 |" in lines
    assert lines[-1] == f"| {scale.REST} | 0.5 | 2,000 | 100 |"


# ---------------------------------------------------------------- the command


def test_too_small_an_event_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        event.main(["--scale", "0.0001"])
    assert "at least 10 accounts" in capsys.readouterr().err


@pytest.mark.usefixtures("in_process")
def test_the_benchmark_replaces_its_section_and_passes_options_on(
    tmp_path: Path, warmed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- event -->\nstale figures\n<!-- /event -->\nafter\n")
    kept = tmp_path / "kept.json"
    arguments = ["--scale", "0.01", "--accounts", "2000", "--rows-per-account", "10", "--benign", "60000"]
    arguments += ["--options", "--threads 1 --min-accounts 900", "--work", str(warmed)]
    assert event.main([*arguments, "--docs", str(page), "--json", str(kept)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- event -->\n`python -m benchmarks.event --scale 0.01 --accounts 2000")
    assert '--options="--threads 1 --min-accounts 900"`' in text
    assert text.endswith("<!-- /event -->\nafter\n")
    assert "stale figures" not in text
    told = capsys.readouterr()
    assert "\n| read |" in told.out
    assert "rows written in" in told.err
    held = json.loads(kept.read_text())
    # of so many accounts there is none
    assert (held["findings"], held["account_recall"]) == (0, 0.0)
    laid = held["scanned"]["laid"]
    assert held["scanned"]["counts"]["prompts"] == laid["rows"]
    assert laid["harvest"] == 200
    (folder,) = warmed.glob("event-20-by-10-in-600-seed-0")
    run = json.loads((folder / "out" / "run.json").read_text())
    assert run["settings"]["min_accounts"] == 900
