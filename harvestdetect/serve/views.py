"""The pages. Each function makes one, in the thread that reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

from harvestdetect.data import TIERS
from harvestdetect.errors import UsageError
from harvestdetect.explain import AccountExplanation, Place
from harvestdetect.explain.account import explain_account
from harvestdetect.report.format import day, period, plural, probability, seconds_of
from harvestdetect.report.svg import timeline
from harvestdetect.serve.desk import Desk, Moment
from harvestdetect.serve.queue import CHOICES, PAGE, Item, View, accounts_like, queue_of, view_of
from harvestdetect.serve.render import Answer, Visit, json_answer, page, said, stamp

__all__ = ["Paged", "account", "audit", "missing", "queue", "runs", "status"]

_ROLES: Final[Mapping[str, str]] = {
    "member": "A member of the finding.",
    "candidate": "In a candidate that became no finding.",
    "outside": "Near the finding, but not taken as a member.",
}
"""Role of an account in a candidate -> a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paged:
    """A page of a longer list."""

    rows: Any
    """A sequence: the part of the list that this page has."""
    total: int
    page: int
    last: int
    """Number of the last page."""
    address: Callable[[int], str]
    """Number of a page -> its address."""

    @classmethod
    def of(cls, rows: Sequence[Any], page: int, size: int, address: Callable[[int], str]) -> Paged:
        """The page of a list.

        Args:
            rows: the whole list.
            page: number of the page; one beyond the last is the last.
            size: rows on a page.
            address: number of a page -> its address.
        """
        last = max(-(-len(rows) // size), 1)
        page = min(max(page, 1), last)
        return cls(rows=rows[(page - 1) * size : page * size], total=len(rows), page=page, last=last, address=address)


def status(desk: Desk, visit: Visit) -> Answer:
    """Says whether a page is still the newest, for its script."""
    return json_answer({"stamp": stamp(desk, desk.moment())})


def missing(desk: Desk, visit: Visit) -> Answer:
    """The page of an address that leads nowhere."""
    return said(
        desk, visit, "There is no such page", "The address leads nowhere, or what it showed is gone.", status=404
    )


# ---------------------------------------------------------------- the queue


def queue(desk: Desk, visit: Visit) -> Answer:
    """The queue of findings. An address that does not ask for what was searched for ends the search."""
    moment, session = desk.moment(), visit.session
    view = view_of(visit.query)
    session.view = view
    if not view.found:
        session.search = ""
    rows = queue_of(moment.items, view, search=session.search, campaigns_of=moment.campaigns_of)
    shown = Paged.of(rows, view.page, PAGE, lambda number: f"/?{view.query(page=number)}")
    names = accounts_like(session.search, moment.campaigns_of) if session.search else []
    least = None if moment.results is None else moment.results.facts.least
    return page(
        desk, visit, "queue.html.j2", moment=moment, here="/", about=_about(moment), counts=_counts(moment),
        remarks=_remarks(desk, moment), view=view, choices=CHOICES, total=shown.total, last=shown.last,
        address=shown.address,
        rows=[
            {
                "item": item,
                "address": f"/finding/{desk.keys.campaign(item.campaign_id)}",
                "chance": "–" if least is None else probability(item.probability, least=least),
            }
            for item in shown.rows
        ],
        found_accounts=[
            (name, f"/account/{desk.account(name)}", len(moment.campaigns_of[name])) for name in names
        ],
    )  # fmt: skip


def _about(moment: Moment) -> str:
    """What is shown, in a sentence or two."""
    parts = []
    if moment.results is not None:
        counts = moment.results.detection.counts
        first, last = (_seconds(counts.get(name)) for name in ("first_seen", "last_seen"))
        when = "" if first is None else f" from {period(first, last)}"
        parts.append(
            f"The scan read {plural(int(counts.get('prompts', 0)), 'prompt')} of "
            f"{plural(int(counts.get('accounts', 0)), 'account')}{when}."
        )
    run = None if moment.known is None else moment.known.last_run
    if run is not None:
        parts.append(f"The last run of the state is number {run.number:,}, of {day(run.started)}.")
    return " ".join(parts)


def _seconds(time: Any) -> int | None:
    try:
        return seconds_of(time)
    except (TypeError, ValueError):
        return None


def _counts(moment: Moment) -> list[dict[str, Any]]:
    """How many findings of each tier are there, and how many of them have no verdict."""
    found = []
    for tier in TIERS:
        items = [item for item in moment.items if item.tier == tier]
        view = View(tier=tier)
        found.append(
            {"tier": tier, "open": sum(item.verdict is None for item in items), "all": len(items),
             "address": f"?{view.query()}"}
        )  # fmt: skip
    return found


def _remarks(desk: Desk, moment: Moment) -> list[str]:
    """What the reader should know about what is shown."""
    found = []
    if moment.known is None:
        found.append(
            "This folder has no state, so there are no verdicts and no earlier runs. Scan with --state, and start the "
            "server with --state, to have them."
        )
    if moment.results is None:
        found.append(
            "Only a state is served, which keeps no evidence. Give the folder of scan --out, and the state with "
            "--state, to see why a finding is one."
        )
    elif moment.known is not None and moment.items and not any(i.known for i in moment.items if i.finding):
        found.append("The state knows none of these findings: the scan was made without it, or with another one.")
    if moment.results is not None:
        found += [f"Check how the dump was read: {one}" for one in moment.results.detection.warnings[:3]]
    return found


# ---------------------------------------------------------------- an account


def account(desk: Desk, visit: Visit) -> Answer:
    """The page of an account."""
    moment, key = desk.moment(), visit.path["account"]
    name = moment.accounts.get(key)
    if name is None:
        return missing(desk, visit)
    found, sent = AccountExplanation(account=name, prompts=None, places=(), nearest=(), missing=()), None
    if moment.results is not None:
        with suppress(UsageError):  # the results do not name it: a search, or an earlier scan did
            sent = _sent(moment, name)
            found = explain_account(moment.results.scan, name, sent=sent)
    return page(
        desk, visit, "account.html.j2", moment=moment, account=name, account_key=key, prompts=found.prompts,
        missing=found.missing, places=_places(desk, moment, found, name), timeline=_account_timeline(sent or []),
        back=_query(visit.session.view),
    )  # fmt: skip


def _query(view: View) -> str:
    return f"?{query}" if (query := view.query()) else ""


def _places(desk: Desk, moment: Moment, found: AccountExplanation, account: str) -> list[dict[str, Any]]:
    by_id = {item.campaign_id: item for item in moment.items}
    cleared = {} if moment.known is None else moment.known.cleared
    return [
        _place(desk, by_id.get(place.campaign_id), place)
        | {"clearing": cleared.get(place.campaign_id, {}).get(account)}
        for place in found.places
    ]


def _place(desk: Desk, item: Item | None, place: Place) -> dict[str, Any]:
    first, last = (_seconds(time) for time in (place.first_seen, place.last_seen))
    return {
        "p": place,
        "member": place.role == "member",
        "role": _ROLES[place.role],
        "title": item.title if item is not None else "A candidate that is no finding",
        "address": f"/finding/{desk.keys.campaign(place.campaign_id)}" if item is not None else "",
        "verdict": None if item is None else item.verdict,
        "key": "" if item is None else desk.keys.campaign(item.campaign_id),
        "clearable": not desk.read_only and item is not None and item.known is not None and place.role == "member",
        "seen": period(first, last) if first is not None else "unknown",
    }


def _sent(moment: Moment, name: str) -> list[dict[str, Any]] | None:
    """The prompts of an account in findings; None if they are not known."""
    import pyarrow.compute as pc

    table = None if moment.results is None else moment.results.detection.prompts
    if table is None:
        return None
    rows: list[dict[str, Any]] = table.filter(pc.equal(table["account"], name)).to_pylist()
    return rows


def _account_timeline(sent: Sequence[Mapping[str, Any]]) -> Any:
    """Prompts by day; None if no prompt has a time."""
    times = [row["timestamp"] for row in sent if row.get("timestamp") is not None]
    if not times:
        return None
    counts = Counter(time.date() for time in times)
    first, last = min(counts), max(counts)
    every = [first + timedelta(days=i) for i in range(min((last - first).days + 1, MOST_DAYS))]
    return timeline([(one.isoformat(), counts[one]) for one in every])


MOST_DAYS: Final = 2_000
"""Days of the longest timeline of an account."""


# ---------------------------------------------------------------- runs and the audit log


def runs(desk: Desk, visit: Visit) -> Answer:
    """The runs of the state."""
    moment = desk.moment()
    known = moment.known
    every = () if known is None else known.runs
    finished = [run for run in every if run.finished is not None]
    older = {run.number: before.number for run, before in pairwise(finished)}
    shown = [{**{name: getattr(run, name) for name in run.__slots__}, "older": older.get(run.number)} for run in every]
    return page(
        desk, visit, "runs.html.j2", moment=moment, here="/runs", runs=shown[:MOST_RUNS], finished=finished,
        precision=() if known is None else [p for p in known.precision if p.harvest + p.benign + p.unsure],
    )  # fmt: skip


MOST_RUNS: Final = 400
"""Runs that the page lists."""


def audit(desk: Desk, visit: Visit) -> Answer:
    """The audit log."""
    moment = desk.moment()
    entries, sentence = desk.audit.last()
    keys = {item.campaign_id: f"/finding/{key}" for key, item in moment.by_key.items()}
    return page(
        desk, visit, "audit.html.j2", moment=moment, here="/audit", file=str(desk.audit.file), said=sentence,
        entries=[(one, keys.get(one.campaign, "")) for one in entries],
    )  # fmt: skip
