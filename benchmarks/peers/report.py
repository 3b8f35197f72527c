"""The results of the peers as a table."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from benchmarks.laying import Laid
from benchmarks.pages import ran_on
from benchmarks.peers.bench import Outcome
from benchmarks.peers.methods import PEERS, Peer
from benchmarks.results import OURS
from benchmarks.scale import number
from benchmarks.scale import table as markdown_table

__all__ = ["amount", "remarks", "table", "versions_of"]

NAMED_VERSIONS: Final = (
    *("harvestdetect", "numpy", "scipy", "scikit-learn", "torch", "sentence-transformers", "hdbscan"),
    *("numba", "pynndescent"),
)
"""Packages whose versions are named besides those of the peers."""


def table(outcomes: Sequence[Outcome], laid: Laid, *, command: str, versions: Mapping[str, str]) -> str:
    """The results in Markdown.

    Args:
        outcomes: in the order of the rows.
        laid: what the dump contains.
        command: the command that was run.
        versions: of the packages.
    """
    ours = next((o for o in outcomes if o.peer == OURS and o.state == "done"), None)
    head = (
        *("detector", "seconds", "× ours", "processor seconds", "peak MB", "× ours", "campaign recall"),
        *("account recall", "account precision", "findings", "alarms", "remarks"),
    )
    body = []
    for o in outcomes:
        over = "> " if o.state == "too long" else ""
        scores = o.scores
        body.append(
            [
                f"{o.peer}: {PEERS[o.peer].what}",
                over + amount(o.seconds),
                over + _times(o.seconds, ours.seconds if ours else None),
                amount(o.processor_seconds),
                amount(o.peak_memory_mb),
                _times(o.peak_memory_mb, ours.peak_memory_mb if ours else None),
                number(scores.campaign_recall if scores else None),
                number(scores.account_recall if scores else None),
                number(scores.account_precision if scores else None),
                "-" if o.findings is None else f"{o.findings:,}",
                f"{scores.alarms:,}" if scores else "-",
                remarks(o),
            ]
        )
    return (
        f"`{command}` on {ran_on(versions)}: {laid.rows:,} rows of {laid.accounts:,} accounts, "
        f"{laid.characters:.0f} characters on average, {laid.campaigns} campaigns with {laid.harvest:,} rows.\n\n"
        f"{markdown_table(head, body)}"
    )


def amount(value: float | None) -> str:
    """A number, with a decimal where it is small."""
    return "-" if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _times(value: float | None, ours: float | None) -> str:
    return f"{value / ours:,.1f}" if value and ours else "-"


def remarks(outcome: Outcome) -> str:
    """What must be said about an outcome besides its figures."""
    found = []
    if outcome.state != "done":
        found.append(f"{outcome.state}: {outcome.remark}" if outcome.state == "not installed" else outcome.remark)
    elif outcome.embedding_seconds is not None:
        kept = " from an earlier run" if outcome.embeddings_kept else ""
        found.append(f"includes {amount(outcome.embedding_seconds)} s of embedding{kept}")
    if outcome.first_seconds is not None:
        found.append(f"compiled beforehand in {amount(outcome.first_seconds)} s, not included")
    return "; ".join(found)


def versions_of(peers: Sequence[Peer]) -> dict[str, str]:
    """The installed versions of the named packages and of those of some peers."""
    names = dict.fromkeys((*NAMED_VERSIONS, *(package.name for peer in peers for package in peer.packages)))
    found = {"python": platform.python_version()}
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
