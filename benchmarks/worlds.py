"""Worlds like an API's log, and worlds of attackers who adapt: what candidates hold, and what is found.

    python -m benchmarks.worlds --data DIR [--world api,adaptive] [--half tuning|reporting] [--seeds 3]
        [--first-seed 0] [--rows 40000] [--encoder fast] [--no-metadata] [--work DIR] [--compare OTHER.json]
        [--checkout DIR] [--lay-only] [--docs FILE]

In the world ``api`` most accounts are programs: independent developers who send the same default prompts, teams that
run the same public benchmark, classes, products, queues. In the world ``adaptive`` people chat, and the campaigns copy
them. In both, fifteen kinds of campaign hide among innocent groups that resemble them. Sizes, texts, tempos, shared
values and innocent groups vary with the seed. Texts and times are real (:mod:`benchmarks.world_sources`); who sends
what is constructed.

The scan of each world runs in a process of its own. The results are tables of :mod:`benchmarks.world_scores`, and a
file ``worlds.json`` in the folder of ``--work``. ``--compare`` prints two such files side by side. With ``--checkout``,
the detector of another checkout scans the same worlds. Without ``--data``, the texts are those of the package's
grammar, to try the benchmark out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from benchmarks.pages import publish
from benchmarks.planting import PlantedDump, finish, write
from benchmarks.real_texts import Half
from benchmarks.sources import NotEnough
from benchmarks.world_campaigns import plant_campaigns
from benchmarks.world_innocents import plant_innocents
from benchmarks.world_plan import FIELDS, World, plan
from benchmarks.world_scene import open_scene
from benchmarks.world_scores import compared, score, tables
from benchmarks.world_sources import data_missing, toy_sources, world_sources
from harvestdetect.simulate.evaluate import read_truth

__all__ = ["ROOT", "add_world_options", "commit_of", "laid_worlds", "lay", "main", "parsed_worlds", "scanned"]

RESULTS: Final = "worlds.json"
ROOT: Final = Path(__file__).resolve().parents[1]


def lay(
    world: World, *, half: Half, seed: int, rows: int, data: Path | None, metadata: bool = True, crowd: int = 0
) -> PlantedDump:
    """Lays one world.

    Args:
        world: which.
        half: of the texts.
        seed: of every draw.
        rows: of the dump, about.
        data: the folder with the public texts; None takes those of the package's grammar.
        metadata: whether rows have more than account, time and prompt.
        crowd: if not 0, the world has no campaign, and as many times the number of innocent groups.

    Raises:
        NotEnough: the texts do not suffice.
    """
    key = f"{half}-{seed}"
    planned = plan(world, rows=rows, seed=key, metadata=metadata, crowd=crowd)
    if data is None:
        texts = toy_sources(seed=f"{world}-{key}", rows=planned.background)
    else:
        texts = world_sources(data, half=half, seed=f"{world}-{key}", rows=planned.background)
    scene = open_scene(planned, texts, half=half, seed=key, metadata=metadata)
    # innocent groups first: some need whole accounts
    plant_innocents(scene)
    plant_campaigns(scene)
    for trace in scene.aside:
        scene.ground.own(scene.open(), trace)
    ids = scene.ground.identities
    found = finish(scene.ground, identity=lambda: ids.ordinary(program=True) if ids and scene.is_api else None)
    missing = set(FIELDS).difference(planned.fields)
    return replace(found, rows=[{k: v for k, v in row.items() if k not in missing} for row in found.rows])


def scanned(dump: Path, folder: Path, *, encoder: str, checkout: Path = ROOT) -> dict[str, Any]:
    """Scans a dump in a process of its own; see :func:`benchmarks.world_scan.scan`.

    Args:
        dump: the file.
        folder: gets ``scan.json``.
        encoder: of the scan.
        checkout: the folder with the package ``harvestdetect`` that scans.

    Raises:
        SystemExit: the scan failed.
    """
    out = folder / "scan.json"
    kept = {n: v for n, v in os.environ.items() if not n.startswith("HARVESTDETECT_") or n == "HARVESTDETECT_CACHE"}
    cache = ["--cache", kept["HARVESTDETECT_CACHE"]] if "HARVESTDETECT_CACHE" in kept else []
    # with -P, no module of this folder hides one of the standard library
    command = [sys.executable, "-P", str(ROOT / "benchmarks" / "world_scan.py"), str(dump.resolve())]
    command += [str(out.resolve()), "--encoder", encoder, *cache]
    done = subprocess.run(command, env={**kept, "PYTHONPATH": str(checkout.resolve())}, check=False)
    if done.returncode:
        raise SystemExit(f"the scan of {dump} failed with exit code {done.returncode}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def _measured(given: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """The results of all worlds and seeds."""
    results = []
    for world, seed, laid in laid_worlds(given, metadata=given.metadata):
        folder = work / f"{world}-{given.half}-{seed}"
        dump = write(laid, folder)
        _say(f"{world}, seed {seed}: {len(laid.rows):,} rows of {laid.accounts:,} accounts, {laid.origin}")
        if given.lay_only:
            continue
        found = scanned(dump, folder, encoder=given.encoder, checkout=given.checkout)
        results.append(score(found, read_truth(folder), world=world, seed=seed, rows=len(laid.rows)))
        _say(f"  scanned in {found['seconds']:.0f} s, {len(found['candidates']):,} candidates")
    return results


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def add_world_options(parser: argparse.ArgumentParser, *, seeds: int) -> None:
    """Adds the options that say which worlds are laid, and how they are scanned.

    Args:
        parser: of a command.
        seeds: default number of seeds.
    """
    parser.add_argument("--world", default="api,adaptive", help="api, adaptive or both, with a comma")
    parser.add_argument("--half", default="tuning", choices=get_args(Half))
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=40_000, help="about the number of rows of a world; 5,000 or more")
    parser.add_argument("--encoder", default="fast", choices=["auto", "fast", "full"])
    parser.add_argument("--data", type=Path, help="folder with the public texts; the package's grammar without")


def parsed_worlds(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command; ``world`` is a list. Wrong worlds and missing data end the command."""
    given = parser.parse_args(arguments)
    given.world = [name for name in given.world.split(",") if name]
    if unknown := [name for name in given.world if name not in get_args(World)]:
        parser.error(f"--world knows {', '.join(get_args(World))}, got {unknown[0]!r}")
    if given.data is not None and (missing := data_missing(given.data)):
        parser.error(f"{given.data} lacks {', '.join(missing)} (.jsonl.gz)")
    return given


