"""Reads and checks the ``[[alerts]]`` tables of the settings file. Messages never show a secret."""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from harvestdetect.alerts.destinations import PORTS, is_local
from harvestdetect.alerts.render import FACILITIES
from harvestdetect.alerts.values import (
    PAGERDUTY_URL,
    Channel,
    Command,
    Destination,
    PagerDuty,
    Slack,
    Syslog,
    Webhook,
)
from harvestdetect.data import TIERS
from harvestdetect.errors import SettingsError, UsageError
from harvestdetect.util.periods import PERIOD_FORM, parse_period

__all__ = ["load_channels"]

COMMON: Final = (
    *("type", "name", "notify_on", "tier", "repeat", "about", "digest", "digest_above", "include_text", "timeout"),
    "retries",
)
"""Keys that every channel may have."""
KEYS: Final = {
    "slack": ("url", "url_env"),
    "pagerduty": ("routing_key", "routing_key_env", "url", "resolve"),
    "webhook": ("url", "url_env", "secret", "secret_env", "headers", "headers_env"),
    "syslog": ("address", "facility"),
    "command": ("command",),
}
"""Further keys of a channel, by type."""
NOTIFY_ON: Final = ("new", "changed", "all")
"""Values of ``notify_on``."""
RESOLVE: Final = ("verdict", "quiet")
"""Values of ``resolve``."""
ABOUT: Final = ("campaigns", "operations")
"""Values in ``about``."""
SLACK_DIGEST_ABOVE: Final = 5
"""Default of ``digest_above`` for Slack, which accepts one message a second."""
MOST_DIGEST_ABOVE: Final = 10_000
"""Largest value of ``digest_above``."""
SECRET_CHARACTERS: Final = 16
"""Fewest characters of a secret that signs webhooks."""
OWN_HEADERS: Final = frozenset(
    {"connection", "content-length", "content-type", "host", "idempotency-key", "transfer-encoding"}
)
"""Headers that the settings must not set. Neither may they set one that starts with ``X-Harvestdetect-``."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
"""Form of the name of a channel."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
"""Form of the name of an environment variable."""
_SURELY_A_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
"""Names of variables that cannot be a secret in the wrong place, so that messages may show them."""
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
"""Form of the name of a header (a token of RFC 9110)."""
_HEADER_VALUE: Final = re.compile(r"[\t -~]{1,4096}")
"""Form of the value of a header."""
_PRINTABLE: Final = re.compile(r"[!-~]+")
"""Printable ASCII without blanks."""

_Wrong: TypeAlias = Callable[[str, str], SettingsError]
"""Makes the error for a key of a table from what is wrong."""


def load_channels(
    path: str | Path, *, environment: Mapping[str, str] | None = None, only: Collection[str] = ()
) -> tuple[Channel, ...]:
    """The channels of a settings file, in its order; none if it has no ``[[alerts]]`` table.

    Args:
        path: TOML file. Only its key ``alerts`` is read.
        environment: variables that the keys ``*_env`` name; None takes those of the process.
        only: names of channels. The tables of others are not checked, and their variables need not be set. Empty takes
            all channels.

    Raises:
        SettingsError: the file cannot be read, or a table is wrong. The message names file, table and key, what was
            given and what is allowed.
        UsageError: no channel has one of the names.
    """
    source = f"the settings file {path}"
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {source}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = error if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        raise SettingsError(f"{source} is not valid TOML: {what}") from None
    tables = values.get("alerts", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"{source}: alerts must be a list of tables, each written as [[alerts]]")
    variables = os.environ if environment is None else environment
    channels: dict[str, Channel] = {}
    unnamed: Counter[str] = Counter()
    others: list[str] = []
    for number, table in enumerate(tables, 1):
        table = dict(table)
        if "name" not in table and isinstance(kind := table.get("type"), str) and kind in KEYS:
            unnamed[kind] += 1
            table["name"] = kind if unnamed[kind] == 1 else f"{kind}-{unnamed[kind]}"
        if only and table.get("name") not in only:
            others.append(str(table.get("name")))
            continue
        channel = _channel(table, f"{source}, [[alerts]] table {number}", variables)
        if channel.name in channels:
            where = f"{source}, [[alerts]] table {number}"
            raise SettingsError(f"{where}: key 'name': another channel is named {channel.name!r}; names must differ")
        channels[channel.name] = channel
    if tables and (unknown := [name for name in only if name not in channels]):
        known = ", ".join(ascii(name)[1:-1] for name in (*channels, *others))
        raise UsageError(f"no channel is named {unknown[0]!a}; the channels are: {known}")
    return tuple(channels.values())


