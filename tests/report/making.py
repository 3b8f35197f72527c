"""Findings, detections and candidates made by hand, and hostile texts."""

from __future__ import annotations

from typing import Any

from harvestdetect.data import (
    TIERS,
    BenignExplanation,
    Candidate,
    Cut,
    Detection,
    Evidence,
    FamilyResult,
    Finding,
    LedgerRow,
    Member,
    Near,
    Outside,
    Preamble,
    RateStep,
    Reject,
    SharedValue,
    SourceFile,
    StageCost,
    Template,
)

T0 = 1_772_323_200
"""2026-03-01T00:00:00Z"""
SCRIPT = "</script></style></title></details><img src=x onerror=alert(1)><script>document.title='owned'</script>"


HOSTILE = (
    SCRIPT
    + "\" onload='alert(2)' {{ 7 * 7 }} {% raw %} [bold red]markup[/] :smile: \x1b[31m\x1b]0;title\x07 "
    + '=HYPERLINK("http://example.org") '
    + "\u202eright to left\u202c zero\u200b\u200bwidth \u2028 \x00 \x9b31m \U000e0041"
)


LEDGER = (
    LedgerRow(id="prior", name="before any evidence", family=None, bits=-1.5),
    LedgerRow(id="overlap", name="overlap", family="structure", bits=6.5),
    LedgerRow(id="days", name=HOSTILE, family="time", bits=2.2, sentence=HOSTILE),
    LedgerRow(id="copies", name="prompts that repeat another", family="text", bits=-1.2, sentence="40% repeat one."),
)
"""Of :func:`make_finding`: 6.0 bits, and 0.2 that no row has."""


def make_member(account: str, *, recommended: bool = True, **changes: Any) -> Member:
    values: dict[str, Any] = {
        "account": account,
        "membership": 0.97,
        "harvest_share": 0.8 if recommended else 0.05,
        "prompts": 100,
        "harvest_prompts": 80 if recommended else 5,
        "first_seen": T0,
        "last_seen": T0 + 86_400,
        "recommended": recommended,
        "reasons": ("sent 2 templates", HOSTILE),
        "templates": {"t-1": 50, "t-2": 30},
    }
    return Member(**{**values, **changes})


def make_template(template_id: str = "t-1", **changes: Any) -> Template:
    values: dict[str, Any] = {
        "template_id": template_id,
        "channel": "wording",
        "words": ("Explain", None, HOSTILE, None, "."),
        "slots": (("gravity", HOSTILE), ()),
        "medoid": HOSTILE,
        "exemplars": (HOSTILE, "x" * 5_000),
        "least_similar": "",
        "signature": "ab" * 16,
        "segments": 12,
        "prompts": 80,
        "accounts": 20,
    }
    return Template(**{**values, **changes})


def make_finding(campaign_id: str = "c-1", **changes: Any) -> Finding:
    accounts = [make_member(f"user{i}") for i in range(20)]
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "tier": "urgent",
        "score": 6.2,
        "probability": 0.9866,
        "q_value": 0.0004,
        "summary": "23 accounts swept a template " + HOSTILE,
        "families": ("structure", "time"),
        "ledger": LEDGER,
        "accounts": 23,
        "prompts": 160,
        "orgs": 4,
        "first_seen": T0,
        "last_seen": T0 + 2 * 86_400,
        "days": (("2026-03-01", 100), ("2026-03-02", 0), ("2026-03-03", 60)),
        "templates": (make_template(), make_template("t-2", words=(), slots=(), exemplars=())),
        "evidence": (
            Evidence(
                id="overlap",
                name="overlap",
                family="structure",
                value=20.0,
                null=HOSTILE,
                expected=0.4,
                p_value=0.0,
                sentence=HOSTILE,
                bits=6.5,
            ),
            Evidence(
                id="density",
                name="density",
                family="text",
                value=0.5,
                null="-",
                expected=0.1,
                p_value=0.02,
                sentence="Dense.",
            ),
            Evidence(
                id="target_reasoning",
                name="target: reasoning",
                family="intent",
                value=0.25,
                null="the best target of other texts",
                expected=0.01,
                p_value=0.03,
                sentence="The fixed words ask for reasons. " + HOSTILE,
            ),
        ),
        "benign_explanations": (
            BenignExplanation(id="a", name=HOSTILE, verdict="fits", statistic=0.3, sentence=HOSTILE, caps="review"),
            BenignExplanation(
                id="passed_on",
                name="a text that people pass on",
                verdict="fits",
                statistic=0.4,
                sentence="40% copies.",
                bits=-1.2,
            ),
            BenignExplanation(
                id="classroom", name="classroom", verdict="unknown", statistic=None, sentence="No organisation."
            ),
        ),
        "capability_targets": ("reasoning", HOSTILE),
        "members": (
            *accounts,
            make_member('=HYPERLINK("http://example.org")'),
            make_member("two\nlines\r\n\x00\ttab", first_seen=None, last_seen=None),
            make_member(HOSTILE, recommended=False),
        ),
        "shared_values": (
            SharedValue(field="ip", value="203.0.113.*", members=12, known=20, accounts=14, population=640),
            SharedValue(field=HOSTILE, value=HOSTILE, members=0, known=0, accounts=0, population=0),
        ),
        "changes": ("It would be at review at a false-discovery rate below 0.0002.", HOSTILE),
    }
    return Finding(**{**values, **changes})


