"""The benchmark of signatures: its pairs of dumps, and how it counts."""

from __future__ import annotations

from benchmarks.signature_pairs import lay_side
from benchmarks.signatures import Matched, main_group, tables
from harvestdetect.simulate.evaluate import Planted


def test_the_sides_of_a_pair_share_templates_and_nothing_else() -> None:
    sides = [lay_side("adaptive", side, half="tuning", seed=0, rows=5_000, data=None) for side in (0, 1)]
    accounts = [{row["account"] for row in side.rows} for side in sides]
    assert not accounts[0] & accounts[1]
    names = [{row["name"]: set(row["accounts"]) for row in side.truth if row["kind"] == "campaign"} for side in sides]
    assert names[0].keys() == names[1].keys()
    graded = [
        {" ".join(str(row["prompt"]).split()[:6]) for row in side.rows if row["account"] in known["grading"]}
        for side, known in zip(sides, names, strict=True)
    ]
    assert any(start.startswith(("[", "Grade")) for start in graded[0] & graded[1]), "the template is the same"
    texts = [{str(row["prompt"]) for row in side.rows if len(str(row["prompt"])) > 60} for side in sides]
    assert len(texts[0] & texts[1]) < 0.1 * min(map(len, texts)), "the fillings are not"


def test_a_group_is_the_campaign_of_most_of_its_accounts() -> None:
    truth = [
        Planted(name="one", kind="campaign", what="", accounts=frozenset("abcd")),
        Planted(name="two", kind="look-alike", what="", accounts=frozenset("efgh")),
    ]
    assert main_group(set("abx"), truth) == "one"
    assert main_group(set("aefg"), truth) == ""
    assert main_group(set("efgh"), truth) == ""


def test_a_campaign_counts_once_however_many_signatures_it_has() -> None:
    found = [
        Matched(world="api", campaign="a", templates=1, by="template", right=True, others=0, innocents=0),
        Matched(world="api", campaign="a", templates=0, by="", right=False, others=1, innocents=0),
        Matched(world="api", campaign="b", templates=0, by="", right=False, others=0, innocents=2),
    ]
    attack = {"tried": 10, "hashes": 3, "explained": 3, "filled": 0, "least": 5}
    text = tables(found, {"irc": (100, 0)}, attack)
    assert "1 of 2 exported campaigns are found again" in text
    assert "of those whose signature has a template, 1 of 1" in text
    assert "| api | a | 2 | 1 | template | 1 | 0 |" in text
    assert "| api | b | 1 | 0 | not found | 0 | 2 |" in text
    assert "| irc | 100 | 0 |" in text
