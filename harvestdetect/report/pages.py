"""The environment in which pages are drawn, their style, and the policy under which a browser shows them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any, Final

from markupsafe import Markup

from harvestdetect.corpus.account_fields import FIELD_NAMES
from harvestdetect.judge.triage import CARRIES
from harvestdetect.report import svg
from harvestdetect.report.format import count, day, few, minute, number, p_value, percent, period, plural, rough, size
from harvestdetect.report.ledger import ONE_BIT, bits
from harvestdetect.util.escape import html_text, json_text, shortened, visible

__all__ = ["page_policy", "page_style", "page_template"]

_TEXT: Final = 600
"""Characters of a prompt that are shown."""


@cache
def page_style(*files: str) -> str:
    """The style sheet of the report, as text for a ``<style>`` element.

    Args:
        files: names of style sheets in this folder; without any, that of the report.
    """
    return "".join(map(_resource, files or ("report.css",)))


def page_policy(style: str) -> str:
    """A Content-Security-Policy that allows one inline style sheet and nothing else.

    Args:
        style: the text of the style sheet, exactly as in the page.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'none'; script-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def page_template(name: str) -> Any:
    """A template of this folder, compiled. All that it prints is escaped, and invisible characters are shown.

    Args:
        name: name of its file.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
        loader=FunctionLoader(_resource),
    )
    environment.filters |= {
        "n": count,
        "number": number,
        "p": p_value,
        "rough": rough,
        "bits": bits,
        "few": few,
        "field": lambda name: FIELD_NAMES.get(name, name),
        "percent": percent,
        "plural": plural,
        "day": day,
        "minute": minute,
        "size": size,
        "prompt": _prompt,
        "short": html_text,
        "cut": _cut,
        "json": lambda value: json_text(value),
        "list": list,
        "comma": _join,
    }
    environment.globals |= {"period": period, "SHADES": svg.SHADES, "CARRIES": CARRIES, "ONE_BIT": ONE_BIT}
    return environment.get_template(name)


def _finalize(value: Any) -> Any:
    """Whatever is printed is text without invisible characters, then escaped; Markup is left as it is."""
    if value is None:
        return ""
    return value if isinstance(value, Markup | int) else visible(str(value), keep_lines=True)


def _prompt(text: str) -> Markup:
    return html_text(text, _TEXT) if text.strip() else Markup('<span class="cut">(empty text)</span>')


def _cut(text: str, limit: int) -> Markup:
    """A text that is cut with a mark, without saying how much was left out."""
    return html_text(shortened(text, limit))


def _join(values: Iterable[str]) -> str:
    return ", ".join(values)


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
