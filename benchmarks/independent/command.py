"""The command that lays independent worlds, scans them and scores the findings."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from benchmarks.independent.laying import DESIGNS, lay
from benchmarks.independent.library import data_missing
from benchmarks.independent.scene import FULL
from benchmarks.independent.scores import Result, score, tables
from benchmarks.pages import publish
from benchmarks.planting import write
from benchmarks.real_texts import Half
from benchmarks.worlds import ROOT, commit_of, scanned
from harvestdetect.simulate.evaluate import read_truth

__all__ = ["SECTION", "main"]

SECTION: Final = "independent"
"""Name of the section of a page that the command replaces."""


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.independent",
        description="Campaigns and innocent groups that were designed without knowledge of the detector.",
    )
    parser.add_argument("--data", type=Path, help="folder with the public texts; the package's grammar without")
    parser.add_argument("--half", default="tuning", choices=get_args(Half))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--designs", default=",".join(DESIGNS), help=f"among {', '.join(DESIGNS)}, with commas")
    parser.add_argument("--rows", type=int, default=FULL, help=f"{FULL} for the sizes of the designs")
    parser.add_argument("--encoder", default="fast", choices=["auto", "fast", "full"])
    parser.add_argument("--work", type=Path, help="folder for the dumps; a temporary one by default")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="folder of the checkout whose detector scans")
    parser.add_argument("--lay-only", action="store_true", help="write the dumps and do not scan")
    parser.add_argument("--docs", type=Path, help="page whose section is replaced")
    parser.add_argument("--json", type=Path, help="file for the results")
    given = parser.parse_args(arguments)
    given.designs = [name for name in given.designs.split(",") if name]
    if unknown := [name for name in given.designs if name not in DESIGNS]:
        parser.error(f"--designs knows {', '.join(DESIGNS)}, got {unknown[0]!r}")
    if given.data is not None and (missing := data_missing(given.data)):
        parser.error(f"{given.data} lacks {', '.join(missing)} (.jsonl.gz)")
    if given.lay_only and given.work is None:
        parser.error("--lay-only needs --work, the folder for the dumps")
    if not (given.checkout / "harvestdetect" / "pipeline.py").is_file():
        parser.error(f"--checkout must be a folder with the package harvestdetect, got {given.checkout}")
    return given


def _measured(given: argparse.Namespace, work: Path) -> list[Result]:
    """The results of all designs and seeds."""
    results = []
    for name in given.designs:
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            laid = lay(DESIGNS[name], half=given.half, seed=seed, rows=given.rows, data=given.data)
            folder = work / f"{name}-{given.half}-{seed}"
            dump = write(laid, folder)
            sys.stderr.write(
                f"{name}, seed {seed}: {len(laid.rows):,} rows of {laid.accounts:,} accounts, {laid.origin}\n"
            )
            if given.lay_only:
                continue
            found = scanned(dump, folder, encoder=given.encoder, checkout=given.checkout)
            about = [line for line in laid.truth if line["kind"] == "campaign"]
            results.append(score(found, read_truth(folder), about, design=name, seed=seed, rows=len(laid.rows)))
            sys.stderr.write(f"  scanned in {found['seconds']:.0f} s, {len(found['findings']):,} findings\n")
    return results


def _command(given: argparse.Namespace) -> str:
    """The command as it may be printed, without folders."""
    options = [f"--designs {','.join(given.designs)}", f"--half {given.half}", f"--seeds {given.seeds}"]
    options += [f"--first-seed {given.first_seed}", f"--rows {given.rows}", f"--encoder {given.encoder}"]
    options += ["--data DIR"] * (given.data is not None)
    return f"python -m benchmarks.independent {' '.join(options)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = _arguments(arguments)
    with tempfile.TemporaryDirectory() as spare:
        results = _measured(given, given.work or Path(spare))
    if given.lay_only:
        return 0
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    publish(tables(results), given.docs, SECTION, command=_command(given), commit=commit_of(given.checkout))
    return 0
