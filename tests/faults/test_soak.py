"""Two writers and eight readers on one state at once: nobody sees half a run, and nothing is lost.

One writer scans day after day, the other judges, collects and erases; who does not get the lock ends with 75 and tries
again. Readers list campaigns, tell the history of one, list verdicts, verify, and use the library.
``HARVESTDETECT_SOAK`` says for how many seconds.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from harvestdetect.cli.main import main
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.state import State, open_state
from harvestdetect.store.folder import Artifact, ArtifactFolder
from tests.faults import Plan
from tests.faults.server import Done
from tests.faults.world import DAY, START, WELL, Place, Step, World, day_rows, findings, leftovers

SECONDS: Final = float(os.environ.get("HARVESTDETECT_SOAK", "5"))
WINDOW_DAYS: Final = 5
READERS: Final = 8


class Soak:
    """What all threads share."""

    def __init__(self, world: World, place: Place, folder: Path) -> None:
        self.world = world
        self.place = place
        self.folder = folder
        self.end = time.monotonic() + SECONDS
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.days = 2
        self.erased: list[str] = []
        self._lock = threading.Lock()

    def on(self) -> bool:
        return time.monotonic() < self.end and not self.wrong

    def run(self, what: str, arguments: list[str], allowed: tuple[int, ...] = (0,)) -> Done:
        """Runs a command, and notes what is wrong with how it ended."""
        done = self.world.server.run(arguments, Plan([], clock=START + self.days * DAY), timeout=300)
        with self._lock:
            self.counts[f"{what}: {done.code}"] += 1
            if done.code not in allowed or (done.code == 0 and done.err):
                self.wrong.append(f"{what}: {done}")
        return done

    def write(self, what: str, arguments: list[str]) -> bool:
        """Runs a command that needs the lock until it gets it; says whether it did in time."""
        while self.on():
            if self.run(what, arguments, (0, 75)).code == 0:
                return True
            time.sleep(0.02)
        return False

    def check(self, right: bool, what: str) -> None:
        if not right:
            with self._lock:
                self.wrong.append(what)

    # ------------------------------------------------------------ writers

    def scans(self) -> None:
        """A day after the other."""
        while self.on():
            file = self.folder / f"{self.days:05d}.jsonl"
            file.write_text("".join(json.dumps(row) + "\n" for row in day_rows(self.days)))
            self.days += 1
            arguments = self.world.scan([file], out=self.place.out, state=self.place.state, window=f"{WINDOW_DAYS}d")
            while self.run("scan", arguments, (0, 75)).code == 75:
                time.sleep(0.02)

    def judges(self, campaign: str) -> None:
        """Verdicts, taken back or not, and the upkeep."""
        rng, standing = random.Random(7), 0
        state = str(self.place.state)
        while self.on():
            kind = rng.choice(("review", "review", "undo", "gc", "forget"))
            if kind == "review":
                judged = ["review", state, campaign, "--verdict", rng.choice(("harvest", "unsure")), "--by", "ann"]
                standing += self.write(kind, judged)
            elif kind == "undo" and standing:
                standing -= self.write(kind, ["review", state, campaign, "--undo", "--by", "bob"])
            elif kind == "gc":
                self.write(kind, ["state", "gc", state])
            elif kind == "forget" and len(self.erased) < 40:
                account = f"person-{len(self.erased)}"
                if self.write(kind, ["state", "forget", state, account]):
                    self.erased.append(account)
            time.sleep(rng.uniform(0, 0.3))

    # ------------------------------------------------------------ readers

    def reads(self, number: int, campaign: str) -> None:
        """What a reader does, by its number."""
        state = str(self.place.state)
        kinds: list[Callable[[], None]] = [
            lambda: self._list(state), lambda: self._story(state, campaign), lambda: self._verdicts(state),
            lambda: self._verify(state), lambda: self._library(state, campaign),
        ]  # fmt: skip
        while self.on():
            kinds[number % len(kinds)]()
            time.sleep(0.05)

    def _list(self, state: str) -> None:
        told = json.loads(self.run("campaigns", ["campaigns", state, "--format", "json"]).out or "[]")
        for one in told:
            self.check(one["accounts"] >= 3 and one["prompts"] > 0, f"a campaign without members: {one}")

    def _story(self, state: str, campaign: str) -> None:
        done = self.run("campaigns ID", ["campaigns", state, campaign, "--format", "json"])
        if done.code == 0:
            self.check(not inconsistent(json.loads(done.out)), f"{inconsistent(json.loads(done.out))}: {done.out}")

    def _verdicts(self, state: str) -> None:
        told = json.loads(self.run("review", ["review", state, "--format", "json"]).out or "[]")
        self.check(all(v["reviewer"] == "ann" for v in told), f"verdicts: {told}")

    def _verify(self, state: str) -> None:
        done = self.run("verify", ["state", "verify", state])
        self.check(done.out.startswith(WELL), f"verify: {done.out}")

    def _library(self, state: str, campaign: str) -> None:
        self.run("library", ["@tests.faults.probes:read_state", state, campaign])


def inconsistent(told: dict[str, Any]) -> str:
    """What in the history of a campaign is of two different runs."""
    latest = {"status": "new"}
    for event in told["events"]:
        latest[event["what"]] = event["detail"].rpartition(" to ")[2]
    if told["status"] != latest["status"]:
        return "the status is not that of the last event"
    if told["tier"] != latest.get("tier", told["tier"]):
        return "the tier is not that of the last event"
    if told["accounts"] != len(told["members"]):
        return "the number of accounts is not that of the members"
    if told["prompts"] < sum(day["prompts"] for day in told["days"]):
        return "the days have more prompts than the campaign"
    verdicts = [event["detail"] for event in told["events"] if event["what"] == "verdict"]
    standing = sum(1 if detail.endswith("by ann") else -1 for detail in verdicts)
    return "" if (told["verdict"] is not None) == (standing > 0) else "the verdict is not that of the events"


def test_writers_and_readers_at_once(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = world.reference([Step("scan", days=1), Step("scan", days=2)])
    assert first.campaign is not None
    soak = Soak(world, first.place.copy(tmp_path / "place"), tmp_path)
    threads = [threading.Thread(target=soak.scans), threading.Thread(target=soak.judges, args=[first.campaign])]
    threads += [threading.Thread(target=soak.reads, args=[n, first.campaign]) for n in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if "HARVESTDETECT_SOAK" in os.environ:
        with capsys.disabled():
            print(f"\n{SECONDS:g} seconds, {soak.days} days: {dict(sorted(soak.counts.items()))}")
    assert soak.wrong == []
    assert soak.counts["scan: 0"] >= 1
    assert sum(count for what, count in soak.counts.items() if what.endswith(": 0")) > 10
    assert world.verify(soak.place, START + soak.days * DAY).startswith(WELL)
    check_findings(soak)
    assert leftovers(soak.place.folder) == []


def test_a_command_that_reads_sees_one_moment(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another process commits between two queries of the command."""
    first = world.reference([Step("scan", days=1), Step("scan", days=2)])
    assert first.campaign is not None
    state = first.place.copy(tmp_path / "place").state
    before = State.members

    def late(self: State, campaign: str) -> list[str]:
        with closing(sqlite3.connect(state / "state.sqlite")) as connection, connection:
            connection.execute("DELETE FROM members WHERE account = 'one-1'")
        return before(self, campaign)

    monkeypatch.setattr(State, "members", late)
    for accounts in (14, 13):
        with pytest.raises(SystemExit) as ended:
            main(["campaigns", str(state), first.campaign, "--format", "json"])
        assert ended.value.code == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["accounts"], len(told["members"])) == (accounts, accounts)


