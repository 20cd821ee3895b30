"""`client_internals.deliver_directly`: messages without a queue, against a real server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from glam_shared.messaging.client_internals import deliver_directly, drain, round_trip
from glam_shared.messaging.hardened_client import HardenedClient
from glam_worker.dev.server import EmbeddedServer
from tests.messaging.waiting import until


@pytest.fixture
async def connection(server: EmbeddedServer) -> AsyncIterator[Client]:
    client = HardenedClient()
    await client.connect(server.url, allow_reconnect=False)
    yield client
    await client.close()


async def test_messages_keep_their_order(connection: Client) -> None:
    """
    What is delivered directly comes in the order in which it was published, whatever its size.
    """
    taken: list[bytes] = []
    subscription = await connection.subscribe("order.>", pending_msgs_limit=1)
    deliver_directly(subscription, lambda _subject, _reply, body, _block: taken.append(body))

    sent = [str(number).encode() * (number % 500 + 1) for number in range(2000)]
    for number, data in enumerate(sent):
        await connection.publish(f"order.{number}", data)
    assert await round_trip(connection, 10)

    assert sent == taken
    assert 0 == subscription.pending_msgs == subscription.pending_bytes


async def test_no_limit_of_pending_bytes_applies(connection: Client) -> None:
    """
    A message larger than the subscription's limit of pending bytes is delivered.
    """
    taken: list[int] = []
    subscription = await connection.subscribe("large", pending_bytes_limit=10)
    deliver_directly(subscription, lambda _subject, _reply, body, _block: taken.append(len(body)))

    await connection.publish("large", bytes(1000))
    assert await round_trip(connection, 10)

    assert [1000] == taken


async def test_the_task_of_a_callback_subscription_ends(connection: Client) -> None:
    """
    A subscription that was made with a callback of nats-py's delivers directly only.
    """
    taken: list[str] = []

    async def never(_msg: Msg) -> None:
        taken.append("callback")

    subscription = await connection.subscribe("once", cb=never)
    deliver_directly(subscription, lambda *_message: taken.append("direct"))
    await connection.publish("once")
    assert await round_trip(connection, 10)

    await until(lambda: taken == ["direct"])
    assert subscription._wait_for_msgs_task is not None
    assert subscription._wait_for_msgs_task.done()


async def test_draining_takes_what_arrives_until_the_pong(connection: Client) -> None:
    """
    `drain` returns when everything sent before the server heard of it is taken.
    """
    taken: list[bytes] = []
    subscription = await connection.subscribe("flow")
    deliver_directly(subscription, lambda _subject, _reply, body, _block: taken.append(body))
    assert await round_trip(connection, 10)

    for number in range(5000):
        await connection.publish("flow", str(number).encode())
    assert await drain(subscription, 10)

    assert [str(number).encode() for number in range(5000)] == taken


async def test_nothing_comes_after_unsubscribing(connection: Client) -> None:
    """
    `unsubscribe()` ends direct delivery at once.
    """
    taken: list[bytes] = []
    subscription = await connection.subscribe("off")
    deliver_directly(subscription, lambda _subject, _reply, body, _block: taken.append(body))
    await subscription.unsubscribe()

    await connection.publish("off", b"late")
    assert await round_trip(connection, 10)

    assert [] == taken


async def test_an_exception_harms_neither_neighbours_nor_the_read_loop(
    connection: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What the callback raises is logged; the next message is taken and the connection lives.
    """
    taken: list[bytes] = []

    def take(_subject: str, _reply: str, body: bytes, _block: bytes) -> None:
        if body == b"bad":
            raise RuntimeError("cannot take this one")
        taken.append(body)

    subscription = await connection.subscribe("mixed")
    deliver_directly(subscription, take)
    with caplog.at_level(logging.ERROR, "glam_shared.messaging.wire_reader"):
        for data in (b"1", b"bad", b"2"):
            await connection.publish("mixed", data)
        assert await round_trip(connection, 10)

    assert [b"1", b"2"] == taken
    assert "cannot take this one" in caplog.text
    assert not connection._reading_task.done()  # type: ignore[union-attr]


async def test_delivery_goes_on_after_a_reconnect(server: EmbeddedServer) -> None:
    """
    The subscription delivers directly on the next connection, too.
    """
    back = asyncio.Event()

    async def reconnected() -> None:
        back.set()

    client = HardenedClient()
    await client.connect(server.url, reconnected_cb=reconnected)
    taken: list[bytes] = []
    deliver_directly(
        await client.subscribe("again"), lambda _subject, _reply, body, _block: taken.append(body)
    )

    await client.force_reconnect()
    await asyncio.wait_for(back.wait(), 10)
    await client.publish("again", b"there")
    assert await round_trip(client, 10)

    assert [b"there"] == taken
    await client.close()
