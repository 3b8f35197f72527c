"""The planted look-alikes of a simulated dump: innocent groups that resemble a campaign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.simulate.grammar import Parts
from harvestdetect.simulate.people import GRAMMAR, Person, Text, user_turn, write
from harvestdetect.simulate.plan import World, people_stream, people_weights, person_of
from harvestdetect.simulate.traffic import Account, machine_times
from harvestdetect.util.arrays import Ints
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["LOOK_ALIKE_KINDS", "LookAlikeKind", "look_alike_sizes"]


CODING_DOMAINS: Final = ("python", "web", "sql", "devops")
"""What the users of a coding assistant write about."""


def _spread(world: World, rows: int, accounts: int) -> Ints:
    """The rows of each account, as uneven as those of people: int64[accounts], at least 1 each, ``rows`` in all."""
    weights = people_weights(world.dice, accounts)
    counts: Ints = 1 + world.dice.multinomial(rows - accounts, weights / weights.sum()).astype(np.int64)
    return counts


def _greetings(world: World, rows: int) -> list[int]:
    """Greetings and tester questions."""
    accounts = [world.network.open(api=False, chat=False) for _ in range(max(1, int(rows / 1.4)))]
    testers = GRAMMAR.alternatives("l_tester")

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        text = GRAMMAR.fill(testers[min(int(random.paretovariate(0.9)) - 1, len(testers) - 1)], random)
        return text if random.random() < 0.7 else text.capitalize()

    people_stream(world, writer, accounts, _spread(world, rows, len(accounts)), mean_session=2.5)
    return accounts


def _viral(world: World, rows: int) -> list[int]:
    """One long text, sent once by many old accounts."""
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
        return user_turn(person_of(account, random), sent, random, session=session)

    session = np.arange(rows) + world.plan.new_sessions(rows)
    world.plan.add(writer, time, np.asarray(accounts, dtype=np.int64)[who], np.zeros(rows, dtype=np.int64), session)
    return sorted(accounts)


def _product(world: World, rows: int) -> list[int]:
    """A product's template around its customers' own data."""
    accounts = [
        world.network.open(api=True, asns=[world.network.isp()], chat=False) for _ in range(max(1, int(rows / 4.5)))
    ]
    parts = GRAMMAR.freeze("{l_product}", world.words, keep=("q_seller", "q_item", "q_notes"))

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        own = person_of(account, random)
        own.bound.setdefault("q_seller", GRAMMAR.draw("q_seller", random, own.bound))
        return GRAMMAR.fill(parts, random, {"q_seller": own.bound["q_seller"]})

    people_stream(world, writer, accounts, _spread(world, rows, len(accounts)), mean_session=2.5)
    return accounts


def _scaffold(world: World, rows: int) -> list[int]:
    """A coding assistant's system prompt before everybody's own work."""
    accounts = [world.network.open(chat=False) for _ in range(max(1, rows // 6))]
    system = GRAMMAR.draw("l_scaffold", world.words)

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        own = person_of(account, random)
        own.system, own.chat = system, True
        return write(own, random, session=session, position=item)

    for account in accounts:
        world.network.accounts[account].person = Person(world.words, domains=CODING_DOMAINS)
    people_stream(world, writer, accounts, _spread(world, rows, len(accounts)), mean_session=2.5)
    return accounts


def _classroom(world: World, rows: int) -> list[int]:
    """One assignment of one class, sent before its deadline."""
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


def _benchmark(world: World, rows: int) -> list[int]:
    """Up to three accounts of one organisation run a benchmark."""
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


def _nightly(world: World, rows: int) -> list[int]:
    """One account runs a regression batch every night."""
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


def _launch_day(world: World, rows: int) -> list[int]:
    """Many people try a new model within a day of moving to it."""
    count = min(max(1, int(rows / 1.5)), len(world.background))
    accounts = sorted(int(a) for a in world.dice.choice(world.background, size=count, replace=False))
    for a in accounts:
        account = world.network.accounts[a]
        account.moves = world.launch + int(world.dice.random() * 20 * HOUR)
        account.created = min(account.created, world.launch - DAY)

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        return user_turn(person_of(account, random), GRAMMAR.draw("l_launch", random), random, session=session)

    who = np.repeat(np.arange(count), _spread(world, rows, count))
    moves = np.array([world.network.accounts[a].moves for a in accounts], dtype=np.int64)
    time = np.clip(moves[who] + world.dice.integers(0, 3 * HOUR, rows), world.start, world.end - 1)
    session = who + world.plan.new_sessions(count)
    item = np.arange(rows) - np.searchsorted(who, who)
    world.plan.add(writer, time, np.asarray(accounts, dtype=np.int64)[who], item, session)
    return accounts


def _batch(world: World, parts: Parts, accounts: Sequence[int], time: Ints) -> None:
    """A stream of one template from a few accounts in turn."""

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        return GRAMMAR.fill(parts, random)

    queue = np.arange(len(time), dtype=np.int64)
    who = queue % len(accounts)
    session = queue // 50 * len(accounts) + who
    session = session + world.plan.new_sessions(int(session.max()) + 1)
    world.plan.add(writer, time, np.asarray(accounts, dtype=np.int64)[who], queue, session)


# ---------------------------------------------------------------- all kinds


class LookAlikeKind(NamedTuple):
    """A kind of innocent group that resembles a campaign."""

    name: str
    what: str
    """What the group does, in plain words."""
    share: float
    """Share of the rows of the dump."""
    min_rows: int
    add: Callable[[World, int], list[int]]
    """Plans a group with some rows; returns the positions of its accounts."""


LOOK_ALIKE_KINDS: Final = (
    LookAlikeKind(
        "greetings", "many people try the service with greetings and tester questions", 0.010, 20, _greetings
    ),
    LookAlikeKind("viral", "a long prompt that went viral, sent once by many old accounts", 0.004, 15, _viral),
    LookAlikeKind("product", "a product's fixed template around its customers' own data", 0.022, 24, _product),
    LookAlikeKind(
        "scaffold", "a coding assistant's system prompt in front of everybody's own work", 0.018, 20, _scaffold
    ),
    LookAlikeKind("classroom", "a class with one assignment before its deadline", 0.004, 15, _classroom),
    LookAlikeKind("benchmark", "one researcher runs a benchmark", 0.014, 12, _benchmark),
    LookAlikeKind("nightly", "one customer's nightly regression batch", 0.018, 12, _nightly),
    LookAlikeKind("launch-day", "many people move to a new model within a day and try it out", 0.006, 16, _launch_day),
)
"""All kinds, in the order in which they are planted."""


def look_alike_sizes(prompts: int, room: int) -> list[tuple[LookAlikeKind, int]]:
    """The kind and the rows of each look-alike group.

    Args:
        prompts: rows of the dump.
        room: rows that are neither harvest nor cover; look-alikes send at most half of them.
    """
    each = int(np.clip(round((prompts / 20_000) ** 0.5), 1, 6))
    kinds = min(len(LOOK_ALIKE_KINDS), prompts // 250)
    sizes = [
        (kind, max(kind.min_rows, round(kind.share * prompts / each)))
        for kind in LOOK_ALIKE_KINDS[:kinds]
        for _ in range(each)
    ]
    total = sum(size for _, size in sizes)
    if total <= 0.5 * room:
        return sizes
    return [(k, int(size * 0.5 * room / total)) for k, size in sizes if size * 0.5 * room / total >= 12]
