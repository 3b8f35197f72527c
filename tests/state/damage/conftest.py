"""A state of three runs, and copies of it to damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvestdetect import Settings
from harvestdetect.alerts import Channel
from harvestdetect.alerts.values import Command
from harvestdetect.state import open_state
from tests.state.damage.making import copied, write_day


@pytest.fixture(scope="session")
def settings(cache: Path) -> Settings:
    return Settings(encoder="fast", workers=1, threads=1, cache=cache)


@pytest.fixture(scope="session")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("dumps")
    return [write_day(folder / f"day-{day}.jsonl", day) for day in range(3)]


@pytest.fixture(scope="session")
def original(dumps: list[Path], settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state of three runs with a campaign, a verdict, and alerts that wait."""
    folder = tmp_path_factory.mktemp("state") / "state"
    channel = Channel(name="nobody", destination=Command(command=("false",)), tier="watch", retries=0)
    with open_state(folder, write=True) as state:
        for dump in dumps:
            state.scan([dump], settings=settings, channels=[channel])
        campaign = state.campaigns()[0].campaign_id
        state.review(campaign, "harvest", note="as agreed", reviewer="ann")
        assert state.verify() == []
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return copied(original, tmp_path / "state")
