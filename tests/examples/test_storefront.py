"""How a service tests its handlers: as plain functions, and with the testing kit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from examples.storefront import handlers, store
from examples.storefront.outside import GREYLISTING_DOMAIN, MailServer, ShopApi
from examples.storefront.repair import replay_mails
from examples.storefront.store import CLOSED_DOMAIN, Store
from examples.storefront.traffic import publish, traffic
from glam_shared import ServiceUnavailableError
from glam_shared.messaging import JetStreamClient, Subjects
from glam_shared.messaging.events import (
    AnalyticsTrackedPayload,
    CatalogSyncStartedPayload,
    CreditBalanceLowPayload,
    EventPlatform,
    MerchantCreatedPayload,
    WebhookProcessedPayload,
    WebhookReceivedPayload,
)
from glam_worker import Reject, Snooze
from glam_worker.testing import WorkerFactory, event_context

PLATFORM = EventPlatform(
    merchant_id=uuid4(), platform_name="shopify", platform_shop_id="1", domain="one.example"
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[handlers.Shop]:
    with contextlib.closing(Store(tmp_path / "shop.db")) as opened:
        yield handlers.Shop(opened, MailServer(opened), ShopApi(syncs_per_second=1))


def merchant() -> MerchantCreatedPayload:
    return MerchantCreatedPayload(
        platform=PLATFORM,
        shop_name="One",
        email="owner@one.example",
        country="NL",
        currency="EUR",
        timezone="Europe/Amsterdam",
        platform_version="1",
        scopes="",
        status="active",
    )


def warning(address: str | None) -> CreditBalanceLowPayload:
    return CreditBalanceLowPayload(
        platform=PLATFORM, balance=Decimal("1.50"), threshold=Decimal(10), email=address
    )


def webhook(topic: str) -> WebhookReceivedPayload:
    return WebhookReceivedPayload.model_validate(
        {
            "platform": PLATFORM,
            "webhook_id": "w-1",
            "topic": topic,
            "received_at": "2026-11-01T12:00:00Z",
            "body": {},
        }
    )


# --- as plain functions ---


async def test_onboarding_registers_the_shop_and_asks_for_its_catalogue(
    shop: handlers.Shop,
) -> None:
    """A handler is a function: called with a payload and a context, it does its work."""
    event = event_context(merchant(), state=shop)

    await handlers.onboard(merchant(), event)
    await handlers.onboard(merchant(), event)  # delivered again

    first, second = event.published
    assert (Subjects.CATALOG_SYNC_STARTED, first.payload) == (first.subject, second.payload)
    assert 1 == shop.store.counts()["shops"]


async def test_a_webhook_of_an_unknown_topic_is_rejected(shop: handlers.Shop) -> None:
    """It stores nothing, publishes nothing and says why."""
    event = event_context(webhook("themes/publish"), state=shop)

    with pytest.raises(Reject, match="themes/publish"):
        await handlers.take_webhook(webhook("themes/publish"), event)

    assert (0, []) == (shop.store.counts()["webhooks"], event.published)


async def test_a_catalogue_waits_its_turn(shop: handlers.Shop) -> None:
    """Beyond the platform's limit a catalogue is snoozed, not fetched."""
    sync = CatalogSyncStartedPayload(
        platform=PLATFORM, sync_id=uuid4(), total_items=0, status="started"
    )
    while shop.api.allows_one_more():
        pass

    with pytest.raises(Snooze):
        await handlers.sync_catalog(sync, event_context(sync, state=shop))


async def test_a_mail_is_refused_by_who_does_not_take_it(shop: handlers.Shop) -> None:
    """Greylisting refuses the first mail only; a closed domain every mail until it is repaired."""
    grey, closed = f"a@{GREYLISTING_DOMAIN}", f"a@{CLOSED_DOMAIN}"
    for address in (grey, closed, closed):
        with pytest.raises(ServiceUnavailableError):
            await shop.mail.send(address, "hello")
    shop.store.open_mail_domain(CLOSED_DOMAIN)

    await shop.mail.send(grey, "hello")
    await shop.mail.send(closed, "hello")


