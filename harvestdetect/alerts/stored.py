"""Checks stored alerts when they are read, so that a damaged database cannot send wrong alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from harvestdetect.alerts.values import ConditionName
from harvestdetect.data import Tier
from harvestdetect.errors import DamagedStateError

__all__ = ["LATEST", "StoredAlert", "checked", "decoded"]

LATEST: Final = 253_402_300_800.0
"""Unix seconds of the year 10000. Every time of an alert is earlier."""
_DAMAGED: Final = (
    "the state is damaged: {} is not what was written; run harvestdetect state verify to see what is wrong"
)
"""Error message for a row that is not what was written."""
T = TypeVar("T")


class _CampaignFields(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of every stored alert on a campaign, see :func:`harvestdetect.alerts.render.alert_record`."""

    key: str
    campaign_id: str
    tier: Tier
    previous_tier: Tier | None
    accounts: int
    new_accounts: int
    prompts: int
    first_seen: str | None
    last_seen: str | None
    summary: str
    changes: list[str]
    capability_targets: list[str]
    run: str
    report: str | None
    run_started: str | None = None
    title: str = ""
    excerpt: str = ""
    probability: str | None = None


class _New(_CampaignFields, frozen=True, kw_only=True, tag_field="kind", tag="new"):
    pass


class _Back(_CampaignFields, frozen=True, kw_only=True, tag_field="kind", tag="back"):
    pass


class _Changed(_CampaignFields, frozen=True, kw_only=True, tag_field="kind", tag="changed"):
    pass


class _Standing(_CampaignFields, frozen=True, kw_only=True, tag_field="kind", tag="standing"):
    pass


class _Resolved(_CampaignFields, frozen=True, kw_only=True, tag_field="kind", tag="resolved"):
    pass


class _Operations(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="operations"):
    """Fields of every stored condition, see :func:`harvestdetect.alerts.notices.condition_record`."""

    key: str
    condition: ConditionName
    state: Literal["standing", "ended"]
    severity: Literal["error", "warning", "info"]
    summary: str
    details: list[str]
    folder: str
    run: str | None
    run_started: str | None
    report: str | None


StoredAlert: TypeAlias = _New | _Back | _Changed | _Standing | _Resolved | _Operations
"""Type of the JSON in ``outbox.body``."""


def checked(values: Mapping[str, Any], kind: type[T]) -> T:
    """A row of one of the two tables, checked.

    Args:
        values: column -> value.
        kind: type to make of it.

    Raises:
        DamagedStateError: a value has a wrong type or is out of its range.
    """
    try:
        found = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise DamagedStateError(_DAMAGED.format(f"an alert ({error})")) from None
    for name in ("at", "created"):
        if not abs(values.get(name, 0.0)) < LATEST:
            raise DamagedStateError(_DAMAGED.format(f"an alert ({name} is out of range)"))
    return found


def decoded(body: str) -> dict[str, Any]:
    """The record of a stored alert.

    Raises:
        DamagedStateError: it is not a record.
    """
    try:
        msgspec.json.decode(body, type=StoredAlert)
        found: dict[str, Any] = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DamagedStateError(_DAMAGED.format(f"a stored alert ({error})")) from None
    return found
