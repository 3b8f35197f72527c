"""Why a campaign or an account was judged as it was, from the files of a scan alone.

Nothing is scanned again and no model is loaded. ``campaigns.jsonl`` and ``accounts.csv`` are needed;
``candidates.jsonl`` adds what was weighed and left out, ``prompts.parquet`` which templates an account sent,
``accounts_seen.parquet`` which accounts the dump has, ``run.json`` the settings. What is missing is said.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from harvestdetect.dump.values.identifiers import spelling
from harvestdetect.explain.account import explain_account, is_named
from harvestdetect.explain.campaign import explain_campaign
from harvestdetect.explain.files import ScanFiles, read_scan
from harvestdetect.explain.registry_entry import registry_entry
from harvestdetect.explain.show import explanation_json, render
from harvestdetect.explain.texts import sent_texts
from harvestdetect.explain.values import AccountExplanation, CampaignExplanation, Change, Place, SentText
from harvestdetect.util.ids import LEAST_PREFIX, named_campaign

__all__ = [
    "AccountExplanation",
    "CampaignExplanation",
    "Change",
    "Place",
    "SentText",
    "explain",
    "explanation_json",
    "registry_entry",
    "render",
]

_CAMPAIGN_ID: Final = re.compile(r"c-[0-9a-f]*")
"""What a campaign id, or its beginning, looks like."""


def explain(
    out: str | Path, target: str, *, account: bool = False, texts: bool = False, redacted: bool = True
) -> CampaignExplanation | AccountExplanation:
    """Explains a campaign or an account.

    Args:
        out: the folder that a scan wrote.
        target: a campaign id, an account id, or the beginning of a campaign id that no other one has. A campaign goes
            before an account of the same name.
        account: take ``target`` for an account.
        texts: read some of the prompts again from the dumps, which must be where they were.
        redacted: replace addresses, long numbers and keys in these texts by their kind.

    Raises:
        UsageError: there is no such campaign, several begin so, or the dump has no such account.
        InputError: a file of the scan is missing or malformed.
    """
    scan = read_scan(Path(out))
    explanation = _explained(scan, target, account=account)
    if not texts:
        return explanation
    missing = list(explanation.missing)
    if isinstance(explanation, CampaignExplanation):
        found = sent_texts(scan, missing, campaign=explanation.campaign_id, redacted=redacted)
    else:
        found = sent_texts(scan, missing, account=explanation.account, redacted=redacted)
    return replace(explanation, texts=found, missing=tuple(missing))


def _explained(scan: ScanFiles, target: str, *, account: bool) -> CampaignExplanation | AccountExplanation:
    ids = list(scan.candidates)
    if not account:
        if target in scan.candidates:
            return explain_campaign(scan, scan.candidates[target])
        begins = len(target) >= LEAST_PREFIX and any(i.startswith(target) for i in ids)
        if not is_named(scan, target) and (begins or _CAMPAIGN_ID.fullmatch(target)):
            hint = "" if ids else "the scan found no candidate at all"
            return explain_campaign(scan, scan.candidates[named_campaign(target, ids, where=str(scan.out), hint=hint)])
    if not is_named(scan, target):
        target = spelling(target) or target
    return explain_account(scan, target)
