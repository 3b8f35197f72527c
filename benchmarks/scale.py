"""Speed and memory of a scan, and what it finds, as the dump grows.

    python -m benchmarks.scale [--rows 100000,1000000] [--encoder fast] [--work DIR] [--seed 0] [--docs FILE]
    python -m benchmarks.scale --clusters rich [--data DIR]
    python -m benchmarks.scale --rows 1000000 --again 0.05
    python -m benchmarks.scale --rows 1000000 --again 0.025 --state

The dumps are those of :mod:`benchmarks.laying`, or with ``--clusters rich`` those of :mod:`benchmarks.many_clusters`,
which have more clusters. A scan is the command of the package in a process of its own; its stages are those of
``run.json``. The models are made beforehand, and no vectors are kept from one scan to the next.
Dumps that are in ``--work`` already are used again. With ``--again`` every dump is scanned a second time, together with
that share of later rows. Both scans keep their work in one folder; with ``--state`` they keep it in a state, into which
the later rows are scanned alone, as every day.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.laying import DAYS, HARVEST, START, Laid, apart, lay, tell
from benchmarks.many_clusters import lay_rich
from benchmarks.pages import ran_on, write_section
from harvestdetect.simulate import simulate
from harvestdetect.simulate.evaluate import evaluate, read_findings, read_truth
from harvestdetect.store.folder import cache_folder
from harvestdetect.util.periods import DAY

__all__ = ["REST", "Scanned", "exponent", "main", "number", "run_scan", "scan", "table", "tables", "warm"]

MIN_LATER: Final = 250
"""Fewest later rows: from this number on there is a look-alike among them."""

REST: Final = "start and files"
"""Name of the time that is in no stage of the scan."""


# ---------------------------------------------------------------- the scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """Costs and results of a scan."""

    laid: Laid
    stages: Mapping[str, tuple[float, float]]
    """By stage: seconds, and the peak memory of the process by the end of the stage in MB; :data:`REST` is last."""
    seconds: float
    """From the start of the process to its end."""
    processor_seconds: float
    """Processor time on all cores, without that of other processes."""
    peak_memory_mb: float
    counts: Mapping[str, Any]
    versions: Mapping[str, str]
    campaign_recall: float | None
    account_recall: float | None
    account_precision: float | None
    alarms: int
    alarms_urgent: int
    again: Scanned | None = None
    """The scan of the same rows and later ones; its ``laid`` describes the later rows."""


def scan(
    folder: Path,
    laid: Laid,
    *,
    encoder: str,
    cache: Path,
    options: Sequence[str] = (),
    later: Path | None = None,
    alone: bool = False,
) -> Scanned:
    """Scans a dump by the command of the package.

    Args:
        folder: what :func:`lay` filled; the results go into ``out``.
        laid: what it contains, or what ``later`` contains.
        encoder: the encoder of the scan.
        cache: a folder with the models; it is copied, so that no vector is kept.
        options: further ones of ``harvestdetect scan``.
        later: another folder that :func:`lay` filled. Its dump is scanned together with the first.
        alone: whether it is scanned alone, because the first is in a state already.

    Raises:
        SystemExit: the scan failed.
    """
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    folders = [folder] if later is None else [folder, later]
    dumps = [str(one / "dump") for one in (folders[1:] if alone else folders)]
    planted = [replace(g, name=f"{one.name} {g.name}") for one in folders for g in read_truth(one)]
    with tempfile.TemporaryDirectory(dir=folder) as own:
        copied = Path(own) / "cache"
        if cache.is_dir():
            shutil.copytree(cache, copied)
        start = time.perf_counter()
        processor, peak = run_scan([*dumps, "--out", str(out), "--encoder", encoder, "--cache", str(copied), *options])
        seconds = time.perf_counter() - start
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    stages = {s["stage"]: (float(s["seconds"]), float(s["peak_memory_mb"])) for s in run["stages"]}
    # the two counters of the kernel may differ by a fraction of a megabyte
    peak = max(peak, *(most for _, most in stages.values()))
    stages[REST] = (round(seconds - sum(took for took, _ in stages.values()), 3), peak)
    scores = evaluate(read_findings(out), planted)
    return Scanned(
        laid=laid, stages=stages, seconds=round(seconds, 1), processor_seconds=processor, peak_memory_mb=peak,
        counts=run["counts"], versions=run["versions"], campaign_recall=scores.campaign_recall,
        account_recall=scores.account_recall, account_precision=scores.account_precision, alarms=scores.alarms,
        alarms_urgent=scores.alarms_urgent,
    )  # fmt: skip


def run_scan(arguments: Sequence[str]) -> tuple[float, float]:
    """Runs ``harvestdetect scan``; returns its processor seconds and its peak resident memory in MB."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARVESTDETECT_")}
    command = [sys.executable, "-m", "harvestdetect", "scan", *arguments, "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=kept)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the scan failed with exit code {process.returncode}")
    peak = used.ru_maxrss / 1e6 if sys.platform == "darwin" else used.ru_maxrss * 1024 / 1e6
    return round(used.ru_utime + used.ru_stime, 1), round(peak, 1)


