"""The commands ``campaigns`` and ``review``: what a state knows of campaigns, and the verdicts on them."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harvestdetect.cli.console import aligned, answer, json_answer, shown
from harvestdetect.cli.options import FOLDER, output_option
from harvestdetect.cli.review_queue import at_terminal, walk
from harvestdetect.errors import UsageError

if TYPE_CHECKING:
    from harvestdetect.state import Clearing, Day, Event, KnownCampaign, Precision, Verdict

__all__ = ["campaigns", "review", "user_name"]

BAR_WIDTH = 40
"""Characters of the longest bar in the history of a campaign."""
TITLE = 60
"""Characters of a title in the table of campaigns."""


@click.command(short_help="List the campaigns of a state, or show the history of one.")
@click.argument("state", type=FOLDER, metavar="STATE")
@click.argument("campaign", required=False, metavar="[CAMPAIGN]")
@click.option("--all", "everything", is_flag=True, help="List also campaigns that were merged into another.")
@click.option("--accounts", is_flag=True, help="Print only the accounts of CAMPAIGN, one per line.")
@output_option("a table or sentences")
def campaigns(state: Path, campaign: str | None, everything: bool, accounts: bool, output: str) -> int:
    """List the campaigns that the folder STATE knows, or show the history of CAMPAIGN.

    CAMPAIGN is a campaign id or the beginning of one, if only one campaign has it. Numbers of accounts and prompts
    "ever" are over all runs. Numbers "in window" are those of the window of the last run, as its scan reported them.
    """
    from harvestdetect.state import open_state

    if accounts and campaign is None:
        raise UsageError("--accounts needs the id of a campaign")
    with open_state(state) as opened, opened.snapshot():
        known = opened.campaigns(everything=everything or campaign is not None)
        if campaign is None:
            if output == "json":
                json_answer(known)
            else:
                answer(_table(known, opened.precision()))
            return 0
        campaign = opened.named(campaign)
        (found,) = [c for c in known if c.campaign_id == campaign]
        members, days, events = opened.members(campaign), opened.history(campaign), opened.events(campaign)
        cleared = list(opened.cleared().get(campaign, {}).values())
    if accounts:
        answer("".join(f"{shown(a)}\n" for a in members))
    elif output == "json":
        import msgspec

        json_answer(
            {**msgspec.to_builtins(found), "days": days, "events": events, "members": members, "cleared": cleared}
        )
    else:
        answer(_history(found, days, events, cleared))
    return 0


def _day(time: int | None) -> str:
    from harvestdetect.report.format import day

    return "-" if time is None else day(time)


def _table(known: Sequence[KnownCampaign], precisions: Sequence[Precision]) -> str:
    if not known:
        return "The state knows no campaigns.\n"
    ever = ("accounts ever / in window", "prompts ever / in window")
    rows: list[tuple[str, ...]] = [("campaign", "tier", "status", *ever, "first seen", "last seen", "verdict", "title")]
    for c in known:
        verdict = "-" if c.verdict is None else c.verdict.verdict
        rows.append(
            (
                c.campaign_id, c.tier, c.status if c.merged_into is None else f"merged into {c.merged_into}",
                f"{c.accounts:,} / {c.window_accounts:,}", f"{c.prompts:,} / {c.window_prompts:,}",
                _day(c.first_seen), _day(c.last_seen), verdict, _title(c),
            )
        )  # fmt: skip
    text = aligned(rows)
    for one in precisions:
        if one.precision is not None:
            judged = one.harvest + one.benign
            text += f"Verdicts on findings at {one.tier}: {one.harvest} of {judged} were harvest.\n"
    return text


def _title(campaign: KnownCampaign) -> str:
    """The title of a campaign in a table."""
    from harvestdetect.util.escape import shortened, visible

    return shortened(visible(campaign.title), TITLE) or "-"


def _history(campaign: KnownCampaign, days: Sequence[Day], events: Sequence[Event], cleared: Sequence[Clearing]) -> str:
    from harvestdetect.report.format import plural

    held = "" if campaign.tier == campaign.evidence_tier else f" ({campaign.evidence_tier} without the verdict)"
    lines = [
        f"{campaign.campaign_id}: {campaign.tier}{held}, {campaign.status}",
        *([campaign.title] if campaign.title else []),
        f"ever: {plural(campaign.accounts, 'account')} ({campaign.attributed:,} only by its templates), "
        f"{plural(campaign.prompts, 'prompt')}, {_day(campaign.first_seen)} to {_day(campaign.last_seen)}",
        f"in the window of the last run: {plural(campaign.window_accounts, 'account')}, "
        f"{plural(campaign.window_prompts, 'prompt')}",
        f"when last found: {campaign.summary}",
    ]
    if campaign.verdict is not None:
        lines.append(campaign.verdict.sentence)
    lines += [one.sentence() for one in campaign.merged if one.verdict is not None]
    lines += [f"cleared: {one.account}; {one.sentence}" for one in cleared]
    for e in events:
        run = "" if e.run is None else f" (run {e.run})"
        lines.append(f"{_day(e.at)}  {e.what}{': ' if e.detail else ''}{e.detail}{run}")
    most = max((d.prompts for d in days), default=1) or 1
    lines += [f"{d.day}  {d.prompts:>8,}  {'#' * max(1, round(BAR_WIDTH * d.prompts / most))}" for d in days]
    return "".join(f"{shown(line)}\n" for line in lines)


@click.command(short_help="Judge campaigns, one after the other or one by its id; list or undo verdicts.")
@click.argument("state", type=FOLDER, metavar="STATE")
@click.argument("campaign", required=False, metavar="[CAMPAIGN]")
@click.option("--verdict", type=click.Choice(["harvest", "benign", "unsure"]), help="The verdict on the campaign.")
@click.option("--note", default="", metavar="TEXT", help="Reason for the verdict.")
@click.option("--expires", metavar="PERIOD", help="Time until the verdict expires, such as 90d.  [default: never]")
@click.option("--by", "reviewer", metavar="NAME", help="Name of the reviewer.  [default: the user]")
@click.option("--undo", is_flag=True, help="Undo the verdict that is in force on the campaign.")
@click.option(
    "--clear", "cleared", metavar="ACCOUNT",
    help="Clear this account of CAMPAIGN: it is innocent, and no later scan recommends it for action. --note says why.",
)  # fmt: skip
@click.option("--unclear", "uncleared", metavar="ACCOUNT", help="Take back that this account was cleared.")
@click.option("--list", "listed", is_flag=True, help="List the verdicts and ask nothing.")
@output_option("a table")
def review(state: Path, campaign: str | None, verdict: Any, undo: bool, listed: bool, output: str, **given: Any) -> int:
    """Give a verdict on CAMPAIGN, an id in the folder STATE or the beginning of one that no other campaign has.

    Without CAMPAIGN, the command shows each campaign that has no verdict, the strongest first, and asks for one. With
    --list, with --format json, or if it does not run in a terminal, it lists all verdicts with reviewer and date.

    A campaign that is judged benign stays at watch and sends no alerts until the verdict expires or is undone. This
    also holds for later findings that its accounts or its template identify as the same campaign. Reports say so.

    A campaign may have innocent members, such as people who tried its prompt. --clear keeps one of them among the
    members, listed apart with the reason.
    """
    from harvestdetect.state import open_state
    from harvestdetect.state.store import check_utf8

    if (verdict is not None or undo) and campaign is None:
        raise UsageError("--verdict and --undo need the id of a campaign")
    if verdict is not None and undo:
        raise UsageError("--verdict and --undo exclude each other; give one of them")
    if listed and (verdict is not None or undo):
        raise UsageError("--list gives no verdict; leave it out, or leave out --verdict and --undo")
    note, reviewer = given["note"], given["reviewer"] or user_name()
    accounts = {name: given[name] for name in ("cleared", "uncleared") if given[name] is not None}
    if accounts:
        return _clear(state, campaign, accounts, verdict is not None or undo or listed, note, reviewer, output)
    check_utf8(campaign=campaign or "", note=note, reviewer=reviewer)
    if campaign is None and not listed and output == "text" and at_terminal():
        walk(state, reviewer=reviewer, expires=given["expires"])
        return 0
    with open_state(state, write=verdict is not None or undo, make=False) as opened:
        campaign = None if campaign is None else opened.named(campaign)
        if verdict is not None and campaign is not None:
            verdicts = [opened.review(campaign, verdict, note=note, reviewer=reviewer, expires=given["expires"])]
        elif undo and campaign is not None:
            verdicts = [opened.undo(campaign, reviewer=reviewer)]
        else:
            verdicts = opened.verdicts(campaign)
    if output == "json":
        json_answer(verdicts)
    else:
        answer(_verdicts(verdicts))
    return 0


def _clear(
    state: Path, campaign: str | None, accounts: dict[str, str], otherwise: bool, note: str, reviewer: str, output: str
) -> int:
    """Clears an account, or takes that back; ``otherwise``: whether something else was asked for as well."""
    from harvestdetect.state import open_state
    from harvestdetect.state.store import check_utf8

    if campaign is None:
        raise UsageError("--clear and --unclear need the id of a campaign")
    if len(accounts) > 1 or otherwise:
        raise UsageError("--clear, --unclear, --verdict, --undo and --list exclude each other; give one of them")
    check_utf8(campaign=campaign, note=note, reviewer=reviewer)
    with open_state(state, write=True, make=False) as opened:
        campaign = opened.named(campaign)
        if "cleared" in accounts:
            done = opened.clear(campaign, accounts["cleared"], note=note, reviewer=reviewer)
        else:
            done = opened.unclear(campaign, accounts["uncleared"], reviewer=reviewer)
    if output == "json":
        json_answer([done])
    else:
        what = "cleared" if done.undone is None else "cleared no more"
        answer(f"{shown(done.account)} of {campaign}: {what}\n")
    return 0


def user_name() -> str:
    """Name of the user of this process; ``unknown`` if the system does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "There are no verdicts.\n"
    rows: list[tuple[str, ...]] = [("given", "campaign", "verdict", "tier then", "by", "until", "note")]
    for v in verdicts:
        until = f"undone {_day(v.undone)}" if v.undone is not None else _day(v.expires)
        rows.append((_day(v.at), v.campaign_id, v.verdict, v.tier, v.reviewer, until, v.note))
    return aligned(rows)
