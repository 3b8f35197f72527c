"""Faults on purpose: a file layer that fails at chosen calls, and a clock that is wrong.

A small library (``library.c``, compiled by :func:`compile_library`, loaded with ``LD_PRELOAD``) stands between a
process and the C library. So it reaches what Python, SQLite, Arrow and numpy do with files alike. A :class:`Plan` says
which calls fail, on files under which folders, and how; every fault that struck is noted in a file, and
:meth:`Plan.struck` reads it, so that a test can say that its fault took place.

::

    plan = Plan(under=[state], faults=[Fault("EIO", calls=["read"], nth=3, pattern="*.shard")])
    done = subprocess.run(command, env={**os.environ, **plan.environment(library, folder)})
    assert plan.struck()

:class:`faults.server.Server` runs many commands under plans without the start-up of each.

What it cannot reach: pages of a mapped file (the mapping itself can fail), io_uring and direct system calls. SQLite
maps its ``-shm`` file alone, and none of the libraries uses the others for files.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

__all__ = ["CALLS", "DISK", "ERRORS", "WRITING", "Fault", "Plan", "Struck", "compile_library", "drawn"]

SOURCE: Final = Path(__file__).with_name("library.c")

CALLS: Final = (
    *("open", "create", "close", "read", "write", "fsync", "truncate", "mmap", "rename", "link", "unlink", "rmdir"),
    *("mkdir", "chmod", "stat", "list", "lock"),
)
"""Names of calls in a plan. Each stands for a family: ``read`` for ``read``, ``pread``, ``readv``, ``preadv2``, ...
``create`` is an ``open`` that may make or empty a file, ``list`` is ``opendir`` and ``readdir``."""
WRITING: Final = (
    "create",
    "write",
    "fsync",
    "truncate",
    "rename",
    "link",
    "unlink",
    "rmdir",
    "mkdir",
    "chmod",
    "close",
)
"""Calls that change files, or say whether a change lasts."""
DISK: Final = ("create", "write", "fsync", "truncate", "rename", "mkdir", "close")
"""Calls that a full disk makes fail."""
MOVING: Final = ("read", "write")
"""Calls that may do a part of what was asked."""
ERRORS: Final[Mapping[str, tuple[str, ...]]] = {
    "EIO": tuple(c for c in CALLS if c != "lock"),
    "ENOSPC": DISK,
    "EDQUOT": DISK,
    "short": MOVING,
    "end": ("read",),
    "kill": CALLS,
    "kill-after": WRITING,
    "torn": ("write",),
}
"""Kinds of faults, and the calls that can have them in practice; any other error may be named too, such as ``EINTR``.

