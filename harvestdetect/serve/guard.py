"""Lets only requests through that come from a browser of the person who was given the address.

Every request is checked before any other code sees it, and every answer gets the same headers. What is refused gets a
sentence and nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from harvestdetect.serve.sessions import Session, Sessions

__all__ = ["FAILED", "HEADERS", "POLICY", "Door", "Guard"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY: Final = 65_536
"""Bytes of the largest form."""
MAX_ADDRESS: Final = 1_000
"""Bytes of the longest path with its query."""
MAX_FIELDS: Final = 40
"""Fields of the largest form."""
BODY_SECONDS: Final = 10.0
"""Seconds in which a form must have arrived."""
QUIET: Final = frozenset({"/status"})
"""Paths that pages ask for by themselves: they do not keep the server awake."""

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""What a browser may load and do. No inline script, style or event handler is among it, and no other address."""
FAILED: Final = "The page could not be made. The terminal of the server says where it failed."
"""What a browser gets after an exception that nothing handled."""
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With no-referrer, browsers would send "Origin: null" with forms, and their origin could not be checked.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-robots-tag": "noindex",
}
"""Headers of every answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Under which names the server is reached."""

    hosts: frozenset[str]
    """Values of ``Host`` that are served, in lower case. Another one is of a site whose name leads here (DNS
    rebinding)."""
    secure: bool
    """Whether it is reached by HTTPS."""
    cookie: str
    """Name of the cookie."""

    @property
    def origins(self) -> frozenset[str]:
        """Values of ``Origin`` that forms may come from."""
        return frozenset(f"{'https' if self.secure else 'http'}://{host}" for host in self.hosts)


class _Refused(Exception):
    """A request that is not answered."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Guard:
    """An ASGI application around another one.

    The inner application finds the session in ``scope["state"]["session"]`` and the fields of a form, without its key,
    in ``scope["state"]["form"]``.

    Args:
        app: the inner application.
        sessions: who may come in.
        door: the names of the server.
        on_entry: called with the name of a reviewer whose token was used.
        on_use: called for each request of a session.
        on_error: called with an exception that the inner application did not handle.
    """

    def __init__(
        self,
        app: App,
        *,
        sessions: Sessions,
        door: Door,
        on_entry: Callable[[str], object],
        on_use: Callable[[], object],
        on_error: Callable[[Exception], object],
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._door = door
        self._on_entry = on_entry
        self._on_use = on_use
        self._on_error = on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one connection."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        try:
            headers = _headers(scope)
            self._check_address(scope, headers)
            if scope["path"] == "/enter":
                await self._enter(scope, headers, answer)
                return
            session = self._session(headers)
            state = {"session": session, "form": await self._form(scope, headers, receive, session)}
            if scope["path"] not in QUIET:
                self._on_use()
            await self._app({**scope, "state": state}, receive, answer)
        except _Refused as refused:
            await answer.plain(refused.status, str(refused))
        except Exception as error:
            self._on_error(error)
            if not answer.begun:
                await answer.plain(500, FAILED)

    # ------------------------------------------------------------ checks

    def _check_address(self, scope: Scope, headers: Mapping[str, str]) -> None:
        if headers.get("host", "").lower() not in self._door.hosts:
            raise _Refused(403, "This server does not answer under that name.")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise _Refused(405, "Only GET, HEAD and POST are answered.")
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_ADDRESS:
            raise _Refused(414, "The address is too long.")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") and scope["path"] != "/enter":
            raise _Refused(403, "Another site asked for this page.")

    def _session(self, headers: Mapping[str, str]) -> Session:
        session = self._sessions.of(_cookie(headers.get("cookie", ""), self._door.cookie))
        if session is None:
            raise _Refused(401, "Open the address that harvestdetect serve printed. It works once.")
        return session

    async def _form(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, session: Session
    ) -> dict[str, str]:
        """The fields of a form without its key; empty for other requests."""
        if scope["method"] != "POST":
            return {}
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin not in self._door.origins and not (origin is None and site == "same-origin"):
            raise _Refused(403, "The form is not of this page.")
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise _Refused(415, "Only forms are read.")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY:
            raise _Refused(413, "The form is too large.")
        try:
            body = await asyncio.wait_for(_body(receive), BODY_SECONDS)
        except TimeoutError:
            raise _Refused(408, "The form did not arrive.") from None
        fields = _fields(body)
        if not hmac.compare_digest(fields.pop("key", "").encode(), session.form_key.encode()):
            raise _Refused(403, "The form is too old, or of another page. Go back, reload the page and try again.")
        return fields

    async def _enter(self, scope: Scope, headers: Mapping[str, str], answer: _Answer) -> None:
        """Exchanges the token of the printed address for a session."""
        if scope["method"] != "GET":
            raise _Refused(405, "Only GET is answered here.")
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=4)).get("token", "")
        entered = self._sessions.enter(given)
        if entered is None:
            raise _Refused(403, "This address is not valid, or it was used before. Start the server again for another.")
        cookie, session = entered
        self._on_entry(session.name)
        self._on_use()
        flags = "HttpOnly; SameSite=Strict; Path=/" + ("; Secure" if self._door.secure else "")
        # A redirect of a link on another page would come without a strict cookie; a page of our own goes on with it.
        page = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>harvestdetect</title>'
            '<meta http-equiv="refresh" content="0;url=/"></head>'
            '<body><p><a href="/">Go on to the findings</a></p></body></html>'
        )
        await answer.text(200, page, kind="text/html", cookie=f"{self._door.cookie}={cookie}; {flags}")


class _Answer:
    """Sends an answer with the headers that all answers have."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        """Whether anything was sent."""

    async def __call__(self, message: Message) -> None:
        """Sends a message of the inner application."""
        if message["type"] == "http.response.start":
            self.begun = True
            ours = {name.encode() for name in HEADERS}
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in ours]
            message = {**message, "headers": [*kept, *((n.encode(), v.encode()) for n, v in HEADERS.items())]}
        await self._send(message)

    async def plain(self, status: int, sentence: str) -> None:
        """Sends a sentence."""
        await self.text(status, sentence + "\n", kind="text/plain")

    async def text(self, status: int, text: str, *, kind: str, cookie: str = "") -> None:
        """Sends a whole answer."""
        body = text.encode()
        headers = [
            (b"content-type", f"{kind}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
            *([(b"set-cookie", cookie.encode())] if cookie else []),
        ]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


# ---------------------------------------------------------------- reading a request


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by name in lower case. A header that decides and comes twice is refused."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        if name in found and name in ("host", "origin", "content-length", "content-type", "sec-fetch-site", "cookie"):
            raise _Refused(400, "A header of the request comes twice.")
        found[name] = value.decode("latin-1")
    return found


def _cookie(header: str, name: str) -> str:
    """The value of a cookie; empty if it is not there. Other servers of the same host may have set malformed ones."""
    for pair in header.split(";"):
        found, equals, value = pair.strip().partition("=")
        if found == name and equals:
            return value
    return ""


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Refused(400, "The form did not arrive.")
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY:
            raise _Refused(413, "The form is too large.")
        if not message.get("more_body"):
            return body


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a form. Of fields with one name the last counts."""
    try:
        return dict(
            parse_qsl(
                body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), encoding="utf-8",
                errors="strict", max_num_fields=MAX_FIELDS,
            )
        )  # fmt: skip
    except ValueError:  # UnicodeDecodeError is one
        raise _Refused(400, "The form is malformed.") from None
