"""The recall benchmark: which planted campaigns are found, by one factor at a time.

    python -m benchmarks.recall [--data DIR] [--half reporting] [--seeds 3] [--part grid,evasions] [--docs FILE]

``--data`` is a folder with the public texts that :mod:`benchmarks.real_texts` names; without it the texts come from the
package's own grammar, to try it out. The scenarios are in :mod:`benchmarks.scenarios`; they are planted by
:mod:`benchmarks.planting`. The detector was developed on the tuning part of the texts; report results of the other
part. The result of every dump is kept in ``--work``, so an interrupted run continues where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.pages import write_section
from benchmarks.planting import PlantedDump, plant, write
from benchmarks.real_texts import START, Half, data_missing
from benchmarks.results import COUNTED, OURS, Finding, JudgedGroup, Result
from benchmarks.scenarios import PARTS, Dump, Part, dumps
from benchmarks.sources import WINDOW, NotEnough, grammar_sources, real_sources
from benchmarks.tables import render_parts
from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import TIERS, Detection, Family, Tier
from harvestdetect.simulate.evaluate import Planted, ReportedFinding, Scores, evaluate, found_of
from harvestdetect.util.periods import DAY

__all__ = ["Job", "jobs", "main", "run"]

ABLATIONS: Final[tuple[tuple[str, tuple[Family, ...], Mapping[str, Any]], ...]] = (
    ("everything", (), {}),
    ("without text", ("text",), {}),
    ("without structure", ("structure",), {}),
    ("without time", ("time",), {}),
    ("without infrastructure", ("infrastructure",), {}),
    ("without segments", (), {"segment_characters": 100_000, "max_windows": 0}),
    ("without links", (), {"link_log_p": -1e9}),
    ("meaning view too", (), {"encoder": "auto"}),
)
"""Name, families of evidence left out, settings changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One dump for one detector."""

    dump: Dump
    seed: int
    half: Half
    rows: int
    data: str | None
    settings: Mapping[str, Any]
    detector: str = OURS
    variant: str = ""
    """Of :data:`ABLATIONS`."""
    every: int = 0
    """Days between the prefixes that are scanned; 0 scans the whole dump once."""

    def key(self) -> str:
        """Digest of all that decides the result: settings, scenarios, seed, code of the package and the benchmark."""
        decisive = repr((self, _source_digest(self.detector)))
        return hashlib.sha256(decisive.encode()).hexdigest()[:20]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.dump.name, f"seed {self.seed}", self.detector, self.variant)))


# ---------------------------------------------------------------- one job


def run(job: Job, work: Path) -> Result:
    """Plants the dump of a job, scans it and scores the findings; or takes the result that is in ``work``."""
    kept = work / "results" / f"{job.key()}.json"
    if kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=Result)
    result = _run(job, work)
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(result))
    partial.replace(kept)
    return result


def _run(job: Job, work: Path) -> Result:
    """As :func:`run`, always anew."""
    seed = f"recall-{job.half}-{job.seed}-{job.dump.name}"
    rows = round(job.rows * job.dump.rows)
    try:
        if job.data is None:
            sources = grammar_sources(seed=seed, rows=rows)
        else:
            sources = real_sources(Path(job.data), half=job.half, seed=seed, rows=rows)
        laid = plant(job.dump, sources, half=job.half, seed=seed)
    except NotEnough as error:
        return _left_out(job, str(error))
    truth = [
        Planted(name=g["name"], kind=g["kind"], what=g["what"], accounts=frozenset(g["accounts"])) for g in laid.truth
    ]
    if job.detector != OURS:
        from benchmarks.baselines import BASELINES

        start = time.perf_counter()
        found = BASELINES[job.detector](laid.rows, seed=job.seed)
        seconds = time.perf_counter() - start
        return _result(job, laid, truth, found, [None] * len(found), seconds=seconds)
    _, leave_out, changes = next((a for a in ABLATIONS if a[0] == job.variant), ABLATIONS[0])
    settings = Settings(**{**job.settings, **changes})
    with tempfile.TemporaryDirectory(dir=work) as folder:
        file = write(laid, Path(folder))
        start = time.perf_counter()
        days = _prefixes(job, laid, truth, settings, leave_out, Path(folder)) if job.every else {}
        detection = detect(read_dumps([file], settings=settings), settings=settings, leave_out=leave_out)
        seconds = time.perf_counter() - start
    return _result(
        job,
        laid,
        truth,
        found_of(detection),
        [f.q_value for f in detection.findings],
        seconds=seconds,
        detection=detection,
        days=days,
    )


def _prefixes(
    job: Job, laid: PlantedDump, truth: Sequence[Planted], settings: Settings, leave_out: Sequence[Family], folder: Path
) -> dict[str, float]:
    """Days from a campaign's first harvest prompt to the end of the first prefix in which it is found."""
    days: dict[str, float] = {}
    for day in range(job.every, WINDOW + 1, job.every):
        end = START + day * DAY
        begun = [g for g in truth if g.kind == "campaign" and laid.first[g.name] < end and g.name not in days]
        if not begun:
            continue
        file = write(dataclasses.replace(laid, rows=[r for r in laid.rows if r["timestamp"] < end]), folder / "prefix")
        detection = detect(read_dumps([file], settings=settings), settings=settings, leave_out=leave_out)
        # accounts that have sent nothing yet cannot be found
        seen = {r["account"] for r in laid.rows if r["timestamp"] < end}
        known = [dataclasses.replace(g, accounts=g.accounts & seen) for g in truth if g.accounts & seen]
        for row in evaluate(found_of(detection), known).rows:
            if row.kind == "campaign" and row.found and row.name not in days:
                days[row.name] = (end - laid.first[row.name]) / DAY
    return days


