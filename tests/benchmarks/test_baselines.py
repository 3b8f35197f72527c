"""The baselines in the box, each on a toy dump: what it should find, and what it cannot."""

from __future__ import annotations

import importlib.util
import random
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.baselines import BASELINES, clusters, duplicates, traffic, windows
from benchmarks.baselines.windows import window_detection_rate
from harvestdetect.errors import UsageError
from harvestdetect.simulate.evaluate import ReportedFinding

Rows = list[dict[str, Any]]

DAY = 86_400
START = 1_767_225_600
VOCABULARY = (
    "river engine window garden letter market silver bridge planet kitchen doctor ticket cotton winter island candle "
    "forest camera violin harbor pepper saddle museum copper rocket blanket desert mirror pencil castle orange thunder "
    "basket helmet turtle ladder magnet needle pillow rabbit salmon tunnel valley walnut yellow anchor butter circle "
    "dragon falcon guitar hammer insect jacket kettle lemon monkey napkin oyster parcel quartz ribbon sailor temple "
    "repair choose paint carry measure borrow explain travel gather compare order clean count follow build plant sell "
    "cook draw fix heat join lift move open pack read send teach visit wash write find grow hold keep learn make"
)
WORDS = VOCABULARY.split()
COPIED = " ".join(WORDS[i * 7 % 50] for i in range(40))
SWEPT = "you are a strict grader of {} so score this essay on {} and {} with all your reasoning"
COPIERS = frozenset(f"copy{i:02}" for i in range(15))
REWORDERS = frozenset(f"near{i:02}" for i in range(15))
SWEEPERS = frozenset(f"sweep{i:02}" for i in range(40))
HEAVY = frozenset(f"heavy{i}" for i in range(3))


def row(account: str, time: float, prompt: object) -> dict[str, Any]:
    return {"account": account, "timestamp": int(START + time * DAY), "prompt": prompt}


def dump(seed: int = 0) -> Rows:
    """500 people who write what nobody else writes; copiers, rewording copiers, sweepers, three who write much."""
    rng = random.Random(seed)

    def own() -> str:
        return " ".join(rng.sample(WORDS, rng.randint(7, 13)))

    rows = []
    for i in range(500):
        first = rng.uniform(0, 20)
        rows += [row(f"person{i:03}", first + k, own()) for k in range(rng.randint(2, 10))]
    rows += [row(account, rng.uniform(0, 20), own()) for account in sorted(HEAVY) for _ in range(90)]
    for account in sorted(COPIERS | REWORDERS):
        words = COPIED.split()
        if account in REWORDERS:
            words[rng.randrange(10, 30)] = account
        rows += [row(account, 0.2, own()), row(account, 2 + rng.random(), " ".join(words))]
    for account in sorted(SWEEPERS):
        rows += [row(account, 24 + rng.random(), SWEPT.format(*rng.sample(WORDS, 3))) for _ in range(12)]
    rng.shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def rows() -> Rows:
    return dump()


def finds(found: list[ReportedFinding], group: frozenset[str]) -> bool:
    """By the rule of the scorer: half of the group in one finding of which it is half."""
    return any(2 * len(f.accounts & group) >= max(len(group), len(f.accounts)) for f in found)


def people(found: list[ReportedFinding]) -> set[str]:
    return {a for f in found for a in f.accounts if a.startswith("person")}


# ---------------------------------------------------------------- what each finds and cannot find


def test_volume_finds_the_busy_and_no_campaign(rows: Rows) -> None:
    found = BASELINES["volume"](rows)
    assert all(f.accounts >= HEAVY for f in found)
    assert found
    assert not any(finds(found, group) for group in (COPIERS, REWORDERS, SWEEPERS))
    assert not people(found)


