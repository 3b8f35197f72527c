"""A scan finds the same on every engine, byte for byte, also if a worker is killed in the middle."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from harvestdetect import Settings, read_dumps
from harvestdetect.context import Context, open_context
from harvestdetect.corpus import prepare_parallel
from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.prepare_files import prepare_files
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.data import Detection, View
from harvestdetect.embed.elsewhere import elsewhere, encode_on
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.embed.transformer import TransformerEncoder
from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.processes import Processes
from harvestdetect.judge import measure
from harvestdetect.pipeline import run_scan
from harvestdetect.report import write_outputs
from harvestdetect.simulate import simulate
from harvestdetect.stages import forming
from harvestdetect.util.texts import write_texts
from tests.engines.conftest import Machines, Open
from tests.engines.tasks import held, killed_once

RESULTS = ("accounts.csv", "campaigns.jsonl", "candidates.jsonl", "prompts.parquet")
"""Files of a scan that depend on nothing but the dump and the settings."""
KILLED_AT = 9
"""The call before which a worker or a machine is killed."""
PATIENCE: Final = 60.0
"""Seconds in which both machines of a cluster must have begun a call."""


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated dump of three files."""
    made = simulate(tmp_path_factory.mktemp("made"), prompts=3_000, seed=5)
    with gzip.open(made.files[0], "rb") as file:
        lines = file.readlines()
    folder = tmp_path_factory.mktemp("dump")
    for i in range(3):
        (folder / f"prompts-{i}.jsonl").write_bytes(b"".join(lines[i * 1_000 : (i + 1) * 1_000]))
    return folder


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows, clusters and candidates are enough for an engine."""
    monkeypatch.setattr(prepare_parallel, "START_ROWS", 0)
    monkeypatch.setattr(forming, "PARALLEL_CLUSTERS", 1)
    monkeypatch.setattr(measure, "PARALLEL_CANDIDATES", 1)
    monkeypatch.setattr("harvestdetect.embed.elsewhere.PARALLEL_TEXTS", 1)
    monkeypatch.setattr("harvestdetect.embed.elsewhere.TEXTS_BESIDE", 1)
    monkeypatch.setattr("harvestdetect.cluster.forest_tasks.PARALLEL_POINTS", 1)
    monkeypatch.setattr("harvestdetect.cluster.views.PARALLEL_TREES", 1)


def found_on(engine: Engine | None, dump: Path, settings: Settings) -> Detection:
    context: Context = open_context(settings)
    if engine is not None:
        context = replace(context, engine=engine)
    return run_scan(read_dumps([dump], settings=settings), context).detection


def written(detection: Detection, out: Path) -> dict[str, bytes]:
    write_outputs(detection, out=out)
    return {name: (out / name).read_bytes() for name in RESULTS}


class Killing:
    """An engine with which something is killed when it has begun a few calls."""

    def __init__(self, engine: Engine, kill: Callable[[Engine], object]) -> None:
        self._engine = engine
        self._kill = kill
        self._begun = 0
        self.kept: Any = None
        """What ``kill`` returned; None before."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def submit(self, function: Any, /, *arguments: Any) -> Any:
        self._begun += 1
        if self._begun == KILLED_AT:
            self.kept = self._kill(self._engine)
        return self._engine.submit(function, *arguments)


def kill_machine(engine: Engine, machines: Machines, folder: Path) -> list[Any]:
    """Kills a machine of a cluster of two while a call runs on each of them. Returns what waits for the two results."""
    other = folder / machines.other
    waiting = [engine.submit(held, str(folder), value) for value in (1, 2)]
    end = time.monotonic() + PATIENCE
    while len(list(folder.iterdir())) < len(waiting):
        assert time.monotonic() < end, "the machines have not begun the calls"
        time.sleep(0.05)
    assert other.exists()
    machines.kill_other()
    (folder / "released").touch()
    return waiting


