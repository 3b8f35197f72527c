"""A small world for faults: a week of dumps with a campaign, scripts of commands on them, and what they lead to.

A script is a sequence of commands on one state, drawn at random. Without faults it leads from state to state; each is
kept (:class:`Reference`), so that a run with faults can start at any of them and be compared with the next.
"""

from __future__ import annotations

import csv
import itertools
import json
import random
import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harvestdetect.state import open_state
from tests.faults import Plan, Struck
from tests.faults.server import Done, Server

__all__ = [
    "DAY",
    "START",
    "WELL",
    "Place",
    "Reference",
    "Step",
    "World",
    "day_rows",
    "erased",
    "findings",
    "is_gone",
    "leftovers",
    "remembered",
]

DAY: Final = 86_400
START: Final = 1_780_272_000
"""2026-06-01, in Unix seconds."""
DAYS: Final = 6
WINDOW: Final = "30d"
WELL: Final = "Nothing is wrong.\n"
"""What is said of a state that is as it should be."""
WORDS: Final = (
    *("river", "stone", "lamp", "cloud", "garden", "engine", "paper", "violin", "copper", "window", "market", "shadow"),
    *("bridge", "candle", "forest", "ladder", "mirror", "needle", "orange", "pepper", "quartz", "rabbit", "saddle"),
    *("tunnel", "umbrella", "velvet", "walnut", "yellow", "zipper", "anchor", "basket"),
)
FORM: Final = (
    "Solve the following {} exam question step by step and grade your own reasoning from one to ten: {} and {}"
)


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a script."""

    kind: str
    """``scan``, ``gc``, ``forget``, ``review``, ``undo``, ``verify`` or ``campaigns``."""
    value: str = ""
    """Of ``forget`` the account, of ``review`` the verdict."""
    days: int = 0
    """Days of dumps that there are when it runs; the last is new to a ``scan``."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a script runs: its state and results lie in a folder of its own."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def copy(self, to: Path) -> Place:
        """The same somewhere else."""
        if self.folder.exists():
            shutil.copytree(self.folder, to)
        else:
            to.mkdir(parents=True)
        return Place(to)


@dataclass(frozen=True, slots=True)
class Reference:
    """What the first steps of a script lead to without faults."""

    place: Place
    remembered: dict[str, Any]
    campaign: str | None
    """One to judge."""
    traced: tuple[Struck, ...]
    """Calls of the last step."""


