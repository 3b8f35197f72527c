"""Other ways to deal a list: with overlap, by subject, in batches, in pairs, in generations, and as code."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from difflib import unified_diff
from typing import Final

from benchmarks.independent.groups import Deal, Hands, Wrap
from benchmarks.independent.kinds import Unit
from benchmarks.independent.library import Library
from benchmarks.independent.scene import Scene
from benchmarks.independent.wordings import KEYWORDS, asked_in

__all__ = [
    *("CODE", "as_assistant", "as_user", "broken", "by_subject", "excerpt", "generations", "in_batches", "mirrored"),
    *("numbered", "overlapping", "own_template", "patch", "tool_schema", "trajectory", "with_gap", "with_sessions"),
]

_VERBS: Final = ("get", "find", "set", "update", "list", "create", "cancel", "check", "open", "send")
_COMMANDS: Final = (
    *("ls -la src", "grep -rn TODO .", "cat README.md", "pytest -x -q", "git diff --stat", "make build", "npm test"),
    *("sed -n 1,80p src/main", "find . -name config*", "git log --oneline -5"),
)
_OUTCOMES: Final = (
    "exit code 0", "exit code 1: 2 failed, 14 passed in 3.1s", "no such file or directory", "3 files changed",
    "(no output)", "exit code 0: 16 passed", "error: expected 2 arguments, found 1",
)  # fmt: skip

CODE: Final[Mapping[str, str]] = {"code_java": "java", "code_rust": "rs", "code_typescript": "ts"}
"""Domains with source code, and the ends of the names of its files."""
_SLIPS: Final = (
    *(("<=", "<"), ("==", "!="), ("&&", "||"), ("true", "false"), (" + ", " - "), (" > ", " >= "), ("null", "this")),
    *(("0", "1"), ("let ", "var "), ("&mut ", "&"), ("max", "min"), ("push", "pop"), ("first", "last")),
)
"""What stands in source code, and what a slip makes of it."""


def overlapping(least: int, most: int) -> Hands:
    """Hands each unit to some accounts, whose answers are then compared."""

    def hands(scene: Scene, units: Sequence[Unit], count: int) -> list[list[Unit]]:
        found: list[list[Unit]] = [[] for _ in range(count)]
        for number, unit in enumerate(units):
            wanted = min(count, scene.rng.randint(least, most))
            others = [i for i in range(count) if i != number % count]
            for account in (number % count, *scene.rng.sample(others, wanted - 1)):
                found[account].append(unit)
        for own in found:
            scene.rng.shuffle(own)
        return found

    return hands


def by_subject(kind: str) -> Hands:
    """Hands each account bare texts of one pool of a kind, so that it looks like a specialist."""

    def hands(scene: Scene, units: Sequence[Unit], count: int) -> list[list[Unit]]:
        names = {text: name for name in scene.library.names(kind) for text in scene.library.pools[name]}
        subjects: dict[str, list[Unit]] = defaultdict(list)
        for unit in units:
            subjects[names[str(unit)]].append(unit)
        found: list[list[Unit]] = [[] for _ in range(count)]
        for number, name in enumerate(sorted(subjects)):
            own = list(range(number % count, count, len(subjects)))
            for unit in subjects[name]:
                found[scene.rng.choice(own)].append(unit)
        for mine in found:
            if not mine:
                mine.append(max(found, key=len).pop())
        return found

    return hands


def own_template(*wordings: str) -> Wrap:
    """A wording for each account, which it keeps."""

    def wrap(scene: Scene) -> Callable[[str], str]:
        chosen = scene.say(*wordings)
        return lambda text: asked_in(chosen, text)

    return wrap


def in_batches(frame: str, least: int, most: int, *pools: str) -> Deal:
    """Several items of a list in one prompt, as a JSON array in the place of ``{q}``."""

    def deal(scene: Scene, count: int) -> list[Unit]:
        items = scene.deal(count * (least + most) // 2, *pools)
        wording, first = scene.once(frame, lambda: scene.say(frame)), 0
        found: list[Unit] = []
        while first < len(items) and len(found) < count:
            size = scene.rng.randint(least, most)
            batch = [{"id": first + i, "q": item} for i, item in enumerate(items[first : first + size])]
            found.append(wording.replace("{q}", json.dumps(batch, ensure_ascii=False)))
            first += size
        return found

    return deal


def mirrored(plain: Sequence[str], opposite: Sequence[str], *pools: str) -> Deal:
    """Each item in two forms: one asks for the opposite. The two go to whichever accounts are next."""

    def deal(scene: Scene, count: int) -> list[Unit]:
        items = scene.deal(max(1, count // 2), *pools)
        return [asked_in(scene.say(*forms), item) for item in items for forms in (plain, opposite)]

    return deal


def generations(wordings: Sequence[str], additions: Sequence[str], *pools: str) -> Deal:
    """Seeds that grow: each wording is a generation, whose seeds have one addition more than those before."""

    def deal(scene: Scene, count: int) -> list[Unit]:
        found: list[Unit] = []
        for seed in scene.deal(max(1, count // len(wordings)), *pools):
            text = seed
            for wording in wordings:
                found.append(asked_in(scene.say(wording), text))
                text = f"{text.rstrip()} {scene.say(*additions)}"
        return found

    return deal


def numbered(wording: str, digits: int, *pools: str) -> Deal:
    """Items with the number that they have in the list of the campaign, in the place of ``{n}``."""

    def deal(scene: Scene, count: int) -> list[Unit]:
        items, first = scene.deal(count, *pools), scene.rng.randrange(10 ** (digits - 1))
        return [
            asked_in(scene.say(wording).replace("{n}", f"{first + i:0{digits}d}"), item) for i, item in enumerate(items)
        ]

    return deal


def with_sessions(least: int, most: int, start: str, further: Sequence[str], *pools: str) -> Deal:
    """Conversations that begin with an item; what follows differs from one to the other."""

    def deal(scene: Scene, count: int) -> list[Unit]:
        found: list[Unit] = []
        for item in scene.deal(count, *pools):
            turns = scene.rng.sample(list(further), min(len(further), scene.rng.randint(least, most) - 1))
            found.append((asked_in(scene.say(start), item), *(scene.say(turn) for turn in turns)))
        return found

    return deal


# ---------------------------------------------------------------- two sides of a conversation


def _talks(scene: Scene, count: int) -> list[tuple[str, ...]]:
    """What users said in some conversations, which both sides of a campaign work on."""

    def chosen(library: Library) -> list[tuple[str, ...]]:
        long = [talk[:4] for talk in library.talks if len(talk) > 1 and len(talk[0]) > 25]
        return scene.rng.sample(long, min(len(long), count))

    return scene.once("sides", lambda: chosen(scene.library))


def as_user(scene: Scene, count: int) -> list[Unit]:
    """Requests to write the next message of a user, after those so far."""
    start = "[[You play the user|Act as the user|You are the human]] in a [[test|simulated]] [[chat|dialogue]]. "
    found: list[Unit] = []
    for talk in _talks(scene, count):
        said = "\n".join(f"user ({i + 1}): {text}" for i, text in enumerate(talk[:-1]))
        end = scene.say(
            "[[Write|Give|Produce]] [[the next user message|what this user says next]], [[only that|no quotes]]."
        )
        found.append(f"{scene.say(start)}\n{said}\n{end}")
    return found


def as_assistant(scene: Scene, count: int) -> list[Unit]:
    """The same conversations, to be answered in several ways."""
    found: list[Unit] = []
    for talk in _talks(scene, count):
        said = "\n".join(f"user ({i + 1}): {text}" for i, text in enumerate(talk))
        end = scene.say(
            "[[Reply to the last message|Answer message {n}]] in [[three|3|four]] [[ways|candidate replies]], "
            "[[best first|ranked]], [[with a score for each|and say why the first is best]]."
        )
        found.append(f"{said}\n\n{end.replace('{n}', str(len(talk)))}")
    return found


# ---------------------------------------------------------------- programs with tools


def tool_schema(scene: Scene, *, extra: str = "", tools: int = 2) -> str:
    """The schema of the tools of one application, in JSON.

    Args:
        scene: of the draws.
        extra: description of one more text argument that each tool has; empty means none.
        tools: number of tools.
    """
    rng, found = scene.rng, []
    for _ in range(tools):
        names = rng.sample(KEYWORDS, rng.randint(1, 4))
        arguments = {name: {"type": rng.choice(("string", "string", "number", "boolean"))} for name in names}
        if extra:
            arguments["note"] = {"type": "string", "description": extra}
        name = f"{rng.choice(_VERBS)}_{rng.choice(KEYWORDS)}"
        found.append({"name": name, "parameters": {"type": "object", "properties": arguments, "required": names[:1]}})
    return json.dumps(found, indent=rng.choice((None, None, 1)))


def trajectory(scene: Scene, system: str, task: str, steps: int) -> tuple[str, ...]:
    """The requests of an agent that works on a task: each repeats the transcript so far and adds a step."""
    rng, files = scene.rng, scene.library.pools["docs/cli_cheatsheets"]
    sent = f"{system}\n\nTASK: {task}"
    found = [sent]
    for step in range(1, steps):
        output = f"{scene.cut(rng.choice(files), 60, 320)}\n" if rng.random() < 0.5 else ""
        sent += f"\n\n[{step}] $ {rng.choice(_COMMANDS)}\n{output}{rng.choice(_OUTCOMES)}"
        found.append(sent)
    return tuple(found)


# ---------------------------------------------------------------- source code


def excerpt(rng: random.Random, code: str, most: int) -> str:
    """Some lines of a source file that follow one another."""
    lines = code.split("\n")
    first = rng.randint(0, max(0, len(lines) - most))
    return "\n".join(lines[first : first + most])


def broken(rng: random.Random, code: str) -> str:
    """Source code with one slip: another comparison, constant or operator, or a line less."""
    lines = code.split("\n")
    slips = [(i, slip) for i, line in enumerate(lines) for slip in _SLIPS if slip[0] in line]
    if slips and rng.random() < 0.85:
        i, (before, after) = rng.choice(slips)
        lines[i] = lines[i].replace(before, after, 1)
    elif len(lines) > 2:
        del lines[rng.randrange(len(lines))]
    else:
        lines[-1] = lines[-1].rsplit(" ", 1)[0]
    return "\n".join(lines)


def patch(rng: random.Random, path: str, code: str) -> str:
    """A change of a source file in the unified format; half of the changes repair slips."""
    other = code
    for _ in range(rng.randint(1, 4)):
        other = broken(rng, other)
    before, after = rng.sample((code, other), 2)
    return "\n".join(unified_diff(before.split("\n"), after.split("\n"), f"a/{path}", f"b/{path}", lineterm=""))


def with_gap(rng: random.Random, path: str, code: str) -> str:
    """Source code with a gap that an editor asks the model to fill."""
    first = rng.randint(len(code) // 4, max(1, 2 * len(code) // 3))
    rest = code[first + rng.randint(10, 120) :]
    return f"<|file|>{path}\n<|before|>{code[:first]}<|after|>{rest}<|fill|>"
