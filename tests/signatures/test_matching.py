"""Signatures of one provider in the traffic of another: found where the campaign is, and nowhere else."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect import Detection, detect, read_dumps
from harvestdetect.data.signatures import SignatureFit
from harvestdetect.errors import SignatureError
from harvestdetect.report import campaigns_jsonl, detection_from_json, detection_json, run_json, signatures_jsonl
from harvestdetect.signatures import Exported, Shared, opened, sealed
from harvestdetect.signatures.cells import fits, similarity
from harvestdetect.signatures.keys import private_key, read_secret
from harvestdetect.signatures.matching import rising
from harvestdetect.signatures.show import fit_sentence
from harvestdetect.signatures.traits import form_fit, list_fit, power_of_two, tempo_fit
from harvestdetect.signatures.values import LENGTHS, SIGNS, Cell, Codebook, Form, ListShape, Tempo
from tests.signatures.conftest import Issuer
from tests.signatures.providers import SETTINGS, lay


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The traffic of another provider, with the same campaign."""
    return lay(tmp_path_factory.mktemp("elsewhere") / "dump.jsonl", 2)


@pytest.fixture(scope="module")
def shared(keyed: tuple[Exported, bytes], plain: tuple[Exported, bytes], issuer: Issuer) -> Shared:
    files = tuple(opened(raw, name=name) for name, (_, raw) in (("keyed", keyed), ("plain", plain)))
    return Shared(files=files, secret=read_secret(issuer.secret))


@pytest.fixture(scope="module")
def without(elsewhere: Path, cache: Path) -> Detection:
    settings = SETTINGS.replace(cache=cache)
    return detect(read_dumps([str(elsewhere)], settings=settings), settings=settings)


@pytest.fixture(scope="module")
def matched(elsewhere: Path, shared: Shared, cache: Path) -> Detection:
    settings = SETTINGS.replace(cache=cache)
    return detect(read_dumps([str(elsewhere)], settings=settings), settings=settings, shared=shared)


def test_the_campaign_is_found_with_other_fillings_and_accounts(matched: Detection) -> None:
    by_template = [fit for fit in matched.signatures if fit.by == "template"]
    assert len(by_template) == 2, "with a secret and without one"
    for fit in by_template:
        finding = next(f for f in matched.findings if f.campaign_id == fit.campaign_id)
        assert {m.account for m in finding.members} == {f"pool-2-{i}" for i in range(40)}
        assert (fit.accounts, fit.prompts, fit.tier) == (40, 480, finding.tier)
        assert fit.found == fit.shingles > 5
        assert fit.words == pytest.approx(1)
        assert fit.order == pytest.approx(1)
        assert min(fit.form, fit.tempo, fit.list_shape) > 0.9
        assert fit.rest < 0.1
        assert fit.members == ()
        assert "40 accounts" in fit_sentence(fit)


def test_signatures_change_no_finding(matched: Detection, without: Detection) -> None:
    assert matched.findings == without.findings
    assert matched.candidates == without.candidates
    assert without.signatures == ()


def test_the_files_without_signatures_are_as_before(without: Detection) -> None:
    assert signatures_jsonl(without) == ""
    for text in (campaigns_jsonl(without), detection_json(without), run_json(without)):
        assert '"signatures"' not in text


def test_the_files_say_what_fits(matched: Detection) -> None:
    assert '"signatures": ["s-' in campaigns_jsonl(matched)
    again = detection_from_json(detection_json(matched))
    assert [replace(f, words=0.0, order=0.0, rest=0.0) for f in again.signatures] == [
        replace(f, words=0.0, order=0.0, rest=0.0) for f in matched.signatures
    ]
    assert len(signatures_jsonl(matched).splitlines()) == len(matched.signatures)


def test_nothing_fits_traffic_without_the_campaign(shared: Shared, tmp_path: Path, cache: Path) -> None:
    dump = lay(tmp_path / "dump.jsonl", 3, campaign=False)
    settings = SETTINGS.replace(cache=cache)
    assert detect(read_dumps([str(dump)], settings=settings), settings=settings, shared=shared).signatures == ()


def test_accounts_that_are_too_few_for_a_finding_are_listed(
    shared: Shared, elsewhere: Path, tmp_path: Path, cache: Path
) -> None:
    names = {f'"pool-2-{i}"' for i in range(7)}
    kept = [
        line
        for line in elsewhere.read_text(encoding="utf-8").splitlines(keepends=True)
        if "pool-" not in line or any(name in line for name in names)
    ]
    dump = tmp_path / "dump.jsonl"
    dump.write_text("".join(kept), encoding="utf-8")
    settings = SETTINGS.replace(cache=cache)
    found = detect(read_dumps([str(dump)], settings=settings), settings=settings, shared=shared)
    assert not found.findings
    assert [(fit.by, fit.campaign_id, fit.tier) for fit in found.signatures] == [("template", None, None)] * 2
    assert found.signatures[0].members == tuple(f"pool-2-{i}" for i in range(7))
    assert "7 accounts in no finding" in fit_sentence(found.signatures[0])


