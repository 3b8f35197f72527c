"""Rows of databases: a real PostgreSQL server, and files of SQLite and DuckDB."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harvestdetect.cli.main import run_command
from harvestdetect.dump import read_dumps
from harvestdetect.dump.storage import databases
from harvestdetect.dump.storage.databases import Database, shown_address, without_secrets
from harvestdetect.errors import InputError, UsageError
from harvestdetect.settings import Settings
from tests.dump.postgresql import PASSWORD, QUOTED, Server, started

pytestmark = pytest.mark.usefixtures("loaded_once")

TABLE = "LiteLLM_SpendLogs"
SPEND_LOGS = f"""CREATE TABLE "{TABLE}" (
    request_id text PRIMARY KEY, call_type text NOT NULL, api_key text NOT NULL DEFAULT '',
    spend double precision NOT NULL DEFAULT 0.0, total_tokens int NOT NULL DEFAULT 0,
    prompt_tokens int NOT NULL DEFAULT 0, completion_tokens int NOT NULL DEFAULT 0,
    "startTime" timestamp(3) NOT NULL, "endTime" timestamp(3) NOT NULL, "completionStartTime" timestamp(3),
    model text NOT NULL DEFAULT '', model_id text DEFAULT '', model_group text DEFAULT '',
    custom_llm_provider text DEFAULT '', api_base text DEFAULT '', "user" text DEFAULT '',
    metadata jsonb DEFAULT '{{}}', cache_hit text DEFAULT '', cache_key text DEFAULT '',
    request_tags jsonb DEFAULT '[]', team_id text, end_user text, requester_ip_address text,
    messages jsonb DEFAULT '{{}}', response jsonb DEFAULT '{{}}', session_id text, status text,
    proxy_server_request jsonb DEFAULT '{{}}'
)"""


ROWS = 1_000
"""Rows of the table."""
FIELDS = {"account": "end_user", "timestamp": "startTime"}


def fill(server: Server, rows: int, first: int = 0, response: int = 10) -> None:
    """Adds rows, each with a response of so many characters."""
    server.sql(
        f"""INSERT INTO "{TABLE}" (request_id, call_type, "startTime", "endTime", model, "user", end_user, team_id,
            requester_ip_address, messages, response)
        SELECT 'chatcmpl-' || i, 'acompletion', timestamp '2026-06-01' + i * interval '2 seconds',
            timestamp '2026-06-01' + i * interval '2 seconds', 'm', 'key-owner', 'user-' || (i % 97),
            'team-' || (i % 9), '203.0.113.' || (i % 200),
            jsonb_build_array(
                jsonb_build_object('role', 'system', 'content', 'Be brief.'),
                jsonb_build_object('role', 'user', 'content', 'please describe lamp number ' || i || ' to me')
            ), jsonb_build_object('content', repeat('x', {response}))
        FROM generate_series({first}, {first + rows - 1}) i"""
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with started() as one:
        one.sql(SPEND_LOGS)
        fill(one, ROWS)
        yield one


def rows_of(source: str | Path, **settings: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    batches = list(read_dumps([source], settings=Settings(**settings)))
    return [row for batch in batches for row in batch.prompts.to_pylist()], [f for b in batches for f in b.files]


# ---------------------------------------------------------------- PostgreSQL


def test_a_table_is_read_like_a_file(server: Server) -> None:
    rows, (file,) = rows_of(server.address, table=TABLE, mapping=FIELDS)
    assert len(rows) == ROWS
    one = rows[5]
    assert one["time"] == 1_780_272_000 + 10
    assert (one["roles"], one["parts"][-1]) == (["system", "user"], "please describe lamp number 5 to me")
    assert file.name == f"postgresql://scanner@127.0.0.1:{server.port}/llm (table {TABLE}), rows 1 to 1,000"
    assert (file.rows, file.rejects, file.until) == (ROWS, 0, None)


def test_a_query_chooses_rows_and_columns(server: Server) -> None:
    query = f"SELECT end_user AS account, messages->1->>'content' AS prompt FROM \"{TABLE}\" WHERE team_id = 'team-1';"
    rows, _ = rows_of(server.address, query=query)
    assert len(rows) == 111
    assert {row["account"] for row in rows} <= {f"user-{i}" for i in range(97)}


def test_a_table_is_found_whatever_its_case_and_schema(server: Server) -> None:
    for name in ("litellm_spendlogs", f"public.{TABLE}", "PUBLIC.litellm_SPENDLOGS"):
        assert len(rows_of(server.address, table=name)[0]) == ROWS
    with pytest.raises(InputError, match=r"no table is called 'nope'; there are: public\.LiteLLM_SpendLogs"):
        rows_of(server.address, table="nope")


def test_nothing_can_be_written(server: Server) -> None:
    for query in (f'DELETE FROM "{TABLE}"', f'SELECT 1) AS x; DROP TABLE "{TABLE}"; SELECT (1'):
        with pytest.raises(InputError):
            rows_of(server.address, query=query)
    owner = server.address.replace(f"scanner:{QUOTED}@127.0.0.1:{server.port}", "owner@") + f"?host={server.folder}"
    owner += f"&port={server.port}"
    server.sql("CREATE OR REPLACE FUNCTION spoil() RETURNS int LANGUAGE sql AS 'CREATE TABLE spoiled(); SELECT 1'")
    with pytest.raises(InputError, match="read-only transaction"):
        rows_of(owner, query="SELECT spoil() AS account")
    assert server.sql(f'SELECT count(*) FROM "{TABLE}"') == "1000"


def test_memory_does_not_grow_with_the_table(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PART_ROWS", 300)
    monkeypatch.setattr(databases, "BATCH_BYTES", 20_000)
    parts = [(pq.read_table(part.file).num_rows, part.until) for part in _database(server).parts()]
    assert sum(rows for rows, _ in parts) == ROWS
    assert max(rows for rows, _ in parts) <= 300
    untils = [until for _, until in parts]
    assert untils == sorted(untils)
    assert untils[-1] == "2026-06-01 00:33:18"


def _database(server: Server, column: str = "startTime") -> Database:
    return Database(server.address, Settings(table=TABLE, since_column=column))


def test_reading_goes_on_from_a_value(server: Server) -> None:
    parts = _database(server).parts(since="2026-06-01 00:33:10")
    part = next(parts)
    assert pq.read_table(part.file).num_rows == 5
    assert part.name.endswith("rows 1 to 5 since 2026-06-01 00:33:10")
    part.file.seek(0)
    assert not [name for name in pq.read_schema(part.file).names if name.startswith("harvestdetect")]
    assert list(parts) == []
    assert list(_database(server, "request_id").parts(since="it's gone")) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("password", "password authentication failed"),
        ("port", "refused"),
        ("database", 'database "none" does not exist'),
        ("query", "syntax error"),
        ("column", 'column "none" does not exist'),
    ],
)
def test_what_fails_is_told_without_the_password(server: Server, change: str, said: str) -> None:
    address, settings = server.address, {"table": TABLE}
    if change == "password":
        address = address.replace(QUOTED, "wrong-" + QUOTED)
    if change == "port":
        address = address.replace(f":{server.port}", ":1")
    if change == "database":
        address = address.replace("/llm", "/none")
    if change == "query":
        settings = {"query": "SELEC 1"}
    if change == "column":
        settings["since_column"] = "none"
    with pytest.raises(InputError) as error:
        rows_of(address, **settings)
    assert said in str(error.value)
    for secret in (PASSWORD, QUOTED):
        assert secret not in str(error.value)


# ---------------------------------------------------------------- a state goes on


@pytest.fixture
def nightly(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]
) -> Iterator[list[str]]:
    """The command of a nightly scan of the table, and a table of its own size afterwards."""
    monkeypatch.setenv("HARVESTDETECT_ENCODER", "fast")
    monkeypatch.setenv("HARVESTDETECT_CACHE", environment["HARVESTDETECT_CACHE"])
    monkeypatch.setattr(databases, "PART_ROWS", 300)
    monkeypatch.setattr(databases, "BATCH_BYTES", 100_000)
    command = ["scan", server.address, "--table", TABLE, "--since-column", "startTime", "--trust-clock"]
    command += [part for name, column in FIELDS.items() for part in ("--map", f"{name}={column}")]
    yield [*command, "--out", str(tmp_path / "out"), "--state", str(tmp_path / "state")]
    server.sql(f"""DELETE FROM "{TABLE}" WHERE "startTime" >= timestamp '2026-06-01 00:33:20'""")


def counts(tmp_path: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((tmp_path / "out" / "run.json").read_text())["counts"]
    return found


def test_a_state_reads_only_what_is_new(nightly: list[str], server: Server, tmp_path: Path) -> None:
    assert run_command(nightly) == 0
    assert (counts(tmp_path)["prompts"], counts(tmp_path)["new_rows"]) == (ROWS, ROWS)
    fill(server, 250, first=ROWS)
    assert run_command(nightly) == 0
    assert (counts(tmp_path)["prompts"], counts(tmp_path)["new_rows"]) == (ROWS + 250, 250)
    assert counts(tmp_path)["read_rows"] <= 252


def test_a_lost_connection_is_told_and_the_state_goes_on(
    nightly: list[str],
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # More than fits into the buffers of a connection, so that its end is noticed.
    fill(server, 1_500, first=ROWS, response=40_000)
    parts = Database.parts

    def killed_after_two(self: Database, since: str | None = None) -> Iterator[Any]:
        for number, part in enumerate(parts(self, since)):
            yield part
            if number == 1:
                server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'scanner'")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "parts", killed_after_two)
        assert run_command(nightly) == 1
    error = capsys.readouterr().err
    assert f"cannot read postgresql://scanner@127.0.0.1:{server.port}/llm (table {TABLE}) beyond row" in error
    assert "terminat" in error
    assert "Traceback" not in error
    assert run_command(nightly) == 0
    found = counts(tmp_path)
    assert found["prompts"] == ROWS + 1_500
    assert found["new_rows"] == ROWS + 1_500, "also those that the failed run had read: no run has reported them"
    written = [f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()]
    for secret in (PASSWORD, QUOTED):
        assert secret not in error
        assert not any(secret.encode() in content for content in written)


# ---------------------------------------------------------------- files


def sqlite_file(file: Path, rows: int = 40) -> Path:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE logs (user_id, ts, prompt, extra)")
        connection.executemany(
            "INSERT INTO logs VALUES (?, ?, ?, ?)",
            [(i % 5, 1_780_272_000 + i, f"describe lamp {i}", None if i % 2 else b"\xff") for i in range(rows)],
        )
    connection.close()
    return file


def duckdb_file(file: Path) -> Path:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "CREATE TABLE logs AS SELECT i % 5 AS user_id, 1780272000 + i AS ts, 'describe lamp ' || i AS prompt"
            " FROM range(40) t(i)"
        )
    return file


@pytest.mark.parametrize("make", [sqlite_file, duckdb_file])
def test_files_of_databases_are_read(make: Any, tmp_path: Path) -> None:
    file = make(tmp_path / "logs.db")
    rows, (one,) = rows_of(file, table="logs")
    assert len(rows) == 40
    assert {row["account"] for row in rows} == set("01234")
    assert one.name == f"{file} (table logs), rows 1 to 40"
    assert len(rows_of(file, query="SELECT * FROM logs WHERE ts > 1780272029")[0]) == 10
    assert len(rows_of(file, table="logs", since_column="ts")[0]) == 40
    database = Database(str(file), Settings(table="logs", since_column="ts"), kind=databases.file_kind(str(file)) or "")
    parts = database.parts(since="1780272030")
    part = next(parts)
    assert (pq.read_table(part.file).num_rows, part.until) == (10, "1780272039")
    before = file.read_bytes()
    with pytest.raises(InputError):
        rows_of(file, query="DROP TABLE logs")
    assert file.read_bytes() == before


def test_what_names_no_rows_is_an_error(tmp_path: Path) -> None:
    file = sqlite_file(tmp_path / "logs.sqlite")
    with pytest.raises(InputError, match=r"no table is called 'nope'; there are: logs\Z"):
        rows_of(file, table="nope")
    with pytest.raises(InputError, match=r"cannot read .*logs\.sqlite \(query\): no such table: nope"):
        rows_of(file, query="SELECT * FROM nope")
    with pytest.raises(InputError, match="no such column: nope"):
        rows_of(file, table="logs", since_column="nope")
    with pytest.raises(UsageError, match="--since-column needs --table or --query"):
        rows_of(file, since_column="ts")


@pytest.mark.parametrize("settings", [{"table": "logs"}, {"query": "SELECT 1"}])
def test_a_file_that_is_no_database_has_no_tables(tmp_path: Path, settings: dict[str, str]) -> None:
    (tmp_path / "d.jsonl").write_text('{"user_id": "a", "prompt": "describe a lamp"}\n')
    with pytest.raises(UsageError, match=r"--table and --query read databases, and .*d\.jsonl is none"):
        rows_of(tmp_path / "d.jsonl", **settings)


def test_columns_with_times_are_found_in_a_table(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "d.sqlite") as connection:
        connection.execute("CREATE TABLE logs (user_id, asked_at, prompt)")
        row = ("2026-06-01T10:00:00", "describe a lamp")
        connection.executemany("INSERT INTO logs VALUES (?, ?, ?)", [(f"u{i % 5}", *row) for i in range(30)])
    connection.close()
    _, (one,) = rows_of(tmp_path / "d.sqlite", table="logs")
    assert one.reading is not None
    assert one.reading.others["timestamp"] == ("asked_at",)
    assert one.format == "database"


def test_a_query_reads_no_other_file(tmp_path: Path) -> None:
    file, other = duckdb_file(tmp_path / "logs.duckdb"), tmp_path / "secret.csv"
    with other.open("w", newline="") as stream:
        csv.writer(stream).writerows([["user_id", "prompt"], ["a", "secret"]])
    with pytest.raises(InputError):
        rows_of(file, query=f"SELECT * FROM '{other}'")
    for query in (f"ATTACH '{other}' AS x", f"SELECT load_extension('{other}')"):
        with pytest.raises(InputError):
            rows_of(sqlite_file(tmp_path / f"{len(query)}.sqlite"), query=query)


# ---------------------------------------------------------------- names and messages


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:p%40ss@db.example:5432/llm?sslmode=require&password=p", "postgresql://u@db.example:5432/llm"),
        ("postgres:///llm", "postgresql:///llm"),
        ("postgresql://u:p@[::1", "postgresql://(an address that cannot be read)"),
        ("postgresql://u:p@h:port/llm", "postgresql://(an address that cannot be read)"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert shown_address(address) == shown


def test_messages_lose_every_secret() -> None:
    address = "postgresql://u:p%40ss@h/d?sslpassword=k%2Fey"
    said = "p%40ss p@ss k/ey k%2Fey postgresql://u:other@h/d"
    assert without_secrets(said, address) == "*** *** *** *** postgresql://u:***@h/d"


def test_a_database_needs_a_query_or_a_table(tmp_path: Path) -> None:
    for settings in ({}, {"query": "SELECT 1", "table": "t"}):
        with pytest.raises(UsageError, match="--query SQL or --table NAME"):
            rows_of("postgresql://h/d", **settings)
    with pytest.raises(UsageError) as error:
        rows_of("mysql://u:secret@h/d")
    assert "secret" not in str(error.value)
