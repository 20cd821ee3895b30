"""Nothing in a message can crash, hang or confuse a worker: what cannot be read is a letter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int
    note: str = ""
    price: float = 0.0


class Picky(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def _refuse(cls, value: int) -> int:
        if value < 0:
            raise RuntimeError("a validator that raises what it likes")
        return value


ENVELOPE: dict[str, Any] = {
    "event_id": "3f0c8a52-3a1e-4a63-9f0e-1c2d3e4f5a6b",
    "event_type": SUBJECT,
    "correlation_id": "corr_0a1b2c3d4e5f",
    "source_service": "shop",
    "timestamp": "2026-11-01T12:00:00Z",
    "data": {"number": 1},
}


def body(**changes: Any) -> bytes:
    """The good envelope with these fields changed; None leaves one out."""
    fields = {name: value for name, value in (ENVELOPE | changes).items() if value is not None}
    return json.dumps(fields).encode()


def with_data(text: str) -> bytes:
    """The good envelope with the data written by hand."""
    return body(data="@").replace(b'"@"', text.encode())


DEEP = 100_000

INVALID = {
    "empty": b"",
    "white space": b" \n\t ",
    "not JSON": b"order 7 please",
    "cut short": body()[:-10],
    "two documents": body() + body(),
    "trailing junk": body() + b" junk",
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "a text": b'"order"',
    "no field": b"{}",
    "byte order mark": b"\xef\xbb\xbf" + body(),
    "UTF-16": body().decode().encode("utf-16"),
    "invalid UTF-8": body(data={"number": 1, "note": "@"}).replace(b"@", b"\xff\xfe"),
    "lone surrogate": with_data('{"number": 1, "note": "\\ud800"}'),
    "NUL in text": with_data('{"number": 1, "note": "\\u0000"}'),
    "raw NUL": body() + b"\x00",
    "NaN": with_data('{"number": 1, "price": NaN}'),
    "Infinity": with_data('{"number": 1, "price": -Infinity}'),
    "a number beyond doubles": with_data('{"number": 1, "price": 1e400}'),
    "5000 digits": with_data('{"number": ' + "7" * 5000 + "}"),
    "5000 digits in a field nobody reads": with_data('{"number": 1, "more": ' + "7" * 5000 + "}"),
    "deep list": b"[" * DEEP + b"]" * DEEP,
    "deep list inside of data": with_data('{"number": 1, "x": ' + "[" * DEEP + "]" * DEEP + "}"),
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and open": b"[" * DEEP,
    "duplicate keys": body()[:-1] + b', "event_type": "evt.order.placed.v1"}',
    "duplicate keys in data": with_data('{"number": 1, "number": 2}'),
    "other event_type": body(event_type="evt.order.cancelled.v1"),
    "event_type in other case": body(event_type="evt.order.Placed.v1"),
    "data of another type": body(data={"number": "many"}),
    "data without its field": body(data={"note": "x"}),
    "data is a list": body(data=[1, 2]),
    "data is empty": body(data={}),
    "event_id is a number": body(event_id=7),
    "event_id is empty": body(event_id=""),
    "timestamp is no time": body(timestamp="yesterday"),
    **{f"without {name}": body(**{name: None}) for name in ENVELOPE},
}


@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID.keys())
async def test_what_cannot_be_read_is_a_letter_at_once(worker: WorkerFactory, bad: bytes) -> None:
    """Bytes that are no such event become a letter ``invalid`` with the bytes as they were.

    The handler is not called for them, there is no second try, and the events around them are
    handled.
    """
    seen: list[int] = []

    @worker.on(SUBJECT, Order, concurrency=2)
    async def place(order: Order) -> None:
        seen.append(order.number)

    async with worker(service="shop") as bench:
        before = await bench.publish(SUBJECT, Order(number=1))
        stored = await bench.publish_raw(SUBJECT, bad, {"X-Tenant": "7"})
        after = await bench.publish(SUBJECT, Order(number=2))
        settled = await bench.finished(stored)
        good = [(await bench.finished(event)).outcome for event in (before, after)]
        letters = await bench.dead_letters()
        parked = await bench.parked()
        seen_of_bad = bench.settlements(stored)

    assert good == ["ack", "ack"]
    assert sorted(seen) == [1, 2]
    assert (settled.outcome, settled.reason, settled.ran) == ("dead_letter", "invalid", False)
    assert len(seen_of_bad) == 1
    assert parked == []
    (letter,) = letters
    assert letter.body == bad
    assert (letter.reason, letter.attempts) == ("invalid", 1)
    assert (letter.about.service, letter.handler) == ("shop", "place")
    assert (letter.about.stream, letter.about.sequence) == stored
    assert letter.about.subject == SUBJECT
    assert letter.headers["X-Tenant"] == "7"
    assert letter.about.error


@pytest.mark.parametrize(
    "good",
    [
        body(),
        body(metadata={"k": [None, {"deep": 1}]}),
        body(more="fields that nobody knows yet"),
        body(data={"number": 1, "more": "fields"}),
        body(timestamp="2026-11-01T12:00:00"),
        body(timestamp="2026-11-01T12:00:00.123456+02:00"),
        body(data={"number": 1, "note": "größe 📦 \u2028"}),
        json.dumps(ENVELOPE, ensure_ascii=False, indent=2).encode() + b"\n",
        with_data('{"number": 123456789012345678901234567890}'),
    ],
)
async def test_what_other_services_write_is_read(worker: WorkerFactory, good: bytes) -> None:
    """Unknown fields, times without zone, big integers and any text are no reason to refuse."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    async with worker() as bench:
        settled = await bench.finished(await bench.publish_raw(SUBJECT, good))

    assert settled.outcome == "ack"


async def test_a_validator_that_raises_anything_makes_a_letter(worker: WorkerFactory) -> None:
    """An error of the user's model is bad input, not a failure of the worker."""

    @worker.on(SUBJECT, Picky)
    async def place(order: Picky) -> None: ...

    async with worker() as bench:
        settled = await bench.finished(await bench.publish(SUBJECT, {"number": -1}))

    assert (settled.outcome, settled.reason) == ("dead_letter", "invalid")


async def test_data_that_does_not_fit_keeps_its_ids_in_the_letter(worker: WorkerFactory) -> None:
    """Where the envelope tells event id and correlation id, the letter has them."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    async with worker() as bench:
        await bench.finished(await bench.publish_raw(SUBJECT, body(data={"number": "x"})))
        (letter,) = await bench.dead_letters()

    assert letter.about.event_id == ENVELOPE["event_id"]
    assert letter.about.correlation_id == ENVELOPE["correlation_id"]
    assert letter.about.error == "ValidationError"
    assert letter.about.message == (
        "data.number: Input should be a valid integer, unable to parse string as an integer"
    )


async def test_bad_input_on_a_wildcard_is_told_by_its_own_subject(worker: WorkerFactory) -> None:
    """The event type is compared with the subject the event came on, not with the filter."""

    @worker.on("evt.order.>", Order)
    async def place(order: Order) -> None: ...

    async with worker() as bench:
        fine = await bench.publish("evt.order.moved.v1", Order(number=1))
        wrong = await bench.publish_raw("evt.order.moved.v1", body())
        outcomes = [(await bench.finished(one)).outcome for one in (fine, wrong)]
        (letter,) = await bench.dead_letters()

    assert outcomes == ["ack", "dead_letter"]
    assert letter.subject == "dlq.order.moved.v1"
