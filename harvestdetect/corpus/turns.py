"""Conversations that are sent again with one more turn.

A client of a chat sends the whole conversation with every turn, so the first turn is in every request. Only the new
turn of a request says something about it. A turn of a user is *resent* if it is not the last turn of its request, and

* the account sent it as the last turn of a request, or
* a whole request of the account has the turns up to it, or further, and no others: a request may be missing.

A text that comes only before the last turn, such as an example, is not resent. The order of rows does not matter.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.corpus.by_prompt import in_sorted
from harvestdetect.corpus.tables import GrowingColumns
from harvestdetect.util.arrays import Bools, Ints, Ints32, Words, mixed, unique

__all__ = ["SENT", "leave_out_resent", "resent"]

SENT: Final = "sent"
"""Column of the digests of prompts as they were sent, if some prompts had resent turns."""


def resent(account: Ints32, count: Ints32, turn: Words) -> Bools:
    """Which turns of users are resent: bool[t].

    Args:
        account: int32[p], of each prompt.
        count: int32[p]: how many turns each prompt has.
        turn: uint64[t]: digests of the turns, one prompt after the other.
    """
    stop = np.cumsum(count, dtype=np.int64)
    start = stop - count
    found = np.zeros(len(turn), bool)
    several = np.flatnonzero(count > 1)
    if not len(several):
        return found
    last = stop[count > 0] - 1
    early = np.ones(len(turn), bool)
    early[last] = False
    early_turns = np.flatnonzero(early)
    sender = mixed(account.astype(np.uint64))
    single = mixed(turn ^ np.repeat(sender, count))
    found[early_turns] = in_sorted(single[early_turns], unique(single[last]))
    # The digest of all turns of a prompt up to each.
    chain = np.zeros(len(turn), np.uint64)
    rows, depth, value = np.flatnonzero(count > 0), 0, sender[count > 0]
    while len(rows):
        place = start[rows] + depth
        value = mixed(value ^ turn[place])
        chain[place] = value
        depth += 1
        more = count[rows] > depth
        rows, value = rows[more], value[more]
    whole = np.zeros(len(turn), bool)
    whole[early_turns] = in_sorted(chain[early_turns], unique(chain[last]))
    # A turn is resent if a turn of its prompt at or behind it ends a whole request.
    ends = np.concatenate([[0], np.cumsum(whole)])
    behind = np.repeat(ends[stop], count) - ends[:-1]
    return np.asarray(found | ((behind > 0) & early))


def leave_out_resent(columns: GrowingColumns, account: Ints32) -> int:
    """Takes resent turns out of the prompts of a corpus that is being built.

    A prompt of which only the last turn remains has the content of that turn. The content as it was sent goes to the
    column :data:`SENT`.

    Args:
        columns: of the corpus.
        account: int32[p], of each prompt in the order in which it was taken.

    Returns:
        Number of turns that were taken out.
    """
    count = columns.read("turn count", np.int32)
    if not len(count) or count.max() < 2:
        return 0
    turn = columns.read("turn", np.uint64)
    gone = resent(account, count, turn)
    if not gone.any():
        return 0
    prompt = np.repeat(np.arange(len(count), dtype=np.int64), count)
    held, holder = columns.read("held", np.int32), columns.read("holder", np.int32)
    part = columns.read("digest", np.uint64, 2)[:, 0][held]
    keep = ~_only_resent(holder.astype(np.int64), part, prompt, turn, gone)
    content, fresh = columns.read("content", np.uint64), columns.read("fresh", np.uint64)
    columns.replace("held", held[keep])
    columns.replace("holder", holder[keep])
    columns.replace("content", _left(content, fresh, prompt, turn, gone, count))
    columns.add(SENT, content)
    return int(gone.sum())


def _only_resent(holder: Ints, part: Words, prompt: Ints, turn: Words, gone: Bools) -> Bools:
    """Which pairs of a prompt and a part are a resent turn, and no other turn of the prompt: bool[m]."""
    pair = mixed(part ^ mixed(holder.astype(np.uint64)))
    of_turn = mixed(turn ^ mixed(prompt.astype(np.uint64)))
    found = in_sorted(pair, unique(of_turn[gone]))
    found[found] = ~in_sorted(pair[found], unique(of_turn[~gone]))
    return found


def _left(content: Words, fresh: Words, prompt: Ints, turn: Words, gone: Bools, count: Ints32) -> Words:
    """The content of each prompt without its resent turns: uint64[p].

    Equal contents have equal parts, also among accounts that resent different turns of one conversation.
    """
    missing = np.bincount(prompt[gone], minlength=len(content))
    some = np.flatnonzero((missing > 0) & (missing < count - 1))
    found = np.where((missing > 0) & (missing == count - 1), fresh, content)
    if len(some):
        taken = np.zeros(len(content), np.uint64)
        np.add.at(taken, prompt[gone], mixed(turn[gone]))
        found[some] = mixed(content[some] ^ taken[some])
    return np.asarray(found)
