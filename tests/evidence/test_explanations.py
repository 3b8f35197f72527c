"""Benign explanations: each on its own case, and on half of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harvestdetect.campaign.links import COPIED_SHARE
from harvestdetect.data import BenignExplanation
from harvestdetect.evidence.explanations import (
    EVENT_DAYS,
    FEW_TEXTS,
    MOST,
    NEARLY_ALL,
    OF_USUAL,
    RULED_OUT,
    SHARED_LIST,
    SITTING,
    ExplanationInputs,
    explained,
)
from harvestdetect.evidence.observation import SUPPORTS
from harvestdetect.evidence.work_list import OWN_SUBJECTS, OwnSubjects
from harvestdetect.template.description import TEMPLATE_WORDS


def own(deviations: float, of_usual: float) -> OwnSubjects:
    return OwnSubjects(deviations=deviations, of_usual=of_usual)


CASE: dict[str, Any] = {
    "copies": 0.02,
    "texts": 310,
    "counts": np.random.default_rng(0).poisson(8, 40).astype(np.int32) + 1,
    "load_ratio": 0.15,
    "ratio_beyond": 0.3,
    "even_p": 1e-4,
    "own_subjects": own(0.4, 0.05),
    "sittings_p": 1e-9,
    "usual_sittings": SITTING,
    "templated": True,
    "several": 0.9,
    "median_words": 40.0,
    "days": 25.0,
    "infrastructure_p": None,
    "in_common": 0.02,
    "opened_p": None,
    "shares": {"org": 0.1, "network": 0.05, "asn": 0.3},
    "known_as": None,
}
"""A planted campaign: even load, one list, no sittings, weeks long, many organisations."""

PASSED_ON, LIST, PHRASE, KNOWN, PRODUCT, COMMUNITY, FEW, ORGANISATION, EVENT = range(9)
TWO_EACH = np.full(40, 2, np.int32)
OWN = own(OWN_SUBJECTS, OF_USUAL)


def benign(**changes: Any) -> tuple[BenignExplanation, ...]:
    return explained(ExplanationInputs(**{**CASE, **changes}))


def test_no_innocent_reading_fits_a_planted_campaign() -> None:
    found = benign()
    assert len({e.id for e in found}) == len({e.name for e in found}) == len(found) == 9
    assert {e.verdict for e in found} == {"unlikely"}
    assert all(e.caps is None for e in found)
    assert all(e.statistic is not None and e.sentence.endswith(".") for e in found)


@pytest.mark.parametrize(
    ("which", "changes", "caps"),
    [
        (PASSED_ON, {"copies": 0.9, "counts": TWO_EACH}, "watch"),
        # several texts, as many as suit each, at a sitting
        (PASSED_ON, {"copies": COPIED_SHARE, "load_ratio": 1.0, "sittings_p": 2 * RULED_OUT}, "watch"),
        (PASSED_ON, {"copies": 0.9, "texts": FEW_TEXTS}, "watch"),  # a handful, asked again and again
        (PASSED_ON, {"copies": 0.9, "days": EVENT_DAYS}, "watch"),  # an assignment
        # strangers who work through a public benchmark, or whom a course began with
        (LIST, {"in_common": SHARED_LIST}, "watch"),
        (LIST, {"in_common": 0.9, "infrastructure_p": 2 * RULED_OUT, "opened_p": 2 * RULED_OUT}, "watch"),
        (PHRASE, {"median_words": TEMPLATE_WORDS - 0.5}, "watch"),
        (PRODUCT, {"load_ratio": 1.1, "own_subjects": own(12.0, 0.95)}, "watch"),
        (PRODUCT, {"load_ratio": 1.0, "own_subjects": OWN}, "watch"),
        (PRODUCT, {"load_ratio": 1.0, "own_subjects": OWN, "sittings_p": None}, "watch"),
        (PRODUCT, {"own_subjects": OWN, "even_p": 2 * SUPPORTS}, "watch"),  # not clearly more even than people's
        (PRODUCT, {"own_subjects": OWN, "sittings_p": 2 * RULED_OUT}, "watch"),  # an even load, but people
        # an even load without sittings, but strangers with data of their own
        (PRODUCT, {"own_subjects": OWN, "infrastructure_p": 2 * SUPPORTS}, "watch"),
        (COMMUNITY, {"templated": False, "load_ratio": 1.0}, "watch"),
        (COMMUNITY, {"templated": False, "ratio_beyond": 1.0}, "watch"),
        # of linked templates few accounts sent more than one
        (COMMUNITY, {"load_ratio": 1.0, "several": MOST - 0.01, "sittings_p": 2 * RULED_OUT}, "watch"),
        (COMMUNITY, {"ratio_beyond": 1.0, "several": 0.0, "sittings_p": None}, "watch"),
        (FEW, {"counts": np.array([300, 200, 100] + [1] * 30, np.int32)}, "watch"),
        (KNOWN, {"known_as": ("viral", "strawberry")}, "watch"),
        (ORGANISATION, {"shares": {"org": NEARLY_ALL, "network": 0.1}}, "watch"),
        (ORGANISATION, {"shares": {"network": NEARLY_ALL}, "counts": TWO_EACH}, "watch"),
        (EVENT, {"days": 2.0, "counts": TWO_EACH}, "review"),
    ],
)
def test_an_innocent_reading_fits_its_own_case_and_caps_it(which: int, changes: dict[str, Any], caps: str) -> None:
    found = benign(**changes)
    assert (found[which].verdict, found[which].caps) == ("fits", caps)
    assert [e.verdict for i, e in enumerate(found) if i != which] == ["unlikely"] * 8


@pytest.mark.parametrize(
    ("which", "changes"),
    [
        (PASSED_ON, {"copies": 0.9}),  # every account sends it many times
        (PASSED_ON, {"copies": 0.9, "texts": FEW_TEXTS + 1}),
        (PASSED_ON, {"copies": COPIED_SHARE - 0.01, "texts": FEW_TEXTS}),
        (PASSED_ON, {"copies": 0.9, "days": EVENT_DAYS + 0.1}),
        (PASSED_ON, {"copies": 0.9, "days": EVENT_DAYS, "infrastructure_p": RULED_OUT / 2}),  # no strangers
        (LIST, {"in_common": SHARED_LIST - 0.01}),
        (LIST, {"in_common": 0.9, "infrastructure_p": RULED_OUT / 2}),
        (LIST, {"in_common": 0.9, "opened_p": RULED_OUT / 2}),
        (PHRASE, {"median_words": float(TEMPLATE_WORDS)}),
        (PASSED_ON, {"copies": 0.9, "load_ratio": 1.0}),  # unevenly, but not in sittings
        (PASSED_ON, {"copies": 0.9, "load_ratio": 1.0, "sittings_p": None}),
        (PASSED_ON, {"copies": 0.9, "sittings_p": 0.5}),  # in sittings, but each as often
        (PASSED_ON, {"copies": 0.9, "load_ratio": 1.0, "sittings_p": 0.5, "infrastructure_p": RULED_OUT / 2}),
        (PASSED_ON, {"copies": COPIED_SHARE - 0.01, "load_ratio": 1.0, "sittings_p": 0.5}),
        (PRODUCT, {"load_ratio": 1.1}),  # an uneven load, but one list of work
        (PRODUCT, {"own_subjects": own(12.0, 0.95)}),  # own subjects, but an even load without sittings
        (PRODUCT, {"own_subjects": own(12.0, 0.95), "load_ratio": 0.99, "even_p": SUPPORTS, "sittings_p": RULED_OUT}),
        (PRODUCT, {"own_subjects": own(12.0, 0.95), "sittings_p": None}),  # an even load at unknown times
        # an even load where nobody else sends two prompts at a sitting either
        (PRODUCT, {"own_subjects": own(12.0, 0.95), "sittings_p": 0.5, "usual_sittings": SITTING - 0.01}),
        (PASSED_ON, {"copies": 0.9, "load_ratio": 1.0, "sittings_p": 0.5, "usual_sittings": 0.0}),
        (PRODUCT, {"load_ratio": 1.1, "sittings_p": 0.5}),  # people, but one list of work
        (PRODUCT, {"load_ratio": 1.1, "own_subjects": own(OWN_SUBJECTS - 0.1, 0.95)}),
        (PRODUCT, {"own_subjects": own(12.0, 0.95), "infrastructure_p": SUPPORTS / 2}),  # not quite strangers
        (PRODUCT, {"own_subjects": own(12.0, OF_USUAL - 0.01), "infrastructure_p": 2 * SUPPORTS}),
        (PRODUCT, {"load_ratio": 1.1, "own_subjects": own(12.0, OF_USUAL - 0.01)}),
        (COMMUNITY, {"templated": False}),  # a subject, but an even load
        (COMMUNITY, {"templated": False, "ratio_beyond": 0.99}),
        (COMMUNITY, {"templated": False, "ratio_beyond": None}),
        (COMMUNITY, {"load_ratio": 1.0, "ratio_beyond": 1.0, "several": None}),  # an uneven load, but a template
        (COMMUNITY, {"load_ratio": 1.0, "several": MOST, "sittings_p": 0.5}),  # who sends one sends several
        (COMMUNITY, {"load_ratio": 1.0, "several": 0.1, "sittings_p": RULED_OUT}),  # no people
        (COMMUNITY, {"several": 0.1, "sittings_p": 0.5}),  # an even load
        (COMMUNITY, {"load_ratio": 1.1, "several": 0.1, "sittings_p": 0.5, "infrastructure_p": RULED_OUT / 2}),
        (EVENT, {"days": 2.0}),  # within two days, but many from each account
        (EVENT, {"counts": TWO_EACH}),  # few from each account, but for weeks
        (ORGANISATION, {"shares": {"org": NEARLY_ALL - 0.01, "network": 0.95}}),
        (ORGANISATION, {"shares": {"network": 0.95}}),  # one network, but many from each account: a proxy
        (PRODUCT, {"load_ratio": 1.1, "own_subjects": own(12.0, 0.95), "infrastructure_p": RULED_OUT / 2}),
        (COMMUNITY, {"templated": False, "load_ratio": 1.0, "infrastructure_p": RULED_OUT / 2}),
    ],
)
def test_half_of_an_innocent_case_does_not_fit(which: int, changes: dict[str, Any]) -> None:
    assert benign(**changes)[which].verdict == "unlikely"


def test_a_product_is_told_by_what_was_measured() -> None:
    customers = benign(load_ratio=1.1, own_subjects=own(12.0, 0.95))[PRODUCT]
    assert "95%" in customers.sentence
    assert "as with customers" in customers.sentence
    machines = benign(own_subjects=own(12.0, 0.95))[PRODUCT]
    assert "neither their sittings nor their load are those of people" in machines.sentence
    assert customers.statistic == machines.statistic == 0.95


def test_what_cannot_be_told_is_unknown_and_caps_nothing() -> None:
    found = benign(own_subjects=None, days=None, shares={"asn": 0.9})
    for which in (PRODUCT, EVENT, ORGANISATION):
        assert (found[which].verdict, found[which].caps) == ("unknown", None)
        assert found[which].sentence