def test_what_a_run_removes_meanwhile_is_not_broken(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that works while the state is verified removes old neighbours and files that left the window."""
    script = [Step("scan", days=1), Step("scan", days=2)]
    state = world.reference(script).place.copy(tmp_path / "place").state
    shard = sorted((state / "read").glob("*.shard"))[0]

    real = ArtifactFolder.condition

    def half(self: ArtifactFolder, artifact: Artifact) -> str:
        if artifact.kind == "neighbors" and self.names(artifact):
            ArtifactFolder(state).drop([artifact])
            return "missing"
        return real(self, artifact)

    monkeypatch.setattr(ArtifactFolder, "condition", half)
    before = ShardFolder.condition

    def late(self: ShardFolder, name: str, sha256: str) -> str:
        if self.path(name, sha256) == shard and shard.exists():
            shard.unlink()
            with closing(sqlite3.connect(state / "state.sqlite")) as connection, connection:
                connection.execute("DELETE FROM files WHERE sha256 = ?", (sha256,))
        return before(self, name, sha256)

    monkeypatch.setattr(ShardFolder, "condition", late)
    with open_state(state) as opened:
        assert opened.verify() == []
    assert not (state / "neighbors").exists()
    assert not shard.exists()
    monkeypatch.undo()
    sorted((state / "read").glob("*.shard"))[0].unlink()
    with open_state(state) as opened:
        assert len(opened.verify()) == 1, "what is named and not there is still said"


def check_findings(soak: Soak) -> None:
    """A last run finds in the window what a scan of its prompts into a new folder finds."""
    clock = Plan([], clock=START + soak.days * DAY)
    for account in soak.erased:  # who was erased while a day was read may have sent something on that day
        assert soak.world.server.run(["state", "forget", str(soak.place.state), account], clock).code in (0, 1)
    out = soak.place.folder / "again"
    file = soak.folder / f"{soak.days - 1:05d}.jsonl"
    arguments = soak.world.scan([file], out=out, state=soak.place.state, window=f"{WINDOW_DAYS}d")
    assert soak.world.server.run(arguments, clock).code == 0
    rows = [row for day in range(soak.days) for row in day_rows(day) if row["account"] not in soak.erased]
    since = max(row["timestamp"] for row in rows) - WINDOW_DAYS * DAY
    whole = soak.folder / "whole.jsonl"
    whole.write_text("".join(json.dumps(row) + "\n" for row in rows if row["timestamp"] >= since))
    assert soak.world.server.run(soak.world.scan([whole], out=soak.folder / "new"), clock).code == 0
    assert findings(out) == findings(soak.folder / "new")
