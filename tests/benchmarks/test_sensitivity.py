"""The sensitivity study at toy size: moving a constant, replaying a scan, comparing, writing the page."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import sensitivity, trials
from benchmarks.constants import DECISIONS, SETTINGS, Constant, defined
from benchmarks.moving import BOUNDS, HALF, MOVES, TWICE, cannot_move, moved, moved_value, value_of
from benchmarks.replay import STAGES, Recorded, stage_of
from benchmarks.sources import NotEnough
from benchmarks.trial_dumps import DUMPS
from benchmarks.trials import Bench
from harvestdetect import Settings, detect, read_dumps
from harvestdetect.data import Detection
from harvestdetect.evidence import coordination
from harvestdetect.incremental import matching
from harvestdetect.judge import triage
from harvestdetect.report.files import accounts_csv, campaigns_jsonl, candidates_jsonl
from harvestdetect.simulate import simulate
from harvestdetect.stages.plain import PLAIN

ROWS = 3_000
BY_NAME = {str(constant): constant for constant in DECISIONS}


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("dump")
    simulate(folder, prompts=ROWS // 2, harvest_share=0.2, seed=5)
    return sorted((folder / "dump").iterdir())


@pytest.fixture(scope="module")
def settings(cache: Path) -> Settings:
    return Settings(encoder="fast", cache=cache, threads=1)


@pytest.fixture(scope="module")
def recorded(dump: list[Path], settings: Settings) -> Recorded:
    return Recorded(dump, settings=settings)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Bench:
    (simulated,) = (d for d in DUMPS if d.name == "simulated-bare")
    folder = tmp_path_factory.mktemp("bench")
    return Bench(simulated, folder, rows=ROWS, data=None, settings={"cache": cache, "min_accounts": 5})


def written(detection: Detection) -> tuple[str, str, str]:
    return campaigns_jsonl(detection), candidates_jsonl(detection), accounts_csv(detection)


# ---------------------------------------------------------------- moving


def test_a_value_moves_within_its_unit() -> None:
    share, whole = BY_NAME["campaign.membership.MIN_MEMBERSHIP"], BY_NAME["util.amounts.GROUP"]
    assert [moved_value(share, 0.9, move) for move in MOVES] == [0.45, 1]
    assert [moved_value(whole, 3, move) for move in MOVES] == [2, 6]
    log_p = BY_NAME["settings.link_log_p"]
    assert [moved_value(log_p, -16.0, move) for move in MOVES] == [-8.0, -32.0]
    p_value = BY_NAME["accounts.pieces.GAP"]
    assert [moved_value(p_value, 1e-6, move) for move in MOVES] == [pytest.approx(1e-3), pytest.approx(1e-12)]
    assert moved_value(share, 1.0, TWICE) is None
    assert [moved_value(share, 0.9, move) for move in BOUNDS] == [0, 1]
    assert [moved_value(log_p, -16.0, move) for move in BOUNDS] == [-320, 0]
    assert [moved_value(whole, 3, move) for move in BOUNDS] == [0, 60]
    rare, coarse = BY_NAME["corpus.account_fields.RARE"], BY_NAME["evidence.shared_values.COARSE"]
    assert moved_value(rare, (3, 10, 100), TWICE) == (6, 20, 200)
    assert moved_value(coarse, {"asn": 0.5, "org": 0.9}, HALF) == {"asn": 0.25, "org": 0.45}


def test_a_moved_constant_moves_wherever_it_is_used() -> None:
    assert moved_everywhere(BY_NAME["util.amounts.MIN_SAMPLE"], 7)
    assert not matching.similar_size(10, 20)
    with moved(BY_NAME["util.amounts.NEARLY_ALL"], 0.5):
        assert matching.similar_size(10, 20)
    assert not matching.similar_size(10, 20)
    hour = Constant("util.periods", "HOUR", "seconds")
    with moved(hour, 60):
        assert coordination.GRID == 360
    assert coordination.GRID == 21_600


def moved_everywhere(constant: Constant, value: int) -> bool:
    """Whether every module that has a constant's name for its value has the new value while it is moved."""
    users = [m for n, m in sorted(sys.modules.items()) if n.startswith("harvestdetect.") and constant.name in vars(m)]
    own = [user for user in users if vars(user)[constant.name] == value_of(constant)]
    with moved(constant, value):
        return bool(own) and all(vars(user)[constant.name] == value for user in own)


def test_every_constant_can_be_moved_and_comes_back() -> None:
    for constant in DECISIONS:
        assert not cannot_move(constant)
        value = value_of(constant)
        steps = [moved_value(constant, value, move) for move in MOVES]
        assert any(step is not None for step in steps), constant
        assert stage_of(constant) in STAGES
        with moved(constant, next(step for step in steps if step is not None)):
            assert value_of(constant) != value or constant.module == SETTINGS
        assert value_of(constant) == value


