"""The model of members, its file, and how accounts of a finding are parted."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.accounts.kin import Kin
from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.data import NO_TIME
from harvestdetect.errors import InputError
from harvestdetect.evidence.account_data import account_data_of
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS, account_readings
from harvestdetect.judge.member_model import MOST_BITS, MemberCurve, MemberModel, mixture
from harvestdetect.judge.members import Memberships, with_members
from harvestdetect.judge.members_file import model_digest, model_of, shipped_member_model
from harvestdetect.judge.resolve import Judged
from tests.evidence.two_populations import Parts, two_populations

TEXT = files("harvestdetect.judge").joinpath("members.json").read_text(encoding="utf-8")


def changed(**values: Any) -> str:
    """The shipped file with other values and the digest that fits them."""
    table = json.loads(TEXT) | values
    return json.dumps(table | {"digest": model_digest(table)})


# ---------------------------------------------------------------- the file


def test_the_shipped_file_holds_a_curve_for_each_reading_and_a_promise() -> None:
    model, table = shipped_member_model(), json.loads(TEXT)
    assert [curve.id for curve in model.curves] == [reading.id for reading in ACCOUNT_READINGS]
    assert len({reading.id for reading in ACCOUNT_READINGS}) == len(ACCOUNT_READINGS)
    assert MIN_MEMBERSHIP <= model.cut < 1
    assert table["held_out"]["recommended"]["precision"] >= 0.965
    assert table["held_out"]["recommended"]["recall"] >= 0.95
    assert table["held_out"]["recommended"]["precision"] > table["held_out"]["recommended"]["precision_before"]
    assert "benchmarks.fit_members" in table["command"]
    assert all("tuning" in world for world in table["worlds"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no JSON"),
        ("[]", "its format is not"),
        (TEXT[: len(TEXT) // 2], "it is no JSON"),
        (TEXT.replace('"cut": 0.', '"cut": 0.9'), "its digest is not that of its table"),
        (json.dumps(json.loads(TEXT) | {"version": 9}), "its version is 9, not 1"),
        (changed(curves=[]), "its curves are not those of the readings"),
        (changed(curves={}), "its curves are not those of the readings"),
        (changed(curves=json.loads(TEXT)["curves"][::-1]), "its curves are not those of the readings"),
        (changed(prior=[1.0]), "prior must be two positive numbers"),
        (changed(prior=[1.0, 0.0]), "prior must be two positive numbers"),
        (changed(prior="two"), "prior must be numbers"),
        (changed(offset=None), "offset and cut must be numbers"),
        (changed(offset=True), "offset and cut must be numbers"),
        (changed(cut=0.2), "cut a membership"),
        (changed(cut=1), "cut a membership"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(InputError, match=r"^here is damaged: .*; install the package again$") as raised:
        model_of(text, name="here")
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("at", [0.0, 0.0], "must rise"),
        ("bits", [1.0, -1.0], "must rise"),
        ("bits", [0.0, MOST_BITS + 1], "must rise, within 4 bits"),
        ("bits", [0.0], "as many values as bits"),
        ("weight", -0.1, "a weight of 0 or more"),
        ("weight", "1", "must be numbers"),
        ("at", [0.0, float("nan")], "must be finite"),
    ],
)
def test_a_curve_that_is_none_is_refused(column: str, value: Any, why: str) -> None:
    curves = json.loads(TEXT)["curves"]
    curves[2] |= {"at": [0.0, 1.0], "bits": [-1.0, 1.0]} | {column: value}
    with pytest.raises(InputError, match=why) as raised:
        model_of(changed(curves=curves))
    assert f"the curve of {ACCOUNT_READINGS[2].id}" in str(raised.value)


# ---------------------------------------------------------------- bits and posterior


def test_a_curve_is_linear_between_its_points_and_constant_beyond() -> None:
    curve = MemberCurve(id="x", weight=2.0, at=np.array([0.0, 2.0]), bits=np.array([-1.0, 1.0]))
    found = curve.of(np.array([-9.0, 0.0, 1.5, 2.0, 9.0, np.nan]))
    assert found.tolist() == [-2.0, -2.0, 1.0, 2.0, 2.0, 0.0]


@given(st.lists(st.floats(-600, 600), min_size=1, max_size=30), st.floats(0.1, 20), st.floats(0.1, 20))
def test_the_posterior_is_a_probability_and_rises_with_the_bits(
    bits: list[float], members: float, innocents: float
) -> None:
    order = np.argsort(np.array(bits))
    found = mixture(np.array(bits), (members, innocents))
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found[order]) >= 0).all()


def test_the_share_of_members_is_that_of_the_candidate() -> None:
    doubtful = -2.0
    among_members = mixture(np.array([doubtful] + [6.0] * 40), (9.5, 0.5))[0]
    among_innocents = mixture(np.array([doubtful] + [6.0] * 20 + [-6.0] * 20), (9.5, 0.5))[0]
    assert among_members > 0.5 > among_innocents


def test_what_speaks_for_and_against_is_told_with_its_bits() -> None:
    bits = np.zeros((2, len(ACCOUNT_READINGS)))
    bits[1, :5] = [-0.9, 1.2, -2.0, -3.04, 4.0]
    told = Memberships(accounts=np.array([4, 7], np.int32), bits=bits, cut=0.9)
    assert told.knows(7)
    assert not told.knows(5)
    assert not told.knows(9)
    assert told.clauses(4, against=True) == told.clauses(4, against=False) == []
    assert told.clauses(7, against=True) == [
        f"{ACCOUNT_READINGS[3].innocent} (-3.0 bits)",
        f"{ACCOUNT_READINGS[2].innocent} (-2.0 bits)",
    ]
    assert told.clauses(7, against=False) == [
        f"{ACCOUNT_READINGS[4].member} (+4.0 bits)",
        f"{ACCOUNT_READINGS[1].member} (+1.2 bits)",
    ]


# ---------------------------------------------------------------- parting a candidate


@pytest.fixture(scope="module")
def parts() -> Parts:
    return two_populations()


def parted(parts: Parts, *, tier: str | None = "review", min_accounts: int = 10) -> tuple[Judged, Any]:
    judged: Any = Judged(
        campaigns=[parts.campaign], measured=[], judgements=[SimpleNamespace(tier=tier)]  # type: ignore[list-item]
    )  # fmt: skip
    return with_members(
        judged, account_data_of(parts.scan, parts.kin), shipped_member_model(), min_accounts=min_accounts
    )


def test_accounts_with_data_of_their_own_leave_a_finding(parts: Parts) -> None:
    judged, (evidence,) = parted(parts)
    one = judged.campaigns[0]
    assert np.isin(one.accounts, parts.members).mean() > 0.95
    assert np.isin(parts.members, one.accounts).mean() > 0.9
    assert np.isin(one.outside, parts.innocents).mean() > 0.9
    assert (one.membership >= MIN_MEMBERSHIP).all()
    assert (one.outside_membership < MIN_MEMBERSHIP).all()
    assert sorted([*one.accounts, *one.outside]) == parts.campaign.accounts.tolist()
    assert one.harvest_prompts.sum() == len(one.prompts)
    assert np.isin(parts.scan.corpus.prompts.account[one.prompts], one.accounts).all()
    gone = int(one.outside[0])
    assert any("data of its own" in clause for clause in evidence.clauses(gone, against=True))


def test_candidates_that_are_no_findings_stay_as_they_are(parts: Parts) -> None:
    judged, evidence = parted(parts, tier=None)
    assert judged.campaigns[0] is parts.campaign
    assert evidence == [None]


def test_a_finding_keeps_its_accounts_if_too_few_would_remain(parts: Parts) -> None:
    judged, _ = parted(parts, min_accounts=len(parts.campaign.accounts))
    assert judged.campaigns[0].accounts.tolist() == parts.campaign.accounts.tolist()


def test_a_chain_keeps_its_accounts(parts: Parts) -> None:
    whole = replace(parts.campaign, ways=("accounts", "succession"))
    judged, _ = parted(replace(parts, campaign=whole))
    assert judged.campaigns[0].accounts.tolist() == whole.accounts.tolist()
    assert (judged.campaigns[0].membership < MIN_MEMBERSHIP).any()


def test_a_finding_whose_accounts_are_all_alike_keeps_them(parts: Parts) -> None:
    alone = parts.only(parts.members)
    judged, _ = parted(replace(parts, campaign=alone))
    assert len(judged.campaigns[0].accounts) >= 0.95 * len(alone.accounts)


def test_the_model_of_no_knowledge_tells_nobody_apart(parts: Parts) -> None:
    data = account_data_of(parts.scan, Kin())
    flat = MemberModel(
        curves=tuple(replace(curve, weight=0.0) for curve in shipped_member_model().curves),
        offset=0.0,
        prior=(9.0, 1.0),
        cut=0.9,
    )
    readings = account_readings(parts.campaign, np.ones(len(parts.campaign.accounts)), data)
    found = flat.posterior(flat.bits(readings))
    assert np.ptp(found) == 0
    assert found[0] == pytest.approx(0.9, abs=1e-3)


def test_a_scan_without_times_and_fields_has_memberships(parts: Parts) -> None:
    prompts = parts.scan.corpus.prompts
    bare = replace(prompts, time=np.full_like(prompts.time, NO_TIME), created_at=np.full_like(prompts.time, NO_TIME))
    scan: Any = SimpleNamespace(
        corpus=SimpleNamespace(prompts=bare),
        vectors=parts.scan.vectors,
        fields=SimpleNamespace(fields={}, first=None, accounts=len(prompts.accounts)),
    )
    judged, _ = parted(replace(parts, scan=scan, kin=Kin()))
    found = judged.campaigns[0]
    assert np.isfinite(found.membership).all()
    assert np.isin(found.outside, parts.innocents).mean() > 0.8


def test_the_guide_names_the_cut_of_the_file() -> None:
    guide = Path(__file__).resolve().parents[2] / "docs" / "usage.md"
    assert f"`recommended` if its membership is at least {shipped_member_model().cut:g} and" in guide.read_text(
        encoding="utf-8"
    )
