"""Who is told what and when, and that nothing is lost or told twice, whatever fails."""

from __future__ import annotations

import dataclasses
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvestdetect.alerts import Channel, Outbox, create_tables, forget_account
from harvestdetect.alerts.destinations import SendError, send
from harvestdetect.alerts.render import bounded_id
from harvestdetect.alerts.values import PagerDuty, Webhook
from harvestdetect.data import TIERS
from tests.alerts.receiving import (
    DAY,
    HOSTILE,
    NOW,
    ROUTING_KEY,
    SECRET,
    STEP,
    Clock,
    Receiver,
    Step,
    alert,
    channel,
    database,
    deliver,
    hostile,
    quiet,
    sending,
    told_once,
    unused_port,
)

ROOT = Path(__file__).resolve().parents[2]

# ---------------------------------------------------------------- receivers


# ---------------------------------------------------------------- who is told what


def test_what_a_channel_wants_to_hear(outbox: Outbox) -> None:
    channels = [quiet(name, notify_on=name) for name in ("new", "changed", "all")]
    with sending():
        runs = [
            ([alert()], ["new new", "changed new", "all new"]),
            ([alert(kind="standing")], ["all standing"]),
            ([alert(kind="changed", tier="urgent")], ["changed changed", "all changed"]),
            ([alert(kind="standing", tier="urgent")], ["all standing"]),
            ([alert(kind="resolved", tier="urgent")], ["changed resolved", "all resolved"]),
            ([alert(kind="back")], ["new back", "changed back", "all back"]),
        ]
        for number, (alerts, expected) in enumerate(runs):
            assert told_once(outbox, f"r-{number}", alerts, channels, NOW + number * DAY) == expected


def test_a_channel_hears_of_its_tiers_only_and_when_a_campaign_leaves_them(outbox: Outbox) -> None:
    channels = [quiet(tier, tier=tier) for tier in TIERS]
    runs: list[tuple[Any, Any, list[str]]] = [
        ("new", "watch", ["watch new"]),
        ("changed", "review", ["review changed", "watch changed"]),
        ("changed", "urgent", ["urgent changed", "review changed", "watch changed"]),
        ("changed", "review", ["urgent changed", "review changed", "watch changed"]),
        ("changed", "watch", ["review changed", "watch changed"]),
        ("standing", "watch", []),
        ("resolved", "watch", ["watch resolved"]),
    ]
    with sending() as sent:
        for number, (kind, tier, expected) in enumerate(runs):
            got = told_once(outbox, f"r-{number}", [alert(kind=kind, tier=tier)], channels, NOW + number * DAY)
            assert got == expected, (kind, tier)
    assert [(name, told["tier"]) for name, told, closes in sent if closes] == [
        ("urgent", "review"),
        ("review", "watch"),
        ("watch", "watch"),
    ]


def test_a_channel_added_later_hears_of_what_stands(outbox: Outbox) -> None:
    old, added = quiet("old"), quiet("added", notify_on="new")
    with sending():
        assert told_once(outbox, "r-1", [alert()], [old], NOW) == ["old new"]
        assert told_once(outbox, "r-2", [alert(kind="standing")], [old, added], NOW + DAY) == ["added standing"]
        assert told_once(outbox, "r-3", [alert(kind="standing")], [old, added], NOW + 2 * DAY) == []


@pytest.mark.parametrize("notify_on", ["new", "changed"])
def test_what_still_stands_is_told_again_after_the_period(outbox: Outbox, notify_on: Any) -> None:
    weekly, never = quiet("weekly", notify_on=notify_on, repeat=7 * DAY), quiet("never", notify_on=notify_on)
    with sending():
        assert told_once(outbox, "r-0", [alert()], [weekly, never], NOW) == ["weekly new", "never new"]
        heard = [
            day
            for day in range(1, 23)
            if told_once(outbox, f"r-{day}", [alert(kind="standing")], [weekly, never], NOW + day * DAY - day % 3)
        ]
    assert heard == [7, 14, 21]


