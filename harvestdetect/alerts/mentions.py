"""Finds names of accounts or campaigns in stored alerts, so that these can be erased."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harvestdetect.util.escape import json_text, visible

__all__ = ["mention_pattern", "texts_of"]


def mention_pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of some names, however they are escaped, but not inside a longer ASCII word.

    Args:
        names: empty ones are ignored.

    Returns:
        None if there are no names.
    """
    wanted = {json.loads(json_text(name)) for name in names if name}
    written = wanted | {visible(name) for name in wanted} | {json_text(name)[1:-1] for name in wanted}
    written |= {json.dumps(name)[1:-1] for name in wanted}
    found = "|".join(re.escape(name) for name in sorted(written))
    return re.compile(f"(?<![A-Za-z0-9_])(?:{found})(?![A-Za-z0-9_])") if found else None


def texts_of(value: Any) -> Iterator[str]:
    """All texts in a plain value, at any depth; keys of mappings do not count."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)
