"""A whole scan: a campaign that only its accounts give away, in any order of rows, with a work folder and a state."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import Detection, Prompt
from harvestdetect.state import open_state
from tests.accounts.asking import RING, START, prompts_of

DAY = 86_400


def facts(detection: Detection) -> list[tuple[Any, ...]]:
    """What must be equal."""
    return [
        (f.campaign_id, f.tier, f.ways, f.score, [(m.account, m.harvest_prompts) for m in f.members])
        for f in detection.findings
    ]


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return prompts_of(seed=1)


@pytest.fixture(scope="module")
def fast(cache: Path) -> Settings:
    return Settings(encoder="fast", cache=cache)


@pytest.fixture(scope="module")
def loose(fast: Settings) -> Settings:
    """A small dump gives little evidence; candidates are what is tested."""
    return fast.replace(fdr=0.95)


@pytest.fixture(scope="module")
def found(prompts: list[Prompt], loose: Settings) -> Detection:
    return detect(prompts, settings=loose)


def dump(prompts: Sequence[Prompt], file: Path) -> Path:
    rows = (
        {"user": p.account, "prompt": p.prompt, "timestamp": datetime.fromtimestamp(p.time or 0, UTC).isoformat()}
        for p in prompts
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_the_campaign_is_found_by_its_accounts_alone(found: Detection) -> None:
    finding = max(found.findings, key=lambda f: sum(m.account.startswith("ring") for m in f.members))
    ring = {m.account for m in finding.members if m.account.startswith("ring")}
    assert finding.ways == ("accounts",)
    assert len(ring) >= 0.9 * RING
    assert len(ring) >= 0.8 * len(finding.members)
    # no candidate of texts is the ring
    for candidate in found.candidates:
        assert candidate.ways
        if "texts" in candidate.ways:
            members = [m.account for m in candidate.members]
            assert sum(name.startswith("ring") for name in members) < 0.9 * RING
    (candidate,) = (c for c in found.candidates if c.campaign_id == finding.campaign_id)
    assert candidate.ways == finding.ways
    assert {t.channel for t in finding.templates} == {"accounts"}


def test_people_alone_are_no_finding(loose: Settings) -> None:
    people = [prompt for prompt in prompts_of(seed=2) if not prompt.account.startswith("ring")]
    detection = detect(people, settings=loose.replace(fdr=0.2))
    assert not [f for f in detection.findings if f.tier != "watch"]


def test_shuffled_rows_and_any_number_of_threads_give_the_same(
    prompts: list[Prompt], found: Detection, loose: Settings
) -> None:
    mixed = random.Random(3).sample(prompts, len(prompts))
    assert facts(detect(mixed, settings=loose.replace(threads=3))) == facts(found)


def test_a_work_folder_gives_the_same_when_it_is_new_and_when_it_is_known(
    prompts: list[Prompt], found: Detection, loose: Settings, tmp_path: Path
) -> None:
    file = dump(prompts, tmp_path / "dump.jsonl")
    settings = loose.replace(work=tmp_path / "work")
    for _ in range(2):
        assert facts(detect(read_dumps([file], settings=settings), settings=settings)) == facts(found)


def test_a_state_gives_the_same(prompts: list[Prompt], found: Detection, loose: Settings, tmp_path: Path) -> None:
    file = dump(prompts, tmp_path / "dump.jsonl")
    with open_state(tmp_path / "state", write=True) as state:
        run = state.scan([file], settings=loose, now=START + 31 * DAY)
    assert [fact[1:] for fact in facts(run.detection)] == [fact[1:] for fact in facts(found)]
    assert ("accounts",) in [finding.ways for finding in run.detection.findings]


def test_prompts_without_a_text_are_no_error(loose: Settings) -> None:
    assert detect([Prompt(account=f"a{i}", prompt="\u200b") for i in range(20)], settings=loose).findings == ()
