"""Commands of the command line in processes of their own, without the two seconds that each takes to start.

A process that has imported the library and read the wording model waits on a socket and forks for each command. The
library of faults is loaded into it, and each command reads a plan of its own. Nothing else of the library was used
before a fork. A command whose plan watches the folder of the model reads it again. What a command computed that
:mod:`tests.once` keeps is there for those after it.

A test of a shell script puts :meth:`Server.write_program` in the place of the command: a small program that hands its
arguments, streams, folder and environment to that process.

As a program (``python -m tests.faults.server SOCKET MODULE ...``) it is that process; :class:`Server` starts it and
talks to it.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from harvestdetect.store.folder import cache_folder
from harvestdetect.util.own_process import collect_rarely, leave_pandas_out
from tests.faults import Plan
from tests.once import (
    forget_wording_model,
    keep_common_words,
    keep_layouts,
    keep_wording_model,
    learn,
    learned,
)

__all__ = ["Done", "Server"]

TIMEOUT: Final = 120.0
"""Seconds after which a command is killed; it counts as hanging."""
IMPORTED: Final = (
    *("harvestdetect.cli.main", "harvestdetect.cli.scan", "harvestdetect.detection", "harvestdetect.state"),
    *("harvestdetect.report", "harvestdetect.serve.audit", "pyarrow.parquet", "scipy.sparse.csgraph", "scipy.special"),
    *("faiss", "networkx", "jinja2", "rich.console", "rich.table"),
)
"""What a scan imports and takes long. Imported before the first fork; the rest follows after the first command."""
PROGRAM: Final = """\
#!/bin/sh
exec "{python}" -ISc '
import json, os, socket, sys
asked = {{"arguments": sys.argv[1:], "kept": "{kept}", "folder": os.getcwd(), "umask": os.umask(0)}}
with socket.socket(socket.AF_UNIX) as talk:
    talk.connect("{socket}")
    socket.send_fds(talk, [json.dumps({{**asked, "environment": dict(os.environ)}}).encode() + b"\\n"], [0, 1, 2])
    code = int(talk.recv(100))
sys.exit(code if code >= 0 else 128 - code)
' "$@"
"""
"""A program that has a command run in a fork. It starts in hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    """As ``subprocess`` has it: negative where a signal ended it."""
    out: str
    err: str
    seconds: float


