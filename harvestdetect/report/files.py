"""The files of a scan: their contents as text, and the one function that writes them."""

from __future__ import annotations

import csv
import dataclasses
import errno
import io
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from harvestdetect.arguments import path_of, wrong
from harvestdetect.data import (
    MAP_COLUMNS,
    PROMPT_COLUMNS,
    Cut,
    Detection,
    Evidence,
    Finding,
    Member,
    SignatureFit,
    StageCost,
)
from harvestdetect.errors import InputError, OutputError
from harvestdetect.evidence.legacy import with_ids
from harvestdetect.judge.candidate_file import CANDIDATES, SEEN, candidate_to_dict, seen_accounts
from harvestdetect.report.brief import brief_page
from harvestdetect.report.format import by_priority, held_out, iso_time, seconds_of, tier_counts
from harvestdetect.report.html import html_report
from harvestdetect.util.escape import csv_cell, json_text
from harvestdetect.util.files import Unfinished, make_folder, sweep

__all__ = [
    "ACCOUNT_COLUMNS",
    "ATTRIBUTED_COLUMNS",
    "AUDIT",
    "BRIEF",
    "NO_DETECTION",
    "OUTPUT_NAMES",
    "SIGNATURES",
    "accounts_csv",
    "attributed_csv",
    "campaigns_jsonl",
    "candidates_jsonl",
    "check_writable",
    "detection_from_json",
    "detection_json",
    "rejects_jsonl",
    "run_json",
    "signatures_jsonl",
    "write_outputs",
    "write_together",
]

ACCOUNT_COLUMNS: Final = (
    "account",
    "campaign_id",
    "tier",
    "membership",
    "harvest_share",
    "prompts",
    "harvest_prompts",
    "first_seen",
    "last_seen",
    "recommended",
    "reasons",
    "priority",
)
"""Columns of ``accounts.csv``."""
ATTRIBUTED_COLUMNS: Final = ("account", "campaign_id", "prompts", "first_seen", "last_seen", "in_finding")
"""Columns of ``attributed.csv``."""
SIGNATURES: Final = "signatures.jsonl"
"""File with what signatures of other providers fit."""
OUTPUT_NAMES: Final = (
    "campaigns.jsonl",
    "accounts.csv",
    "attributed.csv",
    SIGNATURES,
    "prompts.parquet",
    "map.parquet",
    CANDIDATES,
    SEEN,
    "rejects.jsonl",
    "run.json",
    "report.html",
)
"""The files that a scan writes."""
AUDIT: Final = "audit.jsonl"
"""What ``serve`` records, in the folder of the state, or of the scan if there is no state."""
BRIEF: Final = "brief.html"
"""The file that a scan writes on request."""
NO_DETECTION: Final = "this is not the JSON of a detection: "
"""Beginning of the messages about a text that is no detection."""
_SCHEMA_VERSION: Final = 1
"""Version of the JSON form of a detection."""
_TIMES: Final = ("first_seen", "last_seen")
"""Fields that are times."""
_FILES_ONLY: Final = ("candidates", "seen", "prompts", "map")
"""Fields of a detection that have files of their own and no place in its JSON form."""
_FLOATS: Final = {
    f.name
    for kind in (Cut, Evidence, Finding, Member, SignatureFit, StageCost)
    for f in dataclasses.fields(kind)
    if f.type == "float"
}
"""Fields whose value is a number and never missing, so that null is NaN."""


# ---------------------------------------------------------------- contents


def campaigns_jsonl(detection: Detection) -> str:
    """One finding a line, strongest first.

    ``accounts`` and ``prompts`` are counts: the members are in ``accounts.csv``. Times are ISO 8601 in UTC,
    or null. Numbers that are not finite are null. ``signatures`` has the ids of signatures of other providers that
    fit; it is there only if some do.
    """
    fitting: dict[str | None, list[str]] = {}
    for fit in detection.signatures:
        fitting.setdefault(fit.campaign_id, []).append(fit.signature)
    return "".join(
        json_text(_campaign(finding, fitting.get(finding.campaign_id, ()))) + "\n" for finding in detection.findings
    )


