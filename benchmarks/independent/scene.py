"""What a dump is made with: the texts, which are dealt out, the times, the accounts, and the rows so far."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from benchmarks.independent.kinds import Log, Unit
from benchmarks.independent.library import Default, Library
from benchmarks.independent.metadata import Directory
from benchmarks.independent.tempo import Tempo
from benchmarks.independent.wordings import say
from benchmarks.real_texts import Half
from harvestdetect.util.periods import DAY

__all__ = ["FULL", "Deck", "Row", "Scene", "open_scene"]

T = TypeVar("T")

FULL: Final = 40_000
"""The value of ``--rows`` at which the designs have the sizes that their author gave them."""
VARIES: Final = 0.3
"""Greatest relative change of a size from seed to seed."""
LONGEST: Final = 6_000
"""Most characters of a prompt."""
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Characters of the ids with a prefix."""


@dataclass(slots=True)
class Deck(Generic[T]):
    """Texts in random order that are dealt from the top; a deck that runs out is begun again."""

    texts: list[T]
    rng: random.Random
    next_one: int = 0

    def take(self, count: int) -> list[T]:
        """The next texts; all of the deck if it has no more than ``count``."""
        found = []
        for _ in range(min(count, len(self.texts))):
            found.append(self.texts[self.next_one])
            self.next_one = (self.next_one + 1) % len(self.texts)
        return found

    def one(self) -> T:
        """The next text."""
        return self.take(1)[0]

    def any(self) -> T:
        """A random text, which stays where it is."""
        return self.rng.choice(self.texts)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a dump."""

    time: float
    account: str
    prompt: str


@dataclass(slots=True, kw_only=True)
class Scene:
    """The state of one dump while it is laid."""

    log: Log
    library: Library
    rng: random.Random
    tempo: Tempo
    directory: Directory
    start: int
    """First second of the dump."""
    scale: float
    """Size relative to the full one."""
    seed: str
    rows: list[Row] = field(default_factory=list)
    members: dict[str, list[str]] = field(default_factory=dict)
    """Group -> its accounts."""
    popular: list[Default] = field(default_factory=list)
    """Default prompts that a campaign hides behind, which more developers use than other ones."""
    _decks: dict[str, Deck[str]] = field(default_factory=dict)
    _kept: dict[str, object] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    # ------------------------------------------------------------ texts

    def deck(self, name: str) -> Deck[str]:
        """The deck of a pool of the library."""
        if name not in self._decks:
            rng = random.Random(f"{self.seed}-{name}")
            texts = list(self.library.pools[name])
            rng.shuffle(texts)
            self._decks[name] = Deck(texts, rng)
        return self._decks[name]

    def deal(self, count: int, *names: str) -> list[str]:
        """Texts of some pools, the same number of each, in random order; larger pools make up for smaller ones.

        Fewer texts if the pools have no more. A pool is dealt out before a text of it is dealt again.
        """
        found: list[str] = []
        known = [name for name in names if name in self.library.pools]
        known.sort(key=lambda name: len(self.library.pools[name]))
        for number, name in enumerate(known):
            found += self.deck(name).take(math.ceil((count - len(found)) / (len(known) - number)))
        self.rng.shuffle(found)
        return found

    def answers(self, count: int) -> list[tuple[str, str]]:
        """Questions with long answers; see :meth:`deal`."""
        pairs = list(self.library.graded)
        deck = self.once("answers", lambda: Deck(self.rng.sample(pairs, len(pairs)), self.rng))
        return deck.take(count)

    def passages(self, count: int, *domains: str, least: int = 200, most: int = 1_200) -> list[str]:
        """Pieces of the documents of some domains; see :meth:`deal` and :meth:`cut`."""
        return [self.cut(text, least, most) for text in self.deal(count, *(f"docs/{d}" for d in domains))]

    def cut(self, text: str, least: int = 80, most: int = 900) -> str:
        """A piece of a text from one word to another, of a random length."""
        length = self.rng.randrange(least, most)
        if len(text) <= length:
            return text
        first = self.rng.randrange(len(text) - length)
        first = text.find(" ", first) + 1 if first else 0
        return text[first : first + length].rsplit(" ", 1)[0]

    def say(self, *wordings: str) -> str:
        """One of some wordings, with its alternatives chosen; see :func:`benchmarks.independent.wordings.say`."""
        return say(self.rng, self.rng.choice(wordings))

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What ``make`` returned when the key was first asked for, such as the one wording of a campaign."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]  # type: ignore[return-value]

    def heavy(self, median: float, spread: float = 1.0, *, least: int = 1, most: int = 200) -> int:
        """A number with a long tail (log-normal)."""
        return min(most, max(least, round(self.rng.lognormvariate(math.log(median), spread))))

    # ------------------------------------------------------------ sizes and accounts

    def varied(self) -> float:
        """A factor by which a size differs from the design's in this world."""
        return self.rng.uniform(1 - VARIES, 1 + VARIES)

    def accounts(self, count: int) -> list[str]:
        """New accounts, without a profile yet."""
        found: list[str] = []
        while len(found) < count:
            name = self._name()
            if name not in self._names:
                self._names.add(name)
                found.append(name)
        return found

    def _name(self) -> str:
        rng, length = self.rng, self.log.id_length
        if self.log.ids == "key":
            return "acct_" + "".join(rng.choices(_LETTERS, k=length - 5))
        if self.log.ids == "number":
            return str(rng.randrange(10 ** (length - 1), 10**length))
        return f"{rng.getrandbits(128):032x}"[:length]

    def emit(self, account: str, times: Sequence[float], units: Sequence[Unit]) -> None:
        """Adds rows. The turns of a conversation follow one another after about a minute."""
        end = self.start + self.log.days * DAY - 1
        for time, unit in zip(times, units, strict=True):
            moment = time
            for turn in (unit,) if isinstance(unit, str) else unit:
                self.rows.append(Row(min(moment, end), account, turn[:LONGEST]))
                moment += self.rng.lognormvariate(4, 0.7) + 4


def open_scene(log: Log, library: Library, *, half: Half, seed: int, rows: int) -> Scene:
    """The scene before anything is planted.

    Args:
        log: of the dump.
        library: the texts of the half.
        half: its name.
        seed: of every draw.
        rows: :data:`FULL` for the sizes of the author; others are in proportion.
    """
    key = f"independent-{log.name}-{half}-{seed}"
    start = int(datetime.fromisoformat(log.start).replace(tzinfo=UTC).timestamp())
    rng = random.Random(key)
    return Scene(
        log=log,
        library=library,
        rng=rng,
        tempo=Tempo(library.rhythms, rng, start=start, days=log.days),
        directory=Directory(log.fields, random.Random(f"{key}-fields"), start=start),
        start=start,
        scale=rows / FULL,
        seed=key,
    )
