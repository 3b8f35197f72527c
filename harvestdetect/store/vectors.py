"""Vectors by model and text: artifacts with the columns ``digest`` and ``vector``, a few thousand texts each.

Where two artifacts have the same text, either vector is right: a vector is a function of the text and the model alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from harvestdetect.errors import UnreadableError
from harvestdetect.store.digests import DIGEST_BYTES, locate
from harvestdetect.store.folder import Artifact, ArtifactFolder, Notes
from harvestdetect.store.keys import key_of
from harvestdetect.store.trust import ABSENT, DamagedFileError
from harvestdetect.util.arrays import Bools, Digests, Floats16, Ints, Ints32
from harvestdetect.util.disk import SpareFolder
from harvestdetect.util.vectors import Rows

__all__ = ["VECTORS", "VectorCache", "thin_vectors"]

VECTORS: Final = "vectors"
_UNUSABLE: Final = (*ABSENT, DamagedFileError, UnreadableError, IndexError)


class VectorCache:
    """The vectors of one model in a folder, by the digests of their texts.

    An artifact that is missing or damaged is dropped with a note, and one that cannot be read now stays; in both cases
    its texts are not found.

    Args:
        folder: the cache folder, the work folder or the state.
        model_digest: hex digest of everything that a vector depends on besides the text.
        notes: called with a note about each vector file that was dropped.
        spare: the same folder, for callers that stop using it after an error; None if they do not track this.

    Raises:
        CacheError: the folder or its manifest cannot be used.
    """

    def __init__(
        self, folder: Path, model_digest: str, *, notes: Notes | None = None, spare: SpareFolder | None = None
    ) -> None:
        self.spare = spare
        self.key = key_of({}, kind=VECTORS, content=(model_digest,))
        self._notes: Notes = notes or (lambda note: None)
        self._store = ArtifactFolder(folder, notes=notes)
        self._artifacts: list[Artifact] = []
        """The artifacts in the index below."""
        self._digests: dict[str, Digests] = {}
        """Name of an artifact -> its digests."""
        self._keys: Digests = np.empty(0, dtype=f"V{DIGEST_BYTES}")
        """All digests, ascending."""
        self._owner: Ints32 = np.empty(0, dtype=np.int32)
        """The artifact of each digest, as a position in ``_artifacts``."""
        self._row: Ints32 = np.empty(0, dtype=np.int32)
        """The row of each digest in its artifact."""

    def contains(self, digests: Digests) -> Bools:
        """Which texts have a vector, without reading any vector.

        Args:
            digests: V16[n], in any order.

        Returns:
            bool[n].

        Raises:
            CacheError: the manifest cannot be read.
        """
        self._refresh()
        return locate(self._keys, digests)[0]

    def get(self, digests: Digests) -> tuple[Bools, Floats16]:
        """The vectors that are there.

        Args:
            digests: V16[n], in any order.

        Returns:
            ``found``, bool[n], and the vectors of the found ones in their order, float16[n_found, d]
            (float16[0, 0] where there are none).

        Raises:
            CacheError: the manifest cannot be read.
        """
        self._refresh()
        found, position = locate(self._keys, digests)
        pieces = list(self._pieces(found, position))
        if not pieces:
            return found, np.empty((0, 0), dtype=np.float16)
        width = pieces[0][1].shape[1]
        place = np.cumsum(found) - 1
        out = np.empty((int(found.sum()), width), dtype=np.float16)
        for wanted, vectors in pieces:
            out[place[wanted]] = vectors
        return found, out

    def fill(self, digests: Digests, out: Rows) -> Bools:
        """Puts the vectors that are there into their rows of an array, artifact by artifact.

        Args:
            digests: V16[n], in any order.
            out: float16[n, d], in memory or in a file; vectors of another length are not found.

        Returns:
            bool[n], which rows were filled.

        Raises:
            CacheError: the manifest cannot be read.
        """
        self._refresh()
        found, position = locate(self._keys, digests)
        for wanted, vectors in self._pieces(found, position):
            if vectors.shape[1] == out.shape[1]:
                out[wanted] = vectors
            else:
                found[wanted] = False
        return found

    def _pieces(self, found: Bools, position: Ints) -> Iterator[tuple[Ints, Floats16]]:
        """The rows found in each artifact, and their vectors; rows of ``found`` that cannot be read become false."""
        owner = np.where(found, self._owner[position], -1) if len(self._keys) else np.full(len(found), -1)
        order = np.argsort(owner, kind="stable")
        bounds = np.searchsorted(owner[order], np.arange(len(self._artifacts) + 1))
        for number, artifact in enumerate(self._artifacts):
            wanted = order[bounds[number] : bounds[number + 1]]
            if not len(wanted):
                continue
            try:
                vectors = _vectors_of(self._store, artifact)[self._row[position[wanted]]]
            except _UNUSABLE as error:
                self._pass_over(artifact, error)
                found[wanted] = False
                continue
            yield wanted, vectors

    def put(self, digests: Digests, vectors: Floats16) -> None:
        """Keeps vectors as one artifact.

        Args:
            digests: V16[n].
            vectors: float16[n, d], finite.

        Raises:
            CacheError: the disk is full, permission is denied, or the manifest is locked for too long; then
                nothing of this call is kept.
        """
        if not len(digests):
            return
        if vectors.dtype != np.float16 or vectors.ndim != 2 or len(vectors) != len(digests):
            raise ValueError(f"vectors must be float16[{len(digests)}, d], got {vectors.dtype}{vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors must be finite")
        _put(self._store, self.key, digests, vectors)

    def thin(self, digests: Digests) -> int:
        """Removes the vectors of all texts but some.

        Args:
            digests: V16[n], ascending: the texts that stay.

        Returns:
            how many vectors are gone.

        Raises:
            CacheError: the folder cannot be written, or the manifest is locked for too long.
        """
        gone = _thinned(self._store, self._store.artifacts(VECTORS, self.key), digests, self._notes)
        self._refresh()
        return gone

    def _pass_over(self, artifact: Artifact, error: Exception) -> None:
        self._digests.pop(artifact.name, None)
        _pass_over(self._store, artifact, error, self._notes)

    def _refresh(self) -> None:
        """Brings the index up to the manifest, reading the digests of new artifacts only."""
        artifacts = self._store.artifacts(VECTORS, self.key)
        for name in set(self._digests) - {artifact.name for artifact in artifacts}:
            del self._digests[name]
        for artifact in artifacts:
            if artifact.name in self._digests:
                continue
            try:
                self._digests[artifact.name] = self._store.load(artifact, ["digest"])["digest"]
            except _UNUSABLE as error:
                self._pass_over(artifact, error)
        artifacts = [artifact for artifact in artifacts if artifact.name in self._digests]
        if [a.name for a in artifacts] == [a.name for a in self._artifacts]:
            return
        columns = [self._digests[artifact.name].view(f"S{DIGEST_BYTES}") for artifact in artifacts]
        lengths = [len(column) for column in columns]
        keys = np.concatenate(columns) if columns else np.empty(0, dtype=f"S{DIGEST_BYTES}")
        order = np.argsort(keys, kind="stable")
        self._artifacts = artifacts
        self._keys = keys[order].view(f"V{DIGEST_BYTES}")
        self._owner = np.repeat(np.arange(len(artifacts), dtype=np.int32), lengths)[order]
        rows = [np.arange(length, dtype=np.int32) for length in lengths]
        self._row = (np.concatenate(rows) if rows else np.empty(0, dtype=np.int32))[order]


def thin_vectors(folder: Path, digests: Digests, *, notes: Notes | None = None) -> int:
    """Removes the vectors of all models for all texts but some; returns how many vectors are gone.

    Args:
        folder: as for :class:`VectorCache`.
        digests: V16[n], ascending: the texts that stay.
        notes: called with a note about each file that cannot be read.

    Raises:
        CacheError: the folder cannot be written, or the manifest is locked for too long.
    """
    store = ArtifactFolder(folder, notes=notes)
    return _thinned(store, store.artifacts(VECTORS), digests, notes or (lambda note: None))


def _thinned(store: ArtifactFolder, artifacts: Sequence[Artifact], digests: Digests, notes: Notes) -> int:
    """Writes each artifact again without the texts that go; returns how many vectors are gone."""
    gone = 0
    for artifact in artifacts:
        try:
            keys = store.load(artifact, ["digest"])["digest"]
            stay, _ = locate(digests, keys)
            if stay.all():
                continue
            if stay.any():
                _put(store, artifact.key, keys[stay], _vectors_of(store, artifact)[stay], (artifact,))
            else:
                store.drop([artifact])
        except _UNUSABLE as error:
            _pass_over(store, artifact, error, notes)
            continue
        gone += int((~stay).sum())
    return gone


def _put(
    store: ArtifactFolder, key: str, digests: Digests, vectors: Floats16, replaced: Sequence[Artifact] = ()
) -> None:
    content = hashlib.blake2b(np.ascontiguousarray(digests).view(np.uint8).data, digest_size=16).hexdigest()
    store.put(VECTORS, key, {"digest": digests, "vector": vectors}, content=content, replaced=replaced)


def _vectors_of(store: ArtifactFolder, artifact: Artifact) -> Floats16:
    return store.load(artifact, ["vector"])["vector"]


def _pass_over(store: ArtifactFolder, artifact: Artifact, error: Exception, notes: Notes) -> None:
    """Drops an artifact that is missing or damaged; one that cannot be read now stays for the next time."""
    if isinstance(error, UnreadableError):
        notes(f"vectors are computed again, because some that were kept cannot be read now: {error}")
        return
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    notes(f"dropped vectors that were kept and are damaged ({artifact.name}): {reason}")
    store.drop([artifact])
