"""What the accounts share besides their words: addresses, networks, clients, keys, cards, e-mail domains.

A shared value speaks by its rarity. People with a common interest also have a country, an employer or a tool in common,
so a value counts as if it were :data:`FAMILIAR` times as common among them as among all accounts, and a provider,
client or e-mail domain only where most of the members hold it. The accounts of one organisation have an office and a
bill in common: they count once. A missing field is unknown and never evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect.data import Evidence, FieldColumn, Prompts, SharedValue
from harvestdetect.util.arrays import Floats, Ints, Ints32, pairs, ranges, unique

__all__ = [
    "COARSE",
    "DECIDING",
    "FIELDS",
    "AccountField",
    "AccountFields",
    "Common",
    "Sharing",
    "account_values",
    "common_infrastructure",
    "concentration",
    "infrastructure_evidence",
    "joining_evidence",
    "masked",
    "network_of",
    "shared_infrastructure",
    "sharing_of",
]


FIELDS: Final = ("ip", "network", "asn", "user_agent", "api_key", "payment", "email_domain")
"""Fields that are evidence; ``network`` is the /24 or /48 of ``ip``."""
DECIDING: Final = (
    "shared address",
    "shared network",
    "shared API key",
    "shared means of payment",
    "shared e-mail domain",
)
"""The measures on which the family stands. A product gives its customers one client, often on one cloud: the client and
the operator can only agree."""
FAMILIAR: Final = 20.0
"""How much more common a value may innocently be among accounts with a common interest."""
COARSE: Final[Mapping[str, float]] = {"asn": 0.5, "user_agent": 0.25, "email_domain": 0.5}
"""Fields whose values a country or a trade has in common, with the share of an innocent group that may hold one value,
however rare it is among all accounts."""
RARE: Final = (3, 10, 100)
"""Pairs of members that share a value are counted among values of at most so many accounts, each bound in turn."""
ORGANISATION: Final = 0.05
"""Share of all accounts up to which a value of ``org`` is an organisation, and not the name for having none."""
LARGEST: Final = 3
"""Organisations whose accounts are taken together to tell whether a group is that of a few..."""
TEAMS: Final = 9
"""...and so many where each has a team:"""
TEAM: Final = 3
"""so many of the accounts at least."""
MIN_KNOWN: Final = 5
"""Members with a known value that a field needs."""
MIN_OTHERS: Final = 20
"""Other accounts with a known value that a field needs, or nothing is known of how common its values are."""
MIN_COMMON: Final = 0.4
"""Share of either group that must hold what the other holds, or most of the whole would have nothing in common."""
JOINING: Final = ("ip", "network", "api_key", "payment", "email_domain")
"""Fields behind :data:`DECIDING`, by which groups may be said to have infrastructure in common."""
LISTED: Final = 0.01
"""p-value, of one value alone, up to which a value is listed as shared."""
SHOWN: Final = 40
"""Characters of a value that are shown."""
P_FLOOR: Final = 1e-300
_NAMES: Final[Mapping[str, str]] = {
    "ip": "address",
    "network": "network",
    "asn": "network operator",
    "user_agent": "client",
    "api_key": "API key",
    "payment": "means of payment",
    "email_domain": "e-mail domain",
}


# ---------------------------------------------------------------- who holds what


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountField:
    """Which accounts hold which values of one field."""

    start: Ints
    """int64[a + 1]: where the values of each account begin in ``value``."""
    value: Ints32
    """int32[k]: distinct per account, ascending."""
    holders: Ints
    """int64[v]: accounts that hold each value."""
    known: int
    """Accounts that hold any."""
    values: pa.Array
    """The v values, sorted; attacker-written."""
    twice: int
    """Values that two accounts or more hold."""
    rare_pairs: tuple[float, ...]
    """For each bound of :data:`RARE` the pairs of accounts that share a value of at most so many."""

    def of(self, accounts: npt.NDArray[np.integer]) -> tuple[Ints, Ints32]:
        """The values that some accounts hold: the position of the account, ascending, and the value."""
        count = self.start[accounts + 1] - self.start[accounts]
        return np.repeat(np.arange(len(accounts)), count), self.value[ranges(self.start[accounts], count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFields:
    """All fields that a dump has."""

    accounts: int
    fields: Mapping[str, AccountField]
    """By name: those of :data:`FIELDS` and ``org``, without the ones that no prompt has. All but ``org`` are of
    organisations: their first account holds what any of their accounts does."""
    first: Ints32 | None = None
    """int32[a]: the first account of each one's organisation, itself where it has none; None: nobody has one."""

    def counted(self, accounts: Ints32) -> Ints32:
        """The accounts that count, one of each organisation, ascending."""
        return accounts if self.first is None else unique(self.first[accounts])


