"""The edges of the graph of accounts and templates, from the prompts of a scan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harvestdetect.export.values import Link

__all__ = ["Links", "links_of"]

_NEEDED: Final = ("file", "line", "account", "campaign_id", "template_id")
"""Columns that the file of prompts must have. Older versions wrote no times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The links of all campaigns of a scan."""

    by_campaign: Mapping[str, tuple[Link, ...]]
    strangers: int
    """Rows whose account is not in the campaign."""

    def of(self, campaign: str) -> tuple[Link, ...]:
        """The links of one campaign."""
        return self.by_campaign.get(campaign, ())


def links_of(file: Path, known: Collection[tuple[str, str]]) -> Links | None:
    """The links of a scan.

    Args:
        file: ``prompts.parquet``.
        known: campaign and account of every member.

    Returns:
        None if the file cannot be read.
    """
    import pyarrow as pa

    try:
        groups = _grouped(file)
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
    found: dict[str, list[Link]] = {}
    strangers = 0
    for row in groups:
        if (row["campaign_id"], row["account"]) not in known:
            strangers += row["rows"]
            continue
        found.setdefault(row["campaign_id"], []).append(
            Link(
                account=row["account"],
                template_id=row["template_id"],
                rows=row["rows"],
                first_seen=row["first_seen"],
                last_seen=row["last_seen"],
                file=row["file"] or "",
                line=row["line"],
            )
        )
    return Links(
        by_campaign={campaign: tuple(links) for campaign, links in found.items()},
        strangers=strangers,
    )


def _grouped(file: Path) -> list[dict[str, Any]]:
    """A row for each campaign, account and template: its first file and line, its number of rows and their times."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        names = opened.schema_arrow.names
    keys = ["campaign_id", "account", "template_id"]
    timed = "timestamp" in names
    columns = [*_NEEDED, *(["timestamp"] if timed else [])]
    table = pq.read_table(file, columns=columns, partitioning=None, read_dictionary=["file", *keys])
    if timed:
        seconds = pc.divide(table["timestamp"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64()), 1_000)
    else:
        seconds = pa.nulls(len(table), pa.int64())
    table = table.append_column("time", seconds).append_column("row", pa.array(np.arange(len(table))))
    groups = table.group_by(keys).aggregate([("row", "min"), ("row", "count"), ("time", "min"), ("time", "max")])
    groups = groups.sort_by("row_min")
    first = groups["row_min"]
    plain = {"row_count": "rows", "time_min": "first_seen", "time_max": "last_seen"}
    groups = groups.drop_columns("row_min").rename_columns(
        [plain.get(n, n) for n in groups.column_names if n != "row_min"]
    )
    for name in ("file", "line"):
        groups = groups.append_column(name, table[name].take(first))
    return [row for batch in groups.to_batches() for row in batch.to_pylist()]
