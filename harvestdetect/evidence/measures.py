"""The table of measures, which speak for or against a candidate.

To add a measure, write a function ``(candidate, context) -> Observation | None`` and add a :class:`Measure` to
:data:`MEASURES`. What waits for a closer look, and what findings, the report and ``explain`` show are read from the
table. How many bits a value of a measure is worth is fitted (:mod:`harvestdetect.judge.ledger`): a new measure is shown
at once and counts from the next fit on. An ``id`` is what files and the ledger are keyed by and never changes; a
``label`` may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from harvestdetect.data import Evidence, Family
from harvestdetect.evidence import adapters, coordination, sign_ups, tempo, wording
from harvestdetect.evidence.candidate import CandidateData, MeasureContext
from harvestdetect.evidence.intent import target_margin
from harvestdetect.evidence.least_data import MIN_COMPARED, MIN_PROMPTS
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.shared_values import shared_value
from harvestdetect.evidence.sign_ups import sign_up_cohort, sign_up_gap
from harvestdetect.evidence.starts import common_start
from harvestdetect.evidence.wording import fillings_not_copies
from harvestdetect.evidence.work_list import focus, one_list_of_work
from harvestdetect.util.amounts import EXCEPTIONAL, MIN_SAMPLE

__all__ = ["COMMON_INFRASTRUCTURE", "MEASURES", "Measure", "evidence_of", "target_id"]

Take: TypeAlias = Callable[[CandidateData, MeasureContext], Observation | None]
"""Takes a measure of a candidate; None if there is too little data. It must be pure: random draws depend only on the
candidate's seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure."""

    id: str
    """Stable, in snake case: the key of files and decisions."""
    family: Family
    label: str
    """The name that people read. No decision depends on it."""
    tail: Literal["high", "low"]
    """Which values are extreme."""
    take: Take | None
    """Takes the measure; None if it is not taken candidate by candidate."""
    closer_look: bool = False
    """Whether it only explains: it has no row in the ledger, and is taken only if another measure is significant."""
    clause: str = ""
    """The clause in the summary of a finding if the measure is significant; empty if the summary never mentions it."""
    min_data: str
    """The data that it needs, besides a candidate."""
    source: str
    """Where the statistic comes from."""


_OWN: Final = "this project"
"""Source of a statistic of this project's own."""
_GROUPS: Final = f"{MIN_COMPARED} other accounts to draw groups from"
"""Data that every measure against drawn groups needs."""
_TIMES: Final = f"{MIN_PROMPTS} prompts, all but {EXCEPTIONAL:.0%} of them with a time; {_GROUPS}"
"""Data that every measure of times against drawn groups needs."""
_USUAL: Final = f"{MIN_SAMPLE} accounts with {MIN_SAMPLE} prompts"
"""Data from which the usual behaviour of accounts is known."""
_OPENED: Final = (
    f"a creation for {MIN_SAMPLE} members and half of all; {sign_ups.MATCHED * MIN_COMPARED} other accounts with one"
)
"""Data that every measure of sign-ups needs."""


def _infrastructure(id_: str, field: str, label: str, *, clause: str = "") -> Measure:
    """The measure of values shared in one field."""

    def take(candidate: CandidateData, context: MeasureContext) -> Observation | None:
        return shared_value(field, context.comparison.fields, candidate.sharing, candidate.trimmed.accounts)

    return Measure(
        id=id_, family="infrastructure", label=label, tail="high", take=take, clause=clause,
        min_data=f"the field of {MIN_SAMPLE} members and half of all, and of {MIN_COMPARED} other accounts",
        source=f"binomial and pair tails with a margin for common interests; {_OWN}",
    )  # fmt: skip


def target_id(name: str) -> str:
    """The id of the measure of a capability target."""
    return f"target_{name.replace(' ', '_')}"


def _target(name: str) -> Measure:
    """The measure of one capability target of ``intent.toml``."""

    def take(candidate: CandidateData, context: MeasureContext) -> Observation | None:
        return target_margin(name, candidate.targets, context.comparison.ordinary)

    return Measure(
        id=target_id(name), family="intent", label=f"target: {name}", tail="high",
        take=take, closer_look=True, min_data="a text, and other texts to compare with", source=_OWN,
    )  # fmt: skip


