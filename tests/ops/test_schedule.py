"""Schedules: what each scheduler reads is what was given, and the schedulers' own tools take the files."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harvestdetect.errors import UsageError
from harvestdetect.ops.schedule import FORMATS, Schedule, units
from harvestdetect.util.periods import parse_period

COMMAND = ("/opt/harvestdetect/bin/harvestdetect", "scan", "/srv/dumps/*.jsonl.gz", "--state", "/var/lib/hd")
PLACES: dict[str, Any] = {
    "writable": {"state": "/var/lib/hd", "out": "/srv/findings"},
    "readable": {"dumps": "/srv/dumps"},
}
NASTY = [
    "",
    ";",
    "a b",
    "50%",
    "100%%",
    "\\%",
    "\\\\%d\\",
    "$HOME",
    "$$(id)",
    "$(id)",
    "`id`",
    "it's",
    "'\"'",
    '"',
    "\\",
    "\\'",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{{{#{%",
    "x #}",
    "~",
    "*",
    "-",
    "#",
    "!1",
    "no",
    "1e3",
    "ä雪🙂",
    "%h",
    "a=b",
    "run.sh",
    "<>|&()[]?",
]
WORDS = st.lists(
    st.sampled_from(NASTY)
    | st.text(st.sampled_from("a \\'\"%${}#;&|`()<>*?~!=:,é雪"), max_size=12)
    | st.text(st.characters(exclude_categories=("C", "Z")), max_size=8),
    min_size=1,
    max_size=6,
).map(lambda words: [word for word in words if word.isprintable()] or ["x"])
SHELLS = settings(max_examples=60, deadline=None)


def made(format: str, **changes: Any) -> dict[str, str]:
    return units(format, Schedule(**{"every": "1d", "command": COMMAND, **PLACES, **changes}))


def only(format: str, **changes: Any) -> str:
    """The one file of a format; of Kubernetes the one with the job."""
    files = made(format, **changes)
    files.pop("harvestdetect.storage.yaml", None)
    (text,) = files.values()
    return text


def setting(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("bad", ["a\nb", "a\0b", "a\rb", "a\u2028b", "a\x85b", "a\u202eb", "\udcff", "\ufffe"])
def test_what_cannot_be_printed_is_refused(format: str, bad: str) -> None:
    for changes in ({"command": [*COMMAND, bad]}, {"writable": {"state": f"/srv/{bad}"}}):
        with pytest.raises(UsageError, match="cannot be printed"):
            made(format, **changes)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"every": "30s"}, "at least 1m"),
        ({"every": "often"}, "a period must be"),
        ({"at": "24:00"}, "HH:MM"),
        ({"at": "3"}, "HH:MM"),
        ({"at": "03:17\n"}, "HH:MM"),
        ({"command": []}, "no command"),
        ({"command": [""]}, "no command"),
        ({"name": "Harvest"}, "name of a job"),
        ({"name": "a" * 53}, "name of a job"),
        ({"name": "../x"}, "name of a job"),
        ({"user": "a b"}, "user"),
        ({"image": "a b"}, "image"),
        ({"memory_gb": 0.5}, "memory"),
        ({"memory_gb": float("nan")}, "memory"),
        ({"timeout": "long"}, "a period must be"),
        ({"writable": {"state": "relative"}}, "full paths"),
        ({"writable": {"state": "/"}}, "full paths"),
        ({"writable": {"state": "/srv/../etc"}}, "full paths"),
        ({"writable": {"State": "/srv"}}, "short name"),
        ({"readable": {"dumps": ""}}, "full paths"),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_wrong_is_refused_in_every_format(format: str, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        made(format, **changes)


def test_an_unknown_format_is_told_the_known_ones() -> None:
    with pytest.raises(UsageError, match="systemd, cron, kubernetes, airflow"):
        made("launchd")


@pytest.mark.parametrize("format", ["systemd", "cron"])
def test_a_program_without_its_path_is_refused_where_nothing_would_find_it(format: str) -> None:
    with pytest.raises(UsageError, match="full path of the program, such as /opt/harvestdetect/bin/harvestdetect"):
        made(format, command=["harvestdetect", "scan"])
    for other in ("kubernetes", "airflow"):
        assert "harvestdetect" in only(other, command=["harvestdetect", "scan"])


def test_an_odd_period_is_refused_where_only_a_calendar_is_known() -> None:
    for every in ("2d", "90m", "5h", "7m", "2w", "90s"):
        for format in ("cron", "kubernetes"):
            with pytest.raises(UsageError, match=rf"every {every}, only every 1m"):
                made(format, every=every)
        timer = made("systemd", every=every)["harvestdetect.timer"]
        assert setting(timer, "OnUnitActiveSec") == [str(parse_period(every))]
        assert setting(timer, "OnBootSec")
        assert not setting(timer, "OnCalendar")
        assert f"schedule=timedelta(seconds={parse_period(every)})" in only("airflow", every=every)


@pytest.mark.parametrize("path", ["/opt/a\\b", '/opt/a"b', "/opt/it's"])
def test_programs_that_systemd_would_not_start_are_refused(path: str) -> None:
    with pytest.raises(UsageError, match="systemd cannot start a program"):
        made("systemd", command=[path])


@pytest.mark.parametrize("path", ["/srv/a\\b", '/srv/a"b'])
def test_folders_that_systemd_may_misread_are_refused(path: str) -> None:
    with pytest.raises(UsageError, match="systemd cannot use a folder"):
        made("systemd", writable={"state": path})


def test_folders_that_a_run_would_not_keep_are_refused() -> None:
    with pytest.raises(UsageError, match="is lost"):
        made("systemd", writable={"state": "/tmp/state"})
    for changes in ({"writable": {"tmp": "/srv"}}, {"writable": {"state": "/srv"}, "readable": {"dumps": "/srv/"}}):
        with pytest.raises(UsageError, match="must differ"):
            made("kubernetes", **changes)
    with pytest.raises(UsageError, match="colon"):
        made("kubernetes", writable={"state": "/srv/a:b"})


# ---------------------------------------------------------------- when


def times(fields: str) -> set[tuple[int, int, int]]:
    """Weekday (0: Sunday), hour and minute of every run of a week, by a strict reading of five cron fields."""
    minute, hour, day, month, weekday = fields.split(" ")
    assert (day, month) == ("*", "*")

    def values(text: str, count: int) -> list[int]:
        found = list(range(count)) if text == "*" else [int(part) for part in text.split(",")]
        assert found == sorted(set(found))
        assert 0 <= found[0] <= found[-1] < count
        return found

    return {(d, h, m) for d in values(weekday, 7) for h in values(hour, 24) for m in values(minute, 60)}


@pytest.mark.parametrize(
    "every",
    [
        *(f"{n}m" for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 1440)),
        *(f"{n}h" for n in (1, 2, 3, 4, 6, 8, 12, 24)),
        *("1d", "7d", "1w"),
    ],
)
@pytest.mark.parametrize("at", ["03:17", "0:00", "23:59"])
def test_runs_of_a_week_are_a_period_apart_and_one_is_at_the_time_of_day(every: str, at: str) -> None:
    fields = only("cron", every=every, at=at).splitlines()[-1].split(" /", 1)[0]
    found = sorted((d * 24 + h) * 60 + m for d, h, m in times(fields))
    week = 7 * 24 * 60
    gaps = {(b - a) % week or week for a, b in zip(found, [*found[1:], found[0]], strict=True)}
    assert gaps == {parse_period(every) // 60}
    hour, minute = map(int, at.split(":"))
    assert any(moment % (24 * 60) == hour * 60 + minute for moment in found)

    assert f'schedule: "{fields}"' in only("kubernetes", every=every, at=at)
    assert f"schedule={fields!r}" in only("airflow", every=every, at=at)
    (calendar,) = setting(made("systemd", every=every, at=at)["harvestdetect.timer"], "OnCalendar")
    match = re.fullmatch(r"(Mon )?\*-\*-\* (\S+):(\S+):00 UTC", calendar)
    assert match
    minutes, hours, days = fields.split(" ")[0], fields.split(" ")[1], fields.split(" ")[4]
    for mine, theirs in ((match[2], hours), (match[3], minutes)):
        assert mine == "*" == theirs or [int(v) for v in mine.split(",")] == [int(v) for v in theirs.split(",")]
    assert bool(match[1]) == (days == "1")


def test_a_period_is_written_into_comments_without_its_blanks() -> None:
    for format in FORMATS:
        assert made(format, every=" 1\nd ") == made(format, every="1d")


# ---------------------------------------------------------------- quoting


def systemd_words(text: str) -> list[str]:
    """Words as systemd takes them apart, without any escape that it would complain of."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(text)
    for c in characters:
        if c == "\\":
            c = next(characters)
            assert c in "\\\"'"
            word = (word or "") + c
        elif quote:
            quote, word = ("", word) if c == quote else (quote, (word or "") + c)
        elif c in "\"'":
            quote, word = c, word or ""
        elif c == " ":
            words, word = ([*words, word] if word is not None else words), None
        else:
            assert c != ";", "it would begin another command"
            word = (word or "") + c
    assert not quote
    words += [] if word is None else [word]
    assert all(re.fullmatch(r"([^%]|%%)*", w) for w in words)
    return [w.replace("%%", "%") for w in words]


