"""What the log of a design says of an account besides its prompts: addresses, networks, clients, sign-ups, cards."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from benchmarks.independent.kinds import Fields, Infra
from benchmarks.independent.wordings import company
from harvestdetect.util.periods import DAY

__all__ = ["Directory", "iso"]

Place: TypeAlias = tuple[str, str]
"""An address and the number of its network."""

CLIENTS: Final[Mapping[str, int]] = {
    "OpenAI/Python 1.35.3": 9, "OpenAI/Python 1.40.0": 9, "OpenAI/Python 1.51.2": 7, "Anthropic/Python 0.34.1": 9,
    "Anthropic/Python 0.39.0": 7, "Anthropic/JS 0.27.0": 5, "python-requests/2.31.0": 5, "python-requests/2.32.3": 5,
    "node-fetch/1.0": 4, "axios/1.7.2": 4, "Go-http-client/2.0": 3, "okhttp/4.12.0": 2, "curl/8.5.0": 2,
    "langchain/0.2.11": 3, "litellm/1.44.5": 3, "PostmanRuntime/7.39.0": 1, "aiohttp/3.9.5": 2, "httpx/0.27.0": 3,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0.0.0": 7,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15": 5,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5)": 3, "Mozilla/5.0 (X11; Linux x86_64) Firefox/127.0": 2,
}  # fmt: skip
"""Clients, as often as accounts use them."""
PRIVATE: Final = (
    *(7922, 3320, 4134, 4837, 12322, 3215, 2856, 7018, 701, 9829, 17974, 8151, 28573, 4766, 9121, 1136, 12389),
)
"""Networks of private customers."""
HOSTING: Final = (16509, 15169, 8075, 14061, 24940, 16276, 45102, 132203, 20473)
"""Networks of hosting providers."""
TUNNELS: Final = (9009, 212238, 60068, 136787)
"""Networks of VPN providers."""
MOBILE: Final = (21928, 22394, 55836, 4788, 3352)
"""Networks in which many customers share an address."""
MIXTURE: Final[Mapping[str, float]] = {"home": 0.45, "hosting": 0.33, "vpn": 0.12, "mobile": 0.10}
"""Shares of the accounts of everybody."""
BILLED: Final = 0.62
"""Share of the accounts for which a log with cards has any field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Profile:
    """What is known of one account."""

    places: tuple[Place, ...]
    """Empty: another private address for each request."""
    client: str
    infra: Infra
    card: str | None
    shown: tuple[bool, bool, bool]
    """Whether a log with cards says the card, the sign-up and the address."""


