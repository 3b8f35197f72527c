"""Fits the ledger that the package ships, and says how it judges candidates that it was not fitted on.

    python -m benchmarks.fit --data DIR [--half tuning] [--sources api,adaptive,...] [--seeds 6] [--first-seed 300]
        [--work DIR] [--out harvestdetect/judge/ledger.json] [--docs FILE]

It lays and scans the dumps of :mod:`benchmarks.fit_dumps`, takes their candidates as examples
(:mod:`benchmarks.fit_examples`) and fits the curves and weights of :mod:`benchmarks.fitting`. What lies in the folder
of ``--work`` is not scanned again. The dumps are divided into folds, and a model that was fitted on the other folds
judges the candidates of each. The printed tables (:mod:`benchmarks.fit_tables`), the prior and the innocent candidates
in the file come from these judgements.

A provider has kinds of innocent groups that no benchmark has. So each group of a known kind, such as a class, is also
judged by a model that has seen no group of that kind. The factor on all bits and the share of unseen innocents are
those of nearly the least loss if one in five innocent groups is of an unknown kind.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

import numpy as np

from benchmarks import innocents
from benchmarks.fit_dumps import SOURCES, Measured, measured, seeds_of
from benchmarks.fit_examples import INNOCENT, PLANTED, Example, examples_of
from benchmarks.fit_tables import by_kind, by_source, reliability, rows_of
from benchmarks.fitting import Examples, Kind, fit
from benchmarks.pages import publish
from benchmarks.real_texts import Half
from benchmarks.worlds import ROOT, commit_of
from harvestdetect.data import TIERS, Family
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.evidence.readings import ACCOUNTS, READINGS
from harvestdetect.judge.ledger import EFFECT, Ledger, Posted, post
from harvestdetect.judge.ledger_file import dumped
from harvestdetect.judge.triage import Judgement, judge

__all__ = ["main"]

LOOK_ALIKE: Final = 3.0
"""Weight of a candidate of a planted look-alike, beside other innocent candidates."""
LEAST: Final = 0.2
"""Least weight of a measure. Few planted campaigns share rare infrastructure, or have several templates, and staff have
even loads too, so the fit would drop such measures for signs that come with them."""
STEADY: Final = 100.0
"""Innocent candidates of a dump that weigh as much as the reference."""
FOLDS: Final = 6
"""Parts of the dumps, each judged by a model of the others."""
UNKNOWN: Final = 0.2
"""Share of innocent groups of unknown kinds that is assumed when the bound and the factor are chosen."""
FALSE_REVIEWS: Final = 1.0
"""Innocent candidates at ``review`` or above for each 100,000 prompts of all dumps that the prior is set for."""
NATIVE_REVIEWS: Final = 1.0
"""The same for innocent traffic as people and programs sent it, where nothing was planted."""
UNCOUNTED: Final = ("study", "public-template", "staff")
"""Kinds of innocent groups that are not counted in these rates, because a dump does not show what tells some of their
groups from campaigns: the items of a study are dealt to strangers who send them at the pace of people, users of a
published template fill it with new content each time, and the staff of an organisation that the log does not name work
through one queue. How many such groups a provider has is not known. The tables show their false findings like all
others."""
MOST_PRIOR: Final = -0.5
"""Most bits of the prior. A dump of few candidates hardly moves it, so with more, little evidence would do there."""
PRIOR_BELOW: Final = 8.0
"""How many bits below its maximum the prior is sought."""
FDR: Final = 0.2
"""Rate at which they are counted (Efron 2004)."""
STRETCHES: Final = (1.0, 1.25, 1.5, 1.75, 2.0)
"""Factors on all bits that are tried."""
UNSEEN: Final = (0.0, 0.02, 0.05)
"""Shares of unseen innocents that are tried: innocent candidates of unknown kinds that have the values of campaigns in
a row. They bound what one row can say for a campaign (contamination: Huber 1965). Larger shares need a prior well above
even odds, which a scan takes back in dumps of many candidates."""
UNMARKED: Final = 0.3
"""The same for the rows of readings, at least: innocents of unknown kinds rarely have the marks of known kinds, so that
a candidate lacks these marks says little for a campaign."""
NEARLY: Final = 1.01
"""Multiple of the least logarithmic loss up to which a larger share of unseen innocents, and then a smaller factor, is
taken."""
KEPT: Final = 200
"""Number of innocent candidates that the file keeps: those nearest to a finding, by models not fitted on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How the fitted models are set, and what they then say of the candidates that they were not fitted on."""

    stretch: float
    """Factor on all bits."""
    unseen: float
    """See :data:`UNSEEN`."""
    moved: float
    """Bits added to the prior."""
    judged: Sequence[tuple[Example, Judgement]]
    unknown_kinds: Sequence[tuple[Example, Judgement]]
    """Innocent groups of known kinds, judged by models that have seen no group of their kind."""


def _kinds() -> dict[str, tuple[Family, Kind]]:
    """The rows that a ledger may have, each with its family.

    Measures never speak against a campaign: an attacker can look inconspicuous in any single one.
    """
    found: dict[str, tuple[Family, Kind]] = {}
    for m in MEASURES:
        if m.take is not None and not m.closer_look and m.family != "intent":
            found[m.id] = m.family, Kind(rises=True, least=0.0, floor=LEAST, relative=True)
            if m.family not in ("text", "infrastructure"):
                kind = Kind(rises=m.tail == "high", least=0.0, floor=LEAST, relative=True)
                found[m.id + EFFECT] = m.family, kind
    for r in READINGS:
        found[r.id] = r.family, Kind(rises=r.speaks == "high", least=r.least)
    return found


def _table(examples: Sequence[Example], kinds: Collection[str]) -> Examples:
    """The examples whose truth is clear, as a table."""
    pieces = Counter((e.dump, e.campaign) for e in examples if e.is_planted)
    clear = [e for e in examples if e.is_clear]
    weight = [
        e.weight * (pieces[e.dump, e.campaign] ** -0.5 if e.is_planted else LOOK_ALIKE if e.look_alike else 1.0)
        for e in clear
    ]
    return Examples(
        ids=list(kinds),
        values=np.array([[e.values.get(id_, np.nan) for id_ in kinds] for e in clear]),
        campaign=np.array([e.is_planted for e in clear]),
        weight=np.array(weight),
        dump=np.array([e.dump for e in clear]),
        accounts=np.array([e.values[ACCOUNTS] for e in clear]),
    )


def _fitted(examples: Sequence[Example]) -> Ledger:
    """A model with the better row of each measure, so that one measure does not count twice."""
    kinds = _kinds()
    rivals = [(id_, id_ + EFFECT) for id_ in kinds if id_ + EFFECT in kinds]
    found = fit(_table(examples, kinds), [kind for _, kind in kinds.values()], steady=STEADY, rivals=rivals)
    curves = {id_: replace(curve, family=kinds[id_][0]) for id_, curve in found.curves.items()}
    return Ledger(curves=curves, prior=found.intercept, steady=STEADY)


def _posted(ledger: Ledger, examples: Sequence[Example]) -> list[Posted]:
    """The ledgers of candidates, each beside those of its own dump."""
    by_dump: dict[int, list[int]] = defaultdict(list)
    for i, e in enumerate(examples):
        by_dump[e.dump].append(i)
    found: dict[int, Posted] = {}
    for places in by_dump.values():
        found |= dict(zip(places, post(ledger, [examples[i].values for i in places]), strict=True))
    return [found[i] for i in range(len(examples))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A model, and candidates that it was not fitted on."""

    ledger: Ledger
    beside: list[Example]
    """All candidates of their dumps. They are judged together, as in a scan."""
    held: list[bool]
    """Which of these the model was not fitted on."""

    def moved(self, bits: float) -> Fold:
        """The fold with bits added to the prior of its model."""
        return replace(self, ledger=replace(self.ledger, prior=self.ledger.prior + bits))


