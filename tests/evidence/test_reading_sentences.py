"""What readings say in words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.evidence.reading_sentences import SENTENCES, reading_sentence
from harvestdetect.evidence.readings import READINGS
from harvestdetect.util.amounts import FEW, MOST


def test_every_reading_has_a_sentence_and_no_other() -> None:
    assert set(SENTENCES) == {reading.id for reading in READINGS}
    assert reading_sentence("unheard_of", 1.0) == ""


@given(st.sampled_from(sorted(SENTENCES)), st.floats(-40, 40))
def test_a_sentence_is_one_sentence_for_any_value(id_: str, value: float) -> None:
    said = reading_sentence(id_, value)
    assert said[0].isupper() or said[0] in "-0123456789"
    assert said.endswith(".")
    assert "nan" not in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("id_", "value", "said"),
    [
        ("copies", math.log2(FEW), "5% or less of the prompts repeat an earlier one word for word."),
        ("copies", math.log2(0.4), "40% of the prompts repeat an earlier one word for word."),
        (
            "near_copies", math.log2(0.21),
            "Half of the prompts have one of another account at 20% of the usual distance or nearer; 0% is a copy.",
        ),
        ("words", math.log2(28), "The median prompt has 27 words."),
        ("template", 0.0, "The prompts share a subject, and no template."),
        ("template", 1.0, "The prompts share a template."),
        ("load", math.log2(0.26), "The load is 0.25 times as uneven as that of independent users."),
        ("busiest", math.log2(1.5), "The 3 busiest accounts sent 1.5 times an even share of the prompts."),
        ("shared_items", 0.4, "Two prompts of one account are no less alike than if they were dealt at random."),
        (
            "shared_items", 3.1,
            "Two prompts of one account are less alike, by 3.1 standard deviations, than if they were dealt at random, "
            "as where each account works through the same items.",
        ),
        ("days", math.log2(0.4), "Nine tenths of the prompts came within 40% of the days of the dump."),
        ("few", MOST, "The 3 busiest accounts sent 50% of the prompts or less."),
        ("few", 0.7, "The 3 busiest accounts sent 70% of the prompts."),
        *(
            (
                "own_data", value,
                f"Two prompts of one account are {more} than two of different accounts. This is the smallest of "
                "up to three comparisons: within each template, within each of its subjects, and without the words "
                "that an account uses in nearly all of its prompts.",
            )
            for value, more in ((0.0, "no more alike"), (0.3, "more alike by a cosine of 0.30 at most"))
        ),
    ],
)  # fmt: skip
def test_a_sentence_has_the_figure_that_people_know(id_: str, value: float, said: str) -> None:
    assert reading_sentence(id_, value) == said
