"""Scans with a work folder: stopped, repeated, with more dumps, with a folder that was damaged."""

from __future__ import annotations

import gzip
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import Detection
from harvestdetect.report import write_outputs
from harvestdetect.simulate import simulate
from harvestdetect.store.folder import ArtifactFolder
from tests.faults.server import Server

ROWS = 1_500
ANSWER = ("campaigns.jsonl", "accounts.csv", "prompts.parquet", "candidates.jsonl", "rejects.jsonl")
"""Files of a scan that tell nothing about how long it took."""


@dataclass(frozen=True, slots=True)
class Made:
    """A dump, and what a scan without a work folder says of it."""

    files: tuple[Path, ...]
    answer: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Worked:
    """A work folder after a scan of the dump, and what that scan says."""

    folder: Path
    answer: dict[str, bytes]
    detection: Detection


def answer_of(detection: Detection, out: Path) -> dict[str, bytes]:
    write_outputs(detection, out)
    return {name: (out / name).read_bytes() for name in ANSWER}


def scan(files: tuple[Path, ...], work: Path | None, out: Path) -> tuple[dict[str, bytes], Detection]:
    settings = Settings(encoder="fast", work=work)
    detection = detect(read_dumps(files, settings=settings), settings=settings)
    return answer_of(detection, out), detection


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("resume")
    simulation = simulate(folder, prompts=ROWS, harvest_share=0.3, campaigns=2, seed=3)
    lines = [line for file in simulation.files for line in gzip.decompress(file.read_bytes()).splitlines(keepends=True)]
    parts = {
        "first.jsonl": b"".join(lines[: ROWS // 2]),
        "second.jsonl": b"".join(lines[ROWS // 2 :]),
        "bad.jsonl": b'{"account": "x", "prompt": "a question about bees", "timestamp": 1}\nnot JSON\n',
    }
    for name, part in parts.items():
        (folder / name).write_bytes(part)
    files = tuple(folder / name for name in parts)
    answer = scan(files, None, folder / "out")[0]
    assert answer["campaigns.jsonl"].count(b"\n") > 1
    return Made(files, answer)


@pytest.fixture(scope="module")
def worked(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Worked:
    folder = tmp_path_factory.mktemp("worked")
    answer, detection = scan(made.files, folder / "work", folder / "first")
    return Worked(folder / "work", answer, detection)


def test_a_second_scan_says_the_same_and_reads_nothing_again(
    made: Made, worked: Worked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, told = shutil.copytree(worked.folder, tmp_path / "work"), worked.detection
    assert worked.answer == made.answer
    assert told.counts["rejects"] == 1  # a time in 1970 costs only the time
    kept = {p.relative_to(work): p.stat().st_mtime_ns for p in work.rglob("*") if p.is_file()}
    assert len(list((work / "read").glob("*.shard"))) == len(made.files)
    assert list((work / "vectors").glob("*.parquet"))
    assert len(ArtifactFolder(work, write=False).artifacts("neighbors")) == 1

    def never(*_: object, **__: object) -> None:
        raise AssertionError("was read again")

    monkeypatch.setattr("harvestdetect.corpus.prepare_parallel.prepare", never)
    monkeypatch.setattr("harvestdetect.dump.reader.read_file", never)
    second, again = scan(made.files, work, tmp_path / "second")
    assert second == made.answer
    assert again.files == told.files
    assert again.rejects == told.rejects
    now = {p.relative_to(work): p.stat().st_mtime_ns for p in work.rglob("*") if p.is_file()}
    parquet = {name for name in kept if "sqlite" not in name.name}
    assert {name: now.get(name) for name in parquet} == {name: kept[name] for name in parquet}


def test_dumps_that_came_later_are_added(made: Made, tmp_path: Path) -> None:
    scan(made.files[:1], tmp_path / "work", tmp_path / "part")
    assert scan(made.files, tmp_path / "work", tmp_path / "whole")[0] == made.answer
    less = scan(made.files[1:], tmp_path / "work", tmp_path / "less")[0]
    assert less == scan(made.files[1:], None, tmp_path / "alone")[0]


def test_a_damaged_folder_is_made_again(made: Made, worked: Worked, tmp_path: Path) -> None:
    work = shutil.copytree(worked.folder, tmp_path / "work")
    dice = random.Random(0)
    for path in sorted(work.rglob("*")):
        if not path.is_file() or path.suffix not in (".shard", ".parquet"):
            continue
        raw = bytearray(path.read_bytes())
        place = dice.randrange(len(raw))
        raw[place] ^= 0xFF
        path.write_bytes(raw if dice.random() < 0.5 else raw[: place + 1])
    assert scan(made.files, work, tmp_path / "second")[0] == made.answer
    assert scan(made.files, work, tmp_path / "third")[0] == made.answer


def test_a_scan_that_was_killed_goes_on(made: Made, commands: Server, tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    arguments = [
        *("scan", *map(str, made.files), "--out", str(out)),
        *("--encoder", "fast", "--quiet", "--work", str(work)),
    ]
    dice = random.Random(1)
    took = commands.run(arguments).seconds
    expected = {name: (out / name).read_bytes() for name in ANSWER}
    assert expected == made.answer
    killed = 0
    for _ in range(6):
        try:
            commands.run(arguments, timeout=took * dice.uniform(0.05, 0.6))  # a run with a work folder is faster
        except TimeoutError:
            killed += 1
        # what was kept may be anything that a kill leaves
        for path in sorted(work.rglob("*.shard"))[:1]:
            path.unlink()
    assert killed
    assert commands.run(arguments).code == 0
    assert {name: (out / name).read_bytes() for name in ANSWER} == made.answer


def test_a_work_folder_that_cannot_be_made_is_noted(made: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    answer, detection = scan(made.files, tmp_path / "file" / "work", tmp_path / "out")
    assert answer == made.answer
    assert [n for n in detection.notes if "going on without the work folder" in n]
