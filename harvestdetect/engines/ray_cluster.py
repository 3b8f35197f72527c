"""Finding the machines of Ray, and checking that each of them can take part."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harvestdetect import __version__
from harvestdetect.errors import EngineError
from harvestdetect.util.disk import reason_of
from harvestdetect.util.machine import cores

__all__ = ["Cluster", "check_machines", "connect"]

ANSWER_SECONDS: Final = 10.0
"""Seconds in which an address must accept a connection."""
CHECK_SECONDS: Final = 120.0
"""Seconds in which every machine must say whether it can take part. The first task of a machine starts its workers."""
STORE_BYTES: Final = 100_000_000
"""Size of the object store of a Ray that is started here. It stays nearly empty, because large values go through
files."""
_DEFAULT_PORT: Final = 10_001
"""Port of an address ``ray://host``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A connection to Ray."""

    ray: Any
    """The module."""
    cores: int
    ours: bool
    """Whether this connection is to be ended with the scan."""

    def close(self) -> None:
        """Ends the connection, and Ray if it was started for it."""
        if self.ours:
            self.ray.shutdown()


def connect(address: str | None, *, workers: int | None) -> Cluster:
    """Connects to Ray. A program that has a connection already keeps it.

    Args:
        address: ``HOST:PORT``, ``ray://HOST:PORT`` or ``auto``; None starts Ray on this machine.
        workers: cores of a Ray that is started here; None or 0: all.

    Raises:
        EngineError: Ray is not installed, or the address does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a scan sends nothing to others
    try:
        import ray
    except ImportError as error:
        raise EngineError(
            f"the engine ray needs Ray, which cannot be imported ({error}); install it with: pip install "
            "'harvestdetect[ray]', or use --engine processes"
        ) from None
    ours = not ray.is_initialized()
    if ours:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address is None:
            options |= {
                "address": "local", "num_cpus": workers or cores(), "include_dashboard": False,
                "object_store_memory": STORE_BYTES,
            }  # fmt: skip
        else:
            _check_answers(address)
            _use_token()
            options["address"] = address
        try:
            ray.init(**options)
        except Exception as error:  # Ray raises many kinds, also plain ones
            where = "Ray cannot be started here" if address is None else f"Ray at {address} cannot be used"
            raise EngineError(f"{where}: {_last_line(error)}; see docs/engines.md, or use --engine processes") from None
    return Cluster(ray=ray, cores=max(int(ray.cluster_resources().get("CPU", 1)), 1), ours=ours)


def _use_token() -> None:
    """Makes Ray show its token to a cluster, if there is one. By default it does so only where it starts a cluster."""
    kept = Path.home() / ".ray" / "auth_token"
    if kept.exists() or any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _check_answers(address: str) -> None:
    """Checks that something listens at an address, because Ray waits long for what does not.

    Raises:
        EngineError: the address cannot be parsed, or nothing answers.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address.startswith("ray://") and not host:
        host, port = port, str(_DEFAULT_PORT)
    if not host or not port.isdecimal():
        raise EngineError(f"--ray-address must be HOST:PORT, ray://HOST:PORT or auto, got {address!r}")
    try:
        with closing(socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS)):
            pass
    except (OSError, OverflowError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise EngineError(
            f"Ray does not answer at {address}: {reason}; start it there with: ray start --head, or use --engine "
            "processes"
        ) from None


def check_machines(cluster: Cluster, folder: Path) -> None:
    """Checks that every machine of a cluster has this version of the package and reads and writes a folder.

    Args:
        cluster: the machines.
        folder: exists here.

    Raises:
        EngineError: one does not. The message names it.
    """
    ray = cluster.ray
    word = secrets.token_hex(16)
    (folder / "word").write_text(word, encoding="ascii")
    alive = [node for node in ray.nodes() if node["Alive"]]
    asked = []
    for number, node in enumerate(alive):
        there = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(num_cpus=0, max_retries=1, scheduling_strategy=there)(_seen)
        asked.append(task.remote(str(folder), word, f"answer-{number}"))
    for node, answer in zip(alive, asked, strict=True):
        name = node["NodeManagerAddress"]
        try:
            version, complaint = ray.get(answer, timeout=CHECK_SECONDS)
        except ray.exceptions.RayError as error:
            raise EngineError(
                f"the machine {name} cannot run tasks of harvestdetect {__version__}: {_last_line(error)}; install the "
                "same version on all machines of Ray"
            ) from None
        if version != __version__:
            raise EngineError(
                f"the machine {name} has harvestdetect {version}, this one {__version__}; install the same version on "
                "all machines of Ray"
            )
        if complaint:
            raise EngineError(
                f"the machine {name} cannot use {folder}: {complaint}; give --work a folder that all machines share "
                "under the same path"
            )
    for number in range(len(alive)):
        (folder / f"answer-{number}").unlink(missing_ok=True)


def _last_line(error: Exception) -> str:
    """What a message of Ray says after its traceback."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _seen(folder: str, word: str, answer: str) -> tuple[str, str]:
    """Runs on each machine: the version of the package there, and what is wrong with a folder; "" if nothing is."""
    try:
        if Path(folder, "word").read_text(encoding="ascii") != word:
            return __version__, "it is another folder there"
        Path(folder, answer).write_text(word, encoding="ascii")
    except OSError as error:
        return __version__, reason_of(error)
    return __version__, ""
