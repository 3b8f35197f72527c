"""The independent worlds at toy size: how they are laid, the halves, the scores, and the command."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.independent.command import main
from benchmarks.independent.kinds import Clock, Manner, Unit
from benchmarks.independent.laying import DESIGNS, HARD, lay
from benchmarks.independent.library import data_missing, long_texts, read_library
from benchmarks.independent.packing import broken, by_subject, patch, with_gap
from benchmarks.independent.planting import start_of
from benchmarks.independent.routines import queue
from benchmarks.independent.scene import open_scene
from benchmarks.independent.scores import BACKGROUND, score, tables
from benchmarks.independent.toy import toy_library
from benchmarks.planting import PlantedDump, write
from benchmarks.world_sources import COMMON
from harvestdetect.simulate.evaluate import Planted, read_truth

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("HARVESTDETECT_DATA", ROOT.parent / "shared" / "data"))
ROWS = 2_500
SESSIONS = ("a_multiturn", "c_multiturn_zh", "e_editing_sessions", "h_socratic", "h_next_chapters")
"""Campaigns with sessions, whose later turns are the same in all of them or in many."""
OVERLAP = ("e_overlap", "g_best_of_six")
"""Campaigns that send each item by several accounts."""
FIELDS = {
    "a": {"ip", "asn", "user_agent", "signup_date"},
    "b": {"payment", "ip", "signup_date"},
    "e": {"ip", "asn", "user_agent", "signup_date", "payment"},
    "f": {"user_agent"},
    "g": {"ip", "asn", "user_agent", "signup_date", "payment"},
}


def toy(name: str, *, seed: int = 3, rows: int = ROWS) -> PlantedDump:
    return lay(DESIGNS[name], half="tuning", seed=seed, rows=rows, data=None)


@pytest.fixture(scope="module", params=list(DESIGNS))
def laid(request: pytest.FixtureRequest) -> tuple[str, PlantedDump]:
    return request.param, toy(request.param)


def test_a_dump_has_every_group_of_its_design(laid: tuple[str, PlantedDump]) -> None:
    name, dump = laid
    design = DESIGNS[name]
    wanted = {c.name: "campaign" for c in design.campaigns} | {g.name: "look-alike" for g in design.innocents}
    assert {row["name"]: row["kind"] for row in dump.truth} == wanted
    sent = Counter(row["account"] for row in dump.rows)
    members = {account for row in dump.truth for account in row["accounts"]}
    assert members <= set(sent)
    assert len(set(sent) - members) > 50, "there are accounts of nobody"
    times = [row["timestamp"] for row in dump.rows]
    assert times == sorted(times)
    assert times[0] >= design.log.start
    assert {key for row in dump.rows for key in row} == {"account", "timestamp", "prompt"} | FIELDS.get(name, set())


def test_the_designs_are_those_of_their_author() -> None:
    assert sum(len(design.campaigns) for design in DESIGNS.values()) == 112
    assert sum(len(design.innocents) for design in DESIGNS.values()) == 107
    assert len(HARD) == 18
    for design in DESIGNS.values():
        assert all((group.share is None) != (group.timed is None) for group in design.innocents)


def test_no_account_of_a_campaign_is_innocent(laid: tuple[str, PlantedDump]) -> None:
    _, dump = laid
    groups: dict[str, list[str]] = defaultdict(list)
    for row in dump.truth:
        for account in row["accounts"]:
            groups[account].append(row["name"])
    kinds = {row["name"]: row["kind"] for row in dump.truth}
    shared = {tuple(names) for names in groups.values() if len(names) > 1}
    assert all(kinds[name] == "campaign" for names in shared for name in names)
    assert shared <= {("b_wordskills", "b_conf_shared")}


def test_a_seed_gives_the_same_bytes(laid: tuple[str, PlantedDump], tmp_path: Path) -> None:
    name, dump = laid
    first, again, other = (
        write(one, tmp_path / str(i)).read_bytes() for i, one in enumerate((dump, toy(name), toy(name, seed=4)))
    )
    # the header of a compressed file has its time
    assert gzip.decompress(first) == gzip.decompress(again)
    assert gzip.decompress(first) != gzip.decompress(other)
    truth = [(tmp_path / str(i) / "truth.jsonl").read_bytes() for i in range(3)]
    assert truth[0] == truth[1]
    assert truth[0] != truth[2]
    assert len(read_truth(tmp_path / "0")) == len(dump.truth)


def test_a_campaign_divides_its_list(laid: tuple[str, PlantedDump]) -> None:
    _, dump = laid
    prompts: dict[str, set[str]] = defaultdict(set)
    for row in dump.rows:
        prompts[row["account"]].add(row["prompt"])
    for row in dump.truth:
        if row["kind"] != "campaign" or row["name"] in (*SESSIONS, *OVERLAP):
            continue
        senders = Counter(text for account in row["accounts"] for text in prompts[account] if len(text) >= COMMON)
        several = sum(count > 1 for count in senders.values())
        assert several <= 0.15 * len(senders), f"{row['name']}: {several} of {len(senders)} prompts have two senders"
        if row["share"] == 1 and row["name"] != "b_wordskills":
            assert len(senders) >= 0.85 * row["prompts"]


def test_a_session_begins_with_a_dealt_item() -> None:
    for name, turns in (("a", 3), ("c", 4), ("e", 5)):
        dump = toy(name)
        row = next(row for row in dump.truth if row["name"] in SESSIONS)
        own = set(row["accounts"])
        senders: dict[str, set[str]] = defaultdict(set)
        for sent in dump.rows:
            if sent["account"] in own:
                senders[sent["prompt"]].add(sent["account"])
        alone = sum(len(accounts) == 1 for accounts in senders.values())
        assert alone >= 0.8 * row["prompts"] / turns


def test_an_overlapping_list_goes_to_two_or_three_accounts() -> None:
    dump = toy("e", rows=20_000)
    row = next(row for row in dump.truth if row["name"] == OVERLAP[0])
    own = set(row["accounts"])
    senders: dict[str, set[str]] = defaultdict(set)
    for sent in dump.rows:
        if sent["account"] in own and sent["prompt"].startswith("You score answers."):
            senders[sent["prompt"]].add(sent["account"])
    counts = Counter(map(len, senders.values()))
    assert counts[2] > 5
    assert counts[3] > 5
    assert counts[2] + counts[3] >= 0.9 * counts.total()


def test_accounts_of_a_pool_change_their_target() -> None:
    dump = toy("h", rows=20_000)
    row = next(row for row in dump.truth if row["name"] == "h_pivot")
    own, days = set(row["accounts"]), defaultdict(set)
    for sent in dump.rows:
        if sent["account"] in own:
            days[sent["account"]].add(sent["timestamp"] < "2026-10-29")
    assert len(own) == len(days)
    assert sum(len(sides) == 2 for sides in days.values()) > 0.8 * len(own), "before and after the change"


def test_specialists_have_one_subject_each() -> None:
    scene = open_scene(DESIGNS["h"].log, toy_library("tuning"), half="tuning", seed=1, rows=ROWS)
    names = scene.library.names("code")
    pool_of = {text: name for name in names for text in scene.library.pools[name]}
    units: list[Unit] = list(scene.deal(240, *names))
    for count in (4, 6, 40):
        hands = by_subject("code")(scene, units, count)
        assert sorted(str(unit) for own in hands for unit in own) == sorted(map(str, units))
        assert all(hands)
        assert max(len({pool_of[str(unit)] for unit in own}) for own in hands) <= (2 if count < len(names) else 1)


def test_patches_and_gaps_are_of_the_code_that_was_given() -> None:
    code = "let a = 0;\nwhile (a < 10) {\n  a = a + 1;\n}\nreturn a;\n"
    rng = random.Random(0)
    for _ in range(20):
        assert broken(rng, code) != code
        change = patch(rng, "src/a.ts", code)
        assert change.startswith("--- a/src/a.ts\n+++ b/src/a.ts\n@@")
        path, rest = with_gap(rng, "src/a.ts", code).split("<|before|>")
        before, after = rest.removesuffix("<|fill|>").split("<|after|>")
        assert path == "<|file|>src/a.ts\n"
        assert code.startswith(before)
        assert code.endswith(after)
        assert len(before) + len(after) < len(code)


def test_a_queue_goes_to_as_many_colleagues_as_it_says() -> None:
    scene = open_scene(DESIGNS["h"].log, toy_library("tuning"), half="tuning", seed=1, rows=ROWS)
    share = queue("Screen: ", lambda scene, count: [f"entry {i}" for i in range(count)], 10, again=1)
    found = share(scene, 12)
    assert all(len(set(own)) == len(own) for own in found)
    senders = Counter(unit for own in found for unit in own)
    assert set(senders.values()) <= {1, 2}
    assert sum(count == 2 for count in senders.values()) > 0.8 * len(senders)


def test_times_of_shifts_weekends_evenings_and_nights() -> None:
    scene = open_scene(DESIGNS["f"].log, toy_library("tuning"), half="tuning", seed=1, rows=ROWS)

    def moments(clock: Clock, zone: int | None) -> list[datetime]:
        times = (scene.tempo.times(clock, 40, 0, 17, zone=zone) for _ in range(5))
        return [datetime.fromtimestamp(time, UTC) for own in times for time in own]

    weekend = [time.weekday() >= 5 for time in moments("weekend", 0)]
    assert sum(weekend) > 0.95 * len(weekend)
    evening = [time.hour >= 18 for time in moments("evening", 0)]
    assert sum(evening) > 0.9 * len(evening)
    nights = [(time.hour, time.minute < 30) for time in moments("nightly", 3)]
    assert set(nights) == {(3, True)}
    shift = [time.hour for time in moments("shifts", 0)]
    assert len(set(shift)) >= 8
    free = [time.weekday() == 6 for time in moments("shifts", 0)]
    assert sum(free) < 0.2 * len(free), "a night shift of Saturday ends on Sunday"


def test_a_growing_pool_doubles() -> None:
    scene = open_scene(DESIGNS["e"].log, toy_library("tuning"), half="tuning", seed=1, rows=ROWS)
    starts = [start_of(scene, Manner(first=4, stagger=40, starts="growing")) for _ in range(2_000)]
    early = sum(first < 14 for first in starts)
    late = sum(first >= 34 for first in starts)
    assert min(starts) >= 4
    assert max(starts) <= 44
    assert 0.03 < early / len(starts) < 0.11
    assert 0.45 < late / len(starts) < 0.6


def test_a_campaign_behind_a_reseller_has_the_values_of_its_customers() -> None:
    dump = toy("e", rows=20_000)
    groups = {row["name"]: set(row["accounts"]) for row in dump.truth}
    cards: dict[str, set[str]] = defaultdict(set)
    networks: dict[str, set[str]] = defaultdict(set)
    for row in dump.rows:
        for name in ("e_behind_reseller", "reseller_customers"):
            if row["account"] in groups[name]:
                cards[name].add(row["payment"])
                networks[name].add(row["ip"])
    assert len(cards["reseller_customers"] | cards["e_behind_reseller"]) <= 16
    assert len(networks["reseller_customers"] | networks["e_behind_reseller"]) <= 24
    assert cards["reseller_customers"] & cards["e_behind_reseller"]


def test_each_design_has_ids_of_its_own_form() -> None:
    forms = {"e": r"acct_[a-z2-9]{10}", "f": r"[1-9]\d{7}", "a": r"[0-9a-f]{16}"}
    for name, form in forms.items():
        assert all(re.fullmatch(form, row["account"]) for row in toy(name).rows)


def test_sizes_vary_with_the_seed() -> None:
    counts = [{r["name"]: len(r["accounts"]) for r in toy("c", seed=seed, rows=5_000).truth} for seed in range(3)]
    assert counts[0] != counts[1] != counts[2]
    wanted = DESIGNS["c"].campaigns[1].pools[0].accounts * 5_000 / 40_000
    for own in counts:
        assert 0.69 * wanted <= own["c_bare_strategyqa"] <= 1.31 * wanted


def test_the_halves_of_the_grammar_share_no_text() -> None:
    tuning, reporting = (long_texts(toy_library(half)) for half in ("tuning", "reporting"))
    shared = tuning & reporting
    assert len(tuning) > 2_000
    assert not [text for text in shared if "No. " in text]
    assert len(shared) < 200, "templates that are written into the code"


@pytest.mark.shared_data
@pytest.mark.skipif(bool(data_missing(DATA)), reason=f"{DATA} lacks the public texts")
def test_no_public_text_is_in_both_halves() -> None:
    halves = {half: read_library(DATA, half) for half in ("tuning", "reporting")}
    tuning, reporting = (long_texts(found) for found in halves.values())
    assert len(tuning) > 30_000
    assert len(reporting) > 30_000
    assert not tuning & reporting
    for found in halves.values():
        assert any(default.retrieves for default in found.defaults)
        assert any(default.grades for default in found.defaults)
        assert found.harnesses
        assert len(found.rhythms.weeks) > 5
        assert len(found.rhythms.pauses) > 100
        assert len(found.names("bench")) == 20


# ---------------------------------------------------------------- scores


def _accounts(name: str, count: int) -> list[str]:
    return [f"{name}{i}" for i in range(count)]


PLANTED = [
    Planted(name="one", kind="campaign", what="", accounts=frozenset(_accounts("a", 40))),
    Planted(name="two", kind="campaign", what="", accounts=frozenset(_accounts("b", 20))),
    Planted(name="class", kind="look-alike", what="", accounts=frozenset(_accounts("c", 30))),
]
ABOUT = [
    {"name": "one", "hard": False, "prompts": 400, "share": 0.8},
    {"name": "two", "hard": True, "prompts": 20, "share": 1.0},
]


def _scan(*findings: tuple[str, list[str]]) -> dict[str, Any]:
    return {
        "findings": [
            {"campaign_id": f"c{i}", "tier": tier, "score": 1.0, "accounts": own, "recommended": own}
            for i, (tier, own) in enumerate(findings)
        ],
        "seconds": 2.0,
        "peak_memory_mb": 100.0,
    }


def test_scores_say_what_was_found_and_who_is_behind_false_findings() -> None:
    scanned = _scan(
        ("urgent", [*_accounts("a", 30), *_accounts("x", 10)]),
        ("review", [*_accounts("c", 9), *_accounts("b", 3)]),
        ("watch", _accounts("x", 12)),
    )
    result = score(scanned, PLANTED, ABOUT, design="a", seed=0, rows=50_000)
    one, two = result["campaigns"]
    assert (one["found"], one["tier"], one["coverage"], one["prompts"]) == (True, "urgent", 0.75, 10)
    assert (two["found"], two["tier"], two["coverage"], two["hard"]) == (False, "review", 0.15, True)
    assert [(row["tier"], row["group"], row["own"]) for row in result["false"]] == [
        ("review", "class", 9),
        ("watch", BACKGROUND, 12),
    ]
    assert result["account_recall"] == pytest.approx(33 / 60)
    assert result["account_precision"] == pytest.approx(33 / 52)
    text = tables([result, result | {"design": "b", "false": []}])
    assert "| a | 1 | 50,000 | 1 of 1 | 0 of 1 | 0.55 | 0.63 | 0 | 1 | 1 | 2.0 |" in text
    assert "| **all** | 1 | 50,000 | 2 of 2 | 0 of 2 |" in text
    assert "| two (hard) | 20 | 1.0 | 1.00 | 0 of 2 | review, review | 0.15 |" in text
    assert "| a | class | 0 | 1 | 0 |" in text
    assert f"| a | {BACKGROUND} | 0 | 0 | 1 |" in text
    little = score(_scan(("urgent", _accounts("a", 3))), PLANTED, ABOUT, design="a", seed=0, rows=50_000)
    assert [row["tier"] for row in little["campaigns"]] == [None, None], "a finding with a few of the accounts"
    assert "No finding is false." in tables([result | {"false": []}])


# ---------------------------------------------------------------- the command


@pytest.mark.usefixtures("loaded_once")
def test_the_command(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTDETECT_CACHE", str(cache))
    page, results = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text("<!-- independent -->\n<!-- /independent -->\n", encoding="utf-8")
    given = ["--designs", "c", "--rows", "1500", "--work", str(tmp_path), "--docs", str(page), "--json", str(results)]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert "| c_bare_strategyqa (hard) |" in printed
    written = page.read_text(encoding="utf-8")
    assert "| c_bare_strategyqa (hard) |" in written
    assert "`python -m benchmarks.independent --designs c --half tuning --seeds 1" in written
    (row,) = json.loads(results.read_text(encoding="utf-8"))
    assert (row["design"], row["seed"]) == ("c", 0)
    assert len(row["campaigns"]) == len(DESIGNS["c"].campaigns)
    assert row["peak_memory_mb"] > 0


def test_wrong_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given, told in (
        (["--designs", "z"], "--designs knows a, b, c, d, e, f, g, h, got 'z'"),
        (["--data", str(tmp_path)], "lacks"),
        (["--lay-only"], "--lay-only needs --work"),
        (["--checkout", str(tmp_path)], "--checkout must be a folder with the package"),
    ):
        with pytest.raises(SystemExit):
            main(given)
        assert told in capsys.readouterr().err


def test_dumps_without_a_scan(tmp_path: Path) -> None:
    assert main(["--designs", "d", "--rows", "1200", "--work", str(tmp_path), "--lay-only"]) == 0
    assert (tmp_path / "d-tuning-0" / "prompts.jsonl.gz").is_file()
    assert len(read_truth(tmp_path / "d-tuning-0")) == len(DESIGNS["d"].campaigns) + len(DESIGNS["d"].innocents)