def warm(work: Path, *, encoder: str) -> Path:
    """A cache with the models that an encoder needs and no vectors; models in the user's cache are copied."""
    cache = work / f"models-{encoder}"
    if not cache.is_dir():
        named = os.environ.get("HARVESTDETECT_CACHE")
        usual = cache_folder(Path(named) if named else None)
        with tempfile.TemporaryDirectory(dir=work) as folder:
            made = simulate(folder, prompts=100, seed=2**32 - 1, campaigns=0)
            partial = Path(folder) / "cache"
            if usual.is_dir():
                shutil.copytree(usual, partial, ignore=shutil.ignore_patterns("vectors", "*.tmp"))
            dump = str(made.files[0].parent)
            run_scan([dump, "--out", f"{folder}/out", "--encoder", encoder, "--cache", str(partial)])
            shutil.rmtree(partial / "vectors", ignore_errors=True)
            partial.replace(cache)
    return cache


# ---------------------------------------------------------------- tables


def exponent(first: tuple[float, float], second: tuple[float, float]) -> float | None:
    """The exponent e of cost ~ size ** e between two sizes.

    Args:
        first: a size and its cost.
        second: another size and its cost.

    Returns:
        the exponent; None where a cost is zero or the sizes are equal.
    """
    (size, cost), (other_size, other_cost) = first, second
    if min(cost, other_cost) <= 0 or size == other_size:
        return None
    return math.log(other_cost / cost) / math.log(other_size / size)


def tables(scans: Sequence[Scanned], *, command: str) -> str:
    """The results in Markdown: dumps and findings, then the cost of each stage at each size."""
    head = (
        "rows", "accounts", "characters", "repeated", "seconds", "processor seconds", "rows/s",
        "peak MB", "growth", "campaigns",
        "campaign recall", "account recall", "account precision", "alarms (urgent)",
    )  # fmt: skip
    body = [
        [
            f"{s.laid.rows:,}",
            f"{s.laid.accounts:,}",
            f"{s.laid.characters:.0f}",
            f"{s.laid.repeated:.2f}",
            f"{s.seconds:,.1f}",
            f"{s.processor_seconds:,.1f}",
            f"{s.laid.rows / s.seconds:,.0f}",
            f"{s.peak_memory_mb:,.0f}",
            _grown(scans, i, [other.seconds for other in scans]),
            f"{s.laid.campaigns}",
            number(s.campaign_recall),
            number(s.account_recall),
            number(s.account_precision),
            f"{s.alarms} ({s.alarms_urgent})",
        ]
        for i, s in enumerate(scans)
    ]
    names = [*dict.fromkeys(name for s in scans for name in s.stages if name != REST), REST]
    stage_head = ["stage"]
    for s in scans:
        stage_head += [f"{s.laid.rows:,}: seconds", "rows/s", "peak MB", "growth"]
    stage_body = []
    for name in names:
        line = [name]
        for i, s in enumerate(scans):
            seconds, peak = s.stages.get(name, (0.0, 0.0))
            rate = f"{s.laid.rows / seconds:,.0f}" if seconds > 0 else "-"
            grown = _grown(scans, i, [other.stages.get(name, (0.0, 0.0))[0] for other in scans])
            line += [f"{seconds:,.1f}", rate, f"{peak:,.0f}", grown]
        stage_body.append(line)
    return (
        f"`{command}`, {ran_on(scans[0].versions)}.\n\n"
        f"{table(head, body)}\n"
        "Growth is the exponent e in seconds ~ rows^e, relative to the previous size. "
        "The peak of a stage is the peak of the process up to the end of that stage.\n\n"
        f"{table(stage_head, stage_body)}"
        f"{_again_table(scans)}"
    )


