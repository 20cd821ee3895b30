"""The events that all contenders handle: about 700 bytes each, as services write them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from uuid import UUID

from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from benchmarks.job import STREAM
from glam_shared.messaging import EventEnvelope, Subjects
from glam_shared.messaging.events import EventPlatform, MerchantCreatedPayload

VARIANTS = 500
BARRIER = 500
"""Events published before one answer is awaited; the server drops what exceeds its queue."""


def payload(number: int) -> MerchantCreatedPayload:
    """One shop of many."""
    return MerchantCreatedPayload(
        platform=EventPlatform(
            merchant_id=UUID(int=number),
            platform_name="shopify",
            platform_shop_id=f"gid://shopify/Shop/{10_000_000 + number}",
            domain=f"shop-{number:06}.myshopify.com",
        ),
        shop_name=f"The Shop of {number:06} and Daughters",
        email=f"owner-{number:06}@shop-{number:06}.example",
        country="DE",
        currency="EUR",
        timezone="Europe/Berlin",
        platform_version="2026-10",
        scopes="read_products,write_products,read_orders,read_customers,write_customers,read_fulfillments",
        status="active",
    )


def wire(number: int) -> bytes:
    """The message of one event."""
    subject = Subjects.MERCHANT_CREATED
    return EventEnvelope.create(
        subject, payload(number), source_service="merchant-service"
    ).to_bytes()


async def create_stream(connection: Client) -> None:
    """The events stream, as the worker would create it."""
    await connection.jetstream().add_stream(
        StreamConfig(
            name=STREAM,
            subjects=["evt.>", "cmd.>"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_age=7 * 86_400,
            duplicate_window=120,
        )
    )


class Publisher:
    """Puts events into the stream as fast as the server takes them."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._jetstream = connection.jetstream()
        self._messages: Iterator[bytes] = itertools.cycle([wire(n) for n in range(VARIANTS)])

    async def load(self, count: int) -> None:
        """Publish *count* events; returns when the server has stored them all."""
        for number in range(1, count + 1):
            if number % BARRIER == 0 or number == count:
                await self._jetstream.publish(Subjects.MERCHANT_CREATED, next(self._messages))
            else:
                await self.send()

    async def send(self) -> None:
        """Publish one event without awaiting the server's answer."""
        await self._connection.publish(Subjects.MERCHANT_CREATED, next(self._messages))
