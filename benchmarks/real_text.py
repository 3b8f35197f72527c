"""How well a scan finds what was planted among real texts of real accounts.

    python -m benchmarks.real_text --data DIR [--half reporting] [--seeds 3] [--first-seed 10] [--docs FILE]

``--data`` is a folder with the public texts that :mod:`benchmarks.real_dump` names; they are not part of the
repository. The detector was developed on the tuning part; report results of the reporting part.
(The reporting dump of seed 0 was inspected once: it showed that accounts of a forum have other hours than those of a
chat.)
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.pages import ran_on, write_section
from benchmarks.real_dump import Half, RealDump, build, data_missing
from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import Detection
from harvestdetect.simulate.evaluate import Scores, evaluate, found_of, read_truth, render

__all__ = ["Run", "main", "markdown", "run", "summary"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One dump, scanned and scored."""

    seed: int
    dump: RealDump
    scores: Scores
    detection: Detection
    seconds: float


def run(folder: Path, *, data: Path, half: Half, seed: int, settings: Settings) -> Run:
    """Writes a dump into ``folder``, scans it and scores the findings."""
    dump = build(folder, data=data, half=half, seed=seed)
    start = time.perf_counter()
    detection = detect(read_dumps([folder / "prompts.jsonl.gz"], settings=settings), settings=settings)
    seconds = time.perf_counter() - start
    scores = evaluate(found_of(detection), read_truth(folder))
    return Run(seed=seed, dump=dump, scores=scores, detection=detection, seconds=seconds)


def _mean(values: Sequence[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "–"
    spread = f" ({min(known):.3f}–{max(known):.3f})" if len(known) > 1 else ""
    return f"{statistics.mean(known):.3f}{spread}"


def markdown(runs: Sequence[Run], *, half: Half, encoder: str) -> str:
    """The section of docs/benchmarks.md: the command, the scores, and one row per planted group."""
    peak = max(stage.peak_memory_mb for r in runs for stage in r.detection.stages)
    lines = [
        f"`python -m benchmarks.real_text --half {half} --seeds {len(runs)} --first-seed {runs[0].seed} "
        f"--encoder {encoder}` on {ran_on(runs[0].detection.versions)}.",
        "",
        "| measure | mean over seeds (min–max) |",
        "|---|---:|",
        f"| rows | {_mean([r.dump.rows for r in runs]).replace('.000', '')} |",
        f"| accounts | {_mean([r.dump.accounts for r in runs]).replace('.000', '')} |",
        f"| campaign recall (urgent + review) | {_mean([r.scores.campaign_recall for r in runs])} |",
        f"| account recall | {_mean([r.scores.account_recall for r in runs])} |",
        f"| account precision | {_mean([r.scores.account_precision for r in runs])} |",
        f"| account precision, recommended only | {_mean([r.scores.recommended_precision for r in runs])} |",
        f"| ranking average precision | {_mean([r.scores.ranking_average_precision for r in runs])} |",
        f"| alarms (urgent + review) | {_mean([r.scores.alarms for r in runs])} |",
        f"| false findings at urgent, all seeds | {sum(r.scores.alarms_urgent for r in runs)} |",
        f"| look-alikes at urgent, all seeds | {sum(r.scores.look_alikes_urgent for r in runs)} |",
        f"| seconds per scan | {_mean([r.seconds for r in runs])} |",
        f"| peak memory, MB | {peak:.0f} |",
        "",
        "| planted group | kind | accounts | found | tier in each seed | account recall | account precision |",
        "|---|---|---:|---:|---|---:|---:|",
    ]
    for rows in zip(*(r.scores.rows for r in runs), strict=True):
        found = f"{sum(row.found for row in rows)}/{len(rows)}" if rows[0].kind == "campaign" else "–"
        tiers = ", ".join(str(row.tier or "–") for row in rows)
        if rows[0].kind == "campaign":
            shares = f"{statistics.mean(row.recall for row in rows):.2f} | {_mean([row.precision for row in rows])[:5]}"
        else:
            shares = "– | –"
        lines.append(f"| {rows[0].name} | {rows[0].kind} | {rows[0].accounts} | {found} | {tiers} | {shares} |")
    return "\n".join(lines) + "\n"


def summary(runs: Sequence[Run], *, half: Half, encoder: str) -> str:
    """The short table of the README."""
    return "\n".join(
        [
            "| | mean over seeds (min–max) |",
            "|---|---:|",
            f"| campaigns found at `urgent` or `review` | {_mean([r.scores.campaign_recall for r in runs])} |",
            f"| campaign accounts found | {_mean([r.scores.account_recall for r in runs])} |",
            f"| account precision of these findings | {_mean([r.scores.account_precision for r in runs])} |",
            f"| account precision, recommended only | {_mean([r.scores.recommended_precision for r in runs])} |",
            f"| look-alikes at `urgent`, all seeds | {sum(r.scores.look_alikes_urgent for r in runs)} |",
            "",
            f"`python -m benchmarks.real_text --half {half} --seeds {len(runs)} --first-seed {runs[0].seed} "
            f"--encoder {encoder}`; {statistics.mean(r.dump.rows for r in runs):,.0f} rows on average.",
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the public texts")
    parser.add_argument("--half", choices=("tuning", "reporting"), default="reporting")
    parser.add_argument("--seeds", type=int, default=3, help="how many dumps")
    parser.add_argument("--first-seed", type=int, default=10, help="of the first; 0 to 2 were seen in development")
    parser.add_argument("--encoder", choices=("fast", "auto", "full"), default="fast")
    parser.add_argument("--work", type=Path, help="keep the dumps in this folder")
    parser.add_argument("--docs", type=Path, help="Markdown file whose section is replaced")
    parser.add_argument("--readme", type=Path, help="Markdown file whose summary is replaced")
    parser.add_argument("--json", type=Path, help="write all scores here too")
    chosen = parser.parse_args(arguments)
    if missing := data_missing(chosen.data):
        print(f"{chosen.data} lacks {', '.join(missing)}", file=sys.stderr)
        return 2
    settings = Settings(encoder=chosen.encoder)
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        runs = []
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            runs.append(
                run(work / f"{chosen.half}-{seed}", data=chosen.data, half=chosen.half, seed=seed, settings=settings)
            )
            print(f"seed {seed}: {runs[-1].dump.rows:,} rows, {runs[-1].seconds:.0f} s")
            print(render(runs[-1].scores), flush=True)
    text = markdown(runs, half=chosen.half, encoder=chosen.encoder)
    print(text)
    if chosen.docs:
        write_section(chosen.docs, f"real-text-{chosen.half}-{chosen.encoder}", text)
    if chosen.readme:
        write_section(chosen.readme, "summary", summary(runs, half=chosen.half, encoder=chosen.encoder))
    if chosen.json:
        results: list[dict[str, Any]] = [{"seed": r.seed, "seconds": r.seconds, **asdict(r.scores)} for r in runs]
        chosen.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
