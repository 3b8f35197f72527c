"""What the scans of one test process have in common is done once: it takes longer than the rest of a small scan.

* The wording model is read once. Only the model in the cache folder of the tests is kept. A test that damages a model
  or makes one has its own folder, whose files are read each time.
* The words that a text has in common with its neighbours are counted once for the same texts. Many tests scan the
  same rows.
* The points of a map are placed once for the same vectors, and in a few steps. The tests of maps take all steps.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias
from unittest.mock import patch

from harvestdetect.embed import distill, encoders
from harvestdetect.embed.distill import StaticModel
from harvestdetect.embed.model_files import packaged_folder
from harvestdetect.embed.static import StaticEncoder
from harvestdetect.evidence import comparison
from harvestdetect.maps import build
from harvestdetect.maps.layout import layout
from harvestdetect.template.alignment import common_words
from harvestdetect.util.arrays import Floats, Floats32

__all__ = [
    *("forget_common_words", "forget_layouts", "forget_wording_model"),
    *("keep_common_words", "keep_layouts", "keep_wording_model", "learn", "learned"),
]

Files: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of change of each file of a folder."""

_COUNTED: Final[dict[bytes, tuple[int, float]]] = {}
"""Results of ``common_words`` by a digest of the texts."""
_PLACED: Final[dict[bytes, Floats]] = {}
"""Places of maps by a digest of the vectors and the seed."""
_STEPS: Final = 20
"""Steps in which the points of a map are placed."""
_READ: Final = distill._known
_DIGEST: Final = encoders.folder_digest


def keep_wording_model(cache: Path, *, times: bool = True) -> None:
    """From now on, scans of this process share the encoder of the wording model in a cache folder.

    The model is read again after any of its files has changed.

    Args:
        cache: the cache folder of the tests.
        times: whether a file with another time has changed. Under a clock that is wrong, all files have other times.
    """
    shared = (cache / "models").resolve()
    models: dict[tuple[Path, Files], StaticModel] = {}
    digests: dict[tuple[Path, Files], str] = {}
    made: dict[int, StaticEncoder] = {}

    def known(place: Path) -> StaticModel | None:
        place_itself = place.resolve()
        if place_itself.parent != shared:
            return _READ(place)
        key = place_itself, _files(place_itself, times)
        if key not in models:
            found = _READ(place)
            if found is None:
                return None
            models[key] = found
            made[id(found)] = StaticEncoder(found)
        return models[key]

    def folder_digest(folder: Path) -> str:
        if folder != packaged_folder():
            return _DIGEST(folder)
        key = folder, _files(folder, times)
        if key not in digests:
            digests[key] = _DIGEST(folder)
        return digests[key]

    def encoder(model: StaticModel) -> StaticEncoder:
        return made.get(id(model)) or StaticEncoder(model)

    distill._known = known
    encoders.folder_digest = folder_digest
    encoders.StaticEncoder = encoder  # type: ignore[assignment,misc]


def forget_wording_model() -> None:
    """Every scan reads the model again, as users' scans do."""
    distill._known = _READ
    encoders.folder_digest = _DIGEST
    encoders.StaticEncoder = StaticEncoder  # type: ignore[misc]


def keep_common_words() -> None:
    """From now on, scans of this process share the results of ``common_words``, which depend on the texts alone."""

    def counted_once(texts: Sequence[Sequence[str]]) -> tuple[int, float]:
        whole = f"{[*map(len, texts)]}" + "\0\0".join(map("\0".join, texts))
        key = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if key not in _COUNTED:
            _COUNTED[key] = common_words(texts)
        return _COUNTED[key]

    comparison.common_words = counted_once


def forget_common_words() -> None:
    """Every scan counts the words of its texts."""
    comparison.common_words = common_words


def keep_layouts() -> None:
    """From now on, scans of this process share the places of a map, which depend on the vectors and the seed alone."""

    def placed_once(vectors: Floats32, *, seed: int) -> Floats:
        key = hashlib.blake2b(f"{seed} {vectors.shape} ".encode() + vectors.tobytes(), digest_size=16).digest()
        if key not in _PLACED:
            with patch.object(sys.modules[layout.__module__], "STEPS", _STEPS):
                _PLACED[key] = layout(vectors, seed=seed)
        return _PLACED[key].copy()

    build.layout = placed_once


def forget_layouts() -> None:
    """Every scan places the points of its map."""
    build.layout = layout


def learned(before: tuple[int, int] = (0, 0)) -> tuple[dict[bytes, tuple[int, float]], dict[bytes, Floats]]:
    """Results that this process has, in the order in which it found them, without the first of each kind."""
    return dict(islice(_COUNTED.items(), before[0], None)), dict(islice(_PLACED.items(), before[1], None))


def learn(results: tuple[dict[bytes, tuple[int, float]], dict[bytes, Floats]]) -> None:
    """Takes over the results of another process."""
    _COUNTED.update(results[0])
    _PLACED.update(results[1])


def _files(folder: Path, times: bool) -> Files:
    found = ((path, path.stat()) for path in sorted(folder.rglob("*")))
    return tuple((str(path), told.st_ino, told.st_size, told.st_mtime_ns * times) for path, told in found)
