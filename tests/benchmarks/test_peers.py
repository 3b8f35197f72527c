"""The comparison with other packages, at toy size and with fakes for what is not installed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import resource
import sys
import time
import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import laying
from benchmarks.baselines import traffic as baseline_traffic
from benchmarks.baselines.traffic import Suspects, Traffic
from benchmarks.peers import bench as bench_module
from benchmarks.peers import command, methods, processes
from benchmarks.peers.bench import Bench, Embedded, Outcome, how_it_ended, measure
from benchmarks.peers.methods import PEERS, Given, Package
from benchmarks.peers.processes import Task, Used, run_task, watched
from benchmarks.peers.report import table
from benchmarks.results import OURS
from harvestdetect.cli.main import run_command
from harvestdetect.simulate.evaluate import Planted, evaluate
from tests.faults.server import Server

ROWS = 300
FAKES = {
    "bertopic": """
        import logging
        class BERTopic:
            def __init__(self, verbose, embedding_model=None):
                assert verbose
                self.model = embedding_model
            def fit_transform(self, texts, embeddings):
                if self.model is None:
                    assert embeddings.shape == (len(texts), 384)
                else:  # every row is a document, and embedded here
                    assert embeddings is None and len(texts) > len(set(texts))
                    assert self.model.encode(texts[:2]).shape == (2, 384)
                logging.getLogger("BERTopic").warning("Cluster - Start")
                return [len(text) % 2 - 1 for text in texts], None
    """,
    "umap": "",
    "fast_hdbscan": """
        import numpy as np
        class HDBSCAN:
            def __init__(self, min_cluster_size):
                assert min_cluster_size == 10
            def fit_predict(self, vectors):
                return np.zeros(len(vectors), dtype=np.int64)
    """,
    "evoc": """
        import numpy as np
        class EVoC:
            def fit_predict(self, vectors):
                return np.full(len(vectors), -1)
    """,
    "semhash": """
        from types import SimpleNamespace
        class SemHash:
            @classmethod
            def from_records(cls, texts, model):
                assert model.encode(texts[:3]).shape[0] == 3
                made = cls()
                made.texts = texts
                return made
            def self_deduplicate(self, threshold):
                return SimpleNamespace(
                    filtered=[SimpleNamespace(record=t, duplicate_of=self.texts[0]) for t in self.texts[1:]]
                )
    """,
    "rensa": """
        class RMinHash:
            def __init__(self, shingles):
                self.shingles = shingles
            def digest(self):
                return [len(self.shingles)] * 128
            @staticmethod
            def from_token_sets(sets, num_perm, seed):
                return [RMinHash(one) for one in sets]
        class RMinHashLSH:
            def __init__(self, threshold, num_perm, num_bands):
                assert num_perm % num_bands == 0
            def insert_many(self, signed):
                pass
            def query_all(self, signed):
                return [list(range(len(signed))) for _ in signed]
    """,
    "datasketch": """
        from contextlib import contextmanager
        class MinHash:
            def __init__(self):
                self.hashvalues = [1] * 128
            @staticmethod
            def bulk(sets, num_perm, seed):
                assert all(isinstance(shingle, bytes) for one in sets for shingle in one)
                return [MinHash() for _ in sets]
        class MinHashLSH:
            def __init__(self, threshold, num_perm):
                self.held = []
            @contextmanager
            def insertion_session(self):
                yield self
            def insert(self, key, one):
                self.held.append(key)
            def query(self, one):
                return self.held
    """,
}
HANGS = "import time\nclass RMinHash:\n    @staticmethod\n    def from_token_sets(*a, **k):\n        time.sleep(600)\n"
FAILS = "class EVoC:\n    def fit_predict(self, vectors):\n        raise ValueError('a prompt')\n"


def fake(folder: Path, module: str, code: str, *, version: str = "99.1") -> None:
    """A package that is found as an installed one."""
    lines = code.strip("\n").splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    (folder / module).mkdir(parents=True, exist_ok=True)
    (folder / module / "__init__.py").write_text("\n".join(line[indent:] for line in lines))
    name = {"umap": "umap_learn"}.get(module, module)
    told = folder / f"{name}-{version}.dist-info"
    told.mkdir(exist_ok=True)
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """All fakes, before anything that is installed, here and in the processes of the peers."""
    folder = tmp_path / "fakes"
    for module, code in FAKES.items():
        fake(folder, module, code)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", "")))))
    held = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".", 1)[0] in FAKES}
    yield folder
    for name in [name for name in sys.modules if name.split(".", 1)[0] in FAKES]:
        del sys.modules[name]
    sys.modules.update(held)


def in_a_fork(measures: str, fakes: str, program: str, *words: str) -> int:
    """What the process of a peer does, in a fork of one that has imported much already.

    Args:
        measures: file for the seconds of a processor and the most memory in MB that it took.
        fakes: folder of the fakes, which stand before packages that another fork imported.
        program: ``benchmarks.peers`` or ``harvestdetect``.
        words: its arguments.
    """
    sys.path.insert(0, fakes)
    for name in [name for name in sys.modules if name.split(".", 1)[0] in FAKES]:
        del sys.modules[name]
    code = command.main(words) if program == "benchmarks.peers" else run_command([*words])
    used = resource.getrusage(resource.RUSAGE_SELF)
    Path(measures).write_text(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6]))
    return code


@pytest.fixture
def forked(
    fakes: Path, environment: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Each peer runs in a fork: a process of its own imports for seconds. The other tests start such processes."""
    folder, measures = tmp_path / "forks", tmp_path / "measures.json"
    folder.mkdir()

    def in_fork(
        words: Sequence[str], *, environment: Mapping[str, str], log: Path, limit: float, memory: float
    ) -> Used:
        assert words[:2] == [sys.executable, "-m"]
        start = time.perf_counter()
        done = server.run([f"@{__name__}:in_a_fork", measures, fakes, *words[2:]], timeout=limit)
        log.write_text(done.out + done.err)
        processor, peak = json.loads(measures.read_text())
        # a measure is rounded to tenths of a second, and none is nothing
        seconds = max(round(time.perf_counter() - start, 1), 0.1)
        return Used(seconds=seconds, processor_seconds=processor, peak_memory_mb=peak, code=done.code)

    with Server(folder, environment, None, imports=["sentence_transformers"]) as server:
        monkeypatch.setattr(bench_module, "watched", in_fork)
        yield


