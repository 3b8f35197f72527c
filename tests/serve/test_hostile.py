"""Two hundred hostile inputs: nothing outside of the folder is read, nobody is answered without a session."""

from __future__ import annotations

import itertools
import socket
from pathlib import Path
from urllib.parse import quote

from harvestdetect.serve.guard import HEADERS
from tests.report.making import HOSTILE, SCRIPT
from tests.serve.running import Client, Server
from tests.serve.test_pages import Elements

SECRET = "the-content-of-a-file-outside"
TRAVERSALS = (
    *("../secret", "..%2fsecret", "%2e%2e%2fsecret", "..%252fsecret", "....//secret", "..\\secret", "..%5csecret"),
    *("%00", "secret%00.css", "/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "//evil.example/x"),
    *("http://evil.example/", "%e2%80%ae", "{{7*7}}", "${7*7}", "%0d%0aSet-Cookie:%20a=b", "con", "~root", ".", ".."),
    quote(SCRIPT, safe=""),
)
TEXTS = (
    *(SCRIPT, HOSTILE.replace("\0", ""), "' OR 1=1 --", '"; DROP TABLE verdicts; --', "%s%n%x", "{{ page.form_key }}"),
    *("<svg onload=alert(1)>", "javascript:alert(1)", "\u202e\u2066\u200b", "é" * 300, "\r\nSet-Cookie: a=b", "\x00"),
    *("<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "=cmd|' /C calc'!A0", "a" * 5_000),
    *("]]><!--", "\ud7ff\ufffe", "&lt;script&gt;", "`${document.cookie}`", "😀" * 100),
)
HEADER_VALUES = ("'", SCRIPT.replace("\n", ""), "../..", "a" * 4_000, "null", "[::1]", "\xff", "{{7*7}}", "0x7f.1", "*")


def hostile_requests() -> list[tuple[str, str, dict[str, str], dict[str, str]]]:
    """Method, path, fields of the form and headers."""
    found: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
    for room, path in itertools.product(("/static/", "/finding/", "/account/", "/"), TRAVERSALS):
        found.append(("GET", room + path, {}, {}))
    for text in TEXTS:
        found.append(
            ("GET", "/?" + "&".join(f"{n}={quote(text[:80])}" for n in ("show", "tier", "sort", "page")), {}, {})
        )
        found.append(("POST", "/find", {"find": text}, {}))
        found.append(("POST", "/finding/c-0000000001/reveal", {"reason": text}, {}))
        fields = {"verdict": "unsure", "note": text, "expires": "", "seen": text}
        found.append(("POST", "/finding/c-0000000001/verdict", fields, {}))
        found.append(("POST", "/export", {"format": text, "tier": text, "campaign": text, "reason": text}, {}))
    for name, value in itertools.product(
        ("Host", "Origin", "Sec_Fetch_Site", "X_Forwarded_Host", "Accept"), HEADER_VALUES
    ):
        found.append(("GET", "/", {}, {name: value}))
    return found


def sent(client: Client, request: tuple[str, str, dict[str, str], dict[str, str]]) -> tuple[int, dict[str, str], str]:
    method, path, fields, headers = request
    if method == "POST":
        reply = client.post(path, {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()})
    else:
        reply = client.ask("GET", path, **headers)
    return reply.status, dict(reply.headers), reply.text


def test_two_hundred_hostile_inputs(server: Server, ann: Client, folders: tuple[Path, Path]) -> None:
    (folders[0].parent / "secret").write_text(SECRET)
    (folders[0] / "secret").write_text(SECRET)
    requests = hostile_requests()
    assert len(requests) >= 200
    stranger = Client(server.port)
    for request in requests:
        status, headers, text = sent(ann, request)
        assert status < 500, request
        assert SECRET not in text, request
        assert "root:x:" not in text, request
        assert {name: headers[name] for name in HEADERS} == dict(HEADERS), request
        assert headers.get("set-cookie") is None, request
        if text and headers["content-type"].startswith("text/html"):
            page = Elements(text)
            assert page.tags.count("script") == 1, request
            assert not [a for a in page.attributes if a[1].startswith("on")], request
            assert ">49<" not in text or "{{7*7}}" not in request[1], request
        if request[3].get("Host") is None and request[3].get("Sec_Fetch_Site") is None:
            status, _, text = sent(stranger, request)
            assert status in (401, 414), request
            assert len(text) < 200, request
    assert not [note for note in server.notes if "could not be made" in note], server.notes
    assert ann.get("/").status == 200


def test_bytes_that_are_no_request_end_the_connection(server: Server, ann: Client) -> None:
    garbage = (
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 100,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * 40_000 + b"\r\n\r\n",
        b"POST /find HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /find HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    )  # fmt: skip
    for data in garbage:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        assert not answer or answer.split(b" ")[1][:1] == b"4", data
        assert b"c-0000000001" not in answer
    assert ann.get("/").status == 200
