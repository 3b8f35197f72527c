"""Writes a service and a timer for systemd."""

from __future__ import annotations

import re
from typing import Final

from harvestdetect.errors import UsageError
from harvestdetect.ops.schedule.job import ATTEMPTS, Job, full_path
from harvestdetect.util.periods import MINUTE

__all__ = ["service_and_timer"]

PAUSES: Final = 12
"""Length of the time in which systemd counts starts, in pauses between two attempts."""


def service_and_timer(job: Job) -> dict[str, str]:
    """The service and the timer: file name -> content.

    Raises:
        UsageError: systemd cannot start the program or use a folder.
    """
    full_path(job, "systemd")
    if re.search(r"[\\\"']", job.command[0]):
        raise UsageError(f"systemd cannot start a program with quotes or \\ in its path: {job.command[0]!r}")
    for places, what in ((job.writable.values(), "what it writes there is lost"), (_read(job), "it cannot read yours")):
        for path in places:
            if path.startswith(("/tmp/", "/var/tmp/")) or path in ("/tmp", "/var/tmp"):
                raise UsageError(f"systemd gives a run its own /tmp, so that {what}: {path!r}; use another folder")
    timer = [
        f"# /etc/systemd/system/{job.name}.timer",
        "[Unit]",
        f"Description=harvestdetect every {job.every}",
        "",
        "[Timer]",
        *_when(job),
        "# Spreads the load if other jobs start at the same time.",
        f"RandomizedDelaySec={min(job.period // 20, 15 * MINUTE)}",
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    service = [*_unit(job), "", *_service(job), "", *_hardening(job)]
    return {f"{job.name}.service": "\n".join(service) + "\n", f"{job.name}.timer": "\n".join(timer) + "\n"}


def _read(job: Job) -> list[str]:
    """Folders and files that the command reads."""
    settings = [] if job.settings is None else [job.settings.path]
    return [*job.readable.values(), *job.files.values(), *settings]


def _unit(job: Job) -> list[str]:
    needed = [*job.writable.values(), *_read(job)]
    return [
        f"# /etc/systemd/system/{job.name}.service",
        "[Unit]",
        "Description=harvestdetect: look for prompt harvesting",
        "Wants=network-online.target",
        "After=network-online.target",
        *([f"RequiresMountsFor={' '.join(map(_folder, dict.fromkeys(needed)))}"] if needed else []),
        f"# A run that fails soon has {ATTEMPTS} attempts. Starts by hand count too: systemctl reset-failed {job.name}",
        "# starts the count again.",
        f"StartLimitIntervalSec={_limit_seconds(job)}",
        f"StartLimitBurst={ATTEMPTS}",
    ]


def _limit_seconds(job: Job) -> int:
    """Seconds in which systemd counts starts: long enough for all attempts of a run that fails soon, and short, so
    that starts by hand never refuse the next period."""
    return max(min(job.pause * PAUSES, job.period * 9 // 10), job.pause * ATTEMPTS)


def _service(job: Job) -> list[str]:
    # The colon stops systemd from expanding $.
    colon = ":" if any("$" in word for word in job.command) else ""
    if "cache" in job.writable:
        cache = [f"Environment={_word('XDG_CACHE_HOME=' + job.writable['cache'])}"]
    else:
        cache = [
            f"CacheDirectory={job.name}",
            "CacheDirectoryMode=0700",
            f"Environment=XDG_CACHE_HOME=%C/{job.name}",
        ]
    memory = []
    if job.memory_gb is not None:
        memory = [f"MemoryMax={job.memory_gb * 1e9:.0f}"]
    names = f": {', '.join(job.variables)}" if job.variables else ""
    return [
        "[Service]",
        "Type=oneshot",
        f"User={job.user}",
        *([f"Group={job.group}"] if job.group else []),
        f"ExecStart={colon}{' '.join(map(_word, job.command))}",
        f"# The secrets of the alert channels{names}, in lines NAME=value. Owner root, mode 0600: systemd reads the",
        "# file as root. Without it, a run whose settings name such variables ends with 2 and names the one missing.",
        f"EnvironmentFile=-{job.env_file or f'/etc/{job.name}.env'}",
        "# 3: done, with findings. 130 and 143: stopped by hand.",
        "SuccessExitStatus=3 130 143",
        "# A failed run is retried, also after 75 (another run is using the state), but not after 2 (wrong usage) and",
        "# 4 (done, but check the input). systemd before 256 rejects RestartForceExitStatus=75 with Type=oneshot.",
        "Restart=on-failure",
        "RestartPreventExitStatus=2 4",
        f"RestartSec={job.pause}",
        f"TimeoutStartSec={job.timeout}",
        "TimeoutStopSec=120",
        "# Like Ctrl-C: the run removes its temporary files and keeps the vectors it has computed.",
        "KillSignal=SIGINT",
        "Nice=10",
        "# State and results contain prompts, so nobody else may read them.",
        f"UMask={'0007' if job.group else '0077'}",
        *cache,
        *memory,
    ]


def _hardening(job: Job) -> list[str]:
    return [
        "# The whole system is read-only except for these folders. If one is missing, the run ends with 226/NAMESPACE.",
        "ProtectSystem=strict",
        *(f"ReadWritePaths={_folder(folder)}" for folder in dict.fromkeys(job.writable.values())),
        "ProtectHome=read-only",
        "PrivateTmp=yes",
        "# Set this to no if the model runs on a GPU.",
        "PrivateDevices=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "KeyringMode=private",
        "LockPersonality=yes",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "ProtectProc=invisible",
        "RemoveIPC=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
    ]


def _when(job: Job) -> list[str]:
    if job.moments is None:
        return [
            "# A calendar cannot express this period. It counts from the last run and from the boot, so that a run",
            "# missed while the machine was off takes place after the boot.",
            f"OnBootSec={min(job.period, 15 * MINUTE)}",
            f"OnUnitActiveSec={job.period}",
        ]
    minutes, hours, monday = job.moments
    hour = "*" if hours is None else ",".join(f"{h:02}" for h in hours)
    minute = "*" if minutes is None else ",".join(f"{m:02}" for m in minutes)
    return [
        f"OnCalendar={'Mon ' if monday else ''}*-*-* {hour}:{minute}:00 UTC",
        "# A run missed while the machine was off takes place after the next boot.",
        "Persistent=true",
    ]


def _word(word: str) -> str:
    """A word of ExecStart= or Environment=, quoted."""
    word = word.replace("%", "%%")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folder(path: str) -> str:
    """A word of ReadWritePaths= or RequiresMountsFor=, quoted.

    Raises:
        UsageError: the path has a quote or a backslash, which versions of systemd read differently.
    """
    if "\\" in path or '"' in path:
        raise UsageError(f'systemd cannot use a folder with \\ or " in its path: {path!r}')
    path = path.replace("%", "%%")
    return path if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", path) else f'"{path}"'
