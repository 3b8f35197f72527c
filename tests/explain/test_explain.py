"""Explanations from the files of a scan: old and new folders, hostile ids, both formats."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harvestdetect.campaign import shared_accounts as overlap
from harvestdetect.campaign.links import COPIED_RELIEF, RIGID_RELIEF, Link, link_clusters
from harvestdetect.cli.main import cli, main
from harvestdetect.data import (
    NO_TIME,
    BenignExplanation,
    Campaign,
    Candidate,
    Evidence,
    Family,
    FamilyResult,
    FieldColumn,
    LedgerRow,
    Near,
    Outside,
    Prompts,
    RateStep,
)
from harvestdetect.errors import InputError, UsageError
from harvestdetect.evidence.legacy import MEASURE_IDS
from harvestdetect.explain import AccountExplanation, CampaignExplanation, explain, explanation_json, render
from harvestdetect.explain import campaign as of_campaigns
from harvestdetect.judge import candidates
from harvestdetect.judge.candidates import (
    CANDIDATES,
    CLOSE,
    MOST_NEAR,
    MOST_OUTSIDE,
    SEEN,
    TEMPLATE_EXCERPT,
    LinkRules,
    account_digest,
    candidate_from_dict,
    candidate_to_dict,
    excerpt_of,
    missing_fields,
    near_candidates,
    outside_accounts,
    seen_accounts,
)
from harvestdetect.judge.ledger import Curve, Ledger, Posted
from harvestdetect.judge.members import shipped
from harvestdetect.judge.triage import judge, steps, tier_at
from harvestdetect.report import write_outputs
from harvestdetect.util.amounts import GROUP, PART
from harvestdetect.util.escape import INVISIBLE, json_text
from tests.report.making import HOSTILE, SCRIPT, make_detection, make_finding, make_member, make_template

FIRST, SECOND, LOOSE = "c-aaaa000001", "c-aabb000002", "c-ffff000003"
"""A capped finding, an urgent one, a candidate that became no finding."""
FORMULA = "=HYPERLINK(1)"
BIDI = "\u202euser\x1b[31m\n\x00"
VIRAL = "a text that people pass on (viral prompt, assignment)"
SCAFFOLD = "a known scaffold or viral prompt"
LEDGER = (
    LedgerRow(id="prior", name="before any evidence", family=None, bits=-1.5),
    LedgerRow(id="even_load", name="even load", family="structure", bits=5.2),
    LedgerRow(id="copies", name="prompts that repeat another", family="text", bits=-2.8, sentence="80% repeat one."),
    LedgerRow(id="rigid_wording", name="rigid wording", family="text", bits=2.0),
    LedgerRow(id="days", name=HOSTILE, family="time", bits=0.6, sentence=HOSTILE),
)
"""Of :func:`make_candidate`."""


def evidence(name: str, family: Family, p: float, *, sentence: str = "As seen.") -> Evidence:
    return Evidence(
        id=MEASURE_IDS.get(name, name),
        name=name,
        family=family,
        value=0.4,
        null="other accounts",
        expected=3.1,
        p_value=p,
        sentence=sentence,
    )


def make_near(campaign_id: str, **changes: Any) -> Near:
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "shared": 4,
        "expected": 2.5,
        "log_p": -3.0,
        "log_p_cut": -16.0,
        "overlap": 0.3,
        "overlap_cut": 0.2,
        "distance": 0.4,
        "failed": "chance",
    }
    return Near(**{**values, **changes})


def make_candidate(campaign_id: str = FIRST, **changes: Any) -> Candidate:
    """For review, capped to watch by a hard rule: structure carries weight, time does not, an innocent reading
    fits."""
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "tier": "watch",
        "uncapped": "review",
        "capped_by": (SCAFFOLD,),
        "score": 3.5,
        "probability": 0.9188,
        "q_value": 0.04,
        "ledger": LEDGER,
        "accounts": 4,
        "prompts": 40,
        "excerpt": "Explain … in steps",
        "families": (
            FamilyResult(family="text", bits=-0.8, stands=False),
            FamilyResult(family="structure", bits=5.2, stands=True),
            FamilyResult(family="time", bits=0.6, stands=False),
        ),
        "evidence": (
            evidence("rigid wording", "text", 1e-4),
            evidence("even load", "structure", 1e-5, sentence=HOSTILE),
            evidence("flat day", "time", 0.01),
        ),
        "benign_explanations": (
            BenignExplanation(
                id="known_template", name=SCAFFOLD, verdict="fits", statistic=1.0, sentence="It is known.", caps="watch"
            ),
            BenignExplanation(
                id="passed_on", name=VIRAL, verdict="fits", statistic=0.8, sentence="80% are copies.", bits=-2.8
            ),
        ),
        "outside": (
            Outside(account=BIDI, membership=0.31, hits=1, volume=90, why="1 of its 90 prompts fits"),
            Outside(account="near", membership=0.2, hits=1, volume=40, why="1 of its 40 prompts fits"),
        ),
        "outside_count": 77,
        "neighbors": (make_near(SECOND), make_near(LOOSE, shared=0, failed="shared")),
        "steps": (RateStep(fdr=0.0, tier=None), RateStep(fdr=0.0203, tier="watch")),
        "missing": ("ip", "created_at"),
    }
    return Candidate(**{**values, **changes})


def loose_candidate() -> Candidate:
    return make_candidate(
        LOOSE,
        tier=None,
        uncapped=None,
        capped_by=(),
        score=-2.0,
        probability=0.2,
        families=(FamilyResult(family="structure", bits=-0.5, stands=False),),
        ledger=(
            LedgerRow(id="prior", name="before any evidence", family=None, bits=-1.5),
            LedgerRow(id="even_load", name="even load", family="structure", bits=-0.5),
        ),
        benign_explanations=(),
        steps=(RateStep(fdr=0.0, tier=None), RateStep(fdr=0.2, tier="watch"), RateStep(fdr=0.8, tier="review")),
        members=(Outside(account="maybe", membership=0.9, hits=6, volume=8, why="6 of its 8 prompts (75%) fit"),),
        outside=(),
        outside_count=0,
        neighbors=(),
    )


def members(*names: str) -> tuple[Any, ...]:
    return tuple(make_member(name, reasons=(f"80 of its 100 prompts fit {HOSTILE}",)) for name in names)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """What a scan wrote before it kept candidates and ledgers."""
    first = make_finding(
        FIRST,
        tier="watch",
        families=("structure", "text"),
        ledger=(),
        probability=math.nan,
        q_value=1e-4,
        accounts=4,
        members=(*members("ann", FORMULA, BIDI + "!"), make_member("low", recommended=False, harvest_share=0.05)),
        benign_explanations=(
            BenignExplanation(
                id="passed_on", name=VIRAL, verdict="fits", statistic=0.8, sentence="80% are copies.", caps="watch"
            ),
        ),
        templates=(make_template(), make_template("t-2", words=("Only", "this"), slots=())),
    )
    second = make_finding(
        SECOND,
        accounts=3,
        ledger=(),
        probability=math.nan,
        q_value=0.002,
        members=(
            *members("ann", "bob"),
            make_member("low", recommended=False, harvest_share=0.05, harvest_prompts=1, membership=0.49),
        ),
        benign_explanations=(),
        orgs=None,
    )
    sent = pa.table(
        {
            "file": ["dump.jsonl"] * 7,
            "line": list(range(1, 8)),
            "account": ["ann"] * 3 + [FORMULA] * 2 + ["bob", "ann"],
            "campaign_id": [FIRST] * 5 + [SECOND] * 2,
            "template_id": ["t-1", "t-1", "t-2", "t-1", "t-2", "t-1", "t-1"],
            "membership": [0.97] * 7,
        }
    )
    write_outputs(make_detection(second, first, prompts=sent), tmp_path / "out")
    (tmp_path / "out" / CANDIDATES).unlink(missing_ok=True)
    (tmp_path / "out" / SEEN).unlink(missing_ok=True)
    return tmp_path / "out"


@pytest.fixture
def out(old: Path) -> Path:
    """The same by a scan of today."""
    second = make_candidate(
        SECOND,
        tier="urgent",
        uncapped="urgent",
        capped_by=(),
        score=8.5,
        probability=0.998,
        q_value=0.002,
        accounts=3,
        families=(
            FamilyResult(family="structure", bits=3.5, stands=True),
            FamilyResult(family="time", bits=7.0, stands=True),
        ),
        benign_explanations=(),
        outside=(Outside(account="near", membership=0.4, hits=2, volume=40, why="2 of its 40 prompts (5%) fit"),),
        outside_count=1,
        neighbors=(make_near(FIRST), make_near(LOOSE, failed="overlap", overlap=0.1)),
        steps=(
            *(RateStep(fdr=0.0, tier=None), RateStep(fdr=5e-7, tier="watch")),
            *(RateStep(fdr=0.002, tier="review"), RateStep(fdr=0.02, tier="urgent")),
        ),
    )
    write_candidates(old, (second, make_candidate(), loose_candidate()))
    names = ["ann", "bob", "low", "near", "maybe", FORMULA, BIDI, BIDI + "!", "elsewhere"]
    pq.write_table(seen_accounts(pa.array(names), np.arange(len(names), dtype=np.int32) + 10), old / SEEN)
    return old


def write_candidates(folder: Path, candidates: Sequence[Candidate]) -> None:
    lines = "".join(json_text(candidate_to_dict(c)) + "\n" for c in candidates)
    (folder / CANDIDATES).write_text(lines, encoding="utf-8")


def run(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(cli, ["explain", *map(str, arguments)])
    assert done.exception is None, done.exception
    return done


def text(*arguments: str | Path) -> str:
    """What is printed, as one line."""
    return " ".join(run(*arguments).stdout.split())


def without_ids(value: Any) -> Any:
    """Rows of measures and explanations as they were written before they had ids."""
    if isinstance(value, dict):
        return {k: v if k == "ledger" else without_ids(v) for k, v in value.items() if k != "id"}
    return [without_ids(v) for v in value] if isinstance(value, list) else value


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


def error(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and the line on standard error."""
    with pytest.raises(SystemExit) as end:
        main(["explain", *map(str, arguments)])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert isinstance(end.value.code, int)
    return end.value.code, shown.err


