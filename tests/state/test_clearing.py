"""Accounts that a reviewer cleared stay members, and no later scan recommends them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harvestdetect.errors import StateError, UsageError
from harvestdetect.state import open_state
from harvestdetect.state.store import DATABASE
from tests.export.folders import DAY, small_scan
from tests.report.making import T0

pytestmark = pytest.mark.usefixtures("loaded_once")
WHO = "pool-03x"
OTHER = "pool-04x"
FDR = 0.5
"""So few prompts are at ``review`` with this rate."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    return small_scan(tmp_path_factory.mktemp("made"), cache, fdr=FDR)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A state that knows one campaign, its results and its dump."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_a_cleared_account_is_listed_apart_by_the_next_scan(folder: Path, cache: Path) -> None:
    from harvestdetect import Settings

    settings = Settings(encoder="fast", workers=1, threads=1, cache=cache, fdr=FDR)
    with open_state(folder / "state", write=True) as state:
        (campaign,) = (one.campaign_id for one in state.campaigns())
        state.clear(campaign, WHO, note="a colleague who tried the prompt", reviewer="ann", now=T0 + 2 * DAY)
        with pytest.raises(UsageError, match=r"is cleared in .* already"):
            state.clear(campaign, WHO, reviewer="bob")
        with pytest.raises(UsageError, match="was never a member"):
            state.clear(campaign, "nobody", reviewer="ann")
        with pytest.raises(UsageError, match="knows no campaign"):
            state.clear("c-none", WHO, reviewer="ann")
        run = state.scan([folder / "day.jsonl"], settings=settings, now=T0 + 3 * DAY)
        (finding,) = run.detection.findings
        members = {member.account: member for member in finding.members}
        assert WHO in members, "it stays a member"
        assert not members[WHO].recommended
        assert members[WHO].reasons[0].endswith("a colleague who tried the prompt")
        assert members[WHO].reasons[0].startswith("ann cleared it on ")
        assert members[OTHER].recommended
        assert finding.standing is not None
        assert "1 account that reviewers cleared is not recommended for action." in finding.standing.notes
        state.unclear(campaign, WHO, reviewer="bob")
        with pytest.raises(UsageError, match="nothing to take back"):
            state.unclear(campaign, WHO, reviewer="bob")
        run = state.scan([folder / "day.jsonl"], settings=settings, now=T0 + 4 * DAY)
        assert {m.account: m for m in run.detection.findings[0].members}[WHO].recommended
        assert [e.what for e in state.events(campaign) if "cleared" in e.what] == ["cleared", "cleared no more"]
        assert state.verify() == []


def test_a_clearing_follows_a_merge(folder: Path) -> None:
    with open_state(folder / "state", write=True) as state:
        (campaign,) = (one.campaign_id for one in state.campaigns())
        state.clear(campaign, WHO, reviewer="ann")
        with state._store.transaction() as connection:
            connection.execute(
                "INSERT INTO campaigns SELECT 'c-into', first_run, detected, tier, status, changed, NULL, NULL, "
                "finding FROM campaigns"
            )
            connection.execute("UPDATE campaigns SET merged_into = 'c-into' WHERE campaign = ?", (campaign,))
        assert set(state.cleared()) == {"c-into"}
        with pytest.raises(UsageError, match="was merged into c-into"):
            state.clear(campaign, OTHER, reviewer="ann")


def test_an_erased_account_is_cleared_no_more(folder: Path) -> None:
    with open_state(folder / "state", write=True) as state:
        (campaign,) = (one.campaign_id for one in state.campaigns())
        state.clear(campaign, WHO, note=f"{WHO} is ours", reviewer="ann")
        state.clear(campaign, OTHER, note=f"knows {WHO}", reviewer="ann")
        assert state.forget(WHO).known
        (left,) = state.cleared()[campaign].values()
        assert (left.account, left.note) == (OTHER, "knows [erased]")
    data = (folder / "state" / DATABASE).read_bytes()
    assert WHO.encode() not in data


def test_a_state_of_schema_3_is_brought_up_to_date(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "state" / DATABASE)) as connection:
        connection.execute("DROP TABLE clearings")
        connection.execute("PRAGMA user_version = 3")
        connection.commit()
    with pytest.raises(StateError, match="older version"):
        open_state(folder / "state")
    with open_state(folder / "state", write=True) as state:
        assert state.cleared() == {}
        assert state.verify() == []
