"""Help of the commands with many options, with the options in groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

__all__ = ["GROUPS", "GroupedCommand"]

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Results": ("out", "brief", "output", "fail_on", "metrics", "group", "no_map"),
    "Reading dumps": (
        *("mapping", "profile", "format_", "table", "query", "since_column", "pseudonyms", "rows"),
        "max_rejects",
    ),
    "Scans into a state": ("state", "window", "trust_clock", "baseline"),
    "Signatures of other providers": ("signatures", "trust", "signature_secret"),
    "Comparing texts": (
        *("encoder", "model", "allow_download", "registry", "no_registry", "no_preambles"),
        *("min_accounts", "selection", "calibration", "fdr", "seed"),
    ),
    "Resources": (
        *("threads", "workers", "engine", "ray_address", "memory_gb", "estimate", "work", "cache", "no_cache"),
        "device",
    ),
}
"""Heading of a group -> the parameters of its options. All others are in the last group, ``Options``."""


class GroupedCommand(click.Command):
    """A command whose help lists the options in :data:`GROUPS`, in the order of the groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options, group by group."""
        records = {param.name: record for param in self.get_params(ctx) if (record := param.get_help_record(ctx))}
        for heading, names in GROUPS.items():
            rows = [records.pop(name) for name in names if name in records]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        with formatter.section("Options"):
            formatter.write_dl(list(records.values()))
