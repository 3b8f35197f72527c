"""Pseudonyms in place of the identifiers of a dump."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.corpus.account_fields import network_of
from harvestdetect.data import FIELDS as OPTIONAL
from harvestdetect.data import NO_PROMPTS, Batch, Prompt
from harvestdetect.dump import batches_of, read_dumps
from harvestdetect.dump.values.pseudonyms import FIELDS, Pseudonyms, fingerprint_of, new_key
from harvestdetect.errors import InputError, UsageError
from harvestdetect.settings import Settings

ONE, OTHER = Pseudonyms(b"0123456789abcdef"), Pseudonyms(b"0123456789abcdeg")
VALUES = {
    "org": "acme", "ip": "203.0.113.7", "asn": "64500", "user_agent": "curl/8", "api_key": "sk-secret-1",
    "payment": "card-77", "email_domain": "mail.example", "session": "chat-5", "model": "m-1",
}  # fmt: skip


def test_every_identifier_is_replaced_and_everything_else_is_kept() -> None:
    (batch,) = batches_of([Prompt(account="acct-1", prompt="a poem", time=9.0, fields=VALUES)], pseudonyms=ONE)
    (row,) = batch.prompts.to_pylist()
    identifying = {"account": "acct-1", **{name: value for name, value in VALUES.items() if name in FIELDS}}
    for name, value in identifying.items():
        assert row[name] == ONE.of(name, value)
        assert value not in json.dumps(row)
    assert (row["model"], row["time"], row["parts"]) == ("m-1", 9, ["a poem"])


def test_every_optional_field_is_either_replaced_or_known_to_identify_nobody() -> None:
    assert set(OPTIONAL) - FIELDS.keys() <= {"created_at", "model"}


def test_a_missing_value_stays_missing() -> None:
    (batch,) = batches_of([Prompt(account="a", prompt="hello")], pseudonyms=ONE)
    (row,) = batch.prompts.to_pylist()
    assert all(row[name] is None for name in VALUES)
    assert ONE.batch(Batch(prompts=NO_PROMPTS)).prompts.num_rows == 0


@given(st.sampled_from(sorted(FIELDS)), st.text(min_size=1), st.text(min_size=1))
def test_equal_values_have_equal_pseudonyms_and_others_do_not(field: str, first: str, second: str) -> None:
    if field == "email_domain":
        first, second = (value.strip().lstrip("@").lower() for value in (first, second))
    assert (ONE.of(field, first) == ONE.of(field, second)) == (first == second)
    assert ONE.of(field, first) != OTHER.of(field, first)


def test_fields_do_not_show_that_their_values_are_equal() -> None:
    names = {ONE.of(name, "same").partition("-")[2] or ONE.of(name, "same") for name in FIELDS}
    assert len(names) == len(FIELDS)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_addresses_share_a_network_as_before(first: object, second: object) -> None:
    one, other = ONE.of("ip", str(first)), ONE.of("ip", str(second))
    assert (network_of(one) == network_of(other)) == (network_of(str(first)) == network_of(str(second)))
    assert (one == other) == (first == second)


def test_spellings_of_one_address_are_one() -> None:
    assert ONE.of("ip", "::ffff:203.0.113.7") == ONE.of("ip", "203.0.113.7")
    assert ONE.of("ip", "2001:DB8::1") == ONE.of("ip", "2001:db8:0:0:0:0:0:1")
    assert network_of(ONE.of("ip", "2001:db8:1:2::1")) == network_of(ONE.of("ip", "2001:db8:1:3::9"))
    assert network_of(ONE.of("ip", "no address")) is not None


def test_a_new_key_is_private_and_never_replaces_one(tmp_path: Path) -> None:
    key = tmp_path / "key"
    new_key(key)
    assert key.stat().st_mode & 0o777 == 0o600
    content = key.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        new_key(key)
    assert key.read_bytes() == content
    with pytest.raises(InputError, match="cannot write the key"):
        new_key(tmp_path / "none" / "key")


def test_white_space_around_a_key_does_not_count(tmp_path: Path) -> None:
    for name, content in (("a", b"0123456789abcdef"), ("b", b"\n0123456789abcdef\r\n")):
        (tmp_path / name).write_bytes(content)
    assert fingerprint_of(tmp_path / "a") == fingerprint_of(tmp_path / "b") == ONE.fingerprint != OTHER.fingerprint
    assert fingerprint_of(None) is None
    (tmp_path / "random").write_bytes(b"\xff\x01\n" * 9)
    assert fingerprint_of(tmp_path / "random") is not None


@pytest.mark.parametrize("content", [None, b"", b"short", b"  \n" * 40, b"x" * 70_000, b"acct-1\nacct-2\nacct-3"])
def test_what_is_no_key_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
    with pytest.raises(InputError):
        read_dumps([__file__], settings=Settings(pseudonyms=key))


def test_files_are_read_with_pseudonyms(tmp_path: Path) -> None:
    key, dump = tmp_path / "key", tmp_path / "d.jsonl"
    key.write_bytes(b"0123456789abcdef")
    dump.write_text(json.dumps({"account": "acct-1", "prompt": "hello", "api_key": "sk-1"}) + "\n")
    batches = list(read_dumps([dump], settings=Settings(pseudonyms=key)))
    (row,) = [row for batch in batches for row in batch.prompts.to_pylist()]
    assert (row["account"], row["api_key"]) == (ONE.of("account", "acct-1"), ONE.of("api_key", "sk-1"))
