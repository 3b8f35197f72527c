"""Makes answers: pages from templates, redirects, files and JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from harvestdetect.errors import UsageError
from harvestdetect.report.pages import page_style, page_template
from harvestdetect.serve.desk import Desk, Moment
from harvestdetect.serve.results import stamp_of
from harvestdetect.serve.sessions import Session
from harvestdetect.util.escape import json_text

__all__ = ["EXPORTS", "Answer", "Visit", "json_answer", "page", "prepare", "redirect", "said", "stamp", "static"]

STATIC: Final[Mapping[str, str]] = {
    "report.css": "text/css; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
"""Name of a file that every page loads -> its type."""
EXPORTS: Final[Mapping[str, str]] = {
    "csv": "CSV, table of findings",
    "csv-accounts": "CSV, table of accounts",
    "ocsf": "OCSF detection findings, for a SIEM",
    "stix": "STIX 2.1 bundle, for threat intelligence",
    "misp": "MISP event, for a sharing community",
    "graphml": "GraphML graph of accounts and templates",
}
"""Formats that the pages offer, and what they call them."""
_PAGES: Final = (("/", "Findings"), ("/search", "Search"), ("/runs", "Runs"), ("/audit", "Audit log"))
"""Address and name of the pages that every page links to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request that passed the guard."""

    session: Session
    path: Mapping[str, str]
    """Parts of the address."""
    query: Mapping[str, str]
    form: Mapping[str, str]
    """Fields of the form; empty unless it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent."""

    body: bytes
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def page(
    desk: Desk, visit: Visit, template: str, *, moment: Moment, here: str = "", status: int = 200, **values: Any
) -> Answer:
    """A page.

    Args:
        desk: what is served.
        visit: the request.
        template: name of the file.
        moment: what the page shows.
        here: address of the page among those that every page links to.
        status: of the answer.
        values: what the template draws.
    """
    session = visit.session
    notices, session.notices = session.notices, []
    about = {
        "stamp": stamp(desk, moment), "pages": _PAGES, "here": here, "form_key": session.form_key,
        "search": session.search, "name": session.name, "read_only": desk.read_only, "troubles": moment.troubles,
        "notices": notices, "title": desk.title, "formats": EXPORTS,
    }  # fmt: skip
    has = {"has_state": moment.known is not None, "has_scan": moment.results is not None}
    text = _template(template).render(page=about, **has, **values)
    return Answer(body=text.encode("utf-8", "backslashreplace"), status=status)


def prepare() -> None:
    """Compiles all templates, so that the first page does not take longer than the others."""
    for name in (*_OWN, "macros.html.j2"):
        _template(name)
    _ = page_template("finding.html.j2").module
    for name in STATIC:
        static(name)


def said(desk: Desk, visit: Visit, headline: str, sentence: str, *, status: int) -> Answer:
    """A page with one sentence."""
    return page(desk, visit, "said.html.j2", moment=desk.moment(), status=status, headline=headline, sentence=sentence)


def redirect(address: str) -> Answer:
    """Leads a browser to a page after a form."""
    return Answer(body=b"", status=303, headers={"location": address})


def json_answer(value: Any) -> Answer:
    """A value as JSON."""
    return Answer(body=json_text(value).encode(), kind="application/json")


def stamp(desk: Desk, moment: Moment) -> str:
    """A text that changes whenever a page would show something else."""
    out, known = desk.places.out, moment.known
    parts: list[Any] = [() if out is None else stamp_of(out)]
    if known is not None:
        given = [one for verdicts in known.verdicts.values() for one in verdicts]
        parts += [
            len(given),
            sum(one.undone is not None for one in given),
            [(r.number, r.finished) for r in known.runs],
        ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def static(name: str) -> Answer:
    """A file that every page loads.

    Raises:
        UsageError: there is no such file.
    """
    if name not in STATIC:
        raise UsageError("there is no such file")
    return Answer(
        body=(page_style() if name == "report.css" else _source(f"static/{name}")).encode(), kind=STATIC[name]
    )


@cache
def _source(name: str) -> str:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def _template(name: str) -> Any:
    return _environment().get_template(name)


@cache
def _environment() -> Any:
    """The environment of all pages. Templates may import the macros of the report, and escape as the report does."""
    from jinja2 import ChoiceLoader, FunctionLoader

    shared = page_template("macros.html.j2").environment
    own = FunctionLoader(lambda wanted: _source(f"pages/{wanted}") if wanted in _OWN else None)
    return shared.overlay(loader=ChoiceLoader([own, shared.loader]))


_OWN: Final = frozenset(
    f"{name}.html.j2"
    for name in ("base", "parts", "queue", "finding", "account", "runs", "compare", "audit", "said", "search")
)
"""Templates of this package; all others are those of the report."""
