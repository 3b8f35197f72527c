"""Erasing an account from a state, and proving that nothing of it is left.

What goes: its prompts, texts that no other account sent, its rows and every mention of its id; names of files that hold
the id are replaced; words of templates that nobody else sent go, and with them excerpts of alerts that still wait.
Vectors, neighbours and clusters are removed, to be made again by the next run.

The erasure is done when it is proven: the database was rewritten, its log is empty, and everything was looked through
again. Otherwise it ends with :class:`~harvestdetect.errors.ErasureError`, which says what remains, and running it again
does the rest. What a disk keeps of overwritten blocks, and backups, are beyond its reach.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from harvestdetect.alerts import forget_account
from harvestdetect.corpus.block import PreparedBlock, rows_of_account
from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.segments import digests
from harvestdetect.corpus.shards import Shard, ShardFolder, opened
from harvestdetect.errors import CacheError, ErasureError, StateError
from harvestdetect.incremental.folder import CLUSTERS
from harvestdetect.judge.attribute import KEEPS
from harvestdetect.state.prepared import unnamed_files
from harvestdetect.state.results import erase_results, erase_work, example_texts
from harvestdetect.state.store import DATABASE, Store, check_utf8
from harvestdetect.state.traces import Traces, mapped
from harvestdetect.state.upkeep import check_database, collect
from harvestdetect.store.tables import NEIGHBORS
from harvestdetect.util.escape import json_text

__all__ = ["Forgotten", "forget"]

PATIENCE: Final = 30.0
"""Seconds to wait for readers of the database to end their transactions."""
_PAUSE: Final = 0.1
_DERIVED: Final = ("vectors", NEIGHBORS, CLUSTERS)
"""Folders whose content the next run makes again from the files of the window."""
_PENDING: Final = "erasing"
"""Name in ``meta``: digests of the accounts whose erasure was begun and not proven yet."""
_STRUCTURE: Final = frozenset(
    {
        *("sha256", "superseded_by", "campaign", "campaign_id", "merged_into", "split_from", "signature", "key"),
        *("channel", "reviewer", "run", "status", "state", "tier", "kind", "what", "why", "verdict", "day"),
    }
)
"""Columns that never hold the id of an account: a value there that equals one means something else."""
_NAMES: Final = frozenset({("files", "name"), ("past_files", "name")})
_GENERATED: Final = frozenset({("campaigns", "finding"), ("runs", "settings"), ("runs", "counts"), ("meta", "value")})
"""JSON of this package. It may hold an ordinary word or number, which is then no mention of an account of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was erased."""

    prompts: int
    files: int
    """Files of the window with prompts of it."""
    campaigns: int
    """Campaigns of which it was a member."""
    known: bool = True
    """False where nothing of the account was there."""
    templates: int = 0
    """Templates whose words nobody else sent, which were erased too."""
    results: int = 0
    """Files of results and work folders that were rewritten or removed."""


def forget(
    store: Store, shards: ShardFolder, account: str, *, outs: Sequence[Path] = (), works: Sequence[Path] = ()
) -> Forgotten:
    """Erases an account: its prompts, its texts that no other account sent, and its id, everywhere in the state.

    The words of a template of a campaign that it was a member of go when no remaining prompt of the window keeps
    :data:`~harvestdetect.judge.attribute.KEEPS` of them in order. Where the template was not in the last window its
    prompts
    are not there to be compared; then the words stay if another account was a member at the time of the template.

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
    """Erases an account from the state; what was there, and what remains, a sentence each."""
    traces = Traces(account)
    pending = _is_pending(store, account)
    found = _count(store, shards, traces)
    if not found.known and not pending:
        return found, []
    with store.transaction() as connection:
        _set_pending(connection, account, begun=True)
    _erase_files(store, shards, traces)
    for folder in _DERIVED:
        shutil.rmtree(store.folder / folder, ignore_errors=True)
    templates = _erase_rows(store, shards, traces)
    remains = _rewritten(store, shards)
    remains += _remaining(store, shards, traces)
    if not remains:
        with store.transaction() as connection:
            _set_pending(connection, account, begun=False)
        _checkpointed(store, time.monotonic())
    return replace(found, known=True, templates=templates), remains


