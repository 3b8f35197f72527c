"""The scene of one world: the ground that is planted on, the texts, the times, and what several groups share."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from benchmarks.ground import Ground, Hosts, Row
from benchmarks.identities import Identities, Identity
from benchmarks.real_texts import Half, Trace, fixed_words
from benchmarks.scenarios import REWORDED, Prompt
from benchmarks.sources import WINDOW, up_to
from benchmarks.world_plan import Plan
from benchmarks.world_sources import WorldSources
from benchmarks.world_tempo import Tempo
from benchmarks.world_texts import Material, chunks, own_instruction

__all__ = ["PHRASINGS", "Items", "Scene", "blended", "open_scene"]

PEOPLE: Final = 0.15
"""Share of the background rows of an API's log that people wrote in a chat."""
REAL_PROMPT: Final = 0.25
"""Share of the programs whose prompt is a real template rather than made of clauses."""
MOST_ROWS: Final = 120
"""Most rows of one background program."""


PHRASINGS: Final[Mapping[Half, tuple[str, ...]]] = {
    "tuning": (
        *REWORDED["tuning"],
        "{x} [Before|Prior to|Ahead of] [answering|replying|responding], [lay out|set out|put down|write out] "
        "[the full|your whole|the entire|all of your] [line of thought|train of thought|reasoning|deliberation] "
        "[in order|from start to end|without gaps], [marking|flagging|pointing out] [guesses|assumptions|leaps]"
        "[.| as such.| with a star.]",
        "[Take|Consider|Look at] [this|the following] [closely|with care|as an examiner would]: {x} "
        "[Name|State|Say] [which|what] [facts|rules|principles] [you rely on|carry the answer|decide it], "
        "[then|and then|after that] [derive|work out|conclude] [the answer|what is asked|the solution] "
        "[from them|step for step|one by one][.|, no shortcuts.]",
    ),
    "reporting": (
        *REWORDED["reporting"],
        "[Think|Reason|Reflect] [aloud|out loud|in the open] [about|on|over] [the task|the problem|the query] "
        "[at the end|given last|below], [comparing|contrasting|weighing] [two|at least two|several] "
        "[approaches|routes|strategies] [before|and only then] [settling|deciding|committing][.|:] {x}",
        "{x} [Show|Present|Disclose] [how a|the way a] [specialist|professional|domain expert] [would|might] "
        "[tackle|approach|handle] [it|this], [including|with|together with] [checks|sanity checks|verification] "
        "[of each|for every] [stage|step|move] [and|plus] [a final|one last|a closing] [summary|verdict|line].",
    ),
}
"""Instructions with exchangeable words; the alternatives in brackets are chosen anew for every prompt."""


@dataclass(slots=True)
class Items:
    """What campaigns deal out: items of public benchmarks and other tasks, each once as long as there are any."""

    pools: dict[str, list[str]]
    """Subject -> its items."""
    shared: frozenset[str]
    """Subjects that are for campaigns with a template, since innocent people ask about the same."""
    rng: random.Random
    left: dict[str, list[str]] = field(default_factory=dict)
    uses: Counter[str] = field(default_factory=Counter)
    reserved: set[str] = field(default_factory=set)

    def subjects(self, count: int, *, alone: bool = False) -> list[str]:
        """Some subjects, those used least first.

        Args:
            count: the number of subjects.
            alone: whether nobody else may deal them from now on, as for a campaign that has nothing but its items.
        """
        names = sorted(set(self.pools) - self.reserved - (self.shared if alone else frozenset()))
        names = names or sorted(self.pools)
        self.rng.shuffle(names)
        chosen = sorted(names, key=lambda name: self.uses[name])[:count]
        self.uses.update(chosen)
        if alone:
            self.reserved.update(chosen)
        return chosen

    def deal(self, subjects: Sequence[str]) -> Iterator[str]:
        """Items of some subjects without end; none repeats before all of a subject were dealt."""
        while True:
            subject = self.rng.choices(subjects, [len(self.pools[s]) for s in subjects])[0]
            pool = self.left.setdefault(subject, [])
            if not pool:
                pool.extend(self.pools[subject])
                self.rng.shuffle(pool)
            yield pool.pop()


