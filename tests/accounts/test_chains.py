"""Groups that continue one another over time."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harvestdetect.accounts import succession
from harvestdetect.accounts.chains import SUCCESSION, chains, is_short_chain
from harvestdetect.accounts.pieces import Periods, Piece, distinct, periods_of, pieces_of
from harvestdetect.accounts.succession import chained
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import NO_TIME, Campaign

DAY = 86_400
DAYS = 40
ACCOUNTS = 6
EACH = 8


@dataclass
class Row:
    account: int
    day: float
    text: str
    group: int


class Groups:
    """Made-up groups, their accounts and requests."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.rows: list[Row] = []
        self.accounts = 0
        self.count = 0

    def words(self, subject: int, count: int) -> str:
        """Words of a subject, of which it has 200."""
        return " ".join(f"s{subject}w{i}" for i in self.rng.integers(0, 200, count))

    def add(
        self, subject: int | None, first: float, last: float, *, template: str = "", copies: bool = False,
        accounts: list[int] | None = None,
    ) -> list[int]:  # fmt: skip
        """Adds a group that asks about a subject from one day to another; None is a subject of each account's own."""
        mine = accounts or list(range(self.accounts, self.accounts + ACCOUNTS))
        self.accounts = max(self.accounts, max(mine) + 1)
        shared = [self.words(subject or 0, 20) for _ in range(EACH)]
        for account in mine:
            about = 1_000 + account if subject is None else subject
            for number in range(EACH):
                text = shared[number] if copies else self.words(about, 20)
                day = first + (last - first) * self.rng.random()
                self.rows.append(Row(account, day, f"{template} {text}", self.count))
        self.count += 1
        return mine

    def background(self, groups: int = 40) -> None:
        """Groups with a subject of their own that were active all the time."""
        for number in range(groups):
            self.add(100 + number, 0, DAYS)

    def built(
        self, order: np.ndarray[Any, np.dtype[np.int64]] | None = None
    ) -> tuple[list[Piece], Any, PromptSegments]:
        """The groups as pieces, with the corpus; ``order`` is that of the rows before they are sorted."""
        rows = self.rows if order is None else [self.rows[i] for i in order]
        rows = sorted(rows, key=lambda row: (row.account, row.day, row.text))
        account = np.array([row.account for row in rows], np.int32)
        texts = sorted({row.text for row in rows})
        place = {text: i for i, text in enumerate(texts)}
        prompts = SimpleNamespace(
            account=account,
            time=np.array([int(row.day * DAY) for row in rows], np.int64) + 1_772_323_200,
            accounts=list(range(self.accounts)),
        )
        corpus = SimpleNamespace(prompts=prompts, text=SimpleNamespace(take=lambda index: [texts[i] for i in index]))
        parts = PromptSegments(
            start=np.arange(len(rows) + 1, dtype=np.int64),
            segment=np.array([place[row.text] for row in rows], np.int32),
        )
        pieces = []
        for group in range(self.count):
            mine = np.array([i for i, row in enumerate(rows) if row.group == group], np.int32)
            pieces.append(Piece(np.unique(account[mine]), mine))
        return pieces, corpus, parts

    def chains(self, order: np.ndarray[Any, np.dtype[np.int64]] | None = None) -> list[list[int]]:
        pieces, corpus, parts = self.built(order)
        return [chain.pieces for chain in chained(pieces, corpus, parts, seed=0)]


def rotation(seed: int = 0, *, generations: int = 6) -> Groups:
    """A campaign of one subject that changes accounts and template every three days, among other groups."""
    found = Groups(seed)
    for n in range(generations):
        found.add(1, 3 * n, 3 * n + 3, template=f"t{n}a t{n}b t{n}c t{n}d")
    found.background()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_pieces_with_other_accounts_and_templates_are_one_chain(seed: int) -> None:
    assert rotation(seed).chains() == [[0, 1, 2, 3, 4, 5]]


def test_a_chain_knows_its_generations() -> None:
    groups = rotation()
    groups.add(1, 3, 6, template="t9a t9b")  # at the same time as another piece
    pieces, corpus, parts = groups.built()
    (chain,) = chained(pieces, corpus, parts, seed=0)
    assert len(chain.pieces) == 7
    assert chain.generations == 6


@pytest.mark.parametrize(("ways", "generations", "short"), [
    (("texts", "succession"), 1, True), (("accounts", "succession"), 2, True), (("texts", "succession"), 3, False),
    (("texts",), 0, False),
])  # fmt: skip
def test_a_short_chain_may_be_several_campaigns(ways: tuple[str, ...], generations: int, short: bool) -> None:
    campaign: Any = SimpleNamespace(ways=ways, generations=generations)
    assert is_short_chain(campaign) == short