def _held_out(examples: Sequence[Example]) -> list[Fold]:
    """Models that have not seen the dumps of their candidates."""
    found = []
    for part in range(FOLDS):
        own = [e for e in examples if e.dump % FOLDS == part]
        if own:
            model = _fitted([e for e in examples if e.dump % FOLDS != part])
            found.append(Fold(ledger=model, beside=own, held=[True] * len(own)))
    return found


def _kinds_held_out(examples: Sequence[Example]) -> list[Fold]:
    """Models that have seen no innocent candidate of the kinds of their candidates."""
    found = []
    populations = sorted({e.population for e in examples if e.population is not None})
    for part in range(FOLDS):
        kinds = set(populations[part::FOLDS])
        dumps = {e.dump for e in examples if e.population in kinds}
        own = [e for e in examples if e.dump in dumps]
        if own:
            model = _fitted([e for e in examples if e.population not in kinds])
            found.append(Fold(ledger=model, beside=own, held=[e.population in kinds for e in own]))
    return found


def _judged(folds: Sequence[Fold]) -> list[tuple[Example, Judgement]]:
    """All candidates, judged by models that were not fitted on them."""
    found: list[tuple[Example, Judgement]] = []
    for fold in folds:
        posted = _posted(fold.ledger, fold.beside)
        judged = judge(posted, [()] * len(fold.beside), ledger=fold.ledger, fdr=FDR)
        found += itertools.compress(zip(fold.beside, judged, strict=True), fold.held)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """How many innocent candidates may be at ``review`` or above."""

    anywhere: int
    native: int

    @classmethod
    def of(cls, dumps: Sequence[Measured]) -> Allowed:
        """For these dumps."""
        native = sum(d.rows for d in dumps if d.source in get_args(innocents.Kind))
        every = sum(d.rows for d in dumps)
        return cls(anywhere=int(FALSE_REVIEWS * every / 100_000), native=int(NATIVE_REVIEWS * native / 100_000))

    def exceeded(self, judged: Sequence[tuple[Example, Judgement]]) -> bool:
        """Whether there are more."""
        false = [e for e, j in judged if j.tier in ("urgent", "review") and _is_counted(e)]
        return len(false) > self.anywhere or sum(e.native for e in false) > self.native

    def highest(self, totals: Sequence[tuple[Example, float]]) -> float:
        """The bits of the first candidate beyond those that are allowed."""
        counted = sorted(((total, e.native) for e, total in totals if _is_counted(e)), reverse=True)
        native = [total for total, is_native in counted if is_native]
        return max([counted[self.anywhere][0], *native[self.native : self.native + 1]])


