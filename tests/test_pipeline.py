"""The whole way from prompts to findings."""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from harvestdetect import Prompt, Settings, detect, read_dumps
from harvestdetect.context import open_context
from harvestdetect.data import NO_TIME, PROMPT_SCHEMA, TIERS, Batch, Detection
from harvestdetect.errors import SettingsError, UsageError
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.resolve import judge_candidates
from harvestdetect.pipeline import run_scan
from harvestdetect.report import detection_from_json, detection_json
from harvestdetect.simulate import Simulation, simulate
from harvestdetect.simulate.evaluate import Scores, evaluate, found_of, read_truth
from harvestdetect.template import description as template
from tests.stages.making import T0, people

pytestmark = pytest.mark.usefixtures("loaded_once")

ROWS = 3_000
"""Of the small dump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A simulated dump, read, what was measured on its candidates, and what was found in it."""

    simulation: Simulation
    rows: pa.Table
    measured: list[MeasuredCandidate]
    detection: Detection


@pytest.fixture(scope="module")
def fast(cache: Path) -> Settings:
    return Settings(encoder="fast", cache=cache)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, fast: Settings) -> Made:
    simulation = simulate(tmp_path_factory.mktemp("made"), prompts=ROWS, harvest_share=0.2, campaigns=4)
    batches = list(read_dumps(simulation.files))
    with judged() as taken:
        detection = detect(batches, settings=fast)
    return Made(
        simulation=simulation,
        rows=pa.Table.from_batches([b.prompts for b in batches]),
        measured=taken[0],
        detection=detection,
    )


