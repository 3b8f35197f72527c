"""Scores of the scans of worlds: candidates under a perfect judge, and findings as they are.

A *perfect judge* knows the truth but can only take or leave whole candidates, findings or not. A candidate has the
accounts that it would have as a finding (:mod:`benchmarks.world_scan`). It is accepted for a campaign if at least
:data:`PURE` of its accounts are of that campaign and it has at least :data:`PART` of the campaign's accounts. So its
errors are those of the candidates, and what the findings lack beyond is the error of the judgement.

* A campaign is *in one candidate* if an accepted candidate has at least half of its accounts, and *in all candidates
  together* if the accepted candidates together have.
* *Account recall* is the accounts of campaigns that are in candidates accepted for their campaign / accounts of
  campaigns.
* *Purity* is the same accounts / accounts of the accepted candidates; accounts of two candidates that are accepted for
  one campaign count once, those of candidates accepted for two campaigns twice.

Campaigns of one or two prompts an account (:data:`benchmarks.world_plan.ONE_PROMPT`) are scored apart: they are most of
the accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from benchmarks.world_plan import CAMPAIGNS, ONE_PROMPT
from harvestdetect.simulate.evaluate import Planted, ReportedFinding, evaluate

__all__ = ["PART", "PURE", "Sums", "compared", "score", "tables"]

Result: TypeAlias = dict[str, Any]
"""The result of one world and seed, as the file of results has it."""

PURE: Final = 0.5
"""Share of a candidate's accounts that must be of one campaign for the perfect judge to accept it."""
PART: Final = 0.1
"""Share of a campaign's accounts that a candidate must have for the perfect judge to accept it."""
ONE: Final = "one prompt an account"
OTHERS: Final = "other campaigns"


def score(scanned: Mapping[str, Any], truth: Sequence[Planted], *, world: str, seed: int, rows: int) -> Result:
    """The scores of one scan.

    Args:
        scanned: what :func:`benchmarks.world_scan.scan` returned.
        truth: the planted groups.
        world: its name.
        seed: of the world.
        rows: of the dump.
    """
    candidates = [(frozenset(c["accounts"]), c) for c in scanned["candidates"]]
    found = [
        ReportedFinding(
            campaign_id=f["campaign_id"], tier=f["tier"], score=f["score"], accounts=frozenset(f["accounts"]),
            recommended=frozenset(f["recommended"]),
        )
        for f in scanned["findings"]
    ]  # fmt: skip
    scores = evaluate(found, truth)
    campaigns = [group for group in truth if group.kind == "campaign"]
    guilty = frozenset[str]().union(*(group.accounts for group in campaigns))
    kinds = [_kind(group, candidates, guilty=guilty) for group in campaigns]
    for kind in kinds:
        row = next(r for r in scores.rows if r.name == kind["kind"])
        kind |= {"found": row.found, "tier": row.tier, "finding_recall": row.recall, "finding_purity": row.precision}
    parts: Result = {}
    for name, chosen in ((OTHERS, _others(kinds)), (ONE, _one_prompt(kinds))):
        names = {kind["kind"] for kind in chosen}
        parts[name] = _judged(chosen) | _flagged(found, [g for g in campaigns if g.name in names])
    innocents = {group.name: group for group in truth if group.kind == "look-alike"}
    return {
        "world": world,
        "seed": seed,
        "rows": rows,
        "candidates": len(candidates),
        "findings": dict(Counter(f.tier for f in found)),
        "parts": parts,
        "real": {
            "campaigns": scores.campaigns,
            "campaigns_found": scores.campaigns_found,
            "account_recall": scores.account_recall,
            "precision": scores.account_precision,
            "recommended_precision": scores.recommended_precision,
            "alarms": scores.alarms,
            "alarms_urgent": scores.alarms_urgent,
            "innocents": len(innocents),
            "innocents_hit": sorted(r.name for r in scores.rows if r.name in innocents and r.found),
            "average_precision": scores.ranking_average_precision,
            "average_precision_others": _ranking_of_others(found, truth),
        },
        "kinds": kinds,
        "seconds": scanned["seconds"],
        "peak_memory_mb": scanned["peak_memory_mb"],
        "stages": scanned["stages"],
    }


def _others(kinds: Iterable[Result]) -> list[Result]:
    return [kind for kind in kinds if kind["kind"] not in ONE_PROMPT]


def _one_prompt(kinds: Iterable[Result]) -> list[Result]:
    return [kind for kind in kinds if kind["kind"] in ONE_PROMPT]


