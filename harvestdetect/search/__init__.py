"""Search by example: the prompts nearest to a text, what an account sends, and who shares a value.

::

    from harvestdetect.search import open_search

    with open_search("scan") as search:
        found = search.nearest("Think step by step and put your reasoning in tags", top=10)
        for hit in found.hits:
            print(hit.similarity, hit.accounts, hit.campaigns, hit.text)

The index of a window is made by the first search, in the work folder of the scan or in the state, and made again when
the window changes (:mod:`harvestdetect.search.index`). A search changes nothing that a scan finds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harvestdetect.errors import InputError
from harvestdetect.search.values import AccountHits, By, CampaignHits, Found, Hit, Searched, Value

if TYPE_CHECKING:
    from harvestdetect.context import Progress
    from harvestdetect.search.opened import Search
    from harvestdetect.search.place import Place

__all__ = [
    "AccountHits",
    "By",
    "CampaignHits",
    "Found",
    "Hit",
    "Searched",
    "Value",
    "index_of",
    "is_current",
    "is_made",
    "open_search",
]


def open_search(
    folder: str | os.PathLike[str],
    *,
    work: str | os.PathLike[str] | None = None,
    make: bool = True,
    progress: Progress | None = None,
    notes: Callable[[str], None] | None = None,
) -> Search:
    """Opens the search of a window, and makes its index if there is none.

    Args:
        folder: of ``scan --out`` (the scan had ``--work``), a state, or of ``--work``.
        work: the work folder, if it is not where the scan had it.
        make: whether an index that is missing is made.
        progress: opens progress bars while an index is made.
        notes: called with a sentence for each decision that a reader should know.

    Raises:
        UsageError: there is no such folder, or nothing to search in it.
        InputError: what the scan kept is gone, its results are malformed, or there is no index and none may be made.
        LockedError: the index must be made, and another process is using the state.
        StateError: the state is damaged, or no run of it has finished.
        CacheError: the index cannot be written, or a prepared file is damaged.
        EncoderError: the model of wording cannot be made.
    """
    from harvestdetect.search.campaigns import Campaigns, campaigns_of_scan, campaigns_of_state
    from harvestdetect.search.index import open_index, open_vectors
    from harvestdetect.search.opened import Search
    from harvestdetect.search.place import place_of

    tell = notes or (lambda note: None)
    given, elsewhere = Path(folder), None if work is None else Path(work)
    place = place_of(given, work=elsewhere)
    home = _home(place)
    from harvestdetect.store.models import is_whole

    if not is_whole(home):
        if not make:
            raise InputError(f"the window of {place.folder} has no search index")
        with _locked(place):
            place = place_of(given, work=elsewhere)  # another process may have changed the window meanwhile
            home = _home(place)
            if not is_whole(home):
                _make(place, home, progress, tell)
    index = open_index(home)
    if place.findings is not None:
        campaigns = campaigns_of_scan(place.findings, index, state=place.folder if place.in_state else None)
    else:
        campaigns = campaigns_of_state(place.folder, index) if place.kind == "state" else Campaigns()
    return Search(place, home, index, open_vectors(home, "wording"), campaigns, tell)


def is_made(folder: str | os.PathLike[str], *, work: str | os.PathLike[str] | None = None) -> bool:
    """Whether the window of a folder has an index. Only :func:`open_search` checks its bytes.

    Args:
        folder: as for :func:`open_search`.
        work: as for :func:`open_search`.

    Raises:
        InputError, StateError, UsageError: as for :func:`open_search`.
    """
    return index_of(folder, work=work).is_dir()


def index_of(folder: str | os.PathLike[str], *, work: str | os.PathLike[str] | None = None) -> Path:
    """The folder in which the index of a window is, or would be.

    Args:
        folder: as for :func:`open_search`.
        work: as for :func:`open_search`.

    Raises:
        InputError, StateError, UsageError: as for :func:`open_search`.
    """
    from harvestdetect.search.place import place_of

    return _home(place_of(Path(folder), work=None if work is None else Path(work)))


def is_current(search: Search) -> bool:
    """Whether an open search still has the window of its folder, and its index is still there.

    If not, it is to be opened again. An index is removed when an account is erased.

    Raises:
        InputError, StateError, UsageError: as for :func:`open_search`.
    """
    from harvestdetect.search.place import place_of

    place = search.place
    work = place.folder if place.findings is not None and not place.in_state else None
    now = place_of(place.findings or place.folder, work=work)
    return search.is_there() and _home(now).name == _home(place).name


def _home(place: Place) -> Path:
    """Where the index of a window is, or would be."""
    from harvestdetect.data import KINDS
    from harvestdetect.embed.distill import DISTILL_VERSION
    from harvestdetect.search.tags import WORDS
    from harvestdetect.store.keys import key_of
    from harvestdetect.store.models import SEARCH

    settings = place.settings
    names = ("segment_characters", "max_windows", "registry", "use_registry", "find_preambles", "min_accounts")
    depends = {
        "settings": {name: str(getattr(settings, name)) for name in names},
        "since": place.since,
        "preambles": place.preambles,
        "fields": list(WORDS),
        "kinds": KINDS,
        "versions": _packages(),
        "model": _packaged_model(),
        "distilled": DISTILL_VERSION,
    }
    return place.folder / SEARCH / key_of(depends, kind=SEARCH, content=[list(file) for file in place.files])


@cache
def _packages() -> dict[str, str]:
    """The versions of the packages that this process has loaded."""
    from harvestdetect.util.versions import versions

    return versions()


@cache
def _packaged_model() -> str:
    """The digest of the packaged model, which takes long to compute and is looked up with every question."""
    from harvestdetect.embed.model_files import folder_digest, packaged_folder

    return folder_digest(packaged_folder())


def _make(place: Place, home: Path, progress: Progress | None, notes: Callable[[str], None]) -> None:
    """Makes an index, and removes those of other windows."""
    from harvestdetect.search.build import build_index
    from harvestdetect.store.models import remove_indexes

    notes(f"the search index of {place.folder} is made; later searches of the same window use it")
    build_index(place, home, progress=progress, notes=notes)
    remove_indexes(place.folder, but=(home.name,))


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    """The lock of a state, so that no account is erased while its texts are read; a work folder has none."""
    from harvestdetect.state.store import open_store

    if not place.in_state:
        yield
        return
    with open_store(place.folder, write=True):
        yield
