"""The results of a scan, read once and kept until the folder changes."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from harvestdetect.data import Detection, Finding, Template
from harvestdetect.errors import InputError
from harvestdetect.explain.files import ScanFiles, read_scan
from harvestdetect.report import OUTPUT_NAMES, detection_of_folder
from harvestdetect.report.finding import RunFacts, run_facts

__all__ = ["Keys", "Results", "Stamp", "hidden", "read_results", "stamp_of"]

Stamp = tuple[tuple[int, int], ...]
"""What tells one set of results from another: time of change in nanoseconds and size of each file."""
_PLAIN: Final = re.compile(r"c-[0-9a-z]{1,40}")
"""Campaign ids that may stand in an address as they are."""
_ATTEMPTS: Final = 20
"""Attempts to read files that a scan replaces meanwhile."""
_PAUSE: Final = 0.1
"""Seconds between two attempts."""


class Keys:
    """Names of campaigns and accounts for addresses, which never have a text of a dump.

    Args:
        secret: random bytes; without them nobody can guess the name of an account.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def campaign(self, campaign: str) -> str:
        """The name of a campaign: its id, unless a file has an id that this program would not give."""
        return campaign if _PLAIN.fullmatch(campaign) else f"x-{self._digest('campaign', campaign)}"

    def account(self, account: str) -> str:
        """The name of an account."""
        return self._digest("account", account)

    def _digest(self, kind: str, value: str) -> str:
        text = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:20]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of one scan."""

    stamp: Stamp
    detection: Detection
    findings: Mapping[str, Finding]
    """By campaign id, strongest first."""
    scan: ScanFiles
    """The same, as :mod:`harvestdetect.explain` reads it."""
    campaigns_of: Mapping[str, tuple[str, ...]]
    """Account -> campaigns that it is a member of."""
    facts: RunFacts
    """What the section of each finding says about the scan."""
    sent: Mapping[str, pa.Table]
    """Campaign -> its prompts, those sent first first; without campaigns of which none are known."""

    def prompts_of(self, campaign: str) -> pa.Table | None:
        """The prompts of a campaign, those sent first first; None if the scan kept none."""
        every = self.detection.prompts
        return None if every is None else self.sent.get(campaign, every.slice(0, 0))

    def facts_of(self, finding: Finding) -> RunFacts:
        """What the section of a finding says about the scan, with what its accounts sent on each day."""
        own = self.prompts_of(finding.campaign_id)
        alone = run_facts(replace(self.detection, findings=(finding,), prompts=own), shown=1)
        return replace(self.facts, activity=alone.activity)


def stamp_of(out: Path) -> Stamp:
    """The stamp of the results in a folder. A file that is not there has zeros."""
    found = []
    for name in OUTPUT_NAMES:
        try:
            about = (out / name).stat()
            found.append((about.st_mtime_ns, about.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)


def read_results(out: Path) -> Results:
    """The results in a folder, all of one scan.

    Raises:
        InputError: a file is missing or malformed, or a scan replaces the files again and again.
    """
    error: InputError | None = None
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE)
        stamp = stamp_of(out)
        try:
            found = _read(out, stamp)
        except InputError as failed:
            error = failed
        else:
            error = None
        if stamp_of(out) == stamp:
            if error is not None:
                raise error
            return found
    raise error or InputError(f"the files in {out} change while they are read; try again when the scan is done")


def _read(out: Path, stamp: Stamp) -> Results:
    scan = read_scan(out)
    detection = detection_of_folder(out)
    campaigns_of: dict[str, list[str]] = defaultdict(list)
    for finding in detection.findings:
        for member in finding.members:
            campaigns_of[member.account].append(finding.campaign_id)
    return Results(
        stamp=stamp,
        detection=detection,
        findings={finding.campaign_id: finding for finding in detection.findings},
        scan=scan,
        campaigns_of={account: tuple(found) for account, found in campaigns_of.items()},
        facts=run_facts(detection),
        sent=_by_campaign(detection.prompts),
    )


def _by_campaign(prompts: pa.Table | None) -> dict[str, pa.Table]:
    """The prompts of each campaign, those sent first first, as parts of one sorted table."""
    if prompts is None or not prompts.num_rows:
        return {}
    import pyarrow.compute as pc

    order = [name for name in ("campaign_id", "timestamp", "file", "line") if name in prompts.column_names]
    table = prompts.sort_by([(name, "ascending") for name in order]).combine_chunks()
    runs = pc.run_end_encode(table["campaign_id"].combine_chunks())
    ends = runs.run_ends.to_pylist()
    starts = [0, *ends[:-1]]
    names = runs.values.to_pylist()
    return {name: table.slice(start, end - start) for name, start, end in zip(names, starts, ends, strict=True)}


def hidden(finding: Finding) -> Finding:
    """The finding without whole texts and without values of slots; the fixed words of its templates stay."""
    return replace(finding, templates=tuple(_hidden(one) for one in finding.templates))


def _hidden(template: Template) -> Template:
    empty: Sequence[Any] = ()
    return replace(template, slots=tuple(empty), medoid="", exemplars=tuple(empty), least_similar="")
