"""Digests: several alerts of a run in one message, as each channel shows them, and what becomes of each alert."""

from __future__ import annotations

import dataclasses
import json
import re
import stat
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvestdetect.alerts import Alert, Channel, Outbox, load_channels
from harvestdetect.alerts.destinations import SendError, send
from harvestdetect.alerts.digest import digest_key, digest_record, digest_size
from harvestdetect.alerts.render import alert_record
from harvestdetect.alerts.values import Command, PagerDuty, Slack, Syslog, Webhook
from harvestdetect.data import TIERS
from harvestdetect.errors import SettingsError
from tests.alerts.receiving import (
    DAY,
    HOSTILE,
    NOW,
    PATH,
    ROUTING_KEY,
    STEP,
    Receiver,
    Step,
    alert,
    channel,
    database,
    deliver,
    harmless,
    hostile,
    parsed,
    quiet,
    sending,
    texts_of,
    told_once,
    udp_receiver,
)
from tests.state.nights import Nights, got, pagerduty


def digest(*alerts: Alert, include_text: bool = False, key: str = "k") -> dict[str, Any]:
    records = [alert_record(one, key=f"k-{i}", include_text=include_text) for i, one in enumerate(alerts)]
    return digest_record(records, key=key, report="https://reports.example/r-1/report.html")


SIX = [alert(f"c-{i}", tier="urgent" if i < 4 else "review", kind="new") for i in range(6)]


# ---------------------------------------------------------------- as each channel shows it


def test_a_webhook_gets_one_body_that_lists_the_campaigns(receiver: Receiver) -> None:
    told = digest(*reversed(SIX), alert("c-gone", kind="resolved"), include_text=True)
    send(channel(Webhook(url=receiver.url)), told, closes=False, now=NOW)
    got = receiver.requests[0].json()
    assert (got["kind"], got["tier"], got["resolved"]) == ("digest", "urgent", 1)
    assert got["tiers"] == {"urgent": 4, "review": 2, "watch": 0}
    assert got["summary"] == "7 campaigns: 4 urgent, 2 review, 1 gone."
    assert [entry["tier"] for entry in got["campaigns"]] == ["urgent"] * 4 + ["review"] * 2 + ["review"]
    assert got["campaigns"][-1]["campaign_id"] == "c-gone"
    assert all("excerpt" not in entry for entry in got["campaigns"])
    assert receiver.requests[0].headers["idempotency-key"] == "k"
    send(channel(Webhook(url=receiver.url), include_text=True), told, closes=False, now=NOW)
    assert all(entry["excerpt"] for entry in receiver.requests[1].json()["campaigns"])


def test_slack_gets_a_line_for_each_campaign(receiver: Receiver) -> None:
    many = [alert(f"c-{i}", tier="urgent" if i < 4 else "review") for i in range(50)]
    send(channel(Slack(url=receiver.url + PATH)), digest(*many), closes=False, now=NOW)
    message = receiver.requests[0].json()
    assert message["blocks"][0]["text"]["text"] == "Campaigns: 4 urgent, 46 review"
    assert len(message["blocks"]) <= 50
    lines = [line for block in message["blocks"][2:-1] for line in block["text"]["text"].splitlines()]
    assert len(lines) == 50
    assert lines[0].startswith("• *urgent* `c-0` New campaign: 56 accounts sent")
    assert lines[0].endswith(" <https://reports.example/r-1/report.html|report>")
    assert all(len(one["text"].encode("utf-16-le")) // 2 <= 3_000 for one in texts_of(message["blocks"]))


def test_pagerduty_gets_one_incident(receiver: Receiver) -> None:
    told = digest(*SIX) | {"incident": "digest-1"}
    send(channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url)), told, closes=False, now=NOW)
    event = receiver.requests[0].json()
    assert (event["event_action"], event["dedup_key"]) == ("trigger", "digest-1")
    assert event["payload"]["summary"] == "6 campaigns: 4 urgent, 2 review."
    assert event["payload"]["severity"] == "critical"
    assert len(event["payload"]["custom_details"]["campaigns"]) == 6
    assert event["links"][0]["href"] == "https://reports.example/r-1/report.html"


