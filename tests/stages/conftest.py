"""Settings of small scans, and the wording model that they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvestdetect import Settings


@pytest.fixture(autouse=True)
def _loaded_once(loaded_once: None) -> None:
    """No scan of these tests loads the wording model anew."""


@pytest.fixture(scope="session")
def fast(cache: Path) -> Settings:
    return Settings(encoder="fast", cache=cache)