@dataclass(slots=True, kw_only=True)
class Scene:
    """What campaigns and innocent groups of one world are planted with."""

    plan: Plan
    texts: WorldSources
    ground: Ground
    tempo: Tempo
    items: Items
    popular: list[str]
    """Linked default prompts of one framework that a campaign hides behind."""
    grader: tuple[str, list[str]]
    """A framework and those of its grading prompts that a campaign uses."""
    harness: str
    """The system prompt of the popular harness."""
    harness_client: tuple[str, ...]
    phrasings: list[str]
    """Instructions with exchangeable words that no campaign uses yet."""
    rewordings: list[list[str]]
    """Groups of rewordings that no campaign uses yet."""
    aside: list[Trace]
    """Background accounts that lend no rows, so that those who send little are as many as they are."""
    drawn_first: bool = False
    """Whether the domains of passages are drawn when passages are asked for, and not when the first one is used."""

    @property
    def rng(self) -> random.Random:
        """The generator of every draw."""
        return self.ground.rng

    @property
    def is_api(self) -> bool:
        """Whether most accounts are programs."""
        return self.plan.world == "api"

    def open(self, *, agents: tuple[str, ...] = ()) -> str:
        """An ordinary account of this world."""
        ids = self.ground.identities
        return self.ground.open(None if ids is None else ids.ordinary(agents=agents, program=self.is_api))

    def send(self, account: str, time: int, prompt: Prompt) -> None:
        """Adds a row."""
        self.ground.rows.append(Row(time, account, prompt, None))

    def material(self) -> Material:
        """The documents of a developer: of one domain."""
        domains = self.texts.documents
        return Material.of(domains[self.rng.choice(sorted(domains))], self.rng)

    def passages(self, count: int) -> Iterator[str]:
        """Pieces of the documents of some domains in random order, over and over."""
        if self.drawn_first:
            return self._pieces(self._domains(count))
        return self._passages(count)

    def _passages(self, count: int) -> Iterator[str]:
        yield from self._pieces(self._domains(count))

    def _domains(self, count: int) -> list[str]:
        domains = self.texts.documents
        return self.rng.sample(sorted(domains), min(count, len(domains)))

    def _pieces(self, chosen: list[str]) -> Iterator[str]:
        domains = self.texts.documents
        pieces = [x for domain in chosen for passage in domains[domain] for x in chunks(passage, self.rng)]
        while True:
            self.rng.shuffle(pieces)
            yield from pieces

    def linked(self, names: Sequence[str] = ()) -> list[str]:
        """One to three default prompts of one framework."""
        frameworks = {n: t for n, t in self.texts.frameworks.items() if t and (not names or n in names)}
        return _linked(frameworks, self.rng)


def _items(texts: WorldSources, rng: random.Random) -> Items:
    """The public benchmarks, with the questions and tasks that were kept out of the background."""
    others = {"questions": texts.people.payloads, "tasks": texts.people.tasks}
    return Items({**texts.benchmarks, **others}, frozenset(others), rng)


def _linked(frameworks: dict[str, list[str]], rng: random.Random) -> list[str]:
    name = rng.choices(sorted(frameworks), [len(frameworks[n]) ** 0.5 for n in sorted(frameworks)])[0]
    own = frameworks[name]
    first = rng.randrange(len(own))
    # neighbours in the source of a framework are often used together
    return [own[(first + i) % len(own)] for i in range(min(len(own), rng.choice((1, 2, 3, 3))))]


