"""The templates of clusters: of a mixed cluster each, of several clusters with the same one just one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.cluster.assign import Assigned
from harvestdetect.corpus.by_prompt import (
    TEXTS_PER_READ,
    PromptSegments,
    cluster_texts,
    read_representatives,
    representative_texts,
    segments_by_prompt,
)
from harvestdetect.data import Corpus, Template
from harvestdetect.template.align import (
    Description,
    describe,
    has_words,
    is_rigid,
    is_template,
    kept_shares,
    same_templates,
    templates_within,
    word_vectors,
)
from harvestdetect.util.arrays import AnyInts, Bools, Ints, Ints16, Ints32, pairs, ranges, unique, unit
from harvestdetect.util.process_pool import ProcessPool
from harvestdetect.util.redact import redact
from harvestdetect.util.vectors import Rows

__all__ = ["UNKNOWN", "Described", "Parted", "describe_clusters", "template_of"]


TEXTS_PER_CLUSTER: Final = 48
MIXED_WORDS: Final = 4.0
"""Words that the texts of a cluster share from which it is looked at whether they are of several templates..."""
MIXED_TEXTS: Final = 96
"""...by so many of them."""
LONGER: Final = 1.5
"""Templates in a cluster that share a clause only have so many times its fixed words, at least..."""
ROOM: Final = 0.6
"""...and the clause is no greater part of the texts..."""
STAYS: Final = 0.9
"""...and so many of the accounts that come back keep to one of them."""
FILLS: Final = 0.5
"""Share of a template's fixed words that a text must keep to be a filling."""
NONE: Final = -1
"""Of no part of a cluster."""
UNKNOWN: Final = -2
"""Of several parts, or not there when the cluster came apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is said of a cluster."""

    description: Description
    template: Template
    shown: Ints32
    """int32[.]: segments of which the template shows the texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """What is said of the parts that a cluster came apart into; of it alone where it did not."""

    described: Sequence[Described]
    part: Ints16
    """int16[s]: the part of the prompts of each of its segments, :data:`NONE` or :data:`UNKNOWN`."""
    fills: Bools
    """bool[s]: whether the prompts of each are known to fill the template of their part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What clusters are of."""

    corpus: Corpus
    parts: PromptSegments
    vectors: Rows
    least: int
    """Accounts that a part of a mixed cluster needs."""
    elsewhere: ProcessPool

    def texts(self, item: Assigned, at_most: int) -> tuple[list[str], Ints32]:
        """See :func:`harvestdetect.corpus.by_prompt.cluster_texts`."""
        return cluster_texts(self.corpus, self.parts, item.prompts, item.cluster.segments, at_most=at_most)

    def accounts(self, prompts: Ints32) -> AnyInts:
        return self.corpus.prompts.account[prompts]


def describe_clusters(
    assigned: Sequence[Assigned],
    corpus: Corpus,
    parts: PromptSegments,
    vectors: Rows,
    *,
    least: int,
    known: Mapping[int, Parted] | None = None,
    made_anew: dict[int, Parted] | None = None,
    elsewhere: ProcessPool | None = None,
) -> tuple[list[Assigned], list[Description], dict[int, Template]]:
    """Template and description of every cluster; mixed ones come apart, those of the same template are made one.

    Args:
        assigned: all clusters.
        corpus: that they are of.
        parts: of its prompts.
        vectors: float16[n, d], unit rows but for rounding, of all segments in the wording view.
        least: accounts that a part of a mixed cluster needs.
        known: what is said of some of the clusters, by their positions: it stands, and they come apart as they did.
        made_anew: takes what is said of each of the others.
        elsewhere: where texts are taken apart; None: here.

    Returns:
        the clusters, each with the prompts that fill its template; a description of each; and the templates by their
        position in the list.
    """
    held: list[Assigned] = []
    made: list[Described] = []
    origin: list[Parted | None] = []
    of = _Source(
        corpus=corpus, parts=parts, vectors=vectors, least=least, elsewhere=elsewhere or ProcessPool()
    )  # fmt: skip
    # only what is taken over or left for a later scan asks which prompt holds what
    segments = segments_by_prompt(corpus) if known or made_anew is not None else None

    def said(position: int) -> list[tuple[Assigned, Described]]:
        if known and position in known:
            assert segments is not None
            return _dealt(assigned[position], known[position], of, segments)
        return _anew(assigned[position], of)

    for position, found in enumerate(of.elsewhere.over(said, range(len(assigned)))):
        own = known.get(position) if known else None
        if own is None and made_anew is not None:
            assert segments is not None
            item = assigned[position]
            own = made_anew[position] = Parted(
                described=[one for _, one in found],
                part=_part_of(item, [part for part, _ in found], segments),
                fills=np.zeros(len(item.cluster.segments), bool),
            )
        held.extend(part for part, _ in found)
        made.extend(one for _, one in found)
        origin.extend([own] * len(found))
    stays = [
        not item.cluster.channel.endswith("/leaf") or is_template(one.description)
        for item, one in zip(held, made, strict=True)
    ]
    held, made = list(itertools.compress(held, stays)), list(itertools.compress(made, stays))
    origin = list(itertools.compress(origin, stays))

    def whole(group: list[int]) -> tuple[Assigned, Described, Parted | None, Bools | None]:
        item = held[group[0]]
        if len(group) > 1:
            item = Assigned(
                cluster=replace(
                    item.cluster, segments=unique(np.concatenate([held[i].cluster.segments for i in group]))
                ),
                prompts=np.sort(np.concatenate([held[i].prompts for i in group])),
            )
        one = _template(item, of) if len(group) > 1 else made[group[0]]
        own = origin[group[0]] if len(group) == 1 else None
        item, fills = _filled(item, one.description, of, known=own, segments=segments)
        return item, one, own, fills

    ended = list(of.elsewhere.over(whole, same_templates([one.description for one in made])))
    for _, _, own, fills in ended:  # parts of one cluster learn together, or it would matter which comes first
        if own is not None and fills is not None:
            own.fills[...] |= fills
    return (
        [item for item, *_ in ended],
        [one.description for _, one, *_ in ended],
        {number: _counted(one.template, item, corpus) for number, (item, one, *_) in enumerate(ended)},
    )


def _anew(item: Assigned, of: _Source) -> list[tuple[Assigned, Described]]:
    """The templates of a cluster: one, or several where it comes apart."""
    whole = _template(item, of)
    inside = _unmixed(item, whole.description, of)
    found: list[tuple[Assigned, Described]] = []
    for part in inside or [item]:
        one = _template(part, of) if inside else whole
        apart = _apart(part, one.description, of)
        found += [(own, _template(own, of)) for own in apart] or [(part, one)]
    return found


def _unmixed(item: Assigned, description: Description, of: _Source) -> list[Assigned]:
    """The templates that lie in one cluster side by side, each with the prompts that fill it, and what is left.

    Nothing where it has no such template. Only what enough accounts sent is a part: a template of fewer is somebody's
    own.
    """
    if is_rigid(description) or description.shared < MIXED_WORDS:
        return []
    texts, stands = of.texts(item, MIXED_TEXTS)
    inside = of.elsewhere.call(templates_within, texts, unit(of.vectors[stands]))
    return _parts(_filling(inside, item, of), item, of) if inside else []


def _part_of(item: Assigned, parts: Sequence[Assigned], segments: PromptSegments) -> Ints16:
    """See :attr:`Parted.part`."""
    if len(parts) == 1 and parts[0] is item:
        return np.zeros(len(item.cluster.segments), np.int16)
    label = np.full(len(item.prompts), NONE, np.int16)
    for number, part in enumerate(parts):
        label[np.searchsorted(item.prompts, part.prompts)] = number
    segment, prompt = _held(item, segments)
    return _agreed(label[prompt], segment, len(item.cluster.segments))


def _held(item: Assigned, segments: PromptSegments) -> tuple[Ints, Ints]:
    """Which of a cluster's segments are in which of its prompts: positions in both, row by row."""
    start = segments.start[item.prompts]
    size = segments.start[item.prompts + 1] - start
    segment = segments.segment[ranges(start, size)]
    own = item.cluster.segments
    place = np.minimum(np.searchsorted(own, segment), len(own) - 1)
    inside = own[place] == segment
    return place[inside], np.repeat(np.arange(len(size)), size)[inside]


