"""How innocent groups come to send alike prompts: they share an exercise sheet, a tool, a tutorial or an event."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.independent.groups import Share, Timed
from benchmarks.independent.kinds import Unit
from benchmarks.independent.people import Data, chat, code_question, own_data, support_prompt
from benchmarks.independent.scene import Scene
from benchmarks.independent.tempo import geometric
from benchmarks.independent.wordings import VIRAL
from harvestdetect.util.periods import DAY

__all__ = [
    *("Frame", "colleagues", "evaluation_teams", "event", "hackathon", "players", "popular_list", "product"),
    *("school_class", "strings_in_languages", "support_staff", "tutorial", "viral"),
]

Frame = Callable[[Scene], Callable[[str], str]]
"""Makes the prompt of a product, which is then put around each text."""
_STARTS: Final = (
    *("", "", "solve: ", "Help me with this exercise. ", "explain the answer: ", "hw question - ", "Can you check? "),
)
_USUAL: Final = ("Question: {q}\nAnswer:", "Q: {q}\nA:", "{q}\nAnswer:")
_EVALUATION_SLOT: Final = re.compile(r"\{\{\s*question.*?\}\}")


def school_class(course: str, sheet: int) -> Share:
    """A class that does one sheet of exercises: many accounts send the same texts, but few send new ones.

    Args:
        course: of the exercises; problems of a benchmark where the half has too few of them.
        sheet: exercises of the sheet.
    """

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        exercises = scene.library.pools.get(f"course/{course}", ())
        if len(exercises) < sheet // 2:
            exercises = scene.library.pools["bench/scibench"]
        size = min(sheet, len(exercises))
        first = scene.rng.randint(0, len(exercises) - size)
        found: list[list[Unit]] = []
        for _ in range(count):
            chosen = sorted(scene.rng.sample(range(size), scene.rng.randint(max(1, min(size, size // 3)), size)))
            start = scene.rng.choice(_STARTS)
            found.append([(start if scene.rng.random() < 0.5 else "") + exercises[first + i] for i in chosen])
        return found

    return share


def evaluation_teams(pool: str, items: int, frames: Sequence[str], least: float) -> Share:
    """Independent teams that run the same first items of a public set with a public harness.

    Args:
        pool: of the items.
        items: that a team runs at most.
        frames: wordings with ``{q}`` for the item; each team has one. ``harness`` stands for a real template.
        least: share of the items that a team runs at least.
    """

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        chosen = scene.deal(items, pool)
        wordings = [_harness(scene) if frame == "harness" else frame for frame in frames]
        found: list[list[Unit]] = []
        for _ in range(count):
            wording = scene.rng.choice(wordings)
            number = max(1, int(len(chosen) * scene.rng.uniform(least, 1)))
            own = sorted(scene.rng.sample(range(len(chosen)), number))
            found.append([wording.replace("{q}", chosen[i]) for i in own])
        return found

    return share


def _harness(scene: Scene) -> str:
    """A template of a public evaluation harness; a usual form where the half has none."""
    if "evaluation" not in scene.library.pools:
        return scene.rng.choice(_USUAL)
    return _EVALUATION_SLOT.sub("{q}", scene.deck("evaluation").one())


def product(frame: Frame, median: float, *kinds: Data, most: int = 25, cut: int | None = None) -> Share:
    """Users of one product: the same long prompt around texts of their own, which nobody deals out.

    Args:
        frame: the prompt of the product.
        median: of the prompts of a user.
        kinds: of the users' data.
        most: prompts of a user.
        cut: most characters of a text.
    """

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        around = frame(scene)
        found: list[list[Unit]] = []
        for _ in range(count):
            own = own_data(scene, scene.rng.choice(kinds) if kinds else None)
            number = scene.heavy(median, 0.9, most=most)
            found.append([around(own()[:cut]) for _ in range(number)])
        return found

    return share


def tutorial(steps: Sequence[str], stays: float) -> Share:
    """People who follow a tutorial: the same prompts in order, up to where they give up, then some of their own."""

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        rng = scene.rng
        found: list[list[Unit]] = []
        for _ in range(count):
            own: list[Unit] = []
            for step in steps:
                if own and rng.random() > stays:
                    break
                instead = "penguins" if rng.random() < 0.8 else rng.choice(("cats", "my shop", "football", "trees"))
                own.append(step.replace("penguins", instead))
            if rng.random() < 0.4:
                own += chat(scene, rng.randint(1, 3))
            found.append(own)
        return found

    return share


def viral(name: str, change: Callable[[Scene, str], str]) -> Share:
    """People who try a prompt that is passed around, verbatim or with a small change."""
    return lambda scene, count: [[change(scene, VIRAL[name])] for _ in range(count)]


def event(wordings: Sequence[str], chance: float) -> Share:
    """People who ask about an event in the news, in their own words."""
    return lambda scene, count: [
        [scene.say(*wordings) for _ in range(geometric(scene.rng, chance))] for _ in range(count)
    ]


def colleagues(prompt: str, median: float, spread: float, *domains: str) -> Share:
    """Colleagues with one internal tool, among whom the documents of a day are divided: a dealt list in reality too."""

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        sizes = [scene.heavy(median, spread, least=2, most=40) for _ in range(count)]
        return [[prompt + text for text in scene.passages(size, *domains)] for size in sizes]

    return share


def support_staff(frames: Sequence[str], median: float, spread: float) -> Share:
    """Support staff who paste the messages of customers into a tool with one or several prompts.

    Args:
        frames: of the tool; empty means the prompt of a company's assistant.
        median: of the messages of a colleague.
        spread: of their logarithm.
    """

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        prompts = list(frames) or [f"{support_prompt(scene)}\nCustomer message: "]
        intents = scene.library.names("utterances")
        found: list[list[Unit]] = []
        for _ in range(count):
            number = scene.heavy(median, spread, least=2, most=40)
            texts = (scene.deck(scene.rng.choice(intents)).any() for _ in range(number))
            found.append([scene.rng.choice(prompts) + text for text in texts])
        return found

    return share


def hackathon(start: Callable[[Scene], str], median: float, spread: float, most: int) -> Share:
    """Teams of one weekend: the prompt of the starter kit before programming questions of their own."""

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        tags = scene.library.names("code")
        found: list[list[Unit]] = []
        for _ in range(count):
            kit = start(scene)
            number = scene.heavy(median, spread, least=2, most=most)
            found.append([kit + code_question(scene, scene.rng.choice(tags)) for _ in range(number)])
        return found

    return share


def popular_list(pool: str, items: int, least: int, most: int, *, skew: float = 0.0, start: str = "") -> Share:
    """People who choose from one list: past exams, or the tasks of a paid study.

    Args:
        pool: of the list.
        items: of the list.
        least: that a person chooses.
        most: that a person chooses.
        skew: exponent of the popularity of the items, which falls like a power of their place; 0 for equal ones.
        start: wording before an item.
    """

    def share(scene: Scene, count: int) -> list[list[Unit]]:
        rng, chosen = scene.rng, scene.deal(items, pool)
        found: list[list[Unit]] = []
        for _ in range(count):
            number = min(rng.randint(least, most), len(chosen))
            # the smallest of exponential variables with these rates: a sample without repetition
            order = sorted(range(len(chosen)), key=lambda i: rng.expovariate(1) * (i + 1) ** skew)
            found.append([scene.say(start) + chosen[i] for i in order[:number]])
        return found

    return share


def strings_in_languages(prompt: str, strings: int, least: int, most: int, *domains: str) -> Callable[..., list[Unit]]:
    """Strings of an interface or handbook for one translator; all translators of a team get the same strings.

    Args:
        prompt: with ``{l}`` for the language.
        strings: of the interface.
        least: strings of a translator.
        most: strings of a translator.
        domains: of the strings.
    """

    def one(scene: Scene, language: str) -> list[Unit]:
        texts = scene.once(f"strings-{domains}", lambda: scene.passages(strings, *domains, least=25, most=170))
        own = scene.rng.sample(texts, min(len(texts), scene.rng.randint(least, most)))
        return [prompt.replace("{l}", language) + text for text in own]

    return one


def players(most: int) -> Timed:
    """Players of a public prompt game, with their real prompts and times: all attack the same few defences."""

    def timed(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
        rng, end = scene.rng, scene.log.days * DAY - 60
        chosen = rng.sample(scene.library.players, min(count, len(scene.library.players)))
        found = []
        for own in chosen:
            first = rng.randrange(max(1, len(own) - most))
            found.append([(min(time, end), text[:3_000]) for time, text in own[first : first + most]])
        return found

    return timed
