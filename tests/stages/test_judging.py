"""A scan that is judged by a calibration."""

from __future__ import annotations

from pathlib import Path

from harvestdetect import Settings, detect
from harvestdetect.context import open_context
from harvestdetect.data import TIERS
from harvestdetect.judge.calibration import Half, fit_calibration
from harvestdetect.judge.calibration_file import save_calibration
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.pipeline import run_scan
from harvestdetect.util.files import file_digest
from tests.stages.making import people


def test_a_calibrated_scan_names_the_file_by_its_digest(fast: Settings, tmp_path: Path) -> None:
    benign = run_scan(people(), open_context(fast))
    half = Half(candidates=benign.measured, prompts=120)
    file = tmp_path / "benign.json"
    save_calibration(
        fit_calibration(
            benign.detection,
            benign.measured,
            [half, half],
            ledger=shipped_ledger(),
            settings=fast,
            created="2026-01-01T00:00:00Z",
        ),
        file,
    )
    found = detect(people(seed=1), settings=fast.replace(calibration=file)).calibration
    assert (found["file"], found["sha256"]) == (str(file), file_digest(file))
    assert found["created"] == "2026-01-01T00:00:00Z"
    assert set(found["expected_findings"]) == set(TIERS)
