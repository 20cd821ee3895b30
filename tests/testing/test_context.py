"""``event_context``: calling a handler as the plain function it is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from pydantic import BaseModel

from glam_shared.messaging import Subjects
from glam_shared.messaging.events import CreditsResetPayload, EventPlatform
from glam_worker import EventContext, on
from glam_worker.testing import event_context


class Order(BaseModel):
    number: int = 1


@on("evt.kit.context.v1", Order, name="kit-context")
async def handle(order: Order, event: EventContext) -> None:
    await event.publish("evt.kit.answered.v1", Order(number=event.attempt), key="answer")


@on("evt.kit.context.v1", Order, name="kit-context-sync")
def handle_sync(order: Order, event: EventContext) -> None:
    event.publish_sync("evt.kit.answered.v1", order)


async def test_a_handler_is_called_with_payload_and_context() -> None:
    """What the handler publishes is kept, in order."""
    event = event_context(attempt=4)

    await handle(Order(), event)

    (emitted,) = event.published
    assert (emitted.subject, emitted.payload) == ("evt.kit.answered.v1", Order(number=4))
    assert emitted.key == "answer"


def test_a_plain_handler_publishes_without_a_loop() -> None:
    """``publish_sync`` works in a unit test without asyncio."""
    event = event_context()

    handle_sync(Order(number=9), event)

    assert [one.payload for one in event.published] == [Order(number=9)]


async def test_the_same_publish_of_the_same_event_has_the_same_id() -> None:
    """A second run with the same event id publishes the same ids; equal payloads get their own."""
    first, second, other = (event_context(event_id=name) for name in ("a", "a", "b"))
    for event in (first, second, other):
        for _ in range(2):
            await event.publish("evt.kit.answered.v1", Order())

    ids = [[one.event_id for one in event.published] for event in (first, second, other)]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 4


def test_everything_that_is_given_is_told() -> None:
    """Each argument is the context's property of that name."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    event = event_context(
        subject="evt.a.b",
        attempt=3,
        event_id="e",
        correlation_id="c",
        source_service="s",
        timestamp=moment,
        metadata={"m": 1},
        headers={"H": "1"},
        stream="S",
        sequence=7,
        shutting_down=True,
        state="pool",
    )

    assert (event.subject, event.event_type, event.attempt) == ("evt.a.b", "evt.a.b", 3)
    assert (event.event_id, event.correlation_id, event.source_service) == ("e", "c", "s")
    assert (event.timestamp, event.metadata, event.headers) == (moment, {"m": 1}, {"H": "1"})
    assert (event.stream, event.sequence) == ("S", 7)
    assert (event.shutting_down, event.state) == (True, "pool")


def test_the_rest_is_plausible() -> None:
    """Ids are new, times are now, and the deadline lies ahead by the timeout."""
    one, two = event_context(timeout=5), event_context()

    assert one.event_id != two.event_id
    assert one.correlation_id != two.correlation_id
    assert 0 < (one.deadline - datetime.now(UTC)).total_seconds() <= 5
    assert one.attempt == 1
    assert not one.shutting_down


def test_the_subject_is_that_of_a_catalogued_payload() -> None:
    """A payload of the catalogue says which event it is."""
    platform = EventPlatform(
        merchant_id=uuid4(), platform_name="shopify", platform_shop_id="1", domain="a.example"
    )
    payload = CreditsResetPayload(
        platform=platform, balance=Decimal(1), reset_at=datetime.now(UTC), period="month"
    )

    assert event_context(payload).subject == Subjects.CREDITS_RESET
    assert event_context(Order()).subject == "evt.test.happened.v1"


async def test_a_payload_that_the_catalogue_forbids_is_refused() -> None:
    """What a worker would refuse to publish is refused in the unit test."""
    with pytest.raises(ValueError, match="CreditsResetPayload by the catalogue"):
        await event_context().publish(Subjects.CREDITS_RESET, Order())
