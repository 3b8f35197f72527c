"""Which campaigns a drill plants: a centre, one factor at a time off it, and random combinations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final, Literal, TypeAlias

from harvestdetect.errors import SettingsError

__all__ = [
    *("CENTRE", "FACTORS", "INFRASTRUCTURES", "MOST_ACCOUNTS", "MOST_PROMPTS", "MOST_TRIALS", "REPEATS", "REWORDINGS"),
    *("TEMPOS", "Design", "Levels", "Plan", "Skipped", "Trial", "levels_of", "make_plan", "percent_of"),
]

Rewording: TypeAlias = Literal["one-template", "templates", "reworded", "no-template"]
Tempo: TypeAlias = Literal["machine", "human"]
Infrastructure: TypeAlias = Literal["none", "shared"]

REWORDINGS: Final[tuple[Rewording, ...]] = ("one-template", "templates", "reworded", "no-template")
"""One template; several templates; one request that is reworded for every prompt; questions without a template."""
TEMPOS: Final[tuple[Tempo, ...]] = ("machine", "human")
"""Around the clock; at the times of day at which accounts of the dump send."""
INFRASTRUCTURES: Final[tuple[Infrastructure, ...]] = ("none", "shared")
"""No common values; a few common addresses."""

MOST_ACCOUNTS: Final = 100_000
"""Most accounts of a planted campaign."""
MOST_PROMPTS: Final = 10_000
"""Most prompts per account of a planted campaign."""
MOST_TRIALS: Final = 10_000
"""Most trials of a drill."""
REPEATS: Final = 4
"""Trials of the centre, and of each level off it, unless a number of trials is given. With fewer, the interval of a
level that is never found would reach above one half."""
PER_RANDOM: Final = 5
"""One trial in this number is a random combination."""
REDRAWS: Final = 200
"""Random combinations that are drawn before a drill does with fewer of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One campaign to plant: a level of each factor."""

    accounts: int
    prompts: int
    """Campaign prompts per account, on average."""
    share: float
    """Campaign prompts over all prompts of an account."""
    rewording: Rewording
    tempo: Tempo
    infrastructure: Infrastructure


CENTRE: Final = Design(
    accounts=25, prompts=10, share=0.5, rewording="one-template", tempo="machine", infrastructure="none"
)
"""The design from which one factor at a time is moved."""

Levels: TypeAlias = Mapping[str, Sequence[Any]]
"""Name of a factor, a field of :class:`Design` -> its levels."""

FACTORS: Final[Levels] = {
    "accounts": (10, 25, 60, 200),
    "prompts": (1, 3, 10, 30),
    "share": (1.0, 0.5, 0.2, 0.05),
    "rewording": REWORDINGS,
    "tempo": TEMPOS,
    "infrastructure": INFRASTRUCTURES,
}
"""The levels that a drill tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One campaign that is planted once."""

    number: int
    """From 1. Together with the seed it determines all draws of the trial."""
    design: Design
    factor: str | None
    """The factor that is off the centre; None for the centre itself and for random combinations."""
    random: bool = False
    """Whether it is a random combination."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A design that cannot be planted into this dump."""

    design: Design
    factor: str | None
    """The factor that is off the centre; None for the centre."""
    reason: str
    """A clause in plain words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The trials of a drill."""

    centre: Design
    levels: Levels
    trials: tuple[Trial, ...]
    skipped: tuple[Skipped, ...]


def percent_of(share: float) -> str:
    """A share in per cent, such as ``5 %`` or ``0.5 %``."""
    return f"{share * 100:.3g} %"


def levels_of(fixed: Mapping[str, Any], *, infrastructure: bool) -> Levels:
    """The levels to try.

    Args:
        fixed: name of a factor -> its only level.
        infrastructure: whether the dump has a field whose values campaigns can share.

    Raises:
        SettingsError: there is no such factor or level.
    """
    levels = {name: tuple(values) for name, values in FACTORS.items()}
    if not infrastructure:
        levels["infrastructure"] = ("none",)
    for name, value in fixed.items():
        if name not in FACTORS:
            raise SettingsError(f"a factor must be one of {', '.join(FACTORS)}, got {name!r}")
        _check(name, value)
        levels[name] = (value,)
    return levels


