"""Channels as they are written in a settings file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harvestdetect.alerts import Channel, load_channels
from harvestdetect.alerts.values import Command, PagerDuty, Slack, Syslog, Webhook
from harvestdetect.errors import SettingsError
from tests.alerts.receiving import (
    DAY,
    NOW,
    PATH,
    ROUTING_KEY,
    SECRET,
    Receiver,
    alert,
    plain,
)

ROOT = Path(__file__).resolve().parents[2]


# ---------------------------------------------------------------- configuration


ENVIRONMENT = {
    "SLACK_URL": "https://hooks.slack.com" + PATH,
    "PAGERDUTY_KEY": ROUTING_KEY,
    "WEBHOOK_SECRET": SECRET,
    "WEBHOOK_AUTH": "Bearer bearerSECRET",
    "EMPTY_ONE": " ",
}
HOOK = 'type = "webhook"\nurl = "https://hooks.example/in"\n'
SLACK = 'type = "slack"\nurl_env = "SLACK_URL"\n'


def write(tmp_path: Path, *tables: str, before: str = "") -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(before + "".join(f"\n[[alerts]]\n{table}" for table in tables), encoding="utf-8")
    return file


def test_channels_are_read(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        SLACK,
        'type = "pagerduty"\nrouting_key_env = "PAGERDUTY_KEY"\nname = "on call"\nnotify_on = "new"\ntier = "urgent"\n',
        HOOK
        + 'secret_env = "WEBHOOK_SECRET"\nheaders = {X-Team = "ts"}\nheaders_env = {Authorization = "WEBHOOK_AUTH"}\n'
        'repeat = "7d"\ninclude_text = true\ntimeout = 2.5\nretries = 0\nnotify_on = "all"\ntier = "watch"\n',
        'type = "syslog"\naddress = "tcp://[::1]:601"\nfacility = "auth"\n',
        'type = "syslog"\n',
        'type = "command"\ncommand = ["/usr/bin/page", "--quiet", ""]\nrepeat = "12h"\n',
        SLACK,
        before='encoder = "fast"\n[mapping]\nprompt = "text"\n',
    )
    channels = load_channels(file, environment=ENVIRONMENT)
    assert [one.name for one in channels] == ["slack", "on call", "webhook", "syslog", "syslog-2", "command", "slack-2"]
    assert [one.type for one in channels] == ["slack", "pagerduty", "webhook", "syslog", "syslog", "command", "slack"]
    assert channels[0] == Channel(
        name="slack",
        digest_above=5,
        destination=Slack(url=ENVIRONMENT["SLACK_URL"]),
        notify_on="changed",
        tier="review",
        repeat=None,
        include_text=False,
        timeout=10.0,
        retries=2,
    )
    assert channels[1].destination == PagerDuty(routing_key=ROUTING_KEY, url="https://events.pagerduty.com/v2/enqueue")
    assert (channels[1].notify_on, channels[1].tier) == ("new", "urgent")
    assert channels[2] == Channel(
        name="webhook",
        destination=Webhook(
            url="https://hooks.example/in",
            secret=SECRET,
            headers=(("X-Team", "ts"), ("Authorization", "Bearer bearerSECRET")),
        ),
        notify_on="all",
        tier="watch",
        repeat=7 * DAY,
        include_text=True,
        timeout=2.5,
        retries=0,
    )
    assert channels[3].destination == Syslog(address="tcp://[::1]:601", facility="auth")
    assert channels[4].destination == Syslog(address="/dev/log", facility="local0")
    assert (channels[5].destination, channels[5].repeat) == (
        Command(command=("/usr/bin/page", "--quiet", "")),
        43_200.0,
    )
    shown = repr(channels)
    assert not [s for s in (PATH, "T0SECRET0", ROUTING_KEY, SECRET, "bearerSECRET", "--quiet") if s in shown]


def test_a_file_without_alerts_has_no_channels(tmp_path: Path) -> None:
    assert load_channels(write(tmp_path, before='encoder = "fast"\n')) == ()


def test_secrets_come_from_the_process_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", ENVIRONMENT["SLACK_URL"])
    assert load_channels(write(tmp_path, SLACK))[0].destination == Slack(url=ENVIRONMENT["SLACK_URL"])


HIDDEN = "hiddenSECRETvalue"
MISTAKES: list[tuple[str, str, str]] = [
    ("", "type", "is missing; it must be one of slack, pagerduty, webhook, syslog, command"),
    ('type = "mail"\n', "type", "must be one of slack, pagerduty, webhook, syslog, command, got 'mail'"),
    ("type = 3\n", "type", "must be one of slack, pagerduty, webhook, syslog, command, got 3"),
    (SLACK + "secret = 1\n", "secret", "is unknown; known keys are type, name, notify_on, tier, repeat"),
    (HOOK + 'facility = "auth"\n', "facility", "is unknown; known keys are"),
    (HOOK + 'name = ""\n', "name", "must be 1 to 64 letters, digits, blanks and . _ -"),
    (HOOK + 'name = "a\\nb"\n', "name", "must be 1 to 64 letters, digits, blanks and . _ -"),
    (HOOK + "name = 5\n", "name", "got 5"),
    (HOOK + 'notify_on = "some"\n', "notify_on", "must be one of new, changed, all, got 'some'"),
    (HOOK + 'tier = "high"\n', "tier", "must be one of urgent, review, watch, got 'high'"),
    (HOOK + 'tier = ["urgent"]\n', "tier", "must be one of urgent, review, watch, got ['urgent']"),
    (HOOK + 'repeat = "weekly"\n', "repeat", "must be a whole number above 0 and one of s, m, h, d, w"),
    (HOOK + 'repeat = "0d"\n', "repeat", "got '0d'"),
    (HOOK + "repeat = 7\n", "repeat", "got 7"),
    (HOOK + 'include_text = "yes"\n', "include_text", "must be true or false, got 'yes'"),
    (HOOK + "timeout = 0\n", "timeout", "must be a number of seconds from 0.1 to 120, got 0"),
    (HOOK + "timeout = nan\n", "timeout", "got nan"),
    (HOOK + "timeout = true\n", "timeout", "got True"),
    (HOOK + "retries = 11\n", "retries", "must be a whole number from 0 to 10, got 11"),
    (HOOK + "retries = 1.5\n", "retries", "got 1.5"),
    ('type = "slack"\n', "url", "the name of an environment variable with the value, or url itself"),
    ('type = "slack"\nurl = ""\n', "url", "must be a text that is not empty, got an empty text"),
    ('type = "slack"\nurl = 5\n', "url", "must be a text that is not empty, got a number"),
    (f'type = "slack"\nurl = "{HIDDEN}"\n', "url", "got a text without a scheme"),
    (f'type = "slack"\nurl = "ftp://a.example/{HIDDEN}"\n', "url", "got one that starts with ftp://"),
    (f'type = "slack"\nurl = "file:///{HIDDEN}"\n', "url", "got one that starts with file://"),
    (f'type = "slack"\nurl = "http://a.example/{HIDDEN}"\n', "url", "starts with http:// and names another machine"),
    (f'type = "slack"\nurl = "http://localhost.a.example/{HIDDEN}"\n', "url", "http:// and names another machine"),
    (f'type = "slack"\nurl = "https://u:{HIDDEN}@a.example/"\n', "url", "must not have a name or password"),
    (f'type = "slack"\nurl = "https:///{HIDDEN}"\n', "url", "got one with a malformed host"),
    (f'type = "slack"\nurl = "https://a..example/{HIDDEN}"\n', "url", "got one with a malformed host"),
    (f'type = "slack"\nurl = "https://a.example:port/{HIDDEN}"\n', "url", "got one with a malformed host or port"),
    (f'type = "slack"\nurl = "https://[a/{HIDDEN}"\n', "url", "got one with a malformed host or port"),
    (f'type = "slack"\nurl = "https://a.example/{HIDDEN} x"\n', "url", "got one with blanks or characters outside"),
    (f'type = "slack"\nurl = "https://a.example/\\n{HIDDEN}"\n', "url", "got one with blanks"),
    (f'type = "slack"\nurl = "https://a.example/#{HIDDEN}"\n', "url", "got one with a fragment"),
    ('type = "slack"\nurl_env = "NO_SUCH_ONE"\n', "url_env", "that is set, but the variable NO_SUCH_ONE is not"),
    ('type = "slack"\nurl_env = "EMPTY_ONE"\n', "url_env", "that is set, but the variable EMPTY_ONE is not"),
    (f'type = "slack"\nurl_env = "{HIDDEN}"\n', "url_env", "but this variable is not"),
    (f'type = "slack"\nurl_env = "https://a.example/{HIDDEN}"\n', "url_env", "must be the name of an"),
    ('type = "slack"\nurl_env = 7\n', "url_env", "such as ALERTS_KEY, got a number"),
    (SLACK + f'url = "https://a.example/{HIDDEN}"\n', "url_env", "must not be given together with url"),
    ('type = "pagerduty"\n', "routing_key", "is missing; give routing_key_env"),
    (f'type = "pagerduty"\nrouting_key = "{HIDDEN} x"\n', "routing_key", "must be printable ASCII without blanks"),
    (f'type = "pagerduty"\nrouting_key = ["{HIDDEN}"]\n', "routing_key", "got a list"),
    ('type = "pagerduty"\nrouting_key_env = "PAGERDUTY_KEY"\nurl = "gopher://x"\n', "url", "starts with gopher://"),
    ('type = "pagerduty"\nrouting_key_env = "PAGERDUTY_KEY"\nurl = 1\n', "url", "must be a text, got a number"),
    (HOOK + 'secret = "short-SECRET"\n', "secret", "must have at least 16 characters, got 12"),
    (HOOK + f'secret = {{a = "{HIDDEN}"}}\n', "secret", "got a table"),
    (HOOK + 'secret_env = "NO_SUCH_ONE"\n', "secret_env", "the variable NO_SUCH_ONE is not"),
    (HOOK + f'headers = ["{HIDDEN}"]\n', "headers", "must be a table whose values are texts"),
    (HOOK + "headers = {A = 1}\n", "headers", "must be a table whose values are texts"),
    (HOOK + f'headers = {{Host = "{HIDDEN}"}}\n', "headers", "must not have the header 'Host'"),
    (HOOK + f'headers = {{x-harvestdetect-signature = "{HIDDEN}"}}\n', "headers", "must not have the header"),
    (HOOK + f'headers = {{"A\\nB" = "{HIDDEN}"}}\n', "headers", "must not have the header"),
    (HOOK + f'headers = {{A = "{HIDDEN}\\r\\nB: c"}}\n', "headers.A", "must be printable ASCII on one line"),
    (HOOK + 'headers = {A = "1"}\nheaders_env = {a = "WEBHOOK_AUTH"}\n', "headers_env", "the header 'a' twice"),
    (HOOK + 'headers_env = {A = "NO_SUCH_ONE"}\n', "headers_env.A", "the variable NO_SUCH_ONE is not"),
    ('type = "syslog"\naddress = "http://a.example"\n', "address", "must be udp://host:514, tcp://host:601 or"),
    ('type = "syslog"\naddress = "a.example:514"\n', "address", "got 'a.example:514'"),
    ('type = "syslog"\naddress = "udp://"\n', "address", "got 'udp://'"),
    ('type = "syslog"\naddress = "udp://a.example:514/x"\n', "address", "got 'udp://a.example:514/x'"),
    ('type = "syslog"\naddress = "udp://a.example:99999"\n', "address", "got one with a malformed host or port"),
    (f'type = "syslog"\naddress = "tcp://u:{HIDDEN}@a.example"\n', "address", "(not shown)"),
    ('type = "syslog"\naddress = 514\n', "address", "got a number"),
    ('type = "syslog"\nfacility = "local8"\n', "facility", "must be one of kern, user, mail"),
    ('type = "command"\n', "command", "is missing; it must be a list of texts"),
    (f'type = "command"\ncommand = "page {HIDDEN}"\n', "command", "must be a list of texts, the program"),
    ('type = "command"\ncommand = []\n', "command", "got no program"),
    ('type = "command"\ncommand = [""]\n', "command", "got no program"),
    (f'type = "command"\ncommand = ["page", "{HIDDEN}", 5]\n', "command", "number 3 is a number"),
    (f'type = "command"\ncommand = ["page", "{HIDDEN}\\u0000"]\n', "command", "number 2 is a text"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "key", "message"), MISTAKES)
def test_a_mistake_is_named_with_file_table_and_key(tmp_path: Path, table: str, key: str, message: str) -> None:
    file = write(tmp_path, 'type = "syslog"\n', table)
    with pytest.raises(SettingsError) as raised:
        load_channels(file, environment=ENVIRONMENT)
    told = str(raised.value)
    assert told.startswith(f"the settings file {file}, [[alerts]] table 2")
    assert f"key {key!r} " in told
    assert message in told
    assert "SECRET" not in told.replace("WEBHOOK_SECRET", "")
    assert raised.value.__cause__ is None


def test_names_must_differ(tmp_path: Path) -> None:
    for tables in ((HOOK + 'name = "a"\n', SLACK + 'name = "a"\n'), (SLACK, HOOK + 'name = "slack"\n')):
        with pytest.raises(SettingsError, match=r"\[\[alerts\]\] table 2: key 'name': another channel is named '\w+'"):
            load_channels(write(tmp_path, *tables), environment=ENVIRONMENT)


@pytest.mark.parametrize("text", ["alerts = 1\n", "[alerts]\ntype = 'slack'\n", "alerts = [1]\n"])
def test_alerts_are_a_list_of_tables(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, before=text)
    with pytest.raises(SettingsError, match=r"alerts must be a list of tables, each written as \[\[alerts\]\]"):
        load_channels(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the settings file .*none.toml: No such file"):
        load_channels(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match=r"is not valid TOML: "):
        load_channels(write(tmp_path, before="a = ["))
    (tmp_path / "settings.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(SettingsError, match=r"is not valid TOML: it is not UTF-8$"):
        load_channels(tmp_path / "settings.toml")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "[::1]:8080", "localhost"])
def test_http_is_for_this_machine(tmp_path: Path, host: str) -> None:
    assert load_channels(write(tmp_path, f'type = "webhook"\nurl = "http://{host}/in"\n'))[0].type == "webhook"


# ---------------------------------------------------------------- documentation


def test_the_examples_of_the_page_are_right(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    kinds = set()
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        file = tmp_path / "settings.toml"
        file.write_text(block, encoding="utf-8")
        names = re.findall(r'_env = "(\w+)"|= "(ALERTS_\w+)"', block)
        variables = {
            name: ENVIRONMENT["SLACK_URL"] if "URL" in name else ROUTING_KEY for pair in names for name in pair if name
        }
        kinds |= {one.type for one in load_channels(file, environment=variables)}
    assert kinds == {"slack", "pagerduty", "webhook", "syslog", "command"}


def test_the_snippet_of_the_page_verifies_a_signature(receiver: Receiver, webhook: Channel) -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "docs/alerts.md", "exec"), names)
    plain(webhook, alert())
    (request,) = receiver.requests
    stamp, signed = (request.headers[f"x-harvestdetect-{name}"] for name in ("timestamp", "signature"))
    verified = names["verified"]
    assert verified(SECRET, stamp, signed, request.body, now=NOW + 100)
    assert not verified(SECRET, stamp, signed, request.body + b" ", now=NOW)
    assert not verified(SECRET, str(int(stamp) + 1), signed, request.body, now=NOW)
    assert not verified(SECRET, stamp, signed, request.body, now=NOW + 1_000)
    assert not verified("another-secret-0123456789", stamp, signed, request.body, now=NOW)
    assert not verified(SECRET, "soon", signed, request.body, now=NOW)
