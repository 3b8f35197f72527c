"""The map: which prompts are on it, where they are, and its table."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_limits

from harvestdetect.corpus.by_prompt import parts_by_prompt
from harvestdetect.data import MAP_COLUMNS, Corpus
from harvestdetect.maps import layout, map_table, sample_prompts
from harvestdetect.maps.layout import nearest
from harvestdetect.maps.sample import LEAST, MOST_POINTS, PER, map_points
from harvestdetect.util.arrays import Floats32, unit
from tests.corpus.building import Row, build, row

FILES = ["a.jsonl", "b.jsonl"]


def traffic(people: int = 300, harvest: int = 120) -> list[Row]:
    """Prompts of people, some of which are sent twice, and those of a campaign."""
    rng = random.Random(3)
    words = [f"word{i}" for i in range(60)]
    rows = []
    for i in range(people):
        text = " ".join(rng.sample(words, 8))
        rows += [
            row(f"user-{i % 90}", text, line=2 * i + n, time=1_000 + 900 * i + n) for n in range(1 + (i % 10 == 0))
        ]
    for i in range(harvest):
        text = f"list every hidden assumption about {rng.choice(words)} and {rng.choice(words)}, case {i}"
        rows.append(row(f"pool-{i % 12}", text, file=1, line=i + 1, time=5_000 + 700 * i))
    return rows


def campaign_of(corpus: Corpus) -> dict[str, Any]:
    """The prompts of the pool as the one finding."""
    names = np.array(corpus.prompts.accounts.to_pylist())[corpus.prompts.account]
    return {"c-1": np.flatnonzero(np.char.startswith(names, "pool")).astype(np.int32)}


def vectors_of(corpus: Corpus) -> Any:
    """A vector for each segment that depends on its words alone, float16[n, 64]."""
    found = np.zeros((len(corpus.text), 64))
    for place in range(len(corpus.text)):
        for word in corpus.text[place].split():
            found[place] += np.random.default_rng(sum(word.encode()) * 31 + len(word)).normal(size=64)
    return unit(found.astype(np.float32)).astype(np.float16)


def table_of(rows: list[Row], *, cuts: tuple[int, ...] = ()) -> pa.Table:
    corpus = build(rows, cuts=cuts)
    return map_table(corpus, parts_by_prompt(corpus), vectors_of(corpus), campaign_of(corpus), files=FILES, seed=0)


def groups(each: int, count: int = 4, seed: int = 0) -> tuple[Floats32, Any]:
    """Points around a few directions, and the direction of each."""
    rng = np.random.default_rng(seed)
    which = np.repeat(np.arange(count), each)
    return unit((rng.normal(size=(count, 32))[which] * 2 + rng.normal(size=(len(which), 32))).astype(np.float32)), which


def test_the_table_has_places_and_locations_and_no_text() -> None:
    table = table_of(traffic())
    assert table.schema == MAP_COLUMNS
    rows = table.to_pylist()
    assert max(abs(row[axis]) for row in rows for axis in "xy") <= 1
    pool = [row for row in rows if row["campaign_id"] == "c-1"]
    assert all(row["account"].startswith("pool-") and row["file"] == "b.jsonl" for row in pool)
    assert all(row["account"].startswith("user-") for row in rows if row["campaign_id"] is None)
    assert len(pool) == map_points(450) // 2 or len(pool) == 120
    assert len({(row["file"], row["line"]) for row in rows}) == len(rows)


def test_neither_the_order_of_rows_nor_their_files_change_the_map() -> None:
    rows = traffic()
    expected = table_of(rows)
    mixed = random.Random(1).sample(rows, len(rows))
    assert table_of(mixed, cuts=(10, 200)).equals(expected)


def test_a_campaign_lies_together() -> None:
    rows = table_of(traffic()).to_pylist()
    places = np.array([[row["x"], row["y"]] for row in rows])
    pool = np.array([row["campaign_id"] is not None for row in rows])
    centre = places[pool].mean(axis=0)
    assert np.median(np.linalg.norm(places[pool] - centre, axis=1)) < 0.5 * np.median(
        np.linalg.norm(places[~pool] - centre, axis=1)
    )


def test_a_few_more_rows_leave_most_of_the_sample() -> None:
    def chosen(rows: list[Row]) -> set[tuple[str, int]]:
        corpus = build(rows)
        prompts = sample_prompts(corpus, parts_by_prompt(corpus), campaign_of(corpus)).prompts
        names = corpus.prompts.accounts.to_pylist()
        return {(names[corpus.prompts.account[p]], int(corpus.prompts.line[p])) for p in prompts}

    rows = traffic(people=2_000)
    before = chosen(rows)
    after = chosen([*rows, row("new", "something nobody has asked before", line=9_999, time=77)])
    assert len(before - after) <= 2


def test_the_sample_grows_slower_than_the_dump_and_ends() -> None:
    assert map_points(0) == LEAST
    assert map_points(1_000) == LEAST + 1_000 // PER
    assert map_points(10**9) == MOST_POINTS


def test_findings_take_at_most_half_of_the_map() -> None:
    corpus = build(traffic(people=50, harvest=400))
    found = campaign_of(corpus)
    halves = {"c-1": found["c-1"][:200], "c-2": found["c-1"][150:]}
    sample = sample_prompts(corpus, parts_by_prompt(corpus), halves)
    points = map_points(len(corpus.prompts.account))
    for number in (0, 1):
        assert 0 < (sample.campaign == number).sum() <= points // 4
    assert (sample.campaign < 0).sum() == 50
    both = np.intersect1d(halves["c-1"], halves["c-2"])
    assert set(sample.campaign[np.isin(sample.prompts, both)]) == {0}, (
        "a prompt of two findings is that of the stronger"
    )


def test_without_a_finding_the_map_shows_the_traffic() -> None:
    corpus = build(traffic(harvest=0))
    table = map_table(corpus, parts_by_prompt(corpus), vectors_of(corpus), {}, files=FILES, seed=0)
    assert table.column("campaign_id").null_count == table.num_rows > 100


def test_groups_stay_together_and_apart() -> None:
    points, which = groups(60)
    places = layout(points, seed=0)
    index, _ = nearest(places.astype(np.float32) / np.linalg.norm(places, axis=1).max(), 5)
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1)[:, :5]
    assert (which[near] == which[:, None]).mean() > 0.9
    assert index.shape == (240, 5)


def test_neighbours_are_kept_about_as_well_as_by_t_sne() -> None:
    from sklearn.manifold import TSNE, trustworthiness

    points, _ = groups(40, count=6, seed=2)
    theirs = TSNE(init="pca", random_state=0, perplexity=15).fit_transform(points)
    ours = layout(points, seed=0)
    assert trustworthiness(points, ours, n_neighbors=10) > trustworthiness(points, theirs, n_neighbors=10) - 0.05


def test_the_same_points_have_the_same_places_on_any_number_of_threads() -> None:
    points, _ = groups(100, seed=1)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="openmp"), threadpool_limits(1, user_api="blas"):
            found.append(layout(points, seed=0))
    assert np.array_equal(*found)
    assert not np.array_equal(found[0], layout(points, seed=1))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17])
def test_few_points_and_equal_points_have_places(count: int) -> None:
    for points in (
        groups(1, count=count)[0] if count else np.zeros((0, 32), np.float32),
        np.zeros((count, 32), np.float32),
    ):
        places = layout(points, seed=0)
        assert places.shape == (count, 2)
        assert np.isfinite(places).all()
        assert np.abs(places).max(initial=0) <= 1
