"""Speed and memory of a scan, and what it finds, as the dump grows.

    python -m benchmarks.scale [--rows 100000,1000000] [--encoder fast] [--work DIR] [--seed 0] [--docs FILE]
    python -m benchmarks.scale --rows 1000000 --again 0.05
    python -m benchmarks.scale --rows 1000000 --again 0.025 --state

A dump is a simulated one (:mod:`harvestdetect.simulate`) in which people also send what they or others sent before
and paste longer texts, see :func:`lay`. The scan is the command of the package in a process of its own; its stages are
those of ``run.json``. The models are made beforehand; vectors are not kept from one scan to the next. Dumps that
``--work`` holds already are used again. With ``--again`` every dump is scanned a second time, with that share of rows
beside it that came later; the scans keep their work in one folder, or with ``--state`` in a state, into which the later
rows are scanned alone, as every day.
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
from array import array
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Final, ParamSpec, TypeVar

import msgspec
import numpy as np

from benchmarks.pages import ran_on, write_section
from harvestdetect.simulate import simulate, write_plan
from harvestdetect.simulate.evaluate import evaluate, read_findings, read_truth
from harvestdetect.simulate.groups import Plan, Writer, make_plan
from harvestdetect.simulate.people import Text
from harvestdetect.simulate.traffic import DAY, Account
from harvestdetect.store.folder import cache_folder

__all__ = [
    "DAYS", "REST", "START", "Laid", "Scanned",
    "apart", "exponent", "lay", "main", "number", "read_laid", "scan", "table", "tables", "tell", "warm", "write_laid",
]  # fmt: skip

P = ParamSpec("P")
T = TypeVar("T")

HARVEST: Final = 0.005
"""Share of the rows that campaigns send."""
DAYS: Final = 45
START: Final = 1_780_272_000
"""First second of a dump, 2026-06-01 in UTC."""
CAMPAIGNS: Final = 8
"""Campaigns at 100,000 rows; they grow with the square root of the rows..."""
MOST_CAMPAIGNS: Final = 40
"""...up to so many..."""
LEAST_HARVEST: Final = 50
"""...with so many harvest prompts each, on average."""
AGAIN: Final = 0.3
"""Share of the plain texts of ordinary people that repeat what the same account sent last: a retry, a loop..."""
POPULAR: Final = 0.13
"""...and share of those that many people send word for word."""
PER_POPULAR: Final = 250
"""Rows for each text that is popular."""
PASTES: Final = 0.09
"""Share of the plain texts of ordinary people with a long text pasted below."""
PASTED: Final = (6.2, 0.9)
"""Logarithm of the length of what is pasted, mean and deviation..."""
MOST_PASTED: Final = 20_000
"""...and the most characters."""
SENTENCES: Final = 20_000
"""Sentences kept to paste from."""
LEAST_LATER: Final = 250
"""Fewest rows that come later: from so many there is a look-alike among them."""
REST: Final = "start and files"
"""What is not a stage of the scan."""


# ---------------------------------------------------------------- the dump


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What a dump holds."""

    rows: int
    accounts: int
    campaigns: int
    look_alikes: int
    harvest: int
    """Rows that campaigns harvest with."""
    characters: float
    """Of a row's prompt, mean."""
    repeated: float
    """Share of the rows whose text was in an earlier row."""
    bytes: int
    """Of the dump, compressed."""
    seconds: float
    """That it took to lay."""