@pytest.mark.parametrize(
    ("days", "accounts", "times", "linked"),
    [(3, 6, 1, True), (9, 6, 1, False), (3, 18, 1, False), (9, 18, 1, True), (3, 6, 3, False)],
)
def test_only_pieces_of_one_scale_continue_each_other(days: int, accounts: int, times: int, linked: bool) -> None:
    groups = Groups()
    groups.add(1, 0, 3, template="t0a t0b")
    for _ in range(times):  # each time as many requests of the same accounts
        groups.add(1, 3, 3 + days, template="t1a t1b", accounts=list(range(ACCOUNTS, ACCOUNTS + accounts)))
    for row in groups.rows:
        row.group = min(row.group, 1)
    groups.count = 2
    groups.background()
    assert groups.chains() == ([[0, 1]] if linked else [])


def test_the_order_of_rows_does_not_matter() -> None:
    groups = rotation()
    order = np.random.default_rng(5).permutation(len(groups.rows))
    assert groups.chains(order) == groups.chains()


def test_pieces_of_one_period_are_no_chain() -> None:
    groups = Groups()
    for generation in range(6):
        groups.add(1, 6, 9, template=f"t{generation}a t{generation}b")
    groups.background()
    assert groups.chains() == []


def test_pieces_far_apart_are_no_chain() -> None:
    groups = Groups()
    groups.add(1, 0, 3)
    groups.add(1, 30, 33)
    groups.background()
    assert groups.chains() == []


def test_pieces_with_the_same_accounts_are_no_chain() -> None:
    groups = Groups()
    mine = groups.add(1, 0, 3, template="t1a t1b")
    groups.add(1, 3, 6, template="t2a t2b", accounts=mine)
    groups.background()
    assert groups.chains() == []


@pytest.mark.parametrize("seed", range(4))
def test_groups_with_other_subjects_that_follow_one_another_are_no_chain(seed: int) -> None:
    groups = Groups(seed)
    for generation in range(8):
        groups.add(20 + generation, 3 * generation, 3 * generation + 3, template="the same framework for all of them")
    groups.background()
    assert groups.chains() == []


def test_a_template_alone_links_nothing() -> None:
    groups = Groups()
    for n in range(8):
        groups.add(None, 3 * n, 3 * n + 3, template="answer the question about this in one short sentence")
    groups.background()
    assert groups.chains() == []


def test_classes_with_one_list_are_no_chain() -> None:
    groups = Groups()
    for generation in range(6):
        groups.rng = np.random.default_rng(7)
        groups.add(1, 3 * generation, 3 * generation + 3, copies=True)
    groups.background()
    assert groups.chains() == []


def test_long_groups_are_no_pieces() -> None:
    groups = Groups()
    groups.add(1, 0, 20)
    groups.add(1, 20, 40)
    groups.background()
    assert groups.chains() == []


def test_accounts_with_one_request_each_are_no_pieces() -> None:
    groups = rotation()
    for row in groups.rows:
        if row.group < 6:
            row.account = groups.accounts = groups.accounts + 1
    groups.accounts += 1
    assert groups.chains() == []


def test_two_groups_of_the_same_accounts_connect_a_chain() -> None:
    groups = Groups()
    first = groups.add(1, 0, 3, template="t0a t0b")
    second = groups.add(1, 3, 6, template="t1a t1b")
    groups.add(2, 3, 6, template="t1c t1d", accounts=second)
    third = groups.add(2, 6, 9, template="t2a t2b")
    groups.background()
    pieces, corpus, parts = groups.built()
    found = chained(pieces, corpus, parts, seed=0)
    assert [np.unique(np.concatenate([pieces[i].accounts for i in chain.pieces])).tolist() for chain in found] == [
        [*first, *second, *third]
    ]


