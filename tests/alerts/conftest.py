"""An outbox in memory, and a webhook to a receiver."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from harvestdetect.alerts import Channel, Outbox
from harvestdetect.alerts.values import Webhook
from tests.alerts.receiving import SECRET, Receiver, channel, database


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    held = database()
    yield held
    held.close()


@pytest.fixture
def outbox(connection: sqlite3.Connection) -> Outbox:
    return Outbox(connection)


@pytest.fixture
def webhook(receiver: Receiver) -> Channel:
    return channel(Webhook(url=receiver.url + "/hook", secret=SECRET))