@dataclass(slots=True)
class _Rewriter:
    """Makes plain texts of people outside every planted group longer and more alike, row by row."""

    planted: frozenset[str]
    random: Random
    popular_at_most: int
    last: dict[str, str] = field(default_factory=dict)
    popular: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    characters: int = 0
    hashes: array[int] = field(default_factory=lambda: array("q"))
    """Of the text of every row."""

    def around(self, writer: Writer) -> Writer:
        """A writer of prompts as they go into the rows."""

        def rewriting(account: Account, item: int, session: int, random: Random) -> Text:
            return self.rewrite(account.identity, writer(account, item, session, random))

        return rewriting

    def rewrite(self, account: str, prompt: Text) -> Text:
        """The prompt that goes into the row."""
        if isinstance(prompt, str) and account not in self.planted:
            prompt = self._text(account, prompt)
        told = prompt if isinstance(prompt, str) else "\n".join(m["content"] for m in prompt)
        self.characters += len(told)
        self.hashes.append(hash(told))
        return prompt

    def again(self) -> int:
        """Rows with a text that was in an earlier one."""
        hashes = np.sort(np.frombuffer(self.hashes, dtype=np.int64))
        return int((hashes[1:] == hashes[:-1]).sum())

    def _text(self, account: str, text: str) -> str:
        random = self.random
        self._learn(text)
        draw = random.random()
        if draw < AGAIN and account in self.last:
            return self.last[account]
        if draw > 1 - POPULAR and self.popular:
            # the n-th text is sent about 1 / n as often as the first
            text = self.popular[int(len(self.popular) ** random.random()) - 1]
        elif draw > 1 - POPULAR - PASTES and self.sentences:
            text = f"{text}\n\n{self._paste()}"
        self.last[account] = text
        return text

    def _learn(self, text: str) -> None:
        if len(self.popular) < self.popular_at_most and 30 < len(text) < 1_500:
            self.popular.append(text)
        if len(text) > 60:
            for sentence in text.split(". "):
                if len(sentence) <= 20:
                    continue
                if len(self.sentences) < SENTENCES:
                    self.sentences.append(sentence)
                else:
                    self.sentences[int(self.random.random() * SENTENCES)] = sentence

    def _paste(self) -> str:
        """Sentences of other people put together anew, and a number, as records and logs have them."""
        random, sentences = self.random, self.sentences
        left = min(random.lognormvariate(*PASTED), MOST_PASTED)
        found = [f"#{random.getrandbits(40)}"]
        while left > 0:
            found.append(sentences[int(random.random() * len(sentences))])
            left -= len(found[-1]) + 2
        return ". ".join(found)


def lay(
    folder: Path, *, rows: int, seed: int, harvest: float = HARVEST, start: int = START, files: int | None = None
) -> Laid:
    """Writes ``dump/*.jsonl.gz``, ``truth.jsonl`` and ``laid.json``, unless the folder holds a dump already.

    Background, campaigns and look-alikes are those of :func:`harvestdetect.simulate.simulate`. Of the people outside
    every planted group some repeat themselves (:data:`AGAIN`) or send popular texts (:data:`POPULAR`), and some paste
    long texts (:data:`PASTES`). What grows with the rows is a hash per row, one text per account and what the
    simulation plans.

    Args:
        folder: made when it does not exist.
        rows: of the dump, at least 100.
        seed: of every draw.
        harvest: share of the rows that campaigns send.
        start: first second, since 1970.
        files: of the dump; None: by its rows.
    """
    known = read_laid(folder)
    if known is not None:
        return known
    begun = time.perf_counter()
    campaigns = min(round(CAMPAIGNS * math.sqrt(rows / 100_000)) or 1, MOST_CAMPAIGNS)
    campaigns = min(campaigns, int(rows * harvest / LEAST_HARVEST))
    plan = make_plan(
        prompts=rows, harvest_share=harvest, campaigns=campaigns, seed=seed, start=start, end=start + DAYS * DAY
    )
    return write_laid(folder, plan, seed=seed, begun=begun, files=files)


def read_laid(folder: Path) -> Laid | None:
    """What was said of the dump that the folder holds; None where it holds none."""
    known = folder / "laid.json"
    return msgspec.json.decode(known.read_bytes(), type=Laid) if known.is_file() else None