def account_values(prompts: Prompts) -> AccountFields:
    """Who holds which values, once for all campaigns.

    Args:
        prompts: with their optional fields. An e-mail domain is compared in small letters, without a leading ``@``; an
            address that cannot be read has no network.
    """
    columns: dict[str, FieldColumn] = dict(prompts.fields)
    if "ip" in columns:
        columns["network"] = _mapped(columns["ip"], network_of)
    if "email_domain" in columns:
        columns["email_domain"] = _mapped(columns["email_domain"], _domain)
    count = len(prompts.accounts)
    first = None
    if "org" in columns and (columns["org"].code >= 0).any():
        first = _first_of_organisation(prompts.account, columns["org"], count)
    found: dict[str, AccountField] = {}
    for name in (*FIELDS, "org"):
        if name in columns and (columns[name].code >= 0).any():
            account = prompts.account if first is None or name == "org" else first[prompts.account]
            found[name] = _held(account, columns[name], count)
    return AccountFields(accounts=count, fields=found, first=first)


def _first_of_organisation(account: Ints32, org: FieldColumn, accounts: int) -> Ints32:
    """See :attr:`AccountFields.first`; an account of several organisations has none."""
    who, value = pairs(account[org.code >= 0], org.code[org.code >= 0])
    single = np.bincount(who, minlength=accounts)[who] == 1
    who, value = who[single], value[single]
    size = np.bincount(value, minlength=len(org.values))
    small = size[value] <= max(ORGANISATION * accounts, 1)
    who, value = who[small], value[small]
    lead = np.full(len(org.values), accounts, np.int32)
    np.minimum.at(lead, value, who.astype(np.int32))
    first = np.arange(accounts, dtype=np.int32)
    first[who] = lead[value]
    return first


def _held(account: Ints32, column: FieldColumn, accounts: int) -> AccountField:
    known = column.code >= 0
    who, value = pairs(account[known], column.code[known])
    start = np.searchsorted(who, np.arange(accounts + 1))
    holders = np.bincount(value, minlength=len(column.values))
    return AccountField(
        start=start,
        value=value.astype(np.int32),
        holders=holders,
        twice=int((holders > 1).sum()),
        rare_pairs=tuple(float((h * (h - 1) / 2).sum()) for h in (holders[holders <= rare] for rare in RARE)),
        known=int((np.diff(start) > 0).sum()),
        values=column.values,
    )


def _mapped(column: FieldColumn, to: Callable[[str], str | None]) -> FieldColumn:
    """The column of what its values map to; None is missing."""
    mapped = [to(value) for value in column.values.to_pylist()]
    values = sorted({value for value in mapped if value is not None})
    place = {value: number for number, value in enumerate(values)}
    # one more, the last, for what is missing
    code = np.array([*(-1 if value is None else place[value] for value in mapped), -1], np.int32)
    return FieldColumn(code=code[column.code], values=pa.array(values, pa.string()))


def _domain(value: str) -> str | None:
    return value.strip().lstrip("@").lower() or None


