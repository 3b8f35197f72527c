"""Scores of the scans of independent worlds, and their tables.

* A campaign is *found* if one finding at urgent or review has at least half of its accounts, and at least half of the
  accounts of the finding belong to it. The *coverage* of a campaign is the share of its accounts in any finding at
  these tiers. Its *best finding* is the one of all tiers that overlaps most with it, and has at least
  :data:`benchmarks.world_scores.PART` of its accounts.
* A finding is *false* if fewer than half of its accounts are of campaigns. It is counted for the innocent group with
  most of its accounts, or for the background.
* Campaigns that their author calls nearly undetectable are counted apart, as *hard*. Their accounts are among those of
  account recall.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from benchmarks.world_scores import PART
from harvestdetect.data import TIERS
from harvestdetect.simulate.evaluate import GroupScore, Planted, ReportedFinding, evaluate

__all__ = ["BACKGROUND", "Result", "score", "tables"]

Result: TypeAlias = dict[str, Any]
"""The result of one design and seed, as the file of results has it."""
BACKGROUND: Final = "background"
"""Where a false finding is counted if most of its accounts are in no group."""
COUNTED: Final = ("urgent", "review")
"""Tiers at which a campaign is found."""
PER: Final = 100_000
"""Prompts to which false findings are related."""


def score(
    scanned: Mapping[str, Any],
    planted: Sequence[Planted],
    about: Sequence[Mapping[str, Any]],
    *,
    design: str,
    seed: int,
    rows: int,
) -> Result:
    """The scores of one scan.

    Args:
        scanned: what :func:`benchmarks.world_scan.scan` returned.
        planted: the groups of the truth.
        about: the lines of the truth, which say how many prompts campaigns sent and which are hard.
        design: its name.
        seed: of the dump.
        rows: of the dump.
    """
    found = [
        ReportedFinding(
            campaign_id=one["campaign_id"],
            tier=one["tier"],
            score=one["score"],
            accounts=frozenset(one["accounts"]),
            recommended=frozenset(one["recommended"]),
        )
        for one in scanned["findings"]
    ]
    scores = evaluate(found, planted)
    flagged = frozenset[str]().union(*(one.accounts for one in found if one.tier in COUNTED))
    campaign_accounts = frozenset[str]().union(*(group.accounts for group in planted if group.kind == "campaign"))
    lines = {line["name"]: line for line in about}
    campaigns = [
        _campaign(group, row, lines[group.name], flagged)
        for group, row in zip(planted, scores.rows, strict=True)
        if group.kind == "campaign"
    ]
    return {
        "design": design,
        "seed": seed,
        "rows": rows,
        "findings": dict(Counter(one.tier for one in found)),
        "campaigns": campaigns,
        "account_recall": scores.account_recall,
        "account_precision": scores.account_precision,
        "average_precision": scores.ranking_average_precision,
        "false": [
            _false(one, planted) for one in found if 2 * len(one.accounts & campaign_accounts) < len(one.accounts)
        ],
        "seconds": scanned["seconds"],
        "peak_memory_mb": scanned["peak_memory_mb"],
    }


def _campaign(group: Planted, row: GroupScore, line: Mapping[str, Any], flagged: frozenset[str]) -> Result:
    """One campaign: what it sent, and whether it was found."""
    return {
        "name": group.name,
        "what": group.what,
        "hard": bool(line["hard"]),
        "accounts": len(group.accounts),
        "prompts": line["prompts"] / len(group.accounts),
        "share": line["share"],
        "found": row.found,
        "tier": row.tier if row.recall >= PART else None,
        "coverage": len(flagged & group.accounts) / len(group.accounts),
    }


def _false(finding: ReportedFinding, planted: Sequence[Planted]) -> Result:
    """A false finding and the innocent group behind it."""
    innocents = [group for group in planted if group.kind == "look-alike"]
    shared = Counter({group.name: len(group.accounts & finding.accounts) for group in innocents})
    members = frozenset[str]().union(*(group.accounts for group in planted))
    shared[BACKGROUND] = len(finding.accounts - members)
    name, own = max(shared.items(), key=lambda item: (item[1], item[0]))
    return {"tier": finding.tier, "accounts": len(finding.accounts), "group": name, "own": own}


# ---------------------------------------------------------------- tables


def tables(results: Sequence[Result]) -> str:
    """All results in Markdown: each design, each campaign, each innocent group with a false finding."""
    designs = list(dict.fromkeys(result["design"] for result in results))
    lines = [f"| design | {' | '.join(title for title, _ in _DESIGN)} |", "|---|" + "---:|" * len(_DESIGN)]
    for design in designs:
        own = [result for result in results if result["design"] == design]
        lines.append(f"| {design} | " + " | ".join(text(own) for _, text in _DESIGN) + " |")
    if len(designs) > 1:
        lines.append("| **all** | " + " | ".join(text(results) for _, text in _DESIGN) + " |")
    lines += ["", f"| campaign | {' | '.join(title for title, _ in _CAMPAIGN)} |", "|---|" + "---:|" * len(_CAMPAIGN)]
    rows = [row for result in results for row in result["campaigns"]]
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name]
        title = f"{name} (hard)" if own[0]["hard"] else name
        lines.append(f"| {title} | " + " | ".join(text(own) for _, text in _CAMPAIGN) + " |")
    return "\n".join([*lines, "", *_innocents(results)]) + "\n"


def _innocents(results: Sequence[Result]) -> list[str]:
    """One row for each innocent group with a false finding."""
    found = {(r["design"], one["group"]): Counter[str]() for r in results for one in r["false"]}
    if not found:
        return ["No finding is false."]
    for result in results:
        for one in result["false"]:
            found[result["design"], one["group"]][one["tier"]] += 1
    lines = [f"| design | innocent group behind false findings | {' | '.join(TIERS)} |"]
    lines.append("|---|---|" + "---:|" * len(TIERS))
    for (design, group), tiers in sorted(found.items()):
        lines.append(f"| {design} | {group} | " + " | ".join(str(tiers[tier]) for tier in TIERS) + " |")
    return lines


Text: TypeAlias = Callable[[Sequence[Result]], str]
"""The text of a cell, from the results of a design or the rows of a campaign."""


def _mean(name: str, digits: int = 2) -> Text:
    def text(rows: Sequence[Result]) -> str:
        known = [float(row[name]) for row in rows if row[name] is not None]
        return f"{sum(known) / len(known):,.{digits}f}" if known else "–"

    return text


def _found(*, hard: bool) -> Text:
    def text(results: Sequence[Result]) -> str:
        own = [row for result in results for row in result["campaigns"] if row["hard"] == hard]
        return f"{sum(row['found'] for row in own)} of {len(own)}"

    return text


def _false_at(tier: str) -> Text:
    return lambda results: str(sum(one["tier"] == tier for result in results for one in result["false"]))


def _false_per_prompts(results: Sequence[Result]) -> str:
    counted = sum(one["tier"] in COUNTED for result in results for one in result["false"])
    return f"{PER * counted / sum(result['rows'] for result in results):.1f}"


_DESIGN: Final[tuple[tuple[str, Text], ...]] = (
    ("seeds", lambda results: str(len({result["seed"] for result in results}))),
    ("rows", _mean("rows", 0)),
    ("campaigns found", _found(hard=False)),
    ("hard ones found", _found(hard=True)),
    ("account recall", _mean("account_recall")),
    ("account precision", _mean("account_precision")),
    ("false at urgent", _false_at("urgent")),
    ("at review", _false_at("review")),
    ("at watch", _false_at("watch")),
    (f"at urgent or review per {PER:,} prompts", _false_per_prompts),
    ("ranking average precision", _mean("average_precision")),
    ("seconds of a scan", _mean("seconds", 0)),
)
"""Title and text of every column of the designs; counts are those of all seeds together."""
_CAMPAIGN: Final[tuple[tuple[str, Text], ...]] = (
    ("accounts", _mean("accounts", 0)),
    ("prompts of each", _mean("prompts", 1)),
    ("harvest share", _mean("share")),
    ("found", lambda rows: f"{sum(row['found'] for row in rows)} of {len(rows)}"),
    ("tier of the best finding", lambda rows: ", ".join(row["tier"] or "–" for row in rows)),
    ("coverage", _mean("coverage")),
)
"""Title and text of every column of the campaigns."""
