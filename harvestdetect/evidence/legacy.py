"""The names by which older files know measures and benign explanations.

Results written before ``id`` existed are keyed by display names. The names are listed here as they were then: labels
may differ now, and what was added later is not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["EXPLANATION_IDS", "MEASURE_IDS", "with_ids"]

MEASURE_IDS: Final[Mapping[str, str]] = {
    "rigid wording": "rigid_wording",
    "shared wording": "shared_wording",
    "density": "density",
    "fillings, not copies": "fillings_not_copies",
    "slot sweep": "slot_sweep",
    "duplicate types": "duplicate_types",
    "even load": "even_load",
    "linked templates": "linked_templates",
    "linked clusters": "linked_clusters",
    "one list of work": "one_list_of_work",
    "focus": "focus",
    "block density": "block_density",
    "cohort coverage": "cohort_coverage",
    "flat day": "flat_day",
    "no sittings": "no_sittings",
    "steady days": "steady_days",
    "common start": "common_start",
    "same hours": "same_hours",
    "synchrony": "synchrony",
    "hand-over": "hand_over",
    "sign-up cohort": "sign_up_cohort",
    "no ramp-up": "no_ramp_up",
    "model pivot": "model_pivot",
    "sign-up gap": "sign_up_gap",
    "shared address": "shared_address",
    "shared network": "shared_network",
    "shared network operator": "shared_network_operator",
    "shared client": "shared_client",
    "shared API key": "shared_api_key",
    "shared means of payment": "shared_payment",
    "shared e-mail domain": "shared_email_domain",
    "common infrastructure": "common_infrastructure",
    "target: reasoning traces": "target_reasoning_traces",
    "target: response patterns": "target_response_patterns",
    "target: safety behaviour": "target_safety_behaviour",
    "target: coding": "target_coding",
    "target: writing style": "target_writing_style",
    "target: knowledge boundaries": "target_knowledge_boundaries",
    "target: rubric grading": "target_rubric_grading",
    "target: task generation": "target_task_generation",
    "target: trace translation": "target_trace_translation",
}
"""Name of a measure -> its id."""

EXPLANATION_IDS: Final[Mapping[str, str]] = {
    "a text that people pass on (viral prompt, assignment)": "passed_on",
    "a common short phrase (greeting, test)": "short_phrase",
    "a known scaffold or viral prompt": "known_template",
    "a product's fixed template behind many customers": "product",
    "a community with a common interest": "community",
    "a few heavy users (benchmark, regression, batch)": "few_accounts",
    "one organisation (class, team, batch)": "one_organisation",
    "an event or deadline": "event",
    "verdict": "verdict",
}
"""Name of a benign explanation -> its id. ``verdict`` is an analyst's, kept in a state."""


def with_ids(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A finding or a candidate as read from JSON, with the ids that an older file lacks.

    A measure or explanation with an unknown name gets the name for an id: it is shown, and nothing is keyed by it.

    Args:
        plain: with ``evidence`` and ``benign_explanations``; whatever else it holds is left alone.
    """
    found = dict(plain)
    for key, ids in (("evidence", MEASURE_IDS), ("benign_explanations", EXPLANATION_IDS)):
        if isinstance(rows := found.get(key), list):
            found[key] = [_with_id(row, ids) for row in rows]
    return found


def _with_id(row: Any, ids: Mapping[str, str]) -> Any:
    if not isinstance(row, dict) or "id" in row:
        return row
    name = row.get("name")
    return {**row, "id": ids.get(name, name)} if isinstance(name, str) else row
