"""What the prompts are after: capability targets, by likeness to described requests.

``intent.toml`` describes nine targets by examples of how such requests read, and ordinary requests to compare with.
A text's margin for a target is how much more alike it is to the target's nearest examples than to the nearest
ordinary ones, after what all ordinary requests share is taken away from every vector. A candidate is read twice: by
the fixed words of its templates, which a payload drowns in the whole text, and by its texts as they are, because it may
have no template.

The family explains and ranks. It says what a campaign would gain, not that there is one: people ask for step-by-step
solutions and for programs too. So it lifts no tier.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.corpus.normalize import normalize
from harvestdetect.evidence import nulls
from harvestdetect.evidence.nulls import tail_p
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.arrays import Floats, Floats32, spread
from harvestdetect.util.words import spaced

__all__ = [
    "FIXED_MARGIN",
    "MAX_TEXTS",
    "TEXTS_MARGIN",
    "Ordinary",
    "Prototypes",
    "Target",
    "load_prototypes",
    "margins",
    "target_margin",
    "targets_of",
]

Encode: TypeAlias = Callable[[list[str]], Floats32]
"""Texts to float32[n, d]; each row depends on its text only."""

FIXED_MARGIN: Final = 0.1
"""Margin over ordinary requests from which fixed words name a target. Set on the tuning part of
``benchmarks/intent.py``."""
TEXTS_MARGIN: Final = 0.05
"""Margin from which the median of several texts names a target; it varies less than that of one text. Set on the tuning
part of ``benchmarks/intent.py``."""
NEAREST: Final = 3
"""Examples of a target, the nearest ones, that a text is compared with. Chosen."""
BESIDE: Final = 0.5
"""Share of the first target's margin from which a reading names a further target. Chosen."""
AT_MOST: Final = 3
"""Targets that are named for one candidate at most."""
FEWEST_WORDS: Final = 4
"""Fixed words from which they are read by themselves. Chosen."""
BEGINNING: Final = 300
"""Characters of the beginning of long fixed words that are read by themselves too, because instructions come first and
examples follow. Chosen."""
MAX_TEXTS: Final = 48
"""Texts of a candidate that are read at most, for its targets and for the slots of its largest template. Chosen."""
FIRST_TEXTS: Final = 12
"""Texts, evenly chosen, that are read first. Chosen."""
FIRST_TEXTS_MARGIN: Final = 0.02
"""Median margin of the first texts from which the others are read too. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prototypes:
    """The described requests, as one encoder sees them."""

    names: tuple[str, ...]
    """Of the t targets, in the order of the file."""
    words: tuple[str, ...]
    """What a sentence says the prompts are after."""
    like: Floats32
    """float32[v, d]: unit rows of the targets' examples, grouped by target."""
    start: npt.NDArray[np.int64]
    """int64[t + 1]: the rows of ``like`` of each target."""
    ordinary: Floats32
    """float32[w, d]: unit rows of ordinary requests."""
    centre: Floats32
    """float32[d]: their mean before it was taken away from all rows."""
    encode: Encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A capability that prompts seem to be after."""

    name: str
    score: float
    """Cosine with the target's nearest examples, -1 to 1."""
    margin: float
    """How much that is above the cosine with the nearest ordinary requests."""
    texts: int
    """Texts whose median this is; 1 for the fixed words of a template."""
    tried: int
    """Readings of which this was the best: fixed words of every template, their beginnings, the texts as they are."""
    sentence: str


@cache
def _described() -> tuple[tuple[tuple[str, str, tuple[str, ...]], ...], tuple[str, ...]]:
    """(name, words, examples) of each target, and the ordinary requests."""
    found = tomllib.loads(files("harvestdetect.evidence").joinpath("intent.toml").read_text(encoding="utf-8"))
    return (
        tuple((t["name"], t["words"], tuple(t["like"])) for t in found["target"]),
        tuple(found["neutral"]["like"]),
    )


def load_prototypes(encode: Encode) -> Prototypes:
    """The described requests, encoded: once per encoder and scan.

    Args:
        encode: an encoder's ``encode``; given normalised texts.
    """
    targets, ordinary = _described()
    texts = [text for _, _, like in targets for text in like]
    rows = np.asarray(encode([normalize(text) for text in (*texts, *ordinary)]), np.float32)
    centre = rows[len(texts) :].mean(axis=0)
    rows = _centred(rows, centre)
    return Prototypes(
        names=tuple(name for name, _, _ in targets),
        words=tuple(words for _, words, _ in targets),
        like=rows[: len(texts)],
        start=np.cumsum([0, *(len(like) for _, _, like in targets)]),
        ordinary=rows[len(texts) :],
        centre=centre,
        encode=encode,
    )


def _centred(rows: Floats32, centre: Floats32) -> Floats32:
    rows = rows - centre
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-6), np.float32)


def _nearest(cosine: Floats32) -> Floats:
    """Mean of the largest :data:`NEAREST` of each row."""
    most = min(NEAREST, cosine.shape[1])
    nearest = np.partition(cosine, cosine.shape[1] - most, axis=1)[:, -most:]
    return np.asarray(nearest.mean(axis=1, dtype=np.float64))


