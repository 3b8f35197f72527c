"""Runs by night, through the command line and to real receivers: what metrics, alerts and lists say of each."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable

import pytest

from harvestdetect import Settings
from harvestdetect.alerts import report_link
from harvestdetect.errors import SettingsError, UsageError
from harvestdetect.report.format import iso_time
from harvestdetect.state import open_state
from harvestdetect.util.ids import named_campaign
from tests.alerts.receiving import Receiver
from tests.state.nights import Nights, got, pagerduty, webhook

DAY = 86_400


# ---------------------------------------------------------------- rows, rejects, metrics


def test_a_wholly_malformed_file_is_counted_and_not_subtracted(nights: Nights) -> None:
    assert nights.scan(nights.day(0)) == 0
    bad = nights.folder / "bad.jsonl"
    bad.write_text("{\n[]\nno\n")
    assert nights.scan(bad) == 0
    assert "run 2: read 0 new prompts from 1 new file, 1 reject" in nights.said
    figures = nights.figures()
    assert (figures["last_run_rows"], figures["last_run_rejected_rows"]) == (1, 1)
    assert (figures["last_run_exit_code"], figures["window_prompts"]) == (0, 60)
    counts = json.loads((nights.out / "run.json").read_text())["counts"]
    assert (counts["new_rows"], counts["rejects"], counts["prompts"]) == (0, 1, 60)


@pytest.mark.parametrize("state", [True, False])
def test_rows_are_those_that_were_read_rejects_included(nights: Nights, state: bool) -> None:
    file = nights.day(0)
    file.write_text(file.read_text() + "{\nno\n")
    assert nights.scan(file, state=state) == 0
    assert (nights.figures()["last_run_rows"], nights.figures()["last_run_rejected_rows"]) == (62, 2)
    if state:
        assert "60 new prompts from 1 new file, 2 rejects" in nights.said
        assert "read 60 new prompts in 1 file, 2 rejects" in " ".join(nights.out_text.split())


def test_the_share_of_bad_rows_is_of_what_the_run_read(nights: Nights) -> None:
    assert nights.scan(nights.day(0)) == 0
    bad = nights.day(1)
    bad.write_text("".join(bad.read_text().splitlines(keepends=True)[:10]) + "{\n{\n")
    assert nights.scan(bad, "--max-rejects", "10%") == 4
    assert "2 of 12 rows were rejected" in nights.said


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("missing", 1), ("empty folder", 1), ("settings", 2), ("columns", 2), ("locked", 75), ("usage", 2),
        ("option", 2), ("window", 2), ("no rows", 1),
    ],
)  # fmt: skip
def test_metrics_are_written_for_every_run_that_started(nights: Nights, what: str, code: int) -> None:
    assert nights.scan(nights.day(0)) == 0
    before = nights.figures()
    nights.prom.write_text(
        nights.prom.read_text()
        .replace(f"last_run_timestamp_seconds {before['last_run_timestamp_seconds']}", "last_run_timestamp_seconds 5")
        .replace(f"success_timestamp_seconds {before['last_success_timestamp_seconds']}", "success_timestamp_seconds 4")
    )
    assert nights.figures()["last_run_timestamp_seconds"] == 5
    file, more, state = nights.folder / "none.jsonl", [], True
    if what == "empty folder":
        file = nights.folder / "empty"
        file.mkdir()
    elif what == "settings":
        nights.settings(before="min_accounts = 0\n")
    elif what == "columns":
        file.write_text('{"a": 1}\n')
    elif what == "usage":
        more, state = ["--window", "3d"], False
    elif what == "option":
        more = ["--no-such-option"]
    elif what == "window":
        file, more = nights.day(1), ["--window", "a while"]
    elif what == "no rows":
        file.write_text("")
        state = False
    lock = os.open(nights.state / "lock", os.O_RDWR)
    if what == "locked":
        file = nights.day(1)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert nights.scan(file, *more, state=state) == code
    finally:
        os.close(lock)
    after = nights.figures()
    assert after["last_run_exit_code"] == code
    assert after["last_run_timestamp_seconds"] >= before["last_run_timestamp_seconds"]
    assert after["last_success_timestamp_seconds"] == 4
    assert after['campaigns{status="new"}'] == before['campaigns{status="new"}']


def test_metrics_that_cannot_be_written_do_not_undo_the_scan(nights: Nights) -> None:
    nights.prom.mkdir()
    file = nights.day(0, one=16)
    assert nights.scan(file, "--quiet") == 1
    assert "cannot write the metrics" in nights.said
    assert nights.found()
    assert (nights.out / "run.json").exists()
    assert nights.known()[0]["campaign_id"] == nights.found()[0]["campaign_id"]
    assert nights.scan(file, "--fail-on", "watch", state=False) == 3, "what the scan says goes before"
    assert nights.scan(nights.folder / "none.jsonl") == 1
    assert "no such file" in nights.said
    assert nights.scan(nights.folder / "none.jsonl", "--window", "3d", state=False) == 2


def test_a_quiet_run_says_nothing(nights: Nights, receiver: Receiver) -> None:
    nights.settings(webhook(receiver))
    assert nights.scan(nights.day(0, one=16), "--quiet", "--baseline") == 0
    assert nights.said == ""


# ---------------------------------------------------------------- alerts: link, run, failed and pending


def test_an_alert_names_run_time_and_report(nights: Nights, receiver: Receiver) -> None:
    template = "https://reports.example.org/{date}/{run}/report.html?at={started}#{campaign}"
    slack = f'type = "slack"\nurl = "{receiver.url}/slack"\ntier = "watch"'
    nights.settings(webhook(receiver), slack, pagerduty(receiver), before=f'report_url = "{template}"\n')
    before = int(time.time())
    assert nights.scan(nights.day(0, one=16)) == 0
    (told,) = got(receiver, "/hook")
    (campaign,) = nights.found()
    started = told["run_started"]
    assert iso_time(before) <= started <= iso_time(int(time.time()))  # type: ignore[operator]
    assert told["run"] == "1"
    stamp = started.replace("-", "").replace(":", "")
    link = f"https://reports.example.org/{started[:10]}/1/report.html?at={stamp}#{campaign['campaign_id']}"
    assert told["report"] == link
    (message,) = got(receiver, "/slack")
    context = [element["text"] for element in message["blocks"][-1]["elements"]]
    assert f"<{link}|report>" in context
    assert f"run `1` of {started[:10]} {started[11:19]} UTC" in context
    (event,) = got(receiver, "/pd")
    assert event["links"] == [{"href": link, "text": "report"}]
    assert event["client_url"] == link
    assert event["payload"]["custom_details"]["run_started"] == started


def test_a_report_url_is_checked() -> None:
    for wrong, why in (
        ("ftp://reports.example/", "must start with https:// or http://"),
        ("javascript:alert(1)", "must start with https:// or http://"),
        ("https://ann:secret@reports.example/", "must start with https:// or http://"),
        ("https://{campaign}.example/", "must start with https:// or http://"),
        ("https://reports.example/{text}", r"unknown placeholder {text}; known: {campaign}, {run}, {started}, {date}"),
        ("https://reports.example/{", "without blanks, quotes and single braces"),
        ("https://reports.example/<x>", "without blanks, quotes and single braces"),
        ("https://reports.example/a b", "without blanks, quotes and single braces"),
        ("https://reports.example/" + "x" * 400, "at most 400 characters"),
        (5, "must be an address"),
    ):
        with pytest.raises(SettingsError) as raised:
            Settings(report_url=wrong)  # type: ignore[arg-type]
        assert why in str(raised.value), wrong
    assert Settings(report_url="http://[::1]:8080/{run}").report_url


def test_what_is_put_into_a_report_url_is_escaped() -> None:
    hostile = 'c-1/../"<{run}>\n|\ud800'
    link = report_link("https://r.example/{campaign}#{campaign}", run="1", started=0, campaign=hostile)
    assert link is not None
    assert link.startswith("https://r.example/c-1%2F..%2F%22%3C%7Brun%7D%3E%0A%7C")
    assert link.isascii()
    assert report_link("https://r.example/{date}#{campaign}", run="1", started=0) == "https://r.example/1970-01-01"
    assert report_link("https://r.example/{campaign}/x", run="1", started=0) is None
    assert report_link("https://r.example/{run}#top", run="1", started=0) == "https://r.example/1#top"
    assert report_link(None, run="1", started=0) is None


def test_failed_and_pending_alerts_are_counted_apart(nights: Nights, receiver: Receiver) -> None:
    refusing, busy, well = (webhook(receiver, f"/{name}") for name in ("refusing", "busy", "well"))
    nights.settings(refusing, busy, well)
    receiver.answer(404)
    receiver.answer(503)
    assert nights.scan(nights.day(0, one=16)) == 0
    figures = nights.figures()
    assert (figures["alerts_failed"], figures["alerts_pending"]) == (1, 1)
    campaign = nights.found()[0]["campaign_id"]
    assert f"alert refusing, {campaign}: given up: 127.0.0.1: HTTP 404" in nights.said
    assert f"alert busy, {campaign}: kept for a later run: 127.0.0.1: HTTP 503" in nights.said
    assert "alerts: 1 sent, 1 given up, 1 kept for a later run" in nights.said


# ---------------------------------------------------------------- the first run


def test_a_baseline_is_known_and_not_told_until_it_changes(nights: Nights, receiver: Receiver) -> None:
    nights.settings(webhook(receiver), webhook(receiver, "/all", repeat="1s"), pagerduty(receiver, resolve="quiet"))
    days = [nights.day(number, one=14, two=12) for number in range(4)]
    assert nights.scan(*days[:3], "--baseline") == 0
    assert receiver.requests == []
    assert "baseline: recorded 2 campaigns without sending alerts" in nights.said
    assert {c["status"] for c in nights.known()} == {"new"}
    assert nights.scan(days[3]) == 0
    assert receiver.requests == [], "nothing changed, and what was never told is not repeated"
    assert nights.scan(nights.day(4, one=14, two=16)) == 0
    told = got(receiver, "/hook")
    assert {one["kind"] for one in told} == {"changed"}
    assert [one["new_accounts"] for one in told if one["accounts"] == 16] == [4]
    assert {one["event_action"] for one in got(receiver, "/pd")} == {"trigger"}


def test_a_baseline_is_for_the_first_run(nights: Nights) -> None:
    file = nights.day(0)
    assert nights.scan(file, "--baseline", state=False) == 2
    assert "--baseline needs --state; add --state DIR, or leave --baseline out" in nights.said
    assert nights.scan(file, "--baseline") == 0
    assert "no alert channel is configured" in nights.said
    assert nights.scan(nights.day(1), "--baseline") == 2
    assert "leave --baseline out" in nights.said
    assert nights.scan(nights.day(1)) == 0


# ---------------------------------------------------------------- PagerDuty and verdicts


@pytest.mark.parametrize("resolve", ["verdict", "quiet"])
def test_a_page_of_a_quiet_campaign_stays_open_until_a_verdict(
    nights: Nights, receiver: Receiver, resolve: str
) -> None:
    nights.settings(pagerduty(receiver, resolve=resolve, notify_on="new"))

    def actions() -> list[str]:
        return [event["event_action"] for event in got(receiver, "/pd")]

    assert nights.scan(nights.day(0, one=16)) == 0
    campaign = nights.found()[0]["campaign_id"]
    assert actions() == ["trigger"]
    assert nights.scan(nights.day(5)) == 0
    assert nights.known()[0]["status"] == "quiet"
    if resolve == "quiet":
        assert actions() == ["trigger", "resolve"]
        return
    assert actions() == ["trigger"]
    assert nights.scan(nights.day(6)) == 0
    assert actions() == ["trigger"]
    assert nights.run("review", nights.state, campaign, "--verdict", "unsure", "--by", "ann") == 0
    assert nights.scan(nights.day(7)) == 0
    assert actions() == ["trigger"], "unsure is no answer"
    assert nights.run("review", nights.state, campaign, "--verdict", "harvest", "--by", "ann") == 0
    assert nights.scan(nights.day(8)) == 0
    assert actions() == ["trigger", "resolve"]
    assert got(receiver, "/pd")[1]["dedup_key"] == campaign
    assert nights.scan(nights.day(9)) == 0
    assert actions() == ["trigger", "resolve"]


# ---------------------------------------------------------------- ever and in window, ids


def test_campaigns_say_what_is_ever_and_what_is_in_the_window(nights: Nights) -> None:
    for day, accounts in enumerate((30, 16, 16)):
        assert nights.scan(nights.day(day, one=accounts), "--window", "36h") == 0
    (found,), (known,) = nights.found(), nights.known()
    assert known["window_prompts"] == found["prompts"]
    assert known["window_accounts"] == found["accounts"]
    assert known["prompts"] > known["window_prompts"]
    assert known["accounts"] > known["window_accounts"]
    assert nights.run("campaigns", nights.state) == 0
    head, row = nights.out_text.splitlines()[:2]
    assert "accounts ever / in window" in head
    assert "prompts ever / in window" in head
    assert f"{known['accounts']} / {known['window_accounts']}" in row
    assert f"{known['prompts']} / {known['window_prompts']}" in row
    assert nights.run("campaigns", nights.state, known["campaign_id"]) == 0
    assert f"ever: {known['accounts']} accounts" in nights.out_text
    assert f"in the window of the last run: {found['accounts']} accounts, {found['prompts']} prompts" in nights.out_text
    with open_state(nights.state) as opened:
        (waiting,) = opened.queue()
    report = (nights.out / "report.html").read_text(encoding="utf-8")
    assert waiting.chance
    assert waiting.chance in report, "the queue says the probability as the report does"
    assert nights.scan(nights.day(12), "--window", "36h") == 0
    assert "in window: 60 prompts" in nights.out_text
    assert (nights.known()[0]["window_prompts"], nights.known()[0]["prompts"]) == (0, known["prompts"])


def test_every_command_takes_the_beginning_of_an_id(nights: Nights) -> None:
    assert nights.scan(nights.day(0, one=16, two=14)) == 0
    first, second = sorted(found["campaign_id"] for found in nights.found())
    short = first[:6]
    assert first.startswith(short)
    assert not second.startswith(short)
    assert nights.run("campaigns", nights.state, short, "--accounts") == 0
    assert len(nights.out_text.splitlines()) in (14, 16)
    assert nights.run("explain", nights.out, short) == 0
    assert nights.run("review", nights.state, short, "--verdict", "unsure", "--by", "ann") == 0
    assert first in nights.out_text
    assert nights.run("review", nights.state, short) == 0
    assert first in nights.out_text
    assert nights.run("review", nights.state, short, "--undo", "--by", "ann") == 0
    commands: tuple[Callable[[str], tuple[object, ...]], ...] = (
        lambda text: ("campaigns", nights.state, text),
        lambda text: ("review", nights.state, text),
        lambda text: ("review", nights.state, text, "--verdict", "benign"),
        lambda text: ("review", nights.state, text, "--undo"),
        lambda text: ("explain", nights.out, text),
    )
    for command in commands:
        assert nights.run(*command("c-zzzz")) == 2
        assert "'c-zzzz'" in nights.said
    assert nights.run("review", nights.state) == 0
    assert nights.out_text.count("ann") == 1, "what failed judged nothing"


def test_an_id_is_named_by_its_beginning_only_where_that_is_clear() -> None:
    known = ["c-1234", "c-1256", "c-9", "c-99"]
    assert named_campaign("c-9", known, where="the state") == "c-9", "an id goes before the beginning of another"
    assert named_campaign("c-123", known, where="the state") == "c-1234"
    for text, why in (
        ("c-12", "2 campaigns begin with 'c-12': c-1234, c-1256; give more of the id"),
        ("c-", "'c-' is too short for the beginning of a campaign id; give 3 characters"),
        ("", "'' is too short"),
        ("c-7", "there is no campaign 'c-7' in the state; the nearest: c-9"),
        ("\x1b\ud800", r"there is no campaign '\x1b\ud800' in the state"),
    ):
        with pytest.raises(UsageError) as raised:
            named_campaign(text, known, where="the state")
        assert why in str(raised.value)
    with pytest.raises(UsageError, match=r"in the state; do this$"):
        named_campaign("c-1", [], where="the state", hint="do this")
