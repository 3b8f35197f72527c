"""Progress in a terminal: one display, bars with and without a total, and commands that show none with --quiet."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

from harvestdetect.cli.dumps import working
from harvestdetect.cli.main import cli
from harvestdetect.context import open_context
from harvestdetect.settings import Settings
from harvestdetect.util import progress

SLOW = (
    *("scan", "calibrate", "drill", "inspect", "simulate", "export", "explain", "search"),
    "registry suggest",
    *("state gc", "state verify", "state rebuild", "state forget", "signatures export"),
)
"""Commands that may take seconds and then end. Others are quick, or run until somebody ends them."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error of a terminal. Called in the test, because pytest sets its own after the fixtures."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    return made


def visible() -> list[str]:
    """Names of the bars that are shown."""
    bars: Any = progress._terminal._bars
    return [] if bars is None else [task.description for task in bars.tasks if task.visible]


def test_a_bar_without_a_total_makes_room_for_the_bars_inside_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_terminal(monkeypatch)
    with progress.progress_bar("reading (MB)", 3) as read:
        assert visible() == ["reading (MB)"]
        read(1)
        with working("cluster wording", quiet=False):
            assert visible() == ["reading (MB)", "cluster wording"]
            read(2)
            assert visible() == ["cluster wording"], "all was read"
            with progress.progress_bar("neighbours", 10) as advance:
                assert visible() == ["neighbours"]
                advance(4)
            assert visible() == ["cluster wording"]
        assert visible() == []
    assert progress._terminal._bars is None
    assert "cluster wording" in terminal.getvalue()


def test_a_display_ends_when_a_stage_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    at_terminal(monkeypatch)
    with pytest.raises(ValueError, match="no"), working("evidence", quiet=False):
        raise ValueError("no")
    assert progress._terminal._bars is None
    with working("evidence", quiet=False):
        assert visible() == ["evidence"]


def test_nothing_is_shown_if_it_is_not_wanted_or_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_terminal(monkeypatch)
    with working("evidence", quiet=True):
        assert visible() == []
    assert terminal.getvalue() == ""
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    with working("evidence", quiet=False):
        assert visible() == []
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("name", SLOW)
def test_every_slow_command_can_be_quiet(name: str) -> None:
    command: click.Command = cli
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert any("--quiet" in param.opts for param in command.params)


def test_every_stage_says_that_it_goes_on() -> None:
    seen: list[tuple[str, int]] = []

    @contextmanager
    def told(what: str, total: int) -> Iterator[Callable[[int], None]]:
        seen.append((what, total))
        yield lambda count: None

    context = open_context(Settings(), progress=told)
    with context.measured("templates"), context.progress("parts", 7):
        pass
    assert seen == [("templates", 0), ("parts", 7)]


def test_inspect_shows_a_bar_and_quiet_silences_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dump = tmp_path / "a.jsonl"
    dump.write_text('{"account": "a", "prompt": "how are the tides made"}\n', encoding="utf-8")
    for words, shown in ((["--quiet"], False), ([], True)):
        terminal = at_terminal(monkeypatch)
        assert cli.main(["inspect", str(dump), *words], standalone_mode=False) == 0
        assert ("reading" in terminal.getvalue()) is shown
