from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import Detection, Finding, Member, Tier
from harvestdetect.errors import InputError, SettingsError
from harvestdetect.report import write_outputs
from harvestdetect.simulate.evaluate import (
    Planted,
    ReportedFinding,
    evaluate,
    found_of,
    read_findings,
    read_truth,
    render,
)
from tests.report.making import make_detection, make_finding


def group(name: str, accounts: Sequence[str], kind: Literal["campaign", "look-alike"] = "campaign") -> Planted:
    return Planted(name=name, kind=kind, what="", accounts=frozenset(accounts))


def finding(
    identity: str,
    accounts: Sequence[str],
    tier: Tier = "urgent",
    score: float = 1.0,
    recommended: Sequence[str] | None = None,
) -> ReportedFinding:
    advised = frozenset(accounts if recommended is None else recommended)
    return ReportedFinding(
        campaign_id=identity, tier=tier, score=score, accounts=frozenset(accounts), recommended=advised
    )


def some(letter: str, count: int, first: int = 0) -> list[str]:
    return [f"{letter}{i}" for i in range(first, first + count)]


A, B, L = some("a", 10), some("b", 10), some("l", 10)


# ---------------------------------------------------------------- definitions


def test_nothing_found() -> None:
    scores = evaluate([], [group("one", A), group("two", B), group("class", L, "look-alike")])
    assert (scores.campaigns, scores.campaigns_found, scores.campaign_recall) == (2, 0, 0.0)
    assert scores.account_recall == 0.0
    assert scores.account_precision is None
    assert scores.recommended_precision is None
    assert (scores.alarms, scores.alarms_urgent, scores.look_alikes_urgent) == (0, 0, 0)
    assert scores.ranking_average_precision == 0.0
    assert [(r.name, r.campaign_id, r.found) for r in scores.rows] == [
        ("one", None, False),
        ("two", None, False),
        ("class", None, False),
    ]


def test_nothing_planted() -> None:
    scores = evaluate([finding("f", L)], [])
    assert scores.campaign_recall is None
    assert scores.account_recall is None
    assert scores.ranking_average_precision is None
    assert scores.account_precision == 0.0
    assert scores.alarms == scores.alarms_urgent == 1


@pytest.mark.parametrize(
    ("own", "foreign", "found"),
    [
        (10, 0, True),
        (5, 0, True),
        (4, 0, False),
        (5, 5, True),
        (5, 6, False),
        (10, 10, True),
        (10, 11, False),
    ],
)
def test_found_needs_half_of_the_campaign_and_half_of_the_finding(own: int, foreign: int, found: bool) -> None:
    scores = evaluate([finding("f", A[:own] + some("x", foreign))], [group("one", A)])
    assert scores.campaigns_found == found
    (row,) = scores.rows
    assert row.found is found
    assert row.recall == own / 10
    assert row.precision == own / (own + foreign)
    assert scores.account_recall == own / 10
    assert scores.account_precision == own / (own + foreign)
    assert scores.alarms == (own < foreign)


def test_one_finding_may_cover_two_campaigns() -> None:
    scores = evaluate([finding("f", A + B)], [group("one", A), group("two", B)])
    assert scores.campaigns_found == 2
    assert scores.account_precision == 1.0
    assert scores.alarms == 0
    assert scores.ranking_average_precision == 1.0
    # three in one: none of them owns half of it, yet it is no alarm
    scores = evaluate(
        [finding("f", A + B + some("c", 10))], [group("one", A), group("two", B), group("c", some("c", 10))]
    )
    assert scores.campaigns_found == 0
    assert scores.alarms == 0


def test_fragments_do_not_add_up_and_are_no_alarms() -> None:
    pieces = [finding(f"f{i}", A[3 * i : 3 * i + 3], score=9 - i) for i in range(3)]
    scores = evaluate(pieces, [group("one", A)])
    assert scores.campaigns_found == 0
    assert scores.account_recall == 0.9
    assert scores.account_precision == 1.0
    assert scores.alarms == 0
    assert scores.rows[0].campaign_id == "f0"
    assert scores.rows[0].recall == 0.3


