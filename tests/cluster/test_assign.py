"""Between clusters and campaigns: verbatim texts, twins, and each prompt in at most one cluster."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.cluster import assign
from harvestdetect.cluster.assign import Assigned, assign_prompts, nearby, verbatim_clusters, volumes
from harvestdetect.cluster.repeat_senders import chance_of, expected_returning, texts_of_each
from harvestdetect.corpus import by_prompt as lookup
from harvestdetect.corpus.build import build_corpus
from harvestdetect.corpus.by_prompt import first_rows
from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import KINDS, Corpus, Neighbors, Prompt, TemplateCluster
from harvestdetect.dump import batches_of
from harvestdetect.util.amounts import SMALL_PART
from harvestdetect.util.arrays import Ints32

Sent = Sequence[tuple[str, str]]


def corpus_of(sent: Sent, *, min_senders: int = 99) -> Corpus:
    """Of ``(account, text)``."""
    return build_corpus(batches_of([Prompt(account=a, prompt=t) for a, t in sent]), min_senders=min_senders)


def segments_by_prompt(corpus: Corpus, texts: Sequence[str]) -> Ints32:
    places = {t: i for i, t in enumerate(list(corpus.text))}
    return np.array(sorted(places[t] for t in texts), np.int32)


def cluster(corpus: Corpus, texts: Sequence[str], channel: str = "wording") -> TemplateCluster:
    return TemplateCluster(channel=channel, segments=segments_by_prompt(corpus, texts), quality=1.0)


def texts_of(corpus: Corpus, prompts: Ints32) -> set[str]:
    """Texts of the segments that some prompts hold."""
    held = corpus.posting_segment[np.isin(corpus.posting_prompt, prompts)]
    return {corpus.text[int(s)] for s in held}


def check(assigned: Sequence[Assigned], corpus: Corpus, min_accounts: int) -> None:
    """What holds of every answer."""
    everything = np.concatenate([np.empty(0, np.int32), *(a.prompts for a in assigned)])
    assert len(np.unique(everything)) == len(everything)
    for item in assigned:
        assert (np.diff(item.prompts) > 0).all()
        assert len(np.unique(corpus.prompts.account[item.prompts])) >= min_accounts


# ---------------------------------------------------------------- volumes and returns


SENT = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y", "z", "u", "v", "w"])), max_size=30)


@given(SENT)
@settings(max_examples=60, deadline=None)
def test_volumes_equal_a_count(sent: Sent) -> None:
    corpus = corpus_of(sent)
    found = volumes(corpus)
    accounts = corpus.prompts.accounts.to_pylist()
    assert accounts == sorted({a for a, _ in sent})
    assert found.prompts.tolist() == [sum(b == a for b, _ in sent) for a in accounts]
    assert found.texts.tolist() == [len({t for b, t in sent if b == a}) for a in accounts]


@given(SENT.filter(bool), st.sets(st.sampled_from(["x", "y", "z"]), min_size=1))
@settings(max_examples=60, deadline=None)
def test_who_comes_back_equals_a_count(sent: Sent, chosen: set[str]) -> None:
    corpus = corpus_of(sent)
    prompts = np.flatnonzero([texts_of(corpus, np.array([i])) <= chosen for i in range(len(sent))]).astype(np.int32)
    chance = chance_of(volumes(corpus).texts)
    each = texts_of_each(corpus.prompts.account[prompts], corpus.prompts.content[prompts])
    expected = float(expected_returning(np.array([each.sum()]), chance)[0])
    inside = {a: {t for b, t in sent if b == a and t in chosen} for a, _ in sent}
    assert sorted(each.tolist()) == sorted(len(t) for t in inside.values() if t)
    total = sum(len({t for b, t in sent if b == a}) for a in inside)
    p = sum(map(len, inside.values())) / total
    by_hand = 0.0
    for a in inside:
        n = len({t for b, t in sent if b == a})
        by_hand += 1 - (1 - p) ** n - n * p * (1 - p) ** (n - 1)
    assert expected == pytest.approx(by_hand, abs=1e-9)


# ---------------------------------------------------------------- verbatim


def brute_force_groups(corpus: Corpus, min_accounts: int) -> set[frozenset[int]]:
    common = [i for i in range(len(corpus.text)) if corpus.senders[i] >= min_accounts]
    held = {i: set(corpus.posting_prompt[corpus.posting_segment == i].tolist()) for i in common}
    group = {i: {i} for i in common}
    for a, b in itertools.combinations(common, 2):
        if len(held[a] & held[b]) >= 0.5 * len(held[a] | held[b]) and group[a] is not group[b]:
            group[a] |= group[b]
            for i in group[b]:
                group[i] = group[a]
    return {frozenset(g) for g in group.values()}


PARTS = [
    "alpha beta gamma delta epsilon.",
    "one two three four five six.",
    "red green blue black white grey.",
    "hm.",
]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.lists(st.sampled_from(PARTS), min_size=1, max_size=3, unique=True)),
        max_size=25,
    ),
    st.integers(2, 4),
    st.sampled_from([1, 20, assign.PRODUCTS_AT_ONCE]),
)
@settings(max_examples=80, deadline=None)
def test_verbatim_clusters_equal_brute_force(
    sent: list[tuple[str, list[str]]], min_accounts: int, at_once: int
) -> None:
    corpus = corpus_of([(a, " ".join(parts)) for a, parts in sent], min_senders=min_accounts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assign, "PRODUCTS_AT_ONCE", at_once)
        found = verbatim_clusters(corpus, min_accounts=min_accounts)
    assert {frozenset(c.segments.tolist()) for c in found} == brute_force_groups(corpus, min_accounts)
    assert all(c.channel == "verbatim" and (np.diff(c.segments) > 0).all() for c in found)


def test_a_text_of_many_accounts_is_a_verbatim_cluster() -> None:
    corpus = corpus_of([(f"a{i}", "the same words") for i in range(10)] + [("b", "other"), ("c", "other")])
    (found,) = verbatim_clusters(corpus, min_accounts=10)
    assert found.segments.tolist() == segments_by_prompt(corpus, ["the same words"]).tolist()
    assert verbatim_clusters(corpus, min_accounts=11) == []


def exam_items(count: int, *, seed: int = 5) -> list[str]:
    """Items of one form whose rows differ in every word but the labels, in their number, and in what stands around."""
    rng = random.Random(seed)

    def words(n: int) -> str:
        return " ".join("".join(rng.choices("abcdefghij", k=5)) for _ in range(n))

    return [
        f"{words(rng.randrange(8))}\n\nQuestion {rng.randrange(999)}: {words(rng.randrange(6, 30))}\n"
        f"A) {words(3)}\nB) {words(rng.randrange(1, 9))}\nC) {words(2)}\nD) {words(4)}\n{rng.choice(['', words(9)])}"
        f"\nANSWER: "
        for _ in range(count)
    ]


def test_items_of_one_form_are_a_cluster_by_their_outline() -> None:
    items = exam_items(40)
    sent = [(f"a{i % 20}", item) for i, item in enumerate(items)] + background()
    corpus = corpus_of(random.Random(0).sample(sent, len(sent)), min_senders=10)
    (found,) = [
        c
        for c in verbatim_clusters(corpus, min_accounts=10)
        if KINDS[int(corpus.kind[int(c.segments[0])])] == "outline"
    ]
    (segment,) = found.segments.tolist()
    assert corpus.text[segment] == "question #: | a) | b) | c) | d) | answer:"
    held = corpus.posting_prompt[corpus.posting_segment == segment]
    assert texts_of(corpus, held) == {*map(normalize, items), corpus.text[segment]}
    (kept,) = assign_prompts([found], corpus, volumes(corpus), min_accounts=10)
    assert np.array_equal(kept.prompts, held)


# ---------------------------------------------------------------- assignment


def sweep(name: str, accounts: Sequence[str], each: int) -> list[tuple[str, str]]:
    """Every account sends texts of its own of one template."""
    return [(a, f"{name} filled by {a} for time {i}") for a in accounts for i in range(each)]


def normal(sent: Sent) -> list[str]:
    return [t.lower() for _, t in sent]


ACCOUNTS = [f"a{i}" for i in range(12)]
OTHERS = [f"b{i}" for i in range(300)]


def background(each: int = 5) -> list[tuple[str, str]]:
    return [(b, f"something else by {b}, {i}") for b in OTHERS for i in range(each)]


def test_a_cluster_keeps_the_prompts_of_its_segments() -> None:
    sent = sweep("first", ACCOUNTS, 3)
    corpus = corpus_of(sent + background())
    (found,) = assign_prompts([cluster(corpus, normal(sent))], corpus, volumes(corpus), min_accounts=10)
    check([found], corpus, 10)
    assert texts_of(corpus, found.prompts) == set(normal(sent))
    assert len(found.prompts) == 36


def test_a_cluster_of_too_few_accounts_is_left_out() -> None:
    sent = sweep("first", ACCOUNTS[:9], 3)
    corpus = corpus_of(sent + background())
    assert assign_prompts([cluster(corpus, normal(sent))], corpus, volumes(corpus), min_accounts=10) == []


def test_the_better_cluster_takes_shared_prompts_and_the_other_keeps_the_rest() -> None:
    one, two = sweep("first", OTHERS[:16], 4), sweep("second", ACCOUNTS, 4)
    corpus = corpus_of(one + two + background())
    clusters = [cluster(corpus, normal(two) + normal(one[::4])), cluster(corpus, normal(one))]
    found = assign_prompts(clusters, corpus, volumes(corpus), min_accounts=10)
    check(found, corpus, 10)
    assert [texts_of(corpus, f.prompts) for f in found] == [set(normal(one)), set(normal(two))]
    assert [f.cluster for f in found] == [clusters[1], clusters[0]]


def test_a_twin_gives_its_rest_to_the_better_cluster_as_far_as_its_accounts_are_there() -> None:
    sent = sweep("first", ACCOUNTS, 6)
    rest = [(ACCOUNTS[0], "a stray text of a member"), (OTHERS[0], "a stray text of another")]
    corpus = corpus_of(sent + rest + background())
    clusters = [cluster(corpus, normal(sent)), cluster(corpus, normal(sent[:60]) + normal(rest), "meaning")]
    (found,) = assign_prompts(clusters, corpus, volumes(corpus), min_accounts=10)
    check([found], corpus, 10)
    assert found.cluster.channel == "wording"
    assert texts_of(corpus, found.prompts) == {*normal(sent), "a stray text of a member"}


@pytest.mark.parametrize(("returning", "kept"), [(11, True), (9, False)])
def test_other_accounts_of_a_twin_stay_a_cluster_if_enough_of_them_come_back(returning: int, kept: bool) -> None:
    sent = sweep("first", [f"a{i}" for i in range(20)], 6)
    rest = sweep("first", [f"c{i}" for i in range(returning)], 4) + sweep("first", [f"d{i}" for i in range(30)], 1)
    corpus = corpus_of(sent + rest + background())
    twin, better = cluster(corpus, normal(sent[:96] + rest), "meaning"), cluster(corpus, normal(sent))
    found = assign_prompts([twin, better], corpus, volumes(corpus), min_accounts=10)
    check(found, corpus, 10)
    assert [f.cluster.channel for f in found] == ["wording", "meaning"][: 1 + kept]
    assert [texts_of(corpus, f.prompts) for f in found] == [set(normal(sent)), set(normal(rest))][: 1 + kept]


def test_a_pure_cluster_goes_before_a_larger_one_around_it() -> None:
    ring = OTHERS[:30]
    sent = sweep("first", ring, 5)
    loose = [(b, f"something else by {b}, 0") for b in OTHERS[30:90]]
    corpus = corpus_of(sent + background())
    pure, around = cluster(corpus, normal(sent)), cluster(corpus, normal(sent + loose), "meaning")
    for clusters in ([pure, around], [around, pure]):
        (found,) = assign_prompts(clusters, corpus, volumes(corpus), min_accounts=10)
        assert found.cluster is pure
        assert texts_of(corpus, found.prompts) == set(normal(sent))


def test_of_two_equally_pure_clusters_the_one_of_more_accounts_goes_first() -> None:
    both = sweep("first", [f"a{i}" for i in range(40)], 3)
    corpus = corpus_of(both + [(f"b{i // 2}", f"something else, {i}") for i in range(4_000)])
    small, large = cluster(corpus, normal(both[:60])), cluster(corpus, normal(both), "meaning")
    (found,) = assign_prompts([small, large], corpus, volumes(corpus), min_accounts=10)
    assert found.cluster is large
    assert len(found.prompts) == 120


def test_equal_clusters_of_two_views_are_one() -> None:
    sent = sweep("first", ACCOUNTS, 3)
    corpus = corpus_of(sent + background())
    clusters = [cluster(corpus, normal(sent), c) for c in ("wording", "wording/shared", "meaning")]
    (found,) = assign_prompts(clusters, corpus, volumes(corpus), min_accounts=10)
    assert found.cluster.channel == "wording"


def test_texts_of_many_accounts_are_left_to_the_verbatim_channel() -> None:
    viral = [(a, "the text that all of them send") for a in ACCOUNTS]
    sent = sweep("first", ACCOUNTS, 3)
    corpus = corpus_of(sent + viral + background())
    tree = cluster(corpus, [*normal(sent), viral[0][1]])
    verbatim = verbatim_clusters(corpus, min_accounts=10)
    found = assign_prompts([tree, *verbatim], corpus, volumes(corpus), min_accounts=10)
    check(found, corpus, 10)
    assert [(f.cluster.channel, texts_of(corpus, f.prompts)) for f in found] == [
        ("wording", set(normal(sent))),
        ("verbatim", {viral[0][1]}),
    ]


def test_nothing_to_assign() -> None:
    corpus = corpus_of(background())
    assert assign_prompts([], corpus, volumes(corpus), min_accounts=10) == []
    empty = TemplateCluster(channel="wording", segments=np.empty(0, np.int32), quality=0.0)
    assert assign_prompts([empty], corpus, volumes(corpus), min_accounts=2) == []


@given(
    sent=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 15).map(str)), min_size=1, max_size=40),
    groups=st.lists(
        st.tuples(st.sampled_from(["wording", "meaning", "verbatim"]), st.sets(st.integers(0, 15), min_size=1)),
        max_size=6,
    ),
    min_accounts=st.integers(2, 4),
)
@settings(max_examples=80, deadline=None)
def test_every_prompt_is_in_at_most_one_cluster(
    sent: Sent, groups: list[tuple[str, set[int]]], min_accounts: int
) -> None:
    corpus = corpus_of(sent)
    known = set(corpus.text)
    clusters = [cluster(corpus, [str(i) for i in g if str(i) in known], c) for c, g in groups]
    found = assign_prompts(clusters, corpus, volumes(corpus), min_accounts=min_accounts)
    check(found, corpus, min_accounts)
    offered = {t for c in clusters for t in (corpus.text[int(s)] for s in c.segments)}
    for item in found:
        assert texts_of(corpus, item.prompts) <= offered
    assert len({id(item.cluster) for item in found}) == len(found)


# ---------------------------------------------------------------- nearby


def around_by_loop(held: Sequence[int], free: Sequence[int], corpus: Corpus, neighbors: Neighbors) -> list[int]:
    """Free prompts with a segment of whose neighbours enough are of some prompts, by accounts of one of these."""
    segments = [
        set(corpus.posting_segment[corpus.posting_prompt == p].tolist()) for p in range(len(corpus.prompts.account))
    ]
    account = corpus.prompts.account.tolist()
    first = [int(corpus.posting_prompt[corpus.posting_segment == s].min()) for s in range(len(corpus.text))]
    sender = [account[p] for p in first]
    own = set().union(*(segments[p] for p in held))

    def inside(segment: int) -> bool:
        near = [
            i
            for i in neighbors.index[segment, : assign.NEIGHBORS_AMONG].tolist()
            if i >= 0 and sender[i] != sender[segment]
        ]
        return sum(i in own for i in near) > SMALL_PART * len(near)

    theirs = [account[p] for p in held]
    theirs = [a for a in theirs if theirs.count(a) == 1]
    return [p for p in free if account[p] in theirs and any(map(inside, segments[p]))]


@given(seed=st.integers(0, 10_000), accounts=st.integers(1, 6), width=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_what_lies_nearby_is_that_of_a_loop(seed: int, accounts: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    sent = [(f"a{rng.integers(accounts)}", " ".join(rng.choice(PARTS, rng.integers(1, 4)))) for _ in range(30)]
    corpus = corpus_of(sent, min_senders=2)
    count = len(corpus.text)
    neighbors = Neighbors(
        index=rng.integers(-1, count, (count, width)).astype(np.int32), distance=np.zeros((count, width), np.float32)
    )
    held = np.flatnonzero(rng.random(30) < 0.2).astype(np.int32)
    free = first_rows(corpus.prompts)
    free[held] = False
    starts = np.searchsorted(corpus.posting_segment, np.arange(count))
    sender = corpus.prompts.account[corpus.posting_prompt[starts]]
    border = np.searchsorted(corpus.prompts.account, np.arange(len(corpus.prompts.accounts) + 1))
    found = nearby(held, free, corpus, neighbors, sender, lookup.segments_by_prompt(corpus), border)
    assert found.tolist() == around_by_loop(held.tolist(), np.flatnonzero(free).tolist(), corpus, neighbors)
