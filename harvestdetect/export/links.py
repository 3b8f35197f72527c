"""The edges of the graph of accounts and templates, from the prompts of a scan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvestdetect.export.values import Link

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Links", "links_of"]


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
    table = _read(file)
    if table is None:
        return None
    groups = _grouped(table)
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


def _read(file: Path) -> pa.Table | None:
    """The prompts of a scan with their times in seconds (``time``); None if they cannot be read or are malformed."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    texts = ["file", "account", "campaign_id", "template_id"]
    try:
        with pq.ParquetFile(file) as opened:
            schema = opened.schema_arrow
            timed = "timestamp" in schema.names  # older versions wrote none
            strings = all(pa.types.is_string(schema.field(name).type) for name in texts)
            if not strings or not pa.types.is_integer(schema.field("line").type):
                return None
            if timed and not pa.types.is_timestamp(schema.field("timestamp").type):
                return None
        columns = [*texts, "line", *(["timestamp"] if timed else [])]
        table = pq.read_table(file, columns=columns, partitioning=None, read_dictionary=texts)
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
    if timed:
        seconds = pc.divide(table["timestamp"].cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64()), 1_000)
    else:
        seconds = pa.chunked_array([pa.nulls(len(table), pa.int64())])
    # Each block of rows has dictionaries of its own, which cannot be grouped together.
    return table.append_column("time", seconds).unify_dictionaries()


def _grouped(table: pa.Table) -> list[dict[str, Any]]:
    """A row for each campaign, account and template: its first file and line, its number of rows and their times."""
    import numpy as np
    import pyarrow as pa

    keys = ["campaign_id", "account", "template_id"]
    table = table.append_column("row", pa.array(np.arange(len(table))))
    groups = table.group_by(keys).aggregate([("row", "min"), ("row", "count"), ("time", "min"), ("time", "max")])
    groups = groups.sort_by("row_min").combine_chunks()
    first = groups["row_min"].combine_chunks()
    file, line = (table[name].take(first) for name in ("file", "line"))
    columns = {name: groups[name].cast(pa.string()) for name in keys} | {"file": file.cast(pa.string()), "line": line}
    columns |= {"rows": groups["row_count"], "first_seen": groups["time_min"], "last_seen": groups["time_max"]}
    rows: list[dict[str, Any]] = pa.table(columns).to_pylist()
    return rows
