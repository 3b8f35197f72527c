"""The rows of a ledger as findings show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.data import Evidence
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.evidence.readings import READINGS
from harvestdetect.judge.findings import LEAST_SHOWN, ledger_rows
from harvestdetect.judge.ledger import EFFECT
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.triage import Judgement
from harvestdetect.report.ledger import shown_ledger

IDS = [m.id for m in MEASURES] + [m.id + EFFECT for m in MEASURES] + [r.id for r in READINGS]


def judged(rows: dict[str, float], *, prior: float = -1.5) -> Judgement:
    score = prior + sum(rows.values())
    return Judgement(tier="watch", score=score, probability=1 - 1 / (1 + 2**score), q_value=0.5, families=(), rows=rows)


def measured(**readings: float) -> MeasuredCandidate:
    """A candidate with every measure and these readings."""
    evidence = tuple(
        Evidence(
            id=m.id, name=m.label, family=m.family, value=1.0, null="others", expected=1.0, p_value=0.5,
            sentence="It is.",
        )
        for m in MEASURES
    )  # fmt: skip
    return MeasuredCandidate(
        evidence=evidence, benign=(), templated=True, targets=(), shared_values=(), readings=readings
    )


def test_both_rows_of_a_measure_are_one_and_a_reading_has_its_sentence() -> None:
    rows = ledger_rows(
        judged({"even_load": 1.5, "even_load" + EFFECT: 0.25, "template": -2.0, "density": 0.04}),
        measured(template=0.0, words=3.0),
    )
    assert [(row.id, row.family, row.bits) for row in rows] == [
        ("prior", None, -1.5),
        ("template", "text", -2.0),
        ("even_load", "structure", 1.75),
    ]
    assert [row.sentence for row in rows] == ["", "The prompts share a subject, and no template.", ""]


@given(st.dictionaries(st.sampled_from(IDS), st.floats(-12, 12), max_size=20), st.floats(-10, 0))
def test_the_shown_rows_and_the_rest_add_up_to_the_score(bits: dict[str, float], prior: float) -> None:
    judgement = judged(bits, prior=prior)
    rows = ledger_rows(judgement, measured())
    assert all(abs(row.bits) >= LEAST_SHOWN for row in rows[1:])
    shown = shown_ledger(rows, total=judgement.score)
    assert shown is not None
    parts = shown.prior + sum(block.bits for block in shown.blocks) + shown.rest
    assert parts == pytest.approx(judgement.score, abs=0.05)
    for block in shown.blocks:
        assert block.bits == pytest.approx(sum(line.bits for line in block.lines))