def make_detection(*findings: Finding, **changes: Any) -> Detection:
    values: dict[str, Any] = {
        "findings": findings,
        "rejects": (
            Reject(file=HOSTILE, line=3, byte=120, reason=HOSTILE),
            Reject(file="a.jsonl", line=None, byte=None, reason="the stream ends early"),
        ),
        "counts": {"prompts": 5_000, "accounts": 700, "rejects": 9},
        "settings": {"min_accounts": 10, "fdr": 0.2, "mapping": {HOSTILE: HOSTILE}},
        "models": {"wording": "9f" * 16},
        "versions": {"harvestdetect": "0.1.0"},
        "files": (SourceFile(name=HOSTILE, format="jsonl", bytes=9_000_000, sha256="0" * 64, rows=5_009, rejects=9),),
        "stages": (StageCost(stage="dump", seconds=1.25, peak_memory_mb=200.0),),
        "notes": (HOSTILE,),
        "preambles": (
            Preamble(
                id="preamble-0", text=f"{HOSTILE} {{prompt}}", words=12.5, accounts=600, prompts=4_000, share=0.85
            ),
        ),
        "expected_false": {"urgent": 0.0002, "review": 0.34567891, "watch": 1.5},
        "what_if": (make_cut(0.06, 0.1), make_cut(0.2, 0.34567891), make_cut(0.6, 2.0)),
        "ledger": {"made": "2026-11-29", "sha256": "ef" * 32, "sources": ["real"], "held_out": 1_800},
        "calibration": {
            "file": HOSTILE,
            "sha256": "cd" * 32,
            "created": "2026-02-01T08:00:00+00:00",
            "candidates": 134,
            "expected_findings": {tier: {"found": 1, "expected": 0.0123456, "at_most": 0.0511} for tier in TIERS},
        },
    }
    return Detection(**{**values, **changes})


def make_cut(fdr: float, review: float) -> Cut:
    return Cut(
        fdr=fdr,
        findings={"urgent": 1, "review": 0, "watch": 1},
        expected_false={"urgent": 0.0002, "review": review, "watch": 1.5},
    )


def make_candidate(**changes: Any) -> Candidate:
    family = FamilyResult(family="time", bits=2.5, stands=True)
    other = Outside(account=HOSTILE, membership=0.2, hits=3, volume=100, why=HOSTILE)
    near = Near(
        campaign_id="c-2", shared=1, expected=0.5, log_p=-2.0, log_p_cut=-16.0, overlap=0.05, overlap_cut=0.2,
        distance=None, failed="chance",
    )  # fmt: skip
    values: dict[str, Any] = {
        "campaign_id": HOSTILE,
        "tier": None,
        "score": 2.5,
        "probability": 0.85,
        "ledger": LEDGER,
        "q_value": 0.3,
        "accounts": 11,
        "prompts": 40,
        "capped_by": (HOSTILE,),
        "excerpt": HOSTILE,
        "family_results": (family,),
        "evidence": make_finding().evidence,
        "benign_explanations": make_finding().benign_explanations,
        "members": (other,),
        "outside": (other,),
        "outside_count": 1,
        "neighbors": (near,),
        "steps": (RateStep(fdr=0.0, tier=None), RateStep(fdr=0.02, tier="review")),
        "missing": ("timestamp",),
    }
    return Candidate(**{**values, **changes})
