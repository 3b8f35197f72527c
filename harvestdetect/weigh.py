"""What speaks for and against every candidate: the measures of all families and the benign explanations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import spread
from harvestdetect.assign import Assigned
from harvestdetect.cluster import Postings
from harvestdetect.data import NO_TIME, BenignExplanation, Campaign, Corpus, Evidence, Neighbors
from harvestdetect.evidence import structure, text
from harvestdetect.evidence.benign import benign_explanations
from harvestdetect.evidence.nulls import Pool, draw_groups, pool_of
from harvestdetect.evidence.structure import even_load, even_load_ratio, linked_templates, shared_list
from harvestdetect.evidence.text import copies_share, text_evidence
from harvestdetect.evidence.time import DAY, SITTINGS, time_evidence
from harvestdetect.lookup import Parts, first_rows, requests, words_of
from harvestdetect.template import SAMPLE, Description, common_words, is_template, tokens

__all__ = ["DECIDING", "Case", "Weighed", "weigh"]

Ints32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

DECIDING: Final = {"text": text.DECIDING, "structure": structure.DECIDING}
"""Measures on which a family stands; those of other families all do."""
BACKGROUND_TEXTS: Final = 1_000
NEIGHBOURHOOD: Final = 12
NEED_TEMPLATE: Final = ("one list of work", "common start", "same hours")
"""Measures that a common subject explains as well; they count only where a template is shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the evidence on all candidates is drawn from."""

    corpus: Corpus
    postings: Postings
    parts: Parts
    assigned: Sequence[Assigned]
    described: Sequence[Description]
    """Of every cluster in ``assigned``."""
    neighbors: Neighbors
    """In the wording view."""
    core: Floats32
    """float32[n]: chord distance of every segment to its neighbours from other accounts."""
    vectors: Floats32
    """float32[p, d], of every prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """All that was measured on one candidate."""

    evidence: tuple[Evidence, ...]
    benign: tuple[BenignExplanation, ...]
    templated: bool
    """Whether it has a template rather than only a subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Background:
    """What lies outside every candidate, and the requests that are compared."""

    place: Ints32
    """int32[p]: the request that a prompt is."""
    account: Ints32
    time: npt.NDArray[np.int64]
    content: Ints32
    vectors: Floats32
    pool: Pool
    fixed: Floats
    shared: Floats
    distances: Floats


def weigh(campaigns: Sequence[Campaign], case: Case, *, seed: int, advance: Callable[[int], None]) -> list[Weighed]:
    """Weighs candidates.

    Args:
        campaigns: the candidates.
        case: what they were found in.
        seed: of every draw.
        advance: told how many more are done.
    """
    background = _background(campaigns, case, seed)
    found = []
    for campaign in campaigns:
        found.append(_weigh(campaign, case, background, seed))
        advance(1)
    return found


def _weigh(campaign: Campaign, case: Case, background: _Background, seed: int) -> Weighed:
    described = [case.described[int(c)] for c in campaign.clusters]
    templates = len({d.signature for d in described if is_template(d)})
    own = background.place[campaign.prompts]
    contents = background.content[own]
    found = _text(campaign, case, background, described, contents)
    if (load := even_load(campaign.harvest_prompts, strays=campaign.stray_hits, seed=seed)) is not None:
        found.append(load)
    linked = linked_templates(len(campaign.clusters), templates, campaign.link_log_p, len(campaign.accounts))
    if linked is not None:
        found.append(linked)
    subjects = None
    groups = draw_groups(background.pool, own, background.account, seed=seed)
    if groups is not None:
        if (listed := shared_list(groups, background.vectors)) is not None:
            subjects = (listed[1].deviations, listed[1].of_usual)
            found.append(listed[0])
        found.extend(time_evidence(groups, background.time))
    if not templates:
        # accounts with a common subject have alike prompts, and come together when something happens
        found = [e for e in found if e.name not in NEED_TEMPLATE]
    sittings = next((e.p_value for e in found if e.name == SITTINGS), None)
    return Weighed(
        evidence=tuple(found),
        benign=_benign(campaign, case, contents, subjects, sittings, templates > 0),
        templated=templates > 0,
    )


def _text(
    campaign: Campaign, case: Case, background: _Background, described: Sequence[Description], contents: Ints32
) -> list[Evidence]:
    rigid = max(described, key=lambda d: d.fixed)
    near = case.core[np.concatenate([case.assigned[int(c)].cluster.segments for c in campaign.clusters])]
    return text_evidence(
        fixed_words=rigid.fixed,
        rigidity=rigid.rigidity,
        shared_words=max(d.shared for d in described),
        background_fixed=background.fixed,
        background_shared=background.shared,
        distances=near[np.isfinite(near)].astype(np.float64),
        background_distances=background.distances,
        contents=contents,
    )


def _benign(
    campaign: Campaign,
    case: Case,
    contents: Ints32,
    own_subjects: tuple[float, float] | None,
    sittings_p: float | None,
    templated: bool,
) -> tuple[BenignExplanation, ...]:
    prompts = case.corpus.prompts
    time = prompts.time[campaign.prompts]
    time = time[time != NO_TIME]
    org = prompts.fields["org"].code
    first = campaign.prompts[np.searchsorted(prompts.account[campaign.prompts], campaign.accounts)]
    sample = campaign.prompts[spread(len(campaign.prompts), SAMPLE * 4)]
    return benign_explanations(
        copies=copies_share(contents),
        counts=campaign.harvest_prompts,
        load_ratio=even_load_ratio(campaign.harvest_prompts),
        own_subjects=own_subjects,
        sittings_p=sittings_p,
        templated=templated,
        median_words=float(np.median(words_of(case.corpus, case.parts, sample))),
        days=float(time.max() - time.min()) / DAY if len(time) else None,
        orgs=org[first],
    )


# ---------------------------------------------------------------- background


def _background(campaigns: Sequence[Campaign], case: Case, seed: int) -> _Background:
    prompts = case.corpus.prompts
    taken = np.zeros(len(prompts.account), bool)
    inside = np.zeros(len(prompts.accounts), bool)
    for campaign in campaigns:
        taken[campaign.prompts] = True
        inside[campaign.accounts] = True
    once = first_rows(prompts)
    account = prompts.account[once]
    free = _free_segments(case.corpus, taken)
    fixed, shared = _background_words(free, case, seed)
    distances = case.core[free]
    return _Background(
        place=requests(prompts),
        account=account,
        time=prompts.time[once],
        content=prompts.content[once],
        vectors=case.vectors[once],
        pool=pool_of(account, len(prompts.accounts), inside),
        fixed=fixed,
        shared=shared,
        distances=distances[np.isfinite(distances)].astype(np.float64),
    )


def _free_segments(corpus: Corpus, taken: npt.NDArray[np.bool_]) -> Ints32:
    """Segments of which no prompt is in a candidate."""
    held = np.zeros(len(corpus.text), bool)
    held[corpus.posting_segment[taken[corpus.posting_prompt]]] = True
    return np.flatnonzero(~held).astype(np.int32)


def _background_words(free: Ints32, case: Case, seed: int) -> tuple[Floats, Floats]:
    """Fixed and shared words of texts outside every candidate and their nearest ones, one from each account."""
    corpus = case.corpus
    chosen = free[np.random.default_rng(seed).permutation(len(free))[:BACKGROUND_TEXTS]]
    sender = case.postings.account[case.postings.start[:-1]]
    cut: dict[int, list[str]] = {}

    def words(segment: int) -> list[str]:
        if segment not in cut:
            cut[segment] = [t for t, _, _ in tokens(corpus.display[segment].as_py())]
        return cut[segment]

    found = []
    for segment in chosen.tolist():
        near = [i for i in case.neighbors.index[segment].tolist() if i >= 0]
        others = {int(sender[i]): i for i in reversed(near) if sender[i] != sender[segment]}
        nearest_first = sorted(others.values(), key=near.index)[:NEIGHBOURHOOD]
        found.append(common_words([words(segment), *map(words, nearest_first)]))
    values = np.array(found, np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]
