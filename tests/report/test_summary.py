"""The table in the terminal."""

from __future__ import annotations

import dataclasses
import re

from harvestdetect import report
from harvestdetect.data import Detection, Reject
from harvestdetect.util.escape import INVISIBLE
from tests.report.making import make_detection

# ---------------------------------------------------------------- terminal


def test_summary_without_colour_has_no_escape_and_fits(detection: Detection) -> None:
    for width in (60, 80, 132):
        text = report.summary_table(detection, width=width, color=False)
        assert INVISIBLE.search(text) is None
        assert max(len(line) for line in text.splitlines()) <= width
        assert "[bold red]markup[/] :smile:" in " ".join(text.split())
        for part in (
            "urgent",
            "c-1",
            "about 99 %",
            "23",
            "160",
            "2026-03-01",
            "structure, time",
            "watch",
            "c-2",
            "9 rejects",
        ):
            assert part in " ".join(text.split())


def test_summary_in_colour_has_only_our_own_escapes(detection: Detection) -> None:
    text = report.summary_table(detection, width=100, color=True)
    assert "\x1b[1;31murgent" in text
    assert INVISIBLE.search(re.sub(r"\x1b\[(0|2|1;31|33|36)m", "", text)) is None


def test_summary_says_of_each_tier_in_use_how_many_may_be_innocent(detection: Detection) -> None:
    lines = report.summary_table(detection, width=132, color=False).splitlines()
    assert lines[-2:] == [
        "urgent: 1 finding; fewer than 0.1 expected to be innocent",
        "watch: 1 finding; as many innocent groups are expected",
    ]
    plain = report.summary_table(dataclasses.replace(detection, expected_false={}), width=132, color=False)
    assert plain.splitlines() == lines[:-2]


def test_summary_of_nothing_is_a_sentence() -> None:
    text = report.summary_table(dataclasses.replace(make_detection(), rejects=()), width=200, color=False)
    assert text == (
        "No campaign found; read 5,000 prompts of 700 accounts in 1 file, 9 rejects. "
        "A finding needs at least 10 accounts that send the same template.\n"
    )
    assert report.summary_table(make_detection(counts={}, settings={}), width=None, color=False)


def test_summary_says_why_rows_were_rejected() -> None:
    reasons = ["no prompt"] * 3 + ["no account"] * 2 + ["too long", "malformed JSON", "\x1b[31m"]
    rejects = tuple(Reject(file="d.jsonl", line=i, byte=None, reason=reason) for i, reason in enumerate(reasons))
    text = report.summary_table(dataclasses.replace(make_detection(), rejects=rejects), width=200, color=False)
    assert text.splitlines()[-1] == (
        "rejects (all are in rejects.jsonl): no prompt (3); no account (2); too long (1); 2 more reasons"
    )
