"""The recall benchmark: what it plants is what its tables say, and its figures are computed as stated."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import pickle
import random
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import recall
from benchmarks.ground import INNOCENT, LENDS, Hosts
from benchmarks.pages import write_section
from benchmarks.planting import PlantedDump, plant
from benchmarks.plots import write_plots
from benchmarks.real_texts import START, data_missing, fixed_words
from benchmarks.results import Finding, JudgedGroup, Result, interval, wilson
from benchmarks.scenarios import (
    CENTRE,
    EVASIONS,
    GRID,
    INSTRUCTIONS,
    LOOK_ALIKES,
    PARTS,
    REWORDED,
    Dump,
    Scenario,
    disguise,
    dumps,
    reword,
    technique,
)
from benchmarks.sources import NotEnough, Sources, grammar_sources, real_sources
from benchmarks.tables import render_parts
from harvestdetect import Settings
from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import Tier
from harvestdetect.simulate.evaluate import Planted, ReportedFinding
from harvestdetect.util.periods import DAY

pytestmark = pytest.mark.usefixtures("loaded_once")

DATA = Path(os.environ.get("HARVESTDETECT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(bool(data_missing(DATA)), reason="the public texts are absent")


# ---------------------------------------------------------------- tables of scenarios


@pytest.mark.parametrize(("part", "table"), [("grid", GRID), ("evasions", EVASIONS)])
@pytest.mark.parametrize("rows", [40_000, 50_000])
def test_every_scenario_is_planted_once_and_leaves_innocents(part: Any, table: tuple[Scenario, ...], rows: int) -> None:
    found = dumps(part, rows=rows)
    assert Counter(s.name for d in found for s in d.scenarios) == Counter(s.name for s in table)
    assert len({d.name for d in found}) == len(found)
    for dump in found:
        assert all(s.metadata == dump.metadata for s in dump.scenarios)
        assert sum(s.cover for s in dump.scenarios) <= 0.5 * rows
        assert all(not look.needs_org or dump.metadata for look in dump.look_alikes)


def test_the_grid_varies_one_factor_at_a_time_around_its_centre() -> None:
    for scenario in GRID:
        for factor, level in scenario.levels.items():
            assert factor in CENTRE.levels
            assert scenario is CENTRE or level != CENTRE.levels[factor]
    assert {s.levels.get("accounts") for s in GRID} >= {"20", "60", "273", "1,500", "5,000"}
    assert {s.levels.get("harvest share") for s in GRID} >= {"100 %", "50 %", "20 %", "10 %", "5 %"}
    assert all(s.harvest + s.cover <= 31_000 for s in GRID)
    assert sum(s.required for s in GRID) >= 20


def test_look_alikes_have_two_sizes_and_all_are_in_the_dump_with_metadata() -> None:
    kinds = Counter(look.kind for look in LOOK_ALIKES)
    assert set(kinds.values()) == {2}
    without, with_org = dumps("look-alikes")
    assert set(with_org.look_alikes) == set(LOOK_ALIKES)
    assert {look.kind for look in without.look_alikes} == set(kinds)


def test_only_keeps_what_it_names() -> None:
    assert [s.name for d in dumps("grid", only=["centre", "each-3"]) for s in d.scenarios] == ["centre", "each-3"]
    assert [x.name for d in dumps("look-alikes", only=["viral"]) for x in d.look_alikes] == [
        "viral-60",
        "viral-250",
    ] * 2


# ---------------------------------------------------------------- texts


def test_techniques_differ_within_and_between_the_parts() -> None:
    tuning, reporting = ([technique(i, half) for i in range(4_608)] for half in ("tuning", "reporting"))
    assert len({*tuning, *reporting}) == 2 * 4_608


def test_the_two_parts_share_no_instruction() -> None:
    assert not set(INSTRUCTIONS["tuning"]) & set(INSTRUCTIONS["reporting"])
    assert not set(REWORDED["tuning"]) & set(REWORDED["reporting"])


@given(st.integers(0, 2**32))
def test_a_reworded_text_has_no_choice_left(seed: int) -> None:
    rng = random.Random(seed)
    for text in (*REWORDED["tuning"], *REWORDED["reporting"]):
        assert not re.search(r"[\[\]|]", made := reword(text, rng))
        assert made.count("{x}") == 1


@given(st.text(min_size=1, max_size=200), st.integers(0, 2**32))
def test_disguises_keep_the_text_in_them(text: str, seed: int) -> None:
    def made(how: str) -> str:
        return disguise(text, how, rng=random.Random(seed), sentence=lambda: "padding", context=lambda n: "c" * n)

    assert made("padding").startswith(text + " padding padding")
    assert made("noise").endswith("] " + text)
    assert made("context").endswith("\n\n" + text)
    assert 1_000 <= len(made("context")) - len(text) - 2 <= 3_000
    hidden = made("zero-width")
    assert len(hidden) >= len(text)
    assert [c for c in hidden if unicodedata.category(c) != "Cf"] == [
        c for c in text if unicodedata.category(c) != "Cf"
    ]
    assert len(made("homoglyphs")) == len(text)
    encoded = base64.b64encode(text.encode()).decode()
    assert encoded in made("base64")
    assert made("human") == text


def test_homoglyphs_change_a_text_that_normalises_back() -> None:
    text = "Explain the policy of a company and expect a sharp reply"
    made = disguise(text, "homoglyphs", rng=random.Random(1), sentence=str, context=str)
    assert made != text
    assert normalize(made) == normalize(text)


# ---------------------------------------------------------------- hosts


def _accounts(sizes: list[int]) -> list[list[tuple[int, str]]]:
    return [[(START + i, f"{a}/{i}") for i in range(size)] for a, size in enumerate(sizes)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 40), min_size=5, max_size=40), st.lists(st.integers(1, 30), max_size=20), st.integers(0, 99)
)
def test_hosts_give_each_row_once_and_keep_some(sizes: list[int], needs: list[int], seed: int) -> None:
    hosts = Hosts(_accounts(sizes), random.Random(seed))
    taken: list[str] = []
    lent: Counter[str] = Counter()
    for need in needs:
        try:
            rows = hosts.take(need)
        except NotEnough:
            break
        assert len(rows) == need
        taken += [text for _, text in rows]
        lent.update({text.split("/")[0] for _, text in rows})
    left = [text for trace in hosts.traces for _, text in trace]
    assert sorted(taken + left) == sorted(text for trace in _accounts(sizes) for _, text in trace)
    assert len(left) >= INNOCENT * sum(sizes) - 30
    assert all(n <= LENDS for n in lent.values())


def test_hosts_say_what_is_missing() -> None:
    hosts = Hosts(_accounts([10, 10]), random.Random(0))
    with pytest.raises(NotEnough, match="16 more rows of real accounts are needed, 20 of 20 are left"):
        hosts.take(16)
    with pytest.raises(NotEnough, match="no real account with 11 to 12 rows"):
        hosts.whole(11, 12)


# ---------------------------------------------------------------- a dump


@lru_cache
def _pickled_sources(rows: int) -> bytes:
    """The toy texts: to read them takes a hundredth of the time in which they are made."""
    return pickle.dumps(grammar_sources(seed="toy", rows=rows))


def _lay(
    *scenarios: Scenario, metadata: bool = False, rows: int = 3_000, looks: bool = False
) -> tuple[Sources, PlantedDump]:
    kept = tuple(x for x in LOOK_ALIKES[::2]) if looks else ()
    dump = Dump(name="toy", part="grid", scenarios=scenarios, metadata=metadata, look_alikes=kept)
    sources: Sources = pickle.loads(_pickled_sources(rows))
    return sources, plant(dump, sources, half="tuning", seed="toy")


def _scenario(name: str) -> Scenario:
    return next(s for s in (*GRID, *EVASIONS) if s.name == name)


def _rows(laid: PlantedDump, name: str) -> dict[str, list[dict[str, Any]]]:
    accounts = next(g["accounts"] for g in laid.truth if g["name"] == name)
    found: dict[str, list[dict[str, Any]]] = {a: [] for a in accounts}
    for row in laid.rows:
        if row["account"] in found:
            found[row["account"]].append(row)
    return found


def _text(row: dict[str, Any]) -> str:
    return row["prompt"] if isinstance(row["prompt"], str) else json.dumps(row["prompt"])


def test_a_campaign_has_the_size_and_share_that_its_scenario_says() -> None:
    sources, laid = _lay(CENTRE)
    mine = {text for trace in sources.accounts for _, text in trace}
    rows = _rows(laid, "centre")
    assert len(rows) == 60
    harvest = [[r for r in own if _text(r) not in mine] for own in rows.values()]
    assert all(7 <= len(own) <= 13 for own in harvest)
    assert laid.harvest["centre"] == sum(map(len, harvest))
    assert all(len(own) == 2 * len(h) for own, h in zip(rows.values(), harvest, strict=True))
    times = [r["timestamp"] for own in harvest for r in own]
    assert max(times) - min(times) <= 30 * DAY
    assert laid.first["centre"] == min(times)


def test_background_rows_are_neither_lost_nor_doubled() -> None:
    sources, laid = _lay(CENTRE)
    before = Counter((t, text) for trace in sources.accounts for t, text in trace)
    after = Counter((r["timestamp"], r["prompt"]) for r in laid.rows if isinstance(r["prompt"], str))
    assert not before - after
    assert len(laid.rows) == sum(before.values()) + laid.harvest["centre"]
    planted = {a for g in laid.truth for a in g["accounts"]}
    assert laid.background == sum(r["account"] not in planted for r in laid.rows)
    assert laid.accounts == len({r["account"] for r in laid.rows})


def test_the_same_seed_lays_the_same_dump() -> None:
    before = _lay(CENTRE, metadata=True)
    _pickled_sources.cache_clear()
    again = _lay(CENTRE, metadata=True)
    assert again == before


def test_no_two_campaigns_of_a_dump_have_the_same_fixed_instruction() -> None:
    names = ("long-context", "system-prompt", "last-turn")
    _, laid = _lay(*(dataclasses.replace(_scenario(name), share=1.0) for name in names))
    for instruction in INSTRUCTIONS["tuning"]:
        holders = [n for n in names if any(instruction in _text(r) for own in _rows(laid, n).values() for r in own)]
        assert len(holders) <= 1


def test_two_campaigns_share_a_third_of_their_accounts() -> None:
    _, laid = _lay(_scenario("shared-accounts"), rows=6_000)
    first, second = (set(g["accounts"]) for g in laid.truth)
    assert len(first) == len(second) == 60
    assert len(first & second) == 20


def test_the_second_pool_starts_when_the_first_stops() -> None:
    _, laid = _lay(dataclasses.replace(_scenario("hand-over"), share=1.0))
    own = sorted(
        (min(r["timestamp"] for r in rows), max(r["timestamp"] for r in rows))
        for rows in _rows(laid, "hand-over").values()
    )
    assert max(last for _, last in own[:30]) <= min(first for first, _ in own[30:])


def test_half_of_the_accounts_move_to_the_new_model_within_a_day() -> None:
    scenario = dataclasses.replace(_scenario("model-move"), share=1.0)
    _, laid = _lay(scenario, metadata=True)
    moved = {}
    for account, rows in _rows(laid, "model-move").items():
        times = [r["timestamp"] for r in rows if r["model"] == "large-3"]
        if times:
            moved[account] = min(times)
    assert len(moved) >= 30


def test_with_metadata_every_row_has_it_and_a_campaign_shares_more_than_its_innocents() -> None:
    _, laid = _lay(_scenario("metadata"), metadata=True)
    for row in laid.rows:
        assert {"org", "ip", "asn", "user_agent", "email_domain", "created_at", "model"} <= set(row)
    guilty = _rows(laid, "metadata")
    networks = {r["ip"].rsplit(".", 1)[0] for own in guilty.values() for r in own}
    assert len(networks) <= 3
    cards = Counter(own[0]["payment"] for own in guilty.values())
    assert set(cards.values()) == {5}
    others = {r["account"]: r["ip"].rsplit(".", 1)[0] for r in laid.rows if r["account"] not in guilty}
    assert Counter(others.values()).most_common(1)[0][1] < 0.1 * len(others)


def test_every_look_alike_is_planted_at_its_size() -> None:
    _, laid = _lay(rows=6_000, looks=True, metadata=True)
    assert {g["name"]: len(g["accounts"]) for g in laid.truth} == {x.name: x.accounts for x in LOOK_ALIKES[::2]}
    assert all(own for g in laid.truth for own in _rows(laid, g["name"]).values())
    for kind in ("researcher-4", "nightly-2", "translation-2", "build-agent-3"):
        assert len({r["org"] for own in _rows(laid, kind).values() for r in own}) == 1


@pytest.mark.parametrize(
    "scenario", [s for s in (*GRID, *EVASIONS) if s.harvest <= 2_000 and s.cover <= 2_000], ids=lambda s: s.name
)
def test_every_small_scenario_can_be_planted(scenario: Scenario) -> None:
    _, laid = _lay(scenario, rows=4_000, metadata=scenario.metadata)
    assert sum(laid.harvest.values()) == pytest.approx(scenario.harvest, rel=0.7 if scenario.load == "heavy" else 0.15)


@needs_data
@pytest.mark.shared_data
def test_the_parts_of_the_public_texts_share_no_template_and_no_account_text_is_a_payload() -> None:
    tuning, reporting = (real_sources(DATA, half=h, seed="s", rows=20_000) for h in ("tuning", "reporting"))
    for name in ("templates", "products", "scaffolds", "payloads", "tasks"):
        assert getattr(tuning, name)
        assert not set(getattr(tuning, name)) & set(getattr(reporting, name))
    assert sum(map(len, reporting.accounts)) == pytest.approx(20_000, abs=2_000)
    mine = Counter(text for trace in reporting.accounts for _, text in trace)
    assert sum(mine[text] for text in reporting.payloads) <= 0.001 * len(reporting.payloads)
    assert all(len(fixed_words(t)) >= 8 for t in (*tuning.templates, *reporting.templates))


# ---------------------------------------------------------------- figures


def test_wilson_gives_the_published_interval() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=2e-4)  # Newcombe 1998, table I
    assert wilson(0, 0) == (0.0, 1.0)


@given(
    st.dictionaries(
        st.integers(0, 20), st.lists(st.sampled_from((0.0, 1.0)), min_size=1, max_size=6), min_size=1, max_size=9
    )
)
@settings(deadline=None, max_examples=25)
def test_an_interval_holds_its_mean(values: dict[int, list[float]]) -> None:
    found = interval(values, counts=True)
    assert found is not None
    assert found.how == ("bootstrap" if len(values) >= 5 else "wilson")
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9
    everything = [v for own in values.values() for v in own]
    assert found.mean == pytest.approx(sum(everything) / len(everything))


def test_few_seeds_of_other_values_give_their_range() -> None:
    found = interval({1: [0.5, 0.7], 2: [0.9]})
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((0.7, 0.6, 0.9))
    assert found.how == "range"
    assert interval({1: [], 2: []}) is None


def _group(
    scenario: str, *, found: bool, covered: int, name: str | None = None, days: float | None = None
) -> JudgedGroup:
    return JudgedGroup(
        name=name or scenario, scenario=scenario, kind="campaign", accounts=60, harvest=600, found=found,
        tier="review" if found else None, recall=covered / 60, precision=1.0 if found else None, covered=covered,
        days=days,
    )  # fmt: skip


def _result(part: str = "grid", **changes: Any) -> Result:
    base = Result(
        part=part, dump=f"{part}-1", metadata=False, seed=100, detector="harvestdetect", variant="", origin="toy texts",
        rows=1_000, benign_rows=500, accounts=100, average_precision=0.5, flagged=60, flagged_guilty=57,
        groups=(_group("centre", found=True, covered=57), _group("each-1", found=False, covered=0)),
        findings=(
            Finding(tier="review", score=3.0, q=1e-5, accounts=60, false=False),
            Finding(tier="review", score=2.0, q=5e-4, accounts=20, false=True),
            Finding(tier="watch", score=1.0, q=0.5, accounts=20, false=True),
        ),
        versions={"python": "3"},
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def test_the_grid_section_counts_what_is_required_and_what_is_false() -> None:
    text = render_parts([_result(), _result(seed=101)], command="recall")["grid"]
    assert "`recall --part grid` on" in text
    assert "Texts: toy texts." in text
    # each-1 is below the required size
    assert "| campaign recall, at least 60 accounts with 3 prompts each | 1.000 (0.342–1.000) | 0.95 |" in text
    assert "| campaign recall, all scenarios | 0.500 (0.150–0.850) |  |" in text
    assert "| account precision | 0.950 (0.950–0.950) | 0.98 |" in text
    assert "| alarms per 100,000 benign prompts | 200.000 (200.000–200.000) |  |" in text
    assert "| prompts per account | 1 | 0/2 (0.00–0.66) | 0.00 | – | – 2 |" in text
    assert "| 0.0001 | 2 | 0 | 0.000 (0.000–0.658) | 1e-05 |" in text
    assert "| 0.05 | 4 | 2 | 0.500 (0.150–0.850) | 0.00026 |" in text


def test_baselines_stand_beside_ours_and_do_not_enter_our_figures() -> None:
    theirs = _result(detector="exact", groups=(_group("centre", found=False, covered=0),), average_precision=0.0)
    text = render_parts([_result(), theirs], command="recall")["grid"]
    assert "| accounts | 60 (centre) | 1/1 (0.21–1.00) | 0.95 | 1.00 | review 1 | 0/1 |" in text
    assert re.search(r"^\| exact \| 0\.000 \(0\.000–0\.793\) \|", text, re.MULTILINE)


def test_a_dump_that_could_not_be_laid_is_named() -> None:
    left = Result(
        part="grid", dump="grid-4", metadata=False, seed=7, detector="harvestdetect", variant="",
        left_out="no rows left",
    )  # fmt: skip
    text = render_parts([_result(), left], command="recall")["grid"]
    assert "Left out: grid-4, seed 7: no rows left." in text
    assert render_parts([left], command="recall")["grid"].strip() == "Left out: grid-4, seed 7: no rows left."


def test_the_other_sections_say_what_they_hold() -> None:
    look = dataclasses.replace(_group("viral-60", found=False, covered=0), kind="look-alike", tier="watch")
    results = [
        _result("look-alikes", groups=(look,), findings=()),
        _result(
            "benign",
            groups=(),
            benign_rows=50_000,
            findings=(Finding(tier="review", score=1, q=0.01, accounts=9, false=True),),
        ),
        _result(
            "days",
            groups=(_group("centre", found=True, covered=57, days=4.5), _group("hand-over", found=False, covered=0)),
        ),
        _result("ablations", variant="without time"),
        _result("evasions", groups=(_group("base64", found=False, covered=0),)),
    ]
    text = render_parts(results, command="recall")
    assert "| viral: one long text, sent once by each account | 60 | watch 1 | not planted |" in text["look-alikes"]
    assert "| review | 1 | 2.00 |" in text["benign"]
    assert "| 1/1 | 4.5 (4.5–4.5) |" in text["days"]
    assert "| 0/1 | – |" in text["days"]
    assert "| ablations-1 | without time | 0.500" in text["ablations"]
    assert "Missed: base64 in 1 of 1." in text["evasions"]


def test_plots_are_well_formed_and_show_every_level(tmp_path: Path) -> None:
    results = [
        _result(),
        _result(detector="a<b", groups=(_group("centre", found=False, covered=0),)),
        _result(
            "days",
            groups=(_group("centre", found=True, covered=57, days=4.5), _group("hand-over", found=False, covered=0)),
        ),
    ]
    written = write_plots(results, tmp_path / "plots")
    assert [file.name for file in written] == ["recall-grid.svg", "recall-beside.svg", "recall-days.svg"]
    texts = {file.stem: "".join(ElementTree.parse(file).getroot().itertext()) for file in written}
    assert "prompts per account" in texts["recall-grid"]
    assert "a<b" in texts["recall-beside"]
    assert "not found 1 of 1" in texts["recall-days"]
    assert write_plots([], tmp_path / "none") == []


# ---------------------------------------------------------------- the command


def test_a_job_is_another_when_anything_that_decides_it_changes() -> None:
    def keys(**changes: Any) -> list[str]:
        given: dict[str, Any] = {
            "seeds": [0], "half": "tuning", "rows": 900, "data": None, "settings": {"encoder": "fast"},
            "only": ["centre"],
        } | changes  # fmt: skip
        return [job.key() for job in recall.jobs(["grid"], **given)]

    base = keys()
    assert base == keys()
    others = (
        *keys(seeds=[1]), *keys(half="reporting"), *keys(rows=901), *keys(settings={"encoder": "auto"}),
        *keys(only=["each-3"]),
    )  # fmt: skip
    assert len({*base, *others}) == 6


def test_parts_give_their_jobs() -> None:
    found = recall.jobs(
        PARTS, seeds=[5, 6], half="tuning", rows=50_000, data=None, settings={}, benign=3, every=5, baselines=["exact"]
    )  # fmt: skip
    assert {(job.seed, job.every) for job in found if job.dump.part == "days"} == {(5, 5), (6, 5)}
    assert [job.seed for job in found if job.dump.part == "benign"] == [5, 6, 7]
    plain = [job for job in found if job.dump.part == "ablations" and not job.dump.metadata]
    assert "without infrastructure" not in {job.variant for job in plain}
    assert {job.detector for job in found if job.dump.part in ("days", "benign", "ablations")} == {"harvestdetect"}


def test_a_look_alike_has_the_tier_of_findings_that_are_its_own() -> None:
    look = Planted(name="viral", kind="look-alike", what="", accounts=frozenset("abcd"))

    def found(tier: Tier, accounts: str) -> ReportedFinding:
        return ReportedFinding(
            campaign_id=accounts, tier=tier, score=1.0, accounts=frozenset(accounts), recommended=frozenset()
        )

    guilty = frozenset("wxyz")
    assert recall._tier_of(look, [found("urgent", "wxyza")], guilty) is None
    assert recall._tier_of(look, [found("watch", "abcdefghi"), found("review", "aefg")], guilty) == "watch"
    assert recall._tier_of(look, [found("watch", "abcd"), found("review", "ab")], guilty) == "review"


@pytest.mark.parametrize("variant", [name for name, _, _ in recall.ABLATIONS])
def test_an_ablation_scans_without_its_families_and_with_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    job = recall.jobs(
        ["grid"], seeds=[0], half="tuning", rows=3_000, data=None, settings={"encoder": "fast"}, only=["centre"]
    )[0]  # fmt: skip
    seen: list[tuple[Any, Any]] = []

    class Scanned(Exception):
        """Ends the job."""

    def detect(source: Any, *, settings: Any, leave_out: Any) -> None:
        seen.append((settings, leave_out))
        raise Scanned

    monkeypatch.setattr(recall, "detect", detect)
    with pytest.raises(Scanned):
        recall.run(dataclasses.replace(job, variant=variant), tmp_path)
    _, families, changes = next(a for a in recall.ABLATIONS if a[0] == variant)
    assert seen == [(Settings(**{"encoder": "fast", **changes}), families)]


def test_the_command_refuses_what_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recall.main(["--data", str(tmp_path)]) == 2
    assert "irc_accounts" in capsys.readouterr().err
    for arguments, said in ((["--part", "grit"], "'grit'"), (["--part", "grid", "--only", "nothing"], "--only")):
        with pytest.raises(SystemExit):
            recall.main(arguments)
        assert said in capsys.readouterr().err


def test_the_command_scans_writes_its_sections_and_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "".join(f"<!-- recall-{p} -->\nstale\n<!-- /recall-{p} -->\n" for p in ("grid", "days")) + "after\n"
    )
    arguments = [
        *("--half", "tuning", "--seeds", "1", "--rows", "3000", "--part", "grid,days", "--only", "centre"),
        *(
            "--every",
            "15",
            "--docs",
            str(page),
            "--plots",
            str(tmp_path / "plots"),
            "--json",
            str(tmp_path / "all.json"),
        ),
        *("--work", str(tmp_path / "work")),
    ]
    assert recall.main(arguments) == 0
    said = capsys.readouterr().out
    assert re.search(r"grid-1 seed 0 harvestdetect: \d,\d+ rows, \d+ s: .*centre (urgent|review)", said)
    text = page.read_text()
    assert "stale" not in text
    assert "the package's own grammar" in text
    assert text.endswith("after\n")
    told = json.loads((tmp_path / "all.json").read_text())
    assert [r["part"] for r in told] == ["grid", "days"]
    assert told[1]["groups"][0]["days"] > 0
    assert (tmp_path / "plots" / "recall-days.svg").is_file()

    def never(job: Any, work: Path) -> Result:
        raise AssertionError(f"{job} was kept")

    monkeypatch.setattr(recall, "_run", never)
    assert recall.main(arguments) == 0
    assert page.read_text() == text


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    with pytest.raises(SystemExit, match="lacks the markers <!-- x --> and <!-- /x -->"):
        write_section(page, "x", "text\n")
    assert page.read_text() == "nothing here\n"