class World:
    """Dumps, scripts and references.

    Args:
        folder: empty.
        server: runs the commands.
        cache: with made models.
    """

    def __init__(self, folder: Path, server: Server, cache: Path) -> None:
        self.server = server
        self.dumps = folder / "dumps"
        self._folder = folder
        self._cache = cache
        self._number = itertools.count()
        self._reached: dict[tuple[Step, ...], Reference] = {}
        self._fresh: dict[tuple[tuple[str, ...], ...], Any] = {}
        self.dumps.mkdir(parents=True)
        for day in range(DAYS):
            self._write(self.dumps / f"{day:03d}.jsonl", day_rows(day))

    @staticmethod
    def _write(file: Path, rows: Sequence[dict[str, Any]]) -> None:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def files(self, days: int) -> list[Path]:
        return [self.dumps / f"{day:03d}.jsonl" for day in range(days)]

    def command(
        self, step: Step, place: Place, campaign: str | None, *, everything: bool = False, trust: bool = False
    ) -> list[str]:
        """The arguments of a step.

        Args:
            step: of a script.
            place: where it runs.
            campaign: the one to judge.
            everything: a scan is given all files rather than the newest.
            trust: a scan is told that the clock is right.
        """
        state = str(place.state)
        match step.kind:
            case "scan":
                files = self.files(step.days)
                made = self.scan([*files] if everything else files[-1:], state=place.state, out=place.out)
                return [*made, "--trust-clock"] if trust else made
            case "review":
                judged = ["review", state, str(campaign), "--verdict", step.value]
                return [*judged, "--note", f"{step.days} days", "--by", "ann"]
            case "undo":
                return ["review", state, str(campaign), "--undo", "--by", "bob"]
            case "campaigns":
                return ["campaigns", state, "--format", "json"]
            case "forget":
                return ["state", "forget", state, step.value]
        return ["state", step.kind, state]

    def scan(self, files: Sequence[Path], *, out: Path, state: Path | None = None, window: str = WINDOW) -> list[str]:
        """The arguments of a scan."""
        kept = [] if state is None else ["--state", str(state), "--window", window]
        kept += [] if state is None else ["--metrics", str(out.parent / "run.prom")]
        return [
            *("scan", *map(str, files), "--out", str(out), *kept, "--encoder", "fast", "--workers", "1"),
            *("--threads", "1", "--cache", str(self._cache), "--quiet"),
        ]

    @staticmethod
    def clock(script: Sequence[Step]) -> int:
        """When the last step of a script runs: a minute after the one before, on the morning after the last dump."""
        return START + script[-1].days * DAY + 60 * len(script)

    def script(self, number: int) -> list[Step]:
        """Draws a script: a scan for each day, the first two at once, and everything else between them."""
        rng = random.Random(number)
        ours, other = (f"{name}-{rng.randrange(14)}" for name in ("one", "person"))
        deck = [("forget", ours), ("forget", other), ("gc", ""), ("gc", ""), ("verify", ""), ("campaigns", "")]
        deck += [("review", rng.choice(("harvest", "benign", "unsure"))) for _ in range(2)]
        deck += [("scan", "")] * (DAYS - 2)
        rng.shuffle(deck)
        last = max(i for i, (kind, _) in enumerate(deck) if kind == "review")
        deck.insert(rng.randint(last + 1, len(deck)), ("undo", ""))
        steps = [Step("scan", days=1), Step("scan", days=2)]
        for kind, value in deck:
            steps.append(Step(kind, value, steps[-1].days + (kind == "scan")))
        return steps

    def reference(self, script: Sequence[Step]) -> Reference:
        """What a script leads to, made once."""
        key = tuple(script)
        if key in self._reached:
            return self._reached[key]
        place = Place(self._folder / f"{next(self._number):04d}")
        if not key:
            made = Reference(place, {}, None, ())
        else:
            before = self.reference(script[:-1])
            before.place.copy(place.folder)
            plan = Plan([place.folder, self.dumps], clock=self.clock(script), trace=True)
            done = self.server.run(self.command(script[-1], place, before.campaign), plan)
            assert (done.code, done.err) == (0, ""), (script[-1], done)
            said = self.verify(place, self.clock(script))
            assert said == WELL, (script[-1], said)
            found = remembered(place.state)
            campaign = next((name for name, tier in found["tiers"].items() if tier != "watch"), before.campaign)
            made = Reference(place, found, before.campaign or campaign, tuple(plan.struck()))
        self._reached[key] = made
        return made

    def verify(self, place: Place, clock: float) -> str:
        """What the command says of a state; files have the times of the world, so it is not asked here."""
        done = self.server.run(["state", "verify", str(place.state)], Plan([], clock=clock))
        return done.out + done.err

    def judge(self, script: Sequence[Step], place: Place, *, trust: bool = False) -> tuple[Done, Any]:
        """Scans once more, with nothing that is new, and gives the findings; ``trust`` as in :meth:`command`."""
        plan = Plan([], clock=self.clock(script) + 600)
        arguments = self.scan(self.files(script[-1].days), out=place.out, state=place.state)
        done = self.server.run([*arguments, *(["--trust-clock"] if trust else [])], plan)
        return done, findings(place.out) if done.code == 0 else None

    def expected(self, script: Sequence[Step]) -> Any:
        """The findings of a scan of the same prompts into a new folder."""
        days = script[-1].days
        gone = [erased(script, day) for day in range(days)]
        key = tuple(tuple(sorted(accounts)) for accounts in gone)
        if key not in self._fresh:
            folder = self._folder / f"{next(self._number):04d}-fresh"
            dumps = folder / "dumps"
            dumps.mkdir(parents=True)
            for file, accounts in zip(self.files(days), gone, strict=True):
                rows = [json.loads(line) for line in file.read_text().splitlines()]
                self._write(dumps / file.name, [row for row in rows if row["account"] not in accounts])
            plan = Plan([], clock=START + days * DAY)
            done = self.server.run(self.scan([dumps], out=folder / "out"), plan)
            assert done.code == 0, done
            self._fresh[key] = findings(folder / "out")
        return self._fresh[key]


