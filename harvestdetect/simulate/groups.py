"""Who does what and when: the background, the planted campaigns and the look-alikes, before any text.

A plan is a list of streams. A stream is a set of events (time, account, item, session) and the function
that writes the prompt of one event, so that a dump of any size is written row by row in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.simulate import harvest
from harvestdetect.simulate.grammar import Parts, Sweep
from harvestdetect.simulate.harvest import Form
from harvestdetect.simulate.people import GRAMMAR, Person, Text, question, user_turn, write
from harvestdetect.simulate.traffic import DAY, HOUR, Account, Events, Network, human_times, machine_times
from harvestdetect.util.arrays import Ints

__all__ = [
    "CAMPAIGN_KINDS",
    "LOOK_ALIKE_KINDS",
    "MIN_HARVEST",
    "Group",
    "Plan",
    "Writer",
    "launch_of",
    "make_plan",
    "proxies_of",
]


Writer: TypeAlias = Callable[[Account, int, int, Random], Text]
"""(account, item, session, random) -> prompt."""

TRIES: Final = 50
"""Times that a template is drawn anew..."""
ALIKE: Final = 0.5
"""...until it shares no greater part of its fixed words with any other."""
MIN_HARVEST: Final = 40
"""Harvest prompts of the smallest campaign that may be asked for: ten accounts with four each."""

CAMPAIGN_KINDS: Final[tuple[tuple[str, str, float], ...]] = (
    ("slot-sweep", "one template, its slots run through every combination", 0.10),
    ("template-rotation", "several templates that one pool of accounts shares", 0.20),
    ("fixed-instruction", "a fixed instruction that forces reasoning, around a payload that varies", 0.30),
    ("paraphrase", "the same request, reworded for every prompt", 0.20),
    ("grading", "rubric grading and pairwise judging of long answers", 0.10),
    ("system-prompt", "a fixed system prompt, the user turn varies", 0.20),
    ("hand-over", "one template, handed over from a first to a second pool of accounts", 0.15),
    ("low-share", "one template, hidden in mostly benign traffic of the same accounts", 0.85),
)
"""Name, plain words, and the benign cover among the rows of its accounts."""

LOOK_ALIKE_KINDS: Final[tuple[tuple[str, str, float, int], ...]] = (
    ("greetings", "many people try the service with greetings and tester questions", 0.010, 20),
    ("viral", "a long prompt that went viral, sent once by many old accounts", 0.004, 15),
    ("product", "a product's fixed template around its customers' own data", 0.022, 24),
    ("scaffold", "a coding assistant's system prompt in front of everybody's own work", 0.018, 20),
    ("classroom", "a class with one assignment before its deadline", 0.004, 15),
    ("benchmark", "one researcher runs a benchmark", 0.014, 12),
    ("nightly", "one customer's nightly regression batch", 0.018, 12),
    ("launch-day", "many people move to a new model within a day and try it out", 0.006, 16),
)
"""Name, plain words, share of the rows, and fewest rows."""

_CODING: Final = ("python", "web", "sql", "devops")
_TRIES: Final = 256
"""Subnets that are looked at for one that no other pool has."""


@dataclass(slots=True)
class Group:
    """One planted campaign or look-alike."""

    name: str
    kind: Literal["campaign", "look-alike"]
    what: str
    accounts: list[int]


@dataclass(slots=True)
class Plan:
    """All that will happen."""

    network: Network
    streams: list[tuple[Writer, Events]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    sessions: int = 0

    def add(self, writer: Writer, time: Ints, account: Ints, item: Ints, session: Ints) -> None:
        """One more stream."""
        self.streams.append((writer, Events(time=time, account=account, item=item, session=session)))

    def new_sessions(self, count: int) -> int:
        """The first of some unused session numbers."""
        first = self.sessions
        self.sessions += count
        return first


@dataclass(slots=True)
class _World:
    """What every planning function needs."""

    plan: Plan
    network: Network
    dice: np.random.Generator
    words: Random
    start: int
    end: int
    launch: int
    background: list[int] = field(default_factory=list)
    said: list[frozenset[str]] = field(default_factory=list)
    """Fixed words of the templates so far."""

    def template(self, text: str, *, keep: Collection[str]) -> Parts:
        """A form frozen in words of its own: two groups that did not hear of one another do not write the same."""
        best, least = None, 2.0
        for _ in range(TRIES):
            parts = GRAMMAR.freeze(text, self.words, keep=keep)
            words = frozenset(word for part in parts if isinstance(part, str) for word in part.split())
            alike = max((len(words & other) / max(len(words), len(other), 1) for other in self.said), default=0.0)
            if alike < least:
                best, least = (parts, words), alike
            if alike <= ALIKE:
                break
        assert best is not None
        self.said.append(best[1])
        return best[0]

    @property
    def span(self) -> int:
        return self.end - self.start


def launch_of(start: int, end: int) -> int:
    """When a new model comes out within a window, all in seconds since 1970."""
    return start + int(0.6 * (end - start)) // DAY * DAY + 9 * HOUR


def proxies_of(network: Network, dice: np.random.Generator, size: int) -> list[str]:
    """The addresses of a pool of so many accounts: some of two subnets of each of its networks.

    No other pool has them while there are enough: two campaigns with common addresses would be one to any analyst.
    """
    found = []
    for asn in network.hosters(int(dice.integers(2, 5))):
        for subnet in dice.integers(0, 256, 2).tolist():
            for _ in range(_TRIES):
                if network.rent(asn, subnet):
                    break
                subnet = int(dice.integers(0, 256))
            found += [network.address(asn, subnet) for _ in range(max(3, size // 8))]
    return found


def make_plan(
    *,
    prompts: int,
    harvest_share: float,
    campaigns: int | None,
    seed: int,
    start: int,
    end: int,
    texts: Sequence[str] = (),
) -> Plan:
    """Plan a dump with exactly ``prompts`` events.

    Args:
        prompts: rows of the dump.
        harvest_share: the share of them that campaigns send to harvest.
        campaigns: how many to plant; None: by the number of harvest prompts, all kinds from 1,200 up.
        seed: everything follows from it.
        start, end: the window, seconds since 1970.
        texts: what the background writes; empty: the grammar's own.

    Raises:
        ValueError: the harvest prompts do not suffice for so many campaigns.
    """
    dice = np.random.Generator(np.random.PCG64(seed))
    words = Random(seed)
    launch = launch_of(start, end)
    network = Network(dice, seed=seed, start=start, end=end, launch=launch)
    world = _World(Plan(network), network, dice, words, start, end, launch)

    sizes = _campaign_sizes(world, round(prompts * harvest_share), campaigns)
    rest = prompts - sum(sizes)
    shares = [CAMPAIGN_KINDS[c % len(CAMPAIGN_KINDS)][2] for c in range(len(sizes))]
    wanted = [size * share / (1.0 - share) for size, share in zip(sizes, shares, strict=True)]
    shrink = min(1.0, 0.4 * rest / sum(wanted)) if sum(wanted) else 1.0
    covers = [int(cover * shrink) for cover in wanted]
    look_alikes = _look_alike_sizes(prompts, rest - sum(covers))
    ordinary = rest - sum(covers) - sum(size for _, size in look_alikes)

    _background(world, ordinary, texts)
    for number, (size, cover) in enumerate(zip(sizes, covers, strict=True)):
        _campaign(world, number, size, cover, texts)
    made: dict[int, int] = {}
    for kind, size in look_alikes:
        made[kind] = made.get(kind, 0) + 1
        name, what = LOOK_ALIKE_KINDS[kind][:2]
        accounts = _LOOK_ALIKES[kind](world, size)
        world.plan.groups.append(Group(f"look-alike-{name}-{made[kind]}", "look-alike", what, accounts))
    world.plan.counts.update(
        harvest_prompts=sum(sizes),
        cover_prompts=sum(covers),
        look_alike_prompts=sum(size for _, size in look_alikes),
        background_prompts=ordinary,
    )
    return world.plan


def _campaign_sizes(world: _World, harvest_prompts: int, campaigns: int | None) -> list[int]:
    """Harvest prompts of each campaign."""
    if campaigns is None:
        by_volume = round(8 * (harvest_prompts / 2_000) ** 0.5)
        campaigns = min(max(1, harvest_prompts // 150), max(1, by_volume), 40) if harvest_prompts else 0
    elif campaigns * MIN_HARVEST > harvest_prompts:
        raise ValueError(
            f"campaigns must be at most {harvest_prompts // MIN_HARVEST}, got {campaigns}: "
            f"there are {harvest_prompts} harvest prompts, {MIN_HARVEST} each at least"
        )
    if not campaigns:
        return []
    floor = min(MIN_HARVEST, harvest_prompts // campaigns)
    weights = world.dice.uniform(0.6, 1.6, campaigns)
    parts = np.floor(weights / weights.sum() * (harvest_prompts - floor * campaigns)).astype(np.int64) + floor
    parts[0] += harvest_prompts - int(parts.sum())
    return [int(p) for p in parts]


def _look_alike_sizes(prompts: int, room: int) -> list[tuple[int, int]]:
    """(kind, rows) of each look-alike group."""
    each = int(np.clip(round((prompts / 20_000) ** 0.5), 1, 6))
    kinds = min(len(LOOK_ALIKE_KINDS), prompts // 250)
    sizes = [
        (kind, max(fewest, round(share * prompts / each)))
        for kind, (_, _, share, fewest) in enumerate(LOOK_ALIKE_KINDS[:kinds])
        for _ in range(each)
    ]
    total = sum(size for _, size in sizes)
    if total <= 0.5 * room:
        return sizes
    return [(k, int(size * 0.5 * room / total)) for k, size in sizes if size * 0.5 * room / total >= 12]


# ---------------------------------------------------------------- background


def _background(world: _World, rows: int, texts: Sequence[str]) -> None:
    dice = world.dice
    count = max(1, rows // 8) if rows else 0
    if not count:
        return
    world.background = [world.network.open() for _ in range(count)]
    weights = np.minimum(dice.pareto(1.25, count) + 0.25, 60.0)
    heavy = max(1, count // 500)
    weights[:heavy] = 0.07 / heavy * weights.sum()
    counts = 1 + dice.multinomial(rows - count, weights / weights.sum()).astype(np.int64)
    flat = np.zeros(count, dtype=bool)
    flat[:heavy] = True
    for position in range(heavy):
        account = world.network.accounts[world.background[position]]
        account.api_key = account.api_key or account.identity[::-1][:12]
        account.agents = world.network.clients(1)
        account.created = min(account.created, world.start - DAY)
    _people(world, world.background, counts, texts, flat=flat)


def _people(
    world: _World,
    accounts: Sequence[int],
    counts: Ints,
    texts: Sequence[str],
    *,
    flat: npt.NDArray[np.bool_] | None = None,
    start: int | None = None,
    end: int | None = None,
) -> None:
    """A stream of what people write for themselves: ``counts[i]`` prompts of ``accounts[i]``."""
    of = [world.network.accounts[a] for a in accounts]
    who, time, position, session = human_times(
        world.dice,
        counts=counts,
        created=np.array([a.created for a in of], dtype=np.int64),
        zones=np.array([a.zone for a in of], dtype=np.int64),
        start=world.start if start is None else start,
        end=world.end if end is None else end,
        first_session=world.plan.sessions,
        flat=flat,
    )
    world.plan.new_sessions(int(session[-1]) + 1 - world.plan.sessions if len(session) else 0)
    if texts:
        offset = int(world.dice.integers(len(texts)))
        position = (np.arange(len(time)) + offset) % len(texts)
    world.plan.add(
        _own_texts(texts) if texts else _own_words,
        time,
        np.asarray(accounts, dtype=np.int64)[who],
        position,
        session,
    )


def _person(account: Account, random: Random) -> Person:
    if account.person is None:
        account.person = Person(random, chat=account.chat)
    return account.person


def _own_words(account: Account, item: int, session: int, random: Random) -> Text:
    return write(_person(account, random), random, session=session, position=item)


def _own_texts(texts: Sequence[str]) -> Writer:
    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        return user_turn(_person(account, random), texts[item], random, session=session)

    return writer


# ---------------------------------------------------------------- campaigns


def _campaign(world: _World, number: int, rows: int, cover: int, texts: Sequence[str]) -> None:
    """One campaign: its pool of accounts, its work queue and its cover traffic."""
    dice, network = world.dice, world.network
    name, what, _ = CAMPAIGN_KINDS[number % len(CAMPAIGN_KINDS)]
    each = max(4.2, rows**0.5 * float(dice.uniform(0.26, 0.42)))
    size = max(min(10, rows // 4), int(rows / each), 1)
    length = int(world.span * (0.85 if name == "hand-over" else float(dice.uniform(0.35, 0.8))))
    begin = world.start + int(float(dice.random()) * (world.span - length))
    stop = begin + length
    half = begin + length // 2

    proxies = proxies_of(network, dice, size)
    agents = network.clients(int(dice.integers(1, 4)))
    pools = 2 if name == "hand-over" and size >= 4 else 1
    chat = name == "system-prompt" or bool(dice.random() < 0.3)
    accounts: list[int] = []
    for member in range(size):
        second = pools == 2 and member >= size // 2
        opened = (half if second else begin) - int(dice.uniform(0.2, 4.0) * DAY)
        picked = [proxies[int(i)] for i in dice.integers(0, len(proxies), 6)]
        account = network.open(
            asns=[int(picked[0].split(".")[1])],
            addresses=picked,
            agents=[agents[int(dice.integers(len(agents)))]],
            api=True,
            created=opened,
            chat=chat,
            newest=True,
        )
        network.accounts[account].moves = world.launch + int(dice.random() * DAY)
        accounts.append(account)

    tempo = ("steady", "waves", "ramp")[int(dice.integers(3))]
    time = machine_times(dice, count=rows, start=begin, end=stop, tempo=tempo)
    queue = np.arange(rows, dtype=np.int64)
    member_of = np.empty(rows, dtype=np.int64)
    for pool in range(pools):
        members = dice.permutation(np.arange(size * pool // pools, size * (pool + 1) // pools))
        in_pool = queue * pools // rows == pool
        member_of[in_pool] = members[np.arange(int(in_pool.sum())) % len(members)]
    single = bool(dice.random() < 0.5)
    session = queue if single else member_of
    session = session + world.plan.new_sessions(rows if single else size)
    world.plan.add(
        _harvest_writer(world, name, number),
        time,
        np.asarray(accounts, dtype=np.int64)[member_of],
        queue,
        session,
    )
    if cover:
        counts = dice.multinomial(cover, np.full(size, 1.0 / size)).astype(np.int64)
        nights = np.asarray(dice.random(size) < 0.5)
        _people(world, accounts, counts, texts, flat=nights, start=max(world.start, begin - DAY), end=stop)
    world.plan.groups.append(Group(f"campaign-{number + 1}-{name}", "campaign", what, accounts))


def _harvest_writer(world: _World, name: str, number: int) -> Writer:
    turn = number // len(CAMPAIGN_KINDS)
    if name == "template-rotation":
        forms = [_form(harvest.SWEEPS, 1 + turn + i) for i in range(3)]
    elif name == "fixed-instruction":
        forms = [_form(harvest.SUFFIXES, turn)]
    elif name == "paraphrase":
        forms = [_form(harvest.PARAPHRASED, turn)]
    elif name == "grading":
        forms = [_form(harvest.GRADING, turn)]
    elif name == "system-prompt":
        return _system_writer(GRAMMAR.fill(world.template(_form(harvest.SYSTEMS, turn).text, keep=()), world.words))
    else:
        first = {"slot-sweep": 0, "hand-over": 4, "low-share": 5}[name]
        forms = [_form(harvest.SWEEPS, first + turn)]
    return _form_writer(world, forms)


def _form(forms: Sequence[Form], turn: int) -> Form:
    return forms[turn % len(forms)]


def _form_writer(world: _World, forms: Sequence[Form]) -> Writer:
    made: list[tuple[Parts, Sweep | None]] = [
        (
            world.template(form.text, keep=form.sweep + form.free),
            Sweep(GRAMMAR, form.sweep, world.words) if form.sweep else None,
        )
        for form in forms
    ]

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        # by chance, not in turn: in turn, a pool whose size the forms divide would give each account one form
        parts, sweep = made[random.randrange(len(made))]
        values = {"y_life": question(random)} if sweep is None else sweep.at(item, random)
        text = GRAMMAR.fill(parts, random, values)
        text = text[:1].upper() + text[1:]
        return [{"role": "user", "content": text}] if account.chat else text

    return writer


def _system_writer(system: str) -> Writer:
    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        text = GRAMMAR.draw("y_long", random, {"y_life": question(random)})
        return [{"role": "system", "content": system}, {"role": "user", "content": text}]

    return writer


# ---------------------------------------------------------------- look-alikes


def _spread(world: _World, rows: int, accounts: int) -> Ints:
    """int64[accounts], at least 1 each, ``rows`` in all."""
    counts: Ints = 1 + world.dice.multinomial(rows - accounts, np.full(accounts, 1.0 / accounts)).astype(np.int64)
    return counts


def _greetings(world: _World, rows: int) -> list[int]:
    accounts = [world.network.open(api=False, chat=False) for _ in range(max(1, int(rows / 1.4)))]
    testers = GRAMMAR.alternatives("l_tester")

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        text = GRAMMAR.fill(testers[min(int(random.paretovariate(0.9)) - 1, len(testers) - 1)], random)
        return text if random.random() < 0.7 else text.capitalize()

    _human(world, writer, accounts, _spread(world, rows, len(accounts)))
    return accounts


def _viral(world: _World, rows: int) -> list[int]:
    text = GRAMMAR.draw("l_viral", world.words)
    old = [a for a in world.background if world.network.accounts[a].created < world.start - 60 * DAY]
    pool = old if len(old) >= rows else world.background
    accounts = [int(a) for a in world.dice.choice(pool, size=min(rows, len(pool)), replace=False)]
    who = np.concatenate([np.arange(len(accounts)), world.dice.integers(0, len(accounts), rows - len(accounts))])
    seen = world.start + int(world.dice.uniform(0.1, 0.6) * world.span)
    since = world.dice.gamma(3.0, 0.8 * DAY, rows)
    time = np.clip(seen + since.astype(np.int64), world.start, world.end - 1)
    created = np.array([world.network.accounts[a].created for a in accounts], dtype=np.int64)
    time = np.maximum(time, np.minimum(created[who], world.end - 1))

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        sent = text if random.random() < 0.85 else text + " " + GRAMMAR.draw("wish", random)
        return user_turn(_person(account, random), sent, random, session=session)

    session = np.arange(rows) + world.plan.new_sessions(rows)
    world.plan.add(writer, time, np.asarray(accounts, dtype=np.int64)[who], np.zeros(rows, dtype=np.int64), session)
    return sorted(accounts)


def _product(world: _World, rows: int) -> list[int]:
    accounts = [
        world.network.open(api=True, asns=[world.network.isp()], chat=False) for _ in range(max(1, int(rows / 4.5)))
    ]
    parts = GRAMMAR.freeze("{l_product}", world.words, keep=("q_seller", "q_item", "q_notes"))

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        own = _person(account, random)
        own.bound.setdefault("q_seller", GRAMMAR.draw("q_seller", random, own.bound))
        return GRAMMAR.fill(parts, random, {"q_seller": own.bound["q_seller"]})

    _human(world, writer, accounts, _spread(world, rows, len(accounts)))
    return accounts


def _scaffold(world: _World, rows: int) -> list[int]:
    accounts = [world.network.open(chat=False) for _ in range(max(1, rows // 6))]
    system = GRAMMAR.draw("l_scaffold", world.words)

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        own = _person(account, random)
        own.system, own.chat = system, True
        return write(own, random, session=session, position=item)

    for account in accounts:
        world.network.accounts[account].person = Person(world.words, domains=_CODING)
    _human(world, writer, accounts, _spread(world, rows, len(accounts)))
    return accounts


def _classroom(world: _World, rows: int) -> list[int]:
    dice, network = world.dice, world.network
    text = GRAMMAR.draw("l_class", world.words)
    org, asn, zone = network.org(), network.isp(), int(dice.integers(-6, 9))
    deadline = world.start + int(dice.uniform(0.3, 0.95) * world.span) // DAY * DAY + (23 - zone) * HOUR
    deadline = min(deadline, world.end - 1)
    accounts = [
        network.open(
            org=org,
            asns=[asn],
            api=False,
            zone=zone,
            chat=False,
            created=deadline - int(dice.uniform(3, 25) * DAY),
        )
        for _ in range(max(1, int(rows / 1.7)))
    ]
    who = np.repeat(np.arange(len(accounts)), _spread(world, rows, len(accounts)))
    item = np.arange(rows) - np.searchsorted(who, who)
    before = np.minimum(dice.exponential(10.0 * HOUR, len(accounts)), 2.5 * DAY).astype(np.int64)
    time = deadline - before[who] - 900 + item * 240

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        if item:
            return GRAMMAR.draw("followup", random)
        lead = GRAMMAR.draw("opener", random) + " " if random.random() < 0.2 else ""
        return lead + text + (" " + GRAMMAR.draw("wish", random) if random.random() < 0.3 else "")

    session = who + world.plan.new_sessions(len(accounts))
    time = np.clip(time, world.start, world.end - 1)
    world.plan.add(writer, time, np.asarray(accounts, dtype=np.int64)[who], item, session)
    return accounts


def _benchmark(world: _World, rows: int) -> list[int]:
    network = world.network
    org, asn = network.org(), network.hosters(1)
    agents = network.clients(1)
    accounts = [
        network.open(org=org, asns=asn, api=True, agents=agents, chat=False, created=world.start - 90 * DAY)
        for _ in range(min(3, rows))
    ]
    keep = ("x_topic", "x_level", "b_stem", "clause")
    parts = world.template("{l_bench}", keep=keep)
    length = min(2 * DAY, world.span // 2)
    begin = world.start + int(world.dice.random() * (world.span - length))
    time = machine_times(world.dice, count=rows, start=begin, end=begin + length, tempo="steady")
    _batch(world, parts, accounts, time)
    return accounts


def _nightly(world: _World, rows: int) -> list[int]:
    network = world.network
    org, asn = network.org(), network.hosters(1)
    accounts = [network.open(org=org, asns=asn, api=True, chat=False, created=world.start - 400 * DAY)]
    keep = ("sentence", "paragraph", "y_number", "language", "noun", "adjective")
    parts = GRAMMAR.freeze("{l_nightly}", world.words, keep=keep)
    nights = max(1, world.span // DAY)
    night = np.arange(rows) * nights // rows
    time = world.start + night * DAY + 2 * HOUR + (world.dice.random(rows) * 1_500).astype(np.int64)
    _batch(world, parts, accounts, np.sort(np.minimum(time, world.end - 1)))
    return accounts


def _launch_day(world: _World, rows: int) -> list[int]:
    count = min(max(1, int(rows / 1.5)), len(world.background))
    accounts = sorted(int(a) for a in world.dice.choice(world.background, size=count, replace=False))
    for a in accounts:
        account = world.network.accounts[a]
        account.moves = world.launch + int(world.dice.random() * 20 * HOUR)
        account.created = min(account.created, world.launch - DAY)

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        return user_turn(_person(account, random), GRAMMAR.draw("l_launch", random), random, session=session)

    who = np.repeat(np.arange(count), _spread(world, rows, count))
    moves = np.array([world.network.accounts[a].moves for a in accounts], dtype=np.int64)
    time = np.clip(moves[who] + world.dice.integers(0, 3 * HOUR, rows), world.start, world.end - 1)
    session = who + world.plan.new_sessions(count)
    item = np.arange(rows) - np.searchsorted(who, who)
    world.plan.add(writer, time, np.asarray(accounts, dtype=np.int64)[who], item, session)
    return accounts


def _human(world: _World, writer: Writer, accounts: Sequence[int], counts: Ints) -> None:
    """A stream in the rhythm of people."""
    of = [world.network.accounts[a] for a in accounts]
    who, time, position, session = human_times(
        world.dice,
        counts=counts,
        created=np.array([a.created for a in of], dtype=np.int64),
        zones=np.array([a.zone for a in of], dtype=np.int64),
        start=world.start,
        end=world.end,
        first_session=world.plan.sessions,
        mean_session=2.5,
    )
    world.plan.new_sessions(int(session[-1]) + 1 - world.plan.sessions)
    world.plan.add(writer, time, np.asarray(accounts, dtype=np.int64)[who], position, session)


def _batch(world: _World, parts: Parts, accounts: Sequence[int], time: Ints) -> None:
    """A stream of one template from a few accounts in turn."""

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        return GRAMMAR.fill(parts, random)

    queue = np.arange(len(time), dtype=np.int64)
    who = queue % len(accounts)
    session = queue // 50 * len(accounts) + who
    session = session + world.plan.new_sessions(int(session.max()) + 1)
    world.plan.add(writer, time, np.asarray(accounts, dtype=np.int64)[who], queue, session)


_LOOK_ALIKES: Final[tuple[Callable[[_World, int], list[int]], ...]] = (
    _greetings,
    _viral,
    _product,
    _scaffold,
    _classroom,
    _benchmark,
    _nightly,
    _launch_day,
)
"""In the order of :data:`LOOK_ALIKE_KINDS`."""
