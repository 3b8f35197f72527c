"""What a search finds, by a text, by an account and by a shared value."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvestdetect.corpus.normalize import normalize
from harvestdetect.errors import InputError, UsageError
from harvestdetect.evidence.shared_values import tag_key
from harvestdetect.evidence.shared_values import tag_of as report_tag
from harvestdetect.search import Found, is_current, open_search
from harvestdetect.search.opened import Search
from harvestdetect.state import open_state
from harvestdetect.store.models import SEARCH, remove_indexes
from harvestdetect.store.vectors import VectorCache
from harvestdetect.util.arrays import Floats32, unit
from tests.search import worlds
from tests.search.conftest import Place
from tests.state.nights import FORMS

ROWS = worlds.rows()
QUESTION = FORMS["one"].format("velvet", "mountains", "whispers")
"""Another filling of the campaign's template, which nobody sent."""


def indexes(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / SEARCH).glob("*"))


def campaign_of(place: Place) -> str:
    found = [json.loads(line)["campaign_id"] for line in (place.out / "campaigns.jsonl").read_text().splitlines()]
    assert len(found) == 1
    return str(found[0])


def test_the_mates_of_a_template_are_found_with_their_accounts_and_their_campaign(opened: Search, place: Place) -> None:
    found = opened.nearest(QUESTION, top=100)
    pool = {f"one-{i}" for i in range(worlds.POOL)}
    assert {one.account for one in found.accounts} == pool
    assert found.account_count == worlds.POOL
    assert found.prompts == worlds.SENT * worlds.POOL
    assert all(set(hit.senders) <= pool for hit in found.hits[: found.prompts])
    assert [(one.campaign_id, one.accounts) for one in found.campaigns] == [(campaign_of(place), worlds.POOL)]
    assert not any(hit.exact for hit in found.hits)
    assert found.hits[0].file == str(place.dump / "a.jsonl")
    assert ROWS[found.hits[0].line - 1]["account"] in found.hits[0].senders


