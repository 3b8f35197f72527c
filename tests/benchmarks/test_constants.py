"""The list of decision constants fits the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import constants
from benchmarks.constants import (
    DECISIONS,
    EXPLAINING,
    NOT_DECISIONS,
    SETTINGS,
    Constant,
    defined,
    problems,
    thresholds_inside,
)
from harvestdetect.evidence import nulls
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.judge.ledger import row_of
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.settings import Settings
from harvestdetect.util import amounts


def test_every_number_is_listed() -> None:
    wrong = problems()
    assert not wrong, "\n".join(wrong)


def test_constants_stay_few_and_words_of_amount_in_order() -> None:
    assert len(DECISIONS) <= 80, "take one of harvestdetect/util/amounts.py, or derive the number from another"
    shares = (amounts.FEW, amounts.EXCEPTIONAL, amounts.SMALL_PART, amounts.MOST, amounts.NEARLY_ALL)
    assert sorted(set(shares)) == list(shares)
    assert amounts.SEVERAL < amounts.GROUP < amounts.MIN_SAMPLE


def test_no_constant_is_listed_twice() -> None:
    names = [str(constant) for constant in DECISIONS]
    assert sorted(set(names)) == sorted(names)


def test_what_is_missing_is_named() -> None:
    first, *rest = DECISIONS
    (wrong,) = problems(tuple(rest))
    assert str(first) in wrong
    assert "does not list" in wrong
    last = rest[-1]
    moved = Constant("evidence.gone", last.name, "word")
    unit, missing = problems((*DECISIONS, moved))
    assert "evidence.gone" in unit
    assert "unknown unit 'word'" in unit
    assert f"evidence.gone.{last.name} is in DECISIONS of constants.py and no longer in the code" in missing
    assert f"{last.module}" in missing
    assert "has one of that name" in missing
    (wrong,) = problems((*DECISIONS, Constant(last.module, "NO_SUCH_NAME", "share")))
    assert "rename or remove its line" in wrong
    twice = {**NOT_DECISIONS, first.module: {**NOT_DECISIONS[first.module], first.name: "speed"}}
    (wrong,) = problems(others=twice)
    assert f"{first} is listed 2 times in constants.py" in wrong


def test_measures_whose_numbers_decide_nothing_change_no_tier() -> None:
    assert {m.id for m in MEASURES if m.family == "intent"} <= EXPLAINING
    assert not {row_of(id_) for id_ in shipped_ledger().curves} & EXPLAINING


@pytest.mark.parametrize("module", ["fit", "fit_examples", "fitting"])
def test_the_page_has_the_constants_of_the_fit(module: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "constants.md").read_text(encoding="utf-8")
    source = (Path(constants.__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    values = dict(re.findall(r"^([A-Z_]+): Final = (-?[0-9.]+)$", source, flags=re.MULTILINE))
    assert len(values) >= 3
    for name, value in values.items():
        assert f"| `benchmarks.{module}.{name}` | {float(value):g} |" in page, f"{name} is missing or out of date"


def test_value_and_meaning_are_those_of_the_code() -> None:
    assert defined("evidence.nulls")["DRAWS"].value == nulls.DRAWS
    for constant in DECISIONS:
        meaning = defined(constant.module)[constant.name].meaning
        assert meaning.endswith("."), f"{constant} needs a docstring that is a whole sentence"
    settings = defined(SETTINGS)
    assert settings["fdr"].value == Settings().fdr
    assert "encoder" not in settings


def test_a_threshold_inside_a_function_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    module, (text, *_) = next(iter(constants.INLINE.items()))
    assert text in thresholds_inside(module)
    monkeypatch.setattr(constants, "INLINE", {})
    assert any(f"{module} compares with a number without a name: {text}" in line for line in problems())
    monkeypatch.setattr(constants, "INLINE", {module: ("x < 3.5",)})
    assert any(f"the comparison x < 3.5 of {module} is in INLINE" in line for line in problems())
