"""Accounts and the times at which they send: sign-up, network, client, rhythm, sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.simulate.people import Person
from harvestdetect.util.arrays import Bools, Ints
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["Account", "Events", "HumanTimes", "Network", "human_times", "machine_times", "opaque"]


_ZONES: Final = np.array([-8, -7, -6, -5, -3, 0, 1, 1, 2, 3, 5, 7, 8, 9, 10], dtype=np.int64)
_RHYTHM: Final = np.array(
    [4, 2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 10, 8, 9, 11, 11, 10, 9, 9, 10, 11, 11, 9, 6], dtype=np.float64
)
"""Relative numbers of prompts of people in each hour of their own day."""
_WORKDAYS: Final = np.array([1.0, 1.0, 1.0, 1.0, 0.9, 0.55, 0.6])

_BROWSERS: Final = tuple(
    f"Mozilla/5.0 ({system}) {engine}/{version}"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
    for engine, versions in (
        ("Chrome", (134, 135, 136, 137)),
        ("Firefox", (137, 138, 139)),
        ("Safari", (605,)),
    )
    for version in versions
) + tuple(f"ChatApp/{major}.{minor} ({os})" for major in (3, 4) for minor in range(5) for os in ("iOS", "Android"))
_CLIENTS: Final = (
    *(f"llm-sdk-python/1.{minor}.0" for minor in range(40, 58)),
    *(f"llm-sdk-node/4.{minor}.1" for minor in range(10, 22)),
    *(f"python-requests/2.{minor}.0" for minor in range(28, 33)),
    *(f"curl/8.{minor}.0" for minor in range(1, 10)),
    *(f"okhttp/4.{minor}.0" for minor in range(9, 13)),
)  # fmt: skip
_OLD_MODELS: Final = ("large-1", "large-1", "large-1", "small-1", "small-1", "mini-2")
_ISPS: Final = 160
"""Networks of internet providers."""
_HOSTERS: Final = 24
"""Networks of hosting providers."""


def opaque(*parts: object, size: int = 8) -> str:
    """An opaque id: hex digits of a digest of the parts."""
    return blake2b("/".join(map(str, parts)).encode(), digest_size=size).hexdigest()


@dataclass(slots=True)
class Account:
    """One account of the dump, as the rows show it."""

    identity: str
    org: str
    asn: int
    """Position in the list of networks."""
    addresses: tuple[str, ...]
    agents: tuple[str, ...]
    api_key: str | None
    created: int
    """Seconds since 1970."""
    model: str
    moves: int
    """When it switches to the new model, seconds since 1970."""
    zone: int
    """Hours east of Greenwich."""
    chat: bool
    """Whether it sends chat messages rather than text."""
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """Requests to be made, one per position."""

    time: Ints
    account: Ints
    """Positions in the list of accounts."""
    item: Ints
    """Position in the session, or in the work queue."""
    session: Ints

    def __len__(self) -> int:
        """The number of requests."""
        return len(self.time)


class Network:
    """Opens accounts: orgs, networks, addresses, clients and sign-up dates.

    All addresses are private ones and all network numbers are reserved for private use.

    Args:
        random: of all draws.
        seed: part of the ids.
        start: the first second of the dump, since 1970.
        end: the last one.
        launch: when a new model is released, seconds since 1970.
    """

    def __init__(self, random: np.random.Generator, *, seed: int, start: int, end: int, launch: int) -> None:
        self._random = random
        self._seed = seed
        self._start, self._end, self._launch = start, end, launch
        weights = 1.0 / (np.arange(_ISPS) + 3.0)
        self._isp_cdf = np.cumsum(weights / weights.sum())
        self._orgs = 0
        self._rented: set[tuple[int, int]] = set()
        self.accounts: list[Account] = []

    def org(self) -> str:
        """A new organisation."""
        self._orgs += 1
        return opaque(self._seed, "org", self._orgs, size=5)

    def hosters(self, count: int) -> list[int]:
        """Some networks of hosting providers."""
        return [_ISPS + int(i) for i in self._random.choice(_HOSTERS, size=count, replace=False)]

    def isp(self) -> int:
        """A network of an internet provider."""
        return int(np.searchsorted(self._isp_cdf, self._random.random(), side="right").clip(0, _ISPS - 1))

    def address(self, asn: int, subnet: int | None = None) -> str:
        """An address in a network."""
        third = int(self._random.integers(256)) if subnet is None else subnet
        return f"10.{asn}.{third}.{int(self._random.integers(1, 255))}"

    def rent(self, asn: int, subnet: int) -> bool:
        """Takes a subnet for one pool of accounts; false where another pool has it."""
        free = (asn, subnet) not in self._rented
        self._rented.add((asn, subnet))
        return free

    def created(self) -> int:
        """A sign-up date of an ordinary account: mostly before the window, sometimes within."""
        if self._random.random() < 0.75:
            return self._start - 1 - int(self._random.exponential(240.0) * DAY)
        return self._start + int(self._random.random() * 0.9 * (self._end - self._start))

    def clients(self, count: int) -> tuple[str, ...]:
        """Some client libraries."""
        return tuple(_CLIENTS[int(i)] for i in self._random.choice(len(_CLIENTS), size=count, replace=False))

    def open(
        self,
        *,
        org: str | None = None,
        asns: Sequence[int] = (),
        addresses: Sequence[str] = (),
        agents: Sequence[str] = (),
        api: bool | None = None,
        created: int | None = None,
        zone: int | None = None,
        chat: bool | None = None,
        newest: bool = False,
    ) -> int:
        """Opens one more account; what is not given is drawn as for an ordinary one.

        Many parameters because there is one for each property that a group of accounts may have in common.

        Returns:
            the position of the account in :attr:`accounts`.
        """
        random = self._random
        number = len(self.accounts)
        server = random.random() < 0.22 if api is None else api
        if asns:
            asn = int(asns[int(random.integers(len(asns)))])
        elif server and random.random() < 0.6:
            asn = _ISPS + int(random.integers(_HOSTERS))
        else:
            asn = self.isp()
        places = 1 + int(random.random() < 0.4) + int(random.random() < 0.2)
        chosen = list(agents) or ([self.clients(1)[0]] if server else [_BROWSERS[int(random.integers(len(_BROWSERS)))]])
        if not agents and not server and random.random() < 0.3:
            chosen.append(_BROWSERS[int(random.integers(len(_BROWSERS)))])
        lag = float(random.exponential(12.0)) * DAY
        self.accounts.append(
            Account(
                identity=opaque(self._seed, "account", number),
                org=org or self.org(),
                asn=asn,
                addresses=tuple(addresses) or tuple(self.address(asn) for _ in range(places)),
                agents=tuple(chosen),
                api_key=opaque(self._seed, "key", number, size=6) if server else None,
                created=self.created() if created is None else created,
                model="large-2" if newest else _OLD_MODELS[int(random.integers(len(_OLD_MODELS)))],
                moves=self._launch + int(lag + 0.5 * DAY),
                zone=int(_ZONES[int(random.integers(len(_ZONES)))]) if zone is None else zone,
                chat=bool(random.random() < (0.6 if server else 0.12)) if chat is None else chat,
            )
        )
        return number


class HumanTimes(NamedTuple):
    """When people write, one entry per prompt, each int64[sum of counts]."""

    who: Ints
    """Position of the account."""
    time: Ints
    position: Ints
    """Position in the session."""
    session: Ints


def human_times(
    random: np.random.Generator,
    *,
    counts: Ints,
    created: Ints,
    zones: Ints,
    window: tuple[int, int],
    first_session: int,
    flat: Bools | None = None,
    mean_session: float = 4.0,
) -> HumanTimes:
    """When people write: in sessions by the hours and weekdays of their zone, with short pauses within.

    Args:
        random: of all draws.
        counts: int64[a], prompts of each account.
        created: int64[a], seconds; no prompt comes before it.
        zones: int64[a], hours east of Greenwich.
        window: first and last second.
        first_session: number of the first session.
        flat: bool[a], accounts that ignore the hour of the day; None means none.
        mean_session: mean number of prompts in a session.
    """
    start, end = window
    total = int(counts.sum())
    who = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    opens = random.random(total) < 1.0 / mean_session
    heads = np.cumsum(counts) - counts
    opens[heads[counts > 0]] = True
    session = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)
    owner = who[first]
    sessions = len(first)
    low = np.clip(created[owner], start, end - HOUR)
    span = end - low
    moment = low + (random.random(sessions) * span).astype(np.int64)
    # the hour of the day and the weekday of the owner's zone, by drawing again what is unlikely
    zone = zones[owner] * HOUR
    always = np.zeros(sessions, dtype=bool) if flat is None else flat[owner]
    for _ in range(6):
        local = moment + zone
        weight = _RHYTHM[(local // HOUR) % 24] / _RHYTHM.max() * _WORKDAYS[(local // DAY + 3) % 7]
        again = (random.random(sessions) > weight) & ~always
        fresh = low + (random.random(sessions) * span).astype(np.int64)
        moment = np.where(again, fresh, moment)
    pauses = np.exp(random.normal(4.3, 1.0, total)).astype(np.int64) + 2
    pauses[first] = 0
    elapsed = np.cumsum(pauses)
    elapsed -= np.repeat(elapsed[first], np.diff(np.append(first, total)))
    position = np.arange(total) - first[session]
    time = np.clip(moment[session] + elapsed, start, end - 1)
    return HumanTimes(who=who, time=time, position=position, session=session + first_session)


def machine_times(random: np.random.Generator, *, count: int, start: int, end: int, tempo: str) -> Ints:
    """When a job queue sends; it works around the clock.

    Args:
        random: of all draws.
        count: the number of requests.
        start: the first second of the window.
        end: the last one.
        tempo: ``steady``, ``waves`` (batches every few hours) or ``ramp`` (a trial, then full speed).

    Returns:
        int64[count], ascending.
    """
    at = (np.arange(count) + random.random(count)) / max(count, 1)
    if tempo == "waves":
        waves = max(2, (end - start) // (int(random.integers(3, 9)) * HOUR))
        at = (np.floor(at * waves) + 0.15 * random.random(count)) / waves
    elif tempo == "ramp":
        at = at**0.55
    time = start + (at * (end - start)).astype(np.int64)
    return np.sort(np.clip(time, start, end - 1))
