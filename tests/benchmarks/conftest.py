"""A work folder of a benchmark that has its models, and benchmarks that start no processes."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from benchmarks import cost_model, cost_runs, engines, event, scale
from benchmarks.peers import command
from harvestdetect import Settings
from harvestdetect.cli.main import main
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.util.machine import peak_memory_mb

P = ParamSpec("P")
T = TypeVar("T")


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


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a benchmark does in processes of their own, so that they are measured apart, is done in this one.

    At toy size, to start a process takes longer than its work. ``test_the_benchmark_replaces_its_section`` in
    ``test_scale.py`` starts them.
    """
    for module in (command, cost_model, engines, event, scale):
        monkeypatch.setattr(module, "apart", _called)
    for module in (engines, scale):
        monkeypatch.setattr(module, "run_scan", _scanned)
    # what a process of its own changes for its own scan is changed back
    for name, constant in cost_runs.ALWAYS:
        monkeypatch.setattr(f"{name}.{constant}", getattr(import_module(name), constant))


def _called(function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
    return function(*arguments, **named)


def _scanned(arguments: Sequence[str]) -> tuple[float, float]:
    """As ``benchmarks.scale.run_scan``."""
    start = time.process_time()
    with redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as end:
        main(["scan", *arguments, "--quiet"])
    if end.value.code:
        raise SystemExit(f"the scan failed with exit code {end.value.code}")
    return round(time.process_time() - start, 1), round(peak_memory_mb(), 1)
