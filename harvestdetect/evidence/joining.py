"""Finds groups of accounts with the same rare values, which may be parts of one campaign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.corpus import account_fields
from harvestdetect.corpus.account_fields import FIELD_NAMES, AccountField, AccountFields
from harvestdetect.data import Evidence
from harvestdetect.evidence import shared_values
from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.measures import COMMON_INFRASTRUCTURE, evidence_of
from harvestdetect.evidence.nulls import P_FLOOR
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Floats, Ints, Ints32
from harvestdetect.util.tails import binomial_log_tail

__all__ = ["JOINING", "MIN_COMMON", "Common", "common_infrastructure", "joining_evidence"]


MIN_COMMON: Final = 0.4
"""Least share of either group that must have a value of the other. With less, most of the whole would have nothing in
common. Chosen."""
JOINING: Final = ("ip", "network", "api_key", "payment", "email_domain")
"""Fields by which groups may have infrastructure in common: those of the measures of infrastructure that decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Two groups of accounts with the same rare values."""

    first: int
    second: int
    field: str
    """The field with the least likely overlap."""
    shared: int
    """Members of one group, outside the other, that have a value which the other group has too. It is the group with
    the smaller share of such members."""
    known: int
    """Members of that group, outside the other, with the field known."""
    expected: float
    """The number like ``shared`` among ``known`` random accounts outside every group."""
    log_p: float
    """Natural log of the larger of the two tails, with a Bonferroni correction over pairs, fields and bounds."""


def common_infrastructure(fields: AccountFields, groups: Sequence[Ints32], *, log_p: float) -> list[Common]:
    """Pairs of groups that have the same rare values beyond chance.

    Groups formed by what their accounts wrote may be parts of one campaign, each with a share of its addresses, keys
    and cards. Take all values of group A that at most t accounts outside every group have. Any of them counts, because
    a card of five accounts says little by itself. Then take the members of B that are not in A.

    The null takes these members for random accounts of a community. There it is
    :data:`~harvestdetect.evidence.shared_values.FAMILIAR` times as common to have one of the values as among the
    accounts outside every group, times how many more values each member has, and at least as common as
    :data:`~harvestdetect.evidence.shared_values.COARSE` says. The values were taken without regard to B, so the number
    of its members that have one is binomial. The same is asked of A by the values of B, and the larger of the two tails
    counts. A Bonferroni correction covers the bounds t, the fields of :data:`JOINING` and the pairs. At least
    :data:`MIN_COMMON` of either group, of those with the field known, must have one.

    The null uses the accounts outside *every* group, not those outside the two: in a third part the same values are as
    common as in these.

    Args:
        fields: of the dump, see :func:`~harvestdetect.corpus.account_fields.account_values`.
        groups: int32[a] each, ascending, distinct; they may overlap.
        log_p: a pair is returned where the natural log of its corrected p-value is below this.

    Returns:
        by pair, ascending; ``first < second``.
    """
    count = len(groups)
    if count < 2:
        return []
    groups = [fields.counted(group) for group in groups]
    tests = count * (count - 1) // 2 * len(account_fields.RARE) * sum(name in fields.fields for name in JOINING)
    found: dict[tuple[int, int], Common] = {}
    for name in JOINING:
        if name not in fields.fields:
            continue
        for overlap in _overlaps(name, fields.fields[name], groups):
            known = overlap.known
            share = overlap.shared / np.maximum(known, 1)
            corrected = np.minimum(np.maximum(overlap.tail, overlap.tail.T) + np.log(tests), 0.0)
            both = (corrected < log_p) & (np.minimum(share, share.T) >= MIN_COMMON)
            for i, j in np.argwhere(np.triu(both, 1)).tolist():
                before = found.get((i, j))
                if before is None or corrected[i, j] < before.log_p:
                    of = min((i, j), (j, i), key=lambda pair: (float(share[pair]), int(known[pair])))
                    found[i, j] = Common(
                        first=i, second=j, field=name, shared=int(overlap.shared[of]), known=int(known[of]),
                        expected=float(overlap.usual[of]), log_p=float(corrected[i, j]),
                    )  # fmt: skip
    return [found[pair] for pair in sorted(found)]


def joining_evidence(groups: Sequence[Ints32], links: Sequence[Common]) -> Evidence:
    """Why groups were taken for parts of one campaign: the least sure of the pairs that are linked.

    It is shown and not judged: the measures of infrastructure, taken of the whole, see the same values.

    Args:
        groups: int32[a] each: the accounts of each part.
        links: between them, at least one; see :func:`common_infrastructure`.
    """
    members, parts = np.unique(np.concatenate(groups), return_counts=True)
    several = int((parts > 1).sum())
    least = max(links, key=lambda link: link.log_p)
    coarse = shared_values.COARSE
    label = FIELD_NAMES[least.field]
    by = ", ".join(FIELD_NAMES[name] for name in JOINING if any(link.field == name for link in links))
    share = f"{several} of {len(members)} accounts" if several else "no account"
    where = f"in the least sure of {len(links)} linked pairs " if len(links) > 1 else ""
    found = Observation(
        value=float(least.shared),
        null="as many accounts at random from outside all findings, each value "
        f"{shared_values.FAMILIAR:.0f} times as common among them"
        + (f" and up to {coarse[least.field]:.0%} with one value" if least.field in coarse else ""),
        expected=least.expected,
        p_value=float(np.exp(np.clip(least.log_p, np.log(P_FLOOR), 0.0))),
        sentence=(
            f"Its {len(groups)} parts, which share {share}, have the same rare values ({by}); {where}{least.shared} of "
            f"{least.known} accounts of one part share one ({label}) with the other part, where {least.expected:.2g} "
            "of as many other accounts would."
        ),
    )
    return evidence_of(COMMON_INFRASTRUCTURE, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Overlap:
    """Of one field and one bound: what members of group [., j], outside group [i, .], have of the rare values of i."""

    shared: Ints
    """int64[g, g]: number of members that have one."""
    known: Ints
    """int64[g, g]: members with the field known."""
    usual: Floats
    """float64[g, g]: the number that have one among as many accounts outside every group."""
    tail: Floats
    """float64[g, g]: natural log of the binomial tail; 0 where too little is known."""


def _overlaps(name: str, field: AccountField, groups: Sequence[Ints32]) -> list[_Overlap]:
    """The overlaps of all pairs of groups, for each bound of :data:`~harvestdetect.corpus.account_fields.RARE`."""
    from scipy import sparse

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
    if others < MIN_COMPARED:
        return []
    size = np.asarray(member.sum(axis=1)).ravel()
    has = member.multiply(each > 0).tocsr()
    known = np.asarray(has.sum(axis=1)).ravel() - (has @ has.T).toarray()
    enough = known >= np.maximum(MIN_SAMPLE, (size - (member @ member.T).toarray()) / 2)
    per_member = (member @ each) / np.maximum(np.asarray(has.sum(axis=1)).ravel(), 1)
    reach = np.maximum(1.0, per_member / max(each[free].sum() / others, 1e-9))
    outside = np.bincount(field.value[np.repeat(free, each)], minlength=len(field.values))
    group_holds = member @ holds
    found = []
    for rare in account_fields.RARE:
        values = group_holds.multiply(outside <= rare).tocsr()
        values.eliminate_zeros()
        holding = (values @ holds.T).tocsr()
        holding.data[:] = 1
        elsewhere = np.asarray(holding.multiply(free).sum(axis=1)).ravel()
        shared = ((holding - holding.multiply(member)) @ member.T).toarray()
        usual = known * elsewhere[:, None] / others
        chance = np.minimum(shared_values.FAMILIAR * (elsewhere[:, None] + 1) / (others + 1) * reach, 1.0)
        chance = np.maximum(chance, shared_values.COARSE.get(name, 0.0))
        tail = np.where(enough, binomial_log_tail(shared, known, chance), 0.0)
        found.append(_Overlap(shared=shared, known=known, usual=usual, tail=tail))
    return found
