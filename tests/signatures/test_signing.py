"""Signature files: signed, checked, altered, expired, hostile; and their keys."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.errors import SignatureError, UsageError
from harvestdetect.signatures import Exported, open_signatures, opened
from harvestdetect.signatures.canonical import MOST_BYTES, canonical, content_of, parsed, plain_of
from harvestdetect.signatures.keys import (
    PASSPHRASE,
    fingerprint,
    new_pair,
    new_secret,
    private_key,
    public_bytes,
    public_file,
    read_secret,
    trusted_key,
)
from tests.signatures.conftest import Issuer


def test_a_file_is_read_as_it_was_written(keyed: tuple[Exported, bytes], issuer: Issuer, tmp_path: Path) -> None:
    exported, raw = keyed
    file = tmp_path / "ours.json"
    file.write_bytes(raw)
    found = open_signatures(file, trust=[trusted_key(issuer.public)])
    assert found.content == exported.content
    assert found.trusted
    assert found.issuer == fingerprint(public_bytes(private_key(issuer.key)))
    plain = json.loads(raw)
    assert canonical(plain) + b"\n" == raw
    assert content_of(plain["signed"], name="x") == exported.content


def test_the_same_results_give_the_same_bytes(keyed: tuple[Exported, bytes], issuer: Issuer) -> None:
    assert issuer.export()[1] == keyed[1]


def test_the_order_of_keys_and_white_space_do_not_matter(keyed: tuple[Exported, bytes]) -> None:
    plain = json.loads(keyed[1])
    turned = {key: plain[key] for key in reversed(list(plain))}
    assert opened(json.dumps(turned, indent=3).encode(), name="x").content == keyed[0].content


def changes(plain: dict[str, Any]) -> list[Callable[[dict[str, Any]], object]]:
    campaign = plain["signed"]["campaigns"][0]
    run = next(r for t in campaign["templates"] for r in t["runs"] if r["shingles"])
    return [
        lambda p: p["signed"].update(expires="2099-01-01"),
        lambda p: p["signed"]["issuer"].update(name="somebody else"),
        lambda p: p["signed"]["campaigns"].pop(),
        lambda p: p["signed"]["campaigns"][0]["sizes"].update(accounts=2 * campaign["sizes"]["accounts"]),
        lambda p: p["signed"]["campaigns"][0]["targets"].append("more"),
        lambda p: p["signed"]["hashing"].update(salt="0" * 32),
        lambda p: p.update(signature="0" * 128),
        lambda p: p.update(signature=p["signature"][:-2]),
        lambda p: p.update(signature="g" * 128),
        lambda p: p["signed"]["issuer"].update(key="0" * 64),
        lambda p: p["signed"]["campaigns"][0]["profile"].append({"cell": 1, "share": 5}),
        lambda p: p["signed"].update(least_accounts=len(run["shingles"]) + 5),
    ]


@pytest.mark.parametrize("number", range(12))
def test_any_change_is_noticed(number: int, keyed: tuple[Exported, bytes]) -> None:
    plain = json.loads(keyed[1])
    changes(plain)[number](plain)
    with pytest.raises(SignatureError, match="the signature of x is wrong"):
        opened(json.dumps(plain).encode(), name="x")


@given(place=st.integers(min_value=0), by=st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_noticed(place: int, by: int, keyed: tuple[Exported, bytes]) -> None:
    raw = bytearray(keyed[1])
    raw[place % (len(raw) - 1)] ^= by
    try:
        found = opened(bytes(raw), name="x")
    except SignatureError:
        return
    assert found.content == keyed[0].content, "what was read is what was signed"


def test_only_trusted_issuers_count(keyed: tuple[Exported, bytes], tmp_path: Path, issuer: Issuer) -> None:
    file = tmp_path / "ours.json"
    file.write_bytes(keyed[1])
    new_pair(tmp_path / "other.pem")
    with pytest.raises(SignatureError, match="whom no --trust names"):
        open_signatures(file, trust=[trusted_key(tmp_path / "other.pem.pub")])
    with pytest.raises(SignatureError, match="whom no --trust names"):
        open_signatures(file)
    late = date.fromisoformat(keyed[0].content.expires)
    open_signatures(file, trust=[trusted_key(issuer.public)], today=late)
    with pytest.raises(SignatureError, match="expired on"):
        open_signatures(file, trust=[trusted_key(issuer.public)], today=late + timedelta(days=1))


HOSTILE = (
    (b"", "is not JSON"),
    (b"[]", "not a JSON object"),
    (b"\xff\xfe", "not UTF-8"),
    (b"[" * 200_000, "nested too deep"),
    (b'{"signed":' * 100_000, "nested too deep"),
    (b'{"signed":1,"signed":2}', "a key twice"),
    (b'{"signed":1e999,"signature":""}', "not whole"),
    (b'{"signed":NaN,"signature":""}', "not whole"),
    (b'{"signed":' + b"9" * 10_000 + b',"signature":""}', "more than 15 digits"),
    (b'{"signed":{},"signature":""}', "format must be"),
    (b'{"signed":{},"signature":"","more":1}', "must have the keys"),
    (b'{"signed":{"format":"harvestdetect-signatures","version":2},"signature":""}', "reads version 1"),
    (b'{"signed":{"format":"harvestdetect-signatures","version":true},"signature":""}', "reads version 1"),
    (b'{"signed":{"format":"harvestdetect-signatures","version":1},"signature":""}', "malformed"),
    (b" " * (MOST_BYTES + 1), "more than 16,000,000 bytes"),
)


@pytest.mark.parametrize(("raw", "message"), HOSTILE)
def test_a_hostile_file_is_a_clear_error(raw: bytes, message: str) -> None:
    with pytest.raises(SignatureError, match=message) as error:
        opened(raw, name="x")
    assert len(str(error.value)) < 400


@given(st.binary(max_size=300))
def test_any_bytes_are_a_clear_error(raw: bytes) -> None:
    with pytest.raises(SignatureError):
        opened(raw, name="x")


def test_signed_nonsense_is_refused_as_well(keyed: tuple[Exported, bytes]) -> None:
    """A trusted issuer's program may be wrong: fields are checked, whoever signed them."""
    plain = plain_of(keyed[0].content)
    for change in (
        {"campaigns": [{**plain["campaigns"][0], "id": "../../etc"}]},
        {"campaigns": [{**plain["campaigns"][0], "more": 1}]},
        {"created": "2026-13-99x"},
        {"least_accounts": 1},
        {"hashing": {**plain["hashing"], "method": "md5"}},
        {"campaigns": [{**plain["campaigns"][0], "profile": [{"cell": 1, "share": 1_001}]}]},
        {"campaigns": [{**plain["campaigns"][0], "profile": [{"cell": True, "share": 5}]}]},
        {"campaigns": [plain["campaigns"][0]] * 1_001},
    ):
        with pytest.raises(SignatureError, match=r"malformed|fields that version 1"):
            content_of({**plain, **change}, name="x")


