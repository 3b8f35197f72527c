"""The plan of a simulated dump: background, campaigns and look-alikes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

import numpy as np

from harvestdetect.simulate.background import add_background
from harvestdetect.simulate.campaigns import CAMPAIGN_KINDS, add_campaign, campaign_sizes
from harvestdetect.simulate.look_alikes import look_alike_sizes
from harvestdetect.simulate.plan import Plan, PlantedGroup, World, launch_of
from harvestdetect.simulate.traffic import Network

__all__ = ["make_plan"]


MAX_COVER: Final = 0.4
"""Largest share of the rows that are not harvest which may be cover traffic of campaigns."""


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
    """Plans a dump with exactly ``prompts`` events.

    Args:
        prompts: rows of the dump.
        harvest_share: the share of them that campaigns send to harvest.
        campaigns: how many to plant; None means by the number of harvest prompts, all kinds from 1,200 up.
        seed: everything follows from it.
        start: the first second of the window, since 1970.
        end: the last one.
        texts: what the background writes; empty means texts of the grammar.

    Raises:
        ValueError: the harvest prompts do not suffice for so many campaigns.
    """
    dice = np.random.Generator(np.random.PCG64(seed))
    words = Random(seed)
    launch = launch_of(start, end)
    network = Network(dice, seed=seed, start=start, end=end, launch=launch)
    world = World(
        plan=Plan(network), network=network, dice=dice, words=words, start=start, end=end, launch=launch
    )  # fmt: skip

    sizes = campaign_sizes(world, round(prompts * harvest_share), campaigns)
    rest = prompts - sum(sizes)
    covers = _cover_sizes(sizes, rest)
    look_alikes = look_alike_sizes(prompts, rest - sum(covers))
    ordinary = rest - sum(covers) - sum(size for _, size in look_alikes)

    add_background(world, ordinary, texts)
    for number, (size, cover) in enumerate(zip(sizes, covers, strict=True)):
        add_campaign(world, number, size, cover, texts)
    made = Counter[str]()
    for kind, size in look_alikes:
        made[kind.name] += 1
        accounts = kind.add(world, size)
        name = f"look-alike-{kind.name}-{made[kind.name]}"
        world.plan.groups.append(PlantedGroup(name, "look-alike", kind.what, accounts))
    world.plan.counts.update(
        harvest_prompts=sum(sizes),
        cover_prompts=sum(covers),
        look_alike_prompts=sum(size for _, size in look_alikes),
        background_prompts=ordinary,
    )
    return world.plan


def _cover_sizes(sizes: Sequence[int], rest: int) -> list[int]:
    """The cover prompts of each campaign: by its kind, but at most :data:`MAX_COVER` of the other rows in all."""
    shares = [CAMPAIGN_KINDS[c % len(CAMPAIGN_KINDS)].cover for c in range(len(sizes))]
    wanted = [size * share / (1.0 - share) for size, share in zip(sizes, shares, strict=True)]
    shrink = min(1.0, MAX_COVER * rest / sum(wanted)) if sum(wanted) else 1.0
    return [int(cover * shrink) for cover in wanted]
