"""The envelope: what it takes, what it writes."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticSerializationError

from glam_shared import correlation_scope
from glam_shared.messaging import EventEnvelope, MerchantCreatedPayload, Subjects
from glam_shared.messaging.envelope import envelope_of
from glam_shared.messaging.strict_json import InvalidJsonError

WIRE = (
    b'{"event_id":"3f0c","event_type":"evt.merchant.created.v1",'
    b'"correlation_id":"corr_0a1b2c3d4e5f","source_service":"merchant-service",\n'
    b' "timestamp":"2026-11-01T12:00:00Z","data":{"platform":{'
    b'"merchant_id":"6f1c2a34-9f3e-4e5b-8d0e-3f7a1b2c4d5e","platform_name":"shopify",\n'
    b' "platform_shop_id":"gid://shopify/Shop/1","domain":"shop-1.myshopify.com"},'
    b'"shop_name":"Shop 1","email":"owner@shop-1.example","country":"DE","currency":"EUR",'
    b'"timezone":"Europe/Berlin","platform_version":"2026-10","scopes":"read_products",'
    b'"status":"active"}}'
)
FIRST_SIX = ["event_id", "event_type", "correlation_id", "source_service", "timestamp", "data"]
Merchant = EventEnvelope[MerchantCreatedPayload]


def wire(**changes: Any) -> bytes:
    return json.dumps({**json.loads(WIRE), **changes}).encode()


def test_the_wire_example_is_read() -> None:
    """A message of an existing service, without metadata, is read into the payload's model."""
    event = Merchant.from_bytes(WIRE)

    assert ("3f0c", "evt.merchant.created.v1") == (event.event_id, event.event_type)
    assert ("corr_0a1b2c3d4e5f", "merchant-service") == (event.correlation_id, event.source_service)
    assert datetime(2026, 11, 1, 12, tzinfo=UTC) == event.timestamp
    assert {} == event.metadata
    assert UUID("6f1c2a34-9f3e-4e5b-8d0e-3f7a1b2c4d5e") == event.data.platform.merchant_id
    assert "Shop 1" == event.data.shop_name


def test_the_wire_example_is_written() -> None:
    """What is written is the example again, value for value, with metadata added."""
    written = json.loads(Merchant.from_bytes(WIRE).to_bytes())

    assert {**json.loads(WIRE), "metadata": {}} == written
    assert [*FIRST_SIX, "metadata"] == list(written)


def test_one_pass_over_the_bytes_is_enough() -> None:
    """The validator reads the message straight from its bytes."""
    event = Merchant.__pydantic_validator__.validate_json(WIRE)

    assert Merchant.from_bytes(WIRE) == event


def test_bare_envelopes_keep_data_as_a_dict() -> None:
    """Without a payload model data stays what JSON said."""
    event = EventEnvelope.from_bytes(WIRE)

    assert json.loads(WIRE)["data"] == event.data


@pytest.mark.parametrize("kind", [EventEnvelope, Merchant])
@pytest.mark.parametrize("name", FIRST_SIX)
@pytest.mark.parametrize("change", ["missing", "empty", "null"])
def test_the_first_six_fields_are_required(
    kind: type[EventEnvelope[Any]], name: str, change: str
) -> None:
    """An envelope without one of its first six fields, or with an empty one, is refused."""
    message = json.loads(WIRE)
    message[name] = {"missing": None, "null": None, "empty": {} if name == "data" else ""}[change]
    if change == "missing":
        del message[name]

    with pytest.raises(ValidationError, match=name):
        kind.from_bytes(json.dumps(message).encode())


class AllOptional(BaseModel):
    note: str = ""


class Nothing(BaseModel):
    pass


def test_empty_data_is_refused_even_if_no_field_is_required() -> None:
    """A payload model without required fields does not make `{}` acceptable."""
    with pytest.raises(ValidationError, match="data is empty"):
        EventEnvelope[AllOptional].from_bytes(wire(data={}))
    assert "x" == EventEnvelope[AllOptional].from_bytes(wire(data={"note": "x"})).data.note


def test_an_envelope_no_reader_would_take_is_not_made() -> None:
    """Data that would be written as `{}` is refused before it is published."""
    with pytest.raises(ValidationError, match="data is empty"):
        EventEnvelope.create("evt.x.y", Nothing(), source_service="s")
    with pytest.raises(ValidationError, match="data"):
        EventEnvelope.create("evt.x.y", {}, source_service="s")
    with pytest.raises(ValidationError, match="source_service"):
        EventEnvelope.create("evt.x.y", AllOptional(), source_service="")


@pytest.mark.parametrize("name", ["event_id", "correlation_id", "source_service"])
def test_any_text_that_is_not_empty_identifies(name: str) -> None:
    """Ids of other services need not look like ours."""
    assert "7" == getattr(EventEnvelope.from_bytes(wire(**{name: "7"})), name)


