"""``review`` without a campaign: a walk through the queue in the terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harvestdetect.cli import review_queue
from harvestdetect.cli.review_queue import at_terminal
from harvestdetect.state import open_state
from harvestdetect.state.store import open_store
from harvestdetect.util.escape import INVISIBLE
from tests.cli.support import Done, Run
from tests.report.making import HOSTILE, T0

DAY = 86_400
CAMPAIGNS: list[dict[str, Any]] = [
    {"campaign": "c-watch", "tier": "watch", "status": "new", "score": 0.4},
    {"campaign": "c-quiet", "tier": "urgent", "status": "quiet", "score": 12.0},
    {"campaign": "c-likely", "tier": "urgent", "status": "growing", "score": 9.0},
    {"campaign": "c-first", "tier": "urgent", "status": "growing", "score": 11.0},
]
"""In the wrong order."""
QUEUE = ["c-first", "c-likely", "c-quiet", "c-watch"]


def make(
    folder: Path, campaigns: list[dict[str, Any]], *, words: str = "Explain", summary: str = "Accounts.", **told: str
) -> Path:
    """A state that knows some campaigns, without a scan."""
    figures = {
        "first_seen": T0, "last_seen": T0 + 3 * DAY, "active": T0, "prompts": 90, "summary": summary, "mark": 20,
        **told,
    }  # fmt: skip
    with open_store(folder, write=True, make=True) as store, store.transaction() as connection:
        connection.execute("INSERT INTO runs (run, started, finished) VALUES (1, ?, ?)", (T0 + 4 * DAY, T0 + 4 * DAY))
        for one in campaigns:
            name = one["campaign"]
            connection.execute(
                "INSERT INTO campaigns VALUES (?, 1, ?, ?, ?, 1, NULL, NULL, ?)",
                (name, T0 + 4 * DAY, one["tier"], one["status"], json.dumps(figures)),
            )
            connection.execute(
                "INSERT INTO campaign_runs VALUES (?, 1, ?, ?, ?, 0.1, 20, 0, 80, ?)",
                (name, one["status"], one["tier"], one["score"], T0 + 3 * DAY),
            )
            connection.executemany(
                "INSERT INTO signatures VALUES (?, ?, ?, 1, 1)",
                [(name, f"{i:032x}", json.dumps([words, None, f"number {i}"])) for i in range(5)],
            )
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return make(tmp_path / "state", CAMPAIGNS)


@pytest.fixture
def walked(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Runs the command as in a terminal in which somebody types some lines."""

    def once(folder: Path, *typed: str, options: tuple[str, ...] = ()) -> Done:
        monkeypatch.setattr("harvestdetect.cli.review.at_terminal", lambda: True)
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
        return run("review", folder, "--by", "ann", *options)

    return once


def verdicts(folder: Path) -> list[tuple[str, str, str, bool]]:
    """Campaign, verdict, note and whether it was undone, of all verdicts."""
    with open_state(folder) as opened:
        return [(v.campaign_id, v.verdict, v.note, v.undone is not None) for v in opened.verdicts()]


def test_the_queue_is_shown_in_order_and_each_answer_is_recorded(state: Path, walked: Callable[..., Done]) -> None:
    done = walked(state, "h", "a sweep", "BENIGN", "", "s", "u", "ask Bob")
    assert done.code == 0
    assert [line.split()[4] for line in done.out.splitlines() if " of 4  " in line] == QUEUE
    assert verdicts(state) == [
        ("c-first", "harvest", "a sweep", False),
        ("c-likely", "benign", "", False),
        ("c-watch", "unsure", "ask Bob", False),
    ]
    assert done.out.endswith("Verdicts: 1 harvest, 1 benign, 1 unsure. 1 of 4 still without one.\n")
    first = done.out.split("2 of 4")[0]
    assert "1 of 4  urgent  c-first  (growing, known since 2026-03-05)" in first
    assert "It is a campaign: over 99 %" in first
    assert "in window: 20 accounts, 80 prompts; ever: 0 accounts, 90 prompts, 2026-03-01 – 2026-03-04" in first
    assert "| Explain […] number 0" in first
    assert "2 more templates" in first
    assert f"more: harvestdetect campaigns {state} c-first" in first


def test_a_probability_is_as_the_run_said_it(tmp_path: Path, walked: Callable[..., Done]) -> None:
    folder = make(tmp_path / "state", CAMPAIGNS[:1], probability="over 99.9 %")
    assert "It is a campaign: over 99.9 %\n" in walked(folder).out


def test_line_breaks_of_a_template_are_blanks(tmp_path: Path, walked: Callable[..., Done]) -> None:
    folder = make(tmp_path / "state", CAMPAIGNS[:1], words="Explain\r\n\n\tthis:\n- one\x0b\u2028")
    assert "  | Explain this: - one⟨U+000B⟩⟨U+2028⟩ […] number 0\n" in walked(folder).out


def test_a_judged_campaign_is_not_asked_for_again(state: Path, walked: Callable[..., Done]) -> None:
    walked(state, "h", "")
    done = walked(state)
    assert "c-first" not in done.out
    assert "1 of 3  urgent  c-likely" in done.out
    for _ in range(3):
        walked(state, "b", "")
    assert walked(state).out == "No finding waits for a verdict.\n"


