"""A network that can be broken: a TCP proxy before a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

Loses = Callable[[bytes], bool]


class Way:
    """One direction, of all connections together."""

    def __init__(self) -> None:
        self.delay = 0.0
        """Seconds that everything is late."""
        self.loses: Loses = lambda _data: False
        """Which writes get lost; whole ones, or what follows would make no sense."""
        self.lost = 0
        self.slows: Callable[[bytes], float] = lambda _data: 0.0
        """Seconds that a write is late, and what follows it."""
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """Let nothing through, and tell nobody: a broken cable, not a closed socket."""
        self._open.clear()

    def release(self) -> None:
        """Let through what was held, as a network does that was repaired in time."""
        self._open.set()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what is read, until either side ends."""
        try:
            while data := await reader.read(1 << 16):
                await asyncio.sleep(self.delay + self.slows(data))
                await self._open.wait()
                if self.loses(data):
                    self.lost += 1
                else:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()


class Proxy:
    """Listens at ``url`` and forwards to ``port``, until it is told to do worse.

    * ``up`` is the way to the server, ``down`` the way back;
    * ``cut`` aborts every connection; while ``closed``, new ones are aborted too.
    """

    def __init__(self, port: int) -> None:
        self.url = ""
        self.up = Way()
        self.down = Way()
        self.closed = False
        self.accepted = 0
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
        """End every connection as a broken network does; what was held is lost."""
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.transport.abort()

    def hold(self) -> None:
        """A partition: nothing goes through in either direction."""
        self.up.hold()
        self.down.hold()

    def release(self) -> None:
        """The partition heals."""
        self.up.release()
        self.down.release()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.closed:
                raise ConnectionRefusedError
            above, below = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        self.accepted += 1
        self._writers += [writer, below]
        for way, source, sink in ((self.up, reader, below), (self.down, above, writer)):
            task = asyncio.create_task(way.forward(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
