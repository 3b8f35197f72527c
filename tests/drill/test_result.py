"""What a drill says about its outcomes: rates, blind spots, the table, JSON and the page."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from harvestdetect.drill.chart import chart
from harvestdetect.drill.files import DRILL_NAMES, write_drill
from harvestdetect.drill.grid import FACTORS, Plan, Trial, levels_of, make_plan
from harvestdetect.drill.page import drill_page
from harvestdetect.drill.result import (
    Drill,
    Outcome,
    blind_spots,
    design_text,
    level_text,
    levels_found,
    rate_of,
    subject_of,
)
from harvestdetect.drill.table import drill_json, drill_table, headline
from harvestdetect.errors import OutputError
from harvestdetect.util.escape import INVISIBLE
from harvestdetect.util.intervals import wilson
from tests.report.making import HOSTILE, SCRIPT
from tests.report.test_page import Page

PLAN = make_plan(levels_of({}, infrastructure=True), trials=None, seed=0, impossible=lambda design: None)


def outcome(trial: Trial, *, found: bool, **changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "trial": trial, "accounts": trial.design.accounts, "prompts": 100, "own": 100, "real": trial.design.accounts,
        "joined": 0, "new": 0, "scan": 1, "tier": "urgent" if found else None, "found": found, "seen": found,
        "inside": False, "account_recall": float(found),
    }  # fmt: skip
    return Outcome(**(values | changes))


def make_drill(plan: Plan = PLAN, *, missed: str = "", level: Any = None, **changes: Any) -> Drill:
    """A drill in which all campaigns are found, except those with one level."""
    outcomes = tuple(
        outcome(t, found=not (missed and getattr(t.design, missed) == level), seen=True, tier="watch")
        for t in plan.trials
    )
    levels = levels_found(plan, outcomes)
    values: dict[str, Any] = {
        "plan": plan, "outcomes": outcomes, "unplaced": (), "levels": levels,
        "blind_spots": blind_spots(plan, levels), "not_tried": ("Nothing.",), "scans": 8, "repeated": 1,
        "set_aside": 7, "prompts": 1_234, "accounts": 321, "seconds": 61.2, "seed": 0, "settings": {"fdr": 0.01},
        "versions": {"harvestdetect": "0"}, "files": ("dump.jsonl",), "notes": ("a note",),
    }  # fmt: skip
    return Drill(**(values | changes))


# ---------------------------------------------------------------- rates


def test_the_interval_of_wilson() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(0, 4)
    assert (low, round(high, 4)) == (0.0, 0.4899)
    low, high = wilson(5, 10)
    assert (round(low, 4), round(high, 4)) == (0.2366, 0.7634)
    assert all(wilson(0, n)[0] == 0.0 and wilson(n, n)[1] == 1.0 for n in range(1, 40))
    assert wilson(3, 4)[1] == pytest.approx(1 - wilson(1, 4)[0])


def test_rates_count() -> None:
    trial = PLAN.trials[0]
    rate = rate_of(
        [
            outcome(trial, found=True),
            outcome(trial, found=False, seen=True, tier="watch"),
            outcome(trial, found=False, inside=True, account_recall=0.5),
        ]
    )
    assert (rate.tried, rate.found, rate.seen, rate.inside) == (3, 1, 2, 1)
    assert rate.account_recall == pytest.approx(0.5)
    assert (rate.low, rate.high) == wilson(1, 3)
    assert rate_of([]).account_recall is None


def test_levels_take_the_trials_that_differ_in_them_alone() -> None:
    drill = make_drill(missed="prompts", level=1)
    by_name = {(one.factor, one.value): one for one in drill.levels}
    assert len(by_name) == sum(len(values) for values in FACTORS.values())
    assert (by_name["prompts", 1].alone.found, by_name["prompts", 1].alone.tried) == (0, 4)
    assert (by_name["accounts", 10].alone.found, by_name["accounts", 10].alone.tried) == (4, 4)
    centre = by_name["accounts", 25]
    assert centre.centre
    assert centre.alone == by_name["tempo", "machine"].alone
    combinations = [t for t in PLAN.trials if t.random]
    assert sum(by_name["tempo", tempo].mixed.tried for tempo in FACTORS["tempo"]) == len(combinations)


def test_shares_of_outcomes() -> None:
    one = outcome(PLAN.trials[0], found=True)
    assert one.share == 0.5
    assert dataclasses.replace(one, own=0).share == 1.0


# ---------------------------------------------------------------- blind spots


def test_a_level_that_is_never_found_is_a_blind_spot() -> None:
    drill = make_drill(missed="accounts", level=10)
    assert drill.blind_spots[0] == "Campaigns of 10 accounts were found in 0 of 4 trials. 4 more reached watch."
    assert len(drill.blind_spots) == 1
    assert make_drill().blind_spots == ()


def test_three_trials_are_too_few_for_a_blind_spot() -> None:
    plan = dataclasses.replace(PLAN, trials=tuple(t for t in PLAN.trials if not t.random)[: 3 * 15])
    few = make_drill(plan, missed="accounts", level=10)
    tried = next(one.alone.tried for one in few.levels if (one.factor, one.value) == ("accounts", 10))
    assert tried == 3
    assert few.blind_spots == ()


def test_a_centre_that_is_missed_comes_first() -> None:
    drill = make_drill(missed="prompts", level=10)
    assert drill.blind_spots[0].startswith("Campaigns at the centre (25 accounts, 10 prompts per account")
    assert "0 of 4 trials" in drill.blind_spots[0]


def test_combinations_have_blind_spots_of_their_own() -> None:
    outcomes = tuple(
        outcome(t, found=not (t.random and t.design.tempo == "human"), inside=t.random and t.design.tempo == "human")
        for t in PLAN.trials
    )
    tried = sum(t.random and t.design.tempo == "human" for t in PLAN.trials)
    spots = blind_spots(PLAN, levels_found(PLAN, outcomes))
    expected = (
        "In random combinations, campaigns at the times of day of other accounts were found in 0 of "
        f"{tried} trials. {tried} more were part of a larger finding."
    )
    assert expected in spots


def test_every_level_has_words() -> None:
    for factor, values in FACTORS.items():
        for value in values:
            assert subject_of(factor, value).startswith("Campaigns ")
            assert level_text(factor, value)
    assert subject_of("prompts", 1) == "Campaigns with 1 prompt per account"
    assert subject_of("share", 0.05) == "Campaigns that are 5 % of their accounts' traffic"
    assert design_text(PLAN.centre) == (
        "25 accounts, 10 prompts per account, 50 % of their traffic, one template, machine tempo, infrastructure: none "
        "shared"
    )


# ---------------------------------------------------------------- output


def test_the_table() -> None:
    drill = make_drill(missed="share", level=0.05)
    text = drill_table(drill)
    assert headline(drill) in text
    assert "0 of 4" in text
    assert "0.00–0.49" in text
    assert "- Campaigns that are 5 % of their accounts' traffic were found in 0 of 4 trials." in text
    assert "- Nothing." in text
    assert "None: no level" in drill_table(make_drill())
    assert max(len(line) for line in text.splitlines() if not line.startswith("- ")) < 140


def test_the_json_has_everything() -> None:
    drill = make_drill(missed="share", level=0.05)
    value = json.loads(drill_json(drill))
    assert value["schema_version"] == 1
    assert value["overall"]["tried"] == len(value["trials"]) == len(PLAN.trials)
    assert value["overall"]["found"] == sum(t["found"] for t in value["trials"])
    assert value["counts"] == {"prompts": 1234, "accounts": 321, "set_aside": 7, "scans": 8, "repeated": 1}
    level = next(x for x in value["levels"] if x["factor"] == "share" and x["level"] == 0.05)
    assert level["alone"]["found"] == 0
    assert level["alone"]["high"] == 0.4899
    kinds = {t["kind"] for t in value["trials"]}
    assert kinds == {"centre", "factor", "combination"}
    assert value["trials"][0]["design"]["rewording"] == "one-template"


def test_the_page_is_inert_and_well_formed() -> None:
    drill = make_drill(
        missed="share", level=0.05, files=(HOSTILE, "a.jsonl"), notes=(HOSTILE,), settings={HOSTILE: HOSTILE},
        not_tried=(HOSTILE,), blind_spots=(HOSTILE,),
    )  # fmt: skip
    text = drill_page(drill)
    page = Page(text)
    assert page.open == []
    assert not set(page.tags) & {"script", "img", "iframe", "object", "embed", "link", "form", "base", "foreignobject"}
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("style", "src", "href")]
    assert SCRIPT not in text
    assert SCRIPT in page.text
    assert not INVISIBLE.search(text)
    assert "{{ 7 * 7 }}" in page.text
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in next(
        value for _, name, value in page.attributes if name == "content" and value and "default-src" in value
    )
    assert "http://" not in text.replace("http://example.org", "")


def test_the_page_shows_levels_and_trials() -> None:
    page = Page(drill_page(make_drill(missed="share", level=0.05)))
    assert page.tags["svg"] == 1
    assert page.tags["tr"] > len(PLAN.trials)
    assert "Campaigns that are 5 % of their accounts' traffic were found in 0 of 4 trials." in page.text
    assert "1 trial was planted again, apart from" in page.text


def test_the_chart_has_marks_where_they_belong() -> None:
    drill = make_drill(missed="share", level=0.05)
    picture = Page(str(chart(drill.levels)))
    tried = sum(bool(one.alone.tried) + bool(one.mixed.tried) for one in drill.levels)
    assert picture.tags["circle"] == tried
    zero = [v for t, n, v in picture.attributes if t == "circle" and n == "cx"]
    assert "230.0" in zero, "nothing found is at the left end of the axis"
    assert "640.0" in zero, "everything found is at the right end"


def test_the_files_are_written(tmp_path: Path) -> None:
    drill = make_drill()
    paths = write_drill(drill, tmp_path / "out")
    assert [path.name for path in paths] == list(DRILL_NAMES)
    assert paths[0].read_text(encoding="utf-8") == drill_json(drill)
    assert paths[1].read_text(encoding="utf-8") == drill_page(drill)
    assert paths[0].stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(DRILL_NAMES)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        write_drill(drill, tmp_path / "file")
