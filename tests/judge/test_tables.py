"""The tables of measures and benign explanations: ids alone decide, and one entry is all that a new one takes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from harvestdetect import Settings, pipeline, read_dumps
from harvestdetect.context import open_context
from harvestdetect.data import Campaign, Family, Template
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS
from harvestdetect.evidence.candidate import CandidateData, Comparison, MeasureContext, ScanData
from harvestdetect.evidence.explanations import EXPLANATIONS, Assessed, Explanation
from harvestdetect.evidence.legacy import EXPLANATION_IDS, MEASURE_IDS
from harvestdetect.evidence.measures import COMMON_INFRASTRUCTURE, MEASURES, TARGETS, Measure
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.readings import READINGS
from harvestdetect.explain import render
from harvestdetect.explain.campaign import explain_campaign
from harvestdetect.explain.files import read_scan
from harvestdetect.judge import findings
from harvestdetect.judge.calibration import fit_calibration
from harvestdetect.judge.candidates import candidates_of
from harvestdetect.judge.findings import FindingInputs, campaign_ids, finding_of, ledger_rows
from harvestdetect.judge.ledger import EFFECT
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.judge.measure import SIGNIFICANT, MeasuredCandidate, judgements_of, measure_candidates, with_bits
from harvestdetect.judge.members import Memberships
from harvestdetect.judge.triage import CARRIES, Judgement, changes
from harvestdetect.report import detection_from_json, detection_json, html_report, write_outputs
from harvestdetect.simulate import simulate
from harvestdetect.stages import judging
from tests.judge.curves import toy_curve
from tests.judge.test_calibration import detection as benign_detection
from tests.report.making import make_detection

pytestmark = pytest.mark.usefixtures("loaded_once")

SEED = 0
FDR = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """What a scan has when it measures its candidates."""

    campaigns: Sequence[Campaign]
    scan: ScanData
    comparison: Comparison
    templates: Mapping[int, Template]
    volume: np.ndarray[Any, np.dtype[np.int32]]

    def measured(
        self, measures: Sequence[Measure] = MEASURES, explanations: Sequence[Explanation] = EXPLANATIONS
    ) -> list[MeasuredCandidate]:
        return measure_candidates(
            self.campaigns, self.scan, self.comparison, seed=SEED, measures=measures, explanations=explanations
        )


@pytest.fixture(scope="module")
def measuring(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Measuring:
    """The candidates of a small simulated dump."""
    seen: dict[str, Any] = {}

    def measure(campaigns: Any, scan: Any, comparison: Any, context: Any) -> Any:
        seen.update(campaigns=campaigns, scan=scan, comparison=comparison)
        return plain.measure(campaigns, scan, comparison, context)

    def conclude(judged: Any, memberships: Any, scan: Any, **named: Any) -> Any:
        seen.update(templates=named["templates"], volume=named["volume"])
        return concluded(judged, memberships, scan, **named)

    plain, concluded = pipeline.PLAIN, judging.conclude
    made = simulate(tmp_path_factory.mktemp("tables"), prompts=4_000, seed=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "PLAIN", replace(plain, measure=measure))
        patch.setattr(judging, "conclude", conclude)
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
    assert {m.family for m in MEASURES} == set(get_args(Family))
    assert all(m.min_data and m.source for m in MEASURES)
    # an explanation is judged by rows of the ledger, or is a hard rule
    assert all(bool(e.rows) == (e.cap is None) for e in EXPLANATIONS)


def test_what_older_files_name_is_in_the_tables() -> None:
    assert set(MEASURE_IDS.values()) <= {m.id for m in MEASURES}
    assert set(EXPLANATION_IDS.values()) <= {e.id for e in EXPLANATIONS} | {"verdict"}


def test_the_targets_are_those_of_the_file() -> None:
    text = files("harvestdetect.evidence").joinpath("intent.toml").read_text(encoding="utf-8")
    assert [target["name"] for target in tomllib.loads(text)["target"]] == list(TARGETS)


def test_what_the_tables_say_of_measures_and_readings() -> None:
    assert [m for m in MEASURES if m.take is None] == [COMMON_INFRASTRUCTURE]
    assert all(m.closer_look for m in MEASURES if m.family == "intent")
    ids = [r.id for r in READINGS]
    assert len(set(ids)) == len({r.label for r in READINGS}) == len(ids)
    assert not set(ids) & {m.id for m in MEASURES}
    assert all(re.fullmatch("[a-z][a-z_]*", id_) for id_ in ids)
    assert {r.family for r in READINGS} == {"text", "structure", "time", "infrastructure"}


# ---------------------------------------------------------------- labels


def plain(judgements: Sequence[Judgement]) -> list[Judgement]:
    """Judgements without the labels that they show."""
    return [replace(j, capped_by=("a label",) * len(j.capped_by)) for j in judgements]


def test_rewording_every_label_changes_no_judgement(measuring: Measuring) -> None:
    measures = [replace(m, label=f"reworded {i}") for i, m in enumerate(MEASURES)]
    table = (*EXPLANATIONS, INNOCENT_TOY)
    explanations = [replace(e, label=f"another {i}") for i, e in enumerate(table)]
    before, after = measuring.measured(MEASURES, table), measuring.measured(measures, explanations)
    judged = [judgements_of(b, ledger=shipped_ledger(), fdr=FDR) for b in (before, after)]
    assert any(j.tier for j in judged[0])
    assert all(j.capped_by == ("a toy reading",) for j in judged[0])
    assert plain(judged[0]) == plain(judged[1])
    for old, new in zip(before, after, strict=True):
        assert all(e.name.startswith("reworded ") for e in new.evidence)
        assert all(b.name.startswith("another ") for b in new.benign)
        names = {e.id: e.name for e in old.evidence}
        assert [replace(e, name=names[e.id]) for e in new.evidence] == list(old.evidence)
        assert new.readings == old.readings
    # a calibration is keyed by ids too
    calibrations = [
        fit_calibration(
            benign_detection(), some, [], ledger=shipped_ledger(), settings=Settings(encoder="fast"), created="2026"
        )
        for some in (before, after)
    ]
    assert calibrations[0] == calibrations[1]


def test_a_candidate_is_shown_with_the_bits_of_its_rows(measuring: Measuring) -> None:
    measured = measuring.measured()
    judged = judgements_of(measured, ledger=shipped_ledger(), fdr=FDR)
    readings_of = {e.id: e.rows for e in EXPLANATIONS}
    for one, judgement in zip(measured, judged, strict=True):
        shown = with_bits(one, judgement)
        assert [replace(e, bits=None) for e in shown.evidence] == list(one.evidence)
        for e in shown.evidence:
            own = [judgement.rows[id_] for id_ in (e.id, e.id + EFFECT) if id_ in judgement.rows]
            assert e.bits == (pytest.approx(sum(own), abs=0.01) if own else None)
        for b in shown.benign:
            own = [judgement.rows[id_] for id_ in readings_of[b.id] if id_ in judgement.rows]
            assert b.bits == (pytest.approx(sum(own), abs=0.01) if own else None)
            if readings_of[b.id]:
                assert b.caps is None
                assert b.verdict == ("unknown" if not own else "fits" if (b.bits or 0) <= -CARRIES else "unlikely")
        rows = ledger_rows(judgement, one)
        assert rows[0].id == "prior"
        assert sum(row.bits for row in rows) == pytest.approx(judgement.score, abs=0.06 * len(judgement.rows))
        assert all(abs(a.bits) >= abs(b.bits) for a, b in pairwise(rows[1:]))


def test_a_closer_look_is_taken_where_a_measure_beyond_text_is_significant(measuring: Measuring) -> None:
    closer = {m.id for m in MEASURES if m.closer_look}
    looked = 0
    for one in measuring.measured():
        first = [e for e in one.evidence if e.id not in closer]
        wanted = any(e.family != "text" and e.p_value <= SIGNIFICANT for e in first)
        looked += wanted
        assert wanted or len(first) == len(one.evidence)
        assert not wanted or one.evidence != tuple(first)
    assert 0 < looked < len(measuring.campaigns)


# ---------------------------------------------------------------- a new measure, a new explanation


def weekday(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """A toy: whether a candidate has many prompts."""
    prompts = len(candidate.trimmed.prompts)
    return Observation(
        value=float(prompts), null="a toy", expected=1.0, p_value=1e-60, sentence=f"{prompts} prompts are a toy."
    )


TOY = Measure(
    id="toy",
    family="time",
    label="a toy measure",
    tail="high",
    take=weekday,
    clause="they play with a toy",
    min_data="a prompt",
    source="this test",
)
INNOCENT_TOY = Explanation(
    id="innocent_toy", label="a toy reading", cap="review",
    test=lambda inputs: Assessed(fits=True, statistic=float(inputs.texts), sentence="It is a toy."),
)  # fmt: skip
TOY_ROW = toy_curve((0.0, 12.0), (0.0, 9.0), (1.0, 0.01))


def unknown(campaign: Campaign) -> Memberships:
    """No evidence on any account."""
    count = len(campaign.accounts)
    return Memberships(accounts=campaign.accounts, bits=np.zeros((count, len(ACCOUNT_READINGS))), cut=0.9)


def test_an_entry_and_a_function_make_a_measure_and_an_explanation(
    measuring: Measuring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measures, explanations = (*MEASURES, TOY), (*EXPLANATIONS, INNOCENT_TOY)
    measured = measuring.measured(measures, explanations)
    shipped = shipped_ledger()
    # before the ledger is fitted again the measure is shown and does not count
    before = judgements_of(measured, ledger=shipped, fdr=FDR)
    assert all("toy" in {e.id for e in m.evidence} for m in measured)
    plain_scores = [j.score for j in judgements_of(measuring.measured(), ledger=shipped, fdr=FDR)]
    assert [j.score for j in before] == plain_scores
    assert not any("toy" in j.rows for j in before)
    assert all(next(e for e in with_bits(m, j).evidence if e.id == "toy").bits is None
               for m, j in zip(measured, before, strict=True))  # fmt: skip

    ledger = replace(shipped, curves={**shipped.curves, "toy": TOY_ROW}, steady=1e9)
    judgements = judgements_of(measured, ledger=ledger, fdr=FDR)
    assert all(j.rows["toy"] == pytest.approx(9.0, abs=0.1) for j in judgements)
    assert all(j.tier != "urgent" for j in judgements)
    prompts = measuring.scan.corpus.prompts
    sent = FindingInputs(prompts=prompts, volume=measuring.volume, templates=measuring.templates)
    ids = campaign_ids(measuring.campaigns, measuring.templates, prompts.accounts)
    place = next(i for i, j in enumerate(judgements) if j.tier == "review" and "time" in j.families)
    monkeypatch.setattr(findings, "MEASURES", measures)
    found = finding_of(
        measuring.campaigns[place], judgements[place], with_bits(measured[place], judgements[place]), sent,
        campaign_id=ids[place], changes=changes(judgements[place], fdr=FDR),
        memberships=unknown(measuring.campaigns[place]),
    )  # fmt: skip
    assert "they play with a toy" in found.summary
    toy = next(row for row in found.ledger if row.id == "toy")
    assert (toy.name, toy.family, toy.bits) == ("a toy measure", "time", pytest.approx(9.0, abs=0.1))
    detection = make_detection(found)
    again = detection_from_json(detection_json(detection))
    assert [e.id for e in again.findings[0].evidence].count("toy") == 1

    page = html_report(detection)
    assert "prompts are a toy." in page
    assert "a toy reading" in page

    candidates = candidates_of(
        measuring.campaigns, judgements, measured, ids, sent,
        vectors=measuring.scan.vectors.astype(np.float32), rigid=[True] * len(measuring.scan.described),
        link_log_p=-16.0,
    )  # fmt: skip
    write_outputs(replace(detection, candidates=candidates), tmp_path)
    scan = read_scan(tmp_path)
    assert len(scan.candidates) == len(judgements)
    text = render(explain_campaign(scan, next(iter(scan.candidates.values()))), width=200, color=False)
    assert "a toy measure" in text
    assert "a toy reading" in text
