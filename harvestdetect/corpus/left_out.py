"""Sentences about what was left out of texts before they were compared."""

from __future__ import annotations

from collections.abc import Mapping

from harvestdetect.corpus.registry import Registry
from harvestdetect.data import Preamble

__all__ = ["preamble_sentence", "scaffold_sentence"]


def scaffold_sentence(known: Mapping[str, int], registry: Registry | None) -> str | None:
    """The sentence about known scaffolds; None if there were none.

    Args:
        known: id of an entry -> prompts with it.
        registry: of these entries; None if there is none.
    """
    entries = registry.entries if registry else ()
    cut = [f"{e.id} from {known[e.id]:,}" for e in entries if e.kind == "scaffold" and known.get(e.id)]
    if not cut:
        return None
    return f"known scaffolds are removed before prompts are compared and shown ({', '.join(cut)})"


def preamble_sentence(preamble: Preamble) -> str:
    """The sentence about one preamble."""
    return (
        f"{preamble.accounts:,} accounts ({preamble.share:.0%} of all) send one text of {preamble.words:,.0f} words, "
        "probably the prompt of a product; it is removed before prompts are compared and shown "
        f"({preamble.id}, in {preamble.prompts:,} prompts)"
    )