``short`` does half of a read or write and says so, ``end`` reads nothing as at the end of a file, ``kill`` ends the
process before the call, ``kill-after`` after it, and ``torn`` after half of a write.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule: which calls fail, and how.

    Args:
        kind: the name of an error, or one of the other kinds of :data:`ERRORS`.
        calls: of :data:`CALLS`; empty: all.
        nth: the first of the calls that match that fails, from 1; 0: each may, see ``chance``.
        times: how many fail; 0: from then on all.
        chance: of a call to fail where ``nth`` is 0.
        seed: of the chance.
        pattern: of the whole path, with ``*`` for anything.
    """

    kind: str
    calls: Sequence[str] = ()
    nth: int = 1
    times: int = 1
    chance: float = 0.0
    seed: int = 0
    pattern: str = "*"

    def __post_init__(self) -> None:
        """Refuses what the library would pass over."""
        if unknown := set(self.calls) - set(CALLS):
            raise ValueError(f"no such calls: {sorted(unknown)}")
        if self.kind not in ERRORS and not hasattr(errno, self.kind):
            raise ValueError(f"no such kind of fault: {self.kind}")
        if self.kind in ("short", "end", "torn") and not set(self.calls or CALLS) <= set(ERRORS[self.kind]):
            raise ValueError(f"{self.kind} needs calls of {ERRORS[self.kind]}, got {self.calls}")
        if "\n" in self.pattern or not self.pattern:
            raise ValueError(f"no pattern: {self.pattern!r}")

    def line(self) -> str:
        """As the library reads it."""
        kind = self.kind if self.kind in ("short", "end", "kill", "kill-after", "torn") else getattr(errno, self.kind)
        calls = ",".join(self.calls or ("*",))
        chance = round(self.chance * 1_000_000)
        return f"rule {kind} ,{calls}, {self.nth} {self.times} {chance} {self.seed} {self.pattern}\n"


@dataclass(frozen=True, slots=True)
class Struck:
    """A call that a fault struck, or one that was traced (``kind`` is ``-``)."""

    call: str
    kind: str
    path: Path


@dataclass(slots=True)
class Plan:
    """What is to fail in a process, and in those that it starts.

    Args:
        under: folders, or files; what lies elsewhere never fails.
        faults: the first that matches a call strikes.
        clock: Unix seconds at which the process is to begin; None: the clock is right.
        wrong: seconds by which that clock is wrong besides; files keep their right times.
        trace: note every call on what is watched, not only those that a fault struck.
    """

    under: Sequence[str | Path]
    faults: Sequence[Fault] = ()
    clock: float | None = None
    wrong: int = 0
    trace: bool = False
    file: Path | None = field(default=None, init=False)

    def write(self, folder: Path) -> Path:
        """Writes the plan into a folder that is not watched; gives its path."""
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "plan"
        self._log().unlink(missing_ok=True)
        import time

        shift = 0 if self.clock is None else round(self.clock - time.time())
        lines = [f"log {self._log()}\n", f"trace {int(self.trace)}\n", f"clock {shift + self.wrong}\n"]
        lines += [f"stamp {shift}\n", *(f"under {os.path.realpath(path)}\n" for path in self.under)]
        self.file.write_text("".join([*lines, *(fault.line() for fault in self.faults)]), encoding="utf-8")
        return self.file

    def environment(self, library: Path, folder: Path) -> dict[str, str]:
        """Writes the plan, and gives the variables under which a process follows it."""
        return {"LD_PRELOAD": str(library), "HARVESTDETECT_FAULTS_PLAN": str(self.write(folder))}

    def struck(self) -> list[Struck]:
        """The faults that took place, and with ``trace`` all calls, in order."""
        assert self.file is not None, "the plan was not written"
        try:
            text = self._log().read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return []
        return [
            Struck(call, errno.errorcode.get(int(kind), kind) if kind.isdigit() else kind, Path(path))
            for call, kind, path in (line.split(" ", 2) for line in text.splitlines())
        ]

    def _log(self) -> Path:
        assert self.file is not None
        return self.file.with_name("log")


def compile_library(folder: Path) -> Path | str:
    """Compiles the library into a folder; gives its path, or why there is none."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "cc", "gcc", "clang"))), None)
    if compiler is None:
        return "there is no C compiler"
    made = folder / "faults.so"
    options = ["-shared", "-fPIC", "-O1", "-w", "-fno-builtin", "-U_FORTIFY_SOURCE"]
    done = subprocess.run(
        [compiler, *options, "-o", str(made), str(SOURCE), "-ldl"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        first = (done.stderr.splitlines() or ["no reason given"])[0]
        return f"the library of faults cannot be compiled here: {first}"
    try:
        tried = subprocess.run(["true"], env={"LD_PRELOAD": str(made)}, capture_output=True, check=False)
    except OSError as error:
        return f"the library of faults cannot be tried here: {error}"
    return "the library of faults cannot be loaded here" if tried.returncode or tried.stderr else made


def drawn(rng: random.Random, traced: Iterable[Struck], kinds: Sequence[str]) -> Fault | None:
    """A fault of one of some kinds at a call that takes place, by a trace of the same command without faults.

    All kinds of calls on all kinds of files are as likely as one another, however often each takes place; only the
    last part of a name counts, so that a rare call on a rare file is met too.
    """
    counts = Counter((one.call, _kind_of(one.path)) for one in traced)
    kind = rng.choice(list(kinds))
    places = sorted(place for place in counts if place[0] in ERRORS[kind])
    if not places:
        return None
    call, name = rng.choice(places)
    lasting = kind in ("ENOSPC", "EDQUOT") and rng.random() < 0.5
    fault = Fault(
        kind, [call], nth=rng.randint(1, counts[call, name]), times=0 if lasting else rng.choice((1, 1, 1, 2, 5)),
        pattern=f"*{name}",
    )  # fmt: skip
    full = ("create", "write", "truncate", "mkdir", "fsync")
    return replace(fault, calls=full, pattern="*", nth=rng.randint(1, 40)) if lasting else fault


def _kind_of(path: Path) -> str:
    """What all files of a kind end with: their suffix, or the name where there is none."""
    name = path.name
    for ending in (".sqlite-wal", ".sqlite-shm", ".sqlite-journal"):
        if name.endswith(ending):
            return ending
    stem, dash, _ = name.rpartition("-")
    return path.suffix or (f"/{stem}-*" if dash else f"/{name}")
