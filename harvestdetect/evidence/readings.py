"""Readings of a candidate: numbers that say how innocent groups differ from campaigns.

A reading has no null distribution. What it speaks for is learned from innocent candidates and planted campaigns
(:mod:`harvestdetect.judge.ledger`). To add one, write a function ``(inputs) -> float | None``, add a :class:`Reading`
to :data:`READINGS`, and add what it says in words to :mod:`harvestdetect.evidence.reading_sentences`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from harvestdetect.data import Family
from harvestdetect.evidence.candidate import CandidateData, MeasureContext
from harvestdetect.evidence.explanations import ExplanationInputs
from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.nulls import compared_prompts
from harvestdetect.evidence.own_items import own_items
from harvestdetect.evidence.shared_values import LARGEST
from harvestdetect.evidence.work_list import own_excess
from harvestdetect.util.amounts import EXCEPTIONAL, FEW, MIN_SAMPLE, MOST
from harvestdetect.util.arrays import Floats32, Ints, ranges, unit
from harvestdetect.util.periods import DAY

__all__ = ["ACCOUNTS", "READINGS", "Reading", "ReadingInputs", "readings_of"]

ACCOUNTS: Final = "accounts"
"""Key of the number of accounts, which goes with the readings. By itself it says nothing: candidates are compared
with others of about as many accounts."""
CHANCE: Final = 2.0
"""Standard deviations of a shuffle up to which a deviation is chance."""
NEXT_TO_NONE: Final = 0.01
"""Added to a ratio before its logarithm is taken, so that smaller ones differ by next to nothing."""
TEXT_LEAST_BITS: Final = -3.0
"""Least bits of the length of the prompts and of what others send in them: an attacker can send short prompts and add
popular sentences. Chosen."""
CHOICE_LEAST_BITS: Final = -2.0
"""Least bits of the days from first to last prompt and of the spread of the share of traffic: an attacker chooses how
long a campaign lasts and what else its accounts send. Chosen."""
NEAREST_AMONG: Final = 256
"""Prompts of other accounts among which the nearest one is sought, at most: among more, it would be nearer."""
SAME: Final = 1e-3
"""Mean distance of prompts that are all the same but for rounding."""
SUBJECTS: Final = 12
"""Subjects, or languages, that the prompts of a candidate are divided into. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingInputs:
    """What readings are taken from."""

    candidate: CandidateData
    context: MeasureContext
    explained: ExplanationInputs
    """The values that benign explanations are tested on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading."""

    id: str
    """Stable, in snake case: the key of files."""
    family: Family
    """The block of the ledger that it belongs to."""
    label: str
    """What people read."""
    speaks: Literal["high", "low"]
    """Which values speak for a campaign."""
    take: Callable[[ReadingInputs], float | None]
    """Takes it; None if there is too little data. It must be pure."""
    least: float = -8.0
    """Least bits that the fit may give it: fewer against a campaign where an attacker can choose the value."""


def _logs(value: float) -> float:
    return float(np.log2(max(value, 1e-9)))


def _not_thinned(inputs: ReadingInputs) -> float | None:
    """How far the candidate is from a random part of all traffic, such as a popular phrase is; in doublings.

    If its prompts were dealt to the accounts by volume, so many accounts would have one, and they would be so much
    busier than others. The root of the squared deviations from both is 0 for a popular phrase.
    """
    volume, accounts = inputs.context.comparison.volumes
    campaign = inputs.candidate.trimmed
    if not len(volume) or not len(campaign.prompts):
        return None
    # accounts that sent as much are counted together: there are far fewer volumes than accounts
    share = np.minimum(volume / float((volume * accounts).sum()), 1 - 1e-12)
    chance = -np.expm1(len(campaign.prompts) * np.log1p(-share)) * accounts
    more = _logs(len(campaign.accounts) / float(chance.sum()))
    own = inputs.context.comparison.sent[campaign.accounts].astype(np.float64)
    busier = float(np.log2(np.maximum(own, 1)).mean()) - float((np.log2(volume) * chance).sum() / chance.sum())
    return float(np.hypot(more, busier))


