"""Templates, and campaigns before they are judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from harvestdetect.data.evidence import Evidence
from harvestdetect.util.arrays import Floats, Ints32

__all__ = ["Campaign", "Template", "TemplateCluster", "Way"]

Way: TypeAlias = Literal["texts", "accounts", "infrastructure", "succession", "seed"]
"""How a candidate was found: its texts are alike, its accounts are alike in all that they send, its accounts share rare
values or sign-ups, its parts continue one another over time, or a person chose texts or accounts that led to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCluster:
    """A set of segments that look like fillings of one template, found in one channel."""

    channel: str
    """``wording`` or ``meaning``, each possibly followed by ``/shared`` or ``/leaf``; ``verbatim``; or ``accounts``,
    for the prompts that make a group of accounts alike."""
    segments: Ints32
    """int32[s], ascending."""
    quality: float
    """Score of the cluster in the selection that found it; higher is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the texts of a cluster have in common."""

    template_id: str
    channel: str
    """See :class:`TemplateCluster`."""
    words: tuple[str | None, ...]
    """Runs of fixed words; None is a slot."""
    slots: tuple[tuple[str, ...], ...]
    """Example values of each slot, in the order of the slots in ``words``."""
    medoid: str
    """The most central text."""
    exemplars: tuple[str, ...]
    """Further typical texts."""
    least_similar: str
    """The text that is farthest from the medoid."""
    signature: str
    """Digest of the fixed words, which finds the same template in later scans."""
    segments: int
    prompts: int
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A candidate while it is judged: template clusters that belong together, and the accounts that sent them.

    Its record in the output is a :class:`~harvestdetect.data.Candidate`.
    """

    clusters: Ints32
    """int32[t], ascending: positions in the list of template clusters."""
    accounts: Ints32
    """int32[a], ascending: the members."""
    membership: Floats
    """float64[a], 0 to 1: probability that the account is part of the campaign."""
    harvest_share: Floats
    """float64[a]: share of the account's prompts that belong to the campaign."""
    harvest_prompts: Ints32
    """int32[a]: number of the account's prompts that belong to the campaign."""
    prompts: Ints32
    """int32[q], ascending: these prompts of all members, as positions in ``Corpus.prompts``."""
    prompt_cluster: Ints32
    """int32[q]: for each of them, the template cluster that it fits best."""
    link_log_p: float
    """Natural logarithm of the p-value of the weakest link in the campaign; 0 for a single cluster."""
    outside: Ints32 = field(default_factory=lambda: np.empty(0, np.int32))
    """int32[b], ascending: accounts that sent texts of the campaign and are not members."""
    outside_membership: Floats = field(default_factory=lambda: np.empty(0))
    """float64[b], 0 to 1: as ``membership``, for accounts outside."""
    outside_hits: Ints32 = field(default_factory=lambda: np.empty(0, np.int32))
    """int32[b]: number of their prompts that fit the campaign."""
    stray_hits: int = 0
    """Most prompts of an account outside that was taken for a stray. Members have more."""
    ways: tuple[Way, ...] = ("texts",)
    """All ways in which it was found."""
    generations: int = 0
    """Of a chain over time: length of the longest series of generations in which each begins after the one before
    has ended. 0 for other campaigns."""
    joined_by: Evidence | None = None
    """What the parts of the campaign have in common, if that joins them rather than their accounts. It is shown and
    not measured again: the values that decided it are already measured as values that members share."""
