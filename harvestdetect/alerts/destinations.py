"""Sends one message to one destination: Slack, PagerDuty, a webhook, syslog or a command.

Only the start of an answer is read, redirects are not followed, certificates are verified, and no error contains a
secret.
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
from harvestdetect.alerts.render import WORDED, pagerduty_event, slack_message, syslog_message
from harvestdetect.alerts.values import Channel, Command, Destination, PagerDuty, Slack, Syslog, Webhook
from harvestdetect.errors import HarvestdetectError
from harvestdetect.util.escape import cut, json_text, visible

__all__ = ["SendError", "is_local", "send", "signature"]

ANSWER_BYTES: Final = 8_192
"""Most bytes of an answer that are read."""
ERROR_CHARACTERS: Final = 300
"""Most characters of an error message."""
DATAGRAM_BYTES: Final = 2_048
"""Longest syslog message over UDP or a local socket, in bytes. RFC 5424 asks every receiver to accept as many."""
STREAM_BYTES: Final = 8_192
"""Longest syslog message over TCP, in bytes."""
PORTS: Final = {"udp": 514, "tcp": 601}
"""Default port of syslog, by scheme of the address."""
_SCHEMES: Final = ("bearer", "basic", "token")
"""Words of an ``Authorization`` header that are not secret."""


class SendError(HarvestdetectError):
    """A message was not sent, as far as is known.

    Args:
        message: why, on one line, without secrets.
        permanent: whether another attempt would fail too.
        wait: seconds that the destination asks to wait.
        unsure: whether the destination may have got the message.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, wait: float | None = None, unsure: bool = False
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.wait = wait
        self.unsure = unsure


def send(channel: Channel, record: Mapping[str, Any], *, closes: bool, now: float) -> None:
    """Sends one message, in one attempt.

    Args:
        channel: where to send it.
        record: as :func:`harvestdetect.alerts.render.alert_record`, :func:`harvestdetect.alerts.digest.digest_record`
            or a function of :mod:`harvestdetect.alerts.notices` gives it.
        closes: whether the campaign is gone or below the tier of the channel, or the condition has ended.
        now: Unix seconds.

    Raises:
        SendError: it was not sent, or nobody knows whether it was.
    """
    if not channel.include_text:
        record = _without_text(record)
    try:
        _send(channel, record, closes=closes, now=now)
    except SendError as error:
        raise SendError(
            _harmless(str(error), channel.destination), permanent=error.permanent, wait=error.wait, unsure=error.unsure
        ) from None
    except Exception as error:
        # A record that cannot be rendered must not stop the others. str(error) may contain a secret.
        raise SendError(f"unexpected error: {type(error).__name__}", unsure=True) from None


def _without_text(record: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in record.items() if name not in WORDED}
    if "campaigns" in plain:
        plain["campaigns"] = [_without_text(entry) for entry in plain["campaigns"]]
    return plain


def signature(secret: str, *, timestamp: str, body: bytes) -> str:
    """The value of ``X-Harvestdetect-Signature``: ``sha256=`` and the hex HMAC of timestamp, a dot and the body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_local(host: str) -> bool:
    """Whether the name or address of a host always means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _send(channel: Channel, record: Mapping[str, Any], *, closes: bool, now: float) -> None:
    destination, timeout = channel.destination, channel.timeout
    match destination:
        case Slack():
            _post(destination.url, _message(record), {}, timeout=timeout, now=now)
        case PagerDuty():
            event = _event(record, routing_key=destination.routing_key, closes=closes, now=now)
            _post(destination.url, event, {}, timeout=timeout, now=now)
        case Webhook():
            stamp = str(int(now))
            headers = dict(destination.headers) | {"Idempotency-Key": record["key"], "X-Harvestdetect-Timestamp": stamp}
            if destination.secret is not None:
                body = json_text(record).encode()
                headers["X-Harvestdetect-Signature"] = signature(destination.secret, timestamp=stamp, body=body)
            _post(destination.url, record, headers, timeout=timeout, now=now)
        case Syslog():
            _log(destination, record, closes=closes, now=now, timeout=timeout)
        case Command():
            _run(destination.command, json_text(record).encode() + b"\n", timeout=timeout)


_NOTICES: Final = ("operations", "test")
"""Kinds of records that are notices."""


def _message(record: Mapping[str, Any]) -> dict[str, Any]:
    if record["kind"] == "digest":
        return digest_message(record)
    return notice_message(record) if record["kind"] in _NOTICES else slack_message(record)


def _event(record: Mapping[str, Any], *, routing_key: str, closes: bool, now: float) -> dict[str, Any]:
    if record["kind"] == "digest":
        return digest_event(record, routing_key=routing_key, now=now)
    make = notice_event if record["kind"] in _NOTICES else pagerduty_event
    return make(record, routing_key=routing_key, closes=closes, now=now)


