"""A PostgreSQL server of its own for tests, started from the programs of the system."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["PASSWORD", "Server", "programs", "started"]

PASSWORD = "s3cret/with:odd@signs"
QUOTED = "s3cret%2Fwith%3Aodd%40signs"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with a database ``llm`` and a user ``scanner`` who may only read."""

    folder: Path
    port: int
    bin: Path

    @property
    def address(self) -> str:
        """As the user ``scanner``, over TCP, with the password."""
        return f"postgresql://scanner:{QUOTED}@127.0.0.1:{self.port}/llm"

    def sql(self, *statements: str) -> str:
        """Runs statements as the owner, each in a transaction of its own, and returns what they print."""
        command = [str(self.bin / "psql"), "-h", str(self.folder), "-p", str(self.port), "-U", "owner", "-d", "llm"]
        command += ["-v", "ON_ERROR_STOP=1", "-qtA"]
        for statement in statements:
            command += ["-c", statement]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        return done.stdout.strip()

    def copy(self, table: str, file: Path) -> None:
        """Fills a table from a CSV file with a header."""
        command = [str(self.bin / "psql"), "-h", str(self.folder), "-p", str(self.port), "-U", "owner", "-d", "llm"]
        with file.open("rb") as rows:
            statement = f"COPY {table} FROM STDIN WITH (FORMAT csv, HEADER true)"
            subprocess.run([*command, "-qc", statement], check=True, stdin=rows, timeout=300)


def programs() -> Path | None:
    """The folder with ``initdb``, ``postgres`` and ``psql``; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parent.name, reverse=True)
    return next((f for f in folders if all((f / name).exists() for name in ("initdb", "postgres", "psql"))), None)


def _other_user() -> str | None:
    """Who runs the server, which refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


@contextmanager
def started() -> Iterator[Server]:
    """A server that ends with the block. The test is skipped where PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    user = _other_user()
    folder = Path(tempfile.mkdtemp(prefix="harvestdetect-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = folder / "data"
        options = {"user": user, "cwd": folder, "stdin": subprocess.DEVNULL}
        subprocess.run(
            [
                *(str(binaries / "initdb"), "-D", str(data), "-U", "owner", "-E", "UTF8", "--no-locale", "-N"),
                *("--auth-local=trust", "--auth-host=scram-sha-256"),
            ],
            check=True, capture_output=True, timeout=120, **options,
        )  # fmt: skip
        settings = ["fsync=off", "synchronous_commit=off", f"port={port}", "listen_addresses=127.0.0.1"]
        settings += [f"unix_socket_directories={folder}", "max_wal_size=4GB"]
        command = [str(binaries / "postgres"), "-D", str(data)]
        for setting in settings:
            command += ["-c", setting]
        with open(folder / "log", "wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, **options)
        try:
            ready = [str(binaries / "pg_isready"), "-h", str(folder), "-p", str(port), "-t", "30"]
            for _ in range(100):
                if subprocess.run(ready, capture_output=True).returncode == 0:
                    break
                if server.poll() is not None:
                    raise RuntimeError((folder / "log").read_text())
            made = Server(folder, port, binaries)
            create = [str(binaries / "createdb"), "-h", str(folder), "-p", str(port), "-U", "owner", "llm"]
            subprocess.run(create, check=True, capture_output=True, timeout=60)
            quoted = PASSWORD.replace("'", "''")
            made.sql(
                f"CREATE ROLE scanner LOGIN PASSWORD '{quoted}'",
                "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO scanner",
            )
            yield made
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
