"""The decision constants: which they are, where they are defined, and what each one means.

A decision constant is a number that can change a finding: a threshold, a least size, a bound of what counts. Numbers
that change only speed, memory, random noise or what is shown are listed apart, with the reason (:data:`Reason`). A
number in one of :data:`PACKAGES` must be in one of the two lists; ``tests/benchmarks/test_constants.py`` checks it.

The lists contain what the code cannot say: the unit and the source. Value and meaning are read from the code, so that
they are written once. When a constant is renamed or moved, change its line here.

Long because the two lists have a line for each constant.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import pkgutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, TypeAlias

from harvestdetect.evidence.measures import MEASURES
from harvestdetect.settings import Settings

__all__ = [
    "DECISIONS",
    "EXPLAINING",
    "NOT_DECISIONS",
    "PACKAGE",
    "PACKAGES",
    "SETTINGS",
    "UNITS",
    "Constant",
    "Defined",
    "defined",
    "modules",
    "problems",
    "thresholds_inside",
]

PACKAGE: Final = "harvestdetect"
SETTINGS: Final = "settings"
"""The module whose constants are the fields of a dataclass."""
PACKAGES: Final = ("cluster", "template", "campaign", "accounts", "evidence", "judge", "incremental")
"""The packages where findings are decided: every number in them is listed."""

TINY: Final = 1e-5
"""A smaller number in a comparison guards against rounding."""

Reason: TypeAlias = Literal[
    "speed", "memory", "display", "format", "arithmetic", "reading", "sampling", "explains", "fit"
]
"""Why a number is no decision constant.

* ``arithmetic``: a unit, a mark, the start of an iteration, a bound against rounding or overflow, or against division
  by next to nothing;
* ``reading``: a setting of what is read and embedded, or of what kind of text something is, or a bound beyond which a
  value in a dump is a mistake;
