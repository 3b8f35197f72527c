"""A work folder of a benchmark that has its models."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvestdetect import Settings
from harvestdetect.embed.encoders import load_encoder


@pytest.fixture
def warmed(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work folder as ``benchmarks.scale.warm`` leaves it, without the scan that it takes.

    ``test_the_benchmark_replaces_its_section`` in ``test_scale.py`` begins without it.
    """
    monkeypatch.setenv("HARVESTDETECT_CACHE", str(cache))
    load_encoder("wording", settings=Settings(cache=cache))
    models = tmp_path / "work" / "models-fast"
    models.mkdir(parents=True)
    (models / "models").symlink_to((cache / "models").resolve())
    return models.parent
