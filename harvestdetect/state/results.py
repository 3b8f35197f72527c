"""Erases an account from the results of scans.

Of results (``--out``) every file is rewritten without the account:

====================== =============================================================================================
accounts.csv,          its rows go
attributed.csv,
prompts.parquet,
map.parquet
accounts_seen.parquet  its digest goes
candidates.jsonl       entries of members and of accounts outside that are it go
campaigns.jsonl        words of templates that only it sent go, and with them the title of the finding; examples of
                       templates that it sent go unless a prompt in the window of the state has the same text
signatures.jsonl       it goes from the accounts that a signature fits
rejects.jsonl          its id in reasons and names of files is replaced
run.json               likewise; ``erased_accounts`` counts how often this was done, and a note says so
report.html,           written anew from the other files; removed where they do not suffice
brief.html
====================== =============================================================================================

Counts stay those of the scan.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harvestdetect.errors import InputError, UsageError
from harvestdetect.judge.candidate_file import CANDIDATES, SEEN, account_digest, excerpt_of
from harvestdetect.report import OUTPUT_NAMES
from harvestdetect.report.brief import brief_page
from harvestdetect.report.files import BRIEF, SIGNATURES, write_together
from harvestdetect.report.from_folder import detection_of_folder
from harvestdetect.report.html import html_report
from harvestdetect.report.read import csv_rows, json_lines
from harvestdetect.state.traces import ERASED, Traces, mapped
from harvestdetect.util.escape import csv_text, json_text
from harvestdetect.util.files import sweep

__all__ = ["Sent", "erase_results", "example_texts"]

Sent = Collection[str]
"""Texts that other accounts sent: examples that are among them stay."""

_TEXTS: Final = frozenset({"words", "slots", "medoid", "exemplars", "least_similar", "excerpt", "title"})
"""Fields with texts of prompts; a mention in a text that another account sent stays."""
_EXAMPLES: Final = ("medoid", "least_similar")
_BY_LINE: Final = ("campaigns.jsonl", CANDIDATES, SIGNATURES, "rejects.jsonl")
"""Files with an object on each line."""
_LOCATED: Final = ("prompts.parquet", "map.parquet")
"""Tables with an account and a file in each row."""


@dataclass(slots=True)
class _Senders:
    """Who sent what, as prompts.parquet has it."""

    own: set[str] = field(default_factory=set)
    """Templates that the account sent."""
    others: set[str] = field(default_factory=set)
    """Templates that another account sent."""
    campaigns: set[str] = field(default_factory=set)
    """Campaigns with prompts of the account."""
    left: set[str] = field(default_factory=set)
    """Campaigns with prompts of other accounts."""
    known: bool = False
    """Whether there is such a file."""


# ---------------------------------------------------------------- results


def erase_results(out: Path, account: str, *, sent: Sent) -> tuple[int, list[str]]:
    """Removes an account from the results of a scan.

    Args:
        out: the folder.
        account: its id.
        sent: of :func:`example_texts`, those that other accounts sent.

    Returns:
        How many files were rewritten or removed, 0 where nothing mentions it; and what remains, a sentence each.

    Raises:
        UsageError: the folder has no results.
        InputError: a file cannot be read.
        OutputError: a file cannot be written.
    """
    there = _there(out)
    sweep(out, names=(*OUTPUT_NAMES, BRIEF, "probe"))
    traces = Traces(account)
    senders = _senders(out, account)
    new = _contents(out, there, traces, senders, sent)
    if new:
        new["run.json"] = _noted(new.get("run.json") or _bytes(out, "run.json"), traces)
        # they go first: a process that is killed must not leave them behind
        brief = (out / BRIEF).is_file()
        for name in ("report.html", BRIEF):
            (out / name).unlink(missing_ok=True)
        write_together(out, {name: _writer(data) for name, data in new.items()})
        _rewrite_report(out, brief=brief)
    elif "report.html" not in there:  # an earlier attempt was killed before the page was there again
        _rewrite_report(out, brief=False)
    return len(new) + bool(new), [f"{out / name}: {said}" for name, said in _remaining(out, traces)]


def example_texts(out: Path) -> set[str]:
    """All examples of templates in the results of a scan.

    Raises:
        UsageError: the folder has no results.
        InputError: a file cannot be read.
    """
    found: set[str] = set()
    if "campaigns.jsonl" in _there(out):
        for _, line in json_lines(out / "campaigns.jsonl"):
            for template in line.get("templates", ()):
                found |= {*template.get("exemplars", ()), *(template.get(name, "") for name in _EXAMPLES)}
    return found


def _there(out: Path) -> list[str]:
    there = [name for name in OUTPUT_NAMES if (out / name).is_file()]
    if not there:
        raise UsageError(f"{out} has no results of a scan; give --out the folder that a scan wrote")
    return there


def _bytes(out: Path, name: str) -> bytes:
    try:
        return (out / name).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"cannot read {out / name}: {error.strerror}") from None


def _table(file: Path) -> pa.Table:
    try:
        return pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {file}: {str(error).splitlines()[0]}") from None


def _writer(data: bytes) -> Callable[[BinaryIO], object]:
    return lambda stream: stream.write(data)


def _senders(out: Path, account: str) -> _Senders:
    found = _Senders()
    if (out / "prompts.parquet").is_file():
        found.known = True
        pairs = _table(out / "prompts.parquet").group_by(["account", "campaign_id", "template_id"]).aggregate([])
        for row in pairs.to_pylist():
            own = row["account"] == account
            (found.own if own else found.others).add(row["template_id"])
            (found.campaigns if own else found.left).add(row["campaign_id"])
    return found


def _contents(out: Path, there: Collection[str], traces: Traces, senders: _Senders, sent: Sent) -> dict[str, bytes]:
    """The new content of each file that changes."""
    templates: dict[str, list[dict[str, Any]]] = {}

    def campaign(line: dict[str, Any]) -> dict[str, Any]:
        changed = {key: value if key == "templates" else _unsaid(traces, value) for key, value in line.items()}
        changed["templates"] = [_template(t, senders, sent) for t in line.get("templates", ())]
        templates[line.get("campaign_id", "")] = changed["templates"]
        if "title" in changed and any(list(one.get("words", ())) == [ERASED] for one in changed["templates"]):
            changed["title"] = ""
        return changed

    def candidate(line: dict[str, Any]) -> dict[str, Any]:
        return _candidate(line, traces, senders, templates)

    def signature(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "members": [one for one in line.get("members", ()) if one != traces.account]}

    def reject(line: dict[str, Any]) -> dict[str, Any]:
        return {key: traces.unsaid_in(value) for key, value in line.items()}

    new: dict[str, bytes] = {}
    by_line = (campaign, candidate, signature, reject)
    for name, change in zip(_BY_LINE, by_line, strict=True):
        if name in there:
            lines = [(line, change(line)) for _, line in json_lines(out / name)]
            if any(before != after for before, after in lines):
                new[name] = "".join(json_text(after) + "\n" for _, after in lines).encode("utf-8", "backslashreplace")
    for name in ("accounts.csv", "attributed.csv"):
        if name in there and (data := _without_rows(out / name, traces)) is not None:
            new[name] = data
    for name in _LOCATED:
        if name in there and (table := _prompts(_table(out / name), traces)) is not None:
            new[name] = _parquet(table)
    if SEEN in there:
        table = _table(out / SEEN)
        kept = table.filter(pc.not_equal(table["digest"], pa.scalar(account_digest(traces.account), pa.uint64())))
        if len(kept) < len(table):
            new[SEEN] = _parquet(kept)
    if "run.json" in there:
        data = _bytes(out, "run.json")
        if (run := _run(data, traces)) != data:
            new["run.json"] = run
    return new


def _unsaid(traces: Traces, value: Any) -> Any:
    """Sentences of this package without the id; an ordinary word or number stays."""
    return value if traces.is_plain else traces.unsaid_in(value)


def _template(template: dict[str, Any], senders: _Senders, sent: Sent) -> dict[str, Any]:
    """A template without the words and examples that only the account sent."""
    number = template.get("template_id", "")
    if senders.known and number not in senders.own:
        return template
    if senders.known and number not in senders.others:
        empty = {"slots": [], "medoid": ERASED, "exemplars": [], "least_similar": ERASED}
        return {**template, "words": [ERASED], **empty}
    examples = [text for text in template.get("exemplars", ()) if text in sent]
    single = {name: template[name] if template.get(name) in sent else ERASED for name in _EXAMPLES}
    shown = "\n".join([*examples, *single.values()])
    slots = [[value for value in values if value in shown] for values in template.get("slots", ())]
    return {**template, **single, "exemplars": examples, "slots": slots}


def _candidate(
    line: dict[str, Any], traces: Traces, senders: _Senders, templates: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    listed = ("members", "outside")
    changed = {key: value if key in (*listed, "excerpt") else _unsaid(traces, value) for key, value in line.items()}
    for key in listed:
        changed[key] = [one for one in line.get(key, ()) if one.get("account") != traces.account]
    campaign = line.get("campaign_id", "")
    if line.get("tier") is None:
        alone = bool(line.get("members")) and not changed["members"]
    else:
        words = [template.get("words", ()) for template in templates.get(campaign, ())]
        lost = any(list(run) == [ERASED] for run in words)
        alone = campaign in senders.campaigns and campaign not in senders.left
        alone |= lost and line.get("excerpt") not in [excerpt_of(run) for run in words]
    if alone:
        changed["excerpt"] = ""
    return changed


def _without_rows(file: Path, traces: Traces) -> bytes | None:
    """A CSV file without the rows of the account; None if it has none."""
    rows = [cells for _, cells in csv_rows(file, ("account",))]
    kept = [row for row in rows if csv_text(row["account"]) != traces.account]
    changed = [
        {**row, "reasons": _unsaid(traces, row["reasons"])} if "reasons" in row else row
        for row in kept
    ]  # fmt: skip
    if changed == rows:
        return None
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), quoting=csv.QUOTE_ALL)
    writer.writerow({name: name for name in rows[0]})
    writer.writerows(changed)
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def _prompts(table: pa.Table, traces: Traces) -> pa.Table | None:
    """The table without the account's rows and mentions; None if nothing changes."""
    kept = table.filter(pc.invert(pc.equal(table["account"].cast(pa.string()), traces.account)))
    names = kept["file"].cast(pa.string())
    new_names = pa.chunked_array([pa.array([traces.unnamed(n) for n in names.to_pylist()], pa.string())])
    if len(kept) == len(table) and new_names.to_pylist() == names.to_pylist():
        return None
    for column, values in (("file", new_names), ("account", kept["account"].cast(pa.string()))):
        place = kept.schema.get_field_index(column)
        kind = kept.schema.field(column).type
        # a dictionary would keep the values of rows that are gone
        fresh = values.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else values
        kept = kept.set_column(place, kept.schema.field(column), fresh)
    return kept


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _run(data: bytes, traces: Traces) -> bytes:
    """run.json without mentions."""
    run = _run_of(data)
    if run is None:
        return data
    changed = {key: _unsaid(traces, value) for key, value in run.items()}
    for key in ("files", "notes"):
        changed[key] = traces.unsaid_in(run.get(key, []))
    if isinstance(reasons := run.get("rejects_by_reason"), dict):
        counts: Counter[str] = Counter()
        for reason, count in reasons.items():
            counts[traces.unsaid_in(reason)] += count
        changed["rejects_by_reason"] = dict(counts)
    return data if changed == run else _json(changed)


