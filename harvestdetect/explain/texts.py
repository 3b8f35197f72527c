"""The prompts behind a finding, read again from the dumps by file and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from harvestdetect.errors import HarvestdetectError
from harvestdetect.explain.files import ScanFiles
from harvestdetect.explain.values import SentText
from harvestdetect.util.arrays import spread
from harvestdetect.util.redact import redact

__all__ = ["sent_texts"]

MOST_TEXTS: Final = 10
"""Prompts whose texts are read at most."""
LONGEST: Final = 4_000
"""Characters of a text that are kept. Chosen."""

Row = Mapping[str, Any]
"""A row of ``prompts.parquet``."""


def sent_texts(
    scan: ScanFiles,
    missing: list[str],
    *,
    campaign: str | None = None,
    account: str | None = None,
    redacted: bool = True,
) -> tuple[SentText, ...]:
    """The texts of some prompts of a campaign, of different accounts where there are enough, or of an account.

    Args:
        scan: the results of the scan.
        missing: gets a sentence for each file that cannot be read.
        campaign: id of a finding.
        account: id of an account.
        redacted: whether addresses, long numbers and keys are replaced by their kind.

    Returns:
        at most :data:`MOST_TEXTS`, by file and line. Only files on this machine are read.
    """
    rows = _chosen(scan, missing, campaign=campaign, account=account)
    wanted: dict[str, dict[int, list[Row]]] = {}
    for row in rows:
        wanted.setdefault(str(row["file"]), {}).setdefault(int(row["line"]), []).append(row)
    found: list[SentText] = []
    for file in sorted(wanted):
        try:
            found += _read(scan, file, wanted[file], redacted=redacted)
        except (HarvestdetectError, OSError) as error:
            missing.append(f"the texts in {file} cannot be read: {error}")
    left = len(rows) - len(found)
    if left and not any("cannot be read" in sentence for sentence in missing):
        missing.append(f"{left} of the prompts are not where they were: a file has changed since the scan")
    return tuple(found)


def _chosen(scan: ScanFiles, missing: list[str], *, campaign: str | None, account: str | None) -> list[Row]:
    """Rows of ``prompts.parquet``, evenly chosen; of a campaign one of each account while there are enough."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    column, value = ("campaign_id", campaign) if account is None else ("account", account)
    columns = ["file", "line", "account", "campaign_id", "template_id"]
    try:
        with pq.ParquetFile(scan.out / "prompts.parquet") as file:
            batches = [
                batch.filter(pc.equal(batch.column(column), value)) for batch in file.iter_batches(columns=columns)
            ]
            table = pa.Table.from_batches(batches, schema=batches[0].schema) if batches else None
    except (OSError, pa.ArrowException, KeyError, ValueError):
        missing.append("prompts.parquet cannot be read: where the prompts are is not known")
        return []
    if table is None or not len(table):
        return []
    table = table.sort_by([(name, "ascending") for name in ("account", "file", "line")])
    if account is None:
        names = table["account"].to_pylist()
        first = [i for i in range(len(names)) if i == 0 or names[i] != names[i - 1]]
        if len(first) >= MOST_TEXTS:
            table = table.take(first)
    rows: list[Row] = table.take(spread(len(table), MOST_TEXTS)).to_pylist()
    return rows


def _read(scan: ScanFiles, file: str, wanted: Mapping[int, Sequence[Row]], *, redacted: bool) -> list[SentText]:
    """The wanted lines of a file.

    Raises:
        HarvestdetectError: the file cannot be read as a dump.
        OSError: it is not there.
    """
    from harvestdetect.dump import read_dumps

    if not Path(file).is_file():
        raise FileNotFoundError("it is not on this machine under this name; run the command where the scan ran")
    pseudonyms = bool(_settings(scan).get("pseudonyms"))
    found: list[SentText] = []
    left = set(wanted)
    with closing(read_dumps([file], settings=_reading(scan))) as dumps:
        for batch in dumps:
            columns = batch.prompts.select(["line", "account", "roles", "parts"])
            for place, line in enumerate(columns.column("line").to_pylist()):
                if line not in left:
                    continue
                left.discard(line)
                row = columns.slice(place, 1).to_pylist()[0]
                sent = wanted[line][0]
                if pseudonyms or row["account"] == sent["account"]:
                    found.append(_text(row, sent, redacted=redacted))
            if not left:
                break
    return found


def _text(row: Row, sent: Row, *, redacted: bool) -> SentText:
    parts = [
        part if role == "user" else f"[{role}] {part}" for role, part in zip(row["roles"], row["parts"], strict=True)
    ]
    text = "\n\n".join(parts)
    text = redact(text) if redacted else text
    return SentText(
        place=f"{sent['file']}:{sent['line']}",
        account=str(sent["account"]),
        campaign_id=str(sent["campaign_id"]),
        template_id=str(sent["template_id"]),
        text=text if len(text) <= LONGEST else text[: LONGEST - 1] + "…",
    )


def _settings(scan: ScanFiles) -> Mapping[str, Any]:
    settings = scan.run.get("settings")
    return settings if isinstance(settings, dict) else {}


def _reading(scan: ScanFiles) -> Any:
    """The settings by which the dumps were read."""
    from harvestdetect.settings import Settings

    known = _settings(scan)
    wanted: dict[str, type] = {"mapping": dict, "profile": str, "format": str, "table": str, "query": str}
    return Settings(**{name: known[name] for name, kind in wanted.items() if isinstance(known.get(name), kind)})
