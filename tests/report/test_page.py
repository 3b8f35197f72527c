"""The page of a scan: what it says, and that it is inert."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import math
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from harvestdetect import report
from harvestdetect.data import (
    Detection,
    Evidence,
    Family,
    SharedValue,
    Way,
)
from harvestdetect.evidence.legacy import MEASURE_IDS
from harvestdetect.evidence.measures import MEASURES, deciding
from harvestdetect.report.format import found_because
from harvestdetect.util.escape import INVISIBLE, visible
from tests.report.making import (
    HOSTILE,
    SCRIPT,
    make_cut,
    make_detection,
    make_finding,
    make_member,
    make_template,
)

# ---------------------------------------------------------------- the page


class Page(HTMLParser):
    """Elements, attributes and the text of the style element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.style = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> does not close what is open"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text += data


def test_page_is_inert_and_well_formed(detection: Detection) -> None:
    text = report.html_report(detection)
    page = Page(text)
    assert page.open == []
    assert not set(page.tags) & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "image",
        "use",
        "foreignobject",
    }
    names = {name for _, name, _ in page.attributes}
    assert not [name for name in names if name.startswith("on")]
    assert not names & {"style", "src", "srcset", "action", "xlink:href", "background"}
    assert {v for _, name, v in page.attributes if name == "href"} == {"#finding-1", "#finding-2"}
    assert INVISIBLE.search(text) is None
    assert page.text.count("</script></style></title></details><img src=x onerror=alert(1)>") > 10
    assert "{{ 7 * 7 }}" in page.text


def test_page_has_a_strict_policy_whose_hash_is_that_of_its_style(detection: Detection) -> None:
    page = Page(report.html_report(detection))
    assert page.tags["style"] == 1
    assert "</" not in page.style
    assert "url(" not in page.style
    assert "@import" not in page.style
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and name == "content" and value)
    assert policy is not None
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src 'none'",
        "script-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_page_says_what_was_found_and_what_was_left_out(detection: Detection) -> None:
    text = Page(report.html_report(detection)).text
    for part in (
        "2 suspected campaigns: 1 urgent, 1 watch",
        "5,000",
        "How to read this",
        "Nothing here is proof",
        "No daily timeline",
        "No fixed words in common",
        "No template was derived",
        "4,400 more characters",
        "U+202E",
        "Caps the tier at review",
        "Listed apart",
        "9 rows were left out",
        "the stream ends early",
        "below 10⁻³⁰⁰",
        "(empty text)",
    ):
        assert part in text, part


def words_of(detection: Detection) -> str:
    """The text of the page, with cells of tables apart."""
    return " ".join(Page(report.html_report(detection).replace("</t", " </t")).text.split())


def test_page_says_how_many_findings_may_be_chance(detection: Detection) -> None:
    text = words_of(detection)
    assert "urgent 1 finding; fewer than 0.001 expected by chance" in text
    assert "watch 1 finding; chance alone may give as many" in text
    assert "False-discovery rate urgent review watch 0.003 1 < 0.001 0 ≤ 0.1 1 ≤ 1.5 0.01 in force 1 " in text
    assert text.count("in force") == 1
    assert f"in the benign traffic of {' '.join(visible(SCRIPT).split())}" in text
    assert "made 2026-02-01, with 134 innocent groups to learn from" in text
    assert "cd" * 32 in text
    assert "watch 1 0.012 ≤ 0.051 The findings are held out" in text


def test_page_says_nothing_of_chance_where_nothing_is_known(detection: Detection) -> None:
    text = words_of(dataclasses.replace(detection, expected_false={}, what_if=(), calibration={}))
    assert "urgent 1 finding watch 1 finding" in text
    assert "by chance" not in text
    assert "How many may be chance" not in text
    bare = make_detection(make_finding(), settings={}, what_if=(make_cut(0.01, 0.2),), calibration={"file": ""})
    few = words_of(bare)
    assert "in force" not in few
    assert "Calibrated on benign traffic" in few
    assert "Held out" not in few


def test_page_explains_a_finding(detection: Detection) -> None:
    text = words_of(detection)
    assert text.count("What the prompts target") == 1
    assert "never raises its tier" in text
    assert "The fixed words ask for reasons." in text
    assert "0.25 above ordinary requests; 0.01 expected (the best target of other texts); p 0.030" in text
    assert "nothing to compare it with" in text
    assert text.count("Shared infrastructure: 2 values") == 1
    assert "address 203.0.113.* 12 of 20 60 % 14 of 640 2 %" in text
    assert "0 of 0 0 of 0" in text
    assert text.count("What would change this") == 1
    assert "It would be for review at a false-discovery rate below 0.0002." in text


def test_page_says_how_a_finding_was_found() -> None:
    text = words_of(make_detection(make_finding(ways=("texts", "accounts"))))
    assert "Found because its texts are alike, and because its accounts are alike in all that they send." in text
    assert "How a group is found" in text
    assert all(found_because((way,)) in words_of(make_detection(make_finding(ways=(way,)))) for way in get_args(Way))
    assert "Found because" not in words_of(make_detection(make_finding(ways=())))


def test_evidence_of_intent_that_names_no_target_of_the_finding_is_still_shown() -> None:
    text = words_of(make_detection(make_finding(capability_targets=())))
    assert "What the prompts target" not in text
    assert "target: reasoning" in text


def measures(*p_values: float, family: Family = "time", name: str = "flat day") -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            id=MEASURE_IDS.get(name, name),
            name=name,
            family=family,
            value=1.0,
            null="-",
            expected=1.0,
            p_value=p,
            sentence=f"Measured {family} {p}.",
        )
        for p in p_values
    )


