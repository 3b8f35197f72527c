"""Innocent dumps of people: a prompt game, chat channels, a forum, repositories, chats with assistants.

Accounts with texts of their own are laid as they are. Texts without an author are dealt by subject to accounts with the
times of real ones; what is sent within half an hour is on one subject.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

from benchmarks import innocent_stock as stock
from benchmarks.innocent_stock import Account, Clock
from benchmarks.innocent_variety import Variety
from benchmarks.planted_look_alikes import GREETINGS
from benchmarks.real_texts import START, Half, Trace
from benchmarks.scenarios import Prompt
from benchmarks.sources import WINDOW
from benchmarks.world_sources import WorldSources, toy_sources
from harvestdetect.util.periods import DAY

__all__ = ["MOVES", "PlainKind", "Sender", "Threads", "moved", "senders", "toy_threads"]

PlainKind: TypeAlias = Literal["game", "irc", "forum", "git", "chat"]

SITTING: Final = 1_800
"""Seconds without a request after which a sitting ends."""
MOVES: Final = 1_500
"""Most seconds by which the times of a real account are moved within the day, so that no two accounts have the same."""
MOST_DEALT: Final = 0.02
"""Most rows of an account that texts are dealt to, as a share of the rows of the dump."""
POPULAR: Final = 150
"""Popular texts besides greetings."""

_SOFTWARE: Final = re.compile(r"^(changelogs|readmes|code_|sql_|cli_|manual_|dictionary_)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One account of an innocent dump."""

    circle: str
    """What it belongs to, such as a channel or a subject."""
    trace: list[tuple[int, Prompt]]
    program: bool = False
    group: str | None = None
    """The look-alike group in the truth."""


def senders(
    kind: PlainKind, *, half: Half, rows: int, data: Path | None, variety: Variety, rng: random.Random
) -> list[Sender]:
    """The accounts of a dump in random order.

    Args:
        kind: of the traffic.
        half: of the public data.
        rows: to aim at; fewer where the half has fewer texts.
        data: the folder; None takes texts of the package's grammar.
        variety: what the seed decided.
        rng: of every draw.
    """
    if data is None:
        return _toy(toy_sources(seed=f"innocents-{kind}-{rng.random()}", rows=rows), rows, variety, rng)
    return _of_accounts(kind, half, rows, data, variety, rng)


def _of_accounts(
    kind: PlainKind, half: Half, rows: int, data: Path, variety: Variety, rng: random.Random
) -> list[Sender]:
    """Real accounts, then texts that are dealt on the times of real ones."""
    real: Mapping[str, Callable[[Path, Half, random.Random], list[Account]]] = {
        "game": stock.game_accounts,
        "irc": stock.irc_accounts,
        "forum": stock.forum_accounts,
        "git": stock.git_accounts,
    }
    own = real[kind](data, half, rng) if kind in real else []
    found = _up_to([Sender(circle=a.circle, trace=_prompts(a.trace), program=a.program) for a in own], rows, rng)
    if kind in ("game", "irc"):
        return found
    times = stock.clocks(data, half, rng)
    if kind == "forum":
        topics = stock.threads(data, ("stackoverflow_titles", "nq_questions"), half, rng)
        clocks = times["forum"]
    elif kind == "git":
        topics = stock.document_threads(data, _SOFTWARE, half, rng)
        topics |= stock.threads(data, ("stackoverflow_titles",), half, rng)
        clocks = times["git"]
    else:
        more = ("nq_questions", "clinc150_utterances", "hwu64_utterances", "stackoverflow_titles")
        names = ["hh_human_turns", "arena_prompts", "arena_hard", *rng.sample(more, rng.randint(2, 4))]
        topics = stock.threads(data, names, half, rng)
        clocks = [clock for name in ("irc", "game", "sessions", "forum") for clock in times.get(name, ())]
    left = rows - sum(len(sender.trace) for sender in found)
    return [*found, *_deal(topics, clocks, left, variety, rng)]


def _prompts(trace: Trace) -> list[tuple[int, Prompt]]:
    return cast("list[tuple[int, Prompt]]", trace)


def _up_to(found: list[Sender], rows: int, rng: random.Random) -> list[Sender]:
    """A random choice of accounts with about so many rows; all of them, in random order, if they have fewer."""
    rng.shuffle(found)
    kept = []
    for sender in found:
        if rows <= 0:
            break
        kept.append(sender)
        rows -= len(sender.trace)
    return kept


