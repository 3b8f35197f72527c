"""The page of a drill: one HTML file that needs no network and no script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from markupsafe import Markup

from harvestdetect.drill.chart import chart
from harvestdetect.drill.result import FACTOR_NAMES, Drill, Level, Outcome, Rate, design_text, level_text
from harvestdetect.drill.table import headline, interval_text
from harvestdetect.report.format import count, plural
from harvestdetect.util.escape import html_text, json_text, visible

__all__ = ["drill_page"]


def drill_page(drill: Drill) -> str:
    """The result as one self-contained page under a strict Content-Security-Policy, in the style of the report.

    It has no script, no link out and no style attribute, and no text of a prompt.
    """
    style = _resource("harvestdetect.report", "report.css") + _resource("harvestdetect.drill", "drill.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page: str = _template().render(
        style=Markup(style),
        csp=(
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'none'; script-src 'none'; "
            "base-uri 'none'; form-action 'none'"
        ),
        d=drill,
        headline=headline(drill),
        tiles=_tiles(drill),
        centre=design_text(drill.plan.centre),
        picture=chart(drill.levels),
        levels=[_level(level) for level in drill.levels],
        trials=[_trial(outcome) for outcome in drill.outcomes],
    )
    return page


def _tiles(drill: Drill) -> list[tuple[str, str, str]]:
    """(figure, label, note) each."""
    rate = drill.overall
    recall = rate.account_recall
    return [
        (f"{rate.found} of {rate.tried}", "campaigns found", f"interval {interval_text(rate)}"),
        (count(rate.seen), "found at any tier", "watch included"),
        ("–" if recall is None else f"{recall:.2f}", "accounts found", "mean over campaigns"),
        (count(drill.prompts), "prompts of the dump", plural(drill.accounts, "account")),
        (count(drill.scans), "scans with campaigns", f"{drill.seconds:,.0f} s in all"),
        (count(drill.set_aside), "accounts set aside", "members of findings without planting"),
    ]


def _level(level: Level) -> dict[str, Any]:
    recall = level.alone.account_recall
    return {
        "factor": FACTOR_NAMES[level.factor],
        "level": level_text(level.factor, level.value),
        "centre": level.centre,
        "found": _of(level.alone),
        "interval": interval_text(level.alone),
        "seen": level.alone.seen if level.alone.tried else "",
        "recall": "" if recall is None else f"{recall:.2f}",
        "mixed": _of(level.mixed) if level.mixed.tried else "",
        "mixed_interval": interval_text(level.mixed),
    }


def _of(rate: Rate) -> str:
    return f"{rate.found} of {rate.tried}" if rate.tried else "not tried"


def _trial(outcome: Outcome) -> dict[str, Any]:
    trial = outcome.trial
    kinds = [(outcome.real, "real"), (outcome.joined, "joined from several"), (outcome.new, "new")]
    return {
        "number": trial.number,
        "kind": "combination" if trial.random else FACTOR_NAMES[trial.factor] if trial.factor else "centre",
        "design": design_text(trial.design),
        "hosts": "accounts: " + ", ".join(f"{n:,} {kind}" for n, kind in kinds if n),
        "prompts": count(outcome.prompts),
        "own": count(outcome.own),
        "share": f"{outcome.share:.2f}",
        "scan": outcome.scan,
        "tier": outcome.tier,
        "found": outcome.found,
        "inside": outcome.inside,
        "recall": f"{outcome.account_recall:.2f}",
    }


def _finalize(value: Any) -> Any:
    """Whatever is printed is text without invisible characters, then escaped; Markup is left as it is."""
    if value is None:
        return ""
    return value if isinstance(value, Markup | int) else visible(str(value), keep_lines=True)


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    environment.filters |= {"n": count, "plural": plural, "short": html_text, "json": lambda value: json_text(value)}
    return environment.from_string(_resource("harvestdetect.drill", "drill.html.j2"))


@cache
def _resource(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
