"""``signatures`` and ``scan --signatures`` through the command line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cli.support import Run, lines
from tests.signatures.providers import lay

pytestmark = pytest.mark.usefixtures("loaded_once")

SCAN = ("--no-registry", "--no-preambles", "--workers", "1", "--quiet")


@pytest.fixture
def keys(run: Run, tmp_path: Path) -> Path:
    """A folder with a key pair and a shared secret."""
    made = run("signatures", "keygen", tmp_path / "issuer.pem")
    assert made.code == 0
    assert "issuer.pem.pub: its public key, fingerprint" in made.out
    assert run("signatures", "keygen", tmp_path / "shared.key", "--secret").code == 0
    return tmp_path


def test_from_one_provider_to_another(run: Run, keys: Path) -> None:
    first, second = lay(keys / "first.jsonl", 1), lay(keys / "second.jsonl", 2)
    assert run("scan", first, "--out", keys / "a", *SCAN).code == 0
    sent = keys / "ours.json"
    given = ("--key", keys / "issuer.pem", "--secret", keys / "shared.key")
    done = run("signatures", "export", keys / "a", *given, "--out", sent, "--issuer", "Example \x1b[31m AI")
    assert done.code == 0, done.err
    campaign = lines(keys / "a" / "campaigns.jsonl")[0]["campaign_id"]
    assert f" = {campaign}: about 32 accounts" in done.out
    assert stat.S_IMODE(sent.stat().st_mode) == 0o600

    shown = run("signatures", "show", sent)
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert "HMAC-SHA-256 with the secret" in shown.out
    assert campaign not in shown.out
    trust = ("--trust", keys / "issuer.pem.pub")
    assert run("signatures", "verify", sent, *trust).code == 0

    theirs = ("--signatures", sent, *trust, "--signature-secret", keys / "shared.key")
    done = run("scan", second, "--out", keys / "b", *SCAN, *theirs)
    assert done.code == 0, done.err
    (fit,) = lines(keys / "b" / "signatures.jsonl")
    (finding,) = lines(keys / "b" / "campaigns.jsonl")
    assert "40 accounts sent" in finding["summary"]
    assert (fit["campaign_id"], fit["by"]) == (finding["campaign_id"], "template")
    assert finding["signatures"] == [fit["signature"]]

    done = run("scan", second, "--out", keys / "c", *SCAN, "--format", "json")
    assert '"signatures"' not in done.out
    assert (keys / "c" / "signatures.jsonl").read_bytes() == b""
    state = keys / "state"
    done = run("scan", second, "--out", keys / "d", *SCAN, *theirs, "--state", state)
    assert done.code == 0, done.err
    assert lines(keys / "d" / "signatures.jsonl")[0]["campaign_id"] == finding["campaign_id"]
    done = run("state", "forget", state, "pool-2-3", "--out", keys / "d")
    assert done.code == 0, done.err
    assert "pool-2-3" not in (keys / "d" / "signatures.jsonl").read_text()


def test_what_is_wrong_with_a_file_is_said(run: Run, keys: Path) -> None:
    dump = lay(keys / "first.jsonl", 1)
    assert run("scan", dump, "--out", keys / "a", *SCAN).code == 0
    sent = keys / "ours.json"
    given = ("signatures", "export", keys / "a", "--key", keys / "issuer.pem", "--out", sent, "--quiet")
    assert run(*given, "--plain").code == 0
    trust = ("--trust", keys / "issuer.pem.pub")
    scan = ("scan", dump, "--out", keys / "b", *SCAN)
    assert run("signatures", "keygen", keys / "other.pem").code == 0
    plain = json.loads(sent.read_bytes())
    plain["signed"]["expires"] = "2100-01-01"
    (keys / "altered.json").write_text(json.dumps(plain), encoding="utf-8")
    (keys / "empty.json").write_text("", encoding="utf-8")
    for arguments, code, message in (
        ((*scan, "--signatures", sent), 2, "--signatures needs --trust"),
        ((*scan, *trust), 2, "--trust needs --signatures"),
        ((*scan, "--signature-secret", keys / "shared.key"), 2, "--signature-secret needs --signatures"),
        ((*scan, "--signatures", sent, "--trust", keys / "other.pem.pub"), 1, "whom no --trust names"),
        ((*scan, "--signatures", keys / "altered.json", *trust), 1, "is wrong: the file was altered"),
        ((*scan, "--signatures", keys / "empty.json", *trust), 1, "no signature file"),
        ((*scan, "--signatures", keys / "gone.json", *trust), 1, "cannot read"),
        (("signatures", "verify", sent, "--trust", keys / "other.pem.pub"), 1, "whom no --trust names"),
        (("signatures", "verify", sent, "--trust", keys / "issuer.pem"), 1, "is a private key"),
        (("signatures", "show", dump), 1, "no signature file"),
        (given, 2, "give either --secret"),
        ((*given[:4], keys / "issuer.pem.pub", "--out", sent, "--plain"), 1, "is a public key, and a file is signed"),
        ((*given, "--plain", "--secret", keys / "shared.key"), 2, "give either --secret"),
        ((*given, "--plain", "--words", "3"), 2, "a shingle must have 5 to 20 words"),
        ((*given, "--plain", "--campaign", "c-nothing"), 2, "no finding has such an id"),
        ((*given, "--plain", "--valid", "1h"), 2, "a day or more"),
        (("signatures", "export", keys / "gone", *given[3:], "--plain"), 1, "give the folder that scan --out named"),
        (("signatures", "keygen", keys / "issuer.pem"), 2, "never overwritten"),
        (("signatures", "keygen", keys / "x", "--secret", "--passphrase"), 2, "--passphrase is for key pairs"),
    ):
        done = run(*arguments)
        assert done.code == code, (arguments, done)
        assert message in done.error, arguments
        assert "other users can read" not in done.error, arguments
    assert not (keys / "b").exists()
    dump.write_text(dump.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "is not what was scanned" in run(*given, "--plain").error


def test_a_passphrase_comes_from_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "HARVESTDETECT_SIGNATURE_PASSPHRASE" in run("signatures", "keygen", tmp_path / "a", "--passphrase").error
    monkeypatch.setenv("HARVESTDETECT_SIGNATURE_PASSPHRASE", "correct horse")
    assert run("signatures", "keygen", tmp_path / "a", "--passphrase").code == 0
    assert b"ENCRYPTED" in (tmp_path / "a").read_bytes()


def test_without_the_package_the_message_names_the_extra(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    done = run("signatures", "keygen", tmp_path / "a")
    assert done.code == 2
    assert "harvestdetect[signatures]" in done.error