def iso(seconds: float) -> str:
    """A time as in ``2026-03-02T10:15:30.250Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Directory:
    """The profiles of all accounts of a dump.

    Args:
        fields: what the log says.
        rng: of every draw.
        start: first second of the dump.
    """

    def __init__(self, fields: Fields, rng: random.Random, *, start: int) -> None:
        self._fields = fields
        self._rng = rng
        self._start = start
        self._profiles: dict[str, _Profile] = {}
        self._signups: dict[str, float] = {}
        self._owners: dict[str, tuple[list[Place], dict[str, int], list[str]]] = {}
        self._tunnels = [self._place(TUNNELS) for _ in range(45)]
        self._mobile = [self._place(MOBILE) for _ in range(60)]

    def enter(self, accounts: Sequence[str], infra: Infra) -> None:
        """Gives accounts their profiles, and leaves those that have one as they are."""
        if self._fields == "none":
            return
        rng = self._rng
        shared, clients, cards = self._common(infra)
        for account in accounts:
            if account in self._profiles:
                continue
            billed = rng.random() < BILLED
            self._profiles[account] = _Profile(
                places=self._places(infra, shared),
                client=rng.choices(list(clients), list(clients.values()))[0],
                infra=infra,
                card={"own": self._card(), "none": None}.get(infra.payment, rng.choice(cards)),
                shown=(billed and rng.random() < 0.85, billed and rng.random() < 0.85, billed and rng.random() < 0.6),
            )

    def fields(self, account: str, *, first: float) -> dict[str, str]:
        """The optional columns of one row.

        Args:
            account: that sends it.
            first: time of the account's first row.
        """
        if self._fields == "none":
            return {}
        rng, profile = self._rng, self._profiles[account]
        if account not in self._signups:
            self._signups[account] = self._signup(profile.infra, first)
        signup = iso(self._signups[account])[:10]
        address, network = rng.choice(profile.places) if profile.places else self._place(PRIVATE)
        if self._fields == "client":
            return {"user_agent": profile.client}
        if self._fields in ("network", "all"):
            found = {"ip": address, "asn": network, "user_agent": profile.client, "signup_date": signup}
            return found | ({"payment": profile.card} if profile.card and self._fields == "all" else {})
        known = {"payment": profile.card or "", "signup_date": signup, "ip": address}
        return {
            name: value for (name, value), shown in zip(known.items(), profile.shown, strict=True) if shown and value
        }

    def _signup(self, infra: Infra, first: float) -> float:
        rng = self._rng
        if infra.signup == "instant":
            return first - rng.uniform(0, 0.3) * DAY
        if infra.signup == "new":
            return first - (rng.expovariate(1 / 1.5) + 0.02) * DAY
        if infra.signup == "aged":
            return first - rng.uniform(60, 500) * DAY
        if infra.signup == "burst":
            return min(first - 600, self._start + (infra.day + rng.expovariate(1 / 0.8)) * DAY)
        return first - rng.expovariate(1 / 170 if rng.random() < 0.7 else 1 / 4) * DAY

    def _address(self) -> str:
        rng = self._rng
        return f"{rng.randint(11, 219)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randint(1, 254)}"

    def _place(self, networks: Sequence[int]) -> Place:
        return self._address(), f"AS{self._rng.choice(networks)}"

    def _card(self) -> str:
        return f"{self._rng.getrandbits(48):012x}"

    def _common(self, infra: Infra) -> tuple[list[Place], dict[str, int], list[str]]:
        """The addresses, clients and cards of a group, which are those of its owner if it has one."""
        if infra.owner in self._owners:
            return self._owners[infra.owner]
        shared, clients = self._shared(infra), self._clients(infra)
        found = shared, clients, [self._card() for _ in range(infra.cards)]
        if infra.owner:
            self._owners[infra.owner] = found
        return found

    def _shared(self, infra: Infra) -> list[Place]:
        """The addresses that the accounts of a pool or an office have in common."""
        rng = self._rng
        if infra.network == "exits":
            return [self._place(PRIVATE) for _ in range(infra.addresses)]
        if infra.network == "office":
            network = f"AS{rng.choice(PRIVATE)}"
            return [(self._address(), network) for _ in range(infra.addresses)]
        blocks = [self._place(HOSTING) for _ in range(max(1, infra.addresses // 6))]
        found = []
        for number in range(infra.addresses):
            address, network = blocks[number % len(blocks)]
            found.append((f"{address.rsplit('.', 1)[0]}.{rng.randint(1, 254)}", network))
        return found

    def _clients(self, infra: Infra) -> dict[str, int]:
        rng = self._rng
        if infra.client == "rare":
            name = company(rng).split()[0].lower()
            return {f"{name}-client/{rng.randrange(4)}.{rng.randrange(30)}": 1}
        if infra.client == "web":
            return {name: 1 for name in CLIENTS if name.startswith("Mozilla")}
        if infra.client == "few":
            return dict.fromkeys(rng.choices(list(CLIENTS), list(CLIENTS.values()), k=infra.clients), 1)
        return dict(CLIENTS)

    def _places(self, infra: Infra, shared: Sequence[Place]) -> tuple[Place, ...]:
        """The addresses of one account."""
        rng = self._rng
        kind: str = infra.network
        if kind == "mix":
            kind = rng.choices(list(MIXTURE), list(MIXTURE.values()))[0]
        if kind == "home":
            mobile = [rng.choice(self._mobile)] if rng.random() < 0.25 else []
            return (*[self._place(PRIVATE)] * 4, *mobile)
        if kind == "hosting":
            return tuple(self._place(HOSTING) for _ in range(rng.randint(1, 2)))
        if kind == "vpn":
            return tuple(rng.choice(self._tunnels) for _ in range(rng.randint(1, 3)))
        if kind == "mobile":
            return tuple(rng.choice(self._mobile) for _ in range(rng.randint(1, 3)))
        if kind == "proxies":
            return ()
        if kind == "exits":
            return tuple(rng.choice(shared) for _ in range(rng.randint(5, 9)))
        at_home = [self._place(PRIVATE)] if kind == "office" and rng.random() < 0.3 else []
        return (*(rng.choice(shared) for _ in range(rng.randint(1, 3))), *at_home)
