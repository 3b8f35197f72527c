"""``export`` through the command line: every format is read by the program that others check it with."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harvestdetect.cli import export as command
from harvestdetect.export import FORMATS, TABLES
from harvestdetect.export.values import TLPS
from harvestdetect.util.escape import INVISIBLE, csv_text
from tests.cli.support import Run, lines
from tests.conftest import Scanned
from tests.export import checking
from tests.export.folders import IDS, LONG, hostile_folder, small_scan

pytestmark = pytest.mark.usefixtures("loaded_once")

REPORTER = ("--reporter-org", "Example AI", "--reporter-contact", "abuse@example.com")


def exported(run: Run, folder: Path, name: str, *more: str | Path) -> str:
    """What the command prints."""
    needed = REPORTER if name == "xarf" else ("--table", "accounts") if name == "csv" else ()
    done = run("export", folder, "--format", name, *needed, *more)
    assert done.code == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_folder(tmp_path_factory.mktemp("hostile") / "out")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    return small_scan(tmp_path_factory.mktemp("small"), cache, fdr=0.5)  # so few prompts are at review with this rate


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("hidden")
    key = folder / "key"
    key.write_text("5d" * 32 + "\n")
    key.chmod(0o600)
    return small_scan(folder, cache, pseudonyms=key, fdr=0.5)


def campaigns(scan: Path) -> list[dict[str, Any]]:
    return lines(scan / "campaigns.jsonl")


# ---------------------------------------------------------------- a real scan


def test_ocsf_of_a_scan(run: Run, scanned: Scanned) -> None:
    events = checking.ocsf_events(exported(run, scanned.out, "ocsf"))
    found = campaigns(scanned.out)
    assert [e["finding_info"]["uid"] for e in events] == [c["campaign_id"] for c in found]
    for event, one in zip(events, found, strict=True):
        assert event["count"] == one["prompts"]
        assert len(event["evidences"]) == one["accounts"]
        assert event["severity"] == {"urgent": "High", "review": "Medium", "watch": "Low"}[one["tier"]]
        assert event["unmapped"]["ledger"][0]["id"] == "prior"
        techniques = [a["sub_technique"]["uid"] for a in event["finding_info"]["attacks"]]
        assert techniques == ["AML.T0024.002", "AML.T0048.004"]
        assert event["confidence_score"] <= 99
    few = checking.ocsf_events(exported(run, scanned.out, "ocsf", "--max-accounts", "3"))
    assert all(len(e["evidences"]) == 3 and e["metadata"]["is_truncated"] for e in few)
    assert few[0]["unmapped"]["accounts_left_out"] == found[0]["accounts"] - 3
    assert "left out by --max-accounts 3" in run("export", scanned.out, "--format", "ocsf", "--max-accounts", "3").err


def test_stix_of_a_scan(run: Run, scanned: Scanned) -> None:
    objects = checking.stix_objects(exported(run, scanned.out, "stix", *REPORTER))
    kinds = [one["type"] for one in objects]
    sure = [c for c in campaigns(scanned.out) if c["tier"] != "watch"]
    assert kinds.count("campaign") == len(sure)
    assert kinds.count("attack-pattern") == 2
    assert kinds.count("identity") == 1
    assert "user-account" not in kinds
    assert "indicator" not in kinds
    by_id = {one["id"]: one for one in objects}
    uses = [(by_id[o["source_ref"]]["type"], by_id[o["target_ref"]]["type"]) for o in objects if "source_ref" in o]
    assert uses == [("campaign", "attack-pattern")] * 2 * len(sure)
    addresses = {one["value"] for one in objects if one["type"] == "ipv4-addr"}
    assert addresses
    assert all(re.fullmatch(r"10\.\d+\.\d+\.0/24", value) for value in addresses)
    assert all(one.get("object_marking_refs") for one in objects if one["type"] != "marking-definition")
    named = checking.stix_objects(exported(run, scanned.out, "stix", "--reveal", "accounts"))
    rows = checking.csv_table((scanned.out / "accounts.csv").read_text(encoding="utf-8"))
    recommended = {row["account"] for row in rows if row["recommended"] == "true"}
    assert {one["user_id"] for one in named if one["type"] == "user-account"} == recommended


def test_misp_of_a_scan(run: Run, scanned: Scanned) -> None:
    event = checking.misp_event(exported(run, scanned.out, "misp", *REPORTER, "--tlp", "amber+strict"))
    sure = [c["campaign_id"] for c in campaigns(scanned.out) if c["tier"] != "watch"]
    assert sorted(a.value for a in event.attributes if a.type == "campaign-id") == sorted(sure)
    assert next(tag.name for tag in event.tags) == "tlp:amber+strict"
    assert event.orgc.name == "Example AI"
    assert not any(a.to_ids for a in event.attributes)
    assert not event.objects
    told = checking.misp_event(exported(run, scanned.out, "misp", "--reveal", "texts", "--reveal", "accounts"))
    assert {one.name for one in told.objects} == {"ai-chat-prompt", "user-account"}


def test_xarf_of_a_scan(run: Run, scanned: Scanned) -> None:
    reports = checking.xarf_reports(exported(run, scanned.out, "xarf"))
    assert reports
    assert len({report["report_id"] for report in reports}) == len(reports)
    network = reports[0]["source_identifier"]
    relay = network.replace(".0/24", ".77")
    (one,) = checking.xarf_reports(exported(run, scanned.out, "xarf", "--relay", relay))
    assert one["source_identifier"] == relay
    assert one["reporter"] == {"org": "Example AI", "contact": "abuse@example.com", "domain": "example.com"}
    assert "tlp:amber" in one["tags"]


def test_graphs_of_a_scan(run: Run, scanned: Scanned) -> None:
    table = pq.read_table(scanned.out / "prompts.parquet").to_pylist()
    found: list[Any] = []
    for name in ("graphml", "gexf"):
        graph = checking.graph_of(exported(run, scanned.out, name, "--reveal", "accounts"), name)
        sent = {(r["campaign_id"], r["template_id"], r["account"]) for r in table}
        assert graph.number_of_edges() == len(sent)
        campaign, template, account = next(iter(sorted(sent)))
        edge = graph.edges[f"account:{account}", f"template:{campaign}/{template}"]
        mine = [r for r in table if (r["campaign_id"], r["template_id"], r["account"]) == (campaign, template, account)]
        assert edge["rows"] == len(mine) == edge["weight"]
        assert edge["evidence"] == f"{mine[0]['file']}:{mine[0]['line']}"
        times = sorted(r["timestamp"].strftime("%Y-%m-%dT%H:%M:%SZ") for r in mine)
        assert (edge["first_seen"], edge["last_seen"]) == (times[0], times[-1])
        assert edge["membership"] == pytest.approx(mine[0]["membership"])
        found.append({frozenset(e): d["rows"] for *e, d in graph.edges(data=True)})
    assert found[0] == found[1]


def test_evidence_is_named_by_the_digest_of_its_file(run: Run, scanned: Scanned) -> None:
    files = {f["sha256"][:12]: f["name"] for f in json.loads((scanned.out / "run.json").read_text())["files"]}
    rows = checking.csv_table(exported(run, scanned.out, "csv", "--table", "links"))
    named = checking.csv_table(exported(run, scanned.out, "csv", "--table", "links", "--reveal", "accounts"))
    for row, other in zip(rows, named, strict=True):
        digest, _, line = row["evidence"].partition(":")
        assert f"{files[digest]}:{line}" == other["evidence"]


def test_tables_of_a_scan(run: Run, scanned: Scanned, tmp_path: Path) -> None:
    done = run("export", scanned.out, "--format", "csv", "--out", tmp_path / "new" / "tables", "--reveal", "accounts")
    assert done.code == 0
    assert done.out == ""
    tables = {
        file.stem: checking.csv_table(file.read_text(encoding="utf-8"))
        for file in (tmp_path / "new" / "tables").iterdir()
    }
    assert set(tables) == set(TABLES)
    found = campaigns(scanned.out)
    assert [row["campaign_id"] for row in tables["campaigns"]] == [c["campaign_id"] for c in found]
    assert len(tables["accounts"]) == sum(c["accounts"] for c in found)
    assert (
        sum(int(row["rows"]) for row in tables["links"]) == pq.read_metadata(scanned.out / "prompts.parquet").num_rows
    )
    assert sum(int(row["prompts"]) for row in tables["days"]) == sum(c["prompts"] for c in found)
    assert all(row["words"] == row["example_1"] == "" for row in tables["templates"])
    assert all(int(row["fixed_words"]) for row in tables["templates"])
    assert (tmp_path / "new" / "tables" / "accounts.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", FORMATS)
def test_ids_and_texts_are_hidden_until_they_are_asked_for(run: Run, scanned: Scanned, name: str) -> None:
    text = exported(run, scanned.out, name)
    rows = checking.csv_table((scanned.out / "accounts.csv").read_text(encoding="utf-8"))
    ids = {row["account"] for row in rows}
    assert not [one for one in ids if one in text]
    assert str(scanned.dump) not in text
    runs = [w for c in campaigns(scanned.out) for t in c["templates"] for w in t["words"] if w and len(w.split()) > 3]
    titles = [c["title"] for c in campaigns(scanned.out)]
    texts = [*runs, *titles, *(t["medoid"][:60] for c in campaigns(scanned.out) for t in c["templates"])]
    assert texts
    assert all(titles)
    assert not [one for one in texts if one in text or json.dumps(one)[1:-1] in text]


@pytest.mark.parametrize("name", FORMATS)
def test_titles_are_exported_with_texts(run: Run, scanned: Scanned, name: str) -> None:
    found = campaigns(scanned.out)[0]
    more = ("--campaign", found["campaign_id"], "--reveal", "texts")
    if name == "xarf" and not any(shared["field"] in ("network", "ip") for shared in found["shared_values"]):
        pytest.skip("the members of this finding share no network")
    text = exported(run, scanned.out, name, *more, *(("--table", "campaigns") if name == "csv" else ()))
    if name in ("graphml", "gexf"):
        nodes = checking.graph_of(text, name).nodes(data=True)
        assert found["title"] in {values.get("title") for _, values in nodes}
    elif name == "csv":
        assert [row["title"] for row in checking.csv_table(text)] == [found["title"]]
    else:
        assert json.dumps(found["title"], ensure_ascii=False)[1:-1] in text or found["title"] in text


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_folder_gives_the_same_bytes(
    run: Run, scanned: Scanned, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = exported(run, scanned.out, name)
    shutil.copytree(scanned.out, tmp_path / "elsewhere")
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert exported(run, tmp_path / "elsewhere", name, "--out", tmp_path / "file") == ""
    assert (tmp_path / "file").read_bytes() == text.encode()


def test_tier_and_campaign_choose_findings(run: Run, scanned: Scanned) -> None:
    found = campaigns(scanned.out)
    urgent = checking.ocsf_events(exported(run, scanned.out, "ocsf", "--tier", "urgent"))
    assert [e["finding_info"]["uid"] for e in urgent] == [c["campaign_id"] for c in found if c["tier"] == "urgent"]
    last = found[-1]["campaign_id"]
    (one,) = checking.ocsf_events(exported(run, scanned.out, "ocsf", "--tier", "urgent", "--campaign", last[:7]))
    assert one["finding_info"]["uid"] == last
    both = [found[0]["campaign_id"], last]
    text = exported(run, scanned.out, "ocsf", *(x for c in both for x in ("--campaign", c)))
    assert [e["finding_info"]["uid"] for e in checking.ocsf_events(text)] == both
    done = run("export", scanned.out, "--format", "ocsf", "--campaign", "c-nothing")
    assert done.code == 2
    assert "there is no campaign 'c-nothing' in campaigns.jsonl" in done.error


def test_a_tag_is_of_the_same_account_in_every_export(run: Run, scanned: Scanned) -> None:
    everything = checking.csv_table(exported(run, scanned.out, "csv", "--reveal", "accounts"))
    name = {row["tag"]: row["account"] for row in everything}
    assert len(name) == len({row["account"] for row in everything})
    last = campaigns(scanned.out)[-1]["campaign_id"]
    part = checking.csv_table(exported(run, scanned.out, "csv", "--campaign", last))
    assert {name[row["account"]] for row in part} == {r["account"] for r in everything if r["campaign_id"] == last}


# ---------------------------------------------------------------- hostile texts


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("reveal", [(), ("--reveal", "accounts", "--reveal", "texts")])
def test_hostile_texts_are_harmless(run: Run, hostile: Path, name: str, reveal: tuple[str, ...]) -> None:
    tables = TABLES if name == "csv" else [None]
    for table in tables:
        more = ("--table", table) if table else ()
        text = exported(run, hostile, name, "--tier", "watch", "--time", "2026-03-02", *reveal, *more)
        assert not INVISIBLE.search(text.replace("\r\n", "\n"))
        if name in ("graphml", "gexf"):
            assert "<script" not in text
            assert "<img" not in text
        assert_readable(text, name)


def assert_readable(text: str, name: str) -> None:
    """Reads a format; fails where it is not valid."""
    if name in ("graphml", "gexf"):
        assert checking.graph_of(text, name).number_of_nodes() == len(IDS) + 1 + 2
    elif name == "csv":
        checking.csv_table(text)
    else:
        read = {
            "ocsf": checking.ocsf_events, "stix": checking.stix_objects, "misp": checking.misp_event,
            "xarf": checking.xarf_reports,
        }  # fmt: skip
        for texts in texts_of(json.loads(json.dumps(read[name](text), default=lambda e: e.to_dict()))):
            assert not INVISIBLE.search(texts)


def texts_of(value: Any) -> list[str]:
    """All texts in plain values, without the line breaks that notes have."""
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts_of(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    return [value.replace("\n", "")] if isinstance(value, str) else []


def test_ids_come_back_from_csv_whole(run: Run, hostile: Path) -> None:
    rows = checking.csv_table(exported(run, hostile, "csv", "--reveal", "accounts", "--campaign", "c-1"))
    assert [csv_text(row["account"]) for row in rows] == list(IDS)
    links = checking.csv_table(exported(run, hostile, "csv", "--reveal", "accounts", "--table", "links"))
    assert {csv_text(row["account"]) for row in links} == set(IDS)
    assert sum(int(row["rows"]) for row in links) == 3 * len(IDS)
    assert {row["first_seen"] for row in links if row["account"] == "user1"} == {""}


def test_accounts_that_look_alike_are_two_nodes(run: Run, hostile: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    text = (folder / "accounts.csv").read_text(encoding="utf-8")
    text += text.splitlines()[1].replace("user0", "x\\u0000") + "\r\n"
    text += text.splitlines()[1].replace("user0", "x⟨U+0000⟩") + "\r\n"
    text += text.splitlines()[1].replace("user0", "y\\ud800") + "\r\n"
    (folder / "accounts.csv").write_text(text, encoding="utf-8", newline="")
    (folder / "prompts.parquet").unlink()
    graph = checking.graph_of(exported(run, folder, "graphml", "--reveal", "accounts"), "graphml")
    labels = [data["label"] for _, data in graph.nodes(data=True)]
    assert labels.count("x⟨U+0000⟩") == 2
    assert "y⟨U+D800⟩" in labels
    for name in FORMATS:
        exported(run, folder, name, "--reveal", "accounts", "--time", "2026-03-02")


def test_long_ids_stay_whole(run: Run, hostile: Path) -> None:
    assert f'"{LONG}"' in exported(run, hostile, "csv", "--reveal", "accounts")
    assert LONG in exported(run, hostile, "graphml", "--reveal", "accounts")


def test_networks_of_a_hostile_finding(run: Run, hostile: Path) -> None:
    reports = checking.xarf_reports(exported(run, hostile, "xarf"))
    assert [report["source_identifier"] for report in reports] == ["203.0.113.0/24", "2001:db8:1::/48"]
    assert "12 of 20 accounts" in reports[0]["description"]
    objects = checking.stix_objects(exported(run, hostile, "stix"))
    assert [o["value"] for o in objects if o["type"] == "ipv6-addr"] == ["2001:db8:1::/48"]
    assert [o["number"] for o in objects if o["type"] == "autonomous-system"] == [64500]


# ---------------------------------------------------------------- pseudonyms


def test_pseudonyms_stay_pseudonyms(run: Run, hidden: Path) -> None:
    for folder in (hidden / "out", hidden / "state"):
        for reveal in ((), ("--reveal", "accounts")):
            rows = checking.csv_table(exported(run, folder, "csv", *reveal))
            assert rows
            assert all(re.fullmatch(r"u-[a-z2-7]{16}", row["account"]) for row in rows)
        done = run("export", folder, "--format", "ocsf")
        assert "--reveal" not in done.err
        event = checking.ocsf_events(done.out)[0]
        assert event["evidences"][0]["actor"]["user"]["uid"].startswith("u-")
        for name in FORMATS:
            if name != "xarf":
                assert "pool-" not in exported(run, folder, name, "--tier", "watch", "--reveal", "accounts")
    done = run("export", hidden / "out", "--format", "xarf", *REPORTER)
    assert done.code == 2
    assert "pseudonyms" in done.error


# ---------------------------------------------------------------- a state


def test_a_state_is_exported(run: Run, small: Path) -> None:
    known = json.loads(run("campaigns", small / "state", "--format", "json").out)
    done = run("export", small / "state", "--format", "ocsf")
    assert "a state keeps no evidence" in done.err
    events = checking.ocsf_events(done.out)
    assert [e["finding_info"]["uid"] for e in events] == [c["campaign_id"] for c in known]
    assert events[0]["activity_name"] == "Create"
    assert events[0]["finding_info"]["first_seen_time"] == known[0]["first_seen"] * 1_000
    for name in ("graphml", "gexf"):
        text = exported(run, small / "state", name, "--reveal", "accounts")
        graph = checking.graph_of(text, name)
        assert f"campaign:{known[0]['campaign_id']}" in graph
        assert "account:pool-03x" in graph
    checking.stix_objects(exported(run, small / "state", "stix", "--tier", "watch"))
    checking.misp_event(exported(run, small / "state", "misp", "--tier", "watch", "--reveal", "texts"))
    text = exported(run, small / "state", "csv", "--table", "templates", "--reveal", "texts")
    assert "exam question step by step" in text
    assert "exam question" not in exported(run, small / "state", "csv", "--table", "templates")
    done = run("export", small / "state", "--format", "xarf", *REPORTER)
    assert done.code == 2
    assert "which a state does not keep" in done.error


def test_a_verdict_is_exported(run: Run, small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / "state", tmp_path / "state")
    campaign = json.loads(run("campaigns", small / "state", "--format", "json").out)[0]["campaign_id"]
    assert run("review", tmp_path / "state", campaign, "--verdict", "benign", "--by", "ann").code == 0
    (event,) = checking.ocsf_events(exported(run, tmp_path / "state", "ocsf", "--campaign", campaign))
    assert event["status"] == "Suppressed"
    assert not event["is_alert"]
    assert event["comment"].startswith("ann judged it benign")
    objects = checking.stix_objects(exported(run, tmp_path / "state", "stix", "--campaign", campaign))
    assert "verdict:benign" in next(o for o in objects if o["type"] == "campaign")["labels"]


def test_a_verdict_given_after_the_scan_is_respected(run: Run, small: Path, tmp_path: Path) -> None:
    state, out = tmp_path / "state", small / "out"
    shutil.copytree(small / "state", state)
    (before,) = checking.ocsf_events(exported(run, out, "ocsf"))
    assert before["is_alert"]
    campaign = before["finding_info"]["uid"]
    assert run("review", state, campaign, "--verdict", "benign", "--by", "ann").code == 0
    (event,) = checking.ocsf_events(exported(run, out, "ocsf", "--state", state))
    assert (event["status"], event["is_alert"], event["unmapped"]["tier"]) == ("Suppressed", False, "watch")
    assert event["comment"].startswith("ann judged it benign")
    assert not any(one["data"]["recommended"] for one in event["evidences"])
    assert [one["id"] for one in event["unmapped"]["benign_explanations"]].count("verdict") == 1
    assert run("review", state, campaign, "--undo", "--by", "ann").code == 0
    assert exported(run, out, "ocsf", "--state", state) == exported(run, out, "ocsf")
    done = run("export", state, "--format", "ocsf", "--state", state)
    assert (done.code, "leave --state out" in done.error) == (2, True)


def test_a_state_that_does_not_know_a_finding_says_so(run: Run, small: Path, scanned: Scanned) -> None:
    done = run("export", scanned.out, "--format", "ocsf", "--state", small / "state")
    assert done.code == 0
    assert "the state does not know" in done.err


def test_a_state_keeps_the_title(run: Run, small: Path) -> None:
    (found,) = campaigns(small / "out")
    (known,) = json.loads(run("campaigns", small / "state", "--format", "json").out)
    assert found["title"]
    assert known["title"] == found["title"]
    assert found["title"][:40] in run("campaigns", small / "state").out
    assert found["title"] in run("campaigns", small / "state", known["campaign_id"]).out
    assert found["title"] in exported(run, small / "state", "misp", "--tier", "watch", "--reveal", "texts")
    assert found["title"] not in exported(run, small / "state", "misp", "--tier", "watch")


# ---------------------------------------------------------------- what can go wrong


def test_wrong_folders_are_told(run: Run, tmp_path: Path, scanned: Scanned) -> None:
    done = run("export", tmp_path / "no", "--format", "ocsf")
    assert done.code == 1
    assert "does not exist; give the folder that scan --out named" in done.error
    (tmp_path / "empty").mkdir()
    done = run("export", tmp_path / "empty", "--format", "ocsf")
    assert done.code == 1
    assert "has none" in done.error
    done = run("export", scanned.out / "run.json", "--format", "ocsf")
    assert done.code == 1
    assert "is not a folder" in done.error
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.sqlite").write_bytes(b"no database" * 100)
    done = run("export", tmp_path / "state", "--format", "ocsf")
    assert done.code == 1
    assert "is damaged" in done.error


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("campaigns.jsonl", "{", "campaigns.jsonl, line 1: not a JSON object"),
        ("campaigns.jsonl", '{"campaign_id": "c-1"}', "campaigns.jsonl, line 1: Object missing required field"),
        ("campaigns.jsonl", '{"campaign_id": "c-1", "tier": "high"}', "campaigns.jsonl, line 1: Invalid enum value"),
        (
            "campaigns.jsonl",
            '{"n": 1' + "0" * 30 + "}",
            "campaigns.jsonl, line 1: a whole number has more than 64 bits",
        ),
        ("campaigns.jsonl", "[" * 3_000, "campaigns.jsonl, line 1: not a JSON object"),
        ("campaigns.jsonl", '{"evidence": 7}', "campaigns.jsonl, line 1: "),
        (
            "campaigns.jsonl",
            '{"campaign_id": "c", "tier": "watch", "accounts": 1, "prompts": 1, "first_seen": "soon"}',
            "'soon' is not a time",
        ),
        ("accounts.csv", "account\nx\n", "accounts.csv has no column campaign_id"),
        ("accounts.csv", None, "cannot read"),
        ("campaigns.jsonl", b"\xff\xfe", "it is not UTF-8 text"),
    ],
)
def test_damaged_results_are_told(
    run: Run, hostile: Path, tmp_path: Path, file: str, content: str | bytes | None, said: str
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run("export", folder, "--format", "ocsf")
    assert done.code == 1
    assert said in done.error


def test_a_finding_twice_and_a_strange_account_are_told(run: Run, hostile: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    text = (folder / "campaigns.jsonl").read_text(encoding="utf-8")
    (folder / "campaigns.jsonl").write_text(text + text, encoding="utf-8")
    assert "campaign 'c-1' occurs twice" in run("export", folder, "--format", "ocsf").error
    (folder / "campaigns.jsonl").write_text(text.splitlines()[1] + "\n", encoding="utf-8")
    assert "campaign 'c-1' is not in campaigns.jsonl" in run("export", folder, "--format", "ocsf").error


def test_without_prompts_the_graph_has_campaigns(run: Run, hostile: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    (folder / "prompts.parquet").write_bytes(b"no")
    (folder / "run.json").write_text("[")
    done = run("export", folder, "--format", "gexf")
    assert done.code == 0
    assert "prompts.parquet is missing or damaged" in done.err
    assert "run.json cannot be read" in done.err
    graph = checking.graph_of(done.out, "gexf")
    assert {data["kind"] for _, data in graph.nodes(data=True)} == {"campaign", "account"}
    assert "prompts.parquet" not in run("export", folder, "--format", "stix").err


def test_prompts_of_another_scan_are_counted(run: Run, hostile: Path, scanned: Scanned, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    shutil.copy(scanned.out / "prompts.parquet", folder / "prompts.parquet")
    done = run("export", folder, "--format", "graphml")
    assert done.code == 0
    assert "rows of prompts.parquet belong to no account in accounts.csv" in done.err


def test_prompts_without_times_are_read(run: Run, hostile: Path, tmp_path: Path) -> None:
    """Older versions wrote no times."""
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    table = pq.read_table(hostile / "prompts.parquet").drop_columns("timestamp")
    pq.write_table(table, folder / "prompts.parquet")
    links = checking.csv_table(exported(run, folder, "csv", "--table", "links"))
    assert len(links) == 2 * len(IDS)
    assert {row["first_seen"] for row in links} == {""}


def test_prompts_in_many_blocks_are_read(run: Run, hostile: Path, tmp_path: Path) -> None:
    """Each block of a large file has dictionaries of its own."""
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    pq.write_table(pq.read_table(hostile / "prompts.parquet"), folder / "prompts.parquet", row_group_size=2)
    for name in ("graphml", "gexf"):
        assert exported(run, folder, name) == exported(run, hostile, name)
    more = ("--table", "links", "--reveal", "accounts")
    assert exported(run, folder, "csv", *more) == exported(run, hostile, "csv", *more)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.drop_columns("template_id"),
        lambda t: t.set_column(1, "line", pa.array(["x"] * len(t))),
        lambda t: t.set_column(2, "account", pa.array(range(len(t)))),
        lambda t: t.set_column(6, "timestamp", pa.array([[1]] * len(t))),
    ],
)
def test_prompts_of_another_form_are_told(
    run: Run, hostile: Path, tmp_path: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    pq.write_table(change(pq.read_table(hostile / "prompts.parquet")), folder / "prompts.parquet")
    done = run("export", folder, "--format", "csv", "--table", "links")
    assert done.code == 0
    assert "prompts.parquet is missing or damaged" in done.err
    assert checking.csv_table(done.out) == []


def test_a_scan_without_times_needs_one(run: Run, hostile: Path, tmp_path: Path) -> None:
    for name in ("ocsf", "stix", "misp"):
        done = run("export", hostile, "--format", name, "--campaign", "c-2")
        assert done.code == 2
        assert "give --time" in done.error
        exported(run, hostile, name, "--campaign", "c-2", "--time", "2026-03-02T00:00:00Z")
    done = run("export", hostile, "--format", "ocsf", "--time", "tomorrow")
    assert done.code == 2
    assert "is not a time" in done.err


def test_a_sender_is_needed_and_checked(run: Run, hostile: Path) -> None:
    for given, said in (
        ((), "--reporter-org is missing"),
        (("--reporter-org", "X"), "--reporter-contact is missing"),
        (("--reporter-org", "X", "--reporter-contact", "nobody"), "must be an e-mail address"),
        (("--reporter-org", "X", "--reporter-contact", "a@b"), "must be a domain"),
        ((*REPORTER, "--reporter-domain", "no domain"), "must be a domain"),
        ((*REPORTER, "--relay", "example.org"), "must be an IP address"),
        ((*REPORTER, "--relay", "192.0.2.1"), "no exported finding has '192.0.2.1'"),
    ):
        done = run("export", hostile, "--format", "xarf", *given)
        assert done.code == 2, given
        assert said in done.error
        assert done.out == ""


def test_options_that_do_not_fit_are_told(run: Run, hostile: Path, tmp_path: Path) -> None:
    for given, said in (
        (("--format", "csv"), "csv has several tables"),
        (("--format", "csv", "--out", "-"), "csv has several tables"),
        (("--format", "stix", "--table", "days"), "--table is for --format csv only"),
        (("--format", "stix", "--relay", "192.0.2.1"), "--relay is for --format xarf only"),
    ):
        done = run("export", hostile, *given)
        assert done.code == 2
        assert said in done.error
    (tmp_path / "file").write_text("")
    done = run("export", hostile, "--format", "csv", "--out", tmp_path / "file")
    assert done.code == 1
    assert "cannot write" in done.error


def test_a_failure_leaves_the_old_file(run: Run, hostile: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    assert run("export", hostile, "--format", "xarf", "--out", tmp_path / "file").code == 2
    assert (tmp_path / "file").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_nothing_to_export_is_no_error(run: Run, hostile: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(hostile, folder)
    (folder / "campaigns.jsonl").write_text("")
    head = (folder / "accounts.csv").read_text(encoding="utf-8").splitlines()[0]
    (folder / "accounts.csv").write_text(head + "\r\n", encoding="utf-8")
    for name in FORMATS:
        needed = REPORTER if name == "xarf" else ("--table", "links") if name == "csv" else ("--time", "2026-03-02")
        done = run("export", folder, "--format", name, *needed)
        assert done.code == 0, done.err
        assert "no finding is at" in done.err
        if name in ("graphml", "gexf"):
            assert checking.graph_of(done.out, name).number_of_nodes() == 0
        elif name in ("stix", "misp"):
            {"stix": checking.stix_objects, "misp": checking.misp_event}[name](done.out)


def test_the_examples_of_the_page_run(
    run: Run, scanned: Scanned, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    commands = re.findall(r"(?:`|^)harvestdetect (export findings [^`\n]+)", page, re.MULTILINE)
    shutil.copytree(scanned.out, tmp_path / "findings")
    monkeypatch.chdir(tmp_path)
    assert {shlex.split(command)[3] for command in commands} == set(FORMATS)
    for one in commands:
        done = run(*shlex.split(one))
        assert done.code == 0, done.err
    graph = checking.graph_of((tmp_path / "graph.graphml").read_text(encoding="utf-8"), "graphml")
    assert sum(data["kind"] == "template" for _, data in graph.nodes(data=True))


def test_the_command_knows_all_formats() -> None:
    assert tuple(FORMATS) == command.FORMATS
    assert tuple(TABLES) == command.TABLES
    assert TLPS == command.TLPS
