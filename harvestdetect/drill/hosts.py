"""Which accounts send a planted campaign: real accounts of suitable volume, or new ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np

from harvestdetect.drill.grid import Design, percent_of
from harvestdetect.drill.survey import Survey
from harvestdetect.util.arrays import Ints

__all__ = ["ALONE", "ROWS_TOGETHER", "TOGETHER", "Cast", "Host", "Hosts", "alike_id"]

TOGETHER: Final = 0.05
"""Largest share of the accounts of the dump that the campaigns of one scan may add or change together."""
ROWS_TOGETHER: Final = 0.08
"""Largest share of the rows of the dump that the campaigns of one scan may add together."""
ALONE: Final = 0.1
"""Largest share of the accounts, and of the rows, for a campaign that is alone in its scan."""
VOLUME_FACTOR: Final = 1.5
"""Largest factor between the volume of a host and the volume that the share needs."""
JOINED: Final = 12
"""Most real accounts whose rows become those of one planted account."""
LOAD: Final = (0.7, 1.3)
"""Campaign prompts of a new account, in means."""
ID_DRAWS: Final = 100
"""Ids that are drawn before one is made longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One planted account."""

    account: str
    """Its id."""
    sources: tuple[int, ...]
    """Positions of the real accounts whose rows it has. The first is the account itself; none for a new account."""
    own: int
    """Rows of real accounts that it has."""
    harvest: int
    """Campaign prompts that it gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The accounts of a planted campaign."""

    hosts: tuple[Host, ...]

    @property
    def touched(self) -> int:
        """Number of accounts that it adds or changes."""
        return sum(max(len(host.sources), 1) for host in self.hosts)

    @property
    def harvest(self) -> int:
        """Number of campaign prompts."""
        return sum(host.harvest for host in self.hosts)


class Hosts:
    """Chooses hosts.

    Args:
        survey: of the dump.
        excluded: accounts that are never hosts.
    """

    def __init__(self, survey: Survey, excluded: Collection[str]) -> None:
        self._survey = survey
        self._ids = frozenset(survey.accounts)
        banned = frozenset(excluded)
        usable = np.array([name not in banned for name in survey.accounts], bool)
        position = np.flatnonzero(usable)
        order = np.argsort(survey.volume[position], kind="stable")
        self._position: Ints = position[order].astype(np.int64)
        self._volume: Ints = survey.volume[self._position]

    def impossible(self, design: Design) -> str | None:
        """Why a design cannot be planted into this dump, as a clause; None if it can."""
        accounts, rows = len(self._survey.accounts), self._survey.rows
        if design.accounts > ALONE * accounts:
            limit = percent_of(ALONE)
            return f"{design.accounts:,} accounts are more than {limit} of the {accounts:,} accounts of the dump"
        if design.accounts * design.prompts > ALONE * rows:
            harvest = design.accounts * design.prompts
            return f"{harvest:,} prompts are more than {percent_of(ALONE)} of the {rows:,} prompts of the dump"
        cast = self.cast(design, Random(0), taken=frozenset(), ids=frozenset())
        if cast is None or cast.touched > ALONE * accounts:
            wanted = round(design.prompts * (1 - design.share) / design.share)
            return (
                f"too few accounts of the dump have about the {wanted:,} prompts of their own that a share of "
                f"{percent_of(design.share)} needs"
            )
        return None

    def cast(self, design: Design, random: Random, *, taken: Collection[int], ids: Collection[str]) -> Cast | None:
        """Chooses the accounts of a campaign; None if there are too few.

        Args:
            design: of the campaign.
            random: of all draws.
            taken: positions of accounts that have other campaigns in the same scan.
            ids: ids of new accounts in the same scan.
        """
        if design.share >= 1:
            return self._new(design, random, ids)
        wanted = design.prompts * (1 - design.share) / design.share
        low = int(np.searchsorted(self._volume, max(wanted / VOLUME_FACTOR, 0.5), side="left"))
        high = int(np.searchsorted(self._volume, wanted * VOLUME_FACTOR, side="right"))
        fitting = self._free(low, high, taken)
        chosen: list[tuple[int, ...]] = [(p,) for p in _drawn(fitting, design.accounts, random)]
        missing = design.accounts - len(chosen)
        if missing:
            first = int(np.searchsorted(self._volume, wanted / JOINED, side="left"))
            small = _drawn(self._free(first, low, taken), missing * JOINED, random)
            joined = self._join(small, missing, wanted)
            if joined is None:
                return None
            chosen += joined
        return Cast(hosts=tuple(self._real(sources, design, random) for sources in chosen))

    def _free(self, low: int, high: int, taken: Collection[int]) -> Ints:
        """int64[n]: positions of the usable accounts in a range of volumes that no other campaign has."""
        found = self._position[low:high]
        return found[~np.isin(found, np.fromiter(taken, np.int64, len(taken)))] if taken else found

    def _join(self, small: Sequence[int], count: int, wanted: float) -> list[tuple[int, ...]] | None:
        """Groups of accounts with about the wanted volume together; None if there are too few.

        Args:
            small: positions of accounts with at least ``wanted / JOINED`` rows each.
            count: of the groups.
            wanted: volume of a group.
        """
        groups: list[tuple[int, ...]] = []
        group: list[int] = []
        volume = 0
        for position in small:
            group.append(position)
            volume += int(self._survey.volume[position])
            if volume * VOLUME_FACTOR >= wanted:
                groups.append(tuple(group))
                group, volume = [], 0
                if len(groups) == count:
                    return groups
        return None

    def _real(self, sources: tuple[int, ...], design: Design, random: Random) -> Host:
        own = int(self._survey.volume[list(sources)].sum())
        exact = own * design.share / (1 - design.share)
        harvest = int(exact) + (random.random() < exact - int(exact))
        return Host(account=self._survey.accounts[sources[0]], sources=sources, own=own, harvest=max(harvest, 1))

    def _new(self, design: Design, random: Random, ids: Collection[str]) -> Cast:
        hosts: list[Host] = []
        used = set(ids)
        for _ in range(design.accounts):
            name = alike_id(random.choice(self._survey.accounts), random)
            for _ in range(ID_DRAWS):
                if name not in self._ids and name not in used:
                    break
                name = alike_id(random.choice(self._survey.accounts), random)
            while name in self._ids or name in used:
                name += random.choice("0123456789")
            used.add(name)
            harvest = max(1, round(design.prompts * random.uniform(*LOAD)))
            hosts.append(Host(account=name, sources=(), own=0, harvest=harvest))
        return Cast(hosts=tuple(hosts))


def _drawn(positions: Ints, count: int, random: Random) -> list[int]:
    """Some of the positions in random order; all of them if there are fewer."""
    return [int(positions[i]) for i in random.sample(range(len(positions)), min(count, len(positions)))]


def alike_id(value: str, random: Random) -> str:
    """A value of the same shape: each digit becomes another digit, each letter another letter of its case.

    The letters of a hexadecimal number stay hexadecimal, the first character of a number stays, and the first two
    numbers of an IPv4 address stay.
    """
    octets = value.split(".")
    if len(octets) == 4 and all(part.isascii() and part.isdigit() for part in octets):
        return ".".join([*octets[:2], str(random.randrange(256)), str(random.randrange(1, 255))])
    letters = {c for c in value.lower() if c.isascii() and c.isalpha()}
    last = "f" if letters <= set("abcdef") else "z"
    lower = "abcdef" if last == "f" else "abcdefghijklmnopqrstuvwxyz"
    made = []
    for position, character in enumerate(value):
        if not character.isascii():
            made.append(character)
        elif character.isdigit():
            first = position == 0 or not value[position - 1].isalnum()
            made.append(character if first else random.choice("0123456789"))
        elif character.isalpha():
            drawn = random.choice(lower)
            made.append(drawn.upper() if character.isupper() else drawn)
        else:
            made.append(character)
    return "".join(made)
