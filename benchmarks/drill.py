"""Does a drill predict what is found? A drill of a dump beside fresh campaigns of the recall benchmark's own kinds.

    python -m benchmarks.drill [--data DIR] [--half tuning] [--seeds 2] [--rows 30000] [--docs FILE]

``--data`` is a folder with the public texts that :mod:`benchmarks.real_texts` names; without it the texts come from the
package's own grammar, to try it out. For each seed, a dump of real accounts without a campaign is drilled. Then
campaigns with the same levels are planted into the same background by :mod:`benchmarks.planting`, with templates,
payloads, tempo and cover of its own, a few in each dump. The share of them that is found must lie within the drill's
interval, but for chance: the figures of a few fresh campaigns vary as well.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.pages import ran_on, write_section
from benchmarks.planting import plant, write
from benchmarks.real_texts import Half, data_missing
from benchmarks.results import wilson
from benchmarks.scenarios import Dump, Scenario
from benchmarks.sources import NotEnough, Sources, grammar_sources, real_sources
from harvestdetect import Settings, detect, read_dumps
from harvestdetect.drill import Design, Drill, Level, drill
from harvestdetect.drill.result import FACTOR_NAMES, level_text
from harvestdetect.simulate.evaluate import Planted, evaluate, found_of

__all__ = ["Compared", "main", "markdown", "scenario_of"]

FRESH: Final = 4
"""Fresh campaigns of each level and seed."""
COVERED: Final = 0.35
"""Largest share of the background rows that become cover of fresh campaigns in one dump."""
PLANTED: Final = 0.08
"""Largest number of fresh accounts in one dump, in accounts of the background."""
TEMPLATES: Final[dict[str, Any]] = {"one-template": 1, "templates": 5, "reworded": "reworded", "no-template": "none"}
"""Level of rewording -> templates of a scenario."""
TEXTS: Final = frozenset({"reworded", "no-template"})
"""Levels of rewording whose texts are alike, so a dump has at most one campaign of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One level: what the drills said, and what became of fresh campaigns."""

    factor: str
    value: Any
    centre: bool
    tried: int
    found: int
    """Of the drills' trials with all other factors at the centre."""
    fresh: int
    fresh_found: int

    @property
    def agrees(self) -> bool:
        """Whether the share of the fresh campaigns lies in the drill's interval, or the intervals overlap."""
        low, high = wilson(self.found, self.tried)
        fresh_low, fresh_high = wilson(self.fresh_found, self.fresh)
        return low <= fresh_high and fresh_low <= high

    @property
    def within(self) -> bool:
        """Whether the share of the fresh campaigns lies in the drill's interval."""
        low, high = wilson(self.found, self.tried)
        return low <= self.fresh_found / self.fresh <= high


def scenario_of(design: Design, name: str) -> Scenario:
    """The scenario of the recall benchmark that has the levels of a design."""
    return Scenario(
        name=name, what=name, accounts=design.accounts, each=design.prompts, share=design.share,
        templates=TEMPLATES[design.rewording], tempo="flat" if design.tempo == "machine" else "human",
    )  # fmt: skip


def _sources(data: Path | None, *, half: Half, seed: str, rows: int) -> Sources:
    if data is None:
        return grammar_sources(seed=seed, rows=rows)
    return real_sources(data, half=half, seed=seed, rows=rows)