@pytest.mark.parametrize("size", [1, 3])
def test_pieces_that_are_compared_in_blocks_give_the_same_chains(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces, corpus, parts = rotation().built()
    whole = chained(pieces, corpus, parts, seed=0)
    assert whole
    monkeypatch.setattr(succession, "PIECES_AT_ONCE", size)
    assert chained(pieces, corpus, parts, seed=0) == whole


def test_no_times_no_chain() -> None:
    pieces, corpus, parts = rotation().built()
    corpus.prompts.time[:] = NO_TIME
    assert chained(pieces, corpus, parts, seed=0) == []
    assert [pieces_of(piece, corpus.prompts) for piece in pieces] == [[piece] for piece in pieces]


def test_no_groups_no_chain() -> None:
    _, corpus, parts = rotation().built()
    assert chained([], corpus, parts, seed=0) == []
    assert distinct([], 10) == []


def test_a_group_that_was_active_in_parts_is_several_pieces() -> None:
    groups = Groups()
    first = groups.add(1, 0, 3)
    second = groups.add(1, 20, 23)
    groups.add(2, 0, DAYS, accounts=list(range(12, 24)))
    pieces, corpus, _ = groups.built()
    whole = Piece(np.arange(12, dtype=np.int32), np.sort(np.concatenate([pieces[0].prompts, pieces[1].prompts])))
    parts = pieces_of(whole, corpus.prompts)
    assert [part.accounts.tolist() for part in parts] == [first, second]
    assert [part.prompts.tolist() for part in parts] == [pieces[0].prompts.tolist(), pieces[1].prompts.tolist()]
    assert len(pieces_of(pieces[2], corpus.prompts)) == 1


def test_accounts_that_come_at_random_are_not_divided() -> None:
    divided = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        account = np.repeat(np.arange(20, dtype=np.int32), 3)
        time = np.sort(np.repeat(rng.integers(0, DAYS * DAY, 20), 3))
        group = Piece(np.arange(20, dtype=np.int32), np.arange(60, dtype=np.int32))
        divided += len(pieces_of(group, SimpleNamespace(account=account, time=time))) > 1  # type: ignore[arg-type]
    assert divided <= 3


def test_distinct_keeps_the_earlier_of_two_equal_groups() -> None:
    one = Piece(np.arange(5, dtype=np.int32), np.arange(50, dtype=np.int32))
    nearly = Piece(np.arange(5, dtype=np.int32), np.arange(49, dtype=np.int32))
    part = Piece(np.arange(5, dtype=np.int32), np.arange(20, dtype=np.int32))
    assert distinct([one, nearly, part], 50) == [0, 2]


def test_links_of_random_likeness_are_rare() -> None:
    rng = np.random.default_rng(0)
    worlds = 0
    for _ in range(200):
        likeness = rng.random((40, 40))
        likeness = likeness + likeness.T
        follows = np.zeros((40, 40), bool)
        follows[:8, :8] = ~np.eye(8, dtype=bool)
        outside = np.zeros((40, 40), bool)
        outside[:, 8:] = True
        worlds += bool(succession._links(follows, outside, likeness))
    assert worlds <= 60


def candidate(prompts: Any, account: Any, cluster: int) -> Campaign:
    accounts, hits = np.unique(account[prompts], return_counts=True)
    return Campaign(
        clusters=np.array([cluster], np.int32),
        accounts=accounts,
        membership=np.ones(len(accounts)),
        harvest_share=np.ones(len(accounts)),
        harvest_prompts=hits.astype(np.int32),
        prompts=prompts,
        prompt_cluster=np.full(len(prompts), cluster, np.int32),
        link_log_p=0.0,
    )


def candidates_of(groups: Groups) -> tuple[list[Campaign], Any, Any]:
    """Each group as a candidate, the source, and the requests of each account."""
    pieces, corpus, parts = groups.built()
    account = corpus.prompts.account
    source = SimpleNamespace(
        corpus=corpus, parts=parts, enough_accounts=lambda prompts: len(np.unique(account[prompts])) >= 10
    )
    found = [candidate(piece.prompts, account, i) for i, piece in enumerate(pieces)]
    return found, source, np.bincount(account).astype(np.int32)


def test_a_chain_of_candidates_is_one_beside_them() -> None:
    found, source, volume = candidates_of(rotation())
    joined, refined = chains(found, [], None, source, volume=volume, seed=0)  # type: ignore[arg-type]
    assert refined is None
    assert joined[:-1] == found
    assert joined[-1].ways == ("texts", SUCCESSION)
    assert joined[-1].accounts.tolist() == list(range(6 * ACCOUNTS))
    assert joined[-1].clusters.tolist() == list(range(6))
    assert joined[-1].harvest_prompts.tolist() == [EACH] * (6 * ACCOUNTS)
    assert len(np.unique(joined[-1].prompts)) == 6 * ACCOUNTS * EACH


def test_candidates_of_a_chain_may_overlap() -> None:
    found, source, volume = candidates_of(rotation())
    account = source.corpus.prompts.account
    found.append(candidate(np.sort(np.concatenate([found[0].prompts, found[1].prompts[:24]])), account, 99))
    joined, _ = chains(found, [], None, source, volume=volume, seed=0)  # type: ignore[arg-type]
    assert len(joined) == len(found) + 1
    assert len(np.unique(joined[-1].prompts)) == len(joined[-1].prompts) == 6 * ACCOUNTS * EACH


def test_a_chain_that_is_in_a_candidate_adds_nothing() -> None:
    found, source, volume = candidates_of(rotation())
    account = source.corpus.prompts.account
    every = np.flatnonzero(account < 8 * ACCOUNTS).astype(np.int32)
    found.append(candidate(every, account, 99))
    joined, _ = chains(found, [], None, source, volume=volume, seed=0)  # type: ignore[arg-type]
    assert joined == found


def test_a_piece_that_is_like_one_of_a_chain_only_leaves_it() -> None:
    follows = ~np.eye(6, dtype=bool)
    links = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 4)]
    follows[5] = follows[:, 5] = False
    assert succession._agreed(links, follows) == links[:-1]
    assert succession._agreed([(0, 1)], follows) == [(0, 1)]
    assert succession._agreed([], follows) == []