@pytest.fixture(scope="module")
def expected(dump: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a scan writes that uses no engine."""
    detection = found_on(None, dump, Settings(encoder="fast", cache=cache, workers=1))
    assert detection.findings
    return written(detection, tmp_path_factory.mktemp("out"))


@pytest.mark.parametrize("killed", [False, True])
def test_findings_are_the_same_byte_for_byte(
    engines: Open, killed: bool, dump: Path, expected: dict[str, bytes], cache: Path, tmp_path: Path
) -> None:
    settings = Settings(encoder="fast", cache=cache, work=tmp_path / "work", threads=1)
    mark = str(tmp_path / "mark")
    with engines(tmp_path) as engine:
        if killed and engine.workers == 1:
            pytest.skip("the loop has no workers")
        used = Killing(engine, lambda engine: engine.submit(killed_once, mark, 1)) if killed else engine
        detection = found_on(used, dump, settings)
    assert written(detection, tmp_path / "out") == expected
    assert not killed or Path(mark).exists()


class Counting(Processes):
    """Processes that note which functions are sent to them, and may stand for other machines."""

    def __init__(self, workers: int, *, elsewhere: bool) -> None:
        super().__init__(workers)
        self.elsewhere = elsewhere
        self.sent: Counter[str] = Counter()

    def submit(self, function: Any, /, *arguments: Any) -> Any:
        self.sent[getattr(function, "func", function).__name__] += 1
        return super().submit(function, *arguments)


def test_work_for_other_machines_finds_the_same(
    dump: Path, expected: dict[str, bytes], cache: Path, tmp_path: Path
) -> None:
    settings = Settings(encoder="fast", cache=cache, work=tmp_path / "work", threads=1)
    with closing(Counting(2, elsewhere=True)) as engine:
        detection = found_on(engine, dump, settings)
        assert set(engine.sent) == {
            "_prepare_file", "_encode_block", "_span_rows", "_split_some", "_finish_some", "_by_account", "_by_topic",
            "_by_values", "_clusters_of", "_measure_some",
        }  # fmt: skip
    assert written(detection, tmp_path / "out") == expected


def test_findings_are_the_same_if_a_machine_is_killed(
    machines: Machines, dump: Path, expected: dict[str, bytes], cache: Path, tmp_path: Path
) -> None:
    from harvestdetect.engines.ray_tasks import RayTasks

    if machines.nodes is None:
        pytest.skip("the machines of RAY_ADDRESS are not killed")
    folder = tmp_path / "held"
    folder.mkdir()
    settings = Settings(encoder="fast", cache=cache, work=tmp_path / "work", threads=1)
    try:
        with closing(RayTasks(machines.address, workers=2, folder=tmp_path)) as engine:
            used = Killing(engine, lambda engine: kill_machine(engine, machines, folder))
            detection = found_on(used, dump, settings)
            assert [result() for result in used.kept] == [2, 4]
    finally:
        if not machines.nodes.worker_nodes:
            machines.add_other()
    assert written(detection, tmp_path / "out") == expected


def test_files_are_prepared_by_workers(engines: Open, dump: Path, tmp_path: Path) -> None:
    settings, cutting = Settings(), Cutting()
    files = sorted(map(str, dump.iterdir()))
    (tmp_path / "broken.jsonl").write_bytes(b"\x00\xff" * 9)
    names = [*files, str(tmp_path / "broken.jsonl"), str(tmp_path / "gone.jsonl")]
    with engines(tmp_path) as engine:
        shards = ShardFolder(tmp_path / "work", settings=settings, cutting=cutting)
        made = prepare_files(names, shards, settings, engine)
        assert made >= len(files)
        assert prepare_files(names, shards, settings, engine) == 0  # all are there
    alone = ShardFolder(tmp_path / "alone", settings=settings, cutting=cutting)
    prepare_files(files, alone, settings, Loop())
    for path in alone.folder.iterdir():
        assert (shards.folder / path.name).read_bytes() == path.read_bytes()


def test_processes_of_this_machine_embed_many_texts_by_wording(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(encoder="fast", cache=cache)
    encoder = load_encoder("wording", settings=settings)
    texts = write_texts(["one text", "another", "a third one"], tmp_path)
    with closing(Counting(2, elsewhere=False)) as engine:
        assert elsewhere("meaning", 3, settings, engine) is None
        assert elsewhere("wording", 3, settings, Loop()) is None
        made = elsewhere("wording", 3, settings, engine)
        assert made is not None
        (found,) = made(encoder, texts, [np.arange(3)])
        np.testing.assert_array_equal(found, encoder.encode(texts.take(np.arange(3))).astype(np.float16))
        assert engine.sent["_encode_block"] == 1
        monkeypatch.setattr("harvestdetect.embed.elsewhere.TEXTS_BESIDE", 3)
        few = elsewhere("wording", 3, settings, engine)
        assert few is not None
        assert len(list(few(encoder, texts, [np.arange(2)]))) == 1  # the third is known
        assert engine.sent["_encode_block"] == 1
        assert elsewhere("wording", 2, settings, engine) is None


def test_vectors_of_wording_are_the_same(engines: Open, cache: Path, tmp_path: Path) -> None:
    with engines(tmp_path) as engine:
        check_vectors("wording", engine, cache, tmp_path)


def test_vectors_of_meaning_are_the_same(cache: Path, tmp_path: Path) -> None:
    with closing(Processes(2)) as engine:  # to load the model takes seconds in each worker
        check_vectors("meaning", engine, cache, tmp_path)


def check_vectors(view: View, engine: Engine, cache: Path, folder: Path) -> None:
    settings = Settings(cache=cache, threads=1)
    encoder = load_encoder(view, settings=settings)
    names = [f"the {i}th question is about {'a' * (i % 7)} lake and {i * i} fish" for i in range(24)]
    blocks = [np.arange(a, a + 12) for a in (0, 12)]
    texts = write_texts(names, folder)
    found = list(encode_on(engine, encoder, texts, blocks, view=view, settings=settings))
    for rows, vectors in zip(blocks, found, strict=True):
        expected = encoder.encode([names[i] for i in rows]).astype(np.float16)
        if isinstance(encoder, TransformerEncoder):
            np.testing.assert_allclose(vectors, expected, atol=1e-3)
        else:
            np.testing.assert_array_equal(vectors, expected)