def network_of(address: str) -> str | None:
    """The network of an address: ``203.0.113.*`` (/24) or ``2001:db8:1:*`` (/48); None where it cannot be read.

    An IPv4 address written as an IPv6 one counts as itself.
    """
    address = address[:64].strip()
    try:
        if ":" not in address:
            return str(IPv4Address(address)).rpartition(".")[0] + ".*"
        wide = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return None
    if wide.ipv4_mapped is not None:
        return str(wide.ipv4_mapped).rpartition(".")[0] + ".*"
    return ":".join(f"{int(wide) >> shift & 0xFFFF:x}" for shift in (112, 96, 80)) + ":*"


def masked(field: str, value: str) -> str:
    """A value as a report may show it: an address as its network, of a key or a card the first 4 characters.

    At most half of a secret is shown, and :data:`SHOWN` characters of anything. What cannot be printed becomes ``?``;
    whatever shows the result escapes it for its own format.
    """
    if field == "ip":
        network = network_of(value)
        shown = network if network is not None else value[: min(4, len(value) // 2)] + "…"
    elif field in ("api_key", "payment"):
        shown = value[: min(4, len(value) // 2)] + "…"
    else:
        shown = value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
    return "".join(c if c.isprintable() else "?" for c in shown)


# ---------------------------------------------------------------- what is shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """The values of one field that at least two members hold."""

    n: int
    """Members with the field known."""
    who: Ints
    """int64[h]: with ``which``, what each member holds, of these values."""
    which: Ints
    """int64[h], positions in ``value``."""
    value: Ints32
    """int32[s]."""
    members: Ints
    """int64[s]: members that hold each."""
    log_p: Floats
    """float64[s]: natural log of the chance that so many of n innocent accounts hold it, each value by itself."""
    reach: float
    """How many times as many values a member holds as other accounts do; at least 1."""


def _sharing(name: str, field: AccountField, members: Ints32) -> Sharing | None:
    """What members share; None where too little is known of the field."""
    from scipy.special import bdtrc

    who, held = field.of(members)
    n = int((np.diff(who, prepend=-1) > 0).sum())
    others = field.known - n
    if n < max(MIN_KNOWN, len(members) / 2) or others < MIN_OTHERS:
        return None
    value, place, count = np.unique(held, return_inverse=True, return_counts=True)
    shared = count > 1
    kept = shared[place]
    x, k = count[shared], field.holders[value[shared]]
    # an account that holds more values holds any one of them more easily
    reach = max(1.0, len(held) / n / max((len(field.value) - len(held)) / others, 1e-9))
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


def infrastructure_evidence(
    fields: AccountFields, members: Ints32, *, sharing: Mapping[str, Sharing] | None = None
) -> list[Evidence]:
    """What the members share, one measure per field; none for a field that most members lack.

    The null takes accounts at random among those with the field known, from a community in which each value is
    :data:`FAMILIAR` times as common as among the accounts outside the campaign (and never less common than among all).
    Two questions are asked of a field, each at half the level. *One value*: the binomial tail of the members that
    hold the most telling one, Bonferroni over all values of the dump that two accounts share (over those of the members
    alone would not do: they were chosen by being shared). *Many values* (not for :data:`COARSE` fields): the members
    are put into d disjoint pairs, each sharing a value of at most t accounts. Where such a community would show l pairs
    that share such a value (:data:`FAMILIAR` squared times as many as random accounts), d disjoint ones come with a
    chance of at most l^d / d!, the expected number of sets of d such pairs; for each t of :data:`RARE`.

    Args:
        fields: of the dump, see :func:`account_values`.
        members: int32[a], ascending, distinct.
        sharing: :func:`sharing_of` the same, where it is at hand.
    """
    sharing = sharing_of(fields, members) if sharing is None else sharing
    count = len(fields.counted(members))
    return [_evidence(name, fields.fields[name], held, count) for name, held in sharing.items()]


def _evidence(name: str, field: AccountField, sharing: Sharing, members: int) -> Evidence:
    n, known = sharing.n, field.known
    of = f"of {n} members" if n == members else f"of {n} members of whom it is known (of {members})"
    null = f"as many accounts at random, each value {FAMILIAR:.0f} times as common among them as in the dump" + (
        f" and up to {COARSE[name]:.0%} holding one value" if name in COARSE else ""
    )
    label = _NAMES[name]
    ways = 1 if name in COARSE else 2
    if not len(sharing.value):
        return Evidence(
            name=f"shared {label}", family="infrastructure", value=0.0, null=null, expected=0.0, p_value=1.0,
            sentence=f"No two {of} share one {label}.",
        )  # fmt: skip
    best = int(np.lexsort((sharing.value, -sharing.members, sharing.log_p))[0])
    count, holders = int(sharing.members[best]), int(field.holders[sharing.value[best]])
    log_p = float(sharing.log_p[best]) + np.log(field.twice * ways)
    value, expected = float(count), n * holders / known
    shown = masked(name, str(field.values[int(sharing.value[best])].as_py()))
    sentence = (
        f"{count} {of} share one {label} ({shown}), which {holders:,} of {known:,} accounts in the dump hold "
        f"({100 * holders / known:.2g} %)."
    )
    if name not in COARSE:
        for rare, all_pairs in zip(RARE, field.rare_pairs, strict=True):
            many = _pairs(field, sharing, rare, all_pairs)
            if many is None:
                continue
            together, chance, usual = many
            if chance + np.log(ways * len(RARE)) < log_p:
                log_p = chance + np.log(ways * len(RARE))
                value, expected = float(together), 2 * usual
                sentence = (
                    f"{together} {of} share one of several values ({label}) that at most {rare} accounts in the dump "
                    f"hold; {2 * usual:.2g} of as many random accounts would."
                )
    return Evidence(
        name=f"shared {label}",
        family="infrastructure",
        value=value,
        null=null,
        expected=expected,
        p_value=float(np.exp(np.clip(log_p, np.log(P_FLOOR), 0.0))),
        sentence=sentence,
    )


def _pairs(field: AccountField, sharing: Sharing, rare: int, total: float) -> tuple[int, float, float] | None:
    """Members that share a rare value, in disjoint pairs.

    Args:
        field: of the dump.
        sharing: of the members.
        rare: accounts that may hold a value.
        total: pairs of accounts of the dump that share such a value.

    Returns:
        the members that share one, the natural log of the chance of so many disjoint pairs, and how many pairs random
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
    fields: AccountFields, members: Ints32, *, at_most: int = 20, sharing: Mapping[str, Sharing] | None = None
) -> tuple[SharedValue, ...]:
    """The values that members share beyond chance, for a report: the most telling of each field first.

    Args:
        fields: of the dump.
        members: int32[a], ascending, distinct.
        at_most: so many values.
        sharing: :func:`sharing_of` the same, where it is at hand.
    """
    found = []
    for name, held in (sharing_of(fields, members) if sharing is None else sharing).items():
        field, number = fields.fields[name], FIELDS.index(name)
        order = np.lexsort((held.value, -held.members, held.log_p))
        for rank, i in enumerate(order[:at_most].tolist()):
            if held.log_p[i] > np.log(LISTED):
                break
            value = int(held.value[i])
            row = SharedValue(
                field=name,
                value=masked(name, str(field.values[value].as_py())),
                members=int(held.members[i]),
                known=held.n,
                accounts=int(field.holders[value]),
                population=field.known,
            )
            found.append(((rank, number), row))
    return tuple(row for _, row in sorted(found, key=lambda x: x[0])[:at_most])


def concentration(fields: AccountFields, members: Ints32) -> dict[str, float]:
    """The share of members that hold the commonest value among them, for what is to be told about one office; of
    ``org`` the commonest :data:`LARGEST`, and up to :data:`TEAMS` of at least :data:`TEAM` members each.

    Args:
        fields: of the dump.
        members: int32[a], ascending, distinct.

    Returns:
        for ``org``, ``asn`` and ``network``, among the members with it known; a field that no member has is left out.
    """
    found = {}
    for name in ("org", "asn", "network"):
        if name in fields.fields:
            who, held = fields.fields[name].of(members if name == "org" else fields.counted(members))
            if len(held):
                size = -np.sort(-np.unique(held, return_counts=True)[1])
                most = max(LARGEST, np.count_nonzero(size[:TEAMS] >= TEAM)) if name == "org" else 1
                found[name] = min(int(size[:most].sum()) / len(unique(who)), 1.0)
    return found


# ---------------------------------------------------------------- what groups have in common


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Two groups of accounts that hold the same rare values."""

    first: int
    second: int
    field: str
    """The most telling one."""
    shared: int
    """Members of one group, outside the other, that hold a value which the other holds too..."""
    known: int
    """...of so many with the field known; of the group where it is the smaller share."""
    expected: float
    """As many as ``shared`` among ``known`` random accounts outside every group."""
    log_p: float
    """Natural log of the larger of the two tails, corrected for pairs, fields and :data:`RARE`."""


def common_infrastructure(fields: AccountFields, groups: Sequence[Ints32], *, log_p: float) -> list[Common]:
    """Pairs of groups that hold the same rare values beyond chance.

    Groups formed by what their accounts wrote may be parts of one, each with a share of its addresses, keys and cards.
    Of group A, take all values that at most t accounts outside every group hold; any of them counts, for a card of five
    accounts tells little by itself. Then take the members of B that are not in A. The null: they are accounts at random
    from a community in which it is :data:`FAMILIAR` times as common to hold one of these values as among the accounts
    outside every group (and at least as common as :data:`COARSE` says), times how many more values they hold each.
    As the values were taken without regard to B, the number of its members that hold one is binomial. The same is asked
    of A by the values of B; of the two tails the larger counts, for each t of :data:`RARE` and each field of
    :data:`JOINING`, Bonferroni over all of these and over the pairs. At least :data:`MIN_COMMON` of either group (of
    those with the field known) must hold one.

    The accounts outside *every* group are asked, not those outside the two: in a third part the same values are as
    common as in these.

    Args:
        fields: of the dump, see :func:`account_values`.
        groups: int32[a] each, ascending, distinct; they may overlap.
        log_p: pairs are less likely than this natural logarithm, corrected.

    Returns:
        by pair, ascending; ``first < second``.
    """
    count = len(groups)
    if count < 2:
        return []
    groups = [fields.counted(group) for group in groups]
    tests = count * (count - 1) // 2 * len(RARE) * sum(name in fields.fields for name in JOINING)
    found: dict[tuple[int, int], Common] = {}
    for name in JOINING:
        if name not in fields.fields:
            continue
        for shared, known, usual, tail in _common(name, fields.fields[name], groups):
            share = shared / np.maximum(known, 1)
            corrected = np.minimum(np.maximum(tail, tail.T) + np.log(tests), 0.0)
            both = (corrected < log_p) & (np.minimum(share, share.T) >= MIN_COMMON)
            for i, j in np.argwhere(np.triu(both, 1)).tolist():
                before = found.get((i, j))
                if before is None or corrected[i, j] < before.log_p:
                    of = min((i, j), (j, i), key=lambda pair: (float(share[pair]), int(known[pair])))
                    found[i, j] = Common(
                        first=i, second=j, field=name, shared=int(shared[of]), known=int(known[of]),
                        expected=float(usual[of]), log_p=float(corrected[i, j]),
                    )  # fmt: skip
    return [found[pair] for pair in sorted(found)]


def joining_evidence(groups: Sequence[Ints32], links: Sequence[Common]) -> Evidence:
    """Why groups were taken for parts of one, by the least sure of the pairs that are linked.

    It is for show: triage must not count it beside :func:`infrastructure_evidence` on the whole, which sees the same
    values.

    Args:
        groups: int32[a] each: the accounts of each part.
        links: between them, at least one; see :func:`common_infrastructure`.
    """
    members, parts = np.unique(np.concatenate(groups), return_counts=True)
    several = int((parts > 1).sum())
    least = max(links, key=lambda link: link.log_p)
    label = _NAMES[least.field]
    by = ", ".join(_NAMES[name] for name in JOINING if any(link.field == name for link in links))
    share = f"{several} of {len(members)} accounts" if several else "no account"
    where = f"in the least sure of {len(links)} linked pairs " if len(links) > 1 else ""
    return Evidence(
        name="common infrastructure",
        family="infrastructure",
        value=float(least.shared),
        null=f"as many accounts at random from outside all findings, each value {FAMILIAR:.0f} times as common among "
        "them" + (f" and up to {COARSE[least.field]:.0%} holding one value" if least.field in COARSE else ""),
        expected=least.expected,
        p_value=float(np.exp(np.clip(least.log_p, np.log(P_FLOOR), 0.0))),
        sentence=(
            f"Its {len(groups)} parts, which share {share}, hold the same rare values ({by}); {where}{least.shared} of "
            f"{least.known} accounts of one part share one ({label}) with the other part, where {least.expected:.2g} "
            "of as many other accounts would."
        ),
    )


def _common(name: str, field: AccountField, groups: Sequence[Ints32]) -> list[tuple[Ints, Ints, Floats, Floats]]:
    """For each bound of :data:`RARE`, of the members of group [., j] outside group [i, .]: those that hold a rare value
    of i, those with the field known, how many of as many outside every group would, and the log of the binomial tail;
    0 where too little is known.
    """
    from scipy import sparse
    from scipy.stats import binom

    accounts = len(field.start) - 1
    each = np.diff(field.start)
    member = sparse.csr_matrix(
        (
            np.ones(sum(map(len, groups)), np.int64),
            np.concatenate(groups),
            np.concatenate(([0], np.cumsum([len(group) for group in groups]))),
        ),
        shape=(len(groups), accounts),
    )
    holds = sparse.csr_matrix(
        (np.ones(len(field.value), np.int64), field.value, field.start), shape=(accounts, len(field.values))
    )
    free = np.asarray(member.sum(axis=0)).ravel() == 0
    others = int((free & (each > 0)).sum())
    if others < MIN_OTHERS:
        return []
    size = np.asarray(member.sum(axis=1)).ravel()
    has = member.multiply(each > 0).tocsr()
    known = np.asarray(has.sum(axis=1)).ravel() - (has @ has.T).toarray()
    enough = known >= np.maximum(MIN_KNOWN, (size - (member @ member.T).toarray()) / 2)
    per_member = (member @ each) / np.maximum(np.asarray(has.sum(axis=1)).ravel(), 1)
    reach = np.maximum(1.0, per_member / max(each[free].sum() / others, 1e-9))
    outside = np.bincount(field.value[np.repeat(free, each)], minlength=len(field.values))
    held = member @ holds
    found = []
    for rare in RARE:
        values = held.multiply(outside <= rare).tocsr()
        values.eliminate_zeros()
        holding = (values @ holds.T).tocsr()
        holding.data[:] = 1
        elsewhere = np.asarray(holding.multiply(free).sum(axis=1)).ravel()
        shared = ((holding - holding.multiply(member)) @ member.T).toarray()
        usual = known * elsewhere[:, None] / others
        chance = np.minimum(FAMILIAR * (elsewhere[:, None] + 1) / (others + 1) * reach, 1.0)
        chance = np.maximum(chance, COARSE.get(name, 0.0))
        found.append((shared, known, usual, np.where(enough, binom.logsf(shared - 1, known, chance), 0.0)))
    return found
