"""Folders of scans, as this version and as an older one wrote them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harvestdetect.data import (
    BenignExplanation,
    FamilyResult,
    Outside,
    RateStep,
)
from harvestdetect.judge.candidate_file import CANDIDATES, SEEN, seen_accounts
from harvestdetect.report import write_outputs
from tests.explain.making import (
    BIDI,
    FIRST,
    FORMULA,
    LOOSE,
    SECOND,
    VIRAL,
    loose_candidate,
    make_candidate,
    make_near,
    members,
    write_candidates,
)
from tests.report.making import make_detection, make_finding, make_member, make_template


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """What a scan wrote before it kept candidates and ledgers."""
    first = make_finding(
        FIRST,
        tier="watch",
        families=("structure", "text"),
        ledger=(),
        probability=math.nan,
        q_value=1e-4,
        accounts=4,
        members=(*members("ann", FORMULA, BIDI + "!"), make_member("low", recommended=False, harvest_share=0.05)),
        benign_explanations=(
            BenignExplanation(
                id="passed_on", name=VIRAL, verdict="fits", statistic=0.8, sentence="80% are copies.", caps="watch"
            ),
        ),
        templates=(make_template(), make_template("t-2", words=("Only", "this"), slots=())),
    )
    second = make_finding(
        SECOND,
        accounts=3,
        ledger=(),
        probability=math.nan,
        q_value=0.002,
        members=(
            *members("ann", "bob"),
            make_member("low", recommended=False, harvest_share=0.05, harvest_prompts=1, membership=0.49),
        ),
        benign_explanations=(),
        orgs=None,
    )
    sent = pa.table(
        {
            "file": ["dump.jsonl"] * 7,
            "line": list(range(1, 8)),
            "account": ["ann"] * 3 + [FORMULA] * 2 + ["bob", "ann"],
            "campaign_id": [FIRST] * 5 + [SECOND] * 2,
            "template_id": ["t-1", "t-1", "t-2", "t-1", "t-2", "t-1", "t-1"],
            "membership": [0.97] * 7,
        }
    )
    write_outputs(make_detection(second, first, prompts=sent), tmp_path / "out")
    (tmp_path / "out" / CANDIDATES).unlink(missing_ok=True)
    (tmp_path / "out" / SEEN).unlink(missing_ok=True)
    return tmp_path / "out"


@pytest.fixture
def out(old: Path) -> Path:
    """The same by a scan of today."""
    second = make_candidate(
        SECOND,
        tier="urgent",
        uncapped="urgent",
        capped_by=(),
        score=8.5,
        probability=0.998,
        q_value=0.002,
        accounts=3,
        family_results=(
            FamilyResult(family="structure", bits=3.5, stands=True),
            FamilyResult(family="time", bits=7.0, stands=True),
        ),
        benign_explanations=(),
        outside=(Outside(account="near", membership=0.4, hits=2, volume=40, why="2 of its 40 prompts (5%) fit"),),
        outside_count=1,
        neighbors=(make_near(FIRST), make_near(LOOSE, failed="overlap", overlap=0.1)),
        steps=(
            *(RateStep(fdr=0.0, tier=None), RateStep(fdr=5e-7, tier="watch")),
            *(RateStep(fdr=0.002, tier="review"), RateStep(fdr=0.02, tier="urgent")),
        ),
    )
    write_candidates(old, (second, make_candidate(), loose_candidate()))
    names = ["ann", "bob", "low", "near", "maybe", FORMULA, BIDI, BIDI + "!", "elsewhere"]
    pq.write_table(seen_accounts(pa.array(names), np.arange(len(names), dtype=np.int32) + 10), old / SEEN)
    return old
