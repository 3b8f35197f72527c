"""Writes a CronJob for Kubernetes, a ConfigMap with its settings, and the claims that it writes into."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harvestdetect.errors import UsageError
from harvestdetect.ops.schedule.job import ATTEMPTS, Job, calendar

__all__ = ["manifests"]

MEMORY_GB: Final = 8.0
"""Default memory limit of a container, in units of 10**9 bytes."""
USER: Final = 10001
"""Id of the user and the group of the container, as in the Dockerfile."""
SETTINGS_KEY: Final = "settings.toml"
"""Key of the settings in their ConfigMap or Secret. A key cannot have all characters of a file name."""
GROUP_READS: Final = 0o440
"""Mode of the files of a ConfigMap or Secret. Their group is that of the pod."""
SIZES: Final = {"state": "100Gi", "out": "20Gi", "metrics": "1Gi", "cache": "20Gi", "work": "100Gi"}
"""Size of a claim, by the short name of its folder."""
OTHER_SIZE: Final = "20Gi"
"""Size of a claim for any other folder."""
SYSTEM: Final = ("bin", "boot", "dev", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "usr")
"""Folders of ``/`` into which nothing may be mounted."""
COVERED: Final = (
    "/etc",
    "/home",
    "/mnt",
    "/opt",
    "/root",
    "/run",
    "/srv",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
)
"""Folders of the container with content that a volume would hide. Folders inside them may be mounted."""
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9/._-]*")
"""Texts that YAML reads as text without quotes, unless they are among ``_YAML_WORDS``."""
_YAML_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""Words that YAML does not read as text without quotes, in small letters."""


@dataclass(frozen=True, slots=True)
class _Mount:
    """A volume and where it appears in the container."""

    name: str
    source: Mapping[str, Any]
    path: str
    readonly: bool
    key: str = ""
    """Key of a single file in the volume; empty for the whole volume."""

    def mounted(self) -> dict[str, Any]:
        value: dict[str, Any] = {"name": self.name, "mountPath": self.path}
        return value | ({"subPath": self.key} if self.key else {}) | ({"readOnly": True} if self.readonly else {})


