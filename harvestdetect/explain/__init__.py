"""Why a campaign or an account was judged as it was, from the files of a scan alone.

Nothing is scanned again and no model is loaded. ``campaigns.jsonl`` and ``accounts.csv`` are needed;
``candidates.jsonl`` adds what was weighed and left out, ``prompts.parquet`` which templates an account sent,
``accounts_seen.parquet`` which accounts the dump holds, ``run.json`` the settings. What is missing is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harvestdetect.errors import UsageError
from harvestdetect.explain.account import explain_account, is_named, similar, some
from harvestdetect.explain.campaign import explain_campaign
from harvestdetect.explain.files import read_scan
from harvestdetect.explain.show import explanation_json, render
from harvestdetect.explain.values import AccountExplanation, CampaignExplanation, Change, Place

__all__ = [
    "AccountExplanation",
    "CampaignExplanation",
    "Change",
    "Place",
    "explain",
    "explanation_json",
    "render",
]

PREFIX: Final = 3
"""Characters from which the beginning of a campaign id is taken for it."""
_CAMPAIGN_ID: Final = re.compile(r"c-[0-9a-f]*")


def explain(out: str | Path, target: str, *, account: bool = False) -> CampaignExplanation | AccountExplanation:
    """Explains a campaign or an account.

    Args:
        out: the folder that a scan wrote.
        target: a campaign id, an account id, or the beginning of a campaign id that no other one has. A campaign goes
            before an account of the same name.
        account: take ``target`` for an account.

    Raises:
        UsageError: there is no such campaign, several begin so, or the dump holds no such account.
        InputError: a file of the scan is missing or malformed.
    """
    scan = read_scan(Path(out))
    ids = list(scan.candidates)
    if not account:
        if target in scan.candidates:
            return explain_campaign(scan, scan.candidates[target])
        if not is_named(scan, target):
            begin = [i for i in ids if i.startswith(target)] if len(target) >= PREFIX else []
            if len(begin) == 1:
                return explain_campaign(scan, scan.candidates[begin[0]])
            if begin:
                raise UsageError(f"{len(begin)} campaigns begin with {target!r}: {some(begin)}; give more of the id")
            if _CAMPAIGN_ID.fullmatch(target):
                raise UsageError(f"no campaign {target!r} in {scan.out}; {_nearest_ids(target, ids)}")
    return explain_account(scan, target)


def _nearest_ids(target: str, ids: Sequence[str]) -> str:
    if not ids:
        return "the scan found no candidate at all"
    near = similar(target, ids, at_least=0.0)
    return f"the nearest: {some(near)}" if near else f"there are: {some(ids)}"