def test_the_busiest_day_is_not_the_total() -> None:
    steady = [row("steady", day, f"text {day}") for day in range(30)]
    burst = [row("burst", 3, f"burst {i}") for i in range(10)]
    others = [row(f"person{i}", i % 20, f"words {i}") for i in range(300)]
    by_score = {f.accounts for f in BASELINES["volume"](steady + burst + others)}
    assert by_score == {frozenset({"burst"}), frozenset({"steady", "burst"})}


def test_exact_duplicates_find_the_copiers_alone(rows: Rows) -> None:
    assert [f.accounts for f in BASELINES["exact"](rows)] == [COPIERS]


def test_a_text_of_nine_accounts_is_no_finding() -> None:
    assert BASELINES["exact"]([row(f"a{i % 9}", i, "the same few words") for i in range(90)]) == []


def test_exact_duplicates_see_the_words_that_were_asked() -> None:
    plain = [row(f"a{i}", i, "Say the same few words") for i in range(5)]
    chat = [
        row(f"b{i}", i, [{"role": "user", "content": "say the same"}, {"role": "assistant", "content": f"{i}"},
                         {"role": "user", "content": "few\u200b words"}])
        for i in range(5)
    ]  # fmt: skip
    (found,) = BASELINES["exact"](plain + chat)
    assert len(found.accounts) == 10


def test_near_duplicates_find_copies_with_a_word_changed_but_no_sweep(rows: Rows) -> None:
    found = BASELINES["minhash"](rows)
    assert [f.accounts for f in found] == [COPIERS | REWORDERS]


def test_clusters_of_vectors_find_the_sweep_but_no_verbatim_copies(rows: Rows) -> None:
    found = BASELINES["hdbscan"](rows)
    assert finds(found, SWEEPERS)
    assert not any(f.accounts >= COPIERS and len(f.accounts) < 100 for f in found)


