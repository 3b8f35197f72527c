"""Plants the groups of a design into a scene."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.independent.groups import Campaign, Innocent
from benchmarks.independent.kinds import Manner, Unit
from benchmarks.independent.people import chat
from benchmarks.independent.scene import Scene
from benchmarks.independent.tempo import geometric

__all__ = ["Planted", "plant_campaign", "plant_innocent", "start_of"]

LEAST: Final = 5
"""Accounts of the smallest group of a small dump."""
SIDES: Final = (0.0, 0.0, 0.1, 0.3, 0.5)
"""Shares of the accounts of a campaign that send other prompts too. Each campaign draws one."""
REPEATS: Final = (0.0, 0.0, 0.01, 0.03, 0.07)
"""Shares of the units that a campaign sends twice. Each campaign draws one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What was planted of a group."""

    accounts: tuple[str, ...]
    rows: int
    """Prompts for the purpose of the group."""
    first: int
    """Time of the first of them, in seconds."""
    others: int
    """Other prompts of its accounts."""


@dataclass(slots=True)
class _Count:
    """The rows of a group so far."""

    rows: int = 0
    others: int = 0
    first: float = float("inf")

    def of(self, accounts: Sequence[str]) -> Planted:
        return Planted(accounts=tuple(accounts), rows=self.rows, first=int(self.first), others=self.others)


def plant_campaign(scene: Scene, campaign: Campaign) -> Planted:
    """Plants a campaign.

    A pool whose texts do not suffice has fewer accounts, with as many prompts each.
    """
    rng = scene.rng
    side = rng.choice(SIDES) if campaign.side is None else campaign.side
    repeats = rng.choice(REPEATS) if campaign.repeats is None else campaign.repeats
    sizes, amounts = scene.varied(), scene.varied()
    joining = scene.members[campaign.joins[0]][: campaign.joins[1]] if campaign.joins else []
    count = _Count()
    members: list[str] = []
    for pool in campaign.pools:
        # campaigns of one prompt an account keep to it
        amount = amounts if pool.prompts > 2 * pool.accounts else sizes
        wanted = max(LEAST, round(pool.prompts * scene.scale * amount))
        units = list(pool.deal(scene, wanted))
        number = round(pool.accounts * scene.scale * sizes * min(1.0, len(units) / wanted))
        number = min(max(LEAST, number), len(units))
        if pool.again:
            accounts = members[:number]
        else:
            joined = joining[: number // 3]
            accounts = [*scene.accounts(number - len(joined)), *joined]
            scene.directory.enter(accounts, pool.infra)
        units += rng.choices(units, k=int(repeats * len(units)))
        rng.shuffle(units)
        if pool.hands is None:
            hands = _hands(accounts, units, campaign.uneven, rng)
        else:
            hands = list(zip(accounts, pool.hands(scene, units, len(accounts)), strict=True))
        _send(scene, campaign, pool.manner, hands, side, count)
        members += [] if pool.again else accounts
    scene.members[campaign.name] = members
    return count.of(members)


def _hands(
    accounts: Sequence[str], units: Sequence[Unit], uneven: float, rng: random.Random
) -> list[tuple[str, list[Unit]]]:
    """The units that each account sends: at least one, and the shares of a gamma distribution."""
    weights = [rng.gammavariate(uneven, 1) for _ in accounts]
    total = sum(weights)
    counts = [max(1, int(weight / total * len(units))) for weight in weights]
    while sum(counts) > len(units):
        counts[counts.index(max(counts))] -= 1
    for _ in range(len(units) - sum(counts)):
        counts[rng.randrange(len(counts))] += 1
    left = iter(units)
    return [(account, [next(left) for _ in range(number)]) for account, number in zip(accounts, counts, strict=True)]


def _send(
    scene: Scene,
    campaign: Campaign,
    manner: Manner,
    hands: Sequence[tuple[str, list[Unit]]],
    side: float,
    count: _Count,
) -> None:
    """Sends the units of a pool, and what its accounts send besides."""
    rng = scene.rng
    for account, units in hands:
        first, last = _period(scene, manner, shorter=True)
        wrap = campaign.wrap(scene) if campaign.wrap else None
        sent = [wrap(unit) if wrap and isinstance(unit, str) else unit for unit in units]
        times = scene.tempo.times(rng.choice(manner.clocks), len(sent), first, last, zone=_zone(scene, manner))
        before = len(scene.rows)
        scene.emit(account, times, sent)
        count.rows += len(scene.rows) - before
        count.first = min(count.first, times[0])
        others = 0
        if campaign.camouflage:
            share = campaign.camouflage
            others, early = max(1, round(len(units) * (1 - share) / share * rng.uniform(0.7, 1.3))), rng.uniform(0, 6)
        elif rng.random() < side:
            others, early = rng.randint(1, 7), campaign.ahead
        if others:
            moments = scene.tempo.times(campaign.cover_clock, others, first - early, last)
            scene.emit(account, moments, (campaign.cover or chat)(scene, others))
        count.others += others


def _period(scene: Scene, manner: Manner, *, shorter: bool) -> tuple[float, float]:
    """The days between which an account of a group sends.

    Args:
        scene: of the draws.
        manner: of the group.
        shorter: whether lives vary around the span of the manner.
    """
    last = scene.log.days if manner.last is None else manner.last
    first = start_of(scene, manner)
    if manner.span is None:
        return first, last
    return first, min(last, first + manner.span * (scene.rng.uniform(0.6, 1.4) if shorter else 1.0))


def start_of(scene: Scene, manner: Manner) -> float:
    """The day on which one account of a group starts."""
    first = manner.first + scene.rng.uniform(0, manner.stagger)
    if manner.starts == "even":
        return first
    # uniform -> the quantile of a pool that grows to the sixteenfold
    share = (first - manner.first) / max(manner.stagger, 1e-9)
    return manner.first + manner.stagger * math.log(1 + 15 * share, 16)


def _zone(scene: Scene, manner: Manner) -> int | None:
    return scene.rng.choice(manner.zones) if manner.zones else None


def plant_innocent(scene: Scene, group: Innocent) -> Planted:
    """Plants an innocent group."""
    rng = scene.rng
    wanted = max(LEAST, round(group.accounts * scene.scale * scene.varied()))
    count = _Count()
    if group.timed is not None:
        timed = group.timed(scene, wanted)
        found = [([scene.start + time for time, _ in own], [text for _, text in own]) for own in timed]
        accounts = scene.accounts(len(found))
        for account, (times, texts) in zip(accounts, found, strict=True):
            scene.emit(account, times, texts)
            count.first, count.rows = min(count.first, *times), count.rows + len(times)
    else:
        shares = group.share(scene, wanted) if group.share else []
        accounts = scene.accounts(len(shares))
        for account, units in zip(accounts, shares, strict=True):
            first, last = _period(scene, group.manner, shorter=False)
            clock = rng.choice(group.manner.clocks)
            times = scene.tempo.times(clock, len(units), first, last, zone=_zone(scene, group.manner))
            before = len(scene.rows)
            scene.emit(account, times, units)
            count.rows += len(scene.rows) - before
            count.first = min(count.first, times[0])
    for account in accounts:
        if rng.random() < group.side:
            others = min(25, geometric(rng, 0.22))
            days = scene.log.days
            scene.emit(account, scene.tempo.times("people", others, 0, days), chat(scene, others))
            count.others += others
    scene.directory.enter(accounts, group.infra)
    scene.members[group.name] = accounts
    return count.of(accounts)
