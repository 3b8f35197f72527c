"""``review --clear``: innocent members of a campaign."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harvestdetect.export import read_source
from tests.cli.support import Run
from tests.export.folders import small_scan

pytestmark = pytest.mark.usefixtures("loaded_once")
WHO = "pool-03x"
OTHER = "pool-04x"


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    """A state that knows one campaign, and its results."""
    return small_scan(tmp_path / "made", cache, fdr=0.5)  # so few prompts are at review with this rate


def test_the_command_clears_and_lists(run: Run, folder: Path) -> None:
    state = folder / "state"
    (known,) = json.loads(run("campaigns", state, "--format", "json").out)
    campaign = known["campaign_id"]
    done = run("review", state, campaign[:6], "--clear", WHO, "--note", "ours\x1b[31m", "--by", "ann")
    assert (done.code, done.out) == (0, f"{WHO} of {campaign}: cleared\n")
    told = run("campaigns", state, campaign).out
    assert f"cleared: {WHO}; ann cleared it on " in told
    assert "\x1b" not in told
    (listed,) = json.loads(run("campaigns", state, campaign, "--format", "json").out)["cleared"]
    assert (listed["account"], listed["reviewer"], listed["undone"]) == (WHO, "ann", None)
    members = {one.name: one for one in read_source(state, reveal=["accounts"]).campaigns[0].members}
    assert members[WHO].recommended is False
    members = {
        one.name: one for one in read_source(folder / "out", reveal=["accounts"], state=state).campaigns[0].members
    }
    assert (members[WHO].recommended, members[OTHER].recommended) == (False, True)
    for wrong in (("--clear", WHO), (campaign, "--clear", WHO, "--undo"), (campaign, "--clear", WHO, "--unclear", WHO)):
        assert run("review", state, *wrong).code == 2
    assert run("review", state, campaign, "--unclear", WHO, "--format", "json").code == 0
    assert json.loads(run("campaigns", state, campaign, "--format", "json").out)["cleared"] == []
