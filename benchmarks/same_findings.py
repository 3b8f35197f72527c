"""Checks that two versions of the code find the same: tiers, accounts, memberships, ids, scores and template words.

For changes that are meant to change how the code reads and not what it finds. Both versions scan the same dumps: two
simulated ones, with and without metadata, and two of real texts (the tuning half) where these are at hand. The results
are compared field by field; only sentences and names for people may differ::

    python -m benchmarks.same_findings --before REVISION --data FOLDER --encoders fast,auto

For changes of what the code finds, ``--trial-dumps`` adds the labelled dumps of the sensitivity study that are scanned
once. The column "findings changed" tells changes of tiers, accounts and recommendations from those of scores alone, and
the campaigns found and false alarms before and after are printed where the dump has a truth.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from benchmarks.real_dump import build, data_missing
from benchmarks.trial_dumps import DUMPS, make
from harvestdetect.data import TIERS
from harvestdetect.simulate import simulate
from harvestdetect.simulate.evaluate import Planted, evaluate, read_findings, read_truth

__all__ = ["Compared", "changed_findings", "compare", "main"]

ROOT: Final = Path(__file__).resolve().parents[1]
SENTENCES: Final = frozenset(
    {
        *("capped_by", "changes", "id", "name", "null", "reasons", "sentence", "summary"),
    }
)
"""Fields for people; their words may change."""
FILES: Final = ("campaigns.jsonl", "candidates.jsonl", "accounts.csv", "prompts.parquet")
REAL_SEEDS: Final = (10, 11)
"""Of the dumps of real texts, all of the tuning half."""
TRIAL_ROWS: Final = 9_000
"""Rows of a trial dump, about; as many as the sensitivity study has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What two versions made of one dump."""

    dump: str
    encoder: str
    seconds: tuple[float, float]
    """Before and after."""
    findings: int
    differences: tuple[str, ...]
    """Fields that differ, at most one line for each file; empty where the results are the same."""
    changed: tuple[str, ...]
    """Changes of tiers, accounts and recommendations, a line for each kind."""
    scores: tuple[str, str]
    """Campaigns found and false alarms, before and after; empty where the dump has no truth."""


def plain(value: Any) -> Any:
    """A JSON value without the fields for people."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if name not in SENTENCES}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def _rows(file: Path) -> list[Any]:
    if file.suffix == ".jsonl":
        return [plain(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    if file.suffix == ".csv":
        with file.open(encoding="utf-8", newline="") as stream:
            return [plain(row) for row in csv.DictReader(stream)]
    return list(pq.read_table(file).to_pylist())


def compare(before: Path, after: Path) -> tuple[str, ...]:
    """The differences between two folders of results, a line for each file that differs."""
    found = []
    for name in FILES:
        one, other = _rows(before / name), _rows(after / name)
        if one == other:
            continue
        if len(one) != len(other):
            found.append(f"{name}: {len(one)} rows before, {len(other)} after")
            continue
        row = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
        fields = sorted(k for k in {*one[row], *other[row]} if one[row].get(k) != other[row].get(k))
        found.append(f"{name}: row {row + 1} differs in {', '.join(fields)}")
    return tuple(found)


def changed_findings(before: Path, after: Path) -> tuple[str, ...]:
    """How tiers, accounts and recommendations differ between two folders of results."""
    one, other = read_findings(before), read_findings(after)
    found = []
    for tier in TIERS:
        sides = [Counter(f.accounts for f in side if f.tier == tier) for side in (one, other)]
        gone, new = ((sides[0] - sides[1]).total(), (sides[1] - sides[0]).total())
        if gone or new:
            found.append(f"{tier}: {gone} gone, {new} new")
    recommended = [frozenset[str]().union(*(f.recommended for f in side)) for side in (one, other)]
    if recommended[0] != recommended[1]:
        gone, new = len(recommended[0] - recommended[1]), len(recommended[1] - recommended[0])
        found.append(f"recommended accounts: {gone} gone, {new} new")
    return tuple(found)


def _truth_of(file: Path) -> list[Planted]:
    """What is planted in the dump of a file; empty where the dump has no truth file."""
    for folder in (file.parent, file.parent.parent):
        truth = folder / "truth.jsonl"
        if truth.is_file() and truth.stat().st_size:
            return read_truth(truth)
    return []


def _scored(out: Path, truth: Sequence[Planted]) -> str:
    """Campaigns found and false alarms of a folder of results; empty without a truth."""
    if not truth:
        return ""
    scores = evaluate(read_findings(out), truth)
    return f"{scores.campaigns_found} of {scores.campaigns}, {scores.alarms} false alarms"


@contextmanager
def tree_of(revision: str) -> Iterator[Path]:
    """The files of a revision, or the folder itself where ``revision`` names one."""
    if Path(revision).is_dir():
        yield Path(revision).resolve()
        return
    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(temporary) / "tree.tar"
        subprocess.run(["git", "archive", "--output", str(archive), revision], cwd=ROOT, check=True)
        tree = Path(temporary) / "tree"
        tree.mkdir()
        subprocess.run(["tar", "-xf", str(archive), "-C", str(tree)], check=True)
        yield tree


def _dumps(folder: Path, *, rows: int, data: Path | None, trial: bool) -> Iterator[tuple[str, list[Path]]]:
    """The name of each dump and its files."""
    for name, seed, metadata in (("simulated", 3, True), ("simulated, no metadata", 4, False)):
        made = simulate(folder / f"simulated{seed}", prompts=rows, seed=seed, metadata=metadata)
        yield name, sorted(made.files)
    if trial:
        for dump in (d for d in DUMPS if d.kind == "scan"):
            yield f"trial: {dump.name}", make(dump, folder / "trial", rows=TRIAL_ROWS, data=data)[0]
    if data is None:
        return
    for seed in REAL_SEEDS:
        laid = build(folder / f"real{seed}", data=data, half="tuning", seed=seed)
        yield f"real texts, tuning, seed {seed}", [laid.folder / "prompts.jsonl.gz"]


def _scan(tree: Path, files: Sequence[Path], out: Path, encoder: str) -> float:
    """Scans a dump with the code in a folder; returns the seconds that it took."""
    names = list(map(str, files))
    command = [sys.executable, "-m", "harvestdetect", "scan", *names, "--out", str(out), "--encoder", encoder, "-q"]
    start = time.monotonic()
    subprocess.run(
        command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - start


def run(
    before: str, *, rows: int, data: Path | None, encoders: Sequence[str], trial: bool = False
) -> Iterator[Compared]:
    """Compares a revision, or the code in a folder, with the present code."""
    with tree_of(before) as tree, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, (name, files) in enumerate(_dumps(folder, rows=rows, data=data, trial=trial)):
            truth = _truth_of(files[0])
            for encoder in encoders:
                outs = [folder / f"{number}-{encoder}-{side}" for side in ("before", "after")]
                seconds = [_scan(where, files, out, encoder) for where, out in zip((tree, ROOT), outs, strict=True)]
                yield Compared(
                    dump=name,
                    encoder=encoder,
                    seconds=(seconds[0], seconds[1]),
                    findings=len(_rows(outs[1] / "campaigns.jsonl")),
                    differences=compare(*outs),
                    changed=changed_findings(*outs),
                    scores=(_scored(outs[0], truth), _scored(outs[1], truth)),
                )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table; the exit code is 1 where anything but a sentence differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="revision, or folder with the code, to compare with")
    parser.add_argument("--rows", type=int, default=30_000, help="of each simulated dump")
    parser.add_argument("--data", type=Path, help="folder with the public texts; without it only simulated dumps")
    parser.add_argument("--encoders", default="fast", help="fast, auto, full, separated by commas")
    parser.add_argument("--trial-dumps", action="store_true", help="also the labelled dumps of the sensitivity study")
    given = parser.parse_args(arguments)
    if given.data is not None and (missing := data_missing(given.data)):
        parser.error(f"{given.data} lacks {', '.join(missing)}")
    same = True
    head = ("dump", "encoder", "findings", "s before", "s after", "found before", "found after", "findings changed")
    print(f"| {' | '.join(head)} | differences |\n|---|---|---:|---:|---:|---|---|---|---|", flush=True)
    for one in run(
        given.before,
        rows=given.rows,
        data=given.data,
        encoders=given.encoders.split(","),
        trial=given.trial_dumps,
    ):
        same = same and not one.differences
        cells = (one.dump, one.encoder, one.findings, *(f"{s:.1f}" for s in one.seconds), *one.scores)
        told = ("; ".join(one.changed) or "none", "; ".join(one.differences) or "none")
        print(f"| {' | '.join(map(str, (*cells, *told)))} |", flush=True)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