def test_clusters_are_of_a_sample_where_texts_are_many(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    found_by = clusters._clusters

    def counted(points: Any, size: int) -> Any:
        seen.append(len(points))
        return found_by(points, size)

    monkeypatch.setattr(clusters, "HDBSCAN_TEXTS", 400)
    monkeypatch.setattr(clusters, "_clusters", counted)
    BASELINES["hdbscan"](rows)
    assert seen == [400]


def test_windows_of_accounts_that_began_together_find_the_sweep_but_no_copies(rows: Rows) -> None:
    found = BASELINES["mmd"](rows)
    assert finds(found, SWEEPERS)
    assert not finds(found, COPIERS)


def test_windows_do_not_see_a_sweep_by_accounts_that_began_apart() -> None:
    rng = random.Random(1)
    apart = [
        {**r, "timestamp": START + rng.randrange(20 * DAY)} if r["account"] in SWEEPERS else r for r in dump()
    ]  # fmt: skip
    assert not finds(BASELINES["mmd"](apart), SWEEPERS)


def test_similar_pairs_find_the_sweepers_but_nobody_who_sent_one_copy(rows: Rows) -> None:
    small, counts = [], dict.fromkeys(sorted(SWEEPERS)[:20], 5)
    for r in rows:
        if r["account"] in SWEEPERS:
            counts[r["account"]] = counts.get(r["account"], 0) - 1
        if counts.get(r["account"], 0) >= 0:
            small.append(r)
    found = BASELINES["seat"](small)
    assert frozenset(sorted(SWEEPERS)[:20]) in {f.accounts for f in found}
    assert not any(f.accounts & (COPIERS | REWORDERS) for f in found)
    assert len(people(found)) < 25


def test_a_limit_set_on_the_dump_hides_a_campaign_that_is_an_eighth_of_it(rows: Rows) -> None:
    assert sum(r["account"] in SWEEPERS for r in rows) * 8 > len(rows)
    assert not finds(BASELINES["seat"](rows), SWEEPERS)


def test_flagged_accounts_with_subjects_of_their_own_are_not_linked() -> None:
    """Each asks one thing over and over, no two the same."""
    rng = random.Random(2)
    alone = [
        row(f"own{i:02}", k, f"{subject} {rng.choice(WORDS)}")
        for i in range(12)
        for subject in [" ".join(WORDS[i * 8 : i * 8 + 8])]
        for k in range(8)
    ]
    others = [r for r in dump() if r["account"].startswith("person")]
    (found,) = BASELINES["seat"](alone + others)
    assert found.accounts >= {f"own{i:02}" for i in range(12)}


class _Umap:
    """A stand-in that records how it is called and keeps the leading directions."""

    asked: dict[str, Any]

    def __init__(self, **asked: Any) -> None:
        type(self).asked = asked

    def fit_transform(self, vectors: Any) -> Any:
        return clusters._principal(vectors, self.asked["n_components"])


def test_topics_need_umap_and_run_it_as_bertopic_does(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("umap")
    module.__spec__ = ModuleSpec("umap", None)
    monkeypatch.setattr(module, "UMAP", _Umap, raising=False)
    monkeypatch.setitem(sys.modules, "umap", module)
    vectors = traffic.vectors_of
    monkeypatch.setattr(traffic, "vectors_of", lambda texts, view: vectors(texts, "wording"))
    assert BASELINES["bertopic"].available()
    found = BASELINES["bertopic"](rows, seed=3)
    assert finds(found, SWEEPERS)
    defaults = {"n_neighbors": 15, "n_components": 5, "min_dist": 0.0, "metric": "cosine"}
    assert _Umap.asked == {**defaults, "random_state": 3, "n_jobs": 1}


def test_a_baseline_that_lacks_a_module_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "umap" else find_spec(name))
    assert not BASELINES["bertopic"].available()
    with pytest.raises(UsageError, match="bertopic needs umap"):
        BASELINES["bertopic"]([row("a", 0, "words")])
    assert all(b.available() for name, b in BASELINES.items() if name != "bertopic")


# ---------------------------------------------------------------- all of them

RUNNABLE = sorted(set(BASELINES) - {"bertopic"})


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_order_of_rows_and_the_kind_of_time_change_nothing(name: str, rows: Rows) -> None:
    from datetime import UTC, datetime

    other = [{**r, "timestamp": datetime.fromtimestamp(r["timestamp"], UTC).isoformat()} for r in rows]
    random.Random(9).shuffle(other)
    found = BASELINES[name](rows, seed=4)
    assert found == BASELINES[name](other, seed=4)
    assert found == sorted(found, key=lambda f: (-f.score, f.campaign_id))
    assert len({f.campaign_id for f in found}) == len(found)
    assert all(f.tier == "review" and f.recommended == f.accounts and f.score > 0 for f in found)


@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize(
    "few",
    [
        [],
        [row("a", 0, "one text")],
        [row("a", 0, "one text"), row("b", 0, "another text")],
        [{"account": "a"}, {"prompt": "words", "timestamp": "never"}, row("a", 0, []), row("a", 0, "  ")],
        [{"account": i % 3, "prompt": f"text {i}"} for i in range(30)],
    ],
)
def test_little_or_broken_traffic_is_no_error(name: str, few: Rows) -> None:
    found = BASELINES[name](few)
    assert all(f.accounts <= {str(r.get("account")) for r in few} for f in found)


def test_the_box_is_keyed_by_name() -> None:
    assert [b.name for b in BASELINES.values()] == list(BASELINES)
    assert set(BASELINES) == {"volume", "exact", "minhash", "hdbscan", "bertopic", "mmd", "seat"}


# ---------------------------------------------------------------- MinHash against sets


def shingle_set(text: str) -> frozenset[tuple[str, ...]]:
    words = text.split() + [""] * (3 - len(text.split()))
    return frozenset(tuple(words[i : i + 3]) for i in range(len(words) - 2))


def jaccard(a: str, b: str) -> float:
    left, right = shingle_set(a), shingle_set(b)
    return len(left & right) / len(left | right)


few_words = st.lists(st.sampled_from("abcd"), min_size=1, max_size=14).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(few_words, min_size=1, max_size=8, unique=True))
def test_shingles_are_the_distinct_triples_of_each_text(texts: list[str]) -> None:
    bounds, shingle = duplicates._shingles(texts)
    sets = [set(shingle[bounds[i] : bounds[i + 1]].tolist()) for i in range(len(texts))]
    assert [len(s) for s in sets] == [len(shingle_set(t)) for t in texts] == np.diff(bounds).tolist()
    for i, a in enumerate(texts):
        for j, b in enumerate(texts):
            assert len(sets[i] & sets[j]) == len(shingle_set(a) & shingle_set(b))