TARGETS: Final = (
    *("reasoning traces", "response patterns", "safety behaviour", "coding", "writing style"),
    *("knowledge boundaries", "rubric grading", "task generation", "trace translation"),
)
"""Names of the targets of ``intent.toml``, in its order."""

COMMON_INFRASTRUCTURE: Final = Measure(
    id="common_infrastructure", family="infrastructure", label="common infrastructure", tail="high",
    take=None, min_data="two candidates", source=_OWN,
)  # fmt: skip
"""The infrastructure that the parts of a joined candidate share. It is shown and not judged, because the other measures
of infrastructure see the same values."""

_TEXT: Final = (
    Measure(
        id="rigid_wording", family="text", label="rigid wording", tail="high",
        take=adapters.take_rigid_wording, min_data="a cluster", source=_OWN,
    ),
    Measure(
        id="shared_wording", family="text", label="shared wording", tail="high",
        take=adapters.take_shared_wording, min_data="a cluster", source=_OWN,
    ),
    Measure(
        id="density", family="text", label="density", tail="low",
        take=adapters.take_density, min_data="a segment with a neighbour from another account",
        source="core distance, as in HDBSCAN (Campello et al. 2013)",
    ),
    Measure(
        id="fillings_not_copies", family="text", label="fillings, not copies", tail="high",
        take=lambda c, _: fillings_not_copies(c.contents), min_data="a prompt", source=_OWN,
    ),
    Measure(
        id="slot_sweep", family="text", label="slot sweep", tail="high", closer_look=True,
        take=adapters.take_slot_sweep, source=_OWN,
        min_data=f"a template with a slot that {wording.FILLED:.0%} of its texts fill",
    ),
    Measure(
        id="duplicate_types", family="text", label="duplicate types", tail="high", closer_look=True,
        take=adapters.take_duplicate_types, min_data="two related texts by different accounts",
        source="D3lta (arXiv 2312.17338)",
    ),
)  # fmt: skip
"""The measures of the family text."""

_STRUCTURE: Final = (
    Measure(
        id="even_load", family="structure", label="even load", tail="low",
        take=adapters.take_even_load, clause="the load is spread evenly over them",
        min_data=f"{MIN_SAMPLE} accounts with {MIN_SAMPLE} prompts beyond the first of each",
        source=f"Bose-Einstein null; {_OWN}",
    ),
    Measure(
        id="linked_templates", family="structure", label="linked templates", tail="high",
        take=adapters.take_linked_templates, clause="they share several templates",
        min_data="two linked clusters with rigid templates", source=_OWN,
    ),
    Measure(
        id="linked_clusters", family="structure", label="linked clusters", tail="high",
        take=adapters.take_linked_clusters, min_data="two linked clusters", source=_OWN,
    ),
    Measure(
        id="one_list_of_work", family="structure", label="one list of work", tail="low",
        take=lambda c, _: one_list_of_work(c.work_list),
        clause="their requests are dealt from one list",
        min_data=f"{MIN_COMPARED} pairs of prompts by one account; {_GROUPS}", source="Mantel 1967 for the random deal",
    ),
    Measure(
        id="focus", family="structure", label="focus", tail="high",
        closer_look=True, take=lambda c, x: focus(c.groups, x.scan.vectors), min_data=f"two members; {_GROUPS}",
        source=_OWN,
    ),
    Measure(
        id="block_density", family="structure", label="block density", tail="high",
        closer_look=True, take=adapters.take_block_density,
        min_data="a member with more prompts than it takes to be one", source="FRAUDAR (Hooi et al., KDD 2016)",
    ),
    Measure(
        id="cohort_coverage", family="structure", label="cohort coverage", tail="high",
        closer_look=True, take=adapters.take_cohort_coverage,
        min_data=f"two halves of {MIN_SAMPLE} members with a time",
        source=f"hypergeometric tail; {_OWN}",
    ),
)  # fmt: skip
"""The measures of the family structure."""

