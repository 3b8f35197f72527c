"""A folder of a scan with a state, and a server of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.making import make_detection, make_finding, make_member
from tests.serve.running import Client, Server, running, state_of, with_prompts, written

pytest.importorskip("uvicorn", reason="the page needs the extra serve")
pytest.importorskip("starlette", reason="the page needs the extra serve")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a scan with hostile texts, and its state."""
    folder = tmp_path_factory.mktemp("served")
    first = make_finding("c-0000000001")
    other = make_finding(
        "c-0000000002", tier="review", summary="A quiet group of translators", families=("text",), score=3.0,
        probability=0.8, members=tuple(make_member(f"quiet{i}") for i in range(3)), accounts=3,
    )  # fmt: skip
    detection = with_prompts(make_detection(first, other))
    written(detection, folder / "out")
    state_of(detection, folder / "state")
    return folder


@pytest.fixture
def folders(made: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Copies of the results and of the state."""
    for name in ("out", "state"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path / "out", tmp_path / "state"


@pytest.fixture
def server(folders: tuple[Path, Path]) -> Iterator[Server]:
    with running(*folders) as served:
        yield served


@pytest.fixture
def ann(server: Server) -> Client:
    return server.client("ann")
