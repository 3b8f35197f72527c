"""The benchmark of preambles, at toy size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import preambles
from benchmarks.preambles import PLACES, main, make_product, make_world, preambles_of, wrapped

pytestmark = pytest.mark.usefixtures("loaded_once")


@pytest.mark.parametrize("place", PLACES)
def test_a_product_of_all_accounts_of_a_world_is_found(place: preambles.Place) -> None:
    world = make_world(1, data=None, half="tuning", rows=600)
    hidden, (users,) = wrapped(world, [make_product(1, place)], 1.0, 1)
    assert users == frozenset(world.accounts)
    (found,) = preambles_of(hidden.rows)
    assert found.accounts == len(users)
    assert preambles_of(world.rows) == ()


def test_a_world_has_the_wanted_share_of_campaign_accounts() -> None:
    world = make_world(2, data=None, half="tuning", rows=600, share=0.4)
    assert len(world.campaign) / len(world.accounts) == pytest.approx(0.4, abs=0.02)
    assert preambles_of(world.rows) == ()


def test_the_command_prints_and_documents_its_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump = tmp_path / "dump.jsonl"
    rows = [
        {"account": f"a{n % 20}", "timestamp": 1_780_000_000 + n, "prompt": f"say hello to number {n}"}
        for n in range(200)
    ]
    dump.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("<!-- preambles -->\n<!-- /preambles -->\n", encoding="utf-8")
    sizes = ["--worlds", "1", "--scans", "1", "--rows", "500", "--first-seed", "3"]
    assert main([*sizes, "--half", "tuning", "--cost", str(dump), "--docs", str(page)]) == 0
    out = capsys.readouterr().out
    assert "| one product, 100% of the accounts | 1 | 1 | 0 others |" in out
    assert "| no product | 1 |" in out
    assert "| 200 prompts, a product of everybody | 1 |" in out
    assert out.strip() in page.read_text(encoding="utf-8")
