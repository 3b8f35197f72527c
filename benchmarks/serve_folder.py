"""The folders of a large scan for the benchmark of the page: results, a state, and a search index.

A scan of a small simulated dump gives real findings, with their ledgers, templates and candidates. They are repeated
under other ids, with accounts and prompts of a made-up window of any size, and written as a scan writes its files. So
the folders have the formats, sizes and numbers of a scan of that window, without a scan of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.search import PER_ACCOUNT, made_corpus, made_vectors
from harvestdetect import Settings, detect, write_outputs
from harvestdetect.data import MAP_COLUMNS, PROMPT_COLUMNS, Candidate, Corpus, Detection, Finding, Member, SourceFile
from harvestdetect.judge.candidate_file import seen_accounts
from harvestdetect.search import index_of
from harvestdetect.search.build import write_index
from harvestdetect.simulate import simulate
from harvestdetect.state import open_state
from harvestdetect.store.models import publish_folder
from harvestdetect.util.arrays import Ints
from harvestdetect.util.periods import DAY

__all__ = ["Folders", "lay"]

BASE_PROMPTS: Final = 6_000
"""Prompts of the small dump whose findings are repeated."""
MEMBERS: Final = 40
"""Accounts of a finding."""
EACH: Final = 10
"""Prompts of a member that belong to the finding, of its 20."""
OTHERS: Final = 2
"""Candidates that became no finding, for each finding."""
RUNS: Final = 30
"""Runs of the state."""
FILE: Final = "prompts.jsonl.gz"
"""Name of the dump that was never written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """What the server is started with, and what a client asks for."""

    out: Path
    state: Path
    campaigns: tuple[str, ...]
    accounts: tuple[str, ...]
    """Some members of findings."""
    texts: tuple[str, ...]
    """Some texts of the window."""
    addresses: tuple[str, ...]
    """Some addresses of the window."""


def lay(folder: Path, *, rows: int, findings: int, seed: int = 0) -> Folders:
    """Writes the folders.

    Args:
        folder: an empty folder.
        rows: prompts of the window; at least 800 for each finding.
        findings: of the last scan.
        seed: of all random numbers.

    Raises:
        ValueError: the window is too small for the findings.
    """
    if rows < findings * MEMBERS * PER_ACCOUNT:
        raise ValueError(f"{findings} findings need {findings * MEMBERS * PER_ACCOUNT:,} prompts, got {rows:,}")
    base = _base(folder / "base", seed)
    corpus = made_corpus(rows, seed)
    detection = _grown(base, corpus, findings=findings, work=folder / "work", seed=seed)
    write_outputs(detection, folder / "out")
    _write_state(detection, folder / "state")
    (folder / "work").mkdir()
    vectors = made_vectors(rows, seed)
    publish_folder(
        index_of(folder / "out"), lambda target: write_index(target, corpus, vectors, files=[FILE], preambles=[])
    )
    some = np.random.default_rng(seed).integers(0, rows, 50).tolist()
    return Folders(
        out=folder / "out", state=folder / "state",
        campaigns=tuple(finding.campaign_id for finding in detection.findings),
        accounts=tuple(finding.members[i % MEMBERS].account for i, finding in enumerate(detection.findings)),
        texts=tuple(corpus.display[i] for i in some),
        addresses=tuple(corpus.prompts.fields["ip"].values[i % 50].as_py() for i in some),
    )  # fmt: skip


def _base(folder: Path, seed: int) -> Detection:
    """The scan of a small simulated dump."""
    made = simulate(folder, prompts=BASE_PROMPTS, seed=seed)
    found = detect([str(file) for file in made.files], settings=Settings(encoder="fast"))
    if not found.findings:
        raise ValueError("the small dump has no finding; choose another seed")
    return found


def _grown(base: Detection, corpus: Corpus, *, findings: int, work: Path, seed: int) -> Detection:
    """The detection of the large window."""
    prompts = corpus.prompts
    accounts = prompts.accounts.to_pylist()
    grown = [_finding(one, i, accounts, prompts.time) for i, one in enumerate(islice(cycle(base.findings), findings))]
    table = _prompts(grown, prompts.time)
    volume = np.bincount(prompts.account, minlength=len(accounts)).astype(np.int32)
    counts = {**base.counts, "prompts": len(prompts.account), "accounts": len(accounts), "segments": len(corpus.text)}
    counts |= {"first_seen": int(prompts.time.min()), "last_seen": int(prompts.time.max())}
    file = SourceFile(
        name=FILE, format="jsonl+gzip", bytes=200 * len(prompts.account), sha256="0" * 64, rows=len(prompts.account),
        rejects=0,
    )  # fmt: skip
    return replace(
        base, findings=tuple(grown), counts=counts, files=(file,), settings={**base.settings, "work": str(work)},
        candidates=tuple(_candidates(base.candidates, grown)), seen=seen_accounts(prompts.accounts, volume),
        prompts=table, map=_map(base, [one.campaign_id for one in grown], seed),
    )  # fmt: skip


