"""The verdicts that a state has now, on the findings of a scan that wrote its results before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harvestdetect.export.values import Account, Campaign, Source
from harvestdetect.judge.caps import BENIGN_CAP, VERDICT, benign_verdict
from harvestdetect.report.format import plural
from harvestdetect.state import KnownCampaign
from harvestdetect.state.clearing import Clearing, standing_clearings
from harvestdetect.state.known_campaigns import known_campaigns
from harvestdetect.state.store import open_store

__all__ = ["with_verdicts"]


def with_verdicts(source: Source, state: Path) -> Source:
    """The findings of a scan under the verdicts of a state.

    As in :func:`~harvestdetect.export.state_folder.read_state_folder`, verdicts are those in force when the last run
    finished, and those given later, so that the clock changes nothing.

    Args:
        source: read from the folder of a scan.
        state: the folder of the state into which it scanned.

    Raises:
        StateError: there is no state, or it is damaged, or of another version.
    """
    with open_store(state, write=False) as store, store.snapshot():
        finished = store.rows("SELECT max(finished) AS finished FROM runs")[0]["finished"]
        known = {one.campaign_id: one for one in known_campaigns(store, now=finished or 0, everything=True)}
        cleared = standing_clearings(store)
    strangers = sum(one.campaign_id not in known for one in source.campaigns)
    notes = source.notes
    if strangers:
        notes = (
            *notes,
            f"the state does not know {plural(strangers, 'finding')} of the scan, so no verdict on it counts",
        )
    campaigns = [
        _cleared(_judged(one, known[one.campaign_id]), cleared.get(one.campaign_id, {}))
        if one.campaign_id in known
        else one
        for one in source.campaigns
    ]
    return replace(source, campaigns=tuple(campaigns), notes=notes)


def _cleared(campaign: Campaign, cleared: Mapping[str, Clearing]) -> Campaign:
    """The finding, with no cleared account recommended for action.

    Args:
        campaign: the finding.
        cleared: account -> the clearing in force.
    """

    def one(account: Account) -> Account:
        said = cleared[account.name].sentence
        reasons = account.reasons if said in account.reasons else (said, *account.reasons)
        return replace(account, recommended=False, reasons=reasons)

    members = (one(account) if account.name in cleared else account for account in campaign.members)
    return replace(campaign, members=tuple(members))


def _judged(campaign: Campaign, known: KnownCampaign) -> Campaign:
    verdict = known.verdict
    benign = verdict is not None and verdict.verdict == "benign"
    sentence = "" if verdict is None else verdict.sentence
    explanations = tuple(one for one in campaign.benign_explanations if one.id != VERDICT)
    if benign:
        explanations = (*explanations, benign_verdict(sentence))
    # a verdict that is no longer in force does not hold it at watch
    tier = BENIGN_CAP if benign else known.evidence_tier if campaign.benign else campaign.tier
    members = tuple(replace(one, recommended=False) for one in campaign.members) if benign else campaign.members
    return replace(
        campaign, tier=tier, verdict=sentence, benign=benign, benign_explanations=explanations, members=members
    )
