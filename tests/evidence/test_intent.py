"""Capability targets: named on requests that are after them, silent on ordinary ones, one function of the texts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import intent as benchmark
from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import BenignExplanation
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.evidence.intent import (
    AT_MOST,
    FIRST_TEXTS,
    FIXED_MARGIN,
    MAX_TEXTS,
    TEXTS_MARGIN,
    Ordinary,
    Prototypes,
    Target,
    _described,
    load_prototypes,
    margins,
    targets_of,
)
from harvestdetect.judge.ledger import post, values_of
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.judge.triage import judge
from harvestdetect.settings import Settings
from tests.evidence.table import intent_evidence

TARGETS = (
    "reasoning traces",
    "response patterns",
    "safety behaviour",
    "coding",
    "writing style",
    "knowledge boundaries",
    "rubric grading",
    "task generation",
    "trace translation",
)
INSTRUCTIONS = {
    "reasoning traces": "Write out every step of your thinking inside <scratch> tags before you give the answer.",
    "response patterns": "You may call these tools: search, calculator. Write each call with its input in your answer.",
    "safety behaviour": "Say whether you would decline this harmful request and word the refusal by your policy.",
    "coding": "Write a Python function with tests that returns the requested list.",
    "writing style": "You are a pirate. Stay in character and narrate the scene as a short story.",
    "knowledge boundaries": "Choose the right option of the multiple choice question. A. B. C. D. Answer:",
    "rubric grading": "Evaluate the response of the assistant by the rubric and give a score from 1 to 5.",
    "task generation": "Generate a list of diverse new task instructions like these, of varied difficulty.",
    "trace translation": "Translate this reasoning trace into German and keep each step of the chain of thought.",
}
"""Not in the shipped file in these words."""
ORDINARY = (
    "what time does the supermarket close on sunday",
    "my dog ate a grape, is that dangerous",
    "how do i get coffee stains out of a shirt",
    "who was the first person on the moon",
    "please move my dentist appointment to thursday",
    "is it going to rain in paris this weekend",
    "what is a good present for my mother",
    "how long do i boil an egg",
    "when does the last train leave",
    "i forgot the password of my bank account",
)


@pytest.fixture(scope="module")
def prototypes() -> Prototypes:
    return load_prototypes(load_encoder("wording", settings=Settings(threads=1)).encode)


def hashed(texts: list[str]) -> npt.NDArray[np.float32]:
    """A stand-in for an encoder: the words of a text, each in one of 64 directions."""
    rows = np.zeros((len(texts), 64), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.split():
            row[sum(word.encode()) % 64] += 1
        row /= max(float(np.linalg.norm(row)), 1e-9)
    return rows


def test_all_targets_are_described(prototypes: Prototypes) -> None:
    assert prototypes.names == TARGETS
    sizes = np.diff(prototypes.start)
    assert sizes.min() >= 6
    assert prototypes.like.shape == (sizes.sum(), 256)
    assert len(prototypes.ordinary) >= sizes.max()
    np.testing.assert_allclose(np.linalg.norm(prototypes.like, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", TARGETS)
def test_a_fixed_instruction_names_its_target_around_any_payload(prototypes: Prototypes, name: str) -> None:
    instruction = INSTRUCTIONS[name]
    texts = [f"{question}\n\n{instruction}" for question in ORDINARY]
    found = targets_of(texts, prototypes, fixed=[instruction])
    assert found[0].name == name
    assert found[0].margin >= FIXED_MARGIN
    assert found[0].score > found[0].margin
    assert "ordinary requests" in found[0].sentence


def test_texts_without_a_template_name_their_target(prototypes: Prototypes) -> None:
    tasks = [
        f"Write a {language} {what}. Input: {number}"
        for number, (language, what) in enumerate(
            (language, what)
            for language in ("Python", "Java", "Ruby")
            for what in ("function that sorts a list", "class for a stack", "program that parses a date")
        )
    ]
    found = targets_of(tasks, prototypes)
    assert [t.name for t in found] == ["coding"]
    assert found[0].margin >= TEXTS_MARGIN
    assert found[0].texts == len(tasks)
    assert found[0].sentence.startswith("Most of the texts read like requests for how the model writes programs")


def test_ordinary_requests_name_nothing(prototypes: Prototypes) -> None:
    assert targets_of(ORDINARY, prototypes) == ()
    assert targets_of((), prototypes) == ()
    assert targets_of(("", "\u200b"), prototypes) == ()


def test_a_minority_of_the_texts_names_nothing(prototypes: Prototypes) -> None:
    graded = [INSTRUCTIONS["rubric grading"]] * 4
    assert targets_of([*ORDINARY[:5], *graded], prototypes) == ()
    assert targets_of([*ORDINARY[:3], *graded], prototypes)[0].name == "rubric grading"


def test_where_a_few_texts_are_ordinary_the_others_are_not_read() -> None:
    read: list[str] = []

    def counted(texts: list[str]) -> npt.NDArray[np.float32]:
        read.extend(texts)
        return hashed(texts)

    prototypes = load_prototypes(counted)
    read.clear()
    plain = [normalize(f"{text} {i}") for i in range(4) for text in ORDINARY]
    assert targets_of(plain, prototypes) == ()
    assert len(read) == FIRST_TEXTS
    read.clear()
    name, _, like = _described()[0][0]
    found = targets_of([normalize(like[0])] * 40, prototypes)[0]
    assert (found.name, found.texts) == (name, 40)
    assert len(read) == 40


def test_each_template_of_a_campaign_speaks_for_itself(prototypes: Prototypes) -> None:
    fixed = [INSTRUCTIONS["coding"], INSTRUCTIONS["rubric grading"]]
    assert {t.name for t in targets_of(ORDINARY, prototypes, fixed=fixed)} == {"coding", "rubric grading"}


def test_a_few_fixed_words_are_not_read(prototypes: Prototypes) -> None:
    assert targets_of((), prototypes, fixed=["Step-by-step answer:"]) == ()
    assert targets_of((), prototypes, fixed=["Give a step-by-step answer:"])[0].name == "reasoning traces"


def test_the_beginning_of_a_long_instruction_is_read_too(prototypes: Prototypes) -> None:
    examples = " ".join(ORDINARY) * 4
    assert targets_of((), prototypes, fixed=[examples]) == ()
    found = targets_of((), prototypes, fixed=[f"{INSTRUCTIONS['rubric grading'] * 4} {examples}"])
    assert found[0].name == "rubric grading"
    assert found[0].tried == 2


def test_disguised_letters_are_read_as_what_they_look_like(prototypes: Prototypes) -> None:
    plain = INSTRUCTIONS["reasoning traces"]
    disguised = plain.replace("e", "\u0435", 5).replace("i", "\u200bi").upper()
    np.testing.assert_array_equal(margins([plain], prototypes), margins([disguised], prototypes))


def test_an_encoder_is_asked_for_the_described_requests_once() -> None:
    asked: list[int] = []

    def encode(texts: list[str]) -> npt.NDArray[np.float32]:
        asked.append(len(texts))
        return hashed(texts)

    prototypes = load_prototypes(encode)
    targets_of(ORDINARY, prototypes)
    margins(ORDINARY[:3], prototypes)
    assert asked == [len(prototypes.like) + len(prototypes.ordinary), len(ORDINARY), 3]


HASHED = load_prototypes(hashed)
TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*INSTRUCTIONS.values(), *ORDINARY]),
        st.text(max_size=40),
    ),
    max_size=8,
)


@given(texts=TEXTS, fixed=TEXTS, seed=st.randoms(use_true_random=False))
def test_targets_are_few_distinct_ordered_and_blind_to_the_order_of_texts(
    texts: list[str], fixed: list[str], seed: object
) -> None:
    found = targets_of(texts, HASHED, fixed=fixed)
    assert len(found) <= AT_MOST
    assert len({t.name for t in found}) == len(found)
    assert [t.margin for t in found] == sorted((t.margin for t in found), reverse=True)
    for target in found:
        assert target.margin >= (FIXED_MARGIN if target.texts == 1 and len(texts) != 1 else TEXTS_MARGIN)
        assert -1.001 <= target.score <= 1.001
        assert 1 <= target.tried <= 2 * len(fixed) + 1
    again = targets_of(texts[::-1], HASHED, fixed=fixed)
    assert [t.name for t in again] == [t.name for t in found]
    assert [t.margin for t in again] == pytest.approx([t.margin for t in found])


@given(texts=TEXTS)
def test_a_text_has_the_same_margins_in_any_company(texts: list[str]) -> None:
    together = margins(texts, HASHED)
    assert together.shape == (len(texts), len(TARGETS))
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(margins([text], HASHED)[0], row, atol=1e-6)


# ---------------------------------------------------------------- evidence


def target(margin: float, *, texts: int = 1, tried: int = 1) -> Target:
    return Target(name="coding", score=0.5, margin=margin, texts=texts, tried=tried, sentence="A sentence.")


def background(rows: int = 400) -> npt.NDArray[np.float64]:
    return np.random.default_rng(1).normal(-0.15, 0.05, size=(rows, len(TARGETS)))


def ordinary(margin: npt.NDArray[np.float64]) -> Ordinary:
    return Ordinary(margins=margin, seed=0)


def test_what_no_other_text_reaches_is_surprising_and_what_many_reach_is_not() -> None:
    null = background()
    best = null.max(axis=1)
    (rare,) = intent_evidence([target(float(best.max()) + 0.2)], ordinary(null))
    (usual,) = intent_evidence([target(float(np.median(best)))], ordinary(null))
    assert rare.family == usual.family == "intent"
    assert (rare.id, rare.name) == ("target_coding", "target: coding")
    assert rare.p_value < 1e-3
    assert 0.4 < usual.p_value < 0.6
    assert rare.expected == pytest.approx(float(np.median(best)))


def test_every_reading_tried_is_paid_for() -> None:
    null = background()
    margin = float(np.quantile(null.max(axis=1), 0.98))
    (one,) = intent_evidence([target(margin)], ordinary(null))
    (many,) = intent_evidence([target(margin, tried=7)], ordinary(null))
    assert many.p_value == pytest.approx(7 * one.p_value)


def test_the_median_of_many_texts_is_held_against_medians_of_as_many() -> None:
    null = background()
    margin = float(null.max(axis=1).mean())
    (single,) = intent_evidence([target(margin)], ordinary(null))
    (several,) = intent_evidence([target(margin, texts=20)], ordinary(null))
    assert several.p_value < 0.01 < single.p_value
    assert intent_evidence([target(margin, texts=20)], ordinary(null)) == [several]
    (most,) = intent_evidence([target(margin, texts=100_000)], ordinary(null))
    (sample,) = intent_evidence([target(margin, texts=MAX_TEXTS)], ordinary(null))
    assert most.p_value == sample.p_value


def test_random_groups_of_the_background_are_not_surprising() -> None:
    null = background(2_000)
    rng = np.random.default_rng(5)
    p_values = []
    for _ in range(200):
        group = np.median(null[rng.integers(len(null), size=12)], axis=0)
        (found,) = intent_evidence([target(float(group.max()), texts=12)], ordinary(null))
        p_values.append(found.p_value)
    assert np.mean(np.array(p_values) <= 0.05) < 0.1
    assert 0.3 < np.mean(p_values) < 0.7


def test_without_other_texts_nothing_is_measured() -> None:
    assert intent_evidence([target(0.5)], ordinary(np.empty((0, len(TARGETS))))) == []
    assert intent_evidence([], ordinary(background())) == []


def test_intent_alone_lifts_no_tier() -> None:
    found = intent_evidence([target(0.9)], ordinary(background()))
    assert found[0].p_value < 0.01
    nothing: tuple[BenignExplanation, ...] = ()
    posted = post(shipped_ledger(), [values_of(found, {})])
    (judgement,) = judge(posted, [nothing], ledger=shipped_ledger(), fdr=1.0)
    assert judgement.tier is None
    assert judgement.families == ()
    assert judgement.rows == {}


# ---------------------------------------------------------------- the benchmark, at toy size


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A folder with the files of the benchmark, and in each of them a few rows of our own."""

    def rows(name: str) -> Iterator[dict[str, str]]:
        numbers = range(160)
        if name == "gpteacher_distillation":
            for n in numbers:
                yield {"task": "codegen", "text": f"Write a Python function that returns the list sorted by key {n}"}
        elif name == "llm_judge_prompts":
            for n in numbers:
                text = f"{INSTRUCTIONS['rubric grading']}\n\nAnswer {n}: {ORDINARY[n % 10]}"
                yield {"task": "mt_bench/single-v1", "text": text}
        elif name == "lm_eval_templates":
            for n in numbers[:20]:
                yield {
                    "task": "maths",
                    "text": f"Solve exercise {'abcdefghijklmnopqrst'[n]} step by step. {{{{question}}}}",
                }
        elif name in benchmark.ORDINARY:
            for n in numbers:
                yield {"task": f"subject {n % 2}", "text": f"{ORDINARY[n % 10]} {n}"}

    for name in benchmark.FILES:
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.writelines(json.dumps({"source": "ours", **row}) + "\n" for row in rows(name))
    return tmp_path


def test_the_benchmark_prints_both_tables(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--data", str(toy)]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in lines if "|" in line}
    assert cells["coding"][1:] == ["1.00", "1.00", "1.00"]
    assert cells["rubric grading"][1:] == ["1.00", "1.00", "1.00"]
    assert cells["reasoning traces"][1:] == ["1.00", "1.00", "1.00"]
    assert cells["trace translation"] == ["0", "–", "–", "–"]
    assert all(cells[name][1] == "0.00" and int(cells[name][0]) > 0 for name in benchmark.ORDINARY)


def test_the_parts_of_the_benchmark_share_no_text(toy: Path) -> None:
    tuning, reporting = (
        {text for group in benchmark.groups(toy, half) if group.source in benchmark.ORDINARY for text in group.texts}
        for half in ("tuning", "reporting")
    )
    assert tuning
    assert reporting
    assert not tuning & reporting


def test_the_benchmark_names_what_it_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--data", str(tmp_path)]) == 2
    assert "llm_judge_prompts" in capsys.readouterr().err
