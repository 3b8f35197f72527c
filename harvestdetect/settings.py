"""One frozen :class:`Settings`, where every setting is described and every range is checked.

Precedence: command-line flags, then environment variables (``HARVESTDETECT_ENCODER=fast``), then the
settings file (TOML), then the defaults.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harvestdetect.errors import SettingsError

__all__ = ["ENVIRONMENT_PREFIX", "REPORT_PLACEHOLDERS", "Settings", "load_settings", "number_text"]

ENVIRONMENT_PREFIX = "HARVESTDETECT_"

ENCODERS = ("auto", "fast", "full")
SELECTIONS = ("account", "leaf", "eom")
_WHOLE = frozenset(
    {"max_line_bytes", "segment_characters", "max_windows", "batch_size", "k", "exact_below"}
) | frozenset({"min_samples", "min_cluster_size", "min_accounts", "threads", "workers", "seed"})
FORMATS = ("auto", "jsonl", "csv", "parquet")
PATHS = ("cache", "calibration", "registry", "work")
REPORT_PLACEHOLDERS: Final = ("campaign", "run", "started", "date")
"""What may stand in braces in ``report_url``."""
_REPORT_CHARACTERS: Final = 400
_REPORT_HEAD: Final = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?=[/?#]|$)")
_REPORT_REST: Final = re.compile(r"(?:[/?#][A-Za-z0-9._~:/?#@!$&'()+,;=%-]*)?")
_MOST: Final = 2**31 - 1
"""Of what is counted in 32 bits: rows, accounts, bytes of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a scan reads, compares, clusters, links and judges.

    Raises:
        SettingsError: a value is out of its range; the message names the setting, the range and the value.
    """

    # reading
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Our name -> column (or dotted path) in the dump: ``{"prompt": "body.messages"}``."""
    format: str = "auto"
    max_rejects: float | None = None
    """Bad rows allowed: a count when 1 or more, a share of the rows when below 1; None allows any."""
    max_line_bytes: int = 16_000_000
    """A longer line is a reject."""
    max_expansion: float = 1_000.0
    """Times its stored size that the content of a compressed file, or of a Parquet file, may be; a row counts as at
    least 2,000 bytes. All files of a scan together may go 4 GB beyond that; then reading of the file stops."""

    # corpus
    segment_characters: int = 300
    """A part of a prompt longer than twice this is also compared in pieces of about this length."""
    max_windows: int = 4
    """At most so many windows between head and tail of a long part."""
    registry: Path | None = None
    """TOML file with known scaffolds and viral prompts of your own, beside the shipped ones."""
    use_registry: bool = True
    """Take known scaffolds out of the texts before these are compared, and say of a template that it is known."""

    # encoding
    encoder: str = "auto"
    model: str | None = None
    """A sentence-transformers folder (or hub name, with ``allow_download``); None: the packaged MiniLM."""
    allow_download: bool = False
    cache: Path | None = None
    """Folder of the vector cache and of distilled models; None: the user's cache folder."""
    use_cache: bool = True
    auto_budget_seconds: float = 60.0
    """``auto`` embeds so much by meaning, reckoned at the speed of two cores."""
    batch_size: int = 64
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda`` or ``mps``."""

    # neighbours and clusters
    k: int = 32
    """Nearest neighbours kept per segment."""
    exact_below: int = 30_000
    """Exact search up to so many segments, by cells and neighbours of neighbours above."""
    min_samples: int = 5
    """Core distance: to the min_samples-th nearest neighbour."""
    min_cluster_size: int = 8
    """Fewest texts of a cluster. Each view takes memory and time for so many texts beside its own."""
    distance_floor: float = 0.1
    distance_cap: float = 0.9
    """Chord distance beyond which nothing is in one cluster."""
    selection: str = "account"

    # campaigns
    min_accounts: int = 10
    """A campaign has at least so many accounts."""
    max_account_share: float = 0.25
    """A cluster of which one account sent more than this share is that account's habit, not a campaign."""
    link_log_p: float = -16.0
    """Two clusters are linked when their shared accounts are less likely than this (natural log)."""
    low_share: float = 0.2
    """A member with a smaller harvest share is listed but not recommended for action."""

    # judgement
    fdr: float = 0.01
    """False-discovery rate at which a finding counts as one."""
    calibration: Path | None = None
    """What ``harvestdetect calibrate`` made of a provider's own benign traffic; None: nulls from the dump itself."""

    # telling
    report_url: str | None = None
    """Address of the report in alerts: http or https, behind the host with ``{campaign}``, ``{run}``, ``{started}`` or
    ``{date}`` where they are needed; None: alerts have no link."""

    # running
    seed: int = 0
    threads: int = 0
    """0: all cores."""
    workers: int | None = None
    """Processes that prepare texts while another reads them; 1: one does both, 0: one for each core. None: one for each
    core in the command line, else 1, since a script that starts processes needs ``if __name__ == "__main__"``."""
    memory_gb: float | None = None
    """What a scan may take, 10**9 bytes: one that needs more by the estimate ends before the expensive stages. Vectors
    that would take a twentieth of it go into a file. None: what is available, and for vectors half of the machine's."""
    work: Path | None = None
    """Folder in which a scan keeps files as read, vectors and neighbours for the next one; None: nothing is kept."""

    def __post_init__(self) -> None:
        """Check every range."""
        self._one_of("encoder", ENCODERS)
        self._one_of("selection", SELECTIONS)
        self._one_of("format", FORMATS)
        self._one_of("device", ("auto", "cpu", "cuda", "mps"))
        for name, low, high in (
            ("max_line_bytes", 1_000, _MOST),
            ("max_expansion", 1.0, None),
            ("segment_characters", 40, 100_000),
            ("max_windows", 0, 1_000),
            ("batch_size", 1, 65_536),
            ("k", 2, 1_000),
            ("exact_below", 1, _MOST),
            ("min_samples", 1, 1_000),
            ("min_cluster_size", 2, 1_000_000),
            ("min_accounts", 2, _MOST),
            ("threads", 0, 1_024),
            ("workers", 0, 1_024),
            ("memory_gb", 0.25, None),
            ("seed", 0, 2**32 - 1),
            ("distance_floor", 0.0, 2.0),
            ("distance_cap", 0.0, 2.0),
            ("max_account_share", 0.0, 1.0),
            ("low_share", 0.0, 1.0),
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
            ("model", str | None, "a folder or name"),
            ("cache", Path | None, "a folder"),
            ("work", Path | None, "a folder"),
            ("calibration", Path | None, "a file"),
            ("registry", Path | None, "a file"),
            ("mapping", Mapping, "a table of names to column names"),
        ):
            if not isinstance(getattr(self, name), kind):
                raise SettingsError(f"{name} must be {wanted}, got {getattr(self, name)!r}")
        for name in (*PATHS, "model"):
            if "\0" in str(getattr(self, name)):
                raise SettingsError(f"{name} must be without a NUL character, got {str(getattr(self, name))!r}")
        self._check_report_url()
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
        if value not in allowed:
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
        unknown = sorted(set(changes) - {f.name for f in dataclasses.fields(self)})
        if unknown:
            raise SettingsError(f"unknown setting {unknown[0]!r}; known: {', '.join(_names())}")
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for ``run.json``."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["mapping"] = dict(self.mapping)
        for name in PATHS:
            values[name] = None if values[name] is None else str(values[name])
        return values