def campaign_of(folder: Path, target: str) -> CampaignExplanation:
    found = explain(folder, target)
    assert isinstance(found, CampaignExplanation)
    return found


def account_of(folder: Path, target: str) -> AccountExplanation:
    found = explain(folder, target, account=True)
    assert isinstance(found, AccountExplanation)
    return found


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
    assert "Without this reading (−2.8 bits) it would be" not in shown, "the hard rule holds it at watch either way"
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


def test_an_innocent_reading_that_decides_is_told(out: Path) -> None:
    reading = BenignExplanation(
        id="passed_on", name=VIRAL, verdict="fits", statistic=0.8, sentence="80% are copies.", bits=-3.0
    )
    candidate = make_candidate(tier="watch", uncapped="watch", capped_by=(), score=0.5, benign_explanations=(reading,))
    write_candidates(out, [candidate, loose_candidate()])
    (change,) = (c for c in campaign_of(out, FIRST).changes if c.kind == "benign")
    assert change.tier == "review"
    assert change.sentence == (
        f"Without this reading (−3.0 bits) it would be at review: {VIRAL}. 80% are copies."
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
    assert second.apart == {f"membership below {shipped().cut:g}": 1}
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
    assert f"To stay recommended, its membership must be at least {shipped().cut:g}; it is 0.9" in shown


def test_what_would_make_a_member_recommended(out: Path) -> None:
    place = next(p for p in account_of(out, "low").places if p.campaign_id == SECOND)
    assert not place.recommended
    assert {c.name: c.needed for c in place.changes} == {"membership": shipped().cut}
    assert f"its membership must be at least {shipped().cut:g}; it is 0.49." in place.changes[0].sentence


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
        "import sys, harvestdetect.explain, harvestdetect.judge.candidates\n"
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
    curve = {f: Curve(family=f, knots=(0.0,), bits=(0.0,), tails=(1.0,), weight=1.0) for f in families}
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
            probability=judgement.probability, benign_explanations=held, families=judgement.standings,
            steps=steps(judgement),
        )  # fmt: skip
        if all(abs(rate - 0.2) > 1e-3 for rate in judgement.reach.values()):
            assert of_campaigns._tier_of(candidate, 0.2) == judgement.uncapped
        for change in of_campaigns._by_rate(candidate, 0.2):
            assert change.needed is not None
            below = "below" in change.sentence
            assert tier_at(judgement, np.nextafter(change.needed, 0.0) if below else change.needed) == change.tier