def _again_table(scans: Sequence[Scanned]) -> str:
    """The cost of the second scans, as a share of the first; empty where there is none."""
    pairs = [(s, s.again) for s in scans if s.again is not None]
    if not pairs:
        return ""
    names = [*dict.fromkeys(name for s, _ in pairs for name in s.stages if name != REST), REST]
    head = ["stage"]
    for first, second in pairs:
        head += [f"{first.laid.rows:,}: seconds", f"with {second.laid.rows:,} more: seconds", "share"]
    body: list[list[str]] = [[name] for name in names]
    for first, second in pairs:
        for name, line in zip(names, body, strict=True):
            line += _shared(first.stages.get(name, (0.0, 0.0))[0], second.stages.get(name, (0.0, 0.0))[0])
    body.append(["all", *(cell for first, second in pairs for cell in _shared(first.seconds, second.seconds))])
    found = "; ".join(
        f"{first.laid.rows + second.laid.rows:,} rows: campaign recall {number(second.campaign_recall)}, account "
        f"recall {number(second.account_recall)}, precision {number(second.account_precision)}, alarms (urgent) "
        f"{second.alarms} ({second.alarms_urgent}), peak {second.peak_memory_mb:,.0f} MB"
        for first, second in pairs
    )
    return (
        "\nThe second scan reads the same rows and some later ones, and reuses the work of the first. "
        f"The share is relative to the seconds of the first scan.\n\n{table(head, body)}\n{found}.\n"
    )


def _shared(first: float, second: float) -> list[str]:
    return [f"{first:,.1f}", f"{second:,.1f}", f"{second / first:.2f}" if first > 0 else "-"]


def _grown(scans: Sequence[Scanned], i: int, seconds: Sequence[float]) -> str:
    if i == 0:
        return "-"
    found = exponent((scans[i - 1].laid.rows, seconds[i - 1]), (scans[i].laid.rows, seconds[i]))
    return "-" if found is None else f"{found:.2f}"


def number(value: float | None) -> str:
    """A share in three decimals."""
    return "-" if value is None else f"{value:.3f}"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first column is aligned left, the others right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *body))


# ---------------------------------------------------------------- the command


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(float(size)) for size in text.split(",") if size})
    if not sizes or sizes[0] < 100:
        raise argparse.ArgumentTypeError("sizes of at least 100 rows, such as 100000,1000000")
    return sizes


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError("a share above 0 and up to 1, such as 0.05")
    return share


def _name(rows: int, chosen: argparse.Namespace) -> str:
    """The folder of a dump within the work folder."""
    kind = "" if chosen.clusters == "plain" else f"{'rich' if chosen.data is None else 'rich-texts'}-"
    return f"{kind}rows-{rows}-seed-{chosen.seed}-harvest-{chosen.harvest:g}"


