"""When the prompts came and the accounts were opened, against groups of other accounts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

import numpy as np

from harvestdetect.data import NO_TIME, Evidence
from harvestdetect.evidence.nulls import MAX_MEMBERS, SETTLED, STEPS, Groups, draw_until_settled, steps, tail_p
from harvestdetect.util.arrays import AnyInts, Bools, Floats, Ints, Ints32, spread, unique

__all__ = [
    "DAY",
    "DECIDING",
    "NEED_TEMPLATE",
    "SITTINGS",
    "Opened",
    "SignUps",
    "coordination_evidence",
    "opened_when",
    "sign_up_evidence",
    "sign_ups",
    "time_evidence",
]


HOUR: Final = 3_600
DAY: Final = 86_400
SITTINGS: Final = "no sittings"
"""The measure that tells a machine from a person at a keyboard."""
SESSION: Final = 1_800
"""Two prompts of one account within so many seconds are one sitting."""
MIN_PROMPTS: Final = 40
MIN_RETURNING: Final = 10
"""Accounts with several prompts that the measure of sittings needs."""
DECIDING: Final = (
    "flat day",
    SITTINGS,
    "steady days",
    "common start",
    "same hours",
    "synchrony",
    "hand-over",
    "sign-up cohort",
)
"""The measures on which the family stands. People who take up something new together also move to a model, sign up and
are busy from the first day together: those measures can only agree."""
NEED_TEMPLATE: Final = (
    "common start",
    "same hours",
    "synchrony",
    "no ramp-up",
    "model pivot",
    "sign-up cohort",
    "sign-up gap",
)
"""Measures that a common interest explains as well: people who share one come, and sign up, when something happens, and
take to a new model sooner or later than most. They count only where a template is shared."""
PIVOT: Final = "model pivot"
COHORT: Final = "sign-up cohort"
GAP: Final = "sign-up gap"
AT_ONCE: Final = 1 << 20
"""Times, or hours of all groups, that are worked on at once."""
MIN_DRAWN: Final = STEPS[0]
"""Drawn groups that a comparison needs."""
MIN_OTHERS: Final = 99
"""Other accounts that sign-ups are compared with, at least."""
MISSING: Final = 0.1
"""Share of a campaign's prompts without a time, or a model, from which the measure is not taken."""
MAX_DAYS: Final = 1_500
"""A time further than this from the campaign's median is a mistake."""

SYNC_HOURS: Final = 3
"""Accounts active in the same bin of so many hours of one day are together."""
SYNC_DAYS: Final = 5
"""Active days that synchrony needs."""
SYNC_LEFT_OUT: Final = 0.1
"""Share of a group's days, those on which it is most together, that are left out: one event is not synchrony."""
RAMP_DAYS: Final = 2
"""Days between an account's first and last prompt from which it shows a usual rate."""
RAMP_PROMPTS: Final = 4
GRID: Final = 6 * HOUR
"""Grid on which the moment of a hand-over or of a pivot is sought."""
GRIDS: Final = DAY // GRID
LASTING_DAYS: Final = 2
"""An account belongs to a pool when its activity lasts so long."""
HANDED: Final = 0.1
"""What a smaller share of the accounts does is no hand-over, however seldom chance does it."""
VOLUME_DAYS: Final = 3
"""Days before and after the two days of a hand-over whose volumes are compared with theirs."""
PIVOT_BEFORE: Final = 2
"""Prompts to other models that an account sends before it can be said to go over to a new one."""
PIVOT_MODELS: Final = 8
"""Models, the most used of the campaign, that it may have moved to."""

MIN_SIGN_UPS: Final = 8
"""Members with a known creation that sign-ups need."""
MATCHED: Final = 60
"""Other accounts, those nearest in time, that a member is compared with, or three times the members if that is more."""


SAME_NUMBER: Final = "groups of other accounts with as many prompts each"
_Measure: TypeAlias = Callable[[Ints, Ints], Floats]
"""Of int64[g, t], times of g groups, and int64[t], members from 0 ascending: float64[g]."""


def _hours(times: Ints, member: Ints) -> Floats:
    """Chi-square distance per prompt of the hours of the day from a flat day."""
    g, t = times.shape
    hour = (times % DAY) // HOUR
    counts = np.bincount((np.arange(g)[:, None] * 24 + hour).ravel(), minlength=24 * g).reshape(g, 24)
    return np.asarray(((counts - t / 24) ** 2).sum(axis=1) * 24 / t)


