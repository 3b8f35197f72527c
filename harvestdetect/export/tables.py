"""Flat tables as CSV, written like ``accounts.csv``: every cell in quotes, none a formula."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from harvestdetect.export.atlas import TECHNIQUES
from harvestdetect.export.text import network_of
from harvestdetect.export.values import Campaign, ExportOptions, Source
from harvestdetect.report.format import iso_time
from harvestdetect.util.escape import csv_cell

__all__ = ["TABLES", "table"]

Cell: TypeAlias = str | int | float | bool | None
Rows: TypeAlias = Callable[[Campaign], Iterable[tuple[Cell, ...]]]


def _campaigns(one: Campaign) -> Iterator[tuple[Cell, ...]]:
    yield (
        one.tier, one.status, one.probability, one.score, one.q_value, one.accounts, one.prompts, one.orgs,
        iso_time(one.first_seen), iso_time(one.last_seen), iso_time(one.detected), " ".join(one.families),
        " ".join(one.ways), "; ".join(one.capability_targets), one.verdict, one.benign, one.title, one.summary,
    )  # fmt: skip


def _accounts(one: Campaign) -> Iterator[tuple[Cell, ...]]:
    for account in one.members:
        yield (
            account.name, account.tag, one.tier, account.membership, account.recommended, account.attributed,
            account.harvest_share, account.prompts, account.harvest_prompts, iso_time(account.first_seen),
            iso_time(account.last_seen), "; ".join(account.reasons),
        )  # fmt: skip


def _templates(one: Campaign) -> Iterator[tuple[Cell, ...]]:
    for template in one.templates:
        words = " ".join("…" if run is None else run for run in template.words)
        examples = [*template.examples, "", "", ""][:3]
        yield (
            template.template_id, template.signature, template.channel, template.accounts, template.prompts,
            template.fixed_words, template.slots, words, *examples,
        )  # fmt: skip


def _links(one: Campaign) -> Iterator[tuple[Cell, ...]]:
    for link in one.links:
        first, last = iso_time(link.first_seen), iso_time(link.last_seen)
        yield link.account, link.template_id, link.rows, first, last, link.evidence


def _evidence(one: Campaign) -> Iterator[tuple[Cell, ...]]:
    said = {row.id: row.sentence for row in one.evidence}
    for row in one.ledger:
        yield "ledger", row.id, row.name, row.family, row.bits, None, None, None, row.sentence or said.get(row.id, "")
    for item in one.evidence:
        yield (
            "measure", item.id, item.name, item.family, item.bits, item.value, item.expected, item.p_value,
            item.sentence,
        )  # fmt: skip
    for reading in one.benign_explanations:
        yield (
            f"explanation: {reading.verdict}", reading.id, reading.name, None, reading.bits, reading.statistic, None,
            None, reading.sentence,
        )  # fmt: skip


def _shared(one: Campaign) -> Iterator[tuple[Cell, ...]]:
    for shared in one.shared_values:
        yield (
            shared.field, shared.value, network_of(shared), shared.members, shared.known, shared.accounts,
            shared.population,
        )  # fmt: skip


def _days(one: Campaign) -> Iterator[tuple[Cell, ...]]:
    yield from one.days


TABLES: Final[dict[str, tuple[tuple[str, ...], Rows]]] = {
    "campaigns": (
        (
            *("tier", "status", "probability", "score_bits", "q_value", "accounts", "prompts", "orgs"),
            *("first_seen", "last_seen", "detected", "families", "ways", "capability_targets", "verdict", "benign"),
            *("title", "summary"),
        ),
        _campaigns,
    ),
    "accounts": (
        (
            *("account", "tag", "tier", "membership", "recommended", "attributed", "harvest_share", "prompts"),
            *("harvest_prompts", "first_seen", "last_seen", "reasons"),
        ),
        _accounts,
    ),
    "templates": (
        (
            *("template_id", "signature", "channel", "accounts", "prompts", "fixed_words", "slots", "words"),
            *("example_1", "example_2", "example_3"),
        ),
        _templates,
    ),
    "links": (("account", "template_id", "rows", "first_seen", "last_seen", "evidence"), _links),
    "evidence": (
        ("kind", "id", "name", "family", "bits", "value", "expected", "p_value", "sentence"),
        _evidence,
    ),
    "shared_values": (
        ("field", "value", "network", "members", "members_known", "accounts", "accounts_known"),
        _shared,
    ),
    "days": (("day", "prompts"), _days),
}
"""Name of a table -> its columns behind ``campaign_id``, and its rows for a campaign. ``campaigns`` also has the
marking and the techniques."""


def table(name: str, source: Source, options: ExportOptions) -> Iterator[str]:
    """One of :data:`TABLES`: UTF-8, comma, CRLF, a header, every cell in quotes.

    Text is made harmless by :func:`~harvestdetect.util.escape.csv_cell`, whose inverse gives it back.

    Args:
        name: of the table.
        source: findings, with what may be shown of them.
        options: the marking.
    """
    columns, rows = TABLES[name]
    marked = name == "campaigns"
    extra = (f"tlp:{options.tlp}", " ".join(one.id for one in TECHNIQUES)) if marked else ()
    yield _line(("campaign_id", *columns, *(("marking", "techniques") if marked else ())))
    for campaign in source.campaigns:
        for row in rows(campaign):
            yield _line((campaign.campaign_id, *row, *extra))


def _line(cells: Iterable[Cell]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerow([_cell(cell) for cell in cells])
    return buffer.getvalue()


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return csv_cell(value) if isinstance(value, str) else str(value)
