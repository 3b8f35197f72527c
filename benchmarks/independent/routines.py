"""Routines of innocent groups: one prompt around matters of their own, and a queue whose entries they divide."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from benchmarks.independent.forms import with_details
from benchmarks.independent.groups import Share
from benchmarks.independent.kinds import Unit
from benchmarks.independent.scene import Scene
from benchmarks.independent.wordings import asked_in, company

__all__ = ["Entries", "Matter", "around", "invented", "own_documents", "queue"]

Matter: TypeAlias = Callable[[Scene], Callable[[], str]]
"""Makes for one account what it takes its texts from."""
Entries: TypeAlias = Callable[[Scene, int], list[str]]
"""Makes about as many entries of a queue as asked for; fewer where the texts of the half do not suffice."""


def invented(*wordings: str) -> Matter:
    """Invented matters: a wording with names, numbers and dates, ``{c}`` for a company and ``#`` for each digit."""

    def matter(scene: Scene) -> Callable[[], str]:
        rng = scene.rng

        def text() -> str:
            said = with_details(rng, rng.choice(wordings))
            said = re.sub(r"\{c\}", lambda _: company(rng), said)
            return re.sub("#", lambda _: str(rng.randint(1, 9)), said).strip()

        return text

    return matter


def own_documents(*domains: str, least: int = 150, most: int = 900) -> Matter:
    """Pieces of a few documents of one domain."""

    def matter(scene: Scene) -> Callable[[], str]:
        own = scene.deck(f"docs/{scene.rng.choice(domains)}").take(scene.rng.randint(4, 14))
        return lambda: scene.cut(scene.rng.choice(own), least, most)

    return matter


def around(prompt: str, matter: Matter, median: float, *, spread: float = 0.8, most: int = 60) -> Share:
    """Accounts that put one prompt around matters of their own; each chooses its alternatives in the prompt once."""

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        found: list[list[Unit]] = []
        for _ in range(count):
            own, mine = matter(scene), scene.say(prompt)
            found.append([asked_in(mine, own()) for _ in range(scene.heavy(median, spread, most=most))])
        return found

    return share


def queue(prompt: str, entries: Entries, median: float, *, spread: float = 0.5, again: float = 0.0) -> Share:
    """Colleagues who take the next entries from one queue: a dealt list in reality too.

    Args:
        prompt: before each entry.
        entries: of the queue.
        median: of the entries of a colleague.
        spread: of their logarithm.
        again: further colleagues that an entry goes to, on average.
    """

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        sizes = [scene.heavy(median, spread, least=2, most=45) for _ in range(count)]
        first = entries(scene, max(1, round(sum(sizes) / (1 + again))))
        more, part = divmod(again, 1)
        waiting = first * (1 + int(more)) + scene.rng.sample(first, int(part * len(first)))
        found: list[list[Unit]] = []
        for size in sizes:
            own, waiting = waiting[:size], waiting[size:]
            if own:
                found.append([prompt + text for text in dict.fromkeys(own)])
        return found

    return share
