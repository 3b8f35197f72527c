"""The page of one finding, or of a campaign that only the state knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from harvestdetect.data import Member
from harvestdetect.report.finding import finding_section, limits_of
from harvestdetect.report.format import by_priority, count, day, period
from harvestdetect.report.map_svg import map_svg
from harvestdetect.report.svg import timeline
from harvestdetect.serve.desk import Desk, Moment
from harvestdetect.serve.queue import Item, View, queue_of
from harvestdetect.serve.render import Answer, Visit, page, redirect
from harvestdetect.serve.results import hidden
from harvestdetect.serve.search_page import words_of
from harvestdetect.serve.verdicts import seen_of
from harvestdetect.serve.views import Paged, missing
from harvestdetect.state import Clearing

__all__ = ["PERIODS", "VERDICTS", "Draft", "finding", "item_of"]

ACCOUNTS: Final = 25
"""Accounts on a page."""
TEMPLATES: Final = 12
"""Templates that the page shows of a campaign that only the state knows."""
PROMPTS: Final = 25
"""Prompts on a page."""
MOST_RUNS: Final = 60
"""Runs that the page of a finding lists."""
MOST_EVENTS: Final = 100
"""Events that the page of a finding lists."""
VERDICTS: Final[Mapping[str, str]] = {
    "harvest": "a harvesting campaign",
    "benign": "innocent; it stays at watch and sends no alert",
    "unsure": "looked at, not decided",
}
"""Verdict -> what it means."""
PERIODS: Final[Mapping[str, str]] = {
    "": "no limit", "7d": "7 days", "30d": "30 days", "90d": "90 days", "180d": "half a year", "365d": "a year",
}  # fmt: skip
"""Period after which a verdict expires -> what the page calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a reviewer wrote into the form and did not save yet."""

    verdict: str = ""
    note: str = ""
    expires: str = ""


def item_of(moment: Moment, key: str) -> Item | None:
    """The item with a name in addresses; None if there is none."""
    return moment.by_key.get(key)


def finding(desk: Desk, visit: Visit, *, problem: str = "", draft: Draft | None = None, status: int = 200) -> Answer:
    """The page of a finding.

    Args:
        desk: what is served.
        visit: the request.
        problem: why the form was not accepted; empty: there was none.
        draft: what the form had.
        status: of the answer.
    """
    moment, key = desk.moment(), visit.path["campaign"]
    item = item_of(moment, key)
    if item is None:
        into = moment.merged.get(key)
        return missing(desk, visit) if into is None else redirect(f"/finding/{desk.keys.campaign(into)}")
    known = moment.known
    given = () if known is None else known.verdicts.get(item.campaign_id, ())
    here = f"/finding/{key}"
    before, after = _neighbors(desk, moment, item, visit)
    return page(
        desk, visit, "finding.html.j2", moment=moment, status=status, item=item, item_key=key, address=here,
        problem=problem, draft=draft or Draft(), verdict_names=VERDICTS, periods=PERIODS,
        given=list(reversed(given)), now=item.verdict, seen=seen_of(given),
        undoable=any(one.undone is None for one in given), why_not=_why_not(desk, moment, item),
        finding=item.finding, revealed=item.campaign_id in visit.session.revealed,
        section=_section(moment, item, revealed=item.campaign_id in visit.session.revealed),
        map=_map(moment, item),
        accounts=_accounts(desk, moment, item, visit.query.get("accounts", "1")),
        prompts=_prompts(desk, moment, item, visit.query.get("prompts", "1")),
        searchable=[(i, name, words) for i, (name, words) in enumerate(words_of(desk, item)) if words],
        before=before, after=after, back=_back(visit.session.view), **_past(desk, moment, item),
    )  # fmt: skip


def _back(view: View) -> str:
    return f"?{query}" if (query := view.query()) else ""


def _why_not(desk: Desk, moment: Moment, item: Item) -> str:
    """Why no verdict can be given; empty if one can."""
    if desk.read_only:
        return "This server is read only; no verdict can be given here."
    if moment.known is None:
        return (
            "Verdicts are kept in a state, so that later scans respect them. Scan with --state, and start the server "
            "with --state."
        )
    if item.known is None:
        return "The state does not know this campaign: the scan was made without it, or with another one."
    return ""


def _section(moment: Moment, item: Item, *, revealed: bool) -> Any:
    """The section of the report about a finding, without its accounts, which the page lists itself."""
    if item.finding is None or moment.results is None:
        return None
    shown = item.finding if revealed else hidden(item.finding)
    run = moment.results.facts_of(item.finding)
    number = list(moment.results.findings).index(item.campaign_id) + 1
    return finding_section(shown, run=run, number=number, limits=replace(limits_of(1), members=0))


def _map(moment: Moment, item: Item) -> Any:
    """The prompts of a finding among a sample of the traffic; None if the scan made no map. It has no text of them."""
    if item.finding is None or moment.results is None or moment.results.detection.map is None:
        return None
    detection = moment.results.detection
    return map_svg(
        detection.map,
        (item.finding,),
        only=item.campaign_id,
        prompts=int(detection.counts.get("prompts", 0)) or None,
    )


def _accounts(desk: Desk, moment: Moment, item: Item, wanted: str) -> Paged:
    """One page of the accounts, each with its address."""
    number = _page_number(wanted)
    address = f"/finding/{desk.keys.campaign(item.campaign_id)}?accounts="
    if item.finding is not None:
        cleared = {} if moment.known is None else moment.known.cleared.get(item.campaign_id, {})
        members = [_under_clearing(m, cleared.get(m.account)) for m in by_priority(item.finding.members)]
        every: Sequence[Any] = sorted(members, key=lambda m: not m.recommended)
        found = Paged.of(every, number, ACCOUNTS, lambda page: f"{address}{page}#accounts")
        return replace(found, rows=[(m, f"/account/{desk.account(m.account)}") for m in found.rows])
    found = Paged.of(desk.state.members(item.campaign_id), number, ACCOUNTS, lambda page: f"{address}{page}#accounts")
    known = moment.campaigns_of
    return replace(found, rows=[(n, f"/account/{desk.account(n)}" if n in known else "") for n in found.rows])


def _under_clearing(member: Member, clearing: Clearing | None) -> Member:
    """A member as the next scan will have it, if it was cleared after the last one."""
    if clearing is None or clearing.sentence in member.reasons:
        return member
    return replace(member, recommended=False, reasons=(clearing.sentence, *member.reasons))


def _prompts(desk: Desk, moment: Moment, item: Item, wanted: str) -> Paged | None:
    """One page of the prompts of a finding, the first sent first; None if they are not known. No text is among them."""
    own = None if moment.results is None else moment.results.prompts_of(item.campaign_id)
    if own is None or item.finding is None:
        return None
    address = f"/finding/{desk.keys.campaign(item.campaign_id)}?prompts="
    places = range(own.num_rows)
    found = Paged.of(places, _page_number(wanted), PROMPTS, lambda page: f"{address}{page}#prompts")
    rows = own.slice(found.rows.start, len(found.rows)).to_pylist() if own.num_rows else []
    columns = sorted(item.finding.templates, key=lambda t: -t.prompts)  # numbered as in the section of the report
    names = {t.template_id: f"T{i + 1}" for i, t in enumerate(columns)}
    shown = [
        {
            "at": str(row["timestamp"])[:19] if row.get("timestamp") is not None else "–",
            "account": row["account"], "address": f"/account/{desk.account(row['account'])}",
            "template": names.get(row["template_id"], "–"),
            "place": f"{row['file']}:{row['line']}",
        }
        for row in rows
    ]  # fmt: skip
    return replace(found, rows=shown)


def _page_number(wanted: str) -> int:
    return int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else 1


def _past(desk: Desk, moment: Moment, item: Item) -> dict[str, Any]:
    """What the state knows of earlier runs."""
    nothing: dict[str, Any] = {"history": [], "events": [], "facts": [], "timeline": None, "words": []}
    known = item.known
    if moment.known is None or known is None:
        return nothing
    started = {run.number: run.started for run in moment.known.runs}
    found = nothing | {
        "history": [(one, started.get(one.run)) for one in desk.state.campaign_runs(item.campaign_id)[-MOST_RUNS:]],
        "events": desk.state.events(item.campaign_id)[-MOST_EVENTS:],
    }
    if item.finding is None:
        found["words"] = desk.state.templates(item.campaign_id)[:TEMPLATES]
        days = desk.state.days(item.campaign_id)
        found["timeline"] = timeline([(one.day, one.prompts) for one in days]) if days else None
        found["facts"] = [
            ("Accounts ever", count(known.accounts), f"{count(known.attributed)} only by its templates"),
            ("Prompts ever", count(known.prompts), ""),
            ("In the last window", count(known.window_accounts), f"accounts, {count(known.window_prompts)} prompts"),
            ("Seen", period(known.first_seen, known.last_seen), f"first found on {day(known.detected)}"),
        ]
    return found


def _neighbors(desk: Desk, moment: Moment, item: Item, visit: Visit) -> tuple[str, str]:
    """Addresses of the previous and the next finding of the queue as it was last shown; empty where there is none.

    A finding that was just judged is no longer among those without a verdict, so its place is looked up among all.
    """
    session = visit.session
    listed = {
        one.campaign_id
        for one in queue_of(moment.items, session.view, search=session.search, campaigns_of=moment.campaigns_of)
    }
    every = queue_of(moment.items, View(show="all", sort=session.view.sort), search="", campaigns_of={})
    place = next((i for i, one in enumerate(every) if one.campaign_id == item.campaign_id), 0)
    before = next((one for one in reversed(every[:place]) if one.campaign_id in listed), None)
    after = next((one for one in every[place + 1 :] if one.campaign_id in listed), None)
    return _address(desk, before), _address(desk, after)


def _address(desk: Desk, item: Item | None) -> str:
    return "" if item is None else f"/finding/{desk.keys.campaign(item.campaign_id)}"