def test_a_visit_is_counted_once(shop: handlers.Shop) -> None:
    """The function that blocks is called like any other; the same event leaves one row."""
    visit = AnalyticsTrackedPayload.model_validate(
        {"platform": PLATFORM, "name": "v", "occurred_at": "2026-11-01T12:00:00Z", "properties": {}}
    )
    event = event_context(visit, state=shop)

    handlers.count_visit(visit, event)
    handlers.count_visit(visit, event)

    assert 1 == shop.store.counts()["visits"]


# --- with the testing kit: a real server, the handlers as they are declared ---


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the handlers' lifespan opens the store."""
    file = tmp_path / "shop.db"
    monkeypatch.setenv(store.FILE, str(file))
    return file


async def test_a_greylisted_mail_is_sent_in_the_second_attempt(
    worker: WorkerFactory, database: Path
) -> None:
    """One failure, one retry, handled."""
    async with worker(handlers.mail_warning) as bench:
        event = await bench.publish(
            Subjects.CREDIT_BALANCE_LOW, warning(f"owner@{GREYLISTING_DOMAIN}")
        )
        end = await bench.finished(event)

    assert ("ack", 2) == (end.outcome, end.attempt)


async def test_a_mail_without_address_is_a_dead_letter(
    worker: WorkerFactory, database: Path
) -> None:
    """No retry would find one."""
    async with worker(handlers.mail_warning) as bench:
        await bench.publish(Subjects.CREDIT_BALANCE_LOW, warning(None))
        await bench.idle()
        letters = await bench.dead_letters()

    assert [("rejected", 1)] == [(letter.reason, letter.attempts) for letter in letters]


async def test_a_new_shop_gets_its_catalogue(worker: WorkerFactory, database: Path) -> None:
    """Two handlers, linked by the event that one publishes for the other."""
    async with worker(handlers.onboard, handlers.sync_catalog) as bench:
        await bench.publish(Subjects.MERCHANT_CREATED, merchant())
        await bench.idle()
        completed = await bench.published(Subjects.CATALOG_SYNC_COMPLETED)
    with contextlib.closing(Store(database)) as opened:
        products = opened.products()

    assert [products] == [event.data["total_items"] for event in completed]
    assert products > 0


async def test_a_known_webhook_is_processed_and_said_to_be(
    worker: WorkerFactory, database: Path
) -> None:
    """The event it publishes carries its id, and the correlation of what caused it."""
    async with worker(handlers.take_webhook) as bench:
        await bench.publish(
            Subjects.WEBHOOK_RECEIVED, webhook("orders/paid"), correlation_id="corr_1"
        )
        await bench.idle()
        (processed,) = await bench.published(Subjects.WEBHOOK_PROCESSED)

    assert "corr_1" == processed.correlation_id
    assert "w-1" == WebhookProcessedPayload.model_validate(processed.data).webhook_id


async def test_after_the_repair_the_letters_of_mails_are_handled(
    worker: WorkerFactory, database: Path
) -> None:
    """A mail that spent its attempts is sent by the replay, in its first attempt there."""
    address = f"owner@{CLOSED_DOMAIN}"
    async with worker(handlers.mail_warning) as bench, JetStreamClient() as client:
        await client.connect(worker.url)
        event = await bench.publish(Subjects.CREDIT_BALANCE_LOW, warning(address))
        spent = await bench.finished(event)
        with contextlib.closing(Store(database)) as opened:
            opened.open_mail_domain(CLOSED_DOMAIN)

        assert 1 == await replay_mails(client)

        sent = await bench.settled(event, 4)
        letters = await bench.dead_letters()
    assert ("dead_letter", "exhausted", 3) == (spent.outcome, spent.reason, spent.attempt)
    assert ("ack", 1) == (sent.outcome, sent.attempt)
    assert [] == letters


async def test_traffic_is_the_same_each_time_and_all_of_it_is_published(
    worker: WorkerFactory, database: Path
) -> None:
    """The whole shop works a small traffic; every event ends."""
    made, again = traffic(100), traffic(100)
    async with worker(handlers) as bench:
        async with JetStreamClient() as client:
            await client.connect(worker.url)
            await publish(client, made)
        await bench.idle()
        letters = await bench.dead_letters()

    assert [subject for subject, _ in made.events] == [subject for subject, _ in again.events]
    assert 100 == len(made)
    assert {"invalid", "rejected", "exhausted"} == {letter.reason for letter in letters}
