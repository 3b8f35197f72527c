"""The values that flow between the stages: frozen dataclasses without behaviour.

Large columns are Arrow or numpy arrays. Times are ``int64`` seconds since 1970-01-01 UTC; a row without a time has
:data:`NO_TIME`. Text from a dump is written by attackers: whatever prints it escapes it first.

:mod:`~harvestdetect.data.reading` has what comes out of a dump, :mod:`~harvestdetect.data.corpus` the segments and
who sent them, :mod:`~harvestdetect.data.geometry` neighbours and clusters, :mod:`~harvestdetect.data.campaigns`
templates and campaigns, :mod:`~harvestdetect.data.evidence` measures, benign explanations, ledger rows and tiers,
:mod:`~harvestdetect.data.findings` and :mod:`~harvestdetect.data.candidates` the judgement,
:mod:`~harvestdetect.data.signatures` how the signatures of other providers fit, and
:mod:`~harvestdetect.data.detection` the result of a scan.
"""

from __future__ import annotations

from harvestdetect.data.campaigns import Campaign, Template, TemplateCluster, Way
from harvestdetect.data.candidates import Candidate, Failed, FamilyResult, Near, Outside, RateStep
from harvestdetect.data.corpus import (
    HEAD,
    KINDS,
    OUTLINE,
    PART,
    SENTENCE,
    SYSTEM,
    TAIL,
    WHOLE_KINDS,
    WINDOW,
    Corpus,
    FieldColumn,
    Prompts,
    View,
)
from harvestdetect.data.detection import MAP_COLUMNS, PROMPT_COLUMNS, Cut, Detection, StageCost
from harvestdetect.data.evidence import TIERS, BenignExplanation, Evidence, Family, Fit, LedgerRow, Tier
from harvestdetect.data.findings import Attributed, Finding, Member, SharedValue, Standing, Status
from harvestdetect.data.geometry import Clusters, Neighbors
from harvestdetect.data.preambles import Preamble
from harvestdetect.data.reading import (
    FIELDS,
    NO_PROMPTS,
    NO_TIME,
    PROMPT_SCHEMA,
    YEAR_10000,
    Batch,
    FileReading,
    Prompt,
    Reject,
    SourceFile,
)
from harvestdetect.data.signatures import SignatureBy, SignatureFit

__all__ = [
    "FIELDS",
    "HEAD",
    "KINDS",
    "MAP_COLUMNS",
    "NO_PROMPTS",
    "NO_TIME",
    "OUTLINE",
    "PART",
    "PROMPT_COLUMNS",
    "PROMPT_SCHEMA",
    "SENTENCE",
    "SYSTEM",
    "TAIL",
    "TIERS",
    "WHOLE_KINDS",
    "WINDOW",
    "YEAR_10000",
    "Attributed",
    "Batch",
    "BenignExplanation",
    "Campaign",
    "Candidate",
    "Clusters",
    "Corpus",
    "Cut",
    "Detection",
    "Evidence",
    "Failed",
    "Family",
    "FamilyResult",
    "FieldColumn",
    "FileReading",
    "Finding",
    "Fit",
    "LedgerRow",
    "Member",
    "Near",
    "Neighbors",
    "Outside",
    "Preamble",
    "Prompt",
    "Prompts",
    "RateStep",
    "Reject",
    "SharedValue",
    "SignatureBy",
    "SignatureFit",
    "SourceFile",
    "StageCost",
    "Standing",
    "Status",
    "Template",
    "TemplateCluster",
    "Tier",
    "View",
    "Way",
]