def write_laid(folder: Path, plan: Plan, *, seed: int, begun: float, files: int | None = None) -> Laid:
    """Writes what was planned, rewritten as :func:`lay` says, and ``laid.json``.

    Args:
        folder: made when it does not exist.
        plan: its streams will write as the rows do.
        seed: of every draw.
        begun: when planning began, as ``time.perf_counter()`` tells it.
        files: of the dump; None: by its rows.
    """
    rows = sum(len(events) for _, events in plan.streams)
    rewriter = _Rewriter(
        planted=frozenset(plan.network.accounts[a].identity for group in plan.groups for a in group.accounts),
        random=Random(f"scale-{seed}"),
        popular_at_most=max(rows // PER_POPULAR, 20),
    )
    plan.streams = [(rewriter.around(writer), events) for writer, events in plan.streams]
    made = write_plan(folder, plan, seed=seed, files=files)
    laid = Laid(
        rows=rows,
        accounts=made.counts["accounts"],
        campaigns=made.counts["campaigns"],
        look_alikes=made.counts["look_alikes"],
        harvest=made.counts["harvest_prompts"],
        characters=round(rewriter.characters / rows, 1),
        repeated=round(rewriter.again() / rows, 4),
        bytes=sum(file.stat().st_size for file in made.files),
        seconds=round(time.perf_counter() - begun, 1),
    )
    (folder / "laid.json").write_bytes(msgspec.json.encode(laid))
    return laid


def apart(function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
    """Calls a function in a process of its own: what that held would count as the peak of a process started later."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def tell(laid: Laid) -> None:
    """Says on standard error what was laid."""
    print(
        f"{laid.rows:,} rows laid in {laid.seconds:.1f} s: {laid.bytes / 1e6:,.0f} MB, {laid.characters:.0f} "
        f"characters on average, {laid.repeated:.0%} of the rows repeat a text",
        file=sys.stderr,
    )


# ---------------------------------------------------------------- the scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a scan took and found."""

    laid: Laid
    stages: Mapping[str, tuple[float, float]]
    """Stage -> seconds, and peak memory of the process until its end, MB; :data:`REST` last."""
    seconds: float
    """From the start of the process to its end."""
    processor_seconds: float
    """Of all cores; what other processes take does not count."""
    peak_memory_mb: float
    counts: Mapping[str, Any]
    versions: Mapping[str, str]
    campaign_recall: float | None
    account_recall: float | None
    account_precision: float | None
    alarms: int
    alarms_urgent: int
    again: Scanned | None = None
    """The scan of the same rows and later ones; what it says of ``laid`` are the later rows."""


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
        laid: what it holds, or what ``later`` holds.
        encoder: of the scan.
        cache: a folder with the models; it is copied, so that no vector is kept.
        options: further ones of ``harvestdetect scan``.
        later: another folder that :func:`lay` filled; its dump is scanned along...
        alone: ...or alone, as the other one is in a state.

    Raises:
        SystemExit: the scan failed.
    """
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    folders = [folder] if later is None else [folder, later]
    dumps = [str(held / "dump") for held in (folders[1:] if alone else folders)]
    planted = [replace(g, name=f"{held.name} {g.name}") for held in folders for g in read_truth(held)]
    with tempfile.TemporaryDirectory(dir=folder) as own:
        copied = Path(own) / "cache"
        if cache.is_dir():
            shutil.copytree(cache, copied)
        start = time.perf_counter()
        processor, peak = _command([*dumps, "--out", str(out), "--encoder", encoder, "--cache", str(copied), *options])
        seconds = time.perf_counter() - start
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    stages = {s["stage"]: (float(s["seconds"]), float(s["peak_memory_mb"])) for s in run["stages"]}
    stages[REST] = (round(seconds - sum(took for took, _ in stages.values()), 3), peak)
    scores = evaluate(read_findings(out), planted)
    return Scanned(
        laid=laid, stages=stages, seconds=round(seconds, 1), processor_seconds=processor, peak_memory_mb=peak,
        counts=run["counts"], versions=run["versions"], campaign_recall=scores.campaign_recall,
        account_recall=scores.account_recall, account_precision=scores.account_precision, alarms=scores.alarms,
        alarms_urgent=scores.alarms_urgent,
    )  # fmt: skip


def _command(arguments: Sequence[str]) -> tuple[float, float]:
    """Runs ``harvestdetect scan``; its processor seconds and its peak resident memory, MB."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARVESTDETECT_")}
    command = [sys.executable, "-m", "harvestdetect", "scan", *arguments, "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=kept)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the scan failed with exit code {process.returncode}")
    peak = used.ru_maxrss / (1_000_000 if sys.platform == "darwin" else 1_000)
    return round(used.ru_utime + used.ru_stime, 1), round(peak, 1)


