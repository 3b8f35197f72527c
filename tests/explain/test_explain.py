"""Explanations from the files of a scan: old and new folders, hostile ids, both formats."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.cli.main import cli
from harvestdetect.data import (
    BenignExplanation,
    Candidate,
    Family,
    FamilyResult,
    LedgerRow,
)
from harvestdetect.errors import InputError, UsageError
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.explain import AccountExplanation, explain, explanation_json
from harvestdetect.explain import campaign as of_campaigns
from harvestdetect.judge.candidate_file import CANDIDATES, SEEN, candidate_from_dict, candidate_to_dict
from harvestdetect.judge.ledger import Ledger, Posted
from harvestdetect.judge.members_file import shipped_member_model
from harvestdetect.judge.triage import judge, steps, tier_at
from harvestdetect.report import write_outputs
from harvestdetect.util.escape import json_text
from tests.explain.making import (
    FIRST,
    LOOSE,
    SCAFFOLD,
    SECOND,
    VIRAL,
    account_of,
    campaign_of,
    error,
    loose_candidate,
    make_candidate,
    make_near,
    run,
    text,
    without_ids,
    write_candidates,
)
from tests.judge.curves import toy_curve
from tests.report.making import SCRIPT, make_detection


def test_results_that_were_written_before_ids_are_explained_alike(out: Path) -> None:
    before = [run(out, identity, "--format", "json").stdout for identity in (FIRST, SECOND, LOOSE)]
    for name in ("campaigns.jsonl", CANDIDATES):
        rows = [json.loads(line) for line in (out / name).read_text(encoding="utf-8").splitlines()]
        (out / name).write_text("".join(json.dumps(without_ids(row)) + "\n" for row in rows), encoding="utf-8")
        assert '"id": "passed_on"' not in (out / name).read_text(encoding="utf-8")
    assert [run(out, identity, "--format", "json").stdout for identity in (FIRST, SECOND, LOOSE)] == before
    assert '"id": "passed_on"' in before[0]


def test_a_measure_that_is_in_no_table_is_explained_by_its_name(out: Path) -> None:
    rows = [json.loads(line) for line in (out / CANDIDATES).read_text(encoding="utf-8").splitlines()]
    for row in rows:
        for item in (*row["evidence"], *row["benign_explanations"]):
            item["name"] = "something else"
            del item["id"]
    (out / CANDIDATES).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert "something else: 0.4, chance gives 3.1" in text(out, FIRST)
    assert "Capped at watch by: something else." in text(out, FIRST)


# ---------------------------------------------------------------- a campaign


def test_why_these(out: Path) -> None:
    shown = text(out, FIRST)
    assert shown.startswith(f"watch {FIRST} 4 accounts 40 prompts probability about 90 %")
    assert "By its evidence alone it would be at review; capped by: " + SCAFFOLD in shown
    assert (
        "Found because its texts are alike. That is how it was found, not what speaks for it: text has −0.8 bits."
    ) in shown
    assert "One bit: campaigns look like this twice as often as innocent groups." in shown
    rows = [
        "−1.5 before any evidence",
        "−0.8 text: carries no weight of its own",
        f"−2.8 prompts that repeat another: 80% repeat one. As with {VIRAL}.",
        "+2.0 rigid wording: As seen.",
        "+5.2 structure: carries weight",
        "+5.2 even load: " + SCRIPT[:20],
        "+0.6 time: carries no weight of its own",
        "+3.5 in all: it is a campaign, about 90 %",
    ]
    places = [shown.index(row) for row in rows]
    assert places == sorted(places)
    assert "rows that say next to nothing" not in shown
    assert "even load: 0.4, chance gives 3.1, p 10⁻⁵" in shown
    assert "median 80 %, from 5 % to 80 %" in shown
    assert "template t-2, 80 prompts of 20 accounts: Only this" in shown
    assert shown.count("As seen.") == 2, "of the sentences of measures only that of flat day is left to be told"
    assert f"fits (−2.8 bits): {VIRAL}. 80% are copies." in shown
    assert f"fits (caps at watch): {SCAFFOLD}. It is known." in shown


def test_why_not_the_neighbours(out: Path) -> None:
    shown = text(out, FIRST)
    assert "not taken as members, though they sent some of its texts: 77 accounts" in shown
    assert "near membership 0.20: 1 of its 40 prompts fits" in shown
    assert "… and 75 more" in shown
    assert f"{SECOND} (urgent, 3 accounts): Not linked: 4 accounts in both, 2.5 expected by chance; log p -3.0" in shown
    assert "a link needs less than -16.0. Their wording is 0.40 apart" in shown
    assert f"{LOOSE} (no finding, 4 accounts): Not linked: no account in both." in shown
    assert "By itself it is no finding: its ledger makes it a campaign with a probability of about 20 %." in shown
    assert "4 accounts in both are 10 % of the smaller one, a link needs 20 %" in text(out, SECOND)


def test_rows_that_the_ledger_leaves_out_are_summed(out: Path) -> None:
    write_candidates(out, [make_candidate(score=3.9), loose_candidate()])
    assert "+0.4 rows that say next to nothing +3.9 in all" in text(out, FIRST)


def test_what_would_change_it(out: Path) -> None:
    shown = text(out, FIRST)
    assert "At a false-discovery rate below 0.020 (the scan used 0.2) it would be no finding." in shown
    assert "Without the +5.2 bits of structure it would be no finding." in shown
    assert f"Capped at watch by: {SCAFFOLD}. It is known. Without it, it would be at review." in shown
    assert "Without this explanation (−2.8 bits) it would be" not in shown, "the hard rule holds it at watch either way"
    assert "Most of its prompts lack ip: addresses would show shared networks" in shown
    assert "Most of its prompts lack created_at: sign-up times" in shown
    assert "Of the candidates at least as sure as this one, about 1 in 30 are innocent" in shown
    second = campaign_of(out, SECOND)
    assert second.expected_false == pytest.approx(2 * 0.002 / 2)
    by_family = {c.name: c.tier for c in second.changes if c.kind == "family"}
    assert by_family == {"structure": "review", "time": "watch"}
    rates = [(c.needed, c.tier) for c in second.changes if c.kind == "rate"]
    assert rates == [(0.02, "review"), (0.002, "watch")], "rates below a millionth are not told"
    assert [(c.needed, c.tier) for c in campaign_of(out, LOOSE).changes if c.kind == "rate"] == [(0.2, None)]


def test_a_benign_verdict_is_named_and_caps_what_would_be(out: Path) -> None:
    file, said = out / "campaigns.jsonl", "ann judged it benign on 2026-03-01."
    reading = {
        "id": "verdict", "name": "verdict", "verdict": "fits", "statistic": None, "sentence": said, "caps": "watch",
    }  # fmt: skip
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        if row["campaign_id"] == SECOND:
            row["tier"] = "watch"
            row["benign_explanations"].append(reading)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [json.loads(line) for line in (out / CANDIDATES).read_text().splitlines()]
    lines[0]["tier"] = "watch"
    (out / CANDIDATES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    held = campaign_of(out, SECOND)
    assert (held.tier, held.uncapped, held.capped_by) == ("watch", "urgent", ("verdict",))
    shown = text(out, SECOND)
    assert "By its evidence alone it would be urgent; capped by: verdict." in shown
    assert f"Capped at watch by: verdict. {said} Without it, it would be urgent." in shown
    assert [c.tier for c in held.changes if c.kind == "family"] == []
    assert [c.tier for c in held.changes if c.kind == "rate"] == []
    assert "would be at watch" not in shown, "it is"


def test_an_best_explanation_that_decides_is_told(out: Path) -> None:
    reading = BenignExplanation(
        id="passed_on", name=VIRAL, verdict="fits", statistic=0.8, sentence="80% are copies.", bits=-3.0
    )
    candidate = make_candidate(tier="watch", uncapped="watch", capped_by=(), score=0.5, benign_explanations=(reading,))
    write_candidates(out, [candidate, loose_candidate()])
    (change,) = (c for c in campaign_of(out, FIRST).changes if c.kind == "benign")
    assert change.tier == "review"
    assert change.sentence == (
        f"Without this explanation (−3.0 bits) it would be at review: {VIRAL}. 80% are copies."
    )  # fmt: skip


def test_expected_false_findings_that_the_scan_states(out: Path) -> None:
    run_file = out / "run.json"
    run_file.write_text(json.dumps({**json.loads(run_file.read_text()), "expected_false": {"urgent": 0.27}}))
    assert campaign_of(out, SECOND).expected_false_at_tier == 0.27
    assert campaign_of(out, FIRST).expected_false_at_tier is None
    assert "of all at urgent, about 0.27 are expected to be." in text(out, SECOND)


def test_probabilities_are_no_surer_than_the_ledger_was_tested(out: Path) -> None:
    assert "probability over 99 %" in text(out, SECOND)
    run_file = out / "run.json"
    run_file.write_text(json.dumps({**json.loads(run_file.read_text()), "ledger": {"held_out": 25}}))
    assert campaign_of(out, SECOND).least_probability == 1 / 25
    assert "probability over 95 %" in text(out, SECOND)
    assert "under 1 in 20 are innocent" in text(out, SECOND)
    run_file.write_text(json.dumps({**json.loads(run_file.read_text()), "ledger": 3}))
    assert "probability over 99 %" in text(out, SECOND)


def test_two_rules_that_cap(out: Path) -> None:
    fits = make_candidate().benign_explanations[0]
    other = dataclasses.replace(fits, name="something new", sentence="It fits.")
    write_candidates(out, [make_candidate(benign_explanations=(fits, other)), loose_candidate()])
    held = [c for c in campaign_of(out, FIRST).changes if c.kind == "benign"]
    assert [c.tier for c in held] == ["watch", "watch"]
    assert all(c.sentence.endswith("Without it, it would be at watch.") for c in held)


def test_a_candidate_that_became_no_finding(out: Path) -> None:
    found = campaign_of(out, LOOSE)
    assert found.tier is None
    assert found.recommended is None
    assert text(out, LOOSE).startswith(f"no finding {LOOSE} 4 accounts")
    assert "It is no finding, so it cannot be a false one." in text(out, LOOSE)
    assert "maybe" not in run(out, LOOSE).stdout, "accounts of no finding are told of only when asked for"


@pytest.mark.parametrize("failed", ["shared", "chance", "overlap", "none", "unknown"])
def test_every_reason_to_stay_apart_has_words(out: Path, failed: str) -> None:
    write_candidates(out, [make_candidate(neighbors=(make_near(SECOND, failed=failed, distance=None),))])
    sentence = campaign_of(out, FIRST).neighbors[0].sentence
    assert "4 accounts in both" in sentence
    assert sentence.startswith("Not linked") == (failed in ("shared", "chance", "overlap"))


# ---------------------------------------------------------------- older folders


def test_an_older_folder_says_what_is_missing(old: Path) -> None:
    shown = text(old, FIRST)
    assert f"{CANDIDATES} is not there" in shown
    assert "an older version judged by rules and kept no ledger" in shown
    assert "structure carries weight" in shown
    assert shown.startswith(f"watch {FIRST} 4 accounts 160 prompts score 6.2"), "its score is not in bits"
    for new in ("bits of", "probability", "before any evidence", "nan"):
        assert new not in shown.partition("What this explanation lacks")[0], new
    assert f"{SECOND} (urgent, 3 accounts): 2 accounts in both; this scan did not keep why" in shown
    second = campaign_of(old, SECOND)
    assert not [c for c in second.changes if c.kind in ("family", "rate")]
    assert [c.name for c in second.changes if c.kind == "field"] == ["org"]
    assert second.apart == {f"membership below {shipped_member_model().cut:g}": 1}
    assert second.recommended == 2
    plain = json.loads(explanation_json(second))
    assert (plain["families"][0]["bits"], plain["probability"], plain["ledger"]) == (None, None, [])


def without_figures(value: Any) -> Any:
    """Rows as an older version wrote them: p-values of families, and neither bits nor a ledger."""
    if isinstance(value, dict):
        kept = {k: without_figures(v) for k, v in value.items() if k not in ("bits", "ledger", "probability")}
        return kept | {"p_value": 1e-4, "adjusted": 0.002, "cut": 0.01, "agreed": True} if "stands" in kept else kept
    return [without_figures(v) for v in value] if isinstance(value, list) else value


def test_candidates_of_a_version_that_judged_by_rules_are_explained_without_bits(out: Path) -> None:
    rows = [json.loads(line) for line in (out / CANDIDATES).read_text(encoding="utf-8").splitlines()]
    (out / CANDIDATES).write_text("".join(json.dumps(without_figures(row)) + "\n" for row in rows), encoding="utf-8")
    for identity in (FIRST, SECOND, LOOSE):
        shown, _, missing = text(out, identity).partition("What this explanation lacks")
        assert "an older version judged by rules and kept no ledger" in missing
        assert not re.search(r"\bbits?\b|\bnan\b|probability", shown)
    assert "structure carries weight" in text(out, FIRST)
    assert "By itself it is no finding: its evidence was not enough." in text(out, FIRST)
    assert "At a false-discovery rate below 0.020" in text(out, FIRST), "steps are exact in any version"
    assert campaign_of(out, FIRST).ledger == ()


def test_an_older_folder_cannot_tell_whether_the_dump_holds_an_account(old: Path) -> None:
    shown = text(old, "--account", "nobody")
    assert shown.startswith("account nobody: in no finding and near none")
    assert f"{SEEN} cannot be read, so it is not known whether the dump has this account" in shown


def test_candidates_of_another_scan(out: Path) -> None:
    write_candidates(out, [loose_candidate()])
    assert f"{CANDIDATES} is of another scan" in text(out, FIRST)


def test_missing_run_json_and_prompts(out: Path) -> None:
    (out / "run.json").write_text("[")
    (out / "prompts.parquet").write_bytes(b"no")
    shown = text(out, "ann")
    assert "run.json cannot be read" in shown
    assert "prompts.parquet cannot be read" in shown
    assert "2 findings" in shown


@pytest.mark.parametrize("name", ["campaigns.jsonl", "accounts.csv"])
def test_a_needed_file_is_missing(out: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (out / name).unlink()
    code, line = error(capsys, out, FIRST)
    assert code == 1
    assert f"cannot read {out / name}" in line


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("campaigns.jsonl", "[1]\n", "line 1: not a JSON object"),
        ("campaigns.jsonl", '{"campaign_id": 7}\n', "line 1: Expected `str`"),
        (CANDIDATES, '{"campaign_id": "c-1"}\n', "line 1: not a candidate"),
        (CANDIDATES, "\xff", "not UTF-8 text"),
        (CANDIDATES, f'{{"campaign_id": "c-1", "accounts": 1{"0" * 400}}}\n', "more than 64 bits"),
        (CANDIDATES, '{"campaign_id": "c-1", "tier": "\\ud800"}\n', "line 1: "),
        ("campaigns.jsonl", '{"campaign_id": ' + "[" * 900 + "]" * 900 + "}\n", "line 1: "),
        ("accounts.csv", "account,campaign_id\r\na,c-1\r\n", "no column membership"),
        ("accounts.csv", "account,campaign_id\r\n", "no column membership"),
        ("accounts.csv", "", "no column account; found: 'none'"),
        ("accounts.csv", "\r\n", "no column account; found: 'none'"),
    ],
)
def test_malformed_files(out: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, said: str) -> None:
    (out / name).write_bytes(content.encode("latin-1"))
    code, line = error(capsys, out, FIRST)
    assert code == 1
    assert said in line


def test_accounts_that_belong_to_no_finding_are_an_error(out: Path) -> None:
    with (out / "accounts.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["x", "c-0", "watch", 1, 1, 1, 1, "", "", "true", "", 1])
    with pytest.raises(InputError, match="'c-0' is not in campaigns"):
        explain(out, FIRST)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("prompts", "9" * 400, "line 2: a cell is not a number"),
        ("prompts", "many", "line 2: a cell is not a number"),
        ("account", "\\U00110000", "line 2: a cell is not a number, or its escape no character"),
        ("account", "\\Uffffffff", "line 2: a cell is not a number, or its escape no character"),
        ("reasons", None, "line 2: not as many cells as the header"),
    ],
)
def test_malformed_cells(out: Path, column: str, cell: str | None, said: str) -> None:
    with (out / "accounts.csv").open(newline="", encoding="utf-8-sig") as file:
        header, first, *rest = csv.reader(file)
    first[header.index(column)] = cell or ""
    with (out / "accounts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, first if cell is not None else first[:-1], *rest])
    with pytest.raises(InputError, match=re.escape(said)):
        explain(out, FIRST)


def test_an_account_may_be_long(out: Path) -> None:
    long = "x" * 300_000
    with (out / "accounts.csv").open("a", newline="") as file:
        csv.writer(file).writerow([long, FIRST, "watch", 1, 1, 1, 1, "", "", "true", "", 1])
    limit = csv.field_size_limit(131_072)
    try:
        assert account_of(out, long).places[0].campaign_id == FIRST
        assert campaign_of(out, SECOND).campaign_id == SECOND
    finally:
        csv.field_size_limit(max(limit, csv.field_size_limit()))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "9" * 400])
def test_settings_that_are_no_numbers_are_not_known(out: Path, value: str) -> None:
    (out / "run.json").write_text(f'{{"settings": {{"fdr": {value}}}}}')
    assert "run.json cannot be read" in text(out, "ann")


# ---------------------------------------------------------------- what is meant


def test_prefixes(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign_of(out, "c-aaa").campaign_id == FIRST
    assert campaign_of(out, "c-f").campaign_id == LOOSE
    code, line = error(capsys, out, "c-aa")
    assert code == 2
    assert f"2 campaigns begin with 'c-aa': {SECOND}, {FIRST}; give more" in line


def test_an_unknown_campaign_names_the_nearest(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = error(capsys, out, "c-aaaa000009")
    assert code == 2
    assert f"no campaign 'c-aaaa000009' in {out}; the nearest: {FIRST}" in line


def test_an_unknown_campaign_of_an_empty_scan(tmp_path: Path) -> None:
    write_outputs(make_detection(), tmp_path)
    with pytest.raises(UsageError, match="found no candidate at all"):
        explain(tmp_path, "c-1")


def test_an_account_that_is_called_like_a_campaign(old: Path) -> None:
    table = old / "accounts.csv"
    text = table.read_text().replace('\n"ann",', f'\n"{FIRST}",').replace('\n"bob",', '\n"c-aaa",')
    table.write_text(text, newline="")
    assert campaign_of(old, FIRST).campaign_id == FIRST
    assert [p.campaign_id for p in account_of(old, FIRST).places] == [SECOND, FIRST]
    named_like_a_prefix = explain(old, "c-aaa")
    assert isinstance(named_like_a_prefix, AccountExplanation), "a whole id goes before the beginning of one"


# ---------------------------------------------------------------- the schema


def test_the_json_of_a_campaign_keeps_its_names(out: Path) -> None:
    plain = json.loads(run(out, FIRST, "--format", "json").stdout)
    assert plain["kind"] == "campaign"
    assert list(plain) == [
        *("schema_version", "kind", "campaign_id", "tier", "uncapped", "capped_by", "score", "probability"),
        *("least_probability", "ledger", "q_value"),
        *(
            "expected_false",
            "expected_false_at_tier",
            "title",
            "summary",
            "ways",
            "accounts",
            "prompts",
            "families",
            "templates",
        ),
        *("benign_explanations", "harvest_share", "recommended", "apart", "outside", "outside_count", "neighbors"),
        *("changes", "missing", "texts"),
    ]
    assert list(plain["families"][0]) == ["family", "stands", "bits", "measures"]
    assert list(plain["ledger"][0]) == ["id", "name", "family", "bits", "sentence"]
    assert list(plain["outside"][0]) == ["account", "membership", "hits", "volume", "why"]
    assert list(plain["neighbors"][0]) == ["near", "tier", "accounts", "excerpt", "sentence"]
    assert list(plain["neighbors"][0]["near"]) == [
        *("campaign_id", "shared", "expected", "log_p", "log_p_cut", "overlap", "overlap_cut", "distance", "failed"),
    ]
    assert list(plain["changes"][0]) == ["kind", "name", "now", "needed", "tier", "sentence"]


def test_the_json_of_an_account_keeps_its_names(out: Path) -> None:
    plain = json.loads(run(out, "ann", "--format", "json").stdout)
    assert plain["kind"] == "account"
    assert list(plain) == ["schema_version", "kind", "account", "prompts", "places", "nearest", "missing", "texts"]
    assert list(plain["places"][0]) == [
        *("campaign_id", "tier", "role", "membership", "harvest_share", "prompts", "harvest_prompts", "first_seen"),
        *("last_seen", "recommended", "reasons", "templates", "examples", "changes"),
    ]


def test_a_line_of_candidates_keeps_its_names() -> None:
    assert list(candidate_to_dict(make_candidate())) == [
        *("campaign_id", "tier", "score", "q_value", "accounts", "prompts", "uncapped", "capped_by", "templated"),
        *("templates", "excerpt", "families", "evidence", "benign_explanations", "members", "outside"),
        *("outside_count", "neighbors", "steps", "ways", "probability", "ledger", "missing"),
    ]


def test_a_candidate_comes_back_from_json() -> None:
    for candidate in (make_candidate(), loose_candidate()):
        assert candidate_from_dict(json.loads(json_text(candidate_to_dict(candidate)))) == candidate


def test_numbers_that_are_not_finite_come_back_as_nan() -> None:
    near = make_near(SECOND, log_p=-math.inf, distance=None)
    back = candidate_from_dict(
        json.loads(json_text(candidate_to_dict(make_candidate(neighbors=(near,), q_value=math.nan))))
    )
    assert math.isnan(back.q_value)
    assert math.isnan(back.neighbors[0].log_p)
    assert back.neighbors[0].distance is None


def test_fields_to_come_do_not_matter_and_optional_ones_may_lack() -> None:
    least = {"campaign_id": "c-1", "tier": None, "score": 0.0, "q_value": 1.0, "accounts": 1, "prompts": 2, "new": [1]}
    assert candidate_from_dict(least) == Candidate(
        campaign_id="c-1", tier=None, score=0.0, q_value=1.0, accounts=1, prompts=2
    )
    with pytest.raises(InputError, match="not a candidate"):
        candidate_from_dict({**least, "tier": "sure"})


def test_it_starts_without_a_model() -> None:
    code = (
        "import sys, harvestdetect.explain, harvestdetect.judge.candidate_file\n"
        "heavy = {'torch', 'scipy', 'sklearn', 'faiss', 'networkx', 'sentence_transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ---------------------------------------------------------------- what must agree with the stages

row_bits = st.one_of(st.floats(-12.0, 12.0), st.sampled_from([0.0, 1.0, -1.0, 2.0, 5.0]))
posted = st.dictionaries(st.sampled_from(["text", "structure", "time", "infrastructure"]), row_bits)
cap = st.sampled_from([None, "review", "watch"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(posted, cap), min_size=1, max_size=6))
def test_the_rule_is_that_of_triage(rows: list[tuple[dict[Family, float], Any]]) -> None:
    families: tuple[Family, ...] = ("text", "structure", "time", "infrastructure")
    curve = {f: toy_curve((0.0,), (0.0,), (1.0,), family=f) for f in families}
    ledger = Ledger(curves=dict(curve), prior=-1.5, steady=100.0)
    fits = [
        (BenignExplanation(id="it", name="it", verdict="fits", statistic=None, sentence="", caps=c),) if c else ()
        for _, c in rows
    ]
    ledgers = [
        Posted(rows=dict(bits), total=total, probability=1 - 1 / (1 + 2**total))
        for bits, _ in rows
        for total in [-1.5 + sum(bits.values())]
    ]
    for judgement, held in zip(judge(ledgers, fits, ledger=ledger, fdr=0.2), fits, strict=True):
        candidate = make_candidate(
            tier=judgement.tier, uncapped=judgement.uncapped, score=judgement.score, evidence=(),
            probability=judgement.probability, benign_explanations=held, family_results=judgement.family_results,
            steps=steps(judgement), ledger=(),
        )  # fmt: skip
        if all(abs(rate - 0.2) > 1e-3 for rate in judgement.reach.values()):
            assert of_campaigns._tier_of(candidate, 0.2) == judgement.uncapped
        for change in of_campaigns._by_rate(candidate, 0.2):
            assert change.needed is not None
            below = "below" in change.sentence
            assert tier_at(judgement, np.nextafter(change.needed, 0.0) if below else change.needed) == change.tier


def test_a_family_that_is_left_out_carries_no_weight() -> None:
    office = LedgerRow(id="one_network", name="accounts in one network", family="infrastructure", bits=-3.0)
    families = (
        FamilyResult(family="structure", bits=1.5, stands=True),
        FamilyResult(family="time", bits=1.2, stands=True),
    )
    candidate = make_candidate(score=8.0, family_results=families, ledger=())
    assert of_campaigns._tier_of(candidate, 0.2) == "urgent"
    assert of_campaigns._tier_of(candidate, 0.2, without="time") == "review", "one kind is never enough for urgent"
    doubted = dataclasses.replace(candidate, ledger=(office,))
    assert of_campaigns._tier_of(doubted, 0.2) == "review", "5 bits are too few for urgent"
    offices = BenignExplanation(
        id="one_organisation", name="an office", verdict="fits", statistic=1.0, sentence="", bits=-3.0
    )
    assert of_campaigns._tier_of(doubted, 0.2, unless=offices) == "urgent"
    assert of_campaigns._tier_of(doubted, 0.2, without="infrastructure") == "urgent"


def test_help_names_what_it_reads() -> None:
    shown = re.sub(r"\s+", " ", CliRunner().invoke(cli, ["explain", "--help"]).stdout)
    assert "reads only the files of the scan" in shown


def test_a_measure_without_a_value_says_what_it_needs(out: Path) -> None:
    shown = " ".join(text(out, SECOND).split())
    taken = {m.id for family in campaign_of(out, SECOND).families for m in family.measures}
    for measure in MEASURES:
        lacks = measure.take is not None and not measure.closer_look and measure.id not in taken
        assert (f"{measure.label}: no value; it needs {measure.min_data}" in shown) == lacks
