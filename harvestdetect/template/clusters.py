"""The template of a cluster of prompts, made of texts that show what the cluster is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from harvestdetect.cluster.assign import Assigned
from harvestdetect.corpus.by_prompt import PromptSegments, cluster_texts
from harvestdetect.data import Corpus, Template
from harvestdetect.engines.engine import Engine
from harvestdetect.engines.sharing import Shared
from harvestdetect.template.description import Description, describe
from harvestdetect.util.arrays import AnyInts, Floats32, Ints32, unique, unit
from harvestdetect.util.redact import redact
from harvestdetect.util.vectors import Rows

__all__ = ["ClusterSource", "Described", "described", "template_of", "with_counts_of"]


TEXTS_PER_CLUSTER: Final = 48
"""Texts of a cluster that its template is made of. Chosen, for speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSource:
    """The corpus of the clusters, and what is needed to read and to split them."""

    corpus: Corpus
    parts: PromptSegments
    """The whole parts of every prompt."""
    vectors: Rows
    """float16[n, d], unit rows but for rounding, of all segments in the wording view."""
    min_accounts: int
    """Accounts that a subcluster needs."""

    def share(self, engine: Engine) -> Shared[ClusterSource]:
        """Puts the source where the workers of an engine can read it. What other stages share too is written once."""
        for one in (self.corpus, self.parts, self.vectors):
            engine.share(one)
        return engine.share(self)

    def texts(self, item: Assigned, at_most: int) -> tuple[list[str], Ints32]:
        """Texts that show what a cluster is; see :func:`harvestdetect.corpus.by_prompt.cluster_texts`."""
        return cluster_texts(self.corpus, self.parts, item.prompts, item.cluster.segments, at_most=at_most)

    def accounts(self, prompts: Ints32) -> AnyInts:
        """The account of each prompt."""
        return self.corpus.prompts.account[prompts]

    def enough_accounts(self, prompts: Ints32) -> bool:
        """Whether enough accounts sent some prompts for a subcluster."""
        return len(unique(self.accounts(prompts))) >= self.min_accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The template of a cluster, and the texts that it shows."""

    description: Description
    template: Template
    shown: Ints32
    """int32[.], ascending: the segments whose texts the template shows."""


def described(item: Assigned, source: ClusterSource) -> Described:
    """The template of a cluster."""
    texts, segments = source.texts(item, TEXTS_PER_CLUSTER)
    description, template = template_of(
        texts,
        unit(source.vectors[segments]),
        channel=item.cluster.channel,
        segments=len(unique(source.corpus.prompts.content[item.prompts])),
        prompts=len(item.prompts),
        accounts=len(unique(source.accounts(item.prompts))),
    )
    shown = [description.medoid, *description.exemplars, description.least_similar]
    return Described(description=description, template=template, shown=unique(segments[shown]))


def with_counts_of(template: Template, item: Assigned, corpus: Corpus) -> Template:
    """The template with the numbers of texts, prompts and accounts of a cluster."""
    return replace(
        template,
        segments=len(unique(corpus.prompts.content[item.prompts])),
        prompts=len(item.prompts),
        accounts=len(unique(corpus.prompts.account[item.prompts])),
    )


def template_of(
    texts: Sequence[str],
    vectors: Floats32,
    *,
    channel: str,
    segments: int,
    prompts: int,
    accounts: int,
) -> tuple[Description, Template]:
    """The template of one cluster, made of redacted texts only.

    Args:
        texts: originals that show what the cluster is, at least one.
        vectors: float32[len(texts), d], unit rows.
        channel: the channel that found the cluster.
        segments: the number of distinct texts of the cluster.
        prompts: the number of its prompts.
        accounts: the number of its accounts.
    """
    shown = [redact(text) for text in texts]
    description = describe(shown, vectors)
    return description, Template(
        template_id=f"t-{description.signature[:10]}",
        channel=channel,
        words=description.words,
        slots=description.slots,
        medoid=shown[description.medoid],
        exemplars=tuple(shown[i] for i in description.exemplars),
        least_similar=shown[description.least_similar],
        signature=description.signature,
        segments=segments,
        prompts=prompts,
        accounts=accounts,
    )
