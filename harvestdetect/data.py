"""The values that flow between the stages: frozen, without behaviour beyond reading themselves.

Large columns are Arrow or numpy arrays. Times are ``int64`` seconds since 1970-01-01 UTC, with
:data:`NO_TIME` where a row has none. Text that came out of a dump is attacker-written: whatever prints it
escapes it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect.util.arrays import Floats, Floats32, Ints, Ints32
from harvestdetect.util.texts import Texts

__all__ = [
    "FIELDS",
    "HEAD",
    "KINDS",
    "NO_PROMPTS",
    "NO_TIME",
    "OUTLINE",
    "PART",
    "PROMPT_SCHEMA",
    "SENTENCE",
    "SYSTEM",
    "TAIL",
    "TIERS",
    "WHOLE_KINDS",
    "WINDOW",
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
    "Family",
    "FamilyResult",
    "FieldColumn",
    "Finding",
    "Member",
    "Near",
    "Neighbors",
    "Outside",
    "Prompt",
    "Prompts",
    "RateStep",
    "Reject",
    "SharedValue",
    "SourceFile",
    "StageCost",
    "Standing",
    "Status",
    "Template",
    "TemplateCluster",
    "Tier",
    "View",
]

View: TypeAlias = Literal["wording", "meaning"]
"""How texts are compared: a static embedding, or a transformer."""

Tier: TypeAlias = Literal["urgent", "review", "watch"]
TIERS: Final[tuple[Tier, ...]] = ("urgent", "review", "watch")
"""From the strongest to the weakest."""

Family: TypeAlias = Literal["text", "structure", "time", "infrastructure", "intent"]

FIELDS: Final[tuple[str, ...]] = (
    "org",
    "ip",
    "asn",
    "user_agent",
    "api_key",
    "payment",
    "email_domain",
    "created_at",
    "model",
    "session",
)
"""Optional columns of a dump, besides account, timestamp and prompt."""

NO_TIME: Final[int] = -(2**63)

KINDS: Final = ("part", "system", "head", "tail", "window", "sentence", "outline")
"""How a segment stands in its prompts; where it stands in several ways, the first of these."""
PART, SYSTEM, HEAD, TAIL, WINDOW, SENTENCE, OUTLINE = range(len(KINDS))
WHOLE_KINDS: Final = 2
"""Kinds below it are whole parts: a part, a system prompt; the others are pieces of parts."""


PROMPT_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        pa.field("file", pa.int32(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("account", pa.string(), nullable=False),
        pa.field("time", pa.int64(), nullable=False),
        pa.field("roles", pa.list_(pa.string()), nullable=False),
        pa.field("parts", pa.list_(pa.string()), nullable=False),
        *(pa.field(name, pa.string()) for name in FIELDS if name != "created_at"),
        pa.field("created_at", pa.int64(), nullable=False),
    ]
)
"""A block of prompts on its way from a dump to the corpus.

``file`` is the position in the list of files read, ``line`` the line (JSON Lines, CSV record) or row
(Parquet) in it, from 1. A plain text prompt is one part with the role ``user``; a list of chat messages is
one part per message. ``time`` and ``created_at`` are seconds or :data:`NO_TIME`.
"""
NO_PROMPTS: Final = pa.RecordBatch.from_pylist([], schema=PROMPT_SCHEMA)


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One request, for callers that hold prompts in memory rather than in files.

    ``prompt`` is a text or a list of ``(role, text)``; ``time`` is in seconds since 1970-01-01 UTC;
    ``fields`` may hold any of :data:`FIELDS`.
    """

    account: str
    prompt: str | list[tuple[str, str]]
    time: float | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A row that could not become a prompt: data, counted, and named in every report."""

    file: str
    line: int | None
    """From 1; None where the reason concerns the file as a whole."""
    byte: int | None
    """Offset in the decompressed stream, where known."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that was read, to its end or as far as it went."""

    name: str
    format: str
    """``jsonl``, ``csv`` or ``parquet``, with ``+gzip`` or ``+zstd`` where compressed."""
    bytes: int
    sha256: str
    """Of the bytes as stored, compressed where they are."""
    rows: int
    """Rows that gave a prompt; rejects are not among them."""
    rejects: int
    """Rows that gave none, and one more where the file could not be read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What reading yields: a block of prompts, the rejects met on the way, the files finished in it."""

    prompts: pa.RecordBatch
    """Of :data:`PROMPT_SCHEMA`; may be empty."""
    rejects: tuple[Reject, ...] = ()
    files: tuple[SourceFile, ...] = ()
    unlisted: int = 0
    """Rejects beside ``rejects``: of a file with very many, only the first are listed."""
    cut: bool = False
    """The file was not read to its end, because its content outgrew what the settings allow."""


