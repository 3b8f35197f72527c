"""Scans one dump in a process of its own and writes all its candidates with all their accounts.

    python -m benchmarks.world_scan DUMP OUT.json [--encoder fast] [--cache DIR]

It imports nothing of this folder, so that the detector of another checkout can scan (``PYTHONPATH``).
The files of a scan name all accounts of findings only. So the calls that judge the candidates and that decide their
members are observed here. The accounts of a candidate are those that it would have as a finding: the accounts that are
no members (:mod:`harvestdetect.judge.members`) are left out of every candidate, and not of findings alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.simulate.evaluate import found_of
from harvestdetect.util.machine import peak_memory_mb

__all__ = ["main", "scan"]


def scan(dump: Path, *, encoder: str, cache: Path | None = None) -> dict[str, Any]:
    """Scans a dump.

    Long because two calls of the scan are observed by functions that fill its lists.

    Args:
        dump: a file or folder.
        encoder: of the scan.
        cache: folder with the models; None takes the usual one.

    Returns:
        ``candidates`` (each with ``accounts``, ``tier`` and ``ways``), ``measured`` (the candidates before they are
        merged, with their measures and readings), ``findings`` (each with ``campaign_id``,
        ``tier``, ``score``, ``accounts`` and ``recommended``), ``seconds``, ``peak_memory_mb`` of the process and
        ``stages`` (seconds of each).
    """
    observed: list[dict[str, Any]] = []
    taken: list[dict[str, Any]] = []
    names: list[str] = []
    judging = _judging()
    judge, members = judging.judge_candidates, judging.with_members

    def observing(campaigns: Any, measured: Any, data: Any, *rest: Any, **named: Any) -> Any:
        names.extend(data.corpus.prompts.accounts.to_pylist())
        taken.extend(_measured(c, m, names) for c, m in zip(campaigns, measured, strict=True))
        return judge(campaigns, measured, data, *rest, **named)

    def observing_members(judged: Any, *rest: Any, **named: Any) -> Any:
        raised = [replace(one, tier=one.tier or "watch") for one in judged.judgements]
        every, _ = members(replace(judged, judgements=raised), *rest, **named)
        for campaign, judgement in zip(every.campaigns, judged.judgements, strict=True):
            observed.append(
                {
                    "accounts": sorted(names[i] for i in campaign.accounts.tolist()),
                    "tier": judgement.tier,
                    "ways": [str(way) for way in getattr(campaign, "ways", ())],
                }
            )
        return members(judged, *rest, **named)

    settings = Settings(encoder=encoder, cache=cache, use_cache=False)
    started = time.perf_counter()
    judging.judge_candidates, judging.with_members = observing, observing_members
    try:
        detection = detect(read_dumps([dump], settings=settings), settings=settings)
    finally:
        judging.judge_candidates, judging.with_members = judge, members
    return {
        "candidates": observed,
        "measured": taken,
        "findings": [
            {
                "campaign_id": one.campaign_id,
                "tier": one.tier,
                "score": one.score,
                "accounts": sorted(one.accounts),
                "recommended": sorted(one.recommended),
            }
            for one in found_of(detection)
        ],
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_mb": peak_memory_mb(),
        "stages": {cost.stage: round(cost.seconds, 2) for cost in detection.stages},
    }


def _judging() -> Any:
    """The module whose calls are observed. Older checkouts judge in ``pipeline``."""
    try:
        return importlib.import_module("harvestdetect.stages.judging")
    except ModuleNotFoundError:
        return importlib.import_module("harvestdetect.pipeline")


def _measured(campaign: Any, measured: Any, accounts: Sequence[str]) -> dict[str, Any]:
    """The measures and readings of a candidate."""
    return {
        "accounts": sorted(accounts[i] for i in campaign.accounts.tolist()),
        "prompts": len(campaign.prompts),
        "ways": [str(way) for way in getattr(campaign, "ways", ())],
        "templated": measured.templated,
        "evidence": {
            e.id: {"family": e.family, "value": e.value, "expected": e.expected, "p_value": e.p_value}
            for e in measured.evidence
        },
        "benign": {b.id: b.verdict for b in measured.benign},
        "readings": dict(getattr(measured, "readings", {})),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world_scan", description="Scans one dump.")
    parser.add_argument("dump", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", default="fast", choices=["auto", "fast", "full"])
    parser.add_argument("--cache", type=Path, help="folder with the models")
    given = parser.parse_args(arguments)
    found = scan(given.dump, encoder=given.encoder, cache=given.cache)
    given.out.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
