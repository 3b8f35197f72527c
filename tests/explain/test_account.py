"""Explanations of accounts, and hostile texts in either kind of explanation."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harvestdetect.data import (
    Outside,
)
from harvestdetect.explain import explain, render
from harvestdetect.judge.members_file import shipped_member_model
from harvestdetect.util.escape import INVISIBLE
from tests.explain.making import (
    BIDI,
    FIRST,
    FORMULA,
    LOOSE,
    SECOND,
    account_of,
    error,
    loose_candidate,
    make_candidate,
    run,
    text,
    write_candidates,
)

# ---------------------------------------------------------------- an account


def test_a_member(out: Path) -> None:
    found = account_of(out, "ann")
    assert found.prompts == 10
    assert [(p.campaign_id, p.role, p.tier) for p in found.places] == [
        (SECOND, "member", "urgent"),
        (FIRST, "member", "watch"),
    ]
    assert [(t.template_id, t.prompts) for t in found.places[1].templates] == [("t-1", 2), ("t-2", 1)]
    assert found.places[1].templates[1].excerpt == "Only this"
    assert found.places[1].examples == ("dump.jsonl:1", "dump.jsonl:2", "dump.jsonl:3")
    assert {c.name for c in found.places[0].changes} == {"tier", "membership"}
    shown = text(out, "ann")
    assert "account ann, 10 prompts: in 2 findings" in shown
    assert f"To stay recommended, its membership must be at least {shipped_member_model().cut:g}; it is 0.9" in shown


def test_the_membership_that_is_wanted_is_that_of_the_scan(out: Path) -> None:
    run_file = out / "run.json"
    run = json.loads(run_file.read_text())
    for ledger, wanted in (({"recommended_from": 0.75}, 0.75), ({}, shipped_member_model().cut)):
        # older versions did not write it
        run_file.write_text(json.dumps({**run, "ledger": ledger}))
        place = next(p for p in account_of(out, "low").places if p.campaign_id == SECOND)
        assert {c.name: c.needed for c in place.changes} == {"membership": wanted}


def test_what_would_make_a_member_recommended(out: Path) -> None:
    place = next(p for p in account_of(out, "low").places if p.campaign_id == SECOND)
    assert not place.recommended
    assert {c.name: c.needed for c in place.changes} == {"membership": shipped_member_model().cut}
    assert f"its membership must be at least {shipped_member_model().cut:g}; it is 0.49." in place.changes[0].sentence


def test_a_near_member(out: Path) -> None:
    found = account_of(out, "near")
    assert [(p.campaign_id, p.role, p.membership) for p in found.places] == [
        (SECOND, "outside", 0.4),
        (FIRST, "outside", 0.2),
    ]
    shown = text(out, "near")
    assert "account near, 13 prompts: in no finding, near 2" in shown
    assert "not a member: 2 of its 40 prompts fit, harvest share 5 %, membership 0.40" in shown
    assert "It would be a member from a membership of 0.5 on; it is 0.40." in shown


def test_an_account_that_is_no_member_despite_its_membership_says_why(out: Path) -> None:
    one = Outside(account="near", membership=1.0, hits=1, volume=40, why="1 of its 40 prompts (2%) fits")
    many = dataclasses.replace(one, account="elsewhere", hits=30)
    write_candidates(out, [make_candidate(outside=(one, many), outside_count=2), loose_candidate()])
    shown = text(out, FIRST)
    assert "fits; these prompts alone would make it a member; it is none because it sent only one of them, or" in shown
    assert shown.count("its other prompts are of another group") == 2
    assert "it is none because its other prompts are of another group." in text(out, "elsewhere")
    assert "It would be a member from" not in text(out, "near")


def test_in_a_candidate_that_became_no_finding(out: Path) -> None:
    assert [p.role for p in account_of(out, "maybe").places] == ["candidate"]
    assert "The candidate is no finding: its ledger makes it a campaign with a probability of about 20 %." in text(
        out, "maybe"
    )


def test_in_nothing(out: Path) -> None:
    done = run(out, "elsewhere")
    assert done.exit_code == 0
    assert "account elsewhere, 18 prompts: in no finding and near none" in done.stdout


def test_not_in_the_dump(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = error(capsys, out, "anne")
    assert code == 2
    assert "the dump has no account 'anne'; the nearest ids in the results: ann" in line
    assert "pseudonym" not in line
    run_file = out / "run.json"
    kept = json.loads(run_file.read_text())
    run_file.write_text(json.dumps({**kept, "settings": {**kept["settings"], "pseudonyms": "key.txt"}}))
    assert "this scan has pseudonyms: harvestdetect pseudonym KEYFILE ID" in error(capsys, out, "anne")[1]


# ---------------------------------------------------------------- hostile texts


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("target", [FIRST, SECOND, LOOSE, BIDI, BIDI + "!", FORMULA])
def test_nothing_in_a_text_acts_on_the_terminal(out: Path, output: str, target: str) -> None:
    shown = run(out, "--format", output, "--", target).stdout
    assert not INVISIBLE.search(shown.replace("\n", ""))
    if output == "json":
        assert json.loads(shown)["schema_version"] == 1
    else:
        assert "[bold red]" in shown or target == BIDI, "markup is shown, not acted on"


def test_a_formula_is_an_account_like_another(out: Path) -> None:
    assert f"'{FORMULA}" in (out / "accounts.csv").read_text()
    assert account_of(out, FORMULA).account == FORMULA
    assert [p.campaign_id for p in account_of(out, FORMULA).places] == [FIRST]


def test_a_hostile_name_that_is_not_there(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = error(capsys, out, "--", "\x1b[2J\u202e\ud800")
    assert code == 2
    assert not INVISIBLE.search(line.rstrip("\n"))


def test_a_very_long_id(out: Path) -> None:
    long = "a" * 50_000
    write_candidates(out, [make_candidate(outside=(Outside(account=long, membership=0.1, hits=1, volume=2, why="x"),))])
    assert len(run(out, FIRST).stdout) < 20_000
    assert len(run(out, long).stdout) < 2_000


def test_color_and_width(out: Path) -> None:
    found = explain(out, FIRST)
    assert "\x1b[" in render(found, width=80, color=True)
    for width in (40, 80, 160):
        shown = render(found, width=width, color=False)
        assert max(map(len, shown.splitlines())) <= width
        assert shown.endswith("\n")
