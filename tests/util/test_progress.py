"""Progress bars in a terminal and in a notebook."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from harvestdetect.context import bars
from harvestdetect.util import progress


class Output:
    """What a notebook showed in one output, in order."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, value: Any) -> None:
        self.shown.append(repr(value))


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    """A notebook, whose clock goes on by a second with each look at it."""
    made = Output()

    def display(value: Any) -> Output:
        made.update(value)
        return made

    seconds = iter(range(1_000))
    monkeypatch.setattr(progress, "_display", display)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    return made


def test_a_notebook_shows_a_bar_and_then_nothing(output: Output) -> None:
    with progress.notebook_bar("evidence", 100) as advance:
        advance(25)
        advance(50)
    assert output.shown == [
        "evidence  ████████░░░░░░░░░░░░░░░░░░░░░░  25 of 100, 3 s left",
        "evidence  ██████████████████████░░░░░░░░  75 of 100, 1 s left",
        "",
    ]


def test_a_bar_ends_when_the_stage_fails(output: Output) -> None:
    def stage() -> None:
        with progress.notebook_bar("evidence", 10) as advance:
            advance(1)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        stage()
    assert output.shown[-1] == ""


def test_a_stage_without_items_shows_nothing_odd(output: Output) -> None:
    with progress.notebook_bar("evidence", 0) as advance:
        advance(3)
    assert output.shown[0].startswith("evidence  ░░")


def test_a_short_stage_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_display", lambda value: pytest.fail("it was shown"))
    with progress.notebook_bar("evidence", 10) as advance:
        advance(10)


def test_a_notebook_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not progress.in_notebook()
    for shell, expected in ((None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=1), True)):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert progress.in_notebook() is expected


def test_what_opens_bars() -> None:
    assert bars(None) is None
    assert bars(False) is None
    assert bars(True) is progress.bar_for
    assert bars(progress.notebook_bar) is progress.notebook_bar


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar_for("evidence", 10) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")
