"""The map as a picture."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest

from harvestdetect import report
from harvestdetect.data import MAP_COLUMNS
from harvestdetect.report.map_svg import COLORS, NAMED, map_svg
from harvestdetect.util.escape import INVISIBLE
from tests.report.making import HOSTILE, make_detection, make_finding


def plane(*campaigns: str | None, account: str = "ann") -> pa.Table:
    """A map with a point for each of some campaigns."""
    rows: list[dict[str, Any]] = [
        {"x": 0.1 * i - 0.5, "y": 0.3 - 0.1 * i, "campaign_id": c, "account": account, "file": HOSTILE, "line": i}
        for i, c in enumerate(campaigns)
    ]
    return pa.Table.from_pylist(rows, schema=MAP_COLUMNS)


def test_each_finding_has_a_colour_a_shape_and_a_line_in_the_legend() -> None:
    findings = [make_finding(f"c-{i}", title=f"title {i}") for i in range(NAMED)]
    html = str(map_svg(plane(*(f.campaign_id for f in findings), None), findings, linked=2, prompts=5_000))
    groups = re.findall(r'<g class="(m\d)"><path d="M[\d.]+ [\d.]+([^"]+)"><title>([^<]+)</title></path></g>', html)
    assert len(groups) == NAMED
    assert len({(colour, shape) for colour, shape, _ in groups}) == NAMED
    assert {colour for colour, _, _ in groups} == {f"m{i}" for i in range(COLORS)}
    assert 'class="m-rest" d="M' in html
    assert re.findall(r'href="([^"]+)"', html) == ["#finding-1", "#finding-2"]
    assert "title 11 (urgent, 23 accounts: 1 of 160 prompts)" in html
    assert "1 other prompt, a sample of the 5,000 of the dump" in html
    for colour in {colour for colour, _, _ in groups}:
        assert f".{colour} {{ fill" in report.page_style()


def test_further_findings_share_a_sign() -> None:
    findings = [make_finding(f"c-{i}") for i in range(NAMED + 3)]
    html = str(map_svg(plane(*(f.campaign_id for f in findings)), findings))
    assert html.count('<g class="m-other">') == 1
    assert "3 prompts of other findings" in html


def test_one_finding_is_shown_among_the_traffic() -> None:
    findings = [make_finding("c-1"), make_finding("c-2")]
    html = str(map_svg(plane("c-1", "c-2", None), findings, only="c-2"))
    assert re.findall(r'<g class="(.*?)">', html) == ["m0"]
    assert "c-1" not in html
    assert "2 other prompts" in html


def test_hostile_texts_are_inert() -> None:
    findings = [make_finding(HOSTILE, title=HOSTILE)]
    html = str(map_svg(plane(HOSTILE, None, account=HOSTILE), findings, linked=1))
    assert not INVISIBLE.search(html)
    assert set(re.findall(r"<([a-z]+)", html)) <= {"figure", "svg", "g", "path", "title", "figcaption", "ul", "li", "a"}
    assert "style=" not in html


def test_points_stay_inside_of_the_picture() -> None:
    table = pa.Table.from_pylist(
        [
            {"x": x, "y": y, "campaign_id": None, "account": "a", "file": "f", "line": 1}
            for x in (-1, 1)
            for y in (-1, 1)
        ],
        schema=MAP_COLUMNS,
    )
    html = str(map_svg(table, []))
    width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', html).groups())  # type: ignore[union-attr]
    points = [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", html)]
    assert len([p for p in points if 0 < p[0] < width and 0 < p[1] < height]) >= 4


@pytest.mark.parametrize("with_map", [True, False])
def test_the_report_has_the_map(with_map: bool) -> None:
    detection = make_detection(make_finding(), map=plane("c-1", None) if with_map else None)
    page = report.html_report(detection)
    assert ("Map of the prompts" in page) == with_map
    assert ('role="img" aria-label="Map of 2 prompts, 1 of them in findings"' in page) == with_map


def test_without_a_finding_there_is_no_map() -> None:
    assert "Map of the prompts" not in report.html_report(make_detection(map=plane(None, None)))
