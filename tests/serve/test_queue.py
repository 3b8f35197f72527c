"""The queue as values: views, filters, order and search."""

from __future__ import annotations

import random
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.data import TIERS
from harvestdetect.serve.queue import CHOICES, DEFAULT, Item, View, accounts_like, queue_of, view_of
from harvestdetect.state import Verdict

views = st.builds(
    View, **{name: st.sampled_from(list(values)) for name, values in CHOICES.items()}, page=st.integers(1, 99_999)
)  # fmt: skip


def items(count: int) -> list[Item]:
    rng = random.Random(count)
    verdict = Verdict(
        number=1, campaign_id="c", verdict="benign", note="", reviewer="ann", at=1, expires=None, undone=None,
        tier="watch",
    )  # fmt: skip
    return [
        Item(
            campaign_id=f"c-{i:04}", tier=rng.choice(TIERS), title=f"Title {i}", accounts=rng.randrange(50),
            prompts=rng.randrange(50), first_seen=None, last_seen=rng.choice([None, 1, 2]),
            probability=rng.choice([0.5, 0.9, float("nan")]), families=("time",) if i % 2 else ("text", "structure"),
            status=rng.choice(["new", "quiet", None]), detected=rng.choice([None, 5]),
            verdict=rng.choice([None, verdict]), finding=None, known=None, searched=f"title {i}\nc-{i:04}",
        )
        for i in range(count)
    ]  # fmt: skip


@given(views)
def test_the_query_of_a_view_leads_to_the_view(view: View) -> None:
    query = view.query()
    assert view_of(dict(parse_qsl(query, keep_blank_values=True))) == view
    assert query.isascii()
    assert set(query) <= set("abcdefghijklmnopqrstuvwxyz0123456789=&")


@given(st.dictionaries(st.sampled_from([*CHOICES, "page", "other"]), st.text(max_size=20)))
def test_any_query_is_a_view(query: dict[str, str]) -> None:
    view = view_of(query)
    assert view.page >= 1
    assert all(getattr(view, name) in values for name, values in CHOICES.items())


@given(views, st.integers(0, 2**32))
def test_a_view_is_a_part_in_an_order_of_its_own(view: View, seed: int) -> None:
    every = items(40)
    shuffled = random.Random(seed).sample(every, len(every))
    found = queue_of(every, view, search="", campaigns_of={})
    assert [one.campaign_id for one in found] == [
        one.campaign_id for one in queue_of(shuffled, view, search="", campaigns_of={})
    ]
    assert all(view.tier in ("", one.tier) for one in found)
    assert all(view.show == "all" or (one.verdict is not None) == (view.show == "judged") for one in found)


@pytest.mark.parametrize("search", ["TITLE 7", "c-0007", "  title 7 ", "user-x", "ＴＩＴＬＥ 7"])
def test_search_finds_titles_ids_and_accounts(search: str) -> None:
    everything = View(show="all")
    found = queue_of(items(12), everything, search=search, campaigns_of={"user-x1": ("c-0007",), "other": ("c-0001",)})
    assert [one.campaign_id for one in found] == ["c-0007"]


def test_accounts_are_found_by_a_part_of_their_id() -> None:
    accounts = {"user-10": (), "user-1": (), "USER-1é": (), "x": ()}
    assert accounts_like("User-1", accounts) == ["user-1", "USER-1é", "user-10"]
    assert accounts_like("user", accounts, most=1) == ["user-1"]
    assert accounts_like("x", accounts) == [], "one character says too little"
    assert DEFAULT.query() == ""
