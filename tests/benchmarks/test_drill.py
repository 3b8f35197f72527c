"""The benchmark that compares a drill with fresh campaigns."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.drill import COVERED, PLANTED, TEXTS, Compared, _bundles, markdown, scenario_of
from harvestdetect.drill.grid import CENTRE, FACTORS, Design, levels_of, make_plan
from harvestdetect.drill.result import Level, levels_found


def compared(found: int, tried: int, fresh_found: int, fresh: int) -> Compared:
    return Compared(
        factor="prompts", value=1, centre=False, found=found, tried=tried, fresh_found=fresh_found, fresh=fresh
    )


def test_a_scenario_has_the_levels_of_the_design() -> None:
    for rewording in FACTORS["rewording"]:
        design = replace(CENTRE, accounts=60, prompts=3, share=0.2, rewording=rewording, tempo="human")
        scenario = scenario_of(design, "x")
        assert (scenario.accounts, scenario.each, scenario.share) == (60, 3, 0.2)
        assert scenario.tempo == "human"
    assert scenario_of(CENTRE, "x").tempo == "flat"
    assert scenario_of(CENTRE, "x").templates == 1


def test_agreement_is_by_the_drills_interval() -> None:
    assert compared(0, 4, 0, 4).within
    assert compared(4, 4, 4, 4).within
    assert not compared(0, 4, 3, 4).within
    assert compared(0, 4, 3, 4).agrees, "the interval of three of four begins below one half"
    assert not compared(0, 20, 20, 20).agrees
    text = markdown([compared(0, 4, 0, 4), compared(0, 20, 20, 20)], command="c", versions={})
    assert "| prompts per account | 1 | 0/4 | 0.00–0.49 | 0/4 | yes |" in text
    assert "**no**" in text
    assert "1 of 2 levels lie within the drill's interval, 1 agree within both intervals." in text


def test_fresh_campaigns_of_one_dump_leave_most_of_it_alone() -> None:
    plan = make_plan(levels_of({}, infrastructure=False), trials=None, seed=0, impossible=lambda design: None)
    wanted: list[tuple[Level, Design]] = [
        (level, replace(plan.centre, **{level.factor: level.value}))
        for level in levels_found(plan, ())
        for _ in range(4)
    ]
    bundles = list(_bundles(wanted, accounts=5_000, rows=40_000))
    assert sorted(position for bundle in bundles for position in bundle) == list(range(len(wanted)))
    for bundle in bundles:
        designs = [wanted[position][1] for position in bundle]
        kinds = [design.rewording for design in designs if design.rewording in TEXTS]
        assert len(set(kinds)) == len(kinds)
        if len(bundle) > 1:
            assert sum(scenario_of(design, "").cover for design in designs) <= COVERED * 40_000
            assert sum(design.accounts for design in designs) <= PLANTED * 5_000
