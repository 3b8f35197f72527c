"""Seeds for ``scan --around`` from the answer to a question."""

from __future__ import annotations

from harvestdetect.accounts.seeds import MAX_SEEDS
from harvestdetect.search.values import Found
from harvestdetect.util.escape import json_text

__all__ = ["MAX_SEEDS", "seed_lines"]


def seed_lines(found: Found, *, text: str = "", account: str | None = None) -> str:
    """One line with the text or the account that was asked for, or one for each account of the answer.

    Args:
        found: the answer, with up to :data:`MAX_SEEDS` accounts.
        text: the text that was asked for; empty: none was.
        account: the account that was asked for; None: none was.
    """
    if text or account is not None:
        return json_text({"text": text} if text else {"account": account}) + "\n"
    return "".join(json_text({"account": one.account}) + "\n" for one in found.accounts)
