"""Adds planted campaigns to the batches of a dump, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.data import FIELDS, NO_TIME, PROMPT_SCHEMA, Batch
from harvestdetect.drill.grid import Trial
from harvestdetect.drill.hosts import Cast, Host, alike_id
from harvestdetect.drill.survey import Sampled, Survey
from harvestdetect.drill.texts import Author
from harvestdetect.simulate.traffic import machine_times
from harvestdetect.util.periods import DAY

__all__ = ["SHARED_FIELDS", "DrillCampaign", "planted"]

SHARED_FIELDS: Final = ("ip", "payment", "api_key")
"""Fields for shared infrastructure. A campaign shares values of the first field that the dump has."""
LENGTH: Final = (0.4, 0.9)
"""Length of a campaign, in lengths of the dump."""
PER_ADDRESS: Final = 8
"""Accounts per shared address."""
LEAST_ADDRESSES: Final = 3
"""Shared addresses of a campaign, at least."""
ADDRESSES: Final = 3
"""Shared addresses that one account uses."""
JITTER: Final = 1_200
"""Largest distance of a planted prompt from the time of day of a real one, in seconds."""
SIGN_UP_DAYS: Final = 30.0
"""Most days between the sign-up of a new account and its first prompt, where those of the dump do not decide."""
LEAST_TIMES: Final = 3
"""Times of an account from which its hours are known."""
ACCOUNTS_TRIED: Final = 50
"""Accounts that are tried for one with so many times."""
ROWS: Final = 20_000
"""Most rows of a batch of planted prompts."""
FIRST_LINE: Final = 1 << 60
"""Line of the first planted prompt in its file. No real line has this number."""
OF_REQUEST: Final = ("session", "request")
"""Fields that planted rows never have in common with others."""

Values = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillCampaign:
    """A campaign that is ready to be planted."""

    trial: Trial
    cast: Cast
    author: Author


Seen = dict[str, set[tuple[str | int | None, ...]]]
"""Id of a host -> the distinct values of the fields in its own rows, in the order of ``FIELDS``."""


def planted(
    batches: Iterable[Batch], campaigns: Sequence[DrillCampaign], survey: Survey, *, seed: int
) -> Iterator[Batch]:
    """Passes the batches of a dump on and adds campaigns at the end.

    A host keeps its own rows. Where one planted account has the rows of several real ones, their ids are replaced.

    Args:
        batches: of the dump.
        campaigns: no real account is in two of them.
        survey: of the same dump.
        seed: with the number of each trial, of all draws.
    """
    names = survey.accounts
    hosts = {names[host.sources[0]] for one in campaigns for host in one.cast.hosts if host.sources}
    joined = {
        names[source]: host.account for one in campaigns for host in one.cast.hosts for source in host.sources[1:]
    }
    wanted = pa.array(sorted(hosts), pa.string())
    seen: Seen = {}
    for batch in batches:
        if batch.prompts.num_rows and hosts:
            _note(batch.prompts, wanted, seen)
            batch = replace(batch, prompts=_joined(batch.prompts, joined))
        yield batch
    rows: list[dict[str, Any]] = []
    for campaign in campaigns:
        rows += _rows(campaign, survey, seen, seed=seed)
    for first in range(0, len(rows), ROWS):
        yield Batch(prompts=_block(rows[first : first + ROWS], first))


def _note(block: pa.RecordBatch, wanted: pa.Array, seen: Seen) -> None:
    """Collects the values of the hosts' rows."""
    mine = pc.is_in(block.column("account"), value_set=wanted)
    if pc.any(mine).as_py():
        part = block.filter(mine)
        columns = [part.column(name).to_pylist() for name in FIELDS]
        for name, *values in zip(part.column("account").to_pylist(), *columns, strict=True):
            seen.setdefault(name, set()).add(tuple(values))


def _joined(block: pa.RecordBatch, joined: Mapping[str, str]) -> pa.RecordBatch:
    """A block in which some accounts are called by the ids of others."""
    if not joined:
        return block
    account = block.column("account").dictionary_encode()
    renamed = [joined.get(name, name) for name in account.dictionary.to_pylist()]
    column = pa.array(renamed, pa.string()).take(account.indices)
    position = block.schema.get_field_index("account")
    return block.set_column(position, block.schema.field("account"), column)


# ---------------------------------------------------------------- rows


def _rows(campaign: DrillCampaign, survey: Survey, seen: Seen, *, seed: int) -> list[dict[str, Any]]:
    """The prompts of a campaign as rows of ``PROMPT_SCHEMA``, without file and line."""
    trial = campaign.trial
    random = Random(f"drill rows {seed} {trial.number}")
    window = _window(survey, random)
    times = _times(campaign, survey, window, random)
    addresses = _addresses(campaign, survey, random)
    rows: list[dict[str, Any]] = []
    for host, sent in zip(campaign.cast.hosts, times, strict=True):
        own = sorted(seen.get(host.account, ()), key=repr)
        values: list[Values] = [dict(zip(FIELDS, found, strict=True)) for found in own]
        if not values:
            values = [_new_values(survey, sent, random)]
        used = random.sample(addresses, min(ADDRESSES, len(addresses)))
        session = f"{random.getrandbits(48):x}"
        for time in sent:
            fields = dict(random.choice(values))
            for name in OF_REQUEST:
                given = fields[name]
                if given is not None:
                    fields[name] = alike_id(str(given), random) if name == "request" else f"{session}{time // DAY:x}"
            if used:
                fields.update(random.choice(used))
            text = campaign.author.write(host.account, len(rows), random)
            rows.append({"account": host.account, "time": time, "roles": ["user"], "parts": [text], **fields})
    return rows