def _channel(table: Mapping[str, Any], where: str, variables: Mapping[str, str]) -> Channel:
    kind = table.get("type")
    if isinstance(kind, str) and kind in KEYS:
        where += f" ({kind})"

    def wrong(key: str, what: str) -> SettingsError:
        return SettingsError(f"{where}: key {key!r} {what}")

    if "type" not in table:
        raise wrong("type", f"is missing; it must be one of {', '.join(KEYS)}")
    if not isinstance(kind, str) or kind not in KEYS:
        raise wrong("type", f"must be one of {', '.join(KEYS)}, got {_given(kind)}")
    known = (*COMMON, *KEYS[kind])
    if unknown := sorted(table.keys() - set(known)):
        raise wrong(_short(unknown[0]), f"is unknown; known keys are {', '.join(known)}")
    if not isinstance(table["name"], str) or not _NAME.fullmatch(table["name"]):
        raise wrong(
            "name",
            f"must be 1 to 64 letters, digits, blanks and . _ -, a letter or digit first, got {_given(table['name'])}",
        )
    include = table.get("include_text", False)
    if not isinstance(include, bool):
        raise wrong("include_text", f"must be true or false, got {_given(include)}")
    retries = table.get("retries", 2)
    if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= 10:
        raise wrong("retries", f"must be a whole number from 0 to 10, got {_given(retries)}")
    timeout = table.get("timeout", 10)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0.1 <= timeout <= 120:
        raise wrong("timeout", f"must be a number of seconds from 0.1 to 120, got {_given(timeout)}")
    return Channel(
        name=table["name"],
        destination=_destination(kind, table, wrong, variables),
        notify_on=_one_of(table, "notify_on", NOTIFY_ON, "changed", wrong),
        tier=_one_of(table, "tier", TIERS, "review", wrong),
        repeat=_repeat(table, wrong),
        about=_about(table, wrong),
        digest_above=_digest(kind, table, wrong),
        include_text=include,
        timeout=float(timeout),
        retries=retries,
    )


def _destination(kind: str, table: Mapping[str, Any], wrong: _Wrong, variables: Mapping[str, str]) -> Destination:
    if kind == "slack":
        return Slack(url=_url(*_needed(table, "url", wrong, variables), wrong))
    if kind == "pagerduty":
        key, routing_key = _needed(table, "routing_key", wrong, variables)
        if not _PRINTABLE.fullmatch(routing_key):
            raise wrong(key, "must be printable ASCII without blanks (the given value is secret and not shown)")
        url = table.get("url", PAGERDUTY_URL)
        if not isinstance(url, str):
            raise wrong("url", f"must be a text, got {_kind_of(url)}")
        resolve = _one_of(table, "resolve", RESOLVE, "verdict", wrong)
        return PagerDuty(routing_key=routing_key, url=_url("url", url, wrong), resolve=resolve)
    if kind == "webhook":
        url = _url(*_needed(table, "url", wrong, variables), wrong)
        key, secret = _secret(table, "secret", wrong, variables)
        if secret is not None and len(secret) < SECRET_CHARACTERS:
            raise wrong(key, f"must have at least {SECRET_CHARACTERS} characters, got {len(secret)}")
        return Webhook(url=url, secret=secret, headers=_headers(table, wrong, variables))
    if kind == "syslog":
        return Syslog(
            address=_address(table.get("address", "/dev/log"), wrong),
            facility=_one_of(table, "facility", FACILITIES, "local0", wrong),
        )
    return Command(command=_command(table.get("command"), wrong))


