"""Finds the secrets that a settings file needs from the environment, and those that it contains."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from harvestdetect.alerts.config import KEYS
from harvestdetect.ops.schedule import SettingsFile

__all__ = ["read_settings_file"]

_SUFFIX: Final = "_env"
"""End of a key whose value is the name of a variable."""
_SECRET: Final = frozenset(
    {key.removesuffix(_SUFFIX) for keys in KEYS.values() for key in keys if key.endswith(_SUFFIX)}
)
"""Keys with a secret value: those that a key with ``_env`` can replace."""
_MOST_BYTES: Final = 500_000
"""Largest settings file that goes into a ConfigMap, in bytes. Kubernetes allows 1 MiB."""
_MOST_COMMENTS: Final = 500
"""Most characters # in a settings file that goes into a ConfigMap, because the file is parsed once for each."""


def read_settings_file(path: str | Path) -> SettingsFile:
    """What a scheduler must know about a settings file, without the values of secrets.

    Args:
        path: full path. A file that is missing or is not TOML gives a result without text and variables.
    """
    unknown = SettingsFile(path=str(path))
    try:
        content = Path(path).read_bytes()
        # TOML reads both line endings alike.
        text = content.decode("utf-8").replace("\r\n", "\n")
        values = tomllib.loads(text)
    except (OSError, ValueError, RecursionError):
        return unknown
    pairs = list(_pairs(values))
    variables = {name for key, value in pairs if key.endswith(_SUFFIX) for name in _texts(value)}
    secret = any(_is_secret(table) for table in _tables(values.get("alerts")))
    return SettingsFile(
        path=str(path),
        text=None if secret or len(content) > _MOST_BYTES else _publishable(text, values),
        secret=secret,
        known=True,
        variables=tuple(sorted(name for name in variables if name.isidentifier() and name.isascii())),
    )


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of all tables with its value, at any depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)


def _texts(value: Any) -> list[str]:
    inner = list(value.values()) if isinstance(value, Mapping) else [value]
    return [one for one in inner if isinstance(one, str)]


def _tables(value: Any) -> list[Mapping[str, Any]]:
    return [table for table in (value if isinstance(value, list) else [value]) if isinstance(table, Mapping)]


def _is_secret(table: Mapping[str, Any]) -> bool:
    # The address of PagerDuty is public. Any other address may contain a token.
    keys = _SECRET - {"url"} if table.get("type") == "pagerduty" else _SECRET
    return bool(keys & table.keys())


def _publishable(text: str, values: Mapping[str, Any]) -> str | None:
    """The text without comments, because these may contain old secrets; None if they cannot be removed.

    Args:
        text: the TOML.
        values: what the text means.
    """
    lines = text.split("\n")
    wanted = repr(values)
    places = [(number, at) for number, line in enumerate(lines) for at, c in enumerate(line) if c == "#"]
    if len(places) > _MOST_COMMENTS:
        return None
    for number, at in places:
        if len(lines[number]) <= at:
            continue  # part of a comment that was removed
        cut = [*lines[:number], lines[number][:at].rstrip(), *lines[number + 1 :]]
        if _parsed("\n".join(cut)) == wanted:
            lines = cut
    kept = [line for line in lines if line.strip()]
    if _parsed("\n".join(kept)) != wanted:
        kept = lines
    if not all(c.isprintable() or c == "\t" for line in kept for c in line):
        return None
    return "\n".join(kept).rstrip("\n") + "\n"


def _parsed(text: str) -> str | None:
    try:
        return repr(tomllib.loads(text))
    except ValueError:
        return None
