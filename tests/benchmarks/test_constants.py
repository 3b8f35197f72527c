"""The list of decision constants fits the code."""

from __future__ import annotations

import pytest

from benchmarks import constants
from benchmarks.constants import (
    DECISIONS,
    NOT_DECISIONS,
    SETTINGS,
    Constant,
    defined,
    problems,
    thresholds_inside,
)


def test_every_number_is_listed() -> None:
    wrong = problems()
    assert not wrong, "\n".join(wrong)


def test_no_constant_is_listed_twice() -> None:
    names = [str(constant) for constant in DECISIONS]
    assert sorted(set(names)) == sorted(names)


def test_what_is_missing_is_named() -> None:
    first, *rest = DECISIONS
    (wrong,) = problems(tuple(rest))
    assert str(first) in wrong
    assert "does not list" in wrong
    moved = Constant("evidence.explanations", "MIN_OVERLAP", "share")
    (wrong,) = problems((*DECISIONS, moved))
    assert "no longer in the code; campaign.form has one of that name" in wrong
    gone = Constant("evidence.gone", "LEAST_WORDS", "word")
    unit, missing = problems((*DECISIONS, gone))
    assert "unknown unit 'word'" in unit
    assert "judge.attribute has one of that name" in missing
    twice = {**NOT_DECISIONS, first.module: {**NOT_DECISIONS[first.module], first.name: "speed"}}
    (wrong,) = problems(others=twice)
    assert f"{first} is listed 2 times in constants.py" in wrong


def test_value_and_meaning_are_those_of_the_code() -> None:
    found = defined("campaign.form")["MIN_SHARED"]
    assert found.value == 3
    assert found.meaning == "Accounts that two clusters must share, at least, to be linked."
    settings = defined(SETTINGS)
    assert settings["fdr"].value == 0.01
    assert settings["fdr"].meaning.startswith("False-discovery rate")
    assert "encoder" not in settings


def test_a_threshold_inside_a_function_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert thresholds_inside("campaign.form") == []
    monkeypatch.setattr(constants, "INLINE", {})
    assert "len(group) < 3" in thresholds_inside("campaign.form")
    assert any("campaign.form compares with a number without a name: len(group) < 3" in line for line in problems())
