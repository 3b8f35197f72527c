"""The tables of measures and benign explanations: ids alone decide, and one entry is all that a new one takes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from harvestdetect import Settings, pipeline, read_dumps
from harvestdetect.context import open_context
from harvestdetect.data import TIERS, Campaign, Family, Template
from harvestdetect.evidence import explanations as benign
from harvestdetect.evidence.account_readings import READINGS
from harvestdetect.evidence.candidate import CandidateData, MeasureContext, Reference, ScanData
from harvestdetect.evidence.explanations import EXPLANATIONS, Explanation, ExplanationInputs, Verdict, explained
from harvestdetect.evidence.legacy import EXPLANATION_IDS, MEASURE_IDS
from harvestdetect.evidence.measures import COMMON_INFRASTRUCTURE, MEASURES, TARGETS, Measure, deciding
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.work_list import OwnSubjects
from harvestdetect.explain import render
from harvestdetect.explain.campaign import explain_campaign
from harvestdetect.explain.files import read_scan
from harvestdetect.judge.calibration import calibrated, fit_calibration
from harvestdetect.judge.findings import Sent, campaign_ids, candidates_of, finding_of
from harvestdetect.judge.measure import MeasuredCandidate, judgements_of, measure_candidates
from harvestdetect.judge.members import Memberships
from harvestdetect.judge.triage import Judgement, changes
from harvestdetect.report import detection_from_json, detection_json, html_report, write_outputs
from harvestdetect.simulate import simulate
from tests.judge.test_calibration import detection as benign_detection
from tests.report.making import make_detection

pytestmark = pytest.mark.usefixtures("loaded_once")

SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """What a scan has when it measures its candidates."""

    campaigns: Sequence[Campaign]
    scan: ScanData
    reference: Reference
    templates: Mapping[int, Template]
    volume: np.ndarray[Any, np.dtype[np.int32]]

    def measured(
        self, measures: Sequence[Measure] = MEASURES, explanations: Sequence[Explanation] = EXPLANATIONS
    ) -> list[MeasuredCandidate]:
        return measure_candidates(
            self.campaigns, self.scan, self.reference, seed=SEED, measures=measures, explanations=explanations
        )


@pytest.fixture(scope="module")
def measuring(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Measuring:
    """The candidates of a small simulated dump."""
    seen: dict[str, Any] = {}

    def measure(campaigns: Any, scan: Any, reference: Any, context: Any) -> Any:
        seen.update(campaigns=campaigns, scan=scan, reference=reference)
        return plain.measure(campaigns, scan, reference, context)

    def conclude(judged: Any, memberships: Any, scan: Any, **named: Any) -> Any:
        seen.update(templates=named["templates"], volume=named["volume"])
        return concluded(judged, memberships, scan, **named)

    plain, concluded = pipeline.PLAIN, pipeline.conclude
    made = simulate(tmp_path_factory.mktemp("tables"), prompts=4_000, seed=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "PLAIN", replace(plain, measure=measure))
        patch.setattr(pipeline, "conclude", conclude)
        pipeline.run_scan(read_dumps(made.files), open_context(Settings(encoder="fast", cache=cache)))
    found = Measuring(**seen)
    assert len(found.campaigns) > 4
    return found


# ---------------------------------------------------------------- the tables


def test_ids_are_stable_names_and_labels_are_told_apart() -> None:
    for rows in (MEASURES, EXPLANATIONS):
        ids = [row.id for row in rows]
        assert len(set(ids)) == len({row.label for row in rows}) == len(ids)
        assert all(re.fullmatch("[a-z][a-z_]*", id_) for id_ in ids)
        assert all(row.source for row in rows)
    assert {m.family for m in MEASURES} == set(get_args(Family))
    assert all(m.min_data for m in MEASURES)
    assert all(e.cap in TIERS for e in EXPLANATIONS)


def test_what_older_files_name_is_in_the_tables() -> None:
    assert set(MEASURE_IDS.values()) == {m.id for m in MEASURES}
    assert set(EXPLANATION_IDS.values()) == {e.id for e in EXPLANATIONS} - NEWER | {"verdict"}
    # as long as nobody rewords a label, the names of then are the labels of now
    assert {m.id: m.label for m in MEASURES} == {id_: name for name, id_ in MEASURE_IDS.items()}


def test_the_targets_are_those_of_the_file() -> None:
    text = files("harvestdetect.evidence").joinpath("intent.toml").read_text(encoding="utf-8")
    assert [target["name"] for target in tomllib.loads(text)["target"]] == list(TARGETS)


def test_what_the_table_says_of_measures() -> None:
    assert {family: len(ids) for family, ids in deciding().items()} == {
        "text": 2, "structure": 3, "time": 8, "infrastructure": 5, "intent": 0,
    }  # fmt: skip
    assert all(m.clause for m in MEASURES if m.decides and m.family != "text")
    assert not any(m.decides for m in MEASURES if m.closer_look)
    assert [m for m in MEASURES if m.take is None] == [COMMON_INFRASTRUCTURE]


NEWER = {"shared_list"}
"""Explanations that no file without ids names."""
INPUTS: dict[str, Any] = {
    "copies": 0.02,
    "texts": 310,
    "counts": np.full(40, 8, np.int32),
    "load_ratio": 1.2,
    "ratio_beyond": 1.1,
    "even_p": 0.6,
    "own_subjects": OwnSubjects(deviations=12.0, of_usual=0.9),
    "sittings_p": 0.5,
    "usual_sittings": 0.5,
    "templated": True,
    "several": 0.3,
    "median_words": 40.0,
    "days": 25.0,
    "infrastructure_p": 0.4,
    "in_common": 0.01,
    "opened_p": 0.2,
    "shares": {"org": 0.1, "network": 0.05, "asn": 0.3},
    "known_as": None,
}
OTHERS: dict[str, Any] = {
    "copies": 0.95,
    "texts": 3,
    "counts": np.full(40, 2, np.int32),
    "load_ratio": 0.1,
    "ratio_beyond": 0.1,
    "even_p": 1e-9,
    "own_subjects": None,
    "sittings_p": 1e-9,
    "usual_sittings": 0.0,
    "templated": False,
    "several": None,
    "median_words": 2.0,
    "days": None,
    "infrastructure_p": 1e-9,
    "in_common": 0.6,
    "opened_p": None,
    "shares": {},
    "known_as": ("viral", "strawberry"),
}


@pytest.mark.parametrize("explanation", EXPLANATIONS, ids=lambda e: e.id)
def test_an_explanation_reads_no_more_than_it_says(explanation: Explanation) -> None:
    before = explanation.test(ExplanationInputs(**INPUTS))
    assert set(explanation.inputs) <= set(INPUTS)
    others = {name: value for name, value in OTHERS.items() if name not in explanation.inputs}
    assert explanation.test(ExplanationInputs(**{**INPUTS, **others})) == before


def test_thresholds_are_read_when_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = ExplanationInputs(**{**INPUTS, "median_words": 6.0})
    (place,) = [i for i, explanation in enumerate(EXPLANATIONS) if explanation.id == "short_phrase"]
    assert explained(inputs)[place].verdict == "unlikely"
    monkeypatch.setattr(benign, "TEMPLATE_WORDS", 7)
    assert explained(inputs)[place].verdict == "fits"
    assert EXPLANATIONS[place].lifted_by() == "prompts of 7 words or more"


# ---------------------------------------------------------------- labels


def plain(judgements: Sequence[Judgement]) -> list[Judgement]:
    """Judgements without the labels that they show."""
    return [replace(j, capped_by=("a label",) * len(j.capped_by)) for j in judgements]


def test_rewording_every_label_changes_no_judgement(measuring: Measuring) -> None:
    measures = [replace(m, label=f"reworded {i}") for i, m in enumerate(MEASURES)]
    explanations = [replace(e, label=f"another {i}") for i, e in enumerate(EXPLANATIONS)]
    before, after = measuring.measured(), measuring.measured(measures, explanations)
    judged = [judgements_of(b, fdr=0.01) for b in (before, after)]
    assert {j.tier for j in judged[0]} >= {"urgent", "watch"}
    assert any(j.capped_by for j in judged[0])
    assert plain(judged[0]) == plain(judged[1])
    for old, new in zip(before, after, strict=True):
        assert all(e.name.startswith("reworded ") for e in new.evidence)
        assert all(b.name.startswith("another ") for b in new.benign)
        names = {e.id: e.name for e in old.evidence}
        assert [replace(e, name=names[e.id]) for e in new.evidence] == list(old.evidence)
    # a calibration is keyed by ids too
    calibrations = [
        fit_calibration(
            benign_detection(), some, [], settings=Settings(encoder="fast"), deciding=deciding(), created="2026"
        )
        for some in (before, after)
    ]
    assert calibrations[0] == calibrations[1]
    for old, new in zip(before, after, strict=True):
        p_values = [[e.p_value for e in calibrated(calibrations[0], one.evidence)] for one in (old, new)]
        assert p_values[0] == p_values[1]


# ---------------------------------------------------------------- a new measure, a new explanation


def weekday(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """A toy: whether a candidate has many prompts."""
    prompts = len(candidate.trimmed.prompts)
    return Observation(
        value=float(prompts), null="a toy", expected=1.0, p_value=1e-12, sentence=f"{prompts} prompts are a toy."
    )


TOY = Measure(
    id="toy",
    family="time",
    label="a toy measure",
    decides=True,
    tail="high",
    take=weekday,
    clause="they play with a toy",
    min_data="a prompt",
    source="this test",
)
INNOCENT_TOY = Explanation(
    id="innocent_toy",
    label="a toy reading",
    test=lambda inputs: Verdict(fits=True, statistic=float(inputs.texts), sentence="It is a toy."),
    inputs=("texts",),
    cap="review",
    lifted_by=lambda: "no toy at all",
    source="this test",
)


def unknown(campaign: Campaign) -> Memberships:
    """No evidence on any account."""
    count = len(campaign.accounts)
    return Memberships(accounts=campaign.accounts, bits=np.zeros((count, len(READINGS))), cut=0.9)


def test_an_entry_and_a_function_make_a_measure_and_an_explanation(measuring: Measuring, tmp_path: Path) -> None:
    measures, explanations = (*MEASURES, TOY), (*EXPLANATIONS, INNOCENT_TOY)
    measured = measuring.measured(measures, explanations)
    judgements = judgements_of(measured, fdr=0.01, measures=measures)
    assert all("time" in j.families and j.tier != "urgent" for j in judgements)
    # without a template one measure is not enough for a finding
    found_at = [i for i, j in enumerate(judgements) if j.tier]
    assert all(judgements[i].tier for i, m in enumerate(measured) if m.templated)
    prompts = measuring.scan.corpus.prompts
    sent = Sent(prompts=prompts, volume=measuring.volume, templates=measuring.templates)
    ids = campaign_ids(measuring.campaigns, measuring.templates, prompts.accounts)
    found = [
        finding_of(
            measuring.campaigns[i], judgements[i], measured[i], sent, campaign_id=ids[i],
            changes=changes(judgements[i], fdr=0.01), memberships=unknown(measuring.campaigns[i]), measures=measures,
        )
        for i in found_at
    ]  # fmt: skip
    assert any("they play with a toy" in f.summary for f in found)
    detection = make_detection(*found)
    again = detection_from_json(detection_json(detection))
    assert [e.id for e in again.findings[0].evidence].count("toy") == 1

    page = html_report(detection, measures=measures)
    assert re.search(r'a toy measure <span class="mark">decides</span>', page)
    assert "a toy reading" in page
    assert not re.search(r'a toy measure <span class="mark">decides</span>', html_report(detection))

    candidates = candidates_of(
        measuring.campaigns, judgements, measured, ids, sent,
        vectors=measuring.scan.vectors.astype(np.float32), rigid=[True] * len(measuring.scan.described),
        link_log_p=-16.0,
    )  # fmt: skip
    write_outputs(replace(detection, candidates=candidates), tmp_path)
    scan = read_scan(tmp_path)
    capped = next(c for c in scan.candidates.values() if c.capped_by == ("a toy reading",))
    text = render(explain_campaign(scan, capped, explanations=explanations), width=200, color=False)
    assert "a toy measure: " in text
    assert "fits (caps at review): a toy reading. It is a toy." in text
    assert "with no toy at all" in text
