"""Measures of the table, taken from as much of a candidate as they need."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.data import Evidence
from harvestdetect.evidence.intent import Ordinary, Target
from harvestdetect.evidence.measures import MEASURES, evidence_of
from harvestdetect.evidence.nulls import Groups
from harvestdetect.evidence.shared_values import sharing_of
from harvestdetect.evidence.sign_ups import Creations
from harvestdetect.evidence.starts import active_days
from harvestdetect.evidence.timed_prompts import timed_prompts
from harvestdetect.evidence.wording import density, fillings_not_copies, rigid_wording, shared_wording
from harvestdetect.util.arrays import Floats, Ints, Ints32

TEMPO = ("flat_day", "no_sittings", "steady_days", "common_start", "same_hours")
COORDINATION = ("synchrony", "hand_over", "no_ramp_up", "model_pivot")
SIGN_UPS = ("sign_up_cohort", "sign_up_gap")


def take(ids: Collection[str], *, scan: Any = None, comparison: Any = None, **candidate: Any) -> list[Evidence]:
    """The evidence of some measures, of a candidate with these fields."""
    context: Any = SimpleNamespace(scan=scan, comparison=comparison)
    data: Any = SimpleNamespace(**candidate)
    taken = [(m, m.take(data, context)) for m in MEASURES if m.id in ids and m.take is not None]
    return [evidence_of(m, found) for m, found in taken if found is not None]


def time_evidence(groups: Groups, time: Ints, account: Ints32, *, ids: Collection[str] = TEMPO) -> list[Evidence]:
    """Of the candidate that the groups are matched with, and the accounts of all prompts."""
    inside = np.zeros(int(account[-1]) + 1, bool)
    inside[account[groups.own]] = True
    return take(
        ids,
        timed=timed_prompts(groups, time),
        trimmed=SimpleNamespace(prompts=groups.own.astype(np.int32)),
        whole=SimpleNamespace(accounts=np.flatnonzero(inside)),
        scan=SimpleNamespace(corpus=SimpleNamespace(prompts=SimpleNamespace(account=account))),
        comparison=SimpleNamespace(active=active_days(account, time, ~inside)),
        seed=0,
    )


def coordination_evidence(
    groups: Groups, time: Ints, *, model: Ints32 | None = None, ids: Collection[str] = COORDINATION
) -> list[Evidence]:
    """Without a model, as of a dump that names none."""
    code = np.full(len(time), -1, np.int32) if model is None else model
    fields = {"model": SimpleNamespace(code=code)}
    scan = SimpleNamespace(corpus=SimpleNamespace(prompts=SimpleNamespace(fields=fields)))
    return take(ids, timed=timed_prompts(groups, time), scan=scan)


def sign_up_evidence(creations: Creations, members: Ints32, *, seed: int) -> list[Evidence]:
    trimmed, comparison = SimpleNamespace(accounts=members), SimpleNamespace(creations=creations)
    return take(SIGN_UPS, trimmed=trimmed, seed=seed, comparison=comparison)


def infrastructure_evidence(fields: AccountFields, members: Ints32) -> list[Evidence]:
    ids = [m.id for m in MEASURES if m.family == "infrastructure"]
    trimmed, comparison = SimpleNamespace(accounts=members), SimpleNamespace(fields=fields)
    return take(ids, trimmed=trimmed, sharing=sharing_of(fields, members), comparison=comparison)


def intent_evidence(targets: Collection[Target], ordinary: Ordinary) -> list[Evidence]:
    ids = [m.id for m in MEASURES if m.family == "intent"]
    return take(ids, targets=targets, comparison=SimpleNamespace(ordinary=ordinary))


def text_evidence(
    *,
    fixed_words: int,
    rigidity: float,
    shared_words: float,
    background_fixed: Floats,
    background_shared: Floats,
    distances: Floats,
    background_distances: Floats,
    contents: npt.NDArray[np.int32],
) -> list[Evidence]:
    """The measures of wording, from their plain arguments."""
    observed = {
        "rigid_wording": rigid_wording(fixed_words, rigidity, background_fixed),
        "shared_wording": shared_wording(shared_words, background_shared),
        "density": density(distances, background_distances),
        "fillings_not_copies": fillings_not_copies(contents),
    }
    by_id = {m.id: m for m in MEASURES}
    return [evidence_of(by_id[id_], found) for id_, found in observed.items() if found is not None]