def test_a_timestamp_without_zone_is_utc() -> None:
    """A missing zone means UTC; another zone is converted."""
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)

    for written in ("2026-11-01T12:00:00", "2026-11-01T13:00:00+01:00"):
        found = EventEnvelope.from_bytes(wire(timestamp=written)).timestamp
        assert (noon, UTC.utcoffset(None)) == (found, found.utcoffset())


def test_a_new_envelope_identifies_itself() -> None:
    """A new event has a uuid4, a correlation id, the present in UTC, and its payload's model."""
    payload = Merchant.from_bytes(WIRE).data
    before = datetime.now(UTC)

    event = EventEnvelope.create(Subjects.MERCHANT_CREATED, payload, source_service="s")

    assert 4 == UUID(event.event_id).version
    assert event.correlation_id.startswith("corr_")
    assert before <= event.timestamp <= datetime.now(UTC)
    assert event.data is payload
    assert Merchant is type(event)
    assert event == Merchant.from_bytes(event.to_bytes())


def test_the_correlation_id_is_the_given_one_else_the_tasks() -> None:
    """An id given wins over the task's; neither is a reason to fail."""
    with correlation_scope("corr_task"):
        given = EventEnvelope.create("e.x", {"a": 1}, source_service="s", correlation_id="mine")
        from_task = EventEnvelope.create("e.x", {"a": 1}, source_service="s")

    assert ("mine", "corr_task") == (given.correlation_id, from_task.correlation_id)


class Named(BaseModel):
    model_config = ConfigDict(strict=True)
    shop_name: str = Field(alias="shopName")
    at: datetime
    key: UUID


def test_aliases_and_strict_models_make_the_round_trip() -> None:
    """A payload is written under its wire names, and a strict model is read from JSON."""
    payload = Named(shopName="s", at=datetime(2026, 1, 1, tzinfo=UTC), key=UUID(int=1))

    written = EventEnvelope.create("evt.x.y", payload, source_service="s").to_bytes()

    assert {"shopName", "at", "key"} == json.loads(written)["data"].keys()
    assert payload == EventEnvelope[Named].from_bytes(written).data


def test_errors_do_not_repeat_the_message() -> None:
    """What was wrong is told without what was found: it may be personal."""
    secret = "owner@secret.example"

    with pytest.raises(ValidationError) as of_fields:
        Merchant.from_bytes(wire(timestamp=secret, data={"shop_name": {"a": secret}}))
    with pytest.raises(InvalidJsonError) as of_json:
        Merchant.from_bytes(b'{"%s": NaN}' % secret.encode())
    with pytest.raises(InvalidJsonError) as of_keys:
        Merchant.from_bytes(b'{"%s": 1, "%s": 2}' % (secret.encode(), secret.encode()))

    assert "timestamp" in str(of_fields.value)
    for error in (of_fields.value, of_json.value, of_keys.value):
        assert secret not in str(error)


class Free(BaseModel):
    value: Any


@pytest.mark.parametrize(
    "value",
    [float("nan"), [float("inf")], "\x00", "\ud800", 10**5000, {"a": object()}],
    ids=["NaN", "Infinity", "NUL", "lone surrogate", "5001 digits", "no JSON"],
)
def test_what_our_readers_would_refuse_is_not_written(value: Any) -> None:
    """A payload that strict JSON cannot carry fails at its publisher, not at every reader."""
    event = EventEnvelope.create("evt.x.y", Free(value=value), source_service="s")

    with pytest.raises((InvalidJsonError, PydanticSerializationError)):
        event.to_bytes()


def test_numbers_a_float_cannot_hold_stay_exact_in_free_data() -> None:
    """A long number in a dict is a Decimal with every digit; others are as usual."""
    body = wire(data={"long": "L", "short": 0.25, "int": 2}).replace(
        b'"L"', b"12345678901234567.89"
    )

    data = EventEnvelope.from_bytes(body).data

    assert "12345678901234567.89" == str(data["long"])
    assert (0.25, 2) == (data["short"], data["int"])
    assert isinstance(data["short"], float)


def test_the_envelope_of_a_model_is_built_once() -> None:
    """The class for a payload is cached; that of a dict is the bare envelope."""
    assert envelope_of(Free) is envelope_of(Free) is EventEnvelope[Free]
    assert EventEnvelope is envelope_of(dict)


async def test_many_tasks_may_read_at_once() -> None:
    """Reading has no state: tasks in threads get their own event."""
    messages = [wire(event_id=f"e{number}") for number in range(200)]

    events = await asyncio.gather(
        *(asyncio.to_thread(Merchant.from_bytes, message) for message in messages)
    )

    assert [f"e{number}" for number in range(200)] == [event.event_id for event in events]