def _is_counted(example: Example) -> bool:
    """Whether a candidate counts as a false finding for the prior."""
    return example.is_innocent and example.population not in UNCOUNTED


def _prior(folds: Sequence[Fold], allowed: Allowed, *, most: float) -> float:
    """The most bits to move the prior by with no more innocents at ``review`` than allowed.

    Args:
        folds: see :func:`_held_out`.
        allowed: how many.
        most: the largest allowed move, in bits.
    """
    low, high = most - PRIOR_BELOW, most
    if not allowed.exceeded(_judged([fold.moved(high) for fold in folds])):
        return high
    for _ in range(10):
        middle = (low + high) / 2
        if allowed.exceeded(_judged([fold.moved(middle) for fold in folds])):
            high = middle
        else:
            low = middle
    return low


def _stretched(ledger: Ledger, by: float, unseen: float) -> Ledger:
    """A ledger with all bits multiplied, and those for a campaign bounded.

    If a share u of the innocents has the values of campaigns in a row, a value that is 2 ** b times as common among
    campaigns as among the other innocents says ``-log2((1 - u) * 2 ** -b + u)`` bits. In rows of readings, u is at
    least :data:`UNMARKED`.

    Args:
        ledger: as it was fitted.
        by: the factor.
        unseen: the share.
    """
    readings = {r.id for r in READINGS}
    curves = {}
    for id_, curve in ledger.curves.items():
        weight = curve.weight * by
        bits = weight * np.array(curve.bits)
        share = max(unseen, UNMARKED) if id_ in readings else unseen
        bounded = -np.log2((1 - share) * np.exp2(-np.maximum(bits, 0.0)) + share)
        changed = np.where(bits > 0, bounded, bits) / weight
        curves[id_] = replace(curve, weight=weight, bits=tuple(changed.tolist()))
    return replace(ledger, curves=curves, prior=ledger.prior * by)


def _totals(folds: Sequence[Fold]) -> list[tuple[Example, float]]:
    """The bits of all candidates, by models that were not fitted on them."""
    found: list[tuple[Example, float]] = []
    for fold in folds:
        totals = [posted.total for posted in _posted(fold.ledger, fold.beside)]
        found += itertools.compress(zip(fold.beside, totals, strict=True), fold.held)
    return [(e, total) for e, total in found if e.is_clear]


def _settled(folds: Sequence[Fold], kinds: Sequence[Fold], allowed: Allowed, *, prior: float) -> Settled:
    """The stretch and the share of unseen innocents whose probabilities fit the truth nearly best, with their prior.

    The measure is the logarithmic loss if the share :data:`UNKNOWN` of the innocent groups is of unknown kinds.
    Curves are shrunk and the prior is moved to what an analyst can bear, so the sums are too small on one side of
    ``review`` and too large on the other until they are stretched.

    Args:
        folds: see :func:`_held_out`.
        kinds: see :func:`_kinds_held_out`.
        allowed: how many innocents may be at ``review``.
        prior: of the model of all dumps, as it was fitted.
    """
    found = []
    for unseen, by in itertools.product(sorted(UNSEEN, reverse=True), STRETCHES):
        known, unknown = (
            _totals([replace(fold, ledger=_stretched(fold.ledger, by, unseen)) for fold in some])
            for some in (folds, kinds)
        )
        moved = math.log2((1 - FDR) / FDR) - allowed.highest(known)
        new = [*((e, total) for e, total in known if e.population is None), *unknown]
        loss = (1 - UNKNOWN) * _loss(known, moved) + UNKNOWN * _loss(new, moved)
        found.append((loss, unseen, by))
    best = min(loss for loss, *_ in found)
    _, unseen, by = next(one for one in found if one[0] <= NEARLY * best)
    chosen, others = (
        [replace(fold, ledger=_stretched(fold.ledger, by, unseen)) for fold in some] for some in (folds, kinds)
    )
    moved = _prior(chosen, allowed, most=MOST_PRIOR - prior * by)
    judged, unknown_kinds = (_judged([fold.moved(moved) for fold in some]) for some in (chosen, others))
    return Settled(stretch=by, unseen=unseen, moved=moved, judged=judged, unknown_kinds=unknown_kinds)


