"""Who is let in, and what every answer says to the browser."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from harvestdetect.serve.guard import HEADERS, MAX_ADDRESS, MAX_BODY
from tests.serve.running import Client, Server, running, until

PATHS = ("/", "/finding/c-0000000001", "/runs", "/audit", "/status", "/static/page.css", "/static/page.js", "/nowhere")
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("cookie", ["", "harvestdetect=x", "other=1", "{name}=", "{name}=AAAA", ";;;=;{name}"])
def test_nothing_is_answered_without_a_session(server: Server, cookie: str) -> None:
    stranger = Client(server.port, cookie=cookie.format(name=server.serving.door.cookie))
    for path in PATHS:
        for method in ("GET", "HEAD", "POST"):
            reply = stranger.ask(method, path, Content_Type=FORM)
            assert reply.status == 401, (method, path)
            assert "c-0000000001" not in reply.text
            assert len(reply.text) < 100
            assert {name: reply.headers[name] for name in HEADERS} == dict(HEADERS)


def test_an_address_works_once(server: Server) -> None:
    address = server.serving.addresses["ann"]
    path = address[address.index("/enter") :]
    stranger = Client(server.port)
    assert stranger.get("/enter").status == 403
    assert stranger.get("/enter?token=").status == 403
    assert stranger.get(path[:-1]).status == 403
    assert stranger.ask("POST", path).status == 405
    first = stranger.get(path)
    assert first.status == 200
    cookie = first.headers["set-cookie"]
    assert "; HttpOnly; SameSite=Strict; Path=/" in cookie
    assert "Secure" not in cookie
    again = stranger.get(path)
    assert (again.status, "set-cookie" in again.headers) == (403, False)
    assert Client(server.port, cookie=cookie.split(";")[0]).get("/").status == 200
    assert server.notes == ["ann opened the page"]


def test_each_reviewer_has_an_own_session(server: Server) -> None:
    ann, bob = server.client("ann"), server.client("bob")
    assert ann.cookie != bob.cookie
    assert ann.secret != bob.secret
    assert '<p class="who-is">bob' in bob.get("/").text
    ann.post("/find", {"find": "translators"})
    assert "translators" in ann.get("/?found=yes").text.split("<main")[0]
    assert 'value=""' in bob.get("/").text.split("<main")[0]
    bob.secret = ann.secret
    assert bob.post("/find", {"find": "x"}).status == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:{other}", "127.0.0.1.evil.example:{port}", ""],
)
def test_other_names_lead_nowhere(server: Server, ann: Client, host: str) -> None:
    """A site whose name leads to this machine gets nothing, whatever cookies it brings."""
    ann.host = host.format(port=server.port, other=server.port + 1) or " "
    for path in (*PATHS, "/enter?token=x"):
        assert ann.get(path).status in (400, 403), path
    ann.host = f"LOCALHOST:{server.port}"
    assert ann.get("/").status == 200


def test_other_sites_get_nothing(server: Server, ann: Client) -> None:
    for site in ("cross-site", "same-site"):
        assert ann.get("/", Sec_Fetch_Site=site).status == 403
    for site in ("none", "same-origin"):
        assert ann.get("/", Sec_Fetch_Site=site).status == 200
    here = f"http://127.0.0.1:{server.port}"
    for origin in ("null", "http://evil.example", "https://127.0.0.1", f"{here}.evil.example", here.upper() + "/"):
        assert ann.post("/find", {"find": "x"}, Origin=origin).status == 403, origin
    body = f"key={ann.secret}&find=x"
    assert ann.ask("POST", "/find", body, Content_Type=FORM).status == 403, "no origin at all"
    assert ann.ask("POST", "/find", body, Content_Type=FORM, Sec_Fetch_Site="same-origin").status == 303
    assert ann.post("/find", {"find": "x"}, Origin=f"http://localhost:{server.port}").status == 303


@pytest.mark.parametrize("secret", ["", "x", "é", "\0"])
def test_a_form_needs_the_key_of_its_session(ann: Client, secret: str) -> None:
    for path in ("/find", "/export", "/finding/c-0000000001/verdict", "/finding/c-0000000001/reveal"):
        assert ann.post(path, {"key": secret, "reason": "r", "verdict": "benign"}).status == 403


def test_forms_have_limits(ann: Client) -> None:
    assert ann.post("/find", {}, Content_Type="text/plain").status == 415
    assert ann.post("/find", {}, Content_Type="multipart/form-data; boundary=x").status == 415
    assert ann.post("/find", {"find": "x" * MAX_BODY}).status == 413
    assert ann.post("/find", {f"f{i}": "x" for i in range(50)}).status == 400
    for body in (b"\xff\xfe", b"key=%FF&find=x", b"&&==;;"):
        sent = {"Content_Type": FORM, "Sec_Fetch_Site": "same-origin"}
        assert ann.ask("POST", "/find", body, **sent).status in (400, 403), body
    assert ann.get("/?" + "x" * MAX_ADDRESS).status == 414
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        assert ann.ask(method, "/").status == 405


def test_a_body_in_pieces_has_the_same_limit(server: Server, ann: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", "/find")
    headers = {"Cookie": ann.cookie, "Sec-Fetch-Site": "same-origin", "Content-Type": FORM}
    for name, value in (headers | {"Transfer-Encoding": "chunked"}).items():
        connection.putheader(name, value)
    connection.endheaders()
    piece = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    for _ in range(MAX_BODY // 0x2000 + 1):
        connection.send(piece)
    assert connection.getresponse().status == 413
    connection.close()


def test_headers_that_decide_come_once(server: Server) -> None:
    for name, values in (("Host", [f"127.0.0.1:{server.port}", "evil.example"]), ("Cookie", ["a=1", "b=2"])):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.putrequest("GET", "/", skip_host=True)
        for value in values:
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status in (400, 403), name
        connection.close()


def test_every_page_has_the_headers(ann: Client) -> None:
    for path in PATHS:
        reply = ann.get(path)
        assert {name: reply.headers[name] for name in HEADERS} == dict(HEADERS), path
        assert "server" not in reply.headers
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_a_page_that_fails_says_nothing_of_what_it_showed(server: Server, ann: Client) -> None:
    def broken() -> None:
        raise ValueError("the text of a prompt")

    server.desk.moment = broken  # type: ignore[assignment, method-assign]
    reply = ann.get("/")
    assert reply.status == 500
    assert "prompt" not in reply.text
    assert "Traceback" not in reply.text
    until(lambda: len(server.notes) == 2)
    assert server.notes[-1].startswith("a page could not be made: ValueError at test_guard.py:")


def test_a_server_that_is_read_only_writes_nothing(folders: tuple[Path, Path]) -> None:
    out, state = folders
    before = {path: path.read_bytes() for path in [*out.iterdir(), *state.rglob("*")] if path.is_file()}
    with running(out, state, read_only=True) as server:
        ann = server.client()
        page = ann.get("/finding/c-0000000001").text
        assert "read only" in page
        assert '<form method="post" action="/finding' not in page
        for path in ("verdict", "undo", "reveal", "hide"):
            fields = {"verdict": "benign", "seen": "0-0", "reason": "r", "expires": ""}
            assert ann.post(f"/finding/c-0000000001/{path}", fields).status in (303, 403), path
        assert ann.post("/export", {"format": "csv", "tier": "watch"}).status == 403
        assert "gravity" not in ann.get("/finding/c-0000000001").text
    after = {path: path.read_bytes() for path in [*out.iterdir(), *state.rglob("*")] if path.is_file()}
    assert {path.name for path in after} - {path.name for path in before} <= {"state.sqlite-shm", "state.sqlite-wal"}
    assert all(after[path] == content for path, content in before.items() if "sqlite" not in path.name)
