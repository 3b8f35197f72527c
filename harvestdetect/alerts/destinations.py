"""One alert on its way to one target: sent, or a :class:`SendError` that says why not and whether to try again.

Answers are read in part only, redirects are not followed, certificates are verified, and no error holds a secret.
"""

from __future__ import annotations

import email.utils
import errno
import hashlib
import hmac
import http.client
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any, Final
from urllib.parse import urlsplit

from harvestdetect.alerts.digest import digest_event, digest_line, digest_message
from harvestdetect.alerts.notices import notice_event, notice_line, notice_message
from harvestdetect.alerts.render import pagerduty_event, slack_message, syslog_message
from harvestdetect.alerts.values import Channel, Command, PagerDuty, Slack, Syslog, Target, Webhook
from harvestdetect.errors import HarvestdetectError
from harvestdetect.util.escape import cut, json_text, visible

__all__ = ["SendError", "here", "send", "signature"]

ANSWER_BYTES: Final = 8_192
"""Of an answer that is read at most."""
ERROR_CHARACTERS: Final = 200
"""Of what a target says that is shown at most."""
DATAGRAM_BYTES: Final = 2_048
"""What RFC 5424 wants every receiver to take."""
STREAM_BYTES: Final = 8_192
PORTS: Final = {"udp": 514, "tcp": 601}
_SCHEMES: Final = ("bearer", "basic", "token")
"""Words of an ``Authorization`` header that are no secret."""


class SendError(HarvestdetectError):
    """An alert was not sent, as far as can be told.

    Args:
        message: without secrets, on one line.
        permanent: to try again would change nothing.
        wait: seconds that the target wants to be left alone.
        unsure: the target may have got it all the same.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, wait: float | None = None, unsure: bool = False
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.wait = wait
        self.unsure = unsure


def send(channel: Channel, told: Mapping[str, Any], *, closes: bool, now: float) -> None:
    """Sends one alert, once.

    Args:
        channel: where to.
        told: the alert as :func:`harvestdetect.alerts.render.record`, :func:`harvestdetect.alerts.digest.digest_record`
            or a function of :mod:`harvestdetect.alerts.notices` gives it.
        closes: the campaign is gone, or below what the channel hears of; the condition has ended.
        now: Unix seconds.

    Raises:
        SendError: it was not sent, or nobody knows.
    """
    if not channel.include_text:
        told = _without_text(told)
    try:
        _send(channel, told, closes=closes, now=now)
    except SendError as error:
        raise SendError(
            _harmless(str(error), channel.target), permanent=error.permanent, wait=error.wait, unsure=error.unsure
        ) from None
    except Exception as error:
        # One alert that cannot be put into words must not keep the others back; str(error) may hold a secret.
        raise SendError(f"failed with {type(error).__name__}", unsure=True) from None


def _without_text(told: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in told.items() if name != "excerpt"}
    if "campaigns" in plain:
        plain["campaigns"] = [_without_text(entry) for entry in plain["campaigns"]]
    return plain


def signature(secret: str, *, timestamp: str, body: bytes) -> str:
    """What ``X-Harvestdetect-Signature`` holds: ``sha256=`` and the HMAC of timestamp, a dot and the body as hex."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def here(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _send(channel: Channel, told: Mapping[str, Any], *, closes: bool, now: float) -> None:
    target, timeout = channel.target, channel.timeout
    match target:
        case Slack():
            _post(target.url, _message(told), {}, timeout=timeout, now=now)
        case PagerDuty():
            event = _event(told, routing_key=target.routing_key, closes=closes, now=now)
            _post(target.url, event, {}, timeout=timeout, now=now)
        case Webhook():
            stamp = str(int(now))
            headers = dict(target.headers) | {"Idempotency-Key": told["key"], "X-Harvestdetect-Timestamp": stamp}
            if target.secret is not None:
                body = json_text(told).encode()
                headers["X-Harvestdetect-Signature"] = signature(target.secret, timestamp=stamp, body=body)
            _post(target.url, told, headers, timeout=timeout, now=now)
        case Syslog():
            _log(target, told, closes=closes, now=now, timeout=timeout)
        case Command():
            _run(target.command, json_text(told).encode() + b"\n", timeout=timeout)