# ---------------------------------------------------------------- corpus


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldColumn:
    """One optional column over all prompts: codes into sorted values, -1 where missing."""

    code: Ints32
    values: pa.Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The p prompts of a corpus, sorted by account, time and content: never by their place in a file."""

    account: Ints32
    """int32[p], into ``accounts``."""
    time: Ints
    """int64[p], seconds or NO_TIME."""
    file: Ints32
    """int32[p]."""
    line: Ints
    """int64[p]."""
    content: Ints32
    """int32[p]: equal for prompts whose normalised parts are all equal."""
    accounts: pa.Array
    """The a distinct account ids, sorted."""
    fields: Mapping[str, FieldColumn]
    created_at: Ints
    """int64[p], seconds or NO_TIME."""
    copied: npt.NDArray[np.bool_] | None = None
    """bool[p]: rows without a time that are copies of rows of another file; None: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The n distinct segments of all prompts, sorted by digest, and who sent them."""

    digest: npt.NDArray[np.void]
    """V16[n], ascending."""
    text: Texts
    """n texts: normalised for comparison."""
    display: Texts
    """n texts: an original that normalises to it, for people to read."""
    kind: npt.NDArray[np.uint8]
    """uint8[n], an index into :data:`KINDS`: how the segment stands in the prompts that hold it."""
    senders: Ints32
    """int32[n]: distinct accounts whose prompts hold the segment."""
    posting_segment: Ints32
    """int32[m], ascending: with ``posting_prompt``, which prompt holds which segment."""
    posting_prompt: Ints32
    """int32[m], ascending within a segment."""
    prompts: Prompts


# ---------------------------------------------------------------- geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """The k nearest of each of n points."""

    index: Ints32
    """int32[n, k], self excluded, -1 where fewer than k."""
    distance: Floats32
    """float32[n, k], chord distance sqrt(2 - 2 cos), ascending, inf where fewer than k."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Selected clusters: disjoint or nested sets of points, one row per membership.

    ``label`` is the flat labelling, as HDBSCAN gives it.
    """

    label: Ints32
    """int32[n]; -1 is noise."""
    probability: Floats32
    """float32[n], 0 to 1; 0 for noise."""
    persistence: Floats
    """float64[c], per cluster."""


# ---------------------------------------------------------------- templates and campaigns


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCluster:
    """A set of segments that look like fillings of one template, found in one channel."""

    channel: str
    """``wording``, ``meaning``, each also with ``/shared`` or ``/leaf`` behind it, or ``verbatim``."""
    segments: Ints32
    """int32[s], ascending."""
    quality: float
    """Of the selection that found it (higher is better)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the texts of a cluster share."""

    template_id: str
    channel: str
    words: tuple[str | None, ...]
    """Runs of fixed words, with None where a slot stands."""
    slots: tuple[tuple[str, ...], ...]
    """Examples of the values of each slot, in the order of the Nones in ``words``."""
    medoid: str
    exemplars: tuple[str, ...]
    least_similar: str
    signature: str
    """Digest of the fixed words, for matching in later scans."""
    segments: int
    prompts: int
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Template clusters that belong together, mostly as the same accounts sent them, and those accounts; before it is
    judged."""

    clusters: Ints32
    """int32[t], ascending: positions in the list of template clusters."""
    accounts: Ints32
    """int32[a], ascending: accounts taken as members."""
    membership: Floats
    """float64[a], 0 to 1: how surely the account is part of it."""
    harvest_share: Floats
    """float64[a]: the part of the account's prompts that belongs to the campaign."""
    harvest_prompts: Ints32
    """int32[a]: prompts of the account that belong to the campaign."""
    prompts: Ints32
    """int32[q], ascending: those prompts of all members, as positions in ``Corpus.prompts``."""
    prompt_cluster: Ints32
    """int32[q]: for each of them the template cluster it fits best."""
    link_log_p: float
    """Natural log of the least surprising link that holds the campaign together; 0 for one cluster."""
    outside: Ints32 = field(default_factory=lambda: np.empty(0, np.int32))
    """int32[b], ascending: accounts that sent its texts and were not taken as members."""
    outside_membership: Floats = field(default_factory=lambda: np.empty(0))
    """float64[b]."""
    outside_hits: Ints32 = field(default_factory=lambda: np.empty(0, np.int32))
    """int32[b]: their prompts that fit."""
    stray_hits: int = 0
    """Most prompts of an account that was taken for a stray; the members were chosen down to here."""
    joined_by: Evidence | None = None
    """What its parts have in common, where infrastructure and not shared accounts joins them. It is shown and not
    judged: the measures of infrastructure see the same values."""


