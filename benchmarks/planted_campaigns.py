"""Plants campaigns: what their accounts send, and when."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from benchmarks.ground import Ground, Row
from benchmarks.identities import NEW_MODEL, Identity
from benchmarks.real_texts import START, Trace, cycle, fill, fixed_words
from benchmarks.scenarios import INSTRUCTIONS, LANGUAGES, REWORDED, Prompt, Scenario, disguise, reword, technique
from benchmarks.sources import WINDOW, NotEnough
from harvestdetect.util.periods import DAY

__all__ = ["instruction_of", "plant_campaign", "templates_of"]


def plant_campaign(ground: Ground, scenario: Scenario, payloads: list[str]) -> None:
    """Plants a scenario."""
    start = ground.rng.uniform(0, WINDOW - scenario.days)
    ids: list[Identity] = []
    total = scenario.accounts * 5 // 3 if scenario.overlap else scenario.accounts
    if ground.identities is not None:
        ids = ground.identities.campaign(total, first=int(start), network=scenario.network)
    names = [ground.open(ids[i] if ids else None) for i in range(total)]
    if not scenario.overlap:
        _send(ground, scenario.name, scenario, names, payloads, start)
        return
    half = len(payloads) // 2
    _send(ground, f"{scenario.name}-a", scenario, names[: scenario.accounts], payloads[:half], start)
    _send(ground, f"{scenario.name}-b", scenario, names[-scenario.accounts :], payloads[half:], start)


def _send(
    ground: Ground, name: str, scenario: Scenario, names: Sequence[str], payloads: list[str], start: float
) -> None:
    rng = ground.rng
    write = _writer(ground, scenario, payloads)
    moves = start + scenario.days * rng.uniform(0.3, 0.6)
    sent = 0
    earliest = START + WINDOW * DAY
    for number, account in enumerate(names):
        count = _count(scenario, rng)
        cover = ground.hosts.take(round(count * (1 - scenario.share) / scenario.share))
        low, high = _span(scenario, number, len(names), start)
        if scenario.tempo == "human":
            times = _human(cover or ground.hosts.tempo(), count, low, high, rng)
        else:
            times = [START + int(rng.uniform(low, high) * DAY) for _ in range(count)]
        switch = START + int((moves + rng.random()) * DAY) if scenario.model_move and number % 2 == 0 else None
        for time in sorted(times):
            prompt = write((time - START) / DAY)
            model = NEW_MODEL if switch is not None and time >= switch else None
            ground.rows.append(Row(time, account, prompt, model))
            sent += 1
            earliest = min(earliest, time)
        ground.own(account, cover)
    ground.group(name, "campaign", scenario.what, names)
    ground.harvest[name], ground.first[name] = sent, earliest


def _writer(ground: Ground, scenario: Scenario, payloads: list[str]) -> Callable[[float], Prompt]:
    rng, half = ground.rng, ground.half
    unique = _unique(payloads, rng)
    again = cycle(list(payloads), rng)
    tasks = iter(ground.sources.tasks)
    kind, how = scenario.templates, scenario.evasion
    numbers = iter(rng.sample(range(4_608 if kind == "variants" else 1), 4_608 if kind == "variants" else 1))
    question = payloads[0]
    instruction = instruction_of(ground) if kind == "instruction" else ""
    wordings = REWORDED[half]
    templates: Sequence[str] = ()
    if isinstance(kind, int):
        templates = LANGUAGES[half][: scenario.languages] if scenario.languages > 1 else templates_of(ground, kind)

    def text(day: float) -> str:
        if kind == "none":
            return next(tasks)
        if kind == "variants":
            return f"{question}\n\n{technique(next(numbers), half)}"
        if kind == "reworded":
            return reword(rng.choice(wordings), rng).replace("{x}", next(unique))
        if kind == "instruction":
            return f"{next(unique)}\n\n{instruction}"
        template = templates[int(day // 3) % len(templates)] if how == "rotation" else rng.choice(templates)
        return fill(template, chain([next(unique)], again))

    def prompt(day: float) -> Prompt:
        if how == "system":
            return [{"role": "system", "content": instruction}, {"role": "user", "content": next(unique)}]
        if how == "last-turn":
            return [
                {"role": "user", "content": next(unique)},
                {"role": "assistant", "content": rng.choice(ground.sources.sentences)},
                {"role": "user", "content": instruction},
            ]
        return disguise(
            text(day),
            how,
            rng=rng,
            sentence=lambda: _sentence(ground),
            context=lambda characters: _context(ground, characters),
        )

    return prompt


def templates_of(ground: Ground, count: int) -> list[str]:
    """Templates that no other campaign of the dump uses or nearly uses."""
    found: list[str] = []
    words: list[frozenset[str]] = []
    for template in ground.sources.templates:
        own = frozenset(fixed_words(template))
        if all(len(own & other) < 0.6 * len(own | other) for other in ground.templates_used):
            found.append(template)
            words.append(own)
            if len(found) == count:
                ground.templates_used += words
                return found
    raise NotEnough(f"{count} templates of their own are needed, {len(found)} are left")


def instruction_of(ground: Ground) -> str:
    """A fixed instruction that no other campaign of the dump uses."""
    left = [t for t in INSTRUCTIONS[ground.half] if t not in ground.instructions_used]
    if not left:
        raise NotEnough("no fixed instruction is left")
    ground.instructions_used.append(ground.rng.choice(left))
    return ground.instructions_used[-1]


def _sentence(ground: Ground) -> str:
    return ground.rng.choice(ground.sources.sentences)


def _context(ground: Ground, characters: int) -> str:
    passage = ground.sources.passage
    start = ground.rng.randrange(max(1, len(passage) - characters))
    return passage[start : start + characters]


def _count(scenario: Scenario, rng: random.Random) -> int:
    if scenario.load == "heavy":
        return min(12 * scenario.each, max(1, round(rng.lognormvariate(0.0, 1.1) * 0.55 * scenario.each)))
    return rng.randint(max(1, round(0.7 * scenario.each)), max(1, round(1.3 * scenario.each)))


def _span(scenario: Scenario, number: int, total: int, start: float) -> tuple[float, float]:
    """The first and last day on which an account harvests."""
    if scenario.evasion == "churn":
        low = start + (scenario.days - 3) * number / max(1, total - 1)
        return low, low + 3
    if scenario.pools == 2:
        middle = start + scenario.days / 2
        return (start, middle) if number < total // 2 else (middle, start + scenario.days)
    return start, start + scenario.days


def _human(trace: Trace, count: int, low: float, high: float, rng: random.Random) -> list[int]:
    """Times of an account that a person uses: those of its host, moved into some days, with some noise."""
    span = max(1, int(high - low)) * DAY
    first = START + int(low) * DAY
    host = [first + (time - START) % span for time, _ in trace]
    rng.shuffle(host)
    found = []
    for number in range(count):
        time = host[number % len(host)] + int(rng.gauss(0, 1_200))
        if number >= len(trace):  # the same times on other days
            time = first + (time - first + rng.randrange(span // DAY) * DAY) % span
        found.append(min(max(time, first), first + span - 1))
    return found


def _unique(payloads: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Each text once, then pairs of texts: as in a list of work, no text repeats."""
    yield from payloads
    while True:
        yield " ".join(rng.sample(payloads, 2)) if len(payloads) > 1 else payloads[0]
