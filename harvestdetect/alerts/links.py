"""The address of a report, from the setting ``report_url``."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

__all__ = ["report_link"]


def report_link(template: str | None, *, run: str, started: int, campaign: str | None = None) -> str | None:
    """The address of the report of a run, or of a campaign in it.

    Args:
        template: ``Settings.report_url``, already checked. None gives None.
        run: id of the run.
        started: Unix seconds at which the run started.
        campaign: id of the campaign; None for the whole run. Without a campaign, a fragment with ``{campaign}`` is
            dropped, and a template with ``{campaign}`` elsewhere gives None.

    Returns:
        Printable ASCII without blanks and quotes, because inserted values are percent-encoded.
    """
    if template is None:
        return None
    if campaign is None:
        template, _, fragment = template.partition("#")
        if "{campaign}" in template:
            return None
        if fragment and "{campaign}" not in fragment:
            template = f"{template}#{fragment}"
    moment = datetime.fromtimestamp(started, UTC)
    values = {
        "campaign": campaign or "",
        "run": run,
        "started": f"{moment:%Y%m%dT%H%M%SZ}",
        "date": f"{moment:%Y-%m-%d}",
    }
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(value.encode("utf-8", "backslashreplace"), safe=""))
    return template