class Server:
    """Runs commands; its own context manager. Threads may share one.

    Args:
        folder: for its socket and output.
        environment: of the commands.
        library: of faults; None: none can be injected.
        imports: modules that its commands use and that take long to import. What a command imports first is imported
            twice: by the command, and then for those after it.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], library: Path | None, *, imports: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        self._short = tempfile.mkdtemp(prefix="hd-")  # the name of a socket has at most 107 bytes
        self._socket = os.path.join(self._short, "s")
        variables = {**environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        variables["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(Path(__file__).parents[2]), variables.get("PYTHONPATH")])
        )
        if library is not None:
            variables["LD_PRELOAD"] = str(library)
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server", self._socket, *imports], env=variables,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        while not os.path.exists(self._socket):
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended: {(folder / 'server.log').read_text()}")
            time.sleep(0.02)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()
        for name in os.listdir(self._short):
            os.unlink(os.path.join(self._short, name))
        os.rmdir(self._short)

    def run(
        self,
        arguments: Sequence[str | Path],
        plan: Plan | None = None,
        *,
        timeout: float = TIMEOUT,
        largest_file: int | None = None,
    ) -> Done:
        """Runs a command to its end.

        Args:
            arguments: of ``harvestdetect``; with ``@module:function`` first a function is called with the others.
            plan: under which it runs.
            timeout: seconds.
            largest_file: bytes that no file may exceed, which a program sees as it sees a full disk.

        Raises:
            TimeoutError: the command took longer. It was killed and has ended.
        """
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self._folder))
        asked = {
            "arguments": [str(a) for a in arguments],
            "plan": None if plan is None else str(plan.write(folder)),
            "out": str(folder / "out"),
            "err": str(folder / "err"),
            "largest_file": largest_file,
        }
        start = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
            talk.connect(self._socket)
            talk.sendall(json.dumps(asked).encode() + b"\n")
            talk.settimeout(timeout)
            try:
                answer = talk.recv(100)
            except TimeoutError:
                talk.shutdown(socket.SHUT_WR)
                talk.settimeout(TIMEOUT)
                talk.recv(100)  # comes when the command is dead
                answer = b""
        if not answer:
            raise TimeoutError(f"no end after {timeout} s: {asked['arguments']}")
        out, err = ((folder / name).read_text(errors="backslashreplace") for name in ("out", "err"))
        return Done(int(answer), out, err, time.monotonic() - start)

    def write_program(self, path: Path) -> None:
        """Writes a program that runs as ``harvestdetect`` does."""
        program = PROGRAM.format(python=sys.executable, kept=self._folder, socket=self._socket)
        path.write_text(program, encoding="utf-8")
        path.chmod(0o755)


# ---------------------------------------------------------------- the process itself


def _serve(path: str, *imports: str) -> None:
    for name in (*IMPORTED, *imports):
        importlib.import_module(name)
    leave_pandas_out()
    collect_rarely()
    _read_model()
    keep_common_words()
    keep_layouts()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path + ".new")
    listening.listen(64)
    os.rename(path + ".new", path)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    running: dict[int, tuple[int, socket.socket, Path]] = {}
    tried: set[str] = set()
    try:
        while True:
            ready, _, _ = select.select([listening, *running, *(r[1] for r in running.values())], [], [])
            for handle in [h for h in running if h in ready]:
                child, talk, modules = running.pop(handle)
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                os.close(handle)
                with suppress(OSError):
                    talk.sendall(str(code).encode())
                talk.close()
                _import(modules, tried)
                _learn(modules.with_name("learned"))
            for child, talk, _ in [r for r in running.values() if r[1] in ready]:
                if not talk.recv(1):  # the other side is tired of waiting
                    os.kill(child, signal.SIGKILL)
                    time.sleep(0.01)
            if listening in ready:
                talk, _ = listening.accept()
                asked = _asked(talk)
                child = os.fork()
                if not child:
                    for other in (listening, talk, *(r[1] for r in running.values())):
                        other.close()
                    _run(asked)
                for stream in asked.get("streams", ()):
                    os.close(stream)
                running[os.pidfd_open(child)] = child, talk, Path(asked["out"]).with_name("modules")
    finally:
        for child, _, _ in running.values():
            os.kill(child, signal.SIGKILL)


def _asked(talk: socket.socket) -> dict[str, Any]:
    """What a test or a program asks for. Streams of a program are those of its child."""
    data, streams, _, _ = socket.recv_fds(talk, 1 << 20, 3)
    while not data.endswith(b"\n"):
        data += talk.recv(1 << 20)
    asked: dict[str, Any] = json.loads(data)
    if streams:
        kept = Path(tempfile.mkdtemp(prefix="run-", dir=asked["kept"]))
        asked |= {"streams": streams, "plan": None, "out": str(kept / "out"), "largest_file": None}
    return asked


def _read_model() -> None:
    """Reads the wording model for all commands."""
    from harvestdetect import Settings
    from harvestdetect.embed.encoders import load_encoder

    keep_wording_model(_cache(), times=False)
    load_encoder("wording", settings=Settings(cache=_cache()))


def _cache() -> Path:
    """The cache folder of the tests."""
    named = os.environ.get("HARVESTDETECT_CACHE")
    return cache_folder(Path(named) if named else None)


def _watches_model(plan: str) -> bool:
    """Whether a plan can strike a file of the model."""
    models = (_cache() / "models").resolve()
    lines = Path(plan).read_text(encoding="utf-8").splitlines()
    watched = [Path(line.removeprefix("under ")) for line in lines if line.startswith("under ")]
    return any(models.is_relative_to(path) or path.is_relative_to(models) for path in watched)


def _import(file: Path, tried: set[str]) -> None:
    """Imports what a command had to import, for those after it."""
    with suppress(OSError):
        for name in file.read_text().split():
            if name not in tried and name not in sys.modules:
                with suppress(Exception):
                    importlib.import_module(name)
            tried.add(name)
        file.unlink()


def _learn(file: Path) -> None:
    """Takes over what a command computed."""
    with suppress(OSError, EOFError, pickle.UnpicklingError):  # a command that was killed wrote a part or nothing
        learn(pickle.loads(file.read_bytes()))
        file.unlink()


def _run(asked: Mapping[str, Any]) -> None:
    """What the fork does; it ends here."""
    import atexit
    import ctypes

    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        if "streams" in asked:
            _take_the_place(asked)
        else:
            for number, name in ((1, "out"), (2, "err")):
                handle = os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                os.dup2(handle, number)
                os.close(handle)
        before = set(sys.modules)
        counted, placed = (len(results) for results in learned())
        if asked["largest_file"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (asked["largest_file"], resource.RLIM_INFINITY))
        if asked["plan"] is not None:
            if _watches_model(asked["plan"]):
                forget_wording_model()
            os.environ["HARVESTDETECT_FAULTS_PLAN"] = asked["plan"]
            if ctypes.CDLL(None).faults_load(asked["plan"].encode()):
                raise RuntimeError("the plan cannot be read")
        code = _command(asked["arguments"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        new = [name for name in sys.modules if name not in before and "swig" not in name]
        Path(asked["out"]).with_name("modules").write_text("\n".join(new))
        Path(asked["out"]).with_name("learned").write_bytes(pickle.dumps(learned((counted, placed))))
        atexit._run_exitfuncs()
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        with suppress(Exception):
            sys.stdout.flush()
        with suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def _take_the_place(asked: Mapping[str, Any]) -> None:
    """Gives this process the streams, the folder, the mask and the environment of a program."""
    for number, stream in enumerate(asked["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    # The streams of the server may be files, and remember where they are in them.
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    os.chdir(asked["folder"])
    os.umask(asked["umask"])
    os.environ.clear()
    os.environ.update(asked["environment"])


def _command(arguments: Sequence[str]) -> int:
    from harvestdetect.cli.main import main

    if arguments[0].startswith("@"):
        module, _, function = arguments[0][1:].partition(":")
        return int(getattr(importlib.import_module(module), function)(*arguments[1:]) or 0)
    try:
        main(list(arguments))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1


if __name__ == "__main__":
    _serve(*sys.argv[1:])
