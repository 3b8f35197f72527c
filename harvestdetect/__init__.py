"""Find coordinated prompt harvesting (model extraction) campaigns across accounts.

::

    from harvestdetect import Settings, detect, read_dumps

    detection = detect(read_dumps(["dump.jsonl.gz"]), settings=Settings(encoder="fast"))
    for finding in detection.findings:
        print(finding.tier, finding.summary)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harvestdetect.calibration import calibrate
    from harvestdetect.data import Detection, Finding, Prompt
    from harvestdetect.detection import detect
    from harvestdetect.dump import read_dumps
    from harvestdetect.errors import HarvestdetectError
    from harvestdetect.report import html_report, write_outputs
    from harvestdetect.settings import Settings, load_settings
    from harvestdetect.simulate.evaluate import evaluate

__all__ = [
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

__version__ = "0.2.0"

_HOMES = {
    "Detection": "data",
    "Finding": "data",
    "HarvestdetectError": "errors",
    "Prompt": "data",
    "Settings": "settings",
    "calibrate": "calibration",
    "detect": "detection",
    "evaluate": "simulate.evaluate",
    "html_report": "report",
    "load_settings": "settings",
    "read_dumps": "dump",
    "write_outputs": "report",
}


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first asked for, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