def test_numbers_in_a_file_are_whole() -> None:
    with pytest.raises(SignatureError, match="not whole"):
        parsed(b'{"a": 1.0}', name="x")


# ---------------------------------------------------------------- keys


def test_a_private_key_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = new_pair(tmp_path / "a.pem")
        new_secret(tmp_path / "s.key")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "s.key").stat().st_mode) == 0o600
    assert made == fingerprint(trusted_key(public_file(tmp_path / "a.pem")))
    assert b"PRIVATE" not in public_file(tmp_path / "a.pem").read_bytes()
    assert len(read_secret(tmp_path / "s.key")) == 32


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    new_pair(tmp_path / "a.pem")
    before = (tmp_path / "a.pem").read_bytes()
    for make in (new_pair, new_secret):
        with pytest.raises(UsageError, match="never overwritten"):
            make(tmp_path / "a.pem")
    (tmp_path / "b.pem.pub").write_text("x")
    with pytest.raises(UsageError, match="never overwritten"):
        new_pair(tmp_path / "b.pem")
    assert (tmp_path / "a.pem").read_bytes() == before
    assert not (tmp_path / "b.pem").exists()


def test_a_passphrase_protects_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSPHRASE, raising=False)
    made = new_pair(tmp_path / "a.pem", passphrase="correct horse")
    with pytest.raises(SignatureError, match="is encrypted"):
        private_key(tmp_path / "a.pem")
    with pytest.raises(SignatureError, match="the passphrase is wrong"):
        private_key(tmp_path / "a.pem", ask=lambda: "battery staple")
    assert fingerprint(public_bytes(private_key(tmp_path / "a.pem", ask=lambda: "correct horse"))) == made
    monkeypatch.setenv(PASSPHRASE, "correct horse")
    assert fingerprint(public_bytes(private_key(tmp_path / "a.pem"))) == made


def test_what_is_no_key_is_a_clear_error(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    other = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "ec").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "ec.pub").write_bytes(
        other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )  # fmt: skip
    (tmp_path / "text").write_text("no key\n")
    (tmp_path / "huge").write_bytes(b"a" * 30_000)
    new_pair(tmp_path / "mine.pem")
    for read, name, message in (
        (private_key, "ec", "no Ed25519 key"),
        (private_key, "text", "no private key in PEM"),
        (private_key, "huge", "more than 20,000 bytes"),
        (private_key, "gone", "cannot read the private key"),
        (private_key, "mine.pem.pub", "is a public key, and a file is signed with the private one"),
        (trusted_key, "ec.pub", "no Ed25519 key"),
        (trusted_key, "text", "no public key in PEM"),
        (trusted_key, "mine.pem", "is a private key"),
        (trusted_key, "gone", "cannot read the public key"),
        (read_secret, "text", "no shared secret"),
        (read_secret, "gone", "cannot read the shared secret"),
    ):
        with pytest.raises(SignatureError, match=message):
            read(tmp_path / name)