def signatures_jsonl(detection: Detection) -> str:
    """One signature and group that fit a line, see :class:`~harvestdetect.data.SignatureFit`; empty without signatures.

    Times are ISO 8601 in UTC, or null; likenesses that are not known are null.
    """
    return "".join(json_text(_rounded(_plain(fit))) + "\n" for fit in detection.signatures)


def _campaign(finding: Finding, signatures: Sequence[str]) -> dict[str, Any]:
    plain = _plain(finding)
    first = ("campaign_id", "tier", "title", "score", "q_value", "summary", "accounts", "prompts", *_TIMES)
    later = ("templates", "evidence", "benign_explanations", "capability_targets", "families", "orgs")
    judged = ("probability", "ledger")
    days = [{"day": day, "prompts": prompts} for day, prompts in finding.days]
    last = ("ways", "shared_values", "changes", *(["standing"] if finding.standing is not None else []))
    return {
        **{name: plain[name] for name in first + later},
        "days": days,
        **{name: plain[name] for name in (*last, *judged)},
        **({"signatures": list(signatures)} if signatures else {}),
    }


def accounts_csv(detection: Detection) -> str:
    r"""A row per finding and account, the findings strongest first, the members of each by ``priority``, from 1.

    UTF-8, comma, CRLF after each row, header first, every cell in quotes: a spreadsheet that splits at semicolons finds
    no cell within an id. ``account``, ``campaign_id`` and ``reasons`` (joined
    with ``"; "``) are neutralised by :func:`~harvestdetect.util.escape.csv_cell`: a leading apostrophe
    before what a spreadsheet would take for a formula, ``\u0000`` for controls.
    :func:`~harvestdetect.util.escape.csv_text` gives the original back. Missing values are empty.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(ACCOUNT_COLUMNS)
    for finding in detection.findings:
        for priority, member in enumerate(by_priority(finding.members), start=1):
            writer.writerow(
                (
                    csv_cell(member.account),
                    csv_cell(finding.campaign_id),
                    finding.tier,
                    _decimal(member.membership),
                    _decimal(member.harvest_share),
                    member.prompts,
                    member.harvest_prompts,
                    iso_time(member.first_seen),
                    iso_time(member.last_seen),
                    "true" if member.recommended else "false",
                    csv_cell("; ".join(member.reasons)),
                    priority,
                )
            )
    return buffer.getvalue()


def attributed_csv(detection: Detection) -> str:
    """A row per account that filled a template of a known campaign, and that campaign; a header alone without a state.

    Written as :func:`accounts_csv` is. ``in_finding`` says whether the account is a member of a finding of the scan:
    the others are in ``accounts.csv`` nowhere, and nobody has weighed them.
    """
    members = {member.account for finding in detection.findings for member in finding.members}
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(ATTRIBUTED_COLUMNS)
    for one in detection.attributed:
        writer.writerow(
            (
                csv_cell(one.account),
                csv_cell(one.campaign_id),
                one.prompts,
                iso_time(one.first_seen),
                iso_time(one.last_seen),
                "true" if one.account in members else "false",
            )
        )
    return buffer.getvalue()


def candidates_jsonl(detection: Detection) -> str:
    """Everything that was weighed, a line each, see :mod:`harvestdetect.judge.candidate_file`; numbers not finite are
    null."""
    return "".join(json_text(candidate_to_dict(candidate)) + "\n" for candidate in detection.candidates)


def rejects_jsonl(detection: Detection) -> str:
    """One reject a line: ``file, line, byte, reason``. ``run.json`` has how many there were in all."""
    return "".join(json_text(_plain(reject)) + "\n" for reject in detection.rejects)


def run_json(detection: Detection) -> str:
    """What was read, with what settings, models and versions, and what each stage took.

    Keys: ``counts``, ``findings`` (by tier), ``expected_false`` (by tier, the innocent groups to expect among them),
    ``what_if`` (the same at other false-discovery rates), ``ledger`` (which one judged, and what it was tested on),
    ``calibration`` (its file with the digest, and the findings to expect; empty without one), ``memory`` (estimated,
    allowed and peak, in 10**9 bytes), ``rejects_by_reason`` (of the rejects listed), ``preambles`` (texts that many
    accounts always send, left out of what was compared), ``files`` (with their digests and how each was read),
    ``settings``, ``models``, ``versions``, ``stages``, ``notes``, ``warnings`` (what looks suspicious in how the dumps
    were read). Numbers of false findings have four significant digits.
    """
    names = ("files", "settings", "models", "versions", "stages", "notes", "warnings")
    plain = _plain(_without_tables(dataclasses.replace(detection, findings=(), rejects=())))
    reasons = Counter(reject.reason for reject in detection.rejects)
    run = {
        "counts": plain["counts"],
        "findings": tier_counts(detection),
        "expected_false": _rounded(plain["expected_false"]),
        "what_if": [{**cut, "expected_false": _rounded(cut["expected_false"])} for cut in plain["what_if"]],
        "ledger": plain["ledger"],
        "calibration": _rounded(plain["calibration"]),
        "memory": plain["memory"],
        "rejects_by_reason": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        "preambles": plain["preambles"],
        **{name: plain[name] for name in names},
    }
    return json_text(run, indent=2) + "\n"


def detection_json(detection: Detection) -> str:
    """The whole answer as one JSON object, for ``--format json``.

    The prompts, the candidates and the accounts seen are left out. Times are ISO 8601 in UTC. An infinite number is
    written ``1e999``, NaN as null. ``signatures`` is there only if some fit.
    """
    plain = _plain(_without_tables(detection))
    for name in _FILES_ONLY:
        del plain[name]
    for finding in plain["findings"]:
        del finding["tested"]
    if not detection.signatures:
        del plain["signatures"]
    return json_text({"schema_version": _SCHEMA_VERSION, **plain}, infinity="1e999")


def detection_from_json(text: str | bytes) -> Detection:
    """What :func:`detection_json` wrote.

    Raises:
        InputError: not JSON, of another version, or a field is missing or of another type.
    """
    try:
        plain = json.loads(text, object_hook=_restored)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{NO_DETECTION}{error}") from None
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if version != _SCHEMA_VERSION:
        raise InputError(f"{NO_DETECTION}schema_version must be {_SCHEMA_VERSION}, got {version!r}")
    try:
        detection = msgspec.convert(plain, Detection)
    except msgspec.ValidationError as error:
        raise InputError(f"{NO_DETECTION}{error}") from None
    tested = held_out(detection.ledger)
    findings = tuple(dataclasses.replace(finding, tested=tested) for finding in detection.findings)
    return dataclasses.replace(detection, findings=findings)


def _without_tables(detection: Detection) -> Detection:
    return dataclasses.replace(detection, candidates=(), seen=None, prompts=None, map=None)


def _plain(value: Any) -> Any:
    """Dicts, lists and scalars, with times as ISO 8601."""
    return _with_times(msgspec.to_builtins(value, enc_hook=_unknown))


def _with_times(value: Any) -> Any:
    if isinstance(value, dict):
        timed = "first_seen" in value and "last_seen" in value
        return {k: iso_time(v) if timed and k in _TIMES else _with_times(v) for k, v in value.items()}
    return [_with_times(item) for item in value] if isinstance(value, list | tuple) else value


def _unknown(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


def _restored(value: dict[str, Any]) -> dict[str, Any]:
    value = with_ids(value)
    if "first_seen" in value and "last_seen" in value:
        value.update({name: seconds_of(value[name]) for name in _TIMES})
    value.update({k: math.nan for k, v in value.items() if v is None and k in _FLOATS})
    return value


def _rounded(value: Any) -> Any:
    """Every float in it to four significant digits."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _decimal(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else ""


