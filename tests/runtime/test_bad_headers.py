"""Headers and sizes that no well-meaning client produces lose no event and no connection."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope
from glam_worker.dev.server import EmbeddedServer
from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int


def event() -> bytes:
    """An event as any service writes it."""
    return EventEnvelope.create(SUBJECT, Order(number=1), source_service="test").to_bytes()


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
        await publish_on_the_wire(worker.url, SUBJECT, block, event())
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
