"""One-time tokens, and the sessions that they are exchanged for."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from harvestdetect.serve.queue import DEFAULT, View

__all__ = ["Session", "Sessions"]

_BYTES: Final = 32
"""Random bytes of a token, a session and a form key."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One person in one browser."""

    name: str
    """Name of the reviewer, by whom verdicts are given."""
    form_key: str
    """Every form of the session carries it; a page of another site cannot know it (CSRF token)."""
    search: str = ""
    """What the queue is searched for. It stays out of addresses, because it may be text of a prompt."""
    revealed: set[str] = field(default_factory=set)
    """Campaigns whose texts are shown."""
    view: View = DEFAULT
    """What the queue showed last, for the way back and to the next finding."""
    notices: list[str] = field(default_factory=list)
    """Sentences for the next page."""


class Sessions:
    """The tokens that are still valid, and the sessions that began with one.

    Only digests of tokens and sessions are kept, so a lookup takes no longer for a value that begins like a real one.

    Args:
        names: of the reviewers; each gets a token.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._waiting: dict[bytes, str] = {}
        self._open: dict[bytes, Session] = {}
        self.tokens: dict[str, str] = {}
        """Name of a reviewer -> token, for the addresses that are printed."""
        for name in names:
            token = secrets.token_urlsafe(_BYTES)
            self.tokens[name] = token
            self._waiting[_digest(token)] = name

    def enter(self, token: str) -> tuple[str, Session] | None:
        """Exchanges a token for a session. The token is worthless afterwards.

        Returns:
            The value of the cookie and the session; None if the token is not valid.
        """
        name = self._waiting.pop(_digest(token), None)
        if name is None:
            return None
        cookie = secrets.token_urlsafe(_BYTES)
        session = Session(name=name, form_key=secrets.token_urlsafe(_BYTES))
        self._open[_digest(cookie)] = session
        return cookie, session

    def of(self, cookie: str) -> Session | None:
        """The session of a cookie; None if there is none."""
        return self._open.get(_digest(cookie)) if cookie else None


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
