"""The files of a search index: arrays that are mapped into memory, and the vectors of a view for FAISS.

An index is a folder that is written once and trusted by the digests inside it (:mod:`harvestdetect.store.models`):

::

    FOLDER/search/<key>/          texts, prompts, accounts and values of a window, and vectors of wording
    FOLDER/search/<key>-meaning/  vectors of meaning, of the texts that have one

FAISS compares a question with all vectors, as float16 in the file: nothing is trained, and nothing near is missed. A
search touches the vectors once, and of everything else only what it shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from harvestdetect.data import View
from harvestdetect.errors import CacheError
from harvestdetect.util.arrays import AnyArray, Bools, Bytes, Digests, Floats32, Ints, Ints32, Words
from harvestdetect.util.vectors import Rows

__all__ = [
    "ABOUT",
    "Column",
    "Index",
    "Strings",
    "Vectors",
    "open_index",
    "open_vectors",
    "write_array",
    "write_vectors",
]

ABOUT: Final = "about.json"
"""File with the names of the files and of the preambles of the window."""
_SMALL: Final = 1 << 16
"""Bytes up to which a file is read and not mapped."""
_BLOCK: Final = 1 << 15
"""Vectors that are added to an index at a time."""


# ---------------------------------------------------------------- arrays and texts


def write_array(folder: Path, name: str, array: AnyArray) -> None:
    """Writes an array of numbers or bytes."""
    np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def _array(folder: Path, name: str) -> AnyArray:
    path = folder / f"{name}.npy"
    small = path.stat().st_size <= _SMALL
    found: AnyArray = np.load(path, mmap_mode=None if small else "r", allow_pickle=False)
    return found


class Strings(Sequence[str]):
    """Texts in two arrays.

    Args:
        start: int64[n + 1]: where each text begins in ``data``.
        data: uint8[start[n]]: all texts as UTF-8, one after the other.
    """

    def __init__(self, start: Ints, data: Bytes) -> None:
        self._start = start
        self._data = data

    def __len__(self) -> int:
        return len(self._start) - 1

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        return self._bytes(int(row)).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def _bytes(self, row: int) -> bytes:
        return bytes(self._data[int(self._start[row]) : int(self._start[row + 1])])

    def place(self, text: str) -> int | None:
        """The row of a text among texts that are sorted; None if it is not there."""
        wanted = text.encode("utf-8", "replace")
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self._bytes(low) == wanted else None

    @staticmethod
    def write(folder: Path, name: str, texts: pa.Array) -> None:
        """Writes the texts of a column without nulls."""
        raw = [text.encode() for text in texts.to_pylist()]
        write_array(folder, f"{name}_start", np.cumsum([0, *map(len, raw)], dtype=np.int64))
        write_array(folder, f"{name}_data", np.frombuffer(b"".join(raw), np.uint8))

    @staticmethod
    def read(folder: Path, name: str) -> Strings:
        """What :meth:`write` wrote."""
        return Strings(_array(folder, f"{name}_start"), _array(folder, f"{name}_data"))


# ---------------------------------------------------------------- the index


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The values of one field of all prompts."""

    code: Ints32
    """int32[p]: an index into ``values``, -1 if the value is missing."""
    values: Strings
    """Sorted."""
    tag: Words
    """uint64[v]: the digest of each, see :mod:`harvestdetect.search.tags`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An open index: n texts of p prompts. The order of everything depends on the content of the window alone."""

    digest: Digests
    """V16[n], ascending."""
    kind: Bytes
    """uint8[n], an index into :data:`harvestdetect.data.KINDS`."""
    text: Strings
    """n originals."""
    posting_start: Ints
    """int64[n + 1]: where the prompts of each text begin in ``posting_prompt``."""
    posting_prompt: Ints32
    part_start: Ints
    """int64[p + 1]: where the whole parts of each prompt begin in ``part``."""
    part: Ints32
    account: Ints32
    """int32[p], ascending."""
    time: Ints
    """int64[p]: seconds, or NO_TIME."""
    file: Ints32
    line: Ints
    content: Ints32
    """int32[p]: equal for prompts whose texts are all equal."""
    counts: Bools
    """bool[p]: false for a row that repeats a request."""
    accounts: Strings
    """Sorted."""
    fields: Mapping[str, Column]
    files: tuple[str, ...]
    preambles: tuple[str, ...]

    def rows_of(self, account: int) -> Ints:
        """The prompts of an account: int64[.], ascending."""
        first, last = np.searchsorted(self.account, [account, account + 1])
        return np.arange(int(first), int(last))