def warm(work: Path, *, encoder: str) -> Path:
    """A cache with the models that an encoder needs, taken from the user's where they are there, and no vectors."""
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
            _command([dump, "--out", f"{folder}/out", "--encoder", encoder, "--cache", str(partial)])
            shutil.rmtree(partial / "vectors", ignore_errors=True)
            partial.replace(cache)
    return cache


# ---------------------------------------------------------------- tables


def exponent(first: tuple[float, float], second: tuple[float, float]) -> float | None:
    """How a cost grows between two sizes: e where cost ~ size ** e.

    Args:
        first, second: size and cost of each.

    Returns:
        None where a cost is zero or the sizes are equal.
    """
    (size, cost), (other_size, other_cost) = first, second
    if min(cost, other_cost) <= 0 or size == other_size:
        return None
    return math.log(other_cost / cost) / math.log(other_size / size)


def tables(scans: Sequence[Scanned], *, command: str) -> str:
    """The results in Markdown: the dumps and what was found, then what each stage took at each size."""
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
    """What the second scans took, as a share of the first; empty where there is none."""
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
    """A table in Markdown, its first column to the left."""
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


def _scanned(folder: Path, laid: Laid, chosen: argparse.Namespace, *, cache: Path, options: Sequence[str]) -> Scanned:
    """One size: a scan, and where it was asked for a second one that takes up the first one's work."""
    if not chosen.again:
        return scan(folder, laid, encoder=chosen.encoder, cache=cache, options=options)
    keep = folder / "keep"
    shutil.rmtree(keep, ignore_errors=True)
    keeping = [*options, "--work", str(keep)]
    if chosen.state:
        keeping = [*options, "--state", str(keep), "--window", f"{3 * DAYS}d"]
    first = scan(folder, laid, encoder=chosen.encoder, cache=cache, options=keeping)
    later = folder / f"later-{chosen.again:g}"
    more = apart(
        lay,
        later,
        rows=max(round(laid.rows * chosen.again), LEAST_LATER),
        seed=chosen.seed + 1,
        harvest=chosen.harvest,
        start=START + DAYS * DAY,
        files=1,
    )
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
    parser.add_argument("--harvest", type=float, default=HARVEST, help="share of the rows that campaigns send")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=_share, metavar="SHARE", help="scan again, with so many later rows beside")
    parser.add_argument("--state", action="store_true", help="scan into a state, and the later rows alone")
    parser.add_argument("--threads", type=int, default=0, help="of the scan; 0 takes all cores")
    parser.add_argument("--work", type=Path, help="keep dumps, models and results in this folder")
    parser.add_argument("--docs", type=Path, help="Markdown file whose section scale-ENCODER[-state] is replaced")
    parser.add_argument("--json", type=Path, help="write all results here too")
    chosen = parser.parse_args(arguments)
    scans = []
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        cache = warm(work, encoder=chosen.encoder)
        for rows in chosen.rows:
            folder = work / f"rows-{rows}-seed-{chosen.seed}-harvest-{chosen.harvest:g}"
            laid = apart(lay, folder, rows=rows, seed=chosen.seed, harvest=chosen.harvest)
            tell(laid)
            options = ["--threads", str(chosen.threads)]
            scans.append(_scanned(folder, laid, chosen, cache=cache, options=options))
            print(f"{rows:,} rows scanned in {scans[-1].seconds:,.1f} s", file=sys.stderr)
    command = (
        f"python -m benchmarks.scale --rows {','.join(map(str, chosen.rows))} --encoder {chosen.encoder} "
        f"--harvest {chosen.harvest:g} --seed {chosen.seed} --threads {chosen.threads}"
    )
    if chosen.again:
        command += f" --again {chosen.again:g}{' --state' if chosen.state else ''}"
    text = tables(scans, command=command)
    print(text)
    if chosen.docs:
        write_section(chosen.docs, f"scale-{chosen.encoder}{'-state' if chosen.state else ''}", text)
    if chosen.json:
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(s) for s in scans])))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
