"""Versions of this package and of those that findings depend on."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata
from typing import Final

__all__ = ["versions"]

PACKAGES: Final = (
    *("harvestdetect", "numpy", "scipy", "faiss-cpu", "hdbscan", "icu4py", "pyarrow", "torch"),
    "sentence-transformers",
)


def versions() -> dict[str, str]:
    """Name -> version of Python and of each package."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


@cache
def _version(name: str) -> str:
    """The version of a package, which is read from its files once."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
