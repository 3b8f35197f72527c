"""Which values the members of a candidate share beyond what is common.

A shared value speaks by its rarity. People with a common interest also have a country, an employer or a tool in common.
So a value counts as if it were :data:`FAMILIAR` times as common among them as among all accounts, and a provider,
client or e-mail domain counts only where most of the members have it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from harvestdetect.corpus import account_fields
from harvestdetect.corpus.account_fields import FIELD_NAMES, FIELDS, AccountField, AccountFields, masked
from harvestdetect.data import SharedValue
from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.nulls import P_FLOOR
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.amounts import GROUP, MIN_SAMPLE
from harvestdetect.util.arrays import Floats, Ints, Ints32, spread, unique

__all__ = [
    "COARSE",
    "FAMILIAR",
    "Sharing",
    "concentration",
    "shared_infrastructure",
    "shared_value",
    "sharing_of",
    "tag_key",
    "tag_of",
]


FAMILIAR: Final = 20.0
"""How many times as common a value may innocently be among accounts with a common interest. Chosen."""
COARSE: Final[Mapping[str, float]] = {"asn": 0.5, "user_agent": 0.25, "email_domain": 0.5}
"""Fields whose values a country or a trade has in common, with the share of an innocent group that may have one value,
however rare it is among all accounts. Chosen."""
LARGEST: Final = 3
"""The largest organisations whose accounts are counted together, to see whether a group belongs to a few. Chosen."""
TEAMS: Final = 9
"""Organisations that are counted together at most, where each of them has a team. Chosen."""
LISTED: Final = 0.01
"""Largest p-value, of one value alone, at which a value is listed as shared. It decides nothing. Chosen."""
TAGGED: Final = ("ip", "api_key", "payment")
"""Fields whose values are masked in part, so that a tag is needed to tell them apart."""
TAG_BYTES: Final = 3
"""Bytes of a tag. Chosen: few values are listed, so two of them hardly ever have one tag."""
TAG_VALUES: Final = 1_000
"""Values of a field, evenly chosen, from which the key of its tags is made. Chosen."""
_PSEUDONYM: Final = re.compile(r"[a-z][a-z2-7]{16}|fd[0-9a-f]{2}(:[0-9a-f]{0,4}){2,7}")
"""A pseudonym of :mod:`harvestdetect.dump.values.pseudonyms`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """The values of one field that at least two members have."""

    n: int
    """Members with the field known."""
    who: Ints
    """int64[h]: members, as positions; each has the value at the same place of ``which``."""
    which: Ints
    """int64[h], positions in ``value``."""
    value: Ints32
    """int32[s]."""
    members: Ints
    """int64[s]: number of members that have each."""
    log_p: Floats
    """float64[s]: natural log of the chance that as many of n innocent accounts have each, every value by itself."""
    reach: float
    """Values of a member over the values of another account, on average; at least 1."""


def _sharing(name: str, field: AccountField, members: Ints32) -> Sharing | None:
    """What members share; None where too little is known of the field."""
    from scipy.special import bdtrc

    who, values = field.of(members)
    n = int((np.diff(who, prepend=-1) > 0).sum())
    others = field.known - n
    if n < max(MIN_SAMPLE, len(members) / 2) or others < MIN_COMPARED:
        return None
    value, place, count = np.unique(values, return_inverse=True, return_counts=True)
    shared = count > 1
    kept = shared[place]
    x, k = count[shared], field.holders[value[shared]]
    # an account with more values has any one of them more easily
    reach = max(1.0, len(values) / n / max((len(field.value) - len(values)) / others, 1e-9))
    chance = np.maximum(k / field.known, FAMILIAR * (k - x + 1) / (others + 1)) * reach
    chance = np.minimum(np.maximum(chance, COARSE.get(name, 0.0)), 1.0)
    with np.errstate(divide="ignore"):
        log_p = np.asarray(np.log(bdtrc(x - 1, n, chance)), np.float64)
    return Sharing(
        n=n,
        who=who[kept],
        which=(np.cumsum(shared) - 1)[place[kept]],
        value=value[shared],
        members=x,
        log_p=log_p,
        reach=reach,
    )


def sharing_of(fields: AccountFields, members: Ints32) -> dict[str, Sharing]:
    """What the members share, by field; without the fields that too little is known of.

    Args:
        fields: of the dump, see :func:`account_values`.
        members: int32[a], ascending, distinct.
    """
    members = fields.counted(members)
    found = {name: _sharing(name, fields.fields[name], members) for name in FIELDS if name in fields.fields}
    return {name: sharing for name, sharing in found.items() if sharing is not None}


