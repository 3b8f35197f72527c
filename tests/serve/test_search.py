"""The search of the page: questions, answers, what is hidden, and folders that cannot be searched."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvestdetect import search as searching
from harvestdetect.errors import LockedError
from harvestdetect.report import AUDIT
from harvestdetect.search import open_search
from harvestdetect.serve.searching import Searcher
from harvestdetect.store.models import SEARCH, remove_indexes
from tests.report.making import HOSTILE, make_detection, make_finding
from tests.search import worlds
from tests.serve.running import Client, Reply, Server, running, state_of, until, written
from tests.serve.test_pages import Elements

NEAR = (
    "Solve the following violin exam question step by step and grade your own reasoning from one to ten: lamp and lamp"
)


@pytest.fixture(autouse=True)
def _loaded_once(loaded_once: None, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test loads the wording model anew."""
    monkeypatch.setenv("HARVESTDETECT_CACHE", str(cache))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """The dump, the results and the work folder of a scan, with an index. No test changes them."""
    folder = tmp_path_factory.mktemp("scanned")
    worlds.write(folder / "dump" / "a.jsonl", worlds.rows())
    worlds.scan(folder / "dump", folder / "out", folder / "work", cache)
    open_search(folder / "out").close()
    return folder


@pytest.fixture
def place(scanned: Path, tmp_path: Path) -> Path:
    """A copy of the folders."""
    for name in ("out", "work"):
        shutil.copytree(scanned / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def served(place: Path) -> Iterator[Server]:
    with running(place / "out", work=place / "work") as server:
        yield server


@pytest.fixture
def ann(served: Server) -> Client:
    return served.client("ann")


def asked(client: Client, **fields: str) -> Reply:
    """The page with the answer to a question."""
    reply = client.post("/search", {"kind": "text", **fields})
    assert (reply.status, reply.headers["location"]) == (303, "/search#answer"), reply.text
    until(lambda: "Searching</h2>" not in client.get("/search").text, seconds=60)
    return client.get("/search")


def answer(page: Reply) -> str:
    return page.text[page.text.index('id="answer"') :]


def log_of(place: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (place / "out" / AUDIT).read_text().splitlines()]


def test_a_text_leads_to_accounts_campaigns_and_prompts(ann: Client) -> None:
    page = asked(ann, text=NEAR)
    assert page.status == 200
    shown = answer(page)
    assert "120 prompts of 24 accounts are near in wording, of 523 prompts" in shown
    campaign = re.search(r'href="(/finding/c-[0-9a-z]+)"', shown)
    assert campaign is not None
    assert ann.get(campaign[1]).status == 200
    assert shown.count('href="/account/') >= 24
    assert "one-7" in shown
    assert NEAR in page.text, "the form keeps the question"
    shown = answer(asked(ann, text="  WHICH lamp suits a small garden shed\r\nwith one window?", by="exact"))
    assert "2 prompts of 2 accounts are the same as the text" in shown
    assert "exact" in shown
    assert "No prompt of the window is like that" in asked(ann, text="zzz qqq", by="exact").text


def test_from_an_account_to_those_who_share_its_card(ann: Client) -> None:
    found = re.search(r'href="(/account/[0-9a-f]{20})" dir="auto">one-3<', asked(ann, text=NEAR).text)
    assert found is not None
    page = ann.get(found[1]).text
    assert "What else does it send?" in page
    shown = answer(asked(ann, kind="account", account=found[1].removeprefix("/account/")))
    assert re.search(r"\d+ prompts of \d+ accounts?, of 523 prompts", shown)
    assert "What <span" in shown
    tag = re.search(r'name="text" value="(card#[0-9a-f]+)"', shown)
    assert tag is not None
    assert "4242-0000" not in shown, "values are masked"
    shown = answer(asked(ann, kind="value", text=tag[1]))
    assert "40 prompts of 8 accounts" in shown
    assert "one-7" in shown
    assert "no prompt of the window has the value or tag" in asked(ann, kind="value", text="card#ffff").text
    assert "no prompt of the window is of the account" in asked(ann, kind="account", text="nobody").text


def test_an_account_without_a_finding_has_a_page(ann: Client) -> None:
    found = re.search(r'href="(/account/[0-9a-f]{20})" dir="auto">person-0-1<', asked(ann, text=worlds.TWICE).text)
    assert found is not None
    page = ann.get(found[1])
    assert page.status == 200
    assert "No finding or candidate of the last scan has this account" in page.text


def test_a_finding_leads_to_prompts_like_its_template(ann: Client) -> None:
    address = re.search(r'href="(/finding/c-[0-9a-z]+)"', ann.get("/").text)
    assert address is not None
    page = ann.get(address[1])
    assert 'value="template"' in page.text
    fields = {"kind": "template", "campaign": page.field("campaign"), "template": "0"}
    assert "of 24 accounts are near in wording" in answer(asked(ann, **fields))
    for bad in ({"template": "99"}, {"template": "-1"}, {"template": "x"}, {"campaign": "c-0"}):
        reply = ann.post("/search", {**fields, **bad})
        assert (reply.status, "no such template" in reply.text) == (400, True), bad


def test_the_heading_of_a_finding_is_its_title(ann: Client) -> None:
    queue = ann.get("/").text
    found = re.search(r'<a href="(/finding/c-[0-9a-z]+)">([^<]+)</a>', queue)
    assert found is not None
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", ann.get(found[1]).text, re.DOTALL)
    assert heading is not None
    assert found[2] in heading[1]
    ann.post("/find", {"find": found[2][:25].upper()})
    assert found[1] in ann.get("/?show=all").text, "the search of the queue covers titles"


def test_texts_of_an_answer_are_hidden_until_somebody_says_why(served: Server, ann: Client, place: Path) -> None:
    question = "garden shed window"
    hidden = asked(ann, text=question)
    assert "Which lamp suits" not in hidden.text
    assert ann.post("/search/reveal", {"reason": " "}).status == 400
    assert ann.post("/search/reveal", {"reason": "case 7"}).headers["location"] == "/search#prompts"
    assert "Which lamp suits" in ann.get("/search").text
    bob = served.client("bob")
    assert "Which lamp suits" not in bob.get("/search").text, "it is shown in one session"
    assert bob.post("/search/reveal", {"reason": "r"}).status == 404, "nothing was asked"
    ann.post("/search/hide", {})
    assert "Which lamp suits" not in ann.get("/search").text
    ann.post("/search/reveal", {"reason": "case 7"})
    assert "Which lamp suits" not in asked(ann, text=question).text, "a new answer is hidden"
    lines = [(one["what"], one.get("detail")) for one in log_of(place) if one["what"] in ("search", "reveal")]
    assert lines == [
        ("search", {"question": "text", "by": "wording"}),
        ("reveal", {"of": "search", "reason": "case 7"}),
        ("reveal", {"of": "search", "reason": "case 7"}),
        ("search", {"question": "text", "by": "wording"}),
    ]


def test_no_text_is_in_an_address_or_a_log(served: Server, ann: Client, place: Path) -> None:
    pages = [
        asked(ann, text=worlds.TWICE),
        asked(ann, kind="account", text="one-3"),
        asked(ann, kind="value", text="4242-0000-1"),
    ]
    ann.post("/search/seeds", {"of": "accounts", "reason": "a hunt"})
    secrets = ("lamp", "one-3", "4242-0000")
    log = (place / "out" / AUDIT).read_text()
    assert not [one for one in secrets if one in log or one in " ".join(served.notes)]
    for page in pages:
        found = Elements(page.text)
        links = [value for _, name, value in found.attributes if name in ("href", "action", "src")]
        assert not [link for link in links for one in secrets if one in link]
        title = re.search(r"<title>(.*?)</title>", page.text)
        assert title is not None
        assert title[1] == "Search – harvestdetect"
    assert ann.get("/search?text=lamp").text.count("lamp") == ann.get("/search").text.count("lamp")


def test_hostile_texts_in_answers_are_inert(ann: Client) -> None:
    pages = []
    for fields in ({"text": worlds.HOSTILE}, {"kind": "account", "text": "\x1b]0;evil\x07"}, {"text": HOSTILE}):
        asked(ann, **fields)
        ann.post("/search/reveal", {"reason": HOSTILE})
        pages.append(ann.get("/search"))
    assert "alert(1)" in answer(pages[0])
    assert "bob@example.org" not in answer(pages[0]), "addresses are redacted"
    evil = re.search(r'href="(/account/[0-9a-f]{20})" dir="auto">[^<]*<b', answer(pages[1]))
    assert evil is not None
    pages.append(ann.get(evil[1]))
    for page in pages:
        assert page.status == 200
        found = Elements(page.text)
        assert found.tags.count("script") == 1
        assert not {"img", "iframe", "svg", "style", "base"} & set(found.tags)
        assert not [a for a in found.attributes if a[1].startswith("on") or a[1] == "style"]
        assert not [c for c in ("\x1b", "\x07", "\u202e", "\u200b") if c in page.text]


def test_forms_that_ask_nothing_are_refused(ann: Client) -> None:
    for fields in (
        {}, {"kind": "text"}, {"kind": "text", "text": " \r\n "}, {"kind": "x", "text": "y"},
        {"kind": "text", "text": "y", "by": "feeling"}, {"kind": "account", "account": "0" * 20},
        {"kind": "text", "text": "x" * 20_001},
    ):  # fmt: skip
        reply = ann.post("/search", fields)
        assert reply.status == 400, fields
        assert 'role="alert"' in reply.text
    assert ann.post("/search", {"kind": "text", "text": "é" * 20_000}).status == 303, "a long text fits"
    assert ann.post("/search", {"kind": "text", "text": "x" * 262_144}).status == 413
    assert ann.get("/search/seeds").status == 404


def test_seeds_for_a_hunt(ann: Client, place: Path) -> None:
    assert ann.post("/search/seeds", {"of": "accounts", "reason": "r"}).status == 404, "nothing was asked"
    asked(ann, kind="value", text="4242-0000-1")
    assert ann.post("/search/seeds", {"of": "accounts"}).status == 400
    assert ann.post("/search/seeds", {"of": "question", "reason": "r"}).status == 404
    reply = ann.post("/search/seeds", {"of": "accounts", "reason": "a shared card"})
    assert reply.headers["content-disposition"] == 'attachment; filename="seeds.jsonl"'
    seeds = [json.loads(line) for line in reply.text.splitlines()]
    assert {one["account"] for one in seeds} == {f"one-{i}" for i in range(8, 16)}
    asked(ann, text=NEAR)
    reply = ann.post("/search/seeds", {"of": "question", "reason": "a text"})
    assert [json.loads(line) for line in reply.text.splitlines()] == [{"text": NEAR}]
    exports = [one["detail"] for one in log_of(place) if one["what"] == "export"]
    assert exports[0] == {"format": "seeds", "shown": ["accounts"], "reason": "a shared card"}
    assert len(exports) == 2


def test_all_accounts_are_seeds_even_if_the_page_lists_fewer(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Searcher.ask.__kwdefaults__ is not None
    monkeypatch.setitem(Searcher.ask.__kwdefaults__, "top", 3)
    page = asked(ann, text=NEAR)
    assert "21 more accounts are not listed" in page.text
    reply = ann.post("/search/seeds", {"of": "accounts", "reason": "r"})
    assert len(reply.text.splitlines()) == 24


def test_nothing_is_searched_that_cannot_be_recorded(ann: Client, place: Path) -> None:
    asked(ann, text=worlds.TWICE)
    log = place / "out" / AUDIT
    log.unlink()
    log.mkdir()
    reply = ann.post("/search", {"kind": "account", "text": "one-3"})
    assert (reply.status, "nothing was done" in reply.text) == (503, True)
    assert ann.post("/search/reveal", {"reason": "r"}).status == 503
    assert ann.post("/search/seeds", {"of": "accounts", "reason": "r"}).status == 503
    page = ann.get("/search").text
    assert "What one-3 sends" not in page
    assert "Which lamp suits a small" not in page[page.index('id="answer"') :]


def test_a_server_that_is_read_only_searches_and_writes_nothing(place: Path) -> None:
    def files() -> list[tuple[Path, int]]:
        return sorted((path, path.stat().st_mtime_ns) for path in place.rglob("*"))

    before = files()
    with running(place / "out", work=place / "work", read_only=True) as server:
        ann = server.client()
        assert "of 24 accounts are near" in asked(ann, text=NEAR).text
        assert "alike in meaning" not in ann.get("/search").text
        assert "read only" in asked(ann, text=NEAR, by="meaning").text
        assert ann.post("/search/reveal", {"reason": "r"}).status == 403
        assert ann.post("/search/seeds", {"of": "accounts", "reason": "r"}).status == 403
    assert files() == before
    remove_indexes(place / "work")
    before = files()
    with running(place / "out", work=place / "work", read_only=True) as server:
        ann = server.client()
        for page in (ann.get("/search"), asked(ann, text=NEAR)):
            assert "no search index" in page.text
            assert f"harvestdetect search {place / 'out'} --work {place / 'work'}" in page.text
    assert files() == before


def test_an_index_is_made_while_the_page_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove_indexes(place / "work")
    going, real = threading.Event(), searching._make

    def slow(*given: object) -> None:
        assert going.wait(20)
        real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(searching, "_make", slow)
    with running(place / "out", work=place / "work") as server:
        ann = server.client()
        assert "The first question makes an index" in ann.get("/search").text
        assert ann.post("/search", {"kind": "text", "text": NEAR}).status == 303
        page = ann.get("/search").text
        assert '<meta http-equiv="refresh" content="4;url=/search">' in page
        assert "The index of all prompts of the window is being made, which began just now" in page
        assert ann.get("/").status == 200, "other pages go on"
        going.set()
        until(lambda: "of 24 accounts are near" in ann.get("/search").text)
        assert "http-equiv" not in ann.get("/search").text
    assert len(list((place / "work" / SEARCH).iterdir())) == 1


def test_an_answer_goes_with_its_index(ann: Client, place: Path) -> None:
    """An erasure removes the indexes; what was answered from them is not shown any more."""
    assert "of 24 accounts" in asked(ann, text=NEAR).text
    remove_indexes(place / "work")
    page = ann.get("/search").text
    assert "gone or was made again" in page
    assert "of 24 accounts" not in page
    assert NEAR not in ann.get("/search").text
    assert "of 24 accounts" in asked(ann, text=NEAR).text, "it is made again"


def test_an_answer_before_a_newer_scan_says_so(ann: Client, place: Path) -> None:
    assert "a newer scan" not in asked(ann, text=NEAR).text
    (place / "out" / "campaigns.jsonl").write_text("")
    assert "there is a newer scan since this was asked" in ann.get("/search").text
    page = asked(ann, text=NEAR)
    assert "a newer scan since" not in page.text
    assert "of 24 accounts are near" in page.text
    assert "By campaign" not in page.text, "the newer scan found none"


def test_a_folder_that_cannot_be_searched_says_what_helps(tmp_path: Path, place: Path) -> None:
    out = written(make_detection(make_finding("c-0000000001")), tmp_path / "plain")
    with running(out) as server:
        ann = server.client()
        for page in (ann.get("/search"), asked(ann, text="x y z")):
            assert f"harvestdetect scan DUMP --out {out} --work WORK" in page.text
            assert 'role="alert"' in page.text
    state = state_of(make_detection(make_finding("c-0000000001")), tmp_path / "state")
    with running(state) as server:
        page = asked(server.client(), kind="account", text="user0")
        assert "Nothing was searched" in page.text
        assert f"{state}" in page.text
    with running(place / "out", work=place / "gone") as server:
        ann = server.client()
        assert "is not there" in ann.get("/search").text


def test_a_state_that_a_scan_uses_is_said(ann: Client, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove_indexes(place / "work")

    def busy(*given: object) -> None:
        raise LockedError("another process is using the state")

    with monkeypatch.context() as patched:
        patched.setattr(searching, "_make", busy)
        page = asked(ann, text=NEAR)
    assert "Nothing was searched: another process is using the state." in page.text
    assert "harvestdetect search" in page.text
    assert "of 24 accounts" in asked(ann, text=NEAR).text


def test_an_error_of_the_search_says_nothing_of_the_question(
    served: Server, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object, **more: object) -> None:
        raise ZeroDivisionError("the secret question")

    monkeypatch.setattr("harvestdetect.search.opened.Search.nearest", broken)
    ann.post("/search", {"kind": "text", "text": "the secret question"})
    until(
        lambda: served.notes[-1].startswith("a page could not be made: ZeroDivisionError") or ann.get("/search") is None
    )
    assert "secret" not in " ".join(served.notes)
    assert ann.get("/search").status == 200, "the page can be used again"