def _result(
    job: Job,
    laid: PlantedDump,
    truth: Sequence[Planted],
    found: Sequence[ReportedFinding],
    q_values: Sequence[float | None],
    *,
    seconds: float,
    detection: Detection | None = None,
    days: Mapping[str, float] | None = None,
) -> Result:
    """The result of one job: scores of all findings, and of each group and finding."""
    scores: Scores = evaluate(found, truth)
    guilty = frozenset[str]().union(*(g.accounts for g in truth if g.kind == "campaign"))
    flagged = frozenset[str]().union(*(f.accounts for f in found if f.tier in COUNTED))
    return Result(
        part=job.dump.part,
        dump=job.dump.name,
        metadata=job.dump.metadata,
        seed=job.seed,
        detector=job.detector,
        variant=job.variant,
        origin=laid.origin,
        rows=len(laid.rows),
        benign_rows=len(laid.rows) - sum(laid.harvest.values()),
        accounts=laid.accounts,
        seconds=round(seconds, 2),
        memory_mb=max((s.peak_memory_mb for s in detection.stages), default=0.0) if detection else 0.0,
        campaign_recall=scores.campaign_recall,
        account_recall=scores.account_recall,
        account_precision=scores.account_precision,
        recommended_precision=scores.recommended_precision,
        average_precision=scores.ranking_average_precision,
        flagged=len(flagged),
        flagged_guilty=len(flagged & guilty),
        look_alikes_urgent=scores.look_alikes_urgent,
        groups=tuple(
            JudgedGroup(
                name=row.name,
                scenario=_scenario_of(row.name, job),
                kind=row.kind,
                accounts=row.accounts,
                harvest=laid.harvest.get(row.name, 0),
                found=row.found,
                tier=row.tier if row.kind == "campaign" else _tier_of(planted, found, guilty),
                recall=row.recall,
                precision=row.precision,
                covered=len(planted.accounts & flagged),
                days=(days or {}).get(row.name),
            )
            for row, planted in zip(scores.rows, truth, strict=True)
        ),
        findings=tuple(_finding(f, q, guilty) for f, q in zip(found, q_values, strict=True)),
        versions=dict(detection.versions) if detection else {},
    )


def _scenario_of(group: str, job: Job) -> str:
    """The scenario that a group was planted for: two campaigns with common accounts are of one scenario."""
    names = {f"{s.name}{half}": s.name for s in job.dump.scenarios for half in ("", "-a", "-b")}
    return names.get(group, group)