def _kind(
    group: Planted, candidates: Sequence[tuple[frozenset[str], Mapping[str, Any]]], *, guilty: frozenset[str]
) -> Result:
    """One campaign under the perfect judge, among the accounts of all campaigns."""
    accepted = []
    best: tuple[float, int] | None = None
    for number, (accounts, _) in enumerate(candidates):
        shared = len(accounts & group.accounts)
        if not shared:
            continue
        alike = shared / len(accounts | group.accounts)
        if best is None or alike > best[0]:
            best = (alike, number)
        if shared >= PURE * len(accounts) and shared >= PART * len(group.accounts):
            accepted.append(number)
    together = frozenset[str]().union(*(candidates[i][0] for i in accepted))
    most = max((len(candidates[i][0] & group.accounts) for i in accepted), default=0)
    near = frozenset[str]() if best is None else candidates[best[1]][0]
    about: Mapping[str, Any] = {} if best is None else candidates[best[1]][1]
    return {
        "kind": group.name,
        "accounts": len(group.accounts),
        "coverage": len(near & group.accounts) / len(group.accounts),
        "purity": len(near & group.accounts) / len(near) if near else None,
        "candidate_tier": about.get("tier"),
        "ways": list(about.get("ways", ())),
        "held": 2 * most >= len(group.accounts),
        "held_in_pieces": 2 * len(together & group.accounts) >= len(group.accounts),
        "pieces": len(accepted),
        "accepted_accounts": len(together),
        "accepted_own": len(together & group.accounts),
        "accepted_guilty": len(together & guilty),
    }


def _judged(kinds: Sequence[Result]) -> Result:
    """Totals under the perfect judge."""
    own, all_accepted = sum(k["accepted_own"] for k in kinds), sum(k["accepted_accounts"] for k in kinds)
    accounts = sum(k["accounts"] for k in kinds)
    return {
        "campaigns": len(kinds),
        "held": sum(k["held"] for k in kinds),
        "held_in_pieces": sum(k["held_in_pieces"] for k in kinds),
        "account_recall": own / accounts if accounts else None,
        "purity": own / all_accepted if all_accepted else None,
        "guilty": sum(k["accepted_guilty"] for k in kinds) / all_accepted if all_accepted else None,
        "found": sum(k["found"] for k in kinds),
    }


def _ranking_of_others(found: Sequence[ReportedFinding], truth: Sequence[Planted]) -> float | None:
    """The average precision of the ranking without campaigns of one prompt an account, and without their findings."""
    apart = frozenset[str]().union(*(g.accounts for g in truth if g.name in ONE_PROMPT))
    left = [f for f in found if 2 * len(f.accounts & apart) < len(f.accounts)]
    return evaluate(left, [g for g in truth if g.name not in ONE_PROMPT]).ranking_average_precision


def _flagged(found: Sequence[ReportedFinding], groups: Sequence[Planted]) -> Result:
    """The recall of accounts by findings at urgent or review."""
    flagged = frozenset[str]().union(*(f.accounts for f in found if f.tier in ("urgent", "review")))
    guilty = frozenset[str]().union(*(g.accounts for g in groups))
    return {"found_recall": len(flagged & guilty) / len(guilty) if guilty else None}


# ---------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures of several results, averaged."""

    results: Sequence[Result]

    def mean(self, *path: str) -> float | None:
        """The mean of a figure, named by its path; results without it are left out."""
        found = []
        for result in self.results:
            value: Any = result
            for name in path:
                value = value.get(name) if value is not None else None
            if value is not None:
                found.append(len(value) if isinstance(value, list) else float(value))
        return sum(found) / len(found) if found else None

    def of_kind(self, kind: str) -> list[Result]:
        """The rows of a kind of campaign."""
        return [row for result in self.results for row in result["kinds"] if row["kind"] == kind]


def tables(results: Sequence[Result]) -> str:
    """All results in Markdown: totals of each world, then each kind of campaign."""
    lines = ["| figure, mean over seeds | " + " | ".join(_worlds(results)) + " |"]
    lines.append("|---|" + "---:|" * len(_worlds(results)))
    sums = [Sums(_of(results, world)) for world in _worlds(results)]
    lines += [f"| {title} | " + " | ".join(text(one) for one in sums) + " |" for title, text in _TOTALS]
    for world in _worlds(results):
        lines += ["", *_kinds(world, Sums(_of(results, world)))]
        hit = Counter(n.rsplit("-", 1)[0] for r in _of(results, world) for n in r["real"]["innocents_hit"])
        named = ", ".join(f"{kind} ({count})" for kind, count in sorted(hit.items())) or "none"
        lines += ["", f"Innocent groups behind alarms in `{world}`, all seeds: {named}."]
    return "\n".join(lines) + "\n"


