"""Sixty days in daily dumps: does a campaign keep its id, and when is it reported?

    python -m benchmarks.stream [--days 60] [--rows 1000] [--window 30d] [--seed 0] [--carry] [--docs FILE]
        [--json FILE]

Campaigns start, grow, hand over to a second pool of accounts, return with one, or rotate templates and accounts, among
people and the look-alikes of the simulator. Every day's dump is scanned into a state, with the clock at the end of the
day. At the end the last window is scanned once more, by itself and without a state.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

import msgspec
import numpy as np

from benchmarks.event import open_pools
from benchmarks.laying import START
from benchmarks.pages import ran_on, write_section
from benchmarks.scale import table
from harvestdetect import Settings, detect, read_dumps
from harvestdetect.alerts import load_channels
from harvestdetect.data import Detection
from harvestdetect.incremental import folder as reuse_folder
from harvestdetect.simulate import write_plan
from harvestdetect.simulate.evaluate import read_truth
from harvestdetect.simulate.groups import make_plan
from harvestdetect.simulate.harvest import SUFFIXES, SWEEPS, Form
from harvestdetect.simulate.people import GRAMMAR, Text
from harvestdetect.simulate.plan import Plan, PlantedGroup, Writer, launch_of
from harvestdetect.simulate.traffic import Account, machine_times
from harvestdetect.state import open_state
from harvestdetect.util.periods import DAY

__all__ = ["COUNTED", "SCENARIOS", "Followed", "Scenario", "Wave", "lay", "main", "run_stream"]

COUNTED: Final = ("urgent", "review")
"""Tiers of findings that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """A pool of accounts at work."""

    accounts: int
    first: float
    """When it starts, as a share of the window."""
    last: float
    """When it stops."""
    each: float = 1.5
    """Prompts per account and day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A campaign, and how it continues."""

    name: str
    form: Form
    waves: tuple[Wave, ...]
    rotates: bool = False
    """Whether each wave has a template of its own, and takes its accounts from one stock that was opened before the
    first wave."""
    second: int | None = None
    """Position of the wave that takes over or returns, with accounts of its own; None where there is none."""


SCENARIOS: Final = (
    Scenario(name="steady", form=SWEEPS[0], waves=(Wave(accounts=60, first=0.17, last=1.0),)),
    Scenario(
        name="grows",
        form=SWEEPS[1],
        waves=tuple(Wave(accounts=12, first=0.2 + 0.1 * i, last=1.0) for i in range(7)),
    ),
    Scenario(
        name="hands over",
        form=SWEEPS[2],
        waves=(Wave(accounts=50, first=0.1, last=0.42), Wave(accounts=50, first=0.42, last=0.84)),
        second=1,
    ),
    Scenario(
        name="returns",
        form=SUFFIXES[0],
        waves=(Wave(accounts=40, first=0.07, last=0.25), Wave(accounts=40, first=0.78, last=1.0)),
        second=1,
    ),
    Scenario(
        name="rotates",
        form=SWEEPS[3],
        waves=tuple(Wave(accounts=12, first=0.05 * i, last=0.05 * (i + 1), each=3.0) for i in range(20)),
        rotates=True,
    ),
    Scenario(name="brief", form=SWEEPS[4], waves=(Wave(accounts=80, first=0.5, last=0.57, each=2.0),)),
)
"""All scenarios. The return starts after the first pool has left a window of half the days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The result of one scenario; days are counted from 0."""

    name: str
    accounts: int
    started: int
    found: int | None
    """The first day on which a finding at review or above has most of its accounts so far."""
    ids: int
    """The number of different ids of such findings over all days."""
    second_started: int | None
    second_reported: int | None
    """The first day on which an account of the second pool is reported under the id of the first."""
    second_half: int | None
    """The first day on which half of the second pool's accounts that sent anything are."""
    alerts: dict[str, int]
    """The number of alerts of each kind."""
    recall: float
    """The share of its accounts that are reported under its id by the end."""


