"""Innocent dumps at toy size: how they are laid, the halves, the scores, and the command."""

from __future__ import annotations

import json
import os
import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from benchmarks import innocent_stock, innocents
from benchmarks.identities import Identities
from benchmarks.innocent_campaigns import ordinary_campaigns
from benchmarks.innocent_joined import joined_accounts
from benchmarks.innocent_kinds import SITTING, Threads, moved, sittings
from benchmarks.innocent_scores import score, tables
from benchmarks.innocent_stock import owned
from benchmarks.innocent_variety import MOST_SHARED, Opener, Variety
from benchmarks.innocents import Kind, lay, main
from benchmarks.real_texts import START, Half
from benchmarks.sources import WINDOW
from benchmarks.world_sources import COMMON, data_missing
from harvestdetect.util.periods import DAY

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("HARVESTDETECT_DATA", ROOT.parent / "shared" / "data"))
ROWS = 1_500
HALVES: tuple[Half, Half] = ("tuning", "reporting")
CALM = Variety(
    addresses=0, clients=0, near=0, newcomers=0, day=0, launch=False, popular=0, exponent=1
)  # fmt: skip


@pytest.mark.parametrize("kind", get_args(Kind))
def test_nothing_guilty_is_laid(kind: Kind) -> None:
    dump = lay(kind, half="tuning", seed=1, rows=ROWS, data=None, metadata=True)
    assert not [row for row in dump.truth if row["kind"] == "campaign"]
    assert not dump.harvest
    times = [row["timestamp"] for row in dump.rows]
    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] < START + WINDOW * DAY
    assert 0.8 * ROWS < len(dump.rows) < 1.2 * ROWS
    assert len({row["account"] for row in dump.rows}) == dump.accounts > 40
    assert all(row["prompt"] for row in dump.rows)
    assert {"ip", "org", "created_at", "user_agent"} <= set(dump.rows[0])
    again = lay(kind, half="tuning", seed=1, rows=ROWS, data=None, metadata=True)
    assert again.rows == dump.rows
    assert again.truth == dump.truth
    plain = lay(kind, half="tuning", seed=2, rows=ROWS, data=None, metadata=False)
    assert {key for row in plain.rows for key in row} == {"account", "timestamp", "prompt"}
    assert {str(row["prompt"]) for row in plain.rows} != {str(row["prompt"]) for row in dump.rows}


def test_users_of_a_framework_are_look_alikes() -> None:
    dump = lay("service", half="tuning", seed=1, rows=5_000, data=None, metadata=True)
    assert dump.truth
    assert all(row["name"].startswith("framework-") and len(row["accounts"]) > 1 for row in dump.truth)
    grouped = {account for row in dump.truth for account in row["accounts"]}
    assert dump.background == sum(row["account"] not in grouped for row in dump.rows) > 0


def test_campaigns_among_joined_sentences() -> None:
    dump = lay("joined", half="tuning", seed=1, rows=12_000, data=None, metadata=True, campaigns=True)
    assert [row["kind"] for row in dump.truth] == ["campaign"] * 9
    members = Counter(account for row in dump.truth for account in row["accounts"])
    assert max(members.values()) == 1
    assert set(members) < {row["account"] for row in dump.rows}
    assert len(dump.rows) == pytest.approx(12_000, rel=0.1)
    assert all(count >= 20 for count in dump.harvest.values())
    with pytest.raises(ValueError, match="in joined only"):
        lay("irc", half="tuning", seed=1, rows=ROWS, data=None, metadata=True, campaigns=True)
    with pytest.raises(ValueError, match="1,000 or more"):
        lay("irc", half="tuning", seed=1, rows=10, data=None, metadata=True)


def test_campaigns_leave_most_of_a_dump_innocent() -> None:
    for seed in range(20):
        planned = ordinary_campaigns(40_000, tasks=1_000, metadata=True, rng=random.Random(seed))
        assert sum(s.harvest + s.cover for s in planned) < 0.45 * 40_000
        assert min(s.accounts for s in planned) >= 20
        (bare,) = [s for s in planned if s.templates == "none"]
        assert bare.harvest * 1.3 <= 1_000, "there are tasks enough"


# ---------------------------------------------------------------- joined sentences


