"""Erasing an account: nothing of it is left, that is proven, and what keeps it from being done is said."""

from __future__ import annotations

import csv
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect import Settings
from harvestdetect.alerts import load_channels
from harvestdetect.cli.main import main
from harvestdetect.errors import ErasureError
from harvestdetect.judge.candidate_file import account_digest
from harvestdetect.report import write_outputs
from harvestdetect.state import erase, open_state
from harvestdetect.state.templates import kept_share
from harvestdetect.state.traces import Traces

DAY = 86_400
START = 1_780_272_000
"""2026-06-01."""
NOW = START + 2 * DAY
WORDS = (
    *("river", "stone", "lamp", "cloud", "garden", "engine", "paper", "violin", "copper", "window", "market"),
    *("shadow", "bridge", "candle", "forest", "ladder", "mirror", "needle", "orange", "pepper", "quartz"),
)
FORM = "Solve the following {} exam question step by step and grade your own reasoning from one to ten: {} and {}"
EACH = 6
"""Prompts of each account that fills the template."""
FAST = Settings(encoder="fast", workers=1, threads=1)


def row(account: str, at: int, prompt: str) -> dict[str, Any]:
    return {"account": account, "timestamp": at, "prompt": prompt}


def dump(file: Path, names: list[str], *, seed: int = 0, form: str = FORM, extra: tuple[Any, ...] = ()) -> Path:
    """People who ask in words of their own, and accounts that fill one template."""
    rng = random.Random(seed)
    rows = [
        row(f"person-{rng.randrange(40)}", START + rng.randrange(DAY), " ".join(rng.sample(WORDS, 9)) + "?")
        for _ in range(100)
    ]
    rows += [
        row(name, START + rng.randrange(DAY), form.format(*rng.sample(WORDS, 3))) for name in names for _ in range(EACH)
    ]
    file.write_text("".join(json.dumps(one) + "\n" for one in (*rows, *extra)))
    return file


def holders(folder: Path, *traces: str) -> list[str]:
    """Files below a folder whose bytes hold any of some texts."""
    forms = {form.encode() for text in traces for form in (text, json.dumps(text)[1:-1])}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


def run_main(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.fixture
def settings(cache: Path) -> Settings:
    return FAST.replace(cache=cache)


POOL = [f"pool-{i:02d}x" for i in range(14)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A state and results after one run of a file with a campaign of :data:`POOL`."""
    made = tmp_path_factory.mktemp("made")
    file = dump(made / "day.jsonl", POOL)
    with open_state(made / "state", write=True) as opened:
        run = opened.scan(
            [file], settings=FAST.replace(cache=cache), now=NOW, write=lambda found: write_outputs(found, made / "out")
        )
        assert any(m.account == POOL[3] for f in run.detection.findings for m in f.members)
    return made


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The state; ``out`` lies beside it."""
    for name in ("state", "out"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path / "state"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "PATIENCE", 0.3)


@pytest.fixture
def reader(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with a read transaction on the state."""
    program = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, isolation_level=None)\n"
        "c.execute('BEGIN'); c.execute('SELECT count(*) FROM members').fetchone(); print('reads', flush=True)\n"
        "sys.stdin.read(); c.execute('COMMIT'); c.close()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder / "state.sqlite")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "reads\n"
    yield process
    process.kill()
    process.communicate()


# ---------------------------------------------------------------- proof


def test_a_reader_keeps_an_erasure_from_being_done(
    folder: Path, reader: subprocess.Popen[str], impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main("state", "forget", folder, POOL[3]) == 75
    said = capsys.readouterr()
    assert said.out == ""
    assert "not erased completely: another process reads the state" in said.err
    assert "state.sqlite-wal" in said.err
    assert holders(folder, POOL[3])
    reader.communicate()
    assert run_main("state", "forget", folder, POOL[3]) == 0
    assert "Nothing of the account is left" in capsys.readouterr().out
    assert holders(folder, POOL[3]) == []
    assert run_main("state", "verify", folder) == 0
    assert run_main("state", "forget", folder, POOL[3]) == 1


def test_a_reader_that_ends_in_time_is_waited_for(
    folder: Path, reader: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        reader.communicate()

    monkeypatch.setattr(erase.time, "sleep", sleep)
    with open_state(folder, write=True) as opened:
        assert opened.forget(POOL[3]).prompts == EACH
        assert waited
    assert holders(folder, POOL[3]) == []


def test_what_is_not_the_states_own_is_told(folder: Path) -> None:
    note = folder / "note.txt"
    note.write_text(f"asked by {POOL[3]}")
    with open_state(folder, write=True) as opened:
        with pytest.raises(ErasureError, match=r"note\.txt, which is no file of the state, may contain it; run"):
            opened.forget(POOL[3])
        note.unlink()
        assert opened.forget(POOL[3]).known


def test_bytes_that_no_value_explains_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was not rewritten has them: that secure_delete and VACUUM work is not taken on trust."""
    monkeypatch.setattr(erase, "collect", lambda *_: None)
    with sqlite3.connect(folder / "state.sqlite") as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM members WHERE account = ?", (POOL[3],))
    connection.close()
    with open_state(folder, write=True) as opened, pytest.raises(ErasureError, match=r"state\.sqlite still has it"):
        opened.forget(POOL[3])
    monkeypatch.undo()
    with open_state(folder, write=True) as opened:
        assert opened.forget(POOL[3]).known
    assert holders(folder, POOL[3]) == []


def test_a_killed_erasure_is_finished_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(erase, "_rewritten", killed)
    with open_state(folder, write=True) as opened, pytest.raises(KeyboardInterrupt):
        opened.forget(POOL[3])
    monkeypatch.undo()
    with open_state(folder, write=True) as opened:
        again = opened.forget(POOL[3])
        assert (again.known, again.prompts) == (True, 0)
        assert not opened.forget(POOL[3]).known
    assert holders(folder, POOL[3]) == []


def test_an_unknown_account_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "read").iterdir()}
    assert run_main("state", "forget", folder, "nobody") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"harvestdetect: no such account in {folder}: 'nobody'\n"
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "read").iterdir()}
    assert list((folder / "neighbors").iterdir())


