"""A TCP proxy before a server that can be cut, and that can lose what the server says."""

from __future__ import annotations

import asyncio
from typing import Self


class Proxy:
    """Listens on `url` and forwards to *port*."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self.drop_answers = False
        """Lose what streams answer to publishes; pings are still answered."""
        self.dropped = 0
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()

    def cut(self) -> None:
        """End every connection as a broken network does."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above, below = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, below]
        for source, sink, answers in ((reader, below, False), (above, writer, True)):
            task = asyncio.create_task(self._forward(source, sink, answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool
    ) -> None:
        try:
            while data := await source.read(1 << 16):
                if answers and self.drop_answers and b'"stream":' in data:
                    self.dropped += 1
                else:
                    sink.write(data)
        except OSError:
            pass
        finally:
            sink.transport.abort()
