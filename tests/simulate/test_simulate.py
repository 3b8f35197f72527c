from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import FIELDS
from harvestdetect.errors import InputError, OutputError, SettingsError
from harvestdetect.simulate import Simulation, simulate
from harvestdetect.simulate.campaigns import CAMPAIGN_KINDS
from harvestdetect.simulate.grammar import Grammar, Sweep
from harvestdetect.simulate.look_alikes import LOOK_ALIKE_KINDS
from harvestdetect.simulate.people import GRAMMAR, Person, question, write
from harvestdetect.simulate.traffic import human_times, machine_times

METADATA = ["org", "ip", "asn", "user_agent", "api_key", "created_at", "model", "session"]


def rows_of(simulation: Simulation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(simulation)]


def lines_of(simulation: Simulation) -> Iterator[bytes]:
    for file in simulation.files:
        with gzip.open(file) as lines:
            yield from lines


def truth_of(simulation: Simulation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in simulation.truth.read_text(encoding="utf-8").splitlines()]


def text_of(prompt: str | list[dict[str, str]]) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(m["content"] for m in prompt)


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return simulate(tmp_path_factory.mktemp("default"))


@pytest.fixture(scope="module")
def rows(default: Simulation) -> list[dict[str, Any]]:
    return rows_of(default)


@pytest.fixture(scope="module")
def truth(default: Simulation) -> list[dict[str, Any]]:
    return truth_of(default)


# ---------------------------------------------------------------- the dump


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one = simulate(tmp_path / "one", prompts=2_000, seed=5)
    two = simulate(tmp_path / "two", prompts=2_000, seed=5)
    other = simulate(tmp_path / "other", prompts=2_000, seed=6)
    assert [f.name for f in one.files] == [f.name for f in two.files]
    assert [f.read_bytes() for f in one.files] == [f.read_bytes() for f in two.files]
    assert one.truth.read_bytes() == two.truth.read_bytes()
    assert one.files[0].read_bytes() != other.files[0].read_bytes()
    assert not {r["account"] for r in rows_of(one)} & {r["account"] for r in rows_of(other)}


def test_rows_have_the_expected_keys_and_types(rows: list[dict[str, Any]]) -> None:
    assert len(rows) == 20_000
    for row in rows:
        assert list(row) == ["account", "timestamp", "prompt", *METADATA]
        assert datetime.fromisoformat(row["timestamp"]).tzinfo == UTC
        for name in METADATA:
            assert isinstance(row[name], str) or (name == "api_key" and row[name] is None)
        if isinstance(row["prompt"], str):
            assert row["prompt"].strip()
        else:
            assert row["prompt"][-1]["role"] == "user"
            for message in row["prompt"]:
                assert set(message) == {"role", "content"}
                assert message["role"] in ("system", "user", "assistant")
                assert message["content"].strip()
    assert set(METADATA) <= set(FIELDS)
    assert 0.1 < np.mean([isinstance(r["prompt"], list) for r in rows]) < 0.5


def test_rows_go_by_time_within_the_window(rows: list[dict[str, Any]]) -> None:
    stamps = [row["timestamp"] for row in rows]
    assert stamps == sorted(stamps)
    assert stamps[0] >= "2026-06-01T00:00:00Z"
    assert stamps[-1] < "2026-07-01T00:00:00Z"
    assert all(row["created_at"] <= row["timestamp"] for row in rows)


def test_counts_hold(default: Simulation, rows: list[dict[str, Any]], truth: list[dict[str, Any]]) -> None:
    counts = default.counts
    assert counts["prompts"] == 20_000
    assert counts["harvest_prompts"] == 2_000
    parts = ("harvest_prompts", "cover_prompts", "look_alike_prompts", "background_prompts")
    assert sum(counts[name] for name in parts) == 20_000
    assert counts["accounts"] == len({row["account"] for row in rows})
    campaigns = [g for g in truth if g["kind"] == "campaign"]
    assert counts["campaigns"] == len(campaigns) == len(CAMPAIGN_KINDS)
    assert counts["look_alikes"] == len(truth) - len(campaigns) == len(LOOK_ALIKE_KINDS)
    assert all(25 <= len(g["accounts"]) <= 80 for g in campaigns)
    planted = [a for g in campaigns for a in g["accounts"]]
    assert len(planted) == len(set(planted)) == counts["campaign_accounts"]
    sent = Counter(row["account"] for row in rows)
    assert sum(sent[a] for a in planted) == counts["harvest_prompts"] + counts["cover_prompts"]
    assert min(sent[a] for a in planted) >= 4