def test_longer_ids_stay(tmp_path: Path, settings: Settings) -> None:
    others = (f"{POOL[3]}2", f"x{POOL[3]}", f"{POOL[3]}_b")
    with open_state(tmp_path / "state", write=True) as opened:
        looser = settings.replace(fdr=0.4)  # so few prompts are a finding with this rate
        opened.scan([dump(tmp_path / "day.jsonl", [*POOL, *others], seed=4)], settings=looser, now=NOW)
        campaign = next(c.campaign_id for c in opened.campaigns() if POOL[3] in opened.members(c.campaign_id))
        assert opened.forget(POOL[3]).prompts == EACH
        assert set(opened.members(campaign)) == {*POOL, *others} - {POOL[3]}


# ---------------------------------------------------------------- names, sentences, templates, alerts


def test_names_of_files_are_erased(tmp_path: Path, settings: Settings) -> None:
    folder, accounts = tmp_path / "state", ("acct-77", "acct.csv", "jöhn d’oe", "=acct\\7")
    files = []
    for account in accounts:
        extra = tuple(row(account, START + i, f"one thing {i}") for i in range(4))
        for name in (f"{account}.jsonl", f"{account}_june.jsonl"):
            files.append(dump(tmp_path / name, [], seed=len(files), extra=(*extra, row("bad", START, ""))))
    with open_state(folder, write=True) as opened:
        opened.scan(files, settings=settings, now=NOW)
        for account in accounts:
            gone = opened.forget(account)
            assert (gone.prompts, gone.files) == (8, 2)
        assert opened.verify() == []
        names = sorted(Path(name["name"]).name for name in opened._store.rows("SELECT name FROM files"))
        assert names == 4 * ["[erased].jsonl"] + 4 * ["[erased]_june.jsonl"]
        assert holders(folder, *accounts) == []
        again = opened.scan(files, settings=settings, now=NOW)
        assert (again.new_files, again.known_files) == (0, 8)


def test_sentences_are_erased_wherever_they_are(folder: Path) -> None:
    account = POOL[3]
    with sqlite3.connect(folder / "state.sqlite") as connection:
        connection.execute(
            "INSERT INTO past_files (sha256, left_at, name) VALUES (?, 1, ?)", ("0" * 64, f"{account}.csv")
        )
        connection.execute("UPDATE runs SET error = ?, settings = ?", (f"no {account}!", json.dumps({"work": account})))
        finding = "json_set(finding, '$.summary', ?)"
        connection.execute(f"UPDATE campaigns SET finding = {finding}", (f"led by {account}",))
        campaign = connection.execute("SELECT campaign FROM campaigns").fetchone()[0]
    connection.close()
    with open_state(folder, write=True) as opened:
        opened.review(campaign, "benign", note=f"by {account}, not by {account}9", reviewer="ann")
        assert opened.forget(account).known
        assert opened.verdicts()[0].note == f"by [erased], not by {account}9"
        assert opened.campaigns()[0].summary == "led by [erased]"
        assert not opened.forget(account).known
    with sqlite3.connect(folder / "state.sqlite") as connection:
        assert connection.execute("SELECT name FROM past_files").fetchone() == ("[erased].csv",)
        assert connection.execute("SELECT error, settings FROM runs").fetchone() == (
            "no [erased]!",
            '{"work": "[erased]"}',
        )
    connection.close()


