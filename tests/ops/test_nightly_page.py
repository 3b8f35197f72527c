"""The page "Running it every night": its commands are run, its options exist, its rules are taken by Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import click
import pytest

from harvestdetect.cli.main import cli
from harvestdetect.ops.metrics import RunMetrics, metrics_text
from tests.faults.server import Server

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "nightly.md").read_text(encoding="utf-8")
PROGRAM = "/opt/harvestdetect/bin/harvestdetect"
PLACES = ("/opt/harvestdetect", "/etc/harvestdetect", "/var/lib/harvestdetect", "/var/backups", "/srv", "/root")
"""Paths of the page that a test has in a folder of its own."""


def blocks(language: str, page: str = PAGE) -> list[str]:
    """Fenced blocks of a language, also those in lists: ``sh`` is run by the test, ``bash`` needs a real machine."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


NEEDED: Final = {"alerts test", "scan --baseline"}
"""What the page uses and a version may not have yet."""


def has(what: str) -> bool:
    """Whether the command line has a command (``alerts test``) or an option of one (``scan --baseline``)."""
    command: click.Command | None = cli
    for word in what.split():
        if word.startswith("--"):
            return command is not None and any(word in param.opts for param in command.params)
        command = command.commands.get(word) if isinstance(command, click.Group) else None
    return command is not None


# ---------------------------------------------------------------- the commands, followed


class Receiver:
    """An address on this machine that takes alerts, and what came there."""

    def __init__(self) -> None:
        taken: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        self.taken = taken
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def here(block: str, root: Path, url: str) -> str:
    """A block with the places of the page in a folder, without other users, and with the receiver's address."""
    if "--format systemd" in block:  # whose paths are checked, and only printed
        return block.replace(PROGRAM, f"{root}{PROGRAM}").replace("--to /etc", f"--to {root}/etc")
    for place in PLACES:
        block = re.sub(rf"(?<![\w.]){place}(?=[/.\s\"*]|$)", f"{root}{place}", block, flags=re.MULTILINE)
    block = re.sub(r" -[og] (harvestdetect|root)\b", "", block)
    block = block.replace("runuser -u harvestdetect -- ", "")
    return re.sub(r"https://hooks\.slack\.com/\S+", url, block)


@pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "flock", "install"))), reason="bash, flock or install is missing"
)
@pytest.mark.skipif(not all(map(has, NEEDED)), reason=f"the command line has not all of {sorted(NEEDED)}")
def test_the_page_is_followed_from_a_fresh_machine_to_the_first_alert(
    tmp_path: Path, environment: Mapping[str, str], receiver: Receiver, commands: Server
) -> None:
    program = tmp_path / PROGRAM[1:]
    program.parent.mkdir(parents=True)
    commands.write_program(program)
    (program.parent / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (program.parent / "python").chmod(0o755)
    for folder in ("etc", "srv", "root", "var/lib", "var/backups"):
        (tmp_path / folder).mkdir(parents=True)
    kept = {k: v for k, v in environment.items() if not k.startswith("ALERTS_")}
    kept |= {"HARVESTDETECT_ENCODER": "fast", "HARVESTDETECT_WORKERS": "1", "HARVESTDETECT_THREADS": "1"}
    script, said = ["set -euo pipefail", "umask 022"], "== block"
    for number, block in enumerate(blocks("sh")):
        script += [f"echo '{said} {number}'", f"echo '{said} {number}' >&2", here(block, tmp_path, receiver.url)]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        env=kept,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"
    check_what_came(receiver)
    answers = re.split(rf"^{said} \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    (healthy,) = [a for a, b in zip(answers, blocks("sh"), strict=True) if " health " in b]
    assert healthy.startswith("healthy: ")
    verified = [a for a, b in zip(answers, blocks("sh"), strict=True) if "state verify" in b]
    assert [answer.splitlines()[-1] for answer in verified] == ["Nothing is wrong."] * 2
    units = tmp_path / "etc" / "systemd" / "system"
    assert sorted(path.name for path in units.iterdir()) == ["harvestdetect.service", "harvestdetect.timer"]
    assert "EnvironmentFile=-/etc/harvestdetect.env\n" in (units / "harvestdetect.service").read_text(encoding="utf-8")
    assert sorted(path.name for path in (tmp_path / "root" / "kubernetes").iterdir()) == [
        "harvestdetect.cronjob.yaml",
        "harvestdetect.storage.yaml",
    ]
    assert (tmp_path / "etc" / "harvestdetect.env").stat().st_mode & 0o777 == 0o600


def check_what_came(receiver: Receiver) -> None:
    """First the test message, then nothing for the baseline, then the campaigns of the second dump."""
    texts = [json.dumps(one) for one in receiver.taken]
    assert len(texts) >= 2
    assert "test" in texts[0].lower()
    assert not re.search(r"c-[0-9a-f]{10}", texts[0])
    assert all(re.search(r"c-[0-9a-f]{10}", text) for text in texts[1:])


# ---------------------------------------------------------------- what is not run


def commands(text: str) -> Iterator[list[str]]:
    """Arguments of every call of the program in a block."""
    import shlex

    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        if match := re.search(r"(?:^|/bin/)harvestdetect ([a-z-].*)$", line):
            try:
                yield shlex.split(match[1], comments=True)
            except ValueError:
                continue


def unknown(arguments: list[str]) -> list[str]:
    """Commands and options that the command line does not have."""
    command: click.Command = cli
    words = list(arguments)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    known = {"--help", "-h", *(option for param in command.params for option in (*param.opts, *param.secondary_opts))}
    return [word for word in words if word.startswith("--") and word.split("=")[0] not in known]


@pytest.mark.parametrize("page", ["nightly", "schedule", "state"])
def test_every_command_and_option_of_the_pages_exists(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = [one for language in ("sh", "bash", "") for block in blocks(language, text) for one in commands(block)]
    found += [one for inline in re.findall(r"`(harvestdetect [^`\n]+)`", text) for one in commands(inline)]
    assert found
    later = {word for what in NEEDED if not has(what) for word in what.split() if word not in ("scan", "test")}
    wrong = {" ".join(one): missing for one in found if (missing := sorted({*unknown(one)} - later))}
    assert not wrong


def rules() -> Iterator[tuple[str, str]]:
    for page in ("nightly", "schedule"):
        for block in blocks("yaml", (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")):
            if block.startswith("groups:"):
                yield page, block


def test_the_rules_ask_for_metrics_that_there_are() -> None:
    there = metrics_text(RunMetrics(last_run=1.0, duration_seconds=1.0, exit_code=0))
    names = set(re.findall(r"^(harvestdetect_\w+)", there, re.MULTILINE))
    asked = {name for _, block in rules() for name in re.findall(r"\bharvestdetect_\w+", block)}
    assert len(asked) > 4
    assert asked - names == set()


@pytest.mark.parametrize("page", ["nightly", "schedule"])
def test_prometheus_takes_the_rules(tmp_path: Path, page: str) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian's package prometheus has it)")
    (tmp_path / "rules.yaml").write_text(dict(rules())[page], encoding="utf-8")
    done = subprocess.run(
        ["promtool", "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


NIGHTS = """
rule_files: [rules.yaml]
evaluation_interval: 5m
tests:
  - interval: 5m
    input_series:
      - series: harvestdetect_last_success_timestamp_seconds{instance="a"}
        values: "0x500"
      - series: harvestdetect_last_run_exit_code{instance="b"}
        values: "4x500"
    alert_rule_test:
      - {eval_time: 35h, alertname: HarvestdetectNotSucceeded, exp_alerts: []}
      - eval_time: 37h
        alertname: HarvestdetectNotSucceeded
        exp_alerts:
          - exp_labels: {severity: warning, instance: a}
            exp_annotations: {summary: No scan has succeeded on a for 36 hours}
      - eval_time: 2h
        alertname: HarvestdetectIncomplete
        exp_alerts:
          - exp_labels: {severity: warning, instance: b}
            exp_annotations: {summary: A scan on b could not use a part of its input}
"""


def test_the_rules_alert_when_nights_fail(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian's package prometheus has it)")
    (tmp_path / "rules.yaml").write_text(dict(rules())["nightly"], encoding="utf-8")
    (tmp_path / "nights.yaml").write_text(NIGHTS, encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", "nights.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_exit_codes_of_the_page_are_those_of_the_program() -> None:
    table = PAGE.split("## Exit codes", 1)[1].split("\n## ", 1)[0]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert told == {0, 1, 2, 3, 4, 75, 130, 143}


def test_the_page_says_where_secrets_are_and_has_none() -> None:
    (settings,) = [block for block in blocks("sh") if "/etc/harvestdetect.toml <<" in block]
    assert "url_env" in settings
    assert "hooks.slack.com" not in settings
    assert all(address.endswith("/XXXXXXXX") for address in re.findall(r"https://hooks\.slack\.com/\S+", PAGE))
