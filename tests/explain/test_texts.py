"""The texts behind a finding, read again from the dumps, and templates as entries of a registry."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from harvestdetect.cli.main import cli, main
from harvestdetect.corpus.registry import load_registry
from harvestdetect.errors import UsageError
from harvestdetect.explain import CampaignExplanation, explain, registry_entry
from harvestdetect.report import write_outputs
from harvestdetect.util.escape import INVISIBLE
from tests.report.making import HOSTILE, make_detection, make_finding, make_member, make_template

FOUND = "c-0123456789"
ACCOUNTS = tuple(f"user-{i}" for i in range(14))


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results whose dump is beside them; the second row of each account is hostile."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for name in ACCOUNTS:
        text = f"Explain the proof step by step for {name}, then write to {name}@example.org."
        rows += [{"account": name, "prompt": text}, {"account": name, "prompt": HOSTILE + "\nsecond\tline"}]
    Path("dump.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sent = pa.table(
        {
            "file": ["dump.jsonl"] * len(rows),
            "line": list(range(1, len(rows) + 1)),
            "account": [row["account"] for row in rows],
            "campaign_id": [FOUND] * len(rows),
            "template_id": ["t-1"] * len(rows),
            "membership": [0.97] * len(rows),
        }
    )
    template = make_template(
        words=("Explain the proof", None, "step by step for", None, "and use {braces}."),
        slots=(("of a lemma",), ("a very long payload of the user", "x")),
    )
    finding = make_finding(FOUND, templates=(template,), members=tuple(map(make_member, ACCOUNTS)))
    write_outputs(make_detection(finding, prompts=sent, settings={"fdr": 0.2, "mapping": {}}), tmp_path / "out")
    return tmp_path / "out"


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(cli, ["explain", *map(str, arguments)])
    assert done.exception is None, done.exception
    return done


def test_a_campaign_is_shown_by_texts_of_different_accounts(out: Path) -> None:
    found = explain(out, FOUND, texts=True)
    assert isinstance(found, CampaignExplanation)
    assert len(found.texts) == len({one.account for one in found.texts}) == 10
    assert all(one.text.startswith("Explain the proof step by step for user-") for one in found.texts)
    assert all(one.text.endswith("then write to [e-mail].") for one in found.texts)
    assert found.texts[0].place == "dump.jsonl:1"
    assert explain(out, FOUND).texts == ()


def test_an_account_is_shown_by_its_own_texts(out: Path) -> None:
    found = explain(out, "user-3", texts=True, redacted=False)
    assert [one.place for one in found.texts] == ["dump.jsonl:7", "dump.jsonl:8"]
    assert found.texts[0].text.endswith("write to user-3@example.org.")


def test_texts_are_escaped_for_a_terminal_and_keep_their_lines(out: Path) -> None:
    shown = run(out, "user-3", "--texts").stdout
    assert INVISIBLE.search(shown.replace("\n", "")) is None
    assert "⟨U+001B⟩" in shown
    assert "│ second  line" in shown
    assert "[e-mail]" in shown
    assert "user-3@example.org" in run(out, "user-3", "--texts", "--unredacted").stdout
    plain = json.loads(run(out, "user-3", "--texts", "--format", "json").stdout)
    assert [list(one) for one in plain["texts"]] == [["place", "account", "campaign_id", "template_id", "text"]] * 2


def test_a_dump_that_is_gone_or_has_changed_is_said(out: Path) -> None:
    lines = Path("dump.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("dump.jsonl").write_text("".join(reversed(lines)), encoding="utf-8")
    found = explain(out, FOUND, texts=True)
    assert "a file has changed since the scan" in found.missing[-1]
    Path("dump.jsonl").unlink()
    found = explain(out, FOUND, texts=True)
    assert found.texts == ()
    assert "dump.jsonl cannot be read: it is not on this machine under this name" in found.missing[-1]
    assert "run the command where the scan ran" in " ".join(run(out, FOUND, "--texts").stdout.split())


def test_a_file_that_is_no_dump_any_more_gives_no_texts(out: Path) -> None:
    Path("dump.jsonl").write_text("colour,size\nred,3\nblue,4\n", encoding="utf-8")
    found = explain(out, FOUND, texts=True)
    assert found.texts == ()
    assert found.missing[-1] == "10 of the prompts are not where they were: a file has changed since the scan"


def test_a_template_becomes_an_entry_that_a_scan_accepts(out: Path, tmp_path: Path) -> None:
    text = registry_entry(out, FOUND[:8], today=date(2026, 6, 1))
    assert 'text = "Explain the proof {1} step by step for {prompt} and use  braces ."' in text
    assert "expires = 2027-06-01" in text
    assert 'owner = "not reviewed yet"' in text
    (tmp_path / "registry.toml").write_text(text, encoding="utf-8")
    registry = load_registry(tmp_path / "registry.toml", today=date(2026, 6, 2))
    assert f"{FOUND}-1" in {entry.id for entry in registry.entries}
    assert run(out, FOUND, "--as-registry-entry").stdout.count("[[entry]]") == 1


def test_a_template_of_a_few_words_is_no_entry(out: Path) -> None:
    write_outputs(make_detection(make_finding(FOUND, templates=(make_template(words=("Why", None)),))), out)
    with pytest.raises(UsageError, match="has 4 fixed words"):
        registry_entry(out, FOUND, today=date(2026, 6, 1))
    with pytest.raises(UsageError, match="c-99"):
        registry_entry(out, "c-99", today=date(2026, 6, 1))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--unredacted"], "--unredacted needs --texts"),
        (["--as-registry-entry", "--texts"], "excludes --texts"),
        (["--as-registry-entry", "--account"], "excludes --texts and --account"),
    ],
)
def test_options_that_exclude_one_another(
    out: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", str(out), FOUND, *flags])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_brief_of_a_finished_scan(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["brief", str(out)])
    assert ended.value.code == 0
    assert "brief.html" in capsys.readouterr().out
    assert "1 suspected campaign" in (out / "brief.html").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["brief", str(out), "--to", str(out / "missing" / "brief.html")])
    assert ended.value.code == 1
    assert "cannot write" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["brief", str(out / "missing")])
    assert ended.value.code == 1
