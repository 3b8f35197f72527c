"""From the data of a candidate to the arguments of each measure that needs more than a field of it.

Each function here has the form that :data:`harvestdetect.evidence.measures.MEASURES` asks for: it takes a candidate and
its context, changes neither, and gives an observation, or None where too little is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from harvestdetect.corpus.by_prompt import prompt_texts
from harvestdetect.evidence import candidate as candidates
from harvestdetect.evidence import duplicates, intent, wording
from harvestdetect.evidence.block_density import block_density
from harvestdetect.evidence.candidate import CandidateData, MeasureContext, some_of
from harvestdetect.evidence.cohort import cohort_coverage
from harvestdetect.evidence.duplicates import duplicate_types, paired
from harvestdetect.evidence.load import even_load, least_beyond, linked_clusters, linked_templates
from harvestdetect.evidence.model_pivot import model_pivot
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.wording import density, rigid_wording, shared_wording, slot_sweep
from harvestdetect.template.alignment import align
from harvestdetect.template.description import is_rigid, is_template
from harvestdetect.template.tokens import token_texts
from harvestdetect.util.arrays import Bools, Ints, Ints32, spread

__all__ = [
    "take_block_density",
    "take_cohort_coverage",
    "take_density",
    "take_duplicate_types",
    "take_even_load",
    "take_linked_clusters",
    "take_linked_templates",
    "take_model_pivot",
    "take_rigid_wording",
    "take_shared_wording",
    "take_slot_sweep",
]


FIRST_PAIRS: Final = 8
"""Pairs of texts that are compared at first; of slots, twice as many texts are read at first. Chosen."""
FIRST_PAIRS_P: Final = 0.1
"""Largest p-value of the first pairs or texts at which all of them are read. Chosen."""


# ---------------------------------------------------------------- text


def take_rigid_wording(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the candidate's most rigid template."""
    rigid = max(candidate.descriptions, key=lambda d: d.fixed)
    return rigid_wording(rigid.fixed, rigid.rigidity, context.comparison.fixed)


