"""Shared infrastructure: rarity decides, common values and missing ones say nothing, secrets stay masked."""

from __future__ import annotations

import dataclasses
import random
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect import Prompt, Settings, pipeline
from harvestdetect.context import open_context
from harvestdetect.corpus.account_fields import (
    FIELDS,
    SHOWN,
    AccountFields,
    account_values,
    masked,
    network_of,
)
from harvestdetect.data import NO_TIME, Detection, Evidence, Family, FieldColumn, Prompts, SharedValue
from harvestdetect.evidence.joining import (
    MIN_COMMON,
    Common,
    common_infrastructure,
    joining_evidence,
)
from harvestdetect.evidence.shared_values import concentration, sharing_of, tag_key, tag_of
from harvestdetect.evidence.shared_values import shared_infrastructure as listed
from harvestdetect.judge.ledger import Curve, Ledger
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.pipeline import run_scan
from harvestdetect.util.arrays import Ints32
from tests.evidence.table import infrastructure_evidence
from tests.judge.curves import toy_curve

pytestmark = pytest.mark.usefixtures("loaded_once")

T0 = 1_772_323_200


def column(values: Sequence[str | None]) -> FieldColumn:
    distinct = sorted({v for v in values if v is not None})
    place = {v: i for i, v in enumerate(distinct)}
    return FieldColumn(
        code=np.array([-1 if v is None else place[v] for v in values], np.int32), values=pa.array(distinct, pa.string())
    )


def prompts_of(account: npt.NDArray[np.integer], fields: Mapping[str, FieldColumn], accounts: int) -> Prompts:
    p = len(account)
    return Prompts(
        account=account.astype(np.int32),
        time=np.full(p, NO_TIME),
        file=np.zeros(p, np.int32),
        line=np.arange(p),
        content=np.arange(p, dtype=np.int32),
        accounts=pa.array([f"a{i:06}" for i in range(accounts)]),
        fields=fields,
        created_at=np.full(p, NO_TIME),
    )


def one_each(**fields: Sequence[str | None]) -> AccountFields:
    """One prompt per account."""
    accounts = len(next(iter(fields.values())))
    columns = {name: column(values) for name, values in fields.items()}
    return account_values(prompts_of(np.arange(accounts), columns, accounts))


def by_id(fields: AccountFields, members: npt.NDArray[np.integer]) -> dict[str, Evidence]:
    return {e.id: e for e in infrastructure_evidence(fields, np.sort(members).astype(np.int32))}


N = 4_000
MEMBERS = np.arange(40)


def shared_infrastructure(fields: AccountFields, members: Ints32, *, at_most: int = 20) -> tuple[SharedValue, ...]:
    return listed(fields, sharing_of(fields, members), at_most=at_most)


def unique(prefix: str, count: int = N) -> list[str | None]:
    return [f"{prefix}{i}" for i in range(count)]


# ---------------------------------------------------------------- under the null