# ---------------------------------------------------------------- writing


def check_writable(out: Path) -> None:
    """Make the folder ``out`` and prove that a file can be written in it, before a long scan starts.

    Raises:
        OutputError: ``out`` is a file, may not be written, or its disk is full.
    """
    with _explained(out):
        make_folder(out)
        sweep(out, names=(*OUTPUT_NAMES, BRIEF, "probe"))
        with Unfinished(out, "probe") as probe:
            probe.stream.write(b"harvestdetect\n")
            probe.flush()


def write_outputs(detection: Detection, out: str | Path, *, brief: bool = False) -> list[Path]:
    """Write :data:`OUTPUT_NAMES` into the folder ``out``, which is made where it is missing.

    Every file is written and fsynced under a temporary name first; only when all of them are complete do
    they take their names, ``run.json`` last. A failure leaves what stood there before.

    Args:
        detection: the answer of a scan.
        out: the folder.
        brief: whether to write :data:`BRIEF` as well. Without it, one of an earlier scan is removed.

    Returns:
        The paths, in the order of :data:`OUTPUT_NAMES`, then that of the brief.

    Raises:
        OutputError: ``out`` is a file, may not be written, or its disk is full.
        UsageError: an argument is of another type.
    """
    if not isinstance(detection, Detection):
        raise wrong("detection", "what detect returns", detection)
    out = path_of(out, "out", wanted="a folder")
    check_writable(out)
    writers: dict[str, Callable[[BinaryIO], object]] = {
        "campaigns.jsonl": lambda file: file.write(_utf8(campaigns_jsonl(detection))),
        "accounts.csv": lambda file: file.write(_utf8(accounts_csv(detection))),
        "attributed.csv": lambda file: file.write(_utf8(attributed_csv(detection))),
        SIGNATURES: lambda file: file.write(_utf8(signatures_jsonl(detection))),
        "prompts.parquet": lambda file: _write_prompts(detection, file),
        "map.parquet": lambda file: _write_map(detection, file),
        CANDIDATES: lambda file: file.write(_utf8(candidates_jsonl(detection))),
        SEEN: lambda file: _write_seen(detection, file),
        "rejects.jsonl": lambda file: file.write(_utf8(rejects_jsonl(detection))),
        "run.json": lambda file: file.write(_utf8(run_json(detection))),
        "report.html": lambda file: file.write(_utf8(html_report(detection))),
    }
    if brief:
        writers[BRIEF] = lambda file: file.write(_utf8(brief_page(detection)))
    write_together(out, writers)
    if not brief:
        with _explained(out / BRIEF):
            (out / BRIEF).unlink(missing_ok=True)
    return [out / name for name in (*OUTPUT_NAMES, BRIEF) if name in writers]


