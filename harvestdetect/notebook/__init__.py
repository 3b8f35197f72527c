"""What a notebook shows of a detection and of its findings: short texts, HTML, Arrow tables and pictures.

The methods of :class:`~harvestdetect.data.Detection` and :class:`~harvestdetect.data.Finding` call these functions, see
:mod:`harvestdetect.data.views`. Each function takes one value and returns one. Prompts, account ids and file names are
written by attackers, so texts are escaped as in the report.
"""

from __future__ import annotations

from harvestdetect.notebook.pages import detection_html, finding_html
from harvestdetect.notebook.plots import Plot, plot_ledger, plot_map, plot_timeline
from harvestdetect.notebook.tables import accounts_table, findings_table, prompts_table
from harvestdetect.notebook.texts import detection_text, finding_text

__all__ = [
    "Plot",
    "accounts_table",
    "detection_html",
    "detection_text",
    "finding_html",
    "finding_text",
    "findings_table",
    "plot_ledger",
    "plot_map",
    "plot_timeline",
    "prompts_table",
]