def _laid(folder: Path, chosen: argparse.Namespace, **given: int) -> Laid:
    """Lays a dump of the kind that was chosen."""
    if chosen.clusters == "plain":
        return apart(lay, folder, harvest=chosen.harvest, **given)
    return apart(lay_rich, folder, harvest=chosen.harvest, data=chosen.data, **given)


def _scanned(folder: Path, laid: Laid, chosen: argparse.Namespace, *, cache: Path, options: Sequence[str]) -> Scanned:
    """One size: a scan, and where asked for a second one that reuses the work of the first."""
    if not chosen.again:
        return scan(folder, laid, encoder=chosen.encoder, cache=cache, options=options)
    keep = folder / "keep"
    shutil.rmtree(keep, ignore_errors=True)
    keeping = [*options, "--work", str(keep)]
    if chosen.state:
        keeping = [*options, "--state", str(keep), "--window", f"{3 * DAYS}d"]
    first = scan(folder, laid, encoder=chosen.encoder, cache=cache, options=keeping)
    later = folder / f"later-{chosen.again:g}"
    later_rows = max(round(laid.rows * chosen.again), MIN_LATER)
    more = _laid(later, chosen, rows=later_rows, seed=chosen.seed + 1, start=START + DAYS * DAY, files=1)
    tell(more)
    second = scan(
        folder, more, encoder=chosen.encoder, cache=cache, options=keeping, later=later, alone=chosen.state
    )  # fmt: skip
    return replace(first, again=second)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=_sizes, default=[100_000, 1_000_000], help="sizes, separated by commas")
    parser.add_argument("--encoder", choices=("fast", "auto", "full"), default="fast")
    parser.add_argument("--clusters", choices=("plain", "rich"), default="plain", help="few clusters, or many")
    parser.add_argument("--data", type=Path, help="folder with the public texts for rich dumps; the grammar without")
    parser.add_argument("--harvest", type=float, default=HARVEST, help="share of the rows that campaigns send")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=_share, metavar="SHARE", help="scan again, with this share of later rows")
    parser.add_argument("--state", action="store_true", help="scan into a state, and the later rows alone")
    parser.add_argument("--threads", type=int, default=0, help="of the scan; 0 takes all cores")
    parser.add_argument("--work", type=Path, help="keep dumps, models and results in this folder")
    parser.add_argument(
        "--docs", type=Path, help="Markdown file whose section scale-ENCODER[-rich][-state] is replaced"
    )
    parser.add_argument("--json", type=Path, help="write all results here too")
    chosen = parser.parse_args(arguments)
    scans = []
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        cache = warm(work, encoder=chosen.encoder)
        for rows in chosen.rows:
            folder = work / _name(rows, chosen)
            laid = _laid(folder, chosen, rows=rows, seed=chosen.seed)
            tell(laid)
            options = ["--threads", str(chosen.threads)]
            scans.append(_scanned(folder, laid, chosen, cache=cache, options=options))
            print(f"{rows:,} rows scanned in {scans[-1].seconds:,.1f} s", file=sys.stderr)
    kind = "" if chosen.clusters == "plain" else f"--clusters {chosen.clusters} {'--data DIR ' * bool(chosen.data)}"
    command = (
        f"python -m benchmarks.scale {kind}--rows {','.join(map(str, chosen.rows))} --encoder {chosen.encoder} "
        f"--harvest {chosen.harvest:g} --seed {chosen.seed} --threads {chosen.threads}"
    )
    if chosen.again:
        command += f" --again {chosen.again:g}{' --state' if chosen.state else ''}"
    text = tables(scans, command=command)
    print(text)
    if chosen.docs:
        rich = "" if chosen.clusters == "plain" else "-rich"
        write_section(chosen.docs, f"scale-{chosen.encoder}{rich}{'-state' if chosen.state else ''}", text)
    if chosen.json:
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(s) for s in scans])))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
