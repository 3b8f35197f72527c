"""Scores of scans of innocent dumps: false findings by tier, and recall where campaigns are planted.

A finding is *false* if fewer than half of its accounts are planted in any campaign. In a dump without campaigns, every
finding is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from harvestdetect.data import TIERS
from harvestdetect.simulate.evaluate import Planted, ReportedFinding, evaluate

__all__ = ["score", "tables"]

Result: TypeAlias = dict[str, Any]
"""The result of one kind and seed, as the file of results has it."""

PER: Final = 100_000
"""Prompts that rates are given for."""


def score(
    scanned: Mapping[str, Any],
    truth: Sequence[Mapping[str, Any]],
    *,
    kind: str,
    seed: int,
    rows: int,
    accounts: int,
) -> Result:
    """The scores of one scan.

    Args:
        scanned: what :func:`benchmarks.world_scan.scan` returned.
        truth: the groups of the dump; there may be none.
        kind: of the dump.
        seed: of the dump.
        rows: of the dump.
        accounts: of the dump.
    """
    groups = [Planted(name=g["name"], kind=g["kind"], what=g["what"], accounts=frozenset(g["accounts"])) for g in truth]
    found = [
        ReportedFinding(
            campaign_id=f["campaign_id"], tier=f["tier"], score=f["score"], accounts=frozenset(f["accounts"]),
            recommended=frozenset(f["recommended"]),
        )
        for f in scanned["findings"]
    ]  # fmt: skip
    guilty = frozenset[str]().union(*(g.accounts for g in groups if g.kind == "campaign"))
    false = [f for f in found if 2 * len(f.accounts & guilty) < len(f.accounts)]
    scores = evaluate(found, groups)
    return {
        "kind": kind,
        "seed": seed,
        "rows": rows,
        "accounts": accounts,
        "candidates": len(scanned["candidates"]),
        "findings": dict(Counter(f.tier for f in found)),
        "false": dict(Counter(f.tier for f in false)),
        "false_accounts": {tier: sorted(len(f.accounts) for f in false if f.tier == tier) for tier in TIERS},
        "groups_hit": sorted(r.name for r in scores.rows if r.kind == "look-alike" and r.found),
        "campaigns": scores.campaigns,
        "campaigns_found": scores.campaigns_found,
        "account_recall": scores.account_recall,
        "precision": scores.account_precision,
        "recommended_precision": scores.recommended_precision,
        "average_precision": scores.ranking_average_precision,
        "groups": [
            {"name": r.name, "accounts": r.accounts, "tier": r.tier, "found": r.found, "recall": r.recall,
             "precision": r.precision}
            for r in scores.rows
            if r.kind == "campaign"
        ],
        "seconds": scanned["seconds"],
        "peak_memory_mb": scanned["peak_memory_mb"],
    }  # fmt: skip


def tables(results: Sequence[Result]) -> str:
    """All results in Markdown: false findings of each kind, then recall where campaigns are planted."""
    kinds = list(dict.fromkeys(r["kind"] for r in results))
    lines = [
        f"| innocent traffic | dumps | prompts | accounts | candidates | {' | '.join(TIERS)} "
        f"| {' | '.join(f'{tier} per 100,000 prompts' for tier in TIERS)} |",
        "|---|" + "---:|" * (4 + 2 * len(TIERS)),
    ]
    lines += [_row(kind, [r for r in results if r["kind"] == kind]) for kind in kinds]
    if len(kinds) > 1:
        lines.append(_row("all", results))
    planted = [r for r in results if r["campaigns"]]
    lines += ["", "Findings are counted that are false: fewer than half of their accounts are of a campaign."]
    if planted:
        lines += ["", *_recall(planted)]
    return "\n".join(lines) + "\n"


def _row(name: str, results: Sequence[Result]) -> str:
    prompts = sum(r["rows"] for r in results)
    counts = [sum(r["false"].get(tier, 0) for r in results) for tier in TIERS]
    cells = [f"{len(results)}", f"{prompts:,}", f"{sum(r['accounts'] for r in results):,}"]
    cells += [f"{sum(r['candidates'] for r in results):,}", *(f"{count}" for count in counts)]
    cells += [f"{PER * count / prompts:.2f}" for count in counts]
    return f"| {name} | " + " | ".join(cells) + " |"


def _recall(results: Sequence[Result]) -> list[str]:
    """Campaigns among innocent people: totals of each dump, then each campaign."""
    lines = [
        "| dump with campaigns | prompts | campaigns found | account recall | precision | recommended only "
        "| ranking AP | seconds | peak memory, MB |",
        "|---|" + "---:|" * 8,
    ]
    for r in results:
        figures = [r["account_recall"], r["precision"], r["recommended_precision"], r["average_precision"]]
        cells = " | ".join("–" if value is None else f"{value:.3f}" for value in figures)
        lines.append(
            f"| {r['kind']}, seed {r['seed']} | {r['rows']:,} | {r['campaigns_found']} of {r['campaigns']} "
            f"| {cells} | {r['seconds']:.0f} | {r['peak_memory_mb']:.0f} |"
        )
    lines += [
        "",
        "| campaign | accounts | found | tier of the best finding | account recall |",
        "|---|---|---:|---|---|",
    ]
    for name in dict.fromkeys(g["name"] for r in results for g in r["groups"]):
        own = [g for r in results for g in r["groups"] if g["name"] == name]
        lines.append(
            f"| {name} | {', '.join(str(g['accounts']) for g in own)} | {sum(g['found'] for g in own)} of {len(own)} "
            f"| {', '.join(g['tier'] or '–' for g in own)} | {', '.join(format(g['recall'], '.2f') for g in own)} |"
        )
    return lines
