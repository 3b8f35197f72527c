"""What a provider knows about an account besides its prompts: organisation, network, client, payment, sign-up.

Ordinary accounts have things in common too. Households and offices share an address, strangers the exit of a private
network, and nearly everybody has one of a few mail providers. Campaigns have in common what they are alleged to have.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from benchmarks.real_texts import START
from harvestdetect.simulate.traffic import Network, opaque
from harvestdetect.util.periods import DAY

__all__ = ["Identities", "Identity"]

LAUNCH: Final = 20
"""Day of the window on which a new model is released."""
NEW_MODEL: Final = "large-3"
_TWO_YEARS: Final = 730
"""Days of two years."""
_MAIL: Final = (("freemail-1.example", 60), ("freemail-2.example", 20), ("freemail-3.example", 12), ("isp.example", 8))
_EXITS: Final = 40
"""Number of addresses of hosters that some ordinary accounts share, such as the exits of a VPN."""


@dataclass(slots=True, kw_only=True)
class Identity:
    """The fields of one account."""

    org: str
    addresses: tuple[str, ...]
    asn: int
    agents: tuple[str, ...]
    api_key: str | None
    payment: str | None
    email_domain: str
    created: int
    model: str
    moves: int
    """When it switches to the new model, in seconds."""

    def fields(self, time: int, rng: random.Random) -> dict[str, str | int]:
        """The optional columns of one row; unknown values are left out."""
        found: dict[str, str | int | None] = {
            "org": self.org,
            "ip": rng.choice(self.addresses),
            "asn": f"AS{64_512 + self.asn}",
            "user_agent": rng.choice(self.agents),
            "api_key": self.api_key,
            "payment": self.payment,
            "email_domain": self.email_domain,
            "created_at": self.created,
            "model": NEW_MODEL if time >= self.moves else self.model,
        }
        return {name: value for name, value in found.items() if value is not None}


class Identities:
    """Opens accounts.

    Args:
        seed: part of every id.
        days: length of the window.
        at_once: whether most accounts switch to the new model within a day, rather than over weeks.
    """

    def __init__(self, *, seed: str, days: int, at_once: bool) -> None:
        self._seed = seed
        self._rng = random.Random(f"{seed}-identities")
        self._end = START + days * DAY
        self._at_once = at_once
        whole = int(opaque(seed, "network", size=4), 16)
        self._network = Network(
            np.random.default_rng(whole), seed=whole, start=START, end=self._end, launch=START + LAUNCH * DAY
        )
        hosts = self._network.hosters(6)
        self._exits = [(asn, self._network.address(asn)) for asn in (hosts[i % 6] for i in range(_EXITS))]
        self._offices: list[Identity] = []
        self._last: Identity | None = None
        self._drawn = 0

    def ordinary(self, *, agents: tuple[str, ...] = (), created: int | None = None, program: bool = False) -> Identity:
        """An ordinary account.

        Args:
            agents: its clients; drawn if there are none.
            created: its sign-up; drawn if None.
            program: whether a program uses it: it has a client library and a key, and often runs at a hosting provider.
        """
        rng = self._rng
        found = self._open(
            agents=agents, created=self._signed_up() if created is None else created, api=True if program else None
        )
        chance = rng.random()
        if chance < 0.06:
            found.asn, address = rng.choice(self._exits)
            found.addresses = (address,)
        elif chance < 0.16 and self._last is not None:
            found.asn, found.addresses = self._last.asn, self._last.addresses
            if rng.random() < 0.5:
                found.payment = self._last.payment
        elif chance < 0.28 and self._offices and rng.random() < 0.9:
            office = rng.choice(self._offices)
            found.org, found.email_domain = office.org, office.email_domain
            if rng.random() < 0.5:
                found.asn, found.addresses = office.asn, office.addresses
            self._offices.append(office)  # large ones grow
        elif chance < 0.3:
            found.email_domain = f"{self._id('domain')}.example"
            self._offices.append(found)
        self._last = found
        return found

    def campaign(self, count: int, *, first: int, network: Literal["proxy", "residential"]) -> list[Identity]:
        """A pool of accounts opened for a campaign that starts ``first`` days into the window."""
        rng = self._rng
        hosts = self._network.hosters(3)
        nets = [(asn, rng.randrange(256)) for asn in hosts]
        bursts = [START + int((first - rng.uniform(3, 30)) * DAY) for _ in range(rng.choice((2, 3)))]
        domains = [f"{self._id('domain')}.example" for _ in range(3)]
        agents = self._network.clients(1)
        cards = [self._id("card") for _ in range(count // 5 + 1)]
        found = []
        for i in range(count):
            one = self._open(agents=agents, created=rng.choice(bursts) + int(rng.gauss(0, 3) * 3_600))
            if network == "proxy":
                one.asn, third = rng.choice(nets)
                one.addresses = tuple(self._network.address(one.asn, third) for _ in range(2))
            else:
                one.asn = self._network.isp()
                one.addresses = (self._network.address(one.asn),)
            one.payment = cards[i // 5]
            if rng.random() < 0.7:
                one.email_domain = rng.choice(domains)
            found.append(one)
        return found

    def organisation(self, count: int) -> list[Identity]:
        """Accounts of one organisation: one network, one bill, one mail domain."""
        asn = self._network.hosters(1)[0]
        addresses = tuple(self._network.address(asn, 7) for _ in range(2))
        org, card, domain = self._network.org(), self._id("card"), f"{self._id('domain')}.example"
        agents = self._network.clients(1)
        found = []
        for _ in range(count):
            one = self._open(agents=agents, created=self._signed_up())
            one.org, one.asn, one.addresses, one.payment, one.email_domain = org, asn, addresses, card, domain
            found.append(one)
        return found

    def company(self, count: int, *, first: float) -> list[Identity]:
        """The staff of a company: one organisation, one card and one mail domain.

        In most companies, most of the staff share a network, and all sign up in the three days before day ``first``. In
        the others, sign-ups are as for ordinary accounts.
        """
        rng = self._rng
        asn, third = self._network.isp(), rng.randrange(256)
        addresses = tuple(self._network.address(asn, third) for _ in range(rng.randint(1, 3)))
        org, card, domain = self._network.org(), self._id("card"), f"{self._id('domain')}.example"
        one_network, together = rng.random() < 0.6, rng.random() < 0.7
        agents = self._network.clients(rng.choice((1, 1, 3)))
        found = []
        for _ in range(count):
            created = START + int((first - rng.uniform(0, 3)) * DAY) if together else self._signed_up()
            one = self._open(agents=agents, created=created)
            one.org, one.payment, one.email_domain = org, card, domain
            if one_network and rng.random() < 0.8:
                one.asn, one.addresses = asn, addresses
            found.append(one)
        return found

    def staff(self, begins: Sequence[float]) -> list[Identity]:
        """The staff of an organisation with one tool, by the day on which each begins.

        All are in one office, each in one of some branches, or each at home. They may have the name of the
        organisation, a card, a client and a mail domain in common. Their accounts are opened shortly before they begin,
        all at once, or at any time.
        """
        rng = self._rng
        org, card, domain = self._network.org(), self._id("card"), f"{self._id('domain')}.example"
        place = rng.choice(("office", "branches", "home"))
        offices = {"office": 1, "branches": max(2, len(begins) // 6), "home": 0}[place]
        networks = [self._network.isp() for _ in range(offices)]
        sites = [(asn, (self._network.address(asn, rng.randrange(256)),)) for asn in networks]
        one_name, one_card, one_client, one_domain = (rng.random() < share for share in (0.5, 0.6, 0.6, 0.7))
        opened = rng.choice(("before", "before", "at once", "any time"))
        hour, agents = rng.uniform(0, 8), self._network.clients(1)
        found = []
        for number, begin in enumerate(begins):
            day = min(begins) - 1 if opened == "at once" else begin - rng.uniform(0, 2)
            created = (
                self._signed_up() if opened == "any time" else START + int((day * 24 + hour + rng.gauss(0, 2)) * 3_600)
            )
            one = self._open(agents=agents if one_client else (), created=created)
            if one_name:
                one.org = org
            if sites:
                one.asn, one.addresses = sites[number % len(sites)]
            if one_card:
                one.payment = card
            if one_domain:
                one.email_domain = domain
            found.append(one)
        return found

    def classroom(self, count: int, *, first: int) -> list[Identity]:
        """A class behind one address, signed up before the assignment."""
        asn = self._network.isp()
        addresses = (self._network.address(asn, 3),)
        domain = f"{self._id('domain')}.example"
        found = []
        for _ in range(count):
            one = self.ordinary(created=START + int((first - self._rng.uniform(0, 10)) * DAY))
            one.asn, one.addresses, one.email_domain = asn, addresses, domain
            found.append(one)
        return found

    def moved_at(self, day: float) -> int:
        """A moment within the 24 hours after a day of the window."""
        return START + int((day + self._rng.random()) * DAY)

    def _open(self, *, agents: Sequence[str], created: int, api: bool | None = None) -> Identity:
        rng = self._rng
        account = self._network.accounts[self._network.open(agents=agents, created=created, api=api)]
        moves = self.moved_at(LAUNCH) if self._at_once and rng.random() < 0.8 else account.moves
        return Identity(
            org=account.org,
            addresses=account.addresses,
            asn=account.asn,
            agents=account.agents,
            api_key=account.api_key,
            payment=self._id("card") if rng.random() < 0.7 else None,
            email_domain=rng.choices([m for m, _ in _MAIL], [w for _, w in _MAIL])[0]
            if rng.random() < 0.85
            else f"{self._id('domain')}.example",
            created=created,
            model=account.model,
            moves=moves,
        )

    def _signed_up(self) -> int:
        """A sign-up date: over two years, with growing frequency; a few within the window."""
        rng = self._rng
        if rng.random() < 0.1:
            return int(rng.uniform(START, self._end))
        return int(START - (1 - rng.random() ** 0.5) * _TWO_YEARS * DAY) - 1

    def _id(self, what: str) -> str:
        self._drawn += 1
        return opaque(self._seed, what, self._drawn, size=6)