def _drill(sources: Sources, settings: Settings, *, half: Half, seed: str, trials: int | None) -> Drill:
    """Drills the background without a campaign."""
    laid = plant(Dump(name="background", part="benign"), sources, half=half, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        file = write(laid, Path(folder))
        return drill(
            lambda: closing(read_dumps([file], settings=settings)), settings=settings, trials=trials,
            notes=lambda sentence: print(f"  {sentence}", flush=True),
        )  # fmt: skip


def _bundles(wanted: Sequence[tuple[Level, Design]], *, accounts: int, rows: int) -> Iterator[list[int]]:
    """Positions of designs that fit into one dump together."""
    left = list(range(len(wanted)))
    while left:
        bundle: list[int] = []
        cover = planted = 0
        kinds: set[str] = set()
        for position in list(left):
            design = wanted[position][1]
            scenario = scenario_of(design, "")
            kind = design.rewording if design.rewording in TEXTS else ""
            full = cover + scenario.cover > COVERED * rows or planted + design.accounts > PLANTED * accounts
            if bundle and (full or (kind and kind in kinds)):
                continue
            bundle.append(position)
            left.remove(position)
            cover, planted = cover + scenario.cover, planted + design.accounts
            kinds.add(kind)
        yield bundle


def _fresh(
    wanted: Sequence[tuple[Level, Design]], sources: Sources, settings: Settings, *, half: Half, seed: str
) -> list[bool | None]:
    """For each design, whether a fresh campaign is found; None if it could not be planted."""
    outcome: list[bool | None] = [None] * len(wanted)
    size = sum(len(trace) for trace in sources.accounts)
    for number, bundle in enumerate(_bundles(wanted, accounts=len(sources.accounts), rows=size)):
        scenarios = tuple(scenario_of(wanted[position][1], f"fresh-{position}") for position in bundle)
        dump = Dump(name=f"drill-{number}", part="grid", scenarios=scenarios)
        try:
            laid = plant(dump, sources, half=half, seed=f"{seed}-fresh-{number}")
        except NotEnough as error:
            print(f"  left out: {error}", flush=True)
            continue
        truth = [
            Planted(name=g["name"], kind=g["kind"], what=g["what"], accounts=frozenset(g["accounts"]))
            for g in laid.truth
        ]
        with tempfile.TemporaryDirectory() as folder:
            file = write(laid, Path(folder))
            detection = detect(read_dumps([file], settings=settings), settings=settings)
        for row in evaluate(found_of(detection), truth).rows:
            outcome[int(row.name.removeprefix("fresh-"))] = row.found
        print(f"  fresh dump {number + 1}: {[outcome[p] for p in bundle]}", flush=True)
    return outcome


def run(
    seeds: Sequence[int], *, data: Path | None, half: Half, rows: int, trials: int | None, settings: Settings
) -> tuple[list[Compared], dict[str, str]]:
    """Compares drills and fresh campaigns, level by level; also returns the versions of packages."""
    counts: dict[tuple[str, Any], list[int]] = {}
    centres: set[tuple[str, Any]] = set()
    versions: dict[str, str] = {}
    for seed in seeds:
        name = f"drill-{half}-{seed}"
        print(f"seed {seed}", flush=True)
        sources = _sources(data, half=half, seed=name, rows=rows)
        drilled = _drill(sources, settings.replace(seed=seed), half=half, seed=name, trials=trials)
        versions = dict(drilled.versions)
        wanted = [
            (level, _design(drilled, level)) for level in drilled.levels if level.alone.tried for _ in range(FRESH)
            if not level.centre or level.factor == "accounts"
        ]  # fmt: skip
        for (level, _), hit in zip(wanted, _fresh(wanted, sources, settings, half=half, seed=name), strict=True):
            tally = counts.setdefault((level.factor, level.value), [0, 0, 0, 0])
            if level.centre:
                centres.add((level.factor, level.value))
            if hit is not None:
                tally[2] += 1
                tally[3] += hit
        for level in drilled.levels:
            if (level.factor, level.value) in counts:
                counts[level.factor, level.value][0] += level.alone.tried
                counts[level.factor, level.value][1] += level.alone.found
    found = [
        Compared(
            factor=factor, value=value, centre=(factor, value) in centres,
            tried=tally[0], found=tally[1], fresh=tally[2], fresh_found=tally[3],
        )
        for (factor, value), tally in counts.items()
    ]  # fmt: skip
    return [one for one in found if one.fresh], versions


def _design(drilled: Drill, level: Level) -> Design:
    """The design of the trials of a level."""
    return replace(drilled.plan.centre, **{level.factor: level.value})


def markdown(compared: Sequence[Compared], *, command: str, versions: dict[str, str]) -> str:
    """The section of docs/benchmarks.md."""
    lines = [
        f"`{command}` on {ran_on(versions)}.",
        "",
        "| factor | level | drill found | its interval | fresh campaigns found | within the interval |",
        "|---|---|---:|---:|---:|---|",
    ]
    for one in compared:
        low, high = wilson(one.found, one.tried)
        level = level_text(one.factor, one.value) + (" (centre)" if one.centre else "")
        verdict = "yes" if one.within else "intervals overlap" if one.agrees else "**no**"
        lines.append(
            f"| {FACTOR_NAMES[one.factor]} | {level} | {one.found}/{one.tried} | {low:.2f}–{high:.2f} | "
            f"{one.fresh_found}/{one.fresh} | {verdict} |"
        )
    tried, found = sum(c.tried for c in compared), sum(c.found for c in compared)
    fresh, hits = sum(c.fresh for c in compared), sum(c.fresh_found for c in compared)
    low, high = wilson(found, tried)
    lines += [
        f"| all | | {found}/{tried} | {low:.2f}–{high:.2f} | {hits}/{fresh} | |",
        "",
        f"{sum(c.within for c in compared)} of {len(compared)} levels lie within the drill's interval, "
        f"{sum(c.agrees for c in compared)} agree within both intervals.",
        "",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the public texts; without it the package's grammar")
    parser.add_argument("--half", choices=("tuning", "reporting"), default="tuning")
    parser.add_argument("--seeds", type=int, default=2, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=30_000, help="background rows of a dump")
    parser.add_argument("--trials", type=int, help="of each drill; by default four of each level")
    parser.add_argument("--docs", type=Path, help="Markdown file whose section is replaced")
    chosen = parser.parse_args(arguments)
    if chosen.data is not None and (missing := data_missing(chosen.data)):
        print(f"{chosen.data} lacks {', '.join(missing)}", file=sys.stderr)
        return 2
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    settings = Settings(encoder="fast", use_cache=False)
    compared, versions = run(
        seeds, data=chosen.data, half=chosen.half, rows=chosen.rows, trials=chosen.trials, settings=settings
    )
    command = (
        f"python -m benchmarks.drill {'--data DIR ' if chosen.data else ''}--half {chosen.half} "
        f"--seeds {chosen.seeds} --first-seed {chosen.first_seed} --rows {chosen.rows}"
        + (f" --trials {chosen.trials}" if chosen.trials else "")
    )
    text = markdown(compared, command=command, versions=versions)
    print(text)
    if chosen.docs:
        write_section(chosen.docs, "drill", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