def _finding(base: Finding, number: int, accounts: Sequence[str], times: Ints) -> Finding:
    """A finding with the accounts of its place; its texts and evidence are those of another one."""
    names = accounts[number * MEMBERS : (number + 1) * MEMBERS]
    rows = _rows(number)
    own = times[rows]
    days, sent = np.unique(own // DAY * DAY, return_counts=True)
    members = [_member(one, name) for one, name in zip(cycle(base.members), names, strict=False)]
    return replace(
        base, campaign_id=f"c-{number:010x}", accounts=len(names), prompts=len(rows),
        tier=("urgent", "review", "watch")[number % 3], first_seen=int(own.min()), last_seen=int(own.max()),
        days=tuple(
            (str(np.datetime64(day, "s"))[:10], count) for day, count in zip(days.tolist(), sent.tolist(), strict=True)
        ),
        members=tuple(sorted(members, key=lambda one: (-one.membership, one.account))),
    )  # fmt: skip


def _member(base: Member, account: str) -> Member:
    return replace(base, account=account, prompts=PER_ACCOUNT, harvest_prompts=EACH, harvest_share=EACH / PER_ACCOUNT)


def _rows(number: int) -> Ints:
    """The prompts of a finding, by their places in the window."""
    first = (number * MEMBERS + np.arange(MEMBERS)) * PER_ACCOUNT
    return (first[:, None] + np.arange(EACH)).reshape(-1)


def _prompts(findings: Sequence[Finding], times: Ints) -> pa.Table:
    """The table of the prompts of all findings."""
    rows = np.concatenate([_rows(number) for number in range(len(findings))])
    names = [f"account-{row // PER_ACCOUNT:08}" for row in rows.tolist()]
    each = MEMBERS * EACH
    templates = [
        one.template_id for finding in findings for one in islice(cycle(finding.templates), each)
    ]  # fmt: skip
    columns = {
        "file": [FILE] * len(rows), "line": rows + 1, "account": names,
        "campaign_id": [finding.campaign_id for finding in findings for _ in range(each)],
        "template_id": templates, "membership": np.ones(len(rows)),
        "timestamp": pa.array(times[rows] * 1_000, pa.timestamp("ms", "UTC")),
    }  # fmt: skip
    return pa.table(columns, schema=PROMPT_COLUMNS)


def _candidates(base: Sequence[Candidate], findings: Sequence[Finding]) -> list[Candidate]:
    """The candidates behind the findings, and others."""
    known = [one for one in base if one.tier is not None] or list(base)
    rest = [one for one in base if one.tier is None] or known
    found = [
        replace(one, campaign_id=finding.campaign_id, tier=finding.tier, accounts=finding.accounts)
        for one, finding in zip(cycle(known), findings, strict=False)
    ]
    others = islice(cycle(rest), OTHERS * len(findings))
    return found + [replace(one, campaign_id=f"c-9{i:09x}", tier=None) for i, one in enumerate(others)]


def _map(base: Detection, campaigns: Sequence[str], seed: int) -> pa.Table:
    """The map: as many points as a scan draws, half of them of findings."""
    rng = np.random.default_rng(seed)
    points = 4_000
    named = [campaigns[i] if i >= 0 else None for i in rng.integers(-len(campaigns), len(campaigns), points).tolist()]
    place = rng.normal(0, 0.3, (points, 2)).clip(-1, 1).astype(np.float32)
    rows: Mapping[str, Any] = {
        "x": place[:, 0], "y": place[:, 1], "campaign_id": named, "account": ["account-00000000"] * points,
        "file": [FILE] * points, "line": np.arange(1, points + 1),
    }  # fmt: skip
    return pa.table(rows, schema=MAP_COLUMNS)


def _write_state(detection: Detection, folder: Path) -> None:
    """A state that has known the findings for as many runs."""
    start = int(detection.counts["last_seen"]) - RUNS * DAY
    with open_state(folder, write=True) as opened, opened._store.transaction() as connection:
        for run in range(1, RUNS + 1):
            at = start + run * DAY
            connection.execute(
                "INSERT INTO runs (run, started, finished, window_start, window_end, counts, settings, window_complete)"
                " VALUES (?, ?, ?, ?, ?, ?, '{}', 1)",
                (run, at, at, start, at, json.dumps({"prompts": detection.counts["prompts"]})),
            )
        for finding in detection.findings:
            _write_campaign(connection, finding, start + DAY)


def _write_campaign(connection: Any, f: Finding, detected: int) -> None:
    details: dict[str, Any] = {"first_seen": f.first_seen, "last_seen": f.last_seen, "active": f.last_seen}
    details |= {"prompts": f.prompts, "summary": f.summary, "mark": f.accounts}
    connection.execute(
        "INSERT INTO campaigns VALUES (?, 1, ?, ?, 'growing', ?, NULL, NULL, ?)",
        (f.campaign_id, detected, f.tier, RUNS, json.dumps(details)),
    )
    connection.executemany(
        "INSERT INTO members VALUES (?, ?, 1, ?, ?, 0)",
        [(f.campaign_id, one.account, RUNS, one.membership) for one in f.members],
    )
    connection.executemany(
        "INSERT INTO signatures VALUES (?, ?, ?, 1, ?)",
        [(f.campaign_id, one.template_id, json.dumps(one.words), RUNS) for one in f.templates],
    )
    connection.executemany("INSERT INTO campaign_days VALUES (?, ?, ?)", [(f.campaign_id, *day) for day in f.days])
    connection.executemany(
        "INSERT INTO campaign_runs VALUES (?, ?, 'growing', ?, ?, 0.001, ?, 0, ?, ?)",
        [
            (f.campaign_id, run, f.tier, f.score, f.accounts, f.prompts * run // RUNS, f.last_seen)
            for run in range(1, RUNS + 1)
        ],
    )
