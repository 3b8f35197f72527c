"""What examples do not show."""

from __future__ import annotations

import ipaddress
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.util import redact as rules
from harvestdetect.util.redact import redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_123"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jane.doe+x@mail.example.org now", "write to [e-mail] now"),
        ("Jane <j@b.co>, Bob <bob_1@b-c.example>", "Jane <[e-mail]>, Bob <[e-mail]>"),
        ("key sk-abcdefghijklmnop1234 here", "key [key] here"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("xoxb-123456789012-abcdefghijkl", "[key]"),
        ("ghs_abcdefghijklmnopqrstuvwxyz0123456789", "[key]"),
        ("ghu_abcdefghijkl, ghr_abcdefghijkl", "[key], [key]"),
        ("github_pat_11ABCDEFG0abcdefghij_klmnopqrstuvwxyz0123456789 x", "[key] x"),
        ("HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "HF_TOKEN=[key]"),
        (f"ghs_12345_{JWT}", "[key].[token]"),
        (f"bearer {JWT}", "bearer [token]"),
        (f"session-{JWT}, a.{JWT}", "session-[token], a.[token]"),
        (f"x-eyJ-{JWT} eyJ", "x-[token] eyJ"),
        ("sha d41d8cd98f00b204e9800998ecf8427e.", "sha [hex]."),
        ("from 192.168.10.255 port 22", "from [ip] port 22"),
        ("from 2001:db8::1, or [2001:DB8:0:1::]:443", "from [ip], or [[ip]]:443"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334 1700000000", "[ip] [number]"),
        ("::1:2:3:4 and fe80::1ff:fe23:4567:890a%eth0/64.", "[ip] and [ip]%eth0/64."),
        ("node:2001:db8::1: refused, 2001:db8::1:eth0", "node:[ip]: refused, [ip]:eth0"),
        ("::ffff:192.168.1.1 64:ff9b::192.0.2.33.", "::ffff:[ip] [ip]."),
        ("2001:db8:1:2:3:4:192.0.2.33", "[ip]"),
        ('{"ip":"2001:db8::a:1"}', '{"ip":"[ip]"}'),
        ("アドレス2001:db8::1です", "アドレス[ip]です"),
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
        "std::vector<int> and a::b, Foo::Bar::a1, std::a1:b2:c3:d4, mod::1:2:3:4",
        "at 10:30:15, from 10:30 to 12:34:56:78",
        ":: or ::1, fe80::1, x[1::2], a:b:c:d::e, 1::2::3:4",
        "00:1a:2b:3c:4d:5e",
        "12345::1:2 and 1:2:3:4:5:6:7 and 1:2:3:4:5:6:7:8:9",
        "hf_hub_download and hf_configuration, ghost_writing, eyJ.eyJ",
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
    st.lists(
        st.sampled_from(
            [
                *("1", "2:3", ":", "::", "4:5:", ".1", "1.2.3.4", " 123456789", "1 234 567 89", "a0" * 16),
                *("g", "_", "é", "[", "]", "-", "@b.co", "eyJaaaaaaaaa", "sk-aaaaaaaaaaaa"),
            ]
        ),
        max_size=16,
    )
)
@settings(deadline=None)
def test_what_was_put_in_a_place_makes_nothing_new(parts: list[str]) -> None:
    once = redact("".join(parts))
    assert redact(once) == once


@given(
    st.lists(
        st.sampled_from(
            [
                *("a", "é", "_", ".", "+", "-", "@", "b.co", "a@b", "@b.co", "@-.", "x" * 63, " "),
                *("1", "12", "1.2", ".3", "1.2.3.4", "\u0661.", ":", "::", "f:", "2001:db8::1", "12345:"),
            ]
        ),
        max_size=12,
    ).map("".join)
)
@settings(deadline=None)
def test_the_quick_tests_keep_no_rule_from_matching(text: str) -> None:
    plain = text
    for may, pattern, kind in rules._RULES:
        if "@" in pattern.pattern or may(plain):
            plain = pattern.sub(kind, plain)
    if any(c.isdecimal() for c in plain):
        for may, pattern, kind in rules._NUMBERS:
            always = plain.count(":") >= 3 if (may, pattern, kind) == rules._IPV6 else "3}" in pattern.pattern
            if always or may(plain):
                plain = pattern.sub(kind, plain)
    assert redact(text) == plain


@given(address=st.ip_addresses(v=6).map(ipaddress.IPv6Address), short=st.booleans())
@settings(deadline=None)
def test_no_ipv6_address_survives(address: ipaddress.IPv6Address, short: bool) -> None:
    shown = address.compressed if short else address.exploded
    groups = len([group for group in shown.split(":") if group])
    if groups > 3 and any(c.isdigit() for c in shown):
        assert redact(f"from {shown} on") == "from [ip] on"


@given(
    before=st.text(alphabet="abc ,;\n", max_size=20),
    name=st.from_regex(r"[a-z][a-z0-9.+-]{0,20}[a-z]", fullmatch=True),
    host=st.from_regex(r"[a-z]{1,10}(\.[a-z]{2,6}){1,2}", fullmatch=True),
)
@settings(deadline=None)
def test_no_address_survives(before: str, name: str, host: str) -> None:
    assert f"{name}@{host}" not in redact(f"{before} {name}@{host} and more")


EVERY_RULE = f" a@b.c sk-aaaaaaaaaaaa ghs_ eyJ {'a0' * 16} 1.1.1.1 123456789 1:1:1:1"
"""Makes every rule look at a text."""


@pytest.mark.parametrize(
    "repeat",
    [
        *("a", "a@", "a@b.", "a-"),
        *("sk-", "ghs_", "github_pat_", "hf_aaaaaaaaaaaaaaaaaaa_"),
        *("-eyJ", "eyJaaaaaaaa-", "eyJaaaaaaaa.", "eyJaaaaaaaa.aaaaaaaa.-"),
        *("a0", "a0" * 16 + "g", "1.1.1.", "1 ", "+1("),
        *(":", "1::", "x::", "12345:", "1:1:g", "1:2:3:4.1.1."),
    ],
)
def test_hostile_repeats_take_a_time_that_grows_with_the_text(repeat: str) -> None:
    before = None
    for size in (1 << 14, 1 << 16, 1 << 18, 1 << 20):
        text = (repeat * (size // len(repeat) + 1))[:size] + EVERY_RULE
        start = time.process_time()
        redact(text)
        took = time.process_time() - start
        assert before is None or took < 10 * before + 0.05, f"{size} characters"
        before = took
