"""Plants scenarios into a background of real accounts (or of the package's own grammar) and keeps the truth.

Every background row is used once: what a planted account sends beside its harvest are rows of real accounts that are
taken out of the background. What fills a template was never in the background. A planted account keeps its host's
times where the scenario says so.
"""

from __future__ import annotations

import gzip
import json
import math
import random
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks.identities import LAUNCH, NEW_MODEL, Identities, Identity
from benchmarks.real_texts import DAY, START, Half, Trace, cycle, deal, fill, fixed_words, slots, texts, traces
from benchmarks.scenarios import (
    INSTRUCTIONS,
    LANGUAGES,
    REWORDED,
    Dump,
    LookAlike,
    Prompt,
    Scenario,
    disguise,
    reword,
    technique,
)

__all__ = ["Laid", "NotEnough", "Sources", "grammar_sources", "lay", "real_sources", "write"]

WINDOW: Final = 45
"""Days of every dump."""
LENDS: Final = 4
"""Most planted accounts that one real account's rows go to."""
INNOCENT: Final = 0.25
"""Share of the background rows that must stay innocent."""
MIN_FIXED: Final = 8
"""Fixed words from which a template is one."""


class NotEnough(Exception):
    """The real rows do not suffice for what a dump should hold."""


# ---------------------------------------------------------------- sources


@dataclass(slots=True, kw_only=True)
class Sources:
    """Texts to lay a dump from; no text is in two of the lists."""

    told: str
    """Where they come from, in words."""
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
    """One long text; contexts are cut out of it."""
    tasks: list[str]
    """Harvest prompts without a template."""
    launch: list[str]
    """What people try on a new model."""


