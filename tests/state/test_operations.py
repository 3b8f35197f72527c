"""The engineer on call hears of failed runs, incomplete windows and alerts given up; and tests of channels."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, get_args

import pytest

from harvestdetect.alerts import Channel, Condition, Outbox, RunInfo, load_channels, send_conditions
from harvestdetect.alerts.destinations import send
from harvestdetect.alerts.notices import condition_record, trial_record
from harvestdetect.alerts.values import ConditionName, PagerDuty, Slack, Syslog, Webhook
from harvestdetect.errors import LockedError, SettingsError, StateError
from harvestdetect.state.operations_alerts import failure, is_failure, missing_files, send_failure
from harvestdetect.state.store import DATABASE
from tests.alerts.receiving import (
    HOSTILE,
    NOW,
    PATH,
    ROUTING_KEY,
    Receiver,
    alert,
    channel,
    database,
    deliver,
    harmless,
    parsed,
    quiet,
    sending,
    texts_of,
    udp_receiver,
)
from tests.state.nights import Nights, got, pagerduty, webhook

DAY = 86_400
BOTH = ["campaigns", "operations"]


def ops(receiver: Receiver, path: str = "/ops", **more: Any) -> str:
    return webhook(receiver, path, about=["operations"], **more)


# ---------------------------------------------------------------- failed runs, through the command line


def test_a_failed_run_is_told_once_and_so_is_its_end(nights: Nights, receiver: Receiver) -> None:
    nights.settings(ops(receiver), webhook(receiver), pagerduty(receiver, about=["operations"]))
    assert nights.scan(nights.day(0, one=16)) == 0
    assert got(receiver, "/ops") == []
    columns = nights.folder / "columns.jsonl"
    columns.write_text('{"a": 1}\n')
    assert nights.scan(columns, "--quiet") == 2, "fails within the run"
    (told,) = got(receiver, "/ops")
    assert (told["kind"], told["condition"], told["state"], told["run"]) == (
        "operations",
        "run-failed",
        "standing",
        "2",
    )
    assert told["summary"].startswith("The scan failed: ")
    assert "column" in told["summary"]
    assert told["folder"] == str(nights.state)
    assert nights.scan(nights.folder / "gone.jsonl") == 1, "fails before the run"
    assert nights.scan(columns) == 2
    assert len(got(receiver, "/ops")) == 1
    assert nights.scan(nights.day(1, one=16)) == 0
    ended = got(receiver, "/ops")[1:]
    assert [(one["condition"], one["state"]) for one in ended] == [("run-failed", "ended")]
    assert nights.scan(nights.day(2, one=16)) == 0
    assert len(got(receiver, "/ops")) == 2
    pages = got(receiver, "/pd")
    assert [event["event_action"] for event in pages] == ["trigger", "resolve"]
    assert pages[0]["dedup_key"] == pages[1]["dedup_key"]
    assert pages[0]["payload"]["severity"] == "error"
    assert {one["kind"] for one in got(receiver, "/hook")} <= {"new", "changed", "back"}


def test_a_failure_before_the_run_is_told_too(nights: Nights, receiver: Receiver) -> None:
    nights.settings(ops(receiver))
    missing = nights.folder / "gone.jsonl"
    for _ in range(2):
        assert nights.scan(missing) == 1
    told = got(receiver, "/ops")
    assert len(told) == 2, "there is no state yet that could remember it"
    assert told[0]["run"] is None
    assert "no such file" in told[0]["summary"]
    assert not nights.state.exists()
    assert nights.scan(nights.day(0)) == 0
    for _ in range(2):
        assert nights.scan(missing) == 1
    assert len(got(receiver, "/ops")) == 3


def test_a_failure_is_told_where_the_state_is_no_use(nights: Nights, receiver: Receiver) -> None:
    nights.settings(ops(receiver), pagerduty(receiver, about=["operations"]))
    assert nights.scan(nights.day(0)) == 0
    for file in nights.state.glob(f"{DATABASE}-*"):
        file.unlink()
    (nights.state / DATABASE).write_bytes(b"no database " * 1_000)
    assert nights.scan(nights.day(1)) == 1
    (told,) = got(receiver, "/ops")
    assert (told["condition"], told["run"]) == ("run-failed", None)
    assert "damaged" in told["summary"]
    assert got(receiver, "/pd")[0]["event_action"] == "trigger"


def test_what_is_no_failure_is_not_told(nights: Nights, receiver: Receiver) -> None:
    assert not is_failure(KeyboardInterrupt())
    assert not is_failure(LockedError("x"))
    assert is_failure(StateError("x"))
    nights.settings(webhook(receiver))
    assert nights.scan(nights.folder / "gone.jsonl") == 1
    nights.settings(ops(receiver))
    assert nights.scan(nights.folder / "gone.jsonl", state=False) == 1
    assert receiver.requests == []


def test_a_failure_to_tell_of_a_failure_is_said_and_the_error_stays(nights: Nights, receiver: Receiver) -> None:
    nights.settings(ops(receiver))
    receiver.answer(503)
    assert nights.scan(nights.folder / "gone.jsonl") == 1
    assert "alert ops, operations: not sent: 127.0.0.1: HTTP 503" in nights.said
    assert "no such file" in nights.said


def test_alerts_given_up_are_told_on_the_other_channel(nights: Nights, receiver: Receiver) -> None:
    nights.settings(webhook(receiver), ops(receiver))
    receiver.answer(404)
    assert nights.scan(nights.day(0, one=16)) == 0
    (told,) = got(receiver, "/ops")
    campaign = nights.found()[0]["campaign_id"]
    assert (told["condition"], told["state"]) == ("alerts-given-up", "standing")
    assert told["summary"] == "1 alert could not be sent and was given up."
    assert told["details"] == [f"hook, {campaign}: 127.0.0.1: HTTP 404"]
    assert nights.scan(nights.day(1, one=16)) == 0
    assert [one["state"] for one in got(receiver, "/ops")] == ["standing", "ended"]


# ---------------------------------------------------------------- conditions in the outbox


def about_run(number: int, now: float = NOW) -> RunInfo:
    return RunInfo(run=str(number), started=int(now), folder="/state")


def told_of(outbox: Outbox, run: int, condition: Condition, channels: list[Channel], now: float) -> list[str]:
    outbox.enqueue_conditions(str(run), [condition], channels, info=about_run(run, now))
    return [f"{d.channel} {d.campaign_id}" for d in deliver(outbox, channels, now) if d.outcome == "sent"]


def test_a_condition_is_told_when_it_begins_and_when_it_ends() -> None:
    with database_of() as connection, sending() as sent:
        outbox = Outbox(connection)
        channels = [quiet("ops", about=("operations",)), quiet("campaigns"), quiet("both", about=tuple(BOTH))]
        lost, whole = missing_files(["a.jsonl", "b\n.jsonl"]), missing_files([])
        said = "operations/window-incomplete"
        steps: list[tuple[Condition, list[str]]] = [
            (whole, []),
            (lost, [f"ops {said}", f"both {said}"]),
            (lost, []),
            (whole, [f"ops {said}", f"both {said}"]),
            (whole, []),
            (lost, [f"ops {said}", f"both {said}"]),
        ]
        for number, (condition, expected) in enumerate(steps):
            assert told_of(outbox, number, condition, channels, NOW + number * DAY) == expected
        assert [told["state"] for name, told, _ in sent if name == "ops"] == ["standing", "ended", "standing"]
        assert sent[0][1]["details"] == ["a.jsonl", "b⟨U+000A⟩.jsonl"]


def test_a_condition_that_ended_unsent_is_told_with_its_end_and_pages_nobody() -> None:
    down = {"now": True}

    def result(one: Channel, told: dict[str, Any]) -> None:
        from harvestdetect.alerts.destinations import SendError

        if down["now"]:
            raise SendError("down")

    with database_of() as connection, sending(result) as sent:
        outbox = Outbox(connection)
        pages = channel(PagerDuty(routing_key=ROUTING_KEY), name="pages", about=("operations",))
        channels = [quiet("ops", about=("operations",)), pages]
        assert told_of(outbox, 1, failure(StateError("x")), channels, NOW) == []
        down["now"] = False
        ended = Condition(name="run-failed", standing=False, summary="The last scan succeeded.")
        assert told_of(outbox, 2, ended, channels, NOW + DAY) == ["ops operations/run-failed"]
        assert [(name, told["state"]) for name, told, _ in sent] == [("ops", "ended")]
        assert outbox.pending() == 0


def test_a_condition_that_stands_is_told_again_after_the_period_of_its_channel() -> None:
    with database_of() as connection, sending():
        outbox = Outbox(connection)
        channels = [quiet("weekly", about=("operations",), repeat=7.0 * DAY)]
        lost = missing_files(["a"])
        heard = [day for day in range(1, 17) if told_of(outbox, day, lost, channels, NOW + day * DAY)]
        assert heard == [1, 8, 15]


def test_a_channel_for_operations_hears_of_no_campaign_and_a_run_is_told_once() -> None:
    with database_of() as connection, sending():
        outbox = Outbox(connection)
        channels = [quiet("ops", about=("operations",)), quiet("campaigns")]
        assert outbox.enqueue("1", [alert(run="1")], channels, NOW) == 1
        assert outbox.enqueue_conditions("1", [missing_files(["a"])], channels, info=about_run(1)) == 1
        assert outbox.enqueue_conditions("1", [missing_files(["a"])], channels, info=about_run(1)) == 0
        only = outbox.deliver(channels, NOW, about=("operations",))
        assert [d.campaign_id for d in only] == ["operations/window-incomplete"]
        assert outbox.pending() == 1


def test_telling_of_a_failure_never_raises(tmp_path: Path) -> None:
    said: list[str] = []
    broken = quiet("ops", about=("operations",))
    send_failure(str(tmp_path / "none"), ValueError("x\x1b"), [broken], number=None, now=5, notes=said.append)
    assert len(said) == 1
    assert said[0].startswith("alert ops, operations: not sent: 127.0.0.1: ")


def database_of() -> Any:
    from contextlib import closing

    return closing(database())


# ---------------------------------------------------------------- as each channel shows them


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_acts_in_a_notice(receiver: Receiver, text: str) -> None:
    condition = Condition(name="window-incomplete", standing=True, summary=text, details=(text,) * 30)
    told = condition_record(condition, key="k", info=RunInfo(run="1", started=int(NOW), folder=text))
    send(channel(Slack(url=receiver.url + PATH)), told, closes=False, now=NOW)
    message = receiver.requests[-1].json()
    for one in texts_of(message["blocks"]):
        assert len(one["text"].encode("utf-16-le")) // 2 <= 3_000
        assert not any(sign in one["text"] for sign in "<>")
        assert harmless(one["text"].replace("\n", ""))
        assert "://" not in one["text"]
    send(channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url)), told, closes=False, now=NOW)
    event = receiver.requests[-1].json()
    assert harmless(json.dumps(event, ensure_ascii=False))
    assert len(event["payload"]["summary"]) <= 1_024
    with udp_receiver() as (address, held):
        send(channel(Syslog(address=address)), told, closes=False, now=NOW)
        parts, data = parsed(held.recv(65_536))
    assert parts["pri"] == str(16 * 8 + 4)
    assert data["condition"] == "window-incomplete"
    send(channel(Webhook(url=receiver.url)), told, closes=False, now=NOW)
    assert harmless(receiver.requests[-1].body.decode())


def test_every_condition_has_its_words(receiver: Receiver) -> None:
    titles = set()
    for name in get_args(ConditionName):
        for standing in (True, False):
            told = condition_record(
                Condition(name=name, standing=standing, summary="x"),
                key="k", info=RunInfo(run="1", started=int(NOW), folder="/state", report="https://r.example/1"),
            )  # fmt: skip
            send(channel(Slack(url=receiver.url)), told, closes=not standing, now=NOW)
            message = receiver.requests[-1].json()
            titles.add(message["blocks"][0]["text"]["text"])
            context = [element["text"] for element in message["blocks"][-1]["elements"]]
            assert context[0] == "state `/state`"
            assert context[2] == "<https://r.example/1|report>"
    assert len(titles) == 6


def test_conditions_sent_at_once_are_tried_again_and_go_to_who_asked(receiver: Receiver) -> None:
    wants = channel(Webhook(url=receiver.url), name="ops", about=("operations",), retries=2)
    slept: list[float] = []
    receiver.answer(503)
    receiver.answer(503)
    done = send_conditions(
        [failure(StateError("x"))], [wants, channel(Webhook(url=receiver.url))], now=5, folder="/s", sleep=slept.append
    )
    assert [(one.channel, one.error) for one in done] == [("ops", None)]
    assert (len(receiver.requests), slept) == (3, [1.0, 2.0])
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1


# ---------------------------------------------------------------- alerts test


def test_alerts_are_tried_out(nights: Nights, receiver: Receiver, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    command = f'type = "command"\ncommand = ["tee", "-a", "{heard}"]\nname = "ticket"'
    slack = f'type = "slack"\nurl = "{receiver.url}{PATH}"'
    link = 'report_url = "https://r.example/{run}#{campaign}"\n'
    nights.settings(slack, pagerduty(receiver), webhook(receiver), command, before=link)
    file = nights.folder / "settings.toml"
    assert nights.run("alerts", "test", "--settings", file) == 0
    assert nights.out_text.splitlines() == [
        "slack: sent", "pages (pagerduty): sent", "hook (webhook): sent", "ticket (command): sent",
    ]  # fmt: skip
    message = got(receiver, PATH)[0]
    assert message["blocks"][0]["text"]["text"] == "TEST of alerts"
    assert "This is a test" in message["text"]
    events = got(receiver, "/pd")
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert events[0]["dedup_key"] == events[1]["dedup_key"]
    assert events[0]["payload"]["severity"] == "info"
    (told,) = got(receiver, "/hook")
    assert (told["kind"], told["report"]) == ("test", "https://r.example/test#test")
    assert json.loads(heard.read_text())["kind"] == "test"
    assert not nights.state.exists()


def test_a_channel_that_fails_its_test_is_named(nights: Nights, receiver: Receiver) -> None:
    nights.settings(webhook(receiver, "/a"), webhook(receiver, "/b"), pagerduty(receiver))
    file = nights.folder / "settings.toml"
    receiver.answer(403, body=b"bad\x1b[31m token")
    receiver.answer(200)
    receiver.answer(202)
    receiver.answer(500)
    assert nights.run("alerts", "test", "--settings", file) == 1
    lines = nights.out_text.splitlines()
    assert lines[0] == "a (webhook): failed: 127.0.0.1: HTTP 403: bad⟨U+001B⟩[31m token"
    assert lines[1] == "b (webhook): sent"
    assert lines[2].startswith("pages (pagerduty): failed: the incident was triggered but not resolved: 127.0.0.1")
    receiver.requests.clear()
    assert nights.run("alerts", "test", "--settings", file, "--channel", "b") == 0
    assert [request.path for request in receiver.requests] == ["/b"]
    assert nights.run("alerts", "test", "--settings", file, "--channel", "none") == 2
    assert "no channel is named 'none'; the channels are: a, b, pages" in nights.said
    unset = 'type = "slack"\nname = "later"\nurl_env = "NO_SUCH_VARIABLE"'
    nights.settings(webhook(receiver, "/b"), unset)
    assert nights.run("alerts", "test", "--settings", file, "--channel", "b") == 0, "needs no variable of another one"
    assert nights.run("alerts", "test", "--settings", file) == 2
    nights.settings()
    assert nights.run("alerts", "test", "--settings", file) == 2
    assert "has no [[alerts]] table" in nights.said


def test_a_test_is_syslog_too() -> None:
    told = trial_record(key="k", now=int(NOW), report=None)
    with udp_receiver() as (address, held):
        send(channel(Syslog(address=address)), told, closes=False, now=NOW)
        parts, data = parsed(held.recv(65_536))
    assert (parts["pri"], parts["id"], data["kind"]) == (str(16 * 8 + 6), "test", "test")
    assert parts["text"].startswith("TEST of alerts: This is a test")


# ---------------------------------------------------------------- configuration


def test_what_a_channel_hears_of_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"

    def load(lines: str) -> Channel:
        file.write_text(f'[[alerts]]\ntype = "webhook"\nurl = "https://hooks.example/"\n{lines}\n')
        return load_channels(file)[0]

    assert load("").about == ("campaigns",)
    assert load('about = ["operations", "campaigns", "operations"]').about == ("campaigns", "operations")
    for wrong in ('about = "operations"', "about = []", 'about = ["all"]', "about = [1]", "about = [[]]"):
        with pytest.raises(SettingsError, match=r"key 'about' must be a list"):
            load(wrong)
    with pytest.raises(SettingsError, match=r"key 'resolve' is unknown"):
        load('resolve = "quiet"')
    file.write_text('[[alerts]]\ntype = "pagerduty"\nrouting_key = "abc"\nresolve = "never"\n')
    with pytest.raises(SettingsError, match=r"key 'resolve' must be one of verdict, quiet"):
        load_channels(file)
    file.write_text('[[alerts]]\ntype = "pagerduty"\nrouting_key = "abc"\n')
    target = load_channels(file)[0].destination
    assert isinstance(target, PagerDuty)
    assert target.resolve == "verdict"


def test_a_database_of_before_gets_the_new_columns() -> None:
    from harvestdetect.alerts import create_tables

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE told (channel TEXT, campaign_id TEXT, kind TEXT)")
    create_tables(connection)
    create_tables(connection)
    for table in ("told", "outbox"):
        assert "incident" in [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()


def test_an_incomplete_window_is_told_once_and_so_is_its_end(nights: Nights, receiver: Receiver) -> None:
    nights.settings(ops(receiver), pagerduty(receiver, about=["operations"]))
    first = nights.day(0, one=16)
    assert nights.scan(first) == 0
    for shard in (nights.state / "read").glob("*.shard"):
        shard.unlink()
    assert nights.scan(nights.day(1, one=16), "--quiet") == 4
    (told,) = got(receiver, "/ops")
    assert (told["condition"], told["state"], told["run"]) == ("window-incomplete", "standing", "2")
    assert told["summary"].startswith("The state has lost 1 file of the window")
    assert told["details"] == [str(first)]
    assert nights.scan(nights.day(2, one=16)) == 4
    assert len(got(receiver, "/ops")) == 1
    assert nights.scan(first) == 0
    assert [one["state"] for one in got(receiver, "/ops")] == ["standing", "ended"]
    assert [event["event_action"] for event in got(receiver, "/pd")] == ["trigger", "resolve"]


def test_a_run_that_its_clock_keeps_from_beginning_is_told(nights: Nights, receiver: Receiver) -> None:
    from harvestdetect import Settings
    from harvestdetect.errors import ClockError
    from harvestdetect.state import open_state

    nights.settings(ops(receiver))
    assert nights.scan(nights.day(0)) == 0
    channels = load_channels(nights.folder / "settings.toml")
    fast = Settings(encoder="fast", workers=1, threads=1, cache=nights.cache)
    with open_state(nights.state, write=True) as opened, pytest.raises(ClockError):
        opened.scan([nights.day(1)], settings=fast, now=1_000_000_000, channels=channels)
    (told,) = got(receiver, "/ops")
    assert (told["condition"], told["state"], told["run"]) == ("run-failed", "standing", None)