def write_together(out: Path, writers: Mapping[str, Callable[[BinaryIO], object]]) -> None:
    """Writes files of a scan into a folder, none of them before all are on the disk, ``run.json`` last.

    Raises:
        OutputError: one of them cannot be written; then the files are as they were.
    """
    with ExitStack() as stack:
        written: dict[str, Unfinished] = {}
        for name in (*OUTPUT_NAMES, BRIEF):
            if name in writers:
                with _explained(out / name):
                    written[name] = stack.enter_context(Unfinished(out, name))
                    writers[name](written[name].stream)
                    written[name].flush()
        for name in sorted(written, key=lambda name: name == "run.json"):
            with _explained(out / name):
                written[name].publish(out / name)
    _sync_folder(out)


def _write_prompts(detection: Detection, file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    table = PROMPT_COLUMNS.empty_table() if detection.prompts is None else detection.prompts
    pq.write_table(table, file, compression="zstd")


def _write_map(detection: Detection, file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    table = MAP_COLUMNS.empty_table() if detection.map is None else detection.map
    pq.write_table(table, file, compression="zstd")


def _write_seen(detection: Detection, file: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = detection.seen
    if table is None:
        table = seen_accounts(pa.array([], pa.string()), np.zeros(0, np.int32))
    pq.write_table(table, file, compression="zstd")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _sync_folder(out: Path) -> None:
    """Make the renames last; not every system can open a folder."""
    try:
        handle = os.open(out, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission denied; give --out a folder that you may write to"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = "the disk is full" if error.errno == errno.ENOSPC else "the disk quota is used up"
        return f"{what}; free some space or give --out a folder on another disk"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a part of the path is a file, not a folder; give --out another folder"
    if isinstance(error, IsADirectoryError):
        return "there is a folder of that name; remove it or give --out another folder"
    if error.errno == errno.EROFS:
        return "the disk is read-only; give --out a folder on another disk"
    return f"{error.strerror or error}; give --out another folder"