# ---------------------------------------------------------------- replaying


@pytest.fixture(scope="module")
def plain(dump: list[Path], settings: Settings) -> tuple[str, str, str]:
    return written(detect(read_dumps(dump, settings=settings), settings=settings))


@pytest.mark.parametrize("stage", STAGES)
def test_a_replay_without_a_move_is_the_plain_scan(stage: str, recorded: Recorded, plain: tuple[str, str, str]) -> None:
    assert written(recorded.detection) == plain
    assert plain[0].count("\n") > 0
    assert written(recorded.again(stage)) == plain


def test_a_stage_before_the_constant_is_not_run_again(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError

    monkeypatch.setattr("harvestdetect.pipeline.PLAIN", replace(PLAIN, describe=fail))
    recorded.again("campaigns")
    with pytest.raises(AssertionError):
        recorded.again("templates")


# ---------------------------------------------------------------- trials


def test_a_moved_constant_comes_back_after_an_error() -> None:
    with pytest.raises(KeyError), moved(BY_NAME["judge.triage.CARRIES"], 0.5):
        raise KeyError
    assert triage.CARRIES == 1.0


def test_a_constant_that_matters_is_reported(bench: Bench) -> None:
    trial = bench.tried(BY_NAME["settings.fdr"])
    assert trial.moves[TWICE].value == 0.4
    assert trial.moves[TWICE].level == "findings"
    assert trial.moves[TWICE].findings > 0
    assert trial.moves[TWICE].accounts > 0


def test_a_constant_that_cannot_matter_is_reported_as_such(bench: Bench) -> None:
    trial = bench.tried(BY_NAME["evidence.shared_values.FAMILIAR"])  # the dump has no metadata
    assert {change.level for change in trial.moves.values()} == {"nothing"}
    assert set(bench.tried(BY_NAME["evidence.shared_values.FAMILIAR"], BOUNDS).moves) == set(BOUNDS)


def test_a_value_that_the_code_cannot_take_is_reported(bench: Bench) -> None:
    change = bench._changed(BY_NAME["settings.distance_floor"], 2.0)
    assert change.error.startswith("SettingsError: distance_floor must be below distance_cap")


# ---------------------------------------------------------------- the command


@pytest.fixture
def arguments(tmp_path: Path, cache: Path) -> Iterator[list[str]]:
    sensitivity._BENCHES.clear()
    yield ["--rows", "2000", "--work", str(tmp_path), "--cache", str(cache), "--dumps", "simulated-bare"]
    sensitivity._BENCHES.clear()


def test_the_table_is_written_and_the_study_goes_on_where_it_stopped(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, found = tmp_path / "constants.md", tmp_path / "found.json"
    arguments += ["--only", "fdr,URGENT,FAMILIAR", "--docs", str(page), "--json", str(found)]
    assert sensitivity.main(arguments) == 0
    table = page.read_text()
    assert f"| `settings.fdr` | 0.2 | probability | {defined(SETTINGS)['fdr'].meaning} |" in table
    assert "Nothing changes on any dump when these move: `evidence.shared_values.FAMILIAR`" in table
    assert {row["constant"] for row in json.loads(found.read_bytes())} == {
        "settings.fdr",
        "judge.triage.URGENT",
        "evidence.shared_values.FAMILIAR",
    }
    assert "evidence.shared_values.FAMILIAR = 20 times: ½ and ×2: nothing" in capsys.readouterr().out
    sensitivity._BENCHES.clear()
    monkeypatch.setattr(trials.Bench, "__init__", None)  # nothing is scanned again
    page.write_text(f"before\n{table}after\n")
    assert sensitivity.main(arguments) == 0
    assert page.read_text() == f"before\n{table}after\n"


def test_a_dump_that_cannot_be_laid_is_left_out(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise NotEnough("too few texts")

    monkeypatch.setattr(sensitivity, "make", fail)
    assert sensitivity.main([*arguments, "--only", "fdr"]) == 0
    assert "simulated-bare is left out: too few texts" in capsys.readouterr().err


def test_unknown_names_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert sensitivity.main([*arguments, "--only", "NO_SUCH_CONSTANT"]) == 2
    assert "no constant or dump has such a name" in capsys.readouterr().err


def test_all_dumps_are_told_apart_by_what_they_try() -> None:
    for constant in DECISIONS:
        kinds = {dump.kind for dump in DUMPS if trials.tried_on(constant, dump)}
        assert len(kinds) == 1, constant
    calibrated = Constant("judge.calibration", "ANY", "candidates")
    assert [dump.name for dump in DUMPS if trials.tried_on(calibrated, dump)] == ["calibrated"]
