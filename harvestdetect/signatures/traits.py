"""Form, tempo, list shape and size of a group of prompts, rounded for export, and how alike two of them are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments, longest_part_words
from harvestdetect.data import NO_TIME, SYSTEM, Corpus
from harvestdetect.signatures.style import Style, affinity, style_of
from harvestdetect.signatures.values import HOUR_PARTS, Form, ListShape, SignedCampaign, Sizes, Tempo
from harvestdetect.util.arrays import AnyInts, Ints
from harvestdetect.util.periods import DAY

__all__ = [
    *("Traits", "form_fit", "list_fit", "power_of_two", "shape_fit", "sizes_of", "tempo_fit", "traits_of"),
]

MOST_PARTS: Final = 8
"""Parts of a prompt above which their number says no more."""
DOUBLINGS: Final = 4
"""Doublings by which two numbers must differ to be not alike at all. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """How a group sends, whatever its prompts are about."""

    form: Form
    tempo: Tempo | None
    """None without times."""
    list: ListShape


def traits_of(corpus: Corpus, parts: PromptSegments, prompts: AnyInts, *, least_accounts: int = 1) -> Traits:
    """The traits of a group.

    Args:
        corpus: of the prompts.
        parts: of every prompt.
        prompts: of the group, without repeated rows.
        least_accounts: fewest accounts with prompts of a length, or with a sign, that is counted.
    """
    style = style_of(corpus, parts, prompts, least_accounts=least_accounts)
    return Traits(form=_form(corpus, parts, prompts, style), tempo=_tempo(corpus, prompts), list=_list(corpus, prompts))


def shape_fit(campaign: SignedCampaign, traits: Traits) -> tuple[float, float, float]:
    """How alike form, tempo and list of a signature and of a group are, 0 to 1 each; NaN where one is not known."""
    return (
        form_fit(campaign.form, traits.form),
        tempo_fit(campaign.tempo, traits.tempo),
        list_fit(campaign.list, traits.list),
    )


def power_of_two(value: float) -> int:
    """The power of two that is nearest to a number on a logarithmic scale; 0 for a number below one half."""
    return 0 if value < 0.5 else 2 ** max(0, round(math.log2(value)))


def _rounded(share: float, parts: int) -> int:
    """A share in thousandths, rounded to as many parts of the whole."""
    return round(1_000 / parts) * round(parts * min(max(share, 0.0), 1.0))


def sizes_of(corpus: Corpus, prompts: AnyInts) -> Sizes:
    """The sizes of a group.

    Args:
        corpus: of the prompts.
        prompts: of the group, without repeated rows.
    """
    accounts = len(np.unique(corpus.prompts.account[prompts]))
    return Sizes(accounts=power_of_two(accounts), prompts=power_of_two(len(prompts)))


def _form(corpus: Corpus, parts: PromptSegments, prompts: AnyInts, style: Style) -> Form:
    """The form of the prompts of a group, whose style is known."""
    chosen = np.asarray(prompts, np.int32)
    start, stop = parts.start[chosen], parts.start[chosen + 1]
    system = [bool((corpus.kind[parts.segment[a:b]] == SYSTEM).any()) for a, b in zip(start, stop, strict=True)]
    words = longest_part_words(corpus, parts, chosen)
    return Form(
        words=power_of_two(float(np.median(words))) if len(words) else 0,
        parts=min(int(np.median(stop - start)), MOST_PARTS) if len(chosen) else 0,
        system=_rounded(float(np.mean(system)) if system else 0.0, 20),
        lengths=style.lengths, signs=style.signs,
    )  # fmt: skip


def _tempo(corpus: Corpus, prompts: AnyInts) -> Tempo | None:
    """The tempo of a group; None if none of its prompts has a time."""
    time = corpus.prompts.time[prompts]
    timed = time != NO_TIME
    time, account = time[timed], corpus.prompts.account[prompts][timed].astype(np.int64)
    if not len(time):
        return None
    day = time // DAY
    active = len(np.unique(np.stack([account, day]), axis=1).T)
    part = (time % DAY) * HOUR_PARTS // DAY
    hours = np.bincount(part, minlength=HOUR_PARTS) / len(time)
    return Tempo(
        days=power_of_two(float(day.max() - day.min() + 1)),
        per_day=power_of_two(10 * len(time) / active),
        hours=tuple(_rounded(float(share), 40) for share in hours),
    )


def _list(corpus: Corpus, prompts: AnyInts) -> ListShape:
    """How the list of a group is dealt."""
    account = corpus.prompts.account[prompts].astype(np.int64)
    _, each = np.unique(account, return_counts=True)
    pair = np.unique(np.stack([corpus.prompts.content[prompts].astype(np.int64), account]), axis=1)
    _, back, senders = np.unique(pair[0], return_inverse=True, return_counts=True)
    shared = pair[0][senders[back] > 1]
    repeated = np.isin(corpus.prompts.content[prompts], shared)
    mean = float(each.mean()) if len(each) else 0.0
    return ListShape(
        each=power_of_two(10 * mean),
        spread=100 * round(10 * float(each.std()) / mean) if mean else 0,
        repeated=_rounded(float(repeated.mean()) if len(repeated) else 0.0, 20),
    )


def form_fit(one: Form, other: Form) -> float:
    """How alike two forms are, 0 to 1: style times the mean over parts and system prompt."""
    parts = 1 - min(abs(one.parts - other.parts) / MOST_PARTS, 1)
    return _style_fit(one, other) * float(np.mean([parts, 1 - abs(one.system - other.system) / 1_000]))


def _style_fit(one: Form, other: Form) -> float:
    return affinity(Style(lengths=one.lengths, signs=one.signs), Style(lengths=other.lengths, signs=other.signs))


def tempo_fit(one: Tempo | None, other: Tempo | None) -> float:
    """How alike two tempos are, 0 to 1: the mean over the hours of the day and the pace; NaN if one is not known."""
    if one is None or other is None:
        return math.nan
    left, right = _shares(one.hours), _shares(other.hours)
    overlap = float(np.minimum(left, right).sum())
    return float(np.mean([overlap, _near(one.per_day, other.per_day)]))


def list_fit(one: ListShape, other: ListShape) -> float:
    """How alike two list shapes are, 0 to 1: the mean over prompts each, spread and repeated prompts."""
    spread = 1 - min(abs(one.spread - other.spread) / 1_000, 1)
    return float(np.mean([_near(one.each, other.each), spread, 1 - abs(one.repeated - other.repeated) / 1_000]))


def _near(one: int, other: int) -> float:
    """How near two numbers are on a logarithmic scale, 0 to 1."""
    return 1 - min(abs(math.log2(max(one, 1) / max(other, 1))) / DOUBLINGS, 1)


def _shares(hours: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found: Ints = np.array(hours, np.int64)
    return np.asarray(found / max(int(found.sum()), 1), np.float64)
