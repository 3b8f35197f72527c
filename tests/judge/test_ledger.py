"""The ledger: bits of rows, what the dump's own innocents take from them, and the file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import Evidence, Family
from harvestdetect.errors import CalibrationError
from harvestdetect.evidence.explanations import EXPLANATIONS
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.evidence.readings import ACCOUNTS, READINGS
from harvestdetect.judge.ledger import (
    EFFECT,
    EXPECTED,
    FARTHEST,
    SUREST,
    Curve,
    Ledger,
    Posted,
    Reference,
    post,
    row_of,
    values_of,
)
from harvestdetect.judge.ledger_file import VERSION, dumped, loaded, shipped_ledger
from harvestdetect.judge.triage import BEYOND_TEXT, judge
from tests.judge.curves import toy_curve

EXTREME = 10.0


def evidence(id_: str, p_value: float, value: float = 1.0, expected: float = 1.0) -> Evidence:
    return Evidence(
        id=id_, name="", family="time", value=value, null="", expected=expected, p_value=p_value, sentence=""
    )


def curve(*, family: Family = "time", weight: float = 1.0, falls: bool = False) -> Curve:
    """From -2 to 4 bits, as the value goes from 0 to 10; or the other way round."""
    bits, tails = (-2.0, 0.0, 4.0), (1.0, 0.3, 0.02)
    way = -1 if falls else 1
    return toy_curve((0.0, 5.0, EXTREME), bits[::way], tails[::way], family=family, weight=weight)


def ledger_of(**curves: Curve) -> Ledger:
    return Ledger(curves=curves or {"row": curve()}, prior=-3.0, steady=20.0)


# ---------------------------------------------------------------- values


def test_a_measure_gives_how_surely_and_how_far_it_differs() -> None:
    found = values_of([evidence("load", 1e-3, value=2.0, expected=16.0)], {"copies": -4.0})
    assert found == {"load": pytest.approx(3.0), f"load{EFFECT}": pytest.approx(-3.0), "copies": -4.0}
    assert [row_of(id_) for id_ in found] == ["copies", "load", "load"]


def test_beyond_what_a_p_value_can_say_a_measure_is_no_surer() -> None:
    for p_value in (10**-SUREST, 1e-300, 0.0):
        assert values_of([evidence("load", p_value)], {})["load"] == pytest.approx(SUREST)
    assert values_of([evidence("load", 1.0)], {})["load"] == 0


def test_a_value_of_nothing_is_the_farthest_from_what_is_expected() -> None:
    """A list that is dealt at random has a likeness of about 0, on either side."""

    def effect(value: float) -> float:
        return values_of([evidence("load", 0.5, value, 0.5)], {})[f"load{EFFECT}"]

    assert effect(0.0) == effect(-0.1) == pytest.approx(math.log2(FARTHEST))
    assert effect(0.0) < effect(0.01) < effect(0.1) < effect(2.0)


def test_without_an_expected_value_there_is_no_effect() -> None:
    for expected in (0.0, -0.1):
        assert set(values_of([evidence("load", 0.5, 2.0, expected)], {})) == {"load"}
    assert values_of([], {}) == {}


# ---------------------------------------------------------------- posting


def test_without_candidates_there_are_no_ledgers() -> None:
    assert post(ledger_of(), []) == []
    assert post(ledger_of(), [], innocents=[{"row": 1.0}]) == []


def test_without_rows_or_values_the_prior_is_left() -> None:
    for ledger in (ledger_of(), replace(ledger_of(), curves={})):
        for found in post(ledger, [{}, {"unknown": 5.0}]):
            assert found == Posted(rows={}, total=pytest.approx(-3.0), probability=pytest.approx(1 / 9))


def test_bits_are_read_from_the_curve_between_its_knots_and_beyond() -> None:
    assert curve().at(np.array([-5.0, 2.5, 7.5, 99.0])).tolist() == [-2.0, -1.0, 2.0, 4.0]
    assert curve(falls=True).at(np.array([0.0, 7.5])).tolist() == [4.0, -1.0]
    assert (curve().rises, curve(falls=True).rises) == (True, False)
    (alone,) = post(replace(ledger_of(row=curve(weight=0.5)), steady=1e6), [{"row": EXTREME}])
    # there is no other candidate: the reference alone says how common the value is
    assert alone.rows == {"row": pytest.approx(2.0)}
    assert alone.total == pytest.approx(-1.0, abs=0.01)
    assert alone.probability == pytest.approx(1 / 3, abs=0.01)


def test_the_rows_and_the_prior_add_up() -> None:
    ledger = ledger_of(a=curve(), b=curve(falls=True, weight=0.3), c=curve(family="text"))
    found = post(ledger, [{"a": 9.0, "b": 1.0, "c": 2.0}, {"a": 1.0, "c": 7.0}, {}])
    prior = found[2].total
    for one in found:
        assert one.total == pytest.approx(prior + sum(one.rows.values()))
        assert one.probability == pytest.approx(1 - 1 / (1 + 2**one.total))
    assert [len(one.rows) for one in found] == [3, 2, 0]


def test_the_more_campaigns_a_dump_has_the_higher_is_the_prior() -> None:
    ledger = replace(ledger_of(row=replace(curve(), bits=(-20.0, 0.0, 20.0))), steady=30.0)
    usual = 1 / 9
    for campaigns in (0, 5, 20):
        values: list[dict[str, float]] = [{}, *[{"row": EXTREME}] * campaigns, *[{"row": 0.0}] * (29 - campaigns)]
        # of the candidate without a row nothing is known
        found = post(ledger, values)[0].probability
        assert found == pytest.approx((usual * EXPECTED + campaigns + found) / (EXPECTED + 30), abs=0.01)


def test_what_is_common_among_the_innocents_of_the_dump_says_nothing_for_a_campaign() -> None:
    rare, common = ([{"row": EXTREME}] + [{"row": value}] * 300 for value in (1.0, EXTREME))
    assert post(ledger_of(), rare)[0].rows["row"] == pytest.approx(4.0)
    for found in post(ledger_of(), common):
        assert found.rows["row"] == pytest.approx(0.0, abs=0.1)


def test_candidates_that_other_rows_accuse_do_not_count_as_innocent() -> None:
    ledger = ledger_of(row=curve(), **{f"other{i}": curve() for i in range(4)})
    accused: dict[str, float] = {"row": EXTREME, **{f"other{i}": EXTREME for i in range(4)}}
    crowd = [{"row": 1.0, **{f"other{i}": 1.0 for i in range(4)}}] * 300
    found = post(ledger, [accused] * 15 + crowd)
    assert found[0].rows["row"] > 2
    assert found[0].probability > 0.99


def test_what_speaks_against_a_campaign_is_not_taken_back() -> None:
    for found in post(ledger_of(), [{"row": 0.0}] * 50):
        assert found.rows["row"] == pytest.approx(-2.0)


VALUES = st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(-1, 11)), min_size=1, max_size=12)
LEDGER = ledger_of(a=curve(), b=curve(falls=True, weight=0.6), c=curve(family="text", weight=0.4))


@given(VALUES, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_posting_is_deterministic_and_no_order_matters(values: list[dict[str, float]], random: Any) -> None:
    first = post(LEDGER, values)
    assert post(LEDGER, values) == first
    order = list(range(len(values)))
    random.shuffle(order)
    for place, found in zip(order, post(LEDGER, [values[i] for i in order]), strict=True):
        assert found.total == pytest.approx(first[place].total, abs=1e-9)
        assert found.rows == pytest.approx(first[place].rows, abs=1e-9)


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_bits_lie_between_those_of_the_curve_and_none(values: list[dict[str, float]]) -> None:
    for one, found in zip(values, post(LEDGER, values), strict=True):
        assert set(found.rows) == set(one)
        for id_, bits in found.rows.items():
            own = LEDGER.curves[id_]
            full = own.weight * float(own.at(np.array([one[id_]]))[0])
            assert min(full, 0.0) - 1e-9 <= bits <= full + 1e-9


@given(VALUES, VALUES)
@settings(max_examples=150, deadline=None)
def test_known_innocents_never_raise_a_row_or_a_probability(
    values: list[dict[str, float]], innocents: list[dict[str, float]]
) -> None:
    for several in (innocents, innocents * 40):
        for before, after in zip(post(LEDGER, values), post(LEDGER, values, innocents=several), strict=True):
            assert after.probability <= before.probability + 1e-12
            assert all(after.rows[id_] <= bits + 1e-12 for id_, bits in before.rows.items())


def test_innocents_with_the_same_value_lower_its_bits_the_more_they_are() -> None:
    values = [{"row": EXTREME}, {"row": 2.0}]
    found = [post(ledger_of(), values, innocents=[{"row": EXTREME}] * n)[0].rows["row"] for n in (0, 1, 5, 50, 5000)]
    assert all(a > b for a, b in pairwise(found[:4]))
    assert found[-1] == pytest.approx(0.0, abs=0.01)


@given(st.lists(st.floats(0, 4), max_size=20), st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_one_more_innocent_candidate_with_an_extreme_value_never_raises_its_bits(others: list[float], n: int) -> None:
    """They are candidates of the dump whose innocence another row settles."""
    ledger = ledger_of(row=curve(), settles=replace(curve(), bits=(-40.0, 0.0, 0.0)))
    crowd = [{"row": value, "settles": 0.0} for value in others]
    found = [
        post(ledger, [{"row": EXTREME}, *crowd, *[{"row": EXTREME, "settles": 0.0}] * count])[0].rows["row"]
        for count in (n - 1, n)
    ]
    assert found[1] <= found[0] + 1e-9


# ---------------------------------------------------------------- size


def by_size() -> Curve:
    """Among candidates of 20 accounts one in a thousand has the value 10, among those of 320 every second one."""
    tails = ((1.0, 0.001), (1.0, 0.5))
    return Curve(
        family="time", knots=(0.0, 12.0), bits=(0.0, 12.0), weight=1.0, relative=True,
        references=tuple(
            Reference(accounts=size, values=(0.0, EXTREME), tails=own)
            for size, own in zip((20.0, 320.0), tails, strict=True)
        ),
    )  # fmt: skip


def of_size(accounts: float) -> float:
    """Bits of an extreme value, beside no other candidate."""
    ledger = replace(ledger_of(row=by_size()), steady=1e9)
    (found,) = post(ledger, [{"row": EXTREME, ACCOUNTS: accounts}])
    return found.rows["row"]


def test_a_measure_is_compared_with_innocents_of_about_as_many_accounts() -> None:
    assert of_size(20) == pytest.approx(-math.log2(0.001))
    assert of_size(320) == pytest.approx(1.0)
    # the middle of both sizes is at 80 accounts: the logarithms of the shares are averaged there
    assert of_size(80) == pytest.approx((of_size(20) + of_size(320)) / 2)
    found = [of_size(accounts) for accounts in (1, 20, 21, 50, 100, 200, 319, 320, 9_999)]
    assert found == sorted(found, reverse=True)
    assert found[0] == found[1]
    assert found[-1] == found[-2]


def test_other_sizes_take_nothing_from_what_is_rare_at_a_size() -> None:
    """Large innocent groups of the dump have extreme values, as they do in the reference."""
    ledger = replace(ledger_of(row=by_size()), steady=100.0, prior=-8.0)
    large = [{"row": EXTREME, ACCOUNTS: 320.0}] * 50
    alone, beside = (post(ledger, [{"row": EXTREME, ACCOUNTS: 20.0}, *others])[0].rows["row"] for others in ([], large))
    assert beside >= alone
    small = [{"row": EXTREME, ACCOUNTS: 20.0}] * 50
    assert post(ledger, [{"row": EXTREME, ACCOUNTS: 20.0}, *small])[0].rows["row"] < 2


# ---------------------------------------------------------------- the ledger of the package


def test_the_shipped_ledger_has_rows_of_known_measures_and_readings() -> None:
    ledger = shipped_ledger()
    family = {m.id: m.family for m in MEASURES if m.take is not None and not m.closer_look}
    family |= {r.id: r.family for r in READINGS}
    assert len(ledger.curves) >= 10
    unknown = {row_of(id_) for id_ in ledger.curves} - set(family)
    assert not unknown, "fit the ledger again: python -m benchmarks.fit"
    for id_, one in ledger.curves.items():
        assert one.family == family[row_of(id_)] != "intent"
        assert one.weight > 0
        assert not id_.endswith(EFFECT) or row_of(id_) in {m.id for m in MEASURES}
    assert {one.family for one in ledger.curves.values()} == {"text", *BEYOND_TEXT}
    speaks = {r.id: r.speaks == "high" for r in READINGS}
    tails = {m.id: m.tail == "high" for m in MEASURES}
    for id_, one in ledger.curves.items():
        if one.bits[0] != one.bits[-1]:
            wanted = speaks[id_] if id_ in speaks else not id_.endswith(EFFECT) or tails[row_of(id_)]
            assert one.rises == wanted, id_


def test_the_shipped_ledger_was_tested_on_innocents() -> None:
    ledger = shipped_ledger()
    assert -8 < ledger.prior < 4
    assert ledger.held_out_count > 100
    assert ledger.held_out_prompts > 100_000
    assert len(ledger.sources) > 1
    assert len(ledger.digest) == 64
    assert list(ledger.held_out) == sorted(ledger.held_out, key=lambda reach: reach[2])
    assert all(watch <= review <= urgent for urgent, review, watch in ledger.held_out)


def test_by_the_shipped_ledger_the_best_of_each_row_is_a_campaign_and_the_worst_none() -> None:
    ledger = shipped_ledger()
    best, worst = (
        {id_: c.knots[-1 if c.rises == top else 0] for id_, c in ledger.curves.items()} for top in (True, False)
    )
    # beside ordinary candidates, as in any dump
    found = judge(post(ledger, [best, *[worst] * 50]), [()] * 51, ledger=ledger, fdr=0.2)
    assert found[0].tier == "urgent"
    assert {j.tier for j in found[1:]} == {None}


def test_explanations_are_judged_by_readings() -> None:
    ids = {r.id for r in READINGS}
    assert all(set(e.rows) <= ids for e in EXPLANATIONS)


# ---------------------------------------------------------------- the file


CURVES = st.builds(
    lambda knots, falls, weight: toy_curve(
        knots, [float(x) for x in range(len(knots))][:: -1 if falls else 1], [0.5 for _ in knots], weight=weight
    ),
    st.lists(st.integers(-99, 99), min_size=1, max_size=6, unique=True).map(lambda x: tuple(map(float, sorted(x)))),
    st.booleans(),
    st.integers(0, 100).map(lambda x: x / 100),
)


@given(st.dictionaries(st.text(max_size=8), CURVES, max_size=5), st.integers(-90, 90).map(lambda x: x / 10))
@settings(max_examples=60, deadline=None)
def test_a_ledger_survives_its_file(curves: dict[str, Curve], prior: float) -> None:
    ledger = Ledger(
        curves=curves, prior=prior, steady=30.0, made="2026-11-29", sources=("a: 3",),
        held_out=((math.inf, 0.5, 0.125), (math.inf, math.inf, math.inf)), held_out_count=7, held_out_prompts=90,
    )  # fmt: skip
    data = dumped(ledger)
    again = loaded(data, name="x")
    assert replace(again, digest="") == ledger
    assert dumped(again) == data


def test_the_shipped_file_is_what_would_be_written() -> None:
    assert loaded(dumped(shipped_ledger()), name="x") == shipped_ledger()


@pytest.fixture
def stored() -> Callable[..., bytes]:
    """The file of a ledger with changes; ``...`` removes a key. ``row`` changes its only row,
    ``reference`` the only reference of that."""

    def make(row: Mapping[str, Any] | None = None, reference: Mapping[str, Any] | None = None, **changes: Any) -> bytes:
        ledger = replace(ledger_of(), held_out=((math.inf, 0.5, 0.125),), held_out_count=7, held_out_prompts=90)
        values = json.loads(dumped(ledger))
        only = values["rows"]["row"]
        for target, some in ((values, changes), (only["references"][0], reference or {}), (only, row or {})):
            for key, value in some.items():
                if value is ...:
                    del target[key]
                else:
                    target[key] = value
        return json.dumps(values).encode()

    return make


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": "other"}'])
def test_what_is_no_ledger_is_refused(data: bytes) -> None:
    with pytest.raises(CalibrationError, match=r"^own\.json is no ledger"):
        loaded(data, name="own.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "harvestdetect-calibration"},
        {"version": VERSION + 1},
        {"version": "1"},
        {"rows": ...},
        {"rows": []},
        {"prior": None},
        {"row": {"family": "luck"}},
        {"row": {"knots": ["0"]}},
        {"row": {"weight": ...}},
        {"held_out": [[0.1]]},
        {"held_out_count": 1.5},
    ],
)
def test_a_file_of_another_kind_is_refused(stored: Callable[..., bytes], changes: dict[str, Any]) -> None:
    with pytest.raises(CalibrationError, match=r"^own\.json is no ledger"):
        loaded(stored(**changes), name="own.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row": {"knots": []}}, "the knots of 'row' must rise"),
        ({"row": {"knots": [0.0, 5.0, 5.0]}}, "the knots of 'row' must rise"),
        ({"row": {"bits": [-2.0, 4.0]}}, "with bits for each"),
        ({"reference": {"values": [0.0, 5.0, 5.0]}}, "the values of 'row' must rise"),
        ({"reference": {"values": []}}, "the values of 'row' must rise"),
        ({"reference": {"tails": [1.0, 0.1]}}, "with a tail for each"),
        ({"reference": {"accounts": 0.5}}, "'row' must have references of rising size"),
        ({"row": {"references": []}}, "'row' must have references of rising size"),
        ({"row": {"bits": [-2.0, 4.0, 0.0]}}, "the bits of 'row' must rise or fall throughout"),
        ({"reference": {"tails": [1.5, 0.3, 0.1]}}, "the tails of 'row' must be between 0 and 1"),
        ({"row": {"weight": -0.1}}, "the tails of 'row' must be between 0 and 1"),
        ({"steady": 0.0}, "the steady count positive"),
        ({"steady": -5.0}, "the steady count positive"),
        ({"held_out_count": 0}, "more held-out candidates than counted"),
        ({"held_out_prompts": -1}, "more held-out candidates than counted"),
        ({"held_out": [[None, -0.5, None]]}, "a rate of a held-out candidate is negative"),
    ],
)
def test_a_damaged_file_is_refused(stored: Callable[..., bytes], changes: dict[str, Any], message: str) -> None:
    assert loaded(stored(), name="own.json").held_out == ((math.inf, 0.5, 0.125),)
    with pytest.raises(CalibrationError, match=rf"^own\.json is damaged: .*{message}"):
        loaded(stored(**changes), name="own.json")


def test_the_name_of_a_row_is_escaped_in_messages(stored: Callable[..., bytes]) -> None:
    values = json.loads(stored())
    values["rows"]["\x1b[31m"] = {**values["rows"]["row"], "weight": -2.0}
    with pytest.raises(CalibrationError, match=r"of '\\x1b\[31m' must be between"):
        loaded(json.dumps(values).encode(), name="own.json")


def test_the_families_of_a_ledger_are_those_of_evidence() -> None:
    assert {"text", *BEYOND_TEXT, "intent"} == set(get_args(Family))
