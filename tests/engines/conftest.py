"""The three engines for tests; Ray as a cluster of two nodes on this machine."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.processes import Processes

__all__ = ["ENGINES", "Open", "cluster", "engines"]

ENGINES = ("loop", "processes", "ray")

Open: TypeAlias = Callable[..., AbstractContextManager[Any]]
"""Opens an engine with two workers, given a folder; it is closed at the end of the context."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of two nodes with one core each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("ray", reason="Ray is not installed (pip install 'harvestdetect[ray]')")
        from ray.cluster_utils import Cluster

        options = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
        nodes = Cluster(initialize_head=True, head_node_args=options)
        nodes.add_node(num_cpus=1, object_store_memory=80_000_000)
        nodes.wait_for_nodes()
        yield str(nodes.address)
        nodes.shutdown()


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
