"""Runs the peers, each in a process of its own, and scores what they find."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from benchmarks.peers.methods import Peer
from benchmarks.peers.processes import EMBEDDINGS, THREADS, Done, Task, Used, steps_file, watched
from benchmarks.results import COUNTED, OURS
from harvestdetect.simulate.evaluate import ReportedFinding, Scores, evaluate, read_findings, read_truth

__all__ = ["NOTHING", "Bench", "Embedded", "Outcome", "State", "embed", "how_it_ended", "measure"]

State: TypeAlias = Literal["done", "not installed", "too long", "too much memory", "failed"]
"""How the run of a peer ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Costs and results of a peer."""

    peer: str
    state: State
    remark: str = ""
    """What is missing, or how far it got."""
    seconds: float | None = None
    """Seconds, with those of the embeddings that it needs."""
    processor_seconds: float | None = None
    peak_memory_mb: float | None = None
    """The larger peak of its own process and of the one that computed the embeddings."""
    embedding_seconds: float | None = None
    embeddings_kept: bool = False
    """Whether the embeddings are of an earlier run."""
    first_seconds: float | None = None
    """Seconds of the small run that compiles; they are not in ``seconds``."""
    texts: int | None = None
    findings: int | None = None
    scores: Scores | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all processes of a run have in common."""

    folder: Path
    """Folder of the dump."""
    work: Path
    """Folder of the processes."""
    cache: Path
    """Cache with the package's models."""
    limit: float
    memory: float
    threads: int
    seed: int

    def process(self, task: Task, *, limit: float) -> tuple[Used, Done]:
        """Runs a task; the result is empty where the process was stopped or died."""
        out = Path(task.out)
        for file in (out, steps_file(out)):
            file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.peers", "--task", msgspec.json.encode(asdict(task)).decode()]
        used = self.run(command, log=out.with_suffix(".log"), limit=limit, numba=task.peer)
        if used.code == 0 and out.is_file():
            return used, msgspec.json.decode(out.read_bytes(), type=Done)
        return used, Done()

    def run(self, command: Sequence[str], *, log: Path, limit: float, numba: str = "") -> Used:
        """Runs a command in the environment of all processes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HARVESTDETECT_")}
        root = str(Path(__file__).resolve().parents[1])
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH", ""))))
        kept |= {"HF_HUB_OFFLINE": "1", "NUMBA_CACHE_DIR": str(self._compiled(numba))}
        if self.threads:
            kept |= dict.fromkeys(THREADS, str(self.threads))
        return watched(command, environment=kept, log=log, limit=limit, memory=self.memory)

    def _compiled(self, peer: str) -> Path:
        return self.work / f"compiled-{peer}"

    def task(self, peer: str, *, vectors: str = "", trial: bool = False) -> Task:
        """A task of this run."""
        name = f"{peer}-trial.json" if trial else f"{peer}.json"
        return Task(
            peer=peer, folder=str(self.folder), out=str(self.work / name), cache=str(self.cache), seed=self.seed,
            vectors=vectors, trial=trial,
        )  # fmt: skip

    def compile(self, peer: Peer) -> float:
        """Compiles what a peer keeps compiled, from scratch; returns the seconds."""
        shutil.rmtree(self._compiled(peer.name), ignore_errors=True)
        return self.process(self.task(peer.name, trial=True), limit=self.limit)[0].seconds


def how_it_ended(bench: Bench, process: str, used: Used, done: Done) -> tuple[State, str] | None:
    """The state of a process that did not end well, and how far it got; None where it ended well."""
    if not (used.stopped or used.code or done.error):
        return None
    steps: list[str] = []
    with suppress(OSError):
        steps = steps_file(bench.work / f"{process}.json").read_text(encoding="utf-8").splitlines()
    last = f", at: {steps[-1]}" if steps else ""
    of = f"{process} " if process == EMBEDDINGS else ""
    if used.stopped:
        return used.stopped, f"{of}stopped after {used.seconds:,.0f} s and {used.peak_memory_mb:,.0f} MB{last}"
    return "failed", f"{of}failed, {done.error or f'exit code {used.code}'}{last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The embeddings of a dump, and their costs."""

    file: str
    seconds: float
    processor_seconds: float
    peak_memory_mb: float
    state: State = "done"
    remark: str = ""
    kept: bool = False
    """Whether they are of an earlier run."""


