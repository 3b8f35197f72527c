"""The planted campaigns of a simulated dump."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.simulate import harvest
from harvestdetect.simulate.background import add_own_prompts
from harvestdetect.simulate.grammar import Parts, Sweep
from harvestdetect.simulate.harvest import Form
from harvestdetect.simulate.people import GRAMMAR, Text, question
from harvestdetect.simulate.plan import PlantedGroup, World, Writer, proxies_of
from harvestdetect.simulate.traffic import Account, machine_times
from harvestdetect.util.periods import DAY

__all__ = ["CAMPAIGN_KINDS", "MIN_HARVEST", "CampaignKind", "add_campaign", "campaign_sizes"]


MIN_HARVEST: Final = 40
"""Harvest prompts of the smallest campaign that may be asked for: ten accounts with four each."""


class CampaignKind(NamedTuple):
    """A way to harvest."""

    name: str
    what: str
    """What the campaign does, in plain words."""
    cover: float
    """Share of the rows of its accounts that are not harvest."""


CAMPAIGN_KINDS: Final = (
    CampaignKind("slot-sweep", "one template, its slots run through every combination", 0.10),
    CampaignKind("template-rotation", "several templates that one pool of accounts shares", 0.20),
    CampaignKind("fixed-instruction", "a fixed instruction that forces reasoning, around a payload that varies", 0.30),
    CampaignKind("paraphrase", "the same request, reworded for every prompt", 0.20),
    CampaignKind("grading", "rubric grading and pairwise judging of long answers", 0.10),
    CampaignKind("system-prompt", "a fixed system prompt, the user turn varies", 0.20),
    CampaignKind("hand-over", "one template, handed over from a first to a second pool of accounts", 0.15),
    CampaignKind("low-share", "one template, hidden in mostly benign traffic of the same accounts", 0.85),
)
"""All kinds, in the order in which campaigns take them."""


def campaign_sizes(world: World, harvest_prompts: int, campaigns: int | None) -> list[int]:
    """The harvest prompts of each campaign.

    Raises:
        ValueError: the harvest prompts do not suffice for so many campaigns.
    """
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


def add_campaign(world: World, number: int, rows: int, cover: int, texts: Sequence[str]) -> None:
    """Plans one campaign: its pool of accounts, its work queue and its cover traffic.

    Args:
        world: the plan.
        number: of the campaign, which decides its kind.
        rows: harvest prompts.
        cover: prompts of the same accounts besides.
        texts: what the cover traffic consists of; empty means texts of the grammar.
    """
    dice = world.dice
    kind = CAMPAIGN_KINDS[number % len(CAMPAIGN_KINDS)]
    name = kind.name
    each = max(4.2, rows**0.5 * float(dice.uniform(0.26, 0.42)))
    size = max(min(10, rows // 4), int(rows / each), 1)
    length = int(world.span * (0.85 if name == "hand-over" else float(dice.uniform(0.35, 0.8))))
    begin = world.start + int(float(dice.random()) * (world.span - length))
    stop = begin + length

    pools = 2 if name == "hand-over" and size >= 4 else 1
    accounts = _open_pool(world, name, size, pools=pools, begin=begin, half=begin + length // 2)
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
        add_own_prompts(world, accounts, counts, texts, flat=nights, window=(max(world.start, begin - DAY), stop))
    world.plan.groups.append(PlantedGroup(f"campaign-{number + 1}-{name}", "campaign", kind.what, accounts))


def _open_pool(world: World, name: str, size: int, *, pools: int, begin: int, half: int) -> list[int]:
    """Opens the accounts of a campaign; the second of two pools signs up at ``half`` instead of ``begin``."""
    dice, network = world.dice, world.network
    proxies = proxies_of(network, dice, size)
    agents = network.clients(int(dice.integers(1, 4)))
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
    return accounts


def _harvest_writer(world: World, name: str, number: int) -> Writer:
    """The writer of the harvest prompts of a kind of campaign; campaigns of one kind have different forms."""
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
    """One of some forms, in turn."""
    return forms[turn % len(forms)]


def _form_writer(world: World, forms: Sequence[Form]) -> Writer:
    """A writer that fills templates made of some forms."""
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
    """A writer that puts a fixed system prompt before a question."""

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        text = GRAMMAR.draw("y_long", random, {"y_life": question(random)})
        return [{"role": "system", "content": system}, {"role": "user", "content": text}]

    return writer
