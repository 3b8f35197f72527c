"""What a folder lets one search: which prepared files its window has, and where the index is kept.

=================  =====================================================  ==============================
folder             window                                                 campaigns
=================  =====================================================  ==============================
of ``scan --out``  the dumps that the scan read, as prepared by --work    of each prompt
a state            the window of the last run                             of the accounts of each prompt
of ``--work``      all files that are prepared in it                      not known
=================  =====================================================  ==============================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from harvestdetect.corpus.shard_file import opened
from harvestdetect.corpus.shards import SUFFIX, is_of_this_version, state_file_name
from harvestdetect.data import SourceFile
from harvestdetect.errors import InputError, SettingsError, StateError, UsageError
from harvestdetect.export.scan_folder import FINDINGS
from harvestdetect.incremental.reuse import PREPARED
from harvestdetect.report.read import run_of
from harvestdetect.settings import Settings, load_settings
from harvestdetect.state.ingest import kept_files
from harvestdetect.state.preambles import kept_preambles
from harvestdetect.state.prepared import lost_files
from harvestdetect.state.store import DATABASE, READ, Store, open_store
from harvestdetect.store.trust import ABSENT, DamagedFileError

__all__ = ["Place", "Prepared", "place_of", "prepared_in"]

_TAKEN: Final = (
    *("segment_characters", "max_windows", "registry", "use_registry", "find_preambles", "min_accounts"),
    *("model", "cache", "use_cache", "batch_size", "device", "threads"),
)
"""Settings of the scan that the search repeats."""
_NAMED: Final = 3
"""Most files that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A prepared file, and the file of the dump that it was made from."""

    path: Path
    name: str
    """Of the file of the dump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What there is to search, and where its index is kept."""

    kind: Literal["scan", "state", "work"]
    folder: Path
    """The state or the work folder, where the index is kept."""
    findings: Path | None
    """The folder of ``scan --out``; None if another folder was given."""
    in_state: bool
    """Whether ``folder`` is a state."""
    files: tuple[tuple[str, str], ...]
    """Name and SHA-256 of each file of the window; of a work folder, name and size of each prepared file."""
    since: int | None
    """Unix seconds before which prompts have left the window."""
    preambles: tuple[str, ...]
    """Preambles that an earlier run of the state found."""
    settings: Settings
    notes: tuple[str, ...] = ()
    """What a reader should know of the window, a sentence each."""


def place_of(folder: Path, *, work: Path | None = None) -> Place:
    """What a folder lets one search.

    Args:
        folder: of ``scan --out``, a state, or of ``--work``.
        work: the work folder, if it is not where the scan had it.

    Raises:
        UsageError: there is no such folder, or it is none of these.
        InputError: the scan kept nothing to search, or what it kept is gone.
        StateError: the state is damaged, or no run of it has finished.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; give that of scan --out or --work, or a state")
    if (folder / FINDINGS).exists():
        return _of_scan(folder, work)
    if work is not None:
        raise UsageError(f"{folder} is not the folder of scan --out, so --work says nothing; leave --work out")
    if (folder / DATABASE).exists():
        return _of_state(folder)
    if (folder / PREPARED).is_dir():
        return _of_work(folder)
    raise UsageError(
        f"{folder} has nothing to search; give the folder of scan --out or --work, or a state. To make one: "
        "harvestdetect scan DUMP --out OUT --work WORK"
    )


def prepared_in(place: Place) -> list[Prepared]:
    """The prepared file of each file of the window.

    Raises:
        InputError: some are missing.
        UnreadableError: one cannot be read now.
    """
    there = place.folder / (READ if place.in_state else PREPARED)
    if place.in_state:
        found = {sha256: there / state_file_name(name, sha256) for name, sha256 in place.files}
        found = {sha256: path for sha256, path in found.items() if path.exists()}
    else:
        copies = _copies(there)
        if place.kind == "work":
            return [one for _, one in sorted(copies.items(), key=lambda item: (item[1].name, item[0]))]
        found = {sha256: one.path for sha256, one in copies.items()}
    if gone := [name for name, sha256 in place.files if sha256 not in found]:
        named = ", ".join(gone[:_NAMED]) + (f" and {len(gone) - _NAMED:,} more" if len(gone) > _NAMED else "")
        remedy = f"scan them again with --work {place.folder}"
        if place.in_state:
            remedy = f"harvestdetect state verify {place.folder} says more"
        raise InputError(
            f"{len(gone):,} of {len(place.files):,} dumps have no prepared file in {place.folder} ({named}); {remedy}"
        )
    return [Prepared(path=found[sha256], name=name) for name, sha256 in place.files]


