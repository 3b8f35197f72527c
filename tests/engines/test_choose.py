"""Settings choose the engine, and a Ray that cannot be used is said in one line."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harvestdetect import Settings, __version__
from harvestdetect.cli.main import run_command
from harvestdetect.engines.choose import open_engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.processes import Processes
from harvestdetect.engines.ray_cluster import check_machines, connect
from harvestdetect.errors import EngineError, SettingsError


def test_settings_choose() -> None:
    assert isinstance(open_engine(Settings()), Loop)  # a library call starts no process unless it is asked to
    assert isinstance(open_engine(Settings(engine="loop", workers=4)), Loop)
    engine = open_engine(Settings(workers=4))
    assert isinstance(engine, Processes)
    assert engine.workers == 4
    with pytest.raises(SettingsError, match="engine must be one of loop, processes, ray, got 'spark'"):
        Settings(engine="spark")
    with pytest.raises(SettingsError, match="ray_address needs the engine ray, got processes"):
        Settings(ray_address="auto")


def test_a_missing_ray_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"pip install 'harvestdetect\[ray\]', or use --engine processes"):
        open_engine(Settings(engine="ray"))
    dump = tmp_path / "dump.jsonl"
    dump.write_text('{"account": "a", "prompt": "p"}\n', encoding="utf-8")
    assert run_command(["scan", str(dump), "--out", str(tmp_path / "out"), "--engine", "ray", "-q"]) == 1
    message = capfd.readouterr().err
    assert "the engine ray needs Ray, which cannot be imported" in message
    assert len(message.splitlines()) == 1
    assert not (tmp_path / "out" / "run.json").exists()


def test_an_address_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))  # type: ignore[misc]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(EngineError, match=f"Ray does not answer at {address}: .*; start it there with: ray start"):
            connect(address, workers=None)
    for address in ("nonsense", "host:", ":6379", "host:port", "ray://host:port"):
        with pytest.raises(EngineError, match="--ray-address must be HOST:PORT, ray://HOST:PORT or auto, got"):
            connect(address, workers=None)


def test_what_listens_and_is_no_ray_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**options: object) -> None:
        raise RuntimeError("Failed to connect to GCS. Last connection error:\nTraceback\nno such service\n")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=init))  # type: ignore[misc]
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(EngineError, match=f"Ray at {address} cannot be used: no such service; see docs/engines.md"):
            connect(address, workers=None)


def test_a_machine_that_does_not_see_the_folder_is_named(cluster: str, tmp_path: Path) -> None:
    found = connect(cluster, workers=None)
    check_machines(found, tmp_path)
    version = __version__
    gone = tmp_path / "gone"
    gone.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harvestdetect.engines.ray_cluster._seen", lambda *_: ("0.0.0", ""))
        with pytest.raises(EngineError, match=r"has harvestdetect 0\.0\.0, this one"):
            check_machines(found, gone)
        patch.setattr("harvestdetect.engines.ray_cluster._seen", lambda *_: (version, "No such file or directory"))
        with pytest.raises(EngineError, match=r"cannot use .*gone: No such file or directory; give --work a folder"):
            check_machines(found, gone)
