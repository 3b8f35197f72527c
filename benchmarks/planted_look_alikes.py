"""Plants innocent groups that resemble a campaign."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from typing import Final

from benchmarks.ground import Ground, Row
from benchmarks.identities import LAUNCH, NEW_MODEL
from benchmarks.real_texts import START, cycle, fill
from benchmarks.scenarios import LookAlike, Prompt
from benchmarks.sources import WINDOW
from harvestdetect.util.periods import DAY

__all__ = ["plant_look_alike"]

GREETINGS: Final = (
    *("hello", "hi", "hi there", "hey", "test", "testing", "are you there?", "what can you do?", "who are you"),
    *("thanks", "continue", "tell me a joke", "good morning", "how are you?", "what model are you", "ok"),
)


def plant_look_alike(ground: Ground, look: LookAlike, number: int) -> None:
    """Plants a look-alike; ``number`` selects its texts."""
    make: dict[str, Callable[[Ground, LookAlike, int], list[str]]] = {
        "greetings": _greetings,
        "viral": _viral,
        "product": _product,
        "scaffold": _scaffold,
        "agent": _scaffold,
        "classroom": _classroom,
        "researcher": _batch,
        "nightly": _batch,
        "translation": _batch,
        "build-agent": _batch,
        "launch-day": _launch_day,
    }
    ground.group(look.name, "look-alike", look.what, make[look.kind](ground, look, number))


def _greetings(ground: Ground, look: LookAlike, number: int) -> list[str]:
    found = []
    for _ in range(look.accounts):
        trace = ground.hosts.whole(1, 40)
        account = ground.open(None)
        said = ground.rng.randint(1, min(3, len(trace)))
        ground.own(account, [(t, ground.rng.choice(GREETINGS) if i < said else x) for i, (t, x) in enumerate(trace)])
        found.append(account)
    return found


def _viral(ground: Ground, look: LookAlike, number: int) -> list[str]:
    """A text that spreads: slow, steep, slow again; each account sends it once."""
    text = ground.sources.viral[number % len(ground.sources.viral)]
    day = ground.rng.uniform(8, WINDOW - 12)
    found = []
    for _ in range(look.accounts):
        account = ground.open(None)
        at = day + ground.rng.gauss(0, 0.3) + math.log(1 / max(ground.rng.random(), 1e-9) - 1) * 1.5
        hour = ground.hosts.tempo()[0][0] % DAY
        time = START + int(min(max(at, 0), WINDOW - 1)) * DAY + hour
        ground.own(account, [*ground.hosts.whole(1, 40), (time, text)])
        found.append(account)
    return found


def _product(ground: Ground, look: LookAlike, number: int) -> list[str]:
    """The template filled with each customer's own texts, at its own times; the rest stays as it was."""
    template = ground.sources.products[number % len(ground.sources.products)]
    agents = (f"product-{number}/2.1",)
    found = []
    for _ in range(look.accounts):
        trace = ground.hosts.whole(2, 60)
        account = ground.open(ground.identities.ordinary(agents=agents) if ground.identities else None)
        own = cycle([text for _, text in trace], ground.rng)
        share = ground.rng.betavariate(3, 1.5)
        ground.own(
            account,
            [
                (t, fill(template, chain([x], own)) if i == 0 or ground.rng.random() < share else x)
                for i, (t, x) in enumerate(trace)
            ],
        )
        found.append(account)
    return found


def _scaffold(ground: Ground, look: LookAlike, number: int) -> list[str]:
    """A fixed system prompt before what each account asked; an agent's turns carry tool results."""
    system = ground.sources.scaffolds[number % len(ground.sources.scaffolds)]
    agents = (f"{look.kind}-{number}/0.9",)
    found = []
    for _ in range(look.accounts):
        trace = ground.hosts.whole(2, 60)
        account = ground.open(ground.identities.ordinary(agents=agents) if ground.identities else None)
        share = ground.rng.betavariate(4, 1.5)
        for i, (time, text) in enumerate(trace):
            prompt: Prompt = text
            if i == 0 or ground.rng.random() < share:
                prompt = [{"role": "system", "content": system}, {"role": "user", "content": text}]
                if look.kind == "agent":
                    other = trace[ground.rng.randrange(len(trace))][1]
                    prompt += [
                        {"role": "assistant", "content": "I will run a tool."},
                        {"role": "user", "content": f"Tool result ({ground.rng.randint(0, 2)}): {other}"},
                    ]
            ground.rows.append(Row(time, account, prompt, None))
        found.append(account)
    return found


