"""Everything that turns a :class:`~harvestdetect.data.Detection` into something to read.

The functions return text; only :func:`write_outputs` writes. Prompts, account ids and file names are
attacker-written, so each way out has its own escaping, all of it in :mod:`harvestdetect.util.escape`:
nothing in a terminal, a spreadsheet, a browser or another program acts on what a prompt says.
"""

from __future__ import annotations

from harvestdetect.report.brief import brief_page
from harvestdetect.report.files import (
    AUDIT,
    BRIEF,
    OUTPUT_NAMES,
    accounts_csv,
    attributed_csv,
    campaigns_jsonl,
    candidates_jsonl,
    check_writable,
    detection_from_json,
    detection_json,
    rejects_jsonl,
    run_json,
    signatures_jsonl,
    write_outputs,
)
from harvestdetect.report.finding import RunFacts, finding_section, run_facts
from harvestdetect.report.from_folder import detection_of_folder
from harvestdetect.report.html import html_report
from harvestdetect.report.map_svg import map_svg
from harvestdetect.report.pages import page_style
from harvestdetect.report.terminal import summary_table
from harvestdetect.util.escape import csv_cell, csv_text

__all__ = [
    "AUDIT",
    "BRIEF",
    "OUTPUT_NAMES",
    "RunFacts",
    "accounts_csv",
    "attributed_csv",
    "brief_page",
    "campaigns_jsonl",
    "candidates_jsonl",
    "check_writable",
    "csv_cell",
    "csv_text",
    "detection_from_json",
    "detection_json",
    "detection_of_folder",
    "finding_section",
    "html_report",
    "map_svg",
    "page_style",
    "rejects_jsonl",
    "run_facts",
    "run_json",
    "signatures_jsonl",
    "summary_table",
    "write_outputs",
]
