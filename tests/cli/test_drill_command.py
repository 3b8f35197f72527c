"""The command ``drill``."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.support import GOOD, Run, jsonl
from tests.drill.making import prompts


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {
            "account": p.account,
            "timestamp": datetime.fromtimestamp(p.time or 0, UTC).isoformat(),
            "prompt": p.prompt,
            "ip": p.fields["ip"],
        }
        for p in prompts(420, seed=2, most=12)
    ]
    return jsonl(tmp_path_factory.mktemp("drill") / "dump.jsonl", rows)


def test_a_drill_writes_and_prints(run: Run, dump: Path, tmp_path: Path) -> None:
    before = dump.read_bytes()
    out = tmp_path / "out"
    done = run("drill", dump, "--out", out, "--trials", 2, "--accounts", 12, "--share", "50%")
    assert done.code == 0, done.err
    assert "of 2 planted campaigns found at urgent or review" in done.out
    assert "Blind spots" in done.out
    assert str(out / "drill.html") in done.out
    assert "note: scan 1: " in done.err
    assert sorted(path.name for path in out.iterdir()) == ["drill.html", "drill.json"]
    value = json.loads((out / "drill.json").read_text(encoding="utf-8"))
    assert {t["design"]["accounts"] for t in value["trials"]} == {12}
    assert {t["design"]["share"] for t in value["trials"]} == {0.5}
    assert dump.read_bytes() == before
    written = "".join(path.read_text(encoding="utf-8") for path in out.iterdir())
    assert not re.search(r"acct-[0-9a-f]{5}|question [0-9]|10\.[0-9]+\.[0-9]+\.7", written), "no account and no prompt"

    again = run("drill", dump.parent, out, "--out", out, "--trials", 2, "--accounts", 12, "--share", 0.5, "-q",
                "--format", "json")  # fmt: skip
    assert (again.code, again.err) == (0, "")
    repeated = json.loads(again.out)
    assert repeated["trials"] == value["trials"]
    assert repeated["files"] == value["files"], "the results of the first drill are not read"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("-",), 2, "several times"),
        (("DUMP", "--share", "half"), 2, "is not a share"),
        (("DUMP", "--share", "0%"), 2, "is not a share"),
        (("DUMP", "--accounts", "1"), 2, "--accounts"),
        (("DUMP", "--trials", "0"), 2, "--trials"),
        (("DUMP", "--rewording", "poem"), 2, "--rewording"),
        (("DUMP", "--min-accounts", "0"), 2, "min_accounts"),
        (("missing.jsonl",), None, "missing.jsonl"),
    ],
)
def test_wrong_usage(run: Run, dump: Path, arguments: tuple[str, ...], code: int | None, message: str) -> None:
    done = run("drill", *(str(dump) if a == "DUMP" else a for a in arguments))
    assert message in done.err
    assert "Traceback" not in done.err
    assert done.code == code if code is not None else done.code in (1, 2)


def test_a_small_dump_is_an_error(run: Run, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "small.jsonl", [GOOD] * 30)
    done = run("drill", file, "--out", tmp_path / "out")
    assert done.code == 1
    assert "no campaign can be planted into this dump" in done.err
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"account": "", "prompt": ""}\n')
    done = run("drill", empty)
    assert done.code == 1
    assert "no prompt could be read" in done.err


def test_too_many_rejects(run: Run, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "bad.jsonl", [GOOD, {"account": "a", "prompt": ""}])
    done = run("drill", file, "--max-rejects", "0")
    assert done.code == 4
