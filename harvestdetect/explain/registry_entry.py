"""The template of a campaign as an entry of a registry of known scaffolds, for a person to review."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from harvestdetect.corpus.registry import PROMPT_SLOT, SCAFFOLD_WORDS, word_count
from harvestdetect.data import Preamble, Template
from harvestdetect.errors import UsageError
from harvestdetect.explain.files import read_scan
from harvestdetect.report.suggestions import suggested_registry
from harvestdetect.util.ids import named_campaign

__all__ = ["registry_entry"]

BRACES: Final = str.maketrans({"{": " ", "}": " "})
"""Braces mark slots in a registry, so those of a text go."""


def registry_entry(out: str | Path, campaign: str, *, today: date) -> str:
    """The templates of a finding as a registry (TOML), in the form of ``registry suggest``.

    The slot whose examples are the longest is where the text of the user stands; the others have numbers.

    Args:
        out: the folder that a scan wrote.
        campaign: id of a finding, or its beginning.
        today: from which the entries are valid for a year.

    Raises:
        UsageError: there is no such finding, or none of its templates has enough fixed words.
        InputError: a file of the scan is missing or malformed.
    """
    scan = read_scan(Path(out))
    found = scan.found[named_campaign(campaign, list(scan.found), where=str(scan.out))]
    counts = scan.run.get("counts")
    known: Mapping[str, Any] = counts if isinstance(counts, dict) else {}
    accounts = max(_whole(known.get("accounts")), found.accounts, 1)
    entries = []
    for number, template in enumerate(found.templates, start=1):
        words = sum(word_count(run) for run in template.words if run)
        if words >= SCAFFOLD_WORDS:
            entries.append(
                Preamble(
                    id=f"{found.campaign_id}-{number}", text=_text(template), words=float(words),
                    accounts=template.accounts, prompts=template.prompts, share=template.accounts / accounts,
                )
            )  # fmt: skip
    if not entries:
        raise UsageError(
            f"no template of {found.campaign_id} has {SCAFFOLD_WORDS} fixed words, so it cannot be told from ordinary "
            "sentences and is no entry of a registry"
        )
    figures = {"prompts": _whole(known.get("prompts")), "accounts": accounts}
    return suggested_registry(entries, figures, today=today)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(template: Template) -> str:
    """The fixed words with ``{prompt}`` at the slot with the longest examples, and numbers at the others."""
    sizes = [max(map(len, values), default=0) for values in template.slots]
    longest = sizes.index(max(sizes)) if sizes else -1
    pieces, slot = [], 0
    for run in template.words:
        if run is None:
            pieces.append(f"{{{PROMPT_SLOT}}}" if slot == longest else f"{{{slot + 1}}}")
            slot += 1
        else:
            pieces.append(run.translate(BRACES))
    return " ".join(pieces)