_NOTICES: Final = ("operations", "test")


def _message(told: Mapping[str, Any]) -> dict[str, Any]:
    if told["kind"] == "digest":
        return digest_message(told)
    return notice_message(told) if told["kind"] in _NOTICES else slack_message(told)


def _event(told: Mapping[str, Any], *, routing_key: str, closes: bool, now: float) -> dict[str, Any]:
    if told["kind"] == "digest":
        return digest_event(told, routing_key=routing_key, now=now)
    make = notice_event if told["kind"] in _NOTICES else pagerduty_event
    return make(told, routing_key=routing_key, closes=closes, now=now)


def _line(told: Mapping[str, Any], *, facility: str, closes: bool, now: float, limit: int, local: bool) -> bytes:
    if told["kind"] == "digest":
        return digest_line(told, facility=facility, now=now, limit=limit, local=local)
    make = notice_line if told["kind"] in _NOTICES else syslog_message
    return make(told, facility=facility, closes=closes, now=now, limit=limit, local=local)


def _harmless(text: str, target: Target) -> str:
    """One short line without anything that acts on who shows it, and without the secrets of the target."""
    for secret in _secrets(target):
        text = text.replace(secret, "***")
    shown, left_out = cut(visible(" ".join(text.split())), ERROR_CHARACTERS + 100)
    return shown + ("…" if left_out else "")


def _secrets(target: Target) -> list[str]:
    """Longest first; of an address all that is behind the host."""
    found: list[str] = []
    match target:
        case PagerDuty():
            found.append(target.routing_key)
        case Slack() | Webhook():
            parts = urlsplit(target.url)
            queried = [value for pair in parts.query.split("&") for value in pair.split("=")[1:]]
            found += [target.url, *(p for p in (parts.path, parts.query, *parts.path.split("/")) if len(p) >= 8)]
            found += [value for value in queried if len(value) >= 4]
            if isinstance(target, Webhook):
                words = [word for _, value in target.headers for word in (value, *value.split())]
                found += [target.secret or "", *(word for word in words if word.lower() not in _SCHEMES)]
        case _:
            pass
    return sorted({one for one in found if one}, key=len, reverse=True)


def _within(seconds: float, work: Callable[[], None]) -> None:
    """Does something that may hang, for so long at most.

    Raises:
        SendError: it has not ended; what it still does is left to itself.
    """
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise SendError(f"no end after {seconds:g} s", unsure=True)
    if outcome[0] is not None:
        raise outcome[0]


# ---------------------------------------------------------------- HTTP


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, value: Mapping[str, Any], headers: Mapping[str, str], *, timeout: float, now: float) -> None:
    """Posts JSON.

    Raises:
        SendError: the answer is not 2xx, or there is none.
    """
    host = urlsplit(url).hostname or ""
    request = urllib.request.Request(
        url,
        data=json_text(value).encode(),
        headers={"User-Agent": "harvestdetect", **headers, "Content-Type": "application/json"},
        method="POST",
    )
    handlers: list[urllib.request.BaseHandler] = [
        _NoRedirect(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
    ]
    if here(host):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)

    def work() -> None:
        try:
            with opener.open(request, timeout=timeout):
                pass
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error, host, now) from None
        except urllib.error.URLError as error:
            raise _unreached(error.reason, host, timeout) from None
        except (OSError, http.client.HTTPException) as error:
            raise SendError(f"{host}: {_reason(error, timeout)}", unsure=True) from None

    _within(2 * timeout, work)


