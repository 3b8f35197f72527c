"""Tells people about campaigns that are new, changed or gone.

:func:`load_channels` reads where alerts go, :class:`Outbox` decides what each channel is told, keeps it until it is
delivered, and delivers it at least once, under a key by which a receiver knows it again.
"""

from __future__ import annotations

from harvestdetect.alerts.config import load_channels
from harvestdetect.alerts.outbox import Delivery, Outbox, StoredAlert, create_tables, forget_account, mention
from harvestdetect.alerts.values import Alert, Channel, Kind

__all__ = [
    "Alert",
    "Channel",
    "Delivery",
    "Kind",
    "Outbox",
    "StoredAlert",
    "create_tables",
    "forget_account",
    "load_channels",
    "mention",
]