def test_syslog_gets_one_line(receiver: Receiver) -> None:
    many = [alert(f"c-{i:010}", tier="review") for i in range(digest_size("syslog"))]
    with udp_receiver() as (address, held):
        send(channel(Syslog(address=address)), digest(*many), closes=False, now=NOW)
        parts, data = parsed(held.recv(65_536))
    assert (data["kind"], data["review"], data["urgent"], data["resolved"]) == ("digest", "10", "0", "0")
    assert parts["pri"] == str(16 * 8 + 4)
    assert all(f"c-{i:010} (review, new, 56 accounts)" in parts["text"] for i in range(10)), "none is cut off"


def test_a_command_reads_a_digest(tmp_path: Path) -> None:
    file, out = tmp_path / "page", tmp_path / "got.json"
    file.write_text(f"#!{sys.executable}\nimport sys\nopen({str(out)!r}, 'w').write(sys.stdin.read())\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    send(channel(Command(command=(str(file),))), digest(*SIX), closes=False, now=NOW)
    assert len(json.loads(out.read_text())["campaigns"]) == 6


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_acts_in_a_digest(receiver: Receiver, text: str) -> None:
    made = [hostile(text), hostile(text, tier="urgent", kind="changed")]
    told = digest(*made * (digest_size("slack") // 2), include_text=True)
    send(channel(Slack(url=receiver.url), include_text=True), told, closes=False, now=NOW)
    message = receiver.requests[-1].json()
    assert len(message["blocks"]) <= 50
    for one in texts_of(message["blocks"]):
        assert 1 <= len(one["text"].encode("utf-16-le")) // 2 <= (150 if one["type"] == "plain_text" else 3_000)
        shown = one["text"].replace("<https://reports.example/r-1/report.html|report>", "")
        assert not any(sign in shown for sign in "<>~")
        assert "://" not in shown
        assert harmless(shown.replace("\n", ""))
        assert not re.search(r"@(channel|here|everyone)", shown, re.IGNORECASE)
    page = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url), include_text=True)
    send(page, told | {"incident": "digest-1"}, closes=False, now=NOW)
    assert len(receiver.requests[-1].body) < 512_000, "what PagerDuty takes"
    assert harmless(json.dumps(receiver.requests[-1].json(), ensure_ascii=False))
    with udp_receiver() as (address, held):
        send(channel(Syslog(address=address)), digest(*made * 5), closes=False, now=NOW)
        message = held.recv(65_536)
    parsed(message)
    assert len(message) <= 2_048
    send(channel(Webhook(url=receiver.url), include_text=True), told, closes=False, now=NOW)
    assert harmless(receiver.requests[-1].body.decode())


# ---------------------------------------------------------------- when


def test_more_alerts_than_the_limit_become_one_message(outbox: Outbox) -> None:
    channels = [quiet("each"), quiet("five", digest_above=5), quiet("always", digest_above=1)]
    with sending() as sent:
        outbox.enqueue("r-1", [dataclasses.replace(one, run="r-1") for one in SIX[:5]], channels, NOW)
        assert len(deliver(outbox, channels)) == 15, "what becomes of each is said"
        kinds = Counter((name, told["kind"]) for name, told, _ in sent)
        assert kinds == {("each", "new"): 5, ("five", "new"): 5, ("always", "digest"): 1}
        sent.clear()
        more = [dataclasses.replace(one, campaign_id=f"d-{i}", run="r-2") for i, one in enumerate(SIX)]
        outbox.enqueue("r-2", more, channels, NOW + DAY)
        deliver(outbox, channels, NOW + DAY)
        kinds = Counter((name, told["kind"]) for name, told, _ in sent)
        assert kinds == {("each", "new"): 6, ("five", "digest"): 1, ("always", "digest"): 1}
        sent.clear()
        outbox.enqueue("r-3", [alert("d-0", kind="changed", run="r-3")], channels, NOW + 2 * DAY)
        deliver(outbox, channels, NOW + 2 * DAY)
        assert {told["kind"] for _, told, _ in sent} == {"changed"}, "one alert is no digest"


def test_a_digest_that_fails_keeps_each_alert_and_is_sent_under_the_same_key(
    outbox: Outbox, receiver: Receiver
) -> None:
    hook = channel(Webhook(url=receiver.url), digest_above=1)
    receiver.answer(503)
    outbox.enqueue("r-1", [dataclasses.replace(one, run="r-1") for one in SIX], [hook], NOW)
    first = deliver(outbox, [hook])
    assert [one.outcome for one in first] == ["kept"] * 6
    assert outbox.pending() == 6
    second = deliver(outbox, [hook], NOW + DAY)
    assert [one.outcome for one in second] == ["sent"] * 6
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1
    assert receiver.requests[0].body == receiver.requests[1].body
    assert deliver(outbox, [hook], NOW + 2 * DAY) == []


def test_very_many_alerts_are_several_digests(outbox: Outbox) -> None:
    log = quiet("log", digest_above=1)
    with sending() as sent:
        outbox.enqueue("r-1", [alert(f"c-{i}", run="r-1") for i in range(101)], [log], NOW)
        deliver(outbox, [log])
    assert [len(told.get("campaigns", [told])) for _, told, _ in sent] == [50, 50, 1]
    assert len({told["key"] for _, told, _ in sent}) == 3


def test_an_erased_account_is_erased_from_a_digest_that_waits(outbox: Outbox) -> None:
    one = quiet("here", digest_above=1)
    named = alert("c-1", summary="jane sent it.", run="r-1")
    outbox.enqueue("r-1", [named, alert("c-2", run="r-1"), alert("c-3", run="r-1")], [one], NOW)
    assert outbox.forget_account("jane") == 1
    with sending() as sent:
        deliver(outbox, [one])
    assert [entry["campaign_id"] for entry in sent[0][1]["campaigns"]] == ["c-2", "c-3"]


def test_the_key_of_a_digest_is_that_of_its_alerts() -> None:
    assert digest_key("a", ["1", "2"]) == digest_key("a", ["2", "1"])
    assert len({digest_key("a", ["1", "2"]), digest_key("b", ["1", "2"]), digest_key("a", ["1", "3"])}) == 3


# ---------------------------------------------------------------- one incident for several campaigns


def paged(receiver: Receiver) -> list[tuple[str, str]]:
    return [(event["event_action"], event["dedup_key"]) for event in (r.json() for r in receiver.requests)]


def test_the_incident_of_a_digest_is_resolved_with_its_last_campaign(outbox: Outbox, receiver: Receiver) -> None:
    page = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"), digest_above=1)
    told_once(outbox, "r-0", [alert("c-own")], [page], NOW)
    told_once(outbox, "r-1", [alert("c-1"), alert("c-2"), alert("c-own", kind="changed")], [page], NOW + DAY)
    *own, first = paged(receiver)
    assert own == [("trigger", "c-own")] * 2, "a campaign with an incident of its own changes that"
    assert re.fullmatch(r"digest-[0-9a-f]{32}", first[1])
    told_once(outbox, "r-2", [alert("c-1", kind="resolved")], [page], NOW + 2 * DAY)
    assert len(receiver.requests) == 3, "the other campaign keeps it open"
    told_once(outbox, "r-3", [alert("c-2", kind="changed", tier="urgent")], [page], NOW + 3 * DAY)
    assert paged(receiver)[3:] == [("trigger", first[1])]
    told_once(outbox, "r-4", [alert("c-own", kind="resolved")], [page], NOW + 4 * DAY)
    told_once(outbox, "r-5", [alert("c-2", kind="resolved")], [page], NOW + 5 * DAY)
    assert paged(receiver)[4:] == [("resolve", "c-own"), ("resolve", first[1])]


def test_an_incident_that_may_have_been_opened_is_opened_again_under_its_key(
    outbox: Outbox, receiver: Receiver
) -> None:
    page = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url, resolve="quiet"), digest_above=1)
    receiver.answer(500)
    assert told_once(outbox, "r-1", [alert("c-1"), alert("c-2")], [page], NOW) == []
    told_once(
        outbox, "r-2", [alert(f"c-{i}", kind="new" if i > 2 else "standing") for i in (1, 2, 3)], [page], NOW + DAY
    )
    assert len(set(paged(receiver))) == 1


