"""Reading a corpus from the side of its prompts: which parts a prompt has, its text, its vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import Corpus

__all__ = ["Parts", "cluster_texts", "parts_of", "prompt_vectors"]

Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
Floats32 = npt.NDArray[np.float32]

WHOLE_KINDS: Final = 2
"""Kinds below it are whole parts: a part, a system prompt; the others are pieces of parts."""
SYSTEM: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The whole parts of every prompt in compressed form."""

    start: Ints
    """int64[p + 1]."""
    segment: Ints32


def parts_of(corpus: Corpus) -> Parts:
    """Turns the postings round, pieces of parts left out."""
    whole = corpus.kind[corpus.posting_segment] < WHOLE_KINDS
    prompt, segment = corpus.posting_prompt[whole], corpus.posting_segment[whole]
    order = np.argsort(prompt, kind="stable")
    start = np.searchsorted(prompt[order], np.arange(len(corpus.prompts.account) + 1))
    return Parts(start=start, segment=segment[order])


def prompt_vectors(corpus: Corpus, parts: Parts, vectors: Floats32, *, dimensions: int, seed: int) -> Floats32:
    """A short vector per prompt: the sum of its parts' vectors, projected at random.

    Args:
        vectors: float32[n, d], of the segments.
        dimensions: of the result; inner products keep to about 1 / sqrt(dimensions).
        seed: of the projection.

    Returns:
        float32[p, dimensions].
    """
    from scipy import sparse

    rng = np.random.default_rng(seed)
    projection = rng.standard_normal((vectors.shape[1], dimensions), dtype=np.float32) / np.float32(np.sqrt(dimensions))
    held = sparse.csr_matrix(
        (np.ones(len(parts.segment), np.float32), parts.segment, parts.start),
        shape=(len(parts.start) - 1, len(vectors)),
    )
    return np.asarray(held @ (vectors @ projection), dtype=np.float32)


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
    pieces = [corpus.text[s].as_py() for s in segments[:200] if corpus.kind[s] >= WHOLE_KINDS]
    _, first = np.unique(corpus.prompts.content[prompts], return_index=True)
    chosen = prompts[np.sort(first)]
    if len(chosen) > at_most:
        chosen = chosen[np.linspace(0, len(chosen) - 1, at_most).astype(np.int64)]
    texts, stands = [], []
    for prompt in chosen:
        of_prompt = parts.segment[parts.start[prompt] : parts.start[prompt + 1]].tolist()
        if not of_prompt:
            continue
        shown = [s for s in of_prompt if s in own]
        if not shown and len(of_prompt) > 1:
            shown = [s for s in of_prompt if any(p in corpus.text[s].as_py() for p in pieces)]
        longest = max(
            (s for s in of_prompt if corpus.kind[s] != SYSTEM), key=lambda s: _length(corpus, s), default=None
        )
        if longest is not None and all(corpus.kind[s] == SYSTEM for s in shown):
            shown = [*shown, longest]
        shown = shown or of_prompt[:1]
        texts.append("\n\n".join(corpus.display[s].as_py() for s in shown))
        stands.append(shown[-1])
    return texts, np.array(stands, np.int32)


def _length(corpus: Corpus, segment: int) -> int:
    return len(corpus.text[segment].as_py())
