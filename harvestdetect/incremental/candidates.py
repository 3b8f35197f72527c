"""Carries the measures of candidates that are far from being findings from scan to scan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harvestdetect.data import NO_TIME, Campaign, Corpus
from harvestdetect.incremental.clusters import CarriedClusters
from harvestdetect.incremental.folder import CANDIDATES, Folder, Stored, is_carried, one_table, unpack
from harvestdetect.incremental.matching import most_alike, similar_size
from harvestdetect.judge.candidate_file import account_digest
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.template.description import Description
from harvestdetect.util.arrays import Words

__all__ = ["CarriedCandidates", "load_candidates", "save_candidates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """The last measures of a candidate, and what identifies it."""

    signatures: tuple[str, ...]
    prompts: int
    fields: tuple[str, ...]
    """Columns of the dump that had values."""
    measured: MeasuredCandidate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One candidate as it is stored."""

    values: _Values
    accounts: Words
    """uint64[a]: digests of its accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedCandidates:
    """Measures of an earlier scan that this scan may reuse, by position of the candidate."""

    entries: Mapping[int, _Entry] = field(default_factory=dict)

    @property
    def known(self) -> dict[int, MeasuredCandidate]:
        """The measures of each."""
        return {position: entry.values.measured for position, entry in self.entries.items()}


def load_candidates(
    folder: Folder,
    campaigns: Sequence[Campaign],
    described: Sequence[Description],
    corpus: Corpus,
    carried: CarriedClusters | None,
) -> CarriedCandidates:
    """Finds candidates that are the same as candidates of the earlier scan which were far from being findings.

    A candidate is the same if the dump has values in the same columns, all its templates are the same, and so are
    nearly all of its accounts (:data:`harvestdetect.util.amounts.NEARLY_ALL`).

    Args:
        folder: of the earlier scan.
        campaigns: the candidates.
        described: description of every cluster.
        corpus: of this scan.
        carried: clusters of the wording view; None if all texts were clustered anew; then nothing is reused.
    """
    stored = None if carried is None else folder.read(CANDIDATES, ("account", "start", "points"), list[_Values])
    if stored is None:
        return CarriedCandidates()
    ids = _account_digests(corpus)
    order = np.argsort(ids, kind="stable")
    account = stored.arrays["account"]
    at = np.minimum(np.searchsorted(ids, account, sorter=order), max(len(ids) - 1, 0))
    place = np.where(ids[order[at]] == account, order[at], -1)
    stored_sets = unpack(stored.arrays["start"], stored.arrays["points"])
    before = [place[own] for own in stored_sets]
    same = most_alike(before, [c.accounts for c in campaigns], count=len(ids))
    fields = _fields(corpus)
    entries: dict[int, _Entry] = {}
    for position, number in same.items():
        values, campaign = stored.values[number], campaigns[position]
        if values.fields != fields:
            continue
        same_templates = values.signatures == _signatures(campaign, described)
        if same_templates and similar_size(values.prompts, len(campaign.prompts)):
            entries[position] = _Entry(values=values, accounts=account[stored_sets[number]])
    return CarriedCandidates(entries=entries)


def save_candidates(
    folder: Folder,
    carried: CarriedCandidates,
    measured: Mapping[int, MeasuredCandidate],
    campaigns: Sequence[Campaign],
    described: Sequence[Description],
    corpus: Corpus,
    *,
    reused: Collection[int] = (),
) -> None:
    """Saves measures for the next scan.

    Many parameters because the values of a candidate lie in several columns of the scan.

    Args:
        folder: for the next scan.
        carried: measures of the earlier scan.
        measured: new measures of candidates far from being findings, by position.
        campaigns: the candidates.
        described: description of every cluster.
        corpus: of this scan.
        reused: positions of the carried candidates whose measures were reused.
    """
    if not is_carried(len(corpus.digest)):
        return
    ids, fields = _account_digests(corpus), _fields(corpus)
    entries = [entry for position, entry in carried.entries.items() if position in reused]
    for position, candidate in measured.items():
        campaign = campaigns[position]
        values = _Values(
            signatures=_signatures(campaign, described),
            prompts=len(campaign.prompts),
            fields=fields,
            measured=candidate,
        )
        entries.append(_Entry(values=values, accounts=ids[campaign.accounts]))
    account, ((start, points),) = one_table([[entry.accounts for entry in entries]], np.dtype(np.uint64))
    arrays = {"account": account, "start": start, "points": points}
    folder.write(CANDIDATES, Stored(arrays=arrays, values=[entry.values for entry in entries]))


def _signatures(campaign: Campaign, described: Sequence[Description]) -> tuple[str, ...]:
    return tuple(sorted(described[int(c)].signature for c in campaign.clusters))


def _fields(corpus: Corpus) -> tuple[str, ...]:
    """The columns that have any values."""
    prompts = corpus.prompts
    found = [name for name, column in prompts.fields.items() if (column.code >= 0).any()]
    times = {"time": prompts.time, "created_at": prompts.created_at}
    return tuple(sorted([*found, *(name for name, column in times.items() if (column != NO_TIME).any())]))


def _account_digests(corpus: Corpus) -> Words:
    names = corpus.prompts.accounts.to_pylist()
    return np.fromiter(map(account_digest, names), np.uint64, len(names))
