"""Nothing in a message can crash, hang or confuse a worker: what cannot be read is a letter."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel, field_validator

from glam_worker.dev.server import EmbeddedServer
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


@pytest.mark.parametrize(
    "headers",
    [
        {"Status": "404"},
        {"Status": "404", "Description": "No Messages"},
        {"Status": "408"},
        {"Status": "409", "Description": "Consumer Deleted"},
        {"Status": "500"},
        {"Status": "100"},
        {"Status": "503"},
        {"Description": "x"},
        {"Nats-Pending-Messages": "17", "Nats-Pending-Bytes": "99"},
        {"X-Empty": "", "X-Long": "x" * 20_000},
        {"X-Name": "größe"},
    ],
    ids=str,
)
async def test_headers_named_like_the_protocols_change_nothing(
    worker: WorkerFactory, headers: dict[str, str]
) -> None:
    """A publisher's ``Status`` or ``Description`` header does not hide the event."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    async with worker() as bench:
        event = await bench.publish(SUBJECT, Order(number=1), headers=headers)
        after = await bench.publish(SUBJECT, Order(number=2))
        outcomes = [(await bench.finished(one)).outcome for one in (event, after)]
        received = len(bench.facts.received)

    assert outcomes == ["ack", "ack"]
    assert received == 2


@pytest.mark.parametrize(
    "block",
    [
        b"NATS/1.0\r\nNo-Colon\r\n\r\n",
        b"NATS/1.0\r\nX-Bytes: \xff\xfe\r\n\r\n",
        b"NATS/1.0\r\n: nameless\r\n\r\n",
        b"NATS/1.0\r\nTwice: 1\r\nTwice: 2\r\n\r\n",
        b"NATS/1.0 404 No Messages\r\n\r\n",
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0 \r\n\r\n",
    ],
    ids=repr,
)
async def test_header_bytes_that_no_client_writes_lose_nothing(
    worker: WorkerFactory, block: bytes
) -> None:
    """An event whose header block is odd or malformed is settled, and so is the next one."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    async with worker() as bench:
        await publish_on_the_wire(worker.url, SUBJECT, block, body())
        after = await bench.publish(SUBJECT, Order(number=2))
        assert (await bench.finished(after)).outcome == "ack"
        await bench.idle()


async def publish_on_the_wire(url: str, subject: str, headers: bytes, payload: bytes) -> None:
    """HPUB by hand, as a client with other ideas would."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    user = json.dumps({"user": parts.username, "pass": parts.password, "headers": True})
    size = f"{len(headers)} {len(headers) + len(payload)}"
    writer.write(f"CONNECT {user}\r\nHPUB {subject} {size}\r\n".encode())
    writer.write(headers + payload + b"\r\nPING\r\n")
    async with asyncio.timeout(10):
        while (line := await reader.readline()) != b"PONG\r\n":
            assert line.startswith((b"INFO", b"+OK")), line
    writer.close()
    await writer.wait_closed()


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


def padded(size: int) -> bytes:
    """An invalid event of exactly so many bytes."""
    return b"x" * size


@pytest.mark.parametrize("short_of", [0, 1, 300, 2000])
async def test_a_body_as_large_as_the_server_allows_gets_its_letter(
    worker: WorkerFactory, own_server: Callable[..., EmbeddedServer], short_of: int
) -> None:
    """An event without room for a letter's headers is kept by reference, or with fewer words.

    The connection outlives it, and other events are handled.
    """
    limit = 64 * 1024
    server = own_server(max_payload=limit)

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    async with worker(servers=server.url) as bench:
        bad = padded(limit - short_of)
        stored = await publish_bare(server.url, SUBJECT, bad)
        after = await bench.publish(SUBJECT, Order(number=2))
        outcome = await bench.finished((await bench.until(lambda: bench.facts.received))[0])
        assert (await bench.finished(after)).outcome == "ack"
        (letter,) = await bench.dead_letters()

    assert stored == outcome.sequence
    assert outcome.reason == letter.reason == "invalid"
    if short_of == 2000:
        assert letter.body == bad
    else:
        assert letter.about.reference is not None
        assert letter.body == b""
        assert letter.about.reference.sha256 == hashlib.sha256(bad).hexdigest()
        assert letter.about.reference.kept_until is not None
        assert (letter.about.stream, letter.about.sequence) == outcome.stored


async def publish_bare(url: str, subject: str, payload: bytes) -> int:
    """Publish without any header, as the largest message a server takes must be; its sequence."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b'CONNECT {"verbose": false}\r\nSUB test.answer 1\r\n')
    writer.write(f"PUB {subject} test.answer {len(payload)}\r\n".encode() + payload + b"\r\n")
    async with asyncio.timeout(10):
        while not (line := await reader.readline()).startswith(b"{"):
            assert not line.startswith(b"-ERR"), line
    writer.close()
    await writer.wait_closed()
    return int(json.loads(line)["seq"])