def _sittings(times: Ints, member: Ints) -> Floats:
    """Share of an account's successive prompts that fall into one sitting, every account counting alike."""
    same = member[1:] == member[:-1]
    close = np.diff(times, axis=1)[:, same] < SESSION
    _, of, pairs = np.unique(member[1:][same], return_inverse=True, return_counts=True)
    return np.asarray(np.round((close / pairs[of]).sum(axis=1) / len(pairs), 9))


def _days(times: Ints, member: Ints) -> Floats:
    """Variance-to-mean ratio of the prompts per day, from the first to the last day."""
    day = times // DAY
    first = day.min(axis=1)
    span = int((day.max(axis=1) - first).max()) + 1
    g = len(times)
    counts = (
        np.bincount((np.arange(g)[:, None] * span + day - first[:, None]).ravel(), minlength=span * g)
        .reshape(g, span)
        .astype(np.float64)
    )
    length = day.max(axis=1) - first + 1
    mean = times.shape[1] / length
    square = (counts**2).sum(axis=1) / length - mean**2
    return np.asarray(square / mean)


def _starts(times: Ints, member: Ints) -> Floats:
    """Standard deviation, in days, of the accounts' first prompts."""
    first = np.flatnonzero(np.concatenate(([True], member[1:] != member[:-1])))
    return np.asarray(np.minimum.reduceat(times, first, axis=1).std(axis=1) / DAY)