@settings(max_examples=60, deadline=None)
@given(st.lists(few_words, min_size=1, max_size=6, unique=True), st.integers(0, 1_000))
def test_near_duplicates_are_components_of_the_true_similarity(texts: list[str], seed: int) -> None:
    """Each text is sent by twelve accounts of its own, so a component shows as the union of its senders."""
    rows = [row(f"{t}-{i}", 0, text) for t, text in enumerate(texts) for i in range(12)]
    found = [{int(a.split("-")[0]) for a in f.accounts} for f in BASELINES["minhash"](rows, seed=seed)]
    assert sorted(t for group in found for t in group) == list(range(len(texts)))
    for group in found:
        reached = {min(group)}
        while more := {t for t in group - reached if any(jaccard(texts[t], texts[r]) >= 0.7 for r in reached)}:
            reached |= more
        assert reached == group
    for i, a in enumerate(texts):
        for j, b in enumerate(texts):
            if jaccard(a, b) >= 0.9:
                assert any({i, j} <= group for group in found)


def test_agreement_of_signatures_estimates_the_similarity() -> None:
    rng = random.Random(5)
    base = [rng.choice(WORDS) for _ in range(400)]
    texts = [" ".join(base), " ".join(base[:300] + [rng.choice(WORDS) for _ in range(100)])]
    signature = duplicates._signatures(*duplicates._shingles(texts), seed=1)
    assert abs(float((signature[0] == signature[1]).mean()) - jaccard(*texts)) < 0.2


# ---------------------------------------------------------------- the original protocol of MMD


def test_the_random_features_give_the_kernel(rows: Rows) -> None:
    texts = tuple(sorted({r["prompt"] for r in rows}))[:300]
    vectors = traffic.vectors_of(texts, "wording")
    feature = windows._features(vectors, np.random.default_rng(0))
    squared = np.clip(2 - 2 * vectors @ vectors.T, 0, None)
    width = np.median(np.sqrt(squared[np.triu_indices(len(texts), 1)]))
    assert np.abs(feature @ feature.T - np.exp(-squared / (2 * width**2))).mean() < 0.1


def test_windows_are_flagged_the_more_the_larger_the_share(rows: Rows) -> None:
    benign = [r["prompt"] for r in rows if r["account"].startswith("person")]
    attack = [r["prompt"] for r in rows if r["account"] in SWEEPERS]
    rates = [window_detection_rate(benign, attack, share=s, window=100, windows=150) for s in (0.0, 0.02, 0.3, 1.0)]
    assert [r.detected for r in rates[2:]] == [1.0, 1.0]
    assert rates[0].detected < 0.1
    assert rates[1].detected < 0.5
    assert all(r.false_alarms < 0.1 for r in rates)
    assert (rates[0].window, rates[0].share, rates[0].windows) == (100, 0.0, 150)


@pytest.mark.parametrize(("benign", "share"), [(299, 0.5), (400, 1.5), (400, -0.1)])
def test_a_protocol_that_cannot_be_run_is_refused(benign: int, share: float) -> None:
    with pytest.raises(UsageError, match="300 benign texts"):
        window_detection_rate([f"text {i}" for i in range(benign)], ["attack"], share=share, window=100)
