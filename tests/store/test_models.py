"""Folders that are written once: whole or not there."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from harvestdetect.errors import CacheError
from harvestdetect.store.models import is_whole, publish_folder


def write_text(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "inner" / "text").write_text(text)

    return write


def test_published_folder_is_whole_until_it_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "model"
    assert not is_whole(folder)
    publish_folder(folder, write_text("one"))
    assert is_whole(folder)
    publish_folder(folder, write_text("two"))
    assert (folder / "inner" / "text").read_text() == "one", "the first one that is whole stays"
    (folder / "inner" / "text").write_text("tampered")
    assert not is_whole(folder)
    publish_folder(folder, write_text("three"))
    assert (folder / "inner" / "text").read_text() == "three"
    (folder / "more").write_text("")
    assert not is_whole(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_failed_publication_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CacheError, match="No space left"):
        publish_folder(tmp_path / "model", fail)
    assert list(tmp_path.iterdir()) == []