def take_shared_wording(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the cluster whose texts share the most words."""
    return shared_wording(max(d.shared - d.backwards for d in candidate.descriptions), context.comparison.shared)


def take_density(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the candidate's segments that have neighbours from other accounts."""
    near = context.scan.core[some_of(candidate.segments)]
    return density(near[np.isfinite(near)].astype(np.float64), context.comparison.distances)


def take_slot_sweep(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the largest template; None where the largest cluster has none."""
    largest = int(np.argsort(-candidate.cluster_sizes, kind="stable")[0])
    description = candidate.descriptions[largest]
    if not is_template(description):
        return None
    has_text = _with_text(candidate, context)
    own = has_text & (candidate.trimmed.prompt_cluster == candidate.trimmed.clusters[largest])
    prompts = candidate.trimmed.prompts[own]
    copied = np.ones(len(prompts), bool)
    copied[np.unique(context.scan.corpus.prompts.content[prompts], return_index=True)[1]] = False

    def swept(count: int) -> Observation | None:
        read = spread(len(prompts), count)
        texts = [token_texts(text) for text in _texts(prompts[read], candidate, context)]
        return slot_sweep(texts, [align(description.kept, text) for text in texts], copied=copied[read])

    return _few_first(swept, 2 * FIRST_PAIRS, intent.MAX_TEXTS)


def take_duplicate_types(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of pairs of prompts of one cluster by different accounts."""
    scan, campaign = context.scan, candidate.trimmed
    has_text = _with_text(candidate, context)
    prompts, cluster = campaign.prompts[has_text], campaign.prompt_cluster[has_text]
    among = spread(len(prompts), candidates.READ_AMONG)
    account = scan.corpus.prompts.account[prompts[among]]
    drawn = paired(account, cluster[among], seed=candidate.seed)
    by_size = np.argsort(-candidate.cluster_sizes, kind="stable")
    descriptions = [candidate.descriptions[i] for i in by_size]
    templates = [d.kept for d in descriptions if is_template(d)]

    def kinds(count: int) -> Observation | None:
        first = 2 * spread(len(drawn) // 2, count)
        chosen = drawn[np.column_stack((first, first + 1)).ravel()]
        return duplicate_types(
            _texts(prompts[among[chosen]], candidate, context),
            account=account[chosen],
            vectors=scan.vectors[prompts[among[chosen]]].astype(np.float32),
            templates=templates,
        )

    return _few_first(kinds, FIRST_PAIRS, duplicates.PAIRS)


def _few_first(measure: Callable[[int], Observation | None], few: int, many: int) -> Observation | None:
    """A measure of a few texts and, where its p-value is at most :data:`FIRST_PAIRS_P`, of many.

    Of a candidate whose first few texts look like copies the others are not read. The p-value of the first few texts is
    then above :data:`FIRST_PAIRS_P`, and otherwise it is that of all texts.
    """
    found = measure(few)
    return found if found is None or found.p_value > FIRST_PAIRS_P else measure(many)


def _with_text(candidate: CandidateData, context: MeasureContext) -> Bools:
    """bool[q]: which prompts have a part that can be read."""
    start, prompts = context.scan.parts.start, candidate.trimmed.prompts
    return np.asarray(start[prompts + 1] > start[prompts])


def _texts(prompts: Ints32, candidate: CandidateData, context: MeasureContext) -> list[str]:
    """The beginning of the text of each prompt, as its clusters show it."""
    scan = context.scan
    return [
        text[: wording.READ_CHARACTERS] for text in prompt_texts(scan.corpus, scan.parts, prompts, candidate.segments)
    ]


# ---------------------------------------------------------------- structure


def take_even_load(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of all accounts: leaving out those that send most would make any load even."""
    whole = candidate.whole
    strays = least_beyond(whole.stray_hits, candidate.clusters_used)
    return even_load(whole.harvest_prompts, strays=strays, seed=candidate.seed)


def take_linked_templates(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the links that put the candidate together, where nobody fills its templates by chance."""
    if len(candidate.whole.clusters) < 2:
        return None
    return linked_templates(
        _rigid_templates(candidate),
        candidate.whole.link_log_p,
        accounts=len(candidate.whole.accounts),
        several=candidate.several,
    )


def take_linked_clusters(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the links that put the candidate together, where its clusters are subjects or loose templates."""
    return linked_clusters(
        len(candidate.whole.clusters),
        _rigid_templates(candidate),
        candidate.whole.link_log_p,
        accounts=len(candidate.whole.accounts),
        several=candidate.several,
    )


def _rigid_templates(candidate: CandidateData) -> int:
    """The templates, if any of them is rigid: people with one interest ask several short questions of its kind."""
    return candidate.templates if any(map(is_rigid, candidate.descriptions)) else 0


def take_block_density(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the candidate's clusters and members."""
    campaign, comparison = candidate.trimmed, context.comparison
    return block_density(
        context.scan.corpus.prompts.account[campaign.prompts],
        _places(candidate),
        popularity=comparison.users[campaign.clusters],
        share=comparison.cluster_share[campaign.clusters],
        sent=comparison.sent[campaign.accounts],
        strays=campaign.stray_hits,
        seed=candidate.seed,
    )


def _places(candidate: CandidateData) -> Ints:
    """int64[q]: for each prompt the position of its cluster."""
    return np.searchsorted(candidate.trimmed.clusters, candidate.trimmed.prompt_cluster)


def take_cohort_coverage(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the members and the accounts first seen when they were."""
    campaign = candidate.trimmed
    return cohort_coverage(
        context.comparison.first_seen, campaign.accounts, outside=len(campaign.outside), seed=candidate.seed
    )


# ---------------------------------------------------------------- time


def take_model_pivot(candidate: CandidateData, context: MeasureContext) -> Observation | None:
    """Of the models that the prompts went to."""
    return model_pivot(candidate.timed, context.scan.corpus.prompts.fields["model"].code)
