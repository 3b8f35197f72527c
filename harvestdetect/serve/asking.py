"""The forms of the search: a question, the texts of its answer, and seeds for a hunt.

Like those of :mod:`harvestdetect.serve.actions`, each function works in the thread that writes and returns what the
reader's thread then shows.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, Final, cast, get_args

from harvestdetect.errors import HarvestdetectError, UsageError
from harvestdetect.search import By, Found
from harvestdetect.search.seeding import MAX_SEEDS, seed_lines
from harvestdetect.serve.actions import MAX_REASON, Show
from harvestdetect.serve.desk import Desk
from harvestdetect.serve.render import Answer, Visit, redirect, said
from harvestdetect.serve.search_page import MAX_TEXT, search, token_of, words_of
from harvestdetect.serve.searching import Answered, Asked, Kind, Question

__all__ = ["ask", "hide_answer", "reveal_answer", "seeds"]

PATIENCE: Final = 20.0
"""Seconds in which more accounts must have been found for a file of seeds."""


def ask(desk: Desk, visit: Visit) -> Show:
    """Begins to answer a question, after the audit log has it. The log has neither a text nor an account."""
    try:
        question, campaign = desk.reader.submit(_question, desk, visit).result()
    except HarvestdetectError as error:
        return _refused(desk, visit, f"{error}.", status=400 if isinstance(error, UsageError) else 503)
    if not desk.read_only:
        try:
            how = {"by": question.by} if question.kind == "text" else {}
            desk.audit.add(visit.session.name, "search", campaign=campaign, question=question.kind, **how)
        except HarvestdetectError as error:
            return _refused(desk, visit, f"{error}.", status=503)
    before = visit.session.asked
    if before is not None:
        before.answer.cancel()
    token = desk.reader.submit(token_of, desk).result()
    visit.session.asked = Asked(question=question, answer=desk.search.ask(question, token=token), token=token)
    return lambda: redirect("/search#answer")


def reveal_answer(desk: Desk, visit: Visit) -> Show:
    """Shows the texts of the answer in this session, after the audit log has it."""
    session, reason = visit.session, visit.form.get("reason", "").strip()[:MAX_REASON]
    if desk.read_only or session.asked is None:
        return _cannot(desk, visit)
    if not reason:
        return _refused(desk, visit, "Give a reason; the audit log records it.", status=400)
    try:
        desk.audit.add(session.name, "reveal", of="search", reason=reason)
    except HarvestdetectError as error:
        return _refused(desk, visit, f"{error}.", status=503)
    session.asked, session.reason = replace(session.asked, revealed=True), reason
    return lambda: redirect("/search#prompts")


def hide_answer(desk: Desk, visit: Visit) -> Show:
    """Hides the texts of the answer again."""
    if visit.session.asked is None:
        return _cannot(desk, visit)
    visit.session.asked = replace(visit.session.asked, revealed=False)
    return lambda: redirect("/search#prompts")


def seeds(desk: Desk, visit: Visit) -> Show:
    """A file for ``scan --around`` with what was asked for or the accounts that were found, after the log has it."""
    session, form = visit.session, visit.form
    asked, of, reason = session.asked, form.get("of", ""), form.get("reason", "").strip()[:MAX_REASON]
    found = None if asked is None else _answered(asked)
    if desk.read_only or asked is None or found is None or of not in ("question", "accounts"):
        return _cannot(desk, visit)
    question = asked.question
    if of == "question" and question.kind == "value":
        return _cannot(desk, visit)
    if not reason:
        return _refused(desk, visit, "Give a reason to write seeds; the audit log records it.", status=400)
    shown = ["accounts" if of == "accounts" or question.kind == "account" else "texts"]
    try:
        desk.audit.add(session.name, "export", format="seeds", shown=shown, reason=reason)
        if of == "accounts":
            text = seed_lines(_all_accounts(desk, asked, found))
        elif question.kind == "account":
            text = seed_lines(found, account=question.text)
        else:
            text = seed_lines(found, text=question.text)
    except (HarvestdetectError, TimeoutError, CancelledError) as error:
        why = f"{error}." if isinstance(error, HarvestdetectError) else "The search is busy; try again in a moment."
        return lambda: said(desk, visit, "Nothing was written", why, status=503)
    session.reason = reason
    answer = Answer(
        body=text.encode("utf-8", "backslashreplace"), kind="application/octet-stream",
        headers={"content-disposition": 'attachment; filename="seeds.jsonl"'},
    )  # fmt: skip
    return lambda: answer


def _question(desk: Desk, visit: Visit) -> tuple[Question, str]:
    """What a form asks, and the campaign whose template it names, if it names one. For the thread that reads.

    Raises:
        UsageError: the form asks nothing, or names what is not here.
    """
    form, moment = visit.form, desk.moment()
    kind, text, by = form.get("kind", ""), form.get("text", "").replace("\r\n", "\n"), form.get("by", "wording")
    if by not in get_args(By):
        raise UsageError("choose one of the ways to compare")
    campaign = ""
    if kind == "template":
        item = moment.by_key.get(form.get("campaign", ""))
        words = [] if item is None else words_of(desk, item)
        number = form.get("template", "")
        if item is None or not (number.isascii() and number.isdigit() and int(number[:6]) < len(words)):
            raise UsageError("there is no such template any more; open the finding again")
        kind, text, campaign = "text", words[int(number[:6])][1], item.campaign_id
    elif kind == "account" and "account" in form:
        text = moment.accounts.get(form["account"], "")
    if kind not in get_args(Kind):
        raise UsageError("choose what to search for")
    if kind != "text":
        text = text.strip()
    if not text.strip():
        raise UsageError("give some words, an account or a value to search for")
    if len(text) > MAX_TEXT:
        raise UsageError(f"the text has {len(text):,} characters, more than {MAX_TEXT:,}; give a part of it")
    return Question(kind=cast(Kind, kind), text=text, by=cast(Any, by)), campaign


def _answered(asked: Asked) -> Found | None:
    """The answer to a question; None if there is none."""
    future = asked.answer
    if not future.done() or future.cancelled() or future.exception() is not None:
        return None
    answered: Answered = future.result()
    return answered.found if answered.is_there() else None


def _all_accounts(desk: Desk, asked: Asked, found: Found) -> Found:
    """The answer with as many accounts as a hunt takes.

    Raises:
        HarvestdetectError: the window cannot be searched any more.
        TimeoutError: the search is busy.
    """
    if len(found.accounts) == found.account_count:
        return found
    return desk.search.ask(asked.question, token=asked.token, top=MAX_SEEDS).result(PATIENCE).found


def _refused(desk: Desk, visit: Visit, problem: str, *, status: int) -> Show:
    return lambda: search(desk, visit, problem=problem, status=status)


def _cannot(desk: Desk, visit: Visit) -> Show:
    why = "This server is read only." if desk.read_only else "There is no answer that this could be done with."
    return lambda: said(desk, visit, "Nothing was done", why, status=403 if desk.read_only else 404)
