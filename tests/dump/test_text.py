"""Encodings, dialects of CSV and TSV, and folders."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect.dump import expand_sources
from harvestdetect.dump.formats.dialects import dialect_of
from harvestdetect.dump.storage.encodings import as_utf8, encoding_of
from harvestdetect.dump.storage.folders import kept_out
from harvestdetect.errors import ColumnsError
from tests.dump.reading import Found, Row, lines, rows_of, tar

ROWS = rows_of(30)
TEXTS = [row["prompt"] for row in ROWS]
FRENCH = "Peux-tu résumer l\u2019histoire du café \u2013 sans être naïf, à ta façon ?"
SAMPLES = {
    "cp1252": FRENCH,
    "cp1250": "Zażółć gęślą jaźń, proszę opisz mi pogodę w Łodzi i życie",
    "cp1251": "Привет, как дела? Расскажи мне о погоде в Москве",
    "koi8_r": "Привет, как дела? Расскажи мне о погоде в Москве",
    "gb18030": "请告诉我关于天气的信息，谢谢你的帮助，我想知道更多",
    "cp932": "天気について教えてください。ありがとうございます。",
    "utf-8": FRENCH + " 天気",
    "utf-16-le": FRENCH + " 天気",
    "utf-16-be": FRENCH + " 天気",
    "utf-32-le": FRENCH + " 天気 \U0001f600",
    "utf-32-be": FRENCH,
}
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "utf-32-le": b"\xff\xfe\0\0", "utf-32-be": b"\0\0\xfe\xff"}


def csv_of(rows: list[Row], **options: object) -> str:
    out = io.StringIO()
    writer = csv.writer(out, **options)  # type: ignore[arg-type]
    writer.writerow(["account", "timestamp", "prompt"])
    writer.writerows([row["account"], row["timestamp"], row["prompt"]] for row in rows)
    return out.getvalue()


# ---------------------------------------------------------------- encodings


@pytest.mark.parametrize("kind", ["csv", "jsonl", "csv.gz"])
@pytest.mark.parametrize("mark", [False, True])
@pytest.mark.parametrize("encoding", SAMPLES)
def test_encodings(tmp_path: Path, encoding: str, mark: bool, kind: str) -> None:
    if mark and encoding not in MARKS:
        pytest.skip("no byte-order mark")
    rows = [row | {"prompt": f"{SAMPLES[encoding]} {i}"} for i, row in enumerate(ROWS)]
    text = csv_of(rows) if kind != "jsonl" else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    data = (MARKS[encoding] if mark else b"") + text.encode(encoding)
    (tmp_path / "x").write_bytes(gzip.compress(data) if kind == "csv.gz" else data)
    found = Found(tmp_path / "x")
    assert found.rejects == []
    assert found.texts == [row["prompt"] for row in rows]
    (file,) = found.files
    assert file.reading is not None
    assert file.reading.encoding == encoding


def test_a_few_bad_bytes_are_rejects_and_no_other_encoding(tmp_path: Path) -> None:
    for good in ("What is it?", SAMPLES["utf-8"]):
        text = [json.dumps(row | {"prompt": good}, ensure_ascii=False).encode() for row in ROWS]
        text[3], text[9] = b'{"account":"a","prompt":"caf\xe9"}', b'{"account":"a","prompt":"na\xefve"}'
        (tmp_path / "x").write_bytes(b"\n".join(text))
        found = Found(tmp_path / "x")
        assert [(r.line, r.reason) for r in found.rejects] == [(4, "invalid UTF-8"), (10, "invalid UTF-8")]
        assert found.texts == [good] * 28


def test_letters_that_come_late_in_a_file_decide_too(tmp_path: Path) -> None:
    rows = [row | {"prompt": "x" * 100} for row in rows_of(30_000)]
    rows[20_000:] = [row | {"prompt": FRENCH} for row in rows[20_000:]]
    (tmp_path / "x.csv").write_bytes(csv_of(rows).encode("cp1252"))
    found = Found(tmp_path / "x.csv")
    assert found.rejects == []
    assert found.texts[-1] == FRENCH


@pytest.mark.parametrize("encoding", SAMPLES)
@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_a_text_is_the_same_from_any_chunks(encoding: str, size: int) -> None:
    data = SAMPLES[encoding].encode(encoding) * 5
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    assert b"".join(as_utf8(chunks, encoding)).decode() == SAMPLES[encoding] * 5


def test_what_cannot_be_decoded_is_a_reject(tmp_path: Path) -> None:
    data = csv_of([row | {"prompt": "caf\u00e9"} for row in ROWS]).encode("utf-16-le")
    place = data.index("u5,".encode("utf-16-le"))
    data = data[: place + 2] + b"\x00\xd8" + data[place + 2 :]
    (tmp_path / "x").write_bytes(b"\xff\xfe" + data[:-1])
    found = Found(tmp_path / "x")
    assert len(found.texts) + len(found.rejects) == 30
    assert "invalid UTF-8" in {r.reason for r in found.rejects}


@given(st.binary(max_size=300))
@hypothesis_settings(max_examples=60, deadline=30_000)
def test_any_bytes_have_an_encoding(data: bytes) -> None:
    encoding = encoding_of(data * 3)
    for _ in as_utf8([data, data], encoding):
        pass


# ---------------------------------------------------------------- dialects


def odd(row: Row) -> Row:
    return row | {"prompt": f'{row["prompt"]} Say "hi", then; a|b\\c.'}


def plain(row: Row) -> Row:
    return row


def backslashed(rows: list[Row], delimiter: str = ",") -> str:
    out = delimiter.join(("account", "timestamp", "prompt")) + "\n"
    for row in rows:
        prompt = row["prompt"].replace("\\", "\\\\").replace('"', '\\"')
        out += delimiter.join((row["account"], str(row["timestamp"]), f'"{prompt}"')) + "\n"
    return out


def copied(rows: list[Row]) -> str:
    out = "account\ttimestamp\tip\tprompt\n"
    for row in rows:
        prompt = row["prompt"].replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
        out += f"{row['account']}\t{row['timestamp']}\t\\N\t{prompt}\n"
    return out + "\\.\n"


def bare(rows: list[Row], delimiter: str = "\t") -> str:
    header = delimiter.join(("account", "timestamp", "prompt")) + "\n"
    return header + "".join(f"{r['account']}{delimiter}{r['timestamp']}{delimiter}{r['prompt']}\n" for r in rows)


DIALECTS: dict[str, tuple[Callable[[Row], Row], Callable[[list[Row]], str]]] = {
    "comma": (odd, csv_of),
    "semicolon": (odd, lambda rows: csv_of(rows, delimiter=";")),
    "tab": (odd, lambda rows: csv_of(rows, delimiter="\t")),
    "pipe": (odd, lambda rows: csv_of(rows, delimiter="|")),
    "quoted": (odd, lambda rows: csv_of(rows, quoting=csv.QUOTE_ALL)),
    "lines in fields": (lambda r: r | {"prompt": f'"a"\n\n{r["prompt"]}, x'}, csv_of),
    "sep": (odd, lambda rows: "sep=;\r\n" + csv_of(rows, delimiter=";")),
    "sep, odd": (odd, lambda rows: '"sep=^"\n' + csv_of(rows, delimiter="^")),
    "backslashes": (odd, backslashed),
    "backslashes, tabs": (odd, lambda rows: backslashed(rows, "\t")),
    "single quotes": (lambda r: r | {"prompt": f"{r['prompt']}, it's"}, lambda rows: csv_of(rows, quotechar="'")),
    "no quotes": (lambda r: r | {"prompt": f'"{r["prompt"]}" she said, "again'}, bare),
    "inches": (lambda r: r | {"prompt": f'6" and 7" of {r["prompt"]}'}, bare),
    "copy": (lambda r: r | {"prompt": f'"a"\t\\b\n{r["prompt"]} \\N "'}, copied),
    "preamble": (odd, lambda rows: "Usage report\n\n# made by a tool, for you\n" + csv_of(rows)),
    "hash": (odd, lambda rows: "#" + csv_of(rows)),
    "trailing": (plain, lambda rows: csv_of(rows).replace("\r\n", ",,\r\n").replace("prompt,,", "prompt", 1)),
    "trailing everywhere": (plain, lambda rows: csv_of(rows).replace("\r\n", ",\r\n")),
    "index": (odd, lambda rows: "," + csv_of(rows).replace("\r\nu", "\r\n0,u")),
    "carriage returns": (odd, lambda rows: csv_of(rows).replace("\r\n", "\r")),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(tmp_path: Path, name: str) -> None:
    make, write = DIALECTS[name]
    rows = [make(row) for row in ROWS]
    (tmp_path / "x").write_bytes(write(rows).encode())
    found = Found(tmp_path / "x")
    assert found.rejects == []
    assert found.texts == [row["prompt"] for row in rows]


def test_damaged_rows_do_not_change_the_dialect(tmp_path: Path) -> None:
    rng = random.Random(2)
    rows = csv_of([odd(row) for row in rows_of(200)]).split("\r\n")
    for place in rng.sample(range(5, 200), 12):
        rows[place] = rng.choice(['u1,1,"never closed', 'u1,1,"x" y', "u1,2", "a\tb\tc", 'u1,1,"a\\"'])
    (tmp_path / "x.csv").write_text("\r\n".join(rows))
    found = Found(tmp_path / "x.csv")
    assert sum('Say "hi", then; a|b\\c.' in text for text in found.texts) >= 185


def test_small_files_are_comma_separated() -> None:
    assert dialect_of(b'account,prompt\n","\n').quoting == "quotes"
    assert dialect_of(b'account,prompt\na,fine\nshort\nb,"never closed\nc,fine too\n').quoting == "quotes"
    assert dialect_of(b"account,prompt\n").columns == ("account", "prompt")
    assert dialect_of(b"").columns == ()


@pytest.mark.parametrize("delimiter", ["\t", ",", "|"])
def test_a_file_without_a_header_is_told_and_not_shown(tmp_path: Path, delimiter: str) -> None:
    text = bare([row | {"prompt": "Secret words of the prompt and more of them"} for row in ROWS], delimiter)
    (tmp_path / "x.tsv").write_text(text.split("\n", 1)[1])
    (reject,) = Found(tmp_path / "x.tsv").rejects
    assert "no line with the names of the columns" in reject.reason
    assert "Secret" not in reject.reason


def test_text_that_is_no_table_is_told_and_not_shown(tmp_path: Path) -> None:
    line = (
        "(pid=1) INFO 06-01 00:00:16 [logger.py:42] Received request x1: prompt: 'Secret words, here', params: P(n=1)\n"
    )
    (tmp_path / "x.log").write_text(line * 30)
    found = Found(tmp_path)
    assert found.texts == []
    assert all("Secret" not in r.reason for r in found.rejects)
    try:
        reasons = [r.reason for r in Found(tmp_path / "x.log").rejects]
    except ColumnsError as error:
        reasons = [str(error)]
    assert reasons
    assert "Secret" not in "".join(reasons)


@given(
    st.lists(st.text("a\"'\\\t,;\n\r \u00e9#", max_size=8), min_size=1, max_size=30),
    st.sampled_from([",", "\t", ";", "|"]),
)
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=30_000)
def test_what_csv_writes_is_read_in_every_dialect(tmp_path: Path, prompts: list[str], delimiter: str) -> None:
    rows = [row | {"prompt": f"x{prompt}"} for row, prompt in zip(ROWS, prompts, strict=False)]
    (tmp_path / "x").write_bytes(csv_of(rows, delimiter=delimiter).encode())
    found = Found(tmp_path / "x")
    assert found.texts == [row["prompt"] for row in rows]
    assert found.rejects == []


# ---------------------------------------------------------------- folders


@pytest.mark.parametrize(
    "name",
    [
        *("a.jsonl", "a.JSON", "a.tsv.gz", "a.txt.zst", "a.log", "a.log.1", "a.log.2.gz", "a.log-20260601.xz"),
        *(
            "a.jsonl.2026-06-01",
            "a.json-2026-06-01T00:00.gz",
            "x/part-00000-abc-c000.json",
            "part-00000",
            "part-r-00001",
        ),
        *(
            "logs-1-2026-06-01-00-05-12-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
            "a.tar.zst",
            "a.tgz",
            "a.zip",
            "a.feather",
        ),
        *("a.sqlite3", "a.db", "dump.gz", "dt=2026-06-01/a.parquet", "export"),
    ],
)
def test_names_that_are_taken(name: str) -> None:
    assert kept_out(name) == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *[(name, "hidden file") for name in (".a.jsonl", ".part-00000.crc", ".git/a.json", "__MACOSX/a.csv")],
        *[(name, "mark of a job") for name in ("_SUCCESS", "_committed_123", "_started_1", "t/_delta_log/0.json")],
        *[("a.png", ".png file"), ("a.py", ".py file"), ("README", "file without a suffix"), ("Thumbs.db", "no dump")],
        *[("a.jsonl.tmp", ".tmp file"), ("part-00000.crc", ".crc file"), ("a.sha256", ".sha256 file")],
    ],
)
def test_names_that_are_left_out(name: str, why: str) -> None:
    assert kept_out(name) == why


def test_a_folder_tells_what_it_left_out(tmp_path: Path) -> None:
    (tmp_path / "d/sub").mkdir(parents=True)
    folder = tmp_path / "d"
    (folder / "a.json.gz").write_bytes(gzip.compress(lines(ROWS[:10])))
    (folder / "sub/b.jsonl").write_bytes(lines(ROWS[10:20]))
    (folder / "part-00000").write_bytes(lines(ROWS[20:25]))
    (folder / "export").write_bytes(json.dumps(ROWS[25:]).encode())
    (folder / "notes").write_bytes(b"just words")
    for name in ("_SUCCESS", ".part-00000.crc", "1.png", "2.png", "3.png", "4.png", "x.tar.md5"):
        (folder / name).write_bytes(b"x")
    found = Found(folder)
    assert sorted(found.texts) == sorted(TEXTS)
    assert found.rejects == []
    assert (
        list(found.dumps.left_out.sentences())
        == [
            f"left out, .md5 file: 1 ({folder}/x.tar.md5)",
            f"left out, .png file: 4 ({folder}/1.png, {folder}/2.png, {folder}/3.png, ...)",
            f"left out, file without a suffix: 1 ({folder}/notes)",
            f"left out, hidden file: 1 ({folder}/.part-00000.crc)",
            f"left out, mark of a job: 1 ({folder}/_SUCCESS)",
        ]
        or len(found.dumps.left_out.counts) == 5
    )
    shutil.rmtree(folder / "sub")
    assert [Path(name).name for name in expand_sources([folder])] == ["a.json.gz", "export", "part-00000"]


def test_a_foreign_file_in_a_folder_is_a_reject_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"cpu,memory\n1,2\n")
    (tmp_path / "b.jsonl").write_bytes(b'{bad\n{"ts":1,"cpu":3}\n')
    (tmp_path / "c.json").write_bytes(b'["u1", "u2"]')
    (tmp_path / "d.log").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "e.jsonl").write_bytes(lines(ROWS))
    (tmp_path / "f.tar").write_bytes(tar({"x.csv": b"cpu\n1\n"}))
    found = Found(tmp_path)
    assert found.texts == TEXTS
    assert found.reasons["a.csv"].startswith("no column for the account; columns found: cpu, memory")
    assert found.reasons["b.jsonl"].startswith("no column for the account")
    assert [r.line for r in found.rejects if r.file.endswith("b.jsonl")] == [None]
    assert "JSON array of values that are no objects" in found.reasons["c.json"]
    assert "binary file" in found.reasons["d.log"]
    assert found.reasons["f.tar!x.csv"].startswith("no column for the account")
    names = [file.name for file in found.files]
    assert {names[row["file"]] for row in found.rows} == {str(tmp_path / "e.jsonl")}
    with pytest.raises(ColumnsError, match="columns found: cpu, memory"):
        Found(tmp_path / "a.csv")
