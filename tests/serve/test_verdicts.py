"""Verdicts on the page: two people, undo, notes, and a state that is in use."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harvestdetect.report import AUDIT
from harvestdetect.serve import verdicts
from harvestdetect.serve.audit import Audit
from harvestdetect.state import open_state
from tests.serve.running import Client, Server

FIRST = "/finding/c-0000000001"


def judge(client: Client, verdict: str, *, note: str = "", expires: str = "", seen: str | None = None) -> int:
    seen = client.get(FIRST).field("seen") if seen is None else seen
    fields = {"verdict": verdict, "note": note, "expires": expires, "seen": seen}
    return client.post(f"{FIRST}/verdict", fields).status


def test_a_verdict_is_given_and_undone(server: Server, ann: Client, folders: tuple[Path, Path]) -> None:
    assert judge(ann, "benign", note="a course at a school", expires="90d") == 303
    page = ann.get(FIRST).text
    assert "The verdict was saved: benign." in page
    assert "a course at a school" in page
    assert "The verdict was saved" not in ann.get(FIRST).text
    assert FIRST not in ann.get("/").text
    assert FIRST in ann.get("/?show=judged").text
    with open_state(folders[1]) as state:
        (given,) = state.verdicts("c-0000000001")
    assert (given.verdict, given.reviewer, given.note) == ("benign", "ann", "a course at a school")
    assert given.expires is not None
    assert given.expires - given.at == 90 * 86_400
    assert ann.post(f"{FIRST}/undo", {"seen": "1-0"}).status == 303
    assert FIRST in ann.get("/").text
    lines = (folders[1] / AUDIT).read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["enter", "verdict", "undo"]
    assert "a course" not in "".join(lines), "notes stay in the state"


def test_the_slower_of_two_people_sees_the_other_verdict(server: Server, ann: Client) -> None:
    bob = server.client("bob")
    seen = bob.get(FIRST).field("seen")
    assert judge(ann, "harvest", note="the list is dealt") == 303
    fields = {"verdict": "benign", "note": "my own view", "expires": "30d", "seen": seen}
    reply = bob.post(f"{FIRST}/verdict", fields)
    assert reply.status == 409
    assert "judged harvest by ann" in reply.text
    assert "the list is dealt" in reply.text
    assert ">my own view</textarea>" in reply.text
    assert 'value="benign" required checked' in reply.text
    assert 'value="30d" selected' in reply.text
    fields["seen"] = reply.field("seen")
    assert bob.post(f"{FIRST}/verdict", fields).status == 303
    assert ann.post(f"{FIRST}/undo", {"seen": "1-0"}).status == 409, "an undo must not hit the verdict of the other"
    assert "bob judged it benign" in ann.get(FIRST).text


def test_a_form_that_is_sent_twice_is_stored_once(ann: Client, folders: tuple[Path, Path]) -> None:
    assert judge(ann, "unsure", note="n", seen="0-0") == 303
    assert judge(ann, "unsure", note="n", seen="0-0") == 303
    with open_state(folders[1]) as state:
        assert len(state.verdicts()) == 1


def test_a_verdict_of_the_command_line_counts_at_once(ann: Client, folders: tuple[Path, Path]) -> None:
    seen = ann.get(FIRST).field("seen")
    with open_state(folders[1], write=True) as state:
        state.review("c-0000000001", "harvest", reviewer="carol")
    assert "carol judged it harvest" in ann.get(FIRST).text
    assert judge(ann, "benign", seen=seen) == 409


def test_a_scan_that_works_leaves_the_text_of_the_form(
    ann: Client, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "WAIT", 0.2)
    with open_state(folders[1], write=True):
        reply = ann.post(f"{FIRST}/verdict", {"verdict": "benign", "note": "kept", "expires": "", "seen": "0-0"})
        assert reply.status == 503
        assert "A scan is using the state" in reply.text
        assert ">kept</textarea>" in reply.text
        assert ann.get("/").status == 200
    assert judge(ann, "benign", note="kept") == 303


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "guilty"},
        {"verdict": ""},
        {"verdict": "benign", "expires": "1000y"},
        {"verdict": "benign", "note": "x" * 2_001},
    ],
)
def test_what_is_no_verdict_changes_nothing(ann: Client, folders: tuple[Path, Path], fields: dict[str, str]) -> None:
    reply = ann.post(f"{FIRST}/verdict", {"note": "", "expires": "", "seen": "0-0", **fields})
    assert reply.status == 400
    assert 'role="alert"' in reply.text
    with open_state(folders[1]) as state:
        assert state.verdicts() == []


def test_only_what_the_state_knows_is_judged(ann: Client) -> None:
    for path in ("/finding/c-9999999999", "/finding/..%2f..%2fstate", "/finding/c-0000000001%00"):
        assert ann.post(f"{path}/verdict", {"verdict": "benign", "seen": "0-0", "expires": ""}).status == 404


def test_the_log_goes_on_after_a_torn_line(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit.add("ann", "start")
    with audit.file.open("ab") as stream:
        stream.write(b'{"at": "2026-0')
    audit.add("bob", "reveal", campaign="c-1", reason="two\nlines \x1b[31m")
    entries, said = audit.last()
    assert [(e.who, e.what) for e in entries] == [("bob", "reveal"), ("ann", "start")]
    assert "1 line cannot be read" in said
    assert b"\x1b" not in audit.file.read_bytes()
    assert audit.file.read_bytes().count(b"\n") == 3


def test_the_log_is_no_link_to_another_file(tmp_path: Path) -> None:
    from harvestdetect.errors import OutputError

    other = tmp_path / "other"
    other.write_text("")
    (tmp_path / "state").mkdir()
    os.symlink(other, tmp_path / "state" / AUDIT)
    with pytest.raises(OutputError, match="nothing was done"):
        Audit(tmp_path / "state").add("ann", "start")
    assert other.read_text() == ""


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o770, 0o660)])
def test_the_log_has_the_mode_of_its_folder(tmp_path: Path, folder: int, file: int) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(folder)
    audit = Audit(tmp_path / "state")
    audit.add("ann", "start")
    assert audit.file.stat().st_mode & 0o777 == file


def test_a_long_log_shows_its_end(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    line = json.dumps({"at": "t", "who": "ann", "what": "reveal", "detail": {"reason": "r" * 400}}) + "\n"
    audit.file.write_text(line * 3_000)
    audit.add("bob", "hide")
    entries, said = audit.last()
    assert entries[0].who == "bob"
    assert len(entries) == 300
    assert "Older entries are in audit.jsonl" in said
