"""Formats numbers and times for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from harvestdetect.data import NO_TIME, TIERS, Detection, Finding, Member, Standing, Tier, Way

__all__ = [
    "UNTESTED",
    "active_days",
    "by_priority",
    "chance",
    "count",
    "day",
    "expected_innocent",
    "few",
    "files_read",
    "found_because",
    "held_out",
    "iso_time",
    "least_claimed",
    "minute",
    "number",
    "p_value",
    "percent",
    "period",
    "plural",
    "probability",
    "prompts_read",
    "rough",
    "seconds_of",
    "size",
    "standing_line",
    "tier_counts",
]

_BECAUSE: Final[Mapping[Way, str]] = {
    "texts": "its texts are alike",
    "accounts": "its accounts are alike in all that they send",
    "infrastructure": "its accounts share rare values or sign-ups, and write alike",
    "succession": "its parts, each with other accounts, continue one another over time",
    "seed": "a person chose texts or accounts that lead to it",
}
"""How a candidate was found, in words."""
_CHOSEN: Final = (
    "Its probability holds only if the choice was made without knowing what is measured here: evidence that led to the "
    "choice counts twice."
)
"""What is to be kept in mind of a candidate that only seeds gave."""
_SUREST: Final = 1e-12
"""p-value below which no smaller one is shown: p-values are extrapolated there, and the ledger takes them as equal."""
UNTESTED: Final = 0.01
"""Smallest probability that is claimed where a scan does not say how far its ledger was tested. Chosen."""
_BOUNDS: Final = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)
"""Probabilities that small ones are said to be below."""
_ONE_IN: Final = (10, 20, 30, 50, 100)
"""What small probabilities are rounded to: one in so many."""
_LEAST_EXPECTED: Final = 0.1
"""Number of findings below which no smaller one is shown."""
_SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Digits and minus -> superscripts."""


def iso_time(seconds: int | None) -> str | int | None:
    """A time such as ``2026-03-01T12:00:00Z``; None without a time; the number itself outside the years 1 to 9999."""
    if seconds is None or seconds == NO_TIME:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return int(seconds)


def seconds_of(time: str | int | None) -> int | None:
    """The reverse of :func:`iso_time`.

    Raises:
        ValueError: the text is not an ISO 8601 time.
    """
    return int(datetime.fromisoformat(time).timestamp()) if isinstance(time, str) else time


def day(seconds: int | None) -> str:
    """A day such as ``2026-03-01``, or a dash."""
    time = iso_time(seconds)
    return "–" if time is None else str(time).split("T")[0]


def minute(seconds: int | None) -> str:
    """A time in UTC to the minute, such as ``2026-03-01 12:00``, or a dash."""
    time = iso_time(seconds)
    return "–" if time is None else str(time).replace("T", " ")[:16]


def found_because(ways: Sequence[Way]) -> str:
    """The ways in which a candidate was found, in one sentence; empty if none is known."""
    reasons = [_BECAUSE[way] for way in ways]
    found = f"Found because {', and because '.join(reasons)}." if reasons else ""
    return f"{found} {_CHOSEN}" if tuple(ways) == ("seed",) else found


def period(first: int | None, last: int | None) -> str:
    """A period such as ``2026-03-01 – 2026-04-14``, one day, or a dash."""
    return day(first) if day(first) == day(last) else f"{day(first)} – {day(last)}"


def count(value: int) -> str:
    """A whole number with thousands separators."""
    return f"{value:,}"


def plural(value: int, noun: str, nouns: str | None = None) -> str:
    """A number with its noun: ``1 account``, ``1,200 accounts``."""
    return f"{value:,} {noun if value == 1 else nouns or noun + 's'}"