def folded(text: str) -> str:
    """What stands in the fold of measures that show nothing."""
    _, _, rest = text.partition('<details class="quiet">')
    return " ".join(Page(f"<p>{rest[: rest.find('</details>')]}</p>").text.split()) if rest else ""


def test_measures_that_show_nothing_are_folded_away() -> None:
    evidence = measures(0.2, 0.05, 0.9, math.nan) + measures(0.001, 0.051, family="structure", name="focus")
    text = report.html_report(make_detection(make_finding(evidence=evidence, capability_targets=())))
    inside = folded(text)
    assert inside.startswith("4 measures that show nothing")
    for said in ("time 0.2", "time 0.9", "time nan", "structure 0.051"):
        assert f"Measured {said}." in inside
        assert text.count(f"Measured {said}.") == 1
    for said in ("time 0.05", "structure 0.001"):
        assert f"Measured {said}." not in inside
        assert text.count(f"Measured {said}.") == 1
    one = report.html_report(make_detection(make_finding(evidence=measures(0.01, 0.3), capability_targets=())))
    assert folded(one).startswith("1 measure that shows nothing")


def test_what_is_folded_away_is_inert_too() -> None:
    hostile = Evidence(
        id="a",
        name=HOSTILE,
        family="time",
        value=math.nan,
        null=HOSTILE,
        expected=math.inf,
        p_value=0.7,
        sentence=HOSTILE,
    )
    page = Page(report.html_report(make_detection(make_finding(evidence=(hostile,), capability_targets=()))))
    assert page.open == []
    assert not set(page.tags) & {"script", "img"}
    assert [v for tag, name, v in page.attributes if (tag, name, v) == ("details", "class", "quiet")] == ["quiet"]


def test_a_finding_whose_measures_all_show_something_has_no_fold() -> None:
    text = report.html_report(make_detection(make_finding(evidence=measures(0.01, 0.05), capability_targets=())))
    assert folded(text) == ""
    assert "show nothing" not in text


def test_a_finding_without_any_measure_that_shows_something_says_so() -> None:
    text = report.html_report(make_detection(make_finding(evidence=measures(0.06), capability_targets=())))
    assert "No measure differs from what chance would give." in text
    assert "No measure was taken." not in text
    bare = report.html_report(make_detection(make_finding(evidence=(), capability_targets=())))
    assert "No measure was taken." in bare
    assert folded(bare) == ""


def test_measures_that_decide_are_marked_wherever_they_stand() -> None:
    decisive = {id_ for ids in deciding().values() for id_ in ids}
    names = [m.label for m in MEASURES if m.id in decisive]
    assert len(names) == 18
    for p in (0.001, 0.5):
        for name in (*names, "focus", "slot sweep"):
            evidence = measures(p, name=name)
            text = words_of(make_detection(make_finding(evidence=evidence, capability_targets=())))
            assert (f"{name} decides" in text) == (name in names)


def test_page_of_very_many_shared_values_and_changes_is_cut() -> None:
    shared = tuple(
        SharedValue(field="ip", value=f"198.51.{i}.*", members=3, known=9, accounts=3, population=90)
        for i in range(200)
    )
    text = words_of(make_detection(make_finding(shared_values=shared, changes=("A change.",) * 40)))
    assert "198.51.19.*" in text
    assert "198.51.20.*" not in text
    assert "180 more in campaigns.jsonl" in text
    assert text.count("A change.") == 12
    assert "28 more in campaigns.jsonl" in text


def test_page_without_findings_says_so() -> None:
    text = " ".join(Page(report.html_report(make_detection(rejects=(), counts={}, settings={}))).text.split())
    assert "No coordinated campaign was found" in text
    assert "A finding needs several accounts" in text
    text = " ".join(Page(report.html_report(make_detection())).text.split())
    assert "A finding needs at least 10 accounts" in text


def test_page_of_a_hundred_large_findings_stays_small() -> None:
    templates = tuple(make_template(f"t-{i}") for i in range(30))
    members = tuple(
        make_member(f"account-{i:05}", templates={t.template_id: 3 for t in templates}) for i in range(1_000)
    )
    days = tuple((f"{year}-{m:02}-{d:02}", d) for year in (2025, 2026) for m in range(1, 13) for d in range(1, 29))
    finding = make_finding(templates=templates, members=members, days=days, accounts=1_000)
    text = report.html_report(make_detection(*[finding] * 100))
    assert len(text.encode()) < 3_000_000
    assert "shown in full below" in text
    assert "more left out" in text
    assert "smaller templates left out" in text
    assert "one bar for each 4 days" in text
    alone = report.html_report(make_detection(finding))
    assert "800 more in <code>accounts.csv</code>" in alone
    assert "940 more left out" in alone


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no chromium to render the page with")
def test_a_browser_runs_nothing_of_the_page(tmp_path: Path, detection: Detection) -> None:
    assert BROWSER is not None
    page = tmp_path / "report.html"
    page.write_text(report.html_report(detection), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --disable-quic --dump-dom"
    command = [BROWSER, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the browser did not answer in time")
    if done.returncode or not done.stdout:
        pytest.skip(f"the browser could not render: {done.stderr[-200:]!r}")
    before, after = Page(page.read_text(encoding="utf-8")), Page(done.stdout.decode())
    assert not {"script", "img"} & set(after.tags)
    assert not [name for _, name, _ in after.attributes if name.startswith("on")]
    added = {"tbody"}  # what a browser adds around bare table rows
    assert {t: n for t, n in after.tags.items() if t not in added} == {
        t: n for t, n in before.tags.items() if t not in added
    }
    assert "<title>harvestdetect: 2 suspected campaigns" in done.stdout.decode()
