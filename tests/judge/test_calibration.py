"""Calibration on benign traffic: valid p-values, a file that round-trips, errors that say what is wrong."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harvestdetect.calibration
from harvestdetect import __version__
from harvestdetect.cli.main import main
from harvestdetect.context import Context
from harvestdetect.data import PROMPT_SCHEMA, TIERS, BenignExplanation, Detection, Evidence, Family, SourceFile, Tier
from harvestdetect.errors import CalibrationError, OutputError, SettingsError
from harvestdetect.evidence.legacy import EXPLANATION_IDS, MEASURE_IDS
from harvestdetect.evidence.measures import deciding
from harvestdetect.judge.calibration import (
    CONFIDENCE,
    MATTERS,
    TAIL,
    Calibration,
    Half,
    calibrated,
    calibrated_p,
    check_calibration,
    expected_findings,
    fit_calibration,
    fit_measure,
    half_of,
    summary,
)
from harvestdetect.judge.calibration_file import VERSION, load_calibration, save_calibration
from harvestdetect.judge.triage import judge
from harvestdetect.pipeline import Scan
from harvestdetect.settings import Settings, load_settings
from harvestdetect.util.files import file_digest

pytestmark = pytest.mark.usefixtures("loaded_once")

P_VALUES = st.one_of(st.floats(0, 1), st.floats(0, 320).map(lambda x: 10.0**-x))
DECIDING = {"structure": ("even_load",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    evidence: tuple[Evidence, ...]
    benign: tuple[BenignExplanation, ...] = ()
    templated: bool = True


def evidence(name: str, family: Family, p_value: float) -> Evidence:
    return Evidence(
        id=name,
        name=f"the {name}",
        family=family,
        value=1.0,
        null="chance",
        expected=0.0,
        p_value=p_value,
        sentence="A sentence.",
    )


def weighed(cap: Tier | None = None, templated: bool = True, **families: float) -> Weighed:
    names = {"structure": "even_load", "time": "flat_day", "text": "rigid_wording"}
    fits = BenignExplanation(
        id="reading", name="a reading", verdict="fits", statistic=1.0, sentence="A sentence.", caps=cap
    )
    measures: list[tuple[Family, float]] = [(f, families[f]) for f in ("structure", "time", "text") if f in families]
    return Weighed(
        evidence=tuple(evidence(names[family], family, p) for family, p in measures),
        benign=(fits,) if cap else (),
        templated=templated,
    )


def detection(prompts: int = 1000, name: str = "benign.jsonl") -> Detection:
    file = SourceFile(name=name, format="jsonl", bytes=10, sha256="ab" * 32, rows=prompts, rejects=0)
    counts = {"prompts": prompts, "accounts": 50, "files": 1, "rejects": 0, "first_seen": 5, "last_seen": 9}
    return Detection(
        findings=(),
        rejects=(),
        counts=counts,
        settings={},
        models={"wording": "d1"},
        versions={"harvestdetect": __version__, "numpy": "2"},
        files=(file,),
        stages=(),
    )


def fitted(
    candidates: Sequence[Weighed], halves: Sequence[Half] | None = None, options: Settings | None = None
) -> Calibration:
    return fit_calibration(
        detection(),
        candidates,
        halves or [Half(candidates=candidates[::2], prompts=400), Half(candidates=candidates[1::2], prompts=600)],
        settings=options or Settings(encoder="fast"),
        deciding=DECIDING,
        created="2026-11-20T10:00:00+00:00",
    )


def uniform(count: int, seed: int = 0) -> list[Weighed]:
    rng = np.random.default_rng(seed)
    return [
        weighed(structure=float(rng.random()), time=float(rng.random()), text=float(rng.random())) for _ in range(count)
    ]


# ---------------------------------------------------------------- p-values


@pytest.mark.parametrize("count", [20, 60, 250])
@pytest.mark.parametrize("power", [0.2, 1.0, 3.0])
def test_p_values_are_valid_where_candidates_are_alike(count: int, power: float) -> None:
    """Own p-values are ``u ** power``: too small by far for 3, too large for 0.2. Calibrated, both are right."""
    rng = np.random.default_rng(count)
    times = 1500
    found = np.empty(times)
    for i in range(times):
        drawn = rng.random(count + 1) ** power
        found[i] = calibrated_p(fit_measure(drawn[1:].tolist()), float(drawn[0]))[0]
    for level in (0.5, 0.2, 0.05, 0.02, 0.005):
        share = (found <= level).mean()
        error = math.sqrt(level * (1 - level) / times)
        assert share <= level + 3 * error, level
        if power >= 1:  # as sure as it can be, not only safe
            assert share >= level - 4 * error - 1.5 / (count + 1), level


def test_beyond_the_benign_candidates_the_tail_is_valid_too() -> None:
    rng = np.random.default_rng(1)
    times, count, power = 40_000, 30, 2.0
    drawn = rng.random((times // 40, count)) ** power
    new = rng.random((times // 40, 40)) ** power
    found = np.array(
        [
            calibrated_p(measure, p)[0]
            for measure, several in zip((fit_measure(d.tolist()) for d in drawn), new.tolist(), strict=True)
            for p in several
        ]
    )
    for level in (0.01, 0.003, 0.001):  # all below 1 / 31
        assert (found <= level).mean() <= level * 1.6
        assert (found <= level).mean() >= level * 0.4


@given(st.lists(P_VALUES, min_size=1, max_size=30), st.lists(P_VALUES, min_size=2, max_size=12))
@settings(max_examples=300, deadline=None)
def test_calibration_is_monotone_and_a_p_value(benign: list[float], p_values: list[float]) -> None:
    measure = fit_measure(benign)
    found = [calibrated_p(measure, p)[0] for p in sorted(p_values)]
    assert all(0 <= p <= 1 for p in found)
    assert all(a <= b * (1 + 1e-12) for a, b in pairwise(found))


@pytest.mark.parametrize("count", [10 * TAIL - 1, 10 * TAIL, 400])
def test_large_calibrations_are_monotone_as_well(count: int) -> None:
    rng = np.random.default_rng(count)
    for power in (0.1, 1.0, 4.0):
        measure = fit_measure((rng.random(count) ** power).tolist())
        found = [calibrated_p(measure, float(p))[0] for p in 10.0 ** np.linspace(-300, 0, 2000)]
        assert all(a <= b for a, b in pairwise(found))


@given(st.lists(P_VALUES, min_size=1, max_size=60), P_VALUES)
@settings(max_examples=300, deadline=None)
def test_few_benign_candidates_never_make_a_p_value_smaller(benign: list[float], p_value: float) -> None:
    assert len(benign) < 10 * TAIL
    assert calibrated_p(fit_measure(benign), p_value)[0] >= p_value


def test_many_benign_candidates_may_show_a_p_value_to_be_too_large() -> None:
    rng = np.random.default_rng(3)
    large = (rng.random(10 * TAIL) ** 0.1).tolist()  # hardly any below a half
    assert calibrated_p(fit_measure(large), 0.5)[0] < 0.05
    assert calibrated_p(fit_measure(large[1:]), 0.5)[0] == 0.5
    assert calibrated_p(fit_measure(large), 1e-9) == (pytest.approx(1e-9, rel=10), True)
    assert calibrated_p(fit_measure(large), 1e-9)[0] >= 1e-9


def test_the_rank_among_benign_candidates() -> None:
    measure = fit_measure([i / 1000 for i in range(1, 1000)])
    assert calibrated_p(measure, 0.25) == (pytest.approx(251 / 1000), False)
    assert calibrated_p(measure, 0.001) == (pytest.approx(2 / 1000), False)
    p_value, extrapolated = calibrated_p(measure, 0.0005)
    assert extrapolated
    assert p_value < 1 / 1000


@pytest.mark.parametrize("count", [200, 1000, 4000])
def test_where_the_benign_candidates_agree_nothing_changes(count: int) -> None:
    measure = fit_measure(((np.arange(count) + 0.5) / count).tolist())
    for p_value in (0.9, 0.3, 0.05, 2 / count):
        assert calibrated_p(measure, p_value)[0] == pytest.approx(p_value, rel=1.5 / (p_value * count))
    for decades in (4, 6, 9):  # extrapolated: the less was seen, the more careful
        p_value = 10.0**-decades
        found = calibrated_p(measure, p_value)[0]
        assert p_value <= found <= p_value * 10 ** (decades * 4.6 / (count / 10) ** 0.5)


def test_too_narrow_a_null_is_made_up_for() -> None:
    rng = np.random.default_rng(4)
    narrow = (rng.random(300) ** 5).tolist()
    found = calibrated_p(fit_measure(narrow), 1e-10)[0]  # a hundredth, were the power known
    assert 2e-3 < found < 5e-2


@pytest.mark.parametrize("count", [1, 5, 15])
def test_a_few_benign_candidates_count_beside_the_own_null(count: int) -> None:
    alike, extreme = [math.exp(-1)] * count, [1e-12] * count
    assert 1e-9 <= calibrated_p(fit_measure(alike), 1e-9)[0] < 1e-4
    assert calibrated_p(fit_measure(extreme), 1e-13)[0] > calibrated_p(fit_measure(alike), 1e-13)[0]
    assert calibrated_p(fit_measure(extreme), 1e-12)[0] >= (count + 1) / (count + 1)
    assert count < TAIL


def test_equal_p_values_everywhere() -> None:
    for count in (1, 19, 20, 300):
        measure = fit_measure([1.0] * count)
        assert calibrated_p(measure, 1.0)[0] == 1
        assert calibrated_p(measure, 1e-5)[0] >= 1e-5
    assert calibrated_p(fit_measure([0.0] * 50), 0.0)[0] == 1


FAR: tuple[tuple[str, Family, float], ...] = (
    ("even_load", "structure", 0.2),
    ("new measure", "time", 0.2),
    ("flat_day", "time", 1e-20),
)


def test_evidence_takes_the_calibrated_p_value_and_says_so() -> None:
    found = fitted(uniform(300))
    items = [evidence(*of) for of in FAR]
    first, second, third = calibrated(found, items)
    assert first.p_value == calibrated_p(found.measures["even_load"], 0.2)[0]
    assert first.null == "chance; calibrated on 300 benign candidates"
    assert second == items[1]
    assert third.null == "chance; calibrated on 300 benign candidates, beyond them all: extrapolated"
    assert replace(first, p_value=0.2, null="chance") == items[0]
    assert calibrated(found, []) == []


# ---------------------------------------------------------------- fitting


def test_fitting_collects_every_measure_of_every_candidate() -> None:
    candidates = [weighed(structure=0.5), weighed(structure=0.1, time=0.7), weighed(text=1e-310)]
    found = fitted(candidates)
    assert {n: m.p_values for n, m in found.measures.items()} == {
        "even_load": (0.1, 0.5),
        "flat_day": (0.7,),
        "rigid_wording": (1e-300,),
    }
    counts = {"prompts": 1000, "accounts": 50, "first_seen": 5, "last_seen": 9}
    assert found.counts == {"candidates": 3, "calibrating": 3, **counts}
    assert found.files == (("benign.jsonl", "ab" * 32),)
    assert set(found.settings) == set(MATTERS)
    assert found.held_out_prompts == 1000
    assert len(found.held_out) == 3


def test_candidates_that_are_held_down_to_watch_are_not_learnt_from() -> None:
    candidates = [weighed(structure=0.5), weighed(structure=1e-9, cap="watch"), weighed(structure=0.2, cap="review")]
    found = fitted(candidates)
    assert found.measures["even_load"].p_values == (0.2, 0.5)
    assert (found.counts["candidates"], found.counts["calibrating"]) == (3, 2)
    assert len(found.held_out) == 3
    assert "2 candidates are few" in summary(found, fdr=0.01)
    assert "few" not in summary(fitted(uniform(TAIL)), fdr=0.01)


def test_a_benign_dump_without_candidates() -> None:
    found = fitted([])
    assert found.measures == {}
    item = evidence("even_load", "structure", 0.3)
    assert calibrated(found, [item]) == [item]
    rates = expected_findings(found, prompts=1000, fdr=0.01)
    assert {t: (r.found, r.expected) for t, r in rates.items()} == dict.fromkeys(TIERS, (0, 0.0))
    assert rates["urgent"].at_most == pytest.approx(-math.log(1 - CONFIDENCE))
    assert summary(found, fdr=0.01).splitlines()[2].startswith("urgent: 0 findings per 100,000 benign prompts")
    assert "e+" not in summary(found, fdr=0.01)


def test_the_rate_is_of_each_half_calibrated_on_the_other() -> None:
    """What one half shows to be usual is no finding in the other."""
    strange = [weighed(structure=1e-9) for _ in range(40)]
    both = [Half(candidates=strange, prompts=500), Half(candidates=strange, prompts=500)]
    assert expected_findings(fitted(strange, both), prompts=1000, fdr=0.01)["review"].found == 0
    alone = [Half(candidates=strange, prompts=500), Half(candidates=uniform(40), prompts=500)]
    assert expected_findings(fitted(strange, alone), prompts=1000, fdr=0.01)["review"].found == 40


def test_rates_by_tier_cut_and_size() -> None:
    one = Half(
        candidates=[weighed(structure=1e-12, time=1e-12), weighed(structure=1e-12, time=1e-12, cap="watch")],
        prompts=30_000,
    )
    found = fitted([], [one, Half(candidates=[], prompts=20_000)])
    rates = expected_findings(found, prompts=100_000, fdr=0.01)
    assert {t: (r.found, r.expected) for t, r in rates.items()} == {
        "urgent": (1, 2.0),
        "review": (0, 0.0),
        "watch": (1, 2.0),
    }
    assert rates["urgent"].at_most > rates["urgent"].expected
    assert expected_findings(found, prompts=100_000, fdr=1e-13)["urgent"].found == 0
    assert expected_findings(replace(found, held_out_prompts=0), prompts=5, fdr=0.01) == {}


@given(st.lists(st.text(min_size=1, max_size=6), max_size=30))
@settings(max_examples=60, deadline=None)
def test_halves_split_the_accounts(names: list[str]) -> None:
    from harvestdetect.data import Batch, Prompt
    from harvestdetect.dump import batches_of

    batches: list[Batch] = list(batches_of([Prompt(account=name, prompt="hello") for name in names]))
    parts = [[a for b in half_of(batches, half) for a in b.prompts.column("account").to_pylist()] for half in (0, 1)]
    whole = [a for b in batches for a in b.prompts.column("account").to_pylist()]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert not set(parts[0]) & set(parts[1])
    assert all(b.prompts.schema == PROMPT_SCHEMA for b in half_of(batches, 0))


def test_halves_are_about_halves_and_keep_what_else_a_batch_holds() -> None:
    from harvestdetect.data import Prompt
    from harvestdetect.dump import batches_of

    (batch,) = batches_of([Prompt(account=f"a{i}", prompt="x") for i in range(2000)])
    file = detection().files
    first, second = (next(half_of([replace(batch, files=file)], half)) for half in (0, 1))
    assert 850 < len(first.prompts) < 1150
    assert len(first.prompts) + len(second.prompts) == 2000
    assert first.files == second.files == file
    assert isinstance(first.prompts, pa.RecordBatch)


# ---------------------------------------------------------------- the file


@given(
    st.lists(
        st.builds(
            weighed,
            structure=P_VALUES,
            time=P_VALUES,
            cap=st.sampled_from([None, "review", "watch"]),
            templated=st.booleans(),
        ),
        max_size=25,
    ),
    st.text(max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_a_calibration_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, candidates: list[Weighed], name: str
) -> None:
    file = tmp_path_factory.mktemp("calibration") / "benign.json"
    found = replace(fitted(candidates), files=((name, "ab" * 32),))
    save_calibration(found, file)
    first = file.read_bytes()
    assert first.isascii()
    assert first.endswith(b"}\n")
    assert load_calibration(file) == found
    assert load_calibration(file).sha256 == file_digest(file)
    save_calibration(load_calibration(file), file)
    assert file.read_bytes() == first
    assert [f.name for f in file.parent.iterdir()] == [file.name]


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Path]:
    """Writes the file of a calibration with some of its values changed, or other text."""

    def write(text: str | None = None, **changes: Any) -> Path:
        file = tmp_path / "benign.json"
        save_calibration(fitted(uniform(30)), file)
        if text is None:
            values = json.loads(file.read_text())
            values.update(changes)
            text = json.dumps({k: v for k, v in values.items() if v is not ...})
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize("text", ["", "{", "\x00", '{"format": "harvestdetect-calibration"', "[" * 100_000, "NaN"])
def test_what_is_not_json_is_named(stored: Callable[..., Path], text: str) -> None:
    file = stored(text)
    with pytest.raises(CalibrationError, match=r"is not valid JSON|is no calibration") as raised:
        load_calibration(file)
    assert str(file) in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"format": "other", "version": 1}', '"a text"'])
def test_other_json_is_no_calibration(stored: Callable[..., Path], text: str) -> None:
    with pytest.raises(CalibrationError, match="is no calibration; make one with harvestdetect calibrate"):
        load_calibration(stored(text))


@pytest.mark.parametrize("version", [0, VERSION + 1, "1", None, 1.5, True])
def test_another_version_of_the_file_is_refused(stored: Callable[..., Path], version: Any) -> None:
    with pytest.raises(
        CalibrationError, match=rf"is of version {version!r}, this harvestdetect reads 1 and {VERSION};"
    ):
        load_calibration(stored(version=version))


@pytest.mark.parametrize(
    "changes",
    [
        {"measures": ...},
        {"measures": []},
        {"measures": {"even_load": "0.5"}},
        {"measures": {"even_load": []}},
        {"measures": {"even_load": [0.5, 0.1]}},
        {"measures": {"even_load": [0.0, 0.1]}},
        {"measures": {"even_load": [-0.5]}},
        {"measures": {"even_load": [0.5, 1.5]}},
        {"measures": {"even_load": [None]}},
        {"held_out": ...},
        {"held_out": [[0.1, 0.2]]},
        {"held_out": [[0.1, 0.2, "0.3"]]},
        {"held_out": [[-0.1, 0.2, 0.3]]},
        {"held_out_prompts": -1},
        {"held_out_prompts": 1.5},
        {"counts": {"prompts": "many"}},
        {"files": [["name"]]},
        {"settings": {"k": [1]}},
        {"models": {"wording": 3}},
        {"versions": 3},
        {"created": 3},
    ],
)
def test_a_damaged_file_is_refused(stored: Callable[..., Path], changes: Mapping[str, Any]) -> None:
    with pytest.raises(CalibrationError, match="is damaged: "):
        load_calibration(stored(**changes))


def test_a_file_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"cannot read the calibration .*: No such file"):
        load_calibration(tmp_path / "none.json")
    with pytest.raises(CalibrationError, match=r"cannot read the calibration .*: Is a directory"):
        load_calibration(tmp_path)
    with pytest.raises(OutputError, match="cannot write the calibration"):
        save_calibration(fitted([]), tmp_path / "none" / "benign.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write the calibration"):
        save_calibration(fitted([]), tmp_path / "folder")
    assert [f.name for f in tmp_path.iterdir()] == ["folder"]


# ---------------------------------------------------------------- whether it fits the scan


def test_a_scan_of_the_same_kind_may_use_it() -> None:
    own = Settings(encoder="fast", seed=1)
    found = fitted([], options=own)
    other = own.replace(seed=7, fdr=0.05, threads=2)
    check_calibration(found, settings=other, version=__version__)
    check_calibration(found, settings=other, version=__version__, models={"wording": "d1", "meaning": "d9"})


CHANGED = {
    "encoder": "full",
    "find_preambles": False,
    "segment_characters": 500,
    "max_windows": 2,
    "k": 40,
    "min_samples": 4,
    "min_cluster_size": 9,
    "distance_floor": 0.2,
    "distance_cap": 0.8,
    "selection": "leaf",
    "min_accounts": 12,
    "max_account_share": 0.5,
    "link_log_p": -20.0,
}


@pytest.mark.parametrize("name", [name for name in MATTERS if name != "registry"])
def test_a_scan_with_other_settings_may_not(name: str) -> None:
    own = Settings(encoder="fast")
    message = rf"^the calibration was made with {name} = .*, this scan has {CHANGED[name]!r}; make it again, or scan"
    with pytest.raises(CalibrationError, match=message):
        check_calibration(fitted([], options=own), settings=own.replace(**{name: CHANGED[name]}), version=__version__)


def test_a_calibration_of_a_version_without_preambles_fits_any_scan() -> None:
    own = Settings(encoder="fast")
    made = fitted([], options=own)
    older = replace(made, settings={name: value for name, value in made.settings.items() if name != "find_preambles"})
    for scanned in (own, own.replace(find_preambles=False)):
        check_calibration(older, settings=scanned, version=__version__)


ENTRY = """[[entry]]
id = "own"
kind = "scaffold"
text = "{}"
owner = "trust team"
expires = {}
"""


def test_nor_one_that_takes_other_scaffolds_out(tmp_path: Path) -> None:
    """What counts are the entries, not the file that holds them nor what it says beside them."""
    own, same = tmp_path / "own.toml", tmp_path / "same.toml"
    own.write_text(ENTRY.format("the words of our own product", "9999-12-31"))
    same.write_text("# moved\n" + ENTRY.format("the words of our own product", "9999-12-30"))
    shipped = Settings(encoder="fast")
    mine, none = shipped.replace(registry=own), shipped.replace(use_registry=False)
    for made in (shipped, mine, none):
        for scanned in (shipped, mine, none):
            if made == scanned:
                check_calibration(fitted([], options=made), settings=scanned, version=__version__)
                continue
            with pytest.raises(CalibrationError, match=r"made with registry = .*, or scan with the same registry$"):
                check_calibration(fitted([], options=made), settings=scanned, version=__version__)
    found = fitted([], options=mine)
    check_calibration(found, settings=shipped.replace(registry=same), version=__version__)
    check_calibration(fitted([], options=none), settings=none.replace(registry=own), version=__version__)
    own.write_text(ENTRY.format("other words of our own product", "9999-12-31"))
    with pytest.raises(CalibrationError, match="made with registry = "):
        check_calibration(found, settings=mine, version=__version__)
    own.write_text(ENTRY.format("the words of our own product", "2001-01-01"))
    with pytest.raises(CalibrationError, match="made with registry = "):
        check_calibration(found, settings=mine, version=__version__)
    check_calibration(fitted([], options=shipped), settings=mine, version=__version__)


def test_nor_one_with_another_model_or_version() -> None:
    own = Settings(encoder="fast")
    with pytest.raises(CalibrationError, match=r"another model for the wording view"):
        check_calibration(fitted([]), settings=own, version=__version__, models={"wording": "d2"})
    with pytest.raises(CalibrationError, match=rf"made by harvestdetect {__version__}, this is 9\.9"):
        check_calibration(fitted([]), settings=own, version="9.9")


def test_one_of_a_version_with_the_same_measures_is_used() -> None:
    own = Settings(encoder="fast")
    older = dataclasses.replace(fitted([]), versions={"harvestdetect": "0.1.0", "numpy": "2"})
    check_calibration(older, settings=own, version=__version__)
    with pytest.raises(CalibrationError, match=rf"made by harvestdetect 0\.0\.9, this is {__version__}"):
        check_calibration(
            dataclasses.replace(older, versions={"harvestdetect": "0.0.9"}), settings=own, version=__version__
        )


# ---------------------------------------------------------------- the setting and the command


def test_the_setting_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().calibration is None
    monkeypatch.setenv("HOME", str(tmp_path))
    made = load_settings(environment={"HARVESTDETECT_CALIBRATION": "~/benign.json"})
    assert made.calibration == tmp_path / "benign.json"
    assert made.to_dict()["calibration"] == str(tmp_path / "benign.json")
    assert Settings().to_dict()["calibration"] is None
    wrong: Any = 3
    with pytest.raises(SettingsError, match=r"^calibration must be a file, got 3$"):
        Settings(calibration=wrong)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Stands in for the main job: every account is a candidate. Gives the settings of each call."""
    seen: list[Settings] = []

    def run_scan(source: Any, context: Context, *, measure_all: bool) -> Scan:
        assert measure_all
        seen.append(context.settings)
        names = [a for batch in source for a in batch.prompts.column("account").to_pylist()]
        measured: Any = [weighed(structure=0.5) for _ in sorted(set(names))]
        return Scan(detection=detection(len(names)), measured=measured)

    monkeypatch.setattr(harvestdetect.calibration, "run_scan", run_scan)
    for name in ("HARVESTDETECT_CALIBRATION", "HARVESTDETECT_ENCODER"):
        monkeypatch.delenv(name, raising=False)
    return seen


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def dump(file: Path, rows: int) -> Path:
    row = {"timestamp": "2026-06-01T10:00:00Z", "prompt": "write a poem about the sea"}
    file.write_text("".join(json.dumps({"account": f"a{i}", **row}) + "\n" for i in range(rows)), encoding="utf-8")
    return file