def test_only_counted_tiers_count() -> None:
    found = [finding("w", A, "watch"), finding("r", B, "review"), finding("l", L, "watch")]
    planted = [group("one", A), group("two", B), group("class", L, "look-alike")]
    scores = evaluate(found, planted)
    assert scores.campaigns_found == 1
    assert scores.account_recall == 0.5
    assert scores.alarms == 0
    assert [(r.campaign_id, r.tier, r.found) for r in scores.rows] == [
        ("w", "watch", False),
        ("r", "review", True),
        ("l", "watch", False),
    ]
    every = evaluate(found, planted, tiers=("urgent", "review", "watch"))
    assert every.campaigns_found == 2
    assert every.alarms == 1
    assert every.rows[2].found


def test_alarms_and_look_alikes() -> None:
    planted = [group("one", A), group("class", L, "look-alike"), group("viral", some("v", 6), "look-alike")]
    found = [
        finding("u", L + some("v", 2), "urgent"),  # largest group: class
        finding("r", some("v", 6), "review"),  # a look-alike, not urgent
        finding("x", some("x", 5), "urgent"),  # nobody's
        finding("m", A[:5] + L[:5], "urgent"),  # half planted: no alarm
    ]
    scores = evaluate(found, planted)
    assert scores.alarms == 3
    assert scores.alarms_urgent == 2
    assert (scores.look_alikes, scores.look_alikes_urgent) == (2, 1)
    assert [r.found for r in scores.rows] == [True, True, True]
    # a finding mostly of bystanders with more of a campaign than of a look-alike is not the look-alike's
    mixed = evaluate([finding("m", A[:3] + L[:2] + some("x", 9))], planted)
    assert (mixed.alarms_urgent, mixed.look_alikes_urgent) == (1, 0)


def test_recommended_precision_looks_at_recommended_members() -> None:
    scores = evaluate([finding("f", A + some("x", 10), recommended=[*A[:8], "x0", "x1"])], [group("one", A)])
    assert scores.account_precision == 0.5
    assert scores.recommended_precision == 0.8


def test_an_account_in_two_findings_counts_once() -> None:
    scores = evaluate([finding("f", [*A, "x"]), finding("g", [*A, "x"])], [group("one", A)])
    assert scores.account_precision == 10 / 11


def test_ranking_average_precision_by_hand() -> None:
    c = some("c", 10)
    planted = [group("one", A), group("two", B), group("three", c), group("class", L, "look-alike")]
    found = [
        finding("1", A, "urgent", 50),  # hit: 1/1
        finding("2", A[:6], "urgent", 40),  # a fragment of a found campaign: neither
        finding("3", L, "urgent", 30),  # miss
        finding("4", B[:2], "review", 900),  # a fragment of a campaign: neither
        finding("5", B, "review", 20),  # hit: 2/3
        finding("6", some("x", 4), "watch", 999),  # miss
    ]
    scores = evaluate(found, planted)
    assert scores.ranking_average_precision == pytest.approx((1 / 1 + 2 / 3 + 0) / 3)
    # the order given does not matter, the tier goes before the score
    assert evaluate(found[::-1], planted) == scores
    # a hit at watch ranks too
    at_watch = evaluate([*found, finding("7", c, "watch", 1)], planted)
    assert at_watch.ranking_average_precision == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)
    assert at_watch.campaigns_found == 2


def test_a_finding_that_covers_two_counts_as_one_hit() -> None:
    found = [finding("1", L, score=3), finding("2", A + B, score=2)]
    scores = evaluate(found, [group("one", A), group("two", B)])
    assert scores.ranking_average_precision == 0.5


def test_tiers_are_checked() -> None:
    with pytest.raises(SettingsError, match="tiers must be among urgent, review, watch, got 'high'"):
        evaluate([], [], tiers=("high",))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="got none"):
        evaluate([], [], tiers=())


names = st.sampled_from([f"n{i}" for i in range(12)])
accounts_sets = st.frozensets(names, min_size=1, max_size=8)


