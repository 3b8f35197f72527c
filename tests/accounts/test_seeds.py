"""Seeds: what a person may choose, and what becomes of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harvestdetect import Detection, Settings, detect, read_dumps
from harvestdetect.accounts.seeds import Seeds, load_seeds
from harvestdetect.errors import InputError
from harvestdetect.report.format import found_because
from tests.search import worlds

TOPIC = "Please proofread my note to the landlord about {} and the {} heating, and keep it friendly"


@pytest.fixture(autouse=True)
def _loaded_once(loaded_once: None) -> None:
    """No scan loads the wording model anew."""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "are empty"),
        ("\n \n", "are empty"),
        ('{"text": 1}\n', "line 1: text must be a text"),
        ('lamp\n{"prompt": "lamp"}\n', "line 2: an object with one key"),
        ('{"text": "a", "account": "b"}\n', "line 1: an object with one key"),
        ('{"text": \n', "line 1: not a JSON object"),
        ('{"text": "\\u200b"}\n', "line 1: the text is empty"),
        ('{"account": ""}\n', "line 1: the account is empty"),
        ('{"text": "a\\u0000b"}\n', "line 1: NUL characters"),
        ("\n".join(map(str, range(1_001))), "are 1,001, more than 1,000"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "seeds").write_text(text)
    with pytest.raises(InputError, match=said):
        load_seeds(tmp_path / "seeds")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the file of seeds"):
        load_seeds(tmp_path / "nothing")
    (tmp_path / "seeds").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        load_seeds(tmp_path / "seeds")


def test_texts_and_accounts_may_be_mixed(tmp_path: Path) -> None:
    (tmp_path / "seeds").write_text('lamp\n{"text": "two\\nlines"}\n\n{"account": "one-1"}\nlamp\n')
    seeds = load_seeds(tmp_path / "seeds")
    assert (seeds.texts, seeds.accounts) == (("lamp", "two\nlines"), ("one-1",))
    assert seeds.source.startswith(f"{tmp_path / 'seeds'} (SHA-256 ")


# ---------------------------------------------------------------- what becomes of them


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump with a campaign, and a topic that people share and that is no candidate of texts."""
    rows = worlds.rows()
    subjects = ["rent gas", "noise oil", "mould wood", "keys coal", "bins steam", "snow solar", "pets cold", "mice hot"]
    rows += [
        {"account": f"tenant-{i}", "timestamp": worlds.START + 5_000 * i, "prompt": TOPIC.format(*words.split())}
        for i, words in enumerate([*subjects, "dust old"])
    ]
    return worlds.write(tmp_path_factory.mktemp("seeds") / "a.jsonl", rows)


def scanned(dump: Path, cache: Path, seeds: Seeds | None = None, **settings: int) -> Detection:
    wanted = Settings(encoder="fast", workers=1, threads=1, cache=cache, **settings)  # type: ignore[arg-type]
    return detect(read_dumps([dump]), settings=wanted, seeds=seeds)


def test_a_seed_gives_a_candidate_and_changes_no_other(dump: Path, cache: Path) -> None:
    plain = scanned(dump, cache)
    people = tuple(row["prompt"] for row in worlds.rows()[:6])
    hunt = scanned(dump, cache, Seeds(texts=(TOPIC.format("rats", "gas"), worlds.TWICE, *people)))
    chosen = [one for one in hunt.candidates if "seed" in one.ways]
    assert len(chosen) == 1
    assert chosen[0].accounts >= 15
    assert chosen[0].ways == ("seed",)
    others = [one for one in hunt.candidates if "seed" not in one.ways]
    bare = [dataclasses.replace(one, neighbors=()) for one in (*plain.candidates, *others)]
    assert bare[: len(plain.candidates)] == bare[len(plain.candidates) :]
    assert [one for one in hunt.findings if "seed" not in one.ways] == list(plain.findings)
    assert hunt.expected_false == plain.expected_false
    assert hunt.what_if == plain.what_if
    assert any("the seeds lead to" in note and "if the seeds were chosen" in note for note in hunt.notes)
    assert "evidence that led to the choice counts twice" in found_because(("seed",))


def test_seeds_that_lead_to_a_finding_mark_it(dump: Path, cache: Path) -> None:
    plain = scanned(dump, cache)
    for seeds in (Seeds(texts=(worlds.rows()[410]["prompt"],)), Seeds(accounts=("one-1", "one-2", "one-5"))):
        hunt = scanned(dump, cache, seeds)
        assert [one.campaign_id for one in hunt.findings] == [one.campaign_id for one in plain.findings]
        (finding,) = [one for one in hunt.findings if "seed" in one.ways]
        (before,) = [one for one in plain.findings if one.campaign_id == finding.campaign_id]
        assert before.accounts == worlds.POOL
        assert finding.ways == (*before.ways, "seed")
        assert dataclasses.replace(finding, ways=before.ways) == before
        assert any("which the scan finds without them too" in note for note in hunt.notes)


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        (Seeds(texts=("Zwölf Boxkämpfer jagen Viktor quer",)), "no prompt is near them, so there is no candidate"),
        (Seeds(accounts=("nobody",)), "accounts: 1 (1 of them sent nothing); no prompt is near them"),
        (Seeds(texts=(worlds.TWICE,)), "prompts near them: 2, of accounts: 2, too few for a candidate"),
    ],
)
def test_seeds_that_lead_nowhere_say_so(dump: Path, cache: Path, seeds: Seeds, said: str) -> None:
    hunt = scanned(dump, cache, seeds)
    assert not [one for one in hunt.candidates if "seed" in one.ways]
    assert any(said in note for note in hunt.notes), hunt.notes


def test_a_line_of_a_search_is_a_seed(tmp_path: Path) -> None:
    (tmp_path / "seeds").write_text(json.dumps({"account": "\x1b]0;evil\x07"}) + "\n")
    assert load_seeds(tmp_path / "seeds").accounts == ("\x1b]0;evil\x07",)
