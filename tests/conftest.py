"""What several test files share: where models are kept, and one labelled dump with its scan."""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as given_settings

from harvestdetect.store.folder import cache_folder
from harvestdetect.util.own_process import collect_rarely
from tests.alerts.receiving import Receiver, serving
from tests.faults import compile_library
from tests.faults.server import Server
from tests.faults.world import World
from tests.once import (
    forget_common_words,
    forget_layouts,
    forget_wording_model,
    keep_common_words,
    keep_layouts,
    keep_wording_model,
)
from tests.plan import is_slow, rank, scheduler

given_settings.register_profile("quick", max_examples=25)

ROOT = Path(__file__).resolve().parents[1]
PROMPTS = 6_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """A simulated dump and what ``harvestdetect scan --encoder fast`` made of it, as a command."""

    dump: Path
    truth: Path
    out: Path
    done: subprocess.CompletedProcess[str]

    def rows(self) -> list[dict[str, object]]:
        """The rows of the dump."""
        import gzip

        rows: list[dict[str, object]] = []
        for file in sorted(self.dump.iterdir()):
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                rows += map(json.loads, lines)
        return rows


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Leaves the thousands of collected tests out of every later garbage collection, which takes an eighth of the time
    of the tests otherwise."""
    gc.disable()
    try:
        _compile_share(session.config)
        return (yield)
    finally:
        gc.freeze()
        collect_rarely()
        gc.enable()


def _compile_share(config: pytest.Config) -> None:
    """Imports other test files first in each worker of a whole run: to import a file compiles it for all of them.

    In a new clone, each worker would compile all files otherwise. A file that cannot be imported fails when its tests
    are collected.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ or config.args_source is not config.ArgsSource.TESTPATHS:
        return
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for file in sorted(ROOT.glob("tests/**/test_*.py"))[number::workers]:
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))
    for item in items:
        if is_slow(item.nodeid):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return scheduler(config, log) if config.option.dist == "loadfile" else None


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where made models are kept: ``HARVESTDETECT_CACHE`` or the user's cache folder, so that only the first
    test run ever has to distil the wording model; a temporary folder where that cannot be written."""
    folder = cache_folder(Path(named) if (named := os.environ.get("HARVESTDETECT_CACHE")) else None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return tmp_path_factory.mktemp("cache")
    return folder if os.access(folder, os.W_OK) else tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session", autouse=True)
def _once(cache: Path) -> Iterator[None]:
    """No scan of this process reads the wording model anew, counts the words of the same texts again, or places
    the same points of a map again."""
    keep_wording_model(cache)
    keep_common_words()
    keep_layouts()
    yield
    forget_layouts()
    forget_common_words()
    forget_wording_model()


@pytest.fixture(scope="session")
def environment(cache: Path) -> Mapping[str, str]:
    """For a subprocess: this checkout, the shared cache, no settings of the developer, a plain terminal."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HARVESTDETECT_")}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTHONWARNINGS"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(ROOT), "HARVESTDETECT_CACHE": str(cache), "PYTHONUTF8": "1"}


@pytest.fixture(scope="session")
def scanned(tmp_path_factory: pytest.TempPathFactory, environment: Mapping[str, str]) -> Scanned:
    """Simulated, then scanned, both through the command line in a process of their own; once for all workers."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, ended = base / "scanned", base / "scanned.json"
    with (base / "scanned.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ended.exists():
            done = _scan(folder, environment)
            ended.write_text(json.dumps([done.returncode, done.stdout, done.stderr]), encoding="utf-8")
    code, out, err = json.loads(ended.read_text(encoding="utf-8"))
    return Scanned(
        dump=folder / "dump", truth=folder / "truth.jsonl", out=folder / "scan",
        done=subprocess.CompletedProcess(["harvestdetect", "scan"], code, out, err),
    )  # fmt: skip


def _scan(folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harvestdetect"]
    made = subprocess.run(
        [*command, "simulate", "--out", folder, "--prompts", str(PROMPTS)],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return subprocess.run(
        [*command, "scan", folder / "dump", "--out", folder / "scan", "--encoder", "fast"],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="session")
def fault_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of :mod:`faults`, compiled."""
    made = compile_library(tmp_path_factory.mktemp("faults"))
    if isinstance(made, str):
        pytest.skip(made)
    return made


@pytest.fixture(scope="session")
def server(
    fault_library: Path, environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Runs commands under faults."""
    with Server(tmp_path_factory.mktemp("server"), environment, fault_library) as running:
        yield running


@pytest.fixture(scope="session")
def commands(environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Runs commands in processes of their own, without faults and without a compiler."""
    with Server(tmp_path_factory.mktemp("commands"), environment, None) as running:
        yield running


@pytest.fixture(scope="session")
def world(server: Server, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Dumps, scripts, and what they lead to without faults."""
    return World(tmp_path_factory.mktemp("world"), server, cache)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server on this machine that keeps what it is sent."""
    made = Receiver()
    with serving(made.server):
        yield made


_ENCODERS: dict[str, Any] = {}


@pytest.fixture
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads the wording model for the first scan of this process, and not for every scan of a few rows."""
    from harvestdetect.search import opened
    from harvestdetect.stages import comparing

    load = comparing.load_encoder

    def encoder(view: Any, **more: Any) -> Any:
        if view not in _ENCODERS:
            _ENCODERS[view] = load(view, **more)
        return _ENCODERS[view]

    monkeypatch.setattr(comparing, "load_encoder", encoder)
    monkeypatch.setattr(opened, "load_encoder", encoder)