@given(row=st.sampled_from(ROWS), by=st.sampled_from(["wording", "exact"]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_same_text_comes_first(opened: Search, row: dict[str, str], by: str) -> None:
    found = opened.nearest(row["prompt"].upper(), top=3, by=by, reveal=True)  # type: ignore[arg-type]
    first = found.hits[0]
    assert first.exact
    assert normalize(first.text) == normalize(row["prompt"])
    senders = {other["account"] for other in ROWS if normalize(other["prompt"]) == normalize(row["prompt"])}
    assert set(first.senders) == senders
    assert first.accounts == len(senders)
    assert first.similarity == 1.0


def test_who_else_sends_this_text(opened: Search) -> None:
    found = opened.nearest(worlds.TWICE, by="exact")
    assert [(hit.prompts, hit.accounts, hit.exact) for hit in found.hits] == [(2, 2, True)]
    assert sorted(one.account for one in found.accounts) == ["person-0-1", "person-0-2"]


def test_a_text_that_nobody_sent_is_near_nobody(opened: Search) -> None:
    found = opened.nearest("Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich")
    assert (found.prompts, found.accounts, found.campaigns) == (0, (), ())
    assert found.hits
    assert found.hits[0].similarity < 0.8
    assert opened.nearest("nobody wrote this", by="exact").hits == ()


def test_what_an_account_sends_and_shares(opened: Search) -> None:
    found = opened.of_account("person-0-1", top=50, reveal=True)
    own = [row["prompt"] for row in ROWS if row["account"] == "person-0-1"]
    assert sorted(normalize(hit.text) for hit in found.hits) == sorted({normalize(text) for text in own})
    assert {one.account: one.prompts for one in found.accounts} == {"person-0-1": len(own), "person-0-2": 1}
    values = {one.field: one for one in opened.of_account("one-3").values}
    assert values["payment"].accounts == 8
    assert values["payment"].shown == "4242…"
    assert values["network"].accounts == worlds.POOL
    assert "ip" not in values  # nobody else has its address


def test_who_shares_a_card_by_its_value_and_by_its_tag(opened: Search) -> None:
    tag = next(one.tag for one in opened.of_account("one-3").values if one.field == "payment")
    by_tag, by_value = opened.sharing(tag), opened.sharing("4242-0000-0")
    assert by_tag == by_value
    assert sorted(one.account for one in by_tag.accounts) == sorted(f"one-{i}" for i in range(8))
    assert [one.tag for one in by_tag.values] == [tag]
    assert opened.sharing(tag.replace("#", " #").upper()) == by_tag
    assert "4242-0000" not in str(by_tag.values)
    assert opened.sharing("203.0.113.*").account_count == worlds.POOL


def test_a_network_may_be_in_the_notation_of_exports(opened: Search) -> None:
    for given_as in ("203.0.113.0/24", " 203.0.113.77/24 "):
        assert opened.sharing(given_as) == opened.sharing("203.0.113.*")
    for wide in ("203.0.0.0/16", "203.0.113.7/32", "2001:db8::/32"):
        with pytest.raises(InputError, match="got one with /"):
            opened.sharing(wide)
    for nothing in ("203.0.112.0/24", "2001:db8:1::/48", "a/b", "203.0.113.0/x", "/"):
        with pytest.raises(InputError, match="no prompt of the window has"):
            opened.sharing(nothing)


def test_who_shares_a_value_by_its_tag_in_the_report(opened: Search) -> None:
    cards = sorted({str(row["payment"]) for row in ROWS if "payment" in row})
    tag = report_tag("payment", cards[1], tag_key(pa.array(cards)))
    for given_as in (tag, f"4242… {tag}"):
        assert opened.sharing(given_as) == opened.sharing(cards[1])


def test_texts_are_hidden_unless_they_are_revealed(opened: Search) -> None:
    hidden, open_ = (opened.nearest(worlds.HOSTILE, top=1, reveal=reveal).hits[0].text for reveal in (False, True))
    assert "bob@example.org" in open_
    assert "bob@example.org" not in hidden
    assert "[e-mail]" in hidden


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), (" \u200b\n", "is empty"), ("x" * 1_000_001, "1,000,001 characters")]
)
def test_a_text_that_says_nothing_is_refused(opened: Search, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        opened.nearest(text)


def test_what_is_not_there_is_said(opened: Search) -> None:
    with pytest.raises(InputError, match="the nearest: one-3"):
        opened.of_account("one-33")
    with pytest.raises(InputError, match="no prompt of the window has the value or tag"):
        opened.sharing("card#0000")
    with pytest.raises(UsageError, match="top must be from 1"):
        opened.nearest("lamp", top=0)
    with pytest.raises(UsageError, match="by must be one of wording, meaning, exact, got 'foo'"):
        opened.nearest("lamp", by="foo")  # type: ignore[arg-type]


def test_a_closed_search_says_so(place: Place) -> None:
    search = open_search(place.out)
    search.close()
    with pytest.raises(UsageError, match="is closed"):
        search.nearest("lamp")


class Letters:
    """An encoder that compares texts by their letters."""

    digest = "f" * 64
    dimensions = 26

    def encode(self, texts: Sequence[str]) -> Floats32:
        return unit(
            np.array([[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts], np.float32)
        )


def test_by_meaning_only_texts_with_a_vector_are_compared(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvestdetect.search.opened.load_encoder", lambda *_, **__: Letters())
    with open_search(place.out) as search:
        search._place = dataclasses.replace(search.place, settings=search.place.settings.replace(cache=tmp_path))
        with pytest.raises(InputError, match="run the scan again with --encoder full"):
            search.nearest(QUESTION, by="meaning")
        index, encoder = search._index, Letters()
        for step in (2, 1):  # a later scan may have embedded more of the texts
            some = np.arange(0, len(index.text), step)
            vectors = encoder.encode([index.text[i] for i in some.tolist()]).astype(np.float16)
            VectorCache(tmp_path, Letters.digest).put(index.digest[some], vectors)
            search._meaning = None
            found = search.nearest(QUESTION, by="meaning", reveal=True)
            assert (found.searched.texts, found.searched.all_texts) == (len(some), len(index.text))
            cosine = vectors.astype(np.float32) @ encoder.encode([QUESTION])[0]
            assert found.hits[0].similarity == pytest.approx(float(cosine.max()), abs=2e-3)
            assert found.hits[0].text == index.text[int(some[int(cosine.argmax())])]
    remove_indexes(place.work)


# ---------------------------------------------------------------- the window


def without_places(found: Found) -> Found:
    """An answer without what depends on the division into files."""
    hits = tuple(dataclasses.replace(hit, file="", line=0) for hit in found.hits)
    return dataclasses.replace(found, hits=hits, searched=dataclasses.replace(found.searched, files=0))


def test_neither_the_order_of_rows_nor_their_files_change_an_answer(
    opened: Search, tmp_path: Path, cache: Path
) -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    worlds.write(tmp_path / "dump" / "x.jsonl", shuffled[:100])
    worlds.write(tmp_path / "dump" / "y.jsonl", shuffled[100:])
    worlds.scan(tmp_path / "dump", tmp_path / "out", tmp_path / "work", cache)
    with open_search(tmp_path / "out") as other:
        for text in (QUESTION, worlds.TWICE, ROWS[5]["prompt"]):
            assert without_places(other.nearest(text)) == without_places(opened.nearest(text))
        assert without_places(other.of_account("one-1")) == without_places(opened.of_account("one-1"))


def test_the_index_follows_the_window(tmp_path: Path, cache: Path) -> None:
    dump, out, work = tmp_path / "dump", tmp_path / "out", tmp_path / "work"
    worlds.write(dump / "a.jsonl", ROWS)
    worlds.scan(dump, out, work, cache)
    told: list[str] = []
    with open_search(out, notes=told.append) as before:
        assert len(told) == 1
        first = indexes(work)
        with open_search(out, notes=told.append):
            assert (len(told), indexes(work)) == (1, first)
        new = "Who painted the ceiling of the old railway station in Ghent?"
        worlds.write(dump / "b.jsonl", [{"account": "late", "timestamp": worlds.START, "prompt": new}])
        worlds.scan(dump, out, work, cache)
        assert not is_current(before)
        with open_search(out) as after:
            assert is_current(after)
            assert after.nearest(new).hits[0].senders == ("late",)
            assert len(indexes(work)) == 1
            assert indexes(work) != first
        assert before.nearest(QUESTION).prompts == worlds.SENT * worlds.POOL  # its files are mapped and stay readable


def test_a_work_folder_is_searched_without_campaigns(place: Place, opened: Search) -> None:
    with open_search(place.work) as search:
        found = search.nearest(QUESTION)
        assert found.campaigns == ()
        assert found.accounts == tuple(
            dataclasses.replace(one, campaigns=()) for one in opened.nearest(QUESTION).accounts
        )
        assert "knows no campaigns" in found.notes[0]


def test_a_state_is_searched_and_an_erased_account_is_gone(tmp_path: Path, cache: Path) -> None:
    from harvestdetect import Settings, write_outputs

    folder, file = tmp_path / "state", worlds.write(tmp_path / "a.jsonl", ROWS)
    with open_state(folder, write=True) as state:
        run = state.scan(
            [file], settings=Settings(fdr=0.5, encoder="fast", workers=1, threads=1, cache=cache),
            now=worlds.START + 7 * worlds.DAY,
        )  # fmt: skip
        campaign = state.campaigns()[0].campaign_id
    write_outputs(run.detection, tmp_path / "out")
    with open_search(tmp_path / "out") as search:
        assert [one.campaign_id for one in search.nearest(QUESTION).campaigns] == [campaign]
    with open_search(folder) as search:
        found = search.nearest(QUESTION)
        assert [one.campaign_id for one in found.campaigns] == [campaign]
        assert search.of_account("one-2").prompts == worlds.SENT
    assert len(indexes(folder)) == 1
    with open_state(folder, write=True) as state:
        state.review(campaign, "benign", reviewer="ann")
    for place in (folder, tmp_path / "out"):
        with open_search(place) as search:
            assert [one.tier for one in search.nearest(QUESTION).campaigns] == ["watch"], "after verdicts"
    with open_state(folder, write=True) as state:
        assert state.undo(campaign, reviewer="ann").tier != "watch"
    with open_search(folder) as search:
        assert [one.tier for one in search.nearest(QUESTION).campaigns] != ["watch"]
    with open_state(folder, write=True) as state:
        state.forget("one-2")
    assert indexes(folder) == []
    with open_search(folder) as search, pytest.raises(InputError, match="no prompt of the window is of the account"):
        search.of_account("one-2")


def test_prompts_that_left_the_window_are_not_kept(tmp_path: Path, cache: Path) -> None:
    from harvestdetect import Settings

    wanted = Settings(encoder="fast", workers=1, threads=1, cache=cache)
    folder, late = tmp_path / "state", worlds.START + 60 * worlds.DAY
    old = worlds.write(tmp_path / "a.jsonl", ROWS)
    new = worlds.write(tmp_path / "b.jsonl", [{**row, "timestamp": late} for row in worlds.rows(7, people=30)])
    with open_state(folder, write=True) as state:
        state.scan([old], settings=wanted, now=worlds.START + 7 * worlds.DAY)
    open_search(folder).close()
    assert len(indexes(folder)) == 1
    with open_state(folder, write=True) as state:
        state.scan([new], settings=wanted, now=late + worlds.DAY)
    assert indexes(folder) == []
    with open_search(folder) as search:
        assert search.nearest(worlds.TWICE, by="exact").accounts[0].account == "person-7-1"
        assert search.nearest(ROWS[0]["prompt"], by="exact").hits == ()
