"""Waits for something to become true, and says what was seen when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NotSeenError(AssertionError):
    """What a test waited for did not happen in time; the message says what did."""


LOOK_EVERY = 0.01
"""Seconds between looks at what is no fact: something that a handler does."""


class Waiting:
    """Waits on conditions that are looked at whenever ``changed`` is called."""

    def __init__(self, deadline: float, seen: Callable[[], str]) -> None:
        self.deadline = deadline
        """Seconds each wait may take."""
        self._seen = seen
        self._waiters: list[asyncio.Future[None]] = []

    def changed(self) -> None:
        """Look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, found: Callable[[], T | None], what: str) -> T:
        """What ``found`` returns as soon as it is not None. Raises NotSeenError at the deadline."""
        try:
            async with asyncio.timeout(self.deadline):
                return await self._found(found)
        except TimeoutError:
            raise NotSeenError(f"waited {self.deadline:g} s for {what}. {self._seen()}") from None

    async def while_looking(self, found: Callable[[], T | None], what: str) -> T:
        """The same for a condition of the test's own, which is looked at every 10 ms too."""
        looking = asyncio.ensure_future(self._look())
        try:
            return await self.until(found, what)
        finally:
            looking.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.changed()

    async def _found(self, found: Callable[[], T | None]) -> T:
        while (value := found()) is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        return value
