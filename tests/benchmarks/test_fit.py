"""How the fit bounds a row, and which model judges which candidate."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from benchmarks import fit
from benchmarks.fit import FOLDS, _held_out, _kinds_held_out, _stretched
from benchmarks.fit_dumps import Measured
from benchmarks.fit_examples import Example, _population, examples_of
from harvestdetect.judge.ledger import Ledger
from harvestdetect.simulate.evaluate import Planted
from tests.judge.curves import toy_curve


def ledger(*bits: float, weight: float = 0.5) -> Ledger:
    knots = tuple(map(float, range(len(bits))))
    curve = toy_curve(knots, bits, [1 / (1 + k) for k in knots], weight=weight)
    return Ledger(curves={"row": curve}, prior=-1.0, steady=100.0)


def told(found: Ledger) -> list[float]:
    curve = found.curves["row"]
    return [curve.weight * bits for bits in curve.bits]


def test_a_factor_multiplies_bits_and_prior() -> None:
    found = _stretched(ledger(-2.0, 0.0, 4.0), 1.5, 0.0)
    assert told(found) == [-1.5, 0.0, 3.0]
    assert found.prior == -1.5


@pytest.mark.parametrize("unseen", [0.02, 0.05, 0.2])
def test_unseen_innocents_bound_what_a_row_says_for_a_campaign(unseen: float) -> None:
    bits = (-6.0, -1.0, 0.0, 1.0, 4.0, 30.0)
    found = told(_stretched(ledger(*bits), 1.0, unseen))
    assert found[:3] == [-3.0, -0.5, 0.0]
    assert all(a < b for a, b in pairwise(found))
    # seen 4 times as often among campaigns as among the others, of whom a share is unseen
    assert found[4] == pytest.approx(-math.log2((1 - unseen) / 4 + unseen))
    assert found[5] <= -math.log2(unseen)


@pytest.mark.parametrize(
    ("source", "look_alike", "population"),
    [
        ("api", "public-benchmark-2", "public-benchmark"),
        ("adaptive", "framework-1", "framework"),
        ("irc", None, "irc"),
        ("api", None, None),
    ],
)
def test_kinds_of_innocents(source: str, look_alike: str | None, population: str | None) -> None:
    assert _population(source, look_alike) == population


@pytest.mark.parametrize(
    ("accounts", "planted", "innocent"),
    [
        ("aaab", True, False),
        ("aabb", True, False),
        ("abcx", False, False),
        ("axxxxx", False, True),
        ("xxxx", False, True),
    ],
)
def test_a_candidate_of_several_campaigns_is_neither_a_campaign_nor_innocent(
    accounts: str, planted: bool, innocent: bool
) -> None:
    names = [f"{group}{i}" for i, group in enumerate(accounts)]
    truth = [
        Planted(name=group, kind="campaign", what="", accounts=frozenset(n for n in names if n[0] == group))
        for group in "abc"
    ]
    one = {"accounts": names, "evidence": {}, "readings": {}}
    (found,) = examples_of([Measured(name="d", source="api", rows=9, candidates=[one], truth=truth)])
    assert (found.is_planted, found.is_innocent) == (planted, innocent)
    assert found.is_clear == (planted or innocent)


def test_each_candidate_is_judged_once_and_by_a_model_that_has_not_seen_its_like(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def example(dump: int, population: str | None, share: float = 0.0) -> Example:
        return Example(
            values={"x": float(dump)}, accounts=frozenset({f"{dump}-{population}-{share}"}), campaign=None, share=share,
            guilty=share, look_alike=population, population=population, native=False, dump=dump, weight=1.0,
        )  # fmt: skip

    kinds = [None, "class", "framework", "irc"]
    examples = [example(dump, kind) for dump in range(9) for kind in kinds]
    examples += [example(dump, None, share=0.9) for dump in range(9)]
    seen: list[list[Example]] = []

    def fitted(some: list[Example]) -> Ledger:
        seen.append(some)
        return ledger(0.0, 1.0)

    monkeypatch.setattr(fit, "_fitted", fitted)
    folds, kinds_held = _held_out(examples), _kinds_held_out(examples)
    assert (len(folds), len(kinds_held)) == (FOLDS, 3)
    for some, wanted in ((folds, examples), (kinds_held, [e for e in examples if e.population is not None])):
        judged = [e for fold in some for e, held in zip(fold.beside, fold.held, strict=True) if held]
        assert sorted(map(id, judged)) == sorted(map(id, wanted))
    for fold, known in zip([*folds, *kinds_held], seen, strict=True):
        held = [e for e, one in zip(fold.beside, fold.held, strict=True) if one]
        if fold in folds:
            assert not {e.dump for e in held} & {e.dump for e in known}
        else:
            assert not {e.population for e in held} & {e.population for e in known}
        # beside all candidates of their dumps, as in a scan
        assert {id(e) for e in examples if e.dump in {h.dump for h in held}} == {id(e) for e in fold.beside}