def test_pieces_that_grow_from_one_to_the_next_are_no_chain_of_the_small_ones() -> None:
    accounts = np.array([9.0, 9, 10, 13, 19, 27, 9])
    links = [[i, i + 1] for i in range(5)] + [[0, 6]]
    scales = sizes(accounts)
    assert succession._without_drift(links, scales) == [[0, 1], [1, 2], [2, 3], [0, 6]]
    requests = sizes(np.full(7, 9.0), each=[8, 8, 8, 8, 12, 18, 3])
    assert succession._without_drift(links, requests) == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert succession._without_drift([[0, 3]], scales) == [[0, 3]]  # two pieces are compared with their middle
    assert succession._without_drift([], scales) == []


def sizes(accounts: Any, *, each: Any = 8.0, days: Any = 3.0, cut: Any = False) -> succession._Sizes:
    """The sizes of groups; a single number is that of all."""
    count = np.zeros(len(accounts))
    return succession._Sizes(np.array(accounts) / days, count + each, count + days, (count + cut).astype(bool))


@pytest.mark.parametrize(("accounts", "each", "days", "cut", "similar"), [
    (12, 9, 3, False, True),
    (12, 3, 1, False, False),
    (12, 3, 1, True, True),  # all accounts are there already and will send more
    (4, 9, 1, True, True),  # others will take over
    (7, 6, 1, True, True),  # a bit of both
    (30, 3, 1, True, False),
    (12, 1, 1, True, False),
    (4, 1, 1, True, False),
    (12, 27, 3, True, False),  # it lasted as long already
    (72, 18, 6, True, False),
])  # fmt: skip
def test_a_piece_that_was_seen_in_part_may_last_as_long_as_the_other(
    accounts: float, each: float, days: float, cut: bool, similar: bool
) -> None:
    two = sizes([12, accounts], each=[9, each], days=[3, days], cut=[False, cut])
    assert succession._of_similar_size(two, two).tolist() == [[True, similar], [similar, True]]
    assert succession._without_drift([[0, 1]], two) == ([[0, 1]] if similar else [])


@pytest.mark.parametrize(("begin", "end"), [(0, 16), (2, 40), (2, 16)])
@pytest.mark.parametrize("seed", range(3))
def test_a_dump_may_begin_or_end_within_a_generation(begin: float, end: float, seed: int) -> None:
    groups = rotation(seed)
    groups.rows = [row for row in groups.rows if begin <= row.day < end]
    assert groups.chains() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize("seed", range(3))
def test_a_dump_that_ends_within_a_group_with_another_subject_links_nothing(seed: int) -> None:
    groups = Groups(seed)
    for n in range(6):
        groups.add(1 if n < 5 else 2, 3 * n, 3 * n + 3, template=f"t{n}a t{n}b t{n}c t{n}d")
    groups.background()
    groups.rows = [row for row in groups.rows if row.day < 16]
    assert groups.chains() == [[0, 1, 2, 3, 4]]


def test_groups_at_the_ends_of_a_dump_are_seen_in_part() -> None:
    groups = Groups()
    for first, last in ((0, 3), (3, 6), (30, 38), (35, DAYS)):
        groups.add(1, first, last)
    groups.add(1, 10, 20, accounts=list(range(groups.accounts, groups.accounts + 12)))
    groups.rows += [
        Row(0, DAYS + 100, "a wrong time", 0),
        Row(groups.accounts - 1, DAYS, "one account came back", 4),
    ]
    pieces, corpus, _ = groups.built()
    cut = [True, False, False, True, False]
    assert periods_of(pieces, corpus.prompts.account, corpus.prompts.time).cut.tolist() == cut
    corpus.prompts.time[:] = NO_TIME
    assert not periods_of(pieces, corpus.prompts.account, corpus.prompts.time).cut.any()


