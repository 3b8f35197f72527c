"""The command ``export``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harvestdetect.cli.console import answer, note
from harvestdetect.cli.dumps import working
from harvestdetect.cli.options import FOLDER, TIERS, quiet_option
from harvestdetect.errors import OutputError, UsageError

if TYPE_CHECKING:
    from harvestdetect.export import ExportOptions, Source

__all__ = ["export"]

FORMATS: Final = ("ocsf", "stix", "misp", "xarf", "graphml", "gexf", "csv")
"""The formats of ``export.FORMATS``, repeated here because that module imports pyarrow, which would slow ``--help``
down."""
TABLES: Final = ("campaigns", "accounts", "templates", "links", "evidence", "shared_values", "days")
"""The tables of ``export.TABLES``, repeated for the same reason."""
TLPS: Final = ("clear", "green", "amber", "amber+strict", "red")
"""The markings of ``export.values.TLPS``, repeated for the same reason."""
NAMING: Final = ("ocsf", "graphml", "gexf", "csv")
"""Formats that list accounts, by tags if need be."""

LINKED: Final = ("graphml", "gexf", "csv")
"""Formats that say which account sent which template."""


def _parse_time(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Reads ``--time``: ISO 8601, in UTC without a zone."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        seconds = -1
    if seconds < 0:
        raise click.BadParameter(f"{value!r} is not a time such as 2026-06-30T00:00:00Z", ctx, param)
    return seconds


@click.command(short_help="Export findings for a SIEM, other organisations, a host or a graph tool.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--format", "name", type=click.Choice(FORMATS), required=True, help="Format of the export.")
@click.option(
    "--out", type=FOLDER, metavar="FILE",
    help="File to write, or - for standard output. With csv and no --table: folder for all tables.  [default: -]",
)  # fmt: skip
@click.option(
    "--state", type=FOLDER, metavar="STATE",
    help="With the folder of scan --state --out: respect the verdicts that this state has now.  "
    "[default: those of the scan]",
)  # fmt: skip
@click.option("--table", type=click.Choice(TABLES), help="With csv: the one table to export.  [default: all]")
@click.option(
    "--tier", type=click.Choice(TIERS),
    help="Export findings at this tier or above.  [default: review for stix, misp and xarf, watch for the others]",
)  # fmt: skip
@click.option(
    "--campaign", "campaigns", multiple=True, metavar="ID",
    help="Export only this campaign, at any tier: an id or the beginning of one. Repeat for more.",
)  # fmt: skip
@click.option(
    "--reveal", type=click.Choice(["accounts", "texts"]), multiple=True,
    help="Show ids of accounts and names of files (accounts), or words of templates and redacted examples (texts). "
    "Repeat for both. Pseudonyms stay pseudonyms.  [default: neither]",
)  # fmt: skip
@click.option(
    "--tlp", type=click.Choice(TLPS), default="amber", show_default=True,
    help="Marking of the Traffic Light Protocol 2.0.",
)  # fmt: skip
@click.option("--reporter-org", default="", metavar="NAME", help="Your organisation. xarf needs it.")
@click.option("--reporter-contact", default="", metavar="ADDRESS", help="Your e-mail address. xarf needs it.")
@click.option(
    "--reporter-domain", default="", metavar="DOMAIN",
    help="Your domain, for xarf.  [default: that of --reporter-contact]",
)  # fmt: skip
@click.option(
    "--relay", default="", metavar="ADDRESS",
    help="With xarf: exact IP address of the relay, for reports on its network alone.  [default: all shared networks]",
)  # fmt: skip
@click.option(
    "--time", "time", metavar="TIME", callback=_parse_time,
    help="Time of the findings, such as 2026-06-30T00:00:00Z, if the dump had no times.  [default: of the last prompt]",
)  # fmt: skip
@click.option(
    "--max-accounts", type=click.IntRange(0), default=1_000, show_default=True, metavar="N",
    help="With ocsf: most accounts in one event, the surest first.",
)  # fmt: skip
@quiet_option("no progress and no notes")
def export(folder: Path, name: str, out: Path | None, table: str | None, **given: Any) -> int:
    """Export the findings in DIR, the folder that scan --out or scan --state named.

    \b
    ocsf          OCSF 1.8 detection findings, JSON Lines: for a SIEM
    stix          STIX 2.1 bundle: for a threat intelligence platform
    misp          MISP event: for a sharing community
    xarf          XARF 4 abuse reports, JSON Lines: for the host of a relay
    graphml gexf  graph of accounts and templates: for networkx, igraph, Gephi
    csv           flat tables: for a spreadsheet or a database

    Without --reveal, accounts have tags such as account-17, and no text of a prompt is exported. The same folder and
    options give the same bytes.

    \b
    Exit codes  0 done   1 failed   2 wrong usage
    """
    if table is not None and name != "csv":
        raise UsageError("--table is for --format csv only")
    if given["relay"] and name != "xarf":
        raise UsageError("--relay is for --format xarf only")
    from harvestdetect.export import FORMATS as KNOWN
    from harvestdetect.export import read_source

    tier = given["tier"] or KNOWN[name].tier
    options = _options(given)
    with working("exporting", quiet=given["quiet"] or out is None or str(out) == "-"):
        source = read_source(
            folder, tier=tier, campaigns=given["campaigns"], reveal=given["reveal"], state=given["state"]
        )
        _write(source, name, options, out=out, table=table)
    if not given["quiet"]:
        _tell(source, name, options, tier=tier, named=bool(given["campaigns"]))
    return 0


def _options(given: dict[str, Any]) -> ExportOptions:
    from harvestdetect.export import ExportOptions, Reporter

    return ExportOptions(
        tlp=given["tlp"],
        reporter=Reporter(
            org=given["reporter_org"].strip(),
            contact=given["reporter_contact"].strip(),
            domain=given["reporter_domain"].strip(),
        ),
        time=given["time"],
        relay=given["relay"].strip(),
        max_accounts=given["max_accounts"],
        reveal=frozenset(given["reveal"]),
    )


def _write(source: Source, name: str, options: ExportOptions, *, out: Path | None, table: str | None) -> None:
    """Writes the export.

    Raises:
        UsageError: csv has no place for its tables, or the format needs something that is not given.
        OutputError: a file cannot be written.
    """
    from harvestdetect.export import pieces

    to_screen = out is None or str(out) == "-"
    if name == "csv" and table is None:
        if out is None or to_screen:
            raise UsageError("csv has several tables; give --out DIR for all of them, or --table NAME for one")
        for one in TABLES:
            _save(out / f"{one}.csv", pieces(source, name, options, table_name=one), folder=out)
        return
    text = pieces(source, name, options, table_name=table)
    if out is None or to_screen:
        answer("".join(text), utf8=True)
    else:
        _save(out, text, folder=out.parent)


def _save(file: Path, text: Iterable[str], *, folder: Path) -> None:
    """Writes a file that only its owner may read. It replaces an older one when it is complete."""
    from harvestdetect.util.disk import reason_of
    from harvestdetect.util.files import make_folder, replacing

    try:
        make_folder(folder)
        with replacing(file) as stream:
            for piece in text:
                stream.write(piece.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(f"cannot write {file}: {reason_of(error)}; give --out another place") from None


def _tell(source: Source, name: str, options: ExportOptions, *, tier: str, named: bool) -> None:
    """Notes on what the export lacks."""
    from harvestdetect.export import shows_accounts
    from harvestdetect.report.format import plural

    for sentence in (*source.notes, *(source.link_notes if name in LINKED else ())):
        note(sentence)
    if not source.campaigns and not named:
        note(f"no finding is at {tier} or above, so the export has none; --tier watch exports all")
    if name in NAMING and source.campaigns and not shows_accounts(source, options.reveal):
        note("accounts have tags in place of their ids; --reveal accounts exports the ids")
    if name == "xarf" and not options.relay:
        from harvestdetect.export.xarf import unreported

        for sentence in unreported(source):
            note(sentence)
    if name == "ocsf":
        left = sum(max(0, len(one.members) - options.max_accounts) for one in source.campaigns)
        if left:
            note(f"{plural(left, 'account')} left out by --max-accounts {options.max_accounts}")
