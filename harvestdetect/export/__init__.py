"""Exports findings in the formats of other programs: for a SIEM, for other organisations, for a host, for a graph tool.

::

    from harvestdetect.export import ExportOptions, export_text, read_source

    source = read_source("findings", tier="review")
    text = export_text(source, "stix", ExportOptions(tlp="amber"))

A format is one function ``(source, options) -> pieces of text`` and one entry in :data:`FORMATS`. Prompts and ids are
attacker-written: every text in an export is on one line, without invisible characters. No export depends on the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harvestdetect.data import Tier
from harvestdetect.errors import InputError, UsageError
from harvestdetect.export.disclosure import disclosed, selected, shows_accounts
from harvestdetect.export.graph_files import gexf, graphml
from harvestdetect.export.misp import misp
from harvestdetect.export.ocsf import ocsf
from harvestdetect.export.scan_folder import FINDINGS, read_scan_folder
from harvestdetect.export.state_folder import read_state_folder
from harvestdetect.export.stix import stix
from harvestdetect.export.tables import TABLES, table
from harvestdetect.export.values import ExportOptions, Reporter, Reveal, Source
from harvestdetect.export.verdicts import with_verdicts
from harvestdetect.export.xarf import xarf
from harvestdetect.state.store import DATABASE

__all__ = [
    "FORMATS",
    "TABLES",
    "ExportOptions",
    "Format",
    "Reporter",
    "Source",
    "export_text",
    "pieces",
    "read_source",
    "shows_accounts",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of exports."""

    write: Callable[[Source, ExportOptions], Iterator[str]]
    tier: Tier
    """The lowest tier that is exported by default: ``review`` where other organisations read it."""


def _campaigns(source: Source, options: ExportOptions) -> Iterator[str]:
    return table("campaigns", source, options)


FORMATS: Final[Mapping[str, Format]] = {
    "ocsf": Format(write=ocsf, tier="watch"),
    "stix": Format(write=stix, tier="review"),
    "misp": Format(write=misp, tier="review"),
    "xarf": Format(write=xarf, tier="review"),
    "graphml": Format(write=graphml, tier="watch"),
    "gexf": Format(write=gexf, tier="watch"),
    "csv": Format(write=_campaigns, tier="watch"),
}
"""All formats. ``csv`` is the table of campaigns; :func:`pieces` takes the others as well."""


def read_source(
    folder: str | Path,
    *,
    tier: Tier = "watch",
    campaigns: Sequence[str] = (),
    reveal: Collection[Reveal] = (),
    state: str | Path | None = None,
) -> Source:
    """The findings in a folder, as far as they are to be shown.

    Args:
        folder: the folder of ``scan --out``, or a state.
        tier: the lowest tier.
        campaigns: ids or beginnings of ids; empty: all of at least this tier.
        reveal: what to show besides figures: ``accounts``, ``texts``.
        state: the state into which the scan wrote, whose later verdicts count; None takes those of the scan.

    Raises:
        InputError: it is neither, or a file in it cannot be read or is malformed.
        StateError: the state is damaged, or of another version.
        UsageError: there is no such campaign, or ``folder`` is a state itself.
    """
    folder = Path(folder)
    if (folder / FINDINGS).is_file():
        source = read_scan_folder(folder)
        if state is not None:
            source = with_verdicts(source, Path(state))
    elif (folder / DATABASE).is_file():
        if state is not None:
            raise UsageError(f"{folder} is a state and has its verdicts already; leave --state out")
        source = read_state_folder(folder)
    else:
        what = "is not a folder" if folder.exists() and not folder.is_dir() else "has none"
        what = what if folder.exists() else "does not exist"
        raise InputError(
            f"no findings: {folder} {what}; give the folder that scan --out named (it has {FINDINGS}), or a state (it "
            f"has {DATABASE})"
        )
    return disclosed(selected(source, tier=tier, campaigns=campaigns), reveal)


def pieces(source: Source, name: str, options: ExportOptions, *, table_name: str | None = None) -> Iterator[str]:
    """An export, piece by piece.

    Args:
        source: as :func:`read_source` gives it.
        name: one of :data:`FORMATS`.
        options: how to export.
        table_name: for ``csv``, one of :data:`TABLES`.

    Raises:
        UsageError: there is no such format or table, or the format needs something that is not given.
    """
    if name not in FORMATS:
        raise UsageError(f"the format must be one of {', '.join(FORMATS)}, got {name!a}")
    if table_name is None:
        return FORMATS[name].write(source, options)
    if name != "csv" or table_name not in TABLES:
        raise UsageError(f"a table is one of {', '.join(TABLES)} of csv, got {table_name!a} of {name}")
    return table(table_name, source, options)


def export_text(
    source: Source, name: str, options: ExportOptions | None = None, *, table_name: str | None = None
) -> str:
    """An export as one text, see :func:`pieces`."""
    return "".join(pieces(source, name, options or ExportOptions(), table_name=table_name))