def _run_of(data: bytes) -> dict[str, Any] | None:
    try:
        run = json.loads(data)
    except ValueError:
        return None
    return run if isinstance(run, dict) else None


def _noted(data: bytes, traces: Traces) -> bytes:
    """run.json with a note that accounts were erased."""
    run = _run_of(data) or {}
    before = run.get("erased_accounts", 0)
    run["erased_accounts"] = (before if isinstance(before, int) else 0) + 1
    said = "accounts were erased from these results after the scan; counts are those of the scan"
    run["notes"] = [n for n in run.get("notes", ()) if not str(n).endswith(said)]
    run["notes"].append(f"{run['erased_accounts']:,} {said}")
    return _json(run)


def _json(value: Any) -> bytes:
    return (json_text(value, indent=2) + "\n").encode("utf-8", "backslashreplace")


# ---------------------------------------------------------------- the report


def _rewrite_report(out: Path, *, brief: bool) -> None:
    """Writes the report, and the brief if there was one, again from the other files, if they suffice."""
    try:
        detection = detection_of_folder(out)
        pages = {"report.html": html_report(detection)}
        if brief:
            pages[BRIEF] = brief_page(detection)
    except (InputError, OSError, KeyError, TypeError, ValueError):
        return
    write_together(out, {name: _writer(page.encode("utf-8", "backslashreplace")) for name, page in pages.items()})


