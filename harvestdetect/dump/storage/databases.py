"""Rows of databases: PostgreSQL over the network, and files of SQLite and DuckDB.

The rows of a query are read as a stream and handed on in parts of at most :data:`PART_ROWS` rows. Each part is a
Parquet file without a name, so columns are chosen and values are read as in any other Parquet file. A password is in no
name, message or result.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from harvestdetect.errors import InputError, UsageError
from harvestdetect.settings import Settings

__all__ = ["Database", "Part", "file_kind", "is_address", "shown_address", "without_secrets"]

PART_ROWS: Final = 100_000
"""Most rows of a part."""
PART_BYTES: Final = 256_000_000
"""Bytes of a part, in memory, from which the next one begins."""
BATCH_ROWS: Final = 5_000
"""Rows that are asked of a database at a time."""
BATCH_BYTES: Final = 16_000_000
"""Bytes of a batch that PostgreSQL's driver aims at."""
POSTGRESQL: Final = ("postgresql", "postgres")
"""Schemes of addresses of PostgreSQL."""
_SECRETS: Final = ("password", "sslpassword", "passfile", "sslkey")
"""Parameters of an address that are no business of a reader of results."""
_MARK: Final = "harvestdetect_since"
"""Name of the column that has the values of ``since_column`` as text."""
_SQLITE_LITERAL: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|'(?:[^']|'')*'")
"""A number or a text as SQLite's ``quote()`` writes it."""
_INSTALL: Final = "install it with: pip install 'harvestdetect[databases]'"


def is_address(source: str) -> bool:
    """Whether a source is the address of a database server."""
    return source.split("://", 1)[0].lower() in POSTGRESQL if "://" in source else False


def file_kind(file: str) -> str | None:
    """``sqlite`` or ``duckdb``, by the beginning of a file; None if it is neither."""
    with open(file, "rb") as content:
        head = content.read(16)
    if head == b"SQLite format 3\0":
        return "sqlite"
    return "duckdb" if head[8:12] == b"DUCK" else None


def shown_address(address: str) -> str:
    """An address without its password and parameters."""
    try:
        parts = urlsplit(address)
        user = f"{unquote(parts.username)}@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
        return f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"
    except ValueError:
        return "postgresql://(an address that cannot be read)"


