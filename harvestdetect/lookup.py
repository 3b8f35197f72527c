"""Reading a corpus from the side of its prompts: which parts a prompt has, its text, its vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import spread, unit
from harvestdetect.data import NO_TIME, SYSTEM, WHOLE_KINDS, Corpus, Prompts

__all__ = [
    "Parts",
    "cluster_texts",
    "first_rows",
    "parts_of",
    "prompt_vectors",
    "requests",
    "segment_starts",
    "texts_of",
    "words_of",
]

Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
Floats32 = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float16]

BLOCK: Final = 1 << 16
"""Vectors projected at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The whole parts of every prompt in compressed form."""

    start: Ints
    """int64[p + 1]."""
    segment: Ints32


def segment_starts(corpus: Corpus) -> Ints:
    """Where the postings of each segment begin: int64[n + 1]."""
    return np.searchsorted(corpus.posting_segment, np.arange(len(corpus.senders) + 1))


def first_rows(prompts: Prompts) -> npt.NDArray[np.bool_]:
    """Which rows are requests: bool[p], false for a row that repeats account, time and content of an earlier one.

    Dumps that overlap hold the same request twice; that makes nobody busier.
    """
    first = np.ones(len(prompts.account), bool)
    first[1:] = (prompts.time[1:] == NO_TIME) | (prompts.time[1:] != prompts.time[:-1])
    first[1:] |= (prompts.account[1:] != prompts.account[:-1]) | (prompts.content[1:] != prompts.content[:-1])
    return first


def requests(prompts: Prompts) -> Ints32:
    """The number of every row's request: int32[p], ascending; see :func:`first_rows`."""
    return (np.cumsum(first_rows(prompts)) - 1).astype(np.int32)


def parts_of(corpus: Corpus) -> Parts:
    """Turns the postings round, pieces of parts left out."""
    whole = corpus.kind[corpus.posting_segment] < WHOLE_KINDS
    prompt, segment = corpus.posting_prompt[whole], corpus.posting_segment[whole]
    order = np.argsort(prompt, kind="stable")
    start = np.searchsorted(prompt[order], np.arange(len(corpus.prompts.account) + 1))
    return Parts(start=start, segment=segment[order])


def prompt_vectors(corpus: Corpus, parts: Parts, vectors: Vectors, *, dimensions: int, seed: int) -> Floats32:
    """A short vector per prompt: the sum of its parts' vectors, projected at random.

    Args:
        vectors: float16[n, d], unit rows but for rounding, of the segments.
        dimensions: of the result; inner products keep to about 1 / sqrt(dimensions).
        seed: of the projection.

    Returns:
        float32[p, dimensions].
    """
    from scipy import sparse

    rng = np.random.default_rng(seed)
    projection = rng.standard_normal((vectors.shape[1], dimensions), dtype=np.float32) / np.float32(np.sqrt(dimensions))
    projected = np.empty((len(vectors), dimensions), np.float32)
    for start in range(0, len(vectors), BLOCK):
        projected[start : start + BLOCK] = unit(vectors[start : start + BLOCK]) @ projection
    held = sparse.csr_matrix(
        (np.ones(len(parts.segment), np.float32), parts.segment, parts.start),
        shape=(len(parts.start) - 1, len(vectors)),
    )
    return np.asarray(held @ projected, dtype=np.float32)


def cluster_texts(
    corpus: Corpus, parts: Parts, prompts: Ints32, segments: Ints32, *, at_most: int
) -> tuple[list[str], Ints32]:
    """Texts that show what a cluster is: of each prompt the parts that put it there.

    A prompt whose system part is what the cluster shares is shown with its longest other part, so that what varies
    is seen too.

    Args:
        prompts: int32[q], of the cluster.
        segments: int32[s], of the cluster; whole parts or pieces of them.
        at_most: prompts looked at, evenly chosen, one per distinct content.

    Returns:
        the texts, and for each the segment whose vector stands for it.
    """
    own = set(segments.tolist())
    pieces = [corpus.text[s] for s in segments[:200] if corpus.kind[s] >= WHOLE_KINDS]
    _, first = np.unique(corpus.prompts.content[prompts], return_index=True)
    chosen = prompts[np.sort(first)][spread(len(first), at_most)]
    texts, stands = [], []
    for prompt in chosen:
        of_prompt = parts.segment[parts.start[prompt] : parts.start[prompt + 1]].tolist()
        if not of_prompt:
            continue
        shown = [s for s in of_prompt if s in own]
        if not shown and len(of_prompt) > 1:
            shown = [s for s in of_prompt if any(p in corpus.text[s] for p in pieces)]
        longest = max(
            (s for s in of_prompt if corpus.kind[s] != SYSTEM), key=lambda s: _length(corpus, s), default=None
        )
        if longest is not None and all(corpus.kind[s] == SYSTEM for s in shown):
            shown = [*shown, longest]
        shown = shown or of_prompt[:1]
        texts.append("\n\n".join(corpus.display[s] for s in shown))
        stands.append(shown[-1])
    return texts, np.array(stands, np.int32)


def texts_of(corpus: Corpus, parts: Parts, prompts: Ints32, segments: Ints32) -> list[str]:
    """The text of each prompt as :func:`cluster_texts` shows it; empty where the prompt has no part.

    Args:
        prompts: int32[q], of a cluster.
        segments: int32[s], of the cluster.
    """
    shown = np.flatnonzero(parts.start[prompts + 1] > parts.start[prompts])
    _, first, back = np.unique(corpus.prompts.content[prompts[shown]], return_index=True, return_inverse=True)
    texts, _ = cluster_texts(corpus, parts, prompts[shown], segments, at_most=len(first))
    found = [""] * len(prompts)
    for place, i in zip(shown.tolist(), np.argsort(np.argsort(first))[back].tolist(), strict=True):
        found[place] = texts[i]
    return found


def words_of(corpus: Corpus, parts: Parts, prompts: Ints32) -> Ints:
    """Words of the longest part of each prompt: int64[len(prompts)], 0 where it has none."""
    words = []
    for prompt in prompts:
        of_prompt = parts.segment[parts.start[prompt] : parts.start[prompt + 1]]
        words.append(max((corpus.text[s].count(" ") + 1 for s in of_prompt.tolist()), default=0))
    return np.array(words, np.int64)


def _length(corpus: Corpus, segment: int) -> int:
    return len(corpus.text[segment])
