"""States to damage, and what is in them."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from pathlib import Path

from harvestdetect import Settings
from harvestdetect.cli.main import run_command
from harvestdetect.state import State
from harvestdetect.state.store import DATABASE

__all__ = [
    "DAY",
    "START",
    "WORDS",
    "beside_alerts",
    "copied",
    "emptied",
    "everything",
    "findings",
    "prepared",
    "removed",
    "scan",
    "write_day",
]


DAY = 86_400
START = (int(time.time()) // DAY - 3) * DAY
"""Midnight three days ago: the clock and the data agree."""
WORDS = (
    *("river", "stone", "lamp", "cloud", "garden", "engine", "paper", "violin", "copper", "window", "market"),
    *("shadow", "bridge", "candle", "forest"),
)


def write_day(file: Path, day: int) -> Path:
    """A day of forty people, and of a pool of twelve accounts that harvest."""
    rng = random.Random(day)
    rows = [
        {"account": f"person-{rng.randrange(40)}", "timestamp": START + day * DAY + i, "prompt": " ".join(
            rng.choices(WORDS, k=9)
        )}
        for i in range(60)
    ]  # fmt: skip
    rows += [
        {
            "account": f"pool-{i}", "timestamp": START + day * DAY + 1_000 + 60 * i + n,
            "prompt": f"Solve the following {rng.choice(WORDS)} exam question step by step and grade your own "
            f"reasoning from one to ten: {rng.choice(WORDS)} and {rng.choice(WORDS)}",
        }
        for i in range(12)
        for n in range(3)
    ]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def copied(original: Path, place: Path) -> Path:
    shutil.copytree(original, place)
    return place


def prepared(folder: Path) -> dict[str, bytes]:
    """Digests of the prepared files, wherever in the state they are."""
    found = [*(folder / "read").glob("*.shard"), *folder.glob("aside/*.shard")]
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path.read_bytes() for path in found}


def everything(folder: Path) -> dict[str, bytes]:
    """All files of a state but those that a reader may touch."""
    found = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if not p.name.endswith(("-shm", "lock"))}


def scan(folder: Path, out: Path, settings: Settings, *files: Path, more: tuple[str, ...] = ()) -> int:
    return run_command(
        [
            "scan", *map(str, files), "--state", str(folder), "--out", str(out), "--encoder", "fast", "--workers", "1",
            "--threads", "1", "--cache", str(settings.cache), "--quiet", *more,
        ]
    )  # fmt: skip


def findings(state: State) -> list[tuple[str, str, int, int]]:
    return [(c.campaign_id, c.tier, c.accounts, c.prompts) for c in state.campaigns()]


def emptied(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"")


def removed(folder: Path) -> None:
    (folder / DATABASE).unlink()


def beside_alerts(said: str) -> list[str]:
    """The lines of standard error without the one that says how many alerts wait."""
    return [line for line in said.splitlines() if not line.startswith("alerts: ")]
