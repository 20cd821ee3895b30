"""Events, and letters about events, as publishers write them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any
from uuid import RFC_4122, UUID, uuid4

import pytest
from pydantic import BaseModel

from glam_shared import correlation_scope
from glam_shared.errors import DomainError
from glam_shared.messaging import (
    EventEnvelope,
    EventPublisher,
    JetStreamClient,
    Publisher,
    Subjects,
)
from glam_shared.messaging.broker_errors import BulkFailed, MessageTooLarge
from glam_shared.messaging.dead_letter import DeadLetter
from glam_shared.messaging.events import (
    CreditsResetPayload,
    ErrorPayload,
    EventPlatform,
    MerchantCreatedPayload,
)
from glam_shared.messaging.publisher import HEADROOM, Outgoing


class Parcel(BaseModel):
    """A payload outside the catalogue."""

    number: int
    content: str = ""


MERCHANT = MerchantCreatedPayload(
    platform=EventPlatform(
        merchant_id=UUID("6f1c2a34-9f3e-4e5b-8d0e-3f7a1b2c4d5e"),
        platform_name="shopify",
        platform_shop_id="gid://shopify/Shop/1",
        domain="shop-1.myshopify.com",
    ),
    shop_name="Shop 1",
    email="shop@example.com",
    country="DE",
    currency="EUR",
    timezone="Europe/Berlin",
    platform_version="2026-10",
    scopes="read_products",
    status="active",
)


@pytest.fixture
def publisher(client: JetStreamClient) -> EventPublisher:
    return EventPublisher(client, "merchant-service")


async def message(client: JetStreamClient, sequence: int = 1) -> tuple[str, bytes, dict[str, str]]:
    """Subject, body and headers of a stored message."""
    found = await client.js.get_msg("EVENTS", sequence)
    return str(found.subject), found.data or b"", dict(found.headers or {})


async def test_event(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    The stored body is the envelope of the catalogued payload, its id is in the headers.
    """
    event_id = await publisher.publish_event(
        Subjects.MERCHANT_CREATED, MERCHANT, correlation_id="corr_1", metadata={"cause": "x"}
    )

    subject, body, headers = await message(client)
    read = EventEnvelope[MerchantCreatedPayload].from_bytes(body)
    assert "evt.merchant.created.v1" == subject == read.event_type
    assert (event_id, "corr_1", "merchant-service") == (
        read.event_id,
        read.correlation_id,
        read.source_service,
    )
    assert (MERCHANT, {"cause": "x"}) == (read.data, read.metadata)
    assert {"Nats-Msg-Id": f"evt.merchant.created.v1:{event_id}"} == headers
    assert (4, RFC_4122, event_id) == (
        UUID(event_id).version,
        UUID(event_id).variant,
        str(UUID(event_id)),
    )


