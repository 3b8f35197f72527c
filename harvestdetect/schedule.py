"""Files that have a scheduler run a command again and again: systemd, cron, Kubernetes, Airflow.

A run is safe to start at any time: it ends with 75 where another one works on the same state, so no format needs a
lock of its own. What they make of an exit code (again: up to three times, after a pause)::

    code                         systemd               kubernetes            airflow
    0   done                     done                  done                  done
    3   done, with findings      done                  failed, not again     done
    4   done, many bad rows      failed, not again     failed, not again     failed, tried again
    2   wrong usage              failed, not again     failed, not again     failed, tried again
    1   failed                   failed, tried again   failed, tried again   failed, tried again
    75  another run has it       failed, tried again   failed, tried again   failed, tried again

cron looks at none of them.

Every value is quoted for the format it goes into. Where that cannot be done for all versions of a scheduler, and where
a character cannot be printed, it is refused.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvestdetect import __version__
from harvestdetect.errors import UsageError

__all__ = ["FORMATS", "parse_period", "units"]

FORMATS: Final = ("systemd", "cron", "kubernetes", "airflow")
MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
WEEK: Final = 7 * DAY
UNITS: Final = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
LONGEST: Final = 3_650 * DAY
CRON_BYTES: Final = 998
"""Longer commands are refused, or cut, by the cron of Debian and others."""
ATTEMPTS: Final = 4
"""Of one run: the first and three more."""
MEMORY_GB: Final = 8.0
"""What a container gets unless told, 10**9 bytes."""
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9/._-]*")
_YAML_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def parse_period(text: str) -> int:
    """Seconds of a period such as ``15m``, ``12h``, ``1d`` or ``1w``.

    Args:
        text: a whole number and one of s, m, h, d, w.

    Raises:
        UsageError: it is something else, zero, or more than ten years.
    """
    match = re.fullmatch(r"\s*([0-9]{1,10})\s*([smhdw])\s*", text)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST:
        allowed = "a whole number above 0 and one of s, m, h, d, w, up to ten years, such as 15m, 12h, 1d or 1w"
        raise UsageError(f"a period is {allowed}; got {text!r}")
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is run, checked; times in seconds."""

    command: tuple[str, ...]
    every: str
    period: int
    hour: int
    minute: int
    writable: Mapping[str, str]
    readable: Mapping[str, str]
    name: str
    user: str
    image: str
    memory_gb: float | None
    timeout: int

    @property
    def pause(self) -> int:
        """Before a failed run is tried again."""
        return min(max(self.period // 10, 10), 10 * MINUTE)

    @property
    def moments(self) -> tuple[list[int] | None, list[int] | None, bool] | None:
        """Minutes, hours (None: all) and whether on Mondays only; None where a calendar cannot tell the period."""
        minutes, rest = divmod(self.period, MINUTE)
        if rest:
            return None
        if minutes < 60 and 60 % minutes == 0:
            every = sorted((self.minute + k) % 60 for k in range(0, 60, minutes))
            return None if minutes == 1 else every, None, False
        hours, rest = divmod(minutes, 60)
        if not rest and 0 < hours < 24 and 24 % hours == 0:
            every = sorted((self.hour + k) % 24 for k in range(0, 24, hours))
            return [self.minute], None if hours == 1 else every, False
        if self.period in (DAY, WEEK):
            return [self.minute], [self.hour], self.period == WEEK
        return None


def units(
    format: str,
    *,
    every: str,
    command: Sequence[str],
    writable: Mapping[str, str | os.PathLike[str]],
    readable: Mapping[str, str | os.PathLike[str]] | None = None,
    name: str = "harvestdetect",
    at: str = "03:17",
    user: str | None = None,
    image: str | None = None,
    memory_gb: float | None = None,
    timeout: str | None = None,
) -> dict[str, str]:
    """Files that make a scheduler run a command again and again: file name -> content.

    Args:
        format: one of :data:`FORMATS`.
        every: as :func:`parse_period` takes it, a minute or more. cron and Kubernetes know minutes that divide an hour,
            hours that divide a day, ``1d`` and ``1w`` (Mondays).
        command: program and arguments. They reach the program as they are: no shell takes globs or variables apart.
            systemd and cron need the full path of the program, and paths in the arguments should be full ones too.
        writable: what the command writes into: a short name -> full path of a folder. ``cache`` takes the vector cache.
            systemd leaves all else read-only; in Kubernetes it is mounted from the claim ``NAME-<short name>``.
        readable: what it reads, likewise; mounted read-only.
        name: of the job, small letters, digits and ``-``.
        at: time of day of a run, HH:MM: UTC, with cron the machine's. Shorter periods keep its minute.
        user: who runs it under systemd; None: the name.
        image: of the container; None: ``harvestdetect:<version>``.
        memory_gb: what a run may take before it is killed, 10**9 bytes; None: no limit under systemd, 8 in Kubernetes.
            The command gets half of it as ``HARVESTDETECT_MEMORY_GB``, since inside a container it sees the machine's.
        timeout: after which a run that hangs is stopped; None: the period, and at least 6 hours and at most 24.

    Raises:
        UsageError: the format cannot express the period or a value, or one is out of its range.
    """
    if format not in FORMATS:
        raise UsageError(f"the format of a schedule is one of {', '.join(FORMATS)}; got {format!r}")
    period = parse_period(every)
    if period < MINUTE:
        raise UsageError(f"a schedule runs every minute (1m) at most; got {every!r}")
    time = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", at)
    if time is None:
        raise UsageError(f"the time of day is HH:MM, such as 03:17; got {at!r}")
    if not _NAME.fullmatch(name) or len(name) > 52:
        raise UsageError(f"the name of a job is small letters, digits and - inside it, at most 52; got {name!r}")
    if not command or not command[0]:
        raise UsageError("there is no command to schedule")
    if user is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", user):
        raise UsageError(f"the user is a name of letters, digits, _ . and -; got {user!r}")
    image = f"harvestdetect:{__version__}" if image is None else image
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", image):
        raise UsageError(f"the image is named as registry/name:tag; got {image!r}")
    if memory_gb is not None and not 1 <= memory_gb <= 1_000_000:
        raise UsageError(f"the memory of a run is 1 GB or more; got {memory_gb:g}")
    job = _Job(
        command=tuple(_printable(word, "the command") for word in command),
        every="".join(every.split()),
        period=period,
        hour=int(time[1]),
        minute=int(time[2]),
        writable={_short(key): _folder(path) for key, path in writable.items()},
        readable={_short(key): _folder(path) for key, path in (readable or {}).items()},
        name=name,
        user=name if user is None else user,
        image=image,
        memory_gb=memory_gb,
        timeout=min(max(period, 6 * HOUR), DAY) if timeout is None else parse_period(timeout),
    )
    return {"systemd": _systemd, "cron": _crontab, "kubernetes": _kubernetes, "airflow": _airflow}[format](job)


def _printable(text: str, what: str) -> str:
    for character in text:
        if not character.isprintable():
            raise UsageError(f"{what} has a character that cannot be printed (U+{ord(character):04X}): {text!r}")
    return text


def _short(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > 10:
        raise UsageError(f"the short name of a folder is at most 10 small letters and digits; got {name!r}")
    return name


def _folder(path: str | os.PathLike[str]) -> str:
    text = _printable(os.fspath(path), "a folder")
    if not text.startswith("/") or ".." in text.split("/") or not text.strip("/"):
        raise UsageError(f"folders of a schedule are full paths below /, without ..; got {text!r}")
    return os.path.normpath("/" + text.lstrip("/"))


def _full_path(job: _Job, format: str) -> None:
    if not job.command[0].startswith("/"):
        example = f"/opt/harvestdetect/bin/{os.path.basename(job.command[0])}"
        raise UsageError(
            f"{format} does not look into your PATH: give the program's full path, such as {example}; "
            f"got {job.command[0]!r}"
        )


# ---------------------------------------------------------------- systemd


def _systemd(job: _Job) -> dict[str, str]:
    _full_path(job, "systemd")
    if re.search(r"[\\\"']", job.command[0]):
        raise UsageError(f"systemd starts no program with quotes or \\ in its path: {job.command[0]!r}")
    for path in job.writable.values():
        if path.startswith(("/tmp/", "/var/tmp/")) or path in ("/tmp", "/var/tmp"):
            raise UsageError(f"under systemd a run has a /tmp of its own, and what it writes there is lost: {path!r}")
    folders = list(dict.fromkeys(job.writable.values()))
    needed = list(dict.fromkeys((*folders, *job.readable.values())))
    # With the colon systemd leaves every $ as it is.
    colon = ":" if any("$" in word for word in job.command) else ""
    if "cache" in job.writable:
        cache = [f"Environment={_systemd_word('XDG_CACHE_HOME=' + job.writable['cache'])}"]
    else:
        cache = [f"CacheDirectory={job.name}", f"Environment=XDG_CACHE_HOME=%C/{job.name}"]
    if job.memory_gb is not None:
        cache += [f"MemoryMax={job.memory_gb * 1e9:.0f}", f"Environment=HARVESTDETECT_MEMORY_GB={job.memory_gb / 2:g}"]
    service = [
        f"# /etc/systemd/system/{job.name}.service",
        "[Unit]",
        "Description=harvestdetect: look for prompt harvesting",
        "Wants=network-online.target",
        "After=network-online.target",
        *([f"RequiresMountsFor={' '.join(map(_systemd_folder, needed))}"] if needed else []),
        f"# A run is tried {ATTEMPTS} times; the next period counts anew.",
        f"StartLimitIntervalSec={job.period * 9 // 10}",
        f"StartLimitBurst={ATTEMPTS}",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={job.user}",
        f"ExecStart={colon}{' '.join(map(_systemd_word, job.command))}",
        "# 3: done, with findings. 130: stopped by hand.",
        "SuccessExitStatus=3 130",
        "# What fails is tried again, also 75 (another run works on the state); not so 2 (wrong usage) and 4 (done,",
        "# with too many bad rows). RestartForceExitStatus=75 with Type=oneshot is refused before systemd 256.",
        "Restart=on-failure",
        "RestartPreventExitStatus=2 4",
        f"RestartSec={job.pause}",
        f"TimeoutStartSec={job.timeout}",
        "TimeoutStopSec=120",
        "# As Ctrl-C: temporary files go, what was embedded stays.",
        "KillSignal=SIGINT",
        "Nice=10",
        "UMask=0027",
        *cache,
        "",
        "# The whole system is read-only but for these.",
        "ProtectSystem=strict",
        *(f"ReadWritePaths={_systemd_folder(folder)}" for folder in folders),
        "ProtectHome=read-only",
        "PrivateTmp=yes",
        "# Set it to no where the model runs on a graphics card.",
        "PrivateDevices=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "LockPersonality=yes",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "ProtectProc=invisible",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
    ]
    timer = [
        f"# /etc/systemd/system/{job.name}.timer",
        "[Unit]",
        f"Description=harvestdetect every {job.every}",
        "",
        "[Timer]",
        *_when(job),
        "# Not with everything else that starts on the hour.",
        f"RandomizedDelaySec={min(job.period // 20, 15 * MINUTE)}",
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return {f"{job.name}.service": "\n".join(service) + "\n", f"{job.name}.timer": "\n".join(timer) + "\n"}


def _when(job: _Job) -> list[str]:
    if job.moments is None:
        return [
            "# No calendar has this period: it counts from the last run, and from the boot, so that a run missed while",
            "# the machine was off is made up for.",
            f"OnBootSec={min(job.period, 15 * MINUTE)}",
            f"OnUnitActiveSec={job.period}",
        ]
    minutes, hours, monday = job.moments
    hour = "*" if hours is None else ",".join(f"{h:02}" for h in hours)
    minute = "*" if minutes is None else ",".join(f"{m:02}" for m in minutes)
    return [
        f"OnCalendar={'Mon ' if monday else ''}*-*-* {hour}:{minute}:00 UTC",
        "# A run missed while the machine was off is made up for at the next boot.",
        "Persistent=true",
    ]


def _systemd_word(word: str) -> str:
    """A word of ExecStart= or Environment=."""
    word = word.replace("%", "%%")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _systemd_folder(path: str) -> str:
    """A word of ReadWritePaths= or RequiresMountsFor=, in which versions of systemd differ about backslashes."""
    if "\\" in path or '"' in path:
        raise UsageError(f'systemd cannot be told of folders with \\ or " in their names: {path!r}')
    path = path.replace("%", "%%")
    return path if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", path) else f'"{path}"'


# ---------------------------------------------------------------- cron


def _cron_times(job: _Job, format: str) -> str:
    if job.moments is None:
        known = "1m to 6m, 10m, 12m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d and 1w"
        raise UsageError(
            f"{format} cannot run every {job.every}: it knows {known}; systemd and airflow know any period"
        )
    minutes, hours, monday = job.moments
    minute, hour = ("*" if values is None else ",".join(map(str, values)) for values in (minutes, hours))
    return f"{minute} {hour} * * {1 if monday else '*'}"


def _crontab(job: _Job) -> dict[str, str]:
    _full_path(job, "cron")
    times = _cron_times(job, "cron")
    line = " ".join(map(_cron_word, job.command))
    if (size := len(line.encode())) > CRON_BYTES:
        raise UsageError(
            f"cron takes commands of {CRON_BYTES} bytes, and this one has {size:,}: name a folder instead of its "
            "files, or put options into a settings file (--settings)"
        )
    lines = [
        "# Add this to what `crontab -e` shows (`crontab FILE` replaces all that is there). In a file of /etc/cron.d",
        "# the user goes before the command, and the file's name has no dot.",
        "#",
        "# It needs no flock: a run ends with 75, having done nothing, while another one works on the same state.",
        "# Times are the machine's. A run missed while the machine is off is not made up for; the next one reads",
        "# what it left. What a run prints is mailed to the owner; with >/dev/null at the end only errors are.",
        f"{times} {line}",
    ]
    return {f"{job.name}.crontab": "\n".join(lines) + "\n"}


def _cron_word(word: str) -> str:
    """A word for cron and then sh.

    cron takes an unescaped % for the end of the command, and some crons take one of two backslashes away: a % is
    written \\% outside quotes, which is right whether cron or sh takes the backslash, and no backslash stands before
    another.
    """
    if re.fullmatch(r"[A-Za-z0-9_@+=:,./-]+", word):
        return word
    special = {"'": '"\'"', "%": "\\%", "\\": "'\\'"}
    parts = re.findall(r"['%\\]|[^'%\\]+", word)
    return "".join(special.get(part) or f"'{part}'" for part in parts) or "''"


# ---------------------------------------------------------------- kubernetes


def _kubernetes(job: _Job) -> dict[str, str]:
    mounts = [(key, path, False) for key, path in job.writable.items()]
    mounts += [(key, path, True) for key, path in job.readable.items()]
    for what in ("short names", "folders"):
        taken = [key if what == "short names" else path for key, path, _ in mounts] + ["tmp", "/tmp"]
        if len(set(taken)) < len(taken):
            raise UsageError(f"the {what} of what is mounted must differ from one another, from tmp and from /tmp")
    for _, path, _ in mounts:
        if ":" in path:
            raise UsageError(f"Kubernetes mounts nothing at a path with a colon: {path!r}")
    memory = MEMORY_GB if job.memory_gb is None else job.memory_gb
    megabytes = f"{memory * 1000:.0f}M"
    container = {
        "name": job.name,
        "image": job.image,
        "command": [word.replace("$", "$$") for word in job.command],
        "env": [
            {"name": "HOME", "value": "/tmp"},
            {"name": "TMPDIR", "value": "/tmp"},
            {"name": "XDG_CACHE_HOME", "value": job.writable.get("cache", "/tmp/cache").replace("$", "$$")},
            {"name": "HARVESTDETECT_MEMORY_GB", "value": f"{memory / 2:g}"},
        ],
        "resources": {"requests": {"cpu": "2", "memory": megabytes}, "limits": {"memory": megabytes}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            *({"name": key, "mountPath": path, "readOnly": readonly} for key, path, readonly in mounts),
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 120,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            *(
                {
                    "name": key,
                    "persistentVolumeClaim": {"claimName": f"{job.name}-{key}"} | ({"readOnly": True} if ro else {}),
                }
                for key, _, ro in mounts
            ),
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    failing = {"containerName": job.name, "operator": "In", "values": [2, 3, 4]}
    labels = {"app.kubernetes.io/name": job.name}
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": job.name, "labels": labels},
        "spec": {
            "schedule": _cron_times(job, "kubernetes"),
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": job.period // 2,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": labels},
                "spec": {
                    "backoffLimit": ATTEMPTS - 1,
                    "activeDeadlineSeconds": job.timeout,
                    "podFailurePolicy": {
                        "rules": [
                            {"action": "FailJob", "onExitCodes": failing},
                            {
                                "action": "Ignore",
                                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                            },
                        ]
                    },
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            },
        },
    }
    head = [
        "# kubectl apply -f this; Kubernetes 1.31 or newer. The claims named under volumes must exist.",
        "# Exit codes 2 (wrong usage), 3 (findings at or above --fail-on) and 4 (too many bad rows) fail the job at",
        "# once, as another try would end alike: leave --fail-on out unless findings are to fail it. 1 (failed) and 75",
        "# (another run works on the state) are tried again after growing pauses; a pod lost with its node, uncounted.",
    ]
    return {f"{job.name}.cronjob.yaml": "\n".join([*head, *_yaml(manifest)]) + "\n"}


def _yaml(value: Mapping[str, Any] | list[Any], pad: str = "") -> Iterator[str]:
    """Lines of a mapping with plain keys, or of a list, neither empty."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping | list) and inner:
                yield f"{pad}{key}:"
                yield from _yaml(inner, pad + "  ")
            else:
                yield f"{pad}{key}: {_yaml_scalar(inner)}"
        return
    for inner in value:
        if isinstance(inner, Mapping | list) and inner:
            first, *rest = _yaml(inner, pad + "  ")
            yield f"{pad}- {first[len(pad) + 2 :]}"
            yield from rest
        else:
            yield f"{pad}- {_yaml_scalar(inner)}"


def _yaml_scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


# ---------------------------------------------------------------- airflow


def _airflow(job: _Job) -> dict[str, str]:
    line = " ".join(map(_bash_word, job.command))
    command = f"{line}; code=$?; if [ $code -eq 3 ]; then exit 0; fi; exit $code"
    when = f"timedelta(seconds={job.period})" if job.moments is None else repr(_cron_times(job, "airflow"))
    text = f'''\
"""harvestdetect, every {job.every}; times are UTC. Goes into the folder of DAGs; Airflow 2.9 or newer, also 3.

Of the exit codes 3 (done, with findings) counts as done. All others fail the task, which is tried again: also 75
(another run works on the state), and for want of a way to tell them apart 2 (wrong usage) and 4 (too many bad rows).
What a run prints goes into the task's log and not into XCom.
"""

from datetime import datetime, timedelta, timezone

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id={job.name!r},
    schedule={when},
    start_date=datetime(2024, 1, 1, {job.hour}, {job.minute}, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["harvestdetect"],
):
    BashOperator(
        task_id="scan",
        bash_command={command!r},
        do_xcom_push=False,
        retries={ATTEMPTS - 1},
        retry_delay=timedelta(seconds={job.pause}),
        execution_timeout=timedelta(seconds={job.timeout}),
    )
'''
    return {f"{job.name.replace('-', '_')}_dag.py": text}


def _bash_word(word: str) -> str:
    """A word for bash in which Jinja, through which Airflow puts a command, finds nothing to fill in."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", word):
        return word
    quoted = "'" + word.replace("'", "'\"'\"'") + "'"
    return re.sub(r"\{(?=[{%#])", "{''", quoted)