def _sent_by_others(store: Store, shards: ShardFolder, texts: Collection[str]) -> set[str]:
    """Those of some texts that a prompt of the window has, as they are compared."""
    ordered = sorted(texts)
    wanted = digests([normalize(text).encode("utf-8", "replace") for text in ordered])
    there: set[bytes] = set()
    for block in _blocks(store, shards) if ordered else ():
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
    """What the state has of an account, before anything is changed."""
    prompts = files = 0
    known = False
    for name, sha256 in [*_files(store), *unnamed_files(store, shards)]:
        held = shards.open(name, sha256)
        if held is None:
            continue
        try:
            own = sum(int(rows_of_account(block, traces.account).sum()) for block in held)
            known |= any(_mentions(traces, reject.reason) for reject in held.rejects)
        finally:
            held.close()
        prompts += own
        files += own > 0
    campaigns = len(store.rows("SELECT DISTINCT campaign FROM members WHERE account = ?", traces.account))
    known |= bool(prompts or campaigns) or any(True for _ in _rows_said(store.connection, traces))
    return Forgotten(prompts=prompts, files=files, campaigns=campaigns, known=known)


def _files(store: Store) -> list[tuple[str, str]]:
    return [(row["name"], row["sha256"]) for row in store.rows("SELECT name, sha256 FROM files ORDER BY sha256")]


def _mentions(traces: Traces, text: str) -> bool:
    return traces.said(text) or traces.named(text)


def _text_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Table and name of every column of text."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [
        (table, column["name"])
        for (table,) in [tuple(row) for row in tables]
        for column in connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        if column["type"] == "TEXT"
    ]


