"""Reads small dumps of every format with random damage, and says what went wrong.

    python -m benchmarks.fuzz_readers [--minutes 30] [--seed 0] [--first 0] [--limit 20] [--keep DIR]

Each input has a number, and the seed and the number alone decide its content. A dump has records of one shape, or of
several, in one format and container. Either some records are changed before they are written, so that their number is
known, or the bytes of the file are. Checked are: only the errors of the package are raised, reading ends within the
limit, and no record is lost: rows and rejects together are at least as many as the records that were written, or one
reject stands for the whole file. Damaged bytes may join records, so then one row or reject is enough.
"""

from __future__ import annotations

import argparse
import bz2
import faulthandler
import gzip
import io
import json
import lzma
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

import pyarrow as pa

from benchmarks.fuzz_shapes import SHAPES, changed, record
from harvestdetect.dump import read_dumps
from harvestdetect.errors import HarvestdetectError
from harvestdetect.settings import Settings

__all__ = ["FORMATS", "check", "main", "make"]

MOST_RECORDS: Final = 12
"""Records of a dump."""
GRACE: Final = 30
"""Seconds beyond the limit after which the process ends with a traceback, if a C function does not return."""


class TookTooLongError(Exception):
    """Reading did not end within the limit."""


# ---------------------------------------------------------------- formats


def _lines(records: Sequence[Any], random: Random) -> bytes:
    end = random.choice(("\n", "\r\n"))
    return "".join(json.dumps(one, ensure_ascii=random.random() < 0.5) + end for one in records).encode(
        "utf-8", "surrogatepass"
    )


def _array(records: Sequence[Any], random: Random) -> bytes:
    return json.dumps(list(records), indent=random.choice((None, None, 1))).encode()


def _pretty(records: Sequence[Any], _: Random) -> bytes:
    return "\n".join(json.dumps(one, indent=2) for one in records).encode()


def _joined(records: Sequence[Any], _: Random) -> bytes:
    return "".join(json.dumps(one) for one in records).encode()


def _docker(records: Sequence[Any], random: Random) -> bytes:
    logs = [{"log": json.dumps(one) + "\n", "stream": "stdout", "time": "2026-06-01T00:00:16Z"} for one in records]
    return _lines(logs, random)


def _cri(records: Sequence[Any], _: Random) -> bytes:
    return "".join(f"2026-06-01T00:00:16.671456789Z stdout F {json.dumps(one)}\n" for one in records).encode()


def _syslog(records: Sequence[Any], _: Random) -> bytes:
    return "".join(f"Jun 01 00:00:16 gw1 llm[99]: {json.dumps(one)}\n" for one in records).encode()