def alerting(tmp_path: Path) -> Any:
    file = tmp_path / "alerts.toml"
    told = {"name": "hook", "type": "webhook", "url": "http://127.0.0.1:9/", "include_text": True, "tier": "watch"}
    file.write_text("[[alerts]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items()))
    return load_channels(str(file))


def test_words_that_nobody_else_sent_go(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "state"
    with open_state(folder, write=True) as opened:
        opened.scan(
            [dump(tmp_path / "day.jsonl", POOL)], settings=settings, now=NOW, channels=alerting(tmp_path)
        )  # fmt: skip
        words = "grade your own reasoning"
        for number, account in enumerate(POOL):
            assert words in json.dumps([dict(r) for r in opened._store.rows("SELECT words FROM signatures")]), number
            gone = opened.forget(account)
            assert gone.templates == (1 if account == POOL[-1] else 0)
        waiting = [json.loads(r["body"]) for r in opened._store.rows("SELECT body FROM outbox WHERE body NOT NULL")]
        assert all("excerpt" not in body for body in waiting)
        assert waiting
        assert opened.verify() == []
        campaigns = opened.campaigns()
        assert campaigns
        assert opened.members(campaigns[0].campaign_id) == []
    assert holders(folder, words, words.title(), *POOL) == []


def test_words_of_a_past_template_stay_while_members_do(folder: Path, settings: Settings, tmp_path: Path) -> None:
    """Where the prompts have left the window nobody can say who sent the words: membership decides."""
    with open_state(folder, write=True) as opened:
        later = dump(tmp_path / "later.jsonl", [])
        moved = [json.loads(line) for line in later.read_text().splitlines()]
        later.write_text("".join(json.dumps({**one, "timestamp": one["timestamp"] + 30 * DAY}) + "\n" for one in moved))
        opened.scan([later], settings=settings, now=NOW + 30 * DAY, window="10d")
        campaign = opened.campaigns()[0].campaign_id
        *others, last = opened.members(campaign)
        assert sum(opened.forget(account).templates for account in others) == 0
        assert opened.forget(last).templates >= 1
        assert opened._store.rows("SELECT * FROM signatures") == []


def test_broken_shards_go_with_what_they_may_hold(folder: Path) -> None:
    shard = next((folder / "read").glob("*.shard"))
    aside = folder / "aside"
    aside.mkdir()
    (aside / shard.name).write_bytes(shard.read_bytes()[:-1])
    with open_state(folder, write=True) as opened:
        assert opened.forget(POOL[3]).known
    assert not list(aside.iterdir())
    assert holders(folder, POOL[3]) == []


# ---------------------------------------------------------------- results and work folders


def accounts_of(file: Path) -> set[str]:
    with file.open(newline="") as lines:
        return {cells["account"] for cells in csv.DictReader(lines)}


def test_results_are_erased_too(tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    account, secret = POOL[3], "hippopotamus of my grandmother"
    extra = (row(account, START + 7, FORM.format("q", secret, "z")), {"account": account, "prompt": 7, "timestamp": 1})
    file = dump(tmp_path / f"{account}.jsonl", POOL, extra=extra)
    state, folder = tmp_path / "state", tmp_path / "out"
    with open_state(state, write=True) as opened:
        opened.scan([file], settings=settings, now=NOW, write=lambda found: write_outputs(found, folder))
    assert {"accounts.csv", "report.html", "run.json"} <= set(holders(folder, account))
    leftover = folder / f".report.html.{'0' * 16}.tmp"
    leftover.write_text(account)
    before = json.loads((folder / "campaigns.jsonl").read_text().splitlines()[0])
    assert run_main("state", "forget", state, account, "--out", folder) == 0
    assert "files in folders of results and work folders" in capsys.readouterr().out
    assert holders(folder, account, secret) == []
    assert accounts_of(folder / "accounts.csv") == set(POOL) - {account}
    table = pq.read_table(folder / "prompts.parquet")
    assert set(table["account"].to_pylist()) == set(POOL) - {account}
    assert {Path(name).name for name in table["file"].to_pylist()} == {"[erased].jsonl"}
    plane = pq.read_table(folder / "map.parquet")
    assert plane.num_rows
    assert account not in plane["account"].to_pylist()
    assert {Path(name).name for name in plane["file"].to_pylist()} == {"[erased].jsonl"}
    seen = pq.read_table(folder / "accounts_seen.parquet")["digest"].to_pylist()
    assert account_digest(account) not in seen
    assert account_digest(POOL[4]) in seen
    after = json.loads((folder / "campaigns.jsonl").read_text().splitlines()[0])
    assert after["accounts"] == before["accounts"]
    assert after["templates"][0]["words"] == before["templates"][0]["words"]
    assert after["templates"][0]["exemplars"]
    run = json.loads((folder / "run.json").read_text())
    assert run["erased_accounts"] == 1
    assert run["notes"][-1].startswith("1 accounts were erased from these results after the scan")
    page = (folder / "report.html").read_text()
    assert POOL[4] in page
    assert "Map of the prompts" in page
    assert "were erased from these results" in page
    assert run_main("explain", folder, after["campaign_id"]) == 0
    assert run_main("state", "forget", state, account, "--out", folder) == 1
    assert "no such account in" in capsys.readouterr().err


def test_the_last_sender_takes_the_words_of_the_results_along(folder: Path) -> None:
    state, folder = folder, folder.with_name("out")
    with open_state(state, write=True) as opened:
        for account in POOL:
            assert "grade your own" in (folder / "campaigns.jsonl").read_text()
            opened.forget(account, outs=[folder])
    assert holders(folder, *POOL, "grade your own") == []
    assert json.loads((folder / "run.json").read_text())["erased_accounts"] == len(POOL)
    assert (folder / "report.html").exists()


def test_results_from_which_no_report_can_be_made_lose_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state, folder = folder, folder.with_name("out")
    (folder / "rejects.jsonl").unlink()
    assert run_main("state", "forget", state, POOL[3], "--out", folder) == 0
    assert f"{folder} has no report any more" in capsys.readouterr().out
    assert not (folder / "report.html").exists()
    assert holders(folder, POOL[3]) == []


def test_results_are_erased_after_the_state(folder: Path) -> None:
    state, folder = folder, folder.with_name("out")
    with open_state(state, write=True) as opened:
        opened.forget(POOL[3])
        gone = opened.forget(POOL[3], outs=[folder])
        assert gone.known
        assert gone.results
    assert holders(folder, POOL[3]) == []


def test_a_folder_without_results_is_wrong_usage(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run_main("state", "forget", folder, POOL[3], "--out", tmp_path / "empty") == 2
    assert "has no results of a scan" in capsys.readouterr().err
    assert holders(folder, POOL[3])


def test_work_folders_are_erased_too(
    folder: Path, tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from harvestdetect import detect, read_dumps

    work = tmp_path / "work"
    files = [dump(tmp_path / "more.jsonl", POOL, seed=3), dump(tmp_path / "plain.jsonl", [], seed=4)]
    detect(read_dumps(files, settings=settings), settings=settings.replace(work=work))
    assert holders(work, POOL[3])
    assert run_main("state", "forget", folder, POOL[3], "--work", work) == 0
    assert holders(work, POOL[3]) == []
    assert len(list((work / "read").iterdir())) == 1
    assert run_main("state", "forget", folder, POOL[3], "--work", tmp_path / "none") == 2


# ---------------------------------------------------------------- finding an id


@pytest.mark.parametrize("account", ["erased", "]", "e", "[removed]"])
def test_ids_that_a_stand_in_holds(account: str) -> None:
    traces = Traces(account)
    assert not traces.said(traces.unsaid(f"x {account} y"))


@given(st.text(min_size=1, max_size=12), st.text(max_size=20), st.text(max_size=20))
def test_what_is_unsaid_is_not_said(account: str, before: str, after: str) -> None:
    traces = Traces(account)
    for text in (f"{before} {account} {after}", json.dumps(account), before + after):
        assert not traces.said(traces.unsaid(text))
        assert not traces.named(traces.unnamed(text))
    assert traces.said(f" {account} ")
    assert traces.said(json.dumps(account))


def test_bytes_are_explained_by_longer_values_alone() -> None:
    traces = Traces("user-1")
    explained = b"..user-12..", [b"user-12"]
    assert traces.unexplained(*explained, page=4096) == 0
    assert traces.unexplained(b"..user-12..user-1\x00..", [b"user-12"], page=4096) == 1
    assert traces.unexplained(b"..user-1..", [], page=4096) == 1
    long = b"x" * 500 + b"user-12" + b"y" * 5_000
    split = b"\0" * 3_600 + long[:496] + b"\0\0\0\1" + long[496:]
    assert traces.unexplained(split, [long], page=4096) == 0
    assert Traces("ab").forms == ()


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.lists(st.sampled_from("abcd"), max_size=30))
def test_words_are_kept_in_order(words: list[str], text: list[str]) -> None:
    best = [0] * (len(words) + 1)
    for token in text:
        for i in range(len(words), 0, -1):
            if words[i - 1] == token:
                best[i] = max(best[i], max(best[:i]) + 1)
    assert kept_share(words, text) == pytest.approx(max(best) / len(words))
