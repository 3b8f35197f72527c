"""A campaign that changes its accounts and its template every few days, scanned day by day."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import stream
from benchmarks.laying import START
from benchmarks.stream import SCENARIOS, lay
from harvestdetect import Settings
from harvestdetect.simulate.evaluate import read_truth
from harvestdetect.state import State
from harvestdetect.util.periods import DAY

ENDS = (3, 6, 12)
"""Days after which the state scans: one generation, two, and four."""


def test_a_rotation_keeps_the_id_of_its_first_detection(
    state: State, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SCENARIOS", tuple(one for one in SCENARIOS if one.rotates))
    files = lay(tmp_path / "days", days=60, rows=200, seed=1)
    accounts = {account for g in read_truth(tmp_path / "days") if g.kind == "campaign" for account in g.accounts}
    found = []
    for begin, end in zip((0, *ENDS), ENDS, strict=False):
        run = state.scan(files[begin:end], settings=settings, now=START + end * DAY)
        found.append(
            {
                f.campaign_id: len(own)
                for f in run.detection.findings
                if (own := {m.account for m in f.members} & accounts)
            }
        )
    assert [len(one) for one in found] == [1, 2, 1], "the second generation may be another campaign, the third tells"
    (first,), (last,) = found[0], found[2]
    assert last == first
    assert found[2][last] == 48
    (other,) = set(found[1]) - {first}
    assert [e.what for e in state.events(other)][-1] == "merged"
    assert {c.campaign_id for c in state.campaigns() if set(state.members(c.campaign_id)) & accounts} == {first}
