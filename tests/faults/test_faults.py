"""Commands on a state while files fail and the clock is wrong: nothing is lost, doubled or left half done.

Each seed starts at some point of a script of commands (:mod:`faults.world`), runs the next one to three of them with
faults at calls that take place, repeats what failed, and compares the state with the one that the same commands lead to
without faults. ``HARVESTDETECT_FAULTS`` says how many seeds are tried.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.faults import Fault, Plan, drawn
from tests.faults.server import Done
from tests.faults.world import WELL, Place, Reference, Step, World, is_gone, leftovers, remembered

SEEDS: Final = int(os.environ.get("HARVESTDETECT_FAULTS", "10"))
FIRST: Final = int(os.environ.get("HARVESTDETECT_FAULTS_FIRST", "0"))
SCRIPTS: Final = max(1, SEEDS // 40)
KINDS: Final = (
    "EIO",
    "EIO",
    "EIO",
    "ENOSPC",
    "ENOSPC",
    "EDQUOT",
    "short",
    "end",
    "torn",
    "kill",
    "kill-after",
    "clock",
)
CLOCKS: Final = (-1_700_000_000, -800 * 86_400, -3 * 86_400, -3_600, 3_600, 3 * 86_400, 800 * 86_400, 1_500_000_000)
"""Seconds by which a clock is wrong."""


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """What struck; printed at the end of the long version."""
    counts: Counter[str] = Counter()
    yield counts
    if "HARVESTDETECT_FAULTS" in os.environ:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(
                f"\n{SEEDS} seeds from {FIRST}, {sum(v for k, v in counts.items() if k.startswith('struck'))} faults:"
            )
            for what, count in sorted(counts.items()):
                print(f"  {count:5}  {what}")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_commands_with_faults_lead_where_they_lead_without(
    seed: int, world: World, tally: Counter[str], tmp_path: Path
) -> None:
    rng = random.Random(seed)
    script = world.script(seed % SCRIPTS)
    start = rng.randrange(len(script))
    end = min(start + rng.randint(1, 3), len(script))
    place = world.reference(script[:start]).place.copy(tmp_path / "place")
    hit = rng.randrange(start, end)
    ahead = False  # a run took place by a clock that was ahead: those after it must be told that theirs is right
    for number in range(start, end):
        steps = script[: number + 1]
        before = world.reference(script[:number])
        plan = faulty(rng, world, steps, place) if number == hit or rng.random() < 0.3 else None
        done = world.server.run(
            world.command(steps[-1], place, before.campaign, trust=ahead), plan or Plan([], clock=world.clock(steps))
        )
        struck = [] if plan is None else plan.struck()
        where = f"{steps[-1]}: {[str(s) for s in struck]}: {done}"
        tally.update(f"struck {steps[-1].kind}: {s.kind} at {s.call}" for s in struck)
        if plan is not None and plan.wrong:
            tally[f"struck {steps[-1].kind}: clock wrong by {plan.wrong / 86_400:+,.1f} days"] += 1
        tally[f"ended with {done.code}"] += 1
        check_end(done, struck, where, erasing=steps[-1].kind == "forget")
        ahead |= plan is not None and plan.wrong > 0 and steps[-1].kind == "scan" and done.code == 0
        if done.code:
            repeat(world, steps, place, before, done, where, trust=ahead)
    check(world, script[:end], place, trust=ahead)


def faulty(rng: random.Random, world: World, steps: Sequence[Step], place: Place) -> Plan | None:
    """A plan with a fault for a step; None where there is no such call in it."""
    kind = rng.choice(KINDS)
    clock = world.clock(steps)
    if kind == "clock":
        return Plan([], clock=clock, wrong=rng.choice(CLOCKS))
    if kind == "end" and any(step.kind == "forget" for step in steps):
        # a prepared file that was broken is read again from its dump, and what was erased of it comes back
        kind = "short"
    traced = world.reference(steps).traced
    fault = drawn(rng, traced, [kind])
    return None if fault is None else Plan([place.folder, world.dumps], [fault], clock=clock)


def check_end(done: Done, struck: Sequence[object], where: str, *, erasing: bool = False) -> None:
    """A command ends well, or with a line that says why, or is killed where that was the fault."""
    assert done.code in (0, 1, 4, -signal.SIGKILL, 75 if erasing else 0), where  # 75: something remains to be erased
    assert "Traceback" not in done.err, where
    assert "internal error" not in done.err, where
    if done.code == -signal.SIGKILL:
        assert any(getattr(one, "kind", "") in ("kill", "kill-after", "torn") for one in struck), where
    elif done.code in (1, 75) and not (done.out and not done.err):  # verify says what is wrong as its answer
        lines = done.err.splitlines()
        said = [line for line in lines if line.startswith("harvestdetect: ")]
        metrics = [line for line in said if "cannot write the metrics" in line]  # besides what went wrong before
        assert len(said) - len(metrics) == 1 or len(said) == 1, where
        assert len(lines[-1]) < 600, where


def repeat(
    world: World, steps: Sequence[Step], place: Place, before: Reference, done: Done, where: str, *, trust: bool
) -> None:
    """Does a step that failed once more, as an engineer would; of a command that was killed only what is not done."""
    step = steps[-1]
    if step.kind == "verify" and done.code == 1:
        where = f"{where}, said {done.out!r}"
    if done.code < 0 and step.kind in ("review", "undo") and judged(place.state) != judged(before.place.state):
        return
    again = world.server.run(
        world.command(step, place, before.campaign, everything=True, trust=trust),
        Plan([], clock=world.clock(steps) + 20),
    )
    erased = step.kind == "forget" and is_gone(again, place.state, step.value)
    assert again.code == 0 or erased, f"{where}; and then {again}"


def judged(state: Path) -> list[tuple[object, ...]]:
    """Verdicts of a state."""
    if not (state / "state.sqlite").exists():
        return []
    with closing(sqlite3.connect(state / "state.sqlite")) as connection:
        return connection.execute("SELECT campaign, verdict, at, undone FROM verdicts ORDER BY verdict_id").fetchall()


def check(world: World, script: Sequence[Step], place: Place, *, trust: bool) -> None:
    """A state is as it would be without faults, and tells of the window what a new scan of it tells."""
    expected = world.reference(script)
    assert world.verify(place, world.clock(script) + 30) == WELL
    assert remembered(place.state) == expected.remembered
    done, found = world.judge(script, place, trust=trust)
    assert done.code == 0, done
    fresh = world.expected(script)
    assert {one[1:] for one in found} == {one[1:] for one in fresh}
    if not any(step.value == "benign" for step in script):  # what is judged so stays at watch
        assert found == fresh
    assert leftovers(place.folder) == []


def test_a_disk_that_fills_up_and_is_emptied_loses_nothing(world: World, tmp_path: Path) -> None:
    """From some call on there is no room, through several nights; then there is."""
    script = world.script(0)
    scans = [script[: i + 1] for i, step in enumerate(script) if step.kind == "scan"][:3]
    for room in (0, 5, 40):
        place = Place(tmp_path / f"place-{room}")
        place.folder.mkdir()
        for steps in scans:
            full = Fault("ENOSPC", ("create", "write", "mkdir", "fsync"), nth=room + 1, times=0)
            plan = Plan([place.folder], [full], clock=world.clock(steps))
            done = world.server.run(world.command(steps[-1], place, None), plan)
            check_end(done, plan.struck(), f"{room}: {done}")
            assert (done.code, bool(plan.struck())) == (1, True)
        done = world.server.run(
            world.command(scans[-1][-1], place, None, everything=True), Plan([], clock=world.clock(scans[-1]))
        )
        assert (done.code, done.err) == (0, "")
        with closing(sqlite3.connect(place.state / "state.sqlite")) as connection:
            assert connection.execute("SELECT count(*), sum(rows) FROM files").fetchone() == (3, 110 + 2 * 152)
