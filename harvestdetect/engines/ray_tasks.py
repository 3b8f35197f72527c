"""The engine of Ray: tasks on the machines of a cluster, with files in a folder that all of them share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

from harvestdetect.engines.processes import begin_worker
from harvestdetect.engines.ray_cluster import check_machines, connect
from harvestdetect.engines.sharing import Exchange, Parcel, Stored, discard, opened
from harvestdetect.errors import ScratchError
from harvestdetect.util.disk import reason_of
from harvestdetect.util.files import UnfinishedFolder, sweep

__all__ = ["RayTasks"]

T = TypeVar("T")

RETRIES: Final = 3
"""Number of times that Ray makes a call again whose worker was killed. After that, it is made in this process."""
FOLDER: Final = "harvestdetect-ray"
"""Part of the name of the folder with the files."""


class RayTasks:
    """Runs functions as tasks of Ray. What is larger than a message goes through files.

    Args:
        address: of a cluster, see :func:`~harvestdetect.engines.ray_cluster.connect`; None starts Ray on this machine.
        workers: number of tasks at a time; None and 0: as many as the cluster has cores.
        folder: takes a folder with the files; all machines must see it under this path.

    Raises:
        EngineError: Ray is not installed, the address does not answer, or a machine cannot take part.
        ScratchError: the folder cannot be written.
    """

    elsewhere = True

    def __init__(self, address: str | None, *, workers: int | None, folder: Path) -> None:
        self._cluster = connect(address, workers=workers)
        self.workers = min(workers or self._cluster.cores, self._cluster.cores)
        self._number = count()
        with ExitStack() as opened_here:
            opened_here.callback(self._cluster.close)
            try:
                sweep(folder, names=(FOLDER,))
                self._folder = opened_here.enter_context(UnfinishedFolder(folder.absolute() / f".{FOLDER}"))
                check_machines(self._cluster, self._folder.path)
            except OSError as error:
                raise ScratchError(
                    f"cannot write to {folder}: {reason_of(error)}; name another folder with --work"
                ) from None
            self._opened = opened_here.pop_all()
        self._exchange = Exchange(self._folder.path)
        self._run = self._cluster.ray.remote(max_retries=RETRIES, num_cpus=1)(_run)

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Callable[[], T]:
        """Begins a task. Ray makes it again if its worker is killed."""
        name = f"{next(self._number)}-"
        parcel = self._exchange.parcel((function, arguments), name=name)
        return partial(self._result, self._run.remote(parcel, str(self._folder.path), name), parcel)

    def forget(self, value: object) -> None:
        """Lets go of a shared value. Its file stays until the end."""
        self._exchange.forget(value)

    def share(self, value: T) -> Stored[T]:
        """Puts a value into a file of the shared folder, named by its content."""
        return self._exchange.put(value)

    def rest(self) -> None:
        """Nothing: Ray ends its idle workers itself."""

    def close(self) -> None:
        """Ends the connection and removes the files."""
        self._opened.close()
        self._exchange.clear()

    def _result(self, task: Any, parcel: Parcel) -> Any:
        errors = self._cluster.ray.exceptions
        try:
            answer: Parcel = self._cluster.ray.get(task)
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayError:  # Ray has given the task up
            function, arguments = opened(parcel)
            return function(*arguments)
        finally:
            discard(parcel)
        found = opened(answer)
        discard(answer)
        return found


def _run(parcel: Parcel, folder: str, name: str) -> Parcel:
    """Runs in a worker: calls a function with its arguments.

    Args:
        parcel: the function and its arguments.
        folder: takes the result, if it is large.
        name: beginning of the name of the result.
    """
    _begin()
    function, arguments = opened(parcel)
    return Exchange(Path(folder)).parcel(function(*arguments), name=f"{name}result-")


@cache
def _begin() -> None:
    begin_worker()
