"""What a notebook shows of detections and findings: texts, HTML, tables and pictures."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from harvestdetect import notebook
from harvestdetect.data import MAP_COLUMNS, Detection, views
from harvestdetect.errors import OutputError, UsageError
from harvestdetect.notebook.pages import ROWS
from harvestdetect.notebook.tables import ACCOUNTS, FINDINGS, template_text
from harvestdetect.report import detection_from_json, detection_json, html_report
from harvestdetect.util.escape import INVISIBLE
from tests.report.making import HOSTILE, T0, make_detection, make_finding, make_template

DAY = datetime.datetime.fromtimestamp(T0, datetime.UTC)


class Page(HTMLParser):
    """Tags, attributes and text of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_view_is_a_function_of_this_room() -> None:
    for name, module in views.VIEWS.items():
        assert getattr(notebook, name).__module__ == f"harvestdetect.notebook.{module}"


@pytest.mark.parametrize("tested", [None, 900, 1_800, 30_000])
def test_a_probability_reads_as_in_the_report(tested: int | None) -> None:
    ledger = {} if tested is None else {"held_out": tested}
    made = replace(make_detection(make_finding("c-1", probability=1.0)), ledger=ledger)
    read = detection_from_json(detection_json(made))
    expected = "over 99.9 %" if (tested or 0) > 1_000 else "over 99 %"
    (finding,) = read.findings
    for shown in (html_report(made), repr(made), made._repr_html_(), repr(finding), finding._repr_html_()):
        assert set(re.findall(r"over 99[.0-9]* %", shown)) == {expected}


def test_a_detection_is_a_few_lines(detection: Detection) -> None:
    lines = repr(detection).splitlines()
    assert lines[0] == (
        "Detection: 2 findings (1 urgent, 1 watch) in 5,000 prompts of 700 accounts in 1 file, 9 rejects"
    )
    assert lines[1].startswith(
        "  urgent, c-1, a campaign: about 99 %, 23 accounts, 160 prompts, 2026-03-01 – 2026-03-03"
    )
    assert len(lines) == 3
    many = repr(make_detection(*(make_finding(f"c-{i}", title=HOSTILE) for i in range(500))))
    assert len(many.splitlines()) <= 8
    assert len(many) < 2_000
    assert "and 495 more" in many
    assert not INVISIBLE.search(many)


def test_a_detection_without_a_finding_says_so() -> None:
    assert repr(make_detection(rejects=(), counts={"prompts": 1, "accounts": 1}, files=())) == (
        "Detection: no finding in 1 prompt of 1 account"
    )


def test_a_finding_is_three_lines() -> None:
    lines = repr(make_finding(title="Reasons: “Explain …”")).splitlines()
    assert lines[0] == (
        "Finding: urgent, c-1, a campaign: about 99 %, 23 accounts, 160 prompts, 2026-03-01 – 2026-03-03"
    )
    assert lines[1] == "  Reasons: “Explain …”"
    assert lines[2].startswith("  23 accounts swept a template </script>")
    assert not INVISIBLE.search("".join(lines))


def test_html_is_inert(detection: Detection) -> None:
    hostile = make_detection(
        *(make_finding(f"{HOSTILE}{i}", title=HOSTILE) for i in range(ROWS + 3)), warnings=(HOSTILE,)
    )
    for shown in (hostile, hostile.findings[0], detection, detection.findings[1], make_detection()):
        html = shown._repr_html_()
        page = Page(html)
        assert page.tags <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "span", "b", "code"}
        assert page.names <= {"dir", "class"}
        assert not INVISIBLE.search(html)
    assert "3 more" in Page(hostile._repr_html_()).text
    assert "{{ 7 * 7 }}" in Page(hostile._repr_html_()).text


def test_the_table_of_findings(detection: Detection) -> None:
    table = detection.findings_table()
    assert table.schema == FINDINGS
    first, second = table.to_pylist()
    assert (first["campaign_id"], first["tier"], first["accounts"], first["recommended"]) == ("c-1", "urgent", 23, 22)
    assert first["first_seen"] == DAY
    assert first["templates"][0] == f"Explain {{1}} {HOSTILE} {{2}}."
    assert (second["first_seen"], second["orgs"], second["active_days"], second["verdict"]) == (None, None, None, None)
    assert make_detection().findings_table().schema == FINDINGS


