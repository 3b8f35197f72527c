"""No small file makes a scan take much: the corpus of :mod:`bombs`, scanned and measured.

By default the bombs are small and several share a scan; with ``HARVESTDETECT_BOMBS=full`` each is made at its full size
and scanned in a process of its own, which takes some twenty minutes.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bombs import BOMBS, PEAK_MB, SECONDS, Bomb, scan

FULL = os.environ.get("HARVESTDETECT_BOMBS") == "full"
ROOT = Path(__file__).resolve().parents[2]


def test_there_are_thirty_kinds_at_least_and_the_page_lists_them() -> None:
    assert len(BOMBS) >= 30
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)
    assert set(listed) <= {bomb.kind for bomb in BOMBS}
    assert len(listed) >= 30


@pytest.mark.skipif(not FULL, reason="set HARVESTDETECT_BOMBS=full; it takes some twenty minutes")
@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.kind)
def test_a_bomb_is_scanned_within_its_bounds(tmp_path: Path, environment: dict[str, str], bomb: Bomb) -> None:
    bomb.make(tmp_path / bomb.name, 1.0)
    found = scan(tmp_path / bomb.name, out=tmp_path / "out", environment=environment)
    assert not found.fault(), found.fault()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Bombs that share a scan."""

    start: str
    """Beginning of their kinds; the last group takes the others."""
    size: float
    """Of each bomb, as a share of its full size."""
    seconds: float = SECONDS
    """Longest time of a processor."""


GROUPS = (
    Group(start="csv-", size=0.004, seconds=SECONDS / 2),
    Group(start="parquet-", size=0.002, seconds=SECONDS / 3),
    Group(start="zstd-", size=0.01),
    Group(start="", size=0.002, seconds=SECONDS / 3),
)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.start)
def test_small_bombs_are_scanned_together(tmp_path: Path, environment: dict[str, str], group: Group) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    others = tuple(one.start for one in GROUPS if one.start)
    for bomb in BOMBS:
        if bomb.kind.startswith(group.start) if group.start else not bomb.kind.startswith(others):
            bomb.make(folder / bomb.name, group.size)
    found = scan(folder, out=tmp_path / "out", environment=environment)
    assert not found.fault(), found.fault()
    assert found.code == 0, found.errors
    assert found.cpu < group.seconds


@pytest.mark.parametrize("kind", ["blank-lines", "parquet-dictionary"])
def test_the_worst_bombs_are_scanned_at_their_full_size(tmp_path: Path, environment: dict[str, str], kind: str) -> None:
    (bomb,) = (bomb for bomb in BOMBS if bomb.kind == kind)
    bomb.make(tmp_path / bomb.name, 1.0)
    found = scan(tmp_path / bomb.name, out=tmp_path / "out", environment=environment)
    assert not found.fault(), found.fault()
    assert found.code == 0, found.errors
    assert found.peak_mb < PEAK_MB
