"""A detection made by hand, with a finding that has everything and one that has next to nothing."""

from __future__ import annotations

import pytest

from harvestdetect.data import (
    Detection,
)
from tests.report.making import (
    make_detection,
    make_finding,
    make_member,
)


@pytest.fixture
def detection() -> Detection:
    timeless = make_finding(
        "c-2",
        tier="watch",
        families=(),
        orgs=None,
        first_seen=None,
        last_seen=None,
        days=(),
        templates=(),
        evidence=(),
        benign_explanations=(),
        capability_targets=(),
        members=(make_member("@late", first_seen=None, last_seen=None, templates={}),),
        shared_values=(),
        changes=(),
    )
    return make_detection(make_finding(), timeless)
