"""The result of a drill as text for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from harvestdetect.drill.result import FACTOR_NAMES, Drill, Level, Outcome, Rate, design_text, level_text
from harvestdetect.report.format import plural
from harvestdetect.util.escape import json_text, visible

__all__ = ["SCHEMA_VERSION", "drill_json", "drill_table", "headline", "interval_text"]

SCHEMA_VERSION: Final = 1
"""Version of the JSON form of a drill."""
DECIMALS: Final = 4
"""Decimals of shares in the JSON form."""
HEADINGS: Final = ("factor", "level", "found", "interval", "any tier", "accounts", "in combinations")
"""Columns of the table."""
RIGHT: Final = frozenset({2, 4, 5})
"""Columns whose cells are on the right."""


def headline(drill: Drill) -> str:
    """The result in one line."""
    rate = drill.overall
    return f"{rate.found} of {plural(rate.tried, 'planted campaign')} found at urgent or review"


def interval_text(rate: Rate) -> str:
    """The interval of a share, such as ``0.51–1.00``; empty without trials."""
    return f"{rate.low:.2f}–{rate.high:.2f}" if rate.tried else ""


def drill_table(drill: Drill) -> str:
    """The rates of all levels as a table, the blind spots, and what was not tried; lines without control characters."""
    lines = [
        f"{headline(drill)}, in {plural(drill.scans, 'scan')} of {plural(drill.prompts, 'prompt')} of "
        f"{plural(drill.accounts, 'account')}.",
        "",
        *_aligned([HEADINGS, *_rows(drill.levels)]),
        "",
        f"The centre: {design_text(drill.plan.centre)}.",
        "Each line changes one factor of the centre. In combinations, all factors are drawn at random.",
        "found: at urgent or review, with the 95 % Wilson interval of the share. any tier: at watch as well.",
        "accounts: share of the planted accounts in findings at urgent or review.",
        "",
        "Blind spots",
        *_listed(drill.blind_spots or ("None: no level was found so rarely that its interval lies below one half.",)),
        "",
        "Not tried",
        *_listed(drill.not_tried),
    ]
    return "".join(visible(line).rstrip() + "\n" for line in lines)


def _rows(levels: Sequence[Level]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    last = ""
    for level in levels:
        name = FACTOR_NAMES[level.factor]
        alone, mixed = level.alone, level.mixed
        recall = "" if alone.account_recall is None else f"{alone.account_recall:.2f}"
        rows.append(
            (
                "" if name == last else name,
                level_text(level.factor, level.value) + (" (centre)" if level.centre else ""),
                _of(alone),
                interval_text(alone),
                str(alone.seen) if alone.tried else "",
                recall,
                f"{_of(mixed)}  {interval_text(mixed)}" if mixed.tried else "",
            )
        )
        last = name
    return rows


def _of(rate: Rate) -> str:
    return f"{rate.found} of {rate.tried}" if rate.tried else "not tried"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in RIGHT else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _listed(sentences: Sequence[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]


# ---------------------------------------------------------------- JSON


def drill_json(drill: Drill) -> str:
    """The whole result as one JSON object; docs/usage.md names its keys."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "counts": {
            "prompts": drill.prompts,
            "accounts": drill.accounts,
            "set_aside": drill.set_aside,
            "scans": drill.scans,
            "repeated": drill.repeated,
        },
        "overall": _rate(drill.overall),
        "centre": msgspec.to_builtins(drill.plan.centre),
        "levels": [
            {
                "factor": level.factor,
                "level": level.value,
                "centre": level.centre,
                "alone": _rate(level.alone),
                "mixed": _rate(level.mixed),
            }
            for level in drill.levels
        ],
        "blind_spots": list(drill.blind_spots),
        "not_tried": list(drill.not_tried),
        "trials": [_trial(outcome) for outcome in drill.outcomes],
        "seconds": drill.seconds,
        "seed": drill.seed,
        "files": list(drill.files),
        "settings": drill.settings,
        "versions": drill.versions,
        "notes": list(drill.notes),
    }
    return json_text(value, indent=2) + "\n"


def _rate(rate: Rate) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(rate)
    return {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in values.items()}


def _trial(outcome: Outcome) -> dict[str, Any]:
    trial = outcome.trial
    return {
        "number": trial.number,
        "kind": "combination" if trial.random else "centre" if trial.factor is None else "factor",
        "factor": trial.factor,
        "design": msgspec.to_builtins(trial.design),
        "scan": outcome.scan,
        "accounts": outcome.accounts,
        "prompts": outcome.prompts,
        "own_prompts": outcome.own,
        "share": round(outcome.share, DECIMALS),
        "real_accounts": outcome.real,
        "joined_accounts": outcome.joined,
        "new_accounts": outcome.new,
        "found": outcome.found,
        "found_at_any_tier": outcome.seen,
        "inside_larger_finding": outcome.inside,
        "tier": outcome.tier,
        "account_recall": round(outcome.account_recall, DECIMALS),
    }