* ``sampling``: how many draws are made or how large a sample is. Another value changes p-values by random noise;
* ``fit``: a bound on the bits that the fit may give. It changes findings through the fitted file alone;
* ``explains``: used by the measures of :data:`EXPLAINING` alone.
"""
EXPLAINING: Final = frozenset(measure.id for measure in MEASURES if measure.closer_look)
"""Measures that change no tier, no score and no account: those of a closer look, which have no row in the ledger."""
Listed: TypeAlias = list[tuple[str, str, str]]
"""Module, name, and in which list."""
HERE: Final = Path(__file__).name
"""For messages."""


@dataclass(frozen=True, slots=True)
class Constant:
    """One decision constant."""

    module: str
    """Below the package: ``evidence.load``."""
    name: str
    """As in the code; of the settings the field."""
    unit: str
    """One of :data:`UNITS`."""
    source: str = ""
    """Where the value comes from, where that is known."""

    def __str__(self) -> str:
        """``evidence.load.MIN_SHARING``."""
        return f"{self.module}.{self.name}"


UNITS: Final[Mapping[str, tuple[float, float]]] = {
    "accounts": (0, 1e9),
    "bits": (-1e9, 1e9),
    "characters": (0, 1e9),
    "days": (0, 1e6),
    "draws": (1, 2000),
    "hours": (0, 24),
    "items": (0, 1e9),
    "letters": (0, 1e9),
    "lines": (0, 1e9),
    "log of a probability": (-1e9, 0),
    "models": (1, 1e6),
    "neighbours": (1, 1e6),
    "organisations": (1, 1e6),
    "pairs": (0, 1e9),
    "probability": (0, 1),
    "prompts": (0, 1e9),
    "rounds": (0, 1e6),
    "score": (-1e9, 1e9),
    "seconds": (0, 1e9),
    "share": (0, 1),
    "standard deviations": (0, 1e9),
    "texts": (0, 1e9),
    "times": (0, 1e9),
    "words": (0, 1e9),
    "chord distance": (0, 2),
    "cosine": (-1, 1),
}
"""Every unit with the least and greatest value that a constant of it may take. ``share`` includes Jaccard indices and
memberships, ``probability`` p-values and false-discovery rates; ``times`` is a ratio without an upper bound."""


def _of(module: str, **units: str) -> tuple[Constant, ...]:
    """The constants of a module, each with its unit."""
    return tuple(Constant(module, name, unit, SOURCES.get(f"{module}.{name}", "")) for name, unit in units.items())


SOURCES: Final[Mapping[str, str]] = {
    "template.description.SHARED_WORDS": "ARCHITECTURE.md, pitfalls",
    "template.description.IN_ORDER": "ARCHITECTURE.md, pitfalls",
    "evidence.nulls.STEPS": "Besag & Clifford 1991, sequential Monte Carlo tests",
    "evidence.nulls.SETTLED": "Besag & Clifford 1991, sequential Monte Carlo tests",
    "evidence.block_density.POPULAR": "FRAUDAR (Hooi et al., KDD 2016)",
    "evidence.intent.FIXED_MARGIN": "benchmarks/intent.py, tuning part",
    "evidence.intent.TEXTS_MARGIN": "benchmarks/intent.py, tuning part",
}
"""Where values come from, where that is known."""

# fmt: off
DECISIONS: Final[tuple[Constant, ...]] = (
    *_of(
        "settings",
        segment_characters="characters", max_windows="texts", k="neighbours", min_samples="neighbours",
        min_cluster_size="texts", distance_floor="chord distance", distance_cap="chord distance",
        min_accounts="accounts", max_account_share="share", link_log_p="log of a probability",
        fdr="probability",
    ),
    *_of(
        "util.amounts",
        MOST="share", NEARLY_ALL="share", SMALL_PART="share", EXCEPTIONAL="share", FEW="share", MIN_SAMPLE="items",
        GROUP="accounts", SEVERAL="items",
    ),
    *_of("corpus.account_fields", RARE="accounts"),
    *_of("corpus.known_templates", SAME_TEMPLATE="share", OWN_WORDS="words"),
    *_of("corpus.preambles", LEAST_SHARE="share", VARIED="share"),
    *_of("cluster.selection", MAX_TEXT_SHARE="share", MAX_POINT_SHARE="share", COHESION_OF="neighbours"),
    *_of("cluster.assign", NEIGHBORS_AMONG="neighbours"),
    *_of("template.alignment", MIN_LONG_LETTERS="letters"),
    *_of(
        "template.description",
        TEMPLATE_WORDS="words", RIGID_WORDS="words", SHARED_WORDS="words", IN_ORDER="times",
    ),
    *_of("campaign.links", RIGID_RELIEF="share", COPIED_RELIEF="times"),
    *_of("campaign.membership", STRAY_RATE="share", MIN_MEMBERSHIP="share", MIN_STRAYS="prompts"),
    *_of("accounts.profiles", ACCOUNT_PROMPTS="prompts", TOPIC_PROMPTS="prompts"),
    *_of("accounts.alike", NEIGHBORS="neighbours", LIFT="times"),
    *_of("accounts.rare_links", PARTNERS="accounts"),
    *_of("accounts.hot_features", BY_CHANCE="accounts", LEAST_PARTNERS="accounts"),
    *_of("accounts.pieces", GAP="probability", SHORT="share", MAX_GAP_IN_PERIODS="times"),
    *_of("accounts.groups", FALSE_LINKS="probability"),
    *_of("accounts.succession", SIZE_RATIO="times"),
    *_of("accounts.seeds", SEED_MIN_COSINE="cosine"),
    *_of("evidence.least_data", MIN_COMPARED="items", MIN_PROMPTS="prompts"),
    *_of("evidence.nulls", HEAVY="times", ALIKE_VOLUME="share"),
    *_of("evidence.comparison", NEIGHBOURHOOD="texts"),
    *_of("evidence.work_list", OWN_SUBJECTS="standard deviations"),
    *_of("evidence.tempo", SESSION="seconds"),
    *_of("evidence.coordination", SYNC_HOURS="hours"),
    *_of("evidence.starts", ALIKE_DAYS="times"),
    *_of("evidence.sign_ups", MATCHED="times"),
    *_of(
        "evidence.shared_values",
        FAMILIAR="times", COARSE="share", LARGEST="organisations", TEAMS="organisations",
    ),
    *_of("evidence.joining", MIN_COMMON="share"),
    *_of("evidence.account_data", COUNTED_REQUESTS="prompts"),
    *_of(
        "evidence.account_readings",
        SPREAD="cosine", BETWEEN="cosine", CREATION_WINDOW="seconds",
    ),
    *_of(
        "evidence.readings",
        CHANCE="standard deviations", SUBJECTS="items",
    ),
    *_of("judge.ledger", SUREST="score", EXPECTED="items"),
    *_of("judge.triage", CARRIES="bits", URGENT="share", WATCH="times"),
    *_of("judge.parting", PROTOTYPES="share", LEAST_GAIN="bits"),
    *_of("judge.resolve", FAR="probability"),
)
"""All decision constants, in the order of the stages."""

NOT_DECISIONS: Final[Mapping[str, Mapping[str, Reason]]] = {
    "accounts.alike": {
        "PROJECTED": "speed", "SEARCHED": "speed", "PROFILES_AT_ONCE": "memory",
    },
    "accounts.candidates": {"GROUPS_PER_TASK": "speed"},
    "accounts.find": {"TASKS": "speed"},
    "accounts.growth": {
        "ROUNDS": "speed", "CLASSES": "arithmetic", "SURE": "arithmetic",
        "LEAST": "arithmetic",
    },
    "accounts.hot_features": {
        "COMPARED": "sampling", "SHUFFLES": "sampling", "AT_ONCE": "memory", "SHUFFLED_TOGETHER": "sampling",
        "MAX_FEATURES": "memory",
    },
    "accounts.id_links": {"NO_NUMBER": "format"},
    "accounts.payloads": {"PAYLOADS": "sampling"},
    "accounts.products": {"PAIRS_AT_ONCE": "memory"},
    "accounts.profiles": {
        "SCALES": "reading", "CELLS_EACH": "reading", "TOPICS": "reading", "PROMPTS_AT_ONCE": "memory",
    },
    "accounts.rare_links": {
        "FOLLOWING": "speed", "AROUND": "sampling", "HOURS": "arithmetic",
    },
    "accounts.seeds": {"MAX_SEEDS": "reading", "MAX_BYTES": "reading", "_BLOCK": "memory"},
    "accounts.succession": {"COMPARED": "sampling", "PIECES_AT_ONCE": "memory"},
    "campaign.links": {
        "UNDIVIDED": "speed",
    },
    "campaign.membership": {
        "ROUNDS": "speed", "STEPS_PER_ROUND": "speed", "CONVERGED": "arithmetic", "MIN_MEAN": "arithmetic",
        "SHAPES": "arithmetic", "INITIAL": "arithmetic", "TINY": "arithmetic", "MAX_LOG_ODDS": "arithmetic",
    },
    "campaign.shared_accounts": {
        "MIN_LOG_P": "arithmetic", "CELLS_AT_ONCE": "memory", "PROMPT_BITS": "format", "MAX_RATE": "arithmetic",
    },
    "campaign.users": {
        "MIN_EXPECTED": "arithmetic", "SHARED_AT_ONCE": "memory",
    },
    "cluster.assign": {
        "PRODUCTS_AT_ONCE": "memory",
    },
    "cluster.distances": {
        "EDGES_AT_ONCE": "memory", "SORTED_AT_ONCE": "speed",
    },
    "cluster.node_counts": {
        "LOW_HALF": "format",
    },
    "cluster.repeat_senders": {
        "TERMS_AT_ONCE": "memory",
    },
    "cluster.selection": {
        "MIN_POINTS": "arithmetic", "POINTS_PER_TEXT": "speed",
    },
    "cluster.forest_tasks": {
        "PARALLEL_POINTS": "speed", "EDGES_PER_TASK": "speed", "TASKS_PER_WORKER": "speed",
    },
    "cluster.spanning": {
        "EDGES_AT_ONCE": "memory", "SMALLEST": "arithmetic", "BAND_QUANTILES": "speed", "BAND_SAMPLE": "speed",
    },
    "cluster.tree": {
        "BRIDGE": "arithmetic", "MERGES_AT_ONCE": "memory",
    },
    "cluster.views": {
        "EDGES_AT_ONCE": "memory", "PARALLEL_TREES": "speed",
    },
    "corpus.account_fields": {"SHOWN": "display"},
    "corpus.skeletons": {"NEAR": "reading"},
    "corpus.registry": {"SCAFFOLD_WORDS": "reading"},
    "evidence.adapters": {"FIRST_PAIRS": "speed", "FIRST_PAIRS_P": "speed"},
    "evidence.account_data": {
        "PERIODS": "memory", "GAPS": "reading", "SHORTEST": "reading", "MAX_REQUESTS_PER_ACCOUNT": "sampling",
    },
    "evidence.block_density": {"DENSITY_DRAWS": "sampling", "POPULAR": "explains"},
    "evidence.candidate": {"READ_AMONG": "sampling"},
    "evidence.cohort": {"COUNTED": "memory"},
    "evidence.coordination": {"GRID": "speed"},
    "evidence.duplicates": {
        "COPY": "explains", "ALIKE": "explains", "CLOSE": "explains", "KEEPS": "explains", "TRACES": "explains",
        "SAME_TRACES": "explains", "LENGTHS": "explains", "KANA_SHARE": "explains", "_FEW_WORDS": "explains",
        "_MARKED_LINES": "explains", "PAIRS": "sampling", "MAX_TEMPLATES": "speed", "BUCKETS": "format",
        "_SCRIPTS": "format",
    },
    "evidence.intent": {
        "FIXED_MARGIN": "explains", "TEXTS_MARGIN": "explains", "NEAREST": "explains", "BESIDE": "explains",
        "FEWEST_WORDS": "explains", "AT_MOST": "display", "BEGINNING": "speed", "MAX_TEXTS": "sampling",
        "FIRST_TEXTS": "speed", "FIRST_TEXTS_MARGIN": "speed",
    },
    "evidence.load": {
        "COMPOSITIONS": "sampling", "MAX_SHARES": "memory", "LEAST_COMPOSITIONS": "sampling",
        "LEAST_LOG_P": "arithmetic",
    },
    "evidence.model_pivot": {"PIVOT_BEFORE": "explains", "PIVOT_MODELS": "explains"},
    "evidence.nulls": {
        "STEPS": "sampling", "DRAWS": "sampling", "SETTLED": "sampling", "MAX_MEMBERS": "sampling",
        "MAX_PROMPTS": "sampling", "LEAST_MEMBERS": "sampling", "P_FLOOR": "arithmetic",
    },
    "evidence.own_items": {"MAX_ACCOUNTS": "sampling", "MAX_REQUESTS_EACH": "sampling"},
    "evidence.reading_sentences": {"NOTICEABLE": "display", "SENTENCES": "display"},
    "evidence.readings": {
        "NEXT_TO_NONE": "arithmetic", "NEAREST_AMONG": "sampling", "SAME": "arithmetic", "TEXT_LEAST_BITS": "fit",
        "CHOICE_LEAST_BITS": "fit",
    },
    "evidence.comparison": {"OTHER_TEXTS": "sampling"},
    "evidence.shared_values": {
        "LISTED": "display", "TAG_BYTES": "display", "TAG_VALUES": "display",
    },
    "evidence.timed_prompts": {
        "MAX_DAYS": "reading", "AT_ONCE": "memory",
    },
    "evidence.wording": {"DIGITS": "arithmetic", "READ_CHARACTERS": "speed", "FILLED": "explains"},
    "evidence.work_list": {
        "NO_MORE_ALIKE": "display", "LEAST_USUAL": "arithmetic", "ROUNDING": "arithmetic", "GATHERED": "memory",
        "NO_SPREAD": "arithmetic", "FOCUS_DRAWS": "sampling", "FOCUS_PROMPTS": "sampling",
    },
    "incremental.folder": {"LEAST_TEXTS": "speed"},
    "incremental.reuse": {"LEAST_KNOWN": "speed"},
    "judge.attribute": {"NEAREST": "speed", "_BLOCK": "memory"},
    "judge.calibration": {"DECIMALS": "arithmetic", "PER": "display", "CONFIDENCE": "display"},
    "judge.calibration_file": {"VERSION": "format"},
    "judge.candidate_file": {"TEMPLATE_EXCERPT": "display"},
    "judge.candidates": {
        "MOSTLY_MISSING": "display", "MOST_OUTSIDE": "display", "MOST_NEAR": "display", "CLOSE": "display",
        "COMPARED": "display",
    },
    "judge.findings": {
        "STANDS_OUT": "display", "MOST_CLAUSES": "display", "LEAST_SHOWN": "display",
    },
    "judge.ledger": {
        "FARTHEST": "arithmetic", "TINY": "arithmetic", "ROUNDS": "arithmetic", "LEAST_ODDS": "arithmetic",
    },
    "judge.ledger_file": {"VERSION": "format"},
    "judge.measure": {
        "SIGNIFICANT": "explains",
        "PARALLEL_CANDIDATES": "speed", "CANDIDATES_PER_TASK": "speed",
    },
    "judge.member_model": {
        "MOST_BITS": "arithmetic", "ROUNDS": "speed", "SETTLED": "arithmetic", "LIMIT": "arithmetic",
    },
    "judge.members": {"LEAST_MENTIONED": "display", "MOST_CLAUSES": "display"},
    "judge.members_file": {"VERSION": "format"},
    "judge.parting": {"NEXT_TO_NO_WEIGHT": "arithmetic", "EVEN": "arithmetic"},
    "judge.title_words": {
        "SAMPLE": "sampling", "READ": "speed", "SHORTEST": "display", "RAREST": "display", "LONGEST": "display",
        "IN_SHARE": "display", "IN_TEXTS": "display", "LIFT": "display", "KEPT": "display",
    },
    "judge.titles": {
        "LONGEST": "display", "ROOM": "display", "ROOM_OF_SEVERAL": "display", "QUOTED": "display",
        "LEAST_PART": "display", "TEXTS": "display", "TELLING": "display", "LEAST_QUOTED": "display",
        "COVERED": "display", "MOST_OF_ONE": "display", "LEADS": "display", "LEAST_BITS": "display",
        "LEAST_ROOM": "display", "JOINING": "display", "WORDS": "display", "WORDS_BESIDE": "display",
        "ONE_LANGUAGE": "display", "PART_OF_LANGUAGES": "display", "LEAST_LANGUAGES": "display",
        "LEAST_SAID": "display", "LEAST_WORDS": "display",
    },
    "judge.triage": {"NEIGHBOURS": "display", "LEAST_CUT": "display"},
    "settings": {
        "max_rejects": "reading", "max_line_bytes": "reading", "max_expansion": "reading",
        "auto_budget_seconds": "speed", "batch_size": "speed", "exact_below": "speed", "seed": "arithmetic",
        "threads": "speed", "workers": "speed", "memory_gb": "memory",
    },
    "template.alignment": {
        "BACKWARDS_TEXTS": "speed",
    },
    "template.clusters": {
        "TEXTS_PER_CLUSTER": "speed",
    },
    "template.description": {
        "SAMPLE": "speed", "LABEL_WORDS": "reading", "SLOT_FILLED": "display", "SLOT_CHARACTERS": "display",
        "SLOT_EXAMPLES": "display", "EXEMPLARS": "display",
    },
    "template.mixtures": {
        "MIXED_TEXTS": "speed", "PAIRS_AT_ONCE": "memory", "FULL_PAIRS_AT_ONCE": "memory",
    },
    "template.refine": {"CLUSTERS_PER_TASK": "speed"},
    "template.splitting": {
        "NO_SUBCLUSTER": "format", "UNKNOWN_SUBCLUSTER": "format",
    },
    "template.tokens": {
        "MAX_TOKENS": "speed", "HEAD_CHARACTERS": "speed",
    },
}
"""Numbers of the same packages that are no decision constants, by module, each with the reason."""
# fmt: on

INLINE: Final[Mapping[str, tuple[str, ...]]] = {
    "campaign.users": ("len(group) < 3",),
    "evidence.duplicates": ("codes >= 97",),
    "evidence.reading_sentences": ("share <= FEW * 1.001", "cosine < 0.005"),
    "evidence.work_list": ("len(own) < 4",),
    "judge.candidates": ("turn < 3 * late",),
}
"""Comparisons inside functions whose number is no threshold, by module, as :func:`ast.unparse` writes them."""


# ---------------------------------------------------------------- what the code says


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined:
    """A number as the code defines it."""

    module: str
    name: str
    value: Any
    meaning: str
    """Its docstring, on one line; empty where it has none."""
    line: int


def modules(*packages: str) -> list[str]:
    """Dotted names below the package of all modules in some packages; of the whole package where none is given."""
    found = []
    package = importlib.import_module(PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        name = module.name.partition(".")[2]
        if not packages or name.split(".", 1)[0] in packages:
            found.append(name)
    return sorted(found)


def defined(module: str) -> dict[str, Defined]:
    """The numbers that a module defines: constants in capitals, of :data:`SETTINGS` the fields of the dataclass.

    A table counts as well when it has a number in it: no threshold may hide in an entry.
    """
    loaded = importlib.import_module(f"{PACKAGE}.{module}")
    if module == SETTINGS:
        return _fields(loaded)
    found = {}
    for name, node, meaning in _assigned(_body(loaded)):
        capitals = name.strip("_").isupper()
        if capitals and node.value is not None and any(map(_is_number, ast.walk(node.value))):
            value = getattr(loaded, name)
            found[name] = Defined(module=module, name=name, value=value, meaning=meaning, line=node.lineno)
    return found


def _fields(loaded: ModuleType) -> dict[str, Defined]:
    (fields,) = (n for n in _body(loaded) if isinstance(n, ast.ClassDef) and n.name == Settings.__name__)
    types = {f.name: str(f.type) for f in dataclasses.fields(Settings)}
    return {
        name: Defined(
            module=SETTINGS, name=name, value=getattr(Settings(), name), meaning=meaning, line=node.lineno
        )
        for name, node, meaning in _assigned(fields.body)
        if types.get(name, "").split(" | ")[0] in ("int", "float")
    }  # fmt: skip


def _body(loaded: ModuleType) -> list[ast.stmt]:
    return _parsed(Path(str(loaded.__file__))).body


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign, str]]:
    """Name, statement and docstring of every assignment to a name."""
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.Assign):
            (target, *_) = node.targets
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            continue
        meaning = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            meaning = " ".join(after.value.value.split())
        if isinstance(target, ast.Name):
            yield target.id, node, meaning


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)


def thresholds_inside(module: str) -> list[str]:
    """Comparisons in a module with a number that has no name: other than 0, 1, 2 and what is next to 0."""
    loaded = importlib.import_module(f"{PACKAGE}.{module}")
    found = []
    for node in ast.walk(_parsed(Path(str(loaded.__file__)))):
        if isinstance(node, ast.Compare):
            numbers = [ast.literal_eval(n) for n in ast.walk(node) if isinstance(n, ast.Constant) and _is_number(n)]
            if any(number not in (0, 1, 2) and abs(number) > TINY for number in numbers):
                found.append(ast.unparse(node))
    return found


# ---------------------------------------------------------------- what is wrong


def problems(
    decisions: tuple[Constant, ...] = DECISIONS, others: Mapping[str, Mapping[str, str]] = NOT_DECISIONS
) -> list[str]:
    """What the lists and the code disagree on, a sentence each that says what to change."""
    listed = [(c.module, c.name, "DECISIONS") for c in decisions]
    listed += [(module, name, "NOT_DECISIONS") for module, names in others.items() for name in names]
    every = [SETTINGS, *modules(*PACKAGES)]
    found = {module: defined(module) for module in every}
    for module in dict.fromkeys(module for module, _, _ in listed if module not in found):
        found[module] = defined(module) if importlib.util.find_spec(f"{PACKAGE}.{module}") else {}
    return [*_misread(decisions, listed), *_missing(listed, found), *_unlisted(every, listed, found), *_inline()]


def _misread(decisions: tuple[Constant, ...], listed: Listed) -> Iterator[str]:
    """What is wrong with the lists themselves."""
    for constant in decisions:
        if constant.unit not in UNITS:
            yield f"{constant} has the unknown unit {constant.unit!r}; add it to UNITS in {HERE}"
    counts = Counter((module, name) for module, name, _ in listed)
    for (module, name), count in counts.items():
        if count > 1:
            yield f"{module}.{name} is listed {count} times in {HERE}; keep one line"
    for name in SOURCES:
        if name not in {f"{module}.{own}" for module, own in counts}:
            yield f"{name} is in SOURCES of {HERE} and in no list; rename or remove its line"


def _missing(listed: Listed, found: Mapping[str, Mapping[str, Defined]]) -> Iterator[str]:
    """What is listed and not in the code, with the modules that have a constant of that name."""
    for module, name, where in listed:
        if name not in found[module]:
            places = [other for other, names in found.items() if name in names]
            now = f"{', '.join(places)} has one of that name" if places else "rename or remove its line"
            yield f"{module}.{name} is in {where} of {HERE} and no longer in the code; {now}"


def _unlisted(every: list[str], listed: Listed, found: Mapping[str, Mapping[str, Defined]]) -> Iterator[str]:
    """Numbers of the packages that are in neither list."""
    known = {(module, name) for module, name, _ in listed}
    for module in every:
        for name, one in found[module].items():
            if (module, name) not in known:
                yield (
                    f"{module}.{name} = {one.value!r} (line {one.line}) is a number that {HERE} does not list: add it "
                    "to DECISIONS with its unit if it can change a finding, else to NOT_DECISIONS with the reason"
                )


def _inline() -> Iterator[str]:
    """Thresholds that have no name, and comparisons that are listed and gone."""
    found = {module: thresholds_inside(module) for module in modules(*PACKAGES)}
    for module, texts in found.items():
        for text in texts:
            if text not in INLINE.get(module, ()):
                yield (
                    f"{module} compares with a number without a name: {text}; make it a constant, or add the "
                    f"comparison to INLINE of {HERE}"
                )
    for module, texts_listed in INLINE.items():
        for text in texts_listed:
            if text not in found.get(module, ()):
                yield f"the comparison {text} of {module} is in INLINE of {HERE} and no longer in the code; remove it"