@settings(deadline=None)
@given(WORDS)
@example(NASTY)
def test_systemd_reads_the_words_as_they_were_given(words: list[str]) -> None:
    command = ["/opt/" + re.sub(r"[\\\"']", "", words[0]) + "/x", *words]
    (line,) = setting(made("systemd", command=command)["harvestdetect.service"], "ExecStart")
    assert line.startswith(":") == any("$" in word for word in command)
    assert systemd_words(line.removeprefix(":")) == command


@settings(deadline=None)
@given(WORDS)
@example(["it's 50% $x", "ä b"])
def test_systemd_reads_the_folders_as_they_were_given(words: list[str]) -> None:
    names = [re.sub(r'[\\"/]', "", word) for word in words]
    places = {f"p{n}": f"/srv/{n}{name}" for n, name in enumerate(names)}
    service = made("systemd", writable={**places, "cache": "/srv/c%$ 'x"}, readable={"d": "/srv/d"})[
        "harvestdetect.service"
    ]
    found = [word for line in setting(service, "ReadWritePaths") for word in systemd_words(line)]
    assert found == [*places.values(), "/srv/c%$ 'x"]
    assert systemd_words(setting(service, "RequiresMountsFor")[0]) == [*found, "/srv/d"]
    assert systemd_words(setting(service, "Environment")[0]) == ["XDG_CACHE_HOME=/srv/c%$ 'x"]


