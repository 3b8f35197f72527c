"""What scheduled scans remember: the window, ids, verdicts, and that nothing is lost, doubled or left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect import Settings
from harvestdetect.cli.main import main
from harvestdetect.data import Attributed
from harvestdetect.dump import read_dumps
from harvestdetect.errors import InputError, LockedError, SettingsError, StateError, UsageError
from harvestdetect.state import State, open_state
from harvestdetect.state.identity import Known, Matched, Seen, match, words_of
from harvestdetect.state.reconcile import reconcile
from harvestdetect.state.store import DATABASE
from harvestdetect.store.tables import kept_digests
from tests.faults.server import Server

FAST = Settings(encoder="fast", workers=1, threads=1)
DAY = 86_400
START = 1_780_272_000
"""2026-06-01."""


def told(account: str, at: int, prompt: str, **more: Any) -> dict[str, Any]:
    return {"account": account, "timestamp": at, "prompt": prompt, **more}


WORDS = (
    *("river", "stone", "lamp", "cloud", "garden", "engine", "paper", "violin"),
    *("copper", "window", "market", "shadow", "bridge", "candle", "forest", "ladder"),
    *("mirror", "needle", "orange", "pepper", "quartz", "rabbit", "saddle", "tunnel"),
    *("umbrella", "velvet", "walnut", "yellow", "zipper", "anchor", "basket"),
)


def people(rng: random.Random, day: int, count: int = 120) -> list[dict[str, Any]]:
    """What people ask on a day, each in words of their own."""
    return [
        told(
            f"person-{rng.randrange(60)}", START + day * DAY + rng.randrange(DAY),
            " ".join(rng.sample(WORDS, 9)) + f" {rng.choice(['please', 'thanks', 'why', 'how'])}?",
        )
        for _ in range(count)
    ]  # fmt: skip


def pool(rng: random.Random, day: int, name: str, accounts: int = 16, each: int = 3) -> list[dict[str, Any]]:
    """What a pool of accounts harvests on a day."""
    form = "Solve the following {} exam question step by step and grade your own reasoning from one to ten: {} and {}"
    return [
        told(
            f"{name}-{i}", START + day * DAY + rng.randrange(DAY),
            form.format(rng.choice(WORDS), rng.choice(WORDS), rng.choice(WORDS)),
        )
        for i in range(accounts)
        for _ in range(each)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """Writes a day of a kind: without harvest, or with that of pool one or two."""
    folder = tmp_path_factory.mktemp("days")

    def day(kind: str, number: int) -> Path:
        file = folder / f"{number:03d}-{kind or 'plain'}.jsonl"
        if not file.exists():
            rng = random.Random(number)
            rows = people(rng, number)
            for name in filter(None, kind.split("+")):
                rows += pool(rng, number, name)
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return file

    return day


@pytest.fixture
def cached(cache: Path) -> Settings:
    return FAST.replace(cache=cache)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(tmp_path / "state", write=True) as opened:
        yield opened


def now(day: int) -> int:
    return START + (day + 1) * DAY


# ---------------------------------------------------------------- the window


def test_a_file_is_read_once_whatever_it_is_called(
    state: State, days: Callable[[str, int], Path], cached: Settings, tmp_path: Path
) -> None:
    first = state.scan([days("", 0)], settings=cached, now=now(0))
    copy = tmp_path / "another.jsonl"
    copy.write_bytes(days("", 0).read_bytes())
    second = state.scan([copy], settings=cached, now=now(0))
    assert (first.new_files, first.new_rows) == (1, 120)
    assert (second.new_files, second.known_files, second.new_rows) == (0, 1, 0)
    assert second.detection.counts["prompts"] == first.detection.counts["prompts"] == 120
    assert any("read before" in note for note in second.detection.notes)


def test_what_left_the_window_is_gone(state: State, days: Callable[[str, int], Path], cached: Settings) -> None:
    for day in range(6):
        run = state.scan([days("", day)], settings=cached, window="2d", now=now(day))
    assert run.window_start is not None
    assert run.detection.counts["prompts"] < 3 * 120 + 1
    assert run.detection.counts["first_seen"] >= run.window_start
    assert len(list((state.folder / "read").glob("*.shard"))) <= 4
    again = state.scan([days("", 0)], settings=cached, window="2d", now=now(5))
    assert again.new_files == 0, "a file that left is not read again"
    longer = state.scan([days("", 0)], settings=cached, window="30d", now=now(5))
    assert longer.new_files == 1, "unless the window became longer"


def test_a_window_is_what_one_scan_of_its_prompts_is(
    state: State, days: Callable[[str, int], Path], cached: Settings, tmp_path: Path
) -> None:
    for day in range(5):
        run = state.scan([days("one" if day > 1 else "", day)], settings=cached, window="3d", now=now(day))
    assert run.window_start is not None
    rows = [
        json.loads(line) for day in range(5) for line in days("one" if day > 1 else "", day).read_text().splitlines()
    ]
    whole = tmp_path / "whole.jsonl"
    whole.write_text("".join(json.dumps(r) + "\n" for r in rows if r["timestamp"] >= run.window_start))
    from harvestdetect import detect, read_dumps

    once = detect(read_dumps([whole]), settings=cached)
    assert run.detection.counts["prompts"] == once.counts["prompts"]
    members = [{m.account for m in f.members} for d in (run.detection, once) for f in d.findings if f.tier != "watch"]
    assert len(members) == 2
    assert len(members[0] & members[1]) >= 0.95 * len(members[0] | members[1])


def test_a_time_in_the_future_moves_no_window(state: State, cached: Settings, tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    rows = [told(f"a{i}", START + i, f"words of {WORDS[i]}") for i in range(20)]
    file.write_text(
        "".join(json.dumps(r) + "\n" for r in [*rows, told("late", START + 4_000 * DAY, "from the future")])
    )
    run = state.scan([file], settings=cached, window="2d", now=now(0))
    assert run.detection.counts["prompts"] == 21
    assert run.window_end is not None
    assert run.window_end < START + DAY


# ---------------------------------------------------------------- identity


def test_a_campaign_keeps_its_id_while_its_accounts_are_replaced(
    state: State, days: Callable[[str, int], Path], cached: Settings
) -> None:
    kinds = [*["one"] * 4, *[""] * 6, *["two"] * 3]
    runs = [state.scan([days(k, d)], settings=cached, window="5d", now=now(d)) for d, k in enumerate(kinds)]
    campaigns = [c for c in state.campaigns() if c.tier != "watch"]
    assert len(campaigns) == 1
    identity = campaigns[0].campaign_id
    statuses = [next((c.status for c in r.changes if c.campaign_id == identity), None) for r in runs]
    assert next(s for s in statuses if s) == "new"
    assert "growing" in statuses[:4]
    assert statuses[9] == "quiet"
    assert statuses[10] == "back", "the first day of the second pool is told as the campaign's"
    members = state.members(identity)
    assert {f"{name}-{i}" for name in ("one", "two") for i in range(16)} <= set(members)
    assert sum(m.startswith("person") for m in members) == 0
    assert [e.what for e in state.events(identity)].count("new") == 1
    assert sum(d.prompts for d in state.history(identity)) >= 7 * 16 * 3 * 0.9


def test_a_campaign_is_news_only_in_the_run_that_found_it(
    state: State, days: Callable[[str, int], Path], cached: Settings
) -> None:
    state.scan([days("one", 0)], settings=cached, now=now(0))
    first = state.scan([days("one", 1)], settings=cached, now=now(1))
    again = state.scan([days("one", 1)], settings=cached, now=now(1))
    known = {f.campaign_id for f in first.detection.findings}
    assert known
    found = {f.campaign_id: f.standing for f in again.detection.findings}
    assert known <= set(found)
    assert all(standing is not None and not standing.fresh for name, standing in found.items() if name in known)
    more = state.scan([days("one", 2)], settings=cached, now=now(2))
    assert any(f.standing is not None and f.standing.fresh for f in more.detection.findings)


@given(data=st.data())
def test_matching_does_not_depend_on_order(data: st.DataObject) -> None:
    accounts = st.frozensets(st.sampled_from([f"a{i}" for i in range(14)]), min_size=1)
    seen = [Seen(accounts=a, templates=()) for a in data.draw(st.lists(accounts, max_size=4, unique=True))]
    ages = st.none() | st.integers(0, 3)
    known = [
        Known(campaign=f"c{i}", accounts=a, templates=(), detected=data.draw(ages))
        for i, a in enumerate(data.draw(st.lists(accounts, max_size=4)))
    ]
    first = match(seen, known)
    order = data.draw(st.permutations(range(len(seen))))
    second = match([seen[i] for i in order], data.draw(st.permutations(known)))
    assert [first.campaign[i] for i in order] == list(second.campaign)
    assert dict(first.merged) == dict(second.merged)
    held = [c for c in first.campaign if c is not None]
    assert len(held) == len(set(held)), "no campaign goes on twice"
    assert not set(first.merged) & set(held)
    assert set(first.merged.values()) <= set(held)
    assert all(first.campaign[i] is None for i in first.split_from)
    young = match(seen, [replace(one, detected=None) for one in known])
    assert {i for i, c in enumerate(first.campaign) if c} == {i for i, c in enumerate(young.campaign) if c}
    assert set(first.split_from) == set(young.split_from)
    assert len(first.merged) == len(young.merged), "an age decides which id stays, not what is one campaign"


def test_a_finding_that_holds_several_campaigns_takes_the_oldest_id() -> None:
    parts = [frozenset(f"{name}{i}" for i in range(size)) for name, size in (("a", 6), ("b", 9), ("c", 7))]

    def known(*detected: int | None) -> list[Known]:
        return [
            Known(campaign=f"c-{i}", accounts=part, templates=(), detected=at)
            for i, (part, at) in enumerate(zip(parts, detected, strict=True))
        ]

    whole = [Seen(accounts=frozenset[str]().union(*parts), templates=())]
    assert match(whole, known(1, 2, 3)) == Matched(campaign=("c-0",), merged={"c-1": "c-0", "c-2": "c-0"})
    assert match(whole, known(3, 2, 1)) == Matched(campaign=("c-2",), merged={"c-0": "c-2", "c-1": "c-2"})
    assert match(whole, known(2, 2, 2)).campaign == ("c-1",), "of equal ages, the one with most accounts"
    assert match(whole, known(None, 2, 3)).campaign == ("c-1",), "one that was judged benign does not take it over"
    assert match(whole, known(1, None, 3)).campaign == ("c-1",)
    # some accounts of an older campaign are not the campaign
    strays = [Seen(accounts=parts[1] | set(sorted(parts[0])[:2]) | set(sorted(parts[2])[:3]), templates=())]
    assert match(strays, known(1, 2, 0)) == Matched(campaign=("c-1",), merged={"c-2": "c-1"})


def test_what_was_split_off_is_told_under_the_oldest_id() -> None:
    old, young = frozenset(f"a{i}" for i in range(6)), frozenset(f"b{i}" for i in range(30))
    known = [
        Known(campaign="c-old", accounts=old, templates=(), detected=1),
        Known(campaign="c-young", accounts=young, templates=(), detected=2),
    ]
    first, second = sorted(young)[:20], sorted(young)[20:]
    seen = [Seen(accounts=old | set(first), templates=()), Seen(accounts=frozenset(second), templates=())]
    assert match(seen, known) == Matched(campaign=("c-old", None), split_from={1: "c-old"}, merged={"c-young": "c-old"})


def test_findings_that_differ_in_one_account_are_told_apart_in_either_order() -> None:
    known = [Known(campaign="c-1", accounts=frozenset({"a", "b", "c"}), templates=())]
    one, other = (Seen(accounts=frozenset({"a", "b", "c", "d", last}), templates=()) for last in ("e", "f"))
    assert match([one, other], known).campaign == ("c-1", None)
    assert match([other, one], known).campaign == (None, "c-1")


def test_campaigns_merge_and_come_apart() -> None:
    def of(*names: str) -> frozenset[str]:
        return frozenset(names)

    a, b = of(*(f"a{i}" for i in range(8))), of(*(f"b{i}" for i in range(5)))
    known = [Known(campaign="c-a", accounts=a, templates=()), Known(campaign="c-b", accounts=b, templates=())]
    assert match([Seen(accounts=a | b, templates=())], known) == Matched(campaign=("c-a",), merged={"c-b": "c-a"})
    both = [Known(campaign="c-ab", accounts=a | b, templates=())]
    apart = match([Seen(accounts=b, templates=()), Seen(accounts=a, templates=())], both)
    assert apart == Matched(campaign=(None, "c-ab"), split_from={0: "c-ab"})


def test_what_else_its_accounts_send_does_not_take_a_campaign_over() -> None:
    words = words_of(("solve the following exam question step by step and grade", None, "your reasoning"))
    own = frozenset(f"a{i}" for i in range(20))
    known = [Known(campaign="c-1", accounts=own | {f"p{i}" for i in range(9)}, templates=(words,))]
    harvest = Seen(accounts=own, templates=(words,))
    besides = Seen(accounts=own | {f"p{i}" for i in range(9)}, templates=())
    assert match([besides, harvest], known) == Matched(campaign=(None, "c-1"), split_from={0: "c-1"})
    # of a template alone, which others may copy, and the accounts, the accounts tell
    copied = Seen(accounts=frozenset(f"x{i}" for i in range(40)), templates=(words,))
    assert match([copied, besides], known) == Matched(campaign=(None, "c-1"), split_from={0: "c-1"})


def test_a_template_without_blanks_tells_a_campaign_again() -> None:
    known = Known(
        campaign="c-1", accounts=frozenset({"x"}), templates=(words_of(("请逐步思考以下主题，然后给出答案：", None)),)
    )
    reworded = Seen(accounts=frozenset({"y"}), templates=(words_of(("请逐步思考以下主题，再给出答案：", None)),))
    other = Seen(accounts=frozenset({"z"}), templates=(words_of(("帮我看看象棋开局吧，我已经搜过了，谢谢", None)),))
    assert match([reworded, other], [known]).campaign == ("c-1", None)


def test_a_template_tells_a_campaign_again() -> None:
    words = words_of(("solve the following exam question step by step and grade", None, "your reasoning"))
    known = [Known(campaign="c-1", accounts=frozenset({"x"}), templates=(words,))]
    other = words_of(("solve the following exam question step by step and grade", None, "the reasoning"))
    assert match([Seen(accounts=frozenset({"y"}), templates=(other,))], known).campaign == ("c-1",)
    short = words_of(("solve it",))
    assert match(
        [Seen(accounts=frozenset({"y"}), templates=(short,))],
        [Known(campaign="c-1", accounts=frozenset({"x"}), templates=(short,))],
    ).campaign == (None,)


def test_a_finding_of_accounts_that_fill_a_known_template_is_that_campaign(
    state: State, days: Callable[[str, int], Path], cached: Settings
) -> None:
    run = state.scan([days("one", 0)], settings=cached, window="5d", now=now(0))
    (identity,) = [f.campaign_id for f in run.detection.findings if f.tier != "watch"]
    finding = next(f for f in run.detection.findings if f.campaign_id == identity)
    # other accounts, and a template that came out otherwise
    members = tuple(replace(m, account=f"new-{i}") for i, m in enumerate(finding.members))
    templates = tuple(replace(t, words=("something else",)) for t in finding.templates)
    other = replace(finding, campaign_id="c-other", members=members, templates=templates)
    senders = tuple(
        Attributed(campaign_id=identity, account=m.account, prompts=2, first_seen=now(0), last_seen=now(0))
        for m in members
    )
    detection = replace(run.detection, findings=(other,), attributed=())
    assert reconcile(state._store, detection, now=now(1)).detection.findings[0].campaign_id == "c-other"
    again = reconcile(state._store, replace(detection, attributed=senders), now=now(1))
    assert [f.campaign_id for f in again.detection.findings] == [identity]
    (change,) = [c for c in again.changes if c.campaign_id == identity]
    assert change.new_accounts == len(members), "to the state they are new all the same"


# ---------------------------------------------------------------- verdicts


def test_a_benign_verdict_holds_a_campaign_down_until_it_expires(
    state: State, days: Callable[[str, int], Path], cached: Settings
) -> None:
    for day in range(3):
        run = state.scan([days("one", day)], settings=cached, now=now(day))
    (campaign,) = [c for c in state.campaigns() if c.tier != "watch"]
    given_ = state.review(
        campaign.campaign_id, "benign", note="a class of students", reviewer="ann", expires="2d", now=now(2)
    )
    assert given_.tier == campaign.tier
    run = state.scan([days("one", 3)], settings=cached, now=now(3))
    (finding,) = [f for f in run.detection.findings if f.campaign_id == campaign.campaign_id]
    assert finding.tier == "watch"
    assert finding.standing is not None
    assert "ann judged it benign" in finding.standing.verdict
    assert finding.benign_explanations[-1].sentence == finding.standing.verdict
    (uncapped,) = {c.uncapped for c in run.detection.candidates if c.campaign_id == campaign.campaign_id}
    without = {"urgent": "urgent", "review": "at review"}[uncapped or ""]
    assert finding.changes[0] == f"It would be {without} without the verdict."
    assert all(change.startswith("It would be no finding") for change in finding.changes[1:])
    assert finding.members
    assert not any(member.recommended for member in finding.members)
    run = state.scan([days("one", 4)], settings=cached, now=now(5))
    (finding,) = [f for f in run.detection.findings if f.campaign_id == campaign.campaign_id]
    assert finding.tier != "watch"
    assert any(member.recommended for member in finding.members)
    assert state.precision()[("urgent", "review", "watch").index(given_.tier)].precision == 0


def test_verdicts_are_undone_and_never_lost(state: State, days: Callable[[str, int], Path], cached: Settings) -> None:
    for day in range(3):
        state.scan([days("one", day)], settings=cached, now=now(day))
    campaign = state.campaigns()[0].campaign_id
    state.review(campaign, "harvest", reviewer="ann", now=now(3))
    state.review(campaign, "unsure", reviewer="bob", now=now(3))
    assert state.undo(campaign, reviewer="cyd", now=now(4)).verdict == "unsure"
    standing = state.campaigns()[0].verdict
    assert standing is not None
    assert standing.verdict == "harvest"
    assert [v.verdict for v in state.verdicts()] == ["harvest", "unsure"]
    assert [e.detail for e in state.events(campaign) if e.what == "verdict"] == [
        "harvest by ann", "unsure by bob", "unsure of bob undone by cyd",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="knows no campaign"):
        state.review("c-none", "benign", reviewer="ann")
    with pytest.raises(UsageError, match="cannot expire"):
        state.review(campaign, "benign", reviewer="ann", expires=-5)


@pytest.mark.parametrize("what", ["campaign", "note", "reviewer"])
def test_what_is_not_utf8_is_no_verdict(state: State, what: str) -> None:
    given_ = {"campaign": "c-1", "note": "", "reviewer": "ann", what: "a\udcff"}
    with pytest.raises(UsageError, match=rf"^the {what} must be UTF-8 text, got 'a\\udcff'$"):
        state.review(given_["campaign"], "benign", note=given_["note"], reviewer=given_["reviewer"])
    if what != "note":
        with pytest.raises(UsageError):
            state.undo(given_["campaign"], reviewer=given_["reviewer"])


# ---------------------------------------------------------------- nothing lost, nothing doubled


def scan_arguments(state: Path, out: Path, cache: Path, *files: Path) -> list[str]:
    return [
        *("scan", *map(str, files), "--state", str(state), "--out", str(out)),
        *("--encoder", "fast", "--workers", "1", "--threads", "1", "--cache", str(cache), "--quiet"),
    ]


def summary(folder: Path) -> dict[str, Any]:
    with open_state(folder) as opened:
        assert opened.verify() == []
        return {
            "campaigns": {c.campaign_id: (c.tier, c.accounts, c.prompts) for c in opened.campaigns()},
            "members": {c.campaign_id: opened.members(c.campaign_id) for c in opened.campaigns()},
        }


KILLS = int(os.environ.get("HARVESTDETECT_KILLS", "5"))
"""How many moments are tried."""


@pytest.fixture(scope="module")
def undisturbed(
    days: Callable[[str, int], Path], cache: Path, commands: Server, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Path], dict[str, Any], float]:
    """Files, what a run makes of them, and how long it takes."""
    files, folder = [days("one", d) for d in range(3)], tmp_path_factory.mktemp("undisturbed")
    warm = commands.run(scan_arguments(folder / "warm", folder / "out", cache, *files))  # it imports more than others
    done = commands.run(scan_arguments(folder / "state", folder / "out", cache, *files))
    assert (warm.code, done.code) == (0, 0)
    return files, summary(folder / "state"), done.seconds


@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_that_is_killed_is_made_up_for(
    number: int,
    undisturbed: tuple[list[Path], dict[str, Any], float],
    cached: Settings,
    commands: Server,
    tmp_path: Path,
) -> None:
    files, expected, seconds = undisturbed
    assert cached.cache is not None
    arguments = scan_arguments(tmp_path / "state", tmp_path / "out", cached.cache, *files)
    with suppress(TimeoutError):  # a run that was faster than the first has ended before it is killed
        commands.run(arguments, timeout=random.Random(number).uniform(0.05, 1.0) * seconds)
    assert commands.run(arguments).code == 0
    assert summary(tmp_path / "state") == expected


@pytest.mark.parametrize("limit", [9_000, 40_000, 120_000])
def test_a_disk_that_is_full_loses_nothing(
    limit: int,
    undisturbed: tuple[list[Path], dict[str, Any], float],
    cached: Settings,
    commands: Server,
    tmp_path: Path,
) -> None:
    """No file may grow beyond a limit, which a program sees as it sees a full disk."""
    files, expected, _ = undisturbed
    assert cached.cache is not None
    arguments = scan_arguments(tmp_path / "state", tmp_path / "out", cached.cache, *files)
    done = commands.run(arguments, largest_file=limit)
    assert done.code == 1
    assert done.err.startswith("harvestdetect: ")
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    assert commands.run(arguments).code == 0
    assert summary(tmp_path / "state") == expected


def test_a_file_that_vanishes_is_told_whatever_its_name(state: State, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/gone-\xff.jsonl")
    Path(name).write_text(json.dumps(told("a", START, "x")) + "\n")
    dumps = read_dumps([name], settings=FAST)
    Path(name).unlink()
    with pytest.raises(InputError, match=r"gone-.*No such file"):
        state.scan(dumps, settings=FAST, now=now(0))
    with sqlite3.connect(state.folder / DATABASE) as connection:
        ((said,),) = connection.execute("SELECT error FROM runs")
    connection.close()
    assert said.startswith("InputError: ")
    assert "gone-\\udcff.jsonl" in said


def test_only_one_process_changes_a_state(tmp_path: Path) -> None:
    with open_state(tmp_path / "state", write=True):
        with pytest.raises(LockedError, match=rf"process {os.getpid()} since"):
            open_state(tmp_path / "state", write=True)
        with open_state(tmp_path / "state") as reader:
            assert reader.campaigns() == []
    with pytest.raises(SystemExit) as ended, open_state(tmp_path / "state", write=True):
        main(["state", "gc", str(tmp_path / "state")])
    assert ended.value.code == 75


def test_vectors_of_texts_that_left_the_window_are_collected(
    state: State, days: Callable[[str, int], Path], cached: Settings
) -> None:
    for day in range(4):
        state.scan([days("", day)], settings=cached, window="2d", now=now(day))

    def kept() -> int:
        return sum(pq.read_metadata(file).num_rows for file in (state.folder / "vectors").rglob("*.parquet"))

    before = kept()
    freed = state.collect()
    texts = kept_digests(state.folder)
    assert texts is not None
    assert kept() == len(texts)
    assert kept() < before
    assert freed.bytes > 0
    assert state.verify() == []
    again = state.scan([days("", 3)], settings=cached, window="2d", now=now(3))
    assert again.new_files == 0
    texts = kept_digests(state.folder)
    assert texts is not None
    assert kept() == len(texts)


def test_a_broken_file_is_left_out_and_told(state: State, days: Callable[[str, int], Path], cached: Settings) -> None:
    for day in range(2):
        state.scan([days("", day)], settings=cached, now=now(day))
    shard = sorted((state.folder / "read").glob("*.shard"))[0]
    shard.write_bytes(shard.read_bytes()[:-9] + b"123456789")
    assert len(state.verify()) == 1
    run = state.scan([days("", 2)], settings=cached, now=now(2))
    assert run.detection.counts["prompts"] == 240
    assert any("and left out; scan that file again" in note for note in run.detection.notes)
    assert len(state.verify()) == 1, "until it is read again"
    back = state.scan([days("", d) for d in range(3)], settings=cached, now=now(2))
    assert (back.new_files, back.detection.counts["prompts"]) == (1, 360)
    assert state.verify() == []


def test_lost_neighbours_and_vectors_are_made_anew(
    state: State, days: Callable[[str, int], Path], cached: Settings
) -> None:
    import shutil

    first = state.scan([days("one", 0)], settings=cached, now=now(0))
    for name in ("neighbors", "vectors"):
        shutil.rmtree(state.folder / name, ignore_errors=True)
    second = state.scan([days("one", 0)], settings=cached, now=now(0))
    assert [f.campaign_id for f in second.detection.findings] == [f.campaign_id for f in first.detection.findings]


def test_a_state_of_a_newer_version_or_a_damaged_one_is_told(tmp_path: Path) -> None:
    with open_state(tmp_path / "state", write=True):
        pass
    with sqlite3.connect(tmp_path / "state" / DATABASE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="newer version"):
        open_state(tmp_path / "state")
    (tmp_path / "state" / DATABASE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StateError, match="damaged"):
        open_state(tmp_path / "state", write=True)
    with pytest.raises(StateError, match="there is no state"):
        open_state(tmp_path / "none")


def test_a_state_cut_otherwise_is_refused(state: State, days: Callable[[str, int], Path], cached: Settings) -> None:
    state.scan([days("", 0)], settings=cached, now=now(0))
    with pytest.raises(SettingsError, match="segment_characters = 300"):
        state.scan([days("", 1)], settings=cached.replace(segment_characters=200), now=now(1))


# ---------------------------------------------------------------- erasing


def test_an_erased_account_leaves_no_trace(days: Callable[[str, int], Path], cached: Settings, tmp_path: Path) -> None:
    secret = "the purple hippopotamus of my grandmother sings at noon"
    file = tmp_path / "own.jsonl"
    rows = [
        told("one-3", START + 5, secret),
        told("one-3", START + 9, "The Solve   following"),
        told("b", START, "solve the following"),
    ]
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    folder = tmp_path / "state"
    with open_state(folder, write=True) as opened:
        for day in range(3):
            opened.scan([days("one", day), file], settings=cached, now=now(day))
        campaign = next(c.campaign_id for c in opened.campaigns() if "one-3" in opened.members(c.campaign_id))
        gone = opened.forget("one-3")
        assert gone.prompts == 3 * 3 + 2
        assert gone.campaigns >= 1
        assert opened.verify() == []
        assert "one-3" not in opened.members(campaign)
        assert "one-4" in opened.members(campaign)
    for path in folder.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            for trace in (b"one-3", secret.encode(), b"hippopotamus"):
                assert trace not in held, path
    with open_state(folder, write=True) as opened:
        run = opened.scan([days("", 3)], settings=cached, now=now(3))
        assert run.detection.counts["prompts"] == 4 * 120 + 3 * 15 * 3 + 1
        assert all(m.account != "one-3" for f in run.detection.findings for m in f.members)


def test_ids_that_stand_in_everything_take_nothing_else_along(
    days: Callable[[str, int], Path], cached: Settings, tmp_path: Path
) -> None:
    ids = ("1", "17", "prompts", "0", "summary", "null", '"', "[", "\\", "")
    with open_state(tmp_path / "state", write=True) as opened:
        opened.scan([days("one", 0)], settings=cached, now=now(0))
        before = opened.campaigns(now=now(0))
        assert before
        note = "told by 17, or by x17x"
        opened.review(before[0].campaign_id, "benign", note=note, reviewer="r", now=now(0))
        before = opened.campaigns(now=now(0))
        for account in ids:
            assert opened.forget(account).prompts == 0
        assert opened.verify() == []
        after = opened.campaigns(now=now(0))
        assert [replace(c, verdict=None) for c in after] == [replace(c, verdict=None) for c in before]
        assert [v.note for v in opened.verdicts()] == ["told by [erased], or by x17x"]
        opened.scan([days("", 1)], settings=cached, now=now(1))


def test_a_broken_campaign_of_the_database_is_told(
    days: Callable[[str, int], Path], cached: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    with open_state(folder, write=True) as opened:
        opened.scan([days("one", 0)], settings=cached, now=now(0))
        known = opened.campaigns()[0].campaign_id
        assert opened.verify() == []
    for broken in ('{"first_seen": 1', '{"first_seen": 1}', "[]"):
        with sqlite3.connect(folder / "state.sqlite") as connection:
            connection.execute("UPDATE campaigns SET finding = ? WHERE campaign = ?", (broken, known))
        connection.close()
        with open_state(folder) as opened:
            assert opened.verify() == [f"what is known of the campaign {known} is broken"]


# ---------------------------------------------------------------- the command line


def run_main(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_the_commands_around_a_state(
    days: Callable[[str, int], Path], cached: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out, metrics = tmp_path / "state", tmp_path / "out", tmp_path / "run.prom"
    alerts = tmp_path / "told"
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'encoder = "fast"\n[[alerts]]\ntype = "command"\ncommand = ["tee", "-a", "{alerts}"]\ntier = "watch"\n'
    )
    base = ["--state", str(folder), "--out", str(out), "--settings", str(settings), "--cache", str(cached.cache)]
    for day in range(3):
        code = run_main("scan", str(days("one", day)), *base, "--workers", "1", "--metrics", str(metrics), "--quiet")
        assert code == 0
    assert "harvestdetect_last_success_timestamp_seconds" in metrics.read_text()
    first = json.loads(alerts.read_text().split("}{")[0].rstrip("\n").splitlines()[0])
    assert first
    found = json.loads((out / "campaigns.jsonl").read_text().splitlines()[0])
    assert found["standing"]["status"] in ("new", "growing")
    assert "nown since" in (out / "report.html").read_text()
    capsys.readouterr()
    assert run_main("campaigns", str(folder)) == 0
    table = capsys.readouterr().out
    assert found["campaign_id"] in table
    assert run_main("campaigns", str(folder), found["campaign_id"], "--accounts") == 0
    assert "one-3" in capsys.readouterr().out.split()
    assert run_main("campaigns", str(folder), found["campaign_id"], "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["days"]
    assert run_main("campaigns", str(folder), "c-none") == 2
    judged = ["review", str(folder), found["campaign_id"]]
    assert run_main(*judged, "--verdict", "benign", "--note", "x", "--by", "ann") == 0
    assert run_main("review", str(folder)) == 0
    assert "ann" in capsys.readouterr().out
    assert run_main(*judged, "--undo", "--by", "bob") == 0
    assert run_main("review", str(folder), "--undo") == 2
    assert run_main("state", "verify", str(folder)) == 0
    assert run_main("state", "gc", str(folder)) == 0
    assert run_main("state", "forget", str(folder), "one-3") == 0
    assert "one-3" not in capsys.readouterr().err
    assert run_main("scan", str(days("one", 0)), "--out", str(out), "--window", "3d") == 2
    assert run_main("watch", str(days("one", 0)), "--out", str(out)) == 2


def test_arguments_that_are_not_utf8_are_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "state")
    open_state(folder, write=True).close()
    bad = os.fsdecode(b"a\xff")
    for arguments, what in (
        (("review", folder, "c-1", "--verdict", "benign", "--note", bad), "note"),
        (("review", folder, "c-1", "--verdict", "benign", "--by", bad), "reviewer"),
        (("review", folder, bad, "--verdict", "benign"), "campaign"),
        (("state", "forget", folder, bad), "account"),
    ):
        assert run_main(*arguments) == 2
        assert capsys.readouterr().err == f"harvestdetect: the {what} must be UTF-8 text, got 'a\\udcff'\n"
    assert run_main("review", folder, bad, "--undo") == 2
    assert run_main("campaigns", folder, bad) == 2


@pytest.mark.parametrize("kind", ["systemd", "cron", "kubernetes", "airflow"])
def test_units_name_the_scan(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = [
        "schedule",
        "print",
        "/data/dumps",
        "--format",
        kind,
        "--state",
        "/var/lib/hd/state",
        "--out",
        "/var/lib/hd/out",
    ]
    assert run_main(*base) == 0
    printed = capsys.readouterr().out
    assert "/var/lib/hd/state" in printed
    assert "--window" in printed
    assert run_main(*base, "--to", str(tmp_path / "units")) == 0
    assert list((tmp_path / "units").iterdir())


def test_watch_scans_until_it_is_told_to_stop(
    days: Callable[[str, int], Path], cached: Settings, tmp_path: Path
) -> None:
    assert cached.cache is not None
    scan = scan_arguments(tmp_path / "state", tmp_path / "out", cached.cache, days("one", 0))
    command = [sys.executable, "-m", "harvestdetect", "watch", *scan[1:], "--every", "1h"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in range(300):
        if (tmp_path / "out" / "run.json").exists():
            break
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert (tmp_path / "out" / "report.html").exists()
