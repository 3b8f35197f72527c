"""The command line of the comparison with other packages."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import msgspec

import benchmarks.peers
from benchmarks.laying import HARVEST, apart, lay, tell
from benchmarks.pages import write_section
from benchmarks.peers.bench import NOTHING, Bench, Embedded, Outcome, embed, measure
from benchmarks.peers.methods import PEERS, Peer
from benchmarks.peers.processes import EMBEDDINGS, Task, run_task
from benchmarks.peers.report import amount, remarks, table, versions_of
from benchmarks.scale import number, warm

__all__ = ["main"]

LIMIT: Final = 7_200.0
"""Seconds that a peer may take by default."""

MEMORY: Final = 20_000.0
"""Megabytes that a peer may take by default."""


def _chosen(text: str) -> list[Peer]:
    known = {name.lower(): peer for name, peer in PEERS.items()}
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise argparse.ArgumentTypeError("some of " + ",".join(PEERS))
    return [peer for name, peer in known.items() if name in names]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(benchmarks.peers.__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="of the dump, at least 100")
    parser.add_argument("--harvest", type=float, default=HARVEST, help="share of the rows that campaigns send")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--peers", type=_chosen, default=list(PEERS.values()), metavar="NAMES", help="some of " + ",".join(PEERS)
    )
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds that a peer may take")
    parser.add_argument("--memory", type=float, default=MEMORY, help="megabytes that a peer may take")
    parser.add_argument("--threads", type=int, default=0, help="of every process; 0 takes all cores")
    parser.add_argument(
        "--work", type=Path, help="keep the dump, the models, the embeddings and results in this folder"
    )
    parser.add_argument("--docs", type=Path, help="Markdown file whose section peers is replaced")
    parser.add_argument("--json", type=Path, help="write all results here too")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.task is not None:
        task = msgspec.json.decode(chosen.task, type=Task)
        Path(task.out).write_bytes(msgspec.json.encode(run_task(task)))
        return 0
    if chosen.rows < 100:
        parser.error("at least 100 rows")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as scratch:
        base: Path = chosen.work or Path(scratch)
        base.mkdir(parents=True, exist_ok=True)
        folder = (base / f"rows-{chosen.rows}-seed-{chosen.seed}-harvest-{chosen.harvest:g}").resolve()
        laid = apart(lay, folder, rows=chosen.rows, seed=chosen.seed, harvest=chosen.harvest)
        tell(laid)
        bench = Bench(
            folder=folder, work=folder / "peers", cache=warm(base, encoder="fast").resolve(),
            limit=chosen.limit, memory=chosen.memory, threads=chosen.threads, seed=chosen.seed,
        )  # fmt: skip
        bench.work.mkdir(exist_ok=True)
        embedded: Embedded | None = None
        for peer in chosen.peers:
            if missing := peer.missing():
                outcomes.append(Outcome(peer=peer.name, state="not installed", remark=missing))
            else:
                if peer.embeds and embedded is None:
                    print(f"{EMBEDDINGS} ...", file=sys.stderr, flush=True)
                    embedded = embed(bench)
                    print(f"{EMBEDDINGS}: {embedded}", file=sys.stderr, flush=True)
                outcomes.append(measure(bench, peer, (embedded or NOTHING) if peer.embeds else NOTHING))
            print(_line(outcomes[-1]), file=sys.stderr, flush=True)
            if chosen.json:
                chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(o) for o in outcomes])))
    command = f"python -m benchmarks.peers --rows {chosen.rows} --harvest {chosen.harvest:g} --seed {chosen.seed}"
    command += f" --limit {chosen.limit:g} --memory {chosen.memory:g} --threads {chosen.threads}"
    if len(chosen.peers) < len(PEERS):
        command += " --peers " + ",".join(peer.name for peer in chosen.peers)
    text = table(outcomes, laid, command=command, versions=versions_of(chosen.peers))
    print(text)
    if chosen.docs:
        write_section(chosen.docs, "peers", text)
    return 0


def _line(outcome: Outcome) -> str:
    """One outcome, as a line for the terminal."""
    recall = outcome.scores.campaign_recall if outcome.scores else None
    return (
        f"{outcome.peer}: {outcome.state}, {amount(outcome.seconds)} s, {amount(outcome.peak_memory_mb)} MB, "
        f"campaign recall {number(recall)}  {remarks(outcome)}"
    )
