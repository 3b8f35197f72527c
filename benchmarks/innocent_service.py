"""The innocent dump ``service``: the recorded calls of LLM services, by programs and by people.

A program has documents of one domain. Its developer put them behind the default prompts of a framework, behind an own
prompt, or sends them as they are. The length of a request follows the tokens that the trace recorded. People ask real
questions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from benchmarks import innocent_stock as stock
from benchmarks.innocent_kinds import MOVES, Sender, Threads, toy_threads
from benchmarks.innocent_stock import Call
from benchmarks.innocent_variety import Variety
from benchmarks.real_texts import START, Half, fill
from benchmarks.scenarios import Prompt
from benchmarks.sources import WINDOW
from benchmarks.world_sources import default_prompts, default_words, documents_of, own_prompts, toy_sources
from benchmarks.world_texts import Filler, Material, own_instruction
from harvestdetect.util.periods import DAY

__all__ = ["service_senders"]

TOKEN: Final = 4
"""Characters of a token."""
LONGEST: Final = 2_500
"""Most characters of the data in a request."""
LONGEST_QUESTION: Final = 200
"""Most characters of a question that is a piece of a document."""

Way: TypeAlias = Literal["framework", "template", "instruction", "bare"]
"""What a program puts its data into: default prompts, a real template that nobody else uses, clauses, or nothing."""
_QUESTIONS: Final = ("nq_questions", "stackoverflow_titles", "arena_prompts", "arena_hard", "hh_human_turns")


@dataclass(slots=True, kw_only=True)
class _Service:
    """The texts and calls of the dump, and what the seed decided on them."""

    frameworks: Mapping[str, list[str]]
    documents: Mapping[str, list[str]]
    templates: list[str]
    """Real templates that no program uses yet."""
    questions: Threads
    calls: Mapping[str, list[list[Call]]]
    ways: Mapping[Way, float]
    """How often programs have each."""
    popularity: Mapping[str, float]
    """Framework -> its weight."""
    people: float
    """Chance that an account with sessions is a person."""
    rng: random.Random


def service_senders(*, half: Half, rows: int, data: Path | None, variety: Variety, rng: random.Random) -> list[Sender]:
    """The accounts of the dump in random order, with ``rows`` rows or a few more.

    Args:
        half: of the public data.
        rows: of all accounts together.
        data: the folder; None takes texts of the package's grammar.
        variety: what the seed decided.
        rng: of every draw.
    """
    service = _opened(half, rows, data, variety, rng)
    kinds = sorted(service.calls)
    shares = [rng.uniform(0.3, 3.0) * len(service.calls[name]) for name in kinds]
    found: list[Sender] = []
    while rows > 0:
        which = rng.choices(kinds, shares)[0]
        calls = _moved(rng.choice(service.calls[which]), rng)
        person = _person(service, calls) if which == "sessions" and rng.random() < service.people else None
        found.append(person or _program(service, calls))
        rows -= len(found[-1].trace)
    return found


def _opened(half: Half, rows: int, data: Path | None, variety: Variety, rng: random.Random) -> _Service:
    """Reads the texts and calls, and draws the properties of the dump."""
    seed = f"innocents-service-{rng.random()}"
    if data is None:
        toys = toy_sources(seed=seed, rows=rows)
        frameworks, documents, templates = toys.frameworks, toys.documents, toys.own_prompts
        questions = toy_threads(toys)
        calls = {"users": [[(START + t % (WINDOW * DAY), 200) for t in times] for times in toys.times.machine]}
    else:
        frameworks, documents = default_prompts(data, half), documents_of(data, half)
        templates = own_prompts(data, half, seed, default_words(data))
        questions = stock.threads(data, _QUESTIONS, half, rng)
        calls = stock.service_calls(data, half, rng)
    names = sorted(name for name, own in frameworks.items() if own)
    rng.shuffle(names)
    default = rng.uniform(0.15, 0.7) if names else 0.0
    ways: dict[Way, float] = {
        "framework": default,
        "template": (1 - default) * rng.uniform(0.1, 0.5),
        "instruction": (1 - default) * rng.uniform(0.2, 1.0),
        "bare": (1 - default) * rng.uniform(0.1, 0.5),
    }
    return _Service(
        frameworks=frameworks,
        documents=documents,
        templates=list(templates),
        questions=Threads(questions, rng),
        calls={name: own for name, own in calls.items() if own},
        ways=ways,
        popularity={name: (rank + 1) ** -variety.exponent for rank, name in enumerate(names)},
        people=rng.uniform(0.2, 1.0),
        rng=rng,
    )


def _person(service: _Service, calls: Sequence[Call]) -> Sender | None:
    """A person who asks on a few subjects; None if there are no questions left."""
    subjects = service.questions.subjects(service.rng.choice((1, 2, 3)))
    trace: list[tuple[int, Prompt]] = []
    waiting: list[str] = []
    for time, _ in calls if subjects else ():
        waiting = waiting or list(service.questions.next(subjects))
        if not waiting:
            break
        trace.append((time, waiting.pop(0)))
    return Sender(circle=subjects[0], trace=trace) if trace else None


def _program(service: _Service, calls: Sequence[Call]) -> Sender:
    """A program with documents of one domain."""
    rng = service.rng
    domain = rng.choice(sorted(service.documents))
    material = Material.of(service.documents[domain], rng)
    way = rng.choices(list(service.ways), list(service.ways.values()))[0]
    if way == "template" and not service.templates:
        way = "instruction"
    group = None
    if way == "framework":
        group, write = _framework(service, material)
    elif way == "template":
        write = _template(service.templates.pop(), material, rng)
    else:
        wrap = own_instruction(material, rng) if way == "instruction" else str

        def write(tokens: int) -> Prompt:
            return wrap(_data(material, tokens, rng))

    return Sender(circle=domain, trace=[(time, write(tokens)) for time, tokens in calls], program=True, group=group)


def _framework(service: _Service, material: Material) -> tuple[str, Callable[[int], Prompt]]:
    """The users' group of a framework, and how its default prompts are filled."""
    rng = service.rng
    name = rng.choices(list(service.popularity), list(service.popularity.values()))[0]
    templates = service.frameworks[name]
    first = rng.randrange(len(templates))
    # neighbours in the source of a framework are often used together
    mine = [templates[(first + i) % len(templates)] for i in range(min(len(templates), rng.choice((1, 1, 2, 3))))]
    subjects = service.questions.subjects(1)
    waiting: list[str] = []

    def question() -> str:
        if not waiting and subjects:
            waiting.extend(service.questions.next(subjects))
        return waiting.pop(0) if waiting else material.piece(rng)[:LONGEST_QUESTION]

    def prompt(tokens: int) -> Prompt:
        filler = Filler(
            question=question, passage=lambda: _data(material, tokens, rng), settings=material.settings
        )  # fmt: skip
        return filler.prompt(rng.choice(mine))

    return f"framework-{name}", prompt


def _template(template: str, material: Material, rng: random.Random) -> Callable[[int], Prompt]:
    """A template that this program alone uses."""

    def pieces(tokens: int) -> Iterator[str]:
        while True:
            yield _data(material, tokens, rng)

    return lambda tokens: fill(template, pieces(tokens))


def _data(material: Material, tokens: int, rng: random.Random) -> str:
    """Pieces of documents, about as long as so many tokens."""
    wanted = min(LONGEST, tokens * TOKEN)
    pieces = [material.piece(rng)]
    while sum(map(len, pieces)) < wanted and len(pieces) < len(material.pieces):
        pieces.append(material.piece(rng))
    return "\n".join(dict.fromkeys(pieces))[:LONGEST]


def _moved(calls: Sequence[Call], rng: random.Random) -> list[Call]:
    """Calls on other days and some minutes earlier or later, by time; the gaps stay."""
    shift = rng.randrange(WINDOW) * DAY + int(rng.uniform(-MOVES, MOVES))
    return sorted((START + (time - START + shift) % (WINDOW * DAY), tokens) for time, tokens in calls)
