"""A scan opens no connection, and where people are from changes nothing."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harvestdetect.cli.main import run_command
from harvestdetect.simulate import simulate
from tests.faults.server import Server

PROMPTS = 900
FEW = 250
"""For the model of meaning, which takes time."""
OFFLINE = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], str | bytes):
        return  # a socket of this machine
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        raise SystemExit(f"network: {event}")

sys.addaudithook(refuse)
"""
"""Any use of a network ends the program."""
OFFLINE_COMMAND = f"@{__name__}:offline"
"""See :meth:`tests.faults.server.Server.run`."""


def offline(*words: str) -> int:
    """A command that ends when it uses a network."""
    exec(OFFLINE, {})
    return run_command(list(words))


def run(code: str, *words: str | Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", OFFLINE + code, *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(("encoder", "prompts"), [("fast", PROMPTS), ("full", FEW)])
def test_a_scan_opens_no_connection(tmp_path: Path, environment: Mapping[str, str], encoder: str, prompts: int) -> None:
    simulate(tmp_path / "made", prompts=prompts, seed=1)
    scan = "from harvestdetect.cli.main import main\nmain()"
    words = ("scan", tmp_path / "made" / "dump", "--out", tmp_path / "out", "--encoder", encoder)
    done = run(scan, *words, environment=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()


def connect() -> None:
    """Opens a connection where none may be."""
    exec(OFFLINE + "import socket\nsocket.create_connection(('127.0.0.1', 9))", {})


def test_a_connection_would_be_noticed(environment: Mapping[str, str], commands: Server) -> None:
    noticed = commands.run([f"@{__name__}:connect"])
    assert noticed.code == 1
    assert "network: socket." in noticed.err
    done = run("import socket\nsocket.create_connection(('127.0.0.1', 9))", environment=environment)
    assert done.returncode == 1
    assert "network: socket." in done.stderr


def with_fields(folder: Path, out: Path, country: Callable[[str], str]) -> Path:
    """The dump with a country, a language and a nationality for each account."""
    out.mkdir()
    for file in sorted(folder.glob("*.gz")):
        with (
            gzip.open(file, "rt", encoding="utf-8") as rows,
            gzip.open(out / file.name, "wt", encoding="utf-8") as kept,
        ):
            for line in rows:
                row = json.loads(line)
                value = country(str(row.get("account_id") or row.get("account")))
                row |= {"country": value, "language": value.lower(), "nationality": value}
                kept.write(json.dumps(row) + "\n")
    return out


def test_countries_and_languages_of_accounts_change_nothing(tmp_path: Path, commands: Server) -> None:
    simulate(tmp_path / "made", prompts=PROMPTS, seed=2)
    dump = tmp_path / "made" / "dump"
    found = []
    for name, country in (("one", lambda account: "AA"), ("many", lambda account: f"{hash(account) % 7}X")):
        rows = with_fields(dump, tmp_path / name, country)
        words = ("scan", rows, "--out", tmp_path / f"out-{name}", "--encoder", "fast")
        done = commands.run([OFFLINE_COMMAND, *words])
        assert done.code == 0, done.err
        found.append((tmp_path / f"out-{name}" / "accounts.csv").read_text(encoding="utf-8"))
    assert len(found[0].splitlines()) > 10
    assert found[0] == found[1]