def _rows_said(connection: sqlite3.Connection, traces: Traces) -> Iterator[tuple[str, str, int, str]]:
    """Table, column, row and value of every mention, but in ``members``."""
    for table, column in _text_columns(connection):
        if column in _STRUCTURE or (table, column) in (("members", "account"), ("meta", "name")):
            continue
        if (table, column) == ("signatures", "words"):  # texts, which are erased by who sent them
            continue
        rows = connection.execute(f'SELECT rowid, "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
        for row, value in (tuple(row) for row in rows.fetchall()):
            if _is_said(traces, table, column, value):
                yield table, column, row, value


def _is_said(traces: Traces, table: str, column: str, value: str) -> bool:
    if (table, column) in _NAMES:
        return traces.named(value)
    if (table, column) in _GENERATED and traces.is_plain:
        return False
    decoded = _json(value) if (table, column) in _GENERATED or column == "body" else value
    return traces.said_in(decoded)


def _json(raw: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw


# ---------------------------------------------------------------- erasing


def _erase_files(store: Store, shards: ShardFolder, traces: Traces) -> None:
    """Rewrites the prepared files without the account, under names without it; removes those that are broken.

    A broken file cannot be looked through. It is of no use to a run, so it goes. Of what was moved aside only whole
    prepared files without the account stay.
    """
    for name, sha256 in [*_files(store), *unnamed_files(store, shards)]:
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
    """Whether a file that was moved aside is a whole prepared file that has nothing of the account."""
    try:
        shard = opened(aside)
    except (ValueError, KeyError, TypeError):
        return False
    try:
        if any(traces.account.encode() in _accounts(block) for block in shard):
            return False
        return not traces.named(shard.stored_name) and not any(_mentions(traces, r.reason) for r in shard.rejects)
    finally:
        shard.close()


def _erase_rows(store: Store, shards: ShardFolder, traces: Traces) -> int:
    """Takes the account out of the database, in one transaction; returns how many templates lost their words."""
    gone = _lost_templates(store, shards, traces.account)
    with store.transaction() as connection:
        connection.execute("DELETE FROM members WHERE account = ?", (traces.account,))
        forget_account(connection, traces.account)
        for table, column, row, value in list(_rows_said(connection, traces)):
            as_json = (table, column) in _GENERATED or column == "body"
            said = _json(value) if as_json else value
            if (table, column) in _NAMES:
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
    return sum(map(len, gone.values()))


def _erase_excerpts(connection: sqlite3.Connection, campaign: str) -> None:
    """Takes excerpts out of waiting alerts of a campaign, but those of templates that are still known."""
    rows = connection.execute("SELECT words FROM signatures WHERE campaign = ?", (campaign,)).fetchall()
    known = [" … ".join(run for run in json.loads(row["words"]) if run) for row in rows]
    waiting = connection.execute(
        "SELECT number, body FROM outbox WHERE campaign_id = ? AND body IS NOT NULL", (campaign,)
    ).fetchall()
    for number, body in (tuple(row) for row in waiting):
        told = json.loads(body)
        excerpt = str(told.get("excerpt") or "")
        if excerpt and not any(text.startswith(excerpt[:-1]) for text in known):
            told.pop("excerpt")
            connection.execute("UPDATE outbox SET body = ? WHERE number = ?", (json_text(told), number))


def _lost_templates(store: Store, shards: ShardFolder, account: str) -> Mapping[str, list[str]]:
    """Campaign -> signatures of the templates that nobody but the account sent; see :func:`forget`."""
    last = store.rows("SELECT max(run) AS run FROM runs WHERE finished IS NOT NULL")[0]["run"]
    rows = store.rows(
        "SELECT s.*, (SELECT count(*) FROM members m WHERE m.campaign = s.campaign AND m.account != ? AND "
        "m.first_run <= s.last_run AND m.last_run >= s.first_run) AS others FROM signatures s "
        "WHERE s.campaign IN (SELECT campaign FROM members WHERE account = ?)",
        account,
        account,
    )
    asked = {
        (row["campaign"], row["signature"]): _fixed_words(json.loads(row["words"]))
        for row in rows
        if row["last_run"] == last or not row["others"]
    }
    gone: dict[str, list[str]] = defaultdict(list)
    for campaign, signature in _unsent(_blocks(store, shards), asked):
        gone[campaign].append(signature)
    return gone


def _fixed_words(words: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(word for run in words if run for word in _words(normalize(run)))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in re.findall(r"\w+", text)]


def _blocks(store: Store, shards: ShardFolder) -> Iterator[PreparedBlock]:
    for name, sha256 in _files(store):
        held = shards.open(name, sha256)
        if held is not None:
            try:
                yield from held
            finally:
                held.close()


def _unsent(
    blocks: Iterator[PreparedBlock], asked: Mapping[tuple[str, str], tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    """The templates, with their fixed words, that no text keeps; one without words is kept by all."""
    left = {key: words for key, words in asked.items() if words}
    for block in blocks:
        if not left:
            return
        data = block.text_bytes.tobytes()
        stop = np.cumsum(block.text_size, dtype=np.int64)
        tried: dict[int, list[str]] = {}
        for key, words in list(left.items()):
            for item in _holding(data, stop, max(words, key=len).encode()):
                part = int(block.owner[item])
                if part not in tried:
                    text = data[int(stop[part]) - int(block.text_size[part]) : int(stop[part])]
                    tried[part] = _words(text.decode("utf-8", "replace"))
                if _kept(words, tried[part]) >= KEEPS:
                    del left[key]
                    break
    yield from left


def _holding(data: bytes, stop: Any, word: bytes) -> Iterator[int]:
    """The texts that hold a word, ascending."""
    place = data.find(word)
    while place >= 0:
        item = int(np.searchsorted(stop, place, side="right"))
        yield item
        place = data.find(word, int(stop[item]))


def _kept(words: Sequence[str], text: Sequence[str]) -> float:
    """Share of some words that a text of any length keeps in order: the longest common subsequence."""
    masks: dict[str, int] = defaultdict(int)
    for place, word in enumerate(words):
        masks[word] |= 1 << place
    state = full = (1 << len(words)) - 1
    for word in text:
        if kept := state & masks.get(word, 0):
            state = ((state + kept) | (state - kept)) & full
    return 1 - state.bit_count() / len(words)


# ---------------------------------------------------------------- proving


def _rewritten(store: Store, shards: ShardFolder) -> list[str]:
    """Rewrites the database; what keeps it from being done, a sentence each."""
    deadline = time.monotonic() + PATIENCE
    try:
        store.connection.execute("PRAGMA busy_timeout = 100")
        remains = _checkpointed(store, deadline)
        if not remains:
            collect(store, shards)
            remains = _checkpointed(store, deadline)
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


def _checkpointed(store: Store, deadline: float) -> list[str]:
    """Moves everything out of the log into the database; what keeps it from being done."""
    log = store.folder / f"{DATABASE}-wal"
    while True:
        with suppress(sqlite3.OperationalError):
            busy = store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy and (not log.exists() or not log.stat().st_size):
                return []
        if time.monotonic() >= deadline:
            return [
                f"another process reads the state, and its transaction keeps old pages in {DATABASE} and {log.name}: "
                "end that process"
            ]
        time.sleep(_PAUSE)


def _remaining(store: Store, shards: ShardFolder, traces: Traces) -> list[str]:
    """Where the account still is, a sentence each; nothing where it is gone."""
    remains = _in_tables(store, traces)
    named = set()
    for name, sha256 in _files(store):
        path = shards.path(name, sha256)
        named.add(path)
        remains += _in_shard(shards, name, sha256, traces) if path.exists() else []
    for folder in _DERIVED:
        if (store.folder / folder).exists():
            remains.append(f"the folder {folder} could not be removed")
    for path in sorted(store.folder.rglob("*")):
        if path in named or path.name.startswith(DATABASE) or not path.is_file():
            continue
        with mapped(path) as data:
            holds = any(True for _ in traces.places(data))
        if holds or path.parent == shards.folder:
            remains.append(f"{path.relative_to(store.folder)}, which is no file of the state, may hold it")
    if not remains:
        remains = _in_database(store, traces)
    return remains


def _in_tables(store: Store, traces: Traces) -> list[str]:
    count: dict[str, int] = defaultdict(int)
    for table, column, _, _ in _rows_said(store.connection, traces):
        count[f"{table}.{column}"] += 1
    members = store.rows("SELECT count(*) AS n FROM members WHERE account = ?", traces.account)[0]["n"]
    if members:
        count["members.account"] = members
    return [f"{n:,} rows of {column} hold it" for column, n in sorted(count.items())]


def _in_shard(shards: ShardFolder, name: str, sha256: str, traces: Traces) -> list[str]:
    held = shards.open(name, sha256)
    if held is None:
        return [f"the prepared file of {name} is broken and cannot be searched"]
    try:
        wanted = traces.account.encode()
        for block in held:
            if wanted in _accounts(block):
                return [f"the prepared file of {name} has prompts of the account"]
            if not np.isin(block.owner, block.held).all():
                return [f"the prepared file of {name} has texts that are in no prompt"]
        if traces.named(held.stored_name) or any(_mentions(traces, r.reason) for r in held.rejects):
            return [f"the prepared file of {name} mentions the account"]
        if _outside(held, shards.path(name, sha256), traces):
            return [f"the prepared file of {name} has the id outside of the texts"]
    finally:
        held.close()
    return []


def _accounts(block: PreparedBlock) -> set[bytes]:
    stop = np.cumsum(block.value_size[: int(block.value_count[0])], dtype=np.int64).tolist()
    return {block.value_bytes[a:b].tobytes() for a, b in zip([0, *stop], stop, strict=False)}


def _outside(held: Shard, path: Path, traces: Traces) -> bool:
    """Whether the id stands anywhere but in texts, which others sent, and in longer words."""
    places = held.text_places()
    starts = [start for start, _ in places]
    with mapped(path) as data:
        for start, stop in traces.places(data):
            at = int(np.searchsorted(starts, start, side="right")) - 1
            if at < 0 or stop > places[at][1]:
                return True
    return False


def _in_database(store: Store, traces: Traces) -> list[str]:
    """Searches the bytes of the database for the id where no remaining value explains it."""
    connection = store.connection
    values = [str(row[0]).encode() for row in connection.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL")]
    for table, column in _text_columns(connection):
        for form in traces.forms:
            rows = connection.execute(
                f'SELECT "{column}" FROM "{table}" WHERE instr("{column}", ?)', (form.decode(),)
            ).fetchall()
            values += [row[0].encode() for row in rows]
    page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    with mapped(store.folder / DATABASE) as data:
        found = traces.unexplained(data, values, page=page)
    return [f"{DATABASE} still has it in {found:,} places"] if found else []
