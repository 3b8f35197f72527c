"""Ordinary users: what a person writes depends on the person's subjects and manner, and on the session."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Final, TypeAlias

from harvestdetect.simulate import harvest, words
from harvestdetect.simulate.grammar import Grammar

__all__ = ["GRAMMAR", "Messages", "Person", "Text", "question", "user_turn", "write"]

Messages: TypeAlias = list[dict[str, str]]
Text: TypeAlias = str | Messages
"""A prompt: a text, or chat messages with role and content."""

GRAMMAR: Final = Grammar({**words.RULES, **harvest.RULES})

_SHORT_WEIGHTS: Final = list(accumulate(1.0 / (rank + 2.0) for rank in range(len(words.SHORT))))
_MANNERS: Final = ("as is", "as is", "as is", "lower", "lower", "bare", "capital", "capital")
_OWN: Final = ("name", "city", "company", "relative", "job", "language", "os", "db", "webtool", "weekday")
_MAX_PASTE: Final = 40
"""Most pieces of code, log or prose that a simulated person pastes behind a request."""


class Person:
    """The habits of one user: a few subjects, words of their own for some slots, a manner of typing.

    Args:
        random: of all habits.
        chat: whether the person sends chat messages rather than plain text.
        domains: the only subjects of the person; empty means any.
    """

    __slots__ = ("bound", "chat", "last", "manner", "session", "subjects", "system", "terse", "typos")

    def __init__(self, random: Random, *, chat: bool = False, domains: Sequence[str] = words.DOMAINS) -> None:
        own = random.sample(_OWN, 4)
        self.bound = {name: GRAMMAR.draw(name, random) for name in own}
        chosen = random.sample(domains, min(len(domains), random.choice((1, 1, 2, 2, 3))))
        self.subjects = [
            (domain, GRAMMAR.draw(domain + "_thing", random, self.bound))
            for domain in chosen
            for _ in range(random.choice((1, 2, 2, 3)))
        ]
        self.manner = random.choice(_MANNERS)
        self.typos = random.random() < 0.15
        self.terse = random.betavariate(1.2, 7.0)
        self.chat = chat
        self.system = GRAMMAR.draw("assistant", random, self.bound) if chat and random.random() < 0.4 else None
        self.session = -1
        self.last = ""


def question(random: Random) -> str:
    """A question on any subject."""
    domain = random.choice(words.DOMAINS)
    bound = {
        "thing": GRAMMAR.draw(domain + "_thing", random),
        "thing2": GRAMMAR.draw(domain + "_thing", random),
    }
    text = GRAMMAR.draw(domain + "_ask", random, bound)
    if random.random() < 0.4:
        text = f"{text}{_joint(text)}{GRAMMAR.draw(domain + '_more', random, bound)}"
    return text


def write(person: Person, random: Random, *, session: int, position: int) -> Text:
    """The next prompt of a person.

    Args:
        person: the writer; remembers the last turn of the session.
        random: of all draws.
        session: the number of the session; it determines the subject.
        position: the number of earlier prompts in the session.
    """
    return user_turn(person, _compose(person, random, session, position), random, session=session)


def user_turn(person: Person, text: str, random: Random, *, session: int) -> Text:
    """A text as the person's client sends it: plain, or as chat messages together with the earlier ones."""
    if not person.chat:
        return text
    messages: Messages = []
    if person.system is not None:
        messages.append({"role": "system", "content": person.system})
    if person.session == session and person.last:
        messages.append({"role": "user", "content": person.last})
        messages.append({"role": "assistant", "content": GRAMMAR.draw("reply", random, person.bound)})
    messages.append({"role": "user", "content": text})
    person.session, person.last = session, text
    return messages


def _compose(person: Person, random: Random, session: int, position: int) -> str:
    if random.random() < person.terse:
        return words.SHORT[bisect(_SHORT_WEIGHTS, random.random() * _SHORT_WEIGHTS[-1])]
    domain, thing = person.subjects[(session * 2_654_435_761 >> 9) % len(person.subjects)]
    bound = {**person.bound, "thing": thing, "thing2": GRAMMAR.draw(domain + "_thing", random, person.bound)}
    draw = random.random
    if position and draw() < 0.45:
        text = GRAMMAR.draw("followup", random, bound)
        if draw() < 0.25:
            text += _joint(text) + GRAMMAR.draw("wish", random, bound)
        return _typed(text, person, random)
    text = GRAMMAR.draw(domain + "_ask", random, bound)
    if draw() < 0.18:
        text = GRAMMAR.draw("opener", random, bound) + " " + text
    if draw() < 0.5:
        text += _joint(text) + GRAMMAR.draw(domain + "_more", random, bound)
    if draw() < 0.4:
        text += _joint(text) + GRAMMAR.draw("ownstory", random, bound)
    if draw() < 0.45:
        text += _joint(text) + GRAMMAR.draw("wish", random, bound)
    text = _typed(text, person, random)
    if draw() < 0.08:
        kind = "code" if domain in ("python", "web") else "log" if domain == "devops" else "paragraph"
        pieces = min(_MAX_PASTE, 1 + int(math.exp(random.gauss(1.1, 1.0))))
        text += "\n\n" + "\n\n".join(GRAMMAR.draw(kind, random, bound) for _ in range(pieces))
    return text


def _joint(text: str) -> str:
    return ". " if text[-1].isalnum() else " "


def _typed(text: str, person: Person, random: Random) -> str:
    if person.manner == "lower":
        text = text.lower()
    elif person.manner == "bare":
        text = text.lower().rstrip(".?!").replace(",", "")
    elif person.manner == "capital":
        text = text[:1].upper() + text[1:]
    if person.typos and len(text) > 12:
        for _ in range(1 + len(text) // 90):
            at = int(random.random() * (len(text) - 2))
            if text[at : at + 2].isalpha():
                text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text
