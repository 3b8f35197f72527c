"""The memory that a scan was estimated to need, beside the memory that it took.

    python -m benchmarks.memory [--rows 5000,20000,100000,300000] [--distinct 20000,60000] [--encoder fast] [--work DIR]

The dumps are those of :mod:`benchmarks.laying`, and with ``--distinct`` ones in which no text occurs twice and a prompt
has about 1,200 characters. A scan is the command of the package in a process of its own, on one process.
"""

from __future__ import annotations

import argparse
import json
import shutil
import string
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.laying import DAYS, START, lay
from benchmarks.scale import run_scan, warm
from harvestdetect.util.periods import DAY

__all__ = ["distinct", "main", "measure", "table"]

WORDS: Final = 30_000
"""Size of the vocabulary of distinct texts; words are drawn by Zipf's law."""
LENGTH: Final = (4.6, 1.0)
"""Mean and standard deviation of the natural logarithm of the number of words of a distinct text."""
MOST_WORDS: Final = 1_500
"""Greatest number of words of a text."""


def distinct(folder: Path, *, rows: int, seed: int = 0) -> Path:
    """Writes a dump of distinct texts, unless the folder has one.

    Args:
        folder: gets ``dump/prompts.jsonl``.
        rows: of the dump.
        seed: of every draw.

    Returns:
        The folder of the dump.
    """
    dump = folder / "dump"
    if (dump / "prompts.jsonl").exists():
        return dump
    random = Random(seed)
    words = ["".join(random.choices(string.ascii_lowercase, k=random.randint(2, 10))) for _ in range(WORDS)]
    weights = [1 / (rank + 2) for rank in range(WORDS)]
    dump.mkdir(parents=True, exist_ok=True)
    with (dump / "prompts.jsonl").open("w", encoding="utf-8") as lines:
        for _ in range(rows):
            length = max(3, int(min(random.lognormvariate(*LENGTH), MOST_WORDS)))
            some = random.choices(words, weights, k=length)
            text = ". ".join(" ".join(some[i : i + 14]).capitalize() for i in range(0, length, 14))
            row = {
                "account": f"u{random.randrange(max(rows // 8, 1))}",
                "timestamp": START + random.randrange(DAYS * DAY),
                "prompt": text,
                "ip": ".".join(str(random.randrange(256)) for _ in range(4)),
            }
            lines.write(json.dumps(row) + "\n")
    return dump


def measure(dump: Path, *, encoder: str, cache: Path, options: Sequence[str] = ()) -> dict[str, Any]:
    """Scans a dump in a process of its own.

    Args:
        dump: a folder.
        encoder: of the scan.
        cache: with the models; no vectors are read from it or kept.
        options: further ones of ``harvestdetect scan``.

    Returns:
        ``run.json`` of the scan.

    Raises:
        SystemExit: the scan failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        common = ["--encoder", encoder, "--cache", str(cache), "--no-cache", "--workers", "1"]
        run_scan([str(dump), "--out", str(out), *common, *options])
        run: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return run


def table(runs: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """The estimates and peaks in Markdown."""
    lines = ["| dump | rows | texts | estimated GB | peak GB | ratio |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, run in runs:
        counts, memory = run["counts"], run["memory"]
        lines.append(
            f"| {name} | {counts['prompts']:,} | {counts['segments']:,} | {memory['estimated']:.2f} | "
            f"{memory['peak']:.2f} | {memory['estimated'] / memory['peak']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="Estimated and measured memory.")
    parser.add_argument("--rows", default="5000,20000,100000,300000")
    parser.add_argument("--distinct", default="20000,60000")
    parser.add_argument("--encoder", default="fast", choices=["auto", "fast", "full"])
    parser.add_argument("--work", type=Path, help="folder of the dumps; one that is removed by default")
    given = parser.parse_args(arguments)
    work = Path(tempfile.mkdtemp()) if given.work is None else given.work
    try:
        cache = warm(work, encoder=given.encoder)
        runs = []
        for rows in [int(number) for number in given.rows.split(",") if number]:
            folder = work / f"rows-{rows}"
            lay(folder, rows=rows, seed=0)
            runs.append(("simulated", measure(folder / "dump", encoder=given.encoder, cache=cache)))
        for rows in [int(number) for number in given.distinct.split(",") if number]:
            dump = distinct(work / f"distinct-{rows}", rows=rows)
            runs.append(("distinct texts", measure(dump, encoder=given.encoder, cache=cache)))
        sys.stdout.write(table(runs))
    finally:
        if given.work is None:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