def _toy(toys: WorldSources, rows: int, variety: Variety, rng: random.Random) -> list[Sender]:
    """Half of the rows by accounts of the grammar, the other half dealt by subject."""
    own = [Sender(circle="toy", trace=_prompts(trace)) for trace in toys.people.accounts if trace]
    found = _up_to(own, rows // 2, rng)
    topics = toy_threads(toys)
    clocks = [tuple(START + time % (WINDOW * DAY) for time in times) for times in toys.times.human]
    left = rows - sum(len(sender.trace) for sender in found)
    return [*found, *_deal(topics, clocks, left, variety, rng)]


def toy_threads(toys: WorldSources) -> dict[str, list[list[str]]]:
    """Questions of the grammar by subject, in threads of one."""
    return {name: [[text] for text in texts] for name, texts in toys.benchmarks.items()}


# ---------------------------------------------------------------- texts without an author


def moved(clock: Sequence[int], rng: random.Random) -> list[int]:
    """The times of a real account on other days and some minutes earlier or later, ascending; the gaps stay."""
    shift = rng.randrange(WINDOW) * DAY + int(rng.uniform(-MOVES, MOVES))
    return sorted(START + (time - START + shift) % (WINDOW * DAY) for time in clock)


def sittings(times: Sequence[int]) -> Iterator[list[int]]:
    """Times cut where there is none for :data:`SITTING` seconds."""
    sitting: list[int] = []
    for time in times:
        if sitting and time - sitting[-1] > SITTING:
            yield sitting
            sitting = []
        sitting.append(time)
    if sitting:
        yield sitting


@dataclass(slots=True)
class Threads:
    """Texts by subject, in threads that one account sends one after the other; each thread is given once."""

    topics: Mapping[str, list[list[str]]]
    rng: random.Random
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [name for name, own in self.topics.items() for _ in own]
        self.rng.shuffle(self.names)

    def subjects(self, count: int) -> list[str]:
        """Some subjects that have threads left, by how many they have."""
        found: list[str] = []
        while self.names and len(found) < count:
            name = self.names.pop()
            if self.topics[name]:
                found.append(name)
        return found

    def next(self, subjects: Sequence[str]) -> list[str]:
        """A thread of one of these subjects, or of any other; empty if there is none left."""
        for name in self.rng.sample(subjects, len(subjects)):
            if self.topics[name]:
                return self.topics[name].pop()
        return self.topics[again[0]].pop() if (again := self.subjects(1)) else []


@dataclass(slots=True)
class _Popular:
    """Texts that many people send."""

    texts: list[str]
    variety: Variety
    rng: random.Random
    weights: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.rng.shuffle(self.texts)
        total = 0.0
        self.weights = []
        for rank in range(len(self.texts)):
            total += (rank + 1) ** -self.variety.exponent
            self.weights.append(total)

    def maybe(self) -> str | None:
        """One of them, or none."""
        if self.rng.random() >= self.variety.popular:
            return None
        return self.rng.choices(self.texts, cum_weights=self.weights)[0]


def _deal(
    topics: Mapping[str, list[list[str]]], clocks: Sequence[Clock], rows: int, variety: Variety, rng: random.Random
) -> list[Sender]:
    """Deals threads to accounts with the times of real ones until there are enough rows, or no more threads."""
    waiting = Threads(topics, rng)
    short = [thread[0] for own in topics.values() for thread in own if len(thread[0]) < 200]
    popular = _Popular([*GREETINGS, *rng.sample(short, min(POPULAR, len(short)))], variety, rng)
    most = max(30, int(MOST_DEALT * rows))
    found: list[Sender] = []
    while rows > 0:
        mine = waiting.subjects(rng.choice((1, 2, 2, 3, 6)))
        if not mine:
            break
        clock = rng.choice(clocks)
        start = rng.randrange(max(1, len(clock) - most))
        trace: list[tuple[int, Prompt]] = []
        for sitting in sittings(moved(clock[start : start + most], rng)):
            asked: list[str] = []
            for number, time in enumerate(sitting):
                text = popular.maybe() if number == 0 else None
                if text is None:
                    asked = asked or list(waiting.next(mine))
                    if not asked:
                        break
                    text = asked.pop(0)
                trace.append((time, text))
        if trace:
            found.append(Sender(circle=mine[0], trace=trace))
            rows -= len(trace)
    return found
