"""Folders of scans to explain, and what `explain` says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harvestdetect.cli.main import cli, main
from harvestdetect.data import (
    BenignExplanation,
    Candidate,
    Evidence,
    Family,
    FamilyResult,
    LedgerRow,
    Near,
    Outside,
    RateStep,
)
from harvestdetect.evidence.legacy import MEASURE_IDS
from harvestdetect.explain import AccountExplanation, CampaignExplanation, explain
from harvestdetect.judge.candidate_file import CANDIDATES, candidate_to_dict
from harvestdetect.util.escape import json_text
from tests.report.making import HOSTILE, make_member

__all__ = [
    "BIDI",
    "FIRST",
    "FORMULA",
    "LEDGER",
    "LOOSE",
    "SCAFFOLD",
    "SECOND",
    "VIRAL",
    "account_of",
    "campaign_of",
    "error",
    "evidence",
    "loose_candidate",
    "make_candidate",
    "make_near",
    "members",
    "run",
    "text",
    "without_ids",
    "write_candidates",
]


FIRST, SECOND, LOOSE = "c-aaaa000001", "c-aabb000002", "c-ffff000003"
"""A capped finding, an urgent one, a candidate that became no finding."""
FORMULA = "=HYPERLINK(1)"
BIDI = "\u202euser\x1b[31m\n\x00"
VIRAL = "a text that people pass on (viral prompt, assignment)"
SCAFFOLD = "a known scaffold or viral prompt"
LEDGER = (
    LedgerRow(id="prior", name="before any evidence", family=None, bits=-1.5),
    LedgerRow(id="even_load", name="even load", family="structure", bits=5.2),
    LedgerRow(id="copies", name="prompts that repeat another", family="text", bits=-2.8, sentence="80% repeat one."),
    LedgerRow(id="rigid_wording", name="rigid wording", family="text", bits=2.0),
    LedgerRow(id="days", name=HOSTILE, family="time", bits=0.6, sentence=HOSTILE),
)
"""Of :func:`make_candidate`."""


def evidence(name: str, family: Family, p: float, *, sentence: str = "As seen.") -> Evidence:
    return Evidence(
        id=MEASURE_IDS.get(name, name),
        name=name,
        family=family,
        value=0.4,
        null="other accounts",
        expected=3.1,
        p_value=p,
        sentence=sentence,
    )


def make_near(campaign_id: str, **changes: Any) -> Near:
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "shared": 4,
        "expected": 2.5,
        "log_p": -3.0,
        "log_p_cut": -16.0,
        "overlap": 0.3,
        "overlap_cut": 0.2,
        "distance": 0.4,
        "failed": "chance",
    }
    return Near(**{**values, **changes})


def make_candidate(campaign_id: str = FIRST, **changes: Any) -> Candidate:
    """For review, capped to watch by a hard rule: structure carries weight, time does not, a benign explanation
    fits."""
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "tier": "watch",
        "uncapped": "review",
        "capped_by": (SCAFFOLD,),
        "score": 3.5,
        "probability": 0.9188,
        "q_value": 0.04,
        "ledger": LEDGER,
        "accounts": 4,
        "prompts": 40,
        "excerpt": "Explain … in steps",
        "family_results": (
            FamilyResult(family="text", bits=-0.8, stands=False),
            FamilyResult(family="structure", bits=5.2, stands=True),
            FamilyResult(family="time", bits=0.6, stands=False),
        ),
        "evidence": (
            evidence("rigid wording", "text", 1e-4),
            evidence("even load", "structure", 1e-5, sentence=HOSTILE),
            evidence("flat day", "time", 0.01),
        ),
        "benign_explanations": (
            BenignExplanation(
                id="known_template", name=SCAFFOLD, verdict="fits", statistic=1.0, sentence="It is known.", caps="watch"
            ),
            BenignExplanation(
                id="passed_on", name=VIRAL, verdict="fits", statistic=0.8, sentence="80% are copies.", bits=-2.8
            ),
        ),
        "outside": (
            Outside(account=BIDI, membership=0.31, hits=1, volume=90, why="1 of its 90 prompts fits"),
            Outside(account="near", membership=0.2, hits=1, volume=40, why="1 of its 40 prompts fits"),
        ),
        "outside_count": 77,
        "neighbors": (make_near(SECOND), make_near(LOOSE, shared=0, failed="shared")),
        "steps": (RateStep(fdr=0.0, tier=None), RateStep(fdr=0.0203, tier="watch")),
        "missing": ("ip", "created_at"),
    }
    return Candidate(**{**values, **changes})


def loose_candidate() -> Candidate:
    return make_candidate(
        LOOSE,
        tier=None,
        uncapped=None,
        capped_by=(),
        score=-2.0,
        probability=0.2,
        family_results=(FamilyResult(family="structure", bits=-0.5, stands=False),),
        ledger=(
            LedgerRow(id="prior", name="before any evidence", family=None, bits=-1.5),
            LedgerRow(id="even_load", name="even load", family="structure", bits=-0.5),
        ),
        benign_explanations=(),
        steps=(RateStep(fdr=0.0, tier=None), RateStep(fdr=0.2, tier="watch"), RateStep(fdr=0.8, tier="review")),
        members=(Outside(account="maybe", membership=0.9, hits=6, volume=8, why="6 of its 8 prompts (75%) fit"),),
        outside=(),
        outside_count=0,
        neighbors=(),
    )


def members(*names: str) -> tuple[Any, ...]:
    return tuple(make_member(name, reasons=(f"80 of its 100 prompts fit {HOSTILE}",)) for name in names)


def write_candidates(folder: Path, candidates: Sequence[Candidate]) -> None:
    lines = "".join(json_text(candidate_to_dict(c)) + "\n" for c in candidates)
    (folder / CANDIDATES).write_text(lines, encoding="utf-8")


def run(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(cli, ["explain", *map(str, arguments)])
    assert done.exception is None, done.exception
    return done


def text(*arguments: str | Path) -> str:
    """What is printed, as one line."""
    return " ".join(run(*arguments).stdout.split())


def without_ids(value: Any) -> Any:
    """Rows of measures and explanations as they were written before they had ids."""
    if isinstance(value, dict):
        return {k: v if k == "ledger" else without_ids(v) for k, v in value.items() if k != "id"}
    return [without_ids(v) for v in value] if isinstance(value, list) else value


def error(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and the line on standard error."""
    with pytest.raises(SystemExit) as end:
        main(["explain", *map(str, arguments)])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert isinstance(end.value.code, int)
    return end.value.code, shown.err


def campaign_of(folder: Path, target: str) -> CampaignExplanation:
    found = explain(folder, target)
    assert isinstance(found, CampaignExplanation)
    return found


def account_of(folder: Path, target: str) -> AccountExplanation:
    found = explain(folder, target, account=True)
    assert isinstance(found, AccountExplanation)
    return found