def without_secrets(text: str, address: str) -> str:
    """A message without the secrets of an address, as they are written and as they are meant."""
    try:
        parts = urlsplit(address)
        secrets = [parts.password or "", *(value for name, value in parse_qsl(parts.query) if name in _SECRETS)]
    except ValueError:
        return "the address cannot be read"
    plain = {*secrets, *map(unquote, secrets)} - {""}
    for secret in plain | {quote(one, safe="") for one in plain}:
        text = text.replace(secret, "***")
    return re.sub(r"(\w+://[^\s/:@]*):[^\s@]*@", r"\1:***@", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of the rows of a database, one after the other."""

    name: str
    """As results show it: where it comes from, and which rows."""
    file: BinaryIO
    """A Parquet file, open at its start."""
    until: str | None
    """The last value of ``since_column`` as text, from which the next scan goes on; None without such a column."""


class Database:
    """A database from which rows are read.

    Args:
        source: an address of PostgreSQL, or a file of SQLite or DuckDB.
        settings: ``query`` or ``table``, and ``since_column``.
        kind: ``postgresql``, ``sqlite`` or ``duckdb``.

    Raises:
        UsageError: neither a query nor a table is named, or both are.
    """

    def __init__(self, source: str, settings: Settings, *, kind: str = "postgresql") -> None:
        self._source = source
        self._kind = kind
        self._since_column = settings.since_column
        if (settings.query is None) == (settings.table is None):
            given = "neither is given" if settings.query is None else "both are given"
            raise UsageError(f"a database needs --query SQL or --table NAME; {given}")
        self._query = settings.query
        self._table = settings.table
        where = shown_address(source) if kind == "postgresql" else source
        self.name = f"{where} ({'query' if self._table is None else f'table {self._table}'})"
        """As results show it."""

    @property
    def remembered(self) -> str:
        """What a state calls the rows of this query."""
        asked = f"table {self._table}" if self._query is None else f"query {self._query}"
        return f"{self.name}: {asked} by {self._since_column}"

    def parts(self, since: str | None = None) -> Generator[Part, None, None]:
        """The rows, in the order of ``since_column`` if there is one.

        Args:
            since: only rows whose ``since_column`` is at least this value are read.

        Raises:
            InputError: the database cannot be reached or read, or the connection was lost.
        """
        going_on = f" since {since}" if since is not None else ""
        connect = {"postgresql": _postgresql, "sqlite": _sqlite, "duckdb": _duckdb}[self._kind]
        done = 0
        try:
            with connect(self._source) as ask, closing(ask(self._sql(ask, since))) as batches:
                for table in _gathered(batches):
                    first, done = done + 1, done + table.num_rows
                    until = None
                    if self._since_column is not None:
                        until = table.column(_MARK)[-1].as_py()
                        table = table.drop_columns([_MARK])
                    with tempfile.TemporaryFile(prefix="harvestdetect-") as file:
                        pq.write_table(_plain(table), file, compression="zstd")
                        file.seek(0)
                        yield Part(name=f"{self.name}, rows {first:,} to {done:,}{going_on}", file=file, until=until)
        except _FAILURES as error:
            raise InputError(self._complaint(error, done)) from None

    def _sql(self, ask: Callable[[str], Iterator[pa.RecordBatch]], since: str | None) -> str:
        """The query that is sent."""
        if self._query is not None:
            rows = f"({self._query.strip().rstrip(';')}\n) AS harvestdetect_rows"
        else:
            rows = self._found_table(ask)
        if self._since_column is None:
            return f"SELECT * FROM {rows}"
        # SQLite takes an unknown name in double quotes for a text, but not one in backticks.
        column = _quoted(self._since_column, "`" if self._kind == "sqlite" else '"')
        # A column of SQLite may have values of any type, and a text is never equal to a number: quote() keeps the type.
        text = f"quote({column})" if self._kind == "sqlite" else f"CAST({column} AS VARCHAR)"
        where = f"{column} IS NOT NULL" if since is None else f"{column} >= {self._literal(since)}"
        return f"SELECT *, {text} AS {_MARK} FROM {rows} WHERE {where} ORDER BY {column}"

    def _literal(self, value: str) -> str:
        """A value of ``since_column`` as SQL writes it. The database turns text into the type of the column."""
        if self._kind == "sqlite" and _SQLITE_LITERAL.fullmatch(value):
            return value
        return "'" + value.replace("'", "''") + "'"

    def _found_table(self, ask: Callable[[str], Iterator[pa.RecordBatch]]) -> str:
        """The table, quoted as SQL wants it: by its exact name, or by one that differs only in case.

        Raises:
            InputError: there is no such table, or there are several.
        """
        assert self._table is not None
        tables = [(row["schema"], row["name"]) for batch in ask(_TABLES[self._kind]) for row in batch.to_pylist()]
        schema, _, name = self._table.rpartition(".")
        fits = [one for one in tables if one[1] == name and (not schema or one[0] == schema)]
        if not fits:
            fits = [one for one in tables if one[1].lower() == name.lower()]
            fits = [one for one in fits if not schema or one[0].lower() == schema.lower()]
        if len(fits) != 1:
            names = ", ".join(sorted(".".join(filter(None, one)) for one in (fits or tables))[:10]) or "none"
            what = "several tables are called" if fits else "no table is called"
            raise InputError(f"{self.name}: {what} {self._table!a}; there are: {ascii(names)[1:-1]}")
        return ".".join(map(_quoted, filter(None, fits[0])))

    def _complaint(self, error: Exception, done: int) -> str:
        told = " ".join(str(error).split()).partition(" Query was: ")[0]
        said = without_secrets(told, self._source)[:500]
        where = f" beyond row {done:,}" if done else ""
        return f"cannot read {self.name}{where}: {said or type(error).__name__}"


_TABLES: Final = {
    "postgresql": "SELECT table_schema AS schema, table_name AS name FROM information_schema.tables"
    " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
    "sqlite": "SELECT '' AS schema, name FROM sqlite_master WHERE type IN ('table', 'view')",
    "duckdb": "SELECT table_schema AS schema, table_name AS name FROM information_schema.tables",
}
"""Queries for the names of all tables."""


def _quoted(name: str, quote: str = '"') -> str:
    """The name of a table or a column as SQL writes it."""
    if "\0" in name:
        raise UsageError("the name of a table or column has a NUL character")
    return quote + name.replace(quote, 2 * quote) + quote


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches as tables of bounded size."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        for start in range(0, batch.num_rows, PART_ROWS):
            part = batch.slice(start, PART_ROWS)
            if held and (rows + part.num_rows > PART_ROWS or size + part.nbytes > PART_BYTES):
                yield pa.Table.from_batches(held)
                held, rows, size = [], 0, 0
            held.append(part)
            rows, size = rows + part.num_rows, size + part.nbytes
    if held:
        yield pa.Table.from_batches(held)


def _plain(table: pa.Table) -> pa.Table:
    """A table without types that only some readers know: JSON and numbers of any precision are text, and so are ids."""
    for place, field in enumerate(table.schema):
        if isinstance(field.type, pa.BaseExtensionType):
            column = table.column(place)
            if field.type.extension_name == "arrow.uuid":
                plain = pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())
            else:
                plain = pa.chunked_array([chunk.storage for chunk in column.chunks], field.type.storage_type)
            table = table.set_column(place, field.name, plain)
    return table.replace_schema_metadata(None)


# ---------------------------------------------------------------- servers and files

Ask = Callable[[str], Generator[pa.RecordBatch, None, None]]
"""Sends a query and returns its rows as a stream."""


class _DriverError(Exception):
    """A driver could not do what it was asked for."""


_FAILURES: Final = (_DriverError, sqlite3.Error, pa.ArrowException, OSError)
"""What can go wrong while rows are read."""


@contextmanager
def _postgresql(address: str) -> Iterator[Ask]:
    """A connection that cannot write. Rows come in binary COPY format, batch by batch."""
    try:
        import adbc_driver_manager
        from adbc_driver_postgresql import StatementOptions, dbapi
    except ImportError:
        raise InputError(f"reading PostgreSQL needs its driver; {_INSTALL}") from None

    def ask(sql: str) -> Generator[pa.RecordBatch, None, None]:
        with connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)})
            try:
                cursor.execute(sql)
                yield from cursor.fetch_record_batch()
            except adbc_driver_manager.Error as error:
                raise _DriverError(str(error)) from None

    try:
        connection = dbapi.connect(address, autocommit=True)
    except adbc_driver_manager.Error as error:
        raise _DriverError(str(error)) from None
    with connection:
        for setting in ("default_transaction_read_only = on", "standard_conforming_strings = on"):
            for _ in ask(f"SET {setting}"):
                pass
        yield ask


@contextmanager
def _duckdb(file: str) -> Iterator[Ask]:
    """A file, open for reading only. A query cannot read other files."""
    try:
        import duckdb
    except ImportError:
        raise InputError(f"reading DuckDB needs its library; {_INSTALL}") from None

    def ask(sql: str) -> Generator[pa.RecordBatch, None, None]:
        try:
            with connection.cursor() as cursor:
                rows: Any = cursor.sql(sql)
                if rows is not None:
                    yield from rows.to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as error:
            raise _DriverError(str(error)) from None

    config: dict[str, Any] = {"enable_external_access": "false", "lock_configuration": "true"}
    try:
        connection = duckdb.connect(file, read_only=True, config=config)
    except duckdb.Error as error:
        raise _DriverError(str(error)) from None
    with connection:
        yield ask


@contextmanager
def _sqlite(file: str) -> Iterator[Ask]:
    """A file, open for reading only."""
    with closing(sqlite3.connect(f"{Path(file).absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.text_factory = lambda value: value.decode("utf-8", "replace")

        def ask(sql: str) -> Generator[pa.RecordBatch, None, None]:
            with closing(connection.execute(sql)) as cursor:
                names = [one[0] for one in cursor.description or ()]
                while rows := cursor.fetchmany(BATCH_ROWS):
                    columns = [_column(values) for values in zip(*rows, strict=True)]
                    yield pa.RecordBatch.from_arrays(columns, names=names)

        yield ask


def _column(values: Sequence[Any]) -> pa.Array:
    """Values of SQLite, each of which has a type of its own, as text."""
    return pa.array([_as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)
