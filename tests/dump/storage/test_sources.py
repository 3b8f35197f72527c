"""Sources that are no files: links to nowhere, pipes, devices, sockets; and files that go away."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harvestdetect.dump import expand_sources, read_dumps
from harvestdetect.dump.storage import sources as module
from harvestdetect.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
ROW = b'{"user":"a","prompt":"What is this?"}\n'


def read(*sources: str | Path) -> tuple[int, list[tuple[str, str]]]:
    """Prompts, and (file, reason) of each reject."""
    batches = list(read_dumps(sources))
    rejects = [(Path(r.file).name, r.reason) for batch in batches for r in batch.rejects]
    return sum(batch.prompts.num_rows for batch in batches), rejects


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dump in it."""
    made = tmp_path / "dumps"
    made.mkdir()
    (made / "a.jsonl").write_bytes(ROW * 3)
    return made


def test_what_is_no_file_in_a_folder_is_one_reject(folder: Path) -> None:
    (folder / "b.jsonl").symlink_to("nowhere.jsonl")
    (folder / "c.jsonl").symlink_to("d.jsonl")
    (folder / "d.jsonl").symlink_to("c.jsonl")
    os.mkfifo(folder / "e.jsonl")
    (folder / "f.jsonl").symlink_to("/dev/zero")
    (folder / "g.jsonl").mkdir()
    (folder / "g.jsonl" / "h.jsonl").write_bytes(ROW)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "i.jsonl"))
        start = time.monotonic()
        for source in (folder, f"{folder}/*.jsonl", f"{folder}/**/*.jsonl"):
            rows, rejects = read(source)
            assert rows == 4
            reasons = dict(rejects)
            assert len(reasons) == len(rejects)
            assert reasons["b.jsonl"] == "the link leads to no file"
            assert "symbolic links" in reasons["c.jsonl"]
            assert "symbolic links" in reasons["d.jsonl"]
            assert reasons["e.jsonl"] == "it is a pipe, which is read only where it is named"
            assert reasons["f.jsonl"].startswith("it is a device")
            assert reasons["i.jsonl"].startswith("it is a socket")
        assert time.monotonic() - start < 5


def test_a_file_without_permission_in_a_folder_is_one_reject(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "b.jsonl").write_bytes(ROW)
    import builtins

    true_open = builtins.open

    def refuse(file: object, *args: object, **options: object) -> object:
        if str(file).endswith("b.jsonl"):
            raise PermissionError(13, "Permission denied")
        return true_open(file, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(module, "open", refuse, raising=False)
    rows, rejects = read(folder)
    assert rows == 3
    ((name, reason),) = rejects
    assert name == "b.jsonl"
    assert reason.endswith("b.jsonl: Permission denied")


def test_a_file_that_vanishes_before_it_is_read_is_one_reject(folder: Path) -> None:
    (folder / "b.jsonl").write_bytes(ROW)
    dumps = read_dumps([folder])
    (folder / "b.jsonl").unlink()
    batches = list(dumps)
    assert sum(batch.prompts.num_rows for batch in batches) == 3
    (reject,) = [reject for batch in batches for reject in batch.rejects]
    assert "No such file" in reject.reason
    assert [file.name for batch in batches for file in batch.files] == [str(folder / "a.jsonl")]


def test_a_file_that_cannot_be_read_further_keeps_its_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "b.jsonl").write_bytes(ROW * 20_000)

    class Failing:
        def __init__(self, name: str) -> None:
            self._file = io.BytesIO(Path(name).read_bytes())

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def read(self, size: int) -> bytes:
            if self._file.tell() > 300_000:
                raise OSError(5, "Input/output error")
            return self._file.read(size)

    monkeypatch.setattr(module, "open", lambda name, *_, **__: Failing(name), raising=False)
    rows, rejects = read(folder)
    assert 3 + 7_000 < rows < 3 + 20_000
    ((name, reason),) = rejects
    assert name == "b.jsonl"
    assert "beyond byte" in reason
    assert "Input/output error" in reason


