"""The accounts that are in no group: developers with default prompts, applications, testers, and people who chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.independent.kinds import Clock, Infra
from benchmarks.independent.library import Default
from benchmarks.independent.people import chat, filled, own_data, system_prompt
from benchmarks.independent.scene import FULL, Scene
from benchmarks.independent.tempo import geometric
from benchmarks.world_sources import HARNESSES

__all__ = ["add_background"]

LEAST: Final = 0.4
"""Share of the rows that the background has at least, however large the groups are."""
TESTERS: Final = 0.02
"""Share of the background rows of accounts that only try whether the service answers."""
_WEIGHTS: Final[Mapping[str, int]] = {
    "langchain_classic": 4, "deepeval": 3, "open_webui": 2, "n8n": 2,
}  # fmt: skip
"""Groups of developers for each framework; other frameworks have one."""
_PROGRAMS: Final[tuple[Clock, ...]] = ("service", "people", "office", "bursts", "schedule", "steady", "commits")
_APPLICATIONS: Final[tuple[Clock, ...]] = (
    *("service", "office", "office", "schedule", "steady", "commits", "bursts", "people"),
)
_GREETINGS: Final = (
    *("hi", "hello", "test", "Hello!", "hey", "Say this is a test", "ping", "who are you?", "What can you do?"),
    *("tell me a joke", "Hi", "hello world", "你好", "hola", "Write a haiku about the sea", "what model are you"),
    *("Say hello", "Test message", "are you there", "how are you", "bonjour", "What is 2+2?", "Tell me a fun fact"),
)


def add_background(scene: Scene) -> int:
    """Adds accounts until the dump has the rows of its design.

    Returns:
        The number of rows that were added.
    """
    planted = len(scene.rows)
    target = scene.log.rows * scene.scale
    rows = round(max(target - planted, LEAST * target))
    scale = min(1.0, rows / (LEAST * FULL))
    sets = _sets(scene)
    shares = (scene.log.frameworks, scene.log.applications, TESTERS)
    limits = [planted + rows * sum(shares[: i + 1]) for i in range(len(shares))]
    while len(scene.rows) < limits[0]:
        _developer(scene, sets, scale)
    while len(scene.rows) < limits[1]:
        _application(scene, scale)
    while len(scene.rows) < limits[2]:
        account = _open(scene)
        count = geometric(scene.rng, 0.6)
        times = scene.tempo.times("people", count, scene.rng.uniform(0, scene.log.days - 2), scene.log.days)
        scene.emit(account, times, [scene.rng.choice(_GREETINGS) for _ in range(count)])
    while len(scene.rows) < planted + rows:
        _person(scene, planted + rows - len(scene.rows))
    return len(scene.rows) - planted


def _open(scene: Scene) -> str:
    (account,) = scene.accounts(1)
    scene.directory.enter([account], Infra())
    return account


def _most(count: int, scale: float) -> int:
    """The most rows of an account: fewer in a small dump, which one account must not fill."""
    return max(3, round(count * scale))


def _sets(scene: Scene) -> list[list[Default]]:
    """Default prompts that are used together: one to three of a framework, those of campaigns more often."""
    rng = scene.rng
    by_framework: dict[str, list[Default]] = {}
    for default in scene.library.defaults:
        by_framework.setdefault(default.framework, []).append(default)
    found = []
    for framework, own in sorted(by_framework.items()):
        groups = range(_WEIGHTS.get(framework, 1))
        found += [[rng.choice(own) for _ in range(rng.randint(1, 3))] for _ in groups]
    for default in scene.popular:
        found += [[default], [default, rng.choice(by_framework.get(default.framework, [default]))]]
    return found


def _developer(scene: Scene, sets: list[list[Default]], scale: float) -> None:
    """A developer with own data and the default prompts of a framework, a third with one of another framework."""
    rng, days = scene.rng, scene.log.days
    prompts = list(rng.choice(sets))
    own = own_data(scene, "code" if prompts[0].framework in HARNESSES else None)
    if rng.random() < 0.35:
        prompts.append(rng.choice(rng.choice(sets)))
    count = scene.heavy(6, 1.2, most=_most(250, scale))
    first = rng.uniform(-0.6 * days, 0.85 * days)
    last = first + rng.choice((2, 8, days, 2 * days))
    times = scene.tempo.times(rng.choice(_PROGRAMS), count, first, last, zone=rng.randint(-10, 11))
    scene.emit(_open(scene), times, [filled(scene, rng.choice(prompts), own) for _ in range(count)])


def _application(scene: Scene, scale: float) -> None:
    """An application with one to three prompts of its own; a few are researchers who sweep a public set alone."""
    rng, days = scene.rng, scene.log.days
    count = scene.heavy(22, 1.2, least=2, most=_most(420, scale))
    own, systems = own_data(scene), [system_prompt(scene) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    between = rng.choice(("\n\n", "\n\nUser: ", "\n###\n", "\nInput:\n", "\n\n<user>\n", " "))
    end = rng.choice(("", "", "", "\n\nAnswer:", "\nOutput:", "</user>"))
    first = rng.uniform(-0.8 * days, 0.8 * days)
    last = first + rng.choice((5, days, 2 * days))
    if rng.random() < 0.07:
        items = list(scene.library.pools[rng.choice(scene.library.names("bench"))])
        rng.shuffle(items)
        units = [systems[0] + between + item for item in items[:count]]
    else:
        units = [rng.choice(systems) + between + own() + end for _ in range(count)]
    times = scene.tempo.times(rng.choice(_APPLICATIONS), len(units), first, last, zone=rng.randint(-10, 11))
    scene.emit(_open(scene), times, units)


def _person(scene: Scene, left: int) -> None:
    """A person with as many prompts as the users of a real service."""
    rng, days = scene.rng, scene.log.days
    if rng.random() < 0.6:
        count = min(160, len(rng.choice(scene.library.rhythms.service)))
    else:
        count = scene.heavy(5, 1, most=90)
    count = min(count, left)
    clock: Clock = "people" if rng.random() < 0.9 else "service"
    times = scene.tempo.times(clock, count, rng.uniform(-0.8 * days, 0.9 * days), days)
    scene.emit(_open(scene), times, chat(scene, count))
