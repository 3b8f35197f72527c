"""The page of a scan: what it says, and that it is inert."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import math
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect import report
from harvestdetect.data import (
    Detection,
    Evidence,
    Family,
    LedgerRow,
    SharedValue,
    Way,
)
from harvestdetect.evidence.legacy import MEASURE_IDS
from harvestdetect.judge.members_file import shipped_member_model
from harvestdetect.report import svg
from harvestdetect.report.format import found_because
from harvestdetect.report.ledger import found_line
from harvestdetect.util.escape import INVISIBLE, visible
from tests.report.browser import BROWSER, run_browser
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
        "so the tier can be at most review",
        "Listed apart",
        "9 rows were left out",
        "the stream ends early",
        "below 10⁻¹²",
        "(empty text)",
    ):
        assert part in text, part


def words_of(detection: Detection) -> str:
    """The text of the page, with cells of tables and terms of lists apart."""
    return " ".join(Page(re.sub(r"(</[td]|<small)", r" \1", report.html_report(detection))).text.split())


def test_page_says_how_many_findings_may_be_innocent(detection: Detection) -> None:
    text = words_of(detection)
    assert "urgent 1 finding; fewer than 0.1 expected to be innocent" in text
    assert "watch 1 finding; as many innocent groups are expected" in text
    assert "tested on 1,800 innocent groups that it was not fitted on" in text
    assert "Largest probability of innocence urgent review watch 0.06 1 fewer than 0.1 0 1 about 1.5" in text
    assert "0.2 in force 1 " in text
    assert text.count("in force") == 1
    assert f"in the benign traffic of {' '.join(visible(SCRIPT).split())}" in text
    assert "made 2026-02-01, with 134 innocent groups to learn from" in text
    assert "cd" * 32 in text
    assert "watch 1 0.012 ≤ 0.051 The findings are held out" in text


def test_page_says_nothing_of_innocent_findings_where_nothing_is_known(detection: Detection) -> None:
    text = words_of(dataclasses.replace(detection, expected_false={}, what_if=(), calibration={}))
    assert "urgent 1 finding watch 1 finding" in text
    assert "expected to be innocent" not in text
    assert "How many may be innocent" not in text
    bare = make_detection(make_finding(), settings={}, what_if=(make_cut(0.2, 0.2),), calibration={"file": ""})
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
    assert "It would be at review at a false-discovery rate below 0.0002." in text


def test_page_says_how_a_finding_was_found() -> None:
    text = words_of(make_detection(make_finding(ways=("texts", "accounts"))))
    assert "Found because its texts are alike, and because its accounts are alike in all that they send." in text
    assert "How a group is found" in text
    rows = (LedgerRow(id="x", name="x", family="infrastructure", bits=-0.3),)
    said = found_line(("infrastructure",), rows)
    assert said.endswith("not what speaks for it: infrastructure has −0.3 bits.")
    assert said in words_of(make_detection(make_finding(ways=("infrastructure",), ledger=rows)))
    strong = tuple(dataclasses.replace(row, bits=2.0) for row in rows)
    assert found_line(("infrastructure",), strong) == found_because(("infrastructure",))
    assert all(found_because((way,)) in words_of(make_detection(make_finding(ways=(way,)))) for way in get_args(Way))
    assert "Found because" not in words_of(make_detection(make_finding(ways=())))


def test_evidence_of_intent_that_names_no_target_of_the_finding_is_still_shown() -> None:
    text = words_of(make_detection(make_finding(capability_targets=())))
    assert "What the prompts target" not in text
    assert "target: reasoning" in text


# ---------------------------------------------------------------- the ledger


def test_page_shows_the_ledger_as_blocks_that_add_up() -> None:
    text = words_of(make_detection(make_finding(summary="Found.", evidence=())))
    assert "One bit: campaigns look like this twice as often as innocent groups." in text
    _, _, ledger = text.partition("What was observed ← innocent group campaign → Bits ")
    shown = [
        "Before any evidence set so that few innocent groups reach review −1.5",
        "text −1.2 40% repeat one. prompts that repeat another; as with a text that people pass on −1.2",
        "structure +6.5 overlap +6.5",
        "time +2.2 ",
        "Rows that say next to nothing +0.2",
        "Total It is a campaign: about 99 %. Of all that are at least as sure, under 1 in 1,000 are innocent. +6.2",
    ]
    assert sorted(ledger.index(part) for part in shown) == [ledger.index(part) for part in shown]
    assert ledger.startswith(shown[0])


def test_a_row_of_a_measure_has_the_sentence_of_its_evidence() -> None:
    evidence = (dataclasses.replace(make_finding().evidence[1], id="overlap", sentence="Two share more."),)
    text = words_of(make_detection(make_finding(evidence=evidence)))
    assert "structure +6.5 Two share more. overlap +6.5" in text


def bars(text: str) -> list[tuple[str, float, float]]:
    """Class, left end and width of each bar of the ledgers, in percent."""
    found = re.findall(r'<rect class="((?:for|against)[^"]*)" x="([0-9.]+)%" y="50%" width="([0-9.]+)%"', text)
    return [(kind, float(x), float(width)) for kind, x, width in found]


def test_the_bars_of_a_ledger_go_from_one_sum_to_the_next() -> None:
    text = report.html_report(make_detection(make_finding()))
    prior, text_, copies, structure, overlap, time, days, rest, total = bars(text)
    zero = float(re.findall(r'<line class="zero" x1="([0-9.]+)%"', text)[0])
    assert [b[0] for b in (prior, text_, copies, structure, overlap, time, days, rest, total)] == [
        *("against", "against", "against row", "for", "for row", "for", "for row", "for", "for"),
    ]
    per_bit = prior[2] / 1.5
    assert prior[1] + prior[2] == pytest.approx(zero, abs=0.03)
    assert text_[1] + text_[2] == pytest.approx(prior[1], abs=0.03)
    assert text_[1:] == copies[1:]
    assert structure[1:] == pytest.approx((text_[1], 6.5 * per_bit), abs=0.05)
    assert time[1:] == pytest.approx((structure[1] + structure[2], 2.2 * per_bit), abs=0.05)
    assert rest[1:] == pytest.approx((time[1] + time[2], 0.2 * per_bit), abs=0.05)
    assert total[1:] == pytest.approx((zero, 6.2 * per_bit), abs=0.05)
    assert all(x >= 0 and x + width <= 100 for _, x, width in bars(text))


@given(st.lists(st.floats(-200, 200), max_size=12), st.booleans())
def test_bars_stay_within_their_cells(sums: list[float], whole: bool) -> None:
    steps = [svg.Step(before=a, after=b, whole=whole) for a, b in itertools.pairwise([0.0, *sums])]
    drawn = svg.waterfall(steps)
    assert len(drawn) == len(steps)
    for bar, step in zip(drawn, steps, strict=True):
        ((kind, x, width),) = bars(bar)
        assert x >= -0.01
        assert x + width <= 100.5
        assert kind.startswith("for") == (step.after >= step.before)


def test_colours_of_the_ledger_are_not_all_that_tells_its_sides() -> None:
    text = report.html_report(make_detection(make_finding()))
    rows = re.findall(r'<td class="num (plus|minus)">([^<]+)</td>', text)
    assert rows
    assert all((side == "plus") == figure.startswith("+") for side, figure in rows)
    assert all('aria-hidden="true"' in found for found in re.findall(r'<svg class="step"[^>]*>', text))


def test_both_colour_schemes_have_every_colour() -> None:
    style = Page(report.html_report(make_detection())).style
    light, dark = (set(re.findall(r"(--[a-z0-9-]+):", part)) for part in re.findall(r":root \{([^}]*)\}", style)[:2])
    assert light == dark
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", style)) <= light


def test_a_finding_of_an_older_version_has_no_ledger_and_no_bits() -> None:
    old = make_finding(ledger=(), probability=math.nan, benign_explanations=(), evidence=measures(0.001))
    text = words_of(make_detection(old, ledger={}))
    assert "Before any evidence" not in text
    assert "It is a campaign" not in text
    assert "bits of evidence" not in text
    assert "Score 6.2" in text
    assert "Measured time 0.001." in text


def test_a_probability_is_no_surer_than_the_ledger_was_tested() -> None:
    sure = make_finding(probability=1.0, q_value=0.0)
    assert "over 99.9 %" in words_of(make_detection(sure))
    few = words_of(make_detection(sure, ledger={"held_out": 60}))
    assert "It is a campaign over 95 %" in few
    assert "100 %" not in few.partition("Shared infrastructure")[0]
    assert "under 1 in 20 are innocent" in few


@pytest.mark.parametrize(
    ("families", "said"),
    [
        (("time",), "Besides similar wording, time evidence carries weight by itself."),
        (("text",), "No single kind of evidence besides similar wording carries weight by itself."),
        ((), "No single kind of evidence besides similar wording carries weight by itself."),
    ],
)
def test_a_finding_at_review_says_which_evidence_carries_weight(families: tuple[Family, ...], said: str) -> None:
    assert said in words_of(make_detection(make_finding(tier="review", families=families)))


def test_tiers_are_explained_with_the_rates_of_the_scan(detection: Detection) -> None:
    text = words_of(detection)
    assert "urgent The group is innocent with a probability of at most 2 %, even if the bits of " in text
    assert "review It is innocent with a probability of at most 20 %." in text
    assert "watch It is innocent with a probability of at most 50 %, or a hard rule limits it to watch." in text
    assert "at most the rate of the scan" in words_of(dataclasses.replace(detection, settings={}))


# ---------------------------------------------------------------- measures and explanations


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


def folds(text: str) -> list[str]:
    """What stands in the folds of a finding, as text."""
    parts = text.split('<details class="quiet"')[1:]
    pages = [Page(f"<p{part.partition('</details>')[0]}</p>".replace("</t", " </t")) for part in parts]
    return [" ".join(page.text.split()) for page in pages]


def test_measures_are_folded_away_beneath_the_ledger() -> None:
    evidence = measures(0.2, 0.05, math.nan) + measures(0.001, family="structure", name="focus")
    text = report.html_report(make_detection(make_finding(evidence=evidence, capability_targets=())))
    (inside,) = (fold for fold in folds(text) if "compared with chance" in fold)
    assert inside.startswith("4 measures, each compared with chance")
    for said in ("time 0.2", "time 0.05", "time nan", "structure 0.001"):
        assert f"Measured {said}." in inside
    weak = re.findall(r'<tr class="weak">.*?(Measured [^<]*)<', text, flags=re.DOTALL)
    assert weak == ["Measured time 0.2.", "Measured time nan."]
    one = report.html_report(make_detection(make_finding(evidence=measures(0.01), capability_targets=())))
    assert any(fold.startswith("1 measure, each") for fold in folds(one))


def test_a_measure_in_the_ledger_has_its_bits() -> None:
    (measure,) = measures(0.01)
    text = words_of(make_detection(make_finding(evidence=(dataclasses.replace(measure, bits=1.23), measure))))
    assert "0.010 +1.2" in text
    assert "0.010 –" in text


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
    assert [v for tag, name, v in page.attributes if (tag, name, v) == ("details", "class", "quiet")] == ["quiet"] * 4


def test_a_finding_without_measures_says_so() -> None:
    bare = report.html_report(make_detection(make_finding(evidence=(), capability_targets=())))
    assert "No measure was taken." in bare
    assert not any("compared with chance" in fold for fold in folds(bare))


def test_explanations_that_fit_stand_open_and_the_others_are_folded_away() -> None:
    text = report.html_report(make_detection(make_finding()))
    (fold,) = (fold for fold in folds(text) if "not fit" in fold)
    assert fold.startswith("1 explanation that does not fit, or cannot be told unknown classroom: No organisation.")
    assert "a text that people pass on (−1.2 bits): 40% copies." in words_of(make_detection(make_finding()))
    assert "a text that people pass on" not in fold
    none = words_of(make_detection(make_finding(benign_explanations=())))
    assert "Benign explanations None was tested." in none


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


@pytest.mark.skipif(BROWSER is None, reason="no chromium to render the page with")
def test_a_browser_runs_nothing_of_the_page(tmp_path: Path, detection: Detection) -> None:
    page = tmp_path / "report.html"
    page.write_text(report.html_report(detection), encoding="utf-8")
    drawn = run_browser(page, "--dump-dom").decode()
    if not drawn:
        pytest.skip("the browser drew nothing")
    before, after = Page(page.read_text(encoding="utf-8")), Page(drawn)
    assert not {"script", "img"} & set(after.tags)
    assert not [name for _, name, _ in after.attributes if name.startswith("on")]
    added = {"tbody"}  # what a browser adds around bare table rows
    assert {t: n for t, n in after.tags.items() if t not in added} == {
        t: n for t, n in before.tags.items() if t not in added
    }
    assert "<title>harvestdetect: 2 suspected campaigns" in drawn


def test_the_page_names_the_membership_that_the_scan_wanted(detection: Detection) -> None:
    own = dataclasses.replace(detection, ledger={**detection.ledger, "recommended_from": 0.789})
    assert "below 0.789 are listed apart" in words_of(own)
    assert f"below {shipped_member_model().cut:g} are listed apart" in words_of(detection)


def test_another_program_can_draw_the_section_of_one_finding(detection: Detection) -> None:
    run = report.RunFacts(least=0.001)
    alone = report.finding_section(detection.findings[0], run=run, number=7)
    page = Page(alone)
    assert page.open == []
    assert not set(page.tags) & {"script", "img", "form"}
    assert {value for tag, name, value in page.attributes if (tag, name) == ("article", "id")} == {"finding-7"}
    assert "{{ 7 * 7 }}" in page.text
    assert INVISIBLE.search(alone) is None
    assert ".finding {" in report.page_style()