# ---------------------------------------------------------------- values


def _one_of(table: Mapping[str, Any], key: str, allowed: tuple[str, ...], default: str, wrong: _Wrong) -> Any:
    value = table.get(key, default)
    if not isinstance(value, str) or value not in allowed:
        raise wrong(key, f"must be one of {', '.join(allowed)}, got {_given(value)}")
    return value


def _about(table: Mapping[str, Any], wrong: _Wrong) -> tuple[Any, ...]:
    value = table.get("about", ["campaigns"])
    if not isinstance(value, list) or not value or any(one not in ABOUT for one in value):
        allowed = 'a list of "campaigns" and "operations", or one of them, such as ["campaigns", "operations"]'
        raise wrong("about", f"must be {allowed}, got {_given(value)}")
    return tuple(one for one in ABOUT if one in value)


def _digest(kind: str, table: Mapping[str, Any], wrong: _Wrong) -> int | None:
    """``Channel.digest_above``."""
    if "digest" in table and "digest_above" in table:
        raise wrong("digest_above", "must not be given together with digest; digest = true means digest_above = 1")
    above, always = table.get("digest_above"), table.get("digest")
    if always is not None:
        if not isinstance(always, bool):
            raise wrong("digest", f"must be true or false, got {_given(always)}")
        return 1 if always else None
    if above is None:
        return SLACK_DIGEST_ABOVE if kind == "slack" else None
    if isinstance(above, bool) or not isinstance(above, int) or not 1 <= above <= MOST_DIGEST_ABOVE:
        raise wrong("digest_above", f"must be a whole number from 1 to {MOST_DIGEST_ABOVE:,}, got {_given(above)}")
    return above


def _repeat(table: Mapping[str, Any], wrong: _Wrong) -> float | None:
    value = table.get("repeat")
    if value is None:
        return None
    try:
        return float(parse_period(value if isinstance(value, str) else ""))
    except UsageError:
        raise wrong("repeat", f"must be {PERIOD_FORM}, in quotes, got {_given(value)}") from None


def _command(value: Any, wrong: _Wrong) -> tuple[str, ...]:
    wanted = 'must be a list of texts, the program and its arguments, such as ["/usr/local/bin/page", "--quiet"]'
    if value is None:
        raise wrong("command", f"is missing; it {wanted}")
    if not isinstance(value, list):
        raise wrong("command", f"{wanted}, got {_kind_of(value)}")
    for number, one in enumerate(value, 1):
        if not isinstance(one, str) or "\0" in one:
            raise wrong("command", f"{wanted}; number {number} is {_kind_of(one)}")
    if not value or not value[0]:
        raise wrong("command", f"{wanted}, got no program")
    return tuple(value)


def _address(value: Any, wrong: _Wrong) -> str:
    wanted = "must be udp://host:514, tcp://host:601 or the path of a socket such as /dev/log"
    if not isinstance(value, str):
        raise wrong("address", f"{wanted}, got {_kind_of(value)}")
    if value.startswith("/") and "\0" not in value:
        return value
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise wrong("address", f"{wanted}, got one with a malformed host or port") from None
    if "@" in parts.netloc:
        raise wrong("address", f"{wanted}, got one with a name or password before the host (not shown)")
    plain = not (parts.query or parts.fragment or parts.path.strip("/"))
    if parts.scheme not in PORTS or not plain or not _host(parts.hostname):
        raise wrong("address", f"{wanted}, got {_given(value)}")
    return value


