"""Erases an account from a state, and proves that nothing of it is left.

These are erased: its prompts, texts that no other account sent, its rows and every mention of its id; words of
templates that nobody else sent, and excerpts with them in alerts that still wait. Names of files that contain the id
are replaced. Vectors, neighbours and clusters are removed; the next run makes them again.

The erasure is done when it is proven: the database was rewritten, its log is empty, and everything was looked through
again. Otherwise it ends with :class:`~harvestdetect.errors.ErasureError`, which says what remains, and running it again
does the rest. What a disk keeps of overwritten blocks, and backups, are beyond its reach.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from harvestdetect.alerts import forget_account
from harvestdetect.corpus.block import rows_of_account
from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.segments import digests
from harvestdetect.corpus.shard_file import opened
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.errors import CacheError, ErasureError, StateError
from harvestdetect.state.mentions import (
    GENERATED,
    NAMES,
    accounts_of,
    blocks_of,
    files_of,
    json_value,
    mentions,
    rows_said,
)
from harvestdetect.state.prepared import unnamed_files
from harvestdetect.state.proof import checkpointed, remaining
from harvestdetect.state.results import erase_results, example_texts
from harvestdetect.state.store import DATABASE, Store, check_utf8
from harvestdetect.state.templates import fixed_words, unsent
from harvestdetect.state.traces import Traces
from harvestdetect.state.upkeep import check_database, collect
from harvestdetect.state.work_folder import erase_work
from harvestdetect.store.folder import remove_artifacts
from harvestdetect.store.trust import DamagedFileError
from harvestdetect.util.escape import json_text

__all__ = ["Forgotten", "forget"]

PATIENCE: Final = 30.0
"""Seconds to wait for readers of the database to end their transactions."""
_PENDING: Final = "erasing"
"""Name in ``meta``: digests of the accounts whose erasure was begun and not proven yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was erased."""

    prompts: int
    files: int
    """Files of the window with prompts of it."""
    campaigns: int
    """Campaigns of which it was a member."""
    known: bool = True
    """Whether the state had anything of the account."""
    templates: int = 0
    """Templates whose words nobody else sent, which were erased too."""
    results: int = 0
    """Files of results and work folders that were rewritten or removed."""


def forget(
    store: Store, shards: ShardFolder, account: str, *, outs: Sequence[Path] = (), works: Sequence[Path] = ()
) -> Forgotten:
    """Erases an account: its prompts, its texts that no other account sent, and its id, everywhere in the state.

    The words of a template of a campaign that it was a member of go when no remaining prompt of the window keeps
    0.9 of them in order. If the template was not in the last window, its
    prompts are not there to be compared; then the words stay if another account was a member at that time.

    Args:
        store: with its lock.
        shards: of the state.
        account: its id.
        outs: folders with results of scans, see :mod:`harvestdetect.state.results`.
        works: work folders.

    Raises:
        UsageError: the account is not UTF-8, or a folder is not one of results or a work folder.
        ErasureError: something remains, or a reader of the database keeps its old pages.
        DamagedStateError: the database is damaged; nothing was changed.
        CacheError, StateError: something cannot be read or written; what was done until then stays done, and doing it
            again does the rest.
    """
    check_utf8(account=account)
    check_database(store)
    examples = {text for out in outs for text in example_texts(out)}
    found, remains = _forget_here(store, shards, account)
    sent = _sent_by_others(store, shards, examples)
    erased = [erase_results(out, account, sent=sent) for out in outs] + [erase_work(work, account) for work in works]
    remains += [said for _, left in erased for said in left]
    if remains:
        raise ErasureError(f"the account is not erased completely: {'; '.join(remains)}; run it again for the rest")
    results = sum(count for count, _ in erased)
    return replace(found, results=results, known=found.known or results > 0)


def _forget_here(store: Store, shards: ShardFolder, account: str) -> tuple[Forgotten, list[str]]:
    """Erases an account from the state; returns what was there, and what remains, a sentence each."""
    traces = Traces(account)
    pending = _is_pending(store, account)
    found = _count(store, shards, traces)
    if not found.known and not pending:
        return found, []
    with store.transaction() as connection:
        _set_pending(connection, account, begun=True)
    _erase_files(store, shards, traces)
    remove_artifacts(store.folder)
    templates = _erase_rows(store, shards, traces)
    remains = _rewritten(store, shards)
    remains += remaining(store, shards, traces)
    if not remains:
        with store.transaction() as connection:
            _set_pending(connection, account, begun=False)
        checkpointed(store, time.monotonic())
    return replace(found, known=True, templates=templates), remains


def _sent_by_others(store: Store, shards: ShardFolder, texts: Collection[str]) -> set[str]:
    """The texts, as they are compared, that a prompt of the window has."""
    ordered = sorted(texts)
    wanted = digests([normalize(text).encode("utf-8", "replace") for text in ordered])
    there: set[bytes] = set()
    for block in blocks_of(store, shards) if ordered else ():
        there |= {row.tobytes() for row in block.digest[np.isin(block.digest[:, 0], wanted[:, 0])]}
    return {text for row, text in zip(wanted, ordered, strict=True) if row.tobytes() in there}


# ---------------------------------------------------------------- what there is


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()


def _is_pending(store: Store, account: str) -> bool:
    return _digest(account) in json.loads(store.meta(_PENDING) or "[]")


def _set_pending(connection: sqlite3.Connection, account: str, *, begun: bool) -> None:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (_PENDING,)).fetchone()
    digests = {*(json.loads(row[0]) if row else ())} - {_digest(account)}
    digests |= {_digest(account)} if begun else set()
    connection.execute("DELETE FROM meta WHERE name = ?", (_PENDING,))
    if digests:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (_PENDING, json.dumps(sorted(digests))))


def _count(store: Store, shards: ShardFolder, traces: Traces) -> Forgotten:
    """Counts what the state has of an account, before anything is changed."""
    prompts = files = 0
    known = False
    for name, sha256 in [*files_of(store), *unnamed_files(store, shards)]:
        shard = shards.open(name, sha256)
        if shard is None:
            continue
        try:
            own = sum(int(rows_of_account(block, traces.account).sum()) for block in shard)
            known |= any(mentions(traces, reject.reason) for reject in shard.rejects)
        finally:
            shard.close()
        prompts += own
        files += own > 0
    campaigns = len(store.rows("SELECT DISTINCT campaign FROM members WHERE account = ?", traces.account))
    cleared = store.rows("SELECT number FROM clearings WHERE account = ?", traces.account)
    known |= bool(prompts or campaigns or cleared) or any(True for _ in rows_said(store.connection, traces))
    return Forgotten(prompts=prompts, files=files, campaigns=campaigns, known=known)


# ---------------------------------------------------------------- erasing


def _erase_files(store: Store, shards: ShardFolder, traces: Traces) -> None:
    """Rewrites the prepared files without the account, under names without it; removes those that are broken.

    A broken file cannot be looked through. It is of no use to a run, so it goes. Of what was moved aside only whole
    prepared files without the account stay.
    """
    for name, sha256 in [*files_of(store), *unnamed_files(store, shards)]:
        path, renamed = shards.path(name, sha256), traces.unnamed(name)
        broken = False
        try:
            shards.without(
                name, sha256, traces.account, renamed=renamed,
                unsaid=lambda reason: traces.unnamed(traces.unsaid(reason)),
            )  # fmt: skip
        except CacheError:
            if shards.open(name, sha256) is not None:
                raise
            broken = True
        if broken or renamed != name:
            with store.transaction() as connection:
                connection.execute("UPDATE files SET name = ? WHERE sha256 = ?", (renamed, sha256))
                if broken:
                    connection.execute("UPDATE files SET state = 'lost' WHERE sha256 = ?", (sha256,))
        if broken or shards.path(renamed, sha256) != path:
            path.unlink(missing_ok=True)
    for path in sorted(shards.aside.rglob("*")):
        if path.is_file() and not _is_without(path, traces):
            path.unlink(missing_ok=True)


def _is_without(aside: Path, traces: Traces) -> bool:
    """Whether a file that was moved aside is a whole prepared file without the account."""
    try:
        shard = opened(aside)
    except DamagedFileError:
        return False
    try:
        if any(traces.account.encode() in accounts_of(block) for block in shard):
            return False
        return not traces.named(shard.stored_name) and not any(mentions(traces, r.reason) for r in shard.rejects)
    finally:
        shard.close()


def _erase_rows(store: Store, shards: ShardFolder, traces: Traces) -> int:
    """Removes the account from the database, in one transaction. Returns how many templates lost their words."""
    gone = _lost_templates(store, shards, traces.account)
    with store.transaction() as connection:
        connection.execute("DELETE FROM members WHERE account = ?", (traces.account,))
        connection.execute("DELETE FROM clearings WHERE account = ?", (traces.account,))
        forget_account(connection, traces.account)
        for table, column, row, value in list(rows_said(connection, traces)):
            as_json = (table, column) in GENERATED or column == "body"
            said = json_value(value) if as_json else value
            if (table, column) in NAMES:
                left: Any = traces.unnamed(value)
            else:
                left = traces.unsaid_in(said)
            text = left if isinstance(left, str) else json.dumps(left)
            connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (text, row))
        for campaign, signatures in gone.items():
            connection.executemany(
                "DELETE FROM signatures WHERE campaign = ? AND signature = ?", [(campaign, s) for s in signatures]
            )
            _erase_excerpts(connection, campaign)
            _erase_title(connection, campaign)
    return sum(map(len, gone.values()))


def _erase_excerpts(connection: sqlite3.Connection, campaign: str) -> None:
    """Removes titles and excerpts from waiting alerts of a campaign, except excerpts of templates still known."""
    rows = connection.execute("SELECT words FROM signatures WHERE campaign = ?", (campaign,)).fetchall()
    known = [" … ".join(run for run in json.loads(row["words"]) if run) for row in rows]
    waiting = connection.execute(
        "SELECT number, body FROM outbox WHERE campaign_id = ? AND body IS NOT NULL", (campaign,)
    ).fetchall()
    for number, body in (tuple(row) for row in waiting):
        alert = json.loads(body)
        excerpt = str(alert.get("excerpt") or "")
        gone = {"title"} & alert.keys()
        if excerpt and not any(text.startswith(excerpt[:-1]) for text in known):
            gone |= {"excerpt"}
        if gone:
            alert = {name: value for name, value in alert.items() if name not in gone}
            connection.execute("UPDATE outbox SET body = ? WHERE number = ?", (json_text(alert), number))


def _erase_title(connection: sqlite3.Connection, campaign: str) -> None:
    """Removes the title of a campaign that lost a template: it may have words of it."""
    for (finding,) in connection.execute("SELECT finding FROM campaigns WHERE campaign = ?", (campaign,)).fetchall():
        told = json.loads(finding) | {"title": ""}
        connection.execute("UPDATE campaigns SET finding = ? WHERE campaign = ?", (json.dumps(told), campaign))


def _lost_templates(store: Store, shards: ShardFolder, account: str) -> Mapping[str, list[str]]:
    """Campaign -> signatures of the templates that only the account sent; see :func:`forget`."""
    last = store.rows("SELECT max(run) AS run FROM runs WHERE finished IS NOT NULL")[0]["run"]
    rows = store.rows(
        "SELECT s.*, (SELECT count(*) FROM members m WHERE m.campaign = s.campaign AND m.account != ? AND "
        "m.first_run <= s.last_run AND m.last_run >= s.first_run) AS others FROM signatures s "
        "WHERE s.campaign IN (SELECT campaign FROM members WHERE account = ?)",
        account,
        account,
    )
    asked = {
        (row["campaign"], row["signature"]): fixed_words(json.loads(row["words"]))
        for row in rows
        if row["last_run"] == last or not row["others"]
    }
    gone: dict[str, list[str]] = defaultdict(list)
    for campaign, signature in unsent(blocks_of(store, shards), asked):
        gone[campaign].append(signature)
    return gone


# ---------------------------------------------------------------- proving


def _rewritten(store: Store, shards: ShardFolder) -> list[str]:
    """Rewrites the database; returns what prevents it, a sentence each."""
    deadline = time.monotonic() + PATIENCE
    try:
        store.connection.execute("PRAGMA busy_timeout = 100")
        remains = checkpointed(store, deadline)
        if not remains:
            collect(store, shards)
            remains = checkpointed(store, deadline)
        if not remains:
            if store.connection.execute("PRAGMA secure_delete").fetchone()[0] != 1:
                remains.append("SQLite does not overwrite what is deleted")
            if store.connection.execute("PRAGMA freelist_count").fetchone()[0]:
                remains.append(f"{DATABASE} has pages that are not in use")
        return remains
    except sqlite3.Error as error:
        raise StateError(f"the database in {store.folder} cannot be rewritten: {error}") from None
    finally:
        with suppress(sqlite3.Error):
            store.connection.execute("PRAGMA busy_timeout = 30000")
