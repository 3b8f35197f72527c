"""Fixtures of the tests of the commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from harvestdetect.cli.main import main
from tests.cli.support import Done, Run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> Run:
    """Runs the command line in this process."""
    for name in [name for name in os.environ if name.startswith("HARVESTDETECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HARVESTDETECT_CACHE", environment["HARVESTDETECT_CACHE"])
    monkeypatch.setenv("HARVESTDETECT_ENCODER", "fast")

    def once(*arguments: str | Path) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Done(code=end.value.code, out=out, err=err)

    return once
