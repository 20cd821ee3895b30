"""The few lines of a server that says what a real one says too seldom to wait for."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

PROTOCOL_INFO = {
    "server_id": "FAKE",
    "version": "2.15.1",
    "proto": 1,
    "headers": True,
    "max_payload": 1 << 20,
}


class FakeServer:
    """Greets, answers PING, and keeps what clients sent; `say` sends them protocol lines.

    * ``refusal``: the error every CONNECT is answered with, if any.
    * ``info`` is put over the greeting.
    """

    def __init__(self, *, refusal: str = "", info: dict[str, Any] | None = None) -> None:
        self.refusal = refusal
        self.info = PROTOCOL_INFO | (info or {})
        self.connects: list[dict[str, Any]] = []
        self.said: list[bytes] = []
        self.url = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def say(self, line: bytes) -> None:
        """Send *line* to the client that connected last."""
        self._writers[-1].write(line + b"\r\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(b"INFO " + json.dumps(self.info).encode() + b"\r\n")
        while line := await reader.readline():
            self.said.append(line)
            if line.startswith(b"CONNECT "):
                self.connects.append(json.loads(line[8:]))
            elif line.startswith(b"PING"):
                writer.write(self._answer())

    def _answer(self) -> bytes:
        return f"-ERR '{self.refusal}'\r\n".encode() if self.refusal else b"PONG\r\n"