def cron_command(line: str, *, pairs: bool) -> str:
    """What cron gives to sh; ``pairs``: of two backslashes it takes one, as some do."""
    made, escaped = "", False
    for c in line:
        if escaped and (c == "%" or (pairs and c == "\\")):
            made = made[:-1]
        elif c == "%":
            raise AssertionError("the command ends in the middle")
        escaped = c == "\\" and not escaped
        made += c
    return made


def printed(shell: str, command: str) -> list[str]:
    done = subprocess.run(
        [shell, "-c", command], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "HOME": "/h"}
    )
    return done.stdout.decode().split("\0")[:-1]


@SHELLS
@given(WORDS)
@example(NASTY)
def test_cron_and_sh_read_the_words_as_they_were_given(words: list[str]) -> None:
    line = only("cron", command=["/usr/bin/printf", "%s\\0", *words], every="15m").splitlines()[-1]
    *fields, command = line.split(" ", 5)
    assert len(times(" ".join(fields))) == 7 * 24 * 4
    for handed in (cron_command(command, pairs=True), cron_command(command, pairs=False), command):
        assert printed("sh", handed) == words


def test_a_command_too_long_for_cron_is_refused_by_its_bytes() -> None:
    assert only("cron", command=["/" + "x" * 997])
    for long in ("/" + "x" * 998, "/x" + "é" * 500):
        with pytest.raises(UsageError, match="settings file"):
            made("cron", command=[long])


