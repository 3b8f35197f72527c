"""Plants the innocent groups of a world: what they have in common is no campaign."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from benchmarks.planted_look_alikes import plant_look_alike
from benchmarks.real_texts import START, cycle, fill
from benchmarks.scenarios import LookAlike, Prompt
from benchmarks.sources import WINDOW, NotEnough
from benchmarks.world_plan import Innocent
from benchmarks.world_scene import Scene
from benchmarks.world_staff import plant_staff
from benchmarks.world_texts import Filler, Material, own_instruction, question_on, sent
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["plant_innocents"]

MOST_OF_ACCOUNT: Final = 90
"""Most prompts of one account, such as a developer who uses the default prompts of a framework."""
_ABOUT: Final = ("{}", "{} and {}", "how to deal with {}", "{} for beginners", "the best {} of all", "{} near me")
"""Phrases that people put into a published template; words of a text fill them."""
WHOLE: Final = (2, 25)
"""Least and greatest number of rows of a person who uses a popular prompt."""


def plant_innocents(scene: Scene) -> None:
    """Plants every innocent group of the plan."""
    for group in scene.plan.innocents:
        kind = group.kind
        if kind in _CHAT and not scene.is_api:
            _look_alike(scene, group)
            continue
        make = (_API if scene.is_api else _ADAPTIVE)[kind]
        what, accounts = make(scene, group)
        scene.ground.group(group.name, "look-alike", what, accounts)


def _look_alike(scene: Scene, group: Innocent) -> None:
    """A group of the recall benchmark, under a name that is free."""
    used = {row["name"] for row in scene.ground.truth}
    size = group.accounts
    while (look := LookAlike(kind=group.kind, what=_CHAT[group.kind], accounts=size)).name in used:
        size += 1
    plant_look_alike(scene.ground, look, group.number)


# ---------------------------------------------------------------- developers with their own data


def _developers(scene: Scene, count: int, templates: list[str], *, mean: float, agents: tuple[str, ...]) -> list[str]:
    """Accounts that send default prompts around their own documents; some send other prompts on them too."""
    rng = scene.rng
    found = []
    for _ in range(count):
        account = scene.open(agents=agents)
        material = scene.material()
        filler = Filler(
            question=lambda material=material: material.question(rng),  # type: ignore[misc]
            passage=lambda material=material: material.piece(rng),  # type: ignore[misc]
            settings=material.settings,
        )
        own = own_instruction(material, rng)
        mine = rng.sample(templates, rng.randint(1, len(templates)))
        share = 1.0 if rng.random() < 0.6 else rng.uniform(0.4, 0.9)
        number = min(MOST_OF_ACCOUNT, 1 + int(rng.lognormvariate(0.0, 1.0) * 0.6 * mean))
        for i, time in enumerate(scene.tempo.program(number)):
            default = i == 0 or rng.random() < share
            scene.send(account, time, filler.prompt(rng.choice(mine)) if default else own(material.piece(rng)))
        found.append(account)
    return found


def _popular_framework(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    found = _developers(scene, group.accounts, scene.popular, mean=8, agents=())
    return "independent developers with the same popular default prompts", found


def _framework(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    templates = scene.linked()
    for _ in range(20):
        if not set(templates) & set(scene.popular):
            break
        templates = scene.linked()
    return "independent developers with the default prompts of a framework", _developers(
        scene, group.accounts, templates, mean=8, agents=()
    )


def _grader(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """The first group grades with the prompts that a campaign uses too."""
    graders = scene.texts.graders
    own = scene.grader[1]
    if group.number > 1:
        every = [t for templates in graders.values() for t in templates]
        own = scene.rng.sample(every, min(len(every), scene.rng.choice((1, 2))))
    return "independent teams with one grading prompt", _developers(scene, group.accounts, own, mean=9, agents=())


def _popular_harness(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """Developers behind a harness, each with its own repository."""
    rng = scene.rng
    found = []
    for _ in range(group.accounts):
        account = scene.open(agents=scene.harness_client)
        material = scene.material()
        number = min(MOST_OF_ACCOUNT, 1 + int(rng.lognormvariate(0.0, 1.0) * 5))
        kind = rng.choice(("person", "office", "burst"))
        for time in scene.tempo.of(kind, number, low=0, high=WINDOW):  # type: ignore[arg-type]
            piece = material.piece(rng)
            request = rng.choice((material.question(rng), f"{material.question(rng)}\n\n{piece}", piece))
            scene.send(account, time, sent(request, system=scene.harness))
        found.append(account)
    return "independent developers behind one harness", found


def _product(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """A product's template around each customer's own data."""
    products = scene.texts.people.products
    template = products[group.number % len(products)]
    rng = scene.rng
    found = []
    for _ in range(group.accounts):
        account = scene.open(agents=(f"product-{group.number}/2.1",))
        material = scene.material()
        pieces = cycle(list(material.pieces), rng)
        for time in scene.tempo.of("person", 1 + int(rng.lognormvariate(1.0, 0.9)), low=0, high=WINDOW):
            scene.send(account, time, fill(template, pieces))
        found.append(account)
    return "a product's template around each customer's own data", found


# ---------------------------------------------------------------- one list, shared


def _public_benchmark(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """Teams that each run the same items of a public benchmark."""
    rng = scene.rng
    task = rng.choice(sorted(scene.texts.benchmarks))
    items = rng.sample(scene.texts.benchmarks[task], min(len(scene.texts.benchmarks[task]), rng.randint(30, 60)))
    frames = rng.choice((("{x}",), ("Question: {x}\nAnswer:",), ("{x}", "Q: {x}\nA:", "{x}\nAnswer:")))
    found = []
    for _ in range(group.accounts):
        account = scene.open()
        frame = rng.choice(frames)
        run = [x for x in items if rng.random() < 0.95] or items
        start = rng.uniform(0, WINDOW - 2)
        for time, item in zip(scene.tempo.of("burst", len(run), low=start, high=start + 2), run, strict=True):
            scene.send(account, time, frame.replace("{x}", item))
        if rng.random() < 0.4:
            scene.ground.own(account, scene.ground.hosts.take(rng.randint(1, 6)))
        found.append(account)
    return "teams that run the same public benchmark", found


def _class(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """A class with one list of exercises, most of them behind one address."""
    rng, ids = scene.rng, scene.ground.identities
    courses = scene.texts.courses
    exercises = courses[rng.choice(sorted(courses))]
    first = rng.randrange(len(exercises))
    chosen = [exercises[(first + i) % len(exercises)][:1_500] for i in range(min(len(exercises), rng.randint(5, 12)))]
    day = rng.uniform(6, WINDOW - 8)
    network = rng.random() < 0.6
    pupils = ids.classroom(group.accounts, first=int(day)) if ids and network else [None] * group.accounts
    found = []
    for identity in pupils:
        account = scene.ground.open(identity)
        for number, exercise in enumerate(chosen):
            if rng.random() < 0.75 or number == 0:
                deadline = START + int((day + number // 4 * 2 + 1) * DAY) // DAY * DAY
                time = deadline - int(rng.expovariate(1 / 9) * HOUR) % (2 * DAY) + int(rng.gauss(17, 3) * HOUR)
                ask = rng.choice(("", "", "", "help me with this: ", "how do i solve this? ", "solve: ", "hi, "))
                scene.send(account, time, f"{ask}{exercise}{rng.choice(('', '', ' thanks', ' step by step please'))}")
        if rng.random() < 0.4:
            scene.ground.own(account, scene.ground.hosts.take(rng.randint(1, 5)))
        found.append(account)
    return "a class with one list of exercises", found


def _speakers(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """People who each ask in one language of the campaign that asks in many."""
    rng = scene.rng
    languages = sorted({language for one in scene.texts.spoken for language in one})
    found = []
    for _ in range(group.accounts):
        account = scene.open()
        language = rng.choice(languages)
        first = rng.randrange(len(scene.texts.spoken))
        own = [text for one in scene.texts.spoken[first : first + 30] if (text := one.get(language))]
        number = min(len(own), 1 + int(rng.lognormvariate(1.4, 0.8)))
        for time, text in zip(scene.tempo.of("person", number, low=0, high=WINDOW), own, strict=False):
            scene.send(account, time, text)
        if rng.random() < 0.3:
            scene.ground.own(account, scene.ground.hosts.take(rng.randint(1, 4)))
        found.append(account)
    return "people who write in one of many languages", found


def _study(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """Workers of a paid study, which deals its items: no two get the same ones. Most begin in its first days."""
    rng = scene.rng
    ask = own_instruction(scene.material(), rng)
    work = scene.passages(1) if rng.random() < 0.6 else scene.items.deal(scene.items.subjects(1))
    days = rng.uniform(2, 8)
    start = rng.uniform(0, WINDOW - days)
    found = []
    for _ in range(group.accounts):
        account = _person(scene)
        begins = min(start + rng.expovariate(1 / (0.4 * days)), start + days - 0.5)
        number = 1 + int(rng.lognormvariate(1.8, 0.7))
        for time in scene.tempo.of("person", number, low=begins, high=min(begins + rng.uniform(0.1, 3), WINDOW)):
            scene.send(account, time, ask(next(work)))
        _with_cover(scene, account, 0.8)
        found.append(account)
    return "workers of a paid study that deals its items", found


def _public_template(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """Users of a template that somebody published. Some fill it with texts on a subject of their own, others with any
    texts."""
    rng = scene.rng
    ask = own_instruction(scene.material(), rng)
    coherent = rng.choice((0.0, 0.0, 0.5, 1.0))
    anything = scene.passages(len(scene.texts.documents))
    found = []
    for _ in range(group.accounts):
        account = _person(scene)
        own = scene.material() if rng.random() < coherent else None
        question = rng.random() < 0.5
        first = rng.uniform(0, WINDOW - 1)
        number = 1 + int(rng.lognormvariate(1.4, 0.9))
        for time in scene.tempo.of("person", number, low=first, high=WINDOW):
            piece = next(anything) if own is None else own.piece(rng)
            scene.send(account, time, ask(question_on(piece, _ABOUT, rng) if question else piece))
        _with_cover(scene, account, 0.6)
        found.append(account)
    return "people who use a template that somebody published", found


def _cohort(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """People who begin within a few days of one another and use the same one to three prompts, or none: the staff of a
    company, each with a few documents of its field, or strangers at an event, each with documents of any field."""
    rng, ids, documents = scene.rng, scene.ground.identities, scene.texts.documents
    is_company = rng.random() < 0.6
    days = math.exp(rng.uniform(0, math.log(WINDOW)))
    start = rng.uniform(0, WINDOW - days)
    asks = [own_instruction(scene.material(), rng) for _ in range(rng.choice((1, 1, 2, 3)))]
    trade = rng.choice(sorted(documents))
    staff = ids.company(group.accounts, first=start) if ids and is_company else None
    share, habit = rng.uniform(0.5, 1.0), rng.choice(("person", "office", "burst"))
    found = []
    for number in range(group.accounts):
        account = _person(scene) if staff is None else scene.ground.open(staff[number])
        own = Material.of(documents[trade], rng) if is_company else scene.material()
        begins = min(start + rng.expovariate(1 / min(days / 4, 1.5)), start + days - 0.3)
        count = min(MOST_OF_ACCOUNT, 1 + int(rng.lognormvariate(1.6, 0.8)))
        times = scene.tempo.of(habit, count, low=begins, high=start + days)  # type: ignore[arg-type]
        for i, time in enumerate(times):
            piece = own.piece(rng)
            scene.send(account, time, rng.choice(asks)(piece) if i == 0 or rng.random() < share else piece)
        _with_cover(scene, account, 0.4)
        found.append(account)
    return "people who begin together, each with data of their own", found


def _person(scene: Scene) -> str:
    """An ordinary account of a person, in either world."""
    ids = scene.ground.identities
    return scene.ground.open(None if ids is None else ids.ordinary())


def _with_cover(scene: Scene, account: str, share: float) -> None:
    """With this probability, an account also sends rows of background accounts, as long as any are left to lend."""
    if scene.rng.random() < share:
        with suppress(NotEnough):
            scene.ground.own(account, scene.ground.hosts.take(scene.rng.randint(1, 6)))


# ---------------------------------------------------------------- one organisation


def _nightly(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """The same prompts every night, by some keys of one organisation."""
    rng, ids = scene.rng, scene.ground.identities
    keys = ids.organisation(group.accounts) if ids else [None] * group.accounts
    found = [scene.ground.open(identity) for identity in keys]
    material = scene.material()
    own = own_instruction(material, rng)
    fixed = [own(material.piece(rng)) for _ in range(rng.randint(4, 12))]
    hour = rng.randrange(24)
    for night in range(WINDOW):
        for i, prompt in enumerate(fixed):
            time = START + night * DAY + hour * HOUR + i * 40 + rng.randrange(20)
            scene.send(found[i % len(found)], time, prompt)
    return "a nightly batch of one organisation", found


def _queue(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """One queue of an organisation, dealt over its keys."""
    rng, ids = scene.rng, scene.ground.identities
    keys = ids.organisation(group.accounts) if ids else [None] * group.accounts
    found = [scene.ground.open(identity) for identity in keys]
    own = own_instruction(scene.material(), rng)
    work = scene.passages(1) if rng.random() < 0.6 else scene.items.deal(scene.items.subjects(1))
    days = rng.uniform(5, 40)
    start = rng.uniform(0, WINDOW - days)
    for account in found:
        for time in scene.tempo.of("steady", rng.randint(12, 24), low=start, high=start + days):
            scene.send(account, time, own(next(work)))
    return "one queue of an organisation over some keys of one bill", found


# ---------------------------------------------------------------- people


def _wrapped(scene: Scene, group: Innocent, wrap: Callable[[str, random.Random], Prompt]) -> list[str]:
    """People who put a part of what they write into one popular prompt."""
    rng = scene.rng
    found = []
    for _ in range(group.accounts):
        trace = scene.ground.hosts.whole(*WHOLE)
        ids = scene.ground.identities
        account = scene.ground.open(ids.ordinary(agents=scene.harness_client) if ids else None)
        share = rng.betavariate(3, 1.5)
        for i, (time, text) in enumerate(trace):
            scene.send(account, time, wrap(text, rng) if i == 0 or rng.random() < share else text)
        found.append(account)
    return found


def _people_harness(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    found = _wrapped(scene, group, lambda text, rng: sent(text, system=scene.harness))
    return "people behind one harness", found


def _people_framework(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    def wrap(text: str, rng: random.Random) -> Prompt:
        filler = Filler(question=lambda: text, passage=lambda: text, settings=settings)
        return filler.prompt(rng.choice(scene.popular))

    settings = Material.of(["-"], scene.rng).settings
    return "people with the same popular default prompts", _wrapped(scene, group, wrap)


def _community(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """Real accounts of a community, with their own texts and times."""
    rng = scene.rng
    traces = [trace for trace in scene.texts.community if len(trace) >= 2]
    found = []
    for trace in rng.sample(traces, min(len(traces), group.accounts)):
        account = scene.open()
        first = rng.randrange(max(1, len(trace) - MOST_OF_ACCOUNT))
        scene.ground.own(account, trace[first : first + MOST_OF_ACCOUNT])
        found.append(account)
    return "a community with a subject of its own", found


_CHAT: Final[Mapping[str, str]] = {
    "viral": "one long text, sent once by each account",
    "greetings": "greetings and tester questions",
    "product": "a product's template around each customer's own texts",
    "scaffold": "a coding assistant's system prompt before people's questions",
    "launch-day": "everybody tries a new model",
}
"""Groups of :mod:`benchmarks.planted_look_alikes`, for worlds of people."""
_Maker = Callable[[Scene, Innocent], tuple[str, list[str]]]
_API: Final[Mapping[str, _Maker]] = {
    "popular-framework": _popular_framework,
    "popular-harness": _popular_harness,
    "framework": _framework,
    "grader": _grader,
    "public-benchmark": _public_benchmark,
    "class": _class,
    "product": _product,
    "speakers": _speakers,
    "nightly": _nightly,
    "queue": _queue,
    "study": _study,
    "public-template": _public_template,
    "cohort": _cohort,
    "staff": plant_staff,
}
_ADAPTIVE: Final[Mapping[str, _Maker]] = {
    "popular-framework": _people_framework,
    "popular-harness": _people_harness,
    "public-benchmark": _public_benchmark,
    "class": _class,
    "speakers": _speakers,
    "community": _community,
    "study": _study,
    "public-template": _public_template,
    "cohort": _cohort,
    "staff": plant_staff,
}
