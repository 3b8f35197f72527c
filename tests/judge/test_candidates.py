"""What a scan writes of its candidates: excerpts, accounts outside, missing fields, neighbours, seen accounts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harvestdetect.campaign import shared_accounts as overlap
from harvestdetect.campaign.links import COPIED_RELIEF, RIGID_RELIEF, Link, link_clusters
from harvestdetect.data import (
    NO_TIME,
    Campaign,
    FieldColumn,
    Near,
    Prompts,
)
from harvestdetect.explain import campaign as of_campaigns
from harvestdetect.judge import candidates
from harvestdetect.judge.candidate_file import TEMPLATE_EXCERPT, account_digest, excerpt_of, seen_accounts
from harvestdetect.judge.candidates import (
    CLOSE,
    MOST_NEAR,
    MOST_OUTSIDE,
    LinkRules,
    missing_fields,
    near_candidates,
    outside_accounts,
)
from harvestdetect.util.amounts import GROUP, SMALL_PART


@given(st.lists(st.one_of(st.none(), st.text(max_size=120)), max_size=12))
def test_excerpts_are_short_and_redacted(words: list[str | None]) -> None:
    excerpt = excerpt_of((*words, "mail to someone@example.org now"))
    assert len(excerpt) <= TEMPLATE_EXCERPT
    assert "someone@example.org" not in excerpt


def test_an_excerpt_marks_its_slots() -> None:
    assert excerpt_of(("Explain", None, "in\n\n steps")) == "Explain … in steps"
    assert excerpt_of((None, " ", None)) == excerpt_of(()) == ""


def test_outside_accounts_are_the_surest() -> None:
    count = MOST_OUTSIDE + 30
    names = pa.array([f"u{i:03}" for i in range(count)])
    sure = np.linspace(0.0, 0.49, count)
    found = outside_accounts(
        np.arange(count, dtype=np.int32),
        sure,
        np.full(count, 1, np.int32),
        volume=np.full(count, 40, np.int32),
        names=names,
    )
    assert len(found) == MOST_OUTSIDE
    assert found[0].account == f"u{count - 1:03}"
    assert [o.membership for o in found] == sorted((o.membership for o in found), reverse=True)
    assert found[0].why == "1 of its 40 prompts fits; a single one may be chance"


def test_fields_that_most_prompts_lack() -> None:
    codes = {"org": [0, 0, -1], "ip": [-1, -1, 0], "payment": [-1, -1, -1]}
    prompts = Prompts(
        account=np.zeros(3, np.int32),
        time=np.array([1, 2, NO_TIME]),
        file=np.zeros(3, np.int32),
        line=np.arange(3),
        content=np.zeros(3, np.int32),
        accounts=pa.array(["a"]),
        fields={
            name: FieldColumn(code=np.array(code, np.int32), values=pa.array(["x"])) for name, code in codes.items()
        },
        created_at=np.full(3, NO_TIME),
    )
    campaign = Campaign(
        clusters=np.zeros(1, np.int32),
        accounts=np.zeros(1, np.int32),
        membership=np.ones(1),
        harvest_share=np.ones(1),
        harvest_prompts=np.full(1, 3, np.int32),
        prompts=np.arange(3, dtype=np.int32),
        prompt_cluster=np.zeros(3, np.int32),
        link_log_p=0.0,
    )
    assert missing_fields(prompts, campaign) == ("ip", "payment", "created_at")


def neighbours(
    accounts: Sequence[Sequence[int]],
    *,
    vectors: Any = None,
    population: int = 400,
    rigid: Sequence[int] = (),
    copied: Sequence[int] = (),
) -> list[tuple[Near, ...]]:
    held = [np.array(a, np.int32) for a in accounts]
    return near_candidates(
        [f"c-{i}" for i in range(len(held))],
        held,
        [np.full(len(a), 3, np.int32) for a in held],
        volume=np.full(population, 20, np.int32),
        vectors=None if vectors is None else np.array(vectors, np.float32),
        rigid=[i in rigid for i in range(len(held))],
        copied=[i in copied for i in range(len(held))],
        rules=LinkRules(
            log_p=-5.0,
            rigid_log_p=-5.0 * RIGID_RELIEF,
            copied_relief=COPIED_RELIEF,
            min_shared=GROUP,
            min_overlap=SMALL_PART,
        ),
    )


def test_neighbours_and_the_test_they_failed() -> None:
    others = [[*range(2), *range(100, 140)], [*range(3), *range(200, 260)], [*range(9), *range(300, 360)]]
    near = {n.campaign_id: n for n in neighbours([range(60), *others], population=40_000)[0]}
    assert {i: n.failed for i, n in near.items()} == {"c-1": "shared", "c-2": "chance", "c-3": "overlap"}
    assert near["c-3"].overlap == pytest.approx(9 / 60, abs=1e-4)
    assert neighbours([range(60), range(50)], population=40_000)[0][0].failed == "none"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 60), min_size=1, max_size=40), min_size=2, max_size=6),
    st.sets(st.integers(0, 5)),
    st.sets(st.integers(0, 5)),
)
@example([set(range(20)), {*range(5), *range(30, 45)}], {0, 1}, set())
@example([set(range(20)), {*range(5), *range(30, 45)}], {0, 1}, {1})
def test_neighbours_have_the_figures_of_links(sets: list[set[int]], rigid: set[int], copied: set[int]) -> None:
    accounts = [sorted(s) for s in sets]

    def linked(log_p: float) -> dict[tuple[int, int], Link]:
        found = link_clusters(
            [np.array(a, np.int32) for a in accounts],
            [np.full(len(a), 3, np.int32) for a in accounts],
            np.full(400, 20, np.int32),
            log_p=log_p,
            rigid=[i in rigid for i in range(len(accounts))],
            copied=[i in copied for i in range(len(accounts))],
        )
        return {(link.first, link.second): link for link in found}

    links, held = linked(1e9), linked(-5.0)
    found = neighbours(accounts, rigid=sorted(rigid), copied=sorted(copied))
    for x, row in enumerate(found):
        for near in row:
            y = int(near.campaign_id.removeprefix("c-"))
            assert near.log_p_cut == (-5.0 * RIGID_RELIEF if {x, y} <= rigid else -5.0)
            assert near.shared == len(sets[x] & sets[y]) > 0
            link = links.get((min(x, y), max(x, y)))
            if link is not None:
                assert near.expected == pytest.approx(link.expected, abs=1e-3)
                assert near.log_p == pytest.approx(min(link.log_p, 0.0), abs=1e-3)
                assert near.overlap == pytest.approx(link.overlap, abs=1e-3)
                assert (near.failed == "none") == ((link.first, link.second) in held)
    named = {(x, int(n.campaign_id.removeprefix("c-"))) for x, row in enumerate(found) for n in row}
    assert named == {(y, x) for x, y in named}, "neighbours are mutual"
    for (x, y), link in links.items():
        if abs(link.shared - link.expected) > 1e-9:
            assert ((x, y) in named) == (link.shared > link.expected)


@pytest.mark.parametrize(
    ("rigid", "failed", "cut"), [((), "chance", -5.0), ((0,), "chance", -5.0), ((0, 1), "none", -2.25)]
)
def test_neighbours_are_held_to_the_cut_of_their_templates(rigid: Sequence[int], failed: str, cut: float) -> None:
    accounts = [range(20), [*range(5), *range(30, 45)]]
    near = neighbours(accounts, rigid=rigid)[0][0]
    assert (near.failed, near.log_p_cut) == (failed, cut)
    if failed == "chance":
        assert "log p -3.0, a link needs less than -5.0" in of_campaigns._why_apart(near)
    loose = neighbours([range(20), [*range(4), *range(30, 46)]], rigid=rigid)[0][0]
    assert of_campaigns._why_apart(loose).endswith(f"log p -1.8, a link needs less than {cut:.1f}.")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 60), min_size=1, max_size=30), min_size=2, max_size=16),
    st.lists(st.integers(0, 90), min_size=16, max_size=16, unique=True),
    st.sampled_from([1, 40, overlap.CELLS_AT_ONCE]),
)
def test_neighbours_are_chosen_as_a_loop_chooses(sets: list[set[int]], angles: list[int], cells: int) -> None:
    from scipy.stats import poisson

    # angles that differ by distinct amounts: no two neighbours are equally far
    turns = [np.pi / 180 * angle * (1 + angle / 997) for angle in angles[: len(sets)]]

    def falling(x: set[int], y: set[int]) -> float:
        rate = (3 * len(y - x) + 1) / (20 * 400 - 20 * len(x))
        return len(x) * float(-np.expm1(17 * np.log1p(-rate)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "CELLS_AT_ONCE", cells)
        found = neighbours([sorted(s) for s in sets], vectors=[[np.cos(t), np.sin(t)] for t in turns])
    for x, one in enumerate(sets):
        far = {y: 2 * abs(np.sin((turns[y] - turns[x]) / 2)) for y in range(len(sets)) if y != x}
        assume(all(abs(far[a] - far[b]) > 1e-4 for a, b in combinations(far, 2)))
        assume(all(abs(d - CLOSE) > 1e-4 for d in far.values()))
        wording = sorted((y for y in far if far[y] <= CLOSE), key=far.__getitem__)[:MOST_NEAR]
        tail = {}
        for y in far:
            shared, expected = len(one & sets[y]), max(falling(one, sets[y]), falling(sets[y], one))
            assume(not shared or abs(shared - expected) > 1e-9)
            if shared > expected:
                tail[y] = float(poisson.logsf(shared - 1, expected))
        assume(all(abs(tail[a] - tail[b]) > 1e-9 or tail[a] == tail[b] for a, b in combinations(tail, 2)))
        accounts = sorted(tail, key=lambda y: (round(tail[y], 9), far[y]))
        # other close ones are weighed too when they share accounts
        close = sorted((y for y in far if far[y] <= CLOSE and (y in wording or one & sets[y])), key=far.__getitem__)
        half = MOST_NEAR - min(len(close), MOST_NEAR // 2)
        named = list(dict.fromkeys([*accounts[:half], *close, *accounts]))[:MOST_NEAR]
        assert [n.campaign_id for n in found[x]] == [f"c-{y}" for y in named]
        assert [n.distance for n in found[x]] == pytest.approx([far[y] for y in named], abs=1e-3)


def test_neighbours_that_send_unequally_have_the_figures_of_the_link() -> None:
    accounts = [np.arange(20, dtype=np.int32), np.arange(10, 30, dtype=np.int32)]
    hits = [np.where(a < 20, n, 4).astype(np.int32) for a, n in zip(accounts, (1, 7), strict=True)]
    volume = np.full(400, 20, np.int32)
    (link,) = link_clusters(accounts, hits, volume, log_p=1e9)
    found = near_candidates(
        ["c-0", "c-1"], accounts, hits, volume=volume, vectors=None, rigid=[False, False],
        copied=[False, False],
        rules=LinkRules(
            log_p=-5.0, rigid_log_p=-2.0, copied_relief=COPIED_RELIEF, min_shared=GROUP, min_overlap=SMALL_PART
        ),
    )  # fmt: skip
    for (near,) in found:
        assert near.expected == pytest.approx(link.expected, abs=1e-4)
        assert near.log_p == pytest.approx(min(link.log_p, 0.0), abs=1e-4)


def test_of_many_that_share_accounts_those_with_the_most_are_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "COMPARED", 2)
    sets = [range(20), range(3), range(6), range(4), range(6)]
    assert [n.campaign_id for n in neighbours(sets, population=4_000)[0]] == ["c-2", "c-4"]


def test_neighbours_in_wording_share_no_account() -> None:
    vectors = [[1, 0, 0], [2, 0.2, 0], [0, 1, 0], [0, 0, 0]]
    near = neighbours([[1], [2], [3], [4]], vectors=vectors)
    assert [n.campaign_id for n in near[0]] == ["c-1"]
    assert near[0][0].failed == "shared"
    assert near[0][0].distance is not None
    assert near[0][0].distance < CLOSE
    assert near[2] == near[3] == ()


def test_neighbours_are_few() -> None:
    many = neighbours([range(50)] * 30, vectors=[[1.0, 0.0]] * 30)
    assert all(len(row) == MOST_NEAR for row in many)
    assert neighbours([[1]]) == [()]
    assert neighbours([]) == []


@given(st.lists(st.text(max_size=20), unique=True, max_size=20))
def test_seen_accounts_are_found_by_digest(names: list[str]) -> None:
    table = seen_accounts(pa.array(names, pa.string()), np.arange(len(names), dtype=np.int32))
    digest = table.column("digest").to_pylist()
    assert digest == sorted(digest)
    assert dict(zip(digest, table.column("prompts").to_pylist(), strict=True)) == {
        account_digest(name): i for i, name in enumerate(names)
    }
