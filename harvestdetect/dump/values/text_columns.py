"""Columns of texts as Arrow arrays: questions about all values at once, without an object of Python for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.util.arrays import AnyInts, Bools, Bytes, Ints

__all__ = ["TextColumn", "all_there", "bytes_at_ends", "kinds_of", "text_column"]

_SPACES: Final = tuple(chr(code) for code in range(0x3001) if chr(code).isspace())
"""White space, which texts of a column may have at their ends."""


class TextColumn(Sequence[Any]):
    """n values of a column, each a text or None. Python objects are made when one of them is looked at.

    Args:
        array: string[n], valid UTF-8.
        values: the same as Python objects; None: they are not made yet.
    """

    def __init__(self, array: pa.Array, values: Sequence[str | None] | None = None) -> None:
        self.array = array
        self._values = values
        self._coded: tuple[list[str | None], pa.Array] | None = None

    @property
    def values(self) -> Sequence[str | None]:
        """The values as Python objects."""
        if self._values is None:
            self._values = self.array.to_pylist()
        return self._values

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.values)

    @overload
    def __getitem__(self, place: int) -> str | None: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str | None]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str | None] | None:
        return self.values[place]

    def __contains__(self, value: object) -> bool:
        if value is None:
            return bool(self.array.null_count)
        return isinstance(value, str) and bool(pc.any(pc.equal(self.array, value)).as_py())

    def count(self, value: Any) -> int:
        """Number of rows with a value."""
        if not isinstance(value, str):
            return int(self.array.null_count) if value is None else 0
        return int(pc.sum(pc.equal(self.array, value)).as_py() or 0)

    def take(self, rows: AnyInts) -> TextColumn:
        """Some rows, by their numbers."""
        return TextColumn(self.array.take(pa.array(rows)))

    def coded(self) -> tuple[list[str | None], pa.Array]:
        """The distinct values, and for each row the number of its value among them, int32[n] without nulls."""
        if self._coded is None:
            encoded = self.array.dictionary_encode(null_encoding="encode")
            self._coded = encoded.dictionary.to_pylist(), encoded.indices
        return self._coded

    def sizes(self) -> Ints:
        """Bytes of each value, int64[n]; 0 for None."""
        sizes: Ints = _filled(pc.binary_length(self.array), 0).astype(np.int64)
        return sizes

    def ends_with(self, first: Bools, last: Bools) -> Bools:
        """The rows without a text, or whose first or last byte is one of some bytes, bool[n].

        Args:
            first: for each byte, whether it is one of them at the beginning, bool[256].
            last: the same at the end.
        """
        array = self.array
        _, border_buffer, data_buffer = array.buffers()
        empty: Bools = self.sizes() == 0
        if border_buffer is None or data_buffer is None or not data_buffer.size:
            return empty
        border = np.frombuffer(border_buffer, np.int32)[array.offset : array.offset + len(array) + 1]
        data: Bytes = np.frombuffer(data_buffer, np.uint8)
        begin, end = border[:-1], border[1:] - 1
        if empty.any():
            begin, end = np.where(empty, 0, begin), np.where(empty, 0, end)
        found: Bools = empty | first[data[begin]] | last[data[end]]
        return found

    def has_blank(self) -> Bools:
        """The rows with a blank in their text, bool[n]."""
        found: Bools = _filled(pc.match_substring(self.array, " "), False)
        return found

    def is_bare(self) -> bool:
        """Whether each value is None, or a text with other characters than white space at both ends."""
        if not self.ends_with(_STRIPPED_FIRST, _STRIPPED_LAST)[self._there()].any():
            return True
        return all(value is None or (value != "" and value == value.strip()) for value in self.values)

    def _there(self) -> Any:
        array = self.array
        return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else slice(None)


def _filled(array: pa.Array, value: Any) -> Any:
    """An array as NumPy array, with a value in place of nulls."""
    return (array.fill_null(value) if array.null_count else array).to_numpy(zero_copy_only=False)


def bytes_at_ends(first: Iterable[str], last: Iterable[str]) -> tuple[Bools, Bools]:
    """The bytes with which texts begin or end that have one of some characters there, bool[256] each.

    Texts with other characters can have these bytes too.

    Args:
        first: characters at the beginning.
        last: characters at the end.
    """
    begin, end = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
    begin[[character.encode()[0] for character in first if character]] = True
    end[[character.encode()[-1] for character in last if character]] = True
    return begin, end


_STRIPPED_FIRST, _STRIPPED_LAST = bytes_at_ends(_SPACES, _SPACES)


def text_column(values: Sequence[Any]) -> TextColumn | None:
    """Values as a column of texts; None if one of them is neither a text nor None."""
    if isinstance(values, TextColumn):
        return values
    kinds = {str, type(None)}
    if (len(values) and type(values[0]) not in kinds) or not set(map(type, values)) <= kinds:
        return None
    try:
        return TextColumn(pa.array(values, pa.string()), values)
    except UnicodeEncodeError:  # a lone surrogate
        return None


def all_there(values: Sequence[Any]) -> bool:
    """Whether no value is None, empty or 0."""
    return bool(values.sizes().all()) if isinstance(values, TextColumn) else all(values)


def kinds_of(values: Sequence[Any]) -> set[type]:
    """The types of the values."""
    if isinstance(values, TextColumn):
        return {str, type(None)} if values.array.null_count else {str}
    return set(map(type, values))