def test_calibrate_scans_the_whole_and_both_halves(
    tmp_path: Path, scans: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "benign.json"
    source = dump(tmp_path / "dump.jsonl", 60)
    code, printed, err = run(capsys, "calibrate", source, "--out", out, "--encoder", "fast", "--min-accounts", 12)
    assert (code, err) == (0, "")
    assert len(scans) == 3
    found = load_calibration(out)
    assert found.settings["min_accounts"] == 12
    assert len(found.measures["even_load"].p_values) == 60
    assert len(found.held_out) == found.held_out_prompts == 60
    assert printed.startswith(
        "60 prompts of 50 accounts gave 60 candidates. The calibration uses the 60 that no benign explanation caps "
    )
    assert "\n\nmeasure  " in printed
    assert f"scan DUMP --calibration {out} --out OUT" in printed
    check_calibration(found, settings=Settings(encoder="fast", min_accounts=12), version=__version__)


@pytest.mark.parametrize("arguments", [[], ["--registry"], ["--no-registry"]])
def test_calibrate_scans_with_the_registry_that_it_names(
    tmp_path: Path,
    scans: list[Settings],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
) -> None:
    for name in ("HARVESTDETECT_REGISTRY", "HARVESTDETECT_USE_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    own, out = tmp_path / "own.toml", tmp_path / "benign.json"
    own.write_text(ENTRY.format("the words of our own product", "9999-12-31"))
    given_file = [own] if arguments == ["--registry"] else []
    source = dump(tmp_path / "dump.jsonl", 5)
    code, _, _ = run(capsys, "calibrate", source, "--out", out, "--encoder", "fast", *arguments, *given_file)
    assert code == 0
    expected = Settings(
        encoder="fast", registry=own if given_file else None, use_registry=arguments != ["--no-registry"]
    )
    assert scans == [expected] * 3
    check_calibration(load_calibration(out), settings=expected, version=__version__)


def test_calibrate_does_not_calibrate_with_a_calibration(
    tmp_path: Path, scans: list[Settings], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTDETECT_CALIBRATION", "old.json")
    code, _, _ = run(capsys, "calibrate", dump(tmp_path / "dump.jsonl", 5), "--out", tmp_path / "new.json")
    assert code == 0
    assert all(s.calibration is None for s in scans)


def test_calibrate_says_what_is_wrong(
    tmp_path: Path, scans: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    source = dump(tmp_path / "dump.jsonl", 5)
    for arguments, status, message in (
        (["calibrate", "-", "--out", tmp_path / "x"], 2, "which standard input (-) does not allow; name files"),
        (["calibrate", source, "--out", tmp_path], 2, "--out must be a file"),
        (["calibrate", source], 2, "Missing option '--out'"),
        (["calibrate", tmp_path / "none", "--out", tmp_path / "x"], 1, "none"),
        (["calibrate", dump(tmp_path / "empty.jsonl", 0), "--out", tmp_path / "x"], 1, "no prompt could be read"),
    ):
        code, printed, err = run(capsys, *arguments)
        assert (code, printed) == (status, ""), message
        assert message in err
    assert not (tmp_path / "x").exists()


# ---------------------------------------------------------------- files of version 1

DATA = Path(__file__).parent / "data"
"""A calibration of version 1, written before ids existed, and the candidates of a scan with it, by the same code."""


def judged_then() -> list[dict[str, Any]]:
    """A candidate each: ``evidence`` has name, family, p-value and calibrated p-value of every measure."""
    return [json.loads(line) for line in (DATA / "judged_v1.jsonl").read_text().splitlines()]


def test_a_file_of_version_1_is_read_by_names() -> None:
    found = load_calibration(DATA / "calibration_v1.json")
    stored_then = json.loads((DATA / "calibration_v1.json").read_text())
    assert stored_then["version"] == 1 < VERSION
    assert {m.p_values for m in found.measures.values()} == {tuple(p) for p in stored_then["measures"].values()}
    for name, p_values in stored_then["measures"].items():
        assert found.measures[MEASURE_IDS[name]].p_values == tuple(p_values)
    check_calibration(found, settings=Settings(encoder="fast"), version=__version__)


def test_a_file_of_version_1_gives_the_judgements_that_it_gave_then() -> None:
    calibration = load_calibration(DATA / "calibration_v1.json")
    then = judged_then()
    raw = [[evidence(MEASURE_IDS[name], family, p) for name, family, p, _ in row["evidence"]] for row in then]
    now = [calibrated(calibration, items) for items in raw]
    for row, items in zip(then, now, strict=True):
        assert [item.p_value for item in items] == [p for _, _, _, p in row["evidence"]]
    assert now != raw
    readings = [
        [
            BenignExplanation(
                id=EXPLANATION_IDS[name], name=name, verdict=verdict, statistic=None, sentence="", caps=caps
            )
            for name, verdict, caps in row["benign"]
        ]
        for row in then
    ]
    judgements = judge(now, readings, [row["templated"] for row in then], deciding=deciding(), fdr=0.01)
    assert {j.tier for j in judgements} == {"urgent", "watch", None}
    for row, judgement in zip(then, judgements, strict=True):
        assert (judgement.tier, judgement.uncapped) == (row["tier"], row["uncapped"])
        assert (judgement.score, judgement.q_value) == (row["score"], row["q_value"])
        families = [[f.family, f.p_value, f.adjusted, f.stands] for f in judgement.standings]
        assert families == row["families"]
        assert list(judgement.capped_by if judgement.uncapped != judgement.tier else ()) == row["capped_by"]


def test_a_file_of_version_1_becomes_one_of_this_version(tmp_path: Path) -> None:
    found = load_calibration(DATA / "calibration_v1.json")
    save_calibration(found, tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())["version"] == VERSION
    assert load_calibration(tmp_path / "again.json") == found


def test_a_name_that_no_measure_had_is_no_calibration(tmp_path: Path) -> None:
    values = json.loads((DATA / "calibration_v1.json").read_text())
    values["measures"]["\x1b[31m even load"] = [0.5]
    (tmp_path / "c.json").write_text(json.dumps(values))
    with pytest.raises(CalibrationError, match=r"no measure is named '\\x1b\[31m even load'"):
        load_calibration(tmp_path / "c.json")
