"""Alerts about campaigns that are new, changed or gone, and about the runs themselves.

:func:`load_channels` reads the configured channels. :class:`Outbox` decides which alerts each channel gets, stores them
until they are delivered, and delivers each at least once, with an idempotency key by which a receiver recognises
duplicates. :func:`send_trial` and :func:`send_conditions` send at once, without a state.
"""

from __future__ import annotations

from harvestdetect.alerts.config import load_channels
from harvestdetect.alerts.delivery import Delivery
from harvestdetect.alerts.direct import Sent, send_conditions, send_trial
from harvestdetect.alerts.links import report_link
from harvestdetect.alerts.outbox import Outbox, WaitingAlerts, forget_account
from harvestdetect.alerts.stored import StoredAlert
from harvestdetect.alerts.tables import create_tables
from harvestdetect.alerts.values import Alert, Channel, Condition, Kind, RunInfo

__all__ = [
    "Alert",
    "Channel",
    "Condition",
    "Delivery",
    "Kind",
    "Outbox",
    "RunInfo",
    "Sent",
    "StoredAlert",
    "WaitingAlerts",
    "create_tables",
    "forget_account",
    "load_channels",
    "report_link",
    "send_conditions",
    "send_trial",
]
