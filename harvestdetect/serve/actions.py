"""What forms do. Each function works in the thread that writes and returns what the reader's thread then shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from harvestdetect.data import TIERS
from harvestdetect.errors import HarvestdetectError, LockedError, UsageError
from harvestdetect.export import ExportOptions, export_text, read_source
from harvestdetect.export.values import Reveal
from harvestdetect.serve.desk import Desk
from harvestdetect.serve.finding import PERIODS, VERDICTS, Draft, finding
from harvestdetect.serve.render import EXPORTS, Answer, Visit, redirect, said
from harvestdetect.serve.verdicts import Outcome, clear_account, give, take_back
from harvestdetect.state.verdicts import VerdictName

__all__ = ["MAX_REASON", "Show", "clear", "export", "find", "hide", "reveal", "unclear", "undo", "verdict"]

Show: TypeAlias = Callable[[], Answer]
"""Makes the answer, in the thread that reads."""
MAX_SEARCH = 200
"""Characters of a search that count."""
MAX_REASON = 500
"""Characters of a reason that are recorded."""


def find(desk: Desk, visit: Visit) -> Show:
    """Keeps what the queue is searched for, and shows the queue."""
    visit.session.search = visit.form.get("find", "").strip()[:MAX_SEARCH]
    return lambda: redirect("/?show=all&found=yes" if visit.session.search else "/")


def verdict(desk: Desk, visit: Visit) -> Show:
    """Gives a verdict on a campaign."""
    form = visit.form
    draft = Draft(verdict=form.get("verdict", ""), note=form.get("note", "").strip(), expires=form.get("expires", ""))
    if draft.verdict not in VERDICTS or draft.expires not in PERIODS:
        return _refused(desk, visit, "Choose harvest, benign or unsure, and one of the periods.", draft, status=400)
    audit = desk.audit

    def act(campaign: str) -> Outcome:
        assert desk.places.state is not None
        return give(
            desk.places.state, campaign, cast(VerdictName, draft.verdict), note=draft.note,
            reviewer=visit.session.name, expires=draft.expires or None, seen=form.get("seen", ""), audit=audit,
        )  # fmt: skip

    return _judging(desk, visit, act, draft, done=f"The verdict was saved: {draft.verdict}.")


def undo(desk: Desk, visit: Visit) -> Show:
    """Undoes the last verdict on a campaign."""

    def act(campaign: str) -> Outcome:
        assert desk.places.state is not None
        seen = visit.form.get("seen", "")
        return take_back(desk.places.state, campaign, reviewer=visit.session.name, seen=seen, audit=desk.audit)

    return _judging(desk, visit, act, Draft(), done="The last verdict was undone.")


def clear(desk: Desk, visit: Visit) -> Show:
    """Clears an account in a finding."""
    return _clearing(desk, visit, back=False)


def unclear(desk: Desk, visit: Visit) -> Show:
    """Takes back that an account was cleared."""
    return _clearing(desk, visit, back=True)


def _clearing(desk: Desk, visit: Visit, *, back: bool) -> Show:
    campaign, state = _named(desk, visit.form.get("campaign", "")), desk.places.state
    account = desk.reader.submit(lambda: desk.moment().accounts.get(visit.path["account"])).result()
    if campaign is None or account is None or desk.read_only or state is None:
        return _cannot(desk, visit)
    note = visit.form.get("note", "").strip()
    if not note and not back:
        return lambda: said(desk, visit, "Nothing was saved", "Give a reason why the account is innocent.", status=400)
    try:
        clear_account(state, campaign, account, note=note, reviewer=visit.session.name, back=back, audit=desk.audit)
    except HarvestdetectError as error:
        message, status = f"{error}.", 400 if isinstance(error, UsageError) else 503
        return lambda: said(desk, visit, "Nothing was saved", message, status=status)
    done = "The account is cleared no more." if back else "The account was cleared; the next scan respects it."
    visit.session.notices.append(done)
    return lambda: redirect(f"/account/{visit.path['account']}")


def reveal(desk: Desk, visit: Visit) -> Show:
    """Shows the texts of a finding in this session, after the audit log has it."""
    reason = visit.form.get("reason", "").strip()[:MAX_REASON]
    campaign = _campaign(desk, visit)
    if campaign is None or desk.read_only:
        return _cannot(desk, visit)
    if not reason:
        return _refused(desk, visit, "Give a reason; the audit log records it.", Draft(), status=400)
    try:
        desk.audit.add(visit.session.name, "reveal", campaign=campaign, reason=reason)
    except HarvestdetectError as error:
        return _refused(desk, visit, f"{error}.", Draft(), status=503)
    visit.session.revealed.add(campaign)
    return lambda: redirect(f"/finding/{visit.path['campaign']}#texts")


def hide(desk: Desk, visit: Visit) -> Show:
    """Hides the texts of a finding again."""
    campaign = _campaign(desk, visit)
    if campaign is None:
        return _cannot(desk, visit)
    visit.session.revealed.discard(campaign)
    return lambda: redirect(f"/finding/{visit.path['campaign']}#texts")


def export(desk: Desk, visit: Visit) -> Show:
    """Exports findings as a file, after the audit log has it."""
    form = visit.form
    name, tier = form.get("format", ""), form.get("tier", "watch")
    shown = [kind for kind in ("accounts", "texts") if form.get(kind) == "yes"]
    reason = form.get("reason", "").strip()[:MAX_REASON]
    key = form.get("campaign", "")
    campaign = _named(desk, key)
    if desk.read_only or name not in EXPORTS or tier not in TIERS or (key and campaign is None):
        return _cannot(desk, visit)
    if shown and not reason:
        why = "Give a reason to show ids or texts in the file; the audit log records it."
        return lambda: said(desk, visit, "Nothing was exported", why, status=400)
    form_name, _, table = name.partition("-")
    folder = desk.places.out or desk.places.kept
    try:
        desk.audit.add(
            visit.session.name, "export", campaign=campaign or "", format=name, tier=tier, shown=shown, reason=reason
        )
        reveals = frozenset(cast(list[Reveal], shown))
        only = (campaign,) if campaign is not None else ()
        state = None if desk.places.out is None else desk.places.state
        source = read_source(folder, tier=cast(Any, tier), campaigns=only, reveal=reveals, state=state)
        table_name = (table or "campaigns") if form_name == "csv" else None
        text = export_text(source, form_name, ExportOptions(reveal=reveals), table_name=table_name)
    except HarvestdetectError as error:
        message = f"{error}."
        return lambda: said(desk, visit, "Nothing was exported", message, status=400)
    suffix = {"csv": "csv", "graphml": "graphml", "ocsf": "jsonl"}.get(form_name, "json")
    answer = Answer(
        body=text.encode("utf-8", "backslashreplace"), kind="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="harvestdetect-{name}.{suffix}"'},
    )  # fmt: skip
    return lambda: answer


# ---------------------------------------------------------------- what they share


def _judging(desk: Desk, visit: Visit, act: Callable[[str], Outcome], draft: Draft, *, done: str) -> Show:
    """Changes the verdicts on a campaign and says what became of it.

    Args:
        desk: what is served.
        visit: the request.
        act: changes them.
        draft: what the form had.
        done: what the next page says if it was done.
    """
    campaign = _campaign(desk, visit)
    if campaign is None or desk.read_only or desk.places.state is None:
        return _cannot(desk, visit)
    try:
        outcome = act(campaign)
    except LockedError:
        who = "A scan is" if desk.search.making is None else "The index of a search is being made, which is"
        problem = f"{who} using the state, so nothing was saved. Your text is still here; try again when it is done."
        return _refused(desk, visit, problem, draft, status=503)
    except UsageError as error:
        return _refused(desk, visit, f"Nothing was saved: {error}.", draft, status=400)
    except HarvestdetectError as error:
        return _refused(desk, visit, f"Nothing was saved: {error}.", draft, status=503)
    if outcome.kind == "conflict":
        problem = (
            f"Somebody else was faster: {_faster(outcome)} since you opened the page. Nothing was saved. Read it on "
            "this page, and save again if you still want to."
        )
        return _refused(desk, visit, problem, draft, status=409)
    visit.session.notices.append(done)
    return lambda: redirect(f"/finding/{visit.path['campaign']}")


def _faster(outcome: Outcome) -> str:
    """What somebody else did meanwhile, in a clause."""
    if not outcome.verdicts:
        return "the verdicts are others"
    last = max(outcome.verdicts, key=lambda one: (max(one.at, one.undone or 0), one.number))
    if last.undone is not None:
        return "a verdict was undone"
    return f"this finding was judged {last.verdict} by {last.reviewer}"


def _campaign(desk: Desk, visit: Visit) -> str | None:
    """The campaign that an address names; None if there is none."""
    return _named(desk, visit.path["campaign"])


def _named(desk: Desk, key: str) -> str | None:
    item = desk.reader.submit(lambda: desk.moment().by_key.get(key)).result()
    return None if item is None else item.campaign_id


def _refused(desk: Desk, visit: Visit, problem: str, draft: Draft, *, status: int) -> Show:
    return lambda: finding(desk, visit, problem=problem, draft=draft, status=status)


def _cannot(desk: Desk, visit: Visit) -> Show:
    why = "This server is read only." if desk.read_only else "The form names something that is not here."
    return lambda: said(desk, visit, "Nothing was done", why, status=403 if desk.read_only else 404)
