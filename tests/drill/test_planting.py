"""What a drill plants: shares, spans, ids, and that the rows of the dump stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import NO_TIME, Batch
from harvestdetect.drill.grid import CENTRE, Design, Trial
from harvestdetect.drill.hosts import ALONE, ROWS_TOGETHER, TOGETHER, Hosts, alike_id
from harvestdetect.drill.planting import DrillCampaign, planted
from harvestdetect.drill.rounds import in_rounds
from harvestdetect.drill.survey import SAMPLE, Survey
from harvestdetect.drill.texts import Texts
from tests.drill.making import DAYS, START, batches, prompts, surveyed


@cache
def whole() -> list[Batch]:
    """The dump into which campaigns are planted. No import waits for it."""
    return batches(prompts(1_500))


@cache
def the_survey() -> Survey:
    """The survey of :func:`whole`."""
    return surveyed(whole())


def design(**changes: Any) -> Design:
    values = {name: getattr(CENTRE, name) for name in Design.__slots__}
    return Design(**(values | {"accounts": 12, "prompts": 3} | changes))


def campaigns(
    designs: Sequence[Design], survey: Survey | None = None, *, seed: int = 0, excluded: Sequence[str] = ()
) -> list[DrillCampaign]:
    survey = survey or the_survey()
    trials = [Trial(number=i, design=one, factor=None) for i, one in enumerate(designs, 1)]
    texts = Texts([row.text for row in survey.sample], seed=seed)
    hosts = Hosts(survey, excluded)
    found = []
    taken: set[int] = set()
    for trial in trials:
        cast = hosts.cast(trial.design, Random(f"{seed} {trial.number}"), taken=taken, ids=())
        assert cast is not None
        taken.update(source for host in cast.hosts for source in host.sources)
        found.append(DrillCampaign(trial=trial, cast=cast, author=texts.author(trial)))
    return found


def rows_of(made: Sequence[Batch]) -> list[dict[str, Any]]:
    return [row for batch in made for row in batch.prompts.to_pylist()]


def added(
    chosen: Sequence[DrillCampaign], dump: Sequence[Batch] | None = None, survey: Survey | None = None
) -> list[dict[str, Any]]:
    """The planted rows."""
    dump = whole() if dump is None else dump
    return rows_of(list(planted(dump, chosen, survey or the_survey(), seed=0)))[sum(b.prompts.num_rows for b in dump) :]


# ---------------------------------------------------------------- the survey


def test_the_survey_counts() -> None:
    rows = rows_of(whole())
    volume = Counter(row["account"] for row in rows)
    assert the_survey().accounts == sorted(volume)
    assert the_survey().volume.tolist() == [volume[name] for name in the_survey().accounts]
    assert the_survey().span == (min(row["time"] for row in rows), max(row["time"] for row in rows))
    assert the_survey().fields == {"ip", "org", "created_at"}
    busiest = max(volume, key=lambda name: volume[name])
    times = sorted(row["time"] for row in rows if row["account"] == busiest)
    assert the_survey().times_of(the_survey().accounts.index(busiest)).tolist() == times
    assert len(the_survey().sample) == min(SAMPLE, len(rows))


def test_the_order_of_rows_changes_nothing() -> None:
    found = prompts(1_200, seed=5)
    shuffled = Random(1).sample(found, len(found))
    one, other = batches(found), batches(shuffled, size=333)
    surveys = [surveyed(one), surveyed(other)]
    assert surveys[0].sample == surveys[1].sample
    wanted = [design(), design(share=1.0), design(tempo="human", infrastructure="shared"), design(share=0.2)]
    made = [campaigns(wanted, survey) for survey in surveys]
    assert [c.cast for c in made[0]] == [c.cast for c in made[1]]
    assert added(made[0], one, surveys[0]) == added(made[1], other, surveys[1])


def test_the_same_seed_plants_the_same_and_another_does_not() -> None:
    wanted = [design(), design(share=1.0)]
    assert added(campaigns(wanted)) == added(campaigns(wanted))
    assert added(campaigns(wanted)) != added(campaigns(wanted, seed=1))


# ---------------------------------------------------------------- planting


@settings(max_examples=15, deadline=None)
@given(
    share=st.sampled_from([1.0, 0.5, 0.2]),
    each=st.integers(1, 4),
    rewording=st.sampled_from(["one-template", "templates", "reworded", "no-template"]),
    tempo=st.sampled_from(["machine", "human"]),
    infrastructure=st.sampled_from(["none", "shared"]),
    seed=st.integers(0, 99),
)
def test_a_campaign_is_what_its_design_says(seed: int, share: float, each: int, **levels: Any) -> None:
    (campaign,) = campaigns([design(share=share, prompts=each, **levels)], seed=seed)
    new = added([campaign])
    hosts = campaign.cast.hosts
    sent = Counter(row["account"] for row in new)
    assert sent == {host.account: host.harvest for host in hosts}
    assert len(hosts) == 12
    own = Counter(row["account"] for row in rows_of(whole()))
    if share < 1:
        harvest, all_rows = sum(sent.values()), sum(sent[h.account] + h.own for h in hosts)
        assert harvest / all_rows == pytest.approx(share, abs=0.1)
        assert all(h.own == sum(own[the_survey().accounts[s]] for s in h.sources) for h in hosts)
    else:
        assert not set(sent) & set(own), "a new account has the id of a real one"
    assert sum(sent.values()) / len(hosts) == pytest.approx(each, rel=0.55)
    first, last = the_survey().span or (0, 0)
    assert all(first <= row["time"] <= last for row in new)
    assert all(row["created_at"] == NO_TIME or row["created_at"] <= row["time"] for row in new)
    assert all(row["parts"][0].strip() for row in new)
    assert len({row["line"] for row in new}) == len(new)


def test_the_rows_of_the_dump_stay() -> None:
    chosen = campaigns([design(), design(share=0.2, tempo="human")])
    passed = rows_of(list(planted(whole(), chosen, the_survey(), seed=0)))
    assert passed[: len(rows_of(whole()))] == rows_of(whole())


def test_accounts_are_joined_where_none_is_large_enough() -> None:
    (campaign,) = campaigns([design(accounts=4, prompts=10, share=0.1)])
    hosts = campaign.cast.hosts
    assert any(len(host.sources) > 1 for host in hosts)
    everything = rows_of(list(planted(whole(), [campaign], the_survey(), seed=0)))
    before = rows_of(whole())
    volume = Counter(row["account"] for row in everything)
    assert all(volume[host.account] == host.own + host.harvest for host in hosts)
    gone = {the_survey().accounts[s] for host in hosts for s in host.sources[1:]}
    assert not gone & set(volume)
    kept = everything[: len(before)]
    assert [row | {"account": ""} for row in kept] == [row | {"account": ""} for row in before]
    assert sum(a["account"] != b["account"] for a, b in zip(kept, before, strict=True)) == sum(
        row["account"] in gone for row in before
    )


def test_human_tempo_keeps_the_hours_of_the_account() -> None:
    (campaign,) = campaigns([design(prompts=10, tempo="human")])
    hour = {row["account"]: row["time"] % 86_400 // 3_600 for row in rows_of(whole())}
    for row in added([campaign]):
        distance = abs(row["time"] % 86_400 // 3_600 - hour[row["account"]])
        assert min(distance, 24 - distance) <= 1
    (machine,) = campaigns([design(prompts=10)])
    assert len({row["time"] % 86_400 // 3_600 for row in added([machine])}) > 12


def test_shared_addresses_are_shared_and_nobody_elses() -> None:
    (campaign,) = campaigns([design(accounts=30, prompts=2, infrastructure="shared")])
    new = added([campaign])
    known = {row["ip"] for row in rows_of(whole())}
    assert not {row["ip"] for row in new} & known
    assert len({row["ip"] for row in new}) <= 4
    (plain,) = campaigns([design(accounts=30, prompts=2)])
    own = {row["account"]: row["ip"] for row in rows_of(whole())}
    assert all(row["ip"] == own[row["account"]] for row in added([plain]))


def test_new_accounts_have_values_like_those_of_the_dump() -> None:
    (campaign,) = campaigns([design(share=1.0)])
    new = added([campaign])
    assert {row["org"] for row in new} <= {row["org"] for row in rows_of(whole())}, "common values are kept"
    assert not {row["ip"] for row in new} & {row["ip"] for row in rows_of(whole())}, "rare values are not"
    assert all(row["asn"] is None for row in new), "the dump has no such field"


def test_a_dump_without_times_and_fields() -> None:
    dump = batches(prompts(800, fields=False, times=False))
    survey = surveyed(dump)
    assert survey.span is None
    assert survey.fields == frozenset()
    chosen = campaigns([design(tempo="human", infrastructure="shared"), design(share=1.0)], survey)
    new = added(chosen, dump, survey)
    assert {row["time"] for row in new} == {NO_TIME}
    assert {row["ip"] for row in new} == {None}


def test_excluded_accounts_are_no_hosts() -> None:
    excluded = [name for name, volume in zip(the_survey().accounts, the_survey().volume, strict=True) if volume == 3][
        ::2
    ]
    (campaign,) = campaigns([design(accounts=20)], excluded=excluded)
    assert not {host.account for host in campaign.cast.hosts} & set(excluded)


def test_too_few_accounts_are_said() -> None:
    hosts = Hosts(the_survey(), ())
    assert hosts.impossible(design()) is None
    assert "accounts are more than" in str(hosts.impossible(design(accounts=200)))
    assert "prompts are more than" in str(hosts.impossible(design(accounts=100, prompts=30)))
    assert "prompts of their own" in str(hosts.impossible(design(accounts=100, prompts=5, share=0.05)))


# ---------------------------------------------------------------- texts


def test_texts_of_a_template_share_words_and_differ() -> None:
    (one, several, reworded, free) = campaigns(
        [design(rewording=r, prompts=10) for r in ("one-template", "templates", "reworded", "no-template")]
    )

    def common(campaign: DrillCampaign) -> int:
        texts = [set(row["parts"][0].split()) for row in added([campaign])]
        return len(set.intersection(*texts))

    assert common(one) >= 8
    assert common(several) < common(one)
    assert common(reworded) < 8
    assert common(free) < 8
    for campaign in (one, several, reworded, free):
        texts = [row["parts"][0] for row in added([campaign])]
        assert len(set(texts)) > 0.9 * len(texts)


def test_payloads_come_from_the_dump() -> None:
    trials = [Trial(number=i, design=design(), factor=None) for i in range(1, 9)]
    texts = Texts(["what are the tides of Lisbon like in winter?"], seed=0)
    written = [texts.author(trial).write("a", 0, Random(0)) for trial in trials]
    assert sum("tides of Lisbon" in text for text in written) == 2


def test_campaigns_with_one_manner_are_apart() -> None:
    trials = [Trial(number=i, design=design(accounts=2, rewording="reworded"), factor=None) for i in range(1, 8)]
    texts = Texts([], seed=0)
    authors = {trial.number: texts.author(trial) for trial in trials}
    rounds = in_rounds(trials, authors, Hosts(the_survey(), ()), the_survey(), seed=0, per_scan=5)
    for chosen in rounds:
        manners = [campaign.author.manner for campaign in chosen]
        assert len(set(manners)) == len(manners)
    assert sorted(c.trial.number for chosen in rounds for c in chosen) == list(range(1, 8))


def test_campaigns_of_one_scan_are_small_and_share_no_account() -> None:
    designs = [design(accounts=n, share=s) for n in (10, 25, 60, 100) for s in (1.0, 0.5, 0.2)]
    trials = [Trial(number=i, design=one, factor=None) for i, one in enumerate(designs, 1)]
    texts = Texts([], seed=0)
    authors = {trial.number: texts.author(trial) for trial in trials}
    rounds = in_rounds(trials, authors, Hosts(the_survey(), ()), the_survey(), seed=0, per_scan=4, apart={2: {1, 3}})
    assert sorted(c.trial.number for chosen in rounds for c in chosen) == list(range(1, len(trials) + 1))
    assert not {1, 3} & next(numbers for r in rounds if 2 in (numbers := {c.trial.number for c in r}))
    for chosen in rounds:
        names = [host.account for c in chosen for host in c.cast.hosts]
        sources = [s for c in chosen for host in c.cast.hosts for s in host.sources]
        assert len(set(names)) == len(names)
        assert len(set(sources)) == len(sources)
        assert len(chosen) <= 4
        share = sum(c.cast.touched for c in chosen) / len(the_survey().accounts)
        assert share <= (TOGETHER if len(chosen) > 1 else ALONE)
        if len(chosen) > 1:
            assert sum(c.cast.harvest for c in chosen) <= ROWS_TOGETHER * the_survey().rows


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("acct-00ff1", "aaaa-00aa0"),
        ("10.1.2.3", None),
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "a00a0aaa-0aaa-00a0-a000-00a0a00a0aa0"),
        ("Ada.Lovelace@Example.org", "Aaa.Aaaaaaaa@Aaaaaaa.aaa"),
        ("ключ", "ключ"),
        ("", ""),
    ],
)
def test_an_id_keeps_its_shape(value: str, shape: str | None) -> None:
    made = alike_id(value, Random(3))
    if shape is None:
        parts = [int(part) for part in made.split(".")]
        assert parts[:2] == [10, 1]
        assert all(0 <= part < 256 for part in parts)
        return
    kinds = "".join(
        "0" if c.isascii() and c.isdigit() else ("A" if c.isupper() else "a") if c.isascii() and c.isalpha() else c
        for c in made
    )
    assert kinds == shape
    if len(value) > 8:
        assert made != value
    if "f81d" in value:
        assert set(made) <= set("0123456789abcdef-")


def test_new_ids_never_collide() -> None:
    taken = [f"{a}{b}" for a in "ab" for b in "ab"] * 30
    dump = batches([p for i, name in enumerate(taken) for p in [_prompt(name, i)]])
    survey = surveyed(dump)
    cast = Hosts(survey, ()).cast(design(accounts=40, share=1.0), Random(0), taken=(), ids=("ccc",))
    assert cast is not None
    names = [host.account for host in cast.hosts]
    assert len(set(names)) == 40
    assert not set(names) & {*taken, "ccc"}


def _prompt(account: str, number: int) -> Any:
    from harvestdetect.data import Prompt

    return Prompt(account=account, prompt=f"text {number}", time=START + number % (DAYS * 86_400))
