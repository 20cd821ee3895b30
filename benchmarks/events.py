"""The events that all contenders handle, as services write them unless the job says otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from uuid import UUID

from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from benchmarks.job import STREAM, Job
from glam_shared.messaging import EventEnvelope, Subjects
from glam_shared.messaging.events import EventPlatform, MerchantCreatedPayload

VARIANTS = 500
UNANSWERED_BYTES = 500_000
"""Published before one answer is awaited; the server drops what exceeds its queue."""
SCOPES = "read_products,write_products,read_orders,read_customers,write_customers,read_fulfillments"
HEADERS = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "X-Tenant": "tenant-0042",
    "X-Region": "eu-central-1",
    "X-Source-Version": "2026.10.3",
    "X-Requested-By": "user-1234567",
    "X-Experiment": "checkout-b",
}
"""Beside a `Nats-Msg-Id` of each event's own: seven in all."""


def subjects(job: Job) -> tuple[str, ...]:
    """The subject of each handler."""
    if job.handlers == 1:
        return (str(Subjects.MERCHANT_CREATED),)
    return tuple(f"evt.bench.shop_{number:03}.v1" for number in range(job.handlers))


def payload(number: int, size: int = 0) -> MerchantCreatedPayload:
    """One shop of many; *size*: bytes of its JSON, at least 236, made up by the scopes."""
    if size:
        return _sized(number, size)
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
        scopes=SCOPES,
        status="active",
    )


def _sized(number: int, size: int) -> MerchantCreatedPayload:
    small = MerchantCreatedPayload(
        platform=EventPlatform(
            merchant_id=UUID(int=number), platform_name="s", platform_shop_id="1", domain="d"
        ),
        **dict.fromkeys(("shop_name", "email", "country", "currency", "timezone"), ""),
        platform_version="",
        scopes="",
        status="",
    )
    missing = size - len(small.model_dump_json())
    scopes = f"{SCOPES}," * (missing // len(SCOPES) + 1)
    return small.model_copy(update={"scopes": scopes[: max(missing, 0)]})


def wire(number: int, size: int = 0, subject: str = Subjects.MERCHANT_CREATED) -> bytes:
    """The message of one event."""
    return EventEnvelope.create(
        subject, payload(number, size), source_service="merchant-service"
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
    """Puts a job's events into the stream as fast as the server takes them."""

    def __init__(self, connection: Client, job: Job) -> None:
        self._connection = connection
        self._jetstream = connection.jetstream()
        self._headers = job.headers
        self._next = 0
        self._messages = _messages(job)

    async def load(self, count: int) -> None:
        """Publish *count* events; returns when the server has stored them all."""
        unanswered = 0
        for left in range(count - 1, -1, -1):
            subject, message = next(self._messages)
            unanswered += len(message) + 200
            if unanswered > UNANSWERED_BYTES or not left:
                await self._jetstream.publish(subject, message, headers=self._own_headers())
                unanswered = 0
            else:
                await self._connection.publish(subject, message, headers=self._own_headers())

    async def send(self, number: int) -> None:
        """Publish the event of this number without awaiting the server's answer."""
        await self._connection.publish(Subjects.MERCHANT_CREATED, wire(number))

    def _own_headers(self) -> dict[str, str] | None:
        if not self._headers:
            return None
        self._next += 1
        return {"Nats-Msg-Id": f"event-{self._next:012}", **HEADERS}


def _messages(job: Job) -> Iterator[tuple[str, bytes]]:
    """Subjects and messages without end; of large ones there are few variants.

    Where an event is not handled again, each is another.
    """
    variants = max(min(VARIANTS, 4_000_000 // (job.size or 1)), 4)
    if job.idempotent:
        variants = job.events
    names = subjects(job)
    numbers = range(max(variants // len(names), 1) * len(names))
    dealt = [(names[n % len(names)], n) for n in numbers]
    return itertools.cycle([(name, wire(n, job.size, name)) for name, n in dealt])