def test_pieces_that_were_seen_in_part_do_not_move_the_middle() -> None:
    pieces = sizes(
        [12, 12, 12, 12, 12], each=[9, 9, 3, 3, 3], days=[3, 3, 1, 1, 1], cut=[False, False, True, True, True]
    )
    middle = pieces.middle(range(5))
    assert [float(size[0]) for size in middle[:3]] == pytest.approx([4, 9, 3])
    assert pieces.middle([2, 3])[:3] == (12, 3, 1)  # nothing else is known


def leftovers(groups: Groups, subject: int, *, accounts: int = 6, days: float = 3) -> list[int]:
    """Adds a group whose accounts were active at different times, each for some days."""
    mine = list(range(groups.accounts, groups.accounts + accounts))
    group = groups.count
    for number, account in enumerate(mine):
        groups.add(subject, 3.0 * number, 3.0 * number + days, template="t7a t7b", accounts=[account])
    for row in groups.rows:
        row.group = min(row.group, group)
    groups.count = group + 1
    return mine


@pytest.mark.parametrize(("subject", "days", "joins"), [(1, 3, True), (2, 3, False), (1, 40, False)])
@pytest.mark.parametrize("seed", range(3))
def test_accounts_of_several_generations_join_a_chain(subject: int, days: float, joins: bool, seed: int) -> None:
    groups = Groups(seed)
    for n in range(6):
        groups.add(1, 3 * n, 3 * n + 3, template=f"t{n}a t{n}b t{n}c t{n}d")
    leftovers(groups, subject, days=days)
    groups.background()
    assert groups.chains() == [[0, 1, 2, 3, 4, 5, *([6] if joins else [])]]


def test_accounts_that_join_count_as_a_generation_if_they_are_three() -> None:
    groups = Groups()
    for n in (0, 1, 2, 4):
        groups.add(1, 3 * n, 3 * n + 3, template=f"t{n}a t{n}b t{n}c t{n}d")
    group, first = groups.count, groups.accounts
    for n, account in zip((3, 3, 3, 5, 5, 6), range(first, first + 6), strict=True):
        groups.add(1, 3 * n, 3 * n + 3, template="t7a t7b", accounts=[account])
    for row in groups.rows:
        row.group = min(row.group, group)
    groups.count = group + 1
    groups.background()
    pieces, corpus, parts = groups.built()
    (chain,) = chained(pieces, corpus, parts, seed=0)
    assert chain.pieces == [0, 1, 2, 3, 4]
    assert chain.generations == 6  # the one after the first three; and three accounts after the last piece


def test_a_whole_campaign_with_the_same_subject_does_not_join() -> None:
    groups = Groups()
    for n in range(6):
        groups.add(1, 3 * n, 3 * n + 3, template=f"t{n}a t{n}b t{n}c t{n}d")
    groups.add(1, 6, 9, template="t8a t8b", accounts=list(range(groups.accounts, groups.accounts + 30)))
    groups.background()
    assert groups.chains() == [[0, 1, 2, 3, 4, 5]]


def test_two_pieces_do_not_grow() -> None:
    groups = Groups()
    for n in range(2):
        groups.add(1, 3 * n, 3 * n + 3, template=f"t{n}a t{n}b t{n}c t{n}d")
    leftovers(groups, 1)
    groups.background()
    assert groups.chains() == [[0, 1]]


def test_a_piece_may_hold_two_generations() -> None:
    groups = rotation(generations=3)
    pieces = groups.count
    groups.add(1, 9, 15, template="t8a t8b", accounts=list(range(groups.accounts, groups.accounts + 2 * ACCOUNTS)))
    assert groups.chains() == [[0, 1, 2, pieces]]


@pytest.mark.parametrize(("popular", "specific"), [(0, True), (8, False)])
def test_a_longer_chain_is_more_alike_than_other_groups_are_to_it(popular: int, specific: bool) -> None:
    count = 40
    cosine = np.r_[[0.3, 0.3, 0.3], np.full(popular, 0.4), np.full(count - 3 - popular, 0.1)]
    first, last = np.r_[0, 4, 8, np.zeros(count - 3, int)], np.r_[3, 7, 11, np.full(count - 3, 39)]
    compared: Any = SimpleNamespace(
        payloads=SimpleNamespace(cosine_to=lambda rest: cosine),
        periods=Periods(first, last, short=np.arange(count) < 3, cut=np.zeros(count, bool)),
    )
    other = ~np.eye(count, dtype=bool)
    assert succession._is_specific([0, 1, 2], compared, other=other, same=~other) is specific