def number_text(value: float) -> str:
    """A number for a message: short, and also where it is longer than a float or a text may be."""
    if isinstance(value, int) and abs(value) < 10**15:
        return str(value)
    try:
        return f"{value:g}"
    except OverflowError:
        return f"about {'-' if value < 0 else ''}1e+{math.log10(abs(value)):.0f}"


def _names() -> list[str]:
    return [f.name for f in dataclasses.fields(Settings)]


def load_settings(
    file: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from a TOML file, environment variables and flags, the later winning.

    Args:
        file: TOML with the names of :class:`Settings` at the top level and a ``[mapping]`` table.
        environment: variables that start with ``HARVESTDETECT_``; None reads the process's own.
        flags: settings given explicitly; None values are ignored.

    Raises:
        SettingsError: the file cannot be read or parsed, a name is unknown, a value is out of its range.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values.update(tomllib.loads(Path(file).read_text(encoding="utf-8")))
        except OSError as error:
            raise SettingsError(f"cannot read the settings file {file}: {error.strerror}") from None
        except (ValueError, RecursionError) as error:  # also a whole number of more than 4,300 digits
            raise SettingsError(f"the settings file {file} is not valid TOML: {error}") from None
    values.pop("alerts", None)  # :mod:`harvestdetect.alerts` reads them
    values.update(_from_environment(os.environ if environment is None else environment))
    for name, value in (flags or {}).items():
        if value is None:
            continue
        if name == "mapping":
            value = {**_mapping(values), **value}
        values[name] = value
    for name in PATHS:
        if isinstance(values.get(name), str):
            try:
                values[name] = Path(values[name]).expanduser()
            except RuntimeError:
                raise SettingsError(f"{name} names a home folder that is not known: {values[name]!r}") from None
    _mapping(values)
    return Settings().replace(**values)


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