def _headers(table: Mapping[str, Any], wrong: _Wrong, variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found: dict[str, tuple[str, str]] = {}
    for key in ("headers", "headers_env"):
        given = table.get(key, {})
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise wrong(key, "must be a table whose values are texts (the given value may be secret and is not shown)")
        for name, value in given.items():
            low = name.lower()
            if not _HEADER.fullmatch(name) or low in OWN_HEADERS or low.startswith("x-harvestdetect-"):
                raise wrong(
                    key,
                    f"must not have the header {_short(name)!r}, which is malformed or set by harvestdetect itself",
                )
            if low in found:
                raise wrong(key, f"has the header {_short(name)!r} twice")
            if key == "headers_env":
                value = _variable(f"{key}.{name}", value, wrong, variables)
            if not _HEADER_VALUE.fullmatch(value):
                raise wrong(
                    f"{key}.{name}",
                    "must be printable ASCII on one line (the given value may be secret and is not shown)",
                )
            found[low] = (name, value)
    return tuple(found.values())


# ---------------------------------------------------------------- secrets and addresses


def _needed(table: Mapping[str, Any], key: str, wrong: _Wrong, variables: Mapping[str, str]) -> tuple[str, str]:
    where, value = _secret(table, key, wrong, variables)
    if value is None:
        raise wrong(
            key, f"is missing; give {key}_env, the name of an environment variable with the value, or {key} itself"
        )
    return where, value


def _secret(table: Mapping[str, Any], key: str, wrong: _Wrong, variables: Mapping[str, str]) -> tuple[str, str | None]:
    """The key that gives a secret, and the secret; None without either key.

    Args:
        table: of the channel.
        key: the key with the secret itself; with ``_env`` it is the key with the name of a variable.
        wrong: makes the error for a key.
        variables: of the environment.
    """
    by_name = f"{key}_env"
    if key in table and by_name in table:
        raise wrong(by_name, f"must not be given together with {key}")
    if by_name in table:
        return by_name, _variable(by_name, table[by_name], wrong, variables)
    if key not in table:
        return key, None
    if not isinstance(table[key], str) or not table[key].strip():
        raise wrong(key, f"must be a text that is not empty, got {_kind_of(table[key])}")
    return key, table[key]


def _variable(key: str, name: Any, wrong: _Wrong, variables: Mapping[str, str]) -> str:
    wanted = "must be the name of an environment variable"
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        raise wrong(key, f"{wanted} such as ALERTS_KEY, got {_kind_of(name)} (not shown, because it may be secret)")
    named = f"the variable {name}" if _SURELY_A_NAME.fullmatch(name) else "this variable"
    value = variables.get(name, "").strip()
    if not value:
        raise wrong(key, f"{wanted} that is set, but {named} is not")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise wrong(key, f"{wanted} whose value is text, but that of {named} is not")
    return value


def _url(key: str, value: str, wrong: _Wrong) -> str:
    """Checks an address and returns it.

    Raises:
        SettingsError: it is not https (or http on this machine), or has a name or password. The message shows only the
            scheme of the address.
    """
    wanted = "must be an address that starts with https:// (http:// only to this machine)"
    if not _PRINTABLE.fullmatch(value):
        raise wrong(key, f"{wanted}, got one with blanks or characters outside ASCII")
    scheme = match[1].lower() if (match := re.match(r"([A-Za-z][A-Za-z0-9+.-]{0,15})://", value)) else None
    if scheme is None:
        raise wrong(key, f"{wanted}, got a text without a scheme")
    if scheme not in ("http", "https"):
        raise wrong(key, f"{wanted}, got one that starts with {scheme}://")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise wrong(key, f"{wanted}, got one with a malformed host or port") from None
    if "@" in parts.netloc:
        raise wrong(key, "must not have a name or password before the host; use headers_env of a webhook instead")
    if not _host(parts.hostname):
        raise wrong(key, f"{wanted}, got one with a malformed host")
    if parts.fragment:
        raise wrong(key, f"{wanted}, got one with a fragment (#)")
    if scheme == "http" and not is_local(parts.hostname or ""):
        raise wrong(key, f"{wanted}, got one that starts with http:// and names another machine")
    return value


def _host(name: str | None) -> bool:
    try:
        return bool(name) and bool((name or "").encode("idna"))
    except UnicodeError:
        return False


def _kind_of(value: Any) -> str:
    """The kind of a value, for messages about values that may be secret."""
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a table"}
    if isinstance(value, str):
        return "a text" if value.strip() else "an empty text"
    return kinds.get(type(value), "a date or time")


def _given(value: Any) -> str:
    return repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}…"


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:40]}…"
