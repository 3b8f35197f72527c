"""The settings of a scan, with a description and a range check of each.

Command-line flags go first, then environment variables (``HARVESTDETECT_ENCODER=fast``), then the settings file (TOML),
then the defaults.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harvestdetect.arguments import named_values, path_of, wrong
from harvestdetect.errors import SettingsError

__all__ = ["ENVIRONMENT_PREFIX", "REPORT_PLACEHOLDERS", "Settings", "load_settings", "number_text", "settings_of"]

ENVIRONMENT_PREFIX = "HARVESTDETECT_"
"""Beginning of the names of environment variables."""

ENCODERS = ("auto", "fast", "full")
SELECTIONS = ("account", "leaf", "eom")
_WHOLE = frozenset(
    {"max_line_bytes", "segment_characters", "max_windows", "batch_size", "k", "exact_below"}
) | frozenset({"min_samples", "min_cluster_size", "min_accounts", "threads", "workers", "seed"})
FORMATS = ("auto", "jsonl", "csv", "parquet")
ENGINES = ("loop", "processes", "ray")
PATHS = ("cache", "calibration", "pseudonyms", "registry", "work")
REPORT_PLACEHOLDERS: Final = ("campaign", "run", "started", "date")
"""Names that ``report_url`` may contain in braces."""
_REPORT_CHARACTERS: Final = 400
"""Most characters of ``report_url``."""
_REPORT_HEAD: Final = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?=[/?#]|$)")
_REPORT_REST: Final = re.compile(r"(?:[/?#][A-Za-z0-9._~:/?#@!$&'()+,;=%-]*)?")
_LARGEST_COUNT: Final = 2**31 - 1
"""Largest value of a setting that is counted in 32 bits, such as rows, accounts and bytes of a line."""


@named_values(what="setting", example='Settings(encoder="fast")', error=SettingsError)
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a scan reads, compares, clusters, links and judges.

    A path may be given as a text, and a number may be one of numpy.

    Raises:
        SettingsError: a setting is unknown, or a value is out of its range. The message names the setting, the range
            and the value.
    """

    # reading
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Name of a field -> its column, or dotted path, in the dump: ``{"prompt": "body.messages"}``. ``[]`` in a path
    stands for each element of a list, ``none`` for no column, and ``@path:logs/{}.jsonl`` for a part of the path of the
    file."""
    profile: str = ""
    """Name of the shape that all records have, or a TOML file with further shapes; "" recognises known shapes."""
    format: str = "auto"
    """``jsonl``, ``csv`` or ``parquet``; ``auto`` recognises the format by the content of each file."""
    max_rejects: float | None = None
    """Most bad rows: a number if it is 1 or more, a share of the rows if it is below 1; None allows any number."""
    max_line_bytes: int = 16_000_000
    """Bytes of the longest line. A longer line is a reject."""
    max_expansion: float = 1_000.0
    """Largest size of the content of a compressed file or of a Parquet file, as a multiple of its stored size. A row
    counts as at least 2,000 bytes. All files of a scan together may exceed this by 4 GB. Beyond that, reading of the
    file stops."""
    query: str | None = None
    """SQL of the rows to read from a database."""
    table: str | None = None
    """Table to read from a database, ``schema.table`` or ``table``."""
    since_column: str | None = None
    """Column of a database by which rows are ordered, such as the time of the request or a growing number. A state
    remembers its last value, and the next scan goes on from there."""
    pseudonyms: Path | None = None
    """File with a secret key: account ids and other identifiers are replaced by keyed hashes as rows are read. None
    keeps them."""

    # corpus
    segment_characters: int = 300
    """Characters of a piece of a part. A part that is more than twice as long is also compared in such pieces."""
    max_windows: int = 4
    """Most pieces of a long part between its head and its tail."""
    registry: Path | None = None
    """TOML file with further known scaffolds and viral prompts, in addition to the shipped ones."""
    use_registry: bool = True
    """Whether to remove known scaffolds from texts before texts are compared, and to report known templates as such."""

    find_preambles: bool = True
    """Whether to look for texts that many accounts always send, such as the system prompt of a product, and to remove
    them from texts before texts are compared."""

    # encoding
    encoder: str = "fast"
    """``fast`` compares texts only by wording, ``full`` also compares all of them by meaning, and ``auto`` compares as
    many by meaning as ``auto_budget_seconds`` allows."""
    model: str | None = None
    """Folder of a sentence-transformers model, or its hub name with ``allow_download``; None is the packaged MiniLM."""
    allow_download: bool = False
    """Whether a model may be downloaded."""
    cache: Path | None = None
    """Folder of cached vectors and distilled models; None is the cache folder of the user."""
    use_cache: bool = True
    """Whether vectors are cached."""
    auto_budget_seconds: float = 60.0
    """Most seconds that ``auto`` may spend on embedding by meaning, at a nominal speed of two cores. Dumps of fewer
    than about 900,000 texts get fewer."""
    batch_size: int = 64
    """Most texts that the transformer embeds at a time."""
    device: str = "auto"
    """Where the transformer runs: ``auto``, ``cpu``, ``cuda`` or ``mps``."""

    # neighbours and clusters
    k: int = 32
    """Number of nearest neighbours of each segment."""
    exact_below: int = 30_000
    """Most segments of an exact search. More are searched by cells and by neighbours of neighbours."""
    min_samples: int = 5
    """The core distance of a segment is the distance to its ``min_samples``-th nearest neighbour."""
    min_cluster_size: int = 8
    """Fewest texts of a cluster. Each view needs memory and time for this number of texts in addition to its own."""
    distance_floor: float = 0.1
    """Chord distance. Smaller distances count as this one."""
    distance_cap: float = 0.9
    """Chord distance above which two segments are never in one cluster."""
    selection: str = "account"
    """How clusters are chosen from a tree: ``account``, by the accounts that return to a cluster, or ``leaf`` or
    ``eom`` as in HDBSCAN."""

    # campaigns
    min_accounts: int = 10
    """Fewest accounts of a campaign."""
    max_account_share: float = 0.25
    """Share of the prompts of a cluster. If one account sent more, the cluster is a habit of that account."""
    link_log_p: float = -16.0
    """Natural logarithm of a p-value. Two clusters are linked if their number of shared accounts is less likely, and
    accounts of linked clusters are separated if chance is less likely."""

    # judgement
    fdr: float = 0.2
    """Largest probability of innocence (local false-discovery rate) of a finding at review."""
    calibration: Path | None = None
    """File that ``harvestdetect calibrate`` made from benign traffic; None uses the reference alone."""

    # reporting
    make_map: bool = True
    """Whether to place a sample of the prompts in the plane for the report. It changes no finding."""
    report_url: str | None = None
    """Address of the report in alerts, http or https. After the host it may contain ``{campaign}``, ``{run}``,
    ``{started}`` and ``{date}``. None: alerts have no link."""

    # running
    seed: int = 0
    """Seed of all random numbers."""
    threads: int = 0
    """Number of threads; 0 takes all cores."""
    workers: int | None = None
    """Number of processes that prepare texts while another one reads them. 1: one process does both. 0: one for each
    core. None: one for each core on the command line, and 1 in a library call, because a script that starts processes
    needs ``if __name__ == "__main__"``."""
    engine: str = "processes"
    """Where work on files, texts, clusters and candidates runs: ``loop``, in this process; ``processes``, in
    ``workers`` processes where there is enough work; ``ray``, on the machines of a Ray cluster. The findings are the
    same."""
    ray_address: str | None = None
    """With the engine ``ray``: ``HOST:PORT``, ``ray://HOST:PORT``, or ``auto`` for a cluster that runs on this machine.
    None starts Ray on this machine for the scan."""
    memory_gb: float | None = None
    """Memory that a scan may use, in 10**9 bytes. If the estimate is higher, the scan ends before the expensive stages.
    Vectors that would take more than a twentieth of it are kept in a file. None: the available memory, and for vectors
    half of the memory of the machine."""
    work: Path | None = None
    """Folder in which a scan keeps prepared files, vectors and neighbours for the next scan; None keeps nothing."""

    def __post_init__(self) -> None:
        """Check every range."""
        self._make_plain()
        self._one_of("encoder", ENCODERS)
        self._one_of("selection", SELECTIONS)
        self._one_of("format", FORMATS)
        self._one_of("engine", ENGINES)
        self._one_of("device", ("auto", "cpu", "cuda", "mps"))
        for name, low, high in (
            ("max_line_bytes", 1_000, _LARGEST_COUNT),
            ("max_expansion", 1.0, None),
            ("segment_characters", 40, 100_000),
            ("max_windows", 0, 1_000),
            ("batch_size", 1, 65_536),
            ("k", 2, 1_000),
            ("exact_below", 1, _LARGEST_COUNT),
            ("min_samples", 1, 1_000),
            ("min_cluster_size", 2, 1_000_000),
            ("min_accounts", 2, _LARGEST_COUNT),
            ("threads", 0, 1_024),
            ("workers", 0, 1_024),
            ("memory_gb", 0.25, None),
            ("seed", 0, 2**32 - 1),
            ("distance_floor", 0.0, 2.0),
            ("distance_cap", 0.0, 2.0),
            ("max_account_share", 0.0, 1.0),
            ("fdr", 0.0, 1.0),
            ("auto_budget_seconds", 0.0, None),
            ("link_log_p", None, 0.0),
            ("max_rejects", 0.0, None),
        ):
            self._in_range(name, low, high)
        for name, kind, wanted in (
            ("allow_download", bool, "true or false"),
            ("use_cache", bool, "true or false"),
            ("use_registry", bool, "true or false"),
            ("find_preambles", bool, "true or false"),
            ("make_map", bool, "true or false"),
            ("model", str | None, "a folder or name"),
            ("profile", str, "the name of a shape or a TOML file"),
            ("cache", Path | None, "a folder"),
            ("work", Path | None, "a folder"),
            ("calibration", Path | None, "a file"),
            ("registry", Path | None, "a file"),
            ("pseudonyms", Path | None, "a file"),
            ("ray_address", str | None, "HOST:PORT, ray://HOST:PORT or auto"),
            ("query", str | None, "SQL"),
            ("table", str | None, "the name of a table"),
            ("since_column", str | None, "the name of a column"),
            ("mapping", Mapping, "a table of names to column names"),
        ):
            if not isinstance(getattr(self, name), kind):
                raise SettingsError(f"{name} must be {wanted}, got {getattr(self, name)!r}")
        for name in (*PATHS, "model", "profile"):
            if "\0" in str(getattr(self, name)):
                raise SettingsError(f"{name} must be without a NUL character, got {str(getattr(self, name))!r}")
        self._check_report_url()
        self._check_pairs()

    def _make_plain(self) -> None:
        """Makes paths of texts, and numbers of Python of those of numpy."""
        for name in PATHS:
            value = getattr(self, name)
            if isinstance(value, str) and value and "\0" not in value:
                object.__setattr__(self, name, Path(value))
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if isinstance(value, int | float | str | None) or not isinstance(value, numbers.Real):
                continue
            object.__setattr__(self, f.name, int(value) if isinstance(value, numbers.Integral) else float(value))

    def _check_pairs(self) -> None:
        """Checks the settings that depend on another one, and the pairs of the mapping."""
        for name, column in self.mapping.items():
            if not isinstance(name, str) or not isinstance(column, str):
                raise SettingsError(f"mapping must be a table of names to column names, got {name!a}: {column!a}")
        if self.ray_address is not None and self.engine != "ray":
            raise SettingsError(f"ray_address needs the engine ray, got {self.engine}; leave it out, or name ray")
        if self.min_samples > self.k:
            raise SettingsError(f"min_samples must be at most k = {self.k}, got {self.min_samples}")
        if self.distance_floor >= self.distance_cap:
            raise SettingsError(
                f"distance_floor must be below distance_cap = {self.distance_cap}, got {self.distance_floor}"
            )

    def _check_report_url(self) -> None:
        url, known = self.report_url, ", ".join(f"{{{name}}}" for name in REPORT_PLACEHOLDERS)
        if url is None:
            return
        if not isinstance(url, str):
            raise SettingsError(f"report_url must be an address, got {url!r}")
        if len(url) > _REPORT_CHARACTERS:
            raise SettingsError(f"report_url must have at most {_REPORT_CHARACTERS} characters, got {len(url)}")
        head = _REPORT_HEAD.match(url)
        if head is None:
            raise SettingsError(
                "report_url must start with https:// or http:// and a host without a name or password, such as "
                f"https://reports.example.org/{{date}}/report.html, got {url!r}"
            )
        rest = url[head.end() :]
        if unknown := sorted(set(re.findall(r"\{([^{}]*)\}", rest)) - set(REPORT_PLACEHOLDERS)):
            raise SettingsError(f"report_url has the unknown placeholder {{{unknown[0]}}}; known: {known}")
        for name in REPORT_PLACEHOLDERS:
            rest = rest.replace(f"{{{name}}}", "x")
        if not _REPORT_REST.fullmatch(rest):
            raise SettingsError(
                f"report_url must be printable ASCII without blanks, quotes and single braces; write others as %XX. "
                f"Placeholders are {known}. Got {url!r}"
            )

    def _one_of(self, name: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if not isinstance(value, str) or value not in allowed:
            raise SettingsError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")

    def _in_range(self, name: str, low: float | None, high: float | None) -> None:
        value = getattr(self, name)
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise SettingsError(f"{name} must be a number, got {value!r}")
        if name in _WHOLE and not isinstance(value, int):
            raise SettingsError(f"{name} must be a whole number, got {value!r}")
        if low is not None and value < low:
            raise SettingsError(f"{name} must be at least {number_text(low)}, got {number_text(value)}")
        if high is not None and value > high:
            raise SettingsError(f"{name} must be at most {number_text(high)}, got {number_text(value)}")
        try:
            float(value)
        except OverflowError:
            raise SettingsError(f"{name} must be a number of up to 308 digits, got {number_text(value)}") from None

    def replace(self, **changes: Any) -> Settings:
        """A copy with some settings changed.

        Raises:
            SettingsError: an unknown setting, or a value out of its range.
        """
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for ``run.json``."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["mapping"] = dict(self.mapping)
        for name in PATHS:
            values[name] = None if values[name] is None else str(values[name])
        return values


def number_text(value: float) -> str:
    """A number for a message, in short form, even if it is too large for a float or a text."""
    if isinstance(value, int) and abs(value) < 10**15:
        return str(value)
    try:
        return f"{value:g}"
    except OverflowError:
        return f"about {'-' if value < 0 else ''}1e+{math.log10(abs(value)):.0f}"


def settings_of(value: object, argument: str = "settings") -> Settings:
    """The settings that a caller gave; the defaults for None.

    Args:
        value: what was given.
        argument: its name.

    Raises:
        UsageError: it is neither.
    """
    if value is None:
        return Settings()
    if not isinstance(value, Settings):
        raise wrong(argument, "Settings or None", value, 'write Settings(encoder="fast")')
    return value


def load_settings(
    file: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from a TOML file, environment variables and flags. Later sources go before earlier ones.

    Args:
        file: TOML with the names of :class:`Settings` at the top level and a ``[mapping]`` table.
        environment: variables that start with ``HARVESTDETECT_``; None reads those of the process.
        flags: settings given explicitly; None values are ignored.

    Raises:
        SettingsError: the file cannot be read or parsed, a name is unknown, a value is out of its range.
        UsageError: an argument is of another type.
    """
    for name, given in (("environment", environment), ("flags", flags)):
        if given is not None and not isinstance(given, Mapping):
            raise wrong(name, "a dict of names to values, or None", given)
    values: dict[str, Any] = {}
    if file is not None:
        file = path_of(file, "file", wanted="the path of a settings file")
        try:
            values.update(tomllib.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            raise SettingsError(f"cannot read the settings file {file}: {error.strerror}") from None
        except (ValueError, RecursionError) as error:  # a whole number of more than 4,300 digits is a ValueError too
            raise SettingsError(f"the settings file {file} is not valid TOML: {error}") from None
    values.pop("alerts", None)  # :mod:`harvestdetect.alerts` reads this table
    values.update(_from_environment(os.environ if environment is None else environment))
    for name, value in (flags or {}).items():
        if value is None:
            continue
        if name == "mapping":
            value = {**_mapping(values), **_mapping({name: value})}
        values[name] = value
    for name in PATHS:
        if isinstance(values.get(name), str):
            try:
                values[name] = Path(values[name]).expanduser()
            except RuntimeError:
                raise SettingsError(f"{name} names a home folder that is not known: {values[name]!r}") from None
    _mapping(values)
    return Settings().replace(**{str(name): value for name, value in values.items()})


def _mapping(values: Mapping[str, Any]) -> Mapping[str, str]:
    mapping = values.get("mapping", {})
    if not isinstance(mapping, Mapping) or not all(isinstance(v, str) for v in mapping.values()):
        raise SettingsError(f"mapping must be a table of names to column names, got {mapping!r}")
    return mapping


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for f in dataclasses.fields(Settings):
        text = environment.get(ENVIRONMENT_PREFIX + f.name.upper())
        if text is None or f.name == "mapping":
            continue
        kind = str(f.type)
        try:
            if kind == "bool":
                values[f.name] = {"1": True, "true": True, "0": False, "false": False}[text.lower()]
            elif "int" in kind:
                values[f.name] = int(text)
            elif "float" in kind:
                values[f.name] = float(text)
            else:
                values[f.name] = text
        except (KeyError, ValueError):
            raise SettingsError(
                f"the environment variable {ENVIRONMENT_PREFIX}{f.name.upper()} must be a {kind}, got {text!r}"
            ) from None
    return values
