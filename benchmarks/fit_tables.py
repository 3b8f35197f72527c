"""The tables of :mod:`benchmarks.fit` in Markdown: what models say of candidates that they were not fitted on."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.fit_dumps import Measured
from benchmarks.fit_examples import Example
from benchmarks.results import wilson
from harvestdetect.judge.ledger import Ledger
from harvestdetect.judge.triage import Judgement

__all__ = ["by_kind", "by_source", "reliability", "rows_of"]

STATED: Final = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 0.98, 1.01)
"""Borders of the stated probabilities in the table that compares them with the truth. The tiers begin at 0.5, 0.8 and
0.98."""


def by_source(judged: Sequence[tuple[Example, Judgement]], dumps: Sequence[Measured]) -> str:
    """Results by source, of models that were not fitted on the dump that they judge."""
    lines = [
        "| source | dumps | campaigns found | accounts found | account precision | false urgent / review "
        "| per 100,000 prompts |"
    ]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    by_dump: dict[int, list[tuple[Example, Judgement]]] = defaultdict(list)
    for e, j in judged:
        by_dump[e.dump].append((e, j))
    for source in dict.fromkeys(d.source for d in dumps):
        own = [i for i, d in enumerate(dumps) if d.source == source]
        found = campaigns = hit = guilty = flagged = right = urgent = review = 0
        for i in own:
            groups = [g for g in dumps[i].truth if g.kind == "campaign"]
            chosen = [e for e, j in by_dump[i] if j.tier in ("urgent", "review")]
            named = frozenset[str]().union(*(e.accounts for e in chosen))
            planted = frozenset[str]().union(*(g.accounts for g in groups))
            campaigns += len(groups)
            found += sum(
                any(2 * len(e.accounts & g.accounts) >= max(len(e.accounts), len(g.accounts)) for e in chosen)
                for g in groups
            )
            guilty, hit = guilty + len(planted), hit + len(planted & named)
            flagged, right = flagged + len(named), right + len(named & planted)
            urgent += sum(j.tier == "urgent" and e.is_innocent for e, j in by_dump[i])
            review += sum(j.tier == "review" and e.is_innocent for e, j in by_dump[i])
        rows = sum(dumps[i].rows for i in own)
        lines.append(
            f"| {source} | {len(own)} | {found} of {campaigns} | {_share(hit, guilty)} | {_share(right, flagged)} | "
            f"{urgent} / {review} | {(urgent + review) * 100_000 / rows:.2f} |"
        )
    return "\n".join(lines) + "\n"


def by_kind(judged: Sequence[tuple[Example, Judgement]], prompts: int) -> str:
    """Innocent candidates at ``urgent`` and ``review`` by kind, and their rate."""
    tiers: dict[str, Counter[str | None]] = defaultdict(Counter)
    for e, j in judged:
        if e.is_innocent:
            tiers[e.population or "of no kind"][j.tier] += 1
    false = sum(c["urgent"] + c["review"] for c in tiers.values())
    named = [(kind, c) for kind, c in tiers.items() if c["urgent"] + c["review"]]
    named.sort(key=lambda one: (-one[1]["urgent"] - one[1]["review"], one[0]))
    kinds = ", ".join(f"{kind} {c['urgent']} / {c['review']}" for kind, c in named)
    return f"{kinds or 'none'}; {false * 100_000 / prompts:.1f} per 100,000 prompts."


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "–"


def reliability(judged: Sequence[tuple[Example, Judgement]]) -> str:
    """What the ledgers say of candidates whose truth is clear, beside what is true of them."""
    lines = [
        "| stated probability of a campaign | candidates | campaigns | stated, mean | true share (95 % interval) |",
        "|---|---:|---:|---:|---:|",
    ]
    clear = [(e.is_planted, j.probability) for e, j in judged if e.is_clear]
    for low, high in itertools.pairwise(STATED):
        own = [(true, p) for true, p in clear if low <= p < high]
        if own:
            hits = sum(true for true, _ in own)
            least, most = wilson(hits, len(own))
            stated = sum(p for _, p in own) / len(own)
            label = f"{low:.0%} to {min(high, 1):.0%}"
            lines.append(
                f"| {label} | {len(own):,} | {hits} | {stated:.2f} | {hits / len(own):.2f} ({least:.2f}–{most:.2f}) |"
            )
    return "\n".join(lines) + "\n"


def rows_of(ledger: Ledger) -> str:
    """The rows of a ledger with the least and most bits of each."""
    lines = ["| row | family | for it from | most bits for | most bits against |", "|---|---|---:|---:|---:|"]
    strongest = sorted(ledger.curves.items(), key=lambda c: -c[1].weight * max(map(abs, c[1].bits)))
    for id_, c in strongest:
        bits = [c.weight * b for b in c.bits]
        edge = float(np.interp(0.0, sorted(bits), c.knots if c.bits[-1] >= c.bits[0] else c.knots[::-1]))
        lines.append(f"| {id_} | {c.family} | {edge:.3g} | {max(*bits, 0.0):.1f} | {min(*bits, 0.0):.1f} |")
    return "\n".join(lines) + "\n"