@pytest.fixture
def arguments(warmed: Path) -> list[str]:
    return ["--rows", str(ROWS), "--harvest", "0.2", "--threads", "1", "--work", str(warmed)]


def outcomes(file: Path) -> dict[str, dict[str, Any]]:
    return {o["peer"]: o for o in json.loads(file.read_text())}


# ---------------------------------------------------------------- the whole run


@pytest.mark.usefixtures("in_process", "forked")
def test_every_peer_runs_and_is_scored_by_one_rule(
    tmp_path: Path, fakes: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "kept.json"
    page.write_text("before\n<!-- peers -->\nstale figures\n<!-- /peers -->\nafter\n")
    assert command.main([*arguments, "--docs", str(page), "--json", str(kept)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- peers -->\n`python -m benchmarks.peers --rows 300 --harvest 0.2")
    assert text.endswith("<!-- /peers -->\nafter\n")
    assert "stale figures" not in text
    assert "bertopic 99.1" in text
    assert capsys.readouterr().out.strip() in text
    found = outcomes(kept)
    assert list(found) == list(PEERS)
    assert {o["state"] for o in found.values()} == {"done"}
    for name, peer in PEERS.items():
        assert f"\n| {name}: " in text
        assert found[name]["seconds"] > 0
        assert found[name]["peak_memory_mb"] > 20
        assert (found[name]["embedding_seconds"] is not None) == peer.embeds
        assert (found[name]["first_seconds"] is not None) == peer.compiles
        assert found[name]["scores"]["campaigns"] == 1
    assert len({found[name]["embedding_seconds"] for name, peer in PEERS.items() if peer.embeds}) == 1
    assert len({o["texts"] for name, o in found.items() if name != OURS}) == 1
    # one cluster of everything: one alarm that names every account
    for name in ("fast_hdbscan", "SemHash", "datasketch"):
        assert found[name]["findings"] == found[name]["scores"]["alarms"] == 1
        assert found[name]["scores"]["account_recall"] == 1
        assert found[name]["scores"]["campaign_recall"] == 0
    # noise is no cluster
    assert found["EVoC"]["findings"] == 0
    assert found["BERTopic"]["findings"] == found["BERTopic of rows"]["findings"] == 1
    folder = tmp_path / "work" / f"rows-{ROWS}-seed-0-harvest-0.2" / "peers"
    assert (folder / "BERTopic.steps").read_text().splitlines() == ["reading", "imports", "Cluster", "findings"]

    # a later run takes the embeddings that are there, and what they took
    (vectors,) = folder.glob("minilm-*.npy")
    before = vectors.stat().st_mtime_ns
    assert command.main([*arguments, "--peers", "evoc", "--json", str(kept)]) == 0
    (vectors,) = folder.glob("minilm-*.npy")
    assert vectors.stat().st_mtime_ns == before
    assert outcomes(kept)["EVoC"]["embedding_seconds"] == found["EVoC"]["embedding_seconds"]
    told = capsys.readouterr().out
    assert "--peers EVoC" in told
    assert "s of embedding from an earlier run; compiled" in told
    assert "from an earlier run" not in text


def test_what_hangs_or_is_missing_is_reported_and_the_rest_runs(
    tmp_path: Path, fakes: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept.json"
    fake(fakes, "rensa", HANGS)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "semhash" else find_spec(name))
    start = time.perf_counter()
    chosen = ["--peers", "datasketch,rensa,semhash", "--limit", "30", "--json", str(kept)]
    assert command.main([*arguments, *chosen]) == 0
    assert time.perf_counter() - start < 180
    found = outcomes(kept)
    assert {name: o["state"] for name, o in found.items()} == {
        "SemHash": "not installed",
        "rensa": "too long",
        "datasketch": "done",
    }
    assert found["SemHash"]["remark"] == "needs semhash>=0.5"
    assert found["rensa"]["remark"].endswith("MB, at: signatures")
    assert 30 <= found["rensa"]["seconds"] < 90
    assert found["rensa"]["scores"] is None


def test_what_the_embeddings_took_counts_in_the_limit_of_a_peer(tmp_path: Path) -> None:
    bench = Bench(
        folder=tmp_path, work=tmp_path, cache=tmp_path, limit=0.2, memory=1e5, threads=1, seed=0
    )  # fmt: skip
    embedded = Embedded(file="none.npy", seconds=100.0, processor_seconds=90.0, peak_memory_mb=1e4)
    outcome = measure(bench, PEERS["hdbscan"], embedded)
    assert outcome.state == "too long"
    assert outcome.seconds is not None
    assert outcome.seconds >= 100
    assert outcome.peak_memory_mb == 1e4
    stopped = Embedded(
        file="", seconds=5.0, processor_seconds=4.0, peak_memory_mb=9.0, state="too long", remark="embeddings stopped"
    )
    outcome = measure(bench, PEERS["hdbscan"], stopped)
    assert (outcome.state, outcome.remark, outcome.seconds) == ("too long", "embeddings stopped", 5.0)


def test_a_peer_that_raises_is_reported_without_its_words(
    tmp_path: Path, fakes: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    laying.lay(tmp_path, rows=200, seed=1, harvest=0.3)
    fake(fakes, "evoc", FAILS)
    np.save(tmp_path / "vectors.npy", processes._blobs(200))
    task = Task(peer="EVoC", folder=str(tmp_path), out=str(tmp_path / "EVoC.json"), cache="", seed=0, trial=True)
    done = run_task(task)
    assert done.error == "ValueError"
    assert "a prompt" in capfd.readouterr().err
    used = Used(seconds=1.0, processor_seconds=1.0, peak_memory_mb=9.0)
    bench = Bench(folder=tmp_path, work=tmp_path, cache=tmp_path, limit=9, memory=9, threads=0, seed=0)
    assert how_it_ended(bench, "EVoC", used, done) == ("failed", "failed, ValueError, at: clustering")


def test_peers_are_chosen_by_name_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert [peer.name for peer in command._chosen("evoc, BERTOPIC")] == ["BERTopic", "EVoC"]
    for wrong in (["--peers", "nobody"], ["--peers", ","], ["--rows", "5"]):
        with pytest.raises(SystemExit):
            command.main(wrong)
    assert "at least 100 rows" in capsys.readouterr().err


# ---------------------------------------------------------------- packages


def test_a_package_that_is_not_there_or_too_old_is_told(fakes: Path) -> None:
    fake(fakes, "oldish", "", version="0.9.12rc1")
    assert Package(name="oldish", module="oldish", least="0.9.3").missing() == ""
    assert Package(name="oldish", module="oldish", least="0.10").missing() == "needs oldish>=0.10, found 0.9.12rc1"
    assert Package(name="nowhere", module="nowhere_at_all", least="1").missing() == "needs nowhere>=1"
    # a folder of that name is no package
    assert Package(name="nowhere", module="oldish", least="1").missing() == "needs nowhere>=1"


def test_the_extra_brings_what_the_peers_need() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    needed = {f"{package.name}>={package.least}" for peer in PEERS.values() for package in peer.packages}
    assert needed - set(project["dependencies"]) == set(project["optional-dependencies"]["peers"])


def test_a_peer_needs_all_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert PEERS["BERTopic"].missing() == "needs bertopic>=0.17.4; needs umap-learn>=0.5.12"
    assert PEERS[OURS].missing() == ""


# ---------------------------------------------------------------- the watch


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_limit_kills_a_process_and_what_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    log = tmp_path / "log"
    used = watched([sys.executable, "-c", code], environment=os.environ, log=log, limit=2.0, memory=1e6)
    assert used.stopped == "too long"
    assert used.code < 0
    assert 2.0 <= used.seconds < 30
    if Path("/proc/self/stat").exists():
        child = int(log.read_text())
        deadline = time.monotonic() + 10
        while alive(child) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(child)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_too_much_memory_kills(tmp_path: Path) -> None:
    code = "import time\nheld = b'x' * 300_000_000\ntime.sleep(600)"
    used = watched(
        [sys.executable, "-c", code], environment=os.environ, log=tmp_path / "log", limit=60.0, memory=200.0
    )  # fmt: skip
    assert used.stopped == "too much memory"
    assert used.peak_memory_mb > 190
    assert used.seconds < 60


def test_a_process_within_the_limits_is_let_be(tmp_path: Path) -> None:
    code = "import sys\nx = sum(i * i for i in range(2_000_000))\nprint('said')\nsys.exit(3)"
    log = tmp_path / "log"
    used = watched([sys.executable, "-c", code], environment=os.environ, log=log, limit=60.0, memory=1e6)
    assert (used.stopped, used.code) == ("", 3)
    assert used.processor_seconds > 0
    assert used.peak_memory_mb > 1
    assert log.read_text() == "said\n"


# ---------------------------------------------------------------- groups


@settings(deadline=None)
@given(st.lists(st.text("ab ", max_size=12), max_size=6))
def test_shingles_hold_every_word_in_its_order(texts: list[str]) -> None:
    for text, shingles in zip(texts, methods._shingles(texts), strict=True):
        words = text.split()
        wanted = {tuple(words[i : i + 3]) for i in range(max(len(words) - 2, 1))}
        assert {tuple(shingle.split()) for shingle in shingles} == wanted
        assert len(set(shingles)) == len(shingles) >= 1


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 1), min_size=10, max_size=10), min_size=1, max_size=8))
def test_texts_alike_by_their_signatures_are_one_group(rows: list[list[int]]) -> None:
    signature = np.array(rows, dtype=np.uint32)
    group = methods._alike(signature, [range(len(rows))] * len(rows))
    reached = (signature[:, None, :] == signature[None, :, :]).mean(axis=2) >= methods.JACCARD
    for _ in rows:
        reached = reached @ reached
    assert ((group[:, None] == group[None, :]) == reached).all()


def test_only_texts_that_share_a_band_are_compared() -> None:
    signature = np.zeros((3, 4), dtype=np.uint64)
    assert len(set(methods._alike(signature, [[0, 1], [1, 0], [2]]).tolist())) == 2


def test_senders_of_a_group_are_a_finding_from_ten_accounts_on(
    tmp_path: Path, fakes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laying.lay(tmp_path, rows=200, seed=1, harvest=0.3)
    held: list[tuple[Traffic, list[Suspects]]] = []
    found_by = baseline_traffic.by_group

    def noting(traffic: Traffic, *rest: Any, **named: Any) -> list[Suspects]:
        held.append((traffic, found_by(traffic, *rest, **named)))
        return held[-1][1]

    monkeypatch.setattr(baseline_traffic, "by_group", noting)
    task = Task(peer="fast_hdbscan", folder=str(tmp_path), out=str(tmp_path / "x.json"), cache="", seed=0, trial=True)
    done = run_task(task)
    ((traffic, suspects),) = held
    assert done.error == ""
    assert done.texts == len(traffic.texts)
    assert [f.accounts for f in done.found] == [frozenset(traffic.accounts)]
    assert len(suspects) == 1
    assert {f.tier for f in done.found} == {"review"}


# ---------------------------------------------------------------- the packages themselves, where they are

HEAPS = (
    "river bridge water boat harbor salmon island storm",
    "doctor medicine hospital nurse fever patient clinic surgery",
    "guitar violin piano concert melody singer drum orchestra",
    "tax invoice budget loan interest bank credit mortgage",
    "python compiler function variable loop debug software server",
    "bread butter cheese oven flour recipe sugar dinner",
    "football goal player referee stadium league coach match",
    "planet star telescope orbit galaxy moon comet rocket",
    "judge court lawyer verdict contract crime jury appeal",
    "garden flower seed soil rose tulip shovel compost",
)


def texts_and_vectors() -> tuple[tuple[str, ...], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Heaps of texts that differ in one word, and of vectors that differ a little."""
    rng = np.random.default_rng(1)
    of = {
        f"{' '.join(words.split() * 3)} {number}": heap
        for heap, words in enumerate(HEAPS)
        for number in range(100, 130)
    }
    texts = sorted(of)
    heap = np.array([of[text] for text in texts])
    vectors = np.eye(384)[heap] + 0.01 * rng.standard_normal((len(texts), 384))
    return tuple(texts), heap, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("name", [name for name in PEERS if name != OURS])
def test_an_installed_peer_keeps_heaps_apart(name: str, cache: Path) -> None:
    peer = PEERS[name]
    if missing := peer.missing():
        pytest.skip(missing)
    texts, heap, vectors = texts_and_vectors()
    steps: list[str] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        group = peer.group(
            Given(texts=texts, vectors=vectors, row=np.arange(len(texts)), cache=cache, seed=0, step=steps.append)
        )
    assert group.shape == (len(texts),)
    assert steps
    grouped = group >= 0
    assert grouped.mean() > 0.8
    for one in np.unique(group[grouped]):
        assert len(set(heap[group == one].tolist())) == 1


# ---------------------------------------------------------------- the table


def test_the_table_leaves_nobody_out() -> None:
    laid = laying.Laid(
        rows=1_000, accounts=100, campaigns=1, look_alikes=0, harvest=50, characters=260.0, repeated=0.4, bytes=1,
        seconds=0.1,
    )  # fmt: skip
    truth = [Planted(name="c", kind="campaign", what="", accounts=frozenset({"a"}))]
    ours = Outcome(
        peer=OURS, state="done", seconds=10.0, processor_seconds=12.0, peak_memory_mb=500.0, findings=0,
        scores=evaluate([], truth),
    )  # fmt: skip
    rest = [
        Outcome(
            peer="BERTopic", state="done", seconds=1234.0, processor_seconds=2000.0, peak_memory_mb=1500.0,
            embedding_seconds=1000.4, first_seconds=55.55, findings=1_200, scores=evaluate([], truth),
        ),
        Outcome(
            peer="hdbscan", state="too long", remark="stopped after 90 s and 600 MB, at: clustering", seconds=90.0,
            processor_seconds=80.0, peak_memory_mb=600.0, embedding_seconds=30.0,
        ),
        Outcome(peer="EVoC", state="not installed", remark="needs evoc>=0.3"),
        Outcome(peer="rensa", state="failed", remark="failed, ValueError, at: index", seconds=3.0),
    ]  # fmt: skip
    lines = table([ours, *rest], laid, command="run it", versions={"numpy": "2"}).splitlines()
    assert lines[0].startswith("`run it` on ")
    assert lines[4] == (
        f"| {OURS}: the scan with `--encoder fast` | 10.0 | 1.0 | 12.0 | 500 | 1.0 | 0.000 | 0.000 | - | 0 | 0 |  |"
    )
    assert lines[5].endswith(
        " | 1,234 | 123.4 | 2,000 | 1,500 | 3.0 | 0.000 | 0.000 | - | 1,200 | 0 | "
        "includes 1,000 s of embedding; compiled beforehand in 55.5 s, not included |"
    )
    assert lines[6].endswith(
        " | > 90.0 | > 9.0 | 80.0 | 600 | 1.2 | - | - | - | - | - | stopped after 90 s and 600 MB, at: clustering |"
    )
    assert lines[7].endswith(" | - | - | - | - | - | - | - | - | - | - | not installed: needs evoc>=0.3 |")
    assert lines[8].endswith(" | failed, ValueError, at: index |")
    assert len(lines) == 9
    alone = table(rest[:1], laid, command="run it", versions={}).splitlines()
    assert " | 1,234 | - | 2,000 | 1,500 | - |" in alone[4]
