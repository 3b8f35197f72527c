"""Flipped bits and impossible rows of a database: every command answers, or says so in a line."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harvestdetect import Settings
from harvestdetect.cli.main import run_command
from harvestdetect.state import open_state
from harvestdetect.state.store import DATABASE
from tests.state.damage.making import beside_alerts, copied, prepared, scan

FLIPS = int(os.environ.get("HARVESTDETECT_FLIPS", "200"))
"""How many places of a database are damaged, one at a time."""
FLIPPED_SCANS = int(os.environ.get("HARVESTDETECT_FLIPPED_SCANS", "5"))
"""How many of them are followed by a scan."""


def flip(folder: Path, rng: random.Random) -> None:
    """Damages a few bits or bytes at one place, mostly where something is written."""
    content = bytearray((folder / DATABASE).read_bytes())
    place = rng.randrange(len(content))
    for _ in range(20):
        if content[place]:
            break
        place = rng.randrange(len(content))
    for i in range(rng.choice((1, 1, 1, 4))):
        at = min(place + i, len(content) - 1)
        content[at] = content[at] ^ (1 << rng.randrange(8)) if rng.random() < 0.7 else rng.randrange(256)
    (folder / DATABASE).write_bytes(content)


def test_flipped_bits_end_in_an_answer_or_one_line(
    original: Path, dumps: list[Path], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = copied(original, tmp_path / "base")
    for name in ("vectors", "neighbors", "clusters"):
        shutil.rmtree(base / name, ignore_errors=True)
    with open_state(base, write=True) as state:
        campaign = state.campaigns()[0].campaign_id
        state.collect()
    files, folder = prepared(base), tmp_path / "flipped"
    reading = [
        *(["campaigns", str(folder), "--all"], ["campaigns", str(folder), campaign, "--format", "json"]),
        *(["campaigns", str(folder), campaign], ["review", str(folder)], ["state", "verify", str(folder)]),
        ["state", "gc", str(folder)],
    ]
    answered = 0
    for seed in range(FLIPS):
        shutil.copytree(base, folder)
        flip(folder, random.Random(seed))
        for command in reading:
            code = run_command(command)
            said = capsys.readouterr()
            assert "internal error" not in said.err, (seed, command, said.err)
            assert code in (0, 1) or (code == 2 and "knows no campaign" in said.err), (seed, command, said)
            assert said.err.count("\n") == (0 if code == 0 or ("verify" in command and said.out) else 1), (
                seed,
                said.err,
            )
            answered += code == 0
        if seed < FLIPPED_SCANS:
            code = scan(folder, tmp_path / "out", settings, dumps[0])
            said = capsys.readouterr()
            assert "internal error" not in said.err, (seed, said.err)
            assert code in (0, 1, 4), (seed, said.err)
        assert prepared(folder).items() >= files.items(), seed
        shutil.rmtree(folder)
    assert answered > FLIPS


BAD_ROWS = (
    ("campaigns", "UPDATE campaigns SET finding = '{\"first_seen\": 1'"),
    ("campaigns", "UPDATE campaigns SET finding = replace(finding, 'last_seen\": 1', 'last_seen\": 9981')"),
    ("campaigns", "UPDATE campaigns SET status = 'gone'"),
    ("campaigns", "UPDATE campaigns SET detected = 1876543210987"),
    ("campaigns", "UPDATE campaigns SET finding = CAST(x'7b22ff22' AS TEXT)"),
    ("members", "UPDATE members SET account = CAST(x'ff80' AS TEXT) WHERE rowid = 3"),
    ("campaign_days", "UPDATE campaign_days SET prompts = -4"),
    ("campaign_days", "UPDATE campaign_days SET day = 'today' WHERE rowid = 1"),
    ("events", "UPDATE events SET at = 1876543210987"),
    ("verdicts", "UPDATE verdicts SET tier = 'high'"),
    ("verdicts", "UPDATE verdicts SET at = -1876543210987"),
    ("verdicts", "UPDATE verdicts SET note = CAST(x'c328' AS TEXT)"),
    ("files", "UPDATE files SET sha256 = upper(sha256)"),
    ("signatures", "UPDATE signatures SET words = '[1, 2]'"),
    ("runs", "UPDATE runs SET window_end = 1876543210987"),
    ("runs", "UPDATE runs SET counts = '[]'"),
    ("outbox", "UPDATE outbox SET body = '{}' WHERE body IS NOT NULL"),
    ("outbox", "UPDATE outbox SET created = 9e30"),
    ("outbox", "UPDATE outbox SET tier = 'x' WHERE body IS NOT NULL"),
    ("told", "INSERT INTO told VALUES ('nobody', 'c', 'new', 'x', '1', 9e30, 5, 0, NULL)"),
)


@pytest.mark.parametrize(("table", "change"), BAD_ROWS)
def test_every_read_checks_its_rows(table: str, change: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = prepared(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        assert connection.execute(change).rowcount
        connection.commit()
    assert run_command(["state", "verify", str(folder)]) == 1
    said = capsys.readouterr().out
    assert table in said or "not UTF-8" in said or "what is known of the campaign" in said
    campaign = "c-unknown"
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        (campaign,) = connection.execute("SELECT campaign FROM campaigns").fetchone()
    codes = [
        run_command(command)
        for command in (
            ["campaigns", str(folder)], ["campaigns", str(folder), campaign], ["review", str(folder)],
            ["state", "gc", str(folder)], ["state", "forget", str(folder), "pool-1"],
        )
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert "internal error" not in said
    assert set(codes) <= {0, 1}
    assert codes[3:] == [1, 1]
    if table in ("campaigns", "members", "campaign_days", "events", "verdicts"):
        assert 1 in codes[:3]
    assert said.count("is damaged") == codes.count(1) == said.count("\n")
    assert prepared(folder) == files


def test_what_a_query_adds_up_is_no_damage(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("UPDATE members SET attributed = 1")
        connection.commit()
    with open_state(folder) as state:
        assert state.campaigns()[0].attributed == state.campaigns()[0].accounts > 1


@pytest.mark.parametrize("change", [change for table, change in BAD_ROWS if table in ("outbox", "signatures", "files")])
def test_a_scan_says_that_a_row_is_damaged(
    change: str, folder: Path, dumps: list[Path], settings: Settings, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute(change)
        connection.execute("UPDATE outbox SET next_try = 0")
        connection.commit()
    alerts = tmp_path / "settings.toml"
    alerts.write_text('[[alerts]]\nname = "nobody"\ntype = "command"\ncommand = ["true"]\ntier = "watch"\n')
    code = scan(folder, tmp_path / "out", settings, dumps[0], more=("--settings", str(alerts)))
    said = capsys.readouterr().err
    assert code == 1
    (line,) = beside_alerts(said)
    assert "is damaged" in line
