"""What a scan leaves for the next one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.data import Neighbors
from harvestdetect.errors import CacheError
from harvestdetect.neighbors.partition import Partition
from harvestdetect.store.digests import places
from harvestdetect.store.folder import ArtifactFolder
from harvestdetect.store.keys import key_of
from harvestdetect.store.tables import Kept, keep_neighbors, kept_neighbors


def digests(*values: bytes) -> npt.NDArray[np.void]:
    return np.frombuffer(b"".join(sorted(v.ljust(16, b"\0") for v in values)), dtype="V16")


def kept(*values: bytes, k: int = 2) -> Kept:
    rng = np.random.default_rng(len(values))
    index = rng.integers(-1, len(values), (len(values), k)).astype(np.int32)
    return Kept(
        digest=digests(*values),
        neighbors=Neighbors(index=index, distance=rng.random((len(values), k)).astype(np.float32)),
    )


def artifacts(work: Path) -> int:
    """How many neighbours are kept; each is two files, for the arrays of two lengths, or three with cells."""
    return len(ArtifactFolder(work, write=False).artifacts("neighbors"))


def test_neighbors_come_back_as_they_were(tmp_path: Path) -> None:
    one = kept(b"a", b"b", b"c")
    assert kept_neighbors(tmp_path, "k") is None
    keep_neighbors(tmp_path, "k", one)
    found = kept_neighbors(tmp_path, "k")
    assert found is not None
    assert found.digest.tobytes() == one.digest.tobytes()
    np.testing.assert_array_equal(found.neighbors.index, one.neighbors.index)
    np.testing.assert_array_equal(found.neighbors.distance, one.neighbors.distance)
    assert found.partition is None
    assert kept_neighbors(tmp_path, "other") is None
    cells = Partition(home=np.array([0, 1, 0], np.int32), centre=np.array([[1, -2], [3, 4]], np.int8))
    keep_neighbors(tmp_path, "cells", replace(one, partition=cells))
    found = kept_neighbors(tmp_path, "cells")
    assert found is not None
    assert found.partition is not None
    np.testing.assert_array_equal(found.partition.home, cells.home)
    np.testing.assert_array_equal(found.partition.centre, cells.centre)


def test_the_last_of_a_key_stays_alone(tmp_path: Path) -> None:
    keep_neighbors(tmp_path, "k", kept(b"a"))
    keep_neighbors(tmp_path, "other", kept(b"z"))
    keep_neighbors(tmp_path, "k", kept(b"a", b"b"))
    keep_neighbors(tmp_path, "k", kept(b"a", b"b"))
    assert artifacts(tmp_path) == 2
    assert len({path.name.partition(".")[0] for path in (tmp_path / "neighbors").iterdir()}) == 2
    found = kept_neighbors(tmp_path, "k")
    assert found is not None
    assert len(found.digest) == 2


@pytest.mark.parametrize("name", ["digest", "index", "distance", "home", "centre", "footer"])
@pytest.mark.parametrize("cut", [True, False])
def test_what_is_broken_is_not_used(tmp_path: Path, name: str, cut: bool) -> None:
    keep_neighbors(tmp_path, "k", kept(b"a", b"b", b"c"))
    file = next(f for f in (tmp_path / "neighbors").iterdir() if name.encode() in f.read_bytes() or name == "footer")
    content = bytearray(file.read_bytes())
    schema = pq.read_schema(file)
    at = -12 if name == "footer" or name not in schema.names else 40
    content[at] ^= 1
    file.write_bytes(content[:-3] if cut else content)
    notes: list[str] = []
    assert kept_neighbors(tmp_path, "k", notes=notes.append) is None
    assert len(notes) == 1
    keep_neighbors(tmp_path, "k", kept(b"a", b"b", b"c"))
    assert kept_neighbors(tmp_path, "k") is not None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "neighbors").write_text("a file")
    with pytest.raises(CacheError, match="cannot write"):
        keep_neighbors(tmp_path, "k", kept(b"a"))


def test_a_key_is_of_all_values_in_any_order() -> None:
    assert key_of({"a": 1, "b": "x"}) == key_of({"b": "x", "a": 1})
    assert len({key_of(v) for v in ({"a": 1}, {"a": 2}, {"b": 1}, {"a": "1"})}) == 4


@given(st.sets(st.binary(min_size=16, max_size=16)), st.sets(st.binary(min_size=16, max_size=16)))
def test_places(known: set[bytes], now: set[bytes]) -> None:
    now |= set(sorted(known)[::2])
    where = places(digests(*known), digests(*now))
    ordered = sorted(now)
    assert [ordered[i] if i >= 0 else None for i in where] == [k if k in now else None for k in sorted(known)]
    assert where.dtype == np.int32