def _uneven_share(inputs: ReadingInputs) -> float | None:
    """Interquartile range of the share of their traffic that the accounts spend on the candidate.

    Five requests (``MIN_SAMPLE``) with the average share are added to those of each account, because the share of an
    account with one or two requests is uneven by chance.
    """
    campaign = inputs.candidate.trimmed
    sent = inputs.context.comparison.sent[campaign.accounts]
    if not len(sent):
        return None
    usual = len(campaign.prompts) / max(int(sent.sum()), 1)
    shares = (campaign.harvest_prompts + MIN_SAMPLE * usual) / (sent + MIN_SAMPLE)
    return float(np.subtract(*np.quantile(shares, (0.75, 0.25))))


def _compared(inputs: ReadingInputs) -> tuple[Ints, Ints]:
    """The items that are compared, and the member of each: without other accounts, those of the candidate itself."""
    groups = inputs.candidate.item_groups
    if groups is not None:
        return groups.own, groups.member
    return compared_prompts(inputs.candidate.items, inputs.context.scan.corpus.prompts.account)


def _own_data(inputs: ReadingInputs) -> float | None:
    """How much more alike two prompts of one account are than two of different accounts: the smallest of three views.

    Independent developers have data of their own in every view. A dealt list shows none in at least one of them.

    * Within each template: an account may have one template at a time.
    * Within coarse subjects of each template too: an account may have a language of its own.
    * Without the words that each account always uses (:mod:`harvestdetect.evidence.own_items`): it may word the
      instruction in its own way.

    Negative values count as 0: accounts that all send one list are no more like a campaign for that.
    """
    rows, member = _compared(inputs)
    least = None
    for view in (_within_templates, _within_subjects, _of_items):
        found = view(inputs, rows, member)
        if found is not None:
            least = found if least is None else min(least, found)
            if least <= 0:
                return 0.0
    return least


def _within_templates(inputs: ReadingInputs, rows: Ints, member: Ints) -> float | None:
    return own_excess(inputs.context.scan.vectors, rows, member, _clusters(inputs, rows))


def _within_subjects(inputs: ReadingInputs, rows: Ints, member: Ints) -> float | None:
    """Subjects are k-means cells of the candidate's own prompts, seeded by prompts far from one another."""
    if len(rows) < SUBJECTS * MIN_SAMPLE:
        return None
    vectors = inputs.context.scan.vectors
    subject = _subjects(unit(np.asarray(vectors[rows], np.float32)))
    return own_excess(vectors, rows, member, _clusters(inputs, rows) * SUBJECTS + subject)


def _of_items(inputs: ReadingInputs, rows: Ints, member: Ints) -> float | None:
    return own_items(inputs.context.scan, rows, member)


def _clusters(inputs: ReadingInputs, rows: Ints) -> Ints:
    """int64[t]: the cluster of each of t items of the candidate; what follow-ups follow is in one."""
    campaign = inputs.candidate.trimmed
    if inputs.candidate.follows is not None:
        return np.zeros(len(rows), np.int64)
    return campaign.prompt_cluster[np.searchsorted(campaign.prompts, rows)].astype(np.int64)


def _subjects(vectors: Floats32) -> Ints:
    """int64[t]: the subject of each of float32[t, d] unit vectors, 0 to :data:`SUBJECTS` - 1."""
    centres = [vectors.mean(axis=0)]
    nearest = vectors @ centres[0]
    for _ in range(SUBJECTS):
        centres.append(vectors[int(nearest.argmin())])
        nearest = np.maximum(nearest, vectors @ centres[-1])
    table = np.array(centres[1:])
    for _ in range(5):
        of = (vectors @ table.T).argmax(axis=1)
        table = unit(np.array([vectors[of == i].sum(axis=0) if (of == i).any() else table[i] for i in range(SUBJECTS)]))
    return np.asarray((vectors @ table.T).argmax(axis=1), np.int64)