def _copies(folder: Path) -> dict[str, Prepared]:
    """SHA-256 of each dump of a work folder -> its prepared file, the last that was written if there are several."""
    found = {}
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        if is_of_this_version(path):
            with suppress(DamagedFileError, *ABSENT):
                source = _source(path)
                found[source.sha256] = Prepared(path=path, name=source.name)
    return found


def _source(path: Path) -> SourceFile:
    """The file of the dump that a prepared file was made from."""
    shard = opened(path)
    shard.close()
    return shard.file


# ---------------------------------------------------------------- kinds of folders


def _of_scan(folder: Path, work: Path | None) -> Place:
    run = run_of(folder / "run.json")
    recorded = run.get("settings") if run is not None else None
    files = run.get("files") if run is not None else None
    if not isinstance(recorded, dict) or not isinstance(files, list):
        raise InputError(f"{folder / 'run.json'} is missing or damaged, so nobody knows what was scanned; scan again")
    if work is None:
        if not isinstance(recorded.get("work"), str):
            raise InputError(
                f"the scan in {folder} kept no texts to search, because it had neither --work nor --state; run it "
                "again with --work DIR"
            )
        work = Path(recorded["work"])
    if not work.is_dir():
        raise InputError(f"the work folder {work} of the scan in {folder} is not there; say with --work where it is")
    if (work / DATABASE).exists():
        of_state = _of_state(work)
        return Place(
            kind="scan", folder=work, findings=folder, in_state=True, files=of_state.files, since=of_state.since,
            preambles=of_state.preambles, settings=of_state.settings, notes=of_state.notes,
        )  # fmt: skip
    named = tuple((str(one.get("name")), str(one.get("sha256"))) for one in files if isinstance(one, dict))
    return Place(
        kind="scan", folder=work, findings=folder, in_state=False, files=named, since=None, preambles=(),
        settings=_settings(recorded, folder),
    )  # fmt: skip


def _of_state(folder: Path) -> Place:
    with open_store(folder, write=False) as store, store.snapshot():
        run = _last_run(store)
        lost = lost_files(store)
        notes = (f"{len(lost):,} files of the window are lost, and are not searched",) if lost else ()
        return Place(
            kind="state", folder=folder, findings=None, in_state=True, files=tuple(kept_files(store)),
            since=run["window_start"], preambles=kept_preambles(store),
            settings=_settings(json.loads(run["settings"] or "{}"), folder), notes=notes,
        )  # fmt: skip


def _last_run(store: Store) -> Any:
    rows = store.rows("SELECT * FROM runs WHERE finished IS NOT NULL ORDER BY run DESC LIMIT 1")
    if not rows:
        raise StateError(f"no run of the state in {store.folder} has finished; harvestdetect scan --state runs one")
    return rows[0]


def _of_work(folder: Path) -> Place:
    there = sorted((folder / PREPARED).glob(f"*{SUFFIX}"))
    usable = [path for path in there if is_of_this_version(path)]
    if not usable:
        why = "are of another version of harvestdetect" if there else "are gone"
        raise InputError(f"the prepared files in {folder} {why}; scan the dumps again with --work {folder}")
    return Place(
        kind="work", folder=folder, findings=None, in_state=False,
        files=tuple((path.name, str(path.stat().st_size)) for path in usable), since=None, preambles=(),
        settings=_settings({}, folder),
        notes=("a work folder knows no campaigns; give the folder of scan --out to see them",),
    )  # fmt: skip


def _settings(recorded: Mapping[str, Any], folder: Path) -> Settings:
    """The settings of the search: those of the scan as far as they say how texts were cut and compared."""
    taken = {name: recorded[name] for name in _TAKEN if name in recorded}
    if taken.get("cache") is None:
        taken.pop("cache", None)
    for name in ("cache", "registry"):
        if isinstance(taken.get(name), str):
            taken[name] = Path(taken[name])
    try:
        return load_settings().replace(
            **taken, calibration=None, pseudonyms=None, profile="", mapping={}, engine="processes", ray_address=None,
            workers=1, memory_gb=None,
        )  # fmt: skip
    except SettingsError as error:
        raise InputError(f"the settings in {folder} are damaged: {error}") from None