def test_truth_is_about_accounts_of_the_dump_and_does_not_leak(
    default: Simulation, rows: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    accounts = {row["account"] for row in rows}
    innocent = {a for g in truth if g["kind"] == "look-alike" for a in g["accounts"]}
    guilty = {a for g in truth if g["kind"] == "campaign" for a in g["accounts"]}
    assert innocent | guilty <= accounts
    assert not innocent & guilty
    assert len({len(a) for a in accounts}) == 1
    raw = b"".join(lines_of(default))
    for group in truth:
        assert set(group) == {"name", "kind", "what", "accounts"}
        assert group["what"]
        assert group["name"].encode() not in raw
        assert group["what"].encode() not in raw


def test_background_is_varied_and_repeats_like_people(rows: list[dict[str, Any]], truth: list[dict[str, Any]]) -> None:
    grouped = {a for g in truth for a in g["accounts"]}
    texts = [r["prompt"] for r in rows if r["account"] not in grouped and isinstance(r["prompt"], str)]
    lengths = np.array([len(t) for t in texts])
    assert 120 < lengths.mean() < 280
    assert np.median(lengths) < lengths.mean()
    assert lengths.max() > 2_000
    common = Counter(t.lower() for t in texts).most_common(3)
    assert 0.001 < common[0][1] / len(texts) < 0.05
    assert len(set(texts)) > 0.75 * len(texts)
    by_account = Counter(r["account"] for r in rows if r["account"] not in grouped)
    volumes = sorted(by_account.values())
    assert volumes[-1] > 30 * volumes[len(volumes) // 2]


def test_campaigns_sweep_and_share_infrastructure(rows: list[dict[str, Any]], truth: list[dict[str, Any]]) -> None:
    by_account: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_account.setdefault(row["account"], []).append(row)
    for group in truth:
        of = [row for a in group["accounts"] for row in by_account[a]]
        if group["kind"] == "campaign":
            assert len({row["asn"] for row in of}) <= 4
            assert len({row["user_agent"] for row in of}) <= 3
            cohort = sorted({row["created_at"] for row in of})
            span = datetime.fromisoformat(cohort[-1]) - datetime.fromisoformat(cohort[0])
            assert span <= timedelta(days=4 if "hand-over" not in group["name"] else 18)
        if "slot-sweep" in group["name"]:
            texts = [text_of(row["prompt"]) for row in of]
            assert len(set(texts)) > 0.9 * len(texts)


def test_look_alikes_are_what_they_say(rows: list[dict[str, Any]], truth: list[dict[str, Any]]) -> None:
    groups = {g["name"].removeprefix("look-alike-")[:-2]: set(g["accounts"]) for g in truth}
    of = {name: [r for r in rows if r["account"] in accounts] for name, accounts in groups.items()}
    assert len({r["org"] for r in of["classroom"]}) == len({r["asn"] for r in of["classroom"]}) == 1
    assert len({r["org"] for r in of["benchmark"]}) == 1
    assert len(groups["benchmark"]) <= 3
    assert len(groups["nightly"]) == 1
    assert {r["timestamp"][11:13] for r in of["nightly"]} == {"02"}
    assert len({r["org"] for r in of["product"]}) == len(groups["product"]) > 50
    systems = {r["prompt"][0]["content"] for r in of["scaffold"]}
    assert len(systems) == 1
    assert len({r["prompt"][-1]["content"] for r in of["scaffold"]}) > 0.8 * len(of["scaffold"])
    viral, times = Counter(t for r in of["viral"] if len(t := text_of(r["prompt"])) > 200).most_common(1)[0]
    assert times > 0.4 * len(groups["viral"])
    assert "viral" not in viral
    moved = [min((r["timestamp"] for r in of["launch-day"] if r["account"] == a and r["model"] == "large-3"),
                 default="") for a in groups["launch-day"]]  # fmt: skip
    assert all(moved)
    days = Counter(stamp[:10] for stamp in moved)
    assert sum(n for _, n in days.most_common(2)) > 0.9 * len(moved)


# ---------------------------------------------------------------- options


def test_without_metadata_rows_have_three_keys(tmp_path: Path) -> None:
    simulation = simulate(tmp_path, prompts=500, metadata=False)
    assert all(list(row) == ["account", "timestamp", "prompt"] for row in rows_of(simulation))


@pytest.mark.parametrize(
    ("prompts", "share", "campaigns"),
    [(100, 0.1, None), (100, 0.9, None), (1_000, 0.0, None), (1_000, 0.9, 5), (3_000, 0.3, 0), (700, 0.1, 1)],
)
def test_sizes_and_shares_hold(tmp_path: Path, prompts: int, share: float, campaigns: int | None) -> None:
    simulation = simulate(tmp_path, prompts=prompts, harvest_share=share, campaigns=campaigns, days=2)
    rows = rows_of(simulation)
    truth = truth_of(simulation)
    assert len(rows) == prompts
    planted = [g for g in truth if g["kind"] == "campaign"]
    if campaigns is not None:
        assert len(planted) == campaigns
    expected = round(prompts * share) if planted else 0
    assert simulation.counts["harvest_prompts"] == expected
    assert {a for g in truth for a in g["accounts"]} <= {r["account"] for r in rows}


def test_own_texts_become_the_background(tmp_path: Path) -> None:
    one = tmp_path / "a.jsonl"
    one.write_text("".join(json.dumps({"text": f"own text {i} é"}) + "\n" for i in range(40)) + "\n", "utf-8")
    two = tmp_path / "b.txt.gz"
    two.write_bytes(gzip.compress("".join(f"plain line {i}\n" for i in range(30)).encode()))
    simulation = simulate(tmp_path / "out", prompts=600, texts=[one, two], harvest_share=0.2, campaigns=1)
    seen = Counter()  # type: Counter[str]
    for row in rows_of(simulation):
        prompt = row["prompt"]
        last = prompt if isinstance(prompt, str) else prompt[-1]["content"]
        if last.startswith(("own text", "plain line")):
            seen[last] += 1
    assert set(seen) == {f"own text {i} é" for i in range(40)} | {f"plain line {i}" for i in range(30)}
    counts = simulation.counts
    assert sum(seen.values()) == counts["background_prompts"] + counts["cover_prompts"]


def test_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    many = simulate(tmp_path, prompts=10_000)
    few = simulate(tmp_path, prompts=400)
    assert len(many.files) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dump", "truth.jsonl"]
    assert [p.name for p in (tmp_path / "dump").iterdir()] == ["prompts-000.jsonl.gz"]
    assert many.truth == few.truth == tmp_path / "truth.jsonl"
    assert len(rows_of(few)) == 400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompts": 10}, "prompts must be from 100"),
        ({"harvest_share": 0.95}, "harvest_share must be from 0 to 0.9, got 0.95"),
        ({"harvest_share": float("nan")}, "harvest_share must be"),
        ({"days": 1}, "days must be from 2"),
        ({"seed": -1}, "seed must be from 0"),
        ({"seed": 10**400}, r"seed must be from 0 to .*, got about 1e\+400"),
        ({"harvest_share": 10**400}, r"harvest_share must be from 0 to 0.9, got about 1e\+400"),
        ({"start": "June"}, "start must be a day such as 2026-06-01, got 'June'"),
        ({"start": "0001-01-01"}, "start must be from 1980"),
        ({"campaigns": -1}, "campaigns must be at least 0"),
        ({"prompts": 1_000, "campaigns": 3}, "campaigns must be at most 2, got 3"),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        simulate(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_bad_texts_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the texts in .*nothing\.txt: No such file"):
        simulate(tmp_path / "out", prompts=100, texts=[tmp_path / "nothing.txt"])
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "fine"}\n{"txt": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"bad.jsonl, line 2: expected a JSON object with a text key"):
        simulate(tmp_path / "out", prompts=100, texts=[bad])
    cut = tmp_path / "cut.txt.gz"
    cut.write_bytes(gzip.compress(b"line\n" * 500)[:-12])
    with pytest.raises(InputError, match="cannot read the texts in"):
        simulate(tmp_path / "out", prompts=100, texts=[cut])
    damaged = tmp_path / "damaged.txt.gz"
    damaged.write_bytes(gzip.compress(b"line\n" * 500)[:10] + b"\xff" * 500)
    with pytest.raises(InputError, match=r"cannot read the texts in .*damaged\.txt\.gz: .*invalid block type"):
        simulate(tmp_path / "out", prompts=100, texts=[damaged])
    with pytest.raises(InputError, match=r"cannot read the texts in a\0b: embedded null byte"):
        simulate(tmp_path / "out", prompts=100, texts=["a\0b"])
    empty = tmp_path / "empty.txt"
    empty.touch()
    with pytest.raises(InputError, match="has no text"):
        simulate(tmp_path / "out", prompts=100, texts=[empty])
    with pytest.raises(OutputError, match="cannot write the simulated dump"):
        simulate(empty, prompts=100)
    assert not list(tmp_path.glob("**/*.partial"))


# ---------------------------------------------------------------- parts


def test_grammar_forms_and_bound_values() -> None:
    grammar = Grammar({"n": ["owl"], "s": ["{^n} saw {a:n} and {b}: {#4-4}. {^a:n}."], "b": ["B"]})
    assert grammar.draw("s", Random(0)) == "Owl saw an owl and B: 4. An owl."
    assert grammar.draw("s", Random(0), {"n": "cat"}) == "Cat saw a cat and B: 4. A cat."
    kept = grammar.freeze("{s}", Random(0), keep=("n",))
    assert grammar.fill(kept, Random(0), {"n": "dog"}) == "Dog saw a dog and B: 4. A dog."
    with pytest.raises(KeyError):
        Grammar({"s": ["{missing}"]})
    with pytest.raises(ValueError, match="not a slot"):
        Grammar({"s": ["{Not a slot}"]})


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_a_sweep_meets_every_combination_once(sizes: list[int], seed: int) -> None:
    grammar = Grammar({f"r{i}": [f"v{j}" for j in range(size)] for i, size in enumerate(sizes)})
    sweep = Sweep(grammar, [f"r{i}" for i in range(len(sizes))], Random(seed))
    met = {tuple(sweep.at(item, Random(0)).values()) for item in range(sweep.size)}
    assert len(met) == sweep.size == int(np.prod(sizes))


def test_people_hardly_ever_write_the_same_but_for_short_messages() -> None:
    random = Random(1)
    drawn = [text_of(write(Person(random), random, session=session, position=0)) for session in range(10_000)]
    longer = [text for text in drawn if len(text) > 60]
    assert len(longer) > 6_000
    assert len(set(longer)) > 0.998 * len(longer)
    person = Person(random)
    again = [text_of(write(person, random, session=1, position=i)) for i in range(50)]
    assert len(set(again)) > 25
    assert len({question(random) for _ in range(500)}) > 480
    assert "{" not in GRAMMAR.draw("paragraph", random)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=12),
    st.integers(0, 2**32),
    st.sampled_from(["steady", "waves", "ramp"]),
)
@settings(max_examples=40, deadline=None)
def test_times_stay_in_the_window(counts: list[int], seed: int, tempo: str) -> None:
    dice = np.random.default_rng(seed)
    start, end = 1_000_000, 1_000_000 + 3 * 86_400
    created = dice.integers(start - 10_000, end - 7_200, len(counts))
    who, time, position, session = human_times(
        dice,
        counts=np.array(counts, dtype=np.int64),
        created=created,
        zones=dice.integers(-8, 10, len(counts)),
        window=(start, end),
        first_session=7,
    )
    assert np.bincount(who, minlength=len(counts)).tolist() == counts
    assert (time >= np.maximum(start, created[who])).all()
    assert (time < end).all()
    for one in np.unique(session):
        inside = session == one
        assert position[inside].tolist() == list(range(inside.sum()))
        assert len(set(who[inside].tolist())) == 1
        assert (np.diff(time[inside]) >= 0).all()
    queue = machine_times(dice, count=sum(counts), start=start, end=end, tempo=tempo)
    assert len(queue) == sum(counts)
    assert (np.diff(queue) >= 0).all()
    assert ((queue >= start) & (queue < end)).all()