def _check(name: str, value: Any) -> None:
    """Checks one level of a factor."""
    if name in ("accounts", "prompts"):
        least, most = (2, MOST_ACCOUNTS) if name == "accounts" else (1, MOST_PROMPTS)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise SettingsError(f"{name} of a trial must be a whole number from {least} to {most:,}, got {value!r}")
    elif name == "share":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.001 <= value <= 1:
            raise SettingsError(f"share of a trial must be a number from 0.001 to 1, got {value!r}")
    elif value not in FACTORS[name]:
        raise SettingsError(f"{name} of a trial must be one of {', '.join(FACTORS[name])}, got {value!r}")


def make_plan(levels: Levels, *, trials: int | None, seed: int, impossible: Callable[[Design], str | None]) -> Plan:
    """The trials of a drill: rounds of the centre and of each level off it, with random combinations in between.

    So every beginning of the list has about as many trials of each level. Designs that the dump does not allow are
    left out, and the others are tried in their place.

    Args:
        levels: the levels of each factor. The centre takes the level of :data:`CENTRE` if it is among them, and the
            first one otherwise.
        trials: number of trials; None takes :data:`REPEATS` of each design and a quarter as many random combinations.
        seed: of the random combinations.
        impossible: says why a design cannot be planted; None if it can.

    Raises:
        SettingsError: ``trials`` is out of its range.
    """
    if trials is not None and not 1 <= trials <= MOST_TRIALS:
        raise SettingsError(f"trials must be from 1 to {MOST_TRIALS:,}, got {trials}")
    middle = {name: getattr(CENTRE, name) for name in levels}
    centre = Design(**{name: middle[name] if middle[name] in values else values[0] for name, values in levels.items()})
    designs: list[tuple[Design, str | None]] = [(centre, None)]
    for name, values in levels.items():
        at = getattr(centre, name)
        designs += [(replace(centre, **{name: value}), name) for value in values if value != at]
    skipped, usable = [], []
    for design, factor in designs:
        reason = impossible(design)
        if reason is None:
            usable.append((design, factor))
        else:
            skipped.append(Skipped(design=design, factor=factor, reason=reason))
    combine = any(len(values) > 1 for values in levels.values())
    wanted = REPEATS * len(usable) * PER_RANDOM // (PER_RANDOM - 1) if trials is None else trials
    if trials is None and not combine:
        wanted = REPEATS * len(usable)
    drawn = _combinations(levels, wanted // PER_RANDOM if combine else 0, seed=seed, impossible=impossible)
    chosen: list[Trial] = []
    turn = 0
    for number in range(1, wanted + 1):
        if (number % PER_RANDOM == 0 or not usable) and drawn:
            chosen.append(Trial(number=number, design=drawn.pop(0), factor=None, random=True))
        elif usable:
            design, factor = usable[turn % len(usable)]
            turn += 1
            chosen.append(Trial(number=number, design=design, factor=factor))
    return Plan(centre=centre, levels=levels, trials=tuple(chosen), skipped=tuple(skipped))


def _combinations(levels: Levels, count: int, *, seed: int, impossible: Callable[[Design], str | None]) -> list[Design]:
    """Random combinations that can be planted, each level as likely as the others of its factor."""
    random = Random(f"drill combinations {seed}")
    found: list[Design] = []
    known: dict[Design, bool] = {}
    for _ in range(REDRAWS + count):
        if len(found) == count:
            break
        design = Design(**{name: random.choice(values) for name, values in levels.items()})
        if design not in known:
            known[design] = impossible(design) is None
        if known[design]:
            found.append(design)
    return found