def embed(bench: Bench) -> Embedded:
    """The embeddings of the dump, computed in a process of their own or taken from an earlier run."""
    used, done = bench.process(bench.task(EMBEDDINGS), limit=bench.limit)
    if ended := how_it_ended(bench, EMBEDDINGS, used, done):
        state, remark = ended
        return Embedded(
            file="", seconds=used.seconds, processor_seconds=used.processor_seconds,
            peak_memory_mb=used.peak_memory_mb, state=state, remark=remark,
        )  # fmt: skip
    measures = Path(done.vectors).with_suffix(".json")
    if done.kept:
        return replace(msgspec.json.decode(measures.read_bytes(), type=Embedded), kept=True)
    taken = Embedded(
        file=done.vectors, seconds=done.seconds, processor_seconds=done.processor_seconds,
        peak_memory_mb=used.peak_memory_mb,
    )  # fmt: skip
    measures.write_bytes(msgspec.json.encode(taken))
    return taken


NOTHING: Final = Embedded(file="", seconds=0.0, processor_seconds=0.0, peak_memory_mb=0.0)


def measure(bench: Bench, peer: Peer, embedded: Embedded) -> Outcome:
    """Runs a peer that is installed, and scores what it finds."""
    outcome = Outcome(
        peer=peer.name, state=embedded.state, remark=embedded.remark, seconds=embedded.seconds,
        processor_seconds=embedded.processor_seconds, peak_memory_mb=embedded.peak_memory_mb,
        embeddings_kept=embedded.kept,
        embedding_seconds=embedded.seconds if peer.embeds else None,
    )  # fmt: skip
    if embedded.state != "done":
        return outcome
    first = bench.compile(peer) if peer.compiles else None
    if peer.name == OURS:
        used, found, ended = _scan(bench)
        texts = None
    else:
        task = bench.task(peer.name, vectors=embedded.file)
        used, done = bench.process(task, limit=max(bench.limit - embedded.seconds, 0.0))
        found, texts, ended = done.found, done.texts, how_it_ended(bench, peer.name, used, done)
    outcome = replace(
        outcome,
        seconds=round(embedded.seconds + used.seconds, 1),
        processor_seconds=round(embedded.processor_seconds + used.processor_seconds, 1),
        peak_memory_mb=max(embedded.peak_memory_mb, used.peak_memory_mb),
        first_seconds=first,
    )
    if ended:
        return replace(outcome, state=ended[0], remark=ended[1])
    return replace(outcome, texts=texts, findings=len(found), scores=evaluate(found, read_truth(bench.folder)))


def _scan(bench: Bench) -> tuple[Used, list[ReportedFinding], tuple[State, str] | None]:
    """A scan by the command of the package, without vectors of an earlier scan."""
    out = bench.work / OURS
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=bench.work) as own:
        copied = Path(own) / "cache"
        shutil.copytree(bench.cache, copied)
        command = [
            *(sys.executable, "-m", "harvestdetect", "scan", str(bench.folder / "dump"), "--out", str(out)),
            *("--encoder", "fast", "--cache", str(copied), "--threads", str(bench.threads), "--quiet"),
        ]
        used = bench.run(command, log=bench.work / f"{OURS}.log", limit=bench.limit)
    ended = how_it_ended(bench, OURS, used, Done())
    if ended:
        return used, [], ended
    found = [f for f in read_findings(out) if f.tier in COUNTED]
    return used, found, None
