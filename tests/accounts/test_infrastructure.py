"""Groups of accounts by rare shared values and sign-ups."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.accounts.hot_features import hot_features, use_of
from harvestdetect.accounts.id_links import links_by_id
from harvestdetect.accounts.rare_links import PARTNERS, rare_links
from harvestdetect.corpus.account_fields import AccountFields, account_values
from harvestdetect.corpus.creation_times import AccountTimes, creation_times
from harvestdetect.data import NO_TIME
from harvestdetect.util.arrays import Ints
from tests.accounts.logs import DAY, START, Log, groups_of, held, population, prompts_and_features, with_campaign


def fields_of(log: Log) -> AccountFields:
    return account_values(prompts_and_features(log)[0])


def unknown(accounts: int) -> Ints:
    return np.full(accounts, NO_TIME)


@pytest.mark.parametrize("seed", range(3))
def test_a_campaign_of_one_prompt_an_account_is_a_group_with_those_that_share_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = with_campaign(population(rng), rng)
    groups = groups_of(log)
    share, purity = held(groups, log.members)
    assert share >= 0.8
    assert purity >= 0.9
    assert all(group.way == "infrastructure" for group in groups)


@pytest.mark.parametrize("seed", range(3))
def test_sign_ups_on_a_few_afternoons_are_enough(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = with_campaign(population(rng), rng, cards=False, bursts=4)
    share, purity = held(groups_of(log.without("payment", "ip", "email_domain")), log.members)
    assert share >= 0.5
    assert purity >= 0.8
    assert held(groups_of(log.without("created")), log.members)[0] == 0


def test_texts_alone_are_no_group() -> None:
    rng = np.random.default_rng(0)
    log = with_campaign(population(rng), rng, linked=0.0)
    assert groups_of(log) == []


def test_shared_values_alone_are_no_group() -> None:
    rng = np.random.default_rng(0)
    log = with_campaign(population(rng), rng, topics=range(200))
    assert groups_of(log) == []


def test_without_fields_there_is_no_group() -> None:
    rng = np.random.default_rng(0)
    log = with_campaign(population(rng), rng, bursts=3)
    assert groups_of(log.without("created", *log.values)) == []
    assert groups_of(Log(topics=[[0]])) == []
    assert groups_of(Log(topics=[[0], [0]], values={"ip": ["10.0.0.1", "10.0.0.1"]}, created=[START, START])) == []


def test_accounts_of_one_organisation_are_no_group() -> None:
    rng = np.random.default_rng(0)
    log = with_campaign(population(rng), rng, accounts=80, linked=1.0, bursts=3)
    orgs = [f"org-{i}" for i in range(len(log.topics))]
    for account in log.members:
        orgs[account] = "office"
    assert held(groups_of(log.having(org=orgs)), log.members)[0] == 0
    assert held(groups_of(log), log.members)[0] >= 0.5


def test_popular_values_hide_nothing_and_make_nothing() -> None:
    rng = np.random.default_rng(0)
    log = with_campaign(population(rng), rng)
    popular = [f"AS{i}" for i in rng.integers(0, 4, len(log.topics))]
    for account in log.members:
        popular[account] = "AS0"
    camouflaged = log.having(asn=popular, email_domain=["mail-0.example"] * len(log.topics))
    share, purity = held(groups_of(camouflaged), log.members)
    assert share >= 0.8
    assert purity >= 0.9
    bare = replace(log.without("created", *log.values), values={"asn": popular, "user_agent": ["one"] * len(popular)})
    assert groups_of(bare) == []


def test_accounts_that_write_alike_and_are_never_linked_stay_out() -> None:
    rng = np.random.default_rng(1)
    log = with_campaign(population(rng), rng)
    first = len(log.topics)
    rivals = with_campaign(log, rng, linked=0.0, topics=(210, 211, 212, 213))
    groups = groups_of(replace(rivals, members=()))
    assert held(groups, log.members)[1] >= 0.9
    assert not any(np.isin(group.accounts, np.arange(first, len(rivals.topics))).mean() > 0.1 for group in groups)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(5)
    log = with_campaign(population(rng, 800), rng, accounts=100)
    plain = groups_of(log)
    mixed = groups_of(log, order=np.random.default_rng(seed))
    assert [g.accounts.tolist() for g in plain] == [g.accounts.tolist() for g in mixed]
    assert [g.prompts.tolist() for g in plain] == [g.prompts.tolist() for g in mixed]


def test_groups_are_sorted_and_their_prompts_are_theirs() -> None:
    rng = np.random.default_rng(2)
    log = with_campaign(with_campaign(population(rng), rng), rng, topics=(210, 211, 212, 213, 214))
    groups = groups_of(log)
    account = prompts_and_features(log)[0].account
    assert groups
    for group in groups:
        assert (np.diff(group.accounts) > 0).all()
        assert (np.diff(group.prompts) > 0).all()
        assert np.array_equal(np.unique(account[group.prompts]), group.accounts)
    every = np.concatenate([group.accounts for group in groups])
    assert len(every) < 2 * len(np.unique(every))


def test_random_creations_and_values_give_nothing() -> None:
    """In 19 of 20 logs at least; also where sign-ups follow the hours of the day, or have only a day."""
    wrong = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        log = population(rng, 800)
        assert log.created is not None
        if seed % 3 == 1:
            log = replace(log, created=[t // DAY * DAY for t in log.created])
        if seed % 3 == 2:
            log = replace(log, created=[t // DAY * DAY + int(rng.normal(14, 3) * 3600) % DAY for t in log.created])
        wrong += bool(groups_of(log, seed=seed))
    assert wrong <= 1


def test_the_fields_of_accounts_stay_as_they_were() -> None:
    """The evidence reads the same fields later."""
    rng = np.random.default_rng(3)
    log = with_campaign(population(rng), rng)
    fields = fields_of(log)
    before = {name: (field.start.copy(), field.value.copy()) for name, field in fields.fields.items()}
    rare_links(fields, unknown(fields.accounts))
    for name, (start, value) in before.items():
        assert np.array_equal(fields.fields[name].start, start)
        assert np.array_equal(fields.fields[name].value, value)


def test_hot_features_are_those_of_linked_accounts() -> None:
    rng = np.random.default_rng(3)
    log = with_campaign(population(rng), rng)
    prompts, features = prompts_and_features(log)
    fields = account_values(prompts)
    use = use_of(features, prompts.account, fields.accounts)
    hot = hot_features(use, rare_links(fields, unknown(fields.accounts)), seed=0)
    users = use.has[:, hot].toarray()
    assert {200, 201} <= set(hot.tolist())
    assert (users[list(log.members)].sum(axis=0) > 0.8 * users.sum(axis=0)).mean() >= 0.8


# ---------------------------------------------------------------- links


def test_a_value_links_by_its_rarity() -> None:
    """Nine accounts have one card, and two have another; of half of all accounts nobody is linked."""
    cards = [f"own-{i}" for i in range(1_000)]
    cards[:9] = ["nine"] * 9
    cards[9:11] = ["two"] * 2
    cards[500:] = ["popular"] * 500
    links = rare_links(fields_of(Log(topics=[[0]] * 1_000, values={"payment": list(cards)})), unknown(1_000))
    found = dict(zip(zip(links.first.tolist(), links.second.tolist(), strict=True), links.partners, strict=True))
    assert len(found) == 9 * 8 / 2 + 1
    assert found[9, 10] == pytest.approx(2 / 1_000)
    assert found[0, 1] == pytest.approx((2 + 72) / 1_000)


def test_two_fields_link_more_than_one() -> None:
    cards = [f"own-{i}" for i in range(1_000)]
    domains = [f"own-{i}.example" for i in range(1_000)]
    for i in range(40):
        cards[i], domains[i] = f"card-{i // 4}", f"domain-{i // 4}.example"
    log = Log(topics=[[0]] * 1_000, values={"payment": list(cards)})
    one = rare_links(fields_of(log), unknown(1_000))
    both = rare_links(fields_of(log.having(email_domain=domains)), unknown(1_000))
    assert np.array_equal(one.first, both.first)
    assert (both.partners < one.partners / 100).all()


def test_a_network_operator_links_nobody_by_itself() -> None:
    operators = [f"AS{i}" for i in range(1_000)]
    operators[:5] = ["AS-small"] * 5
    cards = [f"own-{i}" for i in range(1_000)]
    cards[:2] = ["card"] * 2
    alone = rare_links(fields_of(Log(topics=[[0]] * 1_000, values={"asn": list(operators)})), unknown(1_000))
    assert not len(alone.first)
    besides = Log(topics=[[0]] * 1_000, values={"asn": list(operators), "payment": list(cards)})
    (partners,) = rare_links(fields_of(besides), unknown(1_000)).partners
    assert partners < 2 / 1_000


def test_sign_ups_are_close_against_those_around_them() -> None:
    created = START + np.arange(1_000) * 7_200
    created[500:506] = created[500] + np.arange(6) * 60
    links = rare_links(fields_of(Log(topics=[[0]] * 1_000)), created)
    close = (links.first >= 500) & (links.second < 506)
    assert close.sum() == 15
    assert links.partners[close].max() < 0.2
    assert links.partners[~close].min() > 0.5
    assert links.partners.max() <= PARTNERS


def test_sign_ups_of_a_day_are_no_burst() -> None:
    """A dump that names only the day of a sign-up: ten accounts a day share it."""
    created = START + np.arange(1_000) // 10 * DAY
    links = rare_links(fields_of(Log(topics=[[0]] * 1_000)), created)
    assert not len(links.first)


def test_first_prompts_stand_for_sign_ups_where_there_are_none() -> None:
    none = unknown(4)
    first = START + np.array([0, 5, 50, 100])
    counted = np.array([True, True, True, False])
    known = np.array([START, NO_TIME, START, START])

    def found(created: Ints, first: Ints, *, has_fields: bool = True) -> list[int]:
        times = AccountTimes(created=created, first=first)
        return creation_times(times, has_fields=has_fields, counted=counted).tolist()

    assert found(none, first) == [NO_TIME, NO_TIME, START + 50, NO_TIME]
    assert found(none, first, has_fields=False) == [NO_TIME] * 4
    assert found(known, first) == found(known, first, has_fields=False) == [START, NO_TIME, START, NO_TIME]
    assert found(none, none) == [NO_TIME] * 4
    assert creation_times(AccountTimes(created=known, first=none), has_fields=True).tolist() == known.tolist()


def test_a_value_of_ten_thousand_accounts_makes_no_ten_thousand_squared_pairs() -> None:
    accounts = 20_000
    log = Log(topics=[[0]] * accounts, values={"payment": [f"card-{max(i - 10_000, 0) // 3}" for i in range(accounts)]})
    fields = fields_of(log)
    begun = time.process_time()
    links = rare_links(fields, unknown(accounts))
    assert time.process_time() - begun < 2
    assert 9_000 < len(links.first) < 11_000


# ---------------------------------------------------------------- ids


def linked_by_id(ids: list[str]) -> set[tuple[int, int]]:
    nothing = AccountFields(accounts=len(ids), fields={})
    links = rare_links(nothing, unknown(len(ids)), links_by_id(ids, np.ones(len(ids), bool)))
    return set(zip(links.first.tolist(), links.second.tolist(), strict=True))


def names(rng: np.random.Generator, count: int) -> list[str]:
    letters = rng.choice(list("abcdefghijklmnopqrstuvwxyz"), (count, 9))
    return ["".join(row) for row in letters]


def test_one_mailbox_under_several_addresses_is_a_link() -> None:
    ids = [f"{name}@mail.example" for name in names(np.random.default_rng(0), 300)]
    ids[:3] = ["J.Doe+1@gmail.com", "jdoe+two@gmail.com", "jd.oe@gmail.com"]
    ids[3:5] = ["j.doe@mail.example", "jdoe@mail.example"]
    assert linked_by_id(ids) == {(0, 1), (0, 2), (1, 2)}


def test_user_names_of_one_series_are_links() -> None:
    ids = names(np.random.default_rng(0), 300)
    ids[10:14] = ["harvest_01", "harvest_02", "harvest-7", "harvest"]
    ids[20:22] = ["bob1", "bob2"]
    assert linked_by_id(ids) == {(a, b) for a in range(10, 14) for b in range(a + 1, 14)}


def test_adjacent_numbers_are_links_where_numbers_are_sparse() -> None:
    rng = np.random.default_rng(0)
    numbers = np.sort(rng.choice(10**9, 1_000, replace=False))
    numbers[500:505] = numbers[500] + np.arange(5)
    ids = [str(n) for n in numbers]
    nothing = AccountFields(accounts=1_000, fields={})
    links = rare_links(nothing, unknown(1_000), links_by_id(ids, np.ones(1_000, bool)))
    close = links.partners < 1e-4
    assert set(links.first[close].tolist()) >= {500, 501, 502, 503}
    assert 10 <= close.sum() <= 11


def test_pseudonyms_have_nothing_in_common() -> None:
    rng = np.random.default_rng(0)
    for ids in (
        [f"acct_{rng.bytes(6).hex()}" for _ in range(3_000)],
        [f"{rng.bytes(16).hex()}" for _ in range(3_000)],
        names(rng, 3_000),
    ):
        assert not linked_by_id(ids)


def test_ids_that_only_count_give_no_group() -> None:
    """Adjacent accounts are linked weakly, as those created one after another are; texts at random are not alike."""
    logs = [population(np.random.default_rng(seed), 600).without("created") for seed in range(10)]
    assert not any(groups_of(replace(log, counted=True), seed=seed) for seed, log in enumerate(logs))
