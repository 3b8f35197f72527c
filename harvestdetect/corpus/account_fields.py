"""Which accounts have which addresses, networks, clients, keys, cards and e-mail domains.

The accounts of one organisation have an office and a bill in common, so they count once. A missing field is unknown and
never evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect.data import FieldColumn, Prompts
from harvestdetect.util.amounts import FEW
from harvestdetect.util.arrays import Ints, Ints32, pairs, ranges, unique

__all__ = [
    "FIELDS",
    "FIELD_NAMES",
    "RARE",
    "AccountField",
    "AccountFields",
    "account_field",
    "account_values",
    "masked",
    "network_of",
]


FIELDS: Final = ("ip", "network", "asn", "user_agent", "api_key", "payment", "email_domain")
"""Fields that are evidence; ``network`` is the /24 or /48 of ``ip``."""
FIELD_NAMES: Final[Mapping[str, str]] = {
    "ip": "address",
    "network": "network",
    "asn": "network operator",
    "user_agent": "client",
    "api_key": "API key",
    "payment": "means of payment",
    "email_domain": "e-mail domain",
}
"""The fields in words, for sentences and tables."""
RARE: Final = (3, 10, 100)
"""Numbers of accounts up to which a value is rare. Pairs of members that share a rare value are counted for each number
in turn. Chosen."""
SHOWN: Final = 40
"""Characters of a value that a report shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountField:
    """Which accounts have which values of one field."""

    start: Ints
    """int64[a + 1]: where the values of each account begin in ``value``."""
    value: Ints32
    """int32[k]: distinct per account, ascending."""
    holders: Ints
    """int64[v]: number of accounts that have each value."""
    known: int
    """Number of accounts that have any."""
    values: pa.Array
    """The v values, sorted; attacker-written."""
    twice: int
    """Number of values that two accounts or more have."""
    rare_pairs: tuple[float, ...]
    """For each bound of :data:`RARE`: the pairs of accounts that share a value of at most as many accounts."""

    def of(self, accounts: npt.NDArray[np.integer]) -> tuple[Ints, Ints32]:
        """The values that some accounts have: the position of the account, ascending, and the value."""
        count = self.start[accounts + 1] - self.start[accounts]
        return np.repeat(np.arange(len(accounts)), count), self.value[ranges(self.start[accounts], count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFields:
    """All fields that a dump has."""

    accounts: int
    fields: Mapping[str, AccountField]
    """By name: those of :data:`FIELDS` and ``org`` that any prompt has. In all but ``org`` the first account of an
    organisation has the values of all its accounts."""
    first: Ints32 | None = None
    """int32[a]: the first account of each account's organisation, or the account itself where it has none. None where
    no account has one."""

    def counted(self, accounts: Ints32) -> Ints32:
        """The accounts that count, one of each organisation, ascending."""
        return accounts if self.first is None else unique(self.first[accounts])


def account_values(prompts: Prompts) -> AccountFields:
    """Which accounts have which values, once for all candidates.

    Args:
        prompts: with their optional fields. An e-mail domain is compared in small letters, without a leading ``@``; an
            address that cannot be read has no network. An organisation that is the only one of the dump says nothing
            and is left out.
    """
    columns: dict[str, FieldColumn] = dict(prompts.fields)
    if "org" in columns and len(unique(columns["org"].code[columns["org"].code >= 0])) == 1:
        del columns["org"]
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
            found[name] = _account_field(account, columns[name], count)
    return AccountFields(accounts=count, fields=found, first=first)


def _first_of_organisation(account: Ints32, org: FieldColumn, accounts: int) -> Ints32:
    """See :attr:`AccountFields.first`; an account of several organisations has none."""
    who, value = pairs(account[org.code >= 0], org.code[org.code >= 0])
    single = np.bincount(who, minlength=accounts)[who] == 1
    who, value = who[single], value[single]
    size = np.bincount(value, minlength=len(org.values))
    # a value that more accounts have is taken for a placeholder such as "none"
    small = size[value] <= max(FEW * accounts, 1)
    who, value = who[small], value[small]
    lead = np.full(len(org.values), accounts, np.int32)
    np.minimum.at(lead, value, who.astype(np.int32))
    first = np.arange(accounts, dtype=np.int32)
    first[who] = lead[value]
    return first


def _account_field(account: Ints32, column: FieldColumn, accounts: int) -> AccountField:
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


def account_field(values: Sequence[str | None]) -> AccountField:
    """A field of which each account has one value or none.

    Args:
        values: of every account.
    """
    distinct = sorted({value for value in values if value is not None})
    place: dict[str | None, int] = {value: number for number, value in enumerate(distinct)}
    code = np.array([place.get(value, -1) for value in values], np.int32)
    column = FieldColumn(code=code, values=pa.array(distinct, pa.string()))
    return _account_field(np.arange(len(code), dtype=np.int32), column, len(code))


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
