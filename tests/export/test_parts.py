"""The parts that the formats share: ids, times, networks, what is shown, and the graph."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harvestdetect.data import BenignExplanation, SharedValue
from harvestdetect.errors import InputError, UsageError
from harvestdetect.export import FORMATS, ExportOptions, export_text, read_source
from harvestdetect.export.disclosure import disclosed, selected
from harvestdetect.export.reasons import reasons
from harvestdetect.export.text import content_id, created_of, moment_of, network_of, networks, percent_of, plain
from harvestdetect.export.values import Account, Campaign, Link, Source, TemplateView
from harvestdetect.util.escape import INVISIBLE, csv_text
from tests.export.checking import csv_table, graph_of, misp_event, ocsf_events, stix_objects
from tests.export.folders import hostile_folder

T0 = 1_772_323_200
TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)
"""Any characters, also lone surrogates and controls."""


def account(name: str, number: int = 1, **changes: Any) -> Account:
    values: dict[str, Any] = {"name": name, "tag": f"account-{number}", "membership": 0.9, "recommended": True}
    return Account(**{**values, **changes})


def campaign(**changes: Any) -> Campaign:
    values: dict[str, Any] = {
        "campaign_id": "c-1", "tier": "urgent", "title": "Grading: “Grade the answer …”",
        "summary": "Two accounts.", "accounts": 2, "prompts": 5,
        "first_seen": T0, "last_seen": T0 + 60,
    }  # fmt: skip
    return Campaign(**{**values, **changes})


def source(*campaigns: Campaign, **changes: Any) -> Source:
    values: dict[str, Any] = {"kind": "scan", "last_seen": T0 + 90, "pseudonyms": False, "version": "0.2.0"}
    return Source(campaigns=campaigns, **{**values, **changes})


def shared(field: str, value: str, members: int = 3) -> SharedValue:
    return SharedValue(field=field, value=value, members=members, known=9, accounts=members, population=90)


# ---------------------------------------------------------------- ids, times, networks


def test_ids_depend_on_each_part_and_its_borders() -> None:
    ids = [content_id("a", "b"), content_id("ab"), content_id("a", "b", ""), content_id("b", "a"), content_id("\ud800")]
    assert len(set(ids)) == len(ids)
    assert ids[0] == content_id("a", "b")
    assert uuid.UUID(ids[0]).version == 5


@given(TEXTS)
def test_a_plain_text_is_one_visible_line(text: str) -> None:
    assert not INVISIBLE.search(plain(text))
    assert "\n" not in plain(text)
    assert len(plain(text, 10)) <= 10
    plain(text).encode()  # no lone surrogate is left


def test_the_time_of_a_finding() -> None:
    timeless = campaign(first_seen=None, last_seen=None)
    assert moment_of(campaign(), source(), ExportOptions(time=5)) == T0 + 60
    assert moment_of(timeless, source(), ExportOptions(time=5)) == T0 + 90
    assert moment_of(timeless, source(last_seen=None), ExportOptions(time=5)) == 5
    with pytest.raises(UsageError, match="give --time"):
        moment_of(timeless, source(last_seen=None), ExportOptions())
    assert created_of(campaign(detected=T0 + 30), T0 + 60) == T0 + 30
    assert created_of(campaign(detected=T0 + 99), T0 + 60) == T0
    assert created_of(timeless, 7) == 7


@pytest.mark.parametrize(
    ("field", "value", "network"),
    [
        ("ip", "203.0.113.*", "203.0.113.0/24"),
        ("network", "2001:db8:0:*", "2001:db8::/48"),
        ("network", "0:0:0:*", "::/48"),
        ("ip", "300.0.113.*", None),
        ("ip", "203.0.*", None),
        ("ip", "secr…", None),
        ("api_key", "203.0.113.*", None),
    ],
)
def test_a_masked_address_is_a_network(field: str, value: str, network: str | None) -> None:
    assert network_of(shared(field, value)) == network


def test_addresses_of_one_network_are_one() -> None:
    values = (shared("ip", "10.0.0.*"), shared("network", "10.0.0.*", 8), shared("ip", "10.0.1.*", 9))
    found = networks(campaign(shared_values=values))
    assert [(network, one.members) for network, one in found.items()] == [("10.0.1.0/24", 9), ("10.0.0.0/24", 8)]


def test_no_probability_is_certain() -> None:
    assert [percent_of(p) for p in (0.0, 0.004, 0.5, 0.99999, 1.0)] == [1, 1, 50, 99, 99]
    assert percent_of(math.nan) is None


def test_a_reviewer_is_not_named_to_others() -> None:
    tested = (
        BenignExplanation(
            id="verdict", name="verdict", verdict="fits", statistic=None, sentence="ann judged it benign"
        ),
        BenignExplanation(id="event", name="an event", verdict="unlikely", statistic=1.0, sentence="No deadline."),
    )
    one = campaign(benign_explanations=tested, verdict="ann judged it benign on 2026-03-01.")
    assert reasons(one) == ["Innocent explanations that were tested:", "unlikely: an event. No deadline."]
    for name in ("stix", "misp"):
        assert "ann" not in export_text(source(one), name)
    assert "ann judged it benign" in export_text(source(one), "ocsf")


# ---------------------------------------------------------------- what is shown


def linked() -> Source:
    links = (
        Link(account="a", template_id="t-2", rows=1, first_seen=T0, last_seen=T0, file="d/a.jsonl", line=7),
        Link(account="b", template_id="t-2", rows=3, first_seen=None, last_seen=None, file="new.jsonl", line=1),
        Link(account="a", template_id="t-1", rows=2, first_seen=T0, last_seen=T0 + 9, file="d/a.jsonl", line=2),
    )
    template = TemplateView(
        template_id="t-1", signature="ab", words=("Solve", None), fixed_words=1, slots=1, fillings=(("x",),),
        examples=("Solve x",),
    )  # fmt: skip
    one = campaign(members=(account("b"), account("a", 2)), links=links, templates=(template,))
    return source(one, campaign(campaign_id="c-2", tier="watch"), files={"d/a.jsonl": "4e1b617ba6250000"})


def test_names_and_texts_are_taken_out() -> None:
    one = disclosed(linked(), ()).campaigns[0]
    assert [m.name for m in one.members] == ["account-1", "account-2"]
    assert [(k.account, k.template_id, k.evidence) for k in one.links] == [
        ("account-1", "t-2", "unknown file:1"),
        ("account-2", "t-1", "4e1b617ba625:2"),
        ("account-2", "t-2", "4e1b617ba625:7"),
    ]
    assert {k.file for k in one.links} == {""}
    assert (one.templates[0].words, one.templates[0].fillings, one.templates[0].examples) == ((), (), ())
    assert (one.templates[0].fixed_words, one.templates[0].slots) == (1, 1)
    assert disclosed(linked(), ()).files == {}


def test_what_is_asked_for_is_shown() -> None:
    one = disclosed(linked(), ["accounts", "texts"]).campaigns[0]
    assert [m.name for m in one.members] == ["b", "a"]
    assert [k.evidence for k in one.links] == ["new.jsonl:1", "d/a.jsonl:2", "d/a.jsonl:7"]
    assert one.templates[0].examples == ("Solve x",)


def test_pseudonyms_are_shown_and_files_are_not() -> None:
    one = disclosed(dataclasses.replace(linked(), pseudonyms=True), ()).campaigns[0]
    assert [m.name for m in one.members] == ["b", "a"]
    assert one.links[0].evidence == "unknown file:1"


def test_selection() -> None:
    assert [c.campaign_id for c in selected(linked(), tier="review", campaigns=()).campaigns] == ["c-1"]
    assert [c.campaign_id for c in selected(linked(), tier="urgent", campaigns=["c-2"]).campaigns] == ["c-2"]
    with pytest.raises(UsageError, match="there is no campaign"):
        selected(linked(), tier="watch", campaigns=["x-9"])


def test_the_python_interface(tmp_path: Path) -> None:
    folder = hostile_folder(tmp_path / "out")
    found = read_source(folder, campaigns=["c-1"], reveal=["accounts"])
    assert export_text(found, "csv").startswith('"campaign_id","tier"')
    assert export_text(found, "csv", table_name="days").count("\r\n") == 4
    with pytest.raises(UsageError, match="the format must be one of ocsf"):
        export_text(found, "pdf")
    with pytest.raises(UsageError, match="a table is one of campaigns"):
        export_text(found, "csv", table_name="x")
    with pytest.raises(UsageError, match="of ocsf"):
        export_text(found, "ocsf", table_name="days")
    with pytest.raises(InputError, match="does not exist"):
        read_source(tmp_path / "no")


# ---------------------------------------------------------------- any text, in every format


HOSTILE_NAMES = ["a\x00", "a⟨U+0000⟩", "]]>", "\ud800", "'=1", "=1", "\ufffe"]
NAMES = st.lists(TEXTS, min_size=1, max_size=6, unique=True)
REVEALED = ExportOptions(reveal=frozenset({"accounts", "texts"}))


def made_of(names: list[str], word: str) -> Source:
    """A finding with some accounts, each of whose texts is one word."""
    members = tuple(account(name, number) for number, name in enumerate(names))
    links = tuple(
        Link(account=name, template_id="t-1", rows=1, first_seen=T0, last_seen=T0, file=word, line=1, evidence=word)
        for name in names
    )
    template = TemplateView(template_id="t-1", signature=word, words=(word, None), examples=(word,), slots=1)
    return source(
        campaign(
            members=members, links=links, templates=(template,), summary=word, capability_targets=(word,),
            shared_values=(shared("user_agent", word), shared(word, word)), verdict=word,
        )
    )  # fmt: skip


@given(NAMES, TEXTS)
@example(HOSTILE_NAMES, "</data>")
@settings(deadline=None)
def test_any_ids_and_words_in_graphs_and_tables(names: list[str], word: str) -> None:
    found = made_of(names, word)
    for name in ("graphml", "gexf"):
        graph = graph_of(export_text(found, name, REVEALED), name)
        labels = Counter(data["label"] for _, data in graph.nodes(data=True) if data["kind"] == "account")
        assert labels == Counter(map(plain, names))
        assert nx.is_connected(graph)
    rows = csv_table(export_text(found, "csv", REVEALED, table_name="links"))
    assert [csv_text(row["account"]) for row in rows] == names


@given(NAMES, TEXTS)
@example(HOSTILE_NAMES, "</script>")
@settings(deadline=None, max_examples=5)
def test_any_ids_and_words_in_json(names: list[str], word: str) -> None:
    found = made_of(names, word)
    (event,) = ocsf_events(export_text(found, "ocsf", REVEALED))
    assert [e["actor"]["user"]["uid"] for e in event["evidences"]] == list(map(plain, names))
    stix_objects(export_text(found, "stix", REVEALED))
    misp_event(export_text(found, "misp", REVEALED))


def test_csv_cells_of_a_table_are_all_quoted() -> None:
    text = export_text(disclosed(linked(), ()), "csv", table_name="accounts")
    assert list(csv.reader(io.StringIO(text, newline=""), quoting=csv.QUOTE_ALL, strict=True))
    assert all(line.startswith('"') and line.endswith('"') for line in text.split("\r\n")[:-1])


def test_every_format_has_the_marking_and_the_techniques() -> None:
    one = campaign(shared_values=(shared("network", "203.0.113.*"),))
    options = ExportOptions(
        tlp="green", reporter=dataclasses.replace(ExportOptions().reporter, org="X", contact="a@b.org")
    )
    for name in FORMATS:
        text = export_text(source(one), name, options).lower()
        assert "tlp:green" in text, name
        for technique in ("aml.t0024.002", "aml.t0048.004"):
            assert technique in text or technique.replace(".", "-") in text, name
