"""What planted campaigns write: templates of the simulator's grammar around texts of the dump."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Final, TypeAlias

from harvestdetect.drill.grid import Trial
from harvestdetect.simulate.grammar import Parts, Sweep
from harvestdetect.simulate.harvest import GRADING, PARAPHRASED, SUFFIXES, SWEEPS, Form
from harvestdetect.simulate.people import GRAMMAR, Person, question, write
from harvestdetect.simulate.plan import unlike_template
from harvestdetect.simulate.words import DOMAINS

__all__ = ["Author", "Texts"]

Writer: TypeAlias = Callable[[str, int, Random], str]
"""(account, number of the prompt in the campaign, random) -> text."""

SINGLE: Final[tuple[Form, ...]] = (*SWEEPS, *SUFFIXES)
"""The forms that campaigns of one template take in turn."""
SEVERAL: Final = 5
"""Templates of a campaign of several."""
SWEPT: Final = 0.4
"""Share of the values of a slot that one campaign uses, so that campaigns with one form differ in subject too."""
LEAST_CHARACTERS: Final = 25
"""Shortest question without a template, and shortest payload, in characters."""
TRIES: Final = 20
"""Questions that are drawn for one that is long enough."""


class Author:
    """The writer of one campaign.

    Args:
        write: makes the text of one prompt.
        manner: what the campaign has in common with others of its kind. Two campaigns with one manner are never
            planted together; empty means that it has nothing in common with any.
    """

    __slots__ = ("manner", "write")

    def __init__(self, write: Writer, manner: str) -> None:
        self.write = write
        self.manner = manner


class Texts:
    """Makes the authors of all campaigns of a drill, each with templates unlike those of the others.

    Args:
        payloads: texts of the dump, to put into templates.
        seed: of all choices.
    """

    def __init__(self, payloads: Sequence[str], *, seed: int) -> None:
        self._payloads = [text for text in payloads if len(text.strip()) >= LEAST_CHARACTERS]
        self._seed = seed
        self._known: list[frozenset[str]] = []
        self._turns: dict[str, int] = {}

    def author(self, trial: Trial) -> Author:
        """The author of a trial. The result depends on the trials before it."""
        random = Random(f"drill texts {self._seed} {trial.number}")
        kind = trial.design.rewording
        turn = self._turns.get(kind, 0)
        self._turns[kind] = turn + 1
        if kind == "no-template":
            domain = DOMAINS[turn % len(DOMAINS)]
            return Author(_questions(domain), f"questions about {domain}")
        if kind == "reworded":
            which = turn % len(PARAPHRASED)
            return Author(self._filled([PARAPHRASED[which]], random), f"reworded {which}")
        if kind == "templates":
            forms = random.sample((*SINGLE, *GRADING), SEVERAL)
            return Author(self._filled(forms, random), "")
        which = turn % len(SINGLE)
        return Author(self._filled([SINGLE[which]], random), f"form {which}")

    def _filled(self, forms: Sequence[Form], random: Random) -> Writer:
        """Fills templates that are made of some forms, one of them at random for each prompt."""
        made: list[tuple[Parts, Sweep | None]] = [
            (
                unlike_template(form.text, random, self._known, keep=form.sweep + form.free),
                Sweep(GRAMMAR, form.sweep, random, share=SWEPT) if form.sweep else None,
            )
            for form in forms
        ]
        payloads = _in_turn(self._payloads, random)

        def writer(account: str, item: int, random: Random) -> str:
            parts, sweep = made[random.randrange(len(made))]
            values = dict(sweep.at(item, random)) if sweep is not None else _payload(payloads, random)
            text = GRAMMAR.fill(parts, random, values)
            return text[:1].upper() + text[1:]

        return writer


def _in_turn(texts: Sequence[str], random: Random) -> Iterator[str]:
    """The texts in random order, again and again."""
    while texts:
        order = list(texts)
        random.shuffle(order)
        yield from order


def _payload(payloads: Iterator[str], random: Random) -> Mapping[str, str]:
    """Values of the slots for payloads: a text of the dump; one of the grammar if the dump has none."""
    text = next(payloads, None)
    return {"y_life": question(random)} if text is None else {"y_long": text, "y_any": text}


def _questions(domain: str) -> Writer:
    """Writes questions about one subject as people do, each account in its own manner."""
    people: dict[str, Person] = {}

    def writer(account: str, item: int, random: Random) -> str:
        person = people.get(account)
        if person is None:
            person = people[account] = Person(random, domains=(domain,))
        text = ""
        for _ in range(TRIES):
            text = str(write(person, random, session=item, position=0))
            if len(text) >= LEAST_CHARACTERS:
                break
        return text

    return writer
