"""Benign explanations: each has a statistic, is judged by rows of the ledger, and only the registry caps a tier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harvestdetect.data import BenignExplanation
from harvestdetect.evidence.explanations import EXPLANATIONS, ExplanationInputs, explained
from harvestdetect.evidence.work_list import OwnSubjects
from harvestdetect.judge.measure import MeasuredCandidate, with_bits
from harvestdetect.judge.triage import CARRIES, Judgement

CASE: dict[str, Any] = {
    "copies": 0.02,
    "texts": 310,
    "follow_ups": False,
    "counts": np.full(40, 8, np.int32),
    "load_ratio": 0.15,
    "own_subjects": OwnSubjects(deviations=0.4, of_usual=0.05),
    "templated": True,
    "several": 0.9,
    "median_words": 40.0,
    "days": 25.0,
    "in_common": 0.02,
    "shares": {"org": 0.1, "network": 0.05, "asn": 0.3},
    "known_as": None,
}
"""A planted campaign: even load, one list, weeks long, many organisations."""


def benign(**changes: Any) -> dict[str, BenignExplanation]:
    return {one.id: one for one in explained(ExplanationInputs(**{**CASE, **changes}))}


def judged(rows: dict[str, float], **changes: Any) -> dict[str, BenignExplanation]:
    """The explanations of a candidate with these bits in the ledger."""
    measured = MeasuredCandidate(
        evidence=(), benign=tuple(benign(**changes).values()), templated=True, targets=(), shared_values=(), readings={}
    )
    judgement = Judgement(tier=None, score=0.0, probability=0.5, q_value=0.5, families=(), rows=rows)
    return {one.id: one for one in with_bits(measured, judgement).benign}


def test_every_explanation_is_told_in_a_sentence() -> None:
    for found in (benign(), benign(own_subjects=None, days=None, shares={}, several=None, templated=False)):
        assert list(found) == [e.id for e in EXPLANATIONS]
        assert all(e.sentence.endswith(".") for e in found.values())
        assert all(e.bits is None for e in found.values())


def test_follow_ups_are_described_by_what_they_follow() -> None:
    assert benign(follow_ups=True)["passed_on"].sentence == (
        "2% of the prompts that these sentences follow repeat an earlier one word for word; "
        "an account sent 8.0 of these sentences after 310 different prompts in all."
    )


def test_before_the_ledger_is_posted_only_the_hard_rule_is_decided() -> None:
    assert {e.id for e in benign().values() if e.verdict != "unknown"} == {"known_template"}


@pytest.mark.parametrize(
    ("id_", "statistic", "words"),
    [
        ("passed_on", 0.02, "2% of the prompts repeat an earlier one word for word; an account sent 8.0, 310"),
        ("shared_list", 0.02, "Two accounts have 2% of their different prompts in common"),
        ("short_phrase", 40.0, "The median prompt has 40 words."),
        ("known_template", 0.0, "The template is not in the registry."),
        ("product", 0.05, "alike by 5% of what is usual within an account (0.4 standard deviations of a shuffle)"),
        ("community", 0.15, "share templates that 90% of the accounts sent more than one of; the load is 0.15"),
        ("few_accounts", 0.075, "The 3 busiest of 40 accounts sent 8% of the prompts."),
        ("one_organisation", 0.1, "the largest 3 and those with teams, have 10% of the accounts"),
        ("event", 25.0, "The prompts came within 25 days, 8.0 from each account."),
    ],
)  # fmt: skip
def test_each_is_told_by_its_own_number(id_: str, statistic: float, words: str) -> None:
    found = benign()[id_]
    assert found.statistic == pytest.approx(statistic)
    assert words in found.sentence


@pytest.mark.parametrize(
    ("id_", "changes", "statistic", "words"),
    [
        ("product", {"own_subjects": None}, None, "Too few accounts sent several different prompts"),
        ("event", {"days": None}, None, "have no timestamps"),
        ("one_organisation", {"shares": {"asn": 0.9}}, None, "does not say which organisation"),
        ("one_organisation", {"shares": {"network": 0.9}}, 0.9, "not known; the largest network has 90%"),
        ("community", {"several": None}, 0.15, "The prompts share a template; the load is 0.15"),
        ("community", {"templated": False}, 0.15, "The prompts share a subject, no template; the load is 0.15"),
        ("product", {"own_subjects": OwnSubjects(deviations=-3.0, of_usual=-0.2)}, -0.2, "alike by 0% of what is"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(id_: str, changes: dict[str, Any], statistic: float | None, words: str) -> None:
    found = benign(**changes)[id_]
    assert found.statistic == statistic
    assert words in found.sentence


def test_the_registry_is_the_only_hard_rule() -> None:
    assert [e.id for e in EXPLANATIONS if e.cap is not None] == ["known_template"]
    assert all(e.caps is None for e in benign().values())
    known = benign(known_as=("viral", "strawberry"))
    assert {e.id: e.caps for e in known.values() if e.caps} == {"known_template": "watch"}
    assert known["known_template"].verdict == "fits"
    assert known["known_template"].sentence == "The template is the viral strawberry of the registry."


@pytest.mark.parametrize(
    ("bits", "verdict"), [(-CARRIES, "fits"), (-CARRIES + 0.1, "unlikely"), (0.0, "unlikely"), (3.0, "unlikely")]
)
def test_an_explanation_fits_if_its_rows_speak_against_a_campaign(bits: float, verdict: str) -> None:
    found = judged({"in_common": bits - 1.0, "shared_items": 1.0, "words": 2.0})
    assert (found["shared_list"].bits, found["shared_list"].verdict) == (pytest.approx(bits), verdict)
    assert (found["short_phrase"].bits, found["short_phrase"].verdict) == (2.0, "unlikely")
    # of the others nothing is known
    assert {e.verdict for e in found.values() if e.id not in ("shared_list", "short_phrase", "known_template")} == {
        "unknown"
    }
    assert all(e.caps is None for e in found.values())


def test_bits_do_not_change_a_hard_rule() -> None:
    found = judged({"copies": -5.0}, known_as=("viral", "strawberry"))["known_template"]
    assert (found.verdict, found.caps, found.bits) == ("fits", "watch", None)
