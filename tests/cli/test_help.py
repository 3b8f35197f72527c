"""Help texts, usage errors and settings of the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from harvestdetect import __version__
from harvestdetect.cli.grouped_help import GROUPS
from harvestdetect.cli.main import cli
from tests.cli.support import COMMAND, GOOD, Run, jsonl


def test_every_command_and_option_is_documented() -> None:
    assert cli.help
    assert set(cli.commands) == {
        *("scan", "calibrate", "simulate", "evaluate", "explain", "campaigns", "review", "alerts", "state", "schedule"),
        *("watch", "health", "pseudonym", "inspect", "registry", "drill", "export", "search", "serve", "brief"),
        "signatures",
    }
    groups = ("alerts", "registry", "state", "schedule", "signatures")
    inner = {f"{n} {m}": c for n in groups for m, c in cli.commands[n].commands.items()}
    assert set(inner) == {
        *(
            "alerts test",
            "alerts send",
            "state gc",
            "state verify",
            "state rebuild",
            "state forget",
            "schedule print",
            "registry suggest",
            "signatures keygen",
            "signatures export",
            "signatures show",
            "signatures verify",
        ),
    }
    for name, command in {**cli.commands, **inner}.items():
        assert command.help, name
        assert command.help.strip().splitlines()[0].endswith("."), name
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.help, f"{name} {param.opts}"
                assert param.help.rstrip("]").strip(), f"{name} {param.opts}"
            else:
                for shown in (param.metavar or "").strip("[].").split("|"):
                    assert shown in command.help or shown == "FILE", f"{name} {shown}"


def test_the_help_of_a_scan_is_in_groups() -> None:
    command = cli.commands["scan"]
    text = command.get_help(click.Context(command))
    found = [line.removesuffix(":") for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert found == [*GROUPS, "Options"]
    for param in command.params:
        if isinstance(param, click.Option):
            assert len(re.findall(rf"^  (?:-\w, )?{param.opts[0]}\b(?!-)", text, re.MULTILINE)) == 1, param.opts
    known = {name for names in GROUPS.values() for name in names}
    assert known <= {p.name for name in ("scan", "inspect") for p in cli.commands[name].params}


def test_settings_of_the_command_line_are_settings() -> None:
    import dataclasses

    from harvestdetect.settings import Settings

    own = {
        "dumps",
        "out",
        "output",
        "settings_file",
        "no_cache",
        "no_map",
        "no_preambles",
        "no_registry",
        "fail_on",
        "quiet",
        "verbose",
    }
    own |= {"state", "window", "trust_clock", "metrics", "group", "baseline", "estimate", "around", "brief"}
    own |= {"signatures", "trust", "signature_secret"}
    known = {f.name for f in dataclasses.fields(Settings)}
    assert {p.name for p in cli.commands["scan"].params} - own - {"format_"} <= known


@pytest.mark.alone
def test_help_is_instant(environment: Mapping[str, str]) -> None:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([*COMMAND, "--help"], env=environment, capture_output=True, text=True, timeout=60)
        took.append(time.perf_counter() - start)
        assert done.returncode == 0
        assert done.stdout.startswith("Usage: harvestdetect")
    assert min(took) < 0.5
    code = "import sys, harvestdetect, harvestdetect.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    heavy = {"numpy", "pyarrow", "torch", "faiss", "scipy", "sklearn", "rich", "sentence_transformers"}
    assert not heavy & set(done.stdout.split())


def test_version_and_usage(run: Run, tmp_path: Path) -> None:
    assert run("--version").out == f"harvestdetect, version {__version__}\n"
    assert run("-h").out.startswith("Usage: harvestdetect")
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    for arguments, message in (
        (["scan"], "Missing argument 'DUMP...'"),
        (["scan", dump], "Missing option '--out'"),
        (["scan", dump, "--out", tmp_path / "o", "--encoder", "best"], "'best' is not one of"),
        (["scan", dump, "--out", tmp_path / "o", "--map", "prompt"], "'prompt' is not FIELD=COLUMN"),
        (
            ["scan", dump, "--out", tmp_path / "o", "--map", "org=a", "--map", "org=b"],
            "'org' is mapped twice",
        ),
        (["scan", dump, "--out", tmp_path / "o", "--frobnicate"], "No such option"),
        (["scan", dump, "--out", tmp_path / "o", "--min-accounts", "ten"], "'ten' is not a valid integer"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ):
        done = run(*arguments)
        assert done.code == 2, arguments
        assert message in done.err
        assert "Usage:" in done.err
        assert done.out == ""
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-accounts", "1"], "min_accounts must be at least 2, got 1"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--settings", "nowhere.toml"], "cannot read the settings file nowhere.toml: No such file"),
        (["--map", "colour=x"], "knows no field 'colour'; known: account, timestamp, prompt, org"),
        (["--map", "org="], "--map org= needs the name of a column"),
    ],
)
def test_settings_out_of_range_end_with_2(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    done = run("scan", jsonl(tmp_path / "dump.jsonl", [GOOD]), "--out", tmp_path / "out", *options)
    assert done.code == 2
    assert message in done.error


def test_flags_go_before_environment_before_file_before_defaults(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [{**GOOD, "who": "w", "what": "some text"}])
    file = tmp_path / "settings.toml"
    file.write_text(
        'seed = 1\nmin_accounts = 11\nk = 40\nselection = "leaf"\n[mapping]\naccount = "who"\nprompt = "prompt"\n'
    )
    monkeypatch.setenv("HARVESTDETECT_SEED", "2")
    monkeypatch.setenv("HARVESTDETECT_MIN_ACCOUNTS", "12")
    done = run(
        *("scan", dump, "--out", tmp_path / "out", "--settings", file, "--seed", "3", "--map", "prompt=what"),
        *(
            "--threads",
            "1",
            "--device",
            "cpu",
            "--no-cache",
            "--max-rejects",
            "1%",
            "--input-format",
            "jsonl",
        ),
    )
    assert done.code == 0, done.err
    settings = json.loads((tmp_path / "out" / "run.json").read_text())["settings"]
    assert (settings["seed"], settings["min_accounts"], settings["k"]) == (3, 12, 40)
    assert settings["mapping"] == {"account": "who", "prompt": "what"}
    assert (settings["selection"], settings["threads"], settings["use_cache"]) == ("leaf", 1, False)
    assert (settings["max_rejects"], settings["format"], settings["device"]) == (0.01, "jsonl", "cpu")
    monkeypatch.setenv("HARVESTDETECT_SEED", "many")
    assert "HARVESTDETECT_SEED must be a int, got 'many'" in run("scan", dump, "--out", tmp_path / "out").error