def _agreed(label: Ints16, of: Ints, count: int) -> Ints16:
    """The label that all of each of so many have, :data:`UNKNOWN` where they differ or there is none.

    Args:
        label: int16[r], those that are :data:`UNKNOWN` not counted.
        of: int[r], what each is of.
        count: of these.
    """
    told = label != UNKNOWN
    low, high = np.full(count, np.iinfo(np.int16).max, np.int16), np.full(count, UNKNOWN, np.int16)
    np.minimum.at(low, of[told], label[told])
    np.maximum.at(high, of[told], label[told])
    return np.where(low == high, low, UNKNOWN).astype(np.int16)


def _dealt(item: Assigned, known: Parted, of: _Source, segments: PromptSegments) -> list[tuple[Assigned, Described]]:
    """The parts of a cluster that came apart before, each with the prompts that it had, and new ones that fill it.

    It came apart, too, where one part is left and the others had too few accounts.

    A new prompt goes to the template that it fills best, or to the part without one, where there is such a part.
    """
    if len(known.described) == 1 and not (known.part == NONE).any():
        return [(item, known.described[0])]
    segment, prompt = _held(item, segments)
    best = _agreed(known.part[segment], prompt, len(item.prompts))
    new = best == UNKNOWN
    if new.any():
        filled = [i for i, one in enumerate(known.described) if has_words(one.description)]
        others = [i for i in range(len(known.described)) if i not in filled]
        places = np.array([*filled, *(others[:1] or [NONE])], np.int16)
        templates = [known.described[i].description for i in filled]
        best[new] = places[_filling(templates, replace(item, prompts=item.prompts[new]), of)]
    found = []
    for number, one in enumerate(known.described):
        prompts = item.prompts[best == number]
        if len(unique(of.accounts(prompts))) >= of.least:
            found.append((replace(item, prompts=prompts), one))
    return found