def _refusal(error: urllib.error.HTTPError, host: str, now: float) -> SendError:
    said = b""
    with suppress(OSError, http.client.HTTPException):
        said = error.read(ANSWER_BYTES)
    status = error.code
    text = said.decode("utf-8", "replace")
    what = f"{host}: HTTP {status}"
    if 300 <= status < 400:
        return SendError(f"{what}, a redirect, which is not followed", permanent=True)
    again = status in (408, 425, 429) or status >= 500
    return SendError(
        f"{what}: {text}" if text.strip() else what,
        permanent=not again,
        wait=_retry_after(error.headers.get("Retry-After"), now) if again else None,
        unsure=status >= 500,
    )


def _retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from a number or a date; None where there is neither."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        when = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, when - now)


def _unreached(reason: object, host: str, timeout: float) -> SendError:
    """Of a connection that did not come about, or broke while the request was sent."""
    never = isinstance(reason, socket.gaierror | ConnectionRefusedError | ssl.SSLCertVerificationError) or (
        isinstance(reason, OSError) and reason.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
    )
    return SendError(f"{host}: {_reason(reason, timeout)}", unsure=not never)


def _reason(error: object, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return type(error).__name__


# ---------------------------------------------------------------- syslog


def _log(target: Syslog, told: Mapping[str, Any], *, closes: bool, now: float, timeout: float) -> None:
    local = target.address.startswith("/")
    parts = urlsplit(target.address)
    limit = STREAM_BYTES if parts.scheme == "tcp" else DATAGRAM_BYTES
    message = _line(told, facility=target.facility, closes=closes, now=now, limit=limit, local=local)
    address = target.address

    def work() -> None:
        try:
            if local:
                _to_socket(target.address, message, timeout)
            else:
                _to_host(parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme], message, timeout)
        except OSError as error:
            never = isinstance(error, socket.gaierror | ConnectionRefusedError | FileNotFoundError | PermissionError)
            raise SendError(f"{address}: {_reason(error, timeout)}", unsure=not never) from None

    _within(2 * timeout, work)


def _to_host(scheme: str, host: str, port: int, message: bytes, timeout: float) -> None:
    if scheme == "tcp":
        with socket.create_connection((host, port), timeout) as stream:
            stream.sendall(str(len(message)).encode() + b" " + message)
            stream.shutdown(socket.SHUT_WR)
        return
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as datagrams:
        datagrams.settimeout(timeout)
        datagrams.sendto(message, address)


def _to_socket(path: str, message: bytes, timeout: float) -> None:
    """A local socket takes datagrams; where it is one of streams, a line ends a message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(timeout)
        try:
            datagrams.connect(path)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
        else:
            datagrams.send(message)
            return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(timeout)
        stream.connect(path)
        stream.sendall(message + b"\n")


# ---------------------------------------------------------------- command


def _run(command: tuple[str, ...], body: bytes, *, timeout: float) -> None:
    """Runs a program with the body on its standard input and nothing of it elsewhere.

    Raises:
        SendError: it cannot be started, does not end in time, or ends with another code than 0.
    """
    name = os.path.basename(command[0])
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
            )
        except OSError as error:
            raise SendError(f"{name} cannot be started: {_reason(error, timeout)}", permanent=True) from None
        try:
            process.communicate(body, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise SendError(f"{name} did not end within {timeout:g} s", unsure=True) from None
        finally:
            _end(process)
        if process.returncode:
            code = process.returncode
            ended = f"ended with code {code}" if code > 0 else f"was ended by {_signal(-code)}"
            first = _first_line(said)
            raise SendError(f"{name} {ended}: {first}" if first else f"{name} {ended}", unsure=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program that still runs, with all that it started."""
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin:
        with suppress(OSError):
            process.stdin.close()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _first_line(said: IO[bytes]) -> str:
    said.seek(0)
    text = said.read(ANSWER_BYTES).decode("utf-8", "replace").strip()
    return text.split("\n", 1)[0]
