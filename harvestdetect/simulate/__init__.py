"""Simulates a labelled dump to try a scan on: background, planted campaigns and look-alikes, and the truth.

No data of real people is in it. Accounts, networks and times are drawn at random; the texts come from grammars of this
package or from files of the caller. Account ids are opaque: only ``truth.jsonl`` says which account is in which group.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import IO, Any, Final

import msgspec
import numpy as np

from harvestdetect.errors import InputError, OutputError, SettingsError
from harvestdetect.settings import number_text
from harvestdetect.simulate.groups import make_plan
from harvestdetect.simulate.plan import Plan
from harvestdetect.util.files import replacing
from harvestdetect.util.periods import DAY

__all__ = ["Simulation", "simulate", "write_plan"]

_DUMP: Final = "dump"
"""Folder of the dump; the truth lies beside it, so that a scan of the folder never reads it."""

_ROWS_AT_ONCE: Final = 20_000
"""Rows that are in memory at once."""

_MAX_TEXTS: Final = 2_000_000
"""Most texts that are read from files of the caller."""

_MAX_FILES: Final = 8
"""Most files of a dump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A labelled dump that was written."""

    files: tuple[Path, ...]
    """The dump, in the order of time: ``dump/prompts-000.jsonl.gz`` and on."""
    truth: Path
    """``truth.jsonl`` beside the folder ``dump``: one group per line, ``{"name", "kind", "what", "accounts"}``."""
    counts: Mapping[str, int]
    """``prompts`` and their parts ``harvest_prompts``, ``cover_prompts``, ``look_alike_prompts``,
    ``background_prompts``; ``accounts``, ``campaign_accounts``, ``campaigns``, ``look_alikes``."""


def simulate(
    out: str | Path,
    *,
    prompts: int = 20_000,
    harvest_share: float = 0.1,
    days: int = 30,
    seed: int = 0,
    campaigns: int | None = None,
    texts: Sequence[str | Path] = (),
    metadata: bool = True,
    start: str | date = "2026-06-01",
) -> Simulation:
    """Writes a labelled dump: ``dump/prompts-*.jsonl.gz``, rows in the order of time, and ``truth.jsonl``.

    Many parameters because there is one for each option of the command ``harvestdetect simulate``.

    A scan of the folder ``dump`` never reads the truth. The same arguments give the same bytes with the same
    versions of Python, numpy and zlib. Files of an earlier run in the folder are replaced.

    Args:
        out: the folder; made when it does not exist.
        prompts: rows of the dump, at least 100.
        harvest_share: the share of them that campaigns send to harvest, 0 to 0.9.
        days: length of the window, 2 to 3,650.
        seed: of every draw, 0 to 2**32 - 1.
        campaigns: how many to plant, at least 40 harvest prompts each; None means 8 at the default size, growing
            with the square root of the harvest prompts, up to 40.
        texts: files whose texts the background writes instead of the grammar's: JSON Lines with a ``text``
            key (``.jsonl``, ``.ndjson``), or one text per line; each also ``.gz``. Consecutive texts go to
            one account; they start over when they run out.
        metadata: write org, ip, asn, user_agent, api_key, created_at, model and session too. A missing
            api_key is null.
        start: first day, UTC.

    Raises:
        SettingsError: an argument is out of its range.
        InputError: a file of texts cannot be read or has none.
        OutputError: the folder cannot be written.
    """
    first = _checked(prompts=prompts, harvest_share=harvest_share, days=days, seed=seed, start=start)
    if campaigns is not None and campaigns < 0:
        raise SettingsError(f"campaigns must be at least 0, got {campaigns}")
    own = _read_texts([Path(p) for p in texts])
    try:
        plan = make_plan(
            prompts=prompts,
            harvest_share=harvest_share,
            campaigns=campaigns,
            seed=seed,
            start=first,
            end=first + days * DAY,
            texts=own,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return write_plan(out, plan, seed=seed, metadata=metadata)


def write_plan(
    out: str | Path, plan: Plan, *, seed: int, metadata: bool = True, files: int | None = None
) -> Simulation:
    """Writes a planned dump, see :func:`simulate`.

    Args:
        out: the folder; made when it does not exist.
        plan: what to write, from :func:`harvestdetect.simulate.groups.make_plan`.
        seed: of every draw in writing.
        metadata: write more than account, timestamp and prompt.
        files: the number of files, at most 8; None means by the rows.

    Raises:
        OutputError: the folder cannot be written.
    """
    folder = Path(out)
    dump = folder / _DUMP
    prompts = sum(len(events) for _, events in plan.streams)
    count = files or int(np.clip(prompts // 5_000, 1, _MAX_FILES))
    bounds = [prompts * i // count for i in range(count + 1)]
    rows = _rows(plan, Random(seed + 1), seed=seed, metadata=metadata)
    try:
        dump.mkdir(parents=True, exist_ok=True)
        written = []
        for number in range(count):
            file = dump / f"prompts-{number:03d}.jsonl.gz"
            with replacing(file, mode=0o666) as raw, _gzipped(raw) as stream:
                for _ in range(bounds[number + 1] - bounds[number]):
                    stream.write(next(rows))
            written.append(file)
        for number in range(count, _MAX_FILES):
            (dump / f"prompts-{number:03d}.jsonl.gz").unlink(missing_ok=True)
        truth = folder / "truth.jsonl"
        identity = [account.identity for account in plan.network.accounts]
        with replacing(truth, mode=0o666) as raw:
            for group in plan.groups:
                members = sorted(identity[a] for a in group.accounts)
                line = {"name": group.name, "kind": group.kind, "what": group.what, "accounts": members}
                raw.write(msgspec.json.encode(line) + b"\n")
    except OSError as error:
        raise OutputError(f"cannot write the simulated dump to {folder}: {error.strerror or error}") from None
    planted = {a for group in plan.groups if group.kind == "campaign" for a in group.accounts}
    kinds = [group.kind for group in plan.groups]
    return Simulation(
        files=tuple(written),
        truth=truth,
        counts={
            "prompts": prompts,
            **plan.counts,
            "accounts": len(plan.network.accounts),
            "campaign_accounts": len(planted),
            "campaigns": kinds.count("campaign"),
            "look_alikes": kinds.count("look-alike"),
        },
    )


def _checked(*, prompts: int, harvest_share: float, days: int, seed: int, start: str | date) -> int:
    """Checks the ranges; returns the start in seconds since 1970."""
    for name, value, low, high in (
        ("prompts", prompts, 100, 10**9),
        ("harvest_share", harvest_share, 0.0, 0.9),
        ("days", days, 2, 3_650),
        ("seed", seed, 0, 2**32 - 1),
    ):
        if not low <= value <= high:
            raise SettingsError(f"{name} must be from {low:g} to {high:g}, got {number_text(value)}")
    try:
        day = date.fromisoformat(start) if isinstance(start, str) else start
    except ValueError:
        raise SettingsError(f"start must be a day such as 2026-06-01, got {start!r}") from None
    if not 1980 <= day.year <= 2100:
        raise SettingsError(f"start must be from 1980 to 2100, got {day.isoformat()}")
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


# ---------------------------------------------------------------- reading texts


def _read_texts(files: Sequence[Path]) -> list[str]:
    """The texts of all files, in their order, at most two million."""
    texts: list[str] = []
    for file in files:
        before = len(texts)
        try:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    text = _text_of(line, file, number)
                    if text and len(texts) < _MAX_TEXTS:
                        texts.append(text)
        except (OSError, EOFError, zlib.error, ValueError) as error:  # ValueError: a path with a NUL character
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read the texts in {file}: {reason}") from None
        if len(texts) == before and before < _MAX_TEXTS:
            raise InputError(f"{file} has no text; write JSON Lines with a text key, or one text per line")
    return texts


def _text_of(line: bytes, file: Path, number: int) -> str:
    names = file.suffixes[-2:] if file.suffix == ".gz" else file.suffixes[-1:]
    if not {".jsonl", ".ndjson"} & set(names):
        return line.decode("utf-8", "replace").strip().replace("\0", "")
    if not line.strip():
        return ""
    try:
        row: Any = json.loads(line)
        text = row["text"]
    except (ValueError, RecursionError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        raise InputError(f"{file}, line {number}: expected a JSON object with a text key")
    return text.encode("utf-8", "replace").decode().strip()


# ---------------------------------------------------------------- writing


def _rows(plan: Plan, random: Random, *, seed: int, metadata: bool) -> Iterator[bytes]:
    """The lines of the dump in the order of time."""
    writers = [writer for writer, _ in plan.streams]
    events = [e for _, e in plan.streams]
    time = np.concatenate([e.time for e in events])
    order = np.argsort(time, kind="stable")
    time = time[order]
    columns = [
        np.repeat(np.arange(len(events)), [len(e) for e in events])[order],
        np.concatenate([e.account for e in events])[order],
        np.concatenate([e.item for e in events])[order],
        np.concatenate([e.session for e in events])[order],
    ]
    accounts = plan.network.accounts
    created = np.array([a.created for a in accounts], dtype="datetime64[s]")
    opened = np.datetime_as_string(created, timezone="UTC").tolist()
    encode = msgspec.json.Encoder().encode
    for low in range(0, len(time), _ROWS_AT_ONCE):
        high = low + _ROWS_AT_ONCE
        seconds = time[low:high]
        stamps = np.datetime_as_string(seconds.astype("datetime64[s]"), timezone="UTC").tolist()
        parts = (column[low:high].tolist() for column in columns)
        for now, stamp, stream, a, item, session in zip(seconds.tolist(), stamps, *parts, strict=True):
            account = accounts[a]
            row: dict[str, Any] = {
                "account": account.identity,
                "timestamp": stamp,
                "prompt": writers[stream](account, item, session, random),
            }
            if metadata:
                row["org"] = account.org
                row["ip"] = _one_of(account.addresses, random)
                row["asn"] = f"AS{64_512 + account.asn}"
                row["user_agent"] = _one_of(account.agents, random)
                row["api_key"] = account.api_key
                row["created_at"] = opened[a]
                row["model"] = "large-3" if now >= account.moves else account.model
                row["session"] = f"{(session * 0x9E3779B97F4A7C15 + seed + 0x51ED27) & 0xFFFFFFFFFFFF:012x}"
            yield encode(row) + b"\n"


def _one_of(values: tuple[str, ...], random: Random) -> str:
    return values[0] if len(values) == 1 else values[int(random.random() * len(values))]


def _gzipped(raw: IO[bytes]) -> io.BufferedWriter:
    """A compressed stream without a name or a date in its header, so that equal rows give equal bytes."""
    packed = gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=raw, mtime=0)
    return io.BufferedWriter(packed, buffer_size=1 << 20)
