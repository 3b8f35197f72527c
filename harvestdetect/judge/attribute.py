"""Attributes accounts to known campaigns by their templates, even if they are too few for a finding."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.corpus.by_prompt import first_rows, segment_starts
from harvestdetect.data import NO_TIME, Attributed, Corpus
from harvestdetect.evidence.intent import Encode
from harvestdetect.neighbors.search import nearest_to
from harvestdetect.template.alignment import kept_shares
from harvestdetect.template.description import RIGID_WORDS, SHARED_WORDS
from harvestdetect.template.tokens import MAX_TOKENS, spans, token_texts
from harvestdetect.util.amounts import EXCEPTIONAL, SEVERAL
from harvestdetect.util.arrays import AnyInts, ranges, unique, unit
from harvestdetect.util.vectors import Rows

__all__ = ["Signature", "attribute"]

NEAREST: Final = 16_384
"""Number of texts, nearest to the fixed words of a signature, that are compared with it. It bounds time."""
_BLOCK: Final = 65_536
"""Texts per block whose vectors are searched. It bounds memory and changes no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A template by which a campaign is recognised."""

    campaign: str
    words: tuple[str | None, ...]
    """Runs of fixed words; None marks a slot."""


def attribute(
    signatures: Sequence[Signature], corpus: Corpus, vectors: Rows, encode: Encode, *, since: int | None = None
) -> tuple[Attributed, ...]:
    """The accounts that filled a template of a known campaign.

    An account needs :data:`~harvestdetect.util.amounts.SEVERAL` prompts, or one if the template is rigid.

    Args:
        signatures: those with fewer fixed words than :data:`~harvestdetect.template.description.SHARED_WORDS` are
            skipped, because people write so few in the same order by chance.
        corpus: to search.
        since: use only prompts from this time on (Unix seconds), and prompts without a time; None uses all.
        vectors: float16[n, d], unit rows but for rounding, of its segments in the wording view.
        encode: of the wording view.

    Returns:
        one for each campaign and account, sorted by both.
    """
    kept = [tuple(itertools.chain.from_iterable(token_texts(run) for run in s.words if run)) for s in signatures]
    long = [sum(token[0].isalnum() for token in words) for words in kept]
    used = [i for i, count in enumerate(long) if count >= SHARED_WORDS]
    if not used or not len(corpus.text):
        return ()
    queries = unit(np.asarray(encode([" ".join(run for run in signatures[i].words if run) for i in used]), np.float32))
    once, starts, time = first_rows(corpus.prompts), segment_starts(corpus), corpus.prompts.time
    if since is not None:
        once &= (time >= since) | (time == NO_TIME)
    counted = np.zeros(len(corpus.text), bool)
    counted[corpus.posting_segment[once[corpus.posting_prompt]]] = True
    rows = np.flatnonzero(counted)
    near = _nearest(queries, vectors, rows)
    read = unique(np.concatenate(near))
    texts = [_readable(text) for text in corpus.display.take(read)]
    account = corpus.prompts.account
    found: dict[str, list[AnyInts]] = {}
    for i, close in zip(used, near, strict=True):
        share = kept_shares([kept[i]], [texts[j] for j in np.searchsorted(read, close).tolist()])[0]
        hits = close[share >= 1 - EXCEPTIONAL]
        size = starts[hits + 1] - starts[hits]
        prompts = unique(corpus.posting_prompt[ranges(starts[hits], size)])
        prompts = prompts[once[prompts]]
        count = np.bincount(account[prompts], minlength=len(corpus.prompts.accounts))
        enough = count >= (1 if long[i] >= RIGID_WORDS else SEVERAL)
        found.setdefault(signatures[i].campaign, []).append(prompts[enough[account[prompts]]])
    return tuple(one for campaign in sorted(found) for one in _by_account(campaign, found[campaign], corpus))


def _by_account(campaign: str, parts: Sequence[AnyInts], corpus: Corpus) -> Iterator[Attributed]:
    """One attribution for each account, from the prompts of one campaign."""
    prompts = unique(np.concatenate(parts))
    account = corpus.prompts.account[prompts]
    edge = np.append(np.flatnonzero(np.diff(account, prepend=-1)), len(prompts))
    for start, stop in itertools.pairwise(edge.tolist()):
        when = corpus.prompts.time[prompts[start:stop]]
        when = when[when != NO_TIME]
        yield Attributed(
            campaign_id=campaign,
            account=corpus.prompts.accounts[int(account[start])].as_py(),
            prompts=stop - start,
            first_seen=int(when.min()) if len(when) else None,
            last_seen=int(when.max()) if len(when) else None,
        )


def _readable(text: str) -> str:
    """The text, without its last token if the text is too long to be read whole, because that token may be cut."""
    if len(text) < MAX_TOKENS:
        return text
    places = spans(text, MAX_TOKENS)
    return text if len(places) < MAX_TOKENS else text[: places[-1][0]]


def _nearest(
    queries: npt.NDArray[np.float32], vectors: Rows, rows: npt.NDArray[np.int64]
) -> list[npt.NDArray[np.int64]]:
    """For each query, the :data:`NEAREST` rows that are nearest to it, ascending."""
    index, distance = [np.empty((len(queries), 0), np.int64)], [np.empty((len(queries), 0), np.float32)]
    for start in range(0, len(rows), _BLOCK):
        some = rows[start : start + _BLOCK]
        found = nearest_to(queries, unit(vectors[some]), k=min(NEAREST, len(some)))
        index.append(some[found.index])
        distance.append(found.distance)
    ids, order = np.concatenate(index, axis=1), np.argsort(np.concatenate(distance, axis=1), axis=1, kind="stable")
    return [np.sort(row[first[:NEAREST]]) for row, first in zip(ids, order, strict=True)]
