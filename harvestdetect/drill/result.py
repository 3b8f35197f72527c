"""What a drill finds out: outcomes of trials, shares found by level with intervals, blind spots in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvestdetect.data import Tier
from harvestdetect.drill.grid import Design, Plan, Trial, percent_of
from harvestdetect.report.format import plural
from harvestdetect.util.intervals import wilson

__all__ = [
    *("FACTOR_NAMES", "NEVER_TRIED", "Drill", "Level", "Outcome", "Rate", "blind_spots", "design_text", "level_text"),
    *("levels_found", "rate_of", "subject_of"),
]

BLIND: Final = 0.5
"""A level is a blind spot if the upper end of the interval of its share found is below this share."""

FACTOR_NAMES: Final[Mapping[str, str]] = {
    "accounts": "accounts",
    "prompts": "prompts per account",
    "share": "share of the accounts' traffic",
    "rewording": "rewording",
    "tempo": "tempo",
    "infrastructure": "infrastructure",
}
"""Factor -> its name for people."""
WORDS: Final[Mapping[str, str]] = {
    "one-template": "one template",
    "templates": "several templates",
    "reworded": "every prompt reworded",
    "no-template": "no template",
    "machine": "machine",
    "human": "human",
    "none": "none shared",
    "shared": "a few shared addresses",
}
"""Level -> its name for people."""
SUBJECTS: Final[Mapping[str, str]] = {
    "one-template": "Campaigns of one template",
    "templates": "Campaigns of several templates",
    "reworded": "Campaigns that reword every prompt",
    "no-template": "Campaigns without a template",
    "machine": "Campaigns at machine pace",
    "human": "Campaigns at the times of day of other accounts",
    "none": "Campaigns that share no infrastructure",
    "shared": "Campaigns that share a few addresses",
}
"""Level -> what campaigns of this level are called in a sentence."""
NEVER_TRIED: Final = (
    "campaigns in other languages than English; prompts of several turns, with system texts or encoded; pools of "
    "accounts that hand over; accounts that were opened together; campaigns that were stopped or that lie outside of "
    "the dump's time"
)
"""What no drill plants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One trial and what the scan made of it."""

    trial: Trial
    accounts: int
    prompts: int
    """Campaign prompts."""
    own: int
    """Prompts of real accounts that the planted accounts have besides."""
    real: int
    """Planted accounts that are one real account."""
    joined: int
    """Planted accounts that have the prompts of several real accounts."""
    new: int
    """Planted accounts that have campaign prompts only."""
    scan: int
    """Number of the scan, from 1."""
    tier: Tier | None
    """Tier of the finding that fits the campaign best; None if no finding has an account of it."""
    found: bool
    """Whether one finding at urgent or review has at least half of its accounts, and consists of them by half."""
    seen: bool
    """The same with findings at watch."""
    inside: bool
    """Whether it is not found, but half of its accounts are in one finding at urgent or review with more others."""
    account_recall: float
    """Share of its accounts that are members of any finding at urgent or review."""

    @property
    def share(self) -> float:
        """Campaign prompts over all prompts of the planted accounts."""
        return self.prompts / (self.prompts + self.own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many of some trials were found."""

    tried: int
    found: int
    """At urgent or review."""
    seen: int
    """At any tier."""
    inside: int
    """Not found, but part of a larger finding at urgent or review."""
    low: float
    high: float
    """The ends of the 95 % Wilson interval of the share found at urgent or review."""
    account_recall: float | None
    """Mean over the trials; None without trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level of a factor, and what was found of its campaigns."""

    factor: str
    value: Any
    centre: bool
    """Whether it is the level of the centre."""
    alone: Rate
    """Of the trials with all other factors at the centre."""
    mixed: Rate
    """Of the random combinations with this level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """The result of a drill."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    """By the number of the trial."""
    unplaced: tuple[Trial, ...]
    """Trials for which the dump had too few accounts."""
    levels: tuple[Level, ...]
    blind_spots: tuple[str, ...]
    """Sentences."""
    not_tried: tuple[str, ...]
    """Sentences."""
    scans: int
    """Scans with planted campaigns."""
    repeated: int
    """Trials that were not found and were planted again, because a finding mixed them with others."""
    set_aside: int
    """Accounts of findings of the plain scan, which are never hosts."""
    prompts: int
    accounts: int
    seconds: float
    seed: int
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    files: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def overall(self) -> Rate:
        """Of all trials."""
        return rate_of(self.outcomes)


def rate_of(outcomes: Iterable[Outcome]) -> Rate:
    """The rate of some outcomes."""
    chosen = list(outcomes)
    found = sum(one.found for one in chosen)
    low, high = wilson(found, len(chosen))
    recall = sum(one.account_recall for one in chosen) / len(chosen) if chosen else None
    return Rate(
        tried=len(chosen),
        found=found,
        seen=sum(one.seen for one in chosen),
        inside=sum(one.inside for one in chosen),
        low=low,
        high=high,
        account_recall=recall,
    )


def levels_found(plan: Plan, outcomes: Sequence[Outcome]) -> tuple[Level, ...]:
    """The rates of every level of every factor."""
    found = []
    for factor, values in plan.levels.items():
        for value in values:
            centre = getattr(plan.centre, factor) == value

            def has(one: Outcome, factor: str = factor, value: Any = value, centre: bool = centre) -> bool:
                if one.trial.random or getattr(one.trial.design, factor) != value:
                    return False
                return one.trial.factor == (None if centre else factor)

            mixed = [o for o in outcomes if o.trial.random and getattr(o.trial.design, factor) == value]
            found.append(
                Level(
                    factor=factor, value=value, centre=centre, alone=rate_of(filter(has, outcomes)),
                    mixed=rate_of(mixed),
                )
            )  # fmt: skip
    return tuple(found)


def blind_spots(plan: Plan, levels: Sequence[Level]) -> tuple[str, ...]:
    """One sentence for each level of which fewer than half of the campaigns are found, beyond the doubt of chance.

    If already the centre is not found, this comes first, and the levels that are not found either say nothing new.
    """
    sentences = []
    centre = next(level for level in levels if level.centre)
    if _blind(centre.alone):
        sentences.append(_found(f"Campaigns at the centre ({design_text(plan.centre)})", centre.alone))
    sentences += [
        _found(subject_of(level.factor, level.value), level.alone)
        for level in levels
        if not level.centre and _blind(level.alone)
    ]
    for level in levels:
        if _blind(level.mixed) and (level.centre or not _blind(level.alone)):
            subject = subject_of(level.factor, level.value)
            sentences.append(_found(f"In random combinations, {subject[0].lower()}{subject[1:]}", level.mixed))
    return tuple(sentences)


def _blind(rate: Rate) -> bool:
    return rate.tried > 0 and rate.high < BLIND


def _found(subject: str, rate: Rate) -> str:
    """A sentence such as "Campaigns of 10 accounts were found in 0 of 4 trials."."""
    sentence = f"{subject} were found in {rate.found} of {plural(rate.tried, 'trial')}."
    more = rate.seen - rate.found
    if more:
        sentence += f" {more} more reached watch."
    if rate.inside:
        sentence += f" {rate.inside} more {'was' if rate.inside == 1 else 'were'} part of a larger finding."
    return sentence


def subject_of(factor: str, value: Any) -> str:
    """What campaigns with a level are called, as the beginning of a sentence."""
    if factor == "accounts":
        return f"Campaigns of {value:,} accounts"
    if factor == "prompts":
        return f"Campaigns with {plural(value, 'prompt')} per account"
    if factor == "share":
        return f"Campaigns that are {percent_of(value)} of their accounts' traffic"
    return SUBJECTS[value]


def level_text(factor: str, value: Any) -> str:
    """A level for people."""
    if factor == "share":
        return percent_of(value)
    return f"{value:,}" if isinstance(value, int) else WORDS[value]


def design_text(design: Design) -> str:
    """A design in one line."""
    texts = [
        plural(design.accounts, "account"),
        f"{plural(design.prompts, 'prompt')} per account",
        f"{percent_of(design.share)} of their traffic",
        WORDS[design.rewording],
        f"{WORDS[design.tempo]} tempo",
        f"infrastructure: {WORDS[design.infrastructure]}",
    ]
    return ", ".join(texts)
