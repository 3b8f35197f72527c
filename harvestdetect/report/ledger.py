"""The ledger of a finding as people read it: blocks by family, with a sentence for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harvestdetect.data import BenignExplanation, Evidence, Family, LedgerRow, Way
from harvestdetect.evidence.explanations import EXPLANATIONS
from harvestdetect.report.format import found_because

__all__ = ["ONE_BIT", "Block", "Line", "Shown", "bits", "found_line", "shown_ledger"]

ONE_BIT: Final = (
    "One bit: campaigns look like this twice as often as innocent groups. Two bits: four times as often. "
    "Minus one bit: innocent groups look like this twice as often as campaigns."
)
"""What a bit is, for readers who have never heard of one."""
LEAST_REST: Final = 0.05
"""Bits from which the sum of the rows that a ledger leaves out is shown."""
_ORDER: Final[Sequence[Family]] = ("text", "structure", "time", "infrastructure", "intent")
"""The order of the blocks."""
_FAMILY_OF: Final[Mapping[Way, Family]] = {"texts": "text", "infrastructure": "infrastructure"}
"""The family that measures what a candidate was found by."""
_EXPLAINS: Final[Mapping[str, str]] = {row: e.id for e in EXPLANATIONS for row in e.rows}
"""Row of the ledger -> id of the benign explanation that it speaks for where it speaks against a campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a ledger."""

    id: str
    bits: float
    name: str
    """Label of the measure or reading."""
    sentence: str
    """What was seen; empty if it is not known."""
    explanation: str
    """The benign explanation that it speaks for; empty if it speaks for a campaign, or for no certain one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The rows of one family."""

    family: Family
    bits: float
    """Their sum."""
    lines: tuple[Line, ...]
    """Strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A ledger."""

    prior: float
    """Bits before any evidence."""
    blocks: tuple[Block, ...]
    rest: float
    """Bits of the rows that are left out because each says next to nothing; 0 if they come to nothing."""
    total: float


def found_line(ways: Sequence[Way], rows: Sequence[LedgerRow]) -> str:
    """How a candidate was found, and which of these ways is no evidence for it by its ledger; empty if none is known.

    Args:
        ways: in which it was found.
        rows: its ledger; empty in results of older versions.
    """
    found = found_because(ways)
    weak = []
    for family in (_FAMILY_OF[way] for way in ways if way in _FAMILY_OF):
        own = [row.bits for row in rows if row.family == family]
        if own and sum(own) <= 0:
            weak.append(f"{family} has {bits(sum(own))} bits")
    return f"{found} That is how it was found, not what speaks for it: {' and '.join(weak)}." if weak else found


def shown_ledger(
    rows: Sequence[LedgerRow],
    *,
    total: float,
    evidence: Sequence[Evidence] = (),
    benign: Sequence[BenignExplanation] = (),
) -> Shown | None:
    """A ledger for people; None if there is none, as in results of older versions.

    Args:
        rows: of the finding or candidate.
        total: its score.
        evidence: its measures, for their sentences.
        benign: its benign explanations, for their names.
    """
    if not rows:
        return None
    said = {e.id: e.sentence for e in evidence}
    named = {b.id: b.name for b in benign}
    lines: dict[Family, list[Line]] = {}
    for row in rows:
        if row.family is not None:
            against = named.get(_EXPLAINS.get(row.id, ""), "") if row.bits < 0 else ""
            line = Line(
                id=row.id, bits=row.bits, name=row.name, explanation=against,
                sentence=row.sentence or said.get(row.id, ""),
            )  # fmt: skip
            lines.setdefault(row.family, []).append(line)
    blocks = tuple(
        Block(
            family=family,
            bits=sum(line.bits for line in lines[family]),
            lines=tuple(sorted(lines[family], key=lambda line: -abs(line.bits))),
        )
        for family in _ORDER
        if family in lines
    )
    prior = sum(row.bits for row in rows if row.family is None)
    rest = total - prior - sum(block.bits for block in blocks)
    return Shown(prior=prior, blocks=blocks, rest=rest if abs(rest) >= LEAST_REST else 0.0, total=total)


def bits(value: float) -> str:
    """A number of bits with its sign, to a tenth: ``+1.4``, ``−0.3``, ``0.0``."""
    text = f"{abs(value):.1f}"
    return text if text == "0.0" else f"{'+' if value > 0 else '−'}{text}"
