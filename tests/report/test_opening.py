"""The first page of a report, the order inside a finding, the folds of look-alikes, and the brief."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from harvestdetect import report
from harvestdetect.data import PROMPT_COLUMNS, BenignExplanation, Detection, Finding, SharedValue, Standing, Status
from harvestdetect.errors import InputError
from harvestdetect.report.format import by_priority, day
from harvestdetect.report.next_steps import next_steps
from harvestdetect.report.opening import NO_EXPLANATION, opening
from harvestdetect.util.escape import INVISIBLE
from tests.report.browser import BROWSER, printed_pages
from tests.report.making import HOSTILE, T0, make_detection, make_finding, make_member, make_template
from tests.report.test_page import Page


def standing(status: Status) -> Standing:
    return Standing(status=status, detected=T0, new_accounts=2)


def fitting(name: str, bits: float | None, **changes: object) -> BenignExplanation:
    values = {"id": name, "name": name, "verdict": "fits", "statistic": 0.3, "sentence": "It fits.", "bits": bits}
    return BenignExplanation(**{**values, **changes})  # type: ignore[arg-type]


def watch(number: int, *explanations: BenignExplanation) -> Finding:
    return make_finding(f"c-w{number}", tier="watch", benign_explanations=explanations, title=f"Watched {number}")


def text_of(html: str) -> str:
    return " ".join(Page(re.sub(r"(</[tdl]|</summary|<small|<code)", r" \1", html)).text.split())


# ---------------------------------------------------------------- the opening


def test_the_opening_has_the_five_strongest_findings_without_those_at_watch() -> None:
    found = [make_finding(f"c-{i}", tier="review", title=f"Title {i}") for i in range(7)]
    first = opening(make_detection(*found, watch(0)))
    assert [row.title for row in first.top] == [f"Title {i}" for i in range(5)]
    assert [todo.tier for todo in first.todo] == ["review", "watch"]
    assert [todo.findings for todo in first.todo] == [7, 1]
    alone = opening(make_detection(watch(0), watch(1)))
    assert [row.title for row in alone.top] == ["Watched 0", "Watched 1"]


def test_the_opening_says_what_is_new_growing_and_quiet() -> None:
    found = [
        make_finding(f"c-{status}", title=f"It is {status}", standing=standing(status))
        for status in ("quiet", "new", "growing", "new")
    ]
    first = opening(make_detection(*found))
    assert [(one.status, len(one.rows)) for one in first.news] == [("new", 2), ("growing", 1), ("quiet", 1)]
    text = text_of(report.html_report(make_detection(*found)))
    assert "New and changed in this run 2 found for the first time urgent It is new" in text
    assert "1 gone quiet" in text
    assert opening(make_detection(make_finding())).news == ()
    assert "New and changed" not in text_of(report.html_report(make_detection(make_finding())))


def test_the_brief_says_which_accounts_it_counts() -> None:
    detection = make_detection(make_finding(members=(make_member("a"), make_member("b", recommended=False))), watch(0))
    text = text_of(report.brief_page(detection))
    assert "1 account looks like part of an operation that collects answers of the model: those recommended" in text


def test_what_an_earlier_run_found_is_no_news() -> None:
    known = dataclasses.replace(standing("new"), fresh=False, new_accounts=0)
    old = make_detection(make_finding(standing=known))
    assert opening(old).news == ()
    assert opening(old).top[0].status == ""
    text = text_of(report.html_report(old))
    assert f"Known since {day(T0)}; not active since the last run." in text
    assert "found for the first time" not in text


def test_findings_at_watch_are_folded_by_the_innocent_explanation_that_fits_best() -> None:
    product, class_ = fitting("a product", -3.0), fitting("a class", -1.0)
    cap = fitting("a known scaffold", None, caps="watch")
    unlikely = fitting("a viral prompt", -9.0, verdict="unlikely")
    first = opening(
        make_detection(
            make_finding(), watch(1, product, class_), watch(2, class_), watch(3, product), watch(4, unlikely),
            watch(5, product, cap),
        )
    )  # fmt: skip
    assert [(group.explanation, [row.number for row in group.rows]) for group in first.groups] == [
        ("a product", [2, 4]),
        ("a class", [3]),
        ("a known scaffold", [6]),
        (NO_EXPLANATION, [5]),
    ]


def test_the_report_lists_folded_findings_with_links_to_their_sections() -> None:
    found = [make_finding(), *(watch(i, fitting("a product", -3.0)) for i in range(9))]
    html = report.html_report(make_detection(*found))
    fold = html.partition('<details class="fold">')[2].partition("</details>")[0]
    assert "9 findings at" in fold
    assert "a product" in fold
    assert re.findall(r'href="#(finding-\d+)"', fold) == [f"finding-{i}" for i in range(2, 11)]
    assert 'href="#finding-1"' not in fold


# ---------------------------------------------------------------- a finding


def test_a_finding_reads_from_what_it_asks_to_what_to_do() -> None:
    finding = make_finding(title="Reasoning: “Explain it”", summary="23 accounts sent it.")
    html = report.finding_section(finding, run=report.RunFacts())
    parts = [
        *("<h2", "Reasoning: “Explain it”", "23 accounts sent it.", "It asks for", "What was sent: 2 templates"),
        *("Who, and since when", "Shared infrastructure", "Accounts: 22 recommended", "Why: what speaks"),
        *("Before any evidence", "each compared with chance", "Benign explanations", "What to do"),
        *("harvestdetect explain", "What would change this"),
    ]
    assert [html.index(part) for part in parts] == sorted(html.index(part) for part in parts)
    measures = html[: html.index("each compared with chance")]
    assert measures.rindex('<details class="quiet">') > measures.rindex("<summary><h3>Why")


def test_a_finding_without_a_title_is_headed_by_its_summary() -> None:
    html = report.finding_section(make_finding(summary="Old results."), run=report.RunFacts())
    assert '<h2 dir="auto">Old results.</h2>' in html
    assert html.count("Old results.") == 1


def test_each_tier_has_steps_with_commands_and_a_verdict_only_with_a_state() -> None:
    for tier, verdict in (("urgent", "harvest"), ("review", "unsure"), ("watch", "benign")):
        bare = next_steps(make_finding(tier=tier))
        assert any(step.command.startswith("harvestdetect explain . c-1 ") for step in bare)
        assert not any("review STATE" in step.command for step in bare)
        known = next_steps(make_finding(tier=tier, standing=standing("new")))
        assert known[-1].command == f"harvestdetect review STATE c-1 --verdict {verdict} --note 'why'"
    assert any("--reveal accounts" in step.command for step in next_steps(make_finding()))
    assert "--as-registry-entry" in next_steps(watch(0))[0].command
    wordless = next_steps(make_finding(tier="watch", templates=(make_template(words=("Why", None)),)))
    assert not any("--as-registry-entry" in step.command for step in wordless)


def test_an_id_in_a_command_is_one_word_for_a_shell() -> None:
    steps = next_steps(make_finding("c-1; rm -rf ~ $(id)\x1b[31m"))
    assert all("'c-1; rm -rf ~ $(id)⟨U+001B⟩[31m'" in step.command for step in steps if step.command)


def test_equal_shared_values_name_the_other_findings() -> None:
    card = SharedValue(field="payment", value="card…", members=3, known=9, accounts=3, population=90, tag="#a3f19c")
    other = dataclasses.replace(card, tag="#000001")
    found = [
        make_finding(f"c-{i}", shared_values=values) for i, values in enumerate([(card,), (card, other), (other,)])
    ]
    html = report.html_report(make_detection(*found))
    first = html[html.index('id="finding-1"') : html.index('id="finding-2"')]
    assert "#a3f19c" in first
    assert 'also in <a href="#finding-2">c-1</a>' in " ".join(first.split())
    assert "c-2" not in first


def test_the_days_of_accounts_are_drawn_where_their_prompts_have_times() -> None:
    rows = [
        {"file": "a", "line": i, "account": f"user{i % 3}", "campaign_id": "c-1", "template_id": "t-1",
         "membership": 0.9, "timestamp": (T0 + 86_400 * (i % 5)) * 1_000}
        for i in range(30)
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=PROMPT_COLUMNS)
    detection = make_detection(make_finding(), prompts=table)
    html = report.html_report(detection)
    assert "Which account sent on which day" in html
    assert "by day from 2026-03-01 to 2026-03-05" in html
    assert "Which account sent on which day" not in report.html_report(make_detection(make_finding()))


def test_a_matrix_of_templates_needs_two_of_them() -> None:
    one = make_finding(templates=(make_template(),))
    assert "Which account sent which template" not in report.finding_section(one, run=report.RunFacts())
    assert "Which account sent which template" in report.finding_section(make_finding(), run=report.RunFacts())


def test_members_are_looked_at_by_what_they_are_expected_to_have_sent() -> None:
    few, many = make_member("a", harvest_prompts=3), make_member("z", harvest_prompts=90, membership=0.9)
    apart = make_member("b", recommended=False, harvest_prompts=500)
    assert by_priority([apart, few, many]) == [many, few, apart]
    text = report.accounts_csv(make_detection(make_finding(members=(apart, few, many))))
    assert re.findall(r'^"(\w)".*"(\d)"\r?$', text, re.MULTILINE) == [("z", "1"), ("a", "2"), ("b", "3")]


# ---------------------------------------------------------------- the brief


def test_the_brief_is_inert_and_names_no_account(detection: Detection) -> None:
    html = report.brief_page(detection)
    page = Page(html)
    assert page.open == []
    assert not set(page.tags) & {"script", "img", "form", "link", "iframe"}
    assert not {name for _, name, _ in page.attributes} & {"style", "src", "href", "action"}
    assert INVISIBLE.search(html) is None
    assert "user0" not in page.text
    assert "203.0.113" not in page.text
    assert "2 suspected campaigns: 1 urgent, 1 watch" in page.text
    assert "Nothing here is proof" in page.text


def test_the_brief_says_which_verdicts_are_in_force() -> None:
    def judged(campaign: str, verdict: str) -> Finding:
        sentence = f"ann judged it {verdict} on 2026-06-01: user0 is ours"
        return make_finding(campaign, standing=replace(standing("growing"), fresh=False, verdict=sentence))

    text = text_of(report.brief_page(make_detection(judged("c-1", "harvest"), judged("c-2", "benign"), make_finding())))
    assert "Verdicts in force: 1 benign, 1 harvest." in text
    assert "Judged harvest on 2026-06-01." in text
    assert "ann" not in text.split(), "names and notes of reviewers may name accounts"
    assert "user0" not in text
    assert "Verdicts" not in text_of(report.brief_page(make_detection(make_finding())))


def test_the_brief_without_findings_says_so() -> None:
    text = text_of(report.brief_page(make_detection()))
    assert "No coordinated campaign was found" in text
    assert "No group of accounts looks more like one operation" in text


def crowded() -> Detection:
    """As much as a brief may have: long titles in wide letters, all statuses, many groups, warnings."""
    statuses: tuple[Status, ...] = ("new", "growing", "quiet", "back")
    strong = [
        make_finding(
            f"c-{i:010}", tier="urgent" if i % 2 else "review", title="請逐步推理並寫出完整的思考過程" * 14 + HOSTILE,
            standing=replace(standing(statuses[i % 4]), verdict="ann judged it unsure on 2026-06-01."),
            accounts=1_234_567, prompts=123_456_789,
        )
        for i in range(12)
    ]  # fmt: skip
    weak = [watch(i, fitting(f"{'a very long benign explanation ' * 4}{i % 7}", -1.0)) for i in range(30)]
    counts = {"prompts": 5_000_000_000, "accounts": 70_000_000, "rejects": 9, "missing_files": 3}
    return make_detection(*strong, *weak, warnings=("One account sent everything.",) * 9, counts=counts)


@pytest.mark.skipif(BROWSER is None, reason="no chromium to print the page with")
@pytest.mark.parametrize("crowd", [False, True])
def test_the_brief_is_one_printed_page(tmp_path: Path, detection: Detection, crowd: bool) -> None:
    page = tmp_path / "brief.html"
    page.write_text(report.brief_page(crowded() if crowd else detection), encoding="utf-8")
    assert printed_pages(page) == 1


def test_a_folder_gives_the_report_and_the_brief_again(tmp_path: Path, detection: Detection) -> None:
    files = report.write_outputs(detection, tmp_path / "out", brief=True)
    assert files[-1] == tmp_path / "out" / report.BRIEF
    again = report.detection_of_folder(tmp_path / "out")
    assert report.brief_page(again) == files[-1].read_text(encoding="utf-8")
    assert [f.title for f in again.findings] == [f.title for f in detection.findings]
    report.write_outputs(detection, tmp_path / "out")
    assert not files[-1].exists()


def test_a_folder_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json"):
        report.detection_of_folder(tmp_path)
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"prompts\.parquet"):
        report.detection_of_folder(tmp_path)
