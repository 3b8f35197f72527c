"""One scan that the tests of the search share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harvestdetect.search import open_search
from harvestdetect.search.opened import Search
from tests.search import worlds


@pytest.fixture(autouse=True)
def _loaded_once(loaded_once: None) -> None:
    """No test loads the wording model anew."""


@pytest.fixture(autouse=True)
def _the_cache_of_the_tests(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTDETECT_CACHE", str(cache))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folders of a scan."""

    dump: Path
    out: Path
    work: Path


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Place:
    """A scan that no test changes."""
    folder = tmp_path_factory.mktemp("searched")
    made = Place(dump=folder / "dump", out=folder / "out", work=folder / "work")
    worlds.write(made.dump / "a.jsonl", worlds.rows())
    worlds.scan(made.dump, made.out, made.work, cache)
    return made


@pytest.fixture
def opened(place: Place) -> Iterator[Search]:
    with open_search(place.out) as search:
        yield search
