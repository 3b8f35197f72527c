"""The templates of clusters: mixed ones come apart, and what does not fill a template goes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.cluster.assign import Assigned
from harvestdetect.corpus.build import build_corpus
from harvestdetect.corpus.by_prompt import PromptSegments, parts_by_prompt
from harvestdetect.data import Corpus, Prompt, Template, TemplateCluster
from harvestdetect.dump import batches_of
from harvestdetect.template.clusters import ClusterSource, described
from harvestdetect.template.description import Description, is_rigid
from harvestdetect.template.refine import Refined, _filtered, refine_clusters
from harvestdetect.template.splitting import UNKNOWN_SUBCLUSTER, Split, Subcluster, _side_by_side, _with_common_clause
from harvestdetect.template.tokens import tokens
from harvestdetect.util.arrays import Floats32

Sent = Sequence[tuple[str, str]]
"""(account, text) each."""

LEAST = 10
EXAM = "Write ten hard exam questions on {} together with {} and with a key and a mark for every single one of them"
TUTOR = "You are a patient tutor of {}: walk me through {} step by step and check every step before the next"
EXAM_WORDS = "write ten hard exam questions on together with and with a key and a mark for every single one of them"
TUTOR_WORDS = "you are a patient tutor of walk me through step by step and check every step before the next"


@cache
def direction(word: str) -> npt.NDArray[np.float64]:
    return np.random.default_rng(list(word.encode())).standard_normal(64)


def bag(text: str) -> npt.NDArray[np.float64]:
    row = np.sum([direction(t) for t, _, _ in tokens(text)], axis=0)
    return np.asarray(row / np.linalg.norm(row), np.float64)


def invented(rng: random.Random, count: int) -> str:
    return " ".join("".join(rng.choices("bcdfghjklmnpqrstvwxz", k=7)) for _ in range(count))


def filled(name: str, template: str, accounts: int, *, each: int = 2) -> list[tuple[str, str]]:
    """Fillings that share no word, of some accounts."""
    rng = random.Random(name)
    return [
        (f"{name} {a}", template.format(invented(rng, rng.randrange(1, 4)), invented(rng, rng.randrange(1, 4))))
        for a in range(accounts)
        for _ in range(each)
    ]


def strays(accounts: int, *, each: int = 1) -> list[tuple[str, str]]:
    rng = random.Random("stray")
    return [(f"stray {a}", invented(rng, rng.randrange(6, 20))) for a in range(accounts) for _ in range(each)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    corpus: Corpus
    parts: PromptSegments
    vectors: Floats32

    def cluster(self, *names: str, channel: str = "wording") -> Assigned:
        """The prompts of the accounts of some names as a cluster; none: all."""
        owner = self.owner(np.arange(len(self.corpus.prompts.account), dtype=np.int32))
        prompts = np.array([i for i, name in enumerate(owner) if not names or name in names], np.int32)
        segments = np.unique(self.corpus.posting_segment[np.isin(self.corpus.posting_prompt, prompts)])
        return Assigned(cluster=TemplateCluster(channel=channel, segments=segments, quality=1.0), prompts=prompts)

    def owner(self, prompts: npt.NDArray[np.int32]) -> list[str]:
        """The first word of the account of each prompt."""
        accounts = self.corpus.prompts.accounts.to_pylist()
        return [accounts[a].split()[0] for a in self.corpus.prompts.account[prompts].tolist()]

    def owners(self, items: Iterable[Assigned]) -> list[list[str]]:
        return sorted(sorted(set(self.owner(item.prompts))) for item in items)

    def refined(self, *items: Assigned, known: Mapping[int, Split] | None = None, remember: bool = False) -> Refined:
        return refine_clusters(
            items, self.corpus, self.parts, self.vectors, min_accounts=LEAST, known=known, remember=remember
        )  # fmt: skip

    def described(self, *items: Assigned) -> tuple[list[Assigned], list[Description], dict[int, Template]]:
        found = self.refined(*items)
        return found.assigned, found.descriptions, found.templates

    @property
    def source(self) -> ClusterSource:
        return ClusterSource(
            corpus=self.corpus, parts=self.parts, vectors=self.vectors, min_accounts=LEAST
        )  # fmt: skip

    def unmixed(self, item: Assigned) -> list[Assigned]:
        return _side_by_side(item, described(item, self.source).description, self.source)

    def apart(self, item: Assigned) -> list[Assigned]:
        whole = described(item, self.source).description
        assert _side_by_side(item, whole, self.source) == []
        return _with_common_clause(item, whole, self.source)

    def filled(self, item: Assigned) -> Assigned:
        whole = Subcluster(item, described(item, self.source))
        return _filtered(whole, None, self.source, None, None).subcluster.item


def case_of(sent: Sent) -> Case:
    corpus = build_corpus(batches_of([Prompt(account=a, prompt=text) for a, text in sent]), min_senders=99)
    vectors = np.array([bag(text) for text in list(corpus.text)], np.float32)
    return Case(corpus=corpus, parts=parts_by_prompt(corpus), vectors=vectors)


def words(description: Description) -> str:
    return " ".join(t for t in description.kept if t[0].isalnum())


def check(case: Case, given_: Sequence[Assigned], least: int = 1) -> None:
    """What holds of any clusters: no prompt is gained, none is in two, and the counts are those that are left."""
    found, descriptions, templates = case.described(*given_)
    before = np.concatenate([item.prompts for item in given_])
    after = np.concatenate([item.prompts for item in found]) if found else np.empty(0, np.int32)
    assert len(np.unique(after)) == len(after)
    assert np.isin(after, before).all()
    assert len(found) == len(descriptions)
    assert sorted(templates) == list(range(len(found)))
    prompts = case.corpus.prompts
    for number, item in enumerate(found):
        template = templates[number]
        assert np.all(np.diff(item.prompts) > 0)
        assert template.signature == descriptions[number].signature
        assert template.prompts == len(item.prompts)
        assert template.accounts == len(np.unique(prompts.account[item.prompts])) >= least
        assert template.segments == len(np.unique(prompts.content[item.prompts]))


# ---------------------------------------------------------------- mixed clusters


def test_a_cluster_of_two_templates_and_strays_comes_apart_and_the_strays_go() -> None:
    case = case_of(filled("exam", EXAM, 20) + filled("tutor", TUTOR, 16) + strays(LEAST - 1))
    assert case.owners(case.unmixed(case.cluster())) == [["exam"], ["tutor"]]
    found, descriptions, templates = case.described(case.cluster())
    assert case.owners(found) == [["exam"], ["tutor"]]
    assert sorted(map(words, descriptions)) == [EXAM_WORDS, TUTOR_WORDS]
    assert sorted((t.prompts, t.accounts) for t in templates.values()) == [(32, 16), (40, 20)]
    assert all(is_rigid(d) for d in descriptions)
    check(case, [case.cluster()], LEAST)


@pytest.mark.parametrize("forgotten", [0.0, 0.3, 1.0])
def test_a_cluster_comes_apart_as_it_did_and_new_texts_go_where_they_fill(forgotten: float) -> None:
    case = case_of(filled("exam", EXAM, 20) + filled("tutor", TUTOR, 16) + strays(LEAST + 1))
    item = case.cluster()
    first = case.refined(item, remember=True)
    assert case.owners(first.assigned) == [["exam"], ["stray"], ["tutor"]]
    assert sorted(set(first.splits[0].subcluster.tolist())) == [0, 1, 2]
    # as if these texts had come since
    unknown = np.random.default_rng(0).random(len(first.splits[0].subcluster)) < forgotten
    known = replace(first.splits[0], subcluster=np.where(unknown, UNKNOWN_SUBCLUSTER, first.splits[0].subcluster))
    again = case.refined(item, known={0: known})
    assert [one.prompts.tolist() for one in again.assigned] == [one.prompts.tolist() for one in first.assigned]
    assert (again.descriptions, again.templates) == (first.descriptions, first.templates)
    assert again.splits == {}


def test_a_cluster_that_stays_whole_is_told_so() -> None:
    case = case_of(filled("exam", EXAM, 20))
    first = case.refined(case.cluster(), remember=True)
    assert len(first.splits[0].described) == 1
    assert set(first.splits[0].subcluster.tolist()) == {0}
    again = case.refined(case.cluster(), known=first.splits)
    assert (again.descriptions, again.templates) == (first.descriptions, first.templates)


def test_what_was_dropped_from_a_cluster_does_not_come_back() -> None:
    """Two templates with a clause in common, the second somebody's own."""
    clause = "you are a careful assistant who answers every question with short sentences"
    plants = clause + " about botany gardens: {} then list every plant needed {}"
    pumps = clause + " regarding engines pumps: {} while counting all broken gears {}"
    case = case_of(filled("plants", plants, 30, each=3) + filled("pumps", pumps, LEAST // 2, each=18))
    first = case.refined(case.cluster(), remember=True)
    assert case.owners(first.assigned) == [["plants"]]
    again = case.refined(case.cluster(), known=first.splits)
    assert case.owners(again.assigned) == [["plants"]]
    assert [one.prompts.tolist() for one in again.assigned] == [one.prompts.tolist() for one in first.assigned]


@pytest.mark.parametrize(("accounts", "kept"), [(LEAST, True), (LEAST - 1, False)])
def test_a_template_of_fewer_accounts_is_somebodys_own(accounts: int, kept: bool) -> None:
    case = case_of(filled("exam", EXAM, 20) + filled("tutor", TUTOR, accounts, each=4))
    assert case.owners(case.unmixed(case.cluster())) == [["exam"], *([["tutor"]] if kept else [])]


@pytest.mark.parametrize(("accounts", "kept"), [(LEAST, True), (LEAST - 1, False)])
def test_what_is_left_stays_a_cluster_if_enough_accounts_sent_it(accounts: int, kept: bool) -> None:
    case = case_of(filled("exam", EXAM, 24) + filled("tutor", TUTOR, 24) + strays(accounts))
    assert case.owners(case.unmixed(case.cluster())) == [["exam"], *([["stray"]] if kept else []), ["tutor"]]


def test_without_a_template_inside_a_cluster_stays_whole() -> None:
    rng = random.Random(0)
    nouns = invented(rng, 14).split()
    case = case_of([(f"person {i}", " ".join(rng.choices(nouns, k=16))) for i in range(40)])
    item = case.cluster()
    whole = described(item, case.source).description
    assert whole.shared >= 4  # so it was looked at
    assert case.unmixed(item) == []
    found, _, _ = case.described(item)
    assert found == [item]


CLAUSE = " and then give the answer in one sentence with a confidence between nought and a hundred"
"""What two templates have in common; with it each has half as many words again."""


def test_templates_that_share_a_clause_come_apart_where_each_has_its_accounts() -> None:
    case = case_of(filled("exam", EXAM + CLAUSE, 20) + filled("tutor", TUTOR + CLAUSE, 20))
    assert case.owners(case.apart(case.cluster())) == [["exam"], ["tutor"]]
    found, descriptions, _ = case.described(case.cluster())
    assert case.owners(found) == [["exam"], ["tutor"]]
    clause = " ".join(t for t, _, _ in tokens(CLAUSE))
    assert sorted(map(words, descriptions)) == [f"{EXAM_WORDS} {clause}", f"{TUTOR_WORDS} {clause}"]
    check(case, [case.cluster()], LEAST)


def test_system_prompts_that_share_a_sentence_come_apart_whatever_the_users_say() -> None:
    clause = CLAUSE.removeprefix(" and ").capitalize() + "."
    sent = [
        Prompt(account=account, prompt=[("system", f"{text}. {clause}"), ("user", payload)])
        for name, template in (("exam", EXAM), ("tutor", TUTOR))
        for (account, text), (_, payload) in zip(
            [(f"{name} {a}", template.format("slag", "lime")) for a in range(20) for _ in range(2)],
            strays(40),
            strict=True,
        )
    ]
    corpus = build_corpus(batches_of(sent), min_senders=2)
    case = Case(
        corpus=corpus,
        parts=parts_by_prompt(corpus),
        vectors=np.array([bag(text) for text in list(corpus.text)], np.float32),
    )
    shared = [i for i, text in enumerate(list(corpus.text)) if text.endswith("hundred.") and text.startswith("then")]
    item = replace(
        case.cluster(), cluster=TemplateCluster(channel="verbatim", segments=np.array(shared, np.int32), quality=1.0)
    )
    assert case.owners(case.apart(item)) == [["exam"], ["tutor"]]


def test_templates_that_share_a_clause_stay_together_where_accounts_fill_both() -> None:
    both = filled("pool", EXAM + CLAUSE, 20, each=1) + filled("pool", TUTOR + CLAUSE, 20, each=1)
    case = case_of(both)
    assert case.apart(case.cluster()) == []


def test_accounts_with_one_prompt_do_not_tell_templates_apart() -> None:
    case = case_of(filled("exam", EXAM + CLAUSE, 30, each=1) + filled("tutor", TUTOR + CLAUSE, 30, each=1))
    assert case.apart(case.cluster()) == []


def test_payloads_do_not_take_a_template_apart() -> None:
    rng = random.Random(1)
    subjects = {"north": invented(rng, 30).split(), "south": invented(rng, 30).split()}
    case = case_of(
        [
            (f"{side} {a}", " ".join(rng.choices(nouns, k=24)) + CLAUSE)
            for side, nouns in subjects.items()
            for a in range(20)
            for _ in range(3)
        ]
    )
    assert case.apart(case.cluster()) == []


def test_the_same_template_in_two_clusters_is_one() -> None:
    case = case_of(filled("exam", EXAM, 12) + filled("other", EXAM, 14) + filled("tutor", TUTOR, 12))
    found, _, templates = case.described(*(case.cluster(name) for name in ("exam", "other", "tutor")))
    assert case.owners(found) == [["exam", "other"], ["tutor"]]
    assert [templates[i].accounts for i in range(2)] == [26, 12]
    check(case, [case.cluster("exam"), case.cluster("tutor"), case.cluster("other")])


def test_a_template_of_a_mixed_cluster_and_a_cluster_of_its_own_are_one() -> None:
    case = case_of(filled("exam", EXAM, 20) + filled("tutor", TUTOR, 20) + filled("other", EXAM, 12))
    found, _, _ = case.described(case.cluster("exam", "tutor"), case.cluster("other"))
    assert case.owners(found) == [["exam", "other"], ["tutor"]]


def test_a_leaf_stays_only_as_a_template() -> None:
    case = case_of(filled("exam", EXAM, 12) + strays(12))
    leaves = [case.cluster(name, channel="wording/leaf") for name in ("exam", "stray")]
    assert case.owners(case.described(*leaves)[0]) == [["exam"]]
    assert case.owners(case.described(case.cluster("stray"))[0]) == [["stray"]]


# ---------------------------------------------------------------- what fills a template


def test_a_rigid_cluster_loses_only_the_prompts_that_do_not_fill_its_template() -> None:
    half = EXAM_WORDS.split()[:11]  # of 21 words
    loose = [("loose 1", " ".join(half)), ("loose 2", " ".join(half[:-1]))]
    case = case_of(filled("exam", EXAM, 20) + strays(3) + loose)
    item = case.cluster()
    assert case.unmixed(item) == []
    stays = case.filled(item)
    accounts = {case.corpus.prompts.accounts[int(a)].as_py() for a in case.corpus.prompts.account[stays.prompts]}
    assert accounts == {f"exam {i}" for i in range(20)} | {"loose 1"}
    assert stays.cluster == item.cluster
    found, _, templates = case.described(item)
    assert [f.prompts.tolist() for f in found] == [stays.prompts.tolist()]
    assert (templates[0].prompts, templates[0].accounts) == (41, 21)


def test_a_cluster_that_fills_its_template_is_left_alone() -> None:
    case = case_of(filled("exam", EXAM, 12))
    item = case.cluster()
    assert case.filled(item) is item


def test_what_a_template_shows_redacted_fills_it_too() -> None:
    rng = random.Random(1)
    mails = [[f"u{rng.randrange(10**6)}@m{rng.randrange(99)}.example" for _ in range(5)] for _ in range(28)]
    case = case_of([(f"mail {i % 14}", f"Sort these: {', '.join(held)}") for i, held in enumerate(mails)])
    item = case.cluster()
    (template,) = case.described(item)[2].values()
    assert template.words == ("Sort these: " + ", ".join(["[e-mail]"] * 5),)
    assert template.prompts == len(item.prompts) == 28


def test_of_a_prompt_without_a_part_nothing_is_said() -> None:
    case = case_of([*filled("exam", EXAM, 12), ("empty 1", "\u200b"), *strays(1)])
    assert set(case.owner(case.filled(case.cluster()).prompts)) == {"exam", "empty"}


def test_without_fixed_words_nobody_goes() -> None:
    case = case_of(strays(20))
    item = case.cluster()
    assert case.filled(item) is item


@given(
    sizes=st.tuples(st.integers(0, 18), st.integers(0, 18), st.integers(0, 14)),
    each=st.integers(1, 3),
    together=st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_no_prompt_is_gained_or_counted_twice(sizes: tuple[int, int, int], each: int, together: bool) -> None:
    exams, tutors, others = sizes
    case = case_of(
        [
            ("exam first", EXAM.format("bread", "rivers")),
            *filled("exam", EXAM, exams, each=each),
            *filled("tutor", TUTOR, tutors, each=each),
            *strays(others, each=each),
        ]
    )
    names = ["exam", *(["tutor"] if tutors else []), *(["stray"] if others else [])]
    check(case, [case.cluster()] if together else [case.cluster(name) for name in names])
