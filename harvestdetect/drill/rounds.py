"""Which campaigns are planted together in one scan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from harvestdetect.drill.grid import Trial
from harvestdetect.drill.hosts import ALONE, ROWS_TOGETHER, TOGETHER, Hosts
from harvestdetect.drill.planting import DrillCampaign
from harvestdetect.drill.survey import Survey
from harvestdetect.drill.texts import Author

__all__ = ["Room", "in_rounds"]

NOBODY: Final[Mapping[int, Collection[int]]] = {}
"""No trial must be kept apart from another."""


@dataclass(slots=True, kw_only=True)
class Room:
    """The campaigns of one scan."""

    campaigns: list[DrillCampaign] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    """Positions of the real accounts that are hosts."""
    ids: set[str] = field(default_factory=set)
    """Ids of new accounts."""
    touched: int = 0
    rows: int = 0


def in_rounds(
    trials: Sequence[Trial],
    authors: Mapping[int, Author],
    hosts: Hosts,
    survey: Survey,
    *,
    seed: int,
    per_scan: int,
    apart: Mapping[int, Collection[int]] = NOBODY,
) -> list[list[DrillCampaign]]:
    """Distributes trials over scans so that they do not disturb each other.

    Campaigns of one scan have no account and no manner of writing in common. Together they add or change at most
    :data:`~harvestdetect.drill.hosts.TOGETHER` of the accounts, and add rows up to
    :data:`~harvestdetect.drill.hosts.ROWS_TOGETHER`. A larger campaign is alone in its scan. Each trial goes into the
    first scan that has room for it.

    Args:
        trials: in the order in which they are placed. A trial for which no scan has enough accounts is left out.
        authors: the author of each trial, by its number.
        hosts: chooses the accounts.
        survey: of the dump.
        seed: with the number of each trial, of the choice of its accounts.
        per_scan: most trials of a scan.
        apart: number of a trial -> numbers of the trials with which it must not share a scan.
    """
    rooms: list[Room] = []
    for trial in trials:
        author, barred = authors[trial.number], apart.get(trial.number, ())
        for room in rooms:
            free = len(room.campaigns) < per_scan and not any(one.trial.number in barred for one in room.campaigns)
            if free and _enters(room, trial, author, hosts, survey, seed=seed):
                break
        else:
            room = Room()
            if _enters(room, trial, author, hosts, survey, seed=seed):
                rooms.append(room)
    return [room.campaigns for room in rooms]


def _enters(room: Room, trial: Trial, author: Author, hosts: Hosts, survey: Survey, *, seed: int) -> bool:
    """Puts a trial into a scan if it has room for it."""
    others = room.campaigns
    if author.manner and any(other.author.manner == author.manner for other in others):
        return False
    limit = TOGETHER if others else ALONE
    design = trial.design
    if room.touched + design.accounts > limit * len(survey.accounts):
        return False
    random = Random(f"drill hosts {seed} {trial.number}")
    cast = hosts.cast(design, random, taken=room.taken, ids=room.ids)
    if cast is None or room.touched + cast.touched > limit * len(survey.accounts):
        return False
    if others and room.rows + cast.harvest > ROWS_TOGETHER * survey.rows:
        return False
    room.campaigns.append(DrillCampaign(trial=trial, cast=cast, author=author))
    room.taken.update(source for host in cast.hosts for source in host.sources)
    room.ids.update(host.account for host in cast.hosts if not host.sources)
    room.touched += cast.touched
    room.rows += cast.harvest
    return True
