"""The command ``search``: what it prints, and what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.support import ANSI, Run
from tests.search import worlds
from tests.search.conftest import Place, place
from tests.state.nights import FORMS

__all__ = ["place"]

QUESTION = FORMS["one"].format("velvet", "mountains", "whispers")


@pytest.fixture(autouse=True)
def _loaded_once(loaded_once: None) -> None:
    """No test loads the wording model anew."""


def stdin(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(raw)))


def test_a_text_is_searched_for_from_everywhere(
    run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("search", place.out, QUESTION)
    assert first.code == 0
    assert f"120 prompts of {worlds.POOL} accounts are near in wording, of 523 prompts" in first.out
    assert "one-3" in first.out
    (tmp_path / "text").write_text(QUESTION)
    stdin(monkeypatch, QUESTION.encode())
    assert run("search", place.out, "--file", tmp_path / "text").out == first.out
    assert run("search", place.out, "-").out == first.out
    told = json.loads(run("search", place.out, QUESTION, "--format", "json", "--top", "3").out)
    assert [len(told[name]) for name in ("hits", "accounts", "campaigns")] == [3, 3, 1]
    assert told["account_count"] == worlds.POOL


def test_an_account_and_a_card(run: Run, place: Place) -> None:
    done = run("search", place.out, "--account", "one-3")
    tag = next(word for word in done.out.split() if word.startswith("card#"))
    shared = run("search", place.out, "--shares", tag)
    assert "40 prompts of 8 accounts, of 523 prompts" in shared.out
    assert "4242-0000" not in done.out + shared.out


def test_seeds_for_a_hunt(run: Run, place: Place) -> None:
    lines = run("search", place.out, "--shares", "4242-0000-0", "--format", "seeds").out.splitlines()
    assert sorted(json.loads(line)["account"] for line in lines) == sorted(f"one-{i}" for i in range(8))
    assert json.loads(run("search", place.out, QUESTION, "--format", "seeds").out) == {"text": QUESTION}


def test_a_search_leads_to_a_hunt(run: Run, place: Place, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text(run("search", place.out, "--shares", "203.0.113.*", "--format", "seeds").out)
    done = run("scan", place.dump, "--out", tmp_path / "out", "--around", seeds, "--format", "json", "--workers", "1")
    assert done.code == 0
    assert f"accounts: {worlds.POOL}; prompts near them: 120" in done.err
    assert "which the scan finds without them too" in done.err
    (finding,) = [one for one in json.loads(done.out)["findings"] if "seed" in one["ways"]]
    assert finding["accounts"] == worlds.POOL
    refused = run("scan", place.dump, "--out", tmp_path / "out", "--around", seeds, "--state", tmp_path / "state")
    assert (refused.code, "--around is for a scan without --state" in refused.error) == (2, True)
    assert not (tmp_path / "state").exists()
    refused = run("scan", place.dump, "--out", tmp_path / "out", "--around", tmp_path / "nothing")
    assert (refused.code, "cannot read the file of seeds" in refused.error) == (1, True)


def test_hostile_texts_stay_text(run: Run, place: Place) -> None:
    for options in ((), ("--reveal",), ("--format", "json", "--reveal")):
        done = run("search", place.out, "red gnp.exe alert(1) =cmd| mail", *options)
        assert done.code == 0
        assert ANSI not in done.out + done.err
        assert "\u202e" not in done.out
    done = run("search", place.out, "--account", "\x1b]0;evil\x07")
    assert done.code == 0
    assert ANSI not in done.out + done.err
    done = run("search", place.out, "--account", "\x1b]0;nobody\x07")
    assert done.code == 1
    assert ANSI not in done.error


def test_what_is_refused(run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "binary").write_bytes(b"\x00\x01\xff")
    (tmp_path / "nul").write_bytes(b"a\x00b")
    (tmp_path / "huge").write_bytes(b"x" * 4_000_001)
    (tmp_path / "long").write_bytes(b"x" * 1_000_001)
    (tmp_path / "empty").write_bytes(b"\n")
    refused = {
        (): (2, "nothing is asked; give one of TEXT"),
        ("a", "--account", "b"): (2, "TEXT and --account are two questions"),
        ("",): (1, "is empty"),
        ("\ud800",): (2, "must be UTF-8"),
        ("--file", str(tmp_path / "binary")): (1, "is not UTF-8 text"),
        ("--file", str(tmp_path / "nul")): (1, "has NUL characters"),
        ("--file", str(tmp_path / "huge")): (1, "has more than 4,000,000 bytes"),
        ("--file", str(tmp_path / "long")): (1, "1,000,001 characters"),
        ("--file", str(tmp_path / "empty")): (1, "is empty"),
        ("--file", str(tmp_path / "nothing")): (1, "cannot read"),
        ("lamp", "--by", "meaning"): (1, "run the scan again with --encoder full"),
    }
    empty = tmp_path / "cache"
    for options, (code, said) in refused.items():
        if "meaning" in options:
            monkeypatch.setattr(
                "harvestdetect.search.opened.load_encoder", lambda *_, **__: SimpleNamespace(digest="0" * 64)
            )
            monkeypatch.setenv("HARVESTDETECT_CACHE", str(empty))
        done = run("search", place.out, *options)
        assert (done.code, said in done.error) == (code, True), (options, done)
    assert run("search", tmp_path, "lamp").code == 2
