"""Found preambles as a registry of known scaffolds, for a person to review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from harvestdetect.data import Preamble
from harvestdetect.util.escape import toml_text

__all__ = ["suggested_registry"]

VALID: Final = timedelta(days=365)
"""How long a suggested entry is used, until somebody looks at it again."""
OWNER: Final = "not reviewed yet"
"""Owner of a suggested entry."""


def suggested_registry(preambles: Sequence[Preamble], counts: Mapping[str, int], *, today: date) -> str:
    """The text of a registry (TOML) that :func:`harvestdetect.corpus.registry.load_registry` reads.

    Comments have numbers only. Texts come from prompts, so they are quoted, and their invisible characters are escapes.

    Args:
        preambles: that a scan found.
        counts: of the detection.
        today: from which the entries are valid for a year.
    """
    lines = [
        f"# Found in {counts.get('prompts', 0):,} prompts of {counts.get('accounts', 0):,} accounts on {today}.",
        "#",
        "# Read each text before you use this file: its words will be left out of everything that is compared. Delete",
        "# an entry that no product of yours sends, and name an owner for the others. {prompt} is where the text of",
        "# the user stands. What fills a numbered slot is left out as well if it is a value of a few words.",
    ]
    for one in preambles:
        lines += [
            "",
            f"# {one.accounts:,} accounts ({one.share:.0%} of all) sent it, in {one.prompts:,} prompts; "
            f"{one.words:,.0f} fixed words.",
            "[[entry]]",
            f"id = {toml_text(one.id)}",
            'kind = "scaffold"',
            f"text = {toml_text(one.text)}",
            f"owner = {toml_text(OWNER)}",
            f"expires = {today + VALID}",
        ]
    return "\n".join(lines) + "\n"
