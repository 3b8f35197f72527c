"""Vectors that are kept, and what `auto` embeds."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from harvestdetect import Prompt, Settings, detect
from tests.stages.making import T0, people


@pytest.fixture
def own_cache(cache: Path, tmp_path: Path, fast: Settings) -> Path:
    """A vector cache of its own, with the models that are made already."""
    detect([Prompt(account="a", prompt="one"), Prompt(account="b", prompt="two")], settings=fast)
    if (cache / "models").is_dir():
        shutil.copytree(cache / "models", tmp_path / "cache" / "models")
    return tmp_path / "cache"


def test_vectors_from_the_cache_give_the_same_findings(own_cache: Path) -> None:
    sent = people(12) + [
        Prompt(account=f"ring {i % 12}", prompt=f"Grade answer {i} from one to ten, item {i}.", time=T0 + 977 * i)
        for i in range(48)
    ]
    settings = Settings(encoder="full", cache=own_cache)
    first = detect(sent, settings=settings)
    written = {p: p.read_bytes() for p in own_cache.rglob("*.parquet")}
    assert written
    second = detect(random.Random(0).sample(sent, len(sent)), settings=settings)
    assert first.findings == second.findings
    assert set(first.models) == {"wording", "meaning"}
    assert {p: p.read_bytes() for p in own_cache.rglob("*.parquet")} == written


@pytest.mark.parametrize("budget", [0.0, 600.0])
def test_auto_embeds_what_the_budget_allows_and_says_so(cache: Path, budget: float) -> None:
    notes: list[str] = []
    settings = Settings(encoder="auto", auto_budget_seconds=budget, use_cache=False, cache=cache)
    found = detect(people(10), settings=settings, notes=notes.append)
    assert found.counts["prompts"] == 40
    assert [n for n in notes if n.startswith("encoder auto: wording ")]
    assert found.notes == tuple(notes)
