"""Artifacts of a folder: what comes back, what is trusted, and what is cleaned up."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harvestdetect.errors import CacheError
from harvestdetect.store.folder import (
    KINDS,
    MANIFEST,
    Artifact,
    ArtifactFolder,
    cache_folder,
    left_artifacts,
    remove_artifacts,
)
from harvestdetect.store.keys import FORMAT
from harvestdetect.store.trust import DamagedFileError

DTYPES = ("V16", "<i4", "<i8", "<u8", "|u1", "|i1", "|b1", "<f2", "<f4", "<f8", "<i2")


def example(count: int = 5) -> dict[str, np.ndarray[Any, Any]]:
    return {"digest": np.arange(count * 2, dtype=np.uint64).view("V16"), "start": np.arange(count + 1)}


def only(folder: Path, kind: str = "neighbors") -> Artifact:
    (found,) = ArtifactFolder(folder, write=False).artifacts(kind)
    return found


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_arrays_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = ArtifactFolder(tmp_path_factory.mktemp("store"))
    shapes = arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=6)
    written = {}
    for number in range(data.draw(st.integers(1, 6))):
        kind, shape = np.dtype(data.draw(st.sampled_from(DTYPES))), data.draw(shapes)
        raw = data.draw(st.binary(min_size=kind.itemsize * int(np.prod(shape)), max_size=kind.itemsize * 36))
        values = np.frombuffer(raw[: kind.itemsize * int(np.prod(shape))], np.uint8)
        written[f"a{number}"] = (values & 1 if kind.kind == "b" else values).view(kind).reshape(shape)
    folder.put("neighbors", "k", written, content="c")
    (artifact,) = folder.artifacts("neighbors", "k")
    found = folder.load(artifact)
    assert {n: (a.dtype, a.shape, a.tobytes()) for n, a in found.items()} == {
        n: (a.dtype, a.shape, a.tobytes()) for n, a in written.items()
    }
    assert folder.condition(artifact) == "whole"


def test_many_rows_are_read_in_groups(tmp_path: Path) -> None:
    count = 600_000
    written = {"index": np.arange(count * 3, dtype=np.int32).reshape(count, 3), "home": np.arange(count)}
    ArtifactFolder(tmp_path).put("neighbors", "k", written, content="c")
    found = ArtifactFolder(tmp_path, write=False).load(only(tmp_path))
    for name, array in written.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("seed", range(30))
def test_any_byte_that_is_wrong_is_noticed_or_does_not_matter(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    written = example(400)
    ArtifactFolder(tmp_path).put("neighbors", "k", written, content="c")
    path = sorted((tmp_path / "neighbors").iterdir())[seed % 2]
    content = bytearray(path.read_bytes())
    place = int(rng.integers(len(content)))
    content[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
    folder = ArtifactFolder(tmp_path)
    try:
        found = folder.load(only(tmp_path))
    except DamagedFileError:
        assert folder.condition(only(tmp_path)) == "damaged"
    else:
        assert {n: a.tobytes() for n, a in found.items()} == {n: a.tobytes() for n, a in written.items()}


def test_conditions(tmp_path: Path) -> None:
    folder = ArtifactFolder(tmp_path)
    folder.put("neighbors", "k", example(), content="c")
    artifact = only(tmp_path)
    assert folder.condition(artifact) == "whole"
    with pytest.raises(DamagedFileError, match="it has no other"):
        folder.load(artifact, ["digest", "other"])
    path = sorted((tmp_path / "neighbors").iterdir())[0]
    content = path.read_bytes()
    path.write_bytes(content + b"x")
    assert folder.condition(artifact) == "damaged"
    path.unlink()
    assert folder.condition(artifact) == "missing"
    folder.drop([artifact])
    assert not folder.names(artifact)
    assert left_artifacts(tmp_path) == [MANIFEST]


def test_an_artifact_takes_the_place_of_others_in_one_step(tmp_path: Path) -> None:
    folder = ArtifactFolder(tmp_path)
    folder.put("clusters/wording", "k", example(), content="c")
    folder.put("clusters/meaning", "k", example(), content="c")
    old = folder.artifacts("clusters/wording")
    folder.put("clusters/wording", "other", example(7), content="d", replaced=old)
    assert [(a.kind, a.key) for a in sorted(folder.artifacts("clusters"), key=lambda a: a.kind)] == [
        ("clusters/meaning", "k"),
        ("clusters/wording", "other"),
    ]
    assert len(list((tmp_path / "clusters" / "wording").iterdir())) == 2


def test_a_manifest_is_made_again_from_the_files(tmp_path: Path) -> None:
    folder = ArtifactFolder(tmp_path)
    for number, kind in enumerate(("vectors", "neighbors", "clusters/wording")):
        folder.put(kind, f"k{number}", example(number + 3), content="c")
    half = only(tmp_path, "neighbors")
    sorted((tmp_path / "neighbors").iterdir())[0].unlink()
    before = [one for kind in ("vectors", "clusters") for one in folder.artifacts(kind)]
    (tmp_path / MANIFEST).unlink()
    assert ArtifactFolder(tmp_path, write=False).artifacts("vectors") == []
    again = ArtifactFolder(tmp_path)
    assert [one for kind in ("vectors", "clusters") for one in again.artifacts(kind)] == before
    assert not again.names(half)
    assert not (tmp_path / "neighbors").exists() or not list((tmp_path / "neighbors").iterdir())


def test_what_another_version_left_is_removed_with_one_note(tmp_path: Path) -> None:
    ArtifactFolder(tmp_path).put("neighbors", "k", example(), content="c")
    with closing(sqlite3.connect(tmp_path / MANIFEST)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    own = tmp_path / "clusters" / "of the user"
    own.parent.mkdir()
    own.write_text("x")
    notes: list[str] = []
    folder = ArtifactFolder(tmp_path, notes=notes.append)
    assert [one.kind for kind in KINDS for one in folder.artifacts(kind)] == ["neighbors"], (
        "its files are of this format"
    )
    assert len(notes) == 1
    assert own.read_text() == "x"


@pytest.mark.parametrize("column", ["parts", "name", "kind"])
def test_a_row_that_is_not_as_it_was_written_names_nothing(tmp_path: Path, column: str) -> None:
    ArtifactFolder(tmp_path).put("neighbors", "k", example(), content="c")
    with closing(sqlite3.connect(tmp_path / MANIFEST)) as connection, connection:
        connection.execute(f"UPDATE artifacts SET {column} = '[[1'")
    folder = ArtifactFolder(tmp_path)
    assert [a for a in folder.artifacts("neighbors") if folder.condition(a) == "whole"] == []
    folder.put("neighbors", "k", example(), content="c", replaced=folder.artifacts("neighbors"))
    assert [folder.condition(a) for a in folder.artifacts("neighbors")] == ["whole"]


def test_who_only_reads_changes_nothing(tmp_path: Path) -> None:
    assert ArtifactFolder(tmp_path / "none", write=False).artifacts("vectors") == []
    assert not (tmp_path / "none").exists()
    ArtifactFolder(tmp_path).put("neighbors", "k", example(), content="c")
    (tmp_path / "neighbors" / f"{'0' * 32}.0.parquet").write_bytes(b"left by a process that was killed")
    before = everything(tmp_path)
    reader = ArtifactFolder(tmp_path, write=False)
    assert reader.condition(only(tmp_path)) == "whole"
    assert everything(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CacheError, match="permission denied"):
        ArtifactFolder(tmp_path / "store")


def test_removing_everything(tmp_path: Path) -> None:
    ArtifactFolder(tmp_path).put("vectors", "k", example(), content="c")
    (tmp_path / "other").write_text("x")
    assert set(left_artifacts(tmp_path)) == {"vectors", MANIFEST}
    remove_artifacts(tmp_path)
    assert left_artifacts(tmp_path) == []
    assert everything(tmp_path) == {"other": b"x"}


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "harvestdetect"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "harvestdetect"
    assert cache_folder(tmp_path / "other") == tmp_path / "other"
