"""Which campaigns a drill plants."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from harvestdetect.drill.grid import (
    CENTRE,
    FACTORS,
    PER_RANDOM,
    REPEATS,
    Design,
    Plan,
    levels_of,
    make_plan,
    percent_of,
)
from harvestdetect.errors import SettingsError


def plan_of(trials: int | None = None, *, seed: int = 0, **fixed: Any) -> Plan:
    levels = levels_of(fixed, infrastructure=True)
    return make_plan(levels, trials=trials, seed=seed, impossible=lambda design: None)


def off_centre(design: Design) -> list[str]:
    return [name for name in FACTORS if getattr(design, name) != getattr(CENTRE, name)]


def test_every_level_is_tried_as_often_as_the_centre() -> None:
    plan = plan_of()
    single = [t for t in plan.trials if not t.random]
    assert all(off_centre(t.design) == ([t.factor] if t.factor else []) for t in single)
    tried = Counter((t.factor, getattr(t.design, t.factor) if t.factor else None) for t in single)
    assert set(tried.values()) == {REPEATS}
    assert len(tried) == 1 + sum(len(levels) - 1 for levels in FACTORS.values())
    assert sum(t.random for t in plan.trials) == len(plan.trials) // PER_RANDOM
    assert [t.number for t in plan.trials] == list(range(1, len(plan.trials) + 1))


def test_any_beginning_is_balanced() -> None:
    trials = plan_of(40).trials
    assert len(trials) == 40
    tried = Counter(t.design for t in trials if not t.random)
    assert max(tried.values()) - min(tried.values()) <= 1


def test_a_seed_makes_the_same_plan_and_another_seed_other_combinations() -> None:
    assert plan_of(60, seed=3) == plan_of(60, seed=3)
    combinations = [[t.design for t in plan_of(60, seed=seed).trials if t.random] for seed in (3, 4)]
    assert combinations[0] != combinations[1]


def test_a_fixed_factor_has_one_level() -> None:
    plan = plan_of(accounts=40, tempo="human")
    assert {t.design.accounts for t in plan.trials} == {40}
    assert {t.design.tempo for t in plan.trials} == {"human"}
    assert plan.centre.accounts == 40
    assert {t.design.prompts for t in plan.trials} == set(FACTORS["prompts"])


def test_one_design_is_only_repeated() -> None:
    plan = plan_of(
        accounts=12, prompts=3, share=0.2, rewording="reworded", tempo="human", infrastructure="shared"
    )  # fmt: skip
    assert len(plan.trials) == REPEATS
    assert not any(t.random for t in plan.trials)


def test_what_is_impossible_is_left_out_and_others_are_tried() -> None:
    plan = make_plan(
        levels_of({}, infrastructure=False), trials=50, seed=0,
        impossible=lambda design: "too many" if design.accounts == 200 or design.share == 0.05 else None,
    )  # fmt: skip
    assert {(s.factor, s.reason) for s in plan.skipped} == {("accounts", "too many"), ("share", "too many")}
    assert len(plan.trials) == 50
    assert all(t.design.accounts != 200 and t.design.share != 0.05 for t in plan.trials)
    assert {t.design.infrastructure for t in plan.trials} == {"none"}
    assert any(t.random for t in plan.trials)


def test_nothing_possible_makes_no_trial() -> None:
    plan = make_plan(levels_of({}, infrastructure=True), trials=None, seed=0, impossible=lambda design: "no")
    assert plan.trials == ()
    assert plan.skipped


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accounts", 1),
        ("accounts", True),
        ("prompts", 0),
        ("prompts", 2.5),
        ("share", 0),
        ("share", 1.5),
        ("share", "half"),
        ("rewording", "some"),
        ("tempo", "fast"),
        ("speed", 1),
    ],
)
def test_a_wrong_level_is_an_error(name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=name):
        levels_of({name: value}, infrastructure=True)


@pytest.mark.parametrize("trials", [0, -1, 10_001])
def test_a_wrong_number_of_trials_is_an_error(trials: int) -> None:
    with pytest.raises(SettingsError, match="trials must be from 1"):
        plan_of(trials)


def test_shares_in_per_cent() -> None:
    assert [percent_of(share) for share in (1.0, 0.5, 0.05, 0.005, 0.123)] == [
        *("100 %", "50 %", "5 %", "0.5 %", "12.3 %"),
    ]
