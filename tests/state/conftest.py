"""States to scan into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harvestdetect import Settings
from harvestdetect.state import State, open_state
from tests.state.nights import Nights


@pytest.fixture(autouse=True)
def _loaded_once(loaded_once: None) -> None:
    """No scan of these tests loads the wording model anew."""


@pytest.fixture
def nights(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> Nights:
    made = Nights(folder=tmp_path, cache=cache, capture=capsys)
    made.settings()
    return made


@pytest.fixture
def settings(cache: Path) -> Settings:
    return Settings(encoder="fast", workers=1, threads=1, cache=cache)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(tmp_path / "state", write=True) as opened:
        yield opened
