"""The files of an index: all or nothing, and trusted only when they are whole."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from harvestdetect.errors import CacheError, InputError, UsageError
from harvestdetect.search import is_current, is_made, open_search
from harvestdetect.search.index import Strings, open_vectors, write_vectors
from harvestdetect.search.tags import digits_of, is_tag, matching, tag_digests
from harvestdetect.state.work_folder import erase_work
from harvestdetect.store.models import SEARCH, remove_indexes
from tests.search import worlds
from tests.search.conftest import Place

KILLED = """
import os, signal, sys
from harvestdetect.search import build, open_search
real = build.{name}
def killed(*given):
    real(*given)
    os.kill(os.getpid(), signal.SIGKILL)
build.{name} = killed
open_search(sys.argv[1], work=sys.argv[2])
"""


@pytest.fixture
def work(place: Place, tmp_path: Path) -> Path:
    """A copy of the work folder without an index."""
    copy = tmp_path / "work"
    shutil.copytree(place.work, copy)
    remove_indexes(copy)
    return copy


@pytest.mark.parametrize("name", ["_write_texts", "write_vectors"])
def test_a_search_that_is_killed_leaves_no_index(
    place: Place, work: Path, name: str, environment: Mapping[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(name=name), place.out, work], env=environment, capture_output=True,
        timeout=300, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = list((work / SEARCH).glob("*"))
    assert [path.suffix for path in left] == [".tmp"]
    with open_search(place.out, work=work) as search:
        assert search.nearest(worlds.TWICE).hits[0].exact
    assert [path.suffix for path in (work / SEARCH).glob("*")] == [""]


def test_an_index_that_may_not_be_made_is_missing(place: Place, work: Path) -> None:
    assert not is_made(place.out, work=work)
    with pytest.raises(InputError, match="has no search index"):
        open_search(place.out, work=work, make=False)
    assert not (work / SEARCH).exists() or not list((work / SEARCH).iterdir())
    with open_search(place.out, work=work) as search:
        assert is_made(place.out, work=work)
        assert is_current(search)
        remove_indexes(work)
        assert not is_current(search)
        open_search(place.out, work=work).close()
        assert not is_current(search), "another index is at its place"


@pytest.mark.parametrize("name", ["text_data.npy", "wording.faiss", "about.json"])
def test_a_damaged_index_is_made_again(place: Place, work: Path, name: str) -> None:
    with open_search(place.out, work=work) as search:
        before = search.nearest(worlds.TWICE)
    (folder,) = (work / SEARCH).glob("*")
    raw = bytearray((folder / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / name).write_bytes(raw)
    told: list[str] = []
    with open_search(place.out, work=work, notes=told.append) as search:
        assert search.nearest(worlds.TWICE) == before
    assert len(told) == 1


def test_a_full_disk_is_said_and_leaves_nothing(place: Place, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harvestdetect.search.build.write_vectors", full)
    with pytest.raises(CacheError, match="No space left"):
        open_search(place.out, work=work)
    assert list((work / SEARCH).glob("*")) == []


def test_an_erasure_from_a_work_folder_removes_its_index(place: Place, work: Path) -> None:
    open_search(place.out, work=work).close()
    assert list((work / SEARCH).glob("*"))
    erase_work(work, "one-3")
    assert not (work / SEARCH).exists()


def test_prepared_files_that_are_gone_or_older_are_named(place: Place, work: Path) -> None:
    (shard,) = (work / "read").glob("*.shard")
    older = shard.with_name("0" * 12 + shard.name[12:])
    shard.rename(older)
    with pytest.raises(InputError, match=r"1 of 1 dumps have no prepared file in .* scan them again with --work"):
        open_search(place.out, work=work)
    with pytest.raises(InputError, match="are of another version of harvestdetect"):
        open_search(work)
    older.unlink()
    with pytest.raises(InputError, match="are gone"):
        open_search(work)


def test_folders_without_anything_to_search(place: Place, tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        open_search(tmp_path / "nothing")
    with pytest.raises(UsageError, match="has nothing to search"):
        open_search(tmp_path)
    with pytest.raises(InputError, match=r"the work folder .* is not there; say with --work"):
        open_search(place.out, work=tmp_path / "nothing")
    with pytest.raises(UsageError, match="--work says nothing"):
        open_search(place.work, work=place.work)
    bare = tmp_path / "bare"
    shutil.copytree(place.out, bare)
    text = (bare / "run.json").read_text().replace(f'"work": "{place.work}"', '"work": null')
    (bare / "run.json").write_text(text)
    with pytest.raises(InputError, match="had neither --work nor --state; run it again with --work"):
        open_search(bare)
    (bare / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json is missing or damaged"):
        open_search(bare)


def test_all_vectors_are_compared(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5_000, 32)).astype(np.float32)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    write_vectors(tmp_path, "wording", vectors)
    opened = open_vectors(tmp_path, "wording")
    questions = vectors[[17, 400]].astype(np.float32)
    row, cosine = opened.nearest(questions, 50)
    exact = (vectors.astype(np.float32) @ questions.T).max(axis=1)
    assert set(row[:2].tolist()) == {17, 400}
    assert np.allclose(cosine, exact[row], atol=1e-3)
    assert (np.diff(cosine) <= 0).all()
    assert exact[row[:50]].min() >= np.sort(exact)[-50] - 1e-3


def test_texts_are_found_in_their_order() -> None:
    texts = sorted(["", "a", "aa", "b", "zz", "ä", "\U0001f600"], key=lambda text: text.encode())
    raw = [text.encode() for text in texts]
    made = Strings(np.cumsum([0, *map(len, raw)], dtype=np.int64), np.frombuffer(b"".join(raw), np.uint8))
    assert list(made) == texts
    assert [made.place(text) for text in texts] == list(range(len(texts)))
    assert made.place("c") is None
    assert made.place("\U0001f601") is None


def test_a_tag_is_as_short_as_it_can_be_and_stays_a_beginning() -> None:
    values = [f"198.51.{i // 250}.{i % 250}" for i in range(20_000)]
    digests = tag_digests("ip", values)
    digits = [digits_of(digests, place) for place in range(0, len(values), 97)]
    assert all(matching(digests, one).tolist() == [97 * place] for place, one in enumerate(digits))
    assert min(map(len, digits)) >= 4
    assert max(map(len, digits)) <= 9
    few = digits_of(digests[:10], 3)
    assert len(few) == 4
    assert digits_of(digests, 3).startswith(few)
    assert is_tag("card#a3f1") == ("payment", "a3f1")
    assert is_tag("Address #A3F1B") == ("ip", "a3f1b")
    assert is_tag("card#a3") is None
    assert is_tag("4242") is None
