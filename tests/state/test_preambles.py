"""A state keeps the preambles that it found, and judges what stands behind them as a plain scan does."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harvestdetect import Prompt, Settings, detect
from harvestdetect.dump import read_dumps
from harvestdetect.errors import StateError
from harvestdetect.state import open_state
from harvestdetect.state.store import DATABASE
from tests.corpus.worlds import WRAPS, bots, people, wrapped

DAY = 86_400
NOW = 1_780_000_000 + 27 * DAY


def written(folder: Path, rows: Sequence[Prompt], files: int = 3) -> list[Path]:
    """Prompts in a few files."""
    folder.mkdir(exist_ok=True)
    rows = sorted(rows, key=lambda row: row.time or 0)
    found = []
    for number in range(files):
        part = rows[len(rows) * number // files : len(rows) * (number + 1) // files]
        found.append(folder / f"{number}.jsonl")
        lines = [json.dumps({"account": r.account, "timestamp": r.time, **_prompt(r)}) for r in part]
        found[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return found


def _prompt(row: Prompt) -> dict[str, Any]:
    if isinstance(row.prompt, str):
        return {"prompt": row.prompt}
    return {"prompt": [{"role": role, "content": text} for role, text in row.prompt]}


@pytest.fixture
def fast(cache: Path) -> Settings:
    return Settings(encoder="fast", workers=1, threads=1, cache=cache)


def test_a_scan_a_work_folder_and_a_state_find_the_same(fast: Settings, tmp_path: Path) -> None:
    rows = people(150) + bots(25, payload=True)
    random.Random(1).shuffle(rows)
    files = written(tmp_path, wrapped(rows, WRAPS["around"]))
    plain = detect(read_dumps(files), settings=fast)
    (found,) = plain.preambles
    assert (found.accounts, found.prompts) == (175, len(rows))
    assert any({m.account for m in f.members} >= {f"b{n}" for n in range(25)} for f in plain.findings)
    for _ in range(2):
        worked = detect(read_dumps(files), settings=fast.replace(work=tmp_path / "work"))
        assert (worked.preambles, worked.findings) == (plain.preambles, plain.findings)
    with open_state(tmp_path / "state", write=True) as state:
        for file in files:
            run = state.scan([file], settings=fast, now=NOW)
        assert run.detection.preambles == plain.preambles
        assert [len(f.members) for f in run.detection.findings] == [len(f.members) for f in plain.findings]


def test_a_preamble_near_the_threshold_stays(fast: Settings, tmp_path: Path) -> None:
    rows = wrapped(people(200), WRAPS["before"], some=lambda account: int(account[1:]) < 60)
    # Two months later, fewer accounts send it.
    later = [replace(row, time=(row.time or 0) + 60 * DAY) for row in rows if int(row.account[1:]) >= 25]
    many, few = written(tmp_path, rows, 1), written(tmp_path / "later", later, 1)
    with open_state(tmp_path / "state", write=True) as state:
        assert state.scan(few, settings=fast, now=NOW + 60 * DAY).detection.preambles == ()
    with open_state(tmp_path / "other", write=True) as state:
        (found,) = state.scan(many, settings=fast, now=NOW).detection.preambles
        assert (found.accounts, found.share) == (60, 0.3)
        off = state.scan(few, settings=fast.replace(find_preambles=False), now=NOW + 60 * DAY)
        assert off.detection.preambles == ()
        for _ in range(2):
            (kept,) = state.scan(few, settings=fast, now=NOW + 60 * DAY).detection.preambles
            assert (kept.text, kept.accounts, kept.share) == (found.text, 35, 0.2)


def test_a_state_with_a_broken_preamble_is_damaged(fast: Settings, tmp_path: Path) -> None:
    files = written(tmp_path, people(30), 1)
    with open_state(tmp_path / "state", write=True) as state:
        state.scan(files, settings=fast, now=NOW)
    with closing(sqlite3.connect(tmp_path / "state" / DATABASE)) as connection:
        connection.execute("UPDATE meta SET value = '[1]' WHERE name = 'preambles'")
        connection.commit()
    with open_state(tmp_path / "state", write=True) as state, pytest.raises(StateError, match="preambles"):
        state.scan(files, settings=fast, now=NOW)