def lay(folder: Path, *, days: int, rows: int, seed: int) -> list[Path]:
    """Writes one dump per day and ``truth.jsonl``, in which each wave of a scenario is a group of its own.

    Args:
        folder: made when it does not exist.
        days: at least 20.
        rows: rows per day of people and look-alikes.
        seed: of every draw.
    """
    end = START + days * DAY
    plan = make_plan(prompts=rows * days, harvest_share=0.0, campaigns=0, seed=seed, start=START, end=end)
    dice = np.random.Generator(np.random.PCG64([seed, 60]))
    for scenario in SCENARIOS:
        _plant(plan, scenario, dice, Random(f"stream-{seed}-{scenario.name}"), days=days, end=end)
    made = write_plan(folder, plan, seed=seed, files=1)
    by_day: dict[int, list[bytes]] = defaultdict(list)
    for file in made.files:
        with gzip.open(file, "rb") as lines:
            for line in lines:
                by_day[(_seconds(json.loads(line)["timestamp"]) - START) // DAY].append(line)
        file.unlink()
    files = []
    for day in range(days):
        path = folder / "dump" / f"day-{day:03d}.jsonl.gz"
        with gzip.open(path, "wb", compresslevel=1) as out:
            out.writelines(by_day.get(day, []))
        files.append(path)
    return files


def _seconds(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else int(datetime.fromisoformat(value).timestamp())


def _plant(plan: Plan, scenario: Scenario, dice: np.random.Generator, words: Random, *, days: int, end: int) -> None:
    def opened(accounts: int, first: float, last: float) -> list[int]:
        bounds = START + np.array([int(first * days), int(last * days)]) * DAY
        (pool,) = open_pools(plan.network, dice, np.array([accounts]), bounds, launch=launch_of(START, end))
        return pool.accounts

    waves = scenario.waves
    writer = _writer(scenario.form, words)
    stock: list[int] = []
    if scenario.rotates:
        stock = opened(sum(wave.accounts for wave in waves), waves[0].first, waves[-1].last)
    for number, wave in enumerate(waves):
        begin, stop = (START + int(share * days) * DAY for share in (wave.first, wave.last))
        if scenario.rotates:
            accounts, stock = stock[: wave.accounts], stock[wave.accounts :]
            writer = _writer(scenario.form, words)
        else:
            accounts = opened(wave.accounts, wave.first, wave.last)
        count = max(wave.accounts, round(wave.accounts * wave.each * (stop - begin) / DAY))
        time_ = machine_times(dice, count=count, start=begin, end=stop, tempo="steady")
        who = np.asarray(accounts, np.int64)[dice.permutation(np.arange(count) % wave.accounts)]
        first = plan.new_sessions(count)
        plan.add(writer, time_, who, np.arange(count, dtype=np.int64), first + np.arange(count, dtype=np.int64))
        plan.groups.append(PlantedGroup(f"{scenario.name}/{number}", "campaign", "a wave", accounts))


def _writer(form: Form, words: Random) -> Writer:
    """A writer that fills one template of a form."""
    parts = GRAMMAR.freeze(form.text, words, keep=form.sweep + form.free)

    def write(account: Account, item: int, session: int, random: Random) -> Text:
        text = GRAMMAR.fill(parts, random)
        text = text[:1].upper() + text[1:]
        return [{"role": "user", "content": text}] if account.chat else text

    return write


def run_stream(
    folder: Path, files: Sequence[Path], *, window: str, settings: Settings
) -> tuple[list[Followed], list[dict[str, Any]], dict[str, Any]]:
    """Scans day by day.

    Returns:
        the result of each scenario; seconds and counts of each run; and a comparison of the state with one scan of the
        last window.
    """
    waves = {group.name: group.accounts for group in read_truth(folder) if group.kind == "campaign"}
    sent = _first_days(files)
    alerts = folder / "alerts.jsonl"
    alerts.unlink(missing_ok=True)
    channel = folder / "alerts.toml"
    channel.write_text(f"[[alerts]]\ntype = 'command'\ncommand = ['tee', '-a', {json.dumps(str(alerts))}]\n")
    channels = load_channels(channel)
    shutil.rmtree(folder / "state", ignore_errors=True)
    holders: dict[str, list[tuple[int, str]]] = defaultdict(list)
    second: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    runs = []
    last: Detection | None = None
    since: int | None = None
    members: dict[str, set[str]] = {}
    for day, file in enumerate(files):
        begun = time.perf_counter()
        with open_state(folder / "state", write=True) as state:
            run = state.scan([file], settings=settings, window=window, now=START + (day + 1) * DAY, channels=channels)
            members = {c.campaign_id: set(state.members(c.campaign_id)) for c in state.campaigns()}
        carried = any("carried on" in note for note in run.detection.notes)
        seconds = round(time.perf_counter() - begun, 2)
        runs.append({"day": day, "seconds": seconds, "carried": carried, **dict(run.detection.counts)})
        last, since = run.detection, run.window_start
        for scenario in SCENARIOS:
            accounts = _accounts(scenario, waves)
            for finding in run.detection.findings:
                common = {m.account for m in finding.members} & accounts
                if finding.tier in COUNTED and len(common) >= 0.5 * finding.accounts:
                    holders[scenario.name].append((day, finding.campaign_id))
            if scenario.second is not None and holders[scenario.name]:
                own = members.get(holders[scenario.name][0][1], set())
                pool = waves[f"{scenario.name}/{scenario.second}"]
                active = sum(sent.get(a, day + 1) <= day for a in pool)
                second[scenario.name].append((day, len(own & pool), active))
    assert last is not None
    return (
        [_outcome(s, waves, sent, holders[s.name], second[s.name], members, alerts) for s in SCENARIOS],
        runs,
        _compared(folder, files, last, since, settings),
    )


def _accounts(scenario: Scenario, waves: dict[str, frozenset[str]] | Any) -> set[str]:
    return set().union(*(waves[f"{scenario.name}/{i}"] for i in range(len(scenario.waves))))


def _first_days(files: Sequence[Path]) -> dict[str, int]:
    """The day of the first prompt of every account."""
    first: dict[str, int] = {}
    for day, file in enumerate(files):
        with gzip.open(file, "rb") as lines:
            for line in lines:
                row = json.loads(line)
                first.setdefault(str(row.get("account_id") or row.get("account")), day)
    return first


def _outcome(
    scenario: Scenario,
    waves: Any,
    sent: dict[str, int],
    holders: list[tuple[int, str]],
    second: list[tuple[int, int, int]],
    members: dict[str, set[str]],
    alerts: Path,
) -> Followed:
    accounts = _accounts(scenario, waves)
    ids = {identity for _, identity in holders}
    found = holders[0][0] if holders else None
    by_kind: dict[str, int] = defaultdict(int)
    lines = alerts.read_text().splitlines() if alerts.exists() else []
    for line in lines:
        alert = json.loads(line)
        if alert["campaign_id"] in ids:
            by_kind[alert["kind"]] += 1
    pool = set() if scenario.second is None else waves[f"{scenario.name}/{scenario.second}"]
    return Followed(
        name=scenario.name,
        accounts=len(accounts),
        started=min(sent[a] for a in accounts if a in sent),
        found=found,
        ids=len(ids),
        second_started=min((sent[a] for a in pool if a in sent), default=None),
        second_reported=next((day for day, reported, _ in second if reported), None),
        second_half=next((day for day, reported, active in second if reported and reported >= 0.5 * active), None),
        alerts=dict(sorted(by_kind.items())),
        recall=max((len(members.get(i, set()) & accounts) for i in ids), default=0) / len(accounts),
    )


def _compared(
    folder: Path, files: Sequence[Path], last: Detection, since: int | None, settings: Settings
) -> dict[str, Any]:
    """The findings of the last run beside those of one scan of its window."""
    whole = folder / "window.jsonl.gz"
    with gzip.open(whole, "wb", compresslevel=1) as out:
        for file in files:
            with gzip.open(file, "rb") as lines:
                out.writelines(
                    line for line in lines if since is None or _seconds(json.loads(line)["timestamp"]) >= since
                )
    once = detect(read_dumps([whole]), settings=settings)
    sides = [[frozenset(m.account for m in f.members) for f in d.findings if f.tier in COUNTED] for d in (last, once)]
    jaccard = [max((len(a & b) / len(a | b) for b in sides[1]), default=0.0) for a in sides[0]]
    return {
        "prompts": [last.counts["prompts"], once.counts["prompts"]],
        "findings": [len(side) for side in sides],
        "least_jaccard": min(jaccard, default=None),
        "versions": dict(once.versions),
    }


def tables(followed: Sequence[Followed], runs: Sequence[dict[str, Any]], compared: dict[str, Any], command: str) -> str:
    """The section of the page."""
    rows = [
        (
            t.name,
            f"{t.accounts}",
            f"{t.started}",
            "-" if t.found is None else f"{t.found}",
            f"{t.ids}",
            "-" if t.second_started is None else f"{t.second_started}",
            "-" if t.second_reported is None else f"{t.second_reported}",
            "-" if t.second_half is None else f"{t.second_half}",
            f"{t.recall:.3f}",
            ", ".join(f"{n} {kind}" for kind, n in t.alerts.items()) or "-",
        )
        for t in followed
    ]
    head = (
        *("scenario", "accounts", "starts", "found", "ids", "second pool starts", "reported", "half reported"),
        *("recall at the end", "alerts"),
    )
    seconds = [run["seconds"] for run in runs]
    text = f"`{command}`, {ran_on(compared['versions'])}.\n\n" + table(head, rows) + "\n"
    prompts, findings = compared["prompts"], compared["findings"]
    text += (
        f"{len(runs)} runs took a median of {statistics.median(seconds):.1f} s (maximum {max(seconds):.1f} s); "
        f"{sum(run['carried'] for run in runs)} of them reused clusters. "
    )
    text += (
        f"A single scan of the last window ({prompts[1]:,} prompts; the state has {prompts[0]:,}) has {findings[1]} "
        f"findings at review or above, and the last run has {findings[0]}. The lowest Jaccard index of their accounts "
        "is "
    )
    least = compared["least_jaccard"]
    return text + ("-" if least is None else f"{least:.3f}") + ".\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the stream and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--rows", type=int, default=1_000, help="of people and look-alikes, a day")
    parser.add_argument("--window", default="30d")
    parser.add_argument("--encoder", choices=("fast", "auto", "full"), default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--carry", action="store_true", help="carry clusters on also where texts are few")
    parser.add_argument("--cache", type=Path, help="folder of made models")
    parser.add_argument("--work", type=Path, help="keep dumps and state in this folder")
    parser.add_argument("--docs", type=Path, help="Markdown file whose section stream is replaced")
    parser.add_argument("--json", type=Path, help="write all results here too")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = lay(folder, days=given.days, rows=given.rows, seed=given.seed)
        settings = Settings(encoder=given.encoder, cache=given.cache or folder / "cache")
        with patch.object(reuse_folder, "LEAST_TEXTS", 0 if given.carry else reuse_folder.LEAST_TEXTS):
            followed, runs, compared = run_stream(folder, files, window=given.window, settings=settings)
    said = f"python -m benchmarks.stream --days {given.days} --rows {given.rows} --window {given.window}"
    said += f" --encoder {given.encoder} --seed {given.seed}{' --carry' if given.carry else ''}"

    text = tables(followed, runs, compared, said)
    print(text)
    if given.docs is not None:
        write_section(given.docs, "stream", text)
    if given.json is not None:
        given.json.write_bytes(
            msgspec.json.encode({"scenarios": [asdict(t) for t in followed], "runs": runs, "compared": compared})
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