def number(value: float | None) -> str:
    """A number with about three significant digits."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e12 else _power(value)
    return f"{value:.3g}" if abs(value) >= 0.001 else _power(value)


def p_value(value: float | None) -> str:
    """A p-value with three decimals, or as a power of ten if it is small, no surer than :data:`_SUREST`."""
    if value is None or math.isnan(value):
        return "–"
    if value < _SUREST:
        return "below 10⁻¹²"
    return f"{value:.3f}" if value >= 0.001 else _power(value)


def percent(value: float | None) -> str:
    """A share from 0 to 1 in per cent, with two significant digits below one per cent."""
    if value is None or math.isnan(value):
        return "–"
    if value and value < 1e-6:
        return "under 0.0001 %"
    if 0 < value < 0.01:
        return f"{float(f'{value * 100:.2g}'):.6f}".rstrip("0").rstrip(".") + " %"
    return f"{value * 100:.0f} %"


def rough(value: float | None) -> str:
    """A number with about two significant digits."""
    return number(value if value is None or not math.isfinite(value) else float(f"{value:.2g}"))


def probability(value: float | None, *, least: float = UNTESTED) -> str:
    """A probability in words, no surer than its evidence: ``over 99 %``, ``about 90 %``, ``about 1 in 20``.

    Args:
        value: 0 to 1; None or NaN where it is not known.
        least: the smallest probability that is claimed, of this outcome or of the other one, see
            :func:`least_claimed`.
    """
    if value is None or math.isnan(value):
        return "–"
    likely, small = value > 0.5, min(value, 1 - value)
    # a bound is said for all that is beyond the finest one, so that a surer value never sounds less sure
    if small < _bound(max(least, 0.01)):
        bound = _bound(max(small, least))
        return f"over {100 * (1 - bound):g} %" if likely else f"under 1 in {1 / bound:,.0f}"
    if small >= 0.1:
        return f"about {5 * round(value * 20)} %"
    one_in = min(_ONE_IN, key=lambda n: abs(math.log(n * small)))
    return f"about {100 - 100 / one_in:.0f} %" if likely else f"about 1 in {one_in}"


def _bound(small: float) -> float:
    """The smallest of the bounds that is no smaller than a probability, or the largest one."""
    return next((bound for bound in _BOUNDS if bound >= small), _BOUNDS[-1])


def least_claimed(ledger: Mapping[str, Any]) -> float:
    """The smallest probability of innocence that a scan may claim: one in as many innocent groups as its ledger was
    tested on.

    Args:
        ledger: see :attr:`harvestdetect.data.Detection.ledger`; empty in results of older versions.
    """
    tested = held_out(ledger)
    return UNTESTED if tested is None else 1 / tested


def held_out(ledger: Mapping[str, Any]) -> int | None:
    """The number of innocent groups that a ledger was tested on; None if it is not known.

    Args:
        ledger: see :attr:`harvestdetect.data.Detection.ledger`; empty in results of older versions.
    """
    tested = ledger.get("held_out")
    return tested if isinstance(tested, int) and tested > 1 else None


def chance(finding: Finding, ledger: Mapping[str, Any] | None = None) -> str:
    """The probability that a finding is a campaign, in words, no surer than its ledger was tested.

    Args:
        finding: of a scan.
        ledger: of the detection, see :func:`least_claimed`; None takes what the finding knows of it.
    """
    tested = {"held_out": finding.tested} if ledger is None else ledger
    return probability(finding.probability, least=least_claimed(tested))


def expected_innocent(expected: float, findings: int) -> str:
    """How many findings may be innocent groups: ``of these, about 0.3 expected to be innocent``.

    Args:
        expected: number of innocent groups to expect; NaN where it is not known.
        findings: number of findings.
    """
    if math.isnan(expected):
        return ""
    if expected >= findings:
        return "as many innocent groups are expected"
    return f"{'of these, ' if findings > 1 else ''}{few(expected)} expected to be innocent"


def few(expected: float) -> str:
    """An expected number of findings, no finer than it can be known: ``fewer than 0.1``, ``about 2.5``."""
    if math.isnan(expected):
        return ""
    return f"fewer than {_LEAST_EXPECTED:g}" if expected < _LEAST_EXPECTED else f"about {rough(expected)}"


def size(value: int) -> str:
    """A number of bytes in decimal units."""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def active_days(finding: Finding) -> int:
    """Number of days on which the campaign sent prompts; 0 without times."""
    return sum(1 for _, prompts in finding.days if prompts)


def by_priority(members: Sequence[Member]) -> list[Member]:
    """Members in the order in which to look at them.

    Those that are recommended come first. Then the number of prompts of the campaign decides that a member is expected
    to have sent: its membership times its prompts that fit. Equal ones stay in their order.
    """
    return sorted(members, key=lambda m: (not m.recommended, -m.membership * m.harvest_prompts))


def tier_counts(detection: Detection) -> dict[Tier, int]:
    """Number of findings by tier, the highest tier first, without empty tiers."""
    counts: dict[Tier, int] = dict.fromkeys(TIERS, 0)
    for finding in detection.findings:
        counts[finding.tier] += 1
    return {tier: n for tier, n in counts.items() if n}


def prompts_read(detection: Detection) -> int:
    """Number of prompts of a detection."""
    rows = sum(f.rows for f in detection.files)
    return int(detection.counts.get("prompts", rows))


def files_read(detection: Detection) -> int:
    """Number of files of a detection."""
    return int(detection.counts.get("files", len(detection.files)))


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    digits = mantissa.removesuffix(".0")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    return power if digits == "1" else f"{digits} × {power}"


def standing_line(standing: Standing) -> str:
    """What a state knows of the campaign of a finding, as one line."""
    known = f"known since {day(standing.detected)}"
    if standing.status == "quiet":
        parts = [f"quiet, {known}"]
    elif standing.fresh:
        parts = [standing.status if standing.status == "new" else f"{standing.status}, {known}"]
    else:
        parts = [known, "not active since the last run"]
    if (standing.status != "new" or not standing.fresh) and standing.new_accounts:
        parts.append(plural(standing.new_accounts, "new account"))
    line = "; ".join(parts).capitalize() + "."
    return " ".join([line, *standing.notes, *([standing.verdict] if standing.verdict else [])])