def _apart(item: Assigned, description: Description, of: _Source) -> list[Assigned]:
    """The templates of a cluster that have no more than a clause in common, where each has accounts of its own.

    Nothing where it has no such templates, or where accounts fill several of them.
    """
    account = of.accounts(item.prompts)
    if not has_words(description) or description.rigidity > ROOM or len(_back(account)) < of.least:
        return []
    texts, _ = of.texts(item, MIXED_TEXTS)
    inside = of.elsewhere.call(_within_by_words, texts, LONGER * description.fixed)
    if len(inside) < 2:
        return []
    best = _filling(inside, item, of)
    fills = best < len(inside)
    back = _back(account[fills])
    several = _back(pairs(account[fills], best[fills])[0])  # who fills more than one
    if len(back) < of.least or len(back) - len(several) < STAYS * len(back):
        return []
    return _parts(best, item, of)


def _within_by_words(texts: Sequence[str], words: float) -> list[Description]:
    return templates_within(texts, word_vectors(texts), words=words)


def _back(account: AnyInts) -> AnyInts:
    """The accounts that are there more than once."""
    found, count = np.unique(account, return_counts=True)
    return found[count > 1]


def _filling(templates: Sequence[Description], item: Assigned, of: _Source) -> Ints:
    """Which of some templates each prompt of a cluster fills best; their number where it fills none."""
    if not templates:
        return np.zeros(len(item.prompts), np.int64)
    share, _ = _shares([one.kept for one in templates], item, of)
    return np.where(share.max(axis=0) >= FILLS, share.argmax(axis=0), len(templates))


def _parts(best: Ints, item: Assigned, of: _Source) -> list[Assigned]:
    """A cluster for each number among its prompts that enough accounts sent."""
    parts = [item.prompts[best == number] for number in unique(best)]
    return [replace(item, prompts=prompts) for prompts in parts if len(unique(of.accounts(prompts))) >= of.least]


