"""Worlds in daily dumps: on which day is each kind of campaign found, and does it keep its id?

    python -m benchmarks.world_days --data DIR [--world api,adaptive] [--half tuning|reporting] [--seeds 1]
        [--first-seed 0] [--rows 40000] [--window 30d] [--encoder fast] [--work DIR] [--docs FILE]

The rows of a world (:mod:`benchmarks.worlds`) are cut into days, and each day is scanned into a state with the clock at
its end. A campaign is *found* on the first day on which half of the accounts of a finding at urgent or review, or more,
are its accounts.
Days count from its first prompt to the end of that day. *Ids* are the different ids of such findings over all days.
*Under one id* is the largest share of the campaign's accounts that the state has under one id at the end.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages import publish
from benchmarks.planting import PlantedDump
from benchmarks.scale import table
from benchmarks.stream import COUNTED
from benchmarks.world_plan import CAMPAIGNS
from benchmarks.worlds import ROOT, add_world_options, commit_of, laid_worlds, parsed_worlds
from harvestdetect import Settings
from harvestdetect.state import open_state
from harvestdetect.util.periods import DAY

__all__ = ["Followed", "cut", "follow", "main"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What became of one campaign."""

    kind: str
    accounts: int
    lasts: float
    """Days from its first harvest prompt to the last row of its accounts."""
    after: float | None
    """Days from its first harvest prompt to the end of the day on which it was found; None: it was not."""
    ids: int
    """Different ids of findings that were mostly its accounts."""
    under_one: float
    """The largest share of its accounts that one id has at the end."""


def cut(laid: PlantedDump, folder: Path) -> tuple[list[Path], int]:
    """Writes one dump for each day of a world.

    Args:
        laid: the world.
        folder: made if it does not exist.

    Returns:
        the files; and the start of the first day, in seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = min(row["timestamp"] for row in laid.rows) // DAY * DAY
    by_day: dict[int, list[str]] = defaultdict(list)
    for row in laid.rows:
        by_day[(row["timestamp"] - start) // DAY].append(json.dumps(row) + "\n")
    files = []
    for day in range(max(by_day) + 1):
        files.append(folder / f"day-{day:03d}.jsonl.gz")
        with gzip.open(files[-1], "wt", encoding="utf-8", compresslevel=1) as stream:
            stream.writelines(by_day.get(day, []))
    return files, start


def follow(laid: PlantedDump, folder: Path, *, window: str, settings: Settings) -> list[Followed]:
    """Scans a world day by day.

    Args:
        laid: the world.
        folder: gets the dumps and the state.
        window: of the state, such as ``30d``.
        settings: of the scans.
    """
    files, start = cut(laid, folder / "days")
    campaigns = {g["name"]: frozenset(g["accounts"]) for g in laid.truth if g["kind"] == "campaign"}
    found_on: dict[str, list[tuple[int, str]]] = defaultdict(list)
    members: dict[str, set[str]] = {}
    for day, file in enumerate(files):
        with open_state(folder / "state", write=True) as state:
            run = state.scan([file], settings=settings, window=window, now=start + (day + 1) * DAY)
            members = {known.campaign_id: set(state.members(known.campaign_id)) for known in state.campaigns()}
        for finding in run.detection.findings:
            accounts = {member.account for member in finding.members}
            for name, own in campaigns.items():
                if finding.tier in COUNTED and 2 * len(accounts & own) >= len(accounts):
                    found_on[name].append((day, finding.campaign_id))
    sent: dict[str, list[int]] = defaultdict(list)
    of = {account: name for name, own in campaigns.items() for account in own}
    for row in laid.rows:
        if row["account"] in of:
            sent[of[row["account"]]].append(row["timestamp"])
    found = []
    for name, own in campaigns.items():
        ids = {identity for _, identity in found_on[name]}
        end = start + (found_on[name][0][0] + 1) * DAY if found_on[name] else None
        found.append(
            Followed(
                kind=name,
                accounts=len(own),
                lasts=(max(sent[name], default=laid.first[name]) - laid.first[name]) / DAY,
                after=None if end is None else (end - laid.first[name]) / DAY,
                ids=len(ids),
                under_one=max((len(members.get(one, set()) & own) for one in ids), default=0) / len(own),
            )
        )
    return found


def tables(world: str, followed: Sequence[Followed]) -> str:
    """One line for each kind of campaign, over all seeds."""
    head = (world, "accounts", "lasts", "found", "days until found", "ids", "under one id at the end")
    rows = []
    for kind in CAMPAIGNS:
        own = [one for one in followed if one.kind == kind]
        days = [one.after for one in own if one.after is not None]
        rows.append(
            (
                kind,
                f"{statistics.mean(one.accounts for one in own):.0f}",
                f"{statistics.mean(one.lasts for one in own):.0f}",
                f"{len(days)} of {len(own)}",
                ", ".join(f"{one:.1f}" for one in days) or "–",
                ", ".join(str(one.ids) for one in own),
                f"{statistics.mean(one.under_one for one in own):.2f}",
            )
        )
    return table(head, rows) + "\n"


def _followed(given: argparse.Namespace, work: Path) -> str:
    settings = Settings(encoder=given.encoder, cache=given.cache)
    found: dict[str, list[Followed]] = defaultdict(list)
    for world, seed, laid in laid_worlds(given):
        folder = work / f"{world}-{given.half}-{seed}"
        found[world] += follow(laid, folder, window=given.window, settings=settings)
    return "\n".join(tables(world, followed) for world, followed in found.items())


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world_days", description="Worlds in daily dumps.")
    add_world_options(parser, seeds=1)
    parser.add_argument("--window", default="30d", help="of the state")
    parser.add_argument("--cache", type=Path, help="folder of made models")
    parser.add_argument("--work", type=Path, help="folder for dumps and states, new; a temporary one by default")
    parser.add_argument("--docs", type=Path, help="page whose section world-days is replaced")
    given = parsed_worlds(parser, arguments)
    if given.work is not None and given.work.exists() and any(given.work.iterdir()):
        parser.error(f"--work must be an empty or a new folder, got {given.work}")
    return given


def _command(given: argparse.Namespace) -> str:
    """The command as it may be printed, without folders."""
    options = [f"--world {','.join(given.world)}", f"--half {given.half}", f"--seeds {given.seeds}"]
    options += [f"--first-seed {given.first_seed}", f"--rows {given.rows}", f"--window {given.window}"]
    options += [f"--encoder {given.encoder}"] + ["--data DIR"] * (given.data is not None)
    return f"python -m benchmarks.world_days {' '.join(options)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = _arguments(arguments)
    with tempfile.TemporaryDirectory() as spare:
        text = _followed(given, given.work or Path(spare))
    publish(text, given.docs, "world-days", command=_command(given), commit=commit_of(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