def _window(survey: Survey, random: Random) -> tuple[int, int] | None:
    """The first second of a campaign and the one after its last; None without times."""
    if survey.span is None:
        return None
    first, last = survey.span
    length = max(1, int((last - first) * random.uniform(*LENGTH)))
    begin = first + int((last - first - length) * random.random())
    return begin, begin + length


def _times(campaign: DrillCampaign, survey: Survey, window: tuple[int, int] | None, random: Random) -> list[list[int]]:
    """When each host sends its campaign prompts: Unix seconds, ascending."""
    hosts = campaign.cast.hosts
    if window is None:
        return [[NO_TIME] * host.harvest for host in hosts]
    if campaign.trial.design.tempo == "human":
        return [_human(host, survey, window, random) for host in hosts]
    dice = np.random.Generator(np.random.PCG64(random.getrandbits(64)))
    tempo = random.choice(("steady", "waves", "ramp"))
    every = machine_times(dice, count=campaign.cast.harvest, start=window[0], end=window[1], tempo=tempo).tolist()
    turn = [number for number, host in enumerate(hosts) for _ in range(host.harvest)]
    random.shuffle(turn)
    sent: list[list[int]] = [[] for _ in hosts]
    for time, number in zip(every, turn, strict=True):
        sent[number].append(time)
    return sent


def _human(host: Host, survey: Survey, window: tuple[int, int], random: Random) -> list[int]:
    """Times of day of the host's own prompts, or of those of another account, on days of the campaign."""
    known = survey.times_of(host.sources[0]) if host.sources else np.zeros(0, np.int64)
    for _ in range(ACCOUNTS_TRIED):
        if len(known) >= LEAST_TIMES:
            break
        known = survey.times_of(random.randrange(len(survey.accounts)))
    first, last = window
    sent = []
    for _ in range(host.harvest):
        hour = int(random.choice(known)) % DAY if len(known) else random.randrange(DAY)
        hour = (hour + random.randint(-JITTER, JITTER)) % DAY
        early, late = -((hour - first) // DAY), (last - 1 - hour) // DAY  # the days on which this hour is in the window
        day = random.randint(early, late) if early <= late else first // DAY
        sent.append(min(max(day * DAY + hour, first), last - 1))
    return sorted(sent)


def _new_values(survey: Survey, sent: Sequence[int], random: Random) -> Values:
    """Values of the fields of a new account: those of a real one, with rare values replaced by values like them."""
    row = random.choice(survey.sample)
    values: dict[str, str | int | None] = {}
    for name in FIELDS:
        value = row.fields[name]
        rare = isinstance(value, str) and survey.shares[name][value] < 2
        values[name] = alike_id(value, random) if rare and isinstance(value, str) else value
    values["created_at"] = _created(row, survey, sent, random)
    return values


def _created(row: Sampled, survey: Survey, sent: Sequence[int], random: Random) -> int:
    """When a new account was opened: as another account was, but before its first prompt."""
    value = row.fields["created_at"]
    if "created_at" not in survey.fields or not isinstance(value, int) or value == NO_TIME:
        return NO_TIME
    first = sent[0]
    if first == NO_TIME or value <= first:
        return value
    return first - int(random.uniform(0, SIGN_UP_DAYS) * DAY)


def _addresses(campaign: DrillCampaign, survey: Survey, random: Random) -> list[dict[str, str | int | None]]:
    """The values that the accounts of a campaign share; empty if they share none."""
    shared = next((name for name in SHARED_FIELDS if name in survey.fields), None)
    if campaign.trial.design.infrastructure == "none" or shared is None:
        return []
    known = [row for row in survey.sample if row.fields[shared] is not None]
    if not known:
        return []
    count = max(LEAST_ADDRESSES, len(campaign.cast.hosts) // PER_ADDRESS)
    found: list[dict[str, str | int | None]] = []
    for _ in range(count):
        row = random.choice(known)
        values: dict[str, str | int | None] = {shared: alike_id(str(row.fields[shared]), random)}
        if shared == "ip" and "asn" in survey.fields:
            values["asn"] = row.fields["asn"]
        found.append(values)
    return found


def _block(rows: Sequence[Mapping[str, Any]], first: int) -> pa.RecordBatch:
    """Rows as a block; ``first`` is the number of the first of them."""
    columns: dict[str, list[Any]] = {name: [] for name in PROMPT_SCHEMA.names}
    for number, row in enumerate(rows, first):
        whole = {"file": 0, "line": FIRST_LINE + number, **row}
        for name, column in columns.items():
            column.append(whole[name])
    arrays = [pa.array(columns[field.name], field.type) for field in PROMPT_SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=PROMPT_SCHEMA)