# ---------------------------------------------------------------- verdicts


VERDICT = PagerDuty(routing_key=ROUTING_KEY, url="https://pagerduty.example/")


def test_an_incident_waits_for_a_verdict(outbox: Outbox) -> None:
    page = channel(VERDICT, tier="urgent")
    urgent: dict[str, Any] = {"tier": "urgent"}
    after = {"settled_at": int(NOW + 10 * DAY)}
    runs: list[tuple[dict[str, Any], list[str]]] = [
        (urgent | {"kind": "new"}, ["here new"]),
        (urgent | {"kind": "resolved"}, []),
        ({"kind": "changed", "tier": "review"}, []),
        (urgent | {"kind": "back"}, ["here back"]),
        (urgent | {"kind": "resolved", "over": True}, []),
        (urgent | {"kind": "standing", "settled": "harvest", "settled_at": int(NOW)}, []),
        (urgent | {"kind": "standing", "settled": "harvest", **after}, ["here standing"]),
        (urgent | {"kind": "standing", "settled": "harvest", **after}, []),
        (urgent | {"kind": "resolved", "settled": "harvest", **after}, []),
        (urgent | {"kind": "back", "settled": "harvest", **after}, ["here back"]),
    ]
    with sending() as sent:
        for number, (values, expected) in enumerate(runs):
            assert told_once(outbox, f"r-{number}", [alert(**values)], [page], NOW + number * DAY) == expected, number
        assert [closes for _, _, closes in sent] == [False, False, True, False]


