"""What the pages show, and what they hide."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

from harvestdetect.report import AUDIT
from harvestdetect.state import open_state
from tests.report.making import HOSTILE, make_detection, make_finding
from tests.serve.running import Client, Server, running, state_of, until, written

FIRST, OTHER = "/finding/c-0000000001", "/finding/c-0000000002"


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def account_path(client: Client, page: str = FIRST) -> str:
    found = re.search(r"/account/[0-9a-f]{20}", client.get(page).text)
    assert found is not None
    return found[0]


def test_the_queue_lists_findings_and_leads_to_them(ann: Client) -> None:
    page = ann.get("/")
    assert page.status == 200
    assert page.text.index(f'href="{FIRST}"') < page.text.index(f'href="{OTHER}"')
    assert "A quiet group of translators" in page.text
    assert FIRST not in ann.get("/?tier=review").text
    assert OTHER in ann.get("/?tier=review").text
    assert FIRST not in ann.get("/?show=judged").text
    assert "No finding is like that" in ann.get("/?family=intent").text
    assert FIRST in ann.get("/?tier=%3Cscript%3E&sort=nonsense&page=99999999").text


def test_a_finding_is_shown_among_the_traffic(ann: Client) -> None:
    page = ann.get(OTHER).text
    drawn = page[page.index('id="map"') : page.index('id="accounts"')]
    assert re.findall(r'<g class="(.*?)">', drawn) == ["m0"]
    assert "c-0000000002" in drawn
    assert "c-0000000001" not in drawn
    assert "2 other prompts, a sample of the 5,000 of the dump" in drawn
    assert "style=" not in drawn


def test_searching_stays_out_of_addresses(ann: Client) -> None:
    reply = ann.post("/find", {"find": "TRANSLATORS"})
    assert (reply.status, reply.headers["location"]) == (303, "/?show=all&found=yes")
    page = ann.get("/?show=all&found=yes").text
    assert (OTHER in page, FIRST in page) == (True, False)
    ann.post("/find", {"find": "quiet1"})
    page = ann.get("/?show=all&found=yes").text
    assert (OTHER in page, FIRST in page) == (True, False)
    assert "quiet1</a>" in page
    ann.post("/find", {"find": "0000000001"})
    page = ann.get("/?found=yes").text
    assert (OTHER in page, FIRST in page) == (False, True)
    ann.post("/find", {"find": ""})
    assert OTHER in ann.get("/").text


def test_links_of_tiers_and_pages_end_a_search_and_filters_keep_it(ann: Client) -> None:
    for address, kept in (("/?tier=review", False), ("/", False), ("/?show=all&sort=new&found=yes", True)):
        where = ann.post("/find", {"find": "0000000001"}).headers["location"]
        page = ann.get(where).text
        assert 'name="found" value="yes"' in page, "the filters ask for what was found"
        assert f'href="{address}"' in page or kept
        page = ann.get(address).text
        assert (OTHER in page) != kept, address
        assert ('value="0000000001"' in page, "Only findings with" in page) == (kept, kept)
        page = ann.get(FIRST).text
        assert ('value="0000000001"' in page) == kept, "the way back leads to what was found"
        assert ("found=yes" in page) == kept


def test_texts_are_hidden_until_somebody_says_why(server: Server, ann: Client, folders: tuple[Path, Path]) -> None:
    bob = server.client("bob")
    hidden = ann.get(FIRST).text
    assert "gravity" not in hidden
    assert "x" * 100 not in hidden
    assert "Explain" in hidden, "the fixed words of the template stay"
    assert ann.post(f"{FIRST}/reveal", {"reason": "  "}).status == 400
    assert ann.post(f"{FIRST}/reveal", {"reason": "case 7"}).headers["location"] == f"{FIRST}#texts"
    shown = ann.get(FIRST).text
    assert "gravity" in shown
    assert "x" * 100 in shown
    assert "gravity" not in bob.get(FIRST).text, "it is shown in one session"
    assert ann.post(f"{FIRST}/hide", {}).status == 303
    assert "gravity" not in ann.get(FIRST).text
    lines = [json.loads(line) for line in (folders[1] / AUDIT).read_text().splitlines()]
    assert [(one["who"], one["what"]) for one in lines if one["what"] == "reveal"] == [("ann", "reveal")]
    assert lines[-1]["detail"] == {"reason": "case 7"}
    assert lines[-1]["campaign"] == "c-0000000001"
    page = ann.get("/audit").text
    assert "case 7" in page
    assert page.count("reveal") >= 1


def test_nothing_is_shown_that_cannot_be_recorded(server: Server, ann: Client, folders: tuple[Path, Path]) -> None:
    log = folders[1] / AUDIT
    log.unlink()
    log.mkdir()
    reply = ann.post(f"{FIRST}/reveal", {"reason": "case 7"})
    assert reply.status == 503
    assert "nothing was done" in reply.text
    assert "gravity" not in ann.get(FIRST).text
    assert ann.post("/export", {"format": "csv", "tier": "watch"}).status == 400
    fields = {"verdict": "benign", "seen": "0-0", "note": "a note", "expires": ""}
    reply = ann.post(f"{FIRST}/verdict", fields)
    assert reply.status == 503
    assert ">a note</textarea>" in reply.text, "what was written is not lost"
    with open_state(folders[1]) as state:
        assert state.verdicts() == []


def test_hostile_texts_are_inert_on_every_page(ann: Client) -> None:
    ann.post(f"{FIRST}/reveal", {"reason": HOSTILE})
    fields = {"verdict": "unsure", "seen": "0-0", "note": HOSTILE.replace("\0", ""), "expires": ""}
    assert ann.post(f"{FIRST}/verdict", fields).status == 303
    ann.post("/find", {"find": HOSTILE})
    addresses = [
        "/",
        "/?show=all",
        FIRST,
        f"{FIRST}?accounts=1",
        "/runs",
        "/runs/compare?older=1&newer=2",
        "/search",
        "/audit",
    ]
    ann.post("/find", {"find": "u"})
    addresses += sorted(set(re.findall(r"/account/[0-9a-f]{20}", ann.get(FIRST).text)))
    ann.post("/find", {"find": HOSTILE})
    assert len(addresses) > 20
    for address in addresses:
        reply = ann.get(address)
        assert reply.status == 200, address
        page = Elements(reply.text)
        assert page.tags.count("script") == 1, address
        assert not {"img", "iframe", "object", "embed", "style", "base", "link2"} & set(page.tags), address
        assert not [a for a in page.attributes if a[1].startswith("on") or a[1] == "style"], address
        links = [value for _, name, value in page.attributes if name in ("href", "action", "src")]
        assert all(re.fullmatch(r"|#[\w-]+|/[\w./?=&#-]*", value) for value in links), (address, links)
        for character in ("\x1b", "\x00", "\u202e", "\u200b", "\U000e0041", "\x9b"):
            assert character not in reply.text, address


def test_the_prompts_of_a_finding_are_listed_by_place(ann: Client) -> None:
    page = ann.get(FIRST).text
    assert "Prompts: 92" in page
    assert "2026-03-01 00:00:00" in page
    assert "Which account sent on which day" in page
    assert "Page 1 of 4" in page
    last = ann.get(f"{FIRST}?prompts=4").text
    assert "2026-03-04 00:00:00" in last
    assert ann.get(f"{FIRST}?prompts=999&accounts=999").text.count("Page 4 of 4") == 1
    assert ann.get(f"{FIRST}?prompts=-1&accounts=x").status == 200


def test_an_account_has_a_page(ann: Client) -> None:
    page = ann.get(account_path(ann))
    assert "Prompts per day" in page.text
    assert page.status == 200
    assert "posterior probability" in page.text
    assert FIRST in page.text
    assert "sent 2 templates" in page.text
    for address in ("/account/0" * 3, "/account/" + "0" * 20, "/account/user0", "/account/..%2f..%2fetc%2fpasswd"):
        assert ann.get(address).status == 404, address


def test_runs_and_their_difference(ann: Client) -> None:
    page = ann.get("/runs").text
    assert "2026-03-01" in page
    assert "/runs/compare?older=1&amp;newer=2" in page
    page = ann.get("/runs/compare?older=1&newer=2").text
    assert "Grown: 2" in page
    assert "24 → 25" in page
    assert "Nothing is different" not in page
    for query in ("older=1", "older=1&newer=9", "older=x&newer=2", "older=-1&newer=2", ""):
        assert ann.get(f"/runs/compare?{query}").status == 404, query


def test_exports_are_redacted_and_recorded(ann: Client, folders: tuple[Path, Path]) -> None:
    reply = ann.post("/export", {"format": "csv-accounts", "tier": "watch"})
    assert reply.status == 200
    assert reply.headers["content-disposition"] == 'attachment; filename="harvestdetect-csv-accounts.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert rows
    assert all(row["account"].startswith("account-") for row in rows)
    for form in ("csv", "ocsf", "stix", "misp", "graphml"):
        reply = ann.post("/export", {"format": form, "tier": "watch", "campaign": "c-0000000002"})
        assert reply.status == 200, form
        assert "quiet0" not in reply.text
        assert "gravity" not in reply.text
    assert ann.post("/export", {"format": "csv-accounts", "tier": "watch", "accounts": "yes"}).status == 400
    fields = {"format": "csv-accounts", "tier": "watch", "accounts": "yes", "reason": "to block them"}
    assert "quiet0" in ann.post("/export", fields).text
    for bad in ({"format": "../x"}, {"tier": "all"}, {"campaign": "c-9"}, {"format": "xarf"}):
        assert ann.post("/export", {"format": "csv", "tier": "watch", **bad}).status == 404
    lines = [json.loads(line) for line in (folders[1] / AUDIT).read_text().splitlines()]
    exports = [one for one in lines if one["what"] == "export"]
    assert len(exports) == 7
    assert exports[-1]["detail"]["shown"] == ["accounts"]
    assert exports[-1]["detail"]["reason"] == "to block them"


def test_a_newer_scan_is_read_and_the_page_says_so_meanwhile(
    server: Server, ann: Client, folders: tuple[Path, Path]
) -> None:
    stamp = ann.get("/status").text
    later = make_detection(make_finding("c-0000000009", summary="A group that is new", members=()))
    written(later, folders[0])
    page = ann.get("/").text
    assert "A newer scan is being read" in page or "A group that is new" in page
    until(lambda: "A group that is new" in ann.get("/").text)
    assert "A newer scan" not in ann.get("/").text
    assert ann.get("/status").text != stamp
    page = ann.get("/?show=all").text
    assert "not in the last scan" in page, "the state still knows the others"
    assert "The last scan did not find this campaign" in ann.get(FIRST).text


def test_results_that_cannot_be_read_leave_the_ones_before(
    server: Server, ann: Client, folders: tuple[Path, Path]
) -> None:
    (folders[0] / "campaigns.jsonl").write_text("{}\n")
    until(lambda: "but they cannot be read" in ann.get("/").text)
    assert "A quiet group of translators" in ann.get("/").text


def test_a_scan_without_a_state(tmp_path: Path) -> None:
    out = written(make_detection(make_finding("c-0000000001")), tmp_path / "out")
    with running(out) as server:
        ann = server.client()
        assert "This folder has no state" in ann.get("/").text
        assert "Verdicts are kept in a state" in ann.get(FIRST).text
        assert "no history" in ann.get("/runs").text
        fields = {"verdict": "benign", "seen": "0-0", "expires": ""}
        assert ann.post(f"{FIRST}/verdict", fields).status == 404
        assert ann.post(f"{FIRST}/reveal", {"reason": "r"}).status == 303
    assert (out / AUDIT).stat().st_mode & 0o777 == 0o600


def test_a_state_without_a_scan(tmp_path: Path) -> None:
    state = state_of(make_detection(make_finding("c-0000000001")), tmp_path / "state")
    with running(state) as server:
        ann = server.client()
        assert "keeps no evidence" in ann.get("/").text
        page = ann.get(FIRST).text
        assert "Accounts ever" in page
        assert "user0" in page
        assert "Prompts per day" in page
        assert "<b>1</b> …</span>" in page
        assert "Explain" in page
        assert ann.post("/export", {"format": "csv", "tier": "watch"}).status == 200
        fields = {"verdict": "harvest", "seen": "0-0", "note": "n", "expires": "30d"}
        assert ann.post(f"{FIRST}/verdict", fields).status == 303
        assert "ann judged it harvest" in ann.get(FIRST).text


def test_a_campaign_that_was_merged_leads_to_the_other(folders: tuple[Path, Path]) -> None:
    with open_state(folders[1], write=True) as state, state._store.transaction() as connection:
        connection.execute(
            "INSERT INTO campaigns SELECT 'c-00000000aa', 1, detected, tier, status, 1, 'c-0000000001', NULL, finding"
            " FROM campaigns WHERE campaign = 'c-0000000001'"
        )
    with running(*folders) as server:
        reply = server.client().get("/finding/c-00000000aa")
        assert (reply.status, reply.headers["location"]) == (303, FIRST)


def test_ids_of_other_programs_stay_out_of_addresses(tmp_path: Path) -> None:
    odd = "c-<script>/../é"
    out = written(make_detection(make_finding(odd)), tmp_path / "out")
    with running(out) as server:
        ann = server.client()
        found = re.search(r'href="(/finding/x-[0-9a-f]{20})"', ann.get("/").text)
        assert found is not None
        assert ann.get(found[1]).status == 200