def test_a_family_that_is_left_out_carries_no_weight() -> None:
    candidate = make_candidate(
        score=8.0,
        families=(
            FamilyResult(family="structure", bits=1.5, stands=True),
            FamilyResult(family="time", bits=1.2, stands=True),
        ),
    )
    assert of_campaigns._tier_of(candidate, 0.2) == "urgent"
    assert of_campaigns._tier_of(candidate, 0.2, without="time") == "review", "one kind is never enough for urgent"


# ---------------------------------------------------------------- what the scan puts into candidates.jsonl


@given(st.lists(st.one_of(st.none(), st.text(max_size=120)), max_size=12))
def test_excerpts_are_short_and_redacted(words: list[str | None]) -> None:
    excerpt = excerpt_of((*words, "mail to someone@example.org now"))
    assert len(excerpt) <= TEMPLATE_EXCERPT
    assert "someone@example.org" not in excerpt


def test_an_excerpt_marks_its_slots() -> None:
    assert excerpt_of(("Explain", None, "in\n\n steps")) == "Explain … in steps"
    assert excerpt_of((None, " ", None)) == excerpt_of(()) == ""


def test_outside_accounts_are_the_surest() -> None:
    count = MOST_OUTSIDE + 30
    names = pa.array([f"u{i:03}" for i in range(count)])
    sure = np.linspace(0.0, 0.49, count)
    found = outside_accounts(
        np.arange(count, dtype=np.int32),
        sure,
        np.full(count, 1, np.int32),
        volume=np.full(count, 40, np.int32),
        names=names,
    )
    assert len(found) == MOST_OUTSIDE
    assert found[0].account == f"u{count - 1:03}"
    assert [o.membership for o in found] == sorted((o.membership for o in found), reverse=True)
    assert found[0].why == "1 of its 40 prompts fits; a single one may be chance"


