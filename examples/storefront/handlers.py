"""The shop's handlers, one for each thing that happens to it.

Run them with a server of their own:

    glam-worker dev examples.storefront.handlers --service storefront
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from examples.storefront.outside import MailServer, ShopApi
from examples.storefront.store import Store
from glam_shared.messaging import Subjects
from glam_shared.messaging.events import (
    AnalyticsTrackedPayload,
    CatalogSyncCompletedPayload,
    CatalogSyncStartedPayload,
    CreditBalanceLowPayload,
    MerchantCreatedPayload,
    WebhookProcessedPayload,
    WebhookReceivedPayload,
)
from glam_worker import EventContext, Reject, RetryPolicy, Snooze, lifespan, on

TOPICS = {"orders/create", "orders/paid", "products/update", "app/uninstalled"}


@dataclass(frozen=True)
class Shop:
    """What the handlers share: their ``event.state``."""

    store: Store
    mail: MailServer
    api: ShopApi


@lifespan
async def open_shop() -> AsyncIterator[Shop]:
    """Opened before the handlers get work, closed when the last of them is done."""
    with contextlib.closing(Store.open()) as store:
        yield Shop(store, MailServer(store), ShopApi(syncs_per_second=60))


@on(Subjects.MERCHANT_CREATED, MerchantCreatedPayload)
async def onboard(merchant: MerchantCreatedPayload, event: EventContext) -> None:
    """Registers a new shop and asks for its catalogue."""
    shop: Shop = event.state
    shop.store.add_shop(merchant.platform.domain, merchant.shop_name)
    sync = CatalogSyncStartedPayload(
        platform=merchant.platform,
        # The same in a second run, which therefore publishes nothing twice.
        sync_id=uuid.uuid5(uuid.NAMESPACE_URL, event.event_id),
        total_items=shop.api.products_of(merchant.platform.domain),
        status="started",
    )
    await event.publish(Subjects.CATALOG_SYNC_STARTED, sync)
    event.log.info("onboarded %s", merchant.shop_name)


@on(Subjects.CATALOG_SYNC_STARTED, CatalogSyncStartedPayload, concurrency=64, timeout=10.0)
async def sync_catalog(sync: CatalogSyncStartedPayload, event: EventContext) -> None:
    """Slow: a catalogue comes page by page, and the platform limits how many we may fetch."""
    shop: Shop = event.state
    if not shop.api.allows_one_more():
        raise Snooze(after=1.0)  # nothing failed, so it costs no attempt
    products = 0
    async for page in shop.api.pages(sync.total_items):
        products += len(page)
    shop.store.add_catalogue(sync.sync_id, sync.platform.domain, products)
    completed = CatalogSyncCompletedPayload(
        platform=sync.platform, sync_id=sync.sync_id, total_items=products, status="completed"
    )
    await event.publish(Subjects.CATALOG_SYNC_COMPLETED, completed)


@on(
    Subjects.CREDIT_BALANCE_LOW,
    CreditBalanceLowPayload,
    retry=RetryPolicy(attempts=3, first=0.5, factor=2.0),
)
async def mail_warning(credit: CreditBalanceLowPayload, event: EventContext) -> None:
    """Fails and recovers: mail servers refuse what they take a moment later."""
    shop: Shop = event.state
    if not credit.email:
        raise Reject("the merchant has no e-mail address")
    text = f"{credit.balance} credits left, {credit.platform.domain}"
    await shop.mail.send(credit.email, text)
    shop.store.add_mail(event.event_id, credit.email, text, event.attempt)


_A_DAY = 24 * 60 * 60.0


# Senders of webhooks try again for hours, the broker knows a duplicate for minutes.
@on(Subjects.WEBHOOK_RECEIVED, WebhookReceivedPayload, idempotent=_A_DAY)
async def take_webhook(webhook: WebhookReceivedPayload, event: EventContext) -> None:
    """Rejects what it will never understand: that goes straight to the dead letters."""
    if webhook.topic not in TOPICS:
        raise Reject(f"no use for the topic {webhook.topic!r}")
    shop: Shop = event.state
    started = time.perf_counter()
    shop.store.add_webhook(webhook.webhook_id, webhook.topic)
    processed = WebhookProcessedPayload(
        platform=webhook.platform,
        webhook_id=webhook.webhook_id,
        topic=webhook.topic,
        duration_ms=(time.perf_counter() - started) * 1000.0,
    )
    # The duration differs from run to run; the key says that it is the same event all the same.
    await event.publish(Subjects.WEBHOOK_PROCESSED, processed, key=webhook.webhook_id)


@on(Subjects.ANALYTICS_EVENT_TRACKED, AnalyticsTrackedPayload, concurrency=4)
def count_visit(visit: AnalyticsTrackedPayload, event: EventContext) -> None:
    """A plain function: it runs in a thread, so that it may block."""
    shop: Shop = event.state
    shop.store.add_visit(event.event_id, visit.name)