def test_a_popular_sentence_is_sent_by_many_accounts() -> None:
    sentences = {
        "questions": [f"Is number {i} prime" for i in range(3_000)],
        "wishes": [f"Please print number {i}." for i in range(3_000)],
    }
    clocks = {"some": [tuple(START + hour * 3_600 + 60 * i for i in range(1 + hour * hour)) for hour in range(12)]}
    traces = joined_accounts(sentences, clocks, rows=30_000, rng=random.Random(5))
    assert sum(map(len, traces)) == 30_000
    assert all(trace == sorted(trace, key=lambda row: row[0]) and trace for trace in traces)
    known = {s.rstrip(".") for own in sentences.values() for s in own}
    senders: dict[str, set[int]] = defaultdict(set)
    counts: Counter[int] = Counter()
    for number, trace in enumerate(traces):
        for _, text in trace:
            parts = [part.rstrip(".") for part in text.replace("\n", " ").replace(". ", ".|").split("|")]
            counts[len(parts)] += 1
            for part in parts:
                senders[part].add(number)
    assert set(senders) <= known
    assert set(counts) == {1, 2, 3, 4}
    by_accounts = sorted(map(len, senders.values()), reverse=True)
    assert by_accounts[0] > 5 * by_accounts[len(by_accounts) // 2], "a few sentences are popular"
    sizes = sorted(map(len, traces))
    assert sizes[-1] > 5 * sizes[len(sizes) // 2], "volumes have a heavy tail"


def test_a_moved_account_keeps_its_gaps() -> None:
    clock = [START + 3_600, START + 3_700, START + 9_000]
    for seed in range(20):
        times = moved(clock, random.Random(seed))
        assert all(START <= time < START + WINDOW * DAY for time in times)
        gaps = {(b - a) % (WINDOW * DAY) for a, b in zip(times, [*times[1:], times[0]], strict=True)}
        assert {100, 5_300} <= gaps
    assert list(sittings(clock)) == [clock[:2], clock[2:]]
    assert clock[2] - clock[1] > SITTING


def test_threads_are_given_once() -> None:
    topics = {"a": [["1", "2"], ["3"]], "b": [["4"]]}
    waiting = Threads({name: list(own) for name, own in topics.items()}, random.Random(1))
    mine = waiting.subjects(1)
    given = []
    while thread := waiting.next(mine):
        given.append(thread)
    assert given[0] in topics[mine[0]], "its own subject comes first"
    texts = [text for thread in given for text in thread]
    assert len(texts) == len(set(texts))
    assert set(texts) <= {"1", "2", "3", "4"}


# ---------------------------------------------------------------- what varies


def _identities(variety: Variety, circles: list[str]) -> list[Any]:
    opener = Opener(variety, Identities(seed="x", days=WINDOW, at_once=False), random.Random(2))
    return [opener.identity(circle) for circle in circles]


def test_rare_values_are_shared_by_a_few() -> None:
    circles = [f"circle {i % 5}" for i in range(600)]
    found = _identities(replace(CALM, addresses=1, clients=1, near=1), circles)
    for value in (lambda one: one.addresses, lambda one: one.agents):
        shared: dict[Any, set[str]] = defaultdict(set)
        for one, circle in zip(found, circles, strict=True):
            shared[value(one)].add(circle)
        sizes = Counter(value(one) for one in found)
        assert max(sizes.values()) <= MOST_SHARED
        assert sum(size > 1 for size in sizes.values()) > 20
        several = [own for key, own in shared.items() if sizes[key] > 1]
        assert sum(len(own) == 1 for own in several) > 0.8 * len(several), "members of one circle share them"
    calm = Counter(one.agents for one in _identities(CALM, circles))
    assert not any(agents[0].startswith("tool-") for agents in calm)
    assert Opener(CALM, None, random.Random(1)).identity("a") is None


def test_newcomers_sign_up_together() -> None:
    found = _identities(replace(CALM, newcomers=0.3, day=20), ["a"] * 500)
    near = sum(abs(one.created - START - 20 * DAY) < 3 * DAY for one in found)
    assert 0.2 * 500 < near < 0.4 * 500


# ---------------------------------------------------------------- halves


def test_a_text_of_two_halves_belongs_to_one() -> None:
    long = "a line that is certainly longer than forty characters, "
    rows = [{"user": user, "text": f"{long}{number}"} for user in ("t", "r") for number in range(20)]
    rows += [{"user": user, "text": "thanks"} for user in ("t", "r")] + [{"user": "t", "text": " "}]
    kept = {
        half: [row["text"] for row in owned(rows, half, lambda row: "tuning" if row["user"] == "t" else "reporting")]
        for half in HALVES
    }
    assert set(kept["tuning"]) & set(kept["reporting"]) == {"thanks"}
    assert set(kept["tuning"]) | set(kept["reporting"]) == {row["text"] for row in rows} - {" "}


@pytest.mark.shared_data
@pytest.mark.skipif(bool(data_missing(DATA)), reason=f"{DATA} lacks the public texts")
def test_no_public_text_is_in_both_halves() -> None:
    found: dict[Half, set[str]] = {}
    for half in HALVES:
        rng = random.Random(1)
        sentences = [s for own in innocent_stock.sentences(DATA, half).values() for s in own]
        assert len(sentences) == len(set(sentences)) > 50_000
        texts = set(sentences)
        for accounts in (
            innocent_stock.game_accounts(DATA, half, rng),
            innocent_stock.irc_accounts(DATA, half, rng),
            innocent_stock.forum_accounts(DATA, half, rng),
            innocent_stock.git_accounts(DATA, half, rng),
        ):
            assert len(accounts) > 80
            own = {text for account in accounts for _, text in account.trace}
            assert all(START <= time < START + WINDOW * DAY for a in accounts for time, _ in a.trace)
            texts |= {text for text in own if len(text) >= COMMON}
        found[half] = texts
    assert not found["tuning"] & found["reporting"]


# ---------------------------------------------------------------- scores


def _finding(name: str, tier: str, accounts: list[str]) -> dict[str, Any]:
    return {"campaign_id": name, "tier": tier, "score": 1.0, "accounts": accounts, "recommended": accounts}


def test_false_findings_are_counted_by_tier() -> None:
    a, b = [f"a{i}" for i in range(10)], [f"b{i}" for i in range(10)]
    scanned = {
        "candidates": [{}, {}, {}],
        "findings": [_finding("1", "urgent", a), _finding("2", "review", b), _finding("3", "watch", [*a[:4], *b])],
        "seconds": 2.0,
        "peak_memory_mb": 100.0,
    }
    none = score(scanned, [], kind="irc", seed=0, rows=50_000, accounts=100)
    assert none["false"] == {"urgent": 1, "review": 1, "watch": 1}
    assert none["campaigns"] == 0
    truth = [
        {"name": "one", "kind": "campaign", "what": "", "accounts": a},
        {"name": "framework-x", "kind": "look-alike", "what": "", "accounts": b},
    ]
    some = score(scanned, truth, kind="joined", seed=0, rows=100_000, accounts=100)
    assert some["false"] == {"review": 1, "watch": 1}
    assert some["groups_hit"] == ["framework-x"]
    assert (some["campaigns_found"], some["account_recall"], some["precision"]) == (1, 1.0, 0.5)
    text = tables([none, some])
    assert "| irc | 1 | 50,000 | 100 | 3 | 1 | 1 | 1 | 2.00 | 2.00 | 2.00 |" in text
    assert "| joined | 1 | 100,000 | 100 | 3 | 0 | 1 | 1 | 0.00 | 1.00 | 1.00 |" in text
    assert "| all | 2 | 150,000 | 200 | 6 | 1 | 2 | 2 | 0.67 | 1.33 | 1.33 |" in text
    assert "| joined, seed 0 | 100,000 | 1 of 1 | 1.000 | 0.500 |" in text
    assert "| one | 10 | 1 of 1 | urgent | 1.00 |" in text


# ---------------------------------------------------------------- the command


@pytest.mark.usefixtures("loaded_once")
def test_the_command(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTDETECT_CACHE", str(cache))
    page = tmp_path / "page.md"
    page.write_text("<!-- innocents-tuning -->\n<!-- /innocents-tuning -->\n", encoding="utf-8")
    given = ["--kinds", "joined", "--campaigns", "--rows", "6000", "--work", str(tmp_path), "--docs", str(page)]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert "| joined | 1 |" in printed
    assert "| human-tempo |" in printed
    assert "| joined | 1 |" in page.read_text(encoding="utf-8")
    results = json.loads((tmp_path / innocents.RESULTS).read_text(encoding="utf-8"))
    assert [(row["kind"], row["campaigns"]) for row in results] == [("joined", 9)]
    assert results[0]["campaigns_found"] > 0


def test_dumps_can_be_laid_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--kinds", "chat", "--rows", "1000", "--seeds", "2", "--first-seed", "4", "--no-metadata"]
    assert main([*given, "--lay-only", "--work", str(tmp_path)]) == 0
    assert not capsys.readouterr().out
    for seed in (4, 5):
        assert (tmp_path / f"chat-tuning-{seed}" / "prompts.jsonl.gz").is_file()
        assert (tmp_path / f"chat-tuning-{seed}" / "truth.jsonl").read_text(encoding="utf-8") == ""


def test_wrong_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given, told in (
        (["--kinds", "moon"], "--kinds knows game, irc"),
        (["--rows", "12"], "--rows must be 1,000 or more"),
        (["--data", str(tmp_path)], "lacks"),
        (["--kinds", "irc", "--campaigns"], "--campaigns needs the kind joined"),
        (["--lay-only"], "--lay-only needs --work"),
        (["--checkout", str(tmp_path)], "--checkout must be a folder with the package"),
    ):
        with pytest.raises(SystemExit):
            main(given)
        assert told in capsys.readouterr().err
