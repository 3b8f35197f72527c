"""Tells people about campaigns that are new, changed or gone, and about the runs themselves.

:func:`load_channels` reads where alerts go, :class:`Outbox` decides what each channel is told, keeps it until it is
delivered, and delivers it at least once, under a key by which a receiver knows it again. :func:`send_trial` and
:func:`send_conditions` send at once, without a state.
"""

from __future__ import annotations

from harvestdetect.alerts.config import load_channels
from harvestdetect.alerts.direct import Sent, send_conditions, send_trial
from harvestdetect.alerts.links import report_link
from harvestdetect.alerts.outbox import Delivery, Outbox, create_tables, forget_account, mention
from harvestdetect.alerts.stored import StoredAlert
from harvestdetect.alerts.values import Alert, Channel, Condition, Kind

__all__ = [
    "Alert",
    "Channel",
    "Condition",
    "Delivery",
    "Kind",
    "Outbox",
    "Sent",
    "StoredAlert",
    "create_tables",
    "forget_account",
    "load_channels",
    "mention",
    "report_link",
    "send_conditions",
    "send_trial",
]