def _near_copies(inputs: ReadingInputs) -> float | None:
    """How near the nearest prompt of another account is, as a multiple of the mean distance; as a logarithm of 2.

    Pairs of a cluster are compared, so what a template has in common does not count. Accounts that send the same items
    in their own words, such as a class, have near copies among prompts that are far apart.
    """
    rows, member = _compared(inputs)
    if len(rows) < MIN_COMPARED:
        return None
    cluster = _clusters(inputs, rows)
    found = []
    for one in np.unique(cluster).tolist():
        inside = np.flatnonzero(cluster == one)
        some = inside[np.unique(np.linspace(0, len(inside) - 1, NEAREST_AMONG).astype(np.int64))]
        vectors = unit(np.asarray(inputs.context.scan.vectors[rows[some]], np.float32))
        far = np.clip(1 - vectors @ vectors.T, 0.0, None)
        other = member[some][:, None] != member[some]
        shown = other.any(axis=1)
        if not shown.any():
            continue
        mean = (far * other).sum(axis=1)[shown] / other.sum(axis=1)[shown]
        nearest = np.where(other, far, np.inf).min(axis=1)[shown]
        ratio = np.where(mean > SAME, nearest / np.maximum(mean, SAME), 0.0)
        # each cluster counts as much as it has prompts
        found.append(np.column_stack((ratio, np.full(len(ratio), len(inside) / len(ratio)))))
    if not found:
        return None
    every = np.concatenate(found)
    every = every[np.argsort(every[:, 0], kind="stable")]
    weight = np.cumsum(every[:, 1])
    return _logs(float(every[np.searchsorted(weight, weight[-1] / 2), 0]) + NEXT_TO_NONE)