def manifests(job: Job) -> dict[str, str]:
    """The claims, and the job with its settings: file name -> YAML.

    Raises:
        UsageError: the period cannot be expressed, or a folder or file cannot be mounted.
    """
    mounts = _mounts(job)
    documents: list[tuple[list[str], dict[str, Any]]] = []
    settings = job.settings
    mounted = any(mount.name == "settings" for mount in mounts)
    if settings is not None and mounted and settings.text is not None and not settings.secret:
        head = [f"# The settings from {settings.path}, without comments. The next run uses what you change here."]
        named = {"name": f"{job.name}-settings", "labels": _labels(job)}
        data = {SETTINGS_KEY: f"# From {settings.path}\n{settings.text}"}
        documents.append((head, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": data}))
    documents.append((_about(job, mounts), _cron_job(job, mounts)))
    claims = [([] if number else _about_claims(), _claim(job, key)) for number, key in enumerate(job.writable)]
    made = {f"{job.name}.storage.yaml": claims, f"{job.name}.cronjob.yaml": documents}
    return {file: _text(parts) for file, parts in made.items() if parts}


def _text(documents: list[tuple[list[str], dict[str, Any]]]) -> str:
    lines: list[str] = []
    for head, value in documents:
        lines += ["---", *head, *_yaml(value)]
    return "\n".join(lines) + "\n"


def _labels(job: Job) -> dict[str, str]:
    return {"app.kubernetes.io/name": job.name}


# ---------------------------------------------------------------- volumes


def _mounts(job: Job) -> list[_Mount]:
    folders = [
        _Mount(key, {"persistentVolumeClaim": _claimed(job, key, readonly)}, path, readonly)
        for places, readonly in ((job.writable, False), (job.readable, True))
        for key, path in places.items()
    ]
    folders.append(_Mount("tmp", {"emptyDir": {}}, "/tmp", False))
    if "cache" not in job.writable:
        folders.append(_Mount("cache", {"emptyDir": {}}, "/cache", False))
    singles = [] if job.settings is None else [_settings_mount(job, job.settings.path)]
    files = {"configMap": {"name": f"{job.name}-files", "defaultMode": GROUP_READS}}
    singles += [_Mount("files", files, path, True, key) for key, path in job.files.items()]
    # A file in a mounted folder needs no mount of its own, and Kubernetes allows none inside a read-only mount.
    places = [*job.writable.values(), *job.readable.values()]
    mounts = folders + [one for one in singles if not any(_inside(one.path, place) for place in places)]
    _check_mounts(mounts)
    return mounts


def _claimed(job: Job, key: str, readonly: bool) -> dict[str, Any]:
    return {"claimName": f"{job.name}-{key}"} | ({"readOnly": True} if readonly else {})


def _settings_mount(job: Job, path: str) -> _Mount:
    name = f"{job.name}-settings"
    source: dict[str, Any] = {"configMap": {"name": name, "defaultMode": GROUP_READS}}
    if job.settings is not None and job.settings.secret:
        source = {"secret": {"secretName": name, "defaultMode": GROUP_READS}}
    return _Mount("settings", source, path, True, SETTINGS_KEY)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _check_mounts(mounts: list[_Mount]) -> None:
    names = [mount.name for mount in mounts if not mount.key]
    names += sorted({mount.name for mount in mounts if mount.key})
    for what, values in (("short names", names), ("folders", [mount.path for mount in mounts])):
        if len(set(values)) < len(values):
            raise UsageError(
                f"the {what} to mount must differ from one another, and from tmp, cache, settings, files, /tmp "
                "and /cache"
            )
    for mount in mounts:
        if ":" in mount.path:
            raise UsageError(f"Kubernetes cannot mount anything at a path with a colon: {mount.path!r}")
        if mount.path.split("/")[1] in SYSTEM or (mount.path in COVERED and not mount.key):
            raise UsageError(
                f"a volume at {mount.path} would hide files of the container; use another folder, "
                f"such as /data/{mount.name}"
            )
        for other in mounts:
            if other is not mount and other.readonly and not other.key and _inside(mount.path, other.path):
                raise UsageError(
                    f"Kubernetes cannot mount {mount.path} inside {other.path}, which is read-only; "
                    "use folders outside one another"
                )


def _claim(job: Job, key: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{job.name}-{key}", "labels": _labels(job)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": SIZES.get(key, OTHER_SIZE)}},
        },
    }


# ---------------------------------------------------------------- the job


def _container(job: Job, mounts: list[_Mount]) -> dict[str, Any]:
    memory = MEMORY_GB if job.memory_gb is None else job.memory_gb
    megabytes = f"{memory * 1000:.0f}M"
    cache = next(mount.path for mount in mounts if mount.name == "cache")
    return {
        "name": job.name,
        "image": job.image,
        "command": [word.replace("$", "$$") for word in job.command],
        "env": [
            {"name": "HOME", "value": "/tmp"},
            {"name": "TMPDIR", "value": "/tmp"},
            {"name": "XDG_CACHE_HOME", "value": cache.replace("$", "$$")},
        ],
        "envFrom": [{"secretRef": {"name": f"{job.name}-env", "optional": True}}],
        "resources": {"requests": {"cpu": "2", "memory": megabytes}, "limits": {"memory": megabytes}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [mount.mounted() for mount in mounts],
    }


def _pod(job: Job, mounts: list[_Mount]) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 120,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(job, mounts)],
        "volumes": list({mount.name: {"name": mount.name, **mount.source} for mount in mounts}.values()),
    }


