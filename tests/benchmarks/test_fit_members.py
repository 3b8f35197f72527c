"""The fit of the model of members."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fit_members import chosen_cut, figures, fit, held_out, main, save
from benchmarks.fitting import pooled
from benchmarks.member_cases import Case, cases_of
from harvestdetect.evidence.account_data import account_data_of
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS
from harvestdetect.judge.members_file import model_of
from harvestdetect.simulate.evaluate import Planted
from tests.evidence.two_populations import two_populations


def made(world: str, *, innocents: int, seed: int, tells: int = 2) -> Case:
    """A candidate of thirty members and some innocents, of whom the first readings tell them apart."""
    rng = np.random.default_rng(seed)
    planted = np.arange(30 + innocents) < 30
    values = rng.standard_normal((len(planted), len(ACCOUNT_READINGS)))
    values[planted, :tells] += 3
    values[:, -1] = np.nan
    return Case(world=world, kind="one", planted=planted, left_out=np.zeros(len(planted), bool), readings=values)


CASES = [made(f"api-tuning-{n % 3}", innocents=(0, 3, 15)[n % 3], seed=n) for n in range(30)]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 5)), min_size=1, max_size=30))
def test_pooled_values_rise_and_keep_their_sum(rows: list[tuple[float, float]]) -> None:
    values, weight = (np.array(column) for column in zip(*rows, strict=True))
    found = pooled(values, weight)
    assert (np.diff(found) >= -1e-12).all()
    assert (found * weight).sum() == pytest.approx((values * weight).sum())
    assert np.allclose(pooled(np.sort(values), weight), np.sort(values))


def test_the_fit_finds_what_tells_members_apart() -> None:
    model = fit(CASES)
    weighted = [curve.weight * np.ptp(curve.bits) for curve in model.curves]
    assert min(weighted[:2]) > 2 * max(weighted[2:])
    assert weighted[-1] == 0  # never known
    found = figures(CASES, [model.posterior(model.bits(case.readings)) for case in CASES], 0.5)
    assert found["precision"] > found["precision_before"]
    assert found["precision"] > 0.95
    assert found["recall"] > 0.95


def test_accounts_of_other_campaigns_decide_nothing() -> None:
    mixed = [replace(case, left_out=~case.planted) for case in CASES[1:3]]
    other = [replace(case, readings=np.where(case.left_out[:, None], 99.0, case.readings)) for case in mixed]
    one, two = fit([*CASES, *mixed]), fit([*CASES, *other])
    assert (one.prior, one.offset) == (two.prior, two.offset)
    assert [curve.weight for curve in one.curves] == [curve.weight for curve in two.curves]


def test_the_held_out_worlds_are_not_seen() -> None:
    posteriors = held_out(CASES)
    spoilt = [c if c.world.endswith("0") else replace(c, planted=~c.planted) for c in CASES]
    assert [len(p) for p in posteriors] == [len(c.planted) for c in CASES]
    for one, other, case in zip(posteriors, held_out(spoilt), CASES, strict=True):
        if case.world.endswith("0"):
            assert not np.allclose(one, other)


def test_the_file_is_what_the_package_reads_whatever_the_order(tmp_path: Path) -> None:
    table = save(CASES, tmp_path / "one.json", "a command")
    save(CASES[::3] + CASES[1::3] + CASES[2::3], tmp_path / "two.json", "a command")
    one, two = ((tmp_path / name).read_text(encoding="ascii") for name in ("one.json", "two.json"))
    assert one == two
    assert json.loads(one) == table
    model = model_of(one)
    assert model.cut == table["cut"]
    assert table["held_out"]["recommended"]["precision"] >= 0.98
    assert (table["cases"], table["worlds"]) == (30, ["api-tuning-0", "api-tuning-1", "api-tuning-2"])


def test_the_cut_loses_few_members() -> None:
    """Where members and innocents are hardly told apart, the wanted precision would cost too many."""
    hard = [made(f"api-tuning-{n % 3}", innocents=15, seed=n, tells=1) for n in range(30)]
    hard = [replace(c, readings=np.where(c.planted[:, None], c.readings - 1.8, c.readings)) for c in hard]
    posteriors = held_out(hard)
    cut = chosen_cut(hard, posteriors)
    found = figures(hard, posteriors, cut)
    assert found["precision"] < 0.98
    assert found["recall"] >= 0.95 or cut == 0.5
    if cut < 0.99:
        assert figures(hard, posteriors, cut + 0.01)["recall"] < 0.95


def test_a_case_is_a_candidate_that_is_mostly_one_campaign() -> None:
    parts = two_populations()
    data = account_data_of(parts.scan, parts.kin)
    ids = parts.scan.corpus.prompts.accounts.to_pylist()

    def group(name: str, numbers: np.ndarray[tuple[int], np.dtype[np.int32]], kind: str = "campaign") -> Planted:
        return Planted(name=name, kind=kind, what="", accounts=frozenset(ids[i] for i in numbers))  # type: ignore[arg-type]

    truth = [
        group("big", parts.members),
        group("small", parts.innocents[:5]),
        group("class", parts.innocents[5:], "look-alike"),
    ]
    found = cases_of([parts.campaign, parts.only(parts.innocents)], data, truth, ids=ids, world="w-tuning-1")
    assert [case.kind for case in found] == ["big"]
    assert np.flatnonzero(found[0].planted).tolist() == parts.members.tolist()
    assert np.flatnonzero(found[0].left_out).tolist() == parts.innocents[:5].tolist()
    assert cases_of([parts.campaign], data, truth[2:], ids=ids, world="w") == []


def test_bad_options_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for options, why in (
        (["--world", "moon", "--seeds", "1", "2"], "--world knows api, adaptive"),
        (["--world", "api", "--seeds", "1"], "two worlds or seeds are needed"),
        (["--seeds", "1", "2", "--data", str(tmp_path)], "lacks"),
        (["--seeds", "1", "2", "--designs", "a,z"], "--designs knows a, b, c"),
    ):
        with pytest.raises(SystemExit):
            main([*options, "--out", str(tmp_path / "x.json")])
        assert why in capsys.readouterr().err
