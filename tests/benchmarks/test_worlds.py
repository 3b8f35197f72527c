"""The worlds at toy size: how they are laid, the halves, the perfect judge, and the command."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest

from benchmarks import world_plan, worlds
from benchmarks.planting import PlantedDump
from benchmarks.real_texts import Half
from benchmarks.sources import WINDOW
from benchmarks.world_plan import CAMPAIGNS, FIELDS, INNOCENTS, ONE_PROMPT, World, plan
from benchmarks.world_scene import Items
from benchmarks.world_scores import ONE, OTHERS, compared, score, tables
from benchmarks.world_sources import COMMON, WorldSources, data_missing, half_of, rows_of_half, world_sources
from benchmarks.worlds import lay, main
from harvestdetect.simulate.evaluate import Planted

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("HARVESTDETECT_DATA", ROOT.parent / "shared" / "data"))
ROWS = 2_500


@pytest.fixture(scope="module", params=["api", "adaptive"])
def laid(request: pytest.FixtureRequest) -> tuple[World, PlantedDump]:
    return request.param, lay(request.param, half="tuning", seed=3, rows=ROWS, data=None)


def test_a_world_has_every_kind_of_campaign(laid: tuple[World, PlantedDump]) -> None:
    world, dump = laid
    campaigns = {row["name"]: row["accounts"] for row in dump.truth if row["kind"] == "campaign"}
    assert list(campaigns) == list(CAMPAIGNS)
    looks = {row["name"].rsplit("-", 1)[0] for row in dump.truth if row["kind"] == "look-alike"}
    assert {"popular-framework", "popular-harness"} <= looks <= set(INNOCENTS[world])
    members = Counter(account for row in dump.truth for account in row["accounts"])
    assert max(members.values()) == 1, "no account is in two groups"
    sent = Counter(row["account"] for row in dump.rows)
    assert set(members) <= set(sent)
    assert len(set(sent) - set(members)) > 50, "there are accounts of nobody"
    for kind in ONE_PROMPT:
        assert dump.harvest[kind] <= 2 * len(campaigns[kind])
    times = [row["timestamp"] for row in dump.rows]
    assert times == sorted(times)
    assert times[-1] - times[0] <= WINDOW * 86_400


def test_a_seed_gives_the_same_world(laid: tuple[World, PlantedDump]) -> None:
    world, dump = laid
    again = lay(world, half="tuning", seed=3, rows=ROWS, data=None)
    assert again.rows == dump.rows
    assert again.truth == dump.truth
    assert lay(world, half="tuning", seed=4, rows=ROWS, data=None).truth != dump.truth


def test_without_metadata_there_are_three_fields(laid: tuple[World, PlantedDump]) -> None:
    world, dump = laid
    assert {key for row in dump.rows for key in row} > {"account", "timestamp", "prompt"}
    plain = lay(world, half="tuning", seed=3, rows=ROWS, data=None, metadata=False)
    assert {key for row in plain.rows for key in row} == {"account", "timestamp", "prompt"}
    assert not any(row["name"].startswith("queue") for row in plain.truth)


def test_the_log_of_a_world_has_some_of_the_fields() -> None:
    found = {plan("api", rows=ROWS, seed=f"tuning-{seed}").fields for seed in range(8)}
    assert len(found) > 4
    assert any(set(fields) < set(FIELDS) for fields in found)
    fields = plan("api", rows=ROWS, seed="tuning-3").fields
    dump = lay("api", half="tuning", seed=3, rows=ROWS, data=None)
    assert {key for row in dump.rows for key in row} == {"account", "timestamp", "prompt", *fields}


@pytest.mark.parametrize("world", get_args(World))
def test_a_crowd_has_more_innocent_groups_and_no_campaign(world: World) -> None:
    dump = lay(world, half="tuning", seed=3, rows=ROWS, data=None, crowd=3)
    assert {row["kind"] for row in dump.truth} == {"look-alike"}
    once = plan(world, rows=ROWS, seed="tuning-3", crowd=1)
    assert len(dump.truth) > 2 * len(once.innocents)


def test_half_of_the_accounts_with_one_prompt_share_rare_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_plan, "LOGGED", 1.0)
    dump = lay("api", half="tuning", seed=3, rows=12_000, data=None)
    first = {row["account"]: row for row in reversed(dump.rows)}
    truth = {row["name"]: row["accounts"] for row in dump.truth}
    planned = {c.kind: c for c in plan("api", rows=12_000, seed="tuning-3").campaigns}["one-prompt"]

    def alike(name: str) -> float:
        """The share of the accounts that share a card, an address range or a day of sign-up with two others."""
        rows = [first[account] for account in truth[name]]
        values = []
        for row in rows:
            own = set()
            if "network" in planned.signals:
                own.add(row["ip"].rsplit(".", 1)[0])
            if "payment" in planned.signals and "payment" in row:
                own.add(row["payment"])
            if "birth" in planned.signals:
                own.add(row["created_at"] // 86_400)
            values.append(own)
        common = Counter(value for own in values for value in own)
        return sum(any(common[value] > 2 for value in own) for own in values) / len(rows)

    assert len(planned.signals) >= 2
    assert 0.3 < alike("one-prompt") < 0.75
    assert alike("one-prompt-bare") < 0.15


def test_sizes_vary_with_the_seed() -> None:
    sizes = [[c.accounts for c in plan("api", rows=40_000, seed=str(seed)).campaigns] for seed in range(2)]
    assert sizes[0] != sizes[1]
    for number, kind in enumerate(CAMPAIGNS.values()):
        for own in sizes:
            assert 0.69 * kind.accounts <= own[number] <= 1.31 * kind.accounts


def test_a_text_of_two_halves_belongs_to_one() -> None:
    units = [f"unit-{i}" for i in range(40)]
    rows = [{"unit": unit, "text": f"only {unit}"} for unit in units]
    rows += [{"unit": unit, "text": f"shared {i % 5}"} for i, unit in enumerate(units)]
    parts: dict[Half, set[str]] = {
        half: {row["text"] for row in rows_of_half(rows, lambda r: str(r["unit"]), half=half)}
        for half in ("tuning", "reporting")
    }
    assert not parts["tuning"] & parts["reporting"]
    assert parts["tuning"] | parts["reporting"] == {row["text"] for row in rows}
    assert half_of("openai_evals") == half_of("ragas"), "evaluation prompts that were copied stay together"


def _texts(found: WorldSources) -> set[str]:
    """All texts of one half but short lines of chat."""
    people = found.people
    groups = (found.frameworks, found.graders, found.documents, found.benchmarks, found.rewordings, found.courses)
    texts = {text for group in groups for own in group.values() for text in own}
    texts |= {text for one in (*found.parallel, *found.spoken) for text in one.values()}
    texts |= {*found.harnesses, *found.own_prompts, *people.payloads, *people.templates, *people.products}
    texts |= {*people.scaffolds, *people.viral, *people.sentences, *people.tasks}
    texts |= {text for trace in (*people.accounts, *found.community) for _, text in trace}
    return {text for text in texts if len(text) >= COMMON}


@pytest.mark.shared_data
@pytest.mark.skipif(bool(data_missing(DATA)), reason=f"{DATA} lacks the public texts")
def test_no_public_text_is_in_both_halves() -> None:
    halves = {half: world_sources(DATA, half=half, seed="0", rows=20_000) for half in ("tuning", "reporting")}
    tuning, reporting = (_texts(found) for found in halves.values())
    assert len(tuning) > 20_000
    assert len(reporting) > 20_000
    assert not tuning & reporting
    for found in halves.values():
        assert len(found.benchmarks) >= 6
        assert len(found.documents) >= 10
        assert len(found.rewordings) >= 3
        assert len(found.frameworks) >= 4
        assert found.graders
        assert found.harnesses
        assert all(len(own) >= 10 for own in found.parallel)


def test_items_of_a_campaign_without_a_template_are_its_own() -> None:
    pools = {name: [f"{name}{i}" for i in range(5)] for name in "abcd"}
    items = Items(pools, frozenset("d"), random.Random(1))
    (alone,) = items.subjects(1, alone=True)
    assert alone != "d", "innocent people ask about it too"
    others = [name for _ in range(4) for name in items.subjects(2)]
    assert alone not in others
    assert {*others, alone} == set(pools)
    dealt = items.deal([alone])
    assert sorted(next(dealt) for _ in range(5)) == pools[alone]


# ---------------------------------------------------------------- scores


def _accounts(name: str, count: int) -> list[str]:
    return [f"{name}{i}" for i in range(count)]


TRUTH = [
    Planted(name="bare-questions", kind="campaign", what="", accounts=frozenset(_accounts("a", 40))),
    Planted(name="rotation", kind="campaign", what="", accounts=frozenset(_accounts("r", 30))),
    Planted(name="one-prompt", kind="campaign", what="", accounts=frozenset(_accounts("o", 20))),
    Planted(name="framework-1", kind="look-alike", what="", accounts=frozenset(_accounts("f", 30))),
]


def _scan(candidates: list[list[str]], tiers: list[str | None]) -> dict[str, Any]:
    findings = [
        {"campaign_id": f"c{i}", "tier": tier, "score": 1.0, "accounts": own, "recommended": own}
        for i, (own, tier) in enumerate(zip(candidates, tiers, strict=True))
        if tier
    ]
    ways = [["texts"], ["accounts", "texts"], [], [], []]
    return {
        "candidates": [
            {"accounts": own, "tier": tier, "ways": way}
            for own, tier, way in zip(candidates, tiers, ways[: len(candidates)], strict=True)
        ],
        "findings": findings,
        "seconds": 2.0,
        "peak_memory_mb": 100.0,
        "stages": {},
    }


def test_a_perfect_judge_takes_or_leaves_whole_candidates() -> None:
    candidates = [
        [*_accounts("a", 30), *_accounts("f", 10)],  # three quarters pure
        _accounts("r", 12),
        [*_accounts("r", 20)[12:], *_accounts("x", 2)],
        [*_accounts("o", 8), *_accounts("f", 9)],  # more than half is innocent
        _accounts("o", 1),  # too small a part
    ]
    result = score(_scan(candidates, ["review", None, None, "urgent", None]), TRUTH, world="api", seed=0, rows=100)
    kinds = {row["kind"]: row for row in result["kinds"]}
    assert (
        kinds["bare-questions"] | {"coverage": 0.75, "purity": 0.75, "held": True, "pieces": 1}
        == (kinds["bare-questions"])
    )
    assert kinds["bare-questions"]["ways"] == ["texts"]
    rotation = kinds["rotation"]
    assert (rotation["held"], rotation["held_in_pieces"], rotation["pieces"]) == (False, True, 2)
    assert rotation["ways"] == ["accounts", "texts"]
    assert (kinds["one-prompt"]["held"], kinds["one-prompt"]["pieces"]) == (False, 0)
    others, one = result["parts"][OTHERS], result["parts"][ONE]
    assert (others["campaigns"], others["held"], others["held_in_pieces"]) == (2, 1, 2)
    assert others["account_recall"] == pytest.approx(50 / 70)
    assert others["purity"] == pytest.approx(50 / 62)
    assert others["guilty"] == pytest.approx(50 / 62)  # the other accounts are innocent
    assert others["found_recall"] == pytest.approx(30 / 70)
    assert (one["account_recall"], one["purity"], one["held"]) == (0.0, None, 0)
    assert one["found_recall"] == pytest.approx(8 / 20)
    assert (result["real"]["campaigns_found"], result["real"]["alarms"]) == (1, 1)
    # the finding of bare-questions comes second, behind an innocent one; rotation has none
    assert result["real"]["average_precision_others"] == pytest.approx(1 / 4)
    assert result["real"]["innocents_hit"] == ["framework-1"]
    assert "Innocent groups behind alarms in `api`, all seeds: framework (1)." in tables([result])


def test_two_results_are_printed_side_by_side() -> None:
    worse = score(_scan([_accounts("a", 10)], [None]), TRUTH, world="api", seed=0, rows=100)
    better = score(_scan([_accounts("a", 40)], ["review"]), TRUTH, world="api", seed=0, rows=100)
    text = compared([worse], [better])
    assert "| bare-questions |" in text
    assert "0.25 → 1.00" in text
    assert "– → review" in text
    assert "0.14 → 0.57" in text, "account recall under the perfect judge"
    assert "No world" in compared([worse | {"seed": 1}], [better])
    assert tables([better]).count("| rotation |") == 1


# ---------------------------------------------------------------- the command


@pytest.mark.usefixtures("loaded_once")
def test_the_command(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTDETECT_CACHE", str(cache))
    page = tmp_path / "page.md"
    page.write_text("<!-- worlds-tuning -->\n<!-- /worlds-tuning -->\n", encoding="utf-8")
    given = ["--world", "api", "--rows", "1500", "--seeds", "1", "--work", str(tmp_path), "--docs", str(page)]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert "| bare-questions |" in printed
    assert "| bare-questions |" in page.read_text(encoding="utf-8")
    results = json.loads((tmp_path / worlds.RESULTS).read_text(encoding="utf-8"))
    assert [row["world"] for row in results] == ["api"]
    assert results[0]["candidates"] > 0
    assert {row["kind"] for row in results[0]["kinds"]} == set(CAMPAIGNS)
    assert results[0]["peak_memory_mb"] > 0


def test_wrong_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given, told in (
        (["--world", "moon"], "--world knows api, adaptive"),
        (["--data", str(tmp_path)], "lacks"),
        (["--lay-only"], "--lay-only needs --work"),
        (["--checkout", str(tmp_path)], "--checkout must be a folder with the package"),
        (["--compare", str(tmp_path / "none.json")], "--compare must be a file"),
    ):
        with pytest.raises(SystemExit):
            main(given)
        assert told in capsys.readouterr().err


@pytest.mark.parametrize("world", get_args(World))
def test_the_staff_of_an_organisation_have_its_hours_and_often_its_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world_plan, "LOGGED", 1.0)
    dump = lay(world, half="tuning", seed=4, rows=ROWS, data=None, crowd=4)
    groups = [set(row["accounts"]) for row in dump.truth if row["name"].startswith("staff")]
    assert len(groups) > 2
    names = []
    for accounts in groups:
        rows = [row for row in dump.rows if row["account"] in accounts]
        assert {row["account"] for row in rows} == accounts
        names.append(len({row["org"] for row in rows}))
        hours = Counter(row["timestamp"] // 3_600 % 24 for row in rows)
        day = max(sum(hours[(first + hour) % 24] for hour in range(13)) for first in range(24))
        assert day >= 0.9 * len(rows), "work takes half a day"
    assert 1 in names
