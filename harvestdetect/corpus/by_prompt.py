"""The corpus by prompt: the segments of each prompt, its text and its vector."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.data import NO_TIME, SYSTEM, WHOLE_KINDS, Corpus, Prompts
from harvestdetect.util.arrays import AnyInts, Bools, Floats16, Ints, Ints32, Words, ranges, spread, unique, unit
from harvestdetect.util.vectors import Rows
from harvestdetect.util.words import count_words

__all__ = [
    "PromptSegments",
    "RepresentativeTexts",
    "cluster_texts",
    "first_rows",
    "in_sorted",
    "longest_part_words",
    "measured",
    "parts_by_prompt",
    "prompt_texts",
    "prompt_vectors",
    "read_representatives",
    "representative_texts",
    "request_numbers",
    "segment_starts",
    "segments_by_prompt",
    "some_by_prompt",
]


PROMPTS_PER_PRODUCT: Final = 1 << 15
"""Number of prompts whose vectors are projected at a time."""
TEXTS_PER_READ: Final = 1 << 12
"""Number of texts in memory at a time."""
PIECES: Final = 200
"""Most pieces of a cluster that are looked for in the parts of its prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSegments:
    """The segments of p prompts in compressed form: whole parts only, or all segments."""

    start: Ints
    """int64[p + 1]: prompt i has the segments from ``start[i]`` to before ``start[i + 1]``."""
    segment: Ints32
    """int32[start[-1]], ascending within a prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentativeTexts:
    """The t representative texts of q prompts of a cluster, unread. Prompts of equal content share one."""

    back: Ints
    """int64[q]: the text of each prompt, -1 if the prompt has no part."""
    start: Ints
    """int64[t + 1]: where each text begins in ``segment``."""
    segment: Ints32
    """int32[start[-1]]: the segments whose originals form a text. The vector of the last one represents the text."""


def segment_starts(corpus: Corpus) -> Ints:
    """Where the postings of each of n segments begin: int64[n + 1]."""
    start = np.zeros(len(corpus.senders) + 1, np.int64)
    np.cumsum(np.bincount(corpus.posting_segment, minlength=len(corpus.senders)), out=start[1:])
    return start


def in_sorted(values: AnyInts | Words, ascending: AnyInts | Words) -> Bools:
    """Which values are in an ascending array, by binary search: bool, in the shape of ``values``."""
    if not len(ascending):
        return np.zeros(values.shape, bool)
    place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[place] == values)


def first_rows(prompts: Prompts) -> Bools:
    """Which rows count as requests: bool[p], false for a row that repeats an earlier one.

    Retries, and dumps that overlap, contain the same request several times, and it must not count several times; see
    :mod:`harvestdetect.corpus.repeats`. A row without a time and a request id is a repetition only if it is a copy
    (:mod:`harvestdetect.corpus.copies`).
    """
    first = np.ones(len(prompts.account), bool)
    first[1:] = (prompts.time[1:] == NO_TIME) | (prompts.time[1:] != prompts.time[:-1])
    first[1:] |= (prompts.account[1:] != prompts.account[:-1]) | (prompts.content[1:] != prompts.content[:-1])
    if prompts.first is not None:
        first &= prompts.first == np.arange(len(first))
    if prompts.copied is not None:
        first &= ~prompts.copied
    return first


def request_numbers(prompts: Prompts) -> Ints32:
    """The number of the request of every row: int32[p]; see :func:`first_rows`."""
    number = (np.cumsum(first_rows(prompts)) - 1).astype(np.int32)
    return number if prompts.first is None else number[prompts.first]


def parts_by_prompt(corpus: Corpus) -> PromptSegments:
    """The whole parts of every prompt."""
    return some_by_prompt(corpus, corpus.kind < WHOLE_KINDS)


def segments_by_prompt(corpus: Corpus) -> PromptSegments:
    """All segments of every prompt, including pieces of parts."""
    return some_by_prompt(corpus, np.ones(len(corpus.kind), bool))


def some_by_prompt(corpus: Corpus, chosen: Bools) -> PromptSegments:
    """Some segments of every prompt.

    Args:
        corpus: of n segments.
        chosen: bool[n], which of them.
    """
    from scipy import sparse

    mine = chosen[corpus.posting_segment]
    prompt = corpus.posting_prompt if mine.all() else corpus.posting_prompt[mine]
    start = np.zeros(len(chosen) + 1, np.int64)
    np.cumsum(np.where(chosen, np.diff(segment_starts(corpus)), 0), out=start[1:])
    by_prompt = sparse.csr_matrix(
        (np.ones(len(prompt), np.int8), prompt, start), shape=(len(chosen), len(corpus.prompts.account)), copy=False
    ).tocsc()  # in time linear in the postings
    return PromptSegments(
        start=by_prompt.indptr.astype(np.int64), segment=by_prompt.indices.astype(np.int32, copy=False)
    )


def prompt_vectors(corpus: Corpus, parts: PromptSegments, vectors: Rows, *, dimensions: int, seed: int) -> Floats16:
    """A short vector of each prompt: the sum of the vectors of its parts, projected at random.

    Args:
        corpus: the corpus.
        parts: the parts of every prompt.
        vectors: float16[n, d], vectors of the segments, of length 1 up to rounding.
        dimensions: of the result. Inner products are accurate to about 1 / sqrt(dimensions).
        seed: of the projection.

    Returns:
        float16[p, dimensions].
    """
    from scipy import sparse

    rng = np.random.default_rng(seed)
    projection = rng.standard_normal((vectors.shape[1], dimensions), dtype=np.float32) / np.float32(np.sqrt(dimensions))
    count = len(parts.start) - 1
    found = np.empty((count, dimensions), np.float16)
    for first in range(0, count, PROMPTS_PER_PRODUCT):
        start = parts.start[first : first + PROMPTS_PER_PRODUCT + 1]
        segments, place = np.unique(parts.segment[start[0] : start[-1]], return_inverse=True)
        by_prompt = sparse.csr_matrix(
            (np.ones(len(place), np.float32), place, start - start[0]), shape=(len(start) - 1, len(segments))
        )
        found[first : first + PROMPTS_PER_PRODUCT] = by_prompt @ (unit(vectors[segments]) @ projection)
    return found


def cluster_texts(
    corpus: Corpus, parts: PromptSegments, prompts: Ints32, segments: Ints32, *, at_most: int
) -> tuple[list[str], Ints32]:
    """Texts that show what a cluster is: for each prompt, the parts that belong to the cluster.

    If the cluster shares the system prompt of a prompt, its longest other part is shown too, so that a reader sees what
    varies.

    Args:
        corpus: the corpus.
        parts: the parts of every prompt.
        prompts: int32[q], of the cluster.
        segments: int32[s], of the cluster; whole parts or pieces of them.
        at_most: most prompts that are read, evenly chosen, one for each distinct content.

    Returns:
        The texts, and for each the segment whose vector represents it.
    """
    _, first = np.unique(corpus.prompts.content[prompts], return_index=True)
    chosen = prompts[np.sort(first)[spread(len(first), at_most)]]
    shown = representative_texts(corpus, parts, chosen, segments)
    return read_representatives(corpus, shown, 0, len(shown.start) - 1), shown.segment[shown.start[1:] - 1]


def prompt_texts(corpus: Corpus, parts: PromptSegments, prompts: Ints32, segments: Ints32) -> list[str]:
    """The text of each prompt as :func:`cluster_texts` shows it; empty if the prompt has no part.

    Args:
        corpus: the corpus.
        parts: the parts of every prompt.
        prompts: int32[q], of a cluster.
        segments: int32[s], of the cluster.
    """
    shown = representative_texts(corpus, parts, prompts, segments)
    texts = read_representatives(corpus, shown, 0, len(shown.start) - 1)
    return [texts[i] if i >= 0 else "" for i in shown.back.tolist()]


def representative_texts(
    corpus: Corpus, parts: PromptSegments, prompts: Ints32, segments: Ints32
) -> RepresentativeTexts:
    """The texts that :func:`cluster_texts` shows, unread, in the order of the prompts.

    :func:`read_representatives` reads them.

    Args:
        corpus: the corpus.
        parts: the parts of every prompt.
        prompts: int32[q], of a cluster.
        segments: int32[s], of the cluster.
    """
    size = parts.start[prompts + 1] - parts.start[prompts]
    has = np.flatnonzero(size)
    _, first, content = np.unique(corpus.prompts.content[prompts[has]], return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    back = np.full(len(prompts), -1, np.int64)
    back[has] = rank[content]
    one = has[first[order]]
    start, segment = _shown(corpus, _of_prompts(parts, prompts[one]), size[one], segments)
    return RepresentativeTexts(back=back, start=start, segment=segment)


def read_representatives(corpus: Corpus, shown: RepresentativeTexts, first: int, last: int) -> list[str]:
    """Reads the texts from the first to before the last."""
    start = (shown.start[first : last + 1] - shown.start[first]).tolist()
    parts = corpus.display.take(shown.segment[shown.start[first] : shown.start[last]])
    if len(parts) == last - first:
        return parts
    return ["\n\n".join(parts[a:b]) for a, b in itertools.pairwise(start)]


def _of_prompts(parts: PromptSegments, prompts: Ints32) -> Ints32:
    """The segments of some prompts, one prompt after the other."""
    start = parts.start[prompts]
    return parts.segment[ranges(start, parts.start[prompts + 1] - start)]


def _shown(corpus: Corpus, segment: Ints32, size: Ints, segments: Ints32) -> tuple[Ints, Ints32]:
    """Chooses the parts that are shown.

    Args:
        corpus: the corpus.
        segment: the parts of some prompts, one prompt after the other.
        size: int64[q], number of parts of each prompt.
        segments: int32[s], of the cluster.

    Returns:
        ``start`` and ``segment``, see :class:`RepresentativeTexts`.
    """
    count = len(size)
    if len(segment) == count:  # prompts of one part each, which is shown whatever it is
        return np.arange(count + 1), segment
    row = np.repeat(np.arange(count), size)
    shown = in_sorted(segment, segments if (segments[1:] > segments[:-1]).all() else unique(segments))
    system = corpus.kind[segment] == SYSTEM
    # A prompt with several parts, none of which is a segment of the cluster: parts that contain such a piece.
    none = np.bincount(row[shown], minlength=count) == 0
    sought = np.flatnonzero((none & (size > 1))[row])
    pieces = segments[:PIECES][corpus.kind[segments[:PIECES]] >= WHOLE_KINDS]
    if len(sought) and len(pieces):
        shown[sought] = _contains(corpus, segment[sought], corpus.text.take(pieces))
    # A prompt of which only system prompts or nothing would be shown: its longest other part is shown too.
    bare = np.bincount(row[shown & ~system], minlength=count) == 0
    other = np.flatnonzero(bare[row] & ~system)
    longest = _longest(corpus, segment[other], row[other], other)
    none = np.bincount(row[shown], minlength=count) == 0
    none[row[longest]] = False
    begin = np.cumsum(size) - size
    shown[begin[none]] = True
    # The longest other part goes last, even if system prompts follow it in the prompt.
    place = np.concatenate((np.flatnonzero(shown), longest))
    last = np.repeat((0, 1), (len(place) - len(longest), len(longest)))
    place = place[np.lexsort((place, last, row[place]))]
    start = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(row[place], minlength=count), out=start[1:])
    return start, segment[place]


def _contains(corpus: Corpus, segment: Ints32, pieces: list[str]) -> Bools:
    """Which segments contain one of some pieces."""
    distinct, back = np.unique(segment, return_inverse=True)
    found = np.zeros(len(distinct), bool)
    for first in range(0, len(distinct), TEXTS_PER_READ):
        texts = corpus.text.take(distinct[first : first + TEXTS_PER_READ])
        found[first : first + TEXTS_PER_READ] = [any(piece in text for piece in pieces) for text in texts]
    return found[back]


def _longest(corpus: Corpus, segment: Ints32, row: Ints, place: Ints) -> Ints:
    """For each row of an ascending ``row``, the place of its longest segment; the first if several are equal."""
    several = np.flatnonzero(np.bincount(row)[row] > 1) if len(row) else row
    length = np.zeros(len(segment), np.int64)
    length[several] = measured(corpus, segment[several], len)
    order = np.lexsort((place, -length, row))
    first = np.ones(len(order), bool)
    first[1:] = row[order[1:]] != row[order[:-1]]
    return place[order[first]]


def measured(corpus: Corpus, segment: Ints32, measure: Callable[[str], int]) -> Ints:
    """A number for each segment that is computed from its text. Each text is read once."""
    distinct, back = np.unique(segment, return_inverse=True)
    found = np.zeros(len(distinct), np.int64)
    for first in range(0, len(distinct), TEXTS_PER_READ):
        texts = corpus.text.take(distinct[first : first + TEXTS_PER_READ])
        found[first : first + TEXTS_PER_READ] = [measure(text) for text in texts]
    return found[back]


def longest_part_words(corpus: Corpus, parts: PromptSegments, prompts: Ints32) -> Ints:
    """Number of words of the longest part of each prompt: int64[len(prompts)], 0 if it has no part."""
    size = parts.start[prompts + 1] - parts.start[prompts]
    has = size > 0
    found = np.zeros(len(prompts), np.int64)
    if has.any():
        words = measured(corpus, _of_prompts(parts, prompts), count_words)
        found[has] = np.maximum.reduceat(words, (np.cumsum(size) - size)[has])
    return found
