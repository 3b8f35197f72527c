"""Chooses the engine of a scan by its settings."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.processes import Processes
from harvestdetect.settings import Settings
from harvestdetect.util.disk import SpareFolder
from harvestdetect.util.machine import processes

__all__ = ["open_engine"]


def open_engine(settings: Settings, *, scratch: SpareFolder | None = None) -> Engine:
    """The engine that the settings name. Processes are started by the first call, Ray at once.

    Args:
        settings: ``engine``, ``ray_address`` and ``workers`` are read.
        scratch: the work folder, which takes the files that Ray's machines share; None: the temporary folder of the
            system.

    Raises:
        EngineError: Ray cannot be used.
        ScratchError: the shared folder cannot be written.
    """
    if settings.engine == "ray":
        from harvestdetect.engines.ray_tasks import RayTasks

        folder = Path(tempfile.gettempdir()) if scratch is None else scratch.path
        return RayTasks(settings.ray_address, workers=settings.workers, folder=folder)
    workers = processes(settings.workers)
    return Loop() if settings.engine == "loop" or workers == 1 else Processes(workers, place=scratch)