@SHELLS
@given(WORDS)
@example(NASTY)
def test_airflow_and_bash_read_the_words_as_they_were_given(words: list[str]) -> None:
    if not shutil.which("bash"):
        pytest.skip("there is no bash")
    command = bash_command(only("airflow", command=["/usr/bin/printf", "%s\\0", *words]))
    rendered = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(command).render()
    assert rendered == command
    assert not command.endswith((".sh", ".bash"))
    assert printed("bash", rendered) == words


def bash_command(text: str) -> str:
    import ast

    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    (value,) = [k.value for call in calls for k in call.keywords if k.arg == "bash_command"]
    return str(ast.literal_eval(value))


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 2), (3, 0), (4, 4), (75, 75), (130, 130)])
def test_findings_do_not_fail_a_task_of_airflow(code: int, expected: int) -> None:
    command = bash_command(only("airflow", command=["sh", "-c", f"exit {code}"]))
    assert subprocess.run(["sh", "-c", command], check=False).returncode == expected


def kubernetes_word(text: str) -> str:
    """A word of a command as Kubernetes hands it on: variables filled in, two dollars become one."""
    return re.sub(r"\$(\$|\([^)]*\))", lambda found: "$" if found[1] == "$" else "FILLED", text)


@settings(deadline=None)
@given(WORDS)
@example(NASTY)
def test_kubernetes_reads_the_words_as_they_were_given(words: list[str]) -> None:
    yaml = pytest.importorskip("yaml")
    places = {f"p{n}": f"/srv/{n}" + re.sub("[/:]", "", word) for n, word in enumerate(words)}
    text = only("kubernetes", command=["harvestdetect", *words], writable=places)
    pod = yaml.safe_load(text)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert [kubernetes_word(word) for word in container["command"]] == ["harvestdetect", *words]
    mounted = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert mounted == {**places, "dumps": "/srv/dumps", "tmp": "/tmp", "cache": "/cache"}
    assert [v["name"] for v in pod["volumes"]] == list(mounted)


# ---------------------------------------------------------------- the schedulers' own tools


def tricky(folder: Path) -> tuple[str, ...]:
    """A command whose program is there and has an awkward name."""
    program = folder / "of 50% $x; é" / "harvest detect"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    program.chmod(0o755)
    return (str(program), "scan", *NASTY)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("every", ["1m", "15m", "12h", "1d", "1w", "2d"])
def test_systemd_takes_the_units(tmp_path: Path, every: str) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    places = {"state": "/srv/it's 50% $x", "out": "/srv/findings"}
    files = made("systemd", every=every, command=tricky(tmp_path), writable=places, user="root", memory_gb=16)
    assert sorted(files) == ["harvestdetect.service", "harvestdetect.timer"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(folder / name) for name in files)],
        capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert (done.returncode, [line for line in done.stderr.splitlines() if "harvestdetect" in line]) == (0, [])
    for calendar in setting(files["harvestdetect.timer"], "OnCalendar"):
        subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True, check=True)


def test_systemd_retries_what_may_help_and_nothing_else() -> None:
    service = made("systemd")["harvestdetect.service"]
    assert setting(service, "SuccessExitStatus") == ["3 130 143"]
    assert setting(service, "RestartPreventExitStatus") == ["2 4"]
    assert setting(service, "Restart") == ["on-failure"]
    assert "\nRestartForceExitStatus" not in service
    for every in ("1m", "15m", "1d", "1w", "2d"):
        files = made("systemd", every=every)
        service, timer = files["harvestdetect.service"], files["harvestdetect.timer"]
        (interval,), (pause,) = setting(service, "StartLimitIntervalSec"), setting(service, "RestartSec")
        (delay,), period = setting(timer, "RandomizedDelaySec"), parse_period(every)
        assert 3 * int(pause) < int(interval) < period - int(delay)