def _finding(found: ReportedFinding, q: float | None, guilty: frozenset[str]) -> Finding:
    """A finding as it is reported; ``guilty`` are the accounts of all campaigns."""
    return Finding(
        tier=found.tier,
        score=found.score,
        q=q,
        accounts=len(found.accounts),
        false=2 * len(found.accounts & guilty) < len(found.accounts),
    )


def _left_out(job: Job, why: str) -> Result:
    """The result of a job whose dump could not be planted."""
    return Result(
        part=job.dump.part, dump=job.dump.name, metadata=job.dump.metadata, seed=job.seed, detector=job.detector,
        variant=job.variant, left_out=why,
    )  # fmt: skip


def _tier_of(planted: Planted, found: Sequence[ReportedFinding], guilty: frozenset[str]) -> Tier | None:
    """The strongest tier among findings that are of a look-alike: mostly its accounts, or most of its accounts.

    A finding that finds a campaign and draws in an innocent account is not the look-alike's.
    """
    own = [
        TIERS.index(f.tier)
        for f in found
        if 2 * len(f.accounts & guilty) < len(f.accounts)
        and 2 * len(f.accounts & planted.accounts) >= min(len(f.accounts), len(planted.accounts))
    ]
    return TIERS[min(own)] if own else None


CODE: Final = (".py", ".toml")
"""Endings of the files that decide a result."""

PLANTING: Final = (
    *("ground", "identities", "planted_campaigns", "planted_look_alikes", "planting", "real_texts", "recall"),
    *("results", "scenarios", "sources"),
)
"""Modules of the benchmark that decide a result."""

BASELINES_USE: Final = (
    "util/arrays.py",
    "dump/values/times.py",
    "embed",
    "neighbors",
    "corpus/normalize.py",
    "simulate",
)
_DIGESTS: dict[bool, str] = {}


def _source_digest(detector: str) -> str:
    """Digest of the code that decides a result: what lays and scores a dump, and the detector.

    Of the package a baseline takes only :data:`BASELINES_USE`.
    """
    ours = detector == OURS
    if ours not in _DIGESTS:
        root = Path(__file__).resolve().parents[1]
        folder = root / "benchmarks"
        files = [folder / f"{name}.py" for name in PLANTING]
        if not ours:
            files += sorted((folder / "baselines").glob("*.py"))
        package = root / "harvestdetect"
        used = [package] if ours else [package / name for name in BASELINES_USE]
        files += sorted(f for one in used for f in ([one] if one.is_file() else one.rglob("*")) if f.suffix in CODE)
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.read_bytes())
        _DIGESTS[ours] = digest.hexdigest()
    return _DIGESTS[ours]


# ---------------------------------------------------------------- all jobs


def jobs(
    parts: Sequence[Part],
    *,
    seeds: Sequence[int],
    half: Half,
    rows: int,
    data: Path | None,
    settings: Mapping[str, Any],
    only: Sequence[str] = (),
    benign: int = 1,
    every: int = 3,
    baselines: Sequence[str] = (),
) -> list[Job]:
    """All jobs of some parts, seed by seed.

    Many parameters because there is one for each option of the command.
    """

    def job(dump: Dump, seed: int) -> Job:
        folder = None if data is None else str(data)
        return Job(dump=dump, seed=seed, half=half, rows=rows, data=folder, settings=settings)

    found = []
    for seed in seeds:
        for dump in (d for part in parts if part != "benign" for d in dumps(part, rows=rows, only=only)):
            one = job(dump, seed)
            if dump.part == "days":
                found.append(dataclasses.replace(one, every=every))
            elif dump.part == "ablations":
                names = [a[0] for a in ABLATIONS if dump.metadata or "infrastructure" not in a[1]]
                found += [dataclasses.replace(one, variant=name) for name in names]
            else:
                found += [one, *(dataclasses.replace(one, detector=name) for name in baselines)]
    if "benign" in parts:
        found += [job(dump, seeds[0] + i) for i in range(benign) for dump in dumps("benign")]
    return found