def open_index(folder: Path) -> Index:
    """Opens an index that is known to be whole.

    Raises:
        CacheError: it cannot be read.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        arrays = {
            name: _array(folder, name)
            for name in (
                *("digest", "kind", "posting_start", "posting_prompt", "part_start", "part"),
                *("account", "time", "file", "line", "content", "counts"),
            )
        }
        fields = {
            name: Column(
                code=_array(folder, f"{name}_code"),
                values=Strings.read(folder, f"{name}_values"),
                tag=_array(folder, f"{name}_tag"),
            )
            for name in about["fields"]
        }
        return Index(
            text=Strings.read(folder, "text"), accounts=Strings.read(folder, "accounts"), fields=fields,
            files=tuple(about["files"]), preambles=tuple(about["preambles"]), **arrays,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CacheError(f"cannot read the search index {folder}: {error}; remove it, and it is made again") from None


# ---------------------------------------------------------------- vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """The vectors of m texts in one view, in a file that is mapped into memory."""

    index: Any
    """Of FAISS."""
    rows: Ints32 | None
    """int32[m], ascending: which texts they are of; None: of all."""

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def nearest(self, questions: Floats32, count: int) -> tuple[Ints, Floats32]:
        """The texts nearest to any of q questions, and the cosine of the nearest question.

        Args:
            questions: float32[q, d], unit rows.
            count: texts for each question.

        Returns:
            int64[t], distinct, and float32[t]; the nearest first.
        """
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        cosine, row = self.index.search(np.ascontiguousarray(questions, np.float32), min(count, len(self)))
        cosine, row = cosine.reshape(-1), row.reshape(-1).astype(np.int64)
        if self.rows is not None:
            row = self.rows[row].astype(np.int64)
        order = np.lexsort((row, -cosine))
        row, first = np.unique(row[order], return_index=True)
        cosine = np.minimum(cosine[order][first], np.float32(1))
        order = np.lexsort((row, -cosine))
        return row[order], cosine[order]


def write_vectors(folder: Path, view: View, vectors: Rows) -> None:
    """Writes vectors, float16[m, d], as an index of FAISS that compares a question with all of them."""
    import faiss

    count, width = vectors.shape
    index = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.train(np.zeros((1, width), np.float32))
    for start in range(0, count, _BLOCK):
        index.add(np.asarray(vectors[start : start + _BLOCK], np.float32))
    try:
        faiss.write_index(index, str(folder / f"{view}.faiss"))
    except RuntimeError as error:  # FAISS gives no number of an error
        raise OSError(f"{str(error).splitlines()[0]}; the disk may be full") from None


def open_vectors(folder: Path, view: View, rows: Ints32 | None = None) -> Vectors:
    """Opens what :func:`write_vectors` wrote.

    Raises:
        CacheError: it cannot be read.
    """
    import faiss

    mapped = getattr(faiss, "IO_FLAG_MMAP_IFC", faiss.IO_FLAG_MMAP)
    try:
        return Vectors(index=faiss.read_index(str(folder / f"{view}.faiss"), mapped), rows=rows)
    except RuntimeError as error:
        raise CacheError(f"cannot read the search index {folder}: {str(error).splitlines()[0]}") from None