_TIME: Final = (
    Measure(
        id="common_start", family="time", label="common start", tail="low",
        take=lambda c, x: common_start(
            c.timed, c.trimmed.prompts, x.scan.corpus.prompts.account, x.comparison.active.without(c.whole.accounts),
            seed=c.seed,
        ),
        clause="they started together", min_data=_TIMES, source=_OWN,
    ),
    Measure(
        id="flat_day", family="time", label="flat day", tail="low",
        take=lambda c, _: tempo.flat_day(c.timed), clause="they are active around the clock", min_data=_TIMES,
        source=f"chi-square distance; {_OWN}",
    ),
    Measure(
        id="no_sittings", family="time", label="no sittings", tail="low",
        take=lambda c, _: tempo.no_sittings(c.timed), clause="they send at an even pace, not in sessions",
        min_data=f"{MIN_SAMPLE} accounts with several prompts; {_TIMES}", source=_OWN,
    ),
    Measure(
        id="steady_days", family="time", label="steady days", tail="low",
        take=lambda c, _: tempo.steady_days(c.timed), clause="the daily volume is steady", min_data=_TIMES,
        source=f"variance-to-mean ratio; {_OWN}",
    ),
    Measure(
        id="same_hours", family="time", label="same hours", tail="high",
        take=lambda c, _: tempo.same_hours(c.timed), clause="they act in the same hours", min_data=_TIMES,
        source=_OWN,
    ),
    Measure(
        id="synchrony", family="time", label="synchrony", tail="high",
        take=lambda c, _: coordination.synchrony(c.timed), clause="they act at the same times day after day",
        min_data=f"{MIN_SAMPLE} active days; {_TIMES}",
        source="SynchroTrap (Cao et al., CCS 2014), less neighbouring days",
    ),
    Measure(
        id="hand_over", family="time", label="hand-over", tail="high",
        take=lambda c, _: coordination.hand_over(c.timed), clause="one pool of them took over from another",
        min_data=f"{coordination.LASTING_DAYS} days before and after a hand-over; {_TIMES}", source=_OWN,
    ),
    Measure(
        id="sign_up_cohort", family="time", label="sign-up cohort", tail="high",
        take=lambda c, x: sign_up_cohort(x.comparison.creations, c.trimmed.accounts, seed=c.seed),
        clause="they signed up together", min_data=_OPENED, source=_OWN,
    ),
    Measure(
        id="no_ramp_up", family="time", label="no ramp-up", tail="low",
        closer_look=True, take=lambda c, _: coordination.no_ramp_up(c.timed),
        min_data=f"{_USUAL} over {coordination.LASTING_DAYS} days; {_TIMES}", source=_OWN,
    ),
    Measure(
        id="model_pivot", family="time", label="model pivot", tail="high",
        closer_look=True, take=adapters.take_model_pivot,
        min_data=f"{_USUAL} of known models; {_TIMES}", source=_OWN,
    ),
    Measure(
        id="sign_up_gap", family="time", label="sign-up gap", tail="low",
        closer_look=True, take=lambda c, x: sign_up_gap(x.comparison.creations, c.trimmed.accounts, seed=c.seed),
        min_data=f"half of the members opened within the dump; {_OPENED}", source=_OWN,
    ),
)  # fmt: skip
"""The measures of the family time."""

MEASURES: Final = (
    *_TEXT,
    *_STRUCTURE,
    *_TIME,
    _infrastructure("shared_address", "ip", "shared address", clause="they share addresses"),
    _infrastructure("shared_network", "network", "shared network", clause="they share networks"),
    _infrastructure("shared_network_operator", "asn", "shared network operator"),
    _infrastructure("shared_client", "user_agent", "shared client"),
    _infrastructure("shared_api_key", "api_key", "shared API key", clause="they share keys"),
    _infrastructure("shared_payment", "payment", "shared means of payment", clause="they share means of payment"),
    _infrastructure(
        "shared_email_domain", "email_domain", "shared e-mail domain", clause="they share an e-mail domain"
    ),
    COMMON_INFRASTRUCTURE,
    *map(_target, TARGETS),
)
"""Every measure, in the order in which the evidence of a candidate is listed."""


def evidence_of(measure: Measure, observation: Observation) -> Evidence:
    """An observation as evidence, with the id, family and label of its measure."""
    return Evidence(
        id=measure.id,
        name=measure.label,
        family=measure.family,
        value=observation.value,
        null=observation.null,
        expected=observation.expected,
        p_value=observation.p_value,
        sentence=observation.sentence,
    )