def _table(records: Sequence[Any], random: Random) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows; what is nested is JSON or as Python prints it."""
    rows = [one if isinstance(one, dict) else {"value": one} for one in records]
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["a"]
    write = random.choice((json.dumps, str))
    return names, [[_cell(row.get(name), write) for name in names] for row in rows]


def _cell(value: Any, write: Callable[[Any], str]) -> Any:
    return "" if value is None else write(value) if isinstance(value, dict | list) else value


def _csv(records: Sequence[Any], random: Random) -> bytes:
    import csv

    names, rows = _table(records, random)
    out = io.StringIO()
    every = random.random() < 0.5
    delimiter = random.choice(",;\t|")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL)
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def _write_arrow(records: Sequence[Any], random: Random, write: Callable[[pa.Table, io.BytesIO], None]) -> bytes:
    """Nested columns if Arrow can write them, or else columns of text."""
    rows = [one if isinstance(one, dict) else {"value": one} for one in records]
    try:
        if random.random() < 0.7:
            out = io.BytesIO()
            write(pa.Table.from_pylist(rows), out)
            return out.getvalue()
    except (pa.ArrowException, OverflowError, TypeError, UnicodeEncodeError):
        pass
    names, cells = _table(records, random)
    columns = {name: [str(row[place]) for row in cells] for place, name in enumerate(names)}
    out = io.BytesIO()
    write(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), out)
    return out.getvalue()


def _parquet(records: Sequence[Any], random: Random) -> bytes:
    import pyarrow.parquet as pq

    group = random.choice((1, 3, 100))
    return _write_arrow(records, random, lambda table, out: pq.write_table(table, out, row_group_size=group))


def _feather(records: Sequence[Any], random: Random) -> bytes:
    opened = pa.ipc.new_file if random.random() < 0.5 else pa.ipc.new_stream

    def write(table: pa.Table, out: io.BytesIO) -> None:
        with opened(out, table.schema) as writer:
            writer.write_table(table)

    return _write_arrow(records, random, write)


def _sqlite(records: Sequence[Any], random: Random) -> bytes:
    import sqlite3

    names, rows = _table(records, random)
    columns = [f"c{place}" if not name.isidentifier() else name for place, name in enumerate(names)]
    unique = [
        name if name.lower() not in {n.lower() for n in columns[:place]} else f"{name}{place}"
        for place, name in enumerate(columns)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        base = sqlite3.connect(path)
        base.execute("CREATE TABLE logs (" + ", ".join(f'"{name}"' for name in unique) + ")")
        marks = ", ".join("?" * len(unique))
        base.executemany(f"INSERT INTO logs VALUES ({marks})", [[_number(v) for v in row] for row in rows])
        base.commit()
        base.close()
        return path.read_bytes()


def _number(value: Any) -> Any:
    return str(value) if isinstance(value, int) and abs(value) >= 2**63 else value


FORMATS: Final[Mapping[str, tuple[str, Callable[[Sequence[Any], Random], bytes]]]] = {
    "lines": (".jsonl", _lines),
    "array": (".json", _array),
    "pretty": (".json", _pretty),
    "joined": (".jsonl", _joined),
    "docker": (".jsonl", _docker),
    "cri": (".log", _cri),
    "syslog": (".log", _syslog),
    "csv": (".csv", _csv),
    "parquet": (".parquet", _parquet),
    "feather": (".arrow", _feather),
    "sqlite": (".db", _sqlite),
}
"""Name of a format -> (suffix, function that writes it)."""
TEXTS: Final = frozenset(("lines", "csv", "array"))
"""Formats that are also written in other encodings."""


def _zipped(data: bytes, name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def _tarred(data: bytes, name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        about = tarfile.TarInfo(name)
        about.size = len(data)
        archive.addfile(about, io.BytesIO(data))
    return out.getvalue()


PACKINGS: Final[Mapping[str, Callable[[bytes, str], bytes]]] = {
    ".gz": lambda data, _: gzip.compress(data, 1),
    ".bz2": lambda data, _: bz2.compress(data, 1),
    ".xz": lambda data, _: lzma.compress(data, preset=0),
    ".zst": lambda data, _: bytes(pa.compress(data, codec="zstd", asbytes=True)),
    ".zip": _zipped,
    ".tar": _tarred,
}
"""Suffix of a packing -> function that packs a file."""


# ---------------------------------------------------------------- inputs


class Made:
    """One input.

    Args:
        name: of the file.
        data: its bytes.
        records: number of records in it. Rows and rejects together must be at least as many.
        kind: how it was made, for the counts.
    """

    def __init__(self, name: str, data: bytes, records: int, kind: str) -> None:
        self.name = name
        self.data = data
        self.records = records
        self.kind = kind


def make(seed: int, number: int) -> Made:
    """The input of a number."""
    random = Random(f"{seed}-{number}")
    shapes = random.sample(list(SHAPES), random.choice((1, 1, 1, 2)))
    records = [record(random.choice(shapes), random) for _ in range(random.randint(1, MOST_RECORDS))]
    kind = random.choice(list(FORMATS))
    suffix, write = FORMATS[kind]
    damaged = random.random() < 0.35
    if not damaged:
        records = [changed(one, random) if random.random() < 0.3 else one for one in records]
        records = [one if isinstance(one, dict) and one else {"event": "start"} for one in records]
    data = write(records, random)
    if kind in TEXTS and random.random() < 0.15:
        encoding = random.choice(("utf-16", "utf-16-le", "utf-8-sig", "cp1252"))
        data = data.decode("utf-8", "replace").encode(encoding, "replace")
        kind = f"{kind} {encoding}"
    name = f"a{suffix}"
    least = 1
    if damaged:
        data = _damaged(data, random)
        lines = sum(1 for line in data.splitlines() if line.strip())
        least = min(1, lines - kind.startswith("csv"))  # a header alone has no rows
        if kind == "cri" and b"{" not in data:
            least = 0  # an empty line of a log
    if random.random() < 0.25:
        packing = random.choice(list(PACKINGS))
        data = PACKINGS[packing](data, name)
        name += packing
        if damaged and random.random() < 0.3:
            data = _damaged(data, random)
            least = min(least, len(data))
    return Made(name, data, least if damaged else len(records), kind + (", damaged" if damaged else ""))


def _damaged(data: bytes, random: Random) -> bytes:
    """A file with some bytes changed, left out, doubled, or cut off."""
    changed_data = bytearray(data)
    for _ in range(random.randint(1, 4)):
        if not changed_data:
            break
        start = random.randrange(len(changed_data))
        stop = min(len(changed_data), start + random.choice((1, 1, 2, 8, 64)))
        match random.randrange(7):
            case 0:
                changed_data[start:stop] = random.randbytes(stop - start)
            case 1:
                del changed_data[start:stop]
            case 2:
                changed_data[start:start] = changed_data[start:stop] * random.choice((1, 3, 200))
            case 3:
                del changed_data[start:]
            case 4:
                changed_data[start:start] = random.choice(
                    (b"\0" * 9, b'"', b"\n", b"\r", b"\xff", b"{", b"]", b"\\", b",")
                )
            case 5:
                changed_data[start] ^= 1 << random.randrange(8)
            case _:
                other = random.randrange(len(changed_data))
                changed_data[start:stop] = changed_data[other : other + stop - start]
    return bytes(changed_data)


# ---------------------------------------------------------------- checks


def check(made: Made, folder: Path, limit: float) -> tuple[str, Counter[str]]:
    """Reads an input.

    Args:
        made: the input.
        folder: for the file.
        limit: seconds.

    Returns:
        What went wrong, or ""; and the counts of rows, rejects and errors.
    """
    path = folder / made.name
    path.write_bytes(made.data)
    counts: Counter[str] = Counter()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TookTooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit)
    faulthandler.dump_traceback_later(limit + GRACE, exit=True, file=2)
    try:
        for batch in read_dumps([path], settings=Settings()):
            batch.prompts.validate(full=True)
            counts["rows"] += batch.prompts.num_rows
            counts["rejects"] += len(batch.rejects) + batch.unlisted
            counts["rejects of a file"] += sum(reject.line is None for reject in batch.rejects)
    except HarvestdetectError as error:
        if not str(error).strip() or "Traceback" in str(error):
            return "an error without a message", counts
        counts[type(error).__name__] += 1
        return "", counts
    except TookTooLongError:
        return f"took more than {limit} seconds", counts
    except Exception:
        return traceback.format_exc(), counts
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()
        path.unlink(missing_ok=True)
    found = counts["rows"] + counts["rejects"]
    lost = found < made.records and not counts["rejects of a file"]
    return f"{found} rows and rejects of {made.records} records" if lost else "", counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the inputs one after the other and prints counts. Returns 1 if something went wrong."""
    parser = argparse.ArgumentParser(description="Reads small dumps with random damage.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--most", type=int, default=0, help="number of inputs; 0: as many as the minutes allow")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one input")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that failed")
    options = parser.parse_args(arguments)
    kinds: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    slowest = (0.0, 0)
    end = time.monotonic() + 60 * options.minutes
    number = options.first
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        while time.monotonic() < end and not (options.most and number >= options.first + options.most):
            made = make(options.seed, number)
            start = time.monotonic()
            wrong, counts = check(made, Path(folder), options.limit)
            slowest = max(slowest, (time.monotonic() - start, number))
            kinds[made.kind] += 1
            totals += counts
            if wrong:
                last = wrong.strip().splitlines()[-1]
                failures[last] += 1
                if failures[last] <= 3:
                    print(f"input {number} ({made.kind}, {made.name}): {wrong}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{options.seed}-{number}-{made.name}").write_bytes(made.data)
            number += 1
    print(f"{number - options.first} inputs, {sum(failures.values())} failures; seed {options.seed}")
    print(", ".join(f"{name}: {count}" for name, count in sorted(totals.items())))
    print(", ".join(f"{name}: {count}" for name, count in sorted(kinds.items())))
    print(f"slowest: input {slowest[1]}, {slowest[0]:.1f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