def real_sources(data: Path, *, half: Half, seed: str, rows: int) -> Sources:
    """The public texts of one part, a random part of its accounts as background.

    Args:
        data: the folder that :mod:`benchmarks.real_texts` names.
        half: which part.
        seed: of every draw.
        rows: background rows; less where the part has less.
    """
    rng = random.Random(seed)
    order = rng.getrandbits(32)
    held: dict[str, list[str]] = {}
    for name, share in (
        ("nq_questions", 0.65), ("stackoverflow_titles", 0.6), ("arena_prompts", 0.5), ("arena_hard", 0.5),
        ("clinc150_utterances", 0.1), ("hh_human_turns", 0.1),
    ):  # fmt: skip
        found = texts(data, name, half=half, seed=order)
        held[name] = found[len(found) - round(share * len(found)) :]
    found_traces = traces(data, half=half, days=WINDOW, rng=rng)
    dealt = deal(
        data, found_traces, half=half, seed=order, rng=rng, account=str,
        hold_back={name: len(found) for name, found in held.items()},
    )  # fmt: skip
    accounts = [sorted(trace) for trace in (*found_traces, *(trace for _, trace in dealt)) if trace]
    rng.shuffle(accounts)
    payloads = held["nq_questions"] + held["stackoverflow_titles"] + held["arena_prompts"] + held["arena_hard"]
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
    products = [
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
    rng.shuffle(products)
    judged = texts(data, "llm_judge_prompts", half=half, seed=order)
    return Sources(
        told=f"public texts, {half} part",
        accounts=_some(accounts, rows),
        payloads=payloads,
        templates=templates,
        products=products,
        scaffolds=[t for t in texts(data, "fabric_patterns", half=half, seed=order) if 600 < len(t) < 4_000],
        viral=viral,
        sentences=held["clinc150_utterances"] + held["hh_human_turns"],
        passage="\n".join(_answer(t) for t in judged),
        tasks=texts(data, "gpteacher_distillation", half=half, seed=order, keep=lambda r: r["task"] == task),
        launch=_launch(rng),
    )


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
        told="texts of the package's own grammar, the same in both parts",
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
    """Whether a template has slots, few enough, and words of its own."""
    return (
        template.isascii()
        and len(template) < 2_500
        and 1 <= slots(template.split("|||")[0]) <= most
        and len(fixed_words(template)) >= MIN_FIXED
    )


def _answer(text: str) -> str:
    """The first answer that a judge is shown: a long text of a model, without the judge's own words."""
    _, _, rest = text.partition("Answer")
    return rest.split("Assistant B")[0].split("The End of")[0].strip("]|>[<\n ")


def _some(accounts: Sequence[Trace], rows: int) -> list[Trace]:
    found: list[Trace] = []
    for trace in accounts:
        if rows <= 0:
            break
        found.append(trace)
        rows -= len(trace)
    return found


# ---------------------------------------------------------------- hosts


class Hosts:
    """The background accounts, from which rows are taken."""

    def __init__(self, accounts: Sequence[Trace], rng: random.Random) -> None:
        self._rng = rng
        self.traces = [list(trace) for trace in accounts]
        self.rows = sum(map(len, self.traces))
        self._all = self.rows
        self._lent = [0] * len(self.traces)
        self._order = sorted((len(trace), i) for i, trace in enumerate(self.traces))

    def take(self, need: int) -> Trace:
        """So many rows, of as few accounts as fit; an account lends to :data:`LENDS` at most.

        Raises:
            NotEnough: too few rows would stay innocent.
        """
        found: Trace = []
        while need > 0:
            if self.rows - need < INNOCENT * self._all or not self._order:
                raise NotEnough(
                    f"{need:,} more rows of real accounts are needed, {self.rows:,} of {self._all:,} are left"
                )
            low = bisect_left(self._order, (math.ceil(need / 3), 0))
            high = bisect_left(self._order, (math.floor(need * 1.5) + 1, 0))
            if low == high:
                low, high = (low, min(low + 20, len(self._order))) if low < len(self._order) else (low - 1, low)
            size, i = self._order.pop(self._rng.randrange(low, high))
            trace = self.traces[i]
            given = min(need, size)
            start = self._rng.randrange(size - given + 1)
            found += trace[start : start + given]
            del trace[start : start + given]
            self._lent[i] += 1
            if trace and self._lent[i] < LENDS:
                insort(self._order, (len(trace), i))
            self.rows -= given
            need -= given
        return sorted(found)

    def whole(self, low: int, high: int) -> Trace:
        """All rows of an account that has between ``low`` and ``high`` and lent none.

        Raises:
            NotEnough: there is none.
        """
        first = bisect_left(self._order, (low, 0))
        last = bisect_left(self._order, (high + 1, 0))
        if first == last or self.rows < INNOCENT * self._all:
            raise NotEnough(f"no real account with {low} to {high} rows is left")
        size, i = self._order.pop(self._rng.randrange(first, last))
        trace, self.traces[i] = self.traces[i], []
        self.rows -= size
        return trace

    def tempo(self) -> Trace:
        """The times of some account, which keeps its rows."""
        while True:
            trace = self._rng.choice(self.traces)
            if trace:
                return trace


# ---------------------------------------------------------------- a dump

Row: TypeAlias = tuple[int, str, Prompt, str | None]
"""Time, account, prompt, model where it is not the account's own."""


@dataclass(slots=True, kw_only=True)
class Laid:
    """A dump in memory."""

    told: str
    rows: list[dict[str, Any]]
    """In the order of time."""
    truth: list[dict[str, Any]]
    harvest: dict[str, int]
    """Harvest prompts of each campaign."""
    first: dict[str, int]
    """Time of the first harvest prompt of each campaign, seconds."""
    accounts: int
    background: int
    """Rows of accounts that were not planted."""


@dataclass(slots=True, kw_only=True)
class _Planter:
    sources: Sources
    half: Half
    rng: random.Random
    hosts: Hosts
    identities: Identities | None
    rows: list[Row] = field(default_factory=list)
    truth: list[dict[str, Any]] = field(default_factory=list)
    known: dict[str, Identity] = field(default_factory=dict)
    harvest: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    templates_used: list[frozenset[str]] = field(default_factory=list)
    instructions_used: list[str] = field(default_factory=list)

    def open(self, identity: Identity | None) -> str:
        """A new account."""
        name = f"acct_{self.rng.getrandbits(48):012x}"
        if self.identities is not None:
            self.known[name] = identity or self.identities.ordinary()
        return name

    def group(self, name: str, kind: str, what: str, accounts: Sequence[str]) -> None:
        """Writes a group into the truth."""
        self.truth.append({"name": name, "kind": kind, "what": what, "accounts": sorted(set(accounts))})

    def own(self, account: str, trace: Trace) -> None:
        """An account's own rows."""
        self.rows.extend((time, account, text, None) for time, text in trace)

    # ------------------------------------------------------------ campaigns

    def campaign(self, scenario: Scenario, payloads: list[str]) -> None:
        """Plants a scenario."""
        start = self.rng.uniform(0, WINDOW - scenario.days)
        ids: list[Identity] = []
        total = scenario.accounts * 5 // 3 if scenario.overlap else scenario.accounts
        if self.identities is not None:
            ids = self.identities.campaign(total, first=int(start), network=scenario.network)
        names = [self.open(ids[i] if ids else None) for i in range(total)]
        if not scenario.overlap:
            self._send(scenario.name, scenario, names, payloads, start)
            return
        half = len(payloads) // 2
        self._send(f"{scenario.name}-a", scenario, names[: scenario.accounts], payloads[:half], start)
        self._send(f"{scenario.name}-b", scenario, names[-scenario.accounts :], payloads[half:], start)

    def _send(self, name: str, scenario: Scenario, names: Sequence[str], payloads: list[str], start: float) -> None:
        rng = self.rng
        write = self._writer(scenario, payloads)
        moves = start + scenario.days * rng.uniform(0.3, 0.6)
        sent = 0
        earliest = START + WINDOW * DAY
        for number, account in enumerate(names):
            count = _count(scenario, rng)
            cover = self.hosts.take(round(count * (1 - scenario.share) / scenario.share))
            low, high = _span(scenario, number, len(names), start)
            if scenario.tempo == "human":
                times = _human(cover or self.hosts.tempo(), count, low, high, rng)
            else:
                times = [START + int(rng.uniform(low, high) * DAY) for _ in range(count)]
            switch = START + int((moves + rng.random()) * DAY) if scenario.model_move and number % 2 == 0 else None
            for time in sorted(times):
                prompt = write((time - START) / DAY)
                model = NEW_MODEL if switch is not None and time >= switch else None
                self.rows.append((time, account, prompt, model))
                sent += 1
                earliest = min(earliest, time)
            self.own(account, cover)
        self.group(name, "campaign", scenario.what, names)
        self.harvest[name], self.first[name] = sent, earliest

    def _writer(self, scenario: Scenario, payloads: list[str]) -> Callable[[float], Prompt]:
        rng, half = self.rng, self.half
        unique = _unique(payloads, rng)
        again = cycle(list(payloads), rng)
        tasks = iter(self.sources.tasks)
        kind, how = scenario.templates, scenario.evasion
        numbers = iter(rng.sample(range(4_608 if kind == "variants" else 1), 4_608 if kind == "variants" else 1))
        question = payloads[0]
        instruction = self._instruction() if kind == "instruction" else ""
        wordings = REWORDED[half]
        templates: Sequence[str] = ()
        if isinstance(kind, int):
            templates = LANGUAGES[half][: scenario.languages] if scenario.languages > 1 else self._templates(kind)

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
                    {"role": "assistant", "content": rng.choice(self.sources.sentences)},
                    {"role": "user", "content": instruction},
                ]
            return disguise(text(day), how, rng=rng, sentence=self._sentence, context=self._context)

        return prompt

    def _templates(self, count: int) -> list[str]:
        """Templates that no other campaign of the dump uses or nearly uses."""
        found: list[str] = []
        words: list[frozenset[str]] = []
        for template in self.sources.templates:
            own = frozenset(fixed_words(template))
            if all(len(own & other) < 0.6 * len(own | other) for other in self.templates_used):
                found.append(template)
                words.append(own)
                if len(found) == count:
                    self.templates_used += words
                    return found
        raise NotEnough(f"{count} templates of their own are needed, {len(found)} are left")

    def _instruction(self) -> str:
        """A fixed instruction that no other campaign of the dump uses."""
        left = [t for t in INSTRUCTIONS[self.half] if t not in self.instructions_used]
        if not left:
            raise NotEnough("no fixed instruction is left")
        self.instructions_used.append(self.rng.choice(left))
        return self.instructions_used[-1]

    def _sentence(self) -> str:
        return self.rng.choice(self.sources.sentences)

    def _context(self, characters: int) -> str:
        passage = self.sources.passage
        start = self.rng.randrange(max(1, len(passage) - characters))
        return passage[start : start + characters]

    # ------------------------------------------------------------ look-alikes

    def look_alike(self, look: LookAlike, number: int) -> None:
        """Plants a look-alike; ``number`` picks its texts."""
        make: dict[str, Callable[[LookAlike, int], list[str]]] = {
            "greetings": self._greetings,
            "viral": self._viral,
            "product": self._product,
            "scaffold": self._scaffold,
            "agent": self._scaffold,
            "classroom": self._classroom,
            "researcher": self._batch,
            "nightly": self._batch,
            "translation": self._batch,
            "build-agent": self._batch,
            "launch-day": self._launch_day,
        }
        self.group(look.name, "look-alike", look.what, make[look.kind](look, number))

    def _greetings(self, look: LookAlike, number: int) -> list[str]:
        found = []
        for _ in range(look.accounts):
            trace = self.hosts.whole(1, 40)
            account = self.open(None)
            said = self.rng.randint(1, min(3, len(trace)))
            self.own(account, [(t, self.rng.choice(GREETINGS) if i < said else x) for i, (t, x) in enumerate(trace)])
            found.append(account)
        return found

    def _viral(self, look: LookAlike, number: int) -> list[str]:
        """A text that spreads: slow, steep, slow again; each account sends it once."""
        text = self.sources.viral[number % len(self.sources.viral)]
        day = self.rng.uniform(8, WINDOW - 12)
        found = []
        for _ in range(look.accounts):
            account = self.open(None)
            at = day + self.rng.gauss(0, 0.3) + math.log(1 / max(self.rng.random(), 1e-9) - 1) * 1.5
            hour = self.hosts.tempo()[0][0] % DAY
            time = START + int(min(max(at, 0), WINDOW - 1)) * DAY + hour
            self.own(account, [*self.hosts.whole(1, 40), (time, text)])
            found.append(account)
        return found

    def _product(self, look: LookAlike, number: int) -> list[str]:
        """The template filled with each customer's own texts, at its own times; the rest stays as it was."""
        template = self.sources.products[number % len(self.sources.products)]
        agents = (f"product-{number}/2.1",)
        found = []
        for _ in range(look.accounts):
            trace = self.hosts.whole(2, 60)
            account = self.open(self.identities.ordinary(agents=agents) if self.identities else None)
            own = cycle([text for _, text in trace], self.rng)
            share = self.rng.betavariate(3, 1.5)
            self.own(
                account,
                [
                    (t, fill(template, chain([x], own)) if i == 0 or self.rng.random() < share else x)
                    for i, (t, x) in enumerate(trace)
                ],
            )
            found.append(account)
        return found

    def _scaffold(self, look: LookAlike, number: int) -> list[str]:
        """A fixed system prompt before what each account asked; an agent's turns carry tool results."""
        system = self.sources.scaffolds[number % len(self.sources.scaffolds)]
        agents = (f"{look.kind}-{number}/0.9",)
        found = []
        for _ in range(look.accounts):
            trace = self.hosts.whole(2, 60)
            account = self.open(self.identities.ordinary(agents=agents) if self.identities else None)
            share = self.rng.betavariate(4, 1.5)
            for i, (time, text) in enumerate(trace):
                prompt: Prompt = text
                if i == 0 or self.rng.random() < share:
                    prompt = [{"role": "system", "content": system}, {"role": "user", "content": text}]
                    if look.kind == "agent":
                        other = trace[self.rng.randrange(len(trace))][1]
                        prompt += [
                            {"role": "assistant", "content": "I will run a tool."},
                            {"role": "user", "content": f"Tool result ({self.rng.randint(0, 2)}): {other}"},
                        ]
                self.rows.append((time, account, prompt, None))
            found.append(account)
        return found

    def _classroom(self, look: LookAlike, number: int) -> list[str]:
        text = self.sources.viral[(number + 1) % len(self.sources.viral)]
        day = self.rng.uniform(12, WINDOW - 4)
        ids = self.identities.classroom(look.accounts, first=int(day)) if self.identities else [None] * look.accounts
        found = []
        for identity in ids:
            account = self.open(identity)
            for _ in range(self.rng.randint(1, 2)):
                hour = min(max(self.rng.gauss(17, 3), 8), 23)
                # most of them on the last of three days
                time = START + int(day + 2 - int(self.rng.expovariate(1.2)) % 3) * DAY + int(hour * 3_600)
                self.rows.append((time, account, text + self.rng.choice(("", " please", " thanks", "?", "\n")), None))
            if self.rng.random() < 0.5:
                self.own(account, self.hosts.whole(1, 10))
            found.append(account)
        return found

    def _batch(self, look: LookAlike, number: int) -> list[str]:
        """Machines of one organisation."""
        rng = self.rng
        ids = self.identities.organisation(look.accounts) if self.identities else [None] * look.accounts
        found = [self.open(identity) for identity in ids]
        if look.kind == "researcher":
            template = self.sources.products[-1 - number % len(self.sources.products)]
            questions = cycle(list(self.sources.payloads[-600:]), rng)
            first = rng.uniform(2, WINDOW - 8)
            for account in found:
                for _ in range(rng.randint(100, 160)):
                    self.rows.append(
                        (START + int(rng.uniform(first, first + 4) * DAY), account, fill(template, questions), None)
                    )
        elif look.kind == "nightly":
            template = self.sources.products[-2 - number % (len(self.sources.products) - 1)]
            private = cycle([x for _, x in self.hosts.take(40)], rng)
            fixed = [fill(template, private) for _ in range(12)]
            for day in range(WINDOW):
                for i, prompt in enumerate(fixed):
                    time = START + day * DAY + 2 * 3_600 + i * 40 + rng.randrange(20)
                    self.rows.append((time, found[i % len(found)], prompt, None))
        elif look.kind == "translation":
            language = rng.choice(("German", "Japanese", "Portuguese", "Polish"))
            lines = cycle([x for _, x in self.hosts.take(300)], rng)
            for account in found:
                for _ in range(max(60, 400 // look.accounts)):
                    time = START + int(rng.uniform(0, WINDOW) * DAY)
                    prompt = (
                        f"Translate into {language}, keep names and placeholders, return nothing else:\n{next(lines)}"
                    )
                    self.rows.append((time, account, prompt, None))
        else:
            system = self.sources.scaffolds[-1]
            lines = cycle([x for _, x in self.hosts.take(300)], rng)
            for account in found:
                for _ in range(max(40, 300 // look.accounts)):
                    log = f"{next(lines)}\n{next(lines)}"
                    build = f"Build {rng.randrange(10**6)} failed. Find the cause and propose a patch.\n{log}"
                    prompts: Prompt = [{"role": "system", "content": system}, {"role": "user", "content": build}]
                    self.rows.append((START + int(rng.uniform(0, WINDOW) * DAY), account, prompts, None))
        return found

    def _launch_day(self, look: LookAlike, number: int) -> list[str]:
        """Within a day many try the same kinds of questions on the new model."""
        found = []
        for _ in range(look.accounts):
            account = self.open(None)
            trace = self.hosts.whole(1, 40)
            for _ in range(self.rng.randint(1, 4)):
                time = START + LAUNCH * DAY + int(min(self.rng.expovariate(3), 1.0) * DAY)
                self.rows.append((time, account, self.rng.choice(self.sources.launch), NEW_MODEL))
            self.own(account, trace)
            found.append(account)
        return found


GREETINGS: Final = (
    *("hello", "hi", "hi there", "hey", "test", "testing", "are you there?", "what can you do?", "who are you"),
    *("thanks", "continue", "tell me a joke", "good morning", "how are you?", "what model are you", "ok"),
)


def _count(scenario: Scenario, rng: random.Random) -> int:
    if scenario.load == "heavy":
        return min(12 * scenario.each, max(1, round(rng.lognormvariate(0.0, 1.1) * 0.55 * scenario.each)))
    return rng.randint(max(1, round(0.7 * scenario.each)), max(1, round(1.3 * scenario.each)))


def _span(scenario: Scenario, number: int, total: int, start: float) -> tuple[float, float]:
    """The days in which an account harvests."""
    if scenario.evasion == "churn":
        low = start + (scenario.days - 3) * number / max(1, total - 1)
        return low, low + 3
    if scenario.pools == 2:
        middle = start + scenario.days / 2
        return (start, middle) if number < total // 2 else (middle, start + scenario.days)
    return start, start + scenario.days


def _human(trace: Trace, count: int, low: float, high: float, rng: random.Random) -> list[int]:
    """Times of an account that somebody drives: its host's, folded into some days, a little off."""
    span = max(1, int(high - low)) * DAY
    first = START + int(low) * DAY
    host = [first + (time - START) % span for time, _ in trace]
    rng.shuffle(host)
    found = []
    for number in range(count):
        time = host[number % len(host)] + int(rng.gauss(0, 1_200))
        if number >= len(trace):  # as often on other days
            time = first + (time - first + rng.randrange(span // DAY) * DAY) % span
        found.append(min(max(time, first), first + span - 1))
    return found


def _unique(payloads: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Each once, then two at a time: never the same text twice, as a list of work has it."""
    yield from payloads
    while True:
        yield " ".join(rng.sample(payloads, 2)) if len(payloads) > 1 else payloads[0]


def lay(dump: Dump, sources: Sources, *, half: Half, seed: str) -> Laid:
    """Lays a dump.

    Args:
        dump: what it holds.
        sources: the texts, with the background.
        half: which part the texts of our own are from.
        seed: of every draw.

    Raises:
        NotEnough: the sources do not suffice.
    """
    rng = random.Random(f"{seed}-plant")
    launch = any(x.kind == "launch-day" for x in dump.look_alikes)
    planter = _Planter(
        sources=sources, half=half, rng=rng, hosts=Hosts(sources.accounts, rng),
        identities=Identities(seed=seed, days=WINDOW, at_once=launch) if dump.metadata else None,
    )  # fmt: skip
    # look-alikes first: they need whole accounts
    for number, look in enumerate(dump.look_alikes):
        planter.look_alike(look, number)
    total = sum(s.harvest for s in dump.scenarios)
    first = 0
    # what researchers ask is kept apart
    pool = sources.payloads[: len(sources.payloads) - 600]
    for scenario in dump.scenarios:
        size = max(40, len(pool) * scenario.harvest // max(1, total))
        planter.campaign(scenario, pool[first : first + size] or pool[-size:])
        first += size
    planted = {row[1] for row in planter.rows}
    background = 0
    for trace in planter.hosts.traces:
        if trace:
            planter.own(planter.open(None), trace)
            background += len(trace)
    rows = []
    for time, account, prompt, model in sorted(planter.rows, key=lambda row: (row[0], row[1])):
        row: dict[str, Any] = {"account": account, "timestamp": time, "prompt": prompt}
        if planter.identities is not None:
            row |= planter.known[account].fields(time, rng)
            if model:
                row["model"] = model
        rows.append(row)
    return Laid(
        told=sources.told,
        rows=rows,
        truth=planter.truth,
        harvest=planter.harvest,
        first=planter.first,
        accounts=len({row["account"] for row in rows} | planted),
        background=background,
    )


def write(laid: Laid, folder: Path) -> Path:
    """Writes ``prompts.jsonl.gz`` and ``truth.jsonl``; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prompts.jsonl.gz"
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=1) as stream:
        stream.writelines(json.dumps(row) + "\n" for row in laid.rows)
    with (folder / "truth.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(group) + "\n" for group in laid.truth)
    return file