def _line(record: Mapping[str, Any], *, facility: str, closes: bool, now: float, limit: int, local: bool) -> bytes:
    if record["kind"] == "digest":
        return digest_line(record, facility=facility, now=now, limit=limit, local=local)
    make = notice_line if record["kind"] in _NOTICES else syslog_message
    return make(record, facility=facility, closes=closes, now=now, limit=limit, local=local)


def _harmless(text: str, destination: Destination) -> str:
    """A text as one short line without control characters and without the secrets of the destination."""
    for secret in _secrets(destination):
        text = text.replace(secret, "***")
    shown, left_out = cut(visible(" ".join(text.split())), ERROR_CHARACTERS)
    return shown + ("…" if left_out else "")


def _secrets(destination: Destination) -> list[str]:
    """The secrets of a destination, the longest first. Everything in an address after the host is secret."""
    found: list[str] = []
    match destination:
        case PagerDuty():
            found.append(destination.routing_key)
        case Slack() | Webhook():
            parts = urlsplit(destination.url)
            queried = [value for pair in parts.query.split("&") for value in pair.split("=")[1:]]
            found += [destination.url, *(p for p in (parts.path, parts.query, *parts.path.split("/")) if len(p) >= 8)]
            found += [value for value in queried if len(value) >= 4]
            if isinstance(destination, Webhook):
                words = [word for _, value in destination.headers for word in (value, *value.split())]
                found += [destination.secret or "", *(word for word in words if word.lower() not in _SCHEMES)]
        case _:
            pass
    return sorted({one for one in found if one}, key=len, reverse=True)


def _within(seconds: float, work: Callable[[], None]) -> None:
    """Calls a function that may hang, and waits for some seconds at most.

    Raises:
        SendError: it did not return in time. It goes on in its thread.
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
        raise SendError(f"not finished after {seconds:g} s", unsure=True)
    if outcome[0] is not None:
        raise outcome[0]


# ---------------------------------------------------------------- HTTP


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, value: Mapping[str, Any], headers: Mapping[str, str], *, timeout: float, now: float) -> None:
    """Posts a value as JSON.

    Raises:
        SendError: there is no answer, or its status is not 2xx.
    """
    host = urlsplit(url).hostname or ""
    request = urllib.request.Request(
        url,
        data=json_text(value).encode(),
        headers={"User-Agent": "harvestdetect", **headers, "Content-Type": "application/json"},
        method="POST",
    )
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if not url.lower().startswith("http:"):  # to read the certificates of the system takes longer than a request
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    if is_local(host):
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
    output = b""
    with suppress(OSError, http.client.HTTPException):
        output = error.read(ANSWER_BYTES)
    status = error.code
    text = output.decode("utf-8", "replace")
    what = f"{host}: HTTP {status}"
    if 300 <= status < 400:
        return SendError(f"{what}: redirects are not followed", permanent=True)
    again = status in (408, 425, 429) or status >= 500
    return SendError(
        f"{what}: {text}" if text.strip() else what,
        permanent=not again,
        wait=_retry_after(error.headers.get("Retry-After"), now) if again else None,
        unsure=status >= 500,
    )


def _retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from the number or date of a ``Retry-After`` header; None if it is neither."""
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
    """The error for a connection that failed, or broke while the request was sent."""
    never = isinstance(reason, socket.gaierror | ConnectionRefusedError | ssl.SSLCertVerificationError) or (
        isinstance(reason, OSError) and reason.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
    )
    return SendError(f"{host}: {_reason(reason, timeout)}", unsure=not never)


def _reason(error: object, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return type(error).__name__


# ---------------------------------------------------------------- syslog


def _log(destination: Syslog, record: Mapping[str, Any], *, closes: bool, now: float, timeout: float) -> None:
    local = destination.address.startswith("/")
    parts = urlsplit(destination.address)
    limit = STREAM_BYTES if parts.scheme == "tcp" else DATAGRAM_BYTES
    message = _line(record, facility=destination.facility, closes=closes, now=now, limit=limit, local=local)
    address = destination.address

    def work() -> None:
        try:
            if local:
                _to_socket(destination.address, message, timeout)
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
    """Sends a message to a local socket, as a datagram or, if it is a stream socket, as a line."""
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
    """Runs a program with the body on its standard input. No part of the body is in its arguments.

    Raises:
        SendError: it cannot be started, does not end in time, or does not end with 0.
    """
    name = os.path.basename(command[0])
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=output, start_new_session=True
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
            ended = f"ended with exit code {code}" if code > 0 else f"was killed by {_signal(-code)}"
            first = _first_line(output)
            raise SendError(f"{name} {ended}: {first}" if first else f"{name} {ended}", unsure=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills a program that still runs, and everything that it started."""
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


def _first_line(output: IO[bytes]) -> str:
    output.seek(0)
    text = output.read(ANSWER_BYTES).decode("utf-8", "replace").strip()
    return text.split("\n", 1)[0]