def test_undo_goes_back_to_the_campaign(state: Path, walked: Callable[..., Done]) -> None:
    done = walked(state, "d", "h", "", "s", "d", "b", "on second thought", "q")
    assert "No verdict of this walk is left to undo." in done.out
    assert "c-first: harvest undone" in done.out
    assert done.out.count("1 of 4  urgent  c-first") == 2
    assert verdicts(state) == [("c-first", "harvest", "", True), ("c-first", "benign", "on second thought", False)]
    assert done.out.endswith("Verdicts: 1 benign. 3 of 4 still without one.\n")


@pytest.mark.parametrize("typed", [("q",), (), ("h",), ("x", "", "help", "q")])
def test_the_end_of_the_input_records_nothing_more(
    state: Path, walked: Callable[..., Done], typed: tuple[str, ...]
) -> None:
    done = walked(state, *typed)
    assert done.code == 0
    assert verdicts(state) == []
    assert done.out.endswith("Verdicts: none. 4 of 4 still without one.\n")
    assert done.out.count("Type one of the letters") == sum(line not in ("q", "h") for line in typed)


def test_texts_of_attackers_are_shown_as_text(tmp_path: Path, walked: Callable[..., Done]) -> None:
    folder = make(tmp_path / "state", CAMPAIGNS[:1], words=HOSTILE, summary=HOSTILE, title=f"Tell a tale {HOSTILE}")
    done = walked(folder, "h", "note \x1b[31m", "q")
    assert not INVISIBLE.search(done.out)
    assert "⟨U+001B⟩" in done.out
    assert verdicts(folder) == [("c-watch", "harvest", "note \x1b[31m", False)]


def test_the_verdict_of_another_reviewer_is_kept(
    state: Path, walked: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = review_queue._asked

    def meanwhile(question: str) -> str | None:
        if question.startswith("note"):
            with open_state(state, write=True) as opened:
                opened.review("c-first", "benign", note="a product", reviewer="bob")
            monkeypatch.setattr(review_queue, "_asked", asked)
        return asked(question)

    monkeypatch.setattr(review_queue, "_asked", meanwhile)
    done = walked(state, "h", "", "q")
    assert "Not recorded: meanwhile bob judged it benign on " in done.out
    assert verdicts(state) == [("c-first", "benign", "a product", False)]


def test_what_another_reviewer_undid_or_judged_is_not_undone(
    state: Path, walked: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = review_queue._asked
    questions = iter(range(10))

    def meanwhile(question: str) -> str | None:
        if next(questions) == 2:
            with open_state(state, write=True) as opened:
                opened.review("c-first", "unsure", reviewer="bob")
        return asked(question)

    monkeypatch.setattr(review_queue, "_asked", meanwhile)
    done = walked(state, "h", "", "d", "q")
    assert "Not undone: somebody else changed the verdict on c-first meanwhile." in done.out
    assert [name for _, name, _, undone in verdicts(state) if not undone] == ["harvest", "unsure"]


def test_a_locked_state_and_a_bad_note_are_told_and_asked_again(
    state: Path, walked: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_state(state, write=True):
        done = walked(state, "h", "first", "q")
    assert "Not recorded: " in done.out
    assert verdicts(state) == []
    done = walked(state, "h", "x" * 2_001, "h", "short", "q")
    assert "Not recorded: a note must have at most 2,000 characters, got 2,001" in done.out
    assert verdicts(state) == [("c-first", "harvest", "short", False)]


def test_verdicts_of_a_walk_can_expire(state: Path, walked: Callable[..., Done]) -> None:
    walked(state, "b", "", "q", options=("--expires", "90d"))
    with open_state(state) as opened:
        (made,) = opened.verdicts()
        assert made.expires == made.at + 90 * DAY
        assert [one.campaign.campaign_id for one in opened.queue(now=made.at + 91 * DAY)] == QUEUE
    done = walked(state, options=("--expires", "soon"))
    assert done.code == 2
    assert "1 of" not in done.out


@pytest.mark.parametrize("options", [("--list",), ("--format", "json")])
def test_the_list_is_still_there(state: Path, walked: Callable[..., Done], run: Run, options: tuple[str, ...]) -> None:
    walked(state, "h", "a sweep", "q")
    done = walked(state, options=options)
    assert "a sweep" in done.out
    assert " of 4" not in done.out
    assert "harvest" in run("review", state, "--list").out


def test_without_a_terminal_the_verdicts_are_listed(state: Path, run: Run) -> None:
    assert not at_terminal()
    assert run("review", state).out == "There are no verdicts.\n"


def test_a_list_gives_no_verdict(state: Path, run: Run) -> None:
    done = run("review", state, "c-first", "--list", "--undo")
    assert done.code == 2
    assert done.error == "harvestdetect: --list gives no verdict; leave it out, or leave out --verdict and --undo"


def test_a_walk_through_no_state_is_an_error(tmp_path: Path, walked: Callable[..., Done]) -> None:
    assert walked(tmp_path / "missing").code == 1
