"""The shortcut through the gate lets nothing pass that the gate would stop."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.plain_json import proves_strict
from glam_shared.messaging.strict_json import InvalidJsonError


class Inner(BaseModel):
    city: str


class Order(BaseModel):
    id: int
    inner: Inner
    note: str | None = None
    total: float = 0.0
    extra: dict[str, Any] = {}


ENVELOPE = {
    "event_id": "e1",
    "event_type": "evt.order.placed.v1",
    "correlation_id": "c1",
    "source_service": "shop",
    "timestamp": "2026-11-01T12:00:00Z",
    "data": {"id": 1, "inner": {"city": "Ulm"}},
}


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def test_a_plain_message_is_proved_strict_without_the_gate() -> None:
    """
    A compact message whose keys are all taken by the models needs no second parse.
    """
    data = compact(ENVELOPE).encode()

    assert proves_strict(data, EventEnvelope[Order].__pydantic_validator__.validate_json(data))


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ('"id":1', '"id":1,"id":2'),
        ('"id":1', '"id" :1,"id":2'),
        ('"id":1', '"id"\n:1,"id":2'),
        ('"city":"Ulm"', '"city":"Ulm","city":"Bonn"'),
        ('"event_id":"e1"', '"event_id":"e1","event_id":"e2"'),
        ('"data":', '"metadata":{"a":1,"a":2},"data":'),
        ('"id":1', '"id":1,"other":{"a":1,"a":2}'),
        ('"city":"Ulm"', '"city":"U\\u0000m"'),
        ('"id":1', '"id":1,"total":NaN'),
        ('"id":1', '"id":1,"extra":{"x":Infinity}'),
        ('"id":1', '"id":1,"extra":{"x":1e400}'),
        ('"id":1', '"id":1,"unknown":1e400'),
    ],
)
def test_what_the_gate_stops_is_never_proved(found: str, instead: str) -> None:
    """
    Duplicate keys, NUL, NaN and numbers out of range are refused however the message is written.
    """
    data = compact(ENVELOPE).replace(found, instead, 1).encode()

    with pytest.raises(InvalidJsonError):
        EventEnvelope[Order].from_bytes(data)
