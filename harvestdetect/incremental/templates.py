"""Carries the templates of clusters from scan to scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harvestdetect.cluster.assign import Assigned
from harvestdetect.data import Corpus, Template
from harvestdetect.incremental.clusters import CarriedClusters
from harvestdetect.incremental.folder import TEMPLATES, Folder, Stored, is_carried, one_table, pack, unpack
from harvestdetect.incremental.matching import most_alike, similar_size
from harvestdetect.store.digests import places
from harvestdetect.template.clusters import Described
from harvestdetect.template.description import Description
from harvestdetect.template.splitting import UNKNOWN_SUBCLUSTER, Split
from harvestdetect.util.arrays import AnyArray, Bools, Digests, Ints16, Ints32, unique

__all__ = ["CarriedTemplates", "load_templates", "save_templates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    description: Description
    template: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """The templates of a cluster from the last alignment of its texts."""

    channel: str
    scan: int
    """Number of that scan."""
    prompts: int
    parts: list[_Part]
    """The templates that it was split into; one if it was not split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One cluster as it is stored."""

    values: _Values
    texts: Digests
    """V16[s], of the cluster's segments."""
    part: Ints16
    """int16[s]: the part of each."""
    fills: Bools
    """bool[s]: whether each fills the template of its part."""
    shown: Digests
    """V16[.], of the segments whose texts the templates show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedTemplates:
    """Results of splitting clusters that an earlier scan had already split."""

    known: Mapping[int, Split] = field(default_factory=dict)
    """By position of the cluster in this scan."""
    entries: Sequence[_Entry] = ()
    """The stored entries of these clusters, for the next scan."""


def load_templates(
    folder: Folder, assigned: Sequence[Assigned], corpus: Corpus, carried: CarriedClusters | None, *, min_accounts: int
) -> CarriedTemplates:
    """Loads the templates of clusters that are the same as in the earlier scan.

    All texts that a template shows must still be there. Fewer than ``min_accounts`` accounts may return to the cluster
    with texts that are newer than the template, because that many accounts could have another template inside it.

    Args:
        folder: of the earlier scan.
        assigned: the clusters of this scan.
        corpus: of this scan.
        carried: clusters of the wording view; None if all texts were clustered anew; then nothing is reused.
        min_accounts: accounts that a campaign needs.
    """
    names = ("digest", "start", "points", "part", "fills", "shown_start", "shown")
    stored = None if carried is None else folder.read(TEMPLATES, names, list[_Values])
    if carried is None or stored is None:
        return CarriedTemplates()
    entries = _entries(stored)
    position = _Positions(places(stored.arrays["digest"], corpus.digest), stored)
    same = most_alike(
        position.texts,
        [item.cluster.segments for item in assigned],
        count=len(corpus.digest),
    )
    newest = _newest(corpus, carried.first_scan)
    known: dict[int, Split] = {}
    taken = []
    for place, number in same.items():
        entry, item, shown = entries[number], assigned[place], position.shown[number]
        if entry.values.channel != item.cluster.channel:
            continue
        if not similar_size(entry.values.prompts, len(item.prompts)) or (shown < 0).any():
            continue
        later = corpus.prompts.account[item.prompts[newest[item.prompts] > entry.values.scan]]
        if int((np.unique(later, return_counts=True)[1] > 1).sum()) < min_accounts:
            known[place] = _split(entry, item, texts=position.texts[number], shown=shown)
            taken.append(entry)
    return CarriedTemplates(known=known, entries=taken)


class _Positions:
    """Positions in this corpus of the texts of stored clusters, -1 for those that are gone."""

    def __init__(self, place: Ints32, stored: Stored) -> None:
        arrays = stored.arrays
        self.texts: list[AnyArray] = [place[own] for own in unpack(arrays["start"], arrays["points"])]
        self.shown: list[AnyArray] = [place[own] for own in unpack(arrays["shown_start"], arrays["shown"])]


def _entries(stored: Stored) -> list[_Entry]:
    arrays = stored.arrays
    digest = arrays["digest"]
    columns = (unpack(arrays["start"], arrays[name]) for name in ("points", "part", "fills"))
    shown = unpack(arrays["shown_start"], arrays["shown"])
    return [
        _Entry(values=values, texts=digest[own], part=part, fills=fills, shown=digest[seen])
        for values, own, part, fills, seen in zip(stored.values, *columns, shown, strict=True)
    ]


def _split(entry: _Entry, item: Assigned, *, texts: Ints32, shown: Ints32) -> Split:
    """The stored result of splitting a cluster, for the segments that the cluster has now."""
    segments = item.cluster.segments
    part = np.full(len(segments), UNKNOWN_SUBCLUSTER, np.int16)
    fills = np.zeros(len(segments), bool)
    at = np.minimum(np.searchsorted(segments, texts), len(segments) - 1)
    still = segments[at] == texts
    part[at[still]], fills[at[still]] = entry.part[still], entry.fills[still]
    described = [
        Described(description=one.description, template=one.template, shown=shown) for one in entry.values.parts
    ]
    return Split(described=described, subcluster=part, fills=fills)


def save_templates(
    folder: Folder,
    carried: CarriedTemplates,
    made: Mapping[int, Split],
    assigned: Sequence[Assigned],
    corpus: Corpus,
    *,
    scan: int,
) -> None:
    """Saves templates for the next scan: the reused ones, and those made in this scan.

    Args:
        folder: for the next scan.
        carried: the reused templates.
        made: results of splitting the other clusters, by position.
        assigned: the clusters of this scan.
        corpus: of this scan.
        scan: number of this scan.
    """
    if not is_carried(len(corpus.digest)):
        return
    entries = [*carried.entries]
    for position, result in made.items():
        item = assigned[position]
        values = _Values(
            channel=item.cluster.channel,
            scan=scan,
            prompts=len(item.prompts),
            parts=[_Part(description=d.description, template=d.template) for d in result.described],
        )
        shown = unique(np.concatenate([np.empty(0, np.int32), *(d.shown for d in result.described)]))
        entries.append(
            _Entry(
                values=values,
                texts=corpus.digest[item.cluster.segments],
                part=result.subcluster,
                fills=result.fills,
                shown=corpus.digest[shown],
            )
        )
    columns = [[entry.texts for entry in entries], [entry.shown for entry in entries]]
    digest, (texts, shown_texts) = one_table(columns, corpus.digest.dtype)
    arrays: dict[str, AnyArray] = {"digest": digest, "start": texts[0], "points": texts[1]}
    arrays["part"] = pack([entry.part for entry in entries])[1]
    arrays["fills"] = pack([entry.fills for entry in entries])[1]
    arrays.update(shown_start=shown_texts[0], shown=shown_texts[1])
    folder.write(TEMPLATES, Stored(arrays=arrays, values=[entry.values for entry in entries]))


def _newest(corpus: Corpus, first_scan: Ints32) -> Ints32:
    """The scan in which the newest text of each prompt was first seen: int32[p]."""
    found = np.zeros(len(corpus.prompts.account), np.int32)
    scan = first_scan[corpus.posting_segment]
    later = scan > 0
    np.maximum.at(found, corpus.posting_prompt[later], scan[later])
    return found
