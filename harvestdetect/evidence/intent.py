"""What the prompts are after: capability targets, by likeness to described requests.

``intent.toml`` describes nine targets by examples of how such requests read, and ordinary requests to compare with.
A text's margin for a target is how much more alike it is to the target's nearest examples than to the nearest
ordinary ones, after what all ordinary requests share is taken away from every vector. A campaign is read twice: the
fixed words of its templates, where a payload drowns them in the whole, and its texts as they are, where it has no
template.

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
from harvestdetect.data import Evidence
from harvestdetect.evidence.nulls import DRAWS, tail_p
from harvestdetect.util.arrays import Floats, Floats32, spread

__all__ = [
    "FIXED_MARGIN",
    "SAMPLE",
    "TEXTS_MARGIN",
    "Ordinary",
    "Prototypes",
    "Target",
    "intent_evidence",
    "load_prototypes",
    "margins",
    "targets_of",
]

Encode: TypeAlias = Callable[[list[str]], Floats32]
"""Texts to float32[n, d]; each row depends on its text only."""

FIXED_MARGIN: Final = 0.1
"""Margin over ordinary requests from which fixed words name a target..."""
TEXTS_MARGIN: Final = 0.05
"""...and from which the median of several texts does, which strays less."""
NEAREST: Final = 3
"""A text is compared with so many of a target's examples, the nearest ones."""
BESIDE: Final = 0.5
"""A reading names a further target whose margin reaches this share of its first one's."""
AT_MOST: Final = 3
"""Targets named for one campaign."""
FEWEST_WORDS: Final = 4
"""Fixed words from which they are read by themselves."""
BEGINNING: Final = 300
"""Characters of longer fixed words that are read by themselves too: instructions stand first, examples follow."""
SAMPLE: Final = 48
"""Texts of a campaign that are enough to read."""
GLANCE: Final = 12
"""Texts that are read at first, evenly chosen..."""
GLANCE_MARGIN: Final = 0.02
"""...and the median margin from which the others are read too."""


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
    held = np.flatnonzero([bool(text) for text in clean])
    if len(held):
        rows = _centred(np.asarray(prototypes.encode([clean[i] for i in held]), np.float32), prototypes.centre)
        cosine = rows @ prototypes.like.T
        for i in range(targets):
            score[held, i] = _nearest(cosine[:, prototypes.start[i] : prototypes.start[i + 1]])
        ordinary[held] = _nearest(rows @ prototypes.ordinary.T)
    return score, ordinary


def margins(texts: Sequence[str], prototypes: Prototypes) -> Floats:
    """How much more alike each text is to each target than to ordinary requests: float64[n, t]."""
    score, ordinary = _scores(texts, prototypes)
    return np.asarray(score - ordinary[:, None])


def targets_of(texts: Sequence[str], prototypes: Prototypes, *, fixed: Sequence[str] = ()) -> tuple[Target, ...]:
    """The capability targets of a campaign, the clearest first; none where its prompts read like ordinary ones.

    Where :data:`GLANCE` of the texts read so, the others are not read.

    Args:
        texts: a sample of its texts, :data:`SAMPLE` are enough; their median is taken.
        prototypes: see :func:`load_prototypes`.
        fixed: the fixed words of each of its templates; those with fewer than :data:`FEWEST_WORDS` are left out.

    Returns:
        at most :data:`AT_MOST` targets; a reading names one by a margin of :data:`FIXED_MARGIN` or
        :data:`TEXTS_MARGIN`.
    """
    alone = [words for words in fixed if len(words.split()) >= FEWEST_WORDS]
    alone += [words[:BEGINNING] for words in alone if len(words) > 2 * BEGINNING]
    if not alone and not texts:
        return ()
    first = spread(len(texts), GLANCE)
    score, ordinary = _scores([*alone, *(texts[i] for i in first)], prototypes)
    split = len(alone)
    if len(texts) > GLANCE and np.median(score[split:] - ordinary[split:, None], axis=0).max() >= GLANCE_MARGIN:
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
    held: dict[int, Floats] = field(default_factory=dict)
    """The best margins, by how many texts a group has, as far as they were asked for."""

    def best(self, texts: int) -> Floats:
        """The best median margin of groups of so many texts: of single ones float64[b], of several float64[DRAWS]."""
        texts = min(texts, SAMPLE)
        if texts not in self.held:
            if texts == 1:
                found = self.margins.max(axis=1)
            else:
                rng = np.random.default_rng(self.seed)
                drawn = rng.integers(len(self.margins), size=(DRAWS, texts))
                found = np.median(self.margins[drawn], axis=1).max(axis=1)
            self.held[texts] = np.asarray(found, np.float64)
        return self.held[texts]


def intent_evidence(targets: Sequence[Target], ordinary: Ordinary) -> list[Evidence]:
    """One measure per target, against other texts read in the same way.

    Each of the other texts, or each group of as many of them, counts with its own best target, and the p-value is
    multiplied by the readings tried: no choice is left unpaid for.

    Args:
        targets: of a campaign.
        ordinary: how texts outside every candidate read.
    """
    if not len(ordinary.margins):
        return []
    found = []
    for target in targets:
        null = ordinary.best(target.texts)
        found.append(
            Evidence(
                name=f"target: {target.name}",
                family="intent",
                value=target.margin,
                null="the best target of other texts"
                if target.texts == 1
                else "the best target of as many other texts",
                expected=float(np.median(null)),
                p_value=min(1.0, target.tried * tail_p(target.margin, null)),
                sentence=target.sentence,
            )
        )
    return found