def test_a_subfolder_without_permission_is_one_reject(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "closed").mkdir()
    true_scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return true_scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    rows, rejects = read(folder)
    assert rows == 3
    assert rejects == [("closed", "cannot read the folder: Permission denied")]


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/full"])
def test_a_device_that_was_named_is_an_error(device: str) -> None:
    if not os.path.exists(device):
        pytest.skip(f"no {device} here")
    with pytest.raises(InputError, match="it is a device, whose content may have no end; name a file"):
        expand_sources([device])


def test_links_and_sockets_that_were_named_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to("nowhere")
    with pytest.raises(InputError, match="no such file"):
        expand_sources([tmp_path / "a.jsonl"])
    (tmp_path / "b.jsonl").symlink_to("b.jsonl")
    with pytest.raises(InputError, match="symbolic links"):
        expand_sources([tmp_path / "b.jsonl"])
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "c.jsonl"))
        with pytest.raises(InputError, match="it is a socket"):
            expand_sources([tmp_path / "c.jsonl"])


def test_a_pipe_without_a_writer_is_an_error_after_its_time(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threads = threading.active_count()
    start = time.monotonic()
    with pytest.raises(InputError, match="no process has opened it for writing within 1 s; start the writer first"):
        read(pipe)
    assert 0.9 < time.monotonic() - start < 5
    assert threading.active_count() == threads


def test_a_pipe_with_a_slow_writer_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb") as file:
            time.sleep(1.5)
            file.write(ROW * 5)

    writer = threading.Thread(target=write)
    writer.start()
    assert read(pipe) == (5, [])
    writer.join()


def test_process_substitution_and_standard_input_go_on_working(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROW * 4)
    code = (
        "import sys; from harvestdetect.dump import read_dumps; "
        "print(sum(b.prompts.num_rows for b in read_dumps(sys.argv[1:])))"
    )
    command = f'{sys.executable} -c "{code}"'
    for line in (
        f"{command} <(cat a.jsonl)",
        f"cat a.jsonl | {command} /dev/stdin",
        f"cat a.jsonl | {command} -",
        f"{command} /dev/stdin < a.jsonl",
        f"{command} - < a.jsonl",
    ):
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert (done.stdout, done.returncode) == ("4\n", 0), (line, done.stderr)


def test_standard_input_that_never_ends_is_an_error() -> None:
    if not os.path.exists("/dev/zero"):
        pytest.skip("no /dev/zero here")
    code = "from harvestdetect.dump import read_dumps; list(read_dumps(['-']))"
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" < /dev/zero'], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert "InputError: cannot read standard input: it is a device, whose content may have no end" in done.stderr


def test_a_line_without_an_end_from_a_pipe_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    from harvestdetect.dump import file

    monkeypatch.setattr(file, "ENDLESS", 1_000_000)

    class Endless:
        def __init__(self) -> None:
            self.left = [ROW * 3]

        def read(self, size: int) -> bytes:
            return self.left.pop() if self.left else bytes(size)

    batches = list(read_dumps(["-"], stdin=Endless()))  # type: ignore[arg-type]
    assert sum(batch.prompts.num_rows for batch in batches) == 3
    reasons = [reject.reason for batch in batches for reject in batch.rejects]
    assert "a line has no end within 1,000,000 bytes; the rest is not read" in reasons[-1]


def test_a_scan_of_a_folder_with_a_dangling_link_is_done(folder: Path, environment: dict[str, str]) -> None:
    (folder / "a.jsonl").write_bytes(
        b"".join(b'{"user":"u%d","time":1760000000,"prompt":"Tell me about subject %d"}\n' % (n, n) for n in range(40))
    )
    (folder / "b.jsonl").symlink_to("nowhere.jsonl")
    done = subprocess.run(
        [sys.executable, "-m", "harvestdetect", "scan", str(folder), "--out", str(folder.parent / "out"),
         "--encoder", "fast", "--workers", "1"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "read 40 prompts" in done.stdout
    assert "1 reject" in done.stdout
    assert "the link leads to no file" in (folder.parent / "out" / "rejects.jsonl").read_text()
