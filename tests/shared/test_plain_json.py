"""The shortcut through the gate lets nothing pass that the gate would stop."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    field_validator,
)

from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.envelope import envelope_of
from glam_shared.messaging.plain_json import proves_strict
from glam_shared.messaging.strict_json import InvalidJsonError, check_json
from glam_shared.messaging.timestamps import UtcDatetime


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


def proved(data: bytes, model: type[BaseModel]) -> bool:
    """Whether a message that validates needs no second parse."""
    return proves_strict(data, envelope_of(model).__pydantic_validator__.validate_json(data))


@pytest.mark.parametrize("written", [compact(ENVELOPE), json.dumps(ENVELOPE, indent=1)])
def test_a_plain_message_is_proved_strict_without_the_gate(written: str) -> None:
    """
    A message whose keys are all taken by the models needs no second parse, however it is spaced.
    """
    assert proved(written.encode(), Order)


def test_a_long_plain_message_is_proved_strict_without_the_gate() -> None:
    """
    The same for tens of thousands of bytes.
    """
    long = {**ENVELOPE, "data": {"id": 1, "inner": {"city": "Ulm"}, "note": "n" * 50_000}}

    assert proved(compact(long).encode(), Order)


def test_a_message_in_another_zone_or_with_a_plain_moment_is_read() -> None:
    """
    What is not proved goes through the gate, and means the same.
    """
    there = {**ENVELOPE, "timestamp": "2026-11-01T14:00:00+02:00"}
    read = EventEnvelope[Order].from_bytes(compact(there).encode())

    assert read == EventEnvelope[Order].from_bytes(compact(ENVELOPE).encode())


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


class Size(StrEnum):
    SMALL = "small"


class Name(RootModel[str]):
    """A model without a key of its own."""


class Part(BaseModel):
    name: Name
    sku: str


class AsText(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    first: str
    second: str


class Elsewhere(BaseModel):
    first: int = Field(validation_alias=AliasPath("list", 0))
    second: int = Field(validation_alias=AliasPath("list", 1))
    third: int = Field(validation_alias=AliasChoices("third", "3rd"))


class Changed(BaseModel):
    first: Annotated[str, BeforeValidator(str)]


class ChangedBelow(BaseModel):
    first: str

    @field_validator("first", mode="before")
    @classmethod
    def as_text(cls, value: object) -> str:
        return str(value)


class Defaults(BaseModel):
    id: int
    status: str = "new"


class Moments(BaseModel):
    at: UtcDatetime
    paid_at: datetime


class Kinds(BaseModel):
    id: UUID
    kind: Literal["a", "b"]
    done: bool | None
    note: str | None = None
    size: Size = Size.SMALL


EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    Order: {"id": 1, "inner": {"city": "Ulm"}, "note": "n"},
    Part: {"name": "n", "sku": "s"},
    AsText: {"first": "1", "second": "2"},
    Elsewhere: {"list": [1, 2], "third": 3},
    Changed: {"first": "1"},
    ChangedBelow: {"first": "1"},
    Defaults: {"id": 1, "status": "old"},
    Moments: {"at": "2026-11-01T12:00:00Z", "paid_at": "2026-11-01T12:00:00Z"},
    Kinds: {"id": str(UUID(int=7)), "kind": "a", "done": True, "note": "n", "size": "small"},
}
MISSING = object()
INSTEAD = [MISSING, None, 1, 1700000000, "1", "small", "2026-11-01T12:00:00Z"]


@st.composite
def messages(draw: st.DrawFn) -> tuple[type[BaseModel], bytes]:
    """A message of some model with a few values written otherwise, and some keys twice."""
    model = draw(st.sampled_from(list(EXAMPLES)))
    inner = list(EXAMPLES[model].items())
    outer: list[tuple[str, Any]] = [one for one in ENVELOPE.items() if one[0] != "data"]
    members = draw(st.sampled_from([inner, inner, outer]))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(members) - 1))
        members[at] = (members[at][0], draw(st.sampled_from(INSTEAD)))
    if draw(st.booleans()):
        name, value = draw(st.sampled_from(members))
        members.insert(0, (name, draw(st.sampled_from([value, *INSTEAD]))))
    outer.append(("data", [one for one in inner if one[1] is not MISSING]))
    gap = draw(st.sampled_from(["", " "]))
    return model, _text([one for one in outer if one[1] is not MISSING], gap).encode()


def _text(members: Any, gap: str) -> str:
    if not isinstance(members, list) or not all(isinstance(one, tuple) for one in members):
        return json.dumps(members)
    written = (f"{json.dumps(key)}{gap}:{gap}{_text(value, gap)}" for key, value in members)
    return "{" + ",".join(written) + "}"


@settings(max_examples=2500, derandomize=True, deadline=None, database=None)
@given(messages())
def test_what_is_read_would_have_passed_the_gate(message: tuple[type[BaseModel], bytes]) -> None:
    """
    Whatever is written as what, and whichever key stands twice: the shortcut is none around it.
    """
    model, data = message
    try:
        envelope_of(model).from_bytes(data)
    except (InvalidJsonError, ValidationError):
        return
    check_json(data)