def test_fields_that_most_prompts_lack() -> None:
    codes = {"org": [0, 0, -1], "ip": [-1, -1, 0], "payment": [-1, -1, -1]}
    prompts = Prompts(
        account=np.zeros(3, np.int32),
        time=np.array([1, 2, NO_TIME]),
        file=np.zeros(3, np.int32),
        line=np.arange(3),
        content=np.zeros(3, np.int32),
        accounts=pa.array(["a"]),
        fields={
            name: FieldColumn(code=np.array(code, np.int32), values=pa.array(["x"])) for name, code in codes.items()
        },
        created_at=np.full(3, NO_TIME),
    )
    campaign = Campaign(
        clusters=np.zeros(1, np.int32),
        accounts=np.zeros(1, np.int32),
        membership=np.ones(1),
        harvest_share=np.ones(1),
        harvest_prompts=np.full(1, 3, np.int32),
        prompts=np.arange(3, dtype=np.int32),
        prompt_cluster=np.zeros(3, np.int32),
        link_log_p=0.0,
    )
    assert missing_fields(prompts, campaign) == ("ip", "payment", "created_at")


def neighbours(
    accounts: Sequence[Sequence[int]],
    *,
    vectors: Any = None,
    population: int = 400,
    rigid: Sequence[int] = (),
    copied: Sequence[int] = (),
) -> list[tuple[Near, ...]]:
    held = [np.array(a, np.int32) for a in accounts]
    return near_candidates(
        [f"c-{i}" for i in range(len(held))],
        held,
        [np.full(len(a), 3, np.int32) for a in held],
        volume=np.full(population, 20, np.int32),
        vectors=None if vectors is None else np.array(vectors, np.float32),
        rigid=[i in rigid for i in range(len(held))],
        copied=[i in copied for i in range(len(held))],
        rules=LinkRules(
            log_p=-5.0,
            rigid_log_p=-5.0 * RIGID_RELIEF,
            copied_relief=COPIED_RELIEF,
            min_shared=GROUP,
            min_overlap=PART,
        ),
    )