@pytest.mark.parametrize("settled", ["benign", "merged"])
def test_a_benign_verdict_and_a_merge_resolve_an_incident_at_once(outbox: Outbox, settled: Any) -> None:
    page = channel(VERDICT)
    with sending() as sent:
        told_once(outbox, "r-1", [alert()], [page], NOW)
        told_once(outbox, "r-2", [alert(kind="resolved", tier="watch", settled=settled)], [page], NOW + DAY)
    assert [closes for _, _, closes in sent] == [False, True]


def test_a_campaign_quiet_for_long_closes_its_incident_with_the_verdict_and_tells_nobody_else(outbox: Outbox) -> None:
    channels = [channel(VERDICT), quiet("all", notify_on="all"), quiet("changed")]
    with sending() as sent:
        told_once(outbox, "r-1", [alert()], channels, NOW)
        told_once(outbox, "r-2", [alert(kind="resolved")], channels, NOW + DAY)
        sent.clear()
        judged = alert(kind="resolved", over=True, settled="harvest", settled_at=int(NOW + 2 * DAY))
        assert told_once(outbox, "r-3", [judged], channels, NOW + 3 * DAY) == ["here resolved"]
        assert told_once(outbox, "r-4", [judged], channels, NOW + 4 * DAY) == []


def test_a_page_that_could_not_be_sent_waits_though_the_campaign_went_quiet(outbox: Outbox, receiver: Receiver) -> None:
    page = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url))
    receiver.answer(429)
    assert told_once(outbox, "r-1", [alert()], [page], NOW) == []
    assert told_once(outbox, "r-2", [alert(kind="resolved")], [page], NOW + DAY) == ["here new"]


def test_a_page_that_was_not_sent_is_withdrawn_by_a_verdict(outbox: Outbox, receiver: Receiver) -> None:
    page = channel(PagerDuty(routing_key=ROUTING_KEY, url=receiver.url))
    receiver.answer(429)
    assert told_once(outbox, "r-1", [alert()], [page], NOW) == []
    judged = alert(kind="standing", settled="harvest", settled_at=int(NOW + 5))
    assert told_once(outbox, "r-2", [judged], [page], NOW + DAY) == []
    assert (len(receiver.requests), outbox.pending()) == (1, 0)


# ---------------------------------------------------------------- the property