# ---------------------------------------------------------------- proving


def _remaining(out: Path, traces: Traces) -> Iterator[tuple[str, str]]:
    """Each file that still mentions the account, and what it mentions."""
    there = [name for name in (*OUTPUT_NAMES, BRIEF) if (out / name).is_file()]
    texts = False
    for name in _BY_LINE:
        for _, line in json_lines(out / name) if name in there else ():
            if any(_is_left(traces, key, value) for key, value in _fields(line)):
                yield name, "a line mentions it"
                break
            texts |= any(key in _TEXTS and traces.said(value) for key, value in _fields(line))
    for name in ("accounts.csv", "attributed.csv"):
        for _, cells in csv_rows(out / name, ("account",)) if name in there else ():
            if csv_text(cells["account"]) == traces.account:
                yield name, "a row is of it"
                break
    for name in _LOCATED:
        if name not in there:
            continue
        table = _table(out / name)
        if traces.account in set(table["account"].to_pylist()):
            yield name, "rows are of it"
        elif any(traces.named(file) for file in set(table["file"].to_pylist()) if file):
            yield name, "a name of a file mentions it"
    if SEEN in there and account_digest(traces.account) in set(_table(out / SEEN)["digest"].to_pylist()):
        yield SEEN, "its digest is there"
    if not texts and not traces.is_plain:
        for name in there:
            if not name.endswith(".parquet") and _is_in_bytes(out / name, traces):
                yield name, "its bytes are there"
    for path in sorted(out.glob(".*.tmp")):
        yield path.name, "another process writes it"


def _is_left(traces: Traces, key: str, value: str) -> bool:
    if key in ("account", "members"):
        return value == traces.account
    if key in ("file", "reason"):
        return traces.said(value) or traces.named(value)
    return key not in _TEXTS and not traces.is_plain and (traces.said(value) or traces.named(value))


def _fields(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All strings of a JSON value, each with its key, at any depth."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _fields(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, key)


def _is_in_bytes(file: Path, traces: Traces) -> bool:
    """Whether the bytes of a file mention the id, not as part of a longer word."""
    with mapped(file) as data:
        for start, stop in traces.places(data):
            around = bytes(data[max(start - 1, 0) : stop + 1]).decode("utf-8", "replace")
            if traces.said(around):
                return True
    return False
