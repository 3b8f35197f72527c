"""What to do with a finding: steps for a person, each with the command that does it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harvestdetect.corpus.registry import SCAFFOLD_WORDS, word_count
from harvestdetect.data import Finding, Tier
from harvestdetect.util.escape import visible

__all__ = ["IN_SHORT", "Step", "best_explanation", "next_steps"]

IN_SHORT: Final[Mapping[Tier, str]] = {
    "urgent": "Read the template and three whole texts today. If no benign explanation holds, hand over the "
    "recommended accounts and record the verdict.",
    "review": "Read them this week. Look for a benign explanation first: a product, a class, one customer.",
    "watch": "No action. Look again when one grows, and register the templates of your own products.",
}
"""Tier -> what to do with its findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do."""

    text: str
    command: str = ""
    """A line for a shell in the folder of the results; empty where a person must think. ``STATE`` stands for the folder
    of ``--state``."""


def next_steps(finding: Finding) -> list[Step]:
    """What to do with a finding, in this order. The commands read the folder of the results as ``.``.

    Args:
        finding: of a scan. A verdict is proposed only where a state knows it.
    """
    target = shlex.quote(visible(finding.campaign_id))
    read = Step(
        text="Read the template and some whole texts: would these people have written them by themselves?",
        command=f"harvestdetect explain . {target} --texts",
    )
    explanation = best_explanation(finding)
    doubt = Step(
        text=f"Rule out the benign explanation that fits best: {explanation}." if explanation
        else "No benign explanation fits by its numbers. Think of one that was not tested: a partner, a new product."
    )  # fmt: skip
    export = Step(
        text="Hand over the accounts that are recommended, the first in accounts.csv first.",
        command=f"harvestdetect export . --format csv --campaign {target} --reveal accounts --out findings-csv",
    )
    if finding.tier == "urgent":
        return [read, doubt, export, *_verdict(finding, target, "harvest")]
    if finding.tier == "review":
        known = Step(text="Ask who knows these customers. Act only if nobody does and the texts are no one's product.")
        return [read, doubt, known, *_verdict(finding, target, "unsure")]
    wait = Step(text="Otherwise do nothing. Look again when it grows or new kinds of evidence carry weight.")
    if not any(sum(word_count(run) for run in t.words if run) >= SCAFFOLD_WORDS for t in finding.templates):
        return [read, wait, *_verdict(finding, target, "benign")]
    register = Step(
        text="If it is the text of a product that you know, register it, so that later scans leave it out.",
        command=f"harvestdetect explain . {target} --as-registry-entry",
    )
    return [register, wait, *_verdict(finding, target, "benign")]


def _verdict(finding: Finding, target: str, verdict: str) -> list[Step]:
    if finding.standing is None:
        return []
    return [
        Step(
            text="Record what you found, so that the next report says so.",
            command=f"harvestdetect review STATE {target} --verdict {verdict} --note 'why'",
        )
    ]


def best_explanation(finding: Finding) -> str:
    """The name of the benign explanation that fits best; empty if none fits."""
    fits = [b for b in finding.benign_explanations if b.verdict == "fits"]
    return min(fits, key=lambda b: (b.caps is None, b.bits or 0.0, b.name)).name if fits else ""
