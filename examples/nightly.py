"""Scan one file after the other into a state: campaigns keep their ids, and a verdict is remembered.

python examples/nightly.py FOLDER [PROMPTS]
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from harvestdetect import Settings
from harvestdetect.simulate import simulate
from harvestdetect.state import open_state

WEEK = 7 * 86_400


def weekly_files(folder: Path, prompts: int) -> Iterator[tuple[Path, int]]:
    """Simulate four weeks of traffic; yield a file for each week, and when the week ends in Unix seconds."""
    weeks: dict[int, list[str]] = {}
    for file in simulate(folder / "simulated", prompts=prompts, days=28).files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                second = int(datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp())
                weeks.setdefault(second // WEEK, []).append(line)
    for week, rows in sorted(weeks.items()):
        file = folder / f"week-{week}.jsonl"
        file.write_text("".join(rows), encoding="utf-8")
        yield file, (week + 1) * WEEK


def main(folder: Path, prompts: int = 12_000) -> None:
    settings = Settings(encoder="fast")
    with open_state(folder / "state", write=True) as state:
        for file, end in weekly_files(folder, prompts):
            # A scheduled scan leaves `now` out: it is the time of the run.
            run = state.scan([file], settings=settings, window="60d", now=end)
            print(file.name, "-", run.new_rows, "new rows,", len(run.detection.findings), "findings in the window")
            for change in run.changes:
                print("  ", change.status, change.campaign_id, change.tier, change.accounts, "accounts")
        first = state.campaigns(now=end)[0].campaign_id
        state.review(first, "harvest", note="one customer sold the answers", reviewer="ana", now=end)
        for campaign in state.campaigns(now=end):
            print(
                campaign.campaign_id,
                campaign.status,
                campaign.tier,
                campaign.verdict.verdict if campaign.verdict else "no verdict",
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
