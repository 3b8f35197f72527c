"""Profiles: the known shapes of prompt logs, as data in ``profiles.toml``, and those of the user."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from itertools import product
from pathlib import Path as FilePath
from typing import Any, Final

from harvestdetect.data import FIELDS
from harvestdetect.dump.columns.names import to_path
from harvestdetect.dump.values.paths import Path, look_around, look_up
from harvestdetect.errors import SettingsError

__all__ = ["PROFILE_FIELDS", "Profile", "Profiles", "load_profiles", "profiles_of", "shipped_profiles"]

PROFILE_FIELDS: Final = ("account", "timestamp", "prompt", "system", *FIELDS)
"""Fields whose paths a profile may give."""
_LONGEST_FILE: Final = 1_000_000
"""Bytes of the largest file of profiles."""
_NEAR: Final = 3
"""Most names of profiles that are proposed in place of an unknown one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A known shape. ``profiles.toml`` says what the keys mean."""

    name: str
    title: str
    detect: tuple[tuple[Path, ...], ...]
    """Of each of these, one path must be there."""
    any_of: tuple[Path, ...] = ()
    """If there are any, one of them must be there too."""
    without: tuple[Path, ...] = ()
    """None of these may be there."""
    only: frozenset[str] = frozenset()
    """If there are any, the record has no other names at its top level."""
    where: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    rows: tuple[Path, ...] = ()
    """Paths of the rows, of which the first that leads to something counts; empty: the record is the row."""
    wrapper: bool = False
    single: bool = False
    keep: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    reject: str = ""
    skip: bool = False
    cut: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    fields: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def fits(self, chain: tuple[Any, ...]) -> bool:
        """Whether a row has this shape. ``chain``: the row, followed by what encloses it."""
        row = chain[0]
        if not isinstance(row, dict):
            return False
        if self.only and not self.only.issuperset(row):
            return False
        if not all(any(_there(row, path) for path in paths) for paths in self.detect):
            return False
        if self.any_of and not any(_there(row, path) for path in self.any_of):
            return False
        if any(_there(row, path) for path in self.without):
            return False
        return all(str(look_around(chain, path)).lower() in values for path, values in self.where.items())

    def paths(self) -> Iterator[Path]:
        """All paths whose values count."""
        yield from self.any_of
        yield from (*self.where, *self.keep, *self.rows)
        for paths in self.fields.values():
            yield from paths

    def may_fit(self, names: frozenset[str]) -> bool:
        """Whether a row with these names at its top level can have this shape."""
        return all(any(_begins(path, names) for path in paths) for paths in self.detect)


def _begins(path: Path, names: frozenset[str]) -> bool:
    if path[0] in names:
        return True
    whole = ".".join(path)
    return any(whole.startswith(name + ".") or name == whole or name.startswith(whole + ".") for name in names)


def _there(row: Any, path: Path) -> bool:
    """Whether a row has a path. A missing value (null) is there if its name is."""
    if len(path) == 1 and isinstance(row, dict) and path[0] in row:
        return True
    if look_up(row, path) is not None:
        return True
    above = look_up(row, path[:-1]) if len(path) > 1 else None
    return isinstance(above, dict) and path[-1] in above


class Profiles:
    """Profiles in the order in which they are tried.

    Args:
        profiles: in this order.
        forced: name of the one that every row has; "" if rows are recognised.
    """

    def __init__(self, profiles: Sequence[Profile], forced: str = "") -> None:
        self._all = tuple(profiles)
        self._forced = next((profile for profile in profiles if profile.name == forced), None)
        self._begins = frozenset(path[0].removesuffix("[]") for one in self._all for path in one.paths())
        self._possible: dict[frozenset[str], tuple[Profile, ...]] = {}

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._all)

    def names(self, name: str) -> bool:
        """Whether a profile has a path that begins with a name."""
        return name in self._begins

    def of(self, chain: tuple[Any, ...]) -> Profile | None:
        """The profile of a row; None if it has none. ``chain``: the row, followed by what encloses it."""
        row = chain[0]
        if not isinstance(row, dict):
            return None
        names = frozenset(row)
        possible = self._possible.get(names)
        if possible is None:
            possible = tuple(profile for profile in self._all if profile.may_fit(names))
            if len(self._possible) < _MOST_SEEN:
                self._possible[names] = possible
        found = next((profile for profile in possible if profile.fits(chain)), None)
        if self._forced is not None and not (found is not None and found.wrapper):
            return self._forced
        return found


_MOST_SEEN: Final = 1_000
"""Sets of names whose possible profiles are kept."""


@lru_cache(maxsize=1)
def shipped_profiles() -> tuple[Profile, ...]:
    """The profiles of this package."""
    text = resources.files(__package__).joinpath("profiles.toml").read_text(encoding="utf-8")
    return _parsed(text, "profiles.toml")


def load_profiles(file: FilePath) -> tuple[Profile, ...]:
    """The profiles of a file of the user.

    Raises:
        SettingsError: it cannot be read, or something in it is wrong.
    """
    try:
        if file.stat().st_size > _LONGEST_FILE:
            raise SettingsError(f"{file}: a file of profiles has at most {_LONGEST_FILE:,} bytes")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read the profiles in {file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: profiles are TOML in UTF-8, this file is something else") from None
    found = _parsed(text, str(file))
    if not found:
        raise SettingsError(f"{file}: there is no profile in it; a profile is a table such as [my-gateway]")
    return found


def profiles_of(chosen: str) -> Profiles:
    """The profiles of a scan.

    Args:
        chosen: name of the only profile, or a TOML file with further ones, which go before those of the package; ""
            recognises the profiles of the package.

    Raises:
        SettingsError: there is no such profile or file, or something in the file is wrong.
    """
    shipped = shipped_profiles()
    if not chosen:
        return Profiles(shipped)
    if any(profile.name == chosen for profile in shipped):
        return Profiles(shipped, chosen)
    if chosen.lower().endswith(".toml") or "/" in chosen:
        own = load_profiles(FilePath(chosen))
        return Profiles((*own, *shipped))
    names = [profile.name for profile in shipped if not (profile.skip or profile.reject or profile.wrapper)]
    near = [name for name in names if chosen in name][:_NEAR] or get_close_matches(chosen, names, _NEAR)
    what = f"did you mean {' or '.join(near)}? --help has all names" if near else f"name one of {', '.join(names)}"
    raise SettingsError(f"there is no profile {chosen!r}; {what}; a file with your own shapes ends in .toml")


def _parsed(text: str, name: str) -> tuple[Profile, ...]:
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{name} is no TOML: {error}") from None
    return tuple(_profile(key, table, f"{name}, profile {key!r}") for key, table in tables.items())


_KEYS: Final = frozenset(
    {
        *(
            "title",
            "detect",
            "any",
            "any_under",
            "without",
            "only",
            "where",
            "rows",
            "wrapper",
            "single",
            "keep",
            "reject",
        ),
        *("skip", "cut", "note", *PROFILE_FIELDS),
    }
)
"""Keys of a profile."""


def _profile(key: str, table: Any, where: str) -> Profile:
    if not isinstance(table, dict):
        raise SettingsError(f"{where} must be a table, got {table!r}")
    for name in table:
        if name not in _KEYS:
            raise SettingsError(f"{where}: the key {name!r} is unknown; known: {', '.join(sorted(_KEYS))}")
    detect = _texts(table, "detect", where)
    if not detect:
        raise SettingsError(f"{where}: detect must name the paths by which the shape is recognised")
    under = [to_path(path) for path in _texts(table, "any_under", where)] or [()]
    any_of = tuple((*above, *to_path(path)) for path, above in product(_texts(table, "any", where), under))
    rows = _text(table, "rows", where)
    wrapper, skip = _flag(table, "wrapper", where), _flag(table, "skip", where)
    if wrapper and not rows:
        raise SettingsError(f"{where}: a wrapper needs rows, the path of what is in it")
    cut = table.get("cut", {})
    if (
        not isinstance(cut, dict)
        or not all(isinstance(v, str) and v for v in cut.values())
        or not cut.keys() <= set(PROFILE_FIELDS)
    ):
        raise SettingsError(f"{where}: cut must be a table of fields to texts, got {cut!r}")
    return Profile(
        name=key,
        title=_text(table, "title", where) or key,
        detect=tuple(_alternatives(item) for item in detect),
        any_of=any_of,
        without=tuple(map(to_path, _texts(table, "without", where))),
        only=frozenset(_texts(table, "only", where)),
        where=_values(table, "where", where),
        rows=_alternatives(rows) if rows else (),
        wrapper=wrapper,
        single=_flag(table, "single", where),
        keep=_values(table, "keep", where),
        reject=_text(table, "reject", where),
        skip=skip,
        cut=cut,
        note=_text(table, "note", where),
        fields={name: tuple(map(to_path, _texts(table, name, where))) for name in PROFILE_FIELDS if name in table},
    )


def _alternatives(text: str) -> tuple[Path, ...]:
    return tuple(to_path(path.strip()) for path in text.split("|"))


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise SettingsError(f"{where}: {key} must be a text, got {value!r}")
    return value


def _flag(table: Mapping[str, Any], key: str, where: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise SettingsError(f"{where}: {key} must be true or false, got {value!r}")
    return value


def _texts(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = table.get(key, [])
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise SettingsError(f'{where}: {key} must be a list of paths such as ["body.user"], got {value!r}')
    return value


def _values(table: Mapping[str, Any], key: str, where: str) -> dict[Path, frozenset[str]]:
    value = table.get(key, {})
    found: dict[Path, frozenset[str]] = {}
    for path, values in value.items() if isinstance(value, dict) else [("", None)]:
        values = [values] if isinstance(values, str) else values
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise SettingsError(f"{where}: {key} must be a table of paths to lists of texts, got {value!r}")
        found[to_path(path)] = frozenset(item.lower() for item in values)
    return found