def test_a_wrong_or_missing_secret_is_an_error(shared: Shared, elsewhere: Path, cache: Path) -> None:
    settings = SETTINGS.replace(cache=cache)
    for secret in (None, bytes(32)):
        with pytest.raises(SignatureError, match="keyed was hashed with the shared secret"):
            detect(
                read_dumps([str(elsewhere)], settings=settings), settings=settings,
                shared=Shared(files=shared.files, secret=secret),
            )  # fmt: skip


def test_a_fit_without_the_template_says_so() -> None:
    fit = SignatureFit(
        signature="s-1", issuer="A", by="profile", campaign_id="c-1", tier="review", accounts=30, prompts=80, found=0,
        shingles=57, words=0.0, order=0.0, profile=0.7, form=0.5, tempo=0.4, list_shape=0.3, rest=0.1,
        first_seen=None, last_seen=None,
    )  # fmt: skip
    assert "without its words, alike to 12 % (10 % for the next group)" in fit_sentence(fit)
    assert "with 0 of its 57 shingles: it may be another campaign" in fit_sentence(fit)
    assert "shingle" not in fit_sentence(replace(fit, shingles=0))


def test_a_profile_of_another_model_is_not_compared(
    keyed: tuple[Exported, bytes], issuer: Issuer, elsewhere: Path, cache: Path
) -> None:
    content = keyed[0].content
    other = replace(content, codebook=replace(content.codebook, probe=tuple(-p for p in content.codebook.probe)))
    file = opened(sealed(other, private_key(issuer.key)), name="other")
    settings = SETTINGS.replace(cache=cache)
    found = detect(
        read_dumps([str(elsewhere)], settings=settings), settings=settings,
        shared=Shared(files=(file,), secret=read_secret(issuer.secret)),
    )  # fmt: skip
    assert [fit.by for fit in found.signatures] == ["template"]
    assert math.isnan(found.signatures[0].profile)
    assert '"profile": null' in signatures_jsonl(found)


# ---------------------------------------------------------------- likenesses


def test_codebooks_of_one_model_may_differ_by_rounding() -> None:
    one = Codebook(version=1, cells=4, tokenizer="0" * 64, probe=(10, -20, 30))
    assert fits(one, replace(one, probe=(12, -21, 29)))
    assert not fits(one, replace(one, probe=(10, -20, 90)))
    assert not fits(one, replace(one, probe=(10, -20)))
    assert not fits(one, replace(one, cells=5))
    assert not fits(one, replace(one, tokenizer="1" * 64))


def test_a_profile_is_like_itself_and_unlike_others() -> None:
    usual = np.array([0.5, 0.01, 0.01, 0.01])
    profile = (Cell(cell=0, share=500), Cell(cell=1, share=800))
    assert similarity(profile, np.array([0.5, 0.8, 0, 0]), usual) == pytest.approx(1)
    assert similarity(profile, np.array([0.5, 0, 0.8, 0]), usual) < 0.1, "they share what everybody does"
    assert similarity((), np.array([0.5, 0, 0, 0]), usual) == 0
    assert similarity(profile, np.zeros(4), usual) == 0


@given(st.floats(min_value=0.5, max_value=1e12))
def test_sizes_are_powers_of_two(value: float) -> None:
    rounded = power_of_two(value)
    assert rounded.bit_count() == 1
    assert 2**-0.51 < value / rounded < 2**0.51 or value < 1


def test_small_sizes() -> None:
    assert [power_of_two(value) for value in (0, 0.4, 1, 2, 3, 1000)] == [0, 0, 1, 2, 4, 1024]


@given(st.lists(st.integers(0, 9)))
def test_the_longest_rising_part(values: list[int]) -> None:
    best = [0] * len(values)
    for i, value in enumerate(values):
        best[i] = 1 + max((best[j] for j in range(i) if values[j] < value), default=0)
    assert rising(values) == max(best, default=0)


def test_likenesses_are_one_for_equals_and_fall_with_the_distance() -> None:
    lengths = (*(0,) * 6, 1_000, *(0,) * (LENGTHS - 7))
    form = Form(words=64, parts=1, system=0, lengths=lengths, signs=(500,) * len(SIGNS))
    assert form_fit(form, form) == pytest.approx(1)
    assert form_fit(form, replace(form, signs=(450, *form.signs[1:]))) > 0.99
    assert form_fit(form, replace(form, signs=(1_000, *form.signs[1:]))) < 0.85
    assert form_fit(form, replace(form, signs=(1_000, 0, 1_000, *form.signs[3:]))) < 0.6
    assert form_fit(form, replace(form, lengths=(*lengths[1:], 0))) < 0.6
    assert form_fit(form, replace(form, parts=2)) > form_fit(form, replace(form, parts=4, system=1_000))
    tempo = Tempo(days=8, per_day=32, hours=(125,) * 8)
    assert tempo_fit(tempo, tempo) == 1
    assert tempo_fit(tempo, replace(tempo, hours=(1_000, *(0,) * 7))) < 0.6
    assert math.isnan(tempo_fit(None, tempo))
    dealt = ListShape(each=64, spread=100, repeated=0)
    assert list_fit(dealt, dealt) == 1
    assert list_fit(dealt, ListShape(each=1_024, spread=1_100, repeated=1_000)) == 0
