"""Innocent traffic: what a scan finds where there is nothing to find.

    python -m benchmarks.innocents --data DIR [--kinds game,irc,forum,git,chat,service,joined]
        [--half tuning|reporting] [--seeds 1] [--first-seed 0] [--rows 40000] [--no-metadata] [--campaigns]
        [--encoder fast] [--work DIR] [--lay-only] [--checkout DIR] [--docs FILE]

The kinds are:

* ``game``: a public prompt game, with its accounts, prompts and times as they are.
* ``irc``: the nicks of chat channels. ``forum``: the authors of a forum, and questions dealt on their times. ``git``:
  what people and programs wrote into the history of repositories, and documents and questions on software dealt on
  the times of people.
* ``chat``: conversations and questions to assistants, dealt to the times of real accounts.
* ``service``: the calls that traces of LLM services recorded, by developers with documents of their own, some of them
  behind the default prompts of frameworks.
* ``joined``: people whose prompts are random joins of real sentences, at any number of rows
  (:mod:`benchmarks.innocent_joined`); with ``--campaigns``, nine ordinary campaigns are among them.

``game``, ``irc``, ``forum``, ``git`` and ``chat`` have as many rows as their half of the texts allows: a dump with
fewer is a random choice of the accounts, and one with all of them is nearly the same for every seed. ``--rows`` of the
others is exact, but for what campaigns add or leave.

Another program lays a dump with :func:`lay`, and writes it with :func:`benchmarks.planting.write`::

    from benchmarks.innocents import lay
    laid = lay("joined", half="tuning", seed=0, rows=40_000, data=Path("DIR"), metadata=True, campaigns=True)

Its rows are in order of time and have ``account``, ``timestamp`` and ``prompt``, with metadata also the fields of
:mod:`benchmarks.identities`. Its truth has no campaign unless asked for; ``service`` names the users of each framework
as a look-alike. Rare values, newcomers, popular texts and sources vary with the seed. Without data, the texts are those
of the package's grammar.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from benchmarks.ground import Ground, Hosts, Row
from benchmarks.identities import Identities, Identity
from benchmarks.innocent_campaigns import ordinary_campaigns
from benchmarks.innocent_joined import joined_accounts, material
from benchmarks.innocent_kinds import Sender, senders
from benchmarks.innocent_scores import score, tables
from benchmarks.innocent_service import service_senders
from benchmarks.innocent_variety import Opener, draw_variety
from benchmarks.pages import publish
from benchmarks.planted_campaigns import plant_campaign
from benchmarks.planting import PlantedDump, finish, write
from benchmarks.real_texts import Half, Trace
from benchmarks.scenarios import Scenario
from benchmarks.sources import WINDOW, NotEnough, Sources, grammar_sources, real_sources
from benchmarks.world_sources import data_missing, toy_sources
from benchmarks.worlds import ROOT, commit_of, scanned

__all__ = ["Kind", "lay", "main"]

Kind: TypeAlias = Literal["game", "irc", "forum", "git", "chat", "service", "joined"]
RESULTS: Final = "innocents.json"


def lay(
    kind: Kind, *, half: Half, seed: int, rows: int, data: Path | None, metadata: bool, campaigns: bool = False
) -> PlantedDump:
    """Lays one innocent dump.

    Args:
        kind: of the traffic.
        half: of the public data.
        seed: of every draw.
        rows: to aim at, at least 1,000; kinds with a fixed stock of texts have fewer where it does not suffice.
        data: the folder with the public texts; None takes those of the package's grammar.
        metadata: whether rows have more than account, time and prompt.
        campaigns: whether nine ordinary campaigns are planted; only in ``joined``.

    Raises:
        ValueError: campaigns are asked for in another kind, or there are too few rows.
        NotEnough: the texts do not suffice for the campaigns.
    """
    if campaigns and kind != "joined":
        raise ValueError(f"campaigns can be planted in joined only, got the kind {kind}")
    if rows < 1_000:
        raise ValueError(f"rows must be 1,000 or more, got {rows}")
    key = f"innocents-{kind}-{half}-{seed}"
    rng = random.Random(key)
    variety = draw_variety(rng)
    ids = Identities(seed=key, days=WINDOW, at_once=variety.launch) if metadata else None
    opener = Opener(variety, ids, random.Random(f"{key}-identities"))
    if kind == "joined":
        return _joined(key, half, rows, data, opener, campaigns, rng)
    if kind == "service":
        found = service_senders(half=half, rows=rows, data=data, variety=variety, rng=rng)
    else:
        found = senders(kind, half=half, rows=rows, data=data, variety=variety, rng=rng)
    ground = _ground(_no_texts(_origin(data, half)), half, [], opener, rng)
    background = _open_senders(ground, found, opener)
    laid = finish(ground)
    laid.background = background
    return laid


def _origin(data: Path | None, half: Half) -> str:
    return f"public texts and times, {half} half" if data is not None else "texts of the package's own grammar"


def _no_texts(origin: str) -> Sources:
    """Sources for dumps in which nothing is planted."""
    return Sources(
        origin=origin, accounts=[], payloads=[], templates=[], products=[], scaffolds=[], viral=[], sentences=[],
        passage="", tasks=[], launch=[],
    )  # fmt: skip


def _ground(sources: Sources, half: Half, accounts: Sequence[Trace], opener: Opener, rng: random.Random) -> Ground:
    return Ground(
        sources=sources, half=half, rng=rng, hosts=Hosts(accounts, rng), identities=opener.identities
    )  # fmt: skip


def _open_senders(ground: Ground, found: Sequence[Sender], opener: Opener) -> int:
    """Opens the accounts, and writes their groups into the truth; returns the rows of accounts without a group."""
    groups: dict[str, list[str]] = {}
    sent: dict[str, int] = {}
    for sender in found:
        account = ground.open(opener.identity(sender.circle, program=sender.program))
        ground.rows.extend(Row(time, account, prompt, None) for time, prompt in sender.trace)
        sent[account] = len(sender.trace)
        if sender.group is not None:
            groups.setdefault(sender.group, []).append(account)
    for name, accounts in sorted(groups.items()):
        if len(accounts) > 1:
            ground.group(name, "look-alike", "users of one framework with documents of their own", accounts)
            for account in accounts:
                del sent[account]
    return sum(sent.values())


def _joined(
    key: str, half: Half, rows: int, data: Path | None, opener: Opener, campaigns: bool, rng: random.Random
) -> PlantedDump:
    """People who join sentences, with campaigns where they are asked for."""
    sources = _no_texts(_origin(data, half))
    if campaigns:
        sources = grammar_sources(seed=key, rows=0) if data is None else real_sources(data, half=half, seed=key, rows=0)
    toys = toy_sources(seed=key, rows=1_000) if data is None else None
    sentences, clocks = material(data, half, toys, rng)
    planned: tuple[Scenario, ...] = ()
    if campaigns:
        planned = ordinary_campaigns(
            rows, tasks=len(sources.tasks), metadata=opener.identities is not None, rng=rng
        )  # fmt: skip
        dealt = {*sources.payloads, *sources.tasks}
        sentences = {name: [s for s in own if s not in dealt] for name, own in sentences.items()}
    background = rows - sum(s.harvest for s in planned)
    ground = _ground(sources, half, joined_accounts(sentences, clocks, rows=background, rng=rng), opener, rng)
    size = max(40, len(sources.payloads) // max(1, len(planned)))
    for number, scenario in enumerate(planned):
        plant_campaign(ground, scenario, sources.payloads[number * size : (number + 1) * size])

    def identity() -> Identity | None:
        return opener.identity("")

    return finish(ground, identity=identity)


# ---------------------------------------------------------------- the command


def _measured(given: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """The results of all kinds and seeds."""
    results = []
    for kind in given.kinds:
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            folder = work / f"{kind}-{given.half}-{seed}"
            try:
                laid = lay(
                    kind,
                    half=given.half,
                    seed=seed,
                    rows=given.rows,
                    data=given.data,
                    metadata=given.metadata,
                    campaigns=given.campaigns and kind == "joined",
                )
            except NotEnough as error:
                raise SystemExit(f"{kind}, seed {seed}: {error}; try --rows with another number") from None
            dump = write(laid, folder)
            rows, accounts = len(laid.rows), laid.accounts
            _say(f"{kind}, seed {seed}: {rows:,} rows of {accounts:,} accounts, {laid.origin}")
            if given.lay_only:
                continue
            truth = laid.truth
            del laid
            found = scanned(dump, folder, encoder=given.encoder, checkout=given.checkout)
            results.append(score(found, truth, kind=kind, seed=seed, rows=rows, accounts=accounts))
            _say(f"  scanned in {found['seconds']:.0f} s: {results[-1]['findings'] or 'no finding'}")
    return results


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.innocents", description="Findings in innocent traffic.")
    parser.add_argument("--kinds", default=",".join(get_args(Kind)), help="some of " + ",".join(get_args(Kind)))
    parser.add_argument("--half", default="tuning", choices=get_args(Half))
    parser.add_argument("--seeds", type=int, default=1, help="dumps of each kind")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=40_000, help="about the number of rows of a dump; 1,000 or more")
    parser.add_argument("--metadata", action=argparse.BooleanOptionalAction, default=True, help="ip, client and more")
    parser.add_argument("--campaigns", action="store_true", help="plant nine ordinary campaigns in joined")
    parser.add_argument("--encoder", default="fast", choices=["auto", "fast", "full"])
    parser.add_argument("--data", type=Path, help="folder with the public texts; the package's grammar without")
    parser.add_argument("--work", type=Path, help=f"folder for dumps and {RESULTS}; a temporary one by default")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="folder of the checkout whose detector scans")
    parser.add_argument("--lay-only", action="store_true", help="write the dumps and do not scan")
    parser.add_argument("--docs", type=Path, help="page whose section is replaced")
    given = parser.parse_args(arguments)
    given.kinds = [name for name in given.kinds.split(",") if name]
    if unknown := [name for name in given.kinds if name not in get_args(Kind)]:
        parser.error(f"--kinds knows {', '.join(get_args(Kind))}, got {unknown[0]!r}")
    if given.rows < 1_000:
        parser.error(f"--rows must be 1,000 or more, got {given.rows}")
    if given.data is not None and (missing := data_missing(given.data)):
        parser.error(f"{given.data} lacks {', '.join(missing)} (.jsonl.gz)")
    if given.campaigns and "joined" not in given.kinds:
        parser.error("--campaigns needs the kind joined")
    if given.lay_only and given.work is None:
        parser.error("--lay-only needs --work, the folder for the dumps")
    if not (given.checkout / "harvestdetect" / "pipeline.py").is_file():
        parser.error(f"--checkout must be a folder with the package harvestdetect, got {given.checkout}")
    return given


def _command(given: argparse.Namespace) -> str:
    """The command as it may be printed, without folders."""
    options = [f"--kinds {','.join(given.kinds)}", f"--half {given.half}", f"--seeds {given.seeds}"]
    options += [f"--first-seed {given.first_seed}", f"--rows {given.rows}", f"--encoder {given.encoder}"]
    options += ["--data DIR"] * (given.data is not None) + ["--no-metadata"] * (not given.metadata)
    options += ["--campaigns"] * given.campaigns
    return f"python -m benchmarks.innocents {' '.join(options)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = _arguments(arguments)
    with tempfile.TemporaryDirectory() as spare:
        work = given.work or Path(spare)
        results = _measured(given, work)
        if given.lay_only:
            return 0
        (work / RESULTS).write_text(json.dumps(results, indent=1), encoding="utf-8")
    section, commit = f"innocents-{given.half}", commit_of(given.checkout)
    publish(tables(results), given.docs, section, command=_command(given), commit=commit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