def _passing_sentences(inputs: ReadingInputs) -> float | None:
    """Share of the prompts with a sentence that mostly other accounts send.

    Sentences that more than a few of the candidate's accounts sent (``EXCEPTIONAL``) do not count: a campaign may use a
    popular template. The questions of a campaign are not also what many others send, one by one. Prompts that share
    popular sentences by chance, such as boilerplate, have others of them as well.
    """
    scan, campaign = inputs.context.scan, inputs.candidate.trimmed
    prompts = campaign.prompts
    count = scan.sentences.start[prompts + 1] - scan.sentences.start[prompts]
    if not len(prompts):
        return None
    segment = scan.sentences.segment[ranges(scan.sentences.start[prompts], count)]
    sentence, place = np.unique(segment, return_inverse=True)
    sent = np.unique(place * len(scan.corpus.prompts.accounts) + np.repeat(scan.corpus.prompts.account[prompts], count))
    own = np.bincount(sent // len(scan.corpus.prompts.accounts), minlength=len(sentence))
    passing = (own <= EXCEPTIONAL * len(campaign.accounts)) & (own < MOST * scan.corpus.senders[sentence])
    having = np.bincount(np.repeat(np.arange(len(prompts)), count)[passing[place]], minlength=len(prompts))
    return float((having > 0).mean())


def _words(inputs: ReadingInputs) -> float | None:
    """The length of the median prompt; follow-ups are short, whatever they follow."""
    if inputs.candidate.follows is not None:
        return None
    return _logs(inputs.explained.median_words + 1)


def _busiest(inputs: ReadingInputs) -> float:
    """What the busiest accounts sent, as a multiple of their even share; as a logarithm of 2."""
    counts = np.sort(inputs.explained.counts)
    return _logs(float(counts[-LARGEST:].mean() / counts.mean()))


def _few(inputs: ReadingInputs) -> float:
    """Share of the candidate's prompts that its busiest accounts sent: a benchmark, a regression or a batch is few.

    Less than :data:`MOST` says nothing: it falls with the number of accounts alone.
    """
    return max(inputs.explained.busiest, MOST)


def _beyond(inputs: ReadingInputs, field: str, values: int = 1) -> float | None:
    """How far the accounts gather in the commonest values: 0 where all have other ones, 1 where they have no others."""
    share = inputs.explained.shares.get(field)
    least = values / max(len(inputs.candidate.trimmed.accounts), 1)
    return None if share is None or least >= 1 else max(share - least, 0.0) / (1 - least)


def _days(inputs: ReadingInputs) -> float | None:
    """Days from first to last prompt over those of the dump, as a logarithm of 2; the exceptional ends left out."""
    own, period = inputs.explained.days, inputs.context.comparison.period
    if own is None or period is None:
        return None
    return min(_logs((own + 1) / ((period[1] - period[0]) / DAY + 1)), 0.0)


def _shared_items(inputs: ReadingInputs) -> float | None:
    """How much less alike an account's prompts are than a shuffle gives, in standard deviations beyond chance.

    Less, because each account sent every item of one list once.
    """
    own = inputs.explained.own_subjects
    return None if own is None else max(-own.deviations - CHANCE, 0.0)


_TEXT: Final = (
    Reading(
        id="copies", speaks="low", family="text", label="prompts that repeat another",
        take=lambda x: _logs(max(x.explained.copies, FEW)),
    ),
    Reading(
        id="in_common", speaks="low", family="text", label="prompts that two accounts have in common",
        take=lambda x: _logs(max(x.explained.in_common, FEW)),
    ),
    Reading(
        id="near_copies", speaks="high", family="text", label="distance of the nearest prompt of another account",
        take=_near_copies,
    ),
    Reading(
        id="words", speaks="high", family="text", label="length of the prompts", take=_words, least=TEXT_LEAST_BITS,
    ),
    Reading(
        id="passing_sentences", speaks="low", family="text", label="prompts with sentences that others send",
        take=_passing_sentences, least=TEXT_LEAST_BITS,
    ),
    Reading(
        id="template", speaks="high", family="text", label="a template", take=lambda x: float(x.explained.templated),
    ),
)  # fmt: skip
"""The readings of the family text."""

_STRUCTURE: Final = (
    Reading(
        id="load", speaks="low", family="structure", label="unevenness of the load",
        take=lambda x: _logs(x.explained.load_ratio + NEXT_TO_NONE),
    ),
    Reading(
        id="uneven_share", speaks="low", family="structure", label="spread of the share of traffic", take=_uneven_share,
        least=CHOICE_LEAST_BITS,
    ),
    Reading(
        id="own_data", speaks="low", family="structure", label="data of the accounts' own", take=_own_data,
    ),
    Reading(
        id="shared_items", speaks="low", family="structure",
        label="the same items in each account, against a shuffle", take=_shared_items,
    ),
    Reading(
        id="few", speaks="low", family="structure", label="what the busiest accounts sent of all", take=_few,
    ),
    Reading(
        id="busiest", speaks="low", family="structure", label="share of the busiest accounts", take=_busiest,
    ),
    Reading(
        id="not_thinned", speaks="high", family="structure", label="distance from a random part of all traffic",
        take=_not_thinned,
    ),
)  # fmt: skip
"""The readings of the family structure."""

_TIME: Final = (
    Reading(
        id="days", speaks="high", family="time", label="days from first to last prompt, beside those of the dump",
        take=_days, least=CHOICE_LEAST_BITS,
    ),
)  # fmt: skip
"""The readings of the family time."""

_INFRASTRUCTURE: Final = (
    Reading(
        id="one_organisation", speaks="low", family="infrastructure", label="accounts in one organisation",
        take=lambda x: _beyond(x, "org", LARGEST),
    ),
    Reading(
        id="one_network", speaks="low", family="infrastructure", label="accounts in one network",
        take=lambda x: _beyond(x, "network"),
    ),
)  # fmt: skip
"""The readings of the family infrastructure."""

READINGS: Final = (*_TEXT, *_STRUCTURE, *_TIME, *_INFRASTRUCTURE)
"""Every reading."""


def readings_of(inputs: ReadingInputs, *, leave_out: Collection[Family] = ()) -> Mapping[str, float]:
    """The readings of a candidate by id, without those that cannot be taken, and its number of accounts.

    Args:
        inputs: of the candidate.
        leave_out: families whose readings are left out.
    """
    found = {reading.id: reading.take(inputs) for reading in READINGS if reading.family not in leave_out}
    found[ACCOUNTS] = float(len(inputs.candidate.whole.accounts))
    return {id_: float(value) for id_, value in found.items() if value is not None and math.isfinite(value)}
