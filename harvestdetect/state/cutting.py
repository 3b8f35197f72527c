"""How the prompts in the prepared files of a state were read and cut into segments: the same for all files."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import Final

from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.registry import load_registry
from harvestdetect.corpus.shard_file import opened
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.dump.values.pseudonyms import fingerprint_of
from harvestdetect.errors import SettingsError
from harvestdetect.settings import Settings
from harvestdetect.state.rows import value_error
from harvestdetect.state.store import READ, Store, damaged, prepared_count

__all__ = ["CUTTING", "PSEUDONYMS", "check_pseudonyms", "cutting_of", "shards_of"]

CUTTING: Final = ("segment_characters", "max_windows")
"""Settings that must be the same for all files of a state."""
PSEUDONYMS: Final = "pseudonyms"
"""Name of the fingerprint of the key in the table ``meta``."""


def shards_of(store: Store, settings: Settings) -> ShardFolder:
    """The folder of the prepared files of a state. A new state records the settings :data:`CUTTING`.

    Raises:
        DamagedStateError: the database and the prepared files disagree about these settings.
        SettingsError: the files were cut with other settings.
    """
    wanted = {name: getattr(settings, name) for name in CUTTING}
    recorded = cutting_of(store)
    if recorded is None and store.writable:
        with store.transaction() as connection:
            connection.execute("INSERT INTO meta VALUES ('cutting', ?)", (json.dumps(wanted),))
    elif recorded is not None and recorded != wanted:
        in_file = _cutting_in_file(store)
        if in_file and in_file != tuple(recorded.values()):
            raise damaged(store.folder, "meta.cutting is not what the prepared files were cut with")
        made = ", ".join(f"{name} = {value}" for name, value in recorded.items())
        raise SettingsError(
            f"the state in {store.folder} was made with {made}; use the same settings, or start a new state"
        )
    registry = load_registry(settings.registry) if settings.use_registry else None
    cutting = Cutting(registry=registry, **wanted)
    return ShardFolder(store.folder / READ, settings=settings, cutting=cutting, in_state=True, change=store.writable)


def check_pseudonyms(store: Store, settings: Settings) -> None:
    """Checks that all accounts of a state are pseudonyms of one key, or none is.

    A state without files records the fingerprint of the key. Call it before :func:`shards_of`.

    Raises:
        SettingsError: the state has other pseudonyms, or none.
        InputError: the file of the key cannot be read, or is no key.
    """
    wanted, recorded = fingerprint_of(settings.pseudonyms), store.meta(PSEUDONYMS)
    if recorded is None and store.meta("cutting") is None and wanted is not None and store.writable:
        with store.transaction() as connection:
            connection.execute("INSERT INTO meta VALUES (?, ?)", (PSEUDONYMS, wanted))
    elif recorded != wanted:
        made = "without pseudonyms" if recorded is None else "with pseudonyms"
        if recorded is not None and wanted is not None:
            made += " of another key"
        raise SettingsError(f"the state in {store.folder} was made {made}; use it as it was made, or start a new state")


def cutting_of(store: Store) -> dict[str, int] | None:
    """The settings :data:`CUTTING` with which the files of a state were prepared; None if the state has no files yet.

    Raises:
        DamagedStateError: the database does not have what was written.
    """
    raw = store.meta("cutting")
    if raw is None:
        if prepared_count(store.folder):
            raise damaged(store.folder, "the database does not say how the prepared files were cut")
        return None
    if value_error(raw, dict[str, int]) is None:
        values = json.loads(raw)
        if values.keys() == set(CUTTING):
            found = {name: int(values[name]) for name in CUTTING}
            with suppress(SettingsError):
                Settings(use_registry=False, **found)  # type: ignore[arg-type]
                return found
    raise damaged(store.folder, "meta.cutting is not what was written")


def _cutting_in_file(store: Store) -> tuple[int, int] | None:
    """The settings that a prepared file records; None if no file can be read."""
    for path in sorted((store.folder / READ).glob("*.shard")):
        with suppress(OSError, ValueError, KeyError, TypeError), closing(opened(path)) as shard:
            return shard.cut
    return None