@contextmanager
def judged() -> Iterator[list[list[MeasuredCandidate]]]:
    """What is measured on the candidates of each scan of the context, as it is judged."""
    taken: list[list[MeasuredCandidate]] = []

    def spied(campaigns: Any, measured: list[MeasuredCandidate], *rest: Any, **named: Any) -> Any:
        taken.append(list(measured))
        return judge_candidates(campaigns, measured, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harvestdetect.stages.judging.judge_candidates", spied)
        yield taken


def batches_of_rows(rows: pa.Table, order: Sequence[int], cuts: int) -> Iterator[Batch]:
    """Rows in another order, in other batches."""
    taken = rows.take(pa.array(order)).combine_chunks()
    for part in np.array_split(np.arange(len(order)), cuts):
        block = taken.slice(int(part[0]), len(part)).combine_chunks().to_batches()
        assert len(block) == 1
        yield Batch(prompts=block[0])


def with_parts(rows: pa.Table, change: Callable[[str], str]) -> pa.Table:
    parts = [[change(text) for text in messages] for messages in rows["parts"].to_pylist()]
    return rows.set_column(rows.schema.get_field_index("parts"), PROMPT_SCHEMA.field("parts"), pa.array(parts))


def missed(scores: Scores) -> set[str]:
    """Planted campaigns not found; a paraphrased one may take the meaning view in a small dump."""
    return {r.name for r in scores.rows if r.kind == "campaign" and not r.found and "paraphrase" not in r.name}


# ---------------------------------------------------------------- what is found


@pytest.mark.usefixtures("made")  # the first scan with a cache distils the wording model, which takes torch
def test_a_scan_imports_nothing_that_takes_a_second(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """To import ``scipy.stats``, or ``hdbscan`` with scikit-learn, takes longer than to scan a small dump."""
    made = simulate(tmp_path / "dump", prompts=1_500)
    code = (
        "import sys\n"
        "from harvestdetect.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print('loaded:', *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
        "    print('stats:', 'scipy.stats' in sys.modules, file=sys.stderr)\n"
    )
    command = ["scan", *made.files, "--out", tmp_path / "out", "--encoder", "fast", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert re.search("urgent|review", done.stdout), done.stderr
    loaded = set(done.stderr.splitlines()[-2].split())
    assert {"numpy", "scipy", "networkx", "faiss"} < loaded
    # pyarrow would import pandas by itself where that is installed
    assert not {"hdbscan", "sklearn", "torch", "matplotlib", "pandas"} & loaded
    assert done.stderr.splitlines()[-1] == "stats: False"


def test_the_planted_campaigns_of_a_small_dump_are_found(made: Made) -> None:
    scores = evaluate(found_of(made.detection), read_truth(made.simulation.truth))
    assert scores.campaigns == 4
    assert not missed(scores)
    assert scores.alarms_urgent == 0
    assert scores.look_alikes_urgent == 0


@pytest.fixture(scope="module")
def default_scan(tmp_path_factory: pytest.TempPathFactory, fast: Settings) -> tuple[Detection, Simulation]:
    """The default dump, and what a scan finds in it."""
    simulation = simulate(tmp_path_factory.mktemp("default"))
    return detect(read_dumps(simulation.files), settings=fast), simulation


@pytest.fixture(scope="module")
def default(default_scan: tuple[Detection, Simulation]) -> Scores:
    """The scores of a scan of the default dump."""
    detection, simulation = default_scan
    return evaluate(found_of(detection), read_truth(simulation.truth))


TITLES = {
    "slot-sweep": "Program code: “Produce production quality … code that …",
    "template-rotation": "“Someone (a …) wants help with …”, “Write a challenging … level problem",
    "fixed-instruction": "Step-by-step reasoning in <thinking_trace> tags: “Work through the problem",
    "paraphrase": "Step-by-step reasoning without fixed wording: ",
    "grading": "Grading of answers: “You evaluate the quality of AI answers",
    "system-prompt": "“You are an examiner who produces gold standard answers",
    "hand-over": "Write the monologue",
    "low-share": "“Compose a … of six sentences and translate it",
}
"""Kind of a planted campaign of the default dump -> what the title of its finding says."""


def test_each_planted_campaign_is_recognised_by_its_title(default_scan: tuple[Detection, Simulation]) -> None:
    detection, simulation = default_scan
    groups = [json.loads(line) for line in simulation.truth.read_text(encoding="utf-8").splitlines()]
    planted = {
        group["name"].split("-", 2)[2]: set(group["accounts"]) for group in groups if group["kind"] == "campaign"
    }
    assert set(planted) == set(TITLES)
    for kind, accounts in planted.items():
        found = max(detection.findings, key=lambda f: len(accounts & {m.account for m in f.members}))
        assert TITLES[kind] in found.title, (kind, found.title)


def test_the_planted_campaigns_of_the_default_dump_are_found(default: Scores) -> None:
    assert default.campaigns == 8
    assert default.campaign_recall == 1.0
    assert default.account_recall is not None
    assert default.account_recall > 0.9


def test_nothing_innocent_in_the_default_dump_is_urgent(default: Scores) -> None:
    assert default.alarms_urgent == 0
    assert default.look_alikes_urgent == 0


def test_findings_hold_together(made: Made) -> None:
    detection = made.detection
    assert detection.counts["prompts"] == ROWS
    assert detection.counts["accounts"] == len(set(made.rows["account"].to_pylist()))
    assert detection.counts["first_seen"] == min(made.rows["time"].to_pylist())
    order = [(TIERS.index(f.tier), -f.score) for f in detection.findings]
    assert order == sorted(order)
    assert len({f.campaign_id for f in detection.findings}) == len(detection.findings)
    assert detection.prompts is not None
    table = detection.prompts.to_pylist()
    for finding in detection.findings:
        own = [r for r in table if r["campaign_id"] == finding.campaign_id]
        assert finding.prompts == len(own) == sum(m.harvest_prompts for m in finding.members)
        assert finding.accounts == len(finding.members) == len({r["account"] for r in own}) >= 10
        assert {r["template_id"] for r in own} <= {t.template_id for t in finding.templates}
        assert sum(n for _, n in finding.days) == finding.prompts
        assert all(0 < e.p_value <= 1 for e in finding.evidence)
        assert 0 <= finding.q_value <= 1
        assert finding.probability == pytest.approx(1 / (1 + 2**-finding.score), abs=1e-4)
        assert sum(row.bits for row in finding.ledger) == pytest.approx(finding.score, abs=1)
        if finding.tier == "urgent":
            assert len(set(finding.families) - {"text"}) >= 2
        if finding.tier != "watch":
            assert finding.probability >= 0.8
        assert finding.tier != "watch" or not any(m.recommended for m in finding.members)
        for explanation in finding.benign_explanations:
            if explanation.caps:
                assert TIERS.index(finding.tier) >= TIERS.index(explanation.caps)


def test_a_prompt_is_in_one_template_of_a_campaign_and_in_one_campaign_of_texts(made: Made) -> None:
    assert made.detection.prompts is not None
    rows = made.detection.prompts.to_pylist()
    places = [(r["file"], r["line"], r["campaign_id"]) for r in rows]
    assert len(set(places)) == len(places)
    # of all findings of one way as well
    ways = {f.campaign_id: f.ways for f in made.detection.findings}
    by_texts = [place[:2] for place in places if "texts" in ways[place[2]]]
    assert len(set(by_texts)) == len(by_texts) > 0


def test_the_run_is_described(made: Made, fast: Settings) -> None:
    detection = made.detection
    assert detection.settings == fast.to_dict()
    assert set(detection.models) == {"wording"}
    assert len(detection.models["wording"]) == 64
    assert {"python", "harvestdetect", "numpy", "hdbscan", "faiss-cpu"} <= set(detection.versions)
    assert [s.stage for s in detection.stages] == [
        "read", "encode wording", "cluster wording", "assign", "templates", "campaigns", "accounts", "evidence",
        "triage", "map",
    ]  # fmt: skip
    assert all(s.seconds >= 0 and s.peak_memory_mb > 0 for s in detection.stages)
    assert [Path(f.name).name for f in detection.files] == [f.name for f in made.simulation.files]
    assert sum(f.rows for f in detection.files) == ROWS


def test_a_detection_comes_back_from_json(made: Made) -> None:
    back = detection_from_json(detection_json(made.detection))
    assert back == made.detection
    assert detection_json(back) == detection_json(made.detection)


# ---------------------------------------------------------------- the same rows


def shuffled_rows(rows: pa.Table) -> list[int]:
    return random.Random(3).sample(range(ROWS), ROWS)


def account_by_account(rows: pa.Table) -> list[int]:
    """Every account's rows together, latest first, accounts in an order of their own."""
    names = rows["account"].to_pylist()
    place = {name: i for i, name in enumerate(random.Random(4).sample(sorted(set(names)), len(set(names))))}
    return sorted(range(ROWS), key=lambda i: (place[names[i]], -i))


@pytest.mark.parametrize("order", [shuffled_rows, account_by_account])
def test_rows_in_any_order_and_any_batches_give_the_same_findings(
    made: Made, fast: Settings, order: Callable[[pa.Table], list[int]]
) -> None:
    again = detect(batches_of_rows(made.rows, order(made.rows), 7), settings=fast)
    assert again.findings == made.detection.findings
    assert {k: v for k, v in again.counts.items() if k != "files"} == {
        k: v for k, v in made.detection.counts.items() if k != "files"
    }
    assert again.prompts is not None
    assert made.detection.prompts is not None
    columns = ["line", "account", "campaign_id", "template_id", "membership"]
    assert again.prompts.select(columns).sort_by("line") == made.detection.prompts.select(columns).sort_by("line")


def test_rows_split_over_other_files_give_the_same_findings(made: Made, fast: Settings, tmp_path: Path) -> None:
    lines: list[bytes] = []
    for file in made.simulation.files:
        with gzip.open(file) as opened:
            lines += opened
    random.Random(1).shuffle(lines)
    (tmp_path / "one.jsonl").write_bytes(b"".join(lines[:1_200]))
    (tmp_path / "two.ndjson.gz").write_bytes(gzip.compress(b"".join(lines[1_200:4_900])))
    (tmp_path / "three.jsonl").write_bytes(b"".join(lines[4_900:]))
    again = detect(read_dumps([tmp_path]), settings=fast)
    assert again.counts["files"] == 3
    assert again.findings == made.detection.findings


def test_the_dump_twice_gives_the_same_campaigns(made: Made, fast: Settings, tmp_path: Path) -> None:
    for file in made.simulation.files:
        shutil.copy(file, tmp_path / f"copy-{file.name}")
    again = detect(read_dumps([*made.simulation.files, tmp_path]), settings=fast)
    assert again.counts["files"] == 2 * made.detection.counts["files"]
    for name in ("accounts", "segments", "clusters", "first_seen", "last_seen"):
        assert again.counts[name] == made.detection.counts[name]
    before, after = (
        {f.campaign_id: (f.tier, {m.account for m in f.members}) for f in found.findings if f.tier != "watch"}
        for found in (made.detection, again)
    )
    assert before
    assert after == before


def test_dumps_that_overlap_give_the_same_findings(made: Made, fast: Settings) -> None:
    half = range(ROWS // 2, ROWS)
    again = detect(batches_of_rows(made.rows, [*range(ROWS), *half], 3), settings=fast)
    assert again.counts["prompts"] == ROWS + len(half)
    assert again.findings == made.detection.findings


def test_the_search_by_cells_finds_the_campaigns_too(made: Made, fast: Settings) -> None:
    batches = batches_of_rows(made.rows, range(ROWS), 1)
    found = detect(batches, settings=fast.replace(exact_below=1_000))
    scores = evaluate(found_of(found), read_truth(made.simulation.truth))
    assert not missed(scores)


@pytest.mark.parametrize("selection", ["leaf", "eom"])
def test_the_other_selections_run(made: Made, fast: Settings, selection: str) -> None:
    found = detect(batches_of_rows(made.rows, range(0, ROWS, 2), 1), settings=fast.replace(selection=selection))
    assert found.counts["prompts"] == ROWS // 2
    assert found.counts["clusters"] > 0


# ---------------------------------------------------------------- templates


def invented(count: int = 900, each: int = 5, *, seed: int = 0) -> list[Prompt]:
    """A background that shares no words with anything: every account writes invented ones."""
    rng = random.Random(seed)
    words = [a + b + c for a in "bdfgklmnprstvz" for b in ("ad", "el", "om", "ur", "in") for c in ("an", "or", "ish")]
    found = []
    for a in range(count):
        own = rng.sample(words, 12)
        for _ in range(each):
            text = " ".join(rng.choices(own + rng.sample(words, 12), k=rng.randrange(4, 14)))
            found.append(Prompt(account=f"person {a}", prompt=text, time=T0 + rng.randrange(20 * 86_400)))
    return found


def ring(name: str, template: str, words: str, *, accounts: int = 15, each: int = 8, seed: int = 0) -> list[Prompt]:
    """Accounts that fill one template with words of one kind."""
    rng = random.Random(seed)
    return [
        Prompt(
            account=f"{name} {a}",
            prompt=template.format(*rng.choices(words.split(), k=template.count("{}"))),
            time=T0 + rng.randrange(20 * 86_400),
        )
        for a in range(accounts)
        for _ in range(each)
    ]


COOK = "stew risotto dumplings pancakes goulash paella sushi lasagne curry chowder gazpacho ramen"
STAR = "quasars pulsars comets nebulae asteroids supernovae galaxies eclipses meteors neutrinos sunspots cepheids"
SHORT = "Explain {}, {} and {} {} to a curious grown child"
LONG = SHORT + " in at most four short and friendly steps"
EXAM = "Write ten hard exam questions on {} and {} with a key and a mark for every single one of them"


@pytest.fixture(scope="module")
def two_rings(fast: Settings) -> Detection:
    """Two rings with one template, too short for their clusters to be made one, and different subjects."""
    return detect(invented() + ring("cook", SHORT, COOK, seed=1) + ring("star", SHORT, STAR, seed=2), settings=fast)


def test_campaigns_of_one_template_by_other_accounts_have_ids_of_their_own(two_rings: Detection) -> None:
    findings = two_rings.findings
    assert {frozenset(m.account.split()[0] for m in f.members) for f in findings} == {
        frozenset({"cook"}),
        frozenset({"star"}),
    }
    assert len(findings) == 2
    assert len({t.signature for f in findings for t in f.templates}) == 1
    assert findings[0].campaign_id != findings[1].campaign_id
    assert two_rings.prompts is not None
    rows = two_rings.prompts.to_pylist()
    for finding in findings:
        accounts = {r["account"] for r in rows if r["campaign_id"] == finding.campaign_id}
        assert accounts == {m.account for m in finding.members}


def test_clusters_with_the_same_fixed_words_are_no_different_templates(two_rings: Detection) -> None:
    for finding in two_rings.findings:
        told = [e for e in finding.evidence if e.id == "linked_templates"]
        assert not told or len({t.signature for t in finding.templates}) > 1


def test_two_populations_behind_one_template_are_two_findings(fast: Settings) -> None:
    """Their clusters are made one, and their accounts are told apart by their subjects."""
    found = detect(invented() + ring("cook", LONG, COOK, seed=1) + ring("star", LONG, STAR, seed=2), settings=fast)
    mine = [f for f in found.findings if any(m.account[:4] in ("cook", "star") for m in f.members)]
    assert {frozenset(m.account for m in f.members) for f in mine} == {
        frozenset(f"{name} {a}" for a in range(15)) for name in ("cook", "star")
    }
    for finding in mine:
        (only,) = finding.templates
        assert only.words == ("Explain", None, "to a curious grown child in at most four short and friendly steps")
        assert finding.prompts == only.prompts


def test_two_campaigns_that_share_a_template_are_two_findings(fast: Settings) -> None:
    words = f"{COOK} {STAR}"
    found = detect(
        invented()
        + ring("both", LONG, words, accounts=30, each=6, seed=1)
        + ring("both", EXAM, words, accounts=30, each=6, seed=2)
        + ring("one", LONG, words, accounts=25, each=6, seed=3),
        settings=fast,
    )
    by_name = {f.members[0].account.split()[0]: f for f in found.findings if f.tier != "watch"}
    assert set(by_name) == {"both", "one"}
    both, one = by_name["both"], by_name["one"]
    assert {m.account for m in both.members} == {f"both {i}" for i in range(30)}
    assert {m.account.split()[0] for m in one.members} == {"one"}
    assert len(one.members) >= 23
    assert (len(both.templates), len(one.templates)) == (2, 1)
    assert one.templates[0].signature in {t.signature for t in both.templates}
    assert both.campaign_id != one.campaign_id
    assert "linked_templates" in {e.id for e in both.evidence}
    assert "linked_templates" not in {e.id for e in one.evidence}
    assert all(m.recommended for f in (both, one) for m in f.members)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_who_writes_of_a_fillings_subject_without_the_template_is_no_member(fast: Settings, seed: int) -> None:
    rng = random.Random(seed)
    asked = ("how long does {} keep", "recipe for {}", "is {} good with {}", "my {} and {} went wrong again, what now")
    innocent = [
        Prompt(
            account=f"cook {a}",
            prompt=rng.choice(asked).format(*rng.sample(COOK.split(), 2)),
            time=T0 + rng.randrange(20 * 86_400),
        )
        for a in range(40)
    ]
    found = detect(invented(seed=seed) + ring("ring", LONG, COOK, accounts=24, seed=seed) + innocent, settings=fast)
    (finding,) = [f for f in found.findings if any(m.account.startswith("ring") for m in f.members)]
    assert {m.account for m in finding.members} == {f"ring {a}" for a in range(24)}
    assert not any(m.account.startswith("cook") for f in found.findings for m in f.members)


def test_without_a_template_clusters_are_linked_as_subjects(
    made: Made, fast: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "linked_templates" in {e.id for c in made.detection.candidates for e in c.evidence}
    monkeypatch.setattr(template, "TEMPLATE_WORDS", 10**6)
    monkeypatch.setattr(template, "SHARED_WORDS", 1e6)
    found = detect(batches_of_rows(made.rows, range(ROWS), 1), settings=fast)
    assert not any(c.templated for c in found.candidates)
    ids = {e.id for c in found.candidates for e in c.evidence}
    assert "linked_templates" not in ids
    assert {"even_load", "linked_clusters"} <= ids


# ---------------------------------------------------------------- words of a finding


def test_no_prompt_text_is_in_sentences_and_examples_alone_show_it(made: Made, fast: Settings) -> None:
    rows = with_parts(made.rows, lambda text: re.sub(r"\w+", r"zq\g<0>", text))
    found = detect(batches_of_rows(rows, range(ROWS), 1), settings=fast)
    assert found.findings
    for finding in found.findings:
        spoken = [
            finding.summary,
            *(e.sentence for e in finding.evidence),
            *(e.null for e in finding.evidence),
        ]
        spoken += [e.sentence for e in finding.benign_explanations]
        spoken += [reason for m in finding.members for reason in m.reasons]
        assert not [s for s in spoken if "zq" in s]
        assert all("zq" in t.medoid for t in finding.templates)


def test_without_times_and_fields_the_other_evidence_stands(made: Made, fast: Settings) -> None:
    rows = made.rows
    for name in PROMPT_SCHEMA.names:
        place = rows.schema.get_field_index(name)
        if name in ("time", "created_at"):
            rows = rows.set_column(place, PROMPT_SCHEMA.field(name), pa.array([NO_TIME] * ROWS, pa.int64()))
        elif PROMPT_SCHEMA.field(name).nullable:
            rows = rows.set_column(place, PROMPT_SCHEMA.field(name), pa.nulls(ROWS, pa.string()))
    found = detect(batches_of_rows(rows, range(ROWS), 1), settings=fast)
    assert "first_seen" not in found.counts
    # the wording and the structure alone give planted campaigns, most of them, and nobody else
    planted = {p.name: p.accounts for p in read_truth(made.simulation.truth) if p.kind == "campaign"}
    clear = [accounts for name, accounts in planted.items() if "paraphrase" not in name]
    members = [{m.account for m in f.members} for f in found.findings if f.tier != "watch"]
    assert all(any(len(own & accounts) > len(own) / 2 for accounts in planted.values()) for own in members)
    assert sum(any(len(own & accounts) > len(accounts) / 2 for own in members) for accounts in clear) >= len(clear) - 1
    for finding in found.findings:
        assert (finding.first_seen, finding.last_seen, finding.days, finding.orgs) == (None, None, (), None)
        assert "time" not in finding.families
    assert detection_from_json(detection_json(found)) == found


# ---------------------------------------------------------------- small and odd dumps


def check_empty(found: Detection, prompts: int) -> None:
    assert found.findings == ()
    assert found.counts["prompts"] == prompts
    assert detection_from_json(detection_json(found)) == found


@pytest.mark.parametrize("source", [[], iter([]), [Batch(prompts=pa.RecordBatch.from_pylist([], PROMPT_SCHEMA))]])
def test_an_empty_dump_has_no_findings(source: Any, fast: Settings) -> None:
    found = detect(source, settings=fast)
    check_empty(found, 0)
    assert found.counts["accounts"] == found.counts["rejects"] == 0


def test_one_row(fast: Settings) -> None:
    check_empty(detect([Prompt(account="a", prompt="Explain the tide to me.", time=T0)], settings=fast), 1)


def test_two_rows(fast: Settings) -> None:
    rows = [
        Prompt(account="a", prompt="Explain the tide."),
        Prompt(account="b", prompt="A poem about bread, please."),
    ]
    check_empty(detect(rows, settings=fast), 2)


def test_one_account(fast: Settings) -> None:
    rows = [
        Prompt(
            account="a",
            prompt=f"Explain item number {i} of the list to a child in simple words.",
            time=T0 + 60 * i,
        )
        for i in range(200)
    ]
    check_empty(detect(rows, settings=fast), 200)


def test_all_rows_equal(fast: Settings) -> None:
    check_empty(detect([Prompt(account="a", prompt="Explain the tide to me.")] * 80, settings=fast), 80)
    assert detect([Prompt(account="a", prompt="Explain the tide to me.", time=T0)] * 80, settings=fast).findings == ()


def test_one_text_from_many_accounts(fast: Settings) -> None:
    rows = [Prompt(account=f"a{i % 40}", prompt="Explain the tide to me in two words.", time=T0) for i in range(80)]
    found = detect(rows, settings=fast)
    assert {f.tier for f in found.findings} <= {"watch"}
    assert found.counts["segments"] == 1


def test_prompts_that_are_empty_once_normalised(fast: Settings) -> None:
    check_empty(detect([Prompt(account=f"a{i}", prompt="\u200b\u2060") for i in range(20)], settings=fast), 20)


def test_people_alone_make_nothing_above_watch(fast: Settings) -> None:
    found = detect(people(), settings=fast)
    assert {f.tier for f in found.findings} <= {"watch"}


def test_everything_in_one_sitting_is_no_evidence_of_time(fast: Settings) -> None:
    sent = [replace(p, time=T0) for p in people()]
    sent += [
        Prompt(account=f"ring {i % 15}", prompt=f"Grade answer {i} from one to ten, with reasons: {i}.", time=T0)
        for i in range(90)
    ]
    for finding in detect(sent, settings=fast).findings:
        assert "time" not in finding.families
        assert finding.tier != "urgent"


def test_hostile_texts_pass_through(fast: Settings) -> None:
    hostile = [
        "</script><img src=x onerror=alert(1)> {{ 7*7 }} ${jndi:ldap://x} %s {0}",
        "\x1b[31mred\x1b]0;title\x07 \u202ereversed",
        "a" * 50_000,
        '=HYPERLINK("http://example.org")',
        "🙂" * 400,
        "[" * 2_000,
        "\u0301" * 500,
        "line\n" * 3_000,
        "' OR 1=1; DROP TABLE prompts; --",
    ]
    rows = [
        Prompt(account=f"<b>{i % 14}</b>", prompt=f"{text} {i // 9}", time=T0 + i, fields={"org": text[:50]})
        for i, text in enumerate(hostile * 14)
    ]
    found = detect(rows, settings=fast)
    assert found.counts["prompts"] == len(rows)
    assert detection_from_json(detection_json(found)) == found


# ---------------------------------------------------------------- families left out, progress


def test_families_left_out_are_no_evidence(made: Made, fast: Settings) -> None:
    notes: list[str] = []
    context = open_context(fast, notes=notes.append)
    with judged() as taken:
        scan = run_scan(read_dumps(made.simulation.files), context, leave_out=("time", "intent"))
    found = scan.detection
    assert "evidence left out: intent, time" in notes
    assert {e.family for w in scan.measured for e in w.evidence} == {"text", "structure", "infrastructure"}
    assert {s.family for c in found.candidates for s in c.family_results} == {"text", "structure", "infrastructure"}
    whole, (less,) = made.measured, taken
    assert whole
    closer = {m.id for m in MEASURES if m.closer_look}
    for before, after in zip(whole, less, strict=True):
        left = [e for e in before.evidence if e.family not in ("time", "intent") and e.id not in closer]
        assert left == [e for e in after.evidence if e.id not in closer]
        told = [[(b.id, b.statistic, b.sentence) for b in w.benign] for w in (before, after)]
        assert told[0] == told[1]
    assert "time" not in {row.family for f in found.findings for row in f.ledger}


def test_what_is_no_family_cannot_be_left_out(fast: Settings) -> None:
    with pytest.raises(SettingsError, match=r"^leave_out knows text, structure, time, infrastructure, intent, not "):
        detect([], settings=fast, leave_out=("wording",))  # type: ignore[arg-type]


@pytest.mark.parametrize("names", ["time", (None,)])
def test_families_to_leave_out_are_a_list_of_texts(fast: Settings, names: Any) -> None:
    with pytest.raises(UsageError, match=r"^leave_out must be a list of families, such as "):
        detect([], settings=fast, leave_out=names)


def test_progress_and_notes_are_told(cache: Path) -> None:
    seen: dict[str, list[int]] = {}

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
        seen[what] = [total, 0]

        def advance(count: int) -> None:
            seen[what][1] += count

        yield advance

    detect(people(), settings=Settings(encoder="fast", cache=cache), progress=progress)
    assert {"wording", "neighbours", "evidence"} <= set(seen)
    assert all(total == done for total, done in seen.values())
