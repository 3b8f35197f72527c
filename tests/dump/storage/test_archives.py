"""Compressed files, archives and databases: every row of every member, and nothing that is not there."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyarrow import feather, orc

from harvestdetect.dump.storage import limits
from harvestdetect.dump.storage.compressed import compression
from harvestdetect.dump.storage.units import _MEMBERS
from harvestdetect.errors import HarvestdetectError, InputError
from harvestdetect.settings import Settings
from tests.dump.reading import Found, lines, packed, rows_of, tar, zipped

ROWS = rows_of(30)
DATA = lines(ROWS)
TEXTS = [row["prompt"] for row in ROWS]
COMPRESSIONS = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: packed(data, "zstd"),
    "lz4": lambda data: packed(data, "lz4"),
}


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_compressed_file_has_the_same_rows(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(COMPRESSIONS[kind](DATA))
    found = Found(file)
    assert (found.texts, found.rejects) == (TEXTS, [])
    assert found.files[0].format == f"jsonl+{kind}"
    assert found.files[0].bytes == file.stat().st_size


@pytest.mark.parametrize("kind", ["gzip", "bz2", "xz", "zstd", "lz4", "zlib"])
def test_members_one_behind_the_other_are_one_content(tmp_path: Path, kind: str) -> None:
    pack = COMPRESSIONS[kind]
    (tmp_path / "x").write_bytes(pack(DATA[:700]) + pack(DATA[700:]))
    assert Found(tmp_path / "x").texts == TEXTS


@pytest.fixture(scope="module")
def noise() -> tuple[list[str], bytes]:
    """Many prompts that cannot be compressed well, and their rows."""
    rng = random.Random(1)
    rows = rows_of(20_000)
    for row in rows:
        row["prompt"] = "".join(rng.choices("abcdefgh ", k=60))
    return [row["prompt"] for row in rows], lines(rows)


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_damaged_stream_keeps_the_rows_before_the_damage(
    tmp_path: Path, kind: str, noise: tuple[list[str], bytes]
) -> None:
    texts, content = noise
    data = COMPRESSIONS[kind](content)
    changed = data[:-90_000] + b"\0" * 500 + data[-89_500:]
    for name, stored in (
        ("cut", data[: len(data) * 3 // 4]),
        ("changed", changed),
    ):
        (tmp_path / name).write_bytes(stored)
        found = Found(tmp_path / name)
        assert 5_000 < len(found.texts) < 20_000
        # A damage is noticed some rows later, unless blocks have a checksum.
        sure = len(found.texts) if name == "cut" else 5_000
        assert found.texts[:sure] == texts[:sure]
        if name == "changed" and kind in ("zstd", "lz4"):  # without a checksum
            assert found.rejects
            continue
        (last,) = [r.reason for r in found.rejects if r.line is None]
        assert "stream is truncated" in last or "stream is damaged" in last
        assert f"{len(found.texts):,} rows were read" in last


@pytest.mark.parametrize("kind", ["bz2", "xz", "lz4", "zlib"])
def test_a_compressed_bomb_ends_at_the_limit(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE", 3_000_000)
    (tmp_path / "x").write_bytes(COMPRESSIONS[kind](DATA + b" " * 30_000_000))
    found = Found(tmp_path / "x", settings=Settings(max_expansion=2.0))
    assert "max_expansion" in found.rejects[-1].reason


def test_text_that_starts_like_zlib_is_text() -> None:
    assert compression(b"x^2 + y^2, what is it?") is None
    assert compression(b"BZh is no magic alone") is None
    assert compression(zlib.compress(b"a" * 99)) == "zlib"


# ---------------------------------------------------------------- archives


MEMBERS = {
    "part/a.jsonl": lines(ROWS[:10]),
    "part/b.csv": b"account,prompt\n" + b"".join(f"{r['account']},{r['prompt']}\n".encode() for r in ROWS[10:20]),
    "c.jsonl.gz": gzip.compress(lines(ROWS[20:25])),
    "d.json.xz": lzma.compress(b"[" + b",".join(lines(ROWS[25:]).splitlines()) + b"]"),
}
ARCHIVES = {
    "x.tar": tar(MEMBERS),
    "x.tar.gz": tar(MEMBERS, mode="w:gz"),
    "x.tbz2": tar(MEMBERS, mode="w:bz2"),
    "x.tar.xz": tar(MEMBERS, mode="w:xz"),
    "x.tar.zst": packed(tar(MEMBERS), "zstd"),
    "x.ustar.tar": tar(MEMBERS, format=tarfile.USTAR_FORMAT),
    "x.pax.tar": tar(MEMBERS, format=tarfile.PAX_FORMAT),
    "x.zip": zipped(MEMBERS),
    "x.stored.zip": zipped(MEMBERS, method=zipfile.ZIP_STORED),
    "x.bzip2.zip": zipped(MEMBERS, method=zipfile.ZIP_BZIP2),
    "x.lzma.zip": zipped(MEMBERS, method=zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("stream", [False, True])
def test_every_member_is_a_file_of_its_own(tmp_path: Path, name: str, stream: bool) -> None:
    file = tmp_path / name
    file.write_bytes(ARCHIVES[name])
    found = Found("-", stdin=io.BytesIO(ARCHIVES[name])) if stream else Found(file)
    assert found.rejects == []
    assert found.texts == TEXTS
    source = "-" if stream else str(file)
    assert [f.name for f in found.files] == [f"{source}!{member}" for member in MEMBERS]
    assert [f.rows for f in found.files] == [10, 10, 5, 5]
    assert [f.format for f in found.files] == ["jsonl", "csv", "jsonl+gzip", "jsonl+xz"]
    assert [row["file"] for row in found.rows] == [0] * 10 + [1] * 10 + [2] * 5 + [3] * 5


def test_archives_are_found_in_folders_and_in_archives(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f/a.zip").write_bytes(zipped({"in/ner.tar.gz": ARCHIVES["x.tar.gz"], "e.jsonl": DATA}))
    (tmp_path / "f/b.jsonl").write_bytes(DATA)
    found = Found(tmp_path / "f")
    assert found.texts == TEXTS * 3
    assert found.files[1].name == f"{tmp_path}/f/a.zip!in/ner.tar.gz!part/b.csv"
    deep = DATA
    for level in range(5):
        deep = zipped({f"{level}.zip" if level else "x.jsonl": deep})
    (tmp_path / "deep.zip").write_bytes(deep)
    assert "in more than 3 archives" in Found(tmp_path / "deep.zip").rejects[0].reason


def test_what_is_no_dump_in_an_archive_is_told(tmp_path: Path) -> None:
    members = {"a.jsonl": DATA, "README": b"hello", "b.png": b"\x89PNG", "__MACOSX/._a.jsonl": b"x", "_SUCCESS": b""}
    for name, data in (("x.tar", tar(members)), ("x.zip", zipped(members))):
        (tmp_path / name).write_bytes(data)
        found = Found(tmp_path / name)
        assert (found.texts, found.rejects) == (TEXTS, [])
        assert found.dumps.left_out.counts == {
            "file without a suffix": 1, ".png file": 1, "hidden file": 1, "mark of a job": 1
        }  # fmt: skip
        told = list(found.dumps.left_out.sentences())
        assert f"left out, .png file: 1 ({tmp_path}/{name}!b.png)" in told


def test_links_and_paths_out_of_a_tar_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_bytes(DATA)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind in (("a.jsonl", tarfile.SYMTYPE), ("b.jsonl", tarfile.LNKTYPE), ("c.jsonl", tarfile.CHRTYPE)):
            about = tarfile.TarInfo(name)
            about.type, about.linkname = kind, str(tmp_path / "secret.jsonl")
            archive.addfile(about)
        for name in ("../out.jsonl", "/abs/olute.jsonl"):
            about = tarfile.TarInfo(name)
            about.size = len(DATA)
            archive.addfile(about, io.BytesIO(DATA))
    (tmp_path / "x.tar").write_bytes(made.getvalue())
    before = sorted(tmp_path.rglob("*"))
    found = Found(tmp_path / "x.tar")
    assert [f.name for f in found.files] == [f"{tmp_path}/x.tar!abs/olute.jsonl"]
    assert found.texts == TEXTS
    assert [r.reason for r in found.rejects] == ["its path leads out of the archive"]
    assert found.dumps.left_out.counts == {"link": 2, "device": 1}
    assert sorted(tmp_path.rglob("*")) == before


def test_a_foreign_member_is_a_reject_and_the_others_are_read(tmp_path: Path) -> None:
    members = {"a.jsonl": b'{"cpu":1}\n' * 3, "b.jsonl": DATA, "c.log": b"\x01\x02\x03" * 99, "d.csv": b""}
    (tmp_path / "x.zip").write_bytes(zipped(members))
    found = Found(tmp_path / "x.zip")
    assert found.texts == TEXTS
    assert "no column for the account" in found.reasons["x.zip!a.jsonl"]
    assert "binary file" in found.reasons["x.zip!c.log"]
    assert found.reasons["x.zip!d.csv"] == "the file is empty"
    assert {row["file"] for row in found.rows} == {[f.name for f in found.files].index(f"{tmp_path}/x.zip!b.jsonl")}


def test_encrypted_and_unknown_members_of_a_zip_are_rejects(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.jsonl": DATA, "b.jsonl": DATA, "c.jsonl": DATA}))
    entries = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    data[entries[0] + 8] |= 1
    data[entries[1] + 10 : entries[1] + 12] = struct.pack("<H", 98)
    (tmp_path / "x.zip").write_bytes(data)
    found = Found(tmp_path / "x.zip")
    assert found.texts == TEXTS
    assert "encrypted" in found.reasons["x.zip!a.jsonl"]
    assert "PPMd" in found.reasons["x.zip!b.jsonl"]


def test_damage_in_an_archive_keeps_what_is_before_it(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(ARCHIVES["x.tar.gz"][:-150])
    found = Found(tmp_path / "x.tar.gz")
    assert found.texts == TEXTS[: len(found.texts)]
    assert found.rejects
    (tmp_path / "y.tar").write_bytes(ARCHIVES["x.tar"][:2300])
    found = Found(tmp_path / "y.tar")
    assert found.texts == TEXTS[: len(found.texts)]
    assert "the archive ends within" in found.rejects[-1].reason
    (tmp_path / "z.zip").write_bytes(ARCHIVES["x.zip"][:-30])
    (reject,) = Found(tmp_path / "z.zip").rejects
    assert reject.reason == "the zip archive is cut off: it has no directory"
    stored = bytearray(ARCHIVES["x.stored.zip"])
    stored[stored.index(b"1th word")] = ord("9")
    (tmp_path / "w.zip").write_bytes(stored)
    found = Found(tmp_path / "w.zip")
    assert len(found.texts) == 30
    assert "its checksum is wrong" in found.reasons["a.jsonl"]


def test_a_zip_bomb_ends_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE", 3_000_000)
    settings = Settings(max_expansion=2.0)
    (tmp_path / "a.zip").write_bytes(zipped({"a.jsonl": DATA, "b.jsonl": b" " * 50_000_000}))
    found = Found(tmp_path / "a.zip", settings=settings)
    assert found.texts == TEXTS
    assert "max_expansion" in found.reasons["a.zip!b.jsonl"]
    # The members of this tar are no dumps, but passing over them costs time too.
    (tmp_path / "b.tgz").write_bytes(gzip.compress(tar({"a.bin": b"\0" * 20_000_000, "b.jsonl": DATA})))
    found = Found(tmp_path / "b.tgz", settings=settings)
    assert found.texts == []
    assert "max_expansion" in found.rejects[-1].reason


def test_overlapping_members_count_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE", 1_000_000)
    data = zipped({"a.jsonl": b" " * 100_000 + DATA})
    end = data.rindex(b"PK\x05\x06")
    start = data.index(b"PK\x01\x02")
    count = 200
    entries = data[start:end] * count
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)
    (tmp_path / "x.zip").write_bytes(data[:start] + entries + tail)
    found = Found(tmp_path / "x.zip", settings=Settings(max_expansion=2.0))
    assert 0 < len(found.files) <= count
    assert "max_expansion" in found.rejects[-1].reason


def test_office_documents_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}))
    (reject,) = Found(tmp_path / "x.xlsx").rejects
    assert "save the sheet as CSV" in reject.reason


def test_an_archive_of_nothing_and_of_too_much(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zipped({}))
    (reject,) = Found(tmp_path / "x.zip").rejects
    assert reject.reason == "nothing in it is a dump"
    header = tar({"a.bin": b""})[:512]
    (tmp_path / "y.tar.gz").write_bytes(gzip.compress(header * (_MEMBERS + 5)))
    found = Found(tmp_path / "y.tar.gz")
    assert "more than 100,000 members" in found.rejects[-1].reason


def test_names_of_members_are_harmless(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(tar({"a\x1b[31m\n.jsonl": DATA}))
    found = Found(tmp_path / "x.tar")
    assert found.files[0].name == f"{tmp_path}/x.tar!a\\x1b[31m\\x0a.jsonl"
    assert found.texts == TEXTS


@given(st.sampled_from(sorted(ARCHIVES)), st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 255)), max_size=6))
@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=30_000)
def test_no_damage_breaks_an_archive(tmp_path: Path, name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(ARCHIVES[name])
    for place, value in changes:
        data[place % len(data)] = value
    (tmp_path / "x").write_bytes(data)
    with suppress(HarvestdetectError):
        found = Found(tmp_path / "x")
        assert len(found.texts) == 30 or found.rejects or found.dumps.left_out.counts


# ---------------------------------------------------------------- tables


def database(path: Path, *, extra: str = "") -> None:
    with sqlite3.connect(path) as made:
        made.execute(
            "CREATE TABLE spend (id INTEGER PRIMARY KEY, account TEXT, timestamp INTEGER, prompt TEXT, raw BLOB)"
        )
        made.execute("CREATE TABLE users (id INTEGER, email TEXT)")
        made.execute("INSERT INTO users VALUES (1, 'a@example.com')")
        made.execute("CREATE TABLE hollow (id INTEGER)")
        made.execute("CREATE VIEW seen AS SELECT account, prompt FROM spend")
        values = [(r["account"], r["timestamp"], r["prompt"], b"\xff\0") for r in ROWS]
        made.executemany("INSERT INTO spend (account, timestamp, prompt, raw) VALUES (?, ?, ?, ?)", values)
        if extra:
            made.execute(extra)
    made.close()


def test_the_tables_of_a_database(tmp_path: Path) -> None:
    database(tmp_path / "x.db")
    before = (tmp_path / "x.db").read_bytes()
    for stored in (before, gzip.compress(before), zipped({"x.db": before})):
        (tmp_path / "y").write_bytes(stored)
        found = Found(tmp_path / "y")
        assert (found.texts, found.rejects) == (TEXTS, [])
        (file,) = found.files
        assert file.name.endswith("!spend")
        assert file.format == "sqlite"
        assert found.dumps.left_out.counts == {"table without prompts": 1, "empty table": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.db", "y"]
    assert (tmp_path / "x.db").read_bytes() == before


def test_a_database_without_prompts_and_a_damaged_one(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as made:
        made.execute("CREATE TABLE users (id INTEGER, email TEXT)")
        made.execute("INSERT INTO users VALUES (1, 'a')")
    made.close()
    (reject,) = Found(tmp_path / "x.db").rejects
    assert reject.reason.startswith("in none of its tables: no column for the ")
    database(tmp_path / "y.db")
    data = bytearray((tmp_path / "y.db").read_bytes())
    data[4096:] = b"\xee" * (len(data) - 4096)
    (tmp_path / "y.db").write_bytes(data)
    assert "cannot be read" in Found(tmp_path / "y.db").rejects[0].reason
    (tmp_path / "z.db").write_bytes(b"SQLite format 3\0" + b"\0" * 2000)
    assert Found(tmp_path / "z.db").rejects


def test_a_write_ahead_log_is_told(tmp_path: Path) -> None:
    database(tmp_path / "x.db")
    (tmp_path / "x.db-wal").write_bytes(b"x" * 100)
    found = Found(tmp_path / "x.db")
    assert found.texts == TEXTS
    assert "write-ahead log" in found.rejects[0].reason


@pytest.mark.parametrize("kind", ["file", "stream", "feather", "lz4", "orc", "file.gz"])
def test_arrow_and_orc(tmp_path: Path, kind: str) -> None:
    table = pa.Table.from_pylist(ROWS)
    table = table.set_column(0, "account", table["account"].dictionary_encode())
    file = tmp_path / "x"
    if kind == "feather":
        feather.write_feather(table, str(file))
    elif kind == "orc":
        orc.write_table(pa.Table.from_pylist(ROWS), str(file))
    else:
        options = pa.ipc.IpcWriteOptions(compression="lz4" if kind == "lz4" else None)
        make = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        with make(str(file), table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=7)
    if kind == "file.gz":
        file.write_bytes(gzip.compress(file.read_bytes()))
    found = Found(file)
    assert (found.texts, found.rejects) == (TEXTS, [])
    assert [row["line"] for row in found.rows] == list(range(1, 31))
    data = file.read_bytes()
    if kind in ("file", "stream"):
        file.write_bytes(data[: len(data) * 2 // 3])
        found = Found(file)
        assert "the Arrow file cannot be read further" in found.rejects[-1].reason
        assert found.texts == TEXTS[: len(found.texts)]


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5), st.booleans())
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=30_000)
def test_no_damage_breaks_a_table(tmp_path: Path, changes: list[tuple[int, int]], arrow: bool) -> None:
    file = tmp_path / "x"
    file.unlink(missing_ok=True)
    if arrow:
        table = pa.Table.from_pylist(ROWS)
        with pa.ipc.new_file(str(file), table.schema) as writer:
            writer.write_table(table)
    else:
        database(file)
    data = bytearray(file.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    file.write_bytes(data)
    with suppress(HarvestdetectError):
        found = Found(file)
        assert len(found.texts) == 30 or found.rejects or found.dumps.left_out.counts


def test_no_room_for_a_copy_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvestdetect.dump.storage.sources.tempfile.TemporaryFile", _full)
    with pytest.raises(InputError, match=r"cannot keep - in the temporary folder .*the disk is full"):
        Found("-", stdin=io.BytesIO(ARCHIVES["x.zip"]))


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")
