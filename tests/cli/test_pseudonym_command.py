"""``pseudonym`` and ``scan --pseudonyms``, through the command line."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from harvestdetect.simulate import simulate
from tests.cli.support import Run, jsonl, lines

pytestmark = pytest.mark.usefixtures("loaded_once")


class _Input:
    """Standard input with some bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def test_a_key_is_made_and_finds_accounts_again(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    assert run("pseudonym", key, "--new").code == 0
    assert "exists already" in run("pseudonym", key, "--new").error
    one = run("pseudonym", key, "acct-1", " acct-1 ")
    first, second = one.out.splitlines()
    assert first == second
    assert first.endswith("\tacct-1")
    monkeypatch.setattr("sys.stdin", _Input(b"acct-1\n\nacct-2\n\xff\n"))
    table = run("pseudonym", key, "-").out.splitlines()
    assert table[0] == first
    assert len({line.partition("\t")[0] for line in table}) == 3
    assert run("pseudonym", key, "acct-1", "--field", "org").out != first + "\n"


def test_wrong_use_is_told(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert "no ID was named" in run("pseudonym", key).error
    assert "takes no ID" in run("pseudonym", key, "a", "--new").error
    assert "cannot read the key" in run("pseudonym", key, "a").error


def test_no_identifier_is_in_what_a_scan_writes(run: Run, tmp_path: Path, environment: Mapping[str, str]) -> None:
    """Byte by byte: results, state and cache."""
    made = simulate(tmp_path / "sim", prompts=3_000, seed=5, metadata=True)
    names = sorted({line["accounts"][0] for line in lines(tmp_path / "sim" / "truth.jsonl")})
    key, out = tmp_path / "key", tmp_path / "out"
    shutil.copytree(environment["HARVESTDETECT_CACHE"], tmp_path / "cache")  # with the model, which takes a minute
    key.write_text("5d" * 32 + "\n")  # of another key, chance may make another weak finding
    key.chmod(0o600)
    options = ("--pseudonyms", key, "--cache", tmp_path / "cache", "-q")
    plain = run("scan", *made.files, "--out", tmp_path / "plain", "-q")
    hidden = run("scan", *made.files, "--out", out, "--state", tmp_path / "state", "--trust-clock", *options)
    assert (plain.code, hidden.code) == (0, 0)
    found = [
        {(c["tier"], c["accounts"]) for c in lines(folder / "campaigns.jsonl")} for folder in (tmp_path / "plain", out)
    ]
    assert found[0] == found[1] != set()
    clear = b"".join(f.read_bytes() for f in (tmp_path / "plain").iterdir())
    written = [f for folder in (out, tmp_path / "state", tmp_path / "cache") for f in folder.rglob("*") if f.is_file()]
    assert any(name.encode() in clear for name in names)
    for name in names:
        assert not [f for f in written if name.encode() in f.read_bytes()], name
    told = run("pseudonym", key, *names).out.split()
    accounts = (out / "accounts.csv").read_text()
    assert any(pseudonym in accounts for pseudonym in told[::2])


def test_a_state_keeps_to_its_key(run: Run, tmp_path: Path) -> None:
    row = {"account": "a", "timestamp": "2026-06-01T10:00:00Z", "prompt": "write a poem about the sea"}
    dump = jsonl(tmp_path / "d.jsonl", [row])
    keys = [tmp_path / name for name in ("one", "other")]
    for key in keys:
        run("pseudonym", key, "--new")

    def scan(state: str, *options: str | Path) -> str:
        done = run(
            "scan", dump, "--out", tmp_path / "out", "--state", tmp_path / state, "--trust-clock", "-q", *options
        )
        return done.error if done.code else ""

    assert scan("hidden", "--pseudonyms", keys[0]) == ""
    assert scan("hidden", "--pseudonyms", keys[0]) == ""
    assert "with pseudonyms of another key" in scan("hidden", "--pseudonyms", keys[1])
    assert "was made with pseudonyms;" in scan("hidden")
    assert scan("plain") == ""
    assert "was made without pseudonyms" in scan("plain", "--pseudonyms", keys[0])
    assert run("state", "verify", tmp_path / "hidden").code == 0