def _loss(totals: Sequence[tuple[Example, float]], moved: float) -> float:
    """The mean logarithmic loss of some bits, in bits."""
    terms = (math.log2(1 + 2.0 ** (-(x + moved) if e.is_planted else x + moved)) for e, x in totals)
    return sum(terms) / max(len(totals), 1)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit", description="Fits the ledger.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the public texts")
    parser.add_argument("--half", default="tuning", choices=get_args(Half))
    parser.add_argument("--sources", default=",".join(SOURCES), help="kinds of dumps, with commas")
    parser.add_argument("--seeds", type=int, default=6, help="dumps of each world; of other kinds there are fewer")
    parser.add_argument("--first-seed", type=int, default=300)
    parser.add_argument("--work", type=Path, help="keeps dumps and scans")
    parser.add_argument("--out", type=Path, help="the file of the ledger; without it, nothing is written")
    parser.add_argument("--docs", type=Path, help="a Markdown page whose section `ledger` is replaced")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = _arguments(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = given.work or Path(folder)
        dumps = [
            one
            for source in given.sources.split(",")
            for seed in range(given.first_seed, given.first_seed + seeds_of(source, given.seeds))
            for one in measured(source, half=given.half, seed=seed, data=given.data, work=work)
        ]
    ledger, text = fitted(dumps)
    if given.out is not None:
        given.out.write_bytes(dumped(ledger))
    seeds = f"--seeds {given.seeds} --first-seed {given.first_seed}"
    command = f"python -m benchmarks.fit --data DIR --half {given.half} {seeds}"
    publish(text, given.docs, "ledger", command=command, commit=commit_of(ROOT))
    return 0


def fitted(dumps: Sequence[Measured]) -> tuple[Ledger, str]:
    """The ledger that some scanned dumps give, and the tables about it."""
    examples = examples_of(dumps)
    prompts = sum(d.rows for d in dumps)
    folds = _held_out(examples)
    whole = _fitted(examples)
    settled = _settled(folds, _kinds_held_out(examples), Allowed.of(dumps), prior=whole.prior)
    judged, moved = settled.judged, settled.moved
    innocents = [j for e, j in judged if e.is_innocent]
    reach = sorted(tuple(j.reach[t] for t in TIERS) for j in innocents)
    nearest = sorted(reach, key=lambda r: r[2])[:KEPT]
    model = _stretched(whole, settled.stretch, settled.unseen)
    ledger = replace(
        model,
        prior=model.prior + moved,
        made=datetime.now(UTC).strftime("%Y-%m-%d"),
        sources=tuple(f"{name}: {count}" for name, count in Counter(d.source for d in dumps).items()),
        held_out=tuple((u, r, w) for u, r, w in nearest),
        held_out_count=len(innocents),
        held_out_prompts=prompts,
    )
    planted = sum(e.is_planted for e in examples)
    text = (
        f"{len(dumps)} dumps, {prompts:,} prompts, {len(examples):,} candidates: {planted:,} of campaigns, "
        f"{len(innocents):,} innocent. Prior {ledger.prior:.2f} bits ({moved:+.2f}), "
        f"all bits times {settled.stretch:g}, {settled.unseen:.0%} unseen innocents.\n\n"
        f"{by_source(judged, dumps)}\n"
        f"False findings at `urgent` / `review` by kind: {by_kind(judged, prompts)}\n\n"
        "Innocent groups at `urgent` / `review`, judged by models that have seen no group of their kind: "
        f"{by_kind(settled.unknown_kinds, prompts)}\n\n"
        f"This table leaves out candidates with {INNOCENT:.0%} of their accounts or more from campaigns, but less than "
        f"{PLANTED:.0%} from one:\n\n"
        f"{reliability(judged)}\n{rows_of(ledger)}"
    )
    return ledger, text


if __name__ == "__main__":
    sys.exit(main())