def open_scene(plan: Plan, texts: WorldSources, *, half: Half, seed: str, metadata: bool) -> Scene:
    """The scene before anything is planted: the background, and what several groups will share.

    Args:
        plan: what the world contains.
        texts: of one half; its background accounts are replaced in an API's log.
        half: of the texts that are written for benchmarks.
        seed: of every draw.
        metadata: whether accounts have more than an id.
    """
    rng = random.Random(f"{plan.world}-{seed}-scene")
    tempo = Tempo(texts.times, rng)
    if plan.world == "api":
        people = [trace for trace in texts.people.accounts if len(trace) <= MOST_ROWS]
        rng.shuffle(people)
        texts.people.accounts = [
            *up_to(people, round(PEOPLE * plan.background)),
            *_programs(texts, tempo, rng, round((1 - PEOPLE) * plan.background)),
        ]
    launch = any(group.kind == "launch-day" for group in plan.innocents)
    lending, aside = _parted(texts.people.accounts, plan.background - plan.lent, rng)
    ground = Ground(
        sources=texts.people,
        half=half,
        rng=rng,
        hosts=Hosts(lending, rng),
        identities=Identities(seed=f"{plan.world}-{seed}", days=WINDOW, at_once=launch) if metadata else None,
    )
    graders = {name: own for name, own in texts.graders.items() if own}
    grader = rng.choice(sorted(graders))
    popular = _linked({n: t for n, t in texts.frameworks.items() if t}, rng)
    return Scene(
        plan=plan,
        texts=texts,
        ground=ground,
        tempo=tempo,
        items=_items(texts, rng),
        popular=sorted(popular, key=lambda t: -len(fixed_words(t))),
        grader=(grader, rng.sample(graders[grader], min(len(graders[grader]), rng.choice((1, 1, 2))))),
        harness=rng.choice(texts.harnesses),
        phrasings=rng.sample(PHRASINGS[half], len(PHRASINGS[half])),
        rewordings=[texts.rewordings[name] for name in rng.sample(sorted(texts.rewordings), len(texts.rewordings))],
        aside=aside,
        harness_client=(f"harness/{rng.randint(0, 3)}.{rng.randint(1, 20)}",),
    )


def _parted(accounts: Sequence[Trace], rows: int, rng: random.Random) -> tuple[list[Trace], list[Trace]]:
    """Accounts that lend rows, and others with some rows in all; the largest fifth lends more often."""
    large = sorted(map(len, accounts))[4 * len(accounts) // 5] if accounts else 0
    lending: list[Trace] = []
    aside: list[Trace] = []
    for trace in accounts:
        if rows > 0 and (len(trace) < large or rng.random() < 0.3):
            aside.append(trace)
            rows -= len(trace)
        else:
            lending.append(trace)
    return lending, aside


def _programs(texts: WorldSources, tempo: Tempo, rng: random.Random, rows: int) -> list[Trace]:
    """Programs with a task and data of their own: a handful of requests each, with a long tail."""
    found: list[Trace] = []
    real = iter(texts.own_prompts)
    domains = sorted(texts.documents)
    while rows > 0:
        count = min(MOST_ROWS, 1 + int(rng.lognormvariate(1.5, 1.3)))
        material = Material.of(texts.documents[rng.choice(domains)], rng)
        template = next(real, None) if rng.random() < REAL_PROMPT else None
        write = own_instruction(material, rng)
        trace: list[tuple[int, Prompt]] = []
        for time in tempo.program(count):
            if template is not None:
                trace.append((time, _filled(template, material, rng)))
            else:
                trace.append((time, write(material.piece(rng))))
        # requests of several messages travel in traces like texts
        found.append(cast("Trace", trace))
        rows -= count
    return found


def _filled(template: str, material: Material, rng: random.Random) -> str:
    from benchmarks.real_texts import fill

    def pieces() -> Iterator[str]:
        while True:
            yield material.piece(rng)

    return fill(template, pieces())


def blended(ordinary: Identity, shared: Identity, signals: Sequence[str]) -> Identity:
    """An ordinary identity with some properties of a campaign's.

    Args:
        ordinary: changed and returned.
        shared: of an account of the campaign.
        signals: of :data:`benchmarks.world_plan.SIGNALS`: what is taken over.
    """
    if "network" in signals:
        ordinary.asn, ordinary.addresses = shared.asn, shared.addresses
    if "payment" in signals:
        ordinary.payment = shared.payment
    if "email" in signals:
        ordinary.email_domain = shared.email_domain
    if "client" in signals:
        ordinary.agents = shared.agents
    if "birth" in signals:
        ordinary.created = shared.created
    return ordinary
