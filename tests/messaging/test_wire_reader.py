"""What the server sends is read right, however the socket cuts it."""

from __future__ import annotations

from typing import Any

import pytest
from nats.errors import ProtocolError

from glam_shared.messaging.wire import read_headers
from glam_shared.messaging.wire_reader import WireReader

BLOCK = b"NATS/1.0\r\nA: 1\r\n\r\n"
SENT = (
    b"PING\r\n"
    b"MSG evt.a 7 5\r\nhello\r\n"
    b"MSG evt.b 7 reply.to 4\r\n\r\n\r\n\r\n"
    b"+OK\r\n"
    b"HMSG evt.c 7 %d %d\r\n%b\r\n"
    b"HMSG evt.d 7 reply.to %d %d\r\n%bhello\r\n"
    b"MSG evt.\xff 7 0\r\n\r\n"
    b"MSG other 8 2\r\nhi\r\n"
    b"PONG\r\n" % (len(BLOCK), len(BLOCK), BLOCK, len(BLOCK), len(BLOCK) + 5, BLOCK)
)
TAKEN = [
    ("evt.a", "", b"hello", b""),
    ("evt.b", "reply.to", b"\r\n\r\n", b""),
    ("evt.c", "", b"", BLOCK),
    ("evt.d", "reply.to", b"hello", BLOCK),
    ("evt.\ufffd", "", b"", b""),
]
OTHERS = ["ping", ("other", b"hi"), "pong"]


class Client:
    """Notes what goes nats-py's way."""

    def __init__(self) -> None:
        self.noted: list[Any] = []

    async def _process_ping(self) -> None:
        self.noted.append("ping")

    async def _process_pong(self) -> None:
        self.noted.append("pong")

    async def _process_msg(self, _sid: int, subject: bytes, _reply: bytes, *rest: bytes) -> None:
        self.noted.append((subject.decode(), rest[0]))


async def _read(pieces: list[bytes]) -> tuple[list[Any], list[Any]]:
    client = Client()
    reader = WireReader(client)
    taken: list[Any] = []
    reader.takers["7"] = lambda *message: taken.append(message)
    for piece in pieces:
        await reader.parse(piece)
    return taken, client.noted


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, len(SENT)])
async def test_pieces(size: int) -> None:
    """
    Whatever the size of the pieces that are read, the same messages come out.
    """
    pieces = [SENT[at : at + size] for at in range(0, len(SENT), size)]

    assert (TAKEN, OTHERS) == await _read(pieces)


async def test_every_cut() -> None:
    """
    A cut at any byte changes nothing.
    """
    for at in range(len(SENT)):
        assert (TAKEN, OTHERS) == await _read([SENT[:at], SENT[at:]])


async def test_large_body() -> None:
    """
    A body that comes in a thousand pieces is joined once, when all of it is there.
    """
    body = bytes(range(256)) * 4000
    wire = b"MSG large 7 %d\r\n%b\r\n" % (len(body), body)

    taken, _ = await _read([wire[at : at + 1024] for at in range(0, len(wire), 1024)])

    assert [("large", "", body, b"")] == taken


@pytest.mark.parametrize("line", [b"MSG a 7 many\r\n", b"MSG\r\n", b"nonsense\r\n"])
async def test_no_protocol(line: bytes) -> None:
    """
    What is no protocol ends the connection, by nats-py's own error.
    """
    with pytest.raises(ProtocolError):
        await _read([line])


async def test_reset() -> None:
    """
    After a reconnect, what was begun on the old connection is forgotten.
    """
    reader = WireReader(Client())
    taken: list[Any] = []
    reader.takers["7"] = lambda *message: taken.append(message)

    await reader.parse(b"MSG evt.a 7 5\r\nhel")
    reader.reset()
    await reader.parse(b"MSG evt.b 7 2\r\nhi\r\n")

    assert [("evt.b", "", b"hi", b"")] == taken


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        (b"", {}),
        (b"NATS/1.0\r\n\r\n", {}),
        (b"NATS/1.0 503\r\n\r\n", {"Status": "503"}),
        (
            b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Stream: 3\r\n\r\n",
            {"Status": "100", "Description": "Idle Heartbeat", "Nats-Last-Stream": "3"},
        ),
        (b"NATS/1.0\r\nA:1\r\nB: \t2 \r\nA: 3\r\n\r\n", {"A": "3", "B": "2"}),
        (b"NATS/1.0\r\nno header\r\n: empty\r\na b: c\r\n\xff: d\r\n\r\n", {}),
        (b"NATS/1.0\r\nA: \xff\r\n\r\n", {"A": "\ufffd"}),
        (b"NATS/1.0\r\nUrl: http://x:1\r\n\r\n", {"Url": "http://x:1"}),
        (b"NATS/1.0 \xff\xff\r\n\r\n", {}),
        (b"\r\n\r\n", {}),
    ],
)
def test_headers(block: bytes, headers: dict[str, str]) -> None:
    """
    A block of headers is read whatever stands in it; what is no header is passed over.
    """
    assert headers == read_headers(block)