def test_of_what_was_never_told_the_end_is_not_told(outbox: Outbox) -> None:
    channels = [quiet("changed"), quiet("all", notify_on="all")]
    with sending():
        assert told_once(outbox, "r-1", [alert(kind="resolved")], channels, NOW) == ["all resolved"]
        assert told_once(outbox, "r-2", [alert("c-2", kind="resolved", tier="watch")], channels, NOW) == []


def test_pagerduty_resolves_what_it_triggered_and_nothing_else(receiver: Receiver, outbox: Outbox) -> None:
    pages = channel(
        PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"),
        name="pages",
        notify_on="new",
        tier="urgent",
    )
    told_once(outbox, "r-0", [alert("c-1", kind="resolved"), alert("c-2", tier="review")], [pages], NOW)
    assert receiver.requests == []
    told_once(outbox, "r-1", [alert("c-1", tier="urgent"), alert("c-2", tier="urgent", kind="changed")], [pages], NOW)
    told_once(outbox, "r-2", [alert("c-1", tier="urgent", kind="resolved")], [pages], NOW + DAY)
    told_once(outbox, "r-3", [alert("c-2", tier="review", kind="changed")], [pages], NOW + 2 * DAY)
    told_once(outbox, "r-4", [alert("c-2", tier="review", kind="resolved")], [pages], NOW + 3 * DAY)
    told = [(got["event_action"], got["dedup_key"]) for got in (request.json() for request in receiver.requests)]
    assert told == [("trigger", "c-1"), ("trigger", "c-2"), ("resolve", "c-1"), ("resolve", "c-2")]


def test_an_incident_that_ends_before_anybody_was_paged_is_withdrawn(receiver: Receiver, outbox: Outbox) -> None:
    pages = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"))
    receiver.answer(429)
    assert told_once(outbox, "r-1", [alert()], [pages], NOW) == []
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [pages], NOW + DAY) == []
    assert len(receiver.requests) == 1
    receiver.answer(503)  # here nobody knows whether it was triggered
    assert told_once(outbox, "r-3", [alert("c-2")], [pages], NOW + 2 * DAY) == []
    assert told_once(outbox, "r-4", [alert("c-2", kind="resolved")], [pages], NOW + 3 * DAY) == ["here resolved"]
    assert receiver.requests[-1].json()["event_action"] == "resolve"


def test_one_doubtful_attempt_is_enough_for_a_resolve(receiver: Receiver, outbox: Outbox) -> None:
    pages = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"), retries=1)
    receiver.answer(503)
    receiver.answer(429)
    assert told_once(outbox, "r-1", [alert()], [pages], NOW) == []
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [pages], NOW + DAY) == ["here resolved"]


# ---------------------------------------------------------------- the outbox


def states(connection: sqlite3.Connection) -> list[tuple[str, str, bool]]:
    rows = connection.execute("SELECT run, state, body IS NOT NULL FROM outbox ORDER BY number")
    return [(run, state, bool(held)) for run, state, held in rows]


def test_what_fails_is_sent_by_the_next_run_under_the_same_key(
    receiver: Receiver, webhook: Channel, outbox: Outbox, connection: sqlite3.Connection
) -> None:
    receiver.answer(503)
    outbox.enqueue("r-1", [alert()], [webhook], NOW)
    (first,) = deliver(outbox, [webhook])
    assert (first.outcome, first.tries, first.error) == ("kept", 1, "127.0.0.1: HTTP 503")
    assert first.next_try == NOW + 60
    assert states(connection) == [("r-1", "waiting", True)]
    assert deliver(outbox, [webhook], NOW + 59) == []
    outbox.enqueue("r-2", [alert(kind="standing", run="r-2")], [webhook], NOW + DAY)
    (second,) = deliver(outbox, [webhook], NOW + DAY)
    assert (second.outcome, second.tries, second.kind, second.run) == ("sent", 2, "new", "r-1")
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1
    assert receiver.requests[0].body == receiver.requests[1].body
    assert states(connection) == [("r-1", "sent", False)]
    assert deliver(outbox, [webhook], NOW + 2 * DAY) == []