def test_neighbours_and_the_test_they_failed() -> None:
    others = [[*range(2), *range(100, 140)], [*range(3), *range(200, 260)], [*range(9), *range(300, 360)]]
    near = {n.campaign_id: n for n in neighbours([range(60), *others], population=40_000)[0]}
    assert {i: n.failed for i, n in near.items()} == {"c-1": "shared", "c-2": "chance", "c-3": "overlap"}
    assert near["c-3"].overlap == pytest.approx(9 / 60, abs=1e-4)
    assert neighbours([range(60), range(50)], population=40_000)[0][0].failed == "none"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 60), min_size=1, max_size=40), min_size=2, max_size=6),
    st.sets(st.integers(0, 5)),
    st.sets(st.integers(0, 5)),
)
@example([set(range(20)), {*range(5), *range(30, 45)}], {0, 1}, set())
@example([set(range(20)), {*range(5), *range(30, 45)}], {0, 1}, {1})
def test_neighbours_have_the_figures_of_links(sets: list[set[int]], rigid: set[int], copied: set[int]) -> None:
    accounts = [sorted(s) for s in sets]

    def linked(log_p: float) -> dict[tuple[int, int], Link]:
        found = link_clusters(
            [np.array(a, np.int32) for a in accounts],
            [np.full(len(a), 3, np.int32) for a in accounts],
            np.full(400, 20, np.int32),
            log_p=log_p,
            rigid=[i in rigid for i in range(len(accounts))],
            copied=[i in copied for i in range(len(accounts))],
        )
        return {(link.first, link.second): link for link in found}

    links, held = linked(1e9), linked(-5.0)
    found = neighbours(accounts, rigid=sorted(rigid), copied=sorted(copied))
    for x, row in enumerate(found):
        for near in row:
            y = int(near.campaign_id.removeprefix("c-"))
            assert near.log_p_cut == (-5.0 * RIGID_RELIEF if {x, y} <= rigid else -5.0)
            assert near.shared == len(sets[x] & sets[y]) > 0
            link = links.get((min(x, y), max(x, y)))
            if link is not None:
                assert near.expected == pytest.approx(link.expected, abs=1e-3)
                assert near.log_p == pytest.approx(min(link.log_p, 0.0), abs=1e-3)
                assert near.overlap == pytest.approx(link.overlap, abs=1e-3)
                assert (near.failed == "none") == ((link.first, link.second) in held)
    named = {(x, int(n.campaign_id.removeprefix("c-"))) for x, row in enumerate(found) for n in row}
    assert named == {(y, x) for x, y in named}, "neighbours are mutual"
    for (x, y), link in links.items():
        if abs(link.shared - link.expected) > 1e-9:
            assert ((x, y) in named) == (link.shared > link.expected)


