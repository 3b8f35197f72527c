"""The page of the search: the forms, and the answer to the last question of the session."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from harvestdetect.errors import HarvestdetectError
from harvestdetect.report.format import period, plural
from harvestdetect.search import Found
from harvestdetect.serve.desk import Desk, Moment
from harvestdetect.serve.queue import Item
from harvestdetect.serve.render import Answer, Visit, page
from harvestdetect.serve.results import stamp_of
from harvestdetect.serve.searching import Answered, Asked, CannotSearchError

__all__ = ["MAX_TEXT", "search", "token_of", "words_of"]

MAX_TEXT: Final = 20_000
"""Characters of the longest text that the page takes; the command takes longer ones."""
SENDERS: Final = 5
"""Senders that the page names of each prompt."""
TEMPLATES: Final = 12
"""Templates of a finding that may be searched for."""
WAIT: Final = 4
"""Seconds after which a page without an answer loads itself again."""
_WAYS: Final[Mapping[str, str]] = {
    "wording": "alike in wording",
    "exact": "the same text",
    "meaning": "alike in meaning",
}
"""How texts are compared -> what the page calls it."""
_NEAR: Final[Mapping[str, str]] = {
    "wording": "near in wording", "exact": "the same as the text", "meaning": "near in meaning",
}  # fmt: skip
"""How texts were compared -> what the prompts are."""

_OLDER: Final = "there is a newer scan since this was asked; ask again for its campaigns"
"""Note on an answer that was given before the last scan."""


def search(desk: Desk, visit: Visit, *, problem: str = "", status: int = 200) -> Answer:
    """The page of the search.

    Args:
        desk: what is served.
        visit: the request.
        problem: why a form was not accepted; empty: there was none.
        status: of the answer.

    Raises:
        Exception: what the search raised, if it was no exception of this package. The question is forgotten.
    """
    moment, asked = desk.moment(), visit.session.asked
    waiting, answered, trouble, command = False, None, "", ""
    if asked is None:
        try:
            made = desk.search.look()
        except CannotSearchError as error:
            made, trouble, command = True, f"{error}.", error.command
        if not made and desk.read_only:
            trouble = "These prompts have no search index, and this server is read only, so it makes none."
            command = desk.search.command()
    else:
        made, waiting = True, not asked.answer.done()
        if not waiting:
            answered, trouble, command = _outcome(visit, asked)
    ways = {name: said for name, said in _WAYS.items() if name != "meaning" or not desk.read_only}
    found = None if answered is None or asked is None else _shown(desk, moment, asked, answered)
    return page(
        desk, visit, "search.html.j2", moment=moment, here="/search", status=status, problem=problem, ways=ways,
        question=None if asked is None else asked.question, waiting=_waiting(desk, asked) if waiting else None,
        every=WAIT, trouble=trouble, command=command, found=found, unmade=not made,
        revealed=asked is not None and asked.revealed, most=MAX_TEXT, reason=visit.session.reason,
    )  # fmt: skip


def words_of(desk: Desk, item: Item) -> list[tuple[str, str]]:
    """The names and the fixed words of the templates of a finding, as the page numbers them. Those without words have
    none. Only for the thread that reads."""
    if item.finding is not None:
        ordered: Sequence[Sequence[str | None]] = [
            one.words for one in sorted(item.finding.templates, key=lambda one: -one.prompts)
        ]
    else:
        ordered = [] if item.known is None else desk.state.templates(item.campaign_id)
    texts = [" ".join(run.strip() for run in words if run).strip() for words in ordered]
    return [(f"T{number}", text) for number, text in enumerate(texts, start=1)][:TEMPLATES]


def token_of(desk: Desk) -> object:
    """A value that changes when the campaigns of the folder change. Only for the thread that reads."""
    known = desk.moment().known
    run = None if known is None else known.last_run
    return (
        None if desk.places.out is None else stamp_of(desk.places.out),
        None if run is None else (run.number, run.finished),
    )


def _outcome(visit: Visit, asked: Asked) -> tuple[Answered | None, str, str]:
    """The answer to a question, or why there is none, and the command that helps."""
    if asked.answer.cancelled():
        return None, "The question was replaced by a later one. Ask it again.", ""
    error = asked.answer.exception()
    if isinstance(error, CannotSearchError):
        return None, f"Nothing was searched: {error}.", error.command
    if isinstance(error, HarvestdetectError):
        return None, f"{error}.", ""
    if error is not None:
        visit.session.asked = None
        raise error
    answered = asked.answer.result()
    if not answered.is_there():
        visit.session.asked = None
        return None, "The index that gave the answer is gone or was made again, so the answer is too. Ask again.", ""
    return answered, "", ""


def _waiting(desk: Desk, asked: Asked | None) -> str:
    """What a page without an answer says."""
    began = desk.search.making
    if began is None:
        return "The search has not answered yet."
    minutes = int(time.monotonic() - began) // 60
    since = "just now" if not minutes else f"{plural(minutes, 'minute')} ago"
    return (
        f"The index of all prompts of the window is being made, which began {since}. It takes as long as the first "
        "stages of a scan. Later questions do not wait for it."
    )


# ---------------------------------------------------------------- the answer


def _shown(desk: Desk, moment: Moment, asked: Asked, answered: Answered) -> dict[str, Any]:
    """What the page shows of an answer. Names of campaigns and accounts have addresses."""
    found, question = answered.found, asked.question
    left = found.account_count - len(found.accounts)
    return {
        "head": _head(asked, found),
        "notes": (*answered.notes, *((_OLDER,) if asked.token != token_of(desk) else ())),
        "compared": question.kind == "text",
        "campaigns": [{"c": one, **_campaign(desk, moment, one.campaign_id)} for one in found.campaigns],
        "accounts": [
            {
                "a": one, "address": f"/account/{desk.account(one.account)}",
                "campaigns": [_campaign(desk, moment, name) for name in one.campaigns],
                "seen": period(one.first_seen, one.last_seen),
            }
            for one in found.accounts
        ],
        "left": left,
        "values": found.values,
        "hits": [
            {
                "h": one, "seen": period(one.first_seen, one.last_seen), "place": f"{one.file}:{one.line}",
                "campaigns": [_campaign(desk, moment, name) for name in one.campaigns],
                "senders": [(name, f"/account/{desk.account(name)}") for name in one.senders[:SENDERS]],
                "more": one.accounts - len(one.senders[:SENDERS]),
            }
            for one in found.hits
        ],
    }  # fmt: skip


def _head(asked: Asked, found: Found) -> str:
    """How much was found, in a sentence."""
    searched, question = found.searched, asked.question
    prompts, accounts = plural(found.prompts, "prompt"), plural(found.account_count, "account")
    window = f"{plural(searched.prompts, 'prompt')} of {plural(searched.accounts, 'account')} in the window"
    if question.kind != "text":
        return f"{prompts} of {accounts}, of {window}."
    said = f"{prompts} of {accounts} {'is' if found.prompts == 1 else 'are'} {_NEAR[question.by]}, of {window}."
    if searched.texts < searched.all_texts:
        said += f" {searched.texts:,} of {searched.all_texts:,} texts have a vector of meaning."
    return said


def _campaign(desk: Desk, moment: Moment, name: str) -> dict[str, Any]:
    """The title and the address of a campaign; no address if the queue does not have it."""
    key = desk.keys.campaign(name)
    item = moment.by_key.get(key)
    return {"id": name, "title": name if item is None else item.title, "address": f"/finding/{key}" if item else ""}
