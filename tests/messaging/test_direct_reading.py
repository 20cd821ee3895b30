"""What comes while nobody is behind with reading is taken at once, and nothing is overtaken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nats.aio.client import Client

from glam_shared.messaging import client_internals
from glam_shared.messaging.wire_reader import WireReader

SENT = (
    b"MSG evt.1 7 1\r\n1\r\n"
    b"MSG evt.2 7 1\r\n2\r\n"
    b"MSG evt.3 8 1\r\n3\r\n"
    b"MSG evt.4 7 1\r\n4\r\n"
    b"PING\r\n"
    b"MSG evt.5 7 1\r\n5\r\n"
    b"MSG evt.6 8 1\r\n6\r\n"
)
ORDER = [b"1", b"2", b"3", b"4", "ping", b"5", b"6"]


class Reading:
    """A client whose transport is a stream that the test feeds, and its read loop."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.stream = self._io_reader = asyncio.StreamReader()
        self._transport = self
        self.reader = WireReader(self)
        self.reader.takers["7"] = lambda *message: self.seen.append(message[2])
        client: Any = self
        client_internals.read_directly(client, self.reader.take)
        self.loop = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while piece := await self.stream.read(1024):
            await self.reader.parse(piece)

    async def _process_ping(self) -> None:
        await asyncio.sleep(0)
        self.seen.append("ping")

    async def _process_msg(self, *message: Any) -> None:
        await asyncio.sleep(0)
        self.seen.append(message[3])

    async def end(self) -> list[Any]:
        """Everything in the order in which it was taken."""
        self.stream.feed_eof()
        await self.loop
        return self.seen


async def test_taken_as_it_comes() -> None:
    """
    Messages are taken before the read loop has its turn, up to the first that goes nats-py's way.
    """
    reading = Reading()
    await asyncio.sleep(0)

    reading.stream.feed_data(SENT)

    assert ORDER[:2] == reading.seen
    assert ORDER == await reading.end()


async def test_a_message_in_pieces_is_taken_with_its_last_one() -> None:
    """
    A large message costs no detour through the stream's buffer and the read loop.
    """
    reading = Reading()
    await asyncio.sleep(0)

    for at in range(0, len(SENT), 5):
        reading.stream.feed_data(SENT[at : at + 5])
        if b"evt.3" in SENT[: at + 5]:
            break

    assert ORDER[:2] == reading.seen
    assert not reading.stream._buffer  # type: ignore[attr-defined]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 5, 17, 18, 40])
async def test_nothing_is_overtaken(size: int, turns: int) -> None:
    """
    However far the read loop is when the next piece comes, the order is the one of the wire.
    """
    reading = Reading()
    for at in range(0, len(SENT), size):
        reading.stream.feed_data(SENT[at : at + size])
        for _ in range(turns):
            await asyncio.sleep(0)

    assert ORDER == await reading.end()


async def test_no_protocol_is_refused_once() -> None:
    """
    A line that is no message ends the read loop; what stood before it was taken once.
    """
    reading = Reading()
    await asyncio.sleep(0)

    reading.stream.feed_data(b"MSG evt.1 7 1\r\n1\r\nMSG evt.2 7 many\r\n")

    with pytest.raises(Exception, match="protocol"):
        await reading.loop
    assert [b"1"] == reading.seen


async def test_a_transport_without_stream() -> None:
    """
    A websocket has no stream to feed; everything is read by nats-py's loop.
    """
    client_internals.read_directly(Client(), lambda data: data)
