"""Why a campaign was found, as lines of text for formats that have no fields for it."""

from __future__ import annotations

import math
from typing import Final

from harvestdetect.corpus.account_fields import FIELD_NAMES
from harvestdetect.export.text import plain
from harvestdetect.export.values import Campaign
from harvestdetect.judge.caps import VERDICT

__all__ = ["reasons"]

LINE: Final = 500
"""Most characters of a line."""


def reasons(campaign: Campaign) -> list[str]:
    """The ledger with its sentences, the benign explanations that were tested, and the values that members share.

    No line names an account or a reviewer, or quotes a prompt. The words stay as they are: ids in exports are made of
    them.
    """
    said = {one.id: one.sentence for one in campaign.evidence}
    lines = [f"{row.bits:+.1f} bits: {row.name}. {row.sentence or said.get(row.id, '')}" for row in campaign.ledger]
    if lines:
        lines.insert(0, "For a campaign (+) and against one (-), as binary logarithms of likelihood ratios:")
    tested = [one for one in campaign.benign_explanations if one.id != VERDICT]
    if tested:
        lines.append("Innocent explanations that were tested:")
        lines += [f"{one.verdict}: {one.name}. {one.sentence}" for one in tested]
    if campaign.shared_values:
        lines.append("Values that members share (addresses are shown as their networks):")
        lines += [
            f"{FIELD_NAMES.get(one.field, one.field)} {one.value}: {one.members:,} of {one.known:,} members, "
            f"{one.accounts:,} of {one.population:,} accounts"
            for one in campaign.shared_values
        ]
    if not math.isnan(campaign.probability) and lines:
        lines.append("A probability is no verdict. Nobody may have looked at this finding yet.")
    return [plain(line.strip(), LINE) for line in lines]
