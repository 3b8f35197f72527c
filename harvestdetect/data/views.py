"""Tables, texts and pictures of values: functions of the package ``notebook``, called by name.

The values of this package have no behaviour. But in a notebook, people expect a value to show itself and to give its
tables. So :class:`~harvestdetect.data.Detection` and :class:`~harvestdetect.data.Finding` have a few methods, each of
which is one call of :func:`view`. The functions are above this package and import what they need; this module knows
only their names, like the package itself (``harvestdetect.__getattr__``), and loads one when it is first called.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

__all__ = ["VIEWS", "view"]

VIEWS: Final[Mapping[str, str]] = {
    "findings_table": "tables",
    "accounts_table": "tables",
    "prompts_table": "tables",
    "detection_text": "texts",
    "finding_text": "texts",
    "detection_html": "pages",
    "finding_html": "pages",
    "plot_timeline": "plots",
    "plot_ledger": "plots",
    "plot_map": "plots",
}
"""Function -> module of ``harvestdetect.notebook`` that has it."""


def view(name: str, value: object) -> Any:
    """What a function of the package ``notebook`` makes of a value.

    Args:
        name: of the function, see :data:`VIEWS`.
        value: a detection or a finding.
    """
    return getattr(import_module(f"harvestdetect.notebook.{VIEWS[name]}"), name)(value)
