"""Accounts that send what known campaigns sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import Attributed
from harvestdetect.judge.attribute import Signature

pytestmark = pytest.mark.usefixtures("loaded_once")

FORM = "Rate the following essay about {} from one to ten and explain each point you take off it"
SIGNATURE = Signature(campaign="c-1", words=("rate the following essay about", None, "from one to ten"))
LONG = Signature(
    campaign="c-2", words=("rate the following essay about", None, "from one to ten and explain each point")
)


def row(account: str, prompt: str, time: int = 1_780_272_000) -> dict[str, Any]:
    return {"account": account, "timestamp": time, "prompt": prompt}


@pytest.fixture
def found(tmp_path: Path, cache: Path) -> Any:
    settings = Settings(encoder="fast", workers=1, cache=cache)

    def scan(rows: list[dict[str, Any]], signatures: list[Signature], **more: Any) -> tuple[Attributed, ...]:
        file = tmp_path / "dump.jsonl"
        file.write_text("".join(json.dumps(r) + "\n" for r in rows))
        return detect(read_dumps([file]), settings=settings, signatures=signatures, **more).attributed

    return scan


def test_who_fills_a_known_template_twice_is_told(found: Any) -> None:
    rows = [row("new", FORM.format(what), 1_780_272_000 + i) for i, what in enumerate(("rivers", "clouds"))]
    rows += [row("once", FORM.format("stones")), row("other", "What is a good essay about rivers?")]
    (one,) = found(rows, [SIGNATURE])
    assert one == Attributed(
        campaign_id="c-1", account="new", prompts=2, first_seen=1_780_272_000, last_seen=1_780_272_001
    )


def test_one_prompt_is_enough_for_a_rigid_template(found: Any) -> None:
    (one,) = found([row("x", FORM.format("sand")), row("y", "hello there")], [SIGNATURE, LONG])
    assert (one.campaign_id, one.account, one.prompts) == ("c-2", "x", 1)


def test_few_words_are_no_signature(found: Any) -> None:
    rows = [row("a", "tell me about rivers"), row("a", "tell me about clouds")]
    assert found(rows, [Signature(campaign="c-1", words=("tell me about", None))]) == ()


def test_a_text_longer_than_what_is_read_is_not_believed(found: Any) -> None:
    long = " ".join(f"word{i % 97} of a long tale" for i in range(900))
    assert found([row("a", long), row("a", f"{long} again")], [SIGNATURE]) == ()


def test_only_what_is_new_counts(found: Any) -> None:
    rows = [row("old", FORM.format(w), 1_780_000_000) for w in ("rivers", "clouds")]
    rows += [row("new", FORM.format(w), 1_780_272_000) for w in ("stones", "lamps")]
    assert {a.account for a in found(rows, [SIGNATURE])} == {"old", "new"}
    assert [a.account for a in found(rows, [SIGNATURE], new_since=1_780_100_000)] == ["new"]


def test_a_template_without_blanks_is_known_again(found: Any) -> None:
    form = "ให้คะแนนเรียงความต่อไปนี้เกี่ยวกับ{}จากหนึ่งถึงสิบและอธิบายทุกข้อที่หักคะแนน"
    signature = Signature(campaign="c-3", words=("ให้คะแนนเรียงความต่อไปนี้เกี่ยวกับ", None, "จากหนึ่งถึงสิบและอธิบายทุกข้อที่หักคะแนน"))
    rows = [
        row("new", form.format("แม่น้ำ")),
        row("other", "อยากรู้เรื่องกล้วยไม้แขกจะมา"),
        row("third", "ทำไมพัดลมยากจังพังสองครั้ง"),
    ]
    assert [one.account for one in found(rows, [signature])] == ["new"]
