"""Traffic for the shop: ``python -m examples.storefront.traffic --events 500``.

The same number of events is the same traffic each time, so that one can say what must come of it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from examples.storefront.outside import GREYLISTING_DOMAIN
from examples.storefront.store import CLOSED_DOMAIN
from glam_shared.messaging import EventPublisher, JetStreamClient, Subjects
from glam_shared.messaging.events import (
    AnalyticsTrackedPayload,
    BaseEventPayload,
    CreditBalanceLowPayload,
    EventPlatform,
    MerchantCreatedPayload,
    WebhookReceivedPayload,
)
from glam_worker import Settings

_AT_ONCE = 250

# Of 100 events, so many; the rest are visits.
_MERCHANTS, _WARNINGS, _WEBHOOKS = 4, 8, 30
_TOPICS = ("orders/create", "orders/paid", "products/update", "app/uninstalled")
_VISITS = ("product.viewed", "cart.filled", "checkout.begun")
_DEBRIS = (b"not JSON at all", b'{"order": 17}', b"\xff\xfe\x00")


@dataclass(frozen=True)
class Traffic:
    """What is published."""

    events: list[tuple[Subjects, BaseEventPayload]]
    debris: list[tuple[Subjects, bytes]]
    """Bytes of a producer that does not know the envelope."""

    def __len__(self) -> int:
        return len(self.events) + len(self.debris)

    def count(self, subject: Subjects) -> int:
        """Events published to this subject."""
        return sum(to == subject for to, _ in (*self.events, *self.debris))


def traffic(events: int) -> Traffic:
    """Traffic of so many events, mixed as a shop platform's would be."""
    chance = random.Random(events)
    debris = max(1, events // 400)
    made = [_event(number, chance) for number in range(events - debris)]
    chance.shuffle(made)
    return Traffic(made, [(Subjects.WEBHOOK_RECEIVED, _DEBRIS[i % 3]) for i in range(debris)])


def _event(number: int, chance: random.Random) -> tuple[Subjects, BaseEventPayload]:
    within, nth = number % 100, number // 100
    platform = _platform(number)
    if within < _MERCHANTS:
        return Subjects.MERCHANT_CREATED, _merchant(number, platform)
    if within < _MERCHANTS + _WARNINGS:
        return Subjects.CREDIT_BALANCE_LOW, _warning(number, within, nth, platform)
    if within < _MERCHANTS + _WARNINGS + _WEBHOOKS:
        return Subjects.WEBHOOK_RECEIVED, _webhook(number, within, platform, chance)
    return Subjects.ANALYTICS_EVENT_TRACKED, _visit(number, platform, chance)


def _platform(number: int) -> EventPlatform:
    domain = f"shop-{number}.myshopify.com"
    return EventPlatform(
        merchant_id=uuid.uuid5(uuid.NAMESPACE_DNS, domain),
        platform_name="shopify",
        platform_shop_id=f"gid://shopify/Shop/{number}",
        domain=domain,
    )


def _merchant(number: int, platform: EventPlatform) -> MerchantCreatedPayload:
    return MerchantCreatedPayload(
        platform=platform,
        shop_name=f"Shop {number}",
        email=f"owner@shop-{number}.example",
        country="NL",
        currency="EUR",
        timezone="Europe/Amsterdam",
        platform_version="2026-10",
        scopes="read_products",
        status="active",
    )


def _warning(
    number: int, within: int, nth: int, platform: EventPlatform
) -> CreditBalanceLowPayload:
    """One in eight has an address that is greylisted, one in sixteen one that is closed."""
    domain = f"shop-{number}.example"
    if within == _MERCHANTS:
        domain = GREYLISTING_DOMAIN
    elif within == _MERCHANTS + 1 and nth % 2 == 0:
        domain = CLOSED_DOMAIN
    return CreditBalanceLowPayload(
        platform=platform,
        balance=Decimal(number % 10),
        threshold=Decimal(10),
        email=f"owner-{number}@{domain}",
    )


def _webhook(
    number: int, within: int, platform: EventPlatform, chance: random.Random
) -> WebhookReceivedPayload:
    """One in thirty has a topic that the shop has no use for."""
    unknown = within == _MERCHANTS + _WARNINGS
    return WebhookReceivedPayload(
        platform=platform,
        webhook_id=f"webhook-{number}",
        topic="themes/publish" if unknown else chance.choice(_TOPICS),
        received_at=datetime.now(UTC),
        body={"id": number, "total_price": f"{chance.randint(5, 500)}.00"},
    )


def _visit(number: int, platform: EventPlatform, chance: random.Random) -> AnalyticsTrackedPayload:
    return AnalyticsTrackedPayload(
        platform=platform,
        name=chance.choice(_VISITS),
        occurred_at=datetime.now(UTC),
        session_id=f"session-{number % 97}",
        properties={"path": f"/products/{number % 53}"},
    )


async def publish(
    client: JetStreamClient, made: Traffic, progress: Callable[[int], None] = lambda count: None
) -> None:
    """Publish everything; ``progress`` is told how many more the broker has stored."""
    publisher = EventPublisher(client, "traffic")
    for begin in range(0, len(made.events), _AT_ONCE):
        progress(len(await publisher.publish_many(made.events[begin : begin + _AT_ONCE])))
    for subject, body in made.debris:
        # Past the publisher, which would refuse to publish this.
        await client.publish_acked(subject, body, {}, msg_id=str(uuid.uuid4()))
        progress(1)


async def _main() -> None:
    arguments = argparse.ArgumentParser(description="Publish traffic for the example shop.")
    arguments.add_argument("--events", type=int, default=500, help="how many (default: 500)")
    arguments.add_argument("--servers", help="NATS servers [GLAM_NATS_SERVERS]")
    given = arguments.parse_args()
    settings = Settings.load(nats_servers=given.servers)
    async with JetStreamClient() as client:
        await client.connect(settings.nats_servers)
        await publish(client, traffic(given.events))
    print(f"published {given.events} events")


if __name__ == "__main__":
    asyncio.run(_main())
