"""The front door's database, a SQLite file: the shops it serves, the webhooks it accepted."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Depends, Request

from glam_shared.messaging.events import EventPlatform

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS shops (
    domain TEXT PRIMARY KEY, merchant_id TEXT, platform_shop_id TEXT, event_id TEXT,
    announced INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS webhooks (
    number INTEGER PRIMARY KEY, domain TEXT, topic TEXT, webhook_id TEXT, event_id TEXT UNIQUE,
    received_at TEXT
);
CREATE INDEX IF NOT EXISTS webhooks_of_a_shop ON webhooks (domain, number);
"""


@dataclass(frozen=True)
class Shop:
    """A shop that was registered."""

    domain: str
    merchant_id: UUID
    platform_shop_id: str
    event_id: str
    """Of the event that says so: every try to publish it has the same."""
    announced: bool
    """Whether the broker has that event."""

    @property
    def platform(self) -> EventPlatform:
        """The shop as events name it."""
        return EventPlatform(
            merchant_id=self.merchant_id,
            platform_name="shopify",
            platform_shop_id=self.platform_shop_id,
            domain=self.domain,
        )


@dataclass(frozen=True)
class AcceptedWebhook:
    """A webhook whose event the broker has."""

    webhook_id: str
    topic: str
    event_id: str
    received_at: datetime


class Store:
    """One connection for the event loop.

    A statement takes some ten microseconds, so it may be made on the loop; a database behind a
    network wants a client that is awaited.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def register(self, domain: str, platform_shop_id: str) -> Shop:
        """The shop of this domain, a new one if there is none; its ids never change."""
        row = (domain, str(uuid4()), platform_shop_id, str(uuid4()))
        self._db.execute("INSERT OR IGNORE INTO shops VALUES (?, ?, ?, ?, 0)", row)
        shop = self.shop(domain)
        assert shop is not None
        return shop

    def shop(self, domain: str) -> Shop | None:
        """The shop of this domain."""
        for row in self._db.execute("SELECT * FROM shops WHERE domain = ?", (domain.lower(),)):
            return Shop(row[0], UUID(row[1]), row[2], row[3], bool(row[4]))
        return None

    def announced(self, shop: Shop) -> None:
        """The broker has the event of the shop's registration."""
        self._db.execute("UPDATE shops SET announced = 1 WHERE domain = ?", (shop.domain,))

    def accepted(self, shop: Shop, webhook: AcceptedWebhook) -> None:
        """The broker has the event of this webhook; one that comes again is one webhook."""
        row = (shop.domain, webhook.topic, webhook.webhook_id, webhook.event_id)
        self._db.execute(
            "INSERT OR IGNORE INTO webhooks VALUES (NULL, ?, ?, ?, ?, ?)",
            (*row, webhook.received_at.astimezone(UTC).isoformat()),
        )

    def webhooks(
        self, domain: str, topic: str | None, limit: int, offset: int
    ) -> tuple[list[AcceptedWebhook], int]:
        """A part of a shop's webhooks, the newest first, and how many there are in all."""
        chosen = "FROM webhooks WHERE domain = ? AND coalesce(topic = ?, 1)"
        found = self._db.execute(
            f"SELECT webhook_id, topic, event_id, received_at {chosen} "
            "ORDER BY number DESC LIMIT ? OFFSET ?",
            (domain, topic, limit, offset),
        )
        part = [_webhook(row) for row in found]
        (total,) = self._db.execute(f"SELECT count(*) {chosen}", (domain, topic)).fetchone()
        return part, total


def _webhook(row: Any) -> AcceptedWebhook:
    return AcceptedWebhook(row[0], row[1], row[2], datetime.fromisoformat(row[3]))


async def _of(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


StoreDep = Annotated[Store, Depends(_of)]
"""The store of the running service."""