def compared(before: Sequence[Result], after: Sequence[Result]) -> str:
    """Two lists of results side by side, for the worlds and seeds that both have."""
    common = {(r["world"], r["seed"], r["rows"]) for r in before} & {(r["world"], r["seed"], r["rows"]) for r in after}
    if not common:
        return "No world, seed and number of rows is in both files.\n"
    old, new = ([r for r in some if (r["world"], r["seed"], r["rows"]) in common] for some in (before, after))
    worlds = _worlds(new)
    lines = [
        "| figure, mean over seeds: before → after | " + " | ".join(worlds) + " |",
        "|---|" + "---:|" * len(worlds),
    ]
    pairs = [(Sums(_of(old, world)), Sums(_of(new, world))) for world in worlds]
    lines += [
        f"| {title} | " + " | ".join(f"{text(a)} → {text(b)}" for a, b in pairs) + " |" for title, text in _TOTALS
    ]
    for world, (a, b) in zip(worlds, pairs, strict=True):
        titles = [title for title, _ in _COLUMNS]
        lines += ["", f"| {world}: before → after | {' | '.join(titles)} |", "|---|" + "---:|" * len(titles)]
        for kind in CAMPAIGNS:
            first, second = a.of_kind(kind), b.of_kind(kind)
            if first and second:
                cells = " | ".join(f"{text(first)} → {text(second)}" for _, text in _COLUMNS)
                lines.append(f"| {kind} | {cells} |")
    return "\n".join(lines) + "\n"


def _worlds(results: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(r["world"] for r in results))


def _of(results: Iterable[Result], world: str) -> list[Result]:
    return [r for r in results if r["world"] == world]


def _kinds(world: str, sums: Sums) -> list[str]:
    titles = [title for title, _ in _COLUMNS]
    lines = [f"| {world} | {' | '.join(titles)} |", "|---|" + "---:|" * len(titles)]
    for kind in CAMPAIGNS:
        rows = sums.of_kind(kind)
        if rows:
            lines.append(f"| {kind} | " + " | ".join(text(rows) for _, text in _COLUMNS) + " |")
    return lines


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _figure(*path: str, digits: int = 2) -> Any:
    return lambda sums: _number(sums.mean(*path), digits)


def _out_of(part: str, what: str) -> Any:
    def text(sums: Sums) -> str:
        return f"{_number(sums.mean('parts', part, what), 1)} of {_number(sums.mean('parts', part, 'campaigns'), 0)}"

    return text


def _mean_of(name: str, digits: int = 2) -> Any:
    def text(rows: Sequence[Result]) -> str:
        found = [float(row[name]) for row in rows if row[name] is not None]
        return _number(sum(found) / len(found) if found else None, digits)

    return text


def _each(name: str) -> Any:
    return lambda rows: ", ".join(str(row[name] or "–") for row in rows)


def _ways(rows: Sequence[Result]) -> str:
    return ", ".join("+".join(row["ways"]) or "–" for row in rows)


_TOTALS: Final = (
    ("rows", _figure("rows", digits=0)),
    ("candidates", _figure("candidates", digits=0)),
    ("**perfect judge**, campaigns in one candidate", _out_of(OTHERS, "held")),
    ("campaigns in all candidates together", _out_of(OTHERS, "held_in_pieces")),
    ("account recall", _figure("parts", OTHERS, "account_recall")),
    ("purity", _figure("parts", OTHERS, "purity")),
    ("share of accounts of any campaign", _figure("parts", OTHERS, "guilty")),
    ("one prompt an account: campaigns in one candidate", _out_of(ONE, "held")),
    ("one prompt an account: account recall", _figure("parts", ONE, "account_recall")),
    ("one prompt an account: purity", _figure("parts", ONE, "purity")),
    ("**findings at urgent and review**, campaigns found", _out_of(OTHERS, "found")),
    ("account recall", _figure("parts", OTHERS, "found_recall")),
    ("one prompt an account: campaigns found", _out_of(ONE, "found")),
    ("one prompt an account: account recall", _figure("parts", ONE, "found_recall")),
    ("account precision, all campaigns", _figure("real", "precision")),
    ("account precision, recommended only", _figure("real", "recommended_precision")),
    ("ranking average precision", _figure("real", "average_precision")),
    ("the same without one prompt an account", _figure("real", "average_precision_others")),
    ("alarms", _figure("real", "alarms", digits=1)),
    ("alarms at urgent", _figure("real", "alarms_urgent", digits=1)),
    ("innocent groups behind an alarm", _figure("real", "innocents_hit", digits=1)),
    ("innocent groups", _figure("real", "innocents", digits=1)),
    ("seconds of a scan", _figure("seconds", digits=1)),
    ("peak memory, MB", _figure("peak_memory_mb", digits=0)),
)
"""Title and text of every row of totals."""
_COLUMNS: Final = (
    ("accounts", _mean_of("accounts", 0)),
    ("best candidate: coverage", _mean_of("coverage")),
    ("purity", _mean_of("purity")),
    ("in one candidate", _mean_of("held")),
    ("in all together", _mean_of("held_in_pieces")),
    ("pieces", _mean_of("pieces", 1)),
    ("found", _mean_of("found")),
    ("tier of the best finding", _each("tier")),
    ("ways", _ways),
)
"""Title and text of every column of the kinds."""
