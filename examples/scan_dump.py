"""Scan dump files, write the results, and read the findings back from them.

python examples/scan_dump.py OUT DUMP...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq

from harvestdetect import HarvestdetectError, Settings, detect, read_dumps, write_outputs


def scan(dumps: list[str], out: Path) -> None:
    """Find campaigns in the dumps and write ``report.html`` and the machine-readable files into ``out``."""
    settings = Settings(encoder="fast")
    detection = detect(read_dumps(dumps, settings=settings), settings=settings)
    write_outputs(detection, out)
    print(detection.counts["prompts"], "prompts,", detection.counts["rejects"], "rows could not be read")


def show(out: Path) -> None:
    """Print each finding and the first prompts of its accounts, from the files alone."""
    prompts = pq.read_table(out / "prompts.parquet")
    for line in (out / "campaigns.jsonl").read_text(encoding="utf-8").splitlines():
        finding = json.loads(line)
        rows = [row for row in prompts.to_pylist() if row["campaign_id"] == finding["campaign_id"]]
        print(finding["tier"], finding["campaign_id"], "-", finding["summary"])
        for row in rows[:3]:
            print("   ", row["account"], "in", row["file"], "line", row["line"])


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        scan(arguments[1:], Path(arguments[0]))
    except HarvestdetectError as error:
        print(f"scan_dump: {error}", file=sys.stderr)
        return error.exit_code
    show(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
