"""A scan says what memory it will need, and refuses what it may not have."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks import memory as benchmark
from benchmarks.laying import lay
from harvestdetect import detect
from harvestdetect.cli.main import run_command
from harvestdetect.dump import read_dumps
from harvestdetect.dump.storage.size import rough_rows
from harvestdetect.errors import NeedsMemoryError
from harvestdetect.settings import Settings
from harvestdetect.util import memory_estimate as memory
from harvestdetect.util.memory_estimate import Counts, available_gb, check_memory, estimate_gb, reading_gb

LARGE = os.environ.get("HARVESTDETECT_MEMORY_ROWS")
"""Rows of larger dumps whose peaks are measured, such as ``100000,300000``."""
FAST = Settings(encoder="fast", threads=2, workers=1)


def counts(rows: int) -> Counts:
    return Counts(prompts=rows, segments=rows, pairs=5 * rows // 2, value_bytes=20 * rows)


# ---------------------------------------------------------------- the estimate


@pytest.mark.parametrize(
    ("rows", "segments", "peak"),
    [(100_000, 92_659, 0.793), (1_000_000, 860_000, 2.258), (10_000_000, 8_600_000, 9.305)],
)
def test_the_estimate_lies_between_measured_peaks_and_twice_as_much(rows: int, segments: int, peak: float) -> None:
    """Peaks of docs/speed.md, on two cores and with 24 GB, or 12 GB for ten million rows."""
    settings = FAST.replace(memory_gb=12.0)
    held = Counts(prompts=rows, segments=segments, pairs=12 * rows // 5, value_bytes=20 * rows)
    assert peak < estimate_gb(held, settings) < 2 * peak


def test_the_estimate_grows_with_everything_that_takes_memory() -> None:
    least = estimate_gb(counts(200_000), FAST)
    assert estimate_gb(counts(400_000), FAST) > least
    assert estimate_gb(counts(200_000), FAST.replace(k=200)) > least
    assert estimate_gb(counts(200_000), FAST.replace(threads=32)) > least
    assert estimate_gb(counts(200_000), FAST.replace(encoder="full")) > least + 0.5
    assert estimate_gb(counts(200_000), FAST.replace(workers=4)) > least + 0.5
    assert estimate_gb(counts(200_000), FAST.replace(encoder="full"), meaning=10) < estimate_gb(
        counts(200_000), FAST.replace(encoder="full")
    )
    # vectors that lie in a file take no memory
    assert estimate_gb(counts(3_000_000), FAST.replace(memory_gb=12.0)) < estimate_gb(
        counts(3_000_000), FAST.replace(memory_gb=1_000.0)
    )


def test_what_is_known_while_reading_is_less_than_the_whole() -> None:
    for rows in (0, 1_000, 100_000, 10_000_000):
        assert reading_gb(rows) <= estimate_gb(counts(rows), FAST)


def test_the_message_says_what_is_needed_what_is_allowed_and_what_to_do() -> None:
    check_memory(1.0, 1.0, FAST, what="")
    with pytest.raises(NeedsMemoryError) as told:
        check_memory(3.14, 2.0, FAST.replace(encoder="auto", memory_gb=2.0), what="9 prompts and 8 texts")
    assert str(told.value) == (
        "this scan will need about 3.1 GB of memory for 9 prompts and 8 texts, and --memory allows 2 GB; "
        "give --memory 3.5, or scan a shorter window or fewer rows, or with --encoder fast"
    )
    with pytest.raises(
        NeedsMemoryError, match=r"2 GB are available; free some memory, or give --memory 3.5 to scan all the"
    ):
        check_memory(3.14, 2.0, FAST, what="9 prompts")


# ---------------------------------------------------------------- what is available


def machine(
    folder: Path, *, available_kb: int, pages: int, group: str = "", files: Mapping[str, str] | None = None
) -> tuple[Path, Path]:
    proc, groups = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal:  99999999 kB\nMemAvailable:  {available_kb} kB\n")
    (proc / "self" / "statm").write_text(f"{pages * 9} {pages} 1 1 0 1 0\n")
    (proc / "self" / "cgroup").write_text(group)
    for name, text in (files or {}).items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    return proc, groups


def available(folder: Path, **given: object) -> float:
    proc, groups = machine(folder, **given)  # type: ignore[arg-type]
    return available_gb(proc=proc, groups=groups)


def test_available_is_what_is_free_and_what_the_process_has(tmp_path: Path) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    assert available(tmp_path, available_kb=4_000_000, pages=1_000) == (4_000_000 * 1024 + 1_000 * page) / 1e9


@pytest.mark.parametrize(
    ("group", "prefix"),
    [("0::/\n", ""), ("0::/kubepods/pod1\n", "kubepods/pod1/"), ("0::/kubepods/pod1/inner\n", "kubepods/pod1/")],
)
def test_the_limit_of_a_control_group_counts_without_what_its_cache_holds(
    tmp_path: Path, group: str, prefix: str
) -> None:
    files = {
        f"{prefix}memory.max": "2000000000\n",
        f"{prefix}memory.current": "1500000000\n",
        f"{prefix}memory.stat": "anon 5\ninactive_file 1200000000\nactive_file 7\n",
    }
    found = available(tmp_path, available_kb=64_000_000, pages=0, group=group, files=files)
    assert found == pytest.approx(1.7)


def test_the_limit_of_an_old_control_group_counts(tmp_path: Path) -> None:
    files = {"memory/docker/memory.limit_in_bytes": "1000000000", "memory/docker/memory.usage_in_bytes": "250000000"}
    group = "5:cpu:/docker\n4:memory:/docker\n"
    found = available(tmp_path, available_kb=64_000_000, pages=0, group=group, files=files)
    assert found == pytest.approx(0.75)


def test_no_limit_and_nothing_to_read_mean_the_memory_of_the_machine(tmp_path: Path) -> None:
    files = {"memory.max": "max\n", "memory.current": "5\n"}
    assert available(tmp_path / "a", available_kb=1_000_000, pages=0, files=files) == pytest.approx(1.024)
    assert available_gb(proc=tmp_path / "none", groups=tmp_path / "none") == memory.memory_gb()


# ---------------------------------------------------------------- scans


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    lay(folder, rows=2_000, seed=1)
    return folder / "dump"


def test_a_scan_that_needs_too_much_is_refused_before_the_expensive_stages(
    dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("was started")

    monkeypatch.setattr("harvestdetect.stages.comparing.load_encoder", never)
    monkeypatch.setattr("harvestdetect.context.peak_memory_mb", lambda: 100.0)  # not that of the tests before
    settings = FAST.replace(memory_gb=0.3)
    with pytest.raises(NeedsMemoryError, match=r"about 0\.\d+ GB .* 2,000 prompts .*--memory allows 0\.3 GB; give"):
        detect(read_dumps([dump], settings=settings), settings=settings)
    monkeypatch.setattr("harvestdetect.context.available_gb", lambda: 0.31)
    with pytest.raises(NeedsMemoryError, match=r"0.31 GB are available; free some"):
        detect(read_dumps([dump], settings=FAST), settings=FAST)


def test_reading_ends_when_what_was_read_is_too_much(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "READ_PROMPT", 1_000_000)
    settings = FAST.replace(memory_gb=0.5)
    taken = []

    def batches() -> object:
        for batch in read_dumps([dump], settings=settings, batch_rows=100):
            taken.append(batch.prompts.num_rows)
            yield batch

    with pytest.raises(NeedsMemoryError, match=r"the first \d{3} prompts"):
        detect(batches(), settings=settings)  # type: ignore[arg-type]
    assert sum(taken) < 1_000


def test_a_peak_above_the_bound_is_noted(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([100.0, *[9_000.0] * 99])
    monkeypatch.setattr("harvestdetect.context.peak_memory_mb", lambda: next(peaks))
    settings = FAST.replace(memory_gb=2.0)
    found = detect([], settings=settings)
    assert [n for n in found.notes if "used 9 GB of memory, more than the 2 GB of --memory" in n]
    assert found.memory == {"allowed": 2.0, "peak": 9.0}


def scanned(dump: Path, cache: Path, *options: str) -> dict[str, float]:
    run = benchmark.measure(dump, encoder="fast", cache=cache, options=("--threads", "2", *options))
    return dict(run["memory"])


@pytest.mark.skipif(sys.platform != "linux", reason="the constants are those of Linux")
def test_the_peak_of_a_scan_lies_below_the_estimate(dump: Path, cache: Path) -> None:
    found = scanned(dump, cache, "--memory", "1")
    assert 0.15 < found["peak"] < found["estimated"] < found["allowed"] == 1.0


@pytest.mark.skipif(LARGE is None, reason="set HARVESTDETECT_MEMORY_ROWS to the rows of dumps to measure")
def test_the_peak_of_large_scans_lies_below_the_estimate_and_above_half_of_it(tmp_path: Path, cache: Path) -> None:
    for rows in map(int, (LARGE or "").split(",")):
        lay(tmp_path / str(rows), rows=rows, seed=0)
        dumps = [tmp_path / str(rows) / "dump", benchmark.distinct(tmp_path / f"d{rows}", rows=rows // 4)]
        for one in dumps:
            found = scanned(one, cache)
            assert found["peak"] < found["estimated"]
            assert rows < 50_000 or found["estimated"] < 2 * found["peak"]


def test_the_command_says_it_in_one_line_and_leaves_no_results(
    dump: Path, tmp_path: Path, environment: Mapping[str, str]
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "harvestdetect", "scan", str(dump), "--out", str(out), "--encoder", "fast"]
    done = subprocess.run(
        [*command, "--workers", "1", "--memory", "0.3", "-q"],
        env=environment, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("harvestdetect: this scan will need about 0.")
    assert len(done.stderr.splitlines()) == 1
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_rows_are_known_roughly_from_the_beginning_of_files(tmp_path: Path, packed: str) -> None:
    rows = [json.dumps({"account": f"a{i % 90}", "prompt": f"text {i} " * (1 + i % 9)}) for i in range(90_000)]
    raw = ("\n".join(rows) + "\n").encode()
    pack = {"": bytes, ".gz": gzip.compress, ".zst": pa.Codec("zstd").compress}[packed]
    for i in range(3):
        part = raw if not packed else pack(raw, **({"asbytes": True} if packed == ".zst" else {}))
        (tmp_path / f"{i}.jsonl{packed}").write_bytes(part)
    found = rough_rows([str(path) for path in sorted(tmp_path.iterdir())])
    assert found is not None
    assert 0.7 < found / 270_000 < 1.4


def test_rows_that_cannot_be_known_are_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"PAR1 and so on")
    (tmp_path / "b").write_bytes(gzip.compress(b"x" * 9_000)[:20])
    (tmp_path / "c").write_bytes(b"")
    assert rough_rows([str(tmp_path / "a")]) is None
    assert rough_rows([str(tmp_path / "b")]) is None
    assert rough_rows([str(tmp_path / "c")]) == 0
    assert rough_rows([]) is rough_rows(["-"]) is rough_rows(["s3://bucket/a"]) is None


def test_an_estimate_can_be_had_without_a_scan(
    dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harvestdetect.stages.comparing.load_encoder", None)
    monkeypatch.setattr("harvestdetect.context.peak_memory_mb", lambda: 100.0)  # not that of the tests before
    command = ["scan", str(dump), "--out", str(tmp_path / "out"), "--encoder", "fast", "--workers", "1", "--estimate"]
    assert run_command([*command, "--memory", "0.3", "-v"]) == 0
    said = capsys.readouterr()
    assert re.fullmatch(
        r"2,000 prompts of \d+ accounts, [\d,]+ texts: the scan will need about 0\.\d GB of memory, and 0\.3 GB are "
        r"allowed by --memory\n",
        said.out,
    )
    assert re.search(r"estimate from file sizes: about [\d,]+ rows, which need about 0\.\d GB of memory", said.err)
    assert not (tmp_path / "out").exists()
    assert run_command([*command, "--state", str(tmp_path / "state")]) == 2


def test_the_benchmark_prints_a_line_for_each_dump() -> None:
    run = {"counts": {"prompts": 5_000, "segments": 4_998}, "memory": {"estimated": 0.4, "allowed": 1.0, "peak": 0.32}}
    text = benchmark.table([("simulated", json.loads(json.dumps(run)))])
    assert text.splitlines()[-1] == "| simulated | 5,000 | 4,998 | 0.40 | 0.32 | 1.25 |"
