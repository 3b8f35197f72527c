"""Versions of this package and of those that findings depend on."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Final

__all__ = ["versions"]

PACKAGES: Final = (
    *("harvestdetect", "numpy", "scipy", "faiss-cpu", "hdbscan", "icu4py", "pyarrow", "torch"),
    "sentence-transformers",
)


def versions() -> dict[str, str]:
    """Name -> version of Python and of each package."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