def _cron_job(job: Job, mounts: list[_Mount]) -> dict[str, Any]:
    failing = {"containerName": job.name, "operator": "In", "values": [2, 3, 4]}
    lost = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": job.name, "labels": _labels(job)},
        "spec": {
            "schedule": calendar(job, "kubernetes"),
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": job.period // 2,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": _labels(job)},
                "spec": {
                    "backoffLimit": ATTEMPTS - 1,
                    "activeDeadlineSeconds": job.timeout,
                    "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": failing}, lost]},
                    "template": {"metadata": {"labels": _labels(job)}, "spec": _pod(job, mounts)},
                },
            },
        },
    }


# ---------------------------------------------------------------- comments


def _about(job: Job, mounts: list[_Mount]) -> list[str]:
    lines = [
        "# Apply with kubectl apply -f FILE; needs Kubernetes 1.31 or newer.",
        "# Exit codes 2 (wrong usage), 3 (findings at or above --fail-on) and 4 (done, but check the input) fail the",
        "# job without a retry, because a retry would end in the same way: use --fail-on only if findings should fail",
        "# the job. 1 (failed) and 75 (another run is using the state) are retried after growing pauses. A pod that is",
        "# lost with its node does not count as an attempt.",
    ]
    names = ", ".join(job.variables) or "the settings named none when this was printed"
    lines += [
        f"# Put the secrets of the alert channels ({names}) into a file with lines NAME=value, without quotes, and",
        "# delete the file after this command:",
        f"#   kubectl create secret generic {job.name}-env --from-env-file=FILE",
    ]
    if claims := [mount.source["persistentVolumeClaim"]["claimName"] for mount in mounts if _given(mount)]:
        lines += [f"# {', '.join(claims)}: claims with the dumps. They must exist and are mounted read-only."]
    mounted = {mount.name for mount in mounts if mount.key}
    if "settings" in mounted and job.settings is not None and (job.settings.secret or job.settings.text is None):
        why = (
            "contain secrets"
            if job.settings.secret
            else "could not be read when this was printed, or do not fit into YAML"
        )
        kind = "secret generic" if job.settings.secret else "configmap"
        lines += [
            f"# The settings {why}. Run this before the first run:",
            f"#   kubectl create {kind} {job.name}-settings --from-file={SETTINGS_KEY}={_quoted(job.settings.path)}",
        ]
    if "files" in mounted:
        files = " ".join(f"--from-file={m.key}={_quoted(m.path)}" for m in mounts if m.name == "files")
        lines += [
            "# Files that the scan reads, at most 1 MiB in total. Run this before the first run:",
            f"#   kubectl create configmap {job.name}-files {files}",
        ]
    return lines


def _given(mount: _Mount) -> bool:
    return mount.readonly and "persistentVolumeClaim" in mount.source


def _about_claims() -> list[str]:
    return [
        "# Apply once with kubectl apply -f FILE, before the job. Choose sizes and storage class as you like. The",
        "# state needs a volume with working file locks: a block device rather than a network share.",
    ]


def _quoted(path: str) -> str:
    """A path, quoted for a shell."""
    return path if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", path) else "'" + path.replace("'", "'\"'\"'") + "'"


# ---------------------------------------------------------------- YAML


def _yaml(value: Mapping[str, Any] | list[Any], pad: str = "") -> Iterator[str]:
    """Lines of YAML.

    Args:
        value: a mapping with plain keys or a list, not empty. No text of several lines in it starts with a blank.
        pad: indent of every line.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping | list) and inner:
                yield f"{pad}{key}:"
                yield from _yaml(inner, pad + "  ")
            elif isinstance(inner, str) and "\n" in inner:
                yield f"{pad}{key}: |"
                yield from (f"{pad}  {line}" if line else "" for line in inner.removesuffix("\n").split("\n"))
            else:
                yield f"{pad}{key}: {_scalar(inner)}"
        return
    for inner in value:
        if isinstance(inner, Mapping | list) and inner:
            first, *rest = _yaml(inner, pad + "  ")
            yield f"{pad}- {first[len(pad) + 2 :]}"
            yield from rest
        else:
            yield f"{pad}- {_scalar(inner)}"


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
