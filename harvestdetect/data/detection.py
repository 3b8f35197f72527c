"""The result of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from harvestdetect.data.candidates import Candidate
from harvestdetect.data.evidence import Tier
from harvestdetect.data.findings import Attributed, Finding
from harvestdetect.data.preambles import Preamble
from harvestdetect.data.reading import Reject, SourceFile
from harvestdetect.data.signatures import SignatureFit
from harvestdetect.data.views import view

__all__ = ["MAP_COLUMNS", "PROMPT_COLUMNS", "Cut", "Detection", "StageCost"]

PROMPT_COLUMNS: Final = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("account", pa.string()),
        ("campaign_id", pa.string()),
        ("template_id", pa.string()),
        ("membership", pa.float64()),
        ("timestamp", pa.timestamp("ms", "UTC")),
    ]
)
"""Columns of the prompts in findings. A timestamp is null without a time."""
MAP_COLUMNS: Final = pa.schema(
    [
        ("x", pa.float32()),
        ("y", pa.float32()),
        ("campaign_id", pa.string()),
        ("account", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
    ]
)
"""Columns of the map: the place of a prompt, each coordinate from -1 to 1, and where the prompt is. ``campaign_id`` is
null for a prompt that is in no finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The findings of a scan at another false-discovery rate."""

    fdr: float
    findings: Mapping[Tier, int]
    expected_false: Mapping[Tier, float]
    """False findings to expect by chance, see ``triage.expected_false``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """The time and memory of one stage."""

    stage: str
    seconds: float
    peak_memory_mb: float
    """Peak resident memory of the process up to the end of the stage, in 10**6 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Detection:
    """The result of a scan. Its methods make texts and tables for notebooks, see :mod:`harvestdetect.data.views`."""

    findings: tuple[Finding, ...]
    """Strongest first."""
    rejects: tuple[Reject, ...]
    """The first rejects; ``counts['rejects']`` is the number of all."""
    counts: Mapping[str, int]
    """Numbers of prompts, accounts, segments, rejects and so on."""
    settings: Mapping[str, Any]
    models: Mapping[str, str]
    """View -> digest of its model."""
    versions: Mapping[str, str]
    """Package -> version."""
    files: tuple[SourceFile, ...]
    stages: tuple[StageCost, ...]
    notes: tuple[str, ...] = ()
    """Sentences about decisions of the scan that a reader should know."""
    warnings: tuple[str, ...] = ()
    """What looks suspicious in how the dumps were read, such as one account for everything. No sentence contains text
    of a prompt."""
    expected_false: Mapping[Tier, float] = field(default_factory=dict)
    """Tier -> number of innocent groups to expect among the findings (``triage.expected_false``)."""
    what_if: tuple[Cut, ...] = ()
    """The same scan at neighbouring false-discovery rates, by rising rate."""
    ledger: Mapping[str, Any] = field(default_factory=dict)
    """The ledger that judged: the day on which it was ``made``, its ``sha256``, its ``sources``, and the number of
    innocent candidates (``held_out``) and of their prompts (``held_out_prompts``) that it was tested on without having
    been fitted on them; also ``recommended_from``, the membership from which a member of a finding is recommended for
    action. Empty in results of older versions, and without candidates to judge."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """Empty without a calibration. Otherwise its ``file``, ``sha256`` and time of creation (``created``), the number
    of its ``candidates``, and ``expected_findings``: the benign findings to expect of this number of prompts, by
    tier."""
    attributed: tuple[Attributed, ...] = ()
    """Accounts that filled templates of known campaigns, members or not. Empty for a scan without a state."""
    signatures: tuple[SignatureFit, ...] = ()
    """How signatures of other providers fit. They change no finding. Empty for a scan without any."""
    preambles: tuple[Preamble, ...] = ()
    """Texts that many accounts always send, left out of what was compared."""
    memory: Mapping[str, float] = field(default_factory=dict)
    """In 10**9 bytes: ``estimated`` before the expensive stages, with worker processes; ``allowed`` by the settings,
    or available; and ``peak`` of this process."""
    candidates: tuple[Candidate, ...] = field(default=(), compare=False)
    """All that was judged, findings or not. Not part of the JSON form."""
    seen: pa.Table | None = field(default=None, compare=False)
    """``digest, prompts`` of every account. Not part of the JSON form."""
    prompts: pa.Table | None = field(default=None, compare=False)
    """Every prompt in a campaign, see :data:`PROMPT_COLUMNS`. Not part of the JSON form."""
    map: pa.Table | None = field(default=None, compare=False)
    """A sample of the prompts in the plane, see :data:`MAP_COLUMNS`; None without one. Not part of the JSON form."""

    def findings_table(self) -> pa.Table:
        """A row for each finding, see :func:`harvestdetect.notebook.findings_table`."""
        return view("findings_table", self)

    def accounts_table(self) -> pa.Table:
        """A row for each finding and account, see :func:`harvestdetect.notebook.accounts_table`."""
        return view("accounts_table", self)

    def prompts_table(self) -> pa.Table:
        """A row for each prompt in a finding, see :func:`harvestdetect.notebook.prompts_table`."""
        return view("prompts_table", self)

    def plot_map(self) -> Any:
        """The map as a picture, see :func:`harvestdetect.notebook.plot_map`."""
        return view("plot_map", self)

    def __repr__(self) -> str:
        return str(view("detection_text", self))

    def _repr_html_(self) -> str:
        return str(view("detection_html", self))
