"""Small logs of accounts with topics, values and sign-ups, without any text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.infrastructure import infrastructure_groups, links_between
from harvestdetect.corpus.account_fields import account_values
from harvestdetect.data import NO_TIME, FieldColumn, Prompts
from harvestdetect.settings import Settings

START = 1_772_323_200
DAY = 86_400
FINE = 4
"""Fine cells of each topic."""


@dataclass
class Log:
    """What each account sends and has."""

    topics: list[list[int]]
    """Of each account, the topic of each prompt."""
    values: dict[str, list[str | None]] = field(default_factory=dict)
    """Name of a field -> the value of each account."""
    created: list[int] | None = None
    members: tuple[int, ...] = ()
    """Accounts of the campaign."""
    counted: bool = False
    """Whether ids are consecutive numbers, else pseudonyms."""

    def without(self, *names: str) -> Log:
        """The log without some fields; ``created`` among them."""
        kept = {name: values for name, values in self.values.items() if name not in names}
        return replace(self, values=kept, created=None if "created" in names else self.created)

    def having(self, **values: Sequence[str | None]) -> Log:
        """The log with other or more fields."""
        return replace(self, values={**self.values, **{name: list(v) for name, v in values.items()}})


def population(rng: np.random.Generator, accounts: int = 1_600, topics: int = 200) -> Log:
    """Accounts with topics of their own; households share addresses and cards, sign-ups are spread over two years."""
    sent = 1 + rng.geometric(0.4, accounts)
    favourite = rng.integers(0, topics, accounts)
    at = rng.random(accounts)
    household = np.cumsum(rng.random(accounts) > 0.2)
    return Log(
        topics=[
            np.where(rng.random(n) < 0.6, favourite[i], rng.integers(0, topics, n)).tolist() for i, n in enumerate(sent)
        ],
        values={
            "ip": [f"10.{h >> 8}.{h & 255}.7" for h in household],
            "payment": [f"card-{h if rng.random() < 0.5 else f'own-{i}'}" for i, h in enumerate(household)],
            "user_agent": [f"client/{int(v)}" for v in rng.zipf(1.5, accounts) % 30],
            "email_domain": [f"mail-{int(v)}.example" for v in rng.zipf(2.0, accounts) % 5],
        },
        created=(START - (at * 700 * DAY)).astype(int).tolist(),
    )


def with_campaign(
    log: Log,
    rng: np.random.Generator,
    *,
    accounts: int = 200,
    topics: Sequence[int] = (200, 201, 202, 203),
    cards: bool = True,
    bursts: int = 0,
    linked: float = 0.5,
) -> Log:
    """The log with a campaign of one or two prompts an account, about some topics that few others have.

    Args:
        log: what it hides in.
        rng: of all draws.
        accounts: of the campaign.
        topics: of the campaign.
        cards: whether the linked accounts share cards, five by five, and addresses, ten by ten.
        bursts: afternoons on which the linked accounts were created; 0: as others.
        linked: share of the accounts that have anything in common.
    """
    first = len(log.topics)
    sends = [rng.choice(topics, rng.integers(1, 3)).tolist() for _ in range(accounts)]
    own = population(rng, accounts)
    assert own.created is not None
    assert log.created is not None
    for i in range(round(linked * accounts)):
        if cards:
            own.values["payment"][i] = f"shared-{first}-{i // 5}"
        if bursts:
            own.created[i] = START - (100 + 17 * (i % bursts)) * DAY + int(rng.normal(0, 900))
    # beyond that, nobody has anything in common with anybody
    own.values["payment"] = [
        str(v) if str(v).startswith("shared") else f"card-{first + i}" for i, v in enumerate(own.values["payment"])
    ]
    home = [i // 10 if cards and i < linked * accounts else accounts + i for i in range(accounts)]
    own.values["ip"] = [f"172.{16 + h % 16}.{h >> 4}.{first & 255}" for h in home]
    return Log(
        topics=[*log.topics, *sends],
        values={name: [*values, *own.values[name]] for name, values in log.values.items()},
        created=[*log.created, *own.created],
        members=tuple(range(first, first + accounts)),
    )


def prompts_and_features(log: Log, order: np.random.Generator | None = None) -> tuple[Prompts, sparse.csr_matrix]:
    """The corpus's prompts, sorted as it sorts them, and the features of each: two coarse cells and a fine one.

    Args:
        log: what to lay.
        order: of the rows; the result must not depend on it.
    """
    account = np.repeat(np.arange(len(log.topics)), [len(t) for t in log.topics])
    topic = np.array([t for topics in log.topics for t in topics], np.int64)
    fine = (account * 7 + np.arange(len(account)) * 3) % FINE
    rows = np.arange(len(account)) if order is None else order.permutation(len(account))
    rows = rows[np.lexsort((topic[rows] * FINE + fine[rows], account[rows]))]
    account, topic, fine = account[rows], topic[rows], fine[rows]
    count, wide = len(account), int(topic.max()) + 1
    features = np.concatenate((topic, wide + topic * FINE + fine, wide * (1 + FINE) + topic // 2))
    matrix = sparse.csr_matrix(
        (np.ones(3 * count, np.float32), (np.tile(np.arange(count), 3), features)),
        shape=(count, wide * (1 + FINE) + wide // 2 + 1),
    )
    created = np.full(len(log.topics), NO_TIME) if log.created is None else np.array(log.created, np.int64)
    prompts = Prompts(
        account=account.astype(np.int32),
        time=np.full(count, NO_TIME),
        file=np.zeros(count, np.int32),
        line=np.arange(count),
        content=np.arange(count, dtype=np.int32),
        accounts=pa.array(_ids(len(log.topics), counted=log.counted)),
        fields={name: _column(values, account) for name, values in log.values.items()},
        created_at=created[account],
    )
    return prompts, matrix


def _ids(count: int, *, counted: bool) -> list[str]:
    if counted:
        return [f"{number:09}" for number in range(count)]
    return sorted({np.random.default_rng(number).bytes(8).hex() for number in range(count)})


def _column(values: Sequence[str | None], account: np.ndarray[Any, Any]) -> FieldColumn:
    distinct = sorted({v for v in values if v is not None})
    place: Mapping[str | None, int] = {v: i for i, v in enumerate(distinct)}
    code = np.array([place.get(v, -1) for v in values], np.int32)
    return FieldColumn(code=code[account], values=pa.array(distinct, pa.string()))


def groups_of(log: Log, *, seed: int = 0, order: np.random.Generator | None = None) -> list[AccountGroup]:
    """The groups by infrastructure of a log."""
    prompts, features = prompts_and_features(log, order)
    corpus: Any = SimpleNamespace(prompts=prompts)
    fields = account_values(prompts)
    links = links_between(corpus, fields)
    return infrastructure_groups(
        corpus, features, fields, links, min_accounts=10, seed=seed, log_p=Settings().link_log_p
    )


def held(groups: Sequence[AccountGroup], members: Sequence[int]) -> tuple[float, float]:
    """Of the group with most members: the share of the members that it holds, and its share of members."""
    inside = [np.isin(group.accounts, members) for group in groups]
    best = max(inside, key=np.sum, default=np.zeros(1, bool))
    return float(best.sum() / len(members)), float(best.mean())
