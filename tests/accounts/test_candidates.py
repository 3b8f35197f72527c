"""One list of candidates: those of texts, and the groups of alike accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harvestdetect.accounts.candidates import NearestLookup, _without_described, with_candidates, with_groups
from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.cluster.assign import Assigned
from harvestdetect.data import Campaign, Neighbors, TemplateCluster
from harvestdetect.template.refine import Refined, refine_clusters
from harvestdetect.util.arrays import Ints32, unique
from tests.accounts.made import LEAST, Texts, filled, texts_of

EXAM = "Write ten hard exam questions on {} together with {} and with a key and a mark for every single one of them"
TUTOR = "You are a patient tutor of {}: walk me through {} step by step and check every step before the next"
REVIEW = "As a senior reviewer judge the plan {} against the plan {} and name the weakest point of either of both"

K = 12


@pytest.fixture(scope="module")
def case() -> Texts:
    """A ring that sends two templates, users of a product who send one of them, and others with a third."""
    return texts_of(
        [
            *filled("ring", EXAM, 24),
            *filled("ring", TUTOR, 24),
            *filled("user", EXAM, 40),
            *filled("other", REVIEW, 20),
        ]
    )


def refined_of(case: Texts, *clusters: Ints32) -> Refined:
    """The templates of some clusters of prompts."""
    found = []
    for prompts in clusters:
        start = case.parts.start
        segments = np.unique(np.concatenate([case.parts.segment[start[p] : start[p + 1]] for p in prompts]))
        cluster = TemplateCluster(channel="wording", segments=segments, quality=1.0)
        found.append(Assigned(cluster=cluster, prompts=prompts))
    return refine_clusters(found, case.corpus, case.parts, case.vectors, min_accounts=LEAST)


def campaign_of(case: Texts, refined: Refined, *clusters: int) -> Campaign:
    """The candidate of some clusters."""
    row = np.concatenate([refined.assigned[c].prompts for c in clusters])
    own = np.repeat(np.array(clusters, np.int32), [len(refined.assigned[c].prompts) for c in clusters])
    order = np.argsort(row)
    accounts, hits = np.unique(case.corpus.prompts.account[row], return_counts=True)
    return Campaign(
        clusters=np.array(clusters, np.int32),
        accounts=accounts.astype(np.int32),
        membership=np.ones(len(accounts)),
        harvest_share=hits / case.volume[accounts],
        harvest_prompts=hits.astype(np.int32),
        prompts=row[order],
        prompt_cluster=own[order],
        link_log_p=0.0,
    )


def near_of(case: Texts, *populations: Sequence[str]) -> NearestLookup:
    """Accounts whose nearest accounts are of the same population, drawn at random."""
    rng = np.random.default_rng(0)
    accounts = len(case.volume)
    index = np.full((accounts, K), -1, np.int32)
    for names in populations:
        own = case.accounts(*names)
        for account in own.tolist():
            index[account] = rng.choice(own[own != account], K, replace=False)
    distance = np.where(index >= 0, 0.5, np.inf).astype(np.float32)
    return NearestLookup(np.arange(accounts, dtype=np.int32), Neighbors(index=index, distance=distance), accounts)


def listed(
    case: Texts, refined: Refined, texts: Sequence[Campaign], groups: Sequence[AccountGroup], near: NearestLookup
) -> tuple[list[Campaign], Refined]:
    """The list of candidates, after a check of what is true of every list."""
    campaigns, after = with_groups(texts, groups, refined, case.source, volume=case.volume, near=near)
    assert len(after.assigned) == len(after.descriptions) == len(after.templates)
    assert after.assigned[: len(refined.assigned)] == refined.assigned
    for campaign in campaigns:
        assert (np.diff(campaign.prompts) > 0).all()
        assert np.array_equal(unique(campaign.prompt_cluster), campaign.clusters)
        assert np.array_equal(unique(case.corpus.prompts.account[campaign.prompts]), campaign.accounts)
        assert campaign.harvest_prompts.sum() == len(campaign.prompts)
        assert (campaign.harvest_share <= 1).all()
        assert campaign.ways
        for cluster in campaign.clusters.tolist():
            mine = campaign.prompts[campaign.prompt_cluster == cluster]
            assert set(mine.tolist()) <= set(after.assigned[cluster].prompts.tolist())
            assert cluster in after.templates
    return campaigns, after


def test_a_group_with_the_accounts_of_a_candidate_is_that_candidate_found_in_two_ways(case: Texts) -> None:
    refined = refined_of(case, case.prompts("ring", containing="tutor"))
    before = campaign_of(case, refined, 0)
    near = near_of(case, ["ring"], ["user"], ["other"])
    (one,), after = listed(case, refined, [before], [case.group("ring")], near)
    assert one.ways == ("texts", "accounts")
    assert one.accounts is before.accounts
    assert len(after.assigned) == len(refined.assigned)
    # a third way, and the same way again
    groups = [case.group("ring"), case.group("ring", way="infrastructure")]
    (one,), _ = listed(case, refined, [before], groups, near)
    assert one.ways[:2] == ("texts", "accounts")


def test_a_group_of_its_own_is_a_candidate_with_a_cluster_for_each_template(case: Texts) -> None:
    refined = refined_of(case, case.prompts("other"))
    other = campaign_of(case, refined, 0)
    near = near_of(case, ["ring"], ["user"], ["other"])
    (first, ring), after = listed(case, refined, [other], [case.group("ring")], near)
    assert first is other
    assert ring.ways == ("accounts",)
    assert ring.accounts.tolist() == case.accounts("ring").tolist()
    assert len(ring.prompts) == len(case.prompts("ring"))
    assert sorted(" ".join(w or "…" for w in after.templates[c].words).lower()[:12] for c in ring.clusters) == [
        "write ten ha", "you are a pa",
    ]  # fmt: skip
    assert {after.assigned[c].cluster.channel for c in ring.clusters.tolist()} == {"accounts"}


def test_two_populations_behind_one_template_are_parted(case: Texts) -> None:
    refined = refined_of(case, case.prompts("ring", "user", containing="exam"))
    whole = campaign_of(case, refined, 0)
    assert len(whole.accounts) == 64
    near = near_of(case, ["ring"], ["user"], ["other"])
    campaigns, _ = listed(case, refined, [whole], [case.group("ring")], near)
    users, ring = campaigns
    assert users.accounts.tolist() == case.accounts("user").tolist()
    assert users.ways == ("texts",)
    assert ring.accounts.tolist() == case.accounts("ring").tolist()
    assert ring.ways == ("accounts",)
    # no account is lost, and no prompt of either
    assert np.array_equal(np.union1d(users.accounts, ring.accounts), whole.accounts)
    assert set(whole.prompts.tolist()) <= set(users.prompts.tolist()) | set(ring.prompts.tolist())


def test_a_piece_of_a_pure_campaign_is_not_parted(case: Texts) -> None:
    """The other accounts of the candidate have as many neighbours in the piece as by chance."""
    refined = refined_of(case, case.prompts("user"))
    whole = campaign_of(case, refined, 0)
    group = case.group("user")
    some = group.accounts[::2]
    piece = AccountGroup(
        way="accounts", accounts=some, prompts=group.prompts[np.isin(case.corpus.prompts.account[group.prompts], some)]
    )
    campaigns, _ = listed(case, refined, [whole], [piece], near_of(case, ["ring"], ["user"], ["other"]))
    assert campaigns[0] is whole
    assert [c.ways for c in campaigns] == [("texts",)], "the piece would be judged by itself"


def test_too_few_others_are_not_parted(case: Texts) -> None:
    """The rest would be smaller than a campaign."""
    few = case.accounts("user")[: LEAST - 1]
    account = case.corpus.prompts.account
    exam = case.prompts("ring", "user", containing="exam")
    refined = refined_of(case, exam[np.isin(account[exam], np.append(few, case.accounts("ring")))])
    whole = campaign_of(case, refined, 0)
    near = near_of(case, ["ring"], ["user"], ["other"])
    campaigns, _ = listed(case, refined, [whole], [case.group("ring", containing="exam")], near)
    assert campaigns[0].accounts is whole.accounts


def test_of_groups_with_the_same_accounts_the_best_is_taken(case: Texts) -> None:
    refined = refined_of(case, case.prompts("other"))
    other = campaign_of(case, refined, 0)
    near = near_of(case, ["ring"], ["user"], ["other"])
    groups = [case.group("ring"), case.group("ring", containing="tutor"), case.group("user")]
    campaigns, _ = listed(case, refined, [other], groups, near)
    assert [len(c.accounts) for c in campaigns] == [20, 24, 40]
    assert len(campaigns[1].clusters) == 2


def test_prompts_without_a_template_are_one_cluster() -> None:
    """No account of a group is lost where enough accounts sent such prompts."""
    case = texts_of([*filled("loose", "{} {}", 15, each=4), *filled("other", REVIEW, 20)])
    refined = refined_of(case, case.prompts("other"))
    other = campaign_of(case, refined, 0)
    near = near_of(case, ["loose"], ["other"])
    (_, loose), after = listed(case, refined, [other], [case.group("loose")], near)
    assert loose.accounts.tolist() == case.accounts("loose").tolist()
    assert len(loose.prompts) == 60
    assert len(after.assigned) == 2


def test_a_group_of_too_few_accounts_is_no_candidate(case: Texts) -> None:
    """What the accounts have in common was sent by a few of them."""
    refined = refined_of(case, case.prompts("other"))
    other = campaign_of(case, refined, 0)
    ring = case.group("ring")
    few = ring.prompts[case.corpus.prompts.account[ring.prompts] <= ring.accounts[LEAST - 2]]
    near = near_of(case, ["ring"], ["user"], ["other"])
    campaigns, after = listed(case, refined, [other], [replace(ring, prompts=few)], near)
    assert campaigns == [other]
    assert after.assigned == refined.assigned
    # a person chose these
    found, _ = with_candidates([replace(ring, prompts=few, way="seed")], refined, case.source, volume=case.volume)
    assert [len(one.accounts) for one in found] == [LEAST - 1]


def operator_of(case: Texts, *names: str) -> AccountGroup:
    """Accounts that share infrastructure."""
    return case.group(*names, way="infrastructure")


def test_a_group_of_infrastructure_loses_the_accounts_that_another_candidate_describes(case: Texts) -> None:
    refined = refined_of(case, case.prompts("ring", containing="tutor"))
    ring = campaign_of(case, refined, 0)
    near = near_of(case, ["ring"], ["user"], ["other"])
    (first, operator), _ = listed(case, refined, [ring], [operator_of(case, "ring", "user")], near)
    assert first is ring
    assert operator.ways == ("infrastructure",)
    assert operator.accounts.tolist() == case.accounts("user").tolist()


def test_accounts_without_a_profile_stay_in_a_group_of_infrastructure(case: Texts) -> None:
    refined = refined_of(case, case.prompts("ring", containing="tutor"))
    ring = campaign_of(case, refined, 0)
    nobody = np.empty((0, K))
    near = NearestLookup(
        np.empty(0, np.int32), Neighbors(index=nobody.astype(np.int32), distance=nobody), len(case.volume)
    )
    (_, operator), _ = listed(case, refined, [ring], [operator_of(case, "ring", "user")], near)
    assert operator.accounts.tolist() == case.accounts("ring", "user").tolist()


def test_a_group_of_infrastructure_with_too_few_other_accounts_is_left_out(case: Texts) -> None:
    refined = refined_of(case, case.prompts("ring", "user", containing="exam"), case.prompts("other"))
    both, other = campaign_of(case, refined, 0), campaign_of(case, refined, 1)
    near = near_of(case, ["ring"], ["user"], ["other"])
    few = operator_of(case, "ring", "other")
    # less than half of the first candidate is in the group, so only the accounts of the second leave it
    campaigns, _ = listed(case, refined, [both, other], [few], near)
    assert campaigns[2].accounts.tolist() == case.accounts("ring").tolist()
    ring = replace(both, accounts=case.accounts("ring"))
    assert len(ring.accounts) == 24
    alone = _without_described([few], [ring, other], near, account=case.corpus.prompts.account, least=LEAST)
    assert alone == []


def test_without_groups_nothing_changes(case: Texts) -> None:
    refined = refined_of(case, case.prompts("other"))
    other = campaign_of(case, refined, 0)
    campaigns, after = listed(case, refined, [other], [], near_of(case, ["other"]))
    assert campaigns == [other]
    assert after.assigned == refined.assigned
    assert listed(case, refined, [], [], near_of(case, ["other"]))[0] == []
