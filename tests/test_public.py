"""The public names: of the package, one by one, and of every module, that ``__all__`` tells the truth."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import harvestdetect

MODULES = sorted(
    info.name for info in pkgutil.walk_packages(harvestdetect.__path__, "harvestdetect.") if "__main__" not in info.name
)


def test_the_package_has_these_names() -> None:
    assert harvestdetect.__all__ == [
        "Detection",
        "Finding",
        "HarvestdetectError",
        "Prompt",
        "Settings",
        "__version__",
        "calibrate",
        "detect",
        "evaluate",
        "html_report",
        "load_settings",
        "read_dumps",
        "write_outputs",
    ]
    for name in harvestdetect.__all__:
        assert getattr(harvestdetect, name) is not None
    with pytest.raises(AttributeError, match="module 'harvestdetect' has no attribute 'nothing'"):
        _ = harvestdetect.nothing


def test_the_version_is_that_of_the_project() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("harvestdetect")
    except PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert harvestdetect.__version__ == installed


@pytest.mark.parametrize("name", MODULES)
def test_a_module_names_what_is_public(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    defined = [entry for entry in vars(module) if own(module, entry)]
    if not defined and not hasattr(module, "__all__"):
        return  # a package that only holds modules
    public = module.__all__
    assert len(public) == len(set(public))
    missing = [entry for entry in public if not hasattr(module, entry)]
    assert not missing, f"{name}.__all__ names what is not there: {missing}"
    left_out = [entry for entry in defined if not entry.startswith("_") and entry not in public]
    assert not left_out, f"neither in {name}.__all__ nor private by name: {left_out}"
    undocumented = [entry for entry in public if own(module, entry) and not getattr(module, entry).__doc__]
    assert not undocumented, f"without a docstring in {name}: {undocumented}"


def own(module: ModuleType, entry: str) -> bool:
    """Whether a function or class was defined in this module."""
    value = getattr(module, entry)
    return (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__
