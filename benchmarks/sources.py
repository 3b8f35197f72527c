"""The texts that dumps of the recall benchmark consist of: public texts, or those of the package's grammar."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.real_texts import START, Half, Trace, deal, fixed_words, slots, texts, traces
from harvestdetect.util.periods import DAY

__all__ = ["WINDOW", "NotEnough", "Sources", "grammar_sources", "real_sources", "up_to"]

WINDOW: Final = 45
"""Length of every dump, in days."""

MIN_FIXED: Final = 8
"""Fixed words that a template needs."""

HELD_BACK: Final = {
    "nq_questions": 0.65,
    "stackoverflow_titles": 0.6,
    "arena_prompts": 0.5,
    "arena_hard": 0.5,
    "clinc150_utterances": 0.1,
    "hh_human_turns": 0.1,
}
"""Share of the texts of each collection that is kept out of the background."""

PAYLOADS: Final = ("nq_questions", "stackoverflow_titles", "arena_prompts", "arena_hard")
"""Collections whose held-back texts fill harvest templates."""


class NotEnough(Exception):
    """The real rows do not suffice for what a dump should contain."""


@dataclass(slots=True, kw_only=True)
class Sources:
    """Texts for a dump; no text is in two of the lists."""

    origin: str
    """Where the texts come from, in words."""
    accounts: list[Trace]
    """The background."""
    payloads: list[str]
    """What fills harvest templates."""
    templates: list[str]
    products: list[str]
    scaffolds: list[str]
    viral: list[str]
    sentences: list[str]
    passage: str
    """A long text from which contexts are cut."""
    tasks: list[str]
    """Harvest prompts without a template."""
    launch: list[str]
    """Prompts with which people try a new model."""


def real_sources(data: Path, *, half: Half, seed: str, rows: int) -> Sources:
    """The public texts of one part, a random part of its accounts as background.

    Args:
        data: the folder that :mod:`benchmarks.real_texts` names.
        half: the part of the texts.
        seed: of every draw.
        rows: background rows; fewer where the part has fewer.
    """
    rng = random.Random(seed)
    order = rng.getrandbits(32)
    held_back = {name: _last(texts(data, name, half=half, seed=order), share) for name, share in HELD_BACK.items()}
    accounts = _accounts(data, half, rng, order, {name: len(found) for name, found in held_back.items()})
    payloads = [text for name in PAYLOADS for text in held_back[name]]
    viral = [t for t in payloads if 150 < len(t) < 900][:4]
    payloads = [t for t in payloads if t not in viral and len(t) < 2_000]
    rng.shuffle(payloads)
    task = rng.choice(("codegen", "roleplay")) if half == "reporting" else "codegen"
    templates = [
        t
        for name in ("distillation_templates", "lm_eval_templates")
        for t in texts(data, name, half=half, seed=order)
        if _usable(t, most=6)
    ]
    rng.shuffle(templates)
    products = _products(data, half, order)
    rng.shuffle(products)
    judged = texts(data, "llm_judge_prompts", half=half, seed=order)
    return Sources(
        origin=f"public texts, {half} part",
        accounts=up_to(accounts, rows),
        payloads=payloads,
        templates=templates,
        products=products,
        scaffolds=[t for t in texts(data, "fabric_patterns", half=half, seed=order) if 600 < len(t) < 4_000],
        viral=viral,
        sentences=held_back["clinc150_utterances"] + held_back["hh_human_turns"],
        passage="\n".join(_answer(t) for t in judged),
        tasks=texts(data, "gpteacher_distillation", half=half, seed=order, keep=lambda r: r["task"] == task),
        launch=_launch(rng),
    )


def _last(found: list[str], share: float) -> list[str]:
    """The last texts of a list, a share of them."""
    return found[len(found) - round(share * len(found)) :]


def _accounts(data: Path, half: Half, rng: random.Random, order: int, hold_back: dict[str, int]) -> list[Trace]:
    """The background accounts in random order, without the texts that are held back."""
    found = traces(data, half=half, days=WINDOW, rng=rng)
    dealt = deal(data, found, half=half, seed=order, rng=rng, account=str, hold_back=hold_back)
    accounts = [sorted(trace) for trace in (*found, *(trace for _, trace in dealt)) if trace]
    rng.shuffle(accounts)
    return accounts


def _products(data: Path, half: Half, order: int) -> list[str]:
    """Templates that products use."""
    return [
        *(
            t
            for t in texts(data, "promptsource_templates", half=half, seed=order)
            if len(t) > 120 and _usable(t, most=3)
        ),
        *(
            t
            for t in texts(data, "app_templates", half=half, seed=order, keep=lambda r: "evaluation" not in r["task"])
            if len(t) > 200 and _usable(t, most=4)
        ),
    ]


def grammar_sources(*, seed: str, rows: int) -> Sources:
    """Texts of :mod:`harvestdetect.simulate`: for trying the benchmark without the public texts."""
    from harvestdetect.simulate.harvest import SWEEPS
    from harvestdetect.simulate.people import GRAMMAR, Person, question
    from harvestdetect.simulate.people import write as write_prompt

    rng = random.Random(seed)
    accounts: list[Trace] = []
    left = rows
    while left > 0:
        person = Person(rng)
        count = min(left, 1 + int(rng.lognormvariate(1.2, 1.0)))
        hour = rng.uniform(0, 24)
        trace: Trace = []
        for number in range(count):
            time = START + int(rng.randrange(WINDOW) * DAY + (rng.gauss(hour, 3) % 24) * 3_600)
            trace.append((time, str(write_prompt(person, rng, session=number, position=0))))
        accounts.append(sorted(trace))
        left -= count
    templates = []
    for number in range(120):
        form = SWEEPS[number % len(SWEEPS)]
        kept = {name: "{" + name + "}" for name in form.sweep}
        templates.append(GRAMMAR.fill(GRAMMAR.compile(form.text), rng, kept).replace("{^", "{").replace("{a:", "{"))
    kept = {name: "{" + name + "}" for name in ("q_seller", "q_item", "q_notes")}
    draws: dict[str, list[str]] = {}
    for rule, count in (("l_scaffold", 8), ("l_viral", 4), ("sentence", 300), ("paragraph", 400), ("p_exam", 3_000)):
        draws[rule] = sorted({GRAMMAR.draw(rule, rng) for _ in range(count)})
        rng.shuffle(draws[rule])
    return Sources(
        origin="texts of the package's own grammar, the same in both parts",
        accounts=accounts,
        payloads=sorted({question(rng) for _ in range(3_000)}, key=lambda t: (len(t) % 7, t)),
        templates=[t for t in templates if slots(t)],
        products=[GRAMMAR.draw("l_product", rng, kept) for _ in range(20)],
        scaffolds=draws["l_scaffold"],
        viral=draws["l_viral"],
        sentences=draws["sentence"],
        passage="\n".join(draws["paragraph"]),
        tasks=draws["p_exam"],
        launch=_launch(rng),
    )


def _launch(rng: random.Random) -> list[str]:
    from harvestdetect.simulate.people import GRAMMAR

    return [GRAMMAR.draw("l_launch", rng) for _ in range(2_000)]


def _usable(template: str, *, most: int) -> bool:
    """Whether a template has slots, but not too many, and enough fixed words."""
    return (
        template.isascii()
        and len(template) < 2_500
        and 1 <= slots(template.split("|||")[0]) <= most
        and len(fixed_words(template)) >= MIN_FIXED
    )


def _answer(text: str) -> str:
    """The first answer that a judge is shown: a long text of a model, without the words of the judge's prompt."""
    _, _, rest = text.partition("Answer")
    return rest.split("Assistant B")[0].split("The End of")[0].strip("]|>[<\n ")


def up_to(accounts: Sequence[Trace], rows: int) -> list[Trace]:
    """The first accounts, as many as it takes for so many rows."""
    found: list[Trace] = []
    for trace in accounts:
        if rows <= 0:
            break
        found.append(trace)
        rows -= len(trace)
    return found
