"""Alerts as the database holds them, checked when they are read: a flipped bit must not reach a receiver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from harvestdetect.alerts.values import ConditionName
from harvestdetect.data import Tier
from harvestdetect.errors import DamagedStateError

__all__ = ["LATEST", "StoredAlert", "checked", "decoded"]

LATEST: Final = 253_402_300_800.0
"""Unix seconds of the year 10,000: no time of an alert is as late."""
_DAMAGED: Final = "the state is damaged: {} is not what was written; harvestdetect state verify says what is wrong"
T = TypeVar("T")


class _Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """What every stored alert on a campaign has, see :func:`harvestdetect.alerts.render.record`."""

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
    excerpt: str = ""


class _New(_Campaign, frozen=True, kw_only=True, tag_field="kind", tag="new"):
    pass


class _Back(_Campaign, frozen=True, kw_only=True, tag_field="kind", tag="back"):
    pass


class _Changed(_Campaign, frozen=True, kw_only=True, tag_field="kind", tag="changed"):
    pass


class _Standing(_Campaign, frozen=True, kw_only=True, tag_field="kind", tag="standing"):
    pass


class _Resolved(_Campaign, frozen=True, kw_only=True, tag_field="kind", tag="resolved"):
    pass


class _Operations(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="operations"):
    """What every stored condition has, see :func:`harvestdetect.alerts.notices.condition_record`."""

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
"""The JSON of ``outbox.body``."""


def checked(values: Mapping[str, Any], kind: type[T]) -> T:
    """A row of one of the two tables, with the types and ranges that were written.

    Raises:
        DamagedStateError: it is not what was written.
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
    """A stored alert as plain values.

    Raises:
        DamagedStateError: it is not what was written.
    """
    try:
        msgspec.json.decode(body, type=StoredAlert)
        found: dict[str, Any] = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DamagedStateError(_DAMAGED.format(f"a stored alert ({error})")) from None
    return found
