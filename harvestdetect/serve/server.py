"""Listens, prints one address for each reviewer, and ends when nobody reads any more."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import ssl
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import AF_INET, AF_INET6, IPPROTO_TCP, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote

from harvestdetect.errors import OutputError, UsageError
from harvestdetect.serve.app import application
from harvestdetect.serve.desk import Desk
from harvestdetect.serve.guard import Door, Guard
from harvestdetect.serve.render import prepare
from harvestdetect.serve.sessions import Sessions
from harvestdetect.state.store import check_utf8

__all__ = ["Options", "Serving", "check_options", "door_of", "guarded", "serve"]

_LOOK: Final = 1.0
"""Seconds between two looks at whether anybody still reads."""
_CONNECTIONS: Final = 200
"""Connections at once; further ones are refused."""
_HEADER_BYTES: Final = 16_384
"""Bytes of the largest head of a request."""
_KEEP_ALIVE: Final = 5
"""Seconds after which an idle connection is closed."""
_SHUTDOWN: Final = 3
"""Seconds that open requests get at the end."""
LONGEST_NAME: Final = 100
"""Characters of the longest name of a reviewer."""
_SETTINGS: Final[Mapping[str, Any]] = {
    "http": "h11", "ws": "none", "lifespan": "off", "log_config": None, "access_log": False, "server_header": False,
    "date_header": False, "proxy_headers": False, "limit_concurrency": _CONNECTIONS,
    "timeout_keep_alive": _KEEP_ALIVE, "timeout_graceful_shutdown": _SHUTDOWN,
    "h11_max_incomplete_event_size": _HEADER_BYTES,
}  # fmt: skip
"""Settings of uvicorn: plain HTTP/1.1, no log, no trust in headers of a proxy, and limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where and how to serve."""

    address: str = "127.0.0.1"
    """IP address to listen on."""
    port: int = 8_765
    """0: any free port."""
    names: tuple[str, ...] = ()
    """Host names under which the server is reached, besides its address."""
    reviewers: tuple[str, ...]
    """Names of the people; each gets an address that works once."""
    idle: float = 3_600
    """Seconds without a request after which the server ends; 0: never."""
    certificate: Path | None = None
    """File with the TLS certificate and its chain (PEM)."""
    key: Path | None = None
    """File with the private key (PEM)."""


@dataclass(slots=True, kw_only=True)
class _Clock:
    """When the server was used last."""

    used: float = field(default_factory=time.monotonic)

    def touch(self) -> None:
        self.used = time.monotonic()


def check_options(options: Options) -> None:
    """Checks where the server would be reached.

    Raises:
        UsageError: the address is none, is reached from other machines without TLS, or the certificate is no use.
    """
    try:
        address = ipaddress.ip_address(options.address)
    except ValueError:
        raise UsageError(
            f"--bind must be an IP address such as 127.0.0.1, got {options.address!a}; --host-name takes names"
        ) from None
    if (options.certificate is None) != (options.key is None):
        raise UsageError("--tls-cert and --tls-key belong together; give both or neither")
    if not address.is_loopback and options.certificate is None:
        raise UsageError(
            f"{options.address} is reached from other machines, so the page needs TLS: give --tls-cert and --tls-key, "
            "or leave --bind out and reach it through an SSH tunnel"
        )
    if address.is_unspecified and not options.names:
        raise UsageError(
            f"{options.address} stands for all addresses of this machine; give each name under which the page is "
            "reached with --host-name"
        )
    for name in options.reviewers:
        if not name.strip() or len(name) > LONGEST_NAME:
            raise UsageError(f"--reviewer must have 1 to {LONGEST_NAME} characters, got {name[:LONGEST_NAME]!a}")
        check_utf8(reviewer=name)
    if len(set(options.reviewers)) < len(options.reviewers):
        raise UsageError("--reviewer names somebody twice; give each person another name")
    if options.certificate is not None and options.key is not None:
        _check_tls(options.certificate, options.key)


def _check_tls(certificate: Path, key: Path) -> None:
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
        raise UsageError(
            f"--tls-cert {certificate} and --tls-key {key} cannot be used: {reason}; give a certificate and its "
            "private key without a passphrase, both as PEM"
        ) from None


def door_of(options: Options, port: int) -> Door:
    """Under which names a server is reached."""
    address = ipaddress.ip_address(options.address)
    own = [] if address.is_unspecified else [_bracketed(str(address))]
    loopback = ["localhost", "127.0.0.1", "[::1]"] if address.is_loopback else []
    names = dict.fromkeys([*own, *loopback, *(name.lower() for name in options.names)])
    secure = options.certificate is not None
    plain = 443 if secure else 80
    hosts = {f"{name}:{port}" for name in names} | (set(names) if port == plain else set())
    cookie = "__Host-harvestdetect" if secure else f"harvestdetect-{port}"
    return Door(hosts=frozenset(hosts), secure=secure, cookie=cookie)


def guarded(
    desk: Desk, sessions: Sessions, door: Door, *, notes: Callable[[str], object], on_use: Callable[[], object]
) -> Guard:
    """The pages behind the guard.

    Args:
        desk: what is served.
        sessions: who may come in.
        door: the names of the server.
        notes: takes sentences for the terminal.
        on_use: called for each request of a session.
    """

    def entered(name: str) -> None:
        notes(f"{name} opened the page")
        if not desk.read_only:
            with contextlib.suppress(OutputError):
                desk.audit.add(name, "enter")

    def failed(error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]  # its message may have a text of a prompt
        notes(f"a page could not be made: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}")

    return Guard(application(desk), sessions=sessions, door=door, on_entry=entered, on_use=on_use, on_error=failed)


class Serving:
    """A server that listens. It is a context manager that stops listening at its end.

    Args:
        desk: what is served; it was loaded.
        options: where and how.
        notes: takes sentences for the terminal.

    Raises:
        OutputError: the port is in use, or may not be used.
        UsageError: see :func:`check_options`; or the extra ``serve`` is not installed.
    """

    def __init__(self, desk: Desk, options: Options, *, notes: Callable[[str], object]) -> None:
        check_options(options)
        try:
            import starlette  # noqa: F401
            import uvicorn
        except ImportError:
            raise UsageError("the page needs the extra serve: pip install 'harvestdetect[serve]'") from None
        self._notes, self._idle, self._clock = notes, options.idle, _Clock()
        prepare()
        self._listening = _listening(options)
        self.port: int = self._listening.getsockname()[1]
        self.door = door_of(options, self.port)
        sessions = Sessions(options.reviewers)
        where = f"{'https' if self.door.secure else 'http'}://{_shown_host(options)}:{self.port}"
        self.addresses = {name: f"{where}/enter?token={quote(token)}" for name, token in sessions.tokens.items()}
        """Name of a reviewer -> the address that works once."""
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)  # its messages may quote a request
        tls: dict[str, Any] = {}
        if options.certificate is not None:
            tls = {"ssl_certfile": str(options.certificate), "ssl_keyfile": str(options.key)}
        app = guarded(desk, sessions, self.door, notes=notes, on_use=self._clock.touch)
        self._server = uvicorn.Server(uvicorn.Config(app, **_SETTINGS, **tls))

    def __enter__(self) -> Serving:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()

    def run(self) -> None:
        """Answers until :meth:`stop`, a signal in the main thread, or the idle time."""
        asyncio.run(self._run())

    def stop(self) -> None:
        """Lets :meth:`run` end, from any thread."""
        self._server.should_exit = True

    async def _run(self) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            await self._server.serve(sockets=[self._listening])
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        """Ends the server when nobody reads any more."""
        while self._idle:
            await asyncio.sleep(min(_LOOK, self._idle))
            if time.monotonic() - self._clock.used > self._idle:
                self._notes(f"nobody read for {self._idle / 60:g} minutes; start the server again for a new address")
                self.stop()
                return


def serve(
    desk: Desk, options: Options, *, notes: Callable[[str], object], tell: Callable[[Sequence[str]], object]
) -> None:
    """Serves the pages until Ctrl-C, SIGTERM or the idle time. Call it in the main thread.

    Args:
        desk: what is served; it was loaded.
        options: where and how.
        notes: takes sentences for the terminal.
        tell: gets the lines with the addresses, one for each reviewer.

    Raises:
        OutputError: the port or the audit log cannot be used.
        UsageError: see :func:`check_options`; or the extra ``serve`` is not installed.
    """
    with Serving(desk, options, notes=notes) as serving:
        if not desk.read_only:
            try:
                desk.audit.add(options.reviewers[0], "start")
            except OutputError as error:
                raise OutputError(f"{error}; --read-only shows the findings without it") from None
        tell([f"{name}: {address}" for name, address in serving.addresses.items()])
        # uvicorn ends in order and then sends the signal once more
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with contextlib.suppress(KeyboardInterrupt):
                serving.run()
        finally:
            signal.signal(signal.SIGTERM, before)


def _listening(options: Options) -> socket:
    family = AF_INET6 if ipaddress.ip_address(options.address).version == 6 else AF_INET
    made = socket(family, SOCK_STREAM, IPPROTO_TCP)  # asyncio sends at once only where the protocol is stated
    try:
        made.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        made.bind((options.address, options.port))
        made.listen()  # a browser that is faster than the server waits
    except OSError as error:
        made.close()
        raise OutputError(
            f"cannot listen on {options.address} port {options.port}: {error.strerror}; choose another with --port"
        ) from None
    return made


def _shown_host(options: Options) -> str:
    return options.names[0] if options.names else _bracketed(options.address)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
