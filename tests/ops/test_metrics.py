"""Metrics: the file is what Prometheus reads, whole at any time, and a failed run forgets nothing."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import TIERS
from harvestdetect.errors import OutputError, UsageError
from harvestdetect.ops.metrics import STATUSES, RunMetrics, metrics_text, write_metrics

GOOD = RunMetrics(
    last_run=1_764_000_000.25,
    last_success=1_764_000_000.25,
    duration_seconds=421.5,
    exit_code=0,
    rows=1_200_000,
    rejects=17,
    cut_files=1,
    newest_prompt=1_763_990_000,
    prompts_in_window=34_000_000,
    accounts_in_window=210_000,
    findings={"urgent": 2, "watch": 5},
    campaigns={"new": 1, "growing": 3, "back": 1},
    alerts_failed=1,
    alerts_pending=2,
    window_complete=1,
)
FAILED = RunMetrics(last_run=1_764_086_400.0, duration_seconds=3.0, exit_code=1)
LAST = "harvestdetect_last_success_timestamp_seconds"


def samples(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_every_series_is_there_with_its_help_and_type() -> None:
    found = samples(metrics_text(GOOD))
    assert found == {
        LAST: "1764000000.25",
        "harvestdetect_last_run_timestamp_seconds": "1764000000.25",
        "harvestdetect_last_run_duration_seconds": "421.5",
        "harvestdetect_last_run_exit_code": "0",
        "harvestdetect_last_run_rows": "1200000",
        "harvestdetect_last_run_rejected_rows": "17",
        "harvestdetect_last_run_cut_files": "1",
        "harvestdetect_newest_prompt_timestamp_seconds": "1763990000",
        "harvestdetect_window_prompts": "34000000",
        "harvestdetect_window_accounts": "210000",
        'harvestdetect_findings{tier="urgent"}': "2",
        'harvestdetect_findings{tier="review"}': "0",
        'harvestdetect_findings{tier="watch"}': "5",
        'harvestdetect_campaigns{status="new"}': "1",
        'harvestdetect_campaigns{status="growing"}': "3",
        'harvestdetect_campaigns{status="quiet"}': "0",
        'harvestdetect_campaigns{status="back"}': "1",
        "harvestdetect_alerts_failed": "1",
        "harvestdetect_alerts_pending": "2",
        "harvestdetect_window_complete": "1",
        'harvestdetect_build_info{version="0.2.0"}': "1",
    }
    assert samples(metrics_text(FAILED)).keys() == found.keys()
    lines = metrics_text(GOOD).splitlines()
    for name in {series.split("{")[0] for series in found}:
        assert sum(line.startswith(f"# HELP {name} ") for line in lines) == 1
        assert lines.count(f"# TYPE {name} gauge") == 1


def test_the_values_of_labels_are_those_of_the_findings_and_campaigns() -> None:
    assert TIERS == ("urgent", "review", "watch")
    assert STATUSES == ("new", "growing", "quiet", "back")


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": -1},
        {"last_run": float("nan")},
        {"last_success": float("inf")},
        {"findings": {"urgent": -1}},
        {"findings": {"grave": 1}},
        {"campaigns": {"gone": 1}},
    ],
)
def test_what_cannot_be_a_figure_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|unknown"):
        RunMetrics(**{"last_run": 1.0, "duration_seconds": 1.0, "exit_code": 0, **wrong})


# ---------------------------------------------------------------- the file


def test_the_file_is_readable_by_all_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "harvestdetect.prom"
    before = os.umask(0o077)
    try:
        write_metrics(path, FAILED)
        write_metrics(path, GOOD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.read_text(encoding="utf-8") == metrics_text(GOOD)
    assert os.listdir(tmp_path) == [path.name]


def test_a_failed_run_keeps_what_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "harvestdetect.prom"
    write_metrics(path, GOOD, labels={"job_name": 'a "tier="urgent"\\'})
    for _ in range(2):
        write_metrics(path, FAILED, labels={"job_name": 'a "tier="urgent"\\'})
        found, good = samples(path.read_text(encoding="utf-8")), samples(metrics_text(GOOD))
        plain = {series.replace('job_name="a \\"tier=\\"urgent\\"\\\\",', ""): value for series, value in found.items()}
        plain = {series.replace('{job_name="a \\"tier=\\"urgent\\"\\\\"}', ""): v for series, v in plain.items()}
        changed = {series: value for series, value in plain.items() if value != good[series]}
        assert changed == {
            "harvestdetect_last_run_timestamp_seconds": "1764086400.0",
            "harvestdetect_last_run_duration_seconds": "3.0",
            "harvestdetect_last_run_exit_code": "1",
        }


def test_a_first_run_that_fails_never_succeeded(tmp_path: Path) -> None:
    write_metrics(tmp_path / "x.prom", FAILED)
    assert float(samples((tmp_path / "x.prom").read_text())[LAST]) == 0


def test_what_is_known_is_not_taken_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    write_metrics(path, GOOD)
    none = RunMetrics(
        last_run=2e9, last_success=2e9, duration_seconds=1, exit_code=0, rows=0, rejects=0, cut_files=0,
        newest_prompt=0, prompts_in_window=0, accounts_in_window=0,
        findings={}, campaigns={}, alerts_failed=0, alerts_pending=0, window_complete=1,
    )  # fmt: skip
    write_metrics(path, none)
    assert path.read_text() == metrics_text(none)


@pytest.mark.parametrize(
    "line",
    [
        "",
        LAST,
        f"{LAST} NaN",
        f"{LAST} +Inf",
        f"{LAST} 1e999",
        f"{LAST} -5",
        f"{LAST} 1.2.3",
        f"{LAST} 12 34 56",
        f"{LAST}{{ 12",
        f"other_{LAST} 12",
        "harvestdetect_window_prompts 1e400",
        "harvestdetect_unknown 3",
        'harvestdetect_findings{tier="grave"} 3',
        "harvestdetect_findings 3",
    ],
)
def test_garbage_in_the_earlier_file_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.prom"
    path.write_bytes(b"\xff\x00\n" + line.encode() + b'\nharvestdetect_findings{tier="watch"} 4\n')
    write_metrics(path, FAILED)
    found = samples(path.read_text())
    assert float(found[LAST]) == 0
    assert found['harvestdetect_findings{tier="watch"}'] == "4"


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda t: f"{LAST} {t}\n".encode("utf-8", "replace")))
def test_any_earlier_file_lets_a_run_be_written(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.prom"
    path.write_bytes(content)
    write_metrics(path, FAILED)
    assert 0 <= float(samples(path.read_text())[LAST]) <= FAILED.last_run


def test_a_success_in_the_future_does_not_silence_the_alert_for_years(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    path.write_text(f"{LAST} 9999999999\n")
    write_metrics(path, FAILED)
    assert float(samples(path.read_text())[LAST]) == FAILED.last_run


def test_a_file_that_cannot_be_written_is_named_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/x\.prom"):
        write_metrics(tmp_path / "file" / "x.prom", GOOD)
    (tmp_path / "file").unlink()
    for other in (tmp_path, Path("/dev/null")):
        with pytest.raises(OutputError, match="not a file"):
            write_metrics(other, GOOD)
    path = tmp_path / "x.prom"
    write_metrics(path, GOOD)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"x\.prom: No space left"):
        write_metrics(path, FAILED)
    assert path.read_text() == metrics_text(GOOD)
    assert os.listdir(tmp_path) == ["x.prom"]


def test_the_folder_is_made_for_everybody_to_read(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_metrics(tmp_path / "node" / "textfile" / "x.prom", GOOD)
    finally:
        os.umask(before)
    for folder in (tmp_path / "node", tmp_path / "node" / "textfile"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.prom").symlink_to(tmp_path / "real.prom")
    write_metrics(tmp_path / "link.prom", GOOD)
    write_metrics(tmp_path / "link.prom", GOOD)
    assert (tmp_path / "link.prom").is_symlink()
    assert (tmp_path / "real.prom").read_text() == metrics_text(GOOD)


# ---------------------------------------------------------------- labels, and Prometheus itself


@pytest.mark.parametrize("name", ["tier", "status", "version", "", "1a", "a-b", "__a", "ä", "a\n"])
def test_labels_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="label"):
        metrics_text(GOOD, labels={name: "x"})


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_prometheus_reads_what_was_written(value: str) -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    families = list(parser.text_string_to_metric_families(metrics_text(GOOD, labels={"job_name": value})))
    assert {family.type for family in families} == {"gauge"}
    assert all(family.documentation for family in families)
    read = [(s.name, s.labels, s.value) for family in families for s in family.samples]
    assert {labels["job_name"] for _, labels, _ in read} == {value}
    tiers = {labels["tier"]: number for name, labels, number in read if name == "harvestdetect_findings"}
    assert tiers == {"urgent": 2, "review": 0, "watch": 5}
    assert len(read) == len(samples(metrics_text(GOOD)))


def test_a_label_that_is_no_text_is_escaped() -> None:
    assert 'job_name="\\\\udcff"' in metrics_text(GOOD, labels={"job_name": "\udcff"})


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize("values", [GOOD, FAILED])
def test_promtool_has_nothing_to_complain_of(values: RunMetrics) -> None:
    text = metrics_text(values, labels={"job_name": 'a\\b"c\nd é'})
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def alert_rules() -> str:
    page = (Path(__file__).resolve().parents[2] / "docs" / "schedule.md").read_text(encoding="utf-8")
    (rules,) = re.findall(r"```yaml\n(groups:.*?)```", page, re.DOTALL)
    return str(rules)


def test_the_page_names_the_metrics_that_there_are() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "schedule.md").read_text(encoding="utf-8")
    there = {series.split("{")[0] for series in samples(metrics_text(GOOD))}
    table = page.split("| metric |", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"harvestdetect_[a-z_]+", table)) == there
    assert set(re.findall(r"harvestdetect_[a-z_]+", alert_rules())) <= there


RULES_TEST = """
rule_files: [rules.yaml]
evaluation_interval: 10m
tests:
  - interval: 10m
    input_series:
      - series: 'harvestdetect_last_success_timestamp_seconds{instance="a"}'
        values: '0x200'
    alert_rule_test:
      - {eval_time: 25h, alertname: HarvestdetectNotSucceeded}
      - eval_time: 27h
        alertname: HarvestdetectNotSucceeded
        exp_alerts:
          - exp_labels: {severity: warning, instance: a}
            exp_annotations:
              summary: No scan has succeeded on a for 26 hours
              description: See the log of the job; the exit code is in harvestdetect_last_run_exit_code.
      - {eval_time: 27h, alertname: HarvestdetectMetricsMissing}
"""


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_takes_the_alert_rules_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(alert_rules(), encoding="utf-8")
    (tmp_path / "test.yaml").write_text(RULES_TEST, encoding="utf-8")
    for arguments in (["check", "rules", "rules.yaml"], ["test", "rules", "test.yaml"]):
        done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_first_run_that_failed_says_nothing_of_a_window() -> None:
    text = metrics_text(RunMetrics(last_run=1.0, duration_seconds=1.0, exit_code=1))
    assert "harvestdetect_window_complete 1\n" in text
    assert "harvestdetect_last_success_timestamp_seconds 0\n" in text
