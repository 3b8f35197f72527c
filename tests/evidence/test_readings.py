"""Readings: each on a case made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harvestdetect.data import NO_TIME
from harvestdetect.evidence.comparison import volumes_of
from harvestdetect.evidence.explanations import ExplanationInputs
from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.readings import (
    ACCOUNTS,
    CHANCE,
    NEXT_TO_NONE,
    READINGS,
    SUBJECTS,
    ReadingInputs,
    readings_of,
)
from harvestdetect.evidence.work_list import OwnSubjects, own_excess
from harvestdetect.util.amounts import FEW
from harvestdetect.util.arrays import Ints, Vectors

TAKE = {reading.id: reading.take for reading in READINGS}
EXPLAINED: dict[str, Any] = {
    "copies": 0.25,
    "texts": 30,
    "follow_ups": False,
    "counts": np.array([1, 1, 2, 4, 8], np.int32),
    "load_ratio": 0.5,
    "own_subjects": OwnSubjects(deviations=4.0, of_usual=0.6),
    "templated": True,
    "several": 0.75,
    "median_words": 31.0,
    "days": 7.0,
    "in_common": 0.5,
    "shares": {"org": 0.8, "network": 0.2},
    "known_as": None,
}


def inputs(
    *,
    sent: Any = (10, 10, 10, 10),
    accounts: Any = (0, 1),
    prompts: int = 4,
    account: Any = (0, 0, 1, 1),
    time: Any = None,
    period: tuple[float, float] | None = (0.0, 1_000.0),
    harvest_prompts: Any = (2, 2),
    vectors: Vectors | None = None,
    cluster: Any = None,
    groups: Any = None,
    texts: list[str] | None = None,
    follows: Any = None,
    sentences: Sequence[Sequence[int]] | None = None,
    senders: Any = (),
    **explained: Any,
) -> ReadingInputs:
    """Of a candidate whose prompts are the first of the dump, and follow others if these are given."""
    count = len(account)
    said = [f"w{i % 64}" for i in range(count)] if texts is None else texts
    campaign = SimpleNamespace(
        accounts=np.array(accounts, np.int32),
        prompts=np.arange(prompts, dtype=np.int32),
        prompt_cluster=np.zeros(prompts, np.int32) if cluster is None else np.array(cluster, np.int32),
        harvest_prompts=np.array(harvest_prompts, np.int32),
    )
    columns = SimpleNamespace(
        time=np.full(count, NO_TIME) if time is None else np.array(time, np.int64),
        account=np.array(account, np.int32),
        accounts=[f"a{i}" for i in range(max(account) + 1)],
    )
    own = [[]] * count if sentences is None else sentences
    context: Any = SimpleNamespace(
        comparison=SimpleNamespace(
            sent=np.array(sent, np.int64), volumes=volumes_of(np.array(sent, np.int64)), period=period
        ),
        scan=SimpleNamespace(
            corpus=SimpleNamespace(
                prompts=columns,
                text=SimpleNamespace(take=lambda rows: [said[i] for i in rows]),
                senders=np.array(senders, np.int32),
            ),
            sentences=SimpleNamespace(
                start=np.cumsum([0, *map(len, own)]), segment=np.array([s for one in own for s in one], np.int32)
            ),
            parts=SimpleNamespace(start=np.arange(count + 1), segment=np.arange(count, dtype=np.int32)),
            encode=counted,
            vectors=np.zeros((count, 4), np.float32) if vectors is None else vectors,
        ),
    )
    candidate: Any = SimpleNamespace(
        whole=campaign,
        trimmed=campaign,
        item_groups=groups,
        follows=follows,
        items=campaign.prompts if follows is None else np.array(follows, np.int32),
    )
    return ReadingInputs(
        candidate=candidate, context=context, explained=ExplanationInputs(**{**EXPLAINED, **explained})
    )


def taken(id_: str, **values: Any) -> float | None:
    return TAKE[id_](inputs(**values))


# ---------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("senders", "share"),
    [
        ((40, 1, 1, 1, 1), 0.0),  # a popular template, and questions of their own
        ((40, 30, 30, 1, 1), 0.1),  # one question of an account, and one of another, are popular too
        ((40, 2, 2, 2, 2), 0.0),  # one other account sends each: half of the senders
        ((40, 3, 3, 3, 3), 0.2),
    ],
)
def test_sentences_of_others_count_except_what_the_group_has_in_common(senders: tuple[int, ...], share: float) -> None:
    """Twenty accounts with one prompt each: the first four have a question that some others may send, too."""
    sentences = [[0, min(i + 1, 5)] if i < 4 else [0] for i in range(20)]
    given = {"account": range(20), "accounts": range(20), "prompts": 20, "harvest_prompts": [1] * 20}
    found = taken("passing_sentences", sentences=sentences, senders=senders, **given)
    assert found == pytest.approx(share)


def test_prompts_without_sentences_have_none_of_others() -> None:
    assert taken("passing_sentences") == 0
    assert taken("passing_sentences", prompts=0) is None


def test_copies_and_prompts_in_common_count_on_a_logarithmic_scale() -> None:
    assert taken("copies") == pytest.approx(-2)
    assert taken("in_common") == pytest.approx(-1)
    for few in (0.0, FEW / 2, FEW):
        assert taken("copies", copies=few) == taken("in_common", in_common=few) == pytest.approx(np.log2(FEW))


def test_words_and_the_template() -> None:
    assert taken("words") == pytest.approx(5)
    assert taken("words", median_words=0.0) == 0
    assert (taken("template"), taken("template", templated=False)) == (1.0, 0.0)


def test_follow_ups_are_compared_by_what_they_follow_and_their_length_says_nothing() -> None:
    account = np.repeat(np.arange(30), 8)
    shared, dealt = (
        taken("near_copies", account=account, prompts=2, follows=np.arange(240),
              vectors=near(account, items, own=0.0, subject_weight=6.0))
        for items in (np.tile(np.arange(8), 30), np.arange(240))
    )  # fmt: skip
    assert shared is not None
    assert dealt is not None
    assert shared < -2 < dealt
    assert taken("words", follows=[0, 1]) is None


@pytest.mark.parametrize("cluster", [1, 2])
def test_a_class_sends_near_copies_and_a_campaign_does_not(cluster: int) -> None:
    groups = linked(30, 8)
    exercises = np.tile(np.arange(8), 30)
    shared, dealt = (
        taken("near_copies", prompts=240, account=groups.member, groups=groups, cluster=exercises % cluster,
              vectors=near(groups.member, items, own=0.0, subject_weight=6.0))
        for items in (exercises, np.arange(240))
    )  # fmt: skip
    assert shared is not None
    assert dealt is not None
    assert shared < -3 < -1.5 < dealt < 0


def test_the_same_text_from_all_is_a_copy_and_too_few_prompts_say_nothing() -> None:
    groups = linked(30, 1)
    same = np.tile(np.array([[1.0, 0.0]], np.float32), (30, 1))
    copied = taken("near_copies", prompts=30, account=groups.member, groups=groups, vectors=same)
    assert copied == pytest.approx(np.log2(NEXT_TO_NONE))
    few = linked(MIN_COMPARED - 1, 1)
    assert taken("near_copies", prompts=19, account=few.member, groups=few, vectors=same) is None
    one = linked(1, MIN_COMPARED)
    assert taken("near_copies", prompts=MIN_COMPARED, account=one.member, groups=one, vectors=same) is None


# ---------------------------------------------------------------- structure


def test_an_even_load_is_low() -> None:
    assert taken("load", load_ratio=1.0) == pytest.approx(np.log2(1 + NEXT_TO_NONE))
    assert taken("load", load_ratio=0.0) == pytest.approx(np.log2(NEXT_TO_NONE))


def test_the_spread_of_the_share_of_traffic_is_an_interquartile_range() -> None:
    many = 1_000_000
    shares = np.array((0.1, 0.2, 0.3, 0.4, 0.5))
    assert spread_of(shares * many, [many] * 5) == pytest.approx(0.2, rel=1e-4)
    assert spread_of([4, 4, 4], [10, 10, 10]) == 0
    assert taken("uneven_share", accounts=(), harvest_prompts=()) is None


def test_the_share_of_accounts_with_few_prompts_is_drawn_towards_the_usual_one() -> None:
    # two of three send one prompt elsewhere
    few, many = spread_of([1] * 20 + [2] * 10, [2] * 20 + [2] * 10), spread_of([50] * 20 + [100] * 10, [100] * 30)
    assert few is not None
    assert many is not None
    assert 0 < few < 0.2 < 0.45 < many < 0.5


def spread_of(inside: Any, sent: Any) -> float | None:
    """The spread, given how many prompts each account sent in the candidate and in all."""
    prompts = int(np.sum(inside))
    return taken(
        "uneven_share", sent=np.array(sent), accounts=range(len(sent)), harvest_prompts=inside, prompts=prompts,
        account=np.zeros(1, np.int32),
    )  # fmt: skip


@pytest.mark.parametrize(("deviations", "shared"), [(4.0, 0.0), (-3.0, 3.0 - CHANCE), (-CHANCE, 0.0), (0.0, 0.0)])
def test_only_less_alike_than_a_shuffle_are_shared_items(deviations: float, shared: float) -> None:
    found = OwnSubjects(deviations=deviations, of_usual=0.3)
    assert taken("shared_items", own_subjects=found) == shared


def test_the_busiest_accounts_are_compared_with_an_even_share() -> None:
    assert taken("busiest", counts=np.full(9, 4, np.int32)) == pytest.approx(0)
    assert taken("busiest", counts=np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 96, 96, 96], np.int32)) == (
        pytest.approx(np.log2(96 / 20))
    )


def test_a_random_part_of_all_traffic_is_near_itself_and_chosen_accounts_are_far() -> None:
    rng = np.random.default_rng(0)
    sent = rng.integers(1, 200, 400)
    dealt = np.sort(rng.choice(np.repeat(np.arange(400), sent), 300, replace=False))
    random = taken("not_thinned", sent=sent, accounts=np.unique(dealt), prompts=300, account=dealt)
    assert random is not None
    assert 0 <= random < 0.3
    few = taken("not_thinned", sent=sent, accounts=np.arange(20), prompts=300, account=dealt)
    quiet = taken("not_thinned", sent=sent, accounts=np.argsort(sent)[:200], prompts=300, account=dealt)
    assert few is not None
    assert few > 2
    assert quiet is not None
    assert quiet > 0.8
    assert taken("not_thinned", sent=(0, 0)) is None


def test_accounts_that_sent_as_much_are_counted_together() -> None:
    sent = np.random.default_rng(1).integers(0, 9, 500)
    members = np.flatnonzero(sent > 5)
    share = sent[sent > 0] / sent.sum()
    chance = 1 - (1 - share) ** 40
    more = np.log2(len(members) / chance.sum())
    busier = np.log2(sent[members]).mean() - (np.log2(sent[sent > 0]) * chance).sum() / chance.sum()
    account = np.repeat(members, 40)[:40]
    found = taken("not_thinned", sent=sent, accounts=members, prompts=40, account=account)
    assert found == pytest.approx(np.hypot(more, busier))


def linked(count: int, each: int) -> Any:
    """Groups of a candidate of ``count`` accounts with ``each`` prompts, the first of the dump."""
    return SimpleNamespace(own=np.arange(count * each), member=np.repeat(np.arange(count), each))


def different(member: Ints, *, own: bool) -> list[str]:
    """Texts of four words from a vocabulary of ``w0`` to ``w63``: an eighth of it for each account, or all of it."""
    rng = np.random.default_rng(1)
    fields = [rng.choice(64, 8 if own else 64, replace=False) for _ in range(int(member.max()) + 1)]
    return [" ".join(f"w{i}" for i in rng.choice(fields[m], 4, replace=False)) for m in member.tolist()]


def counted(texts: list[str]) -> Vectors:
    """float32[t, 64]: which of these words each text has."""
    return np.array([[f"w{i}" in text.split() for i in range(64)] for text in texts], np.float32)


def near(member: Ints, subject: Ints, *, own: float, subject_weight: float = 3.0, seed: int = 0) -> Vectors:
    """float32[t, d]: prompts near their subject, and by ``own`` near their account."""
    rng = np.random.default_rng(seed)
    centres, people = rng.standard_normal((subject.max() + 1, 32)), rng.standard_normal((member.max() + 1, 32))
    rows = subject_weight * centres[subject] + own * people[member] + rng.standard_normal((len(member), 32))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_what_is_dealt_in_one_view_is_no_account_s_own() -> None:
    groups = linked(24, 10)
    template, language = groups.member % 4, groups.member % SUBJECTS
    for cluster, subject in ((template, template), (None, language)):
        dealt, owned = (
            taken("own_data", prompts=240, account=groups.member, groups=groups, cluster=cluster,
                  vectors=near(groups.member, subject, own=own), texts=different(groups.member, own=own > 0))
            for own in (0.0, 2.0)
        )  # fmt: skip
        assert dealt is not None
        assert owned is not None
        assert 0 <= dealt < 0.05 < owned


def test_wordings_of_the_accounts_own_before_items_that_are_dealt_are_nobody_s_data() -> None:
    groups = linked(24, 10)
    alike = near(groups.member, groups.member, own=2.0)
    dealt, owned = (
        taken("own_data", prompts=240, account=groups.member, groups=groups, vectors=alike,
              texts=different(groups.member, own=own))
        for own in (False, True)
    )  # fmt: skip
    assert dealt is not None
    assert owned is not None
    assert dealt < 0.05 < 0.1 < owned


def test_accounts_that_work_through_one_list_are_no_more_like_a_campaign_for_that() -> None:
    groups = linked(30, 8)
    item = np.tile(np.arange(8), 30)
    vectors = near(groups.member, item, own=0.0, subject_weight=6.0)
    assert own_excess(vectors, groups.own, groups.member, item * 0) < -0.05  # type: ignore[operator]
    assert taken("own_data", prompts=240, account=groups.member, groups=groups, vectors=vectors) == 0
    assert taken("own_data") is None


def test_the_accounts_own_data_are_read_without_other_accounts_too() -> None:
    groups = linked(24, 10)
    with_groups, without = (
        taken(
            "own_data", prompts=240, account=groups.member, groups=some,
            vectors=near(groups.member, groups.member, own=2.0), texts=different(groups.member, own=True),
        )
        for some in (groups, None)
    )  # fmt: skip
    assert without is not None
    assert without == pytest.approx(with_groups)


def test_too_few_pairs_of_prompts_say_nothing_of_one_s_own() -> None:
    member = np.array([0, 0, 1, 1])
    vectors = near(member, member, own=1.0)
    assert own_excess(vectors, np.arange(4), member, np.zeros(4, np.int32)) is None
    pairs = 2 * MIN_COMPARED
    member = np.repeat(np.arange(pairs // 2), 2)
    assert own_excess(near(member, member * 0, own=1.0), np.arange(pairs), member, member * 0) is not None


def test_prompts_with_one_vector_say_nothing_of_one_s_own() -> None:
    member = np.repeat(np.arange(60), 4)
    same = np.tile(near(member[:1], member[:1], own=1.0), (len(member), 1))
    assert own_excess(same, np.arange(len(member)), member, member * 0) is None
    # beside a template whose prompts vary, they do not count
    varied = near(member, member, own=2.0)
    both = own_excess(
        np.concatenate((same, varied)), np.argsort(np.tile(member, 2), kind="stable"), np.sort(np.tile(member, 2)),
        np.repeat([0, 1], len(member))[np.argsort(np.tile(member, 2), kind="stable")],
    )  # fmt: skip
    assert both == own_excess(varied, np.arange(len(member)), member, member * 0)


# ---------------------------------------------------------------- time


def test_days() -> None:
    month = (0.0, 31.0 * 86_400)
    assert taken("days", period=month) == pytest.approx(-2)
    assert taken("days", period=month, days=0.0) == pytest.approx(-5)
    assert taken("days", period=month, days=40.0) == 0
    assert taken("days", period=month, days=None) is None
    assert taken("days", period=None) is None


# ---------------------------------------------------------------- infrastructure


def test_how_far_accounts_gather_does_not_depend_on_their_number() -> None:
    # the three commonest of ten organisations have at least three of ten accounts
    assert taken("one_organisation", accounts=range(10), shares={"org": 0.3}) == pytest.approx(0)
    assert taken("one_organisation", accounts=range(10), shares={"org": 1.0}) == pytest.approx(1)
    assert taken("one_organisation", accounts=range(10), shares={"org": 0.65}) == pytest.approx(0.5)
    assert taken("one_organisation", accounts=range(3), shares={"org": 1.0}) is None
    assert taken("one_network", accounts=range(10), shares={"network": 0.1}) == pytest.approx(0)
    assert taken("one_network", accounts=range(10), shares={"network": 0.55}) == pytest.approx(0.5)
    for id_ in ("one_organisation", "one_network"):
        assert taken(id_, shares={}) is None


# ---------------------------------------------------------------- all of them


def test_what_cannot_be_taken_is_left_out() -> None:
    nothing = inputs(own_subjects=None, several=None, days=None, shares={})
    found = readings_of(nothing)
    assert set(found) == {
        ACCOUNTS,
        "copies",
        "in_common",
        "words",
        "passing_sentences",
        "template",
        "load",
        "uneven_share",
        "few",
        "busiest",
        "not_thinned",
    }
    assert all(isinstance(value, float) for value in found.values())
    assert set(readings_of(nothing, leave_out=("text", "structure"))) == {ACCOUNTS}
    text = {"copies", "in_common", "words", "passing_sentences", "template"}
    assert set(readings_of(nothing, leave_out=("structure",))) == {ACCOUNTS, *text}


def test_a_reading_that_is_no_number_is_left_out() -> None:
    found = readings_of(inputs(load_ratio=float("nan"), median_words=float("inf")))
    assert not {"load", "words"} & set(found)
    assert "copies" in found
