"""What examples do not show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.redact import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jane.doe+x@mail.example.org now", "write to [e-mail] now"),
        ("Jane <j@b.co>, Bob <bob_1@b-c.example>", "Jane <[e-mail]>, Bob <[e-mail]>"),
        ("key sk-abcdefghijklmnop1234 here", "key [key] here"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("xoxb-123456789012-abcdefghijkl", "[key]"),
        ("bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_123", "bearer [token]"),
        ("sha d41d8cd98f00b204e9800998ecf8427e.", "sha [hex]."),
        ("from 192.168.10.255 port 22", "from [ip] port 22"),
        ("call +44 20 7946 0958 today", "call [number] today"),
        ("card 4111-1111-1111-1111 ok", "card [number] ok"),
        ("card 4111111111111111, ok", "card [number], ok"),
    ],
)
def test_what_tells_about_a_person_or_opens_a_door_is_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Explain photosynthesis in 3 sentences for a class of 25.",
        "In 1999 and 2024 the price was 1,000.50 dollars",
        "def f(x): return x @ y",
        "the skeleton of pkg-config",
        "step 1. step 2. version 3.11",
        "deadbeef",
        "日本語の文章です。",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_several_kinds_in_one_text() -> None:
    text = "a@b.org logged in from 10.0.0.1 with sk-ABCDEFGHIJKLMNOP and called +1 555 010-9999"
    assert redact(text) == "[e-mail] logged in from [ip] with [key] and called [number]"


def test_a_telephone_number_with_its_area_in_brackets() -> None:
    assert redact("call +1 (555) 010-9999 today") == "call [number] today"


@given(st.text(max_size=300))
@settings(deadline=None)
def test_redaction_never_fails_and_is_stable(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(
    before=st.text(alphabet="abc ,;\n", max_size=20),
    name=st.from_regex(r"[a-z][a-z0-9.+-]{0,20}[a-z]", fullmatch=True),
    host=st.from_regex(r"[a-z]{1,10}(\.[a-z]{2,6}){1,2}", fullmatch=True),
)
@settings(deadline=None)
def test_no_address_survives(before: str, name: str, host: str) -> None:
    assert f"{name}@{host}" not in redact(f"{before} {name}@{host} and more")


def test_long_hostile_text_takes_no_long_time() -> None:
    import time

    start = time.perf_counter()
    for text in (
        "a" * 200_000,
        "1 " * 100_000,
        "a." * 100_000,
        "@" * 100_000,
        "a@b." * 50_000,
        "0" * 200_000,
    ):
        redact(text)
    redact("eyJ" * 60_000)
    assert time.perf_counter() - start < 20
