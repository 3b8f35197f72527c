"""A candidate that holds two populations behind one template: a campaign, and people with data of their own."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from harvestdetect.accounts.kin import Kin, NearestAccounts
from harvestdetect.campaign.form import without
from harvestdetect.corpus.account_fields import account_values
from harvestdetect.data import NO_TIME, Campaign, FieldColumn, Neighbors, Prompts
from harvestdetect.util.arrays import Ints32

DAY = 86_400
T0 = 1_767_225_600
EACH = 8
"""Requests of a member in the candidate."""
BESIDES = 4
"""Its other requests."""
WIDE = 48
"""Dimensions of vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The candidate, and who is who."""

    scan: Any
    kin: Kin
    campaign: Campaign
    members: Ints32
    innocents: Ints32

    def only(self, accounts: Ints32) -> Campaign:
        """The candidate with some of its accounts."""
        gone = np.setdiff1d(self.campaign.accounts, accounts).astype(np.int32)
        return without(self.campaign, gone, account=self.scan.corpus.prompts.account)


def two_populations(*, members: int = 40, innocents: int = 20, seed: int = 0, names: int = 0) -> Parts:
    """Members deal one list evenly over forty days from a few networks; innocents have subjects and hours of their own.

    Args:
        members: accounts of the campaign.
        innocents: accounts that merely use its template.
        seed: of every draw.
        names: another number numbers the accounts in another order.
    """
    rng = np.random.default_rng(seed)
    template = 2 * rng.standard_normal(WIDE)
    rows: list[tuple[int, int, bool, np.ndarray[Any, Any]]] = []
    networks: list[str] = []
    for account in range(members + innocents):
        guilty = account < members
        subject = rng.standard_normal(WIDE)
        networks.append(f"n{rng.integers(0, 4)}" if guilty and rng.random() < 0.7 else f"x{account}")
        each = EACH if guilty else int(rng.integers(2, 2 * EACH))
        days = rng.uniform(0, 40, each) if guilty else rng.uniform(0, 40) + rng.uniform(0, 0.2, each)
        for day in days:
            beyond = rng.standard_normal(WIDE) + (0 if guilty else 1.5) * subject
            rows.append((account, T0 + int(day * DAY), True, template + beyond))
        for day in rng.uniform(0, 40, BESIDES if guilty else int(rng.integers(1, 4 * BESIDES))):
            about = rng.standard_normal(WIDE) if guilty else subject + 0.5 * rng.standard_normal(WIDE)
            rows.append((account, T0 + int(day * DAY), False, 2 * about))
    count = members + innocents
    number = np.random.default_rng(names).permutation(count) if names else np.arange(count)
    rows.sort(key=lambda row: (number[row[0]], row[1]))
    account = np.array([number[row[0]] for row in rows], np.int32)
    code = np.argsort(number)  # the account of each number
    values = sorted(set(networks))
    prompts = Prompts(
        account=account,
        time=np.array([row[1] for row in rows], np.int64),
        file=np.zeros(len(rows), np.int32),
        line=np.arange(len(rows)),
        content=np.arange(len(rows), dtype=np.int32),
        accounts=pa.array([f"a{i:03}" for i in range(count)]),
        fields={
            "asn": FieldColumn(
                code=np.array([values.index(networks[code[a]]) for a in account], np.int32), values=pa.array(values)
            )
        },
        created_at=np.full(len(rows), NO_TIME),
    )
    inside = np.flatnonzero([row[2] for row in rows]).astype(np.int32)
    hits = np.bincount(account[inside], minlength=count).astype(np.int32)
    campaign = Campaign(
        clusters=np.array([0], np.int32),
        accounts=np.arange(count, dtype=np.int32),
        membership=np.ones(count),
        harvest_share=hits / np.bincount(account, minlength=count),
        harvest_prompts=hits,
        prompts=inside,
        prompt_cluster=np.zeros(len(inside), np.int32),
        link_log_p=0.0,
    )
    guilty_numbers = np.sort(number[:members]).astype(np.int32)
    near = np.stack([_near(a, guilty_numbers, count) for a in range(count)])
    whole = NearestAccounts(
        account=np.arange(count, dtype=np.int32),
        neighbors=Neighbors(index=near, distance=np.zeros(near.shape, np.float32)),
    )
    scan = SimpleNamespace(
        corpus=SimpleNamespace(prompts=prompts),
        vectors=np.array([row[3] for row in rows], np.float32),
        fields=account_values(prompts),
    )
    return Parts(
        scan=scan,
        kin=Kin(whole=whole),
        campaign=campaign,
        members=guilty_numbers,
        innocents=np.sort(number[members:]).astype(np.int32),
    )


def _near(account: int, guilty: Ints32, count: int) -> Ints32:
    """Nearest accounts: of a member other members; of an innocent the next account."""
    found = np.full(10, -1, np.int32)
    others = guilty[guilty != account] if account in guilty else np.array([(account + 1) % count])
    chosen = others[: len(found)]
    found[: len(chosen)] = chosen
    return found