@pytest.mark.skipif(not shutil.which("crontab"), reason="crontab is not installed")
@pytest.mark.parametrize("every", ["1m", "15m", "12h", "1d", "1w"])
def test_cron_takes_the_line(tmp_path: Path, every: str) -> None:
    asked = subprocess.run(["crontab", "-h"], capture_output=True, text=True, check=False, input="")
    flags = [flag for flag in ("-n", "-T") if re.search(rf"{flag}\b.*(dry run|test|syntax|check)", asked.stderr)]
    if not flags:
        pytest.skip("this crontab cannot check a file")
    file = tmp_path / "crontab"
    file.write_text(only("cron", every=every, command=tricky(tmp_path)), encoding="utf-8")
    subprocess.run(["crontab", flags[0], str(file)], check=True, capture_output=True)


@pytest.mark.parametrize("every", ["1m", "15m", "12h", "1d", "1w"])
def test_kubernetes_takes_the_manifest(every: str) -> None:
    yaml = pytest.importorskip("yaml")
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    manifest = yaml.safe_load(only("kubernetes", every=every, command=["harvestdetect", *NASTY]))
    for version in ("1.31", validate.latest_version()):
        validate.validate(manifest, version, strict=True)
    broken = yaml.safe_load(only("kubernetes"))
    broken["spec"]["concurrencyPolicie"] = "Forbid"
    with pytest.raises(validate.ValidationError):
        validate.validate(broken, validate.latest_version(), strict=True)


def test_a_job_of_kubernetes_does_not_overlap_and_has_no_rights() -> None:
    yaml = pytest.importorskip("yaml")
    manifest = yaml.safe_load(only("kubernetes", memory_gb=12, writable={"state": "/s", "cache": "/c$(HOME)"}))
    spec = manifest["spec"]
    assert (spec["concurrencyPolicy"], spec["timeZone"]) == ("Forbid", "Etc/UTC")
    job = spec["jobTemplate"]["spec"]
    assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [2, 3, 4]
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"] == {"memory": "12000M"}
    environment = {entry["name"]: kubernetes_word(entry["value"]) for entry in container["env"]}
    assert "HARVESTDETECT_MEMORY_GB" not in environment, "a scan reads the limit of its container"
    assert environment["XDG_CACHE_HOME"] == "/c$(HOME)"
    dumps = next(volume for volume in pod["volumes"] if volume["name"] == "dumps")
    assert dumps["persistentVolumeClaim"] == {"claimName": "harvestdetect-dumps", "readOnly": True}


def pythons_with_airflow() -> Iterator[str]:
    """Of ``AIRFLOW_PYTHON`` (several with :), or this one."""
    yield from filter(None, os.environ.get("AIRFLOW_PYTHON", "").split(":"))
    if importlib.util.find_spec("airflow"):
        yield sys.executable


LOAD_DAGS = """
import json, sys
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1])
found = {
    dag.dag_id: [dag.max_active_runs, dag.catchup, [task.bash_command for task in dag.tasks]]
    for dag in bag.dags.values()
}
print("\\n" + json.dumps([bag.import_errors, found]))
"""


@pytest.mark.parametrize("every", ["1d", "2d"])
def test_airflow_takes_the_dag(tmp_path: Path, every: str) -> None:
    import json

    pythons = list(pythons_with_airflow())
    if not pythons:
        pytest.skip("Airflow is not installed; AIRFLOW_PYTHON can name a Python that has it")
    folder = tmp_path / "dags"
    folder.mkdir()
    ((name, text),) = made("airflow", every=every, command=["harvestdetect", *NASTY], name="nightly-scan").items()
    assert name == "nightly_scan_dag.py"
    (folder / name).write_text(text, encoding="utf-8")
    for number, python in enumerate(pythons):
        environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / f"airflow{number}")}
        environment |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        done = subprocess.run(
            [python, "-c", LOAD_DAGS, str(folder)], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        errors, dags = json.loads(done.stdout.splitlines()[-1])
        assert errors == {}
        assert dags["nightly-scan"] == [1, False, [bash_command(text)]]