@given(steps=st.lists(STEP, min_size=1, max_size=8), above=st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_digests_lose_nothing_and_tell_the_last_state(steps: list[Step], above: int) -> None:
    connection = database()
    outbox = Outbox(connection)
    page = PagerDuty(routing_key=ROUTING_KEY, resolve="quiet")
    channels = [quiet("hook", digest_above=above), channel(page, name="pages", digest_above=above)]
    before: dict[str, str | None] = {}
    fails: list[str] = []
    got: list[tuple[str, dict[str, Any], bool]] = []

    def receive(channel: Channel, told: dict[str, Any], *, closes: bool, now: float) -> None:
        how = fails.pop(0) if fails else "ok"
        if how == "fail":
            raise SendError("no")
        got.append((channel.name, told, closes))
        if how == "unsure":
            raise SendError("who knows", unsure=True)
        if how == "kill":
            raise KeyboardInterrupt

    with patch("harvestdetect.alerts.delivery.send", receive):
        for number, step in enumerate([*steps, dataclasses.replace(steps[-1], fails=(), grown=(False, False))]):
            run, now = f"r-{number}", NOW + number * DAY
            alerts = []
            for campaign, tier, grown in zip(("c-1", "c-2"), step.tiers, step.grown, strict=True):
                known, last = campaign in before, before.get(campaign)
                if tier is None and last is None:
                    continue
                kind: Any = "resolved" if tier is None else "changed" if tier != last or grown else "standing"
                if tier is not None and last is None:
                    kind = "back" if known else "new"
                before[campaign] = tier
                shown: Any = tier or last
                alerts.append(alert(campaign, kind=kind, tier=shown, run=run))
            fails[:] = step.fails
            outbox.enqueue(run, alerts, channels, now)
            try:
                deliver(outbox, channels, now, give_up_after=1_000 * DAY)
            except KeyboardInterrupt:
                continue
        fails.clear()
        deliver(outbox, channels, NOW + 500 * DAY, give_up_after=1_000 * DAY)

    assert connection.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'").fetchone() == (0,)
    open_now: dict[str, bool] = {}
    for name, told, closes in got:
        if name == "pages":
            open_now[told.get("incident") or told["campaign_id"]] = not closes
    stands = {c for c, tier in before.items() if tier is not None and TIERS.index(tier) <= TIERS.index("review")}  # type: ignore[arg-type]
    assert any(open_now.values()) == bool(stands), "incidents are open just while a campaign stands"
    for campaign, tier in before.items():
        heard = [e for name, told, _ in got if name == "hook" for e in told.get("campaigns", [told])]
        last = [e for e in heard if e["campaign_id"] == campaign]
        if campaign in stands:
            assert last[-1]["tier"] == tier
    connection.close()


# ---------------------------------------------------------------- configuration, and the command line


def test_digests_are_configured(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"

    def load(kind: str, lines: str = "") -> int | None:
        file.write_text(f"[[alerts]]\n{kind}\n{lines}\n")
        return load_channels(file)[0].digest_above

    hook, slack = 'type = "webhook"\nurl = "https://hooks.example/"', 'type = "slack"\nurl = "https://hooks.example/x"'
    assert (load(hook), load(slack)) == (None, 5)
    assert (load(hook, "digest = true"), load(slack, "digest = false"), load(hook, "digest_above = 7")) == (1, None, 7)
    for wrong, why in (
        ("digest = 1", r"key 'digest' must be true or false"),
        ("digest_above = 0", r"key 'digest_above' must be a whole number from 1 to 10,000"),
        ("digest_above = true", r"key 'digest_above' must be a whole number"),
        ("digest_above = 2.5", r"key 'digest_above' must be a whole number"),
        ("digest = true\ndigest_above = 2", r"key 'digest_above' must not be given together with digest"),
    ):
        with pytest.raises(SettingsError, match=why):
            load(hook, wrong)


def test_a_first_run_of_several_campaigns_is_one_post_and_one_page(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], receiver: Receiver
) -> None:
    nights = Nights(folder=tmp_path, cache=cache, capture=capsys)
    slack = f'type = "slack"\nurl = "{receiver.url}{PATH}"\ntier = "watch"\ndigest = true'
    link = 'report_url = "https://r.example/{date}/report.html#{campaign}"\n'
    nights.settings(slack, pagerduty(receiver, digest=True), before=link)
    assert nights.scan(nights.day(0, one=16, two=14)) == 0
    (message,), (event,) = got(receiver, PATH), got(receiver, "/pd")
    ids = [found["campaign_id"] for found in nights.found()]
    text = json.dumps(message)
    assert all(f"`{one}`" in text and f"#{one}|report>" in text for one in ids)
    assert re.search(r"<https://r.example/[0-9-]{10}/report.html\|report>", text), "the report of the run"
    assert {entry["campaign_id"] for entry in event["payload"]["custom_details"]["campaigns"]} == set(ids)
    assert "alerts: 4 sent, 0 given up, 0 kept for a later run" in nights.said
