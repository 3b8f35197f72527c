"""Finds the values that a user names, by themselves or by their tags."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

import pyarrow as pa

from harvestdetect.corpus.account_fields import masked, network_of
from harvestdetect.errors import InputError
from harvestdetect.evidence.shared_values import TAG_BYTES, TAGGED, tag_key
from harvestdetect.evidence.shared_values import tag_of as report_tag
from harvestdetect.search.index import Column, Index
from harvestdetect.search.tags import WORDS, digits_of, is_tag, matching
from harvestdetect.search.values import Value

__all__ = ["matching_values", "shown_value", "tag_of"]

_REPORT_TAG: Final = re.compile(rf"#[0-9a-f]{{{2 * TAG_BYTES}}}\Z")
"""The end of a tag as the report has it."""
_BITS: Final = {IPv4Network: 24, IPv6Network: 48}
"""Bits of a network whose members are counted, by the version of the address."""


def matching_values(index: Index, given: str) -> list[tuple[str, int]]:
    """The fields and positions of the values that a text names; none if there is no such value.

    Args:
        index: of the window.
        given: a value as it is in the dump, a network such as ``203.0.113.*`` or ``203.0.113.0/24``, or the tag of a
            value, from a search or from the report of the scan.

    Raises:
        InputError: several values have the tag, or the network is of another size than those that are counted.
    """
    tag = is_tag(given)
    if tag is not None and tag[0] in index.fields:
        name, digits = tag
        found = matching(index.fields[name].tag, digits)
        if len(found) > 1:
            known = [tag_of(name, index.fields[name], int(one)) for one in found[:3]]
            more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
            raise InputError(f"{len(found):,} values have the tag {given.strip()}: {', '.join(known)}{more}; give one")
        if len(found):
            return [(name, int(found[0]))]
    if in_report := _by_report_tag(index, given):
        return in_report
    places = ((name, column.values.place(given)) for name, column in index.fields.items())
    found_values = [(name, place) for name, place in places if place is not None]
    return found_values or _by_notation(index, given)


def _by_notation(index: Index, given: str) -> list[tuple[str, int]]:
    """The network that a text names in CIDR notation, as exports write it."""
    if "/" not in given:
        return []
    try:
        network = ip_network(given[:64].strip(), strict=False)
    except ValueError:
        return []
    if network.prefixlen != _BITS[type(network)]:
        raise InputError(
            "only networks of IPv4 with /24 and of IPv6 with /48 can be searched for, got one with "
            f"/{network.prefixlen}; give one such as 203.0.113.0/24"
        )
    name = network_of(str(network.network_address))
    place = index.fields["network"].values.place(name) if name is not None and "network" in index.fields else None
    return [] if place is None else [("network", place)]


def _by_report_tag(index: Index, given: str) -> list[tuple[str, int]]:
    """The values with a tag as the report of the scan has it, such as ``#a3f19c``. Its key is made of all values."""
    match = _REPORT_TAG.search(given.strip())
    found: list[tuple[str, int]] = []
    if match is None:
        return found
    for name in TAGGED:
        if name in index.fields:
            values = list(index.fields[name].values)
            key = tag_key(pa.array(values, pa.string()))
            found += [(name, i) for i, value in enumerate(values) if report_tag(name, value, key) == match[0]]
    return found


def tag_of(name: str, column: Column, position: int) -> str:
    """The tag of a value."""
    return f"{WORDS[name]}#{digits_of(column.tag, position)}"


def shown_value(name: str, column: Column, position: int, *, accounts: int, prompts: int) -> Value:
    """A value with its tag, masked."""
    return Value(
        field=name, tag=tag_of(name, column, position), shown=masked(name, column.values[position]), accounts=accounts,
        prompts=prompts,
    )  # fmt: skip
