"""The comparison of two versions of the code."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from benchmarks import same_findings
from benchmarks.same_findings import changed_findings, compare, main, plain
from harvestdetect.cli.main import run_command


def test_fields_for_people_do_not_count() -> None:
    value = {"tier": "urgent", "summary": "a", "evidence": [{"name": "b", "p_value": 0.1, "sentence": "c"}]}
    assert plain(value) == {"tier": "urgent", "evidence": [{"p_value": 0.1}]}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Path]:
    """The present code compared with itself. A process of its own scans once; the other scans are in this one."""
    kept = tmp_path_factory.mktemp("kept")
    scan = same_findings._scan

    def keeping(tree: Path, files: Sequence[Path], out: Path, encoder: str) -> float:
        if not any(kept.iterdir()):
            seconds = scan(tree, files, out, encoder)
        else:
            with redirect_stdout(io.StringIO()):
                assert run_command(["scan", *map(str, files), "--out", str(out), "--encoder", encoder, "-q"]) == 0
            seconds = 1.0
        shutil.copytree(out, kept / out.name)
        return seconds

    with pytest.MonkeyPatch.context() as patch, pytest.MonkeyPatch.context() as printed:
        lines: list[str] = []
        patch.setattr(same_findings, "_scan", keeping)
        printed.setattr("builtins.print", lambda *parts, **_: lines.append(" ".join(map(str, parts))))
        code = main(["--before", str(same_findings.ROOT), "--rows", "1000"])
    return code, "\n".join(lines), kept


def test_the_same_code_finds_the_same(compared: tuple[int, str, Path]) -> None:
    code, printed, _ = compared
    assert code == 0
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["simulated", "fast"], ["simulated, no metadata", "fast"]]
    assert all(int(row[2]) > 0 and row[-2:] == ["none", "none"] for row in rows)
    assert all(row[5] == row[6] and " of " in row[5] for row in rows)


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("campaigns.jsonl", {"score": -1.0}, "campaigns.jsonl: row 1 differs in score"),
        ("campaigns.jsonl", {"summary": "Other words."}, None),
        ("candidates.jsonl", None, "candidates.jsonl: "),
    ],
)
def test_a_difference_is_named(
    compared: tuple[int, str, Path], tmp_path: Path, file: str, change: dict[str, object] | None, said: str | None
) -> None:
    *_, kept = compared
    before, after = kept / "0-fast-before", tmp_path / "after"
    shutil.copytree(kept / "0-fast-after", after)
    lines = (after / file).read_text(encoding="utf-8").splitlines()
    lines = lines[1:] if change is None else [json.dumps(json.loads(lines[0]) | change), *lines[1:]]
    (after / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = compare(before, after)
    assert len(found) == (said is not None)
    assert all(line.startswith(said or "") for line in found)


def test_a_changed_finding_is_told_from_a_changed_score(compared: tuple[int, str, Path], tmp_path: Path) -> None:
    *_, kept = compared
    before, after = kept / "0-fast-before", tmp_path / "after"
    shutil.copytree(kept / "0-fast-after", after)
    rows = [json.loads(line) for line in (after / "campaigns.jsonl").read_text(encoding="utf-8").splitlines()]
    for change, said in (({"score": -1.0}, ()), ({"tier": "watch"}, ("urgent: 1 gone, 0 new", "watch: 0 gone, 1 new"))):
        assert rows[0]["tier"] == "urgent"
        lines = [json.dumps(row) for row in (rows[0] | change, *rows[1:])]
        (after / "campaigns.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert changed_findings(before, after) == said
