"""The tool that makes files fail: each kind of fault arrives in each of the libraries that a scan uses."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults import CALLS, Fault, Plan, Struck, drawn
from tests.faults.server import Server


@pytest.mark.parametrize(
    ("library", "right"),
    [("python", "200000"), ("sqlite", "1"), ("arrow", "5000"), ("numpy", "59999"), ("folders", "file,most")],
)
def test_nothing_fails_by_a_plan_without_faults(server: Server, tmp_path: Path, library: str, right: str) -> None:
    plan = Plan([tmp_path], trace=True)
    done = server.run(["@tests.faults.probes:probe", library, tmp_path], plan)
    assert (done.code, done.out.strip()) == (0, right)
    calls = {one.call for one in plan.struck()}
    assert calls <= set(CALLS)
    assert {"create", "write", "close"} <= calls
    assert all(one.kind == "-" for one in plan.struck())


@pytest.mark.parametrize(
    ("library", "fault", "said"),
    [
        ("python", Fault("EIO", ["read"]), "Input/output error"),
        ("python", Fault("ENOSPC", ["write"]), "No space left on device"),
        ("python", Fault("EDQUOT", ["create"]), "Disk quota exceeded"),
        ("python", Fault("EIO", ["fsync"]), "Input/output error"),
        ("python", Fault("EIO", ["close"], pattern="*.bin"), "Input/output error"),
        ("python", Fault("EIO", ["rename"]), "Input/output error"),
        ("python", Fault("EACCES", ["open"]), "Permission denied"),
        ("clock", Fault("EIO", ["stat"], times=0), "Input/output error"),
        ("sqlite", Fault("EIO", ["read"], times=0), "disk I/O error"),
        ("sqlite", Fault("ENOSPC", ["write"], pattern="*-wal"), "database or disk is full"),
        ("sqlite", Fault("EIO", ["fsync"], pattern="*-wal"), "disk I/O error"),
        ("sqlite", Fault("EIO", ["create"], pattern="*-wal"), "unable to open database file"),
        ("sqlite", Fault("EIO", ["truncate", "write"], pattern="*-shm"), "disk I/O error"),
        ("arrow", Fault("EIO", ["read"]), "Input/output error"),
        ("arrow", Fault("ENOSPC", ["write"]), "No space left on device"),
        ("arrow", Fault("EIO", ["open"]), "Input/output error"),
        ("numpy", Fault("ENOSPC", ["write"]), "No space left on device"),
        ("numpy", Fault("EIO", ["read"]), "Input/output error"),
        ("mapped", Fault("EIO", ["mmap"]), "Input/output error"),
        ("folders", Fault("ENOSPC", ["mkdir"]), "No space left on device"),
        ("folders", Fault("EIO", ["list"]), "Input/output error"),
        ("folders", Fault("EIO", ["unlink"]), "Input/output error"),
        ("folders", Fault("EIO", ["rmdir"]), "Input/output error"),
    ],
    ids=lambda value: f"{value.kind}-{'-'.join(value.calls)}" if isinstance(value, Fault) else None,
)
def test_an_error_arrives(server: Server, tmp_path: Path, library: str, fault: Fault, said: str) -> None:
    plan = Plan([tmp_path], [fault])
    done = server.run(["@tests.faults.probes:probe", library, tmp_path], plan)
    assert said in done.out
    assert done.code == 1
    assert {one.kind for one in plan.struck()} == {fault.kind}
    assert {one.call for one in plan.struck()} <= set(fault.calls)
    assert all(tmp_path in one.path.parents for one in plan.struck())


@pytest.mark.parametrize("library", ["python", "sqlite", "arrow", "numpy"])
@pytest.mark.parametrize("call", ["read", "write"])
def test_what_moves_less_than_was_asked_is_no_error(server: Server, tmp_path: Path, library: str, call: str) -> None:
    plan = Plan([tmp_path], [Fault("short", [call], times=0)])
    done = server.run(["@tests.faults.probes:probe", library, tmp_path], plan)
    if (library, call) == ("sqlite", "write"):  # SQLite writes the rest, or says that the disk is full
        assert done.code == 0 or "disk is full" in done.out
    elif (library, call) == ("arrow", "read"):  # Arrow reads the rest, or says that it is missing
        assert done.code == 0 or "Error" in done.out
    else:
        assert (done.code, done.err) == (0, "")
    assert {one.kind for one in plan.struck()} == {"short"}


def test_a_file_that_seems_to_end_is_read_as_shorter(server: Server, tmp_path: Path) -> None:
    plan = Plan([tmp_path], [Fault("end", ["read"], pattern="*renamed.bin")])
    done = server.run(["@tests.faults.probes:probe", "python", tmp_path], plan)
    assert (done.out.strip(), len(plan.struck())) == ("0", 1)


@pytest.mark.parametrize(
    ("kind", "size"), [("kill", 0), ("torn", 100_000), ("kill-after", 200_000)], ids=["before", "within", "after"]
)
def test_a_process_is_killed_at_a_write(server: Server, tmp_path: Path, kind: str, size: int) -> None:
    plan = Plan([tmp_path], [Fault(kind, ["write"])])
    done = server.run(["@tests.faults.probes:probe", "python", tmp_path], plan)
    assert (done.code, done.out) == (-signal.SIGKILL, "")
    assert (tmp_path / "python.bin").stat().st_size == size
    assert plan.struck() == [Struck("write", kind, tmp_path / "python.bin")]


def test_the_nth_call_fails_and_as_many_as_are_wanted(server: Server, tmp_path: Path) -> None:
    plan = Plan([tmp_path], [Fault("EIO", ["write"], nth=2, pattern="*.parquet")], trace=True)
    assert server.run(["@tests.faults.probes:probe", "arrow", tmp_path], plan).code == 1
    assert [one.kind for one in plan.struck() if one.call == "write"][:2] == ["-", "EIO"]
    plan = Plan([tmp_path], [Fault("EINTR", ["read"], times=3, pattern="*.bin")])
    assert server.run(["@tests.faults.probes:probe", "python", tmp_path], plan).code == 0, "Python tries again"
    assert len(plan.struck()) == 3


def test_by_chance_and_yet_the_same_again(server: Server, tmp_path: Path) -> None:
    kinds = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        plan = Plan([tmp_path], [Fault("short", ["read"], nth=0, chance=0.5, seed=3, times=0)], trace=True)
        assert server.run(["@tests.faults.probes:probe", "sqlite", tmp_path / name], plan).code == 0
        kinds.append([one.kind for one in plan.struck() if one.call == "read"])
    assert set(kinds[0]) == {"-", "short"}
    assert kinds[0] == kinds[1]


def test_what_lies_elsewhere_never_fails(server: Server, tmp_path: Path) -> None:
    (tmp_path / "near").mkdir()
    (tmp_path / "nearby").mkdir()
    plan = Plan([tmp_path / "near"], [Fault("EIO", times=0)])
    assert server.run(["@tests.faults.probes:probe", "python", tmp_path / "nearby"], plan).code == 0
    assert plan.struck() == []


def test_the_clock_and_the_times_of_files(server: Server, tmp_path: Path) -> None:
    day = 1_780_272_000
    plan = Plan([tmp_path], clock=day)
    asked = time.time()
    told = [int(t) for t in server.run(["@tests.faults.probes:probe", "clock", tmp_path], plan).out.split()]
    late = time.time() - asked + 2
    assert all(day - 2 <= t <= day + late for t in told), "the process, SQLite, and its files"
    plan = Plan([tmp_path], clock=day, wrong=-86_400)
    now, sqlite, file, _ = [
        int(t) for t in server.run(["@tests.faults.probes:probe", "clock", tmp_path], plan).out.split()
    ]
    assert abs(now - day + 86_400) <= late
    assert abs(sqlite - now) <= 1
    assert abs(file - day) <= late, "files were written by the right one"


def test_a_process_of_its_own_follows_a_plan(
    fault_library: Path, environment: Mapping[str, str], tmp_path: Path
) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    plan = Plan([watched], [Fault("EIO", ["read"])])
    program = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.write_text('x'); print(p.read_text())"
    done = subprocess.run(
        [sys.executable, "-c", program, str(watched / "file")], capture_output=True, text=True, check=False,
        env={**environment, **plan.environment(fault_library, tmp_path / "plan")},
    )  # fmt: skip
    assert "Input/output error" in done.stderr
    assert [one.call for one in plan.struck()] == ["read"]


def test_a_fault_that_cannot_be_is_refused() -> None:
    for wrong in ({"kind": "ENOSUCH"}, {"kind": "EIO", "calls": ["open64"]}, {"kind": "torn", "calls": ["read"]}):
        with pytest.raises(ValueError, match=r"no such|needs calls"):
            Fault(**wrong)


def test_faults_are_drawn_where_calls_take_place() -> None:
    calls = [*[Struck("read", "-", Path("/s/a.shard"))] * 99, Struck("write", "-", Path("/s/state.sqlite-wal"))]
    faults = [drawn(random.Random(seed), calls, ["EIO"]) for seed in range(40)]
    assert {(f.calls[0], f.pattern) for f in faults if f is not None} == {
        ("read", "*.shard"),
        ("write", "*.sqlite-wal"),
    }
    assert {f.nth for f in faults if f is not None and f.calls == ["write"]} == {1}
    assert drawn(random.Random(0), calls[:1], ["torn"]) is None


def test_a_command_that_hangs_is_ended(server: Server) -> None:
    with pytest.raises(TimeoutError, match="no end after"):
        server.run(["@tests.faults.probes:hang"], timeout=0.2)
    assert server.run(["--version"]).code == 0
