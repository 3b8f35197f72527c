"""How campaigns make their prompts: each text of a list is dealt to one account."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

from benchmarks.independent.groups import Deal, Wrap
from benchmarks.independent.kinds import Unit
from benchmarks.independent.library import Default
from benchmarks.independent.people import filled, system_prompt
from benchmarks.independent.scene import Scene
from benchmarks.independent.wordings import (
    JUDGE_PROMPT,
    LOCAL,
    RUBRICS,
    asked_in,
    confidence,
    disguised,
    reasoning,
    rubric,
    with_invisible,
)

__all__ = [
    *("asked_in_languages", "bare", "choices_in_languages"),
    *("behind_graders", "behind_retrieval", "claim", "confidence_probe", "each", "graded"),
    *("hidden_reasoning", "in_disguise", "judge_prompts", "one_wording", "on_passages"),
    *("several_wordings", "terms", "with_reasoning", "with_rubric"),
]

Dressed = Callable[[Scene, str], Unit]
"""Makes a unit of a text."""
_TERM: Final = re.compile(r"^[A-Za-z][a-z]{2,}[a-z -]{0,25}$")


def bare(*pools: str) -> Deal:
    """Texts of some pools as they are: an account looks like a person who asks a few unrelated questions."""
    return lambda scene, count: list(scene.deal(count, *pools))


def each(dress: Dressed, *pools: str) -> Deal:
    """Each text of some pools in a wording that ``dress`` chooses anew."""
    return lambda scene, count: [dress(scene, text) for text in scene.deal(count, *pools)]


def one_wording(wording: str, *pools: str) -> Deal:
    """All texts in one wording, whose alternatives are chosen once per world: a program with a fixed template."""

    def deal(scene: Scene, count: int) -> list[Unit]:
        chosen = scene.once(wording, lambda: scene.say(wording))
        return [asked_in(chosen, text) for text in scene.deal(count, *pools)]

    return deal


def several_wordings(wordings: Sequence[str], *pools: str) -> Deal:
    """Each text in one of some wordings."""
    return each(lambda scene, text: asked_in(scene.say(*wordings), text), *pools)


def on_passages(dress: Dressed, *domains: str, least: int = 200, most: int = 1_200) -> Deal:
    """Each passage of some domains in a wording that ``dress`` chooses anew."""
    return lambda scene, count: [dress(scene, text) for text in scene.passages(count, *domains, least=least, most=most)]


def with_rubric(*kinds: str) -> Dressed:
    """A reworded request for a grading rubric, before the text that is to be graded."""
    return lambda scene, text: (
        rubric(scene.rng, scene.rng.choice(kinds)) + scene.rng.choice(("\n\n", "\n```\n", "\n---\n")) + text
    )


def with_reasoning(scene: Scene, text: str) -> Unit:
    """A reworded request for a reasoning before or after a text."""
    between, request = scene.rng.choice(("\n\n", " ")), reasoning(scene.rng)
    return request + between + text if scene.rng.random() < 0.5 else text + between + request


def confidence_probe(scene: Scene, text: str) -> Unit:
    """A question with a reworded request to say how certain the answer is."""
    return asked_in(confidence(scene.rng), text)


def in_disguise(scene: Scene, text: str) -> Unit:
    """A request for a reasoning in base64, with letters of another script, or with invisible spaces."""
    request, chance = reasoning(scene.rng), scene.rng.random()
    if chance < 0.35:
        return "Decode and do it: " + base64.b64encode(f"{text} {request}".encode()).decode()
    if chance < 0.7:
        return f"{disguised(request)}\n{text}"
    return with_invisible(scene.rng, f"{request} {text}")


def claim(text: str) -> str:
    """What stands between the first quotation marks of a text; all of it where there are none."""
    parts = text.split('"')
    return parts[1] if len(parts) > 2 else text


# ---------------------------------------------------------------- behind prompts that others send too


def _chosen(scene: Scene, key: str, candidates: Sequence[Default], most: int) -> list[Default]:
    """Default prompts that a campaign hides behind, which some more developers use from now on."""

    def choose() -> list[Default]:
        found = scene.rng.sample(list(candidates), min(most, len(candidates)))
        scene.popular += found * 2
        return found

    return scene.once(key, choose)


def behind_retrieval(*domains: str) -> Deal:
    """Questions about passages in a default prompt for retrieval: what any developer with that framework sends."""

    def deal(scene: Scene, count: int) -> list[Unit]:
        prompts = _chosen(scene, "retrieval", [d for d in scene.library.defaults if d.retrieves], 2)
        questions = scene.deal(count, "spoken/en", "questions")
        passages = scene.passages(count, *domains)
        return [
            filled(scene, scene.rng.choice(prompts), str, asked=asked, passage=passage)
            for asked, passage in zip(questions, passages, strict=False)
        ]

    return deal


def behind_graders(scene: Scene, count: int) -> list[Unit]:
    """Answers in default grading prompts of evaluation frameworks: what any team that evaluates a product sends."""
    prompts = _chosen(scene, "graders", [d for d in scene.library.defaults if d.grades], 3)
    return [
        filled(scene, scene.rng.choice(prompts), lambda: "n/a", asked=asked, passage=answer[:900])
        for asked, answer in scene.answers(count)
    ]


def graded(scene: Scene, count: int) -> list[Unit]:
    """Instructions and answers in a public grading prompt."""
    return [judge_prompts(scene, asked, answer[:700]) for asked, answer in scene.answers(count)]


def judge_prompts(scene: Scene, asked: str, answer: str) -> str:
    """A public grading prompt with one of four rubrics."""
    prompt = JUDGE_PROMPT.replace("{r}", scene.rng.choice(RUBRICS))
    return prompt.replace("{q}", asked).replace("{a}", answer)


def hidden_reasoning(sentence: str) -> Wrap:
    """An application of its own for each account, whose long prompt has one sentence of the campaign in it."""

    def wrap(scene: Scene) -> Callable[[str], str]:
        sentences = re.split(r"(?<=[.!])\s", system_prompt(scene))
        sentences.insert(scene.rng.randint(1, len(sentences)), sentence)
        prompt = " ".join(sentences)
        return lambda text: f"{prompt}\n\n{text}"

    return wrap


# ---------------------------------------------------------------- grids


def asked_in_languages(scene: Scene, count: int) -> list[Unit]:
    """Questions with a request for a reasoning, both in one of twelve languages; each pair is dealt once."""
    pairs = [(one, name) for one, name in product(scene.library.parallel, list(LOCAL)[:12]) if name in one]
    return [f"{LOCAL[name]} {one[name]}" for one, name in scene.rng.sample(pairs, min(count, len(pairs)))]


def choices_in_languages(scene: Scene, count: int) -> list[Unit]:
    """Questions with two answers in one of eleven languages, with a request in that language, in English or none."""
    pairs = [(one, name) for one in scene.library.choices for name in sorted(one)]
    return [
        f"{scene.rng.choice((LOCAL.get(name, LOCAL['en']), LOCAL['en'], ''))} {one[name]}"
        for one, name in scene.rng.sample(pairs, min(count, len(pairs)))
    ]


def terms(scene: Scene) -> list[str]:
    """The headwords of two dictionaries, sorted."""
    found = set()
    for domain in ("dictionary_computing", "dictionary_jargon"):
        for text in scene.library.pools.get(f"docs/{domain}", ()):
            word = text.strip().split("\n")[0].strip().rstrip(",.;")
            if _TERM.match(word):
                found.add(word)
    return sorted(found)
