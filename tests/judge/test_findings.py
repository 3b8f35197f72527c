"""The corpus read by prompt, and judged campaigns put into words and numbers."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.campaign.links import RIGID_RELIEF
from harvestdetect.corpus import by_prompt as lookup
from harvestdetect.corpus.build import build_corpus
from harvestdetect.corpus.by_prompt import (
    PromptSegments,
    cluster_texts,
    in_sorted,
    longest_part_words,
    parts_by_prompt,
    prompt_texts,
    prompt_vectors,
    read_representatives,
    representative_texts,
    request_numbers,
    segments_by_prompt,
)
from harvestdetect.data import (
    KINDS,
    NO_TIME,
    SYSTEM,
    WHOLE_KINDS,
    Campaign,
    Corpus,
    Evidence,
    Finding,
    Prompt,
    Template,
    Tier,
)
from harvestdetect.dump import batches_of
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS
from harvestdetect.judge.candidates import candidates_of
from harvestdetect.judge.findings import FindingInputs, campaign_ids, finding_of, prompt_table
from harvestdetect.judge.ledger import EFFECT
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.members import Memberships
from harvestdetect.judge.triage import Judgement
from harvestdetect.template.clusters import template_of
from harvestdetect.util.arrays import Ints32

DAY = 86_400
T0 = 1_772_323_200
"""2026-03-01T00:00:00Z"""


def corpus_of(prompts: Sequence[Prompt], **settings: int) -> Corpus:
    return build_corpus(batches_of(prompts), **{"min_senders": 99, **settings})


# ---------------------------------------------------------------- lookup


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    rng = random.Random(4)

    def words(n: int) -> str:
        return " ".join("".join(rng.choices("abcdefgh", k=5)) for _ in range(n))

    prompts = [
        Prompt(account=f"a{i % 9}", prompt=[("system", "You are a careful tutor."), ("user", words(6))])
        for i in range(20)
    ]
    prompts += [Prompt(account=f"b{i}", prompt=words(120)) for i in range(6)]
    prompts += [Prompt(account="c", prompt=[("user", words(5)), ("user", words(9))]) for _ in range(5)]
    return corpus_of(prompts, segment_characters=100)


def test_parts_are_the_whole_parts_of_each_prompt(corpus: Corpus) -> None:
    parts = parts_by_prompt(corpus)
    count = len(corpus.prompts.account)
    assert len(parts.start) == count + 1
    assert {KINDS[k] for k in corpus.kind} >= {"part", "system", "head", "tail", "window"}
    for prompt in range(count):
        held = corpus.posting_segment[corpus.posting_prompt == prompt].tolist()
        whole = {s for s in held if KINDS[corpus.kind[s]] in ("part", "system")}
        assert set(parts.segment[parts.start[prompt] : parts.start[prompt + 1]].tolist()) == whole
        assert whole


def test_prompt_vectors_keep_inner_products(corpus: Corpus) -> None:
    parts = parts_by_prompt(corpus)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((len(corpus.text), 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = prompt_vectors(corpus, parts, vectors, dimensions=4_000, seed=1)
    count = len(corpus.prompts.account)
    assert found.shape == (count, 4_000)
    assert found.dtype == np.float16
    sums = np.stack([vectors[parts.segment[parts.start[p] : parts.start[p + 1]]].sum(axis=0) for p in range(count)])
    assert np.abs(found.astype(np.float32) @ found.T.astype(np.float32) - sums @ sums.T).max() < 0.3
    again = prompt_vectors(corpus, parts, vectors, dimensions=4_000, seed=1)
    assert np.array_equal(found, again)
    assert not np.array_equal(found, prompt_vectors(corpus, parts, vectors, dimensions=4_000, seed=2))


def test_cluster_texts_are_the_parts_that_put_a_prompt_there() -> None:
    corpus = corpus_of(
        [Prompt(account=f"a{i}", prompt=[("user", f"Ask number {i}"), ("user", f"A rider {i}")]) for i in range(8)]
    )
    parts = parts_by_prompt(corpus)
    own = np.array([i for i, t in enumerate(list(corpus.text)) if t.startswith("ask")], np.int32)
    texts, stands = cluster_texts(corpus, parts, np.arange(8, dtype=np.int32), own, at_most=50)
    assert sorted(texts) == [f"Ask number {i}" for i in range(8)]
    assert [corpus.display[int(s)] for s in stands] == texts
    few, _ = cluster_texts(corpus, parts, np.arange(8, dtype=np.int32), own, at_most=3)
    assert len(few) == 3
    assert set(few) <= set(texts)


def test_a_shared_system_prompt_is_shown_with_what_varies() -> None:
    system = "You are a careful tutor who answers in rhyme."
    corpus = corpus_of(
        [Prompt(account=f"a{i}", prompt=[("system", system), ("user", f"Question number {i}")]) for i in range(6)]
    )
    own = np.array([list(corpus.text).index(system.lower())], np.int32)
    texts, stands = cluster_texts(corpus, parts_by_prompt(corpus), np.arange(6, dtype=np.int32), own, at_most=9)
    assert sorted(texts) == [f"{system}\n\nQuestion number {i}" for i in range(6)]
    assert all(corpus.text[int(s)].startswith("question") for s in stands)


def test_one_text_is_shown_once_and_a_shared_piece_by_its_whole() -> None:
    fixed = "End with the final result inside double square brackets."
    prompts = [Prompt(account=f"a{i}", prompt=f"A question about item {i % 5}. {fixed}") for i in range(12)]
    corpus = corpus_of(prompts, min_senders=10)
    own = np.array([list(corpus.text).index(fixed.lower())], np.int32)
    texts, _ = cluster_texts(corpus, parts_by_prompt(corpus), np.arange(12, dtype=np.int32), own, at_most=50)
    assert sorted(texts) == [f"A question about item {i}. {fixed}" for i in range(5)]


def test_prompts_without_parts_have_no_text() -> None:
    corpus = corpus_of([Prompt(account="a", prompt="\u200b"), Prompt(account="b", prompt="words")])
    parts = parts_by_prompt(corpus)
    texts, stands = cluster_texts(corpus, parts, np.arange(2, dtype=np.int32), np.array([0], np.int32), at_most=9)
    assert texts == ["words"]
    assert stands.tolist() == [0]


def test_every_prompt_has_its_text_whether_repeated_or_without_a_part() -> None:
    sent = ["Ask a thing", "\u200b", "Ask another", "ask a  thing", "Ask a thing", "\u200b", "Something else"]
    corpus = corpus_of([Prompt(account=f"a{i}", prompt=text) for i, text in enumerate(sent)])
    prompts = np.arange(len(sent), dtype=np.int32)
    own = np.array([i for i, t in enumerate(list(corpus.text)) if t.startswith("ask")], np.int32)
    found = prompt_texts(corpus, parts_by_prompt(corpus), prompts, own)
    accounts = corpus.prompts.accounts.take(pa.array(corpus.prompts.account)).to_pylist()
    by_account = dict(zip(accounts, found, strict=True))
    shown = by_account["a0"]
    assert shown in ("Ask a thing", "ask a  thing")
    assert [by_account[f"a{i}"] for i in range(7)] == [shown, "", "Ask another", shown, shown, "", "Something else"]
    assert prompt_texts(corpus, parts_by_prompt(corpus), prompts[::-1], own) == found[::-1]
    assert prompt_texts(corpus, parts_by_prompt(corpus), prompts[:0], own) == []


@given(
    sent=st.lists(
        st.lists(
            st.tuples(st.sampled_from(["user", "system"]), st.sampled_from(["ask", "Ask", "tell", "go on", "\u200b"])),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=12,
    ),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_the_text_of_a_prompt_does_not_hang_on_the_others(
    sent: list[list[tuple[str, str]]], data: st.DataObject
) -> None:
    corpus = corpus_of([Prompt(account=f"a{i}", prompt=parts) for i, parts in enumerate(sent)])
    if not len(corpus.text):
        return
    parts = parts_by_prompt(corpus)
    prompts = np.array(data.draw(st.lists(st.integers(0, len(sent) - 1), max_size=12)), np.int32)
    own = np.array(data.draw(st.lists(st.integers(0, len(corpus.text) - 1), unique=True)), np.int32)
    alone = [cluster_texts(corpus, parts, prompts[i : i + 1], own, at_most=1)[0] for i in range(len(prompts))]
    assert prompt_texts(corpus, parts, prompts, own) == ["".join(texts) for texts in alone]


def shown_by_rule(corpus: Corpus, parts: PromptSegments, prompt: int, segments: Ints32) -> list[int]:
    """The segments that show why a cluster has a prompt, one step of the rule after another."""
    of_prompt = parts.segment[parts.start[prompt] : parts.start[prompt + 1]].tolist()
    shown = [s for s in of_prompt if s in set(segments.tolist())]
    if not shown and len(of_prompt) > 1:
        pieces = [corpus.text[s] for s in segments[: lookup.PIECES].tolist() if corpus.kind[s] >= WHOLE_KINDS]
        shown = [s for s in of_prompt if any(piece in corpus.text[s] for piece in pieces)]
    others = [s for s in of_prompt if corpus.kind[s] != SYSTEM]
    if others and all(corpus.kind[s] == SYSTEM for s in shown):
        shown.append(max(others, key=lambda s: len(corpus.text[s])))
    return shown or of_prompt[:1]


FIXED = "End with the final result inside brackets."
PIECED = [
    "Ask a thing.",
    f"Ask a thing. {FIXED}",
    f"Tell me more. {FIXED}",
    "Été, été, été.",
    "Go on.",
    "\u200b",
    "x" * 13,
]


@given(
    sent=st.lists(
        st.lists(st.tuples(st.sampled_from(["user", "system"]), st.sampled_from(PIECED)), min_size=1, max_size=4),
        min_size=4,
        max_size=14,
    ),
    data=st.data(),
    at_once=st.sampled_from([1, 3, lookup.TEXTS_PER_READ]),
)
@settings(max_examples=80, deadline=None)
def test_what_is_shown_of_a_prompt_follows_the_rule(
    sent: list[list[tuple[str, str]]], data: st.DataObject, at_once: int
) -> None:
    corpus = corpus_of([Prompt(account=f"a{i}", prompt=parts) for i, parts in enumerate(sent)], min_senders=2)
    parts = parts_by_prompt(corpus)
    count = len(corpus.text)
    own = np.array(data.draw(st.lists(st.integers(0, count - 1), unique=True)) if count else [], np.int32)
    prompts = np.array(data.draw(st.lists(st.integers(0, len(sent) - 1), max_size=14)), np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "TEXTS_PER_READ", at_once)
        shown = representative_texts(corpus, parts, prompts, own)
    distinct = len(shown.start) - 1
    assert sorted({i for i in shown.back.tolist() if i >= 0}) == list(range(distinct))
    for prompt, text in zip(prompts.tolist(), shown.back.tolist(), strict=True):
        wanted = shown_by_rule(corpus, parts, prompt, own)
        assert (text < 0) == (not wanted)
        if wanted:
            assert shown.segment[shown.start[text] : shown.start[text + 1]].tolist() == wanted
            assert read_representatives(corpus, shown, text, text + 1) == [
                "\n\n".join(corpus.display.take(np.array(wanted)))
            ]
    assert len(read_representatives(corpus, shown, 0, distinct)) == distinct


def test_the_segments_of_a_prompt_are_its_parts_and_their_pieces(corpus: Corpus) -> None:
    everything = segments_by_prompt(corpus)
    for prompt in range(len(corpus.prompts.account)):
        held = corpus.posting_segment[corpus.posting_prompt == prompt].tolist()
        assert everything.segment[everything.start[prompt] : everything.start[prompt + 1]].tolist() == held


@given(st.lists(st.integers(-5, 20), max_size=9), st.lists(st.integers(0, 15), max_size=9, unique=True).map(sorted))
def test_values_among_others(values: list[int], ascending: list[int]) -> None:
    found = in_sorted(np.array(values, np.int64), np.array(ascending, np.int64))
    assert found.tolist() == [value in ascending for value in values]


def test_the_words_of_a_prompt_are_those_of_its_longest_part() -> None:
    sent = [[("user", "one two three"), ("user", "one")], [("user", "\u200b")], [("user", "one two")]]
    corpus = corpus_of([Prompt(account=f"a{i}", prompt=parts) for i, parts in enumerate(sent)])
    parts = parts_by_prompt(corpus)
    assert longest_part_words(corpus, parts, np.array([2, 0, 1, 0], np.int32)).tolist() == [2, 3, 0, 3]
    assert longest_part_words(corpus, parts, np.empty(0, np.int32)).tolist() == []


# ---------------------------------------------------------------- templates


def test_examples_are_redacted_in_templates() -> None:
    texts = [f"Write to person{i}@mail.example.org about invoice {i}{i} from 10.0.0.{i}" for i in range(12)]
    rng = np.random.default_rng(0)
    vectors = (np.ones((12, 5)) + 0.1 * rng.standard_normal((12, 5))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    description, made = template_of(texts, vectors, channel="wording", segments=12, prompts=20, accounts=11)
    assert (made.words, made.slots, made.signature) == (description.words, description.slots, description.signature)
    assert "@mail" not in made.medoid + made.least_similar + "".join(made.exemplars)
    assert "10.0.0." not in made.medoid + made.least_similar + "".join(made.exemplars)
    assert "[e-mail]" in made.medoid
    assert (made.channel, made.segments, made.prompts, made.accounts) == ("wording", 12, 20, 11)
    assert made.template_id == f"t-{made.signature[:10]}"


def test_an_address_that_a_slot_cuts_is_redacted_too() -> None:
    names = ["jane.doe", "bob.roe", "eve.poe", "dan.coe", "ann.moe", "tom.foe"]
    texts = [f"Write to {name}@mail.example.org about the open invoice" for name in names]
    _, made = template_of(
        texts,
        np.ones((6, 1), np.float32),
        channel="wording",
        segments=6,
        prompts=6,
        accounts=6,
    )
    assert not any(name in value for values in made.slots for value in values for name in names)


# ---------------------------------------------------------------- findings


ROWS = {"even_load": 9.0, f"even_load{EFFECT}": 2.5, "flat_day": 0.8, "rigid_wording": 0.01, "copies": -1.25}
"""A ledger of 12.5 bits after a prior of 1.44."""
ACCOUNTS = ("ada", "bob", "cyd", "dan", "eve", "fay")


def template(name: str, prompts: int) -> Template:
    return Template(
        template_id=f"t-{name}",
        channel="wording",
        words=("Explain", None),
        slots=(("x",),),
        medoid="Explain x",
        exemplars=(),
        least_similar="Explain y",
        signature=name * 8,
        segments=prompts,
        prompts=prompts,
        accounts=6,
    )


TEMPLATES = {3: template("aaaa", 6), 5: template("bbbb", 12)}


@dataclasses.dataclass(frozen=True)
class Case:
    corpus: Corpus
    campaign: Campaign

    def finding(self, *, tier: Tier | None = "review", **changes: Any) -> Finding:
        campaign = dataclasses.replace(self.campaign, **changes)
        prompts = self.corpus.prompts
        volume = np.bincount(prompts.account, minlength=len(prompts.accounts)).astype(np.int32)
        return finding_of(
            campaign,
            Judgement(
                tier=tier, score=12.5, probability=0.9998, q_value=1e-6, families=("structure", "text"), rows=ROWS
            ),
            measured(
                evidence("flat_day", "time", 0.001),
                evidence("even_load", "structure", 0.0001),
                evidence("rigid_wording", "text", 0.2),
                targets=("coding",),
            ),
            FindingInputs(prompts=prompts, volume=volume, templates=TEMPLATES),
            campaign_id="c-1",
            changes=("It would be urgent.",),
            memberships=memberships(),
        )


def memberships() -> Memberships:
    """Evidence on six accounts: the fourth has data of its own, and nothing speaks for or against the others."""
    bits = np.zeros((6, len(ACCOUNT_READINGS)))
    bits[3, 0], bits[3, 1] = -3.0, 1.5
    return Memberships(accounts=np.arange(6, dtype=np.int32), bits=bits, cut=0.92)


def evidence(name: str, family: Any, p_value: float) -> Evidence:
    return Evidence(
        id=name,
        name=f"the {name}",
        family=family,
        value=1.0,
        null="a null",
        expected=2.0,
        p_value=p_value,
        sentence=f"About {name}.",
    )


def measured(*found: Evidence, targets: tuple[str, ...] = ()) -> MeasuredCandidate:
    return MeasuredCandidate(
        evidence=found, benign=(), templated=True, targets=targets, shared_values=(), readings={"copies": -3.0}
    )


def make_case(*, times: bool = True) -> Case:
    """Six accounts with ten prompts each, of which 5, 5, 4, 3, 1 and 5 belong to the campaign."""
    hits = (5, 5, 4, 3, 1, 5)
    prompts = []
    for number, (account, count) in enumerate(zip(ACCOUNTS, hits, strict=True)):
        for i in range(10):
            kind = "Harvest" if i < count else "Own"
            time = T0 + DAY * (2 * i) + 3_600 * number if times else None
            fields = {"org": f"o{number % 3}"} if account != "fay" else {}
            prompts.append(Prompt(account=account, prompt=f"{kind} {account} {i}", time=time, fields=fields))
    corpus = corpus_of(prompts)
    texts = list(corpus.text)
    rows = np.zeros(60, np.int32)
    rows[corpus.posting_prompt] = corpus.posting_segment
    chosen = np.array([p for p in range(60) if texts[rows[p]].startswith("harvest")], np.int32)
    counts = np.array(hits, np.int32)
    campaign = Campaign(
        clusters=np.array([3, 5], np.int32),
        accounts=np.arange(6, dtype=np.int32),
        membership=np.array([0.9, 0.99, 0.99, 0.7, 0.95, 1.0]),
        harvest_share=counts / 10,
        harvest_prompts=counts,
        prompts=chosen,
        prompt_cluster=np.where(np.arange(len(chosen)) % 3 == 0, 3, 5).astype(np.int32),
        link_log_p=-20.0,
    )
    return Case(corpus, campaign)


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


def test_a_finding_counts_what_the_campaign_holds(case: Case) -> None:
    found = case.finding()
    assert (found.tier, found.score, found.q_value, found.families) == (
        "review",
        12.5,
        1e-6,
        ("structure", "text"),
    )
    assert (found.accounts, found.prompts, found.orgs) == (6, 23, 3)
    assert found.first_seen == T0
    assert found.last_seen == T0 + 8 * DAY + 5 * 3_600
    assert [d for d, _ in found.days] == [f"2026-03-0{i}" for i in range(1, 10)]
    assert [n for _, n in found.days] == [6, 0, 5, 0, 5, 0, 4, 0, 3]
    assert [t.template_id for t in found.templates] == ["t-bbbb", "t-aaaa"]
    assert [e.id for e in found.evidence] == ["even_load", "rigid_wording", "flat_day"]
    assert found.probability == 0.9998


def test_the_ledger_of_a_finding_has_a_row_per_measure_and_reading_the_strongest_first(case: Case) -> None:
    rows = case.finding().ledger
    assert [(row.id, row.family, row.bits) for row in rows] == [
        ("prior", None, 1.44),
        ("even_load", "structure", 11.5),
        ("copies", "text", -1.25),
        ("flat_day", "time", 0.8),
    ]
    assert [row.name for row in rows][1:] == ["the even_load", "prompts that repeat another", "the flat_day"]
    assert sum(row.bits for row in rows) == pytest.approx(12.5, abs=0.05)


def test_members_are_sorted_by_membership_then_account(case: Case) -> None:
    members = case.finding().members
    assert [m.account for m in members] == ["fay", "bob", "cyd", "eve", "ada", "dan"]
    keys = [(-m.membership, m.account) for m in members]
    assert keys == sorted(keys)
    by_name = {m.account: m for m in members}
    assert [by_name[a].harvest_prompts for a in ACCOUNTS] == [5, 5, 4, 3, 1, 5]
    assert all(m.prompts == 10 and m.harvest_share == m.harvest_prompts / 10 for m in members)
    assert all(sum(m.templates.values()) == m.harvest_prompts for m in members)
    assert all(set(m.templates) <= {"t-aaaa", "t-bbbb"} for m in members)
    assert (by_name["bob"].first_seen, by_name["bob"].last_seen) == (T0 + 3_600, T0 + 8 * DAY + 3_600)


def test_who_may_be_innocent_is_not_recommended_and_the_reason_given(case: Case) -> None:
    by_name = {m.account: m for m in case.finding().members}
    assert {a for a, m in by_name.items() if m.recommended} == {"bob", "cyd", "eve", "fay"}
    assert by_name["dan"].reasons[1:] == (
        "its membership of 0.70 is below 0.92",
        "its own prompts are more alike than those of the others: it has data of its own (-3.0 bits)",
        "its prompts in the campaign have nothing to do with its other prompts (+1.5 bits)",
    )
    assert by_name["ada"].reasons[0].startswith("5 of its 10 prompts (50%) fit ")
    assert by_name["ada"].reasons[1:] == ("its membership of 0.90 is below 0.92",)
    assert len(by_name["bob"].reasons) == 1


@pytest.mark.parametrize(("tier", "some"), [("urgent", True), ("review", True), ("watch", False)])
def test_nobody_is_recommended_below_review(case: Case, tier: Tier, some: bool) -> None:
    assert any(m.recommended for m in case.finding(tier=tier).members) is some


def test_candidates_of_one_template_by_other_accounts_have_ids_of_their_own(case: Case) -> None:
    names = case.corpus.prompts.accounts
    one = case.campaign
    two = dataclasses.replace(one, accounts=one.accounts[:3])
    lone = dataclasses.replace(one, clusters=np.array([5], np.int32))
    ids = campaign_ids([one, lone, two], TEMPLATES, names)
    assert len(set(ids)) == 3
    assert all(name.startswith("c-") and len(name) == 12 for name in ids)
    # the order of candidates does not matter, and an id without a twin is that of the templates alone
    assert campaign_ids([two, one, lone], TEMPLATES, names) == [ids[2], ids[0], ids[1]]
    assert campaign_ids([lone], TEMPLATES, names) == [ids[1]]
    assert campaign_ids([one], TEMPLATES, names) == campaign_ids([two], TEMPLATES, names) != [ids[0]]
    assert campaign_ids([], TEMPLATES, names) == []


@pytest.mark.parametrize(("rigid", "relief"), [((), 1.0), ((3,), 1.0), ((5,), RIGID_RELIEF), ((3, 5), RIGID_RELIEF)])
def test_candidates_with_a_rigid_template_each_are_held_to_the_cut_between_two(
    case: Case, rigid: tuple[int, ...], relief: float
) -> None:
    lone = dataclasses.replace(case.campaign, clusters=np.array([5], np.int32))
    judgement = Judgement(tier="review", score=1.0, probability=0.9, q_value=0.1, families=())
    vectors = np.eye(60, dtype=np.float32)
    found = candidates_of(
        [case.campaign, lone], [judgement] * 2, [measured()] * 2, ["c-1", "c-2"],
        FindingInputs(prompts=case.corpus.prompts, volume=np.full(6, 10, np.int32), templates=TEMPLATES),
        vectors=vectors, rigid=[c in rigid for c in range(6)], link_log_p=-10.0,
    )  # fmt: skip
    assert [n.log_p_cut for c in found for n in c.neighbors] == [-10.0 * relief] * 2


def test_a_template_is_counted_in_its_campaign(case: Case) -> None:
    by_id = {t.template_id: t for t in case.finding().templates}
    held = case.campaign.prompt_cluster
    assert by_id["t-aaaa"].prompts == int((held == 3).sum())
    assert by_id["t-bbbb"].prompts == int((held == 5).sum())


def test_a_candidate_without_a_tier_is_no_finding(case: Case) -> None:
    with pytest.raises(ValueError, match="without a tier"):
        case.finding(tier=None)


def test_the_id_follows_the_content_not_the_order_of_clusters(case: Case) -> None:
    turned = dataclasses.replace(case.campaign, clusters=np.array([5, 3], np.int32))
    lone = dataclasses.replace(case.campaign, clusters=np.array([5], np.int32))
    names = case.corpus.prompts.accounts
    ids = [campaign_ids([c], TEMPLATES, names)[0] for c in (case.campaign, turned, lone)]
    assert ids[0] == ids[1] != ids[2]
    assert case.finding().templates == case.finding(clusters=turned.clusters).templates


def test_without_times_a_finding_has_no_days() -> None:
    found = make_case(times=False).finding()
    assert (found.first_seen, found.last_seen, found.days) == (None, None, ())
    assert all(m.first_seen is None and m.last_seen is None for m in found.members)


def test_the_summary_is_one_plain_line(case: Case) -> None:
    summary = case.finding().summary
    assert summary.startswith("6 accounts sent 23 prompts of 2 linked templates on 5 days; ")
    assert "the load is spread evenly over them" in summary
    assert "around the clock" not in summary  # the time family does not pass
    assert summary.endswith(".")
    assert "\n" not in summary
    assert "arvest ada" not in summary


def test_what_infrastructure_links_is_not_said_to_be_linked_templates(case: Case) -> None:
    why = evidence("common_infrastructure", "infrastructure", 1e-9)
    finding = case.finding(joined_by=why)
    # the accounts send both templates all the same
    assert finding.summary.startswith("6 accounts linked by infrastructure sent 23 prompts of 2 templates on 5 days; ")
    assert [e for e in finding.evidence if e.family == "infrastructure"] == [why]
    assert [e.name for e in finding.evidence] == [e.name for e in sorted(finding.evidence, key=lambda e: e.family)]
    first = case.corpus.prompts.account[case.campaign.prompts] < 3
    apart = case.finding(joined_by=why, prompt_cluster=np.where(first, 3, 5).astype(np.int32))
    assert apart.summary.startswith(
        "6 accounts linked by infrastructure sent 23 prompts of 2 templates, each by other accounts, on 5 days; "
    )
    still = make_case(times=False)
    first = still.corpus.prompts.account[still.campaign.prompts] < 3
    apart = still.finding(joined_by=why, prompt_cluster=np.where(first, 3, 5).astype(np.int32))
    assert "2 templates, each by other accounts; the load is" in apart.summary


def test_of_joined_parts_the_infrastructure_is_told_first(case: Case) -> None:
    held = [
        evidence("even_load", "structure", 1e-30),
        evidence("flat_day", "time", 1e-20),
        evidence("same_hours", "time", 1e-25),
        evidence("shared_network", "infrastructure", 1e-5),
    ]
    prompts = case.corpus.prompts

    def told(campaign: Campaign) -> str:
        return finding_of(
            campaign,
            Judgement(
                tier="urgent",
                score=1.0,
                probability=0.9,
                q_value=0.0,
                families=("structure", "time", "infrastructure"),
            ),
            measured(*held), FindingInputs(prompts=prompts, volume=np.full(6, 10, np.int32), templates=TEMPLATES),
            campaign_id="c-1", changes=(), memberships=memberships(),
        ).summary.partition("; ")[2]  # fmt: skip

    assert "networks" not in told(case.campaign)
    why = evidence("common_infrastructure", "infrastructure", 1e-9)
    assert told(dataclasses.replace(case.campaign, joined_by=why)).startswith("they share networks, ")


# ---------------------------------------------------------------- the table of prompts


COLUMNS = {
    "file": pa.string(),
    "line": pa.int64(),
    "account": pa.string(),
    "campaign_id": pa.string(),
    "template_id": pa.string(),
    "membership": pa.float64(),
    "timestamp": pa.timestamp("ms", "UTC"),
}


def test_the_table_of_prompts_has_a_row_per_prompt_in_order(case: Case) -> None:
    finding = case.finding()
    prompts = case.corpus.prompts
    table = prompt_table(
        [(finding, case.campaign)],
        prompts=prompts,
        templates=TEMPLATES,
        request=request_numbers(prompts),
        files=["dump.jsonl"],
    )
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == COLUMNS
    assert table.num_rows == 23
    rows = table.to_pylist()
    assert [(r["file"], r["line"]) for r in rows] == sorted((r["file"], r["line"]) for r in rows)
    assert {r["file"] for r in rows} == {"dump.jsonl"}
    assert {r["campaign_id"] for r in rows} == {finding.campaign_id}
    sure = dict(zip(ACCOUNTS, case.campaign.membership.tolist(), strict=True))
    for r in rows:
        assert ACCOUNTS[(r["line"] - 1) // 10] == r["account"]
        assert r["membership"] == sure[r["account"]]
    times = dict(zip(prompts.line.tolist(), prompts.time.tolist(), strict=True))
    assert [r["timestamp"].timestamp() for r in rows] == [times[r["line"]] for r in rows]
    by_account = {a: [r["template_id"] for r in rows if r["account"] == a] for a in ACCOUNTS}
    for member in finding.members:
        for name, count in member.templates.items():
            assert by_account[member.account].count(name) == count


def test_prompts_of_several_findings_are_sorted_together(case: Case) -> None:
    one, two = case.finding(), case.finding(clusters=np.array([5], np.int32))
    table = prompt_table(
        [(two, case.campaign), (one, case.campaign)],
        prompts=case.corpus.prompts,
        templates=TEMPLATES,
        request=request_numbers(case.corpus.prompts),
        files=[],
    )
    rows = [(r["file"], r["line"], r["campaign_id"]) for r in table.to_pylist()]
    assert len(rows) == 46
    assert rows == sorted(rows)
    assert {r[0] for r in rows} == {""}


def test_without_findings_the_table_is_empty_with_the_same_columns(case: Case) -> None:
    table = prompt_table(
        [], prompts=case.corpus.prompts, templates={}, request=request_numbers(case.corpus.prompts), files=[]
    )
    assert table.num_rows == 0
    assert list(zip(table.schema.names, table.schema.types, strict=True)) == list(COLUMNS.items())


def test_no_time_is_not_a_time(case: Case) -> None:
    prompts = dataclasses.replace(case.corpus.prompts, time=case.corpus.prompts.time.copy())
    prompts.time[::2] = NO_TIME
    found = dataclasses.replace(case, corpus=dataclasses.replace(case.corpus, prompts=prompts)).finding()
    assert found.first_seen is not None
    assert found.first_seen >= T0
    assert sum(n for _, n in found.days) < 23
    table = prompt_table(
        [(found, case.campaign)],
        prompts=prompts,
        templates=TEMPLATES,
        request=request_numbers(prompts),
        files=["dump.jsonl"],
    )
    assert 0 < table["timestamp"].null_count < table.num_rows