def laid_worlds(given: argparse.Namespace, *, metadata: bool = True) -> Iterator[tuple[World, int, PlantedDump]]:
    """Lays the worlds that the options name: the world, its seed and its rows."""
    for world in given.world:
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            try:
                laid = lay(world, half=given.half, seed=seed, rows=given.rows, data=given.data, metadata=metadata)
            except NotEnough as error:
                raise SystemExit(f"{world}, seed {seed}: {error}; try --rows with another number") from None
            yield world, seed, laid


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worlds", description="Candidates and findings.")
    add_world_options(parser, seeds=3)
    parser.add_argument("--work", type=Path, help=f"folder for dumps and {RESULTS}; a temporary one by default")
    parser.add_argument("--no-metadata", dest="metadata", action="store_false", help="only account, time and prompt")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="folder of the checkout whose detector scans")
    parser.add_argument("--lay-only", action="store_true", help="write the dumps and do not scan")
    parser.add_argument("--compare", type=Path, help=f"{RESULTS} of another run, to print side by side")
    parser.add_argument("--docs", type=Path, help="page whose section is replaced")
    given = parsed_worlds(parser, arguments)
    if given.lay_only and given.work is None:
        parser.error("--lay-only needs --work, the folder for the dumps")
    if not (given.checkout / "harvestdetect" / "pipeline.py").is_file():
        parser.error(f"--checkout must be a folder with the package harvestdetect, got {given.checkout}")
    if given.compare is not None and not given.compare.is_file():
        parser.error(f"--compare must be a file of results, got {given.compare}")
    return given


def _command(given: argparse.Namespace) -> str:
    """The command as it may be printed, without folders."""
    options = [f"--world {','.join(given.world)}", f"--half {given.half}", f"--seeds {given.seeds}"]
    options += [f"--first-seed {given.first_seed}", f"--rows {given.rows}", f"--encoder {given.encoder}"]
    options += ["--data DIR"] * (given.data is not None) + ["--no-metadata"] * (not given.metadata)
    return f"python -m benchmarks.worlds {' '.join(options)}"


def commit_of(checkout: Path) -> str:
    """The commit of a checkout; "unknown" where git does not know it."""
    done = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = _arguments(arguments)
    with tempfile.TemporaryDirectory() as spare:
        work = given.work or Path(spare)
        results = _measured(given, work)
        if given.lay_only:
            return 0
        (work / RESULTS).write_text(json.dumps(results, indent=1), encoding="utf-8")
    section, commit = f"worlds-{given.half}", commit_of(given.checkout)
    publish(tables(results), given.docs, section, command=_command(given), commit=commit)
    if given.compare is not None:
        sys.stdout.write("\n" + compared(json.loads(given.compare.read_text(encoding="utf-8")), results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
