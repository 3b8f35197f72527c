"""Merges of campaigns, and the verdicts on those that were merged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harvestdetect import Settings
from harvestdetect.cli.main import run_command
from harvestdetect.state import State
from harvestdetect.state.merges import Merged, merges
from harvestdetect.state.verdicts import Verdict
from tests.state.nights import DAY, rows

START = 1_790_000_000 // DAY * DAY


def now(day: int) -> int:
    return START + (day + 1) * DAY


def scanned(state: State, settings: Settings, folder: Path) -> str:
    """The id of the campaign that a run finds. The state gets a second one, ``c-old``, with eight of its accounts."""
    file = folder / "day.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(START, 0, pools={"one": 32}, people=120)))
    state.scan([file], settings=settings, now=now(0))
    campaign = next(c.campaign_id for c in state.campaigns() if c.tier != "watch")
    with state._store.transaction() as connection:
        connection.execute(
            "INSERT INTO campaigns SELECT 'c-old', first_run, detected, 'review', status, changed, NULL, NULL, finding "
            "FROM campaigns WHERE campaign = ?",
            (campaign,),
        )
        connection.execute(
            "INSERT INTO members SELECT 'c-old', account, first_run, last_run, membership, 0 FROM members "
            "WHERE campaign = ? ORDER BY account LIMIT 8",
            (campaign,),
        )
    return campaign


def test_a_benign_verdict_on_a_merged_campaign_is_told(
    state: State, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = scanned(state, settings, tmp_path)
    state.review(campaign, "harvest", reviewer="bob", now=now(0))
    given = state.review("c-old", "benign", note="a course", reviewer="ann", now=now(0))
    notes: list[str] = []
    sentence = f"c-old was merged into it; ann judged c-old benign on {given.sentence.split(' on ')[1]}"
    for day in (1, 2):  # the run of the merge, and a later one
        run = state.scan([tmp_path / "day.jsonl"], settings=settings, now=now(day), notes=notes.append)
        (finding,) = [f for f in run.detection.findings if f.campaign_id == campaign]
        assert finding.tier != "watch"
        assert finding.standing is not None
        assert finding.standing.notes == (sentence,)
        note = sentence.replace("into it", f"into {campaign}")
        assert note in run.detection.notes
        assert notes.count(note) == day
    capsys.readouterr()
    assert run_command(["campaigns", str(state.folder), campaign]) == 0
    history = capsys.readouterr().out
    assert f"\n{sentence}\n" in history
    assert "  merged in: c-old (run 2)\n" in history
    assert run_command(["campaigns", str(state.folder), "c-old"]) == 0
    assert f"  merged: {campaign} (run 2)\n" in capsys.readouterr().out
    state.review(campaign, "harvest", reviewer="bob", now=now(3))
    run = state.scan([tmp_path / "day.jsonl"], settings=settings, now=now(3))
    (finding,) = [f for f in run.detection.findings if f.campaign_id == campaign]
    assert finding.standing is not None
    assert finding.standing.notes == ()
    assert not any("c-old" in note for note in run.detection.notes)


def test_a_merge_through_another_campaign_keeps_the_verdict(state: State, settings: Settings, tmp_path: Path) -> None:
    campaign = scanned(state, settings, tmp_path)
    given = state.review("c-old", "benign", reviewer="ann", now=now(0))
    with state._store.transaction() as connection:
        connection.execute("INSERT INTO events VALUES (NULL, ?, 1, 'c-old', 'merged', 'c-mid')", (now(1),))
        connection.execute("UPDATE campaigns SET merged_into = 'c-mid' WHERE campaign = 'c-old'")
    through = merges(state._store, now=now(2), more={"c-mid": campaign})
    assert through[campaign] == (
        Merged(campaign_id="c-mid", at=now(2), verdict=None),
        Merged(campaign_id="c-old", at=now(2), verdict=given),
    )
    assert through[campaign][0].sentence() == "c-mid was merged into it."
    assert not through[campaign][0].warns(None)
    state.undo("c-old", reviewer="bob", now=now(2))
    (one,) = merges(state._store, now=now(2))["c-mid"]
    assert one.verdict is None


def test_a_campaign_judged_benign_is_listed_at_watch(
    state: State, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scanned(state, settings, tmp_path)
    given = state.review("c-old", "benign", reviewer="ann")
    (one,) = [c for c in state.campaigns() if c.campaign_id == "c-old"]
    assert (one.tier, one.evidence_tier, given.tier) == ("watch", "review", "review")
    capsys.readouterr()
    assert run_command(["campaigns", str(state.folder), "c-old"]) == 0
    assert capsys.readouterr().out.startswith("c-old: watch (review without the verdict), ")
    state.undo("c-old", reviewer="ann")
    (one,) = [c for c in state.campaigns() if c.campaign_id == "c-old"]
    assert (one.tier, one.evidence_tier) == ("review", "review")


def test_a_split_is_in_both_histories(state: State) -> None:
    with state._store.transaction() as connection:
        connection.execute("INSERT INTO events VALUES (NULL, ?, 3, 'c-new', 'split', 'c-old')", (now(1),))
    assert [(e.what, e.detail, e.run) for e in state.events("c-old")] == [("split off", "c-new", 3)]
    assert [(e.what, e.detail) for e in state.events("c-new")] == [("split", "c-old")]
    assert [(e.campaign_id, e.what) for e in state.events()] == [("c-new", "split")]


@pytest.mark.parametrize(("at", "warned"), [(None, True), (4, True), (5, True), (6, False)])
def test_a_later_verdict_on_the_other_campaign_ends_the_warning(at: int | None, warned: bool) -> None:
    def verdict(name: str, time: int) -> Verdict:
        return Verdict(
            number=1, campaign_id="c", verdict=name, note="", reviewer="ann", at=time, expires=None, undone=None,  # type: ignore[arg-type]
            tier="review",
        )  # fmt: skip

    merged = Merged(campaign_id="c-old", at=5, verdict=verdict("benign", 1))
    assert merged.warns(None if at is None else verdict("harvest", at)) is warned
    assert not Merged(campaign_id="c-old", at=5, verdict=verdict("unsure", 1)).warns(None)