def test_the_table_of_accounts_has_a_row_for_each_member(detection: Detection) -> None:
    table = detection.accounts_table()
    assert table.schema == ACCOUNTS
    assert table.num_rows == sum(len(finding.members) for finding in detection.findings)
    rows = table.to_pylist()
    assert rows[0]["last_seen"] == DAY + datetime.timedelta(days=1)
    assert rows[22]["account"] == HOSTILE
    assert rows[22]["recommended"] is False
    assert rows[-1]["first_seen"] is None


def test_a_missing_number_and_a_far_time_are_null() -> None:
    odd = make_finding(probability=float("nan"), first_seen=-5, last_seen=10**15)
    (row,) = make_detection(odd).findings_table().to_pylist()
    assert (row["probability"], row["first_seen"], row["last_seen"]) == (None, None, None)


def test_pandas_and_polars_take_the_tables(detection: Detection) -> None:
    frame = detection.findings_table().to_pandas()
    assert frame["first_seen"].dt.tz is not None
    assert frame["first_seen"][0] == pd.Timestamp(T0, unit="s", tz="UTC")
    columns = pl.DataFrame(detection.accounts_table())
    assert columns["last_seen"].dtype == pl.Datetime("ms", "UTC")
    assert columns.filter(pl.col("recommended")).height == 23
    assert len(detection.prompts_table().to_pandas()) == 0


def test_the_table_of_prompts_is_that_of_the_scan() -> None:
    prompts = pa.table({"file": ["a"]})
    assert make_detection(prompts=prompts).prompts_table() is prompts


def test_slots_are_numbered() -> None:
    template = make_template(words=(None, "and", None, ", then", None))
    assert template_text(template) == "{1} and {2}, then {3}"
    assert template_text(make_template(words=())) == ""


@pytest.mark.parametrize("name", ["plot_timeline", "plot_ledger"])
def test_pictures_are_whole_and_inert(name: str, tmp_path: Path) -> None:
    plot = getattr(make_finding(HOSTILE), name)()
    tree = ElementTree.fromstring(plot.svg)
    names = {element.tag.partition("}")[2] for element in tree.iter()}
    assert names <= {"svg", "style", "rect", "line", "text", "title"}
    assert not [key for element in tree.iter() for key in element.keys() if key.startswith("on") or "href" in key]  # noqa: SIM118
    assert plot._repr_svg_() == plot._repr_html_() == plot.svg
    assert not INVISIBLE.search(plot.svg)
    assert len(repr(plot)) < 100
    assert plot.save(tmp_path / "plot.svg").read_text(encoding="utf-8") == plot.svg + "\n"
    with pytest.raises(OutputError, match="cannot write"):
        plot.save(tmp_path / "missing" / "plot.svg")
    with pytest.raises(OutputError, match=r"name plot\.svg in place of plot\.png"):
        plot.save(tmp_path / "plot.png")


def test_the_ledger_shows_each_row_and_its_sum() -> None:
    svg = make_finding().plot_ledger().svg
    said = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert said[0] == "c-1: evidence in bits, left for an innocent group, right for a campaign"
    assert said[1:3] == ["before any evidence", "−1.5"]
    assert "prompts that repeat another" in said
    assert said[-2:] == ["total", "+6.2"]


def test_the_timeline_has_a_bar_for_each_day_with_prompts() -> None:
    svg = make_finding().plot_timeline().svg
    assert re.findall(r"<title>(.*?)</title>", svg) == ["2026-03-01: 100 prompts", "2026-03-03: 60 prompts"]


def test_the_map_stands_alone() -> None:
    row = {"x": 0.5, "y": -0.2, "campaign_id": "c-1", "account": HOSTILE, "file": HOSTILE, "line": 1}
    table = pa.Table.from_pylist([row, {**row, "campaign_id": None}], schema=MAP_COLUMNS)
    plot = make_detection(make_finding(title=HOSTILE), map=table).plot_map()
    names = {element.tag.partition("}")[2] for element in ElementTree.fromstring(plot.svg).iter()}
    assert names <= {"svg", "style", "rect", "text", "title", "path", "g"}
    assert not INVISIBLE.search(plot.svg)
    assert "1 other prompt, a sample of the 5,000 of the dump" in plot.svg
    with pytest.raises(UsageError, match="the detection has no map; scan again with make_map=True"):
        make_detection().plot_map()


def test_a_picture_of_nothing_is_an_error(detection: Detection) -> None:
    with pytest.raises(UsageError, match="c-2 has no timeline, because its prompts have no times"):
        detection.findings[1].plot_timeline()
    with pytest.raises(UsageError, match="c-1 has no ledger: it was found by an older version; scan again"):
        make_finding(ledger=()).plot_ledger()