def ordinary(rng: np.random.Generator, accounts: int) -> AccountFields:
    """A population with a few huge providers, households, offices, carrier networks and many clients."""
    per = rng.integers(1, 4, accounts)
    account = np.repeat(np.arange(accounts), per)
    p = len(account)
    weight = 1.0 / (np.arange(150) + 2.0)
    asn = rng.choice(150, accounts, p=weight / weight.sum())[account]
    # networks within the provider: small ones for most, a few that a tenth of its accounts pass through
    place = np.where(rng.random(p) < 0.1, rng.integers(0, 2, p), 2 + rng.integers(0, accounts // 4, p))
    host = np.where(place < 2, rng.integers(0, 30, p), rng.integers(0, 3, p))
    household = (np.arange(accounts) // 2)[account]
    payment = np.where(rng.random(accounts)[account] < 0.2, household, account + accounts)
    agent = np.minimum(rng.geometric(0.05, accounts), 90)[account]
    domain = np.where(rng.random(accounts) < 0.7, rng.integers(0, 3, accounts), rng.integers(3, accounts, accounts))

    def coded(value: npt.NDArray[np.integer], text: str) -> FieldColumn:
        distinct, code = np.unique(value, return_inverse=True)
        return FieldColumn(code=code.astype(np.int32), values=pa.array([text.format(v) for v in distinct.tolist()]))

    distinct, code = np.unique(asn * 10_000_000 + place * 100 + host, return_inverse=True)
    v = distinct
    addresses = [
        f"{10 + a // 200}.{a % 200}.{n % 250}.{(n // 250 * 40 + h) % 250}"
        for a, n, h in zip(v // 10_000_000, v // 100 % 100_000, v % 100, strict=True)
    ]
    ip = column([addresses[c] for c in code])
    return account_values(
        prompts_of(
            account,
            {
                "ip": ip,
                "asn": coded(asn, "AS{}"),
                "user_agent": coded(agent, "client/{}"),
                "payment": coded(payment, "card{:09}"),
                "email_domain": coded(domain[account], "mail{}.example"),
            },
            accounts,
        )
    )


def test_random_accounts_are_seldom_said_to_share() -> None:
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for _ in range(4):
        fields = ordinary(rng, N)
        for size in (8, 40, 400):
            for _ in range(25):
                for name, evidence in by_id(fields, rng.choice(N, size, replace=False)).items():
                    found.setdefault(name, []).append(evidence.p_value)
    assert len(found) == 6
    for name, values in found.items():
        assert len(values) == 300
        assert (np.array(values) <= 0.05).mean() <= 0.05, name


def test_pairs_that_every_account_has_are_no_evidence() -> None:
    # each account shares a card with one other: random groups have some such pairs, each of them very unlikely itself
    rng = np.random.default_rng(1)
    fields = one_each(payment=[f"card{i // 2}" for i in range(N)])
    p = [by_id(fields, rng.choice(N, 200, replace=False))["shared_payment"].p_value for _ in range(100)]
    assert (np.array(p) <= 0.05).mean() <= 0.05


def test_a_country_in_common_is_no_evidence() -> None:
    # a tenth of the accounts live in a country with four providers of its own and carrier networks of many customers
    rng = np.random.default_rng(2)
    home = np.arange(N) < N // 10
    asn = np.where(home, rng.integers(0, 4, N), 4 + rng.integers(0, 100, N))
    third = np.where(home, rng.integers(0, 20, N), rng.integers(20, 250, N))
    ip = [f"10.{a}.{t}.{h}" for a, t, h in zip(asn, third, rng.integers(0, 255, N), strict=True)]
    fields = one_each(ip=ip, asn=[f"AS{a}" for a in asn])
    for _ in range(20):
        found = by_id(fields, rng.choice(N // 10, 60, replace=False))
        assert min(e.p_value for e in found.values()) > 0.05


# ---------------------------------------------------------------- rarity


def test_a_rare_value_speaks_and_a_common_one_does_not() -> None:
    rare = ["rare" if i < 10 else f"own{i}" for i in range(N)]
    common = ["common" if i < 10 or i >= N - 2_000 else f"own{i}" for i in range(N)]
    for field in ("ip", "api_key", "payment"):
        (low,) = infrastructure_evidence(one_each(**{field: rare}), MEMBERS.astype(np.int32))
        (high,) = infrastructure_evidence(one_each(**{field: common}), MEMBERS.astype(np.int32))
        assert low.p_value < 1e-6
        assert low.value == 10
        assert low.expected == pytest.approx(0.1)
        assert high.p_value == 1.0


@pytest.mark.parametrize("field", ["asn", "user_agent", "email_domain"])
def test_what_nine_of_ten_members_and_one_in_a_hundred_accounts_have_speaks(field: str) -> None:
    values = [f"v{i % 50}" for i in range(N)]
    for i in range(36):
        values[i] = "theirs"
    (found,) = infrastructure_evidence(one_each(**{field: values}), MEMBERS.astype(np.int32))
    assert found.p_value < 1e-4
    assert (found.value, found.family) == (36.0, "infrastructure")
    assert "36 of 40 members" in found.sentence
    assert "36 of 4,000 accounts with a known " in found.sentence


@pytest.mark.parametrize("field", ["asn", "user_agent", "email_domain"])
def test_what_half_of_all_accounts_have_does_not(field: str) -> None:
    values = ["big" if i < 40 or i % 2 else f"v{i % 50}" for i in range(N)]
    (found,) = infrastructure_evidence(one_each(**{field: values}), MEMBERS.astype(np.int32))
    assert found.p_value == 1.0


def test_a_fifth_of_members_at_a_small_provider_are_no_evidence() -> None:
    values = ["small" if i < 8 else f"v{i % 50}" for i in range(N)]
    (found,) = infrastructure_evidence(one_each(asn=values), MEMBERS.astype(np.int32))
    assert found.p_value == 1.0


@given(holders=st.integers(2, 30), more=st.integers(1, 1_000))
@settings(max_examples=40, deadline=None)
def test_the_commoner_the_value_the_weaker(holders: int, more: int) -> None:
    def p(outside: int) -> float:
        values = ["v" if i < holders or 40 <= i < 40 + outside else f"own{i}" for i in range(N)]
        return infrastructure_evidence(one_each(api_key=values), MEMBERS.astype(np.int32))[0].p_value

    assert p(more) >= p(0)


def test_many_small_shares_add_up() -> None:
    # no value is that of more than two accounts, but every member has a partner
    values = [f"pair{i // 2}" if i < 40 else f"own{i}" for i in range(N)]
    (found,) = infrastructure_evidence(one_each(payment=values), MEMBERS.astype(np.int32))
    assert found.p_value < 1e-10
    assert found.value == 40
    assert "40 of 40 members share one of several values" in found.sentence
    values[2:40] = [f"own{i}" for i in range(2, 40)]
    (single,) = infrastructure_evidence(one_each(payment=values), MEMBERS.astype(np.int32))
    assert single.p_value > 1e-3


def test_a_campaign_that_is_a_large_part_of_the_dump_is_still_seen() -> None:
    members = np.arange(1_500)
    values = [f"proxy{i % 30}" if i < 1_500 else f"own{i}" for i in range(N)]
    agents = ["bot/1" if i < 1_500 else f"v{i % 50}" for i in range(N)]
    found = by_id(one_each(ip=values, user_agent=agents), members)
    assert found["shared_client"].p_value < 1e-10
    pairs = [f"pair{i // 2}" if i < 1_500 else f"own{i}" for i in range(N)]
    assert by_id(one_each(api_key=pairs), members)["shared_api_key"].p_value < 1e-10


def test_networks_come_from_addresses() -> None:
    ip = [f"203.0.113.{i}" if i < 20 else f"10.{i // 250}.{i % 250}.1" for i in range(N)]
    found = by_id(one_each(ip=ip), MEMBERS)
    assert found["shared_address"].p_value == 1.0
    assert found["shared_network"].p_value < 1e-10
    assert "203.0.113.*" in found["shared_network"].sentence


# ---------------------------------------------------------------- missing


def test_a_field_that_most_members_lack_says_nothing() -> None:
    values: list[str | None] = ["rare" if i < 15 else f"own{i}" for i in range(N)]
    values[15:40] = [None] * 25
    assert infrastructure_evidence(one_each(payment=values), MEMBERS.astype(np.int32)) == []
    assert shared_infrastructure(one_each(payment=values), MEMBERS.astype(np.int32)) == ()
    values[15:25] = [f"own{i}" for i in range(10)]
    (found,) = infrastructure_evidence(one_each(payment=values), MEMBERS.astype(np.int32))
    assert found.p_value < 1e-6
    assert "of 25 members of whom it is known (of 40)" in found.sentence


def test_unknown_accounts_are_no_population() -> None:
    # a value that is rare among all accounts, but common among those with the field known
    values: list[str | None] = ["v" if i < 30 or 40 <= i < 60 else None for i in range(N)]
    values[30:40] = [f"own{i}" for i in range(10)]
    values[60:80] = [f"own{i}" for i in range(60, 80)]
    (found,) = infrastructure_evidence(one_each(payment=values), MEMBERS.astype(np.int32))
    assert found.p_value == 1.0
    # nobody else known: nothing is known of how common it is
    values[40:] = [None] * (N - 40)
    assert infrastructure_evidence(one_each(payment=values), MEMBERS.astype(np.int32)) == []


def test_no_field_at_all() -> None:
    fields = account_values(prompts_of(np.arange(N), {name: column([None] * N) for name in ("ip", "asn")}, N))
    assert dict(fields.fields) == {}
    assert infrastructure_evidence(fields, MEMBERS.astype(np.int32)) == []
    assert concentration(fields, MEMBERS.astype(np.int32)) == {}


def test_nothing_shared() -> None:
    (found,) = infrastructure_evidence(one_each(api_key=unique("k")), MEMBERS.astype(np.int32))
    assert (found.p_value, found.value) == (1.0, 0.0)
    assert found.sentence == "No two of 40 members share one API key."


# ---------------------------------------------------------------- order, volume


@given(seed=st.integers(0, 1_000))
@settings(max_examples=20, deadline=None)
def test_neither_prompts_nor_names_of_accounts_decide(seed: int) -> None:
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(300), 3)
    values = np.array([f"10.0.{a}.{b}" for a, b in rng.integers(0, 40, (900, 2))])
    fields = account_values(prompts_of(account, {"ip": column(values.tolist())}, 300))
    members = np.sort(rng.choice(300, 30, replace=False)).astype(np.int32)
    renamed = rng.permutation(300)
    order = np.argsort(renamed[account], kind="stable")
    shuffled = order[np.lexsort((rng.random(900), renamed[account][order]))]
    again = account_values(prompts_of(renamed[account][shuffled], {"ip": column(values[shuffled].tolist())}, 300))
    moved = np.sort(renamed[members]).astype(np.int32)
    assert infrastructure_evidence(fields, members) == infrastructure_evidence(again, moved)
    assert shared_infrastructure(fields, members) == shared_infrastructure(again, moved)
    assert concentration(fields, members) == concentration(again, moved)


def test_repeating_a_request_adds_nothing() -> None:
    values = ["rare" if i < 10 else f"own{i}" for i in range(N)]
    once = one_each(api_key=values)
    account = np.repeat(np.arange(N), 3)
    thrice = account_values(prompts_of(account, {"api_key": column(np.repeat(values, 3).tolist())}, N))
    members = MEMBERS.astype(np.int32)
    assert infrastructure_evidence(once, members) == infrastructure_evidence(thrice, members)


def test_accounts_with_many_values_share_more_easily() -> None:
    rng = np.random.default_rng(0)
    per = np.where(np.arange(N) < 40, 60, 1)
    account = np.repeat(np.arange(N), per)
    places = [f"10.0.{v // 200}.{v % 200}" for v in rng.integers(0, 3_000, len(account))]
    found = by_id(account_values(prompts_of(account, {"ip": column(places)}, N)), MEMBERS)
    assert found["shared_address"].p_value > 0.05


def test_five_thousand_members_of_a_hundred_thousand_are_judged_quickly() -> None:
    rng = np.random.default_rng(0)
    fields = ordinary(rng, 100_000)
    members = np.sort(rng.choice(100_000, 5_000, replace=False)).astype(np.int32)
    infrastructure_evidence(fields, members[:10])
    start = time.perf_counter()
    found = infrastructure_evidence(fields, members)
    shared_infrastructure(fields, members)
    assert time.perf_counter() - start < 2.0
    assert len(found) == 6
    assert min(e.p_value for e in found) > 0.05


# ---------------------------------------------------------------- for the report


def test_shared_values_are_listed_with_their_frequency() -> None:
    ip = ["198.51.100.7" if i < 20 else f"10.{i // 250}.{i % 250}.1" for i in range(N)]
    key = ["sk-secret-0001" if i < 9 else f"sk-other-{i}" for i in range(N)]
    asn = ["AS1" if i % 2 else f"AS{i % 50 + 2}" for i in range(N)]
    fields = one_each(ip=ip, api_key=key, asn=asn)
    found = shared_infrastructure(fields, MEMBERS.astype(np.int32))
    assert [(v.field, v.value, v.members, v.known, v.accounts, v.population) for v in found] == [
        ("ip", "198.51.100.*", 20, 40, 20, N),
        ("network", "198.51.100.*", 20, 40, 20, N),
        ("api_key", "sk-s…", 9, 40, 9, N),
    ]
    assert shared_infrastructure(fields, MEMBERS.astype(np.int32), at_most=1) == found[:1]
    assert shared_infrastructure(fields, MEMBERS.astype(np.int32), at_most=0) == ()


def test_masked_values_have_tags_that_only_the_dump_explains() -> None:
    card = ["card-0001-x" if i < 12 else "card-0002-y" if i < 26 else f"own{i}" for i in range(N)]
    asn = ["AS1" if i < 30 else f"AS{i}" for i in range(N)]
    fields = one_each(payment=card, asn=asn)
    members = MEMBERS.astype(np.int32)
    found = {v.accounts: v for v in shared_infrastructure(fields, members) if v.field == "payment"}
    tags = [v.tag for v in shared_infrastructure(fields, members) if v.field == "payment"]
    assert len(set(tags)) == len(tags) == 2
    assert all(re.fullmatch("#[0-9a-f]{6}", tag) for tag in tags)
    assert {v.tag for v in shared_infrastructure(fields, members) if v.field == "asn"} <= {""}
    fewer = shared_infrastructure(fields, members[:20])
    assert next(v.tag for v in fewer if v.field == "payment") == found[12].tag
    # who tries all cards without the dump finds another tag
    assert tag_of("payment", "card-0001-x", tag_key(fields.fields["payment"].values)) in tags
    other = one_each(payment=["card-0001-x", "card-0002-y"])
    assert tag_of("payment", "card-0001-x", tag_key(other.fields["payment"].values)) not in tags


def test_pseudonyms_have_the_same_tags_in_every_dump() -> None:
    first, second = ("p" + c * 16 for c in "ab")
    one = one_each(payment=[first, second]).fields["payment"].values
    other = one_each(payment=[first, "p" + "c" * 16]).fields["payment"].values
    assert tag_of("payment", first, tag_key(one)) == tag_of("payment", first, tag_key(other))
    assert tag_of("payment", first, tag_key(one)) != tag_of("payment", second, tag_key(one))


def test_concentration() -> None:
    ip = [f"192.0.2.{i}" if i < 10 else f"10.{i // 250}.{i % 250}.1" for i in range(N)]
    members = MEMBERS.astype(np.int32)
    assert concentration(one_each(ip=ip), members) == {"network": pytest.approx(0.25)}
    org: list[str | None] = ["one" if i < 30 else f"o{i}" for i in range(N)]
    org[36:40] = [None] * 4
    # two more organisations, of one account each; the thirty of the first count as one holder of networks
    assert concentration(one_each(org=org, ip=ip), members) == {
        "org": pytest.approx(32 / 36),
        "network": pytest.approx(1 / 11),
    }


@pytest.mark.parametrize(("teams", "size", "share"), [(9, 4, 36), (12, 3, 27), (18, 2, 6), (5, 4, 20), (1, 4, 6)])
def test_a_few_organisations_with_teams_are_taken_together(teams: int, size: int, share: int) -> None:
    org: list[str | None] = [f"t{i // size}" if i < teams * size else f"o{i}" for i in range(N)]
    members = np.arange(36, dtype=np.int32)
    assert concentration(one_each(org=org), members)["org"] == pytest.approx(share / 36)


def in_office(org: Sequence[str | None]) -> dict[str, float]:
    """p-values where the first twenty accounts share an address, with these organisations."""
    ip = ["198.51.100.7" if i < 20 else f"10.{i // 250}.{i % 250}.1" for i in range(N)]
    return {e.id: e.p_value for e in infrastructure_evidence(one_each(org=org, ip=ip), MEMBERS.astype(np.int32))}


def test_accounts_of_one_organisation_share_its_office() -> None:
    alone: list[str | None] = [f"o{i}" for i in range(N)]
    assert in_office(alone)["shared_address"] < 1e-6
    office: list[str | None] = ["office" if i < 20 else f"o{i}" for i in range(N)]
    assert in_office(office)["shared_address"] == 1.0
    # the name for having no organisation is none
    everybody: list[str | None] = ["default"] * N
    assert in_office(everybody) == in_office([None] * (N - 1) + ["o"])


def test_an_account_of_two_organisations_counts_for_itself() -> None:
    account = np.concatenate((np.arange(N), [0]))
    org = column(["office" if i < 20 else f"o{i}" for i in range(N)] + ["other"])
    ip = column(["198.51.100.7" if i < 20 else f"10.{i // 250}.{i % 250}.1" for i in range(N)] + ["198.51.100.7"])
    fields = account_values(prompts_of(account, {"org": org, "ip": ip}, N))
    assert fields.counted(np.arange(20, dtype=np.int32)).tolist() == [0, 1]
    assert "org" not in {
        e.id.removeprefix("shared_") for e in infrastructure_evidence(fields, MEMBERS.astype(np.int32))
    }


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.*"),
        (" 203.0.113.77 ", "203.0.113.*"),
        ("2001:db8:1:2::3", "2001:db8:1:*"),
        ("2001:0DB8:0001::", "2001:db8:1:*"),
        ("fe80::1%eth0", "fe80:0:0:*"),
        ("::ffff:203.0.113.77", "203.0.113.*"),
        ("203.0.113.777", None),
        ("not an address", None),
        ("", None),
        ("1" * 10_000, None),
    ],
)
def test_network_of(address: str, network: str | None) -> None:
    assert network_of(address) == network


def test_addresses_keys_and_cards_are_masked() -> None:
    assert masked("ip", "203.0.113.77") == "203.0.113.*"
    assert masked("ip", "proxy.internal.example") == "prox…"
    assert masked("api_key", "sk-abcdefgh") == "sk-a…"
    assert masked("payment", "4242") == "42…"
    assert masked("payment", "4") == "…"
    assert masked("email_domain", "mail.example") == "mail.example"
    assert masked("email_domain", "x" * 60) == "x" * (SHOWN - 1) + "…"
    assert masked("user_agent", "bot\x1b[31m\u202e/1\n") == "bot?[31m?/1?"


@given(field=st.sampled_from(FIELDS), value=st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_secret_and_no_control_leaves_by_the_mask(field: str, value: str) -> None:
    shown = masked(field, value)
    assert shown.isprintable()
    assert len(shown) <= SHOWN
    if field in ("api_key", "payment"):
        assert len(shown) - 1 <= min(4, len(value) / 2)


def test_sentences_contain_no_raw_secret() -> None:
    fields = one_each(
        ip=["198.51.100.7"] * 20 + unique("10.0.0.", N - 20),
        api_key=["sk-very-secret"] * 20 + unique("k", N - 20),
        payment=["card-very-secret"] * 20 + unique("p", N - 20),
    )
    found = infrastructure_evidence(fields, MEMBERS.astype(np.int32))
    assert len(found) == 4
    for evidence in found:
        assert evidence.p_value < 1e-6
        for raw in ("198.51.100.7", "secret"):
            assert raw not in evidence.sentence


def test_e_mail_domains_are_compared_in_small_letters() -> None:
    values = [("@Mail.Example" if i % 2 else "mail.example ") if i < 36 else f"d{i}" for i in range(N)]
    (found,) = infrastructure_evidence(one_each(email_domain=values), MEMBERS.astype(np.int32))
    assert found.value == 36


# ---------------------------------------------------------------- what groups have in common


CUT = -16.0
PARTS = [np.arange(i * 20, (i + 1) * 20, dtype=np.int32) for i in range(5)]
"""Five groups of 20 accounts."""
OURS = 100


def pairs_of(found: Sequence[Common]) -> set[tuple[int, int]]:
    return {(c.first, c.second) for c in found}


def proxies(networks: int, accounts: int = OURS) -> list[str]:
    """One address per account: the first in a few networks in turn, the others each in one of their own."""
    return [
        f"198.51.{i % networks}.{i // networks}" if i < accounts else f"10.{i // 250}.{i % 250}.1" for i in range(N)
    ]


def test_parts_that_share_networks_are_linked_though_each_part_alone_shows_nothing() -> None:
    fields = one_each(ip=proxies(3))
    for part in PARTS:
        assert by_id(fields, part)["shared_network"].p_value > 0.01
    found = common_infrastructure(fields, PARTS, log_p=CUT)
    assert pairs_of(found) == {(i, j) for i in range(5) for j in range(i + 1, 5)}
    assert {(c.field, c.shared, c.known) for c in found} == {("network", 20, 20)}
    assert all(c.log_p < CUT for c in found)
    assert common_infrastructure(fields, PARTS, log_p=min(c.log_p for c in found)) == []


def test_many_cards_of_five_accounts_each_link_the_parts_that_have_them() -> None:
    # every card in every part once: no two members of a part share one
    fields = one_each(payment=[f"card{i % 20 if i < OURS else i}" for i in range(N)])
    found = common_infrastructure(fields, PARTS, log_p=CUT)
    assert len(found) == 10
    assert {c.field for c in found} == {"payment"}


def test_a_field_that_most_members_lack_links_nothing() -> None:
    cards: list[str | None] = [f"card{i % 20 if i < OURS else i}" for i in range(N)]
    cards[:20] = [cards[i] if i < 9 else None for i in range(20)]
    found = common_infrastructure(one_each(payment=cards), PARTS, log_p=CUT)
    assert pairs_of(found) == {(i, j) for i in range(1, 5) for j in range(i + 1, 5)}


def test_values_that_others_have_too_link_nothing() -> None:
    # the same three networks, each with fifty customers more
    ip = [f"198.51.{i % 3}.{i}" if i < OURS + 150 else f"10.{i // 250}.{i % 250}.1" for i in range(N)]
    assert common_infrastructure(one_each(ip=ip), PARTS, log_p=CUT) == []


def test_one_domain_of_half_of_the_members_is_no_link_and_one_of_all_is() -> None:
    half = [f"firm{i % 2 or i}.example" if i < OURS else f"d{i}.example" for i in range(N)]
    assert common_infrastructure(one_each(email_domain=half), PARTS, log_p=CUT) == []
    big = [np.arange(i * 60, (i + 1) * 60, dtype=np.int32) for i in range(2)]
    everybody = ["firm.example" if i < 120 else f"d{i}.example" for i in range(N)]
    assert pairs_of(common_infrastructure(one_each(email_domain=everybody), big, log_p=CUT)) == {(0, 1)}


def test_client_and_operator_link_nothing() -> None:
    fields = one_each(
        asn=["AS1" if i < OURS else f"AS{i}" for i in range(N)],
        user_agent=["bot" if i < OURS else f"client {i}" for i in range(N)],
    )
    assert common_infrastructure(fields, PARTS, log_p=CUT) == []


def test_few_of_either_group_make_no_link() -> None:
    # a fifth of two hundred members in one network is far beyond chance, and still few
    groups = [np.arange(i * 200, (i + 1) * 200, dtype=np.int32) for i in range(2)]
    enough = int(200 * MIN_COMMON)
    for first, second, linked in (
        (enough, enough, True),
        (enough - 1, enough, False),
        (enough, enough - 1, False),
        (200, enough - 1, False),
    ):
        ip = [f"10.{i // 250}.{i % 250}.1" for i in range(N)]
        for i in (*range(first), *range(200, 200 + second)):
            ip[i] = f"198.51.100.{i % 256}"
        found = common_infrastructure(one_each(ip=ip), groups, log_p=CUT)
        assert [(c.field, c.shared, c.known) for c in found] == ([("network", enough, 200)] if linked else [])


def test_members_of_both_groups_do_not_count() -> None:
    fields = one_each(ip=[f"10.{i // 250}.{i % 250}.1" for i in range(N)])
    groups = [np.arange(0, 30, dtype=np.int32), np.arange(5, 35, dtype=np.int32)]
    assert common_infrastructure(fields, groups, log_p=CUT) == []


def test_nothing_is_in_common_without_groups_fields_or_others() -> None:
    fields = one_each(ip=proxies(3))
    assert common_infrastructure(fields, [], log_p=CUT) == []
    assert common_infrastructure(fields, PARTS[:1], log_p=CUT) == []
    assert common_infrastructure(AccountFields(accounts=N, fields={}), PARTS, log_p=CUT) == []
    few = one_each(ip=proxies(3)[: OURS + 10])
    assert common_infrastructure(few, PARTS, log_p=CUT) == []


@given(seed=st.integers(0, 1_000), size=st.sampled_from([8, 40, 300]))
@settings(max_examples=15, deadline=None)
def test_strangers_are_not_linked(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    groups = [np.sort(part).astype(np.int32) for part in np.split(rng.permutation(N)[: 6 * size], 6)]
    assert common_infrastructure(ordinary(rng, N), groups, log_p=np.log(0.05)) == []


@given(seed=st.integers(0, 1_000))
@settings(max_examples=15, deadline=None)
def test_neither_the_order_of_groups_nor_that_of_accounts_matters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ip = proxies(3)
    # a fifth group of strangers, sizes of their own, members of two groups
    groups = [np.sort(rng.choice(OURS, int(rng.integers(10, 40)), replace=False)) for _ in range(4)]
    groups.append(np.arange(OURS, OURS + 30))
    found = common_infrastructure(one_each(ip=ip), [g.astype(np.int32) for g in groups], log_p=CUT)
    order = rng.permutation(5)
    renamed = rng.permutation(N)
    moved = [""] * N
    for i, address in enumerate(ip):
        moved[int(renamed[i])] = address
    again = common_infrastructure(
        one_each(ip=moved), [np.sort(renamed[groups[int(g)]]).astype(np.int32) for g in order], log_p=CUT
    )
    back = {
        (*sorted((int(order[c.first]), int(order[c.second]))), c.field, c.shared, c.known, round(c.log_p, 6))
        for c in again
    }
    assert back == {(c.first, c.second, c.field, c.shared, c.known, round(c.log_p, 6)) for c in found}
    assert not any(4 in pair for pair in pairs_of(found))


def test_what_other_accounts_would_share_is_expected() -> None:
    # two accounts outside the parts are in their networks
    found = common_infrastructure(one_each(ip=proxies(3, accounts=42)), PARTS[:2], log_p=CUT)
    assert [(c.shared, c.known) for c in found] == [(20, 20)]
    assert found[0].expected == pytest.approx(20 * 2 / (N - 40))
    (found_alone,) = common_infrastructure(one_each(ip=proxies(3, accounts=40)), PARTS[:2], log_p=CUT)
    assert found_alone.expected == 0


def linked(first: int, second: int, **changes: Any) -> Common:
    one = Common(first=first, second=second, field="network", shared=18, known=20, expected=0.25, log_p=-40.0)
    return dataclasses.replace(one, **changes)


def test_the_least_sure_link_speaks_for_joined_parts() -> None:
    links = [linked(0, 1), linked(1, 2, field="payment", shared=9, log_p=-20.0), linked(2, 3)]
    found = joining_evidence(PARTS[:4], links)
    assert (found.id, found.family) == ("common_infrastructure", "infrastructure")
    assert (found.value, found.expected) == (9.0, 0.25)
    assert found.p_value == pytest.approx(np.exp(-20))
    assert found.sentence == (
        "Its 4 parts, which share no account, have the same rare values (network, means of payment); in the least sure "
        "of 3 linked pairs 9 of 20 accounts of one part share one (means of payment) with the other part, where 0.25 "
        "of as many other accounts would."
    )
    # it is shown and not judged
    assert found.id not in shipped_ledger().curves


def test_two_parts_that_share_accounts_say_so() -> None:
    groups = [np.arange(0, 30, dtype=np.int32), np.arange(28, 60, dtype=np.int32)]
    found = joining_evidence(groups, [linked(0, 1, field="email_domain", log_p=-1e6)])
    assert found.sentence.startswith(
        "Its 2 parts, which share 2 of 60 accounts, have the same rare values (e-mail domain); 18 of 20 accounts of one"
    )
    assert found.null.endswith("and up to 50% with one value")
    assert 0 < found.p_value < 1e-290


@given(seed=st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_no_value_is_in_what_is_said_of_joined_parts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ip = [f"198.51.{i % 3}.{i}" if i < OURS else f"10.{i // 250}.{i % 250}.1" for i in range(N)]
    fields = one_each(ip=ip)
    groups = [np.sort(rng.choice(OURS, 30, replace=False)).astype(np.int32) for _ in range(3)]
    links = common_infrastructure(fields, groups, log_p=CUT)
    found = joining_evidence(groups, links)
    assert found.p_value == pytest.approx(np.exp(max(link.log_p for link in links)))
    assert found.value <= 30
    assert "198.51" not in found.sentence


# ---------------------------------------------------------------- the whole way


TEMPLATES = (
    "Write ten hard exam questions on {} and {} with a key and a mark for every single one of them",
    "You are a patient tutor of {}: walk me through {} step by step and check every step before the next",
    "Compare {} with {} in a table of five rows, name your sources below it and say how sure you are",
    "Solve this problem about {} and {} in two ways, show all of the working and grade both of your answers",
    "Take the side of {} in a debate against {} and answer the three strongest objections to your own case",
)
SUBJECTS = "quasars pulsars comets nebulae asteroids supernovae galaxies eclipses meteors neutrinos sunspots cepheids"


def one_prompt_each(*, networks: int) -> list[Prompt]:
    """Five templates, each sent once by twelve accounts of its own, amid other people.

    They all share a few networks and a mail domain; without networks no fields are known.
    """
    rng = random.Random(0)
    words = [a + b + c for a in "bdfgklmnprstvz" for b in ("ad", "el", "om", "ur", "in") for c in ("an", "or", "ish")]
    found = []

    def sent(account: str, prompt: str, time: int, **held: str) -> None:
        found.append(Prompt(account=account, prompt=prompt, time=time, fields=held if networks else {}))

    for i in range(1_200):
        own = rng.sample(words, 12)
        ip, domain = f"10.{i // 250}.{i % 250}.1", rng.choice(("mail-1.example", "mail-2.example", f"d{i}.example"))
        for _ in range(4):
            text = " ".join(rng.choices(own + rng.sample(words, 12), k=rng.randrange(4, 14)))
            sent(f"person {i}", text, T0 + rng.randrange(20 * 86_400), ip=ip, email_domain=domain)
    for i in range(60):
        text = TEMPLATES[i % 5].format(*rng.sample(SUBJECTS.split(), 2))
        sent(
            f"ring {i}",
            text,
            T0 + 9 * 86_400 + i * 60,
            ip=f"198.51.{i % max(networks, 1)}.{i}",
            email_domain="ring.example",
        )
    return found


def row(family: Family, *, bits: float) -> Curve:
    """So many bits for a p-value of 1e-12, none for one of 1."""
    return toy_curve((0.0, 12.0), (0.0, bits), (1.0, 0.01), family=family)


LEDGER = Ledger(
    curves={
        "rigid_wording": row("text", bits=5.0),
        "shared_network": row("infrastructure", bits=8.0),
        "one_network": toy_curve((0.5, 1.0), (0.0, -12.0), (0.1, 1.0), family="infrastructure"),
    },
    prior=-3.0,
    steady=100.0,
)
"""Wording alone is to watch; one network for all is that of an organisation."""


def found_of_one_each(networks: int, cache: Path, weighed: list[MeasuredCandidate] | None = None) -> Detection:
    settings = Settings(encoder="fast", cache=cache)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "shipped_ledger", lambda: LEDGER)
        scan = run_scan(one_prompt_each(networks=networks), open_context(settings))
    if weighed is not None:
        weighed.extend(scan.measured)
    return scan.detection


def test_a_campaign_of_one_prompt_each_is_one_finding_where_its_infrastructure_is_known(cache: Path) -> None:
    weighed: list[MeasuredCandidate] = []
    detection = found_of_one_each(3, cache, weighed)
    (finding,) = detection.findings
    assert {m.account for m in finding.members} == {f"ring {i}" for i in range(60)}
    assert finding.tier == "review"
    assert finding.families == ("infrastructure", "text")
    assert len(finding.templates) == 5
    # no account sent two of them
    assert not any(e.id in ("linked_templates", "linked_clusters") for e in finding.evidence)
    assert finding.summary.startswith(
        "60 accounts linked by infrastructure sent 60 prompts of 5 templates, each by other accounts; they share "
    )
    (why,) = (e for e in finding.evidence if e.id == "common_infrastructure")
    assert why.sentence.startswith("Its 5 parts, which share no account, have the same rare values (network)")
    # shown, and not weighed beside what all members share
    assert not any(e.id == why.id for w in weighed for e in w.evidence)
    (candidate,) = (c for c in detection.candidates if c.campaign_id == finding.campaign_id)
    assert why in candidate.evidence
    assert all(m.harvest_prompts == 1 and m.harvest_share == 1.0 for m in finding.members)


def test_without_fields_nothing_is_joined(cache: Path) -> None:
    findings = found_of_one_each(0, cache).findings
    assert {(f.tier, len(f.templates), f.ways) for f in findings} == {("watch", 1, ("texts",))}
    assert len(findings) == 5
    for finding in findings:
        numbers = [int(m.account.removeprefix("ring ")) for m in finding.members]
        assert sorted(numbers) == list(range(numbers[0] % 5, 60, 5))


def test_what_may_be_one_organisation_is_not_joined(cache: Path) -> None:
    detection = found_of_one_each(1, cache)
    assert not any(e.id == "common_infrastructure" for c in detection.candidates for e in c.evidence)
    pieces = [c for c in detection.candidates if c.ways == ("texts",) and c.accounts == 12]
    assert len(pieces) == 5
    for piece in pieces:
        (one,) = (b for b in piece.benign_explanations if b.id == "one_organisation")
        assert (one.verdict, one.statistic, one.bits) == ("fits", 1.0, pytest.approx(-12.0))