async def test_headers(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    Headers of the caller go along, except those that would speak to the server or to workers.
    """
    headers = {"traceparent": "00-1", "Nats-TTL": "1s", "Glam-Attempts": "9", "nats-msg-id": "x"}
    event_id = await publisher.publish_event("evt.a", Parcel(number=1), headers=headers)

    assert {"traceparent": "00-1", "Nats-Msg-Id": f"evt.a:{event_id}"} == (await message(client))[2]


async def test_correlation_id(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    The correlation id is the argument's, else the context's, else a new one.
    """
    with correlation_scope("corr_context"):
        await publisher.publish_event("evt.a", Parcel(number=1), "corr_argument")
        await publisher.publish_event("evt.a", Parcel(number=2))
    await publisher.publish_event("evt.a", Parcel(number=3))

    ids = [json.loads((await message(client, n))[1])["correlation_id"] for n in (1, 2, 3)]
    assert ["corr_argument", "corr_context"] == ids[:2]
    assert ids[2].startswith("corr_")
    assert ids[2] not in ids[:2]


async def test_published_twice(
    client: JetStreamClient, publisher: EventPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    """
    An id that the stream has already is stored once, logged and counted; the same id on another
    subject is another event.
    """
    event_id = str(uuid4())
    with caplog.at_level(logging.WARNING, "glam_shared.messaging"):
        for subject in ("evt.a", "evt.a", "evt.b"):
            assert event_id == await publisher.publish_event(
                subject, Parcel(number=1), event_id=event_id
            )

    assert 2 == (await client.get_stream_info("EVENTS")).messages
    assert (3, 1, 0) == (
        publisher.stats.published,
        publisher.stats.duplicates,
        publisher.stats.failed,
    )
    assert publisher.stats.seconds > 0
    assert 1 == caplog.text.count("stream EVENTS has the event already")


@pytest.mark.parametrize(
    ("subject", "payload", "why"),
    [
        ("order.placed", Parcel(number=1), "begins with evt., cmd. or dlq."),
        ("", Parcel(number=1), "begins with"),
        ("evt", Parcel(number=1), "begins with"),
        (Subjects.MERCHANT_CREATED, Parcel(number=1), "MerchantCreatedPayload, not Parcel"),
        (Subjects.CREDITS_RESET, MERCHANT, "CreditsResetPayload, not MerchantCreatedPayload"),
        (Subjects.MERCHANT_CREATED, {"shop_name": "x"}, "MerchantCreatedPayload, not dict"),
        ("evt.a", "text", "a pydantic model, not str"),
        ("evt.a", {}, "data: Dictionary should have at least 1 item"),
        ("evt.a", Parcel(number=1, content="\x00"), "cannot be published"),
        ("evt.a", {"x": float("nan")}, "cannot be published"),
        ("evt.a", Parcel(number=1, content="\ud800"), "cannot be published"),
    ],
)
async def test_events_nobody_could_read(
    publisher: EventPublisher, subject: str, payload: Any, why: str
) -> None:
    """
    A wrong subject, a payload that is not the catalogued one, and text no reader takes are errors
    of the caller's domain, before anything is sent.
    """
    with pytest.raises(DomainError, match=why) as refused:
        await publisher.publish_event(subject, payload)

    assert ("EVENT_INVALID", 422) == (refused.value.code, refused.value.status)
    assert (0, 1) == (publisher.stats.published, publisher.stats.failed)


async def test_room_is_left_for_headers(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    16 KiB of the server's limit stay free: retries and letters add headers to the same body.
    """
    with pytest.raises(MessageTooLarge) as refused:
        await publisher.publish_event("evt.a", Parcel(number=1, content="x" * client.max_payload))
    assert client.max_payload - HEADROOM == refused.value.limit

    excess = refused.value.size - refused.value.limit
    await publisher.publish_event(
        "evt.a", Parcel(number=1, content="x" * (client.max_payload - excess))
    )
    assert 1 == client.epoch


async def test_any_model_and_mapping_outside_the_catalogue(
    client: JetStreamClient, publisher: EventPublisher
) -> None:
    """
    A subject outside the catalogue takes any model, or a mapping.
    """
    await publisher.publish_event("cmd.parcel.send.v1", Parcel(number=7))
    await publisher.publish_event("cmd.parcel.send.v1", {"number": 8})

    data = [json.loads((await message(client, n))[1])["data"] for n in (1, 2)]
    assert [{"number": 7, "content": ""}, {"number": 8}] == data


async def test_subclass(client: JetStreamClient) -> None:
    """
    A publisher may be a class that names its service.
    """

    class ShopPublisher(Publisher):
        service_name = "shop"

    await ShopPublisher(client).publish_event("evt.a", Parcel(number=1))

    assert "shop" == json.loads((await message(client))[1])["source_service"]


# --- many ---


async def test_many(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    5,000 events are all stored, in order, each under an id of its own.
    """
    ids = await publisher.publish_many(
        (("evt.a", Parcel(number=number)) for number in range(5000)), correlation_id="corr_bulk"
    )

    assert 5000 == (await client.get_stream_info("EVENTS")).messages == len(set(ids))
    last = json.loads((await message(client, 5000))[1])
    assert (ids[-1], "corr_bulk", 4999) == (
        last["event_id"],
        last["correlation_id"],
        last["data"]["number"],
    )
    assert (5000, 0) == (publisher.stats.published, publisher.stats.failed)


async def test_many_with_options(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    An item may bring its own ids, metadata and headers.
    """
    item = Outgoing("evt.a", Parcel(number=1), "corr_own", {"own": 1}, "id-1", {"A": "b"})
    assert ["id-1"] == await publisher.publish_many([item], correlation_id="corr_bulk")

    _subject, body, headers = await message(client)
    assert {"A": "b", "Nats-Msg-Id": "evt.a:id-1"} == headers
    read = json.loads(body)
    assert ("corr_own", {"own": 1}) == (read["correlation_id"], read["metadata"])


async def test_many_with_a_wrong_one(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    What came before an event nobody could read is stored, and the error names its position.
    """
    items = [("evt.a", Parcel(number=1)), ("wrong", Parcel(number=2)), ("evt.a", Parcel(number=3))]

    with pytest.raises(BulkFailed, match="number 1: ") as failed:
        await publisher.publish_many(items)

    assert not failed.value.retryable
    assert 1 == (await client.get_stream_info("EVENTS")).messages
    assert (1, 1) == (publisher.stats.published, publisher.stats.failed)


# --- letters ---


async def letter(client: JetStreamClient, sequence: int = 1) -> tuple[DeadLetter, ErrorPayload]:
    """What the letter says, and its body."""
    subject, body, headers = await message(client, sequence)
    return (
        DeadLetter.from_message(subject, headers, body),
        EventEnvelope[ErrorPayload].from_bytes(body).data,
    )


async def test_letter(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    A letter lies at the original subject with its first token alone replaced, and says what failed.
    """
    payload = ErrorPayload(
        platform=MERCHANT.platform,
        error_code="E1",
        error_message="no such shop",
        failed_operation="provision",
        original_data={"evt": 1},
    )
    event_id = await publisher.publish_to_dlq(
        "evt.evt.created.v1", payload, "corr_1", ValueError("no such shop")
    )

    said, body = await letter(client)
    assert "dlq.evt.created.v1" == (await message(client))[0]
    assert ("evt.evt.created.v1", "rejected", "merchant-service") == (
        said.subject,
        said.reason,
        said.service,
    )
    assert (event_id, "corr_1", "ValueError") == (said.event_id, said.correlation_id, said.error)
    assert payload == body
    assert said.failed_at is not None
    assert abs((datetime.now(UTC) - said.failed_at).total_seconds()) < 60


class Unspeakable(Exception):
    """Raises when it is asked what it is."""

    def __str__(self) -> str:
        raise RuntimeError("cannot say")

    __repr__ = __str__


def _broken_payload() -> ErrorPayload:
    broken = ErrorPayload.model_construct(error_code="E\x00\ud800")  # type: ignore[call-arg]
    broken.original_data = {"nan": float("nan"), "self": object(), "huge": 10**5000}
    return broken


def _endless() -> dict[str, Any]:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    return endless


CORRUPT: list[tuple[Any, Any, Any, Any]] = [
    ("evt.a", {}, None, ""),
    ("evt.a\r\nPING \x00.b", {"error_code": 5}, "corr\r\n\x00\ud800", "text\x00"),
    ("", {"original_data": _endless()}, "", Unspeakable()),
    ("evt..>.*", {"retry_count": "many"}, 7, ValueError("\ud800\x00\r\nNats-TTL: 1s")),
    ("evt." + "x" * 9000, _broken_payload(), "c" * 9000, ValueError("y" * 3_000_000)),
    (None, {"original_data": {"big": "z" * 3_000_000}, "platform": "none"}, None, RuntimeError()),
    ("evt.\ud800", {"error_message": "m" * 3_000_000}, "corr", Unspeakable()),
]


@pytest.mark.parametrize(("subject", "payload", "correlation_id", "error"), CORRUPT)
async def test_letter_about_something_corrupt(
    client: JetStreamClient,
    publisher: EventPublisher,
    subject: Any,
    payload: Any,
    correlation_id: Any,
    error: Any,
) -> None:
    """
    However corrupt the event, its ids or the error are: the letter is stored and can be read.
    """
    await publisher.publish_to_dlq(subject, payload, correlation_id, error)

    said, body = await letter(client)
    assert "rejected" == said.reason
    assert said.event_id
    assert said.correlation_id
    assert body.error_code
    assert 1 == client.epoch


async def test_letter_keeps_what_fits(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    Data that does not fit is left out before the message is.
    """
    payload = {
        "error_code": "E1",
        "error_message": "kept",
        "failed_operation": "op",
        "retry_count": 2,
        "original_data": {"big": "z" * client.max_payload},
    }
    await publisher.publish_to_dlq("evt.a", payload, None, "text")

    _said, body = await letter(client)
    assert ("E1", "kept", 2, None) == (
        body.error_code,
        body.error_message,
        body.retry_count,
        body.original_data,
    )


async def test_catalogued_money(client: JetStreamClient, publisher: EventPublisher) -> None:
    """
    Exact amounts arrive exactly.
    """
    payload = CreditsResetPayload.model_validate(
        {
            "platform": MERCHANT.platform,
            "balance": "0.10",
            "reset_at": datetime(2026, 11, 1, tzinfo=UTC),
            "period": "monthly",
        }
    )
    await publisher.publish_event(Subjects.CREDITS_RESET, payload)

    read = EventEnvelope[CreditsResetPayload].from_bytes((await message(client))[1])
    assert payload == read.data