def test_a_run_that_is_repeated_enqueues_and_sends_nothing_twice(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    alerts = [alert("c-1"), alert("c-2", kind="standing")]
    assert outbox.enqueue("r-1", alerts, [webhook], NOW) == 2
    assert outbox.enqueue("r-1", alerts, [webhook], NOW + 5) == 0
    assert len(deliver(outbox, [webhook])) == 2
    assert outbox.enqueue("r-1", alerts, [webhook], NOW + 10) == 0
    assert deliver(outbox, [webhook], NOW + 10) == []
    assert len(receiver.requests) == 2


def test_retries_back_off_and_heed_retry_after(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    for headers in ({}, {}, {"Retry-After": "17"}):
        receiver.answer(429, headers)
    clock = Clock()
    patient = dataclasses.replace(webhook, retries=5)
    outbox.enqueue("r-1", [alert()], [patient], NOW)
    (done,) = deliver(outbox, [patient], clock=clock)
    assert (done.outcome, done.tries) == ("sent", 4)
    assert clock.slept == [1.0, 2.0, 17.0]
    stamps = [int(request.headers["x-harvestdetect-timestamp"]) - int(NOW) for request in receiver.requests]
    assert stamps == [0, 1, 3, 20]
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1


def test_attempts_in_one_run_are_few_and_bounded_in_time(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    for _ in range(20):
        receiver.answer(500)
    clock = Clock()
    patient = dataclasses.replace(webhook, retries=10)
    outbox.enqueue("r-1", [alert()], [patient], NOW)
    (done,) = deliver(outbox, [patient], clock=clock, seconds=20.0)
    assert (done.outcome, clock.slept) == ("kept", [1.0, 2.0, 4.0, 8.0])
    (done,) = deliver(outbox, [patient], NOW + DAY, attempts=2)
    assert (done.outcome, done.tries) == ("kept", 7)


def test_a_destination_that_wants_to_be_left_alone_is(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    receiver.answer(429, {"Retry-After": "7200"})
    patient = dataclasses.replace(webhook, retries=5)
    outbox.enqueue("r-1", [alert("c-1"), alert("c-2")], [patient], NOW)
    first, second = deliver(outbox, [patient])
    assert (first.outcome, first.next_try) == ("kept", NOW + 7200)
    assert (second.outcome, second.tries, second.error) == ("kept", 0, "not tried: the channel fails")
    assert len(receiver.requests) == 1
    receiver.answer(429, {"Retry-After": "99999999"})
    assert deliver(outbox, [patient], NOW + DAY)[0].next_try == NOW + DAY + 6 * 3_600


def test_a_channel_that_fails_holds_up_neither_itself_nor_the_others(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    broken = dataclasses.replace(
        webhook, name="broken", destination=Webhook(url=f"http://127.0.0.1:{unused_port()}"), retries=2
    )
    outbox.enqueue("r-1", [alert(f"c-{i}") for i in range(6)], [broken, webhook], NOW)
    done = deliver(outbox, [broken, webhook])
    assert [d.tries for d in done if d.channel == "broken"] == [3, 1, 1, 0, 0, 0]
    assert [d.campaign_id for d in done if d.outcome == "sent"] == [f"c-{i}" for i in range(6)]
    assert {d.channel for d in done if d.outcome == "sent"} == {"here"}


def test_one_alert_that_is_refused_does_not_hold_up_those_behind_it(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    outbox.enqueue("r-1", [alert("c-0"), alert("c-1"), alert("c-2")], [webhook], NOW)
    receiver.answer(500)
    assert [d.outcome for d in deliver(outbox, [webhook])] == ["kept", "sent", "sent"]


def test_a_permanent_failure_is_given_up_reported_and_told_anew_while_it_stands(
    receiver: Receiver, webhook: Channel, outbox: Outbox, connection: sqlite3.Connection
) -> None:
    receiver.answer(404, body=b"gone")
    outbox.enqueue("r-1", [alert()], [dataclasses.replace(webhook, retries=5)], NOW)
    (done,) = deliver(outbox, [webhook])
    assert (done.outcome, done.error, done.next_try) == ("given up", "127.0.0.1: HTTP 404: gone", None)
    assert states(connection) == [("r-1", "given up", False)]
    assert len(receiver.requests) == 1
    assert deliver(outbox, [webhook], NOW + DAY) == []
    assert told_once(outbox, "r-2", [alert(kind="standing")], [webhook], NOW + DAY) == ["here standing"]
    receiver.answer(404)
    assert told_once(outbox, "r-3", [alert(kind="changed")], [webhook], NOW + 2 * DAY) == []
    assert told_once(outbox, "r-4", [alert(kind="standing")], [webhook], NOW + 3 * DAY) == ["here standing"]
    assert told_once(outbox, "r-5", [alert(kind="standing")], [webhook], NOW + 4 * DAY) == []


def test_after_days_an_alert_is_given_up_and_that_is_reported(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    outbox.enqueue("r-1", [alert()], [webhook], NOW)
    for day in range(8):
        receiver.answer(503)
        (done,) = deliver(outbox, [webhook], NOW + day * DAY)
        assert done.outcome == ("given up" if day == 7 else "kept")
    assert done.error == "127.0.0.1: HTTP 503 (given up after 7 days)"
    assert deliver(outbox, [webhook], NOW + 8 * DAY) == []
    assert told_once(outbox, "r-9", [alert(kind="resolved")], [webhook], NOW + 9 * DAY) == ["here resolved"]


def test_what_waits_for_a_channel_that_is_gone_is_given_up_in_the_end(webhook: Channel, outbox: Outbox) -> None:
    outbox.enqueue("r-1", [alert()], [webhook], NOW)
    assert deliver(outbox, [], NOW + DAY) == []
    (done,) = deliver(outbox, [], NOW + 8 * DAY)
    assert (done.channel, done.outcome) == ("here", "given up")
    assert done.error == "its channel is not configured (given up after 8 days)"


def test_a_newer_alert_takes_the_place_of_one_that_waits(
    receiver: Receiver, webhook: Channel, outbox: Outbox, connection: sqlite3.Connection
) -> None:
    for _ in range(2):
        receiver.answer(503)
    told_once(outbox, "r-1", [alert(new_accounts=56, changes=())], [webhook], NOW)
    told_once(outbox, "r-2", [alert(kind="changed", tier="urgent", previous_tier="review", accounts=70, new_accounts=14,
                                    changes=("The tier rose.",))], [webhook], NOW + DAY)  # fmt: skip
    assert states(connection) == [("r-1", "replaced", False), ("r-2", "waiting", True)]
    change = alert(kind="changed", tier="urgent", accounts=71, new_accounts=1, changes=("1 account is new.",))
    assert told_once(outbox, "r-3", [change], [webhook], NOW + 2 * DAY) == ["here new"]
    told = receiver.requests[-1].json()
    assert (told["kind"], told["tier"], told["previous_tier"]) == ("new", "urgent", None)
    assert (told["accounts"], told["new_accounts"]) == (71, 71)
    assert told["changes"] == ["The tier rose.", "1 account is new."]
    assert outbox.enqueue("r-1", [alert()], [webhook], NOW + 2 * DAY) == 0
    assert outbox.enqueue("r-2", [alert(run="r-2")], [webhook], NOW + 2 * DAY) == 0


def test_what_waits_longest_is_sent_first_also_when_it_was_renewed(outbox: Outbox) -> None:
    def refused(*_: Any) -> None:
        raise SendError("no")

    with sending(refused):
        told_once(outbox, "r-1", [alert("c-old")], [quiet()], NOW)
        told_once(outbox, "r-2", [alert("c-young")], [quiet()], NOW + DAY)
    with sending() as sent:
        told_once(outbox, "r-3", [alert("c-old", kind="changed")], [quiet()], NOW + 2 * DAY)
    assert [told["campaign_id"] for _, told, _ in sent] == ["c-old", "c-young"]


def test_changes_that_wait_are_told_together(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    told_once(outbox, "r-1", [alert()], [webhook], NOW)
    receiver.answer(503)
    rise = alert(kind="changed", tier="urgent", previous_tier="review", new_accounts=2, changes=("The tier rose.",))
    told_once(outbox, "r-2", [rise], [webhook], NOW + DAY)
    growth = alert(kind="changed", tier="urgent", new_accounts=3, changes=("It grew.",))
    assert told_once(outbox, "r-3", [growth], [webhook], NOW + 2 * DAY) == ["here changed"]
    told = receiver.requests[-1].json()
    assert (told["previous_tier"], told["new_accounts"]) == ("review", 5)
    assert told["changes"] == ["The tier rose.", "It grew."]


def test_a_campaign_that_is_gone_before_it_was_told_is_told_as_gone(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    receiver.answer(503)
    only_new = dataclasses.replace(webhook, notify_on="new")
    told_once(outbox, "r-1", [alert()], [only_new], NOW)
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [only_new], NOW + DAY) == ["here resolved"]
    assert told_once(outbox, "r-3", [alert(kind="back")], [only_new], NOW + 2 * DAY) == ["here back"]


def test_a_campaign_that_is_back_before_its_end_was_told_is_told_as_back(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    told_once(outbox, "r-1", [alert()], [webhook], NOW)
    receiver.answer(503)
    told_once(outbox, "r-2", [alert(kind="resolved")], [webhook], NOW + DAY)
    assert told_once(outbox, "r-3", [alert(kind="back")], [webhook], NOW + 2 * DAY) == ["here back"]


def test_killed_between_sending_and_marking_there_is_one_duplicate_with_the_same_key(
    receiver: Receiver, webhook: Channel, tmp_path: Path
) -> None:
    pages = dataclasses.replace(
        webhook, name="pages", destination=PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet")
    )
    program = (
        "import os, sqlite3, sys\n"
        "import harvestdetect.alerts.delivery as module\n"
        "from harvestdetect.alerts import Outbox\n"
        "from harvestdetect.alerts.values import PagerDuty, Webhook\n"
        "from tests.alerts.receiving import NOW, ROUTING_KEY, SECRET, channel\n"
        "url = sys.argv[2]\n"
        'pages = PagerDuty(routing_key=ROUTING_KEY, url=url, resolve="quiet")\n'
        "channels = [channel(Webhook(url=url, secret=SECRET)), channel(pages, name='pages')]\n"
        "real, sent = module.send, []\n"
        "def send(*values, **named):\n"
        "    real(*values, **named)\n"
        "    sent.append(1)\n"
        "    if len(sent) == int(sys.argv[3]):\n"
        "        os.kill(os.getpid(), 9)\n"
        "module.send = send\n"
        "Outbox(sqlite3.connect(sys.argv[1])).deliver(channels, NOW)\n"
    )
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file)) as connection:
        create_tables(connection)
        Outbox(connection).enqueue("r-1", [alert("c-1"), alert("c-2")], [webhook, pages], NOW)
        connection.commit()
        for at in (2, 2):
            ended = subprocess.run(
                [sys.executable, "-c", program, file, receiver.url, str(at)],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            assert ended.returncode == -9, ended.stderr
        done = deliver(Outbox(connection), [webhook, pages], NOW + 5)
    assert {d.outcome for d in done} == {"sent"}
    keys = Counter(
        request.headers.get("idempotency-key") or request.json()["dedup_key"] for request in receiver.requests
    )
    assert len(keys) == 4
    assert max(keys.values()) == 2
    assert sum(keys.values()) == 4 + 2


def test_a_killed_page_is_resolved_in_the_end(receiver: Receiver, outbox: Outbox) -> None:
    pages = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"))
    outbox.enqueue("r-1", [alert()], [pages], NOW)

    def killed(*values: Any, **named: Any) -> None:
        send(*values, **named)
        raise KeyboardInterrupt

    with patch("harvestdetect.alerts.delivery.send", killed), pytest.raises(KeyboardInterrupt):
        deliver(outbox, [pages])
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [pages], NOW + DAY) == ["here resolved"]
    assert [request.json()["event_action"] for request in receiver.requests] == ["trigger", "resolve"]


def test_the_database_holds_no_text_of_prompts_unless_asked_and_no_secret(
    webhook: Channel, outbox: Outbox, connection: sqlite3.Connection
) -> None:
    channels = [webhook, channel(PagerDuty(routing_key=ROUTING_KEY), name="pages")]
    outbox.enqueue("r-1", [alert()], channels, NOW)
    held = "\n".join(connection.iterdump())
    assert "56 accounts sent" in held
    assert not [word for word in ("Write a story", "Tell a tale", SECRET, ROUTING_KEY) if word in held]
    outbox.enqueue("r-1", [alert()], [quiet("open", include_text=True)], NOW)
    assert "Write a story" in "\n".join(connection.iterdump())


def test_text_that_waits_does_not_leave_once_it_is_no_longer_wanted(
    receiver: Receiver, webhook: Channel, outbox: Outbox
) -> None:
    outbox.enqueue("r-1", [alert()], [dataclasses.replace(webhook, include_text=True)], NOW)
    deliver(outbox, [webhook])
    assert b"Write a story" not in receiver.requests[0].body


def test_runs_may_be_numbers_and_what_waits_is_counted(outbox: Outbox) -> None:
    assert outbox.pending() == 0
    assert outbox.enqueue(7, [alert("c-1", run="7"), alert("c-2", run="7")], [quiet(), quiet("gone")], NOW) == 4
    with sending():
        deliver(outbox, [quiet()])
    assert outbox.pending() == 2


def test_an_alert_of_another_run_is_a_mistake(outbox: Outbox, connection: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="'r-1' among those of 'r-2'"):
        outbox.enqueue("r-2", [alert(run="r-2"), alert()], [quiet()], NOW)
    assert states(connection) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_ids_are_kept_apart_and_go_through_the_outbox(outbox: Outbox, text: str) -> None:
    with sending() as sent:
        assert told_once(outbox, text, [hostile(text), hostile(text + "!")], [quiet()], NOW) == ["here new"] * 2
        assert told_once(outbox, "next", [hostile(text, kind="standing")], [quiet()], NOW + DAY) == []
        assert told_once(outbox, "last", [hostile(text, kind="resolved")], [quiet()], NOW + DAY) == ["here resolved"]
    assert len({told["key"] for _, told, _ in sent}) == 3
    assert outbox.forget([text]) >= 2


def test_ids_stay_distinct_when_bounded() -> None:
    assert bounded_id("c-4de130164c") == "c-4de130164c"
    assert len({bounded_id("x" * n) for n in range(150, 400)}) == 250
    assert bounded_id("\ud800") != bounded_id("\ud801")


# ---------------------------------------------------------------- transactions


@pytest.mark.parametrize("isolation", ["", None])
def test_enqueueing_is_part_of_the_callers_transaction(tmp_path: Path, isolation: Any) -> None:
    file = tmp_path / "state.db"
    connection = sqlite3.connect(file, isolation_level=isolation)
    other = sqlite3.connect(file)
    create_tables(connection)
    create_tables(connection)
    outbox = Outbox(connection)
    count = "SELECT count(*) FROM outbox"
    connection.execute("BEGIN")
    assert outbox.enqueue("r-1", [alert()], [quiet()], NOW) == 1
    assert other.execute(count).fetchone() == (0,)
    with pytest.raises(ValueError, match="commit or roll back"):
        deliver(outbox, [quiet()])
    connection.execute("ROLLBACK")
    assert outbox.enqueue("r-1", [alert()], [quiet()], NOW) == 1
    assert other.execute(count).fetchone() == (1,)
    with sending():
        assert [d.outcome for d in deliver(outbox, [quiet()])] == ["sent"]
    assert other.execute("SELECT state FROM outbox").fetchone() == ("sent",)
    connection.close()
    other.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="connections have no such mode")
def test_a_connection_may_always_be_in_a_transaction(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state.db", autocommit=False)  # type: ignore[call-overload]
    create_tables(connection)
    outbox = Outbox(connection)
    outbox.enqueue("r-1", [alert()], [quiet()], NOW)
    with sending():
        assert [d.outcome for d in deliver(outbox, [quiet()])] == ["sent"]
    connection.rollback()
    assert states(connection) == [("r-1", "sent", False)]
    connection.close()


def test_rows_may_be_made_otherwise_by_the_caller(outbox: Outbox, connection: sqlite3.Connection) -> None:
    connection.row_factory = lambda cursor, row: dict(zip([c[0] for c in cursor.description], row, strict=True))
    with sending():
        assert told_once(outbox, "r-1", [alert()], [quiet()], NOW) == ["here new"]
        assert told_once(outbox, "r-2", [alert(kind="changed")], [quiet()], NOW) == ["here changed"]


def test_what_was_sent_is_remembered_for_a_while_only(outbox: Outbox, connection: sqlite3.Connection) -> None:
    with sending():
        told_once(outbox, "r-1", [alert()], [quiet()], NOW)
        told_once(outbox, "r-2", [alert(kind="changed")], [quiet()], NOW + 80 * DAY)
        deliver(outbox, [quiet()], NOW + 100 * DAY)
    assert [run for run, _, _ in states(connection)] == ["r-2"]
    assert connection.execute("SELECT count(*) FROM told").fetchone() == (1,)


# ---------------------------------------------------------------- forgetting


def test_forgetting_a_campaign_leaves_nothing_of_it(outbox: Outbox, connection: sqlite3.Connection) -> None:
    with sending():
        told_once(outbox, "r-1", [alert("c-1"), alert("c-2")], [quiet()], NOW)
    outbox.enqueue(
        "r-2",
        [
            alert("c-1", kind="changed", run="r-2"),
            alert("c-3", run="r-2", summary="It took over from c-1."),
            alert("c-12", run="r-2", summary="Not to be mixed up."),
        ],
        [quiet()],
        NOW,
    )
    assert outbox.forget(["c-1", "c-9"]) == 2 + 1 + 1
    held = "\n".join(connection.iterdump())
    assert re.findall(r"c-\d+", held)
    assert not re.search(r"c-1\b", held)
    assert outbox.forget([]) == 0


@pytest.mark.parametrize(
    ("account", "text", "named"),
    [
        ("jane", "jane@example.org signed up.", True),
        ("jane", "The account (jane), and others.", True),
        ("jane", "janet and mary_jane are others", False),
        ("u1", "u12, xu1", False),
        ("帳戶", "這個帳戶是新的", True),
        ("a\ud800b", "see a\ud800b", True),
        ("line\nbreak", "see line\nbreak.", True),
        ("a.b", "see aXb", False),
        ("", "anything", False),
    ],
)
def test_forgetting_an_account_removes_what_names_it(
    outbox: Outbox, connection: sqlite3.Connection, account: str, text: str, named: bool
) -> None:
    fields: list[dict[str, Any]] = [
        {"summary": text},
        {"changes": (text,)},
        {"title": text},
        {"excerpt": text},
        {"capability_targets": (text,)},
        {"report": text},
    ]
    alerts = [alert(f"c-{number}", **values) for number, values in enumerate(fields)]
    outbox.enqueue("r-1", alerts, [quiet(include_text=True)], NOW)
    assert outbox.forget_account(account) == (len(fields) if named else 0)
    assert len(states(connection)) == (0 if named else len(fields))


def test_a_campaign_whose_alert_was_removed_is_told_again(outbox: Outbox, connection: sqlite3.Connection) -> None:
    with sending():
        told_once(outbox, "r-1", [alert()], [quiet()], NOW)
        outbox.enqueue("r-2", [alert(kind="changed", run="r-2", changes=("jane is new.",))], [quiet()], NOW + DAY)
        assert forget_account(connection, "jane") == 1
        assert told_once(outbox, "r-3", [alert(kind="standing")], [quiet()], NOW + 2 * DAY) == ["here standing"]


def test_what_a_destination_said_of_an_account_is_removed(receiver: Receiver, webhook: Channel, outbox: Outbox) -> None:
    receiver.answer(400, body=b"unknown user jane")
    told_once(outbox, "r-1", [alert()], [webhook], NOW)
    assert outbox.forget_account("jane") == 1


# ---------------------------------------------------------------- the property


@given(steps=st.lists(STEP, min_size=1, max_size=8), notify_on=st.sampled_from(["changed", "all"]))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_fails_nothing_is_told_twice_and_the_last_state_is_told(steps: list[Step], notify_on: Any) -> None:
    connection = database()
    outbox = Outbox(connection)
    channels = [
        quiet("hook", notify_on=notify_on),
        quiet("urgent", notify_on=notify_on, tier="urgent"),
        dataclasses.replace(quiet("pages"), destination=PagerDuty(routing_key=ROUTING_KEY, resolve="quiet")),
    ]
    before: dict[str, str | None] = {}
    fails: list[str] = []
    got: list[tuple[str, dict[str, Any], bool]] = []
    doubtful: Counter[str] = Counter()

    def receive(channel: Channel, told: dict[str, Any], *, closes: bool, now: float) -> None:
        how = fails.pop(0) if fails else "ok"
        if how == "fail":
            raise SendError("no")
        got.append((channel.name, told, closes))
        if how == "unsure":
            doubtful[told["key"]] += 1
            raise SendError("who knows", unsure=True)
        if how == "kill":
            doubtful[told["key"]] += 1
            raise KeyboardInterrupt

    with patch("harvestdetect.alerts.delivery.send", receive):
        for number, step in enumerate([*steps, dataclasses.replace(steps[-1], fails=(), grown=(False, False))]):
            run, now = f"r-{number}", NOW + number * DAY
            alerts = []
            for campaign, tier, grown in zip(("c-1", "c-2"), step.tiers, step.grown, strict=True):
                known, last = campaign in before, before.get(campaign)
                if tier is None and last is None:
                    continue
                kind = "resolved" if tier is None else "changed" if tier != last or grown else "standing"
                if tier is not None and last is None:
                    kind = "back" if known else "new"
                before[campaign] = tier
                alerts.append(alert(campaign, kind=kind, tier=tier or last, run=run))
            fails[:] = step.fails
            for _ in range(2 if step.repeated else 1):
                outbox.enqueue(run, alerts, channels, now)
                try:
                    done = deliver(outbox, channels, now, give_up_after=1_000 * DAY)
                except KeyboardInterrupt:
                    continue
                assert "given up" not in {d.outcome for d in done}
        fails.clear()
        deliver(outbox, channels, NOW + 500 * DAY, give_up_after=1_000 * DAY)

    sent = Counter((name, told["key"]) for name, told, _ in got)
    assert all(number <= 1 + doubtful[key] for (_, key), number in sent.items())
    marked = connection.execute("SELECT channel, run, campaign_id, count(*) FROM outbox GROUP BY 1, 2, 3").fetchall()
    assert all(number == 1 for *_, number in marked)
    assert connection.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'").fetchone() == (0,)
    for one in channels:
        for campaign, tier in before.items():
            heard = [
                (told, closes) for name, told, closes in got if (name, told["campaign_id"]) == (one.name, campaign)
            ]
            stands = tier is not None and TIERS.index(tier) <= TIERS.index(one.tier)  # type: ignore[arg-type]
            if stands:
                told, closes = heard[-1]
                assert (told["tier"], closes) == (tier, False)
            else:
                assert not heard or heard[-1][1]
            if one.name == "pages":
                actions = [closes for _, closes in heard]
                assert not actions or not actions[0], "a resolve comes after a trigger only"
    connection.close()