def _scores(texts: Sequence[str], prototypes: Prototypes) -> tuple[Floats, Floats]:
    """Cosines with the targets, float64[n, t], and with ordinary requests, float64[n].

    A text that is empty once normalised is like nothing: all zero.
    """
    targets = len(prototypes.names)
    score, ordinary = np.zeros((len(texts), targets)), np.zeros(len(texts))
    clean = [normalize(text) for text in texts]
    filled = np.flatnonzero([bool(text) for text in clean])
    if len(filled):
        rows = _centred(np.asarray(prototypes.encode([clean[i] for i in filled]), np.float32), prototypes.centre)
        cosine = rows @ prototypes.like.T
        for i in range(targets):
            score[filled, i] = _nearest(cosine[:, prototypes.start[i] : prototypes.start[i + 1]])
        ordinary[filled] = _nearest(rows @ prototypes.ordinary.T)
    return score, ordinary


def margins(texts: Sequence[str], prototypes: Prototypes) -> Floats:
    """How much more alike each text is to each target than to ordinary requests: float64[n, t]."""
    score, ordinary = _scores(texts, prototypes)
    return np.asarray(score - ordinary[:, None])


def targets_of(texts: Sequence[str], prototypes: Prototypes, *, fixed: Sequence[str] = ()) -> tuple[Target, ...]:
    """The capability targets of a candidate, the clearest first; none where its prompts read like ordinary ones.

    Where the first :data:`FIRST_TEXTS` texts read like ordinary ones, the others are not read.

    Args:
        texts: a sample of its texts, :data:`MAX_TEXTS` are enough; their median is taken.
        prototypes: see :func:`load_prototypes`.
        fixed: the fixed words of each of its templates; those with fewer than :data:`FEWEST_WORDS` are left out.

    Returns:
        at most :data:`AT_MOST` targets; a reading names one by a margin of :data:`FIXED_MARGIN` or
        :data:`TEXTS_MARGIN`.
    """
    alone = [words for words in fixed if len(spaced(words).split()) >= FEWEST_WORDS]
    alone += [words[:BEGINNING] for words in alone if len(words) > 2 * BEGINNING]
    if not alone and not texts:
        return ()
    first = spread(len(texts), FIRST_TEXTS)
    score, ordinary = _scores([*alone, *(texts[i] for i in first)], prototypes)
    split = len(alone)
    if (
        len(texts) > FIRST_TEXTS
        and np.median(score[split:] - ordinary[split:, None], axis=0).max() >= FIRST_TEXTS_MARGIN
    ):
        others = np.setdiff1d(np.arange(len(texts)), first)
        rest = _scores([texts[i] for i in others], prototypes)
        score, ordinary = np.vstack((score, rest[0])), np.append(ordinary, rest[1])
    margin = score - ordinary[:, None]
    least = np.full(split, FIXED_MARGIN)
    if texts:
        score = np.vstack((score[:split], np.median(score[split:], axis=0)))
        margin = np.vstack((margin[:split], np.median(margin[split:], axis=0)))
        least = np.append(least, TEXTS_MARGIN)
    least = np.maximum(least, BESIDE * margin.max(axis=1))
    margin[margin < least[:, None]] = -np.inf
    reading, best = margin.argmax(axis=0), margin.max(axis=0)
    found = []
    for i in np.argsort(-best, kind="stable")[:AT_MOST].tolist():
        if best[i] == -np.inf:
            break
        whole = reading[i] == split
        cosine = float(score[reading[i], i])
        found.append(
            Target(
                name=prototypes.names[i],
                score=cosine,
                margin=float(best[i]),
                texts=len(texts) if whole else 1,
                tried=len(margin),
                sentence=(
                    f"{'Most of the texts' if whole else 'The fixed words'} read like requests for "
                    f"{prototypes.words[i]}: their likeness to these is {cosine:.2f}, to ordinary requests "
                    f"{cosine - best[i]:.2f}."
                ),
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordinary:
    """How texts outside every candidate read, single ones and groups of them."""

    margins: Floats
    """float64[b, t], see :func:`margins`."""
    seed: int
    """Of the draws of groups."""
    margins_of: dict[int, Floats] = field(default_factory=dict)
    """The best margins, by how many texts a group has, as far as they were asked for."""

    def best(self, texts: int) -> Floats:
        """The best median margin of groups of ``texts`` texts each: float64[b] for 1, else float64[DRAWS]."""
        texts = min(texts, MAX_TEXTS)
        if texts not in self.margins_of:
            if texts == 1:
                found = self.margins.max(axis=1)
            else:
                rng = np.random.default_rng(self.seed)
                drawn = rng.integers(len(self.margins), size=(nulls.DRAWS, texts))
                found = np.median(self.margins[drawn], axis=1).max(axis=1)
            self.margins_of[texts] = np.asarray(found, np.float64)
        return self.margins_of[texts]


def target_margin(name: str, targets: Sequence[Target], ordinary: Ordinary) -> Observation | None:
    """How clearly the prompts are after one target, against other texts read in the same way.

    Each of the other texts, or each group of as many of them, counts with its own best target. The p-value has a
    Bonferroni correction over the readings tried.

    Args:
        name: of the target.
        targets: of a candidate, see :func:`targets_of`.
        ordinary: how texts outside every candidate read.

    Returns:
        None where the candidate does not have the target, or there are no other texts.
    """
    target = next((t for t in targets if t.name == name), None)
    if target is None or not len(ordinary.margins):
        return None
    null = ordinary.best(target.texts)
    return Observation(
        value=target.margin,
        null="the best target of other texts" if target.texts == 1 else "the best target of as many other texts",
        expected=float(np.median(null)),
        p_value=min(1.0, target.tried * tail_p(target.margin, null)),
        sentence=target.sentence,
    )
