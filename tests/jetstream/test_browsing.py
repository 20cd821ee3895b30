"""Walking through a stream, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_shared.messaging.client import Message
from glam_worker.dev.server import EmbeddedServer
from glam_worker.jetstream.browsing import browse


async def filled(client: JetStreamClient, count: int, body: bytes = b"x") -> None:
    config = {"name": "S", "subjects": ["a.>"], "storage": "file"}
    await client.api("STREAM.CREATE.S", config)
    messages = (
        Message(f"a.{number % 2}", body, {"Number": str(number), "Nats-Msg-Id": f"{number}"})
        for number in range(count)
    )
    await client.publish_all(messages, lambda _ack: None)


async def started_again(server: EmbeddedServer, client: JetStreamClient) -> None:
    """Kill the server, start it, and wait until the client has a new connection."""
    epoch = client.epoch
    server.kill()
    server.start()
    async with asyncio.timeout(20):
        while client.epoch == epoch:
            await asyncio.sleep(0.01)


async def consumers(client: JetStreamClient) -> int:
    info = await client.api("STREAM.INFO.S")
    return int(info["state"]["consumer_count"])


@pytest.fixture
async def client(nats_url: str) -> JetStreamClient:
    client = JetStreamClient()
    await client.connect(nats_url)
    return client


async def test_every_message_comes_once_and_in_order(client: JetStreamClient) -> None:
    """
    A walk over several batches gives each message of the filter, in the stream's order.
    """
    async with client:
        await filled(client, 2100)

        walked = [message async for message in browse(client, "S", "a.1")]

        assert list(range(2, 2101, 2)) == [message.sequence for message in walked]
        assert b"\r\nNumber: 1\r\n" in walked[0].headers
        assert {"a.1"} == {message.subject for message in walked}
        assert 0 == await consumers(client)


async def test_an_empty_walk_ends(client: JetStreamClient) -> None:
    """
    Where nothing is on the subject, or nothing is left behind the first sequence, it ends at once.
    """
    async with client:
        await filled(client, 3)

        assert [] == [message async for message in browse(client, "S", "a.none")]
        assert [] == [message async for message in browse(client, "S", "a.>", first=4)]


async def test_headers_alone_come_without_bodies(client: JetStreamClient) -> None:
    """
    Without bodies the server sends headers, and the size of what it leaves out.
    """
    async with client:
        await filled(client, 1, body=bytes(100_000))

        (message,) = [one async for one in browse(client, "S", "a.>", bodies=False)]

        assert b"" == message.body
        assert b"Nats-Msg-Size: 100000" in message.headers


async def test_large_bodies_come_in_several_requests(client: JetStreamClient) -> None:
    """
    A request is bounded in bytes, and the walk goes on behind it.
    """
    async with client:
        await filled(client, 24, body=bytes(900_000))

        sizes = [len(message.body) async for message in browse(client, "S", "a.>")]

        assert [900_000] * 24 == sizes


async def test_a_walk_that_is_left_early_leaves_nothing_on_the_server(
    client: JetStreamClient,
) -> None:
    """
    Its consumer is deleted when it is closed.
    """
    async with client:
        await filled(client, 600)
        async with contextlib.aclosing(browse(client, "S", "a.>")) as walk:
            first = await anext(walk)
            assert 1 == await consumers(client)

        assert 1 == first.sequence
        assert 0 == await consumers(client)


async def test_a_stream_that_is_missing_is_not_found(client: JetStreamClient) -> None:
    """
    The server's answer comes to whoever walks.
    """
    async with client:
        with pytest.raises(NotFound):
            await anext(browse(client, "NONE", "a.>"))


async def test_a_walk_goes_on_after_the_server_came_back(tmp_path: Path) -> None:
    """
    A server that is killed and started again in the middle loses, repeats and reorders nothing,
    although it forgot the consumer.
    """
    with EmbeddedServer(tmp_path / "nats") as server:
        async with JetStreamClient() as client:
            await client.connect(server.url)
            await filled(client, 1500)
            walked = []
            async with contextlib.aclosing(browse(client, "S", "a.>")) as walk:
                async for message in walk:
                    walked.append(message.sequence)
                    if message.sequence == 300:
                        await started_again(server, client)

            assert list(range(1, 1501)) == walked
