"""The parent's end of the channel to a child, and what passes through it.

The channel is a pair of connected sockets: it has no name, no port and no file, nobody else can
reach it, and its end tells each side that the other is gone. A question is a line; the answer is a
line with a JSON object. Unasked, a child says one thing: why it ends, where its replacement would
end in the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

Question: TypeAlias = Literal["state", "metrics"]
"""``metrics`` asks for the state and the exposition."""

_LONGEST_ANSWER = 64 << 20
_LAST_WORD = b"ends "
_REST_WITHIN = 1.0
"""Seconds for what an ended child had sent; it is there already, unless something that the child
started holds the channel open."""


def last_word(code: int) -> bytes:
    """The line of a child that ends with the code, for a reason that its replacement shares."""
    return _LAST_WORD + b"%d\n" % code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child says of itself."""

    started: bool = False
    """Its handlers are at work."""
    unhealthy: list[str] = field(default_factory=list)
    """As ``/healthz`` has it."""
    not_ready: list[str] = field(default_factory=list)
    """As ``/readyz`` has it."""
    metrics: str | None = None
    """The exposition text; None if it was not asked for, or there is none yet."""

    def line(self) -> bytes:
        """As it is sent."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Answer:
        """The inverse of ``line``. Raises ValueError or TypeError for anything else."""
        return cls(**json.loads(line))


class Channel:
    """Asks one child, one question at a time; an answer that comes too late is passed over."""

    last_word: int | None = None
    """The exit code that the child said it would end with."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self._owed = 0

    @classmethod
    async def over(cls, end: socket.socket) -> Channel:
        """A channel over the parent's end of the pair."""
        return cls(*await asyncio.open_connection(sock=end, limit=_LONGEST_ANSWER))

    async def ask(self, question: Question, within: float) -> Answer | None:
        """The child's answer; None without one within so many seconds, or one of no sense."""
        with contextlib.suppress(TimeoutError, OSError, ValueError, TypeError):
            async with asyncio.timeout(within), self._turn:
                self._writer.write(f"{question}\n".encode())
                self._owed += 1
                while self._owed > 1:
                    await self._line()
                return Answer.read(await self._line())
        return None

    async def read_rest(self) -> None:
        """Take in what a child had said that has ended."""
        with contextlib.suppress(TimeoutError, OSError, ValueError):
            async with asyncio.timeout(_REST_WITHIN), self._turn:
                while await self._line():
                    pass

    async def _line(self) -> bytes:
        """The next answer; empty at the channel's end."""
        line = await self._reader.readline()
        while line.startswith(_LAST_WORD):
            self.last_word = int(line.removeprefix(_LAST_WORD))
            line = await self._reader.readline()
        self._owed -= 1
        return line

    def close(self) -> None:
        """Let go of it; without effect on a child that has ended."""
        self._writer.close()
