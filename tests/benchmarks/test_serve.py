"""The benchmark of the page, at a small size."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the page needs the extra serve")

from benchmarks import serve, serve_folder


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    monkeypatch.setenv("HARVESTDETECT_CACHE", str(cache))
    monkeypatch.setattr(serve_folder, "BASE_PROMPTS", 3_000)
    monkeypatch.setattr(serve, "REPEATS", 2)
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- serve -->\n<!-- /serve -->\nafter\n", encoding="utf-8")
    return file


def test_pages_are_timed_and_no_verdict_is_lost(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--rows", "4000", "--findings", "5", "--clients", "2", "--writers", "2", "--seconds", "4"]
    assert serve.main([*size, "--keep", str(tmp_path / "kept"), "--docs", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "4,000 prompts, 5 findings." in text
    for kind in ("queue", "finding with its map", "account", "search by wording", "search by shared address"):
        assert f"| {kind} | 2 | " in text
    assert "| pages that failed | 0 |" in text
    confirmed = int(text.split("| verdicts confirmed and kept | ")[1].split(" ")[0])
    assert confirmed > 0
    assert not capsys.readouterr().err
    assert list((tmp_path / "kept" / "work" / "search").iterdir())


def test_a_lost_verdict_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harvestdetect.serve.audit import Audit
    from harvestdetect.state import open_state

    state = tmp_path / "state"
    open_state(state, write=True).close()
    Audit(state).add("ann", "start")
    folders = serve.Folders(out=tmp_path, state=state, campaigns=(), accounts=(), texts=(), addresses=())
    load = serve.Load()
    assert serve.lost(folders, load) == []
    load.stored.append(("c-1", "ann", "a note"))
    assert serve.lost(folders, load) == ["the server confirmed 1 verdicts, and the state has 0"]
    Audit(state).add("ann", "verdict", campaign="c-1")
    assert len(serve.lost(folders, load)) == 2


def test_too_few_prompts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="5 findings need 4,000 prompts, got 3,999"):
        serve_folder.lay(tmp_path, rows=3_999, findings=5)