@pytest.mark.parametrize(
    ("rigid", "failed", "cut"), [((), "chance", -5.0), ((0,), "chance", -5.0), ((0, 1), "none", -2.25)]
)
def test_neighbours_are_held_to_the_cut_of_their_templates(rigid: Sequence[int], failed: str, cut: float) -> None:
    accounts = [range(20), [*range(5), *range(30, 45)]]
    near = neighbours(accounts, rigid=rigid)[0][0]
    assert (near.failed, near.log_p_cut) == (failed, cut)
    if failed == "chance":
        assert "log p -3.0, a link needs less than -5.0" in of_campaigns._why_apart(near)
    loose = neighbours([range(20), [*range(4), *range(30, 46)]], rigid=rigid)[0][0]
    assert of_campaigns._why_apart(loose).endswith(f"log p -1.8, a link needs less than {cut:.1f}.")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 60), min_size=1, max_size=30), min_size=2, max_size=16),
    st.lists(st.integers(0, 90), min_size=16, max_size=16, unique=True),
    st.sampled_from([1, 40, overlap.CELLS_AT_ONCE]),
)
def test_neighbours_are_chosen_as_a_loop_chooses(sets: list[set[int]], angles: list[int], cells: int) -> None:
    from scipy.stats import poisson

    # angles that differ by distinct amounts: no two neighbours are equally far
    turns = [np.pi / 180 * angle * (1 + angle / 997) for angle in angles[: len(sets)]]

    def falling(x: set[int], y: set[int]) -> float:
        rate = (3 * len(y - x) + 1) / (20 * 400 - 20 * len(x))
        return len(x) * float(-np.expm1(17 * np.log1p(-rate)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "CELLS_AT_ONCE", cells)
        found = neighbours([sorted(s) for s in sets], vectors=[[np.cos(t), np.sin(t)] for t in turns])
    for x, one in enumerate(sets):
        far = {y: 2 * abs(np.sin((turns[y] - turns[x]) / 2)) for y in range(len(sets)) if y != x}
        assume(all(abs(far[a] - far[b]) > 1e-4 for a, b in combinations(far, 2)))
        assume(all(abs(d - CLOSE) > 1e-4 for d in far.values()))
        wording = sorted((y for y in far if far[y] <= CLOSE), key=far.__getitem__)[:MOST_NEAR]
        tail = {}
        for y in far:
            shared, expected = len(one & sets[y]), max(falling(one, sets[y]), falling(sets[y], one))
            assume(not shared or abs(shared - expected) > 1e-9)
            if shared > expected:
                tail[y] = float(poisson.logsf(shared - 1, expected))
        assume(all(abs(tail[a] - tail[b]) > 1e-9 or tail[a] == tail[b] for a, b in combinations(tail, 2)))
        accounts = sorted(tail, key=lambda y: (round(tail[y], 9), far[y]))
        # other close ones are weighed too when they share accounts
        close = sorted((y for y in far if far[y] <= CLOSE and (y in wording or one & sets[y])), key=far.__getitem__)
        half = MOST_NEAR - min(len(close), MOST_NEAR // 2)
        named = list(dict.fromkeys([*accounts[:half], *close, *accounts]))[:MOST_NEAR]
        assert [n.campaign_id for n in found[x]] == [f"c-{y}" for y in named]
        assert [n.distance for n in found[x]] == pytest.approx([far[y] for y in named], abs=1e-3)


def test_neighbours_that_send_unequally_have_the_figures_of_the_link() -> None:
    accounts = [np.arange(20, dtype=np.int32), np.arange(10, 30, dtype=np.int32)]
    hits = [np.where(a < 20, n, 4).astype(np.int32) for a, n in zip(accounts, (1, 7), strict=True)]
    volume = np.full(400, 20, np.int32)
    (link,) = link_clusters(accounts, hits, volume, log_p=1e9)
    found = near_candidates(
        ["c-0", "c-1"], accounts, hits, volume=volume, vectors=None, rigid=[False, False],
        copied=[False, False],
        rules=LinkRules(
            log_p=-5.0, rigid_log_p=-2.0, copied_relief=COPIED_RELIEF, min_shared=GROUP, min_overlap=PART
        ),
    )  # fmt: skip
    for (near,) in found:
        assert near.expected == pytest.approx(link.expected, abs=1e-4)
        assert near.log_p == pytest.approx(min(link.log_p, 0.0), abs=1e-4)


def test_of_many_that_share_accounts_those_with_the_most_are_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "COMPARED", 2)
    sets = [range(20), range(3), range(6), range(4), range(6)]
    assert [n.campaign_id for n in neighbours(sets, population=4_000)[0]] == ["c-2", "c-4"]


def test_neighbours_in_wording_share_no_account() -> None:
    vectors = [[1, 0, 0], [2, 0.2, 0], [0, 1, 0], [0, 0, 0]]
    near = neighbours([[1], [2], [3], [4]], vectors=vectors)
    assert [n.campaign_id for n in near[0]] == ["c-1"]
    assert near[0][0].failed == "shared"
    assert near[0][0].distance is not None
    assert near[0][0].distance < CLOSE
    assert near[2] == near[3] == ()


def test_neighbours_are_few() -> None:
    many = neighbours([range(50)] * 30, vectors=[[1.0, 0.0]] * 30)
    assert all(len(row) == MOST_NEAR for row in many)
    assert neighbours([[1]]) == [()]
    assert neighbours([]) == []


@given(st.lists(st.text(max_size=20), unique=True, max_size=20))
def test_seen_accounts_are_found_by_digest(names: list[str]) -> None:
    table = seen_accounts(pa.array(names, pa.string()), np.arange(len(names), dtype=np.int32))
    digest = table.column("digest").to_pylist()
    assert digest == sorted(digest)
    assert dict(zip(digest, table.column("prompts").to_pylist(), strict=True)) == {
        account_digest(name): i for i, name in enumerate(names)
    }


def test_help_names_what_it_reads() -> None:
    shown = re.sub(r"\s+", " ", CliRunner().invoke(cli, ["explain", "--help"]).stdout)
    assert "reads only the files of the scan" in shown
