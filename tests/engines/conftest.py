"""The three engines for tests; Ray as a cluster of two nodes on this machine."""

from __future__ import annotations

import os
import secrets
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.processes import Processes

__all__ = ["ENGINES", "Machines", "Open", "cluster", "engines", "machines"]

ENGINES = ("loop", "processes", "ray")

Open: TypeAlias = Callable[..., AbstractContextManager[Any]]
"""Opens an engine with two workers, given a folder; it is closed at the end of the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """A cluster that this process is connected to."""

    address: str
    nodes: Any
    """The two nodes that the tests have started; None if ``RAY_ADDRESS`` names another cluster."""

    @property
    def other(self) -> str:
        """The id of the node that this process is not connected to."""
        (node,) = self.nodes.worker_nodes
        return str(node.node_id)

    def kill_other(self) -> None:
        """Kills all processes of the other node."""
        (node,) = self.nodes.worker_nodes
        self.nodes.remove_node(node, allow_graceful=False)

    def add_other(self) -> None:
        """Starts another node in place of one that was killed."""
        self.nodes.add_node(**_options())
        self.nodes.wait_for_nodes()


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """A cluster of two nodes with one core each, or that of ``RAY_ADDRESS``."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if "RAY_ADDRESS" not in os.environ:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("ray", reason="Ray is not installed (pip install 'harvestdetect[ray]')")
        import ray
        from ray.cluster_utils import Cluster

        if address := os.environ.get("RAY_ADDRESS"):
            ray.init(address, log_to_driver=False, logging_level="ERROR")
            yield Machines(address=address, nodes=None)
            ray.shutdown()
            return
        try:
            nodes = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **_options()})
            nodes.add_node(**_options())
            nodes.wait_for_nodes()
        except Exception as error:  # a node has half a minute to start, too little on a very busy machine
            if "CI" in os.environ:
                raise
            pytest.skip(f"Ray cannot be started here: {str(error).splitlines()[0]}")
        ray.init(nodes.address, log_to_driver=False, logging_level="ERROR")
        yield Machines(address=str(nodes.address), nodes=nodes)
        ray.shutdown()
        nodes.shutdown()


@pytest.fixture(scope="module")
def cluster(machines: Machines) -> str:
    """The address of a cluster that this process is connected to."""
    return machines.address


def _options() -> dict[str, int]:
    """Options of a node. With ports that are given, a node does not wait for its agents, which start slowly."""
    found = {"num_cpus": 1, "object_store_memory": 80_000_000}
    with ExitStack() as stack:
        for name in ("metrics_agent_port", "dashboard_agent_listen_port", "runtime_env_agent_port"):
            listening = stack.enter_context(socket.create_server(("", 0)))
            found[name] = listening.getsockname()[1]
    return found


@pytest.fixture(scope="module", params=ENGINES)
def engines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Opens each of the three engines."""

    def made(folder: Path | None = None) -> AbstractContextManager[Engine]:
        if request.param == "loop":
            return closing(Loop())
        if request.param == "processes":
            return closing(Processes(2))
        from harvestdetect.engines.ray_tasks import RayTasks

        return closing(RayTasks(address, workers=2, folder=folder or tmp_path_factory.mktemp("shared")))

    address = request.getfixturevalue("cluster") if request.param == "ray" else ""
    return made
