"""What a program does with files, through each of the libraries that a scan uses: for the tests of the faults."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

__all__ = ["hang", "probe", "read_state"]


def _python(folder: Path) -> object:
    file = folder / "python.bin"
    with file.open("wb") as stream:
        stream.write(b"0123456789" * 20_000)
        stream.flush()
        os.fsync(stream.fileno())
    file.rename(folder / "renamed.bin")
    return len((folder / "renamed.bin").read_bytes())


def _sqlite(folder: Path) -> object:
    with closing(sqlite3.connect(folder / "some.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
        connection.execute("INSERT INTO t VALUES (randomblob(20000))")
        return connection.execute("SELECT count(*) FROM t").fetchone()[0]


def _arrow(folder: Path) -> object:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = folder / "table.parquet"
    pq.write_table(pa.table({"x": list(range(5_000))}), str(file))
    with pq.ParquetFile(str(file)) as opened:
        return opened.read().num_rows


def _numpy(folder: Path) -> object:
    import numpy as np

    np.save(folder / "array.npy", np.arange(60_000))
    return int(np.load(folder / "array.npy")[-1])


def _mapped(folder: Path) -> object:
    import numpy as np

    (folder / "mapped.bin").write_bytes(bytes(4096))
    return len(np.memmap(folder / "mapped.bin", np.uint8, "r"))


def _folders(folder: Path) -> object:
    inner = folder / "inner" / "most"
    inner.mkdir(parents=True, exist_ok=True)
    (inner / "file").write_text("x")
    found = sorted(path.name for path in (folder / "inner").rglob("*"))
    (inner / "file").unlink()
    inner.rmdir()
    return ",".join(found)


def _clock(folder: Path) -> object:
    file = folder / "now"
    file.write_text("x")
    with closing(sqlite3.connect(":memory:")) as connection:
        told = connection.execute("SELECT CAST(strftime('%s', 'now') AS INTEGER)").fetchone()[0]
    return f"{time.time():.0f} {told} {file.stat().st_mtime:.0f} {time.time_ns() // 10**9}"


_PROBES: dict[str, Callable[[Path], object]] = {
    "python": _python, "sqlite": _sqlite, "arrow": _arrow, "numpy": _numpy, "mapped": _mapped, "folders": _folders,
    "clock": _clock,
}  # fmt: skip


def probe(name: str, folder: str) -> int:
    """Prints what a probe gives, or its error; 1 where there was one."""
    try:
        print(_PROBES[name](Path(folder)))
    except (OSError, sqlite3.Error, ValueError, EOFError) as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    return 0


def hang() -> int:
    """Does not end."""
    time.sleep(3_600)
    return 0


def read_state(folder: str, campaign: str) -> int:
    """Reads a state through the library, some times; 1 where what it says does not fit together."""
    from harvestdetect.state import open_state

    for _ in range(5):
        with open_state(folder) as state:
            members, days, events = state.members(campaign), state.history(campaign), state.events(campaign)
            if not members or not days or not events or len(set(members)) != len(members):
                print(members, days, events)
                return 1
        time.sleep(0.02)
    return 0