# ---------------------------------------------------------------- judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One measure of a campaign against what chance would give."""

    id: str
    """Of the measure, as in ``evidence.measures``: what decisions and files are keyed by."""
    name: str
    """The measure's label, for people. No decision reads it."""
    family: Family
    value: float
    null: str
    """What the value was compared with, in words."""
    expected: float
    """The value that the null gives on average."""
    p_value: float
    sentence: str
    """One sentence for an analyst; observation, not inference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenignExplanation:
    """A benign explanation of a finding, tested."""

    id: str
    """Of the explanation, as in ``evidence.explanations``: what decisions and files are keyed by."""
    name: str
    """The explanation's label, for people. No decision reads it."""
    verdict: Literal["fits", "unlikely", "unknown"]
    statistic: float | None
    sentence: str
    """The statistic for and against, in words; or what is missing to decide."""
    caps: Tier | None = None
    """The highest tier that a finding may reach while this explanation fits; None caps nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedValue:
    """A value that several members have, and how common it is."""

    field: str
    value: str
    """Masked."""
    members: int
    """Members that have it."""
    known: int
    """Members that have any value of the field."""
    accounts: int
    """Accounts of the dump that have it, members included."""
    population: int
    """Accounts of the dump that have any value of the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One account in one finding."""

    account: str
    membership: float
    harvest_share: float
    prompts: int
    harvest_prompts: int
    first_seen: int | None
    last_seen: int | None
    recommended: bool
    """False where the account may well be innocent: it is listed apart and kept out of action lists."""
    reasons: tuple[str, ...]
    templates: Mapping[str, int]
    """Harvest prompts by template id."""


Status: TypeAlias = Literal["new", "growing", "quiet", "back"]
"""Of a known campaign: found for the first time; it sent more since the run before; it stopped; it stopped and came
back, be it under other accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a state knows of the campaign of a finding."""

    status: Status
    detected: int
    """Unix seconds of the run that found it first."""
    new_accounts: int
    """Members that were none before this run."""
    verdict: str = ""
    """The verdict that stands, in words; empty without one."""
    notes: tuple[str, ...] = ()
    """What became part of it, or what it came from, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """An account that filled a template of a known campaign."""

    campaign_id: str
    account: str
    prompts: int
    first_seen: int | None
    last_seen: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A campaign and the judgement on it."""

    campaign_id: str
    tier: Tier
    score: float
    """Minus the decimal logarithm of the combined p-value; for ranking."""
    q_value: float
    """Expected share of false findings among those at least as strong (Benjamini-Hochberg)."""
    summary: str
    families: tuple[Family, ...]
    """Independent families whose evidence stands, strongest first."""
    accounts: int
    prompts: int
    orgs: int | None
    first_seen: int | None
    last_seen: int | None
    days: tuple[tuple[str, int], ...]
    """(``YYYY-MM-DD``, harvest prompts) for each day from first to last; empty without times."""
    templates: tuple[Template, ...]
    evidence: tuple[Evidence, ...]
    benign_explanations: tuple[BenignExplanation, ...]
    capability_targets: tuple[str, ...]
    members: tuple[Member, ...]
    """Sorted by falling membership, then by account."""
    shared_values: tuple[SharedValue, ...] = ()
    """Infrastructure that members share beyond what is common, masked."""
    changes: tuple[str, ...] = ()
    """What would change the tier, a sentence each, the nearest change first."""
    standing: Standing | None = None
    """Of a scan into a state."""


Failed: TypeAlias = Literal["shared", "chance", "overlap", "none", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyResult:
    """How one family of evidence came out."""

    family: Family
    p_value: float
    """Of its measures together (Simes)."""
    adjusted: float
    """Adjusted over all candidates (Benjamini-Hochberg)."""
    cut: float
    """The rate that ``adjusted`` must not exceed for the family to stand."""
    stands: bool
    agreed: bool = False
    """Whether a second measure of the family agrees; it need not be one that decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """An account that sent some of a candidate's texts, and how surely it is part of it.

    Where the candidate is a finding, the account is no member. This is personal data of people whom nothing is said
    about.
    """

    account: str
    membership: float
    hits: int
    """Its prompts that fit."""
    volume: int
    """All its prompts."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Another candidate that shares accounts or wording, and why the two are not one."""

    campaign_id: str
    shared: int
    """Accounts that are members of both."""
    expected: float
    """Accounts that would be, given how much each of them sent."""
    log_p: float
    """Natural log of the Poisson tail, times the number of pairs."""
    log_p_cut: float
    """What ``log_p`` must lie below for a link; between candidates with rigid templates it is looser."""
    overlap: float
    """``shared`` over the accounts of the smaller one."""
    overlap_cut: float
    distance: float | None
    """Chord distance between the mean vectors of their prompts, less the mean of all: 0 alike, 1.41 unrelated. None
    where it was not measured."""
    failed: Failed
    """The first test for a link that they failed. With ``none`` they passed as wholes, but no link between their
    clusters remained, or their accounts were separated. ``unknown``: the scan did not keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateStep:
    """The tier of a candidate from one false-discovery rate on."""

    fdr: float
    tier: Tier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A set of accounts that was measured and judged, finding or not."""

    campaign_id: str
    """The id in ``campaigns.jsonl`` where there is a tier."""
    tier: Tier | None
    """None: no finding."""
    score: float
    q_value: float
    accounts: int
    prompts: int
    uncapped: Tier | None = None
    """The tier without benign explanations."""
    capped_by: tuple[str, ...] = ()
    """Labels of the benign explanations that cap it at ``tier``; none where it is not capped."""
    templated: bool = True
    """Whether it has a template rather than only a subject."""
    templates: int = 1
    excerpt: str = ""
    """Fixed words of its largest template, redacted."""
    families: tuple[FamilyResult, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    benign_explanations: tuple[BenignExplanation, ...] = ()
    members: tuple[Outside, ...] = ()
    """Its surest accounts where it is no finding. Those of a finding are in ``accounts.csv``."""
    outside: tuple[Outside, ...] = ()
    """Some accounts that sent its texts and are no members, the surest first."""
    outside_count: int = 0
    """Accounts that sent its texts and are no members."""
    neighbors: tuple[Near, ...] = ()
    steps: tuple[RateStep, ...] = ()
    """The tier by rising false-discovery rate, the first step at 0."""
    missing: tuple[str, ...] = ()
    """Fields that most of its prompts lack; ``timestamp`` is one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A scan at one false-discovery rate."""

    fdr: float
    findings: Mapping[Tier, int]
    expected_false: Mapping[Tier, float]
    """See ``triage.expected_false``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """What one stage took."""

    stage: str
    seconds: float
    peak_memory_mb: float
    """Peak resident memory of the process by the end of the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """The whole answer of a scan."""

    findings: tuple[Finding, ...]
    """Strongest first."""
    rejects: tuple[Reject, ...]
    """The first rejects in full; ``counts['rejects']`` says how many there were."""
    counts: Mapping[str, int]
    settings: Mapping[str, Any]
    models: Mapping[str, str]
    """View -> digest of the model."""
    versions: Mapping[str, str]
    files: tuple[SourceFile, ...]
    stages: tuple[StageCost, ...]
    notes: tuple[str, ...] = ()
    """What was decided on the way that a reader should know."""
    expected_false: Mapping[str, float] = field(default_factory=dict)
    """Tier -> false findings to expect at it by chance, an upper estimate (``triage.expected_false``)."""
    what_if: tuple[Cut, ...] = ()
    """The same scan at neighbouring false-discovery rates, by rising rate."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """Where the scan was calibrated: ``file``, its ``sha256``, when it was ``created``, of how many ``candidates``, and
    ``expected_findings``: by tier the benign findings to expect of this many prompts."""
    attributed: tuple[Attributed, ...] = ()
    """Of a scan into a state: accounts that filled templates of known campaigns, members or not."""
    memory: Mapping[str, float] = field(default_factory=dict)
    """In 10**9 bytes: ``estimated`` before the expensive stages (with the processes that were to be started),
    ``allowed`` by the settings or available, ``peak`` of this process."""
    candidates: tuple[Candidate, ...] = field(default=(), compare=False)
    """All candidates, also those that are no findings; not part of the JSON form."""
    seen: pa.Table | None = field(default=None, compare=False)
    """``digest, prompts`` of every account; not part of the JSON form."""
    prompts: pa.Table | None = field(default=None, compare=False)
    """``file, line, account, campaign_id, template_id, membership`` of every prompt in a campaign; not
    part of the JSON form."""
