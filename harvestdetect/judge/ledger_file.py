"""The file of a ledger: canonical JSON. The package ships one, ``ledger.json``."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from itertools import pairwise
from typing import Final

from harvestdetect.data import Family
from harvestdetect.errors import CalibrationError
from harvestdetect.judge.ledger import Curve, Ledger, Reference

__all__ = ["dumped", "loaded", "reaches_of", "shipped_ledger"]

FORMAT: Final = "harvestdetect-ledger"
"""Value of ``format`` in the file."""
VERSION: Final = 2
"""Version of the file. Version 1 had one reference for candidates of all sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    family: Family
    knots: tuple[float, ...]
    bits: tuple[float, ...]
    references: tuple[Reference, ...]
    weight: float
    relative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    format: str
    version: int
    made: str
    sources: tuple[str, ...]
    prior: float
    steady: float
    rows: dict[str, _Row]
    held_out: tuple[tuple[float | None, float | None, float | None], ...]
    held_out_count: int
    held_out_prompts: int


def dumped(ledger: Ledger) -> bytes:
    """The file of a ledger; equal ledgers give equal bytes."""
    values = {
        "format": FORMAT,
        "version": VERSION,
        "made": ledger.made,
        "sources": list(ledger.sources),
        "prior": round(ledger.prior, 4),
        "steady": ledger.steady,
        "rows": {
            id_: {
                "family": c.family,
                "knots": [round(x, 5) for x in c.knots],
                "bits": [round(x, 4) for x in c.bits],
                "references": [
                    {
                        "accounts": round(r.accounts, 2),
                        "values": [round(x, 5) for x in r.values],
                        "tails": [round(x, 6) for x in r.tails],
                    }
                    for r in c.references
                ],
                "relative": c.relative,
                "weight": round(c.weight, 4),
            }
            for id_, c in sorted(ledger.curves.items())
        },
        "held_out": [[float(f"{r:.4g}") if math.isfinite(r) else None for r in reach] for reach in ledger.held_out],
        "held_out_count": ledger.held_out_count,
        "held_out_prompts": ledger.held_out_prompts,
    }
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, allow_nan=False, indent=1)
    return (text + "\n").encode("ascii")


def loaded(data: bytes, *, name: str) -> Ledger:
    """The ledger of a file of :func:`dumped`.

    Args:
        data: the file.
        name: of the file, for messages.

    Raises:
        CalibrationError: it is no ledger, is of an unknown version, or is inconsistent.
    """
    import msgspec

    try:
        stored = msgspec.json.decode(data, type=_Stored)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CalibrationError(f"{name} is no ledger: {error}") from None
    if stored.format != FORMAT or stored.version != VERSION:
        raise CalibrationError(f"{name} is no ledger of version {VERSION}")
    for problem in _problems(stored):
        raise CalibrationError(f"{name} is damaged: {problem}")
    return Ledger(
        curves={
            id_: Curve(
                family=row.family,
                knots=row.knots,
                bits=row.bits,
                references=row.references,
                weight=row.weight,
                relative=row.relative,
            )
            for id_, row in sorted(stored.rows.items())
        },
        prior=stored.prior,
        steady=stored.steady,
        made=stored.made,
        sources=stored.sources,
        held_out=reaches_of(stored.held_out),
        held_out_count=stored.held_out_count,
        held_out_prompts=stored.held_out_prompts,
        digest=sha256(data).hexdigest(),
    )


def _problems(stored: _Stored) -> Iterator[str]:
    """What is inconsistent in a file, a sentence each."""
    for id_, row in stored.rows.items():
        if not row.knots or len(row.knots) != len(row.bits) or not _rise(row.knots):
            yield f"the knots of {id_!a} must rise, with bits for each"
        if not row.references or not _rise([r.accounts for r in row.references]) or row.references[0].accounts < 1:
            yield f"{id_!a} must have references of rising size, from 1 account"
        if not all(r.values and len(r.values) == len(r.tails) and _rise(r.values) for r in row.references):
            yield f"the values of {id_!a} must rise, with a tail for each"
        if row.bits not in (tuple(sorted(row.bits)), tuple(sorted(row.bits, reverse=True))):
            yield f"the bits of {id_!a} must rise or fall throughout"
        if not all(0 <= share <= 1 for r in row.references for share in r.tails) or not 0 <= row.weight < math.inf:
            yield f"the tails of {id_!a} must be between 0 and 1, and its weight 0 or more"
        numbers = itertools.chain(row.knots, row.bits, *((r.accounts, *r.values) for r in row.references))
        if not all(map(math.isfinite, numbers)):
            yield f"the numbers of {id_!a} must be finite"
    if not math.isfinite(stored.prior) or not 0 < stored.steady < math.inf:
        yield "the prior must be finite and the steady count positive"
    if not len(stored.held_out) <= stored.held_out_count or stored.held_out_prompts < 0:
        yield "there are more held-out candidates than counted"
    if any(rate is not None and rate < 0 for reach in stored.held_out for rate in reach):
        yield "a rate of a held-out candidate is negative"


def _rise(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


@cache
def shipped_ledger() -> Ledger:
    """The ledger that the package ships."""
    file = resources.files("harvestdetect.judge") / "ledger.json"
    return loaded(file.read_bytes(), name="ledger.json")


def reaches_of(stored: Sequence[Sequence[float | None]]) -> tuple[tuple[float, float, float], ...]:
    """The rates from which on held-out candidates reach each tier, of a file that has null for an infinite one."""
    rates = ([math.inf if rate is None else rate for rate in one] for one in stored)
    return tuple((urgent, review, watch) for urgent, review, watch in rates)