def _classroom(ground: Ground, look: LookAlike, number: int) -> list[str]:
    text = ground.sources.viral[(number + 1) % len(ground.sources.viral)]
    day = ground.rng.uniform(12, WINDOW - 4)
    ids = ground.identities.classroom(look.accounts, first=int(day)) if ground.identities else [None] * look.accounts
    found = []
    for identity in ids:
        account = ground.open(identity)
        for _ in range(ground.rng.randint(1, 2)):
            hour = min(max(ground.rng.gauss(17, 3), 8), 23)
            # most of them on the last of three days
            time = START + int(day + 2 - int(ground.rng.expovariate(1.2)) % 3) * DAY + int(hour * 3_600)
            ground.rows.append(
                Row(time, account, text + ground.rng.choice(("", " please", " thanks", "?", "\n")), None)
            )
        if ground.rng.random() < 0.5:
            ground.own(account, ground.hosts.whole(1, 10))
        found.append(account)
    return found


def _batch(ground: Ground, look: LookAlike, number: int) -> list[str]:
    """Machines of one organisation."""
    rng = ground.rng
    ids = ground.identities.organisation(look.accounts) if ground.identities else [None] * look.accounts
    found = [ground.open(identity) for identity in ids]
    if look.kind == "researcher":
        template = ground.sources.products[-1 - number % len(ground.sources.products)]
        questions = cycle(list(ground.sources.payloads[-600:]), rng)
        first = rng.uniform(2, WINDOW - 8)
        for account in found:
            for _ in range(rng.randint(100, 160)):
                time = START + int(rng.uniform(first, first + 4) * DAY)
                ground.rows.append(Row(time, account, fill(template, questions), None))
    elif look.kind == "nightly":
        template = ground.sources.products[-2 - number % (len(ground.sources.products) - 1)]
        private = cycle([x for _, x in ground.hosts.take(40)], rng)
        fixed = [fill(template, private) for _ in range(12)]
        for day in range(WINDOW):
            for i, prompt in enumerate(fixed):
                time = START + day * DAY + 2 * 3_600 + i * 40 + rng.randrange(20)
                ground.rows.append(Row(time, found[i % len(found)], prompt, None))
    elif look.kind == "translation":
        language = rng.choice(("German", "Japanese", "Portuguese", "Polish"))
        lines = cycle([x for _, x in ground.hosts.take(300)], rng)
        for account in found:
            for _ in range(max(60, 400 // look.accounts)):
                time = START + int(rng.uniform(0, WINDOW) * DAY)
                prompt = f"Translate into {language}, keep names and placeholders, return nothing else:\n{next(lines)}"
                ground.rows.append(Row(time, account, prompt, None))
    else:
        system = ground.sources.scaffolds[-1]
        lines = cycle([x for _, x in ground.hosts.take(300)], rng)
        for account in found:
            for _ in range(max(40, 300 // look.accounts)):
                log = f"{next(lines)}\n{next(lines)}"
                build = f"Build {rng.randrange(10**6)} failed. Find the cause and propose a patch.\n{log}"
                prompts: Prompt = [{"role": "system", "content": system}, {"role": "user", "content": build}]
                ground.rows.append(Row(START + int(rng.uniform(0, WINDOW) * DAY), account, prompts, None))
    return found


def _launch_day(ground: Ground, look: LookAlike, number: int) -> list[str]:
    """Within a day many try the same kinds of questions on the new model."""
    found = []
    for _ in range(look.accounts):
        account = ground.open(None)
        trace = ground.hosts.whole(1, 40)
        for _ in range(ground.rng.randint(1, 4)):
            time = START + LAUNCH * DAY + int(min(ground.rng.expovariate(3), 1.0) * DAY)
            ground.rows.append(Row(time, account, ground.rng.choice(ground.sources.launch), NEW_MODEL))
        ground.own(account, trace)
        found.append(account)
    return found
