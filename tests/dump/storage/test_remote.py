"""Reading from an object store, against a small S3 server on the loopback interface."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harvestdetect.dump import expand_sources, read_dumps
from harvestdetect.errors import InputError, UsageError

ROWS = [{"account": f"a{i}", "prompt": f"text {i}", "timestamp": 1_750_000_000 + i} for i in range(50)]


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return bytes(sink.getvalue().to_pybytes())


LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
OBJECTS = {
    "dumps/day 1/a.jsonl": LINES,
    "dumps/day 1/b.jsonl.gz": gzip.compress(LINES),
    "dumps/c.parquet": _parquet(),
    "dumps/.hidden/d.jsonl": LINES,
    "dumps/README.md": b"not a dump",
    "other/e.csv": b"account,prompt\nx,y\n",
}


class Handler(BaseHTTPRequestHandler):
    """As much of S3 as reading needs: ListObjectsV2, HeadObject, GetObject with ranges."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if bucket == "denied":
            self._error(403, "AccessDenied")
        elif bucket != "bucket":
            self._error(404, "NoSuchBucket")
        elif not key:
            self._list(parse_qs(url.query)) if self.command == "GET" else self._send(200)
        elif key not in OBJECTS:
            self._error(404, "NoSuchKey")
        else:
            body, headers, status = (
                OBJECTS[key],
                {"ETag": '"x"', "Last_Modified": "Sun, 15 Jun 2025 15:06:40 GMT"},
                200,
            )
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if wanted:
                start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(body))
                headers["Content_Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
                body, status = body[start:stop], 206
            self._send(status, body, Content_Length=str(len(body)), **headers)

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        delimiter = query.get("delimiter", [""])[0]
        limit = int(query.get("max-keys", ["1000"])[0])
        contents, prefixes = [], set()
        for key, body in sorted(OBJECTS.items()):
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in key[len(prefix) :]:
                prefixes.add(prefix + key[len(prefix) :].split(delimiter)[0] + delimiter)
            else:
                contents.append(
                    f"<Contents><Key>{escape(key)}</Key><LastModified>2025-06-15T15:06:40.000Z</LastModified>"
                    f"<ETag>x</ETag><Size>{len(body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
                )
        common = [f"<CommonPrefixes><Prefix>{escape(p)}</Prefix></CommonPrefixes>" for p in sorted(prefixes)]
        found = [*contents, *common][:limit]
        self._send(
            200,
            (
                '<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated>'
                f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>{''.join(found)}</ListBucketResult>"
            ).encode(),
            Content_Type="application/xml",
        )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)


def test_objects_prefixes_and_globs() -> None:
    everything = [
        "s3://bucket/dumps/c.parquet",
        "s3://bucket/dumps/day 1/a.jsonl",
        "s3://bucket/dumps/day 1/b.jsonl.gz",
    ]
    assert expand_sources(["s3://bucket/dumps"]) == everything
    assert expand_sources(["s3://bucket/dumps/", "s3://bucket/dumps/c.parquet"]) == everything
    assert expand_sources(["s3://bucket/dumps/*/*.jsonl"]) == everything[1:2]
    assert expand_sources(["s3://bucket/dumps/*"]) == everything[:1]
    assert expand_sources(["s3://bucket/dumps/**"]) == everything
    assert expand_sources(["s3://bucket"]) == [*everything, "s3://bucket/other/e.csv"]


def test_rows_and_digests() -> None:
    heard: list[tuple[int, int | None]] = []
    batches = list(read_dumps(["s3://bucket/dumps"], progress=lambda done, total: heard.append((done, total))))
    assert [reject for batch in batches for reject in batch.rejects] == []
    files = [file for batch in batches for file in batch.files]
    assert [(file.format, file.rows) for file in files] == [
        ("parquet", 50),
        ("jsonl", 50),
        ("jsonl+gzip", 50),
    ]
    for file in files:
        body = OBJECTS[file.name.removeprefix("s3://bucket/")]
        assert (file.bytes, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    parts = [batch.prompts.column("parts").to_pylist() for batch in batches]
    assert parts[0] == parts[1] == parts[2] == [[row["prompt"]] for row in ROWS]
    assert heard[-1] == (sum(file.bytes for file in files),) * 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("s3://bucket/missing.jsonl", "no such file or folder: s3://bucket/missing.jsonl"),
        ("s3://bucket/missing*.jsonl", "no dumps at s3://bucket/missing"),
        ("s3://nowhere/x.jsonl", "no such file|cannot list"),
        ("s3://denied/x.jsonl", "cannot list s3://denied/x.jsonl"),
    ],
)
def test_objects_that_are_not_there(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        expand_sources([source])


def test_no_bucket() -> None:
    with pytest.raises(UsageError, match="names no bucket"):
        expand_sources(["s3:///x"])