def _together(times: Ints, member: Ints) -> Floats:
    """Prompts per hour of the window in which anything came: high when accounts act at the same hours."""
    hour = np.sort(times // HOUR, axis=1)
    return np.asarray(times.shape[1] / (1 + (np.diff(hour, axis=1) > 0).sum(axis=1)))


_MEASURES: Final = (
    (
        "flat day",
        _hours,
        True,
        "The prompts spread over the 24 hours of the day with a chi-square of {value:.0f}; other accounts, who sleep "
        "and work, show about {expected:.0f}.",
    ),
    (
        SITTINGS,
        _sittings,
        True,
        "{value:.0%} of an account's successive prompts came within half an hour of each other; {expected:.0%} do "
        "among other accounts.",
    ),
    (
        "steady days",
        _days,
        True,
        "The daily number of prompts varies little (variance-to-mean ratio {value:.1f}; {expected:.1f} among other "
        "accounts).",
    ),
    (
        "common start",
        _starts,
        True,
        "The accounts' first prompts of this kind lie {value:.1f} days apart (standard deviation); {expected:.1f} "
        "among other accounts.",
    ),
    (
        "same hours",
        _together,
        False,
        "In an hour with any of these prompts {value:.1f} came, against {expected:.1f} in groups of other accounts.",
    ),
)


@dataclass(slots=True, kw_only=True)
class _Timed:
    """The prompts of a campaign that have a time, and the times of the groups, as far as they are asked for."""

    groups: Groups
    time: Ints
    held: Bools
    """bool[t]: which prompts are compared."""
    middle: int
    """Median of the campaign's times, from which others may be :data:`MAX_DAYS` away."""
    own: Ints
    """int64[1, t]: the campaign's."""
    member: Ints
    """int64[t], from 0, ascending."""
    asked: dict[int, Ints] = field(default_factory=dict)

    def rows(self, low: int, high: int) -> Bools:
        """Which groups of one of :func:`~harvestdetect.evidence.nulls.steps` have times throughout."""
        drawn = self.time[self.groups.some(low, high)]
        near = (drawn >= self.middle - MAX_DAYS * DAY) & (drawn <= self.middle + MAX_DAYS * DAY)
        return np.asarray(near.all(axis=1))

    def drawn(self, low: int, high: int) -> Ints:
        """Their times: int64[g, t]."""
        if low not in self.asked:
            prompts = self.groups.some(low, high)
            self.asked[low] = self.time[prompts[self.rows(low, high)][:, self.held]]
        return self.asked[low]


def _timed(groups: Groups, time: Ints) -> _Timed | None:
    """None where too few of the campaign's prompts have a time."""
    own = time[groups.own]
    held = own != NO_TIME
    if len(own) < MIN_PROMPTS or (~held).mean() > MISSING:
        return None
    middle = int(np.median(own[held]))
    held &= abs(own - middle) <= MAX_DAYS * DAY
    member = groups.member[held]
    return _Timed(
        groups=groups,
        time=time,
        held=np.asarray(held),
        middle=middle,
        own=own[held][None],
        member=np.cumsum(np.diff(member, prepend=member[:1]) > 0),
    )


def _null(timed: _Timed, measure: _Measure, value: float, *, small: bool) -> Floats:
    """A measure of drawn groups, as many as it takes; fewer than :data:`MIN_DRAWN` where too few have a value."""
    return draw_until_settled(
        value,
        lambda low, high: _in_blocks(measure, timed.drawn(low, high), timed.member),
        draws=timed.groups.draws,
        small=small,
        least=MIN_DRAWN,
    )


def _compared(
    name: str,
    value: float,
    null: Floats,
    *,
    small: bool,
    sentence: str,
    against: str = SAME_NUMBER,
    logs: bool = False,
) -> Evidence:
    """The evidence of a value among drawn ones; ``logs`` says that they are logarithms of what is to be shown."""
    shown, expected = (float(np.exp(x) if logs else x) for x in (value, np.median(null)))
    return Evidence(
        name=name,
        family="time",
        value=shown,
        null=against,
        expected=expected,
        p_value=tail_p(value, null, small=small),
        sentence=sentence.format(value=shown, expected=expected),
    )


def time_evidence(groups: Groups, time: Ints, *, leave_out: Collection[str] = ()) -> list[Evidence]:
    """The time measures of a campaign; none where too few of its prompts have a time.

    Args:
        groups: matched with the campaign.
        time: int64[p], seconds of every prompt, or NO_TIME.
        leave_out: names of measures that are not wanted.
    """
    if (timed := _timed(groups, time)) is None:
        return []
    returning = int((np.bincount(timed.member) > 1).sum())
    found = []
    for name, measure, small, sentence in _MEASURES:
        if name in leave_out or (measure is _sittings and returning < MIN_RETURNING):
            continue
        value = float(measure(timed.own, timed.member)[0])
        null = _null(timed, measure, value, small=small)
        if len(null) < MIN_DRAWN:
            return []
        found.append(_compared(name, value, null, small=small, sentence=sentence))
    return found


# ---------------------------------------------------------------- coordination


def coordination_evidence(
    groups: Groups, time: Ints, *, model: Ints32 | None = None, leave_out: Collection[str] = ()
) -> list[Evidence]:
    """How far the accounts act as one: synchrony, no ramp-up, a hand-over between pools, a pivot to another model.

    A measure that the campaign is too short, too small or too little known for is left out; drawn groups for which it
    cannot be told are left out too.

    Args:
        groups: matched with the campaign.
        time: int64[p], seconds of every prompt, or NO_TIME.
        model: int32[p], which model every prompt went to, -1 where unknown; None where the dump does not say.
        leave_out: names of measures that are not wanted.
    """
    if (timed := _timed(groups, time)) is None:
        return []
    found = []
    for name, measure, small, logs, sentence in _COORDINATION:
        value = np.nan if name in leave_out else float(measure(timed.own, timed.member)[0])
        if np.isnan(value):
            continue
        null = _null(timed, measure, value, small=small)
        if len(null) >= MIN_DRAWN:
            evidence = _compared(name, value, null, small=small, logs=logs, sentence=sentence)
            too_little = measure is _hand_over and value < HANDED
            found.append(replace(evidence, p_value=1.0) if too_little else evidence)
    if model is None or PIVOT in leave_out or (model[groups.own[timed.held]] < 0).mean() > MISSING:
        return found
    return [*found, pivot] if (pivot := _moved(timed, model)) is not None else found


def _moved(timed: _Timed, model: Ints32) -> Evidence | None:
    """:func:`_pivot` of as many groups as it takes; None where it cannot be told.

    Each group is compared with all of them, so those of the steps before are looked at again.
    """
    groups, times = timed.groups, [timed.own]
    models = [model[groups.own[timed.held]][None]]
    found = None
    for low, high in steps(groups.draws):
        times.append(timed.drawn(low, high))
        models.append(model[groups.some(low, high)[timed.rows(low, high)][:, timed.held]])
        if sum(map(len, times)) <= MIN_DRAWN:
            continue
        told = _pivot(np.concatenate(times), np.concatenate(models), timed.member)
        if told is None:
            return None
        found, settled = told
        if settled:
            break
    return found


def _in_blocks(measure: _Measure, times: Ints, member: Ints) -> Floats:
    """A measure of many groups, so many at a time that memory stays small: float64[g], NaN where it cannot be told."""
    if not len(times):
        return np.empty(0)
    days = int((times.max() - times.min()) // DAY) + 2
    block = max(1, AT_ONCE // max(times.shape[1], days * DAY // HOUR))
    return np.concatenate([measure(times[i : i + block], member) for i in range(0, len(times), block)])


def _lifetimes(times: Ints, member: Ints) -> tuple[Ints, Ints, Ints]:
    """First and last prompt of each account, int64[g, m] each, and where each account begins, int64[m]."""
    start = np.flatnonzero(np.concatenate(([True], member[1:] != member[:-1])))
    return np.minimum.reduceat(times, start, axis=1), np.maximum.reduceat(times, start, axis=1), start


def _synchrony(times: Ints, member: Ints) -> Floats:
    """How much oftener two accounts act in the same hours of one day than at these hours of neighbouring days (log).

    SynchroTrap (Cao et al., CCS 2014) counts how often two accounts act in the same bin. People of one time zone, or
    of one week, do so without knowing one another; the neighbouring days take that away.
    """
    g = len(times)
    size = DAY // (SYNC_HOURS * HOUR)
    own = times // (SYNC_HOURS * HOUR) - int(times.min() // DAY) * size
    days = int(own.max()) // size + 2  # a day more, so that an account's next day is its own
    bins, accounts = days * size, int(member[-1]) + 1
    seen = unique((np.arange(g)[:, None] * accounts + member) * bins + own)
    row, where = seen // (accounts * bins), seen % bins
    active = np.bincount(row * bins + where, minlength=g * bins).reshape(g, days, size)
    together = (active * (active - 1)).sum(axis=2)
    again = np.searchsorted(seen, seen + size)
    again = seen[np.minimum(again, len(seen) - 1)] == seen + size
    alone = np.bincount((row * days + where // size)[again], minlength=g * days).reshape(g, days)
    following = (active[:, :-1] * active[:, 1:]).sum(axis=2) - alone[:, :-1]
    apart = np.zeros((g, days))
    apart[:, :-1] += following / 2
    apart[:, 1:] += following / 2
    order = np.argsort(together - apart, axis=1, kind="stable")
    lived = (active.sum(axis=2) > 0).sum(axis=1)
    kept = days - 1 - np.ceil(SYNC_LEFT_OUT * lived).astype(np.int64)
    rows = np.arange(g)
    near = np.take_along_axis(together, order, axis=1).cumsum(axis=1)[rows, kept]
    far = np.take_along_axis(apart, order, axis=1).cumsum(axis=1)[rows, kept]
    return np.where(lived >= SYNC_DAYS, np.log((near + 1) / (far + 1)), np.nan)


def _ramp(times: Ints, member: Ints) -> Floats:
    """How far the rate of an account's first day is from its rate thereafter (mean absolute log ratio).

    First and last prompt are not counted: they define the time that is looked at.
    """
    first, last, start = _lifetimes(times, member)
    count = np.diff(np.append(start, len(member)))
    early = np.add.reduceat((times < first[:, member] + DAY).astype(np.int64), start, axis=1)
    span = (last - first) / DAY
    shown = (count >= RAMP_PROMPTS) & (span >= RAMP_DAYS)
    usual = (count - early - 1) / np.maximum(span - 1, 1)
    distance = np.where(shown, abs(np.log(early - 0.5) - np.log(np.maximum(usual, 0) + 0.5)), 0)
    enough = shown.sum(axis=1)
    return np.where(enough >= MIN_RETURNING, distance.sum(axis=1) / np.maximum(enough, 1), np.nan)


def _hand_over(times: Ints, member: Ints) -> Floats:
    """At the best moment, the smaller of the shares of accounts that end and that begin within a day of it, times how
    even the volumes before, in and after these two days are.

    An event at which all come together is the last that some accounts do and the first that others do; but then more
    comes than before and after.
    """
    g = len(times)
    first, last, _ = _lifetimes(times, member)
    base = int(times.min()) // GRID
    bins = int(times.max()) // GRID - base + 1
    lasting = last - first >= LASTING_DAYS * DAY
    margin = (VOLUME_DAYS + 1) * GRIDS

    def counted(of: Ints, weight: Bools | None = None) -> Ints:
        """Up to each border of the grid, and to ``margin`` further ones on either side: int64[g, bins + 1 + ...]."""
        place = np.arange(g)[:, None] * bins + of // GRID - base
        counts = np.bincount(place.ravel() if weight is None else place[weight], minlength=g * bins).reshape(g, bins)
        upto = np.zeros((g, bins + 1 + 2 * margin), np.int64)
        np.cumsum(counts, axis=1, out=upto[:, margin + 1 : -margin])
        upto[:, -margin:] = upto[:, -margin - 1, None]
        return upto

    def around(upto: Ints, before: int, after: int) -> Ints:
        """Counts from ``before`` steps before to ``after`` steps after each border."""
        low, high = margin - before, margin + after
        return upto[:, high : high + bins + 1] - upto[:, low : low + bins + 1]

    changed = np.minimum(
        around(counted(last, lasting), GRIDS, GRIDS), around(counted(first, lasting), GRIDS, GRIDS)
    ) / (int(member[-1]) + 1)
    volume = counted(times)
    rates = np.array(
        [
            around(volume, margin, -GRIDS) / VOLUME_DAYS,
            around(volume, GRIDS, GRIDS) / 2,
            around(volume, -GRIDS, margin) / VOLUME_DAYS,
        ]
    )
    even = rates.min(axis=0) / np.maximum(rates.max(axis=0), 1e-9)
    border = np.arange(bins + 1)[None]
    inside = (border >= times.min(axis=1)[:, None] // GRID - base + margin) & (
        border <= times.max(axis=1)[:, None] // GRID - base + 1 - margin
    )
    return np.where(inside.any(axis=1), np.where(inside, changed * even, 0).max(axis=1), np.nan)


def _pivot(times: Ints, models: Ints32, member: Ints) -> tuple[Evidence, bool] | None:
    """The largest share of accounts that went over to one model within a day, beyond the mean of the drawn groups on
    that day, and whether so many groups show as much that it is settled; None where too few accounts could show it.

    Accounts are counted, not prompts: a sitting in one model is one choice.
    """
    start = np.flatnonzero(np.concatenate(([True], member[1:] != member[:-1])))
    known = models >= 0
    total = np.add.reduceat(known.astype(np.int64), start, axis=1)
    if (total[0] >= RAMP_PROMPTS).sum() < MIN_RETURNING:
        return None
    g, accounts = total.shape
    step = times // GRID - int(times.min()) // GRID
    bins = int(step.max()) + 1

    def before(which: Bools) -> Ints:
        """How many of an account's prompts come before each: int64[g, t]."""
        upto = which.cumsum(axis=1) - which
        return np.asarray(upto - upto[:, start][:, member])

    seen = before(known)
    used, count = np.unique(models[0][known[0]], return_counts=True)
    best = np.full(g, -np.inf)
    at, usual = 0, 0.0
    for code in used[np.argsort(-count, kind="stable")[:PIVOT_MODELS]].tolist():
        uses = models == code
        after = np.add.reduceat(uses.astype(np.int64), start, axis=1)[:, member]
        moves = uses & (before(uses) == 0) & (seen >= PIVOT_BEFORE) & (2 * after >= total[:, member] - seen)
        row, place = np.nonzero(moves)
        counts = np.bincount(row * bins + step[row, place], minlength=g * bins).reshape(g, bins)
        upto = np.concatenate((np.zeros((g, 1), np.int64), counts.cumsum(axis=1)), axis=1)
        border = np.arange(bins)
        share = (upto[:, np.minimum(border + GRIDS, bins)] - upto[:, border]) / accounts
        mean = share[1:].mean(axis=0)
        beyond = share - mean
        where = int(beyond[0].argmax())
        if beyond[0, where] > best[0]:
            at, usual = where, float(mean[where])
        best = np.maximum(best, beyond.max(axis=1))
    day = datetime.fromtimestamp((at + int(times.min()) // GRID) * GRID, UTC).strftime("%Y-%m-%d %H:%M")
    evidence = _compared(
        PIVOT,
        float(best[0]),
        best[1:],
        small=False,
        sentence=(
            f"In the 24 hours from {day} UTC {float(best[0]) + usual:.0%} of the accounts went over to one model; "
            f"{usual:.0%} of other accounts did at that time."
        ),
        against="groups of other accounts, each compared with all of them on the same day",
    )
    return evidence, int((best[1:] >= best[0]).sum()) >= SETTLED


_COORDINATION: Final[tuple[tuple[str, _Measure, bool, bool, str], ...]] = (
    (
        "synchrony",
        _synchrony,
        False,
        True,
        "Two accounts were active in the same 3 hours of one day {value:.1f} times as often as at those hours of the "
        "days beside it, their busiest days left out; {expected:.1f} times among other accounts.",
    ),
    (
        "no ramp-up",
        _ramp,
        True,
        True,
        "An account's rate on its first day and its rate thereafter differ by a factor of {value:.1f}; by "
        "{expected:.1f} among other accounts.",
    ),
    (
        "hand-over",
        _hand_over,
        False,
        False,
        "Within a day of one moment {value:.0%} of the accounts fell silent and as many began while the volume went on "
        "(the smaller share, times how even the volumes are); {expected:.0%} in groups of other accounts.",
    ),
)
"""Name, measure, whether small values are the extreme ones, whether they are logarithms, sentence."""


# ---------------------------------------------------------------- sign-ups


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUps:
    """When each of the a accounts of a dump was opened and first seen."""

    created: Ints
    """int64[a], seconds or NO_TIME."""
    first: Ints
    """int64[a], seconds of its first prompt, or NO_TIME."""


def sign_ups(account: Ints32, created_at: Ints, time: Ints, *, accounts: int) -> SignUps:
    """Creation and first prompt of every account; where its prompts name several creations, the earliest.

    Args:
        account: int32[p], ascending, of every prompt.
        created_at: int64[p], seconds or NO_TIME.
        time: int64[p], seconds or NO_TIME.
        accounts: how many there are.
    """

    def earliest(of: Ints) -> Ints:
        found = np.full(accounts, NO_TIME)
        known = of != NO_TIME
        whose, start = np.unique(account[known], return_index=True)
        if len(whose):
            found[whose] = np.minimum.reduceat(of[known], start)
        return found

    return SignUps(created=earliest(created_at), first=earliest(time))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The accounts whose opening is compared, in the orders in which others near in time are looked up."""

    of: SignUps
    seen_from: int | None
    """First prompt of the dump; None where no prompt has a time."""
    by_first: Ints
    """int64[b]: those to compare with, by their first prompt..."""
    first: Ints
    """int64[b]: ...and that."""
    by_created: Ints
    """int64[c]: those of them that were opened within the dump, by their creation..."""
    created: Ints
    """int64[c]: ...and that."""

    def fresh(self, accounts: AnyInts) -> Bools:
        """Which accounts were opened within the dump: only they show their first prompt."""
        if self.seen_from is None:
            return np.zeros(len(accounts), bool)
        created, first = self.of.created[accounts], self.of.first[accounts]
        return np.asarray((created >= self.seen_from) & (first >= created))


def opened_when(of: SignUps, others: Bools) -> Opened:
    """What sign-ups are compared with, once for all campaigns.

    Args:
        of: all accounts.
        others: bool[accounts], those to compare with: outside every campaign.
    """
    free = np.flatnonzero(others & (of.created != NO_TIME))
    seen = of.first[of.first != NO_TIME]
    by_first = free[np.argsort(of.first[free], kind="stable")]
    found = Opened(
        of=of,
        seen_from=int(seen.min()) if len(seen) else None,
        by_first=by_first,
        first=of.first[by_first],
        by_created=by_first[:0],
        created=of.created[:0],
    )
    new = free[found.fresh(free)]
    new = new[np.argsort(of.created[new], kind="stable")]
    return replace(found, by_created=new, created=of.created[new])


def sign_up_evidence(opened: Opened, members: Ints32, *, seed: int, leave_out: Collection[str] = ()) -> list[Evidence]:
    """Whether the members were opened together, and put to use after the same time.

    A member is compared with accounts that were first seen at about the same time (for the gap: opened at about the
    same time), so that a wave of newcomers to the whole service is no evidence. Accounts without a creation are left
    out of both sides; where most members lack one, nothing is said.

    Args:
        opened: all accounts, and which of them to compare with; no member is one of these.
        members: int32[a], ascending.
        seed: of the draws.
        leave_out: names of measures that are not wanted.
    """
    of = opened.of
    own = members[of.created[members] != NO_TIME]
    if len(own) < MIN_SIGN_UPS or len(own) < len(members) / 2:
        return []
    found = []
    chosen = own[spread(len(own), MAX_MEMBERS)]
    if COHORT not in leave_out and len(opened.first) >= MIN_OTHERS:
        rng = np.random.default_rng(seed)
        near = _near(of.first[chosen], opened.first)
        value = float(_same_day(of.created[chosen][None])[0])
        null = draw_until_settled(
            value, lambda low, high: _same_day(of.created[opened.by_first[_matched(near, high - low, rng)]])
        )
        busiest = np.sort(np.unique(of.created[own] // DAY, return_counts=True)[1])[-3:].sum()
        found.append(
            _compared(
                COHORT,
                value,
                null,
                small=False,
                sentence=(
                    "Two of the accounts were opened on the same day in {value:.1%} of cases, in {expected:.1%} among "
                    f"other accounts first seen at the same time; {busiest} of {len(own)} on the three busiest days."
                ),
                against="as many other accounts, first seen at about the same time",
            )
        )
    newly = own[opened.fresh(own)] if GAP not in leave_out else own[:0]
    if len(newly) >= max(MIN_SIGN_UPS, len(own) / 2) and len(opened.created) >= MIN_OTHERS:
        chosen = newly[spread(len(newly), MAX_MEMBERS)]
        near = _near(of.created[chosen], opened.created)
        new_rng = np.random.default_rng(seed)

        def gap(accounts: AnyInts) -> Floats:
            return np.asarray(np.log(of.first[accounts] - of.created[accounts] + 60.0))

        value = float(_middle_half(gap(chosen)[None])[0])
        null = draw_until_settled(
            value,
            lambda low, high: _middle_half(gap(opened.by_created[_matched(near, high - low, new_rng)])),
            small=True,
        )
        usual = float(np.exp(np.median(gap(newly))) / HOUR)
        found.append(
            _compared(
                GAP,
                value,
                null,
                small=True,
                sentence=(
                    f"{usual:.1f} hours lie between sign-up and first prompt (median of {len(newly)} accounts); the "
                    "quartiles differ by a factor of {value:.1f}, among other new accounts by {expected:.1f}."
                ),
                against="as many other accounts, opened within the dump at about the same time",
                logs=True,
            )
        )
    return found


def _near(own: Ints, others: Ints) -> tuple[Ints, Ints]:
    """Of m moments, where in ``others``, ascending, those near each begin, and how many they are; all of them where it
    is NO_TIME."""
    window = min(len(others), max(MATCHED, 3 * len(own)))
    low = np.clip(np.searchsorted(others, own) - window // 2, 0, len(others) - window)
    return np.where(own == NO_TIME, 0, low), np.where(own == NO_TIME, len(others), window)


def _matched(near: tuple[Ints, Ints], draws: int, rng: np.random.Generator) -> Ints:
    """Positions int64[draws, m] of others near each of m moments."""
    low, size = near
    return np.asarray(low + (rng.random((draws, len(low))) * size).astype(np.int64))


def _same_day(created: Ints) -> Floats:
    """Share of pairs opened on one day: float64[g] of int64[g, m]."""
    g, m = created.shape
    day = np.sort(created // DAY, axis=1)
    new = np.ones((g, m), bool)
    new[:, 1:] = day[:, 1:] != day[:, :-1]
    start = np.flatnonzero(new)
    count = np.diff(np.append(start, g * m))
    pairs = np.bincount(start // m, count * (count - 1.0), minlength=g)
    return np.asarray(pairs / (m * (m - 1)), np.float64)


def _middle_half(values: Floats) -> Floats:
    """Distance of the quartiles: float64[g] of float64[g, m]."""
    low, high = np.quantile(values, (0.25, 0.75), axis=1)
    return np.asarray(high - low)