def day_rows(day: int) -> list[dict[str, Any]]:
    """What people ask on a day, and from the second day on what a pool of accounts harvests."""
    rng = random.Random(day)
    rows = [
        {
            "account": f"person-{rng.randrange(60)}",
            "timestamp": START + day * DAY + rng.randrange(DAY),
            "prompt": " ".join(rng.sample(WORDS, 9)) + f" {rng.choice(['please', 'thanks', 'why', 'how'])}?",
        }
        for _ in range(110)
    ]
    rows += [
        {
            "account": f"one-{i}",
            "timestamp": START + day * DAY + rng.randrange(DAY),
            "prompt": FORM.format(rng.choice(WORDS), rng.choice(WORDS), rng.choice(WORDS)),
        }
        for i in range(14)
        for _ in range(3 if day else 0)
    ]
    return [*rows, {"account": "bad", "timestamp": START + day * DAY}]


def erased(script: Sequence[Step], day: int) -> set[str]:
    """Accounts of which a script erases what they sent on a day; what they send after that counts again."""
    return {step.value for step in script if step.kind == "forget" and step.days > day}


_ASKED: Final = {
    "files": "SELECT name, sha256, rows, rejects, first_time, last_time FROM files ORDER BY name",
    "past": "SELECT sha256 FROM past_files ORDER BY sha256",
    "members": "SELECT campaign, account, attributed FROM members ORDER BY campaign, account",
    "signatures": "SELECT campaign, signature, words FROM signatures ORDER BY campaign, signature",
    "days": "SELECT campaign, day, prompts FROM campaign_days ORDER BY campaign, day",
    "verdicts": "SELECT campaign, verdict, note, reviewer, tier, undone IS NULL FROM verdicts ORDER BY verdict_id",
    "events": "SELECT campaign, what, detail FROM events ORDER BY event",
    "tiers": "SELECT campaign, tier FROM campaigns ORDER BY campaign",
}


def remembered(state: Path) -> dict[str, Any]:
    """What a state knows, without its numbers of runs and times of the clock."""
    with open_state(state) as opened:
        campaigns = [
            (c.campaign_id, c.status, c.tier, c.accounts, c.attributed, c.prompts, c.first_seen, c.last_seen, c.summary)
            for c in opened.campaigns(everything=True)
        ]
    found: dict[str, Any] = {"campaigns": sorted(campaigns)}
    with closing(sqlite3.connect(state / "state.sqlite")) as connection:
        for name, query in _ASKED.items():
            found[name] = [tuple(row) for row in connection.execute(query)]
    found["tiers"] = dict(found["tiers"])
    return found


def findings(out: Path) -> set[tuple[str, int, frozenset[str]]]:
    """Tier, prompts and accounts of each finding."""
    members: dict[str, set[str]] = {}
    with (out / "accounts.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            members.setdefault(row["campaign_id"], set()).add(row["account"])
    found = [json.loads(line) for line in (out / "campaigns.jsonl").read_text().splitlines()]
    return {(one["tier"], one["prompts"], frozenset(members[one["campaign_id"]])) for one in found}


def is_gone(done: Done, state: Path, account: str) -> bool:
    """Whether erasing an account again says that it is not there, and it is not: it was erased to the end before."""
    said = done.code == 1 and "no such account" in done.err
    whole = re.compile(re.escape(account).encode() + rb"(?![0-9])")
    return said and not any(whole.search(path.read_bytes()) for path in state.rglob("*") if path.is_file())


def leftovers(folder: Path) -> list[str]:
    """Files and folders under temporary names."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix in (".tmp", ".partial", ".new") or path.name.startswith("harvestdetect-")
    )
