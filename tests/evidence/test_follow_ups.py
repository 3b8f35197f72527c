"""Follow-ups: which prompts repeated sentences follow, on sessions made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.data import NO_TIME, Campaign, Prompts
from harvestdetect.evidence.follow_ups import followed
from harvestdetect.evidence.tempo import SESSION

MINUTE = 60


@dataclass(slots=True)
class Dump:
    """Prompts by account and time. A cluster of -1 is outside the candidate."""

    rows: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, account: int, time: int, content: int, cluster: int) -> None:
        self.rows.append((account, time, content, cluster))

    def followed(self) -> list[int] | None:
        ids = [f"a{i:03}" for i in range(1 + max(account for account, *_ in self.rows))]
        account, time, content, cluster = (np.array(column) for column in zip(*self.rows, strict=True))
        prompts = Prompts(
            account=account.astype(np.int32), time=time.astype(np.int64), content=content.astype(np.int32),
            file=np.zeros(len(account), np.int32), line=np.arange(len(account)), fields={},
            created_at=np.full(len(account), NO_TIME), accounts=pa.array(ids),
        )  # fmt: skip
        own = np.flatnonzero(cluster >= 0).astype(np.int32)
        members, counts = np.unique(account[own], return_counts=True)
        campaign = Campaign(
            clusters=np.unique(cluster[own]).astype(np.int32), accounts=members.astype(np.int32),
            membership=np.ones(len(members)), harvest_share=np.ones(len(members)),
            harvest_prompts=counts.astype(np.int32), prompts=own, prompt_cluster=cluster[own].astype(np.int32),
            link_log_p=0.0,
        )  # fmt: skip
        found = followed(campaign, prompts)
        return None if found is None else found.tolist()


def sessions(*, accounts: int = 4, each: int = 3, gap: int = MINUTE, item_cluster: int = -1) -> Dump:
    """Every account asks an item and then sends two sentences, several times a day apart."""
    dump = Dump()
    for account in range(accounts):
        for n in range(each):
            start = n * 86_400 + account
            dump.add(account, start, 1_000 + account * each + n, item_cluster)
            dump.add(account, start + gap, 1, 0)
            dump.add(account, start + 2 * gap, 2, 1)
    return dump


ITEMS = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33]


def test_sentences_follow_the_item_before_them() -> None:
    assert sessions().followed() == ITEMS


def test_items_may_be_of_the_candidate() -> None:
    assert sessions(item_cluster=2).followed() == ITEMS


def test_a_sentence_after_a_pause_follows_nothing() -> None:
    assert sessions(gap=SESSION).followed() is None
    assert sessions(gap=SESSION - 1).followed() == ITEMS


def test_without_times_nothing_follows() -> None:
    dump = sessions()
    dump.rows = [(account, NO_TIME, content, cluster) for account, _, content, cluster in dump.rows]
    assert dump.followed() is None


def test_a_popular_phrase_that_mostly_stands_alone_is_no_follow_up() -> None:
    dump = Dump()
    for account in range(10):
        if account < 7:
            dump.add(account, 0, 100 + account, -1)
        dump.add(account, MINUTE, 1, 0)
    assert dump.followed() is None


def test_the_prompts_of_another_account_are_not_followed() -> None:
    dump = Dump()
    for account in range(10):
        if account % 2:
            dump.add(account, 0, 1, 0)
        else:
            dump.add(account, 0, 100 + account, -1)
    assert dump.followed() is None


def test_a_template_with_different_items_is_no_follow_up() -> None:
    dump = Dump()
    for account in range(6):
        dump.add(account, 0, 100 + account, -1)
        dump.add(account, MINUTE, 200 + account, 0)
    assert dump.followed() is None


@given(st.integers(2, 6), st.integers(1, 5), st.integers(1, SESSION - 1), st.data())
def test_other_sessions_change_nothing(accounts: int, each: int, gap: int, data: Any) -> None:
    dump = sessions(accounts=accounts, each=each, gap=gap)
    before = dump.followed()
    assert before == list(range(0, 3 * accounts * each, 3))
    extra = data.draw(st.lists(st.integers(0, accounts - 1), max_size=5))
    for n, account in enumerate(extra):
        dump.add(account, 86_400 * (each + n) + 43_200, 5_000 + n, -1)
    dump.rows.sort()
    after = dump.followed()
    assert after is not None
    assert [dump.rows[row][2] for row in after] == [1_000 + i for i in range(accounts * each)]


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_repeated_sentences_must_be_most_of_the_candidate(share: float) -> None:
    dump = Dump()
    for account in range(20):
        dump.add(account, 0, 100 + account, -1)
        dump.add(account, MINUTE, 1 if account < 20 * share else 200 + account, 0 if account < 20 * share else 1)
    assert (dump.followed() is None) == (share < 0.5)