def shared_value(
    name: str, fields: AccountFields, sharing: Mapping[str, Sharing], members: Ints32
) -> Observation | None:
    """Whether the members share values of one field beyond what is common.

    The null takes accounts at random among those with the field known, from a community in which each value is
    :data:`FAMILIAR` times as common as among the accounts outside the candidate, and never less common than among all.
    Two questions are asked of a field, each at half the level:

    * *One value*: the binomial tail of the members that have the most telling one, with a Bonferroni correction over
      all values of the dump that two accounts share. (The values of the members alone would not do: they were chosen by
      being shared.)
    * *Many values*, not for :data:`COARSE` fields: the members are put into d disjoint pairs, each sharing a value of
      at most t accounts. Such a community would show l pairs that share such a value, :data:`FAMILIAR` squared times as
      many as random accounts. Then d disjoint ones come with a chance of at most l^d / d!, the expected number of sets
      of d such pairs. This is asked for each t of :data:`~harvestdetect.corpus.account_fields.RARE`.

    Args:
        name: of the field, one of :data:`~harvestdetect.corpus.account_fields.FIELDS`.
        fields: of the dump, see :func:`~harvestdetect.corpus.account_fields.account_values`.
        sharing: what the members share, see :func:`sharing_of`.
        members: int32[a], ascending, distinct.

    Returns:
        None for a field that most members, or too many others, lack.
    """
    if name not in sharing:
        return None
    field, of_field = fields.fields[name], sharing[name]
    count = len(fields.counted(members))
    n, label = of_field.n, FIELD_NAMES[name]
    of = f"of {n} members" if n == count else f"of {n} members of whom it is known (of {count})"
    null = f"as many accounts at random, each value {FAMILIAR:.0f} times as common among them as in the dump" + (
        f" and up to {COARSE[name]:.0%} with one value" if name in COARSE else ""
    )
    if not len(of_field.value):
        return Observation(
            value=0.0, null=null, expected=0.0, p_value=1.0, sentence=f"No two {of} share one {label}."
        )  # fmt: skip
    best = _one_value(name, field, of_field, of)
    if name not in COARSE:
        for rare, total in zip(account_fields.RARE, field.rare_pairs, strict=True):
            many = _many_values(name, field, of_field, of, rare=rare, total=total)
            if many is not None and many.log_p < best.log_p:
                best = many
    return Observation(
        value=best.value,
        null=null,
        expected=best.expected,
        p_value=float(np.exp(np.clip(best.log_p, np.log(P_FLOOR), 0.0))),
        sentence=best.sentence,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _WayOfSharing:
    """One way in which the members share values of a field."""

    log_p: float
    """Natural log of the p-value, corrected for what was tried."""
    value: float
    expected: float
    sentence: str


def _one_value(name: str, field: AccountField, sharing: Sharing, of: str) -> _WayOfSharing:
    """The most telling single value."""
    ways = 1 if name in COARSE else 2
    best = int(np.lexsort((sharing.value, -sharing.members, sharing.log_p))[0])
    count, holders = int(sharing.members[best]), int(field.holders[sharing.value[best]])
    shown = masked(name, str(field.values[int(sharing.value[best])].as_py()))
    return _WayOfSharing(
        log_p=float(sharing.log_p[best]) + np.log(field.twice * ways),
        value=float(count),
        expected=sharing.n * holders / field.known,
        sentence=(
            f"{count} {of} share one {FIELD_NAMES[name]} ({shown}), which {holders:,} of {field.known:,} accounts "
            f"with a known {FIELD_NAMES[name]} have ({100 * holders / field.known:.2g} %)."
        ),
    )


def _many_values(
    name: str, field: AccountField, sharing: Sharing, of: str, *, rare: int, total: float
) -> _WayOfSharing | None:
    """Several values that at most ``rare`` accounts have; ``total`` pairs of accounts of the dump share such a
    value."""
    found = _pairs(field, sharing, rare, total)
    if found is None:
        return None
    together, chance, usual = found
    return _WayOfSharing(
        log_p=chance + np.log(2 * len(account_fields.RARE)),
        value=float(together),
        expected=2 * usual,
        sentence=(
            f"{together} {of} share one of several values ({FIELD_NAMES[name]}) that at most {rare} accounts in the "
            f"dump have; {2 * usual:.2g} of as many random accounts would."
        ),
    )


def _pairs(field: AccountField, sharing: Sharing, rare: int, total: float) -> tuple[int, float, float] | None:
    """Members that share a rare value, in disjoint pairs.

    Args:
        field: of the dump.
        sharing: of the members.
        rare: accounts that may have a value.
        total: pairs of accounts of the dump that share such a value.

    Returns:
        the members that share one, the natural log of the chance of that many disjoint pairs, and how many pairs random
        accounts would show; None where no member shares one.
    """
    from scipy.special import gammaln

    holders = field.holders[sharing.value]
    kept = holders[sharing.which] <= rare
    if not kept.any():
        return None
    who, which = sharing.who[kept], sharing.which[kept]
    # each member goes to the rarest value it shares; members of one value pair off
    order = np.lexsort((which, holders[which], who))
    first = np.concatenate(([True], np.diff(who[order]) > 0))
    d = int((np.bincount(which[order[first]], minlength=len(holders)) // 2).sum())
    if d == 0:
        return None
    x = sharing.members[holders <= rare]
    inside = float((x * (x - 1) / 2).sum())
    n, known = sharing.n, field.known
    both = n * (n - 1) / (known * (known - 1))
    rate = max(total, FAMILIAR**2 * (total - inside + 1)) * both * sharing.reach**2
    log_p = d * np.log(rate) - float(gammaln(d + 1)) if d > rate else 0.0
    return int(first.sum()), min(float(log_p), 0.0), total * both


def shared_infrastructure(
    fields: AccountFields, sharing: Mapping[str, Sharing], *, at_most: int = 20
) -> tuple[SharedValue, ...]:
    """The values that members share beyond chance, for a report: the most telling of each field first.

    Args:
        fields: of the dump.
        sharing: what the members share, see :func:`sharing_of`.
        at_most: how many values.
    """
    found = []
    for name, of_field in sharing.items():
        key: bytes | None = None  # made for the first value that is listed, which most candidates do not have
        field, number = fields.fields[name], FIELDS.index(name)
        order = np.lexsort((of_field.value, -of_field.members, of_field.log_p))
        for rank, i in enumerate(order[:at_most].tolist()):
            if of_field.log_p[i] > np.log(LISTED):
                break
            value = int(of_field.value[i])
            text = str(field.values[value].as_py())
            if name in TAGGED and key is None:
                key = tag_key(field.values)
            row = SharedValue(
                field=name,
                value=masked(name, text),
                members=int(of_field.members[i]),
                known=of_field.n,
                accounts=int(field.holders[value]),
                population=field.known,
                tag="" if key is None else tag_of(name, text, key),
            )
            found.append(((rank, number), row))
    return tuple(row for _, row in sorted(found, key=lambda x: x[0])[:at_most])


def tag_key(values: pa.Array) -> bytes:
    """The key of the tags of a field: a digest of many values of the dump.

    Whoever tries all addresses or all card numbers finds none by its tag without knowing these values too. So a tag is
    the same in every finding of a scan. Pseudonyms cannot be tried out, so the tags of pseudonyms have no other key and
    are the same in every scan.
    """
    some = [str(value) for value in values.take(spread(len(values), TAG_VALUES)).to_pylist()]
    if all(_PSEUDONYM.fullmatch(value) for value in some):
        return b""
    return hashlib.blake2b("\n".join(some).encode("utf-8", "surrogatepass"), digest_size=32).digest()


def tag_of(name: str, value: str, key: bytes) -> str:
    """The tag of a value, such as ``#a3f19c``.

    Args:
        name: of the field.
        value: unmasked.
        key: see :func:`tag_key`.
    """
    text = f"{name}\0{value}".encode("utf-8", "surrogatepass")
    return "#" + hashlib.blake2b(text, key=key, digest_size=TAG_BYTES).hexdigest()


def concentration(fields: AccountFields, members: Ints32) -> dict[str, float]:
    """The share of members that have the commonest value, to see whether a group belongs to one office.

    Of ``org`` it is the share of the commonest :data:`LARGEST`, and of up to :data:`TEAMS` that have a group of
    members or more each.

    Args:
        fields: of the dump.
        members: int32[a], ascending, distinct.

    Returns:
        for ``org``, ``asn`` and ``network``, among the members with it known; a field that no member has is left out.
    """
    found = {}
    for name in ("org", "asn", "network"):
        if name in fields.fields:
            who, values = fields.fields[name].of(members if name == "org" else fields.counted(members))
            if len(values):
                size = -np.sort(-np.unique(values, return_counts=True)[1])
                most = max(LARGEST, np.count_nonzero(size[:TEAMS] >= GROUP)) if name == "org" else 1
                found[name] = min(int(size[:most].sum()) / len(unique(who)), 1.0)
    return found
