"""Ctrl-C during a scan."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from harvestdetect.store.folder import ArtifactFolder
from tests.cli.support import COMMAND, GOOD, Run, jsonl


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that was started with SIGINT ignored would hand that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_while_reading(environment: Mapping[str, str], tmp_path: Path) -> None:
    command: list[str | Path] = [*COMMAND, "scan", "-", "--out", tmp_path / "out", "--encoder", "fast"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(GOOD).encode() + b"\n")
        process.stdin.flush()
        until(lambda: (tmp_path / "out").exists(), seconds=60)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err) == (b"", b"harvestdetect: interrupted\n")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("interruptible")
def test_interrupted_while_encoding_the_cache_is_whole(
    run: Run, environment: Mapping[str, str], cache: Path, tmp_path: Path
) -> None:
    drawn = random.Random(1)
    words = ["sea", "poem", "sort", "list", "tax", "letter", "cat", "bread", "train", "music", "tree", "law"]
    rows = [{"account": f"user{i % 50}", "prompt": " ".join(drawn.choices(words, k=9))} for i in range(4_000)]
    dump = jsonl(tmp_path / "dump.jsonl", rows)
    own = tmp_path / "cache"
    if (cache / "models").is_dir():
        shutil.copytree(cache / "models", own / "models")
    command: list[str | Path] = [
        *COMMAND,
        "scan",
        dump,
        "--out",
        tmp_path / "out",
        "--encoder",
        "full",
        "--threads",
        "1",
    ]
    terminal, end = pty.openpty()
    small_blocks = {
        **environment,
        "HARVESTDETECT_CACHE": str(own),
        "HARVESTDETECT_BATCH_SIZE": "1",
        "TERM": "xterm",
        "COLUMNS": "100",
    }
    with subprocess.Popen(command, env=small_blocks, stdout=subprocess.PIPE, stderr=end) as process:
        os.close(end)
        seen = b""
        start = time.monotonic()
        interrupted = False
        while chunk := read_terminal(terminal, seconds=120):
            seen += chunk
            # the bar of the meaning view has come beyond its first blocks
            if not interrupted and re.search(rb"meaning [^\r]*?(?<!\d)[1-9]\d*/\d+", seen):
                process.send_signal(signal.SIGINT)
                interrupted = True
            assert time.monotonic() - start < 240
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(terminal)
    assert interrupted, seen
    assert process.returncode == 130, seen
    assert out == b""
    assert b"harvestdetect: interrupted" in seen
    assert b"Traceback" not in seen
    assert b"reading (MB)" in seen
    assert not list(tmp_path.glob("out/*"))

    kept = ArtifactFolder(own, write=False)
    artifacts = kept.artifacts("vectors")
    assert sum(len(kept.load(artifact, ["digest", "vector"])["digest"]) for artifact in artifacts) > 0
    assert {kept.condition(artifact) for artifact in artifacts} == {"whole"}
    assert {path.name.partition(".")[0] for path in own.rglob("*.parquet")} == {a.name for a in artifacts}
    assert not list(own.rglob("*.tmp"))
    assert run("scan", dump, "--out", tmp_path / "out", "--cache", own, "--encoder", "fast").code == 0


def read_terminal(terminal: int, *, seconds: float) -> bytes:
    """What a process writes on a terminal; nothing when it has closed it."""
    ready, _, _ = select.select([terminal], [], [], seconds)
    if not ready:
        return b""
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other end is closed
        return b""


def until(condition: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
