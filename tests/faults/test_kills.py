"""Every command that writes, killed: before, within or after a call that changes a file, or at some moment.

Then nothing that is half written stands under its final name, the next run succeeds and leads to the same, and nothing
is left over. ``HARVESTDETECT_KILLS`` says how many kills are tried; they go round the commands.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from tests.faults import ERRORS, WRITING, Fault, Plan, Struck, drawn
from tests.faults.world import START, WELL, Place, Step, World, findings, is_gone, leftovers, remembered

KILLS: Final = int(os.environ.get("HARVESTDETECT_KILLS", "13"))
DAYS: Final = 3
CLOCK: Final = START + DAYS * 86_400
COMMANDS: Final = (
    *("scan", "scan --state", "simulate", "calibrate", "gc", "forget", "review", "undo"),
    *("schedule systemd", "schedule kubernetes", "first scan --state", "rebuild", "forget --out"),
)


class Undisturbed:
    """Where each command starts, what it leads to, and which calls it makes."""

    def __init__(self, world: World, folder: Path, cache: Path) -> None:
        self.world = world
        self._folder = folder
        self._models = cache / "models"
        self._models.mkdir(parents=True, exist_ok=True)
        self._made: dict[str, tuple[Place, Any, tuple[Struck, ...], float]] = {}
        scans = [Step("scan", days=d) for d in range(1, DAYS + 1)]
        self._before = {
            "scan --state": scans[:-1], "gc": scans, "forget": scans, "review": scans, "rebuild": scans,
            "forget --out": scans,
            "undo": [*scans, Step("review", "unsure", DAYS)],
        }  # fmt: skip
        self.campaign = world.reference(scans).campaign

    def start(self, name: str, folder: Path) -> Place:
        """The place in which a command is about to run."""
        place = self.world.reference(self._before.get(name, ())).place.copy(folder)
        (place.folder / "cache").mkdir()
        (place.folder / "cache" / "models").symlink_to(self._models)
        if name == "gc":  # something to remove
            (place.state / "read" / "left.tmp").write_bytes(b"x" * 1000)
        if name == "rebuild":  # a crash of the file system
            (place.state / "state.sqlite").write_bytes(b"")
        return place

    def arguments(self, name: str, place: Place) -> list[str]:
        """What the command line is told."""
        world, files, folder = self.world, self.world.files(DAYS), place.folder
        step = Step(name, "one-3" if name == "forget" else "harvest", DAYS)
        kept = ["--cache", str(folder / "cache")]
        match name:
            case "scan":
                work = ["--work", str(folder / "work"), "--metrics", str(folder / "run.prom")]
                return [*world.scan(files, out=place.out), *work, *kept]
            case "scan --state":
                return [*world.scan(files, out=place.out, state=place.state), *kept]
            case "first scan --state":
                return [*world.scan(files[:2], out=place.out, state=place.state), *kept]
            case "forget --out":
                return ["state", "forget", str(place.state), "one-3", "--out", str(place.out)]
            case "calibrate":
                plain = ["--encoder", "fast", "--workers", "1", "--threads", "1", "--quiet", *kept]
                return ["calibrate", str(files[0]), "--out", str(folder / "made" / "calibration.json"), *plain]
            case "simulate":
                return ["simulate", "--out", str(folder / "made"), "--prompts", "300", "--days", "4"]
        if name.startswith("schedule"):
            wanted = ["--state", "/var/lib/hd/state", "--out", "/var/lib/hd/out", "--to", str(folder / "made")]
            return ["schedule", "print", "/data/dumps", "--format", name.split()[1], *wanted]
        return world.command(step, place, self.campaign)

    def of(self, name: str) -> tuple[Place, Any, tuple[Struck, ...], float]:
        """Where the command leads to, that in comparable form, the calls it makes, and its seconds."""
        if name not in self._made:
            place = self.start(name, self._folder / name.replace(" ", "-"))
            plan = Plan([place.folder], clock=CLOCK, trace=True)
            done = self.world.server.run(self.arguments(name, place), plan)
            assert done.code == 0, done
            self._made[name] = place, result(place), tuple(plan.struck()), done.seconds
        return self._made[name]


@pytest.fixture(scope="module")
def undisturbed(world: World, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(world, tmp_path_factory.mktemp("undisturbed"), cache)


def result(place: Place) -> dict[str, Any]:
    """What a command led to."""
    found: dict[str, Any] = {"leftovers": leftovers(place.folder)}
    if (place.state / "state.sqlite").exists():
        found["state"] = remembered(place.state)
        shards = (place.state / "read").glob("*.shard")
        found["shards"] = {path.name: path.stat().st_size for path in shards}
    if place.out.exists():
        found["out"] = findings(place.out)
        found["names"] = sorted(path.name for path in place.out.iterdir())
    found["made"] = made(place)
    if (place.folder / "run.prom").exists():
        figures = (place.folder / "run.prom").read_text().splitlines()  # what was read counts only once
        found["metrics"] = [f for f in figures if not re.search("_seconds|last_run_(rejected_)?rows", f)]
    return found


def made(place: Place) -> dict[str, bytes]:
    """Files that are the same each time, with their content."""
    folder = place.folder / "made"
    found = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        path.name: re.sub(rb'"created":"[^"]*"', b"", content)
        for path, content in found.items()
        if path.suffix not in (".tmp", ".partial")
    }


def check_whole(place: Place, expected: Mapping[str, Any]) -> None:
    """What stands under its final name after a kill is whole."""
    for name, content in made(place).items():
        assert content == expected["made"].get(name), name
    for path in place.out.glob("*") if place.out.exists() else ():
        if path.name.endswith(".tmp"):
            continue
        if path.suffix == ".jsonl":
            text = path.read_text()
            assert not text or text.endswith("\n"), path
            [json.loads(line) for line in text.splitlines()]
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".parquet":
            pq.read_table(path)
        else:
            assert path.read_text().endswith("</html>" if path.suffix == ".html" else "\n"), path
    metrics = place.folder / "run.prom"
    assert not metrics.exists() or metrics.read_text().endswith("\n")


@pytest.mark.parametrize("number", range(KILLS))
def test_a_command_that_is_killed_is_made_up_for(number: int, undisturbed: Undisturbed, tmp_path: Path) -> None:
    name = COMMANDS[number % len(COMMANDS)]
    rng = random.Random(number)
    _, expected, traced, seconds = undisturbed.of(name)
    place = undisturbed.start(name, tmp_path / "place")
    before = remembered(place.state) if place.state.exists() and name != "rebuild" else None
    run, arguments = undisturbed.world.server.run, undisturbed.arguments(name, place)
    if number % 5 == 4:
        with suppress(TimeoutError):
            run(arguments, Plan([], clock=CLOCK), timeout=rng.uniform(0.05, 1.0) * seconds)
        where = f"{name}, killed at some moment"
    else:
        fault = at_a_write(rng, traced)
        plan = Plan([place.folder], [fault], clock=CLOCK)
        done = run(arguments, plan)
        where = f"{name}, killed: {plan.struck()}"
        assert (done.code, bool(plan.struck())) == (-signal.SIGKILL, True), f"{fault}: {done}"
    check_whole(place, expected)
    if (place.state / "state.sqlite").exists():
        listed = run(["campaigns", str(place.state)], Plan([], clock=CLOCK))
        assert listed.code == 0 or before is None, f"{where}: {listed}"
    if before is not None:
        assert undisturbed.world.verify(place, CLOCK) == WELL, where
        now = remembered(place.state)
        kept = ("campaigns", "members", "signatures", "days", "verdicts", "events")
        assert any(all(now[k] == one[k] for k in kept) for one in (before, expected["state"])), where
        if name in ("review", "undo") and now["verdicts"] != before["verdicts"]:
            arguments = ["campaigns", str(place.state)]  # it is done; to say it again would be another verdict
    done = run(arguments, Plan([], clock=CLOCK + 5))
    assert done.code == 0 or (name.startswith("forget") and is_gone(done, place.folder, "one-3")), f"{where}: {done}"
    assert result(place) == expected, where
    assert not place.state.exists() or undisturbed.world.verify(place, CLOCK + 9) == WELL, where


def at_a_write(rng: random.Random, traced: tuple[Struck, ...]) -> Fault:
    """A kill at a call that changes something."""
    while True:
        kind = rng.choice(["kill", "kill-after", "torn"])
        calls = [one for one in traced if one.call in WRITING and one.call in ERRORS[kind]]
        if fault := drawn(rng, calls, [kind]):
            return fault


def test_the_commands_that_write_are_all_there() -> None:
    """A command that is added must be killed too, or be one that only reads."""
    from click import Group

    from harvestdetect.cli.main import cli

    def names(group: Group, before: str = "") -> set[str]:
        found: set[str] = set()
        for name, command in group.commands.items():
            found |= names(command, f"{before}{name} ") if isinstance(command, Group) else {f"{before}{name}"}
        return found

    reading = {"campaigns", "evaluate", "explain", "state verify", "health", "alerts test", "inspect"}
    reading |= {"signatures show", "signatures verify"}
    killed = {"scan", "simulate", "calibrate", "state gc", "state forget", "state rebuild", "review", "schedule print"}
    same = {"watch", "drill", "serve", "alerts send"}  # scan, judge or deliver, and write as other commands do
    new = {"pseudonym", "registry suggest", "export", "brief", "search"}  # may make new files or folders, each at once
    new |= {"signatures keygen", "signatures export"}
    assert names(cli) <= reading | killed | same | new
