"""What an earlier scan of most of the same texts found, as far as a later one may take it over.

Three things are carried from scan to scan in the work folder, each by the content of the texts: the clusters of every
view, what was said of a cluster's template, and what was measured on candidates that were far from being findings. A
cluster is held to be the same while :data:`ALIKE` of its texts are, a candidate while so many of its accounts and all
of its templates are. Both are compared with what they were when they were last looked at, so that small changes do not
add up unseen. When too many texts have come or gone, all are clustered anew. Only what the last scan left is there: it
holds texts, which are to go when their window has passed.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from harvestdetect.cluster.assign import Assigned
from harvestdetect.cluster.views import Clustered
from harvestdetect.data import NO_TIME, Campaign, Corpus, Template, View
from harvestdetect.errors import CacheError
from harvestdetect.judge.candidates import account_digest
from harvestdetect.judge.measure import Weighed
from harvestdetect.store.digests import DIGEST_BYTES, places
from harvestdetect.store.folder import Notes
from harvestdetect.store.tables import drop_tables, keep_tables, kept_tables
from harvestdetect.template.align import Description
from harvestdetect.template.refine import UNKNOWN, Described, Parted
from harvestdetect.util.arrays import Bools, Digests, Ints, Ints16, Ints32, unique
from harvestdetect.util.disk import SpareFolder

__all__ = ["CLUSTERS", "FAR", "Earlier", "Stood"]


CLUSTERS: Final = "clusters"
"""The folder in the work folder, with one for each view and these two."""
TEMPLATES: Final = "templates"
CANDIDATES: Final = "candidates"
LEAST: Final = 100_000
"""Fewer texts are clustered whole at every scan: that costs little."""
CHANGED: Final = 0.1
"""Share of the texts that may have come or gone since they were last clustered whole."""
ALIKE: Final = 0.8
"""Jaccard index from which the texts of two clusters, or the accounts of two candidates, are held to be the same..."""
HALF: Final = 0.5
"""...or this one of two candidates, where too few accounts for a campaign have come."""
FAR: Final = 10.0
"""A candidate is far from being a finding where so many times the false-discovery rate would not make it one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """The clusters of an earlier scan, of texts that are here."""

    clusters: list[Clustered]
    came: Ints32
    """int32[n]: in which scan each of the texts came, 0 the one that clustered them whole..."""
    scan: int
    """...and the number of this one."""
    whole: int
    """How many texts there were when they were last clustered whole..."""
    changed: int
    """...and how many have come or gone since."""

    @property
    def new(self) -> Bools:
        """bool[n]: texts that were not there."""
        return np.asarray(self.came == self.scan)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    channel: str
    quality: float
    reach: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clusters:
    model: str
    scan: int
    whole: int
    changed: int
    clusters: list[_Cluster]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    description: Description
    template: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """What was said of a cluster when it was last looked at."""

    channel: str
    scan: int
    """When that was."""
    prompts: int
    parts: list[_Part]
    """What it came apart into; it alone where it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """What was measured on a candidate when it was last looked at."""

    signatures: tuple[str, ...]
    prompts: int
    fields: tuple[str, ...]
    """Columns that had values: what was not there was not measured."""
    weighed: Weighed


class Earlier:
    """What is carried in one work folder under one key.

    Args:
        folder: the work folder.
        key: of everything that findings depend on besides the dumps.
        notes: told what is broken or cannot be kept.
        spare: the work folder, which is given up instead when it cannot be written.
    """

    def __init__(self, folder: Path, key: str, *, notes: Notes, spare: SpareFolder | None = None) -> None:
        self._folder = folder
        self._spare = spare
        self._key = key
        self._notes = notes
        self._stood: Stood | None = None
        """Of the wording view, which has all texts; None where they were clustered anew."""
        self._templates: list[tuple[_Template, Digests, Ints16, Bools, Digests]] = []
        """With the texts of the cluster, the part of each, whether it fills that, and the texts that templates show."""
        self._candidates: dict[int, tuple[_Candidate, npt.NDArray[np.uint64]]] = {}
        """Those that may be taken over, by their positions now, with the accounts."""

    # ------------------------------------------------------------ clusters

    def clusters(self, view: View, model: str, digest: Digests) -> Stood | None:
        """The clusters of a view to carry on; None where all must be found anew.

        Args:
            view: they are of.
            model: digest of its model.
            digest: V16[n], ascending, of its texts now.
        """
        if len(digest) < LEAST:
            return None
        found = self._read(view, ("digest", "came", "start", "points"), _Clusters)
        if found is None:
            return None
        arrays, told = found
        if told.model != model:
            return None
        place = places(arrays["digest"], digest)
        here, scan = place >= 0, told.scan + 1
        came = np.full(len(digest), scan, np.int32)
        came[place[here]] = arrays["came"][here]
        # what has come, and what has gone
        changed = told.changed + len(digest) + len(here) - 2 * int(here.sum())
        if changed > CHANGED * told.whole:
            return None
        start, points = arrays["start"], place[arrays["points"]]
        stood = []
        for number, one in enumerate(told.clusters):
            own = points[start[number] : start[number + 1]]
            stood.append(Clustered(channel=one.channel, points=own[own >= 0], quality=one.quality, reach=one.reach))
        carried = Stood(clusters=stood, came=came, scan=scan, whole=told.whole, changed=changed)
        if view == "wording":
            self._stood = carried
        return carried

    def keep_clusters(
        self, view: View, model: str, digest: Digests, found: Sequence[Clustered], stood: Stood | None
    ) -> None:
        """Leaves the clusters of a view for the next scan.

        Args:
            view: they are of.
            model: digest of its model.
            digest: V16[n], ascending, of its texts.
            found: the clusters.
            stood: what they were carried on from; None: they were found anew.
        """
        if len(digest) < LEAST:
            # the wording view has all texts: where it is small nothing is carried on
            self._drop(CLUSTERS if view == "wording" else f"{CLUSTERS}/{view}")
            return
        if stood is None and view == "wording":
            # what was said of other clusters is over; a scan that ends before it says more must leave nothing of it
            for name in (TEMPLATES, CANDIDATES):
                self._drop(f"{CLUSTERS}/{name}")
        told = _Clusters(
            model=model,
            scan=0 if stood is None else stood.scan,
            whole=len(digest) if stood is None else stood.whole,
            changed=0 if stood is None else stood.changed,
            clusters=[_Cluster(channel=one.channel, quality=one.quality, reach=one.reach) for one in found],
        )
        start, points = _packed([one.points for one in found])
        came = np.zeros(len(digest), np.int32) if stood is None else stood.came
        self._write(view, {"digest": digest, "came": came, "start": start, "points": points}, told)

    # ------------------------------------------------------------ templates

    def described(self, assigned: Sequence[Assigned], corpus: Corpus, *, least: int) -> dict[int, Parted]:
        """What an earlier scan said of clusters that are the same, or of the parts that they came apart into, by their
        positions; nothing where all were clustered anew.

        Texts that it shows must still be there, and fewer than ``least`` accounts come back to a cluster with prompts
        that hold texts which came after it was looked at: so many may be a template of their own in it.
        """
        if self._stood is None:
            return {}
        names = ("digest", "start", "points", "part", "fills", "shown_start", "shown")
        found = self._read(TEMPLATES, names, list[_Template])
        if found is None:
            return {}
        arrays, told = found
        digest, place = arrays["digest"], places(arrays["digest"], corpus.digest)
        held, parts, fills = (_unpacked(arrays["start"], arrays[name]) for name in ("points", "part", "fills"))
        shown = _unpacked(arrays["shown_start"], arrays["shown"])
        same = _same(
            [place[own] for own in held],
            [item.cluster.segments for item in assigned],
            count=len(corpus.digest),
        )
        came = _newest(corpus, self._stood.came)
        taken: dict[int, Parted] = {}
        for position, number in same.items():
            one, item = told[number], assigned[position]
            there = place[shown[number]]
            if one.channel != item.cluster.channel or not _close(one.prompts, len(item.prompts)):
                continue
            fresh = corpus.prompts.account[item.prompts[came[item.prompts] > one.scan]]
            back = int((np.unique(fresh, return_counts=True)[1] > 1).sum())
            if (there >= 0).all() and back < least:
                described = [
                    Described(description=part.description, template=part.template, shown=there) for part in one.parts
                ]
                own, part = place[held[number]], parts[number]
                now = np.full(len(item.cluster.segments), UNKNOWN, np.int16)
                sure = np.zeros(len(now), bool)
                at = np.minimum(np.searchsorted(item.cluster.segments, own), len(now) - 1)
                still = item.cluster.segments[at] == own
                now[at[still]], sure[at[still]] = part[still], fills[number][still]
                taken[position] = Parted(described=described, part=now, fills=sure)
                self._templates.append((one, digest[held[number]], part, fills[number], digest[shown[number]]))
        return taken

    def keep_described(self, made: Mapping[int, Parted], assigned: Sequence[Assigned], corpus: Corpus) -> None:
        """Leaves what was said of some clusters, by their positions, and what was taken over."""
        if len(corpus.digest) < LEAST:
            return
        for position, one in made.items():
            item = assigned[position]
            told = _Template(
                channel=item.cluster.channel,
                scan=0 if self._stood is None else self._stood.scan,
                prompts=len(item.prompts),
                parts=[_Part(description=d.description, template=d.template) for d in one.described],
            )
            shown = unique(np.concatenate([np.empty(0, np.int32), *(d.shown for d in one.described)]))
            self._templates.append(
                (told, corpus.digest[item.cluster.segments], one.part, one.fills, corpus.digest[shown])
            )
        digest, (held, seen) = _table(
            [[own for _, own, *_ in self._templates], [own for *_, own in self._templates]], corpus.digest.dtype
        )
        arrays: dict[str, npt.NDArray[Any]] = {"digest": digest, "start": held[0], "points": held[1]}
        arrays["part"] = _packed([part for _, _, part, _, _ in self._templates])[1]
        arrays["fills"] = _packed([fills for _, _, _, fills, _ in self._templates])[1]
        arrays.update(shown_start=seen[0], shown=seen[1])
        self._write(TEMPLATES, arrays, [told for told, *_ in self._templates])

    # ------------------------------------------------------------ candidates

    def weighed(
        self, campaigns: Sequence[Campaign], described: Sequence[Description], corpus: Corpus, *, least: int
    ) -> dict[int, Weighed]:
        """What an earlier scan measured on candidates that are the same and were no findings, by their positions.

        Nothing where all texts were clustered anew. Fewer than ``least`` accounts are no campaign.
        """
        found = None
        if self._stood is not None:
            found = self._read(CANDIDATES, ("account", "start", "points"), list[_Candidate])
        if found is None:
            return {}
        arrays, told = found
        ids = _account_digests(corpus)
        order = np.argsort(ids, kind="stable")
        account = arrays["account"]
        at = np.minimum(np.searchsorted(ids, account, sorter=order), max(len(ids) - 1, 0))
        place = np.where(ids[order[at]] == account, order[at], -1)
        held = _unpacked(arrays["start"], arrays["points"])
        before = [place[own] for own in held]
        same = _same(before, [c.accounts for c in campaigns], count=len(ids), alike=HALF)
        fields = _fields(corpus)
        taken: dict[int, Weighed] = {}
        for position, number in same.items():
            one, campaign = told[number], campaigns[position]
            if one.fields != fields:
                continue
            common = int(np.isin(campaign.accounts, before[number]).sum())
            alike = common / (len(before[number]) + len(campaign.accounts) - common)
            if alike < ALIKE and len(campaign.accounts) - common >= least:
                continue
            templates = _signatures(campaign, described)
            if one.signatures == templates and _close(one.prompts, len(campaign.prompts), min(alike, ALIKE)):
                taken[position] = one.weighed
                self._candidates[position] = one, account[held[number]]
        return taken

    def keep_weighed(
        self,
        weighed: Mapping[int, Weighed],
        campaigns: Sequence[Campaign],
        described: Sequence[Description],
        corpus: Corpus,
        *,
        stands: Collection[int] = (),
    ) -> None:
        """Leaves what was measured on some candidates, by their positions, and what :meth:`weighed` gave that
        ``stands``."""
        if len(corpus.digest) < LEAST:
            return
        ids, fields = _account_digests(corpus), _fields(corpus)
        kept = [one for position, one in self._candidates.items() if position in stands]
        for position, one in weighed.items():
            campaign = campaigns[position]
            told = _Candidate(
                signatures=_signatures(campaign, described), prompts=len(campaign.prompts), fields=fields, weighed=one
            )
            kept.append((told, ids[campaign.accounts]))
        account, ((start, points),) = _table([[own for _, own in kept]], np.dtype(np.uint64))
        arrays = {"account": account, "start": start, "points": points}
        self._write(CANDIDATES, arrays, [told for told, _ in kept])

    # ------------------------------------------------------------ the folder

    def _read(self, name: str, arrays: Sequence[str], kind: Any) -> tuple[dict[str, npt.NDArray[Any]], Any] | None:
        kept = f"{CLUSTERS}/{name}"
        found = kept_tables(self._folder, kept, self._key, arrays, what=f"kept {name}", notes=self._notes)
        if found is None:
            return None
        try:
            return dict(found.arrays), msgspec.msgpack.decode(found.values, type=kind)
        except msgspec.DecodeError as error:
            self._notes(f"the kept {name} of an earlier scan are computed again: {error}")
            return None

    def _drop(self, kind: str) -> None:
        with suppress(CacheError):
            drop_tables(self._folder, kind)

    def _write(self, name: str, arrays: Mapping[str, npt.NDArray[Any]], told: Any) -> None:
        if self._spare is not None and not self._spare.writable:
            return
        try:
            values = msgspec.msgpack.encode(told)
            keep_tables(self._folder, f"{CLUSTERS}/{name}", self._key, arrays, values, alone=True)
        except CacheError as error:
            if self._spare is None:
                self._notes(f"the {name} are not kept: {error}")
            else:
                self._spare.give_up(error)
        except UnicodeEncodeError as error:
            self._notes(f"the {name} are not kept: {error}")


def _close(one: int, other: int, least: float = ALIKE) -> bool:
    return least <= one / max(other, 1) <= 1 / least


def _newest(corpus: Corpus, came: Ints32) -> Ints32:
    """The scan in which the newest text of each prompt came: int32[p]."""
    found = np.zeros(len(corpus.prompts.account), np.int32)
    came = came[corpus.posting_segment]
    later = came > 0
    np.maximum.at(found, corpus.posting_prompt[later], came[later])
    return found


def _signatures(campaign: Campaign, described: Sequence[Description]) -> tuple[str, ...]:
    return tuple(sorted(described[int(c)].signature for c in campaign.clusters))


def _fields(corpus: Corpus) -> tuple[str, ...]:
    """The columns that have values at all."""
    prompts = corpus.prompts
    found = [name for name, column in prompts.fields.items() if (column.code >= 0).any()]
    times = {"time": prompts.time, "created_at": prompts.created_at}
    return tuple(sorted([*found, *(name for name, column in times.items() if (column != NO_TIME).any())]))


def _account_digests(corpus: Corpus) -> npt.NDArray[np.uint64]:
    names = corpus.prompts.accounts.to_pylist()
    return np.fromiter(map(account_digest, names), np.uint64, len(names))


def _packed(sets: Sequence[npt.NDArray[Any]]) -> tuple[Ints, npt.NDArray[Any]]:
    """Where each set begins, int64[s + 1], and all of them in turn."""
    start = np.concatenate(([0], np.cumsum([len(own) for own in sets], dtype=np.int64)))
    return start, np.concatenate(sets) if sets else np.empty(0, np.int32)


def _unpacked(start: Ints, points: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    return [points[a:b] for a, b in itertools.pairwise(start.tolist())]


def _table(
    columns: Sequence[Sequence[npt.NDArray[Any]]], kind: np.dtype[Any]
) -> tuple[npt.NDArray[Any], list[tuple[Ints, Ints32]]]:
    """Sets of keys as sets of positions in one table of all keys, which ascends."""
    packed = [_packed(sets) for sets in columns]
    every = np.concatenate([np.empty(0, kind), *(keys.astype(kind, copy=False) for _, keys in packed if len(keys))])
    # bytes of fixed width have an order, void has none
    plain = every.view(f"S{DIGEST_BYTES}") if kind.kind == "V" else every
    table, back = np.unique(plain, return_inverse=True)
    found: list[tuple[Ints, Ints32]] = []
    done = 0
    for start, keys in packed:
        found.append((start, back[done : done + len(keys)].astype(np.int32)))
        done += len(keys)
    return table.view(kind) if kind.kind == "V" else table, found


def _same(
    old: Sequence[npt.NDArray[Any]], new: Sequence[npt.NDArray[Any]], *, count: int, alike: float = ALIKE
) -> dict[int, int]:
    """For each new set the old one that it is most alike to, where there is one.

    Args:
        old: sets of numbers below ``count``, or -1 for what is gone.
        new: sets of numbers below ``count``.
        count: numbers there are.
        alike: the Jaccard index that it needs.
    """
    from scipy import sparse

    def incidence(sets: Sequence[npt.NDArray[Any]]) -> Any:
        here = [own[own >= 0] for own in sets]
        start, points = _packed(here)
        return sparse.csr_matrix((np.ones(len(points), np.int32), points, start), shape=(len(sets), count))

    if not old or not new:
        return {}
    both = (incidence(new) @ incidence(old).T).tocoo()
    size_new, size_old = np.array([len(own) for own in new]), np.array([len(own) for own in old])
    index = both.data / (size_new[both.row] + size_old[both.col] - both.data)
    chosen = np.flatnonzero(index >= alike)
    # the likest last, of equals the first: it stays
    chosen = chosen[np.lexsort((-both.col[chosen], index[chosen], both.row[chosen]))]
    return dict(zip(both.row[chosen].tolist(), both.col[chosen].tolist(), strict=True))
