"""Reads the folder that a scan wrote back into a detection, as far as reports show it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from harvestdetect.data import MAP_COLUMNS, Detection
from harvestdetect.errors import InputError
from harvestdetect.report.files import NO_DETECTION, detection_from_json
from harvestdetect.report.read import csv_rows, json_lines, run_of
from harvestdetect.util.escape import csv_text

__all__ = ["detection_of_folder"]


def detection_of_folder(out: Path) -> Detection:
    """The detection as far as reports show it: without candidates and the accounts seen.

    Args:
        out: the folder that a scan wrote.

    Raises:
        InputError: a file is missing or malformed, or is of a version with other fields.
    """
    run = run_of(out / "run.json")
    if run is None:
        raise InputError(f"cannot read {out / 'run.json'}; give the folder that scan --out named")
    try:
        return _detection(out, run)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{out} is not the complete folder of a scan of this version ({error}); scan again") from None


def _detection(out: Path, run: Mapping[str, Any]) -> Detection:
    import pyarrow.parquet as pq

    try:
        prompts = pq.read_table(out / "prompts.parquet")
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {out / 'prompts.parquet'}: {str(error).splitlines()[0]}") from None
    sent: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    groups = prompts.group_by(["campaign_id", "account", "template_id"])
    for row in groups.aggregate([([], "count_all")]).to_pylist():
        sent[row["campaign_id"], row["account"]][row["template_id"]] = row["count_all"]
    members: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _, cells in csv_rows(out / "accounts.csv", ("account", "campaign_id")):
        campaign, account = csv_text(cells["campaign_id"]), csv_text(cells["account"])
        members[campaign].append(_member(cells, account, sent[campaign, account]))
    findings = []
    for _, line in json_lines(out / "campaigns.jsonl"):
        days = [[day["day"], day["prompts"]] for day in line["days"]]
        own = sorted(members[line["campaign_id"]], key=lambda one: (-one["membership"], one["account"]))
        findings.append({**line, "days": days, "members": own})
    attributed = [
        {
            "account": csv_text(cells["account"]), "campaign_id": csv_text(cells["campaign_id"]),
            "prompts": int(cells["prompts"]), "first_seen": cells["first_seen"] or None,
            "last_seen": cells["last_seen"] or None,
        }
        for _, cells in csv_rows(out / "attributed.csv", ("account",))
    ]  # fmt: skip
    names = ("counts", "settings", "models", "versions", "files", "stages", "notes", "expected_false", "what_if")
    plain = {name: run[name] for name in (*names, "calibration")} | {"ledger": run.get("ledger", {})}
    plain |= {"findings": findings, "attributed": attributed, "schema_version": 1}
    plain["rejects"] = [line for _, line in json_lines(out / "rejects.jsonl")]
    try:
        found = detection_from_json(json.dumps(plain))
    except InputError as error:
        raise ValueError(str(error).removeprefix(NO_DETECTION)) from None
    return replace(found, prompts=prompts, map=_map(out / "map.parquet"))


def _map(file: Path) -> pa.Table | None:
    """The map; None if the scan made none.

    Raises:
        InputError: the file cannot be read, or has other columns.
    """
    import pyarrow.parquet as pq

    if not file.is_file():
        return None
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {file}: {str(error).splitlines()[0]}") from None
    if not table.schema.equals(MAP_COLUMNS):
        raise InputError(f"{file} has other columns than the map of a scan; scan again, or remove it")
    return table if table.num_rows else None


def _member(cells: Mapping[str, str], account: str, templates: Mapping[str, int]) -> dict[str, Any]:
    return {
        "account": account,
        "membership": float(cells["membership"] or "nan"),
        "harvest_share": float(cells["harvest_share"] or "nan"),
        "prompts": int(cells["prompts"]),
        "harvest_prompts": int(cells["harvest_prompts"]),
        "first_seen": cells["first_seen"] or None,
        "last_seen": cells["last_seen"] or None,
        "recommended": cells["recommended"] == "true",
        "reasons": [reason for reason in csv_text(cells["reasons"]).split("; ") if reason],
        "templates": dict(templates),
    }
