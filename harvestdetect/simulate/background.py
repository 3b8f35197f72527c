"""The background of a simulated dump: ordinary people and a few heavy users."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from harvestdetect.simulate.people import Text, user_turn, write
from harvestdetect.simulate.plan import World, Writer, people_stream, people_weights, person_of
from harvestdetect.simulate.traffic import Account
from harvestdetect.util.arrays import Bools, Ints
from harvestdetect.util.periods import DAY

__all__ = ["add_background", "add_own_prompts"]


def add_background(world: World, rows: int, texts: Sequence[str]) -> None:
    """Plans the accounts outside every planted group; one in 500 is a heavy user that sends around the clock.

    Args:
        world: the plan.
        rows: prompts of all of them.
        texts: what they write; empty means texts of the grammar.
    """
    dice = world.dice
    count = max(1, rows // 8) if rows else 0
    if not count:
        return
    world.background = [world.network.open() for _ in range(count)]
    weights = people_weights(dice, count)
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
    add_own_prompts(world, world.background, counts, texts, flat=flat)


def add_own_prompts(
    world: World,
    accounts: Sequence[int],
    counts: Ints,
    texts: Sequence[str],
    *,
    flat: Bools | None = None,
    window: tuple[int, int] | None = None,
) -> None:
    """Adds what people write for themselves; for the other arguments see
    :func:`harvestdetect.simulate.plan.people_stream`.

    Args:
        texts: what they write; empty means texts of the grammar.
    """
    writer = _own_texts(texts) if texts else _own_words
    people_stream(world, writer, accounts, counts, flat=flat, window=window, items=len(texts))


def _own_words(account: Account, item: int, session: int, random: Random) -> Text:
    """A prompt of the grammar, about the subjects of the person."""
    return write(person_of(account, random), random, session=session, position=item)


def _own_texts(texts: Sequence[str]) -> Writer:
    """A writer of given texts."""

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        return user_turn(person_of(account, random), texts[item], random, session=session)

    return writer