def _filled(
    item: Assigned,
    description: Description,
    of: _Source,
    *,
    known: Parted | None = None,
    segments: PromptSegments | None = None,
) -> tuple[Assigned, Bools | None]:
    """A cluster less the prompts that do not fill its template: a few others always lie as near.

    ``known`` says which are known to; ``segments`` are those of every prompt. Given beside the cluster: for each of its
    segments, as :attr:`Parted.fills`, whether its prompts were found to; None where none was asked.
    """
    if not has_words(description):
        return item, None
    learned = None
    fills = np.zeros(len(item.prompts), bool)
    if known is not None and segments is not None:
        segment, prompt = _held(item, segments)
        fills = _all(known.fills[segment], prompt, len(fills))
    asked = item.prompts[~fills]
    if len(asked):
        # as the template was made
        share, told = _shares([description.kept], replace(item, prompts=asked), of, redacted=True)
        # of a prompt without a part nothing can be said
        fills[~fills] = (share[0] >= FILLS) | ~told
        if known is not None and segments is not None:
            learned = _all(fills[prompt], segment, len(known.fills))
    return item if fills.all() else replace(item, prompts=item.prompts[fills]), learned


def _all(values: Bools, of: Ints, count: int) -> Bools:
    """Whether all values of each of so many are true, and there are some: bool[count]."""
    there = np.bincount(of, minlength=count)
    return np.asarray((there > 0) & (np.bincount(of, values, minlength=count) == there))


def _shares(
    templates: Sequence[Sequence[str]], item: Assigned, of: _Source, *, redacted: bool = False
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Which part of the fixed words of some templates each prompt of a cluster keeps; each of its texts is read once.

    Args:
        templates: fixed tokens of each.
        item: the cluster.
        of: what it is of.
        redacted: whether the texts are redacted first.

    Returns:
        float64[len(templates), q], 0 where a prompt has no part; and bool[q], where it has one.
    """
    shown = representative_texts(of.corpus, of.parts, item.prompts, item.cluster.segments)
    count = len(shown.start) - 1
    share = np.zeros((len(templates), count + 1))
    for first in range(0, count, TEXTS_PER_READ):
        last = min(first + TEXTS_PER_READ, count)
        texts = read_representatives(of.corpus, shown, first, last)
        share[:, first:last] = of.elsewhere.call(_kept_shares, templates, texts, redacted=redacted)
    return share[:, shown.back], shown.back >= 0


def _kept_shares(
    templates: Sequence[Sequence[str]], texts: Sequence[str], *, redacted: bool
) -> npt.NDArray[np.float64]:
    return kept_shares(templates, [redact(text) for text in texts] if redacted else texts)


def _template(item: Assigned, of: _Source) -> Described:
    texts, stands = of.texts(item, TEXTS_PER_CLUSTER)
    description, template = of.elsewhere.call(
        template_of,
        texts,
        unit(of.vectors[stands]),
        channel=item.cluster.channel,
        segments=len(unique(of.corpus.prompts.content[item.prompts])),
        prompts=len(item.prompts),
        accounts=len(unique(of.accounts(item.prompts))),
    )
    shown = [description.medoid, *description.exemplars, description.least_similar]
    return Described(description=description, template=template, shown=unique(stands[shown]))


def _counted(template: Template, item: Assigned, corpus: Corpus) -> Template:
    """The template with the counts of its cluster as it stands."""
    return replace(
        template,
        segments=len(unique(corpus.prompts.content[item.prompts])),
        prompts=len(item.prompts),
        accounts=len(unique(corpus.prompts.account[item.prompts])),
    )


def template_of(
    texts: Sequence[str],
    vectors: npt.NDArray[np.float32],
    *,
    channel: str,
    segments: int,
    prompts: int,
    accounts: int,
) -> tuple[Description, Template]:
    """The template of one cluster, made of redacted texts only.

    Args:
        texts: originals that show what the cluster is, at least one.
        vectors: float32[len(texts), d], unit rows.
        channel: that found the cluster.
        segments: distinct texts of the cluster.
        prompts: of the cluster.
        accounts: of the cluster.
    """
    shown = [redact(text) for text in texts]
    description = describe(shown, vectors)
    return description, Template(
        template_id=f"t-{description.signature[:10]}",
        channel=channel,
        words=description.words,
        slots=description.slots,
        medoid=shown[description.medoid],
        exemplars=tuple(shown[i] for i in description.exemplars),
        least_similar=shown[description.least_similar],
        signature=description.signature,
        segments=segments,
        prompts=prompts,
        accounts=accounts,
    )
