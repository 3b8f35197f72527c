"""``registry suggest``: found preambles as a registry that can be reviewed and read again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect import Prompt
from harvestdetect.cli.main import run_command
from harvestdetect.corpus.registry import load_registry, strip
from harvestdetect.data import Preamble
from harvestdetect.report.suggestions import suggested_registry
from harvestdetect.util.escape import INVISIBLE, toml_text
from tests.corpus.worlds import WRAPS, people, wrapped
from tests.report.making import HOSTILE

TODAY = date(2026, 11, 29)


def dump(folder: Path, rows: Sequence[Prompt]) -> Path:
    file = folder / "dump.jsonl"
    lines = [json.dumps({"account": r.account, "timestamp": r.time, "prompt": r.prompt}) for r in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_a_suggestion_is_a_registry_that_takes_out_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = people(60)
    file, out = dump(tmp_path, wrapped(rows, WRAPS["before"])), tmp_path / "new" / "products.toml"
    assert run_command(["registry", "suggest", str(file), "--out", str(out)]) == 0
    assert "1 text found" in capsys.readouterr().err
    registry = load_registry(out, today=TODAY)
    (entry,) = (e for e in registry.entries if e.owner == "not reviewed yet")
    assert "# 60 accounts (100% of all) sent it" in out.read_text(encoding="utf-8")
    texts = [str(row.prompt) for row in wrapped(rows, WRAPS["before"])]
    stripped = strip(registry, texts)
    assert stripped.texts == [str(row.prompt) for row in rows]
    assert {registry.entries[i].id for i in stripped.entry} == {entry.id}
    # The file is never overwritten: what a person reviewed may be in it.
    assert run_command(["registry", "suggest", str(file), "--out", str(out)]) == 2
    assert "must be a new file" in capsys.readouterr().err
    assert run_command(["registry", "suggest", str(file), "-q"]) == 0
    assert capsys.readouterr().out == out.read_text(encoding="utf-8")


def test_the_help_lists_only_options_that_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["registry", "suggest", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--map", "--registry", "--min-accounts", "--workers", "--quiet"))
    assert not any(option in text for option in ("--encoder", "--model", "--device", "--no-preambles", "--cache"))
    file = str(dump(tmp_path, wrapped(people(60), WRAPS["before"])))
    assert run_command(["registry", "suggest", file, "--min-accounts", "61"]) == 0
    assert "no text that many accounts always send" in capsys.readouterr().err


def test_nothing_is_suggested_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["registry", "suggest", str(dump(tmp_path, people(30)))]) == 0
    captured = capsys.readouterr()
    assert tomllib.loads(captured.out) == {}
    assert "no text that many accounts always send" in captured.err


def test_a_dump_without_prompts_and_a_folder_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("{}\n", encoding="utf-8")
    assert run_command(["registry", "suggest", str(empty)]) == 2
    assert "Traceback" not in capsys.readouterr().err
    out = empty / "products.toml"
    assert run_command(["registry", "suggest", str(dump(tmp_path, people(20))), "--out", str(out)]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_hostile_texts_are_quoted() -> None:
    text = HOSTILE + '""" \\ \n[[entry]]\nid = "x" \ud800 you are the assistant {prompt}'
    one = Preamble(id="preamble-00000000", text=text, words=9, accounts=20, prompts=40, share=0.5)
    written = suggested_registry([one], {"prompts": 40, "accounts": 40}, today=TODAY)
    assert not INVISIBLE.search(written)
    (entry,) = tomllib.loads(written)["entry"]
    assert entry["text"] == text.replace("\ud800", "\ufffd")
    assert entry["expires"] == date(2027, 11, 29)


@given(st.text())
def test_a_toml_text_is_read_as_it_was(text: str) -> None:
    assert tomllib.loads(f"x = {toml_text(text)}") == {"x": text}
