"""Forms candidates: assigns prompts to clusters, finds the template of each cluster, and collects the accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from harvestdetect.accounts.find import with_accounts
from harvestdetect.campaign.find import find_campaigns
from harvestdetect.cluster.assign import Assigned, assign_prompts, verbatim_clusters
from harvestdetect.context import Context
from harvestdetect.corpus.account_fields import account_values
from harvestdetect.corpus.by_prompt import PromptSegments, parts_by_prompt
from harvestdetect.data import Corpus
from harvestdetect.stages.plan import ScanPlan
from harvestdetect.stages.values import Compared, Embedded, Formed
from harvestdetect.template.clusters import ClusterSource
from harvestdetect.template.refine import Refined, refine_clusters
from harvestdetect.template.splitting import Split

__all__ = ["PARALLEL_CLUSTERS", "describe", "form"]

PARALLEL_CLUSTERS: Final = 500
"""Number of clusters from which the engine describes them. Starting its processes takes about a second."""


def form(compared: Compared, plan: ScanPlan) -> Formed:
    """Finds the template of each cluster, and forms the candidates of texts, of accounts and of infrastructure."""
    context, settings, corpus, volume = plan.context, plan.context.settings, compared.corpus, compared.volume
    least = settings.min_accounts
    with context.measured("assign"):
        clusters = [*compared.clusters, *verbatim_clusters(corpus, min_accounts=least)]
        assigned = assign_prompts(clusters, corpus, volume, min_accounts=least)
    with context.measured("templates", blas_threads=1):
        parts = parts_by_prompt(corpus)
        refined = plan.stages.describe(assigned, corpus, parts, compared.wording, context)
    with context.measured("campaigns", blas_threads=1):
        texts = find_campaigns(
            [item.prompts for item in refined.assigned], refined.descriptions, corpus, volume, compared.neighbors,
            link_log_p=settings.link_log_p, min_accounts=least, seed=settings.seed,
        )  # fmt: skip
    with context.measured("accounts", blas_threads=1):
        fields = account_values(corpus.prompts)
        campaigns, refined, kin = with_accounts(
            texts, refined,
            ClusterSource(corpus=corpus, parts=parts, vectors=compared.wording.vectors, min_accounts=least),
            volume=volume.prompts, fields=fields, link_log_p=settings.link_log_p,
            threads=settings.threads, seed=settings.seed,
            engine=context.engine if len(refined.assigned) >= PARALLEL_CLUSTERS else None,
        )  # fmt: skip
    return Formed(parts=parts, refined=refined, texts=texts, campaigns=campaigns, kin=kin, fields=fields)


def describe(
    assigned: Sequence[Assigned],
    corpus: Corpus,
    parts: PromptSegments,
    wording: Embedded,
    context: Context,
    *,
    known: Mapping[int, Split] | None = None,
    remember: bool = False,
) -> Refined:
    """Finds the template of every cluster: splits mixed clusters and merges those of one template.

    Args:
        assigned: clusters with their prompts.
        corpus: of all segments.
        parts: of its prompts.
        wording: all segments in the wording view.
        context: of the scan.
        known: results of splitting clusters, by position, that an earlier scan found and that are not looked for again.
        remember: return the results of splitting the other clusters, for a later scan.
    """
    unknown = len(assigned) - len(known or ())
    return refine_clusters(
        assigned, corpus, parts, wording.vectors, min_accounts=context.settings.min_accounts, known=known,
        remember=remember, engine=context.engine if unknown >= PARALLEL_CLUSTERS else None,
    )  # fmt: skip