def _work(job: Job, work: Path) -> Result:
    result = run(job, work)
    tiers = ", ".join(
        f"{g.name} {g.tier or '–'}{'' if g.found or g.kind != 'campaign' else ' MISSED'}" for g in result.groups
    )
    summary = (
        result.left_out
        or f"{result.rows:,} rows, {result.seconds:.0f} s: {tiers or f'{len(result.findings)} findings'}"
    )
    print(f"{job}: {summary}", flush=True)
    return result


def _all(todo: Sequence[Job], *, work: Path, workers: int) -> list[Result]:
    if workers <= 1:
        return [_work(job, work) for job in todo]
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_work, todo, [work] * len(todo)))


def _listed(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the public texts; without it the package's grammar")
    parser.add_argument("--half", choices=("tuning", "reporting"), default="reporting")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, help="100 for the reporting part, 0 for the tuning part")
    parser.add_argument("--rows", type=int, default=50_000, help="background rows of a dump")
    parser.add_argument("--part", type=_listed, default=list(PARTS), help="some of: " + ",".join(PARTS))
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a scenario or look-alike; repeatable"
    )
    parser.add_argument("--benign", type=int, default=10, help="seeds of the dumps of background alone")
    parser.add_argument("--every", type=int, default=3, help="days between the prefixes of the part days")
    parser.add_argument("--baselines", nargs="?", const="all", default="", metavar="NAMES", help="run these too; all")
    parser.add_argument("--encoder", choices=("fast", "auto", "full"), default="fast")
    parser.add_argument("--workers", type=int, default=1, help="processes, one thread each where more than one")
    parser.add_argument("--docs", type=Path, help="Markdown file whose sections are replaced")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument("--json", type=Path, help="write all results here too")
    parser.add_argument("--work", type=Path, help="keep results in this folder")
    chosen = parser.parse_args(arguments)
    unknown = [p for p in chosen.part if p not in PARTS]
    if unknown:
        parser.error(f"--part knows {', '.join(PARTS)}, not {unknown[0]!r}")
    if chosen.data is not None and (missing := data_missing(chosen.data)):
        print(f"{chosen.data} lacks {', '.join(missing)}", file=sys.stderr)
        return 2
    first = chosen.first_seed if chosen.first_seed is not None else (100 if chosen.half == "reporting" else 0)
    settings = {"encoder": chosen.encoder, "use_cache": False} | ({"threads": 1} if chosen.workers > 1 else {})
    todo = jobs(
        chosen.part, seeds=range(first, first + chosen.seeds), half=chosen.half, rows=chosen.rows, data=chosen.data,
        settings=settings, only=chosen.only, benign=chosen.benign, every=chosen.every,
        baselines=_baselines(chosen.baselines),
    )  # fmt: skip
    if not todo:
        parser.error("nothing is left to run; does --only name a scenario of these parts?")
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        results = _all(todo, work=work, workers=chosen.workers)
    command = (
        f"python -m benchmarks.recall {'--data DIR ' if chosen.data else ''}--half {chosen.half} "
        f"--seeds {chosen.seeds} --first-seed {first} "
        f"--rows {chosen.rows} --encoder {chosen.encoder}"
    )
    for part, text in render_parts(results, command=command).items():
        print(text)
        if chosen.docs:
            write_section(chosen.docs, f"recall-{part}", text)
    if chosen.plots:
        from benchmarks.plots import write_plots

        write_plots(results, chosen.plots)
    if chosen.json:
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    left_out = [r for r in results if r.left_out]
    for r in left_out:
        print(f"left out: {r.dump}, seed {r.seed}, {r.detector}: {r.left_out}", file=sys.stderr)
    return 1 if left_out else 0


def _baselines(text: str) -> list[str]:
    if not text:
        return []
    from benchmarks.baselines import BASELINES

    names = list(BASELINES) if text == "all" else _listed(text)
    for name in names:
        if name not in BASELINES:
            raise SystemExit(f"no baseline {name!r}; known: {', '.join(BASELINES)}")
    return [name for name in names if BASELINES[name].available()]


if __name__ == "__main__":
    raise SystemExit(main())