@given(
    st.lists(st.tuples(accounts_sets, st.sampled_from(["urgent", "review", "watch"]), st.floats(0, 9)), max_size=6),
    st.lists(st.tuples(accounts_sets, st.sampled_from(["campaign", "look-alike"])), min_size=1, max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_scores_stay_in_range(found: list[Any], planted: list[Any]) -> None:
    findings = [
        ReportedFinding(campaign_id=str(i), tier=tier, score=score, accounts=accounts, recommended=frozenset())
        for i, (accounts, tier, score) in enumerate(found)
    ]
    groups = [Planted(name=str(i), kind=k, what="", accounts=a) for i, (a, k) in enumerate(planted)]
    scores = evaluate(findings, groups)
    for value in (
        scores.campaign_recall,
        scores.account_recall,
        scores.account_precision,
        scores.ranking_average_precision,
    ):
        assert value is None or 0.0 <= value <= 1.0
    assert scores.alarms_urgent <= scores.alarms <= len(findings)
    assert scores.campaigns_found == sum(r.found for r in scores.rows if r.kind == "campaign")
    assert scores.look_alikes_urgent <= scores.look_alikes
    assert evaluate(findings[::-1], groups) == scores


# ---------------------------------------------------------------- reading


def write_out(folder: Path, findings: list[dict[str, Any]], accounts: list[tuple[str, ...]]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "campaigns.jsonl").write_text("".join(json.dumps(f) + "\n" for f in findings), encoding="utf-8")
    with (folder / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["account", "campaign_id", "tier", "recommended", "reasons"])
        rows.writerows(accounts)


def test_findings_are_read_and_cells_made_whole_again(tmp_path: Path) -> None:
    write_out(
        tmp_path,
        [
            {"campaign_id": "c1", "tier": "urgent", "score": 12.5, "accounts": 3},
            {"campaign_id": "c2", "tier": "watch", "score": 1},
        ],
        [
            ("'=cmd()", "c1", "urgent", "true", "many\nlines, and commas"),
            ("'@x\\u001b", "c1", "urgent", "false", ""),
            ("'quoted", "c1", "urgent", "True", ""),
            ("'", "c2", "watch", "0", ""),
        ],
    )
    assert read_findings(tmp_path) == [
        ReportedFinding(
            campaign_id="c1",
            tier="urgent",
            score=12.5,
            accounts=frozenset({"=cmd()", "@x\x1b", "'quoted"}),
            recommended=frozenset({"=cmd()", "'quoted"}),
        ),
        ReportedFinding(campaign_id="c2", tier="watch", score=1.0, accounts=frozenset({"'"}), recommended=frozenset()),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json", r"campaigns.jsonl, line 2: not a JSON object"),
        ("[" * 5000, "line 2: not a JSON object"),
        ('{"campaign_id": 3}', "campaign_id must be a text, got 3"),
        ('{"campaign_id": "d", "tier": "high", "score": 1}', "tier must be one of"),
        ('{"campaign_id": "d", "tier": "watch", "score": "1"}', "score must be a number"),
        (
            '{"campaign_id": "d", "tier": "watch", "score": 1' + "0" * 400 + "}",
            "line 2: score must be a number of up to 308 digits, got 1000",
        ),
        ('{"campaign_id": "c", "tier": "watch", "score": 1}', "'c' occurs twice"),
    ],
)
def test_malformed_findings_are_named(tmp_path: Path, line: str, message: str) -> None:
    write_out(tmp_path, [{"campaign_id": "c", "tier": "watch", "score": 1}], [])
    with (tmp_path / "campaigns.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=message):
        read_findings(tmp_path)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*campaigns\.jsonl: No such file"):
        read_findings(tmp_path)
    write_out(tmp_path, [], [("a", "c9", "watch", "true", "")])
    with pytest.raises(InputError, match=r"campaign_id 'c9' is not in campaigns\.jsonl"):
        read_findings(tmp_path)
    (tmp_path / "accounts.csv").write_text("account,tier\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no column campaign_id; found: 'account, tier'"):
        read_findings(tmp_path)
    (tmp_path / "accounts.csv").write_text("account,campaign_id,recommended\na,b\n", encoding="utf-8")
    with pytest.raises(InputError, match="not as many cells as the header"):
        read_findings(tmp_path)
    (tmp_path / "accounts.csv").write_bytes(b"account,campaign_id,recommended\n\xff,b,c\n")
    with pytest.raises(InputError, match="not a valid CSV file"):
        read_findings(tmp_path)


@pytest.mark.parametrize("escape", ["\\U00110000", "\\Uffffffff"])
def test_an_escape_of_no_character_is_named(tmp_path: Path, escape: str) -> None:
    write_out(tmp_path, [{"campaign_id": "c", "tier": "watch", "score": 1}], [(escape, "c", "watch", "true", "")])
    with pytest.raises(InputError, match=r"accounts\.csv, line 2: an escape such as .* names no character"):
        read_findings(tmp_path)


def test_an_account_may_be_long(tmp_path: Path) -> None:
    long = "x" * 300_000
    write_out(tmp_path, [{"campaign_id": "c", "tier": "watch", "score": 1}], [(long, "c", "watch", "true", "")])
    limit = csv.field_size_limit(131_072)
    try:
        (found,) = read_findings(tmp_path)
    finally:
        csv.field_size_limit(max(limit, csv.field_size_limit()))
    assert found.accounts == {long}


def test_truth_is_read_from_file_or_folder(tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    file.write_text(
        '{"name": "one", "kind": "campaign", "what": "sweeps", "accounts": ["a", 7]}\n\n'
        '{"name": "class", "kind": "look-alike", "accounts": ["b"]}\n',
        encoding="utf-8",
    )
    expected = [
        Planted(name="one", kind="campaign", what="sweeps", accounts=frozenset({"a", "7"})),
        Planted(name="class", kind="look-alike", what="", accounts=frozenset({"b"})),
    ]
    assert read_truth(file) == read_truth(tmp_path) == read_truth(str(tmp_path)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no planted group"),
        ("[1]\n", "line 1: not a JSON object"),
        ('{"kind": "campaign", "accounts": ["a"]}', "name must be a text, got None"),
        ('{"name": "x", "kind": "bad", "accounts": ["a"]}', "kind must be campaign or look-alike, got 'bad'"),
        ('{"name": "x", "kind": "campaign", "accounts": []}', "accounts must be a list"),
        ('{"name": "x", "kind": "campaign", "accounts": [true]}', "an account id must be"),
        ('{"name": "x", "kind": "campaign", "accounts": ["a"]}\n' * 2, "a second group is named 'x'"),
    ],
)
def test_malformed_truth_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "truth.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_truth(tmp_path)


def test_found_of_a_detection() -> None:
    def member(account: str, recommended: bool) -> Member:
        return Member(
            account=account,
            membership=1.0,
            harvest_share=1.0,
            prompts=4,
            harvest_prompts=4,
            first_seen=None,
            last_seen=None,
            recommended=recommended,
            reasons=(),
            templates={},
        )

    one = Finding(
        campaign_id="c",
        tier="review",
        score=4.0,
        q_value=0.0,
        summary="",
        families=(),
        accounts=2,
        prompts=8,
        orgs=None,
        first_seen=None,
        last_seen=None,
        days=(),
        templates=(),
        evidence=(),
        benign_explanations=(),
        capability_targets=(),
        members=(member("a", True), member("b", False)),
    )
    detection = Detection(
        findings=(one,), rejects=(), counts={}, settings={}, models={}, versions={}, files=(), stages=()
    )
    assert found_of(detection) == [finding("c", ["a", "b"], "review", 4.0, ["a"])]


def test_a_detection_a_folder_and_a_truth_on_the_disk_are_scored(tmp_path: Path) -> None:
    detection = make_detection(make_finding("c-1"))
    write_outputs(detection, tmp_path)
    accounts = [member.account for member in detection.findings[0].members]
    truth = tmp_path / "truth.jsonl"
    planted = {"name": "one", "kind": "campaign", "what": "", "accounts": accounts}
    truth.write_text(json.dumps(planted) + "\n", encoding="utf-8")
    scores = evaluate(detection, truth)
    assert scores.campaign_recall == 1.0
    assert scores == evaluate(str(tmp_path), str(tmp_path)) == evaluate(found_of(detection), read_truth(truth))
    assert repr(scores).startswith("campaign recall            1.00")


# ---------------------------------------------------------------- printing


def test_render_is_aligned_and_safe_for_a_terminal() -> None:
    nasty = "x\x1b[31m\r\n\u202e<\u200b>" + "y" * 80
    planted = [group(nasty, A), group("class", L, "look-alike")]
    text = render(evaluate([finding("\x9b2J", A, score=2), finding("f", L)], planted))
    assert all(c == "\n" or not unicodedata.category(c).startswith("C") for c in text)
    lines = text.splitlines()
    assert lines[0] == "campaign recall            1.000  (1 of 1 campaigns, at urgent + review)"
    assert "alarms                     1  (1 at urgent)" in lines
    table = lines[lines.index("") + 1 :]
    assert table[0].split() == [
        "group",
        "kind",
        "accounts",
        "best",
        "finding",
        "tier",
        "recall",
        "precision",
        "found",
    ]
    assert table[0].index("kind") == table[1].index("campaign") == table[2].index("look-alike")
    assert table[1].startswith("x\\x1b[31m\\x0d\\x0a\\u202e<\\u200b>")
    assert table[1].endswith("yes")
    assert table[2].endswith("ALARM")
    assert render(evaluate([], [])).splitlines()[1].endswith("-")
