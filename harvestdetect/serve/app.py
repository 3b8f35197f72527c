"""The application: which address leads to which page, and in which thread it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harvestdetect.errors import HarvestdetectError, UsageError
from harvestdetect.serve import actions, asking, comparing, views
from harvestdetect.serve.desk import Desk
from harvestdetect.serve.finding import finding
from harvestdetect.serve.guard import FAILED
from harvestdetect.serve.render import Answer, Visit, said, static
from harvestdetect.serve.search_page import search

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["application"]

_LOOKS: Final = 60
"""Looks at whether a question was answered, before a page says that it was not."""
_PAUSE: Final = 0.025
"""Seconds between two looks."""


def application(desk: Desk) -> Starlette:
    """The pages without the guard.

    Args:
        desk: what is served.
    """
    from starlette.applications import Starlette
    from starlette.routing import Route

    pages = {
        "/": views.queue, "/status": views.status, "/finding/{campaign}": finding,
        "/account/{account}": views.account, "/runs": views.runs, "/runs/compare": comparing.compare,
        "/search": search, "/audit": views.audit, "/static/{name}": _file,
    }  # fmt: skip
    forms = {
        "/find": actions.find, "/export": actions.export, "/finding/{campaign}/verdict": actions.verdict,
        "/finding/{campaign}/undo": actions.undo, "/finding/{campaign}/reveal": actions.reveal,
        "/finding/{campaign}/hide": actions.hide, "/search": asking.ask, "/search/reveal": asking.reveal_answer,
        "/search/hide": asking.hide_answer, "/search/seeds": asking.seeds,
        "/account/{account}/clear": actions.clear, "/account/{account}/unclear": actions.unclear,
    }  # fmt: skip
    return Starlette(
        routes=[
            *(Route(path, _page(desk, make), methods=["GET"]) for path, make in pages.items()),
            *(Route(path, _form(desk, act), methods=["POST"]) for path, act in forms.items()),
        ],
        exception_handlers={404: _missing(desk), 405: _missing(desk), Exception: _failed},
    )


def _file(desk: Desk, visit: Visit) -> Answer:
    try:
        return static(visit.path["name"])
    except UsageError:
        return views.missing(desk, visit)


def _page(desk: Desk, make: Callable[[Desk, Visit], Answer]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        visit = _visit(request)
        return _response(await _read(desk, lambda: make(desk, visit), visit))

    return endpoint


def _form(desk: Desk, act: Callable[[Desk, Visit], actions.Show]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        visit = _visit(request)
        show = await asyncio.get_running_loop().run_in_executor(desk.writer, act, desk, visit)
        if act is asking.ask:
            await _for_a_moment(visit)
        return _response(await _read(desk, show, visit))

    return endpoint


async def _for_a_moment(visit: Visit) -> None:
    """Waits for the answer to a question, so that most answers are there on the first page. No thread waits."""
    for _ in range(_LOOKS):
        if visit.session.asked is None or visit.session.asked.answer.done():
            return
        await asyncio.sleep(_PAUSE)


def _missing(desk: Desk) -> Callable[[Request, Exception], Any]:
    async def handler(request: Request, error: Exception) -> Response:
        visit = _visit(request)
        return _response(await _read(desk, lambda: views.missing(desk, visit), visit))

    return handler


async def _failed(request: Request, error: Exception) -> Response:
    """What a browser gets after an exception that nothing handled; the guard gets the exception itself."""
    return _response(Answer(body=f"{FAILED}\n".encode(), status=500, kind="text/plain; charset=utf-8"))


async def _read(desk: Desk, make: Callable[[], Answer], visit: Visit) -> Answer:
    """Makes an answer in the thread that reads. What cannot be read becomes a page that says so."""

    def answer() -> Answer:
        try:
            return make()
        except HarvestdetectError as error:
            sentence = f"{error}."
        try:
            return said(desk, visit, "This cannot be shown now", sentence, status=503)
        except HarvestdetectError:  # there was no moment at which the state could be read
            return Answer(body=f"{sentence}\n".encode(), status=503, kind="text/plain; charset=utf-8")

    return await asyncio.get_running_loop().run_in_executor(desk.reader, answer)


def _visit(request: Request) -> Visit:
    state = request.scope["state"]
    return Visit(
        session=state["session"], form=state["form"], path=dict(request.path_params), query=dict(request.query_params)
    )


def _response(answer: Answer) -> Response:
    from starlette.responses import Response

    response = Response(answer.body, status_code=answer.status)
    response.headers["content-type"] = answer.kind
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response
