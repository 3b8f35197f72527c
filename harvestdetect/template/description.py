"""The template of a cluster: fixed words with slots between them.

Each text is aligned with the medoid of the cluster (:mod:`harvestdetect.template.alignment`). A token of the medoid
that most texts keep is fixed, and what lies between fixed tokens is a slot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.template.alignment import (
    MIN_LONG_LETTERS,
    Alignment,
    align_masks,
    kept_backwards,
    long_words_kept,
    masks_of,
    times_kept,
)
from harvestdetect.template.tokens import spans, token_texts
from harvestdetect.util.amounts import NEARLY_ALL
from harvestdetect.util.arrays import Bools, Floats32, Ints, run_starts, spread
from harvestdetect.util.words import joined, letters

__all__ = [
    "SAMPLE",
    "SHARED_WORDS",
    "TEMPLATE_WORDS",
    "Description",
    "TokenKinds",
    "describe",
    "enough_to_describe",
    "fixed_runs",
    "has_words",
    "is_rigid",
    "is_template",
    "kinds_of",
    "medoid_first",
    "needed_to_be_fixed",
]


SAMPLE: Final = 24
"""Texts of a cluster that are aligned with its medoid. Chosen, for speed."""

TEMPLATE_WORDS: Final = 5
"""Fixed words from which a cluster is a template. Labels at the beginnings of lines count twice, for their colons, so
three of them make a form, and so a template. Chosen."""

RIGID_WORDS: Final = 12
"""Fixed words from which nobody fills a template by chance. Chosen."""

LABEL_WORDS: Final = 3
"""Most words of a label: it says what a label is, not how many make a template. Chosen."""

COLONS: Final = (":", "\uff1a")
"""Marks that end a label; the second one is that of Chinese and Japanese."""

SHARED_WORDS: Final = 8
"""Words in one order that texts do not have in common by chance: longer words that a text keeps of the medoid, on
average, from which a cluster may be a reworded template, and fixed words from which two templates may be the same.
Chosen."""

IN_ORDER: Final = 2.0
"""Least ratio of the words that are kept in order to those kept by a text that is read backwards: any two long texts on
one subject have words in common. Chosen; two texts on one subject keep about 1.3 times as many, fillings of a reworded
template about 4 times."""

SLOT_FILLED: Final = 0.2
"""A gap between fixed words is shown as a slot if more than this share of the texts have words in it. Findings depend
on the fixed words alone. Chosen."""

SLOT_CHARACTERS: Final = 8
"""A gap is also a slot if some text has more than this many letters in it, blanks and marks counted. Chosen."""
"""A gap is also shown as a slot if some text has more than this many characters in it. Chosen."""

SLOT_EXAMPLES: Final = 6
"""Examples of values that are kept for each slot."""

EXEMPLARS: Final = 3
"""Texts shown besides the medoid, the ones nearest to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The template of one cluster. Texts are given by their positions in the list that was described."""

    words: tuple[str | None, ...]
    """Runs of fixed words as the medoid writes them; None for a slot."""
    slots: tuple[tuple[str, ...], ...]
    """Examples of the values of each slot."""
    medoid: int
    exemplars: tuple[int, ...]
    least_similar: int
    signature: str
    """Digest of the fixed tokens."""
    kept: tuple[str, ...]
    """The fixed tokens in order, in lower case."""
    fixed: int
    """The number of fixed words."""
    labels: int
    """The number of fixed labels at the beginnings of lines."""
    shared: float
    """Mean number of words of four letters or more that a text keeps of the medoid, in order."""
    backwards: float
    """The same with the text read backwards: what a common vocabulary gives without a common order."""
    rigidity: float
    """Fixed tokens over the tokens of a text of median length, 0 to 1."""


def has_words(description: Description) -> bool:
    """Whether the texts have enough fixed words for a template, whatever else they have in common."""
    return description.fixed >= TEMPLATE_WORDS


def is_template(description: Description) -> bool:
    """Whether the texts have a template in common, rather than only a subject."""
    reworded = description.shared >= SHARED_WORDS and description.shared >= IN_ORDER * description.backwards
    is_form = 2 * description.labels >= TEMPLATE_WORDS  # a label is a word and a colon
    return has_words(description) or is_form or reworded


def is_rigid(description: Description) -> bool:
    """Whether the template has so many fixed words that nobody fills it by chance."""
    return description.fixed >= RIGID_WORDS


def describe(
    texts: Sequence[str], vectors: Floats32, *, read: Sequence[list[str]] | None = None, slots: bool = True
) -> Description:
    """The template of a cluster.

    Args:
        texts: the originals, at least one. The medoid and the least similar text are found among all of them; up to
            :data:`SAMPLE`, evenly chosen, are aligned.
        vectors: float32[len(texts), d], unit rows.
        read: the tokens of each text, where they are known.
        slots: whether to find the words and slots that people read; without, there are none.
    """
    order, sample = medoid_first(vectors)
    medoid = int(order[0])
    base, *others = [token_texts(texts[i]) if read is None else read[i] for i in (medoid, *sample)]
    masks, kinds = masks_of(base), kinds_of(base)
    alignments = [align_masks(masks, len(base), other) for other in others]
    kept = times_kept(len(base), alignments)
    fixed = fixed_runs(kinds, kept >= needed_to_be_fixed(len(sample)) if sample else np.ones(len(base), bool))
    shown: tuple[tuple[str | None, ...], tuple[tuple[str, ...], ...]] = ((), ())
    if slots:
        shown = _words_and_slots(texts[medoid], fixed, [texts[i] for i in sample], alignments)
    lengths = [len(base), *(len(other) for other in others)]
    stays = tuple(base[i] for i in np.flatnonzero(fixed))
    signed = " ".join(stays) or texts[medoid].casefold()
    return Description(
        words=shown[0],
        slots=shown[1],
        medoid=medoid,
        exemplars=tuple(int(i) for i in order[1 : 1 + EXEMPLARS]),
        least_similar=int(order[-1]),
        signature=hashlib.blake2b(signed.encode(), digest_size=16).hexdigest(),
        kept=stays,
        fixed=int(np.count_nonzero(kinds.letters[fixed])),
        labels=_labels(base, fixed),
        shared=long_words_kept(base, kept, len(sample)),
        backwards=kept_backwards(base, masks, others),
        rigidity=min(1.0, float(fixed.sum()) / max(float(np.median(lengths)), 1.0)),
    )


def medoid_first(vectors: Floats32) -> tuple[Ints, list[int]]:
    """All positions, nearest to the centre first; and the sample that is aligned with the first of them, the medoid."""
    order = np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")
    return order, [int(i) for i in order[spread(len(order), SAMPLE)] if i != order[0]]


def needed_to_be_fixed(others: int) -> float:
    """The number of texts, of those aligned, that must keep a token for it to be fixed."""
    return max(1.0, NEARLY_ALL * others)


def enough_to_describe(texts: int) -> bool:
    """Whether a token of the medoid can be fixed although one of the other texts lacks it.

    Of fewer texts, every word that all have in common would be fixed, and any few texts have some.
    """
    return needed_to_be_fixed(texts - 1) <= texts - 2


# ---------------------------------------------------------------- fixed tokens


class TokenKinds(NamedTuple):
    """What kinds of tokens a text has, each of length len(tokens)."""

    letters: Ints
    """int64: the letters of each word, see :func:`harvestdetect.util.words.letters`; 0 for a mark."""
    ends_line: Bools
    """bool: whether the token is a line end."""


def kinds_of(base: Sequence[str]) -> TokenKinds:
    """The kinds of some tokens."""
    return TokenKinds(
        letters=np.array([letters(token) if token[0].isalnum() else 0 for token in base], np.int64),
        ends_line=np.array([token == "\n" for token in base], bool),
    )


def fixed_runs(kinds: TokenKinds, fixed: Bools) -> Bools:
    """The fixed tokens less the runs that chance explains: a mark or a short word between two slots, inside a line.

    Args:
        kinds: of the tokens.
        fixed: bool[len(tokens)], the tokens that most texts keep.
    """
    if not fixed.any():
        return fixed.copy()
    start = run_starts(fixed)
    stop = np.append(start[1:], len(fixed))
    letters = np.add.reduceat(kinds.letters, start)
    begins_line = (letters > 0) & np.logical_or.reduceat(kinds.ends_line, start)
    dropped = (start > 0) & (stop < len(fixed)) & (letters <= MIN_LONG_LETTERS) & ~begins_line
    return fixed & ~np.repeat(dropped, stop - start)


def _labels(base: Sequence[str], fixed: Bools) -> int:
    """The number of fixed labels: a few words at the beginning of a line, and a colon."""
    stays, found = fixed.tolist(), 0
    for i, token in enumerate(base):
        if token not in COLONS or not stays[i]:
            continue
        begin = i
        while begin and stays[begin - 1] and base[begin - 1][0].isalnum():
            begin -= 1
        found += 0 < i - begin <= LABEL_WORDS and (begin == 0 or base[begin - 1] == "\n")
    return found


# ---------------------------------------------------------------- slots


def _words_and_slots(
    medoid: str, fixed: Bools, texts: Sequence[str], alignments: Sequence[Alignment]
) -> tuple[tuple[str | None, ...], tuple[tuple[str, ...], ...]]:
    """The fixed words of the medoid, and the values of the slots between them in the medoid and in other texts."""
    place = np.flatnonzero(fixed)
    # the runs of consecutive fixed tokens, as positions in ``place``
    begins = np.flatnonzero(np.diff(place, prepend=-2) > 1)
    runs = list(zip(begins.tolist(), np.append(begins, len(place))[1:].tolist(), strict=True))
    gaps = [_gaps(medoid, [(i, i) for i in place.tolist()], place, runs)]
    gaps += [_gaps(text, pairs, place, runs) for text, pairs in zip(texts, alignments, strict=True)]
    base = spans(medoid, int(place[-1]) + 1) if len(place) else []
    words: list[str | None] = []
    slots: list[tuple[str, ...]] = []
    for number in range(len(runs) + 1):
        values = [gap[number] for gap in gaps]
        distinct = tuple(dict.fromkeys(v for v in values if v))
        filled = sum(1 for v in values if v and any(c.isalnum() for c in v))
        if filled > SLOT_FILLED * len(values) or any(letters(v) > SLOT_CHARACTERS for v in distinct):
            words.append(None)
            slots.append(distinct[:SLOT_EXAMPLES])
        if number < len(runs):
            start, stop = runs[number]
            run = medoid[base[place[start]][0] : base[place[stop - 1]][1]]
            if words and words[-1] is not None:
                words[-1] = joined(words[-1], run)
            else:
                words.append(run)
    return tuple(words), tuple(slots)


def _gaps(text: str, pairs: Alignment, place: Ints, runs: Sequence[tuple[int, int]]) -> list[str]:
    """What a text has before, between and after the runs of fixed words: one gap more than runs.

    A gap reaches from the last fixed word before it to the first one after it that the text keeps.
    """
    if not runs:
        return [text.strip()]
    at = dict(pairs)
    kept = [at.get(i) for i in place.tolist()]
    own = spans(text, max((j for j in kept if j is not None), default=-1) + 1)
    # for each run, where the first word begins that the text keeps of it or of those after it
    begin, begins = len(text), [len(text)]
    for start, stop in reversed(runs):
        begin = next((own[j][0] for j in kept[start:stop] if j is not None), begin)
        begins.append(begin)
    found, end = [], 0
    for (start, stop), right in zip([*runs, (0, 0)], reversed(begins), strict=True):
        found.append(text[end:right].strip() if end <= right else "")
        end = next((own[j][1] for j in reversed(kept[start:stop]) if j is not None), end)
    return found
