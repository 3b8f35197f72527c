"""Drills from beginning to end, in this process, on small dumps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harvestdetect import Settings
from harvestdetect.data import Batch, Detection
from harvestdetect.drill import Drill, drill
from harvestdetect.drill.grid import Trial
from harvestdetect.drill.run import PER_SCAN
from harvestdetect.errors import InputError, SettingsError
from tests.drill.making import batches, prompts

DUMP = prompts(420, seed=2, most=12)


@contextmanager
def opened(made: list[Batch]) -> Iterator[list[Batch]]:
    yield made


def drilled(cache: Path, dump: list[Batch] | None = None, **changes: Any) -> Drill:
    made = batches(DUMP) if dump is None else dump
    fixed = changes.pop("fixed", {"accounts": 12})
    # a small dump gives little evidence, and which campaigns are found together is what is tested
    settings = Settings(encoder="fast", cache=cache, workers=1, work=changes.pop("work", None), fdr=0.95)
    return drill(lambda: opened(made), settings=settings, fixed=fixed, **changes)


def decisive(result: Drill) -> list[tuple[Trial, bool, bool, str | None]]:
    return [(o.trial, o.found, o.seen, o.tier) for o in result.outcomes]


def test_campaigns_planted_together_are_found_as_those_planted_alone(cache: Path) -> None:
    told: list[str] = []
    fixed = {"accounts": 20, "tempo": "machine"}
    dump = batches(prompts(1_400, seed=2, most=12, fields=False))
    together = drilled(cache, dump, fixed=fixed, trials=4, per_scan=PER_SCAN, notes=told.append)
    alone = drilled(cache, dump, fixed=fixed, trials=4, per_scan=1)
    assert alone.scans == 4
    assert together.scans < 4
    # with one prompt an account, so small a dump gives hardly any evidence, and other hosts are enough to change it
    compared = [[o.found for o in result.outcomes if o.trial.design.prompts > 1] for result in (together, alone)]
    assert compared[0] == compared[1]
    assert len(compared[0]) == 3
    assert 0 < together.overall.found <= 4
    assert any("4 campaigns to plant" in sentence for sentence in told)


def test_the_order_of_rows_changes_nothing(cache: Path) -> None:
    shuffled = Random(0).sample(DUMP, len(DUMP))
    one = drilled(cache, trials=1)
    other = drilled(cache, batches(shuffled, size=211), trials=1)
    assert dataclasses.replace(one, seconds=0.0) == dataclasses.replace(other, seconds=0.0)
    assert one.prompts == len(DUMP)
    assert len(one.outcomes) == 1


def test_a_dump_without_fields_says_that_addresses_were_not_tried(cache: Path, tmp_path: Path) -> None:
    dump = batches(prompts(420, seed=2, most=12, fields=False))
    told: list[str] = []
    result = drilled(cache, dump, trials=1, notes=told.append, work=tmp_path / "work")
    assert "a drill uses no work folder, so that no planted prompt stays in it" in told
    assert not (tmp_path / "work").exists()
    assert any("none of the fields ip, payment, api_key" in sentence for sentence in result.not_tried)
    assert {level.value for level in result.levels if level.factor == "infrastructure"} == {"none"}
    assert any("Ask for more trials" in sentence for sentence in result.not_tried)
    assert any("levels of accounts than 12 were not tried, because" in sentence for sentence in result.not_tried)


def test_a_dump_that_is_too_small_is_an_error(cache: Path) -> None:
    with pytest.raises(InputError, match="no campaign can be planted into this dump: 25 accounts are more than 10 %"):
        drilled(cache, batches(DUMP[:100]), fixed={})
    with pytest.raises(InputError, match="no prompts"):
        drilled(cache, [])


def test_a_note_says_that_small_campaigns_cannot_be_found(cache: Path) -> None:
    result = drilled(cache, trials=1, fixed={"accounts": 8})
    assert not any(outcome.found for outcome in result.outcomes)
    assert any(note.startswith("campaigns of 8 accounts cannot be found") for note in result.notes)


def test_wrong_options_are_errors_before_a_scan(cache: Path) -> None:
    def read() -> Any:
        raise AssertionError("the dump is read")

    with pytest.raises(SettingsError, match="per scan"):
        drill(read, per_scan=0)
    with pytest.raises(SettingsError, match="accounts of a trial"):
        drill(read, fixed={"accounts": 1})


def test_the_check_may_end_a_drill(cache: Path) -> None:
    def check(found: Detection) -> None:
        raise InputError(f"{found.counts['prompts']} prompts")

    with pytest.raises(InputError, match=f"{len(DUMP)} prompts"):
        drilled(cache, check=check)
