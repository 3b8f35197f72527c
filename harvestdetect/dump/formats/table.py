"""The fields of many rows by column, for records whose columns are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harvestdetect.dump.columns.layout import Layout, Row, first_account, first_value, is_there, taken
from harvestdetect.dump.columns.shapes import SKIPPED, Shapes, leads_to
from harvestdetect.dump.storage.limits import Rejects
from harvestdetect.dump.values.paths import Path, look_up
from harvestdetect.dump.values.rows import Block, to_text
from harvestdetect.dump.values.text_columns import all_there, kinds_of, text_column

__all__ = [
    "Columns",
    "block_of",
    "fields_of",
    "unread",
]


class Columns:
    """Records by column.

    Args:
        columns: name at the top level -> value of each of n records; None where a record has none.
        count: n.
        typed: columns whose values may be in typed wrappers.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], count: int, typed: frozenset[str] = frozenset()) -> None:
        self._columns = columns
        self.count = count
        self._typed = typed
        self._paths: dict[Path, Sequence[Any]] = {}

    def at(self, path: Path, *, raw: bool = False) -> Sequence[Any]:
        """The values at a path. ``raw``: whether typed wrappers around values at the top level may remain."""
        if raw and len(path) == 1 and path[0] in self._columns:
            return self._columns[path[0]]
        values = self._paths.get(path)
        if values is None:
            values = self._paths[path] = self._found(path)
        return values

    def _found(self, path: Path) -> Sequence[Any]:
        if not self.count:
            return []
        whole = ".".join(path)
        names = [name for name in self._columns if leads_to(name, path)]
        if len(names) != 1:
            if not names:
                return [None] * self.count
            rows = zip(*(self._columns[name] for name in names), strict=True)
            return [look_up(dict(zip(names, row, strict=True)), path) for row in rows]
        (name,) = names
        column = self._columns[name]
        if name == whole:
            if name not in self._typed:
                return column
            return [look_up({name: value}, (name,)) if type(value) in (dict, list) else value for value in column]
        rest = path[1:] if name == path[0] else tuple(whole.removeprefix(name + ".").split("."))
        if name.startswith(whole + "."):
            return [look_up({name: value}, path) for value in column]
        return [None if value is None else look_up(value, rest) for value in column]


def fields_of(layout: Layout, columns: Columns) -> dict[str, Sequence[Any]]:
    """The values of each field of a layout."""
    found: dict[str, Sequence[Any]] = {}
    for name, paths in layout.fields.items():
        values = columns.at(paths[0], raw=name == "prompt")
        if len(paths) > 1:
            rows = zip(*map(columns.at, paths), strict=True)
            if name == "account":
                values = [first_account(row) for row in rows]
            else:
                values = [first_value(name, row) for row in rows]
        if name in layout.cut:
            values = [taken(value, layout.cut[name]) for value in values]
        found[name] = values if name == "system" else text_column(values) or values
    for name, constant in layout.constants.items():
        if name not in found:
            found[name] = [constant] * columns.count
        elif None in found[name]:
            found[name] = [constant if value is None else value for value in found[name]]
    return found


def unread(layout: Layout, columns: Columns, values: Mapping[str, Sequence[Any]]) -> list[int]:
    """The rows that a layout does not read: without account or prompt, or of another type. Ascending."""
    odd: set[int] = set()
    accounts, prompts = values.get("account", ()), values.get("prompt", ())
    if not all_there(accounts):
        odd.update(row for row, value in enumerate(accounts) if not value and to_text(value) is None)
    if not kinds_of(accounts) <= {str, int}:
        odd.update(row for row, value in enumerate(accounts) if type(value) in (dict, list))
    kinds = kinds_of(prompts)
    if not all_there(prompts) or not kinds <= {str, list} or (str in kinds and "{}" in prompts):
        odd.update(row for row, value in enumerate(prompts) if not is_there("prompt", value))
    for path, wanted in layout.keep.items():
        column = columns.at(path)
        odd.update(row for row, value in enumerate(column) if value is not None and str(value).lower() not in wanted)
    for path, unwanted in layout.drop.items():
        column = columns.at(path)
        odd.update(row for row, value in enumerate(column) if isinstance(value, str) and value.lower() in unwanted)
    return sorted(odd)


def block_of(
    shapes: Shapes,
    columns: Columns,
    record: Callable[[int], Any],
    *,
    numbers: Sequence[int],
    offsets: Sequence[int] | None,
    rejects: Rejects,
) -> Block:
    """A block of n records. Those that the layout of most records cannot read are read one by one.

    Args:
        shapes: how records are read.
        columns: the records by column.
        record: returns a record as an object, by its number in the block.
        numbers: line of each record.
        offsets: offset of each record; None if it is not known.
        rejects: takes the records that are no requests.
    """
    layout = shapes.direct
    if layout is None:
        found = [(number, list(shapes.read(record(number)))) for number in range(len(numbers))]
        return _spread(found, None, numbers, offsets, rejects)
    values = fields_of(layout, columns)
    odd = unread(layout, columns, values)
    if not odd:
        return Block(numbers, offsets, values)
    return _spread([(row, list(shapes.read(record(row)))) for row in odd], values, numbers, offsets, rejects)


def _spread(
    found: Sequence[tuple[int, Sequence[Row | str]]],
    values: Mapping[str, Sequence[Any]] | None,
    numbers: Sequence[int],
    offsets: Sequence[int] | None,
    rejects: Rejects,
) -> Block:
    """A block with the rows that some records became.

    Args:
        found: number of a record in the block, ascending, and its rows or the reasons why they are none.
        values: field -> values of all records; those of the records in ``found`` do not count. None: all records are in
            ``found``.
        numbers: line of each record.
        offsets: offset of each record; None if it is not known.
        rejects: takes the reasons.
    """
    names = dict.fromkeys(
        [*(values or ()), *(name for _, rows in found for row in rows if isinstance(row, dict) for name in row)]
    )
    columns: dict[str, list[Any]] = {name: [] for name in names}
    records: list[int] = []
    done = 0
    for record, rows in [*found, (len(numbers), ())]:
        if values is not None and record > done:
            for name, column in columns.items():
                column += values[name][done:record] if name in values else [None] * (record - done)
            records += range(done, record)
        done = record + 1
        for row in rows:
            if isinstance(row, str):
                if row != SKIPPED:
                    rejects.add(numbers[record], None if offsets is None else offsets[record], row)
                continue
            for name, column in columns.items():
                column.append(row.get(name))
            records.append(record)
    places = None if offsets is None else [offsets[record] for record in records]
    return Block([numbers[record] for record in records], places, dict(columns))
